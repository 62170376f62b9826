/*
 * Windows processes that use ports
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "process.h"

#include "text.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct process *processes;

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

    process->handles_fd = memfd_create("ntalpc handles", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    /* the process could otherwise shrink the file and make the server's access fault */
    if (process->handles_fd == -1 || ftruncate(process->handles_fd, 4096) ||
        fcntl(process->handles_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        return false;
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, process->handles_fd, 0);
    if (page == MAP_FAILED)
        return false;
    process->handles = page;
    return true;
}

NTSTATUS process_create(pid_t pid, uint32_t id, uint32_t session, const void *program, size_t program_size,
                        const void *token, size_t token_size, struct process **process)
{
    struct process *new = calloc(1, sizeof(*new));
    NTSTATUS status = STATUS_NO_MEMORY;

    if (!new)
        return STATUS_NO_MEMORY;
    new->refs = 1;
    new->pid = pid;
    new->id = id;
    new->session = session;
    new->handles_fd = -1;
    if ((new->program = program_name(program, program_size)) && make_handles_page(new))
        status = token_create(token, token_size, &new->token);
    if (status)
    {
        process_unref(new);
        return status;
    }
    new->alive = true;
    new->link = &processes;
    new->next = processes;
    if (processes)
        processes->link = &new->next;
    processes = new;
    *process = new;
    return STATUS_SUCCESS;
}

void process_gone(struct process *process)
{
    process->alive = false;
    *process->link = process->next;
    if (process->next)
        process->next->link = process->link;
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

struct process *process_by_id(uint32_t id)
{
    struct process *process;

    for (process = processes; process; process = process->next)
        if (process->id == id)
            return process;
    return NULL;
}

void process_handles_changed(struct process *process)
{
    atomic_fetch_add_explicit(process->handles, 1, memory_order_seq_cst);
}
