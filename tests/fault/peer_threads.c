/*
 * Threads that are terminated or suspended in the middle of what they do with ports
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "peer.h"

#define WORKERS 4

/*
 * A worker has its buffers from outside and is terminated only once it has begun to work: a thread that dies in the
 * heap or in the loader takes their locks along, on Windows too.
 */
struct worker
{
    struct client client;
    LPTHREAD_START_ROUTINE work;
    HANDLE thread;
    volatile LONG works;
};

static UNICODE_STRING *port_name;
static LONG done; /* what the workers have finished, all together */

static void start_worker(struct worker *worker)
{
    worker->works = FALSE;
    worker->thread = CreateThread(NULL, 0x10000, worker->work, worker, 0, NULL);
}

static void end_worker(struct worker *worker)
{
    ULONG begun = GetTickCount();

    while (!worker->works && GetTickCount() - begun < HANG_MS)
        Sleep(0);
    TerminateThread(worker->thread, 1);
    if (!worker->works || WaitForSingleObject(worker->thread, HANG_MS))
        mistake("a thread hangs", worker->works, 0);
    CloseHandle(worker->thread);
}

static void has_worked(struct worker *worker)
{
    InterlockedIncrement(&done);
    worker->works = TRUE;
}

static void pause_for(ULONG microseconds)
{
    LARGE_INTEGER frequency, begin, now;

    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&begin);
    do
        QueryPerformanceCounter(&now);
    while ((ULONG)((now.QuadPart - begin.QuadPart) * 1000000 / frequency.QuadPart) < microseconds);
}

static BOOL start_workers(struct worker *workers, ULONG count, LPTHREAD_START_ROUTINE work, HANDLE port)
{
    ULONG i;

    for (i = 0; i < count; i++)
    {
        if (!init_client(&workers[i].client, port, i * 1000 + 17))
            return FALSE;
        workers[i].work = work;
        start_worker(&workers[i]);
    }
    return TRUE;
}

/* terminates so many, each replaced by another; at the end all */
static void kill_workers(struct worker *workers, ULONG number, ULONG count, ULONG most_us)
{
    ULONG random = 4711, i;

    for (i = 0; i < count && !mistakes; i++)
    {
        struct worker *victim = &workers[next_random(&random) % number];

        pause_for(next_random(&random) % most_us);
        end_worker(victim);
        start_worker(victim);
    }
    for (i = 0; i < number; i++)
        end_worker(&workers[i]);
}

/* ---------------------------------------------------------------------------------------------- sending */

static DWORD WINAPI __attribute__((noreturn)) send_for_ever(void *arg)
{
    struct worker *worker = arg;
    struct client *client = &worker->client;

    for (;;)
    {
        /* asynchronous answers on a port that all share would go to the wrong thread */
        BOOL sync = next_random(&client->random) % 8 != 0;
        NTSTATUS status;

        fill(client->send, next_random(&client->random) | 0x80000000, random_size(&client->random));
        status = exchange(client->port, sync ? ALPC_MSGFLG_SYNC_REQUEST : ALPC_MSGFLG_RELEASE_MESSAGE, client->send,
                          sync ? client->receive : NULL, HANG_MS);
        if (status)
            mistake("exchange in a thread", status, 0);
        has_worked(worker);
    }
}

void run_threads(UNICODE_STRING *name, ULONG count)
{
    HANDLE port = connect_to(name, 60);
    struct worker workers[WORKERS];

    if (!port || !start_workers(workers, WORKERS, send_for_ever, port))
    {
        mistake("no connection", 0, 0);
        return;
    }
    kill_workers(workers, WORKERS, count, 1000);
    printf("%lu threads terminated, %ld messages\n", (unsigned long)count, done);
    NtClose(port);
}

/* ---------------------------------------------------------------------------------------------- closing */

/*
 * Wine's NtClose holds a lock while it asks wineserver, and a thread that is terminated just then leaves it locked: no
 * thread of the process can close anything any more, whatever kind of handle it was.  So one that is never terminated
 * closes for the others.
 */
