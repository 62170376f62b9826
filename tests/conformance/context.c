/*
 * Attributes of messages, above all the context [alpc.md 4.8, 4.8.1, 2.3]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Not here: the helpers by themselves (helpers.c), the attributes of connecting (connect.c, accept.c).
 */

#include "agent.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)

#define REQUEST (LPC_REQUEST | LPC_CONTINUATION_REQUIRED)
#define RETAINED REQUEST /* an answer without RELEASE_MESSAGE [4.4] */
#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define RELEASE ALPC_MSGFLG_RELEASE_MESSAGE
#define SYNC ALPC_MSGFLG_SYNC_REQUEST
#define CONTEXT ALPC_MESSAGE_CONTEXT_ATTRIBUTE

#define POINTER(value) ((PVOID)(ULONG_PTR)(value))
#define CLIENT_CONTEXT POINTER(0xc11e47c11e47)
#define SERVER_CONTEXT POINTER(0x5e47e45e47e4)

/* in the order of their bodies [2.3] */
static const struct
{
    ULONG flag;
    SIZE_T size;
} all_attributes[] = {
    { ALPC_MESSAGE_SECURITY_ATTRIBUTE, 0x18 },       { ALPC_MESSAGE_VIEW_ATTRIBUTE, 0x20 },
    { ALPC_MESSAGE_CONTEXT_ATTRIBUTE, 0x20 },        { ALPC_MESSAGE_HANDLE_ATTRIBUTE, 0x18 },
    { ALPC_MESSAGE_TOKEN_ATTRIBUTE, 0x18 },          { ALPC_MESSAGE_DIRECT_ATTRIBUTE, 0x08 },
    { ALPC_MESSAGE_WORK_ON_BEHALF_ATTRIBUTE, 0x08 },
};

#define ALL_ATTRIBUTES 0xfe000000

/* what the message that was received has told; sequence 0: not looked at */
#define check_context(agent, section, port, message, sequence)                                                         \
    check_context_(__FILE__, __LINE__, agent, section, port, message, sequence)

static void check_context_(const char *file, int line, struct agent *agent, const char *section, PVOID port,
                           PVOID message, ULONG sequence)
{
    const struct call *call = agent->call;
    const PORT_MESSAGE *header = &call->receive.header;

    /* tokens are given with requests only, and by newer systems perhaps not at all [4.8, 4.8.2] */
    ok_(file, line)((call->valid & ~(ULONG)ALPC_MESSAGE_TOKEN_ATTRIBUTE) == CONTEXT, "[%s] ValidAttributes %#lx\n",
                    section, call->valid);
    ok_(file, line)(call->context.PortContext == port, "[%s] PortContext %p instead of %p\n", section,
                    call->context.PortContext, port);
    ok_(file, line)(call->context.MessageContext == message, "[%s] MessageContext %p instead of %p\n", section,
                    call->context.MessageContext, message);
    ok_(file, line)(!sequence || call->context.Sequence == sequence, "[%s] Sequence %lu instead of %lu\n", section,
                    call->context.Sequence, sequence);
    ok_(file, line)(call->context.MessageId == header->MessageId && call->context.CallbackId == header->CallbackId,
                    "[7.2] ids %#lx, %#lx instead of %#lx, %#lx\n", call->context.MessageId, call->context.CallbackId,
                    header->MessageId, header->CallbackId);
}

/* a call that sends, with a MessageContext unless it is NULL, and one that also receives */
static struct call *prepare_send(struct agent *agent, HANDLE port, ULONG flags, PVOID context)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->flags = flags;
    set_message(call, "message", 7);
    if (context)
    {
        call->send_valid = CONTEXT;
        call->send_context = context;
    }
    return call;
}

static struct call *prepare_sync(struct agent *agent, HANDLE port, PVOID context)
{
    struct call *call = prepare_send(agent, port, SYNC, context);

    call->receives = call->has_length = TRUE;
    call->length = sizeof(call->receive);
    call->allocated = CONTEXT;
    return call;
}

