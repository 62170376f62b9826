/*
 * Memory that alpcserver shares with programs
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_MEMORY_H
#define NTALPC_SERVER_MEMORY_H

#include <stddef.h>

/*
 * Makes size bytes of memory, all zero, that nobody can shrink or grow, and maps them for writing.  Returns the file,
 * which another alpcserver inherits (state.h); the caller owns it and the mapping.  -1 with errno, and *memory NULL.
 */
int memory_create(const char *name, size_t size, void **memory);

/* maps such a file again, for writing; NULL when that fails */
void *memory_map(int fd, size_t size);

#endif
