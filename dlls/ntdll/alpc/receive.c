/*
 * Receiving messages
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A receiver looks at the entry and at the cell that it names, and takes the entry off; then the cell is its own to
 * claim.  Who dies in between leaves a message that is queued but not announced, which whoever buries it announces
 * again.
 */

#include "receive.h"

#include "content.h"
#include "doubt.h"

/* a receiver tries to mend a queue so often before it looks at its deadline */
#define MEND_MOST 100
/* a receiver of a port in doubt looks at more connections after so long */
#define DOUBT_SLEEP_NS 10000000

/* a message that the queue named, as far as it can be received */
struct arrival
{
    uint64_t position;
    struct queue_entry entry;
    struct message_ref ref;
    uint64_t state;
    struct content content;
    const struct roster_entry *roster; /* connection_roster() */
};

static uint32_t roster_state(const struct roster_entry *entry)
{
    return atomic_load_explicit(&entry->state, memory_order_relaxed);
}

/* ---------------------------------------------------------------------------------------------- looking */

/* as nearly all are: of a client that is connected, by alpcserver's record, and not taken back */
static bool is_ordinary(const struct connection *connection, const struct arrival *arrival)
{
    return arrival->roster && roster_state(arrival->roster) == ROSTER_CONNECTED && arrival->ref.id != CELL_CONNECT &&
           cell_phase(arrival->state) == CELL_QUEUED + connection->end;
}

/* whether the sender has gone; the server end believes what alpcserver has recorded */
static bool sender_gone(const struct connection *connection, const struct arrival *arrival)
{
    if (arrival->roster)
        return roster_state(arrival->roster) == ROSTER_CLOSED;
    return channel_link(&connection->channel) & (connection->end == END_CLIENT ? LINK_SERVER_GONE : LINK_CLIENT_GONE);
}

/* whether alpcserver's record allows that the client says this */
static bool is_allowed(const struct connection *connection, const struct arrival *arrival)
{
    uint32_t state;

    if (connection->end == END_CLIENT)
        return true;
    if (!arrival->roster) /* only communication ports are known here */
        return arrival->ref.id != CELL_CONNECT;
    state = roster_state(arrival->roster);
    if (arrival->ref.id == CELL_CONNECT)
        return state == ROSTER_PENDING;
    return state == ROSTER_CONNECTED || state == ROSTER_CLOSED;
}

/*
 * what a sender left behind undelivered when it went is canceled with it, unless somebody was waiting for it [4.11,
 * 4.7]
 */
static bool is_canceled(const struct connection *connection, const struct arrival *arrival)
{
    if (cell_phase(arrival->state) == CELL_CANCELED + connection->end)
        return true;
    if (!sender_gone(connection, arrival))
        return false;
    return !(arrival->state & CELL_HANDED) || (connection->end == END_SERVER && connection_close_was_told(connection));
}

enum look
{
    LOOK_MESSAGE,   /* there is something to receive */
    LOOK_WITHDRAWN, /* its sender has given it up */
    LOOK_NOTHING,   /* the entry leads nowhere */
    LOOK_LATER      /* memory is short */
};

/* alpcserver's record decides: the client may have written over the cell, and can still do so */
static enum look look_at_closed(const struct connection *connection, struct arrival *arrival)
{
    if (!connection_close_is_due(connection))
        return LOOK_NOTHING;
    content_read_closed(&arrival->ref, &arrival->content);
    return LOOK_MESSAGE;
}

static enum look look_at(struct connection *connection, struct arrival *arrival)
{
    enum alpc_end end = connection->end;
    struct message_ref *ref = &arrival->ref;

