/*
 * A port's main queue
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The slot for position t is free for posting once the entry of the round before has been taken, that is when
 * t - head < size; it is posted by replacing whatever older entry it holds.  The tail only tells where to begin
 * looking. It lies in memory that every client writes, so nothing is concluded from it that the tags do not confirm: a
 * tail that lies too low is walked up, one that lies too high is noticed by the slot before it.
 */

#include "queue.h"

#include <limits.h>

#define CELL_SHIFT 0
#define SLOT_SHIFT QUEUE_ENTRY_CELL_BITS
#define GEN_SHIFT (SLOT_SHIFT + QUEUE_ENTRY_SLOT_BITS)
#define TAG_SHIFT (GEN_SHIFT + QUEUE_ENTRY_GEN_BITS)
#define BITS(value, shift, bits) ((uint32_t)((value) >> (shift)) & ((1u << (bits)) - 1))

static uint64_t tag_of(const struct queue *queue, uint64_t position)
{
    return ((position >> queue->bits) + 1) & ((1u << QUEUE_ENTRY_TAG_BITS) - 1);
}

static uint64_t tag_before(uint64_t tag)
{
    return (tag - 1) & ((1u << QUEUE_ENTRY_TAG_BITS) - 1);
}

static _Atomic uint64_t *slot_of(const struct queue *queue, uint64_t position)
{
    return queue->ring + (position & ((UINT64_C(1) << queue->bits) - 1));
}

static bool posted(const struct queue *queue, uint64_t position)
{
    return atomic_load_explicit(slot_of(queue, position), memory_order_acquire) >> TAG_SHIFT == tag_of(queue, position);
}

void queue_init(struct queue *queue, struct queue_post *post, struct queue_desk *desk, _Atomic uint64_t *ring,
                unsigned int bits)
{
    *queue = (struct queue){ .post = post, .desk = desk, .ring = ring, .bits = bits };
}

/* ---------------------------------------------------------------------------------------------- posting */

static uint64_t update_head(struct queue *queue)
{
    uint64_t head = atomic_load_explicit(&queue->desk->head, memory_order_acquire);

    atomic_store_explicit(&queue->seen_head, head, memory_order_relaxed);
    return head;
}

/* where to begin looking for the first position that is not posted; head is a position that has been taken or is next
 */
static uint64_t find_tail(const struct queue *queue, uint64_t head)
{
    uint64_t tail = atomic_load_explicit(&queue->post->tail, memory_order_relaxed);

    if (tail - head > UINT64_C(1) << queue->bits || (tail != head && !posted(queue, tail - 1)))
        return head;
    return tail;
}

/*
 * Leaves the tail alone if others have moved it on already; one that cannot be right is put right.  Two who store at
 * once may leave the lower value: a hint that is low costs the next one a few steps, an atomic operation would cost
 * everybody.
 */
static void advance_tail(struct queue *queue, uint64_t tail)
{
    if (atomic_load_explicit(&queue->post->tail, memory_order_relaxed) - tail > UINT64_C(1) << queue->bits)
        atomic_store_explicit(&queue->post->tail, tail, memory_order_release);
}

static uint64_t value_of(const struct queue *queue, uint64_t position, struct queue_entry entry)
{
    return (uint64_t)entry.cell << CELL_SHIFT | (uint64_t)entry.slot << SLOT_SHIFT | (uint64_t)entry.gen << GEN_SHIFT |
           tag_of(queue, position) << TAG_SHIFT;
}

bool queue_put(struct queue *queue, struct queue_entry entry, uint64_t *position)
{
    uint64_t size = UINT64_C(1) << queue->bits;
    uint64_t head = atomic_load_explicit(&queue->seen_head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&queue->post->tail, memory_order_relaxed), steps;

    if (tail - head >= size || (tail != head && !posted(queue, tail - 1)))
    {
        head = update_head(queue);
        tail = find_tail(queue, head);
    }
    /* what is not damaged takes one walk at most */
    for (steps = 4 * size + 1000; steps; steps--)
    {
        uint64_t tag, old;

        if (tail - head >= size)
        {
            head = update_head(queue);
            if (tail - head == size)
                return false;
            if (tail - head > size) /* it was overtaken */
                tail = find_tail(queue, head);
            continue;
        }
        tag = tag_of(queue, tail);
        old = atomic_load_explicit(slot_of(queue, tail), memory_order_acquire);
        if (old >> TAG_SHIFT == tag)
        {
            tail++;
            continue;
        }
        /* anything but an entry of the round before, long taken, means that this thread was overtaken or was lied to */
        if (old >> TAG_SHIFT != tag_before(tag) && tail - (head = update_head(queue)) >= size)
            continue;
        if (atomic_compare_exchange_strong_explicit(slot_of(queue, tail), &old, value_of(queue, tail, entry),
                                                    memory_order_seq_cst, memory_order_relaxed))
        {
            advance_tail(queue, tail + 1);
            *position = tail;
            return true;
        }
    }
    return false;
}

