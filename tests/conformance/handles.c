/*
 * Port handles are handles [alpc.md 1.2, 3.8, 4.1, 4.11, 7 #40 to #42]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A port lives as long as there is a handle to it, in whatever process.  Not here: waiting on a handle [4.15].
 */

#include "objects.h"

#include <wchar.h>

#ifndef STATUS_HANDLE_NOT_CLOSABLE /* not where the other statuses are */
#define STATUS_HANDLE_NOT_CLOSABLE ((NTSTATUS)0xC0000235)
#endif

/* ---------------------------------------------------------------------------------------------- helpers */

static HANDLE duplicate(HANDLE from, HANDLE handle, HANDLE to, DWORD options)
{
    HANDLE copy = NULL;

    ok(DuplicateHandle(from, handle, to, &copy, 0, FALSE, options | DUPLICATE_SAME_ACCESS), "cannot duplicate: %lu\n",
       GetLastError());
    return copy;
}

static HANDLE duplicate_here(HANDLE handle)
{
    return duplicate(GetCurrentProcess(), handle, GetCurrentProcess(), 0);
}

/* a handle of an agent's for the test's own process; the other way round */
static HANDLE copy_from(const struct agent *agent, HANDLE handle)
{
    return duplicate(agent_process_handle(agent), handle, GetCurrentProcess(), 0);
}

static HANDLE copy_to(const struct agent *agent, HANDLE handle)
{
    return duplicate(GetCurrentProcess(), handle, agent_process_handle(agent), 0);
}

/* what a port call of the agent says of a handle */
static NTSTATUS status_at(struct agent *agent, HANDLE handle)
{
    prepare(agent)->port = handle;
    return perform(agent, call_query_basic);
}

/* the end of a connection is told once; that is all */
static void expect_closed_(int line, struct agent *agent, HANDLE port)
{
    NTSTATUS status = receive(agent, port);

    ok_(__FILE__, line)(!status && (USHORT)agent->call->receive.header.u2.s2.Type == LPC_PORT_CLOSED,
                        "[4.11] expected LPC_PORT_CLOSED: status %#lx, type %#x\n", status,
                        (USHORT)agent->call->receive.header.u2.s2.Type);
}
#define expect_closed(agent, port) expect_closed_(__LINE__, agent, port)

/* waits for what another process' end brings about */
static NTSTATUS connect_at_last(const WCHAR *name)
{
    DWORD begun = GetTickCount();
    NTSTATUS status;

    while ((status = try_connect_string(name)) != STATUS_OBJECT_NAME_NOT_FOUND && GetTickCount() - begun < HANG)
        Sleep(10);
    return status;
}

/* ---------------------------------------------------------------------------------------------- wrong handles */

static NTSTATUS query_basic(HANDLE handle)
{
    return port_status(handle);
}

static NTSTATUS query_session(HANDLE handle)
{
    ALPC_SERVER_SESSION_INFORMATION session;

    return NtAlpcQueryInformation(handle, AlpcServerSessionInformation, &session, sizeof(session), NULL);
}

static NTSTATUS disconnect_port(HANDLE handle)
{
    return NtAlpcDisconnectPort(handle, 0);
}

static NTSTATUS datagram(HANDLE handle)
{
    return send_datagram(handle, 1);
}

static NTSTATUS receive_message(HANDLE handle)
{
    struct message message;

    return receive_within(handle, 0, &message);
}

static NTSTATUS request(HANDLE handle)
{
    struct message message = { .header.u1.s1 = { 0, HEADER_SIZE } };
    LARGE_INTEGER timeout = { .QuadPart = MILLISECONDS(HANG) };
    SIZE_T size = sizeof(message);

    return NtAlpcSendWaitReceivePort(handle, ALPC_MSGFLG_SYNC_REQUEST, &message.header, NULL, &message.header, &size,
                                     NULL, &timeout);
}

static NTSTATUS accept_request(HANDLE handle)
{
    PORT_MESSAGE message = { .u1.s1 = { 0, HEADER_SIZE }, .MessageId = 1 };
    HANDLE port = UNTOUCHED_HANDLE;
    NTSTATUS status = NtAlpcAcceptConnectPort(&port, handle, 0, NULL, NULL, NULL, &message, NULL, TRUE);

    ok(port == UNTOUCHED_HANDLE, "[1.3] NtAlpcAcceptConnectPort failed with %#lx and wrote %p\n", status, port);
    return status;
}

static NTSTATUS refuse_request(HANDLE handle)
{
    PORT_MESSAGE message = { .u1.s1 = { 0, HEADER_SIZE }, .MessageId = 1 };
    HANDLE port = UNTOUCHED_HANDLE;

    return NtAlpcAcceptConnectPort(&port, handle, 0, NULL, NULL, NULL, &message, NULL, FALSE);
}

static const struct
{
    const char *name;
    NTSTATUS (*call)(HANDLE handle);
} port_calls[] = {
    { "basic query", query_basic }, { "session query", query_session }, { "disconnect", disconnect_port },
    { "datagram", datagram },       { "receive", receive_message },     { "request", request },
    { "accept", accept_request },   { "refuse", refuse_request },
};

