/*
 * What a client is told that nobody wants to talk to [alpc.md 4.3, rows of refusal and of the closed listener]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Not here: refusals as such (connect.c), messages sent before (early.c).
 */

#include "agent.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)

#define CONNECTION_REQUEST (LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED)
#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define SYNC ALPC_MSGFLG_SYNC_REQUEST
#define CONTEXT ALPC_MESSAGE_CONTEXT_ATTRIBUTE
#define CLIENT_CONTEXT ((PVOID)(ULONG_PTR)0xc11e47c11e47)

static PORT_MESSAGE receive_request(struct connected *c, const void *data, SIZE_T size)
{
    expect(c->server, c->listening, "4.3", CONNECTION_REQUEST, data, size);
    return c->server->call->receive.header;
}

/* ---------------------------------------------------------------------------------------------- synchronous */

static void refuse_with(struct connected *c, const PORT_MESSAGE *request, const void *data, SIZE_T size)
{
    struct call *call = prepare(c->server);

    call->port = c->listening;
    set_answer(call, request, data, size);
    ok_status("1.3", perform(c->server, call_accept), STATUS_SUCCESS);
    ok(call->handle == UNTOUCHED_HANDLE, "[1.3] a refusal gave handle %p\n", call->handle);
}

/* the message, its length and the handle are what they were before, however much the refusal says */
static void test_unchanged(struct agent *server, struct agent *client)
{
    static const SIZE_T refusals[] = { 0, 1, 8, 200, 0x8000 };
    static const SIZE_T capacities[] = { sizeof(struct big_message), HEADER_SIZE + 8, HEADER_SIZE + 5, 0 };
    static BYTE data[0x8000];
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i, k, message;

    memset(data, 'N', sizeof(data));
    open_port(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(refusals); i++)
        for (k = 0; k < ARRAY_SIZE(capacities); k++)
            for (message = 0; message < 2; message++)
            {
                struct call *call = prepare(client);
                BYTE *bytes = (BYTE *)&call->receive;
                SIZE_T n, used = message ? HEADER_SIZE + 5 : 0;

                winetest_push_context("refused with %Iu bytes, capacity %Iu, %s", refusals[i], capacities[k],
                                      message ? "message" : "no message");
                wcscpy(call->name, c.name);
                if (message)
                    set_message(call, "hello", 5);
                memset(bytes, 0xcc, sizeof(call->receive));
                call->flags = SYNC;
                call->has_length = TRUE;
                call->length = capacities[k];
                call->send_valid = call->allocated = CONTEXT;
                begin(client, call_connect);
                request = receive_request(&c, "hello", message ? 5 : 0);
                refuse_with(&c, &request, data, refusals[i]);
                ok_status("4.3", end(client), STATUS_PORT_CONNECTION_REFUSED);
                ok(call->handle == UNTOUCHED_HANDLE, "[4.3] handle %p\n", call->handle);
                ok(call->length == capacities[k], "[4.3] BufferLength %#Ix\n", call->length);
                if (message)
                    ok(!memcmp(&call->receive.header, &call->send.header, HEADER_SIZE) &&
                           !memcmp(call->receive.data, "hello", 5),
                       "[4.3] the message has changed\n");
                for (n = used; n < sizeof(call->receive) && bytes[n] == 0xcc; n++)
                    ;
                ok(n == sizeof(call->receive), "[4.3] byte %#Ix of the buffer has changed\n", n);
                ok(!call->valid, "[4.8] ValidAttributes %#lx\n", call->valid);
                winetest_pop_context();
            }
    expect_nothing(server, c.listening, "4.3");
    close_connection(&c);
}

