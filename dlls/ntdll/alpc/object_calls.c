/*
 * The system calls that ports share with other objects
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "calls.h"
#include "capture.h"
#include "handle.h"
#include "handle_table.h"
#include "name.h"
#include "process.h"
#include "type.h"
#include "unixlib.h"

#include <string.h>

/* ---------------------------------------------------------------------------------------------- handles */

NTSTATUS call_NtClose(void *args)
{
    const struct NtClose_params *params = args;
    struct thread *thread = current_thread();

    return thread ? handle_close(thread, params->handle) : STATUS_NO_MEMORY;
}

/* a handle that this process closes in another one may be a port's there */
static void tell_process(struct thread *thread, HANDLE process, HANDLE handle)
{
    struct
    {
        NTSTATUS exit_status;
        void *peb;
        ULONG_PTR affinity, priority, id, parent;
    } basic;
    struct handles_changed_request request;
    ULONG size;

    if (host_NtQueryInformationProcess(process, ProcessBasicInformation, &basic, sizeof(basic), &size))
        return;
    request.process = (uint32_t)basic.id;
    request.handle = (uint32_t)(ULONG_PTR)handle;
    process_notify(thread, REQUEST_handles_changed, &request);
}

NTSTATUS call_NtDuplicateObject(void *args)
{
    const struct NtDuplicateObject_params *params = args;
    struct thread *thread = current_thread();
    HANDLE target = NULL;
    NTSTATUS status;

    if (!thread)
        return STATUS_NO_MEMORY;
    thread_scratch_begin(thread);
    if (params->target)
        probe_write(params->target, sizeof(*params->target));
    if (params->source_process == CURRENT_PROCESS)
        status = handle_duplicate(thread, params->source, params->target_process, params->target ? &target : NULL,
                                  params->access, params->attributes, params->options);
    else
        status = host_NtDuplicateObject(params->source_process, params->source, params->target_process,
                                        params->target ? &target : NULL, params->access, params->attributes,
                                        params->options);
    if (params->source_process != CURRENT_PROCESS && params->options & DUPLICATE_CLOSE_SOURCE)
        tell_process(thread, params->source_process, params->source);
    if (!status && params->target)
        *params->target = target;
    return status;
}

/* ---------------------------------------------------------------------------------------------- NtQueryObject */

/* the port's name in the thread's scratch memory; Length 0 if it has none */
static NTSTATUS port_full_name(struct thread *thread, const struct port *port, UNICODE_STRING *name)
{
    struct query_name_request request = { .port = port->key };
    struct query_name_reply reply;
    const void *text;
    NTSTATUS status = process_call(thread, REQUEST_query_name, &request, NULL, &reply, &text);

    if (!status)
        *name = (UNICODE_STRING){ (USHORT)reply.name_size, (USHORT)reply.name_size, (WCHAR *)text };
    return status;
}

static NTSTATUS query_name(struct thread *thread, const struct port *port, const struct NtQueryObject_params *params)
{
    UNICODE_STRING name, *out = params->information;
    ULONG needed;
    NTSTATUS status = port_full_name(thread, port, &name);

    if (status)
        return status;
    needed = sizeof(*out) + (name.Length ? name.Length + sizeof(WCHAR) : 0);
    if (params->return_length)
        *params->return_length = needed;
    if (params->length < sizeof(*out))
        return STATUS_INFO_LENGTH_MISMATCH;
    if (params->length < needed)
        return STATUS_BUFFER_OVERFLOW;
    if (!name.Length)
    {
        *out = (UNICODE_STRING){ 0 };
        return STATUS_SUCCESS;
    }
    memcpy(out + 1, name.Buffer, name.Length);
    ((WCHAR *)(out + 1))[name.Length / sizeof(WCHAR)] = 0;
    *out = (UNICODE_STRING){ name.Length, (USHORT)(name.Length + sizeof(WCHAR)), (WCHAR *)(out + 1) };
    return STATUS_SUCCESS;
}

/* whether what the host says of a handle leaves it open that it is a port's */
static bool may_be_port(const struct NtQueryObject_params *params)
{
    static const WCHAR file[] = { 'F', 'i', 'l', 'e' };
    const UNICODE_STRING *answer = params->information; /* both classes begin with it */

    if (params->information_class == ObjectNameInformation)
        return handle_may_have_name(answer);
    return answer->Length == sizeof(file) && !memcmp(answer->Buffer, file, sizeof(file));
}

