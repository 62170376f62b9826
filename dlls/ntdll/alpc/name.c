/*
 * Names of ports
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "name.h"

/* a UNICODE_STRING with its text, bytes */
#define NAME_GUESS 0x200

void name_init(void)
{
    static WCHAR text[] = { '\\', 'R', 'P', 'C', ' ', 'C', 'o', 'n', 't', 'r', 'o', 'l' };
    UNICODE_STRING name = { sizeof(text), sizeof(text), text };
    OBJECT_ATTRIBUTES oa = { .Length = sizeof(oa), .ObjectName = &name };
    HANDLE handle;

    oa.Attributes = OBJ_CASE_INSENSITIVE | OBJ_OPENIF | OBJ_PERMANENT;
    if (NT_SUCCESS(host_NtCreateDirectoryObject(&handle, DIRECTORY_ALL_ACCESS, &oa)))
        host_NtClose(handle);
}

static OBJECT_ATTRIBUTES lookup(const struct captured_attributes *attributes)
{
    return (OBJECT_ATTRIBUTES){ .Length = sizeof(OBJECT_ATTRIBUTES),
                                .RootDirectory = attributes->root,
                                .ObjectName = (UNICODE_STRING *)&attributes->name,
                                .Attributes = attributes->attributes & OBJ_CASE_INSENSITIVE };
}

static NTSTATUS query_name(struct thread *thread, HANDLE handle, struct port_name *name)
{
    const struct scratch_mark begin = thread->scratch;
    ULONG size = NAME_GUESS, given;
    UNICODE_STRING *full;
    NTSTATUS status;

    do
    {
        thread_scratch_return(thread, begin);
        if (!(full = thread_scratch(thread, size)))
            return STATUS_NO_MEMORY;
        given = size;
        status = host_NtQueryObject(handle, ObjectNameInformation, full, given, &size);
    } while ((status == STATUS_INFO_LENGTH_MISMATCH || status == STATUS_BUFFER_OVERFLOW) && size > given);
    if (!status)
        name->full = *full;
    return status;
}

NTSTATUS name_create(struct thread *thread, const struct captured_attributes *attributes, struct port_name *name)
{
    OBJECT_ATTRIBUTES oa = lookup(attributes);
    NTSTATUS status;

    thread_begin_steps(thread);
    status = host_NtCreateIoCompletion(&thread->hold.placeholder, IO_COMPLETION_ALL_ACCESS, &oa, 0);
    thread_end_steps(thread);
    return status ? status : query_name(thread, thread->hold.placeholder, name);
}

NTSTATUS name_publish(HANDLE placeholder, uint32_t number)
{
    NTSTATUS status = STATUS_SUCCESS;

    while (number-- && !status)
        status = host_NtSetIoCompletion(placeholder, 0, 0, STATUS_SUCCESS, 0);
    return status;
}

NTSTATUS name_of_handle(struct thread *thread, HANDLE handle, struct port_name *name, uint32_t *number)
{
    LONG depth = 0;
    ULONG size;
    NTSTATUS status = host_NtQueryIoCompletion(handle, 0, &depth, sizeof(depth), &size);

    *number = (uint32_t)depth;
    return status ? status : query_name(thread, handle, name);
}

NTSTATUS name_find(struct thread *thread, const struct captured_attributes *attributes, struct port_name *name,
                   uint32_t *number)
{
    OBJECT_ATTRIBUTES oa = lookup(attributes);
    HANDLE handle;
    NTSTATUS status;

    thread_begin_steps(thread);
    /* not kept: it would keep the name of a server that has died */
    if (!(status = host_NtOpenIoCompletion(&handle, IO_COMPLETION_ALL_ACCESS, &oa)))
    {
        status = name_of_handle(thread, handle, name, number);
        host_NtClose(handle);
    }
    thread_end_steps(thread);
    return status;
}
