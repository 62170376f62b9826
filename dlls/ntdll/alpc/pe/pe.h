/*
 * The PE half of ntalpc.dll16
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It is loaded while kernelbase resolves its imports, so it uses nothing but ntdll: no C library.
 */

#ifndef NTALPC_PE_H
#define NTALPC_PE_H

#include <windef.h>
#include <winbase.h>
#include <winternl.h>

/* what the header declares is defined here, and exported by the list made from ntdll.spec */
#undef NTSYSAPI
#define NTSYSAPI

#include "ntalpc/status.h"
#include "ntlpcapi.h"

#include "../unixlib.h"

/* makes one call of the native half; STATUS_DLL_NOT_FOUND when it could not be loaded */
NTSTATUS unix_call(enum unix_call code, void *params);

/* whether the native half could be loaded; a program that uses no ports runs without it */
BOOL native_half_present(void);

/* the same for a system call: traced under WINEDEBUG=+alpc with its name and result */
NTSTATUS system_call(enum unix_call code, void *params, const char *name);

/* says that a call is not there yet (a fixme line) */
void tell_missing(const char *name);

/* every close of a handle of this process is counted (closes.h); NULL without the native half */
extern struct handle_closes *handle_closes;

/* whether the value is known to be a port's handle */
BOOL is_port_handle(HANDLE handle);

#define CURRENT_PROCESS ((HANDLE)(LONG_PTR)-1)

/* the system calls of the host that are replaced here */
__declspec(dllimport) NTSTATUS NTAPI __wine_host_NtClose(HANDLE);
__declspec(dllimport) NTSTATUS NTAPI
    __wine_host_NtCreateIoCompletion(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG);
__declspec(dllimport) NTSTATUS NTAPI
    __wine_host_NtDuplicateObject(HANDLE, HANDLE, HANDLE, HANDLE *, ACCESS_MASK, ULONG, ULONG);
__declspec(dllimport) NTSTATUS NTAPI __wine_host_NtOpenIoCompletion(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
__declspec(dllimport) NTSTATUS NTAPI
    __wine_host_NtQueryDirectoryObject(HANDLE, void *, ULONG, BOOLEAN, BOOLEAN, ULONG *, ULONG *);
__declspec(dllimport) NTSTATUS NTAPI __wine_host_NtQueryObject(HANDLE, ULONG, void *, ULONG, ULONG *);
__declspec(dllimport) NTSTATUS NTAPI __wine_host_NtQuerySecurityObject(HANDLE, ULONG, void *, ULONG, ULONG *);
__declspec(dllimport) NTSTATUS NTAPI __wine_host_NtQuerySystemInformation(ULONG, void *, ULONG, ULONG *);
__declspec(dllimport) NTSTATUS NTAPI __wine_host_NtSetSecurityObject(HANDLE, ULONG, void *);
__declspec(dllimport) NTSTATUS NTAPI __wine_host_NtTerminateThread(HANDLE, LONG);

#endif
