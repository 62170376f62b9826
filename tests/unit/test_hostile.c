/*
 * Tests of what a peer can have delivered that writes anything into its end of a connection [alpc.md 3.6, 4.4]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A peer may write every word of the channel and of the post.  What the other end receives from it is a request, an
 * answer, a datagram or the note that one of these was canceled; every other type is alpcserver's to tell.  The tests
 * know no more of the layout than where cells and ring are, and try values in all places in turn.
 */

#include "stress.h"

#include "dlls/ntdll/alpc/receive.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HEADER_SIZE sizeof(PORT_MESSAGE)
#define SLOT 5
#define ROSTER_BYTES (ROSTER_SIZE * sizeof(struct roster_entry))

/* one accepted connection; both ends are in this process, which also stands in for alpcserver */
static struct world
{
    struct main_queue main;
    struct roster_entry *roster;
    _Atomic(void *) connections[SLOT + 1];
    struct connection ends[2];
    struct port ports[2]; /* on which the ends receive */
    void *post, *desk;
} world;

static NTSTATUS no_connection(struct port *port, uint32_t slot)
{
    (void)port, (void)slot;
    return STATUS_INVALID_MESSAGE;
}

static void make_end(enum alpc_end end, int fd)
{
    struct connection *connection = &world.ends[end];

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
    world.post = shared_memory(PORT_POST_SIZE);
    world.desk = shared_memory(PORT_DESK_SIZE);
    world.roster = shared_memory(ROSTER_BYTES);
    queue_init(&world.main.queue, world.post, world.desk, (_Atomic uint64_t *)((uint8_t *)world.post + 0x1000),
               PORT_QUEUE_BITS);
    world.main.roster = world.roster;
    make_end(END_CLIENT, fd);
    make_end(END_SERVER, fd);
    close(fd);
    world.ends[END_CLIENT].channel.header->max_payload = CELL_MAX_PAYLOAD;
    world.ends[END_CLIENT].channel.header->link = LINK_CONNECTED;
    world.roster[SLOT].generation = 1;
    world.roster[SLOT].state = ROSTER_CONNECTED;
    world.roster[SLOT].process[0] = 0x55;
    world.connections[SLOT] = &world.ends[END_SERVER];
    world.ports[END_SERVER] = (struct port){ .kind = PORT_CONNECTION,
                                             .main = &world.main,
                                             .queue = &world.main.queue,
                                             .roster = world.roster,
                                             .connections = world.connections };
    world.ports[END_CLIENT] = (struct port){ .kind = PORT_CLIENT,
                                             .queue = &world.ends[END_CLIENT].channel.client_queue,
                                             .connection = &world.ends[END_CLIENT] };
    port_attach_connection = no_connection;
}

static void end(void)
{
    connection_unmap(&world.ends[END_CLIENT]);
    connection_unmap(&world.ends[END_SERVER]);
    free_shared_memory(world.post, PORT_POST_SIZE);
    free_shared_memory(world.desk, PORT_DESK_SIZE);
    free_shared_memory(world.roster, ROSTER_BYTES);
}

static struct thread *this_thread(void)
{
    return thread_current((uint32_t)getpid(), (uint32_t)syscall(SYS_gettid));
}

/* ---------------------------------------------------------------------------------------------- messages */

enum kind
{
    DATAGRAM,
    ASYNC,
    SYNC,
    KINDS
};

struct received
{
    PORT_MESSAGE header;
    uint8_t data[0x10000];
};

static struct received got;

static NTSTATUS send_kind(enum alpc_end from, enum kind kind, uint32_t id, struct message_ref *ref)
{
    static const uint8_t data[] = "12345678";
    const struct message_out out = { .data_length = 8,
                                     .payload_length = 8,
                                     .message_id = id,
                                     .payload = data,
                                     .release = kind == DATAGRAM,
                                     .sync = kind == SYNC };

    return id ? message_answer(this_thread(), &world.ends[from], &out, ref)
              : message_send(this_thread(), &world.ends[from], &out, ref);
}

