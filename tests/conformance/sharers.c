/*
 * More processes than can share a port: no message is lost [alpc.md 4.4; 7 #40]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How many may share one is this implementation's limit (CAVEATS).  A process that cannot reach a connection is told
 * STATUS_INSUFFICIENT_RESOURCES, and what it would have received is there for others.
 *
 * Not here: what those do that can share a port (shared.c).
 */

#include "load.h"

#define HEADER_SIZE sizeof(PORT_MESSAGE)

#define REQUEST (LPC_REQUEST | LPC_CONTINUATION_REQUIRED)
#define RELEASE ALPC_MSGFLG_RELEASE_MESSAGE
#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE

#define GUESTS 9

struct crowd
{
    struct agent *guests[GUESTS];
    HANDLE ports[GUESTS];
};

static void gather(struct crowd *crowd, struct agent *owner, HANDLE port)
{
    unsigned int i;

    for (i = 0; i < GUESTS; i++)
    {
        crowd->guests[i] = agent_process();
        ok(DuplicateHandle(agent_process_handle(owner), port, crowd->guests[i]->process, &crowd->ports[i], 0, FALSE,
                           DUPLICATE_SAME_ACCESS),
           "cannot duplicate the port: %lu\n", GetLastError());
    }
}

static void disperse(struct crowd *crowd)
{
    unsigned int i;

    for (i = 0; i < GUESTS; i++)
        agent_stop(crowd->guests[i]);
}

/* ---------------------------------------------------------------------------------------------- one after the other */

/* each guest tries; who cannot leaves the message where it is, as often as it tries */
static void check_each(struct crowd *crowd, struct agent *owner, HANDLE own, struct agent *sender, HANDLE sends)
{
    unsigned int i, k, failed = 0;
    NTSTATUS status;

    for (i = 0; i < GUESTS; i++)
    {
        struct agent *guest = crowd->guests[i];

        winetest_push_context("guest %u", i);
        ok_status("4.4", send_message(sender, sends, DATAGRAM, &i, sizeof(i)), STATUS_SUCCESS);
        for (k = 0; k < 3; k++)
        {
            status = receive(guest, crowd->ports[i]);
            ok(!status || status == STATUS_INSUFFICIENT_RESOURCES, "[4.4] status %#lx\n", status);
            if (!status)
                break;
        }
        if (status)
            failed++;
        if (status && !receive(owner, own))
            guest = owner;
        check_received(guest, "4.4", LPC_DATAGRAM, &i, sizeof(i));
        expect_nothing(owner, own, "4.4");
        winetest_pop_context();
    }
    ok(failed < GUESTS - 2, "[4.4] only %u processes can share a port\n", GUESTS - failed);
}

static void test_one_by_one(struct agent *server, struct agent *client)
{
    struct connected c;
    struct crowd crowd;

    if (!server->process)
        return;
    open_connection(&c, server, client);
    winetest_push_context("connection port");
    gather(&crowd, server, c.listening);
    check_each(&crowd, server, c.listening, client, c.port);
    disperse(&crowd);
    winetest_pop_context();
    winetest_push_context("client port");
    gather(&crowd, client, c.port);
    check_each(&crowd, client, c.port, server, c.comm);
    disperse(&crowd);
    winetest_pop_context();
    close_connection(&c);
}