static void send_with(struct agent *agent, HANDLE port, ULONG flags, PVOID context)
{
    prepare_send(agent, port, flags, context);
    ok_status("4.8", perform(agent, call_exchange), STATUS_SUCCESS);
}

static void answer_with(struct agent *agent, HANDLE port, ULONG flags, const PORT_MESSAGE *to, PVOID context)
{
    struct call *call = prepare_send(agent, port, flags, context);

    call->send.header.MessageId = to->MessageId;
    call->send.header.CallbackId = to->CallbackId;
    ok_status("4.8", perform(agent, call_exchange), STATUS_SUCCESS);
}

static PORT_MESSAGE receive_message(struct agent *agent, HANDLE port, ULONG type)
{
    expect(agent, port, "4.8", type, "message", 7);
    return agent->call->receive.header;
}

/* ---------------------------------------------------------------------------------------------- the five fields */

/* what the client sends, and the answers it gets */
static void test_client(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    ULONG sequence = 0;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < 12; i++)
    {
        PVOID context = i & 1 ? CLIENT_CONTEXT : NULL;
        ULONG type = i % 3 == 0 ? LPC_DATAGRAM : REQUEST;

        winetest_push_context("%s, context %p", i % 3 == 0 ? "datagram" : i % 3 == 1 ? "async" : "sync", context);
        if (i % 3 == 2)
        {
            prepare_sync(client, c.port, context);
            begin(client, call_exchange);
        }
        else
            send_with(client, c.port, i % 3 == 0 ? DATAGRAM : 0, context);
        request = receive_message(server, c.listening, type);
        /* the client's context is none of the server's business */
        check_context(server, "4.8.1", PORT_CONTEXT, NULL, ++sequence);
        if (type == REQUEST)
        {
            answer_with(server, c.listening, RELEASE, &request, i & 4 ? SERVER_CONTEXT : NULL);
            if (i % 3 == 2)
            {
                ok_status("4.4", end(client), STATUS_SUCCESS);
                check_received(client, "4.4", LPC_REPLY, "message", 7);
            }
            else
                receive_message(client, c.port, LPC_REPLY);
            check_context(client, "4.8.1", NULL, context, 0);
            ok(client->call->valid == CONTEXT, "[4.8] ValidAttributes of a reply %#lx\n", client->call->valid);
        }
        winetest_pop_context();
    }
    close_connection(&c);
}

/* what the server sends through the communication port, and the answers it gets */
static void test_server(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < 12; i++)
    {
        PVOID context = i & 1 ? SERVER_CONTEXT : NULL;
        ULONG type = i % 3 == 0 ? LPC_DATAGRAM : REQUEST;

        winetest_push_context("%s, context %p", i % 3 == 0 ? "datagram" : i % 3 == 1 ? "async" : "sync", context);
        if (i % 3 == 2)
        {
            prepare_sync(server, c.comm, context);
            begin(server, call_exchange);
        }
        else
            send_with(server, c.comm, i % 3 == 0 ? DATAGRAM : 0, context);
        request = receive_message(client, c.port, type);
        check_context(client, "4.8.1", NULL, NULL, 0);
        if (type == REQUEST)
        {
            answer_with(client, c.port, RELEASE, &request, i & 4 ? CLIENT_CONTEXT : NULL);
            if (i % 3 == 2)
            {
                ok_status("4.4", end(server), STATUS_SUCCESS);
                check_received(server, "4.4", LPC_REPLY, "message", 7);
            }
            else
                receive_message(server, c.listening, LPC_REPLY);
            check_context(server, "4.8.1", PORT_CONTEXT, context, 0);
        }
        winetest_pop_context();
    }
    close_connection(&c);
}