/* the header is the receiver's business: what it holds must be what a program can rely on */
static void check_header(uint32_t allowed)
{
    const uint32_t type = got.header.u2.ZeroInit, data = got.header.u1.Length & 0xffff,
                   total = got.header.u1.Length >> 16;

    switch (type)
    {
    case LPC_REQUEST | LPC_CONTINUATION_REQUIRED:
    case LPC_DATAGRAM:
    case LPC_CANCELED:
        break;
    case LPC_REPLY:
    case LPC_REPLY | LPC_CONTINUATION_REQUIRED:
        CHECK(allowed & 1u << LPC_REPLY);
        break;
    default:
        print_error("type %#x was delivered\n", type);
        CHECK(false);
    }
    CHECK(total >= HEADER_SIZE + data && total <= 0xffff);
    CHECK(got.header.MessageId && !(got.header.MessageId >> 31));
}

/* receives all that there is, and answers requests: neither may do more than fail */
static unsigned int receive_all(enum alpc_end at, uint32_t allowed)
{
    const struct deadline poll = { 0 };
    unsigned int count = 0;
    NTSTATUS status;

    do
    {
        struct message_in in = { .buffer = &got, .capacity = sizeof(got) };
        struct thread *thread = this_thread();
        struct message_ref ref;

        memset(&got.header, 0xcc, sizeof(got.header));
        status = message_receive(thread, &world.ports[at], &in, &poll);
        thread_release(thread, USE_CONNECTION);
        if (status)
            continue;
        count++;
        check_header(allowed);
        if (got.header.u2.ZeroInit & LPC_CONTINUATION_REQUIRED)
            send_kind(at, DATAGRAM, got.header.MessageId, &ref);
    } while (!status && count < 10);
    return count;
}

/* ---------------------------------------------------------------------------------------------- one word at a time */

/* values that mean something somewhere: types, flags, phases, lengths, ends of ranges */
static uint32_t value_of(unsigned int number)
{
    static const uint32_t others[] = { 0x20,   0x40,   0x80,    0xff,     0x100,      0x400,      0x800,     0xfff,
                                       0x1000, 0x2000, 0x2001,  0x200a,   0x4000,     0x7fff,     0x8000,    0xffd7,
                                       0xffd8, 0xffff, 0x8ffff, 0x100000, 0xffff0000, 0x7fffffff, 0xffffffff };

    return number < 32 ? number : others[number - 32];
}

#define VALUES (32 + 23)
/* not all of them where a sanitizer makes everything slow */
#define STEP (ADDRESS_SANITIZER || THREAD_SANITIZER ? 7 : 1)

/* of the cell that the message stands in; all of it but the data are tried */
static void damage(struct cell *cell, size_t offset, unsigned int width, uint32_t value)
{
    memcpy((uint8_t *)cell + offset, &value, width);
}

static void one_trial(enum alpc_end victim, enum kind kind, bool answer, size_t offset, unsigned int width,
                      uint32_t value)
{
    const enum alpc_end peer = victim == END_SERVER ? END_CLIENT : END_SERVER;
    struct message_ref ref, answered;
    struct message_in in = { .buffer = &got, .capacity = sizeof(got) };
    const struct deadline poll = { 0 };
    NTSTATUS status;

    if (!answer)
    {
        CHECK_EQUAL(send_kind(peer, kind, 0, &ref), STATUS_SUCCESS);
        damage(ref.cell, offset, width, value);
        receive_all(victim, 0);
        return;
    }
    /* the victim asks, the peer answers */
    CHECK_EQUAL(send_kind(victim, kind, 0, &ref), STATUS_SUCCESS);
    CHECK_EQUAL(message_receive(this_thread(), &world.ports[peer], &in, &poll), STATUS_SUCCESS);
    CHECK_EQUAL(send_kind(peer, DATAGRAM, got.header.MessageId, &answered), STATUS_SUCCESS);
    damage(ref.cell, offset, width, value);
    if (kind == SYNC)
    {
        in = (struct message_in){ .buffer = &got, .capacity = sizeof(got) };
        status = message_await(this_thread(), &ref, &in, &poll);
        if (!status)
            check_header(1u << LPC_REPLY);
    }
    receive_all(victim, 1u << LPC_REPLY);
}

