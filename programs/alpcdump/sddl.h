/*
 * Security descriptors as text
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_ALPCDUMP_SDDL_H
#define NTALPC_ALPCDUMP_SDDL_H

#include "ntalpc/status.h"

#include <stddef.h>

/*
 * Writes the self-relative descriptor in the size bytes at data, at any alignment, in the security descriptor
 * definition language (MS-DTYP 2.5.1) as Windows does: a SID, an access mask or an ACE type by its abbreviation where
 * that says exactly the same, by number otherwise.  The bytes behind the SID of a conditional or resource attribute
 * ACE, and those of an ACE of an unknown type, follow in hex.  The caller frees *text, which is written on success
 * only.
 *
 * STATUS_NO_MEMORY, and those of security_descriptor_parse
 */
NTSTATUS sddl_from_descriptor(const void *data, size_t size, char **text);

#endif
