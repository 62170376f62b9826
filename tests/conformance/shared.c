/*
 * Ports that several processes or threads share [alpc.md 4.1, 4.4, 7.40]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "load.h"

#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define REQUEST_TYPE (LPC_REQUEST | LPC_CONTINUATION_REQUIRED)

/* one more of the same sort */
static struct agent *another(const struct agent *agent)
{
    return agent->process ? agent_process() : agent_thread();
}

/* another agent's handle to a port, as the test duplicates it */
static HANDLE share(struct agent *from, HANDLE port, struct agent *to)
{
    HANDLE handle = NULL;

    ok(DuplicateHandle(agent_process_handle(from), port, agent_process_handle(to), &handle, 0, FALSE,
                       DUPLICATE_SAME_ACCESS),
       "[4.1] error %lu\n", GetLastError());
    return handle;
}

static void check_closed(struct agent *agent, HANDLE port)
{
    ok_status("4.11", receive(agent, port), STATUS_SUCCESS);
    ok((USHORT)agent->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED, "[4.11] type %#x\n",
       agent->call->receive.header.u2.s2.Type);
}

/* the last message that the agent has received came from this one */
#define check_sender(agent, sender) check_sender_(__FILE__, __LINE__, agent, sender)

static void check_sender_(const char *file, int line, const struct agent *agent, const struct agent *sender)
{
    const PORT_MESSAGE *header = &agent->call->receive.header;

    ok_(file, line)(HandleToULong(header->ClientId.UniqueProcess) == sender->pid &&
                        HandleToULong(header->ClientId.UniqueThread) == sender->tid,
                    "[4.4] ClientId %p.%p instead of %#lx.%#lx\n", header->ClientId.UniqueProcess,
                    header->ClientId.UniqueThread, sender->pid, sender->tid);
}

/* a request that agent makes on port is answered by server, which receives on listening */
static void check_request(struct agent *agent, HANDLE port, struct agent *server, HANDLE listening)
{
    PORT_MESSAGE request;

    begin_request(agent, port, "request", 7);
    expect(server, listening, "4.4", REQUEST_TYPE, "request", 7);
    check_sender(server, agent);
    request = server->call->receive.header;
    ok_status("4.5", answer(server, listening, DATAGRAM, &request, "answer", 6), STATUS_SUCCESS);
    ok_status("4.4", end(agent), STATUS_SUCCESS);
    check_received(agent, "4.4", LPC_REPLY, "answer", 6);
}

/* every number from 0 on has come to one of the agents */
static void check_tallies(struct agent *const *agents, unsigned int agent_count, ULONG count)
{
    ULONG number, lost = 0, doubled = 0;

    for (number = 0; number < count; number++)
    {
        unsigned int i, seen = 0;

        for (i = 0; i < agent_count; i++)
            seen += tally_of(agents[i])->datagrams[number];
        lost += !seen;
        doubled += seen > 1;
    }
    ok(!lost && !doubled, "[4.4] of %lu messages %lu were lost and %lu came more than once\n", count, lost, doubled);
}

/* ---------------------------------------------------------------------------------------------- connection ports */

/* each of two receivers gets one of two messages, and answers what it has got */
static void test_two_receivers(struct agent *server, struct agent *client)
{
    struct agent *second = another(server);
    struct connected c;
    PORT_MESSAGE request;
    HANDLE shared;
    unsigned int i;

    open_connection(&c, server, client);
    shared = share(server, c.listening, second);
    begin_receive(server, c.listening);
    begin_receive(second, shared);
    ok_status("4.4", send_message(client, c.port, DATAGRAM, "1", 1), STATUS_SUCCESS);
    ok_status("4.4", send_message(client, c.port, DATAGRAM, "2", 1), STATUS_SUCCESS);
    ok_status("7.40", end(server), STATUS_SUCCESS);
    ok_status("7.40", end(second), STATUS_SUCCESS);
    ok(server->call->receive.data[0] + second->call->receive.data[0] == '1' + '2', "[4.4] received %c and %c\n",
       server->call->receive.data[0], second->call->receive.data[0]);
    check_sender(server, client);
    check_sender(second, client);
    ok(second->call->context.PortContext == PORT_CONTEXT, "[4.8.1] PortContext %p\n",
       second->call->context.PortContext);
    expect_nothing(server, c.listening, "4.4");
    expect_nothing(second, shared, "4.4");

    check_request(client, c.port, second, shared);
    check_request(client, c.port, server, c.listening);
    /* what one has received the other can answer: the message is the port's */
    for (i = 0; i < 2; i++)
    {
        begin_request(client, c.port, "request", 7);
        expect(i ? server : second, i ? c.listening : shared, "4.4", REQUEST_TYPE, "request", 7);
        request = (i ? server : second)->call->receive.header;
        ok_status("4.5", answer(i ? second : server, i ? shared : c.listening, DATAGRAM, &request, "answer", 6),
                  STATUS_SUCCESS);
        ok_status("4.4", end(client), STATUS_SUCCESS);
        check_received(client, "4.4", LPC_REPLY, "answer", 6);
        check_sender(client, i ? second : server);
    }
    close_handle(second, shared);
    close_connection(&c);
    agent_stop(second);
}

