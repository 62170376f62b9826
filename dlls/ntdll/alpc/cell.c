/*
 * The life of a message
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "cell.h"

#include <limits.h>
#include <sched.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------- the table */

/* phases in which the thread that waits for the answer goes on waiting */
#define SLEEPS_ON (3u << CELL_QUEUED | 3u << CELL_HELD | 3u << CELL_ANSWERING)

#define GEN ((uint64_t)CELL_GEN_MASK << CELL_GEN_SHIFT)
#define ACTOR ((uint64_t)0xffffffff << CELL_THREAD_SHIFT | (uint64_t)CELL_PROCESS_MASK << CELL_PROCESS_SHIFT)
#define ANSWERS(event) ((event) == EVENT_ANSWER || (event) == EVENT_QUEUE)
/*
 * Only a first answer goes to a queue, and one that found no room there has not been given.  Of what is kept after the
 * answer it is the message that is canceled.
 */
#define TAKES_BACK(event, from) (((event) == EVENT_UNDO && ((from) & ~1) == CELL_QUEUED) || (from) == CELL_SPENT)

/* who was at it when a message is given up still is: a thread that goes on answering has to be known if it dies */
#define CHANGE(event, from, to)                                                                                        \
    {                                                                                                                  \
        .keep = GEN | ((event) == EVENT_GIVE_UP ? ACTOR : 0) | (SLEEPS_ON >> (to) & 1 ? CELL_WAITING : 0) |            \
                (CELL_IS_END(to) || ANSWERS(event) || TAKES_BACK(event, from) ? 0 : CELL_ANSWERED),                    \
        .set = (to) | (ANSWERS(event) ? CELL_ANSWERED : 0), .after = (to) + 1                                          \
    }

