/*
 * Tests of dlls/ntdll/alpc/message.c and thread.c: messages between two ends, deaths, hostile peers
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tests stand in for alpcserver: they make the memory of a connection port and of one accepted connection, and do
 * what it does when an end goes.  Both ends live in this process, or in children that inherit the mappings.
 */

#include "stress.h"

#include "dlls/ntdll/alpc/doubt.h"
#include "dlls/ntdll/alpc/receive.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEADER_SIZE sizeof(PORT_MESSAGE)
#define LONGEST (0xffff - HEADER_SIZE)
#define SLOT 5
#define POST_BYTES PORT_POST_SIZE
#define ROSTER_BYTES (ROSTER_SIZE * sizeof(struct roster_entry))

static struct world
{
    struct main_queue main;
    struct roster_entry *roster;
    _Atomic(void *) connections[SLOT + 1];
    struct connection client, server;
    struct port server_port, client_port;
    void *post, *desk;
} world;

static struct channel_header *header;

static NTSTATUS no_connection(struct port *port, uint32_t slot)
{
    (void)port, (void)slot;
    return STATUS_INVALID_MESSAGE;
}

static void make_end(struct connection *connection, enum alpc_end end, int fd)
{
    *connection = (struct connection){ .end = end, .generation = 1, .peer = 0x77, .main = &world.main };
    CHECK(channel_map(&connection->channel, fd, true));
    connection->channel.slot = SLOT;
    connection->channel.queue[END_SERVER] = &world.main.queue;
    connection->channel.queue[END_CLIENT] = &connection->channel.client_queue;
}

static void begin(void)
{
    int fd = channel_create(1, 0);

    CHECK(fd != -1);
    world.post = shared_memory(POST_BYTES);
    world.desk = shared_memory(PORT_DESK_SIZE);
    world.roster = shared_memory(ROSTER_BYTES);
    queue_init(&world.main.queue, world.post, world.desk, (_Atomic uint64_t *)((uint8_t *)world.post + 0x1000),
               PORT_QUEUE_BITS);
    world.main.roster = world.roster;
    make_end(&world.client, END_CLIENT, fd);
    make_end(&world.server, END_SERVER, fd);
    close(fd);
    header = world.client.channel.header;
    header->max_payload = CELL_MAX_PAYLOAD;
    header->link = LINK_CONNECTED;
    world.roster[SLOT].generation = 1;
    world.roster[SLOT].state = ROSTER_CONNECTED;
    world.roster[SLOT].port_context = 0xc0ffee;
    world.roster[SLOT].process[0] = 0x55;
    world.connections[SLOT] = &world.server;
    world.server_port = (struct port){ .kind = PORT_CONNECTION,
                                       .main = &world.main,
                                       .queue = &world.main.queue,
                                       .roster = world.roster,
                                       .connections = world.connections };
    world.client_port =
        (struct port){ .kind = PORT_CLIENT, .queue = &world.client.channel.client_queue, .connection = &world.client };
    port_attach_connection = no_connection;
}

static void end(void)
{
    connection_unmap(&world.client);
    connection_unmap(&world.server);
    free_shared_memory(world.post, POST_BYTES);
    free_shared_memory(world.desk, PORT_DESK_SIZE);
    free_shared_memory(world.roster, ROSTER_BYTES);
}

/* a child has inherited the record of its parent's thread */
static struct thread *begin_thread(void)
{
    uint32_t id = (uint32_t)syscall(SYS_gettid);

    if (thread_record && thread_record->thread_id != id)
        thread_unregister();
    return thread_current((uint32_t)getpid(), id);
}

/* cells of both ends that hold a message, or what remains of one though nobody needs that */
static unsigned int count_used(void)
{
    unsigned int count = 0, index;
    enum alpc_end owner;

    for (owner = END_CLIENT; owner <= END_SERVER; owner++)
        for (index = 0; index < CELL_COUNT; index++)
        {
            uint64_t state = cell_state(channel_cell(&world.client.channel, CELL_ID(owner, index)));

            count += cell_phase(state) != CELL_FREE && cell_phase(state) != CELL_VOID;
        }
    return count;
}

/* ---------------------------------------------------------------------------------------------- messages */

/* every byte of a message follows from its number, which stands first */
struct payload
{
    uint32_t number;
    uint8_t bytes[LONGEST - 4];
};

static uint32_t size_of(uint32_t number)
{
    static const uint32_t sizes[] = { 4, 8, 4, 127, 128, 129, 4, 300, 5000, 60000, LONGEST };

    return sizes[number % 64 < ARRAY_SIZE(sizes) ? number % 64 : 0];
}

static void fill(struct payload *payload, uint32_t number)
{
    uint32_t i, size = size_of(number);

    payload->number = number;
    for (i = 4; i < size; i++)
        payload->bytes[i - 4] = (uint8_t)(number * 31 + i);
}

static bool is_whole(const struct payload *payload, uint32_t size)
{
    uint32_t i;

    if (size != size_of(payload->number))
        return false;
    for (i = 4; i < size; i++)
        if (payload->bytes[i - 4] != (uint8_t)(payload->number * 31 + i))
            return false;
    return true;
}

struct received
{
    PORT_MESSAGE header;
    struct payload payload;
};

static uint32_t data_size(const struct received *message)
{
    return message->header.u1.Length & 0xffff;
}

static uint32_t type_of(const struct received *message)
{
    return message->header.u2.ZeroInit & 0xff;
}

static NTSTATUS send_message(struct connection *connection, const struct payload *payload, bool sync, bool release,
                             struct message_ref *ref)
{
    const uint32_t size = size_of(payload->number);
    const struct message_out out = { .data_length = (uint16_t)size,
                                     .payload_length = (uint16_t)size,
                                     .payload = (const uint8_t *)payload,
                                     .sync = sync,
                                     .release = release };

    return message_send(begin_thread(), connection, &out, ref);
}

static NTSTATUS answer_message(struct connection *connection, const struct received *to, const struct payload *payload,
                               bool sync, struct message_ref *ref)
{
    const uint32_t size = size_of(payload->number);
    const struct message_out out = { .data_length = (uint16_t)size,
                                     .payload_length = (uint16_t)size,
                                     .message_id = to->header.MessageId,
                                     .callback_id = (uint32_t)to->header.ClientViewSize,
                                     .payload = (const uint8_t *)payload,
                                     .sync = sync,
                                     .release = !sync };

    return message_answer(begin_thread(), connection, &out, ref);
}

static NTSTATUS receive(struct port *port, struct received *message, const struct deadline *deadline)
{
    struct message_in in = { .buffer = message, .capacity = sizeof(*message) };
    struct thread *thread = begin_thread();
    NTSTATUS status = message_receive(thread, port, &in, deadline);

    thread_release(thread, USE_CONNECTION);
    return status;
}

static NTSTATUS receive_now(struct port *port, struct received *message)
{
    const struct deadline poll = { 0 };

    return receive(port, message, &poll);
}

