/*
 * Many threads on one port [alpc.md 4.4, 4.7, 4.19]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "load.h"

#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define REQUEST_TYPE (LPC_REQUEST | LPC_CONTINUATION_REQUIRED)
#define MOST 8

/* count agents in the process of the first, which is one of them */
static void gather(struct agent **agents, unsigned int count, struct agent *first)
{
    unsigned int i;

    agents[0] = first;
    for (i = 1; i < count; i++)
        agents[i] = agent_beside(first);
}

static void dismiss(struct agent **agents, unsigned int count)
{
    while (--count)
        agent_stop(agents[count]);
}

static void check_waiting(struct agent *const *agents, unsigned int count)
{
    unsigned int i;

    for (i = 0; i < count; i++)
        ok(!finished(agents[i], i ? 0 : 50), "[4.4] thread %u: status %#lx\n", i, agents[i]->call->status);
}

/* ends those that run call_echo on a port, and sums up what they have seen */
static struct tally end_echo(struct agent *const *agents, unsigned int count, struct agent *client, HANDLE port)
{
    struct tally sum = { 0 };
    unsigned int i;

    send_stop(client, port, count);
    for (i = 0; i < count; i++)
    {
        const struct tally *tally = tally_of(agents[i]);

        ok_status("4.4", end(agents[i]), STATUS_SUCCESS);
        ok_status("4.5", tally->failed, STATUS_SUCCESS);
        ok(!tally->other, "[4.4] %lu unexpected messages\n", tally->other);
        sum.requests += tally->requests;
        sum.answered += tally->answered;
        sum.late += tally->late;
        sum.canceled += tally->canceled;
        sum.closed += tally->closed;
        sum.accepted += tally->accepted;
    }
    return sum;
}

/* ---------------------------------------------------------------------------------------------- receiving */

/* as many messages as waiting threads: each gets one, and one only */
static void test_one_each(struct agent *server, struct agent *client)
{
    struct agent *receivers[MOST];
    struct connected c;
    unsigned int i, round;

    gather(receivers, MOST, server);
    open_connection(&c, server, client);
    for (round = 0; round < 20; round++)
    {
        unsigned int seen = 0;
        BYTE number;

        for (i = 0; i < MOST; i++)
            begin_receive(receivers[i], c.listening);
        if (!(round % 5))
            check_waiting(receivers, MOST);
        for (number = 0; number < MOST; number++)
            ok_status("4.4", send_message(client, c.port, DATAGRAM, &number, 1), STATUS_SUCCESS);
        for (i = 0; i < MOST; i++)
        {
            ok_status("4.4", end(receivers[i]), STATUS_SUCCESS);
            seen |= 1u << receivers[i]->call->receive.data[0];
        }
        ok(seen == (1u << MOST) - 1, "[4.4] received the messages %#x\n", seen);
        expect_nothing(server, c.listening, "4.4");
    }
    /* the same on a client port */
    close_connection(&c);
    dismiss(receivers, MOST);
    gather(receivers, MOST, client);
    open_connection(&c, server, client);
    for (round = 0; round < 20; round++)
    {
        unsigned int seen = 0;
        BYTE number;

        for (i = 0; i < MOST; i++)
            begin_receive(receivers[i], c.port);
        for (number = 0; number < MOST; number++)
            ok_status("4.4", send_message(server, c.comm, DATAGRAM, &number, 1), STATUS_SUCCESS);
        for (i = 0; i < MOST; i++)
        {
            ok_status("4.4", end(receivers[i]), STATUS_SUCCESS);
            seen |= 1u << receivers[i]->call->receive.data[0];
        }
        ok(seen == (1u << MOST) - 1, "[4.4] received the messages %#x\n", seen);
    }
    close_connection(&c);
    dismiss(receivers, MOST);
}