bool queue_holds(const struct queue *queue, uint64_t position, struct queue_entry entry)
{
    return position - queue_head(queue) < UINT64_C(1) << queue->bits &&
           atomic_load_explicit(slot_of(queue, position), memory_order_acquire) == value_of(queue, position, entry);
}

void queue_wake(struct queue *queue)
{
    atomic_fetch_add_explicit(&queue->post->bell, 1, memory_order_seq_cst);
    futex_wake(&queue->post->bell, 1);
}

/* ---------------------------------------------------------------------------------------------- receiving */

bool queue_peek_at(const struct queue *queue, uint64_t position, struct queue_entry *entry)
{
    uint64_t value = atomic_load_explicit(slot_of(queue, position), memory_order_acquire);

    if (value >> TAG_SHIFT != tag_of(queue, position))
        return false;
    entry->cell = BITS(value, CELL_SHIFT, QUEUE_ENTRY_CELL_BITS);
    entry->slot = BITS(value, SLOT_SHIFT, QUEUE_ENTRY_SLOT_BITS);
    entry->gen = BITS(value, GEN_SHIFT, QUEUE_ENTRY_GEN_BITS);
    return true;
}

bool queue_peek(const struct queue *queue, uint64_t *position, struct queue_entry *entry)
{
    *position = queue_head(queue);
    return queue_peek_at(queue, *position, entry);
}

bool queue_take(struct queue *queue, uint64_t position)
{
    return atomic_compare_exchange_strong_explicit(&queue->desk->head, &position, position + 1, memory_order_acq_rel,
                                                   memory_order_relaxed);
}

/* false when something else stands there by now */
static bool replace(const struct queue *queue, uint64_t position, struct queue_entry old, struct queue_entry entry)
{
    uint64_t value = value_of(queue, position, old);

    return atomic_compare_exchange_strong_explicit(slot_of(queue, position), &value, value_of(queue, position, entry),
                                                   memory_order_seq_cst, memory_order_relaxed);
}

bool queue_erase(struct queue *queue, uint64_t position, struct queue_entry entry)
{
    return replace(queue, position, entry, (struct queue_entry){ .slot = QUEUE_NOTHING });
}

/* ---------------------------------------------------------------------------------------------- packing */

/* who packs has died or was stopped after so long, and another may */
#define PACKING_NS UINT64_C(10000000000)

static bool leads_nowhere(const struct queue *queue, uint64_t position, struct queue_entry *entry)
{
    return queue_peek_at(queue, position, entry) && entry->slot == QUEUE_NOTHING;
}

void queue_trim(struct queue *queue)
{
    uint64_t most = UINT64_C(1) << queue->bits, position;
    struct queue_entry entry;

    while (most-- && leads_nowhere(queue, position = queue_head(queue), &entry))
        queue_take(queue, position);
}

/*
 * An entry stands at both places for a moment, so who walks up the queue meets it, once or twice.  Whoever receives it
 * makes nothing of the one it has met.
 */
static void move_entry(struct queue *queue, uint64_t from, struct queue_entry entry, uint64_t to,
                       struct queue_entry nothing)
{
    if (replace(queue, to, nothing, entry) && (queue_head(queue) > from || !queue_erase(queue, from, entry)))
        replace(queue, to, entry, nothing);
}