static void check_wrong_(int line, HANDLE handle, const char *what, NTSTATUS expected)
{
    NTSTATUS status;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(port_calls); i++)
    {
        status = port_calls[i].call(handle);
        ok_(__FILE__, line)(status == expected, "[1.2] %s with %s: %#lx instead of %#lx\n", port_calls[i].name, what,
                            status, expected);
    }
}
#define check_wrong(handle, what, expected) check_wrong_(__LINE__, handle, what, expected)

static void check_type(HANDLE handle, const char *type)
{
    ok(handle && handle != INVALID_HANDLE_VALUE, "no handle of a %s: %lu\n", type, GetLastError());
    check_wrong(handle, type, STATUS_OBJECT_TYPE_MISMATCH);
    /* a second time, when the handle has been seen */
    check_wrong(handle, type, STATUS_OBJECT_TYPE_MISMATCH);
    ok(CloseHandle(handle), "the handle of a %s has gone\n", type);
}

static void test_other_types(void)
{
    LARGE_INTEGER size = { .QuadPart = 0x1000 };
    WCHAR path[MAX_PATH], directory[MAX_PATH];
    HANDLE handle, other;
    HKEY key;

    check_type(CreateEventW(NULL, FALSE, FALSE, NULL), "event");
    check_type(CreateSemaphoreW(NULL, 0, 1, NULL), "semaphore");
    check_type(CreateMutexW(NULL, FALSE, NULL), "mutex");
    check_type(CreateWaitableTimerW(NULL, FALSE, NULL), "timer");
    check_type(CreateJobObjectW(NULL, NULL), "job");
    NtCreateIoCompletion(&handle, IO_COMPLETION_ALL_ACCESS, NULL, 0);
    check_type(handle, "completion port");
    NtCreateSection(&handle, SECTION_ALL_ACCESS, NULL, &size, PAGE_READWRITE, SEC_COMMIT, NULL);
    check_type(handle, "section");
    check_type(make_directory(NULL, NULL), "directory object");
    OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &handle);
    check_type(handle, "token");
    check_type(OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, GetCurrentProcessId()), "process");
    check_type(OpenThread(THREAD_QUERY_INFORMATION, FALSE, GetCurrentThreadId()), "thread");
    RegOpenKeyExW(HKEY_CURRENT_USER, L"Software", 0, KEY_READ, &key);
    check_type((HANDLE)key, "key");

    /* what is closest to what a port's handle is made of */
    GetTempPathW(ARRAY_SIZE(directory), directory);
    GetTempFileNameW(directory, L"alp", 0, path);
    check_type(CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL), "file");
    check_type(CreateFileW(path, GENERIC_READ | DELETE, 7, NULL, OPEN_EXISTING, FILE_FLAG_DELETE_ON_CLOSE, NULL),
               "file that is being deleted");
    check_type(CreateFileW(directory, GENERIC_READ, 7, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL),
               "folder");
    CreatePipe(&handle, &other, NULL, 0);
    check_type(handle, "pipe");
    check_type(other, "pipe");

    check_wrong(GetCurrentProcess(), "the current process", STATUS_OBJECT_TYPE_MISMATCH);
    check_wrong(GetCurrentThread(), "the current thread", STATUS_OBJECT_TYPE_MISMATCH);
}

static void test_no_handles(void)
{
    HANDLE closed, event;

    check_wrong(NULL, "NULL", STATUS_INVALID_HANDLE);
    check_wrong((HANDLE)(ULONG_PTR)0xdeadbee0, "a value of nothing", STATUS_INVALID_HANDLE);
    check_wrong((HANDLE)(ULONG_PTR)0x3ffffc, "a value of nothing", STATUS_INVALID_HANDLE);
    check_wrong((HANDLE)(ULONG_PTR)0x7ffffffc, "a value of nothing", STATUS_INVALID_HANDLE);
    check_wrong((HANDLE)(LONG_PTR)-0x1000, "a value of nothing", STATUS_INVALID_HANDLE);
    check_wrong(UNTOUCHED_HANDLE, "a value of nothing", STATUS_INVALID_HANDLE);
#ifdef _WIN64
    check_wrong((HANDLE)((ULONG_PTR)1 << 40), "a value of nothing", STATUS_INVALID_HANDLE);
#endif

    closed = create_named(NULL);
    NtClose(closed);
    check_wrong(closed, "a port that is closed", STATUS_INVALID_HANDLE);
    ok_status("1.2", NtClose(closed), STATUS_INVALID_HANDLE);
    NtCreateEvent(&event, EVENT_ALL_ACCESS, NULL, 0, FALSE);
    NtClose(event);
    check_wrong(event, "an event that is closed", STATUS_INVALID_HANDLE);
}

/* the same value names one thing and then another */
static void test_reuse(void)
{
    HANDLE port, event, again;
    unsigned int i;

    for (i = 0; i < 20; i++)
    {
        port = create_named(NULL);
        ok_status("1.2", port_status(port), STATUS_SUCCESS);
        NtClose(port);
        NtCreateEvent(&event, EVENT_ALL_ACCESS, NULL, 0, FALSE);
        ok_status("1.2", port_status(event), STATUS_OBJECT_TYPE_MISMATCH);
        NtClose(event);
        again = create_named(NULL);
        ok_status("1.2", port_status(again), STATUS_SUCCESS);
        NtClose(again);
        if (event != port || again != port)
            continue;
        /* a different port, which must not be taken for the first */
        ok_status("1.2", port_status(again), STATUS_INVALID_HANDLE);
    }
}

