/*
 * What the native half knows of each thread, and what keeps objects alive while threads use them
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A thread names the objects that it uses in its record; whoever takes an object out of its table waits until no record
 * names it.  A use costs two plain stores, no atomic operation; taking out is rare and pays for it.
 *
 * A memory fault ends a call without unwinding it (Wine then returns STATUS_ACCESS_VIOLATION), and TerminateThread ends
 * a thread anywhere that signals are not blocked, or in the middle of a call of wineserver.  Therefore a record also
 * names the cell that the thread is copying into or out of, and what it has in hand between two steps of making or
 * closing a handle: what happens next to the record gives it back (thread_recover, thread_settle).
 */

#ifndef NTALPC_THREAD_H
#define NTALPC_THREAD_H

#include "cell.h"

#include <signal.h>

enum thread_use
{
    USE_PORT,
    USE_CONNECTION,
    THREAD_USES
};

struct scratch;

/* a place in a thread's scratch memory: everything behind it is free */
struct scratch_mark
{
    struct scratch *piece;
    size_t used;
};

#define THREAD_FDS 4

/* what a thread has in hand that nobody else knows of yet */
struct thread_hold
{
    int fds[THREAD_FDS]; /* came with the last reply of alpcserver; -1 = none, or taken */
    int file;            /* behind the handle of a port that is being made; -1 = none */
    void *port;          /* a reference to that port */
    void *handle;        /* its handle, not yet given to the program */
    bool listed;         /* in the table of handles */
    void *placeholder;   /* handle of the port's name */
    void *closing;       /* a reference to a port that was taken out of the table of handles, and */
    void *replaced;      /* to one whose place there another has taken */
};

struct thread
{
    _Atomic(void *) use[THREAD_USES];
    uint32_t thread_id;      /* as Windows counts */
    uint64_t sleeper;        /* WAITER() of the thread */
    struct waiter waiter;    /* its receive that waits */
    struct cell_actor copier; /* of a cell that is being copied: the thread with its process and end there */
    struct cell *cell;       /* being copied, or NULL */
    struct channel *channel; /* its own, */
    uint32_t id, gen;        /* number and generation */
    enum cell_event undone;  /* what becomes of it when the copy faults */
    struct thread_hold hold;
    _Atomic uint32_t busy;       /* inside of so many pairs of thread_begin_steps and thread_end_steps */
    struct scratch_mark scratch; /* for copies of the program's arguments */
    struct scratch *scratches;   /* the first of its pieces */
    _Atomic uint32_t native;     /* kernel's thread id; 0 = record is free */
    struct thread *next;
};

extern __thread struct thread *thread_record;

/* the slow part of thread_current: the first call of a thread.  NULL when memory is short */
struct thread *thread_register(uint32_t process_id, uint32_t thread_id);

/* the record of a thread of this process; NULL if it has made no call that needs one */
const struct thread *thread_find(uint32_t process_id, uint32_t thread_id);

/*
 * Such a thread has been terminated: waits, for a second at most, until it runs no more, which is later than Wine says,
 * and gives back what it had in hand.
 */
void thread_settle(uint32_t process_id, uint32_t thread_id);

/*
 * Gives back what the hold of a record has, which is that of the calling thread or of one that has ended.  The native
 * half brings it; NULL where there are no handles.
 */
extern void (*thread_give_back)(struct thread *thread);

/* with signals blocked: a descriptor of the thread's hold becomes the caller's; closes those that nobody took */
int thread_take_fd(struct thread *thread, unsigned int index);
void thread_close_fds(struct thread *thread);

/* the first descriptor of the last reply is the file behind a handle that is going to be made */
void thread_hold_file(struct thread *thread);

/* whether the kernel knows no such thread of this process any more */
bool thread_dead(uint32_t native);

/* undoes what a call of this thread left behind that ended in a fault */
void thread_recover(struct thread *thread);

/*
 * To be called once, while the process has one thread still: later it would take the kernel milliseconds.
 */
void thread_init(void);

/* membarrier is refused (seccomp, an old kernel): uses are ordered by a fence of their own */
extern _Atomic bool thread_fences;

