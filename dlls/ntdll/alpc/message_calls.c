/*
 * NtAlpcSendWaitReceivePort, NtAlpcCancelMessage
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "attributes.h"
#include "calls.h"
#include "capture.h"
#include "handle.h"
#include "message.h"
#include "process.h"
#include "receive.h"
#include "unixlib.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)
#define FLAG_REJECTED 0x1000000 /* [3.3] */

/* [4.4] the combinations that make no sense */
static NTSTATUS check_flags(const struct NtAlpcSendWaitReceivePort_params *params)
{
    const ULONG both = ALPC_MSGFLG_SYNC_REQUEST | ALPC_MSGFLG_RELEASE_MESSAGE;

    if (params->flags & FLAG_REJECTED && (params->send || params->flags & ALPC_MSGFLG_SYNC_REQUEST))
        return STATUS_INVALID_PARAMETER;
    if (params->flags & ALPC_MSGFLG_SYNC_REQUEST && (!params->send || (params->flags & both) == both))
        return STATUS_INVALID_PARAMETER_2;
    if (params->flags & ALPC_MSGFLG_SYNC_REQUEST && !params->receive)
        return STATUS_LPC_RECEIVE_BUFFER_EXPECTED;
    return STATUS_SUCCESS;
}

/* one that is told its id, in the header that was sent [4.5] */
static bool is_asynchronous_request(const struct NtAlpcSendWaitReceivePort_params *params,
                                    const struct message_out *out)
{
    return params->send && !out->message_id && !out->release && !out->sync;
}

/* the message to send, from the program's memory; its data is copied when it is sent */
static NTSTATUS capture_send(const struct NtAlpcSendWaitReceivePort_params *params, struct message_out *out)
{
    USHORT total_length;
    PORT_MESSAGE header;
    NTSTATUS status;

    probe_read(params->send, HEADER_SIZE);
    header = *params->send;
    out->data_length = (uint16_t)header.u1.s1.DataLength;
    total_length = (USHORT)header.u1.s1.TotalLength;
    out->message_id = header.MessageId;
    out->callback_id = header.CallbackId;
    out->payload = (const uint8_t *)(params->send + 1);
    out->release = params->flags & ALPC_MSGFLG_RELEASE_MESSAGE;
    out->sync = params->flags & ALPC_MSGFLG_SYNC_REQUEST;
    /* [3.9] */
    if (total_length < HEADER_SIZE || out->data_length > total_length - HEADER_SIZE)
        return STATUS_INVALID_PARAMETER;
    out->payload_length = (uint16_t)(total_length - HEADER_SIZE);
    probe_read(out->payload, out->payload_length);
    if ((status = attributes_read(params->send_attributes, &out->attachments)))
        return status;
    if (is_asynchronous_request(params, out))
        probe_write(params->send, HEADER_SIZE);
    return STATUS_SUCCESS;
}

static void capture_receive(const struct NtAlpcSendWaitReceivePort_params *params, struct message_in *in,
                            struct deadline *deadline)
{
    int64_t timeout;

    in->buffer = params->receive;
    in->capacity = ALPC_MAX_MESSAGE_LENGTH;
    if (params->buffer_length)
    {
        probe_write(params->buffer_length, sizeof(*params->buffer_length));
        if (*params->buffer_length < in->capacity)
            in->capacity = *params->buffer_length;
        probe_write(in->buffer, in->capacity);
    }
    else /* the caller vouches for its size [4.4] */
        probe_write(in->buffer, HEADER_SIZE);
    attributes_probe(params->receive_attributes);
    *deadline = deadline_never;
    if (params->timeout)
    {
        timeout = params->timeout->QuadPart;
        *deadline = deadline_from_nt(&timeout);
    }
}

/* the connection that a message belongs to; in use until thread_release */
static NTSTATUS use_connection_of(struct thread *thread, struct port *port, uint32_t message_id,
                                  struct connection **connection)
{
    if (port->kind == PORT_CONNECTION)
        return port_use_connection(thread, port, message_slot(message_id), connection);
    *connection = port->connection;
    return STATUS_SUCCESS;
}

static NTSTATUS send_message(struct thread *thread, struct port *port, const struct message_out *out,
                             struct message_ref *ref)
{
    struct connection *connection;
    NTSTATUS status;

    if (port->kind != PORT_CONNECTION && !out->message_id)
        return message_send(thread, port->connection, out, ref);
    /* only a message that exists already says which client is meant [4.1] */
    if (!out->message_id)
        return STATUS_LPC_INVALID_CONNECTION_USAGE;
    status = use_connection_of(thread, port, out->message_id, &connection);
    return status ? status : message_answer(thread, connection, out, ref);
}

