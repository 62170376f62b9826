/*
 * Tests of dlls/ntdll/alpc/queue.c
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An entry of these tests names its producer in .slot and counts in .gen and .cell.  That an entry is received once is
 * decided as in life: not by the queue but by a compare-and-swap on what the entry stands for.
 */

#include "stress.h"

#include "dlls/ntdll/alpc/queue.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_BITS 12
#define MAX_PRODUCERS 32
#define TAG_SHIFT (64 - QUEUE_ENTRY_TAG_BITS)

/* what lies in memory that processes share */
struct arena
{
    struct queue_post post;
    struct queue_desk desk;
    _Atomic uint64_t ring[1 << MAX_BITS];
    struct producer
    {
        _Alignas(64) _Atomic uint32_t begun; /* number of the last entry that is being posted, or was */
        _Atomic uint32_t done;               /* and of the last one that certainly was */
        _Atomic uint32_t received;           /* and of the last one that was received */
    } producers[MAX_PRODUCERS];
    _Atomic uint32_t stop;
    _Atomic uint64_t lost, received;
};

static struct arena *arena;
static struct queue queue;

static void make_queue(struct queue *view, unsigned int bits)
{
    queue_init(view, &arena->post, &arena->desk, arena->ring, bits);
}

/* an empty queue of 1 << bits entries */
static void begin(unsigned int bits)
{
    if (!arena)
        arena = shared_memory(sizeof(*arena));
    memset((void *)arena, 0, sizeof(*arena));
    make_queue(&queue, bits);
}

static struct queue_entry entry_of(uint32_t producer, uint32_t number)
{
    return (struct queue_entry){ .slot = producer, .cell = number & 0x7fff, .gen = number >> 15 };
}

static uint32_t number_of(struct queue_entry entry)
{
    return entry.gen << 15 | entry.cell;
}

/* where the entry stands is of no interest here */
static bool put_entry(struct queue *view, struct queue_entry entry)
{
    uint64_t position;

    return queue_put(view, entry, &position);
}

/* waits once; it may end for no reason after a while */
static void wait_once(struct queue *view, uint64_t waiter, const struct deadline *deadline)
{
    struct waiter wait = { .name = 0 };

    waiter_begin(&view->desk->waiters, &wait, waiter);
    queue_sleep(view, &wait, deadline);
    waiter_end(&wait);
}

/* the next entry, taken off; false when there is none */
static bool take_next(struct queue *view, struct queue_entry *entry)
{
    uint64_t position;

    if (!queue_peek(view, &position, entry))
        return false;
    queue_take(view, position);
    return true;
}

static void expect_next(uint32_t producer, uint32_t number)
{
    struct queue_entry entry;

    assert_true(take_next(&queue, &entry));
    assert_int_equal(entry.slot, producer);
    assert_int_equal(number_of(entry), number);
}

static void expect_empty(void)
{
    struct queue_entry entry;
    uint64_t position;

    assert_false(queue_peek(&queue, &position, &entry));
    assert_int_equal(queue_length(&queue), 0);
}

/* ---------------------------------------------------------------------------------------------- one thread */

static void test_fifo(void **state)
{
    struct queue_entry entry;
    uint64_t position = 0, again = 0;
    uint32_t i;

    (void)state;
    begin(4);
    expect_empty();
    for (i = 0; i < 10; i++)
        assert_true(put_entry(&queue, entry_of(i + 1, i * 1000003)));
    assert_int_equal(queue_length(&queue), 10);
    /* looking takes nothing off, and what has been taken off is not taken twice */
    assert_true(queue_peek(&queue, &position, &entry));
    assert_true(queue_peek(&queue, &again, &entry));
    assert_true(position == again);
    queue_take(&queue, position);
    queue_take(&queue, position);
    assert_int_equal(entry.slot, 1);
    for (i = 1; i < 10; i++)
        expect_next(i + 1, i * 1000003);
    expect_empty();
}

static void test_entry_bits(void **state)
{
    static const struct queue_entry entries[] = {
        { 0, 0, 0 },
        { 0x7fff, 0, 0 },
        { 0, 0x7fff, 0 },
        { 0, 0, 0x3fff },
        { 0x7fff, 0x7fff, 0x3fff },
        { 0x5555, 0x2aaa, 0x1555 },
        { 0x2aaa, 0x5555, 0x2aaa },
    };
    struct queue_entry entry;
    size_t i;

    (void)state;
    begin(3);
    for (i = 0; i < ARRAY_SIZE(entries); i++)
        assert_true(put_entry(&queue, entries[i]));
    for (i = 0; i < ARRAY_SIZE(entries); i++)
    {
        assert_true(take_next(&queue, &entry));
        assert_memory_equal(&entry, &entries[i], sizeof(entry));
    }
}

