/*
 * Answers that come too late or twice: they never reach another request [alpc.md 4.4, 4.5]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Answers are given as many programs do: a zeroed header with nothing but the MessageId.  So it is the MessageId alone
 * that keeps a canceled request from those that came after it.
 */

#include "agent.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)

#define REQUEST (LPC_REQUEST | LPC_CONTINUATION_REQUIRED)
#define RELEASE ALPC_MSGFLG_RELEASE_MESSAGE
#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define SYNC ALPC_MSGFLG_SYNC_REQUEST

/* with the MessageId only */
static NTSTATUS answer_id(struct agent *agent, HANDLE port, ULONG flags, ULONG id, const char *data)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->flags = flags;
    set_message(call, data, strlen(data));
    call->send.header.MessageId = id;
    return perform(agent, call_exchange);
}

static ULONG receive_request(struct agent *server, HANDLE port)
{
    expect(server, port, "4.4", REQUEST, "request", 7);
    return server->call->receive.header.MessageId;
}

/* a request that is received and then given up: its id */
static ULONG give_up_request(struct connected *c)
{
    struct call *call = prepare(c->client);
    ULONG id;

    call->port = c->port;
    call->flags = SYNC;
    call->receives = call->has_length = call->has_timeout = TRUE;
    call->length = sizeof(call->receive);
    call->timeout = MILLISECONDS(100);
    set_message(call, "request", 7);
    begin(c->client, call_exchange);
    id = receive_request(c->server, c->listening);
    ok_status("4.4", end(c->client), STATUS_TIMEOUT);
    expect(c->server, c->listening, "4.4", LPC_CANCELED, NULL, 0);
    ok(c->server->call->receive.header.MessageId == id, "[4.4] MessageId %#lx instead of %#lx\n",
       c->server->call->receive.header.MessageId, id);
    return id;
}

/* receives .count requests and answers each, in a thread that does nothing else; status: the first that fails */
static void call_answer_many(struct call *call)
{
    ULONG done;

    call->status = STATUS_SUCCESS;
    for (done = 0; done < call->count && !call->status; done++)
    {
        SIZE_T length = sizeof(call->receive);
        const ULONG forbidden = call->value;
        PORT_MESSAGE reply = { .u1.s1 = { 0, HEADER_SIZE } };

        call->status = NtAlpcSendWaitReceivePort(call->port, 0, NULL, NULL, &call->receive.header, &length, NULL, NULL);
        if (call->status)
            break;
        if ((USHORT)call->receive.header.u2.s2.Type != REQUEST || call->receive.header.MessageId == forbidden)
        {
            call->status = STATUS_INVALID_MESSAGE;
            break;
        }
        reply.MessageId = call->receive.header.MessageId;
        call->status = NtAlpcSendWaitReceivePort(call->port, RELEASE, &reply, NULL, NULL, NULL, NULL, NULL);
    }
    call->count = done;
}

static void call_ask_many(struct call *call)
{
    ULONG done;

    call->status = STATUS_SUCCESS;
    for (done = 0; done < call->count && !call->status; done++)
    {
        SIZE_T length = sizeof(call->receive);
        PORT_MESSAGE request = { .u1.s1 = { 0, HEADER_SIZE } };

        call->status =
            NtAlpcSendWaitReceivePort(call->port, SYNC, &request, NULL, &call->receive.header, &length, NULL, NULL);
    }
    call->count = done;
}

/* so many requests that are answered; none has the id */
static void pass_requests(struct connected *c, ULONG count, ULONG id)
{
    struct call *call = prepare(c->server);

    if (!count)
        return;
    call->port = c->listening;
    call->count = count;
    call->value = id;
    begin(c->server, call_answer_many);
    call = prepare(c->client);
    call->port = c->port;
    call->count = count;
    begin(c->client, call_ask_many);
    ok_status("4.5", end(c->server), STATUS_SUCCESS);
    ok_status("4.4", end(c->client), STATUS_SUCCESS);
    ok(c->client->call->count == count, "[4.4] %lu of %lu requests\n", c->client->call->count, count);
}

