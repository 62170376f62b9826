/*
 * Benchmark: what Wine itself offers
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "win.h"

static _Alignas(4096) char buffer[BENCH_BUFFER];

/* ---------------------------------------------------------------------------------------------- message pipes */

static const char pipe_prefix[] = "\\\\.\\pipe\\bench-";
static const char connect_prefix[] = "\\\\.\\pipe\\bench-connect-";

static HANDLE make_pipe(const char *name)
{
    HANDLE pipe = CreateNamedPipeA(name, PIPE_ACCESS_DUPLEX, PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_WAIT,
                                   PIPE_UNLIMITED_INSTANCES, BENCH_BUFFER, BENCH_BUFFER, 0, NULL);

    require(pipe != INVALID_HANDLE_VALUE, "CreateNamedPipe");
    return pipe;
}

/* a message of one byte is not answered: it is a datagram */
void serve_pipe(void)
{
    static _Alignas(4096) char message[BENCH_BUFFER];
    HANDLE pipe = make_pipe(named(pipe_prefix));
    DWORD size;

    serving();
    for (;;)
    {
        require(ConnectNamedPipe(pipe, NULL) || GetLastError() == ERROR_PIPE_CONNECTED, "ConnectNamedPipe");
        while (ReadFile(pipe, message, sizeof(message), &size, NULL))
            if (!message[0])
                require(WriteFile(pipe, message, size, &size, NULL), "WriteFile");
        DisconnectNamedPipe(pipe);
    }
}

static HANDLE open_pipe(const char *name)
{
    HANDLE pipe;

    while ((pipe = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL)) ==
           INVALID_HANDLE_VALUE)
    {
        require(GetLastError() == ERROR_PIPE_BUSY, name);
        WaitNamedPipeA(name, NMPWAIT_WAIT_FOREVER);
    }
    return pipe;
}

static HANDLE own_pipe(void)
{
    DWORD mode = PIPE_READMODE_MESSAGE;
    static HANDLE pipe;

    if (!pipe)
    {
        pipe = open_pipe(named(pipe_prefix));
        require(SetNamedPipeHandleState(pipe, &mode, NULL, NULL), "SetNamedPipeHandleState");
    }
    return pipe;
}

static void write_and_read(HANDLE pipe, unsigned int size)
{
    DWORD done;

    require(WriteFile(pipe, buffer, size, &done, NULL) && ReadFile(pipe, buffer, sizeof(buffer), &done, NULL), "pipe");
}

void call_pipe(unsigned int size, unsigned int count)
{
    HANDLE pipe = own_pipe();

    buffer[0] = 0;
    while (count--)
        write_and_read(pipe, size);
}

void call_pipe_transact(unsigned int size, unsigned int count)
{
    HANDLE pipe = own_pipe();
    DWORD done;

    buffer[0] = 0;
    while (count--)
        require(TransactNamedPipe(pipe, buffer, size, buffer, sizeof(buffer), &done, NULL), "TransactNamedPipe");
}

void call_pipe_datagrams(unsigned int size, unsigned int count)
{
    HANDLE pipe = own_pipe();
    DWORD done;

    buffer[0] = 1;
    while (count--)
        require(WriteFile(pipe, buffer, size, &done, NULL), "pipe");
    buffer[0] = 0;
    write_and_read(pipe, size);
}

/* two threads, each with an instance of its own, so that a client seldom has to wait for one */
static DWORD WINAPI disconnect_clients(void *pipe)
{
    for (;;)
    {
        require(ConnectNamedPipe(pipe, NULL) || GetLastError() == ERROR_PIPE_CONNECTED ||
                    GetLastError() == ERROR_NO_DATA,
                "ConnectNamedPipe");
        DisconnectNamedPipe(pipe);
    }
    return 0;
}

void serve_pipe_connect(void)
{
    HANDLE first = make_pipe(named(connect_prefix)), second = make_pipe(named(connect_prefix));

    CreateThread(NULL, 0, disconnect_clients, first, 0, NULL);
    serving();
    disconnect_clients(second);
}

void call_pipe_connect(unsigned int size, unsigned int count)
{
    const char *name = named(connect_prefix);

    (void)size;
    while (count--)
        CloseHandle(open_pipe(name));
}

/* ---------------------------------------------------------------------------------------------- events */

static HANDLE event(const char *prefix)
{
    HANDLE handle = CreateEventA(NULL, FALSE, FALSE, named(prefix));

    require(handle != NULL, "CreateEvent");
    return handle;
}

void serve_event(void)
{
    HANDLE ping = event("bench-ping-"), pong = event("bench-pong-");

    serving();
    for (;;)
        require(WaitForSingleObject(ping, INFINITE) == WAIT_OBJECT_0 && SetEvent(pong), "event");
}

void call_event(unsigned int size, unsigned int count)
{
    static HANDLE ping, pong;

    (void)size;
    if (!ping)
    {
        ping = event("bench-ping-");
        pong = event("bench-pong-");
    }
    while (count--)
        require(SetEvent(ping) && WaitForSingleObject(pong, INFINITE) == WAIT_OBJECT_0, "event");
}
