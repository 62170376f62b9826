/*
 * How ports and connections come into this process and leave it
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is made here is made from the reply that the thread has just got: its descriptors stand in the thread's hold and
 * are taken from there.  A new port goes into the hold with one reference (thread.h), so that it does not get lost with
 * the thread.  Nothing here may be called with the process lock held.
 */

#ifndef NTALPC_OBJECT_H
#define NTALPC_OBJECT_H

#include "port.h"

#include "ntalpc/protocol.h"

/* a connection port; hold.fds: post, desk and roster from index first on.  NULL when memory is short */
struct port *object_connection_port(struct thread *thread, uint64_t key, uint64_t queue, uint32_t flags,
                                    unsigned int first);

/* what describes one end of a connection */
struct connection_info
{
    enum alpc_end end;
    uint64_t queue; /* number of the main queue */
    uint32_t slot, generation;
    uint32_t process; /* number of this process among those that share the end */
    uint32_t peer;    /* process id at the other end */
    uint32_t session; /* of the server */
};

/*
 * A communication port with its connection: the client end, and the server end as another process than the owner of the
 * connection port sees it; hold.fds: channel, post and desk from index first on.  NULL when memory is short
 */
struct port *object_communication_port(struct thread *thread, enum port_kind kind, uint64_t key, uint32_t flags,
                                       const struct connection_info *info, unsigned int first);

/* the same for a connection that this process, the owner of the connection port, has accepted in a slot of it */
struct port *object_accepted_port(struct thread *thread, struct port *server_port, uint32_t slot, uint64_t key,
                                  uint32_t flags);

/* maps the connection in a slot of a connection port; false if there is none */
NTSTATUS object_attach_connection(struct port *port, uint32_t slot);

/*
 * The port with this key, from the ports of this process or from alpcserver, in the thread's hold with a reference.
 *   STATUS_OBJECT_TYPE_MISMATCH: it is none
 */
NTSTATUS object_attach_port(struct thread *thread, uint64_t key, struct port **port);

/*
 * A reference less.  With the last the port leaves this process, as soon as no thread uses it any more; alpcserver has
 * looked at what the kernel says of the port's handles when this returns; true then.
 */
bool object_port_unref(struct thread *thread, struct port *port);

#endif