NTSTATUS call_NtQueryObject(void *args)
{
    const struct NtQueryObject_params *params = args;
    struct thread *thread = current_thread();
    struct port *port;
    NTSTATUS status;

    if (!thread)
        return STATUS_NO_MEMORY;
    if (params->information_class == ObjectTypesInformation)
    {
        if (params->return_length)
            probe_write(params->return_length, sizeof(*params->return_length));
        return type_query_all(params->handle, params->information, params->length, params->return_length);
    }
    thread_scratch_begin(thread);
    if (!(port = handle_table_find(thread, params->handle)))
    {
        status = host_NtQueryObject(params->handle, (int)params->information_class, params->information, params->length,
                                    params->return_length);
        if (status || !may_be_port(params) || !(port = handle_if_port(thread, params->handle)))
            return status;
    }
    if (params->return_length)
        probe_write(params->return_length, sizeof(*params->return_length));
    probe_write(params->information, params->length);
    if (params->information_class == ObjectTypeInformation)
        status = type_query(params->information, params->length, params->return_length);
    else
        status = query_name(thread, port, params);
    thread_release(thread, USE_PORT);
    return status;
}

/* ---------------------------------------------------------------------------------------------- security */

#define OWNER_SECURITY_INFORMATION 0x1
#define GROUP_SECURITY_INFORMATION 0x2
#define DACL_SECURITY_INFORMATION 0x4
#define SACL_SECURITY_INFORMATION 0x8
#define LABEL_SECURITY_INFORMATION 0x10

static NTSTATUS check_access(HANDLE handle, ACCESS_MASK needed)
{
    OBJECT_BASIC_INFORMATION basic;
    ULONG size;
    NTSTATUS status = host_NtQueryObject(handle, ObjectBasicInformation, &basic, sizeof(basic), &size);

    return status ? status : (basic.GrantedAccess & needed) == needed ? STATUS_SUCCESS : STATUS_ACCESS_DENIED;
}

static ACCESS_MASK query_access(ULONG information)
{
    const ULONG readable = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION |
                           LABEL_SECURITY_INFORMATION;

    return (information & readable ? READ_CONTROL : 0) |
           (information & SACL_SECURITY_INFORMATION ? ACCESS_SYSTEM_SECURITY : 0);
}

static ACCESS_MASK set_access(ULONG information)
{
    const ULONG owners = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION;

    return (information & owners ? WRITE_OWNER : 0) | (information & DACL_SECURITY_INFORMATION ? WRITE_DAC : 0) |
           (information & SACL_SECURITY_INFORMATION ? ACCESS_SYSTEM_SECURITY : 0);
}

static NTSTATUS query_security(struct thread *thread, const struct port *port,
                               const struct NtQuerySecurityObject_params *params)
{
    struct query_security_request request = { .port = port->key, .information = params->information };
    struct query_security_reply reply;
    const void *descriptor;
    NTSTATUS status = check_access(params->handle, query_access(params->information));

    if (status)
        return status;
    if ((status = process_call(thread, REQUEST_query_security, &request, NULL, &reply, &descriptor)))
        return status;
    *params->return_length = reply.security_size;
    if (params->length < reply.security_size)
        return STATUS_BUFFER_TOO_SMALL;
    memcpy(params->descriptor, descriptor, reply.security_size);
    return STATUS_SUCCESS;
}

NTSTATUS call_NtQuerySecurityObject(void *args)
{
    const struct NtQuerySecurityObject_params *params = args;
    struct thread *thread = current_thread();
    struct port *port;
    NTSTATUS status;

    if (!thread)
        return STATUS_NO_MEMORY;
    thread_scratch_begin(thread);
    if (!(port = handle_if_port(thread, params->handle)))
        return host_NtQuerySecurityObject(params->handle, params->information, params->descriptor, params->length,
                                          params->return_length);
    probe_write(params->return_length, sizeof(*params->return_length));
    probe_write(params->descriptor, params->length);
    status = query_security(thread, port, params);
    thread_release(thread, USE_PORT);
    return status;
}

static NTSTATUS set_security(struct thread *thread, const struct port *port,
                             const struct NtSetSecurityObject_params *params, const struct control_data *descriptor)
{
    struct set_security_request request = { .port = port->key, .information = params->information };
    struct set_security_reply reply;
    NTSTATUS status = check_access(params->handle, set_access(params->information));

    return status ? status : process_call(thread, REQUEST_set_security, &request, descriptor, &reply, NULL);
}

NTSTATUS call_NtSetSecurityObject(void *args)
{
    const struct NtSetSecurityObject_params *params = args;
    struct thread *thread = current_thread();
    struct control_data descriptor;
    struct port *port;
    NTSTATUS status;

    if (!thread)
        return STATUS_NO_MEMORY;
    thread_scratch_begin(thread);
    if (!(port = handle_if_port(thread, params->handle)))
        return host_NtSetSecurityObject(params->handle, params->information, params->descriptor);
    status = params->descriptor ? capture_security(thread, params->descriptor, &descriptor) : STATUS_ACCESS_VIOLATION;
    if (!status)
        status = set_security(thread, port, params, &descriptor);
    thread_release(thread, USE_PORT);
    return status;
}

