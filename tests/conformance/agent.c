/*
 * Threads and processes that take part in a test
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "agent.h"

#include <stddef.h>
#include <wchar.h>

#define HEADER_SIZE sizeof(PORT_MESSAGE)

/* ---------------------------------------------------------------------------------------------- both sides */

/* what an agent is told; behind it in the same memory lies the call */
struct shared
{
    SIZE_T proc; /* of the function, from the beginning of the program; 0 = end */
    DWORD pid, tid;
    ULONG pending; /* another agent that is to be started beside this one */
    struct call call;
};

static BYTE *program_base(void)
{
    return (BYTE *)GetModuleHandleW(NULL);
}

static void object_name(WCHAR *name, const WCHAR *kind, ULONG owner, ULONG number)
{
    swprintf(name, 64, L"ntalpc-test-%ls-%lx-%lx", kind, owner, number);
}

/* ---------------------------------------------------------------------------------------------- the agent's side */

struct place
{
    ULONG owner, number; /* of the agent: its maker's process id, a running number */
};

static DWORD WINAPI agent_loop(void *arg)
{
    struct place place = *(struct place *)arg;
    WCHAR name[64];
    HANDLE mapping, go, done;
    struct shared *shared;

    free(arg);
    object_name(name, L"call", place.owner, place.number);
    mapping = OpenFileMappingW(FILE_MAP_ALL_ACCESS, FALSE, name);
    shared = MapViewOfFile(mapping, FILE_MAP_ALL_ACCESS, 0, 0, sizeof(*shared));
    object_name(name, L"go", place.owner, place.number);
    go = OpenEventW(EVENT_ALL_ACCESS, FALSE, name);
    object_name(name, L"done", place.owner, place.number);
    done = OpenEventW(EVENT_ALL_ACCESS, FALSE, name);
    if (!shared || !go || !done)
        return 1;
    shared->pid = GetCurrentProcessId();
    shared->tid = GetCurrentThreadId();
    SetEvent(done);
    while (!WaitForSingleObject(go, INFINITE) && shared->proc)
    {
        ((agent_proc)(program_base() + shared->proc))(&shared->call);
        SetEvent(done);
    }
    UnmapViewOfFile(shared);
    CloseHandle(mapping);
    CloseHandle(go);
    CloseHandle(done);
    return 0;
}

static void *make_place(ULONG owner, ULONG number)
{
    struct place *place = malloc(sizeof(*place));

    *place = (struct place){ .owner = owner, .number = number };
    return place;
}

static void call_spawn(struct call *call)
{
    HANDLE thread = CreateThread(NULL, 0, agent_loop, make_place(call->flags, call->value), 0, NULL);

    call->handle = thread;
    call->status = thread ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static void call_terminate_thread(struct call *call)
{
    call->status = NtTerminateThread(call->handle, 0);
    WaitForSingleObject(call->handle, HANG);
    CloseHandle(call->handle);
}

static void call_suspend_thread(struct call *call)
{
    call->status = SuspendThread(call->handle) == (DWORD)-1 ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}

static void call_resume_thread(struct call *call)
{
    call->status = ResumeThread(call->handle) == (DWORD)-1 ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}

static void call_join_thread(struct call *call)
{
    call->status = WaitForSingleObject(call->handle, HANG) ? STATUS_AGENT_HANGS : STATUS_SUCCESS;
    CloseHandle(call->handle);
}

BOOL agent_main(void)
{
    char **argv;
    int argc = winetest_get_mainargs(&argv);

    if (argc < 5 || strcmp(argv[2], "agent"))
        return FALSE;
    /* leave nothing behind when the test has been killed */
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    agent_loop(make_place(strtoul(argv[3], NULL, 16), strtoul(argv[4], NULL, 16)));
    return TRUE;
}

/* ---------------------------------------------------------------------------------------------- the test's side */

struct test_agent
{
    struct agent agent; /* first */
    struct shared *shared;
    struct test_agent *host; /* whose process it lives in; NULL = the test's or its own */
    ULONG number;
};

static struct test_agent *test_agent(const struct agent *agent)
{
    return (struct test_agent *)agent;
}

static struct test_agent *new_agent(void)
{
    static ULONG last;
    struct test_agent *new = calloc(1, sizeof(*new));
    ULONG self = GetCurrentProcessId();
    WCHAR name[64];

    new->number = ++last;
    object_name(name, L"call", self, new->number);
    new->agent.mapping = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof(*new->shared), name);
    new->shared = MapViewOfFile(new->agent.mapping, FILE_MAP_ALL_ACCESS, 0, 0, sizeof(*new->shared));
    object_name(name, L"go", self, new->number);
    new->agent.go = CreateEventW(NULL, FALSE, FALSE, name);
    object_name(name, L"done", self, new->number);
    new->agent.done = CreateEventW(NULL, FALSE, FALSE, name);
    new->agent.call = &new->shared->call;
    return new;
}

