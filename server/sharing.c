/*
 * The processes at the ends of a connection
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "sharing.h"

#include "sweep.h"

#include <stdlib.h>

/* ---------------------------------------------------------------------------------------------- deaths */

static void forget_sleepers(const struct sharer *sharer, uint32_t thread, uint64_t mask)
{
    struct channel *channel = &sharer->connection->channel;
    uint64_t who = WAITER(sharer->bond.process->id, thread);

    /* who receives from the main queue is the roster's business */
    if (sharer->end == END_CLIENT)
        queue_forget(&channel->client_queue, who, mask);
    else
        waiters_forget(&channel->header->comm, who, mask);
}

static void bury(const struct sharer *sharer, uint32_t thread)
{
    sweep_bury(sharer->connection,
               &(struct cell_dead){ .end = sharer->end, .process = sharer->number, .thread = thread });
}

static void on_thread_gone(struct bond *bond, uint32_t thread)
{
    struct sharer *sharer = (struct sharer *)bond;

    forget_sleepers(sharer, thread, UINT64_MAX);
    bury(sharer, thread);
}

static bool others_live(const struct connection *connection, enum alpc_end end)
{
    uint32_t i;

    for (i = 0; i < ROSTER_PROCESSES; i++)
    {
        const struct process *process = connection_process(connection, end, i);

        if (process && process_alive(process))
            return true;
    }
    return false;
}

static void on_process_gone(struct bond *bond)
{
    struct sharer *sharer = (struct sharer *)bond;

    forget_sleepers(sharer, 0, UINT64_C(0xffffffff00000000));
    /* where no one else shares the end its ports close, and that puts everything right */
    if (others_live(sharer->connection, sharer->end))
        bury(sharer, 0);
    /* number 0 stays the owner's: messages of its may still be under way */
    if (!sharer->number)
        return;
    sharer->connection->sharers[sharer->end][sharer->number] = NULL;
    connection_changed(sharer->connection);
    process_unbind(bond);
    free(sharer);
}

static const struct bond_ops sharer_ops = { .thread_gone = on_thread_gone, .process_gone = on_process_gone };

/* ---------------------------------------------------------------------------------------------- coming */

static void store(_Atomic uint32_t *field, uint32_t value)
{
    atomic_store_explicit(field, value, memory_order_relaxed);
}

static void make_known(struct connection *connection, enum alpc_end end, uint32_t number, uint32_t id)
{
    store(&connection->channel.header->sharer[end][number], id);
    if (end == END_CLIENT && connection->roster)
        store(&connection_entry(connection)->process[number], id);
}

NTSTATUS sharing_restore(struct connection *connection, enum alpc_end end, uint32_t number, struct process *process)
{
    struct sharer *sharer = malloc(sizeof(*sharer));

    if (!sharer)
        return STATUS_NO_MEMORY;
    *sharer = (struct sharer){ .connection = connection, .end = end, .number = number };
    connection->sharers[end][number] = sharer;
    process_bind(process, &sharer->bond, &sharer_ops);
    return STATUS_SUCCESS;
}

NTSTATUS sharing_add(struct connection *connection, enum alpc_end end, struct process *process, uint32_t *number)
{
    uint32_t i, place = ROSTER_PROCESSES;
    NTSTATUS status;

    for (i = 0; i < ROSTER_PROCESSES; i++)
    {
        *number = i;
        if (connection_process(connection, end, i) == process)
            return STATUS_SUCCESS;
        if (place == ROSTER_PROCESSES && !connection->sharers[end][i])
            place = i;
    }
    if (place == ROSTER_PROCESSES)
        return STATUS_INSUFFICIENT_RESOURCES;
    if ((status = sharing_restore(connection, end, place, process)))
        return status;
    make_known(connection, end, place, process->id);
    *number = place;
    return STATUS_SUCCESS;
}
