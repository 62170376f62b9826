/*
 * What alpcserver does with each request
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "request.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------------------------- replies */

void reply_lend_fd(struct reply *reply, int fd)
{
    reply->fds[reply->fd_count++] = fd;
}

void reply_give_fd(struct reply *reply, int fd)
{
    reply->close_fds |= 1u << reply->fd_count;
    reply_lend_fd(reply, fd);
}

void *reply_data(struct reply *reply, size_t size)
{
    if ((reply->data = malloc(size)))
        reply->data_size = size;
    return reply->data;
}

void reply_release(struct reply *reply)
{
    unsigned int i;

    if (reply->sent)
        reply->sent(reply->port);
    for (i = 0; i < reply->fd_count; i++)
        if (reply->close_fds & (1u << i))
            close(reply->fds[i]);
    free(reply->data);
}

/* ---------------------------------------------------------------------------------------------- dispatch */

/* what one need not have said init or join for */
static bool needs_process(uint32_t code)
{
    switch (code)
    {
    case REQUEST_init:
    case REQUEST_join:
    case REQUEST_dump:
    case REQUEST_shutdown:
    case REQUEST_thread_gone:
    case REQUEST_handles_changed:
        return false;
    default:
        return true;
    }
}

NTSTATUS request_handle(struct caller *caller, const struct request_header *request, data_list data,
                        struct reply *reply)
{
    if (needs_process(request->code) && !caller->process)
        return STATUS_INVALID_PARAMETER;
    switch ((enum request_code)request->code)
    {
#define REQUEST(name) case REQUEST_##name: return handle_##name(caller, (const void *)request, data, reply);
#define REPLY(name)
#define END(name)
#define U32(field)
#define U64(field)
#define DATA(field)
#define FDS(count)
#include "ntalpc/requests.h"
    case REQUEST_COUNT:
        break;
    }
    return STATUS_INVALID_PARAMETER;
}
