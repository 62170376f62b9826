/*
 * Message ids, replies, callbacks, releasing [alpc.md 4.5, 4.6]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Not here: replies to who has gone (closed.c), replies and timeouts, lengths, small buffers (send_receive.c).
 */

#include "agent.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)

#define REQUEST (LPC_REQUEST | LPC_CONTINUATION_REQUIRED)
#define RETAINED REQUEST /* a reply that was sent without RELEASE_MESSAGE [4.4] */
#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define RELEASE ALPC_MSGFLG_RELEASE_MESSAGE
#define SYNC ALPC_MSGFLG_SYNC_REQUEST

static PORT_MESSAGE receive_request(struct connected *c, const void *data, SIZE_T size)
{
    expect(c->server, c->listening, "4.4", REQUEST, data, size);
    return c->server->call->receive.header;
}

/* sends one and receives it */
static PORT_MESSAGE async_request(struct connected *c, const void *data, SIZE_T size)
{
    ok_status("4.4", send_message(c->client, c->port, 0, data, size), STATUS_SUCCESS);
    return receive_request(c, data, size);
}

static PORT_MESSAGE sync_request(struct connected *c, const void *data, SIZE_T size)
{
    begin_request(c->client, c->port, data, size);
    return receive_request(c, data, size);
}

static void end_sync(struct connected *c, ULONG type, const void *data, SIZE_T size)
{
    ok_status("4.4", end(c->client), STATUS_SUCCESS);
    check_received(c->client, "4.4", type, data, size);
}

/* answers with just these ids */
static NTSTATUS answer_ids(struct agent *agent, HANDLE port, ULONG flags, ULONG message_id, ULONG callback_id)
{
    const PORT_MESSAGE to = { .MessageId = message_id, .CallbackId = callback_id };

    return answer(agent, port, flags, &to, "ids", 3);
}

static void check_client_id(struct agent *receiver, const struct agent *sender)
{
    const PORT_MESSAGE *header = &receiver->call->receive.header;

    ok((ULONG_PTR)header->ClientId.UniqueProcess == sender->pid &&
           (ULONG_PTR)header->ClientId.UniqueThread == sender->tid,
       "[7.5] ClientId %p, %p instead of %lx, %lx\n", header->ClientId.UniqueProcess, header->ClientId.UniqueThread,
       sender->pid, sender->tid);
}

/* of an answer that another process gave than the one that made the port: which process it then names is not known */
static void check_writer(struct agent *receiver, const struct agent *sender)
{
    const PORT_MESSAGE *header = &receiver->call->receive.header;

    ok((ULONG_PTR)header->ClientId.UniqueThread == sender->tid, "[7.5] ClientId %p, %p instead of %lx, %lx\n",
       header->ClientId.UniqueProcess, header->ClientId.UniqueThread, sender->pid, sender->tid);
}

static void check_clean(struct connected *c)
{
    PORT_MESSAGE request;

    expect_nothing(c->server, c->listening, "4.5");
    expect_nothing(c->client, c->port, "4.5");
    request = sync_request(c, "ping", 4);
    ok_status("4.5", answer(c->server, c->listening, RELEASE, &request, "pong", 4), STATUS_SUCCESS);
    end_sync(c, LPC_REPLY, "pong", 4);
}

static HANDLE copy_handle(struct agent *from, HANDLE handle, struct agent *to)
{
    HANDLE copy = NULL;

    ok(DuplicateHandle(agent_process_handle(from), handle, agent_process_handle(to), &copy, 0, FALSE,
                       DUPLICATE_SAME_ACCESS),
       "cannot duplicate the port: %lu\n", GetLastError());
    return copy;
}

/* ---------------------------------------------------------------------------------------------- ids */

/* both ports, both kinds of reply, both kinds of request, with and without CallbackId */
static void test_replies(struct agent *server, struct agent *client)
{
    struct connected c;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < 16; i++)
    {
        BOOL sync = i & 1, release = i & 2, comm = i & 4, callback_id = i & 8;
        ULONG type = release ? LPC_REPLY : RETAINED;
        PORT_MESSAGE request;

        winetest_push_context("%s, %s, %s, %s", sync ? "sync" : "async", release ? "released" : "retained",
                              comm ? "comm" : "listening", callback_id ? "CallbackId" : "0");
        request = sync ? sync_request(&c, "request", 7) : async_request(&c, "request", 7);
        ok_status("4.5",
                  answer_ids(server, comm ? c.comm : c.listening, release ? RELEASE : 0, request.MessageId,
                             callback_id ? request.CallbackId : 0),
                  STATUS_SUCCESS);
        if (sync)
            end_sync(&c, type, "ids", 3);
        else
            expect(client, c.port, "4.5", type, "ids", 3);
        ok(client->call->receive.header.MessageId == request.MessageId, "[4.5] MessageId %#lx instead of %#lx\n",
           client->call->receive.header.MessageId, request.MessageId);
        check_client_id(client, server);
        expect_nothing(client, c.port, "4.5");
        expect_nothing(server, c.listening, "4.5");
        winetest_pop_context();
    }
    check_clean(&c);
    close_connection(&c);
}

