/*
 * Port objects
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "port.h"

#include "connection.h"
#include "server.h"

#include "ntalpc/nt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct port *by_id, *by_inode, *by_name, *by_absolute;
static uint64_t last_id;
static unsigned int file_count; /* ports that are not light */

/* ---------------------------------------------------------------------------------------------- attributes */

bool port_max_message(uint32_t given, uint32_t *limit)
{
    if (given && given < sizeof(PORT_MESSAGE))
        return false;
    *limit = given && given < ALPC_MAX_MESSAGE_LENGTH ? given : ALPC_MAX_MESSAGE_LENGTH;
    return true;
}

static NTSTATUS set_attributes(struct port *port, const struct port_attributes *attributes)
{
    /* only the kernel makes ports of system processes [3.1] */
    if (attributes->flags & ALPC_PORFLG_SYSTEM_PROCESS || !port_max_message(attributes->max_message, &port->max_message))
        return STATUS_INVALID_PARAMETER;
    port->flags = (attributes->flags & ~ALPC_PORFLG_LPC_MODE) | ALPC_PORFLG_ALLOW_LPC_REQUESTS;
    return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- files */

static NTSTATUS status_from_errno(void)
{
    return errno == ENOMEM ? STATUS_NO_MEMORY : STATUS_INSUFFICIENT_RESOURCES;
}

static void on_closed(struct watch *watch)
{
    port_destroy((struct port *)((char *)watch - offsetof(struct port, watch)));
}

static bool descriptors_run_out(void)
{
    struct rlimit limit;

    /* Wine's server has the same limit as this one */
    return !getrlimit(RLIMIT_NOFILE, &limit) && file_count + limit.rlim_cur / 16 > limit.rlim_cur;
}

static NTSTATUS make_handle_file(struct port *port)
{
    struct stat st;

    if (port->kind == PORT_SERVER && descriptors_run_out())
        return STATUS_SUCCESS;
    port->handle_fd = watch_begin(&port->watch, on_closed);
    if (port->handle_fd == -1 || fstat(port->handle_fd, &st))
        return status_from_errno();
    port->inode = st.st_ino;
    file_count++;
    return STATUS_SUCCESS;
}

static int make_memory(const char *name, off_t size, void **memory)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd == -1)
        return -1;
    if (!ftruncate(fd, size) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    else
        *memory = MAP_FAILED;
    if (*memory != MAP_FAILED)
        return fd;
    *memory = NULL;
    close(fd);
    return -1;
}

