/*
 * How a thread waits for its peer: spin, yield, then sleep
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_WAIT_H
#define NTALPC_WAIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* ---------------------------------------------------------------------------------------------- deadlines */

/* the end of a wait; a clock that never comes is told by .forever */
struct deadline
{
    bool forever;
    bool realtime;      /* .at counts from the Unix epoch instead of from boot */
    struct timespec at;
};

extern const struct deadline deadline_never;

/*
 * Turns an NT timeout into a deadline (alpc.md 4.4): NULL is for ever, negative is relative, 0 has passed, positive is
 * an absolute system time; units of 100 ns, absolute ones since 1601.
 */
struct deadline deadline_from_nt(const int64_t *timeout);

/* a deadline this many nanoseconds from now */
struct deadline deadline_in(uint64_t ns);

/* a deadline that passed long ago: the caller only looks */
static inline bool deadline_is_poll(const struct deadline *deadline)
{
    return !deadline->forever && !deadline->at.tv_sec && !deadline->at.tv_nsec;
}

bool deadline_passed(const struct deadline *deadline);

/* CLOCK_MONOTONIC in nanoseconds */
uint64_t monotonic_ns(void);
/* CLOCK_MONOTONIC_COARSE in nanoseconds: what a cell's time is */
uint64_t coarse_ns(void);

/* no sleep is longer than this: a wake-up that was lost, or went to a thread that is suspended, is a delay of so long */
#define MOST_SLEEP_NS 1000000000

/* the deadline, but no later than this many nanoseconds from now */
struct deadline deadline_within(const struct deadline *deadline, uint64_t ns);

/*
 * Lets a receiver that is behind catch up, so that a flood slows down instead of failing.  The deadline is
 * deadline_never at first and is set here; false when it took too long.
 */
bool wait_for_room(struct deadline *deadline);

/* ---------------------------------------------------------------------------------------------- futex */

/*
 * Sleeps while *word == expected.  Returns 0 when woken, or when it cannot tell why it awoke, EAGAIN when the word had
 * another value, ETIMEDOUT.
 */
int futex_wait(const _Atomic uint32_t *word, uint32_t expected, const struct deadline *deadline);

/* wakes up to count sleepers; returns how many */
int futex_wake(const _Atomic uint32_t *word, int count);

/* ---------------------------------------------------------------------------------------------- spinning */

/*
 * What earlier waits at the same place taught.  It may be shared between threads: it is only a hint.  All zero is the
 * state to begin with.
 */
struct spin_history
{
    _Atomic uint16_t pauses; /* before each yield */
    _Atomic uint16_t rounds; /* yields before sleeping */
};

#define SPIN_MOST_PAUSES 50
#define SPIN_MOST_ROUNDS 40

struct spin
{
    struct spin_history *history;
    uint16_t pauses, rounds;       /* budget */
    uint16_t pause, round;         /* used */
    bool switched;                 /* the last yield let another thread run */
};

void spin_begin(struct spin *spin, struct spin_history *history);

/* out of line part of spin_again: yields, or says that the budget is spent */
bool spin_yield(struct spin *spin);

/*
 * To be called each time the awaited condition does not hold yet.  Passes a moment and returns true, or returns false
 * when the thread should sleep.
 */
static inline bool spin_again(struct spin *spin)
{
    if (spin->pause < spin->pauses)
    {
        spin->pause++;
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
        return true;
    }
    return spin_yield(spin);
}

/* whether the next spin_again() lets other threads run, or tells the thread to sleep */
static inline bool spin_pausing_ends(const struct spin *spin)
{
    return spin->pause == spin->pauses;
}

/* to be called when the condition holds and the thread has not slept */
void spin_learn(struct spin *spin);

static inline void spin_succeeded(struct spin *spin)
{
    if (spin->round || spin->pauses < SPIN_MOST_PAUSES)
        spin_learn(spin);
}

/* to be called when the thread has slept, for so many nanoseconds, instead of spinning on */
void spin_slept(struct spin *spin, uint64_t ns);

#endif
