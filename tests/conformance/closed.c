/*
 * What is told when one side of a connection goes [alpc.md 4.11]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "agent.h"

#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define REQUEST_TYPE (LPC_REQUEST | LPC_CONTINUATION_REQUIRED)

/* ---------------------------------------------------------------------------------------------- ways to go */

enum way
{
    CLOSE,
    DISCONNECT,
    NO_FLUSH, /* disconnect, but leave what the peer holds */
    DIE,      /* only where the agents are processes */
    WAYS
};

static const char *const way_names[WAYS] = { "close", "disconnect", "disconnect without flush", "death" };

/* whether there is a way; must be followed by way_end if so */
static BOOL way_begin(const struct agent *agent, enum way way)
{
    if (way == DIE && !agent->process)
        return FALSE;
    winetest_push_context("%s", way_names[way]);
    return TRUE;
}

#define way_end() winetest_pop_context()

/* one that may die */
static struct agent *agent_for(struct agent *agent, enum way way)
{
    return way == DIE ? agent_process() : agent;
}

/* lets the agent's side of a connection go; *port is NULL then if it need not be closed any more */
static void leave(struct agent *agent, HANDLE *port, enum way way)
{
    switch (way)
    {
    case CLOSE:
        close_handle(agent, *port);
        *port = NULL;
        break;
    case DISCONNECT:
    case NO_FLUSH:
        ok_status("1.3", disconnect(agent, *port, way == NO_FLUSH ? ALPC_DISCONNECTFLG_NO_FLUSH_ON_CLOSE : 0),
                  STATUS_SUCCESS);
        break;
    default:
        agent_kill(agent);
        *port = NULL;
    }
}

/* ---------------------------------------------------------------------------------------------- notices */

#define expect_closed(agent, port) expect_closed_(__FILE__, __LINE__, agent, port)

static void expect_closed_(const char *file, int line, struct agent *agent, HANDLE port)
{
    const struct big_message *message = &agent->call->receive;
    NTSTATUS status = receive(agent, port);

    ok_(file, line)(!status, "[4.11] expected LPC_PORT_CLOSED: status %#lx\n", status);
    if (status)
        return;
    /* programs compare the whole Type [3.6] */
    ok_(file, line)((USHORT)message->header.u2.s2.Type == LPC_PORT_CLOSED,
                    "[3.6] type %#x instead of LPC_PORT_CLOSED\n", (USHORT)message->header.u2.s2.Type);
    ok_(file, line)((USHORT)message->header.u1.s1.DataLength >= sizeof(ULONG) &&
                        (USHORT)message->header.u1.s1.TotalLength ==
                            sizeof(message->header) + (USHORT)message->header.u1.s1.DataLength,
                    "[4.11] lengths %#x, %#x\n", message->header.u1.s1.DataLength, message->header.u1.s1.TotalLength);
    ok_(file, line)(*(const ULONG *)message->data, "[7.11] the data is zero\n");
    ok_(file, line)(message->header.MessageId, "[7.11] MessageId is zero\n");
}

/* what the context attribute of the last message says about the client */
#define check_context(agent, context) check_context_(__FILE__, __LINE__, agent, context)

static void check_context_(const char *file, int line, struct agent *agent, PVOID context)
{
    ok_(file, line)(agent->call->valid & ALPC_MESSAGE_CONTEXT_ATTRIBUTE, "[4.8.1] ValidAttributes %#lx\n",
                    agent->call->valid);
    ok_(file, line)(agent->call->context.PortContext == context, "[4.8.1] PortContext %p instead of %p\n",
                    agent->call->context.PortContext, context);
}

/* id: of the message that was canceled; 0 = any */
#define expect_canceled(agent, port, id) expect_canceled_(__FILE__, __LINE__, agent, port, id)

static void expect_canceled_(const char *file, int line, struct agent *agent, HANDLE port, ULONG id)
{
    expect_(file, line, agent, port, "4.11", LPC_CANCELED, NULL, 0);
    ok_(file, line)(!id || agent->call->receive.header.MessageId == id, "[4.11] MessageId %#lx instead of %#lx\n",
                    agent->call->receive.header.MessageId, id);
}

/* that the server knows that this client has gone, and nothing else follows */
static void expect_last(struct connected *c)
{
    expect_closed(c->server, c->listening);
    check_context(c->server, PORT_CONTEXT);
    expect_nothing(c->server, c->listening, "4.11");
}

/* an asynchronous request: its id */
static ULONG send_request(struct agent *agent, HANDLE port, const char *data)
{
    ok_status("4.4", send_message(agent, port, 0, data, strlen(data)), STATUS_SUCCESS);
    return agent->call->send.header.MessageId;
}

