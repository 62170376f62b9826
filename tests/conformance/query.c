/*
 * NtAlpcQueryInformation [alpc.md 1.3, 2.5, 3.7, 7 #18, #51]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bad pointers are in badptr.c, bad handles in handles.c.  Not here: the classes that are not there yet (3, 4, 11).
 */

#include "objects.h"

/* ---------------------------------------------------------------------------------------------- basic information */

/* SequenceNo of a port that is connected to nothing stands nowhere */
#define ANY_SEQUENCE (~0u)

static void check_basic_(int line, struct agent *agent, HANDLE port, ULONG flags, ULONG sequence, PVOID context)
{
    const ALPC_BASIC_INFORMATION *basic = &agent->call->basic;
    NTSTATUS status;

    prepare(agent)->port = port;
    status = perform(agent, call_query_basic);
    ok_status_(__FILE__, line, "1.3", status, STATUS_SUCCESS);
    if (status)
        return;
    ok_(__FILE__, line)(basic->Flags == flags, "[1.3, 7 #18] flags %#lx instead of %#lx\n", basic->Flags, flags);
    ok_(__FILE__, line)(sequence == ANY_SEQUENCE || basic->SequenceNo == sequence,
                        "[1.3, 7 #51] SequenceNo %lu instead of %lu\n", basic->SequenceNo, sequence);
    ok_(__FILE__, line)(basic->PortContext == context, "[1.3] PortContext %p instead of %p\n", basic->PortContext,
                        context);
}
#define check_basic(agent, port, flags, sequence, context) check_basic_(__LINE__, agent, port, flags, sequence, context)

static void test_basic(struct agent *server, struct agent *client)
{
    const ULONG always = ALPC_PORFLG_ALLOW_LPC_REQUESTS;
    struct connected c;
    PORT_MESSAGE request;
    ULONG value = 1;

    open_port(&c, server, client);
    check_basic(server, c.listening, always, ANY_SEQUENCE, NULL);
    close_handle(server, c.listening);
    open_connection(&c, server, client);
    check_basic(server, c.listening, always, ANY_SEQUENCE, NULL);
    check_basic(server, c.comm, always, ANY_SEQUENCE, PORT_CONTEXT);
    check_basic(client, c.port, always, 1, NULL);

    /* each request and each datagram counts; an answer does not */
    ok_status("4.1", send_message(client, c.port, ALPC_MSGFLG_RELEASE_MESSAGE, &value, sizeof(value)), STATUS_SUCCESS);
    check_basic(client, c.port, always, 2, NULL);
    begin_request(client, c.port, &value, sizeof(value));
    ok_status("4.4", receive(server, c.listening), STATUS_SUCCESS);
    ok_status("4.4", receive(server, c.listening), STATUS_SUCCESS);
    request = server->call->receive.header;
    ok_status("4.4", answer(server, c.listening, ALPC_MSGFLG_RELEASE_MESSAGE, &request, NULL, 0), STATUS_SUCCESS);
    ok_status("4.4", end(client), STATUS_SUCCESS);
    check_basic(client, c.port, always, 3, NULL);
    check_basic(server, c.comm, always, ANY_SEQUENCE, PORT_CONTEXT);

    /* also when nobody is at the other end any more */
    close_handle(server, c.comm);
    c.comm = NULL;
    check_basic(client, c.port, always, 3, NULL);
    ok_status("4.11", disconnect(client, c.port, 0), STATUS_SUCCESS);
    check_basic(client, c.port, always, 3, NULL);
    close_connection(&c);
}

