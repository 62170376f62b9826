/*
 * Threads that wait in a receive
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * They are known by name, so that a message that is sent while one waits is told to be a receiver's already [4.7], and
 * so that those who die are forgotten.  The layout is in ntalpc/shm.h.
 */

#ifndef NTALPC_WAITERS_H
#define NTALPC_WAITERS_H

#include "ntalpc/shm.h"

/* one thread's wait, from when it has found nothing until it has received; all zero is none */
struct waiter
{
    _Atomic uint64_t *place; /* NULL if all are taken */
    uint64_t name;           /* WAITER(); 0 = not begun */
};

/* The thread waits from now on, so it has to look once more. */
void waiter_begin(struct waiters *waiters, struct waiter *waiter, uint64_t name);
void waiter_end(struct waiter *waiter);

/*
 * It is about to sleep, so it has to look once more, and has slept.  A full memory barrier comes with falling asleep.
 */
void waiter_falls_asleep(struct waiters *waiters, struct waiter *waiter);
void waiter_wakes_up(struct waiters *waiters, struct waiter *waiter);

/* how many threads wait, as far as they are known by name */
unsigned int waiters_count(const struct waiters *waiters);

/* alpcserver: forgets threads that died, those with (name & mask) == who */
void waiters_forget(struct waiters *waiters, uint64_t who, uint64_t mask);

#endif
