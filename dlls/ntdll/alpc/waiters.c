/*
 * Threads that wait in a receive
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "waiters.h"

void waiter_begin(struct waiters *waiters, struct waiter *waiter, uint64_t name)
{
    /* thread ids are multiples of four */
    unsigned int i, first = (unsigned int)(name >> 2) % WAITERS_KNOWN;

    waiter->name = name;
    for (i = 0; i < WAITERS_KNOWN; i++)
    {
        _Atomic uint64_t *place = &waiters->waiting[(first + i) % WAITERS_KNOWN];
        uint64_t nobody = 0;

        if (!atomic_load_explicit(place, memory_order_relaxed) &&
            atomic_compare_exchange_strong_explicit(place, &nobody, name, memory_order_seq_cst, memory_order_relaxed))
        {
            waiter->place = place;
            return;
        }
    }
}

void waiter_end(struct waiter *waiter)
{
    if (waiter->place)
        atomic_store_explicit(waiter->place, 0, memory_order_release);
    *waiter = (struct waiter){ .name = 0 };
}

/* a sleeper is counted before its place says so, and not any more after it: what dies in between counts too much */
void waiter_falls_asleep(struct waiters *waiters, struct waiter *waiter)
{
    atomic_fetch_add_explicit(&waiters->sleepers, 1, memory_order_seq_cst);
    if (waiter->place)
        atomic_store_explicit(waiter->place, waiter->name | WAITER_ASLEEP, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
}

void waiter_wakes_up(struct waiters *waiters, struct waiter *waiter)
{
    if (waiter->place)
        atomic_store_explicit(waiter->place, waiter->name, memory_order_relaxed);
    atomic_fetch_sub_explicit(&waiters->sleepers, 1, memory_order_seq_cst);
}

unsigned int waiters_count(const struct waiters *waiters)
{
    unsigned int count = 0, i;

    for (i = 0; i < WAITERS_KNOWN; i++)
        count += atomic_load_explicit(&waiters->waiting[i], memory_order_seq_cst) != 0;
    return count;
}

void waiters_forget(struct waiters *waiters, uint64_t who, uint64_t mask)
{
    unsigned int i;

    for (i = 0; i < WAITERS_KNOWN; i++)
    {
        uint64_t name = atomic_load_explicit(&waiters->waiting[i], memory_order_seq_cst);

        if (!name || ((name & ~WAITER_ASLEEP) & mask) != who)
            continue;
        if (atomic_compare_exchange_strong_explicit(&waiters->waiting[i], &name, 0, memory_order_seq_cst,
                                                    memory_order_relaxed) &&
            name & WAITER_ASLEEP)
            atomic_fetch_sub_explicit(&waiters->sleepers, 1, memory_order_seq_cst);
    }
}