static HANDLE to_close[0x1000];
static LONG put_count;
static volatile LONG closer_stop;

static void close_later(HANDLE port)
{
    HANDLE *place = &to_close[InterlockedIncrement(&put_count) % ARRAYSIZE(to_close)];

    while (InterlockedCompareExchangePointer(place, port, NULL))
        Sleep(1);
}

static DWORD WINAPI close_for_others(void *arg)
{
    LONG stop;
    ULONG i;

    (void)arg;
    do
    {
        stop = closer_stop;
        for (i = 0; i < ARRAYSIZE(to_close); i++)
        {
            HANDLE port = InterlockedExchangePointer(&to_close[i], NULL);

            if (port && NtClose(port))
                mistake("close", i, 0);
        }
        Sleep(1);
    } while (!stop);
    return 0;
}

static void end_closer(HANDLE thread)
{
    closer_stop = TRUE;
    if (WaitForSingleObject(thread, HANG_MS))
        mistake("the thread that closes hangs", 0, 0);
    CloseHandle(thread);
}

/* ---------------------------------------------------------------------------------------------- connecting */

static NTSTATUS connect_within(HANDLE *port, LONG ms)
{
    LARGE_INTEGER timeout = { .QuadPart = -10000LL * ms };

    return NtAlpcConnectPort(port, port_name, NULL, NULL, ALPC_MSGFLG_SYNC_REQUEST, NULL, NULL, NULL, NULL, NULL,
                             &timeout);
}

/* connects, asks once, has it closed */
static DWORD WINAPI __attribute__((noreturn)) visit_for_ever(void *arg)
{
    struct worker *worker = arg;
    struct client *client = &worker->client;

    for (;;)
    {
        HANDLE port;
        NTSTATUS status = connect_within(&port, HANG_MS);

        if (status)
        {
            mistake("connect in a thread", status, 0);
            continue;
        }
        fill(client->send, next_random(&client->random) | 0x80000000, random_size(&client->random));
        if ((status = exchange(port, ALPC_MSGFLG_SYNC_REQUEST, client->send, client->receive, HANG_MS)))
            mistake("exchange in a thread", status, 0);
        close_later(port);
        has_worked(worker);
    }
}

/* ports that a terminated thread has just got stay open until the program ends, as on Windows */
void run_visits(UNICODE_STRING *name, ULONG count)
{
    HANDLE port = connect_to(name, 60), closer = CreateThread(NULL, 0, close_for_others, NULL, 0, NULL);
    struct worker workers[WORKERS];

    port_name = name;
    if (!port || !start_workers(workers, WORKERS, visit_for_ever, NULL))
    {
        mistake("no connection", 0, 0);
        return;
    }
    kill_workers(workers, WORKERS, count, 3000);
    end_closer(closer);
    /* a connection from before is what it was */
    fill(workers[0].client.send, 77 | 0x80000000, 100);
    if (exchange(port, ALPC_MSGFLG_SYNC_REQUEST, workers[0].client.send, workers[0].client.receive, HANG_MS))
        mistake("exchange afterwards", 0, 0);
    printf("%lu threads terminated, %ld visits\n", (unsigned long)count, done);
    NtClose(port);
}

/* ---------------------------------------------------------------------------------------------- accepting */

static HANDLE listening;
static HANDLE accepted[0x10000]; /* by PortContext */
static LONG accepted_count;
static volatile LONG visitors_stop;
static LONG visits, given_up;

static void accept_one(struct message *message)
{
    const LONG place = InterlockedIncrement(&accepted_count) & 0xffff;

    message->header.u1.Length = HEADER << 16;
    /* who connected may have given up; or another thread was terminated, so that this one is told of the end first */
    NtAlpcAcceptConnectPort(&accepted[place], listening, 0, NULL, NULL, (PVOID)(ULONG_PTR)place, &message->header, NULL,
                            TRUE);
}