static void test_full(void **state)
{
    struct queue late;
    uint32_t i;

    (void)state;
    begin(3);
    make_queue(&late, 3);
    for (i = 0; i < 8; i++)
        assert_true(put_entry(&queue, entry_of(1, i)));
    assert_int_equal(queue_length(&queue), 8);
    for (i = 0; i < 3; i++)
    {
        assert_false(put_entry(&queue, entry_of(1, 99)));
        assert_false(put_entry(&late, entry_of(1, 99)));
    }
    expect_next(1, 0);
    assert_true(put_entry(&late, entry_of(1, 8)));
    assert_false(put_entry(&queue, entry_of(1, 99)));
    for (i = 1; i <= 8; i++)
        expect_next(1, i);
    expect_empty();
}

/* the tags come round too: 2^20 rounds */
static void test_wrap_around(void **state)
{
    struct queue other;
    uint32_t i, bits;

    (void)state;
    for (bits = 1; bits <= 2; bits++)
    {
        const uint32_t count = 3u << (QUEUE_ENTRY_TAG_BITS + bits - 1);

        begin(bits);
        make_queue(&other, bits);
        for (i = 0; i < count; i++)
        {
            /* another poster comes by seldom: it has to catch up from far behind */
            struct queue *poster = i % 7919 ? &queue : &other;

            CHECK(put_entry(poster, entry_of(1, i)));
            if (i % 3 == 0)
                continue;
            expect_next(1, i - 1);
            CHECK_EQUAL(queue_length(&queue), 1);
            if (i % 3 == 1)
                continue;
            expect_next(1, i);
            expect_empty();
        }
    }
}

/* a poster was killed before it moved the tail on */
static void test_tail_behind(void **state)
{
    uint32_t behind, length, i;

    (void)state;
    for (length = 1; length <= 8; length++)
        for (behind = 1; behind <= 12; behind++)
        {
            begin(3);
            for (i = 0; i < 5; i++)
            {
                assert_true(put_entry(&queue, entry_of(1, 0)));
                expect_next(1, 0);
            }
            for (i = 0; i < length; i++)
                assert_true(put_entry(&queue, entry_of(1, i)));
            atomic_fetch_sub(&arena->post.tail, behind);
            assert_int_equal(queue_length(&queue), length);
            assert_int_equal(put_entry(&queue, entry_of(1, length)), length < 8);
            for (i = 0; i < length + (length < 8); i++)
                expect_next(1, i);
            expect_empty();
        }
}

static uint64_t strange_position(struct random *random, uint64_t near)
{
    switch (random_below(random, 5))
    {
    case 0:
        return random_next(random);
    case 1:
        return near + random_below(random, 64) - 32;
    case 2:
        return near + ((uint64_t)random_below(random, 64) - 32) * (uint64_t)(1 + random_below(random, 1 << MAX_BITS));
    case 3:
        return random_below(random, 3) - 1;
    default:
        return near + (UINT64_C(1) << random_below(random, 64));
    }
}

/* whatever the tail says, nothing is lost, and order is kept */
static void test_tail_anything(void **state)
{
    struct random random = random_stream(1);
    unsigned int rounds = scaled(200000), i;
    uint32_t put = 0, taken = 0;

    (void)state;
    begin(3);
    for (i = 0; i < rounds; i++)
    {
        if (random_below(&random, 3) == 0)
            atomic_store(&arena->post.tail, strange_position(&random, taken));
        CHECK_EQUAL(queue_length(&queue), put - taken);
        if (random_below(&random, 2))
        {
            CHECK_EQUAL(put_entry(&queue, entry_of(1, put)), put - taken < 8);
            put += put - taken < 8;
        }
        else if (put != taken)
            expect_next(1, taken++);
        else
            expect_empty();
        /* there is nothing to put right in the slots */
        if (random_below(&random, 4) == 0)
            CHECK(!queue_mend(&queue));
    }
}

/* ---------------------------------------------------------------------------------------------- damage */

static uint64_t tagged(uint64_t position, unsigned int bits, uint64_t content)
{
    return (((position >> bits) + 1) & ((1u << QUEUE_ENTRY_TAG_BITS) - 1)) << TAG_SHIFT |
           content >> QUEUE_ENTRY_TAG_BITS;
}

/* entries stand behind positions that were never posted */
static void test_mend(void **state)
{
    uint32_t gap;

    (void)state;
    for (gap = 1; gap < 8; gap++)
    {
        begin(3);
        atomic_store(&arena->ring[gap], tagged(gap, 3, 0));
        atomic_store(&arena->post.tail, gap + 1);
        assert_true(queue_mend(&queue));
        assert_int_equal(atomic_load(&arena->desk.head), gap);
        expect_next(0, 0);
        assert_false(queue_mend(&queue));
        assert_true(put_entry(&queue, entry_of(1, 7)));
        expect_next(1, 7);
        expect_empty();
    }
}

