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
    struct queue *queue = &connection->channel.client_queue;
    struct queue_entry entry = { .cell = cell, .gen = gen };

    if (connection->unannounced[end])
        return;
    if (end == END_SERVER)
    {
        if (!connection->roster)
            return;
        queue = &connection->roster->queue;
        entry.slot = connection->slot;
    }
    if (queue_put(queue, entry))
        queue_ring(queue);
    else
    {
        connection->unannounced[end] = true;
        retry_soon();
    }
}

/* ---------------------------------------------------------------------------------------------- lists */

static void list_message(struct connection *connection, uint32_t id, struct cell *cell, uint64_t state, void *arg)
{
    struct message_list *list = arg;

    (void)connection;
    if (!(list->phases & 1u << cell_phase(state)))
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
        .sequence = atomic_load_explicit(&cell->sequence, memory_order_relaxed), .cell = id, .gen = cell_gen(state)
    };
}

/* the oldest first; an order whatever the numbers are, for a program may have written anything there */
static int by_age(const void *a, const void *b)
{
    uint32_t age = ((const struct message *)a)->age, other_age = ((const struct message *)b)->age;

    return age > other_age ? -1 : age < other_age;
}

/* lists the cells of one end's table that are in one of the phases, in the order of sending; the caller frees .messages
 */
struct message_list sweep_list(struct connection *connection, enum alpc_end owner, unsigned int phases)
{
    struct message_list list = { .phases = phases };
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

/* moves the cells of a list from one phase to another; announces those that made it to the end given, if any */
void sweep_move(struct connection *connection, const struct message_list *list, size_t first, size_t last,
                enum cell_phase to, int announce_to)
{
    size_t i;

    connection_map_far(connection);
    for (i = first; i < last && i < list->count; i++)
    {
        const struct message *message = &list->messages[i];
        struct cell *cell = channel_cell(&connection->channel, message->cell);
        uint64_t state = cell ? cell_state(cell) : 0;

        if (!cell || cell_gen(state) != message->gen || !(list->phases & PHASE(cell_phase(state))))
            continue;
        /* a thread may be waiting for the answer to what is freed */
        if (to == CELL_FREE)
            cell_pass(cell, message->gen, cell_phase(state), to, nobody);
        else if (cell_claim(cell, message->gen, cell_phase(state), to, cell_actor(state)) && announce_to >= 0)
            sweep_announce(connection, (enum alpc_end)announce_to, message->cell, message->gen);
    }
    connection_unmap_far(connection);
}

void sweep_move_all(struct connection *connection, enum alpc_end owner, unsigned int phases, enum cell_phase to,
                    int announce_to)
{
    struct message_list list = sweep_list(connection, owner, phases);

    sweep_move(connection, &list, 0, list.count, to, announce_to);
    free(list.messages);
}

static void announce_again(struct connection *connection, enum alpc_end end, uint32_t id)
{
    uint64_t state = cell_state(channel_cell(&connection->channel, id));

    if (cell_phase(state) == CELL_QUEUED + end || cell_phase(state) == CELL_CANCELED + end)
        sweep_announce(connection, end, id, cell_gen(state));
}

void sweep_announce_missing(struct connection *connection, enum alpc_end end)
{
    enum alpc_end owner;

    announce_again(connection, end, CELL_CONNECT);
    for (owner = END_CLIENT; owner <= END_SERVER; owner++)
    {
        sweep_move_all(connection, owner, PHASE(CELL_QUEUED + end), CELL_QUEUED + end, (int)end);
        sweep_move_all(connection, owner, PHASE(CELL_CANCELED + end), CELL_CANCELED + end, (int)end);
    }
    announce_again(connection, end, CELL_CLOSED);
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

            if (!connection->unannounced[end])
                continue;
            connection->unannounced[end] = false;
            sweep_announce_missing(connection, end);
        }
}

/* ---------------------------------------------------------------------------------------------- the dead */

