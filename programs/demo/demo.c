/*
 * The demonstration: a server and clients that talk ALPC
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   demo server            serves \RPC Control\demo until a client says "quit"
 *   demo request TEXT      synchronous requests: the server answers in capitals
 *   demo datagrams COUNT   datagrams, then asks how many have come
 *   demo async COUNT       asynchronous requests, then collects the answers
 *   demo refused           a connection that the server refuses
 *   demo hold              connects, leaves a request unanswered, waits for a key on stdin
 *   demo quit
 */

#define WIN32_NO_STATUS
#include <windows.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>
#include <winternl.h>
#include <stdio.h>

#include "ntlpcapi.h"

struct message
{
    PORT_MESSAGE header;
    char text[200];
};

static void set_text(struct message *message, const char *text)
{
    snprintf(message->text, sizeof(message->text), "%s", text);
    message->header.u1.s1.DataLength = (SHORT)(strlen(message->text) + 1);
    message->header.u1.s1.TotalLength = (SHORT)(sizeof(PORT_MESSAGE) + message->header.u1.s1.DataLength);
}

static void check(const char *what, NTSTATUS status)
{
    if (!status)
        return;
    printf("%s: status %08lx\n", what, (unsigned long)status);
    exit(1);
}

/* with the attributes of what is received, which may be NULL */
static NTSTATUS exchange_ex(HANDLE port, ULONG flags, struct message *send, struct message *receive,
                            ALPC_MESSAGE_ATTRIBUTES *attributes, DWORD milliseconds)
{
    LARGE_INTEGER timeout = { .QuadPart = -10000 * (LONGLONG)milliseconds };
    SIZE_T size = sizeof(*receive);

    return NtAlpcSendWaitReceivePort(port, flags, send ? &send->header : NULL, NULL, receive ? &receive->header : NULL,
                                     receive ? &size : NULL, attributes, receive ? &timeout : NULL);
}

static NTSTATUS exchange(HANDLE port, ULONG flags, struct message *send, struct message *receive, DWORD milliseconds)
{
    return exchange_ex(port, flags, send, receive, NULL, milliseconds);
}

/* ---------------------------------------------------------------------------------------------- server */

static unsigned int datagrams;

/* what the server does with a request; FALSE: it keeps it without an answer */
static BOOL answer(struct message *message)
{
    char text[200];

    if (!strcmp(message->text, "hold"))
        return FALSE;
    if (!strcmp(message->text, "count"))
        snprintf(text, sizeof(text), "%u", datagrams);
    else
    {
        snprintf(text, sizeof(text), "%s", message->text);
        CharUpperA(text);
    }
    set_text(message, text);
    return TRUE;
}

/* the context of the connection, which comes with each of its messages, is where its handle is */
static void accept_client(HANDLE port, struct message *message)
{
    BOOL accept = message->header.u1.s1.DataLength == 0 || strcmp(message->text, "refuse me");
    HANDLE *client = malloc(sizeof(*client)), ignored;

    set_text(message, accept ? "welcome" : "go away");
    check("NtAlpcAcceptConnectPort", NtAlpcAcceptConnectPort(accept && client ? client : &ignored, port, 0, NULL, NULL,
                                                             client, &message->header, NULL, accept && client));
    if (!accept)
        free(client);
}

static void close_client(ALPC_MESSAGE_ATTRIBUTES *attributes)
{
    const ALPC_CONTEXT_ATTR *context = AlpcGetMessageAttribute(attributes, ALPC_MESSAGE_CONTEXT_ATTRIBUTE);
    HANDLE *client = context->PortContext;

    NtClose(*client);
    free(client);
}

