/*
 * Message attributes of a call
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_ATTRIBUTES_H
#define NTALPC_ATTRIBUTES_H

#include "capture.h"
#include "message.h"

/*
 * Reads the attributes of a message that is sent; NULL is none.
 *   STATUS_INVALID_PARAMETER   one is valid but not allocated
 *   STATUS_NOT_IMPLEMENTED     one that cannot be sent yet: security, view, handle, direct
 */
NTSTATUS attributes_read(const ALPC_MESSAGE_ATTRIBUTES *attributes, struct attachments_out *sent);

/* faults unless what is allocated can be written; NULL is none */
void attributes_probe(ALPC_MESSAGE_ATTRIBUTES *attributes);

/* describes a received message in what is allocated */
void attributes_write(ALPC_MESSAGE_ATTRIBUTES *attributes, const struct message_in *in);

#endif
