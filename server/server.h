/*
 * The life of alpcserver itself
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_SERVER_H
#define NTALPC_SERVER_SERVER_H

#include <event2/event.h>

extern struct event_base *server_base;

/* to be called when a client or a port has come or gone: without any the server leaves after a while */
void server_check_idle(void);

/* leaves as soon as the request under way is answered */
void server_stop(void);

#endif