/* one message wakes one thread */
static void test_one_of_many(struct agent *server, struct agent *client)
{
    struct agent *receivers[MOST], *done;
    struct connected c;
    unsigned int i, left;

    gather(receivers, MOST, server);
    open_connection(&c, server, client);
    for (i = 0; i < MOST; i++)
        begin_receive(receivers[i], c.listening);
    check_waiting(receivers, MOST);
    for (left = MOST; left; left--)
    {
        unsigned int got = MOST, tries;
        BYTE number = (BYTE)left;

        ok_status("4.4", send_message(client, c.port, DATAGRAM, &number, 1), STATUS_SUCCESS);
        for (tries = 0; got == MOST && tries < HANG; tries++)
            for (i = 0; i < left && got == MOST; i++)
                if (finished(receivers[i], 1))
                    got = i;
        ok(got < MOST, "[4.4] nobody was woken\n");
        if (got == MOST)
            break;
        ok_status("4.4", end(receivers[got]), STATUS_SUCCESS);
        check_received(receivers[got], "4.4", LPC_DATAGRAM, &number, 1);
        /* the others stay where they are; those that have received stand behind them */
        done = receivers[got];
        receivers[got] = receivers[left - 1];
        receivers[left - 1] = done;
        for (i = 0; i + 1 < left; i++)
            ok(!finished(receivers[i], 0), "[4.4] another thread was woken: status %#lx\n", receivers[i]->call->status);
    }
    close_connection(&c);
    for (i = 0; i < MOST; i++)
        if (receivers[i] != server)
            agent_stop(receivers[i]);
}

/* what one thread receives another answers */
static void test_other_answers(struct agent *server, struct agent *client)
{
    struct agent *threads[4], *clients[4];
    PORT_MESSAGE requests[4];
    struct connected c;
    unsigned int i, round;

    gather(threads, 4, server);
    gather(clients, 4, client);
    open_connection(&c, server, client);
    for (round = 0; round < 10; round++)
    {
        for (i = 0; i < 4; i++)
        {
            BYTE number = (BYTE)i;

            begin_request(clients[i], c.port, &number, 1);
            expect(threads[(i + round) % 4], c.listening, "4.4", REQUEST_TYPE, &number, 1);
            requests[i] = threads[(i + round) % 4]->call->receive.header;
            ok(HandleToULong(requests[i].ClientId.UniqueThread) == clients[i]->tid, "[4.4] ClientId %p\n",
               requests[i].ClientId.UniqueThread);
        }
        for (i = 4; i--;)
        {
            BYTE number = (BYTE)(i + 100);
            struct agent *answering = threads[(i + round + 1) % 4];

            ok_status("4.5", answer(answering, round & 1 ? c.comm : c.listening, DATAGRAM, &requests[i], &number, 1),
                      STATUS_SUCCESS);
            ok_status("4.4", end(clients[i]), STATUS_SUCCESS);
            check_received(clients[i], "4.4", LPC_REPLY, &number, 1);
            ok(HandleToULong(clients[i]->call->receive.header.ClientId.UniqueThread) == answering->tid,
               "[7.5] ClientId %p\n", clients[i]->call->receive.header.ClientId.UniqueThread);
        }
    }
    close_connection(&c);
    dismiss(threads, 4);
    dismiss(clients, 4);
}

/* one message is answered by two threads at the same time: one of them has done it */
static void test_answer_race(struct agent *server, struct agent *client)
{
    struct agent *threads[4];
    struct connected c;
    unsigned int i, round;

    gather(threads, 4, server);
    open_connection(&c, server, client);
    for (round = 0; round < 200; round++)
    {
        unsigned int done = 0, late = 0, which = 4;
        PORT_MESSAGE request;

        begin_request(client, c.port, "request", 7);
        expect(server, c.listening, "4.4", REQUEST_TYPE, "request", 7);
        request = server->call->receive.header;
        for (i = 0; i < 4; i++)
        {
            struct call *call = prepare(threads[i]);
            BYTE number = (BYTE)i;

            call->port = c.listening;
            call->flags = DATAGRAM;
            set_answer(call, &request, &number, 1);
        }
        for (i = 0; i < 4; i++)
            begin(threads[i], call_exchange);
        for (i = 0; i < 4; i++)
        {
            NTSTATUS status = end(threads[i]);

            if (!status)
            {
                which = i;
                done++;
            }
            late += status == STATUS_INVALID_MESSAGE;
        }
        ok(done == 1 && late == 3, "[4.5] %u answered, %u were late\n", done, late);
        ok_status("4.4", end(client), STATUS_SUCCESS);
        ok(client->call->receive.data[0] == which, "[4.5] answer %u instead of %u\n", client->call->receive.data[0],
           which);
    }
    close_connection(&c);
    dismiss(threads, 4);
}

/* ---------------------------------------------------------------------------------------------- load */

