/*
 * Files and paths for the tools.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_TOOLS_FILE_H
#define NTALPC_TOOLS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tools/error.h"

/*
 * Like asprintf, but the result is never NULL: these are short-lived programs and end with a message when memory is
 * out.  The caller frees the string.
 */
char *format(const char *text, ...) __attribute__((format(printf, 1, 2)));

/* The folder part of a path that contains a slash; the caller frees it. */
char *path_folder(const char *path);

/* The part behind the last slash; points into path. */
const char *path_name(const char *path);

/*
 * Joins an absolute path and a relative one that may begin with "../"s, without asking the file system; the caller
 * frees it.  NULL if the result would lie above the root.
 */
char *path_join(const char *folder, const char *relative);

bool path_is_file(const char *path);
bool path_is_folder(const char *path);

/* Reads a whole file, at most 256 MiB.  *data is allocated with malloc and belongs to the caller. */
bool file_read(const char *path, uint8_t **data, size_t *size, struct error *error);

/*
 * Puts a file in place at once: other programs see the old one or the new one and never a part.  mode is what the file
 * gets, less the umask.
 */
bool file_write(const char *path, const uint8_t *data, size_t size, mode_t mode, struct error *error);

/* Creates a folder and whatever folders are missing above it. */
bool folder_create(const char *path, mode_t mode, struct error *error);

/* Removes a folder with all that is in it, as far as possible; follows no symbolic link. */
void folder_remove(const char *path);

#endif
