/*
 * Receiving on the server communication port [alpc.md 4.1, 7 #10]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Not here: what receiving on it is told when the client goes (closed.c), sending through it (send_receive.c).
 */

#include "load.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)

#define REQUEST (LPC_REQUEST | LPC_CONTINUATION_REQUIRED)
#define CONNECTION_REQUEST (LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED)
#define RELEASE ALPC_MSGFLG_RELEASE_MESSAGE
#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE

#define SECOND_CONTEXT ((PVOID)(ULONG_PTR)0xfeedfacecafe)

static void send_datagram(struct connected *c, const char *data)
{
    ok_status("4.4", send_message(c->client, c->port, DATAGRAM, data, strlen(data)), STATUS_SUCCESS);
}

static void expect_datagram(struct agent *server, HANDLE port, const char *data, PVOID context)
{
    expect(server, port, "4.1", LPC_DATAGRAM, data, strlen(data));
    ok(server->call->context.PortContext == context, "[4.8.1] PortContext %p instead of %p\n",
       server->call->context.PortContext, context);
}

/* a receive that ends by itself if nothing comes */
static void begin_timed_receive(struct agent *agent, HANDLE port, SIZE_T capacity, LONGLONG timeout)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->receives = call->has_length = call->has_timeout = TRUE;
    call->length = capacity;
    call->timeout = timeout;
    begin(agent, call_exchange);
}

/* two clients on one connection port */
static void open_two(struct connected c[2], struct agent *server, struct agent *client, struct agent *second)
{
    open_connection(&c[0], server, client);
    open_another(&c[1], &c[0], second, SECOND_CONTEXT);
}

static void close_two(struct connected c[2])
{
    close_connection(&c[1]);
    close_connection(&c[0]);
}

/* ---------------------------------------------------------------------------------------------- whose message */

/* each accepted port gets its own client's messages, in their order, and the connection port gets any */
static void test_own_client(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    struct connected c[2];
    HANDLE listening;

    open_two(c, server, client, second);
    listening = c[0].listening;
    send_datagram(&c[0], "a1");
    send_datagram(&c[1], "b1");
    send_datagram(&c[0], "a2");
    send_datagram(&c[1], "b2");
    send_datagram(&c[0], "a3");
    /* the second client's although the first's are older */
    expect_datagram(server, c[1].comm, "b1", SECOND_CONTEXT);
    expect_datagram(server, c[0].comm, "a1", PORT_CONTEXT);
    /* the connection port gets the oldest that is left */
    expect_datagram(server, listening, "a2", PORT_CONTEXT);
    expect_datagram(server, listening, "b2", SECOND_CONTEXT);
    expect_nothing(server, c[1].comm, "4.1");
    expect_datagram(server, c[0].comm, "a3", PORT_CONTEXT);
    expect_nothing(server, c[0].comm, "4.1");
    expect_nothing(server, listening, "4.1");
    close_two(c);
    agent_stop(second);
}

/* many messages of both, taken from one end after the other */
static void test_order(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    struct connected c[2];
    ULONG i, numbers[2];
    unsigned int k;

    open_two(c, server, client, second);
    for (i = 0; i < 100; i++)
        for (k = 0; k < 2; k++)
        {
            numbers[0] = k;
            numbers[1] = i;
            ok_status("4.4", send_message(c[k].client, c[k].port, DATAGRAM, numbers, sizeof(numbers)), STATUS_SUCCESS);
        }
    for (k = 2; k--;)
        for (i = 0; i < 100; i++)
        {
            numbers[0] = k;
            numbers[1] = i;
            /* of the first client, when the second's are gone, through the connection port by turns */
            expect(server, k || i % 3 ? c[k].comm : c[0].listening, "4.7", LPC_DATAGRAM, numbers, sizeof(numbers));
        }
    expect_nothing(server, c[0].comm, "4.1");
    expect_nothing(server, c[1].comm, "4.1");
    expect_nothing(server, c[0].listening, "4.1");
    close_two(c);
    agent_stop(second);
}