/* ---------------------------------------------------------------------------------------------- closing */

static void test_close(void)
{
    ULONG before = count_handles(), i;
    struct ports ports;
    HANDLE copies[64];
    DWORD flags;

    open_ports(&ports);
    ok(!((ULONG_PTR)ports.connection & 3) && !((ULONG_PTR)ports.server & 3) && !((ULONG_PTR)ports.client & 3),
       "handles are multiples of 4: %p, %p, %p\n", ports.connection, ports.server, ports.client);
    ok(GetHandleInformation(ports.connection, &flags) && !flags, "handle flags %#lx\n", flags);
    /* the lowest two bits belong to the program */
    ok_status("1.2", port_status((HANDLE)((ULONG_PTR)ports.connection | 1)), STATUS_SUCCESS);
    ok_status("1.2", port_status((HANDLE)((ULONG_PTR)ports.client | 3)), STATUS_SUCCESS);

    for (i = 0; i < ARRAY_SIZE(copies); i++)
        copies[i] = duplicate_here(i % 3 == 0 ? ports.connection : i % 3 == 1 ? ports.server : ports.client);
    ok(count_handles() >= before + 3 + ARRAY_SIZE(copies), "%lu handles, %lu before\n", count_handles(), before);
    for (i = 0; i < ARRAY_SIZE(copies); i++)
        ok_status("4.1", NtClose(copies[i]), STATUS_SUCCESS);
    ok_status("4.1", port_status(ports.connection), STATUS_SUCCESS);
    close_ports(&ports);
    ok(count_handles() == before, "%lu handles, %lu before\n", count_handles(), before);
}

static void test_protected(void)
{
    WCHAR name[80];
    HANDLE port;
    DWORD flags = 0;

    wcscpy(name, new_name());
    port = create_named(NAMED(NULL, name, 0));
    ok(SetHandleInformation(port, HANDLE_FLAG_PROTECT_FROM_CLOSE, HANDLE_FLAG_PROTECT_FROM_CLOSE), "error %lu\n",
       GetLastError());
    ok(GetHandleInformation(port, &flags) && flags == HANDLE_FLAG_PROTECT_FROM_CLOSE, "handle flags %#lx\n", flags);
    ok_status("4.1", NtClose(port), STATUS_HANDLE_NOT_CLOSABLE);
    ok_status("4.1", port_status(port), STATUS_SUCCESS);
    ok_status("4.2", try_connect_string(name), STATUS_SUCCESS);
    ok(SetHandleInformation(port, HANDLE_FLAG_PROTECT_FROM_CLOSE, 0), "error %lu\n", GetLastError());
    ok_status("4.1", NtClose(port), STATUS_SUCCESS);
    ok_status("4.2", try_connect_string(name), STATUS_OBJECT_NAME_NOT_FOUND);
}

/* ---------------------------------------------------------------------------------------------- duplicates */

static void test_duplicate(void)
{
    struct ports ports;
    struct message message;
    HANDLE copy, other;
    NTSTATUS status;

    open_ports(&ports);
    /* two handles, one queue */
    copy = duplicate_here(ports.connection);
    ok(copy != ports.connection, "a duplicate is no other handle\n");
    ok(access_of(copy) == PORT_ALL_ACCESS, "[3.8] access %#lx\n", access_of(copy));
    ok_status("4.1", send_datagram(ports.client, 1), STATUS_SUCCESS);
    ok_status("4.1", receive_within(copy, HANG, &message), STATUS_SUCCESS);
    expect_no_message(ports.connection, "4.1");

    /* the copy of a communication port */
    other = duplicate_here(ports.client);
    ok_status("4.1", send_datagram(other, 2), STATUS_SUCCESS);
    expect_type(ports.connection, "4.1", LPC_DATAGRAM);
    NtClose(other);
    other = duplicate_here(ports.server);
    ok_status("4.1", send_datagram(other, 3), STATUS_SUCCESS);
    expect_type(ports.client, "4.1", LPC_DATAGRAM);
    NtClose(other);
    /* a copy of the copy, and the first is closed */
    other = duplicate_here(copy);
    NtClose(ports.connection);
    NtClose(copy);
    ports.connection = other;
    ok_status("4.1", send_datagram(ports.client, 4), STATUS_SUCCESS);
    expect_type(ports.connection, "4.1", LPC_DATAGRAM);

    /* moved */
    copy = duplicate(GetCurrentProcess(), ports.connection, GetCurrentProcess(), DUPLICATE_CLOSE_SOURCE);
    if (copy != ports.connection)
        ok_status("1.2", port_status(ports.connection), STATUS_INVALID_HANDLE);
    ports.connection = copy;
    ok_status("4.1", port_status(copy), STATUS_SUCCESS);
    expect_no_message(ports.connection, "4.1");

    /* closed that way */
    copy = duplicate_here(ports.connection);
    NtCreateEvent(&other, EVENT_ALL_ACCESS, NULL, 0, FALSE);
    status = NtDuplicateObject(GetCurrentProcess(), other, NULL, NULL, 0, 0, DUPLICATE_CLOSE_SOURCE);
    ok_status("4.1", NtDuplicateObject(GetCurrentProcess(), copy, NULL, NULL, 0, 0, DUPLICATE_CLOSE_SOURCE), status);
    ok_status("1.2", port_status(copy), STATUS_INVALID_HANDLE);
    ok_status("4.1", port_status(ports.connection), STATUS_SUCCESS);

    /* failures leave the source alone, unless it was to be closed */
    status = NtDuplicateObject(GetCurrentProcess(), ports.client, (HANDLE)(ULONG_PTR)0xdeadbee0, &other, 0, 0,
                               DUPLICATE_SAME_ACCESS);
    ok(status < 0, "[4.1] duplicated into nothing: %#lx\n", status);
    ok_status("4.1", port_status(ports.client), STATUS_SUCCESS);
    close_ports(&ports);
}

