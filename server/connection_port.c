/*
 * Connection ports
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * They are made, found by name, connected to; requests that come through them are answered.
 */

#include "connection_port.h"

#include "connecting.h"
#include "name.h"
#include "port.h"
#include "request.h"
#include "roster.h"
#include "sharing.h"
#include "shortage.h"
#include "state.h"

#include "ntalpc/nt.h"

#include <errno.h>
#include <stdlib.h>

struct connection_port
{
    struct port port;
    struct name *name; /* NULL if it has none */
    struct roster roster;
};

static struct roster *roster_of(const struct port *port)
{
    return &((struct connection_port *)port)->roster;
}

/* ---------------------------------------------------------------------------------------------- what a port does */

static NTSTATUS lend_memory(const struct roster *roster, struct reply *reply)
{
    int entries = roster_open(roster);

    if (entries == -1)
        return shortage_of_memory(errno);
    reply_lend_fd(reply, roster->post_fd);
    reply_lend_fd(reply, roster->desk_fd);
    reply_give_fd(reply, entries);
    return STATUS_SUCCESS;
}

static NTSTATUS attach(struct port *port, struct process *process, struct reply *reply)
{
    struct roster *roster = roster_of(port);
    NTSTATUS status = roster_add_receiver(roster, process);

    if (status)
        return status;
    port_changed(port);
    reply->attach_port.queue = roster->id;
    return lend_memory(roster, reply);
}

static void disconnect(struct port *port, uint32_t flags)
{
    (void)flags;
    connecting_refuse_all(roster_of(port));
}

static const struct name *get_name(const struct port *port)
{
    return ((const struct connection_port *)port)->name;
}

static void describe(const struct port *port, struct port_record *record)
{
    const struct roster *roster = roster_of(port);

    record->connections = roster->count;
    record->queued = (uint32_t)queue_length(&roster->queue);
    record->receivers = atomic_load(&roster->queue.desk->waiters.sleepers);
}

static void closed(struct port *port)
{
    struct connection_port *connection_port = (struct connection_port *)port;

    if (connection_port->roster.connections)
        connecting_end_all(&connection_port->roster);
    roster_free(&connection_port->roster);
    name_free(connection_port->name);
}

static void save(const struct port *port, struct state_writer *writer)
{
    const struct name *name = get_name(port);

    state_write(writer, name ? name->number : 0);
    state_write(writer, name && name->absolute);
    state_write_bytes(writer, name ? name->text : NULL, name ? name->size : 0);
    roster_save(roster_of(port), writer);
}

static const struct port_ops connection_port_ops = {
    .kind = PORT_CONNECTION,
    .attach = attach,
    .disconnect = disconnect,
    .name = get_name,
    .describe = describe,
    .save = save,
    .closed = closed,
};

/* ---------------------------------------------------------------------------------------------- making and finding */

static NTSTATUS fill_in(struct connection_port *port, const void *name, uint32_t name_size, bool absolute)
{
    NTSTATUS status;

    if ((status = roster_init(&port->roster, port->port.owner, &port->port.object)) ||
        (status = roster_add_receiver(&port->roster, port->port.owner)))
        return status;
    if (name_size && !(port->name = name_create(&port->port.object, name, name_size, absolute)))
        return STATUS_NO_MEMORY;
    return STATUS_SUCCESS;
}

static NTSTATUS answer_creation(struct connection_port *port, struct reply *reply)
{
    int entries = roster_open(&port->roster);

    if (entries == -1)
        return shortage_of_memory(errno);
    reply->create_port.port = port->port.object.key;
    reply->create_port.queue = port->roster.id;
    reply->create_port.number = port->name ? port->name->number : 0;
    port_give_handle(&port->port, reply);
    reply_lend_fd(reply, port->roster.post_fd);
    reply_lend_fd(reply, port->roster.desk_fd);
    reply_give_fd(reply, entries);
    return STATUS_SUCCESS;
}

NTSTATUS handle_create_port(struct caller *caller, const struct create_port_request *request, data_list data,
                            struct reply *reply)
{
    const struct port_attributes attributes = { .flags = request->flags, .max_message = request->max_message };
    struct connection_port *port;
    NTSTATUS status;