/* a guest that waits when the message comes and cannot take it: another that waits gets it */
static void test_waiting(struct agent *server, struct agent *client)
{
    struct connected c;
    struct crowd crowd;
    unsigned int i, k, came = 0, tries;
    ULONG sum = 0, expected = 0;

    if (!server->process)
        return;
    open_connection(&c, server, client);
    gather(&crowd, server, c.listening);
    /* those that come first have the connection; the others wait together with them for a message of it */
    for (i = 0; i < GUESTS; i++)
        begin_receive(crowd.guests[i], crowd.ports[i]);
    Sleep(50);
    for (k = 1; k <= GUESTS; k++)
    {
        ok_status("4.4", send_message(client, c.port, DATAGRAM, &k, sizeof(k)), STATUS_SUCCESS);
        expected += k;
    }
    for (tries = 0; came < GUESTS && tries < 3 * GUESTS; tries++)
    {
        for (i = 0; i < GUESTS; i++)
        {
            NTSTATUS status;

            /* one that got an error does not come back */
            if (!crowd.guests[i] || !finished(crowd.guests[i], 20))
                continue;
            status = end(crowd.guests[i]);
            if (!status)
            {
                ULONG number;

                memcpy(&number, crowd.guests[i]->call->receive.data, sizeof(number));
                sum += number;
                came++;
                begin_receive(crowd.guests[i], crowd.ports[i]);
            }
            else
            {
                ok(status == STATUS_INSUFFICIENT_RESOURCES, "[4.4] status %#lx\n", status);
                agent_stop(crowd.guests[i]);
                crowd.guests[i] = NULL;
            }
        }
    }
    ok(came == GUESTS && sum == expected, "[4.4] %u of %u messages were received, sum %lu of %lu\n", came, GUESTS, sum,
       expected);
    /* those that still wait have handles of their own, so that closing the port here does not end them */
    for (i = 0; i < GUESTS; i++)
        if (crowd.guests[i])
            agent_kill(crowd.guests[i]);
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- all at once */

#define MESSAGES 600

/*
 * Receives until .flags is set: counts datagrams in the tally, answers requests.  Errors are counted in .count; the
 * loop goes on, as a service would that has been told that there are no resources just now.
 */
static void call_share(struct call *call)
{
    struct tally *tally = (struct tally *)call->send.data;

    call->status = STATUS_SUCCESS;
    while (!*(volatile ULONG *)&call->flags)
    {
        LARGE_INTEGER timeout = { .QuadPart = MILLISECONDS(50) };
        SIZE_T length = sizeof(call->receive);
        struct load load;
        NTSTATUS status;

        status = NtAlpcSendWaitReceivePort(call->port, 0, NULL, NULL, &call->receive.header, &length, NULL, &timeout);
        if (status == STATUS_TIMEOUT)
            continue;
        if (status == STATUS_INSUFFICIENT_RESOURCES)
        {
            call->count++;
            Sleep(1);
            continue;
        }
        if (status)
        {
            call->status = status;
            return;
        }
        memcpy(&load, call->receive.data, sizeof(load));
        if ((USHORT)call->receive.header.u2.s2.Type == LPC_DATAGRAM && load.number < LOAD_NUMBERS)
            tally->datagrams[load.number]++;
        else if ((USHORT)call->receive.header.u2.s2.Type == REQUEST)
        {
            tally->requests++;
            status =
                NtAlpcSendWaitReceivePort(call->port, RELEASE, &call->receive.header, NULL, NULL, NULL, NULL, NULL);
            if (status && !tally->failed)
                tally->failed = status;
        }
        else
            tally->other++;
    }
}

/* two clients' datagrams and requests, received by all: each datagram once, each request is answered */
static void test_all_at_once(struct agent *server, struct agent *client)
{
    struct agent *askers[2], *second;
    ULONG requests = 0, wrong = 0, i, k;
    struct connected c[2];
    struct crowd crowd;

    if (!server->process)
        return;
    second = agent_process();
    askers[0] = agent_beside(client);
    askers[1] = agent_beside(second);
    open_connection(&c[0], server, client);
    open_another(&c[1], &c[0], second, PORT_CONTEXT);
    gather(&crowd, server, c[0].listening);
    for (i = 0; i < GUESTS; i++)
    {
        struct call *call = prepare(crowd.guests[i]);

        call->port = crowd.ports[i];
        memset(tally_of(crowd.guests[i]), 0, sizeof(struct tally));
        begin(crowd.guests[i], call_share);
    }
    begin_count(client, c[0].port, 0, 0, MESSAGES);
    begin_count(second, c[1].port, 1, MESSAGES, MESSAGES);
    begin_ask(askers[0], c[0].port, 2, 300, 0);
    begin_ask(askers[1], c[1].port, 3, 300, 0);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    ok_status("4.4", end(second), STATUS_SUCCESS);
    for (i = 0; i < 2; i++)
    {
        ok_status("4.4", end(askers[i]), STATUS_SUCCESS);
        ok(askers[i]->call->count == 300, "[4.4] %lu of 300 right answers\n", askers[i]->call->count);
    }
    /* requests are answered in their order, so what was sent before has been received or is just being received */
    Sleep(100);
    for (i = 0; i < GUESTS; i++)
        *(volatile ULONG *)&crowd.guests[i]->call->flags = TRUE;
    for (i = 0; i < GUESTS; i++)
    {
        ok_status("4.4", end(crowd.guests[i]), STATUS_SUCCESS);
        requests += tally_of(crowd.guests[i])->requests;
        wrong += tally_of(crowd.guests[i])->other;
        ok(!tally_of(crowd.guests[i])->failed, "[4.5] an answer failed: %#lx\n", tally_of(crowd.guests[i])->failed);
    }
    ok(requests == 600, "[4.4] %lu requests were received\n", requests);
    for (k = 0; k < 2 * MESSAGES; k++)
    {
        ULONG times = 0;

        for (i = 0; i < GUESTS; i++)
            times += tally_of(crowd.guests[i])->datagrams[k];
        wrong += times != 1;
    }
    ok(!wrong, "[4.4] %lu messages were lost or came twice\n", wrong);
    expect_nothing(server, c[0].listening, "4.4");
    disperse(&crowd);
    close_connection(&c[1]);
    close_connection(&c[0]);
    agent_stop(askers[0]);
    agent_stop(askers[1]);
    agent_stop(second);
}

START_TEST(sharers)
{
    if (agent_main())
        return;
    RUN(test_one_by_one);
    RUN(test_waiting);
    RUN(test_all_at_once);
    end_tests();
}
