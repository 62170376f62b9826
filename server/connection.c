/*
 * Connections
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "connection.h"

#include "server.h"

#include "ntalpc/nt.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HEADER_SIZE sizeof(PORT_MESSAGE)
#define RETRY_MS 10

static struct connection *connections;
static uint64_t last_id;
static const struct cell_actor nobody;

/* ---------------------------------------------------------------------------------------------- announcing */

static enum alpc_end other(enum alpc_end end)
{
    return end == END_CLIENT ? END_SERVER : END_CLIENT;
}

static struct event *retry;

static void retry_soon(void)
{
    static const struct timeval delay = { .tv_usec = RETRY_MS * 1000 };

    if (!evtimer_pending(retry, NULL))
        evtimer_add(retry, &delay);
}

/*
 * Tells an end of a message in a cell.  When its queue is full that is done again later: announcing a message twice does
 * no harm, for its state decides what is received.  Until then no other is tried: it would overtake, and a queue that
 * a program has damaged takes long to walk through.
 */
static void announce(struct connection *connection, enum alpc_end end, uint32_t cell, uint32_t gen)
{
    struct queue *queue = &connection->channel.client_queue;
    struct queue_entry entry = { .cell = cell, .gen = gen };

    if (connection->unannounced[end])
        return;
    if (end == END_SERVER)
    {
        if (!connection->server_port)
            return;
        queue = &connection->server_port->queue;
        entry.slot = connection->slot;
    }
    if (queue_put(queue, entry))
        queue_ring(queue);
    else
    {
        connection->unannounced[end] = true;
        retry_soon();
    }
}

/* ---------------------------------------------------------------------------------------------- cells */

bool connection_map_far(struct connection *connection)
{
    const struct channel *channel = &connection->channel;

    if (channel->far ||
        (channel_peak(channel, END_CLIENT) <= CELL_NEAR && channel_peak(channel, END_SERVER) <= CELL_NEAR))
        return true;
    return channel_map_far(&connection->channel, connection->fd);
}

void connection_unmap_far(struct connection *connection)
{
    channel_unmap_far(&connection->channel);
}

typedef void (*cell_visitor)(struct connection *connection, uint32_t id, struct cell *cell, uint64_t state, void *arg);

/* calls visit for every cell in use of one end's table */
static void for_each_cell(struct connection *connection, enum alpc_end owner, cell_visitor visit, void *arg)
{
    uint32_t index, peak = channel_peak(&connection->channel, owner);

    if (!connection_map_far(connection))
        peak = peak < CELL_NEAR ? peak : CELL_NEAR;
    for (index = 0; index < peak; index++)
    {
        /* the peak is the program's to write: what it said when the far part was mapped, or not, may be another */
        struct cell *cell = channel_cell(&connection->channel, CELL_ID(owner, index));
        uint64_t state = cell ? cell_state(cell) : CELL_FREE;

        if (cell_phase(state) != CELL_FREE || state & CELL_WAITING)
            visit(connection, CELL_ID(owner, index), cell, state, arg);
    }
    connection_unmap_far(connection);
}

struct message_list
{
    struct message
    {
        uint32_t sequence, cell, gen;
        uint32_t age; /* messages sent since */
    } *messages;
    size_t count, room;
    unsigned int phases; /* mask: which cells to list */
};

static void list_message(struct connection *connection, uint32_t id, struct cell *cell, uint64_t state, void *arg)
{
    struct message_list *list = arg;

    (void)connection;
    if (!(list->phases & 1u << cell_phase(state)))
        return;
    if (list->count == list->room)
    {
        size_t room = list->room ? list->room * 2 : 64;
        struct message *messages = realloc(list->messages, room * sizeof(*messages));

        if (!messages)
            return;
        list->messages = messages;
        list->room = room;
    }
    list->messages[list->count++] = (struct message){
        .sequence = atomic_load_explicit(&cell->sequence, memory_order_relaxed), .cell = id, .gen = cell_gen(state)
    };
}

