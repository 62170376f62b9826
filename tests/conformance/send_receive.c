/*
 * NtAlpcSendWaitReceivePort: what its arguments select [alpc.md 4.4, 3.3, 3.9]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Not here: replies and callbacks (reply.c), attributes (context.c), messages before the accept (early.c), the limit
 * that MaxMessageLength sets (create.c, accept.c).
 */

#include "agent.h"

#include <stddef.h>

#define HEADER_SIZE sizeof(PORT_MESSAGE)
#define MAX_DATA (ALPC_MAX_MESSAGE_LENGTH - HEADER_SIZE)

#define REQUEST (LPC_REQUEST | LPC_CONTINUATION_REQUIRED)
#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define RELEASE ALPC_MSGFLG_RELEASE_MESSAGE
#define SYNC ALPC_MSGFLG_SYNC_REQUEST

/* a call with a buffer for everything and no attributes; sends nothing unless set_message() is called */
static struct call *prepare_exchange(struct agent *agent, HANDLE port, ULONG flags)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->flags = flags;
    call->receives = call->has_length = TRUE;
    call->length = sizeof(call->receive);
    return call;
}

/* lets the call end, if it waits for something that will not come */
static struct call *prepare_timed(struct agent *agent, HANDLE port, ULONG flags, LONGLONG timeout)
{
    struct call *call = prepare_exchange(agent, port, flags);

    call->has_timeout = TRUE;
    call->timeout = timeout;
    return call;
}

static NTSTATUS exchange(struct agent *agent)
{
    return perform(agent, call_exchange);
}

/* nothing has been written to the receive buffer */
static BOOL untouched(const struct call *call)
{
    const BYTE *bytes = (const BYTE *)&call->receive;
    SIZE_T i;

    for (i = 0; i < sizeof(struct message); i++)
        if (bytes[i] != 0xcc)
            return FALSE;
    return TRUE;
}

static PORT_MESSAGE receive_request(struct connected *c, const void *data, SIZE_T size)
{
    expect(c->server, c->listening, "4.4", REQUEST, data, size);
    return c->server->call->receive.header;
}

static void reply(struct connected *c, const PORT_MESSAGE *to, const void *data, SIZE_T size)
{
    ok_status("4.5", answer(c->server, c->listening, RELEASE, to, data, size), STATUS_SUCCESS);
}

/* the connection is as good as new and nothing is left in it */
static void check_clean(struct connected *c)
{
    PORT_MESSAGE request;

    expect_nothing(c->server, c->listening, "4.4");
    expect_nothing(c->client, c->port, "4.4");
    begin_request(c->client, c->port, "ping", 4);
    request = receive_request(c, "ping", 4);
    reply(c, &request, "pong", 4);
    ok_status("4.4", end(c->client), STATUS_SUCCESS);
    check_received(c->client, "4.4", LPC_REPLY, "pong", 4);
}

/* ---------------------------------------------------------------------------------------------- what is selected */

/* the server's listening port and the client's port, or the client's port and the server's communication port */
struct way
{
    struct agent *from, *to;
    HANDLE sends, receives;
};

static struct way way_of(const struct connected *c, BOOL back)
{
    return back ? (struct way){ c->server, c->client, c->comm, c->port }
                : (struct way){ c->client, c->server, c->port, c->listening };
}

/* a new message only: request or datagram */
static void test_send(struct agent *server, struct agent *client)
{
    struct connected c;
    unsigned int back;

    open_connection(&c, server, client);
    for (back = 0; back < 2; back++)
    {
        struct way way = way_of(&c, (BOOL)back);
        const PORT_MESSAGE *header = &way.to->call->receive.header;
        struct call *call = way.from->call;
        ULONG id;

        winetest_push_context("%s", back ? "to the client" : "to the server");
        ok_status("4.4", send_message(way.from, way.sends, 0, "request", 7), STATUS_SUCCESS);
        id = call->send.header.MessageId;
        ok(id, "[4.5] the sender is not told the MessageId\n");
        ok(!memcmp(call->send.data, "request", 7) && call->send.header.u1.s1.DataLength == 7 &&
               call->send.header.u1.s1.TotalLength == HEADER_SIZE + 7,
           "[4.4] the message that was sent has changed\n");
        expect(way.to, way.receives, "3.6", REQUEST, "request", 7);
        ok(header->MessageId == id, "[4.5] MessageId %#lx instead of %#lx\n", header->MessageId, id);
        ok(header->CallbackId, "[4.5] CallbackId 0\n");
        ok((ULONG_PTR)header->ClientId.UniqueProcess == way.from->pid &&
               (ULONG_PTR)header->ClientId.UniqueThread == way.from->tid,
           "[4.4] ClientId %p, %p\n", header->ClientId.UniqueProcess, header->ClientId.UniqueThread);

        ok_status("4.4", send_message(way.from, way.sends, DATAGRAM, "datagram", 8), STATUS_SUCCESS);
        expect(way.to, way.receives, "3.6", LPC_DATAGRAM, "datagram", 8);
        ok(header->MessageId, "[4.4] MessageId 0\n");
        ok((ULONG_PTR)header->ClientId.UniqueProcess == way.from->pid &&
               (ULONG_PTR)header->ClientId.UniqueThread == way.from->tid,
           "[4.4] ClientId %p, %p\n", header->ClientId.UniqueProcess, header->ClientId.UniqueThread);
        winetest_pop_context();
    }
    /* all in the order of sending [4.7] */
    for (back = 0; back < 2; back++)
    {
        struct way way = way_of(&c, (BOOL)back);
        BYTE number;

        for (number = 0; number < 50; number++)
            ok_status("4.4", send_message(way.from, way.sends, number % 3 ? 0 : DATAGRAM, &number, 1), STATUS_SUCCESS);
        for (number = 0; number < 50; number++)
            expect(way.to, way.receives, "4.7", number % 3 ? REQUEST : LPC_DATAGRAM, &number, 1);
    }
    check_clean(&c);
    close_connection(&c);
}