static PORT_MESSAGE expect_request(struct agent *agent, HANDLE port, const char *data)
{
    expect(agent, port, "4.4", REQUEST_TYPE, data, strlen(data));
    return agent->call->receive.header;
}

/* nothing can be sent any more, in whatever way */
static void check_sending(struct agent *agent, HANDLE port, NTSTATUS expected)
{
    ok_status("4.11", send_message(agent, port, DATAGRAM, "datagram", 8), expected);
    ok_status("4.11", send_message(agent, port, 0, "request", 7), expected);
    begin_request(agent, port, "sync", 4);
    ok_status("4.11", end(agent), expected);
}

/* ---------------------------------------------------------------------------------------------- the client goes */

/* that a process has ended may be known before that its ports have closed */
static void client_leaves(struct connected *c, enum way way)
{
    unsigned int i;

    leave(c->client, &c->port, way);
    for (i = 0; way == DIE && i < HANG / 10 && !send_message(c->server, c->comm, DATAGRAM, "", 0); i++)
        Sleep(10);
}

static void test_client_goes(struct agent *server, struct agent *client)
{
    struct connected c;
    enum way way;

    for (way = 0; way < WAYS; way++)
    {
        if (!way_begin(server, way))
            continue;
        open_connection(&c, server, agent_for(client, way));
        client_leaves(&c, way);
        expect_last(&c);
        check_sending(server, c.comm, STATUS_PORT_DISCONNECTED);
        ok_status("7.10", receive(server, c.comm), STATUS_PORT_DISCONNECTED);
        close_handle(server, c.comm);
        c.comm = NULL;
        expect_nothing(server, c.listening, "4.11");
        close_connection(&c);
        way_end();
    }
}

/* the notice goes to a thread that waits for a message */
static void test_server_waits(struct agent *server, struct agent *client)
{
    struct connected c;
    enum way way;

    for (way = 0; way < WAYS; way++)
    {
        if (!way_begin(server, way))
            continue;
        open_connection(&c, server, agent_for(client, way));
        begin_receive(server, c.listening);
        ok(!finished(server, 50), "[4.4] there was nothing to receive\n");
        leave(c.client, &c.port, way);
        ok_status("4.11", end(server), STATUS_SUCCESS);
        ok((USHORT)server->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n",
           server->call->receive.header.u2.s2.Type);
        check_context(server, PORT_CONTEXT);
        expect_nothing(server, c.listening, "4.11");
        close_connection(&c);
        way_end();
    }
}

/* when the call has come back, the other side can see it */
static void test_at_once(struct agent *server, struct agent *client)
{
    struct connected c;
    unsigned int round;

    for (round = 0; round < 40; round++)
    {
        enum way way = round % DIE;

        winetest_push_context("round %u", round);
        open_connection(&c, server, client);
        ok_status("4.4", send_message(client, c.port, DATAGRAM, "", 0), STATUS_SUCCESS);
        leave(client, &c.port, way);
        ok_status("4.11", receive_now(server, c.listening), STATUS_SUCCESS);
        check_received(server, "4.11", LPC_CANCELED, NULL, 0);
        ok_status("4.11", receive_now(server, c.listening), STATUS_SUCCESS);
        ok((USHORT)server->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n",
           server->call->receive.header.u2.s2.Type);
        close_connection(&c);

        open_connection(&c, server, client);
        ok_status("4.4", send_message(client, c.port, DATAGRAM, "", 0), STATUS_SUCCESS);
        leave(server, &c.comm, way);
        ok_status("4.11", receive_now(client, c.port), STATUS_SUCCESS);
        ok((USHORT)client->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n",
           client->call->receive.header.u2.s2.Type);
        expect_nothing(server, c.listening, "4.11");
        close_connection(&c);
        winetest_pop_context();
    }
}

/* messages that were sent, but not received */
static void test_client_undelivered(struct agent *server, struct agent *client)
{
    static BYTE large[40000];
    struct connected c;
    unsigned int i;
    enum way way;
    ULONG ids[3];

    for (way = 0; way < WAYS; way++)
    {
        if (!way_begin(server, way))
            continue;
        open_connection(&c, server, agent_for(client, way));
        ids[0] = ids[2] = 0;
        ok_status("4.4", send_message(c.client, c.port, DATAGRAM, "first", 5), STATUS_SUCCESS);
        ids[1] = send_request(c.client, c.port, "request");
        ok_status("4.4", send_message(c.client, c.port, DATAGRAM, large, sizeof(large)), STATUS_SUCCESS);
        client_leaves(&c, way);
        for (i = 0; i < ARRAY_SIZE(ids); i++)
        {
            expect_canceled(server, c.listening, ids[i]);
            check_context(server, PORT_CONTEXT);
        }
        expect_last(&c);
        close_connection(&c);
        way_end();
    }
}