    *ref = (struct message_ref){ .connection = connection, .id = arrival->entry.cell, .gen = arrival->entry.gen };
    if (!(ref->cell = channel_cell(&connection->channel, ref->id)))
        return channel_has_cell(ref->id) ? LOOK_LATER : LOOK_NOTHING;
    /* both lines are going to be written: by the claim, and most often by the answer */
    __builtin_prefetch(ref->cell, 1);
    __builtin_prefetch(ref->cell->data, 1);
    arrival->state = cell_state(ref->cell);
    arrival->roster = connection_roster(connection);
    if (ref->id == CELL_CLOSED)
        return look_at_closed(connection, arrival);
    if (cell_gen(arrival->state) != ref->gen)
        return LOOK_NOTHING;
    if (is_ordinary(connection, arrival))
        return content_read(ref, arrival->state, &arrival->content) ? LOOK_MESSAGE : LOOK_NOTHING;
    if (cell_phase(arrival->state) == CELL_WITHDRAWN + end)
        return LOOK_WITHDRAWN;
    if (cell_phase(arrival->state) == CELL_QUEUED + end)
    {
        if (!is_allowed(connection, arrival) || !content_read(ref, arrival->state, &arrival->content))
            return LOOK_NOTHING;
    }
    else if (cell_phase(arrival->state) != CELL_CANCELED + end)
        return LOOK_NOTHING;
    else /* a notice tells nothing of what the answer may have been by then */
        content_read(ref, arrival->state, &arrival->content);
    if (is_canceled(connection, arrival))
        content_cancel(&arrival->content);
    return LOOK_MESSAGE;
}

/* ---------------------------------------------------------------------------------------------- taking */

static bool step(struct thread *thread, struct arrival *arrival, enum cell_event event)
{
    struct message_ref *ref = &arrival->ref;

    return cell_step(&ref->connection->channel, ref->id, ref->cell, &arrival->state, event,
                     connection_actor(ref->connection, thread));
}

/* an entry that this thread has taken, of a message that its sender gave up: the cell is the sender's again */
static void drop(struct thread *thread, struct arrival *arrival)
{
    while (cell_is(arrival->state, CELL_WITHDRAWN + arrival->ref.connection->end, arrival->ref.gen) &&
           !step(thread, arrival, EVENT_DONE))
        ;
}

/* the event by which the message becomes this thread's */
static enum cell_event claim_event(const struct arrival *arrival)
{
    const struct content *content = &arrival->content;

    if (content->type == LPC_CANCELED)
        return EVENT_DONE;
    if (!(content->type & LPC_CONTINUATION_REQUIRED))
        return EVENT_READ;
    /* an answer that did not release the message can only be released; one that is a request can be answered */
    return content->is_answer && !(content->flags & CONTENT_SYNC) ? EVENT_READ : EVENT_RECEIVE;
}

/* false when the server has closed the connection meanwhile, and another may have its slot and its context there */
static bool read_port_context(const struct port *port, const struct arrival *arrival, uint64_t *context)
{
    const struct roster_entry *roster = arrival->roster;

    *context = roster ? atomic_load_explicit(&roster->port_context, memory_order_acquire) : port->context;
    return !roster ||
           atomic_load_explicit(&roster->generation, memory_order_acquire) == arrival->ref.connection->generation;
}

/* copies out a message that this thread has claimed; one that is read is over then */
static bool copy_out(struct thread *thread, struct arrival *arrival, struct message_in *in)
{
    struct message_ref *ref = &arrival->ref;
    struct channel *channel = &ref->connection->channel;
    const struct content *content = &arrival->content;
    const void *payload = channel_data(channel, ref->id, ref->cell, content->payload_length);
    struct cell_actor actor = connection_actor(ref->connection, thread);
    uint32_t process = content_process(content, ref, arrival->roster);

    if (ref->id == CELL_CLOSED || content->type == LPC_CANCELED)
    {
        content_deliver(content, in, process, payload);
        return true;
    }
    thread_copy_begin(thread, actor, channel, ref->id, ref->cell, ref->gen, EVENT_REQUEUE);
    content_deliver(content, in, process, payload);
    thread_copy_end(thread);
    if (!cell_in(arrival->state, CELL_READING))
        return content_was_whole(ref);
    cell_finish(channel, ref->id, ref->cell, arrival->state,
                content->type & LPC_CONTINUATION_REQUIRED ? EVENT_KEEP : EVENT_DONE, actor);
    return true;
}