/* requests of every kind are answered through either port, wherever they were received */
static void test_requests(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < 8; i++)
    {
        HANDLE from = i & 1 ? c.comm : c.listening, to = i & 2 ? c.comm : c.listening;

        winetest_push_context("received %s, answered %s, %s", i & 1 ? "comm" : "listening",
                              i & 2 ? "comm" : "listening", i & 4 ? "sync" : "async");
        if (i & 4)
            begin_request(client, c.port, "request", 7);
        else
            ok_status("4.4", send_message(client, c.port, 0, "request", 7), STATUS_SUCCESS);
        expect(server, from, "4.1", REQUEST, "request", 7);
        request = server->call->receive.header;
        ok((ULONG_PTR)request.ClientId.UniqueProcess == client->pid &&
               (ULONG_PTR)request.ClientId.UniqueThread == client->tid,
           "[4.4] ClientId %p, %p\n", request.ClientId.UniqueProcess, request.ClientId.UniqueThread);
        ok_status("4.5", answer(server, to, RELEASE, &request, "answer", 6), STATUS_SUCCESS);
        if (i & 4)
        {
            ok_status("4.4", end(client), STATUS_SUCCESS);
            check_received(client, "4.4", LPC_REPLY, "answer", 6);
        }
        else
            expect(client, c.port, "4.5", LPC_REPLY, "answer", 6);
        winetest_pop_context();
    }
    expect_nothing(server, c.listening, "4.1");
    close_connection(&c);
}

/*
 * The answer to a request that the server sent through its communication port is a message of that client's like any
 * other: it appears on the connection port [4.5], and a receive on the communication port that asks first gets it.
 */
static void test_answers(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < 2; i++)
    {
        ok_status("4.4", send_message(server, c.comm, 0, "question", 8), STATUS_SUCCESS);
        expect(client, c.port, "4.4", REQUEST, "question", 8);
        request = client->call->receive.header;
        ok_status("4.5", answer(client, c.port, RELEASE, &request, "answer", 6), STATUS_SUCCESS);
        expect(server, i ? c.comm : c.listening, "4.5", LPC_REPLY, "answer", 6);
        ok(server->call->receive.header.MessageId == request.MessageId, "[4.5] MessageId %#lx\n",
           server->call->receive.header.MessageId);
    }
    expect_nothing(server, c.comm, "4.1");
    expect_nothing(server, c.listening, "4.1");
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- waiting */

/* a receiver that waits alone on either port gets the message; another client's leaves it asleep */
static void test_waiter(struct agent *server, struct agent *client)
{
    static const DWORD pauses[] = { 0, 1, 50 };
    struct agent *second = agent_beside(client);
    struct connected c[2];
    unsigned int i;

    open_two(c, server, client, second);
    for (i = 0; i < 6; i++)
    {
        winetest_push_context("%s, %lu ms", i & 1 ? "listening" : "comm", pauses[i / 2]);
        begin_receive(server, i & 1 ? c[0].listening : c[0].comm);
        if (pauses[i / 2])
            ok(!finished(server, pauses[i / 2]), "[4.4] there was nothing to receive\n");
        if (!(i & 1))
        {
            send_datagram(&c[1], "other");
            ok(!finished(server, 20), "[4.1] it got another client's message\n");
        }
        send_datagram(&c[0], "own");
        ok_status("4.1", end(server), STATUS_SUCCESS);
        check_received(server, "4.1", LPC_DATAGRAM, "own", 3);
        if (!(i & 1))
            expect_datagram(server, c[0].listening, "other", SECOND_CONTEXT);
        expect_nothing(server, c[0].listening, "4.1");
        winetest_pop_context();
    }
    close_two(c);
    agent_stop(second);
}

/* one waits on each port: two messages, each to one of them */
static void test_both_wait(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(server);
    struct connected c;
    unsigned int i;
    ULONG sum;

    open_connection(&c, server, client);
    for (i = 0; i < 40; i++)
    {
        begin_receive(server, c.comm);
        begin_receive(second, c.listening);
        if (i % 2)
            Sleep(i);
        send_datagram(&c, "1");
        if (i % 4 > 1)
            Sleep(2);
        send_datagram(&c, "2");
        ok_status("4.1", end(server), STATUS_SUCCESS);
        ok_status("4.1", end(second), STATUS_SUCCESS);
        sum = server->call->receive.data[0] + second->call->receive.data[0];
        ok(sum == '1' + '2', "[4.4] each message must be received once, %c and %c were\n",
           server->call->receive.data[0], second->call->receive.data[0]);
        expect_nothing(server, c.comm, "4.4");
    }
    close_connection(&c);
    agent_stop(second);
}

