/*
 * Tests of dlls/ntdll/alpc/channel.c: cells, their states, and what a peer or a death can do to them
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "stress.h"

#include "dlls/ntdll/alpc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALL_CELLS (2u << CELL_INDEX_BITS)
#define LONGEST (0xffff - 0x28)

static struct channel channel;
static int channel_fd = -1;

/* a new channel; children inherit its mapping */
static void begin(void)
{
    channel_fd = channel_create(7);
    assert_int_not_equal(channel_fd, -1);
    assert_true(channel_map(&channel, channel_fd, true));
}

static void end(void)
{
    channel_unmap(&channel);
    close(channel_fd);
}

static struct cell_actor thread_actor(uint32_t thread)
{
    return (struct cell_actor){ .thread = thread };
}

static struct cell *cell_at(uint32_t id)
{
    struct cell *cell = channel_cell(&channel, id);

    CHECK(cell != NULL);
    return cell;
}

static enum cell_phase phase_of(const struct cell *cell)
{
    return cell_phase(cell_state(cell));
}

/* how many cells of an end are not free */
static unsigned int count_used(enum alpc_end owner)
{
    unsigned int count = 0, index;

    for (index = 0; index < CELL_COUNT; index++)
        count += phase_of(cell_at(CELL_ID(owner, index))) != CELL_FREE;
    return count;
}

/* ---------------------------------------------------------------------------------------------- memory */

