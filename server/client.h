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

#include "ntalpc/protocol.h"
#include "ntalpc/status.h"

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

struct process;

struct client
{
    struct client *next, **link;
    int fd;
    pid_t pid;               /* from the socket's peer credentials */
    struct event *readable, *writable;
    struct process *process; /* NULL until init */
    uint8_t *in;             /* what has come of the request so far */
    size_t in_size, in_room;
    uint8_t *out;            /* what is still to be sent of the reply */
    size_t out_done, out_size;
};

/* what a request handler answers */
struct reply
{
    union
    {
        struct reply_header header;
#define REQUEST(name)
#define REPLY(name) struct name##_reply name;
#define END(name)
#define U32(field)
#define U64(field)
#define DATA(field)
#define FDS(count)
#include "ntalpc/requests.h"
#undef REQUEST
#undef REPLY
#undef END
#undef U32
#undef U64
#undef DATA
#undef FDS
    };
    void *data;      /* variable data, malloc'ed, freed when sent; at most one piece, with its size in the fixed part */
    size_t data_size;
    int fds[PROTOCOL_MAX_FDS]; /* borrowed, but for those with a bit in close_fds */
    unsigned int fd_count;
    unsigned int close_fds;
};

extern bool trace_requests;

/* serves the listening socket; takes it over.  Returns false when memory is short */
bool client_listen(struct event_base *base, int listener);

/* closes every connection */
void client_close_all(void);

#endif