/* who waits on a communication port is not woken in the place of one on the connection port, and the other way round */
static void test_other_ports_wait(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client), *receiver = agent_beside(server);
    struct connected c[2];
    unsigned int i;

    open_two(c, server, client, second);
    for (i = 0; i < 20; i++)
    {
        /* both sleep; the message is for the connection port's alone */
        begin_receive(server, c[0].comm);
        begin_receive(receiver, c[0].listening);
        Sleep(i % 2 ? 10 : 0);
        send_datagram(&c[1], "other");
        ok_status("4.1", end(receiver), STATUS_SUCCESS);
        check_received(receiver, "4.1", LPC_DATAGRAM, "other", 5);
        ok(!finished(server, 0), "[4.1] a receive ended that is not meant\n");
        send_datagram(&c[0], "own");
        ok_status("4.1", end(server), STATUS_SUCCESS);
        check_received(server, "4.1", LPC_DATAGRAM, "own", 3);
        /* each communication port has one that waits: the message is for one of them */
        begin_receive(server, c[0].comm);
        begin_receive(receiver, c[1].comm);
        Sleep(i % 2 ? 10 : 0);
        send_datagram(&c[1], "b");
        ok_status("4.1", end(receiver), STATUS_SUCCESS);
        check_received(receiver, "4.1", LPC_DATAGRAM, "b", 1);
        ok(!finished(server, 0), "[4.1] a receive ended that is not meant\n");
        send_datagram(&c[0], "a");
        ok_status("4.1", end(server), STATUS_SUCCESS);
        check_received(server, "4.1", LPC_DATAGRAM, "a", 1);
    }
    close_two(c);
    agent_stop(receiver);
    agent_stop(second);
}