static void test_mapping(void **state)
{
    struct channel other;
    int fd;

    (void)state;
    begin();
    assert_int_equal(channel.header->connection, 7);
    assert_int_equal(channel_link(&channel), LINK_CONNECTING);
    /* no one can take the memory away from the others */
    assert_int_equal(ftruncate(channel_fd, 0x1000), -1);
    assert_int_equal(ftruncate(channel_fd, CHANNEL_SIZE + 0x1000), -1);
    assert_int_equal(fcntl(channel_fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    assert_true(fcntl(channel_fd, F_GETFD) & FD_CLOEXEC);

    /* the same memory */
    assert_true(channel_map(&other, channel_fd, false));
    atomic_store(&other.header->link, LINK_CONNECTED);
    assert_int_equal(channel_link(&channel), LINK_CONNECTED);
    assert_null(channel_cell(&other, CELL_NEAR));
    assert_true(channel_map_far(&other, channel_fd));
    assert_non_null(channel_cell(&other, CELL_NEAR));
    channel_unmap_far(&other);
    assert_null(channel_cell(&other, CELL_NEAR));
    channel_unmap(&other);

    /* what is something else */
    channel.header->version++;
    errno = 0;
    assert_false(channel_map(&other, channel_fd, true));
    assert_int_equal(errno, EPROTO);
    end();
    fd = memfd_create("empty", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, CHANNEL_SIZE), 0);
    assert_false(channel_map(&other, fd, true));
    assert_int_equal(errno, EPROTO);
    close(fd);
    assert_false(channel_map(&other, -1, true));
}

static bool within(const void *at, size_t size)
{
    const uint8_t *byte = at, *hot = (const uint8_t *)channel.header;

    return (byte >= hot && byte + size <= hot + CHANNEL_HOT_SIZE) ||
           (byte >= channel.far && byte + size <= channel.far + CHANNEL_FAR_SIZE);
}

/* whatever number a peer writes, no cell and no content lies outside, and none in two places */
static void test_ids(void **state)
{
    struct random random = random_stream(1);
    uint32_t id, i;

    (void)state;
    begin();
    for (i = 0; i < 2 * ALL_CELLS + 100000; i++)
    {
        struct cell *cell;
        uint8_t *data;

        id = i < 2 * ALL_CELLS ? i : (uint32_t)random_next(&random);
        cell = channel_cell(&channel, id);
        if (!cell)
        {
            assert_true((id & CELL_INDEX_MASK) >= CELL_COUNT && CELL_END(id) == END_SERVER);
            continue;
        }
        assert_true(within(cell, sizeof(*cell)));
        assert_ptr_equal(cell, channel_cell(&channel, id & (ALL_CELLS - 1)));
        assert_ptr_equal(channel_data(&channel, id, cell, CELL_INLINE_SIZE), cell->data);
        data = channel_data(&channel, id, cell, LONGEST);
        assert_true(within(data, LONGEST));
        assert_true(data >= channel.far + CHANNEL_FAR_WINDOWS);
        if (id < ALL_CELLS)
        {
            /* each cell says its own number after all have been written: none is another's */
            atomic_store(&cell->sequence, id);
            assert_int_equal(channel_window_offset(id), CHANNEL_FAR_OFFSET + (uint64_t)(data - channel.far));
        }
    }
    for (id = 0; id < ALL_CELLS; id++)
        if (channel_cell(&channel, id))
            assert_int_equal(atomic_load(&cell_at(id)->sequence), id);
    end();
}

/* ---------------------------------------------------------------------------------------------- allocation */

static void test_allocation(void **state)
{
    uint32_t i, id, ids[CELL_COUNT];
    enum alpc_end owner;

    (void)state;
    begin();
    assert_int_equal(channel_peak(&channel, END_CLIENT), 0);
    /* one at a time stays with one cell */
    for (i = 0; i < 100; i++)
    {
        id = channel_alloc(&channel, END_CLIENT, thread_actor(1));
        assert_int_equal(id, CELL_ID(END_CLIENT, 0));
        assert_int_equal(phase_of(cell_at(id)), CELL_OWNED);
        assert_int_equal(cell_actor(cell_state(cell_at(id))).thread, 1);
        cell_free(cell_at(id));
    }
    for (owner = END_CLIENT; owner <= END_SERVER; owner++)
    {
        for (i = 0; i < CELL_COUNT; i++)
        {
            ids[i] = channel_alloc(&channel, owner, thread_actor(1));
            assert_int_not_equal(ids[i], CELL_NONE);
            assert_int_equal(CELL_END(ids[i]), owner);
            assert_true((ids[i] & CELL_INDEX_MASK) < channel_peak(&channel, owner));
        }
        assert_int_equal(count_used(owner), CELL_COUNT);
        assert_int_equal(channel_alloc(&channel, owner, thread_actor(1)), CELL_NONE);
        cell_free(cell_at(ids[CELL_COUNT / 3]));
        assert_int_equal(channel_alloc(&channel, owner, thread_actor(1)), ids[CELL_COUNT / 3]);
        for (i = 0; i < CELL_COUNT; i++)
            cell_free(cell_at(ids[i]));
        assert_int_equal(channel_peak(&channel, owner), CELL_COUNT);
    }
    /* the part in use becomes small again */
    for (i = 0; i < 20 * CELL_COUNT; i++)
        cell_free(cell_at(channel_alloc(&channel, END_CLIENT, thread_actor(1))));
    for (i = 0; i < 200; i++)
        ids[i] = channel_alloc(&channel, END_CLIENT, thread_actor(1));
    assert_in_range(atomic_load(&channel.header->end[END_CLIENT].limit), CELL_NEAR, CELL_COUNT);
    end();
}

/* a server that never releases: the older messages are forgotten, the newest thousand or so are kept */
static void test_spent(void **state)
{
    uint32_t i, id, kept = 0, sequence;

    (void)state;
    begin();
    for (i = 0; i < 3 * CELL_COUNT; i++)
    {
        id = channel_alloc(&channel, END_CLIENT, thread_actor(1));
        assert_int_not_equal(id, CELL_NONE);
        atomic_store(&cell_at(id)->sequence, sequence = channel_next_sequence(&channel, END_CLIENT));
        cell_send(cell_at(id), CELL_SPENT, thread_actor(1));
    }
    for (i = 0; i < CELL_COUNT; i++)
    {
        struct cell *cell = cell_at(CELL_ID(END_CLIENT, i));

        kept += phase_of(cell) == CELL_SPENT && sequence - atomic_load(&cell->sequence) < CELL_KEEP_SPENT / 2;
    }
    assert_int_equal(kept, CELL_KEEP_SPENT / 2);
    end();
}

static void test_sequence(void **state)
{
    (void)state;
    begin();
    assert_int_equal(channel_next_sequence(&channel, END_SERVER), 1);
    assert_int_equal(channel_next_sequence(&channel, END_SERVER), 2);
    assert_int_equal(channel_next_sequence(&channel, END_CLIENT), 1);
    atomic_store(&channel.header->end[END_CLIENT].sequence, UINT32_MAX - 1);
    assert_int_equal(channel_next_sequence(&channel, END_CLIENT), UINT32_MAX);
    assert_int_equal(channel_next_sequence(&channel, END_CLIENT), 1);
    end();
}

/* ---------------------------------------------------------------------------------------------- states */

static void test_states(void **state)
{
    struct cell *cell;
    uint32_t gen, i;

    (void)state;
    begin();
    cell = cell_at(channel_alloc(&channel, END_CLIENT, thread_actor(5)));
    gen = cell_send(cell, CELL_QUEUED + END_SERVER, (struct cell_actor){ .thread = 5, .process = 3 });
    assert_int_equal(gen, 1);
    assert_int_equal(cell_gen(cell_state(cell)), gen);
    assert_int_equal(cell_actor(cell_state(cell)).process, 3);
    assert_false(cell_claim(cell, gen + 1, CELL_QUEUED + END_SERVER, CELL_HELD + END_SERVER, thread_actor(6)));
    assert_false(cell_claim(cell, gen, CELL_QUEUED + END_CLIENT, CELL_HELD + END_CLIENT, thread_actor(6)));
    assert_true(cell_claim(cell, gen, CELL_QUEUED + END_SERVER, CELL_HELD + END_SERVER, thread_actor(6)));
    assert_false(cell_claim(cell, gen, CELL_QUEUED + END_SERVER, CELL_HELD + END_SERVER, thread_actor(7)));
    assert_int_equal(cell_actor(cell_state(cell)).thread, 6);
    /* who waits is not forgotten by a claim, and woken when the message is passed on */
    atomic_fetch_or(&cell->state, CELL_WAITING);
    assert_true(cell_claim(cell, gen, CELL_HELD + END_SERVER, CELL_ANSWERING + END_SERVER, thread_actor(6)));
    assert_true(cell_state(cell) & CELL_WAITING);
    assert_true(cell_pass(cell, gen, CELL_ANSWERING + END_SERVER, CELL_ANSWER + END_CLIENT, thread_actor(6)));
    assert_false(cell_state(cell) & CELL_WAITING);
    assert_false(cell_pass(cell, gen, CELL_ANSWERING + END_SERVER, CELL_ANSWER + END_CLIENT, thread_actor(6)));
    /* freeing keeps the generation; it comes round */
    cell_free(cell);
    for (i = gen + 1; i < gen + 3 * (CELL_GEN_MASK + 1); i++)
    {
        assert_int_equal(cell_send(cell, CELL_QUEUED + END_SERVER, thread_actor(UINT32_MAX)), i & CELL_GEN_MASK);
        assert_int_equal(cell_actor(cell_state(cell)).thread, UINT32_MAX);
        cell_free(cell);
    }
    end();
}

static void test_sleep(void **state)
{
    const struct deadline poll = { 0 };
    struct deadline soon;
    struct cell *cell;
    uint32_t gen;

    (void)state;
    begin();
    cell = cell_at(channel_alloc(&channel, END_CLIENT, thread_actor(5)));
    gen = cell_send(cell, CELL_QUEUED + END_SERVER, thread_actor(5));
    assert_false(cell_sleep(&channel, cell, cell_state(cell), LINK_LOST, &poll));
    soon = deadline_in(10000000);
    assert_false(cell_sleep(&channel, cell, cell_state(cell), LINK_LOST, &soon));
    assert_true(cell_state(cell) & CELL_WAITING);
    /* another state than the one that was seen */
    assert_true(cell_sleep(&channel, cell, cell_word(CELL_FREE, gen, thread_actor(0)), LINK_LOST, &deadline_never));
    /* a link that is cut already */
    atomic_fetch_or(&channel.header->link, LINK_SERVER_GONE);
    assert_true(cell_sleep(&channel, cell, cell_state(cell), LINK_LOST, &deadline_never));
    end();
}

/* ---------------------------------------------------------------------------------------------- threads */

struct worker
{
    uint32_t number;
    unsigned int rounds;
};

static _Atomic uint32_t holder[ALL_CELLS]; /* by cell: which thread has it */

/* what one has allocated is nobody else's until it is freed */
static void *allocate(void *arg)
{
    const struct worker *worker = arg;
    struct random random = random_stream(100 + worker->number);
    uint32_t mine[40], count = 0;
    unsigned int i;

    for (i = 0; i < worker->rounds; i++)
    {
        uint32_t nobody = 0;

        if (count < ARRAY_SIZE(mine) && random_below(&random, 2))
        {
            uint32_t id = channel_alloc(&channel, END_CLIENT, thread_actor(worker->number));

            CHECK(id != CELL_NONE);
            CHECK(atomic_compare_exchange_strong(&holder[id], &nobody, worker->number));
            mine[count++] = id;
        }
        else if (count)
        {
            uint32_t which = random_below(&random, count), id = mine[which];

            mine[which] = mine[--count];
            CHECK_EQUAL(cell_actor(cell_state(cell_at(id))).thread, worker->number);
            CHECK_EQUAL(atomic_exchange(&holder[id], 0), worker->number);
            cell_free(cell_at(id));
        }
    }
    while (count)
    {
        atomic_store(&holder[mine[--count]], 0);
        cell_free(cell_at(mine[count]));
    }
    return NULL;
}

static void test_allocating_threads(void **state)
{
    struct worker workers[6];
    uint32_t i;

    (void)state;
    begin();
    for (i = 0; i < ARRAY_SIZE(workers); i++)
        workers[i] = (struct worker){ .number = i + 1, .rounds = scaled(200000) };
    run_threads(ARRAY_SIZE(workers), allocate, workers, sizeof(workers[0]));
    assert_int_equal(count_used(END_CLIENT), 0);
    end();
}

/* one of many claims a message, and sees all that its sender wrote */
static _Atomic uint32_t claims, round_number;

static void *claim(void *arg)
{
    const struct worker *worker = arg;
    struct cell *cell = cell_at(CELL_ID(END_CLIENT, 3));
    uint32_t seen = 0;

    while (seen < worker->rounds)
    {
        uint64_t word = cell_state(cell);

        if (cell_phase(word) == CELL_QUEUED + END_SERVER &&
            cell_claim(cell, cell_gen(word), CELL_QUEUED + END_SERVER, CELL_HELD + END_SERVER,
                       thread_actor(worker->number)))
        {
            uint32_t sent;

            memcpy(&sent, cell->data + 64, sizeof(sent));
            CHECK_EQUAL(sent, atomic_load(&round_number));
            atomic_fetch_add(&claims, 1);
            cell_free(cell);
        }
        else
            sched_yield();
        seen = atomic_load(&round_number);
    }
    return NULL;
}

static void test_claiming(void **state)
{
    struct worker workers[3];
    struct cell *cell;
    pthread_t threads[ARRAY_SIZE(workers)];
    uint32_t i, rounds = scaled(20000);

    (void)state;
    begin();
    cell = cell_at(CELL_ID(END_CLIENT, 3));
    claims = round_number = 0;
    for (i = 0; i < ARRAY_SIZE(workers); i++)
    {
        workers[i] = (struct worker){ .number = i + 1, .rounds = rounds };
        start_thread(&threads[i], claim, &workers[i]);
    }
    for (i = 1; i < rounds; i++)
    {
        atomic_store(&round_number, i);
        memcpy(cell->data + 64, &i, sizeof(i));
        cell_send(cell, CELL_QUEUED + END_SERVER, thread_actor(9));
        while (phase_of(cell) != CELL_FREE)
            sched_yield();
    }
    atomic_store(&round_number, rounds);
    for (i = 0; i < ARRAY_SIZE(workers); i++)
        join_thread(threads[i]);
    assert_int_equal(claims, rounds - 1);
    end();
}

/* a requester sleeps on the cell, the other side answers: no wake-up is lost */
static void *answer(void *arg)
{
    const struct worker *worker = arg;
    struct cell *cell = cell_at(CELL_ID(END_CLIENT, 4));
    struct random random = random_stream(7);
    unsigned int i;

    for (i = 0; i < worker->rounds; i++)
    {
        uint64_t word;

        while (cell_phase(word = cell_state(cell)) != CELL_QUEUED + END_SERVER)
            sched_yield();
        if (random_below(&random, 4) == 0)
            pass_us(random_below(&random, 50));
        CHECK(cell_claim(cell, cell_gen(word), CELL_QUEUED + END_SERVER, CELL_ANSWERING + END_SERVER, thread_actor(2)));
        CHECK(cell_pass(cell, cell_gen(word), CELL_ANSWERING + END_SERVER, CELL_ANSWER + END_CLIENT, thread_actor(2)));
    }
    return NULL;
}

static void test_waking(void **state)
{
    struct worker worker = { .rounds = scaled(30000) };
    struct cell *cell;
    pthread_t thread;
    unsigned int i;

    (void)state;
    begin();
    cell = cell_at(CELL_ID(END_CLIENT, 4));
    start_thread(&thread, answer, &worker);
    for (i = 0; i < worker.rounds; i++)
    {
        uint64_t word;

        cell_send(cell, CELL_QUEUED + END_SERVER, thread_actor(1));
        while (cell_phase(word = cell_state(cell)) != CELL_ANSWER + END_CLIENT)
            CHECK(cell_sleep(&channel, cell, word, LINK_LOST, &deadline_never));
        cell_free(cell);
    }
    join_thread(thread);
    end();
}

static void *sleep_for_ever(void *arg)
{
    struct cell *cell = arg;

    while (!(channel_link(&channel) & LINK_LOST))
        cell_sleep(&channel, cell, cell_state(cell), LINK_LOST, &deadline_never);
    return NULL;
}

/* a link that is cut at any moment wakes whoever sleeps on a cell */
static void test_cut_link(void **state)
{
    struct random random = random_stream(8);
    unsigned int i, count = scaled(2000);

    (void)state;
    begin();
    for (i = 0; i < count; i++)
    {
        struct cell *cell = cell_at(channel_alloc(&channel, END_CLIENT, thread_actor(1)));
        pthread_t thread;

        atomic_store(&channel.header->link, LINK_CONNECTED);
        cell_send(cell, CELL_QUEUED + END_SERVER, thread_actor(1));
        start_thread(&thread, sleep_for_ever, cell);
        pass_us(random_below(&random, 100));
        /* as alpcserver does it */
        atomic_store(&channel.header->link, LINK_CONNECTED | LINK_SERVER_GONE);
        if (cell_state(cell) & CELL_WAITING)
            cell_wake(cell);
        join_thread(thread);
        cell_free(cell);
    }
    end();
}

/* ---------------------------------------------------------------------------------------------- processes that die */

#define CHILDREN 3

struct deaths
{
    _Atomic uint64_t allocated;
};

static struct deaths *deaths;

static void allocate_until_killed(void *arg)
{
    uint32_t number = (uint32_t)(uintptr_t)arg, mine[64], count = 0;
    struct random random = random_stream(1000 + number);

    for (;;)
    {
        if (count < ARRAY_SIZE(mine) && random_below(&random, 2))
        {
            mine[count] = channel_alloc(&channel, END_SERVER, (struct cell_actor){ .thread = number, .process = 1 });
            CHECK(mine[count] != CELL_NONE);
            atomic_fetch_add(&deaths->allocated, 1);
            if (random_below(&random, 3) == 0)
                cell_send(cell_at(mine[count]), CELL_QUEUED + END_CLIENT, thread_actor(number));
            count++;
        }
        else if (count)
            cell_free(cell_at(mine[--count]));
    }
}

/*
 * Whatever a process that dies leaves, each cell tells whose it was: after those of the dead have been freed all are
 * there again, and none of a living process' own was touched.
 */
static void test_killed(void **state)
{
    struct random random = random_stream(9);
    unsigned int i, j, count = scaled(300);
    uint32_t index, next = 1;
    pid_t pids[CHILDREN];
    uint32_t numbers[CHILDREN];

    (void)state;
    begin();
    deaths = shared_memory(sizeof(*deaths));
    for (j = 0; j < CHILDREN; j++)
        pids[j] = start_child(allocate_until_killed, (void *)(uintptr_t)(numbers[j] = next++));
    for (i = 0; i < count; i++)
    {
        unsigned int victim = random_below(&random, CHILDREN);

        pass_us(random_below(&random, 3000));
        kill_child(pids[victim]);
        for (index = 0; index < channel_peak(&channel, END_SERVER); index++)
        {
            struct cell *cell = cell_at(CELL_ID(END_SERVER, index));
            uint64_t word = cell_state(cell);

            CHECK(cell_phase(word) == CELL_FREE || cell_phase(word) == CELL_OWNED ||
                  cell_phase(word) == CELL_QUEUED + END_CLIENT);
            if (cell_phase(word) != CELL_FREE && cell_actor(word).thread == numbers[victim])
                CHECK(cell_claim(cell, cell_gen(word), cell_phase(word), CELL_FREE, thread_actor(0)));
        }
        pids[victim] = start_child(allocate_until_killed, (void *)(uintptr_t)(numbers[victim] = next++));
    }
    for (j = 0; j < CHILDREN; j++)
        kill_child(pids[j]);
    for (index = 0; index < CELL_COUNT; index++)
    {
        struct cell *cell = cell_at(CELL_ID(END_SERVER, index));

        if (phase_of(cell) != CELL_FREE)
        {
            uint32_t owner = cell_actor(cell_state(cell)).thread;

            /* only of the last ones, which have not been swept */
            assert_true(owner == numbers[0] || owner == numbers[1] || owner == numbers[2]);
            cell_free(cell);
        }
    }
    assert_true(deaths->allocated > count);
    for (index = 0; index < CELL_COUNT; index++)
        assert_int_not_equal(channel_alloc(&channel, END_SERVER, thread_actor(1)), CELL_NONE);
    free_shared_memory(deaths, sizeof(*deaths));
    end();
}

/* ---------------------------------------------------------------------------------------------- a hostile peer */

static void scribble(void *arg)
{
    struct random random = random_stream((uint64_t)(uintptr_t)arg);
    uint64_t *words = (uint64_t *)channel.header;

    for (;;)
    {
        struct cell *cell = channel_cell(&channel, random_below(&random, ALL_CELLS));
        enum alpc_end owner = random_below(&random, 2);

        switch (random_below(&random, 4))
        {
        case 0:
            *(volatile uint64_t *)&words[random_below(&random, CHANNEL_HOT_SIZE / 8)] = random_next(&random);
            break;
        case 1:
            atomic_store(&channel.header->end[owner].limit,
                         (uint32_t)random_next(&random) >> random_below(&random, 32));
            break;
        case 2:
            atomic_store(&channel.header->end[owner].peak, (uint32_t)random_next(&random) >> random_below(&random, 32));
            break;
        default:
            if (cell)
                atomic_store(&cell->state, random_next(&random));
            break;
        }
    }
}

/* what a peer writes can make calls fail, not go astray or go on for ever */
static void test_scribbling(void **state)
{
    struct random random = random_stream(10);
    unsigned int i, count = scaled(200000);
    pid_t pid;

    (void)state;
    begin();
    pid = start_child(scribble, (void *)(uintptr_t)2000);
    for (i = 0; i < count; i++)
    {
        enum alpc_end owner = random_below(&random, 2);
        uint32_t id = channel_alloc(&channel, owner, thread_actor(1)), gen;
        const struct deadline soon = deadline_in(20000);
        struct cell *cell;

        assert_in_range(channel_peak(&channel, owner), 0, CELL_COUNT);
        if (id == CELL_NONE)
            continue;
        assert_int_equal(CELL_END(id), owner);
        assert_in_range(id & CELL_INDEX_MASK, 0, CELL_COUNT - 1);
        cell = cell_at(id);
        gen = cell_send(cell, CELL_QUEUED + END_SERVER, thread_actor(1));
        assert_in_range(gen, 0, CELL_GEN_MASK);
        if (i % 64 == 0)
            cell_sleep(&channel, cell, cell_state(cell), LINK_LOST, &soon);
        cell_claim(cell, gen, CELL_QUEUED + END_SERVER, CELL_HELD + END_SERVER, thread_actor(1));
        cell_pass(cell, gen, CELL_HELD + END_SERVER, CELL_ANSWER + END_CLIENT, thread_actor(1));
        cell_free(cell);
        assert_int_not_equal(channel_next_sequence(&channel, owner), 0);
    }
    kill_child(pid);
    end();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mapping),    cmocka_unit_test(test_ids),
        cmocka_unit_test(test_allocation), cmocka_unit_test(test_spent),
        cmocka_unit_test(test_sequence),   cmocka_unit_test(test_states),
        cmocka_unit_test(test_sleep),      cmocka_unit_test(test_allocating_threads),
        cmocka_unit_test(test_claiming),   cmocka_unit_test(test_waking),
        cmocka_unit_test(test_cut_link),   cmocka_unit_test(test_killed),
        cmocka_unit_test(test_scribbling),
    };

    return STRESS_MAIN("test_channel", tests);
}