/* the oldest first; an order whatever the numbers are, for a program may have written anything there */
static int by_age(const void *a, const void *b)
{
    uint32_t age = ((const struct message *)a)->age, other_age = ((const struct message *)b)->age;

    return age > other_age ? -1 : age < other_age;
}

/* lists the cells of one end's table that are in one of the phases, in the order of sending; the caller frees .messages */
static struct message_list list_messages(struct connection *connection, enum alpc_end owner, unsigned int phases)
{
    struct message_list list = { .phases = phases };
    uint32_t now;
    size_t i;

    for_each_cell(connection, owner, list_message, &list);
    now = atomic_load(&connection->channel.header->end[owner].sequence);
    for (i = 0; i < list.count; i++)
        list.messages[i].age = now - list.messages[i].sequence;
    if (list.count)
        qsort(list.messages, list.count, sizeof(*list.messages), by_age);
    return list;
}

#define PHASE(phase) (1u << (phase))

/* moves the cells of a list from one phase to another; announces those that made it to the end given, if any */
static void move_messages(struct connection *connection, const struct message_list *list, size_t first, size_t last,
                          enum cell_phase to, int announce_to)
{
    size_t i;

    connection_map_far(connection);
    for (i = first; i < last && i < list->count; i++)
    {
        const struct message *message = &list->messages[i];
        struct cell *cell = channel_cell(&connection->channel, message->cell);
        uint64_t state = cell ? cell_state(cell) : 0;

        if (!cell || cell_gen(state) != message->gen || !(list->phases & PHASE(cell_phase(state))))
            continue;
        /* a thread may be waiting for the answer to what is freed */
        if (to == CELL_FREE)
            cell_pass(cell, message->gen, cell_phase(state), to, nobody);
        else if (cell_claim(cell, message->gen, cell_phase(state), to, cell_actor(state)) && announce_to >= 0)
            announce(connection, (enum alpc_end)announce_to, message->cell, message->gen);
    }
    connection_unmap_far(connection);
}

static void move_all(struct connection *connection, enum alpc_end owner, unsigned int phases, enum cell_phase to,
                     int announce_to)
{
    struct message_list list = list_messages(connection, owner, phases);

    move_messages(connection, &list, 0, list.count, to, announce_to);
    free(list.messages);
}

static void announce_again(struct connection *connection, enum alpc_end end, uint32_t id)
{
    uint64_t state = cell_state(channel_cell(&connection->channel, id));

    if (cell_phase(state) == CELL_QUEUED + end || cell_phase(state) == CELL_CANCELED + end)
        announce(connection, end, id, cell_gen(state));
}

/* announces again what waits for an end */
static void announce_all(struct connection *connection, enum alpc_end end)
{
    enum alpc_end owner;

    announce_again(connection, end, CELL_CONNECT);
    for (owner = END_CLIENT; owner <= END_SERVER; owner++)
    {
        move_all(connection, owner, PHASE(CELL_QUEUED + end), CELL_QUEUED + end, (int)end);
        move_all(connection, owner, PHASE(CELL_CANCELED + end), CELL_CANCELED + end, (int)end);
    }
    announce_again(connection, end, CELL_CLOSED);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct connection *connection;
    enum alpc_end end;

    (void)fd, (void)what, (void)arg;
    for (connection = connections; connection; connection = connection->next)
        for (end = END_CLIENT; end <= END_SERVER; end++)
            if (connection->unannounced[end])
            {
                connection->unannounced[end] = false;
                announce_all(connection, end);
            }
}

static void store(_Atomic uint32_t *field, uint32_t value)
{
    atomic_store_explicit(field, value, memory_order_relaxed);
}

/* what the server itself writes into a cell */
struct server_message
{
    uint32_t type, flags, thread, process;
    uint16_t data_length, total_length;
    const void *data;
};

