/*
 * NtAlpcCancelMessage [alpc.md 4.12, 7 #15, #16]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Not here: what cancels messages without being asked: timeouts (send_receive.c, reply.c), ends that go (closed.c).
 */

#include "agent.h"

#define RELEASE ALPC_MSGFLG_RELEASE_MESSAGE
#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define SYNC ALPC_MSGFLG_SYNC_REQUEST
#define TRY ALPC_CANCELFLG_TRY_CANCEL
#define CHECK_CONTEXT ALPC_CANCELFLG_NO_CONTEXT_CHECK
#define LAYOUT32 0x4

#define REQUEST (LPC_REQUEST | LPC_CONTINUATION_REQUIRED)
#define CONTEXT ALPC_MESSAGE_CONTEXT_ATTRIBUTE
#define CLIENT_CONTEXT ((PVOID)(ULONG_PTR)0x11112222)
#define SERVER_CONTEXT ((PVOID)(ULONG_PTR)0x33334444)

static void prepare_cancel(struct agent *agent, HANDLE port, ULONG flags, ULONG message_id, PVOID context)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->flags = flags;
    call->context.MessageId = message_id;
    call->context.MessageContext = context;
}

static NTSTATUS cancel(struct agent *agent, HANDLE port, ULONG flags, ULONG message_id)
{
    prepare_cancel(agent, port, flags, message_id, NULL);
    return perform(agent, call_cancel);
}

/* sends one from either end; its id is told to who sends an asynchronous request, and to who receives it */
static ULONG send_async(struct agent *agent, HANDLE port)
{
    ok_status("4.5", send_message(agent, port, 0, "request", 7), STATUS_SUCCESS);
    return agent->call->send.header.MessageId;
}

static PORT_MESSAGE receive_request(struct agent *agent, HANDLE port)
{
    expect(agent, port, "4.4", REQUEST, "request", 7);
    return agent->call->receive.header;
}

static void expect_canceled(struct agent *agent, HANDLE port, ULONG message_id)
{
    expect(agent, port, "4.12", LPC_CANCELED, NULL, 0);
    ok(agent->call->receive.header.MessageId == message_id, "[4.12] MessageId %#lx instead of %#lx\n",
       agent->call->receive.header.MessageId, message_id);
}

/* who waited has not been given anything */
static void expect_lost(struct agent *agent)
{
    ok_status("4.12", end(agent), STATUS_MESSAGE_LOST);
    ok(agent->call->receive.header.u2.ZeroInit == 0xcccccccc, "[4.12] the buffer was written to\n");
    ok(agent->call->length == sizeof(agent->call->receive), "[4.12] BufferLength %#Ix\n", agent->call->length);
}

static void check_clean(struct connected *c)
{
    PORT_MESSAGE request;

    expect_nothing(c->server, c->listening, "4.12");
    expect_nothing(c->client, c->port, "4.12");
    begin_request(c->client, c->port, "request", 7);
    request = receive_request(c->server, c->listening);
    ok_status("4.5", answer(c->server, c->listening, RELEASE, &request, "reply", 5), STATUS_SUCCESS);
    ok_status("4.4", end(c->client), STATUS_SUCCESS);
    check_received(c->client, "4.4", LPC_REPLY, "reply", 5);
}

/* ---------------------------------------------------------------------------------------------- arguments */