/* [7 #41] the access is that of the duplicate; the port calls do not look at it */
static void test_access(void)
{
    static const ACCESS_MASK masks[] = { PORT_CONNECT, READ_CONTROL, SYNCHRONIZE, PORT_ALL_ACCESS, 0 };
    struct ports ports;
    HANDLE copy;
    unsigned int i;

    open_ports(&ports);
    ok(access_of(ports.connection) == PORT_ALL_ACCESS, "[3.8] connection port: %#lx\n", access_of(ports.connection));
    ok(access_of(ports.server) == PORT_ALL_ACCESS, "[3.8] server's port: %#lx\n", access_of(ports.server));
    ok(access_of(ports.client) == PORT_ALL_ACCESS, "[3.8] client's port: %#lx\n", access_of(ports.client));
    for (i = 0; i < ARRAY_SIZE(masks); i++)
    {
        winetest_push_context("access %#lx", masks[i]);
        ok(DuplicateHandle(GetCurrentProcess(), ports.client, GetCurrentProcess(), &copy, masks[i], FALSE, 0),
           "error %lu\n", GetLastError());
        ok(access_of(copy) == masks[i], "[3.8] access %#lx\n", access_of(copy));
        ok_status("7 #41", send_datagram(copy, i), STATUS_SUCCESS);
        expect_type(ports.connection, "7 #41", LPC_DATAGRAM);
        NtClose(copy);
        winetest_pop_context();
    }
    close_ports(&ports);
}

/* ---------------------------------------------------------------------------------------------- lifetime */

static void test_client_copy(struct agent *server, struct agent *client)
{
    struct connected c;
    ULONG value = 7;
    HANDLE copy;

    open_connection(&c, server, client);
    copy = copy_from(client, c.port);
    close_handle(client, c.port);
    ok_status("1.2", status_at(client, c.port), STATUS_INVALID_HANDLE);
    expect_nothing(server, c.listening, "4.11");
    ok_status("7 #40", send_datagram(copy, value), STATUS_SUCCESS);
    expect(server, c.listening, "7 #40", LPC_DATAGRAM, &value, sizeof(value));
    ok_status("4.1", send_message(server, c.comm, ALPC_MSGFLG_RELEASE_MESSAGE, &value, sizeof(value)), STATUS_SUCCESS);
    expect_type(copy, "7 #40", LPC_DATAGRAM);
    NtClose(copy);
    expect_closed(server, c.listening);
    expect_nothing(server, c.listening, "4.11");
    c.port = NULL;
    close_connection(&c);
}

static void test_server_copy(struct agent *server, struct agent *client)
{
    struct connected c;
    ULONG value = 8;
    HANDLE copy;

    open_connection(&c, server, client);
    copy = copy_from(server, c.comm);
    close_handle(server, c.comm);
    expect_nothing(client, c.port, "4.11");
    ok_status("7 #40", send_datagram(copy, value), STATUS_SUCCESS);
    expect(client, c.port, "7 #40", LPC_DATAGRAM, &value, sizeof(value));
    ok_status("4.1", send_message(client, c.port, ALPC_MSGFLG_RELEASE_MESSAGE, &value, sizeof(value)), STATUS_SUCCESS);
    expect(server, c.listening, "4.1", LPC_DATAGRAM, &value, sizeof(value));
    NtClose(copy);
    expect_closed(client, c.port);
    ok_status("7 #9", receive_now(client, c.port), STATUS_PORT_DISCONNECTED);
    c.comm = NULL;
    close_connection(&c);
}

static void test_connection_port_copy(struct agent *server, struct agent *client)
{
    struct connected c;
    struct message message;
    ULONG value = 9;
    HANDLE copy;

    open_connection(&c, server, client);
    copy = copy_from(server, c.listening);
    close_handle(server, c.listening);
    c.listening = NULL;
    expect_nothing(client, c.port, "4.11");
    ok_status("4.1", send_message(client, c.port, ALPC_MSGFLG_RELEASE_MESSAGE, &value, sizeof(value)), STATUS_SUCCESS);
    ok_status("7 #40", receive_within(copy, HANG, &message), STATUS_SUCCESS);
    ok(message.header.u2.s2.Type == LPC_DATAGRAM && !memcmp(message.data, &value, sizeof(value)), "[7 #40] type %#x\n",
       message.header.u2.s2.Type);
    ok_status("4.2", try_connect_string(c.name), STATUS_SUCCESS);
    NtClose(copy);
    ok_status("4.2", try_connect_string(c.name), STATUS_OBJECT_NAME_NOT_FOUND);
    expect_closed(client, c.port);
    ok_status("4.11", send_message(client, c.port, ALPC_MSGFLG_RELEASE_MESSAGE, &value, sizeof(value)),
              STATUS_PORT_DISCONNECTED);
    close_connection(&c);
}

