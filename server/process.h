/*
 * Windows processes that use ports
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_PROCESS_H
#define NTALPC_SERVER_PROCESS_H

#include "object.h"
#include "token.h"

#include "ntalpc/status.h"

#include <stdbool.h>
#include <sys/types.h>

struct bond;

struct process
{
    struct object object; /* in the registry while the process is alive */
    unsigned int refs;    /* its bonds, its sockets, and who remembers it as an owner */
    unsigned int sockets; /* control connections */
    pid_t pid;            /* Unix */
    uint32_t id;          /* Windows */
    uint32_t session;
    char *program;       /* UTF-8, last component of the image path */
    struct token *token; /* primary */
    int handles_fd;      /* page that tells the process to check its handles again */
    _Atomic uint32_t *handles;
    struct bond *bonds;
};

/* what the end of a process or of one of its threads means to something that the process has to do with */
struct bond_ops
{
    void (*thread_gone)(struct bond *bond, uint32_t thread); /* NULL = nothing */
    void (*process_gone)(struct bond *bond);                 /* may undo bonds */
};

struct bond
{
    struct bond *next, **link;
    struct process *process; /* NULL = no bond */
    const struct bond_ops *ops;
};

static inline bool process_alive(const struct process *process)
{
    return process->object.ops != NULL;
}

struct process *process_ref(struct process *process);
void process_unref(struct process *process);

/* one of its control connections begins, ends; with the last one the process is dead */
void process_connected(struct process *process);
void process_disconnected(struct process *process);

/* the end of the process or of a thread is going to be told to the bond, until it is undone; harmless if it is not
 * bound */
void process_bind(struct process *process, struct bond *bond, const struct bond_ops *ops);
void process_unbind(struct bond *bond);

/* all processes are forgotten: the server ends */
void processes_end(void);

#endif