/* what ends when the agent does */
static HANDLE life_of(const struct test_agent *agent)
{
    const struct agent *host = agent->host ? &agent->host->agent : &agent->agent;

    return host->process ? host->process : host->thread;
}

static NTSTATUS wait_done(struct test_agent *agent, DWORD ms)
{
    HANDLE handles[2] = { agent->agent.done, life_of(agent) };
    DWORD result = WaitForMultipleObjects(2, handles, FALSE, ms);

    return result == WAIT_OBJECT_0 ? STATUS_SUCCESS : result == WAIT_TIMEOUT ? STATUS_AGENT_HANGS : STATUS_AGENT_GONE;
}

static struct agent *await_start(struct test_agent *new)
{
    NTSTATUS status = wait_done(new, HANG);

    ok(!status, "the agent has not started: %#lx\n", status);
    new->agent.pid = new->shared->pid;
    new->agent.tid = new->shared->tid;
    return &new->agent;
}

struct agent *agent_thread(void)
{
    struct test_agent *new = new_agent();

    new->agent.thread = CreateThread(NULL, 0, agent_loop, make_place(GetCurrentProcessId(), new->number), 0, NULL);
    return await_start(new);
}

static struct agent *start_process(BOOL inherit)
{
    struct test_agent *new = new_agent();
    STARTUPINFOA startup = { .cb = sizeof(startup) };
    PROCESS_INFORMATION process = { 0 };
    char command[MAX_PATH + 100], **argv;

    winetest_get_mainargs(&argv);
    snprintf(command, sizeof(command), "\"%s\" %s agent %lx %lx", argv[0], argv[1], GetCurrentProcessId(), new->number);
    ok(CreateProcessA(NULL, command, NULL, NULL, inherit, 0, NULL, NULL, &startup, &process), "%s: error %lu\n", command,
       GetLastError());
    CloseHandle(process.hThread);
    new->agent.process = process.hProcess;
    return await_start(new);
}

struct agent *agent_process(void)
{
    return start_process(FALSE);
}

struct agent *agent_heir(void)
{
    return start_process(TRUE);
}

struct agent *agent_beside(struct agent *other)
{
    struct test_agent *new = new_agent();
    struct call *call;
    NTSTATUS status;

    if (!other->process)
    {
        new->agent.thread = CreateThread(NULL, 0, agent_loop, make_place(GetCurrentProcessId(), new->number), 0, NULL);
        return await_start(new);
    }
    new->host = test_agent(other);
    call = prepare(other);
    call->flags = GetCurrentProcessId();
    call->value = new->number;
    status = perform(other, call_spawn);
    ok(!status, "cannot start a thread: %#lx\n", status);
    new->agent.thread = call->handle; /* of that process */
    return await_start(new);
}

static void free_agent(struct test_agent *agent)
{
    UnmapViewOfFile(agent->shared);
    CloseHandle(agent->agent.mapping);
    CloseHandle(agent->agent.go);
    CloseHandle(agent->agent.done);
    if (agent->agent.process)
        CloseHandle(agent->agent.process);
    if (agent->agent.thread && !agent->host)
        CloseHandle(agent->agent.thread);
    free(agent);
}

/* lets the host of an agent do something with its thread */
static void perform_on_thread(const struct test_agent *agent, agent_proc proc)
{
    struct agent *host = &agent->host->agent;
    NTSTATUS status;

    prepare(host)->handle = agent->agent.thread;
    status = perform(host, proc);
    ok(!status, "cannot end or stop a thread: %#lx\n", status);
}

void agent_stop(struct agent *agent)
{
    struct test_agent *own = test_agent(agent);

    if (!agent)
        return;
    own->shared->proc = 0;
    SetEvent(agent->go);
    if (own->host)
        perform_on_thread(own, call_join_thread);
    else if (agent->process)
        wait_child_process(agent->process);
    else
        ok(!WaitForSingleObject(agent->thread, HANG), "the thread has not ended\n");
    free_agent(own);
}

