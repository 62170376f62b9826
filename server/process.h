/*
 * Windows processes that use ports
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_PROCESS_H
#define NTALPC_SERVER_PROCESS_H

#include "ntalpc/status.h"
#include "token.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * Lives as long as its control connection or an object that remembers it as its owner does.
 */
struct process
{
    struct process *next, **link; /* in the list of those that are alive */
    unsigned int refs;
    bool alive;
    pid_t pid;                    /* Unix */
    uint32_t id;                  /* Windows */
    uint32_t session;
    char *program;                /* UTF-8, last component of the image path */
    struct token *token;          /* primary */
    int handles_fd;               /* page that tells the process to check its handles again */
    _Atomic uint32_t *handles;
};

/*
 * A new process; program is UTF-16 of the given size in bytes, token in the form of ntalpc/token.h.
 *   STATUS_NO_MEMORY, and those of token_create
 */
NTSTATUS process_create(pid_t pid, uint32_t id, uint32_t session, const void *program, size_t program_size,
                        const void *token, size_t token_size, struct process **process);

/* the control connection has closed: the process is dead.  The caller's reference stays. */
void process_gone(struct process *process);

struct process *process_ref(struct process *process);
void process_unref(struct process *process);

/* the living process with this Windows id, or NULL */
struct process *process_by_id(uint32_t id);

/* makes the process look at its handles again before it believes what it knows of them */
void process_handles_changed(struct process *process);

#endif
