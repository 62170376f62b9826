/*
 * Tests of dlls/ntdll/alpc/cell.c: cells, their states, and what a peer or a death can do to them
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "stress.h"

#include "dlls/ntdll/alpc/cell.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#define ALL_CELLS (2u << CELL_INDEX_BITS)

static struct channel channel;
static int channel_fd = -1;
static void *post, *desk;
static struct queue main_queue; /* of the connection port */

/* a new channel, with queues; children inherit its mapping */
static void begin(void)
{
    channel_fd = channel_create(7, 0);
    assert_int_not_equal(channel_fd, -1);
    assert_true(channel_map(&channel, channel_fd, true));
    post = shared_memory(PORT_POST_SIZE);
    desk = shared_memory(PORT_DESK_SIZE);
    queue_init(&main_queue, post, desk, (_Atomic uint64_t *)((uint8_t *)post + 0x1000), PORT_QUEUE_BITS);
    channel.slot = 5;
    channel.queue[END_SERVER] = &main_queue;
    channel.queue[END_CLIENT] = &channel.client_queue;
}

static void end(void)
{
    channel_unmap(&channel);
    close(channel_fd);
    free_shared_memory(post, PORT_POST_SIZE);
    free_shared_memory(desk, PORT_DESK_SIZE);
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

static enum cell_phase phase_of(uint32_t id)
{
    return cell_phase(cell_state(cell_at(id)));
}

/* a step from whatever phase the cell is in now */
static bool step(uint32_t id, enum cell_event event, uint32_t thread)
{
    uint64_t state = cell_state(cell_at(id));

    return cell_step(&channel, id, cell_at(id), &state, event, thread_actor(thread));
}

/* a step from a phase in which the thread is alone with the cell */
static uint64_t finish(uint32_t id, enum cell_phase from, enum cell_event event, struct cell_actor actor)
{
    uint32_t gen = cell_gen(cell_state(cell_at(id))) + (from == CELL_OWNED);

    return cell_finish(&channel, id, cell_at(id), cell_word(from, gen, actor), event, actor);
}

static void free_cell(uint32_t id)
{
    CHECK(step(id, EVENT_DONE, 0));
}

/* makes a message of a cell that the thread owns: its generation */
static uint32_t send_cell(uint32_t id, enum alpc_end to, uint32_t thread)
{
    return cell_gen(finish(id, CELL_OWNED, EVENT_SEND + to, thread_actor(thread)));
}

/* how many cells of an end are not free */
static unsigned int count_used(enum alpc_end owner)
{
    unsigned int count = 0, index;

    for (index = 0; index < CELL_COUNT; index++)
        count += phase_of(CELL_ID(owner, index)) != CELL_FREE;
    return count;
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
        id = cell_alloc(&channel, END_CLIENT, thread_actor(1));
        assert_int_equal(id, CELL_ID(END_CLIENT, 0));
        assert_int_equal(phase_of(id), CELL_OWNED);
        assert_int_equal(cell_actor(cell_state(cell_at(id))).thread, 1);
        free_cell(id);
    }
    for (owner = END_CLIENT; owner <= END_SERVER; owner++)
    {
        for (i = 0; i < CELL_COUNT; i++)
        {
            ids[i] = cell_alloc(&channel, owner, thread_actor(1));
            assert_int_not_equal(ids[i], CELL_NONE);
            assert_int_equal(CELL_END(ids[i]), owner);
            assert_true((ids[i] & CELL_INDEX_MASK) < channel_peak(&channel, owner));
        }
        assert_int_equal(count_used(owner), CELL_COUNT);
        assert_int_equal(cell_alloc(&channel, owner, thread_actor(1)), CELL_NONE);
        free_cell(ids[CELL_COUNT / 3]);
        assert_int_equal(cell_alloc(&channel, owner, thread_actor(1)), ids[CELL_COUNT / 3]);
        for (i = 0; i < CELL_COUNT; i++)
            free_cell(ids[i]);
        assert_int_equal(channel_peak(&channel, owner), CELL_COUNT);
    }
    /* the part in use becomes small again */
    for (i = 0; i < 20 * CELL_COUNT; i++)
        free_cell(cell_alloc(&channel, END_CLIENT, thread_actor(1)));
    for (i = 0; i < 200; i++)
        ids[i] = cell_alloc(&channel, END_CLIENT, thread_actor(1));
    assert_in_range(atomic_load(&channel.header->end[END_CLIENT].limit), CELL_NEAR, CELL_COUNT);
    end();
}

