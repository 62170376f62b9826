/*
 * NtAlpcConnectPort, NtAlpcConnectPortEx, NtAlpcAcceptConnectPort
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "attributes.h"
#include "calls.h"
#include "capture.h"
#include "handle.h"
#include "message.h"
#include "name.h"
#include "object.h"
#include "process.h"
#include "token.h"
#include "unixlib.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)

/* a message that goes with a request to alpcserver */
struct captured_message
{
    PORT_MESSAGE header;
    uint16_t data_length, total_length;
    struct control_data data; /* what follows the header; nothing if the lengths make no sense */
};

/* Lengths that make no sense are left for alpcserver to refuse, which looks up the name first [4.2]. */
static NTSTATUS capture_message(struct thread *thread, const PORT_MESSAGE *message, struct captured_message *captured)
{
    probe_read(message, HEADER_SIZE);
    captured->header = *message;
    captured->data_length = (uint16_t)captured->header.u1.s1.DataLength;
    captured->total_length = (uint16_t)captured->header.u1.s1.TotalLength;
    if (captured->total_length < HEADER_SIZE)
        return STATUS_SUCCESS;
    captured->data.size = captured->total_length - HEADER_SIZE;
    captured->data.data = capture_bytes(thread, message + 1, captured->data.size);
    return captured->data.data ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

/* ---------------------------------------------------------------------------------------------- connecting */

struct connecting
{
    struct captured_attributes target; /* name of the connection port */
    struct captured_attributes object; /* of the client port */
    struct captured_port_attributes attributes;
    struct captured_message message;
    struct control_data server_sid, server_security, token;
    struct attachments_out sent;
    struct deadline deadline;
    bool sync;
};

static NTSTATUS request_connection(struct thread *thread, struct connecting *connecting, uint32_t number,
                                   const UNICODE_STRING *name, struct connect_port_reply *reply)
{
    struct connect_port_request request = {
        .number = number,
        .thread = thread->thread_id,
        .sync = connecting->sync,
        .flags = connecting->attributes.flags,
        .max_message = connecting->attributes.max_message,
        .data_length = connecting->message.data_length,
        .total_length = connecting->message.total_length,
    };
    const struct control_data data[] = { { name->Buffer, name->Length },
                                         connecting->token,
                                         connecting->server_sid,
                                         connecting->server_security,
                                         connecting->message.data };

    return process_call(thread, REQUEST_connect_port, &request, data, reply, NULL);
}

/*
 * A port that is being made has its name some microseconds before it is ready, more when alpcserver dies meanwhile on a
 * busy machine; one whose server has been killed has it until wineserver knows.  So long, in ms, either is awaited.
 */
#define READY_TRIES 1000
#define GONE_TRIES 50

/*
 * Most names are the full ones of ports, as alpcserver knows them.  Any other goes through Wine's namespace: it may be
 * relative, written in other case, lead through a symbolic link, or belong to no port.
 */
static NTSTATUS find_and_connect(struct thread *thread, struct connecting *connecting, struct connect_port_reply *reply)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;
    struct scratch_mark begin;
    unsigned int tries;

    if ((status = token_snapshot(thread, CURRENT_THREAD_EFFECTIVE_TOKEN, &connecting->token)))
        return status;
    if (!connecting->target.root)
        status = request_connection(thread, connecting, 0, &connecting->target.name, reply);
    if (status != STATUS_OBJECT_NAME_NOT_FOUND && !connecting->target.root)
        return status;
    begin = thread->scratch;
    for (tries = 0; tries < READY_TRIES; tries++)
    {
        struct port_name name;
        uint32_t number;

        if ((status = name_find(thread, &connecting->target, &name, &number)))
            return status;
        if (number && (status = request_connection(thread, connecting, number, &name.full, reply)) !=
                          STATUS_OBJECT_NAME_NOT_FOUND)
            return status;
        if (deadline_passed(&connecting->deadline) || (number && tries == GONE_TRIES))
            break;
        thread_scratch_return(thread, begin);
        nanosleep(&pause, NULL);
    }
    /* a completion port of the program's own */
    return STATUS_OBJECT_TYPE_MISMATCH;
}