/* the same for requests of the server's */
static void test_replies_of_client(struct agent *server, struct agent *client)
{
    struct connected c;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < 4; i++)
    {
        BOOL release = i & 1, callback_id = i & 2;
        PORT_MESSAGE request;

        ok_status("4.4", send_message(server, c.comm, 0, "request", 7), STATUS_SUCCESS);
        expect(client, c.port, "4.4", REQUEST, "request", 7);
        request = client->call->receive.header;
        ok_status(
            "4.5",
            answer_ids(client, c.port, release ? RELEASE : 0, request.MessageId, callback_id ? request.CallbackId : 0),
            STATUS_SUCCESS);
        expect(server, c.listening, "4.5", release ? LPC_REPLY : RETAINED, "ids", 3);
        ok(server->call->receive.header.MessageId == request.MessageId, "[4.5] MessageId %#lx\n",
           server->call->receive.header.MessageId);
        check_client_id(server, client);
    }
    check_clean(&c);
    close_connection(&c);
}

/* a wrong id is an error, and the message can still be answered */
static void test_wrong_ids(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    unsigned int bit, comm;

    open_connection(&c, server, client);
    for (comm = 0; comm < 2; comm++)
    {
        HANDLE port = comm ? c.comm : c.listening;

        winetest_push_context("%s", comm ? "comm" : "listening");
        request = sync_request(&c, "request", 7);
        for (bit = 0; bit < 32; bit++)
        {
            winetest_push_context("bit %u", bit);
            ok_status("4.5", answer_ids(server, port, RELEASE, request.MessageId ^ 1u << bit, 0),
                      STATUS_INVALID_MESSAGE);
            ok_status("4.5", answer_ids(server, port, 0, request.MessageId ^ 1u << bit, request.CallbackId),
                      STATUS_INVALID_MESSAGE);
            if (request.CallbackId ^ 1u << bit)
                ok_status("4.5", answer_ids(server, port, RELEASE, request.MessageId, request.CallbackId ^ 1u << bit),
                          STATUS_INVALID_MESSAGE);
            winetest_pop_context();
        }
        ok_status("4.5", answer_ids(server, port, RELEASE, 0xffffffff, 0), STATUS_INVALID_MESSAGE);
        ok_status("4.5", answer_ids(server, port, RELEASE, request.MessageId, 0xffffffff), STATUS_INVALID_MESSAGE);
        ok(!finished(client, 20), "[4.5] a reply with a wrong id was delivered\n");
        ok_status("4.5", answer(server, port, RELEASE, &request, "right", 5), STATUS_SUCCESS);
        end_sync(&c, LPC_REPLY, "right", 5);
        winetest_pop_context();
    }
    /* what was never received cannot be answered, nor can the connection request once it is accepted */
    ok_status("4.4", send_message(client, c.port, 0, "request", 7), STATUS_SUCCESS);
    ok_status("4.5", answer_ids(server, c.listening, RELEASE, client->call->send.header.MessageId, 0),
              STATUS_INVALID_MESSAGE);
    receive_request(&c, "request", 7);
    check_clean(&c);
    close_connection(&c);
}

/* a message belongs to its connection, and to the side that has received it */
static void test_wrong_port(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    struct connected c, other, stranger;
    PORT_MESSAGE request;

    open_connection(&c, server, client);
    open_another(&other, &c, second, (PVOID)0x99);
    open_connection(&stranger, server, second);
    request = async_request(&c, "request", 7);
    ok_status("4.5", answer(server, other.comm, RELEASE, &request, "x", 1), STATUS_INVALID_MESSAGE);
    ok_status("4.5", answer(server, stranger.comm, RELEASE, &request, "x", 1), STATUS_INVALID_MESSAGE);
    ok_status("4.5", answer(server, stranger.listening, RELEASE, &request, "x", 1), STATUS_INVALID_MESSAGE);
    /* the client has sent it, so it has nothing to answer */
    ok_status("4.5", answer(client, c.port, RELEASE, &request, "x", 1), STATUS_INVALID_MESSAGE);
    ok_status("4.5", answer(client, c.port, 0, &request, "x", 1), STATUS_INVALID_MESSAGE);
    ok_status("4.5", answer(second, other.port, RELEASE, &request, "x", 1), STATUS_INVALID_MESSAGE);
    ok_status("4.5", answer(second, stranger.port, RELEASE, &request, "x", 1), STATUS_INVALID_MESSAGE);
    expect_nothing(client, c.port, "4.5");
    expect_nothing(second, other.port, "4.5");
    expect_nothing(second, stranger.port, "4.5");
    ok_status("4.5", answer(server, c.comm, RELEASE, &request, "right", 5), STATUS_SUCCESS);
    expect(client, c.port, "4.5", LPC_REPLY, "right", 5);
    check_clean(&c);
    check_clean(&stranger);
    close_connection(&stranger);
    other.listening = c.listening;
    check_clean(&other);
    other.listening = NULL;
    close_connection(&other);
    close_connection(&c);
    agent_stop(second);
}

