/*
 * Messages that are sent before the connection has been accepted [alpc.md 4.3]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "agent.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)
#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE

/* a payload that tells its number, and so what it has to look like */
static SIZE_T make_payload(BYTE *data, ULONG number, SIZE_T size)
{
    SIZE_T i;

    for (i = 0; i < size; i++)
        data[i] = (BYTE)(number * 31 + i * 7 + (i >> 8));
    return size;
}

/* most are short, some just about as long as what is kept in another place, some the longest there are */
static SIZE_T size_of(ULONG number)
{
    static const SIZE_T sizes[] = { 4, 0, 128, 1, 129, 0xffff - HEADER_SIZE, 40, 4000 };

    return number % 11 ? sizes[number % ARRAY_SIZE(sizes)] : 0x8000;
}

static PORT_MESSAGE receive_connection_request(struct connected *c)
{
    expect(c->server, c->listening, "4.3", LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED, NULL, 0);
    return c->server->call->receive.header;
}

/* the request comes first, then every message in the order of sending; none of them before the connection is accepted
 */
static void test_order(struct agent *server, struct agent *client)
{
    static const ULONG counts[] = { 2, 16, 17, 60 };
    static BYTE data[0x10000];
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i;
    ULONG number;

    for (i = 0; i < ARRAY_SIZE(counts); i++)
    {
        winetest_push_context("%lu messages", counts[i]);
        open_port(&c, server, client);
        c.port = connect_async(client, c.name, NULL, 0);
        for (number = 0; number < counts[i]; number++)
            /* datagrams and requests have one order */
            ok_status("4.3",
                      send_message(client, c.port, number % 3 ? DATAGRAM : 0, data,
                                   make_payload(data, number, size_of(number))),
                      STATUS_SUCCESS);
        request = receive_connection_request(&c);
        expect_nothing(server, c.listening, "4.3");
        ok_status("1.3", accept_connection(server, c.listening, &request, PORT_CONTEXT, &c.comm), STATUS_SUCCESS);
        ok_status("4.3", send_message(client, c.port, DATAGRAM, "last", 4), STATUS_SUCCESS);
        for (number = 0; number < counts[i]; number++)
        {
            winetest_push_context("message %lu", number);
            make_payload(data, number, size_of(number));
            expect(server, c.listening, "4.3", number % 3 ? LPC_DATAGRAM : LPC_REQUEST | LPC_CONTINUATION_REQUIRED,
                   data, size_of(number));
            ok(server->call->context.PortContext == PORT_CONTEXT, "[6.3.6] PortContext %p\n",
               server->call->context.PortContext);
            ok(server->call->context.Sequence == number + 1, "[4.8.1] Sequence %lu\n", server->call->context.Sequence);
            winetest_pop_context();
        }
        expect(server, c.listening, "4.3", LPC_DATAGRAM, "last", 4);
        expect(client, c.port, "4.3", LPC_CONNECTION_REPLY, NULL, 0);
        close_connection(&c);
        winetest_pop_context();
    }
}

/* an early request is answered like any other */
static void test_requests(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request, early;
    ULONG id;

    open_port(&c, server, client);
    c.port = connect_async(client, c.name, NULL, 0);
    ok_status("4.3", send_message(client, c.port, 0, "async", 5), STATUS_SUCCESS);
    id = client->call->send.header.MessageId;
    begin_request(client, c.port, "sync", 4);
    ok(!finished(client, 50), "[4.3] nobody can have answered\n");
    request = receive_connection_request(&c);
    expect_nothing(server, c.listening, "4.3");
    ok_status("1.3", accept_connection(server, c.listening, &request, PORT_CONTEXT, &c.comm), STATUS_SUCCESS);
    expect(server, c.listening, "4.3", LPC_REQUEST | LPC_CONTINUATION_REQUIRED, "async", 5);
    early = server->call->receive.header;
    ok(early.MessageId == id, "[4.5] MessageId %#lx instead of %#lx\n", early.MessageId, id);
    ok_status("4.5", answer(server, c.listening, ALPC_MSGFLG_RELEASE_MESSAGE, &early, "1st", 3), STATUS_SUCCESS);
    expect(server, c.listening, "4.3", LPC_REQUEST | LPC_CONTINUATION_REQUIRED, "sync", 4);
    early = server->call->receive.header;
    ok_status("4.5", answer(server, c.listening, ALPC_MSGFLG_RELEASE_MESSAGE, &early, "2nd", 3), STATUS_SUCCESS);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_REPLY, "2nd", 3);
    expect(client, c.port, "4.3", LPC_CONNECTION_REPLY, NULL, 0);
    expect(client, c.port, "4.5", LPC_REPLY, "1st", 3);
    ok(client->call->receive.header.MessageId == id, "[4.5] MessageId %#lx\n", client->call->receive.header.MessageId);
    close_connection(&c);
}

/* an early request that is given up was never sent */
static void test_timeout(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    struct call *call;

    open_port(&c, server, client);
    c.port = connect_async(client, c.name, NULL, 0);
    ok_status("4.3", send_message(client, c.port, DATAGRAM, "a", 1), STATUS_SUCCESS);
    call = prepare(client);
    call->port = c.port;
    call->flags = ALPC_MSGFLG_SYNC_REQUEST;
    set_message(call, "sync", 4);
    call->receives = call->has_length = call->has_timeout = TRUE;
    call->length = sizeof(call->receive);
    call->timeout = MILLISECONDS(50);
    ok_status("4.4", perform(client, call_exchange), STATUS_TIMEOUT);
    ok_status("4.3", send_message(client, c.port, DATAGRAM, "b", 1), STATUS_SUCCESS);
    request = receive_connection_request(&c);
    ok_status("1.3", accept_connection(server, c.listening, &request, PORT_CONTEXT, &c.comm), STATUS_SUCCESS);
    expect(server, c.listening, "4.3", LPC_DATAGRAM, "a", 1);
    expect(server, c.listening, "4.3", LPC_DATAGRAM, "b", 1);
    expect_nothing(server, c.listening, "4.4");
    close_connection(&c);
}

