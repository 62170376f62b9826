/*
 * What alpcserver does with each request
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "request.h"

#include "connection.h"
#include "dump.h"
#include "process.h"
#include "server.h"

#include "ntalpc/nt.h"

#include <stdlib.h>
#include <string.h>

typedef const void *const *data_list;

static void give_fd(struct reply *reply, int fd)
{
    reply->fds[reply->fd_count++] = fd;
}

/* the file behind the program's handle; the server does not keep it */
static void give_handle(struct reply *reply, struct port *port)
{
    if (port->handle_fd == -1)
        return;
    reply->close_fds |= 1u << reply->fd_count;
    give_fd(reply, port->handle_fd);
    port->handle_fd = -1;
}

static struct port *port_of_kind(uint64_t id, enum port_kind kind)
{
    struct port *port = port_by_id(id);

    return port && port->kind == kind ? port : NULL;
}

static enum alpc_end end_of(const struct port *port)
{
    return port->kind == PORT_CLIENT ? END_CLIENT : END_SERVER;
}

/* ---------------------------------------------------------------------------------------------- processes */

static NTSTATUS handle_init(struct client *client, const struct init_request *request, data_list data,
                            struct reply *reply)
{
    NTSTATUS status;

    if (request->protocol != PROTOCOL_VERSION)
        return STATUS_REVISION_MISMATCH;
    if (client->process)
        return STATUS_INVALID_PARAMETER;
    if ((status = process_create(client->pid, request->process, request->session, data[0], request->program_size,
                                 data[1], request->token_size, &client->process)))
        return status;
    reply->init.protocol = PROTOCOL_VERSION;
    give_fd(reply, client->process->handles_fd);
    return STATUS_SUCCESS;
}

static NTSTATUS handle_set_token(struct client *client, const struct set_token_request *request, data_list data,
                                 struct reply *reply)
{
    struct token *token;
    NTSTATUS status = token_create(data[0], request->token_size, &token);

    (void)reply;
    if (status)
        return status;
    token_free(client->process->token);
    client->process->token = token;
    return STATUS_SUCCESS;
}

static NTSTATUS handle_thread_gone(struct client *client, const struct thread_gone_request *request, data_list data,
                                   struct reply *reply)
{
    struct process *process = process_by_id(request->process);

    (void)client, (void)data, (void)reply;
    if (process)
        connections_forget_thread(process, request->thread);
    return STATUS_SUCCESS;
}

