/*
 * The host's Wine: where its loader, DLLs and data are.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_TOOLS_HOST_H
#define NTALPC_TOOLS_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/error.h"

#define HOST_PLACES_MAX 8

/* Absolute paths, without "." and ".."; they belong to the struct. */
struct host
{
    char *loader; /* the program itself: no script, no symbolic link */
    char *loader_dir;
    char *unix_dir;                  /* holds ntdll.so */
    char *windows_dir;               /* holds ntdll.dll */
    char *dll_dir;                   /* holds these two folders */
    char *data_dir[HOST_PLACES_MAX]; /* every place where this loader may look for share/wine */
    size_t data_count;
    char *server_dir[HOST_PLACES_MAX]; /* every place where it may look for wineserver */
    size_t server_count;
    char *root; /* the deepest folder that holds all of these */
};

/*
 * Finds the 64-bit Wine below a folder (or with this loader), or, when below is NULL, the one that PATH leads to, or
 * else one in the usual places.  Fails, saying what is missing.
 */
bool host_find(struct host *host, const char *below, struct error *error);
void host_free(struct host *host);

/* Whether this is a 64-bit x86 program and no script. */
bool host_is_program(const char *path);

#endif