void agent_kill_thread(struct agent *agent)
{
    struct test_agent *own = test_agent(agent);

    if (own->host)
        perform_on_thread(own, call_terminate_thread);
    else
    {
        ok(!NtTerminateThread(agent->thread, 0), "cannot terminate the thread\n");
        ok(!WaitForSingleObject(agent->thread, HANG), "the thread has not ended\n");
    }
    free_agent(own);
}

void agent_suspend(struct agent *agent)
{
    struct test_agent *own = test_agent(agent);

    if (own->host)
        perform_on_thread(own, call_suspend_thread);
    else
        ok(SuspendThread(agent->thread) != (DWORD)-1, "cannot suspend the thread: %lu\n", GetLastError());
}

void agent_resume(struct agent *agent)
{
    struct test_agent *own = test_agent(agent);

    if (own->host)
        perform_on_thread(own, call_resume_thread);
    else
        ok(ResumeThread(agent->thread) != (DWORD)-1, "cannot resume the thread: %lu\n", GetLastError());
}

void agent_kill(struct agent *agent)
{
    if (!agent->process)
    {
        agent_kill_thread(agent);
        return;
    }
    ok(TerminateProcess(agent->process, 0), "cannot terminate the process: %lu\n", GetLastError());
    ok(!WaitForSingleObject(agent->process, HANG), "the process has not ended\n");
    free_agent(test_agent(agent));
}

HANDLE agent_process_handle(const struct agent *agent)
{
    const struct test_agent *own = test_agent(agent);

    if (own->host)
        return own->host->agent.process;
    return agent->process ? agent->process : GetCurrentProcess();
}

static struct agent *servers[2], *clients[2];

void run_test(const char *name, void (*test)(struct agent *server, struct agent *client))
{
    static const char *const modes[] = { "threads", "processes" };
    unsigned int mode;

    for (mode = 0; mode < 2; mode++)
    {
        winetest_push_context("%s, %s", name, modes[mode]);
        if (!servers[mode])
        {
            servers[mode] = mode ? agent_process() : agent_thread();
            clients[mode] = mode ? agent_process() : agent_thread();
        }
        test(servers[mode], clients[mode]);
        winetest_pop_context();
    }
}

void end_tests(void)
{
    unsigned int mode;

    for (mode = 0; mode < 2; mode++)
    {
        agent_stop(servers[mode]);
        agent_stop(clients[mode]);
        servers[mode] = clients[mode] = NULL;
    }
}

/* ---------------------------------------------------------------------------------------------- running calls */

struct call *prepare(struct agent *agent)
{
    struct call *call = agent->call;

    memset(call, 0, offsetof(struct call, send));
    memset(&call->send.header, 0, sizeof(call->send.header));
    memset(&call->receive, 0xcc, sizeof(struct message));
    call->handle = UNTOUCHED_HANDLE;
    return call;
}

void begin(struct agent *agent, agent_proc proc)
{
    agent->call->status = STATUS_AGENT_HANGS;
    test_agent(agent)->shared->proc = (SIZE_T)((BYTE *)proc - program_base());
    SetEvent(agent->go);
}

NTSTATUS end(struct agent *agent)
{
    NTSTATUS status = wait_done(test_agent(agent), HANG);

    return status ? status : agent->call->status;
}

NTSTATUS perform(struct agent *agent, agent_proc proc)
{
    begin(agent, proc);
    return end(agent);
}

BOOL finished(struct agent *agent, DWORD ms)
{
    if (wait_done(test_agent(agent), ms))
        return FALSE;
    SetEvent(agent->done);
    return TRUE;
}

/* ---------------------------------------------------------------------------------------------- calls */

/* attribute buffers with room for everything */
struct attribute_buffer
{
    ALPC_MESSAGE_ATTRIBUTES header;
    BYTE bodies[0x98];
};

static ALPC_MESSAGE_ATTRIBUTES *make_attributes(struct attribute_buffer *buffer, ULONG flags)
{
    SIZE_T size;

    if (!flags)
        return NULL;
    memset(buffer, 0xcc, sizeof(*buffer));
    AlpcInitializeMessageAttribute(flags, &buffer->header, sizeof(*buffer), &size);
    return &buffer->header;
}

static ALPC_MESSAGE_ATTRIBUTES *attributes_to_send(const struct call *call, struct attribute_buffer *buffer)
{
    ALPC_MESSAGE_ATTRIBUTES *attributes = make_attributes(buffer, call->send_valid);
    ALPC_CONTEXT_ATTR *context;

    if (!attributes)
        return NULL;
    attributes->ValidAttributes = call->send_valid;
    /* what the sender gives here is ignored but for the MessageContext [4.8.1] */
    if ((context = AlpcGetMessageAttribute(attributes, ALPC_MESSAGE_CONTEXT_ATTRIBUTE)))
        context->MessageContext = call->send_context;
    return attributes;
}