/* an entry is wiped out: those behind it are found, also when the tail is damaged too */
static void test_mend_wiped(void **state)
{
    static const int64_t tails[] = { 0, 4, 6, 7, 100, -1, -100, INT64_MAX, INT64_MIN };
    uint32_t wiped, i;
    bool hidden;
    size_t t;

    (void)state;
    for (wiped = 0; wiped < 4; wiped++)
        for (t = 0; t < ARRAY_SIZE(tails); t++)
        {
            begin(3);
            for (i = 0; i < 4; i++)
            {
                assert_true(put_entry(&queue, entry_of(1, i)));
                expect_next(1, i);
            }
            for (i = 0; i < 4; i++)
                assert_true(put_entry(&queue, entry_of(1, i)));
            atomic_store(&arena->ring[4 + wiped], 0x123456789abcdef);
            atomic_store(&arena->post.tail, (uint64_t)tails[t]);
            for (i = 0; i < wiped; i++)
                expect_next(1, i);
            /* a tail that says that nothing is there is believed until the next entry is posted */
            hidden = (uint64_t)tails[t] == 4 + wiped;
            assert_int_equal(queue_mend(&queue), wiped != 3 && !hidden);
            if (hidden)
            {
                assert_true(put_entry(&queue, entry_of(2, 0)));
                expect_next(2, 0);
            }
            for (i = wiped + 1; i < 4; i++)
                expect_next(1, i);
            assert_true(put_entry(&queue, entry_of(2, 1)));
            expect_next(2, 1);
            expect_empty();
            assert_int_equal(atomic_load(&arena->post.tail), atomic_load(&arena->desk.head));
        }
}

/* takes off all there is, as a receiver would; counts the entries of producer 1, which must come in order */
static unsigned int drain(uint32_t *next)
{
    struct queue_entry entry;
    unsigned int found = 0, steps = 0;

    do
        while (take_next(&queue, &entry))
        {
            CHECK(++steps < 100000);
            if (entry.slot != 1 || number_of(entry) < *next || number_of(entry) > *next + 1000)
                continue;
            CHECK_EQUAL(number_of(entry), *next);
            ++*next;
            found++;
        }
    while (queue_mend(&queue));
    return found;
}

static uint64_t random_value(struct random *random, uint64_t position, unsigned int bits)
{
    switch (random_below(random, 4))
    {
    case 0:
        return 0;
    case 1: /* about the right round */
        return tagged(position + ((uint64_t)random_below(random, 3) - 1) * (UINT64_C(1) << bits), bits,
                      random_next(random)) |
               0x7fffull << QUEUE_ENTRY_CELL_BITS; /* but none of producer 1's */
    default:
        return random_next(random) | 0x7fffull << QUEUE_ENTRY_CELL_BITS;
    }
}

/* the queue is damaged in every way while nothing goes on; what is posted afterwards arrives */
static void test_damage(void **state)
{
    struct random random = random_stream(2);
    unsigned int rounds = scaled(60000), round, bits = 4, i;
    uint32_t put = 0, taken = 0;

    (void)state;
    begin(bits);
    for (round = 0; round < rounds; round++)
    {
        unsigned int damages = random_below(&random, 20), count = 1 + random_below(&random, 10);

        for (i = 0; i < damages; i++)
        {
            uint64_t position = atomic_load(&arena->desk.head) + random_below(&random, 1 << bits);

            if (random_below(&random, 4) == 0)
                atomic_store(&arena->post.tail, strange_position(&random, position));
            else
                atomic_store(&arena->ring[position & ((1 << bits) - 1)], random_value(&random, position, bits));
        }
        /* what is left of the time before may fill the queue */
        for (i = 0; i < count; i++)
            while (!put_entry(&queue, entry_of(1, put + i)))
            {
                struct queue_entry entry;

                if (take_next(&queue, &entry))
                    taken += entry.slot == 1 && number_of(entry) == taken;
                else
                    CHECK(queue_mend(&queue));
            }
        put += count;
        drain(&taken);
        /* a gap at the end of which nothing has been posted since may hide entries until then */
        while (taken != put)
        {
            uint32_t mark = number_of(entry_of(1, put));

            CHECK(put_entry(&queue, entry_of(1, mark)));
            put++;
            CHECK(put < 0x10000000);
            i = drain(&taken);
            if (taken > mark)
                break;
            CHECK(put - taken < 64);
        }
        taken = put;
    }
}

/* ---------------------------------------------------------------------------------------------- many threads */

#define STRESS_BITS 6

static bool claim(struct producer *producer, uint32_t number)
{
    uint32_t last = number - 1;

    if (atomic_compare_exchange_strong(&producer->received, &last, number))
        return true;
    /* received by another thread, which has not taken it off yet; anything else was lost or overtaken */
    CHECK(last >= number);
    return false;
}

struct stress
{
    uint32_t index, count;
    bool sleeps;
    struct random random;
    struct queue own; /* a view of its own: another process */
    struct queue *view;
};

