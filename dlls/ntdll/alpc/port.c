/*
 * Ports and connections as one process sees them
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "port.h"

NTSTATUS (*port_attach_connection)(struct port *port, uint32_t slot);

static struct connection *use_current(struct thread *thread, struct port *port, uint32_t slot)
{
    struct connection *connection = thread_use(thread, USE_CONNECTION, &port->connections[slot]);

    if (connection &&
        connection->generation == atomic_load_explicit(&port->roster[slot].generation, memory_order_acquire))
        return connection;
    thread_release(thread, USE_CONNECTION);
    return NULL;
}

NTSTATUS port_use_connection(struct thread *thread, struct port *port, uint32_t slot, struct connection **connection)
{
    NTSTATUS status;

    if (!slot || slot >= ROSTER_SIZE ||
        atomic_load_explicit(&port->roster[slot].state, memory_order_relaxed) == ROSTER_FREE)
        return STATUS_INVALID_MESSAGE;
    if ((*connection = use_current(thread, port, slot)))
        return STATUS_SUCCESS;
    if ((status = port_attach_connection(port, slot)))
        return status;
    return (*connection = use_current(thread, port, slot)) ? STATUS_SUCCESS : STATUS_INVALID_MESSAGE;
}

static _Atomic uint32_t *told_closed(const struct connection *connection)
{
    struct port_desk *desk = (struct port_desk *)connection->main->queue.desk;

    return &desk->told_closed[connection->channel.slot];
}

bool connection_close_was_told(const struct connection *connection)
{
    return atomic_load_explicit(told_closed(connection), memory_order_relaxed) == connection->generation;
}

bool connection_close_is_due(const struct connection *connection)
{
    const struct roster_entry *entry = connection_roster(connection);

    return entry && atomic_load_explicit(&entry->state, memory_order_relaxed) == ROSTER_CLOSED &&
           !connection_close_was_told(connection);
}

bool connection_tell_close(const struct connection *connection)
{
    uint32_t before = atomic_load_explicit(told_closed(connection), memory_order_relaxed);

    do
        if (before == connection->generation)
            return false;
    while (!atomic_compare_exchange_weak_explicit(told_closed(connection), &before, connection->generation,
                                                  memory_order_relaxed, memory_order_relaxed));
    return true;
}

NTSTATUS connection_end_status(const struct connection *connection)
{
    uint32_t link = channel_link(&connection->channel);

    if (link & LINK_CLOSED(connection->end))
        return STATUS_PORT_CLOSED;
    return link & LINK_LOST ? STATUS_PORT_DISCONNECTED : STATUS_PENDING;
}

void connection_unmap(struct connection *connection)
{
    attachment_forget(&connection->channel);
    channel_unmap(&connection->channel);
}
