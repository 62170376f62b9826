/*
 * Connections
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The server makes a connection's channel, writes the two messages that only it may write (the connection request and
 * the notice that the client is gone), and sees to it that everybody who waits learns when one end has gone.
 */

#ifndef NTALPC_SERVER_CONNECTION_H
#define NTALPC_SERVER_CONNECTION_H

#include "port.h"

#include "dlls/ntdll/alpc/channel.h"
#include "ntalpc/protocol.h"

struct connection
{
    struct connection *next, **link; /* all connections */
    uint64_t id;
    uint32_t slot, generation;
    uint32_t stage;                  /* LINK_ bits, as the server knows them */
    uint32_t client_thread;          /* that connected */
    uint32_t max_message;            /* the ports' smallest limit */
    int fd;
    struct channel channel;          /* near part only, but while a sweep needs more */
    struct port *server_port;        /* the connection port; NULL once the server has no use for the connection */
    struct port *end[2];             /* the communication ports; NULL before accept and once closed */
    struct process *processes[2][ROSTER_PROCESSES]; /* who shares each end; place 0 is the owner's */
    bool unannounced[2];             /* messages wait for room in the queue of that end */
};

/* A connection request as a client makes it. */
struct connect_request
{
    struct process *process;
    uint32_t thread;
    bool sync;
    struct port_attributes attributes;
    uint16_t data_length, total_length;
    const void *message; /* total_length less the header */
};

/*
 * Makes a connection to a connection port and queues the request.  *client is its client communication port.
 *   STATUS_INVALID_PARAMETER, STATUS_PORT_MESSAGE_TOO_LONG, STATUS_NO_MEMORY, STATUS_INSUFFICIENT_RESOURCES
 */
NTSTATUS connection_create(struct port *server_port, const struct connect_request *request, struct port **client);

/* What NtAlpcAcceptConnectPort was given. */
struct accept_request
{
    struct process *process;
    uint32_t thread;
    uint32_t message_id, callback_id;
    bool accept;
    uint64_t context;
    struct port_attributes attributes;
    uint16_t data_length, total_length;
    const void *message;
};

/*
 * Accepts or refuses a connection request.  *server is the server communication port, NULL when refused.
 *   STATUS_INVALID_MESSAGE, STATUS_REQUEST_CANCELED (the client has gone), STATUS_INVALID_PARAMETER,
 *   STATUS_PORT_MESSAGE_TOO_LONG, STATUS_NO_MEMORY, STATUS_INSUFFICIENT_RESOURCES
 */
NTSTATUS connection_accept(struct port *server_port, const struct accept_request *request, struct port **server);

/*
 * Gives the process a number among those that share an end of the connection, the one it has already if it does.
 *   STATUS_INSUFFICIENT_RESOURCES
 */
NTSTATUS connection_attach(struct connection *connection, enum alpc_end end, struct process *process, uint32_t *number);

/*
 * [4.11] One end goes: its port was closed, or disconnected.  flags are those of NtAlpcDisconnectPort.
 */
void connection_end_gone(struct connection *connection, enum alpc_end end, bool closed, uint32_t flags);

/* the connection port goes: requests are refused, connections are over [4.11] */
void connections_server_gone(struct port *server_port);

/* [7, 39] the connection port is disconnected: requests that wait are refused, connections stay */
void connections_refuse_pending(struct port *server_port);

/* a process or one of its threads has died */
void connections_forget_process(struct process *process);
void connections_forget_thread(struct process *process, uint32_t thread);

/* frees connections whose ends are both gone and whose last messages have been received */
void connections_reap(void);

/* for walks over all connections */
struct connection *connection_first(void);

/* the server ends; the ports are destroyed already */
void connections_end(void);

/* messages may be anywhere in the channel: maps all of it; false when that fails */
bool connection_map_far(struct connection *connection);
void connection_unmap_far(struct connection *connection);

#endif