/*
 * The record of the calling thread, clean; to be called at the beginning of each call.  The ids are those of Windows.
 */
static inline struct thread *thread_current(uint32_t process_id, uint32_t thread_id)
{
    struct thread *thread = thread_record;

    if (!thread)
        return thread_register(process_id, thread_id);
    if (thread->cell || thread->waiter.name)
        thread_recover(thread);
    return thread;
}

/* the thread ends in the ordinary way */
void thread_unregister(void);

/*
 * Uses the object that *place points to: it is not freed before thread_release, even if *place is cleared meanwhile.
 * Returns NULL when there is none.
 */
static inline void *thread_use(struct thread *thread, enum thread_use use, _Atomic(void *) *place)
{
    void *object = atomic_load_explicit(place, memory_order_acquire), *again;

    for (;;)
    {
        atomic_store_explicit(&thread->use[use], object, memory_order_relaxed);
        /* ordered against the other side by its membarrier */
        if (__builtin_expect(atomic_load_explicit(&thread_fences, memory_order_relaxed), false))
            atomic_thread_fence(memory_order_seq_cst);
        else
            atomic_signal_fence(memory_order_seq_cst);
        again = atomic_load_explicit(place, memory_order_acquire);
        if (again == object)
            return object;
        object = again;
    }
}

/*
 * The thread asks the host to make or close handles, which it would not know of if it ended before the host has
 * returned: who terminates it in this process lets it come to the end of that first.
 */
static inline void thread_begin_steps(struct thread *thread)
{
    atomic_store_explicit(&thread->busy, atomic_load_explicit(&thread->busy, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void thread_end_steps(struct thread *thread)
{
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&thread->busy, atomic_load_explicit(&thread->busy, memory_order_relaxed) - 1,
                          memory_order_relaxed);
}

static inline void thread_release(struct thread *thread, enum thread_use use)
{
    atomic_store_explicit(&thread->use[use], NULL, memory_order_release);
}

/*
 * Calls destroy(object) once no thread uses the object, at once or from a later call of this function or of
 * thread_collect.  The object must be out of its table.  destroy may retire more, and runs with signals blocked.
 */
void thread_retire(void *object, void (*destroy)(void *object));
void thread_collect(void);

/*
 * Memory that lasts until the thread's next thread_scratch_begin(), so that nothing has to be freed when an access to
 * the program's memory faults.  Aligned to 8 bytes; NULL when there is not so much, or more than a megabyte in all.
 */
void *thread_scratch(struct thread *thread, size_t size);

static inline void thread_scratch_begin(struct thread *thread)
{
    thread->scratch = (struct scratch_mark){ thread->scratches, 0 };
}

/* what was taken since then, thread->scratch, is not needed any more */
static inline void thread_scratch_return(struct thread *thread, struct scratch_mark then)
{
    thread->scratch = then;
}

/* the copy of the message in a cell begins; a fault makes the event of it */
static inline void thread_copy_begin(struct thread *thread, struct cell_actor copier, struct channel *channel,
                                     uint32_t id, struct cell *cell, uint32_t gen, enum cell_event undone)
{
    thread->copier = copier;
    thread->channel = channel;
    thread->id = id;
    thread->gen = gen;
    thread->undone = undone;
    thread->cell = cell;
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void thread_copy_end(struct thread *thread)
{
    atomic_signal_fence(memory_order_seq_cst);
    thread->cell = NULL;
}

/*
 * Wine's signals, which suspend and terminate threads, are kept back.  The thread may not call wineserver meanwhile, in
 * which it can be terminated all the same, nor touch the program's memory.
 */
void signals_block(sigset_t *saved);
void signals_restore(const sigset_t *saved);

/*
 * The lock of the lists and counts of ports and connections, with signals blocked; held for some instructions, never
 * over a wait or a call of alpcserver or wineserver.  A process may be killed in it, and a thread that goes all the
 * same does not keep it.
 */
void process_lock(sigset_t *saved);
void process_unlock(const sigset_t *saved);

#endif
