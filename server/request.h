/*
 * What alpcserver does with each request
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The handler of a request stands in the file of the object that the request is about.
 */

#ifndef NTALPC_SERVER_REQUEST_H
#define NTALPC_SERVER_REQUEST_H

#include "ntalpc/protocol.h"
#include "ntalpc/status.h"

#include <sys/types.h>

struct port;
struct process;

/* who makes a request */
struct caller
{
    int fd;                  /* the socket */
    pid_t pid;               /* from its peer credentials; 0 = cannot be seen from the server's PID namespace */
    struct process *process; /* NULL until init or join */
};

/* what a handler answers */
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
    };
    void *data;      /* variable data, malloc'ed, freed when sent; at most one piece, with its size in the fixed part */
    size_t data_size;
    int fds[PROTOCOL_MAX_FDS]; /* borrowed, but for those with a bit in close_fds */
    unsigned int fd_count;
    unsigned int close_fds;
    void (*sent)(struct port *port); /* is called when the reply has been sent, or cannot be; NULL = nothing is */
    struct port *port;               /* with this */
};

/* the pieces of a request's variable data */
typedef const void *const *data_list;

/*
 * The handlers.  A request's sizes have been checked.  The reply counts only with STATUS_SUCCESS; on failure nothing
 * has changed.
 */
#define REQUEST(name)                                                                                                  \
    NTSTATUS handle_##name(struct caller *caller, const struct name##_request *request, data_list data,                \
                           struct reply *reply);
#define REPLY(name)
#include "ntalpc/requests.h"
#undef REQUEST
#undef REPLY
#undef END
#undef U32
#undef U64
#undef DATA
#undef FDS

/* lends a descriptor to the reply */
void reply_lend_fd(struct reply *reply, int fd);
/* gives it away: it is closed when the reply has been sent */
void reply_give_fd(struct reply *reply, int fd);
/* a piece of variable data of this size; NULL when memory is short */
void *reply_data(struct reply *reply, size_t size);
void reply_release(struct reply *reply);

/* calls the handler of a request */
NTSTATUS request_handle(struct caller *caller, const struct request_header *request, data_list data,
                        struct reply *reply);

#endif
