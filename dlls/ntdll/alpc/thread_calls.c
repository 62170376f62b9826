/*
 * NtTerminateThread
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A thread that is terminated inside a call leaves messages half sent or unanswered; the processes at the other ends
 * must learn of it.  And it may leave locks: the host's NtClose, for one, calls wineserver with a mutex held, and a
 * thread in such a call ends there.  So one that uses ports is stopped first, which the host does only where it holds
 * none, and between two steps of what it is making; then it is terminated, and what it had in hand is given back.
 */

#include "calls.h"
#include "page.h"
#include "process.h"
#include "unixlib.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct thread_basic_information
{
    NTSTATUS exit_status;
    void *teb;
    CLIENT_ID id;
    ULONG_PTR affinity;
    LONG priority, base_priority;
};

_Static_assert(sizeof(struct thread_basic_information) == 0x30, "THREAD_BASIC_INFORMATION");

/* CONTEXT; what is in it does not matter */
struct context
{
    uint8_t home[0x30];
    ULONG flags;
    _Alignas(16) uint8_t rest[0x490];
};

_Static_assert(sizeof(struct context) == 0x4d0, "CONTEXT");

#define CONTEXT_CONTROL 0x100001u

/* between two looks whether another thread is done with terminating */
#define TURN_PAUSE_NS 100000

/* so often a thread is let go on with what it is making, and so long */
#define STEPS_TRIES 2000
#define STEPS_PAUSE_NS 200000

static _Atomic uint32_t terminating; /* kernel's id of the thread that terminates another one */

/* one thread after the other: two that stop each other would stand for ever */
static void take_turn(void)
{
    static const struct timespec pause = { .tv_nsec = TURN_PAUSE_NS };
    uint32_t me = (uint32_t)syscall(SYS_gettid), other = 0;

    while (!atomic_compare_exchange_strong(&terminating, &other, me))
    {
        if (!other || (thread_dead(other) && atomic_compare_exchange_strong(&terminating, &other, 0)))
            continue;
        nanosleep(&pause, NULL);
        other = 0;
    }
}

/* until the thread stands, outside of every call of wineserver */
static bool stop(HANDLE handle)
{
    struct context context = { .flags = CONTEXT_CONTROL };
    ULONG count;

    return !host_NtSuspendThread(handle, &count) && !host_NtGetContextThread(handle, &context);
}

static NTSTATUS terminate_user(HANDLE handle, const struct thread *thread, LONG exit_status)
{
    static const struct timespec pause = { .tv_nsec = STEPS_PAUSE_NS };
    ULONG count, tries;
    NTSTATUS status;

    take_turn();
    for (tries = 0; stop(handle) && atomic_load(&thread->busy) && tries < STEPS_TRIES; tries++)
    {
        host_NtResumeThread(handle, &count);
        nanosleep(&pause, NULL);
    }
    if ((status = host_NtTerminateThread(handle, exit_status)))
        host_NtResumeThread(handle, &count);
    atomic_store(&terminating, 0);
    return status;
}

/* alpcserver looks at the messages that were in the thread's hands */
static void tell(uint32_t process, uint32_t id)
{
    struct thread_gone_request request = { .process = process, .thread = id };
    struct thread *thread = current_thread();

    if (!thread)
        return;
    thread_scratch_begin(thread);
    process_notify(thread, REQUEST_thread_gone, &request);
}

NTSTATUS call_NtTerminateThread(void *args)
{
    const struct NtTerminateThread_params *params = args;
    struct thread_basic_information basic = { .exit_status = 0 };
    const struct thread *thread;
    uint32_t process, id;
    ULONG size;
    NTSTATUS status;

    if (host_NtQueryInformationThread(params->thread, ThreadBasicInformation, &basic, sizeof(basic), &size))
        return host_NtTerminateThread(params->thread, params->exit_status);
    process = (uint32_t)(ULONG_PTR)basic.id.UniqueProcess;
    id = (uint32_t)(ULONG_PTR)basic.id.UniqueThread;
    if (process != process_id())
    {
        if (!(status = host_NtTerminateThread(params->thread, params->exit_status)))
            tell(process, id);
        return status;
    }
    /* this does not come back if it is the calling thread */
    if (id == current_thread_id())
        thread_unregister();
    if (!(thread = thread_find(process, id)))
        return host_NtTerminateThread(params->thread, params->exit_status);
    if ((status = terminate_user(params->thread, thread, params->exit_status)))
        return status;
    thread_settle(process, id);
    tell(process, id);
    page_remove_thread(id);
    return STATUS_SUCCESS;
}
