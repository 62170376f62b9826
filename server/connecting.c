/*
 * How a connection comes about
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "connecting.h"

#include "communication_port.h"
#include "death.h"
#include "sharing.h"
#include "state.h"
#include "sweep.h"

#include "ntalpc/nt.h"

#include <stdlib.h>

#define HEADER_SIZE sizeof(PORT_MESSAGE)

static const struct cell_actor nobody;

static NTSTATUS check_lengths(uint16_t data_length, uint16_t total_length)
{
    return total_length < HEADER_SIZE || data_length > total_length - HEADER_SIZE ? STATUS_INVALID_PARAMETER
                                                                                  : STATUS_SUCCESS;
}

static bool is_pending(const struct connection *connection)
{
    return atomic_load(&connection_entry(connection)->state) == ROSTER_PENDING;
}

/* ---------------------------------------------------------------------------------------------- connecting */

static void enter_roster(struct connection *connection)
{
    struct roster_entry *entry = connection_entry(connection);

    atomic_store(&entry->port_context, 0);
    atomic_store(&entry->state, ROSTER_PENDING);
    atomic_store(&entry->generation, connection->generation);
}

static NTSTATUS open_connection(struct connection *connection, const struct connect_request *request)
{
    const struct server_message message = { .type = LPC_CONNECTION_REQUEST,
                                            .flags = request->sync ? CELL_SYNC : 0,
                                            .thread = request->thread,
                                            .data_length = request->data_length,
                                            .total_length = request->total_length,
                                            .data = request->message };
    struct channel_header *header = connection->channel.header;
    uint32_t number;
    NTSTATUS status;

    if ((status = sharing_add(connection, END_CLIENT, request->process, &number)) ||
        (status = sharing_add(connection, END_SERVER, connection->roster->owner, &number)))
        return status;
    if (!connection_write_cell(connection, CELL_CONNECT, &message))
        return STATUS_INSUFFICIENT_RESOURCES;
    atomic_store(&header->connect.sequence, 1);
    atomic_store(&header->max_message, connection->max_message);
    if ((status = communication_port_create(connection, END_CLIENT, request->process, &request->attributes)))
        return status;
    enter_roster(connection);
    return STATUS_SUCCESS;
}

NTSTATUS connecting_begin(struct roster *roster, uint32_t max_message, const struct connect_request *request,
                          struct connection **result)
{
    const struct cell_actor actor = { .thread = request->thread };
    struct connection *connection;
    uint32_t limit, gen;
    NTSTATUS status;

    if ((status = check_lengths(request->data_length, request->total_length)))
        return status;
    if (!port_max_message(request->attributes.max_message, &limit))
        return STATUS_INVALID_PARAMETER;
    limit = limit < max_message ? limit : max_message;
    if (request->total_length > limit)
        return STATUS_PORT_MESSAGE_TOO_LONG;
    if (roster->count == ROSTER_SIZE - 1)
        connections_reap();
    if ((status = connection_new(roster, &connection)))
        return status;
    connection->client_thread = request->thread;
    connection->max_message = limit;
    if ((status = open_connection(connection, request)))
    {
        connection_free(connection);
        return status;
    }
    gen = cell_send(&connection->channel.header->connect, CELL_QUEUED + END_SERVER, actor);
    sweep_announce(connection, END_SERVER, CELL_CONNECT, gen);
    port_changed(connection->end[END_CLIENT]);
    connection_changed(connection);
    *result = connection;
    return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- answering */

/* the connection whose request has this id, for its receiver to answer */
static NTSTATUS find_request(const struct roster *roster, const struct accept_request *request,
                             struct connection **result)
{
    struct connection *connection = roster_connection(roster, MESSAGE_SLOT(request->message_id));
    struct cell *cell;
    uint64_t state;

