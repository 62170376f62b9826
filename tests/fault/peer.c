/*
 * The Windows programs of the fault tests: what is killed, and what must not notice
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   peer server NAME              answers each request with its content; ends when asked to, and tells what it has seen
 *   peer tolerant NAME            the same, but does not mind damaged messages
 *   peer client NAME              sends requests and datagrams of all sizes until its input ends, checks the answers;
 *                                 connects again when the server has gone
 *   peer visitor NAME             connects, exchanges a few messages, leaves, again and again; the server must be there
 *   peer exchange NAME COUNT      connects, prints "ready", waits for a line, exchanges so many messages
 *   peer connections NAME COUNT   holds so many connections at once
 *   peer threads NAME COUNT       terminates so many of its own threads in the middle of what they do (peer_threads.c)
 *   peer visits NAME COUNT        the same while they connect
 *   peer accepts NAME COUNT       terminates threads of a server while they accept and answer
 *   peer suspended NAME COUNT     suspends threads that wait for a message
 *   peer quit NAME                ends the server
 *
 * The last line of each is "ok: ..." if nothing was wrong.
 */

#include "peer.h"

#define QUIT 0x74697571 /* first word of the request that ends the server */
#define SERVER_THREADS 2

LONG mistakes;

void mistake(const char *what, ULONG a, ULONG b)
{
    printf("MISTAKE: %s (%08lx, %08lx)\n", what, (unsigned long)a, (unsigned long)b);
    if (InterlockedIncrement(&mistakes) == 20)
        ExitProcess(1);
}

