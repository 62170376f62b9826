/*
 * Port objects
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What connection ports (connection_port.c) and communication ports (communication_port.h) have in common.  A port
 * lives as long as a handle to it is open in any Windows process (watch.h).
 *
 * Wine's server needs a descriptor for each.  When those threaten to run out, server communication ports get handles
 * without a file: light ones.  The process that has such a handle tells when it closes it, and others cannot have it.
 */

#ifndef NTALPC_SERVER_PORT_H
#define NTALPC_SERVER_PORT_H

#include "object.h"
#include "process.h"
#include "security.h"
#include "watch.h"

#include "ntalpc/protocol.h"
#include "ntalpc/shm.h"

struct port;
struct reply;
struct state_reader;
struct state_writer;

/* what is different with each kind */
struct port_ops
{
    enum port_kind kind;
    /* fills in the rest of the reply to attach_port, for a process that has got a handle */
    NTSTATUS (*attach)(struct port *port, struct process *process, struct reply *reply);
    /* [alpc.md 1.3 NtAlpcDisconnectPort] the first call; flags have been checked */
    void (*disconnect)(struct port *port, uint32_t flags);
    /* its name, or NULL */
    const struct name *(*name)(const struct port *port);
    /* fills in what of the record the others do not have */
    void (*describe)(const struct port *port, struct port_record *record);
    /* writes what of it the others do not have */
    void (*save)(const struct port *port, struct state_writer *writer);
    /* the port goes: everybody who has to do with it is told, what this kind has is freed */
    void (*closed)(struct port *port);
};

/* stands first in the structure of each kind */
struct port
{
    struct object object;
    const struct port_ops *ops;
    struct watch watch;
    bool light;            /* there is no file */
    int handle_fd;         /* the file, until it has been given to the program; then -1 */
    uint64_t settled;      /* until when, monotonic_ns(), the program may ask again for it; 0 = it was never in doubt */
    struct process *owner;
    struct bond bond;      /* of a light port, to its owner */
    uint32_t flags;        /* ALPC_PORFLG_* */
    uint32_t max_message;  /* header included */
    struct security_descriptor *security;
    bool disconnected;     /* NtAlpcDisconnectPort has been called */
};

struct port_attributes
{
    uint32_t flags;
    uint32_t max_message; /* as given: 0 = default */
};

/*
 * Makes a port of the memory, all zero, of its kind's structure; from then on it is the port's.  security_size 0 stands
 * for the owner's default.  On failure the memory is freed.
 *   STATUS_INVALID_PARAMETER [7, 20], STATUS_NO_MEMORY, STATUS_INSUFFICIENT_RESOURCES, those of
 *   security_descriptor_parse and security_descriptor_create
 */
NTSTATUS port_init(struct port *port, const struct port_ops *ops, struct process *owner,
                   const struct port_attributes *attributes, const void *security, uint32_t security_size);

/*
 * Makes a port again of its kind's structure, which is its own from then on, as port_init does; the caller has read its
 * serial number and kind.
 */
bool port_restore(struct port *port, const struct port_ops *ops, uint64_t key, uint64_t serial,
                  struct state_reader *reader);
/*
 * Closes files that the server before may not have given to their programs, once those have had the time to ask again.
 * Returns whether there are any left.
 */
bool ports_settle(void);

/* something has changed that another alpcserver would have to know */
void port_changed(const struct port *port);

/* undoes a creation, or follows the last handle: nobody can name the port any more */
void port_close(struct port *port);

/* [7, 20] a limit as a query would show it; false if it is below a header */
bool port_max_message(uint32_t given, uint32_t *limit);

/* the port with this key, of any kind or of the one given; NULL if there is none */
struct port *port_find(uint64_t key);
struct port *port_find_kind(uint64_t key, enum port_kind kind);

/* the file behind the program's handle goes into the reply; the server closes it when that has been sent */
void port_give_handle(struct port *port, struct reply *reply);

/* all ports end: the server ends */
void ports_end(void);

#endif