/* what was received before is told before; what was sent before the client went comes before that it has gone */
static void test_partly_received(struct agent *server, struct agent *client)
{
    struct connected c;
    BYTE number;
    enum way way;

    for (way = 0; way < WAYS; way++)
    {
        if (!way_begin(server, way))
            continue;
        open_connection(&c, server, agent_for(client, way));
        for (number = 0; number < 40; number++)
            ok_status("4.4", send_message(c.client, c.port, DATAGRAM, &number, 1), STATUS_SUCCESS);
        for (number = 0; number < 20; number++)
            expect(server, c.listening, "4.7", LPC_DATAGRAM, &number, 1);
        client_leaves(&c, way);
        for (number = 20; number < 40; number++)
            expect_canceled(server, c.listening, 0);
        expect_last(&c);
        close_connection(&c);
        way_end();
    }
}

/* requests that the server has received and not answered: the recorded order is canceled, closed, canceled, canceled */
static void test_client_retained(struct agent *server, struct agent *client)
{
    static const char *const names[] = { "1", "2", "3" };
    struct connected c;
    PORT_MESSAGE requests[3];
    unsigned int i;
    enum way way;

    for (way = 0; way < WAYS; way++)
    {
        if (!way_begin(server, way))
            continue;
        open_connection(&c, server, agent_for(client, way));
        for (i = 0; i < 3; i++)
            send_request(c.client, c.port, names[i]);
        for (i = 0; i < 3; i++)
            requests[i] = expect_request(server, c.listening, names[i]);
        ok_status("4.4", send_message(c.client, c.port, DATAGRAM, "undelivered", 11), STATUS_SUCCESS);
        client_leaves(&c, way);
        expect_canceled(server, c.listening, 0);
        if (way == NO_FLUSH)
            expect_last(&c);
        else
        {
            expect_canceled(server, c.listening, requests[0].MessageId);
            check_context(server, PORT_CONTEXT);
            expect_closed(server, c.listening);
            check_context(server, PORT_CONTEXT);
            for (i = 1; i < 3; i++)
            {
                expect_canceled(server, c.listening, requests[i].MessageId);
                check_context(server, PORT_CONTEXT);
            }
            expect_nothing(server, c.listening, "4.11");
        }
        close_connection(&c);
        way_end();
    }
}

/* the same with messages that were answered without being released */
static void test_client_not_released(struct agent *server, struct agent *client)
{
    static const char *const names[] = { "1", "2", "3" };
    struct connected c;
    PORT_MESSAGE requests[3];
    unsigned int i;
    enum way way;

    for (way = 0; way < WAYS; way++)
    {
        if (way == NO_FLUSH || !way_begin(server, way))
            continue;
        open_connection(&c, server, agent_for(client, way));
        for (i = 0; i < 3; i++)
        {
            begin_request(c.client, c.port, names[i], 1);
            requests[i] = expect_request(server, c.listening, names[i]);
            ok_status("4.5", answer(server, c.listening, 0, &requests[i], "answer", 6), STATUS_SUCCESS);
            ok_status("4.4", end(c.client), STATUS_SUCCESS);
            check_received(c.client, "4.4", REQUEST_TYPE, "answer", 6);
        }
        client_leaves(&c, way);
        expect_canceled(server, c.listening, requests[0].MessageId);
        expect_closed(server, c.listening);
        for (i = 1; i < 3; i++)
            expect_canceled(server, c.listening, requests[i].MessageId);
        expect_nothing(server, c.listening, "4.5");
        close_connection(&c);
        way_end();
    }
}

/* answers that come too late: the requester's port has gone */
static void test_late_answer(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    NTSTATUS status;
    enum way way;

    for (way = 0; way < WAYS; way++)
    {
        if (!way_begin(server, way))
            continue;
        open_connection(&c, server, agent_for(client, way));
        send_request(c.client, c.port, "request");
        request = expect_request(server, c.listening, "request");
        client_leaves(&c, way);
        status = answer(server, c.listening, DATAGRAM, &request, "late", 4);
        ok(status == STATUS_REQUEST_CANCELED || status == STATUS_PORT_DISCONNECTED, "[7.12] status %#lx\n", status);
        if (way == NO_FLUSH)
            expect_last(&c);
        else
        {
            expect_canceled(server, c.listening, request.MessageId);
            expect_last(&c);
            status = answer(server, c.listening, DATAGRAM, &request, "late", 4);
            /* by now the message has come to its end [4.5] */
            ok(status == STATUS_INVALID_MESSAGE || status == STATUS_REQUEST_CANCELED ||
                   status == STATUS_PORT_DISCONNECTED,
               "[4.5] status %#lx\n", status);
        }
        close_connection(&c);
        way_end();
    }
}

