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
#include <time.h>
#include <unistd.h>

__thread struct thread *thread_record;
void (*thread_give_back)(struct thread *thread);
_Atomic bool thread_fences;

static _Atomic(struct thread *) records; /* never shrinks; free records are used again */

struct retired
{
    struct retired *next;
    void *object;
    void (*destroy)(void *object);
};

static _Atomic(struct retired *) retired;

/* ---------------------------------------------------------------------------------------------- process lock */

static pthread_mutex_t lock;

void signals_block(sigset_t *saved)
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
}

void signals_restore(const sigset_t *saved)
{
    pthread_sigmask(SIG_SETMASK, saved, NULL);
}

__attribute__((constructor)) static void make_lock(void)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

void process_lock(sigset_t *saved)
{
    signals_block(saved);
    /* each list is changed by one store, so what a thread leaves that ended in here is whole */
    if (pthread_mutex_lock(&lock) == EOWNERDEAD)
        pthread_mutex_consistent(&lock);
}

void process_unlock(const sigset_t *saved)
{
    pthread_mutex_unlock(&lock);
    signals_restore(saved);
}

/* ---------------------------------------------------------------------------------------------- records */

static const struct thread_hold no_hold = { .fds = { -1, -1, -1, -1 }, .file = -1 };

bool thread_dead(uint32_t native)
{
    return native && syscall(SYS_tgkill, getpid(), native, 0) == -1 && errno == ESRCH;
}

int thread_take_fd(struct thread *thread, unsigned int index)
{
    int fd = thread->hold.fds[index];

    thread->hold.fds[index] = -1;
    return fd;
}

void thread_close_fds(struct thread *thread)
{
    unsigned int i;

    for (i = 0; i < THREAD_FDS; i++)
        if (thread->hold.fds[i] != -1)
            close(thread_take_fd(thread, i));
}

void thread_hold_file(struct thread *thread)
{
    sigset_t saved;

    signals_block(&saved);
    thread->hold.file = thread_take_fd(thread, 0);
    signals_restore(&saved);
}

/* what the record's thread had, or has, in hand */
static void give_back(struct thread *thread)
{
    atomic_store(&thread->busy, 0);
    if (thread_give_back)
        thread_give_back(thread);
    thread->hold = no_hold;
}

/* a record that is free, or whose thread was terminated; the kernel uses ids again */
static struct thread *find_free_record(uint32_t native)
{
    struct thread *thread;

    for (thread = atomic_load(&records); thread; thread = thread->next)
    {
        uint32_t owner = atomic_load(&thread->native);

        if (owner == native ||
            ((!owner || thread_dead(owner)) && atomic_compare_exchange_strong(&thread->native, &owner, native)))
            return thread;
    }
    return NULL;
}

static struct thread *make_record(uint32_t native)
{
    struct thread *thread;
    sigset_t saved;

    signals_block(&saved);
    if ((thread = calloc(1, sizeof(*thread))))
    {
        atomic_store(&thread->native, native);
        thread->hold = no_hold;
        thread->next = atomic_load(&records);
        while (!atomic_compare_exchange_weak(&records, &thread->next, thread))
            ;
    }
    signals_restore(&saved);
    return thread;
}

void thread_init(void)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
        atomic_store(&thread_fences, true);
}

struct thread *thread_register(uint32_t process_id, uint32_t thread_id)
{
    uint32_t native = (uint32_t)syscall(SYS_gettid);
    struct thread *thread = find_free_record(native);
    int use;

    if (!thread && !(thread = make_record(native)))
        return NULL;
    for (use = 0; use < THREAD_USES; use++)
        atomic_store(&thread->use[use], NULL);
    thread->cell = NULL;
    thread->waiter = (struct waiter){ .name = 0 }; /* alpcserver has forgotten it */
    thread->thread_id = thread_id;
    thread->sleeper = (uint64_t)process_id << 32 | thread_id;
    thread_record = thread;
    give_back(thread);
    page_add_thread(thread_id, native);
    return thread;
}

#define SETTLE_TRIES 10000
#define SETTLE_PAUSE_NS 100000

static struct thread *find_record(uint32_t process_id, uint32_t thread_id)
{
    uint64_t who = (uint64_t)process_id << 32 | thread_id;
    struct thread *thread;

    for (thread = atomic_load(&records); thread; thread = thread->next)
        if (thread->sleeper == who && atomic_load(&thread->native))
            break;
    return thread;
}

const struct thread *thread_find(uint32_t process_id, uint32_t thread_id)
{
    return find_record(process_id, thread_id);
}

void thread_settle(uint32_t process_id, uint32_t thread_id)
{
    static const struct timespec pause = { .tv_nsec = SETTLE_PAUSE_NS };
    struct thread *thread = find_record(process_id, thread_id);
    uint32_t native = thread ? atomic_load(&thread->native) : 0;
    int tries, use;

    if (!native)
        return;
    for (tries = 0; !thread_dead(native) && tries < SETTLE_TRIES; tries++)
        nanosleep(&pause, NULL);
    /* another thread may have taken the record for its own, with what was in it */
    if (tries == SETTLE_TRIES ||
        !atomic_compare_exchange_strong(&thread->native, &native, (uint32_t)syscall(SYS_gettid)))
        return;
    thread->cell = NULL;
    give_back(thread);
    for (use = 0; use < THREAD_USES; use++)
        thread_release(thread, use);
    thread->sleeper = 0;
    atomic_store(&thread->native, 0);
}

