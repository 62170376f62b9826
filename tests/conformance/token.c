/*
 * The token attribute [alpc.md 4.8, 4.8.2]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Not here: contexts (context.c), impersonation.
 */

#include "agent.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)

#define REQUEST (LPC_REQUEST | LPC_CONTINUATION_REQUIRED)
#define CONNECTION_REQUEST (LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED)
#define RELEASE ALPC_MSGFLG_RELEASE_MESSAGE
#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define TOKEN ALPC_MESSAGE_TOKEN_ATTRIBUTE
#define CONTEXT ALPC_MESSAGE_CONTEXT_ATTRIBUTE

static ULONGLONG number_of(LUID luid)
{
    return (ULONGLONG)(ULONG)luid.HighPart << 32 | luid.LowPart;
}

/* of the thread's effective token -> token */
static void call_own_token(struct call *call)
{
    TOKEN_STATISTICS statistics = { .TokenType = TokenPrimary };
    HANDLE token;
    DWORD size;

    call->status = STATUS_UNSUCCESSFUL;
    if (!OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token) &&
        !OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return;
    if (GetTokenInformation(token, TokenStatistics, &statistics, sizeof(statistics), &size))
        call->status = STATUS_SUCCESS;
    CloseHandle(token);
    call->token = (ALPC_TOKEN_ATTR){ .TokenId = number_of(statistics.TokenId),
                                     .AuthenticationId = number_of(statistics.AuthenticationId),
                                     .ModifiedId = number_of(statistics.ModifiedId) };
}

static ALPC_TOKEN_ATTR token_of(struct agent *agent)
{
    prepare(agent);
    ok_status("4.8.2", perform(agent, call_own_token), STATUS_SUCCESS);
    return agent->call->token;
}

