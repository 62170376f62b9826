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

static void enter_roster(struct connection *connection, const struct token *token)
{
    struct roster_entry *entry = connection_entry(connection);

    atomic_store(&entry->token_id, token->wire->token_id);
    atomic_store(&entry->authentication_id, token->wire->authentication_id);
    atomic_store(&entry->modified_id, token->wire->modified_id);
    atomic_store(&entry->port_context, 0);
    atomic_store(&entry->state, ROSTER_PENDING);
    atomic_store(&entry->generation, connection->generation);
}

/* MaxMessageLength counts the header, programs of both pointer sizes share the channel */
static void set_limit(struct connection *connection)
{
    atomic_store(&connection->channel.header->max_payload, connection->max_message - HEADER_SIZE);
}

static NTSTATUS open_connection(struct connection *connection, const struct connect_request *request)
{
    const struct server_message message = { .flags = request->sync ? CONTENT_SYNC : 0,
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
    if (!connection_write_request(connection, CELL_CONNECT, &message))
        return STATUS_INSUFFICIENT_RESOURCES;
    atomic_store(&header->connect.sequence, 1);
    set_limit(connection);
    if ((status = communication_port_create(connection, END_CLIENT, request->process, &request->attributes)))
        return status;
    enter_roster(connection, request->token);
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
    gen = cell_set_message(&connection->channel.header->connect, actor);
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
    struct connection *connection = roster_connection(roster, message_slot(request->message_id));
    struct cell *cell;
    uint64_t state;

    if (!connection || message_cell(request->message_id) != CELL_CONNECT || !is_pending(connection))
        return STATUS_INVALID_MESSAGE;
    cell = &connection->channel.header->connect;
    state = cell_state(cell);
    if (channel_message_id(&connection->channel, CELL_CONNECT, cell_gen(state)) != request->message_id ||
        (request->callback_id && request->callback_id != atomic_load(&cell->sequence)))
        return STATUS_INVALID_MESSAGE;
    if (cell_phase(state) == CELL_CANCELED + END_SERVER || cell_phase(state) == CELL_VOID)
    {
        /* the client has gone; with this its server knows, and the request is forgotten */
        cell_step(&connection->channel, CELL_CONNECT, cell, &state, EVENT_DONE, nobody);
        connection_reap(connection);
        return STATUS_REQUEST_CANCELED;
    }
    if (cell_phase(state) != CELL_HELD + END_SERVER)
        return STATUS_INVALID_MESSAGE;
    *result = connection;
    return STATUS_SUCCESS;
}

/* sends the connection reply, or what comes with a refusal, whatever has become of the request */
static void answer_request(struct connection *connection, bool accepted)
{
    struct cell *cell = &connection->channel.header->connect;

    if (atomic_load(&cell->request.flags) & CONTENT_SYNC)
        cell_set_answer(cell, CELL_ANSWER + END_CLIENT);
    else if (!accepted)
        cell_set_answer(cell, CELL_FREE);
    else
        sweep_announce(connection, END_CLIENT, CELL_CONNECT, cell_set_answer(cell, CELL_QUEUED + END_CLIENT));
}

/* the connection is over before it began; a client that sees that looks for no more */
static void end_unaccepted(struct connection *connection, uint32_t stage)
{
    connection_set_stage(connection, stage);
    queue_close(&connection->channel.client_queue);
    sweep_wake_waiting(connection);
}

static void refuse(struct connection *connection)
{
    connection_leave_roster(connection);
    answer_request(connection, false);
    end_unaccepted(connection, LINK_REFUSED);
    connection_changed(connection);
}

static void finish_accepting(struct connection *connection, bool answered)
{
    struct roster_entry *entry = connection_entry(connection);

    set_limit(connection);
    atomic_store(&entry->port_context, connection->context);
    atomic_store(&entry->state, ROSTER_CONNECTED);
    connection_set_stage(connection, LINK_ACCEPTING);
    if (!answered)
        answer_request(connection, true);
    sweep_step_all(connection, END_CLIENT, EVENT_ADMIT + END_SERVER, END_SERVER);
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
    struct connection *connection = roster_connection(roster, message_slot(request->message_id));

    if (!request->accept || !connection || !connection->end[END_SERVER] || connection->accepted != request->message_id)
        return NULL;
    return connection->end[END_SERVER]->handle_fd != -1 ? connection : NULL;
}

NTSTATUS connecting_answer(struct roster *roster, const struct accept_request *request, struct connection **result)
{
    struct server_message message = { .flags = CONTENT_RELEASE | (request->accept ? 0 : CONTENT_REFUSED),
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
    if (!connection_write_answer(connection, CELL_CONNECT, &message))
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

/* no answer to the connection request will come: it is refused [7, 7 and 39] */
static void refuse_unanswered(struct connection *connection)
{
    const struct server_message nothing = { .flags = CONTENT_RELEASE | CONTENT_REFUSED, .total_length = HEADER_SIZE };

    connection_write_answer(connection, CELL_CONNECT, &nothing);
    refuse(connection);
    connection_reap(connection);
}

/* the same when the connection port goes: who does not wait is told that the request is canceled [4.3] */
static void forsake(struct connection *connection)
{
    struct cell *cell = &connection->channel.header->connect;

    if (atomic_load(&cell->request.flags) & CONTENT_SYNC)
    {
        refuse_unanswered(connection);
        return;
    }
    connection_leave_roster(connection);
    sweep_announce(connection, END_CLIENT, CELL_CONNECT, cell_set_answer(cell, CELL_CANCELED + END_CLIENT));
    end_unaccepted(connection, LINK_REFUSED | LINK_FORSAKEN);
    connection_reap(connection);
}

static void end_pending(struct roster *roster, void (*end)(struct connection *connection))
{
    uint32_t slot;

    for (slot = 1; slot < ROSTER_SIZE && roster->count; slot++)
        if (roster->connections[slot] && is_pending(roster->connections[slot]))
            end(roster->connections[slot]);
}

void connecting_refuse_all(struct roster *roster)
{
    end_pending(roster, refuse_unanswered);
}

void connecting_end_all(struct roster *roster)
{
    uint32_t slot;

    queue_close(&roster->queue);
    end_pending(roster, forsake);
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