static NTSTATUS await(struct message_ref *ref, struct received *message, const struct deadline *deadline)
{
    struct message_in in = { .buffer = message, .capacity = sizeof(*message) };

    return message_await(begin_thread(), ref, &in, deadline);
}

static NTSTATUS await_for(struct message_ref *ref, struct received *message, uint64_t ns)
{
    const struct deadline deadline = deadline_in(ns);

    return await(ref, message, &deadline);
}

static bool step(struct connection *connection, const struct message_ref *ref, enum cell_event event)
{
    uint64_t state = cell_state(ref->cell);

    return cell_step(&connection->channel, ref->id, ref->cell, &state, event, connection_actor(connection, begin_thread()));
}

/* what alpcserver does when this thread, as one of that end's, has died */
static void bury(struct connection *connection)
{
    cell_bury(&connection->channel, &(struct cell_dead){ .end = connection->end, .thread = begin_thread()->thread_id });
}

/* this thread is going to wait for an answer to what it writes */
static void store_waiter(const struct message_ref *ref, enum alpc_end end)
{
    atomic_store(&ref->cell->waiter[end].thread, begin_thread()->thread_id);
}

static struct payload payload;
static struct received got, got_too;

/* ---------------------------------------------------------------------------------------------- one thread */

/* 0 to the longest, there and back, in every way [4.4, 4.5] */
static void test_ways(void **state)
{
    struct message_ref ref, ignored;
    uint32_t number;

    (void)state;
    begin();
    for (number = 0; number < 64; number++)
    {
        fill(&payload, number);
        /* synchronous */
        assert_int_equal(send_message(&world.client, &payload, true, false, &ref), STATUS_SUCCESS);
        assert_int_equal(receive_now(&world.server_port, &got), STATUS_SUCCESS);
        assert_true(is_whole(&got.payload, data_size(&got)));
        assert_int_equal(type_of(&got), LPC_REQUEST);
        assert_int_equal((uintptr_t)got.header.ClientId.UniqueProcess, 0x55);
        assert_int_equal(answer_message(&world.server, &got, &payload, false, &ignored), STATUS_SUCCESS);
        assert_int_equal(await(&ref, &got_too, &deadline_never), STATUS_SUCCESS);
        assert_true(is_whole(&got_too.payload, data_size(&got_too)));
        assert_int_equal(type_of(&got_too), LPC_REPLY);
        assert_int_equal(got_too.header.MessageId, got.header.MessageId);
        assert_int_equal(answer_message(&world.server, &got, &payload, false, &ignored), STATUS_INVALID_MESSAGE);
        /* asynchronous, from either end */
        assert_int_equal(send_message(&world.client, &payload, false, false, &ref), STATUS_SUCCESS);
        assert_int_equal(receive_now(&world.server_port, &got), STATUS_SUCCESS);
        assert_int_equal(answer_message(&world.server, &got, &payload, false, &ignored), STATUS_SUCCESS);
        assert_int_equal(receive_now(&world.client_port, &got_too), STATUS_SUCCESS);
        assert_true(is_whole(&got_too.payload, data_size(&got_too)));
        assert_int_equal(send_message(&world.server, &payload, false, true, &ref), STATUS_SUCCESS);
        assert_int_equal(receive_now(&world.client_port, &got), STATUS_SUCCESS);
        assert_int_equal(type_of(&got), LPC_DATAGRAM);
        assert_int_equal(receive_now(&world.client_port, &got), STATUS_TIMEOUT);
        assert_int_equal(receive_now(&world.server_port, &got), STATUS_TIMEOUT);
        assert_int_equal(count_used(), 0);
    }
    end();
}

/* the answer to a request is a request, and so on */
static void test_callbacks(void **state)
{
    enum
    {
        DEPTH = 6
    };
    struct message_ref refs[DEPTH];
    int i;

    (void)state;
    begin();
    fill(&payload, 8);
    assert_int_equal(send_message(&world.client, &payload, true, false, &refs[0]), STATUS_SUCCESS);
    assert_int_equal(receive_now(&world.server_port, &got), STATUS_SUCCESS);
    for (i = 1; i < DEPTH; i++)
    {
        struct connection *from = i % 2 ? &world.server : &world.client;

        assert_int_equal(answer_message(from, &got, &payload, true, &refs[i]), STATUS_SUCCESS);
        assert_int_equal(await(&refs[i - 1], &got, &deadline_never), STATUS_SUCCESS);
        assert_int_equal(type_of(&got), LPC_REQUEST);
        assert_true(is_whole(&got.payload, data_size(&got)));
    }
    /* refs[5] is the server's */
    assert_int_equal(answer_message(&world.client, &got, &payload, false, &refs[0]), STATUS_SUCCESS);
    assert_int_equal(await(&refs[DEPTH - 1], &got, &deadline_never), STATUS_SUCCESS);
    assert_int_equal(type_of(&got), LPC_REPLY);
    end();
}

/* a callback stands ready when one of the two that wait gives up, or dies: the message is over for both */
static void test_callback_lost(void **state)
{
    enum way
    {
        TIMEOUT,
        SERVER_DIES,
        CLIENT_DIES,
        BOTH_DIE,
        TAKEN_FIRST,
        WAYS
    };
    struct message_ref request, callback;
    unsigned int way, nested;

    (void)state;
    for (way = 0; way < WAYS; way++)
        for (nested = 0; nested < 2; nested++)
        {
            /* of the last exchange, which goes the other way round after a callback */
            struct connection *asking = nested ? &world.client : &world.server;
            struct connection *waiting = nested ? &world.server : &world.client;

            begin();
            fill(&payload, 8);
            assert_int_equal(send_message(&world.client, &payload, true, false, &request), STATUS_SUCCESS);
            assert_int_equal(receive_now(&world.server_port, &got), STATUS_SUCCESS);
            if (nested)
            {
                assert_int_equal(answer_message(&world.server, &got, &payload, true, &callback), STATUS_SUCCESS);
                assert_int_equal(await(&request, &got, &deadline_never), STATUS_SUCCESS);
                request = callback;
            }
            assert_int_equal(answer_message(asking, &got, &payload, true, &callback), STATUS_SUCCESS);
            if (way == TAKEN_FIRST)
            {
                /* it is there, so the first to look has it */
                assert_int_equal(await_for(&request, &got, 0), STATUS_SUCCESS);
                assert_int_equal(await_for(&callback, &got_too, 1000000), STATUS_TIMEOUT);
                assert_int_equal(answer_message(waiting, &got, &payload, false, &request), STATUS_REQUEST_CANCELED);
                end();
                continue;
            }
            if (way == TIMEOUT)
                assert_int_equal(await_for(&callback, &got_too, 1000000), STATUS_TIMEOUT);
            if (way == SERVER_DIES || way == BOTH_DIE)
                bury(asking);
            if (way == CLIENT_DIES || way == BOTH_DIE)
                bury(waiting);
            if (way != TIMEOUT)
                assert_int_equal(await(&callback, &got_too, &deadline_never), STATUS_MESSAGE_LOST);
            assert_int_equal(await(&request, &got_too, &deadline_never), STATUS_MESSAGE_LOST);
            assert_int_equal(answer_message(asking, &got, &payload, false, &request), STATUS_INVALID_MESSAGE);
            assert_int_equal(count_used(), 0);
            end();
        }
}

