/*
 * The processes at the ends of a connection
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_SHARING_H
#define NTALPC_SERVER_SHARING_H

#include "connection.h"

/*
 * Gives the process a number among those that share an end of the connection, the one it has already if it does.  The
 * first one at each end gets 0.
 *   STATUS_INSUFFICIENT_RESOURCES, STATUS_NO_MEMORY
 */
NTSTATUS sharing_add(struct connection *connection, enum alpc_end end, struct process *process, uint32_t *number);

/* gives it this one, which it had before.  STATUS_NO_MEMORY */
NTSTATUS sharing_restore(struct connection *connection, enum alpc_end end, uint32_t number, struct process *process);

#endif