/* the flags of each end are its own */
static void test_flags(struct agent *server, struct agent *client)
{
    struct connected c = { .server = server, .client = client };
    PORT_MESSAGE request;
    struct call *call;

    wcscpy(c.name, new_name());
    call = prepare(server);
    wcscpy(call->name, c.name);
    call->has_attributes = TRUE;
    call->attributes.Flags = 0xb0000;
    ok_status("1.3", perform(server, call_create), STATUS_SUCCESS);
    c.listening = call->handle;
    call = prepare(client);
    wcscpy(call->name, c.name);
    call->has_attributes = TRUE;
    call->attributes.Flags = ALPC_PORFLG_ALLOW_IMPERSONATION;
    ok_status("4.3", perform(client, call_connect), STATUS_SUCCESS);
    c.port = call->handle;
    /* not accepted yet */
    check_basic(client, c.port, 0x30000, 1, NULL);
    ok_status("4.3", receive(server, c.listening), STATUS_SUCCESS);
    request = server->call->receive.header;
    call = prepare(server);
    call->port = c.listening;
    set_answer(call, &request, NULL, 0);
    call->accept = TRUE;
    call->port_context = PORT_CONTEXT;
    call->has_attributes = TRUE;
    call->attributes.Flags = 0x80000;
    ok_status("1.3", perform(server, call_accept), STATUS_SUCCESS);
    c.comm = call->handle;
    check_basic(server, c.listening, 0xb0000, ANY_SEQUENCE, NULL);
    check_basic(server, c.comm, 0xa0000, ANY_SEQUENCE, PORT_CONTEXT);
    check_basic(client, c.port, 0x30000, 1, NULL);
    close_connection(&c);
}

/* a port is the same wherever its handle is */
static void test_elsewhere(void)
{
    struct agent *agent = agent_process();
    HANDLE process = agent_process_handle(agent), copies[3];
    struct ports ports;
    unsigned int i;

    open_ports(&ports);
    ok_status("4.1", send_datagram(ports.client, 1), STATUS_SUCCESS);
    for (i = 0; i < ARRAY_SIZE(copies); i++)
        DuplicateHandle(GetCurrentProcess(),
                        i == 0   ? ports.connection
                        : i == 1 ? ports.server
                                 : ports.client,
                        process, &copies[i], 0, FALSE, DUPLICATE_SAME_ACCESS);
    check_basic(agent, copies[0], ALPC_PORFLG_ALLOW_LPC_REQUESTS, ANY_SEQUENCE, NULL);
    check_basic(agent, copies[1], ALPC_PORFLG_ALLOW_LPC_REQUESTS, ANY_SEQUENCE, PORT_CONTEXT);
    check_basic(agent, copies[2], ALPC_PORFLG_ALLOW_LPC_REQUESTS, 2, NULL);
    close_ports(&ports);
    agent_stop(agent);
}

/* ---------------------------------------------------------------------------------------------- buffers */

static void check_lengths(HANDLE port, ALPC_PORT_INFORMATION_CLASS class, ULONG size)
{
    BYTE buffer[0x40], whole[0x40];
    ULONG length, returned, i;
    NTSTATUS status;

    winetest_push_context("class %u", class);
    memset(whole, 0xcc, sizeof(whole));
    ok_status("1.3", NtAlpcQueryInformation(port, class, whole, size, NULL), STATUS_SUCCESS);
    for (length = 0; length < sizeof(buffer); length++)
    {
        memset(buffer, 0xcc, sizeof(buffer));
        returned = 0xcccccccc;
        status = NtAlpcQueryInformation(port, class, buffer, length, &returned);
        ok(status == (length < size ? STATUS_INFO_LENGTH_MISMATCH : STATUS_SUCCESS), "[1.3] length %#lx: status %#lx\n",
           length, status);
        ok(returned == size, "[1.3] length %#lx: returned %#lx instead of %#lx\n", length, returned, size);
        for (i = length < size ? 0 : size; i < sizeof(buffer) && buffer[i] == 0xcc; i++)
            ;
        ok(i == sizeof(buffer), "[1.3] length %#lx: byte %#lx has been written\n", length, i);
        ok(length < size || !memcmp(buffer, whole, size), "[1.3] length %#lx: something else\n", length);
        /* nobody needs to ask for the length */
        ok(NtAlpcQueryInformation(port, class, buffer, length, NULL) == status, "[1.3] length %#lx: without pointer\n",
           length);
    }
    returned = 0;
    ok_status("1.3", NtAlpcQueryInformation(port, class, NULL, 0, &returned), STATUS_INFO_LENGTH_MISMATCH);
    ok(returned == size, "[1.3] returned %#lx instead of %#lx\n", returned, size);
    winetest_pop_context();
}

