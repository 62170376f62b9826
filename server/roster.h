/*
 * What all connections to one connection port share: its main queue, and the roster of who they are
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_ROSTER_H
#define NTALPC_SERVER_ROSTER_H

#include "dlls/ntdll/alpc/queue.h"
#include "process.h"

#include "ntalpc/status.h"

struct connection;
struct receiver;
struct state_reader;
struct state_writer;

struct roster
{
    uint64_t id;           /* random; tells one queue from another, gives no right to it */
    struct object *port;   /* the connection port */
    struct process *owner; /* the process that accepts */
    int post_fd, desk_fd, desk_read_fd, entries_fd;
    struct queue queue;
    struct roster_entry *entries;    /* NULL = the roster was not made */
    struct connection **connections; /* by slot, ROSTER_SIZE */
    uint32_t count;                  /* of connections */
    uint32_t last;                   /* the slot given out last */
    struct receiver *receivers;      /* the processes that have got the desk */
};

/*
 * Makes the memory for the connection port.  The owner stays the caller's to hold.  After a
 * failure roster_free is to be called all the same.
 *   STATUS_NO_MEMORY, STATUS_INSUFFICIENT_RESOURCES
 */
NTSTATUS roster_init(struct roster *roster, struct process *owner, struct object *port);
void roster_free(struct roster *roster);

/* the roster for a program, which only reads it; the caller owns it.  -1 with errno */
int roster_open(const struct roster *roster);

/* the process may sleep on the main queue from now on.  STATUS_NO_MEMORY */
NTSTATUS roster_add_receiver(struct roster *roster, struct process *process);

/* for another alpcserver; after a failure roster_free is to be called all the same */
void roster_save(const struct roster *roster, struct state_writer *writer);
bool roster_restore(struct roster *roster, struct process *owner, struct object *port, struct state_reader *reader);
/* the slot is this connection's again; false if it has left it, so that the generation is another one */
bool roster_retake_slot(struct roster *roster, uint32_t slot, uint32_t generation, struct connection *connection);
/* all connections are there: what else stands in the roster was not finished */
void roster_restored(struct roster *roster);

/*
 * Slots are given out in turn, so that what is late for one connection does not meet the next one.  roster_take_slot
 * returns 0 when all are in use; roster_release_slot tells everybody that there is nothing any more to receive.
 */
uint32_t roster_take_slot(struct roster *roster, struct connection *connection);
void roster_release_slot(struct roster *roster, uint32_t slot);

static inline struct connection *roster_connection(const struct roster *roster, uint32_t slot)
{
    return slot < ROSTER_SIZE ? roster->connections[slot] : NULL;
}

#endif
