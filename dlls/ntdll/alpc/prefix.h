/*
 * Where the alpcserver of a Wine prefix is found
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_PREFIX_H
#define NTALPC_PREFIX_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct prefix
{
    char server_dir[PATH_MAX]; /* directory of the server's own, mode 0700 */
    char socket[PATH_MAX];
    char lock[PATH_MAX];       /* the server holds a write lock on it while it runs */
};

/*
 * Finds the prefix as Wine does: WINEPREFIX, else .wine in the home directory.  make tells whether to make the server's
 * directories.  Returns NULL, or what is wrong in one line without a newline, which lives until the thread's next call.
 */
const char *prefix_find(struct prefix *prefix, bool make);

/* the process that has the prefix's lock, if only to leave it; 0 = none */
pid_t prefix_holder(const struct prefix *prefix);

#endif