/* the handle goes while a thread receives through it: that ends with the port, not with the handle */
static void test_receiver(struct agent *server, struct agent *client)
{
    struct agent *other = agent_beside(client);
    struct connected c;
    HANDLE copy;

    open_connection(&c, server, client);
    begin_receive(client, c.port);
    ok(!finished(client, 100), "[4.4] nothing to receive: %#lx\n", client->call->status);
    copy = copy_from(client, c.port);
    close_handle(other, c.port);
    ok(!finished(client, 100), "[4.4] there is another handle: %#lx\n", client->call->status);
    NtClose(copy);
    ok_status("4.4", end(client), STATUS_PORT_CLOSED);
    expect_closed(server, c.listening);
    c.port = NULL;
    close_connection(&c);
    agent_stop(other);
}

static void test_kill_with_copies(void)
{
    struct agent *server = agent_process(), *client = agent_process();
    struct connected c;
    struct message message;
    HANDLE listening, comm, port;
    ULONG value = 10;

    /* the client is gone, its port is not */
    open_connection(&c, server, client);
    port = copy_from(client, c.port);
    agent_kill(client);
    expect_nothing(server, c.listening, "4.11");
    ok_status("4.1", send_datagram(port, value), STATUS_SUCCESS);
    expect(server, c.listening, "4.1", LPC_DATAGRAM, &value, sizeof(value));
    ok_status("4.1", send_message(server, c.comm, ALPC_MSGFLG_RELEASE_MESSAGE, &value, sizeof(value)), STATUS_SUCCESS);
    expect_type(port, "4.1", LPC_DATAGRAM);
    NtClose(port);
    expect_closed(server, c.listening);
    expect_nothing(server, c.listening, "4.11");
    c.port = NULL;
    close_connection(&c);

    /* the same for the server */
    client = agent_process();
    open_connection(&c, server, client);
    listening = copy_from(server, c.listening);
    comm = copy_from(server, c.comm);
    agent_kill(server);
    expect_nothing(client, c.port, "4.11");
    ok_status("4.1", send_message(client, c.port, ALPC_MSGFLG_RELEASE_MESSAGE, &value, sizeof(value)), STATUS_SUCCESS);
    ok_status("4.1", receive_within(listening, HANG, &message), STATUS_SUCCESS);
    ok_status("4.1", send_datagram(comm, value), STATUS_SUCCESS);
    expect(client, c.port, "4.1", LPC_DATAGRAM, &value, sizeof(value));
    NtClose(comm);
    expect_closed(client, c.port);
    NtClose(listening);
    ok_status("4.2", connect_at_last(c.name), STATUS_OBJECT_NAME_NOT_FOUND);
    close_handle(client, c.port);
    agent_stop(client);
}

static void test_kill(void)
{
    struct agent *server = agent_process(), *client = agent_process();
    struct connected c;

    open_connection(&c, server, client);
    agent_kill(client);
    expect_closed(server, c.listening);
    expect_nothing(server, c.listening, "4.11");
    c.port = NULL;
    close_connection(&c);

    client = agent_process();
    open_connection(&c, server, client);
    agent_kill(server);
    expect_closed(client, c.port);
    ok_status("4.2", connect_at_last(c.name), STATUS_OBJECT_NAME_NOT_FOUND);
    close_handle(client, c.port);
    agent_stop(client);
}

/* ---------------------------------------------------------------------------------------------- other processes */

static void call_create_event(struct call *call)
{
    call->status = NtCreateEvent(&call->handle, EVENT_ALL_ACCESS, NULL, 0, FALSE);
}