/* of messages that came before a refusal the server never learns */
static void test_refused(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i;

    open_port(&c, server, client);
    c.port = connect_async(client, c.name, NULL, 0);
    for (i = 0; i < 20; i++)
        ok_status("4.3", send_message(client, c.port, i % 2 ? DATAGRAM : 0, "early", 5), STATUS_SUCCESS);
    begin_request(client, c.port, "sync", 4);
    ok(!finished(client, 50), "[4.3] nobody can have answered\n");
    request = receive_connection_request(&c);
    ok_status("1.3", refuse_connection(server, c.listening, &request), STATUS_SUCCESS);
    /* that there will be no answer is told either way */
    {
        NTSTATUS status = end(client);

        ok(status == STATUS_PORT_DISCONNECTED || status == STATUS_PORT_CONNECTION_REFUSED, "[4.3] status %#lx\n",
           status);
    }
    ok_status("4.3", receive(client, c.port), STATUS_PORT_CONNECTION_REFUSED);
    expect_nothing(server, c.listening, "4.3");
    close_handle(client, c.port);
    expect_nothing(server, c.listening, "4.3");
    c.port = NULL;
    close_connection(&c);
}

/* nor of those of a client that went before it was accepted */
static void test_gone(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i, seen;

    for (seen = 0; seen < 2; seen++)
    {
        winetest_push_context("%s", seen ? "seen" : "unseen");
        open_port(&c, server, client);
        c.port = connect_async(client, c.name, NULL, 0);
        for (i = 0; i < 20; i++)
            ok_status("4.3", send_message(client, c.port, i % 2 ? DATAGRAM : 0, "early", 5), STATUS_SUCCESS);
        if (seen)
            request = receive_connection_request(&c);
        close_handle(client, c.port);
        c.port = NULL;
        if (seen)
        {
            expect(server, c.listening, "7.8", LPC_CANCELED, NULL, 0);
            ok(server->call->receive.header.MessageId == request.MessageId, "[7.8] MessageId %#lx\n",
               server->call->receive.header.MessageId);
        }
        expect_nothing(server, c.listening, "4.11");
        close_connection(&c);
        winetest_pop_context();
    }
}

/* early messages of two clients do not mix */
static void test_two_clients(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    struct connected c[2];
    PORT_MESSAGE requests[2];
    unsigned int i, k;

    open_port(&c[0], server, client);
    c[1] = c[0];
    c[1].client = second;
    c[1].listening = NULL;
    for (i = 0; i < 2; i++)
        c[i].port = connect_async(c[i].client, c[0].name, NULL, 0);
    for (k = 0; k < 6; k++)
    {
        BYTE data[2] = { (BYTE)(k % 2), (BYTE)(k / 2) };

        ok_status("4.3", send_message(c[k % 2].client, c[k % 2].port, DATAGRAM, data, 2), STATUS_SUCCESS);
    }
    for (i = 0; i < 2; i++)
        requests[i] = receive_connection_request(&c[0]);
    for (i = 2; i--;)
    {
        ok_status("1.3", accept_connection(server, c[0].listening, &requests[i], (PVOID)(ULONG_PTR)(i + 1), &c[i].comm),
                  STATUS_SUCCESS);
        for (k = 0; k < 3; k++)
        {
            BYTE data[2] = { (BYTE)i, (BYTE)k };

            expect(server, c[0].listening, "4.3", LPC_DATAGRAM, data, 2);
            ok(server->call->context.PortContext == (PVOID)(ULONG_PTR)(i + 1), "[4.3] PortContext %p\n",
               server->call->context.PortContext);
        }
        expect_nothing(server, c[0].listening, "4.3");
    }
    close_connection(&c[1]);
    close_connection(&c[0]);
    agent_stop(second);
}

/* a client that goes on sending while it is being accepted: nothing is lost, doubled or overtaken */
static void test_accepted_meanwhile(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    unsigned int round;
    ULONG number;

    for (round = 0; round < 20; round++)
    {
        const ULONG count = 400;
        struct call *call;

        open_port(&c, server, client);
        c.port = connect_async(client, c.name, NULL, 0);
        request = receive_connection_request(&c);
        call = prepare(client);
        call->port = c.port;
        call->flags = DATAGRAM;
        set_message(call, &number, sizeof(number));
        call->count = count;
        begin(client, call_send_many);
        ok_status("1.3", accept_connection(server, c.listening, &request, PORT_CONTEXT, &c.comm), STATUS_SUCCESS);
        ok_status("4.3", end(client), STATUS_SUCCESS);
        for (number = 0; number < count; number++)
            expect(server, c.listening, "4.3", LPC_DATAGRAM, &number, sizeof(number));
        expect_nothing(server, c.listening, "4.3");
        close_connection(&c);
    }
}

START_TEST(early)
{
    if (agent_main())
        return;
    RUN(test_order);
    RUN(test_requests);
    RUN(test_timeout);
    RUN(test_refused);
    RUN(test_gone);
    RUN(test_two_clients);
    RUN(test_accepted_meanwhile);
    end_tests();
}