/* requests of the server's: one not received, one received, one waited for */
static void test_requests_of_server(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(server);
    struct connected c;
    enum way way;

    for (way = 0; way < WAYS; way++)
    {
        if (!way_begin(server, way))
            continue;
        open_connection(&c, server, agent_for(client, way));
        begin_request(second, c.comm, "sync", 4);
        expect_request(c.client, c.port, "sync");
        send_request(server, c.comm, "received");
        expect_request(c.client, c.port, "received");
        send_request(server, c.comm, "undelivered");
        client_leaves(&c, way);
        ok_status("4.11", end(second), STATUS_PORT_DISCONNECTED);
        /* of its own messages the server need not be told */
        expect_last(&c);
        close_connection(&c);
        way_end();
    }
    agent_stop(second);
}

/* a client that goes while it waits for an answer */
static void test_waiting_client(struct agent *server, struct agent *client)
{
    struct agent *second;
    struct connected c;
    PORT_MESSAGE request;
    unsigned int seen;
    enum way way;

    for (way = 0; way < WAYS; way++)
    {
        for (seen = 0; seen < 2; seen++)
        {
            if (!way_begin(server, way))
                continue;
            open_connection(&c, server, agent_for(client, way));
            second = way == DIE ? NULL : agent_beside(client);
            begin_request(c.client, c.port, "sync", 4);
            if (seen)
                request = expect_request(server, c.listening, "sync");
            else
                ok(!finished(c.client, 50), "[4.4] nobody can have answered\n");
            if (way == DIE)
                client_leaves(&c, way);
            else
            {
                HANDLE port = c.port;

                leave(second, &port, way);
                ok_status("4.11", end(client), way == CLOSE ? STATUS_PORT_CLOSED : STATUS_PORT_DISCONNECTED);
                c.port = port;
            }
            /* which comes first, that the request is void or that the client has gone, nobody has recorded here; a
             * request that was not seen may have been taken back before the port went */
            if (seen)
            {
                BOOL closed = FALSE, canceled = FALSE;
                unsigned int i;

                for (i = 0; i < 2; i++)
                {
                    ok_status("4.11", receive(server, c.listening), STATUS_SUCCESS);
                    check_context(server, PORT_CONTEXT);
                    if ((USHORT)server->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED)
                        closed = TRUE;
                    else if ((USHORT)server->call->receive.header.u2.s2.Type == LPC_CANCELED &&
                             server->call->receive.header.MessageId == request.MessageId)
                        canceled = TRUE;
                }
                ok(closed && canceled, "[4.11] closed %u, canceled %u\n", closed, canceled);
                expect_nothing(server, c.listening, "4.11");
            }
            else
            {
                ok_status("4.11", receive(server, c.listening), STATUS_SUCCESS);
                if ((USHORT)server->call->receive.header.u2.s2.Type == LPC_CANCELED)
                    expect_last(&c);
                else
                {
                    ok((USHORT)server->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n",
                       server->call->receive.header.u2.s2.Type);
                    expect_nothing(server, c.listening, "4.11");
                }
            }
            agent_stop(second);
            close_connection(&c);
            way_end();
        }
    }
}

/* threads that wait on a port while another closes it [4.4] */
static void test_closed_under_waiter(struct agent *server, struct agent *client)
{
    struct agent *second[2] = { agent_beside(server), agent_beside(client) };
    struct connected c;

    open_connection(&c, server, client);
    begin_receive(client, c.port);
    ok(!finished(client, 50), "[4.4] there was nothing to receive\n");
    close_handle(second[1], c.port);
    c.port = NULL;
    ok_status("4.4", end(client), STATUS_PORT_CLOSED);
    expect_last(&c);
    begin_receive(server, c.comm);
    ok_status("7.10", end(server), STATUS_PORT_DISCONNECTED);
    begin_receive(server, c.listening);
    ok(!finished(server, 50), "[4.4] there was nothing to receive\n");
    close_handle(second[0], c.listening);
    c.listening = NULL;
    ok_status("4.4", end(server), STATUS_PORT_CLOSED);
    close_connection(&c);

    open_connection(&c, server, client);
    begin_receive(server, c.comm);
    ok(!finished(server, 50), "[7.10] there was nothing to receive\n");
    close_handle(second[0], c.comm);
    c.comm = NULL;
    ok_status("4.4", end(server), STATUS_PORT_CLOSED);
    close_connection(&c);
    agent_stop(second[0]);
    agent_stop(second[1]);
}