/* makes the message this thread's */
static bool take(struct thread *thread, struct arrival *arrival)
{
    if (arrival->ref.id != CELL_CLOSED)
        return step(thread, arrival, claim_event(arrival));
    if (!connection_tell_close(arrival->ref.connection))
        return false;
    step(thread, arrival, EVENT_READ);
    return true;
}

/* a message whose entry this thread has taken; false when there is none after all */
static bool claim(struct thread *thread, const struct port *port, struct arrival *arrival, struct message_in *in)
{
    struct connection *connection = arrival->ref.connection;
    /* a notice of something canceled may be all that comes of it, too */
    bool fresh = CELL_END(arrival->ref.id) != connection->end && !arrival->content.is_answer &&
                 !cell_in(arrival->state, CELL_CANCELED);

    if (!read_port_context(port, arrival, &in->port_context) || !take(thread, arrival))
    {
        drop(thread, arrival);
        return false;
    }
    content_describe(&arrival->content, &arrival->ref, arrival->roster, in);
    attachment_receive(&connection->channel, arrival->ref.id, arrival->ref.cell, fresh, &in->attachments);
    return copy_out(thread, arrival, in);
}

/* ---------------------------------------------------------------------------------------------- a port's own queue */

/* the connection that a queue entry belongs to; in use until thread_release */
static NTSTATUS find_connection(struct thread *thread, struct port *port, uint32_t slot, struct connection **connection)
{
    if (port->kind == PORT_CONNECTION)
        return port_use_connection(thread, port, slot, connection);
    *connection = port->connection;
    return slot ? STATUS_INVALID_MESSAGE : STATUS_SUCCESS;
}

/* somebody has written over entries of others; a communication port searches without being told, see search_own */
static void suspect(struct port *port)
{
    if (port->queue)
        doubt_begin(port);
}

/*
 * An entry that led nowhere has been taken off: true if it was made so on purpose, by a receive on a communication
 * port. It is accounted for then.
 */
static bool was_hole(struct queue *queue, uint64_t position)
{
    struct queue_entry entry;

    return queue_peek_at(queue, position, &entry) && entry.slot == QUEUE_NOTHING && queue_count_hole(queue);
}

/* a communication port takes its own out of the middle of the queue: the message is whose who makes nothing of it */
static bool remove_entry(struct port *port, const struct arrival *arrival)
{
    if (port->queue)
        return queue_take(port->queue, arrival->position);
    return queue_erase(&port->connection->main->queue, arrival->position, arrival->entry);
}

/* the entry is no good: removes it; unless another has, or somebody made it so, it is a lie */
static bool discard(struct port *port, const struct arrival *arrival)
{
    if (!remove_entry(port, arrival) || (port->queue && was_hole(port->queue, arrival->position)))
        return false;
    suspect(port);
    return true;
}

/* STATUS_NO_MORE_ENTRIES: nothing was behind this entry, go on with the next */
static NTSTATUS receive_entry(struct thread *thread, struct port *port, struct connection *connection,
                              struct arrival *arrival, struct message_in *in)
{
    NTSTATUS status;

    switch (look_at(connection, arrival))
    {
    case LOOK_NOTHING:
        /* a message that makes no sense is over, or it would be found missing for ever */
        if (discard(port, arrival) && arrival->ref.cell &&
            cell_is(arrival->state, CELL_QUEUED + connection->end, arrival->ref.gen))
            step(thread, arrival, EVENT_DONE);
        return STATUS_NO_MORE_ENTRIES;
    case LOOK_WITHDRAWN:
        if (remove_entry(port, arrival))
            drop(thread, arrival);
        return STATUS_NO_MORE_ENTRIES;
    case LOOK_LATER:
        return STATUS_INSUFFICIENT_RESOURCES;
    case LOOK_MESSAGE:
        break;
    }
    if ((status = content_check_room(&arrival->content, connection, in)))
        return status;
    if (!remove_entry(port, arrival))
        return STATUS_NO_MORE_ENTRIES;
    if (claim(thread, port, arrival, in))
        return STATUS_SUCCESS;
    /* a receive on the communication port had it just before */
    if (port->queue)
        was_hole(port->queue, arrival->position);
    return STATUS_NO_MORE_ENTRIES;
}

