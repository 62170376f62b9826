/*
 * This process towards alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "process.h"

#include "page.h"
#include "pool.h"
#include "token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(THREAD_FDS == PROTOCOL_MAX_FDS, "a thread holds what comes with one reply");

static uint32_t id, session;
static _Atomic uint64_t key; /* by which a further socket joins this process; 0 = none yet */
static struct control_data program;
static struct pool pool;

NTSTATUS process_attach(uint32_t process_id, uint32_t session_id, const void *path, size_t size)
{
    void *copy = malloc(size + 1);

    if (!copy)
        return STATUS_NO_MEMORY;
    memcpy(copy, path, size);
    program = (struct control_data){ copy, size };
    pool_init(&pool);
    id = process_id;
    session = session_id;
    return STATUS_SUCCESS;
}

uint32_t process_id(void)
{
    return id;
}

uint32_t current_thread_id(void)
{
    /* TEB.ClientId.UniqueThread */
    return (uint32_t)((ULONG_PTR *)NtCurrentTeb())[0x48 / 8];
}

/* ---------------------------------------------------------------------------------------------- failing */

/* so long the failure to start or to reach alpcserver is remembered */
#define FAILURE_NS 3000000000

static struct
{
    _Atomic uint64_t time; /* monotonic_ns(), 0 = there was none */
    _Atomic NTSTATUS status;
} failure;

static NTSTATUS remembered_failure(void)
{
    uint64_t time = atomic_load(&failure.time);

    return time && monotonic_ns() - time < FAILURE_NS ? atomic_load(&failure.status) : STATUS_SUCCESS;
}

static NTSTATUS status_of_errno(int error)
{
    switch (error)
    {
    case EMFILE:
    case ENFILE:
        return STATUS_TOO_MANY_OPENED_FILES;
    case ENOMEM:
        return STATUS_NO_MEMORY;
    case EACCES:
    case EPERM:
        return STATUS_ACCESS_DENIED;
    case ECHILD:
    case ENOENT:
    case ENOEXEC:
        return STATUS_DLL_NOT_FOUND;
    default:
        return STATUS_PORT_DISCONNECTED;
    }
}

/* says it once for each time that it is so */
static NTSTATUS fail(NTSTATUS status, const char *error)
{
    sigset_t saved;

    atomic_store(&failure.status, status);
    signals_block(&saved);
    if (!atomic_exchange(&failure.time, monotonic_ns()))
        fprintf(stderr, "ntalpc: %s\n", error);
    signals_restore(&saved);
    return status;
}

/* ---------------------------------------------------------------------------------------------- connecting */

/* a further socket of a process that alpcserver knows */
static NTSTATUS join(struct control *control, uint64_t process)
{
    struct join_request request = { .process = process };
    struct reply_header reply;
    sigset_t saved;
    NTSTATUS status;

    signals_block(&saved);
    status = control_call(control, REQUEST_join, &request, NULL, &reply, NULL, NULL);
    signals_restore(&saved);
    return status;
}

static NTSTATUS introduce(struct thread *thread, struct control *control)
{
    struct init_request request = { .protocol = PROTOCOL_VERSION, .process = id, .session = session };
    struct control_data data[2] = { program };
    struct init_reply reply;
    sigset_t saved;
    NTSTATUS status = token_snapshot(thread, CURRENT_PROCESS_TOKEN, &data[1]);

    if (status)
        return status;
    signals_block(&saved);
    thread_close_fds(thread);
    if (!(status = control_call(control, REQUEST_init, &request, data, &reply, NULL, thread->hold.fds)))
    {
        page_map(thread->hold.fds[0]);
        atomic_store(&key, reply.process);
    }
    thread_close_fds(thread);
    signals_restore(&saved);
    return status;
}

/* makes the socket one of this process: only the first in the pool may say that alpcserver does not know it yet */
static NTSTATUS enter(struct thread *thread, struct control *control, bool first)
{
    uint64_t process = atomic_load(&key);
    NTSTATUS status = process ? join(control, process) : STATUS_INVALID_HANDLE;

    if (status != STATUS_INVALID_HANDLE)
        return status;
    if (first)
        return introduce(thread, control);
    atomic_compare_exchange_strong(&key, &process, 0);
    return STATUS_RETRY;
}