/* which port a message may be sent through and where it arrives [4.1] */
static void test_ports(struct agent *server, struct agent *client)
{
    struct connected c;
    struct call *call;
    PORT_MESSAGE request;

    open_connection(&c, server, client);
    /* a connection port does not tell whom a new message is for */
    ok_status("4.1", send_message(server, c.listening, 0, "x", 1), STATUS_LPC_INVALID_CONNECTION_USAGE);
    ok_status("4.1", send_message(server, c.listening, DATAGRAM, "x", 1), STATUS_LPC_INVALID_CONNECTION_USAGE);
    call = prepare_timed(server, c.listening, SYNC, 0);
    set_message(call, "x", 1);
    ok_status("4.1", exchange(server), STATUS_LPC_INVALID_CONNECTION_USAGE);
    /* the answer to what was sent through the communication port comes to the connection port (and see commport.c) */
    ok_status("4.4", send_message(server, c.comm, 0, "async", 5), STATUS_SUCCESS);
    expect(client, c.port, "4.4", REQUEST, "async", 5);
    request = client->call->receive.header;
    ok_status("4.5", answer(client, c.port, RELEASE, &request, "answer", 6), STATUS_SUCCESS);
    expect(server, c.listening, "4.5", LPC_REPLY, "answer", 6);
    ok(server->call->receive.header.MessageId == request.MessageId, "[4.5] MessageId %#lx\n",
       server->call->receive.header.MessageId);
    check_clean(&c);
    close_connection(&c);
}

/* a message that is there already, and one that has to be waited for */
static void test_receive(struct agent *server, struct agent *client)
{
    /* the low word means nothing, and of the rest some bits; waiting alertably is the same as long as there is no APC
     */
    static const ULONG flags[] = { 0,
                                   1,
                                   2,
                                   4,
                                   0x8000,
                                   0xffff,
                                   ALPC_MSGFLG_TRACK_PORT_REFERENCES,
                                   ALPC_MSGFLG_WAIT_USER_MODE,
                                   ALPC_MSGFLG_WAIT_ALERTABLE,
                                   0x400000 };
    struct connected c;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(flags); i++)
    {
        winetest_push_context("flags %#lx", flags[i]);
        prepare_timed(server, c.listening, flags[i], 0);
        ok_status("4.4", exchange(server), STATUS_TIMEOUT);
        ok(untouched(server->call) && server->call->length == sizeof(server->call->receive),
           "[4.4] something was written\n");
        ok_status("4.4", send_message(client, c.port, DATAGRAM, "there", 5), STATUS_SUCCESS);
        prepare_exchange(server, c.listening, flags[i]);
        ok_status("4.4", exchange(server), STATUS_SUCCESS);
        check_received(server, "4.4", LPC_DATAGRAM, "there", 5);
        prepare_exchange(server, c.listening, flags[i]);
        begin(server, call_exchange);
        ok(!finished(server, 20), "[4.4] nothing to receive, yet the call has ended\n");
        /* the same bits are as harmless to a sender */
        ok_status("3.3", send_message(client, c.port, DATAGRAM | flags[i], "awaited", 7), STATUS_SUCCESS);
        ok_status("4.4", end(server), STATUS_SUCCESS);
        check_received(server, "4.4", LPC_DATAGRAM, "awaited", 7);
        ok_status("3.3", send_message(client, c.port, flags[i], "request", 7), STATUS_SUCCESS);
        expect(server, c.listening, "4.4", REQUEST, "request", 7);
        winetest_pop_context();
    }
    check_clean(&c);
    close_connection(&c);
}

/* send and receive without SYNC: the next message of the queue, whatever it is */
static void test_both(struct agent *server, struct agent *client)
{
    struct connected c;
    struct call *call;
    PORT_MESSAGE request;

    open_connection(&c, server, client);
    /* what waits already comes first */
    ok_status("4.4", send_message(server, c.comm, DATAGRAM, "news", 4), STATUS_SUCCESS);
    call = prepare_exchange(client, c.port, 0);
    set_message(call, "request", 7);
    ok_status("4.4", exchange(client), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_DATAGRAM, "news", 4);
    request = receive_request(&c, "request", 7);
    reply(&c, &request, "reply", 5);
    expect(client, c.port, "4.5", LPC_REPLY, "reply", 5);
    /* as a request with its reply */
    call = prepare_exchange(client, c.port, 0);
    set_message(call, "request", 7);
    begin(client, call_exchange);
    request = receive_request(&c, "request", 7);
    ok(!finished(client, 20), "[4.4] nothing to receive, yet the call has ended\n");
    reply(&c, &request, "reply", 5);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_REPLY, "reply", 5);
    /* a datagram, then whatever comes */
    call = prepare_exchange(client, c.port, DATAGRAM);
    set_message(call, "datagram", 8);
    begin(client, call_exchange);
    expect(server, c.listening, "4.4", LPC_DATAGRAM, "datagram", 8);
    ok(!finished(client, 20), "[4.4] nothing to receive, yet the call has ended\n");
    ok_status("4.4", send_message(server, c.comm, DATAGRAM, "news", 4), STATUS_SUCCESS);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_DATAGRAM, "news", 4);
    /* a timeout is one of the receive: the message is on its way */
    call = prepare_timed(client, c.port, 0, 0);
    set_message(call, "sent", 4);
    ok_status("4.4", exchange(client), STATUS_TIMEOUT);
    request = receive_request(&c, "sent", 4);
    reply(&c, &request, "reply", 5);
    expect(client, c.port, "4.5", LPC_REPLY, "reply", 5);
    check_clean(&c);
    close_connection(&c);
}

/* a server that answers one client and receives from the next with one call, and no other */
static void test_server_loop(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    struct connected c[2];
    struct call *call;
    unsigned int round;

    open_connection(&c[0], server, client);
    open_another(&c[1], &c[0], second, PORT_CONTEXT);
    begin_receive(server, c[0].listening);
    for (round = 0; round < 20; round++)
    {
        struct connected *from = &c[round % 2];
        PORT_MESSAGE request;

        begin_request(from->client, from->port, &round, sizeof(round));
        ok_status("4.4", end(server), STATUS_SUCCESS);
        check_received(server, "4.4", REQUEST, &round, sizeof(round));
        request = server->call->receive.header;
        call = prepare_exchange(server, c[0].listening, RELEASE);
        set_answer(call, &request, &request.MessageId, 4);
        begin(server, call_exchange);
        ok_status("4.4", end(from->client), STATUS_SUCCESS);
        check_received(from->client, "4.4", LPC_REPLY, &request.MessageId, 4);
    }
    ok_status("4.4", send_message(client, c[0].port, DATAGRAM, NULL, 0), STATUS_SUCCESS);
    ok_status("4.4", end(server), STATUS_SUCCESS);
    check_clean(&c[0]);
    close_connection(&c[1]);
    close_connection(&c[0]);
    agent_stop(second);
}

