/*
 * Asking alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_ALPCDUMP_QUERY_H
#define NTALPC_ALPCDUMP_QUERY_H

#include "snapshot.h"

#include <stdbool.h>

/* how long a server may take, in seconds; one that is stopped does not answer at all */
#define QUERY_TIMEOUT 5

/*
 * Asks the server of this process' prefix; snapshot must be empty, and stays so when no server runs.  Returns NULL or
 * what is wrong, in one line without a newline, valid until the next call.
 */
const char *query_server(struct snapshot *snapshot, bool messages);

#endif
