/*
 * Windows processes that use ports
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_PROCESS_H
#define NTALPC_SERVER_PROCESS_H

#include "bond.h"
#include "object.h"
#include "token.h"

#include "ntalpc/process_page.h"
#include "ntalpc/status.h"

#include <stdbool.h>
#include <sys/types.h>

struct event;
struct state_reader;

struct process
{
    struct object object; /* in the registry while the process is alive */
    unsigned int refs;    /* its life, its bonds, its sockets, and who remembers it as an owner */
    unsigned int sockets; /* control connections */
    int task;             /* tells when the Unix process has ended; -1 = it is dead with its last socket */
    struct event *ended;  /* waits for that */
    pid_t pid;            /* Unix; 0 = cannot be seen from here */
    bool nested;          /* its threads have other ids in its PID namespace */
    uint32_t id;          /* Windows */
    uint32_t session;
    char *program;       /* UTF-8, last component of the image path */
    struct token *token; /* primary */
    int page_fd;
    struct process_page *page;
    struct bond *bonds;
};

static inline bool process_alive(const struct process *process)
{
    return process->object.ops != NULL;
}

/* the living process with this Windows id, or NULL: of several the newest, for ids are used again */
struct process *process_by_id(uint32_t id);

struct process *process_ref(struct process *process);
void process_unref(struct process *process);

/* one of its control connections begins, ends; that may be how its death is noticed */
void process_connected(struct process *process);
void process_disconnected(struct process *process);

/* the end of the process or of a thread is going to be told to the bond, until it is undone; harmless if it is not
 * bound */
void process_bind(struct process *process, struct bond *bond, const struct bond_ops *ops);
void process_unbind(struct bond *bond);

/*
 * Makes a process again that another alpcserver has known; it may be dead already.  processes_restored is called when
 * everything has been made that process_by_key was to find them for.
 */
bool process_restore(uint64_t key, struct state_reader *reader);
struct process *process_by_key(uint64_t key);
void processes_restored(void);

/* all processes are forgotten: the server ends */
void processes_end(void);

#endif