    if (request->name_size % sizeof(uint16_t) || request->name_size > UINT16_MAX)
        return STATUS_OBJECT_NAME_INVALID;
    /* the name may have been another port's just before */
    watch_catch_up();
    if (!(port = calloc(1, sizeof(*port))))
        return STATUS_NO_MEMORY;
    if ((status = port_init(&port->port, &connection_port_ops, caller->process, &attributes, data[1],
                            request->security_size)))
        return status;
    if ((status = fill_in(port, data[0], request->name_size, request->absolute)) ||
        (status = answer_creation(port, reply)))
    {
        port_close(&port->port);
        return status;
    }
    port_changed(&port->port);
    return STATUS_SUCCESS;
}

static bool read_port(struct connection_port *port, struct state_reader *reader)
{
    uint32_t number = (uint32_t)state_read(reader);
    bool absolute = state_read(reader);
    size_t size;
    const void *text = state_read_bytes(reader, &size);

    if (!roster_restore(&port->roster, port->port.owner, &port->port.object, reader))
        return false;
    return !number || (port->name = name_restore(&port->port.object, number, text, (uint32_t)size, absolute));
}

bool connection_port_restore(uint64_t key, struct state_reader *reader)
{
    uint64_t serial = state_read(reader);
    struct connection_port *port;

    if (state_read(reader) != PORT_CONNECTION)
        return true;
    if (!(port = calloc(1, sizeof(*port))) || !port_restore(&port->port, &connection_port_ops, key, serial, reader))
        return false;
    if (read_port(port, reader))
        return true;
    port_close(&port->port);
    return false;
}

void connection_ports_restored(void)
{
    struct object *object;

    for (object = object_first(OBJECT_PORT); object; object = object_next(object))
        if (((struct port *)object)->ops->kind == PORT_CONNECTION)
            roster_restored(roster_of((struct port *)object));
}

struct roster *connection_port_roster(uint64_t key)
{
    struct port *port = port_find_kind(key, PORT_CONNECTION);

    return port ? roster_of(port) : NULL;
}

static struct port *find_port(uint32_t number, const void *name, uint32_t name_size)
{
    watch_catch_up();
    return (struct port *)name_find(number, name, name_size);
}

NTSTATUS handle_find_port(struct caller *caller, const struct find_port_request *request, data_list data,
                          struct reply *reply)
{
    (void)caller, (void)reply;
    return find_port(request->number, data[0], request->name_size) ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND;
}

/* ---------------------------------------------------------------------------------------------- connecting */

/* [4.3] whether the caller may connect, and whether the port's owner is whom the caller wants */
static NTSTATUS check_connect(const struct port *port, const struct connect_port_request *request, data_list data,
                              const struct token *token)
{
    const struct token *owner = port->owner->token;
    struct security_descriptor *required;
    uint32_t granted;
    NTSTATUS status;

    if ((status = access_check(port->security, token, PORT_CONNECT, 0, &port_mapping, &granted)))
        return status;
    if (request->server_sid_size && !sid_is_valid(data[2], request->server_sid_size))
        return STATUS_INVALID_SID;
    if (request->server_sid_size && sid_compare(owner->user, data[2]))
        return STATUS_SERVER_SID_MISMATCH;
    if (!request->server_security_size)
        return STATUS_SUCCESS;
    if ((status = security_descriptor_parse(data[3], request->server_security_size, &required)))
        return status;
    status = access_check(required, owner, PORT_CONNECT, 0, &port_mapping, &granted);
    free(required);
    return status ? STATUS_SERVER_SID_MISMATCH : STATUS_SUCCESS;
}

/* message lengths are 16 bits, and what follows the header is as long as they say */
static bool lengths_agree(uint32_t data_length, uint32_t total_length, uint32_t message_size)
{
    return data_length <= UINT16_MAX && total_length <= UINT16_MAX && total_length >= sizeof(PORT_MESSAGE) &&
           message_size == total_length - sizeof(PORT_MESSAGE);
}

