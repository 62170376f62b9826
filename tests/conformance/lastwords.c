/*
 * Messages whose sender leaves in the next instruction [alpc.md 4.7, 4.11]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A message that is sent while a receiver waits is that receiver's, whatever its sender does then; one that nobody
 * waited for becomes LPC_CANCELED when its sender goes.
 *
 * A thread can only say that it is about to receive.  One that the scheduler stops just then does not wait yet, and
 * what it gets is rightly LPC_CANCELED; so a few in a hundred may be lost, the fewer the longer the sender pauses.
 */

#include "agent.h"

#define DATAGRAM ALPC_MSGFLG_RELEASE_MESSAGE
#define NO_FLUSH 1

enum way
{
    CLOSE,
    DISCONNECT,
    DISCONNECT_NO_FLUSH,
    EXIT,
    DETACH, /* it speaks while the process is ending already */
    TERMINATE,
    WAYS
};

static const char *const way_names[WAYS] = { "close", "disconnect", "disconnect without flush",
                                             "exit",  "detach",     "terminate" };

/* whether it takes a process along */
static BOOL ends_process(enum way way)
{
    return way == EXIT || way == DETACH || way == TERMINATE;
}

/* sends .count datagrams, the first byte of each is its number */
static void send_all(struct call *call)
{
    ULONG i;

    for (i = 0; i < call->count; i++)
    {
        call->send.data[0] = (BYTE)i;
        call->status =
            NtAlpcSendWaitReceivePort(call->port, DATAGRAM, &call->send.header, NULL, NULL, NULL, NULL, NULL);
    }
}

static struct call *at_detach;

static void send_at_detach(void)
{
    send_all(at_detach);
}

/* beside the program there is a DLL that hears of the end (detach.c); .status tells if there is none */
static void exit_speaking(struct call *call)
{
    HMODULE module = LoadLibraryA("alpc_detach.dll");
    void (*call_at_detach)(void (*function)(void)) = module ? (void *)GetProcAddress(module, "call_at_detach") : NULL;

    at_detach = call;
    if (call_at_detach)
    {
        call_at_detach(send_at_detach);
        ExitProcess(0);
    }
    call->status = STATUS_DLL_NOT_FOUND;
}

/* says .count datagrams, and leaves as .value says */
static void call_speak(struct call *call)
{
    const enum way way = call->value;

    if (way != DETACH)
        send_all(call);
    if (way == CLOSE)
        NtClose(call->port);
    else if (way == EXIT)
        ExitProcess(0);
    else if (way == DETACH)
        exit_speaking(call);
    else if (way == TERMINATE)
        TerminateProcess(GetCurrentProcess(), 0);
    else
        NtAlpcDisconnectPort(call->port, way == DISCONNECT ? 0 : NO_FLUSH);
}

static void speak(struct agent *speaker, HANDLE port, ULONG count, enum way way)
{
    struct call *call = prepare(speaker);

    call->port = port;
    call->count = count;
    call->value = way;
    set_message(call, "last", 4);
    perform(speaker, call_speak);
    ok(!call->status, "[4.4] cannot send: %#lx\n", call->status);
}

/* receives one message; .value says that it is about to */
static void call_listen(struct call *call)
{
    LARGE_INTEGER timeout = { .QuadPart = MILLISECONDS(HANG / 2) };

    call->length = sizeof(call->receive);
    *(volatile ULONG *)&call->value = 1;
    call->status =
        NtAlpcSendWaitReceivePort(call->port, 0, NULL, NULL, &call->receive.header, &call->length, NULL, &timeout);
}

/* returns when the agent is about to receive, and some time later */
static void begin_listen(struct agent *listener, HANDLE port, DWORD pause)
{
    const ULONGLONG begun = GetTickCount64();
    struct call *call = prepare(listener);

    call->port = port;
    begin(listener, call_listen);
    while (!*(volatile ULONG *)&call->value && GetTickCount64() - begun < HANG)
        Sleep(0);
    if (pause)
        Sleep(pause);
}