/* STATUS_NO_MORE_ENTRIES when the queue is empty */
static NTSTATUS receive_next(struct thread *thread, struct port *port, struct message_in *in,
                             const struct deadline *deadline)
{
    /* a poster of nothing but lies must not keep the thread beyond its deadline */
    uint32_t most = 2u << port->queue->bits;
    struct arrival arrival;

    while (most-- && queue_peek(port->queue, &arrival.position, &arrival.entry))
    {
        struct connection *connection;
        NTSTATUS status;

        /* not for who only looks, and takes what is there */
        if (most % 1024 == 0 && !deadline_is_poll(deadline) && deadline_passed(deadline))
            break;

        if (arrival.entry.slot == QUEUE_NOTHING)
        {
            if (queue_take(port->queue, arrival.position) && !queue_count_hole(port->queue))
                suspect(port);
            continue;
        }
        status = find_connection(thread, port, arrival.entry.slot, &connection);
        if (!status)
            status = receive_entry(thread, port, connection, &arrival, in);
        else if (status == STATUS_INVALID_MESSAGE)
        {
            discard(port, &arrival);
            status = STATUS_NO_MORE_ENTRIES;
        }
        thread_release(thread, USE_CONNECTION);
        if (status != STATUS_NO_MORE_ENTRIES)
            return status;
    }
    return STATUS_NO_MORE_ENTRIES;
}

/* ---------------------------------------------------------------------------------------------- communication port */

/* whether what stands at the position is for a receive on this connection's server communication port [4.1] */
static bool is_for(const struct connection *connection, const struct queue_entry *entry)
{
    return entry->slot == connection->channel.slot && entry->cell != CELL_CONNECT && entry->cell != CELL_CLOSED;
}

/* where the main queue may hold something that this end's port has not looked at */
static uint64_t first_unseen(const struct connection *connection)
{
    const struct queue *queue = &connection->main->queue;
    uint64_t head = queue_head(queue), seen = atomic_load_explicit(&connection->seen, memory_order_relaxed);

    return seen - head <= UINT64_C(1) << queue->bits ? seen : head;
}

/*
 * A client whose messages nobody receives must not keep the others' from going through the queue.  Whenever packing
 * makes what is free twice as much: else it would cost more than the messages.
 */
static void make_room(struct queue *queue, uint64_t position)
{
    uint64_t size = UINT64_C(1) << queue->bits, used = queue_used(queue);
    uint32_t holes = atomic_load_explicit(&queue->desk->holes, memory_order_relaxed);

    if (holes && holes >= size - used)
        queue_pack(queue, position);
}

/* STATUS_NO_MORE_ENTRIES when there is none of its client's */
static NTSTATUS receive_own(struct thread *thread, struct port *port, struct message_in *in,
                            const struct deadline *deadline)
{
    struct connection *connection = port->connection;
    struct queue *queue = &connection->main->queue;
    /* as in receive_next */
    uint32_t most = 2u << queue->bits;
    NTSTATUS status = STATUS_NO_MORE_ENTRIES;
    struct arrival arrival;

    arrival.position = first_unseen(connection);
    while (most-- && queue_peek_at(queue, arrival.position, &arrival.entry))
    {
        if (most % 1024 == 0 && !deadline_is_poll(deadline) && deadline_passed(deadline))
            break;
        if (is_for(connection, &arrival.entry) &&
            (status = receive_entry(thread, port, connection, &arrival, in)) != STATUS_NO_MORE_ENTRIES)
            break;
        atomic_store_explicit(&connection->seen, ++arrival.position, memory_order_relaxed);
    }
    queue_trim(queue);
    make_room(queue, arrival.position);
    return status;
}