/* NULL: the thread that accepted it has not got the handle yet, or was terminated before */
static void close_accepted(ULONG_PTR place)
{
    HANDLE port = InterlockedExchangePointer(&accepted[place], NULL);

    if (port)
        close_later(port);
}

/* a server's loop; threads are terminated anywhere in it */
static DWORD WINAPI accept_for_ever(void *arg)
{
    struct worker *worker = arg;
    struct message *message = worker->client.receive;
    struct
    {
        ALPC_MESSAGE_ATTRIBUTES header;
        ALPC_CONTEXT_ATTR context;
    } attributes = { .header.AllocatedAttributes = ALPC_MESSAGE_CONTEXT_ATTRIBUTE };

    for (;;)
    {
        LARGE_INTEGER timeout = { .QuadPart = -1000000 };
        SIZE_T size = HEADER + MOST_DATA;
        NTSTATUS status =
            NtAlpcSendWaitReceivePort(listening, 0, NULL, NULL, &message->header, &size, &attributes.header, &timeout);

        worker->works = TRUE;
        if (status == STATUS_TIMEOUT)
            continue;
        if (status)
        {
            mistake("receive in a thread", status, 0);
            return 0;
        }
        switch (message->header.u2.s2.Type & 0xff)
        {
        case LPC_CONNECTION_REQUEST:
            accept_one(message);
            break;
        case LPC_REQUEST:
            exchange(listening, ALPC_MSGFLG_RELEASE_MESSAGE, message, NULL, 0);
            break;
        case LPC_PORT_CLOSED:
            close_accepted((ULONG_PTR)attributes.context.PortContext & 0xffff);
            break;
        case LPC_CANCELED:
            break;
        default:
            mistake("unknown type", message->header.u2.ZeroInit, 0);
        }
        InterlockedIncrement(&done);
    }
}

/*
 * What a terminated thread had received nobody else knows of: its client gives up.  What it was just accepting has no
 * handle at the server: that connection is closed at once.
 */
static DWORD WINAPI visit_until_stopped(void *arg)
{
    struct client *client = arg;

    while (!visitors_stop)
    {
        HANDLE port;
        NTSTATUS status = connect_within(&port, 300);

        if (!status)
        {
            fill(client->send, next_random(&client->random) | 0x80000000, 8);
            status = exchange(port, ALPC_MSGFLG_SYNC_REQUEST, client->send, client->receive, 300);
            NtClose(port);
        }
        if (!status)
            InterlockedIncrement(&visits);
        else if (status == STATUS_TIMEOUT || status == STATUS_PORT_DISCONNECTED)
            InterlockedIncrement(&given_up);
        else
            mistake("visit", status, 0);
    }
    return 0;
}

/* with threads that nobody terminates the server is as good as new */
static void check_serves(struct worker *workers)
{
    const LONG before = visits;
    const ULONG begun = GetTickCount();
    ULONG i;

    for (i = 0; i < WORKERS; i++)
        start_worker(&workers[i]);
    while (visits < before + 50 && GetTickCount() - begun < HANG_MS)
        Sleep(10);
    if (visits < before + 50)
        mistake("no more visits", (ULONG)(visits - before), 0);
}

void run_accepts(UNICODE_STRING *name, ULONG count)
{
    struct worker workers[WORKERS];
    struct client clients[2];
    OBJECT_ATTRIBUTES attributes;
    HANDLE threads[2], closer = CreateThread(NULL, 0, close_for_others, NULL, 0, NULL);
    ULONG i;

    port_name = name;
    InitializeObjectAttributes(&attributes, name, 0, NULL, NULL);
    if (NtAlpcCreatePort(&listening, &attributes, NULL) || !start_workers(workers, WORKERS, accept_for_ever, NULL))
    {
        mistake("no port", 0, 0);
        return;
    }
    for (i = 0; i < 2; i++)
    {
        init_client(&clients[i], NULL, i + 99);
        threads[i] = CreateThread(NULL, 0, visit_until_stopped, &clients[i], 0, NULL);
    }
    kill_workers(workers, WORKERS, count, 3000);
    check_serves(workers);
    visitors_stop = TRUE;
    if (WaitForMultipleObjects(2, threads, TRUE, HANG_MS))
        mistake("a visitor hangs", 0, 0);
    for (i = 0; i < WORKERS; i++)
        end_worker(&workers[i]);
    end_closer(closer);
    printf("%lu threads terminated, %ld messages, %ld visits, %ld given up\n", (unsigned long)count, done, visits,
           given_up);
    NtClose(listening);
}

