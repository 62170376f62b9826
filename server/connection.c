/*
 * Connections
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "connection.h"

#include "dump.h"
#include "server.h"
#include "sharing.h"
#include "shortage.h"
#include "state.h"

#include "ntalpc/nt.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_SIZE sizeof(PORT_MESSAGE)

static void store(_Atomic uint32_t *field, uint32_t value)
{
    atomic_store_explicit(field, value, memory_order_relaxed);
}

/* ---------------------------------------------------------------------------------------------- lifetime */

static void dump_connection(struct object *object, struct dump *dump);

static void close_connection(struct object *object)
{
    connection_free((struct connection *)object);
}

static void save_connection(const struct object *object, struct state_writer *writer);

static const struct object_ops connection_ops = {
    .kind = OBJECT_CONNECTION, .close = close_connection, .dump = dump_connection, .save = save_connection
};

void connection_changed(const struct connection *connection)
{
    object_changed(&connection->object, &connection_ops);
}

/* where messages of the channel are announced */
static void join_queues(struct connection *connection)
{
    connection->channel.slot = connection->slot;
    connection->channel.queue[END_SERVER] = connection->roster ? &connection->roster->queue : NULL;
}

static NTSTATUS make_channel(struct connection *connection)
{
    connection->fd = channel_create(connection->object.serial, (uint32_t)object_random() & CELL_GEN_MASK);
    state_inherit(connection->fd);
    if (connection->fd == -1 || !channel_map(&connection->channel, connection->fd, false))
        return shortage_of_memory(errno);
    join_queues(connection);
    return STATUS_SUCCESS;
}

NTSTATUS connection_new(struct roster *roster, struct connection **result)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    NTSTATUS status;

    if (!connection)
        return STATUS_NO_MEMORY;
    connection->fd = -1;
    connection->stage = LINK_CONNECTING;
    object_add(&connection->object, &connection_ops);
    status = STATUS_INSUFFICIENT_RESOURCES;
    if ((connection->slot = roster_take_slot(roster, connection)))
    {
        connection->roster = roster;
        connection->generation = atomic_load(&connection_entry(connection)->generation) + 1;
        status = make_channel(connection);
    }
    if (status)
        connection_free(connection);
    else
        *result = connection;
    return status;
}

void connection_leave_roster(struct connection *connection)
{
    if (!connection->roster)
        return;
    if (connection->channel.header)
    {
        connection_map_far(connection);
        cell_unannounce(&connection->channel, END_SERVER);
        connection_unmap_far(connection);
    }
    connection->channel.queue[END_SERVER] = NULL;
    roster_release_slot(connection->roster, connection->slot);
    connection->roster = NULL;
}

/* ---------------------------------------------------------------------------------------------- the end */

/* connections that have ended but for a message, which the program that is to receive it does not report */
static struct connection *lingering;
static struct event *reaping;

#define REAP_MS 100

static void remove_lingering(struct connection *connection)
{
    if (!connection->link)
        return;
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    connection->link = NULL;
}

static void reap_later(void)
{
    static const struct timeval delay = { .tv_usec = REAP_MS * 1000 };

    if (!reaping || evtimer_pending(reaping, NULL))
        return;
    evtimer_add(reaping, &delay);
}

static void on_reaping(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    connections_reap();
    if (lingering)
        reap_later();
}

static void linger(struct connection *connection)
{
    if (connection->link)
        return;
    connection->link = &lingering;
    connection->next = lingering;
    if (lingering)
        lingering->link = &connection->next;
    lingering = connection;
    if (!reaping)
        reaping = evtimer_new(server_base, on_reaping, NULL);
    reap_later();
}

static void free_sharer(struct sharer *sharer)
{
    if (sharer)
        process_unbind(&sharer->bond);
    free(sharer);
}

