/*
 * What alpcserver tells alpcdump
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_DUMP_H
#define NTALPC_SERVER_DUMP_H

#include "ntalpc/status.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Describes all ports and connections, and with messages every message too, as records of ntalpc/records.h.  It only
 * looks.  The caller frees *records.  STATUS_NO_MEMORY
 */
NTSTATUS dump_records(bool messages, void **records, size_t *size);

#endif