/* what has no sender that waits for an answer */
static void test_unanswerable(struct agent *server, struct agent *client)
{
    static const ULONG flags[] = { 0, RELEASE };
    struct connected c;
    PORT_MESSAGE message;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(flags); i++)
    {
        open_connection(&c, server, client);
        ok_status("4.4", send_message(client, c.port, DATAGRAM, "datagram", 8), STATUS_SUCCESS);
        expect(server, c.listening, "4.4", LPC_DATAGRAM, "datagram", 8);
        message = server->call->receive.header;
        ok_status("4.5", answer(server, c.listening, flags[i], &message, "x", 1), STATUS_INVALID_MESSAGE);
        ok_status("4.5", answer(server, c.comm, flags[i], &message, "x", 1), STATUS_INVALID_MESSAGE);
        expect_nothing(client, c.port, "4.5");
        /* a reply that was released */
        message = async_request(&c, "request", 7);
        ok_status("4.5", answer(server, c.listening, RELEASE, &message, "reply", 5), STATUS_SUCCESS);
        expect(client, c.port, "4.5", LPC_REPLY, "reply", 5);
        message = client->call->receive.header;
        ok_status("4.5", answer(client, c.port, flags[i], &message, "x", 1), STATUS_INVALID_MESSAGE);
        expect_nothing(server, c.listening, "4.5");
        /* the notice that a client has gone, while its communication port is still there */
        close_handle(client, c.port);
        c.port = NULL;
        ok_status("4.11", receive(server, c.listening), STATUS_SUCCESS);
        message = server->call->receive.header;
        ok((USHORT)message.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n", (USHORT)message.u2.s2.Type);
        answer(server, c.listening, flags[i], &message, "x", 1);
        ok(server->call->status == (NTSTATUS)STATUS_INVALID_MESSAGE ||
               server->call->status == (NTSTATUS)STATUS_PORT_DISCONNECTED,
           "[4.5] status %#lx\n", server->call->status);
        close_connection(&c);
    }
}

/* ---------------------------------------------------------------------------------------------- more than one answer
 */

static void test_twice(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    unsigned int sync, received;

    open_connection(&c, server, client);
    for (sync = 0; sync < 2; sync++)
        for (received = 0; received < 2; received++)
        {
            winetest_push_context("%s, first %s", sync ? "sync" : "async", received ? "received" : "not received");
            request = sync ? sync_request(&c, "request", 7) : async_request(&c, "request", 7);
            ok_status("4.5", answer(server, c.listening, RELEASE, &request, "first", 5), STATUS_SUCCESS);
            if (sync)
                end_sync(&c, LPC_REPLY, "first", 5);
            else if (received)
                expect(client, c.port, "4.5", LPC_REPLY, "first", 5);
            ok_status("4.5", answer(server, c.listening, RELEASE, &request, "second", 6), STATUS_INVALID_MESSAGE);
            ok_status("4.5", answer(server, c.listening, 0, &request, "second", 6), STATUS_INVALID_MESSAGE);
            ok_status("4.5", answer(server, c.comm, RELEASE, &request, "second", 6), STATUS_INVALID_MESSAGE);
            ok_status("4.5", answer_ids(server, c.comm, RELEASE, request.MessageId, 0), STATUS_INVALID_MESSAGE);
            if (!sync && !received)
                expect(client, c.port, "4.5", LPC_REPLY, "first", 5);
            expect_nothing(client, c.port, "4.5");
            winetest_pop_context();
        }
    check_clean(&c);
    close_connection(&c);
}

/* an id that is used again is another message: an answer to the old one does not get to it */
static void test_reused_id(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE old, request;
    unsigned int i, reused = 0;

    open_connection(&c, server, client);
    old = sync_request(&c, "old", 3);
    ok_status("4.5", answer(server, c.listening, RELEASE, &old, "reply", 5), STATUS_SUCCESS);
    end_sync(&c, LPC_REPLY, "reply", 5);
    for (i = 0; i < 40; i++)
    {
        request = sync_request(&c, "new", 3);
        ok(request.MessageId != old.MessageId || request.CallbackId != old.CallbackId,
           "[7.13] both ids are those of an old message\n");
        reused += request.MessageId == old.MessageId;
        ok_status("4.5", answer(server, c.listening, RELEASE, &old, "late", 4), STATUS_INVALID_MESSAGE);
        ok_status("4.5", answer(server, c.listening, RELEASE, &request, "right", 5), STATUS_SUCCESS);
        end_sync(&c, LPC_REPLY, "right", 5);
    }
    if (winetest_debug > 1)
        trace("the MessageId was used again %u times\n", reused);
    check_clean(&c);
    close_connection(&c);
}

