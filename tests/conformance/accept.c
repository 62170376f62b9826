/*
 * Accepting and refusing [alpc.md 1.3]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Not here: attributes that go with the reply other than the context.
 */

#include "agent.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)

/* what NtAlpcAcceptConnectPort is given */
struct acceptance
{
    ULONG id, callback;
    BOOLEAN accept;
    USHORT data_length, total_length;
};

static NTSTATUS try_accept(struct agent *server, HANDLE port, const struct acceptance *acceptance)
{
    struct call *call = prepare(server);
    NTSTATUS status;

    call->port = port;
    call->send.header.MessageId = acceptance->id;
    call->send.header.CallbackId = acceptance->callback;
    call->send.header.u1.s1.DataLength = (SHORT)acceptance->data_length;
    call->send.header.u1.s1.TotalLength = (SHORT)acceptance->total_length;
    call->accept = acceptance->accept;
    call->port_context = PORT_CONTEXT;
    status = perform(server, call_accept);
    if (status || !acceptance->accept)
        ok(call->handle == UNTOUCHED_HANDLE, "[1.3] handle %p\n", call->handle);
    else
        ok(call->handle && call->handle != UNTOUCHED_HANDLE, "[1.3] handle %p\n", call->handle);
    return status;
}

static NTSTATUS accept_id(struct agent *server, HANDLE port, ULONG id)
{
    const struct acceptance acceptance = { .id = id, .accept = TRUE, .total_length = (USHORT)HEADER_SIZE };

    return try_accept(server, port, &acceptance);
}

/* lets the client begin to connect and receives its request */
static PORT_MESSAGE begin_request_of(struct connected *c)
{
    begin_connect(c->client, c->name, "hello", 5);
    expect(c->server, c->listening, "4.3", LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED, "hello", 5);
    return c->server->call->receive.header;
}

static void end_connected(struct connected *c)
{
    NTSTATUS status = end(c->client);

    ok_status("1.3", status, STATUS_SUCCESS);
    c->port = status ? NULL : c->client->call->handle;
}

/* ---------------------------------------------------------------------------------------------- the header */

/* only the MessageId has to be right; a CallbackId is right or 0 */
static void test_ids(struct agent *server, struct agent *client)
{
    struct acceptance acceptance = { .total_length = (USHORT)HEADER_SIZE, .accept = TRUE };
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i;

    for (i = 0; i < 2; i++)
    {
        winetest_push_context("CallbackId %s", i ? "given" : "0");
        open_port(&c, server, client);
        request = begin_request_of(&c);
        ok(request.CallbackId, "[4.5] CallbackId 0\n");
        acceptance.id = request.MessageId;
        acceptance.callback = request.CallbackId + 1;
        ok_status("4.5", try_accept(server, c.listening, &acceptance), STATUS_INVALID_MESSAGE);
        acceptance.accept = FALSE;
        ok_status("4.5", try_accept(server, c.listening, &acceptance), STATUS_INVALID_MESSAGE);
        acceptance.accept = TRUE;
        ok(!finished(client, 50), "[4.5] a wrong CallbackId did something\n");
        acceptance.callback = i ? request.CallbackId : 0;
        ok_status("1.3", try_accept(server, c.listening, &acceptance), STATUS_SUCCESS);
        c.comm = server->call->handle;
        end_connected(&c);
        check_received(client, "1.3", LPC_CONNECTION_REPLY, NULL, 0);
        close_connection(&c);
        winetest_pop_context();
    }
}