/* the callback that is given up is longer than the buffer of who waits */
static void test_callback_lost_small(void **state)
{
    struct message_in in = { .buffer = &got_too, .capacity = HEADER_SIZE };
    struct message_ref request, callback;

    (void)state;
    begin();
    fill(&payload, 8);
    assert_int_equal(send_message(&world.client, &payload, true, false, &request), STATUS_SUCCESS);
    assert_int_equal(receive_now(&world.server_port, &got), STATUS_SUCCESS);
    assert_int_equal(answer_message(&world.server, &got, &payload, true, &callback), STATUS_SUCCESS);
    /* first it goes to the queue, where it is given up like anything else */
    assert_int_equal(message_await(begin_thread(), &request, &in, &deadline_never), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(await_for(&callback, &got_too, 1000000), STATUS_TIMEOUT);
    assert_int_equal(receive_now(&world.client_port, &got), STATUS_TIMEOUT);
    assert_int_equal(count_used(), 0);
    end();
}

/* the thread that answers with a request of its own goes before it has written it: who waited goes on waiting */
static void test_callback_unwritten(void **state)
{
    struct message_ref request, ignored;

    (void)state;
    begin();
    fill(&payload, 8);
    assert_int_equal(send_message(&world.client, &payload, true, false, &request), STATUS_SUCCESS);
    assert_int_equal(receive_now(&world.server_port, &got), STATUS_SUCCESS);
    ignored = request;
    assert_true(step(&world.server, &ignored, EVENT_BEGIN));
    store_waiter(&ignored, END_SERVER);
    bury(&world.server);
    assert_int_equal(cell_phase(cell_state(request.cell)), CELL_HELD + END_SERVER);
    assert_int_equal(answer_message(&world.server, &got, &payload, false, &ignored), STATUS_SUCCESS);
    assert_int_equal(await(&request, &got, &deadline_never), STATUS_SUCCESS);
    assert_int_equal(type_of(&got), LPC_REPLY);
    assert_int_equal(count_used(), 0);
    end();
}

static void test_wrong_ids(void **state)
{
    struct message_ref ref;
    struct received wrong;
    unsigned int bit;

    (void)state;
    begin();
    fill(&payload, 8);
    assert_int_equal(send_message(&world.client, &payload, false, false, &ref), STATUS_SUCCESS);
    assert_int_equal(receive_now(&world.server_port, &got), STATUS_SUCCESS);
    for (bit = 0; bit < 32; bit++)
    {
        wrong = got;
        wrong.header.MessageId ^= 1u << bit;
        assert_int_equal(answer_message(&world.server, &wrong, &payload, false, &ref), STATUS_INVALID_MESSAGE);
        wrong = got;
        wrong.header.ClientViewSize ^= 1u << bit;
        if (wrong.header.ClientViewSize)
            assert_int_equal(answer_message(&world.server, &wrong, &payload, false, &ref), STATUS_INVALID_MESSAGE);
    }
    /* it is the server's to answer, not the client's */
    assert_int_equal(answer_message(&world.client, &got, &payload, false, &ref), STATUS_INVALID_MESSAGE);
    assert_int_equal(answer_message(&world.server, &got, &payload, false, &ref), STATUS_SUCCESS);
    end();
}

/* what the receiver has no room for stays [4.4] */
static void test_small_buffer(void **state)
{
    struct message_in in = { .buffer = &got, .capacity = HEADER_SIZE + 299 };
    const struct deadline poll = { 0 };
    struct message_ref ref, ignored;

    (void)state;
    begin();
    fill(&payload, 7);
    assert_int_equal(send_message(&world.client, &payload, true, false, &ref), STATUS_SUCCESS);
    assert_int_equal(message_receive(begin_thread(), &world.server_port, &in, &poll), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(in.needed, HEADER_SIZE + 300);
    in.capacity++;
    assert_int_equal(message_receive(begin_thread(), &world.server_port, &in, &poll), STATUS_SUCCESS);
    assert_int_equal(in.port_context, 0xc0ffee);
    assert_int_equal(answer_message(&world.server, &got, &payload, false, &ignored), STATUS_SUCCESS);
    in.capacity--;
    assert_int_equal(message_await(begin_thread(), &ref, &in, &poll), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(receive_now(&world.client_port, &got), STATUS_SUCCESS);
    assert_true(is_whole(&got.payload, data_size(&got)));
    assert_int_equal(count_used(), 0);
    end();
}

/* requests that are given up: not received yet, received, about to be answered */
static void test_timeout(void **state)
{
    struct message_ref ref, ignored;

    (void)state;
    begin();
    fill(&payload, 8);
    assert_int_equal(send_message(&world.client, &payload, true, false, &ref), STATUS_SUCCESS);
    assert_int_equal(await_for(&ref, &got, 1000000), STATUS_TIMEOUT);
    assert_int_equal(receive_now(&world.server_port, &got), STATUS_TIMEOUT);
    assert_int_equal(count_used(), 0);

    assert_int_equal(send_message(&world.client, &payload, true, false, &ref), STATUS_SUCCESS);
    assert_int_equal(receive_now(&world.server_port, &got), STATUS_SUCCESS);
    assert_int_equal(await_for(&ref, &got_too, 1000000), STATUS_TIMEOUT);
    assert_int_equal(answer_message(&world.server, &got, &payload, false, &ignored), STATUS_REQUEST_CANCELED);
    assert_int_equal(receive_now(&world.server_port, &got_too), STATUS_SUCCESS);
    assert_int_equal(type_of(&got_too), LPC_CANCELED);
    assert_int_equal(got_too.header.MessageId, got.header.MessageId);
    assert_int_equal(count_used(), 0);
    end();
}

/* a cell's signal is not cleared: that of the message before is no answer to this one, from either end */
static void test_stale_signal(void **state)
{
    struct connection *from[] = { &world.client, &world.server }, *to[] = { &world.server, &world.client };
    struct port *receives[] = { &world.server_port, &world.client_port };
    struct message_ref ref, before;
    unsigned int i;

    (void)state;
    begin();
    fill(&payload, 8);
    for (i = 0; i < ARRAY_SIZE(from); i++)
    {
        assert_int_equal(send_message(from[i], &payload, true, false, &before), STATUS_SUCCESS);
        assert_int_equal(receive_now(receives[i], &got), STATUS_SUCCESS);
        assert_int_equal(answer_message(to[i], &got, &payload, false, &ref), STATUS_SUCCESS);
        assert_int_equal(await_for(&before, &got, 1000000), STATUS_SUCCESS);
        assert_int_equal(send_message(from[i], &payload, true, false, &ref), STATUS_SUCCESS);
        assert_ptr_equal(ref.cell, before.cell);
        assert_int_equal(await_for(&ref, &got, 1000000), STATUS_TIMEOUT);
    }
    end();
}

/* alpcserver has died while it accepted: the message is sent all the same, after a while */
static void test_died_accepting(void **state)
{
    struct message_ref ref;

    (void)state;
    begin();
    fill(&payload, 8);
    header->link = LINK_ACCEPTING;
    assert_int_equal(send_message(&world.client, &payload, false, true, &ref), STATUS_SUCCESS);
    assert_int_equal(receive_now(&world.server_port, &got), STATUS_SUCCESS);
    assert_true(is_whole(&got.payload, data_size(&got)));
    end();
}

static NTSTATUS attach_old(struct port *port, uint32_t slot)
{
    (void)port, (void)slot;
    return STATUS_SUCCESS;
}

/* the slot has been given to another connection between two looks: its PortContext is not told with the old message */
static void test_slot_reused(void **state)
{
    struct message_ref ref;

    (void)state;
    begin();
    fill(&payload, 8);
    assert_int_equal(send_message(&world.client, &payload, false, true, &ref), STATUS_SUCCESS);
    world.roster[SLOT].generation++;
    world.roster[SLOT].port_context = 0xbad;
    port_attach_connection = attach_old;
    assert_int_equal(receive_now(&world.server_port, &got), STATUS_TIMEOUT);
    end();
}

/* a thread that faults while it copies; what becomes of that is seen when it calls again */
static void fault(struct connection *connection, const struct message_ref *ref, uint32_t gen, enum cell_event undone)
{
    thread_copy_begin(begin_thread(), connection_actor(connection, begin_thread()), &connection->channel, ref->id,
                      ref->cell, gen, undone);
    begin_thread();
}

/* a call that ended in a fault: what it had in hand goes back with the thread's next call */
static void test_faults(void **state)
{
    struct message_ref ref;
    unsigned int i;

    (void)state;
    begin();
    /* while a new message was written; a cell that has gone on without the thread is left alone */
    for (i = 0; i < 2; i++)
    {
        ref.id = cell_alloc(&world.client.channel, END_CLIENT, connection_actor(&world.client, begin_thread()));
        ref.cell = channel_cell(&world.client.channel, ref.id);
        fault(&world.client, &ref, cell_gen(cell_state(ref.cell)) + i, EVENT_DONE);
        assert_int_equal(count_used(), i);
    }
    end();
    begin();
    /* while it received into its buffer, after it had waited */
    waiter_begin(&world.main.queue.desk->waiters, &begin_thread()->waiter, begin_thread()->sleeper);
    assert_int_equal(waiters_count(&world.main.queue.desk->waiters), 1);
    thread_recover(begin_thread());
    assert_int_equal(waiters_count(&world.main.queue.desk->waiters), 0);
    /* while it copied a message: the next one to receive gets it */
    for (i = 0; i < 2; i++)
    {
        fill(&payload, 8);
        assert_int_equal(send_message(&world.client, &payload, false, i, &ref), STATUS_SUCCESS);
        assert_true(queue_take(&world.main.queue, queue_head(&world.main.queue)));
        assert_true(step(&world.server, &ref, i ? EVENT_READ : EVENT_RECEIVE));
        fault(&world.server, &ref, ref.gen, EVENT_REQUEUE);
        assert_int_equal(receive_now(&world.server_port, &got), STATUS_SUCCESS);
        assert_true(is_whole(&got.payload, data_size(&got)));
        assert_int_equal(type_of(&got), i ? LPC_DATAGRAM : LPC_REQUEST);
    }
    end();
    begin();
    /* while an answer was written */
    fill(&payload, 8);
    assert_int_equal(send_message(&world.client, &payload, true, false, &ref), STATUS_SUCCESS);
    assert_int_equal(receive_now(&world.server_port, &got), STATUS_SUCCESS);
    assert_true(step(&world.server, &ref, EVENT_BEGIN));
    fault(&world.server, &ref, ref.gen, EVENT_UNDO);
    assert_int_equal(cell_phase(cell_state(ref.cell)), CELL_HELD + END_SERVER);
    /* the same, and the requester gives up */
    assert_true(step(&world.server, &ref, EVENT_BEGIN));
    assert_int_equal(await_for(&ref, &got_too, 1000000), STATUS_TIMEOUT);
    assert_int_equal(cell_phase(cell_state(ref.cell)), CELL_ABANDONED + END_SERVER);
    fault(&world.server, &ref, ref.gen, EVENT_UNDO);
    assert_int_equal(count_used(), 0);
    assert_int_equal(answer_message(&world.server, &got, &payload, false, &ref), STATUS_REQUEST_CANCELED);
    end();
}

/* ---------------------------------------------------------------------------------------------- traffic */

#define MOST_DATAGRAMS 0x400000

struct tally
{
    _Atomic uint32_t stop;
    struct sender
    {
        _Alignas(64) _Atomic uint32_t begun; /* number of the last message of this sender */
        _Atomic uint32_t done;               /* and of the last one that it has sent */
        _Atomic uint32_t received;
    } senders[3];
    _Atomic uint64_t calls, received;
    _Atomic uint8_t sent[3][MOST_DATAGRAMS]; /* by sender and number: certainly sent */
};

static struct tally *tally;

static void serve(void)
{
    struct message_ref ref;
    struct received *message = malloc(sizeof(*message));

    CHECK(message != NULL);
    while (!atomic_load(&tally->stop))
    {
        const struct deadline soon = deadline_in(20000000);
        NTSTATUS status = receive(&world.server_port, message, &soon);

        if (status == STATUS_TIMEOUT)
            continue;
        CHECK_EQUAL(status, STATUS_SUCCESS);
        if (type_of(message) == LPC_CANCELED || type_of(message) == LPC_PORT_CLOSED)
            continue;
        CHECK(is_whole(&message->payload, data_size(message)));
        status = answer_message(&world.server, message, &message->payload, false, &ref);
        /* given up; the last one when another thread has received the notice of that already */
        CHECK(!status || status == STATUS_REQUEST_CANCELED || status == STATUS_INVALID_MESSAGE);
        atomic_fetch_add(&tally->received, 1);
    }
    free(message);
}

static void *serve_thread(void *arg)
{
    (void)arg;
    serve();
    thread_unregister();
    return NULL;
}

static void *call_thread(void *arg)
{
    struct random random = random_stream((uint64_t)(uintptr_t)arg);
    unsigned int i, count = scaled(20000);
    struct received *message = malloc(sizeof(*message));
    struct payload *request = malloc(sizeof(*request));

    CHECK(message != NULL && request != NULL);
    for (i = 0; i < count; i++)
    {
        struct message_ref ref;
        NTSTATUS status;

        fill(request, (uint32_t)random_next(&random));
        CHECK_EQUAL(send_message(&world.client, request, true, false, &ref), STATUS_SUCCESS);
        status = random_below(&random, 8) ? await(&ref, message, &deadline_never)
                                          : await_for(&ref, message, random_below(&random, 30000));
        CHECK(!status || status == STATUS_TIMEOUT);
        if (!status)
            CHECK(message->payload.number == request->number && is_whole(&message->payload, data_size(message)));
    }
    free(message);
    free(request);
    thread_unregister();
    return NULL;
}

/* clients that give up at any moment: every answer is the right one, and nothing is left in the end */
static void test_threads(void **state)
{
    pthread_t servers[2], clients[3];
    unsigned int i;

    (void)state;
    begin();
    tally = shared_memory(sizeof(*tally));
    for (i = 0; i < ARRAY_SIZE(servers); i++)
        start_thread(&servers[i], serve_thread, NULL);
    for (i = 0; i < ARRAY_SIZE(clients); i++)
        start_thread(&clients[i], call_thread, (void *)(uintptr_t)(20 + i));
    for (i = 0; i < ARRAY_SIZE(clients); i++)
        join_thread(clients[i]);
    pass_us(50000);
    atomic_store(&tally->stop, 1);
    for (i = 0; i < ARRAY_SIZE(servers); i++)
        join_thread(servers[i]);
    while (receive_now(&world.server_port, &got) == STATUS_SUCCESS)
        assert_int_equal(type_of(&got), LPC_CANCELED);
    assert_int_equal(count_used(), 0);
    free_shared_memory(tally, sizeof(*tally));
    end();
}

/* ---------------------------------------------------------------------------------------------- deaths */

/* datagrams with numbers that count: number = sender << 28 | count */
static void send_until_killed(void *arg)
{
    uint32_t number = (uint32_t)(uintptr_t)arg;
    struct sender *sender = &tally->senders[number];
    struct payload *datagram = malloc(sizeof(*datagram));
    struct message_ref ref;
    NTSTATUS status;

    CHECK(datagram != NULL);
    for (;;)
    {
        uint32_t next = atomic_load(&sender->begun) + 1;

        fill(datagram, number << 28 | next);
        atomic_store(&sender->begun, next);
        do
            status = send_message(&world.client, datagram, false, true, &ref);
        while (status == STATUS_INSUFFICIENT_RESOURCES);
        CHECK_EQUAL(status, STATUS_SUCCESS);
        CHECK(next < MOST_DATAGRAMS);
        atomic_store(&tally->sent[number][next], 1);
        atomic_store(&sender->done, next);
    }
}

static void take_datagram(const struct received *message)
{
    uint32_t number = message->payload.number >> 28, count = message->payload.number & 0xfffffff, missing;
    struct sender *sender = &tally->senders[number];

    CHECK(is_whole(&message->payload, data_size(message)));
    /* in order, once, and none that was sent is left out */
    CHECK(count > atomic_load(&sender->received));
    for (missing = atomic_load(&sender->received) + 1; missing < count; missing++)
        CHECK(!atomic_load(&tally->sent[number][missing]));
    atomic_store(&sender->received, count);
}

static void drain(void)
{
    NTSTATUS status;

    while ((status = receive_now(&world.server_port, &got)) == STATUS_SUCCESS)
        take_datagram(&got);
    CHECK_EQUAL(status, STATUS_TIMEOUT);
}

/* what alpcserver does for a dead thread of an end that others share */
static void bury_client(pid_t dead)
{
    const struct cell_dead who = { .end = END_CLIENT, .thread = (uint32_t)dead };

    cell_bury(&world.client.channel, &who);
    cell_announce_missing(&world.client.channel, END_SERVER);
}

/* of what a process has sent before it was killed nothing is lost, doubled or overtaken; its cells come back */
static void test_killed_senders(void **state)
{
    struct random random = random_stream(30);
    unsigned int i, j, rounds = scaled(200);
    pid_t pids[3];

    (void)state;
    begin();
    tally = shared_memory(sizeof(*tally));
    for (i = 0; i < rounds; i++)
    {
        struct deadline until = deadline_in(random_below(&random, 3000000));

        for (j = 0; j < ARRAY_SIZE(pids); j++)
            pids[j] = start_child(send_until_killed, (void *)(uintptr_t)j);
        while (!deadline_passed(&until))
            if (receive(&world.server_port, &got, &until) == STATUS_SUCCESS)
                take_datagram(&got);
        for (j = 0; j < ARRAY_SIZE(pids); j++)
            kill_child(pids[j]);
        for (j = 0; j < ARRAY_SIZE(pids); j++)
            bury_client(pids[j]);
        drain();
        for (j = 0; j < ARRAY_SIZE(pids); j++)
        {
            struct sender *sender = &tally->senders[j];

            CHECK(atomic_load(&sender->received) >= atomic_load(&sender->done));
        }
        assert_int_equal(count_used(), 0);
    }
    free_shared_memory(tally, sizeof(*tally));
    end();
}

static void call_until_lost(void *arg)
{
    struct random random = random_stream(200 + (uint64_t)(uintptr_t)arg);
    struct payload *request = malloc(sizeof(*request));
    struct received *message = malloc(sizeof(*message));
    struct message_ref ref;
    NTSTATUS status;

    CHECK(message != NULL && request != NULL);
    for (;;)
    {
        fill(request, (uint32_t)random_next(&random));
        if ((status = send_message(&world.client, request, true, false, &ref)))
            break;
        if ((status = await(&ref, message, &deadline_never)))
            break;
        CHECK(message->payload.number == request->number && is_whole(&message->payload, data_size(message)));
        atomic_fetch_add(&tally->calls, 1);
    }
    CHECK(status == STATUS_PORT_DISCONNECTED || status == STATUS_MESSAGE_LOST);
}

static void serve_until_killed(void *arg)
{
    (void)arg;
    serve();
}

/* a server that is killed anywhere: every caller learns it */
static void test_killed_servers(void **state)
{
    struct random random = random_stream(31);
    unsigned int i, j, index, rounds = scaled(100);
    uint64_t calls = 0;

    (void)state;
    for (i = 0; i < rounds; i++)
    {
        pid_t server, clients[3];

        begin();
        tally = shared_memory(sizeof(*tally));
        server = start_child(serve_until_killed, NULL);
        for (j = 0; j < ARRAY_SIZE(clients); j++)
            clients[j] = start_child(call_until_lost, (void *)(uintptr_t)j);
        pass_us(random_below(&random, 4000));
        kill_child(server);
        /* as alpcserver does it */
        atomic_store(&header->link, LINK_CONNECTED | LINK_SERVER_GONE);
        for (index = 0; index < channel_peak(&world.client.channel, END_CLIENT); index++)
            cell_wake(channel_cell(&world.client.channel, CELL_ID(END_CLIENT, index)));
        for (j = 0; j < ARRAY_SIZE(clients); j++)
            join_child(clients[j]);
        calls += tally->calls;
        free_shared_memory(tally, sizeof(*tally));
        end();
    }
    assert_true(calls > 0);
}

static void sleep_and_stop(void *arg)
{
    struct waiter wait = { .name = 0 };

    (void)arg;
    waiter_begin(&world.main.queue.desk->waiters, &wait, begin_thread()->sleeper);
    queue_sleep(&world.main.queue, &wait, &deadline_never);
    atomic_store(&tally->stop, 1);
    for (;;)
        pause();
}

static void receive_one(void *arg)
{
    (void)arg;
    CHECK_EQUAL(receive(&world.server_port, &got, &deadline_never), STATUS_SUCCESS);
}

/* one of two receivers is woken for a message and dies before it looks: the other one gets it */
static void test_killed_receiver(void **state)
{
    struct message_ref ref;
    pid_t first, second;

    (void)state;
    begin();
    tally = shared_memory(sizeof(*tally));
    first = start_child(sleep_and_stop, NULL);
    while (atomic_load(&world.main.queue.desk->waiters.sleepers) < 1)
        pass_us(1000);
    pass_us(20000); /* it is the first in the kernel's queue too */
    second = start_child(receive_one, NULL);
    while (atomic_load(&world.main.queue.desk->waiters.sleepers) < 2)
        pass_us(1000);
    pass_us(20000);
    fill(&payload, 8);
    assert_int_equal(send_message(&world.client, &payload, false, true, &ref), STATUS_SUCCESS);
    while (!atomic_load(&tally->stop))
        pass_us(1000);
    kill_child(first);
    queue_forget(&world.main.queue, WAITER(first, 0), WAITER(UINT32_C(0x7fffffff), 0));
    join_child(second);
    free_shared_memory(tally, sizeof(*tally));
    end();
}

static void receive_too_small(void *arg)
{
    struct message_in in = { .buffer = &got, .capacity = HEADER_SIZE };

    (void)arg;
    CHECK_EQUAL(message_receive(begin_thread(), &world.server_port, &in, &deadline_never), STATUS_BUFFER_TOO_SMALL);
}

/* one of two receivers is woken and has no room for the message: the other one gets it */
static void test_two_sizes(void **state)
{
    struct message_ref ref;
    pid_t first, second;

    (void)state;
    begin();
    first = start_child(receive_too_small, NULL);
    while (atomic_load(&world.main.queue.desk->waiters.sleepers) < 1)
        pass_us(1000);
    pass_us(20000);
    second = start_child(receive_one, NULL);
    while (atomic_load(&world.main.queue.desk->waiters.sleepers) < 2)
        pass_us(1000);
    pass_us(20000);
    fill(&payload, 8);
    assert_int_equal(send_message(&world.client, &payload, false, true, &ref), STATUS_SUCCESS);
    join_child(second);
    kill(first, SIGKILL); /* it may have been the slower one */
    waitpid(first, NULL, 0);
    end();
}

/* ---------------------------------------------------------------------------------------------- hostile peers */

/* writes over all that a peer can write, most of it nearly right */
static void scribble(void *arg)
{
    struct random random = random_stream((uint64_t)(uintptr_t)arg);
    uint64_t *words = (uint64_t *)header;

    for (;;)
    {
        uint32_t id = CELL_ID(random_below(&random, 2), random_below(&random, CELL_NEAR));
        struct cell *cell = channel_cell(&world.client.channel, id);
        uint32_t gen = cell_gen(cell_state(cell));
        uint64_t position;

        switch (random_below(&random, 10))
        {
        case 0:
            *(volatile uint64_t *)&words[random_below(&random, CHANNEL_HOT_SIZE / 8)] = random_next(&random);
            break;
        case 1:
        case 2:
            atomic_store(&cell->state,
                         cell_word((enum cell_phase)random_below(&random, CELL_PHASES), gen + random_below(&random, 2),
                                   (struct cell_actor){ .thread = random_below(&random, 3) }));
            break;
        case 3:
            atomic_store(&cell->request.length, (uint32_t)random_next(&random));
            atomic_store(&cell->answer.length, (uint32_t)random_next(&random));
            break;
        case 4:
            atomic_store(&cell->attached, random_below(&random, 14));
            break;
        case 5:
            atomic_store(&cell->request.flags, random_below(&random, 8));
            atomic_store(&cell->answer.flags, random_below(&random, 8));
            break;
        case 6:
            atomic_store(&cell->signal, gen << 1 | random_below(&random, 2));
            break;
        case 7:
            queue_put(&world.main.queue, (struct queue_entry){ random_below(&random, 7), id, gen }, &position);
            queue_put(&world.client.channel.client_queue, (struct queue_entry){ 0, id, gen }, &position);
            break;
        case 8:
            atomic_store((_Atomic uint64_t *)world.post + random_below(&random, POST_BYTES / 8), random_next(&random));
            break;
        default:
            atomic_store(&header->link, random_below(&random, 4) ? LINK_CONNECTED : random_below(&random, 0x400));
            atomic_store(&header->max_payload, random_below(&random, 0x10000));
            break;
        }
    }
}

/* the buffer ends where the memory ends, so that a write beyond it faults */
static void *guarded(size_t size, void **block, size_t *block_size)
{
    size_t rounded = (size + 0xfff) & ~(size_t)0xfff;
    uint8_t *memory;

    *block_size = rounded + 0x1000;
    memory = mmap(NULL, *block_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    mprotect(memory + rounded, 0x1000, PROT_NONE);
    *block = memory;
    return memory + rounded - ((size + 7) & ~(size_t)7);
}

/* one random call of an end, with a short deadline and a buffer of any size */
static void call_anyhow(struct random *random, struct port *port, struct connection *connection)
{
    static const size_t sizes[] = { HEADER_SIZE, HEADER_SIZE + 8, HEADER_SIZE + 128, HEADER_SIZE + 1000, 0xffff };
    size_t size = sizes[random_below(random, ARRAY_SIZE(sizes))], block_size;
    const struct deadline soon = deadline_in(random_below(random, 200000)), poll = { 0 };
    struct thread *thread = begin_thread();
    struct message_ref ref;
    void *block;
    struct message_in in = { .buffer = guarded(size, &block, &block_size), .capacity = size };
    NTSTATUS status;

    if (random_below(random, 2))
    {
        fill(&payload, (uint32_t)random_next(random) % 16);
        status = send_message(connection, &payload, true, false, &ref);
        if (!status)
            status = message_await(thread, &ref, &in, &soon);
    }
    else
        status = message_receive(thread, port, &in, random_below(random, 2) ? &soon : &poll);
    if (!status)
    {
        const struct received *message = in.buffer;

        assert_in_range(message->header.u1.Length >> 16, HEADER_SIZE, size);
        assert_in_range(data_size(message), 0, (message->header.u1.Length >> 16) - HEADER_SIZE);
        fill(&payload, 8);
        got.header = message->header;
        answer_message(connection, &got, &payload, random_below(random, 4) == 0, &ref);
    }
    thread_release(thread, USE_CONNECTION);
    munmap(block, block_size);
}

/* whatever the peer writes, every call ends, within its buffer */
static void check_hostile(struct port *port, struct connection *connection, uint64_t stream)
{
    struct random random = random_stream(stream);
    unsigned int i, count = scaled(6000);
    struct deadline limit = deadline_in(2000000000);
    pid_t pid = start_child(scribble, (void *)(uintptr_t)(stream + 1));

    for (i = 0; i < count && !deadline_passed(&limit); i++)
    {
        call_anyhow(&random, port, connection);
        stress_alive();
    }
    assert_true(i > 10);
    kill_child(pid);
}

static void test_hostile_client(void **state)
{
    (void)state;
    begin();
    check_hostile(&world.server_port, &world.server, 40);
    end();
}

static void test_hostile_server(void **state)
{
    (void)state;
    begin();
    check_hostile(&world.client_port, &world.client, 50);
    end();
}

/* the end of a server communication port is all that can be waited for there; odd values of the link are none */
static void test_hostile_link(void **state)
{
    struct port port = { .kind = PORT_SERVER, .connection = &world.server };
    struct message_in in = { .buffer = NULL };
    struct deadline soon;

    (void)state;
    begin();
    header->link = LINK_CONNECTED | 0x8000;
    soon = deadline_in(5000000);
    assert_int_equal(message_receive(begin_thread(), &port, &in, &soon), STATUS_TIMEOUT);
    header->link = LINK_CONNECTED | LINK_CLIENT_GONE;
    assert_int_equal(message_receive(begin_thread(), &port, &in, &deadline_never), STATUS_PORT_DISCONNECTED);
    header->link = LINK_CONNECTED | LINK_SERVER_GONE | LINK_SERVER_CLOSED;
    assert_int_equal(message_receive(begin_thread(), &port, &in, &deadline_never), STATUS_PORT_CLOSED);
    end();
}

/* after one of its clients has overwritten the whole post, a receiver that has doubts finds all messages [design 7] */
static void test_overwritten_post(void **state)
{
    struct random random = random_stream(60);
    unsigned int i, j, count = scaled(20), seen;
    struct message_ref ref;

    (void)state;
    begin();
    for (i = 0; i < count; i++)
    {
        for (j = 0; j < 10; j++)
        {
            fill(&payload, j * 64);
            assert_int_equal(send_message(&world.client, &payload, false, true, &ref), STATUS_SUCCESS);
        }
        for (j = 0; j < POST_BYTES / 8; j++)
            ((volatile uint64_t *)world.post)[j] = i % 2 ? random_next(&random) : 0;
        for (seen = 0; seen < 10;)
        {
            const struct deadline soon = deadline_in(100000000);
            NTSTATUS status = receive(&world.server_port, &got, &soon);

            if (status == STATUS_TIMEOUT)
            {
                fill(&payload, 64 * 64);
                status = send_message(&world.client, &payload, false, true, &ref);
                assert_true(!status || status == STATUS_INSUFFICIENT_RESOURCES);
                /* whoever wipes out entries leaves no trace: only a wrong one that the receiver meets brings doubts */
                doubt_begin(&world.server_port);
                continue;
            }
            assert_int_equal(status, STATUS_SUCCESS);
            assert_true(is_whole(&got.payload, data_size(&got)));
            seen += got.payload.number < 64 * 64;
        }
        while (receive_now(&world.server_port, &got) == STATUS_SUCCESS)
            ;
    }
    end();
}

/* ---------------------------------------------------------------------------------------------- middle of the queue */

#define OTHER_SLOT 7

/* a server communication port of a second connection, which nobody sends through */
static struct connection second;
static struct port second_port;

static void begin_second(void)
{
    int fd = channel_create(2, 0);

    CHECK(fd != -1);
    begin();
    make_end(&second, END_SERVER, fd);
    close(fd);
    second.channel.slot = OTHER_SLOT;
    second.channel.header->link = LINK_CONNECTED;
    world.roster[OTHER_SLOT] = (struct roster_entry){ .generation = 1, .state = ROSTER_CONNECTED };
    second_port = (struct port){ .kind = PORT_SERVER, .connection = &second };
}

static void end_second(void)
{
    connection_unmap(&second);
    end();
}

/* entries that lead nowhere, as if of another client; false when the queue is full */
static bool post_for(uint32_t slot)
{
    uint64_t position;

    return queue_put(&world.main.queue, (struct queue_entry){ .slot = slot, .cell = 3, .gen = 9 }, &position);
}

static unsigned int count_entries(uint32_t slot)
{
    const struct queue *queue = &world.main.queue;
    uint64_t position = queue_head(queue);
    struct queue_entry entry;
    unsigned int count = 0;

    for (; queue_peek_at(queue, position, &entry); position++)
        count += entry.slot == slot;
    return count;
}

static void *request_thread(void *arg)
{
    struct message_ref ref;

    (void)arg;
    CHECK_EQUAL(send_message(&world.client, &payload, true, false, &ref), STATUS_SUCCESS);
    CHECK_EQUAL(await(&ref, &got_too, &deadline_never), STATUS_SUCCESS);
    thread_unregister();
    return NULL;
}

/* a request that waits long is moved when the others' messages need its place, and stands there once still */
static void test_moved_request(void **state)
{
    struct message_ref ref;
    unsigned int round, i;
    pthread_t requester;

    (void)state;
    begin_second();
    fill(&payload, 0);
    start_thread(&requester, request_thread, NULL);
    while (!count_entries(SLOT))
        sched_yield();
    for (round = 0; round < 2; round++)
    {
        for (i = 0; i < (1 << PORT_QUEUE_BITS) + 1000; i++)
        {
            assert_true(post_for(OTHER_SLOT));
            if (i % 1000 == 0)
                assert_int_equal(receive_now(&second_port, &got), STATUS_TIMEOUT);
        }
        assert_int_equal(receive_now(&second_port, &got), STATUS_TIMEOUT);
        /* it looks once a second */
        usleep(1200000);
        assert_int_equal(count_entries(SLOT), 1);
    }
    assert_int_equal(receive_now(&world.server_port, &got), STATUS_SUCCESS);
    assert_int_equal(answer_message(&world.server, &got, &payload, false, &ref), STATUS_SUCCESS);
    join_thread(requester);
    end_second();
}

/* the queue is full of what is not received: who waits for something else sleeps */
static void test_full_of_others(void **state)
{
    const struct deadline deadline = deadline_in(500000000);
    struct rusage before, after;
    int64_t us;

    (void)state;
    begin_second();
    while (post_for(OTHER_SLOT + 1))
        ;
    getrusage(RUSAGE_THREAD, &before);
    assert_int_equal(receive(&second_port, &got, &deadline), STATUS_TIMEOUT);
    getrusage(RUSAGE_THREAD, &after);
    us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * INT64_C(1000000) + after.ru_utime.tv_usec -
         before.ru_utime.tv_usec;
    assert_in_range(us, 0, 300000);
    end_second();
}

/* others have left little room: all of it is used again and again */
static void test_little_room(void **state)
{
    struct port port = { .kind = PORT_SERVER, .connection = &world.server };
    struct message_ref ref;
    unsigned int i, room;

    (void)state;
    for (room = 1000; room <= 9000; room += 4000)
    {
        begin_second();
        for (i = room; i < 1 << PORT_QUEUE_BITS; i++)
            assert_true(post_for(OTHER_SLOT));
        for (i = 0; i < 20000; i++)
        {
            fill(&payload, i % 5);
            assert_int_equal(send_message(&world.client, &payload, false, true, &ref), STATUS_SUCCESS);
            if (i < room / 2)
                continue;
            assert_int_equal(receive_now(&port, &got), STATUS_SUCCESS);
            assert_int_equal(got.payload.number, (i - room / 2) % 5);
        }
        end_second();
    }
}

/* what was sent while somebody waited is theirs, however much others have sent before [4.7] */
static void test_hand_over_far(void **state)
{
    struct message_ref ref;
    unsigned int i;

    (void)state;
    begin_second();
    for (i = 0; i < 100000; i++)
        assert_true(post_for(OTHER_SLOT));
    atomic_store(&header->comm.waiting[3], WAITER(1, 4));
    fill(&payload, 0);
    assert_int_equal(send_message(&world.client, &payload, false, true, &ref), STATUS_SUCCESS);
    cell_hand_over(&world.server.channel, END_SERVER);
    assert_true(cell_state(ref.cell) & CELL_HANDED);
    end_second();
}

static void *await_small(void *arg)
{
    struct message_in in = { .buffer = &got_too, .capacity = HEADER_SIZE };

    CHECK(message_await(begin_thread(), arg, &in, &deadline_never) != STATUS_SUCCESS);
    thread_unregister();
    return NULL;
}

/* a callback that fits neither the buffer nor the queue is given up meanwhile: its cell is free */
static void test_callback_without_room(void **state)
{
    struct message_ref request, callback;
    enum cell_phase phase;
    pthread_t waiter;

    (void)state;
    begin_second();
    fill(&payload, 8);
    assert_int_equal(send_message(&world.server, &payload, true, false, &request), STATUS_SUCCESS);
    assert_int_equal(receive_now(&world.client_port, &got), STATUS_SUCCESS);
    assert_int_equal(answer_message(&world.client, &got, &payload, true, &callback), STATUS_SUCCESS);
    while (post_for(OTHER_SLOT))
        ;
    start_thread(&waiter, await_small, &request);
    while ((phase = cell_phase(cell_state(request.cell))) == CELL_ANSWER + END_SERVER)
        ;
    assert_int_not_equal(await_for(&callback, &got, 0), STATUS_SUCCESS);
    join_thread(waiter);
    assert_int_equal(count_used(), 0);
    end_second();
}

/* ---------------------------------------------------------------------------------------------- lies */

static uint64_t entry_word(uint32_t slot)
{
    return (uint64_t)slot << QUEUE_ENTRY_CELL_BITS | UINT64_C(1) << (64 - QUEUE_ENTRY_TAG_BITS);
}

/* another client writes over an entry that has just been posted: the message comes late, but it comes [design 7] */
static void test_overwritten_entry(void **state)
{
    const uint32_t lies[] = { OTHER_SLOT + 1, OTHER_SLOT, QUEUE_NOTHING };
    struct message_ref ref;
    unsigned int i, comm;

    (void)state;
    for (i = 0; i < ARRAY_SIZE(lies); i++)
        for (comm = 0; comm < 2; comm++)
        {
            const struct deadline late = deadline_in(20000000000);
            struct port port = { .kind = PORT_SERVER, .connection = &world.server };

            begin_second();
            fill(&payload, 8);
            assert_int_equal(send_message(&world.client, &payload, false, true, &ref), STATUS_SUCCESS);
            atomic_store(&world.main.queue.ring[0], entry_word(lies[i]));
            assert_int_equal(receive(comm ? &port : &world.server_port, &got, &late), STATUS_SUCCESS);
            assert_true(is_whole(&got.payload, data_size(&got)));
            end_second();
        }
}

/* a communication port is led past its messages, or they stand behind a gap */
static void test_led_past(void **state)
{
    const struct deadline late = deadline_in(20000000000);
    struct port port = { .kind = PORT_SERVER, .connection = &world.server };
    struct queue *queue = &world.main.queue;
    struct message_ref ref;
    unsigned int i;

    (void)state;
    begin_second();
    fill(&payload, 8);
    for (i = 0; i < 50000; i++)
        atomic_store(&queue->ring[i], entry_word(OTHER_SLOT + 1));
    assert_int_equal(receive_now(&port, &got), STATUS_TIMEOUT);
    for (i = 0; i < 50000; i++)
        atomic_store(&queue->ring[i], 0);
    assert_int_equal(send_message(&world.client, &payload, false, true, &ref), STATUS_SUCCESS);
    assert_int_equal(receive(&port, &got, &late), STATUS_SUCCESS);
    end_second();
    begin_second();
    atomic_store(&queue->ring[1000], entry_word(OTHER_SLOT + 1));
    atomic_store(&queue->post->tail, 1001);
    assert_int_equal(send_message(&world.client, &payload, false, true, &ref), STATUS_SUCCESS);
    assert_int_equal(receive(&port, &got, &late), STATUS_SUCCESS);
    end_second();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways),
        cmocka_unit_test(test_callbacks),
        cmocka_unit_test(test_callback_lost),
        cmocka_unit_test(test_callback_lost_small),
        cmocka_unit_test(test_callback_unwritten),
        cmocka_unit_test(test_wrong_ids),
        cmocka_unit_test(test_small_buffer),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_stale_signal),
        cmocka_unit_test(test_died_accepting),
        cmocka_unit_test(test_slot_reused),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_killed_senders),
        cmocka_unit_test(test_killed_servers),
        cmocka_unit_test(test_killed_receiver),
        cmocka_unit_test(test_two_sizes),
        cmocka_unit_test(test_hostile_client),
        cmocka_unit_test(test_hostile_server),
        cmocka_unit_test(test_hostile_link),
        cmocka_unit_test(test_overwritten_post),
        cmocka_unit_test(test_moved_request),
        cmocka_unit_test(test_full_of_others),
        cmocka_unit_test(test_little_room),
        cmocka_unit_test(test_hand_over_far),
        cmocka_unit_test(test_callback_without_room),
        cmocka_unit_test(test_overwritten_entry),
        cmocka_unit_test(test_led_past),
    };

    thread_init();
    return STRESS_MAIN("test_message", tests);
}