static bool write_cell(struct connection *connection, uint32_t id, const struct server_message *message)
{
    struct cell *cell = channel_cell(&connection->channel, id);
    size_t size = message->total_length - HEADER_SIZE;
    struct timespec now;

    if (size <= CELL_INLINE_SIZE)
    {
        if (size)
            memcpy(cell->data, message->data, size);
    }
    else if (pwrite(connection->fd, message->data, size, (off_t)channel_window_offset(id)) != (ssize_t)size)
        return false;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    store(&cell->length, message->data_length | (uint32_t)message->total_length << 16);
    store(&cell->type, message->type);
    store(&cell->flags, message->flags);
    store(&cell->author, message->thread);
    store(&cell->requester, message->thread);
    store(&cell->process, message->process);
    atomic_store_explicit(&cell->time, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec, memory_order_relaxed);
    return true;
}

/* ---------------------------------------------------------------------------------------------- lifetime */

static struct roster_entry *roster_of(const struct connection *connection)
{
    return &connection->server_port->roster[connection->slot];
}

/* The clients could write the link in the channel: only the server's own copy is believed. */
static void set_link(struct connection *connection, uint32_t clear, uint32_t set)
{
    _Atomic uint32_t *link = &connection->channel.header->link;

    connection->stage = (connection->stage & ~clear) | set;
    atomic_store(link, connection->stage | (atomic_load(link) & LINK_CLOSED_TOLD));
    futex_wake(link, INT_MAX);
}

static void set_stage(struct connection *connection, uint32_t stage)
{
    set_link(connection, LINK_STAGE_MASK, stage);
}

static uint32_t find_slot(struct port *server_port)
{
    uint32_t slot;

    for (slot = server_port->first_free; slot < ROSTER_SIZE; slot++)
        if (!server_port->connections[slot])
            break;
    server_port->first_free = slot;
    return slot;
}

/* the connection port has nothing more to do with the connection */
static void release_slot(struct connection *connection)
{
    struct port *server_port = connection->server_port;

    if (!server_port)
        return;
    store(&roster_of(connection)->state, ROSTER_FREE);
    atomic_fetch_add(&roster_of(connection)->generation, 1);
    server_port->connections[connection->slot] = NULL;
    server_port->connection_count--;
    if (connection->slot < server_port->first_free)
        server_port->first_free = connection->slot;
    connection->server_port = NULL;
}

static void connection_free(struct connection *connection)
{
    enum alpc_end end;
    unsigned int i;

    release_slot(connection);
    if (connection->link)
        *connection->link = connection->next;
    if (connection->link && connection->next)
        connection->next->link = connection->link;
    for (end = END_CLIENT; end <= END_SERVER; end++)
        for (i = 0; i < ROSTER_PROCESSES; i++)
            process_unref(connection->processes[end][i]);
    channel_unmap(&connection->channel);
    if (connection->fd != -1)
        close(connection->fd);
    free(connection);
}

/* whether messages wait that only this connection's cells hold */
static bool has_notices(const struct connection *connection)
{
    return cell_phase(cell_state(&connection->channel.header->connect)) == CELL_CANCELED + END_SERVER;
}

static void reap(struct connection *connection)
{
    if (connection->end[END_CLIENT] || connection->end[END_SERVER])
        return;
    /* a request that was received, but neither accepted nor refused */
    if (connection->server_port && atomic_load(&roster_of(connection)->state) == ROSTER_PENDING &&
        has_notices(connection))
        return;
    connection_free(connection);
}

void connections_reap(void)
{
    struct connection *connection, *next;

    for (connection = connections; connection; connection = next)
    {
        next = connection->next;
        reap(connection);
    }
}

void connections_end(void)
{
    connections_reap();
    if (retry)
        event_free(retry);
    retry = NULL;
}

struct connection *connection_first(void)
{
    return connections;
}

/* ---------------------------------------------------------------------------------------------- connecting */

