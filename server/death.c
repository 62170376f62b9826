/*
 * The ends of a connection go
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "death.h"

#include "state.h"
#include "sweep.h"

#include "ntalpc/nt.h"

#include <stdlib.h>

#define HEADER_SIZE sizeof(PORT_MESSAGE)

static const struct cell_actor nobody;

/* a server that was killed has told it, if not everybody else */
static bool is_told(const struct connection *connection, const struct cell *cell)
{
    uint64_t state = cell_state(cell);

    return connection->closed_told && cell_gen(state) == connection->closed_gen;
}

/* the last message of a client */
static void tell_closed(struct connection *connection)
{
    struct cell *cell = &connection->channel.header->closed;
    const uint64_t id = channel_message_id(&connection->channel, CELL_CLOSED, cell_gen(cell_state(cell)) + 1);
    const struct server_message message = { .flags = CONTENT_RELEASE,
                                            .thread = connection->client_thread,
                                            .data_length = sizeof(id),
                                            .total_length = HEADER_SIZE + sizeof(id),
                                            .data = &id };

    if (is_told(connection, cell))
    {
        if (cell_phase(cell_state(cell)) == CELL_QUEUED + END_SERVER)
            sweep_announce(connection, END_SERVER, CELL_CLOSED, connection->closed_gen);
        return;
    }
    connection->closed_gen = (cell_gen(cell_state(cell)) + 1) & CELL_GEN_MASK;
    connection->closed_told = true;
    connection_changed(connection);
    state_commit();
    connection_write_request(connection, CELL_CLOSED, &message);
    sweep_announce(connection, END_SERVER, CELL_CLOSED, cell_set_message(cell, nobody));
}

/* a server that has not seen the request never learns of it; it may be receiving it just now */
static void withdraw_request(struct connection *connection)
{
    struct cell *request = &connection->channel.header->connect;
    uint64_t state = cell_state(request);
    int tries;

    for (tries = 0; tries < 3; tries++)
        if (cell_step(&connection->channel, CELL_CONNECT, request, &state, EVENT_GIVE_UP, nobody))
            break;
    if (cell_phase(state) == CELL_CANCELED + END_SERVER)
        sweep_announce(connection, END_SERVER, CELL_CONNECT, cell_gen(state));
}

/*
 * [4.11] What the client sent and the server has not received comes first, as canceled messages.  Of what the server
 * holds the first is told before the notice that the client has gone and the others after it: so it was recorded.
 */
static void client_gone(struct connection *connection, uint32_t flags)
{
    struct message_list held;

    if (!connection->roster || connection->stage & LINK_SERVER_GONE)
        return;
    if (atomic_load(&connection_entry(connection)->state) == ROSTER_PENDING)
    {
        sweep_step_all(connection, END_CLIENT, EVENT_GIVE_UP, -1);
        withdraw_request(connection);
        return;
    }
    atomic_store(&connection_entry(connection)->state, ROSTER_CLOSED);
    sweep_announce_missing(connection, END_SERVER);
    held = sweep_list(connection, END_CLIENT, EVENT_CANCEL + END_SERVER);
    if (flags & ALPC_DISCONNECTFLG_NO_FLUSH_ON_CLOSE)
        held.count = 0;
    sweep_step(connection, &held, 0, 1, END_SERVER);
    tell_closed(connection);
    sweep_step(connection, &held, 1, held.count, END_SERVER);
    free(held.messages);
}

/* the server has no use for what the client sent; what the client holds of the server's is canceled */
static void server_gone(struct connection *connection, uint32_t flags)
{
    struct cell *closed = &connection->channel.header->closed;
    uint64_t state = cell_state(closed);

    if (connection->roster)
        atomic_store(&connection_entry(connection)->state, ROSTER_FREE);
    connection_map_far(connection);
    cell_unannounce(&connection->channel, END_SERVER);
    connection_unmap_far(connection);
    sweep_step_all(connection, END_CLIENT, EVENT_LOSE + END_SERVER, -1);
    sweep_announce_missing(connection, END_CLIENT);
    if (!(flags & ALPC_DISCONNECTFLG_NO_FLUSH_ON_CLOSE))
        sweep_step_all(connection, END_SERVER, EVENT_CANCEL + END_CLIENT, END_CLIENT);
    cell_step(&connection->channel, CELL_CLOSED, closed, &state, EVENT_LOSE + END_SERVER, nobody);
}

static void end_gone(struct connection *connection, enum alpc_end end, uint32_t bits, uint32_t flags)
{
    bool known = connection->stage & LINK_GONE(end);

    if (!known)
    {
        connection_map_far(connection);
        cell_hand_over(&connection->channel, other_end(end));
        connection_unmap_far(connection);
    }
    connection->dying = known ? 0 : LINK_GONE(end);
    connection_set_link(connection, 0, bits);
    if (!known && end == END_CLIENT)
        client_gone(connection, flags);
    else if (!known)
        server_gone(connection, flags);
    queue_close(&connection->channel.client_queue);
    sweep_wake_waiting(connection);
    connection->dying = 0;
    connection_changed(connection);
}

void death_of_end(struct connection *connection, enum alpc_end end, uint32_t flags)
{
    end_gone(connection, end, LINK_GONE(end), flags);
}

void death_of_port(struct connection *connection, enum alpc_end end)
{
    end_gone(connection, end, LINK_GONE(end) | LINK_CLOSED(end), 0);
    connection->end[end] = NULL;
    connection_reap(connection);
}

void death_resume(struct connection *connection)
{
    uint32_t stage = connection->stage & LINK_STAGE_MASK;
    /* an end that has not closed has its port, and the server's the roster too once it has been accepted */
    bool lost[2] = { !connection->end[END_CLIENT],
                     stage == LINK_CONNECTED && (!connection->roster || !connection->end[END_SERVER]) };
    enum alpc_end end;

    for (end = END_CLIENT; end <= END_SERVER; end++)
        if (lost[end] && !(connection->stage & LINK_GONE(end)))
            death_of_end(connection, end, 0);
    connection_reap(connection);
}
