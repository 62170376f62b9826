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
    uint32_t gen = (cell_gen(cell_state(cell)) + 1) & CELL_GEN_MASK;
    const uint64_t id = MESSAGE_ID(connection->slot, CELL_CLOSED, gen);
    const struct server_message message = { .type = LPC_PORT_CLOSED,
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
    connection->closed_gen = gen;
    connection->closed_told = true;
    connection_changed(connection);
    state_commit();
    connection_write_cell(connection, CELL_CLOSED, &message);
    gen = cell_send(cell, CELL_QUEUED + END_SERVER, nobody);
    sweep_announce(connection, END_SERVER, CELL_CLOSED, gen);
}

/* a server that has not seen the request never learns of it; it may be receiving it just now */
static void withdraw_request(struct connection *connection)
{
    struct cell *request = &connection->channel.header->connect;
    int tries;

    for (tries = 0; tries < 3; tries++)
    {
        uint32_t gen = cell_gen(cell_state(request));

        if (cell_claim(request, gen, CELL_QUEUED + END_SERVER, CELL_FREE, nobody) ||
            cell_claim(request, gen, CELL_ANSWERING + END_SERVER, CELL_ABANDONED + END_SERVER, nobody))
            return;
        if (cell_claim(request, gen, CELL_HELD + END_SERVER, CELL_CANCELED + END_SERVER, nobody))
        {
            sweep_announce(connection, END_SERVER, CELL_CONNECT, gen);
            return;
        }
    }
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
        sweep_move_all(connection, END_CLIENT, PHASE(CELL_EARLY), CELL_FREE, -1);
        withdraw_request(connection);
        return;
    }
    atomic_store(&connection_entry(connection)->state, ROSTER_CLOSED);
    sweep_move_all(connection, END_CLIENT, PHASE(CELL_QUEUED + END_SERVER), CELL_QUEUED + END_SERVER, END_SERVER);
    held = sweep_list(connection, END_CLIENT, PHASE(CELL_HELD + END_SERVER) | PHASE(CELL_SPENT));
    if (flags & ALPC_DISCONNECTFLG_NO_FLUSH_ON_CLOSE)
        held.count = 0;
    sweep_move(connection, &held, 0, 1, CELL_CANCELED + END_SERVER, END_SERVER);
    tell_closed(connection);
    sweep_move(connection, &held, 1, held.count, CELL_CANCELED + END_SERVER, END_SERVER);
    free(held.messages);
}

/* the server has no use for what the client sent; what the client holds of the server's is canceled */
static void server_gone(struct connection *connection, uint32_t flags)
{
    const unsigned int at_server = PHASE(CELL_QUEUED + END_SERVER) | PHASE(CELL_HELD + END_SERVER) |
                                   PHASE(CELL_CANCELED + END_SERVER) | PHASE(CELL_SPENT);

    if (connection->roster)
        atomic_store(&connection_entry(connection)->state, ROSTER_FREE);
    sweep_move_all(connection, END_CLIENT, at_server, CELL_FREE, -1);
    if (!(flags & ALPC_DISCONNECTFLG_NO_FLUSH_ON_CLOSE))
        sweep_move_all(connection, END_SERVER, PHASE(CELL_HELD + END_CLIENT) | PHASE(CELL_SPENT),
                       CELL_CANCELED + END_CLIENT, END_CLIENT);
    cell_free(&connection->channel.header->closed);
}

static void end_gone(struct connection *connection, enum alpc_end end, uint32_t bits, uint32_t flags)
{
    bool known = connection->stage & LINK_GONE(end);

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