/* under load: each message to exactly one of them */
static void test_exactly_once(struct agent *server, struct agent *client)
{
    struct agent *receivers[3] = { server, another(server), another(server) }, *more = agent_beside(client);
    struct connected c, d;
    HANDLE ports[3];
    unsigned int i;

    open_connection(&c, server, client);
    open_another(&d, &c, more, NULL);
    ports[0] = c.listening;
    for (i = 1; i < ARRAY_SIZE(receivers); i++)
        ports[i] = share(server, c.listening, receivers[i]);
    for (i = 0; i < ARRAY_SIZE(receivers); i++)
        begin_echo(receivers[i], ports[i], 0);
    begin_count(client, c.port, 0, 0, 8000);
    begin_count(more, d.port, 0, 8000, 8000);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    ok_status("4.4", end(more), STATUS_SUCCESS);
    begin_ask(client, c.port, 0, 800, 0);
    begin_ask(more, d.port, 1, 800, 0);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    ok_status("4.4", end(more), STATUS_SUCCESS);
    send_stop(client, c.port, ARRAY_SIZE(receivers));
    for (i = 0; i < ARRAY_SIZE(receivers); i++)
    {
        ok_status("4.4", end(receivers[i]), STATUS_SUCCESS);
        ok_status("4.5", tally_of(receivers[i])->failed, STATUS_SUCCESS);
        ok(!tally_of(receivers[i])->other, "[4.4] %lu unexpected messages\n", tally_of(receivers[i])->other);
    }
    check_tallies(receivers, ARRAY_SIZE(receivers), 16000);
    expect_nothing(server, c.listening, "4.4");
    for (i = 1; i < ARRAY_SIZE(receivers); i++)
    {
        close_handle(receivers[i], ports[i]);
        agent_stop(receivers[i]);
    }
    close_connection(&d);
    close_connection(&c);
    agent_stop(more);
}

/* one of them closes its handle: the others go on, and nobody is told */
static void test_one_closes(struct agent *server, struct agent *client)
{
    struct agent *second = another(server);
    struct connected c;
    HANDLE shared;

    open_connection(&c, server, client);
    shared = share(server, c.listening, second);
    ok_status("4.4", send_message(client, c.port, DATAGRAM, "1", 1), STATUS_SUCCESS);
    expect(second, shared, "4.4", LPC_DATAGRAM, "1", 1);
    ok_status("4.4", send_message(client, c.port, DATAGRAM, "2", 1), STATUS_SUCCESS);
    close_handle(second, shared);
    expect(server, c.listening, "4.4", LPC_DATAGRAM, "2", 1);
    expect_nothing(server, c.listening, "4.11");
    expect_nothing(client, c.port, "4.11");
    check_request(client, c.port, server, c.listening);

    /* never used by the one that has it */
    shared = share(server, c.listening, second);
    close_handle(second, shared);
    check_request(client, c.port, server, c.listening);
    close_connection(&c);
    agent_stop(second);
}

/* messages that come after one of the sharers has died go to the other */
static void check_goes_on(struct connected *c)
{
    ULONG number;

    for (number = 0; number < 20; number++)
    {
        ok_status("4.4", send_message(c->client, c->port, DATAGRAM, &number, sizeof(number)), STATUS_SUCCESS);
        expect(c->server, c->listening, "4.4", LPC_DATAGRAM, &number, sizeof(number));
    }
    check_request(c->client, c->port, c->server, c->listening);
    expect_nothing(c->server, c->listening, "4.11");
    expect_nothing(c->client, c->port, "4.11");
}

