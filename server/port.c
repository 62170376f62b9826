/*
 * Port objects
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "port.h"

#include "dump.h"
#include "name.h"
#include "request.h"
#include "server.h"
#include "state.h"
#include "text.h"

#include "dlls/ntdll/alpc/wait.h"
#include "ntalpc/nt.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* so long a program may ask again for a handle that it did not get, since the server that made it was killed */
#define SETTLE_NS 1000000000

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
    if (attributes->flags & ALPC_PORFLG_SYSTEM_PROCESS ||
        !port_max_message(attributes->max_message, &port->max_message))
        return STATUS_INVALID_PARAMETER;
    port->flags = (attributes->flags & ~ALPC_PORFLG_LPC_MODE) | ALPC_PORFLG_ALLOW_LPC_REQUESTS;
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

/* ---------------------------------------------------------------------------------------------- files */

static void on_closed(struct watch *watch)
{
    port_close((struct port *)((char *)watch - offsetof(struct port, watch)));
}

static void on_owner_gone(struct bond *bond)
{
    port_close((struct port *)((char *)bond - offsetof(struct port, bond)));
}

static const struct bond_ops light_ops = { .process_gone = on_owner_gone };

static bool descriptors_run_out(void)
{
    struct rlimit limit;

    /* Wine's server has the same limit as this one */
    return !getrlimit(RLIMIT_NOFILE, &limit) && file_count + limit.rlim_cur / 16 > limit.rlim_cur;
}

/* the program may ask another alpcserver for the handle again; only accepting needs that */
static bool keeps_handle(const struct port *port)
{
    return port->ops->kind == PORT_SERVER;
}

static NTSTATUS make_handle_file(struct port *port)
{
    const struct port_file content = { .magic = PORT_FILE_MAGIC, .key = port->object.key };
    NTSTATUS status;

    if (port->ops->kind == PORT_SERVER && descriptors_run_out())
    {
        port->light = true;
        process_bind(port->owner, &port->bond, &light_ops);
        return STATUS_SUCCESS;
    }
    status = watch_begin(&port->watch, &content, on_closed, &port->handle_fd);
    if (status)
        return status;
    file_count++;
    if (keeps_handle(port))
        state_inherit(port->handle_fd);
    return STATUS_SUCCESS;
}

static void handle_sent(struct port *port)
{
    int fd = port->handle_fd;

    port->handle_fd = -1;
    if (keeps_handle(port))
        port_changed(port);
    state_commit();
    close(fd);
}

void port_give_handle(struct port *port, struct reply *reply)
{
    if (port->handle_fd == -1)
        return;
    reply_lend_fd(reply, port->handle_fd);
    reply->sent = handle_sent;
    reply->port = port;
}

/* ---------------------------------------------------------------------------------------------- lifetime */

static void port_dump(struct object *object, struct dump *dump);

static void close_port(struct object *object)
{
    port_close((struct port *)object);
}

static void save_port(const struct object *object, struct state_writer *writer);

static const struct object_ops object_ops = {
    .kind = OBJECT_PORT, .close = close_port, .dump = port_dump, .save = save_port
};

void port_changed(const struct port *port)
{
    object_changed(&port->object, &object_ops);
}

static void port_free(struct port *port)
{
    if (port->object.ops)
        server_work_ends();
    object_forget(&port->object, OBJECT_PORT);
    object_remove(&port->object);
    if (port->watch.inotify)
        file_count--;
    watch_end(&port->watch);
    process_unbind(&port->bond);
    if (port->handle_fd != -1)
        close(port->handle_fd);
    free(port->security);
    process_unref(port->owner);
    free(port);
}

NTSTATUS port_init(struct port *port, const struct port_ops *ops, struct process *owner,
                   const struct port_attributes *attributes, const void *security, uint32_t security_size)
{
    NTSTATUS status;

    port->ops = ops;
    port->handle_fd = -1;
    port->owner = process_ref(owner);
    object_add(&port->object, &object_ops);
    server_work_begins();
    if ((status = set_attributes(port, attributes)) || (status = make_security(port, security, security_size)) ||
        (status = make_handle_file(port)))
        port_free(port);
    return status;
}

