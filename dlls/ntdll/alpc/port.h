/*
 * Ports and connections as one process sees them
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_PORT_H
#define NTALPC_PORT_H

#include "channel.h"
#include "ntalpc/nt.h"
#include "thread.h"

/* the mapped queue of a connection port; shared by the port, if it is open here, and by the connections made to it */
struct main_queue
{
    struct queue queue;
    uint64_t id; /* alpcserver's number of it */
    const struct roster_entry *roster; /* NULL where only communication ports are known */
    bool receives; /* the desk is writable */
    unsigned int refs;
    struct main_queue *next;
};

/* one end of a connection */
struct connection
{
    struct channel channel;
    enum alpc_end end;
    uint32_t slot;               /* in the roster of the connection port */
    uint32_t generation;         /* of that slot */
    uint32_t process;            /* this process' number among those that share this end */
    uint32_t peer;               /* id of the process at the other end; the server end asks the roster if it has one */
    uint32_t session;            /* of the server */
    struct main_queue *main;
    struct spin_history history; /* of waits for answers; a queue has its own */
    _Atomic(_Atomic uint64_t *) contexts; /* MessageContext of this side by cell, or NULL if none was ever given */
    unsigned int refs;           /* process lock */
};

struct port
{
    enum port_kind kind;
    uint64_t key; /* by which alpcserver knows the port; it stands in the file behind the port's handles */
    bool light;   /* there is no such file */
    uint32_t flags; /* ALPC_PORFLG_* as a query shows them */
    uint64_t context; /* PortContext of a server communication port */
    unsigned int refs; /* entries of the handle table, and threads that make or close a handle; process lock */
    HANDLE placeholder; /* of the port's name, where the file cannot hold it; NULL = it does, or there is no name */
    struct port *next;
    struct queue *queue; /* what a receive on the port reads; NULL for a server communication port [7, 10] */
    _Atomic uint32_t doubt;   /* the queue named a message that was not there; look for forgotten ones */
    _Atomic uint64_t audited; /* when that was last done, monotonic_ns() */

    /* connection port */
    struct main_queue *main;
    const struct roster_entry *roster;
    _Atomic(void *) *connections; /* struct connection * by slot; filled in when first needed */

    /* communication port */
    struct connection *connection;
};

/*
 * Maps the connection in a slot of the connection port's roster, which another process may have accepted.  The native
 * half asks alpcserver; tests bring their own.  Returns false if there is none any more.
 */
extern bool (*port_attach_connection)(struct port *port, uint32_t slot);

/*
 * The connection with this slot of a connection port, in use by the thread (USE_CONNECTION) until thread_release; NULL
 * if there is none.
 */
struct connection *port_use_connection(struct thread *thread, struct port *port, uint32_t slot);

/* frees what a connection has mapped, not the structure itself */
void connection_unmap(struct connection *connection);

/* the MessageContext that this side has given to a message, 0 if none */
uint64_t connection_context(const struct connection *connection, uint32_t cell);
/* remembers it; STATUS_NO_MEMORY */
NTSTATUS connection_set_context(struct connection *connection, uint32_t cell, uint64_t context);

#endif