static NTSTATUS handle_handles_changed(struct client *client, const struct handles_changed_request *request,
                                       data_list data, struct reply *reply)
{
    struct process *process = process_by_id(request->process);

    (void)client, (void)data, (void)reply;
    if (process)
        process_handles_changed(process);
    return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- ports */

static NTSTATUS handle_create_port(struct client *client, const struct create_port_request *request, data_list data,
                                   struct reply *reply)
{
    const struct port_attributes attributes = { .flags = request->flags, .max_message = request->max_message };
    struct port *port;
    NTSTATUS status;

    if (request->name_size % sizeof(uint16_t) || request->name_size > UINT16_MAX)
        return STATUS_OBJECT_NAME_INVALID;
    /* the name may have been another port's just before */
    watch_catch_up();
    if ((status = port_create(client->process, &attributes, data[0], request->name_size, request->absolute, data[1],
                              request->security_size, &port)))
        return status;
    reply->create_port.port = port->id;
    reply->create_port.inode = port->inode;
    reply->create_port.number = port->name ? port->name->number : 0;
    give_handle(reply, port);
    give_fd(reply, port->post_fd);
    give_fd(reply, port->desk_fd);
    give_fd(reply, port->roster_fd);
    return STATUS_SUCCESS;
}

static NTSTATUS handle_find_port(struct client *client, const struct find_port_request *request, data_list data,
                                 struct reply *reply)
{
    const struct port *port;

    (void)client;
    watch_catch_up();
    port = port_by_name(request->number, data[0], request->name_size);
    if (!port)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    reply->find_port.port = port->id;
    return STATUS_SUCCESS;
}

/* what has a file ends with that: it may have a handle elsewhere */
static NTSTATUS handle_close_port(struct client *client, const struct close_port_request *request, data_list data,
                                  struct reply *reply)
{
    struct port *port;

    (void)data, (void)reply;
    watch_catch_up();
    port = port_by_id(request->port);
    if (!port || port->owner != client->process)
        return STATUS_INVALID_HANDLE;
    if (!port->inode)
        port_destroy(port);
    return STATUS_SUCCESS;
}

static NTSTATUS handle_query_name(struct client *client, const struct query_name_request *request, data_list data,
                                  struct reply *reply)
{
    const struct port *port = port_by_id(request->port);

    (void)client, (void)data;
    if (!port)
        return STATUS_INVALID_HANDLE;
    if (!port->name)
        return STATUS_SUCCESS;
    if (!(reply->data = malloc(port->name->size)))
        return STATUS_NO_MEMORY;
    memcpy(reply->data, port->name->text, port->name->size);
    reply->query_name.name_size = port->name->size;
    reply->data_size = port->name->size;
    return STATUS_SUCCESS;
}

static NTSTATUS handle_query_security(struct client *client, const struct query_security_request *request,
                                      data_list data, struct reply *reply)
{
    const struct port *port = port_by_id(request->port);
    uint32_t needed;

    (void)client, (void)data;
    if (!port)
        return STATUS_INVALID_HANDLE;
    security_descriptor_query(port->security, request->information, NULL, 0, &needed);
    if (!(reply->data = malloc(needed)))
        return STATUS_NO_MEMORY;
    reply->query_security.security_size = needed;
    reply->data_size = needed;
    return security_descriptor_query(port->security, request->information, reply->data, needed, &needed);
}

static NTSTATUS handle_set_security(struct client *client, const struct set_security_request *request, data_list data,
                                    struct reply *reply)
{
    struct port *port = port_by_id(request->port);
    struct security_descriptor *changes;
    NTSTATUS status;

    (void)reply;
    if (!port)
        return STATUS_INVALID_HANDLE;
    if ((status = security_descriptor_parse(data[0], request->security_size, &changes)))
        return status;
    status = security_descriptor_set(&port->security, changes, request->information, client->process->token,
                                     &port_mapping);
    free(changes);
    return status;
}

static NTSTATUS handle_disconnect_port(struct client *client, const struct disconnect_port_request *request,
                                       data_list data, struct reply *reply)
{
    struct port *port = port_by_id(request->port);

    (void)client, (void)data, (void)reply;
    if (!port)
        return STATUS_INVALID_HANDLE;
    if (port->disconnected)
        return STATUS_PORT_DISCONNECTED;
    port->disconnected = true;
    if (port->kind == PORT_CONNECTION)
        connections_refuse_pending(port);
    else if (port->connection)
        connection_end_gone(port->connection, end_of(port), false, request->flags);
    return STATUS_SUCCESS;
}

static NTSTATUS handle_attach_port(struct client *client, const struct attach_port_request *request, data_list data,
                                   struct reply *reply)
{
    struct port *port = port_by_inode(request->inode), *server_port;
    struct attach_port_reply *answer = &reply->attach_port;
    struct connection *connection;
    NTSTATUS status;

    (void)data;
    if (!port)
        return STATUS_OBJECT_TYPE_MISMATCH;
    answer->port = port->id;
    answer->kind = port->kind;
    answer->flags = port->flags;
    if (port->kind == PORT_CONNECTION)
    {
        answer->server_port = port->id;
        give_fd(reply, port->post_fd);
        give_fd(reply, port->desk_fd);
        give_fd(reply, port->roster_fd);
        return STATUS_SUCCESS;
    }
    connection = port->connection;
    server_port = connection->server_port;
    if (!server_port)
        return STATUS_PORT_DISCONNECTED;
    if ((status = connection_attach(connection, end_of(port), client->process, &answer->process)))
        return status;
    answer->server_port = server_port->id;
    answer->slot = connection->slot;
    if (port->kind == PORT_SERVER)
        answer->context = atomic_load(&server_port->roster[connection->slot].port_context);
    answer->generation = connection->generation;
    answer->client_process = connection->processes[END_CLIENT][0]->id;
    answer->server_process = server_port->owner->id;
    answer->server_session = server_port->owner->session;
    give_fd(reply, connection->fd);
    give_fd(reply, server_port->post_fd);
    give_fd(reply, port->kind == PORT_CLIENT ? server_port->desk_read_fd : server_port->desk_fd);
    return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- connections */

/* [4.3] whether the caller may connect, and whether the port's owner is whom the caller wants */
static NTSTATUS check_connect(const struct port *port, const struct connect_port_request *request, data_list data,
                              const struct token *token)
{
    const struct token *owner = port->owner->token;
    struct security_descriptor *required;
    uint32_t granted;
    NTSTATUS status;

    if ((status = access_check(port->security, token, PORT_CONNECT, 0, &port_mapping, &granted)))
        return status;
    if (request->server_sid_size && !sid_is_valid(data[2], request->server_sid_size))
        return STATUS_INVALID_SID;
    if (request->server_sid_size && sid_compare(owner->user, data[2]))
        return STATUS_SERVER_SID_MISMATCH;
    if (!request->server_security_size)
        return STATUS_SUCCESS;
    if ((status = security_descriptor_parse(data[3], request->server_security_size, &required)))
        return status;
    status = access_check(required, owner, PORT_CONNECT, 0, &port_mapping, &granted);
    free(required);
    return status ? STATUS_SERVER_SID_MISMATCH : STATUS_SUCCESS;
}

/* message lengths are 16 bits, and what follows the header is as long as they say */
static bool lengths_agree(uint32_t data_length, uint32_t total_length, uint32_t message_size)
{
    return data_length <= UINT16_MAX && total_length <= UINT16_MAX && total_length >= sizeof(PORT_MESSAGE) &&
           message_size == total_length - sizeof(PORT_MESSAGE);
}

static NTSTATUS handle_connect_port(struct client *client, const struct connect_port_request *request, data_list data,
                                    struct reply *reply)
{
    const struct connect_request connect = {
        .process = client->process,
        .thread = request->thread,
        .sync = request->sync,
        .attributes = { .flags = request->flags, .max_message = request->max_message },
        .data_length = (uint16_t)request->data_length,
        .total_length = (uint16_t)request->total_length,
        .message = data[4],
    };
    struct connect_port_reply *answer = &reply->connect_port;
    struct port *server_port, *port;
    struct connection *connection;
    struct token *token;
    NTSTATUS status;

    watch_catch_up();
    server_port = port_by_name(request->number, data[0], request->name_size);
    if (!server_port)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    if (!lengths_agree(request->data_length, request->total_length, request->message_size))
        return STATUS_INVALID_PARAMETER;
    if ((status = token_create(data[1], request->token_size, &token)))
        return status;
    status = check_connect(server_port, request, data, token);
    token_free(token);
    if (!status && server_port->disconnected)
        status = STATUS_PORT_CONNECTION_REFUSED;
    if (!status)
        status = connection_create(server_port, &connect, &port);
    if (status)
        return status;
    connection = port->connection;
    answer->port = port->id;
    answer->server_port = server_port->id;
    answer->inode = port->inode;
    answer->slot = connection->slot;
    answer->generation = connection->generation;
    answer->server_process = server_port->owner->id;
    answer->server_session = server_port->owner->session;
    answer->message_gen = cell_gen(cell_state(&connection->channel.header->connect));
    give_handle(reply, port);
    give_fd(reply, connection->fd);
    give_fd(reply, server_port->post_fd);
    give_fd(reply, server_port->desk_read_fd);
    return STATUS_SUCCESS;
}

static NTSTATUS handle_accept_port(struct client *client, const struct accept_port_request *request, data_list data,
                                   struct reply *reply)
{
    const struct accept_request accept = {
        .process = client->process,
        .thread = request->thread,
        .message_id = request->message_id,
        .callback_id = request->callback_id,
        .accept = request->accept,
        .context = request->context,
        .attributes = { .flags = request->flags, .max_message = request->max_message },
        .data_length = (uint16_t)request->data_length,
        .total_length = (uint16_t)request->total_length,
        .message = data[0],
    };
    struct port *server_port = port_of_kind(request->port, PORT_CONNECTION), *port;
    NTSTATUS status;

    /* only the process that owns the connection port accepts [1.3] */
    if (!server_port || server_port->owner != client->process)
        return STATUS_INVALID_PORT_HANDLE;
    if (!lengths_agree(request->data_length, request->total_length, request->message_size))
        return STATUS_INVALID_PARAMETER;
    if ((status = connection_accept(server_port, &accept, &port)))
        return status;
    if (!port)
        return STATUS_SUCCESS;
    reply->accept_port.port = port->id;
    reply->accept_port.inode = port->inode;
    reply->accept_port.slot = port->connection->slot;
    give_handle(reply, port);
    return STATUS_SUCCESS;
}

static NTSTATUS handle_attach_connection(struct client *client, const struct attach_connection_request *request,
                                         data_list data, struct reply *reply)
{
    struct port *server_port = port_of_kind(request->port, PORT_CONNECTION);
    struct connection *connection;
    NTSTATUS status;

    (void)data;
    if (!server_port)
        return STATUS_INVALID_HANDLE;
    connection = request->slot < ROSTER_SIZE ? server_port->connections[request->slot] : NULL;
    if (!connection)
        return STATUS_INVALID_MESSAGE;
    if ((status = connection_attach(connection, END_SERVER, client->process, &reply->attach_connection.process)))
        return status;
    reply->attach_connection.generation = connection->generation;
    give_fd(reply, connection->fd);
    return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- the server */

static NTSTATUS handle_dump(struct client *client, const struct dump_request *request, data_list data,
                            struct reply *reply)
{
    NTSTATUS status = dump_records(request->messages, &reply->data, &reply->data_size);

    (void)client, (void)data;
    reply->dump.records_size = (uint32_t)reply->data_size;
    return status;
}

static NTSTATUS handle_shutdown(struct client *client, const struct shutdown_request *request, data_list data,
                                struct reply *reply)
{
    (void)client, (void)request, (void)data, (void)reply;
    server_stop();
    return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- dispatch */

/* what one need not have said init for */
static bool needs_process(uint32_t code)
{
    switch (code)
    {
    case REQUEST_init:
    case REQUEST_dump:
    case REQUEST_shutdown:
    case REQUEST_thread_gone:
    case REQUEST_handles_changed:
        return false;
    default:
        return true;
    }
}

NTSTATUS request_handle(struct client *client, const struct request_header *request,
                        const void *const data[PROTOCOL_MAX_DATA], struct reply *reply)
{
    if (needs_process(request->code) && !client->process)
        return STATUS_INVALID_PARAMETER;
    switch ((enum request_code)request->code)
    {
#define REQUEST(name) case REQUEST_##name: return handle_##name(client, (const void *)request, data, reply);
#define REPLY(name)
#define END(name)
#define U32(field)
#define U64(field)
#define DATA(field)
#define FDS(count)
#include "ntalpc/requests.h"
    case REQUEST_COUNT:
        break;
    }
    return STATUS_INVALID_PARAMETER;
}
