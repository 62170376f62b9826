/*
 * What stands in a cell: a message, or the answer to it
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_CONTENT_H
#define NTALPC_CONTENT_H

#include "message.h"

/* a copy of what the peer wrote, checked */
struct content
{
    uint32_t type; /* LPC_* with LPC_CONTINUATION_REQUIRED */
    bool is_answer;
    uint32_t flags, author, process, sequence;
    uint16_t data_length, payload_length;
};

/*
 * Writes a message or an answer; the payload is the program's memory.  A fault ends the call, and the event undone is
 * what becomes of the cell.
 */
void content_write(struct thread *thread, const struct message_ref *ref, struct cell_content *content,
                   const struct message_out *out, enum cell_event undone);

/*
 * Reads what a cell in this state holds for the receiving end.  What type it has follows from who sent it and the
 * phase.
 * Returns false when it makes no sense.
 */
bool content_read(const struct message_ref *ref, uint64_t state, struct content *content);

/* the notice that the client has gone, with what its cell says of the client */
void content_read_closed(const struct message_ref *ref, struct content *content);

/* the notice that the message is canceled */
void content_cancel(struct content *content);

/* STATUS_BUFFER_TOO_SMALL, or STATUS_INSUFFICIENT_RESOURCES if the payload is out of reach */
NTSTATUS content_check_room(const struct content *content, const struct connection *connection, struct message_in *in);

/* tells the caller which message it is: ids, contexts, the sender's token; roster is connection_roster(), also below */
void content_describe(const struct content *content, const struct message_ref *ref, const struct roster_entry *roster,
                      struct message_in *in);

/*
 * id of the process that wrote the content, from what alpcserver has recorded; a client is told by the channel who
 * shares the server's end, where the server could falsify only its own
 */
uint32_t content_process(const struct content *content, const struct message_ref *ref,
                         const struct roster_entry *roster);

/*
 * Of a message that is held, after it was delivered: it may have been given up meanwhile, but as long as its cell was
 * not used again it was whole.
 */
bool content_was_whole(const struct message_ref *ref);

/* writes header and payload to the program */
void content_deliver(const struct content *content, struct message_in *in, uint32_t process, const void *payload);

#endif
