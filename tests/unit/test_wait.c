/*
 * Tests of dlls/ntdll/alpc/wait.c
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "stress.h"

#include "dlls/ntdll/alpc/wait.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#define MS 1000000
#define EPOCH 116444736000000000 /* 1970 in units of 100 ns since 1601 */

static int64_t now_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int64_t at_ns(const struct deadline *deadline)
{
    return deadline->at.tv_sec * INT64_C(1000000000) + deadline->at.tv_nsec;
}

/* ---------------------------------------------------------------------------------------------- deadlines */

static void test_no_timeout(void **state)
{
    struct deadline deadline = deadline_from_nt(NULL);

    (void)state;
    assert_true(deadline.forever);
    assert_false(deadline_is_poll(&deadline));
    assert_false(deadline_passed(&deadline));
    assert_true(deadline_never.forever);
}

static void test_poll(void **state)
{
    int64_t timeout = 0;
    struct deadline deadline = deadline_from_nt(&timeout);

    (void)state;
    assert_false(deadline.forever);
    assert_true(deadline_is_poll(&deadline));
    assert_true(deadline_passed(&deadline));
}

static void test_relative(void **state)
{
    static const int64_t timeouts[] = { -1, -2, -9999, -10000, -10000000, -10000001, -36000000000 };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_SIZE(timeouts); i++)
    {
        int64_t before = now_ns(CLOCK_MONOTONIC), after;
        struct deadline deadline = deadline_from_nt(&timeouts[i]);

        after = now_ns(CLOCK_MONOTONIC);
        assert_false(deadline.forever || deadline.realtime || deadline_is_poll(&deadline));
        assert_in_range(deadline.at.tv_nsec, 0, 999999999);
        assert_true(at_ns(&deadline) >= before - timeouts[i] * 100);
        assert_true(at_ns(&deadline) <= after - timeouts[i] * 100);
    }
}

static void test_absolute(void **state)
{
    static const int64_t past[] = { 1, 2, EPOCH - 1, EPOCH };
    const int64_t future = EPOCH + now_ns(CLOCK_REALTIME) / 100 + 36000000000;
    struct deadline deadline;
    size_t i;

    (void)state;
    /* what lies before 1970 cannot be told to the kernel, and has passed */
    for (i = 0; i < ARRAY_SIZE(past); i++)
    {
        deadline = deadline_from_nt(&past[i]);
        assert_true(deadline.realtime && deadline_is_poll(&deadline) && deadline_passed(&deadline));
    }
    deadline = deadline_from_nt(&(const int64_t){ EPOCH + 10000001 });
    assert_true(deadline.realtime && deadline_passed(&deadline) && !deadline_is_poll(&deadline));
    assert_int_equal(deadline.at.tv_sec, 1);
    assert_int_equal(deadline.at.tv_nsec, 100);
    deadline = deadline_from_nt(&future);
    assert_true(deadline.realtime);
    assert_false(deadline_passed(&deadline));
    assert_true(at_ns(&deadline) == (future - EPOCH) * 100);
}

/* the ends of the range give times that the kernel accepts */
static void test_extremes(void **state)
{
    static const int64_t timeouts[] = { INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1 };
    _Atomic uint32_t word = 1;
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_SIZE(timeouts); i++)
    {
        struct deadline deadline = deadline_from_nt(&timeouts[i]);

        assert_false(deadline.forever);
        assert_true(deadline.at.tv_sec > 0);
        assert_in_range(deadline.at.tv_nsec, 0, 999999999);
        assert_false(deadline_passed(&deadline));
        /* EINVAL would say that the time is none */
        assert_int_equal(futex_wait(&word, 2, &deadline), EAGAIN);
    }
}

static void test_deadline_in(void **state)
{
    static const uint64_t spans[] = { 0, 1, 999999999, 1000000000, UINT64_MAX / 2, UINT64_MAX };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_SIZE(spans); i++)
    {
        uint64_t before = monotonic_ns();
        struct deadline deadline = deadline_in(spans[i]);
        __uint128_t at = (__uint128_t)deadline.at.tv_sec * 1000000000 + (uint64_t)deadline.at.tv_nsec;

        assert_false(deadline.forever || deadline.realtime);
        assert_in_range(deadline.at.tv_nsec, 0, 999999999);
        assert_true(at >= (__uint128_t)before + spans[i]);
        assert_int_equal(deadline_passed(&deadline), spans[i] < 2);
    }
}

