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

static struct port *ports; /* those with handles */
static struct main_queue *main_queues;

static void close_fd(int fd)
{
    if (fd != -1)
        close(fd);
}

/* maps a file, read-only if that is how it was opened, and closes the descriptor */
static void *map(int fd, size_t size, bool writable)
{
    void *memory = fd == -1 ? MAP_FAILED : mmap(NULL, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);

    close_fd(fd);
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

    if (!queue || --queue->refs)
        return;
    for (link = &main_queues; *link != queue; link = &(*link)->next)
        ;
    *link = queue->next;
    unmap(queue->queue.post, PORT_POST_SIZE);
    unmap(queue->queue.desk, PORT_DESK_SIZE);
    unmap(queue->roster, ROSTER_SIZE * sizeof(*queue->roster));
    free(queue);
}

/*
 * One mapping serves all connections that this process has made to a port.  Who receives needs another one than who
 * sends: the desk of a sender is read-only.
 */
static struct main_queue *main_queue_map(uint64_t id, bool receives, int post_fd, int desk_fd)
{
    struct main_queue *queue;
    void *post, *desk;

    for (queue = main_queues; queue; queue = queue->next)
        if (queue->id == id && queue->receives == receives)
        {
            close_fd(post_fd);
            close_fd(desk_fd);
            queue->refs++;
            return queue;
        }
    post = map(post_fd, PORT_POST_SIZE, true);
    desk = map(desk_fd, PORT_DESK_SIZE, receives);
    if (!post || !desk || !(queue = calloc(1, sizeof(*queue))))
    {
        unmap(post, PORT_POST_SIZE);
        unmap(desk, PORT_DESK_SIZE);
        return NULL;
    }
    queue_init(&queue->queue, post, desk, (_Atomic uint64_t *)((uint8_t *)post + 0x1000), PORT_QUEUE_BITS);
    queue->id = id;
    queue->receives = receives;
    queue->refs = 1;
    queue->next = main_queues;
    main_queues = queue;
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

void object_connection_unref(struct connection *connection)
{
    if (connection && !--connection->refs)
        thread_retire(connection, connection_destroy);
}

static struct connection *make_connection(const struct connection_info *info, int channel_fd, struct main_queue *main)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (!main || !connection || channel_fd == -1 || !channel_map(&connection->channel, channel_fd, true))
    {
        close_fd(channel_fd);
        main_queue_unref(main);
        free(connection);
        return NULL;
    }
    close(channel_fd);
    connection->end = info->end;
    connection->slot = info->slot;
    connection->generation = info->generation;
    connection->process = info->process;
    connection->peer = info->peer;
    connection->session = info->session;
    connection->main = main;
    connection->refs = 1;
    return connection;
}

struct connection *object_connection(const struct connection_info *info, int channel_fd, int post_fd, int desk_fd)
{
    return make_connection(info, channel_fd,
                           main_queue_map(info->queue, info->end == END_SERVER, post_fd, desk_fd));
}

/* puts a connection into its slot; what stood there is of an earlier one */
static void set_slot(struct port *port, uint32_t slot, struct connection *connection)
{
    object_connection_unref(atomic_exchange(&port->connections[slot], connection));
}

static bool attach_locked(struct port *port, uint32_t slot)
{
    struct attach_connection_request request = { .port = port->key, .slot = slot };
    struct attach_connection_reply reply;
    int fds[PROTOCOL_MAX_FDS];
    struct connection_info info = { .end = END_SERVER, .slot = slot };
    struct connection *connection = atomic_load(&port->connections[slot]);

    /* another thread may have been faster */
    if (connection && connection->generation == atomic_load(&port->roster[slot].generation))
        return true;
    if (process_call(REQUEST_attach_connection, &request, NULL, &reply, NULL, fds))
    {
        set_slot(port, slot, NULL);
        return false;
    }
    info.generation = reply.generation;
    info.process = reply.process;
    info.peer = atomic_load(&port->roster[slot].process[0]);
    port->main->refs++;
    connection = make_connection(&info, fds[0], port->main);
    set_slot(port, slot, connection);
    return connection != NULL;
}

bool object_attach_connection(struct port *port, uint32_t slot)
{
    sigset_t saved;
    bool attached;

    process_lock(&saved);
    attached = attach_locked(port, slot);
    process_unlock(&saved);
    return attached;
}

struct connection *object_connection_ref(struct port *port, uint32_t slot)
{
    struct connection *connection;

    if (!attach_locked(port, slot))
        return NULL;
    connection = atomic_load(&port->connections[slot]);
    connection->refs++;
    return connection;
}

