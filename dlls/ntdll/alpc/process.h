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
 * Makes a request, connecting to alpcserver first if need be.  No lock is held while the reply is awaited; signals are
 * blocked, so that nothing that came with the reply can be lost: descriptors stand in the thread's hold, variable data
 * in its scratch memory.  reply_data may be NULL where there is none.
 * Statuses: those of the request; STATUS_PORT_DISCONNECTED when there is no server to talk to, or it has gone;
 * STATUS_DLL_NOT_FOUND, STATUS_ACCESS_DENIED, STATUS_TOO_MANY_OPENED_FILES, STATUS_NO_MEMORY when it cannot be started
 * or reached, which stays so for some seconds; STATUS_REVISION_MISMATCH
 */
NTSTATUS process_call(struct thread *thread, enum request_code code, void *request, const struct control_data *data,
                      void *reply, const void **reply_data);

/* the same, but does nothing when there is no connection yet and no server runs */
void process_notify(struct thread *thread, enum request_code code, void *request);

#endif
