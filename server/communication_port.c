/*
 * Client and server communication ports
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "communication_port.h"

#include "death.h"
#include "request.h"
#include "sharing.h"
#include "state.h"

#include <stdlib.h>

struct communication_port
{
    struct port port;
    struct connection *connection; /* NULL = abandoned */
};

static struct connection *connection_of(const struct port *port)
{
    return ((const struct communication_port *)port)->connection;
}

static enum alpc_end end_of(const struct port *port)
{
    return port->ops->kind == PORT_CLIENT ? END_CLIENT : END_SERVER;
}

static NTSTATUS attach(struct port *port, struct process *process, struct reply *reply)
{
    struct connection *connection = connection_of(port);
    struct attach_port_reply *answer = &reply->attach_port;
    struct roster *roster = connection->roster;
    enum alpc_end end = end_of(port);
    NTSTATUS status;

    if (!roster)
        return STATUS_PORT_DISCONNECTED;
    if ((end == END_SERVER && (status = roster_add_receiver(roster, process))) ||
        (status = sharing_add(connection, end, process, &answer->process)))
        return status;
    if (end == END_SERVER)
        object_changed(roster->port, roster->port->ops);
    connection_changed(connection);
    answer->queue = roster->id;
    answer->slot = connection->slot;
    if (end == END_SERVER)
        answer->context = atomic_load(&connection_entry(connection)->port_context);
    answer->generation = connection->generation;
    answer->client_process = connection_process(connection, END_CLIENT, 0)->id;
    answer->server_process = roster->owner->id;
    answer->server_session = roster->owner->session;
    reply_lend_fd(reply, connection->fd);
    reply_lend_fd(reply, roster->post_fd);
    reply_lend_fd(reply, end == END_CLIENT ? roster->desk_read_fd : roster->desk_fd);
    return STATUS_SUCCESS;
}

static void disconnect(struct port *port, uint32_t flags)
{
    death_of_end(connection_of(port), end_of(port), flags);
}

static const struct name *no_name(const struct port *port)
{
    (void)port;
    return NULL;
}

static void describe(const struct port *port, struct port_record *record)
{
    const struct connection *connection = connection_of(port);
    const struct queue *queue = &connection->channel.client_queue;

    record->connection = connection->object.serial;
    if (end_of(port) != END_CLIENT)
    {
        record->receivers = atomic_load(&connection->channel.header->comm.sleepers);
        return;
    }
    record->queued = (uint32_t)queue_length(queue);
    record->receivers = atomic_load(&queue->desk->waiters.sleepers);
}

static void closed(struct port *port)
{
    if (connection_of(port))
        death_of_port(connection_of(port), end_of(port));
}

static void save(const struct port *port, struct state_writer *writer)
{
    state_write(writer, connection_of(port) ? connection_of(port)->object.key : 0);
}

static const struct port_ops client_ops = {
    .kind = PORT_CLIENT,
    .attach = attach,
    .disconnect = disconnect,
    .name = no_name,
    .describe = describe,
    .save = save,
    .closed = closed,
};

static const struct port_ops server_ops = {
    .kind = PORT_SERVER,
    .attach = attach,
    .disconnect = disconnect,
    .name = no_name,
    .describe = describe,
    .save = save,
    .closed = closed,
};

NTSTATUS communication_port_create(struct connection *connection, enum alpc_end end, struct process *owner,
                                   const struct port_attributes *attributes)
{
    struct communication_port *port = calloc(1, sizeof(*port));
    NTSTATUS status;

    if (!port)
        return STATUS_NO_MEMORY;
    if ((status = port_init(&port->port, end == END_CLIENT ? &client_ops : &server_ops, owner, attributes, NULL, 0)))
        return status;
    port->connection = connection;
    connection->end[end] = &port->port;
    return STATUS_SUCCESS;
}

bool communication_port_restore(uint64_t key, struct state_reader *reader)
{
    uint64_t serial = state_read(reader);
    enum port_kind kind = (enum port_kind)state_read(reader);
    enum alpc_end end = kind == PORT_CLIENT ? END_CLIENT : END_SERVER;
    struct communication_port *port;
    struct connection *connection;

    if (kind == PORT_CONNECTION)
        return true;
    if (!(port = calloc(1, sizeof(*port))) ||
        !port_restore(&port->port, end == END_CLIENT ? &client_ops : &server_ops, key, serial, reader))
        return false;
    connection = (struct connection *)object_find(OBJECT_CONNECTION, state_read(reader));
    if (!connection || connection->stage & LINK_CLOSED(end) || connection->end[end])
    {
        /* it had closed already, or was never finished */
        port_close(&port->port);
        return false;
    }
    port->connection = connection;
    connection->end[end] = &port->port;
    return true;
}

void communication_port_abandon(struct connection *connection, enum alpc_end end)
{
    struct port *port = connection->end[end];

    if (!port)
        return;
    connection->end[end] = NULL;
    ((struct communication_port *)port)->connection = NULL;
    port_close(port);
}
