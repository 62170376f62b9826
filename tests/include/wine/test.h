/*
 * Test macros with the names and meaning of Wine's <wine/test.h>
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The conformance tests include this as "wine/test.h", so that the same sources compile in a Wine or ReactOS tree,
 * where they get that tree's own header.  A program is made of one or more START_TEST functions and of exactly one file
 * that defines STANDALONE before it includes this, with the list of them:
 *
 *   #define STANDALONE
 *   #include "wine/test.h"
 *   extern void func_connect(void);
 *   const struct test winetest_testlist[] = { { "connect", func_connect }, { 0, 0 } };
 *
 * It is run as PROGRAM TEST [ARGUMENTS]; the exit code is the number of failures, at most 255.
 * WINETEST_PLATFORM=windows turns todo_wine off, as on Windows itself.
 */

#ifndef __WINE_WINE_TEST_H
#define __WINE_WINE_TEST_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windef.h>
#include <winbase.h>

struct test
{
    const char *name;
    void (*func)(void);
};

extern const struct test winetest_testlist[];
extern int winetest_debug;          /* 0 = silent but for failures, 1 = also what is skipped and traced */
extern const char *winetest_platform; /* "wine" or "windows" */

#define START_TEST(name) void func_##name(void); void func_##name(void)

/* where the macro that is expanded stands */
extern void winetest_set_location(const char *file, int line);
/* counts a result; context and message are printed if it is a failure (or a success in a todo block) */
extern int winetest_ok(int condition, const char *message, ...) __attribute__((format(printf, 2, 3)));
extern void winetest_skip(const char *message, ...) __attribute__((format(printf, 1, 2)));
extern void winetest_win_skip(const char *message, ...) __attribute__((format(printf, 1, 2)));
extern void winetest_trace(const char *message, ...) __attribute__((format(printf, 1, 2)));
extern void winetest_start_todo(int is_todo);
extern int winetest_loop_todo(void);
extern void winetest_end_todo(void);
/* text that is put before the messages between push and pop */
extern void winetest_push_context(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern void winetest_pop_context(void);
extern int winetest_get_mainargs(char ***argv);
/* waits for a child that is a test program too, and adds its failures to this program's */
extern void winetest_wait_child_process(HANDLE process);
extern const char *wine_dbgstr_wn(const WCHAR *text, int count);

#define ok_(file, line) (winetest_set_location(file, line), 0) ? (void)0 : (void)winetest_ok
#define ok ok_(__FILE__, __LINE__)
#define skip_(file, line) (winetest_set_location(file, line), 0) ? (void)0 : winetest_skip
#define skip skip_(__FILE__, __LINE__)
#define win_skip_(file, line) (winetest_set_location(file, line), 0) ? (void)0 : winetest_win_skip
#define win_skip win_skip_(__FILE__, __LINE__)
#define trace_(file, line) (winetest_set_location(file, line), 0) ? (void)0 : winetest_trace
#define trace trace_(__FILE__, __LINE__)
#define wait_child_process winetest_wait_child_process

/* a result that some Windows version gives, but that is not to be copied: never true under Wine */
#define broken(condition) (!strcmp(winetest_platform, "windows") && (condition))

#define todo_if(is_todo) for (winetest_start_todo(is_todo); winetest_loop_todo(); winetest_end_todo())
#define todo_wine_if(is_todo) todo_if((is_todo) && !strcmp(winetest_platform, "wine"))
#define todo_wine todo_wine_if(1)

static inline const char *wine_dbgstr_w(const WCHAR *text)
{
    return wine_dbgstr_wn(text, -1);
}

#ifdef STANDALONE

/* ---------------------------------------------------------------------------------------------- implementation */

int winetest_debug = 1;
const char *winetest_platform = "wine";

struct winetest_thread
{
    const char *file;
    int line;
    unsigned int todo_level;
    int todo_loop;
    char context[8][128];
    unsigned int context_count;
    char text[4][600];
    unsigned int text_index;
};

static LONG winetest_successes, winetest_failures, winetest_todos, winetest_skips;
static DWORD winetest_tls;
static int winetest_argc;
static char **winetest_argv;
static const char *winetest_name;

static struct winetest_thread *winetest_data(void)
{
    struct winetest_thread *data = TlsGetValue(winetest_tls);

    if (!data)
    {
        data = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(*data));
        TlsSetValue(winetest_tls, data);
    }
    return data;
}

static void winetest_print(const char *kind, const char *message, va_list args)
{
    struct winetest_thread *data = winetest_data();
    const char *file = strrchr(data->file, '/');
    char line[2048];
    int used = snprintf(line, sizeof(line), "%s:%d: %s", file ? file + 1 : data->file, data->line, kind);
    unsigned int i;

    for (i = 0; i < data->context_count && used < (int)sizeof(line); i++)
        used += snprintf(line + used, sizeof(line) - used, "%s: ", data->context[i]);
    if (used < (int)sizeof(line))
        vsnprintf(line + used, sizeof(line) - used, message, args);
    /* one write, so that the lines of several processes do not mix */
    fputs(line, stdout);
    fflush(stdout);
}

void winetest_set_location(const char *file, int line)
{
    struct winetest_thread *data = winetest_data();

    data->file = file;
    data->line = line;
}