/* each side of a callback has its own context, which stays until the side gives another */
static void test_callback(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE message;
    struct call *call;
    unsigned int comm;

    open_connection(&c, server, client);
    for (comm = 0; comm < 2; comm++)
    {
        winetest_push_context("%s", comm ? "comm" : "listening");
        prepare_sync(client, c.port, CLIENT_CONTEXT);
        begin(client, call_exchange);
        message = receive_message(server, c.listening, REQUEST);
        check_context(server, "4.8.1", PORT_CONTEXT, NULL, 0);
        call = prepare_sync(server, comm ? c.comm : c.listening, SERVER_CONTEXT);
        call->send.header.MessageId = message.MessageId;
        begin(server, call_exchange);
        ok_status("4.5", end(client), STATUS_SUCCESS);
        check_received(client, "4.5", REQUEST, "message", 7);
        check_context(client, "4.8.1", NULL, CLIENT_CONTEXT, 0);
        /* the client asks back with another one */
        message = client->call->receive.header;
        call = prepare_sync(client, c.port, POINTER(0x222));
        call->send.header.MessageId = message.MessageId;
        begin(client, call_exchange);
        ok_status("4.5", end(server), STATUS_SUCCESS);
        check_received(server, "4.5", REQUEST, "message", 7);
        check_context(server, "4.8.1", PORT_CONTEXT, SERVER_CONTEXT, 0);
        answer_with(server, c.listening, RELEASE, &message, NULL);
        ok_status("4.5", end(client), STATUS_SUCCESS);
        check_context(client, "4.8.1", NULL, POINTER(0x222), 0);
        winetest_pop_context();
    }
    /* of an asynchronous request */
    send_with(client, c.port, 0, CLIENT_CONTEXT);
    message = receive_message(server, c.listening, REQUEST);
    call = prepare_sync(server, c.listening, SERVER_CONTEXT);
    call->send.header.MessageId = message.MessageId;
    begin(server, call_exchange);
    message = receive_message(client, c.port, REQUEST);
    check_context(client, "4.8.1", NULL, CLIENT_CONTEXT, 0);
    answer_with(client, c.port, RELEASE, &message, NULL);
    ok_status("4.5", end(server), STATUS_SUCCESS);
    check_context(server, "4.8.1", PORT_CONTEXT, SERVER_CONTEXT, 0);
    close_connection(&c);
}

/* a reply that does not fit comes as a message, with the context of its request */
static void test_small_buffer(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    struct call *call;

    open_connection(&c, server, client);
    call = prepare_sync(client, c.port, CLIENT_CONTEXT);
    call->length = HEADER_SIZE;
    begin(client, call_exchange);
    request = receive_message(server, c.listening, REQUEST);
    answer_with(server, c.listening, RELEASE, &request, NULL);
    ok_status("4.4", end(client), STATUS_BUFFER_TOO_SMALL);
    receive_message(client, c.port, LPC_REPLY);
    check_context(client, "4.8.1", NULL, CLIENT_CONTEXT, 0);
    close_connection(&c);
}

/* many requests at a time, answered in another order: each reply has the context of its own request */
static void test_many(struct agent *server, struct agent *client)
{
    static PORT_MESSAGE requests[200];
    struct connected c;
    ULONG i, k;

    open_connection(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(requests); i++)
        send_with(client, c.port, 0, i % 5 ? POINTER(0x100000000 + i) : NULL);
    for (i = 0; i < ARRAY_SIZE(requests); i++)
    {
        requests[i] = receive_message(server, c.listening, REQUEST);
        check_context(server, "4.8.1", PORT_CONTEXT, NULL, i + 1);
    }
    for (i = 0; i < ARRAY_SIZE(requests); i++)
        answer_with(server, c.listening, RELEASE, &requests[i * 7 % ARRAY_SIZE(requests)], NULL);
    for (i = 0; i < ARRAY_SIZE(requests); i++)
    {
        k = i * 7 % ARRAY_SIZE(requests);
        receive_message(client, c.port, LPC_REPLY);
        ok(client->call->receive.header.MessageId == requests[k].MessageId, "[4.5] MessageId %#lx\n",
           client->call->receive.header.MessageId);
        check_context(client, "4.8.1", NULL, k % 5 ? POINTER(0x100000000 + k) : NULL, 0);
    }
    close_connection(&c);
}