/* so often a port that sees only its own client's looks whether there is something that it was not led to */
#define SEARCH_NS 1000000000

/*
 * Who writes over the main queue can make messages vanish from it here too, or lead past them.  True if there may be
 * one now.
 */
static bool search_own(struct port *port)
{
    struct connection *connection = port->connection;
    struct queue *queue = &connection->main->queue;
    uint64_t now = coarse_ns(), last = atomic_load_explicit(&connection->searched, memory_order_relaxed);
    uint64_t seen = first_unseen(connection);

    if (now - last < SEARCH_NS || !atomic_compare_exchange_strong_explicit(&connection->searched, &last, now,
                                                                           memory_order_relaxed, memory_order_relaxed))
        return false;
    queue_mend(queue);
    /* who was at it may have been terminated */
    make_room(queue, seen);
    atomic_store_explicit(&connection->seen, queue_head(queue), memory_order_relaxed);
    cell_announce_missing(&connection->channel, END_SERVER);
    return true;
}

static void sleep_for_own(struct port *port, struct waiter *waiter, const struct deadline *deadline)
{
    struct channel_header *header = port->connection->channel.header;
    const struct deadline most = deadline_within(deadline, MOST_SLEEP_NS);
    const struct queue *queue = &port->connection->main->queue;
    uint32_t bell = atomic_load_explicit(&header->comm_bell, memory_order_seq_cst);
    struct queue_entry entry;

    waiter_falls_asleep(&header->comm, waiter);
    if (!queue_peek_at(queue, first_unseen(port->connection), &entry) &&
        connection_end_status(port->connection) == STATUS_PENDING)
        futex_wait(&header->comm_bell, bell, &most);
    waiter_wakes_up(&header->comm, waiter);
}

/* ---------------------------------------------------------------------------------------------- the end of a port */

/* the client port's last message: that the server is gone, told once [7, 9] */
static NTSTATUS tell_closed(struct connection *connection, struct message_in *in)
{
    uint32_t id = channel_message_id(&connection->channel, CELL_CLOSED, 0);
    const uint64_t data = id;
    const struct content content = { .type = LPC_PORT_CLOSED,
                                     .data_length = sizeof(data),
                                     .payload_length = sizeof(data) };
    NTSTATUS status;

    if (channel_link(&connection->channel) & LINK_CLOSED_TOLD)
        return STATUS_PORT_DISCONNECTED;
    if ((status = content_check_room(&content, connection, in)))
        return status;
    if (atomic_fetch_or_explicit(&connection->channel.header->link, LINK_CLOSED_TOLD, memory_order_seq_cst) &
        LINK_CLOSED_TOLD)
        return STATUS_PORT_DISCONNECTED;
    in->message_id = id;
    in->callback_id = in->sequence = 0;
    in->has_context = true;
    in->attachments = (struct attachments_in){ 0 };
    in->port_context = 0;
    content_deliver(&content, in, connection->peer, &data);
    return STATUS_SUCCESS;
}

/* why nothing more will come, or STATUS_PENDING */
static NTSTATUS end_of_port(const struct port *port)
{
    uint32_t link;

    if (port->kind == PORT_CONNECTION)
        return queue_closed(port->queue) ? STATUS_PORT_CLOSED : STATUS_PENDING;
    link = channel_link(&port->connection->channel);
    if ((link & LINK_STAGE_MASK) == LINK_REFUSED)
        return link & LINK_FORSAKEN ? STATUS_UNSUCCESSFUL : STATUS_PORT_CONNECTION_REFUSED;
    return connection_end_status(port->connection);
}

