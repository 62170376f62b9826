/*
 * The order of messages, and how many can wait [alpc.md 4.7, 4.17]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "agent.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)
#define LARGEST (ALPC_MAX_MESSAGE_LENGTH - HEADER_SIZE)
#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define REQUEST_TYPE (LPC_REQUEST | LPC_CONTINUATION_REQUIRED)

/* ---------------------------------------------------------------------------------------------- streams of messages */

/* the number of a message says what it looks like, so that both sides know */
enum plan
{
    SMALL,    /* datagrams of 8 bytes: the sender's number and the message's */
    MIXED,    /* datagrams and asynchronous requests of all sizes */
    REQUESTS, /* every third is a synchronous request, the others are datagrams */
};

static SIZE_T size_of(enum plan plan, ULONG number)
{
    static const SIZE_T sizes[] = { 0, 1, 8, 127, 128, 129, 40, 4000 };
    static const SIZE_T large[] = { LARGEST, 0x7fff, 0x8000, LARGEST - 1, 0x1000, 0x8001 };

    if (plan != MIXED)
        return 2 * sizeof(ULONG);
    return number % 61 ? sizes[number % ARRAY_SIZE(sizes)] : large[number / 61 % ARRAY_SIZE(large)];
}

static ULONG flags_of(enum plan plan, ULONG number)
{
    if (plan == REQUESTS && number % 3 == 2)
        return ALPC_MSGFLG_SYNC_REQUEST;
    return plan == MIXED && number % 5 == 1 ? 0 : DATAGRAM;
}

static void fill(BYTE *data, enum plan plan, ULONG sender, ULONG number)
{
    SIZE_T i, size = size_of(plan, number);
    const ULONG head[2] = { sender, number };

    for (i = 0; i < size; i++)
        data[i] = (BYTE)(number * 13 + sender * 101 + i * 7 + (i >> 8));
    memcpy(data, head, size < sizeof(head) ? size : sizeof(head));
}

/* how call_stream and call_drain take their arguments */
#define PLAN(call) ((enum plan)(call)->send_valid)
#define SENDER(call) ((call)->allocated)
#define FIRST(call) ((call)->value)
/* the most senders that call_drain tells apart */
#define SENDERS 8
/* of a message that should not have come now */
#define OTHER_MESSAGE ((NTSTATUS)0xe0000010)

static void begin_stream(struct agent *agent, HANDLE port, enum plan plan, ULONG sender, ULONG first, ULONG count)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->send_valid = plan;
    call->allocated = sender;
    call->value = first;
    call->count = count;
}

/* sends count messages; count tells how many went out */
static void call_stream(struct call *call)
{
    struct big_message *message = &call->send;
    ULONG done;

    call->status = STATUS_SUCCESS;
    for (done = 0; done < call->count; done++)
    {
        ULONG number = FIRST(call) + done, flags = flags_of(PLAN(call), number);
        SIZE_T length = sizeof(call->receive);

        memset(&message->header, 0, sizeof(message->header));
        fill(message->data, PLAN(call), SENDER(call), number);
        message->header.u1.s1.DataLength = (SHORT)size_of(PLAN(call), number);
        message->header.u1.s1.TotalLength = (SHORT)(HEADER_SIZE + size_of(PLAN(call), number));
        call->status = NtAlpcSendWaitReceivePort(call->port, flags, &message->header, NULL,
                                                 flags & ALPC_MSGFLG_SYNC_REQUEST ? &call->receive.header : NULL,
                                                 flags & ALPC_MSGFLG_SYNC_REQUEST ? &length : NULL, NULL, NULL);
        if (call->status && !(call->status == STATUS_INSUFFICIENT_RESOURCES && call->has_length))
            break;
        /* the receiver is behind: again */
        if (call->status)
            done--;
    }
    call->count = done;
}

/* sends as fast as the receiver takes the messages */
static void begin_steady_stream(struct agent *agent, HANDLE port, enum plan plan, ULONG sender, ULONG count)
{
    begin_stream(agent, port, plan, sender, 0, count);
    agent->call->has_length = TRUE;
    begin(agent, call_stream);
}

