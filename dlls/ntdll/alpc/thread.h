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
 * a thread anywhere.  Therefore a record also names the cell that the thread is copying into or out of: the next call
 * of the thread, or alpcserver after its death, gives it back.
 */

#ifndef NTALPC_THREAD_H
#define NTALPC_THREAD_H

#include "channel.h"

#include <signal.h>

enum thread_use
{
    USE_PORT,
    USE_CONNECTION,
    THREAD_USES
};

struct thread
{
    _Atomic(void *) use[THREAD_USES];
    struct cell_actor actor;   /* .process is 0 here: it depends on the connection */
    uint64_t sleeper;          /* as queue_sleep wants it */
    struct cell *cell;         /* being copied, or NULL */
    enum cell_phase back;      /* phase it goes back to when the copy faults */
    uint32_t gen;
    uint8_t *scratch;          /* for copies of the program's arguments; made when first needed */
    size_t scratch_used;
    _Atomic uint32_t native;   /* kernel's thread id; 0 = record is free */
    struct thread *next;
};

extern __thread struct thread *thread_record;

/* the slow part of thread_current: the first call of a thread.  NULL when memory is short */
struct thread *thread_register(uint32_t process_id, uint32_t thread_id);

/*
 * Waits, for a second at most, until a thread of this process that has been terminated runs no more: Wine says that it
 * has ended before it has.
 */
void thread_await_end(uint32_t process_id, uint32_t thread_id);

/* undoes what a call of this thread left behind that ended in a fault */
void thread_recover(struct thread *thread);

/*
 * To be called once, while the process has one thread still: later it would take the kernel milliseconds.
 */
void thread_init(void);

/*
 * The record of the calling thread, clean; to be called at the beginning of each call.  The ids are those of Windows.
 */
static inline struct thread *thread_current(uint32_t process_id, uint32_t thread_id)
{
    struct thread *thread = thread_record;

    if (!thread)
        return thread_register(process_id, thread_id);
    if (thread->cell)
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
        atomic_signal_fence(memory_order_seq_cst);
        again = atomic_load_explicit(place, memory_order_acquire);
        if (again == object)
            return object;
        object = again;
    }
}

static inline void thread_release(struct thread *thread, enum thread_use use)
{
    atomic_store_explicit(&thread->use[use], NULL, memory_order_release);
}

/*
 * Calls destroy(object) once no thread uses the object, at once or from a later call of this function or of
 * thread_collect.  The object must be out of its table.  Call with the process lock held.
 */
void thread_retire(void *object, void (*destroy)(void *object));
void thread_collect(void);

/*
 * Memory that lasts until the thread's next thread_scratch_begin(), so that nothing has to be freed when an access to
 * the program's memory faults.  Aligned to 8 bytes; NULL when there is not so much.
 */
void *thread_scratch(struct thread *thread, size_t size);

static inline void thread_scratch_begin(struct thread *thread)
{
    thread->scratch_used = 0;
}

/* the copy of the message in a cell begins; a fault gives the cell back in phase back */
static inline void thread_copy_begin(struct thread *thread, struct cell *cell, uint32_t gen, enum cell_phase back)
{
    thread->gen = gen;
    thread->back = back;
    thread->cell = cell;
    atomic_signal_fence(memory_order_seq_cst);
}

static inline void thread_copy_end(struct thread *thread)
{
    atomic_signal_fence(memory_order_seq_cst);
    thread->cell = NULL;
}

/*
 * The lock for everything that is not the data path.  A thread that holds it cannot be suspended or terminated by
 * Wine, whose signals are blocked meanwhile; nothing of the program's memory may be touched.
 */
void process_lock(sigset_t *saved);
void process_unlock(const sigset_t *saved);

#endif
