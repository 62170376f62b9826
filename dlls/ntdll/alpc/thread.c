/*
 * What the native half knows of each thread, and what keeps objects alive while threads use them
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "thread.h"

#include "page.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

__thread struct thread *thread_record;

static _Atomic(struct thread *) records; /* never shrinks; free records are used again */

struct retired
{
    struct retired *next;
    void *object;
    void (*destroy)(void *object);
};

static struct retired *retired;

/* ---------------------------------------------------------------------------------------------- process lock */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void process_lock(sigset_t *saved)
{
    sigset_t block;

    sigfillset(&block);
    /* faults must still be seen where they happen */
    sigdelset(&block, SIGSEGV);
    sigdelset(&block, SIGBUS);
    sigdelset(&block, SIGFPE);
    sigdelset(&block, SIGILL);
    sigdelset(&block, SIGTRAP);
    pthread_sigmask(SIG_BLOCK, &block, saved);
    pthread_mutex_lock(&lock);
}

void process_unlock(const sigset_t *saved)
{
    pthread_mutex_unlock(&lock);
    pthread_sigmask(SIG_SETMASK, saved, NULL);
}

/* ---------------------------------------------------------------------------------------------- records */

static bool thread_dead(uint32_t native)
{
    return native && syscall(SYS_tgkill, getpid(), native, 0) == -1 && errno == ESRCH;
}

/* a record that is free, or whose thread was terminated while it used nothing */
static struct thread *find_free_record(uint32_t native)
{
    struct thread *thread;

    for (thread = atomic_load(&records); thread; thread = thread->next)
    {
        uint32_t owner = atomic_load(&thread->native);

        if ((!owner || thread_dead(owner)) && atomic_compare_exchange_strong(&thread->native, &owner, native))
            return thread;
    }
    return NULL;
}

void thread_init(void)
{
    syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
}

struct thread *thread_register(uint32_t process_id, uint32_t thread_id)
{
    uint32_t native = (uint32_t)syscall(SYS_gettid);
    struct thread *thread;
    sigset_t saved;
    int use;

    process_lock(&saved);
    if ((thread = find_free_record(native)))
    {
        for (use = 0; use < THREAD_USES; use++)
            atomic_store(&thread->use[use], NULL);
        thread->cell = NULL;
    }
    else if ((thread = calloc(1, sizeof(*thread))))
    {
        atomic_store(&thread->native, native);
        thread->next = atomic_load(&records);
        atomic_store(&records, thread);
    }
    if (thread)
    {
        thread->actor = (struct cell_actor){ .thread = thread_id };
        thread->sleeper = (uint64_t)process_id << 32 | thread_id;
        thread_record = thread;
        page_add_thread(thread_id, native);
    }
    process_unlock(&saved);
    return thread;
}

#define AWAIT_TRIES 10000
#define AWAIT_PAUSE_NS 100000

void thread_await_end(uint32_t process_id, uint32_t thread_id)
{
    static const struct timespec pause = { .tv_nsec = AWAIT_PAUSE_NS };
    uint64_t who = (uint64_t)process_id << 32 | thread_id;
    const struct thread *thread;
    uint32_t native = 0;
    sigset_t saved;
    int tries;

    process_lock(&saved);
    for (thread = atomic_load(&records); thread && !native; thread = thread->next)
        if (thread->sleeper == who)
            native = atomic_load(&thread->native);
    process_unlock(&saved);
    for (tries = 0; native && !thread_dead(native) && tries < AWAIT_TRIES; tries++)
        nanosleep(&pause, NULL);
}

void thread_unregister(void)
{
    struct thread *thread = thread_record;

    if (!thread)
        return;
    if (thread->cell)
        thread_recover(thread);
    thread_release(thread, USE_PORT);
    thread_release(thread, USE_CONNECTION);
    thread_record = NULL;
    page_remove_thread(thread->actor.thread, atomic_load(&thread->native));
    atomic_store(&thread->native, 0);
}

void thread_recover(struct thread *thread)
{
    struct cell *cell = thread->cell;
    enum cell_phase phase;

    thread->cell = NULL;
    /* no one but this thread moves the cell on, unless the other side gives up waiting for its answer just now */
    do
    {
        uint64_t state = cell_state(cell);

        if (cell_gen(state) != thread->gen)
            return;
        phase = cell_phase(state);
        if (thread->back == CELL_FREE || (phase & ~1u) == CELL_ABANDONED)
        {
            cell_free(cell);
            return;
        }
    } while (!cell_claim(cell, thread->gen, phase, thread->back, thread->actor));
}

#define SCRATCH_SIZE 0x100000

void *thread_scratch(struct thread *thread, size_t size)
{
    void *memory;

    if (!thread->scratch)
    {
        memory = mmap(NULL, SCRATCH_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            return NULL;
        thread->scratch = memory; /* stays with the record */
    }
    size = (size + 7) & ~(size_t)7;
    if (size > SCRATCH_SIZE - thread->scratch_used)
        return NULL;
    memory = thread->scratch + thread->scratch_used;
    thread->scratch_used += size;
    return memory;
}

/* ---------------------------------------------------------------------------------------------- retiring */

static bool used(const void *object)
{
    struct thread *thread;
    int use;

    for (thread = atomic_load(&records); thread; thread = thread->next)
        for (use = 0; use < THREAD_USES; use++)
            if (atomic_load(&thread->use[use]) == object && !thread_dead(atomic_load(&thread->native)))
                return true;
    return false;
}

void thread_collect(void)
{
    static bool collecting;
    struct retired **link = &retired, *entry;

    if (!retired || collecting)
        return;
    collecting = true;
    /* after this every thread either has its use visible or sees the cleared place */
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
        syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
    while ((entry = *link))
    {
        if (used(entry->object))
        {
            link = &entry->next;
            continue;
        }
        *link = entry->next;
        /* this may retire more, which goes to the end of the list and is seen by this loop */
        entry->destroy(entry->object);
        free(entry);
    }
    collecting = false;
}

void thread_retire(void *object, void (*destroy)(void *object))
{
    struct retired **link, *entry = malloc(sizeof(*entry));

    if (!entry)
        return; /* better lost than freed under someone's hands */
    *entry = (struct retired){ .object = object, .destroy = destroy };
    for (link = &retired; *link; link = &(*link)->next)
        ;
    *link = entry;
    thread_collect();
}
