/*
 * The life of a message
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A message is a cell of a channel, and where it stands in its life is the phase in the cell's state word.  Every step
 * is one atomic operation on that word, so a thread that dies anywhere leaves a phase from which its end, the other end
 * or alpcserver can go on.  The table below is all there is: what is not in it does not happen.  Programs and
 * alpcserver use the same functions, also for what the dead have left.
 *
 * A message ends with the step to CELL_FREE, or to CELL_VOID if late answers to it have to be refused; those steps, and
 * only those, release what is attached to it.
 */

#ifndef NTALPC_CELL_H
#define NTALPC_CELL_H

#include "attachment.h"
#include "channel.h"

/* ---------------------------------------------------------------------------------------------- the table */

/*
 * event, phase before, phase after, who.
 *
 *   STEP        phases without an end
 *   STEP_TO     into the hands of the end that the event names: EVENT_x + end
 *   STEP_SAME   before and after in the hands of the same end
 *   STEP_OTHER  into the hands of the other end
 *   STEP_OUT    out of the hands of either end
 *   STEP_AT     in the hands of the end that the event names, before and after
 *   STEP_FROM   out of the hands of the end that the event names
 */
#define CELL_STEPS(STEP, STEP_TO, STEP_SAME, STEP_OTHER, STEP_OUT, STEP_AT, STEP_FROM)                                 \
    STEP(ALLOC, FREE, OWNED, SENDER)                                                                                   \
    STEP(SEND_EARLY, OWNED, EARLY, SENDER)                                                                             \
    STEP_TO(SEND, OWNED, QUEUED, SENDER)                                                                               \
    STEP_TO(ADMIT, EARLY, QUEUED, SENDER | SERVER) /* the connection has been accepted */                              \
    STEP(DONE, OWNED, FREE, SENDER)                                                                                    \
    STEP_OUT(DONE, QUEUED, FREE, SENDER | RECEIVER) /* the queue had no room; canceled, or makes no sense */           \
    STEP_SAME(READ, QUEUED, READING, RECEIVER)      /* nothing comes after it */                                       \
    STEP_SAME(RECEIVE, QUEUED, HELD, RECEIVER)                                                                         \
    STEP_SAME(REQUEUE, READING, QUEUED, RECEIVER) /* its buffer faulted */                                             \
    STEP_SAME(REQUEUE, HELD, QUEUED, RECEIVER)                                                                         \
    STEP_OUT(DONE, READING, FREE, RECEIVER)                                                                            \
    STEP_OUT(KEEP, READING, SPENT, RECEIVER) /* an answer that did not release the message */                          \
    STEP_OUT(DONE, CANCELED, VOID, RECEIVER) /* the notice is read */                                                  \
    STEP_OUT(DONE, WITHDRAWN, FREE, RECEIVER)                                                                          \
    STEP_SAME(BEGIN, HELD, ANSWERING, HOLDER)                                                                          \
    STEP_SAME(UNDO, ANSWERING, HELD, HOLDER)                                                                           \
    STEP_OTHER(ANSWER, ANSWERING, ANSWER, HOLDER) /* to a thread that waits for it */                                  \
    STEP_OTHER(QUEUE, ANSWERING, QUEUED, HOLDER)  /* to the queue */                                                   \
    STEP_OTHER(UNDO, QUEUED, HELD, HOLDER)        /* which had no room */                                              \
    STEP_OUT(DONE, ABANDONED, VOID, HOLDER)                                                                            \
    STEP_OUT(DONE, HELD, FREE, HOLDER) /* canceled, and nobody waits for the answer */                                 \
    STEP(DONE, SPENT, FREE, HOLDER | WAITER)                                                                           \
    STEP_OUT(DONE, ANSWER, FREE, WAITER)                                                                               \
    STEP_OUT(KEEP, ANSWER, SPENT, WAITER)                                                                              \
    STEP_SAME(RECEIVE, ANSWER, HELD, WAITER)   /* it is a request in its turn */                                       \
    STEP_SAME(REQUEUE, ANSWER, QUEUED, WAITER) /* it does not fit, or faulted */                                       \
    STEP(GIVE_UP, EARLY, FREE, WAITER | SERVER)                                                                        \
    STEP_SAME(GIVE_UP, QUEUED, WITHDRAWN, WAITER | SERVER)                                                             \
    STEP_SAME(GIVE_UP, HELD, CANCELED, WAITER | SERVER)                                                                \
    STEP_SAME(GIVE_UP, ANSWERING, ABANDONED, WAITER | SERVER)                                                          \
    STEP_SAME(GIVE_UP, ANSWER, RETRACTED, WAITER | SERVER) /* a callback, which nobody has taken yet */                \
    STEP_OUT(DONE, RETRACTED, FREE, WAITER)                                                                            \
    STEP_AT(CANCEL, HELD, CANCELED, SERVER) /* the other end has gone */                                               \
    STEP_TO(CANCEL, SPENT, CANCELED, SERVER)                                                                           \
    STEP_FROM(LOSE, QUEUED, FREE, SERVER) /* this end has gone */                                                      \
    STEP_FROM(LOSE, HELD, FREE, SERVER)                                                                                \
    STEP_FROM(LOSE, CANCELED, FREE, SERVER)                                                                            \
    STEP_FROM(LOSE, WITHDRAWN, FREE, SERVER)                                                                           \
    STEP(RECYCLE, SPENT, FREE, SENDER) /* room is needed for new messages */                                           \
    STEP(RECYCLE, VOID, FREE, SENDER)