/* what an awaited answer tells besides the message: NULL for a client [4.8.1] */
static uint64_t port_context(const struct port *port, const struct connection *connection)
{
    if (!port->roster)
        return port->context;
    return atomic_load_explicit(&port->roster[connection->channel.slot].port_context, memory_order_relaxed);
}

static NTSTATUS exchange(struct thread *thread, const struct NtAlpcSendWaitReceivePort_params *params,
                         struct message_out *out, struct message_in *in, const struct deadline *deadline)
{
    struct message_ref ref = { .cell = NULL };
    uint64_t context;
    struct port *port;
    NTSTATUS status;

    if ((status = handle_port(thread, params->port, &port)))
        return status;
    if (params->send)
        status = send_message(thread, port, out, &ref);
    if (!status && is_asynchronous_request(params, out))
        params->send->MessageId = channel_message_id(&ref.connection->channel, ref.id, ref.gen);
    if (!status && out->sync)
    {
        /* before the connection can have gone, and another have its slot */
        context = port_context(port, ref.connection);
        status = message_await(thread, &ref, in, deadline);
        in->port_context = context;
    }
    else
    {
        thread_release(thread, USE_CONNECTION);
        if (!status && params->receive)
            status = message_receive(thread, port, in, deadline);
    }
    thread_release(thread, USE_CONNECTION);
    thread_release(thread, USE_PORT);
    return status;
}

NTSTATUS call_NtAlpcSendWaitReceivePort(void *args)
{
    const struct NtAlpcSendWaitReceivePort_params *params = args;
    struct thread *thread = current_thread();
    struct message_out out = { .message_id = 0 };
    struct message_in in = { .buffer = NULL };
    struct deadline deadline;
    NTSTATUS status;

    if (!thread)
        return STATUS_NO_MEMORY;
    if ((status = check_flags(params)) || (params->send && (status = capture_send(params, &out))))
        return status;
    if (params->receive)
        capture_receive(params, &in, &deadline);
    status = exchange(thread, params, &out, &in, &deadline);
    if (status == STATUS_BUFFER_TOO_SMALL && params->buffer_length)
        *params->buffer_length = in.needed;
    else if (!status && params->receive)
        attributes_write(params->receive_attributes, &in);
    return status;
}

/* ---------------------------------------------------------------------------------------------- canceling */

#define CANCEL_FLAGS 0xfu          /* [4.12] any other is wrong */
#define CANCELFLG_32BIT_LAYOUT 0x4 /* of the context attribute [3.5] */

struct context_attribute32
{
    ULONG port_context, message_context, sequence, message_id, callback_id;
};

static void capture_context(const struct NtAlpcCancelMessage_params *params, struct cancellation *what)
{
    if (params->flags & CANCELFLG_32BIT_LAYOUT)
    {
        const struct context_attribute32 *context = (const struct context_attribute32 *)params->context;

        probe_read(context, sizeof(*context));
        what->message_id = context->message_id;
        what->context = context->message_context;
        return;
    }
    probe_read(params->context, sizeof(*params->context));
    what->message_id = params->context->MessageId;
    what->context = (uint64_t)(ULONG_PTR)params->context->MessageContext;
}

NTSTATUS call_NtAlpcCancelMessage(void *args)
{
    const struct NtAlpcCancelMessage_params *params = args;
    struct thread *thread = current_thread();
    struct cancellation what = { .try = params->flags & ALPC_CANCELFLG_TRY_CANCEL,
                                 .check_context = params->flags & ALPC_CANCELFLG_NO_CONTEXT_CHECK };
    struct connection *connection;
    struct port *port;
    NTSTATUS status;

    if (!thread)
        return STATUS_NO_MEMORY;
    if (params->flags & ~CANCEL_FLAGS)
        return STATUS_INVALID_PARAMETER;
    capture_context(params, &what);
    if (!what.message_id)
        return STATUS_MESSAGE_NOT_FOUND;
    if ((status = handle_port(thread, params->port, &port)))
        return status;
    status = use_connection_of(thread, port, what.message_id, &connection);
    if (!status)
        status = message_cancel(thread, connection, &what);
    else if (status == STATUS_INVALID_MESSAGE)
        status = STATUS_MESSAGE_NOT_FOUND;
    thread_release(thread, USE_CONNECTION);
    thread_release(thread, USE_PORT);
    return status;
}
