/*
 * Ports and connections as one process sees them
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "port.h"

#include <sys/mman.h>

bool (*port_attach_connection)(struct port *port, uint32_t slot);

struct connection *port_use_connection(struct thread *thread, struct port *port, uint32_t slot)
{
    struct connection *connection;

    if (!slot || slot >= ROSTER_SIZE ||
        atomic_load_explicit(&port->roster[slot].state, memory_order_relaxed) == ROSTER_FREE)
        return NULL;
    connection = thread_use(thread, USE_CONNECTION, &port->connections[slot]);
    if (connection && connection->generation == atomic_load_explicit(&port->roster[slot].generation, memory_order_acquire))
        return connection;
    thread_release(thread, USE_CONNECTION);
    if (!port_attach_connection(port, slot))
        return NULL;
    return thread_use(thread, USE_CONNECTION, &port->connections[slot]);
}

/* ---------------------------------------------------------------------------------------------- message contexts */

#define CONTEXTS (2u << CELL_INDEX_BITS)

uint64_t connection_context(const struct connection *connection, uint32_t cell)
{
    _Atomic uint64_t *contexts = atomic_load_explicit(&connection->contexts, memory_order_acquire);

    return contexts && cell < CONTEXTS ? atomic_load_explicit(&contexts[cell], memory_order_relaxed) : 0;
}

/* the table is private to this process: a context is most often a pointer, which the peer must not be able to change */
static _Atomic uint64_t *make_contexts(struct connection *connection)
{
    _Atomic uint64_t *contexts = NULL;
    void *memory = mmap(NULL, CONTEXTS * sizeof(*contexts), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    if (atomic_compare_exchange_strong(&connection->contexts, &contexts, memory))
        return memory;
    munmap(memory, CONTEXTS * sizeof(*contexts));
    return contexts;
}

NTSTATUS connection_set_context(struct connection *connection, uint32_t cell, uint64_t context)
{
    _Atomic uint64_t *contexts = atomic_load_explicit(&connection->contexts, memory_order_acquire);

    if (!contexts && (!context || !(contexts = make_contexts(connection))))
        return context ? STATUS_NO_MEMORY : STATUS_SUCCESS;
    if (cell < CONTEXTS)
        atomic_store_explicit(&contexts[cell], context, memory_order_relaxed);
    return STATUS_SUCCESS;
}

void connection_unmap(struct connection *connection)
{
    _Atomic uint64_t *contexts = atomic_load(&connection->contexts);

    if (contexts)
        munmap((void *)contexts, CONTEXTS * sizeof(*contexts));
    channel_unmap(&connection->channel);
}
