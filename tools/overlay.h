/*
 * The overlay: a folder in the user's cache that looks to Wine's loader like the host's Wine, but has the replacement
 * ntdll and ours beside it.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_TOOLS_OVERLAY_H
#define NTALPC_TOOLS_OVERLAY_H

#include <stdbool.h>

#include "tools/error.h"
#include "tools/host.h"

struct overlay_request
{
    const struct host *host;
    const char *cache;   /* holds the overlays; created if it is missing */
    const char *library; /* holds ntalpc.dll16 and ntalpc.so */
    bool refresh;        /* build it anew even if it looks right */
};

struct overlay
{
    char *path;
    char *loader; /* Wine's loader within it */
    int lock;     /* while any process has this descriptor open, nobody removes the overlay; inherited over exec */
};

/*
 * Finds the overlay that fits the request, and builds it first if it is missing or the host's Wine or our files have
 * changed.  Any number of processes may do this at once; one of them builds.  Overlays that fit no longer and that no
 * process uses are removed.  When nothing is to be built, nothing is written.
 *
 * On success the overlay is released with overlay_close, or by the end of the process.  On failure nothing half-made
 * stays behind.
 */
bool overlay_open(struct overlay *overlay, const struct overlay_request *request, struct error *error);
void overlay_close(struct overlay *overlay);

#endif
