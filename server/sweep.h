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

#define PHASE(phase) (1u << (phase))

/*
 * Tells an end of a message in a cell.  When its queue is full that is done again later: announcing a message twice
 * does no harm, for its state decides what is received.
 */
void sweep_announce(struct connection *connection, enum alpc_end end, uint32_t cell, uint32_t gen);

/* announces again what waits for an end: its sender may have died before it did so itself */
void sweep_announce_missing(struct connection *connection, enum alpc_end end);

/* messages as they were when somebody looked; each may be gone by now */
struct message_list
{
    struct message
    {
        uint32_t sequence, cell, gen;
        uint32_t age; /* messages sent since */
    } *messages;
    size_t count, room;
    unsigned int phases; /* mask: which cells to list */
};

/* lists the cells of one end's table that are in one of the phases, as they were sent; the caller frees .messages */
struct message_list sweep_list(struct connection *connection, enum alpc_end owner, unsigned int phases);

/* moves the cells of a list from one phase to another; announces those that made it to the end given, if any */
void sweep_move(struct connection *connection, const struct message_list *list, size_t first, size_t last,
                enum cell_phase to, int announce_to);
void sweep_move_all(struct connection *connection, enum alpc_end owner, unsigned int phases, enum cell_phase to,
                    int announce_to);

/* wakes all who wait on a cell, to look at the connection's stage */
void sweep_wake_waiting(struct connection *connection);

/* whose traces to look for: a thread, or any thread of a process */
struct dead
{
    enum alpc_end end;
    uint32_t number; /* of the process at that end */
    uint32_t thread; /* 0 = all */
};

/* puts right what they have left in the connection */
void sweep_bury(struct connection *connection, struct dead dead);

/* the server ends */
void sweep_end(void);

#endif