static void *produce(void *arg)
{
    struct stress *stress = arg;
    uint32_t i;

    for (i = 1; i <= stress->count; i++)
    {
        while (!put_entry(stress->view, entry_of(stress->index, i)))
            sched_yield();
        queue_ring(stress->view);
        if (stress->sleeps && random_below(&stress->random, 50) == 0)
            pass_us(random_below(&stress->random, 400));
    }
    return NULL;
}

static void *receive(void *arg)
{
    struct stress *stress = arg;
    uint64_t sleeper = UINT64_C(1) << 32 | stress->index;

    for (;;)
    {
        struct queue_entry entry;
        uint64_t position;

        if (queue_peek(stress->view, &position, &entry))
        {
            CHECK(entry.slot && entry.slot < MAX_PRODUCERS);
            if (claim(&arena->producers[entry.slot], number_of(entry)))
                atomic_fetch_add(&arena->received, 1);
            queue_take(stress->view, position);
            continue;
        }
        CHECK(!queue_mend(stress->view)); /* no one damages anything here */
        if (queue_closed(stress->view))
            return NULL;
        if (stress->sleeps)
            wait_once(stress->view, sleeper, &deadline_never);
        else
            sched_yield();
    }
}

static void exchange(unsigned int producers, unsigned int receivers, uint32_t count, bool sleeps, bool own)
{
    struct stress stress[MAX_PRODUCERS + MAX_PRODUCERS];
    pthread_t threads[2 * MAX_PRODUCERS];
    unsigned int i;

    for (i = 0; i < producers + receivers; i++)
    {
        stress[i] = (struct stress){ .index = 1 + i, .count = count, .sleeps = sleeps, .random = random_stream(i) };
        make_queue(&stress[i].own, STRESS_BITS);
        stress[i].view = own ? &stress[i].own : &queue;
        start_thread(&threads[i], i < producers ? produce : receive, &stress[i]);
    }
    for (i = 0; i < producers; i++)
        join_thread(threads[i]);
    queue_close(&queue);
    for (; i < producers + receivers; i++)
        join_thread(threads[i]);
    for (i = 0; i < producers; i++)
        assert_int_equal(atomic_load(&arena->producers[1 + i].received), count);
    assert_int_equal(atomic_load(&arena->received), producers * count);
    assert_int_equal(atomic_load(&arena->desk.waiters.sleepers), 0);
    expect_empty();
}

static void test_threads(void **state)
{
    static const struct
    {
        unsigned int producers, receivers;
    } rows[] = { { 1, 1 }, { 4, 1 }, { 1, 4 }, { 4, 4 }, { 12, 12 } };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_SIZE(rows); i++)
    {
        uint32_t count = scaled(400000) / (rows[i].producers * 4);

        begin(STRESS_BITS);
        exchange(rows[i].producers, rows[i].receivers, count, false, i % 2);
        begin(STRESS_BITS);
        exchange(rows[i].producers, rows[i].receivers, count / 4, true, i % 2 == 0);
    }
}

/* ---------------------------------------------------------------------------------------------- sleeping */

static void *sleep_once(void *arg)
{
    struct stress *stress = arg;

    wait_once(&queue, WAITER(7, stress->index), &deadline_never);
    return NULL;
}

static void await_sleepers(uint32_t count)
{
    while (atomic_load(&arena->desk.waiters.sleepers) != count)
        pass_us(50);
    /* they are about to sleep; whether they do already must not matter */
}

static void test_sleep_deadline(void **state)
{
    struct deadline poll = { .forever = false }, soon = deadline_in(5000000);
    uint64_t begun;

    (void)state;
    begin(3);
    wait_once(&queue, 1, &poll);
    while (!deadline_passed(&soon))
        wait_once(&queue, 1, &soon);
    assert_int_equal(atomic_load(&arena->desk.waiters.sleepers), 0);
    assert_int_equal(waiters_count(&queue.desk->waiters), 0);
    /* an entry is there, or none will ever be */
    assert_true(put_entry(&queue, entry_of(1, 1)));
    begun = monotonic_ns();
    wait_once(&queue, 1, &deadline_never);
    expect_next(1, 1);
    queue_close(&queue);
    assert_true(queue_closed(&queue));
    wait_once(&queue, 1, &deadline_never);
    assert_true(monotonic_ns() - begun < 900000000);
    /* though nobody rings, a sleep has an end: a lost wake-up is a delay */
    begin(3);
    wait_once(&queue, 1, &deadline_never);
}

/* one ring wakes one; wake_all, and closing, wake all, even more than can be recorded */
static void test_wake(void **state)
{
    struct stress stress[WAITERS_KNOWN + 10];
    pthread_t threads[WAITERS_KNOWN + 10];
    unsigned int i, round;

    (void)state;
    for (i = 0; i < ARRAY_SIZE(stress); i++)
        stress[i].index = 1 + i;
    for (round = 0; round < 3; round++)
    {
        unsigned int count = round == 2 ? 1 : ARRAY_SIZE(threads);

        begin(3);
        for (i = 0; i < count; i++)
            start_thread(&threads[i], sleep_once, &stress[i]);
        await_sleepers(count);
        if (round == 0)
            queue_wake_all(&queue);
        else if (round == 1)
            queue_close(&queue);
        else
        {
            assert_true(put_entry(&queue, entry_of(1, 1)));
            queue_ring(&queue);
        }
        for (i = 0; i < count; i++)
            join_thread(threads[i]);
        assert_int_equal(atomic_load(&arena->desk.waiters.sleepers), 0);
        assert_int_equal(waiters_count(&queue.desk->waiters), 0);
    }
}