/* one of them dies while it waits; so does the other, or not */
static void test_dies_waiting(struct agent *server, struct agent *client)
{
    struct connected c;
    unsigned int both;

    for (both = 0; server->process && both < 2; both++)
    {
        struct agent *second = agent_process();
        HANDLE shared;

        winetest_push_context("%s", both ? "both wait" : "one waits");
        open_connection(&c, server, client);
        shared = share(server, c.listening, second);
        begin_receive(second, shared);
        ok(!finished(second, 50), "[4.4] status %#lx\n", second->call->status);
        if (both)
            begin_receive(server, c.listening);
        agent_kill(second);
        if (both)
        {
            ok(!finished(server, 50), "[4.11] status %#lx\n", server->call->status);
            ok_status("4.4", send_message(client, c.port, DATAGRAM, "wake up", 7), STATUS_SUCCESS);
            ok_status("4.4", end(server), STATUS_SUCCESS);
            check_received(server, "4.4", LPC_DATAGRAM, "wake up", 7);
        }
        check_goes_on(&c);
        close_connection(&c);
        winetest_pop_context();
    }
}

/* one dies with a request that it has received: the other can still answer it */
static void test_dies_holding(struct agent *server, struct agent *client)
{
    struct agent *second;
    struct connected c;
    PORT_MESSAGE request;
    HANDLE shared;

    if (!server->process)
        return;
    second = agent_process();
    open_connection(&c, server, client);
    shared = share(server, c.listening, second);
    begin_request(client, c.port, "request", 7);
    expect(second, shared, "4.4", REQUEST_TYPE, "request", 7);
    request = second->call->receive.header;
    agent_kill(second);
    ok(!finished(client, 50), "[4.11] status %#lx\n", client->call->status);
    ok_status("4.5", answer(server, c.listening, DATAGRAM, &request, "answer", 6), STATUS_SUCCESS);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_REPLY, "answer", 6);
    check_goes_on(&c);
    close_connection(&c);
}

/*
 * Receives datagrams until the one with the number .count; .value: the first number, .flags: those that were not the
 * next one.  One may be late: that which the other receiver was just taking when it died.
 */
static void call_follow(struct call *call)
{
    LARGE_INTEGER timeout = { .QuadPart = MILLISECONDS(HANG / 2) };
    ULONG last = 0, missing = 0;
    BOOL late = FALSE;

    call->value = call->flags = 0;
    do
    {
        struct message message;
        SIZE_T length = sizeof(message);
        struct load load;

        call->status = NtAlpcSendWaitReceivePort(call->port, 0, NULL, NULL, &message.header, &length, NULL, &timeout);
        if (call->status)
            return;
        memcpy(&load, message.data, sizeof(load));
        if (!late && (load.number == missing || load.number < call->value))
        {
            late = TRUE;
            missing = 0;
            continue;
        }
        if (!call->value)
            call->value = load.number;
        else if (load.number == last + 2 && !late && !missing)
            missing = last + 1;
        else if (load.number != last + 1)
            call->flags++;
        last = load.number;
    } while (last != call->count || missing);
}

/* one dies in the middle of it: what it has not received comes to the other, once, and what it was not taking in order */
static void test_dies_receiving(struct agent *server, struct agent *client)
{
    const ULONG count = 500000;
    unsigned int round;

    for (round = 0; server->process && round < 4; round++)
    {
        struct agent *second = agent_process();
        struct connected c;
        struct call *call;

        winetest_push_context("round %u", round);
        open_connection(&c, server, client);
        begin_echo(second, share(server, c.listening, second), 0);
        begin_count(client, c.port, 0, 1, count);
        ok(!finished(client, 5 + round * 5), "[4.4] status %#lx\n", client->call->status);
        agent_kill(second);
        call = prepare(server);
        call->port = c.listening;
        call->count = count;
        ok_status("4.4", perform(server, call_follow), STATUS_SUCCESS);
        ok(call->value && !call->flags, "[4.7] %lu gaps from number %lu on\n", call->flags, call->value);
        ok_status("4.4", end(client), STATUS_SUCCESS);
        check_goes_on(&c);
        close_connection(&c);
        winetest_pop_context();
    }
}