/*
 * Receives count messages of senders that each start with the number .value; answers synchronous requests.  Status is
 * OTHER_MESSAGE for a message that is not its sender's next; count tells how many were right.  Sequences are
 * checked if .has_length, PortContext (the sender's number) if .accept.
 */
static void call_drain(struct call *call)
{
    struct
    {
        ALPC_MESSAGE_ATTRIBUTES header;
        ALPC_CONTEXT_ATTR context;
    } attributes;
    BYTE *expected = malloc(sizeof(call->receive.data));
    LARGE_INTEGER timeout = { .QuadPart = MILLISECONDS(HANG / 2) };
    struct big_message *message = &call->receive;
    ULONG next[SENDERS], done, i;
    enum plan plan = PLAN(call);
    SIZE_T needed;

    for (i = 0; i < SENDERS; i++)
        next[i] = FIRST(call);
    for (done = 0; done < call->count; done++)
    {
        SIZE_T length = sizeof(*message), size;
        ULONG sender = SENDER(call), type;

        AlpcInitializeMessageAttribute(ALPC_MESSAGE_CONTEXT_ATTRIBUTE, &attributes.header, sizeof(attributes), &needed);
        call->status = NtAlpcSendWaitReceivePort(call->port, 0, NULL, NULL, &message->header, &length,
                                                 &attributes.header, &timeout);
        if (call->status)
            break;
        /* with more than one sender each message tells whose it is */
        if (plan != MIXED)
            memcpy(&sender, message->data, sizeof(sender));
        call->status = OTHER_MESSAGE;
        if (sender >= SENDERS)
            break;
        size = size_of(plan, next[sender]);
        fill(expected, plan, sender, next[sender]);
        type = flags_of(plan, next[sender]) == DATAGRAM ? LPC_DATAGRAM : REQUEST_TYPE;
        if ((USHORT)message->header.u2.s2.Type != type || (USHORT)message->header.u1.s1.DataLength != size ||
            memcmp(message->data, expected, size) ||
            (call->has_length && attributes.context.Sequence != next[sender] + 1) ||
            (call->accept && attributes.context.PortContext != (PVOID)(ULONG_PTR)(sender + 1)))
            break;
        next[sender]++;
        call->status = STATUS_SUCCESS;
        if (type == REQUEST_TYPE && plan == REQUESTS)
            call->status =
                NtAlpcSendWaitReceivePort(call->port, DATAGRAM, &message->header, NULL, NULL, NULL, NULL, NULL);
        if (call->status)
            break;
    }
    call->count = done;
    free(expected);
}

#define drain(agent, port, plan, sender, first, count, checks)                                                         \
    drain_(__FILE__, __LINE__, agent, port, plan, sender, first, count, checks)
#define SEQUENCES 1
#define CONTEXTS 2

static void drain_(const char *file, int line, struct agent *agent, HANDLE port, enum plan plan, ULONG sender,
                   ULONG first, ULONG count, ULONG checks)
{
    NTSTATUS status;

    begin_stream(agent, port, plan, sender, first, count);
    agent->call->has_length = checks & SEQUENCES;
    agent->call->accept = !!(checks & CONTEXTS);
    status = perform(agent, call_drain);
    ok_(file, line)(!status && agent->call->count == count,
                    "[4.7] message %lu of %lu: status %#lx, %#x bytes, type %#x\n", agent->call->count, count, status,
                    (USHORT)agent->call->receive.header.u1.s1.DataLength,
                    (USHORT)agent->call->receive.header.u2.s2.Type);
}

static void stream(struct agent *agent, HANDLE port, enum plan plan, ULONG sender, ULONG first, ULONG count)
{
    NTSTATUS status;

    begin_stream(agent, port, plan, sender, first, count);
    status = perform(agent, call_stream);
    ok(!status && agent->call->count == count, "[4.7] message %lu of %lu: status %#lx\n", agent->call->count, count,
       status);
}