static void wait_until_killed(void *arg)
{
    const uint64_t waiter = WAITER(7, *(uint32_t *)arg);

    for (;;)
        wait_once(&queue, waiter, &deadline_never);
}

/* those who died are forgotten, each once, and nobody else is */
static void test_forget(void **state)
{
    const uint64_t process = WAITER(UINT32_C(0x7fffffff), 0);
    uint32_t numbers[6];
    pid_t pids[6];
    unsigned int i;

    (void)state;
    begin(3);
    for (i = 0; i < 6; i++)
    {
        numbers[i] = 1 + i;
        pids[i] = start_child(wait_until_killed, &numbers[i]);
    }
    await_sleepers(6);
    while (waiters_count(&queue.desk->waiters) != 6)
        pass_us(10);
    queue_forget(&queue, WAITER(8, 0), process);
    queue_forget(&queue, WAITER(7, 99), UINT64_MAX);
    assert_int_equal(atomic_load(&arena->desk.waiters.sleepers), 6);
    kill_child(pids[2]);
    for (i = 0; i < 2; i++)
    {
        queue_forget(&queue, WAITER(7, 3), UINT64_MAX);
        assert_int_equal(waiters_count(&queue.desk->waiters), 5);
        assert_int_equal(atomic_load(&arena->desk.waiters.sleepers), 5);
    }
    for (i = 0; i < 6; i++)
        if (i != 2)
            kill_child(pids[i]);
    queue_forget(&queue, WAITER(7, 0), process);
    assert_int_equal(waiters_count(&queue.desk->waiters), 0);
    assert_int_equal(atomic_load(&arena->desk.waiters.sleepers), 0);
}

/* an entry in the middle is made to lead nowhere, by one of those who try, while it is there */
static void test_erase(void **state)
{
    struct queue_entry entry, third = entry_of(1, 3);
    uint64_t position, positions[8];
    uint32_t i;

    (void)state;
    begin(3);
    for (i = 0; i < 8; i++)
        assert_true(queue_put(&queue, entry_of(1, i), &positions[i]));
    assert_false(queue_erase(&queue, positions[2], third));
    position = positions[3];
    assert_true(queue_find(&queue, &position, third) && position == positions[3]);
    assert_true(queue_erase(&queue, positions[3], third));
    assert_false(queue_find(&queue, &position, third));
    assert_false(queue_erase(&queue, positions[3], third));
    assert_int_equal(queue_length(&queue), 8);
    for (i = 0; i < 8; i++)
    {
        assert_true(queue_peek_at(&queue, positions[i], &entry));
        assert_true(queue_peek(&queue, &position, &entry));
        assert_true(position == positions[i]);
        assert_int_equal(entry.slot, i == 3 ? QUEUE_NOTHING : 1);
        assert_true(queue_take(&queue, position));
        assert_false(queue_take(&queue, position));
        assert_true(i != 3 || queue_count_hole(&queue));
    }
    /* what has been taken is not there any more, though it stands in the ring until it is overwritten */
    assert_false(queue_find(&queue, &positions[5], entry_of(1, 5)));
    /* one that nobody has erased would be a lie */
    assert_false(queue_count_hole(&queue));
    assert_true(put_entry(&queue, (struct queue_entry){ .slot = QUEUE_NOTHING }));
    assert_false(queue_trim(&queue));
    expect_empty();
}

/* ---------------------------------------------------------------------------------------------- hostility */

static void *scribble(void *arg)
{
    struct stress *stress = arg;
    struct random *random = &stress->random;

    while (!atomic_load(&arena->stop))
    {
        uint64_t head = atomic_load(&arena->desk.head), position = head + random_below(random, 1 << STRESS_BITS);
        uint32_t kind = random_below(random, 64);

        if (kind < 8)
            atomic_store(&arena->post.tail, strange_position(random, head));
        else if (kind < 12)
            atomic_store(&arena->post.bell, (uint32_t)random_next(random));
        else if (kind < 60)
            atomic_store(&arena->ring[position & ((1 << STRESS_BITS) - 1)],
                         random_value(random, position, STRESS_BITS));
        else
            pass_us(random_below(random, 50));
    }
    return NULL;
}

static void *produce_under_fire(void *arg)
{
    struct stress *stress = arg;

    while (!atomic_load(&arena->stop))
        if (put_entry(stress->view, entry_of(stress->index, 1)))
            queue_ring(stress->view);
    return NULL;
}