#define HELD 5

/*
 * Holds some requests, asynchronous ones and a synchronous one, while somebody answers one that is over: expected is
 * the status of that.  Each of those that are held gets its own answer afterwards.
 */
static void check_late(struct connected *c, ULONG id, ULONG flags, NTSTATUS expected)
{
    static const char *const names[HELD] = { "0", "1", "2", "3", "4" };
    ULONG held[HELD];
    NTSTATUS status;
    unsigned int i;

    for (i = 0; i < HELD; i++)
    {
        if (i == HELD - 1)
            begin_request(c->client, c->port, "request", 7);
        else
            ok_status("4.4", send_message(c->client, c->port, 0, "request", 7), STATUS_SUCCESS);
        held[i] = receive_request(c->server, c->listening);
        ok(held[i] != id, "[4.5] a request has the id %#lx of one that is over\n", id);
    }
    status = answer_id(c->server, c->listening, flags, id, "late");
    ok_status("4.5", status, expected);
    ok_status("4.5", answer_id(c->server, c->comm, flags, id, "late"), expected);
    ok(!finished(c->client, 10), "[4.5] a late answer came to another request\n");
    for (i = HELD; i--;)
    {
        ok_status("4.5", answer_id(c->server, c->listening, RELEASE, held[i], names[i]), STATUS_SUCCESS);
        if (i == HELD - 1)
        {
            ok_status("4.4", end(c->client), STATUS_SUCCESS);
            check_received(c->client, "4.4", LPC_REPLY, names[i], 1);
        }
        else
            expect(c->client, c->port, "4.5", LPC_REPLY, names[i], 1);
        ok(c->client->call->receive.header.MessageId == held[i], "[4.5] MessageId %#lx instead of %#lx\n",
           c->client->call->receive.header.MessageId, held[i]);
    }
    expect_nothing(c->client, c->port, "4.5");
}

/* ---------------------------------------------------------------------------------------------- too late */

/* the request has been given up; others went by since */
static void test_late(struct agent *server, struct agent *client)
{
    static const ULONG counts[] = { 0, 1, 3, 4, 10, 1000, 5000 };
    struct connected c;
    unsigned int i, k;
    ULONG id;

    open_connection(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(counts); i++)
    {
        winetest_push_context("after %lu requests", counts[i]);
        id = give_up_request(&c);
        pass_requests(&c, counts[i], id);
        /* as often as it is tried, however it is sent */
        for (k = 0; k < 3; k++)
            check_late(&c, id, k & 1 ? 0 : RELEASE, STATUS_REQUEST_CANCELED);
        winetest_pop_context();
    }
    close_connection(&c);
}

/* the late answerer sends a request of its own back, a callback: nobody gets that either */
static void test_late_callback(struct agent *server, struct agent *client)
{
    struct connected c;
    struct call *call;
    unsigned int i;
    ULONG id;

    open_connection(&c, server, client);
    id = give_up_request(&c);
    for (i = 0; i < 12; i++)
    {
        pass_requests(&c, i, id);
        call = prepare(server);
        call->port = c.listening;
        call->flags = SYNC;
        call->receives = call->has_length = call->has_timeout = TRUE;
        call->length = sizeof(call->receive);
        call->timeout = MILLISECONDS(HANG / 2);
        set_message(call, "callback", 8);
        call->send.header.MessageId = id;
        ok_status("4.5", perform(server, call_exchange), STATUS_REQUEST_CANCELED);
        expect_nothing(client, c.port, "4.5");
    }
    close_connection(&c);
}

#define GIVEN_UP 150