/* the same when the listener goes instead of answering [7 #7] */
static void test_unchanged_by_close(struct agent *server, struct agent *client)
{
    struct connected c;
    struct call *call;
    unsigned int seen;

    for (seen = 0; seen < 2; seen++)
    {
        winetest_push_context("%s", seen ? "seen" : "unseen");
        open_port(&c, server, client);
        begin_connect(client, c.name, "hello", 5);
        ok(!finished(client, 30), "[4.3] nobody can have answered\n");
        if (seen)
            receive_request(&c, "hello", 5);
        close_handle(server, c.listening);
        c.listening = NULL;
        ok_status("7.7", end(client), STATUS_PORT_CONNECTION_REFUSED);
        call = client->call;
        ok(call->handle == UNTOUCHED_HANDLE, "[4.3] handle %p\n", call->handle);
        ok(call->length == sizeof(call->receive), "[4.3] BufferLength %#Ix\n", call->length);
        ok(!memcmp(&call->receive.header, &call->send.header, HEADER_SIZE) && !memcmp(call->receive.data, "hello", 5),
           "[4.3] the message has changed\n");
        close_connection(&c);
        winetest_pop_context();
    }
}

/* ---------------------------------------------------------------------------------------------- the listener goes */

/* asynchronously, with a context of its own */
static HANDLE connect_with_context(struct agent *client, const WCHAR *name)
{
    struct call *call = prepare(client);

    wcscpy(call->name, name);
    set_message(call, "hello", 5);
    call->send_valid = CONTEXT;
    call->send_context = CLIENT_CONTEXT;
    ok_status("4.3", perform(client, call_connect), STATUS_SUCCESS);
    return call->handle;
}

/* the message that says so; id: of the request, 0 if the server has not seen it */
static void check_told(struct agent *client, NTSTATUS status, ULONG id)
{
    const PORT_MESSAGE *header = &client->call->receive.header;

    ok_status("4.3", status, STATUS_SUCCESS);
    if (status)
        return;
    check_received(client, "4.3", LPC_CANCELED, NULL, 0);
    ok(header->MessageId, "[4.3] MessageId 0\n");
    ok(!id || header->MessageId == id, "[4.3] MessageId %#lx instead of %#lx\n", header->MessageId, id);
    ok((ULONG_PTR)header->ClientId.UniqueProcess == client->pid &&
           (ULONG_PTR)header->ClientId.UniqueThread == client->tid,
       "[4.3] ClientId %p, %p instead of %lx, %lx\n", header->ClientId.UniqueProcess, header->ClientId.UniqueThread,
       client->pid, client->tid);
    /* LPC_CANCELED has what its sender had given along [4.8.1] */
    ok(client->call->valid == CONTEXT, "[4.8.1] ValidAttributes %#lx\n", client->call->valid);
    ok(client->call->context.MessageContext == CLIENT_CONTEXT, "[4.8.1] MessageContext %p\n",
       client->call->context.MessageContext);
    ok(client->call->context.MessageId == header->MessageId, "[7.2] MessageId %#lx\n", client->call->context.MessageId);
}

/* after that there is nothing to come; sending fails somehow */
static void check_over(struct agent *client, HANDLE port)
{
    ok_status("4.3", receive(client, port), STATUS_UNSUCCESSFUL);
    ok(send_message(client, port, DATAGRAM, "x", 1) < 0, "[4.3] a message went to a port that is gone\n");
    ok(send_message(client, port, 0, "x", 1) < 0, "[4.3] a message went to a port that is gone\n");
    ok(receive_now(client, port) < 0, "[4.3] something was received\n");
}

enum end
{
    CLOSE,
    DIE, /* its process is terminated */
    ENDS
};