/* whether what came is the message and not the note that it was canceled */
static BOOL heard(struct agent *listener)
{
    const struct big_message *message = &listener->call->receive;
    ULONG type;

    ok_status("4.7", end(listener), STATUS_SUCCESS);
    type = (USHORT)message->header.u2.s2.Type;
    ok(type == LPC_DATAGRAM || type == LPC_CANCELED, "[4.7] type %#lx\n", type);
    if (type != LPC_DATAGRAM)
        return FALSE;
    ok((USHORT)message->header.u1.s1.DataLength == 4 && !memcmp(message->data + 1, "ast", 3), "[4.7] other data\n");
    return TRUE;
}

/*
 * The other end has gone: what is left to be told; how many messages.  They are canceled; where others waited some may
 * arrive, which are counted in *arrived: who has its message and was stopped before it could say so still counts as
 * waiting.
 */
static unsigned int drain(struct agent *listener, HANDLE port, unsigned int *arrived)
{
    unsigned int count = 0;

    while (!receive(listener, port))
    {
        ULONG type = (USHORT)listener->call->receive.header.u2.s2.Type;

        if (type == LPC_PORT_CLOSED)
            return count;
        if (arrived && type == LPC_DATAGRAM)
            ++*arrived;
        else
            ok(type == LPC_CANCELED, "[4.11] type %#lx\n", type);
        count++;
    }
    ok(FALSE, "[4.11] nobody told that the sender has gone\n");
    return count;
}

/* ---------------------------------------------------------------------------------------------- one message */

/* the ends of a connection: who speaks, who listens */
struct talk
{
    struct connected c;
    struct agent *speaker, *listener;
    HANDLE speaks, listens;
};

/* first: the connection port; back: the server speaks.  The server of a talk back is that of first. */
static void begin_talk(struct talk *talk, const struct connected *first, struct agent *client, BOOL back)
{
    open_another(&talk->c, first, client, PORT_CONTEXT);
    talk->speaker = back ? first->server : client;
    talk->listener = back ? client : first->server;
    talk->speaks = back ? talk->c.comm : talk->c.port;
    talk->listens = back ? talk->c.port : first->listening;
}

/* closes what the speaker's way of leaving has left open */
static void end_talk(struct talk *talk, const struct connected *first, enum way way, BOOL back)
{
    if (way == DISCONNECT || way == DISCONNECT_NO_FLUSH)
        close_handle(talk->speaker, talk->speaks);
    close_handle(talk->listener, back ? talk->c.port : talk->c.comm);
    /* of a client that closes after its server nobody hears */
    expect_nothing(first->server, first->listening, "4.11");
}

/* pauses of all stages of waiting: spinning, yielding, asleep; a lost message costs most where it is hardest to lose */
static const struct
{
    DWORD pause;
    unsigned int rounds, may_fail;
} stages[] = { { 0, 25, 12 }, { 1, 25, 6 }, { 5, 12, 2 }, { 20, 6, 1 }, { 50, 4, 1 } };

static void test_one(struct agent *server, struct agent *client, BOOL back)
{
    struct connected first;
    enum way way;
    unsigned int stage, round;

    open_port(&first, server, client);
    for (way = CLOSE; !ends_process(way); way++)
        for (stage = 0; stage < ARRAY_SIZE(stages); stage++)
        {
            unsigned int lost = 0;

            winetest_push_context("%s, after %lu ms", way_names[way], stages[stage].pause);
            for (round = 0; round < stages[stage].rounds; round++)
            {
                struct talk talk;

                begin_talk(&talk, &first, client, back);
                begin_listen(talk.listener, talk.listens, stages[stage].pause);
                speak(talk.speaker, talk.speaks, 1, way);
                lost += !heard(talk.listener);
                drain(talk.listener, talk.listens, NULL);
                end_talk(&talk, &first, way, back);
            }
            ok(lost <= stages[stage].may_fail, "[4.7] %u of %u messages were lost although somebody waited\n", lost,
               stages[stage].rounds);
            winetest_pop_context();
        }
    close_connection(&first);
}

