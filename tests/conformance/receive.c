/*
 * What a receiver is told of how a message was sent, and buffers without a length [alpc.md 4.4]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Not here: what sending and receiving do otherwise (send_receive.c), answers (reply.c).
 */

#include "agent.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)

#define REQUEST (LPC_REQUEST | LPC_CONTINUATION_REQUIRED)
#define RELEASE ALPC_MSGFLG_RELEASE_MESSAGE
#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define SYNC ALPC_MSGFLG_SYNC_REQUEST

/* ---------------------------------------------------------------------------------------------- types */

/* who asks, who answers, and through which ports */
struct way
{
    const char *name;
    struct agent *asker, *answerer;
    HANDLE asks, hears, answers, answered; /* answered: where an asynchronous answer comes to */
};

#define WAYS 3

static void make_ways(struct way ways[WAYS], const struct connected *c)
{
    ways[0] = (struct way){ "client asks", c->client, c->server, c->port, c->listening, c->listening, c->port };
    ways[1] = (struct way){ "answered through comm", c->client, c->server, c->port, c->listening, c->comm, c->port };
    ways[2] = (struct way){ "server asks", c->server, c->client, c->comm, c->port, c->port, c->listening };
}

/*
 * One request and its answer.  The type says with which flags the answer was sent: with RELEASE_MESSAGE it is an
 * LPC_REPLY, else an LPC_REQUEST for which the message object stays alive.
 */
static void check_answer(const struct way *way, BOOL sync, BOOL release, BOOL again)
{
    const ULONG type = release ? LPC_REPLY : REQUEST;
    PORT_MESSAGE request, reply;

    winetest_push_context("%s, %s, %s", way->name, sync ? "sync" : "async", release ? "released" : "not released");
    if (sync)
        begin_request(way->asker, way->asks, "request", 7);
    else
        ok_status("4.4", send_message(way->asker, way->asks, 0, "request", 7), STATUS_SUCCESS);
    expect(way->answerer, way->hears, "4.4", REQUEST, "request", 7);
    request = way->answerer->call->receive.header;
    /* other bits of the low word change nothing [3.3] */
    ok_status("4.5",
              answer(way->answerer, way->answers, (release ? RELEASE : 0) | (again ? 1 : 0), &request, "answer", 6),
              STATUS_SUCCESS);
    if (sync)
    {
        ok_status("4.4", end(way->asker), STATUS_SUCCESS);
        check_received(way->asker, "4.4", type, "answer", 6);
    }
    else
        expect(way->asker, way->answered, "4.4", type, "answer", 6);
    reply = way->asker->call->receive.header;
    ok(reply.MessageId == request.MessageId, "[4.5] MessageId %#lx instead of %#lx\n", reply.MessageId,
       request.MessageId);
    ok((ULONG_PTR)reply.ClientId.UniqueProcess == way->answerer->pid &&
           (ULONG_PTR)reply.ClientId.UniqueThread == way->answerer->tid,
       "[7.5] ClientId %p, %p\n", reply.ClientId.UniqueProcess, reply.ClientId.UniqueThread);
    /* what was left alive is released once, as if it were a request [4.6] */
    if (!release)
        ok_status("4.6", answer(way->asker, way->asks, RELEASE, &reply, NULL, 0), STATUS_SUCCESS);
    ok_status("4.6", answer(way->asker, way->asks, RELEASE, &reply, NULL, 0), STATUS_INVALID_MESSAGE);
    winetest_pop_context();
}

static void test_types(struct agent *server, struct agent *client)
{
    struct way ways[WAYS];
    struct connected c;
    unsigned int i, k;

    open_connection(&c, server, client);
    make_ways(ways, &c);
    for (k = 0; k < WAYS; k++)
        for (i = 0; i < 8; i++)
            check_answer(&ways[k], i & 1, i & 2, i & 4);
    expect_nothing(server, c.listening, "4.4");
    expect_nothing(client, c.port, "4.4");
    close_connection(&c);
}

