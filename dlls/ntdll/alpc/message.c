/*
 * Sending, answering and receiving messages
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "message.h"

#include <sched.h>
#include <string.h>

#define HEADER_SIZE sizeof(PORT_MESSAGE)

/* how long a sender waits for a receiver that is behind before it gives up: a flood slows down instead of failing */
#define ROOM_WAIT_NS 20000000
/* how long alpcserver may take to queue early messages; if it takes longer it has died over them */
#define ACCEPT_WAIT_NS 1000000000
/* how often a port in doubt is searched */
#define AUDIT_INTERVAL_NS 10000000
/* a receiver tries to mend a queue so often before it looks at its deadline */
#define MEND_MOST 100
/* a receiver that has had doubts sleeps no longer than this */
#define DOUBT_SLEEP_NS 50000000

_Static_assert(sizeof(PORT_MESSAGE) == 0x28, "PORT_MESSAGE");

/* ---------------------------------------------------------------------------------------------- ends */

static enum alpc_end peer_of(const struct connection *connection)
{
    return connection->end == END_CLIENT ? END_SERVER : END_CLIENT;
}

static struct queue *queue_of(struct connection *connection, enum alpc_end end)
{
    return end == END_SERVER ? &connection->main->queue : &connection->channel.client_queue;
}

static struct cell_actor actor_of(const struct thread *thread, const struct connection *connection)
{
    return (struct cell_actor){ .thread = thread->actor.thread, .process = connection->process };
}

static void store(_Atomic uint32_t *field, uint32_t value)
{
    atomic_store_explicit(field, value, memory_order_relaxed);
}

static uint32_t load(_Atomic uint32_t *field)
{
    return atomic_load_explicit(field, memory_order_relaxed);
}

/* announces a cell to one of the ends */
static bool announce(struct connection *connection, enum alpc_end end, uint32_t cell, uint32_t gen)
{
    struct queue *queue = queue_of(connection, end);
    struct queue_entry entry = { .slot = end == END_SERVER ? connection->slot : 0, .cell = cell, .gen = gen };

    if (!queue_put(queue, entry))
        return false;
    queue_ring(queue);
    return true;
}

/* why nothing can be sent or awaited any more, or STATUS_SUCCESS */
static NTSTATUS link_status(const struct connection *connection)
{
    uint32_t link = channel_link(&connection->channel);

    return link & LINK_LOST ? STATUS_PORT_DISCONNECTED : STATUS_SUCCESS;
}

/* why nothing more can come from the other end, or STATUS_PENDING [4.4, 4.11] */
static NTSTATUS link_end(const struct connection *connection)
{
    uint32_t link = channel_link(&connection->channel);

    if (link & LINK_CLOSED(connection->end))
        return STATUS_PORT_CLOSED;
    return link & LINK_LOST ? STATUS_PORT_DISCONNECTED : STATUS_PENDING;
}

/* lets a receiver catch up; false when that took too long */
static bool wait_for_room(struct deadline *deadline)
{
    if (deadline->forever)
        *deadline = deadline_in(ROOM_WAIT_NS);
    else if (deadline_passed(deadline))
        return false;
    sched_yield();
    return true;
}

/* ---------------------------------------------------------------------------------------------- content */

static uint64_t coarse_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* fills in a cell that the thread has; back is what becomes of it if the program's memory faults */
static void write_content(struct thread *thread, struct connection *connection, const struct message_ref *ref,
                          const struct message_out *out, uint32_t type, uint32_t flags)
{
    struct cell *cell = ref->cell;
    uint32_t size = out->total_length - HEADER_SIZE;

    thread_copy_begin(thread, cell, ref->gen, ref->back);
    memcpy(channel_data(&connection->channel, ref->id, cell, size), out->data, size);
    thread_copy_end(thread);
    store(&cell->length, out->data_length | (uint32_t)out->total_length << 16);
    store(&cell->type, type);
    store(&cell->flags, flags);
    store(&cell->author, thread->actor.thread);
    store(&cell->process, connection->process);
}

/* a copy of what the peer wrote, checked */
struct content
{
    uint32_t type, flags, author, process, sequence;
    uint16_t data_length, total_length;
};