/* in a process that does not own it, a port sends and receives, but who accepts must be the owner [7 #40] */
static void test_foreign_port(void)
{
    struct agent *agent = agent_process();
    struct ports ports;
    struct message message;
    HANDLE copy, accepted, client;
    UNICODE_STRING string;
    ULONG value = 11;
    WCHAR name[80];

    wcscpy(name, new_name());
    open_ports_on(&ports, create_named(NAMED(NULL, name, 0)), name);
    copy = copy_to(agent, ports.connection);
    ok_status("7 #40", status_at(agent, copy), STATUS_SUCCESS);
    ok_status("7 #40", send_datagram(ports.client, value), STATUS_SUCCESS);
    expect(agent, copy, "7 #40", LPC_DATAGRAM, &value, sizeof(value));
    expect_no_message(ports.connection, "7 #40");

    /* a request for a connection, read there and accepted here */
    RtlInitUnicodeString(&string, name);
    ok_status("4.3", NtAlpcConnectPort(&client, &string, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL),
              STATUS_SUCCESS);
    ok_status("7 #40", receive(agent, copy), STATUS_SUCCESS);
    message.header = agent->call->receive.header;
    ok_status("1.3", accept_connection(agent, copy, &message.header, NULL, &accepted), STATUS_INVALID_PORT_HANDLE);
    ok(accepted == UNTOUCHED_HANDLE, "[1.3] a failing call wrote %p\n", accepted);
    accepted = NULL;
    ok_status("1.3",
              NtAlpcAcceptConnectPort(&accepted, ports.connection, 0, NULL, NULL, NULL, &message.header, NULL, TRUE),
              STATUS_SUCCESS);
    expect_type(client, "4.3", LPC_CONNECTION_REPLY);
    NtClose(client);
    expect_type(ports.connection, "4.11", LPC_PORT_CLOSED);
    NtClose(accepted);
    close_handle(agent, copy);

    /* a client's port: who asks in the other process gets the answer there */
    copy = copy_to(agent, ports.client);
    begin_request(agent, copy, &value, sizeof(value));
    ok_status("7 #40", receive_within(ports.connection, HANG, &message), STATUS_SUCCESS);
    ok(HandleToULong(message.header.ClientId.UniqueProcess) == agent->pid, "[4.4] sent by process %#lx, not %#lx\n",
       HandleToULong(message.header.ClientId.UniqueProcess), agent->pid);
    ok_status("7 #40",
              NtAlpcSendWaitReceivePort(ports.connection, ALPC_MSGFLG_RELEASE_MESSAGE, &message.header, NULL, NULL,
                                        NULL, NULL, NULL),
              STATUS_SUCCESS);
    ok_status("7 #40", end(agent), STATUS_SUCCESS);
    check_received(agent, "7 #40", LPC_REPLY, &value, sizeof(value));

    /* the last handle of this process goes, the connection does not */
    NtClose(ports.client);
    ports.client = NULL;
    expect_no_message(ports.connection, "4.11");
    close_handle(agent, copy);
    expect_type(ports.connection, "4.11", LPC_PORT_CLOSED);
    close_ports(&ports);
    agent_stop(agent);
}

/* handles that are closed or taken away from outside */
static void test_outside_close(void)
{
    struct agent *agent = agent_process(), *receiver;
    HANDLE process = agent_process_handle(agent), port, moved, event, back, other;
    struct connected c;
    WCHAR name[80];
    ULONG i;

    port = create_port(agent, new_name());
    ok_status("1.2", status_at(agent, port), STATUS_SUCCESS);
    moved = duplicate(process, port, GetCurrentProcess(), DUPLICATE_CLOSE_SOURCE);
    ok_status("1.2", status_at(agent, port), STATUS_INVALID_HANDLE);
    ok_status("4.1", port_status(moved), STATUS_SUCCESS);

    /* the value is free for something else there */
    for (i = 0; i < 10; i++)
    {
        prepare(agent);
        ok_status("1.2", perform(agent, call_create_event), STATUS_SUCCESS);
        event = agent->call->handle;
        ok_status("1.2", status_at(agent, event), STATUS_OBJECT_TYPE_MISMATCH);
        close_handle(agent, event);
        if (event == port)
            break;
    }
    /* and back */
    back = duplicate(GetCurrentProcess(), moved, process, DUPLICATE_CLOSE_SOURCE);
    ok_status("1.2", port_status(moved), STATUS_INVALID_HANDLE);
    ok_status("4.1", status_at(agent, back), STATUS_SUCCESS);
    /* replaced by another port, with the same value: nothing is told there */
    moved = duplicate(process, back, GetCurrentProcess(), DUPLICATE_CLOSE_SOURCE);
    wcscpy(name, new_name());
    port = create_named(NAMED(NULL, name, 0));
    other = copy_to(agent, port);
    ok(other == back, "another value, %p instead of %p: this tests nothing\n", other, back);
    ok_status("4.1", try_connect_string(name), STATUS_SUCCESS);
    NtClose(port);
    ok_status("4.1", status_at(agent, other), STATUS_SUCCESS);
    NtClose(moved);
    ok_status("4.1", try_connect_string(name), STATUS_SUCCESS);
    close_handle(agent, other);
    ok_status("4.1", try_connect_string(name), STATUS_OBJECT_NAME_NOT_FOUND);

    /* while it receives */
    receiver = agent_beside(agent);
    open_connection(&c, agent, receiver);
    begin_receive(receiver, c.port);
    ok(!finished(receiver, 100), "[4.4] nothing to receive: %#lx\n", receiver->call->status);
    NtClose(duplicate(process, c.port, GetCurrentProcess(), DUPLICATE_CLOSE_SOURCE));
    ok_status("4.4", end(receiver), STATUS_PORT_CLOSED);
    expect_closed(agent, c.listening);
    c.port = NULL;
    close_connection(&c);
    agent_stop(receiver);
    agent_stop(agent);
}