/* the deadline or some time from now, whichever comes first */
static void test_within(void **state)
{
    const struct deadline soon = deadline_in(100 * MS), poll = { .forever = false };
    const int64_t past = 1, future = INT64_MAX;
    struct deadline within;
    unsigned int i;

    (void)state;
    within = deadline_within(&poll, 100 * MS);
    assert_true(deadline_is_poll(&within));
    within = deadline_within(&soon, 1000 * MS);
    assert_memory_equal(&within.at, &soon.at, sizeof(soon.at));
    for (i = 0; i < 3; i++)
    {
        const struct deadline late = i == 0   ? deadline_never
                                     : i == 1 ? deadline_in(1000 * MS)
                                              : deadline_from_nt(&future);

        within = deadline_within(&late, MS);
        assert_false(within.forever || within.realtime || deadline_is_poll(&within));
        usleep(3000);
        assert_true(deadline_passed(&within));
    }
    /* on the clock of the system time */
    within = deadline_from_nt(&past);
    within = deadline_within(&within, 1000 * MS);
    assert_true(deadline_passed(&within));
}

/* ---------------------------------------------------------------------------------------------- futex */

static void test_futex_timeout(void **state)
{
    _Atomic uint32_t word = 1;
    int64_t absolute, relative = -20 * 10000, begun;
    struct deadline deadline;

    (void)state;
    deadline = deadline_from_nt(&(const int64_t){ 0 });
    assert_int_equal(futex_wait(&word, 1, &deadline), ETIMEDOUT);
    assert_int_equal(futex_wait(&word, 2, &deadline), EAGAIN);
    begun = now_ns(CLOCK_MONOTONIC);
    deadline = deadline_from_nt(&relative);
    assert_int_equal(futex_wait(&word, 1, &deadline), ETIMEDOUT);
    assert_true(now_ns(CLOCK_MONOTONIC) - begun >= 20 * MS);
    assert_true(deadline_passed(&deadline));
    absolute = EPOCH + now_ns(CLOCK_REALTIME) / 100 + 20 * 10000;
    deadline = deadline_from_nt(&absolute);
    assert_int_equal(futex_wait(&word, 1, &deadline), ETIMEDOUT);
    assert_true(EPOCH + now_ns(CLOCK_REALTIME) / 100 >= absolute);
    assert_int_equal(futex_wake(&word, 5), 0);
}

static _Atomic uint32_t shared_word;

static void *sleeper(void *arg)
{
    while (!atomic_load(&shared_word))
        CHECK(futex_wait(&shared_word, 0, arg) != ETIMEDOUT);
    return NULL;
}

static void test_futex_wake(void **state)
{
    static const int64_t timeouts[] = { -3000000000, INT64_MAX };
    struct deadline deadlines[3] = { deadline_never };
    pthread_t threads[3];
    size_t i;

    (void)state;
    atomic_store(&shared_word, 0);
    for (i = 0; i < ARRAY_SIZE(timeouts); i++)
        deadlines[i + 1] = deadline_from_nt(&timeouts[i]);
    for (i = 0; i < 3; i++)
        start_thread(&threads[i], sleeper, &deadlines[i]);
    usleep(10000);
    atomic_store(&shared_word, 1);
    futex_wake(&shared_word, 10);
    for (i = 0; i < 3; i++)
        join_thread(threads[i]);
}

static void on_signal(int sig)
{
    (void)sig;
}

/* a signal looks like a wake-up: the caller checks its condition anyway */
static void test_futex_signal(void **state)
{
    struct sigaction action = { .sa_handler = on_signal }, before;
    struct deadline deadline = deadline_in(30000000000);
    _Atomic uint32_t word = 0;
    timer_t timer;
    const struct itimerspec soon = { .it_value.tv_nsec = 10 * MS, .it_interval.tv_nsec = 10 * MS };
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };

    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    assert_int_equal(timer_settime(timer, 0, &soon, NULL), 0);
    assert_int_equal(futex_wait(&word, 0, &deadline), 0);
    timer_delete(timer);
    sigaction(SIGUSR1, &before, NULL);
}

