/*
 * System calls that ports share with other objects: where no port is concerned, the host's
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "pe.h"

#define OBJECT_NAME_INFORMATION_CLASS 1
#define OBJECT_TYPE_INFORMATION_CLASS 2
#define OBJECT_TYPES_INFORMATION_CLASS 3
#define SYSTEM_HANDLE_INFORMATION_CLASS 16
#define SYSTEM_EXTENDED_HANDLE_INFORMATION_CLASS 64


/* mingw's headers do not have these */
NTSTATUS NTAPI NtCreateIoCompletion(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, ULONG);
NTSTATUS NTAPI NtDuplicateObject(HANDLE, HANDLE, HANDLE, PHANDLE, ACCESS_MASK, ULONG, ULONG);
NTSTATUS NTAPI NtOpenIoCompletion(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
NTSTATUS NTAPI NtQueryDirectoryObject(HANDLE, PVOID, ULONG, BOOLEAN, BOOLEAN, PULONG, PULONG);
NTSTATUS NTAPI NtQuerySecurityObject(HANDLE, SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, ULONG, PULONG);
NTSTATUS NTAPI NtSetSecurityObject(HANDLE, SECURITY_INFORMATION, PSECURITY_DESCRIPTOR);
NTSTATUS NTAPI NtTerminateThread(HANDLE, NTSTATUS);

/* ---------------------------------------------------------------------------------------------- handles */

/* counts a close before it is known whether the handle is a port's; NULL without the native half */
static struct handle_closes *begin_close(HANDLE handle)
{
    struct handle_closes *closes = handle_closes ? closes_of(handle_closes, handle) : NULL;

    if (closes)
        closes_begin(closes);
    return closes;
}

static void end_close(struct handle_closes *closes)
{
    if (closes)
        closes_end(closes);
}

NTSTATUS NTAPI NtClose(HANDLE Handle)
{
    struct NtClose_params params = { Handle };
    struct handle_closes *closes = begin_close(Handle);
    BOOL port = is_port_handle(Handle);
    NTSTATUS status = port ? STATUS_SUCCESS : __wine_host_NtClose(Handle);

    end_close(closes);
    return port ? system_call(unix_NtClose, &params, "NtClose") : status;
}

/* of this process' own handle, which may be a port's */
static NTSTATUS duplicate_own(struct NtDuplicateObject_params *params)
{
    struct handle_closes *closes = params->options & DUPLICATE_CLOSE_SOURCE ? begin_close(params->source) : NULL;
    BOOL port = is_port_handle(params->source);
    NTSTATUS status = STATUS_SUCCESS;

    if (!port)
        status = __wine_host_NtDuplicateObject(params->source_process, params->source, params->target_process,
                                               params->target, params->access, params->attributes, params->options);
    end_close(closes);
    return port ? unix_call(unix_NtDuplicateObject, params) : status;
}

NTSTATUS NTAPI NtDuplicateObject(HANDLE SourceProcess, HANDLE Source, HANDLE TargetProcess, PHANDLE Target,
                                 ACCESS_MASK Access, ULONG Attributes, ULONG Options)
{
    struct NtDuplicateObject_params params = {
        SourceProcess, Source, TargetProcess, Target, Access, Attributes, Options
    };

    if (SourceProcess == CURRENT_PROCESS)
        return duplicate_own(&params);
    if (Options & DUPLICATE_CLOSE_SOURCE && native_half_present())
        return unix_call(unix_NtDuplicateObject, &params);
    return __wine_host_NtDuplicateObject(SourceProcess, Source, TargetProcess, Target, Access, Attributes, Options);
}

/* ---------------------------------------------------------------------------------------------- information */

NTSTATUS NTAPI NtQueryObject(HANDLE Handle, OBJECT_INFORMATION_CLASS Class, PVOID Information, ULONG Length,
                             PULONG ReturnLength)
{
    struct NtQueryObject_params params = { Handle, Class, Information, Length, ReturnLength };

    if ((params.information_class != OBJECT_NAME_INFORMATION_CLASS &&
         params.information_class != OBJECT_TYPE_INFORMATION_CLASS &&
         params.information_class != OBJECT_TYPES_INFORMATION_CLASS) ||
        !native_half_present())
        return __wine_host_NtQueryObject(Handle, Class, Information, Length, ReturnLength);
    return unix_call(unix_NtQueryObject, &params);
}

NTSTATUS NTAPI NtQuerySystemInformation(SYSTEM_INFORMATION_CLASS Class, PVOID Information, ULONG Length,
                                        PULONG ReturnLength)
{
    struct NtQuerySystemInformation_params params = { Class, Information, Length, ReturnLength };

    if ((params.information_class != SYSTEM_HANDLE_INFORMATION_CLASS &&
         params.information_class != SYSTEM_EXTENDED_HANDLE_INFORMATION_CLASS) ||
        !native_half_present())
        return __wine_host_NtQuerySystemInformation(Class, Information, Length, ReturnLength);
    return unix_call(unix_NtQuerySystemInformation, &params);
}

NTSTATUS NTAPI NtQuerySecurityObject(HANDLE Handle, SECURITY_INFORMATION Information, PSECURITY_DESCRIPTOR Descriptor,
                                     ULONG Length, PULONG ReturnLength)
{
    struct NtQuerySecurityObject_params params = { Handle, Information, Descriptor, Length, ReturnLength };

    if (!native_half_present())
        return __wine_host_NtQuerySecurityObject(Handle, Information, Descriptor, Length, ReturnLength);
    return unix_call(unix_NtQuerySecurityObject, &params);
}

NTSTATUS NTAPI NtSetSecurityObject(HANDLE Handle, SECURITY_INFORMATION Information, PSECURITY_DESCRIPTOR Descriptor)
{
    struct NtSetSecurityObject_params params = { Handle, Information, Descriptor };

    if (!native_half_present())
        return __wine_host_NtSetSecurityObject(Handle, Information, Descriptor);
    return unix_call(unix_NtSetSecurityObject, &params);
}

/* ---------------------------------------------------------------------------------------------- names */

NTSTATUS NTAPI NtQueryDirectoryObject(HANDLE Directory, PVOID Buffer, ULONG Length, BOOLEAN Single, BOOLEAN Restart,
                                      PULONG Context, PULONG ReturnLength)
{
    struct NtQueryDirectoryObject_params params = { Directory, Buffer, Single };
    NTSTATUS status =
        __wine_host_NtQueryDirectoryObject(Directory, Buffer, Length, Single, Restart, Context, ReturnLength);

    if (NT_SUCCESS(status) && status != STATUS_NO_MORE_ENTRIES && Buffer && Length)
        unix_call(unix_NtQueryDirectoryObject, &params);
    return status;
}

/* names of ports are held by completion ports, which programs must not see as such */
NTSTATUS NTAPI NtOpenIoCompletion(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes)
{
    NTSTATUS status = __wine_host_NtOpenIoCompletion(Handle, Access, Attributes);
    struct check_name_params params;

    if (!NT_SUCCESS(status))
        return status;
    params.handle = *Handle;
    if (unix_call(unix_check_name, &params) != STATUS_OBJECT_TYPE_MISMATCH)
        return status;
    __wine_host_NtClose(*Handle);
    *Handle = NULL;
    return STATUS_OBJECT_TYPE_MISMATCH;
}

NTSTATUS NTAPI NtCreateIoCompletion(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, ULONG Threads)
{
    struct NtCreateIoCompletion_params params = { Handle, Access, Attributes, Threads };

    if (!Attributes || !native_half_present())
        return __wine_host_NtCreateIoCompletion(Handle, Access, Attributes, Threads);
    return unix_call(unix_NtCreateIoCompletion, &params);
}

/* ---------------------------------------------------------------------------------------------- threads */

NTSTATUS NTAPI NtTerminateThread(HANDLE Thread, NTSTATUS ExitStatus)
{
    struct NtTerminateThread_params params = { Thread, ExitStatus };

    return native_half_present() ? unix_call(unix_NtTerminateThread, &params)
                                 : __wine_host_NtTerminateThread(Thread, ExitStatus);
}
