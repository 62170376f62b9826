/*
 * Entry point, the way to the native half, traces
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "pe.h"

/* gcc 12 takes the thread's segment for an array of no elements */
#pragma GCC diagnostic ignored "-Warray-bounds"

#include <stddef.h>

extern IMAGE_DOS_HEADER __ImageBase;

/* ---------------------------------------------------------------------------------------------- of the C library */

void *memcpy(void *restrict target, const void *restrict source, size_t size);
void *memset(void *target, int value, size_t size);

/* the compiler makes calls of these for structures */
void *memcpy(void *restrict target, const void *restrict source, size_t size)
{
    unsigned char *to = target;
    const unsigned char *from = source;

    while (size--)
        *(volatile unsigned char *)to++ = *from++;
    return target;
}

void *memset(void *target, int value, size_t size)
{
    unsigned char *to = target;

    while (size--)
        *(volatile unsigned char *)to++ = (unsigned char)value;
    return target;
}

/* ---------------------------------------------------------------------------------------------- Wine's debug lines */

struct __wine_debug_channel
{
    unsigned char flags;
    char name[15];
};

enum __wine_debug_class
{
    __WINE_DBCL_FIXME,
    __WINE_DBCL_ERR,
    __WINE_DBCL_WARN,
    __WINE_DBCL_TRACE,
    __WINE_DBCL_INIT = 7
};

__declspec(dllimport) unsigned char __cdecl __wine_dbg_get_channel_flags(struct __wine_debug_channel *channel);
__declspec(dllimport) int __cdecl __wine_dbg_header(enum __wine_debug_class debug_class,
                                                    struct __wine_debug_channel *channel, const char *function);
__declspec(dllimport) int __cdecl __wine_dbg_output(const char *text);

static struct __wine_debug_channel channel = { 0xff, "alpc" };

static BOOL wanted(enum __wine_debug_class debug_class)
{
    return channel.flags & 1u << debug_class && __wine_dbg_get_channel_flags(&channel) & 1u << debug_class;
}

static void print(enum __wine_debug_class debug_class, const char *name, const char *text)
{
    if (__wine_dbg_header(debug_class, &channel, name) != -1)
        __wine_dbg_output(text);
}

void tell_missing(const char *name)
{
    if (wanted(__WINE_DBCL_FIXME))
        print(__WINE_DBCL_FIXME, name, "not there yet\n");
}

static void print_status(enum __wine_debug_class debug_class, const char *name, NTSTATUS status)
{
    char text[] = "-> 00000000\n";
    int i;

    for (i = 0; i < 8; i++)
        text[3 + i] = "0123456789abcdef"[(ULONG)status >> (28 - 4 * i) & 15];
    print(debug_class, name, text);
}

/* ---------------------------------------------------------------------------------------------- the native half */

typedef NTSTATUS(WINAPI *unix_dispatcher)(UINT64 handle, unsigned int code, void *params);
__declspec(dllimport) extern unix_dispatcher __wine_unix_call_dispatcher;
__declspec(dllimport) NTSTATUS NTAPI NtQueryVirtualMemory(HANDLE, const void *, ULONG, void *, SIZE_T, SIZE_T *);

#define MEMORY_WINE_UNIX_FUNCS 1000

static UINT64 unix_handle;
static const UCHAR *port_handles;
static ULONG port_handles_count;
struct handle_closes *handle_closes;

/* the documented layout, as far as it is wanted */
struct teb
{
    NT_TIB Tib;
    PVOID EnvironmentPointer;
    PVOID ClientId[2]; /* process, thread */
    PVOID ActiveRpcHandle;
    PVOID ThreadLocalStoragePointer;
    PEB *Peb;
};

static NTSTATUS load_native_half(UINT64 *handle)
{
    const struct teb *teb = (const void *)NtCurrentTeb();
    const PEB *peb = teb->Peb;
    const UNICODE_STRING *program = &peb->ProcessParameters->ImagePathName;
    struct attach_params params = { .process_id = (ULONG)(ULONG_PTR)teb->ClientId[0],
                                    .session_id = peb->SessionId,
                                    .program = program->Buffer,
                                    .program_size = program->Length };
    NTSTATUS status =
        NtQueryVirtualMemory(CURRENT_PROCESS, &__ImageBase, MEMORY_WINE_UNIX_FUNCS, handle, sizeof(*handle), NULL);

    if (status || (status = __wine_unix_call_dispatcher(*handle, unix_attach, &params)))
        return status;
    port_handles_count = params.port_handles_count;
    port_handles = params.port_handles;
    handle_closes = params.closes;
    return STATUS_SUCCESS;
}

/* forwarded calls may come before the loader has called the entry point */
static NTSTATUS attach(void)
{
    static BOOL failed;
    UINT64 handle;
    NTSTATUS status;

    if (unix_handle || failed)
        return unix_handle ? STATUS_SUCCESS : STATUS_DLL_NOT_FOUND;
    if (!(status = load_native_half(&handle)))
    {
        unix_handle = handle;
        return STATUS_SUCCESS;
    }
    failed = TRUE;
    if (wanted(__WINE_DBCL_ERR))
        print_status(__WINE_DBCL_ERR, "ntalpc.so cannot be used, there will be no ports", status);
    return status;
}

BOOL native_half_present(void)
{
    return unix_handle || !attach();
}

NTSTATUS unix_call(enum unix_call code, void *params)
{
    NTSTATUS status;

    if (!native_half_present())
        return STATUS_DLL_NOT_FOUND;
    status = __wine_unix_call_dispatcher(unix_handle, code, params);
    /* the call may have been left in the middle: what it had in hand is given back now, not with the thread's next call
     */
    if (status == (NTSTATUS)STATUS_ACCESS_VIOLATION)
        __wine_unix_call_dispatcher(unix_handle, unix_recover, NULL);
    return status;
}

NTSTATUS system_call(enum unix_call code, void *params, const char *name)
{
    NTSTATUS status = unix_call(code, params);

    if (wanted(__WINE_DBCL_TRACE))
        print_status(__WINE_DBCL_TRACE, name, status);
    return status;
}

BOOL is_port_handle(HANDLE handle)
{
    ULONG_PTR index = (ULONG_PTR)handle >> 2;

    return port_handles && index < port_handles_count &&
           __atomic_load_n(&port_handles[index / 8], __ATOMIC_SEQ_CST) >> index % 8 & 1;
}

BOOL WINAPI DllMainCRTStartup(HINSTANCE instance, DWORD reason, void *reserved);

BOOL WINAPI DllMainCRTStartup(HINSTANCE instance, DWORD reason, void *reserved)
{
    (void)instance, (void)reserved;
    if (reason == DLL_PROCESS_ATTACH)
        attach(); /* a program that uses no ports must run in any case */
    else if (reason == DLL_THREAD_DETACH && unix_handle)
        unix_call(unix_thread_detach, NULL);
    return TRUE;
}
