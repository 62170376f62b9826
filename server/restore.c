/*
 * Going on where another alpcserver was killed
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Objects are made in the order in which they need each other.  What the one before was doing it has either not begun,
 * as far as the journal goes, or begun: then it is done again, which does no harm, or to its end.
 */

#include "restore.h"

#include "communication_port.h"
#include "connecting.h"
#include "connection_port.h"
#include "death.h"
#include "port.h"
#include "server.h"
#include "state.h"
#include "sweep.h"
#include "thread.h"
#include "watch.h"

#define SETTLE_MS 200 /* between two looks */

static struct event *settling;

static void settle(void)
{
    static const struct timeval delay = { .tv_usec = SETTLE_MS * 1000 };

    if (ports_settle() && settling)
        evtimer_add(settling, &delay);
}

static void on_settling(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    settle();
}

static bool restore_connection(uint64_t key, struct state_reader *reader)
{
    return connection_restore(key, reader, connection_port_roster);
}

static void make_objects(void)
{
    state_each(OBJECT_PROCESS, process_restore);
    state_each(OBJECT_PORT, connection_port_restore);
    state_each(OBJECT_CONNECTION, restore_connection);
    state_each(OBJECT_PORT, communication_port_restore);
}

static void resume_connections(void)
{
    struct object *object, *next;

    for (object = object_first(OBJECT_CONNECTION); object; object = next)
    {
        struct connection *connection = (struct connection *)object;

        next = object_next(object);
        connecting_resume(connection);
        sweep_announce_missing(connection, END_CLIENT);
        sweep_announce_missing(connection, END_SERVER);
        death_resume(connection);
    }
}

void restore(void)
{
    make_objects();
    objects_restored();
    state_close_strays();
    connection_ports_restored();
    resume_connections();
    watches_restored();
    processes_restored();
    threads_restored();
    settling = evtimer_new(server_base, on_settling, NULL);
    settle();
}

void restore_end(void)
{
    if (settling)
        event_free(settling);
    settling = NULL;
}