/* a message that comes later, perhaps with the same MessageId, has nothing of what went before it */
static void test_forgotten(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < 30; i++)
    {
        BOOL retained = i & 1, given = i & 2;

        send_with(client, c.port, 0, given ? CLIENT_CONTEXT : NULL);
        request = receive_message(server, c.listening, REQUEST);
        check_context(server, "4.8.1", PORT_CONTEXT, NULL, 0);
        answer_with(server, c.listening, retained ? 0 : RELEASE, &request, given ? SERVER_CONTEXT : NULL);
        request = receive_message(client, c.port, retained ? RETAINED : LPC_REPLY);
        check_context(client, "4.8.1", NULL, given ? CLIENT_CONTEXT : NULL, 0);
        if (retained)
            answer_with(client, c.port, RELEASE, &request, NULL);
        send_with(server, c.comm, 0, given ? NULL : SERVER_CONTEXT);
        request = receive_message(client, c.port, REQUEST);
        check_context(client, "4.8.1", NULL, NULL, 0);
        answer_with(client, c.port, RELEASE, &request, NULL);
        receive_message(server, c.listening, LPC_REPLY);
        check_context(server, "4.8.1", PORT_CONTEXT, given ? NULL : SERVER_CONTEXT, 0);
    }
    close_connection(&c);
}

/* two clients: each has its PortContext and its count */
static void test_two_clients(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    struct connected c[2];
    PORT_MESSAGE request;
    ULONG i, k, sequences[2] = { 0, 0 };

    open_connection(&c[0], server, client);
    open_another(&c[1], &c[0], second, POINTER(0xfeedfacecafe));
    for (i = 0; i < 20; i++)
    {
        k = i % 3 == 1;
        send_with(c[k].client, c[k].port, i & 1 ? 0 : DATAGRAM, NULL);
        request = receive_message(server, c[0].listening, i & 1 ? REQUEST : LPC_DATAGRAM);
        /* what the server asks and answers does not count here */
        check_context(server, "4.8.1", k ? POINTER(0xfeedfacecafe) : PORT_CONTEXT, NULL, ++sequences[k]);
        if (i & 1)
        {
            answer_with(server, c[0].listening, RELEASE, &request, NULL);
            receive_message(c[k].client, c[k].port, LPC_REPLY);
        }
    }
    close_connection(&c[1]);
    close_connection(&c[0]);
    agent_stop(second);
}

/* another process that has got the server's handles [7, 40] knows whom they are for; so does the client's */
static void test_other_process(struct agent *server, struct agent *client)
{
    struct agent *guest = agent_process();
    struct connected c;
    HANDLE ports[3], given[3];
    PORT_MESSAGE message;
    struct call *call;
    unsigned int i;

    open_connection(&c, server, client);
    given[0] = c.listening;
    given[1] = c.comm;
    given[2] = c.port;
    for (i = 0; i < ARRAY_SIZE(ports); i++)
        ok(DuplicateHandle(agent_process_handle(i == 2 ? client : server), given[i], guest->process, &ports[i], 0,
                           FALSE, DUPLICATE_SAME_ACCESS),
           "cannot duplicate the port: %lu\n", GetLastError());
    send_with(client, c.port, 0, CLIENT_CONTEXT);
    message = receive_message(guest, ports[0], REQUEST);
    check_context(guest, "4.8.1", PORT_CONTEXT, NULL, 1);
    answer_with(guest, ports[1], RELEASE, &message, SERVER_CONTEXT);
    receive_message(client, c.port, LPC_REPLY);
    check_context(client, "4.8.1", NULL, CLIENT_CONTEXT, 0);
    prepare_sync(guest, ports[1], SERVER_CONTEXT);
    begin(guest, call_exchange);
    message = receive_message(client, c.port, REQUEST);
    answer_with(client, c.port, RELEASE, &message, NULL);
    ok_status("4.4", end(guest), STATUS_SUCCESS);
    check_received(guest, "4.4", LPC_REPLY, "message", 7);
    check_context(guest, "4.8.1", PORT_CONTEXT, SERVER_CONTEXT, 0);
    for (i = 0; i < ARRAY_SIZE(ports); i++)
    {
        call = prepare(guest);
        call->port = ports[i];
        ok_status("1.3", perform(guest, call_query_basic), STATUS_SUCCESS);
        ok(call->basic.PortContext == (i == 1 ? PORT_CONTEXT : NULL), "[1.3] %u: PortContext %p\n", i,
           call->basic.PortContext);
    }
    /* an answer that the client's port gets through another process */
    prepare_sync(guest, ports[2], CLIENT_CONTEXT);
    begin(guest, call_exchange);
    message = receive_message(server, c.listening, REQUEST);
    check_context(server, "4.8.1", PORT_CONTEXT, NULL, 2);
    answer_with(server, c.listening, RELEASE, &message, NULL);
    ok_status("4.4", end(guest), STATUS_SUCCESS);
    check_context(guest, "4.8.1", NULL, CLIENT_CONTEXT, 0);
    for (i = 0; i < ARRAY_SIZE(ports); i++)
        close_handle(guest, ports[i]);
    close_connection(&c);
    agent_stop(guest);
}