/* a thread that dies takes back what it waited for, and nothing else */
static void test_thread_dies(struct agent *server, struct agent *client)
{
    struct agent *second;
    struct connected c;
    PORT_MESSAGE request;
    unsigned int seen;

    for (seen = 0; seen < 2; seen++)
    {
        winetest_push_context("%s", seen ? "received" : "not received");
        open_connection(&c, server, client);
        second = agent_beside(client);
        ok_status("4.4", send_message(second, c.port, DATAGRAM, "before", 6), STATUS_SUCCESS);
        expect(server, c.listening, "4.7", LPC_DATAGRAM, "before", 6);
        send_request(second, c.port, "async");
        begin_request(second, c.port, "sync", 4);
        ok(!finished(second, 50), "[4.4] nobody can have answered\n");
        request = expect_request(server, c.listening, "async");
        ok_status("4.5", answer(server, c.listening, DATAGRAM, &request, "answer", 6), STATUS_SUCCESS);
        if (seen)
            request = expect_request(server, c.listening, "sync");
        agent_kill_thread(second);
        if (seen)
        {
            expect_canceled(server, c.listening, request.MessageId);
            check_context(server, PORT_CONTEXT);
        }
        expect_nothing(server, c.listening, "4.19");
        /* the port is the process's, and so is the answer to an asynchronous request */
        expect(client, c.port, "4.5", LPC_REPLY, "answer", 6);
        ok_status("4.4", send_message(client, c.port, DATAGRAM, "after", 5), STATUS_SUCCESS);
        expect(server, c.listening, "4.7", LPC_DATAGRAM, "after", 5);
        close_connection(&c);
        winetest_pop_context();
    }
}

/* of two clients one goes: the other notices nothing, and the server can tell which it was */
static void test_other_client(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    PVOID const context = (PVOID)(ULONG_PTR)0x77770;
    struct connected c[2];
    PORT_MESSAGE request;
    enum way way;

    for (way = 0; way < WAYS; way++)
    {
        if (!way_begin(server, way))
            continue;
        open_connection(&c[0], server, agent_for(client, way));
        open_another(&c[1], &c[0], second, context);
        ok_status("4.4", send_message(c[0].client, c[0].port, DATAGRAM, "a", 1), STATUS_SUCCESS);
        ok_status("4.4", send_message(second, c[1].port, DATAGRAM, "b", 1), STATUS_SUCCESS);
        client_leaves(&c[0], way);
        begin_request(second, c[1].port, "request", 7);
        expect_canceled(server, c[0].listening, 0);
        check_context(server, PORT_CONTEXT);
        expect(server, c[0].listening, "4.7", LPC_DATAGRAM, "b", 1);
        check_context(server, context);
        /* the other's request may have been sent before the notice */
        ok_status("4.11", receive(server, c[0].listening), STATUS_SUCCESS);
        if ((USHORT)server->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED)
        {
            check_context(server, PORT_CONTEXT);
            request = expect_request(server, c[0].listening, "request");
        }
        else
        {
            check_received(server, "4.4", REQUEST_TYPE, "request", 7);
            request = server->call->receive.header;
            expect_closed(server, c[0].listening);
            check_context(server, PORT_CONTEXT);
        }
        expect_nothing(server, c[0].listening, "4.11");
        ok_status("4.5", answer(server, c[1].comm, DATAGRAM, &request, "answer", 6), STATUS_SUCCESS);
        ok_status("4.4", end(second), STATUS_SUCCESS);
        check_received(second, "4.4", LPC_REPLY, "answer", 6);
        expect_nothing(second, c[1].port, "4.11");
        close_connection(&c[1]);
        close_connection(&c[0]);
        way_end();
    }
    agent_stop(second);
}

/* a client that is killed while it sends: what arrives has no gap, and then comes the end */
static void test_dies_sending(struct agent *server, struct agent *client)
{
    unsigned int round;

    (void)client;
    for (round = 0; server->process && round < 4; round++)
    {
        struct connected c;
        struct call *call;
        ULONG number = 0, canceled = 0;
        NTSTATUS status;

        open_connection(&c, server, agent_process());
        call = prepare(c.client);
        call->port = c.port;
        call->flags = DATAGRAM;
        set_message(call, &number, sizeof(number));
        call->count = 2000000000;
        begin(c.client, call_send_many);
        for (; number < 100 + round * 300; number++)
            expect(server, c.listening, "4.7", LPC_DATAGRAM, &number, sizeof(number));
        agent_kill(c.client);
        c.port = NULL;
        while (!(status = receive(server, c.listening)) &&
               (USHORT)server->call->receive.header.u2.s2.Type == LPC_DATAGRAM)
        {
            ok(!memcmp(server->call->receive.data, &number, sizeof(number)), "[4.7] number %lu instead of %lu\n",
               *(ULONG *)server->call->receive.data, number);
            number++;
        }
        while (!status && (USHORT)server->call->receive.header.u2.s2.Type == LPC_CANCELED)
        {
            canceled++;
            status = receive(server, c.listening);
        }
        ok_status("4.11", status, STATUS_SUCCESS);
        ok((USHORT)server->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED,
           "[4.11] type %#x after %lu messages and %lu canceled ones\n", server->call->receive.header.u2.s2.Type,
           number, canceled);
        expect_nothing(server, c.listening, "4.11");
        close_connection(&c);
    }
}