static void test_timeouts(struct agent *server, struct agent *client)
{
    struct connected c;
    ULONGLONG begun;

    open_connection(&c, server, client);
    begin_timed_receive(server, c.comm, sizeof(struct big_message), 0);
    ok_status("4.4", end(server), STATUS_TIMEOUT);
    begun = GetTickCount64();
    begin_timed_receive(server, c.comm, sizeof(struct big_message), MILLISECONDS(60));
    ok_status("4.4", end(server), STATUS_TIMEOUT);
    ok(GetTickCount64() - begun >= 40, "[4.4] the timeout came after %I64u ms of 60\n", GetTickCount64() - begun);
    begin_timed_receive(server, c.comm, sizeof(struct big_message), MILLISECONDS(HANG / 2));
    ok(!finished(server, 30), "[4.4] there was nothing to receive\n");
    send_datagram(&c, "late");
    ok_status("4.4", end(server), STATUS_SUCCESS);
    check_received(server, "4.1", LPC_DATAGRAM, "late", 4);
    /* what a receive that gave up has left behind takes no message */
    send_datagram(&c, "after");
    expect_datagram(server, c.listening, "after", PORT_CONTEXT);
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- small buffers */

/* a message that does not fit stays where it was, for either port, and in its order */
static void test_small_buffer(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    struct connected c[2];
    unsigned int i;

    open_two(c, server, client, second);
    for (i = 0; i < 4; i++)
    {
        HANDLE tries = i & 1 ? c[0].listening : c[0].comm, gets = i & 2 ? c[0].listening : c[0].comm;

        winetest_push_context("tried %s, got %s", i & 1 ? "listening" : "comm", i & 2 ? "listening" : "comm");
        send_datagram(&c[0], "long message");
        send_datagram(&c[0], "x");
        send_datagram(&c[1], "other");
        begin_timed_receive(server, tries, HEADER_SIZE + 11, MILLISECONDS(HANG / 2));
        ok_status("4.4", end(server), STATUS_BUFFER_TOO_SMALL);
        ok(server->call->length == HEADER_SIZE + 12, "[4.4] BufferLength %#Ix\n", server->call->length);
        /* the other client's is not held up by it */
        expect_datagram(server, c[1].comm, "other", SECOND_CONTEXT);
        begin_timed_receive(server, c[0].comm, 0, 0);
        ok_status("4.4", end(server), STATUS_BUFFER_TOO_SMALL);
        expect_datagram(server, gets, "long message", PORT_CONTEXT);
        expect_datagram(server, gets, "x", PORT_CONTEXT);
        expect_nothing(server, c[0].listening, "4.4");
        winetest_pop_context();
    }
    close_two(c);
    agent_stop(second);
}

/* one waits with too small a buffer, another on the other port with a large one: the message reaches the latter */
static void test_small_waiter(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(server);
    struct connected c;
    unsigned int i;
    NTSTATUS status;

    open_connection(&c, server, client);
    for (i = 0; i < 10; i++)
    {
        begin_timed_receive(server, i & 1 ? c.comm : c.listening, HEADER_SIZE, MILLISECONDS(HANG / 2));
        begin_receive(second, i & 1 ? c.listening : c.comm);
        Sleep(i % 3 * 10);
        send_datagram(&c, "message");
        ok_status("4.4", end(second), STATUS_SUCCESS);
        check_received(second, "4.4", LPC_DATAGRAM, "message", 7);
        /* it may have seen the message or not */
        if (!finished(server, 20))
            send_datagram(&c, "message");
        status = end(server);
        ok(status == STATUS_BUFFER_TOO_SMALL, "[4.4] status %#lx\n", status);
        while (!receive_now(server, c.comm))
            ;
    }
    close_connection(&c);
    agent_stop(second);
}

/* ---------------------------------------------------------------------------------------------- what never comes */

/* connection requests and LPC_PORT_CLOSED are the connection port's [4.1] */
static void test_notices(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client), *receiver = agent_beside(server);
    struct connected c[2];
    PORT_MESSAGE request;
    NTSTATUS status;

    open_connection(&c[0], server, client);
    begin_receive(receiver, c[0].comm);
    begin_connect(second, c[0].name, NULL, 0);
    expect(server, c[0].listening, "4.3", CONNECTION_REQUEST, NULL, 0);
    request = server->call->receive.header;
    ok(!finished(receiver, 20), "[4.1] a connection request came to a communication port\n");
    c[1] = c[0];
    c[1].client = second;
    c[1].listening = NULL;
    ok_status("1.3", accept_connection(server, c[0].listening, &request, SECOND_CONTEXT, &c[1].comm), STATUS_SUCCESS);
    ok_status("4.3", end(second), STATUS_SUCCESS);
    c[1].port = second->call->handle;
    /* another client goes */
    close_handle(second, c[1].port);
    c[1].port = NULL;
    ok(!finished(receiver, 20), "[4.1] what another client did ended a receive\n");
    ok_status("7.10", receive(server, c[1].comm), STATUS_PORT_DISCONNECTED);
    ok_status("4.11", receive(server, c[0].listening), STATUS_SUCCESS);
    ok(server->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n",
       server->call->receive.header.u2.s2.Type);
    ok(server->call->context.PortContext == SECOND_CONTEXT, "[4.11] PortContext %p\n",
       server->call->context.PortContext);
    /* its own client goes */
    close_handle(client, c[0].port);
    c[0].port = NULL;
    status = end(receiver);
    ok_status("7.10", status, STATUS_PORT_DISCONNECTED);
    ok_status("7.10", receive_now(server, c[0].comm), STATUS_PORT_DISCONNECTED);
    ok_status("4.11", receive(server, c[0].listening), STATUS_SUCCESS);
    ok(server->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n",
       server->call->receive.header.u2.s2.Type);
    ok(server->call->context.PortContext == PORT_CONTEXT, "[4.11] PortContext %p\n", server->call->context.PortContext);
    expect_nothing(server, c[0].listening, "4.11");
    close_two(c);
    agent_stop(receiver);
    agent_stop(second);
}

/* threads that wait while their port goes [4.4]; the message that comes then is the connection port's */
static void test_port_goes(struct agent *server, struct agent *client)
{
    struct agent *waiters[3] = { agent_beside(server), agent_beside(server), agent_beside(server) };
    struct connected c;
    unsigned int closes, i;

    for (closes = 0; closes < 2; closes++)
    {
        winetest_push_context("%s", closes ? "closed" : "disconnected");
        open_connection(&c, server, client);
        for (i = 0; i < ARRAY_SIZE(waiters); i++)
            begin_receive(waiters[i], c.comm);
        ok(!finished(waiters[0], 50), "[4.4] there was nothing to receive\n");
        if (closes)
        {
            close_handle(server, c.comm);
            c.comm = NULL;
        }
        else
            ok_status("1.3", disconnect(server, c.comm, 0), STATUS_SUCCESS);
        for (i = 0; i < ARRAY_SIZE(waiters); i++)
            ok_status("4.4", end(waiters[i]), closes ? STATUS_PORT_CLOSED : STATUS_PORT_DISCONNECTED);
        expect_nothing(server, c.listening, "4.11");
        close_connection(&c);
        winetest_pop_context();
    }
    for (i = 0; i < ARRAY_SIZE(waiters); i++)
        agent_stop(waiters[i]);
}

