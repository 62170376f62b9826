/*
 * The life of alpcserver itself
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "server.h"

#include "request.h"

struct event_base *server_base;

static struct event *idle_timer;
static long linger;
static unsigned int work; /* clients and ports */

void server_stop(void)
{
    event_base_loopbreak(server_base);
}

static void on_idle(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    server_stop();
}

static void check_idle(void)
{
    const struct timeval delay = { .tv_sec = linger };

    if (!idle_timer)
        return;
    if (linger < 0 || work)
        evtimer_del(idle_timer);
    else
        evtimer_add(idle_timer, &delay);
}

bool server_init(long seconds)
{
    linger = seconds;
    server_base = event_base_new();
    return server_base && (idle_timer = evtimer_new(server_base, on_idle, NULL));
}

void server_run(void)
{
    check_idle();
    event_base_dispatch(server_base);
    event_free(idle_timer);
    idle_timer = NULL;
}

void server_work_begins(void)
{
    work++;
    check_idle();
}

void server_work_ends(void)
{
    work--;
    check_idle();
}

NTSTATUS handle_shutdown(struct caller *caller, const struct shutdown_request *request, data_list data,
                         struct reply *reply)
{
    (void)caller, (void)request, (void)data, (void)reply;
    server_stop();
    return STATUS_SUCCESS;
}