/* ---------------------------------------------------------------------------------------------- the server goes */

/* what a server can close: each ends the connection */
enum which
{
    COMMUNICATION,
    CONNECTION
};

static void server_leaves(struct connected *c, enum way way, enum which which)
{
    leave(c->server, which == CONNECTION ? &c->listening : &c->comm, way);
    if (way == DIE)
        c->listening = c->comm = NULL;
}

/* the same, and by then the client's side knows; the client must be idle */
static void server_has_left(struct connected *c, enum way way, enum which which)
{
    NTSTATUS status = STATUS_SUCCESS;

    server_leaves(c, way, which);
    while (way == DIE && !status)
    {
        begin_connect(c->client, c->name, NULL, 0);
        status = end(c->client);
        if (!status)
            close_handle(c->client, c->client->call->handle);
    }
    ok(way != DIE || status == STATUS_OBJECT_NAME_NOT_FOUND || status == STATUS_PORT_CONNECTION_REFUSED,
       "[4.3] status %#lx\n", status);
}

/* calls test for every way in which a server can go */
static void for_servers(struct agent *server, struct agent *client,
                        void (*test)(struct connected *c, enum way way, enum which which))
{
    struct connected c;
    enum which which;
    enum way way;

    for (way = 0; way < WAYS; way++)
        for (which = COMMUNICATION; which <= CONNECTION; which++)
        {
            /* connections outlive the disconnecting of their connection port [7, 39] */
            if ((which == CONNECTION && way != CLOSE) || !way_begin(server, way))
                continue;
            winetest_push_context("%s port", which == CONNECTION ? "connection" : "communication");
            open_connection(&c, agent_for(server, way), client);
            test(&c, way, which);
            if (c.listening)
                expect_nothing(server, c.listening, "4.11");
            close_connection(&c);
            winetest_pop_context();
            way_end();
        }
}

/* the client is told once, then it gets a status */
static void check_client_told(struct connected *c)
{
    expect_closed(c->client, c->port);
    check_context(c->client, NULL);
    ok_status("7.9", receive(c->client, c->port), STATUS_PORT_DISCONNECTED);
    ok_status("7.9", receive_now(c->client, c->port), STATUS_PORT_DISCONNECTED);
    check_sending(c->client, c->port, STATUS_PORT_DISCONNECTED);
    ok_status("7.9", receive(c->client, c->port), STATUS_PORT_DISCONNECTED);
}

static void server_goes(struct connected *c, enum way way, enum which which)
{
    server_has_left(c, way, which);
    if (c->comm)
    {
        check_sending(c->server, c->comm, STATUS_PORT_DISCONNECTED);
        ok_status("7.10", receive(c->server, c->comm), STATUS_PORT_DISCONNECTED);
    }
    /* a client that has not been told yet finds out by sending too */
    check_sending(c->client, c->port, STATUS_PORT_DISCONNECTED);
    check_client_told(c);
}

static void test_server_goes(struct agent *server, struct agent *client)
{
    for_servers(server, client, server_goes);
}

static void server_goes_client_receives(struct connected *c, enum way way, enum which which)
{
    begin_receive(c->client, c->port);
    ok(!finished(c->client, 50), "[4.4] there was nothing to receive\n");
    server_leaves(c, way, which);
    ok_status("4.11", end(c->client), STATUS_SUCCESS);
    ok((USHORT)c->client->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n",
       c->client->call->receive.header.u2.s2.Type);
    ok_status("7.9", receive(c->client, c->port), STATUS_PORT_DISCONNECTED);
}

static void test_client_receives(struct agent *server, struct agent *client)
{
    for_servers(server, client, server_goes_client_receives);
}

static void server_goes_unseen(struct connected *c, enum way way, enum which which)
{
    begin_request(c->client, c->port, "sync", 4);
    ok(!finished(c->client, 50), "[4.4] nobody can have answered\n");
    server_leaves(c, way, which);
    ok_status("7.6", end(c->client), STATUS_PORT_DISCONNECTED);
    check_client_told(c);
}

