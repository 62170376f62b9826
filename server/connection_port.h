/*
 * Connection ports
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_CONNECTION_PORT_H
#define NTALPC_SERVER_CONNECTION_PORT_H

#include "roster.h"

/* makes one again that another alpcserver has known; a port of another kind is left alone */
bool connection_port_restore(uint64_t key, struct state_reader *reader);

/* all connections are there: nothing else stands in the rosters */
void connection_ports_restored(void);

/* the roster of the connection port with this key, or NULL */
struct roster *connection_port_roster(uint64_t key);

#endif
