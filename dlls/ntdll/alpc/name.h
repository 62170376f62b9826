/*
 * Names of ports
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A port's name is held in Wine's own namespace by a placeholder: a completion port with that name, which belongs to
 * the file behind the port's handle and so goes with it.  Directories, symbolic links, sessions, rights and collisions
 * with other objects are therefore Wine's business.  How many packets wait in the placeholder tells which of the ports
 * it is that the object manager calls by the same name, in different unnamed directories; none is not ready yet.
 */

#ifndef NTALPC_NAME_H
#define NTALPC_NAME_H

#include "capture.h"

struct port_name
{
    UNICODE_STRING full; /* as the object manager spells it; in the thread's scratch memory */
};

/* makes what every prefix should have: the directory \RPC Control */
void name_init(void);

/*
 * Takes a name for a new port; the placeholder's handle is in the thread's hold.  Statuses are those of the object
 * manager; STATUS_NO_MEMORY
 */
NTSTATUS name_create(struct thread *thread, const struct captured_attributes *attributes, struct port_name *name);

/* the port is ready to be found under this number */
NTSTATUS name_publish(HANDLE placeholder, uint32_t number);

/*
 * Finds the name's full form and the port's number, 0 if what has the name is no port, or not ready yet.
 * STATUS_OBJECT_TYPE_MISMATCH when another object has it, and the other statuses of looking up a name.
 */
NTSTATUS name_find(struct thread *thread, const struct captured_attributes *attributes, struct port_name *name,
                   uint32_t *number);

/* the same for the completion port behind a handle */
NTSTATUS name_of_handle(struct thread *thread, HANDLE handle, struct port_name *name, uint32_t *number);

#endif