static void test_to_server(struct agent *server, struct agent *client)
{
    test_one(server, client, FALSE);
}

static void test_to_client(struct agent *server, struct agent *client)
{
    test_one(server, client, TRUE);
}

/* a process that ends after its last words; its ports go with it */
static void test_process_ends(struct agent *server, struct agent *client)
{
    enum
    {
        ROUNDS = 6
    };
    struct connected first;
    struct talk talk;
    enum way way;
    unsigned int round, back, lost;

    if (!server->process)
        return;
    for (way = EXIT; way < WAYS; way++)
        for (back = 0; back < 2; back++)
        {
            winetest_push_context("%s, to the %s", way_names[way], back ? "client" : "server");
            for (lost = 0, round = 0; round < ROUNDS; round++)
            {
                struct agent *mortal = agent_process();

                open_port(&first, back ? mortal : server, back ? client : mortal);
                begin_talk(&talk, &first, first.client, back);
                begin_listen(talk.listener, talk.listens, round * 4);
                speak(talk.speaker, talk.speaks, 1, way);
                lost += !heard(talk.listener);
                drain(talk.listener, talk.listens, NULL);
                agent_kill(mortal);
                close_handle(talk.listener, back ? talk.c.port : talk.c.comm);
                if (!back)
                    close_handle(server, first.listening);
            }
            ok(lost <= 1, "[4.7] %u of %u messages were lost although somebody waited\n", lost, ROUNDS);
            winetest_pop_context();
        }
}

/* who waits on the communication port is a receiver like those on the connection port [4.1] */
static void test_communication_port(struct agent *server, struct agent *client)
{
    struct connected first;
    unsigned int round, lost = 0;

    open_port(&first, server, client);
    for (round = 0; round < 30; round++)
    {
        struct talk talk;

        begin_talk(&talk, &first, client, FALSE);
        begin_listen(server, talk.c.comm, round % 3 * 3);
        speak(client, talk.c.port, 1, CLOSE);
        lost += !heard(server);
        drain(server, first.listening, NULL);
        end_talk(&talk, &first, CLOSE, FALSE);
    }
    ok(lost <= 2, "[4.7] %u of %u messages were lost although somebody waited\n", lost, round);
    close_connection(&first);
}

/* ---------------------------------------------------------------------------------------------- several */

#define LISTENERS 4

/*
 * So many threads wait and so many messages are sent, or more: each thread gets one.  Those that were too many are told
 * as canceled or arrive as well, since a thread that took its message early may be back in time for another.
 */
static void test_many_listeners(struct agent *server, struct agent *client)
{
    struct agent *listeners[LISTENERS];
    unsigned int i, extra, round, lost = 0, late = 0, rounds = 0;
    struct connected first;

    listeners[0] = server;
    for (i = 1; i < LISTENERS; i++)
        listeners[i] = agent_beside(server);
    open_port(&first, server, client);
    for (extra = 0; extra < 3; extra++)
        for (round = 0; round < 6; round++, rounds++)
        {
            unsigned int came = 0;
            BOOL seen[LISTENERS + 2] = { FALSE };
            struct talk talk;

            begin_talk(&talk, &first, client, FALSE);
            for (i = 0; i < LISTENERS; i++)
                begin_listen(listeners[i], first.listening, 0);
            Sleep(round * 6);
            speak(client, talk.c.port, LISTENERS + extra, CLOSE);
            for (i = 0; i < LISTENERS; i++)
                if (heard(listeners[i]))
                {
                    BYTE number = listeners[i]->call->receive.data[0];

                    ok(number < LISTENERS + extra && !seen[number % (LISTENERS + 2)], "[4.4] message %u came twice\n",
                       number);
                    seen[number % (LISTENERS + 2)] = TRUE;
                    came++;
                }
            lost += LISTENERS - came;
            ok(drain(server, first.listening, &late) == extra, "[4.11] not every message has had its end\n");
            end_talk(&talk, &first, CLOSE, FALSE);
        }
    ok(lost <= 3, "[4.7] %u of %u messages were lost although threads waited\n", lost, rounds * LISTENERS);
    ok(late <= 3, "[4.11] %u messages arrived that no thread waited for\n", late);
    close_connection(&first);
    for (i = 1; i < LISTENERS; i++)
        agent_stop(listeners[i]);
}

