/*
 * What alpcserver tells alpcdump
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "dump.h"

#include "connection.h"
#include "text.h"

#include "ntalpc/protocol.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DUMP_MAX_SIZE 0x40000000u /* what does not fit in a reply */

struct dump
{
    uint8_t *data;
    size_t size, room;
    uint64_t now;
    bool failed;
};

static void append(struct dump *dump, const void *data, size_t size)
{
    size_t padded = protocol_pad(size);

    if (dump->failed || padded > DUMP_MAX_SIZE - dump->size)
    {
        dump->failed = true;
        return;
    }
    if (dump->size + padded > dump->room)
    {
        size_t room = (dump->size + padded) * 2;
        uint8_t *grown = realloc(dump->data, room);

        if (!grown)
        {
            dump->failed = true;
            return;
        }
        dump->data = grown;
        dump->room = room;
    }
    if (size)
        memcpy(dump->data + dump->size, data, size);
    memset(dump->data + dump->size + size, 0, padded - size);
    dump->size += padded;
}

/* the record begins; its size is known when its variable data has been appended */
static size_t begin_record(struct dump *dump, enum record_type type, struct record_header *record, size_t size)
{
    size_t at = dump->size;

    record->type = type;
    append(dump, record, size);
    return at;
}

static void end_record(struct dump *dump, size_t at)
{
    uint32_t size = (uint32_t)(dump->size - at);

    if (!dump->failed)
        memcpy(dump->data + at, &size, sizeof(size));
}

static uint32_t text_size(const char *text)
{
    return text ? (uint32_t)strlen(text) : 0;
}

/* ---------------------------------------------------------------------------------------------- records */

static void dump_server(struct dump *dump)
{
    struct server_record record = { .pid = (uint32_t)getpid(), .protocol = PROTOCOL_VERSION };

    end_record(dump, begin_record(dump, RECORD_server, &record.header, sizeof(record)));
}

static const struct queue *queue_of(const struct port *port)
{
    switch (port->kind)
    {
    case PORT_CONNECTION:
        return &port->queue;
    case PORT_CLIENT:
        return port->connection ? &port->connection->channel.client_queue : NULL;
    case PORT_SERVER:
        break;
    }
    return NULL;
}

static void dump_port(struct dump *dump, const struct port *port)
{
    const struct queue *queue = queue_of(port);
    char *name = port->name ? utf16_to_utf8(port->name->text, port->name->size) : NULL;
    uint32_t security_size = 0;
    uint8_t *security;
    struct port_record record = {
        .port = port->id,
        .connection = port->connection ? port->connection->id : 0,
        .kind = port->kind,
        .process = port->owner->id,
        .pid = (uint32_t)port->owner->pid,
        .flags = port->flags,
        .max_message = port->max_message,
        .number = port->name ? port->name->number : 0,
        .connections = port->connection_count,
        .queued = queue ? (uint32_t)queue_length(queue) : 0,
        .receivers = queue ? atomic_load(&queue->desk->sleepers) : 0,
        .disconnected = port->disconnected,
        .name_size = text_size(name),
        .program_size = text_size(port->owner->program),
    };
    const uint32_t all = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION |
                         SACL_SECURITY_INFORMATION;
    size_t at;

    security_descriptor_query(port->security, all, NULL, 0, &security_size);
    security = malloc(security_size ? security_size : 1);
    if (!security || security_descriptor_query(port->security, all, security, security_size, &security_size))
        security_size = 0;
    record.security_size = security_size;
    at = begin_record(dump, RECORD_port, &record.header, sizeof(record));
    append(dump, name, record.name_size);
    append(dump, port->owner->program, record.program_size);
    append(dump, security, record.security_size);
    end_record(dump, at);
    free(security);
    free(name);
}

typedef void (*cell_visitor)(struct dump *dump, struct connection *connection, uint32_t id, struct cell *cell,
                             uint64_t state);

/* calls visit, unless it is NULL, for each cell that holds a message; returns their number */
static uint32_t for_each_message(struct dump *dump, struct connection *connection, cell_visitor visit)
{
    uint32_t ids[2] = { CELL_CONNECT, CELL_CLOSED }, count = 0, index, end;
    enum alpc_end owner;

    for (owner = END_CLIENT; owner <= END_SERVER + 1u; owner++)
    {
        /* the two cells of the server's own come last */
        end = owner <= END_SERVER ? channel_peak(&connection->channel, owner) : 2;
        for (index = 0; index < end; index++)
        {
            uint32_t id = owner <= END_SERVER ? CELL_ID(owner, index) : ids[index];
            struct cell *cell = channel_cell(&connection->channel, id);
            uint64_t state = cell ? cell_state(cell) : 0;

            if (cell_phase(state) == CELL_FREE)
                continue;
            count++;
            if (visit)
                visit(dump, connection, id, cell, state);
        }
    }
    return count;
}