/* many threads at both ends, clients of one process and of several: every request gets its own answer */
static void test_load(struct agent *server, struct agent *client)
{
    enum
    {
        CLIENTS = 5,
        COUNT = 1000
    };
    struct agent *receivers[MOST], *clients[CLIENTS];
    struct connected c[CLIENTS], first;
    struct tally sum;
    unsigned int i;

    gather(receivers, MOST, server);
    gather(clients, 3, client);
    clients[3] = server->process ? agent_process() : agent_thread();
    clients[4] = agent_beside(clients[3]);
    open_port(&first, server, client);
    for (i = 0; i < CLIENTS; i++)
        open_another(&c[i], &first, clients[i], PORT_CONTEXT);
    for (i = 0; i < MOST; i++)
        begin_echo(receivers[i], first.listening, 0);
    for (i = 0; i < CLIENTS; i++)
        begin_ask(clients[i], c[i].port, i, COUNT, 0);
    for (i = 0; i < CLIENTS; i++)
    {
        ok_status("4.4", end(clients[i]), STATUS_SUCCESS);
        ok(clients[i]->call->count == COUNT, "[4.4] %lu right answers\n", clients[i]->call->count);
    }
    sum = end_echo(receivers, MOST, client, c[0].port);
    ok(sum.requests == CLIENTS * COUNT && sum.answered == sum.requests, "[4.4] %lu requests, %lu answers\n",
       sum.requests, sum.answered);
    ok(!sum.canceled && !sum.closed, "[4.4] %lu canceled, %lu closed\n", sum.canceled, sum.closed);
    expect_nothing(server, first.listening, "4.4");
    for (i = 0; i < CLIENTS; i++)
    {
        expect_nothing(clients[i], c[i].port, "4.4");
        close_connection(&c[i]);
    }
    close_connection(&first);
    for (i = CLIENTS - 1; i; i--)
        agent_stop(clients[i]);
    dismiss(receivers, MOST);
}

/* clients come and go: whichever thread accepts, answers or hears of the end */
static void test_visitors(struct agent *server, struct agent *client)
{
    enum
    {
        CLIENTS = 4,
        COUNT = 40
    };
    struct agent *receivers[4], *clients[CLIENTS], *last = agent_beside(client);
    struct connected first;
    struct tally sum;
    unsigned int i;

    gather(receivers, 4, server);
    gather(clients, 2, client);
    clients[2] = server->process ? agent_process() : agent_thread();
    clients[3] = agent_beside(clients[2]);
    open_connection(&first, server, last);
    for (i = 0; i < 4; i++)
        begin_echo(receivers[i], first.listening, 0);
    for (i = 0; i < CLIENTS; i++)
        begin_visit(clients[i], first.name, i, COUNT);
    for (i = 0; i < CLIENTS; i++)
    {
        ok_status("4.3", end(clients[i]), STATUS_SUCCESS);
        ok(clients[i]->call->count == COUNT, "[4.3] %lu visits\n", clients[i]->call->count);
    }
    sum = end_echo(receivers, 4, last, first.port);
    ok(sum.accepted == CLIENTS * COUNT && sum.closed == sum.accepted, "[4.11] %lu connections, %lu ends\n",
       sum.accepted, sum.closed);
    ok(sum.requests == CLIENTS * COUNT * 4 && sum.answered == sum.requests, "[4.4] %lu requests, %lu answers\n",
       sum.requests, sum.answered);
    expect_nothing(server, first.listening, "4.11");
    close_connection(&first);
    for (i = CLIENTS - 1; i; i--)
        agent_stop(clients[i]);
    agent_stop(last);
    dismiss(receivers, 4);
}

/* some threads of a client make requests while another receives what comes to the port: neither gets the other's */
static void test_request_and_receive(struct agent *server, struct agent *client)
{
    enum
    {
        ASKERS = 3,
        COUNT = 1000
    };
    struct agent *askers[ASKERS], *receiver = agent_beside(client), *sender = agent_beside(server);
    struct connected c;
    struct tally sum;
    ULONG number, seen = 0;
    unsigned int i;

    gather(askers, ASKERS, client);
    open_connection(&c, server, client);
    begin_echo(server, c.listening, 0);
    begin_echo(receiver, c.port, 0);
    for (i = 0; i < ASKERS; i++)
        begin_ask(askers[i], c.port, i, COUNT, 0);
    begin_count(sender, c.comm, 0, 0, 3000);
    for (i = 0; i < ASKERS; i++)
    {
        ok_status("4.4", end(askers[i]), STATUS_SUCCESS);
        ok(askers[i]->call->count == COUNT, "[4.4] %lu right answers\n", askers[i]->call->count);
    }
    ok_status("4.4", end(sender), STATUS_SUCCESS);
    send_stop(sender, c.comm, 1);
    ok_status("4.4", end(receiver), STATUS_SUCCESS);
    for (number = 0; number < 3000; number++)
        seen += tally_of(receiver)->datagrams[number] == 1;
    ok(seen == 3000, "[4.4] %lu of 3000 datagrams came once\n", seen);
    ok(!tally_of(receiver)->other && !tally_of(receiver)->requests, "[4.4] the receiver got %lu other messages\n",
       tally_of(receiver)->other + tally_of(receiver)->requests);
    sum = end_echo(&server, 1, client, c.port);
    ok(sum.answered == ASKERS * COUNT, "[4.5] %lu answers\n", sum.answered);
    close_connection(&c);
    agent_stop(receiver);
    agent_stop(sender);
    dismiss(askers, ASKERS);
}

