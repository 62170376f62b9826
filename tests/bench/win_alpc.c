/*
 * Benchmark: ALPC between two programs
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "win.h"

#include <stdlib.h>
#include <string.h>
#include <winternl.h>

#include "ntalpc/status.h"
#include "ntlpcapi.h"

union message
{
    PORT_MESSAGE header;
    char buffer[BENCH_BUFFER];
};

C_ASSERT(sizeof(PORT_MESSAGE) == BENCH_HEADER);

static void check(NTSTATUS status, const char *what)
{
    SetLastError((DWORD)status);
    require(status >= 0 && status != STATUS_TIMEOUT, what);
}

static void port_name(UNICODE_STRING *name)
{
    static WCHAR buffer[MAX_PATH];

    MultiByteToWideChar(CP_ACP, 0, named("\\RPC Control\\bench-"), -1, buffer, MAX_PATH);
    RtlInitUnicodeString(name, buffer);
}

/* ---------------------------------------------------------------------------------------------- server */

struct attributes
{
    ALPC_MESSAGE_ATTRIBUTES header;
    ALPC_CONTEXT_ATTR context;
};

struct client
{
    HANDLE port;
};

static void accept_client(HANDLE port, PORT_MESSAGE *request)
{
    struct client *client = calloc(1, sizeof(*client));

    check(NtAlpcAcceptConnectPort(&client->port, port, 0, NULL, NULL, client, request, NULL, TRUE), "accept");
}

static void forget_client(struct client *client)
{
    NtClose(client->port);
    free(client);
}

void serve_alpc(void)
{
    static _Alignas(4096) union message message;
    struct attributes attributes = { .header = { .AllocatedAttributes = ALPC_MESSAGE_CONTEXT_ATTRIBUTE } };
    PORT_MESSAGE *reply = NULL;
    OBJECT_ATTRIBUTES object;
    UNICODE_STRING name;
    HANDLE port;

    port_name(&name);
    InitializeObjectAttributes(&object, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    check(NtAlpcCreatePort(&port, &object, NULL), "NtAlpcCreatePort");
    serving();
    for (;;)
    {
        SIZE_T size = sizeof(message);

        /* answers the last request and waits for the next message in one call */
        check(NtAlpcSendWaitReceivePort(port, ALPC_MSGFLG_RELEASE_MESSAGE, reply, NULL, &message.header, &size,
                                        &attributes.header, NULL),
              "server");
        reply = NULL;
        switch (message.header.u2.s2.Type & 0xff)
        {
        case LPC_REQUEST:
            reply = &message.header;
            break;
        case LPC_CONNECTION_REQUEST:
            accept_client(port, &message.header);
            break;
        case LPC_PORT_CLOSED:
            forget_client(attributes.context.PortContext);
            break;
        }
    }
}

/* ---------------------------------------------------------------------------------------------- client */

static _Alignas(4096) union message message;

static HANDLE connect_port(void)
{
    UNICODE_STRING name;
    HANDLE port;

    port_name(&name);
    check(NtAlpcConnectPort(&port, &name, NULL, NULL, ALPC_MSGFLG_SYNC_REQUEST, NULL, NULL, NULL, NULL, NULL, NULL),
          "connect");
    return port;
}

static HANDLE own_port(void)
{
    static HANDLE port;

    if (!port)
        port = connect_port();
    return port;
}

static void set_size(unsigned int size)
{
    memset(&message.header, 0, sizeof(message.header));
    message.header.u1.Length = size | (ULONG)(sizeof(PORT_MESSAGE) + size) << 16;
}

static void request(HANDLE port)
{
    SIZE_T size = sizeof(message);

    message.header.MessageId = 0;
    message.header.CallbackId = 0;
    check(NtAlpcSendWaitReceivePort(port, ALPC_MSGFLG_SYNC_REQUEST, &message.header, NULL, &message.header, &size, NULL,
                                    NULL),
          "request");
}

void call_alpc(unsigned int size, unsigned int count)
{
    HANDLE port = own_port();

    set_size(size);
    while (count--)
        request(port);
}

void call_alpc_nothing(unsigned int size, unsigned int count)
{
    HANDLE port = own_port();

    (void)size;
    for (count *= 2; count; count--)
        check(NtAlpcSendWaitReceivePort(port, 0, NULL, NULL, NULL, NULL, NULL, NULL), "nothing");
}

/* the request at the end is answered when all that was sent before it has been received */
void call_alpc_datagrams(unsigned int size, unsigned int count)
{
    HANDLE port = own_port();

    set_size(size);
    while (count)
    {
        NTSTATUS status =
            NtAlpcSendWaitReceivePort(port, ALPC_MSGFLG_RELEASE_MESSAGE, &message.header, NULL, NULL, NULL, NULL, NULL);

        if (status != STATUS_INSUFFICIENT_RESOURCES) /* the server is far behind: again */
        {
            check(status, "datagram");
            count--;
        }
    }
    request(port);
}

void call_alpc_connect(unsigned int size, unsigned int count)
{
    (void)size;
    while (count--)
        check(NtClose(connect_port()), "close");
}

/* ---------------------------------------------------------------------------------------------- many connections */

static HANDLE *held;
static unsigned int held_count;

void call_alpc_hold(unsigned int size, unsigned int count)
{
    (void)size;
    held = realloc(held, count * sizeof(*held));
    require(held != NULL, "memory");
    while (held_count < count)
        held[held_count++] = connect_port();
}

void call_alpc_robin(unsigned int size, unsigned int count)
{
    static unsigned int next;

    require(held_count, "no connections");
    set_size(size);
    while (count--)
    {
        if (next >= held_count)
            next = 0;
        request(held[next++]);
    }
}