static NTSTATUS check_lengths(uint16_t data_length, uint16_t total_length)
{
    return total_length < HEADER_SIZE || data_length > total_length - HEADER_SIZE ? STATUS_INVALID_PARAMETER
                                                                                  : STATUS_SUCCESS;
}

static NTSTATUS make_channel(struct connection *connection)
{
    connection->fd = channel_create(connection->id);
    if (connection->fd == -1 || !channel_map(&connection->channel, connection->fd, false))
        return STATUS_INSUFFICIENT_RESOURCES;
    return STATUS_SUCCESS;
}

/* undoes the creation of a port that no one has seen yet */
static void abandon_port(struct connection *connection, enum alpc_end end)
{
    struct port *port = connection->end[end];

    if (!port)
        return;
    connection->end[end] = NULL;
    port->connection = NULL;
    port_destroy(port);
}

static void enter_roster(struct connection *connection, const struct connect_request *request)
{
    struct roster_entry *entry = roster_of(connection);

    connection->generation = atomic_load(&entry->generation) + 1;
    store(&entry->process[0], request->process->id);
    atomic_store(&entry->port_context, 0);
    atomic_store(&entry->state, ROSTER_PENDING);
    atomic_store(&entry->generation, connection->generation);
}

static NTSTATUS open_connection(struct connection *connection, const struct connect_request *request)
{
    struct port *server_port = connection->server_port;
    const struct server_message message = { .type = LPC_CONNECTION_REQUEST,
                                            .flags = request->sync ? CELL_SYNC : 0,
                                            .thread = request->thread,
                                            .data_length = request->data_length,
                                            .total_length = request->total_length,
                                            .data = request->message };
    NTSTATUS status;

    if ((status = make_channel(connection)))
        return status;
    if ((status = port_create_communication(PORT_CLIENT, request->process, &request->attributes, connection,
                                            &connection->end[END_CLIENT])))
        return status;
    if (!write_cell(connection, CELL_CONNECT, &message))
        return STATUS_INSUFFICIENT_RESOURCES;
    store(&connection->channel.header->connect.sequence, 1);
    store(&connection->channel.header->max_message, connection->max_message);
    connection->processes[END_CLIENT][0] = process_ref(request->process);
    connection->processes[END_SERVER][0] = process_ref(server_port->owner);
    enter_roster(connection, request);
    return STATUS_SUCCESS;
}