/* connects with attributes at both ends; either may be NULL */
static void open_with(struct connected *c, struct agent *server, struct agent *client,
                      const ALPC_PORT_ATTRIBUTES *server_attributes, const ALPC_PORT_ATTRIBUTES *client_attributes)
{
    struct call *call = prepare(server);
    PORT_MESSAGE request;

    *c = (struct connected){ .server = server, .client = client };
    wcscpy(c->name, new_name());
    wcscpy(call->name, c->name);
    if ((call->has_attributes = !!server_attributes))
        call->attributes = *server_attributes;
    ok_status("1.3", perform(server, call_create), STATUS_SUCCESS);
    c->listening = call->handle;
    call = prepare(client);
    wcscpy(call->name, c->name);
    call->flags = ALPC_MSGFLG_SYNC_REQUEST;
    if ((call->has_attributes = !!client_attributes))
        call->attributes = *client_attributes;
    begin(client, call_connect);
    ok_status("4.3", receive(server, c->listening), STATUS_SUCCESS);
    request = server->call->receive.header;
    call = prepare(server);
    call->port = c->listening;
    set_answer(call, &request, NULL, 0);
    call->accept = TRUE;
    if ((call->has_attributes = !!server_attributes))
        call->attributes = *server_attributes;
    ok_status("1.3", perform(server, call_accept), STATUS_SUCCESS);
    c->comm = server->call->handle;
    ok_status("4.3", end(client), STATUS_SUCCESS);
    c->port = client->call->handle;
}

static const ALPC_PORT_ATTRIBUTES no_limits = { .MaxMessageLength = ALPC_MAX_MESSAGE_LENGTH,
                                                .MaxPoolUsage = (SIZE_T)-1 };

/* ---------------------------------------------------------------------------------------------- one sender */

/* ten thousand messages wait, then all are received */
static void test_ten_thousand(struct agent *server, struct agent *client)
{
    struct connected c;

    open_with(&c, server, client, &no_limits, &no_limits);
    stream(client, c.port, SMALL, 3, 0, 10000);
    drain(server, c.listening, SMALL, 3, 0, 10000, SEQUENCES);
    expect_nothing(server, c.listening, "4.7");
    stream(server, c.comm, SMALL, 4, 0, 10000);
    drain(client, c.port, SMALL, 4, 0, 10000, SEQUENCES);
    expect_nothing(client, c.port, "4.7");
    close_connection(&c);
}

/* large messages do not overtake small ones, nor datagrams requests */
static void test_mixed(struct agent *server, struct agent *client)
{
    struct connected c;

    open_connection(&c, server, client);
    stream(client, c.port, MIXED, 0, 0, 3000);
    stream(server, c.comm, MIXED, 1, 0, 3000);
    drain(client, c.port, MIXED, 1, 0, 3000, SEQUENCES);
    drain(server, c.listening, MIXED, 0, 0, 3000, SEQUENCES);
    expect_nothing(client, c.port, "4.7");
    expect_nothing(server, c.listening, "4.7");
    close_connection(&c);
}

/* some of them received, some more sent, and so on: the queue is never empty */
static void test_partly(struct agent *server, struct agent *client)
{
    struct connected c;
    ULONG sent = 50, received = 0;
    unsigned int i;

    open_connection(&c, server, client);
    stream(client, c.port, MIXED, 0, 0, sent);
    for (i = 0; i < 60; i++)
    {
        ULONG more = 37 + i % 7;

        stream(client, c.port, MIXED, 0, sent, more);
        sent += more;
        drain(server, c.listening, MIXED, 0, received, more, SEQUENCES);
        received += more;
    }
    drain(server, c.listening, MIXED, 0, received, sent - received, SEQUENCES);
    expect_nothing(server, c.listening, "4.7");
    close_connection(&c);
}