/* a message that was answered and not released, or given up and not answered: late answers to it are refused */
static void make_past(uint32_t id, bool spent)
{
    send_cell(id, END_SERVER, 1);
    CHECK(step(id, EVENT_RECEIVE, 2));
    if (spent)
        CHECK(step(id, EVENT_BEGIN, 2) && step(id, EVENT_ANSWER, 2) && step(id, EVENT_KEEP, 1));
    else
        CHECK(step(id, EVENT_GIVE_UP, 1) && step(id, EVENT_DONE, 2));
    CHECK_EQUAL(phase_of(id), spent ? CELL_SPENT : CELL_VOID);
}

/* a server that never releases: the older messages are forgotten, the newest thousand or so are kept */
static void test_past(void **state)
{
    uint32_t i, id, kept, sequence = 0;
    unsigned int spent;

    (void)state;
    for (spent = 0; spent < 2; spent++)
    {
        begin();
        for (i = 0; i < 3 * CELL_COUNT; i++)
        {
            id = cell_alloc(&channel, END_CLIENT, thread_actor(1));
            assert_int_not_equal(id, CELL_NONE);
            atomic_store(&cell_at(id)->sequence, sequence = channel_next_sequence(&channel, END_CLIENT));
            make_past(id, spent);
        }
        for (kept = 0, i = 0; i < CELL_COUNT; i++)
        {
            id = CELL_ID(END_CLIENT, i);
            kept += phase_of(id) == (spent ? CELL_SPENT : CELL_VOID) &&
                    sequence - atomic_load(&cell_at(id)->sequence) < CELL_KEEP_SPENT / 2;
        }
        assert_int_equal(kept, CELL_KEEP_SPENT / 2);
        end();
    }
}

/* ---------------------------------------------------------------------------------------------- states */

static void test_states(void **state)
{
    struct cell *cell;
    uint64_t word, stale;
    uint32_t id, gen, i;

    (void)state;
    begin();
    id = cell_alloc(&channel, END_CLIENT, thread_actor(5));
    cell = cell_at(id);
    word = finish(id, CELL_OWNED, EVENT_SEND + END_SERVER, (struct cell_actor){ .thread = 5, .process = 3 });
    assert_true(word == cell_state(cell));
    gen = cell_gen(word);
    assert_int_equal(gen, 1);
    assert_int_equal(cell_actor(word).process, 3);
    /* only what the table has, from what was seen, and once */
    assert_false(step(id, EVENT_BEGIN, 6));
    stale = cell_word(CELL_QUEUED + END_SERVER, gen + 1, thread_actor(5));
    assert_false(cell_step(&channel, id, cell, &stale, EVENT_RECEIVE, thread_actor(6)));
    assert_true(stale == word);
    stale = cell_word(CELL_QUEUED + END_CLIENT, gen, thread_actor(5));
    assert_false(cell_step(&channel, id, cell, &stale, EVENT_RECEIVE, thread_actor(6)));
    stale = word;
    assert_true(cell_step(&channel, id, cell, &word, EVENT_RECEIVE, thread_actor(6)));
    assert_true(word == cell_state(cell));
    assert_int_equal(cell_phase(word), CELL_HELD + END_SERVER);
    assert_false(cell_step(&channel, id, cell, &stale, EVENT_RECEIVE, thread_actor(7)));
    assert_int_equal(cell_actor(cell_state(cell)).thread, 6);
    /* who waits is not forgotten by a claim, and woken when the message is passed on */
    atomic_fetch_or(&cell->state, CELL_WAITING);
    assert_true(step(id, EVENT_BEGIN, 6));
    assert_true(cell_state(cell) & CELL_WAITING);
    assert_false(cell_state(cell) & CELL_ANSWERED);
    assert_true(step(id, EVENT_ANSWER, 6));
    assert_int_equal(phase_of(id), CELL_ANSWER + END_CLIENT);
    assert_false(cell_state(cell) & CELL_WAITING);
    assert_true(cell_state(cell) & CELL_ANSWERED);
    assert_ptr_equal(cell_content(cell, cell_state(cell)), &cell->answer);
    assert_false(step(id, EVENT_ANSWER, 6));
    /* freeing keeps the generation; it comes round */
    free_cell(id);
    for (i = gen + 1; i < gen + 3 * (CELL_GEN_MASK + 1); i++)
    {
        assert_true(step(id, EVENT_ALLOC, UINT32_MAX));
        assert_int_equal(send_cell(id, END_SERVER, UINT32_MAX), i & CELL_GEN_MASK);
        assert_int_equal(cell_actor(cell_state(cell)).thread, UINT32_MAX);
        free_cell(id);
    }
    end();
}

