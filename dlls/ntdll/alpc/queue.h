/*
 * A port's main queue
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any number of threads and processes post and receive at once, without locks; none of them can keep another waiting by
 * being stopped or killed.  The layout is in ntalpc/shm.h.
 */

#ifndef NTALPC_QUEUE_H
#define NTALPC_QUEUE_H

#include "ntalpc/shm.h"
#include "wait.h"
#include "waiters.h"

#include <stdbool.h>

/* one process' view of a queue */
struct queue
{
    struct queue_post *post;
    struct queue_desk *desk; /* read-only memory for those who only post */
    _Atomic uint64_t *ring;
    unsigned int bits;
    _Atomic uint64_t seen_head; /* desk->head as last seen when posting */
    struct spin_history history;
};

/* what a queue entry says: which message, in which connection, is there to be received */
struct queue_entry
{
    uint32_t slot; /* of the connection in its port's roster; 0 in a client port's queue */
    uint32_t cell;
    uint32_t gen;
};

/* memory that is all zero is an empty queue */
void queue_init(struct queue *queue, struct queue_post *post, struct queue_desk *desk, _Atomic uint64_t *ring,
                unsigned int bits);

/*
 * Posts an entry behind all that have been posted; its position goes to *position.  Returns false when the queue is
 * full, or somebody keeps damaging it.  It is a full memory barrier.  Who has posted must ring.
 */
bool queue_put(struct queue *queue, struct queue_entry entry, uint64_t *position);

/* whether the entry is still to be received: at *position or, if others have moved it, at what that becomes */
bool queue_find(const struct queue *queue, uint64_t *position, struct queue_entry entry);

/* the out of line part of queue_ring */
void queue_wake(struct queue *queue);

/* wakes a receiver if one sleeps */
static inline void queue_ring(struct queue *queue)
{
    if (atomic_load_explicit(&queue->desk->waiters.sleepers, memory_order_seq_cst))
        queue_wake(queue);
}

/* an entry that leads nowhere on purpose */
#define QUEUE_NOTHING ((1u << QUEUE_ENTRY_SLOT_BITS) - 1)

/*
 * Shows the oldest entry without taking it; its position goes to *position.  Returns false when there is none.  The
 * entry is not to be trusted: any client may have written it.
 */
bool queue_peek(const struct queue *queue, uint64_t *position, struct queue_entry *entry);

/* the entry at a position that has not been taken; false when nothing has been posted there yet */
bool queue_peek_at(const struct queue *queue, uint64_t position, struct queue_entry *entry);

/* takes the oldest entry off; false when another has done so already */
bool queue_take(struct queue *queue, uint64_t position);

/* makes nothing of an entry in the middle of the queue; false when it does not stand there any more */
bool queue_erase(struct queue *queue, uint64_t position, struct queue_entry entry);

/*
 * An entry that leads nowhere has been taken off.  Returns false when there are more of them than were made by
 * queue_erase and queue_mend: then somebody has written over entries of others.
 */
bool queue_count_hole(struct queue *queue);

/* takes what leads nowhere off, up to the oldest entry that leads somewhere; false as above */
bool queue_trim(struct queue *queue);

/*
 * Moves the entries before a position up to where others led that lead nowhere now, so that the head can follow: for a
 * queue in the middle of which messages are taken, while the oldest stays.  Their order is kept.  Nothing happens while
 * another thread is at it.  False as queue_trim.
 */
bool queue_pack(struct queue *queue, uint64_t end);

static inline uint64_t queue_head(const struct queue *queue)
{
    return atomic_load_explicit(&queue->desk->head, memory_order_acquire);
}

/*
 * Fills the first positions that hold no entry though later ones do, which only a damaged queue has.  To be called
 * before sleeping; returns true if it did so: entries may be lost.
 */
bool queue_mend(struct queue *queue);

/* ---------------------------------------------------------------------------------------------- waiting */

/*
 * Sleeps until someone rings, the queue has an entry or is closed, the deadline passes, or a while has passed in which
 * a wake-up may have been lost.
 */
void queue_sleep(struct queue *queue, struct waiter *waiter, const struct deadline *deadline);

static inline bool queue_closed(const struct queue *queue)
{
    return atomic_load_explicit(&queue->desk->closed, memory_order_acquire) != 0;
}

/* alpcserver: no one will receive any more; everybody who sleeps wakes up */
void queue_close(struct queue *queue);

/* alpcserver: wakes everybody who sleeps, to look at the state of the port again */
void queue_wake_all(struct queue *queue);

/*
 * alpcserver: forgets waiting threads that died, those with (waiter & mask) == who, and lets another receive what they
 * were woken for
 */
void queue_forget(struct queue *queue, uint64_t who, uint64_t mask);

/* entries that have not been taken, as far as the tail tells, which may be anything: 0 to the size */
static inline uint64_t queue_used(const struct queue *queue)
{
    uint64_t used = atomic_load_explicit(&queue->post->tail, memory_order_relaxed) - queue_head(queue);

    return used <= UINT64_C(1) << queue->bits ? used : 0;
}

/* the same by looking; an estimate while others post or receive */
uint64_t queue_length(const struct queue *queue);

#endif
