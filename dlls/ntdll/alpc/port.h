/*
 * Ports and connections as one process sees them
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_PORT_H
#define NTALPC_PORT_H

#include "cell.h"
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
    uint32_t generation;         /* of the slot in the roster */
    uint32_t process;            /* this process' number among those that share this end */
    uint32_t peer;               /* id of the process at the other end; the server end asks the roster if it has one */
    uint32_t session;            /* of the server */
    struct main_queue *main;
    struct spin_history history; /* of waits for answers; a queue has its own */
    bool impatient;              /* alpcserver took too long over accepting: it is not waited for again */
    _Atomic uint32_t requeued;   /* an answer that this process awaited may be in the queue */
    _Atomic uint64_t seen;       /* position before which the main queue holds nothing for a receive on this end's port */
    _Atomic uint64_t searched;   /* when such a receive looked at everything, coarse_ns() */
    unsigned int refs;           /* process lock */
};

/* what a port does about lies in its queue, see doubt.h */
struct doubt
{
    _Atomic uint32_t stage;    /* see doubt.c; 0 = there is none */
    _Atomic uint32_t again;    /* another lie was met since a search began */
    _Atomic uint32_t slot;     /* of the next connection to look at */
    _Atomic uint64_t time;     /* when the lie was met, coarse_ns() */
    _Atomic uint64_t position; /* once the queue's head is there, what was sent before has been received, or lost */
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
    struct queue *queue; /* what a receive on the port reads; NULL for a server communication port, which reads of the
                            connection port's what is for it */
    struct doubt doubt;

    /* connection port */
    struct main_queue *main;
    const struct roster_entry *roster;
    _Atomic(void *) *connections; /* struct connection * by slot; filled in when first needed */

    /* communication port */
    struct connection *connection;
};

/*
 * Maps the connection in a slot of the connection port's roster, which another process may have accepted.  The native
 * half asks alpcserver; tests bring their own.  STATUS_INVALID_MESSAGE if there is none any more; other statuses if it
 * cannot be reached.
 */
extern NTSTATUS (*port_attach_connection)(struct port *port, uint32_t slot);

/*
 * The connection with this slot of a connection port, in use by the thread (USE_CONNECTION) until thread_release.
 *   STATUS_INVALID_MESSAGE  there is none
 *   and others if there is one that this process cannot reach
 */
NTSTATUS port_use_connection(struct thread *thread, struct port *port, uint32_t slot, struct connection **connection);

/* a thread as it acts at this end of a connection */
static inline struct cell_actor connection_actor(const struct connection *connection, const struct thread *thread)
{
    return (struct cell_actor){ .thread = thread->thread_id, .process = connection->process, .end = connection->end };
}

/* what alpcserver has recorded of the client; NULL at the client's end and where only communication ports are known */
static inline const struct roster_entry *connection_roster(const struct connection *connection)
{
    const struct roster_entry *roster = connection->end == END_SERVER ? connection->main->roster : NULL;

    return roster ? &roster[connection->channel.slot] : NULL;
}

/*
 * Of a client's LPC_PORT_CLOSED, which is due when alpcserver has recorded that the client has gone, and told once to
 * all who share the server's end, whatever the client has written into the channel [4.11].  The server end of a
 * connection.
 */
/* it is to be received; false where the roster is not known */
bool connection_close_is_due(const struct connection *connection);
bool connection_close_was_told(const struct connection *connection);
/* false when somebody else has told it */
bool connection_tell_close(const struct connection *connection);

/* why nothing more can come from the other end, or STATUS_PENDING [4.4, 4.11] */
NTSTATUS connection_end_status(const struct connection *connection);

/* frees what a connection has mapped, not the structure itself */
void connection_unmap(struct connection *connection);

#endif
