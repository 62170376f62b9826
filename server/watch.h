/*
 * Learning that the last handle of a port has been closed
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A port's handles are file handles of Wine's for one opening of a memfd.  The kernel tells when that opening has been
 * closed for good, in whatever process and however it ended; the server needs no descriptor of its own for it.
 */

#ifndef NTALPC_SERVER_WATCH_H
#define NTALPC_SERVER_WATCH_H

#include <stdbool.h>
#include <uthash.h>

struct inotify;

struct watch
{
    UT_hash_handle hh;
    struct inotify *inotify; /* NULL = not watching */
    int wd;
    bool opened;             /* there is a handle */
    void (*closed)(struct watch *watch);
};

/*
 * Makes the file for a handle and begins to watch it.  The program opens it once, for reading, through
 * /proc/PID/fd/N.  closed is called when that opening has gone.  Returns a descriptor that the caller owns, or -1
 * with errno.
 */
int watch_begin(struct watch *watch, void (*closed)(struct watch *watch));

/* handles what has happened so far: openings by a process that is known to be dead among it */
void watch_catch_up(void);

/* may be called from closed, and for a watch that never began */
void watch_end(struct watch *watch);

#endif