static void call_impersonate(struct call *call)
{
    call->status = ImpersonateSelf(SecurityImpersonation) ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

static void call_revert(struct call *call)
{
    call->status = RevertToSelf() ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

/* what the last message has told about its sender */
#define check_token(agent, section, others, expected) check_token_(__FILE__, __LINE__, agent, section, others, expected)

static void check_token_(const char *file, int line, struct agent *agent, const char *section, ULONG others,
                         const ALPC_TOKEN_ATTR *expected)
{
    const ALPC_TOKEN_ATTR *got = &agent->call->token;

    ok_(file, line)(agent->call->valid == (TOKEN | others), "[%s] ValidAttributes %#lx instead of %#lx\n", section,
                    agent->call->valid, TOKEN | others);
    if (!(agent->call->valid & TOKEN))
        return;
    ok_(file, line)(got->TokenId == expected->TokenId, "[4.8.2] TokenId %I64x instead of %I64x\n", got->TokenId,
                    expected->TokenId);
    ok_(file, line)(got->AuthenticationId == expected->AuthenticationId,
                    "[4.8.2] AuthenticationId %I64x instead of %I64x\n", got->AuthenticationId,
                    expected->AuthenticationId);
    ok_(file, line)(got->ModifiedId == expected->ModifiedId, "[4.8.2] ModifiedId %I64x instead of %I64x\n",
                    got->ModifiedId, expected->ModifiedId);
}

/* what a client gets has its context at most: a token goes there with security data only [4.8] */
static void check_no_token(struct agent *agent)
{
    ok(!(agent->call->valid & ~CONTEXT), "[4.8] ValidAttributes %#lx\n", agent->call->valid);
}

/* begins to connect, receives that: only the token is told, since there is no PortContext yet [4.8] */
static PORT_MESSAGE receive_connection(struct connected *c, const ALPC_TOKEN_ATTR *token)
{
    begin_connect(c->client, c->name, "hello", 5);
    expect(c->server, c->listening, "4.3", CONNECTION_REQUEST, "hello", 5);
    check_token(c->server, "4.8", 0, token);
    return c->server->call->receive.header;
}

static void connect_to(struct connected *c, const ALPC_TOKEN_ATTR *token)
{
    PORT_MESSAGE request = receive_connection(c, token);

    ok_status("1.3", accept_connection(c->server, c->listening, &request, PORT_CONTEXT, &c->comm), STATUS_SUCCESS);
    ok_status("4.3", end(c->client), STATUS_SUCCESS);
    c->port = c->client->call->handle;
}

/* a request of each kind and a datagram, each answered */
static void check_messages(struct connected *c, HANDLE listening, const ALPC_TOKEN_ATTR *token)
{
    PORT_MESSAGE request;
    unsigned int sync;

    ok_status("4.4", send_message(c->client, c->port, DATAGRAM, "datagram", 8), STATUS_SUCCESS);
    expect(c->server, listening, "4.4", LPC_DATAGRAM, "datagram", 8);
    check_token(c->server, "4.8", CONTEXT, token);
    for (sync = 0; sync < 2; sync++)
    {
        if (sync)
            begin_request(c->client, c->port, "request", 7);
        else
            ok_status("4.4", send_message(c->client, c->port, 0, "request", 7), STATUS_SUCCESS);
        expect(c->server, listening, "4.4", REQUEST, "request", 7);
        check_token(c->server, "4.8", CONTEXT, token);
        request = c->server->call->receive.header;
        ok_status("4.5", answer(c->server, listening, RELEASE, &request, "answer", 6), STATUS_SUCCESS);
        if (sync)
            ok_status("4.4", end(c->client), STATUS_SUCCESS);
        else
            expect(c->client, c->port, "4.5", LPC_REPLY, "answer", 6);
        check_no_token(c->client);
    }
}

/* ---------------------------------------------------------------------------------------------- who connects */

static void test_plain(struct agent *server, struct agent *client)
{
    const ALPC_TOKEN_ATTR token = token_of(client), servers = token_of(server);
    struct connected c;
    unsigned int i;

    ok(token.TokenId, "[4.8.2] the client has no token\n");
    ok(!server->process || token.TokenId != servers.TokenId, "[4.8.2] both processes have one token\n");
    open_port(&c, server, client);
    connect_to(&c, &token);
    /* the same over several requests, through either port of the server [4.1, 4.8.2] */
    for (i = 0; i < 5; i++)
        check_messages(&c, c.listening, &token);
    check_messages(&c, c.comm, &token);
    close_connection(&c);
}

/* a request that comes from another thread of the client's: what counts is who connected (static tracking, 4.10) */
static void test_other_thread(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    const ALPC_TOKEN_ATTR token = token_of(client);
    struct connected c;

    open_port(&c, server, client);
    connect_to(&c, &token);
    c.client = second;
    check_messages(&c, c.listening, &token);
    c.client = client;
    close_connection(&c);
    agent_stop(second);
}

/* who impersonates while connecting is known by that token, also when it has reverted */
static void test_impersonating(struct agent *server, struct agent *client)
{
    const ALPC_TOKEN_ATTR primary = token_of(client);
    ALPC_TOKEN_ATTR token;
    struct connected c[2];

    open_port(&c[0], server, client);
    c[1] = c[0];
    c[1].listening = NULL;
    prepare(client);
    ok_status("4.8.2", perform(client, call_impersonate), STATUS_SUCCESS);
    token = token_of(client);
    ok(token.TokenId != primary.TokenId, "[4.8.2] the impersonation token has the id of the primary one\n");
    connect_to(&c[0], &token);
    check_messages(&c[0], c[0].listening, &token);
    prepare(client);
    ok_status("4.8.2", perform(client, call_revert), STATUS_SUCCESS);
    check_messages(&c[0], c[0].listening, &token);
    /* the next connection is that of the process; the first is what it was */
    c[1].listening = c[0].listening;
    connect_to(&c[1], &primary);
    check_messages(&c[1], c[0].listening, &primary);
    check_messages(&c[0], c[0].listening, &token);
    check_messages(&c[0], c[0].comm, &token);
    c[1].listening = NULL;
    close_connection(&c[1]);
    close_connection(&c[0]);
}

/* two clients at once: each message has its own client's */
static void test_two_clients(struct agent *server, struct agent *client)
{
    struct agent *others[2] = { client, agent_process() };
    const ALPC_TOKEN_ATTR tokens[2] = { token_of(others[0]), token_of(others[1]) };
    struct connected c[2];
    unsigned int i;

    open_port(&c[0], server, others[0]);
    connect_to(&c[0], &tokens[0]);
    c[1] = c[0];
    c[1].client = others[1];
    connect_to(&c[1], &tokens[1]);
    c[1].listening = NULL;
    for (i = 0; i < 8; i++)
        ok_status("4.4", send_message(others[i & 1], c[i & 1].port, DATAGRAM, "datagram", 8), STATUS_SUCCESS);
    for (i = 0; i < 8; i++)
    {
        expect(server, c[0].listening, "4.4", LPC_DATAGRAM, "datagram", 8);
        check_token(server, "4.8", CONTEXT, &tokens[i & 1]);
    }
    close_connection(&c[1]);
    close_connection(&c[0]);
    agent_stop(others[1]);
}

/* another process that shares the server's port is told the same */
static void test_shared_server(struct agent *server, struct agent *client)
{
    struct agent *guest = agent_process();
    const ALPC_TOKEN_ATTR token = token_of(client);
    struct connected c;
    HANDLE port;

    open_port(&c, server, client);
    connect_to(&c, &token);
    ok(DuplicateHandle(agent_process_handle(server), c.listening, guest->process, &port, 0, FALSE,
                       DUPLICATE_SAME_ACCESS),
       "cannot duplicate the port: %lu\n", GetLastError());
    ok_status("4.4", send_message(client, c.port, DATAGRAM, "datagram", 8), STATUS_SUCCESS);
    expect(guest, port, "4.4", LPC_DATAGRAM, "datagram", 8);
    check_token(guest, "4.8", CONTEXT, &token);
    close_handle(guest, port);
    close_connection(&c);
    agent_stop(guest);
}

/* ---------------------------------------------------------------------------------------------- which messages */

/* connecting: the request as often as somebody connects, accepted or refused, and messages that came before */
static void test_connecting(struct agent *server, struct agent *client)
{
    const ALPC_TOKEN_ATTR token = token_of(client);
    struct connected c;
    PORT_MESSAGE request;

    open_port(&c, server, client);
    request = receive_connection(&c, &token);
    ok_status("1.3", refuse_connection(server, c.listening, &request), STATUS_SUCCESS);
    ok_status("4.3", end(client), STATUS_PORT_CONNECTION_REFUSED);
    c.port = connect_async(client, c.name, NULL, 0);
    ok_status("4.3", send_message(client, c.port, DATAGRAM, "early", 5), STATUS_SUCCESS);
    expect(server, c.listening, "4.3", CONNECTION_REQUEST, NULL, 0);
    check_token(server, "4.8", 0, &token);
    request = server->call->receive.header;
    ok_status("1.3", accept_connection(server, c.listening, &request, PORT_CONTEXT, &c.comm), STATUS_SUCCESS);
    expect(client, c.port, "4.3", LPC_CONNECTION_REPLY, NULL, 0);
    check_no_token(client);
    expect(server, c.listening, "4.3", LPC_DATAGRAM, "early", 5);
    check_token(server, "4.8", CONTEXT, &token);
    close_connection(&c);
}

/* a client is not told who the server is, whatever it gets [4.8] */
static void test_towards_client(struct agent *server, struct agent *client)
{
    struct connected c;
    PORT_MESSAGE request;

    open_connection(&c, server, client);
    ok_status("4.4", send_message(server, c.comm, DATAGRAM, "datagram", 8), STATUS_SUCCESS);
    expect(client, c.port, "4.4", LPC_DATAGRAM, "datagram", 8);
    check_no_token(client);
    ok_status("4.4", send_message(server, c.comm, 0, "request", 7), STATUS_SUCCESS);
    expect(client, c.port, "4.4", REQUEST, "request", 7);
    check_no_token(client);
    request = client->call->receive.header;
    ok_status("4.5", answer(client, c.port, RELEASE, &request, "answer", 6), STATUS_SUCCESS);
    expect(server, c.listening, "4.5", LPC_REPLY, "answer", 6);
    close_handle(server, c.comm);
    c.comm = NULL;
    ok_status("4.11", receive(client, c.port), STATUS_SUCCESS);
    ok(client->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n",
       client->call->receive.header.u2.s2.Type);
    check_no_token(client);
    close_connection(&c);
}

/* notices carry the context [4.8.1, 4.11]; nobody sent them, so there is no token */
static void test_notices(struct agent *server, struct agent *client)
{
    struct connected c;

    open_connection(&c, server, client);
    ok_status("4.4", send_message(client, c.port, DATAGRAM, "datagram", 8), STATUS_SUCCESS);
    close_handle(client, c.port);
    c.port = NULL;
    expect(server, c.listening, "4.11", LPC_CANCELED, NULL, 0);
    ok(server->call->valid == CONTEXT, "[4.8.1] ValidAttributes %#lx\n", server->call->valid);
    ok_status("4.11", receive(server, c.listening), STATUS_SUCCESS);
    ok(server->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n",
       server->call->receive.header.u2.s2.Type);
    ok(server->call->valid == CONTEXT, "[4.8.1] ValidAttributes %#lx\n", server->call->valid);
    close_connection(&c);
}

/* only what is allocated is valid; bodies stand where the allocated ones before them leave room [2.3, 4.8] */
static void test_allocated(struct agent *server, struct agent *client)
{
    static const ULONG allocated[] = {
        0, TOKEN, CONTEXT, TOKEN | CONTEXT, TOKEN | ALPC_MESSAGE_SECURITY_ATTRIBUTE, 0xfe000000, 0xf6000000, 0x0e000000
    };
    const ALPC_TOKEN_ATTR token = token_of(client);
    struct connected c;
    struct call *call;
    unsigned int i;

    open_connection(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(allocated); i++)
    {
        winetest_push_context("allocated %#lx", allocated[i]);
        ok_status("4.4", send_message(client, c.port, DATAGRAM, "datagram", 8), STATUS_SUCCESS);
        call = prepare(server);
        call->port = c.listening;
        call->receives = call->has_length = call->has_timeout = TRUE;
        call->length = sizeof(call->receive);
        call->allocated = allocated[i];
        call->timeout = MILLISECONDS(HANG / 2);
        ok_status("4.4", perform(server, call_exchange), STATUS_SUCCESS);
        if (allocated[i] & TOKEN)
            check_token(server, "4.8", allocated[i] & CONTEXT, &token);
        else
            ok(call->valid == (allocated[i] & CONTEXT), "[4.8] ValidAttributes %#lx\n", call->valid);
        winetest_pop_context();
    }
    close_connection(&c);
}

/* it cannot be sent: a body that the sender marks as valid changes nothing [4.8.2: receive only] */
static void test_forged(struct agent *server, struct agent *client)
{
    const ALPC_TOKEN_ATTR token = token_of(client);
    struct connected c;
    struct call *call;
    NTSTATUS status;

    open_connection(&c, server, client);
    call = prepare(client);
    call->port = c.port;
    call->flags = DATAGRAM;
    set_message(call, "datagram", 8);
    call->send_valid = TOKEN | CONTEXT;
    status = perform(client, call_exchange);
    /* whether it is ignored or refused is not known */
    ok(!status || status == (NTSTATUS)STATUS_INVALID_PARAMETER, "[4.8.2] status %#lx\n", status);
    if (!status)
    {
        expect(server, c.listening, "4.4", LPC_DATAGRAM, "datagram", 8);
        check_token(server, "4.8", CONTEXT, &token);
    }
    expect_nothing(server, c.listening, "4.4");
    close_connection(&c);
}

START_TEST(token)
{
    if (agent_main())
        return;
    RUN(test_plain);
    RUN(test_other_thread);
    RUN(test_impersonating);
    RUN(test_two_clients);
    RUN(test_shared_server);
    RUN(test_connecting);
    RUN(test_towards_client);
    RUN(test_notices);
    RUN(test_allocated);
    RUN(test_forged);
    end_tests();
}
