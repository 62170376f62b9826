/*
 * Asking alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "query.h"

#include "dlls/ntdll/alpc/control.h"
#include "dlls/ntdll/alpc/wait.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

static double seconds(void)
{
    return (double)monotonic_ns() / 1e9;
}

/* what control_connect says is an error, unless it only means that there is no server */
static const char *connect_to_server(struct control *control)
{
    const struct timeval timeout = { .tv_sec = QUERY_TIMEOUT };
    const char *error;

    errno = 0;
    if ((error = control_connect(control, false)))
        return errno == ENOENT || errno == ECONNREFUSED ? NULL : error;
    if (setsockopt(control->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
        setsockopt(control->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)))
        return strerror(errno);
    return NULL;
}

/* STATUS_PORT_DISCONNECTED when the server went without an answer */
static const char *call(struct control *control, struct snapshot *snapshot, bool messages, NTSTATUS *status)
{
    static char message[64];
    struct dump_request request = { .messages = messages };
    struct dump_reply reply;
    const void *records = NULL;

    if ((*status = control_call(control, REQUEST_dump, &request, NULL, &reply, &records, NULL)))
    {
        snprintf(message, sizeof(message), "alpcserver refused to tell: status %08x", (unsigned int)*status);
        return message;
    }
    return snapshot_decode(snapshot, records, reply.records_size);
}

const char *query_server(struct snapshot *snapshot, bool messages)
{
    struct control control = CONTROL_INIT;
    double begun = seconds();
    NTSTATUS status;
    const char *error;
    int tries;

    for (tries = 0; tries < 3; tries++)
    {
        if ((error = connect_to_server(&control)) || control.fd == -1)
            break;
        error = call(&control, snapshot, messages, &status);
        if (status != STATUS_PORT_DISCONNECTED)
            break;
        /* the kernel's clock for timeouts is a coarse one */
        if (seconds() - begun > QUERY_TIMEOUT - 0.1)
        {
            error = "alpcserver does not answer; is it stopped?";
            break;
        }
        /* it was just leaving: by now there is none, or another one */
        error = "alpcserver closed the connection";
    }
    control_disconnect(&control);
    return error;
}