/* so often alpcserver may end while it is connected to */
#define MOST_ENTRIES 8

/* STATUS_RETRY: on another socket */
static NTSTATUS connect_to_server(struct thread *thread, struct pool_socket *taken, bool start)
{
    struct control *control = &taken->control;
    NTSTATUS status = start ? remembered_failure() : STATUS_SUCCESS;
    const char *error;
    int tries;

    if (status)
        return status;
    for (tries = 0; tries < MOST_ENTRIES; tries++)
    {
        if ((error = control_connect(control, start)))
            return start ? fail(status_of_errno(errno), error) : STATUS_PORT_DISCONNECTED;
        if (!(status = enter(thread, control, taken == pool.sockets)))
        {
            atomic_store(&failure.time, 0);
            return STATUS_SUCCESS;
        }
        if (status == STATUS_REVISION_MISMATCH)
            return fail(status,
                        "the running alpcserver speaks another version of the protocol; end it with alpcserver -k");
        /* a server that was just leaving: there is going to be another */
        if (control->fd != -1)
            return status;
    }
    return STATUS_PORT_DISCONNECTED;
}

/* ---------------------------------------------------------------------------------------------- calling */

/* variable data outlives the socket's buffer */
static NTSTATUS keep_data(struct thread *thread, const struct control *control, const void **data)
{
    struct reply_header header;
    size_t offset, size;
    void *copy;

    memcpy(&header, control->buffer, sizeof(header));
    offset = (size_t)((const uint8_t *)*data - control->buffer);
    size = header.size - offset;
    if (!(copy = thread_scratch(thread, size)))
        return STATUS_NO_MEMORY;
    *data = memcpy(copy, *data, size);
    return STATUS_SUCCESS;
}

static NTSTATUS call(struct thread *thread, struct control *control, enum request_code code, void *request,
                     const struct control_data *data, void *reply, const void **reply_data)
{
    sigset_t saved;
    NTSTATUS status;

    signals_block(&saved);
    thread_close_fds(thread);
    status = control_call(control, code, request, data, reply, reply_data, thread->hold.fds);
    if (!status && reply_data)
        status = keep_data(thread, control, reply_data);
    signals_restore(&saved);
    return status;
}

/*
 * An alpcserver that is killed has a successor that knows what it knew; a request that got no answer is made again.
 * What it had made for the first one ends by itself, for nobody has its handle; accepting leads to the same port.  A
 * request that kills one after the other is given up.
 */
#define MOST_TRIES 8

/* takes a socket that alpcserver knows as this process' */
static NTSTATUS take_socket(struct thread *thread, bool start, struct pool_socket **result)
{
    NTSTATUS status = STATUS_SUCCESS;
    struct pool_socket *taken;

    do
    {
        taken = pool_take(&pool, atomic_load(&key) ? POOL_SOCKETS : 1);
        if (taken->control.fd != -1 && control_gone(&taken->control))
            pool_disconnect(taken);
        if (taken->control.fd == -1 && (status = connect_to_server(thread, taken, start)))
            pool_drop(taken);
    } while (status == STATUS_RETRY);
    *result = taken;
    return status;
}

NTSTATUS process_call(struct thread *thread, enum request_code code, void *request, const struct control_data *data,
                      void *reply, const void **reply_data)
{
    struct pool_socket *taken;
    NTSTATUS status;
    bool answered;
    int tries = 0;

    do
    {
        if ((status = take_socket(thread, true, &taken)))
            return status;
        status = call(thread, &taken->control, code, request, data, reply, reply_data);
        answered = taken->control.fd != -1;
        pool_give(taken);
    } while (!answered && ++tries < MOST_TRIES);
    return status;
}

void process_notify(struct thread *thread, enum request_code code, void *request)
{
    struct pool_socket *taken;
    struct reply_header reply;

    if (take_socket(thread, false, &taken))
        return;
    call(thread, &taken->control, code, request, NULL, &reply, NULL);
    pool_give(taken);
}
