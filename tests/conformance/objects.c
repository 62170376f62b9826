/*
 * What the tests of names, handles and security have in common
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "objects.h"

#include <wchar.h>

/* ---------------------------------------------------------------------------------------------- names */

POBJECT_ATTRIBUTES name_object(struct object_name *object, HANDLE root, const WCHAR *name, ULONG attributes)
{
    RtlInitUnicodeString(&object->string, name);
    InitializeObjectAttributes(&object->attributes, name ? &object->string : NULL, attributes, root, NULL);
    return &object->attributes;
}

const WCHAR *new_leaf(void)
{
    return wcsrchr(new_name(), '\\') + 1;
}

HANDLE make_directory(HANDLE root, const WCHAR *name)
{
    HANDLE directory = NULL;
    NTSTATUS status = NtCreateDirectoryObject(&directory, DIRECTORY_ALL_ACCESS, NAMED(root, name, 0));

    ok(!status, "cannot make the directory %s: %#lx\n", wine_dbgstr_w(name), status);
    return directory;
}

HANDLE try_create(POBJECT_ATTRIBUTES object, PALPC_PORT_ATTRIBUTES attributes, NTSTATUS *status)
{
    HANDLE port = UNTOUCHED_HANDLE;

    *status = NtAlpcCreatePort(&port, object, attributes);
    if (!*status)
    {
        ok(port && port != UNTOUCHED_HANDLE, "[1.3] the handle is %p\n", port);
        return port;
    }
    ok(port == UNTOUCHED_HANDLE, "[1.3] NtAlpcCreatePort failed with %#lx and wrote %p\n", *status, port);
    return NULL;
}

HANDLE create_named(POBJECT_ATTRIBUTES object)
{
    NTSTATUS status;
    HANDLE port = try_create(object, NULL, &status);

    ok(!status, "[1.3] cannot create the port %s: %#lx\n",
       object && object->ObjectName ? wine_dbgstr_w(object->ObjectName->Buffer) : "without a name", status);
    return port;
}

NTSTATUS try_connect(POBJECT_ATTRIBUTES object)
{
    HANDLE port = UNTOUCHED_HANDLE;
    NTSTATUS status = NtAlpcConnectPortEx(&port, object, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL);

    if (!status)
        NtClose(port);
    else
        ok(port == UNTOUCHED_HANDLE, "[4.3] NtAlpcConnectPortEx failed with %#lx and wrote %p\n", status, port);
    return status;
}

NTSTATUS try_connect_string(const WCHAR *name)
{
    HANDLE port = UNTOUCHED_HANDLE;
    UNICODE_STRING string;
    NTSTATUS status;

    RtlInitUnicodeString(&string, name);
    status = NtAlpcConnectPort(&port, &string, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL);
    if (!status)
        NtClose(port);
    else
        ok(port == UNTOUCHED_HANDLE, "[4.3] NtAlpcConnectPort failed with %#lx and wrote %p\n", status, port);
    return status;
}

/* ---------------------------------------------------------------------------------------------- queries */

WCHAR *name_of(HANDLE handle)
{
    static struct
    {
        UNICODE_STRING name;
        WCHAR buffer[0x8000];
    } information;
    NTSTATUS status = NtQueryObject(handle, OBJECT_NAME_CLASS, &information, sizeof(information), NULL);

    ok(!status, "[4.2] cannot query a name: %#lx\n", status);
    if (status || !information.name.Buffer)
        return wcscpy(information.buffer, L"");
    information.name.Buffer[information.name.Length / sizeof(WCHAR)] = 0;
    return information.name.Buffer;
}

ACCESS_MASK access_of(HANDLE handle)
{
    PUBLIC_OBJECT_BASIC_INFORMATION basic = { 0 };

    ok_status("3.8", NtQueryObject(handle, ObjectBasicInformation, &basic, sizeof(basic), NULL), STATUS_SUCCESS);
    return basic.GrantedAccess;
}

ULONG flags_of(HANDLE port)
{
    ALPC_BASIC_INFORMATION basic = { 0 };

    ok_status("1.3", NtAlpcQueryInformation(port, AlpcBasicInformation, &basic, sizeof(basic), NULL), STATUS_SUCCESS);
    return basic.Flags;
}

