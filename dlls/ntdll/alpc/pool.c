/*
 * The sockets on which a process' threads call alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "pool.h"

#include "thread.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* between two looks while all sockets are in use: as long as a call takes */
#define BUSY_PAUSE_NS 50000

void pool_init(struct pool *pool)
{
    unsigned int i;

    for (i = 0; i < POOL_SOCKETS; i++)
    {
        atomic_store(&pool->sockets[i].owner, POOL_UNUSED);
        pool->sockets[i].control = (struct control)CONTROL_INIT;
    }
}

void pool_disconnect(struct pool_socket *taken)
{
    sigset_t saved;

    signals_block(&saved);
    control_disconnect(&taken->control);
    signals_restore(&saved);
}

static struct pool_socket *take(struct pool *pool, unsigned int count, uint32_t from, uint32_t me)
{
    unsigned int i;

    for (i = 0; i < count; i++)
        if (atomic_compare_exchange_strong(&pool->sockets[i].owner, &(uint32_t){ from }, me))
            return &pool->sockets[i];
    return NULL;
}

/* what a request or reply was left half done on cannot be used for another */
static struct pool_socket *take_from_dead(struct pool *pool, unsigned int count, uint32_t me)
{
    unsigned int i;

    for (i = 0; i < count; i++)
    {
        struct pool_socket *candidate = &pool->sockets[i];
        uint32_t owner = atomic_load(&candidate->owner);

        if (owner == POOL_IDLE || owner == POOL_UNUSED || (owner != me && !thread_dead(owner)) ||
            !atomic_compare_exchange_strong(&candidate->owner, &owner, me))
            continue;
        pool_disconnect(candidate);
        return candidate;
    }
    return NULL;
}

struct pool_socket *pool_take(struct pool *pool, unsigned int count)
{
    static const struct timespec pause = { .tv_nsec = BUSY_PAUSE_NS };
    uint32_t me = (uint32_t)syscall(SYS_gettid);
    struct pool_socket *taken;

    while (!(taken = take(pool, count, POOL_IDLE, me)) && !(taken = take(pool, count, POOL_UNUSED, me)) &&
           !(taken = take_from_dead(pool, count, me)))
        nanosleep(&pause, NULL);
    return taken;
}

void pool_give(struct pool_socket *taken)
{
    atomic_store(&taken->owner, taken->control.fd == -1 ? POOL_UNUSED : POOL_IDLE);
}

void pool_drop(struct pool_socket *taken)
{
    pool_disconnect(taken);
    pool_give(taken);
}
