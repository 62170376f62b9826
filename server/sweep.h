/*
 * What alpcserver does with messages
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It announces those that nobody else can announce any more, and puts right what the dead have left in the middle.
 */

#ifndef NTALPC_SERVER_SWEEP_H
#define NTALPC_SERVER_SWEEP_H

#include "connection.h"

/*
 * Tells an end of a message in a cell.  When its queue is full that is done again later: announcing a message twice
 * does no harm, for its state decides what is received.
 */
void sweep_announce(struct connection *connection, enum alpc_end end, uint32_t cell, uint32_t gen);

/* announces what waits for an end and is not announced: its sender may have died before it did so itself */
void sweep_announce_missing(struct connection *connection, enum alpc_end end);

/* messages as they were when somebody looked; each may be gone by now */
struct message_list
{
    struct message
    {
        uint32_t sequence, cell;
        uint64_t state;
        uint32_t age; /* messages sent since */
    } *messages;
    size_t count, room;
    enum cell_event event; /* that they are listed for */
};

/*
 * Lists the cells of one end's table that can take a step of this event, in the order of sending; the caller frees
 * .messages.
 */
struct message_list sweep_list(struct connection *connection, enum alpc_end owner, enum cell_event event);

/* makes their steps; announces those that made it to the end given, if any */
void sweep_step(struct connection *connection, const struct message_list *list, size_t first, size_t last,
                int announce_to);
void sweep_step_all(struct connection *connection, enum alpc_end owner, enum cell_event event, int announce_to);

/* wakes all who wait on a cell, to look at the connection's stage */
void sweep_wake_waiting(struct connection *connection);

/* puts right what the dead have left in the connection */
void sweep_bury(struct connection *connection, const struct cell_dead *dead);

/* the server ends */
void sweep_end(void);

#endif