static void check_words(enum alpc_end victim, bool answer)
{
    const size_t end_of_words = offsetof(struct cell, data);
    unsigned int width, number;
    enum kind kind;
    size_t offset;

    for (kind = answer ? ASYNC : DATAGRAM; kind < KINDS; kind++)
        for (width = 2; width <= 4; width *= 2)
            for (offset = 0; offset < end_of_words; offset += width)
            {
                for (number = 0; number < VALUES; number += STEP)
                {
                    /* a small value in four bytes is one in two with nothing above it */
                    if (value_of(number) >> 16 ? width == 2 : width == 4)
                        continue;
                    begin();
                    one_trial(victim, kind, answer, offset, width, value_of(number));
                    end();
                }
                stress_alive();
            }
}

static void test_messages_of_client(void **state)
{
    (void)state;
    check_words(END_SERVER, false);
}

static void test_messages_of_server(void **state)
{
    (void)state;
    check_words(END_CLIENT, false);
}

static void test_answers_of_client(void **state)
{
    (void)state;
    check_words(END_SERVER, true);
}

static void test_answers_of_server(void **state)
{
    (void)state;
    check_words(END_CLIENT, true);
}

/* ---------------------------------------------------------------------------------------------- entries */

/* cells that are alpcserver's, and others that hold nothing, in every phase, announced by the client [4.3, 4.11] */
static void test_forged_cells(void **state)
{
    static const uint32_t ids[] = { CELL_CONNECT,           CELL_CLOSED,
                                    CELL_ID(END_CLIENT, 0), CELL_ID(END_CLIENT, 3),
                                    CELL_ID(END_SERVER, 0), CELL_ID(END_CLIENT, CELL_COUNT - 1) };
    unsigned int i, phase, gen;
    uint32_t flags;

    (void)state;
    for (i = 0; i < ARRAY_SIZE(ids); i++)
        for (phase = 0; phase <= CELL_PHASE_MASK; phase++)
            for (flags = 0; flags < 0x1000; flags = flags ? flags << 1 : 1)
            {
                struct cell *cell;
                uint64_t position;

                begin();
                cell = channel_cell(&world.ends[END_CLIENT].channel, ids[i]);
                gen = 7;
                memset((uint8_t *)cell + sizeof(cell->state), (int)flags & 0xff, 16);
                atomic_store(&cell->state, (uint64_t)gen << CELL_GEN_SHIFT | flags | phase);
                CHECK(queue_put(&world.main.queue, (struct queue_entry){ SLOT, ids[i], gen }, &position));
                /* an answer of its own making to a request that the server never made is still no request's answer */
                receive_all(END_SERVER, CELL_END(ids[i]) == END_SERVER ? 1u << LPC_REPLY : 0);
                end();
            }
}

/* how many notices that the client has gone come in so many attempts, and nothing else */
static unsigned int count_closed(unsigned int attempts)
{
    const struct deadline poll = { 0 };
    unsigned int count = 0;

    while (attempts--)
    {
        struct message_in in = { .buffer = &got, .capacity = sizeof(got) };
        NTSTATUS status;

        memset(&got.header, 0xcc, sizeof(got.header));
        status = message_receive(this_thread(), &world.ports[END_SERVER], &in, &poll);
        thread_release(this_thread(), USE_CONNECTION);
        if (status)
            continue;
        CHECK_EQUAL(got.header.u2.ZeroInit, LPC_PORT_CLOSED);
        CHECK_EQUAL(got.header.u1.Length, 8 | (HEADER_SIZE + 8) << 16);
        CHECK_EQUAL(in.port_context, 0xc0ffee);
        count++;
    }
    return count;
}

