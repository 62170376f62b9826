/*
 * Processes of a test: starting, watching, ending
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A test runs in a process group of its own, and with a mark in its environment by which descendants are recognised
 * that have left the group.  What has lost the mark too becomes a child of the runner, which is how it is found then.
 */

#ifndef NTALPC_RUNNER_PROCESS_H
#define NTALPC_RUNNER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROCESS_OTHERS 128

struct process
{
    pid_t pid;                    /* of its group too */
    const char *mark;             /* the caller's, must outlive the process */
    bool orphans;                 /* children that the runner gets while it runs belong to it; the caller's to set */
    pid_t others[PROCESS_OTHERS]; /* what this process had for children before; 0 ends the list */
};

/* once, before anything is started: orphans become children of this process */
void processes_init(void);

/*
 * Runs a shell command with its output going to a descriptor and its input coming from one; both stay the caller's.
 * Returns 0 or an errno.
 */
int process_start(struct process *process, const char *command, const char *mark, int input, int output);

enum process_end
{
    PROCESS_ENDED,
    PROCESS_TIMEOUT,
    PROCESS_INTERRUPTED, /* SIGINT, SIGTERM or SIGHUP has come for this process */
};

/* waits for the process itself, not for what it has started; *status is as of waitpid */
enum process_end process_wait(const struct process *process, double seconds, int *status);

/*
 * Waits until nothing of the process is left.  False when something is after so many seconds; then text tells what.
 * spared, which may be NULL, is another process: its descendants are none of this one's.
 */
bool process_wait_rest(const struct process *process, const struct process *spared, double seconds, char *text,
                       size_t size);

/* kills whatever is left, and waits until it has gone */
void process_kill(const struct process *process, const struct process *spared);

double seconds_now(void);

#endif