ULONG next_random(ULONG *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

ULONG random_size(ULONG *random)
{
    ULONG most = next_random(random) % 8 ? next_random(random) % 2 ? 64 : 1000 : MOST_DATA;

    return 4 + next_random(random) % (most - 3);
}

void fill(struct message *message, ULONG seed, ULONG size)
{
    ULONG i;

    memset(&message->header, 0, sizeof(message->header));
    message->header.u1.s1.DataLength = (SHORT)size;
    message->header.u1.s1.TotalLength = (SHORT)(HEADER + size);
    memcpy(message->data, &seed, sizeof(seed));
    for (i = 4; i < size; i++)
        message->data[i] = (unsigned char)(seed + i * 7);
}

static BOOL is_intact(const struct message *message)
{
    ULONG seed, i, size = (USHORT)message->header.u1.s1.DataLength;

    memcpy(&seed, message->data, sizeof(seed));
    if ((USHORT)message->header.u1.s1.TotalLength != HEADER + size)
        return FALSE;
    for (i = 4; i < size; i++)
        if (message->data[i] != (unsigned char)(seed + i * 7))
            return FALSE;
    return TRUE;
}

NTSTATUS exchange(HANDLE port, ULONG flags, struct message *send, struct message *receive, LONG milliseconds)
{
    LARGE_INTEGER timeout = { .QuadPart = -10000 * (LONGLONG)milliseconds };
    SIZE_T size = receive ? HEADER + MOST_DATA : 0;

    return NtAlpcSendWaitReceivePort(port, flags, send ? &send->header : NULL, NULL, receive ? &receive->header : NULL,
                                     receive ? &size : NULL, NULL, receive ? &timeout : NULL);
}

static void make_name(const char *text, UNICODE_STRING *name)
{
    static WCHAR path[128];

    name->Length = (USHORT)(2 * _snwprintf(path, 128, L"\\RPC Control\\fault-%hs", text));
    name->MaximumLength = sizeof(path);
    name->Buffer = path;
}

/* ---------------------------------------------------------------------------------------------- server */

static HANDLE server_port;
static LONG accepted, closed, requests, datagrams, canceled;
static BOOL tolerant;
static ULONG stopping; /* tick count of the order to end */
#define MOST_ACCEPTS 0x100000 /* in the life of a server */
static HANDLE comm_ports[MOST_ACCEPTS];
static LONG places;

/* the context of a connection is its place in comm_ports */
static void accept_client(struct message *message)
{
    LONG place = InterlockedIncrement(&places) % MOST_ACCEPTS;
    NTSTATUS status;

    /* before it may be told to have closed */
    InterlockedIncrement(&accepted);
    message->header.u1.Length = HEADER << 16;
    status = NtAlpcAcceptConnectPort(&comm_ports[place], server_port, 0, NULL, NULL, (PVOID)(ULONG_PTR)place,
                                     &message->header, NULL, TRUE);
    if (!status)
        return;
    InterlockedDecrement(&accepted);
    /* a client that was killed meanwhile */
    if (status != STATUS_REQUEST_CANCELED && status != STATUS_INVALID_MESSAGE)
        mistake("accept", status, 0);
}

static void close_client(const ALPC_MESSAGE_ATTRIBUTES *attributes)
{
    const ALPC_CONTEXT_ATTR *context = (const void *)(attributes + 1);
    ULONG_PTR place = (ULONG_PTR)context->PortContext;
    HANDLE port;
    ULONG begun;

    if (!(attributes->ValidAttributes & ALPC_MESSAGE_CONTEXT_ATTRIBUTE) || place >= MOST_ACCEPTS)
    {
        mistake("context of a closed port", attributes->ValidAttributes, (ULONG)place);
        return;
    }
    /* the client may be gone before the call that accepts it has come back, in another thread */
    for (begun = GetTickCount(); !(port = InterlockedExchangePointer(&comm_ports[place], NULL));)
    {
        if (GetTickCount() - begun > HANG_MS)
            break;
        Sleep(0);
    }
    if (!port || NtClose(port))
        mistake("closed twice", (ULONG)place, 0);
    InterlockedIncrement(&closed);
}

/* the notices of the clients that have gone are waited for */
static BOOL at_end(void)
{
    return stopping && (accepted == closed || GetTickCount() - stopping > 10000);
}

static DWORD WINAPI serve(void *arg)
{
    struct message *message = malloc(sizeof(*message)), *reply = NULL;
    struct
    {
        ALPC_MESSAGE_ATTRIBUTES header;
        ALPC_CONTEXT_ATTR context;
    } attributes = { .header.AllocatedAttributes = ALPC_MESSAGE_CONTEXT_ATTRIBUTE };

    (void)arg;
    while (reply || !at_end())
    {
        LARGE_INTEGER timeout = { .QuadPart = -1000000 };
        SIZE_T size = HEADER + MOST_DATA;
        NTSTATUS status =
            NtAlpcSendWaitReceivePort(server_port, ALPC_MSGFLG_RELEASE_MESSAGE, reply ? &reply->header : NULL, NULL,
                                      &message->header, &size, &attributes.header, &timeout);

        if (status == STATUS_TIMEOUT || (status && reply))
        {
            /* whom the answer was for may have gone */
            if (status != STATUS_TIMEOUT && status != STATUS_REQUEST_CANCELED && status != STATUS_PORT_DISCONNECTED &&
                status != STATUS_INVALID_MESSAGE && !tolerant)
                mistake("answer", status, 0);
            reply = NULL;
            continue;
        }
        reply = NULL;
        if (status)
        {
            mistake("receive", status, 0);
            break;
        }
        /* no other bits, whatever a client writes into its memory [3.6] */
        switch (message->header.u2.s2.Type & ~LPC_CONTINUATION_REQUIRED)
        {
        case LPC_CONNECTION_REQUEST:
            accept_client(message);
            break;
        case LPC_REQUEST:
            InterlockedIncrement(&requests);
            if (*(ULONG *)message->data == QUIT)
                stopping = GetTickCount() | 1;
            else if (!tolerant && !is_intact(message))
                mistake("damaged request", message->header.u1.Length, message->header.MessageId);
            reply = message;
            break;
        case LPC_DATAGRAM:
            InterlockedIncrement(&datagrams);
            if (!tolerant && !is_intact(message))
                mistake("damaged datagram", message->header.u1.Length, message->header.MessageId);
            break;
        case LPC_PORT_CLOSED:
            close_client(&attributes.header);
            break;
        case LPC_CANCELED:
            InterlockedIncrement(&canceled);
            break;
        default:
            mistake("unknown type", message->header.u2.ZeroInit, 0);
        }
    }
    free(message);
    return 0;
}

static void run_server(UNICODE_STRING *name)
{
    OBJECT_ATTRIBUTES attributes;
    HANDLE thread[SERVER_THREADS];
    NTSTATUS status;
    int i;

    InitializeObjectAttributes(&attributes, name, 0, NULL, NULL);
    if ((status = NtAlpcCreatePort(&server_port, &attributes, NULL)))
    {
        mistake("NtAlpcCreatePort", status, 0);
        return;
    }
    for (i = 0; i < SERVER_THREADS; i++)
        thread[i] = CreateThread(NULL, 0, serve, NULL, 0, NULL);
    WaitForMultipleObjects(SERVER_THREADS, thread, TRUE, INFINITE);
    if (accepted != closed)
        mistake("clients that were never told to be closed", accepted, closed);
    printf("%ld connections, %ld closed, %ld requests, %ld datagrams, %ld canceled\n", accepted, closed, requests,
           datagrams, canceled);
}

/* ---------------------------------------------------------------------------------------------- client */

BOOL is_end(NTSTATUS status)
{
    return status == STATUS_PORT_DISCONNECTED || status == STATUS_PORT_CLOSED ||
           status == STATUS_PORT_CONNECTION_REFUSED;
}

HANDLE connect_to(UNICODE_STRING *name, ULONG seconds)
{
    ULONG begun = GetTickCount();

    for (;;)
    {
        LARGE_INTEGER timeout = { .QuadPart = -10000LL * HANG_MS };
        HANDLE port;
        NTSTATUS status = NtAlpcConnectPort(&port, name, NULL, NULL, ALPC_MSGFLG_SYNC_REQUEST, NULL, NULL, NULL, NULL,
                                            NULL, &timeout);

        if (!status)
            return port;
        if (status != STATUS_OBJECT_NAME_NOT_FOUND && !is_end(status))
            mistake("connect", status, 0);
        if (GetTickCount() - begun > seconds * 1000)
            return NULL;
        Sleep(5);
    }
}

BOOL init_client(struct client *client, HANDLE port, ULONG seed)
{
    *client = (struct client){ .port = port, .random = seed | 1 };
    client->send = malloc(sizeof(*client->send));
    client->receive = malloc(sizeof(*client->receive));
    return client->send && client->receive;
}

void free_client(struct client *client)
{
    free(client->send);
    free(client->receive);
}

/* one message of a random kind; STATUS_SUCCESS if all is right or there was a mistake that has been told */
static NTSTATUS one_message(struct client *client)
{
    ULONG size = random_size(&client->random), kind = next_random(&client->random) % 8;
    NTSTATUS status;

    fill(client->send, next_random(&client->random) | 0x80000000, size);
    client->messages++;
    if (kind == 0)
        return exchange(client->port, ALPC_MSGFLG_RELEASE_MESSAGE, client->send, NULL, 0);
    if (kind == 1) /* asynchronous */
    {
        if ((status = exchange(client->port, 0, client->send, NULL, 0)) ||
            (status = exchange(client->port, 0, NULL, client->receive, HANG_MS)))
            return status;
        if ((client->receive->header.u2.s2.Type & 0xff) == LPC_PORT_CLOSED ||
            (client->receive->header.u2.s2.Type & 0xff) == LPC_CANCELED)
            return STATUS_PORT_DISCONNECTED;
    }
    else if ((status = exchange(client->port, ALPC_MSGFLG_SYNC_REQUEST, client->send, client->receive, HANG_MS)))
        return status;
    if ((client->receive->header.u2.s2.Type & 0xff) != LPC_REPLY ||
        client->receive->header.u1.s1.DataLength != client->send->header.u1.s1.DataLength ||
        memcmp(client->receive->data, client->send->data, size))
        mistake("wrong answer", client->receive->header.u2.ZeroInit, client->receive->header.u1.Length);
    return STATUS_SUCCESS;
}

static volatile LONG ended; /* its input */

static DWORD WINAPI wait_for_end(void *arg)
{
    (void)arg;
    while (getchar() != EOF)
        ;
    ended = TRUE;
    return 0;
}

static void run_client(UNICODE_STRING *name)
{
    HANDLE thread = CreateThread(NULL, 0, wait_for_end, NULL, 0, NULL);
    ULONG connections = 0;
    struct client client;
    LONG messages = 0;
    HANDLE port;

    while (!ended && (port = connect_to(name, 60)))
    {
        NTSTATUS status = STATUS_SUCCESS;

        if (!init_client(&client, port, GetCurrentProcessId() * 77 + connections))
            break;
        connections++;
        while (!status && !ended)
            status = one_message(&client);
        if (status && !is_end(status))
            mistake("exchange", status, connections);
        messages += client.messages;
        free_client(&client);
        NtClose(port);
    }
    if (!ended)
        mistake("no server comes", 0, connections);
    CloseHandle(thread);
    printf("%lu connections, %ld messages\n", (unsigned long)connections, messages);
}

/* each visit must be as if nothing was wrong with alpcserver */
static void run_visitor(UNICODE_STRING *name)
{
    HANDLE thread = CreateThread(NULL, 0, wait_for_end, NULL, 0, NULL);
    struct client client;
    ULONG visits = 0, i;
    NTSTATUS status;

    if (!init_client(&client, NULL, GetCurrentProcessId() * 77))
        return;
    /* the server may still be starting */
    NtClose(connect_to(name, 60));
    while (!ended)
    {
        LARGE_INTEGER timeout = { .QuadPart = -10000LL * HANG_MS };

        status = NtAlpcConnectPort(&client.port, name, NULL, NULL, ALPC_MSGFLG_SYNC_REQUEST, NULL, NULL, NULL, NULL,
                                   NULL, &timeout);
        if (status)
        {
            mistake("visit", status, visits);
            continue;
        }
        for (i = 0; i < 5 && !status; i++)
            status = one_message(&client);
        if (status)
            mistake("exchange of a visitor", status, visits);
        if ((status = NtClose(client.port)))
            mistake("end of a visit", status, visits);
        visits++;
    }
    printf("%lu visits, %ld messages\n", (unsigned long)visits, client.messages);
    free_client(&client);
    CloseHandle(thread);
}

/* ---------------------------------------------------------------------------------------------- other roles */

static void run_exchange(UNICODE_STRING *name, ULONG count)
{
    struct client client;
    HANDLE port = connect_to(name, 60);
    ULONG i, size;
    NTSTATUS status = STATUS_SUCCESS;

    if (!port || !init_client(&client, port, 12345))
    {
        mistake("no connection", 0, 0);
        return;
    }
    for (i = 0; i < 100 && !status; i++)
        status = one_message(&client);
    printf("ready\n");
    getchar();
    /* every size from the smallest to the largest in turn */
    for (i = 0; i < count && !status; i++)
    {
        size = 4 + (ULONG)((ULONGLONG)i * 7919 % (MOST_DATA - 3));
        fill(client.send, i | 0x80000000, size);
        status = exchange(port, ALPC_MSGFLG_SYNC_REQUEST, client.send, client.receive, HANG_MS);
        if (!status && memcmp(client.receive->data, client.send->data, size))
            mistake("wrong answer", i, size);
    }
    if (status)
        mistake("exchange", status, i);
    printf("%lu messages\n", (unsigned long)i);
    NtClose(port);
    free_client(&client);
}

/* every connection carries a request while all the others are there too */
static void run_connections(UNICODE_STRING *name, ULONG count)
{
    struct message *send = malloc(sizeof(*send)), *receive = malloc(sizeof(*receive));
    HANDLE *ports = calloc(count, sizeof(*ports));
    NTSTATUS status = STATUS_SUCCESS;
    ULONG i;

    for (i = 0; i < count && (ports[i] = connect_to(name, 60)); i++)
        ;
    if (i < count)
        mistake("no connection", i, count);
    while (i-- && !status)
    {
        fill(send, i | 0x80000000, 4 + i % 1000);
        status = exchange(ports[i], ALPC_MSGFLG_SYNC_REQUEST, send, receive, HANG_MS);
        if (!status && memcmp(receive->data, send->data, 4 + i % 1000))
            mistake("wrong answer", i, count);
    }
    if (status)
        mistake("exchange", status, i);
    for (i = 0; i < count; i++)
        NtClose(ports[i]);
    free(ports);
    free(receive);
    free(send);
}

static void run_quit(UNICODE_STRING *name)
{
    struct message *message = malloc(sizeof(*message));
    HANDLE port = connect_to(name, 60);
    NTSTATUS status;

    fill(message, QUIT, 4);
    if ((status = exchange(port, ALPC_MSGFLG_SYNC_REQUEST, message, message, HANG_MS)))
        mistake("quit", status, 0);
    NtClose(port);
    free(message);
}

int main(int argc, char **argv)
{
    const char *role = argc > 2 ? argv[1] : "";
    ULONG number = argc > 3 ? (ULONG)atoi(argv[3]) : 0;
    UNICODE_STRING name;

    setvbuf(stdout, NULL, _IONBF, 0);
    make_name(argc > 2 ? argv[2] : "", &name);
    tolerant = !strcmp(role, "tolerant");
    if (tolerant || !strcmp(role, "server"))
        run_server(&name);
    else if (!strcmp(role, "client"))
        run_client(&name);
    else if (!strcmp(role, "visitor"))
        run_visitor(&name);
    else if (!strcmp(role, "exchange"))
        run_exchange(&name, number);
    else if (!strcmp(role, "connections"))
        run_connections(&name, number);
    else if (!strcmp(role, "threads"))
        run_threads(&name, number);
    else if (!strcmp(role, "visits"))
        run_visits(&name, number);
    else if (!strcmp(role, "accepts"))
        run_accepts(&name, number);
    else if (!strcmp(role, "suspended"))
        run_suspended(&name, number);
    else if (!strcmp(role, "quit"))
        run_quit(&name);
    else
        mistake("no such role", 0, 0);
    if (!mistakes)
        printf("ok: %s\n", role);
    return mistakes != 0;
}