static NTSTATUS receive_any(struct thread *thread, struct port *port, struct message_in *in,
                            const struct deadline *deadline)
{
    return port->queue ? receive_next(thread, port, in, deadline) : receive_own(thread, port, in, deadline);
}

static NTSTATUS receive_last(struct thread *thread, struct port *port, NTSTATUS reason, struct message_in *in)
{
    /* a message may have been posted just before the end */
    NTSTATUS status = receive_any(thread, port, in, &deadline_never);

    if (status != STATUS_NO_MORE_ENTRIES)
        return status;
    if (port->kind != PORT_CLIENT || reason != STATUS_PORT_DISCONNECTED ||
        channel_link(&port->connection->channel) & LINK_CLIENT_GONE)
        return reason;
    return tell_closed(port->connection, in);
}

/* ---------------------------------------------------------------------------------------------- waiting */

/* puts right what a dead or hostile poster has left behind; true if there may be a message now */
static bool mend(struct thread *thread, struct port *port)
{
    if (!port->queue)
        return search_own(port);
    if (doubt_is_set(port) && doubt_search(thread, port))
        return true;
    if (!queue_mend(port->queue))
        return false;
    /* what stood in the gap is lost */
    doubt_begin(port);
    return true;
}

/* among whom a thread counts that waits in a receive on the port */
static struct waiters *waiters_of(const struct port *port)
{
    return port->queue ? &port->queue->desk->waiters : &port->connection->channel.header->comm;
}

static void sleep_on(struct thread *thread, struct port *port, const struct deadline *deadline)
{
    struct deadline soon;

    if (!port->queue)
    {
        sleep_for_own(port, &thread->waiter, deadline);
        return;
    }
    if (doubt_is_set(port))
    {
        soon = deadline_within(deadline, DOUBT_SLEEP_NS);
        deadline = &soon;
    }
    queue_sleep(port->queue, &thread->waiter, deadline);
}

/* nothing was there */
static NTSTATUS wait_and_receive(struct thread *thread, struct port *port, struct message_in *in,
                                 const struct deadline *deadline)
{
    unsigned int mended = 0;
    bool slept = false, poll = deadline_is_poll(deadline);
    struct spin spin;
    NTSTATUS status;

    spin_begin(&spin, port->queue ? &port->queue->history : &port->connection->history);
    do
    {
        uint64_t begun;

        if ((status = end_of_port(port)) != STATUS_PENDING)
        {
            status = receive_last(thread, port, status, in);
            break;
        }
        /* before others run: what they send now is this thread's */
        if (!poll && !thread->waiter.name && spin_pausing_ends(&spin))
        {
            waiter_begin(waiters_of(port), &thread->waiter, thread->sleeper);
            continue;
        }
        if (!slept && !poll && !(spin_pausing_ends(&spin) && deadline_passed(deadline)) && spin_again(&spin))
            continue;
        if (mended < MEND_MOST && mend(thread, port))
        {
            mended++;
            continue;
        }
        if (deadline_passed(deadline))
        {
            status = STATUS_TIMEOUT;
            break;
        }
        mended = 0;
        begun = monotonic_ns();
        sleep_on(thread, port, deadline);
        spin_slept(&spin, monotonic_ns() - begun);
        slept = true;
    } while ((status = receive_any(thread, port, in, deadline)) == STATUS_NO_MORE_ENTRIES);
    waiter_end(&thread->waiter);
    if (!slept)
        spin_succeeded(&spin);
    return status;
}

NTSTATUS message_receive(struct thread *thread, struct port *port, struct message_in *in,
                         const struct deadline *deadline)
{
    NTSTATUS status = receive_any(thread, port, in, deadline);

    if (status == STATUS_NO_MORE_ENTRIES)
        status = wait_and_receive(thread, port, in, deadline);
    /* this thread may have been woken for the message; another one may have room for it, or reach it */
    if (!NT_SUCCESS(status) && port->queue)
        queue_ring(port->queue);
    return status;
}