/* messages that wait at the same time have ids of their own */
static void test_many(struct agent *server, struct agent *client)
{
    static PORT_MESSAGE requests[300];
    static BOOL seen[ARRAY_SIZE(requests)];
    struct connected c;
    unsigned int i, k;

    open_connection(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(requests); i++)
        ok_status("4.4", send_message(client, c.port, 0, &i, sizeof(i)), STATUS_SUCCESS);
    for (i = 0; i < ARRAY_SIZE(requests); i++)
    {
        requests[i] = receive_request(&c, &i, sizeof(i));
        for (k = 0; k < i && requests[k].MessageId != requests[i].MessageId; k++)
            ;
        ok(k == i, "[4.5] requests %u and %u have the same MessageId\n", k, i);
        seen[i] = FALSE;
    }
    /* answered in some other order: 7 and the number of requests have no common divisor */
    for (i = 0; i < ARRAY_SIZE(requests); i++)
    {
        k = i * 7 % ARRAY_SIZE(requests);
        ok_status("4.5", answer(server, i % 2 ? c.comm : c.listening, RELEASE, &requests[k], &k, sizeof(k)),
                  STATUS_SUCCESS);
    }
    for (i = 0; i < ARRAY_SIZE(requests); i++)
    {
        k = i * 7 % ARRAY_SIZE(requests);
        expect(client, c.port, "4.5", LPC_REPLY, &k, sizeof(k));
        ok(client->call->receive.header.MessageId == requests[k].MessageId, "[4.5] MessageId %#lx of %u\n",
           client->call->receive.header.MessageId, k);
        ok(!seen[k], "[4.5] the reply to %u came twice\n", k);
        seen[k] = TRUE;
    }
    check_clean(&c);
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- releasing */

/* a reply that came with CONTINUATION_REQUIRED is given back once */
static void test_release_reply(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request, reply;
    struct call *call;
    unsigned int sync;

    open_connection(&c, server, client);
    for (sync = 0; sync < 2; sync++)
    {
        winetest_push_context("%s", sync ? "sync" : "async");
        request = sync ? sync_request(&c, "request", 7) : async_request(&c, "request", 7);
        ok_status("4.5", answer(server, c.listening, 0, &request, "reply", 5), STATUS_SUCCESS);
        if (sync)
            end_sync(&c, RETAINED, "reply", 5);
        else
            expect(client, c.port, "4.5", RETAINED, "reply", 5);
        reply = client->call->receive.header;
        /* the message as it was received, data included */
        call = prepare(client);
        call->port = c.port;
        call->flags = RELEASE;
        set_message(call, "reply", 5);
        call->send.header = reply;
        ok_status("4.6, 6.3.14", perform(client, call_exchange), STATUS_SUCCESS);
        ok_status("4.5", perform(client, call_exchange), STATUS_INVALID_MESSAGE);
        ok_status("4.5", answer(server, c.listening, RELEASE, &request, "late", 4), STATUS_INVALID_MESSAGE);
        expect_nothing(server, c.listening, "4.6");
        winetest_pop_context();
    }
    /* together with the next receive */
    request = sync_request(&c, "request", 7);
    ok_status("4.5", answer(server, c.listening, 0, &request, "reply", 5), STATUS_SUCCESS);
    end_sync(&c, RETAINED, "reply", 5);
    reply = client->call->receive.header;
    ok_status("4.4", send_message(server, c.comm, DATAGRAM, "news", 4), STATUS_SUCCESS);
    call = prepare(client);
    call->port = c.port;
    call->flags = RELEASE;
    set_answer(call, &reply, NULL, 0);
    call->receives = call->has_length = TRUE;
    call->length = sizeof(call->receive);
    ok_status("4.6", perform(client, call_exchange), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_DATAGRAM, "news", 4);
    check_clean(&c);
    close_connection(&c);
}

/* who has answered without RELEASE_MESSAGE may release later, but not answer again */
static void test_release_later(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;

    open_connection(&c, server, client);
    request = async_request(&c, "request", 7);
    ok_status("4.5", answer(server, c.listening, 0, &request, "reply", 5), STATUS_SUCCESS);
    expect(client, c.port, "4.5", RETAINED, "reply", 5);
    ok_status("4.5", answer(server, c.listening, 0, &request, "again", 5), STATUS_INVALID_MESSAGE);
    expect_nothing(client, c.port, "4.5");
    ok_status("4.4", answer(server, c.listening, RELEASE, &request, NULL, 0), STATUS_SUCCESS);
    expect_nothing(client, c.port, "4.5");
    ok_status("4.5", answer(server, c.listening, RELEASE, &request, NULL, 0), STATUS_INVALID_MESSAGE);
    ok_status("4.5", answer(client, c.port, RELEASE, &request, NULL, 0), STATUS_INVALID_MESSAGE);
    check_clean(&c);
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- others answer */

/* one thread receives, another answers */
static void test_other_thread(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(server);
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < 2; i++)
    {
        request = i ? sync_request(&c, "request", 7) : async_request(&c, "request", 7);
        ok_status("4.5", answer(second, i ? c.listening : c.comm, RELEASE, &request, "reply", 5), STATUS_SUCCESS);
        if (i)
            end_sync(&c, LPC_REPLY, "reply", 5);
        else
            expect(client, c.port, "4.5", LPC_REPLY, "reply", 5);
        check_client_id(client, second);
        ok_status("4.5", answer(server, c.listening, RELEASE, &request, "reply", 5), STATUS_INVALID_MESSAGE);
    }
    check_clean(&c);
    close_connection(&c);
    agent_stop(second);
}

/* another process that has got the server's handles [7, 40] */
static void test_other_process(struct agent *server, struct agent *client)
{
    struct agent *guest = agent_process();
    struct connected c;
    HANDLE listening, comm;
    PORT_MESSAGE request;
    unsigned int i;

    open_connection(&c, server, client);
    listening = copy_handle(server, c.listening, guest);
    comm = copy_handle(server, c.comm, guest);
    for (i = 0; i < 8; i++)
    {
        BOOL sync = i & 1, by_guest = i & 2, through_comm = i & 4;
        struct agent *receiver = by_guest ? server : guest, *answerer = by_guest ? guest : server;
        HANDLE own = through_comm ? c.comm : c.listening, copy = through_comm ? comm : listening;

        winetest_push_context("%s, %s answers through %s", sync ? "sync" : "async", by_guest ? "guest" : "server",
                              through_comm ? "comm" : "listening");
        if (sync)
            begin_request(client, c.port, "request", 7);
        else
            ok_status("4.4", send_message(client, c.port, 0, "request", 7), STATUS_SUCCESS);
        expect(receiver, by_guest ? c.listening : listening, "7.40", REQUEST, "request", 7);
        check_client_id(receiver, client);
        request = receiver->call->receive.header;
        ok_status("7.40", answer(answerer, by_guest ? copy : own, RELEASE, &request, "reply", 5), STATUS_SUCCESS);
        if (sync)
            end_sync(&c, LPC_REPLY, "reply", 5);
        else
            expect(client, c.port, "7.40", LPC_REPLY, "reply", 5);
        check_writer(client, answerer);
        ok_status("4.5", answer(receiver, by_guest ? own : copy, RELEASE, &request, "x", 1), STATUS_INVALID_MESSAGE);
        winetest_pop_context();
    }
    /* a request of the guest's; the answer comes to the connection port, where anyone may receive it */
    ok_status("7.40", send_message(guest, comm, 0, "question", 8), STATUS_SUCCESS);
    expect(client, c.port, "7.40", REQUEST, "question", 8);
    request = client->call->receive.header;
    ok_status("4.5", answer(client, c.port, RELEASE, &request, "answer", 6), STATUS_SUCCESS);
    expect(server, c.listening, "4.5", LPC_REPLY, "answer", 6);
    begin_request(guest, comm, "question", 8);
    expect(client, c.port, "7.40", REQUEST, "question", 8);
    request = client->call->receive.header;
    ok_status("4.5", answer(client, c.port, RELEASE, &request, "answer", 6), STATUS_SUCCESS);
    ok_status("7.40", end(guest), STATUS_SUCCESS);
    check_received(guest, "7.40", LPC_REPLY, "answer", 6);
    check_client_id(guest, client);
    close_handle(guest, comm);
    close_handle(guest, listening);
    check_clean(&c);
    close_connection(&c);
    agent_stop(guest);
}

/* another process that has got the client's handle */
static void test_shared_client(struct agent *server, struct agent *client)
{
    struct agent *guest = agent_process();
    struct connected c;
    HANDLE port;
    PORT_MESSAGE request;

    open_connection(&c, server, client);
    port = copy_handle(client, c.port, guest);
    begin_request(guest, port, "guest", 5);
    request = receive_request(&c, "guest", 5);
    check_client_id(server, guest);
    ok_status("4.5", answer(server, c.listening, RELEASE, &request, "reply", 5), STATUS_SUCCESS);
    ok_status("7.40", end(guest), STATUS_SUCCESS);
    check_received(guest, "7.40", LPC_REPLY, "reply", 5);
    /* the reply to an asynchronous request is the port's, not the sender's */
    ok_status("7.40", send_message(guest, port, 0, "guest", 5), STATUS_SUCCESS);
    request = receive_request(&c, "guest", 5);
    ok_status("4.5", answer(server, c.listening, RELEASE, &request, "reply", 5), STATUS_SUCCESS);
    expect(client, c.port, "7.40", LPC_REPLY, "reply", 5);
    /* one receives, the other answers */
    ok_status("4.4", send_message(server, c.comm, 0, "question", 8), STATUS_SUCCESS);
    expect(client, c.port, "4.4", REQUEST, "question", 8);
    request = client->call->receive.header;
    ok_status("7.40", answer(guest, port, RELEASE, &request, "answer", 6), STATUS_SUCCESS);
    expect(server, c.listening, "4.5", LPC_REPLY, "answer", 6);
    check_client_id(server, guest);
    /* also when someone waits for it */
    begin_request(server, c.comm, "question", 8);
    expect(client, c.port, "4.4", REQUEST, "question", 8);
    request = client->call->receive.header;
    ok_status("7.40", answer(guest, port, RELEASE, &request, "answer", 6), STATUS_SUCCESS);
    ok_status("4.4", end(server), STATUS_SUCCESS);
    check_received(server, "4.4", LPC_REPLY, "answer", 6);
    check_writer(server, guest);
    close_handle(guest, port);
    check_clean(&c);
    close_connection(&c);
    agent_stop(guest);
}

/* the receiver of a request ends without an answer; another of its process can still give it */
static void test_receiver_dies(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(server);
    struct connected c;
    PORT_MESSAGE request;

    open_connection(&c, server, client);
    begin_request(client, c.port, "request", 7);
    expect(second, c.listening, "4.4", REQUEST, "request", 7);
    request = second->call->receive.header;
    agent_kill_thread(second);
    ok(!finished(client, 20), "[4.5] the request has ended with a thread that was to answer it\n");
    ok_status("4.5", answer(server, c.listening, RELEASE, &request, "reply", 5), STATUS_SUCCESS);
    end_sync(&c, LPC_REPLY, "reply", 5);
    check_clean(&c);
    close_connection(&c);
}

/* the requester dies before it is answered: its thread alone, or with its process */
static void test_requester_dies(struct agent *server, struct agent *client)
{
    unsigned int sync, process;

    for (process = 0; process < 2; process++)
        for (sync = 0; sync < 2; sync++)
        {
            struct agent *victim = process ? agent_process() : agent_beside(client);
            struct connected c;
            PORT_MESSAGE request;
            NTSTATUS status;

            winetest_push_context("%s, %s", process ? "process" : "thread", sync ? "sync" : "async");
            open_connection(&c, server, victim);
            request = sync ? sync_request(&c, "request", 7) : async_request(&c, "request", 7);
            agent_kill(victim);
            c.client = client;
            /* a thread takes only its synchronous requests with it; the port stays */
            if (!process && !sync)
            {
                ok_status("4.5", answer(server, c.listening, RELEASE, &request, "reply", 5), STATUS_SUCCESS);
                expect(client, c.port, "4.5", LPC_REPLY, "reply", 5);
            }
            else
            {
                expect(server, c.listening, "4.11", LPC_CANCELED, NULL, 0);
                ok(server->call->receive.header.MessageId == request.MessageId, "[4.12] MessageId %#lx\n",
                   server->call->receive.header.MessageId);
                status = answer(server, c.listening, RELEASE, &request, "late", 4);
                ok(status == (NTSTATUS)STATUS_REQUEST_CANCELED || status == (NTSTATUS)STATUS_PORT_DISCONNECTED ||
                       status == (NTSTATUS)STATUS_INVALID_MESSAGE,
                   "[7.12] status %#lx\n", status);
            }
            if (process)
                c.port = NULL;
            else
                check_clean(&c);
            close_connection(&c);
            winetest_pop_context();
        }
}

/* ---------------------------------------------------------------------------------------------- callbacks */

/* answers a message with a request of its own */
static void begin_callback(struct agent *agent, HANDLE port, const PORT_MESSAGE *to, const void *data, SIZE_T size)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->flags = SYNC;
    set_answer(call, to, data, size);
    call->receives = call->has_length = TRUE;
    call->length = sizeof(call->receive);
    begin(agent, call_exchange);
}