/* ---------------------------------------------------------------------------------------------- ports */

static void port_destroy(void *object)
{
    struct port *port = object;
    uint32_t slot;

    if (port->connections)
    {
        for (slot = 1; slot < ROSTER_SIZE; slot++)
            object_connection_unref(atomic_load(&port->connections[slot]));
        munmap((void *)port->connections, ROSTER_SIZE * sizeof(*port->connections));
    }
    main_queue_unref(port->main);
    object_connection_unref(port->connection);
    free(port);
}

void object_discard(struct port *port)
{
    struct close_port_request request = { .port = port->key };
    struct close_port_reply reply;

    process_call(REQUEST_close_port, &request, NULL, &reply, NULL, NULL);
    port_destroy(port);
}

static struct port *make_port(enum port_kind kind, uint64_t key, uint32_t flags)
{
    struct port *port = calloc(1, sizeof(*port));

    if (!port)
        return NULL;
    port->kind = kind;
    port->key = key;
    port->flags = flags | ALPC_PORFLG_ALLOW_LPC_REQUESTS;
    return port;
}

struct port *object_connection_port(uint64_t key, uint64_t queue, uint32_t flags, int post_fd, int desk_fd,
                                    int roster_fd)
{
    struct port *port = make_port(PORT_CONNECTION, key, flags);
    struct main_queue *main = main_queue_map(queue, true, post_fd, desk_fd);
    void *connections = mmap(NULL, ROSTER_SIZE * sizeof(*port->connections), PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (main && !main->roster)
        main->roster = map(roster_fd, ROSTER_SIZE * sizeof(*main->roster), false);
    else
        close_fd(roster_fd);
    if (!port || !main || !main->roster || connections == MAP_FAILED)
    {
        if (connections != MAP_FAILED)
            munmap(connections, ROSTER_SIZE * sizeof(*port->connections));
        main_queue_unref(main);
        free(port);
        return NULL;
    }
    port->main = main;
    port->queue = &main->queue;
    port->roster = main->roster;
    port->connections = connections;
    return port;
}

struct port *object_communication_port(enum port_kind kind, uint64_t key, uint32_t flags,
                                       struct connection *connection)
{
    struct port *port = make_port(kind, key, flags);

    if (!port)
    {
        object_connection_unref(connection);
        return NULL;
    }
    port->connection = connection;
    port->queue = kind == PORT_CLIENT ? &connection->channel.client_queue : NULL;
    return port;
}

static struct port *attached_port(uint64_t key, const struct attach_port_reply *reply, const int *fds)
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
    struct connection *connection;
    struct port *port;

    if (reply->kind == PORT_CONNECTION)
        return object_connection_port(key, reply->queue, reply->flags, fds[0], fds[1], fds[2]);
    if (!(connection = object_connection(&info, fds[0], fds[1], fds[2])))
        return NULL;
    port = object_communication_port((enum port_kind)reply->kind, key, reply->flags, connection);
    if (port)
        port->context = reply->context;
    return port;
}

NTSTATUS object_attach_port(uint64_t key, struct port **result)
{
    struct attach_port_request request = { .port = key };
    struct attach_port_reply reply;
    int fds[PROTOCOL_MAX_FDS];
    struct port *port;
    NTSTATUS status;

    for (port = ports; port; port = port->next)
        if (port->key == key)
        {
            *result = port;
            return STATUS_SUCCESS;
        }
    if ((status = process_call(REQUEST_attach_port, &request, NULL, &reply, NULL, fds)))
        return status;
    *result = attached_port(key, &reply, fds);
    return *result ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

void object_handle_added(struct port *port)
{
    if (port->handles++)
        return;
    port->next = ports;
    ports = port;
}

/* the connection port of this process that a server communication port belongs to keeps no dead connection mapped */
static void forget_connection(const struct connection *connection)
{
    struct port *port;

    for (port = ports; port; port = port->next)
        if (port->kind == PORT_CONNECTION && port->main == connection->main &&
            atomic_load(&port->connections[connection->slot]) == connection)
            set_slot(port, connection->slot, NULL);
}

void object_handle_removed(struct port *port)
{
    struct close_port_request request = { .port = port->key };
    struct port **link;

    if (--port->handles)
        return;
    for (link = &ports; *link != port; link = &(*link)->next)
        ;
    *link = port->next;
    /* closes a light port; of others alpcserver is told by the kernel, and has looked at that when this returns, so
     * that the other end knows when NtClose has come back [4.11] */
    process_notify(REQUEST_close_port, &request);
    if (port->kind == PORT_SERVER)
        forget_connection(port->connection);
    thread_retire(port, port_destroy);
}