static void test_unknown_ids(struct agent *server, struct agent *client)
{
    struct connected c, other;
    PORT_MESSAGE request, ordinary;

    open_connection(&other, server, client);
    ok_status("4.4", send_message(client, other.port, 0, "x", 1), STATUS_SUCCESS);
    expect(server, other.listening, "4.4", LPC_REQUEST | LPC_CONTINUATION_REQUIRED, "x", 1);
    ordinary = server->call->receive.header;
    c = other;
    c.port = c.comm = NULL;
    request = begin_request_of(&c);
    ok_status("1.3", accept_id(server, c.listening, 0), STATUS_INVALID_MESSAGE);
    ok_status("1.3", accept_id(server, c.listening, 1), STATUS_INVALID_MESSAGE);
    ok_status("1.3", accept_id(server, c.listening, request.MessageId ^ 1), STATUS_INVALID_MESSAGE);
    ok_status("1.3", accept_id(server, c.listening, request.MessageId ^ 0x80000000), STATUS_INVALID_MESSAGE);
    ok_status("1.3", accept_id(server, c.listening, ~0u), STATUS_INVALID_MESSAGE);
    ok_status("1.3", accept_id(server, c.listening, ordinary.MessageId), STATUS_INVALID_MESSAGE);
    /* it is not answered like other messages */
    ok_status("4.5", answer(server, c.listening, ALPC_MSGFLG_RELEASE_MESSAGE, &request, "x", 1),
              STATUS_INVALID_MESSAGE);
    ok_status("4.5", answer(server, c.listening, 0, &request, "x", 1), STATUS_INVALID_MESSAGE);
    ok(!finished(client, 50), "[1.3] a wrong MessageId did something\n");
    ok_status("1.3", accept_id(server, c.listening, request.MessageId), STATUS_SUCCESS);
    c.comm = server->call->handle;
    end_connected(&c);
    c.listening = NULL;
    close_connection(&c);
    close_connection(&other);
}

/* a request that is still in the queue has an id that no one knows yet */
static void test_not_received(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    ULONG id;

    /* ids of a fresh port are predictable where they are not random: take one from a request, and guess the next */
    open_port(&c, server, client);
    request = begin_request_of(&c);
    ok_status("1.3", refuse_connection(server, c.listening, &request), STATUS_SUCCESS);
    ok_status("4.3", end(client), STATUS_PORT_CONNECTION_REFUSED);
    begin_connect(client, c.name, "hello", 5);
    ok(!finished(client, 100), "[4.3] the client does not wait\n");
    for (id = request.MessageId & ~7u; id <= (request.MessageId | 7u); id++)
        ok_status("1.3", accept_id(server, c.listening, id), STATUS_INVALID_MESSAGE);
    expect(server, c.listening, "4.3", LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED, "hello", 5);
    request = server->call->receive.header;
    ok_status("1.3", accept_connection(server, c.listening, &request, NULL, &c.comm), STATUS_SUCCESS);
    end_connected(&c);
    close_connection(&c);
}

