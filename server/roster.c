/*
 * What all connections to one connection port share: its main queue, and the roster of who they are
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "roster.h"

#include "memory.h"
#include "shortage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ENTRIES_SIZE (ROSTER_SIZE * sizeof(struct roster_entry))

/* ---------------------------------------------------------------------------------------------- memory */

static int open_read_only(int fd)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

NTSTATUS roster_init(struct roster *roster, struct process *owner, uint64_t port)
{
    void *post, *desk, *entries;
    int entries_fd, error;

    roster->id = object_random();
    roster->port = port;
    roster->owner = owner;
    errno = 0;
    roster->post_fd = memory_create("ntalpc post", PORT_POST_SIZE, &post);
    roster->desk_fd = memory_create("ntalpc desk", PORT_DESK_SIZE, &desk);
    entries_fd = memory_create("ntalpc roster", ENTRIES_SIZE, &entries);
    roster->entries = entries;
    roster->desk_read_fd = roster->desk_fd == -1 ? -1 : open_read_only(roster->desk_fd);
    roster->roster_fd = entries_fd == -1 ? -1 : open_read_only(entries_fd);
    error = errno;
    queue_init(&roster->queue, post, desk, (_Atomic uint64_t *)((uint8_t *)post + 0x1000), PORT_QUEUE_BITS);
    if (entries_fd != -1)
        close(entries_fd);
    if (!post || !desk || !entries || roster->desk_read_fd == -1 || roster->roster_fd == -1)
        return shortage_of_memory(error);
    roster->connections = calloc(ROSTER_SIZE, sizeof(*roster->connections));
    return roster->connections ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static void close_fd(int fd)
{
    if (fd != -1)
        close(fd);
}

static void unmap(void *memory, size_t size)
{
    if (memory)
        munmap(memory, size);
}

/* ---------------------------------------------------------------------------------------------- receivers */

struct receiver
{
    struct bond bond;
    struct roster *roster;
    struct receiver *next;
};

static void on_thread_gone(struct bond *bond, uint32_t thread)
{
    struct receiver *receiver = (struct receiver *)bond;

    queue_forget(&receiver->roster->queue, (uint64_t)bond->process->id << 32 | thread, UINT64_MAX);
}

static void remove_receiver(struct receiver *receiver)
{
    struct receiver **link;

    for (link = &receiver->roster->receivers; *link != receiver; link = &(*link)->next)
        ;
    *link = receiver->next;
    process_unbind(&receiver->bond);
    free(receiver);
}

static void on_process_gone(struct bond *bond)
{
    struct receiver *receiver = (struct receiver *)bond;

    queue_forget(&receiver->roster->queue, (uint64_t)bond->process->id << 32, UINT64_C(0xffffffff00000000));
    remove_receiver(receiver);
}

static const struct bond_ops receiver_ops = { .thread_gone = on_thread_gone, .process_gone = on_process_gone };

NTSTATUS roster_add_receiver(struct roster *roster, struct process *process)
{
    struct receiver *receiver;

    for (receiver = roster->receivers; receiver; receiver = receiver->next)
        if (receiver->bond.process == process)
            return STATUS_SUCCESS;
    if (!(receiver = calloc(1, sizeof(*receiver))))
        return STATUS_NO_MEMORY;
    process_bind(process, &receiver->bond, &receiver_ops);
    receiver->roster = roster;
    receiver->next = roster->receivers;
    roster->receivers = receiver;
    return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- slots */

uint32_t roster_take_slot(struct roster *roster, struct connection *connection)
{
    uint32_t slot = roster->last;

    /* slot 0 is no connection's */
    if (roster->count == ROSTER_SIZE - 1)
        return 0;
    do
        slot = slot + 1 < ROSTER_SIZE ? slot + 1 : 1;
    while (roster->connections[slot]);
    roster->connections[slot] = connection;
    roster->count++;
    roster->last = slot;
    return slot;
}

void roster_release_slot(struct roster *roster, uint32_t slot)
{
    atomic_store_explicit(&roster->entries[slot].state, ROSTER_FREE, memory_order_relaxed);
    atomic_fetch_add(&roster->entries[slot].generation, 1);
    roster->connections[slot] = NULL;
    roster->count--;
}

void roster_free(struct roster *roster)
{
    while (roster->receivers)
        remove_receiver(roster->receivers);
    unmap(roster->queue.post, PORT_POST_SIZE);
    unmap(roster->queue.desk, PORT_DESK_SIZE);
    unmap(roster->entries, ENTRIES_SIZE);
    close_fd(roster->post_fd);
    close_fd(roster->desk_fd);
    close_fd(roster->desk_read_fd);
    close_fd(roster->roster_fd);
    free(roster->connections);
}
