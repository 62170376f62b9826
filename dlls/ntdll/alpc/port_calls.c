/*
 * NtAlpcCreatePort, NtAlpcDisconnectPort, NtAlpcQueryInformation
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "calls.h"
#include "capture.h"
#include "handle.h"
#include "name.h"
#include "object.h"
#include "process.h"
#include "unixlib.h"

/* ---------------------------------------------------------------------------------------------- creating */

struct creation
{
    struct captured_attributes object;
    struct captured_port_attributes port;
    struct port_name name; /* .full.Length 0 = unnamed */
};

/* leaves the port and the file for its handle in the thread's hold */
static NTSTATUS request_port(struct thread *thread, const struct creation *creation, uint32_t *number)
{
    struct create_port_request request = {
        .flags = creation->port.flags,
        .max_message = creation->port.max_message,
        .absolute = !creation->object.root,
    };
    const struct control_data data[] = { { creation->name.full.Buffer, creation->name.full.Length },
                                         creation->object.security };
    struct create_port_reply reply;
    NTSTATUS status = process_call(thread, REQUEST_create_port, &request, data, &reply, NULL);

    if (status)
        return status;
    *number = reply.number;
    thread_hold_file(thread);
    return object_connection_port(thread, reply.port, reply.queue, creation->port.flags, 1) ? STATUS_SUCCESS
                                                                                            : STATUS_NO_MEMORY;
}

static NTSTATUS create_port(struct thread *thread, struct creation *creation, HANDLE *handle)
{
    HANDLE placeholder;
    uint32_t number;
    NTSTATUS status;

    if (creation->object.name.Length && (status = name_create(thread, &creation->object, &creation->name)))
        return status;
    placeholder = thread->hold.placeholder;
    if ((status = request_port(thread, creation, &number)) ||
        (status = handle_create(thread, creation->object.attributes, handle)))
        return status;
    /* only now can the name lead to the port */
    return placeholder ? name_publish(placeholder, number) : STATUS_SUCCESS;
}

NTSTATUS call_NtAlpcCreatePort(void *args)
{
    const struct NtAlpcCreatePort_params *params = args;
    struct thread *thread = current_thread();
    struct creation creation = { .name.full.Length = 0 };
    HANDLE handle;
    NTSTATUS status;

    if (!thread)
        return STATUS_NO_MEMORY;
    thread_scratch_begin(thread);
    probe_write(params->port_handle, sizeof(*params->port_handle));
    capture_port_attributes(params->port_attributes, &creation.port);
    if ((status = capture_attributes(thread, params->object_attributes, &creation.object)))
        return status;
    status = create_port(thread, &creation, &handle);
    thread_release(thread, USE_PORT);
    if (status)
    {
        handle_give_back(thread);
        return status;
    }
    *params->port_handle = handle;
    handle_given(thread);
    return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- disconnecting */

NTSTATUS call_NtAlpcDisconnectPort(void *args)
{
    const struct NtAlpcDisconnectPort_params *params = args;
    struct thread *thread = current_thread();
    struct disconnect_port_request request = { .flags = params->flags };
    struct disconnect_port_reply reply;
    struct port *port;
    NTSTATUS status;

    if (!thread)
        return STATUS_NO_MEMORY;
    thread_scratch_begin(thread);
    if (params->flags & ~ALPC_DISCONNECTFLG_NO_FLUSH_ON_CLOSE)
        return STATUS_INVALID_PARAMETER;
    if ((status = handle_port(thread, params->port, &port)))
        return status;
    request.port = port->key;
    status = process_call(thread, REQUEST_disconnect_port, &request, NULL, &reply, NULL);
    thread_release(thread, USE_PORT);
    return status;
}

/* ---------------------------------------------------------------------------------------------- querying */

static uint32_t sequence_of(const struct port *port)
{
    const struct connection *connection = port->connection;

    /* counts requests, and tells the number of the next */
    return connection ? atomic_load(&connection->channel.header->end[connection->end].sequence) + 1 : 0;
}

static NTSTATUS check_length(const struct NtAlpcQueryInformation_params *params, ULONG needed)
{
    if (params->return_length)
        *params->return_length = needed;
    if (params->length < needed)
        return STATUS_INFO_LENGTH_MISMATCH;
    probe_write(params->information, needed);
    return STATUS_SUCCESS;
}

static NTSTATUS query_basic(struct thread *thread, const struct NtAlpcQueryInformation_params *params)
{
    ALPC_BASIC_INFORMATION *information = params->information, result;
    struct port *port;
    NTSTATUS status;

    if ((status = handle_port(thread, params->port, &port)))
        return status;
    result = (ALPC_BASIC_INFORMATION){ .Flags = port->flags,
                                       .SequenceNo = sequence_of(port),
                                       .PortContext = (PVOID)(ULONG_PTR)port->context };
    thread_release(thread, USE_PORT);
    if (!(status = check_length(params, sizeof(result))))
        *information = result;
    return status;
}

/* [1.3] only a client port has a server at its other end */
static NTSTATUS query_server_session(struct thread *thread, const struct NtAlpcQueryInformation_params *params)
{
    ALPC_SERVER_SESSION_INFORMATION *information = params->information, result = { 0 };
    struct port *port;
    NTSTATUS status;

    if ((status = handle_port(thread, params->port, &port)))
        return status;
    if (port->kind == PORT_CLIENT)
        result = (ALPC_SERVER_SESSION_INFORMATION){ .SessionId = port->connection->session,
                                                    .ProcessId = port->connection->peer };
    else
        status = STATUS_INVALID_PORT_HANDLE;
    thread_release(thread, USE_PORT);
    if (!status && !(status = check_length(params, sizeof(result))))
        *information = result;
    return status;
}

NTSTATUS call_NtAlpcQueryInformation(void *args)
{
    const struct NtAlpcQueryInformation_params *params = args;
    struct thread *thread = current_thread();

    if (!thread)
        return STATUS_NO_MEMORY;
    if (params->return_length)
        probe_write(params->return_length, sizeof(*params->return_length));
    switch (params->information_class)
    {
    case AlpcBasicInformation:
        return query_basic(thread, params);
    case AlpcServerSessionInformation:
        return query_server_session(thread, params);
    case AlpcConnectedSIDInformation:
    case AlpcServerInformation:
    case AlpcWaitForPortReferences:
        return STATUS_NOT_IMPLEMENTED;
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}