/* ---------------------------------------------------------------------------------------------- notices */

/* [4.8.1, 4.11] a client goes: what is told then names it, and what the server has given to a message comes back */
static void test_client_goes(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE retained;
    unsigned int i, canceled = 0, closed = 0;

    open_connection(&c, server, client);
    send_with(client, c.port, 0, CLIENT_CONTEXT);
    retained = receive_message(server, c.listening, REQUEST);
    answer_with(server, c.listening, 0, &retained, SERVER_CONTEXT);
    receive_message(client, c.port, RETAINED);
    send_with(client, c.port, DATAGRAM, CLIENT_CONTEXT);
    send_with(client, c.port, DATAGRAM, NULL);
    close_handle(client, c.port);
    c.port = NULL;
    for (i = 0; i < 4; i++)
    {
        const struct call *call = server->call;
        BOOL own;

        ok_status("4.11", receive(server, c.listening), STATUS_SUCCESS);
        own = call->receive.header.MessageId == retained.MessageId && call->receive.header.u2.s2.Type == LPC_CANCELED;
        canceled += call->receive.header.u2.s2.Type == LPC_CANCELED;
        closed += call->receive.header.u2.s2.Type == LPC_PORT_CLOSED;
        ok(call->valid & CONTEXT, "[4.8.1] ValidAttributes %#lx\n", call->valid);
        ok(call->context.PortContext == PORT_CONTEXT, "[4.8.1] PortContext %p\n", call->context.PortContext);
        ok(call->context.MessageContext == (own ? SERVER_CONTEXT : NULL), "[4.8.1] MessageContext %p, own %d\n",
           call->context.MessageContext, own);
    }
    ok(canceled == 3 && closed == 1, "[4.11] %u canceled, %u closed\n", canceled, closed);
    expect_nothing(server, c.listening, "4.11");
    close_connection(&c);
}

/* [4.8.1, 4.11] a message that the server has not received before it is canceled has no context of the server's */
static void test_canceled_unseen(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE message;
    unsigned int i;

    open_connection(&c, server, client);
    /* all cells that are used first have had one */
    for (i = 0; i < 40; i++)
    {
        prepare_sync(client, c.port, CLIENT_CONTEXT);
        begin(client, call_exchange);
        message = receive_message(server, c.listening, REQUEST);
        answer_with(server, c.listening, RELEASE, &message, SERVER_CONTEXT);
        ok_status("4.4", end(client), STATUS_SUCCESS);
    }
    send_with(client, c.port, DATAGRAM, NULL);
    close_handle(client, c.port);
    c.port = NULL;
    expect(server, c.listening, "4.11", LPC_CANCELED, NULL, 0);
    ok(!server->call->context.MessageContext, "[4.8.1] MessageContext %p\n", server->call->context.MessageContext);
    close_connection(&c);
}