void thread_unregister(void)
{
    struct thread *thread = thread_record;

    if (!thread)
        return;
    thread_recover(thread);
    thread->sleeper = 0;
    thread_record = NULL;
    page_remove_thread(thread->thread_id);
    atomic_store(&thread->native, 0);
}

static void return_cell(struct thread *thread)
{
    struct cell *cell = thread->cell;
    uint64_t state = cell_state(cell);
    enum cell_event event;

    thread->cell = NULL;
    /* no one but this thread moves the cell on, unless the other side gives up waiting for its answer just now */
    do
    {
        if (cell_gen(state) != thread->gen)
            return;
        event = cell_in(state, CELL_ABANDONED) || cell_in(state, CELL_RETRACTED) ? EVENT_DONE : thread->undone;
        if (!cell_after(event, cell_phase(state)))
            return;
    } while (!cell_step(thread->channel, thread->id, cell, &state, event, thread->copier));
    /* what it could not receive goes to the end of the queue */
    if (event == EVENT_REQUEUE &&
        !channel_announce_in_time(thread->channel, thread->copier.end, thread->id, thread->gen, NULL))
        cell_step(thread->channel, thread->id, cell, &state, EVENT_DONE, thread->copier);
}

void thread_recover(struct thread *thread)
{
    int use;

    if (thread->cell)
        return_cell(thread);
    waiter_end(&thread->waiter);
    for (use = 0; use < THREAD_USES; use++)
        thread_release(thread, use);
    give_back(thread);
}

/* ---------------------------------------------------------------------------------------------- scratch memory */

#define SCRATCH_PIECE 0x10000
#define SCRATCH_MOST 0x100000

struct scratch
{
    struct scratch *next;
    size_t size; /* with this header */
};

/* pieces stay with the record */
static struct scratch *add_piece(struct scratch **link, size_t size)
{
    struct scratch *piece;
    void *memory;

    size = (size + sizeof(*piece) + SCRATCH_PIECE - 1) & ~(size_t)(SCRATCH_PIECE - 1);
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    piece = memory;
    piece->size = size;
    return *link = piece;
}

void *thread_scratch(struct thread *thread, size_t size)
{
    struct scratch **link = &thread->scratches, *piece = *link;
    size_t used = thread->scratch.used, before = 0;
    void *memory;

    if (size > SCRATCH_MOST)
        return NULL;
    size = (size + 7) & ~(size_t)7;
    for (; piece && piece != thread->scratch.piece; piece = *link)
    {
        before += piece->size;
        link = &piece->next;
    }
    for (; piece && size > piece->size - sizeof(*piece) - used; piece = *link, used = 0)
    {
        before += piece->size;
        link = &piece->next;
    }
    if (!piece)
    {
        used = 0;
        if (before + size > SCRATCH_MOST || !(piece = add_piece(link, size)))
            return NULL;
    }
    memory = (uint8_t *)(piece + 1) + used;
    thread->scratch = (struct scratch_mark){ piece, used + size };
    return memory;
}

/* ---------------------------------------------------------------------------------------------- retiring */

/* after this time what a thread stored is seen by all, whatever it does */
#define STORED_NS 1000000000

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

/*
 * After this every thread either has its use visible or sees the cleared place.  Where membarrier is refused from some
 * moment on, threads use fences from then on; what they did before is visible a good while later.
 */
static bool order_uses(void)
{
    static _Atomic uint64_t refused;
    uint64_t none = 0;

    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load(&thread_fences))
    {
        if (!syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
            return true;
        if (atomic_compare_exchange_strong(&refused, &none, monotonic_ns()))
            atomic_store(&thread_fences, true);
    }
    return !atomic_load(&refused) || monotonic_ns() - atomic_load(&refused) > STORED_NS;
}

static void push_retired(struct retired *entry)
{
    entry->next = atomic_load(&retired);
    while (!atomic_compare_exchange_weak(&retired, &entry->next, entry))
        ;
}

/* destroys what is not in use any more; the rest goes to kept */
static void sort_retired(struct retired *list, struct retired **kept)
{
    bool ordered = order_uses();
    struct retired *entry;

    while ((entry = list))
    {
        list = entry->next;
        if (!ordered || used(entry->object))
        {
            entry->next = *kept;
            *kept = entry;
            continue;
        }
        entry->destroy(entry->object);
        free(entry);
    }
}

void thread_collect(void)
{
    static __thread bool collecting;
    struct retired *list, *kept = NULL, *entry;
    sigset_t saved;

    if (collecting || !atomic_load_explicit(&retired, memory_order_relaxed))
        return;
    signals_block(&saved);
    collecting = true;
    /* what is destroyed may retire more */
    while ((list = atomic_exchange(&retired, NULL)))
        sort_retired(list, &kept);
    while ((entry = kept))
    {
        kept = entry->next;
        push_retired(entry);
    }
    collecting = false;
    signals_restore(&saved);
}

void thread_retire(void *object, void (*destroy)(void *object))
{
    struct retired *entry;
    sigset_t saved;

    signals_block(&saved);
    /* without memory it is better lost than freed under someone's hands */
    if ((entry = malloc(sizeof(*entry))))
    {
        *entry = (struct retired){ .object = object, .destroy = destroy };
        push_retired(entry);
    }
    signals_restore(&saved);
    thread_collect();
}