static void *receive_under_fire(void *arg)
{
    struct stress *stress = arg;

    while (!atomic_load(&arena->stop))
    {
        struct deadline soon = deadline_in(1000000);
        struct queue_entry entry;

        queue_length(stress->view);
        if (take_next(stress->view, &entry))
            atomic_fetch_add(&arena->received, entry.slot <= MAX_PRODUCERS);
        else if (!queue_mend(stress->view))
            wait_once(stress->view, stress->index, &soon);
    }
    return NULL;
}

static void test_scribbling(void **state)
{
    static thread_main const mains[] = {
        scribble, scribble, produce_under_fire, produce_under_fire, receive_under_fire, receive_under_fire, scribble
    };
    struct stress stress[ARRAY_SIZE(mains)];
    pthread_t threads[ARRAY_SIZE(mains)];
    uint64_t received = 0;
    unsigned int i, round;
    uint32_t next;

    (void)state;
    begin(STRESS_BITS);
    for (round = 0; round < 8; round++)
    {
        atomic_store(&arena->stop, 0);
        for (i = 0; i < ARRAY_SIZE(mains); i++)
        {
            stress[i] =
                (struct stress){ .index = 1 + i, .random = random_stream(100 * round + i), .view = &stress[i].own };
            make_queue(&stress[i].own, STRESS_BITS);
            start_thread(&threads[i], mains[i], &stress[i]);
        }
        usleep(100000);
        atomic_store(&arena->stop, 1);
        for (i = 0; i < ARRAY_SIZE(mains); i++)
            join_thread(threads[i]);
        /* some got through even so, and afterwards all do */
        assert_true(atomic_load(&arena->received) > received);
        received = atomic_load(&arena->received);
        next = 1000000;
        drain(&next);
        for (next = 1; next < 200;)
        {
            assert_true(put_entry(&queue, entry_of(1, next)));
            drain(&next);
        }
        assert_int_equal(next, 200);
        assert_int_equal(atomic_load(&arena->desk.waiters.sleepers), 0);
    }
}

/* ---------------------------------------------------------------------------------------------- killing */

#define KILL_PRODUCERS 3
#define KILL_RECEIVERS 2

/* goes on where its predecessor was killed; a number that may not have been posted is not used again */
static void produce_until_killed(void *arg)
{
    uint32_t index = *(uint32_t *)arg;
    struct producer *producer = &arena->producers[index];
    struct random random = random_stream((uint64_t)getpid());
    struct queue view;

    make_queue(&view, STRESS_BITS);
    for (;;)
    {
        uint32_t number = atomic_fetch_add(&producer->begun, 1) + 1;

        while (!put_entry(&view, entry_of(index, number)))
            if (atomic_load(&arena->stop))
                return;
            else
                sched_yield();
        atomic_store(&producer->done, number);
        atomic_fetch_add(&arena->lost, 1); /* until it is received */
        queue_ring(&view);
        if (atomic_load(&arena->stop))
            return;
        if (random_below(&random, 20) == 0)
            pass_us(random_below(&random, 100));
    }
}

/* numbers come in order, though some are missing: their producers were killed */
static bool claim_with_gaps(struct producer *producer, uint32_t number)
{
    uint32_t last = atomic_load(&producer->received);

    while (last < number)
        if (atomic_compare_exchange_weak(&producer->received, &last, number))
            return true;
    return false;
}

static void receive_some(struct queue *view, uint64_t sleeper, const struct deadline *deadline)
{
    struct queue_entry entry;
    uint64_t position;

    if (!queue_peek(view, &position, &entry))
    {
        CHECK(!queue_mend(view));
        wait_once(view, sleeper, deadline);
        return;
    }
    CHECK(entry.slot >= 1 && entry.slot <= KILL_PRODUCERS);
    CHECK(number_of(entry) <= atomic_load(&arena->producers[entry.slot].begun));
    if (claim_with_gaps(&arena->producers[entry.slot], number_of(entry)))
        atomic_fetch_add(&arena->received, 1);
    queue_take(view, position);
}

static void receive_until_killed(void *arg)
{
    struct queue view;

    (void)arg;
    make_queue(&view, STRESS_BITS);
    for (;;)
        receive_some(&view, (uint64_t)getpid() << 32 | 1, &deadline_never);
}

/* the survivor */
static void *receive_to_the_end(void *arg)
{
    struct queue view;
    bool stop;

    (void)arg;
    make_queue(&view, STRESS_BITS);
    do
    {
        struct queue_entry entry;
        uint64_t position;

        stop = atomic_load(&arena->stop) == 2;
        while (queue_peek(&view, &position, &entry))
            receive_some(&view, 1, &deadline_never);
        if (!stop)
            receive_some(&view, 1, &deadline_never);
    } while (!stop);
    return NULL;
}

/* what alpcserver does when a process has died */
static void bury(pid_t pid)
{
    queue_forget(&queue, (uint64_t)pid << 32, UINT64_C(0xffffffff00000000));
    queue_wake_all(&queue);
}