/* a synchronous request gets its reply and nothing else, and nobody else gets it */
static void test_sync(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    struct connected c;
    PORT_MESSAGE first, other;

    open_connection(&c, server, client);
    ok_status("4.4", send_message(client, c.port, 0, "async", 5), STATUS_SUCCESS);
    other = receive_request(&c, "async", 5);
    ok_status("4.4", send_message(server, c.comm, DATAGRAM, "early", 5), STATUS_SUCCESS);
    begin_request(client, c.port, "sync", 4);
    first = receive_request(&c, "sync", 4);
    ok((ULONG_PTR)first.ClientId.UniqueProcess == client->pid && (ULONG_PTR)first.ClientId.UniqueThread == client->tid,
       "[4.4] ClientId %p, %p\n", first.ClientId.UniqueProcess, first.ClientId.UniqueThread);
    ok_status("4.4", send_message(server, c.comm, 0, "late", 4), STATUS_SUCCESS);
    reply(&c, &other, "reply", 5);
    ok(!finished(client, 20), "[4.4] a synchronous request has received what is not its reply\n");
    /* another thread that receives meanwhile does not see the reply either */
    expect(second, c.port, "4.4", LPC_DATAGRAM, "early", 5);
    begin_receive(second, c.port);
    ok_status("4.4", end(second), STATUS_SUCCESS);
    check_received(second, "4.4", REQUEST, "late", 4);
    expect(second, c.port, "4.4", LPC_REPLY, "reply", 5);
    begin_receive(second, c.port);
    reply(&c, &first, "own", 3);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_REPLY, "own", 3);
    ok(client->call->receive.header.MessageId == first.MessageId, "[4.5] MessageId %#lx instead of %#lx\n",
       client->call->receive.header.MessageId, first.MessageId);
    ok(!finished(second, 20), "[4.4] the reply was received twice\n");
    ok_status("4.4", send_message(server, c.comm, DATAGRAM, "end", 3), STATUS_SUCCESS);
    ok_status("4.4", end(second), STATUS_SUCCESS);
    /* two threads at once, answered in the other order */
    begin_request(client, c.port, "1", 1);
    first = receive_request(&c, "1", 1);
    begin_request(second, c.port, "2", 1);
    other = receive_request(&c, "2", 1);
    ok((ULONG_PTR)other.ClientId.UniqueThread == second->tid, "[4.4] ClientId %p\n", other.ClientId.UniqueThread);
    reply(&c, &other, "two", 3);
    ok_status("4.4", end(second), STATUS_SUCCESS);
    check_received(second, "4.4", LPC_REPLY, "two", 3);
    ok(!finished(client, 20), "[4.4] a synchronous request has received what is not its reply\n");
    reply(&c, &first, "one", 3);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_REPLY, "one", 3);
    check_clean(&c);
    close_connection(&c);
    agent_stop(second);
}

/* the server asks the client, while the client may itself be asking */
static void test_sync_from_server(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(server);
    struct connected c;
    PORT_MESSAGE request, other;

    open_connection(&c, server, client);
    begin_request(server, c.comm, "question", 8);
    expect(client, c.port, "4.4", REQUEST, "question", 8);
    request = client->call->receive.header;
    begin_request(client, c.port, "counter-question", 16);
    expect(second, c.listening, "4.4", REQUEST, "counter-question", 16);
    other = second->call->receive.header;
    ok_status("4.5", answer(second, c.listening, RELEASE, &other, "counter-answer", 14), STATUS_SUCCESS);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_REPLY, "counter-answer", 14);
    ok(!finished(server, 20), "[4.4] a synchronous request has received what is not its reply\n");
    ok_status("4.5", answer(client, c.port, RELEASE, &request, "answer", 6), STATUS_SUCCESS);
    ok_status("4.4", end(server), STATUS_SUCCESS);
    check_received(server, "4.4", LPC_REPLY, "answer", 6);
    ok((ULONG_PTR)server->call->receive.header.ClientId.UniqueProcess == client->pid &&
           (ULONG_PTR)server->call->receive.header.ClientId.UniqueThread == client->tid,
       "[7.5] ClientId %p, %p\n", server->call->receive.header.ClientId.UniqueProcess,
       server->call->receive.header.ClientId.UniqueThread);
    check_clean(&c);
    close_connection(&c);
    agent_stop(second);
}

/* ---------------------------------------------------------------------------------------------- what is refused */

/* of send buffer, receive buffer, flags: what makes no sense, and nothing happens then */
static void test_combinations(struct agent *server, struct agent *client)
{
    static const struct
    {
        BOOL sends, receives, has_length;
        ULONG flags;
        NTSTATUS status;
    } tests[] = {
        { TRUE, FALSE, FALSE, SYNC, STATUS_LPC_RECEIVE_BUFFER_EXPECTED },
        { TRUE, FALSE, TRUE, SYNC, STATUS_LPC_RECEIVE_BUFFER_EXPECTED },
        { FALSE, TRUE, TRUE, SYNC, STATUS_INVALID_PARAMETER_2 },
        { FALSE, FALSE, FALSE, SYNC, STATUS_INVALID_PARAMETER_2 },
        { FALSE, TRUE, TRUE, SYNC | RELEASE, STATUS_INVALID_PARAMETER_2 },
        { TRUE, TRUE, TRUE, SYNC | RELEASE, STATUS_INVALID_PARAMETER_2 },
        { TRUE, TRUE, TRUE, SYNC | RELEASE | 1, STATUS_INVALID_PARAMETER_2 },
        { TRUE, TRUE, TRUE, SYNC | 0x1000000, STATUS_INVALID_PARAMETER },
        { TRUE, FALSE, FALSE, 0x1000000, STATUS_INVALID_PARAMETER },
        { TRUE, FALSE, FALSE, DATAGRAM | 0x1000000, STATUS_INVALID_PARAMETER },
        { TRUE, TRUE, TRUE, 0x1000000, STATUS_INVALID_PARAMETER },
        { FALSE, FALSE, FALSE, 0, STATUS_SUCCESS },
        { FALSE, FALSE, TRUE, 0, STATUS_SUCCESS },
        { FALSE, FALSE, FALSE, RELEASE, STATUS_SUCCESS },
    };
    struct connected c;
    unsigned int i;

    open_connection(&c, server, client);
    ok_status("4.4", send_message(server, c.comm, DATAGRAM, "news", 4), STATUS_SUCCESS);
    for (i = 0; i < ARRAY_SIZE(tests); i++)
    {
        struct call *call = prepare_timed(client, c.port, tests[i].flags, 0);

        if (tests[i].sends)
            set_message(call, "nonsense", 8);
        call->receives = tests[i].receives;
        call->has_length = tests[i].has_length;
        ok_(__FILE__, __LINE__)(exchange(client) == tests[i].status, "[4.4] %u: status %#lx instead of %#lx\n", i,
                                call->status, tests[i].status);
        ok(untouched(call), "[4.4] %u: something was received\n", i);
        ok(call->length == sizeof(call->receive), "[4.4] %u: BufferLength %#Ix\n", i, call->length);
        expect_nothing(server, c.listening, "4.4");
    }
    expect(client, c.port, "4.4", LPC_DATAGRAM, "news", 4);
    check_clean(&c);
    close_connection(&c);
}

