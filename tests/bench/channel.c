/*
 * Benchmark: the channel between two native processes
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The data path as a system call uses it, without Wine, the capture of arguments and the lookup of handles.
 */

#include "bench.h"

#include "dlls/ntdll/alpc/receive.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLOT 1

struct channel_bench
{
    struct main_queue main;
    struct connection client, server;
    struct roster_entry *roster;
    _Atomic(void *) connections[SLOT + 1];
};

static _Alignas(4096) union
{
    PORT_MESSAGE header;
    uint8_t bytes[BENCH_BUFFER];
} buffer;

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        fail("no memory");
    return memory;
}

/* what alpcserver does for a connection that has been accepted */
static void connect_ends(struct channel_bench *bench)
{
    int fd = channel_create(1, 0);

    if (fd == -1 || !channel_map(&bench->client.channel, fd, true) || !channel_map(&bench->server.channel, fd, true))
        fail("no memory");
    close(fd);
    bench->client.channel.header->max_payload = CELL_MAX_PAYLOAD;
    bench->client.channel.header->link = LINK_CONNECTED;
    bench->client.end = END_CLIENT;
    bench->server.end = END_SERVER;
    bench->client.channel.slot = bench->server.channel.slot = SLOT;
    bench->client.channel.queue[END_SERVER] = bench->server.channel.queue[END_SERVER] = &bench->main.queue;
    bench->client.main = bench->server.main = &bench->main;
    bench->client.generation = bench->server.generation = 1;
    atomic_store(&bench->roster[SLOT].generation, 1);
    atomic_store(&bench->roster[SLOT].state, ROSTER_CONNECTED);
    bench->connections[SLOT] = &bench->server;
}

struct channel_bench *channel_bench_new(void)
{
    struct channel_bench *bench = calloc(1, sizeof(*bench));
    void *post = shared(PORT_POST_SIZE), *desk = shared(PORT_DESK_SIZE);

    if (!bench)
        fail("no memory");
    queue_init(&bench->main.queue, post, desk, (_Atomic uint64_t *)((uint8_t *)post + 0x1000), PORT_QUEUE_BITS);
    bench->main.roster = bench->roster = shared(ROSTER_SIZE * sizeof(*bench->roster));
    connect_ends(bench);
    return bench;
}

static struct thread *this_thread(void)
{
    static uint32_t id;

    if (!id)
        id = (uint32_t)getpid();
    return thread_current(id, id);
}

static void check(NTSTATUS status, const char *what)
{
    if (status)
        fail("%s: status %08x", what, (unsigned int)status);
}

static struct message_out captured(void)
{
    return (struct message_out){ .data_length = (uint16_t)buffer.header.u1.s1.DataLength,
                                 .payload_length = (uint16_t)buffer.header.u1.s1.DataLength,
                                 .message_id = buffer.header.MessageId,
                                 .callback_id = buffer.header.CallbackId,
                                 .payload = buffer.bytes + BENCH_HEADER };
}

static void answer(struct thread *thread, struct port *port)
{
    struct message_out out = captured();
    struct connection *connection;
    struct message_ref ref;

    check(port_use_connection(thread, port, message_slot(out.message_id), &connection), "connection");
    out.release = true;
    check(message_answer(thread, connection, &out, &ref), "answer");
    thread_release(thread, USE_CONNECTION);
}

static struct port server_port(struct channel_bench *bench)
{
    return (struct port){ .kind = PORT_CONNECTION,
                          .main = &bench->main,
                          .queue = &bench->main.queue,
                          .roster = bench->roster,
                          .connections = bench->connections };
}

static void receive(struct thread *thread, struct port *port)
{
    struct message_in in = { .buffer = buffer.bytes, .capacity = sizeof(buffer) };

    check(message_receive(thread, port, &in, &deadline_never), "receive");
}

void channel_bench_serve(void *arg)
{
    struct port port = server_port(arg);
    bool pending = false;

    for (;;)
    {
        struct thread *thread = this_thread();

        if (pending)
            answer(thread, &port);
        receive(thread, &port);
        pending = true;
    }
}

static void set_size(unsigned int size)
{
    memset(&buffer.header, 0, sizeof(buffer.header));
    buffer.header.u1.Length = size | (uint32_t)(BENCH_HEADER + size) << 16;
}

static void request(struct thread *thread, struct channel_bench *bench, struct message_ref *ref)
{
    struct message_out out;

    buffer.header.MessageId = buffer.header.CallbackId = 0;
    out = captured();
    out.sync = true;
    check(message_send(thread, &bench->client, &out, ref), "send");
}

static void await(struct thread *thread, struct message_ref *ref)
{
    struct message_in in = { .buffer = buffer.bytes, .capacity = sizeof(buffer) };

    check(message_await(thread, ref, &in, &deadline_never), "await");
}

void channel_bench_call(void *arg, unsigned int size, unsigned int count)
{
    set_size(size);
    while (count--)
    {
        struct thread *thread = this_thread();
        struct message_ref ref;

        request(thread, arg, &ref);
        await(thread, &ref);
    }
}

void channel_bench_alone(void *arg, unsigned int size, unsigned int count)
{
    struct port port = server_port(arg);

    set_size(size);
    while (count--)
    {
        struct thread *thread = this_thread();
        struct message_ref ref;

        request(thread, arg, &ref);
        receive(thread, &port);
        answer(thread, &port);
        await(thread, &ref);
    }
}