static bool read_content(struct cell *cell, struct content *content)
{
    uint32_t length = load(&cell->length);

    content->type = load(&cell->type);
    content->flags = load(&cell->flags);
    content->author = load(&cell->author);
    content->process = load(&cell->process);
    content->sequence = load(&cell->sequence);
    content->data_length = (uint16_t)length;
    content->total_length = (uint16_t)(length >> 16);
    return content->total_length >= HEADER_SIZE && content->data_length <= content->total_length - HEADER_SIZE &&
           content->type >= LPC_REQUEST && content->type <= LPC_CANCELED;
}

/*
 * id of the process that wrote the content, from what alpcserver has recorded; a client is told by the channel who
 * shares the server's end, where the server could falsify only its own
 */
static uint32_t author_process(const struct connection *connection, const struct port *port,
                               const struct content *content)
{
    uint32_t number = content->process < ROSTER_PROCESSES ? content->process : 0;
    const struct roster_entry *roster = port                            ? port->roster
                                        : connection->end == END_SERVER ? connection->main->roster
                                                                        : NULL;

    if (roster)
        return load((_Atomic uint32_t *)&roster[connection->slot].process[number]);
    return number && connection->end == END_CLIENT
               ? load(&connection->channel.header->sharer[peer_of(connection)][number])
               : connection->peer;
}

static NTSTATUS check_room(const struct connection *connection, struct message_in *in, size_t needed)
{
    in->needed = needed;
    if (!channel_reaches(&connection->channel, needed - HEADER_SIZE))
        return STATUS_INSUFFICIENT_RESOURCES;
    return needed > in->capacity ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS;
}

/* writes header and data to the program; type has its flag bits */
static void deliver(struct message_in *in, const struct content *content, uint32_t type, uint32_t process,
                    const void *data)
{
    PORT_MESSAGE *header = in->buffer;

    if (!header)
        return;
    header->u1.Length = content->data_length | (uint32_t)content->total_length << 16;
    header->u2.ZeroInit = type;
    header->ClientId.UniqueProcess = (HANDLE)(ULONG_PTR)process;
    header->ClientId.UniqueThread = (HANDLE)(ULONG_PTR)content->author;
    header->MessageId = in->message_id;
    header->ClientViewSize = in->callback_id;
    memcpy(header + 1, data, content->total_length - HEADER_SIZE);
}

/* ---------------------------------------------------------------------------------------------- sending */

static NTSTATUS alloc_cell(struct thread *thread, struct connection *connection, struct message_ref *ref)
{
    struct deadline room = deadline_never;
    struct cell_actor actor = actor_of(thread, connection);

    while ((ref->id = channel_alloc(&connection->channel, connection->end, actor)) == CELL_NONE)
    {
        if (link_status(connection) || !wait_for_room(&room))
            return STATUS_INSUFFICIENT_RESOURCES;
        queue_ring(queue_of(connection, peer_of(connection)));
    }
    ref->cell = channel_cell(&connection->channel, ref->id);
    ref->gen = cell_gen(cell_state(ref->cell));
    ref->back = CELL_FREE;
    atomic_store_explicit(&ref->cell->time, coarse_ns(), memory_order_relaxed);
    store(&ref->cell->requester, thread->actor.thread);
    store(&ref->cell->sequence, channel_next_sequence(&connection->channel, connection->end));
    return STATUS_SUCCESS;
}

/* puts a cell that stands in phase QUEUED of this end into the end's queue */
static NTSTATUS enqueue(struct thread *thread, struct message_ref *ref, enum alpc_end end, enum cell_phase back)
{
    struct deadline room = deadline_never;

    while (!announce(ref->connection, end, ref->id, ref->gen))
    {
        if (wait_for_room(&room))
            continue;
        /* a receiver may have found it all the same */
        if (cell_claim(ref->cell, ref->gen, CELL_QUEUED + end, back, actor_of(thread, ref->connection)))
            return STATUS_INSUFFICIENT_RESOURCES;
        break;
    }
    return STATUS_SUCCESS;
}

/*
 * The connection has not been accepted yet: alpcserver queues the message when it is.  While it does so nothing may
 * overtake the early messages.
 */
