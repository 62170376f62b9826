/*
 * What the kernel knows of processes and threads
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_TASK_H
#define NTALPC_SERVER_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A descriptor that becomes readable when the process at the other end of a connected Unix socket, whose id as the
 * server sees it is pid, has ended; the caller owns it.  -1 when the kernel is too old, or the process is in a PID
 * namespace that cannot be seen from here.
 */
int task_open(int socket, pid_t pid);

/* whether the process is in a PID namespace below the server's, so that its threads have other ids there */
bool task_is_nested(pid_t pid);

enum task_state
{
    TASK_ALIVE,
    TASK_GONE,
    TASK_UNKNOWN /* the process cannot be seen from here */
};

/* what has become of a thread of a living process; thread is its id as the process itself sees it */
enum task_state task_look(pid_t pid, bool nested, uint32_t thread);

#endif