/* the creator closes: the port lives as long as somebody has a handle; only its owner may accept */
static void test_creator_closes(struct agent *server, struct agent *client)
{
    struct agent *second = another(server), *third = agent_beside(client);
    struct connected c;
    PORT_MESSAGE request;
    HANDLE shared, accepted = NULL;
    NTSTATUS status;

    open_connection(&c, server, client);
    shared = share(server, c.listening, second);
    close_handle(server, c.listening);
    c.listening = NULL;
    check_request(client, c.port, second, shared);
    ok_status("4.4", send_message(server, c.comm, DATAGRAM, "there", 5), STATUS_SUCCESS);
    expect(client, c.port, "4.4", LPC_DATAGRAM, "there", 5);

    begin_connect(third, c.name, NULL, 0);
    expect(second, shared, "4.3", LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED, NULL, 0);
    request = second->call->receive.header;
    status = accept_connection(second, shared, &request, NULL, &accepted);
    if (server->process)
    {
        ok_status("7.40", status, STATUS_INVALID_PORT_HANDLE);
        ok(!finished(third, 50), "[7.40] status %#lx\n", third->call->status);
    }
    else
    {
        ok_status("1.3", status, STATUS_SUCCESS);
        ok_status("4.3", end(third), STATUS_SUCCESS);
        close_handle(third, third->call->handle);
        check_closed(second, shared);
        close_handle(second, accepted);
    }
    close_handle(second, shared);
    if (server->process)
        ok_status("7.7", end(third), STATUS_PORT_CONNECTION_REFUSED);
    check_closed(client, c.port);
    ok_status("4.11", send_message(client, c.port, DATAGRAM, "", 0), STATUS_PORT_DISCONNECTED);
    close_connection(&c);
    agent_stop(second);
    agent_stop(third);
}

/* the same when it dies: connections whose communication port somebody has go on, others end */
static void test_creator_dies(struct agent *server, struct agent *client)
{
    struct agent *creator, *second;
    struct connected c[2];
    HANDLE shared, comm;

    if (!server->process)
        return;
    creator = agent_process();
    second = agent_beside(client);
    open_connection(&c[0], creator, client);
    open_another(&c[1], &c[0], second, NULL);
    shared = share(creator, c[0].listening, server);
    comm = share(creator, c[0].comm, server);
    check_request(client, c[0].port, server, shared);
    agent_kill(creator);
    check_closed(second, c[1].port);
    check_request(client, c[0].port, server, shared);
    ok_status("4.4", send_message(server, comm, DATAGRAM, "there", 5), STATUS_SUCCESS);
    expect(client, c[0].port, "4.4", LPC_DATAGRAM, "there", 5);
    close_handle(client, c[0].port);
    check_closed(server, shared);
    close_handle(server, comm);
    close_handle(server, shared);
    close_handle(second, c[1].port);
    agent_stop(second);
}

/* ---------------------------------------------------------------------------------------------- communication ports */

/* a client port in two processes: each gets the answers to its own synchronous requests, and is known by its own id */
static void test_client_port(struct agent *server, struct agent *client)
{
    struct agent *second = another(client);
    struct connected c;
    PORT_MESSAGE requests[2];
    HANDLE shared;
    unsigned int i;

    open_connection(&c, server, client);
    shared = share(client, c.port, second);
    check_request(second, shared, server, c.listening);
    check_request(client, c.port, server, c.listening);
    ok_status("4.4", send_message(second, shared, DATAGRAM, "datagram", 8), STATUS_SUCCESS);
    expect(server, c.listening, "4.4", LPC_DATAGRAM, "datagram", 8);
    check_sender(server, second);
    ok(server->call->context.PortContext == PORT_CONTEXT, "[4.8.1] PortContext %p\n",
       server->call->context.PortContext);

    /* both wait, and are answered in the other order */
    begin_request(client, c.port, "1", 1);
    expect(server, c.listening, "4.4", REQUEST_TYPE, "1", 1);
    requests[0] = server->call->receive.header;
    begin_request(second, shared, "2", 1);
    expect(server, c.listening, "4.4", REQUEST_TYPE, "2", 1);
    requests[1] = server->call->receive.header;
    ok_status("4.5", answer(server, c.listening, DATAGRAM, &requests[1], "two", 3), STATUS_SUCCESS);
    ok_status("4.4", end(second), STATUS_SUCCESS);
    check_received(second, "4.4", LPC_REPLY, "two", 3);
    ok(!finished(client, 50), "[4.4] status %#lx\n", client->call->status);
    ok_status("4.5", answer(server, c.listening, DATAGRAM, &requests[0], "one", 3), STATUS_SUCCESS);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_REPLY, "one", 3);

    /* what comes to the port comes to one of them */
    begin_receive(client, c.port);
    begin_receive(second, shared);
    for (i = 0; i < 2; i++)
        ok_status("4.4", send_message(server, c.comm, DATAGRAM, i ? "2" : "1", 1), STATUS_SUCCESS);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    ok_status("4.4", end(second), STATUS_SUCCESS);
    ok(client->call->receive.data[0] + second->call->receive.data[0] == '1' + '2', "[4.4] received %c and %c\n",
       client->call->receive.data[0], second->call->receive.data[0]);
    expect_nothing(client, c.port, "4.4");
    expect_nothing(second, shared, "4.4");
    close_handle(second, shared);
    close_connection(&c);
    agent_stop(second);
}

