/*
 * Calls of agents that keep a port busy
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "load.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)
#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define VISIT_REQUESTS 4

struct tally *tally_of(const struct agent *agent)
{
    C_ASSERT(sizeof(struct tally) <= sizeof(agent->call->send.data));
    return (struct tally *)agent->call->send.data;
}

/* ---------------------------------------------------------------------------------------------- the answering side */

/* communication ports of this process; PortContext is the place */
static HANDLE accepted[4000];
static LONG accepted_count;

static void accept_visitor(struct call *call, struct tally *tally)
{
    ULONG place = InterlockedIncrement(&accepted_count) % ARRAY_SIZE(accepted);
    HANDLE port = NULL;
    NTSTATUS status;

    call->receive.header.u1.s1.DataLength = 0;
    call->receive.header.u1.s1.TotalLength = HEADER_SIZE;
    accepted[place] = NULL;
    status = NtAlpcAcceptConnectPort(&port, call->port, 0, NULL, NULL, (PVOID)(ULONG_PTR)(place + 1),
                                     &call->receive.header, NULL, TRUE);
    if (!status)
    {
        tally->accepted++;
        InterlockedExchangePointer(&accepted[place], port);
    }
    else if (!tally->failed)
        tally->failed = status;
}

/* the notice may overtake the thread that has accepted */
static void close_visitor(ULONG_PTR place)
{
    HANDLE port;

    if (!place || place > ARRAY_SIZE(accepted))
        return;
    while (!(port = InterlockedExchangePointer(&accepted[place - 1], NULL)))
        Sleep(1);
    NtClose(port);
}

static void answer_request(struct call *call, struct tally *tally)
{
    NTSTATUS status;

    tally->requests++;
    if (call->value)
        Sleep(call->receive.header.MessageId % (call->value + 1));
    status = NtAlpcSendWaitReceivePort(call->port, DATAGRAM, &call->receive.header, NULL, NULL, NULL, NULL, NULL);
    if (!status)
        tally->answered++;
    /* INVALID: another thread has already received the notice that it was canceled */
    else if (status == STATUS_REQUEST_CANCELED || status == STATUS_INVALID_MESSAGE)
        tally->late++;
    else if (!tally->failed)
        tally->failed = status;
}

/* FALSE for LOAD_STOP */
static BOOL count_datagram(const struct call *call, struct tally *tally)
{
    struct load load;

    memcpy(&load, call->receive.data, sizeof(load));
    if (load.number == LOAD_STOP)
        return FALSE;
    if (load.number < LOAD_NUMBERS)
        tally->datagrams[load.number]++;
    else
        tally->other++;
    return TRUE;
}

static void call_echo(struct call *call)
{
    struct tally *tally = (struct tally *)call->send.data;
    struct
    {
        ALPC_MESSAGE_ATTRIBUTES header;
        ALPC_CONTEXT_ATTR context;
    } attributes;
    SIZE_T needed;
    BOOL goes_on = TRUE;

    while (goes_on)
    {
        SIZE_T length = sizeof(call->receive);

        AlpcInitializeMessageAttribute(ALPC_MESSAGE_CONTEXT_ATTRIBUTE, &attributes.header, sizeof(attributes), &needed);
        call->status = NtAlpcSendWaitReceivePort(call->port, 0, NULL, NULL, &call->receive.header, &length,
                                                 &attributes.header, NULL);
        if (call->status)
            break;
        switch (call->receive.header.u2.s2.Type & 0xff)
        {
        case LPC_REQUEST:
            answer_request(call, tally);
            break;
        case LPC_DATAGRAM:
            goes_on = count_datagram(call, tally);
            break;
        case LPC_CANCELED:
            tally->canceled++;
            break;
        case LPC_PORT_CLOSED:
            tally->closed++;
            close_visitor((ULONG_PTR)attributes.context.PortContext);
            break;
        case LPC_CONNECTION_REQUEST:
            accept_visitor(call, tally);
            break;
        default:
            tally->other++;
        }
    }
}

void begin_echo(struct agent *agent, HANDLE port, ULONG delay)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->value = delay;
    memset(tally_of(agent), 0, sizeof(struct tally));
    begin(agent, call_echo);
}

/* ---------------------------------------------------------------------------------------------- the asking side */

