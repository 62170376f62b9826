/*
 * Connections
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The object, and what it has mapped.  How a connection comes about is connecting.h's business, how it ends death.h's,
 * who is at its ends sharing.h's.
 */

#ifndef NTALPC_SERVER_CONNECTION_H
#define NTALPC_SERVER_CONNECTION_H

#include "object.h"
#include "process.h"
#include "roster.h"

#include "dlls/ntdll/alpc/cell.h"
#include "ntalpc/protocol.h"

struct port;

/* a process at one end of a connection */
struct sharer
{
    struct bond bond;
    struct connection *connection;
    enum alpc_end end;
    uint32_t number; /* its place there */
};

struct connection
{
    struct object object;
    uint32_t slot, generation; /* the channel has the slot too */
    uint32_t stage;         /* LINK_ bits, as the server knows them */
    uint32_t client_thread; /* that connected */
    uint32_t max_message;   /* the ports' smallest limit */
    int fd;
    struct channel channel; /* near part only, but while somebody looks at more */
    struct roster *roster;  /* of the connection port; NULL once that has no use for the connection */
    struct port *end[2];    /* the communication ports; NULL before accept and once closed */
    struct sharer *sharers[2][ROSTER_PROCESSES]; /* place 0 is the owner's */
    struct connection *next, **link;             /* among those that have ended but for a message; NULL = not there */
    bool accepting;                              /* it is being accepted, with */
    uint64_t context;                            /* this PortContext; by the request with */
    uint32_t accepted;                           /* this message id */
    uint32_t dying;                              /* bits of stage of which not everybody has been told */
    uint32_t closed_gen;                         /* generation of the notice that the client has gone; before that */
    bool closed_told;                            /* there is none */
};

static inline struct roster_entry *connection_entry(const struct connection *connection)
{
    return &connection->roster->entries[connection->slot];
}

/* the process with this number, which may be any, at an end; NULL if there is none */
static inline struct process *connection_process(const struct connection *connection, enum alpc_end end,
                                                 uint32_t number)
{
    struct sharer *sharer = number < ROSTER_PROCESSES ? connection->sharers[end][number] : NULL;

    return sharer ? sharer->bond.process : NULL;
}

/*
 * A connection with its channel and a slot in the roster, in the stage LINK_CONNECTING.
 *   STATUS_NO_MEMORY, STATUS_INSUFFICIENT_RESOURCES
 */
NTSTATUS connection_new(struct roster *roster, struct connection **connection);
void connection_free(struct connection *connection);

/* frees a connection whose ends are both gone; while a message waits that only it holds, as soon as that has come */
void connection_reap(struct connection *connection);
/* looks for such messages now */
void connections_reap(void);
/* the server ends */
void connections_end(void);

/* the roster has nothing more to do with the connection */
void connection_leave_roster(struct connection *connection);

/* something has changed that another alpcserver would have to know */
void connection_changed(const struct connection *connection);

/*
 * Makes one again that another alpcserver has known, without its ports; roster_of finds the roster of a connection port
 * by its key.
 */
bool connection_restore(uint64_t key, struct state_reader *reader, struct roster *(*roster_of)(uint64_t key));

/* changes the stage; everybody who waits for that wakes up */
void connection_set_link(struct connection *connection, uint32_t clear, uint32_t set);
void connection_set_stage(struct connection *connection, uint32_t stage);

/* ---------------------------------------------------------------------------------------------- cells */

typedef void (*cell_visitor)(struct connection *connection, uint32_t id, struct cell *cell, uint64_t state, void *arg);

/* messages may be anywhere in the channel: maps all of it; false when that fails */
bool connection_map_far(struct connection *connection);
void connection_unmap_far(struct connection *connection);

/* calls visit for every cell of one end's table that is in use or waited on */
void connection_for_each_cell(struct connection *connection, enum alpc_end owner, cell_visitor visit, void *arg);

/* what the server itself writes into a cell */
struct server_message
{
    uint32_t flags, thread, process; /* CONTENT_* */
    uint16_t data_length, total_length;
    const void *data; /* total_length less the header */
};

/* a message, or the answer to it; false when memory is short */
bool connection_write_request(struct connection *connection, uint32_t id, const struct server_message *message);
bool connection_write_answer(struct connection *connection, uint32_t id, const struct server_message *message);

#endif
