/*
 * What stands in a cell: a message, or the answer to it
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "content.h"

#include <string.h>

_Static_assert(sizeof(PORT_MESSAGE) == 0x28, "PORT_MESSAGE");

static void store(_Atomic uint32_t *field, uint32_t value)
{
    atomic_store_explicit(field, value, memory_order_relaxed);
}

static uint32_t load(const _Atomic uint32_t *field)
{
    return atomic_load_explicit(field, memory_order_relaxed);
}

/* ---------------------------------------------------------------------------------------------- writing */

void content_write(struct thread *thread, const struct message_ref *ref, struct cell_content *content,
                   const struct message_out *out, enum cell_event undone)
{
    struct channel *channel = &ref->connection->channel;

    thread_copy_begin(thread, connection_actor(ref->connection, thread), channel, ref->id, ref->cell, ref->gen, undone);
    memcpy(channel_data(channel, ref->id, ref->cell, out->payload_length), out->payload, out->payload_length);
    thread_copy_end(thread);
    store(&content->length, out->data_length | (uint32_t)out->payload_length << 16);
    store(&content->flags, (out->release ? CONTENT_RELEASE : 0) | (out->sync ? CONTENT_SYNC : 0) |
                               (out->canceled ? CONTENT_CANCELED : 0));
    store(&content->author, thread->thread_id);
    store(&content->process, ref->connection->process);
}

/* ---------------------------------------------------------------------------------------------- reading */

/* [3.6, 4.4] */
static uint32_t type_of(uint32_t id, bool is_answer, uint32_t flags, enum alpc_end end)
{
    if (is_answer && flags & CONTENT_CANCELED)
        return LPC_CANCELED;
    if (id == CELL_CONNECT)
        return end == END_CLIENT ? LPC_CONNECTION_REPLY : LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED;
    if (!(flags & CONTENT_RELEASE))
        return LPC_REQUEST | LPC_CONTINUATION_REQUIRED;
    return is_answer ? LPC_REPLY : LPC_DATAGRAM;
}

static void read_author(const struct message_ref *ref, const struct cell_content *from, struct content *content)
{
    content->flags = load(&from->flags);
    content->author = load(&from->author);
    content->process = load(&from->process);
    content->sequence = load(&ref->cell->sequence);
}

bool content_read(const struct message_ref *ref, uint64_t state, struct content *content)
{
    const struct cell_content *from = cell_content(ref->cell, state);
    enum alpc_end end = ref->connection->end;
    /* in a cell of its own, or awaited, an end finds answers only; of one that was queued again this process knows */
    bool awaited = CELL_END(ref->id) == end || cell_phase(state) == CELL_ANSWER + end;
    uint32_t length = load(&from->length);

    content->is_answer = awaited || (state & CELL_ANSWERED && load(&ref->connection->requeued));
    read_author(ref, from, content);
    content->data_length = (uint16_t)length;
    content->payload_length = (uint16_t)(length >> 16);
    content->type = type_of(ref->id, content->is_answer, content->flags, end);
    return content->data_length <= content->payload_length && content->payload_length <= CELL_MAX_PAYLOAD &&
           (!awaited || state & CELL_ANSWERED);
}

void content_read_closed(const struct message_ref *ref, struct content *content)
{
    read_author(ref, &ref->cell->request, content);
    content->type = LPC_PORT_CLOSED;
    content->is_answer = false;
    content->data_length = content->payload_length = sizeof(uint64_t); /* the MessageId */
}

void content_cancel(struct content *content)
{
    content->type = LPC_CANCELED;
    content->data_length = content->payload_length = 0;
}

NTSTATUS content_check_room(const struct content *content, const struct connection *connection, struct message_in *in)
{
    in->needed = sizeof(PORT_MESSAGE) + content->payload_length;
    if (!channel_reaches(&connection->channel, content->payload_length))
        return STATUS_INSUFFICIENT_RESOURCES;
    return in->needed > in->capacity ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- telling */

/* [4.8.2] of whom a message comes from, not of what the system tells about it */
static void describe_token(const struct roster_entry *entry, struct message_in *in)
{
    in->has_token = true;
    in->token_id = atomic_load_explicit(&entry->token_id, memory_order_relaxed);
    in->authentication_id = atomic_load_explicit(&entry->authentication_id, memory_order_relaxed);
    in->modified_id = atomic_load_explicit(&entry->modified_id, memory_order_relaxed);
}

void content_describe(const struct content *content, const struct message_ref *ref, const struct roster_entry *roster,
                      struct message_in *in)
{
    uint32_t type = content->type & 0xff;

    in->sequence = in->callback_id = content->sequence;
    in->message_id = channel_message_id(&ref->connection->channel, ref->id, ref->gen);
    /* a connection that does not exist yet has no context [4.8] */
    in->has_context = type != LPC_CONNECTION_REQUEST;
    if (roster && type != LPC_CANCELED && type != LPC_PORT_CLOSED)
        describe_token(roster, in);
}

uint32_t content_process(const struct content *content, const struct message_ref *ref,
                         const struct roster_entry *roster)
{
    const struct connection *connection = ref->connection;
    uint32_t number = content->process < ROSTER_PROCESSES ? content->process : 0;

    /* the one thing that a client hears of itself: nobody has decided about its connection [4.3] */
    if (connection->end == END_CLIENT && ref->id == CELL_CONNECT && content->type == LPC_CANCELED)
        return load(&connection->channel.header->sharer[END_CLIENT][number]);
    if (roster)
        return load(&roster->process[number]);
    return number && connection->end == END_CLIENT ? load(&connection->channel.header->sharer[END_SERVER][number])
                                                   : connection->peer;
}

bool content_was_whole(const struct message_ref *ref)
{
    uint64_t now;

    atomic_thread_fence(memory_order_acquire);
    now = cell_state(ref->cell); /* the generation changes only when the next message is sent */
    return cell_gen(now) == ref->gen && cell_phase(now) != CELL_OWNED;
}

void content_deliver(const struct content *content, struct message_in *in, uint32_t process, const void *payload)
{
    PORT_MESSAGE *header = in->buffer;

    if (!header)
        return;
    header->u1.Length = content->data_length | (uint32_t)(content->payload_length + sizeof(*header)) << 16;
    header->u2.ZeroInit = content->type;
    header->ClientId.UniqueProcess = (HANDLE)(ULONG_PTR)process;
    header->ClientId.UniqueThread = (HANDLE)(ULONG_PTR)content->author;
    header->MessageId = in->message_id;
    header->ClientViewSize = in->callback_id;
    memcpy(header + 1, payload, content->payload_length);
}