static void test_lengths(struct agent *server, struct agent *client)
{
    static const struct
    {
        USHORT data, total;
        NTSTATUS status;
    } tests[] = {
        { 1, HEADER_SIZE, STATUS_INVALID_PARAMETER },
        { 0, HEADER_SIZE - 1, STATUS_INVALID_PARAMETER },
        { 1, 1, STATUS_INVALID_PARAMETER },
        { 0xffff, 0xffff, STATUS_INVALID_PARAMETER },
        { 8, HEADER_SIZE + 8, STATUS_SUCCESS },
        { 0, HEADER_SIZE, STATUS_SUCCESS },
        { 0, 0, STATUS_SUCCESS }, /* zero but for the ids: no data; our choice */
    };
    struct acceptance acceptance = { .accept = TRUE };
    struct connected c;
    PORT_MESSAGE request = { .MessageId = 0 };
    unsigned int i;
    BOOL pending = FALSE;

    open_port(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(tests); i++)
    {
        winetest_push_context("%#x, %#x", tests[i].data, tests[i].total);
        if (!pending)
            request = begin_request_of(&c);
        acceptance.id = request.MessageId;
        acceptance.data_length = tests[i].data;
        acceptance.total_length = tests[i].total;
        ok_status("3.9, 1.3", try_accept(server, c.listening, &acceptance), tests[i].status);
        if ((pending = tests[i].status != STATUS_SUCCESS))
            ok(!finished(client, 10), "[1.3] wrong lengths did something\n");
        else
        {
            c.comm = server->call->handle;
            end_connected(&c);
            ok((USHORT)client->call->receive.header.u1.s1.DataLength == tests[i].data, "[1.3] DataLength %#x\n",
               client->call->receive.header.u1.s1.DataLength);
            close_handle(server, c.comm);
            close_handle(client, c.port);
            c.comm = c.port = NULL;
        }
        winetest_pop_context();
    }
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- what goes with it */

static void test_context(struct agent *server, struct agent *client)
{
    PVOID contexts[] = { PORT_CONTEXT, NULL, (PVOID) ~(ULONG_PTR)0 };
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(contexts); i++)
    {
        winetest_push_context("context %p", contexts[i]);
        open_port(&c, server, client);
        request = begin_request_of(&c);
        ok_status("1.3", accept_connection(server, c.listening, &request, contexts[i], &c.comm), STATUS_SUCCESS);
        end_connected(&c);
        prepare(server)->port = c.comm;
        ok_status("1.3", perform(server, call_query_basic), STATUS_SUCCESS);
        ok(server->call->basic.PortContext == contexts[i], "[1.3] PortContext %p of the port\n",
           server->call->basic.PortContext);
        ok_status("4.4", send_message(client, c.port, ALPC_MSGFLG_RELEASE_MESSAGE, "x", 1), STATUS_SUCCESS);
        expect(server, c.listening, "4.4", LPC_DATAGRAM, "x", 1);
        ok(server->call->context.PortContext == contexts[i], "[1.3] PortContext %p\n",
           server->call->context.PortContext);
        close_handle(client, c.port);
        c.port = NULL;
        ok_status("4.11", receive(server, c.listening), STATUS_SUCCESS);
        ok(server->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n",
           server->call->receive.header.u2.s2.Type);
        ok(server->call->context.PortContext == contexts[i], "[1.3] PortContext %p\n",
           server->call->context.PortContext);
        close_connection(&c);
        winetest_pop_context();
    }
}

/* flags other than the two WOW64 bits have no effect; the attributes are those of the server's communication port */
static void test_attributes(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    struct call *call;

    open_port(&c, server, client);
    request = begin_request_of(&c);
    call = prepare(server);
    call->port = c.listening;
    call->flags = 0x20000;
    set_answer(call, &request, "welcome", 8);
    call->accept = TRUE;
    call->has_attributes = TRUE;
    call->attributes.Flags = ALPC_PORFLG_ALLOW_DUP_OBJECT;
    call->attributes.MaxMessageLength = 0x100;
    call->send_valid = ALPC_MESSAGE_CONTEXT_ATTRIBUTE;
    call->send_context = (PVOID)0x55;
    ok_status("1.3", perform(server, call_accept), STATUS_SUCCESS);
    c.comm = call->handle;
    end_connected(&c);
    check_received(client, "1.3", LPC_CONNECTION_REPLY, "welcome", 8);
    prepare(server)->port = c.comm;
    ok_status("1.3", perform(server, call_query_basic), STATUS_SUCCESS);
    ok(server->call->basic.Flags == (ALPC_PORFLG_ALLOW_DUP_OBJECT | ALPC_PORFLG_ALLOW_LPC_REQUESTS),
       "[1.3] Flags %#lx\n", server->call->basic.Flags);
    /* the connection has the smallest of the limits [7, 19] */
    ok_status("7.19", send_message(client, c.port, ALPC_MSGFLG_RELEASE_MESSAGE, call->send.data, 0x100 - HEADER_SIZE),
              STATUS_SUCCESS);
    ok_status("7.19", send_message(client, c.port, ALPC_MSGFLG_RELEASE_MESSAGE, call->send.data, 0x101 - HEADER_SIZE),
              STATUS_PORT_MESSAGE_TOO_LONG);
    close_connection(&c);

    winetest_push_context("MaxMessageLength too small");
    open_port(&c, server, client);
    request = begin_request_of(&c);
    call = prepare(server);
    call->port = c.listening;
    set_answer(call, &request, NULL, 0);
    call->accept = TRUE;
    call->has_attributes = TRUE;
    call->attributes.MaxMessageLength = HEADER_SIZE - 1;
    ok_status("7.20", perform(server, call_accept), STATUS_INVALID_PARAMETER);
    ok(call->handle == UNTOUCHED_HANDLE, "[1.3] handle %p\n", call->handle);
    ok_status("1.3", accept_connection(server, c.listening, &request, NULL, &c.comm), STATUS_SUCCESS);
    end_connected(&c);
    close_connection(&c);
    winetest_pop_context();
}

