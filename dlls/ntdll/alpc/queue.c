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

/* entries are moved up only, and stand at both places for a moment */
bool queue_find(const struct queue *queue, uint64_t *position, struct queue_entry entry)
{
    uint64_t size = UINT64_C(1) << queue->bits, head = queue_head(queue);
    uint64_t at = *position - head < size ? *position : head;

    for (; at - head < size && posted(queue, at); at++)
        if (atomic_load_explicit(slot_of(queue, at), memory_order_acquire) == value_of(queue, at, entry))
        {
            *position = at;
            return true;
        }
    return false;
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

static const struct queue_entry nothing = { .slot = QUEUE_NOTHING };

/* makes a hole of what stands there, if that is still so */
static bool make_hole(struct queue *queue, uint64_t position, uint64_t value)
{
    uint64_t hole = value_of(queue, position, nothing);

    /* who dies in between leaves one too many, and somebody's lie is not noticed */
    atomic_fetch_add_explicit(&queue->desk->holes, 1, memory_order_relaxed);
    if (atomic_compare_exchange_strong_explicit(slot_of(queue, position), &value, hole, memory_order_seq_cst,
                                                memory_order_relaxed))
        return true;
    atomic_fetch_sub_explicit(&queue->desk->holes, 1, memory_order_relaxed);
    return false;
}

bool queue_erase(struct queue *queue, uint64_t position, struct queue_entry entry)
{
    return make_hole(queue, position, value_of(queue, position, entry));
}

bool queue_count_hole(struct queue *queue)
{
    uint32_t holes = atomic_load_explicit(&queue->desk->holes, memory_order_relaxed);

    while (holes && !atomic_compare_exchange_weak_explicit(&queue->desk->holes, &holes, holes - 1, memory_order_relaxed,
                                                           memory_order_relaxed))
        ;
    return holes;
}

/* ---------------------------------------------------------------------------------------------- packing */

/* who packs has died or was stopped after so long, and another may */
#define PACKING_NS 1000000000

static bool leads_nowhere(const struct queue *queue, uint64_t position, struct queue_entry *entry)
{
    return queue_peek_at(queue, position, entry) && entry->slot == QUEUE_NOTHING;
}

bool queue_trim(struct queue *queue)
{
    uint64_t most = UINT64_C(1) << queue->bits, position;
    struct queue_entry entry;
    bool known = true;

    while (most-- && leads_nowhere(queue, position = queue_head(queue), &entry))
        if (queue_take(queue, position))
            known &= queue_count_hole(queue);
    return known;
}

/* false when something else stands there by now */
static bool replace(const struct queue *queue, uint64_t position, struct queue_entry old, struct queue_entry entry)
{
    uint64_t value = value_of(queue, position, old);

    return atomic_compare_exchange_strong_explicit(slot_of(queue, position), &value, value_of(queue, position, entry),
                                                   memory_order_seq_cst, memory_order_relaxed);
}

/*
 * An entry stands at both places for a moment, so who walks up the queue meets it, once or twice.  Whoever receives it
 * makes nothing of the one it has met.
 */
static void move_entry(struct queue *queue, uint64_t from, struct queue_entry entry, uint64_t to,
                       struct queue_entry hole)
{
    if (replace(queue, to, hole, entry) && (queue_head(queue) > from || !replace(queue, from, entry, nothing)))
        replace(queue, to, entry, nothing);
}

/* the clock may be another thread's, and a bit further */
static bool may_pack(uint64_t begun, uint64_t now)
{
    return !begun || (int64_t)(now - begun) > PACKING_NS;
}

bool queue_pack(struct queue *queue, uint64_t end)
{
    uint64_t now = coarse_ns(), begun = atomic_load_explicit(&queue->desk->packed, memory_order_relaxed);
    uint64_t head = queue_head(queue), from, to;
    struct queue_entry entry, hole;

    if (!may_pack(begun, now) || !atomic_compare_exchange_strong_explicit(&queue->desk->packed, &begun, now,
                                                                          memory_order_seq_cst, memory_order_relaxed))
        return true;
    /* the last ones first: the order stays, and all that is above "to" is taken */
    for (from = to = end - 1; from - head < UINT64_C(1) << queue->bits; from--)
    {
        if (!queue_peek_at(queue, from, &entry) || entry.slot == QUEUE_NOTHING)
            continue;
        while (to > from && !leads_nowhere(queue, to, &hole))
            to--;
        /* who was stopped for long goes no further: another is at it */
        if (atomic_load_explicit(&queue->desk->packed, memory_order_seq_cst) != now)
            break;
        if (to > from)
            move_entry(queue, from, entry, to, hole);
    }
    atomic_compare_exchange_strong_explicit(&queue->desk->packed, &now, 0, memory_order_seq_cst, memory_order_relaxed);
    return queue_trim(queue);
}

/* ---------------------------------------------------------------------------------------------- mending */

/*
 * Posts an entry that leads nowhere at each position from begin to end: what is posted behind a gap, by someone who was
 * told a wrong tail, would never be found.  Returns how far it came: somebody may have posted there just now.  While
 * the head stands nothing of a later round can have been posted there.
 */
static uint64_t fill_gap(struct queue *queue, uint64_t head, uint64_t begin, uint64_t end)
{
    uint64_t position;

    for (position = begin; position != end; position++)
    {
        uint64_t old = atomic_load_explicit(slot_of(queue, position), memory_order_acquire);

        if (old >> TAG_SHIFT == tag_of(queue, position) ||
            atomic_load_explicit(&queue->desk->head, memory_order_acquire) != head || !make_hole(queue, position, old))
            break;
    }
    return position;
}

bool queue_mend(struct queue *queue)
{
    uint64_t head = atomic_load_explicit(&queue->desk->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&queue->post->tail, memory_order_acquire);
    uint64_t size = UINT64_C(1) << queue->bits, gap = head, end, filled;

    while (gap - head < size && posted(queue, gap))
        gap++;
    if (gap == tail || gap - head == size)
        return false;
    for (end = gap; end - head < size && !posted(queue, end);)
        end++;
    if (end - head == size) /* nothing is there: only the tail is wrong */
    {
        atomic_compare_exchange_strong_explicit(&queue->post->tail, &tail, gap, memory_order_release,
                                                memory_order_relaxed);
        return false;
    }
    filled = fill_gap(queue, head, gap, end);
    queue_trim(queue);
    return filled != gap;
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
