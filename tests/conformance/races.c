/*
 * Handles that come and go while ports are in use, threads that end in the middle of a call [alpc.md 1.2, 1.3, 4.11]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "load.h"
#include "objects.h"

#define TYPE_CLASS ((OBJECT_INFORMATION_CLASS)2)

/* ---------------------------------------------------------------------------------------------- other handles */

/* another process gives this one a handle and takes it away again */
static void pass_through(HANDLE process, HANDLE event)
{
    HANDLE there, back;

    if (!DuplicateHandle(GetCurrentProcess(), event, process, &there, 0, FALSE, DUPLICATE_SAME_ACCESS))
        return;
    if (DuplicateHandle(process, there, GetCurrentProcess(), &back, 0, FALSE,
                        DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE))
        NtClose(back);
}

/* whoever uses ports does not notice that a third process opens and closes other handles of his */
static void test_foreign_closes(void)
{
    struct agent *server = agent_process(), *client = agent_process(), *second = agent_beside(server);
    HANDLE event = CreateEventW(NULL, FALSE, FALSE, NULL);
    struct connected c;
    ULONG rounds = 0;

    open_connection(&c, server, client);
    begin_echo(server, c.listening, 0);
    begin_echo(second, c.listening, 0);
    begin_ask(client, c.port, 1, 40000, 0);
    while (!finished(client, 0))
    {
        pass_through(agent_process_handle(server), event);
        pass_through(agent_process_handle(client), event);
        rounds++;
    }
    ok_status("1.2", end(client), STATUS_SUCCESS);
    ok(client->call->count == 40000, "[1.2] %lu of 40000 requests were answered\n", client->call->count);
    ok(rounds > 10, "only %lu handles were closed meanwhile\n", rounds);
    send_stop(client, c.port, 2);
    ok_status("1.2", end(server), STATUS_SUCCESS);
    ok_status("1.2", tally_of(server)->failed, STATUS_SUCCESS);
    ok_status("1.2", end(second), STATUS_SUCCESS);
    ok_status("1.2", tally_of(second)->failed, STATUS_SUCCESS);
    close_connection(&c);
    agent_stop(second);
    agent_stop(server);
    agent_stop(client);
    CloseHandle(event);
}

/* ---------------------------------------------------------------------------------------------- values used again */

#define VALUES 0x400 /* handle values that are looked at */
#define MAKERS 4
#define ROUNDS 2000

static LONG makers, wrong_type, wrong_port, wrong_event, wrong_set, wrong_close;

static BOOL has_type(HANDLE handle, const WCHAR *name)
{
    union
    {
        UNICODE_STRING name;
        BYTE buffer[0x200];
    } type;

    return !NtQueryObject(handle, TYPE_CLASS, &type, sizeof(type), NULL) &&
           type.name.Length == wcslen(name) * sizeof(WCHAR) && !memcmp(type.name.Buffer, name, type.name.Length);
}

/* a receive that does not wait; nothing of the thread's may need the heap, for it can be terminated */
static NTSTATUS receive_nothing(HANDLE port)
{
    LARGE_INTEGER at_once = { .QuadPart = 0 };
    struct message message;
    SIZE_T size = sizeof(message);

    return NtAlpcSendWaitReceivePort(port, 0, NULL, NULL, &message.header, &size, NULL, &at_once);
}

static void check_port(HANDLE port)
{
    if (receive_nothing(port) != STATUS_TIMEOUT)
        InterlockedIncrement(&wrong_port);
    if (!has_type(port, L"ALPC Port"))
        InterlockedIncrement(&wrong_type);
}

static void check_event(HANDLE event)
{
    if (!SetEvent(event) || WaitForSingleObject(event, 0))
        InterlockedIncrement(&wrong_set);
    if (receive_nothing(event) != STATUS_OBJECT_TYPE_MISMATCH)
        InterlockedIncrement(&wrong_event);
    if (!has_type(event, L"Event"))
        InterlockedIncrement(&wrong_type);
}

static HANDLE make(BOOL port)
{
    HANDLE handle = NULL;

    if (port)
        NtAlpcCreatePort(&handle, NULL, NULL);
    else
        NtCreateEvent(&handle, EVENT_ALL_ACCESS, NULL, 1, FALSE);
    return handle;
}

