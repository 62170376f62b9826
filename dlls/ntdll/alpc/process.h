/*
 * This process towards alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_PROCESS_H
#define NTALPC_PROCESS_H

#include "control.h"
#include "ntalpc/nt.h"
#include "thread.h"

/* what the PE half said when the process began; the program's path is copied */
NTSTATUS process_attach(uint32_t process_id, uint32_t session_id, const void *program, size_t program_size);

uint32_t process_id(void);

/* the calling thread's Windows id */
uint32_t current_thread_id(void);

/* the record of the calling thread, clean.  NULL when memory is short */
static inline struct thread *current_thread(void)
{
    struct thread *thread = thread_record;

    if (thread && !thread->cell)
        return thread;
    return thread_current(process_id(), current_thread_id());
}

/*
 * Makes a request, connecting to alpcserver first if need be.  With the process lock held.  Statuses: those of the
 * request; STATUS_PORT_DISCONNECTED when there is no server to talk to.
 */
NTSTATUS process_call(enum request_code code, void *request, const struct control_data *data, void *reply,
                      const void **reply_data, int fds[PROTOCOL_MAX_FDS]);

/* the same, but does nothing when there is no connection yet and no server runs */
void process_notify(enum request_code code, void *request);

#endif