/* ---------------------------------------------------------------------------------------------- suspending */

#define RECEIVERS 4
#define BURST 3 /* fewer than receivers */

static LONG received;

/* receives until the port is closed */
static DWORD WINAPI receive_all(void *arg)
{
    struct message *message = ((struct worker *)arg)->client.receive;

    for (;;)
    {
        SIZE_T size = HEADER + MOST_DATA;

        if (NtAlpcSendWaitReceivePort(listening, 0, NULL, NULL, &message->header, &size, NULL, NULL))
            return 0;
        switch (message->header.u2.s2.Type & 0xff)
        {
        case LPC_CONNECTION_REQUEST:
            accept_one(message);
            break;
        case LPC_DATAGRAM:
            InterlockedIncrement(&received);
            break;
        }
    }
}

/* until so many have been received, at most 2 s; whether they have */
static BOOL wait_received(LONG number)
{
    ULONG begun = GetTickCount();

    while (received < number && GetTickCount() - begun < 2000)
        Sleep(1);
    return received >= number;
}

/*
 * One of those who wait is suspended at about the time when messages come.  It may have taken one of them already,
 * which is its own then; the others have to reach those that run, whoever was woken for them.
 */
static void suspend_one(struct client *client, HANDLE port, HANDLE victim, ULONG *random, ULONG round)
{
    const LONG before = received;
    BOOL first = round & 1;
    ULONG i;

    if (first)
    {
        pause_for(next_random(random) % 200);
        SuspendThread(victim);
    }
    for (i = 0; i < BURST; i++)
    {
        fill(client->send, i | 0x80000000, 8);
        if (exchange(port, ALPC_MSGFLG_RELEASE_MESSAGE, client->send, NULL, 0))
            mistake("send", round, i);
    }
    if (!first)
    {
        pause_for(next_random(random) % 50);
        SuspendThread(victim);
    }
    if (!wait_received(before + BURST - 1))
        mistake("a suspended thread keeps messages from others", round, (ULONG)(received - before));
    ResumeThread(victim);
    if (!wait_received(before + BURST))
        mistake("a message is lost", round, (ULONG)(received - before));
}

void run_suspended(UNICODE_STRING *name, ULONG count)
{
    struct worker workers[RECEIVERS];
    OBJECT_ATTRIBUTES attributes;
    ULONG random = 1234567, round, i;
    struct client client;
    HANDLE port;

    port_name = name;
    InitializeObjectAttributes(&attributes, name, 0, NULL, NULL);
    if (NtAlpcCreatePort(&listening, &attributes, NULL) || !start_workers(workers, RECEIVERS, receive_all, NULL) ||
        connect_within(&port, HANG_MS) || !init_client(&client, port, 5))
    {
        mistake("no port", 0, 0);
        return;
    }
    for (round = 0; round < count && !mistakes; round++)
    {
        /* asleep, or still looking */
        Sleep(next_random(&random) % 5);
        suspend_one(&client, port, workers[next_random(&random) % RECEIVERS].thread, &random, round);
    }
    NtClose(port);
    NtClose(listening);
    for (i = 0; i < RECEIVERS; i++)
        if (WaitForSingleObject(workers[i].thread, HANG_MS))
            mistake("a receiver hangs", i, 0);
    printf("%lu times suspended, %ld messages\n", (unsigned long)round, received);
}
