/*
 * How ports and connections come into this process and leave it
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "object.h"

#include "process.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* the lists, and the reference counts of what is in them, are the process lock's */
static struct port *ports;
static struct main_queue *main_queues;

/* maps a file from the thread's hold, read-only if that is how it was opened, and closes the descriptor */
static void *map(struct thread *thread, unsigned int index, size_t size, bool writable)
{
    int fd = thread->hold.fds[index];
    void *memory = MAP_FAILED;

    if (fd != -1)
    {
        memory = mmap(NULL, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
        close(thread_take_fd(thread, index));
    }
    return memory == MAP_FAILED ? NULL : memory;
}

static void unmap(const void *memory, size_t size)
{
    if (memory)
        munmap((void *)memory, size);
}

/* ---------------------------------------------------------------------------------------------- main queues */

static void main_queue_unref(struct main_queue *queue)
{
    struct main_queue **link;
    sigset_t saved;
    bool last;

    if (!queue)
        return;
    process_lock(&saved);
    if ((last = !--queue->refs))
    {
        for (link = &main_queues; *link != queue; link = &(*link)->next)
            ;
        *link = queue->next;
    }
    process_unlock(&saved);
    if (!last)
        return;
    unmap(queue->queue.post, PORT_POST_SIZE);
    unmap(queue->queue.desk, PORT_DESK_SIZE);
    unmap(queue->roster, ROSTER_SIZE * sizeof(*queue->roster));
    free(queue);
}

/* takes a reference */
static struct main_queue *find_main_queue(uint64_t id, bool receives)
{
    struct main_queue *queue;

    for (queue = main_queues; queue; queue = queue->next)
        if (queue->id == id && queue->receives == receives)
        {
            queue->refs++;
            break;
        }
    return queue;
}

static struct main_queue *map_main_queue(struct thread *thread, uint64_t id, bool receives, unsigned int first)
{
    struct main_queue *queue = calloc(1, sizeof(*queue));
    void *post = map(thread, first, PORT_POST_SIZE, true);
    void *desk = map(thread, first + 1, PORT_DESK_SIZE, receives);

    if (!post || !desk || !queue)
    {
        unmap(post, PORT_POST_SIZE);
        unmap(desk, PORT_DESK_SIZE);
        free(queue);
        return NULL;
    }
    queue_init(&queue->queue, post, desk, (_Atomic uint64_t *)((uint8_t *)post + 0x1000), PORT_QUEUE_BITS);
    queue->id = id;
    queue->receives = receives;
    queue->refs = 1;
    return queue;
}

/*
 * One mapping serves all connections that this process has made to a port.  Who receives needs another one than who
 * sends: the desk of a sender is read-only.
 */
static struct main_queue *main_queue_get(struct thread *thread, uint64_t id, bool receives, unsigned int first)
{
    struct main_queue *queue;
    sigset_t saved;

    process_lock(&saved);
    if (!(queue = find_main_queue(id, receives)) && (queue = map_main_queue(thread, id, receives, first)))
    {
        queue->next = main_queues;
        main_queues = queue;
    }
    process_unlock(&saved);
    return queue;
}

/* ---------------------------------------------------------------------------------------------- connections */

static void connection_destroy(void *object)
{
    struct connection *connection = object;

    connection_unmap(connection);
    main_queue_unref(connection->main);
    free(connection);
}

static void connection_unref(struct connection *connection)
{
    sigset_t saved;
    bool last;

    if (!connection)
        return;
    process_lock(&saved);
    last = !--connection->refs;
    process_unlock(&saved);
    if (last)
        thread_retire(connection, connection_destroy);
}

/* from the channel in the thread's hold; takes over the caller's reference to the queue */
static struct connection *make_connection(struct thread *thread, const struct connection_info *info,
                                          unsigned int channel, struct main_queue *main)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    int fd = thread->hold.fds[channel];

    if (!main || !connection || fd == -1 || !channel_map(&connection->channel, fd, true))
    {
        main_queue_unref(main);
        free(connection);
        return NULL;
    }
    connection->end = info->end;
    connection->channel.slot = info->slot;
    connection->channel.queue[END_SERVER] = &main->queue;
    connection->generation = info->generation;
    connection->process = info->process;
    connection->peer = info->peer;
    connection->session = info->session;
    connection->main = main;
    connection->refs = 1;
    return connection;
}

/* whether the connection in the slot is the one that the roster has there now */
static struct connection *current(struct port *port, uint32_t slot)
{
    struct connection *connection = atomic_load(&port->connections[slot]);

    return connection && connection->generation == atomic_load(&port->roster[slot].generation) ? connection : NULL;
}

/*
 * Puts a connection into its slot, with the caller's reference, unless another thread has been faster; what stood there
 * is of an earlier one.  Returns a further reference to what is in the slot then, which may be NULL.
 */
