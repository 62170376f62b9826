/*
 * What alpcserver does with messages
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "sweep.h"

#include "server.h"

#include <stdlib.h>

#define RETRY_MS 10

static const struct cell_actor nobody;

/* ---------------------------------------------------------------------------------------------- announcing */

static struct event *retry;

static void on_retry(evutil_socket_t fd, short what, void *arg);

static void retry_soon(void)
{
    static const struct timeval delay = { .tv_usec = RETRY_MS * 1000 };

    if (!retry)
        retry = evtimer_new(server_base, on_retry, NULL);
    if (retry && !evtimer_pending(retry, NULL))
        evtimer_add(retry, &delay);
}

void sweep_end(void)
{
    if (retry)
        event_free(retry);
    retry = NULL;
}

/*
 * While one message has to be announced again no other is tried: it would overtake, and a queue that a program has
 * damaged takes long to walk through.
 */
void sweep_announce(struct connection *connection, enum alpc_end end, uint32_t cell, uint32_t gen)
{
    struct channel *channel = &connection->channel;

    if (atomic_load(&channel->unannounced) & 1u << end || channel_announce(channel, end, cell, gen, NULL))
        return;
    atomic_fetch_or(&channel->unannounced, 1u << end);
    retry_soon();
}

void sweep_announce_missing(struct connection *connection, enum alpc_end end)
{
    connection_map_far(connection);
    cell_announce_missing(&connection->channel, end);
    connection_unmap_far(connection);
    if (atomic_load(&connection->channel.unannounced))
        retry_soon();
}

/* ---------------------------------------------------------------------------------------------- lists */

static void list_message(struct connection *connection, uint32_t id, struct cell *cell, uint64_t state, void *arg)
{
    struct message_list *list = arg;

    (void)connection;
    if (!cell_after(list->event, cell_phase(state)))
        return;
    if (list->count == list->room)
    {
        size_t room = list->room ? list->room * 2 : 64;
        struct message *messages = realloc(list->messages, room * sizeof(*messages));

        if (!messages)
            return;
        list->messages = messages;
        list->room = room;
    }
    list->messages[list->count++] = (struct message){
        .sequence = atomic_load_explicit(&cell->sequence, memory_order_relaxed), .cell = id, .state = state
    };
}

/* the oldest first; an order whatever the numbers are, for a program may have written anything there */
static int by_age(const void *a, const void *b)
{
    uint32_t age = ((const struct message *)a)->age, other_age = ((const struct message *)b)->age;

    return age > other_age ? -1 : age < other_age;
}

struct message_list sweep_list(struct connection *connection, enum alpc_end owner, enum cell_event event)
{
    struct message_list list = { .event = event };
    uint32_t now;
    size_t i;

    connection_for_each_cell(connection, owner, list_message, &list);
    now = atomic_load(&connection->channel.header->end[owner].sequence);
    for (i = 0; i < list.count; i++)
        list.messages[i].age = now - list.messages[i].sequence;
    if (list.count)
        qsort(list.messages, list.count, sizeof(*list.messages), by_age);
    return list;
}

void sweep_step(struct connection *connection, const struct message_list *list, size_t first, size_t last,
                int announce_to)
{
    size_t i;

    connection_map_far(connection);
    for (i = first; i < last && i < list->count; i++)
    {
        const struct message *message = &list->messages[i];
        struct cell *cell = channel_cell(&connection->channel, message->cell);
        uint64_t state = message->state;

        if (cell && cell_step(&connection->channel, message->cell, cell, &state, list->event, nobody) &&
            announce_to >= 0)
            sweep_announce(connection, (enum alpc_end)announce_to, message->cell, cell_gen(state));
    }
    connection_unmap_far(connection);
}

void sweep_step_all(struct connection *connection, enum alpc_end owner, enum cell_event event, int announce_to)
{
    struct message_list list = sweep_list(connection, owner, event);

    sweep_step(connection, &list, 0, list.count, announce_to);
    free(list.messages);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct object *object;
    enum alpc_end end;

    (void)fd, (void)what, (void)arg;
    for (object = object_first(OBJECT_CONNECTION); object; object = object_next(object))
        for (end = END_CLIENT; end <= END_SERVER; end++)
        {
            struct connection *connection = (struct connection *)object;

            if (atomic_fetch_and(&connection->channel.unannounced, ~(1u << end)) & 1u << end)
                sweep_announce_missing(connection, end);
        }
}

/* ---------------------------------------------------------------------------------------------- the dead */

static void wake_cell(struct connection *connection, uint32_t id, struct cell *cell, uint64_t state, void *arg)
{
    (void)connection, (void)id, (void)arg;
    /* whoever answered may have died before waking */
    if (state & CELL_WAITING || cell_in(state, CELL_ANSWER))
        cell_wake(cell);
}

void sweep_wake_waiting(struct connection *connection)
{
    connection_for_each_cell(connection, END_CLIENT, wake_cell, NULL);
    connection_for_each_cell(connection, END_SERVER, wake_cell, NULL);
    cell_wake(&connection->channel.header->connect);
}

void sweep_bury(struct connection *connection, const struct cell_dead *dead)
{
    connection_map_far(connection);
    cell_bury(&connection->channel, dead);
    connection_unmap_far(connection);
    if (atomic_load(&connection->channel.unannounced))
        retry_soon();
}
