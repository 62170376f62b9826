/*
 * Threads that have ended without saying so
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Anybody may say that a thread has been terminated.  Nothing is done before the kernel says so too: who took a living
 * thread for dead would make it deaf.  What never used ports is not in its process' table, and costs nothing.
 */

#include "thread.h"

#include "process.h"
#include "request.h"
#include "server.h"
#include "task.h"

#include <stdlib.h>

/* a thread that was said to have ended and has not yet is looked at after so many ms, and less and less often, and then
   forgotten: it goes on */
#define FIRST_LOOK_MS 5
#define LAST_LOOK_MS 20000

struct dying
{
    struct dying *next;
    struct event *timer;
    struct process *process;
    uint64_t thread; /* as in the table */
    unsigned int pause; /* ms until the next look */
};

static struct dying *dying;

/* the place of the thread in the table of its process, which the process writes; NULL if it is not there */
static _Atomic uint64_t *find_thread(struct process *process, uint32_t thread)
{
    uint32_t i, peak = atomic_load(&process->page->peak);

    for (i = 0; i < peak && i < PROCESS_THREADS; i++)
        if (atomic_load(&process->page->threads[i]) >> 32 == thread)
            return &process->page->threads[i];
    return NULL;
}

/* whether the thread's traces are to be removed; the reporter's word counts only where the kernel has none */
static enum task_state look(const struct process *process, uint64_t thread, const struct process *reporter)
{
    enum task_state state = task_look(process->pid, process->nested, (uint32_t)thread);

    if (state == TASK_UNKNOWN)
        return reporter == process ? TASK_GONE : TASK_ALIVE;
    return state;
}

/* a thread whose traces are being removed; it stays in the table until they are, for an alpcserver that takes over */
struct burial
{
    struct burial *next;
    struct process *process;
    uint64_t thread; /* as in the table */
};

static struct burial *burials;

/* the kernel's id may be another thread's soon; and who says it again costs nothing any more */
static void remove_thread(struct process *process, uint64_t thread)
{
    _Atomic uint64_t *place = find_thread(process, (uint32_t)(thread >> 32));

    if (place)
        atomic_compare_exchange_strong(place, &thread, 0);
}

static void on_buried(void *arg)
{
    struct burial *burial = arg, **link;

    for (link = &burials; *link != burial; link = &(*link)->next)
        ;
    *link = burial->next;
    remove_thread(burial->process, burial->thread);
    process_unref(burial->process);
    free(burial);
}

static bool is_being_buried(const struct process *process, uint64_t thread)
{
    const struct burial *burial;

    for (burial = burials; burial; burial = burial->next)
        if (burial->process == process && burial->thread == thread)
            return true;
    return false;
}

static void bury(struct process *process, uint64_t thread)
{
    struct burial *burial;

    if (is_being_buried(process, thread))
        return;
    if (!(burial = malloc(sizeof(*burial))))
    {
        remove_thread(process, thread);
        bonds_tell(process->bonds, (uint32_t)(thread >> 32), NULL, NULL);
        return;
    }
    *burial = (struct burial){ .next = burials, .process = process_ref(process), .thread = thread };
    burials = burial;
    bonds_tell(process->bonds, (uint32_t)(thread >> 32), on_buried, burial);
}

static void forget(struct dying *entry)
{
    struct dying **link;

    for (link = &dying; *link != entry; link = &(*link)->next)
        ;
    *link = entry->next;
    if (entry->timer)
        event_free(entry->timer);
    process_unref(entry->process);
    free(entry);
}

static void look_later(struct dying *entry)
{
    struct timeval delay = { .tv_sec = entry->pause / 1000, .tv_usec = entry->pause % 1000 * 1000 };

    entry->pause *= 2;
    if (entry->pause > LAST_LOOK_MS || !entry->timer || evtimer_add(entry->timer, &delay))
        forget(entry);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    struct dying *entry = arg;

    (void)fd, (void)what;
    /* of a process that has gone everything is removed */
    if (process_alive(entry->process) && look(entry->process, entry->thread, NULL) == TASK_ALIVE)
    {
        look_later(entry);
        return;
    }
    if (process_alive(entry->process))
        bury(entry->process, entry->thread);
    forget(entry);
}

static bool is_dying(const struct process *process, uint64_t thread)
{
    const struct dying *entry;

    for (entry = dying; entry; entry = entry->next)
        if (entry->process == process && entry->thread == thread)
            return true;
    return false;
}

static void watch_thread(struct process *process, uint64_t thread)
{
    struct dying *entry;

    if (is_dying(process, thread) || !(entry = malloc(sizeof(*entry))))
        return;
    *entry = (struct dying){ .next = dying, .process = process_ref(process), .thread = thread, .pause = FIRST_LOOK_MS };
    dying = entry;
    entry->timer = evtimer_new(server_base, on_look, entry);
    look_later(entry);
}

void threads_end(void)
{
    while (dying)
        forget(dying);
}

void threads_restored(void)
{
    struct object *object;

    for (object = object_first(OBJECT_PROCESS); object; object = object_next(object))
    {
        struct process *process = (struct process *)object;
        uint32_t i, peak = atomic_load(&process->page->peak);

        for (i = 0; i < peak && i < PROCESS_THREADS; i++)
        {
            uint64_t thread = atomic_load(&process->page->threads[i]);

            if (thread && look(process, thread, NULL) == TASK_GONE)
                bury(process, thread);
        }
    }
}

NTSTATUS handle_thread_gone(struct caller *caller, const struct thread_gone_request *request, data_list data,
                            struct reply *reply)
{
    struct process *process = process_by_id(request->process);
    _Atomic uint64_t *place;
    uint64_t thread;

    (void)data, (void)reply;
    if (!process || !request->thread)
        return STATUS_SUCCESS;
    if ((place = find_thread(process, request->thread)))
    {
        thread = atomic_load(place);
        if (look(process, thread, caller->process) == TASK_ALIVE)
            watch_thread(process, thread);
        else
            bury(process, thread);
    }
    else if (caller->process == process && atomic_load(&process->page->overflow))
        bonds_tell(process->bonds, request->thread, NULL, NULL);
    return STATUS_SUCCESS;
}