/* a header may hold anything but wrong lengths and ids */
static void test_header(struct agent *server, struct agent *client)
{
    static const USHORT types[] = { LPC_REQUEST,
                                    LPC_REPLY,
                                    LPC_DATAGRAM,
                                    LPC_LOST_REPLY,
                                    LPC_PORT_CLOSED,
                                    LPC_CLIENT_DIED,
                                    LPC_EXCEPTION,
                                    LPC_CONNECTION_REQUEST,
                                    LPC_CONNECTION_REPLY,
                                    LPC_CANCELED,
                                    13,
                                    0xff,
                                    0x1001,
                                    0x2003,
                                    0x4001,
                                    0x8001,
                                    0xffff };
    struct connected c;
    unsigned int i, k;

    open_connection(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(types); i++)
        for (k = 0; k < 2; k++)
        {
            struct call *call = prepare(client);
            const PORT_MESSAGE *header = &server->call->receive.header;

            winetest_push_context("type %#x", types[i]);
            call->port = c.port;
            call->flags = k ? DATAGRAM : 0;
            set_message(call, "header", 6);
            call->send.header.u2.s2.Type = (SHORT)types[i];
            call->send.header.ClientId.UniqueProcess = (HANDLE)4;
            call->send.header.ClientId.UniqueThread = (HANDLE)8;
            ok_status("3.6", exchange(client), STATUS_SUCCESS);
            expect(server, c.listening, "3.6", k ? LPC_DATAGRAM : REQUEST, "header", 6);
            ok((ULONG_PTR)header->ClientId.UniqueProcess == client->pid &&
                   (ULONG_PTR)header->ClientId.UniqueThread == client->tid,
               "[4.4] ClientId %p, %p\n", header->ClientId.UniqueProcess, header->ClientId.UniqueThread);
            winetest_pop_context();
        }
    check_clean(&c);
    close_connection(&c);
}

static void test_lengths(struct agent *server, struct agent *client)
{
    static const struct
    {
        USHORT data, total;
        NTSTATUS status;
    } tests[] = {
        { 0, 0, STATUS_INVALID_PARAMETER },
        { 0, 1, STATUS_INVALID_PARAMETER },
        { 0, HEADER_SIZE - 1, STATUS_INVALID_PARAMETER },
        { 0, 0x18, STATUS_INVALID_PARAMETER }, /* a 32-bit header */
        { 8, 8, STATUS_INVALID_PARAMETER },
        { 1, HEADER_SIZE, STATUS_INVALID_PARAMETER },
        { 0xffff, HEADER_SIZE, STATUS_INVALID_PARAMETER },
        { 17, HEADER_SIZE + 16, STATUS_INVALID_PARAMETER },
        { HEADER_SIZE + 16, HEADER_SIZE + 16, STATUS_INVALID_PARAMETER },
        { MAX_DATA + 1, 0xffff, STATUS_INVALID_PARAMETER },
        { 0xffff, 0xffff, STATUS_INVALID_PARAMETER },
        { 0x8000, 0x8000, STATUS_INVALID_PARAMETER },
        { 0, HEADER_SIZE, STATUS_SUCCESS },
        { 1, HEADER_SIZE + 1, STATUS_SUCCESS },
        /* what is behind the data goes along */
        { 0, HEADER_SIZE + 16, STATUS_SUCCESS },
        { 15, HEADER_SIZE + 16, STATUS_SUCCESS },
        { 16, HEADER_SIZE + 16, STATUS_SUCCESS },
        { 0, 0xffff, STATUS_SUCCESS },
    };
    static const ULONG flags[] = { 0, DATAGRAM, SYNC };
    struct connected c;
    unsigned int i, k;

    open_connection(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(tests); i++)
        for (k = 0; k < ARRAY_SIZE(flags); k++)
        {
            struct call *call = prepare_exchange(client, c.port, flags[k]);
            const PORT_MESSAGE *header = &server->call->receive.header;

            if (!tests[i].status && flags[k] == SYNC)
                continue;
            winetest_push_context("%#x, %#x, flags %#lx", tests[i].data, tests[i].total, flags[k]);
            set_message(call, "sixteen bytes ..", 16);
            call->receives = flags[k] == SYNC;
            call->send.header.u1.s1.DataLength = (SHORT)tests[i].data;
            call->send.header.u1.s1.TotalLength = (SHORT)tests[i].total;
            ok_status("3.9", exchange(client), tests[i].status);
            if (tests[i].status)
                expect_nothing(server, c.listening, "3.9");
            else if (!receive(server, c.listening))
            {
                ok((USHORT)header->u1.s1.DataLength == tests[i].data &&
                       (USHORT)header->u1.s1.TotalLength == tests[i].total,
                   "[3.9] lengths %#x, %#x\n", (USHORT)header->u1.s1.DataLength, (USHORT)header->u1.s1.TotalLength);
                ok(!memcmp(server->call->receive.data, call->send.data, tests[i].data), "[3.9] other data\n");
            }
            else
                ok(FALSE, "[3.9] status %#lx\n", server->call->status);
            winetest_pop_context();
        }
    check_clean(&c);
    close_connection(&c);
}

/* an answer has to have right lengths too; with wrong ones the message can still be answered */
static void test_answer_lengths(struct agent *server, struct agent *client)
{
    static const USHORT wrong[][2] = { { 0, 0 }, { 1, HEADER_SIZE }, { 0, HEADER_SIZE - 1 }, { 0xffff, 0xffff } };
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i;

    open_connection(&c, server, client);
    begin_request(client, c.port, "request", 7);
    request = receive_request(&c, "request", 7);
    for (i = 0; i < ARRAY_SIZE(wrong); i++)
    {
        struct call *call = prepare(server);

        call->port = c.listening;
        call->flags = RELEASE;
        set_answer(call, &request, NULL, 0);
        call->send.header.u1.s1.DataLength = (SHORT)wrong[i][0];
        call->send.header.u1.s1.TotalLength = (SHORT)wrong[i][1];
        ok_status("3.9", exchange(server), STATUS_INVALID_PARAMETER);
    }
    ok(!finished(client, 20), "[3.9] something was delivered\n");
    reply(&c, &request, "reply", 5);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_REPLY, "reply", 5);
    check_clean(&c);
    close_connection(&c);
}

