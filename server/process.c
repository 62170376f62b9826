/*
 * Windows processes that use ports
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "process.h"

#include "memory.h"
#include "request.h"
#include "server.h"
#include "text.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void process_gone(struct process *process);

static void close_process(struct object *object)
{
    process_gone((struct process *)object);
}

static const struct object_ops process_ops = { .kind = OBJECT_PROCESS, .close = close_process };

/* ---------------------------------------------------------------------------------------------- lifetime */

/* "C:\dir\program.exe" as "program.exe" */
static char *program_name(const void *utf16, size_t size)
{
    char *path = utf16_to_utf8(utf16, size), *name, *result;

    if (!path)
        return NULL;
    name = strrchr(path, '\\');
    result = strdup(name ? name + 1 : path);
    free(path);
    return result;
}

static bool make_handles_page(struct process *process)
{
    void *page;

    process->handles_fd = memory_create("ntalpc handles", 4096, &page);
    process->handles = page;
    return process->handles_fd != -1;
}

static NTSTATUS make_process(const struct caller *caller, const struct init_request *request, data_list data,
                             struct process **result)
{
    struct process *process = calloc(1, sizeof(*process));
    NTSTATUS status = STATUS_NO_MEMORY;

    if (!process)
        return STATUS_NO_MEMORY;
    process->refs = 1;
    process->pid = caller->pid;
    process->id = request->process;
    process->session = request->session;
    process->handles_fd = -1;
    if ((process->program = program_name(data[0], request->program_size)) && make_handles_page(process))
        status = token_create(data[1], request->token_size, &process->token);
    if (status)
    {
        process_unref(process);
        return status;
    }
    object_add(&process->object, &process_ops);
    *result = process;
    return STATUS_SUCCESS;
}

struct process *process_ref(struct process *process)
{
    process->refs++;
    return process;
}

void process_unref(struct process *process)
{
    if (!process || --process->refs)
        return;
    if (process->handles)
        munmap((void *)process->handles, 4096);
    if (process->handles_fd != -1)
        close(process->handles_fd);
    token_free(process->token);
    free(process->program);
    free(process);
}

void process_connected(struct process *process)
{
    process_ref(process)->sockets++;
}

void process_disconnected(struct process *process)
{
    if (!--process->sockets)
        process_gone(process);
    process_unref(process);
}

/* the living process with this Windows id, or NULL: of several the newest, for ids are used again */
static struct process *process_by_id(uint32_t id)
{
    struct process *found = NULL;
    struct object *object;

    for (object = object_first(OBJECT_PROCESS); object; object = object_next(object))
        if (((struct process *)object)->id == id)
            found = (struct process *)object;
    return found;
}

/* ---------------------------------------------------------------------------------------------- deaths */

/* a walk through the bonds of a process, to tell them that it or a thread has ended */
struct walk
{
    struct walk *next;
    struct process *process;
    uint32_t thread;   /* 0 = the process */
    struct bond *bond; /* the next one to tell */
};

/* so long other clients wait for a walk, microseconds */
#define SLICE_US 2000

static struct walk *walks;
static struct event *walking;

void process_bind(struct process *process, struct bond *bond, const struct bond_ops *ops)
{
    bond->process = process_ref(process);
    bond->ops = ops;
    bond->link = &process->bonds;
    bond->next = process->bonds;
    if (bond->next)
        bond->next->link = &bond->next;
    process->bonds = bond;
}

void process_unbind(struct bond *bond)
{
    struct walk *walk;

    if (!bond->process)
        return;
    for (walk = walks; walk; walk = walk->next)
        if (walk->bond == bond)
            walk->bond = bond->next;
    *bond->link = bond->next;
    if (bond->next)
        bond->next->link = bond->link;
    process_unref(bond->process);
    bond->process = NULL;
}

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void tell_next(struct walk *walk)
{
    struct bond *bond = walk->bond;

    walk->bond = bond->next;
    if (!walk->thread)
        bond->ops->process_gone(bond);
    else if (bond->ops->thread_gone)
        bond->ops->thread_gone(bond, walk->thread);
}