/* ---------------------------------------------------------------------------------------------- once */

static void test_twice(struct agent *server, struct agent *client)
{
    struct acceptance acceptance = { .total_length = (USHORT)HEADER_SIZE };
    struct connected c;
    PORT_MESSAGE request;
    unsigned int first, second;

    for (first = 0; first < 2; first++)
    {
        winetest_push_context("%s first", first ? "accepted" : "refused");
        open_port(&c, server, client);
        request = begin_request_of(&c);
        acceptance.id = request.MessageId;
        acceptance.accept = (BOOLEAN)first;
        ok_status("1.3", try_accept(server, c.listening, &acceptance), STATUS_SUCCESS);
        if (first)
        {
            c.comm = server->call->handle;
            end_connected(&c);
        }
        else
            ok_status("4.3", end(client), STATUS_PORT_CONNECTION_REFUSED);
        for (second = 0; second < 2; second++)
        {
            acceptance.accept = (BOOLEAN)second;
            ok_status("1.3", try_accept(server, c.listening, &acceptance), STATUS_INVALID_MESSAGE);
        }
        if (first)
        {
            ok_status("4.4", send_message(client, c.port, ALPC_MSGFLG_RELEASE_MESSAGE, "x", 1), STATUS_SUCCESS);
            expect(server, c.listening, "4.4", LPC_DATAGRAM, "x", 1);
        }
        close_connection(&c);
        winetest_pop_context();
    }
}

/* a client that went after its request had been received */
static void test_client_gone(struct agent *server, struct agent *client)
{
    struct acceptance acceptance = { .total_length = (USHORT)HEADER_SIZE };
    struct connected c;
    PORT_MESSAGE request;
    unsigned int accept, told, close;
    NTSTATUS status;

    for (accept = 0; accept < 2; accept++)
        for (told = 0; told < 2; told++)
            for (close = 0; close < 2; close++)
            {
                winetest_push_context("%s, %s, %s", accept ? "accept" : "refuse", told ? "told" : "not told",
                                      close ? "closed" : "disconnected");
                open_port(&c, server, client);
                c.port = connect_async(client, c.name, "hello", 5);
                expect(server, c.listening, "4.3", LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED, "hello", 5);
                request = server->call->receive.header;
                if (close)
                {
                    close_handle(client, c.port);
                    c.port = NULL;
                }
                else
                    ok_status("1.3", disconnect(client, c.port, 0), STATUS_SUCCESS);
                acceptance.id = request.MessageId;
                acceptance.accept = (BOOLEAN)accept;
                if (told)
                {
                    expect(server, c.listening, "7.8", LPC_CANCELED, NULL, 0);
                    ok(server->call->receive.header.MessageId == request.MessageId, "[7.8] MessageId %#lx\n",
                       server->call->receive.header.MessageId);
                }
                else
                    ok_status("4.5", try_accept(server, c.listening, &acceptance), STATUS_REQUEST_CANCELED);
                /* refused as long as there is anything that the id could mean */
                status = try_accept(server, c.listening, &acceptance);
                ok(status == STATUS_REQUEST_CANCELED || (close && status == STATUS_INVALID_MESSAGE),
                   "[4.5] status %#lx\n", status);
                expect_nothing(server, c.listening, "4.11");
                close_connection(&c);
                winetest_pop_context();
            }
}

