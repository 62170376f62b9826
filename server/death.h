/*
 * The ends of a connection go
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_DEATH_H
#define NTALPC_SERVER_DEATH_H

#include "connection.h"

/*
 * [4.11] One end goes: its port was disconnected.  The other end gets its notices.  flags are those of
 * NtAlpcDisconnectPort.
 */
void death_of_end(struct connection *connection, enum alpc_end end, uint32_t flags);

/* the same when its port has closed, which may end the connection */
void death_of_port(struct connection *connection, enum alpc_end end);

/* makes up for what another alpcserver has not come to: all ports are there that there are */
void death_resume(struct connection *connection);

#endif
