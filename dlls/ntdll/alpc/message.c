/*
 * Sending and answering messages, and waiting for answers
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "content.h"

#include <sched.h>

/* how long alpcserver may take to queue early messages; if it takes longer it has died over them */
#define ACCEPT_WAIT_NS 1000000000
/* a requester that has slept so long looks whether its message is still announced */
#define LONG_SLEEP_NS 500000000

/* ---------------------------------------------------------------------------------------------- ends */

static void store(_Atomic uint32_t *field, uint32_t value)
{
    atomic_store_explicit(field, value, memory_order_relaxed);
}

static uint32_t load(_Atomic uint32_t *field)
{
    return atomic_load_explicit(field, memory_order_relaxed);
}

/* why nothing can be sent or awaited any more, or STATUS_SUCCESS */
static NTSTATUS link_status(const struct connection *connection)
{
    uint32_t link = channel_link(&connection->channel);

    return link & LINK_LOST ? STATUS_PORT_DISCONNECTED : STATUS_SUCCESS;
}

/* a step of a message whose state is not known beforehand, from the phase given */
static bool step_from(struct thread *thread, const struct message_ref *ref, enum cell_phase phase,
                      enum cell_event event)
{
    uint64_t state = cell_state(ref->cell);

    return cell_is(state, phase, ref->gen) && cell_step(&ref->connection->channel, ref->id, ref->cell, &state, event,
                                                        connection_actor(ref->connection, thread));
}

/* the same for a phase in which this thread is alone with the message */
static uint64_t finish(struct thread *thread, const struct message_ref *ref, uint64_t state, enum cell_event event)
{
    return cell_finish(&ref->connection->channel, ref->id, ref->cell, state, event,
                       connection_actor(ref->connection, thread));
}

/* the cell that was allocated for a message; sent, it has the next generation */
static void discard(struct thread *thread, const struct message_ref *ref)
{
    finish(thread, ref, cell_word(CELL_OWNED, ref->gen, (struct cell_actor){ 0 }), EVENT_DONE);
}

static void send(struct thread *thread, struct message_ref *ref, enum cell_event event)
{
    ref->gen = cell_gen(finish(thread, ref, cell_word(CELL_OWNED, ref->gen + 1, (struct cell_actor){ 0 }), event));
}