/* the server is told when the last of them has gone */
static void test_client_port_closes(struct agent *server, struct agent *client)
{
    struct agent *second = another(client);
    struct connected c;
    HANDLE shared;
    unsigned int first;

    for (first = 0; first < 2; first++)
    {
        struct agent *stays = first ? client : second;

        winetest_push_context("%s closes first", first ? "the other" : "the creator");
        open_connection(&c, server, client);
        shared = share(client, c.port, second);
        check_request(second, shared, server, c.listening);
        close_handle(first ? second : client, first ? shared : c.port);
        expect_nothing(server, c.listening, "4.11");
        check_request(stays, first ? c.port : shared, server, c.listening);
        ok_status("4.4", send_message(server, c.comm, DATAGRAM, "there", 5), STATUS_SUCCESS);
        expect(stays, first ? c.port : shared, "4.4", LPC_DATAGRAM, "there", 5);
        close_handle(stays, first ? c.port : shared);
        c.port = NULL;
        check_closed(server, c.listening);
        expect_nothing(server, c.listening, "4.11");
        close_connection(&c);
        winetest_pop_context();
    }
    agent_stop(second);
}

/* one of them dies: what it waited for is canceled, and the port goes on */
static void test_client_port_dies(struct agent *server, struct agent *client)
{
    unsigned int creator, seen;

    for (creator = 0; server->process && creator < 2; creator++)
        for (seen = 0; seen < 2; seen++)
        {
            struct agent *dying = agent_process();
            struct connected c;
            PORT_MESSAGE request;
            HANDLE own, shared;

            winetest_push_context("%s dies, %s", creator ? "the creator" : "the other", seen ? "received" : "waiting");
            if (creator)
            {
                open_connection(&c, server, dying);
                own = c.port;
                shared = share(dying, c.port, client);
            }
            else
            {
                open_connection(&c, server, client);
                shared = c.port;
                own = share(client, c.port, dying);
            }
            check_request(dying, own, server, c.listening);
            check_request(client, shared, server, c.listening);
            if (seen)
            {
                begin_request(dying, own, "request", 7);
                expect(server, c.listening, "4.4", REQUEST_TYPE, "request", 7);
                request = server->call->receive.header;
            }
            else
            {
                begin_receive(dying, own);
                ok(!finished(dying, 50), "[4.4] status %#lx\n", dying->call->status);
            }
            agent_kill(dying);
            if (seen)
            {
                expect(server, c.listening, "4.19", LPC_CANCELED, NULL, 0);
                ok(server->call->receive.header.MessageId == request.MessageId, "[4.19] MessageId %#lx\n",
                   server->call->receive.header.MessageId);
            }
            expect_nothing(server, c.listening, "4.11");
            check_request(client, shared, server, c.listening);
            ok_status("4.4", send_message(server, c.comm, DATAGRAM, "there", 5), STATUS_SUCCESS);
            expect(client, shared, "4.4", LPC_DATAGRAM, "there", 5);
            close_handle(client, shared);
            c.port = NULL;
            check_closed(server, c.listening);
            close_connection(&c);
            winetest_pop_context();
        }
}