    if (!connection || MESSAGE_CELL(request->message_id) != CELL_CONNECT || !is_pending(connection))
        return STATUS_INVALID_MESSAGE;
    cell = &connection->channel.header->connect;
    state = cell_state(cell);
    if (MESSAGE_ID(connection->slot, CELL_CONNECT, cell_gen(state)) != request->message_id ||
        (request->callback_id && request->callback_id != atomic_load(&cell->sequence)))
        return STATUS_INVALID_MESSAGE;
    if (cell_phase(state) == CELL_CANCELED + END_SERVER)
    {
        /* the client has gone; with this its server knows, and the request is forgotten */
        cell_free(cell);
        connection_reap(connection);
        return STATUS_REQUEST_CANCELED;
    }
    if (cell_phase(state) != CELL_HELD + END_SERVER)
        return STATUS_INVALID_MESSAGE;
    *result = connection;
    return STATUS_SUCCESS;
}

/* sends the connection reply, or what comes with a refusal, from whatever has become of the request */
static void answer_request(struct connection *connection, bool accepted)
{
    struct cell *cell = &connection->channel.header->connect;
    uint64_t state = cell_state(cell);

    if (atomic_load(&cell->flags) & CELL_SYNC)
        cell_pass(cell, cell_gen(state), cell_phase(state), CELL_ANSWER + END_CLIENT, nobody);
    else if (!accepted)
        cell_free(cell);
    else if (cell_claim(cell, cell_gen(state), CELL_HELD + END_SERVER, CELL_QUEUED + END_CLIENT, nobody))
        sweep_announce(connection, END_CLIENT, CELL_CONNECT, cell_gen(state));
}

/* the request has its answer, which is no; a client that sees that it was refused looks for no more */
static void refuse(struct connection *connection)
{
    connection_leave_roster(connection);
    answer_request(connection, false);
    connection_set_stage(connection, LINK_REFUSED);
    queue_close(&connection->channel.client_queue);
    sweep_wake_waiting(connection);
    connection_changed(connection);
}

static void finish_accepting(struct connection *connection, bool answered)
{
    struct roster_entry *entry = connection_entry(connection);

    atomic_store(&connection->channel.header->max_message, connection->max_message);
    atomic_store(&entry->port_context, connection->context);
    atomic_store(&entry->state, ROSTER_CONNECTED);
    connection_set_stage(connection, LINK_ACCEPTING);
    if (!answered)
        answer_request(connection, true);
    sweep_move_all(connection, END_CLIENT, PHASE(CELL_EARLY), CELL_QUEUED + END_SERVER, END_SERVER);
    connection_set_stage(connection, LINK_CONNECTED);
    connection->accepting = false;
    connection_changed(connection);
}

/* from here on it is accepted, whatever happens to this alpcserver */
static void accept_connection(struct connection *connection, const struct accept_request *request)
{
    connection->accepting = true;
    connection->context = request->context;
    connection->accepted = request->message_id;
    port_changed(connection->end[END_SERVER]);
    connection_changed(connection);
    state_commit();
    finish_accepting(connection, false);
}

/* the program has not got the answer of an alpcserver that was killed, and asks again */
static struct connection *accepted_before(const struct roster *roster, const struct accept_request *request)
{
    struct connection *connection = roster_connection(roster, MESSAGE_SLOT(request->message_id));

    if (!request->accept || !connection || !connection->end[END_SERVER] || connection->accepted != request->message_id)
        return NULL;
    return connection->end[END_SERVER]->handle_fd != -1 ? connection : NULL;
}

NTSTATUS connecting_answer(struct roster *roster, const struct accept_request *request, struct connection **result)
{
    struct server_message message = { .type = LPC_CONNECTION_REPLY,
                                      .flags = request->accept ? 0 : CELL_REFUSED,
                                      .thread = request->thread,
                                      .data_length = request->data_length,
                                      .total_length = request->total_length,
                                      .data = request->message };
    struct connection *connection;
    uint32_t limit;
    NTSTATUS status;

    if ((*result = accepted_before(roster, request)))
        return STATUS_SUCCESS;
    if ((status = check_lengths(request->data_length, request->total_length)) ||
        (status = find_request(roster, request, &connection)))
        return status;
    if (!port_max_message(request->attributes.max_message, &limit))
        return STATUS_INVALID_PARAMETER;
    limit = limit < connection->max_message ? limit : connection->max_message;
    if (request->total_length > limit)
        return STATUS_PORT_MESSAGE_TOO_LONG;
    if (request->accept &&
        (status = communication_port_create(connection, END_SERVER, request->process, &request->attributes)))
        return status;
    message.flags |= atomic_load(&connection->channel.header->connect.flags) & CELL_SYNC;
    if (!connection_write_cell(connection, CELL_CONNECT, &message))
    {
        communication_port_abandon(connection, END_SERVER);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *result = request->accept ? connection : NULL;
    if (request->accept)
    {
        connection->max_message = limit;
        accept_connection(connection, request);
    }
    else
    {
        refuse(connection);
        connection_reap(connection);
    }
    return STATUS_SUCCESS;
}

/* no answer to the connection request will come [7, 7] */
static void refuse_unanswered(struct connection *connection)
{
    const struct server_message nothing = {
        .type = LPC_CONNECTION_REPLY,
        .flags = (atomic_load(&connection->channel.header->connect.flags) & CELL_SYNC) | CELL_REFUSED,
        .total_length = HEADER_SIZE,
    };

    connection_write_cell(connection, CELL_CONNECT, &nothing);
    refuse(connection);
    connection_reap(connection);
}

void connecting_refuse_all(struct roster *roster)
{
    uint32_t slot;

    for (slot = 1; slot < ROSTER_SIZE; slot++)
        if (roster->connections[slot] && is_pending(roster->connections[slot]))
            refuse_unanswered(roster->connections[slot]);
}

void connecting_end_all(struct roster *roster)
{
    uint32_t slot;

    queue_close(&roster->queue);
    connecting_refuse_all(roster);
    for (slot = 1; slot < ROSTER_SIZE && roster->count; slot++)
    {
        struct connection *connection = roster->connections[slot];

        if (!connection)
            continue;
        connection_leave_roster(connection);
        death_of_end(connection, END_SERVER, 0);
        connection_reap(connection);
    }
}

void connecting_resume(struct connection *connection)
{
    const struct cell *request = &connection->channel.header->connect;

    if (connection->accepting && connection->roster && connection->end[END_SERVER])
        finish_accepting(connection, cell_phase(cell_state(request)) != CELL_HELD + END_SERVER);
    else if (!connection->roster && (connection->stage & LINK_STAGE_MASK) == LINK_CONNECTING)
        refuse(connection);
}
