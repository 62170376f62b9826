/*
 * bench.exe: the Windows half of the benchmark
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   bench serve NAME KIND...   serves alpc, pipe, ... under that name; says "ready"
 *   bench call NAME            reads lines "WHAT SIZE COUNT", answers each with begin and end in nanoseconds
 */

#include "win.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *server_name;

static HANDLE ready;

const char *named(const char *prefix)
{
    static __thread char name[MAX_PATH];

    snprintf(name, sizeof(name), "%s%s", prefix, server_name);
    return name;
}

static void __attribute__((noreturn)) end(UINT code)
{
    fflush(NULL);
    /* without waiting for threads that serve */
    TerminateProcess(GetCurrentProcess(), code);
    abort();
}

void require(bool condition, const char *what)
{
    if (condition)
        return;
    printf("failed: %s, error %lu\n", what, GetLastError());
    end(1);
}

static bool read_line(char *line, size_t size)
{
    size_t length;

    if (!fgets(line, (int)size, stdin))
        return false;
    length = strlen(line);
    while (length && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        line[--length] = 0;
    return true;
}

/* ---------------------------------------------------------------------------------------------- serving */

static const struct
{
    const char *name;
    server_function serve;
} servers[] = {
    { "alpc", serve_alpc },   { "pipe", serve_pipe }, { "pipe-connect", serve_pipe_connect },
    { "event", serve_event }, { "rpc", serve_rpc },
};

void serving(void)
{
    SetEvent(ready);
}

static DWORD WINAPI server_thread(void *serve)
{
    ((server_function)serve)();
    return 0;
}

static void start_server(const char *name)
{
    unsigned int i;

    for (i = 0; i < sizeof(servers) / sizeof(servers[0]); i++)
        if (!strcmp(servers[i].name, name))
        {
            require(CreateThread(NULL, 0, server_thread, (void *)servers[i].serve, 0, NULL) != NULL, "CreateThread");
            require(WaitForSingleObject(ready, 20000) == WAIT_OBJECT_0, name);
            return;
        }
    require(false, name);
}

static void serve(int count, char **names)
{
    char line[16];

    ready = CreateEventA(NULL, FALSE, FALSE, NULL);
    while (count--)
        start_server(*names++);
    printf("ready\n");
    fflush(stdout);
    while (read_line(line, sizeof(line)))
        ;
}

/* ---------------------------------------------------------------------------------------------- calling */

static const struct
{
    const char *name;
    call_function call;
} calls[] = {
    { "alpc", call_alpc },
    { "alpc-nothing", call_alpc_nothing },
    { "alpc-datagrams", call_alpc_datagrams },
    { "alpc-connect", call_alpc_connect },
    { "alpc-hold", call_alpc_hold },
    { "alpc-robin", call_alpc_robin },
    { "pipe", call_pipe },
    { "pipe-transact", call_pipe_transact },
    { "pipe-datagrams", call_pipe_datagrams },
    { "pipe-connect", call_pipe_connect },
    { "event", call_event },
    { "rpc", call_rpc },
};

static call_function find_call(const char *name)
{
    unsigned int i;

    for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (!strcmp(calls[i].name, name))
            return calls[i].call;
    require(false, name);
    return NULL;
}

static unsigned long long nanoseconds(void)
{
    static LARGE_INTEGER frequency;
    LARGE_INTEGER now;

    if (!frequency.QuadPart)
        QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&now);
    return (unsigned long long)((double)now.QuadPart * 1e9 / (double)frequency.QuadPart);
}

static void call(void)
{
    unsigned int size, count;
    char line[128], name[32];

    while (read_line(line, sizeof(line)))
    {
        unsigned long long begun;
        call_function function;

        require(sscanf(line, "%31s %u %u", name, &size, &count) == 3 && size <= BENCH_MOST_DATA, line);
        function = find_call(name);
        begun = nanoseconds();
        function(size, count);
        printf("%llu %llu\n", begun, nanoseconds());
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    require(argc > 2, "arguments");
    server_name = argv[2];
    if (!strcmp(argv[1], "serve"))
        serve(argc - 3, argv + 3);
    else
        call();
    end(0);
}