/* of every step: who gives up is told apart from who answers, and what has ended is no end's any more */
static void test_table(void **state)
{
    unsigned int event, phase;

    (void)state;
    for (event = 0; event < EVENT_COUNT; event++)
        for (phase = 0; phase <= CELL_PHASE_MASK; phase++)
        {
            unsigned int after = cell_after(event, phase);

            if (!after)
                continue;
            assert_true(phase < CELL_PHASES && after - 1 < CELL_PHASES && after - 1 != phase);
            /* only a thread that allocates takes a cell that is free */
            assert_int_equal(phase == CELL_FREE, event == EVENT_ALLOC);
            /* an answer goes to the end that did not write it */
            if (event == EVENT_ANSWER || event == EVENT_QUEUE)
                assert_int_equal((after - 1) & 1, !(phase & 1));
            /* whose message it is does not change when it is read, held, given up */
            if (event == EVENT_RECEIVE || event == EVENT_READ || event == EVENT_BEGIN ||
                (event == EVENT_GIVE_UP && phase != CELL_EARLY))
                assert_int_equal((after - 1) & 1, phase & 1);
        }
    /* what has been given up while somebody holds or answers it can only end as void */
    assert_int_equal(cell_after(EVENT_DONE, CELL_CANCELED + END_SERVER), CELL_VOID + 1);
    assert_int_equal(cell_after(EVENT_DONE, CELL_ABANDONED + END_CLIENT), CELL_VOID + 1);
    assert_false(cell_after(EVENT_ANSWER, CELL_ABANDONED + END_SERVER));
    assert_false(cell_after(EVENT_BEGIN, CELL_VOID));
}