static struct connection *set_slot(struct port *port, uint32_t slot, struct connection *connection)
{
    struct connection *old, *now;
    sigset_t saved;

    process_lock(&saved);
    if ((now = current(port, slot)))
        old = connection;
    else
    {
        now = connection;
        old = atomic_exchange(&port->connections[slot], connection);
    }
    if (now)
        now->refs++;
    process_unlock(&saved);
    connection_unref(old);
    return now;
}

static NTSTATUS attach_connection(struct thread *thread, struct port *port, uint32_t slot,
                                  struct connection **connection)
{
    struct attach_connection_request request = { .port = port->key, .slot = slot };
    struct attach_connection_reply reply;
    struct connection_info info = { .end = END_SERVER, .slot = slot };
    sigset_t saved;
    NTSTATUS status;

    if ((status = process_call(thread, REQUEST_attach_connection, &request, NULL, &reply, NULL)))
    {
        *connection = set_slot(port, slot, NULL);
        return *connection ? STATUS_SUCCESS : status;
    }
    info.generation = reply.generation;
    info.process = reply.process;
    info.peer = atomic_load(&port->roster[slot].process[0]);
    process_lock(&saved);
    port->main->refs++;
    process_unlock(&saved);
    *connection = set_slot(port, slot, make_connection(thread, &info, 0, port->main));
    thread_close_fds(thread);
    return *connection ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

/*
 * The connection in a slot of a connection port, with a reference.  STATUS_INVALID_MESSAGE if there is none; others if
 * this process cannot reach it.
 */
static NTSTATUS connection_ref(struct thread *thread, struct port *port, uint32_t slot, struct connection **connection)
{
    sigset_t saved;

    process_lock(&saved);
    if ((*connection = current(port, slot)))
        (*connection)->refs++;
    process_unlock(&saved);
    return *connection ? STATUS_SUCCESS : attach_connection(thread, port, slot, connection);
}

NTSTATUS object_attach_connection(struct port *port, uint32_t slot)
{
    struct thread *thread = thread_record;
    struct connection *connection;
    sigset_t saved;
    NTSTATUS status;

    signals_block(&saved);
    status = connection_ref(thread, port, slot, &connection);
    connection_unref(connection);
    signals_restore(&saved);
    return status;
}

/* ---------------------------------------------------------------------------------------------- ports */

static void port_destroy(void *object)
{
    struct port *port = object;
    uint32_t slot;

    if (port->connections)
    {
        for (slot = 1; slot < ROSTER_SIZE; slot++)
            connection_unref(atomic_load(&port->connections[slot]));
        munmap((void *)port->connections, ROSTER_SIZE * sizeof(*port->connections));
    }
    main_queue_unref(port->main);
    connection_unref(port->connection);
    free(port);
}

static struct port *make_port(enum port_kind kind, uint64_t key, uint32_t flags)
{
    struct port *port = calloc(1, sizeof(*port));

