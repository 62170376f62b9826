/*
 * NtAlpcDisconnectPort [alpc.md 1.3]; for what the other side is told see closed.c
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "agent.h"

#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define REQUEST_TYPE (LPC_REQUEST | LPC_CONTINUATION_REQUIRED)
#define NO_FLUSH ALPC_DISCONNECTFLG_NO_FLUSH_ON_CLOSE

/* the message that a port has closed: its size is not said anywhere */
static void expect_closed(struct agent *agent, HANDLE port)
{
    ok_status("4.11", receive(agent, port), STATUS_SUCCESS);
    ok((USHORT)agent->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n",
       agent->call->receive.header.u2.s2.Type);
}

/* a message each way and a request each way: the connection is alive */
static void check_alive(struct connected *c)
{
    PORT_MESSAGE request;

    ok_status("4.4", send_message(c->client, c->port, DATAGRAM, "there", 5), STATUS_SUCCESS);
    expect(c->server, c->listening, "4.4", LPC_DATAGRAM, "there", 5);
    ok_status("4.4", send_message(c->server, c->comm, DATAGRAM, "back", 4), STATUS_SUCCESS);
    expect(c->client, c->port, "4.4", LPC_DATAGRAM, "back", 4);
    begin_request(c->client, c->port, "request", 7);
    expect(c->server, c->listening, "4.4", REQUEST_TYPE, "request", 7);
    request = c->server->call->receive.header;
    ok_status("4.5", answer(c->server, c->listening, DATAGRAM, &request, "answer", 6), STATUS_SUCCESS);
    ok_status("4.4", end(c->client), STATUS_SUCCESS);
    check_received(c->client, "4.4", LPC_REPLY, "answer", 6);
    begin_request(c->server, c->comm, "request", 7);
    expect(c->client, c->port, "4.4", REQUEST_TYPE, "request", 7);
    request = c->client->call->receive.header;
    ok_status("4.5", answer(c->client, c->port, DATAGRAM, &request, "answer", 6), STATUS_SUCCESS);
    ok_status("4.4", end(c->server), STATUS_SUCCESS);
    check_received(c->server, "4.4", LPC_REPLY, "answer", 6);
}

/* the three ports of a connection, with those who have them */
static struct agent *port_of(const struct connected *c, unsigned int i, HANDLE *port)
{
    *port = i == 0 ? c->port : i == 1 ? c->comm : c->listening;
    return i ? c->server : c->client;
}

#define PORTS 3
static const char *const port_names[PORTS] = { "client", "server communication", "connection" };

/* ---------------------------------------------------------------------------------------------- arguments */