/* a thread that waited on the communication port and was terminated takes no message along */
static void test_waiter_dies(struct agent *server, struct agent *client)
{
    struct connected c;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < 6; i++)
    {
        struct agent *waiter = agent_beside(server);

        begin_receive(waiter, c.comm);
        ok(!finished(waiter, 20), "[4.4] there was nothing to receive\n");
        agent_kill_thread(waiter);
        send_datagram(&c, "message");
        expect_datagram(server, i & 1 ? c.comm : c.listening, "message", PORT_CONTEXT);
    }
    /* nor does it count as one who waits when the client goes */
    send_datagram(&c, "late");
    close_handle(client, c.port);
    c.port = NULL;
    expect(server, c.listening, "4.11", LPC_CANCELED, NULL, 0);
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- many */

#define BATCH 1000

/* receives .count datagrams, the numbers in which count up from .value; .count tells how many came so */
static void call_receive_many(struct call *call)
{
    ULONG i, number;

    for (i = 0; i < call->count; i++)
    {
        SIZE_T length = sizeof(call->receive);

        call->status = NtAlpcSendWaitReceivePort(call->port, 0, NULL, NULL, &call->receive.header, &length, NULL, NULL);
        memcpy(&number, call->receive.data, sizeof(number));
        if (call->status || number != call->value + i)
            break;
    }
    call->count = i;
}

static void begin_receive_many(struct agent *agent, HANDLE port, ULONG first, ULONG count)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->value = first;
    call->count = count;
    begin(agent, call_receive_many);
}

static void begin_send_many(struct agent *agent, HANDLE port, ULONG first, ULONG count)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->flags = DATAGRAM;
    call->value = first;
    call->count = count;
    set_message(call, &first, sizeof(first));
    begin(agent, call_send_many);
}

/*
 * A server that receives on communication ports only, more than a queue holds; and while what another client has sent
 * is not received [4.1]
 */
static void test_many(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    unsigned int unreceived;
    struct connected c[2];

    open_two(c, server, client, second);
    for (unreceived = 0; unreceived < 2; unreceived++)
    {
        const ULONG most = 140000;
        ULONG first;

        winetest_push_context("%u not received", unreceived);
        if (unreceived)
            send_datagram(&c[1], "first");
        for (first = 0; first < most; first += BATCH)
        {
            if (unreceived && first == most / 2)
                send_datagram(&c[1], "second");
            begin_receive_many(server, c[0].comm, first, BATCH);
            begin_send_many(client, c[0].port, first, BATCH);
            ok_status("4.4", end(client), STATUS_SUCCESS);
            ok_status("4.4", end(server), STATUS_SUCCESS);
            if (client->call->count != BATCH || server->call->count != BATCH)
                break;
        }
        ok(first == most, "[4.1] %lu datagrams sent, then %lu, and received %lu\n", first, client->call->count,
           server->call->count);
        winetest_pop_context();
    }
    expect_datagram(server, c[1].comm, "first", SECOND_CONTEXT);
    expect_datagram(server, c[1].comm, "second", SECOND_CONTEXT);
    expect_nothing(server, c[0].comm, "4.1");
    expect_nothing(server, c[0].listening, "4.1");
    close_two(c);
    agent_stop(second);
}

/* ---------------------------------------------------------------------------------------------- under load */

#define RECEIVERS 4
#define MESSAGES 3000