static void server_goes_seen(struct connected *c, enum way way, enum which which)
{
    PORT_MESSAGE request;

    begin_request(c->client, c->port, "sync", 4);
    request = expect_request(c->server, c->listening, "sync");
    server_leaves(c, way, which);
    ok_status("7.6", end(c->client), STATUS_PORT_DISCONNECTED);
    if (c->listening)
    {
        NTSTATUS status = answer(c->server, c->listening, DATAGRAM, &request, "late", 4);

        ok(status == STATUS_INVALID_MESSAGE || status == STATUS_REQUEST_CANCELED || status == STATUS_PORT_DISCONNECTED,
           "[7.12] status %#lx\n", status);
    }
    check_client_told(c);
}

/* a client that waits for an answer is told promptly that none will come */
static void test_client_requests(struct agent *server, struct agent *client)
{
    for_servers(server, client, server_goes_unseen);
    for_servers(server, client, server_goes_seen);
}

/* an answer that was given before the server went counts */
static void server_goes_after_answer(struct connected *c, enum way way, enum which which)
{
    PORT_MESSAGE request;

    begin_request(c->client, c->port, "sync", 4);
    request = expect_request(c->server, c->listening, "sync");
    ok_status("4.5", answer(c->server, c->listening, DATAGRAM, &request, "answer", 6), STATUS_SUCCESS);
    server_leaves(c, way, which);
    ok_status("4.4", end(c->client), STATUS_SUCCESS);
    check_received(c->client, "4.4", LPC_REPLY, "answer", 6);
    check_client_told(c);
}

static void test_answered_before(struct agent *server, struct agent *client)
{
    for_servers(server, client, server_goes_after_answer);
}

/* what the server sent and the client has not received; what the client has received and not answered */
static void server_goes_undelivered(struct connected *c, enum way way, enum which which)
{
    PORT_MESSAGE request;
    NTSTATUS status;
    ULONG id;

    send_request(c->server, c->comm, "retained");
    request = expect_request(c->client, c->port, "retained");
    ok_status("4.4", send_message(c->server, c->comm, DATAGRAM, "1", 1), STATUS_SUCCESS);
    id = send_request(c->server, c->comm, "2");
    server_has_left(c, way, which);
    expect_canceled(c->client, c->port, 0);
    expect_canceled(c->client, c->port, id);
    /* as on the other side, in the order of 4.11 */
    if (way != NO_FLUSH)
        expect_canceled(c->client, c->port, request.MessageId);
    check_client_told(c);
    status = answer(c->client, c->port, DATAGRAM, &request, "late", 4);
    ok(status == STATUS_INVALID_MESSAGE || status == STATUS_REQUEST_CANCELED || status == STATUS_PORT_DISCONNECTED,
       "[7.12] status %#lx\n", status);
}

static void test_server_undelivered(struct agent *server, struct agent *client)
{
    for_servers(server, client, server_goes_undelivered);
}

/* what a server that has closed its communication port does not want to know: the rest of the client's messages */
static void test_server_drops(struct agent *server, struct agent *client)
{
    struct connected c[2];
    unsigned int i;

    for (i = 0; i < 2; i++)
    {
        winetest_push_context("%s", i ? "client gone" : "client there");
        open_connection(&c[0], server, client);
        open_another(&c[1], &c[0], client, NULL);
        ok_status("4.4", send_message(client, c[0].port, DATAGRAM, "dropped", 7), STATUS_SUCCESS);
        ok_status("4.4", send_message(client, c[1].port, DATAGRAM, "1", 1), STATUS_SUCCESS);
        send_request(client, c[0].port, "dropped");
        ok_status("4.4", send_message(client, c[1].port, DATAGRAM, "2", 1), STATUS_SUCCESS);
        if (i)
        {
            close_handle(client, c[0].port);
            c[0].port = NULL;
        }
        close_handle(server, c[0].comm);
        c[0].comm = NULL;
        expect(server, c[0].listening, "4.11", LPC_DATAGRAM, "1", 1);
        expect(server, c[0].listening, "4.11", LPC_DATAGRAM, "2", 1);
        expect_nothing(server, c[0].listening, "4.11");
        if (c[0].port)
            check_client_told(&c[0]);
        close_connection(&c[1]);
        close_connection(&c[0]);
        winetest_pop_context();
    }
}

/* the connection port closes: every connection ends with it [4.11] */
static void test_connection_port(struct agent *server, struct agent *client)
{
    struct connected c[3];
    unsigned int i;

    open_connection(&c[0], server, client);
    for (i = 1; i < ARRAY_SIZE(c); i++)
        open_another(&c[i], &c[0], client, NULL);
    close_handle(server, c[0].listening);
    c[0].listening = NULL;
    for (i = 0; i < ARRAY_SIZE(c); i++)
    {
        check_client_told(&c[i]);
        check_sending(server, c[i].comm, STATUS_PORT_DISCONNECTED);
    }
    for (i = ARRAY_SIZE(c); i--;)
        close_connection(&c[i]);
}