static void wake_cell(struct connection *connection, uint32_t id, struct cell *cell, uint64_t state, void *arg)
{
    (void)connection, (void)id, (void)arg;
    /* whoever answered may have died before waking */
    if (state & CELL_WAITING || (cell_phase(state) & ~1u) == CELL_ANSWER)
        cell_wake(cell);
}

void sweep_wake_waiting(struct connection *connection)
{
    connection_for_each_cell(connection, END_CLIENT, wake_cell, NULL);
    connection_for_each_cell(connection, END_SERVER, wake_cell, NULL);
    cell_wake(&connection->channel.header->connect);
}

static bool is_dead(const struct dead *dead, uint32_t thread, uint32_t number)
{
    return number == dead->number && (!dead->thread || thread == dead->thread);
}

/* puts right what a dead thread has left in the middle */
static void bury(struct connection *connection, uint32_t id, struct cell *cell, uint64_t state, void *arg)
{
    const struct dead *dead = arg;
    enum cell_phase phase = cell_phase(state), at_peer = CELL_HELD + other_end(dead->end);
    struct cell_actor actor = cell_actor(state);
    uint32_t gen = cell_gen(state), flags = atomic_load(&cell->flags);
    bool required = dead->thread && atomic_load(&cell->requester) == dead->thread;
    /* of a process only what it wrote is known, not what the others that share its end wait for */
    bool waits = flags & (CELL_SYNC | CELL_CALLBACK) &&
                 (required || (!dead->thread && atomic_load(&cell->process) == dead->number));

    if (CELL_END(id) == dead->end && phase == CELL_OWNED)
    {
        if (is_dead(dead, actor.thread, actor.process))
            cell_free(cell);
    }
    else if (phase == CELL_ANSWERING + dead->end || phase == CELL_ABANDONED + dead->end)
    {
        if (is_dead(dead, actor.thread, actor.process))
            cell_claim(cell, gen, phase, phase == CELL_ANSWERING + dead->end ? CELL_HELD + dead->end : CELL_FREE,
                       nobody);
    }
    else if (phase == CELL_ANSWER + dead->end)
    {
        if (required)
            cell_claim(cell, gen, phase, CELL_FREE, nobody);
    }
    else if (phase == CELL_ANSWER + other_end(dead->end))
    {
        if (is_dead(dead, actor.thread, actor.process))
            cell_wake(cell); /* it may have died before it did so itself */
    }
    else if (phase == CELL_HELD + dead->end)
    {
        /* nothing comes after it: it was being read */
        if (flags & CELL_RELEASE && is_dead(dead, actor.thread, actor.process))
            cell_claim(cell, gen, phase, CELL_FREE, nobody);
    }
    else if (phase == CELL_QUEUED + other_end(dead->end) || phase == CELL_EARLY)
    {
        if (!is_dead(dead, actor.thread, actor.process))
            return;
        if (waits)
            cell_claim(cell, gen, phase, CELL_FREE, nobody);
        else if (phase != CELL_EARLY)
            sweep_announce(connection, other_end(dead->end), id, gen); /* it may have died before it did so itself */
        else if ((connection->stage & LINK_STAGE_MASK) == LINK_CONNECTED &&
                 cell_claim(cell, gen, phase, CELL_QUEUED + END_SERVER, actor))
            sweep_announce(connection, END_SERVER, id, gen);
    }
    else if (waits && phase == at_peer)
    {
        if (cell_claim(cell, gen, phase, CELL_CANCELED + other_end(dead->end), actor))
            sweep_announce(connection, other_end(dead->end), id, gen);
    }
    else if (waits && phase == CELL_ANSWERING + other_end(dead->end))
        cell_claim(cell, gen, phase, CELL_ABANDONED + other_end(dead->end), actor);
}

void sweep_bury(struct connection *connection, struct dead dead)
{
    connection_for_each_cell(connection, END_CLIENT, bury, &dead);
    connection_for_each_cell(connection, END_SERVER, bury, &dead);
}
