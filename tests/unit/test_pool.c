/*
 * Tests of the sockets on which a process' threads call alpcserver, and of an alpcserver that does not start
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "stress.h"

#include "dlls/ntdll/alpc/pool.h"
#include "dlls/ntdll/alpc/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct pool pool;
static _Atomic uint32_t users[POOL_SOCKETS], most, in_use;

/* something that can be closed */
static void connect_somewhere(struct pool_socket *taken)
{
    int fds[2];

    CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    close(fds[1]);
    taken->control.fd = fds[0];
}

static void *call_often(void *arg)
{
    struct random random = random_stream((uint64_t)(uintptr_t)arg);
    unsigned int i, count = scaled(20000);

    for (i = 0; i < count; i++)
    {
        struct pool_socket *taken = pool_take(&pool, 3);
        uint32_t now = atomic_fetch_add(&in_use, 1) + 1, before = atomic_load(&most);

        while (now > before && !atomic_compare_exchange_weak(&most, &before, now))
            ;
        CHECK_EQUAL(atomic_fetch_add(&users[taken - pool.sockets], 1), 0);
        if (taken->control.fd == -1)
            connect_somewhere(taken);
        pass_us(random_below(&random, 4));
        CHECK_EQUAL(atomic_fetch_sub(&users[taken - pool.sockets], 1), 1);
        atomic_fetch_sub(&in_use, 1);
        if (random_below(&random, 50))
            pool_give(taken);
        else
            pool_drop(taken);
    }
    return NULL;
}

/* nobody shares a socket, and no more are taken than there may be */
static void test_sharing(void **state)
{
    pthread_t threads[6];
    uintptr_t i;

    (void)state;
    pool_init(&pool);
    for (i = 0; i < ARRAY_SIZE(threads); i++)
        start_thread(&threads[i], call_often, (void *)(i + 1));
    for (i = 0; i < ARRAY_SIZE(threads); i++)
        join_thread(threads[i]);
    assert_true(most <= 3);
    for (i = 0; i < POOL_SOCKETS; i++)
    {
        assert_true(i < 3 || pool.sockets[i].owner == POOL_UNUSED);
        if (pool.sockets[i].owner == POOL_IDLE)
            close(pool.sockets[i].control.fd);
    }
}

static void *take_and_end(void *arg)
{
    struct pool_socket **taken = arg;

    *taken = pool_take(&pool, 1);
    connect_somewhere(*taken);
    return NULL; /* terminated in its call */
}

/* the socket of a thread that ended over its call is closed and can be used again */
static void test_dead_owner(void **state)
{
    struct pool_socket *dead, *taken;
    pthread_t thread;
    int fd;

    (void)state;
    pool_init(&pool);
    start_thread(&thread, take_and_end, &dead);
    join_thread(thread);
    fd = dead->control.fd;
    assert_true(fcntl(fd, F_GETFD) != -1);
    taken = pool_take(&pool, 1);
    assert_ptr_equal(taken, dead);
    assert_int_equal(taken->control.fd, -1);
    assert_true(fcntl(fd, F_GETFD) == -1);
    pool_give(taken);
    /* connected ones first */
    taken = pool_take(&pool, 2);
    connect_somewhere(taken);
    pool_give(taken);
    assert_ptr_equal(pool_take(&pool, 2), taken);
    pool_drop(taken);
    assert_int_equal(taken->owner, POOL_UNUSED);
}

/* ---------------------------------------------------------------------------------------------- not starting */

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void expect_failure(const char *server, int error, const char *text)
{
    struct control control = CONTROL_INIT;
    double begun = seconds();
    const char *message;

    setenv("NTALPCSERVER", server, 1);
    message = control_connect(&control, true);
    assert_non_null(message);
    assert_int_equal(errno, error);
    assert_non_null(strstr(message, text));
    assert_int_equal(control.fd, -1);
    /* it used to be three seconds for each call */
    assert_true(seconds() - begun < 2);
}

static void test_no_server(void **state)
{
    char prefix[] = "/tmp/test_pool.XXXXXX", script[64];
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(prefix));
    setenv("WINEPREFIX", prefix, 1);
    expect_failure("/bin/false", ECHILD, "/bin/false does not start: exit status 1");
    expect_failure("/nowhere/alpcserver", ENOENT, "cannot start /nowhere/alpcserver");
    expect_failure("/", EACCES, "cannot start /");
    snprintf(script, sizeof(script), "%s/killed", prefix);
    assert_non_null((file = fopen(script, "w")));
    fputs("#!/bin/sh\nkill -KILL $$\n", file);
    fclose(file);
    chmod(script, 0700);
    expect_failure(script, ECHILD, "ended by signal 9");
    unlink(script);
    rmdir(prefix);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_dead_owner),
        cmocka_unit_test(test_no_server),
    };

    return STRESS_MAIN("test_pool", tests);
}