/* threads receive on both ports at once while datagrams and requests come: each datagram once, each request answered */
static void test_load(struct agent *server, struct agent *client)
{
    struct agent *receivers[RECEIVERS], *senders[3], *first;
    ULONG requests = 0, others = 0, i, k;
    struct connected c[2];

    for (i = 0; i < RECEIVERS; i++)
        receivers[i] = agent_beside(server);
    for (i = 0; i < ARRAY_SIZE(senders); i++)
        senders[i] = agent_beside(client);
    first = client;
    open_two(c, server, first, senders[0]);
    begin_echo(receivers[0], c[0].comm, 0);
    begin_echo(receivers[1], c[0].comm, 0);
    begin_echo(receivers[2], c[0].listening, 0);
    begin_echo(receivers[3], c[0].listening, 0);
    begin_count(first, c[0].port, 1, 0, MESSAGES);
    begin_count(senders[0], c[1].port, 2, MESSAGES, MESSAGES);
    begin_ask(senders[1], c[0].port, 3, 1000, 0);
    begin_ask(senders[2], c[1].port, 4, 1000, 0);
    ok_status("4.4", end(first), STATUS_SUCCESS);
    ok_status("4.4", end(senders[0]), STATUS_SUCCESS);
    for (i = 1; i < ARRAY_SIZE(senders); i++)
    {
        ok_status("4.4", end(senders[i]), STATUS_SUCCESS);
        ok(senders[i]->call->count == 1000, "[4.4] %lu of 1000 right answers\n", senders[i]->call->count);
    }
    /* one each; what has been sent before has been received then */
    send_stop(first, c[0].port, RECEIVERS);
    for (i = 0; i < RECEIVERS; i++)
        ok_status("4.4", end(receivers[i]), STATUS_SUCCESS);
    for (k = 0; k < 2 * MESSAGES; k++)
    {
        ULONG times = 0;

        for (i = 0; i < RECEIVERS; i++)
            times += tally_of(receivers[i])->datagrams[k];
        others += times != 1;
        /* the second client's have come to the connection port only */
        others += k >= MESSAGES && (tally_of(receivers[0])->datagrams[k] || tally_of(receivers[1])->datagrams[k]);
    }
    for (i = 0; i < RECEIVERS; i++)
    {
        requests += tally_of(receivers[i])->requests;
        others += tally_of(receivers[i])->other + tally_of(receivers[i])->canceled;
        ok(!tally_of(receivers[i])->failed, "[4.5] an answer failed: %#lx\n", tally_of(receivers[i])->failed);
    }
    ok(requests == 2000, "[4.4] %lu requests\n", requests);
    ok(!others, "[4.4] %lu messages went astray\n", others);
    expect_nothing(server, c[0].listening, "4.4");
    close_two(c);
    for (i = 0; i < RECEIVERS; i++)
        agent_stop(receivers[i]);
    for (i = 0; i < ARRAY_SIZE(senders); i++)
        agent_stop(senders[i]);
}

/* a server whose every client has a thread of its own that knows the communication port only */
static void test_thread_for_each(struct agent *server, struct agent *client)
{
    struct agent *receivers[3], *senders[3];
    struct connected c[3];
    unsigned int i;

    for (i = 0; i < 3; i++)
    {
        receivers[i] = agent_beside(server);
        senders[i] = i ? agent_beside(client) : client;
    }
    open_connection(&c[0], server, senders[0]);
    for (i = 1; i < 3; i++)
        open_another(&c[i], &c[0], senders[i], (PVOID)(ULONG_PTR)i);
    for (i = 0; i < 3; i++)
    {
        begin_echo(receivers[i], c[i].comm, 0);
        begin_ask(senders[i], c[i].port, i, 1500, 0);
    }
    for (i = 0; i < 3; i++)
    {
        ok_status("4.4", end(senders[i]), STATUS_SUCCESS);
        ok(senders[i]->call->count == 1500, "[4.4] %lu of 1500 right answers\n", senders[i]->call->count);
        send_stop(senders[i], c[i].port, 1);
        ok_status("4.4", end(receivers[i]), STATUS_SUCCESS);
        ok(tally_of(receivers[i])->requests == 1500, "[4.1] %lu requests of its own client's\n",
           tally_of(receivers[i])->requests);
    }
    expect_nothing(server, c[0].listening, "4.4");
    for (i = 3; i--;)
        close_connection(&c[i]);
    for (i = 0; i < 3; i++)
    {
        agent_stop(receivers[i]);
        if (i)
            agent_stop(senders[i]);
    }
}

START_TEST(commport)
{
    if (agent_main())
        return;
    RUN(test_own_client);
    RUN(test_order);
    RUN(test_requests);
    RUN(test_answers);
    RUN(test_waiter);
    RUN(test_both_wait);
    RUN(test_other_ports_wait);
    RUN(test_timeouts);
    RUN(test_small_buffer);
    RUN(test_small_waiter);
    RUN(test_notices);
    RUN(test_port_goes);
    RUN(test_waiter_dies);
    RUN(test_many);
    RUN(test_load);
    RUN(test_thread_for_each);
    end_tests();
}