/* receiving while messages are being sent */
static void test_meanwhile(struct agent *server, struct agent *client)
{
    static const enum plan plans[] = { SMALL, MIXED, REQUESTS };
    struct connected c;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(plans); i++)
    {
        const ULONG count = plans[i] == SMALL ? 20000 : 4000;

        winetest_push_context("plan %u", plans[i]);
        open_connection(&c, server, client);
        begin_steady_stream(client, c.port, plans[i], 2, count);
        drain(server, c.listening, plans[i], 2, 0, count, plans[i] == SMALL ? 0 : SEQUENCES);
        ok_status("4.7", end(client), STATUS_SUCCESS);
        ok(client->call->count == count, "[4.7] sent %lu of %lu\n", client->call->count, count);
        expect_nothing(server, c.listening, "4.7");
        close_connection(&c);
        winetest_pop_context();
    }
}

/* all short sizes, and those where something might change */
static void test_sizes(struct agent *server, struct agent *client)
{
    static const SIZE_T around[] = { 0x200, 0x400, 0xfd8, 0x1000, 0x2000, 0x7fd8, 0x8000, 0xffd0, LARGEST };
    static BYTE data[LARGEST];
    struct connected c;
    SIZE_T size, i;

    for (i = 0; i < sizeof(data); i++)
        data[i] = (BYTE)(i * 3 + (i >> 8));
    open_connection(&c, server, client);
    for (size = 0; size < 300; size++)
    {
        ok_status("4.4", send_message(client, c.port, DATAGRAM, data, size), STATUS_SUCCESS);
        ok_status("4.4", send_message(server, c.comm, DATAGRAM, data, size), STATUS_SUCCESS);
        expect(server, c.listening, "4.7", LPC_DATAGRAM, data, size);
        expect(client, c.port, "4.7", LPC_DATAGRAM, data, size);
    }
    for (i = 0; i < ARRAY_SIZE(around); i++)
        for (size = around[i] - 2; size <= around[i] + 2 && size <= LARGEST; size++)
            ok_status("4.4", send_message(client, c.port, DATAGRAM, data, size), STATUS_SUCCESS);
    for (i = 0; i < ARRAY_SIZE(around); i++)
        for (size = around[i] - 2; size <= around[i] + 2 && size <= LARGEST; size++)
            expect(server, c.listening, "4.7", LPC_DATAGRAM, data, size);
    expect_nothing(server, c.listening, "4.7");
    close_connection(&c);
}

/* what is too large for a buffer stays first in line [4.4] */
static void test_small_buffer(struct agent *server, struct agent *client)
{
    static BYTE data[5000];
    struct connected c;
    struct call *call;

    open_connection(&c, server, client);
    ok_status("4.4", send_message(client, c.port, DATAGRAM, data, sizeof(data)), STATUS_SUCCESS);
    ok_status("4.4", send_message(client, c.port, DATAGRAM, "second", 6), STATUS_SUCCESS);
    call = prepare(server);
    call->port = c.listening;
    call->receives = call->has_length = call->has_timeout = TRUE;
    call->length = HEADER_SIZE + sizeof(data) - 1;
    ok_status("4.4", perform(server, call_exchange), STATUS_BUFFER_TOO_SMALL);
    ok(call->length == HEADER_SIZE + sizeof(data), "[4.4] BufferLength %#Ix\n", call->length);
    expect(server, c.listening, "4.4", LPC_DATAGRAM, data, sizeof(data));
    expect(server, c.listening, "4.4", LPC_DATAGRAM, "second", 6);
    expect_nothing(server, c.listening, "4.7");
    close_connection(&c);
}

