/*
 * Tests of dlls/ntdll/alpc/port.c and thread.c: objects that threads use while others take them away
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "stress.h"

#include "dlls/ntdll/alpc/port.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct thread *begin_thread(void)
{
    return thread_current((uint32_t)getpid(), (uint32_t)syscall(SYS_gettid));
}

/* ---------------------------------------------------------------------------------------------- use and retiring */

#define OBJECTS 64

/* never freed, so that a use after the end is seen and not only by luck */
static struct object
{
    _Atomic uint32_t alive;
} objects[OBJECTS];

static _Atomic(void *) place;
static _Atomic uint32_t stop, destroyed;

static void destroy(void *arg)
{
    struct object *object = arg;

    CHECK_EQUAL(atomic_exchange(&object->alive, 0), 1);
    atomic_fetch_add(&destroyed, 1);
}

static void retire(void *object)
{
    thread_retire(object, destroy);
}

static void *use_objects(void *arg)
{
    unsigned int used = 0, i;

    (void)arg;
    while (!atomic_load(&stop))
    {
        struct thread *thread = begin_thread();
        struct object *object = thread_use(thread, USE_PORT, &place);

        for (i = 0; object && i < 20; i++)
            CHECK(atomic_load_explicit(&object->alive, memory_order_relaxed));
        used += object != NULL;
        thread_release(thread, USE_PORT);
        if (used % 64 == 0)
            sched_yield();
    }
    thread_unregister();
    return NULL;
}

/* what a thread uses is not destroyed, and all that was retired is in the end */
static void retire_many(void *arg)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    unsigned int i, count = scaled(30000), busy = 0;
    pthread_t threads[3];

    (void)arg;
    stop = destroyed = 0;
    atomic_store(&place, NULL);
    for (i = 0; i < ARRAY_SIZE(threads); i++)
        start_thread(&threads[i], use_objects, NULL);
    for (i = 0; i < count; i++)
    {
        struct object *object = &objects[i % OBJECTS], *old;

        /* retired 64 rounds ago, and still in use: that one cannot be taken again yet */
        if (atomic_load(&object->alive))
        {
            busy++;
            thread_collect();
            continue;
        }
        atomic_store(&object->alive, 1);
        if ((old = atomic_exchange(&place, object)))
            retire(old);
    }
    if ((i = count - busy) && atomic_load(&place))
        retire(atomic_exchange(&place, NULL));
    atomic_store(&stop, 1);
    for (i = 0; i < ARRAY_SIZE(threads); i++)
        join_thread(threads[i]);
    /* where membarrier is refused all of a sudden this takes a while */
    for (i = 0; i < 5000 && destroyed != count - busy; i++)
    {
        thread_collect();
        nanosleep(&pause, NULL);
    }
    CHECK_EQUAL(destroyed, count - busy);
    for (i = 0; i < OBJECTS; i++)
        CHECK(!objects[i].alive);
}

static void test_retiring(void **state)
{
    (void)state;
    retire_many(NULL);
}

/* from now on, in all threads that begin later too */
static void refuse_membarrier(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

    CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
    CHECK(syscall(SYS_membarrier, 0, 0, 0) == -1 && errno == EPERM);
}

static void retire_without_membarrier(void *arg)
{
    const bool *late = arg;

    if (!*late)
        refuse_membarrier();
    thread_init();
    CHECK_EQUAL(thread_fences, !*late);
    if (*late)
        refuse_membarrier();
    retire_many(NULL);
    CHECK(thread_fences);
}

/* the same where the kernel refuses membarrier from the beginning, or from some moment on */
static void test_no_membarrier(void **state)
{
    bool late;

    (void)state;
    late = false;
    join_child(start_child(retire_without_membarrier, &late));
    late = true;
    join_child(start_child(retire_without_membarrier, &late));
}

static void *use_and_die(void *arg)
{
    struct thread *thread = begin_thread();

    CHECK(thread_use(thread, USE_CONNECTION, &place) == arg);
    return NULL; /* terminated: nothing is released */
}

/* a thread that was terminated in the middle of a call keeps nothing for ever */
static void test_dead_user(void **state)
{
    pthread_t thread;
    unsigned int i;

    (void)state;
    destroyed = 0;
    for (i = 0; i < 20; i++)
    {
        objects[0].alive = 1;
        atomic_store(&place, &objects[0]);
        start_thread(&thread, use_and_die, &objects[0]);
        join_thread(thread);
        atomic_store(&place, NULL);
        retire(&objects[0]);
        /* the kernel may know the thread a moment longer than who joins it */
        while (atomic_load(&destroyed) != i + 1)
            thread_collect();
    }
}