NTSTATUS port_status(HANDLE handle)
{
    ALPC_BASIC_INFORMATION basic;

    return NtAlpcQueryInformation(handle, AlpcBasicInformation, &basic, sizeof(basic), NULL);
}

/* ---------------------------------------------------------------------------------------------- connections */

NTSTATUS receive_within(HANDLE port, DWORD ms, struct message *message)
{
    LARGE_INTEGER timeout = { .QuadPart = MILLISECONDS(ms) };
    SIZE_T size = sizeof(*message);

    return NtAlpcSendWaitReceivePort(port, 0, NULL, NULL, &message->header, &size, NULL, &timeout);
}

void expect_type_(const char *file, int line, HANDLE port, const char *section, ULONG type)
{
    struct message message;
    NTSTATUS status = receive_within(port, HANG, &message);

    ok_(file, line)(!status, "[%s] expected a message of type %#lx: status %#lx\n", section, type, status);
    if (!status)
        ok_(file, line)((USHORT)message.header.u2.s2.Type == type, "[%s] type %#x instead of %#lx\n", section,
                        (USHORT)message.header.u2.s2.Type, type);
}

void expect_no_message_(const char *file, int line, HANDLE port, const char *section)
{
    struct message message;
    NTSTATUS status = receive_within(port, 0, &message);

    ok_(file, line)(status == STATUS_TIMEOUT, "[%s] expected nothing: status %#lx, type %#x\n", section, status,
                    status ? 0 : (USHORT)message.header.u2.s2.Type);
}

NTSTATUS send_datagram(HANDLE port, ULONG value)
{
    struct message message = { .header.u1.s1 = { sizeof(value), HEADER_SIZE + sizeof(value) } };

    memcpy(message.data, &value, sizeof(value));
    return NtAlpcSendWaitReceivePort(port, ALPC_MSGFLG_RELEASE_MESSAGE, &message.header, NULL, NULL, NULL, NULL, NULL);
}

void open_ports_on(struct ports *ports, HANDLE connection, const WCHAR *name)
{
    struct message message;
    UNICODE_STRING string;
    NTSTATUS status;

    *ports = (struct ports){ .connection = connection };
    RtlInitUnicodeString(&string, name);
    status = NtAlpcConnectPort(&ports->client, &string, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL);
    ok(!status, "[4.3] cannot connect: %#lx\n", status);
    status = receive_within(ports->connection, HANG, &message);
    ok(!status && (USHORT)message.header.u2.s2.Type == (LPC_CONNECTION_REQUEST | LPC_CONTINUATION_REQUIRED),
       "[4.3] no connection request: %#lx\n", status);
    ports->request = message.header;
    status = NtAlpcAcceptConnectPort(&ports->server, ports->connection, 0, NULL, NULL, PORT_CONTEXT, &message.header,
                                     NULL, TRUE);
    ok(!status, "[1.3] cannot accept: %#lx\n", status);
    expect_type(ports->client, "4.3", LPC_CONNECTION_REPLY);
}

void open_ports(struct ports *ports)
{
    const WCHAR *name = new_name();

    open_ports_on(ports, create_named(NAMED(NULL, name, 0)), name);
}

void close_ports(struct ports *ports)
{
    if (ports->client)
        ok(!NtClose(ports->client), "cannot close the client port\n");
    if (ports->server)
        ok(!NtClose(ports->server), "cannot close the server communication port\n");
    if (ports->connection)
        ok(!NtClose(ports->connection), "cannot close the connection port\n");
    *ports = (struct ports){ 0 };
}

struct system_handles
{
    ULONG_PTR count, reserved;
    struct
    {
        PVOID object;
        ULONG_PTR process, handle;
        ULONG access;
        USHORT backtrace, type;
        ULONG attributes, reserved;
    } entries[0x4000];
};

/* GetProcessHandleCount returns 0 on Wine 8.0 */
ULONG count_handles(void)
{
    static struct system_handles handles;
    ULONG size, count = 0;
    ULONG_PTR i;
    NTSTATUS status = NtQuerySystemInformation((SYSTEM_INFORMATION_CLASS)64, &handles, sizeof(handles), &size);

    ok(!status, "cannot list the handles: %#lx\n", status);
    for (i = 0; !status && i < handles.count; i++)
        count += handles.entries[i].process == GetCurrentProcessId();
    ok(status || count > 2, "%lu handles\n", count);
    return count;
}