/* answers come in the order in which they were given, among the other messages of the server */
static void test_answers(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE requests[100];
    unsigned int i;
    BYTE number;

    open_connection(&c, server, client);
    for (number = 0; number < ARRAY_SIZE(requests); number++)
        ok_status("4.5", send_message(client, c.port, 0, &number, 1), STATUS_SUCCESS);
    for (number = 0; number < ARRAY_SIZE(requests); number++)
    {
        expect(server, c.listening, "4.7", REQUEST_TYPE, &number, 1);
        requests[number] = server->call->receive.header;
    }
    for (i = 0; i < ARRAY_SIZE(requests); i++)
    {
        number = (BYTE)(i * 37 % ARRAY_SIZE(requests)); /* each once */
        ok_status("4.5", answer(server, i & 1 ? c.listening : c.comm, DATAGRAM, &requests[number], &number, 1),
                  STATUS_SUCCESS);
        if (!(i % 10))
            ok_status("4.4", send_message(server, c.comm, DATAGRAM, "between", 7), STATUS_SUCCESS);
    }
    for (i = 0; i < ARRAY_SIZE(requests); i++)
    {
        number = (BYTE)(i * 37 % ARRAY_SIZE(requests));
        expect(client, c.port, "4.7", LPC_REPLY, &number, 1);
        ok(client->call->receive.header.MessageId == requests[number].MessageId, "[4.5] MessageId %#lx\n",
           client->call->receive.header.MessageId);
        if (!(i % 10))
            expect(client, c.port, "4.7", LPC_DATAGRAM, "between", 7);
    }
    expect_nothing(client, c.port, "4.7");
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- many senders */

/* what was sent first is received first, whoever sent it */
static void test_two_clients(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client), *third = server->process ? agent_process() : agent_thread();
    struct agent *const agents[] = { client, second, third };
    struct connected c[3];
    BYTE number;
    unsigned int i;

    open_connection(&c[0], server, client);
    open_another(&c[1], &c[0], second, NULL);
    open_another(&c[2], &c[0], third, NULL);
    for (number = 0; number < 120; number++)
        ok_status("4.4", send_message(agents[number * 7 % 5 % 3], c[number * 7 % 5 % 3].port, DATAGRAM, &number, 1),
                  STATUS_SUCCESS);
    for (number = 0; number < 120; number++)
    {
        expect(server, c[0].listening, "4.7", LPC_DATAGRAM, &number, 1);
        ok(HandleToULong(server->call->receive.header.ClientId.UniqueThread) == agents[number * 7 % 5 % 3]->tid,
           "[4.4] ClientId %p\n", server->call->receive.header.ClientId.UniqueThread);
    }
    expect_nothing(server, c[0].listening, "4.7");
    for (i = ARRAY_SIZE(c); i--;)
        close_connection(&c[i]);
    agent_stop(second);
    agent_stop(third);
}

/* each sender's messages keep their order, and none is lost */
static void test_many_clients(struct agent *server, struct agent *client)
{
    static const enum plan plans[] = { SMALL, REQUESTS };
    enum
    {
        COUNT = 5
    };
    struct agent *agents[COUNT];
    struct connected first, c[COUNT];
    unsigned int i, k;

    agents[0] = client;
    for (i = 1; i < COUNT; i++)
        agents[i] = i % 2 || !server->process ? agent_beside(client) : agent_process();
    for (k = 0; k < ARRAY_SIZE(plans); k++)
    {
        const ULONG count = plans[k] == SMALL ? 4000 : 1000;

        winetest_push_context("plan %u", plans[k]);
        open_port(&first, server, client);
        for (i = 0; i < COUNT; i++)
            open_another(&c[i], &first, agents[i], (PVOID)(ULONG_PTR)(i + 1));
        for (i = 0; i < COUNT; i++)
            begin_steady_stream(agents[i], c[i].port, plans[k], i, count);
        drain(server, first.listening, plans[k], 0, 0, count * COUNT, CONTEXTS);
        for (i = 0; i < COUNT; i++)
        {
            ok_status("4.7", end(agents[i]), STATUS_SUCCESS);
            ok(agents[i]->call->count == count, "[4.7] sent %lu of %lu\n", agents[i]->call->count, count);
        }
        expect_nothing(server, first.listening, "4.7");
        for (i = COUNT; i--;)
            close_connection(&c[i]);
        close_connection(&first);
        winetest_pop_context();
    }
    for (i = 1; i < COUNT; i++)
        agent_stop(agents[i]);
}