/* the exchange of [4.5]: afterwards the message is used up */
static void test_callback(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request, callback;
    struct call *call;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < 4; i++)
    {
        HANDLE port = i & 1 ? c.comm : c.listening;
        BOOL release = i & 2;

        winetest_push_context("%s, %s", i & 1 ? "comm" : "listening", release ? "released" : "flags 0");
        request = sync_request(&c, "request", 7);
        begin_callback(server, port, &request, "callback", 8);
        end_sync(&c, REQUEST, "callback", 8);
        callback = client->call->receive.header;
        ok(callback.MessageId && callback.CallbackId, "[4.5] ids %#lx, %#lx\n", callback.MessageId,
           callback.CallbackId);
        check_client_id(client, server);
        ok(!finished(server, 20), "[4.5] the callback has ended before it was answered\n");
        ok_status("4.5", answer(client, c.port, release ? RELEASE : 0, &callback, "answer", 6), STATUS_SUCCESS);
        ok_status("4.5", end(server), STATUS_SUCCESS);
        check_received(server, "4.5", release ? LPC_REPLY : RETAINED, "answer", 6);
        ok(server->call->receive.header.MessageId && server->call->receive.header.CallbackId, "[4.5] ids %#lx, %#lx\n",
           server->call->receive.header.MessageId, server->call->receive.header.CallbackId);
        check_client_id(server, client);
        ok_status("4.5", answer(server, port, 0, &request, "reply", 5), STATUS_INVALID_MESSAGE);
        if (release)
            ok_status("4.5", answer(server, port, RELEASE, &request, "reply", 5), STATUS_INVALID_MESSAGE);
        ok_status("4.5", answer(client, c.port, 0, &callback, "again", 5), STATUS_INVALID_MESSAGE);
        /* a client that waits for a reply waits in vain */
        call = prepare(client);
        call->port = c.port;
        call->receives = call->has_length = call->has_timeout = TRUE;
        call->length = sizeof(call->receive);
        call->timeout = MILLISECONDS(20);
        ok_status("4.5", perform(client, call_exchange), STATUS_TIMEOUT);
        winetest_pop_context();
    }
    check_clean(&c);
    close_connection(&c);
}