/* which end wrote what the cell holds: the one that does not act next */
static const struct process *author_of(const struct connection *connection, uint32_t id, enum cell_phase phase,
                                       uint32_t number)
{
    enum alpc_end author = CELL_END(id);

    if (phase >= CELL_QUEUED)
        author = phase & 1 ? END_CLIENT : END_SERVER;
    return connection->processes[author][number < ROSTER_PROCESSES ? number : 0];
}

/* who has the message in hand: is writing it, or has received it and may answer */
static void set_holder(struct message_record *record, const struct connection *connection, uint32_t id, uint64_t state)
{
    enum cell_phase phase = cell_phase(state);
    enum alpc_end end = phase == CELL_OWNED ? CELL_END(id) : phase & 1 ? END_SERVER : END_CLIENT;
    struct cell_actor actor = cell_actor(state);
    const struct process *process = connection->processes[end][actor.process < ROSTER_PROCESSES ? actor.process : 0];

    if (phase != CELL_OWNED && (phase & ~1u) != CELL_HELD && (phase & ~1u) != CELL_ANSWERING)
        return;
    record->holder_process = process ? process->id : 0;
    record->holder_thread = actor.thread;
}

static void dump_message(struct dump *dump, struct connection *connection, uint32_t id, struct cell *cell,
                         uint64_t state)
{
    bool written = cell_phase(state) != CELL_OWNED; /* else the content is still that of the message before */
    uint32_t length = written ? atomic_load(&cell->length) : 0;
    const struct process *author = author_of(connection, id, cell_phase(state), atomic_load(&cell->process));
    uint64_t time = atomic_load(&cell->time);
    struct message_record record = {
        .connection = connection->id,
        .age = dump->now > time ? dump->now - time : 0,
        .id = MESSAGE_ID(connection->slot, id, cell_gen(state)),
        .callback = atomic_load(&cell->sequence),
        .type = written ? atomic_load(&cell->type) : 0,
        .data_length = length & 0xffff,
        .total_length = length >> 16,
        .process = author ? author->id : 0,
        .thread = atomic_load(&cell->author),
        .phase = cell_phase(state),
        .flags = written ? atomic_load(&cell->flags) : 0,
    };

    set_holder(&record, connection, id, state);
    if (!written)
    {
        record.process = record.holder_process;
        record.thread = record.holder_thread;
    }
    end_record(dump, begin_record(dump, RECORD_message, &record.header, sizeof(record)));
}

static void dump_connection(struct dump *dump, struct connection *connection, bool messages)
{
    const struct process *client = connection->processes[END_CLIENT][0], *server = connection->processes[END_SERVER][0];
    const struct port *ends[2] = { connection->end[END_CLIENT], connection->end[END_SERVER] };
    bool far = connection_map_far(connection);
    struct connection_record record = {
        .connection = connection->id,
        .server_port = connection->server_port ? connection->server_port->id : 0,
        .client_port = ends[END_CLIENT] ? ends[END_CLIENT]->id : 0,
        .server_end = ends[END_SERVER] ? ends[END_SERVER]->id : 0,
        .slot = connection->slot,
        .stage = connection->stage,
        .client_process = client->id,
        .client_pid = (uint32_t)client->pid,
        .server_process = server->id,
        .server_pid = (uint32_t)server->pid,
        .messages = far ? for_each_message(dump, connection, NULL) : 0,
        .client_program_size = text_size(client->program),
        .server_program_size = text_size(server->program),
    };
    size_t at;

    if (connection->server_port)
        record.port_context = atomic_load(&connection->server_port->roster[connection->slot].port_context);
    at = begin_record(dump, RECORD_connection, &record.header, sizeof(record));
    append(dump, client->program, record.client_program_size);
    append(dump, server->program, record.server_program_size);
    end_record(dump, at);
    if (messages && far)
        for_each_message(dump, connection, dump_message);
    connection_unmap_far(connection);
}

NTSTATUS dump_records(bool messages, void **records, size_t *size)
{
    struct dump dump = { 0 };
    struct connection *connection;
    struct timespec now;
    struct port *port;

    connections_reap();
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    dump.now = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    dump_server(&dump);
    for (port = port_first(); port; port = port_next(port))
        dump_port(&dump, port);
    for (connection = connection_first(); connection; connection = connection->next)
        dump_connection(&dump, connection, messages);
    if (dump.failed)
    {
        free(dump.data);
        return STATUS_NO_MEMORY;
    }
    *records = dump.data;
    *size = dump.size;
    return STATUS_SUCCESS;
}
