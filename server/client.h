/*
 * Control connections
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A client is whoever has connected to the socket: a Windows process once it has said so (process.h), alpcdump, or
 * something hostile.  It has one request under way at a time.  What it does wrong ends its connection, nothing else.
 */

#ifndef NTALPC_SERVER_CLIENT_H
#define NTALPC_SERVER_CLIENT_H

#include "request.h"

#include <event2/event.h>
#include <stdbool.h>

struct client
{
    struct client *next, **link;
    struct caller caller;
    struct event *readable, *writable;
    uint8_t *in;             /* what has come of the request so far */
    size_t in_size, in_room;
    uint8_t *out;            /* what is still to be sent of the reply */
    size_t out_done, out_size;
};

extern bool trace_requests;

/* serves the listening socket; takes it over.  Returns false when memory is short */
bool client_listen(struct event_base *base, int listener);

/* closes every connection */
void client_close_all(void);

#endif