static void start_victim(pid_t *pid, uint32_t *index)
{
    *pid =
        *index <= KILL_PRODUCERS ? start_child(produce_until_killed, index) : start_child(receive_until_killed, index);
}

static void test_kill(void **state)
{
    pid_t pids[KILL_PRODUCERS + KILL_RECEIVERS];
    uint32_t indices[ARRAY_SIZE(pids)], i, kills = scaled(3000);
    struct random random = random_stream(3);
    pthread_t survivor;
    uint64_t begun = 0, done = 0;

    (void)state;
    begin(STRESS_BITS);
    for (i = 0; i < ARRAY_SIZE(pids); i++)
    {
        indices[i] = 1 + i;
        start_victim(&pids[i], &indices[i]);
    }
    start_thread(&survivor, receive_to_the_end, NULL);
    while (kills--)
    {
        if (random_below(&random, 3))
            pass_us(random_below(&random, 300));
        i = random_below(&random, ARRAY_SIZE(pids));
        kill_child(pids[i]);
        bury(pids[i]);
        start_victim(&pids[i], &indices[i]);
    }
    for (i = KILL_PRODUCERS; i < ARRAY_SIZE(pids); i++)
    {
        kill_child(pids[i]);
        bury(pids[i]);
    }
    atomic_store(&arena->stop, 1);
    for (i = 0; i < KILL_PRODUCERS; i++)
        join_child(pids[i]);
    atomic_store(&arena->stop, 2);
    queue_wake_all(&queue);
    join_thread(survivor);
    expect_empty();
    for (i = 1; i <= KILL_PRODUCERS; i++)
    {
        struct producer *producer = &arena->producers[i];

        /* the last one that was certainly posted has come, and order was kept: so have all before */
        assert_true(producer->received >= producer->done && producer->received <= producer->begun);
        begun += producer->begun;
        done += producer->done;
    }
    assert_true(atomic_load(&arena->received) <= begun);
    assert_true(atomic_load(&arena->received) >= atomic_load(&arena->lost));
    assert_true(done > 0);
    /* and the queue is as good as new */
    for (i = 0; i < 1 << STRESS_BITS; i++)
        assert_true(put_entry(&queue, entry_of(1, i)));
    assert_false(put_entry(&queue, entry_of(1, i)));
    for (i = 0; i < 1 << STRESS_BITS; i++)
        expect_next(1, i);
}

/* ---------------------------------------------------------------------------------------------- packing */

/* the head follows when what stands before the rest leads nowhere; the rest moves up, in its order */
static void test_pack(void **state)
{
    struct queue_entry entry;
    uint64_t position;
    uint32_t round, i;

    (void)state;
    begin(4);
    for (round = 0; round < 100; round++)
    {
        uint64_t head = queue_head(&queue), found = head + 10;

        for (i = 0; i < 16; i++)
            assert_true(put_entry(&queue, entry_of(i % 5 ? 2 : 1, i)));
        assert_false(put_entry(&queue, entry_of(2, i)));
        /* the oldest stays, so nothing becomes free by what is received behind it */
        for (i = 0; i < 16; i++)
            if (i % 5)
                assert_true(queue_erase(&queue, head + i, entry_of(2, i)));
        queue_trim(&queue);
        assert_true(queue_head(&queue) == head);
        assert_false(put_entry(&queue, entry_of(2, i)));
        assert_true(queue_pack(&queue, head + 16));
        assert_true(queue_head(&queue) == head + 12);
        /* who knows where it stood finds it */
        assert_true(queue_find(&queue, &found, entry_of(1, 10)) && found == head + 14);
        assert_false(queue_find(&queue, &found, entry_of(1, 5)));
        for (i = 16; i < 28; i++)
            assert_true(put_entry(&queue, entry_of(2, i)));
        assert_false(put_entry(&queue, entry_of(2, i)));
        for (i = 0; i < 16; i += 5)
            expect_next(1, i);
        for (i = 16; i < 28; i++)
            expect_next(2, i);
        expect_empty();
    }
    /* what is not before the end stays; nothing is done twice at once */
    position = queue_head(&queue);
    for (i = 0; i < 4; i++)
        assert_true(put_entry(&queue, entry_of(1, i)));
    assert_true(queue_erase(&queue, position + 2, entry_of(1, 2)));
    queue_pack(&queue, position + 2);
    assert_true(queue_peek_at(&queue, position, &entry) && number_of(entry) == 0);
    atomic_store(&queue.desk->packed, coarse_ns());
    queue_pack(&queue, position + 4);
    assert_true(queue_peek_at(&queue, position, &entry) && number_of(entry) == 0);
    atomic_store(&queue.desk->packed, coarse_ns() + 4000000); /* it has looked at the clock later */
    queue_pack(&queue, position + 4);
    assert_true(queue_peek_at(&queue, position, &entry) && number_of(entry) == 0);
    /* unless who was at it has gone */
    atomic_store(&queue.desk->packed, coarse_ns() - UINT64_C(20000000000));
    queue_pack(&queue, position + 4);
    expect_next(1, 0);
    expect_next(1, 1);
    expect_next(1, 3);
    expect_empty();
    assert_int_equal(atomic_load(&queue.desk->packed), 0);
    assert_int_equal(atomic_load(&queue.desk->holes), 0);
}

