/*
 * Lies in a port's queue
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "doubt.h"

#include "content.h"

/* connections that one search looks at, and slots of a roster that it passes at most */
#define CONNECTIONS_AT_ONCE 64u
#define SLOTS_AT_ONCE 1024u
/* cells have the time of a coarse clock, and are announced a moment later */
#define SLACK_NS 20000000

/* whether everything that was announced before the doubt has been received */
static bool has_passed(const struct port *port)
{
    uint64_t position = atomic_load_explicit(&port->doubt.position, memory_order_relaxed);

    return queue_head(port->queue) - position <= INT64_MAX;
}

void doubt_begin(struct port *port)
{
    struct doubt *doubt = &port->doubt;

    /* measuring the queue for each of many lies would take the square of their number */
    if (!doubt_is_set(port) || has_passed(port))
        atomic_store_explicit(&doubt->position, queue_head(port->queue) + queue_length(port->queue),
                              memory_order_relaxed);
    atomic_store_explicit(&doubt->time, coarse_ns(), memory_order_relaxed);
    atomic_store_explicit(&doubt->slot, 1, memory_order_relaxed);
    atomic_store_explicit(&doubt->set, 1, memory_order_release);
}

/* announcing a message twice does no harm but that the second entry leads nowhere */
static bool search_cell(struct connection *connection, uint32_t id, uint64_t before)
{
    struct cell *cell = channel_cell(&connection->channel, id);
    uint64_t state = cell ? cell_state(cell) : CELL_FREE;
    enum alpc_end end = connection->end;

    if (!cell || atomic_load_explicit(&cell->time, memory_order_relaxed) > before)
        return false;
    if (cell_phase(state) == CELL_WITHDRAWN + end)
        return cell_step(&connection->channel, id, cell, &state, EVENT_DONE, (struct cell_actor){ 0 });
    return (cell_phase(state) == CELL_QUEUED + end || cell_phase(state) == CELL_CANCELED + end) &&
           channel_announce(&connection->channel, end, id, cell_gen(state), NULL);
}

/* what is due and does not look announced has been written over by its client */
static bool search_closed(struct connection *connection, uint64_t before)
{
    const struct cell *cell = &connection->channel.header->closed;
    uint64_t state = cell_state(cell), time = atomic_load_explicit(&cell->time, memory_order_relaxed);

    if (!connection_close_is_due(connection))
        return false;
    if (cell_phase(state) == CELL_QUEUED + END_SERVER && time > before && time <= coarse_ns())
        return false;
    return channel_announce(&connection->channel, END_SERVER, CELL_CLOSED, cell_gen(state), NULL);
}

static bool search_connection(struct connection *connection, uint64_t before)
{
    enum alpc_end owner;
    bool found = search_cell(connection, CELL_CONNECT, before);
    uint32_t index;

    for (owner = END_CLIENT; owner <= END_SERVER; owner++)
        for (index = 0; index < channel_peak(&connection->channel, owner); index++)
            found |= search_cell(connection, CELL_ID(owner, index), before);
    return found | search_closed(connection, before);
}

static bool search_roster(struct thread *thread, struct port *port, uint64_t before)
{
    uint32_t slot = atomic_fetch_add_explicit(&port->doubt.slot, SLOTS_AT_ONCE, memory_order_relaxed);
    uint32_t end = slot + SLOTS_AT_ONCE, budget = CONNECTIONS_AT_ONCE;
    struct connection *connection;
    bool found = false;

    for (; slot < end && slot < ROSTER_SIZE && budget; slot++)
    {
        /* one whose request was lost is not known here yet */
        if (port_use_connection(thread, port, slot, &connection))
            continue;
        found |= search_connection(connection, before);
        thread_release(thread, USE_CONNECTION);
        budget--;
    }
    if (slot < end) /* the budget is spent, or the roster has been seen: who else searches sees some of it again */
        atomic_store_explicit(&port->doubt.slot, slot, memory_order_relaxed);
    if (slot >= ROSTER_SIZE)
        atomic_store_explicit(&port->doubt.set, 0, memory_order_relaxed);
    return found;
}

bool doubt_search(struct thread *thread, struct port *port)
{
    uint64_t before = atomic_load_explicit(&port->doubt.time, memory_order_relaxed) - SLACK_NS;

    if (!has_passed(port))
        return false;
    if (port->kind == PORT_CONNECTION)
        return search_roster(thread, port, before);
    atomic_store_explicit(&port->doubt.set, 0, memory_order_relaxed);
    return search_connection(port->connection, before);
}