/* many short-lived threads share few records */
static void *register_thread(void *arg)
{
    struct thread *thread = begin_thread(), **record = arg;

    CHECK(thread != NULL && thread == begin_thread());
    CHECK(thread->use[USE_PORT] == NULL && thread->use[USE_CONNECTION] == NULL && thread->cell == NULL);
    CHECK_EQUAL(thread->thread_id, syscall(SYS_gettid));
    *record = thread;
    thread_unregister();
    CHECK(!thread_record);
    return NULL;
}

static void test_records(void **state)
{
    struct thread *seen[200], *first = NULL;
    unsigned int i;
    pthread_t thread;

    (void)state;
    for (i = 0; i < ARRAY_SIZE(seen); i++)
    {
        start_thread(&thread, register_thread, &seen[i]);
        join_thread(thread);
        if (i > 50)
        {
            first = first ? first : seen[i];
            assert_ptr_equal(seen[i], first);
        }
    }
}

static struct thread_hold given_back;

static void note_hold(struct thread *thread)
{
    if (thread->hold.file == -1)
        return;
    given_back = thread->hold;
    thread->hold.file = -1;
}

static void *hold_and_end(void *arg)
{
    struct thread *thread = begin_thread();
    uint32_t *id = arg;

    *id = thread->thread_id;
    thread->hold.file = 1234;
    thread->hold.handle = arg;
    CHECK(thread_use(thread, USE_PORT, &place) != NULL);
    thread_begin_steps(thread);
    return NULL; /* terminated */
}

/* what a terminated thread had in hand is given back by who terminated it, once; or by who gets its record */
static void test_settle(void **state)
{
    const struct thread *record;
    pthread_t thread;
    uint32_t id;

    (void)state;
    begin_thread();
    thread_give_back = note_hold;
    atomic_store(&place, &objects[0]);
    assert_null(thread_find(1, 0x12345));
    thread_settle(1, 0x12345);
    start_thread(&thread, hold_and_end, &id);
    join_thread(thread);
    given_back.file = 0;
    record = thread_find((uint32_t)getpid(), id);
    assert_non_null(record);
    assert_int_equal(record->busy, 1);
    thread_settle((uint32_t)getpid(), id);
    assert_int_equal(given_back.file, 1234);
    assert_ptr_equal(given_back.handle, &id);
    assert_null(record->use[USE_PORT]);
    assert_int_equal(record->busy, 0);
    assert_null(thread_find((uint32_t)getpid(), id));
    given_back.file = 0;
    thread_settle((uint32_t)getpid(), id);
    assert_int_equal(given_back.file, 0);
    /* a fault of its own */
    begin_thread()->hold.file = 4321;
    thread_recover(begin_thread());
    assert_int_equal(given_back.file, 4321);
    assert_int_equal(begin_thread()->hold.file, -1);
    thread_give_back = NULL;
    atomic_store(&place, NULL);
}

static void test_scratch(void **state)
{
    struct thread *thread = begin_thread();
    struct scratch_mark mark;
    unsigned int pieces;
    uint8_t *a, *b, *c;

    (void)state;
    thread_scratch_begin(thread);
    a = thread_scratch(thread, 3);
    b = thread_scratch(thread, 0x10000);
    assert_true(a && b && !((uintptr_t)a & 7) && !((uintptr_t)b & 7));
    memset(b, 1, 0x10000);
    assert_null(thread_scratch(thread, 0x100000));
    assert_null(thread_scratch(thread, SIZE_MAX - 7));
    /* what has been given back is given out again, in the same place */
    mark = thread->scratch;
    c = thread_scratch(thread, 0x4000);
    assert_non_null(c);
    thread_scratch_return(thread, mark);
    assert_ptr_equal(thread_scratch(thread, 0x4000), c);
    thread_scratch_begin(thread);
    assert_ptr_equal(thread_scratch(thread, 1), a);
    assert_ptr_equal(thread_scratch(thread, 0x10000), b);
    thread_scratch_begin(thread);
    /* it grows in pieces, up to a megabyte */
    for (pieces = 0; thread_scratch(thread, 0x8000); pieces++)
        assert_true(pieces < 0x100000 / 0x8000);
    assert_true(pieces > 0x100000 / 0x8000 / 4);
    thread_scratch_begin(thread);
    assert_ptr_equal(thread_scratch(thread, 1), a);
    thread_scratch_begin(thread);
}

/* ---------------------------------------------------------------------------------------------- connections */

static struct roster_entry roster[ROSTER_SIZE];
static _Atomic(void *) table[ROSTER_SIZE];
static struct connection first, second;
static unsigned int attached;

static NTSTATUS attach(struct port *port, uint32_t slot)
{
    attached++;
    if (slot != 3)
        return slot == 4 ? STATUS_INVALID_MESSAGE : STATUS_INSUFFICIENT_RESOURCES;
    second.generation = roster[slot].generation;
    atomic_store(&port->connections[slot], &second);
    return STATUS_SUCCESS;
}