/* the order of the checks: flags, the context, its MessageId, the handle */
static void test_arguments(struct agent *server, struct agent *client)
{
    static const ULONG wrong_flags[] = { 0x10, 0x80, 0x10000, 0x80000000 };
    ALPC_CONTEXT_ATTR context = { .MessageId = 0 };
    struct connected c;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(wrong_flags); i++)
    {
        ok_status("4.12", cancel(client, c.port, wrong_flags[i], 0x1234), STATUS_INVALID_PARAMETER);
        ok_status("4.12", NtAlpcCancelMessage(NULL, wrong_flags[i], NULL), STATUS_INVALID_PARAMETER);
    }
    ok_status("1.2", NtAlpcCancelMessage(NULL, 0, NULL), STATUS_ACCESS_VIOLATION);
    ok_status("4.12", NtAlpcCancelMessage(NULL, 0, &context), STATUS_MESSAGE_NOT_FOUND);
    context.MessageId = 0x1234;
    ok_status("1.2", NtAlpcCancelMessage(NULL, 0, &context), STATUS_INVALID_HANDLE);
    ok_status("1.2", NtAlpcCancelMessage(GetCurrentProcess(), 0, &context), STATUS_OBJECT_TYPE_MISMATCH);
    for (i = 0; i < 32; i++)
    {
        ok_status("4.12", cancel(client, c.port, 0, 1u << i), STATUS_MESSAGE_NOT_FOUND);
        ok_status("4.12", cancel(server, c.listening, 0, 1u << i), STATUS_MESSAGE_NOT_FOUND);
        ok_status("4.12", cancel(server, c.comm, 0, 1u << i), STATUS_MESSAGE_NOT_FOUND);
    }
    check_clean(&c);
    close_connection(&c);
}

/* bit 2: the context is in the 32-bit layout */
static void call_cancel32(struct call *call)
{
    ULONG context[] = { 0, (ULONG)(ULONG_PTR)call->context.MessageContext, 0, call->context.MessageId, 0 };

    call->status = NtAlpcCancelMessage(call->port, call->flags | LAYOUT32, (ALPC_CONTEXT_ATTR *)context);
}