/* ---------------------------------------------------------------------------------------------- threads that die */

/* threads that are killed while they wait take no message with them */
static void test_killed_receivers(struct agent *server, struct agent *client)
{
    struct connected c;
    unsigned int i, round;

    open_connection(&c, server, client);
    for (round = 0; round < 8; round++)
    {
        struct agent *receivers[5];
        BYTE number;

        winetest_push_context("round %u", round);
        gather(receivers, 5, server);
        /* those that are to die stand at other places each time */
        for (i = 0; i < 4; i++)
            begin_receive(receivers[1 + (i + round) % 4], c.listening);
        check_waiting(receivers + 1, 4);
        agent_kill_thread(receivers[1]);
        agent_kill_thread(receivers[2 + round / 4]);
        receivers[1] = receivers[3 - round / 4];
        receivers[2] = receivers[4];
        for (number = 0; number < 2; number++)
            ok_status("4.4", send_message(client, c.port, DATAGRAM, &number, 1), STATUS_SUCCESS);
        for (i = 1; i < 3; i++)
            ok_status("4.19", end(receivers[i]), STATUS_SUCCESS);
        ok(receivers[1]->call->receive.data[0] + receivers[2]->call->receive.data[0] == 1,
           "[4.19] received the messages %u and %u\n", receivers[1]->call->receive.data[0],
           receivers[2]->call->receive.data[0]);
        for (number = 0; number < 10; number++)
        {
            ok_status("4.4", send_message(client, c.port, DATAGRAM, &number, 1), STATUS_SUCCESS);
            expect(server, c.listening, "4.19", LPC_DATAGRAM, &number, 1);
        }
        expect_nothing(server, c.listening, "4.19");
        dismiss(receivers, 3);
        winetest_pop_context();
    }
    close_connection(&c);
}

/* a thread that is killed while it works keeps the one request that it had, and nothing else */
static void test_killed_under_load(struct agent *server, struct agent *client)
{
    enum
    {
        CLIENTS = 3,
        COUNT = 3000
    };
    unsigned int i, round;

    for (round = 0; round < 3; round++)
    {
        struct agent *receivers[5], *clients[CLIENTS];
        struct connected c;
        struct tally sum;
        SIZE_T timeouts = 0;

        winetest_push_context("round %u", round);
        gather(receivers, 5, server);
        gather(clients, CLIENTS, client);
        open_connection(&c, server, client);
        for (i = 1; i < 5; i++)
            begin_echo(receivers[i], c.listening, 0);
        for (i = 0; i < CLIENTS; i++)
            begin_ask(clients[i], c.port, i, COUNT, 4000);
        Sleep(round * 7);
        agent_kill_thread(receivers[4]);
        for (i = 0; i < CLIENTS; i++)
        {
            ok_status("4.4", end(clients[i]), STATUS_SUCCESS);
            ok(clients[i]->call->count + clients[i]->call->length == COUNT, "[4.4] %lu right answers, %Iu timeouts\n",
               clients[i]->call->count, clients[i]->call->length);
            timeouts += clients[i]->call->length;
        }
        ok(timeouts <= 1, "[4.19] %Iu requests were lost\n", timeouts);
        sum = end_echo(receivers + 1, 3, client, c.port);
        ok(sum.canceled <= timeouts && sum.answered == sum.requests, "[4.4] %lu canceled, %lu of %lu answered\n",
           sum.canceled, sum.answered, sum.requests);
        expect_nothing(server, c.listening, "4.19");
        close_connection(&c);
        dismiss(clients, CLIENTS);
        dismiss(receivers, 4);
        winetest_pop_context();
    }
}

