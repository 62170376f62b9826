/*
 * Client and server communication ports
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_COMMUNICATION_PORT_H
#define NTALPC_SERVER_COMMUNICATION_PORT_H

#include "connection.h"
#include "port.h"

/* Makes the port of one end of a connection.  Statuses: those of port_init */
NTSTATUS communication_port_create(struct connection *connection, enum alpc_end end, struct process *owner,
                                   const struct port_attributes *attributes);

/* undoes that, if there is a port, before anybody could see it; the connection stays as it is */
void communication_port_abandon(struct connection *connection, enum alpc_end end);

/* makes one again that another alpcserver has known; its connection is there.  A connection port is left alone */
bool communication_port_restore(uint64_t key, struct state_reader *reader);

#endif