static NTSTATUS send_early(struct thread *thread, struct message_ref *ref)
{
    struct connection *connection = ref->connection;
    struct deadline accepted = deadline_never;
    uint32_t stage;

    ref->gen = cell_send(ref->cell, CELL_EARLY, actor_of(thread, connection));
    atomic_thread_fence(memory_order_seq_cst);
    while ((stage = channel_link(&connection->channel)) == LINK_ACCEPTING)
    {
        if (accepted.forever)
            accepted = deadline_in(ACCEPT_WAIT_NS);
        else if (deadline_passed(&accepted))
            break;
        sched_yield();
    }
    if ((stage == LINK_CONNECTED || stage == LINK_ACCEPTING) &&
        cell_claim(ref->cell, ref->gen, CELL_EARLY, CELL_QUEUED + END_SERVER, actor_of(thread, connection)))
        return enqueue(thread, ref, END_SERVER, CELL_FREE);
    return STATUS_SUCCESS;
}

NTSTATUS message_send(struct thread *thread, struct connection *connection, const struct message_out *out,
                      struct message_ref *ref)
{
    enum alpc_end peer = peer_of(connection);
    NTSTATUS status = link_status(connection);
    uint32_t stage;

    if (status)
        return status;
    if (out->total_length > load(&connection->channel.header->max_message))
        return STATUS_PORT_MESSAGE_TOO_LONG;
    if (!channel_reaches(&connection->channel, out->total_length - HEADER_SIZE))
        return STATUS_INSUFFICIENT_RESOURCES;
    ref->connection = connection;
    if ((status = alloc_cell(thread, connection, ref)))
        return status;
    if ((status = connection_set_context(connection, ref->id, out->context)))
    {
        cell_free(ref->cell);
        return status;
    }
    write_content(thread, connection, ref, out, out->release ? LPC_DATAGRAM : LPC_REQUEST,
                  (out->release ? CELL_RELEASE : 0) | (out->sync ? CELL_SYNC : 0));
    stage = channel_link(&connection->channel) & LINK_STAGE_MASK;
    if (connection->end == END_CLIENT && stage != LINK_CONNECTED)
        return send_early(thread, ref);
    ref->gen = cell_send(ref->cell, CELL_QUEUED + peer, actor_of(thread, connection));
    return enqueue(thread, ref, peer, CELL_FREE);
}

/* ---------------------------------------------------------------------------------------------- answering */

/* what the signal becomes with this answer; in a callback each side waits in its turn */
static uint32_t signal_of(const struct message_ref *ref)
{
    return ref->gen << 1 | (ref->connection->end == END_SERVER);
}

/* finds the message that is to be answered and takes it for this thread; phase CELL_ANSWERING */
static NTSTATUS claim_answer(struct thread *thread, struct connection *connection, const struct message_out *out,
                             struct message_ref *ref)
{
    enum alpc_end end = connection->end;
    uint64_t state;

    ref->connection = connection;
    ref->id = MESSAGE_CELL(out->message_id);
    if (MESSAGE_SLOT(out->message_id) != connection->slot || !(ref->cell = channel_cell(&connection->channel, ref->id)))
        return STATUS_INVALID_MESSAGE;
    state = cell_state(ref->cell);
    ref->gen = cell_gen(state);
    ref->back = CELL_HELD + end;
    if (MESSAGE_ID(connection->slot, ref->id, ref->gen) != out->message_id ||
        (out->callback_id && out->callback_id != load(&ref->cell->sequence)))
        return STATUS_INVALID_MESSAGE;
    if (cell_phase(state) == CELL_SPENT && out->release)
    {
        if (!cell_claim(ref->cell, ref->gen, CELL_SPENT, CELL_FREE, actor_of(thread, connection)))
            return STATUS_INVALID_MESSAGE;
        ref->cell = NULL;
        return STATUS_SUCCESS;
    }
    if (cell_phase(state) == CELL_CANCELED + end)
        return STATUS_REQUEST_CANCELED;
    if (ref->id == CELL_CONNECT || cell_phase(state) != CELL_HELD + end ||
        !cell_claim(ref->cell, ref->gen, CELL_HELD + end, CELL_ANSWERING + end, actor_of(thread, connection)))
        return STATUS_INVALID_MESSAGE;
    return STATUS_SUCCESS;
}

NTSTATUS message_answer(struct thread *thread, struct connection *connection, const struct message_out *out,
                        struct message_ref *ref)
{
    enum alpc_end end = connection->end, peer = peer_of(connection);
    struct cell_actor actor = actor_of(thread, connection);
    bool waited_for;
    NTSTATUS status;