void queue_pack(struct queue *queue, uint64_t end)
{
    uint64_t now = coarse_ns(), begun = atomic_load_explicit(&queue->desk->packed, memory_order_relaxed);
    uint64_t head = queue_head(queue), from, to;
    struct queue_entry entry, nothing;

    if ((begun && now - begun < PACKING_NS) ||
        !atomic_compare_exchange_strong_explicit(&queue->desk->packed, &begun, now, memory_order_seq_cst,
                                                 memory_order_relaxed))
        return;
    /* the last ones first: the order stays, and all that is above "to" is taken */
    for (from = to = end - 1; from - head < UINT64_C(1) << queue->bits; from--)
    {
        if (!queue_peek_at(queue, from, &entry) || entry.slot == QUEUE_NOTHING)
            continue;
        while (to > from && !leads_nowhere(queue, to, &nothing))
            to--;
        if (to > from)
            move_entry(queue, from, entry, to, nothing);
    }
    queue_trim(queue);
    atomic_compare_exchange_strong_explicit(&queue->desk->packed, &now, 0, memory_order_seq_cst, memory_order_relaxed);
}

/* ---------------------------------------------------------------------------------------------- mending */

/*
 * Posts an entry that leads nowhere at each position from head to end: what is posted behind the head, by someone who
 * was told a wrong tail, would never be found.  Returns how far it came: somebody may have posted there just now. While
 * the head stands nothing of a later round can have been posted there.
 */
static uint64_t fill_gap(struct queue *queue, uint64_t head, uint64_t end)
{
    uint64_t position;

    for (position = head; position != end; position++)
    {
        uint64_t old = atomic_load_explicit(slot_of(queue, position), memory_order_acquire);
        uint64_t nothing = value_of(queue, position, (struct queue_entry){ .slot = QUEUE_NOTHING });

        if (old >> TAG_SHIFT == tag_of(queue, position) ||
            atomic_load_explicit(&queue->desk->head, memory_order_acquire) != head ||
            !atomic_compare_exchange_strong_explicit(slot_of(queue, position), &old, nothing, memory_order_seq_cst,
                                                     memory_order_relaxed))
            break;
    }
    return position;
}

bool queue_mend(struct queue *queue)
{
    uint64_t head = atomic_load_explicit(&queue->desk->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&queue->post->tail, memory_order_acquire);
    uint64_t size = UINT64_C(1) << queue->bits, position = head;

    if (tail == head)
        return false;
    while (position - head < size && !posted(queue, position))
        position++;
    if (position - head == size) /* nothing is there: only the tail is wrong */
        atomic_compare_exchange_strong_explicit(&queue->post->tail, &tail, head, memory_order_release,
                                                memory_order_relaxed);
    else if (position != head)
    {
        position = fill_gap(queue, head, position);
        return position != head && atomic_compare_exchange_strong_explicit(&queue->desk->head, &head, position,
                                                                           memory_order_acq_rel, memory_order_relaxed);
    }
    return false;
}

/* ---------------------------------------------------------------------------------------------- waiting */

void queue_sleep(struct queue *queue, struct waiter *waiter, const struct deadline *deadline)
{
    const struct deadline most = deadline_within(deadline, MOST_SLEEP_NS);
    uint32_t bell = atomic_load_explicit(&queue->post->bell, memory_order_seq_cst);
    struct queue_entry entry;
    uint64_t position;

    waiter_falls_asleep(&queue->desk->waiters, waiter);
    if (!queue_peek(queue, &position, &entry) && !queue_closed(queue))
        futex_wait(&queue->post->bell, bell, &most);
    waiter_wakes_up(&queue->desk->waiters, waiter);
}

/* ---------------------------------------------------------------------------------------------- alpcserver's part */

void queue_wake_all(struct queue *queue)
{
    atomic_fetch_add_explicit(&queue->post->bell, 1, memory_order_seq_cst);
    futex_wake(&queue->post->bell, INT_MAX);
}

void queue_close(struct queue *queue)
{
    atomic_store_explicit(&queue->desk->closed, 1, memory_order_seq_cst);
    queue_wake_all(queue);
}

void queue_forget(struct queue *queue, uint64_t who, uint64_t mask)
{
    struct queue_entry entry;
    uint64_t position;

    waiters_forget(&queue->desk->waiters, who, mask);
    /* a ring may have woken one that died before it could look: another sleeper has to */
    if (queue_peek(queue, &position, &entry))
        queue_ring(queue);
}

uint64_t queue_length(const struct queue *queue)
{
    uint64_t head = queue_head(queue);
    uint64_t tail = find_tail(queue, head);

    while (tail - head < UINT64_C(1) << queue->bits && posted(queue, tail))
        tail++;
    return tail - head;
}