static void call_give_up_many(struct call *call)
{
    ULONG done;

    call->status = STATUS_SUCCESS;
    for (done = 0; done < call->count; done++)
    {
        LARGE_INTEGER timeout = { .QuadPart = call->timeout };
        SIZE_T length = sizeof(call->receive);
        PORT_MESSAGE request = { .u1.s1 = { 0, HEADER_SIZE } };
        NTSTATUS status =
            NtAlpcSendWaitReceivePort(call->port, SYNC, &request, NULL, &call->receive.header, &length, NULL, &timeout);

        if (status != STATUS_TIMEOUT && !call->status)
            call->status = status ? status : STATUS_INVALID_MESSAGE;
    }
}

/* holds .count requests until they have been given up: their ids in .send.data */
static void call_hold_many(struct call *call)
{
    ULONG *ids = (ULONG *)call->send.data, done = 0;

    while (done < call->count)
    {
        SIZE_T length = sizeof(call->receive);

        call->status = NtAlpcSendWaitReceivePort(call->port, 0, NULL, NULL, &call->receive.header, &length, NULL, NULL);
        if (call->status)
            return;
        if ((USHORT)call->receive.header.u2.s2.Type == LPC_CANCELED)
            ids[done++] = call->receive.header.MessageId;
    }
}

/* many that are over at a time, which are then all answered while one request is held */
static void test_many(struct agent *server, struct agent *client)
{
    static ULONG ids[GIVEN_UP];
    struct connected c;
    struct call *call;
    unsigned int i, k, wrong = 0;
    ULONG held;

    open_connection(&c, server, client);
    call = prepare(server);
    call->port = c.listening;
    call->count = GIVEN_UP;
    begin(server, call_hold_many);
    call = prepare(client);
    call->port = c.port;
    call->count = GIVEN_UP;
    /* long enough for a receiver that waits to have it, else the server is never told of that one */
    call->timeout = MILLISECONDS(10);
    begin(client, call_give_up_many);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    if (!finished(server, 100))
    {
        /* on a busy machine some were given up unseen: the rest is made one by one */
        call = prepare(client);
        call->port = c.port;
        call->count = 1;
        call->timeout = MILLISECONDS(50);
        for (i = 0; i < GIVEN_UP && !finished(server, 0); i++)
            perform(client, call_give_up_many);
    }
    ok_status("4.4", end(server), STATUS_SUCCESS);
    memcpy(ids, server->call->send.data, sizeof(ids));
    for (i = 0; i < GIVEN_UP; i++)
        for (k = 0; k < i; k++)
            wrong += ids[i] == ids[k];
    ok(!wrong, "[4.5] %u ids were given twice\n", wrong);
    while (!receive_now(server, c.listening))
        ;
    begin_request(client, c.port, "request", 7);
    held = receive_request(server, c.listening);
    for (i = 0; i < GIVEN_UP; i++)
    {
        NTSTATUS status = answer_id(server, c.listening, RELEASE, ids[i], "late");

        if (status != STATUS_REQUEST_CANCELED)
            wrong++;
    }
    ok(!wrong, "[4.5] %u late answers had another status than STATUS_REQUEST_CANCELED\n", wrong);
    ok(!finished(client, 10), "[4.5] a late answer came to another request\n");
    ok_status("4.5", answer_id(server, c.listening, RELEASE, held, "right"), STATUS_SUCCESS);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_REPLY, "right", 5);
    close_connection(&c);
}