    if (out->total_length > load(&connection->channel.header->max_message))
        return STATUS_PORT_MESSAGE_TOO_LONG;
    if (!channel_reaches(&connection->channel, out->total_length - HEADER_SIZE))
        return STATUS_INSUFFICIENT_RESOURCES;
    if ((status = claim_answer(thread, connection, out, ref)) || !ref->cell)
        return status;
    if ((status = link_status(connection)) || (status = connection_set_context(connection, ref->id, out->context)))
    {
        if (!cell_claim(ref->cell, ref->gen, CELL_ANSWERING + end, CELL_HELD + end, actor))
            cell_free(ref->cell);
        return status;
    }
    waited_for = load(&ref->cell->flags) & (CELL_SYNC | CELL_CALLBACK);
    if (out->sync)
        store(&ref->cell->requester, thread->actor.thread);
    write_content(thread, connection, ref, out, out->sync ? LPC_REQUEST : LPC_REPLY,
                  (out->release ? CELL_RELEASE : 0) | (out->sync ? CELL_CALLBACK : 0));
    if (!cell_pass(ref->cell, ref->gen, CELL_ANSWERING + end, (waited_for ? CELL_ANSWER : CELL_QUEUED) + peer, actor))
    {
        cell_free(ref->cell);
        return STATUS_REQUEST_CANCELED;
    }
    if (!waited_for)
        return enqueue(thread, ref, peer, CELL_HELD + end);
    atomic_store_explicit(&ref->cell->signal, signal_of(ref), memory_order_release);
    return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- waiting for an answer
 */

/* what the receiver of a message has to do with it */
static uint32_t type_bits(const struct content *content)
{
    bool continues = content->type == LPC_REQUEST || content->type == LPC_CONNECTION_REQUEST ||
                     (content->type == LPC_REPLY && !(content->flags & CELL_RELEASE));

    return content->type | (continues ? LPC_CONTINUATION_REQUIRED : 0);
}

static void describe(struct message_in *in, const struct connection *connection, uint32_t id, uint32_t gen,
                     const struct content *content)
{
    in->sequence = in->callback_id = content->sequence;
    in->message_id = MESSAGE_ID(connection->slot, id, gen);
}

/*
 * Copies a message out of a cell that this thread has in a phase of its own, now, then moves the cell on: a request is
 * held, an answer that did not release the message leaves it spent, anything else is over.  Returns false if the sender
 * has given up meanwhile: there was no message.
 */
static bool consume(struct thread *thread, struct connection *connection, const struct message_ref *ref,
                    enum cell_phase now, const struct content *content, uint32_t process, struct message_in *in)
{
    enum cell_phase held = CELL_HELD + connection->end, next;
    uint32_t type = type_bits(content), size = content->total_length - HEADER_SIZE;