/* leaves the client port and the file for its handle in the thread's hold */
static NTSTATUS make_client(struct thread *thread, struct connecting *connecting, struct port **port,
                            uint32_t *message_gen)
{
    struct connect_port_reply reply;
    struct connection_info info = { .end = END_CLIENT };
    NTSTATUS status = find_and_connect(thread, connecting, &reply);

    if (status)
        return status;
    info.queue = reply.queue;
    info.slot = reply.slot;
    info.generation = reply.generation;
    info.peer = reply.server_process;
    info.session = reply.server_session;
    *message_gen = reply.message_gen;
    thread_hold_file(thread);
    *port = object_communication_port(thread, PORT_CLIENT, reply.port, connecting->attributes.flags, &info, 1);
    return *port ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static NTSTATUS await_reply(struct thread *thread, struct port *port, uint32_t message_gen, struct message_in *in,
                            const struct deadline *deadline)
{
    struct connection *connection = port->connection;
    /* no answer of alpcserver's has a signal */
    struct message_ref ref = { .connection = connection,
                               .cell = &connection->channel.header->connect,
                               .id = CELL_CONNECT,
                               .gen = message_gen,
                               .callback = true };
    NTSTATUS status = message_await(thread, &ref, in, deadline);

    if (status)
        return status == STATUS_PORT_DISCONNECTED ? STATUS_PORT_CONNECTION_REFUSED : status;
    return in->refused ? STATUS_PORT_CONNECTION_REFUSED : STATUS_SUCCESS;
}

/* the handle is in the thread's hold, also while the answer is awaited: a thread that ends there leaves no port */
static NTSTATUS connect_port(struct thread *thread, struct connecting *connecting, struct message_in *in,
                             HANDLE *handle)
{
    struct port *port = NULL;
    uint32_t message_gen;
    NTSTATUS status = make_client(thread, connecting, &port, &message_gen);

    if (!status)
        status = attachment_send(&port->connection->channel, CELL_CONNECT,
                                 &port->connection->channel.header->connect, &connecting->sent);
    /* while the server is deciding: Wine's server takes its time too */
    if (!status)
        status = handle_create(thread, connecting->object.attributes, handle);
    if (!status && connecting->sync)
        status = await_reply(thread, port, message_gen, in, &connecting->deadline);
    thread_release(thread, USE_PORT);
    return status;
}

static NTSTATUS capture_target(struct thread *thread, const struct NtAlpcConnectPort_params *params,
                               struct captured_attributes *target)
{
    NTSTATUS status;

    if (params->connection_port)
        status = capture_attributes(thread, params->connection_port, target);
    else
    {
        *target = (struct captured_attributes){ .attributes = OBJ_CASE_INSENSITIVE };
        status = capture_name(thread, params->name, &target->name);
    }
    /* what lives nowhere cannot be connected to */
    return status ? status : target->name.Length ? STATUS_SUCCESS : STATUS_OBJECT_NAME_INVALID;
}

static NTSTATUS capture_connecting(struct thread *thread, const struct NtAlpcConnectPort_params *params,
                                   struct connecting *connecting, struct message_in *in)
{
    int64_t timeout;
    NTSTATUS status;

    probe_write(params->port_handle, sizeof(*params->port_handle));
    capture_port_attributes(params->port_attributes, &connecting->attributes);
    connecting->sync = params->flags & ALPC_MSGFLG_SYNC_REQUEST;
    connecting->deadline = deadline_never;
    if (params->timeout)
    {
        timeout = params->timeout->QuadPart;
        connecting->deadline = deadline_from_nt(&timeout);
    }
    in->capacity = ALPC_MAX_MESSAGE_LENGTH;
    if (params->buffer_length)
    {
        probe_write(params->buffer_length, sizeof(*params->buffer_length));
        in->capacity = *params->buffer_length;
        /* without a length the caller does not want the reply */
        in->buffer = params->message;
        if (in->buffer)
            probe_write(in->buffer, in->capacity < ALPC_MAX_MESSAGE_LENGTH ? in->capacity : ALPC_MAX_MESSAGE_LENGTH);
    }
    attributes_probe(params->in_attributes);
    if ((status = capture_target(thread, params, &connecting->target)) ||
        (status = capture_attributes(thread, params->object_attributes, &connecting->object)) ||
        (status = capture_sid(thread, params->server_sid, &connecting->server_sid)) ||
        (status = capture_security(thread, params->server_security, &connecting->server_security)) ||
        (status = attributes_read(params->out_attributes, &connecting->sent)))
        return status;
    connecting->message.total_length = HEADER_SIZE;
    if (params->message && (status = capture_message(thread, params->message, &connecting->message)))
        return status;
    /* unlike any other message this one may not be longer than header and data [4.18] */
    if (connecting->message.total_length != HEADER_SIZE + connecting->message.data_length)
        connecting->message.data.size = 0;
    return STATUS_SUCCESS;
}

NTSTATUS call_NtAlpcConnectPort(void *args)
{
    const struct NtAlpcConnectPort_params *params = args;
    struct thread *thread = current_thread();
    struct connecting connecting = { .sync = false };
    struct message_in in = { .buffer = NULL };
    HANDLE handle;
    NTSTATUS status;

    if (!thread)
        return STATUS_NO_MEMORY;
    thread_scratch_begin(thread);
    if ((status = capture_connecting(thread, params, &connecting, &in)))
        return status;
    status = connect_port(thread, &connecting, &in, &handle);
    if (params->buffer_length && in.needed && (!status || status == STATUS_BUFFER_TOO_SMALL))
        *params->buffer_length = in.needed;
    if (status)
    {
        handle_give_back(thread);
        return status;
    }
    if (connecting.sync)
        attributes_write(params->in_attributes, &in);
    *params->port_handle = handle;
    handle_given(thread);
    return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- accepting */

struct accepting
{
    struct captured_attributes object;
    struct captured_port_attributes attributes;
    struct captured_message message;
    uint64_t context;
    bool accept;
};

static NTSTATUS request_accept(struct thread *thread, const struct port *server_port, const struct accepting *accepting,
                               struct accept_port_reply *reply)
{
    struct accept_port_request request = {
        .port = server_port->key,
        .context = accepting->context,
        .message_id = accepting->message.header.MessageId,
        .callback_id = accepting->message.header.CallbackId,
        .accept = accepting->accept,
        .thread = thread->thread_id,
        .flags = accepting->attributes.flags,
        .max_message = accepting->attributes.max_message,
        .data_length = accepting->message.data_length,
        .total_length = accepting->message.total_length,
    };

    return process_call(thread, REQUEST_accept_port, &request, &accepting->message.data, reply, NULL);
}

static NTSTATUS accept_port(struct thread *thread, struct port *server_port, const struct accepting *accepting,
                            HANDLE *handle)
{
    struct accept_port_reply reply;
    struct port *port;
    NTSTATUS status = request_accept(thread, server_port, accepting, &reply);

    if (status || !accepting->accept)
        return status;
    thread_hold_file(thread);
    if (!(port = object_accepted_port(thread, server_port, reply.slot, reply.port, accepting->attributes.flags)))
        return STATUS_NO_MEMORY; /* the port goes with its file */
    port->context = accepting->context;
    port->light = thread->hold.file == -1;
    return handle_create(thread, accepting->object.attributes, handle);
}

NTSTATUS call_NtAlpcAcceptConnectPort(void *args)
{
    const struct NtAlpcAcceptConnectPort_params *params = args;
    struct thread *thread = current_thread();
    struct accepting accepting = { .context = (ULONG_PTR)params->port_context, .accept = params->accept };
    struct attachments_out sent;
    struct port *server_port;
    HANDLE handle = NULL;
    NTSTATUS status;

    if (!thread)
        return STATUS_NO_MEMORY;
    thread_scratch_begin(thread);
    if (accepting.accept)
        probe_write(params->port_handle, sizeof(*params->port_handle));
    capture_port_attributes(params->port_attributes, &accepting.attributes);
    if ((status = capture_attributes(thread, params->object_attributes, &accepting.object)) ||
        (status = attributes_read(params->attributes, &sent)))
        return status;
    if ((status = capture_message(thread, params->request, &accepting.message)))
        return status;
    /* a header that is zero but for its ids is a reply without data */
    if (!accepting.message.header.u1.Length)
        accepting.message.total_length = HEADER_SIZE;
    if ((status = handle_port(thread, params->connection_port, &server_port)))
        return status;
    status = server_port->kind == PORT_CONNECTION ? accept_port(thread, server_port, &accepting, &handle)
                                                  : STATUS_INVALID_PORT_HANDLE;
    thread_release(thread, USE_PORT);
    if (status)
    {
        handle_give_back(thread);
        return status;
    }
    if (accepting.accept)
        *params->port_handle = handle;
    handle_given(thread);
    return STATUS_SUCCESS;
}