/* makes ports and events, whose values the threads give to each other; each is what its maker has made */
static DWORD WINAPI make_handles(void *arg)
{
    ULONG random = (ULONG)(ULONG_PTR)arg, i;

    for (i = 0; i < ROUNDS; i++)
    {
        BOOL port = (random = random * 1103515245 + 12345) >> 16 & 1;
        HANDLE handle = make(port), copy = NULL;

        (port ? check_port : check_event)(handle);
        /* moved, or copied and the first one closed */
        if (random >> 17 & 1)
            NtDuplicateObject(GetCurrentProcess(), handle, GetCurrentProcess(), &copy, 0, 0,
                              DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE);
        else
        {
            NtDuplicateObject(GetCurrentProcess(), handle, GetCurrentProcess(), &copy, 0, 0, DUPLICATE_SAME_ACCESS);
            if (NtClose(handle))
                InterlockedIncrement(&wrong_close);
        }
        (port ? check_port : check_event)(copy);
        if (NtClose(copy))
            InterlockedIncrement(&wrong_close);
    }
    InterlockedDecrement(&makers);
    return 0;
}

/* uses every value as if it were a port, whatever it is just now, and duplicates it */
static DWORD WINAPI look_at_values(void *arg)
{
    ULONG_PTR value = (ULONG_PTR)arg;
    HANDLE copy;

    while (makers)
    {
        value = value % VALUES + 4;
        receive_nothing((HANDLE)value);
        has_type((HANDLE)value, L"ALPC Port");
        if (!(value & 0xc) && !NtDuplicateObject(GetCurrentProcess(), (HANDLE)value, GetCurrentProcess(), &copy, 0, 0,
                                                 DUPLICATE_SAME_ACCESS))
            NtClose(copy);
    }
    return 0;
}

/* a value that was a port's a moment ago is an event's now, and the other way round, and nobody is mistaken */
static void test_values(void)
{
    HANDLE threads[MAKERS + 2];
    ULONG i;

    makers = MAKERS;
    for (i = 0; i < ARRAY_SIZE(threads); i++)
        threads[i] =
            CreateThread(NULL, 0, i < MAKERS ? make_handles : look_at_values, (void *)(ULONG_PTR)(i * 4), 0, NULL);
    for (i = 0; i < ARRAY_SIZE(threads); i++)
    {
        ok(!WaitForSingleObject(threads[i], 6 * HANG), "thread %lu does not end\n", i);
        CloseHandle(threads[i]);
    }
    ok(!wrong_event, "[1.2] %ld times an event was not refused by a port's call\n", wrong_event);
    ok(!wrong_port, "[1.2] %ld times a port was\n", wrong_port);
    ok(!wrong_type, "[3.8] %ld times a handle was not of the type that it was made as\n", wrong_type);
    ok(!wrong_set, "%ld times an event could not be set\n", wrong_set);
    ok(!wrong_close, "%ld times a handle could not be closed\n", wrong_close);
}

/* ---------------------------------------------------------------------------------------------- terminated threads */

#define TERMINATIONS 300

/* all that happens to a connection; .handles are the program's, as soon as it has them */
struct life
{
    const WCHAR *name;
    HANDLE listening, client, server;
    NTSTATUS status; /* of the first step that has failed */
    LONG rounds;
};

static NTSTATUS receive_type(HANDLE port, ULONG type, struct message *message)
{
    LARGE_INTEGER timeout = { .QuadPart = MILLISECONDS(HANG) };
    SIZE_T size = sizeof(*message);
    NTSTATUS status = NtAlpcSendWaitReceivePort(port, 0, NULL, NULL, &message->header, &size, NULL, &timeout);

    return status ? status : (BYTE)message->header.u2.s2.Type == type ? STATUS_SUCCESS : STATUS_MESSAGE_LOST;
}

static void close_in(HANDLE *handle)
{
    HANDLE closed = *handle;

    *handle = NULL;
    if (closed)
        NtClose(closed);
}

static void end_life(struct life *life)
{
    close_in(&life->client);
    close_in(&life->server);
    close_in(&life->listening);
}