    next = !(type & LPC_CONTINUATION_REQUIRED) ? CELL_FREE : content->type == LPC_REPLY ? CELL_SPENT : held;
    thread_copy_begin(thread, ref->cell, ref->gen, next);
    deliver(in, content, type, process, channel_data(&connection->channel, ref->id, ref->cell, size));
    thread_copy_end(thread);
    if (next == CELL_FREE)
        cell_free(ref->cell);
    else if (!cell_claim(ref->cell, ref->gen, now, next, actor_of(thread, connection)) &&
             now == CELL_ANSWERING + connection->end)
    {
        cell_free(ref->cell);
        return false;
    }
    return true;
}

static NTSTATUS take_answer(struct thread *thread, const struct message_ref *ref, struct message_in *in)
{
    struct connection *connection = ref->connection;
    enum alpc_end end = connection->end;
    struct content content;
    NTSTATUS status;

    if (!read_content(ref->cell, &content))
    {
        cell_free(ref->cell);
        return STATUS_MESSAGE_LOST;
    }
    describe(in, connection, ref->id, ref->gen, &content);
    in->refused = content.flags & CELL_REFUSED;
    if ((status = check_room(connection, in, content.total_length)))
    {
        struct message_ref again = *ref;

        if (cell_claim(ref->cell, ref->gen, CELL_ANSWER + end, CELL_QUEUED + end, actor_of(thread, connection)))
            enqueue(thread, &again, end, CELL_FREE);
        return status;
    }
    consume(thread, connection, ref, CELL_ANSWER + end, &content, author_process(connection, NULL, &content), in);
    return STATUS_SUCCESS;
}

/*
 * Gives up a message: what the other end has not received yet goes without a trace, what it holds is told to it as
 * canceled.  Returns false when the answer has come after all.
 */
static bool give_up(struct thread *thread, const struct message_ref *ref)
{
    struct connection *connection = ref->connection;
    struct cell_actor actor = actor_of(thread, connection);
    enum alpc_end end = connection->end, peer = peer_of(connection);

    for (;;)
    {
        uint64_t state = cell_state(ref->cell);
        enum cell_phase phase = cell_phase(state);

        if (cell_gen(state) != ref->gen)
            return true;
        if (phase == CELL_ANSWER + end)
            return false;
        if (phase == CELL_EARLY || phase == CELL_QUEUED + peer)
        {
            if (cell_claim(ref->cell, ref->gen, phase, CELL_FREE, actor))
                return true;
        }
        else if (phase == CELL_HELD + peer)
        {
            if (!cell_claim(ref->cell, ref->gen, phase, CELL_CANCELED + peer, actor))
                continue;
            announce(connection, peer, ref->id, ref->gen);
            return true;
        }
        else if (phase != CELL_ANSWERING + peer || cell_claim(ref->cell, ref->gen, phase, CELL_ABANDONED + peer, actor))
            return true;
    }
}

/* the answer is there, or there will be none: STATUS_SUCCESS, the reason, or STATUS_PENDING */
static NTSTATUS answer_status(const struct message_ref *ref, uint64_t state)
{
    const struct connection *connection = ref->connection;
    enum cell_phase phase = cell_phase(state);

    bool lost =
        cell_gen(state) != ref->gen || phase == CELL_FREE || phase == CELL_OWNED || (phase & ~1u) == CELL_CANCELED;
    NTSTATUS end;

    if (!lost && phase == CELL_ANSWER + connection->end)
        return STATUS_SUCCESS;
    /* what the other end had goes with it */
    end = link_end(connection);
    return end == STATUS_PENDING && lost ? STATUS_MESSAGE_LOST : end;
}

/* spins until the signal says that the state is worth a look; false when the thread should sleep */
static bool spin_for_answer(struct spin *spin, const struct message_ref *ref)
{
    uint32_t answered = signal_of(ref) ^ 1, round = spin->round;

    do
    {
        /* the signal can be right by chance, or by malice: a look at it always takes from the budget */
        if (!spin_again(spin))
            return false;
    } while (spin->round == round && atomic_load_explicit(&ref->cell->signal, memory_order_acquire) != answered);
    return true;
}

NTSTATUS message_await(struct thread *thread, const struct message_ref *ref, struct message_in *in,
                       const struct deadline *deadline)
{
    struct connection *connection = ref->connection;
    bool slept = false;
    struct spin spin;
    uint64_t state;
    NTSTATUS status;

    spin_begin(&spin, &connection->history);
    while ((status = answer_status(ref, state = cell_state(ref->cell))) == STATUS_PENDING)
    {
        uint64_t begun;

        if (!slept && spin_for_answer(&spin, ref))
            continue;
        if (deadline_passed(deadline))
        {
            if (give_up(thread, ref))
                return STATUS_TIMEOUT;
            continue;
        }
        begun = monotonic_ns();
        cell_sleep(&connection->channel, ref->cell, state, LINK_LOST, deadline);
        spin_slept(&spin, monotonic_ns() - begun);
        slept = true;
    }
    if (!slept)
        spin_succeeded(&spin);
    /* an answer that came before the other end went still counts */
    if (status && (status == STATUS_MESSAGE_LOST || give_up(thread, ref)))
        return status;
    return take_answer(thread, ref, in);
}

/* ---------------------------------------------------------------------------------------------- receiving */

/* a message that the queue named, as far as it can be received */
struct arrival
{
    uint64_t position;
    struct queue_entry entry;
    struct message_ref ref;
    bool canceled; /* it is told as LPC_CANCELED */
};

/* whether the sender has gone; the server end believes only what alpcserver has recorded */
static bool sender_gone(const struct port *port, const struct connection *connection)
{
    if (port->roster)
        return load((_Atomic uint32_t *)&port->roster[connection->slot].state) == ROSTER_CLOSED;
    return channel_link(&connection->channel) & LINK_SERVER_GONE;
}

/* whether the entry names a message that this end can receive now */
static bool examine(const struct port *port, struct connection *connection, struct arrival *arrival)
{
    enum alpc_end end = connection->end;
    uint64_t state;

    arrival->ref =
        (struct message_ref){ .connection = connection, .id = arrival->entry.cell, .gen = arrival->entry.gen };
    if (!(arrival->ref.cell = channel_cell(&connection->channel, arrival->entry.cell)))
        return false;
    /* both lines are going to be written: by the claim, and most often by the answer */
    __builtin_prefetch(arrival->ref.cell, 1);
    __builtin_prefetch(arrival->ref.cell->data, 1);
    state = cell_state(arrival->ref.cell);
    if (cell_gen(state) != arrival->entry.gen)
        return false;
    arrival->ref.back = cell_phase(state);
    if (cell_phase(state) == CELL_CANCELED + end)
        return arrival->canceled = true;
    /* what a sender left behind undelivered when it went is canceled with it [4.11] */
    arrival->canceled = sender_gone(port, connection) && arrival->entry.cell != CELL_CLOSED;
    return cell_phase(state) == CELL_QUEUED + end;
}

static bool may_deliver(const struct port *port, const struct connection *connection, uint32_t cell,
                        const struct content *content)
{
    uint32_t state;

    switch (content->type)
    {
    case LPC_PORT_CLOSED:
    case LPC_CONNECTION_REQUEST:
        /* only alpcserver sends these, and what it has recorded must agree */
        if (!port->roster)
            return false;
        state = load((_Atomic uint32_t *)&port->roster[connection->slot].state);
        return content->type == LPC_PORT_CLOSED ? cell == CELL_CLOSED && state == ROSTER_CLOSED
                                                : cell == CELL_CONNECT && state == ROSTER_PENDING;
    case LPC_CONNECTION_REPLY:
        return cell == CELL_CONNECT && connection->end == END_CLIENT;
    default:
        return cell != CELL_CONNECT && cell != CELL_CLOSED;
    }
}

/* false when the server has closed the connection meanwhile, and another may have its slot and its context there */
static bool read_port_context(const struct port *port, const struct connection *connection, uint64_t *context)
{
    struct roster_entry *entry = port->roster ? (struct roster_entry *)&port->roster[connection->slot] : NULL;

    *context = entry ? atomic_load_explicit(&entry->port_context, memory_order_acquire) : 0;
    return !entry || atomic_load_explicit(&entry->generation, memory_order_acquire) == connection->generation;
}

/* STATUS_NO_MORE_ENTRIES when there is nothing to receive behind the entry after all */
static NTSTATUS take_arrival(struct thread *thread, struct port *port, struct arrival *arrival, struct message_in *in)
{
    struct message_ref *ref = &arrival->ref;
    struct connection *connection = ref->connection;
    struct cell_actor actor = actor_of(thread, connection);
    enum cell_phase taken;
    bool own = CELL_END(ref->id) == connection->end;
    struct content content;
    uint32_t process;
    NTSTATUS status;

    if (!read_content(ref->cell, &content) || (!arrival->canceled && !may_deliver(port, connection, ref->id, &content)))
        return STATUS_NO_MORE_ENTRIES;
    if (arrival->canceled)
    {
        content.type = LPC_CANCELED;
        content.data_length = 0;
        content.total_length = HEADER_SIZE;
    }
    if ((status = check_room(connection, in, content.total_length)))
        return status;
    /* whoever waits for an answer may give up while the message is being copied */
    taken = type_bits(&content) & LPC_CONTINUATION_REQUIRED ? CELL_ANSWERING + connection->end
                                                            : CELL_HELD + connection->end;
    if (!cell_claim(ref->cell, ref->gen, ref->back, taken, actor))
        return STATUS_NO_MORE_ENTRIES;
    queue_take(port->queue, arrival->position);
    describe(in, connection, ref->id, ref->gen, &content);
    process = author_process(connection, port, &content);
    if (!own && !arrival->canceled)
        connection_set_context(connection, ref->id, 0);
    in->context = connection_context(connection, ref->id);
    if (!read_port_context(port, connection, &in->port_context))
    {
        cell_free(ref->cell);
        return STATUS_NO_MORE_ENTRIES;
    }
    return consume(thread, connection, ref, taken, &content, process, in) ? STATUS_SUCCESS : STATUS_NO_MORE_ENTRIES;
}

/* the connection that a queue entry belongs to; in use until thread_release */
static struct connection *connection_of(struct thread *thread, struct port *port, uint32_t slot)
{
    if (port->kind == PORT_CONNECTION)
        return port_use_connection(thread, port, slot);
    return slot ? NULL : port->connection;
}

/* STATUS_NO_MORE_ENTRIES when the queue is empty */
static NTSTATUS receive_next(struct thread *thread, struct port *port, struct message_in *in)
{
    /* a poster of nothing but lies must not keep the thread beyond its deadline */
    uint32_t most = 2u << port->queue->bits;
    struct arrival arrival;

    while (most-- && queue_peek(port->queue, &arrival.position, &arrival.entry))
    {
        struct connection *connection = connection_of(thread, port, arrival.entry.slot);
        NTSTATUS status = STATUS_NO_MORE_ENTRIES;

        if (connection && examine(port, connection, &arrival))
            status = take_arrival(thread, port, &arrival, in);
        thread_release(thread, USE_CONNECTION);
        if (status != STATUS_NO_MORE_ENTRIES)
            return status;
        /* cancelled before it was received, taken by another thread, or a lie; it is gone in any case */
        atomic_store_explicit(&port->doubt, 1, memory_order_relaxed);
        queue_take(port->queue, arrival.position);
    }
    return STATUS_NO_MORE_ENTRIES;
}

/*
 * Announces again what waits to be received but is not in the queue: its sender died between two instructions, or a
 * client has overwritten the queue.  Announcing a message twice does no harm.
 */
static bool audit_cell(struct connection *connection, uint32_t id)
{
    const struct cell *cell = channel_cell(&connection->channel, id);
    uint64_t state = cell ? cell_state(cell) : CELL_FREE;
    enum alpc_end end = connection->end;

    return (cell_phase(state) == CELL_QUEUED + end || cell_phase(state) == CELL_CANCELED + end) &&
           announce(connection, end, id, cell_gen(state));
}

static bool audit_connection(struct connection *connection)
{
    enum alpc_end owner;
    bool found = audit_cell(connection, CELL_CONNECT);
    uint32_t index;

    for (owner = END_CLIENT; owner <= END_SERVER; owner++)
        for (index = 0; index < channel_peak(&connection->channel, owner); index++)
            found |= audit_cell(connection, CELL_ID(owner, index));
    return found | audit_cell(connection, CELL_CLOSED);
}

static bool audit(struct thread *thread, struct port *port)
{
    uint64_t now = monotonic_ns(), last = atomic_load_explicit(&port->audited, memory_order_relaxed);
    bool found = false;
    uint32_t slot;

    if (now - last < AUDIT_INTERVAL_NS || !atomic_compare_exchange_strong_explicit(
                                              &port->audited, &last, now, memory_order_relaxed, memory_order_relaxed))
        return false;
    atomic_store_explicit(&port->doubt, 0, memory_order_relaxed);
    if (port->kind != PORT_CONNECTION)
        return audit_connection(port->connection);
    for (slot = 1; slot < ROSTER_SIZE; slot++)
    {
        /* one whose request was lost is not known here yet */
        struct connection *connection = port_use_connection(thread, port, slot);

        if (connection)
            found |= audit_connection(connection);
        thread_release(thread, USE_CONNECTION);
    }
    return found;
}

/* the client port's last message: that the server is gone, told once [7, 9] */
static NTSTATUS tell_closed(struct connection *connection, struct message_in *in)
{
    uint32_t id = MESSAGE_ID(connection->slot, CELL_CLOSED, 0);
    const uint64_t data = id;
    const struct content content = { .type = LPC_PORT_CLOSED,
                                     .data_length = sizeof(data),
                                     .total_length = HEADER_SIZE + sizeof(data) };
    NTSTATUS status;

    if (channel_link(&connection->channel) & LINK_CLOSED_TOLD)
        return STATUS_PORT_DISCONNECTED;
    if ((status = check_room(connection, in, content.total_length)))
        return status;
    if (atomic_fetch_or_explicit(&connection->channel.header->link, LINK_CLOSED_TOLD, memory_order_seq_cst) &
        LINK_CLOSED_TOLD)
        return STATUS_PORT_DISCONNECTED;
    in->message_id = id;
    in->callback_id = in->sequence = 0;
    in->context = in->port_context = 0;
    deliver(in, &content, LPC_PORT_CLOSED, connection->peer, &data);
    return STATUS_SUCCESS;
}

/* why nothing more will come, or STATUS_PENDING */
static NTSTATUS end_of_port(const struct port *port)
{
    if (port->kind == PORT_CONNECTION)
        return queue_closed(port->queue) ? STATUS_PORT_CLOSED : STATUS_PENDING;
    if ((channel_link(&port->connection->channel) & LINK_STAGE_MASK) == LINK_REFUSED)
        return STATUS_PORT_CONNECTION_REFUSED;
    return link_end(port->connection);
}

static NTSTATUS receive_last(struct thread *thread, struct port *port, NTSTATUS reason, struct message_in *in)
{
    /* a message may have been posted just before the end */
    NTSTATUS status = receive_next(thread, port, in);

    if (status != STATUS_NO_MORE_ENTRIES)
        return status;
    if (reason != STATUS_PORT_DISCONNECTED || channel_link(&port->connection->channel) & LINK_CLIENT_GONE)
        return reason;
    return tell_closed(port->connection, in);
}

/* puts right what a dead or hostile poster has left behind; true if there may be a message now */
static bool mend(struct thread *thread, struct port *port)
{
    if (atomic_load_explicit(&port->doubt, memory_order_relaxed) && audit(thread, port))
        return true;
    if (!queue_mend(port->queue))
        return false;
    /* what stood in the gap is lost */
    atomic_store_explicit(&port->doubt, 1, memory_order_relaxed);
    return true;
}

static void sleep_on_queue(struct thread *thread, struct port *port, const struct deadline *deadline)
{
    struct deadline soon;

    if (atomic_load_explicit(&port->doubt, memory_order_relaxed))
    {
        soon = deadline_in(DOUBT_SLEEP_NS);
        deadline = deadline->realtime ? &soon : deadline_first(&soon, deadline);
    }
    queue_sleep(port->queue, thread->sleeper, deadline);
}

/* messages for a server communication port come to the connection port; here only the end can be waited for [7, 10] */
static NTSTATUS receive_nothing(struct port *port, const struct deadline *deadline)
{
    const struct channel *channel = &port->connection->channel;
    NTSTATUS status;

    for (;;)
    {
        uint32_t link = channel_link(channel);

        if ((status = end_of_port(port)) != STATUS_PENDING)
            return status;
        if (deadline_passed(deadline))
            return STATUS_TIMEOUT;
        futex_wait(&channel->header->link, link, deadline);
    }
}

NTSTATUS message_receive(struct thread *thread, struct port *port, struct message_in *in,
                         const struct deadline *deadline)
{
    unsigned int mended = 0;
    bool slept = false;
    struct spin spin;
    NTSTATUS status;

    if (!port->queue)
        return receive_nothing(port, deadline);
    spin_begin(&spin, &port->queue->history);
    while ((status = receive_next(thread, port, in)) == STATUS_NO_MORE_ENTRIES)
    {
        uint64_t begun;

        if ((status = end_of_port(port)) != STATUS_PENDING)
            return receive_last(thread, port, status, in);
        if (!slept && !deadline_is_poll(deadline) && spin_again(&spin))
            continue;
        if (mended < MEND_MOST && mend(thread, port))
        {
            mended++;
            continue;
        }
        if (deadline_passed(deadline))
            return STATUS_TIMEOUT;
        mended = 0;
        begun = monotonic_ns();
        sleep_on_queue(thread, port, deadline);
        spin_slept(&spin, monotonic_ns() - begun);
        slept = true;
    }
    if (!slept)
        spin_succeeded(&spin);
    /* this thread may have been woken for the message; another one may have room for it */
    if (status == STATUS_BUFFER_TOO_SMALL)
        queue_ring(port->queue);
    return status;
}
