/*
 * What all connections to one connection port share: its main queue, and the roster of who they are
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "roster.h"

#include "memory.h"
#include "shortage.h"
#include "state.h"

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

static void use_memory(struct roster *roster, void *post, void *desk, void *entries)
{
    roster->entries = entries;
    queue_init(&roster->queue, post, desk, (_Atomic uint64_t *)((uint8_t *)post + 0x1000), PORT_QUEUE_BITS);
}

NTSTATUS roster_init(struct roster *roster, struct process *owner, struct object *port)
{
    void *post, *desk, *entries;
    int error;

    roster->id = object_random();
    roster->port = port;
    roster->owner = owner;
    errno = 0;
    roster->post_fd = memory_create("ntalpc post", PORT_POST_SIZE, &post);
    roster->desk_fd = memory_create("ntalpc desk", PORT_DESK_SIZE, &desk);
    roster->entries_fd = memory_create("ntalpc roster", ENTRIES_SIZE, &entries);
    roster->desk_read_fd = roster->desk_fd == -1 ? -1 : open_read_only(roster->desk_fd);
    state_inherit(roster->desk_read_fd);
    error = errno;
    use_memory(roster, post, desk, entries);
    if (!post || !desk || !entries || roster->desk_read_fd == -1)
        return shortage_of_memory(error);
    roster->connections = calloc(ROSTER_SIZE, sizeof(*roster->connections));
    return roster->connections ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

int roster_open(const struct roster *roster)
{
    return open_read_only(roster->entries_fd);
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

    queue_forget(&receiver->roster->queue, WAITER(bond->process->id, thread), UINT64_MAX);
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

    queue_forget(&receiver->roster->queue, WAITER(bond->process->id, 0), UINT64_C(0xffffffff00000000));
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
    close_fd(roster->entries_fd);
    free(roster->connections);
}

/* ---------------------------------------------------------------------------------------------- another alpcserver */

void roster_save(const struct roster *roster, struct state_writer *writer)
{
    const struct receiver *receiver;

    state_write(writer, roster->id);
    state_write_fd(writer, roster->post_fd);
    state_write_fd(writer, roster->desk_fd);
    state_write_fd(writer, roster->desk_read_fd);
    state_write_fd(writer, roster->entries_fd);
    state_write(writer, roster->last);
    for (receiver = roster->receivers; receiver; receiver = receiver->next)
        state_write(writer, receiver->bond.process->object.key);
    state_write(writer, 0);
}

static bool restore_receivers(struct roster *roster, struct state_reader *reader)
{
    struct process *process;
    uint64_t key;

    while ((key = state_read(reader)))
        if ((process = process_by_key(key)) && roster_add_receiver(roster, process))
            return false;
    return !reader->failed;
}

bool roster_restore(struct roster *roster, struct process *owner, struct object *port, struct state_reader *reader)
{
    void *post, *desk, *entries;

    roster->owner = owner;
    roster->port = port;
    roster->id = state_read(reader);
    roster->post_fd = state_read_fd(reader);
    roster->desk_fd = state_read_fd(reader);
    roster->desk_read_fd = state_read_fd(reader);
    roster->entries_fd = state_read_fd(reader);
    roster->last = (uint32_t)state_read(reader) % ROSTER_SIZE;
    post = memory_map(roster->post_fd, PORT_POST_SIZE);
    desk = memory_map(roster->desk_fd, PORT_DESK_SIZE);
    entries = memory_map(roster->entries_fd, ENTRIES_SIZE);
    use_memory(roster, post, desk, entries);
    roster->connections = calloc(ROSTER_SIZE, sizeof(*roster->connections));
    return post && desk && entries && roster->connections && restore_receivers(roster, reader);
}

bool roster_retake_slot(struct roster *roster, uint32_t slot, uint32_t generation, struct connection *connection)
{
    if (!slot || slot >= ROSTER_SIZE || roster->connections[slot] ||
        atomic_load(&roster->entries[slot].generation) != generation)
        return false;
    roster->connections[slot] = connection;
    roster->count++;
    return true;
}

void roster_restored(struct roster *roster)
{
    uint32_t slot;

    for (slot = 1; slot < ROSTER_SIZE; slot++)
        if (!roster->connections[slot] && atomic_load(&roster->entries[slot].state) != ROSTER_FREE)
        {
            roster->count++;
            roster_release_slot(roster, slot);
        }
}