/* a thread that is killed while it makes requests: the others of its port go on */
static void test_killed_asker(struct agent *server, struct agent *client)
{
    enum
    {
        COUNT = 2000
    };
    unsigned int round;

    for (round = 0; round < 4; round++)
    {
        struct agent *receivers[2], *other = agent_beside(client), *dying = agent_beside(client);
        struct connected c;
        struct tally sum;

        winetest_push_context("round %u", round);
        gather(receivers, 2, server);
        open_connection(&c, server, client);
        begin_echo(receivers[0], c.listening, 0);
        begin_echo(receivers[1], c.listening, 0);
        begin_ask(dying, c.port, 1, 1000000000, 0);
        begin_ask(other, c.port, 2, COUNT, 0);
        Sleep(3 + round * 5);
        agent_kill_thread(dying);
        ok_status("4.4", end(other), STATUS_SUCCESS);
        ok(other->call->count == COUNT, "[4.4] %lu right answers\n", other->call->count);
        sum = end_echo(receivers, 2, client, c.port);
        ok(sum.canceled <= 1 && sum.late <= 1 && sum.answered + sum.late == sum.requests,
           "[4.19] %lu requests, %lu answered, %lu late, %lu canceled\n", sum.requests, sum.answered, sum.late,
           sum.canceled);
        expect_nothing(server, c.listening, "4.19");
        expect_nothing(client, c.port, "4.19");
        close_connection(&c);
        agent_stop(other);
        dismiss(receivers, 2);
        winetest_pop_context();
    }
}

/* ---------------------------------------------------------------------------------------------- timeouts */

/* requests that are given up while others are answered: each is one or the other, and no answer goes astray */
static void test_timeouts(struct agent *server, struct agent *client)
{
    enum
    {
        CLIENTS = 4,
        COUNT = 150
    };
    struct agent *receivers[4], *clients[CLIENTS];
    ULONG answered = 0, timeouts = 0;
    struct connected c;
    struct tally sum;
    PORT_MESSAGE request;
    unsigned int i;

    gather(receivers, 4, server);
    gather(clients, CLIENTS, client);
    open_connection(&c, server, client);
    for (i = 0; i < 4; i++)
        begin_echo(receivers[i], c.listening, i * 3);
    for (i = 0; i < CLIENTS; i++)
        begin_ask(clients[i], c.port, i, COUNT, 1 + i * 2);
    for (i = 0; i < CLIENTS; i++)
    {
        ok_status("4.4", end(clients[i]), STATUS_SUCCESS);
        ok(clients[i]->call->count + clients[i]->call->length == COUNT, "[4.4] %lu right answers, %Iu timeouts\n",
           clients[i]->call->count, clients[i]->call->length);
        answered += clients[i]->call->count;
        timeouts += (ULONG)clients[i]->call->length;
    }
    sum = end_echo(receivers, 4, client, c.port);
    trace("%lu answered, %lu timed out, %lu received, %lu late, %lu canceled\n", answered, timeouts, sum.requests,
          sum.late, sum.canceled);
    /* an answer that was given in time has arrived, and a late one has not */
    ok(sum.answered == answered, "[4.4] %lu answers were given, %lu received\n", sum.answered, answered);
    ok(sum.answered + sum.late == sum.requests && sum.late <= timeouts, "[4.5] %lu requests, %lu late\n", sum.requests,
       sum.late);
    ok(sum.canceled <= sum.late, "[7.8] %lu canceled, %lu late\n", sum.canceled, sum.late);
    expect_nothing(server, c.listening, "4.4");
    expect_nothing(client, c.port, "4.4");
    begin_request(client, c.port, "last", 4);
    expect(server, c.listening, "4.4", REQUEST_TYPE, "last", 4);
    request = server->call->receive.header;
    ok_status("4.5", answer(server, c.listening, DATAGRAM, &request, "answer", 6), STATUS_SUCCESS);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_REPLY, "answer", 6);
    close_connection(&c);
    dismiss(clients, CLIENTS);
    dismiss(receivers, 4);
}

/* receives with a timeout again and again, until LOAD_STOP; .value counts the timeouts */
static void call_impatient(struct call *call)
{
    struct tally *tally = (struct tally *)call->send.data;
    LARGE_INTEGER timeout = { .QuadPart = call->timeout };

    memset(tally, 0, sizeof(*tally));
    for (;;)
    {
        SIZE_T length = sizeof(call->receive);
        struct load load;

        call->status =
            NtAlpcSendWaitReceivePort(call->port, 0, NULL, NULL, &call->receive.header, &length, NULL, &timeout);
        memcpy(&load, call->receive.data, sizeof(load));
        if (call->status == STATUS_TIMEOUT)
            call->value++;
        else if (call->status || load.number == LOAD_STOP)
            return;
        else if (load.number < LOAD_NUMBERS)
            tally->datagrams[load.number]++;
    }
}

