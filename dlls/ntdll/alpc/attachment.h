/*
 * What travels with a message besides its bytes
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each kind stands in the list in attachment.c: what sending, receiving and the end of the message mean for it. What
 * both ends must see stands in the cell: its bit in .attached, its fields in .attachments.  Whoever ends a message
 * calls attachment_release, in a program or in alpcserver.
 */

#ifndef NTALPC_ATTACHMENT_H
#define NTALPC_ATTACHMENT_H

#include "channel.h"
#include "ntalpc/status.h"

/* what a sender attaches [4.8] */
struct attachments_out
{
    uint64_t context; /* MessageContext: the sender's own, the other end never sees it [4.8.1] */
};

/* what a receiver finds */
struct attachments_in
{
    uint64_t context;
};

/*
 * Attaches to a message or an answer that the thread is writing; what this end attached before is replaced.  After a
 * failure the caller ends what it is writing.  STATUS_NO_MEMORY
 */
NTSTATUS attachment_send(struct channel *channel, uint32_t id, struct cell *cell, const struct attachments_out *out);

/* fresh: this end has not seen the message before */
void attachment_receive(struct channel *channel, uint32_t id, struct cell *cell, bool fresh, struct attachments_in *in);

/* the message is over */
void attachment_release(struct channel *channel, uint32_t id, struct cell *cell);

/* the channel is unmapped */
void attachment_forget(struct channel *channel);

#endif