static void test_sleep(void **state)
{
    const struct deadline poll = { 0 };
    struct deadline soon;
    struct cell *cell;
    uint32_t id, gen;
    uint64_t begun;

    (void)state;
    begin();
    id = cell_alloc(&channel, END_CLIENT, thread_actor(5));
    cell = cell_at(id);
    gen = send_cell(id, END_SERVER, 5);
    cell_sleep(&channel, cell, cell_state(cell), LINK_LOST, &poll);
    soon = deadline_in(10000000);
    cell_sleep(&channel, cell, cell_state(cell), LINK_LOST, &soon);
    assert_true(deadline_passed(&soon));
    assert_true(cell_state(cell) & CELL_WAITING);
    /* though nobody wakes it, a sleep has an end: a lost wake-up is a delay */
    cell_sleep(&channel, cell, cell_state(cell), LINK_LOST, &deadline_never);
    /* another state than the one that was seen */
    begun = monotonic_ns();
    cell_sleep(&channel, cell, cell_word(CELL_FREE, gen, thread_actor(0)), LINK_LOST, &deadline_never);
    /* a link that is cut already */
    atomic_fetch_or(&channel.header->link, LINK_SERVER_GONE);
    cell_sleep(&channel, cell, cell_state(cell), LINK_LOST, &deadline_never);
    assert_true(monotonic_ns() - begun < 900000000);
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
            uint32_t id = cell_alloc(&channel, END_CLIENT, thread_actor(worker->number));

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
            free_cell(id);
        }
    }
    while (count)
    {
        atomic_store(&holder[mine[--count]], 0);
        free_cell(mine[count]);
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
    const uint32_t id = CELL_ID(END_CLIENT, 3);
    struct cell *cell = cell_at(id);
    uint32_t seen = 0;

    while (seen < worker->rounds)
    {
        uint64_t word = cell_state(cell);

        if (cell_phase(word) == CELL_QUEUED + END_SERVER &&
            cell_step(&channel, id, cell, &word, EVENT_RECEIVE, thread_actor(worker->number)))
        {
            uint32_t sent;

            memcpy(&sent, cell->data + 64, sizeof(sent));
            CHECK_EQUAL(sent, atomic_load(&round_number));
            atomic_fetch_add(&claims, 1);
            free_cell(id);
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
    pthread_t threads[ARRAY_SIZE(workers)];
    uint32_t i, id, rounds = scaled(20000);

    (void)state;
    begin();
    id = CELL_ID(END_CLIENT, 3);
    claims = round_number = 0;
    for (i = 0; i < ARRAY_SIZE(workers); i++)
    {
        workers[i] = (struct worker){ .number = i + 1, .rounds = rounds };
        start_thread(&threads[i], claim, &workers[i]);
    }
    for (i = 1; i < rounds; i++)
    {
        atomic_store(&round_number, i);
        CHECK(step(id, EVENT_ALLOC, 9));
        memcpy(cell_at(id)->data + 64, &i, sizeof(i));
        send_cell(id, END_SERVER, 9);
        while (phase_of(id) != CELL_FREE)
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
    const uint32_t id = CELL_ID(END_CLIENT, 4);
    struct random random = random_stream(7);
    unsigned int i;

    for (i = 0; i < worker->rounds; i++)
    {
        while (phase_of(id) != CELL_QUEUED + END_SERVER)
            sched_yield();
        if (random_below(&random, 4) == 0)
            pass_us(random_below(&random, 50));
        CHECK(step(id, EVENT_RECEIVE, 2) && step(id, EVENT_BEGIN, 2) && step(id, EVENT_ANSWER, 2));
    }
    return NULL;
}

static void test_waking(void **state)
{
    struct worker worker = { .rounds = scaled(30000) };
    const uint32_t id = CELL_ID(END_CLIENT, 4);
    pthread_t thread;
    unsigned int i, slow = 0;
    uint64_t begun;

    (void)state;
    begin();
    start_thread(&thread, answer, &worker);
    for (i = 0; i < worker.rounds; i++)
    {
        uint64_t word;

        CHECK(step(id, EVENT_ALLOC, 1));
        send_cell(id, END_SERVER, 1);
        while (cell_phase(word = cell_state(cell_at(id))) != CELL_ANSWER + END_CLIENT)
        {
            begun = monotonic_ns();
            cell_sleep(&channel, cell_at(id), word, LINK_LOST, &deadline_never);
            slow += monotonic_ns() - begun > 900000000;
        }
        free_cell(id);
    }
    /* a wake-up that is lost shows as a sleep that ended by itself; a machine that stands still looks the same */
    assert_in_range(slow, 0, 2);
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
        uint32_t id = cell_alloc(&channel, END_CLIENT, thread_actor(1));
        struct cell *cell = cell_at(id);
        pthread_t thread;

        atomic_store(&channel.header->link, LINK_CONNECTED);
        send_cell(id, END_SERVER, 1);
        start_thread(&thread, sleep_for_ever, cell);
        pass_us(random_below(&random, 100));
        /* as alpcserver does it */
        atomic_store(&channel.header->link, LINK_CONNECTED | LINK_SERVER_GONE);
        if (cell_state(cell) & CELL_WAITING)
            cell_wake(cell);
        join_thread(thread);
        free_cell(id);
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
            mine[count] = cell_alloc(&channel, END_SERVER, (struct cell_actor){ .thread = number, .process = 1 });
            CHECK(mine[count] != CELL_NONE);
            atomic_fetch_add(&deaths->allocated, 1);
            if (random_below(&random, 3) == 0)
                finish(mine[count], CELL_OWNED, EVENT_SEND + END_CLIENT,
                       (struct cell_actor){ .thread = number, .process = 1 });
            count++;
        }
        else if (count)
            free_cell(mine[--count]);
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
        /* what it owned is freed, what it had sent is a message still: this test frees that too */
        cell_bury(&channel, &(struct cell_dead){ .end = END_SERVER, .process = 1, .thread = numbers[victim] });
        for (index = 0; index < channel_peak(&channel, END_SERVER); index++)
        {
            uint64_t word = cell_state(cell_at(CELL_ID(END_SERVER, index)));

            CHECK(cell_phase(word) == CELL_FREE || cell_phase(word) == CELL_OWNED ||
                  cell_phase(word) == CELL_QUEUED + END_CLIENT);
            if (cell_phase(word) == CELL_FREE || cell_actor(word).thread != numbers[victim])
                continue;
            CHECK_EQUAL(cell_phase(word), CELL_QUEUED + END_CLIENT);
            free_cell(CELL_ID(END_SERVER, index));
        }
        pids[victim] = start_child(allocate_until_killed, (void *)(uintptr_t)(numbers[victim] = next++));
    }
    for (j = 0; j < CHILDREN; j++)
        kill_child(pids[j]);
    for (index = 0; index < CELL_COUNT; index++)
    {
        const uint32_t id = CELL_ID(END_SERVER, index);

        if (phase_of(id) != CELL_FREE)
        {
            uint32_t owner = cell_actor(cell_state(cell_at(id))).thread;

            /* only of the last ones, which have not been swept */
            assert_true(owner == numbers[0] || owner == numbers[1] || owner == numbers[2]);
            free_cell(id);
        }
    }
    assert_true(deaths->allocated > count);
    for (index = 0; index < CELL_COUNT; index++)
        assert_int_not_equal(cell_alloc(&channel, END_SERVER, thread_actor(1)), CELL_NONE);
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
        uint32_t id = cell_alloc(&channel, owner, thread_actor(1));
        const struct deadline soon = deadline_in(20000);
        struct cell *cell;

        assert_in_range(channel_peak(&channel, owner), 0, CELL_COUNT);
        if (id == CELL_NONE)
            continue;
        assert_int_equal(CELL_END(id), owner);
        assert_in_range(id & CELL_INDEX_MASK, 0, CELL_COUNT - 1);
        cell = cell_at(id);
        assert_in_range(send_cell(id, END_SERVER, 1), 0, CELL_GEN_MASK);
        if (i % 64 == 0)
            cell_sleep(&channel, cell, cell_state(cell), LINK_LOST, &soon);
        if (i % 1024 == 0)
            cell_bury(&channel, &(struct cell_dead){ .end = owner });
        step(id, EVENT_RECEIVE, 1);
        step(id, EVENT_BEGIN, 1);
        step(id, EVENT_ANSWER, 1);
        finish(id, CELL_ANSWER + END_CLIENT, EVENT_DONE, thread_actor(1));
        assert_int_not_equal(channel_next_sequence(&channel, owner), 0);
    }
    kill_child(pid);
    end();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allocation), cmocka_unit_test(test_past),       cmocka_unit_test(test_states),
        cmocka_unit_test(test_table),      cmocka_unit_test(test_sleep),      cmocka_unit_test(test_allocating_threads),
        cmocka_unit_test(test_claiming),   cmocka_unit_test(test_waking),     cmocka_unit_test(test_cut_link),
        cmocka_unit_test(test_killed),     cmocka_unit_test(test_scribbling),
    };

    return STRESS_MAIN("test_cell", tests);
}