/* two messages and one who waits: the first is his; the second arrives, or is told as canceled, in any case later */
static void test_two_messages(struct agent *server, struct agent *client)
{
    struct connected first;
    unsigned int round, lost = 0;

    open_port(&first, server, client);
    for (round = 0; round < 30; round++)
    {
        struct talk talk;
        ULONG type;

        begin_talk(&talk, &first, client, FALSE);
        begin_listen(server, first.listening, round % 3 * 3);
        speak(client, talk.c.port, 2, CLOSE);
        if (!heard(server))
            lost++;
        else
            ok(!server->call->receive.data[0], "[4.7] the second message came first\n");
        ok_status("4.11", receive(server, first.listening), STATUS_SUCCESS);
        type = (USHORT)server->call->receive.header.u2.s2.Type;
        ok(type == LPC_CANCELED || type == LPC_DATAGRAM, "[4.11] type %#lx\n", type);
        ok(!drain(server, first.listening, NULL), "[4.11] one more was canceled\n");
        end_talk(&talk, &first, CLOSE, FALSE);
    }
    ok(lost <= 2, "[4.7] %u of %u messages were lost although somebody waited\n", lost, round);
    close_connection(&first);
}

/* ---------------------------------------------------------------------------------------------- nobody waits */

/* a message, and the end of its sender: nobody has waited */
static void check_canceled(struct connected *first, struct talk *talk)
{
    speak(talk->c.client, talk->c.port, 1, CLOSE);
    expect(first->server, first->listening, "4.11", LPC_CANCELED, NULL, 0);
    ok(!drain(first->server, first->listening, NULL), "[4.11] one more was canceled\n");
    end_talk(talk, first, CLOSE, FALSE);
}

/* also when somebody has waited before, waits in another place or was terminated while he waited */
static void test_nobody_waits(struct agent *server, struct agent *client)
{
    struct agent *second = agent_beside(server);
    struct connected first, other;
    struct talk talk;
    struct call *call;

    open_port(&first, server, client);
    begin_talk(&talk, &first, client, FALSE);
    check_canceled(&first, &talk);

    winetest_push_context("waited before");
    begin_talk(&talk, &first, client, FALSE);
    call = prepare(server);
    call->port = first.listening;
    call->receives = call->has_length = call->has_timeout = TRUE;
    call->length = sizeof(call->receive);
    call->timeout = MILLISECONDS(30);
    ok_status("4.4", perform(server, call_exchange), STATUS_TIMEOUT);
    check_canceled(&first, &talk);
    winetest_pop_context();

    winetest_push_context("waits at another client's port");
    open_another(&other, &first, client, PORT_CONTEXT);
    begin_talk(&talk, &first, client, FALSE);
    begin_listen(second, other.comm, 20);
    check_canceled(&first, &talk);
    ok_status("4.4", send_message(client, other.port, DATAGRAM, "last", 4), STATUS_SUCCESS);
    ok(heard(second), "[4.1] its own message did not come\n");
    winetest_pop_context();

    winetest_push_context("terminated while waiting");
    begin_talk(&talk, &first, client, FALSE);
    begin_listen(second, first.listening, 20);
    agent_kill_thread(second);
    check_canceled(&first, &talk);
    winetest_pop_context();
    close_connection(&other);
    close_connection(&first);
}

START_TEST(lastwords)
{
    if (agent_main())
        return;
    RUN(test_to_server);
    RUN(test_to_client);
    RUN(test_process_ends);
    RUN(test_communication_port);
    RUN(test_many_listeners);
    RUN(test_two_messages);
    RUN(test_nobody_waits);
    end_tests();
}
