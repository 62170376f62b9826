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
