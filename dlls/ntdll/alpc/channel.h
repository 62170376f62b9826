/*
 * The channel of a connection: its memory
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What happens to the messages in it is told in cell.h.
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
    uint32_t gen_base;      /* of message ids; a copy */
    uint32_t slot;          /* in the roster of the connection port; set by who has mapped the channel, like the next */
    struct queue client_queue;
    struct queue *queue[2]; /* where messages for each end are announced; NULL: nowhere any more */
    _Atomic uint32_t unannounced; /* bit for each end whose queue had no room for something that must be told */
    struct channel_cursor
    {
        _Atomic uint32_t index; /* where the last free cell was found */
        _Atomic uint32_t busy;  /* cells met in use since the last one */
    } cursor[2];                /* of each end; hints of this process */
    /* MessageContext of this side by cell; NULL if none was ever given.  Private, for it is most often a pointer. */
    _Atomic(_Atomic uint64_t *) contexts;
};

/*
 * Makes the memory of a new channel: a sealed memfd, close-on-exec, which the caller owns; or -1 with errno.
 * gen_base is any number; those of connections that have the same slot one after the other should not be the same.
 */
int channel_create(uint64_t connection, uint32_t gen_base);

/*
 * Maps the near part of the channel behind fd, which stays the caller's.  lazy: the far part is mapped once it is
 * needed; else it is out of reach until channel_map_far.  Returns false with errno.
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

/* whether there is a cell with this id, which may be any number, within reach or not */
static inline bool channel_has_cell(uint32_t id)
{
    return CELL_END(id) == END_CLIENT || (id & CELL_INDEX_MASK) < CELL_COUNT;
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

/* whether a payload of so many bytes can be reached */
static inline bool channel_reaches(const struct channel *channel, uint32_t length)
{
    return length <= CELL_INLINE_SIZE || channel_far(channel);
}

/*
 * where length bytes of the cell's payload, which can be reached, stand; the two cells of alpcserver's have windows
 * too
 */
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

/* all cells that this end has ever used lie below this index */
uint32_t channel_peak(const struct channel *channel, enum alpc_end end);

/* ---------------------------------------------------------------------------------------------- header */

static inline uint32_t channel_link(const struct channel *channel)
{
    return atomic_load_explicit(&channel->header->link, memory_order_acquire);
}

/* CallbackId and Sequence of the next message of this end: 1, 2, 3 ..., never 0 */
uint32_t channel_next_sequence(struct channel *channel, enum alpc_end end);

/* by which the queue of an end knows this channel */
static inline uint32_t channel_queue_slot(const struct channel *channel, enum alpc_end end)
{
    return end == END_SERVER ? channel->slot : 0;
}

/* the MessageId of what a cell holds in this generation */
static inline uint32_t channel_message_id(const struct channel *channel, uint32_t cell, uint32_t gen)
{
    return message_id(channel->slot, cell, gen + channel->gen_base);
}

/*
 * Announces a cell to one of the ends, where it goes to the end of the queue; its position goes to *position unless
 * that is NULL.  A thread that sleeps there is woken.  Returns false when the queue has no room.
 */
bool channel_announce(struct channel *channel, enum alpc_end end, uint32_t cell, uint32_t gen, uint64_t *position);

/* the same, but a receiver that is behind may catch up for a moment */
bool channel_announce_in_time(struct channel *channel, enum alpc_end end, uint32_t cell, uint32_t gen,
                              uint64_t *position);

#endif