static struct port port = { .kind = PORT_CONNECTION, .roster = roster, .connections = table };

/* which connection a slot leads to; NULL: what the call returned is *status */
static struct connection *use_slot(uint32_t slot, NTSTATUS *status)
{
    struct connection *connection = NULL;

    *status = port_use_connection(begin_thread(), &port, slot, &connection);
    return *status ? NULL : connection;
}

/* any slot that a queue entry may name */
static void test_use_connection(void **state)
{
    struct thread *thread = begin_thread();
    NTSTATUS status;
    uint32_t slot;

    (void)state;
    port_attach_connection = attach;
    attached = 0;
    for (slot = 0; slot < 2 * ROSTER_SIZE; slot++)
    {
        assert_null(use_slot(slot, &status));
        assert_int_equal(status, STATUS_INVALID_MESSAGE);
    }
    assert_null(use_slot(UINT32_MAX, &status));
    assert_int_equal(status, STATUS_INVALID_MESSAGE);
    assert_int_equal(attached, 0);
    /* one that this process does not know yet, then knows */
    roster[3].state = ROSTER_PENDING;
    roster[3].generation = 7;
    assert_ptr_equal(use_slot(3, &status), &second);
    assert_ptr_equal(thread->use[USE_CONNECTION], &second);
    assert_ptr_equal(use_slot(3, &status), &second);
    assert_int_equal(attached, 1);
    /* another connection has got the slot */
    first.generation = 7;
    atomic_store(&table[3], &first);
    roster[3].generation = 9;
    assert_ptr_equal(use_slot(3, &status), &second);
    assert_int_equal(attached, 2);
    /* alpcserver knows no such connection */
    roster[4].state = ROSTER_CONNECTED;
    assert_null(use_slot(4, &status));
    assert_int_equal(status, STATUS_INVALID_MESSAGE);
    assert_null(thread->use[USE_CONNECTION]);
    /* one that this process cannot reach: that is told, and nothing is taken for lost */
    roster[5].state = ROSTER_CONNECTED;
    assert_null(use_slot(5, &status));
    assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
    assert_null(thread->use[USE_CONNECTION]);
    thread_release(thread, USE_CONNECTION);
    memset((void *)roster, 0, sizeof(roster));
}

struct setter
{
    struct connection *connection;
    uint32_t first;
};

static void set_context(struct connection *connection, uint32_t id, uint64_t context)
{
    const struct attachments_out out = { .context = context };

    CHECK_EQUAL(attachment_send(&connection->channel, id, NULL, &out), STATUS_SUCCESS);
}

static uint64_t get_context(struct connection *connection, uint32_t id, bool fresh)
{
    struct attachments_in in = { .context = 99 };

    attachment_receive(&connection->channel, id, NULL, fresh, &in);
    return in.context;
}

static void *set_contexts(void *arg)
{
    const struct setter *setter = arg;
    uint32_t i;

    for (i = setter->first; i < 2u << CELL_INDEX_BITS; i += 4)
        set_context(setter->connection, i, UINT64_C(0x100000000) + i);
    return NULL;
}

/* each side's MessageContext by cell: nothing is allocated before the first, and it goes with its message [4.8.1] */
static void test_contexts(void **state)
{
    struct connection connection = { .end = END_CLIENT };
    struct setter setters[4];
    uint32_t i;

    (void)state;
    set_context(&connection, 5, 0);
    assert_null(connection.channel.contexts);
    assert_int_equal(get_context(&connection, 5, false), 0);
    attachment_release(&connection.channel, 5, NULL);
    for (i = 0; i < ARRAY_SIZE(setters); i++)
        setters[i] = (struct setter){ &connection, i };
    run_threads(ARRAY_SIZE(setters), set_contexts, setters, sizeof(setters[0]));
    for (i = 0; i < 2u << CELL_INDEX_BITS; i++)
        assert_int_equal(get_context(&connection, i, false), UINT64_C(0x100000000) + i);
    /* a message that is new to this end, and one that has ended, have none */
    assert_int_equal(get_context(&connection, 7, true), 0);
    assert_int_equal(get_context(&connection, 7, false), 0);
    attachment_release(&connection.channel, 8, NULL);
    assert_int_equal(get_context(&connection, 8, false), 0);
    /* what is set again replaces the former, also with nothing */
    set_context(&connection, 9, 0);
    assert_int_equal(get_context(&connection, 9, false), 0);
    connection_unmap(&connection);
    assert_null(connection.channel.contexts);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retiring),       cmocka_unit_test(test_no_membarrier), cmocka_unit_test(test_dead_user),
        cmocka_unit_test(test_records),        cmocka_unit_test(test_settle),        cmocka_unit_test(test_scratch),
        cmocka_unit_test(test_use_connection), cmocka_unit_test(test_contexts),
    };

    thread_init();
    return STRESS_MAIN("test_port", tests);
}
