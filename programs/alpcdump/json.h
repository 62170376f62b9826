/*
 * A dump for programs
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_ALPCDUMP_JSON_H
#define NTALPC_ALPCDUMP_JSON_H

#include "snapshot.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * One object {"server": {...}, "ports": [...], "connections": [...], "messages": [...]} and a newline.  Keys are the
 * fields of ntalpc/records.h, and for numbers that have names a second one with those; server is null when none runs.
 * All of it is ASCII, so that names cannot control a terminal.  one_line leaves out indentation.  Returns false when
 * memory is short.
 */
bool json_print(FILE *out, const struct snapshot *snapshot, bool one_line);

#endif