int winetest_ok(int condition, const char *message, ...)
{
    struct winetest_thread *data = winetest_data();
    va_list args;

    va_start(args, message);
    if (data->todo_level)
    {
        InterlockedIncrement(condition ? &winetest_failures : &winetest_todos);
        if (condition)
            winetest_print("Test succeeded inside todo block: ", message, args);
    }
    else if (!condition)
    {
        winetest_print("Test failed: ", message, args);
        InterlockedIncrement(&winetest_failures);
    }
    else
        InterlockedIncrement(&winetest_successes);
    va_end(args);
    return condition;
}

void winetest_skip(const char *message, ...)
{
    va_list args;

    va_start(args, message);
    winetest_print("Tests skipped: ", message, args);
    va_end(args);
    InterlockedIncrement(&winetest_skips);
}

void winetest_win_skip(const char *message, ...)
{
    va_list args;

    va_start(args, message);
    if (!strcmp(winetest_platform, "windows"))
    {
        winetest_print("Tests skipped: ", message, args);
        InterlockedIncrement(&winetest_skips);
    }
    else
    {
        winetest_print("Test failed: ", message, args);
        InterlockedIncrement(&winetest_failures);
    }
    va_end(args);
}

void winetest_trace(const char *message, ...)
{
    va_list args;

    if (!winetest_debug)
        return;
    va_start(args, message);
    winetest_print("", message, args);
    va_end(args);
}

void winetest_start_todo(int is_todo)
{
    struct winetest_thread *data = winetest_data();

    data->todo_level = (data->todo_level << 1) | (is_todo != 0);
    data->todo_loop = 1;
}

int winetest_loop_todo(void)
{
    struct winetest_thread *data = winetest_data();
    int loop = data->todo_loop;

    data->todo_loop = 0;
    return loop;
}

void winetest_end_todo(void)
{
    winetest_data()->todo_level >>= 1;
}

void winetest_push_context(const char *format, ...)
{
    struct winetest_thread *data = winetest_data();
    va_list args;

    if (data->context_count == sizeof(data->context) / sizeof(data->context[0]))
        return;
    va_start(args, format);
    vsnprintf(data->context[data->context_count++], sizeof(data->context[0]), format, args);
    va_end(args);
}

void winetest_pop_context(void)
{
    struct winetest_thread *data = winetest_data();

    if (data->context_count)
        data->context_count--;
}

int winetest_get_mainargs(char ***argv)
{
    *argv = winetest_argv;
    return winetest_argc;
}

void winetest_wait_child_process(HANDLE process)
{
    DWORD result = WaitForSingleObject(process, 60000), code = 1;

    winetest_set_location(__FILE__, __LINE__);
    winetest_ok(result == WAIT_OBJECT_0, "the child process has not ended in a minute\n");
    if (result != WAIT_OBJECT_0)
        return;
    GetExitCodeProcess(process, &code);
    winetest_ok(!code, "the child process ended with code %lu\n", code);
}

const char *wine_dbgstr_wn(const WCHAR *text, int count)
{
    struct winetest_thread *data = winetest_data();
    char *out = data->text[data->text_index++ % 4], *end = out + sizeof(data->text[0]) - 8, *at = out;
    int i;

    if (!text)
        return "(null)";
    *at++ = '"';
    for (i = 0; (count < 0 ? text[i] != 0 : i < count) && at < end; i++)
    {
        if (text[i] >= 32 && text[i] < 127)
            *at++ = (char)text[i];
        else
            at += sprintf(at, "\\%04x", text[i]);
    }
    *at++ = '"';
    *at = 0;
    return out;
}

static int winetest_run(const char *name)
{
    const struct test *test;

    for (test = winetest_testlist; test->name && strcmp(test->name, name); test++)
        ;
    if (!test->name)
    {
        fprintf(stderr, "there is no test '%s'\n", name);
        return 1;
    }
    winetest_name = name;
    test->func();
    printf("%04lx:%s: %ld tests executed (%ld marked as todo, %ld %s), %ld skipped.\n", GetCurrentProcessId(), name,
           winetest_successes + winetest_failures + winetest_todos, winetest_todos, winetest_failures,
           winetest_failures == 1 ? "failure" : "failures", winetest_skips);
    fflush(stdout);
    return winetest_failures > 255 ? 255 : (int)winetest_failures;
}

int main(int argc, char **argv)
{
    const struct test *test;
    const char *platform = getenv("WINETEST_PLATFORM"), *debug = getenv("WINETEST_DEBUG");

    winetest_tls = TlsAlloc();
    winetest_argc = argc;
    winetest_argv = argv;
    if (platform)
        winetest_platform = platform;
    if (debug)
        winetest_debug = atoi(debug);
    setvbuf(stdout, NULL, _IOFBF, 4096);
    if (argc >= 2 && strcmp(argv[1], "--list"))
        return winetest_run(argv[1]);
    if (argc < 2)
        printf("Usage: %s TEST\n\nTests:\n", argv[0]);
    for (test = winetest_testlist; test->name; test++)
        printf("%s\n", test->name);
    return argc < 2;
}

#endif /* STANDALONE */

#endif