/* a gap behind what stands at the head is filled too, for those who take from the middle */
static void test_mend_middle(void **state)
{
    struct queue_entry entry;
    uint64_t head;
    uint32_t i;

    (void)state;
    begin(4);
    for (i = 0; i < 5; i++)
        assert_true(put_entry(&queue, entry_of(1, i)));
    head = queue_head(&queue);
    atomic_store(&arena->ring[3], 0);
    atomic_store(&arena->ring[2], 0);
    assert_true(queue_mend(&queue));
    assert_true(queue_head(&queue) == head);
    for (i = 2; i < 4; i++)
        assert_true(queue_peek_at(&queue, head + i, &entry) && entry.slot == QUEUE_NOTHING);
    assert_false(queue_mend(&queue));
    expect_next(1, 0);
    expect_next(1, 1);
    assert_true(queue_trim(&queue));
    expect_next(1, 4);
    expect_empty();
}

#define PACK_PRODUCERS 4
#define PACK_SLOW PACK_PRODUCERS /* what this one posts is received late */
#define PACK_AHEAD 8

static void *produce_some(void *arg)
{
    struct stress *stress = arg;
    struct producer *producer = &arena->producers[stress->index];
    uint32_t i;

    for (i = 1; i <= stress->count; i++)
        while (i - atomic_load(&producer->received) > PACK_AHEAD || !put_entry(&queue, entry_of(stress->index, i)))
            sched_yield();
    return NULL;
}

/* as a receive on a communication port does it: one message of its own, or none */
static bool take_own(struct producer *producer, uint32_t index, uint64_t *seen)
{
    uint64_t head = queue_head(&queue), position = *seen - head < UINT64_C(1) << queue.bits ? *seen : head;
    struct queue_entry entry;

    for (; queue_peek_at(&queue, position, &entry); *seen = ++position)
    {
        uint32_t next = atomic_load(&producer->received) + 1;

        if (entry.slot != index)
            continue;
        /* one that is being moved is met twice */
        CHECK(number_of(entry) <= next);
        if (queue_erase(&queue, position, entry) && number_of(entry) == next)
        {
            atomic_store(&producer->received, next);
            return true;
        }
    }
    return false;
}

static void *receive_own(void *arg)
{
    struct stress *stress = arg;
    struct producer *producer = &arena->producers[stress->index];
    uint64_t seen = 0;

    while (atomic_load(&producer->received) != stress->count)
    {
        if (stress->index == PACK_SLOW && !random_below(&stress->random, 4))
            pass_us(random_below(&stress->random, 300));
        if (!take_own(producer, stress->index, &seen))
            sched_yield();
        queue_trim(&queue);
        if (stress->index != PACK_SLOW && !random_below(&stress->random, 16))
            queue_pack(&queue, seen);
    }
    return NULL;
}

/* each gets what is its own, once and in order, while what others have not received is moved about */
static void test_pack_threads(void **state)
{
    struct stress stress[2 * PACK_PRODUCERS];
    pthread_t threads[ARRAY_SIZE(stress)];
    unsigned int i;

    (void)state;
    begin(STRESS_BITS);
    for (i = 0; i < ARRAY_SIZE(stress); i++)
    {
        uint32_t index = 1 + i / 2;

        stress[i] = (struct stress){ .index = index,
                                     .count = scaled(index == PACK_SLOW ? 5000 : 50000),
                                     .random = random_stream(i) };
        start_thread(&threads[i], i % 2 ? receive_own : produce_some, &stress[i]);
    }
    for (i = 0; i < ARRAY_SIZE(stress); i++)
        join_thread(threads[i]);
    queue_trim(&queue);
    expect_empty();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fifo),           cmocka_unit_test(test_entry_bits),  cmocka_unit_test(test_full),
        cmocka_unit_test(test_wrap_around),    cmocka_unit_test(test_tail_behind), cmocka_unit_test(test_tail_anything),
        cmocka_unit_test(test_mend),           cmocka_unit_test(test_mend_wiped),  cmocka_unit_test(test_damage),
        cmocka_unit_test(test_sleep_deadline), cmocka_unit_test(test_wake),        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_threads),        cmocka_unit_test(test_scribbling),  cmocka_unit_test(test_kill),
        cmocka_unit_test(test_erase),          cmocka_unit_test(test_pack),        cmocka_unit_test(test_pack_threads),
        cmocka_unit_test(test_mend_middle),
    };

    return STRESS_MAIN("test_queue", tests);
}