/* an answer without RELEASE_MESSAGE that is taken for a request and answered: the answerer has done with it */
static void test_answer_to_answer(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request, reply;

    open_connection(&c, server, client);
    ok_status("4.4", send_message(client, c.port, 0, "request", 7), STATUS_SUCCESS);
    expect(server, c.listening, "4.4", REQUEST, "request", 7);
    request = server->call->receive.header;
    ok_status("4.5", answer(server, c.listening, 0, &request, "answer", 6), STATUS_SUCCESS);
    expect(client, c.port, "4.4", REQUEST, "answer", 6);
    reply = client->call->receive.header;
    ok_status("4.6", answer(client, c.port, RELEASE, &reply, "more", 4), STATUS_SUCCESS);
    expect_nothing(server, c.listening, "4.6");
    ok_status("4.5", answer(server, c.listening, RELEASE, &request, "again", 5), STATUS_INVALID_MESSAGE);
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- no length */

/* a receive with a buffer whose length is not given; timeout in ms */
static struct call *prepare_unlimited(struct agent *agent, HANDLE port, ULONG flags, ULONG timeout)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->flags = flags;
    call->receives = call->has_timeout = TRUE;
    call->timeout = MILLISECONDS(timeout);
    memset(&call->receive, 0xcc, sizeof(call->receive));
    return call;
}

static BOOL untouched(const struct call *call)
{
    const BYTE *byte = (const BYTE *)&call->receive, *end = byte + sizeof(call->receive);

    while (byte < end && *byte == 0xcc)
        byte++;
    return byte == end;
}

static void call_event(struct call *call)
{
    call->handle = CreateEventW(NULL, FALSE, FALSE, NULL);
    call->status = STATUS_SUCCESS;
}

static void test_nothing_there(struct agent *server, struct agent *client)
{
    struct connected c;
    HANDLE event;
    unsigned int i;

    open_connection(&c, server, client);
    prepare(client);
    perform(client, call_event);
    event = client->call->handle;
    {
        const struct
        {
            HANDLE port;
            ULONG timeout;
            NTSTATUS status;
        } tests[] = {
            { c.port, 0, STATUS_TIMEOUT },
            { c.port, 20, STATUS_TIMEOUT },
            { NULL, 0, STATUS_INVALID_HANDLE },
            { (HANDLE)(ULONG_PTR)0x3ffffc, 0, STATUS_INVALID_HANDLE },
            { event, 0, STATUS_OBJECT_TYPE_MISMATCH },
        };

        for (i = 0; i < ARRAY_SIZE(tests); i++)
        {
            struct call *call = prepare_unlimited(client, tests[i].port, 0, tests[i].timeout);
            NTSTATUS status = perform(client, call_exchange);

            ok(status == tests[i].status, "[4.4] %u: status %#lx instead of %#lx\n", i, status, tests[i].status);
            ok(untouched(call), "[4.4] %u: the buffer was written to\n", i);
        }
    }
    close_handle(client, event);
    close_connection(&c);
}

/* messages of every size are there in full, waited for or not, and nothing is written behind them */
static void test_sizes(struct agent *server, struct agent *client)
{
    static const SIZE_T sizes[] = { 0, 1, 64, 128, 129, 1000, 4096, 0x7fff - HEADER_SIZE, 0xffff - HEADER_SIZE };
    static BYTE data[0xffff];
    struct connected c;
    struct call *call;
    unsigned int i, waits;
    SIZE_T k;

    for (k = 0; k < sizeof(data); k++)
        data[k] = (BYTE)(k * 7 + (k >> 8));
    open_connection(&c, server, client);
    for (waits = 0; waits < 2; waits++)
    {
        for (i = 0; i < ARRAY_SIZE(sizes); i++)
        {
            winetest_push_context("%Iu bytes, %s", sizes[i], waits ? "waited for" : "there");
            if (!waits)
                ok_status("4.4", send_message(client, c.port, DATAGRAM, data, sizes[i]), STATUS_SUCCESS);
            call = prepare_unlimited(server, c.listening, 0, HANG / 2);
            begin(server, call_exchange);
            if (waits)
                ok_status("4.4", send_message(client, c.port, DATAGRAM, data, sizes[i]), STATUS_SUCCESS);
            ok_status("4.4", end(server), STATUS_SUCCESS);
            check_received(server, "4.4", LPC_DATAGRAM, data, sizes[i]);
            ok(sizes[i] == sizeof(call->receive.data) || call->receive.data[sizes[i]] == 0xcc,
               "[4.4] the buffer was written to behind the message\n");
            winetest_pop_context();
        }
    }
    close_connection(&c);
}

