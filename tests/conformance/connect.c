/*
 * Connecting [alpc.md 4.3, 4.18, 1.3]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Not here: RequiredServerSid and security descriptors, the rules of names, attributes other than the context.
 */

#include "agent.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)

/* receives the connection request and checks its header */
static PORT_MESSAGE receive_request(struct connected *c, const void *data, SIZE_T size)
{
    const PORT_MESSAGE *header = &c->server->call->receive.header;

    expect(c->server, c->listening, "4.3", LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED, data, size);
    ok((ULONG_PTR)header->ClientId.UniqueProcess == c->client->pid &&
           (ULONG_PTR)header->ClientId.UniqueThread == c->client->tid,
       "[4.3] ClientId %p, %p\n", header->ClientId.UniqueProcess, header->ClientId.UniqueThread);
    ok(header->MessageId, "[4.3] MessageId is 0\n");
    ok(c->server->call->valid == ALPC_MESSAGE_TOKEN_ATTRIBUTE, "[4.8] attributes %#lx\n", c->server->call->valid);
    return *header;
}

/* accepts or refuses, with data */
static void respond(struct connected *c, const PORT_MESSAGE *request, BOOL accept, const void *data, SIZE_T size)
{
    struct call *call = prepare(c->server);

    call->port = c->listening;
    set_answer(call, request, data, size);
    call->accept = (BOOLEAN)accept;
    call->port_context = PORT_CONTEXT;
    ok_status("1.3", perform(c->server, call_accept), STATUS_SUCCESS);
    if (accept)
        c->comm = call->handle;
    else
        ok(call->handle == UNTOUCHED_HANDLE, "[1.3] a refusal gave handle %p\n", call->handle);
}

/* the client has ended its call successfully */
static void connected_now(struct connected *c, NTSTATUS status)
{
    ok_status("4.3", status, STATUS_SUCCESS);
    ok(c->client->call->handle && c->client->call->handle != UNTOUCHED_HANDLE, "[4.3] handle %p\n",
       c->client->call->handle);
    c->port = NT_SUCCESS(status) ? c->client->call->handle : NULL;
}

/* the connection does what connections are for */
static void check_works(struct connected *c)
{
    PORT_MESSAGE request;

    begin_request(c->client, c->port, "ping", 4);
    expect(c->server, c->listening, "4.4", LPC_REQUEST | LPC_CONTINUATION_REQUIRED, "ping", 4);
    ok(c->server->call->context.PortContext == PORT_CONTEXT, "[1.3] PortContext %p\n",
       c->server->call->context.PortContext);
    request = c->server->call->receive.header;
    ok_status("4.6", answer(c->server, c->listening, ALPC_MSGFLG_RELEASE_MESSAGE, &request, "pong", 4), STATUS_SUCCESS);
    ok_status("4.4", end(c->client), STATUS_SUCCESS);
    check_received(c->client, "4.4", LPC_REPLY, "pong", 4);
}

/* ---------------------------------------------------------------------------------------------- synchronous */

static void test_synchronous(struct agent *server, struct agent *client)
{
    const PORT_MESSAGE *reply = &client->call->receive.header;
    struct connected c;
    PORT_MESSAGE request;
    unsigned int ex;

    for (ex = 0; ex < 2; ex++)
    {
        struct call *call;

        winetest_push_context("%s", ex ? "Ex" : "plain");
        open_port(&c, server, client);
        call = prepare(client);
        wcscpy(call->name, c.name);
        set_message(call, "hello", 5);
        call->flags = ALPC_MSGFLG_SYNC_REQUEST;
        call->has_length = TRUE;
        call->length = sizeof(call->receive);
        call->send_valid = call->allocated = ALPC_MESSAGE_CONTEXT_ATTRIBUTE;
        call->send_context = (PVOID)0x77;
        begin(client, ex ? call_connect_ex : call_connect);
        request = receive_request(&c, "hello", 5);
        ok(!finished(client, 50), "[4.3] the connect does not wait to be accepted\n");
        respond(&c, &request, TRUE, "welcome", 8);
        connected_now(&c, end(client));
        check_received(client, "4.3", LPC_CONNECTION_REPLY, "welcome", 8);
        ok((ULONG_PTR)reply->ClientId.UniqueProcess == server->pid, "[4.3] ClientId %p\n",
           reply->ClientId.UniqueProcess);
        ok(reply->MessageId, "[4.3] MessageId 0\n");
        ok(call->length == HEADER_SIZE + 8, "[4.3, 7.4] BufferLength %#Ix\n", call->length);
        ok(call->valid == ALPC_MESSAGE_CONTEXT_ATTRIBUTE, "[4.8] attributes %#lx\n", call->valid);
        ok(call->context.MessageContext == (PVOID)0x77, "[4.8.1] MessageContext %p\n", call->context.MessageContext);
        ok(!call->context.PortContext, "[4.8.1] PortContext %p\n", call->context.PortContext);
        check_works(&c);
        close_connection(&c);
        winetest_pop_context();
    }
}