NTSTATUS connection_create(struct port *server_port, const struct connect_request *request, struct port **client)
{
    const struct cell_actor actor = { .thread = request->thread };
    struct connection *connection;
    uint32_t max_message, gen;
    NTSTATUS status;

    if ((status = check_lengths(request->data_length, request->total_length)))
        return status;
    if (!port_max_message(request->attributes.max_message, &max_message))
        return STATUS_INVALID_PARAMETER;
    max_message = max_message < server_port->max_message ? max_message : server_port->max_message;
    if (request->total_length > max_message)
        return STATUS_PORT_MESSAGE_TOO_LONG;
    if (find_slot(server_port) == ROSTER_SIZE)
        connections_reap();
    if (find_slot(server_port) == ROSTER_SIZE)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (!(connection = calloc(1, sizeof(*connection))))
        return STATUS_NO_MEMORY;
    connection->fd = -1;
    connection->id = ++last_id;
    connection->stage = LINK_CONNECTING;
    connection->client_thread = request->thread;
    connection->max_message = max_message;
    connection->slot = find_slot(server_port);
    connection->server_port = server_port;
    server_port->connections[connection->slot] = connection;
    server_port->connection_count++;
    if ((status = open_connection(connection, request)))
    {
        abandon_port(connection, END_CLIENT);
        connection_free(connection);
        return status;
    }
    connection->link = &connections;
    connection->next = connections;
    if (connections)
        connections->link = &connection->next;
    connections = connection;
    if (!retry)
        retry = evtimer_new(server_base, on_retry, NULL);
    gen = cell_send(&connection->channel.header->connect, CELL_QUEUED + END_SERVER, actor);
    announce(connection, END_SERVER, CELL_CONNECT, gen);
    *client = connection->end[END_CLIENT];
    return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- accepting */

static void wake_cell(struct connection *connection, uint32_t id, struct cell *cell, uint64_t state, void *arg)
{
    (void)connection, (void)id, (void)arg;
    /* whoever answered may have died before waking */
    if (state & CELL_WAITING || (cell_phase(state) & ~1u) == CELL_ANSWER)
        cell_wake(cell);
}

static void wake_waiting(struct connection *connection)
{
    for_each_cell(connection, END_CLIENT, wake_cell, NULL);
    for_each_cell(connection, END_SERVER, wake_cell, NULL);
    cell_wake(&connection->channel.header->connect);
}

/* the connection whose request has this id, for its receiver to answer */
static NTSTATUS find_request(struct port *server_port, const struct accept_request *request,
                             struct connection **result)
{
    struct connection *connection = server_port->connections[MESSAGE_SLOT(request->message_id)];
    struct cell *cell;
    uint64_t state;

    if (!connection || MESSAGE_CELL(request->message_id) != CELL_CONNECT ||
        atomic_load(&roster_of(connection)->state) != ROSTER_PENDING)
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
        reap(connection);
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
        announce(connection, END_CLIENT, CELL_CONNECT, cell_gen(state));
}

NTSTATUS connection_accept(struct port *server_port, const struct accept_request *request, struct port **server)
{
    struct server_message message = { .type = LPC_CONNECTION_REPLY,
                                      .thread = request->thread,
                                      .data_length = request->data_length,
                                      .total_length = request->total_length,
                                      .data = request->message };
    struct connection *connection;
    uint32_t max_message;
    NTSTATUS status;

    if ((status = check_lengths(request->data_length, request->total_length)) ||
        (status = find_request(server_port, request, &connection)))
        return status;
    if (!port_max_message(request->attributes.max_message, &max_message))
        return STATUS_INVALID_PARAMETER;
    if (connection->max_message < max_message)
        max_message = connection->max_message;
    if (request->total_length > max_message)
        return STATUS_PORT_MESSAGE_TOO_LONG;
    if (request->accept &&
        (status = port_create_communication(PORT_SERVER, request->process, &request->attributes, connection,
                                            &connection->end[END_SERVER])))
        return status;
    *server = connection->end[END_SERVER];
    message.flags = atomic_load(&connection->channel.header->connect.flags) & CELL_SYNC;
    if (!request->accept)
        message.flags |= CELL_REFUSED;
    if (!write_cell(connection, CELL_CONNECT, &message))
    {
        abandon_port(connection, END_SERVER);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    if (!request->accept)
    {
        release_slot(connection);
        /* the answer first: a client that sees that it was refused looks for no more */
        answer_request(connection, false);
        set_stage(connection, LINK_REFUSED);
        queue_close(&connection->channel.client_queue);
        wake_waiting(connection);
        return STATUS_SUCCESS;
    }
    connection->max_message = max_message;
    store(&connection->channel.header->max_message, max_message);
    atomic_store(&roster_of(connection)->port_context, request->context);
    atomic_store(&roster_of(connection)->state, ROSTER_CONNECTED);
    set_stage(connection, LINK_ACCEPTING);
    answer_request(connection, true);
    move_all(connection, END_CLIENT, PHASE(CELL_EARLY), CELL_QUEUED + END_SERVER, END_SERVER);
    set_stage(connection, LINK_CONNECTED);
    return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- sharing an end */

NTSTATUS connection_attach(struct connection *connection, enum alpc_end end, struct process *process, uint32_t *number)
{
    uint32_t i, place = ROSTER_PROCESSES;

    for (i = 0; i < ROSTER_PROCESSES; i++)
    {
        if (connection->processes[end][i] == process)
        {
            *number = i;
            return STATUS_SUCCESS;
        }
        if (i && place == ROSTER_PROCESSES && !connection->processes[end][i])
            place = i;
    }
    if (place == ROSTER_PROCESSES)
        return STATUS_INSUFFICIENT_RESOURCES;
    connection->processes[end][place] = process_ref(process);
    store(&connection->channel.header->sharer[end][place], process->id);
    if (end == END_CLIENT && connection->server_port)
        store(&roster_of(connection)->process[place], process->id);
    *number = place;
    return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- an end goes */

/* the last message of a client */
static void tell_closed(struct connection *connection)
{
    struct cell *cell = &connection->channel.header->closed;
    uint32_t gen = cell_gen(cell_state(cell)) + 1;
    const uint64_t id = MESSAGE_ID(connection->slot, CELL_CLOSED, gen);
    const struct server_message message = { .type = LPC_PORT_CLOSED,
                                            .thread = connection->client_thread,
                                            .data_length = sizeof(id),
                                            .total_length = HEADER_SIZE + sizeof(id),
                                            .data = &id };

    write_cell(connection, CELL_CLOSED, &message);
    gen = cell_send(cell, CELL_QUEUED + END_SERVER, nobody);
    announce(connection, END_SERVER, CELL_CLOSED, gen);
}

/*
 * [4.11] What the client sent and the server has not received comes first, as canceled messages.  Of what the server
 * holds the first is told before the notice that the client has gone and the others after it: so it was recorded.
 */
static void client_gone(struct connection *connection, uint32_t flags)
{
    struct cell *request = &connection->channel.header->connect;
    struct message_list held;

    if (!connection->server_port || connection->stage & LINK_SERVER_GONE)
        return;
    if (atomic_load(&roster_of(connection)->state) == ROSTER_PENDING)
    {
        uint64_t state = cell_state(request);

        move_all(connection, END_CLIENT, PHASE(CELL_EARLY), CELL_FREE, -1);
        /* a server that has not seen the request never learns of it */
        if (!cell_claim(request, cell_gen(state), CELL_QUEUED + END_SERVER, CELL_FREE, nobody) &&
            cell_claim(request, cell_gen(state), CELL_HELD + END_SERVER, CELL_CANCELED + END_SERVER, nobody))
            announce(connection, END_SERVER, CELL_CONNECT, cell_gen(state));
        return;
    }
    atomic_store(&roster_of(connection)->state, ROSTER_CLOSED);
    move_all(connection, END_CLIENT, PHASE(CELL_QUEUED + END_SERVER), CELL_QUEUED + END_SERVER, END_SERVER);
    held = list_messages(connection, END_CLIENT, PHASE(CELL_HELD + END_SERVER) | PHASE(CELL_SPENT));
    if (flags & ALPC_DISCONNECTFLG_NO_FLUSH_ON_CLOSE)
        held.count = 0;
    move_messages(connection, &held, 0, 1, CELL_CANCELED + END_SERVER, END_SERVER);
    tell_closed(connection);
    move_messages(connection, &held, 1, held.count, CELL_CANCELED + END_SERVER, END_SERVER);
    free(held.messages);
}

/* the server has no use for what the client sent; what the client holds of the server's is canceled */
static void server_gone(struct connection *connection, uint32_t flags)
{
    const unsigned int at_server = PHASE(CELL_QUEUED + END_SERVER) | PHASE(CELL_HELD + END_SERVER) |
                                   PHASE(CELL_CANCELED + END_SERVER) | PHASE(CELL_SPENT);

    if (connection->server_port)
        store(&roster_of(connection)->state, ROSTER_FREE);
    move_all(connection, END_CLIENT, at_server, CELL_FREE, -1);
    if (!(flags & ALPC_DISCONNECTFLG_NO_FLUSH_ON_CLOSE))
        move_all(connection, END_SERVER, PHASE(CELL_HELD + END_CLIENT) | PHASE(CELL_SPENT), CELL_CANCELED + END_CLIENT,
                 END_CLIENT);
    cell_free(&connection->channel.header->closed);
}

void connection_end_gone(struct connection *connection, enum alpc_end end, bool closed, uint32_t flags)
{
    uint32_t bits = LINK_GONE(end) | (closed ? LINK_CLOSED(end) : 0);
    bool known = connection->stage & LINK_GONE(end);

    set_link(connection, 0, bits);
    if (!known)
    {
        if (end == END_CLIENT)
            client_gone(connection, flags);
        else
            server_gone(connection, flags);
    }
    queue_close(&connection->channel.client_queue);
    wake_waiting(connection);
    if (closed)
    {
        connection->end[end] = NULL;
        reap(connection);
    }
}

/* no answer to the connection request will come [7, 7] */
static void refuse(struct connection *connection)
{
    const struct server_message nothing = {
        .type = LPC_CONNECTION_REPLY,
        .flags = (atomic_load(&connection->channel.header->connect.flags) & CELL_SYNC) | CELL_REFUSED,
        .total_length = HEADER_SIZE,
    };

    release_slot(connection);
    write_cell(connection, CELL_CONNECT, &nothing);
    answer_request(connection, false);
    set_stage(connection, LINK_REFUSED);
    queue_close(&connection->channel.client_queue);
    wake_waiting(connection);
    reap(connection);
}

static bool is_pending(const struct connection *connection)
{
    return connection && atomic_load(&roster_of(connection)->state) == ROSTER_PENDING;
}

void connections_refuse_pending(struct port *server_port)
{
    uint32_t slot;

    for (slot = 1; slot < ROSTER_SIZE; slot++)
        if (is_pending(server_port->connections[slot]))
            refuse(server_port->connections[slot]);
}

void connections_server_gone(struct port *server_port)
{
    uint32_t slot;

    queue_close(&server_port->queue);
    for (slot = 1; slot < ROSTER_SIZE && server_port->connection_count; slot++)
    {
        struct connection *connection = server_port->connections[slot];

        if (is_pending(connection))
            refuse(connection);
        else if (connection)
        {
            release_slot(connection);
            connection_end_gone(connection, END_SERVER, false, 0);
        }
    }
    connections_reap();
}

/* ---------------------------------------------------------------------------------------------- death */

/* whose traces a sweep looks for: a thread, or any thread of a process */
struct dead
{
    enum alpc_end end;
    uint32_t number; /* of the process at that end */
    uint32_t thread; /* 0 = all */
};

static bool is_dead(const struct dead *dead, uint32_t thread, uint32_t number)
{
    return number == dead->number && (!dead->thread || thread == dead->thread);
}

/* puts right what a dead thread has left in the middle */
static void bury(struct connection *connection, uint32_t id, struct cell *cell, uint64_t state, void *arg)
{
    const struct dead *dead = arg;
    enum cell_phase phase = cell_phase(state), at_peer = CELL_HELD + other(dead->end);
    struct cell_actor actor = cell_actor(state);
    uint32_t gen = cell_gen(state), flags = atomic_load(&cell->flags);
    bool required = dead->thread && atomic_load(&cell->requester) == dead->thread;
    /* of a process only what it wrote is known, not what the others that share its end wait for */
    bool waits = flags & (CELL_SYNC | CELL_CALLBACK) &&
                 (required || (!dead->thread && atomic_load(&cell->process) == dead->number));

    if (CELL_END(id) == dead->end && phase == CELL_OWNED)
    {
        if (is_dead(dead, actor.thread, actor.process))
            cell_free(cell);
    }
    else if (phase == CELL_ANSWERING + dead->end || phase == CELL_ABANDONED + dead->end)
    {
        if (is_dead(dead, actor.thread, actor.process))
            cell_claim(cell, gen, phase, phase == CELL_ANSWERING + dead->end ? CELL_HELD + dead->end : CELL_FREE, nobody);
    }
    else if (phase == CELL_ANSWER + dead->end)
    {
        if (required)
            cell_claim(cell, gen, phase, CELL_FREE, nobody);
    }
    else if (phase == CELL_ANSWER + other(dead->end))
    {
        if (is_dead(dead, actor.thread, actor.process))
            cell_wake(cell); /* it may have died before it did so itself */
    }
    else if (phase == CELL_HELD + dead->end)
    {
        /* nothing comes after it: it was being read */
        if (flags & CELL_RELEASE && is_dead(dead, actor.thread, actor.process))
            cell_claim(cell, gen, phase, CELL_FREE, nobody);
    }
    else if (phase == CELL_QUEUED + other(dead->end) || phase == CELL_EARLY)
    {
        if (!is_dead(dead, actor.thread, actor.process))
            return;
        if (waits)
            cell_claim(cell, gen, phase, CELL_FREE, nobody);
        else if (phase != CELL_EARLY)
            announce(connection, other(dead->end), id, gen); /* it may have died before it did so itself */
        else if ((connection->stage & LINK_STAGE_MASK) == LINK_CONNECTED &&
                 cell_claim(cell, gen, phase, CELL_QUEUED + END_SERVER, actor))
            announce(connection, END_SERVER, id, gen);
    }
    else if (waits && phase == at_peer)
    {
        if (cell_claim(cell, gen, phase, CELL_CANCELED + other(dead->end), actor))
            announce(connection, other(dead->end), id, gen);
    }
    else if (waits && phase == CELL_ANSWERING + other(dead->end))
        cell_claim(cell, gen, phase, CELL_ABANDONED + other(dead->end), actor);
}

static void sweep(struct connection *connection, struct dead *dead)
{
    for_each_cell(connection, END_CLIENT, bury, dead);
    for_each_cell(connection, END_SERVER, bury, dead);
}

static void forget_sleepers(uint64_t who, uint64_t mask)
{
    struct connection *connection;
    struct port *port;

    for (port = port_first(); port; port = port_next(port))
        if (port->kind == PORT_CONNECTION)
            queue_forget(&port->queue, who, mask);
    for (connection = connections; connection; connection = connection->next)
        queue_forget(&connection->channel.client_queue, who, mask);
}

static bool alone(const struct connection *connection, enum alpc_end end, const struct process *process)
{
    unsigned int i;

    for (i = 0; i < ROSTER_PROCESSES; i++)
    {
        const struct process *sharer = connection->processes[end][i];

        if (sharer && sharer != process && sharer->alive)
            return false;
    }
    return true;
}

/* calls sweep for each end of each connection that the process shares */
static void sweep_all(struct process *process, uint32_t thread)
{
    struct connection *connection;
    enum alpc_end end;
    unsigned int i;

    for (connection = connections; connection; connection = connection->next)
        for (end = END_CLIENT; end <= END_SERVER; end++)
            for (i = 0; i < ROSTER_PROCESSES; i++)
                if (connection->processes[end][i] == process)
                {
                    struct dead dead = { .end = end, .number = i, .thread = thread };

                    /* where no one else shares the end its ports close, and that puts everything right */
                    if (thread || !alone(connection, end, process))
                        sweep(connection, &dead);
                }
}

void connections_forget_thread(struct process *process, uint32_t thread)
{
    forget_sleepers((uint64_t)process->id << 32 | thread, UINT64_MAX);
    sweep_all(process, thread);
}

void connections_forget_process(struct process *process)
{
    struct connection *connection;
    enum alpc_end end;
    unsigned int i;

    forget_sleepers((uint64_t)process->id << 32, UINT64_C(0xffffffff00000000));
    sweep_all(process, 0);
    /* number 0 stays the owner's: messages of its may still be under way */
    for (connection = connections; connection; connection = connection->next)
        for (end = END_CLIENT; end <= END_SERVER; end++)
            for (i = 1; i < ROSTER_PROCESSES; i++)
                if (connection->processes[end][i] == process)
                {
                    process_unref(process);
                    connection->processes[end][i] = NULL;
                }
}