static void tell_connection(struct connection *connection, struct reply *reply)
{
    struct connect_port_reply *answer = &reply->connect_port;
    struct port *port = connection->end[END_CLIENT];
    const struct roster *roster = connection->roster;

    answer->port = port->object.key;
    answer->queue = roster->id;
    answer->slot = connection->slot;
    answer->generation = connection->generation;
    answer->server_process = roster->owner->id;
    answer->server_session = roster->owner->session;
    answer->message_gen = cell_gen(cell_state(&connection->channel.header->connect));
    port_give_handle(port, reply);
    reply_lend_fd(reply, connection->fd);
    reply_lend_fd(reply, roster->post_fd);
    reply_lend_fd(reply, roster->desk_read_fd);
}

NTSTATUS handle_connect_port(struct caller *caller, const struct connect_port_request *request, data_list data,
                             struct reply *reply)
{
    struct connect_request connect = {
        .process = caller->process,
        .thread = request->thread,
        .sync = request->sync,
        .attributes = { .flags = request->flags, .max_message = request->max_message },
        .data_length = (uint16_t)request->data_length,
        .total_length = (uint16_t)request->total_length,
        .message = data[4],
    };
    struct port *port = find_port(request->number, data[0], request->name_size);
    struct connection *connection;
    struct token *token;
    NTSTATUS status;

    if (!port)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (!lengths_agree(request->data_length, request->total_length, request->message_size))
        return STATUS_INVALID_PARAMETER;
    if ((status = token_create(data[1], request->token_size, &token)))
        return status;
    connect.token = token;
    status = check_connect(port, request, data, token);
    if (!status && port->disconnected)
        status = STATUS_PORT_CONNECTION_REFUSED;
    if (!status)
        status = connecting_begin(roster_of(port), port->max_message, &connect, &connection);
    token_free(token);
    if (!status)
        tell_connection(connection, reply);
    return status;
}

NTSTATUS handle_accept_port(struct caller *caller, const struct accept_port_request *request, data_list data,
                            struct reply *reply)
{
    const struct accept_request accept = {
        .process = caller->process,
        .thread = request->thread,
        .message_id = request->message_id,
        .callback_id = request->callback_id,
        .accept = request->accept,
        .context = request->context,
        .attributes = { .flags = request->flags, .max_message = request->max_message },
        .data_length = (uint16_t)request->data_length,
        .total_length = (uint16_t)request->total_length,
        .message = data[0],
    };
    struct port *server_port = port_find_kind(request->port, PORT_CONNECTION);
    struct connection *connection;
    NTSTATUS status;

    /* only the process that owns the connection port accepts [1.3] */
    if (!server_port || server_port->owner != caller->process)
        return STATUS_INVALID_PORT_HANDLE;
    if (!lengths_agree(request->data_length, request->total_length, request->message_size))
        return STATUS_INVALID_PARAMETER;
    if ((status = connecting_answer(roster_of(server_port), &accept, &connection)))
        return status;
    if (!connection)
        return STATUS_SUCCESS;
    reply->accept_port.port = connection->end[END_SERVER]->object.key;
    reply->accept_port.slot = connection->slot;
    port_give_handle(connection->end[END_SERVER], reply);
    return STATUS_SUCCESS;
}

NTSTATUS handle_attach_connection(struct caller *caller, const struct attach_connection_request *request,
                                  data_list data, struct reply *reply)
{
    struct port *port = port_find_kind(request->port, PORT_CONNECTION);
    struct connection *connection;
    NTSTATUS status;

    (void)data;
    if (!port)
        return STATUS_INVALID_HANDLE;
    if (!(connection = roster_connection(roster_of(port), request->slot)))
        return STATUS_INVALID_MESSAGE;
    if ((status = sharing_add(connection, END_SERVER, caller->process, &reply->attach_connection.process)))
        return status;
    connection_changed(connection);
    reply->attach_connection.generation = connection->generation;
    reply_lend_fd(reply, connection->fd);
    return STATUS_SUCCESS;
}
