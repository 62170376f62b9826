/*
 * Tests of the table of handles: values that are given out again while others look at them
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "stress.h"

#include "dlls/ntdll/alpc/handle_table.h"
#include "dlls/ntdll/alpc/page.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static HANDLE value(unsigned int index)
{
    return (HANDLE)(uintptr_t)(4 * (index + 1));
}

static struct thread *this_thread(void)
{
    return thread_current(1, (uint32_t)syscall(SYS_gettid));
}

static bool known(HANDLE handle)
{
    uintptr_t index = (uintptr_t)handle >> 2;

    return __atomic_load_n(&handle_table_known[index / 8], __ATOMIC_SEQ_CST) >> index % 8 & 1;
}

/* what the thread took out, which had a reference */
static void drop(void **held)
{
    struct port *port = *held;
    sigset_t saved;

    *held = NULL;
    if (!port)
        return;
    process_lock(&saved);
    port->refs--;
    process_unlock(&saved);
}

static struct port *find(HANDLE handle)
{
    struct thread *thread = this_thread();
    struct port *port = handle_table_find(thread, handle);

    thread_release(thread, USE_PORT);
    return port;
}

static NTSTATUS look_and_put(HANDLE handle, struct port *port)
{
    struct handle_view view;
    NTSTATUS status;

    handle_table_look(handle, &view);
    status = handle_table_put(this_thread(), handle, port, &view);
    thread_release(this_thread(), USE_PORT);
    drop(&this_thread()->hold.replaced);
    return status;
}

static void take(HANDLE handle)
{
    handle_table_take(this_thread(), handle, NULL, NULL);
    drop(&this_thread()->hold.closing);
}

/* ---------------------------------------------------------------------------------------------- entries */

static void test_entries(void **state)
{
    struct port a = { .key = 1, .refs = 1 }, b = { .key = 2, .refs = 1 };
    struct handle_view view;

    (void)state;
    assert_null(find(value(0)));
    assert_false(known(value(0)));
    assert_int_equal(look_and_put(value(0), &a), STATUS_SUCCESS);
    assert_ptr_equal(find(value(0)), &a);
    assert_true(known(value(0)));
    assert_null(find(value(1)));
    assert_int_equal(a.refs, 2);
    /* the same again, then another one in its place */
    assert_int_equal(look_and_put(value(0), &a), STATUS_SUCCESS);
    assert_int_equal(a.refs, 2);
    assert_int_equal(look_and_put(value(0), &b), STATUS_SUCCESS);
    assert_ptr_equal(find(value(0)), &b);
    assert_int_equal(a.refs, 1);
    assert_int_equal(b.refs, 2);
    /* only this one, only if nothing has changed */
    assert_null(handle_table_take(this_thread(), value(0), &a, NULL));
    handle_table_look(value(0), &view);
    assert_ptr_equal(view.port, &b);
    assert_int_equal(look_and_put(value(0), &a), STATUS_SUCCESS);
    assert_null(handle_table_take(this_thread(), value(0), NULL, &view));
    assert_int_equal(handle_table_put(this_thread(), value(0), &b, &view), STATUS_RETRY);
    assert_ptr_equal(find(value(0)), &a);
    take(value(0));
    assert_null(find(value(0)));
    assert_false(known(value(0)));
    assert_int_equal(a.refs, 1);
    assert_int_equal(b.refs, 1);
    /* values that there are not */
    assert_int_equal(look_and_put(value(handle_table_count), &a), STATUS_INVALID_HANDLE);
    assert_int_equal(look_and_put((HANDLE)(intptr_t)-4, &a), STATUS_INVALID_HANDLE);
    assert_null(find((HANDLE)(intptr_t)-4));
    /* a port that is only still in use comes back for nothing */
    a.refs = 0;
    assert_int_equal(look_and_put(value(0), &a), STATUS_PORT_DISCONNECTED);
    assert_false(known(value(0)));
}