static NTSTATUS check_length(const struct connection *connection, const struct message_out *out)
{
    if (out->payload_length > load(&connection->channel.header->max_payload))
        return STATUS_PORT_MESSAGE_TOO_LONG;
    return channel_reaches(&connection->channel, out->payload_length) ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* ---------------------------------------------------------------------------------------------- sending */

/* who of this end waits for an answer to what it writes, if somebody does */
static void set_waiter(struct thread *thread, const struct message_ref *ref, const struct message_out *out)
{
    struct cell_waiter *waiter = &ref->cell->waiter[ref->connection->end];

    store(&waiter->thread, out->sync ? thread->thread_id : 0);
    store(&waiter->process, ref->connection->process);
}

static NTSTATUS alloc_cell(struct thread *thread, struct connection *connection, struct message_ref *ref)
{
    struct deadline room = deadline_never;
    struct cell_actor actor = connection_actor(connection, thread);
    enum alpc_end peer = other_end(connection->end);

    while ((ref->id = cell_alloc(&connection->channel, connection->end, actor)) == CELL_NONE)
    {
        if (link_status(connection) || !wait_for_room(&room))
            return STATUS_INSUFFICIENT_RESOURCES;
        queue_ring(connection->channel.queue[peer]);
    }
    *ref = (struct message_ref){ .connection = connection, .id = ref->id };
    ref->cell = channel_cell(&connection->channel, ref->id);
    ref->gen = cell_gen(atomic_load_explicit(&ref->cell->state, memory_order_relaxed));
    atomic_store_explicit(&ref->cell->time, coarse_ns(), memory_order_relaxed);
    ref->sequence = channel_next_sequence(&connection->channel, connection->end);
    store(&ref->cell->sequence, ref->sequence);
    return STATUS_SUCCESS;
}

/*
 * puts a cell that stands in phase QUEUED of this end into the end's queue; undone is what becomes of it without room
 */
static NTSTATUS enqueue(struct thread *thread, struct message_ref *ref, enum alpc_end end, enum cell_event undone)
{
    if (!channel_announce_in_time(&ref->connection->channel, end, ref->id, ref->gen, &ref->position))
    {
        if (step_from(thread, ref, CELL_QUEUED + end, undone))
            return STATUS_INSUFFICIENT_RESOURCES;
        /* a receiver has found it all the same; or what was a callback has been given up, and has no entry to be met */
        step_from(thread, ref, CELL_WITHDRAWN + end, EVENT_DONE);
        return STATUS_SUCCESS;
    }
    ref->queued = true;
    return STATUS_SUCCESS;
}

/* while alpcserver queues the early messages nothing may overtake them; not again if it has died over that */
static uint32_t await_acceptance(struct connection *connection)
{
    struct deadline accepted = deadline_in(ACCEPT_WAIT_NS);
    uint32_t stage;

    while ((stage = channel_link(&connection->channel) & LINK_STAGE_MASK) == LINK_ACCEPTING && !connection->impatient)
    {
        sched_yield();
        connection->impatient = deadline_passed(&accepted);
    }
    return stage;
}

/* The connection has not been accepted yet: alpcserver queues the message when it is. */
static NTSTATUS send_early(struct thread *thread, struct message_ref *ref)
{
    uint32_t stage;

    send(thread, ref, EVENT_SEND_EARLY);
    atomic_thread_fence(memory_order_seq_cst);
    stage = await_acceptance(ref->connection);
    if ((stage == LINK_CONNECTED || stage == LINK_ACCEPTING) &&
        step_from(thread, ref, CELL_EARLY, EVENT_ADMIT + END_SERVER))
        return enqueue(thread, ref, END_SERVER, EVENT_DONE);
    return STATUS_SUCCESS;
}

NTSTATUS message_send(struct thread *thread, struct connection *connection, const struct message_out *out,
                      struct message_ref *ref)
{
    enum alpc_end peer = other_end(connection->end);
    NTSTATUS status;

    if ((status = link_status(connection)) || (status = check_length(connection, out)) ||
        (status = alloc_cell(thread, connection, ref)))
        return status;
    if ((status = attachment_send(&connection->channel, ref->id, ref->cell, &out->attachments)))
    {
        discard(thread, ref);
        return status;
    }
    set_waiter(thread, ref, out);
    content_write(thread, ref, &ref->cell->request, out, EVENT_DONE);
    if (connection->end == END_CLIENT && (channel_link(&connection->channel) & LINK_STAGE_MASK) != LINK_CONNECTED)
        return send_early(thread, ref);
    send(thread, ref, EVENT_SEND + peer);
    if (!out->sync)
        cell_move_on(&connection->channel, ref->id);
    return enqueue(thread, ref, peer, EVENT_DONE);
}

/* ---------------------------------------------------------------------------------------------- answering */

/*
 * What the signal becomes when a message is answered for the first time: a number that the cell has not had for two
 * thousand million messages, so who sent the message needs to look no further.
 */
static uint32_t signal_of(const struct message_ref *ref)
{
    return ref->sequence;
}

/* finds the message with this id; *state is its cell's */
static NTSTATUS find_message(struct connection *connection, uint32_t message_id, uint32_t callback_id,
                             struct message_ref *ref, uint64_t *state)
{
    *ref = (struct message_ref){ .connection = connection, .id = message_cell(message_id) };
    if (message_slot(message_id) != connection->channel.slot ||
        !(ref->cell = channel_cell(&connection->channel, ref->id)))
        return STATUS_INVALID_MESSAGE;
    *state = cell_state(ref->cell);
    ref->gen = cell_gen(*state);
    ref->sequence = load(&ref->cell->sequence);
    if (channel_message_id(&connection->channel, ref->id, ref->gen) != message_id ||
        (callback_id && callback_id != ref->sequence))
        return STATUS_INVALID_MESSAGE;
    return STATUS_SUCCESS;
}

/* takes the message for this thread: phase ANSWERING; or does with it what needs no answer: *done */
static NTSTATUS claim_message(struct thread *thread, const struct message_out *out, struct message_ref *ref,
                              uint64_t state, bool *done)
{
    struct connection *connection = ref->connection;
    enum alpc_end end = connection->end;

    *done = false;
    switch (cell_phase(state))
    {
    case CELL_SPENT:
        *done = true;
        return out->release && step_from(thread, ref, CELL_SPENT, EVENT_DONE) ? STATUS_SUCCESS : STATUS_INVALID_MESSAGE;
    default:
        break;
    }
    if (ref->id != CELL_CONNECT && step_from(thread, ref, CELL_HELD + end, EVENT_BEGIN))
        return STATUS_SUCCESS;
    /* perhaps just now; who has been told that is told so once more */
    state = cell_state(ref->cell);
    return cell_is(state, CELL_CANCELED + end, ref->gen) || cell_is(state, CELL_VOID, ref->gen)
               ? STATUS_REQUEST_CANCELED
               : STATUS_INVALID_MESSAGE;
}

/* the answer will not be written */
static void undo_claim(struct thread *thread, const struct message_ref *ref)
{
    if (!step_from(thread, ref, CELL_ANSWERING + ref->connection->end, EVENT_UNDO))
        step_from(thread, ref, CELL_ABANDONED + ref->connection->end, EVENT_DONE);
}

/* passes the answer on to who waits for it or to the other end's queue */
static NTSTATUS pass_answer(struct thread *thread, struct message_ref *ref, bool waited_for)
{
    enum alpc_end end = ref->connection->end;

    if (!step_from(thread, ref, CELL_ANSWERING + end, waited_for ? EVENT_ANSWER : EVENT_QUEUE))
    {
        step_from(thread, ref, CELL_ABANDONED + end, EVENT_DONE);
        return STATUS_REQUEST_CANCELED;
    }
    if (!waited_for)
        return enqueue(thread, ref, other_end(ref->connection->end), EVENT_UNDO);
    if (!ref->callback)
        atomic_store_explicit(&ref->cell->signal, signal_of(ref), memory_order_release);
    return STATUS_SUCCESS;
}

NTSTATUS message_answer(struct thread *thread, struct connection *connection, const struct message_out *out,
                        struct message_ref *ref)
{
    bool waited_for, done;
    uint64_t state;
    NTSTATUS status;

    if ((status = check_length(connection, out)) ||
        (status = find_message(connection, out->message_id, out->callback_id, ref, &state)) ||
        (status = claim_message(thread, out, ref, state, &done)) || done)
        return status;
    if ((status = link_status(connection)) ||
        (status = attachment_send(&connection->channel, ref->id, ref->cell, &out->attachments)))
    {
        undo_claim(thread, ref);
        return status;
    }
    waited_for = load(&ref->cell->waiter[other_end(connection->end)].thread);
    ref->callback = state & CELL_ANSWERED;
    set_waiter(thread, ref, out);
    content_write(thread, ref, &ref->cell->answer, out, EVENT_UNDO);
    status = pass_answer(thread, ref, waited_for);
    ref->callback = true; /* an answer to this one is not the first */
    return status;
}

/* ---------------------------------------------------------------------------------------------- waiting for answers */

/* what becomes of a message whose answer this thread takes */
static enum cell_event event_after(const struct content *content)
{
    if (!(content->type & LPC_CONTINUATION_REQUIRED))
        return EVENT_DONE;
    /* a request in its turn may be answered, an answer that did not release the message only be released */
    return content->flags & CONTENT_SYNC ? EVENT_RECEIVE : EVENT_KEEP;
}

/* an answer may go to the queue, where it looks like a message if it stands in a cell of the other end's */
static void may_requeue(const struct message_ref *ref)
{
    if (CELL_END(ref->id) != ref->connection->end)
        atomic_store_explicit(&ref->connection->requeued, 1, memory_order_relaxed);
}

/* to the program; where its buffer faults it goes to the queue */
static void copy_answer(struct thread *thread, struct message_ref *ref, const struct content *content,
                        struct message_in *in)
{
    struct connection *connection = ref->connection;
    struct channel *channel = &connection->channel;

    thread_copy_begin(thread, connection_actor(connection, thread), channel, ref->id, ref->cell, ref->gen,
                      EVENT_REQUEUE);
    attachment_receive(channel, ref->id, ref->cell, false, &in->attachments);
    if (!in->refused)
        content_deliver(content, in, content_process(content, ref, connection_roster(connection)),
                        channel_data(channel, ref->id, ref->cell, content->payload_length));
    thread_copy_end(thread);
}

/*
 * A callback is a request in its turn: like one that is received it may be given up while it is copied, and is whole as
 * long as its cell was not used again.
 */
static NTSTATUS take_callback(struct thread *thread, struct message_ref *ref, const struct content *content,
                              struct message_in *in)
{
    enum alpc_end end = ref->connection->end;

    if (!step_from(thread, ref, CELL_ANSWER + end, EVENT_RECEIVE))
    {
        step_from(thread, ref, CELL_RETRACTED + end, EVENT_DONE);
        return STATUS_MESSAGE_LOST;
    }
    copy_answer(thread, ref, content, in);
    return content_was_whole(ref) ? STATUS_SUCCESS : STATUS_MESSAGE_LOST;
}

/* it does not fit the buffer */
static NTSTATUS put_off(struct thread *thread, struct message_ref *ref, NTSTATUS status)
{
    enum alpc_end end = ref->connection->end;

    if (step_from(thread, ref, CELL_ANSWER + end, EVENT_REQUEUE))
    {
        enqueue(thread, ref, end, EVENT_DONE);
        return status;
    }
    return step_from(thread, ref, CELL_RETRACTED + end, EVENT_DONE) ? STATUS_MESSAGE_LOST : status;
}

static NTSTATUS take_answer(struct thread *thread, struct message_ref *ref, struct message_in *in)
{
    struct connection *connection = ref->connection;
    const uint64_t state = cell_word(CELL_ANSWER + connection->end, ref->gen, (struct cell_actor){ 0 }) | CELL_ANSWERED;
    struct content content;
    enum cell_event event;
    NTSTATUS status;

    /* the state's line is needed only to move on */
    __builtin_prefetch(ref->cell, 1);
    if (!content_read(ref, state, &content))
    {
        finish(thread, ref, state, EVENT_DONE);
        return STATUS_MESSAGE_LOST;
    }
    content_describe(&content, ref, connection_roster(connection), in);
    in->refused = ref->id == CELL_CONNECT && content.flags & CONTENT_REFUSED;
    may_requeue(ref);
    if (!in->refused && (status = content_check_room(&content, connection, in)))
        return put_off(thread, ref, status);
    if ((event = event_after(&content)) == EVENT_RECEIVE)
        return take_callback(thread, ref, &content, in);
    copy_answer(thread, ref, &content, in);
    finish(thread, ref, state, event);
    return STATUS_SUCCESS;
}

/* without room in its queue the holder learns of it when it answers */
static void tell_canceled(const struct message_ref *ref, enum alpc_end holder)
{
    channel_announce_in_time(&ref->connection->channel, holder, ref->id, ref->gen, NULL);
}

/*
 * Gives up a message, or acknowledges that the other end has given up its callback: what the other end has not received
 * yet goes without a trace, what it holds is told to it as canceled, a thread of it that waits finds the message lost.
 * Returns false when the answer has come after all.
 */
static bool give_up(struct thread *thread, const struct message_ref *ref)
{
    struct connection *connection = ref->connection;
    enum alpc_end end = connection->end, peer = other_end(connection->end);
    uint64_t state = cell_state(ref->cell);
    enum cell_event event;

    do
    {
        if (cell_gen(state) != ref->gen)
            return true;
        if (cell_phase(state) == CELL_ANSWER + end)
            return false;
        event = cell_phase(state) == CELL_RETRACTED + end ? EVENT_DONE : EVENT_GIVE_UP;
        if (!cell_after(event, cell_phase(state)))
            return true;
    } while (!cell_step(&connection->channel, ref->id, ref->cell, &state, event, connection_actor(connection, thread)));
    if (cell_phase(state) == CELL_CANCELED + peer)
        tell_canceled(ref, peer);
    return true;
}

/* the answer is there, or there will be none: STATUS_SUCCESS, the reason, or STATUS_PENDING */
static NTSTATUS answer_status(const struct message_ref *ref, uint64_t state)
{
    const struct connection *connection = ref->connection;
    bool lost = cell_gen(state) != ref->gen;
    NTSTATUS end;

    if (!lost && cell_phase(state) == CELL_ANSWER + connection->end)
        return STATUS_SUCCESS;
    switch (cell_without_end(cell_phase(state)))
    {
    case CELL_QUEUED:
    case CELL_HELD:
    case CELL_ANSWERING:
    case CELL_ANSWER:
        break;
    default:
        lost |= cell_phase(state) != CELL_EARLY;
    }
    /* what the other end had goes with it */
    end = connection_end_status(connection);
    return end == STATUS_PENDING && lost ? STATUS_MESSAGE_LOST : end;
}

/*
 * Spins on the line that the answer comes in; true when it is there.  False when the state, which says all, is worth a
 * look; *spent tells whether to sleep then.
 */
static bool spin_for_signal(struct spin *spin, const struct message_ref *ref, uint32_t answered, bool *spent)
{
    uint32_t round = spin->round;

    do
    {
        if (atomic_load_explicit(&ref->cell->signal, memory_order_acquire) == answered)
            return true;
        *spent = !spin_again(spin);
    } while (!*spent && spin->round == round);
    return false;
}

/* whoever writes over the queue can make messages vanish from it */
static void announce_again(struct message_ref *ref, uint64_t state)
{
    struct channel *channel = &ref->connection->channel;
    enum alpc_end peer = other_end(ref->connection->end);
    const struct queue_entry entry = { .slot = channel_queue_slot(channel, peer), .cell = ref->id, .gen = ref->gen };

    if (ref->queued && cell_is(state, CELL_QUEUED + peer, ref->gen) &&
        !queue_find(channel->queue[peer], &ref->position, entry))
        channel_announce(channel, peer, ref->id, ref->gen, &ref->position);
}

NTSTATUS message_await(struct thread *thread, struct message_ref *ref, struct message_in *in,
                       const struct deadline *deadline)
{
    struct connection *connection = ref->connection;
    uint32_t answered = signal_of(ref);
    bool spent = false, slept = false;
    struct spin spin;
    uint64_t state;
    NTSTATUS status;

    spin_begin(&spin, &connection->history);
    for (;;)
    {
        uint64_t begun, ns;

        if (!slept && ref->callback)
            spent = !spin_again(&spin);
        else if (!slept && spin_for_signal(&spin, ref, answered, &spent))
        {
            status = STATUS_SUCCESS;
            break;
        }
        if ((status = answer_status(ref, state = cell_state(ref->cell))) != STATUS_PENDING)
            break;
        if (!spent && !slept)
            continue;
        if (deadline_passed(deadline))
        {
            if (give_up(thread, ref))
                return STATUS_TIMEOUT;
            continue;
        }
        begun = monotonic_ns();
        cell_sleep(&connection->channel, ref->cell, state, LINK_LOST, deadline);
        ns = monotonic_ns() - begun;
        spin_slept(&spin, ns);
        if (ns > LONG_SLEEP_NS)
            announce_again(ref, cell_state(ref->cell));
        slept = true;
    }
    if (!slept)
        spin_succeeded(&spin);
    /* an answer that came before the other end went still counts */
    if (status && give_up(thread, ref))
        return status;
    return take_answer(thread, ref, in);
}

/* ---------------------------------------------------------------------------------------------- canceling */

/*
 * One that the other end has, or is about to get.  STATUS_PENDING: it has moved on, as below.
 */
static NTSTATUS cancel_sent(struct thread *thread, const struct message_ref *ref, enum cell_phase phase, bool try)
{
    enum alpc_end peer = other_end(ref->connection->end);
    bool retrieved = phase == CELL_HELD + peer || phase == CELL_ANSWERING + peer;

    if (retrieved && try)
        return STATUS_MESSAGE_RETRIEVED;
    /* an answer that nobody is going to answer has only to be read */
    if (phase == CELL_ANSWER + peer && !load(&ref->cell->waiter[ref->connection->end].thread))
        return STATUS_MESSAGE_NOT_FOUND;
    if (!step_from(thread, ref, phase, EVENT_GIVE_UP))
        return STATUS_PENDING;
    if (phase == CELL_HELD + peer)
        tell_canceled(ref, peer);
    return retrieved ? STATUS_MESSAGE_RETRIEVED : STATUS_SUCCESS;
}

/* one that this end has */
static NTSTATUS cancel_held(struct thread *thread, struct message_ref *ref)
{
    const struct message_out none = { .payload = (const uint8_t *)"", .release = true, .canceled = true };
    enum alpc_end end = ref->connection->end;

    if (!load(&ref->cell->waiter[other_end(end)].thread))
        return step_from(thread, ref, CELL_HELD + end, EVENT_DONE) ? STATUS_SUCCESS : STATUS_PENDING;
    ref->callback = cell_state(ref->cell) & CELL_ANSWERED;
    if (!step_from(thread, ref, CELL_HELD + end, EVENT_BEGIN))
        return STATUS_PENDING;
    set_waiter(thread, ref, &none);
    content_write(thread, ref, &ref->cell->answer, &none, EVENT_UNDO);
    return pass_answer(thread, ref, true) ? STATUS_REQUEST_CANCELED : STATUS_MESSAGE_RETRIEVED;
}

static NTSTATUS cancel_once(struct thread *thread, struct message_ref *ref, enum cell_phase phase, bool try)
{
    enum alpc_end end = ref->connection->end, peer = other_end(end);

    if (ref->id == CELL_CONNECT || ref->id == CELL_CLOSED) /* it is for alpcserver to say what becomes of them */
        return STATUS_MESSAGE_NOT_FOUND;
    if (phase == CELL_EARLY)
        return cancel_sent(thread, ref, phase, try);
    if (phase == CELL_SPENT)
        return step_from(thread, ref, phase, EVENT_DONE) ? STATUS_SUCCESS : STATUS_PENDING;
    if (phase == CELL_VOID || phase == CELL_CANCELED + end)
        return STATUS_REQUEST_CANCELED;
    if (phase == CELL_HELD + end)
        return cancel_held(thread, ref);
    if (phase != cell_without_end(phase) + peer)
        return STATUS_MESSAGE_NOT_FOUND;
    switch (cell_without_end(phase))
    {
    case CELL_QUEUED:
    case CELL_HELD:
    case CELL_ANSWERING:
    case CELL_ANSWER:
        return cancel_sent(thread, ref, phase, try);
    case CELL_CANCELED:
    case CELL_ABANDONED:
    case CELL_WITHDRAWN:
    case CELL_RETRACTED:
        return STATUS_REQUEST_CANCELED;
    default:
        return STATUS_MESSAGE_NOT_FOUND;
    }
}

NTSTATUS message_cancel(struct thread *thread, struct connection *connection, const struct cancellation *what)
{
    struct attachments_in own;
    struct message_ref ref;
    NTSTATUS status;
    uint64_t state;

    do
    {
        if (find_message(connection, what->message_id, 0, &ref, &state) || cell_phase(state) == CELL_FREE ||
            cell_phase(state) == CELL_OWNED)
            return STATUS_MESSAGE_NOT_FOUND;
        attachment_receive(&connection->channel, ref.id, ref.cell, false, &own);
        if (what->check_context && own.context != what->context)
            return STATUS_CONTEXT_MISMATCH;
        /* it may move on meanwhile */
        status = cancel_once(thread, &ref, cell_phase(state), what->try);
    } while (status == STATUS_PENDING);
    return status;
}