/* a callback is given up: the client, which holds it, gets its own context back */
static void test_canceled_callback(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE message;
    struct call *call;

    open_connection(&c, server, client);
    send_with(client, c.port, 0, CLIENT_CONTEXT);
    message = receive_message(server, c.listening, REQUEST);
    call = prepare_sync(server, c.listening, SERVER_CONTEXT);
    call->send.header.MessageId = message.MessageId;
    call->has_timeout = TRUE;
    call->timeout = MILLISECONDS(300);
    begin(server, call_exchange);
    receive_message(client, c.port, REQUEST);
    ok_status("4.4", end(server), STATUS_TIMEOUT);
    expect(client, c.port, "4.12", LPC_CANCELED, NULL, 0);
    check_context(client, "4.8.1", NULL, CLIENT_CONTEXT, 0);
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- buffers */

#define BUFFER_SIZE 0x100

/*
 * Sends .send with a buffer that has .value allocated and .send_valid valid; .context is the context in it.  Where none
 * is allocated nothing but the two words is there.
 */
static void call_send_raw(struct call *call)
{
    BYTE *memory = VirtualAlloc(NULL, 0x2000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE), *end = memory + 0x1000;
    ULONG allocated = call->value;
    ALPC_MESSAGE_ATTRIBUTES *attributes = (ALPC_MESSAGE_ATTRIBUTES *)(end - AlpcGetHeaderSize(allocated));
    ALPC_CONTEXT_ATTR *context;
    DWORD old;

    memset(memory, 0xcc, 0x1000);
    /* not a byte more than the buffer's size may be looked at */
    VirtualProtect(end, 0x1000, PAGE_NOACCESS, &old);
    attributes->AllocatedAttributes = allocated;
    attributes->ValidAttributes = call->send_valid;
    if ((context = AlpcGetMessageAttribute(attributes, CONTEXT)))
        *context = call->context;
    call->status =
        NtAlpcSendWaitReceivePort(call->port, call->flags, &call->send.header, attributes, NULL, NULL, NULL, NULL);
    VirtualFree(memory, 0, MEM_RELEASE);
}

/* polls with a buffer that has .value allocated and .send_valid valid; .send.data is the buffer afterwards */
static void call_receive_raw(struct call *call)
{
    BYTE *memory = VirtualAlloc(NULL, 0x2000, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE), *end = memory + 0x1000;
    ULONG size = AlpcGetHeaderSize(call->value);
    ALPC_MESSAGE_ATTRIBUTES *attributes = (ALPC_MESSAGE_ATTRIBUTES *)(end - size);
    LARGE_INTEGER poll = { .QuadPart = 0 };
    SIZE_T length = sizeof(call->receive);
    DWORD old;

    memset(memory, 0xcc, 0x1000);
    VirtualProtect(end, 0x1000, PAGE_NOACCESS, &old);
    attributes->AllocatedAttributes = call->value;
    attributes->ValidAttributes = call->send_valid;
    call->status =
        NtAlpcSendWaitReceivePort(call->port, 0, NULL, NULL, &call->receive.header, &length, attributes, &poll);
    memset(call->send.data, 0xcc, BUFFER_SIZE);
    memcpy(call->send.data, attributes, size);
    VirtualFree(memory, 0, MEM_RELEASE);
}

/* sends raw, receives and answers, receives the reply: its context tells what the system has taken from the buffer */
static void check_raw(struct connected *c, ULONG allocated, ULONG valid, PVOID expected)
{
    struct call *call = prepare(c->client);
    PORT_MESSAGE request;

    winetest_push_context("allocated %#lx, valid %#lx", allocated, valid);
    call->port = c->port;
    set_message(call, "message", 7);
    call->value = allocated;
    call->send_valid = valid;
    call->context = (ALPC_CONTEXT_ATTR){ .PortContext = POINTER(0x1111),
                                         .MessageContext = CLIENT_CONTEXT,
                                         .Sequence = 0x2222,
                                         .MessageId = 0x3333,
                                         .CallbackId = 0x4444 };
    ok_status("4.8", perform(c->client, call_send_raw), STATUS_SUCCESS);
    request = receive_message(c->server, c->listening, REQUEST);
    check_context(c->server, "4.8.1", PORT_CONTEXT, NULL, 0);
    ok(c->server->call->context.Sequence != 0x2222, "[4.8.1] Sequence of the sender's\n");
    answer_with(c->server, c->listening, RELEASE, &request, NULL);
    receive_message(c->client, c->port, LPC_REPLY);
    check_context(c->client, "4.8.1", NULL, expected, 0);
    winetest_pop_context();
}

/* ValidAttributes selects, AllocatedAttributes tells where; of the context only the MessageContext counts */
static void test_sent(struct agent *server, struct agent *client)
{
    const ULONG ignored = ALPC_MESSAGE_TOKEN_ATTRIBUTE | ALPC_MESSAGE_WORK_ON_BEHALF_ATTRIBUTE;
    struct connected c;
    ULONG high;

    open_connection(&c, server, client);
    for (high = 0; high < 128; high++)
    {
        ULONG allocated = high << 25;

        check_raw(&c, allocated, 0, NULL);
        if (allocated & CONTEXT)
            check_raw(&c, allocated, CONTEXT, CLIENT_CONTEXT);
        /* receive only, safe to ignore [4.8.2, 4.8.4] */
        if ((allocated & ignored) == ignored)
            check_raw(&c, allocated, ignored | (allocated & CONTEXT), allocated & CONTEXT ? CLIENT_CONTEXT : NULL);
    }
    close_connection(&c);
}

/* an attribute that is valid without being there is an error, and nothing is sent */
static void test_not_allocated(struct agent *server, struct agent *client)
{
    static const ULONG flags[] = { 0, DATAGRAM };
    struct connected c;
    struct call *call;
    PORT_MESSAGE request;
    unsigned int i, k;

    open_connection(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(all_attributes); i++)
        for (k = 0; k < 4; k++)
        {
            winetest_push_context("attribute %#lx, %u", all_attributes[i].flag, k);
            call = prepare(client);
            call->port = c.port;
            call->flags = flags[k & 1];
            set_message(call, "message", 7);
            /* the others are there, or none is */
            call->value = k & 2 ? ALL_ATTRIBUTES & ~all_attributes[i].flag : 0;
            call->send_valid = all_attributes[i].flag;
            ok_status("4.8", perform(client, call_send_raw), STATUS_INVALID_PARAMETER);
            expect_nothing(server, c.listening, "4.8");
            winetest_pop_context();
        }
    /* nor is an answer given with one */
    send_with(client, c.port, 0, NULL);
    request = receive_message(server, c.listening, REQUEST);
    call = prepare(server);
    call->port = c.listening;
    call->flags = RELEASE;
    set_answer(call, &request, "message", 7);
    call->send_valid = CONTEXT;
    ok_status("4.8", perform(server, call_send_raw), STATUS_INVALID_PARAMETER);
    expect_nothing(client, c.port, "4.8");
    answer_with(server, c.listening, RELEASE, &request, NULL);
    receive_message(client, c.port, LPC_REPLY);
    close_connection(&c);
}

/* the whole buffer after a receive: what is not delivered is not touched, what is not allocated is not delivered */
static void check_buffer(const struct call *call, ULONG allocated, PVOID port_context)
{
    ALPC_MESSAGE_ATTRIBUTES *buffer = (ALPC_MESSAGE_ATTRIBUTES *)call->send.data;
    const ALPC_CONTEXT_ATTR *context = AlpcGetMessageAttribute(buffer, CONTEXT);
    SIZE_T offset = sizeof(*buffer), k;
    unsigned int i;

    ok(buffer->AllocatedAttributes == allocated, "[4.8] AllocatedAttributes %#lx\n", buffer->AllocatedAttributes);
    ok((buffer->ValidAttributes & ~(ULONG)ALPC_MESSAGE_TOKEN_ATTRIBUTE) == (allocated & CONTEXT) &&
           !(buffer->ValidAttributes & ~allocated),
       "[4.8] ValidAttributes %#lx\n", buffer->ValidAttributes);
    ok(!context == !(allocated & CONTEXT), "[1.4] the context is at %p\n", context);
    if (context)
        ok(context->PortContext == port_context && !context->MessageContext && context->Sequence &&
               context->MessageId == call->receive.header.MessageId &&
               context->CallbackId == call->receive.header.CallbackId,
           "[4.8.1] context %p, %p, %lu, %#lx, %#lx\n", context->PortContext, context->MessageContext,
           context->Sequence, context->MessageId, context->CallbackId);
    for (i = 0; i < ARRAY_SIZE(all_attributes); i++)
    {
        if (!(allocated & all_attributes[i].flag))
            continue;
        if (all_attributes[i].flag == CONTEXT)
            ok((const BYTE *)context == (const BYTE *)buffer + offset, "[2.3] the context is not at %#Ix\n", offset);
        if (!(buffer->ValidAttributes & all_attributes[i].flag))
            for (k = 0; k < all_attributes[i].size; k++)
                ok(((const BYTE *)buffer)[offset + k] == 0xcc, "[4.8] attribute %#lx was written to at %#Ix\n",
                   all_attributes[i].flag, k);
        offset += all_attributes[i].size;
    }
}

static void test_received(struct agent *server, struct agent *client)
{
    /* what ValidAttributes holds before does not matter [4.8] */
    static const ULONG valid[] = { 0, ALL_ATTRIBUTES, 0xffffffff, ALPC_MESSAGE_VIEW_ATTRIBUTE };
    struct connected c;
    struct call *call;
    ULONG high, low;

    open_connection(&c, server, client);
    for (high = 0; high < 128; high++)
        for (low = 0; low < 2; low++)
        {
            /* bits without a meaning have no body [1.4] */
            ULONG allocated = high << 25 | (low ? 0x01000001 : 0);

            winetest_push_context("allocated %#lx", allocated);
            send_with(client, c.port, high & 1 ? DATAGRAM : 0, CLIENT_CONTEXT);
            call = prepare(server);
            call->port = c.listening;
            call->value = allocated;
            call->send_valid = valid[high % ARRAY_SIZE(valid)];
            ok_status("4.8", perform(server, call_receive_raw), STATUS_SUCCESS);
            check_received(server, "4.4", high & 1 ? LPC_DATAGRAM : REQUEST, "message", 7);
            check_buffer(call, allocated, PORT_CONTEXT);
            /* the same for the client */
            send_with(server, c.comm, DATAGRAM, SERVER_CONTEXT);
            call = prepare(client);
            call->port = c.port;
            call->value = allocated;
            call->send_valid = valid[high % ARRAY_SIZE(valid)];
            ok_status("4.8", perform(client, call_receive_raw), STATUS_SUCCESS);
            check_buffer(call, allocated, NULL);
            winetest_pop_context();
        }
    /* no buffer, no attributes */
    send_with(client, c.port, 0, CLIENT_CONTEXT);
    call = prepare(server);
    call->port = c.listening;
    call->receives = call->has_length = TRUE;
    call->length = sizeof(call->receive);
    ok_status("4.8", perform(server, call_exchange), STATUS_SUCCESS);
    check_received(server, "4.8", REQUEST, "message", 7);
    close_connection(&c);
}

START_TEST(context)
{
    if (agent_main())
        return;
    RUN(test_client);
    RUN(test_server);
    RUN(test_callback);
    RUN(test_small_buffer);
    RUN(test_many);
    RUN(test_forgotten);
    RUN(test_two_clients);
    RUN(test_other_process);
    RUN(test_client_goes);
    RUN(test_canceled_unseen);
    RUN(test_canceled_callback);
    RUN(test_sent);
    RUN(test_not_allocated);
    RUN(test_received);
    end_tests();
}