/* the client has gone and others have come in its place: whatever the answerer is told, nobody gets it */
static void test_other_clients(struct agent *server, struct agent *client)
{
    struct connected first, c;
    ULONG ids[20], i, k;
    NTSTATUS status;

    open_connection(&first, server, client);
    for (i = 0; i < ARRAY_SIZE(ids); i++)
    {
        c = first;
        if (i)
            open_another(&c, &first, client, PORT_CONTEXT);
        c.listening = first.listening;
        ids[i] = give_up_request(&c);
        close_handle(client, c.port);
        ok_status("4.11", receive(server, first.listening), STATUS_SUCCESS);
        ok(server->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n",
           server->call->receive.header.u2.s2.Type);
        close_handle(server, c.comm);
        /* the next client asks, and all that have gone are answered */
        open_another(&c, &first, client, PORT_CONTEXT);
        begin_request(client, c.port, "request", 7);
        {
            ULONG held = receive_request(server, first.listening);

            for (k = 0; k <= i; k++)
            {
                ok(held != ids[k], "[4.5] id %#lx was given again\n", held);
                status = answer_id(server, first.listening, RELEASE, ids[k], "late");
                ok(status == STATUS_REQUEST_CANCELED || status == STATUS_INVALID_MESSAGE ||
                       status == STATUS_PORT_DISCONNECTED,
                   "[4.5] status %#lx\n", status);
            }
            ok(!finished(client, 0), "[4.5] a late answer came to another client\n");
            ok_status("4.5", answer_id(server, first.listening, RELEASE, held, "right"), STATUS_SUCCESS);
        }
        ok_status("4.4", end(client), STATUS_SUCCESS);
        check_received(client, "4.4", LPC_REPLY, "right", 5);
        close_handle(client, c.port);
        ok_status("4.11", receive(server, first.listening), STATUS_SUCCESS);
        close_handle(server, c.comm);
    }
    close_handle(server, first.listening);
}

/* a request that the client gave up by closing its port while the server held it */
static void test_closed(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    struct connected c[2];
    unsigned int i;
    NTSTATUS status;
    ULONG id, held;

    open_connection(&c[0], server, client);
    open_another(&c[1], &c[0], second, PORT_CONTEXT);
    ok_status("4.4", send_message(client, c[0].port, 0, "request", 7), STATUS_SUCCESS);
    id = receive_request(server, c[0].listening);
    close_handle(client, c[0].port);
    c[0].port = NULL;
    for (i = 0; i < 2; i++)
        ok_status("4.11", receive(server, c[0].listening), STATUS_SUCCESS);
    expect_nothing(server, c[0].listening, "4.11");
    for (i = 0; i < 30; i++)
    {
        begin_request(second, c[1].port, "request", 7);
        held = receive_request(server, c[0].listening);
        status = answer_id(server, c[0].listening, RELEASE, id, "late");
        ok(status == STATUS_REQUEST_CANCELED || status == STATUS_PORT_DISCONNECTED || status == STATUS_INVALID_MESSAGE,
           "[4.5] status %#lx\n", status);
        ok_status("4.5", answer_id(server, c[0].listening, RELEASE, held, "right"), STATUS_SUCCESS);
        ok_status("4.4", end(second), STATUS_SUCCESS);
        check_received(second, "4.4", LPC_REPLY, "right", 5);
    }
    close_connection(&c[1]);
    close_connection(&c[0]);
    agent_stop(second);
}

/* ---------------------------------------------------------------------------------------------- twice */

/* an id is unique while its message lives [7 #13]: of one that is over it may come again, but not soon */
static void test_twice(struct agent *server, struct agent *client)
{
    static const ULONG counts[] = { 0, 1, 3, 4, 10, 100, 1000 };
    struct connected c;
    unsigned int i;
    ULONG id;

    open_connection(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(counts); i++)
    {
        winetest_push_context("after %lu requests", counts[i]);
        begin_request(client, c.port, "request", 7);
        id = receive_request(server, c.listening);
        ok_status("4.5", answer_id(server, c.listening, RELEASE, id, "first"), STATUS_SUCCESS);
        ok_status("4.4", end(client), STATUS_SUCCESS);
        check_received(client, "4.4", LPC_REPLY, "first", 5);
        pass_requests(&c, counts[i], id);
        check_late(&c, id, RELEASE, STATUS_INVALID_MESSAGE);
        winetest_pop_context();
    }
    close_connection(&c);
}

START_TEST(late)
{
    if (agent_main())
        return;
    RUN(test_late);
    RUN(test_late_callback);
    RUN(test_many);
    RUN(test_other_clients);
    RUN(test_closed);
    RUN(test_twice);
    end_tests();
}
