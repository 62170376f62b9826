/*
 * The process that outlives alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * alpcserver is two processes: the worker does everything, the keeper waits for its end.  They share one table of
 * descriptors (clone with CLONE_FILES), so whatever the worker has open stays open when it is killed, and a descriptor
 * means the same to the next worker as it did to the last one.  When the worker dies the keeper executes the program
 * that is installed now and begins anew with what it has inherited: descriptors that are not close-on-exec, of which
 * the journal tells what they are.  If the keeper dies the worker makes another; while it has none it goes on all the
 * same.
 */

#ifndef NTALPC_SERVER_KEEPER_H
#define NTALPC_SERVER_KEEPER_H

#include <stdbool.h>

struct keeper
{
    char **argv; /* of the program, NULL at the end; executed again with --resume=... first */
    int listener, lock, journal;
    unsigned int quick; /* workers that have died at once, one after the other */
};

/*
 * The first thing to do, so that no signal ends the process before somebody handles it: SIGTERM, SIGINT and SIGHUP are
 * blocked until keeper_worker_ready.
 */
void keeper_block_signals(void);

/* sets what the argument of --resume says; false if it does not say that */
bool keeper_resume(struct keeper *keeper, const char *argument);

/*
 * Makes a worker and returns in it; the process that calls stays as the keeper of it and never comes back.  It ends
 * with the worker's exit code when that has ended in order.
 */
void keeper_start(struct keeper *keeper);

/* The worker handles SIGTERM, SIGINT and SIGHUP, and this signal when its keeper has died: to be called with a handler
 * set. */
#define KEEPER_DIED SIGUSR1
void keeper_worker_ready(void);

/* on KEEPER_DIED: the same as keeper_start, with a worker that knows what this one knows */
void keeper_replace(struct keeper *keeper);

/* The processes that hold a lock, as the lock file tells it; 0 = unknown. */
struct keeper_pids
{
    int keeper, worker;
};
struct keeper_pids keeper_pids(int lock);

#endif