/* a server communication port in two processes */
static void test_communication_port(struct agent *server, struct agent *client)
{
    struct agent *second = another(server);
    struct connected c;
    PORT_MESSAGE request;
    HANDLE shared;

    open_connection(&c, server, client);
    shared = share(server, c.comm, second);
    ok_status("4.1", send_message(second, shared, DATAGRAM, "datagram", 8), STATUS_SUCCESS);
    expect(client, c.port, "4.4", LPC_DATAGRAM, "datagram", 8);
    check_request(second, shared, client, c.port);
    check_request(server, c.comm, client, c.port);
    begin_request(client, c.port, "request", 7);
    expect(server, c.listening, "4.4", REQUEST_TYPE, "request", 7);
    request = server->call->receive.header;
    ok_status("4.1", answer(second, shared, DATAGRAM, &request, "answer", 6), STATUS_SUCCESS);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    check_received(client, "4.4", LPC_REPLY, "answer", 6);
    close_handle(server, c.comm);
    c.comm = NULL;
    expect_nothing(client, c.port, "4.11");
    check_request(client, c.port, server, c.listening);
    check_request(second, shared, client, c.port);
    close_handle(second, shared);
    check_closed(client, c.port);
    close_connection(&c);
    agent_stop(second);
}

/* five more processes can use one end; when one of them goes there is room again */
static void test_many_processes(struct agent *server, struct agent *client)
{
    struct agent *sharers[6];
    HANDLE handles[ARRAY_SIZE(sharers)];
    struct connected c;
    unsigned int i;

    if (!server->process)
        return;
    open_connection(&c, server, client);
    for (i = 0; i < ARRAY_SIZE(sharers); i++)
    {
        sharers[i] = agent_process();
        handles[i] = share(client, c.port, sharers[i]);
        if (i < 5)
            check_request(sharers[i], handles[i], server, c.listening);
    }
    ok_status("3.10", send_message(sharers[5], handles[5], DATAGRAM, "", 0), STATUS_INSUFFICIENT_RESOURCES);
    agent_stop(sharers[2]);
    /* a moment later, that is: Wine may tell of the end of a process first */
    for (i = 0; i < HANG / 10 && send_message(sharers[5], handles[5], DATAGRAM, "", 0); i++)
        Sleep(10);
    expect(server, c.listening, "4.4", LPC_DATAGRAM, "", 0);
    check_request(sharers[5], handles[5], server, c.listening);
    check_request(client, c.port, server, c.listening);
    for (i = 0; i < ARRAY_SIZE(sharers); i++)
        if (i != 2)
            agent_stop(sharers[i]);
    expect_nothing(server, c.listening, "4.11");
    check_request(client, c.port, server, c.listening);
    close_connection(&c);
}

/* ---------------------------------------------------------------------------------------------- many threads */

/* threads of one client, and of another that shares its port: each gets its own answers */
static void test_many_askers(struct agent *server, struct agent *client)
{
    struct agent *askers[6];
    struct connected c;
    HANDLE shared;
    unsigned int i;

    askers[0] = client;
    askers[3] = another(client);
    for (i = 1; i < 3; i++)
    {
        askers[i] = agent_beside(client);
        askers[i + 3] = agent_beside(askers[3]);
    }
    open_connection(&c, server, client);
    shared = share(client, c.port, askers[3]);
    begin_echo(server, c.listening, 0);
    for (i = 0; i < ARRAY_SIZE(askers); i++)
        begin_ask(askers[i], i < 3 ? c.port : shared, i, 1000, 0);
    for (i = 0; i < ARRAY_SIZE(askers); i++)
    {
        ok_status("4.4", end(askers[i]), STATUS_SUCCESS);
        ok(askers[i]->call->count == 1000, "[4.4] %lu right answers\n", askers[i]->call->count);
    }
    send_stop(client, c.port, 1);
    ok_status("4.4", end(server), STATUS_SUCCESS);
    ok(tally_of(server)->answered == 6000, "[4.5] answered %lu of %lu requests, status %#lx\n",
       tally_of(server)->answered, tally_of(server)->requests, tally_of(server)->failed);
    expect_nothing(client, c.port, "4.4");
    close_handle(askers[3], shared);
    close_connection(&c);
    for (i = ARRAY_SIZE(askers) - 1; i; i--)
        agent_stop(askers[i]);
}

START_TEST(shared)
{
    if (agent_main())
        return;
    RUN(test_two_receivers);
    RUN(test_exactly_once);
    RUN(test_one_closes);
    RUN(test_dies_waiting);
    RUN(test_dies_holding);
    RUN(test_dies_receiving);
    RUN(test_creator_closes);
    RUN(test_creator_dies);
    RUN(test_client_port);
    RUN(test_client_port_closes);
    RUN(test_client_port_dies);
    RUN(test_communication_port);
    RUN(test_many_processes);
    RUN(test_many_askers);
    end_tests();
}