static void test_layout(struct agent *server, struct agent *client)
{
    struct connected c;
    ULONG id;

    open_connection(&c, server, client);
    id = send_async(client, c.port);
    prepare_cancel(client, c.port, CHECK_CONTEXT, id, CLIENT_CONTEXT);
    ok_status("3.5", perform(client, call_cancel32), STATUS_CONTEXT_MISMATCH);
    prepare_cancel(client, c.port, CHECK_CONTEXT, id, NULL);
    ok_status("3.5", perform(client, call_cancel32), STATUS_SUCCESS);
    check_clean(&c);
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- by the sender */

/* not yet received: it goes without a trace, with any flags */
static void test_not_received(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    struct connected c;
    PORT_MESSAGE request;
    ULONG id, flags;

    open_connection(&c, server, client);
    for (flags = 0; flags < 4; flags++)
    {
        ok_status("4.4", send_message(client, c.port, DATAGRAM, "before", 6), STATUS_SUCCESS);
        id = send_async(client, c.port);
        ok_status("4.4", send_message(client, c.port, DATAGRAM, "behind", 6), STATUS_SUCCESS);
        ok_status("4.12", cancel(client, c.port, flags, id), STATUS_SUCCESS);
        ok_status("4.12", cancel(client, c.port, flags, id), STATUS_REQUEST_CANCELED);
        expect(server, c.listening, "4.12", LPC_DATAGRAM, "before", 6);
        expect(server, c.comm, "4.12", LPC_DATAGRAM, "behind", 6);
        check_clean(&c);
        /* the server's */
        id = send_async(server, c.comm);
        ok_status("4.12", cancel(server, flags & 1 ? c.comm : c.listening, flags, id), STATUS_SUCCESS);
        check_clean(&c);
    }
    /* a thread waits: its id can be told by who receives another one, but not by itself; so it is canceled later */
    begin_request(second, c.port, "request", 7);
    request = receive_request(server, c.listening);
    ok_status("4.12", cancel(client, c.port, 0, request.MessageId), STATUS_MESSAGE_RETRIEVED);
    expect_lost(second);
    expect_canceled(server, c.listening, request.MessageId);
    check_clean(&c);
    close_connection(&c);
    agent_stop(second);
}

/* flags 0, received already: who waits finds it lost, who has it is told, once */
static void test_received(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    unsigned int sync, comm;
    struct connected c;
    PORT_MESSAGE request;

    open_connection(&c, server, client);
    for (sync = 0; sync < 2; sync++)
        for (comm = 0; comm < 2; comm++)
        {
            HANDLE port = comm ? c.comm : c.listening;

            winetest_push_context("%s, %s", sync ? "sync" : "async", comm ? "comm" : "listening");
            if (sync)
                begin_request(second, c.port, "request", 7);
            else
                send_async(client, c.port);
            request = receive_request(server, port);
            ok_status("4.12", cancel(client, c.port, 0, request.MessageId), STATUS_MESSAGE_RETRIEVED);
            if (sync)
                expect_lost(second);
            ok_status("4.12", cancel(client, c.port, 0, request.MessageId), STATUS_REQUEST_CANCELED);
            ok_status("4.12", cancel(client, c.port, TRY, request.MessageId), STATUS_REQUEST_CANCELED);
            ok_status("4.5", answer(server, port, RELEASE, &request, "late", 4), STATUS_REQUEST_CANCELED);
            ok_status("4.12", cancel(server, port, 0, request.MessageId), STATUS_REQUEST_CANCELED);
            expect_canceled(server, port, request.MessageId);
            ok_status("4.5", answer(server, port, RELEASE, &request, "late", 4), STATUS_REQUEST_CANCELED);
            check_clean(&c);
            winetest_pop_context();
        }
    /* the server's, at the client */
    send_async(server, c.comm);
    request = receive_request(client, c.port);
    ok_status("4.12", cancel(server, c.listening, 0, request.MessageId), STATUS_MESSAGE_RETRIEVED);
    ok_status("4.5", answer(client, c.port, RELEASE, &request, "late", 4), STATUS_REQUEST_CANCELED);
    expect_canceled(client, c.port, request.MessageId);
    check_clean(&c);
    close_connection(&c);
    agent_stop(second);
}

/* TRY_CANCEL: what is received already stays as it is, however often */
static void test_try(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    PORT_MESSAGE request;
    struct connected c;
    unsigned int i;

    open_connection(&c, server, client);
    begin_request(second, c.port, "request", 7);
    request = receive_request(server, c.listening);
    for (i = 0; i < 3; i++)
        ok_status("4.12", cancel(client, c.port, TRY, request.MessageId), STATUS_MESSAGE_RETRIEVED);
    ok(!finished(second, 20), "[4.12] the request has ended\n");
    ok_status("4.5", answer(server, c.listening, RELEASE, &request, "reply", 5), STATUS_SUCCESS);
    ok_status("4.4", end(second), STATUS_SUCCESS);
    check_received(second, "4.4", LPC_REPLY, "reply", 5);
    /* one that is over */
    ok_status("4.12", cancel(client, c.port, 0, request.MessageId), STATUS_MESSAGE_NOT_FOUND);
    ok_status("4.12", cancel(server, c.listening, 0, request.MessageId), STATUS_MESSAGE_NOT_FOUND);
    check_clean(&c);
    close_connection(&c);
    agent_stop(second);
}

static void send_with(struct agent *agent, HANDLE port, PVOID context)
{
    struct call *call = prepare(agent);

    call->port = port;
    set_message(call, "request", 7);
    call->send_valid = CONTEXT;
    call->send_context = context;
    ok_status("4.8", perform(agent, call_exchange), STATUS_SUCCESS);
}

/* bit 3: MessageContext has to be what the side that cancels has given to the message */
static void test_context(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    ULONG id;

    open_connection(&c, server, client);
    send_with(client, c.port, CLIENT_CONTEXT);
    request = receive_request(server, c.listening);
    id = request.MessageId;
    prepare_cancel(client, c.port, CHECK_CONTEXT, id, SERVER_CONTEXT);
    ok_status("4.12", perform(client, call_cancel), STATUS_CONTEXT_MISMATCH);
    prepare_cancel(client, c.port, CHECK_CONTEXT, id, NULL);
    ok_status("4.12", perform(client, call_cancel), STATUS_CONTEXT_MISMATCH);
    prepare_cancel(server, c.listening, CHECK_CONTEXT, id, CLIENT_CONTEXT);
    ok_status("4.12", perform(server, call_cancel), STATUS_CONTEXT_MISMATCH);
    expect_nothing(server, c.listening, "4.12");
    prepare_cancel(client, c.port, CHECK_CONTEXT, id, CLIENT_CONTEXT);
    ok_status("4.12", perform(client, call_cancel), STATUS_MESSAGE_RETRIEVED);
    expect_canceled(server, c.listening, id);
    /* without it nobody asks */
    send_with(client, c.port, CLIENT_CONTEXT);
    id = client->call->send.header.MessageId;
    prepare_cancel(client, c.port, 0, id, SERVER_CONTEXT);
    ok_status("4.12", perform(client, call_cancel), STATUS_SUCCESS);
    check_clean(&c);
    close_connection(&c);
}

/* before the connection is accepted */
static void test_early(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    ULONG id;

    open_port(&c, server, client);
    c.port = connect_async(client, c.name, NULL, 0);
    ok_status("4.4", send_message(client, c.port, DATAGRAM, "before", 6), STATUS_SUCCESS);
    id = send_async(client, c.port);
    ok_status("4.12", cancel(client, c.port, 0, id), STATUS_SUCCESS);
    ok_status("4.4", receive(server, c.listening), STATUS_SUCCESS);
    request = server->call->receive.header;
    ok_status("1.3", accept_connection(server, c.listening, &request, PORT_CONTEXT, &c.comm), STATUS_SUCCESS);
    expect(server, c.listening, "4.12", LPC_DATAGRAM, "before", 6);
    expect_nothing(server, c.listening, "4.12");
    /* what the connection itself is made with cannot be canceled so */
    ok_status("4.12", cancel(client, c.port, 0, request.MessageId), STATUS_MESSAGE_NOT_FOUND);
    ok_status("4.4", receive(client, c.port), STATUS_SUCCESS);
    check_clean(&c);
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- by the receiver */

/* who waits gets a message that says so; what nobody waits for is released */
static void test_by_receiver(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < 8; i++)
    {
        HANDLE port = i & 1 ? c.comm : c.listening;

        winetest_push_context("%s, flags %u", i & 1 ? "comm" : "listening", i / 2);
        begin_request(client, c.port, "request", 7);
        request = receive_request(server, port);
        ok_status("4.12", cancel(server, port, i / 2, request.MessageId), STATUS_MESSAGE_RETRIEVED);
        ok_status("4.12", end(client), STATUS_SUCCESS);
        check_received(client, "4.12", LPC_CANCELED, NULL, 0);
        ok(client->call->receive.header.MessageId == request.MessageId, "[4.12] MessageId %#lx\n",
           client->call->receive.header.MessageId);
        ok_status("4.5", answer(server, port, RELEASE, &request, "late", 4), STATUS_INVALID_MESSAGE);
        /* nobody waits */
        send_async(client, c.port);
        request = receive_request(server, port);
        ok_status("7.16", cancel(server, port, i / 2, request.MessageId), STATUS_SUCCESS);
        ok_status("4.5", answer(server, port, RELEASE, &request, "late", 4), STATUS_INVALID_MESSAGE);
        ok_status("7.16", cancel(server, port, i / 2, request.MessageId), STATUS_MESSAGE_NOT_FOUND);
        /* answered, but kept */
        begin_request(client, c.port, "request", 7);
        request = receive_request(server, port);
        ok_status("4.5", answer(server, port, 0, &request, "reply", 5), STATUS_SUCCESS);
        ok_status("4.4", end(client), STATUS_SUCCESS);
        ok_status("4.6", cancel(server, port, i / 2, request.MessageId), STATUS_SUCCESS);
        ok_status("4.6", answer(server, port, RELEASE, &request, NULL, 0), STATUS_INVALID_MESSAGE);
        check_clean(&c);
        winetest_pop_context();
    }
    /* a small buffer has room for the notice */
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- callbacks */

static void begin_callback(struct agent *agent, HANDLE port, const PORT_MESSAGE *to)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->flags = SYNC;
    set_answer(call, to, "request", 7);
    call->receives = call->has_length = TRUE;
    call->length = sizeof(call->receive);
    begin(agent, call_exchange);
}

/* a callback is a request in its turn, for either side */
static void test_callback(struct agent *server, struct agent *client)
{
    struct agent *asker = agent_beside(server), *caller = agent_beside(client);
    PORT_MESSAGE request, callback;
    struct connected c;

    open_connection(&c, server, client);
    /* taken, then canceled by who sent it */
    begin_request(caller, c.port, "request", 7);
    request = receive_request(server, c.listening);
    begin_callback(asker, c.listening, &request);
    ok_status("4.5", end(caller), STATUS_SUCCESS);
    callback = caller->call->receive.header;
    ok_status("4.12", cancel(server, c.listening, 0, callback.MessageId), STATUS_MESSAGE_RETRIEVED);
    expect_lost(asker);
    expect_canceled(client, c.port, callback.MessageId);
    ok_status("4.5", answer(client, c.port, RELEASE, &callback, "late", 4), STATUS_REQUEST_CANCELED);
    /* by who has it */
    begin_request(caller, c.port, "request", 7);
    request = receive_request(server, c.listening);
    begin_callback(asker, c.listening, &request);
    ok_status("4.5", end(caller), STATUS_SUCCESS);
    callback = caller->call->receive.header;
    ok_status("4.12", cancel(client, c.port, 0, callback.MessageId), STATUS_MESSAGE_RETRIEVED);
    ok_status("4.12", end(asker), STATUS_SUCCESS);
    check_received(asker, "4.12", LPC_CANCELED, NULL, 0);
    /* not taken yet */
    begin_request(caller, c.port, "request", 7);
    request = receive_request(server, c.listening);
    agent_suspend(caller);
    begin_callback(asker, c.listening, &request);
    ok(!finished(asker, 20), "[4.5] the callback has ended\n");
    ok_status("4.12", cancel(server, c.listening, TRY, request.MessageId), STATUS_SUCCESS);
    expect_lost(asker);
    agent_resume(caller);
    expect_lost(caller);
    check_clean(&c);
    close_connection(&c);
    agent_stop(caller);
    agent_stop(asker);
}

/* ---------------------------------------------------------------------------------------------- races */

/* canceled while it is answered: one of the two it is, for all who take part */
static void test_race(struct agent *server, struct agent *client)
{
    struct agent *canceler = agent_beside(client);
    unsigned int i, canceled = 0, answered = 0;
    struct connected c;

    open_connection(&c, server, client);
    for (i = 0; i < 300; i++)
    {
        NTSTATUS cancel_status, answer_status, status;
        PORT_MESSAGE request;
        struct call *call;

        begin_request(client, c.port, "request", 7);
        request = receive_request(server, c.listening);
        prepare_cancel(canceler, c.port, 0, request.MessageId, NULL);
        call = prepare(server);
        call->port = c.listening;
        call->flags = RELEASE;
        set_answer(call, &request, "reply", 5);
        begin(i & 1 ? server : canceler, i & 1 ? call_exchange : call_cancel);
        begin(i & 1 ? canceler : server, i & 1 ? call_cancel : call_exchange);
        cancel_status = end(canceler);
        answer_status = end(server);
        status = end(client);
        if (!status)
        {
            check_received(client, "4.12", LPC_REPLY, "reply", 5);
            ok_status("4.5", answer_status, STATUS_SUCCESS);
            ok_status("4.12", cancel_status, STATUS_MESSAGE_NOT_FOUND);
            answered++;
            continue;
        }
        ok_status("4.12", status, STATUS_MESSAGE_LOST);
        ok_status("4.12", cancel_status, STATUS_MESSAGE_RETRIEVED);
        ok_status("4.5", answer_status, STATUS_REQUEST_CANCELED);
        while (!receive_now(server, c.listening))
            check_received(server, "4.12", LPC_CANCELED, NULL, 0);
        canceled++;
    }
    ok(canceled + answered == 300, "[4.12] %u canceled, %u answered\n", canceled, answered);
    check_clean(&c);
    close_connection(&c);
    agent_stop(canceler);
}

START_TEST(cancel)
{
    if (agent_main())
        return;
    RUN(test_arguments);
    RUN(test_layout);
    RUN(test_not_received);
    RUN(test_received);
    RUN(test_try);
    RUN(test_context);
    RUN(test_early);
    RUN(test_by_receiver);
    RUN(test_callback);
    RUN(test_race);
    end_tests();
}