static void call_make_event(struct call *call)
{
    call->handle = CreateEventW(NULL, FALSE, FALSE, NULL);
    call->status = call->handle ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static void test_handles(struct agent *server, struct agent *client)
{
    HANDLE event;

    (void)server;
    ok_status("3.10", disconnect(client, NULL, 0), STATUS_INVALID_HANDLE);
    ok_status("3.10", disconnect(client, (HANDLE)(ULONG_PTR)0x3ffff4, 0), STATUS_INVALID_HANDLE);
    ok_status("3.10", disconnect(client, (HANDLE)(ULONG_PTR)0x12345674, 0), STATUS_INVALID_HANDLE);
    /* pseudo handles name a thread and a process */
    ok_status("3.10", disconnect(client, (HANDLE)(LONG_PTR)-1, 0), STATUS_OBJECT_TYPE_MISMATCH);
    ok_status("3.10", disconnect(client, (HANDLE)(LONG_PTR)-2, 0), STATUS_OBJECT_TYPE_MISMATCH);
    prepare(client);
    ok_status("1.3", perform(client, call_make_event), STATUS_SUCCESS);
    event = client->call->handle;
    ok_status("3.10", disconnect(client, event, 0), STATUS_OBJECT_TYPE_MISMATCH);
    close_handle(client, event);
    ok_status("3.10", disconnect(client, event, 0), STATUS_INVALID_HANDLE);
}

/* [3.5] there is one flag; a call with others does nothing */
static void test_flags(struct agent *server, struct agent *client)
{
    static const ULONG wrong[] = { 2, 3, 4, 0x10, 0x10000, 0x10001, 0x20000, 0x40000000, 0x80000000, 0xffffffff };
    struct connected c;
    struct agent *agent;
    unsigned int i, k;
    HANDLE port;

    for (k = 0; k < PORTS; k++)
    {
        winetest_push_context("%s port", port_names[k]);
        open_connection(&c, server, client);
        agent = port_of(&c, k, &port);
        for (i = 0; i < ARRAY_SIZE(wrong); i++)
        {
            winetest_push_context("flags %#lx", wrong[i]);
            ok_status("3.5", disconnect(agent, port, wrong[i]), STATUS_INVALID_PARAMETER);
            winetest_pop_context();
        }
        check_alive(&c);
        ok_status("1.3", disconnect(agent, port, k & 1 ? NO_FLUSH : 0), STATUS_SUCCESS);
        close_connection(&c);
        winetest_pop_context();
    }
}

/* a port has closed and its handle is gone: there is nothing to disconnect */
static void test_closed_handle(struct agent *server, struct agent *client)
{
    struct connected c;
    struct agent *agent;
    HANDLE port;
    unsigned int i;

    for (i = 0; i < PORTS; i++)
    {
        open_connection(&c, server, client);
        agent = port_of(&c, i, &port);
        close_handle(agent, port);
        ok_status("3.10", disconnect(agent, port, 0), STATUS_INVALID_HANDLE);
        *(i == 0 ? &c.port : i == 1 ? &c.comm : &c.listening) = NULL;
        close_connection(&c);
    }
}

/* ---------------------------------------------------------------------------------------------- effects */

static void test_twice(struct agent *server, struct agent *client)
{
    static const ULONG flags[][2] = { { 0, 0 }, { 0, NO_FLUSH }, { NO_FLUSH, 0 }, { NO_FLUSH, NO_FLUSH } };
    struct connected c;
    struct agent *agent;
    unsigned int i, k;
    HANDLE port;

    for (k = 0; k < PORTS; k++)
        for (i = 0; i < ARRAY_SIZE(flags); i++)
        {
            winetest_push_context("%s port, flags %lu, %lu", port_names[k], flags[i][0], flags[i][1]);
            open_connection(&c, server, client);
            agent = port_of(&c, k, &port);
            ok_status("1.3", disconnect(agent, port, flags[i][0]), STATUS_SUCCESS);
            ok_status("1.3", disconnect(agent, port, flags[i][1]), STATUS_PORT_DISCONNECTED);
            ok_status("1.3", disconnect(agent, port, flags[i][1]), STATUS_PORT_DISCONNECTED);
            close_connection(&c);
            winetest_pop_context();
        }
}

/* what the side that has disconnected can still do: close the handle, and ask about it */
static void test_own_side(struct agent *server, struct agent *client)
{
    struct connected c;
    struct agent *agent;
    HANDLE port;
    unsigned int i;

    for (i = 0; i < 2; i++)
    {
        winetest_push_context("%s port", port_names[i]);
        open_connection(&c, server, client);
        agent = port_of(&c, i, &port);
        ok_status("1.3", disconnect(agent, port, 0), STATUS_SUCCESS);
        ok_status("4.11", send_message(agent, port, DATAGRAM, "datagram", 8), STATUS_PORT_DISCONNECTED);
        ok_status("4.11", send_message(agent, port, 0, "request", 7), STATUS_PORT_DISCONNECTED);
        begin_request(agent, port, "sync", 4);
        ok_status("4.11", end(agent), STATUS_PORT_DISCONNECTED);
        ok_status("4.11", receive(agent, port), STATUS_PORT_DISCONNECTED);
        ok_status("4.11", receive_now(agent, port), STATUS_PORT_DISCONNECTED);
        prepare(agent)->port = port;
        ok_status("1.3", perform(agent, call_query_basic), STATUS_SUCCESS);
        close_handle(agent, port);
        *(i ? &c.comm : &c.port) = NULL;
        close_connection(&c);
        winetest_pop_context();
    }
}

/* threads that wait at the side that disconnects */
static void test_own_waiters(struct agent *server, struct agent *client)
{
    struct agent *second[2] = { agent_beside(client), agent_beside(server) };
    struct connected c;
    struct agent *agent;
    HANDLE port;
    unsigned int i, k;

    for (i = 0; i < 2; i++)
        for (k = 0; k < 2; k++)
        {
            winetest_push_context("%s port, %s", port_names[i], k ? "request" : "receive");
            open_connection(&c, server, client);
            agent = port_of(&c, i, &port);
            if (k)
                begin_request(agent, port, "request", 7);
            else
                begin_receive(agent, port);
            ok(!finished(agent, 50), "[4.4] status %#lx\n", agent->call->status);
            ok_status("1.3", disconnect(second[i], port, 0), STATUS_SUCCESS);
            ok_status("4.11", end(agent), STATUS_PORT_DISCONNECTED);
            close_connection(&c);
            winetest_pop_context();
        }
    agent_stop(second[0]);
    agent_stop(second[1]);
}

/* the usual order, disconnect and then close, tells the peer once */
static void test_then_close(struct agent *server, struct agent *client)
{
    struct connected c;

    open_connection(&c, server, client);
    ok_status("1.3", disconnect(client, c.port, 0), STATUS_SUCCESS);
    expect_closed(server, c.listening);
    ok(server->call->context.PortContext == PORT_CONTEXT, "[4.11] PortContext %p\n", server->call->context.PortContext);
    close_handle(client, c.port);
    c.port = NULL;
    expect_nothing(server, c.listening, "1.3");
    close_connection(&c);

    open_connection(&c, server, client);
    ok_status("1.3", disconnect(server, c.comm, 0), STATUS_SUCCESS);
    expect_closed(client, c.port);
    close_handle(server, c.comm);
    c.comm = NULL;
    ok_status("7.9", receive(client, c.port), STATUS_PORT_DISCONNECTED);
    close_connection(&c);
}

/* each port can be disconnected once, whatever the other side has done */
static void test_both_sides(struct agent *server, struct agent *client)
{
    struct connected c;
    unsigned int first;

    for (first = 0; first < 2; first++)
    {
        struct agent *agents[2];
        HANDLE ports[2];

        winetest_push_context("%s port first", port_names[first]);
        open_connection(&c, server, client);
        agents[0] = port_of(&c, first, &ports[0]);
        agents[1] = port_of(&c, !first, &ports[1]);
        ok_status("1.3", disconnect(agents[0], ports[0], 0), STATUS_SUCCESS);
        ok_status("1.3", disconnect(agents[1], ports[1], 0), STATUS_SUCCESS);
        ok_status("1.3", disconnect(agents[0], ports[0], 0), STATUS_PORT_DISCONNECTED);
        ok_status("1.3", disconnect(agents[1], ports[1], 0), STATUS_PORT_DISCONNECTED);
        close_connection(&c);

        /* and when the other has closed its handle */
        open_connection(&c, server, client);
        agents[0] = port_of(&c, first, &ports[0]);
        agents[1] = port_of(&c, !first, &ports[1]);
        close_handle(agents[0], ports[0]);
        *(first ? &c.comm : &c.port) = NULL;
        ok_status("1.3", disconnect(agents[1], ports[1], 0), STATUS_SUCCESS);
        ok_status("1.3", disconnect(agents[1], ports[1], 0), STATUS_PORT_DISCONNECTED);
        close_connection(&c);
        winetest_pop_context();
    }
}

static void call_duplicate(struct call *call)
{
    call->status = DuplicateHandle(GetCurrentProcess(), call->port, GetCurrentProcess(), &call->handle, 0, FALSE,
                                   DUPLICATE_SAME_ACCESS)
                       ? STATUS_SUCCESS
                       : STATUS_UNSUCCESSFUL;
}

/* it is the port that is disconnected, not the handle */
static void test_duplicate(struct agent *server, struct agent *client)
{
    struct connected c;
    HANDLE duplicate;

    open_connection(&c, server, client);
    prepare(client)->port = c.port;
    ok_status("4.1", perform(client, call_duplicate), STATUS_SUCCESS);
    duplicate = client->call->handle;
    /* closing one handle of two is not closing the port */
    close_handle(client, c.port);
    c.port = duplicate;
    check_alive(&c);
    prepare(client)->port = duplicate;
    ok_status("4.1", perform(client, call_duplicate), STATUS_SUCCESS);
    c.port = client->call->handle;
    ok_status("1.3", disconnect(client, duplicate, 0), STATUS_SUCCESS);
    ok_status("1.3", disconnect(client, c.port, 0), STATUS_PORT_DISCONNECTED);
    ok_status("4.11", send_message(client, c.port, DATAGRAM, "datagram", 8), STATUS_PORT_DISCONNECTED);
    expect_closed(server, c.listening);
    close_handle(client, duplicate);
    expect_nothing(server, c.listening, "4.11");
    close_connection(&c);
}

/* a client that has not been accepted yet */
static void test_pending(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    NTSTATUS status;
    unsigned int seen;

    for (seen = 0; seen < 2; seen++)
    {
        winetest_push_context("%s", seen ? "received" : "not received");
        open_port(&c, server, client);
        c.port = connect_async(client, c.name, NULL, 0);
        ok_status("4.3", send_message(client, c.port, DATAGRAM, "early", 5), STATUS_SUCCESS);
        if (seen)
        {
            expect(server, c.listening, "4.3", LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED, NULL, 0);
            request = server->call->receive.header;
        }
        ok_status("1.3", disconnect(client, c.port, 0), STATUS_SUCCESS);
        ok_status("1.3", disconnect(client, c.port, 0), STATUS_PORT_DISCONNECTED);
        ok_status("4.11", send_message(client, c.port, DATAGRAM, "datagram", 8), STATUS_PORT_DISCONNECTED);
        ok_status("4.11", receive(client, c.port), STATUS_PORT_DISCONNECTED);
        if (seen)
        {
            status = accept_connection(server, c.listening, &request, PORT_CONTEXT, &c.comm);
            ok(status == STATUS_REQUEST_CANCELED || status == STATUS_INVALID_MESSAGE ||
                   status == STATUS_PORT_DISCONNECTED,
               "[7.8] status %#lx\n", status);
            c.comm = NULL;
        }
        expect_nothing(server, c.listening, "4.11");
        close_connection(&c);
        winetest_pop_context();
    }
}

/* ---------------------------------------------------------------------------------------------- connection ports */

/* [7, 39] connections stay, new ones are refused */
static void test_connection_port(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    struct connected c;
    struct call *call;
    NTSTATUS status;
    HANDLE port;

    open_connection(&c, server, client);
    begin_connect(second, c.name, NULL, 0); /* waits, not received */
    ok(!finished(second, 50), "[4.3] nobody can have accepted\n");
    ok_status("1.3", disconnect(server, c.listening, 0), STATUS_SUCCESS);
    ok_status("7.39", end(second), STATUS_PORT_CONNECTION_REFUSED);
    ok_status("1.3", disconnect(server, c.listening, 0), STATUS_PORT_DISCONNECTED);
    /* of the one that was refused nothing is told */
    expect_nothing(server, c.listening, "7.39");
    check_alive(&c);

    begin_connect(client, c.name, NULL, 0);
    ok_status("7.39", end(client), STATUS_PORT_CONNECTION_REFUSED);
    call = prepare(client);
    wcscpy(call->name, c.name);
    status = perform(client, call_connect);
    ok(status == STATUS_PORT_CONNECTION_REFUSED, "[7.39] status %#lx\n", status);
    if (!status)
        close_handle(client, call->handle);
    expect_nothing(server, c.listening, "7.39");

    /* the name goes with the port [4.2] */
    call = prepare(client);
    wcscpy(call->name, c.name);
    ok_status("4.2", perform(client, call_create), STATUS_OBJECT_NAME_COLLISION);
    check_alive(&c);
    /* clients that go are still told */
    close_handle(client, c.port);
    c.port = NULL;
    expect_closed(server, c.listening);
    close_connection(&c);
    port = create_port(server, c.name);
    close_handle(server, port);
    agent_stop(second);
}

/* a thread that waits for messages of those that are connected goes on waiting */
static void test_connection_port_waiter(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(server);
    struct connected c;

    open_connection(&c, server, client);
    begin_receive(second, c.listening);
    ok(!finished(second, 50), "[4.4] status %#lx\n", second->call->status);
    ok_status("1.3", disconnect(server, c.listening, 0), STATUS_SUCCESS);
    ok(!finished(second, 50), "[7.39] status %#lx\n", second->call->status);
    ok_status("4.4", send_message(client, c.port, DATAGRAM, "datagram", 8), STATUS_SUCCESS);
    ok_status("7.39", end(second), STATUS_SUCCESS);
    check_received(second, "7.39", LPC_DATAGRAM, "datagram", 8);
    close_connection(&c);
    agent_stop(second);
}

/* a request that was received, and is accepted or refused too late */
static void test_connection_port_seen(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    NTSTATUS status;
    unsigned int accept;

    for (accept = 0; accept < 2; accept++)
    {
        winetest_push_context("%s", accept ? "accept" : "refuse");
        open_port(&c, server, client);
        begin_connect(client, c.name, NULL, 0);
        expect(server, c.listening, "4.3", LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED, NULL, 0);
        request = server->call->receive.header;
        ok_status("1.3", disconnect(server, c.listening, 0), STATUS_SUCCESS);
        ok_status("7.39", end(client), STATUS_PORT_CONNECTION_REFUSED);
        ok(client->call->handle == UNTOUCHED_HANDLE, "[4.3] wrote %p\n", client->call->handle);
        status = accept ? accept_connection(server, c.listening, &request, PORT_CONTEXT, &c.comm)
                        : refuse_connection(server, c.listening, &request);
        ok(status == STATUS_INVALID_MESSAGE || status == STATUS_REQUEST_CANCELED || status == STATUS_PORT_DISCONNECTED,
           "[7.39] status %#lx\n", status);
        c.comm = NULL;
        close_connection(&c);
        winetest_pop_context();
    }
}

/* ports that nobody can connect to */
static void test_unnamed(struct agent *server, struct agent *client)
{
    HANDLE port;

    (void)client;
    prepare(server);
    ok_status("1.3", perform(server, call_create), STATUS_SUCCESS);
    port = server->call->handle;
    ok_status("1.3", disconnect(server, port, 0), STATUS_SUCCESS);
    ok_status("1.3", disconnect(server, port, 0), STATUS_PORT_DISCONNECTED);
    close_handle(server, port);
}

/* ---------------------------------------------------------------------------------------------- races */

/* several threads disconnect one port: one of them has done it */
static void test_race(struct agent *server, struct agent *client)
{
    struct agent *threads[4];
    struct connected c;
    unsigned int i, round;

    threads[0] = client;
    for (i = 1; i < ARRAY_SIZE(threads); i++)
        threads[i] = agent_beside(client);
    for (round = 0; round < 30; round++)
    {
        unsigned int done = 0, late = 0;

        open_connection(&c, server, client);
        for (i = 0; i < ARRAY_SIZE(threads); i++)
        {
            prepare(threads[i])->port = c.port;
            begin(threads[i], call_disconnect);
        }
        for (i = 0; i < ARRAY_SIZE(threads); i++)
        {
            NTSTATUS status = end(threads[i]);

            done += status == STATUS_SUCCESS;
            late += status == STATUS_PORT_DISCONNECTED;
        }
        ok(done == 1 && late == ARRAY_SIZE(threads) - 1, "[1.3] %u succeeded, %u were late\n", done, late);
        expect_closed(server, c.listening);
        expect_nothing(server, c.listening, "4.11");
        close_connection(&c);
    }
    for (i = 1; i < ARRAY_SIZE(threads); i++)
        agent_stop(threads[i]);
}

START_TEST(disconnect)
{
    if (agent_main())
        return;
    RUN(test_handles);
    RUN(test_flags);
    RUN(test_closed_handle);
    RUN(test_twice);
    RUN(test_own_side);
    RUN(test_own_waiters);
    RUN(test_then_close);
    RUN(test_both_sides);
    RUN(test_duplicate);
    RUN(test_pending);
    RUN(test_connection_port);
    RUN(test_connection_port_waiter);
    RUN(test_connection_port_seen);
    RUN(test_unnamed);
    RUN(test_race);
    end_tests();
}
