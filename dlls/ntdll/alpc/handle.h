/*
 * Port handles
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A port handle is a file handle of Wine's (or, when descriptors run out, an event handle: light).  The table of this
 * process remembers which handle values are ports; a value that it does not know is looked at once.
 */

#ifndef NTALPC_HANDLE_H
#define NTALPC_HANDLE_H

#include "ntalpc/nt.h"
#include "port.h"

/* one bit for each handle value / 4 that the table knows; NULL when memory is short */
const uint8_t *handle_table_init(uint32_t *count);

/*
 * The port behind a handle, in use by the thread (USE_PORT) until thread_release.
 *   STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, and those of attaching to a port that came from elsewhere
 */
NTSTATUS handle_port(struct thread *thread, HANDLE handle, struct port **port);

/* the same without looking any further than the table: NULL when the handle is not known to be a port's */
struct port *handle_known_port(struct thread *thread, HANDLE handle);

/* the same for a handle that may be of any kind: NULL when it is not a port's */
struct port *handle_if_port(struct thread *thread, HANDLE handle);

/*
 * Whether an open file is the one behind some port's handle.  Does not make it a port of this process, takes no lock,
 * never waits for anything but wineserver.
 */
bool handle_is_port_file(HANDLE handle);

/* whether a file of this name may be behind a port's handle */
bool handle_may_have_name(const UNICODE_STRING *name);

/*
 * Makes a handle for a port from the file that alpcserver gave for it, -1 for a light one; fd is closed in any case.
 * name is the placeholder of a named connection port (name.h) or NULL.  attributes may hold OBJ_INHERIT.  With the
 * process lock held, which keeps the handle from being used before it is in the table.
 */
NTSTATUS handle_create(struct port *port, int fd, ULONG attributes, HANDLE name, HANDLE *handle);

/* NtClose and NtDuplicateObject of a handle in the table; target, which may be NULL, is not the program's memory */
NTSTATUS handle_close(HANDLE handle);
NTSTATUS handle_close_locked(HANDLE handle);

/* closes a handle that the program was not given, unless it has done so itself */
void handle_withdraw(HANDLE handle, const struct port *port);
NTSTATUS handle_duplicate(HANDLE source, HANDLE target_process, HANDLE *target, ACCESS_MASK access, ULONG attributes,
                          ULONG options);

#endif
