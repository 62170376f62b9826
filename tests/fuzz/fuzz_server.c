/*
 * Fuzzer of alpcserver: requests in any order from several clients, which write over the memory that they share
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The objects of the server run in this process; the input takes the place of the sockets.  It is a list of steps, each
 * a byte that says what is done and what that needs; numbers are small, or known from a reply, or anything.
 */

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/client.h"
#include "server/connection.h"
#include "server/port.h"
#include "server/process.h"
#include "server/request.h"
#include "server/server.h"
#include "server/sweep.h"
#include "tests/fuzz/fuzz.h"

#define CLIENTS 3
#define KNOWN 16
#define CHANNELS 4
#define HANDLES 4
#define TOKEN_SIZE 256

/* ---------------------------------------------------------------------------------------------- input */

static const uint8_t *input;
static size_t input_left;

static uint8_t next_byte(void)
{
    if (!input_left)
        return 0;
    input_left--;
    return *input++;
}

static uint64_t next_bytes(unsigned int count)
{
    uint64_t value = 0;

    while (count--)
        value = value << 8 | next_byte();
    return value;
}

/* ---------------------------------------------------------------------------------------------- what clients have */

static struct caller callers[CLIENTS];
static uint64_t known[KNOWN]; /* ports, queues, message ids, slots */
static unsigned int known_count;
static uint64_t last_port, last_message; /* a connection port, a connection request */
static struct channel_header *channels[CHANNELS];
static unsigned int channel_count;
static int handles[HANDLES];

static void learn(uint64_t value)
{
    known[known_count++ % KNOWN] = value;
}

static uint64_t next_number(void)
{
    uint8_t kind = next_byte();

    if (kind < 0x40)
        return kind;
    if (kind < 0xc0)
        return known[kind % (known_count < KNOWN ? known_count + 1 : KNOWN)];
    return next_bytes(kind < 0xe0 ? 4 : 8);
}

static void replace_handle(unsigned int which, int fd)
{
    if (handles[which] > 0)
        close(handles[which]);
    handles[which] = fd;
}

/* opens the file behind a port as a program's handle does */
static void open_handle(int fd)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    replace_handle(next_byte() % HANDLES, open(path, O_RDONLY | O_CLOEXEC));
}

static void unmap_channel(unsigned int which)
{
    if (channels[which])
        munmap(channels[which], CHANNEL_HOT_SIZE);
    channels[which] = NULL;
}