static void test_inheritance(void)
{
    WCHAR name[80];
    HANDLE inherited, kept, later, client;
    struct agent *heir, *stranger, *client_agent = agent_thread();
    DWORD flags = 0;

    wcscpy(name, new_name());
    inherited = create_named(NAMED(NULL, name, OBJ_INHERIT));
    kept = create_named(NULL);
    later = create_named(NULL);
    ok(GetHandleInformation(inherited, &flags) && flags == HANDLE_FLAG_INHERIT, "[7 #42] handle flags %#lx\n", flags);
    ok(GetHandleInformation(kept, &flags) && !flags, "[7 #42] handle flags %#lx\n", flags);
    ok(SetHandleInformation(later, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT), "error %lu\n", GetLastError());

    stranger = agent_process();
    ok(status_at(stranger, inherited) < 0, "[7 #42] inherited by a process that does not\n");
    agent_stop(stranger);
    heir = agent_heir();
    ok_status("7 #42", status_at(heir, inherited), STATUS_SUCCESS);
    ok_status("7 #42", status_at(heir, later), STATUS_SUCCESS);
    ok(status_at(heir, kept) < 0, "[7 #42] inherited without being asked for\n");

    /* the heir keeps it alive */
    NtClose(inherited);
    client = connect_async(client_agent, name, NULL, 0);
    expect(heir, inherited, "7 #42", LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED, NULL, 0);
    close_handle(client_agent, client);
    close_handle(heir, inherited);
    ok_status("4.2", try_connect_string(name), STATUS_OBJECT_NAME_NOT_FOUND);
    ok_status("4.1", port_status(later), STATUS_SUCCESS);
    agent_stop(heir);
    ok_status("4.1", port_status(later), STATUS_SUCCESS);
    NtClose(later);
    NtClose(kept);
    agent_stop(client_agent);
}