void port_close(struct port *port)
{
    port->ops->closed(port);
    port_free(port);
}

struct port *port_find(uint64_t key)
{
    return (struct port *)object_find(OBJECT_PORT, key);
}

struct port *port_find_kind(uint64_t key, enum port_kind kind)
{
    struct port *port = port_find(key);

    return port && port->ops->kind == kind ? port : NULL;
}

void ports_end(void)
{
    object_close_all(OBJECT_PORT);
}

/* ---------------------------------------------------------------------------------------------- another alpcserver */

static void save_security(const struct port *port, struct state_writer *writer)
{
    const uint32_t all = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION |
                         SACL_SECURITY_INFORMATION;
    uint32_t size = 0;
    void *security;

    security_descriptor_query(port->security, all, NULL, 0, &size);
    security = malloc(size + 1);
    if (!security || security_descriptor_query(port->security, all, security, size, &size))
        writer->failed = true;
    else
        state_write_bytes(writer, security, size);
    free(security);
}

static void save_port(const struct object *object, struct state_writer *writer)
{
    const struct port *port = (const struct port *)object;
    struct watch_place place = watch_place(&port->watch);

    state_write(writer, port->ops->kind);
    state_write(writer, port->light);
    state_write_fd(writer, place.fd);
    state_write(writer, (uint64_t)place.wd);
    state_write_fd(writer, keeps_handle(port) ? port->handle_fd : -1);
    state_write(writer, port->settled);
    state_write(writer, port->owner->object.key);
    state_write(writer, port->flags);
    state_write(writer, port->max_message);
    state_write(writer, port->disconnected);
    save_security(port, writer);
    port->ops->save(port, writer);
}

static bool read_security(struct port *port, struct state_reader *reader)
{
    size_t size;
    const void *data = state_read_bytes(reader, &size);

    return !size || !security_descriptor_parse(data, size, &port->security);
}

static bool restore_file(struct port *port, struct watch_place place)
{
    if (port->light)
        process_bind(port->owner, &port->bond, &light_ops);
    else if (!watch_restore(&port->watch, place, on_closed))
        return false;
    else
        file_count++;
    return true;
}

bool port_restore(struct port *port, const struct port_ops *ops, uint64_t key, uint64_t serial,
                  struct state_reader *reader)
{
    struct watch_place place;

    port->ops = ops;
    port->light = state_read(reader);
    place.fd = state_read_fd(reader);
    place.wd = (int)state_read(reader);
    port->handle_fd = state_read_fd(reader);
    port->settled = state_read(reader);
    port->owner = process_by_key(state_read(reader));
    port->flags = (uint32_t)state_read(reader);
    port->max_message = (uint32_t)state_read(reader);
    port->disconnected = state_read(reader);
    if (!port->owner || !read_security(port, reader) || reader->failed)
    {
        free(port);
        return false;
    }
    process_ref(port->owner);
    object_add_again(&port->object, &object_ops, key, serial);
    server_work_begins();
    if (restore_file(port, place))
        return true;
    port_free(port);
    return false;
}

bool ports_settle(void)
{
    uint64_t now = monotonic_ns();
    struct object *object;
    bool left = false;

    for (object = object_first(OBJECT_PORT); object; object = object_next(object))
    {
        struct port *port = (struct port *)object;

        if (port->handle_fd == -1)
            continue;
        if (!port->settled)
        {
            port->settled = now + SETTLE_NS;
            port_changed(port);
        }
        if (port->settled > now)
            left = true;
        else
            handle_sent(port);
    }
    return left;
}

/* ---------------------------------------------------------------------------------------------- the dump */