/* a close that is under way while the host is asked leaves doubt, whether it has ended meanwhile or not */
static void test_doubt(void **state)
{
    struct handle_closes *closes = closes_of(handle_table_closes, value(0));
    struct port port = { .key = 1, .refs = 1 }, light = { .key = 2, .refs = 1, .light = true };
    struct handle_view view;

    (void)state;
    closes_begin(closes);
    assert_int_equal(look_and_put(value(0), &port), STATUS_SUCCESS);
    assert_null(find(value(0)));
    assert_true(known(value(0)));
    assert_int_equal(port.refs, 2);
    closes_end(closes);
    assert_null(find(value(0)));
    assert_int_equal(look_and_put(value(0), &port), STATUS_SUCCESS);
    assert_ptr_equal(find(value(0)), &port);
    take(value(0));

    handle_table_look(value(0), &view);
    closes_begin(closes);
    closes_end(closes);
    assert_int_equal(handle_table_put(this_thread(), value(0), &port, &view), STATUS_SUCCESS);
    assert_null(find(value(0)));
    /* closes of most other handles are none of its business */
    closes_begin(closes_of(handle_table_closes, value(1)));
    assert_int_equal(look_and_put(value(0), &port), STATUS_SUCCESS);
    assert_ptr_equal(find(value(0)), &port);
    closes_end(closes_of(handle_table_closes, value(1)));
    take(value(0));

    /* one that nobody can be asked about */
    closes_begin(closes);
    assert_int_equal(look_and_put(value(0), &light), STATUS_SUCCESS);
    assert_ptr_equal(find(value(0)), &light);
    closes_end(closes);
    take(value(0));
}

/* as alpcserver does it */
static void close_outside(HANDLE handle)
{
    struct process_page *page = atomic_load(&process_page);
    uint32_t closes = atomic_load(&page->closes);

    atomic_store(&page->closed[closes % PROCESS_CLOSES], (uint32_t)(uintptr_t)handle);
    atomic_store(&page->closes, closes + 1);
}

/* what other processes close: only handles that are named, or may have been, are asked for again */
static void test_log(void **state)
{
    struct port port = { .key = 1, .refs = 1 };
    unsigned int i;

    (void)state;
    assert_int_equal(look_and_put(value(0), &port), STATUS_SUCCESS);
    for (i = 0; i < 3 * PROCESS_CLOSES; i++)
    {
        close_outside(value(1));
        assert_ptr_equal(find(value(0)), &port);
    }
    close_outside(value(0));
    assert_null(find(value(0)));
    assert_null(find(value(0)));
    assert_int_equal(look_and_put(value(0), &port), STATUS_SUCCESS);
    assert_ptr_equal(find(value(0)), &port);
    for (i = 0; i < PROCESS_CLOSES; i++)
        close_outside(value(1));
    assert_ptr_equal(find(value(0)), &port);
    for (i = 0; i < PROCESS_CLOSES + 1; i++)
        close_outside(value(1));
    assert_null(find(value(0)));
    take(value(0));
    /* another page counts anew */
    assert_int_equal(look_and_put(value(0), &port), STATUS_SUCCESS);
    atomic_fetch_add(&page_number, 1);
    assert_null(find(value(0)));
    take(value(0));
}

/* ---------------------------------------------------------------------------------------------- a host */

#define VALUES 24
#define PORTS 8

/* which port a handle is for; one that is for none is an event */
enum
{
    NOTHING = 0,
    EVENT = PORTS + 1
};

static _Atomic uint32_t host[VALUES];
static struct port ports[PORTS];
static _Atomic uint32_t running;

/* lets something else happen in between */
static void dawdle(struct random *random)
{
    if (!random_below(random, 8))
        pass_us(random_below(random, 20));
}

static HANDLE host_open(uint32_t object)
{
    unsigned int i;

    /* the lowest value that is free */
    for (i = 0;; i = (i + 1) % VALUES)
        if (atomic_compare_exchange_strong(&host[i], &(uint32_t){ NOTHING }, object))
            return value(i);
}