/* who has nothing to say connects with an empty message */
static void test_no_message(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    struct call *call;

    open_port(&c, server, client);
    begin_connect(client, c.name, NULL, 0);
    call = prepare(server);
    call->port = c.listening;
    call->receives = call->has_length = call->has_timeout = TRUE;
    call->length = HEADER_SIZE;
    call->timeout = MILLISECONDS(HANG / 2);
    ok_status("4.3", perform(server, call_exchange), STATUS_SUCCESS);
    check_received(server, "4.3", LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED, NULL, 0);
    request = call->receive.header;
    respond(&c, &request, TRUE, "welcome", 8);
    connected_now(&c, end(client));
    check_works(&c);
    close_connection(&c);
}

/*
 * How many bytes of the reply are taken.  The handle and the buffer stay as they were when it does not fit, and for the
 * server it looks as if the client had closed its port.
 */
static void test_reply_buffer(struct agent *server, struct agent *client)
{
    static const struct
    {
        BOOL message;
        SIZE_T capacity;
        BOOL fits;
    } tests[] = {
        { TRUE, sizeof(struct big_message), TRUE },
        { TRUE, HEADER_SIZE + 8, TRUE },
        { TRUE, HEADER_SIZE + 7, FALSE },
        { TRUE, HEADER_SIZE, FALSE },
        { TRUE, HEADER_SIZE - 1, FALSE },
        { TRUE, 0, FALSE },
        { FALSE, HEADER_SIZE + 8, TRUE },
        { FALSE, HEADER_SIZE + 7, FALSE },
        { FALSE, 0, FALSE },
    };
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(tests); i++)
    {
        struct call *call;
        NTSTATUS status;

        winetest_push_context("%u", i);
        open_port(&c, server, client);
        call = prepare(client);
        wcscpy(call->name, c.name);
        if (tests[i].message)
            set_message(call, "hello", 5);
        call->flags = ALPC_MSGFLG_SYNC_REQUEST;
        call->has_length = TRUE;
        call->length = tests[i].capacity;
        begin(client, call_connect);
        request = receive_request(&c, "hello", tests[i].message ? 5 : 0);
        respond(&c, &request, TRUE, "welcome", 8);
        status = end(client);
        ok(call->length == HEADER_SIZE + 8, "[4.3] BufferLength %#Ix\n", call->length);
        if (tests[i].fits)
        {
            connected_now(&c, status);
            if (tests[i].message)
                check_received(client, "4.3", LPC_CONNECTION_REPLY, "welcome", 8);
            check_works(&c);
        }
        else
        {
            ok_status("4.3", status, STATUS_BUFFER_TOO_SMALL);
            ok(call->handle == UNTOUCHED_HANDLE, "[4.3] handle %p\n", call->handle);
            if (tests[i].message)
                ok(!memcmp(&call->receive.header, &call->send.header, HEADER_SIZE) &&
                       !memcmp(call->receive.data, "hello", 5),
                   "[4.3] the buffer has changed\n");
            ok_status("4.11", receive(server, c.listening), STATUS_SUCCESS);
            ok(server->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n",
               server->call->receive.header.u2.s2.Type);
            ok(server->call->context.PortContext == PORT_CONTEXT, "[4.11] PortContext %p\n",
               server->call->context.PortContext);
        }
        close_connection(&c);
        winetest_pop_context();
    }
}

