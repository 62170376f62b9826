/*
 * Port handles
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A port handle is a file handle of Wine's (or, when descriptors run out, an event handle: light).  Which values are
 * ports stands in a table (handle_table.h); a value that is not in it is looked at once.
 *
 * Making a handle takes several steps, in which the thread may end.  What there is of it stands in the thread's hold
 * (thread.h) until handle_given, or handle_give_back, at the end of the call that makes it.
 */

#ifndef NTALPC_HANDLE_H
#define NTALPC_HANDLE_H

#include "ntalpc/nt.h"
#include "port.h"

/*
 * The port behind a handle, in use by the thread (USE_PORT) until thread_release.
 *   STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, and those of attaching to a port that came from elsewhere
 */
NTSTATUS handle_port(struct thread *thread, HANDLE handle, struct port **port);

/* the same for a handle that may be of any kind: NULL when it is not a port's */
struct port *handle_if_port(struct thread *thread, HANDLE handle);

/*
 * Whether an open file is the one behind some port's handle.  Does not make it a port of this process, takes no lock,
 * never waits for anything but wineserver.
 */
bool handle_is_port_file(struct thread *thread, HANDLE handle);

/* whether a file of this name may be behind a port's handle */
bool handle_may_have_name(const UNICODE_STRING *name);

/*
 * Makes a handle for the port in the thread's hold from the file there, unless it is light; with the placeholder there
 * it gets a name (name.h).  attributes may hold OBJ_INHERIT.  The port is in use by the thread (USE_PORT) then.
 */
NTSTATUS handle_create(struct thread *thread, ULONG attributes, HANDLE *handle);

/* the program has the handle that was made */
void handle_given(struct thread *thread);

/* undoes what was begun: closes the handle, unless the program has done so itself.  The record is the caller's own */
void handle_give_back(struct thread *thread);

/* NtClose of any handle, and NtDuplicateObject of one of this process; target, which may be NULL, is not the program's
 * memory */
NTSTATUS handle_close(struct thread *thread, HANDLE handle);
NTSTATUS handle_duplicate(struct thread *thread, HANDLE source, HANDLE target_process, HANDLE *target,
                          ACCESS_MASK access, ULONG attributes, ULONG options);

#endif
