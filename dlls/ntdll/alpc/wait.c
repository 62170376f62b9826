/*
 * How a thread waits for its peer: spin, yield, then sleep
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The budget follows what the place has seen (docs/benchmarks.md has the figures): while answers come during the pauses
 * the two threads run on different processors, and pausing is right; while they come after a yield the threads share
 * one, and a pause only delays the peer; when the thread had to sleep all the same, spinning was wasted.
 */

#include "wait.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------------------------- deadlines */

#define NS_PER_S 1000000000
#define TICKS_PER_S 10000000
#define TICKS_1601_TO_1970 116444736000000000LL

const struct deadline deadline_never = { .forever = true };

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t coarse_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC_COARSE);
}

static struct timespec timespec_add(struct timespec t, uint64_t s, uint64_t ns)
{
    /* half of what time_t holds is as good as for ever, and leaves room for the sum */
    if (s > INT64_MAX / 2)
        s = INT64_MAX / 2;
    t.tv_sec += (time_t)s;
    t.tv_nsec += (long)ns;
    if (t.tv_nsec >= NS_PER_S)
    {
        t.tv_nsec -= NS_PER_S;
        t.tv_sec++;
    }
    return t;
}

struct deadline deadline_in(uint64_t ns)
{
    struct deadline deadline = { 0 };

    clock_gettime(CLOCK_MONOTONIC, &deadline.at);
    deadline.at = timespec_add(deadline.at, ns / NS_PER_S, ns % NS_PER_S);
    return deadline;
}

struct deadline deadline_from_nt(const int64_t *timeout)
{
    struct deadline deadline = { 0 };

    if (!timeout)
        return deadline_never;
    if (*timeout > 0)
    {
        int64_t ticks = *timeout - TICKS_1601_TO_1970;

        deadline.realtime = true;
        if (ticks > 0)
        {
            deadline.at.tv_sec = ticks / TICKS_PER_S;
            deadline.at.tv_nsec = ticks % TICKS_PER_S * 100;
        }
    }
    else if (*timeout < 0)
    {
        uint64_t ticks = -(uint64_t)*timeout;

        clock_gettime(CLOCK_MONOTONIC, &deadline.at);
        deadline.at = timespec_add(deadline.at, ticks / TICKS_PER_S, ticks % TICKS_PER_S * 100);
    }
    return deadline;
}

static bool timespec_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

bool deadline_passed(const struct deadline *deadline)
{
    struct timespec now;

    if (deadline->forever)
        return false;
    if (deadline_is_poll(deadline))
        return true;
    clock_gettime(deadline->realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
    return !timespec_before(&now, &deadline->at);
}

struct deadline deadline_within(const struct deadline *deadline, uint64_t ns)
{
    struct deadline soon = deadline_in(ns), on_its_clock = soon;

    if (deadline->forever)
        return soon;
    if (deadline->realtime)
    {
        clock_gettime(CLOCK_REALTIME, &on_its_clock.at);
        on_its_clock.at = timespec_add(on_its_clock.at, ns / NS_PER_S, ns % NS_PER_S);
    }
    return timespec_before(&deadline->at, &on_its_clock.at) ? *deadline : soon;
}

/* how long a sender waits for a receiver before it gives up */
#define ROOM_WAIT_NS 20000000

bool wait_for_room(struct deadline *deadline)
{
    if (deadline->forever)
        *deadline = deadline_in(ROOM_WAIT_NS);
    else if (deadline_passed(deadline))
        return false;
    sched_yield();
    return true;
}

/* ---------------------------------------------------------------------------------------------- futex */

int futex_wait(const _Atomic uint32_t *word, uint32_t expected, const struct deadline *deadline)
{
    int op = FUTEX_WAIT_BITSET | (deadline->realtime ? FUTEX_CLOCK_REALTIME : 0);
    const struct timespec *at = deadline->forever ? NULL : &deadline->at;

    if (!syscall(SYS_futex, word, op, expected, at, NULL, FUTEX_BITSET_MATCH_ANY))
        return 0;
    return errno == EINTR ? 0 : errno;
}

int futex_wake(const _Atomic uint32_t *word, int count)
{
    return (int)syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

/* ---------------------------------------------------------------------------------------------- spinning */

#define LEAST_PAUSES 2
#define LEAST_ROUNDS 2
/* a sleep shorter than this, the wake-up included, cost more than spinning through it would have */
#define SHORT_SLEEP_NS 100000
/* a yield that takes longer than this has let another thread run */
#define SWITCH_NS 1000

void spin_begin(struct spin *spin, struct spin_history *history)
{
    uint16_t pauses = atomic_load_explicit(&history->pauses, memory_order_relaxed);
    uint16_t rounds = atomic_load_explicit(&history->rounds, memory_order_relaxed);

    spin->history = history;
    spin->pauses = pauses ? pauses : SPIN_MOST_PAUSES;
    spin->rounds = rounds ? rounds : SPIN_MOST_ROUNDS;
    spin->pause = spin->round = 0;
    spin->switched = false;
}

bool spin_yield(struct spin *spin)
{
    uint64_t begun;

    if (spin->round == spin->rounds)
        return false;
    spin->round++;
    spin->pause = 0;
    begun = monotonic_ns();
    sched_yield();
    spin->switched = monotonic_ns() - begun > SWITCH_NS;
    return true;
}

static void spin_remember(struct spin *spin, unsigned int pauses, unsigned int rounds)
{
    if (pauses != spin->pauses)
        atomic_store_explicit(&spin->history->pauses, (uint16_t)pauses, memory_order_relaxed);
    if (rounds != spin->rounds)
        atomic_store_explicit(&spin->history->rounds, (uint16_t)rounds, memory_order_relaxed);
}

static unsigned int at_most(unsigned int value, unsigned int limit)
{
    return value < limit ? value : limit;
}

static unsigned int at_least(unsigned int value, unsigned int limit)
{
    return value > limit ? value : limit;
}

void spin_learn(struct spin *spin)
{
    if (spin->switched && !spin->pause) /* it was the peer, which waits for this processor */
        spin_remember(spin, at_least(spin->pauses / 2, LEAST_PAUSES), SPIN_MOST_ROUNDS);
    else
        spin_remember(spin, at_most(spin->pauses * 2, SPIN_MOST_PAUSES), at_most(spin->rounds + 4, SPIN_MOST_ROUNDS));
}

void spin_slept(struct spin *spin, uint64_t ns)
{
    if (ns < SHORT_SLEEP_NS)
        spin_remember(spin, spin->pauses, at_most(spin->rounds * 2, SPIN_MOST_ROUNDS));
    else
        spin_remember(spin, spin->pauses, at_least(spin->rounds / 2, LEAST_ROUNDS));
}