/* both sides go on answering with requests, as often as they like */
static void test_deep_callbacks(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE last;
    ULONG depth, depths;

    open_connection(&c, server, client);
    for (depths = 1; depths < 20; depths += 3)
    {
        struct agent *agent = server, *peer = client;

        winetest_push_context("%lu callbacks", depths);
        last = sync_request(&c, "request", 7);
        for (depth = 0; depth < depths; depth++)
        {
            /* the first one of the server's goes through the connection port, further ones through the other */
            HANDLE port = agent == client ? c.port : depth ? c.comm : c.listening;
            struct agent *next = peer;

            begin_callback(agent, port, &last, &depth, sizeof(depth));
            ok_status("4.5", end(peer), STATUS_SUCCESS);
            check_received(peer, "4.5", REQUEST, &depth, sizeof(depth));
            check_client_id(peer, agent);
            last = peer->call->receive.header;
            peer = agent;
            agent = next;
        }
        ok(!finished(peer, 10), "[4.5] a callback has ended before it was answered\n");
        ok_status("4.5", answer(agent, agent == client ? c.port : c.listening, RELEASE, &last, "end", 3),
                  STATUS_SUCCESS);
        ok_status("4.5", end(peer), STATUS_SUCCESS);
        check_received(peer, "4.5", LPC_REPLY, "end", 3);
        winetest_pop_context();
    }
    check_clean(&c);
    close_connection(&c);
}

/* callbacks of every size: longer and shorter than what they answer */
static void test_callback_sizes(struct agent *server, struct agent *client)
{
    static const SIZE_T sizes[] = { 0, 5, 128, 129, 4000, 0xffff - HEADER_SIZE };
    static BYTE data[0x10000];
    struct connected c;
    PORT_MESSAGE request, callback;
    unsigned int i, k, l;

    open_connection(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(sizes); i++)
        for (k = 0; k < ARRAY_SIZE(sizes); k++)
            for (l = 0; l < ARRAY_SIZE(sizes); l++)
            {
                memset(data, 'a' + (int)i, sizes[i]);
                request = sync_request(&c, data, sizes[i]);
                memset(data, 'A' + (int)k, sizes[k]);
                begin_callback(server, c.listening, &request, data, sizes[k]);
                end_sync(&c, REQUEST, data, sizes[k]);
                callback = client->call->receive.header;
                memset(data, '0' + (int)l, sizes[l]);
                ok_status("4.5", answer(client, c.port, RELEASE, &callback, data, sizes[l]), STATUS_SUCCESS);
                ok_status("4.5", end(server), STATUS_SUCCESS);
                check_received(server, "4.5", LPC_REPLY, data, sizes[l]);
            }
    check_clean(&c);
    close_connection(&c);
}

