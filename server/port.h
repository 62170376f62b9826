/*
 * Port objects
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A port lives as long as a handle to it is open in any Windows process (watch.h).
 *
 * Wine's server needs a descriptor for each.  When those threaten to run out, server communication ports get handles
 * without a file: light ones.  The process that has such a handle tells when it closes it, and others cannot have it.
 */

#ifndef NTALPC_SERVER_PORT_H
#define NTALPC_SERVER_PORT_H

#include "dlls/ntdll/alpc/queue.h"
#include "process.h"
#include "security.h"
#include "watch.h"

#include <event2/event.h>
#include <uthash.h>

struct connection;

struct port
{
    UT_hash_handle hh;          /* by id */
    UT_hash_handle hh_inode;
    UT_hash_handle hh_name;     /* named ports, by number and name */
    UT_hash_handle hh_absolute; /* those whose name is an absolute path */
    enum port_kind kind;
    uint64_t id;
    uint64_t inode;             /* of the file; 0 = light */
    struct watch watch;
    int handle_fd;              /* the file, until it has been given to the program; then -1 */
    struct process *owner;
    uint32_t flags;             /* ALPC_PORFLG_* */
    uint32_t max_message;       /* header included */
    struct security_descriptor *security;
    bool disconnected;          /* NtAlpcDisconnectPort has been called */

    /* connection port */
    struct port_name
    {
        uint32_t number;        /* from 1; tells apart ports of one name in unnamed directories */
        uint32_t size;          /* bytes */
        uint16_t text[];
    } *name;                    /* NULL if unnamed */
    bool absolute;
    int post_fd, desk_fd, desk_read_fd, roster_fd;
    struct queue queue;
    struct roster_entry *roster;
    struct connection **connections; /* by slot, ROSTER_SIZE */
    uint32_t connection_count;
    uint32_t first_free;        /* slots below it are in use */

    /* communication port */
    struct connection *connection;
};

struct port_attributes
{
    uint32_t flags;
    uint32_t max_message; /* as given: 0 = default */
};

/*
 * A new connection port.  name is UTF-16, name_size 0 for none; absolute tells whether it is a path by itself;
 * security_size 0 stands for the token's default.
 *   STATUS_INVALID_PARAMETER [7, 20], STATUS_NO_MEMORY, STATUS_INSUFFICIENT_RESOURCES, those of security_descriptor_parse
 *   and security_descriptor_create
 */
NTSTATUS port_create(struct process *owner, const struct port_attributes *attributes, const void *name,
                     uint32_t name_size, bool absolute, const void *security, uint32_t security_size,
                     struct port **port);

/* a new communication port of a connection, which keeps the pointer and is told by connection_port_closed */
NTSTATUS port_create_communication(enum port_kind kind, struct process *owner, const struct port_attributes *attributes,
                                   struct connection *connection, struct port **port);

/* a process has died: what it was about to open, and its light handles */
void ports_forget_process(const struct process *process);

/* undoes a creation, or follows the last handle: nobody can name the port any more */
void port_destroy(struct port *port);

/* [7, 20] a limit as a query would show it; false if it is below a header */
bool port_max_message(uint32_t given, uint32_t *limit);

struct port *port_by_id(uint64_t id);
struct port *port_by_inode(uint64_t inode);
/* number 0 looks for an absolute name */
struct port *port_by_name(uint32_t number, const void *name, uint32_t name_size);

/* for walks over all ports: the first, and the one after */
struct port *port_first(void);
struct port *port_next(const struct port *port);

/* the server ends */
void port_destroy_all(void);

#endif