/* ---------------------------------------------------------------------------------------------- names */

static bool is_port(struct thread *thread, const struct port_name *name, uint32_t number)
{
    struct find_port_request request = { .number = number };
    const struct control_data data = { name->full.Buffer, name->full.Length };
    struct find_port_reply reply;

    return number && !process_call(thread, REQUEST_find_port, &request, &data, &reply, NULL);
}

/* the program may have opened it without the right to be told about it */
static NTSTATUS name_of_any_handle(struct thread *thread, HANDLE handle, struct port_name *name, uint32_t *number)
{
    HANDLE copy;
    NTSTATUS status = name_of_handle(thread, handle, name, number);

    if (status != STATUS_ACCESS_DENIED)
        return status;
    if ((status =
             host_NtDuplicateObject(CURRENT_PROCESS, handle, CURRENT_PROCESS, &copy, IO_COMPLETION_ALL_ACCESS, 0, 0)))
        return status;
    status = name_of_handle(thread, copy, name, number);
    host_NtClose(copy);
    return status;
}

NTSTATUS call_check_name(void *args)
{
    const struct check_name_params *params = args;
    struct thread *thread = current_thread();
    struct port_name name;
    uint32_t number;
    bool found;

    if (!thread)
        return STATUS_NO_MEMORY;
    thread_scratch_begin(thread);
    found = !name_of_any_handle(thread, params->handle, &name, &number) && name.full.Length &&
            is_port(thread, &name, number);
    return found ? STATUS_OBJECT_TYPE_MISMATCH : STATUS_SUCCESS;
}

static NTSTATUS open_completion_port(HANDLE *handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes)
{
    struct check_name_params check;
    NTSTATUS status = host_NtOpenIoCompletion(&check.handle, access, attributes);

    if (status)
        return status;
    if ((status = call_check_name(&check)))
        host_NtClose(check.handle);
    else
        *handle = check.handle;
    return status ? status : STATUS_OBJECT_NAME_EXISTS;
}

/* OBJ_OPENIF in steps: Wine 8.0 does not return the handle of one that existed, and that one may be a port's */
NTSTATUS call_NtCreateIoCompletion(void *args)
{
    const struct NtCreateIoCompletion_params *params = args;
    OBJECT_ATTRIBUTES attributes = *params->attributes;
    HANDLE handle = NULL;
    NTSTATUS status;
    int tries = 2; /* the name may become free in between */

    if (!(attributes.Attributes & OBJ_OPENIF) || !attributes.ObjectName || !attributes.ObjectName->Length)
        return host_NtCreateIoCompletion(params->handle, params->access, params->attributes, params->threads);
    probe_write(params->handle, sizeof(*params->handle));
    attributes.Attributes &= ~(ULONG)OBJ_OPENIF;
    do
    {
        status = host_NtCreateIoCompletion(&handle, params->access, &attributes, params->threads);
        if (status == STATUS_OBJECT_NAME_COLLISION)
            status = open_completion_port(&handle, params->access, &attributes);
    } while (status == STATUS_OBJECT_NAME_NOT_FOUND && --tries);
    *params->handle = handle;
    return status;
}

/* what NtQueryDirectoryObject returns for each object; a zero entry ends the list */
struct directory_entry
{
    UNICODE_STRING name;
    UNICODE_STRING type;
};

static const WCHAR placeholder_type[] = { 'I', 'o', 'C', 'o', 'm', 'p', 'l', 'e', 't', 'i', 'o', 'n' };

static bool entry_is_port(struct thread *thread, HANDLE directory, const UNICODE_STRING *entry)
{
    struct captured_attributes attributes = { .root = directory };
    struct port_name name;
    uint32_t number;
    bool found;

    if (capture_name(thread, entry, &attributes.name))
        return false;
    found = !name_find(thread, &attributes, &name, &number) && is_port(thread, &name, number);
    return found;
}

/* names the type of ports among what the host has listed; the text of the other type leaves room enough */
NTSTATUS call_NtQueryDirectoryObject(void *args)
{
    const struct NtQueryDirectoryObject_params *params = args;
    struct thread *thread = current_thread();
    struct directory_entry *entry;

    if (!thread)
        return STATUS_NO_MEMORY;
    for (entry = params->buffer; entry->name.Buffer; entry++)
    {
        thread_scratch_begin(thread);
        if (entry->type.Length == sizeof(placeholder_type) &&
            !memcmp(entry->type.Buffer, placeholder_type, sizeof(placeholder_type)) &&
            entry_is_port(thread, params->directory, &entry->name))
        {
            memcpy(entry->type.Buffer, type_port_name, sizeof(type_port_name));
            entry->type.Length = sizeof(type_port_name) - sizeof(WCHAR);
        }
        if (params->single)
            break;
    }
    return STATUS_SUCCESS;
}