/* whoever waits or asks later, whether or not the listener has seen the request */
static void test_listener_goes(struct agent *server, struct agent *client)
{
    static const char *const names[] = { "closes", "dies" };
    struct connected c;
    unsigned int i;
    enum end how;

    for (how = CLOSE; how < ENDS; how++)
        for (i = 0; i < 4; i++)
        {
            BOOL seen = i & 1, waits = i & 2;
            ULONG id = 0;

            if (how == DIE && !server->process)
                continue;
            winetest_push_context("%s, %s, %s", names[how], seen ? "seen" : "unseen", waits ? "waits" : "asks later");
            open_port(&c, how == DIE ? agent_process() : server, client);
            c.port = connect_with_context(client, c.name);
            if (seen)
                id = receive_request(&c, "hello", 5).MessageId;
            if (waits)
            {
                begin_receive(client, c.port);
                ok(!finished(client, 30), "[4.3] there was nothing to receive\n");
            }
            if (how == DIE)
                agent_kill(c.server);
            else
                close_handle(server, c.listening);
            c.listening = NULL;
            check_told(client, waits ? end(client) : receive(client, c.port), id);
            check_over(client, c.port);
            close_handle(client, c.port);
            winetest_pop_context();
        }
}

/* several clients are told, each of its own request */
static void test_several(struct agent *server, struct agent *client)
{
    struct agent *others[3] = { agent_beside(client), agent_process(), client };
    HANDLE ports[ARRAY_SIZE(others)];
    ULONG ids[ARRAY_SIZE(others)];
    struct connected c;
    unsigned int i;

    open_port(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(others); i++)
    {
        ports[i] = connect_with_context(others[i], c.name);
        ids[i] = receive_request(&c, "hello", 5).MessageId;
    }
    close_handle(server, c.listening);
    for (i = ARRAY_SIZE(others); i--;)
    {
        check_told(others[i], receive(others[i], ports[i]), ids[i]);
        check_over(others[i], ports[i]);
        close_handle(others[i], ports[i]);
    }
    agent_stop(others[0]);
    agent_stop(others[1]);
}

/* a buffer that is too small, and none of the attributes; the notice is a message like others [4.4] */
static void test_small_buffer(struct agent *server, struct agent *client)
{
    struct connected c;
    struct call *call;

    open_port(&c, server, client);
    c.port = connect_with_context(client, c.name);
    close_handle(server, c.listening);
    call = prepare(client);
    call->port = c.port;
    call->receives = call->has_length = call->has_timeout = TRUE;
    call->length = HEADER_SIZE - 1;
    call->timeout = MILLISECONDS(HANG / 2);
    ok_status("4.4", perform(client, call_exchange), STATUS_BUFFER_TOO_SMALL);
    ok(call->length == HEADER_SIZE, "[4.4] BufferLength %#Ix\n", call->length);
    check_told(client, receive(client, c.port), 0);
    check_over(client, c.port);
    close_handle(client, c.port);
}

/*
 * One that was accepted before its listener closed has a connection, which ends then [4.11]: it reads the acceptance or
 * that this is over [4.3], and then that the port is closed.
 */
static void test_accepted_before(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    NTSTATUS status;

    open_port(&c, server, client);
    c.port = connect_with_context(client, c.name);
    request = receive_request(&c, "hello", 5);
    ok_status("1.3", accept_connection(server, c.listening, &request, PORT_CONTEXT, &c.comm), STATUS_SUCCESS);
    close_handle(server, c.listening);
    c.listening = NULL;
    ok_status("4.3", receive(client, c.port), STATUS_SUCCESS);
    ok(client->call->receive.header.u2.s2.Type == LPC_CONNECTION_REPLY ||
           client->call->receive.header.u2.s2.Type == LPC_CANCELED,
       "[4.3] type %#x\n", client->call->receive.header.u2.s2.Type);
    status = receive_now(client, c.port);
    ok(status != STATUS_UNSUCCESSFUL, "[4.3] status %#lx\n", status);
    close_connection(&c);
}

START_TEST(refused)
{
    if (agent_main())
        return;
    RUN(test_unchanged);
    RUN(test_unchanged_by_close);
    RUN(test_listener_goes);
    RUN(test_several);
    RUN(test_small_buffer);
    RUN(test_accepted_before);
    end_tests();
}