/* SENDER, RECEIVER, HOLDER, WAITER are threads of programs, or alpcserver and others for one that died */
enum cell_who
{
    SENDER = 1,
    RECEIVER = 2,
    HOLDER = 4,
    WAITER = 8,
    SERVER = 16 /* alpcserver of its own accord */
};

enum cell_event
{
    EVENT_ALLOC,
    EVENT_SEND,
    EVENT_SEND_EARLY = EVENT_SEND + 2,
    EVENT_ADMIT,
    EVENT_READ = EVENT_ADMIT + 2,
    EVENT_RECEIVE,
    EVENT_BEGIN,
    EVENT_UNDO,
    EVENT_ANSWER,
    EVENT_QUEUE,
    EVENT_REQUEUE,
    EVENT_KEEP,
    EVENT_DONE,
    EVENT_GIVE_UP,
    EVENT_CANCEL,
    EVENT_LOSE = EVENT_CANCEL + 2,
    EVENT_RECYCLE = EVENT_LOSE + 2,
    EVENT_COUNT
};

/* a row of the table, as what it makes of a state word */
struct cell_change
{
    uint64_t keep; /* these bits stay */
    uint16_t set;  /* these are set; those of the actor that are not kept become the actor's */
    uint8_t after; /* the phase that comes of it, plus one; 0 where the table has no such step */
};

extern const struct cell_change cell_changes[EVENT_COUNT][CELL_PHASE_MASK + 1];

/* whether the message ends with the step into this phase */
#define CELL_IS_END(phase) ((phase) == CELL_FREE || (phase) == CELL_VOID)

/* the phase after an event, plus one; 0 where the table has no such step */
static inline unsigned int cell_after(enum cell_event event, enum cell_phase phase)
{
    return cell_changes[event][phase].after;
}

/* ---------------------------------------------------------------------------------------------- state words */

/* who acts on a cell */
struct cell_actor
{
    uint32_t thread;   /* id of the thread */
    uint32_t process;  /* which of the processes that share its end */
    enum alpc_end end; /* the state word does not tell */
};

static inline uint64_t cell_word(enum cell_phase phase, uint32_t gen, struct cell_actor actor)
{
    return (uint64_t)actor.thread << CELL_THREAD_SHIFT | (uint64_t)(gen & CELL_GEN_MASK) << CELL_GEN_SHIFT |
           (uint64_t)(actor.process & CELL_PROCESS_MASK) << CELL_PROCESS_SHIFT | phase;
}

/* what the word becomes */
static inline uint64_t cell_changed(uint64_t state, const struct cell_change *change, struct cell_actor actor)
{
    return (state & change->keep) | change->set | (cell_word(CELL_FREE, 0, actor) & ~change->keep);
}

static inline uint64_t cell_state(const struct cell *cell)
{
    return atomic_load_explicit(&cell->state, memory_order_acquire);
}

static inline enum cell_phase cell_phase(uint64_t state)
{
    return (enum cell_phase)(state & CELL_PHASE_MASK);
}

/* of the phases that have an end beside them */
static inline enum cell_phase cell_without_end(enum cell_phase phase)
{
    return (enum cell_phase)(phase & ~1u);
}