static SIZE_T make_request(struct big_message *message, ULONG sender, ULONG number)
{
    static const SIZE_T sizes[] = { 8, 120, 128, 129, 500, 8, 3000, 16 };
    const struct load load = { .sender = sender, .number = number };
    SIZE_T i, size = number % 97 == 5 ? 40000 : sizes[(number + sender) % ARRAY_SIZE(sizes)];

    memset(&message->header, 0, sizeof(message->header));
    message->header.u1.s1.DataLength = (SHORT)size;
    message->header.u1.s1.TotalLength = (SHORT)(HEADER_SIZE + size);
    memcpy(message->data, &load, sizeof(load));
    for (i = sizeof(load); i < size; i++)
        message->data[i] = (BYTE)(number * 11 + sender * 7 + i);
    return size;
}

/* one request; *timeouts counts those without an answer */
static NTSTATUS ask(struct call *call, HANDLE port, ULONG number, SIZE_T *timeouts)
{
    LARGE_INTEGER timeout = { .QuadPart = call->timeout };
    SIZE_T size = make_request(&call->send, call->value, number), length = sizeof(call->receive);
    NTSTATUS status =
        NtAlpcSendWaitReceivePort(port, ALPC_MSGFLG_SYNC_REQUEST, &call->send.header, NULL, &call->receive.header,
                                  &length, NULL, call->has_timeout ? &timeout : NULL);

    if (status == STATUS_TIMEOUT && call->has_timeout)
    {
        ++*timeouts;
        return STATUS_SUCCESS;
    }
    if (status)
        return status;
    if ((USHORT)call->receive.header.u2.s2.Type != LPC_REPLY || (USHORT)call->receive.header.u1.s1.DataLength != size ||
        memcmp(call->receive.data, call->send.data, size))
        return STATUS_REPLY_MESSAGE_MISMATCH;
    return STATUS_SUCCESS;
}

static void call_ask(struct call *call)
{
    SIZE_T timeouts = 0;
    ULONG number;

    call->status = STATUS_SUCCESS;
    for (number = 0; number < call->count && !call->status; number++)
        call->status = ask(call, call->port, number, &timeouts);
    call->count = number - (call->status ? 1 : 0) - (ULONG)timeouts;
    call->length = timeouts;
}

void begin_ask(struct agent *agent, HANDLE port, ULONG sender, ULONG count, ULONG timeout)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->value = sender;
    call->count = count;
    call->has_timeout = timeout;
    call->timeout = MILLISECONDS(timeout);
    begin(agent, call_ask);
}

static void call_visit(struct call *call)
{
    UNICODE_STRING name;
    ULONG visit, number;
    SIZE_T timeouts = 0;

    RtlInitUnicodeString(&name, call->name);
    call->status = STATUS_SUCCESS;
    for (visit = 0; visit < call->count && !call->status; visit++)
    {
        HANDLE port;

        call->status =
            NtAlpcConnectPort(&port, &name, NULL, NULL, ALPC_MSGFLG_SYNC_REQUEST, NULL, NULL, NULL, NULL, NULL, NULL);
        if (call->status)
            break;
        for (number = 0; number < VISIT_REQUESTS && !call->status; number++)
            call->status = ask(call, port, visit * VISIT_REQUESTS + number, &timeouts);
        NtClose(port);
    }
    call->count = visit;
}

void begin_visit(struct agent *agent, const WCHAR *name, ULONG sender, ULONG count)
{
    struct call *call = prepare(agent);

    wcscpy(call->name, name);
    call->value = sender;
    call->count = count;
    begin(agent, call_visit);
}

/* ---------------------------------------------------------------------------------------------- datagrams */

static void call_count(struct call *call)
{
    const ULONG first = call->flags;
    ULONG done = 0;

    call->status = STATUS_SUCCESS;
    while (done < call->count)
    {
        struct message message = { .header.u1.s1 = { sizeof(struct load), HEADER_SIZE + sizeof(struct load) } };
        const struct load load = { .sender = call->value, .number = first + done };

        memcpy(message.data, &load, sizeof(load));
        call->status = NtAlpcSendWaitReceivePort(call->port, DATAGRAM, &message.header, NULL, NULL, NULL, NULL, NULL);
        if (!call->status)
            done++;
        else if (call->status != STATUS_INSUFFICIENT_RESOURCES) /* the receivers are behind */
            break;
    }
    call->count = done;
}

void begin_count(struct agent *agent, HANDLE port, ULONG sender, ULONG first, ULONG count)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->value = sender;
    call->flags = first;
    call->count = count;
    begin(agent, call_count);
}

void send_stop(struct agent *agent, HANDLE port, unsigned int count)
{
    const struct load stop = { .number = LOAD_STOP };

    for (; count; count--)
        ok_status("4.4", send_message(agent, port, DATAGRAM, &stop, sizeof(stop)), STATUS_SUCCESS);
}