static void attributes_received(struct call *call, struct attribute_buffer *buffer)
{
    const ALPC_CONTEXT_ATTR *context;
    const ALPC_TOKEN_ATTR *token;

    if (!call->allocated)
        return;
    call->valid = buffer->header.ValidAttributes;
    if ((context = AlpcGetMessageAttribute(&buffer->header, ALPC_MESSAGE_CONTEXT_ATTRIBUTE)))
        call->context = *context;
    if ((token = AlpcGetMessageAttribute(&buffer->header, ALPC_MESSAGE_TOKEN_ATTRIBUTE)))
        call->token = *token;
}

static LARGE_INTEGER *timeout_of(const struct call *call, LARGE_INTEGER *timeout)
{
    timeout->QuadPart = call->timeout;
    return call->has_timeout ? timeout : NULL;
}

static OBJECT_ATTRIBUTES *attributes_of_name(const struct call *call, UNICODE_STRING *name, OBJECT_ATTRIBUTES *oa)
{
    RtlInitUnicodeString(name, call->name);
    InitializeObjectAttributes(oa, name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    return oa;
}

void call_create(struct call *call)
{
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES oa;

    call->status = NtAlpcCreatePort(&call->handle, call->name[0] ? attributes_of_name(call, &name, &oa) : NULL,
                                    call->has_attributes ? &call->attributes : NULL);
}

static void connect_with(struct call *call, BOOL ex)
{
    struct attribute_buffer in, out;
    UNICODE_STRING name;
    OBJECT_ATTRIBUTES oa;
    LARGE_INTEGER timeout;
    PORT_MESSAGE *message = NULL;
    ALPC_PORT_ATTRIBUTES *attributes = call->has_attributes ? &call->attributes : NULL;
    SIZE_T *length = call->has_length ? &call->length : NULL;

    if (call->sends)
    {
        message = &call->receive.header;
        memcpy(message, &call->send, (USHORT)call->send.header.u1.s1.TotalLength);
        *message = call->send.header;
    }
    attributes_of_name(call, &name, &oa);
    if (ex)
        call->status = NtAlpcConnectPortEx(&call->handle, &oa, NULL, attributes, call->flags, NULL, message, length,
                                           attributes_to_send(call, &out), make_attributes(&in, call->allocated),
                                           timeout_of(call, &timeout));
    else
        call->status = NtAlpcConnectPort(&call->handle, &name, NULL, attributes, call->flags, NULL, message, length,
                                         attributes_to_send(call, &out), make_attributes(&in, call->allocated),
                                         timeout_of(call, &timeout));
    attributes_received(call, &in);
}

void call_connect(struct call *call)
{
    connect_with(call, FALSE);
}

void call_connect_ex(struct call *call)
{
    connect_with(call, TRUE);
}

void call_accept(struct call *call)
{
    struct attribute_buffer out;

    call->status = NtAlpcAcceptConnectPort(&call->handle, call->port, call->flags, NULL,
                                           call->has_attributes ? &call->attributes : NULL, call->port_context,
                                           &call->send.header, attributes_to_send(call, &out), call->accept);
}

void call_exchange(struct call *call)
{
    struct attribute_buffer in, out;
    LARGE_INTEGER timeout;

    call->status = NtAlpcSendWaitReceivePort(
        call->port, call->flags, call->sends ? &call->send.header : NULL, attributes_to_send(call, &out),
        call->receives ? &call->receive.header : NULL, call->has_length ? &call->length : NULL,
        make_attributes(&in, call->allocated), timeout_of(call, &timeout));
    attributes_received(call, &in);
}

void call_disconnect(struct call *call)
{
    call->status = NtAlpcDisconnectPort(call->port, call->flags);
}

void call_close(struct call *call)
{
    call->status = NtClose(call->port);
}

void call_cancel(struct call *call)
{
    call->status = NtAlpcCancelMessage(call->port, call->flags, &call->context);
}

void call_query_basic(struct call *call)
{
    call->status = NtAlpcQueryInformation(call->port, AlpcBasicInformation, &call->basic, sizeof(call->basic), NULL);
}

void call_send_many(struct call *call)
{
    ULONG done;

    call->status = STATUS_SUCCESS;
    for (done = 0; done < call->count && !call->status; done++)
    {
        ULONG value = call->value + done;

        memcpy(call->send.data, &value, sizeof(value));
        call->send.header.MessageId = 0;
        call->status =
            NtAlpcSendWaitReceivePort(call->port, call->flags, &call->send.header, NULL, NULL, NULL, NULL, NULL);
    }
    call->count = call->status ? done - 1 : done;
}

/* ---------------------------------------------------------------------------------------------- steps */

const WCHAR *new_name(void)
{
    static WCHAR name[80];
    static ULONG last;

    swprintf(name, ARRAY_SIZE(name), L"\\RPC Control\\ntalpc-test-%lx-%lu", GetCurrentProcessId(), ++last);
    return name;
}

void set_message(struct call *call, const void *data, SIZE_T size)
{
    memset(&call->send.header, 0, sizeof(call->send.header));
    call->send.header.u1.s1.DataLength = (SHORT)size;
    call->send.header.u1.s1.TotalLength = (SHORT)(HEADER_SIZE + size);
    memcpy(call->send.data, data, size);
    call->sends = TRUE;
}

void set_answer(struct call *call, const PORT_MESSAGE *to, const void *data, SIZE_T size)
{
    set_message(call, data, size);
    call->send.header.MessageId = to->MessageId;
    call->send.header.CallbackId = to->CallbackId;
}

HANDLE create_port(struct agent *server, const WCHAR *name)
{
    struct call *call = prepare(server);
    NTSTATUS status;

    wcscpy(call->name, name);
    status = perform(server, call_create);
    ok(!status, "[1.3] cannot create a port: %#lx\n", status);
    return call->handle;
}

void close_handle(struct agent *agent, HANDLE handle)
{
    NTSTATUS status;

    prepare(agent)->port = handle;
    status = perform(agent, call_close);
    ok(!status, "cannot close %p: %#lx\n", handle, status);
}

NTSTATUS disconnect(struct agent *agent, HANDLE port, ULONG flags)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->flags = flags;
    return perform(agent, call_disconnect);
}

