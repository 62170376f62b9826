/*
 * Learning that the last handle of a port has been closed
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A port's handles are file handles of Wine's for one opening of a memfd.  The kernel tells when nobody has the file
 * open any more, in whatever process and however it ended, for a memfd has no other name; the server keeps no
 * descriptor.
 */

#ifndef NTALPC_SERVER_WATCH_H
#define NTALPC_SERVER_WATCH_H

#include "ntalpc/status.h"

#include <stdbool.h>
#include <uthash.h>

struct inotify;
struct port_file;

struct watch
{
    UT_hash_handle hh;
    struct inotify *inotify; /* NULL = not watching */
    int wd;
    bool gone;
    bool seen; /* among those that the kernel still has */
    void (*closed)(struct watch *watch);
};

/*
 * Makes the file for a handle, with this content, and begins to watch it.  The program opens it once through
 * /proc/PID/fd/N and closes the descriptor.  closed is called when no one has the file open any more: the last handle
 * was closed, or the descriptor never led to one.  *fd is that descriptor, which the caller owns; -1 on failure.
 *   STATUS_NO_MEMORY, STATUS_INSUFFICIENT_RESOURCES
 */
NTSTATUS watch_begin(struct watch *watch, const struct port_file *content, void (*closed)(struct watch *watch),
                     int *fd);

/* where a watch stands, for another alpcserver to go on with: a descriptor and the number of the watch there */
struct watch_place
{
    int fd, wd;
};
struct watch_place watch_place(const struct watch *watch);
bool watch_restore(struct watch *watch, struct watch_place place, void (*closed)(struct watch *watch));
/* all are there: closes those whose files have gone meanwhile */
void watches_restored(void);

/* handles what has happened so far */
void watch_catch_up(void);

/* may be called from closed, and for a watch that never began */
void watch_end(struct watch *watch);

#endif
