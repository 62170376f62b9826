/*
 * Which handle values are ports
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Finding a port takes no lock, and costs nothing for a value that is none.  An entry has a reference to its port.
 */

#ifndef NTALPC_HANDLE_TABLE_H
#define NTALPC_HANDLE_TABLE_H

#include "closes.h"
#include "ntalpc/nt.h"
#include "port.h"

/* for the PE half: one bit for each handle value / 4 that the table knows, and how many */
extern uint8_t handle_table_known[];
extern const uint32_t handle_table_count;
extern struct handle_closes handle_table_closes[HANDLE_CLOSES];

/* what was so before the host was asked about a handle, or for one */
struct handle_view
{
    uint32_t ended[HANDLE_CLOSES];
    uint64_t closes;   /* page_closes() */
    uint32_t version;  /* of the entry */
    struct port *port; /* in it, NULL if none: to be compared only */
    bool light;        /* that one has no file */
    bool doubtful;     /* what is put with this view is only a guess */
};

void handle_table_look(HANDLE handle, struct handle_view *view);

/* the same for a handle that is about to be made: whatever its entry says then is of an earlier one */
void handle_table_look_ahead(struct handle_view *view);

/* the port in an entry that is right, in use by the thread (USE_PORT); else NULL */
struct port *handle_table_find(struct thread *thread, HANDLE handle);

/*
 * The host has said that the handle is the port's, which is in use by the thread (USE_PORT) then.  Another port that
 * stood there is in the thread's hold as replaced. STATUS_RETRY: another thread has changed the entry since the view
 *   STATUS_INVALID_HANDLE: the value is too high; STATUS_NO_MEMORY
 *   STATUS_PORT_DISCONNECTED: the port has lost its last reference, and is only still in use
 */
NTSTATUS handle_table_put(struct thread *thread, HANDLE handle, struct port *port, const struct handle_view *view);

/*
 * Takes a port out; its reference is in the thread's hold as closing.  NULL if there is none, or another than only, or
 * if the entry has changed since the view; each may be NULL
 */
struct port *handle_table_take(struct thread *thread, HANDLE handle, const struct port *only,
                               const struct handle_view *view);

#endif