static struct call *prepare_connect(struct agent *client, const WCHAR *name, const void *data, SIZE_T size)
{
    struct call *call = prepare(client);

    wcscpy(call->name, name);
    if (data)
        set_message(call, data, size);
    return call;
}

HANDLE connect_async(struct agent *client, const WCHAR *name, const void *data, SIZE_T size)
{
    struct call *call = prepare_connect(client, name, data, size);
    NTSTATUS status = perform(client, call_connect);

    ok(!status, "[4.3] cannot connect: %#lx\n", status);
    return call->handle;
}

void begin_connect(struct agent *client, const WCHAR *name, const void *data, SIZE_T size)
{
    struct call *call = prepare_connect(client, name, data, size);

    call->flags = ALPC_MSGFLG_SYNC_REQUEST;
    if (data)
    {
        call->has_length = TRUE;
        call->length = sizeof(call->receive);
    }
    begin(client, call_connect);
}

NTSTATUS accept_connection(struct agent *server, HANDLE port, const PORT_MESSAGE *request, PVOID context,
                           HANDLE *accepted)
{
    struct call *call = prepare(server);
    NTSTATUS status;

    call->port = port;
    set_answer(call, request, NULL, 0);
    call->accept = TRUE;
    call->port_context = context;
    status = perform(server, call_accept);
    *accepted = call->handle;
    return status;
}

NTSTATUS refuse_connection(struct agent *server, HANDLE port, const PORT_MESSAGE *request)
{
    struct call *call = prepare(server);

    call->port = port;
    set_answer(call, request, NULL, 0);
    return perform(server, call_accept);
}

static struct call *prepare_receive(struct agent *agent, HANDLE port)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->receives = call->has_length = TRUE;
    call->length = sizeof(call->receive);
    call->allocated = ALPC_MESSAGE_SECURITY_ATTRIBUTE | ALPC_MESSAGE_VIEW_ATTRIBUTE | ALPC_MESSAGE_CONTEXT_ATTRIBUTE |
                      ALPC_MESSAGE_HANDLE_ATTRIBUTE | ALPC_MESSAGE_TOKEN_ATTRIBUTE;
    return call;
}

NTSTATUS receive(struct agent *agent, HANDLE port)
{
    struct call *call = prepare_receive(agent, port);

    call->has_timeout = TRUE;
    call->timeout = MILLISECONDS(HANG / 2);
    return perform(agent, call_exchange);
}