/* creates, connects, accepts, closes */
static NTSTATUS live(struct life *life)
{
    struct object_name object;
    UNICODE_STRING name;
    struct message message;
    NTSTATUS status;

    RtlInitUnicodeString(&name, life->name);
    if ((status = NtAlpcCreatePort(&life->listening, name_object(&object, NULL, life->name, 0), NULL)) ||
        (status = NtAlpcConnectPort(&life->client, &name, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL)) ||
        (status = receive_type(life->listening, LPC_CONNECTION_REQUEST, &message)) ||
        (status = NtAlpcAcceptConnectPort(&life->server, life->listening, 0, NULL, NULL, NULL, &message.header, NULL,
                                          TRUE)) ||
        (status = receive_type(life->client, LPC_CONNECTION_REPLY, &message)) ||
        (status = send_datagram(life->client, 1)) || (status = receive_type(life->listening, LPC_DATAGRAM, &message)))
        return status;
    end_life(life);
    return STATUS_SUCCESS;
}

static DWORD WINAPI live_on(void *arg)
{
    struct life *life = arg;

    while (!(life->status = live(life)))
        InterlockedIncrement(&life->rounds);
    return 0;
}

/* a thread that never connects: the server accepts nobody */
static DWORD WINAPI wait_for_acceptance(void *arg)
{
    struct life *life = arg;
    UNICODE_STRING name;

    RtlInitUnicodeString(&name, life->name);
    life->rounds = 1;
    life->status = NtAlpcConnectPort(&life->client, &name, NULL, NULL, ALPC_MSGFLG_SYNC_REQUEST, NULL, NULL, NULL, NULL,
                                     NULL, NULL);
    return 0;
}

static HANDLE start(DWORD(WINAPI *function)(void *), struct life *life, LONG rounds)
{
    HANDLE thread = CreateThread(NULL, 0, function, life, 0, NULL);
    ULONG begun = GetTickCount();

    while (life->rounds < rounds && GetTickCount() - begun < HANG)
        Sleep(0);
    ok(life->rounds >= rounds, "the thread has not come so far: status %#lx\n", life->status);
    return thread;
}

static void terminate(HANDLE thread)
{
    ok_status("4.7", NtTerminateThread(thread, 0), STATUS_SUCCESS);
    ok(!WaitForSingleObject(thread, HANG), "the thread has not ended\n");
    CloseHandle(thread);
}

/* whatever a thread is doing when it is terminated, the others go on, and what it was making is not left behind */
static void test_terminations(void)
{
    struct life other = { .name = wcsdup(new_name()) };
    HANDLE neighbour = start(live_on, &other, 1);
    ULONG round, random = 1;
    LONG before;

    for (round = 0; round < TERMINATIONS && !other.status; round++)
    {
        WCHAR *name = wcsdup(new_name());
        struct life life = { .name = name }, again = { .name = name };
        HANDLE thread = start(live_on, &life, 1);

        for (random = random * 1103515245 + 12345, before = random >> 16 & 0x3fff; before; before--)
            YieldProcessor();
        terminate(thread);
        ok_status("1.3", life.status, STATUS_SUCCESS);
        end_life(&life);
        /* with the same name */
        ok_status("4.2", live(&again), STATUS_SUCCESS);
        end_life(&again);
        before = other.rounds;
        while (other.rounds == before && !other.status)
            Sleep(0);
        free(name);
    }
    ok_status("1.3", other.status, STATUS_SUCCESS);
    terminate(neighbour);
    end_life(&other);
}

/* the port of a thread that is terminated while it waits for its connection goes, and the server hears so */
static void test_waiting_client(void)
{
    struct life life = { .name = wcsdup(new_name()) };
    HANDLE listening = create_named(NAMED(NULL, life.name, 0)), thread;
    struct message message;

    thread = start(wait_for_acceptance, &life, 1);
    ok_status("4.3", receive_type(listening, LPC_CONNECTION_REQUEST, &message), STATUS_SUCCESS);
    terminate(thread);
    ok_status("4.11", receive_type(listening, LPC_CANCELED, &message), STATUS_SUCCESS);
    ok(!life.client, "[1.3] a call that never returned wrote %p\n", life.client);
    NtClose(listening);
}

START_TEST(races)
{
    if (agent_main())
        return;
    test_foreign_closes();
    test_values();
    test_terminations();
    test_waiting_client();
    end_tests();
}