/* a callback to who does not wait in a synchronous request comes as a message */
static void test_callback_async(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;

    open_connection(&c, server, client);
    request = async_request(&c, "request", 7);
    begin_callback(server, c.listening, &request, "callback", 8);
    expect(client, c.port, "4.5", REQUEST, "callback", 8);
    ok(client->call->receive.header.MessageId == request.MessageId, "[4.5] MessageId %#lx\n",
       client->call->receive.header.MessageId);
    request = client->call->receive.header;
    ok(!finished(server, 20), "[4.5] the callback has ended before it was answered\n");
    ok_status("4.5", answer(client, c.port, RELEASE, &request, "answer", 6), STATUS_SUCCESS);
    ok_status("4.5", end(server), STATUS_SUCCESS);
    check_received(server, "4.5", LPC_REPLY, "answer", 6);
    check_clean(&c);
    close_connection(&c);
}

/* during a callback new requests go both ways and have nothing to do with it */
static void test_callback_with_others(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(server);
    struct connected c;
    PORT_MESSAGE request, callback, inner;

    open_connection(&c, server, client);
    request = sync_request(&c, "request", 7);
    begin_callback(server, c.listening, &request, "callback", 8);
    end_sync(&c, REQUEST, "callback", 8);
    callback = client->call->receive.header;
    /* before the client answers it asks something else */
    begin_request(client, c.port, "inner", 5);
    expect(second, c.listening, "4.4", REQUEST, "inner", 5);
    inner = second->call->receive.header;
    ok(inner.MessageId != callback.MessageId, "[4.5] a new request has the MessageId %#lx of the callback\n",
       inner.MessageId);
    ok_status("4.5", answer(second, c.listening, RELEASE, &inner, "inner answer", 12), STATUS_SUCCESS);
    end_sync(&c, LPC_REPLY, "inner answer", 12);
    ok(!finished(server, 20), "[4.5] the callback has ended before it was answered\n");
    ok_status("4.5", answer(client, c.port, RELEASE, &callback, "answer", 6), STATUS_SUCCESS);
    ok_status("4.5", end(server), STATUS_SUCCESS);
    check_received(server, "4.5", LPC_REPLY, "answer", 6);
    check_clean(&c);
    close_connection(&c);
    agent_stop(second);
}

/* a callback that is given up: the client, which holds it, is told, and has nothing to answer any more */
static void test_callback_timeout(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request, callback;
    struct call *call;

    open_connection(&c, server, client);
    request = sync_request(&c, "request", 7);
    call = prepare(server);
    call->port = c.listening;
    call->flags = SYNC;
    set_answer(call, &request, "callback", 8);
    call->receives = call->has_length = call->has_timeout = TRUE;
    call->length = sizeof(call->receive);
    call->timeout = MILLISECONDS(300);
    begin(server, call_exchange);
    end_sync(&c, REQUEST, "callback", 8);
    callback = client->call->receive.header;
    ok_status("4.4", end(server), STATUS_TIMEOUT);
    ok_status("4.5", answer(client, c.port, RELEASE, &callback, "late", 4), STATUS_REQUEST_CANCELED);
    expect(client, c.port, "4.12", LPC_CANCELED, NULL, 0);
    ok(client->call->receive.header.MessageId == callback.MessageId, "[4.12] MessageId %#lx\n",
       client->call->receive.header.MessageId);
    ok_status("4.5", answer(server, c.listening, RELEASE, &request, "late", 4), STATUS_REQUEST_CANCELED);
    check_clean(&c);
    close_connection(&c);
}

/* the client goes during a callback: the server does not wait for ever */
static void test_callback_client_dies(struct agent *server, struct agent *client)
{
    unsigned int killed;

    for (killed = 0; killed < 2; killed++)
    {
        struct agent *victim = killed ? agent_process() : client;
        struct connected c;
        PORT_MESSAGE request;

        winetest_push_context("%s", killed ? "killed" : "closed");
        open_connection(&c, server, victim);
        request = sync_request(&c, "request", 7);
        begin_callback(server, c.listening, &request, "callback", 8);
        end_sync(&c, REQUEST, "callback", 8);
        if (killed)
            agent_kill(victim);
        else
            close_handle(client, c.port);
        c.port = NULL;
        ok_status("4.11", end(server), STATUS_PORT_DISCONNECTED);
        close_connection(&c);
        winetest_pop_context();
    }
}

/*
 * A callback stands ready for a thread that does not come to taking it when one of the two threads that wait goes, or
 * gives up: the message is over, and so the other finds it lost [4.12, CAVEATS]
 */