    if (!port)
        return NULL;
    port->kind = kind;
    port->key = key;
    port->flags = flags | ALPC_PORFLG_ALLOW_LPC_REQUESTS;
    port->refs = 1;
    return port;
}

/* what is needed to receive from all clients of a port */
static bool open_connection_port(struct thread *thread, struct port *port, uint64_t queue, unsigned int first)
{
    void *connections = mmap(NULL, ROSTER_SIZE * sizeof(*port->connections), PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const struct roster_entry *roster = map(thread, first + 2, ROSTER_SIZE * sizeof(*roster), false), *other = NULL;
    sigset_t saved;

    port->connections = connections == MAP_FAILED ? NULL : connections;
    if (!(port->main = main_queue_get(thread, queue, true, first)) || !roster || !port->connections)
    {
        unmap(roster, ROSTER_SIZE * sizeof(*roster));
        return false;
    }
    process_lock(&saved);
    if ((other = port->main->roster))
        port->roster = other;
    else
        port->roster = port->main->roster = roster;
    process_unlock(&saved);
    if (other)
        unmap(roster, ROSTER_SIZE * sizeof(*roster));
    port->queue = &port->main->queue;
    return true;
}

/* takes a reference */
static struct port *find_port(uint64_t key)
{
    struct port *port;

    for (port = ports; port && port->key != key; port = port->next)
        ;
    if (port)
        port->refs++;
    return port;
}

/* puts a new port, which may be NULL, into the list and the thread's hold; if another thread was faster, that one's */
static struct port *hold_port(struct thread *thread, struct port *port)
{
    struct port *other = NULL;
    sigset_t saved;

    if (!port)
        return NULL;
    process_lock(&saved);
    if (!(other = find_port(port->key)))
    {
        port->next = ports;
        ports = port;
    }
    thread->hold.port = other ? other : port;
    process_unlock(&saved);
    if (other)
        port_destroy(port);
    return thread->hold.port;
}

struct port *object_connection_port(struct thread *thread, uint64_t key, uint64_t queue, uint32_t flags,
                                    unsigned int first)
{
    struct port *port;
    sigset_t saved;

    signals_block(&saved);
    if ((port = make_port(PORT_CONNECTION, key, flags)) && !open_connection_port(thread, port, queue, first))
    {
        port_destroy(port);
        port = NULL;
    }
    thread_close_fds(thread);
    port = hold_port(thread, port);
    signals_restore(&saved);
    return port;
}

/* takes over the caller's reference to the connection */
static struct port *communication_port(struct thread *thread, enum port_kind kind, uint64_t key, uint32_t flags,
                                       struct connection *connection)
{
    struct port *port = connection ? make_port(kind, key, flags) : NULL;

    if (!port)
    {
        connection_unref(connection);
        return NULL;
    }
    port->connection = connection;
    port->queue = kind == PORT_CLIENT ? &connection->channel.client_queue : NULL;
    return hold_port(thread, port);
}

struct port *object_communication_port(struct thread *thread, enum port_kind kind, uint64_t key, uint32_t flags,
                                       const struct connection_info *info, unsigned int first)
{
    struct main_queue *main;
    struct port *port;
    sigset_t saved;

    signals_block(&saved);
    main = main_queue_get(thread, info->queue, info->end == END_SERVER, first + 1);
    port = communication_port(thread, kind, key, flags, make_connection(thread, info, first, main));
    thread_close_fds(thread);
    signals_restore(&saved);
    return port;
}

struct port *object_accepted_port(struct thread *thread, struct port *server_port, uint32_t slot, uint64_t key,
                                  uint32_t flags)
{
    struct connection *connection;
    struct port *port;
    sigset_t saved;

    signals_block(&saved);
    if (connection_ref(thread, server_port, slot, &connection))
        connection = NULL;
    port = communication_port(thread, PORT_SERVER, key, flags, connection);
    signals_restore(&saved);
    return port;
}

static struct port *attached_port(struct thread *thread, uint64_t key, const struct attach_port_reply *reply)
{
    const struct connection_info info = {
        .end = reply->kind == PORT_CLIENT ? END_CLIENT : END_SERVER,
        .queue = reply->queue,
        .slot = reply->slot,
        .generation = reply->generation,
        .process = reply->process,
        .peer = reply->kind == PORT_CLIENT ? reply->server_process : reply->client_process,
        .session = reply->server_session,
    };
    struct port *port;

    if (reply->kind == PORT_CONNECTION)
        return object_connection_port(thread, key, reply->queue, reply->flags, 0);
    port = object_communication_port(thread, (enum port_kind)reply->kind, key, reply->flags, &info, 0);
    if (port && reply->kind == PORT_SERVER)
        port->context = reply->context;
    return port;
}

NTSTATUS object_attach_port(struct thread *thread, uint64_t key, struct port **result)
{
    struct attach_port_request request = { .port = key };
    struct attach_port_reply reply;
    sigset_t saved;
    NTSTATUS status;

    process_lock(&saved);
    *result = thread->hold.port = find_port(key);
    process_unlock(&saved);
    if (*result)
        return STATUS_SUCCESS;
    if ((status = process_call(thread, REQUEST_attach_port, &request, NULL, &reply, NULL)))
        return status;
    *result = attached_port(thread, key, &reply);
    return *result ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

/* a connection port of this process keeps no dead connection mapped; the connection in one such slot, out of it */
static struct connection *take_slot(const struct connection *connection)
{
    struct connection *taken = NULL;
    struct port *port;
    sigset_t saved;

    process_lock(&saved);
    for (port = ports; port && !taken; port = port->next)
        if (port->kind == PORT_CONNECTION && port->main == connection->main &&
            atomic_load(&port->connections[connection->channel.slot]) == connection)
            taken = atomic_exchange(&port->connections[connection->channel.slot], NULL);
    process_unlock(&saved);
    return taken;
}

static bool take_from_list(struct port *port)
{
    struct port **link;
    sigset_t saved;
    bool last;

    process_lock(&saved);
    if ((last = !--port->refs))
    {
        for (link = &ports; *link != port; link = &(*link)->next)
            ;
        *link = port->next;
    }
    process_unlock(&saved);
    return last;
}

bool object_port_unref(struct thread *thread, struct port *port)
{
    struct close_port_request request = { .port = port->key };
    struct connection *connection;
    sigset_t saved;
    bool last;

    /* nobody else can end what a thread has begun here */
    signals_block(&saved);
    if ((last = take_from_list(port)))
    {
        /* closes a light port; of others alpcserver is told by the kernel, and has looked at that when this returns, so
         * that the other end knows when NtClose has come back [4.11] */
        process_notify(thread, REQUEST_close_port, &request);
        while (port->kind == PORT_SERVER && (connection = take_slot(port->connection)))
            connection_unref(connection);
        thread_retire(port, port_destroy);
    }
    signals_restore(&saved);
    return last;
}
