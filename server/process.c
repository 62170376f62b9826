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
#include "shortage.h"
#include "state.h"
#include "task.h"
#include "text.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void process_gone(struct process *process);

static void close_process(struct object *object)
{
    process_gone((struct process *)object);
}

static void save_process(const struct object *object, struct state_writer *writer);

static const struct object_ops process_ops = { .kind = OBJECT_PROCESS, .close = close_process, .save = save_process };

static void changed(const struct process *process)
{
    object_changed(&process->object, &process_ops);
}

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

static NTSTATUS make_page(struct process *process)
{
    void *page;

    process->page_fd = memory_create("ntalpc process", sizeof(*process->page), &page);
    process->page = page;
    return process->page_fd == -1 ? shortage_of_memory(errno) : STATUS_SUCCESS;
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    process_gone(arg);
}

/* where the process itself cannot be watched its sockets tell */
static void await_end(struct process *process)
{
    if (process->task == -1)
        return;
    process->ended = event_new(server_base, process->task, EV_READ, on_ended, process);
    if (process->ended && !event_add(process->ended, NULL))
        return;
    if (process->ended)
        event_free(process->ended);
    process->ended = NULL;
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
    process->page_fd = process->task = -1;
    if ((process->program = program_name(data[0], request->program_size)) && !(status = make_page(process)))
        status = token_create(data[1], request->token_size, &process->token);
    if (status)
    {
        process_unref(process);
        return status;
    }
    object_add(&process->object, &process_ops);
    if ((process->task = task_open(caller->fd, process->pid)) != -1)
        process->nested = task_is_nested(process->pid);
    state_inherit(process->task);
    await_end(process);
    changed(process);
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
    object_forget(&process->object, OBJECT_PROCESS);
    if (process->page)
        munmap(process->page, sizeof(*process->page));
    if (process->page_fd != -1)
        close(process->page_fd);
    if (process->task != -1)
        close(process->task);
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
    if (!--process->sockets && !process->ended)
        process_gone(process);
    process_unref(process);
}

struct process *process_by_id(uint32_t id)
{
    struct process *found = NULL;
    struct object *object;

    for (object = object_first(OBJECT_PROCESS); object; object = object_next(object))
        if (((struct process *)object)->id == id)
            found = (struct process *)object;
    return found;
}

/* ---------------------------------------------------------------------------------------------- deaths */

void process_bind(struct process *process, struct bond *bond, const struct bond_ops *ops)
{
    bond->process = process_ref(process);
    bond->ops = ops;
    bond_insert(&process->bonds, bond);
}

void process_unbind(struct bond *bond)
{
    if (!bond->process)
        return;
    bond_remove(bond);
    process_unref(bond->process);
    bond->process = NULL;
}

static void process_gone(struct process *process)
{
    if (!process_alive(process))
        return;
    object_remove(&process->object);
    changed(process);
    if (process->ended)
        event_free(process->ended);
    process->ended = NULL;
    bonds_tell(process->bonds, 0, NULL, NULL);
    process_unref(process);
}

/* ---------------------------------------------------------------------------------------------- another alpcserver */

static void save_process(const struct object *object, struct state_writer *writer)
{
    const struct process *process = (const struct process *)object;

    state_write(writer, process_alive(process));
    state_write(writer, (uint64_t)process->pid);
    state_write(writer, process->id);
    state_write(writer, process->session);
    state_write(writer, process->nested);
    state_write_fd(writer, process->page_fd);
    state_write_fd(writer, process->task);
    state_write_bytes(writer, process->program, strlen(process->program));
    state_write_bytes(writer, process->token->wire, process->token->wire->size);
}

/* those that were dead already, while something still remembers them */
static struct process **ghosts;
static size_t ghost_count;

static bool add_ghost(struct process *process)
{
    struct process **larger = realloc(ghosts, (ghost_count + 1) * sizeof(*ghosts));

    if (!larger)
        return false;
    ghosts = larger;
    ghosts[ghost_count++] = process;
    return true;
}

static bool read_process(struct process *process, struct state_reader *reader)
{
    const void *program, *token;
    size_t program_size, token_size;

    process->pid = (pid_t)state_read(reader);
    process->id = (uint32_t)state_read(reader);
    process->session = (uint32_t)state_read(reader);
    process->nested = state_read(reader);
    process->page_fd = state_read_fd(reader);
    process->task = state_read_fd(reader);
    program = state_read_bytes(reader, &program_size);
    token = state_read_bytes(reader, &token_size);
    process->program = strndup(program ? program : "", program_size);
    process->page = memory_map(process->page_fd, sizeof(*process->page));
    return process->program && process->page && !token_create(token, token_size, &process->token);
}

bool process_restore(uint64_t key, struct state_reader *reader)
{
    uint64_t serial = state_read(reader);
    bool alive = state_read(reader);
    struct process *process = calloc(1, sizeof(*process));

    if (!process)
        return false;
    process->refs = 1;
    process->object.key = key;
    process->object.serial = serial;
    process->page_fd = process->task = -1;
    if (!read_process(process, reader) || (!alive && !add_ghost(process)))
    {
        process_unref(process);
        return false;
    }
    if (!alive)
        return true;
    object_add_again(&process->object, &process_ops, key, serial);
    await_end(process);
    return true;
}

struct process *process_by_key(uint64_t key)
{
    struct process *process = (struct process *)object_find(OBJECT_PROCESS, key);
    size_t i;

    for (i = 0; !process && i < ghost_count; i++)
        if (ghosts[i]->object.key == key)
            process = ghosts[i];
    return process;
}

void processes_restored(void)
{
    while (ghost_count)
    {
        struct process *ghost = ghosts[--ghost_count];

        /* perhaps not everybody had heard of it */
        bonds_tell(ghost->bonds, 0, NULL, NULL);
        process_unref(ghost);
    }
    free(ghosts);
    ghosts = NULL;
}

void processes_end(void)
{
    object_close_all(OBJECT_PROCESS);
    bonds_end();
}

/* ---------------------------------------------------------------------------------------------- requests */

/* a Unix process that begins anew knows nothing more of what it was before */
static void supersede(pid_t pid)
{
    struct object *object, *next;

    for (object = pid ? object_first(OBJECT_PROCESS) : NULL; object; object = next)
    {
        struct process *process = (struct process *)object;

        next = object_next(object);
        if (process->pid == pid && !process->sockets)
            process_gone(process);
    }
}

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
    supersede(caller->pid);
    caller->process = process;
    reply->init.process = process->object.key;
    reply->init.protocol = PROTOCOL_VERSION;
    reply_lend_fd(reply, process->page_fd);
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
    changed(caller->process);
    return STATUS_SUCCESS;
}

/* who says it of a handle that is still open costs the process one more look at it */
NTSTATUS handle_handles_changed(struct caller *caller, const struct handles_changed_request *request, data_list data,
                                struct reply *reply)
{
    struct process *process = process_by_id(request->process);
    uint32_t closes;

    (void)caller, (void)data, (void)reply;
    if (!process)
        return STATUS_SUCCESS;
    closes = atomic_load(&process->page->closes);
    atomic_store(&process->page->closed[closes % PROCESS_CLOSES], request->handle);
    atomic_store(&process->page->closes, closes + 1);
    return STATUS_SUCCESS;
}
