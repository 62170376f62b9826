/*
 * The replacement ntdll: the host's own file with another export table.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_TOOLS_REPLACE_H
#define NTALPC_TOOLS_REPLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/error.h"

/* Where the forwarders lead, and what the originals are called. */
#define REPLACE_MODULE "ntalpc.dll16"
#define REPLACE_HOST_PREFIX "__wine_host_"
#define REPLACE_SECTION ".ntalpc"

struct replace_name
{
    const char *name;
    bool needs_host; /* the replacement calls the host's function of that name */
};

/* The rows of ntdll.spec. */
extern const struct replace_name replace_names[];
extern const size_t replace_name_count;

/*
 * Makes the replacement of the ntdll.dll in host.  Every listed name becomes a forwarder to REPLACE_MODULE, at the
 * ordinal of the host's function of that name or at a new one; the host's function stays reachable with
 * REPLACE_HOST_PREFIX before its name.  All else is as in the host's file, less its trailing debug sections and
 * symbols.
 *
 * On success *result is allocated with malloc and belongs to the caller.  Fails, saying why, for a file that is not the
 * ntdll.dll of a 64-bit Wine, that lacks a function needed, or that is a replacement already.
 */
bool replace_ntdll(const uint8_t *host, size_t host_size, const struct replace_name *names, size_t count,
                   uint8_t **result, size_t *result_size, struct error *error);

#endif