/* however the client writes over alpcserver's notice that it has gone, it is told, and once [4.11] */
static void test_closed(void **state)
{
    static const uint64_t times[] = { 0, 1, UINT64_MAX };
    unsigned int phase, announced, i;
    uint64_t position;

    (void)state;
    for (phase = 0; phase <= CELL_PHASE_MASK; phase++)
        for (announced = 0; announced < 3; announced++)
        {
            struct cell *cell;
            uint64_t scribbled;

            begin();
            world.roster[SLOT].port_context = 0xc0ffee;
            cell = &world.ends[END_CLIENT].channel.header->closed;
            memset(cell->data, 0xff, sizeof(cell->data));
            memset((uint8_t *)cell + sizeof(cell->state), 0xff, 16);
            atomic_store(&cell->time, times[announced]);
            scribbled = UINT64_C(9) << CELL_GEN_SHIFT | CELL_ANSWERED | phase;
            atomic_store(&cell->state, scribbled);
            /* the client posts it by itself: it is not told before it is so */
            for (i = 0; i < 3; i++)
                CHECK(queue_put(&world.main.queue, (struct queue_entry){ SLOT, CELL_CLOSED, 9 }, &position));
            CHECK_EQUAL(count_closed(3), 0);
            atomic_store(&cell->state, scribbled);
            atomic_store(&world.roster[SLOT].state, ROSTER_CLOSED);
            for (i = 0; i < announced; i++)
                CHECK(queue_put(&world.main.queue, (struct queue_entry){ SLOT, CELL_CLOSED, 4 }, &position));
            if (!announced) /* the entry has been written over with a lie */
                CHECK(queue_put(&world.main.queue, (struct queue_entry){ SLOT, CELL_ID(END_CLIENT, 2), 5 }, &position));
            while (!count_closed(1))
                pass_us(1000);
            CHECK_EQUAL(count_closed(300), 0);
            /* it can write on as long as it likes */
            atomic_store(&cell->state, UINT64_C(4) << CELL_GEN_SHIFT | (CELL_QUEUED + END_SERVER));
            CHECK(queue_put(&world.main.queue, (struct queue_entry){ SLOT, CELL_CLOSED, 4 }, &position));
            CHECK_EQUAL(count_closed(300), 0);
            end();
        }
}

/* entries that name anything at all */
static void test_forged_entries(void **state)
{
    struct random random = random_stream(3);
    unsigned int i, rounds = scaled(20000);
    uint64_t position;

    (void)state;
    begin();
    for (i = 0; i < rounds; i++)
    {
        const struct queue_entry entry = { random_below(&random, 1u << QUEUE_ENTRY_SLOT_BITS),
                                           random_below(&random, 1u << QUEUE_ENTRY_CELL_BITS),
                                           random_below(&random, 1u << QUEUE_ENTRY_GEN_BITS) };

        CHECK(queue_put(&world.main.queue, entry, &position));
        if (i % 16 == 0)
            CHECK_EQUAL(receive_all(END_SERVER, 0), 0);
    }
    CHECK_EQUAL(receive_all(END_SERVER, 0), 0);
    end();
}

/* a damaged connection is one thing; another client of the same port is another */
static void test_others(void **state)
{
    struct message_ref ref;
    unsigned int i;

    (void)state;
    begin();
    for (i = 0; i < 200; i++)
    {
        uint64_t position;

        CHECK(queue_put(&world.main.queue, (struct queue_entry){ SLOT + 1 + i, i, i }, &position));
        CHECK_EQUAL(send_kind(END_CLIENT, DATAGRAM, 0, &ref), STATUS_SUCCESS);
    }
    for (i = 0; i < 200; i += 10)
        CHECK_EQUAL(receive_all(END_SERVER, 0), 10);
    CHECK_EQUAL(receive_all(END_SERVER, 0), 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_of_client),
        cmocka_unit_test(test_messages_of_server),
        cmocka_unit_test(test_answers_of_client),
        cmocka_unit_test(test_answers_of_server),
        cmocka_unit_test(test_forged_cells),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_forged_entries),
        cmocka_unit_test(test_others),
    };

    return STRESS_MAIN("hostile", tests);
}