/* whether the cell is in that phase, in the hands of either end */
static inline bool cell_in(uint64_t state, enum cell_phase phase)
{
    return cell_without_end(cell_phase(state)) == phase;
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

/* whether the cell holds this message in this phase, of an end if the phase has one */
static inline bool cell_is(uint64_t state, enum cell_phase phase, uint32_t gen)
{
    return cell_phase(state) == phase && cell_gen(state) == gen;
}

/* what stands in the cell now: the message, or the latest answer */
static inline struct cell_content *cell_content(struct cell *cell, uint64_t state)
{
    return state & CELL_ANSWERED ? &cell->answer : &cell->request;
}

/* ---------------------------------------------------------------------------------------------- steps */

/*
 * Allocates a cell of this end: phase CELL_OWNED.  Returns its id, or CELL_NONE when the end has no free one.
 */
uint32_t cell_alloc(struct channel *channel, enum alpc_end end, struct cell_actor actor);

/* nobody waits for the answer to what stands in the cell, so the next free one is looked for behind it */
static inline void cell_move_on(struct channel *channel, uint32_t id)
{
    atomic_store_explicit(&channel->cursor[CELL_END(id)].index, (id & CELL_INDEX_MASK) + 1, memory_order_relaxed);
}

/* the part of cell_step that wakes, releases, or has come too late */
bool cell_step_slowly(struct channel *channel, uint32_t id, struct cell *cell, uint64_t *state, enum cell_event event,
                      struct cell_actor actor);

/*
 * Takes a step from a state that was seen.  Everything written before is visible to whoever sees the new phase.
 * Returns false when the table has no such step, or when the cell is not in that phase of that generation any more;
 * *state is what it has become in any case.  An actor of zeros is alpcserver.
 */
static inline bool cell_step(struct channel *channel, uint32_t id, struct cell *cell, uint64_t *state,
                             enum cell_event event, struct cell_actor actor)
{
    const struct cell_change *change = &cell_changes[event][cell_phase(*state)];
    uint64_t seen = *state, after = cell_changed(seen, change, actor);

    if (change->after && !(seen & CELL_WAITING) && !CELL_IS_END(change->after - 1) &&
        atomic_compare_exchange_strong_explicit(&cell->state, &seen, after, memory_order_seq_cst, memory_order_relaxed))
    {
        *state = after;
        return true;
    }
    return cell_step_slowly(channel, id, cell, state, event, actor);
}

/*
 * The same without an atomic operation, for who is alone with the cell and knows its state: a sender with one that it
 * owns, a thread that reads, or that was waited for and takes its answer.  A message that is sent gets its generation
 * so: that of the state given here.  Returns the new state.
 */
static inline uint64_t cell_finish(struct channel *channel, uint32_t id, struct cell *cell, uint64_t state,
                                   enum cell_event event, struct cell_actor actor)
{
    const struct cell_change *change = &cell_changes[event][cell_phase(state)];

    if (CELL_IS_END(change->after - 1))
        attachment_release(channel, id, cell);
    state = cell_changed(state, change, actor);
    atomic_store_explicit(&cell->state, state, memory_order_release);
    return state;
}

/*
 * alpcserver: makes one of its own two cells what it has to be, whatever programs have written there: the next message
 * for the server's queue, or with an answer the present one in the hands of the client.  Returns its generation.
 */
uint32_t cell_set_message(struct cell *cell, struct cell_actor actor);
uint32_t cell_set_answer(struct cell *cell, enum cell_phase phase);

/*
 * Sleeps until the cell leaves the state that the caller saw, someone calls cell_wake, the deadline passes, or a while
 * has passed in which a wake-up may have been lost.  Does not sleep when the connection's link has one of the bits
 * lost.
 */
void cell_sleep(struct channel *channel, struct cell *cell, uint64_t state, uint32_t lost,
                const struct deadline *deadline);

/* wakes who sleeps on the cell, to look at the cell and the link */
void cell_wake(struct cell *cell);

/* ---------------------------------------------------------------------------------------------- the dead */

/* whose traces are looked for: a thread, or any thread of a process */
struct cell_dead
{
    enum alpc_end end;
    uint32_t process; /* which of those that share the end */
    uint32_t thread;  /* 0 = all */
};

/*
 * Puts right what the dead have left in the middle: what they wrote is freed or sent, what they were answering can be
 * answered by others, what they waited for is given up, what they took off a queue is queued again.  alpcserver maps
 * the far part before.
 */
void cell_bury(struct channel *channel, const struct cell_dead *dead);

/* announces what waits for an end but is not in its queue: it was lost, or its sender died before it came to that */
void cell_announce_missing(struct channel *channel, enum alpc_end end);

/* an end is about to be gone: what the other end's threads are waiting for at this moment is theirs [4.7] */
void cell_hand_over(struct channel *channel, enum alpc_end to);

/* makes nothing of what the queue of an end says of this channel */
void cell_unannounce(struct channel *channel, enum alpc_end end);

#endif