/* ---------------------------------------------------------------------------------------------- spinning */

static unsigned int spin_all(struct spin *spin)
{
    unsigned int count = 0;

    while (spin_again(spin))
        count++;
    return count;
}

static void test_spin_budget(void **state)
{
    struct spin_history history = { 0 };
    struct spin spin;

    (void)state;
    spin_begin(&spin, &history);
    /* so many pauses before each yield and after the last one */
    assert_int_equal(spin_all(&spin), (SPIN_MOST_PAUSES + 1) * SPIN_MOST_ROUNDS + SPIN_MOST_PAUSES);
    assert_false(spin_again(&spin));
}

static void test_spin_sleeping(void **state)
{
    struct spin_history history = { 0 };
    struct spin spin;
    int i;

    (void)state;
    /* long sleeps: less and less spinning, but never none */
    for (i = 0; i < 20; i++)
    {
        spin_begin(&spin, &history);
        spin_all(&spin);
        spin_slept(&spin, 10 * MS);
    }
    spin_begin(&spin, &history);
    assert_in_range(spin.rounds, 1, 4);
    assert_int_equal(spin.pauses, SPIN_MOST_PAUSES);
    /* short sleeps: spinning on would have been better */
    for (i = 0; i < 20; i++)
    {
        spin_begin(&spin, &history);
        spin_slept(&spin, 1000);
    }
    spin_begin(&spin, &history);
    assert_int_equal(spin.rounds, SPIN_MOST_ROUNDS);
}

static void test_spin_sharing(void **state)
{
    struct spin_history history = { 0 };
    struct spin spin;
    int i;

    (void)state;
    /* the answer is there after a yield that let another thread run: pausing keeps that thread waiting */
    for (i = 0; i < 20; i++)
    {
        spin_begin(&spin, &history);
        spin.round = 1;
        spin.switched = true;
        spin.pause = 0;
        spin_succeeded(&spin);
    }
    spin_begin(&spin, &history);
    assert_in_range(spin.pauses, 1, 4);
    assert_int_equal(spin.rounds, SPIN_MOST_ROUNDS);
    /* it comes during the pauses: the peer runs beside */
    for (i = 0; i < 20; i++)
    {
        spin_begin(&spin, &history);
        spin.pause = 1;
        spin_succeeded(&spin);
    }
    spin_begin(&spin, &history);
    assert_int_equal(spin.pauses, SPIN_MOST_PAUSES);
}

/* whatever was learned stays within its bounds */
static void test_spin_random(void **state)
{
    struct random random = random_stream(1);
    struct spin_history history = { 0 };
    int i;

    (void)state;
    for (i = 0; i < 10000; i++)
    {
        struct spin spin;

        spin_begin(&spin, &history);
        assert_in_range(spin.pauses, 1, SPIN_MOST_PAUSES);
        assert_in_range(spin.rounds, 1, SPIN_MOST_ROUNDS);
        spin.round = (uint16_t)random_below(&random, spin.rounds + 1u);
        spin.pause = (uint16_t)random_below(&random, spin.pauses + 1u);
        spin.switched = random_below(&random, 2);
        if (random_below(&random, 2))
            spin_succeeded(&spin);
        else
            spin_slept(&spin, random_next(&random) % 200000);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_timeout),   cmocka_unit_test(test_poll),          cmocka_unit_test(test_relative),
        cmocka_unit_test(test_absolute),     cmocka_unit_test(test_extremes),      cmocka_unit_test(test_deadline_in),
        cmocka_unit_test(test_within),       cmocka_unit_test(test_futex_timeout), cmocka_unit_test(test_futex_wake),
        cmocka_unit_test(test_futex_signal), cmocka_unit_test(test_spin_budget),   cmocka_unit_test(test_spin_sleeping),
        cmocka_unit_test(test_spin_sharing), cmocka_unit_test(test_spin_random),
    };

    return STRESS_MAIN("test_wait", tests);
}
