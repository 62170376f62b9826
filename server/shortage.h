/*
 * What the system does not have enough of
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The caller's request fails with a status that says little.  What is short, and where to change that, is said in one
 * line, once while the server lives: on its standard error, and to the program whose request failed, which prints it.
 */

#ifndef NTALPC_SERVER_SHORTAGE_H
#define NTALPC_SERVER_SHORTAGE_H

#include "ntalpc/status.h"

enum shortage
{
    SHORTAGE_FILES,     /* open files: RLIMIT_NOFILE, the system's */
    SHORTAGE_FILE_SIZE, /* RLIMIT_FSIZE */
    SHORTAGE_MAPPINGS,  /* vm.max_map_count, or memory */
    SHORTAGE_INSTANCES, /* fs.inotify.max_user_instances */
    SHORTAGE_WATCHES,   /* fs.inotify.max_user_watches */
    SHORTAGE_COUNT
};

/* says that something is short; the status for it is always STATUS_INSUFFICIENT_RESOURCES */
NTSTATUS shortage(enum shortage what);

/* the same for what the error number of a failed attempt to make or map shared memory means */
NTSTATUS shortage_of_memory(int error);

/* the line that goes with the reply to the request under way, or NULL; it is given out once */
const char *shortage_take_line(void);

#endif