/* a client that went before its request was received was never there */
static void test_client_unseen(struct agent *server, struct agent *client)
{
    struct connected c;

    open_port(&c, server, client);
    c.port = connect_async(client, c.name, "hello", 5);
    close_handle(client, c.port);
    expect_nothing(server, c.listening, "4.3");
    c.port = connect_async(client, c.name, "hello", 5);
    ok_status("1.3", disconnect(client, c.port, 0), STATUS_SUCCESS);
    expect_nothing(server, c.listening, "4.3");
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- ports */

static void test_ports(struct agent *server, struct agent *client)
{
    struct connected c, other;
    PORT_MESSAGE request;
    HANDLE event;

    open_connection(&other, server, client);
    open_port(&c, server, client);
    request = begin_request_of(&c);
    ok_status("3.10", accept_id(server, other.comm, request.MessageId), STATUS_INVALID_PORT_HANDLE);
    ok_status("1.2", accept_id(server, (HANDLE)(ULONG_PTR)0xdead0, request.MessageId), STATUS_INVALID_HANDLE);
    ok_status("1.2", accept_id(server, NULL, request.MessageId), STATUS_INVALID_HANDLE);
    DuplicateHandle(GetCurrentProcess(), CreateEventW(NULL, FALSE, FALSE, NULL), agent_process_handle(server), &event,
                    0, FALSE, DUPLICATE_SAME_ACCESS);
    ok_status("1.2", accept_id(server, event, request.MessageId), STATUS_OBJECT_TYPE_MISMATCH);
    close_handle(server, event);
    /* another connection port knows nothing of the request */
    ok_status("1.3", accept_id(server, other.listening, request.MessageId), STATUS_INVALID_MESSAGE);
    ok(!finished(client, 10), "[1.3] a wrong port did something\n");
    ok_status("1.3", accept_id(server, c.listening, request.MessageId), STATUS_SUCCESS);
    c.comm = server->call->handle;
    end_connected(&c);
    /* a client port has no one to accept */
    ok_status("3.10", accept_id(client, other.port, request.MessageId), STATUS_INVALID_PORT_HANDLE);
    close_connection(&c);
    close_connection(&other);
}

/* only the process that made the connection port accepts, others that hold it do not */
static void test_owner(struct agent *server, struct agent *client)
{
    struct agent *guest = agent_process();
    struct connected c;
    PORT_MESSAGE request;
    HANDLE port;

    open_port(&c, server, client);
    ok(DuplicateHandle(agent_process_handle(server), c.listening, guest->process, &port, 0, FALSE,
                       DUPLICATE_SAME_ACCESS),
       "cannot duplicate the port: %lu\n", GetLastError());
    begin_connect(client, c.name, "hello", 5);
    expect(guest, port, "7.40", LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED, "hello", 5);
    request = guest->call->receive.header;
    ok_status("1.3", accept_id(guest, port, request.MessageId), STATUS_INVALID_PORT_HANDLE);
    ok_status("1.3", refuse_connection(guest, port, &request), STATUS_INVALID_PORT_HANDLE);
    ok(!finished(client, 10), "[1.3] a guest did something\n");
    ok_status("1.3", accept_id(server, c.listening, request.MessageId), STATUS_SUCCESS);
    c.comm = server->call->handle;
    end_connected(&c);
    close_connection(&c);
    agent_stop(guest);
}

/* closing the communication port that comes from accepting tells the client */
static void test_close_at_once(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;

    open_port(&c, server, client);
    request = begin_request_of(&c);
    ok_status("1.3", accept_connection(server, c.listening, &request, NULL, &c.comm), STATUS_SUCCESS);
    close_handle(server, c.comm);
    c.comm = NULL;
    /* a synchronous client has its answer all the same */
    end_connected(&c);
    if (c.port)
    {
        ok_status("7.9", receive(client, c.port), STATUS_SUCCESS);
        ok(client->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n",
           client->call->receive.header.u2.s2.Type);
    }
    expect_nothing(server, c.listening, "4.11");
    close_connection(&c);
}

START_TEST(accept)
{
    if (agent_main())
        return;
    RUN(test_ids);
    RUN(test_unknown_ids);
    RUN(test_not_received);
    RUN(test_lengths);
    RUN(test_context);
    RUN(test_attributes);
    RUN(test_twice);
    RUN(test_client_gone);
    RUN(test_client_unseen);
    RUN(test_ports);
    RUN(test_owner);
    RUN(test_close_at_once);
    end_tests();
}
