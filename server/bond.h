/*
 * What has to do with a process, and is told when the process or one of its threads has ended
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_BOND_H
#define NTALPC_SERVER_BOND_H

#include <stdint.h>

struct bond;
struct process;

struct bond_ops
{
    void (*thread_gone)(struct bond *bond, uint32_t thread); /* NULL = nothing */
    void (*process_gone)(struct bond *bond);                 /* may take bonds out of the list, its own too */
};

struct bond
{
    struct bond *next, **link; /* in the process' list */
    struct process *process;   /* NULL = no bond */
    const struct bond_ops *ops;
};

void bond_insert(struct bond **list, struct bond *bond);
void bond_remove(struct bond *bond);

/*
 * Tells all that are in the list, and stay there until it is their turn, that a thread has ended, with 0 the process;
 * then calls told(arg), which may be NULL.  What takes longer than a moment goes on in between other work, in the order
 * of calls.
 */
void bonds_tell(struct bond *list, uint32_t thread, void (*told)(void *arg), void *arg);

/* tells the rest at once: the server ends */
void bonds_end(void);

#endif
