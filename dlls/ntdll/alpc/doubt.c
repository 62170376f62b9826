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

/* what was sent before a lie was met stands before the queue's tail a moment later, or is lost */
enum doubt_stage
{
    DOUBT_NONE,
    DOUBT_BEGUN,   /* the moment has to pass */
    DOUBT_MEASURED /* the head has to come to where the tail was */
};

void doubt_begin(struct port *port)
{
    struct doubt *doubt = &port->doubt;

    /* while one search goes on the next one waits */
    atomic_store(&doubt->again, 1);
    if (atomic_load(&doubt->stage) != DOUBT_NONE)
        return;
    atomic_store(&doubt->time, coarse_ns());
    atomic_store(&doubt->slot, 1);
    atomic_store(&doubt->again, 0);
    atomic_store(&doubt->stage, DOUBT_BEGUN);
}

static void doubt_end(struct port *port)
{
    atomic_store(&port->doubt.stage, DOUBT_NONE);
    if (atomic_exchange(&port->doubt.again, 0))
        doubt_begin(port);
}

/* whether everything that was announced before the doubt has been received */
static bool has_passed(struct port *port)
{
    struct doubt *doubt = &port->doubt;

    if (atomic_load(&doubt->stage) == DOUBT_BEGUN)
    {
        if (coarse_ns() - atomic_load(&doubt->time) < SLACK_NS)
            return false;
        atomic_store(&doubt->position, queue_head(port->queue) + queue_length(port->queue));
        atomic_store(&doubt->stage, DOUBT_MEASURED);
    }
    return queue_head(port->queue) - atomic_load(&doubt->position) <= INT64_MAX;
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
        doubt_end(port);
    return found;
}

bool doubt_search(struct thread *thread, struct port *port)
{
    uint64_t before = atomic_load_explicit(&port->doubt.time, memory_order_relaxed);
    bool found;

    if (!has_passed(port))
        return false;
    if (port->kind == PORT_CONNECTION)
        return search_roster(thread, port, before);
    found = search_connection(port->connection, before);
    doubt_end(port);
    return found;
}