static void test_callback_not_taken(struct agent *server, struct agent *client)
{
    static const char *const ways[] = { "client's thread dies", "server's thread dies", "timeout" };
    struct connected c;
    unsigned int way;

    open_connection(&c, server, client);
    for (way = 0; way < ARRAY_SIZE(ways); way++)
    {
        struct agent *caller = agent_beside(client), *asker = agent_beside(server);
        PORT_MESSAGE request;
        struct call *call;

        winetest_push_context("%s", ways[way]);
        begin_request(caller, c.port, "request", 7);
        request = receive_request(&c, "request", 7);
        agent_suspend(caller);
        call = prepare(asker);
        call->port = way ? c.comm : c.listening;
        call->flags = SYNC;
        set_answer(call, &request, "callback", 8);
        call->receives = call->has_length = TRUE;
        call->length = sizeof(call->receive);
        call->has_timeout = way == 2;
        call->timeout = MILLISECONDS(100);
        begin(asker, call_exchange);
        ok(!finished(asker, 20), "[4.5] the callback has ended before it was answered\n");
        if (way == 0)
        {
            agent_kill_thread(caller);
            ok_status("4.12", end(asker), STATUS_MESSAGE_LOST);
            agent_stop(asker);
        }
        else
        {
            if (way == 1)
                agent_kill_thread(asker);
            else
            {
                ok_status("4.4", end(asker), STATUS_TIMEOUT);
                agent_stop(asker);
            }
            agent_resume(caller);
            ok_status("4.12", end(caller), STATUS_MESSAGE_LOST);
            ok(caller->call->receive.header.u2.ZeroInit == 0xcccccccc, "[4.12] the buffer was written to\n");
            agent_stop(caller);
        }
        ok_status("4.5", answer(server, c.listening, RELEASE, &request, "late", 4), STATUS_INVALID_MESSAGE);
        check_clean(&c);
        winetest_pop_context();
    }
    close_connection(&c);
}

/* the thread that sent a callback dies when the client has it: the client is told [4.5, 4.12] */
static void test_callback_sender_dies(struct agent *server, struct agent *client)
{
    struct agent *asker = agent_beside(server);
    PORT_MESSAGE request, callback;
    struct connected c;

    open_connection(&c, server, client);
    request = sync_request(&c, "request", 7);
    begin_callback(asker, c.listening, &request, "callback", 8);
    end_sync(&c, REQUEST, "callback", 8);
    callback = client->call->receive.header;
    agent_kill_thread(asker);
    expect(client, c.port, "4.12", LPC_CANCELED, NULL, 0);
    ok(client->call->receive.header.MessageId == callback.MessageId, "[4.12] MessageId %#lx\n",
       client->call->receive.header.MessageId);
    ok_status("4.5", answer(client, c.port, RELEASE, &callback, "late", 4), STATUS_REQUEST_CANCELED);
    check_clean(&c);
    close_connection(&c);
}

/* the thread that answered a callback with a request in its turn dies: the server, which has that, is told */
static void test_callback_answerer_dies(struct agent *server, struct agent *client)
{
    struct agent *caller = agent_beside(client);
    PORT_MESSAGE request, callback, inner;
    struct connected c;

    open_connection(&c, server, client);
    begin_request(caller, c.port, "request", 7);
    request = receive_request(&c, "request", 7);
    begin_callback(server, c.listening, &request, "callback", 8);
    ok_status("4.5", end(caller), STATUS_SUCCESS);
    callback = caller->call->receive.header;
    begin_callback(caller, c.port, &callback, "inner", 5);
    ok_status("4.5", end(server), STATUS_SUCCESS);
    check_received(server, "4.5", REQUEST, "inner", 5);
    inner = server->call->receive.header;
    agent_kill_thread(caller);
    expect(server, c.listening, "4.12", LPC_CANCELED, NULL, 0);
    ok(server->call->receive.header.MessageId == inner.MessageId, "[4.12] MessageId %#lx\n",
       server->call->receive.header.MessageId);
    ok_status("4.5", answer(server, c.listening, RELEASE, &inner, "late", 4), STATUS_REQUEST_CANCELED);
    check_clean(&c);
    close_connection(&c);
}

/* a message that the server has answered and keeps is canceled with its sender, whose name the notice has [4.11, 7.5] */
static void test_retained_canceled(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;

    open_connection(&c, server, client);
    request = sync_request(&c, "request", 7);
    ok_status("4.5", answer(server, c.listening, 0, &request, "answer", 6), STATUS_SUCCESS);
    end_sync(&c, RETAINED, "answer", 6);
    close_handle(client, c.port);
    c.port = NULL;
    expect(server, c.listening, "4.11", LPC_CANCELED, NULL, 0);
    ok(server->call->receive.header.MessageId == request.MessageId, "[4.12] MessageId %#lx\n",
       server->call->receive.header.MessageId);
    check_client_id(server, client);
    close_connection(&c);
}

START_TEST(reply)
{
    if (agent_main())
        return;
    RUN(test_replies);
    RUN(test_replies_of_client);
    RUN(test_wrong_ids);
    RUN(test_wrong_port);
    RUN(test_unanswerable);
    RUN(test_twice);
    RUN(test_reused_id);
    RUN(test_many);
    RUN(test_release_reply);
    RUN(test_release_later);
    RUN(test_other_thread);
    RUN(test_other_process);
    RUN(test_shared_client);
    RUN(test_receiver_dies);
    RUN(test_requester_dies);
    RUN(test_callback);
    RUN(test_deep_callbacks);
    RUN(test_callback_sizes);
    RUN(test_callback_async);
    RUN(test_callback_with_others);
    RUN(test_callback_timeout);
    RUN(test_callback_client_dies);
    RUN(test_callback_not_taken);
    RUN(test_callback_sender_dies);
    RUN(test_callback_answerer_dies);
    RUN(test_retained_canceled);
    end_tests();
}