/* calls NtAlpcSendWaitReceivePort with one kind of handle */
enum handle_kind
{
    HANDLE_NULL,
    HANDLE_ODD,
    HANDLE_UNUSED,
    HANDLE_CLOSED,
    HANDLE_EVENT,
    HANDLE_FILE,
};

static void call_exchange_on(struct call *call)
{
    HANDLE handle = NULL, event = CreateEventW(NULL, FALSE, FALSE, NULL);

    switch (call->value)
    {
    case HANDLE_ODD:
        handle = (HANDLE)(ULONG_PTR)0x12345;
        break;
    case HANDLE_UNUSED:
        handle = (HANDLE)(ULONG_PTR)0x3ffff0;
        break;
    case HANDLE_CLOSED:
        handle = CreateEventW(NULL, FALSE, FALSE, NULL);
        CloseHandle(handle);
        break;
    case HANDLE_EVENT:
        handle = event;
        break;
    case HANDLE_FILE:
        handle = CreateFileW(L"NUL", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
        break;
    }
    call->port = handle;
    call_exchange(call);
    if (call->value == HANDLE_FILE)
        CloseHandle(handle);
    CloseHandle(event);
}

static void test_handles(struct agent *server, struct agent *client)
{
    static const NTSTATUS expected[] = {
        [HANDLE_NULL] = STATUS_INVALID_HANDLE,        [HANDLE_ODD] = STATUS_INVALID_HANDLE,
        [HANDLE_UNUSED] = STATUS_INVALID_HANDLE,      [HANDLE_CLOSED] = STATUS_INVALID_HANDLE,
        [HANDLE_EVENT] = STATUS_OBJECT_TYPE_MISMATCH, [HANDLE_FILE] = STATUS_OBJECT_TYPE_MISMATCH,
    };
    struct connected c;
    HANDLE copy;
    ULONG kind, sends;

    open_connection(&c, server, client);
    for (kind = 0; kind < ARRAY_SIZE(expected); kind++)
        for (sends = 0; sends < 3; sends++)
        {
            struct call *call = prepare_timed(client, NULL, sends == 2 ? SYNC : 0, 0);

            winetest_push_context("handle %lu, %lu", kind, sends);
            call->value = kind;
            if (sends)
                set_message(call, "x", 1);
            call->receives = sends != 1;
            ok_status("1.2", perform(client, call_exchange_on), expected[kind]);
            ok(untouched(call), "[1.2] something was received\n");
            winetest_pop_context();
        }
    /* a second handle is as good as the first, also when that one has gone [4.1] */
    ok(DuplicateHandle(agent_process_handle(client), c.port, agent_process_handle(client), &copy, 0, FALSE,
                       DUPLICATE_SAME_ACCESS),
       "[4.1] cannot duplicate the port: %lu\n", GetLastError());
    ok_status("4.1", send_message(client, copy, DATAGRAM, "copy", 4), STATUS_SUCCESS);
    expect(server, c.listening, "4.1", LPC_DATAGRAM, "copy", 4);
    close_handle(client, c.port);
    c.port = copy;
    check_clean(&c);
    close_connection(&c);
}

/* calls with memory that cannot be read or written */
enum bad_argument
{
    BAD_SEND,
    BAD_SEND_DATA,
    BAD_SEND_ATTRIBUTES,
    BAD_SYNC_SEND,
    BAD_RECEIVE,
    READ_ONLY_RECEIVE,
    BAD_RECEIVE_DATA,
    BAD_LENGTH,
    READ_ONLY_LENGTH,
    BAD_RECEIVE_ATTRIBUTES,
    READ_ONLY_RECEIVE_ATTRIBUTES,
    BAD_TIMEOUT,
    BAD_SYNC_RECEIVE,
    BAD_ARGUMENTS
};

#define PAGE 0x1000

/* the pages: read and write, read, none */
static void call_with_bad(struct call *call)
{
    BYTE *pages = VirtualAlloc(NULL, 3 * PAGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE), *none = pages + 2 * PAGE;
    BYTE *read_only = pages + PAGE, *at_edge = pages + PAGE - HEADER_SIZE - 4;
    ALPC_MESSAGE_ATTRIBUTES *attributes = (ALPC_MESSAGE_ATTRIBUTES *)read_only;
    PORT_MESSAGE *message = (PORT_MESSAGE *)(none - HEADER_SIZE - 4);
    LARGE_INTEGER poll = { .QuadPart = 0 };
    void *no_header = none, *send = NULL, *send_attributes = NULL, *receive = NULL, *receive_attributes = NULL;
    SIZE_T length = sizeof(call->receive), *buffer_length = NULL;
    LARGE_INTEGER *timeout = &poll;
    ULONG flags = 0;
    DWORD old;

    /* a message whose fifth byte is not there, and an attribute buffer that is only to be read */
    message->u1.s1.DataLength = 8;
    message->u1.s1.TotalLength = HEADER_SIZE + 8;
    attributes->AllocatedAttributes = ALPC_MESSAGE_CONTEXT_ATTRIBUTE;
    VirtualProtect(read_only, PAGE, PAGE_READONLY, &old);
    VirtualProtect(none, PAGE, PAGE_NOACCESS, &old);
    if (call->value >= BAD_RECEIVE)
    {
        receive = &call->receive;
        buffer_length = &length;
    }
    switch (call->value)
    {
    case BAD_SEND:
        send = no_header;
        break;
    case BAD_SEND_DATA:
        send = message;
        break;
    case BAD_SEND_ATTRIBUTES:
        send = &call->send;
        send_attributes = none;
        break;
    case BAD_SYNC_SEND:
        flags = SYNC;
        send = message;
        receive = &call->receive;
        buffer_length = &length;
        break;
    case BAD_RECEIVE:
        receive = none;
        break;
    case READ_ONLY_RECEIVE:
        receive = read_only;
        length = PAGE;
        break;
    case BAD_RECEIVE_DATA:
        receive = at_edge;
        length = HEADER_SIZE + 8;
        break;
    case BAD_LENGTH:
        buffer_length = (SIZE_T *)none;
        break;
    case READ_ONLY_LENGTH:
        buffer_length = (SIZE_T *)(read_only + 0x100);
        break;
    case BAD_RECEIVE_ATTRIBUTES:
        receive_attributes = none;
        break;
    case READ_ONLY_RECEIVE_ATTRIBUTES:
        receive_attributes = attributes;
        break;
    case BAD_TIMEOUT:
        timeout = (LARGE_INTEGER *)none;
        break;
    case BAD_SYNC_RECEIVE:
        flags = SYNC;
        send = &call->send;
        receive = none;
        break;
    }
    call->status = NtAlpcSendWaitReceivePort(call->port, flags, send, send_attributes, receive, buffer_length,
                                             receive_attributes, timeout);
    VirtualFree(pages, 0, MEM_RELEASE);
}

/* a status, no exception; nothing is sent, and nothing that waits to be received is lost */
static void test_bad_memory(struct agent *server, struct agent *client)
{
    struct connected c;
    ULONG argument;

    open_connection(&c, server, client);
    for (argument = 0; argument < BAD_ARGUMENTS; argument++)
    {
        struct call *call;

        winetest_push_context("argument %lu", argument);
        ok_status("4.4", send_message(server, c.comm, DATAGRAM, "12345678", 8), STATUS_SUCCESS);
        call = prepare(client);
        call->port = c.port;
        call->value = argument;
        set_message(call, "message", 7);
        ok_status("1.2", perform(client, call_with_bad), STATUS_ACCESS_VIOLATION);
        expect_nothing(server, c.listening, "1.2");
        expect(client, c.port, "1.2", LPC_DATAGRAM, "12345678", 8);
        winetest_pop_context();
    }
    check_clean(&c);
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- sizes */

static void fill(BYTE *data, SIZE_T size)
{
    SIZE_T i;

    for (i = 0; i < size; i++)
        data[i] = (BYTE)(size * 13 + i * 7 + (i >> 8));
}

/* the short ones, the long ones and some between */
static SIZE_T next_size(SIZE_T size)
{
    SIZE_T step = size < 0x210 || size >= MAX_DATA - 0x30 ? 1 : 53;

    return size + step > MAX_DATA - 0x30 && size < MAX_DATA - 0x30 ? MAX_DATA - 0x30 : size + step;
}

/* sends a synchronous request of each size; .count tells how many went wrong, .value the size of the first */
static void call_send_sizes(struct call *call)
{
    static struct big_message sent, received;
    SIZE_T size, i;

    call->status = STATUS_SUCCESS;
    call->count = 0;
    for (size = 0; size <= MAX_DATA && !call->status; size = next_size(size))
    {
        SIZE_T length = HEADER_SIZE + size;
        BOOL wrong;

        memset(&sent.header, 0, sizeof(sent.header));
        sent.header.u1.s1.DataLength = (SHORT)size;
        sent.header.u1.s1.TotalLength = (SHORT)(HEADER_SIZE + size);
        fill(sent.data, size);
        memset(&received, 0xcc, sizeof(received));
        call->status =
            NtAlpcSendWaitReceivePort(call->port, SYNC, &sent.header, NULL, &received.header, &length, NULL, NULL);
        wrong = call->status || (USHORT)received.header.u1.s1.DataLength != size ||
                (USHORT)received.header.u1.s1.TotalLength != HEADER_SIZE + size || length != HEADER_SIZE + size;
        /* each byte was inverted, and none behind the end written */
        for (i = 0; i < size; i++)
            wrong |= (received.data[i] ^ sent.data[i]) != 0xff;
        for (; i < size + 16 && i < MAX_DATA; i++)
            wrong |= received.data[i] != 0xcc;
        if (wrong && !call->count++)
            call->value = (ULONG)size;
    }
}

/* answers until the port is closed */
static void call_echo(struct call *call)
{
    static struct big_message message;
    PORT_MESSAGE *answer = NULL;
    SIZE_T length = sizeof(message), i;

    while (!(call->status = NtAlpcSendWaitReceivePort(call->port, answer ? RELEASE : 0, answer, NULL, &message.header,
                                                      &length, NULL, NULL)) &&
           (USHORT)message.header.u2.s2.Type == REQUEST)
    {
        answer = &message.header;
        for (i = 0; i < (USHORT)message.header.u1.s1.DataLength; i++)
            message.data[i] ^= 0xff;
    }
}

static void test_sizes(struct agent *server, struct agent *client)
{
    struct connected c;
    struct call *call;

    open_connection(&c, server, client);
    prepare(server)->port = c.listening;
    begin(server, call_echo);
    call = prepare(client);
    call->port = c.port;
    ok_status("3.9", perform(client, call_send_sizes), STATUS_SUCCESS);
    ok(!call->count, "[3.9] %lu sizes went wrong, first %#lx\n", call->count, call->value);
    ok_status("4.4", send_message(client, c.port, DATAGRAM, "end", 3), STATUS_SUCCESS);
    ok_status("4.4", end(server), STATUS_SUCCESS);
    check_clean(&c);
    close_connection(&c);
}

/* a message that does not fit stays, in its place, and tells how much it needs */
static void test_small_buffer(struct agent *server, struct agent *client)
{
    static const SIZE_T sizes[] = { 0, 1, 100, 128, 129, 4096, MAX_DATA };
    static BYTE data[MAX_DATA];
    struct connected c;
    struct call *call;
    unsigned int i, k, back;

    open_connection(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
        for (back = 0; back < 2; back++)
        {
            struct way way = way_of(&c, (BOOL)back);
            const SIZE_T total = HEADER_SIZE + sizes[i], capacities[] = { 0, 1, HEADER_SIZE - 1, total - 1 };

            winetest_push_context("%#Ix bytes %s", sizes[i], back ? "to the client" : "to the server");
            fill(data, sizes[i]);
            ok_status("4.4", send_message(way.from, way.sends, i % 2 ? 0 : DATAGRAM, data, sizes[i]), STATUS_SUCCESS);
            ok_status("4.4", send_message(way.from, way.sends, DATAGRAM, "next", 4), STATUS_SUCCESS);
            for (k = 0; k < ARRAY_SIZE(capacities); k++)
            {
                call = prepare_timed(way.to, way.receives, 0, 0);
                call->length = capacities[k];
                ok_status("4.4", exchange(way.to), STATUS_BUFFER_TOO_SMALL);
                ok(call->length == total, "[4.4] BufferLength %#Ix instead of %#Ix\n", call->length, total);
                ok(untouched(call), "[4.4] the buffer was written to\n");
            }
            /* just enough: *BufferLength is left alone here, as it is with too much */
            call = prepare_timed(way.to, way.receives, 0, 0);
            call->length = total;
            ok_status("4.4", exchange(way.to), STATUS_SUCCESS);
            check_received(way.to, "4.4", i % 2 ? REQUEST : LPC_DATAGRAM, data, sizes[i]);
            ok(call->length == total, "[4.4] BufferLength %#Ix\n", call->length);
            call = prepare_timed(way.to, way.receives, 0, 0);
            ok_status("4.4", exchange(way.to), STATUS_SUCCESS);
            check_received(way.to, "4.4", LPC_DATAGRAM, "next", 4);
            ok(call->length == sizeof(call->receive), "[4.4] BufferLength %#Ix\n", call->length);
            winetest_pop_context();
        }
    /* nothing to receive, nothing to say about the length */
    call = prepare_timed(server, c.listening, 0, 0);
    call->length = 3;
    ok_status("4.4", exchange(server), STATUS_TIMEOUT);
    ok(call->length == 3, "[4.4] BufferLength %#Ix\n", call->length);
    /* a thread that waits already is told in the same way */
    call = prepare_exchange(server, c.listening, 0);
    call->length = HEADER_SIZE;
    begin(server, call_exchange);
    ok(!finished(server, 20), "[4.4] nothing to receive, yet the call has ended\n");
    ok_status("4.4", send_message(client, c.port, DATAGRAM, "12345678", 8), STATUS_SUCCESS);
    ok_status("4.4", end(server), STATUS_BUFFER_TOO_SMALL);
    ok(call->length == HEADER_SIZE + 8, "[4.4] BufferLength %#Ix\n", call->length);
    expect(server, c.listening, "4.4", LPC_DATAGRAM, "12345678", 8);
    check_clean(&c);
    close_connection(&c);
}

/* a reply that does not fit: the request has ended, the reply can be received */
static void test_small_reply_buffer(struct agent *server, struct agent *client)
{
    static const SIZE_T capacities[] = { 0, HEADER_SIZE - 1, HEADER_SIZE, HEADER_SIZE + 7, HEADER_SIZE + 8 };
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(capacities); i++)
    {
        struct call *call = prepare_exchange(client, c.port, SYNC);
        BOOL fits = capacities[i] >= HEADER_SIZE + 8;

        winetest_push_context("capacity %#Ix", capacities[i]);
        set_message(call, "request", 7);
        call->length = capacities[i];
        begin(client, call_exchange);
        request = receive_request(&c, "request", 7);
        reply(&c, &request, "12345678", 8);
        ok_status("4.4", end(client), fits ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL);
        ok(call->length == HEADER_SIZE + 8, "[4.4, 7.3] BufferLength %#Ix\n", call->length);
        if (fits)
            check_received(client, "4.4", LPC_REPLY, "12345678", 8);
        else
        {
            ok(untouched(call), "[4.4] the buffer was written to\n");
            expect(client, c.port, "4.4", LPC_REPLY, "12345678", 8);
            ok(client->call->receive.header.MessageId == request.MessageId, "[4.5] MessageId %#lx\n",
               client->call->receive.header.MessageId);
        }
        winetest_pop_context();
    }
    check_clean(&c);
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- waiting */

static LONGLONG system_time(void)
{
    FILETIME now;

    GetSystemTimeAsFileTime(&now);
    return (LONGLONG)now.dwHighDateTime << 32 | now.dwLowDateTime;
}

static void test_timeouts(struct agent *server, struct agent *client)
{
    LONGLONG now = system_time();
    /* 0 and times that have passed already only look; the rest waits its time */
    const LONGLONG short_ones[] = { 0, -1,  -10,         MILLISECONDS(1), MILLISECONDS(30),
                                    1, now, now - 10000, now + 300000,    now - 36000000000 };
    const LONGLONG long_ones[] = { MILLISECONDS(HANG * 2), MAXLONGLONG, -MAXLONGLONG - 1, now + HANG * 20000LL };
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i, back;

    open_connection(&c, server, client);
    for (back = 0; back < 2; back++)
    {
        struct way way = way_of(&c, (BOOL)back);

        for (i = 0; i < ARRAY_SIZE(short_ones); i++)
        {
            struct call *call = prepare_timed(way.to, way.receives, 0, short_ones[i]);

            winetest_push_context("timeout %I64d", short_ones[i]);
            ok_status("4.4", exchange(way.to), STATUS_TIMEOUT);
            ok(call->length == sizeof(call->receive) && untouched(call), "[4.4] something was written\n");
            /* what is there is received all the same */
            ok_status("4.4", send_message(way.from, way.sends, DATAGRAM, "there", 5), STATUS_SUCCESS);
            prepare_timed(way.to, way.receives, 0, short_ones[i]);
            ok_status("4.4", exchange(way.to), STATUS_SUCCESS);
            check_received(way.to, "4.4", LPC_DATAGRAM, "there", 5);
            winetest_pop_context();
        }
        for (i = 0; i < ARRAY_SIZE(long_ones); i++)
        {
            winetest_push_context("timeout %I64d", long_ones[i]);
            prepare_timed(way.to, way.receives, 0, long_ones[i]);
            begin(way.to, call_exchange);
            ok(!finished(way.to, 30), "[4.4] the call does not wait\n");
            ok_status("4.4", send_message(way.from, way.sends, DATAGRAM, "come", 4), STATUS_SUCCESS);
            ok_status("4.4", end(way.to), STATUS_SUCCESS);
            check_received(way.to, "4.4", LPC_DATAGRAM, "come", 4);
            winetest_pop_context();
        }
    }
    for (i = 0; i < ARRAY_SIZE(long_ones); i++)
    {
        struct call *call = prepare_timed(client, c.port, SYNC, long_ones[i]);

        winetest_push_context("sync, timeout %I64d", long_ones[i]);
        set_message(call, "request", 7);
        begin(client, call_exchange);
        request = receive_request(&c, "request", 7);
        ok(!finished(client, 30), "[4.4] the call does not wait\n");
        reply(&c, &request, "reply", 5);
        ok_status("4.4", end(client), STATUS_SUCCESS);
        check_received(client, "4.4", LPC_REPLY, "reply", 5);
        winetest_pop_context();
    }
    check_clean(&c);
    close_connection(&c);
}

/* a synchronous request that is given up: before the server has received it, and after */
static void test_sync_timeout(struct agent *server, struct agent *client)
{
    const LONGLONG now = system_time(), timeouts[] = { 0, now - 10000, MILLISECONDS(30), now + 1000000 };
    struct connected c;
    PORT_MESSAGE request;
    struct call *call;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(timeouts); i++)
    {
        winetest_push_context("timeout %I64d", timeouts[i]);
        call = prepare_timed(client, c.port, SYNC, timeouts[i]);
        set_message(call, "unseen", 6);
        ok_status("4.4", exchange(client), STATUS_TIMEOUT);
        ok(call->length == sizeof(call->receive) && untouched(call), "[4.4] something was received\n");
        expect_nothing(server, c.listening, "4.4");
        winetest_pop_context();
    }
    call = prepare_timed(client, c.port, SYNC, MILLISECONDS(300));
    set_message(call, "seen", 4);
    begin(client, call_exchange);
    request = receive_request(&c, "seen", 4);
    ok_status("4.4", end(client), STATUS_TIMEOUT);
    ok_status("4.5", answer(server, c.listening, RELEASE, &request, "late", 4), STATUS_REQUEST_CANCELED);
    expect(server, c.listening, "4.12", LPC_CANCELED, NULL, 0);
    ok(server->call->receive.header.MessageId == request.MessageId, "[4.12] MessageId %#lx\n",
       server->call->receive.header.MessageId);
    ok_status("4.5", answer(server, c.listening, RELEASE, &request, "late", 4), STATUS_REQUEST_CANCELED);
    /* the late reply is not delivered */
    check_clean(&c);
    close_connection(&c);
}

/* the last handle is closed while a thread waits: it comes back at once */
static void test_closed_while_waiting(struct agent *server, struct agent *client)
{
    struct agent *second;
    struct connected c;
    struct call *call;

    open_connection(&c, server, client);
    second = agent_beside(client);
    begin_receive(second, c.port);
    ok(!finished(second, 30), "[4.4] nothing to receive, yet the call has ended\n");
    close_handle(client, c.port);
    ok_status("4.4", end(second), STATUS_PORT_CLOSED);
    c.port = NULL;
    close_connection(&c);

    open_connection(&c, server, client);
    begin_request(second, c.port, "request", 7);
    receive_request(&c, "request", 7);
    close_handle(client, c.port);
    ok_status("4.4", end(second), STATUS_PORT_CLOSED);
    c.port = NULL;
    close_connection(&c);
    agent_stop(second);

    second = agent_beside(server);
    open_connection(&c, server, client);
    call = prepare_exchange(second, c.comm, 0);
    begin(second, call_exchange);
    ok(!finished(second, 30), "[4.4] nothing to receive, yet the call has ended\n");
    close_handle(server, c.comm);
    c.comm = NULL;
    ok_status("4.4", end(second), STATUS_PORT_CLOSED);
    ok(untouched(call), "[4.4] something was received\n");
    begin_receive(second, c.listening);
    ok(!finished(second, 30), "[4.4] nothing to receive, yet the call has ended\n");
    close_handle(server, c.listening);
    c.listening = NULL;
    ok_status("4.4", end(second), STATUS_PORT_CLOSED);
    close_connection(&c);
    agent_stop(second);
}

/* ---------------------------------------------------------------------------------------------- several threads */

#define MANY 4000

/* receives until a datagram without data; .send.data is a map of the numbers that came, .count how many there were */
static void call_collect(struct call *call)
{
    SIZE_T length = sizeof(call->receive);
    ULONG number;

    call->count = 0;
    memset(call->send.data, 0, MANY / 8);
    while (!(call->status =
                 NtAlpcSendWaitReceivePort(call->port, 0, NULL, NULL, &call->receive.header, &length, NULL, NULL)) &&
           call->receive.header.u1.s1.DataLength)
    {
        memcpy(&number, call->receive.data, sizeof(number));
        call->send.data[number % MANY / 8] |= (BYTE)(1 << number % 8);
        call->count++;
    }
}

/* each message goes to one of the receivers */
static void test_several_receivers(struct agent *server, struct agent *client)
{
    struct agent *receivers[3];
    struct connected c;
    struct call *call;
    unsigned int i, back, wrong, received;
    ULONG number;

    open_connection(&c, server, client);
    for (back = 0; back < 2; back++)
    {
        struct way way = way_of(&c, (BOOL)back);

        winetest_push_context("%s", back ? "to the client" : "to the server");
        for (i = 0; i < ARRAY_SIZE(receivers); i++)
            receivers[i] = i ? agent_beside(way.to) : way.to;
        for (i = 0; i < ARRAY_SIZE(receivers); i++)
        {
            prepare(receivers[i])->port = way.receives;
            begin(receivers[i], call_collect);
        }
        call = prepare(way.from);
        call->port = way.sends;
        call->flags = DATAGRAM;
        number = 0;
        set_message(call, &number, sizeof(number));
        call->count = MANY;
        ok_status("4.4", perform(way.from, call_send_many), STATUS_SUCCESS);
        for (i = 0; i < ARRAY_SIZE(receivers); i++)
            ok_status("4.4", send_message(way.from, way.sends, DATAGRAM, NULL, 0), STATUS_SUCCESS);
        for (i = received = 0; i < ARRAY_SIZE(receivers); i++)
        {
            ok_status("4.4", end(receivers[i]), STATUS_SUCCESS);
            received += receivers[i]->call->count;
        }
        ok(received == MANY, "[4.4] %u messages received, %u sent\n", received, MANY);
        for (number = wrong = 0; number < MANY; number++)
        {
            unsigned int times = 0;

            for (i = 0; i < ARRAY_SIZE(receivers); i++)
                times += receivers[i]->call->send.data[number / 8] >> number % 8 & 1;
            wrong += times != 1;
        }
        ok(!wrong, "[4.4] %u messages were not received by exactly one\n", wrong);
        for (i = 1; i < ARRAY_SIZE(receivers); i++)
            agent_stop(receivers[i]);
        winetest_pop_context();
    }
    check_clean(&c);
    close_connection(&c);
}

START_TEST(send_receive)
{
    if (agent_main())
        return;
    RUN(test_send);
    RUN(test_ports);
    RUN(test_receive);
    RUN(test_both);
    RUN(test_server_loop);
    RUN(test_sync);
    RUN(test_sync_from_server);
    RUN(test_combinations);
    RUN(test_header);
    RUN(test_lengths);
    RUN(test_answer_lengths);
    RUN(test_handles);
    RUN(test_bad_memory);
    RUN(test_sizes);
    RUN(test_small_buffer);
    RUN(test_small_reply_buffer);
    RUN(test_timeouts);
    RUN(test_sync_timeout);
    RUN(test_closed_while_waiting);
    RUN(test_several_receivers);
    end_tests();
}