#define ROW(event, from, to) [event][from] = CHANGE(event, from, to)
#define STEP(event, from, to, who) ROW(EVENT_##event, CELL_##from, CELL_##to),
#define STEP_TO(event, from, to, who)                                                                                  \
    ROW(EVENT_##event + END_CLIENT, CELL_##from, CELL_##to + END_CLIENT),                                              \
    ROW(EVENT_##event + END_SERVER, CELL_##from, CELL_##to + END_SERVER),
#define STEP_SAME(event, from, to, who)                                                                                \
    ROW(EVENT_##event, CELL_##from + END_CLIENT, CELL_##to + END_CLIENT),                                              \
    ROW(EVENT_##event, CELL_##from + END_SERVER, CELL_##to + END_SERVER),
#define STEP_OTHER(event, from, to, who)                                                                               \
    ROW(EVENT_##event, CELL_##from + END_CLIENT, CELL_##to + END_SERVER),                                              \
    ROW(EVENT_##event, CELL_##from + END_SERVER, CELL_##to + END_CLIENT),
#define STEP_OUT(event, from, to, who)                                                                                 \
    ROW(EVENT_##event, CELL_##from + END_CLIENT, CELL_##to),                                                           \
    ROW(EVENT_##event, CELL_##from + END_SERVER, CELL_##to),
#define STEP_AT(event, from, to, who)                                                                                  \
    ROW(EVENT_##event + END_CLIENT, CELL_##from + END_CLIENT, CELL_##to + END_CLIENT),                                 \
    ROW(EVENT_##event + END_SERVER, CELL_##from + END_SERVER, CELL_##to + END_SERVER),
#define STEP_FROM(event, from, to, who)                                                                                \
    ROW(EVENT_##event + END_CLIENT, CELL_##from + END_CLIENT, CELL_##to),                                              \
    ROW(EVENT_##event + END_SERVER, CELL_##from + END_SERVER, CELL_##to),

const struct cell_change cell_changes[EVENT_COUNT][CELL_PHASE_MASK + 1] = {
    CELL_STEPS(STEP, STEP_TO, STEP_SAME, STEP_OTHER, STEP_OUT, STEP_AT, STEP_FROM)
};

/* on the way to an end, by the end of the actor */
static const struct cell_change ending[2] = { { .keep = GEN, .set = CELL_ENDING + END_CLIENT },
                                              { .keep = GEN, .set = CELL_ENDING + END_SERVER } };

/* the end in whose hands the message is; of the phases that have one */
static enum alpc_end end_of(enum cell_phase phase)
{
    return phase & 1 ? END_SERVER : END_CLIENT;
}

/* what a thread that sleeps on a cell waits for: the half of the word that holds the phase */
static const _Atomic uint32_t *futex_of(const struct cell *cell)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low half of the state comes first");
    return (const _Atomic uint32_t *)&cell->state;
}

/* changes the word if the cell is still in that phase of that generation */
static bool exchange(struct cell *cell, uint64_t *state, const struct cell_change *change, struct cell_actor actor)
{
    uint64_t seen = *state;

    while (!atomic_compare_exchange_weak_explicit(&cell->state, state, cell_changed(*state, change, actor),
                                                  memory_order_seq_cst, memory_order_acquire))
        if (!cell_is(*state, cell_phase(seen), cell_gen(seen)))
            return false;
    if (*state & CELL_WAITING && !(change->keep & CELL_WAITING))
        futex_wake(futex_of(cell), INT_MAX);
    *state = cell_changed(*state, change, actor);
    return true;
}

bool cell_step_slowly(struct channel *channel, uint32_t id, struct cell *cell, uint64_t *state, enum cell_event event,
                      struct cell_actor actor)
{
    const struct cell_change *change = &cell_changes[event][cell_phase(*state)];

    if (!change->after)
        return false;
    if (!CELL_IS_END(change->after - 1) || !atomic_load_explicit(&cell->attached, memory_order_relaxed))
        return exchange(cell, state, change, actor);
    /* nobody else may find the cell free before what is attached to it has been released */
    if (!exchange(cell, state, &ending[actor.end], actor))
        return false;
    attachment_release(channel, id, cell);
    *state = cell_word((enum cell_phase)(change->after - 1), cell_gen(*state), actor);
    atomic_store_explicit(&cell->state, *state, memory_order_release);
    return true;
}

uint32_t cell_set_message(struct cell *cell, struct cell_actor actor)
{
    uint32_t gen = (cell_gen(cell_state(cell)) + 1) & CELL_GEN_MASK;

    atomic_store(&cell->state, cell_word(CELL_QUEUED + END_SERVER, gen, actor));
    return gen;
}

uint32_t cell_set_answer(struct cell *cell, enum cell_phase phase)
{
    uint32_t gen = cell_gen(cell_state(cell));
    uint64_t answered = phase == CELL_QUEUED + END_CLIENT || phase == CELL_ANSWER + END_CLIENT ? CELL_ANSWERED : 0;

    atomic_store(&cell->state, cell_word(phase, gen, (struct cell_actor){ 0 }) | answered);
    futex_wake(futex_of(cell), INT_MAX);
    return gen;
}

/* ---------------------------------------------------------------------------------------------- allocation */

/*
 * A free cell is looked for from where the last one was found, or behind it if nobody waits for that message, within
 * the part of the table that is in use: a connection that has one call at a time stays with one cell, one that queues
 * many messages uses as many.  The part doubles when it is full and halves when a walk through it has met few cells in
 * use.
 */

static uint32_t clamp(uint32_t limit)
{
    return limit < CELL_NEAR ? CELL_NEAR : limit > CELL_COUNT ? CELL_COUNT : limit;
}

static void set_limit(struct channel *channel, enum alpc_end end, uint32_t limit)
{
    struct channel_end *shared = &channel->header->end[end];
    uint32_t peak = atomic_load_explicit(&shared->peak, memory_order_relaxed);

    /* the peak first: no cell may be in use beyond it */
    while (peak < limit && !atomic_compare_exchange_weak_explicit(&shared->peak, &peak, limit, memory_order_seq_cst,
                                                                  memory_order_relaxed))
        ;
    atomic_store_explicit(&shared->limit, limit, memory_order_release);
}

static uint32_t get_limit(struct channel *channel, enum alpc_end end)
{
    uint32_t limit = atomic_load_explicit(&channel->header->end[end].limit, memory_order_relaxed);

    if (!limit)
        set_limit(channel, end, CELL_NEAR);
    return clamp(limit);
}

static bool own_cell(struct channel *channel, uint32_t id, struct cell_actor actor)
{
    struct cell *cell = channel_cell(channel, id);
    uint64_t state = cell ? atomic_load_explicit(&cell->state, memory_order_relaxed) : CELL_OWNED;

    return cell_phase(state) == CELL_FREE && cell_step(channel, id, cell, &state, EVENT_ALLOC, actor);
}

static uint32_t alloc_below(struct channel *channel, enum alpc_end end, struct cell_actor actor, uint32_t limit)
{
    struct channel_cursor *cursor = &channel->cursor[end];
    uint32_t first = atomic_load_explicit(&cursor->index, memory_order_relaxed);
    uint32_t count, index = first;

    for (count = 0; count < limit; count++, index++)
    {
        if (index >= limit)
        {
            index = 0;
            if (atomic_exchange_explicit(&cursor->busy, 0, memory_order_relaxed) + count < limit / 4)
                set_limit(channel, end, clamp(limit / 2));
        }
        if (!own_cell(channel, CELL_ID(end, index), actor))
            continue;
        if (index != first)
            atomic_store_explicit(&cursor->index, index, memory_order_relaxed);
        if (count)
            atomic_fetch_add_explicit(&cursor->busy, count, memory_order_relaxed);
        return CELL_ID(end, index);
    }
    return CELL_NONE;
}

/*
 * Frees the older ones of the spent and the void cells.  Programs whose server never releases a message would otherwise
 * run out of cells; Windows lets such messages pile up.
 */
static void recycle(struct channel *channel, enum alpc_end end, uint32_t limit)
{
    uint32_t now = atomic_load_explicit(&channel->header->end[end].sequence, memory_order_relaxed), index;

    for (index = 0; index < limit; index++)
    {
        struct cell *cell = channel_cell(channel, CELL_ID(end, index));
        uint64_t state = cell ? cell_state(cell) : 0;

        if ((cell_phase(state) == CELL_SPENT || cell_phase(state) == CELL_VOID) &&
            now - atomic_load_explicit(&cell->sequence, memory_order_relaxed) > limit / 2)
            cell_step(channel, CELL_ID(end, index), cell, &state, EVENT_RECYCLE, (struct cell_actor){ 0 });
    }
}

uint32_t cell_alloc(struct channel *channel, enum alpc_end end, struct cell_actor actor)
{
    uint32_t index = atomic_load_explicit(&channel->cursor[end].index, memory_order_relaxed);
    uint32_t limit = get_limit(channel, end), id = CELL_ID(end, index);

    /* most often it is the same one again, or the next one */
    if (index < CELL_NEAR && own_cell(channel, id, actor))
        return id;
    id = alloc_below(channel, end, actor, limit);
    while (id == CELL_NONE)
    {
        if (limit >= CELL_KEEP_SPENT)
        {
            recycle(channel, end, limit);
            id = alloc_below(channel, end, actor, limit);
        }
        if (id != CELL_NONE || limit == CELL_COUNT)
            break;
        limit = clamp(limit * 2);
        set_limit(channel, end, limit);
        id = alloc_below(channel, end, actor, limit);
    }
    return id;
}

/* ---------------------------------------------------------------------------------------------- sleeping */

void cell_sleep(struct channel *channel, struct cell *cell, uint64_t state, uint32_t lost,
                const struct deadline *deadline)
{
    const struct deadline most = deadline_within(deadline, MOST_SLEEP_NS);
    uint64_t waiting = state | CELL_WAITING;

    if (state != waiting && !atomic_compare_exchange_strong_explicit(&cell->state, &state, waiting,
                                                                     memory_order_seq_cst, memory_order_relaxed))
        return;
    /* whoever cuts the link looks for sleepers afterwards */
    if (!(atomic_load_explicit(&channel->header->link, memory_order_seq_cst) & lost))
        futex_wait(futex_of(cell), (uint32_t)waiting, &most);
}

void cell_wake(struct cell *cell)
{
    atomic_fetch_and_explicit(&cell->state, ~(uint64_t)CELL_WAITING, memory_order_seq_cst);
    futex_wake(futex_of(cell), INT_MAX);
}

/* ---------------------------------------------------------------------------------------------- queues and cells */

/* calls visit for each cell in use that can be reached, with the two of alpcserver's first and last */
static void for_each_cell(struct channel *channel,
                          void (*visit)(struct channel *channel, uint32_t id, struct cell *cell, uint64_t state,
                                        void *arg),
                          void *arg)
{
    enum alpc_end owner;
    uint32_t index;

    visit(channel, CELL_CONNECT, &channel->header->connect, cell_state(&channel->header->connect), arg);
    for (owner = END_CLIENT; owner <= END_SERVER; owner++)
        for (index = 0; index < channel_peak(channel, owner); index++)
        {
            struct cell *cell = channel_cell(channel, CELL_ID(owner, index));
            uint64_t state = cell ? cell_state(cell) : CELL_FREE;

            if (cell_phase(state) != CELL_FREE || state & CELL_WAITING)
                visit(channel, CELL_ID(owner, index), cell, state, arg);
        }
    visit(channel, CELL_CLOSED, &channel->header->closed, cell_state(&channel->header->closed), arg);
}

/* one bit for each cell */
struct cell_set
{
    uint64_t bits[(2u << CELL_INDEX_BITS) / 64];
};

static void add(struct cell_set *set, uint32_t id)
{
    set->bits[id / 64] |= UINT64_C(1) << id % 64;
}

static bool has(const struct cell_set *set, uint32_t id)
{
    return set->bits[id / 64] >> id % 64 & 1;
}

/* the cells of this channel that the queue of an end announces */
static void find_announced(const struct channel *channel, enum alpc_end end, struct cell_set *set)
{
    const struct queue *queue = channel->queue[end];
    uint64_t head = queue_head(queue), position;
    struct queue_entry entry;

    memset(set, 0, sizeof(*set));
    for (position = head; position - head < UINT64_C(1) << queue->bits && queue_peek_at(queue, position, &entry);
         position++)
    {
        struct cell *cell;

        if (entry.slot == channel_queue_slot(channel, end) && entry.cell < 2u << CELL_INDEX_BITS &&
            (cell = channel_cell(channel, entry.cell)) && cell_gen(cell_state(cell)) == entry.gen)
            add(set, entry.cell);
    }
}

struct missing
{
    enum alpc_end end;
    const struct cell_set *announced;
    const struct cell_set *candidates; /* NULL in the first round */
    struct cell_set found;
    bool any;
    bool full; /* the queue had no room for one: no other is tried, which takes long */
};

static void find_missing(struct channel *channel, uint32_t id, struct cell *cell, uint64_t state, void *arg)
{
    struct missing *missing = arg;
    enum cell_phase phase = cell_phase(state);

    (void)channel, (void)cell;
    if ((phase == CELL_QUEUED + missing->end || phase == CELL_CANCELED + missing->end ||
         phase == CELL_WITHDRAWN + missing->end) &&
        !has(missing->announced, id) && (!missing->candidates || has(missing->candidates, id)))
    {
        add(&missing->found, id);
        missing->any = true;
    }
}

static void announce_found(struct channel *channel, uint32_t id, struct cell *cell, uint64_t state, void *arg)
{
    struct missing *missing = arg;

    if (!has(&missing->found, id))
        return;
    if (cell_phase(state) == CELL_WITHDRAWN + missing->end)
        cell_step(channel, id, cell, &state, EVENT_DONE, (struct cell_actor){ 0 });
    else if ((cell_phase(state) == CELL_QUEUED + missing->end || cell_phase(state) == CELL_CANCELED + missing->end) &&
             !missing->full && !channel_announce(channel, missing->end, id, cell_gen(state), NULL))
    {
        missing->full = true;
        atomic_fetch_or(&channel->unannounced, 1u << missing->end);
    }
}

/*
 * What is not announced now may be just about to be, or have been taken off just now by a thread that receives it: only
 * what is missing twice is.
 */
void cell_announce_missing(struct channel *channel, enum alpc_end end)
{
    struct cell_set announced = { .bits = { 0 } }, candidates;
    struct missing missing = { .end = end, .announced = &announced };

    if (!channel->queue[end])
        return;
    for_each_cell(channel, find_missing, &missing);
    if (!missing.any) /* most often nothing is queued at all */
        return;
    missing = (struct missing){ .end = end, .announced = &announced };
    find_announced(channel, end, &announced);
    for_each_cell(channel, find_missing, &missing);
    if (!missing.any)
        return;
    sched_yield();
    candidates = missing.found;
    missing = (struct missing){ .end = end, .announced = &announced, .candidates = &candidates };
    find_announced(channel, end, &announced);
    for_each_cell(channel, find_missing, &missing);
    if (missing.any)
        for_each_cell(channel, announce_found, &missing);
}

/* a receiver was waiting for what is queued in the cell; nothing happens if it is queued no more */
static void hand(struct cell *cell, uint64_t state)
{
    uint64_t seen = state;

    while (!atomic_compare_exchange_weak_explicit(&cell->state, &state, state | CELL_HANDED, memory_order_seq_cst,
                                                  memory_order_relaxed))
        if (!cell_is(state, cell_phase(seen), cell_gen(seen)))
            return;
}

void cell_hand_over(struct channel *channel, enum alpc_end to)
{
    const struct queue *queue = channel->queue[to];
    uint32_t waiters, of_comm;
    uint64_t position, first;
    struct queue_entry entry;

    if (!queue)
        return;
    waiters = waiters_count(&queue->desk->waiters);
    /* they receive this client's messages only; what a client writes there changes only what becomes of its own */
    of_comm = to == END_SERVER ? waiters_count(&channel->header->comm) : 0;
    position = first = queue_head(queue);
    /* who waits has found nothing: so many entries, or so many of this channel's, were posted while they waited */
    for (; (waiters || of_comm) && position - first < UINT64_C(1) << queue->bits &&
           queue_peek_at(queue, position, &entry);
         position++)
    {
        struct cell *cell = entry.slot == channel_queue_slot(channel, to) ? channel_cell(channel, entry.cell) : NULL;
        uint64_t state = cell ? cell_state(cell) : CELL_FREE;

        if (entry.slot == QUEUE_NOTHING)
            continue;
        if (cell_is(state, CELL_QUEUED + to, entry.gen))
        {
            hand(cell, state);
            of_comm -= !waiters;
        }
        waiters -= waiters != 0;
    }
}

void cell_unannounce(struct channel *channel, enum alpc_end end)
{
    const struct cell_set none = { .bits = { 0 } };
    struct missing queued = { .end = end, .announced = &none };
    struct queue *queue = channel->queue[end];
    struct queue_entry entry;
    uint64_t head, position;

    for_each_cell(channel, find_missing, &queued);
    if (!queue || !queued.any)
        return;
    head = queue_head(queue);
    for (position = head; position - head < UINT64_C(1) << queue->bits && queue_peek_at(queue, position, &entry);
         position++)
        if (entry.slot == channel_queue_slot(channel, end))
            queue_erase(queue, position, entry);
}

/* ---------------------------------------------------------------------------------------------- the dead */

static bool is_dead(const struct cell_dead *dead, uint32_t thread, uint32_t process)
{
    return process == dead->process && (!dead->thread || thread == dead->thread);
}

static bool acts(const struct cell_dead *dead, uint64_t state)
{
    return is_dead(dead, cell_actor(state).thread, cell_actor(state).process);
}

/* whether the thread of their end that waits, if one does, is one of the dead */
static bool waits(const struct cell_dead *dead, const struct cell *cell)
{
    const struct cell_waiter *waiter = &cell->waiter[dead->end];
    uint32_t thread = atomic_load(&waiter->thread);

    return thread && is_dead(dead, thread, atomic_load(&waiter->process));
}

/* what becomes of a cell in which one of the dead had a hand: an event, or EVENT_COUNT */
static enum cell_event fate(const struct channel *channel, uint32_t id, struct cell *cell, uint64_t state,
                            const struct cell_dead *dead)
{
    enum cell_phase phase = cell_phase(state);

    switch (phase)
    {
    case CELL_OWNED:
        return CELL_END(id) == dead->end && acts(dead, state) ? EVENT_DONE : EVENT_COUNT;
    case CELL_EARLY:
        if (dead->end != END_CLIENT || !acts(dead, state))
            return EVENT_COUNT;
        if (waits(dead, cell))
            return EVENT_GIVE_UP;
        return (channel_link(channel) & LINK_STAGE_MASK) == LINK_CONNECTED ? EVENT_ADMIT + END_SERVER : EVENT_COUNT;
    case CELL_FREE:
    case CELL_SPENT:
    case CELL_VOID:
        return EVENT_COUNT;
    default:
        break;
    }
    if (end_of(phase) == dead->end)
    {
        switch (cell_without_end(phase))
        {
        case CELL_ANSWERING:
            return acts(dead, state) ? EVENT_UNDO : EVENT_COUNT;
        case CELL_READING:
        case CELL_ABANDONED:
            return acts(dead, state) ? EVENT_DONE : EVENT_COUNT;
        case CELL_ANSWER:
        case CELL_RETRACTED:
            return waits(dead, cell) ? EVENT_DONE : EVENT_COUNT;
        default:
            return EVENT_COUNT;
        }
    }
    switch (cell_without_end(phase))
    {
    case CELL_QUEUED:
    case CELL_HELD:
    case CELL_ANSWERING:
    case CELL_ANSWER:
        return waits(dead, cell) ? EVENT_GIVE_UP : EVENT_COUNT;
    default:
        return EVENT_COUNT;
    }
}

static void bury(struct channel *channel, uint32_t id, struct cell *cell, uint64_t state, void *arg)
{
    const struct cell_dead *dead = arg;
    unsigned int tries = 100; /* a program that changes the state for ever harms itself only */
    enum cell_event event;

    if (cell_phase(state) == CELL_ENDING + dead->end && acts(dead, state))
    {
        attachment_release(channel, id, cell);
        atomic_compare_exchange_strong(&cell->state, &state,
                                       cell_word(CELL_FREE, cell_gen(state), (struct cell_actor){ 0 }));
        return;
    }
    /* who answered may have died before it woke who waits */
    if (cell_phase(state) == CELL_ANSWER + other_end(dead->end) && acts(dead, state))
        cell_wake(cell);
    do
        event = fate(channel, id, cell, state, dead);
    while (event != EVENT_COUNT && --tries && !cell_step(channel, id, cell, &state, event, (struct cell_actor){ 0 }));
}

void cell_bury(struct channel *channel, const struct cell_dead *dead)
{
    for_each_cell(channel, bury, (void *)dead);
    /* what they had taken off a queue or not yet put on one, and notices of what they had waited for */
    cell_announce_missing(channel, END_CLIENT);
    cell_announce_missing(channel, END_SERVER);
}