/* the same with threads that send on one client port, and on one server communication port */
static void test_many_threads(struct agent *server, struct agent *client)
{
    static const enum plan plans[] = { SMALL, REQUESTS };
    enum
    {
        COUNT = 4
    };
    struct agent *agents[2][COUNT];
    struct connected c;
    unsigned int i, k, end_;

    for (i = 0; i < COUNT; i++)
    {
        agents[0][i] = i ? agent_beside(client) : client;
        agents[1][i] = i ? agent_beside(server) : server;
    }
    for (end_ = 0; end_ < 2; end_++)
        for (k = 0; k < ARRAY_SIZE(plans); k++)
        {
            const ULONG count = plans[k] == SMALL ? 4000 : 1000;

            winetest_push_context("%s, plan %u", end_ ? "server" : "client", plans[k]);
            open_connection(&c, server, client);
            for (i = 0; i < COUNT; i++)
                begin_steady_stream(agents[end_][i], end_ ? c.comm : c.port, plans[k], i, count);
            drain(agents[!end_][0], end_ ? c.port : c.listening, plans[k], 0, 0, count * COUNT, 0);
            for (i = 0; i < COUNT; i++)
            {
                ok_status("4.7", end(agents[end_][i]), STATUS_SUCCESS);
                ok(agents[end_][i]->call->count == count, "[4.7] sent %lu of %lu\n", agents[end_][i]->call->count,
                   count);
            }
            expect_nothing(agents[!end_][0], end_ ? c.port : c.listening, "4.7");
            close_connection(&c);
            winetest_pop_context();
        }
    for (i = 1; i < COUNT; i++)
    {
        agent_stop(agents[0][i]);
        agent_stop(agents[1][i]);
    }
}

/* ---------------------------------------------------------------------------------------------- quotas */

/* MaxPoolUsage and the like do not limit how much can wait [7, 21] */
static void test_pool(struct agent *server, struct agent *client)
{
    const ALPC_PORT_ATTRIBUTES small = {
        .MaxMessageLength = 0x200, .MemoryBandwidth = 0x1000, .MaxPoolUsage = 0x1000, .MaxTotalSectionSize = 0x1000
    };
    const ALPC_PORT_ATTRIBUTES none = { .MaxMessageLength = 0x200 };
    struct connected c;

    open_with(&c, server, client, &small, &none);
    stream(client, c.port, SMALL, 0, 0, 2000);
    drain(server, c.listening, SMALL, 0, 0, 2000, SEQUENCES);
    close_connection(&c);
    open_with(&c, server, client, &none, &small);
    stream(server, c.comm, SMALL, 0, 0, 2000);
    drain(client, c.port, SMALL, 0, 0, 2000, SEQUENCES);
    close_connection(&c);
}

/* a message that is longer than either side wants is not sent, and leaves no gap */
static void test_message_length(struct agent *server, struct agent *client)
{
    static const ULONG lengths[][2] = { { 0x200, 0x180 }, { 0x180, 0x200 }, { 0x1000, 0x1000 }, { 0x8000, 0xffff } };
    static BYTE data[LARGEST];
    struct connected c;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(lengths); i++)
    {
        const ALPC_PORT_ATTRIBUTES at_server = { .MaxMessageLength = lengths[i][0] },
                                   at_client = { .MaxMessageLength = lengths[i][1] };
        SIZE_T most = min(lengths[i][0], lengths[i][1]) - HEADER_SIZE;

        winetest_push_context("%#lx, %#lx", lengths[i][0], lengths[i][1]);
        open_with(&c, server, client, &at_server, &at_client);
        ok_status("4.17", send_message(client, c.port, DATAGRAM, data, most), STATUS_SUCCESS);
        ok_status("4.17", send_message(client, c.port, DATAGRAM, data, most + 1), STATUS_PORT_MESSAGE_TOO_LONG);
        ok_status("4.17", send_message(client, c.port, 0, data, most + 1), STATUS_PORT_MESSAGE_TOO_LONG);
        begin_request(client, c.port, data, most + 1);
        ok_status("4.17", end(client), STATUS_PORT_MESSAGE_TOO_LONG);
        ok_status("4.17", send_message(client, c.port, DATAGRAM, "last", 4), STATUS_SUCCESS);
        expect(server, c.listening, "4.17", LPC_DATAGRAM, data, most);
        expect(server, c.listening, "4.17", LPC_DATAGRAM, "last", 4);
        expect_nothing(server, c.listening, "4.17");
        ok_status("4.17", send_message(server, c.comm, DATAGRAM, data, most + 1), STATUS_PORT_MESSAGE_TOO_LONG);
        ok_status("4.17", send_message(server, c.comm, DATAGRAM, data, most), STATUS_SUCCESS);
        expect(client, c.port, "4.17", LPC_DATAGRAM, data, most);
        expect_nothing(client, c.port, "4.17");
        close_connection(&c);
        winetest_pop_context();
    }
}