static void test_lengths(void)
{
    struct ports ports;

    open_ports(&ports);
    check_lengths(ports.connection, AlpcBasicInformation, sizeof(ALPC_BASIC_INFORMATION));
    check_lengths(ports.server, AlpcBasicInformation, sizeof(ALPC_BASIC_INFORMATION));
    check_lengths(ports.client, AlpcBasicInformation, sizeof(ALPC_BASIC_INFORMATION));
    check_lengths(ports.client, AlpcServerSessionInformation, sizeof(ALPC_SERVER_SESSION_INFORMATION));
    close_ports(&ports);
}

/* ---------------------------------------------------------------------------------------------- classes */

static void call_query_session(struct call *call)
{
    ALPC_SERVER_SESSION_INFORMATION session = { ~0u, ~0u };

    call->status = NtAlpcQueryInformation(call->port, AlpcServerSessionInformation, &session, sizeof(session), NULL);
    call->value = session.SessionId;
    call->count = session.ProcessId;
}

static void test_session(struct agent *server, struct agent *client)
{
    struct connected c;
    DWORD session = 0;

    ok(ProcessIdToSessionId(server->pid, &session), "error %lu\n", GetLastError());
    open_connection(&c, server, client);
    prepare(client)->port = c.port;
    ok_status("1.3", perform(client, call_query_session), STATUS_SUCCESS);
    ok(client->call->count == server->pid, "[1.3] process %#lx instead of %#lx\n", client->call->count, server->pid);
    ok(client->call->value == session, "[1.3] session %lu instead of %lu\n", client->call->value, session);
    /* whose other end is no server */
    prepare(server)->port = c.comm;
    ok_status("1.3", perform(server, call_query_session), STATUS_INVALID_PORT_HANDLE);
    prepare(server)->port = c.listening;
    ok_status("1.3", perform(server, call_query_session), STATUS_INVALID_PORT_HANDLE);
    ok(server->call->value == ~0u && server->call->count == ~0u, "[1.3] the buffer has been written\n");
    close_connection(&c);

    /* the server is known as soon as the port is */
    open_port(&c, server, client);
    c.port = connect_async(client, c.name, NULL, 0);
    prepare(client)->port = c.port;
    ok_status("1.3", perform(client, call_query_session), STATUS_SUCCESS);
    ok(client->call->count == server->pid, "[1.3] process %#lx instead of %#lx\n", client->call->count, server->pid);
    close_connection(&c);
}

/* what is no class, or none to be queried */
static void test_bad_classes(void)
{
    static const ULONG classes[] = { 1, 2, 5, 6, 7, 8, 9, 10, 13, 14, 0x100, 0x7fffffff, 0x80000000, 0xffffffff };
    HANDLE port = create_named(NULL);
    BYTE buffer[0x100], untouched[0x100];
    ULONG returned;
    unsigned int i;

    memset(untouched, 0xcc, sizeof(untouched));
    for (i = 0; i < ARRAY_SIZE(classes); i++)
    {
        winetest_push_context("class %#lx", classes[i]);
        memset(buffer, 0xcc, sizeof(buffer));
        ok_status(
            "1.3",
            NtAlpcQueryInformation(port, (ALPC_PORT_INFORMATION_CLASS)classes[i], buffer, sizeof(buffer), &returned),
            STATUS_INVALID_INFO_CLASS);
        ok_status("1.3", NtAlpcQueryInformation(port, (ALPC_PORT_INFORMATION_CLASS)classes[i], NULL, 0, NULL),
                  STATUS_INVALID_INFO_CLASS);
        ok(!memcmp(buffer, untouched, sizeof(buffer)), "[1.3] the buffer has been written\n");
        winetest_pop_context();
    }
    NtClose(port);
}

START_TEST(query)
{
    if (agent_main())
        return;
    RUN(test_basic);
    RUN(test_flags);
    RUN(test_session);
    end_tests();
    test_elsewhere();
    test_lengths();
    test_bad_classes();
}
