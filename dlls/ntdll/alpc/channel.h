/*
 * The channel of a connection: its cells and what may happen to them
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every change of a cell's phase is one atomic operation on its state word, so a thread that dies anywhere leaves a phase
 * from which its end, the other end or alpcserver can go on.
 */

#ifndef NTALPC_CHANNEL_H
#define NTALPC_CHANNEL_H

#include "ntalpc/shm.h"
#include "queue.h"

#include <stdbool.h>

/* one process' view of a channel */
struct channel
{
    struct channel_header *header;
    _Atomic(uint8_t *) far; /* NULL until it is mapped */
    bool lazy;              /* that is done by whoever needs it first */
    struct queue client_queue;
    struct channel_cursor
    {
        _Atomic uint32_t index; /* where the last free cell was found */
        _Atomic uint32_t busy;  /* cells met in use since the last one */
    } cursor[2];                /* of each end; hints of this process */
};

/*
 * Makes the memory of a new channel: a sealed memfd, close-on-exec, which the caller owns; or -1 with errno.
 */
int channel_create(uint64_t connection);

/*
 * Maps the near part of the channel behind fd, which stays the caller's.  lazy: the far part is mapped once it is
 * needed; else it is out of reach until channel_map_far.  Returns false with errno; EPROTO when it is not a channel of
 * this version.
 */
bool channel_map(struct channel *channel, int fd, bool lazy);
bool channel_map_far(struct channel *channel, int fd);
void channel_unmap(struct channel *channel);
void channel_unmap_far(struct channel *channel);

/* ---------------------------------------------------------------------------------------------- cells */

/* the slow part of channel_far: several threads may be at it at once */
uint8_t *channel_map_lazily(struct channel *channel);

/* the far part; NULL if it is out of reach, or memory is short */
static inline uint8_t *channel_far(const struct channel *channel)
{
    uint8_t *far = atomic_load_explicit((_Atomic(uint8_t *) *)&channel->far, memory_order_acquire);

    return far || !channel->lazy ? far : channel_map_lazily((struct channel *)channel);
}

/* the cell with this id, which may be any number; NULL if there is none or it is out of reach */
static inline struct cell *channel_cell(const struct channel *channel, uint32_t id)
{
    uint32_t index = id & CELL_INDEX_MASK, end = id >> CELL_INDEX_BITS & 1;
    uint8_t *far;

    if (index < CELL_NEAR)
        return (struct cell *)((uint8_t *)channel->header + CHANNEL_NEAR_OFFSET) + end * CELL_NEAR + index;
    if (index >= CELL_COUNT)
        return end != END_CLIENT ? NULL : index == CELL_COUNT ? &channel->header->connect : &channel->header->closed;
    if (!(far = channel_far(channel)))
        return NULL;
    return (struct cell *)far + ((size_t)end << CELL_INDEX_BITS) + index;
}

/* whether so many bytes of content can be reached */
static inline bool channel_reaches(const struct channel *channel, uint32_t length)
{
    return length <= CELL_INLINE_SIZE || channel_far(channel);
}

/* where length bytes of the cell's content, which can be reached, stand; the two cells of alpcserver's have windows too */
static inline uint8_t *channel_data(const struct channel *channel, uint32_t id, struct cell *cell, uint32_t length)
{
    if (length <= CELL_INLINE_SIZE)
        return cell->data;
    return channel_far(channel) + CHANNEL_FAR_WINDOWS + (size_t)(id & ((2u << CELL_INDEX_BITS) - 1)) * CELL_WINDOW_SIZE;
}

static inline uint64_t channel_window_offset(uint32_t id)
{
    return CHANNEL_FAR_OFFSET + CHANNEL_FAR_WINDOWS + (uint64_t)id * CELL_WINDOW_SIZE;
}

/* ---------------------------------------------------------------------------------------------- states */

/* who acts on a cell */
struct cell_actor
{
    uint32_t thread;  /* id of the thread */
    uint32_t process; /* which of the processes that share the end */
};

static inline uint64_t cell_word(enum cell_phase phase, uint32_t gen, struct cell_actor actor)
{
    return (uint64_t)actor.thread << CELL_THREAD_SHIFT | (uint64_t)(gen & CELL_GEN_MASK) << CELL_GEN_SHIFT |
           (uint64_t)(actor.process & CELL_PROCESS_MASK) << CELL_PROCESS_SHIFT | phase;
}

static inline uint64_t cell_state(const struct cell *cell)
{
    return atomic_load_explicit(&cell->state, memory_order_acquire);
}

static inline enum cell_phase cell_phase(uint64_t state)
{
    return (enum cell_phase)(state & CELL_PHASE_MASK);
}

static inline uint32_t cell_gen(uint64_t state)
{
    return (uint32_t)(state >> CELL_GEN_SHIFT) & CELL_GEN_MASK;
}

static inline struct cell_actor cell_actor(uint64_t state)
{
    return (struct cell_actor){ .thread = (uint32_t)(state >> CELL_THREAD_SHIFT),
                                .process = (uint32_t)(state >> CELL_PROCESS_SHIFT) & CELL_PROCESS_MASK };
}

/*
 * Allocates a cell of this end: phase CELL_OWNED.  Returns its id, or CELL_NONE when the end has no free one.
 */
uint32_t channel_alloc(struct channel *channel, enum alpc_end end, struct cell_actor actor);

/* gives back a cell that the caller has in a phase of its own */
void cell_free(struct cell *cell);

/* makes an owned cell a new message, visible with all that was written to it; returns its generation */
uint32_t cell_send(struct cell *cell, enum cell_phase phase, struct cell_actor actor);

/*
 * Moves a cell from one phase to another if it is in that phase with this generation.  Everything written before is
 * visible to whoever sees the new phase.  A thread that sleeps on the cell sleeps on.
 */
bool cell_claim(struct cell *cell, uint32_t gen, enum cell_phase from, enum cell_phase to, struct cell_actor actor);

/* the same, and wakes who sleeps on the cell */
bool cell_pass(struct cell *cell, uint32_t gen, enum cell_phase from, enum cell_phase to, struct cell_actor actor);

/*
 * Sleeps until the cell leaves the state that the caller saw, someone calls cell_wake, or the deadline passes; returns
 * false in the last case.  Does not sleep when the connection's link has one of the bits lost.
 */
bool cell_sleep(struct channel *channel, struct cell *cell, uint64_t state, uint32_t lost,
                const struct deadline *deadline);

/* alpcserver: wakes who sleeps on the cell, to look at the cell and the link */
void cell_wake(struct cell *cell);

static inline uint32_t channel_link(const struct channel *channel)
{
    return atomic_load_explicit(&channel->header->link, memory_order_acquire);
}

/* CallbackId and Sequence of the next message of this end: 1, 2, 3 ..., never 0 */
uint32_t channel_next_sequence(struct channel *channel, enum alpc_end end);

/* all cells that this end has ever used lie below this index */
uint32_t channel_peak(const struct channel *channel, enum alpc_end end);

#endif