static void host_close(HANDLE handle)
{
    atomic_store(&host[((uintptr_t)handle >> 2) - 1], NOTHING);
}

static uint32_t host_query(HANDLE handle)
{
    return atomic_load(&host[((uintptr_t)handle >> 2) - 1]);
}

/* NtClose: the PE half's part, then the native half's */
static void close_handle(struct random *random, HANDLE handle)
{
    struct handle_closes *closes = closes_of(handle_table_closes, handle);
    bool port;

    closes_begin(closes);
    port = known(handle);
    dawdle(random);
    if (port)
        take(handle);
    dawdle(random);
    host_close(handle);
    dawdle(random);
    closes_end(closes);
}

/* the port that a handle is for, from the table or from the host; NULL = it is for none */
static struct port *look_up(struct random *random, HANDLE handle)
{
    struct thread *thread = this_thread();
    struct handle_view view;
    struct port *port = handle_table_find(thread, handle);
    NTSTATUS status = STATUS_SUCCESS;
    uint32_t object;

    while (!port)
    {
        handle_table_look(handle, &view);
        object = host_query(handle);
        dawdle(random);
        if (object == NOTHING || object == EVENT)
        {
            if (!view.port || handle_table_take(thread, handle, view.port, &view))
                break;
            continue;
        }
        status = handle_table_put(thread, handle, &ports[object - 1], &view);
        drop(&thread->hold.replaced);
        if (status != STATUS_RETRY)
            port = &ports[object - 1];
    }
    drop(&thread->hold.closing);
    thread_release(thread, USE_PORT);
    return port;
}

static HANDLE make(struct random *random, uint32_t object)
{
    struct handle_view view;
    HANDLE handle;

    handle_table_look_ahead(&view);
    handle = host_open(object);
    dawdle(random);
    if (object != EVENT)
    {
        CHECK_EQUAL(handle_table_put(this_thread(), handle, &ports[object - 1], &view), STATUS_SUCCESS);
        thread_release(this_thread(), USE_PORT);
        drop(&this_thread()->hold.replaced);
    }
    return handle;
}

/* who has made a handle and not closed it knows what it is */
static void *make_handles(void *arg)
{
    struct random random = random_stream((uint64_t)(uintptr_t)arg);
    unsigned int i, k, count = scaled(40000);

    for (i = 0; i < count; i++)
    {
        uint32_t object = random_below(&random, 2) ? EVENT : 1 + random_below(&random, PORTS);
        HANDLE handle = make(&random, object);

        for (k = random_below(&random, 4); k; k--)
            CHECK(look_up(&random, handle) == (object == EVENT ? NULL : &ports[object - 1]));
        close_handle(&random, handle);
    }
    atomic_fetch_sub(&running, 1);
    thread_unregister();
    return NULL;
}

/* looks up handles of others, whatever they are just now */
static void *look_at_handles(void *arg)
{
    struct random random = random_stream((uint64_t)(uintptr_t)arg);

    while (atomic_load(&running))
        look_up(&random, value(random_below(&random, VALUES)));
    thread_unregister();
    return NULL;
}

static void test_values_used_again(void **state)
{
    pthread_t threads[5];
    uintptr_t i;

    (void)state;
    for (i = 0; i < PORTS; i++)
        ports[i] = (struct port){ .key = i + 1, .refs = 1 };
    running = 3;
    for (i = 0; i < ARRAY_SIZE(threads); i++)
        start_thread(&threads[i], i < running ? make_handles : look_at_handles, (void *)(i + 1));
    for (i = 0; i < ARRAY_SIZE(threads); i++)
        join_thread(threads[i]);
    /* what the last look-ups have left is doubtful or wrong, and goes with the next one */
    for (i = 0; i < VALUES; i++)
        assert_null(look_up(&(struct random){ 0 }, value((unsigned int)i)));
    for (i = 0; i < PORTS; i++)
        assert_int_equal(ports[i].refs, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_doubt),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_values_used_again),
    };

    thread_init();
    return STRESS_MAIN("test_handle_table", tests);
}