/* a message without a length is only sent: our choice */
static void test_message_without_length(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    struct call *call;

    open_port(&c, server, client);
    call = prepare(client);
    wcscpy(call->name, c.name);
    set_message(call, "hello", 5);
    call->flags = ALPC_MSGFLG_SYNC_REQUEST;
    begin(client, call_connect);
    request = receive_request(&c, "hello", 5);
    respond(&c, &request, TRUE, "welcome", 8);
    connected_now(&c, end(client));
    ok(!memcmp(&call->receive.header, &call->send.header, HEADER_SIZE) && !memcmp(call->receive.data, "hello", 5),
       "[4.3] the buffer has changed\n");
    check_works(&c);
    close_connection(&c);
}

static void test_refused(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;

    open_port(&c, server, client);
    begin_connect(client, c.name, "hello", 5);
    request = receive_request(&c, "hello", 5);
    respond(&c, &request, FALSE, NULL, 0);
    ok_status("4.3", end(client), STATUS_PORT_CONNECTION_REFUSED);
    ok(client->call->handle == UNTOUCHED_HANDLE, "[4.3] handle %p\n", client->call->handle);
    expect_nothing(server, c.listening, "4.3");

    /* it may try again */
    begin_connect(client, c.name, "please", 6);
    request = receive_request(&c, "please", 6);
    respond(&c, &request, TRUE, "all right", 9);
    connected_now(&c, end(client));
    check_works(&c);
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- timeouts */

static LONGLONG in_future(ULONG ms)
{
    LARGE_INTEGER now;

    GetSystemTimeAsFileTime((FILETIME *)&now);
    return now.QuadPart + (LONGLONG)ms * 10000;
}

static void test_timeout(struct agent *server, struct agent *client)
{
    const LONGLONG timeouts[] = { 0, MILLISECONDS(50), in_future(50), 1 };
    struct connected c;
    PORT_MESSAGE request;
    struct call *call;
    unsigned int i;

    open_port(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(timeouts); i++)
    {
        winetest_push_context("timeout %u", i);
        call = prepare(client);
        wcscpy(call->name, c.name);
        set_message(call, "hello", 5);
        call->flags = ALPC_MSGFLG_SYNC_REQUEST;
        call->has_timeout = call->has_length = TRUE;
        call->timeout = timeouts[i];
        call->length = sizeof(call->receive);
        ok_status("4.3, 7.8", perform(client, call_connect), STATUS_TIMEOUT);
        ok(call->handle == UNTOUCHED_HANDLE, "[7.8] handle %p\n", call->handle);
        ok(call->length == sizeof(call->receive), "[7.8] BufferLength %#Ix\n", call->length);
        ok(!memcmp(call->receive.data, "hello", 5), "[7.8] the buffer has changed\n");
        expect_nothing(server, c.listening, "7.8");
        winetest_pop_context();
    }
    /* a server that has seen the request is told */
    for (i = 0; i < 2; i++)
    {
        winetest_push_context("seen %u", i);
        call = prepare(client);
        wcscpy(call->name, c.name);
        set_message(call, "hello", 5);
        call->flags = ALPC_MSGFLG_SYNC_REQUEST;
        call->has_timeout = TRUE;
        call->timeout = i ? in_future(300) : MILLISECONDS(300);
        begin(client, call_connect);
        request = receive_request(&c, "hello", 5);
        ok_status("7.8", end(client), STATUS_TIMEOUT);
        expect(server, c.listening, "7.8", LPC_CANCELED, NULL, 0);
        ok(server->call->receive.header.MessageId == request.MessageId, "[7.8] MessageId %#lx, not %#lx\n",
           server->call->receive.header.MessageId, request.MessageId);
        expect_nothing(server, c.listening, "7.8");
        winetest_pop_context();
    }
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- what is refused at
 * once */

static NTSTATUS try_connect(struct agent *client, const WCHAR *name, USHORT data_length, USHORT total_length)
{
    struct call *call = prepare(client);
    NTSTATUS status;

    wcscpy(call->name, name);
    set_message(call, NULL, 0);
    call->send.header.u1.s1.DataLength = (SHORT)data_length;
    call->send.header.u1.s1.TotalLength = (SHORT)total_length;
    call->has_length = TRUE;
    call->length = sizeof(call->receive);
    status = perform(client, call_connect);
    ok(status == STATUS_SUCCESS || call->handle == UNTOUCHED_HANDLE, "[4.3] handle %p\n", call->handle);
    return status;
}

static void test_arguments(struct agent *server, struct agent *client)
{
    struct connected c;

    open_port(&c, server, client);
    ok_status("3.10", try_connect(client, L"\\RPC Control\\ntalpc-test-no-such-port", 0, HEADER_SIZE),
              STATUS_OBJECT_NAME_NOT_FOUND);
    ok_status("3.10", try_connect(client, L"\\no such directory\\port", 0, HEADER_SIZE), STATUS_OBJECT_PATH_NOT_FOUND);
    ok_status("4.2", try_connect(client, L"\\RPC Control", 0, HEADER_SIZE), STATUS_OBJECT_TYPE_MISMATCH);
    ok_status("4.2", try_connect(client, L"\\KernelObjects\\LowMemoryCondition", 0, HEADER_SIZE),
              STATUS_OBJECT_TYPE_MISMATCH);

    /* the name is looked up first */
    ok_status("4.2", try_connect(client, L"\\RPC Control\\ntalpc-test-no-such-port", 1, HEADER_SIZE),
              STATUS_OBJECT_NAME_NOT_FOUND);
    ok_status("4.2", try_connect(client, L"\\RPC Control\\ntalpc-test-no-such-port", 0, HEADER_SIZE - 1),
              STATUS_OBJECT_NAME_NOT_FOUND);
    /* TotalLength is header and data, no less and no more */
    ok_status("4.18", try_connect(client, c.name, 1, HEADER_SIZE), STATUS_INVALID_PARAMETER);
    ok_status("4.18", try_connect(client, c.name, 0, HEADER_SIZE + 1), STATUS_INVALID_PARAMETER);
    ok_status("4.18", try_connect(client, c.name, 8, HEADER_SIZE + 16), STATUS_INVALID_PARAMETER);
    ok_status("4.18", try_connect(client, c.name, 0, HEADER_SIZE - 1), STATUS_INVALID_PARAMETER);
    ok_status("4.18", try_connect(client, c.name, 0, 0), STATUS_INVALID_PARAMETER);
    ok_status("4.18", try_connect(client, c.name, 0xffff, 0xffff), STATUS_INVALID_PARAMETER);
    ok_status("4.18", try_connect(client, c.name, 0xffd8, (USHORT)(HEADER_SIZE + 0xffd8)), STATUS_INVALID_PARAMETER);
    expect_nothing(server, c.listening, "4.3");
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- asynchronous */

static void test_asynchronous(struct agent *server, struct agent *client)
{
    const PORT_MESSAGE *reply = &client->call->receive.header;
    struct connected c;
    PORT_MESSAGE request;
    struct call *call;

    open_port(&c, server, client);
    call = prepare(client);
    wcscpy(call->name, c.name);
    set_message(call, "hello", 5);
    call->has_length = TRUE;
    call->length = 0x1234;
    call->send_valid = ALPC_MESSAGE_CONTEXT_ATTRIBUTE;
    call->send_context = (PVOID)0x77;
    connected_now(&c, perform(client, call_connect));
    ok(call->length == 0x1234, "[4.3] BufferLength %#Ix\n", call->length);
    expect_nothing(client, c.port, "4.3");
    ok_status("4.3", send_message(client, c.port, ALPC_MSGFLG_RELEASE_MESSAGE, "early", 5), STATUS_SUCCESS);

    request = receive_request(&c, "hello", 5);
    expect_nothing(server, c.listening, "4.3");
    expect_nothing(client, c.port, "4.3");
    respond(&c, &request, TRUE, "welcome", 8);
    expect(client, c.port, "4.3", LPC_CONNECTION_REPLY, "welcome", 8);
    ok((ULONG_PTR)reply->ClientId.UniqueProcess == server->pid, "[4.3] ClientId %p\n", reply->ClientId.UniqueProcess);
    ok(client->call->valid == ALPC_MESSAGE_CONTEXT_ATTRIBUTE, "[4.8] attributes %#lx\n", client->call->valid);
    ok(client->call->context.MessageContext == (PVOID)0x77, "[4.8.1] MessageContext %p\n",
       client->call->context.MessageContext);
    expect_nothing(client, c.port, "4.3");
    expect(server, c.listening, "4.3", LPC_DATAGRAM, "early", 5);
    check_works(&c);
    close_connection(&c);
}

/* a receive that begins before the outcome is known */
static void test_asynchronous_wait(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;

    open_port(&c, server, client);
    c.port = connect_async(client, c.name, NULL, 0);
    request = receive_request(&c, NULL, 0);
    begin_receive(client, c.port);
    ok(!finished(client, 50), "[4.3] there is nothing to receive yet\n");
    respond(&c, &request, TRUE, NULL, 0);
    ok_status("4.3", end(client), STATUS_SUCCESS);
    check_received(client, "4.3", LPC_CONNECTION_REPLY, NULL, 0);
    close_connection(&c);

    open_port(&c, server, client);
    c.port = connect_async(client, c.name, NULL, 0);
    request = receive_request(&c, NULL, 0);
    begin_receive(client, c.port);
    ok(!finished(client, 50), "[4.3] there is nothing to receive yet\n");
    respond(&c, &request, FALSE, NULL, 0);
    ok_status("4.3", end(client), STATUS_PORT_CONNECTION_REFUSED);
    close_connection(&c);
}

static void test_asynchronous_refused(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i;

    open_port(&c, server, client);
    for (i = 0; i < 2; i++)
    {
        winetest_push_context("%s data", i ? "with" : "without");
        c.port = connect_async(client, c.name, "hello", 5);
        request = receive_request(&c, "hello", 5);
        respond(&c, &request, FALSE, "no", i ? 3 : 0);
        ok_status("4.3", receive(client, c.port), STATUS_PORT_CONNECTION_REFUSED);
        ok_status("4.3", receive(client, c.port), STATUS_PORT_CONNECTION_REFUSED);
        ok_status("4.11", send_message(client, c.port, ALPC_MSGFLG_RELEASE_MESSAGE, "x", 1), STATUS_PORT_DISCONNECTED);
        expect_nothing(server, c.listening, "4.3");
        close_handle(client, c.port);
        expect_nothing(server, c.listening, "4.3");
        winetest_pop_context();
    }
    c.port = NULL;
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- several clients */

#define CLIENTS 5

/* requests are received in the order of connecting, and accepted in any */
static void test_several(struct agent *server, struct agent *client)
{
    struct agent *others[CLIENTS];
    struct connected c[CLIENTS];
    PORT_MESSAGE requests[CLIENTS];
    unsigned int i, k;

    for (i = 0; i < CLIENTS; i++)
        others[i] = i ? agent_beside(client) : client;
    open_port(&c[0], server, client);
    for (i = 0; i < CLIENTS; i++)
    {
        BYTE data[3] = { 'c', (BYTE)i, 0 };

        if (i)
            c[i] = c[0];
        c[i].client = others[i];
        /* synchronous and asynchronous ones together; the event of the agents serialises them */
        if (i % 2)
        {
            c[i].port = connect_async(others[i], c[0].name, data, 3);
            continue;
        }
        begin_connect(others[i], c[0].name, data, 3);
        ok(!finished(others[i], 100), "[4.3] client %u does not wait\n", i);
    }
    for (i = 0; i < CLIENTS; i++)
    {
        BYTE data[3] = { 'c', (BYTE)i, 0 };

        winetest_push_context("client %u", i);
        requests[i] = receive_request(&c[i], data, 3);
        for (k = 0; k < i; k++)
            ok(requests[k].MessageId != requests[i].MessageId, "[7.13] MessageId %#lx twice\n", requests[i].MessageId);
        winetest_pop_context();
    }
    for (k = 0; k < CLIENTS; k++)
    {
        BYTE data[2];

        i = (k * 2 + 3) % CLIENTS;
        data[0] = 'r', data[1] = (BYTE)i;
        winetest_push_context("client %u", i);
        respond(&c[i], &requests[i], i != 3, data, 2);
        if (i == 3)
        {
            ok_status("4.3", receive(others[i], c[i].port), STATUS_PORT_CONNECTION_REFUSED);
            close_handle(others[i], c[i].port);
            c[i].port = NULL;
        }
        else if (i % 2)
            expect(others[i], c[i].port, "4.3", LPC_CONNECTION_REPLY, data, 2);
        else
        {
            connected_now(&c[i], end(others[i]));
            check_received(others[i], "4.3", LPC_CONNECTION_REPLY, data, 2);
        }
        winetest_pop_context();
    }
    for (i = 0; i < CLIENTS; i++)
        if (c[i].port)
            check_works(&c[i]);
    for (i = CLIENTS; i--;)
    {
        if (i)
            c[i].listening = NULL;
        if (!c[i].port)
            c[i].comm = NULL;
        close_connection(&c[i]);
        if (i)
            agent_stop(others[i]);
    }
}

/* one client may have several connections, which know nothing of each other */
static void test_twice(struct agent *server, struct agent *client)
{
    struct connected first, second;

    open_connection(&first, server, client);
    open_another(&second, &first, client, (PVOID)0x999);
    ok(first.port != second.port && first.comm != second.comm, "[4.3] the same handle twice\n");
    ok_status("4.4", send_message(client, second.port, ALPC_MSGFLG_RELEASE_MESSAGE, "2", 1), STATUS_SUCCESS);
    ok_status("4.4", send_message(client, first.port, ALPC_MSGFLG_RELEASE_MESSAGE, "1", 1), STATUS_SUCCESS);
    expect(server, first.listening, "4.7", LPC_DATAGRAM, "2", 1);
    ok(server->call->context.PortContext == (PVOID)0x999, "[1.3] PortContext %p\n", server->call->context.PortContext);
    expect(server, first.listening, "4.7", LPC_DATAGRAM, "1", 1);
    ok(server->call->context.PortContext == PORT_CONTEXT, "[1.3] PortContext %p\n", server->call->context.PortContext);
    close_handle(client, second.port);
    second.port = NULL;
    ok_status("4.11", receive(server, first.listening), STATUS_SUCCESS);
    ok(server->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED && server->call->context.PortContext == (PVOID)0x999,
       "[4.11] type %#x, PortContext %p\n", server->call->receive.header.u2.s2.Type, server->call->context.PortContext);
    close_connection(&second);
    check_works(&first);
    close_connection(&first);
}

/* ---------------------------------------------------------------------------------------------- the port goes */

/*
 * Clients that wait when the connection port is closed or disconnected are refused, whether or not it has seen them; an
 * asynchronous one whose listener closed is told otherwise (refused.c).
 */
static void test_port_gone(struct agent *server, struct agent *client)
{
    struct connected c;
    unsigned int i;

    for (i = 0; i < 8; i++)
    {
        BOOL close = i & 1, seen = i & 2, sync = i & 4;

        if (close && !sync)
            continue;
        winetest_push_context("%s, %s, %s", close ? "closed" : "disconnected", seen ? "seen" : "unseen",
                              sync ? "synchronous" : "asynchronous");
        open_port(&c, server, client);
        if (sync)
            begin_connect(client, c.name, "hello", 5);
        else
        {
            c.port = connect_async(client, c.name, "hello", 5);
            begin_receive(client, c.port);
        }
        ok(!finished(client, 50), "[4.3] the client does not wait\n");
        if (seen)
            receive_request(&c, "hello", 5);
        if (close)
        {
            close_handle(server, c.listening);
            c.listening = NULL;
        }
        else
            ok_status("1.3", disconnect(server, c.listening, 0), STATUS_SUCCESS);
        ok_status("7.7, 7.39", end(client), STATUS_PORT_CONNECTION_REFUSED);
        if (sync)
            ok(client->call->handle == UNTOUCHED_HANDLE, "[4.3] handle %p\n", client->call->handle);
        if (!close)
        {
            /* from now on everyone is refused, and the name stays until the port is closed */
            begin_connect(client, c.name, "hello", 5);
            ok_status("7.39", end(client), STATUS_PORT_CONNECTION_REFUSED);
            close_handle(server, c.listening);
            c.listening = NULL;
        }
        ok_status("4.2", try_connect(client, c.name, 0, HEADER_SIZE), STATUS_OBJECT_NAME_NOT_FOUND);
        close_connection(&c);
        winetest_pop_context();
    }
}

/* disconnecting the connection port leaves connections alone */
static void test_port_disconnected(struct agent *server, struct agent *client)
{
    struct connected c;

    open_connection(&c, server, client);
    ok_status("1.3", disconnect(server, c.listening, 0), STATUS_SUCCESS);
    ok_status("1.3", disconnect(server, c.listening, 0), STATUS_PORT_DISCONNECTED);
    check_works(&c);
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- lengths */

static void fill(BYTE *data, SIZE_T size)
{
    SIZE_T i;

    for (i = 0; i < size; i++)
        data[i] = (BYTE)(i * 7 + (i >> 8));
}

static void test_sizes(struct agent *server, struct agent *client)
{
    static const SIZE_T totals[] = {
        HEADER_SIZE, HEADER_SIZE + 1, HEADER_SIZE + 127, HEADER_SIZE + 128, HEADER_SIZE + 129, 0x1000, 0x7fff, 0x8000,
        0xfffe,      0xffff
    };
    static BYTE data[0x10000];
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i;

    open_port(&c, server, client);
    fill(data, sizeof(data));
    for (i = 0; i < ARRAY_SIZE(totals); i++)
    {
        SIZE_T size = totals[i] - HEADER_SIZE;

        winetest_push_context("%#Ix bytes", totals[i]);
        begin_connect(client, c.name, data, size);
        request = receive_request(&c, data, size);
        respond(&c, &request, TRUE, data, size);
        connected_now(&c, end(client));
        check_received(client, "3.9", LPC_CONNECTION_REPLY, data, size);
        ok(client->call->length == totals[i], "[4.3] BufferLength %#Ix\n", client->call->length);
        close_handle(server, c.comm);
        close_handle(client, c.port);
        expect_nothing(server, c.listening, "4.11");
        winetest_pop_context();
    }
    c.comm = c.port = NULL;
    close_connection(&c);
}

/* connects with a request of a length, from a port of one limit to a port of another; the total length that may be sent
 */
static void test_limits(struct agent *server, struct agent *client)
{
    static const struct
    {
        SIZE_T listening, client, total;
        NTSTATUS status;
    } tests[] = {
        { 0x200, 0, 0x200, STATUS_SUCCESS },
        { 0x200, 0, 0x201, STATUS_PORT_MESSAGE_TOO_LONG },
        { 0, 0x200, 0x200, STATUS_SUCCESS },
        { 0, 0x200, 0x201, STATUS_PORT_MESSAGE_TOO_LONG },
        { 0x200, 0x1000, 0x201, STATUS_PORT_MESSAGE_TOO_LONG },
        { 0x1000, 0x200, 0x201, STATUS_PORT_MESSAGE_TOO_LONG },
        { 0, 0, 0xffff, STATUS_SUCCESS },
        { ~(SIZE_T)0, ~(SIZE_T)0, 0xffff, STATUS_SUCCESS },
        { 0, HEADER_SIZE, HEADER_SIZE, STATUS_SUCCESS },
        { 0, HEADER_SIZE, HEADER_SIZE + 1, STATUS_PORT_MESSAGE_TOO_LONG },
        { 0, HEADER_SIZE - 1, HEADER_SIZE, STATUS_INVALID_PARAMETER },
        { 0, 1, HEADER_SIZE, STATUS_INVALID_PARAMETER },
    };
    static BYTE data[0x10000];
    PORT_MESSAGE request;
    unsigned int i;

    fill(data, sizeof(data));
    for (i = 0; i < ARRAY_SIZE(tests); i++)
    {
        struct connected c = { .server = server, .client = client };
        struct call *call = prepare(server);
        NTSTATUS status;

        winetest_push_context("%u", i);
        wcscpy(c.name, new_name());
        wcscpy(call->name, c.name);
        call->has_attributes = TRUE;
        call->attributes.MaxMessageLength = tests[i].listening;
        ok_status("7.20", perform(server, call_create), STATUS_SUCCESS);
        c.listening = call->handle;
        call = prepare(client);
        wcscpy(call->name, c.name);
        call->has_attributes = TRUE;
        call->attributes.MaxMessageLength = tests[i].client;
        set_message(call, data, tests[i].total - HEADER_SIZE);
        status = perform(client, call_connect);
        ok_status("4.17, 7.19, 7.20", status, tests[i].status);
        if (status)
            expect_nothing(server, c.listening, "4.17");
        else
        {
            c.port = call->handle;
            request = receive_request(&c, data, tests[i].total - HEADER_SIZE);
            /* the reply has the same limit; one that is too long does no harm */
            if (tests[i].total < 0xffff)
            {
                call = prepare(server);
                call->port = c.listening;
                set_answer(call, &request, data, tests[i].total - HEADER_SIZE + 1);
                call->accept = TRUE;
                ok_status("4.17", perform(server, call_accept), STATUS_PORT_MESSAGE_TOO_LONG);
                ok(call->handle == UNTOUCHED_HANDLE, "[4.17] handle %p\n", call->handle);
                expect_nothing(client, c.port, "4.17");
            }
            respond(&c, &request, TRUE, data, tests[i].total - HEADER_SIZE);
            expect(client, c.port, "4.17", LPC_CONNECTION_REPLY, data, tests[i].total - HEADER_SIZE);
            /* and so has everything later, in both directions */
            ok_status("4.17",
                      send_message(client, c.port, ALPC_MSGFLG_RELEASE_MESSAGE, data, tests[i].total - HEADER_SIZE),
                      STATUS_SUCCESS);
            ok_status("4.17",
                      send_message(server, c.comm, ALPC_MSGFLG_RELEASE_MESSAGE, data, tests[i].total - HEADER_SIZE),
                      STATUS_SUCCESS);
            expect(server, c.listening, "4.17", LPC_DATAGRAM, data, tests[i].total - HEADER_SIZE);
            expect(client, c.port, "4.17", LPC_DATAGRAM, data, tests[i].total - HEADER_SIZE);
            if (tests[i].total < 0xffff)
            {
                ok_status(
                    "4.17",
                    send_message(client, c.port, ALPC_MSGFLG_RELEASE_MESSAGE, data, tests[i].total - HEADER_SIZE + 1),
                    STATUS_PORT_MESSAGE_TOO_LONG);
                ok_status(
                    "4.17",
                    send_message(server, c.comm, ALPC_MSGFLG_RELEASE_MESSAGE, data, tests[i].total - HEADER_SIZE + 1),
                    STATUS_PORT_MESSAGE_TOO_LONG);
                expect_nothing(client, c.port, "4.17");
                expect_nothing(server, c.listening, "4.17");
            }
        }
        close_connection(&c);
        winetest_pop_context();
    }
}

START_TEST(connect)
{
    if (agent_main())
        return;
    RUN(test_synchronous);
    RUN(test_no_message);
    RUN(test_reply_buffer);
    RUN(test_message_without_length);
    RUN(test_refused);
    RUN(test_timeout);
    RUN(test_arguments);
    RUN(test_asynchronous);
    RUN(test_asynchronous_wait);
    RUN(test_asynchronous_refused);
    RUN(test_several);
    RUN(test_twice);
    RUN(test_port_gone);
    RUN(test_port_disconnected);
    RUN(test_sizes);
    RUN(test_limits);
    end_tests();
}
