/*
 * How a connection comes about
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_CONNECTING_H
#define NTALPC_SERVER_CONNECTING_H

#include "connection.h"
#include "port.h"

/* A connection request as a client makes it. */
struct connect_request
{
    struct process *process;
    uint32_t thread;
    bool sync;
    const struct token *token; /* that the thread acts with */
    struct port_attributes attributes;
    uint16_t data_length, total_length;
    const void *message; /* total_length less the header */
};

/*
 * Makes a connection to the connection port with this roster and this limit of messages, and queues the request.  The
 * client's communication port is end[END_CLIENT] of the connection.
 *   STATUS_INVALID_PARAMETER, STATUS_PORT_MESSAGE_TOO_LONG, STATUS_NO_MEMORY, STATUS_INSUFFICIENT_RESOURCES
 */
NTSTATUS connecting_begin(struct roster *roster, uint32_t max_message, const struct connect_request *request,
                          struct connection **connection);

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
 * Accepts or refuses a connection request.  The server's communication port is end[END_SERVER] of *connection, which is
 * NULL when it was refused.
 *   STATUS_INVALID_MESSAGE, STATUS_REQUEST_CANCELED (the client has gone), STATUS_INVALID_PARAMETER,
 *   STATUS_PORT_MESSAGE_TOO_LONG, STATUS_NO_MEMORY, STATUS_INSUFFICIENT_RESOURCES
 */
NTSTATUS connecting_answer(struct roster *roster, const struct accept_request *request, struct connection **connection);

/* [7, 39] the connection port is disconnected: requests that wait are refused, connections stay */
void connecting_refuse_all(struct roster *roster);

/* [4.11] the connection port goes: requests are refused, connections are over */
void connecting_end_all(struct roster *roster);

/* goes on with what another alpcserver has begun: all ports are there that there are */
void connecting_resume(struct connection *connection);

#endif