static void keep_channel(int fd)
{
    unsigned int which = channel_count++ % CHANNELS;
    void *memory = mmap(NULL, CHANNEL_HOT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    unmap_channel(which);
    channels[which] = memory == MAP_FAILED ? NULL : memory;
}

static uint32_t last_gen; /* of that request */

static uint32_t newest_gen_base(void)
{
    const struct channel_header *header = channels[(channel_count - 1) % CHANNELS];

    return header ? header->gen_base : 0;
}

static void learn_from(uint32_t code, const struct reply *reply)
{
    switch (code)
    {
    case REQUEST_init:
        learn(reply->init.process);
        break;
    case REQUEST_create_port:
        learn(last_port = reply->create_port.port);
        learn(reply->create_port.queue);
        open_handle(reply->fds[0]);
        break;
    case REQUEST_connect_port:
        learn(reply->connect_port.port);
        learn(reply->connect_port.queue);
        learn(reply->connect_port.slot);
        last_gen = reply->connect_port.message_gen;
        keep_channel(reply->fds[1]);
        last_message = message_id(reply->connect_port.slot, CELL_CONNECT, last_gen + newest_gen_base());
        learn(last_message);
        open_handle(reply->fds[0]);
        break;
    case REQUEST_accept_port:
        learn(reply->accept_port.port);
        if (reply->fd_count)
            open_handle(reply->fds[0]);
        break;
    default:
        break;
    }
}

/* ---------------------------------------------------------------------------------------------- requests */

static size_t plain_token(uint8_t *buffer)
{
    static const uint8_t system_sid[] = { 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0 };
    _Alignas(8) uint8_t token[TOKEN_SIZE];
    struct token_builder builder;
    size_t size;

    token_build_begin(&builder, token, sizeof(token));
    builder.wire->type = TOKEN_WIRE_PRIMARY;
    token_build_sid(&builder, TOKEN_ITEM_USER, 0, system_sid);
    token_build_sid(&builder, TOKEN_ITEM_OWNER, 0, system_sid);
    token_build_sid(&builder, TOKEN_ITEM_PRIMARY_GROUP, 0, system_sid);
    size = token_build_end(&builder);
    memcpy(buffer, token, size);
    return size;
}

/* a piece of variable data: what belongs there most of the time, or anything; at most TOKEN_SIZE bytes */
static size_t next_data(const char *name, uint8_t *buffer)
{
    uint8_t kind = next_byte();
    size_t size = kind % 64, i;

    if (kind < 0xd0 && !strcmp(name, "name"))
    {
        memcpy(buffer, "\\\0n", 4);
        return 4;
    }
    if (kind < 0xd0)
        return strcmp(name, "token") ? 0 : plain_token(buffer);
    if (kind < 0xe0)
        return plain_token(buffer);
    for (i = 0; i < size; i++)
        buffer[i] = next_byte();
    return size;
}

/* numbers that at random would hardly ever be right are so most of the time */
static uint64_t next_field(const char *name)
{
    if (next_byte() > 0xa0)
        return next_number();
    if (!strcmp(name, "total_length"))
        return 0x28;
    if (!strcmp(name, "data_length") || !strcmp(name, "max_message") || !strcmp(name, "callback_id") ||
        !strcmp(name, "number"))
        return 0;
    if (!strcmp(name, "port"))
        return last_port;
    if (!strcmp(name, "message_id"))
        return last_message;
    if (!strcmp(name, "process") || !strcmp(name, "thread"))
        return next_byte() % 4;
    return next_number();
}

/* the whole request, in a block of exactly its size */
static uint8_t *next_request(uint32_t code)
{
    const struct request_part *part = &request_types[code].request;
    static uint8_t data[PROTOCOL_MAX_DATA][TOKEN_SIZE];
    size_t sizes[PROTOCOL_MAX_DATA], at = sizeof(struct request_header), size = protocol_pad(part->size), count = 0, i;
    struct request_header header;
    const struct request_field *field;
    _Alignas(8) uint8_t fixed[256] = { 0 };
    uint8_t *request;

    for (field = part->fields; field->name; at += protocol_field_size(field++))
    {
        uint64_t value;

        if (field->kind == FIELD_DATA)
        {
            value = sizes[count] = next_data(field->name, data[count]);
            size += protocol_pad(sizes[count++]);
        }
        else
            value = next_field(field->name);
        memcpy(fixed + at, &value, protocol_field_size(field));
    }
    if (code == REQUEST_init && next_byte() < 0xf0)
        ((struct init_request *)fixed)->protocol = PROTOCOL_VERSION;
    header = (struct request_header){ .size = (uint32_t)size, .code = code };
    memcpy(fixed, &header, sizeof(header));
    if (!(request = calloc(1, size)))
        abort();
    memcpy(request, fixed, part->size);
    for (i = 0, at = protocol_pad(part->size); i < count; at += protocol_pad(sizes[i++]))
        memcpy(request + at, data[i], sizes[i]);
    return request;
}

/* what goes out is what the description says */
static void check_reply(const struct request_part *part, struct reply *reply)
{
    size_t size = protocol_pad(part->size) + protocol_pad(reply->data_size);
    const void *data[PROTOCOL_MAX_DATA];
    uint8_t *whole = calloc(1, size);

    if (!whole)
        abort();
    reply->header.size = (uint32_t)size;
    memcpy(whole, reply, part->size);
    if (reply->data_size)
        memcpy(whole + protocol_pad(part->size), reply->data, reply->data_size);
    assert(protocol_check(part, whole, size, data));
    free(whole);
}

static void make_request(struct caller *caller, uint32_t code)
{
    const void *data[PROTOCOL_MAX_DATA] = { NULL };
    struct reply reply = { .fd_count = 0 };
    uint8_t *request = next_request(code);
    const struct request_header *header = (const void *)request;
    NTSTATUS status;

    assert(protocol_check(&request_types[code].request, request, header->size, data));
    status = request_handle(caller, header, data, &reply);
    assert(reply.fd_count <= PROTOCOL_MAX_FDS);
    if (!status)
    {
        check_reply(&request_types[code].reply, &reply);
        learn_from(code, &reply);
    }
    reply_release(&reply);
    free(request);
}

/* ---------------------------------------------------------------------------------------------- steps */

static void end_caller(struct caller *caller)
{
    struct process *process = caller->process;

    caller->process = NULL;
    if (process)
        process_disconnected(process);
}

static void scribble(void)
{
    struct channel_header *header = channels[next_byte() % CHANNELS];
    uint32_t where = (uint32_t)next_bytes(3), phase;

    if (!header)
        return;
    switch (next_byte() % 4)
    {
    case 0:
        ((uint64_t *)header)[where % (CHANNEL_HOT_SIZE / 8)] = next_number();
        break;
    case 1: /* the connection request, as its receiver would have it */
        phase = where % 16;
        atomic_store(&header->connect.state,
                     (atomic_load(&header->connect.state) & ~(uint64_t)CELL_PHASE_MASK) | phase);
        break;
    case 2:
        atomic_store(&header->end[where & 1].peak, next_byte());
        break;
    default:
        /* a cell of the near part in some phase */
        phase = where >> 8 & 15;
        atomic_store((_Atomic uint64_t *)((uint8_t *)header + CHANNEL_NEAR_OFFSET + where % (2 * CELL_NEAR) * sizeof(struct cell)),
                     phase);
        atomic_store(&header->end[0].peak, CELL_NEAR);
        atomic_store(&header->end[1].peak, CELL_NEAR);
        break;
    }
}

static void step(void)
{
    uint8_t kind = next_byte();
    struct caller *caller = &callers[kind & 0x40 ? 1 + (kind >> 7) : 0];

    switch (kind & 0x1f)
    {
    case 0x1f:
        scribble();
        break;
    case 0x1e:
        replace_handle(next_byte() % HANDLES, -1);
        break;
    case 0x1b: /* the last connection request is received, and most often accepted */
        if (channel_count && channels[(channel_count - 1) % CHANNELS])
            atomic_store(&channels[(channel_count - 1) % CHANNELS]->connect.state,
                         cell_word(CELL_HELD + END_SERVER, last_gen, (struct cell_actor){ 0 }));
        if (caller->process)
            make_request(caller, REQUEST_accept_port);
        break;
    case 0x1d:
        event_base_loop(server_base, EVLOOP_NONBLOCK);
        break;
    case 0x1c:
        end_caller(caller);
        break;
    default:
        /* little succeeds without a process, a port and a connection */
        if (!caller->process)
            make_request(caller, REQUEST_init);
        else if ((kind & 0x1f) < REQUEST_COUNT)
            make_request(caller, kind & 0x1f);
        else
            make_request(caller, (kind & 0x1f) % 3 == 0   ? REQUEST_create_port
                                 : (kind & 0x1f) % 3 == 1 ? REQUEST_connect_port
                                                          : REQUEST_accept_port);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned int i;

    if (!server_base && !server_init(-1))
        abort();
    input = data;
    input_left = size;
    while (input_left)
        step();
    for (i = 0; i < HANDLES; i++)
        replace_handle(i, -1);
    for (i = 0; i < CLIENTS; i++)
        end_caller(&callers[i]);
    for (i = 0; i < CHANNELS; i++)
        unmap_channel(i);
    event_base_loop(server_base, EVLOOP_NONBLOCK);
    /* nothing is left of anybody */
    processes_end();
    assert(!object_first(OBJECT_PORT));
    connections_reap();
    assert(!object_first(OBJECT_CONNECTION));
    connections_end();
    sweep_end();
    known_count = channel_count = 0;
    last_port = last_message = 0;
    return 0;
}