/* the answer to a synchronous request, and a message after a datagram was sent in the same call */
static void test_send_too(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;

    open_connection(&c, server, client);
    set_message(prepare_unlimited(client, c.port, SYNC, HANG / 2), "request", 7);
    begin(client, call_exchange);
    expect(server, c.listening, "4.4", REQUEST, "request", 7);
    request = server->call->receive.header;
    ok_status("4.5", answer(server, c.listening, RELEASE, &request, "a longer answer", 15), STATUS_SUCCESS);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_REPLY, "a longer answer", 15);

    set_message(prepare_unlimited(client, c.port, DATAGRAM, HANG / 2), "datagram", 8);
    begin(client, call_exchange);
    expect(server, c.listening, "4.4", LPC_DATAGRAM, "datagram", 8);
    ok_status("4.4", send_message(server, c.comm, DATAGRAM, "news", 4), STATUS_SUCCESS);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_DATAGRAM, "news", 4);
    close_connection(&c);
}

/* only what is written can be probed: a buffer that ends with the message is enough, one that does not is an error */
static void call_receive_at_end(struct call *call)
{
    BYTE *pages = VirtualAlloc(NULL, 0x2000, MEM_RESERVE, PAGE_NOACCESS);
    PORT_MESSAGE *message;
    LARGE_INTEGER timeout = { .QuadPart = 0 };

    VirtualAlloc(pages, 0x1000, MEM_COMMIT, PAGE_READWRITE);
    message = (PORT_MESSAGE *)(pages + 0x1000 - call->count);
    call->status = NtAlpcSendWaitReceivePort(call->port, 0, NULL, NULL, message, NULL, NULL, &timeout);
    if (!call->status)
        memcpy(&call->receive, message, call->count);
    VirtualFree(pages, 0, MEM_RELEASE);
}

static void test_end_of_memory(struct agent *server, struct agent *client)
{
    struct connected c;
    struct call *call;

    open_connection(&c, server, client);
    ok_status("4.4", send_message(client, c.port, DATAGRAM, "datagram", 8), STATUS_SUCCESS);
    call = prepare(server);
    call->port = c.listening;
    call->count = HEADER_SIZE + 8;
    ok_status("4.4", perform(server, call_receive_at_end), STATUS_SUCCESS);
    check_received(server, "4.4", LPC_DATAGRAM, "datagram", 8);

    /* too short for the message; whether that message is lost is not known, later ones are there */
    ok_status("4.4", send_message(client, c.port, DATAGRAM, "datagram", 8), STATUS_SUCCESS);
    call = prepare(server);
    call->port = c.listening;
    call->count = HEADER_SIZE;
    ok_status("4.4", perform(server, call_receive_at_end), STATUS_ACCESS_VIOLATION);
    ok_status("4.4", send_message(client, c.port, DATAGRAM, "the next", 8), STATUS_SUCCESS);
    ok_status("4.4", receive(server, c.listening), STATUS_SUCCESS);
    if (!memcmp(server->call->receive.data, "datagram", 8))
        ok_status("4.4", receive(server, c.listening), STATUS_SUCCESS);
    check_received(server, "4.4", LPC_DATAGRAM, "the next", 8);
    close_connection(&c);
}

START_TEST(receive)
{
    if (agent_main())
        return;
    RUN(test_types);
    RUN(test_answer_to_answer);
    RUN(test_nothing_there);
    RUN(test_sizes);
    RUN(test_send_too);
    RUN(test_end_of_memory);
    end_tests();
}
