/*
 * The object type "ALPC Port" among those of the host [3.8]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The host's table of types does not have it: it follows the last of them, so that all others stay what they are.
 */

#ifndef NTALPC_TYPE_H
#define NTALPC_TYPE_H

#include "ntalpc/nt.h"

/* the numbers that stand for types in the host's lists of handles; they need not be those of the table of types */
struct listed_types
{
    uint8_t file, port;
};

extern const WCHAR type_port_name[10]; /* with the zero at its end */

/*
 * ObjectTypeInformation of a port.  information and return_length, which may be NULL, are the program's memory, already
 * probed.  STATUS_INFO_LENGTH_MISMATCH
 */
NTSTATUS type_query(void *information, ULONG length, ULONG *return_length);

/* ObjectTypesInformation: the host's answer with one type more.  return_length is probed; statuses are the host's */
NTSTATUS type_query_all(HANDLE handle, void *information, ULONG length, ULONG *return_length);

/* asks the host the first time.  STATUS_NO_MEMORY, and those of the host */
NTSTATUS type_listed(struct listed_types *types);

#endif