void connection_free(struct connection *connection)
{
    enum alpc_end end;
    unsigned int i;

    object_forget(&connection->object, OBJECT_CONNECTION);
    connection_leave_roster(connection);
    object_remove(&connection->object);
    remove_lingering(connection);
    for (end = END_CLIENT; end <= END_SERVER; end++)
        for (i = 0; i < ROSTER_PROCESSES; i++)
            free_sharer(connection->sharers[end][i]);
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

void connection_reap(struct connection *connection)
{
    if (connection->end[END_CLIENT] || connection->end[END_SERVER])
        return;
    /* a request that was received, but neither accepted nor refused */
    if (connection->roster && atomic_load(&connection_entry(connection)->state) == ROSTER_PENDING &&
        has_notices(connection))
        linger(connection);
    else
        connection_free(connection);
}

void connections_reap(void)
{
    struct connection *connection, *next;

    for (connection = lingering; connection; connection = next)
    {
        next = connection->next;
        connection_reap(connection);
    }
}

void connections_end(void)
{
    object_close_all(OBJECT_CONNECTION);
    if (reaping)
        event_free(reaping);
    reaping = NULL;
}

/* ---------------------------------------------------------------------------------------------- another alpcserver */

static void save_connection(const struct object *object, struct state_writer *writer)
{
    const struct connection *connection = (const struct connection *)object;
    const struct process *process;
    enum alpc_end end;
    uint32_t i;

    state_write_fd(writer, connection->fd);
    state_write(writer, connection->roster ? connection->roster->port->key : 0);
    state_write(writer, connection->slot);
    state_write(writer, connection->generation);
    state_write(writer, connection->stage & ~connection->dying);
    state_write(writer, connection->client_thread);
    state_write(writer, connection->max_message);
    state_write(writer, connection->accepting);
    state_write(writer, connection->context);
    state_write(writer, connection->accepted);
    state_write(writer, connection->closed_gen);
    state_write(writer, connection->closed_told);
    for (end = END_CLIENT; end <= END_SERVER; end++)
        for (i = 0; i < ROSTER_PROCESSES; i++)
        {
            process = connection_process(connection, end, i);
            state_write(writer, process ? process->object.key : 0);
        }
}

static bool restore_sharers(struct connection *connection, struct state_reader *reader)
{
    struct process *process;
    enum alpc_end end;
    uint64_t key;
    uint32_t i;

    for (end = END_CLIENT; end <= END_SERVER; end++)
        for (i = 0; i < ROSTER_PROCESSES; i++)
            if ((key = state_read(reader)) &&
                (!(process = process_by_key(key)) || sharing_restore(connection, end, i, process)))
                return false;
    /* the owners are needed everywhere */
    return connection_process(connection, END_CLIENT, 0) && connection_process(connection, END_SERVER, 0);
}

static void read_connection(struct connection *connection, struct state_reader *reader)
{
    connection->slot = (uint32_t)state_read(reader);
    connection->generation = (uint32_t)state_read(reader);
    connection->stage = (uint32_t)state_read(reader);
    connection->client_thread = (uint32_t)state_read(reader);
    connection->max_message = (uint32_t)state_read(reader);
    connection->accepting = state_read(reader);
    connection->context = state_read(reader);
    connection->accepted = (uint32_t)state_read(reader);
    connection->closed_gen = (uint32_t)state_read(reader);
    connection->closed_told = state_read(reader);
}

bool connection_restore(uint64_t key, struct state_reader *reader, struct roster *(*roster_of)(uint64_t key))
{
    uint64_t serial = state_read(reader);
    struct connection *connection = calloc(1, sizeof(*connection));
    struct roster *roster;

    if (!connection)
        return false;
    connection->fd = state_read_fd(reader);
    roster = roster_of(state_read(reader));
    read_connection(connection, reader);
    object_add_again(&connection->object, &connection_ops, key, serial);
    if (!channel_map(&connection->channel, connection->fd, false) || !restore_sharers(connection, reader))
    {
        connection_free(connection);
        return false;
    }
    if (roster && roster_retake_slot(roster, connection->slot, connection->generation, connection))
        connection->roster = roster;
    join_queues(connection);
    return true;
}

/* ---------------------------------------------------------------------------------------------- the link */

/* the clients could write the link in the channel: only the server's own copy is believed */
void connection_set_link(struct connection *connection, uint32_t clear, uint32_t set)
{
    _Atomic uint32_t *link = &connection->channel.header->link;

    connection->stage = (connection->stage & ~clear) | set;
    atomic_store(link, connection->stage | (atomic_load(link) & LINK_CLOSED_TOLD));
    atomic_fetch_add(&connection->channel.header->comm_bell, 1);
    futex_wake(&connection->channel.header->comm_bell, INT_MAX);
}

void connection_set_stage(struct connection *connection, uint32_t stage)
{
    connection_set_link(connection, LINK_STAGE_MASK, stage);
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

void connection_for_each_cell(struct connection *connection, enum alpc_end owner, cell_visitor visit, void *arg)
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

static bool write_payload(struct connection *connection, uint32_t id, const struct server_message *message)
{
    struct cell *cell = channel_cell(&connection->channel, id);
    size_t size = message->total_length - HEADER_SIZE;

    if (size > CELL_INLINE_SIZE)
        return pwrite(connection->fd, message->data, size, (off_t)channel_window_offset(id)) == (ssize_t)size;
    if (size)
        memcpy(cell->data, message->data, size);
    return true;
}

static void write_content(struct cell_content *content, const struct server_message *message)
{
    store(&content->length, message->data_length | (uint32_t)(message->total_length - HEADER_SIZE) << 16);
    store(&content->flags, message->flags);
    store(&content->author, message->thread);
    store(&content->process, message->process);
}

bool connection_write_request(struct connection *connection, uint32_t id, const struct server_message *message)
{
    struct cell *cell = channel_cell(&connection->channel, id);

    if (!write_payload(connection, id, message))
        return false;
    write_content(&cell->request, message);
    store(&cell->waiter[CELL_END(id)].thread, message->flags & CONTENT_SYNC ? message->thread : 0);
    atomic_store_explicit(&cell->time, coarse_ns(), memory_order_relaxed);
    return true;
}

bool connection_write_answer(struct connection *connection, uint32_t id, const struct server_message *message)
{
    if (!write_payload(connection, id, message))
        return false;
    write_content(&channel_cell(&connection->channel, id)->answer, message);
    return true;
}

/* ---------------------------------------------------------------------------------------------- the dump */

/* which end wrote what the cell holds: its owner the message, the other end the answer, unless that is a callback's */
static const struct process *author_of(const struct connection *connection, uint32_t id, uint64_t state, uint32_t number)
{
    enum alpc_end author = state & CELL_ANSWERED ? other_end(CELL_END(id)) : CELL_END(id);
    const struct process *process = connection_process(connection, author, number);

    return process ? process : connection_process(connection, author, 0);
}

/* LPC_* [3.6], as far as it follows from what is written */
static uint32_t type_of(uint32_t id, uint64_t state, uint32_t flags)
{
    if (id == CELL_CONNECT)
        return state & CELL_ANSWERED ? LPC_CONNECTION_REPLY : LPC_CONNECTION_REQUEST;
    if (id == CELL_CLOSED)
        return LPC_PORT_CLOSED;
    if (!(flags & CONTENT_RELEASE))
        return LPC_REQUEST;
    return state & CELL_ANSWERED ? LPC_REPLY : LPC_DATAGRAM;
}

/* who has the message in hand: is writing it, or has received it and may answer */
static void set_holder(struct message_record *record, const struct connection *connection, uint32_t id, uint64_t state)
{
    enum cell_phase phase = cell_phase(state);
    enum alpc_end end = phase == CELL_OWNED ? CELL_END(id) : phase & 1 ? END_SERVER : END_CLIENT;
    struct cell_actor actor = cell_actor(state);
    const struct process *process = connection_process(connection, end, actor.process);

    if (phase != CELL_OWNED && !cell_in(state, CELL_READING) && !cell_in(state, CELL_HELD) &&
        !cell_in(state, CELL_ANSWERING))
        return;
    record->holder_process = process ? process->id : 0;
    record->holder_thread = actor.thread;
}

struct message_dump
{
    struct dump *dump; /* NULL = only count */
    uint32_t count;
};

static void dump_message(struct connection *connection, uint32_t id, struct cell *cell, uint64_t state, void *arg)
{
    struct message_dump *messages = arg;
    bool written = cell_phase(state) != CELL_OWNED; /* else the content is still that of the message before */
    struct cell_content *content = cell_content(cell, state);
    uint32_t length = atomic_load(&content->length), flags = atomic_load(&content->flags);
    const struct process *author = author_of(connection, id, state, atomic_load(&content->process));
    struct message_record record = {
        .connection = connection->object.serial,
        .id = channel_message_id(&connection->channel, id, cell_gen(state)),
        .callback = atomic_load(&cell->sequence),
        .type = written ? type_of(id, state, flags) : 0,
        .data_length = written ? length & 0xffff : 0,
        .total_length = written ? (length >> 16) + HEADER_SIZE : 0,
        .process = author ? author->id : 0,
        .thread = atomic_load(&content->author),
        .phase = cell_phase(state),
        .flags = written ? flags : 0,
    };

    if (cell_phase(state) == CELL_FREE)
        return;
    messages->count++;
    if (!messages->dump)
        return;
    record.age = dump_age(messages->dump, atomic_load(&cell->time));
    set_holder(&record, connection, id, state);
    if (!written)
    {
        record.process = record.holder_process;
        record.thread = record.holder_thread;
    }
    dump_end(messages->dump, dump_begin(messages->dump, RECORD_message, &record.header, sizeof(record)));
}

/* returns the number of messages; appends a record for each unless dump is NULL */
static uint32_t dump_messages(struct connection *connection, struct dump *dump)
{
    static const uint32_t server_cells[] = { CELL_CONNECT, CELL_CLOSED };
    struct message_dump messages = { .dump = dump };
    size_t i;

    connection_for_each_cell(connection, END_CLIENT, dump_message, &messages);
    connection_for_each_cell(connection, END_SERVER, dump_message, &messages);
    for (i = 0; i < sizeof(server_cells) / sizeof(server_cells[0]); i++)
    {
        struct cell *cell = channel_cell(&connection->channel, server_cells[i]);

        dump_message(connection, server_cells[i], cell, cell_state(cell), &messages);
    }
    return messages.count;
}

static void dump_connection(struct object *object, struct dump *dump)
{
    struct connection *connection = (struct connection *)object;
    const struct process *client = connection_process(connection, END_CLIENT, 0);
    const struct process *server = connection_process(connection, END_SERVER, 0);
    const struct object *const *ends = (const struct object *const *)connection->end;
    struct connection_record record = {
        .connection = object->serial,
        .client_port = ends[END_CLIENT] ? ends[END_CLIENT]->serial : 0,
        .server_end = ends[END_SERVER] ? ends[END_SERVER]->serial : 0,
        .slot = connection->slot,
        .stage = connection->stage,
        .client_process = client->id,
        .client_pid = (uint32_t)client->pid,
        .server_process = server->id,
        .server_pid = (uint32_t)server->pid,
        .messages = dump_messages(connection, NULL),
        .client_program_size = dump_text_size(client->program),
        .server_program_size = dump_text_size(server->program),
    };
    size_t at;

    if (connection->roster)
    {
        record.server_port = connection->roster->port->serial;
        record.port_context = atomic_load(&connection_entry(connection)->port_context);
    }
    at = dump_begin(dump, RECORD_connection, &record.header, sizeof(record));
    dump_append(dump, client->program, record.client_program_size);
    dump_append(dump, server->program, record.server_program_size);
    dump_end(dump, at);
    if (dump_wants_messages(dump))
        dump_messages(connection, dump);
}