static void port_dump(struct object *object, struct dump *dump)
{
    const uint32_t all = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION |
                         SACL_SECURITY_INFORMATION;
    const struct port *port = (const struct port *)object;
    const struct name *name = port->ops->name(port);
    char *text = name ? utf16_to_utf8(name->text, name->size) : NULL;
    uint32_t security_size = 0;
    void *security;
    struct port_record record = {
        .port = port->object.serial,
        .kind = port->ops->kind,
        .process = port->owner->id,
        .pid = (uint32_t)port->owner->pid,
        .flags = port->flags,
        .max_message = port->max_message,
        .number = name ? name->number : 0,
        .disconnected = port->disconnected,
        .name_size = dump_text_size(text),
        .program_size = dump_text_size(port->owner->program),
    };
    size_t at;

    security_descriptor_query(port->security, all, NULL, 0, &security_size);
    security = malloc(security_size ? security_size : 1);
    if (!security || security_descriptor_query(port->security, all, security, security_size, &security_size))
        security_size = 0;
    record.security_size = security_size;
    port->ops->describe(port, &record);
    at = dump_begin(dump, RECORD_port, &record.header, sizeof(record));
    dump_append(dump, text, record.name_size);
    dump_append(dump, port->owner->program, record.program_size);
    dump_append(dump, security, record.security_size);
    dump_end(dump, at);
    free(security);
    free(text);
}

/* ---------------------------------------------------------------------------------------------- requests */

NTSTATUS handle_attach_port(struct caller *caller, const struct attach_port_request *request, data_list data,
                            struct reply *reply)
{
    struct port *port = port_find(request->port);

    (void)data;
    if (!port)
        return STATUS_OBJECT_TYPE_MISMATCH;
    reply->attach_port.kind = port->ops->kind;
    reply->attach_port.flags = port->flags;
    return port->ops->attach(port, caller->process, reply);
}

NTSTATUS handle_disconnect_port(struct caller *caller, const struct disconnect_port_request *request, data_list data,
                                struct reply *reply)
{
    struct port *port = port_find(request->port);

    (void)caller, (void)data, (void)reply;
    if (!port)
        return STATUS_INVALID_HANDLE;
    if (port->disconnected)
        return STATUS_PORT_DISCONNECTED;
    port->disconnected = true;
    port->ops->disconnect(port, request->flags);
    port_changed(port);
    return STATUS_SUCCESS;
}

/* what has a file ends with that: it may have a handle elsewhere */
NTSTATUS handle_close_port(struct caller *caller, const struct close_port_request *request, data_list data,
                           struct reply *reply)
{
    struct port *port;

    (void)data, (void)reply;
    watch_catch_up();
    port = port_find(request->port);
    if (!port || port->owner != caller->process)
        return STATUS_INVALID_HANDLE;
    if (port->light)
        port_close(port);
    return STATUS_SUCCESS;
}

NTSTATUS handle_query_name(struct caller *caller, const struct query_name_request *request, data_list data,
                           struct reply *reply)
{
    const struct port *port = port_find(request->port);
    const struct name *name;
    void *text;

    (void)caller, (void)data;
    if (!port)
        return STATUS_INVALID_HANDLE;
    if (!(name = port->ops->name(port)))
        return STATUS_SUCCESS;
    if (!(text = reply_data(reply, name->size)))
        return STATUS_NO_MEMORY;
    memcpy(text, name->text, name->size);
    reply->query_name.name_size = name->size;
    return STATUS_SUCCESS;
}

NTSTATUS handle_query_security(struct caller *caller, const struct query_security_request *request, data_list data,
                               struct reply *reply)
{
    const struct port *port = port_find(request->port);
    uint32_t needed;
    void *descriptor;

    (void)caller, (void)data;
    if (!port)
        return STATUS_INVALID_HANDLE;
    security_descriptor_query(port->security, request->information, NULL, 0, &needed);
    if (!(descriptor = reply_data(reply, needed)))
        return STATUS_NO_MEMORY;
    reply->query_security.security_size = needed;
    return security_descriptor_query(port->security, request->information, descriptor, needed, &needed);
}

NTSTATUS handle_set_security(struct caller *caller, const struct set_security_request *request, data_list data,
                             struct reply *reply)
{
    struct port *port = port_find(request->port);
    struct security_descriptor *changes;
    NTSTATUS status;

    (void)reply;
    if (!port)
        return STATUS_INVALID_HANDLE;
    if ((status = security_descriptor_parse(data[0], request->security_size, &changes)))
        return status;
    status = security_descriptor_set(&port->security, changes, request->information, caller->process->token,
                                     &port_mapping);
    free(changes);
    port_changed(port);
    return status;
}