/* more than can wait: those that could not be sent are told, all others arrive, and then there is room again */
static void test_limit(struct agent *server, struct agent *client)
{
    struct connected c;
    unsigned int end_;

    open_connection(&c, server, client);
    for (end_ = 0; end_ < 2; end_++)
    {
        struct agent *from = end_ ? server : client, *to = end_ ? client : server;
        HANDLE out = end_ ? c.comm : c.port, in = end_ ? c.port : c.listening;
        ULONG count;

        winetest_push_context("%s", end_ ? "server" : "client");
        begin_stream(from, out, SMALL, 0, 0, 100000);
        ok_status("3.10", perform(from, call_stream), STATUS_INSUFFICIENT_RESOURCES);
        count = from->call->count;
        ok(count >= 10000 && count < 100000, "[4.7] sent %lu messages\n", count);
        ok_status("3.10", send_message(from, out, 0, "request", 7), STATUS_INSUFFICIENT_RESOURCES);
        /* one is received, one more can be sent */
        drain(to, in, SMALL, 0, 0, 1, 0);
        stream(from, out, SMALL, 0, count, 1);
        drain(to, in, SMALL, 0, 1, count, 0);
        expect_nothing(to, in, "4.7");
        stream(from, out, MIXED, 0, 0, 100);
        drain(to, in, MIXED, 0, 0, 100, 0);
        winetest_pop_context();
    }
    close_connection(&c);
}

/* a client that has filled its share does not keep others from sending */
static void test_limit_of_one(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    struct connected c[2];
    PORT_MESSAGE request;
    ULONG count;

    open_connection(&c[0], server, client);
    open_another(&c[1], &c[0], second, NULL);
    begin_stream(client, c[0].port, SMALL, 0, 0, 100000);
    ok_status("3.10", perform(client, call_stream), STATUS_INSUFFICIENT_RESOURCES);
    count = client->call->count;
    begin_request(second, c[1].port, "request", 7);
    drain(server, c[0].listening, SMALL, 0, 0, count, 0);
    expect(server, c[0].listening, "4.7", REQUEST_TYPE, "request", 7);
    request = server->call->receive.header;
    ok_status("4.5", answer(server, c[0].listening, DATAGRAM, &request, "answer", 6), STATUS_SUCCESS);
    ok_status("4.4", end(second), STATUS_SUCCESS);
    expect_nothing(server, c[0].listening, "4.7");
    close_connection(&c[1]);
    close_connection(&c[0]);
    agent_stop(second);
}

START_TEST(order)
{
    if (agent_main())
        return;
    RUN(test_ten_thousand);
    RUN(test_mixed);
    RUN(test_partly);
    RUN(test_meanwhile);
    RUN(test_sizes);
    RUN(test_small_buffer);
    RUN(test_answers);
    RUN(test_two_clients);
    RUN(test_many_clients);
    RUN(test_many_threads);
    RUN(test_pool);
    RUN(test_message_length);
    RUN(test_limit);
    RUN(test_limit_of_one);
    end_tests();
}