static int open_read_only(int fd)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static NTSTATUS make_queue(struct port *port)
{
    void *post = NULL, *desk = NULL, *roster = NULL;
    int roster_fd;

    port->post_fd = make_memory("ntalpc post", PORT_POST_SIZE, &post);
    port->desk_fd = make_memory("ntalpc desk", PORT_DESK_SIZE, &desk);
    roster_fd = make_memory("ntalpc roster", ROSTER_SIZE * sizeof(struct roster_entry), &roster);
    queue_init(&port->queue, post, desk, (_Atomic uint64_t *)((uint8_t *)post + 0x1000), PORT_QUEUE_BITS);
    port->roster = roster;
    port->desk_read_fd = port->desk_fd == -1 ? -1 : open_read_only(port->desk_fd);
    port->roster_fd = roster_fd == -1 ? -1 : open_read_only(roster_fd);
    if (roster_fd != -1)
        close(roster_fd);
    if (!post || !desk || !roster || port->desk_read_fd == -1 || port->roster_fd == -1)
        return status_from_errno();
    port->connections = calloc(ROSTER_SIZE, sizeof(*port->connections));
    port->first_free = 1;
    return port->connections ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static void free_queue(struct port *port)
{
    if (port->queue.post)
        munmap(port->queue.post, PORT_POST_SIZE);
    if (port->queue.desk)
        munmap(port->queue.desk, PORT_DESK_SIZE);
    if (port->roster)
        munmap(port->roster, ROSTER_SIZE * sizeof(struct roster_entry));
    free(port->connections);
}

/* ---------------------------------------------------------------------------------------------- names */

static bool has_name(const struct port *port, uint32_t number, const void *name, uint32_t size)
{
    return port->name->number == number && port->name->size == size && !memcmp(port->name->text, name, size);
}

static struct port_name *make_name(uint32_t number, const void *name, uint32_t size)
{
    struct port_name *key = calloc(1, sizeof(*key) + size);

    if (key)
    {
        key->number = number;
        key->size = size;
        memcpy(key->text, name, size);
    }
    return key;
}

struct port *port_by_name(uint32_t number, const void *name, uint32_t name_size)
{
    struct port *port = NULL;
    struct port_name *key;

    if (!number)
    {
        HASH_FIND(hh_absolute, by_absolute, name, name_size, port);
        return port;
    }
    if (!(key = make_name(number, name, name_size)))
        return NULL;
    HASH_FIND(hh_name, by_name, key, sizeof(*key) + name_size, port);
    free(key);
    return port && has_name(port, number, name, name_size) ? port : NULL;
}

static NTSTATUS set_name(struct port *port, const void *name, uint32_t size, bool absolute)
{
    uint32_t number = 1;

    while (port_by_name(number, name, size))
        number++;
    if (!(port->name = make_name(number, name, size)))
        return STATUS_NO_MEMORY;
    HASH_ADD_KEYPTR(hh_name, by_name, port->name, sizeof(*port->name) + size, port);
    /* Wine has made sure that a path names one object */
    port->absolute = absolute && !port_by_name(0, name, size);
    if (port->absolute)
        HASH_ADD_KEYPTR(hh_absolute, by_absolute, port->name->text, size, port);
    return STATUS_SUCCESS;
}

static void clear_name(struct port *port)
{
    if (!port->name)
        return;
    HASH_DELETE(hh_name, by_name, port);
    if (port->absolute)
        HASH_DELETE(hh_absolute, by_absolute, port);
    free(port->name);
    port->name = NULL;
}

/* ---------------------------------------------------------------------------------------------- lifetime */

static NTSTATUS new_port(enum port_kind kind, struct process *owner, const struct port_attributes *attributes,
                         struct port **result)
{
    struct port *port = calloc(1, sizeof(*port));
    NTSTATUS status;

    if (!port)
        return STATUS_NO_MEMORY;
    port->kind = kind;
    port->handle_fd = -1;
    port->post_fd = port->desk_fd = port->desk_read_fd = port->roster_fd = -1;
    port->owner = process_ref(owner);
    port->id = ++last_id;
    *result = port;
    if ((status = set_attributes(port, attributes)) || (status = make_handle_file(port)))
        return status;
    HASH_ADD(hh, by_id, id, sizeof(port->id), port);
    server_work_begins();
    if (port->inode)
        HASH_ADD(hh_inode, by_inode, inode, sizeof(port->inode), port);
    return STATUS_SUCCESS;
}

static NTSTATUS make_security(struct port *port, const void *security, uint32_t size)
{
    struct security_descriptor *requested = NULL;
    NTSTATUS status = size ? security_descriptor_parse(security, size, &requested) : STATUS_SUCCESS;

    if (!status)
        status = security_descriptor_create(requested, port->owner->token, &port_mapping, &port->security);
    free(requested);
    return status;
}

NTSTATUS port_create(struct process *owner, const struct port_attributes *attributes, const void *name,
                     uint32_t name_size, bool absolute, const void *security, uint32_t security_size,
                     struct port **port)
{
    struct port *new = NULL;
    NTSTATUS status = new_port(PORT_CONNECTION, owner, attributes, &new);

    if (!status)
        status = make_security(new, security, security_size);
    if (!status)
        status = make_queue(new);
    if (!status && name_size)
        status = set_name(new, name, name_size, absolute);
    if (!status)
        *port = new;
    else if (new)
        port_destroy(new);
    return status;
}

NTSTATUS port_create_communication(enum port_kind kind, struct process *owner, const struct port_attributes *attributes,
                                   struct connection *connection, struct port **port)
{
    struct port *new = NULL;
    NTSTATUS status = new_port(kind, owner, attributes, &new);

    if (!status)
        status = make_security(new, NULL, 0);
    if (status)
    {
        if (new)
            port_destroy(new);
        return status;
    }
    new->connection = connection;
    *port = new;
    return STATUS_SUCCESS;
}

static void close_fd(int fd)
{
    if (fd != -1)
        close(fd);
}

void port_destroy(struct port *port)
{
    if (port->kind == PORT_CONNECTION && port->roster)
        connections_server_gone(port);
    else if (port->connection)
        connection_end_gone(port->connection, port->kind == PORT_CLIENT ? END_CLIENT : END_SERVER, true, 0);
    clear_name(port);
    if (port->hh.tbl)
    {
        HASH_DELETE(hh, by_id, port);
        server_work_ends();
    }
    if (port->hh_inode.tbl)
        HASH_DELETE(hh_inode, by_inode, port);
    if (port->inode)
        file_count--;
    watch_end(&port->watch);
    close_fd(port->handle_fd);
    close_fd(port->post_fd);
    close_fd(port->desk_fd);
    close_fd(port->desk_read_fd);
    close_fd(port->roster_fd);
    free_queue(port);
    free(port->security);
    process_unref(port->owner);
    free(port);
}

void ports_forget_process(const struct process *process)
{
    struct port *port, *next;

    /* the others end with their file */
    HASH_ITER(hh, by_id, port, next)
        if (port->owner == process && !port->inode)
            port_destroy(port);
}

void port_destroy_all(void)
{
    struct port *port, *next;

    HASH_ITER(hh, by_id, port, next)
        port_destroy(port);
}

/* ---------------------------------------------------------------------------------------------- lookup */

struct port *port_by_id(uint64_t id)
{
    struct port *port;

    HASH_FIND(hh, by_id, &id, sizeof(id), port);
    return port;
}

struct port *port_by_inode(uint64_t inode)
{
    struct port *port;

    HASH_FIND(hh_inode, by_inode, &inode, sizeof(inode), port);
    return port;
}

struct port *port_first(void)
{
    return by_id;
}

struct port *port_next(const struct port *port)
{
    return port->hh.next;
}