/* goes on with the walks, and ends those that have come to their end */
static void walk_on(uint64_t until)
{
    static const struct timeval at_once;

    while (walks)
    {
        struct walk *walk = walks;

        while (walk->bond && now_us() < until)
            tell_next(walk);
        if (walk->bond)
        {
            evtimer_add(walking, &at_once);
            return;
        }
        walks = walk->next;
        process_unref(walk->process);
        free(walk);
    }
}

static void on_walking(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    walk_on(now_us() + SLICE_US);
}

/* tells the bonds in the order of deaths: some at once, what takes longer in between other work */
static void begin_walk(struct process *process, uint32_t thread)
{
    struct walk *walk, **last;

    if (!process->bonds)
        return;
    for (last = &walks; *last; last = &(*last)->next)
        ;
    if (!walking)
        walking = evtimer_new(server_base, on_walking, NULL);
    if (!walking || !(walk = malloc(sizeof(*walk))))
        return;
    *walk = (struct walk){ .process = process_ref(process), .thread = thread, .bond = process->bonds };
    *last = walk;
    if (walks == walk)
        walk_on(now_us() + SLICE_US);
}

static void process_gone(struct process *process)
{
    if (!process_alive(process))
        return;
    object_remove(&process->object);
    begin_walk(process, 0);
}

void processes_end(void)
{
    object_close_all(OBJECT_PROCESS);
    walk_on(UINT64_MAX);
    if (walking)
        event_free(walking);
    walking = NULL;
}

/* ---------------------------------------------------------------------------------------------- requests */

NTSTATUS handle_init(struct caller *caller, const struct init_request *request, data_list data, struct reply *reply)
{
    struct process *process;
    NTSTATUS status;

    if (request->protocol != PROTOCOL_VERSION)
        return STATUS_REVISION_MISMATCH;
    if (caller->process)
        return STATUS_INVALID_PARAMETER;
    if ((status = make_process(caller, request, data, &process)))
        return status;
    process_connected(process);
    process_unref(process);
    caller->process = process;
    reply->init.process = process->object.key;
    reply->init.protocol = PROTOCOL_VERSION;
    reply_lend_fd(reply, process->handles_fd);
    return STATUS_SUCCESS;
}

/* only the process itself has its key, and a child may have inherited it */
NTSTATUS handle_join(struct caller *caller, const struct join_request *request, data_list data, struct reply *reply)
{
    struct process *process = (struct process *)object_find(OBJECT_PROCESS, request->process);

    (void)data, (void)reply;
    if (caller->process)
        return STATUS_INVALID_PARAMETER;
    if (!process || process->pid != caller->pid)
        return STATUS_INVALID_HANDLE;
    process_connected(process);
    caller->process = process;
    return STATUS_SUCCESS;
}

NTSTATUS handle_set_token(struct caller *caller, const struct set_token_request *request, data_list data,
                          struct reply *reply)
{
    struct token *token;
    NTSTATUS status = token_create(data[0], request->token_size, &token);

    (void)reply;
    if (status)
        return status;
    token_free(caller->process->token);
    caller->process->token = token;
    return STATUS_SUCCESS;
}

NTSTATUS handle_thread_gone(struct caller *caller, const struct thread_gone_request *request, data_list data,
                            struct reply *reply)
{
    struct process *process = process_by_id(request->process);

    (void)caller, (void)data, (void)reply;
    if (process && request->thread)
        begin_walk(process, request->thread);
    return STATUS_SUCCESS;
}

NTSTATUS handle_handles_changed(struct caller *caller, const struct handles_changed_request *request, data_list data,
                                struct reply *reply)
{
    struct process *process = process_by_id(request->process);

    (void)caller, (void)data, (void)reply;
    if (process)
        atomic_fetch_add_explicit(process->handles, 1, memory_order_seq_cst);
    return STATUS_SUCCESS;
}
