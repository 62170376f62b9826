/*
 * How ports and connections come into this process and leave it
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All of this happens under the process lock.  Descriptors are taken over and closed.
 */

#ifndef NTALPC_OBJECT_H
#define NTALPC_OBJECT_H

#include "port.h"

#include "ntalpc/protocol.h"

/* a connection port with what alpcserver gave for it; NULL when memory is short */
struct port *object_connection_port(uint64_t key, uint64_t queue, uint32_t flags, int post_fd, int desk_fd, int roster_fd);

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

/* the client end, and the server end as another process than the owner of the connection port sees it */
struct connection *object_connection(const struct connection_info *info, int channel_fd, int post_fd, int desk_fd);
void object_connection_unref(struct connection *connection);

/* a communication port; takes over the caller's reference to the connection.  NULL when memory is short */
struct port *object_communication_port(enum port_kind kind, uint64_t key, uint32_t flags,
                                       struct connection *connection);

/* a port whose handle could not be made */
void object_discard(struct port *port);

/* maps the connection in a slot of a connection port; a reference for the caller if *connection is wanted */
bool object_attach_connection(struct port *port, uint32_t slot);
struct connection *object_connection_ref(struct port *port, uint32_t slot);

/* the port with this key, from the ports of this process or from alpcserver.  STATUS_OBJECT_TYPE_MISMATCH: it is none */
NTSTATUS object_attach_port(uint64_t key, struct port **port);

/* handles of a port come and go; with the last the port goes, as soon as no thread uses it any more */
void object_handle_added(struct port *port);
void object_handle_removed(struct port *port);

#endif
