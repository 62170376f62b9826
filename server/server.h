/*
 * The life of alpcserver itself
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_SERVER_H
#define NTALPC_SERVER_SERVER_H

#include <event2/event.h>

#include <stdbool.h>

extern struct event_base *server_base;

/* seconds: how long the server stays without work, -1 = for ever.  Returns false when memory is short. */
bool server_init(long seconds);

/* handles events until server_stop, or until there was nothing to do for that long */
void server_run(void);

/* a client or a port has come, or gone */
void server_work_begins(void);
void server_work_ends(void);

/* leaves as soon as the request under way is answered */
void server_stop(void);

#endif