/* client and server communication ports too */
static void test_inherited_connection(void)
{
    struct ports ports;
    struct agent *heir;
    ULONG value = 12;

    open_ports(&ports);
    SetHandleInformation(ports.client, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    SetHandleInformation(ports.server, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    heir = agent_heir();
    NtClose(ports.client);
    ok_status("7 #42", send_message(heir, ports.client, ALPC_MSGFLG_RELEASE_MESSAGE, &value, sizeof(value)),
              STATUS_SUCCESS);
    expect_type(ports.connection, "7 #42", LPC_DATAGRAM);
    ok_status("7 #42", send_message(heir, ports.server, ALPC_MSGFLG_RELEASE_MESSAGE, &value, sizeof(value)),
              STATUS_SUCCESS);
    expect(heir, ports.client, "7 #42", LPC_DATAGRAM, &value, sizeof(value));
    expect_no_message(ports.connection, "4.11");
    agent_kill(heir);
    expect_type(ports.connection, "4.11", LPC_PORT_CLOSED);
    expect_no_message(ports.connection, "4.11");
    ports.client = NULL;
    close_ports(&ports);
}

/* ---------------------------------------------------------------------------------------------- NtQueryObject */

struct type_information
{
    UNICODE_STRING name;
    ULONG counts[12];
    ULONG invalid_attributes;
    GENERIC_MAPPING mapping;
    ULONG valid_access;
    BYTE rest[0x100];
};

static void check_type_information(HANDLE handle, const char *what)
{
    struct type_information type = { .valid_access = 0 };
    ULONG size = 0, needed = 0;
    NTSTATUS status;

    winetest_push_context("%s", what);
    status = NtQueryObject(handle, ObjectTypeInformation, &type, sizeof(type), &needed);
    ok_status("3.8", status, STATUS_SUCCESS);
    ok(type.name.Length == 9 * sizeof(WCHAR) && type.name.MaximumLength >= 10 * sizeof(WCHAR) &&
           !wcscmp(type.name.Buffer, L"ALPC Port"),
       "[3.8] the type is %s\n", wine_dbgstr_wn(type.name.Buffer, type.name.Length / sizeof(WCHAR)));
    ok((BYTE *)type.name.Buffer >= (BYTE *)&type && (BYTE *)type.name.Buffer < (BYTE *)(&type + 1),
       "[3.8] the name is not in the buffer\n");
    ok(type.mapping.GenericRead == 0x20001 && type.mapping.GenericWrite == 0x10001 && !type.mapping.GenericExecute &&
           type.mapping.GenericAll == 0x1f0001,
       "[3.8] generic access %#lx, %#lx, %#lx, %#lx\n", type.mapping.GenericRead, type.mapping.GenericWrite,
       type.mapping.GenericExecute, type.mapping.GenericAll);
    ok(type.valid_access == 0x1f0001, "[3.8] valid access %#lx\n", type.valid_access);

    ok(needed > 9 * sizeof(WCHAR) && needed <= sizeof(type), "[3.8] the length is %lu\n", needed);
    status = NtQueryObject(handle, ObjectTypeInformation, &type, needed, &size);
    ok_status("3.8", status, STATUS_SUCCESS);
    ok_status("3.8", NtQueryObject(handle, ObjectTypeInformation, &type, needed, NULL), STATUS_SUCCESS);
    ok_status("3.8", NtQueryObject(handle, ObjectTypeInformation, &type, needed - 1, &size),
              STATUS_INFO_LENGTH_MISMATCH);
    ok(size == needed, "[3.8] the length is %lu instead of %lu\n", size, needed);
    ok_status("3.8", NtQueryObject(handle, ObjectTypeInformation, NULL, 0, &size), STATUS_INFO_LENGTH_MISMATCH);
    winetest_pop_context();
}

static void test_query_type(void)
{
    struct ports ports;
    HANDLE copy;

    open_ports(&ports);
    check_type_information(ports.connection, "connection port");
    check_type_information(ports.server, "server's communication port");
    check_type_information(ports.client, "client's communication port");
    copy = duplicate_here(ports.client);
    check_type_information(copy, "duplicate");
    NtClose(copy);
    close_ports(&ports);
}

static void test_query_basic(void)
{
    PUBLIC_OBJECT_BASIC_INFORMATION basic, of_event;
    HANDLE port = create_named(NAMED(NULL, NULL, OBJ_INHERIT)), event, copy;
    ULONG size = 0, size_of_event, length;

    NtCreateEvent(&event, EVENT_ALL_ACCESS, NAMED(NULL, NULL, OBJ_INHERIT), 0, FALSE);
    ok_status("3.8", NtQueryObject(event, ObjectBasicInformation, &of_event, sizeof(of_event), NULL), STATUS_SUCCESS);
    ok_status("3.8", NtQueryObject(port, ObjectBasicInformation, &basic, sizeof(basic), &size), STATUS_SUCCESS);
    ok(size == sizeof(basic), "[3.8] the length is %lu\n", size);
    ok(basic.GrantedAccess == PORT_ALL_ACCESS, "[3.8] access %#lx\n", basic.GrantedAccess);
    ok(basic.Attributes == of_event.Attributes, "[7 #42] attributes %#lx, of an event %#lx\n", basic.Attributes,
       of_event.Attributes);
    ok(basic.HandleCount == 1, "[3.8] %lu handles\n", basic.HandleCount);
    copy = duplicate_here(port);
    ok_status("3.8", NtQueryObject(port, ObjectBasicInformation, &basic, sizeof(basic), &size), STATUS_SUCCESS);
    ok(basic.HandleCount == 2, "[3.8] %lu handles\n", basic.HandleCount);
    NtClose(copy);
    for (length = 0; length < sizeof(basic); length += 8)
    {
        size = size_of_event = 0xcccccccc;
        ok_status("3.8", NtQueryObject(port, ObjectBasicInformation, &basic, length, &size),
                  NtQueryObject(event, ObjectBasicInformation, &basic, length, &size_of_event));
        ok(size == size_of_event, "[3.8] the length is %#lx, of an event %#lx\n", size, size_of_event);
    }
    NtClose(event);
    NtClose(port);
}

/* whatever the length of the buffer */
static void check_names(HANDLE port, const WCHAR *expected)
{
    const ULONG needed = (ULONG)(sizeof(UNICODE_STRING) + (*expected ? (wcslen(expected) + 1) * sizeof(WCHAR) : 0));
    BYTE buffer[0x200];
    UNICODE_STRING *name = (UNICODE_STRING *)buffer;
    ULONG length, size;
    NTSTATUS status;

    for (length = 0; length < sizeof(buffer); length++)
    {
        winetest_push_context("length %#lx", length);
        memset(buffer, 0xcc, sizeof(buffer));
        size = 0xcccccccc;
        status = NtQueryObject(port, OBJECT_NAME_CLASS, buffer, length, &size);
        ok_status("4.2", status,
                  length < sizeof(*name) ? STATUS_INFO_LENGTH_MISMATCH
                  : length < needed      ? STATUS_BUFFER_OVERFLOW
                                         : STATUS_SUCCESS);
        ok(size == needed, "[4.2] the length is %#lx instead of %#lx\n", size, needed);
        ok(buffer[length] == 0xcc, "[4.2] more has been written than there is room for\n");
        if (!status && *expected)
            ok(name->Length == needed - sizeof(*name) - sizeof(WCHAR) &&
                   name->MaximumLength == needed - sizeof(*name) && name->Buffer == (WCHAR *)(name + 1) &&
                   !wcscmp(name->Buffer, expected),
               "[4.2] lengths %#x, %#x, text at %p\n", name->Length, name->MaximumLength, name->Buffer);
        else if (!status)
            ok(!name->Length && !name->MaximumLength && !name->Buffer, "[4.1] lengths %#x, %#x, text at %p\n",
               name->Length, name->MaximumLength, name->Buffer);
        winetest_pop_context();
    }
}

static void test_query_name(void)
{
    struct ports ports;
    WCHAR name[80];
    HANDLE copy;

    wcscpy(name, new_name());
    open_ports_on(&ports, create_named(NAMED(NULL, name, 0)), name);
    ok(!wcscmp(name_of(ports.connection), name), "[4.2] the name is %s\n", wine_dbgstr_w(name_of(ports.connection)));
    copy = duplicate_here(ports.connection);
    ok(!wcscmp(name_of(copy), name), "[4.2] the name is %s\n", wine_dbgstr_w(name_of(copy)));
    NtClose(copy);
    /* communication ports have none [4.1] */
    ok(!*name_of(ports.server), "[4.1] the name is %s\n", wine_dbgstr_w(name_of(ports.server)));
    ok(!*name_of(ports.client), "[4.1] the name is %s\n", wine_dbgstr_w(name_of(ports.client)));

    check_names(ports.connection, name);
    check_names(ports.client, L"");
    check_names(ports.server, L"");
    close_ports(&ports);
}

START_TEST(handles)
{
    if (agent_main())
        return;
    test_other_types();
    test_no_handles();
    test_reuse();
    test_close();
    test_protected();
    test_duplicate();
    test_access();
    RUN(test_client_copy);
    RUN(test_server_copy);
    RUN(test_connection_port_copy);
    RUN(test_receiver);
    end_tests();
    test_kill_with_copies();
    test_kill();
    test_foreign_port();
    test_outside_close();
    test_inheritance();
    test_inherited_connection();
    test_query_type();
    test_query_basic();
    test_query_name();
}