/* threads whose wait ends just when a message comes: it is neither lost nor received twice */
static void test_receive_timeouts(struct agent *server, struct agent *client)
{
    enum
    {
        COUNT = 400
    };
    struct agent *receivers[6];
    struct connected c;
    unsigned int i, number, wrong = 0, timeouts = 0;

    gather(receivers, 6, server);
    open_connection(&c, server, client);
    for (i = 0; i < 6; i++)
    {
        struct call *call = prepare(receivers[i]);

        call->port = c.listening;
        call->timeout = MILLISECONDS(1) * (i % 3) - 2000;
        begin(receivers[i], call_impatient);
    }
    for (number = 0; number < COUNT; number++)
    {
        const struct load load = { .number = number };

        ok_status("4.4", send_message(client, c.port, DATAGRAM, &load, sizeof(load)), STATUS_SUCCESS);
        if (!(number % 4))
            Sleep(1);
    }
    send_stop(client, c.port, 6);
    for (i = 0; i < 6; i++)
    {
        ok_status("4.4", end(receivers[i]), STATUS_SUCCESS);
        timeouts += receivers[i]->call->value;
    }
    for (number = 0; number < COUNT; number++)
    {
        unsigned int seen = 0;

        for (i = 0; i < 6; i++)
            seen += tally_of(receivers[i])->datagrams[number];
        wrong += seen != 1;
    }
    ok(!wrong, "[4.4] %u of %u messages were lost or doubled\n", wrong, COUNT);
    ok(timeouts, "[4.4] nobody has timed out\n");
    expect_nothing(server, c.listening, "4.4");
    close_connection(&c);
    dismiss(receivers, 6);
}

/* ---------------------------------------------------------------------------------------------- the end */

/* everybody who waits is told when the port goes */
static void test_all_told(struct agent *server, struct agent *client)
{
    struct agent *servers[MOST], *clients[MOST], *closer = agent_beside(client);
    struct connected c;
    unsigned int i, own, told;

    gather(servers, MOST, server);
    gather(clients, MOST, client);
    for (own = 0; own < 2; own++)
    {
        winetest_push_context("%s goes", own ? "the client" : "the server");
        open_connection(&c, server, client);
        for (i = 0; i < MOST; i++)
            if (i & 1)
                begin_request(clients[i], c.port, "request", 7);
            else
                begin_receive(clients[i], c.port);
        check_waiting(clients, MOST);
        if (own)
        {
            close_handle(closer, c.port);
            c.port = NULL;
        }
        else
        {
            close_handle(server, c.comm);
            c.comm = NULL;
        }
        for (i = told = 0; i < MOST; i++)
        {
            NTSTATUS status = end(clients[i]);

            if (own)
                ok_status("4.4", status, STATUS_PORT_CLOSED);
            else if (i & 1 || status)
                ok_status("7.6", status, STATUS_PORT_DISCONNECTED);
            else if ((USHORT)clients[i]->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED)
                told++;
        }
        ok(told == !own, "[7.9] %u were told with a message\n", told);
        close_connection(&c);
        winetest_pop_context();
    }
    open_connection(&c, server, client);
    for (i = 1; i < MOST; i++)
        begin_receive(servers[i], i & 1 ? c.listening : c.comm);
    check_waiting(servers + 1, MOST - 1);
    close_handle(server, c.comm);
    c.comm = NULL;
    for (i = 2; i < MOST; i += 2)
        ok_status("4.4", end(servers[i]), STATUS_PORT_CLOSED);
    close_handle(server, c.listening);
    c.listening = NULL;
    for (i = 1; i < MOST; i += 2)
        ok_status("4.4", end(servers[i]), STATUS_PORT_CLOSED);
    close_connection(&c);
    agent_stop(closer);
    dismiss(servers, MOST);
    dismiss(clients, MOST);
}

START_TEST(threads)
{
    if (agent_main())
        return;
    RUN(test_one_each);
    RUN(test_one_of_many);
    RUN(test_other_answers);
    RUN(test_answer_race);
    RUN(test_load);
    RUN(test_visitors);
    RUN(test_request_and_receive);
    RUN(test_killed_receivers);
    RUN(test_killed_under_load);
    RUN(test_killed_asker);
    RUN(test_timeouts);
    RUN(test_receive_timeouts);
    RUN(test_all_told);
    end_tests();
}
