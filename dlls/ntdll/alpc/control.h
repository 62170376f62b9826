/*
 * The connection to alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One socket, on which one call is made at a time; which of its sockets a program's thread uses is process.c's
 * business.
 */

#ifndef NTALPC_CONTROL_H
#define NTALPC_CONTROL_H

#include "ntalpc/protocol.h"
#include "ntalpc/status.h"

#include <stdbool.h>

struct control
{
    int fd;          /* -1 = not connected */
    uint8_t *buffer; /* of the last reply with variable data; valid until the next call */
    size_t room;
};

#define CONTROL_INIT                                                                                                   \
    {                                                                                                                  \
        .fd = -1                                                                                                       \
    }

/* a piece of variable data of a request */
struct control_data
{
    const void *data;
    size_t size;
};

/*
 * Connects to the server of this process' prefix.  start tells whether to start one if none runs.  Returns NULL or what
 * is wrong, in one line without a newline, valid until the next call.  errno is ENOENT or ECONNREFUSED when
 * that is only that none runs.
 */
const char *control_connect(struct control *control, bool start);
void control_disconnect(struct control *control);

/* whether the server has closed the connection since the last call */
bool control_gone(const struct control *control);

/*
 * Makes a request.  request is the fixed part, of which code and sizes are filled in here; data are its pieces of
 * variable data, as many as the request has.  On STATUS_SUCCESS reply has the fixed part of the reply, *reply_data the
 * variable data of the reply if it has one, fds the descriptors that came, which the caller owns; there are as many as
 * the request's description says, or -1 in their place.  reply_data and fds may be NULL where nothing comes.
 *
 * STATUS_PORT_DISCONNECTED when the server has gone; the connection is closed then.
 */
NTSTATUS control_call(struct control *control, enum request_code code, void *request, const struct control_data *data,
                      void *reply, const void **reply_data, int fds[PROTOCOL_MAX_FDS]);

#endif