/* sends until it fails */
static void call_flood(struct call *call)
{
    do
    {
        call->send.header.MessageId = 0;
        call->status = NtAlpcSendWaitReceivePort(call->port, call->flags, &call->send.header, NULL,
                                                 call->receives ? &call->receive.header : NULL,
                                                 call->receives ? &call->length : NULL, NULL, NULL);
        call->count++;
    } while (!call->status || call->status == STATUS_INSUFFICIENT_RESOURCES);
}

/* receives and answers until it fails */
static void call_serve(struct call *call)
{
    struct big_message *message = &call->receive;

    call->status = STATUS_SUCCESS;
    while (!call->status)
    {
        SIZE_T length = sizeof(*message);

        call->status = NtAlpcSendWaitReceivePort(call->port, 0, NULL, NULL, &message->header, &length, NULL, NULL);
        call->count++;
        if (!call->status && message->header.u2.s2.Type & LPC_CONTINUATION_REQUIRED)
            NtAlpcSendWaitReceivePort(call->port, DATAGRAM, &message->header, NULL, NULL, NULL, NULL, NULL);
    }
}

/* a server that goes while its client sends one message after the other */
static void test_goes_while_client_sends(struct agent *server, struct agent *client)
{
    static const ULONG flags[] = { DATAGRAM, 0, ALPC_MSGFLG_SYNC_REQUEST };
    unsigned int i;
    enum way way;

    for (way = 0; way < WAYS; way++)
        for (i = 0; i < ARRAY_SIZE(flags); i++)
        {
            struct agent *own, *second;
            struct connected c;
            struct call *call;

            if (!way_begin(server, way))
                continue;
            winetest_push_context("flags %#lx", flags[i]);
            own = agent_for(server, way);
            open_connection(&c, own, client);
            second = way == DIE ? NULL : agent_beside(server);
            call = prepare(own);
            call->port = c.listening;
            begin(own, call_serve);
            call = prepare(client);
            call->port = c.port;
            call->flags = flags[i];
            set_message(call, "flood", 5);
            call->receives = flags[i] == ALPC_MSGFLG_SYNC_REQUEST;
            call->length = sizeof(call->receive);
            begin(client, call_flood);
            ok(!finished(client, 100), "[4.11] status %#lx\n", client->call->status);
            if (way == DIE)
            {
                leave(own, &c.comm, way);
                c.listening = NULL;
            }
            else
                leave(second, &c.comm, way);
            ok_status("4.11", end(client), STATUS_PORT_DISCONNECTED);
            if (way != DIE)
            {
                ok(!finished(own, 20), "[4.11] the connection port: status %#lx\n", own->call->status);
                close_handle(second, c.listening);
                c.listening = NULL;
                ok_status("4.4", end(own), STATUS_PORT_CLOSED);
            }
            agent_stop(second);
            close_connection(&c);
            winetest_pop_context();
            way_end();
        }
}

/* both go at the same time: nobody waits for the other */
static void test_both_go(struct agent *server, struct agent *client)
{
    unsigned int round;

    for (round = 0; round < 50; round++)
    {
        struct connected c;

        open_connection(&c, server, client);
        send_request(client, c.port, "request");
        send_request(server, c.comm, "request");
        prepare(client)->port = c.port;
        prepare(server)->port = c.comm;
        begin(client, call_close);
        begin(server, call_close);
        ok_status("4.11", end(client), STATUS_SUCCESS);
        ok_status("4.11", end(server), STATUS_SUCCESS);
        expect_nothing(server, c.listening, "4.11");
        close_handle(server, c.listening);
    }
}

START_TEST(closed)
{
    if (agent_main())
        return;
    RUN(test_client_goes);
    RUN(test_server_waits);
    RUN(test_at_once);
    RUN(test_client_undelivered);
    RUN(test_partly_received);
    RUN(test_client_retained);
    RUN(test_client_not_released);
    RUN(test_late_answer);
    RUN(test_requests_of_server);
    RUN(test_waiting_client);
    RUN(test_closed_under_waiter);
    RUN(test_thread_dies);
    RUN(test_other_client);
    RUN(test_dies_sending);
    RUN(test_server_goes);
    RUN(test_client_receives);
    RUN(test_client_requests);
    RUN(test_answered_before);
    RUN(test_server_undelivered);
    RUN(test_server_drops);
    RUN(test_connection_port);
    RUN(test_goes_while_client_sends);
    RUN(test_both_go);
    end_tests();
}
