/*
 * The sockets on which a process' threads call alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A call has a socket to itself from request to reply.  There is no lock: a socket is taken by writing the thread's id
 * into it, and that of a thread that has been terminated over its call is closed and used again.
 */

#ifndef NTALPC_POOL_H
#define NTALPC_POOL_H

#include "control.h"

#include <stdatomic.h>

#define POOL_SOCKETS 8

struct pool_socket
{
    _Atomic uint32_t owner; /* kernel's thread id, or one of those below */
    struct control control; /* the owner's */
};

#define POOL_UNUSED 0u       /* not connected */
#define POOL_IDLE UINT32_MAX /* connected, nobody's */

struct pool
{
    struct pool_socket sockets[POOL_SOCKETS];
};

/* no socket is connected */
void pool_init(struct pool *pool);

/*
 * Takes one of the first count sockets, connected ones first; control.fd is -1 in one that is not.  Waits while all are
 * in use.
 */
struct pool_socket *pool_take(struct pool *pool, unsigned int count);

/* the socket is of no use any more; the caller still has its place */
void pool_disconnect(struct pool_socket *taken);

/* the caller's call is over */
void pool_give(struct pool_socket *taken);

/* both */
void pool_drop(struct pool_socket *taken);

#endif