NTSTATUS receive_now(struct agent *agent, HANDLE port)
{
    prepare_receive(agent, port)->has_timeout = TRUE;
    return perform(agent, call_exchange);
}

void begin_receive(struct agent *agent, HANDLE port)
{
    prepare_receive(agent, port);
    begin(agent, call_exchange);
}

NTSTATUS send_message(struct agent *agent, HANDLE port, ULONG flags, const void *data, SIZE_T size)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->flags = flags;
    set_message(call, data, size);
    return perform(agent, call_exchange);
}

NTSTATUS answer(struct agent *agent, HANDLE port, ULONG flags, const PORT_MESSAGE *to, const void *data, SIZE_T size)
{
    struct call *call = prepare(agent);

    call->port = port;
    call->flags = flags;
    set_answer(call, to, data, size);
    return perform(agent, call_exchange);
}

void begin_request(struct agent *agent, HANDLE port, const void *data, SIZE_T size)
{
    struct call *call = prepare_receive(agent, port);

    call->flags = ALPC_MSGFLG_SYNC_REQUEST;
    set_message(call, data, size);
    begin(agent, call_exchange);
}

void check_received_(const char *file, int line, struct agent *agent, const char *section, ULONG type, const void *data,
                     SIZE_T size)
{
    const struct big_message *message = &agent->call->receive;
    SIZE_T length = (USHORT)message->header.u1.s1.DataLength, total = (USHORT)message->header.u1.s1.TotalLength;

    ok_(file, line)((USHORT)message->header.u2.s2.Type == type, "[%s] type %#x instead of %#lx\n", section,
                    (USHORT)message->header.u2.s2.Type, type);
    ok_(file, line)(!message->header.u2.s2.DataInfoOffset, "[4.4] DataInfoOffset %#x\n",
                    message->header.u2.s2.DataInfoOffset);
    ok_(file, line)(length == size && total == HEADER_SIZE + size, "[%s] lengths %#Ix, %#Ix instead of %#Ix, %#Ix\n",
                    section, length, total, size, HEADER_SIZE + size);
    ok_(file, line)(length != size || !memcmp(message->data, data, size), "[%s] other data\n", section);
}

void expect_(const char *file, int line, struct agent *agent, HANDLE port, const char *section, ULONG type,
             const void *data, SIZE_T size)
{
    NTSTATUS status = receive(agent, port);

    ok_(file, line)(!status, "[%s] expected a message of type %#lx: status %#lx\n", section, type, status);
    if (!status)
        check_received_(file, line, agent, section, type, data, size);
}

void expect_nothing_(const char *file, int line, struct agent *agent, HANDLE port, const char *section)
{
    NTSTATUS status = receive_now(agent, port);

    ok_(file, line)(status == STATUS_TIMEOUT, "[%s] status %#lx, expected nothing\n", section, status);
    if (!status)
        ok_(file, line)(FALSE, "[%s] received a message of type %#x\n", section,
                        agent->call->receive.header.u2.s2.Type);
}

/* ---------------------------------------------------------------------------------------------- connections */

void open_another(struct connected *connected, const struct connected *first, struct agent *client, PVOID context)
{
    PORT_MESSAGE request;
    NTSTATUS status;

    *connected = *first;
    connected->client = client;
    connected->listening = NULL;
    begin_connect(client, first->name, NULL, 0);
    status = receive(first->server, first->listening);
    ok(!status, "[4.3] no connection request: %#lx\n", status);
    request = first->server->call->receive.header;
    status = accept_connection(first->server, first->listening, &request, context, &connected->comm);
    ok(!status, "[1.3] cannot accept: %#lx\n", status);
    status = end(client);
    ok(!status, "[4.3] cannot connect: %#lx\n", status);
    connected->port = client->call->handle;
}

void open_port(struct connected *connected, struct agent *server, struct agent *client)
{
    *connected = (struct connected){ .server = server, .client = client };
    wcscpy(connected->name, new_name());
    connected->listening = create_port(server, connected->name);
}

void open_connection(struct connected *connected, struct agent *server, struct agent *client)
{
    struct connected first;

    open_port(&first, server, client);
    open_another(connected, &first, client, PORT_CONTEXT);
    connected->listening = first.listening;
}

void close_connection(struct connected *connected)
{
    if (connected->port)
        close_handle(connected->client, connected->port);
    if (connected->comm)
        close_handle(connected->server, connected->comm);
    if (connected->listening)
        close_handle(connected->server, connected->listening);
}
