/*
 * Receiving messages
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_RECEIVE_H
#define NTALPC_RECEIVE_H

#include "message.h"

/*
 * Receives the next message of a port; a server communication port gets those of its own client [4.1].
 *   STATUS_TIMEOUT
 *   STATUS_BUFFER_TOO_SMALL         the message stays in the queue
 *   STATUS_PORT_CLOSED, STATUS_PORT_DISCONNECTED, STATUS_PORT_CONNECTION_REFUSED
 *   STATUS_UNSUCCESSFUL             the connection port has gone without deciding [4.3]
 *   STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY, STATUS_PORT_DISCONNECTED
 *                                   the next message is there, but this process cannot reach its connection
 */
NTSTATUS message_receive(struct thread *thread, struct port *port, struct message_in *in,
                         const struct deadline *deadline);

#endif
