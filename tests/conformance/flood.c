/*
 * A client whose requests are given up by the thousand takes no room from others [alpc.md 4.4]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "agent.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)

#define REQUEST (LPC_REQUEST | LPC_CONTINUATION_REQUIRED)
#define RELEASE ALPC_MSGFLG_RELEASE_MESSAGE
#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define SYNC ALPC_MSGFLG_SYNC_REQUEST

/* more than a connection port can hold of messages that wait */
#define MANY 140000
#define PART 1000
#define ENOUGH 8000 /* ms */
/* so often may the sender be told that there is no room before it gives up, which would take very long otherwise */
#define PATIENCE 20

/*
 * Makes .count requests with timeout 0, which nobody can have answered.  .count becomes how many were given up,
 * .length how many found no room; any other status is .status.
 */
static void call_give_up(struct call *call)
{
    ULONG given_up = 0, refused = 0;

    call->status = STATUS_SUCCESS;
    while (given_up < call->count && refused < PATIENCE)
    {
        LARGE_INTEGER timeout = { .QuadPart = 0 };
        SIZE_T length = sizeof(call->receive);
        NTSTATUS status;

        call->send.header = (PORT_MESSAGE){ .u1.s1 = { 8, HEADER_SIZE + 8 } };
        status = NtAlpcSendWaitReceivePort(call->port, SYNC, &call->send.header, NULL, &call->receive.header, &length,
                                           NULL, &timeout);
        if (status == STATUS_TIMEOUT)
            given_up++;
        else if (status == STATUS_INSUFFICIENT_RESOURCES)
            refused++;
        else
        {
            call->status = status ? status : STATUS_INVALID_MESSAGE;
            break;
        }
    }
    call->count = given_up;
    call->length = refused;
}

static void begin_flood(struct agent *agent, HANDLE port, ULONG count)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->count = count;
    begin(agent, call_give_up);
}

/* a request is delivered and answered */
static void check_works(struct connected *c, HANDLE listening)
{
    PORT_MESSAGE request;

    begin_request(c->client, c->port, "ping", 4);
    expect(c->server, listening, "4.4", REQUEST, "ping", 4);
    request = c->server->call->receive.header;
    ok_status("4.5", answer(c->server, listening, RELEASE, &request, "pong", 4), STATUS_SUCCESS);
    ok_status("4.4", end(c->client), STATUS_SUCCESS);
    check_received(c->client, "4.4", LPC_REPLY, "pong", 4);
}

/* nobody receives meanwhile: another client's message still finds room, and is there when the server looks */
static void test_other_client(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client), *helper = agent_beside(client);
    struct connected c[2];
    PORT_MESSAGE request;
    const ULONGLONG begun = GetTickCount64();
    BOOL full = FALSE;
    ULONG done;

    open_connection(&c[0], server, client);
    open_another(&c[1], &c[0], second, (PVOID)1);
    /* in one of the modes, by two threads, in parts that do not look like hanging; a busy machine gets less far */
    for (done = 0; done < (server->process ? MANY : 2000) && !full && GetTickCount64() - begun < ENOUGH;
         done += 2 * PART)
    {
        begin_flood(client, c[0].port, PART);
        begin_flood(helper, c[0].port, PART);
        ok_status("4.4", end(client), STATUS_SUCCESS);
        ok_status("4.4", end(helper), STATUS_SUCCESS);
        full = client->call->length || helper->call->length;
    }
    ok_status("4.4", send_message(second, c[1].port, DATAGRAM, "datagram", 8), STATUS_SUCCESS);
    begin_request(second, c[1].port, "request", 7);
    ok(!finished(second, 10), "[4.4] nobody can have answered\n");
    /* what was given up before it was received has left nothing [4.4] */
    expect(server, c[0].listening, "4.4", LPC_DATAGRAM, "datagram", 8);
    expect(server, c[0].listening, "4.4", REQUEST, "request", 7);
    request = server->call->receive.header;
    ok_status("4.5", answer(server, c[0].listening, RELEASE, &request, "answer", 6), STATUS_SUCCESS);
    ok_status("4.4", end(second), STATUS_SUCCESS);
    check_received(second, "4.4", LPC_REPLY, "answer", 6);
    expect_nothing(server, c[0].listening, "4.4");
    /* and so the first can go on */
    check_works(&c[0], c[0].listening);
    check_works(&c[1], c[0].listening);
    close_connection(&c[1]);
    close_connection(&c[0]);
    agent_stop(helper);
    agent_stop(second);
}

/* a server that receives now and then, and never in time: it is told of each request that it holds, and no more */
static void test_busy_server(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(client);
    struct connected c[2];
    unsigned int i, k, received = 0, canceled = 0;

    open_connection(&c[0], server, client);
    open_another(&c[1], &c[0], second, (PVOID)1);
    for (i = 0; i < 20; i++)
    {
        begin_flood(client, c[0].port, 200);
        for (k = 0; k < 3; k++)
            if (!receive_now(server, c[0].listening))
            {
                const ULONG type = (USHORT)server->call->receive.header.u2.s2.Type;

                ok(type == REQUEST || type == LPC_CANCELED, "[4.4] type %#lx\n", type);
                received += type == REQUEST;
                canceled += type == LPC_CANCELED;
            }
        ok_status("4.4", end(client), STATUS_SUCCESS);
        ok(client->call->count == 200, "[4.4] %lu of 200 requests could be made\n", client->call->count);
    }
    while (!receive_now(server, c[0].listening))
    {
        const ULONG type = (USHORT)server->call->receive.header.u2.s2.Type;

        ok(type == LPC_CANCELED, "[4.4] type %#lx\n", type);
        canceled++;
    }
    ok(canceled == received, "[4.4] %u requests were received, %u canceled\n", received, canceled);
    check_works(&c[1], c[0].listening);
    check_works(&c[0], c[0].listening);
    close_connection(&c[1]);
    close_connection(&c[0]);
    agent_stop(second);
}

/*
 * Towards a client that does not receive.  The connection's own room may be used up, until the client looks and finds
 * nothing.
 */
static void test_from_server(struct agent *server, struct agent *client)
{
    struct connected c;
    ULONG done;

    open_connection(&c, server, client);
    for (done = 0; done < 4000; done += PART)
    {
        begin_flood(server, c.comm, PART);
        ok_status("4.4", end(server), STATUS_SUCCESS);
        if (server->call->length)
            break;
    }
    expect_nothing(client, c.port, "4.4");
    ok_status("4.4", send_message(server, c.comm, DATAGRAM, "datagram", 8), STATUS_SUCCESS);
    expect(client, c.port, "4.4", LPC_DATAGRAM, "datagram", 8);
    expect_nothing(client, c.port, "4.4");
    check_works(&c, c.listening);
    close_connection(&c);
}

START_TEST(flood)
{
    if (agent_main())
        return;
    RUN(test_other_client);
    RUN(test_busy_server);
    RUN(test_from_server);
    end_tests();
}