static void serve(const UNICODE_STRING *name)
{
    OBJECT_ATTRIBUTES object;
    struct
    {
        ALPC_MESSAGE_ATTRIBUTES header;
        ALPC_CONTEXT_ATTR context;
    } attributes;
    struct message message, *reply = NULL;
    BOOL quit = FALSE;
    SIZE_T size;
    HANDLE port;

    InitializeObjectAttributes(&object, (UNICODE_STRING *)name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    check("NtAlpcCreatePort", NtAlpcCreatePort(&port, &object, NULL));
    check(
        "AlpcInitializeMessageAttribute",
        AlpcInitializeMessageAttribute(ALPC_MESSAGE_CONTEXT_ATTRIBUTE, &attributes.header, sizeof(attributes), &size));
    while (!quit)
    {
        /* sends the last answer and waits for the next message in one call */
        NTSTATUS status = exchange_ex(port, ALPC_MSGFLG_RELEASE_MESSAGE, reply, &message, &attributes.header, 60000);

        if (status)
            break;
        reply = NULL;
        switch (message.header.u2.s2.Type & 0xff)
        {
        case LPC_CONNECTION_REQUEST:
            accept_client(port, &message);
            break;
        case LPC_PORT_CLOSED:
            close_client(&attributes.header);
            break;
        case LPC_REQUEST:
            quit = !strcmp(message.text, "quit");
            if (answer(&message))
                reply = &message;
            break;
        case LPC_DATAGRAM:
            datagrams++;
            break;
        }
    }
    if (reply)
        exchange(port, ALPC_MSGFLG_RELEASE_MESSAGE, reply, NULL, 0);
}

/* ---------------------------------------------------------------------------------------------- clients */

static NTSTATUS connect_to(const UNICODE_STRING *name, const char *text, HANDLE *port, struct message *message)
{
    LARGE_INTEGER timeout = { .QuadPart = -100000000 };
    NTSTATUS status;
    SIZE_T size;
    int tries;

    /* the server may be starting still */
    for (tries = 0; tries < 500; tries++)
    {
        memset(message, 0, sizeof(*message));
        set_text(message, text);
        size = sizeof(*message);
        status = NtAlpcConnectPort(port, (UNICODE_STRING *)name, NULL, NULL, ALPC_MSGFLG_SYNC_REQUEST, NULL,
                                   &message->header, &size, NULL, NULL, &timeout);
        if (status != STATUS_OBJECT_NAME_NOT_FOUND)
            break;
        Sleep(10);
    }
    return status;
}

static void request(HANDLE port, const char *text, struct message *message)
{
    memset(message, 0, sizeof(*message));
    set_text(message, text);
    check("request", exchange(port, ALPC_MSGFLG_SYNC_REQUEST, message, message, 10000));
}

static void send_datagrams(HANDLE port, int count)
{
    struct message message;
    int i;

    for (i = 0; i < count; i++)
    {
        memset(&message, 0, sizeof(message));
        set_text(&message, "a datagram");
        check("datagram", exchange(port, ALPC_MSGFLG_RELEASE_MESSAGE, &message, NULL, 0));
    }
    request(port, "count", &message);
    printf("sent %d datagrams, the server has received %s\n", count, message.text);
}

static void send_asynchronous(HANDLE port, int count)
{
    struct message message;
    int i, answers = 0;
    char text[32];

    for (i = 0; i < count; i++)
    {
        memset(&message, 0, sizeof(message));
        snprintf(text, sizeof(text), "job %d", i);
        set_text(&message, text);
        check("asynchronous request", exchange(port, 0, &message, NULL, 0));
    }
    while (answers < count && !exchange(port, 0, NULL, &message, 10000))
        answers += (message.header.u2.s2.Type & 0xff) == LPC_REPLY;
    printf("sent %d requests without waiting, then collected %d answers, the last is \"%s\"\n", count, answers,
           message.text);
}

static void hold(HANDLE port)
{
    struct message message;

    memset(&message, 0, sizeof(message));
    set_text(&message, "hold");
    check("request", exchange(port, 0, &message, NULL, 0));
    getchar();
}

static const char usage[] =
    "usage: demo server | request TEXT | datagrams COUNT | async COUNT | refused | hold | quit\n";

int main(int argc, char **argv)
{
    static const char *const roles[] = { "server", "request", "datagrams", "async", "refused", "hold", "quit" };
    const char *role = argc > 1 ? argv[1] : "";
    struct message message;
    UNICODE_STRING name;
    NTSTATUS status;
    HANDLE port;
    size_t i;

    for (i = 0; i < sizeof(roles) / sizeof(roles[0]) && strcmp(role, roles[i]); i++)
        ;
    if (i == sizeof(roles) / sizeof(roles[0]))
    {
        fputs(usage, stderr);
        return 1;
    }
    RtlInitUnicodeString(&name, L"\\RPC Control\\demo");
    setvbuf(stdout, NULL, _IONBF, 0);
    if (!strcmp(role, "server"))
    {
        serve(&name);
        return 0;
    }
    status = connect_to(&name, !strcmp(role, "refused") ? "refuse me" : "hello", &port, &message);
    if (status == STATUS_OBJECT_NAME_NOT_FOUND)
    {
        printf("there is no server: start one with demo.exe server\n");
        return 1;
    }
    if (!strcmp(role, "refused"))
    {
        if (status != STATUS_PORT_CONNECTION_REFUSED)
            check("NtAlpcConnectPort, which is to be refused,", status ? status : STATUS_UNSUCCESSFUL);
        printf("asked for a connection: STATUS_PORT_CONNECTION_REFUSED, the server says \"%s\"\n", message.text);
        return 0;
    }
    check("NtAlpcConnectPort", status);
    printf("connected to process %lu, which says \"%s\"\n",
           (unsigned long)(ULONG_PTR)message.header.ClientId.UniqueProcess, message.text);
    if (!strcmp(role, "request"))
    {
        request(port, argc > 2 ? argv[2] : "hello", &message);
        printf("asked \"%s\", got \"%s\" back\n", argc > 2 ? argv[2] : "hello", message.text);
    }
    else if (!strcmp(role, "datagrams"))
        send_datagrams(port, argc > 2 ? atoi(argv[2]) : 1000);
    else if (!strcmp(role, "async"))
        send_asynchronous(port, argc > 2 ? atoi(argv[2]) : 100);
    else if (!strcmp(role, "hold"))
        hold(port);
    else if (!strcmp(role, "quit"))
        request(port, "quit", &message);
    return 0;
}
