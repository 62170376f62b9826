/*
 * What viewers of the system's handles see of ports [alpc.md 3.8]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * SystemHandleInformation, SystemExtendedHandleInformation, ObjectTypesInformation.  The numbers of types in the lists
 * and TypeIndex are the same on Windows; in Wine 8.0 they differ, for all types by as much.
 */

#include "objects.h"

#include <stdlib.h>
#include <wchar.h>

#define OBJECT_TYPE_CLASS ((OBJECT_INFORMATION_CLASS)2)
#define OBJECT_TYPES_CLASS ((OBJECT_INFORMATION_CLASS)3)
#define LIST_CLASS ((SYSTEM_INFORMATION_CLASS)16)
#define EXTENDED_LIST_CLASS ((SYSTEM_INFORMATION_CLASS)64)

/* ---------------------------------------------------------------------------------------------- types */

struct type_information
{
    UNICODE_STRING name;
    ULONG counts[12];
    ULONG invalid_attributes;
    GENERIC_MAPPING mapping;
    ULONG valid_access;
    BOOLEAN security_required, maintain_handle_count;
    UCHAR type_index, reserved;
    ULONG pool_type, paged_charge, nonpaged_charge;
};

struct type_table
{
    ULONG count;
    struct type_information first;
};

#define ALIGNED(size) (((size) + sizeof(ULONG_PTR) - 1) & ~(sizeof(ULONG_PTR) - 1))

static const struct type_information *type_after(const struct type_information *type)
{
    return (const void *)ALIGNED((ULONG_PTR)type->name.Buffer + type->name.MaximumLength);
}

static const struct type_information *find_type(const struct type_table *table, const WCHAR *name)
{
    const struct type_information *type = &table->first;
    ULONG i;

    for (i = 0; i < table->count; i++, type = type_after(type))
        if (type->name.Length == wcslen(name) * sizeof(WCHAR) && !wcscmp(type->name.Buffer, name))
            return type;
    return NULL;
}

/* the table of all types, to be freed */
static struct type_table *query_types(ULONG *size)
{
    const ULONG room = 0x10000;
    struct type_table *table = malloc(room);

    ok_status("3.8", NtQueryObject(NULL, OBJECT_TYPES_CLASS, table, room, size), STATUS_SUCCESS);
    return table;
}

/* TypeIndex of an open object */
static ULONG type_index(HANDLE handle)
{
    struct
    {
        struct type_information type;
        WCHAR text[32];
    } information;

    ok_status("3.8", NtQueryObject(handle, OBJECT_TYPE_CLASS, &information, sizeof(information), NULL), STATUS_SUCCESS);
    return information.type.type_index;
}

static HANDLE open_file(void)
{
    WCHAR path[MAX_PATH];

    ok(GetModuleFileNameW(NULL, path, ARRAY_SIZE(path)), "no path: %lu\n", GetLastError());
    return CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                       0, NULL);
}

static void check_type(const struct type_table *table, const WCHAR *name, HANDLE handle)
{
    const struct type_information *type = find_type(table, name);

    ok(type && type->type_index == type_index(handle), "[3.8] %ls: %u in the table of types, %lu of a handle\n", name,
       type ? type->type_index : 0, type_index(handle));
}

static void test_types(void)
{
    HANDLE event = CreateEventW(NULL, FALSE, FALSE, NULL), file = open_file();
    const struct type_information *type, *port;
    struct type_table *table;
    struct ports ports;
    ULONG i, size;

    open_ports(&ports);
    table = query_types(&size);
    check_type(table, L"Event", event);
    check_type(table, L"File", file);
    check_type(table, L"ALPC Port", ports.connection);
    check_type(table, L"ALPC Port", ports.server);
    check_type(table, L"ALPC Port", ports.client);
    port = find_type(table, L"ALPC Port");
    ok(port && port->mapping.GenericRead == 0x20001 && port->mapping.GenericWrite == 0x10001 &&
           !port->mapping.GenericExecute && port->mapping.GenericAll == 0x1f0001 && port->valid_access == 0x1f0001,
       "[3.8] mapping, valid access\n");
    ok(port && !wcscmp(port->name.Buffer, L"ALPC Port") && port->name.MaximumLength == 20, "[3.8] name of the type\n");
    for (i = 0, type = &table->first; i < table->count; i++, type = type_after(type))
        ok(type == port || !port || type->type_index != port->type_index, "[3.8] %ls has the type index of ports\n",
           type->name.Buffer);
    ok((const BYTE *)type - (const BYTE *)table == (LONG_PTR)size, "[3.8] %lu bytes returned, %lu used\n", size,
       (ULONG)((const BYTE *)type - (const BYTE *)table));
    free(table);
    close_ports(&ports);
    CloseHandle(event);
    CloseHandle(file);
}

/* all other types are those of the host */
static void test_host_types(void)
{
    NTSTATUS(NTAPI * host_query)
    (HANDLE, OBJECT_INFORMATION_CLASS, void *, ULONG, ULONG *) =
        (void *)GetProcAddress(GetModuleHandleA("ntdll.dll"), "__wine_host_NtQueryObject");
    const struct type_information *type, *other;
    struct type_table *table, *host;
    ULONG i, size;

    if (!host_query)
    {
        skip("there is no other table of types\n");
        return;
    }
    table = query_types(&size);
    host = malloc(size);
    ok_status("3.8", host_query(NULL, OBJECT_TYPES_CLASS, host, size, NULL), STATUS_SUCCESS);
    ok(table->count == host->count + 1, "[3.8] %lu types, %lu of the host\n", table->count, host->count);
    type = &table->first;
    other = &host->first;
    for (i = 0; i < host->count; i++, type = type_after(type), other = type_after(other))
        ok(!wcscmp(type->name.Buffer, other->name.Buffer) && type->type_index == other->type_index &&
               !memcmp(&type->mapping, &other->mapping, sizeof(type->mapping)),
           "[3.8] %ls differs from the host's %ls\n", type->name.Buffer, other->name.Buffer);
    free(host);
    free(table);
}

/* whatever is too short for the table gives the length that is not */
static void test_types_length(void)
{
    static const ULONG shorter[] = { 1, 8, 0x7f, 0x80, 0x81, 0x100 };
    const BYTE unused = 0xcc;
    struct type_table *table;
    ULONG size, returned, i;
    BYTE *buffer;

    table = query_types(&size);
    free(table);
    buffer = malloc(size + 1);
    for (i = 0; i < ARRAY_SIZE(shorter); i++)
    {
        returned = 0;
        memset(buffer, unused, size + 1);
        ok_status("3.8", NtQueryObject(NULL, OBJECT_TYPES_CLASS, buffer, size - shorter[i], &returned),
                  STATUS_INFO_LENGTH_MISMATCH);
        ok(returned == size, "[3.8] %lu bytes needed, not %lu\n", size, returned);
        ok(buffer[size - shorter[i]] == unused, "[3.8] written behind a buffer that is %lu bytes too short\n",
           shorter[i]);
    }
    returned = 0;
    ok_status("3.8", NtQueryObject(NULL, OBJECT_TYPES_CLASS, NULL, 0, &returned), STATUS_INFO_LENGTH_MISMATCH);
    ok(returned == size, "[3.8] %lu bytes needed, not %lu\n", size, returned);
    memset(buffer, unused, size + 1);
    ok_status("3.8", NtQueryObject(NULL, OBJECT_TYPES_CLASS, buffer, size, NULL), STATUS_SUCCESS);
    ok(find_type((void *)buffer, L"ALPC Port") != NULL, "[3.8] no ports among the types\n");
    ok(buffer[size] == unused, "[3.8] written behind a buffer that is just large enough\n");
    ok_status("3.8", NtQueryObject(NULL, OBJECT_TYPES_CLASS, buffer, size, (ULONG *)8), STATUS_ACCESS_VIOLATION);
    ok_status("3.8", NtQueryObject(NULL, OBJECT_TYPES_CLASS, (void *)8, size, &returned), STATUS_ACCESS_VIOLATION);
    free(buffer);
}

/* ---------------------------------------------------------------------------------------------- lists */

struct extended_list
{
    ULONG_PTR count, reserved;
    struct
    {
        void *object;
        ULONG_PTR process, handle;
        ULONG access;
        USHORT back_trace, type;
        ULONG attributes, reserved;
    } entries[1];
};

struct short_list
{
    ULONG count;
    struct
    {
        ULONG process;
        UCHAR type, flags;
        USHORT handle;
        void *object;
        ULONG access;
    } entries[1];
};

/* a list of either class, to be freed */
static void *query_list(SYSTEM_INFORMATION_CLASS list_class)
{
    void *list = NULL;
    ULONG size = 0x10000, used = 0;
    NTSTATUS status;

    do
    {
        free(list);
        list = malloc(size *= 2);
        status = NtQuerySystemInformation(list_class, list, size, &used);
    } while (status == STATUS_INFO_LENGTH_MISMATCH && size < 1u << 28);
    ok_status("3.8", status, STATUS_SUCCESS);
    ok(used <= size, "[3.8] %lu bytes of %lu\n", used, size);
    return list;
}

struct listed
{
    ULONG type, access;
};

/* how a list shows a handle; type 0x10000 if it does not */
static struct listed find_handle(const void *list, SYSTEM_INFORMATION_CLASS list_class, DWORD process, HANDLE handle)
{
    struct listed listed = { .type = 0x10000 };
    const struct extended_list *extended = list;
    const struct short_list *brief = list;
    ULONG_PTR i;

    if (list_class == EXTENDED_LIST_CLASS)
    {
        for (i = 0; i < extended->count; i++)
            if (extended->entries[i].process == process && extended->entries[i].handle == (ULONG_PTR)handle)
                listed = (struct listed){ extended->entries[i].type, extended->entries[i].access };
    }
    else
        for (i = 0; i < brief->count; i++)
            if ((USHORT)brief->entries[i].process == (USHORT)process &&
                brief->entries[i].handle == (USHORT)(ULONG_PTR)handle)
                listed = (struct listed){ brief->entries[i].type, brief->entries[i].access };
    return listed;
}

static const SYSTEM_INFORMATION_CLASS classes[] = { LIST_CLASS, EXTENDED_LIST_CLASS };

/* handles of one process */
struct sample
{
    DWORD process;
    HANDLE event, file;
    HANDLE ports[3];
    ULONG access; /* to the ports */
};

/* what a list shows for a type beyond its TypeIndex, modulo 2^32: 0 on Windows */
static ULONG offset_of_list(SYSTEM_INFORMATION_CLASS list_class)
{
    HANDLE event = CreateEventW(NULL, FALSE, FALSE, NULL);
    void *list = query_list(list_class);
    ULONG offset = find_handle(list, list_class, GetCurrentProcessId(), event).type - type_index(event);

    free(list);
    CloseHandle(event);
    return offset;
}

static void check_sample_(int line, const struct sample *sample)
{
    struct type_table *table;
    ULONG i, k, size, offset;
    struct listed listed;

    table = query_types(&size);
    for (i = 0; i < ARRAY_SIZE(classes); i++)
    {
        void *list = query_list(classes[i]);

        offset = offset_of_list(classes[i]);
        listed = find_handle(list, classes[i], sample->process, sample->event);
        ok_(__FILE__, line)(listed.type == find_type(table, L"Event")->type_index + offset,
                            "[3.8] class %u: an event has type %lu\n", classes[i], listed.type);
        listed = find_handle(list, classes[i], sample->process, sample->file);
        ok_(__FILE__, line)(listed.type == find_type(table, L"File")->type_index + offset,
                            "[3.8] class %u: a file has type %lu\n", classes[i], listed.type);
        for (k = 0; k < ARRAY_SIZE(sample->ports); k++)
        {
            const struct type_information *port = find_type(table, L"ALPC Port");

            if (!sample->ports[k])
                continue;
            listed = find_handle(list, classes[i], sample->process, sample->ports[k]);
            ok_(__FILE__, line)(port && listed.type == port->type_index + offset,
                                "[3.8] class %u: port %lu has type %lu\n", classes[i], k, listed.type);
            ok_(__FILE__, line)(listed.access == sample->access, "[3.8] class %u: port %lu has access %#lx\n",
                                classes[i], k, listed.access);
        }
        free(list);
    }
    free(table);
}
#define check_sample(sample) check_sample_(__LINE__, sample)

static HANDLE weaker(HANDLE handle, ACCESS_MASK access)
{
    HANDLE copy = NULL;

    ok(DuplicateHandle(GetCurrentProcess(), handle, GetCurrentProcess(), &copy, access, FALSE, 0),
       "cannot duplicate: %lu\n", GetLastError());
    return copy;
}

static void test_own(void)
{
    struct sample sample = { .process = GetCurrentProcessId(), .access = PORT_ALL_ACCESS };
    struct ports ports;
    ULONG i, handles;

    open_ports(&ports);
    sample.event = CreateEventW(NULL, FALSE, FALSE, NULL);
    sample.file = open_file();
    sample.ports[0] = ports.connection;
    sample.ports[1] = ports.server;
    sample.ports[2] = ports.client;
    handles = count_handles();
    check_sample(&sample);
    for (i = 0; i < ARRAY_SIZE(sample.ports); i++)
        sample.ports[i] = weaker(sample.ports[i], PORT_CONNECT);
    sample.access = PORT_CONNECT;
    check_sample(&sample);
    for (i = 0; i < ARRAY_SIZE(sample.ports); i++)
        CloseHandle(sample.ports[i]);
    ok(count_handles() == handles, "%lu handles instead of %lu\n", count_handles(), handles);
    CloseHandle(sample.event);
    CloseHandle(sample.file);
    close_ports(&ports);
}

/* rights that a port has too */
#define PORT_LIKE (FILE_READ_DATA | READ_CONTROL | SYNCHRONIZE)

/* the file might be a port, as far as a list tells */
static void call_open_others(struct call *call)
{
    HANDLE file = open_file();

    call->handle = CreateEventW(NULL, FALSE, FALSE, NULL);
    call->port = weaker(file, PORT_LIKE);
    CloseHandle(file);
}

/* of a process that waits in a receive, and whose ports this one has never seen */
static void test_elsewhere(void)
{
    struct agent *server = agent_process(), *client = agent_process();
    struct sample listener = { .process = server->pid, .access = PORT_ALL_ACCESS };
    struct sample sender = { .process = client->pid, .access = PORT_ALL_ACCESS };
    struct connected connected;
    ULONG value = 1, handles;

    open_connection(&connected, server, client);
    perform(server, call_open_others);
    listener.event = server->call->handle;
    listener.file = server->call->port;
    listener.ports[0] = connected.listening;
    listener.ports[1] = connected.comm;
    perform(client, call_open_others);
    sender.event = client->call->handle;
    sender.file = client->call->port;
    sender.ports[0] = connected.port;
    begin_receive(server, connected.listening);
    ok(!finished(server, 100), "[4.7] the receive did not wait\n");
    handles = count_handles();
    check_sample(&listener);
    check_sample(&sender);
    ok(count_handles() == handles, "%lu handles instead of %lu\n", count_handles(), handles);

    /* nobody has noticed */
    ok_status("4.1", send_message(client, connected.port, ALPC_MSGFLG_RELEASE_MESSAGE, &value, sizeof(value)),
              STATUS_SUCCESS);
    ok_status("4.7", end(server), STATUS_SUCCESS);
    check_received(server, "4.7", LPC_DATAGRAM, &value, sizeof(value));
    close_connection(&connected);
    agent_stop(server);
    agent_stop(client);
}

/* a list does not keep the port of another process open */
static void test_last_handle(void)
{
    struct agent *server = agent_process();
    const WCHAR *name = new_name();
    HANDLE port = create_port(server, name);

    free(query_list(EXTENDED_LIST_CLASS));
    free(query_list(LIST_CLASS));
    close_handle(server, port);
    ok_status("4.11", try_connect_string(name), STATUS_OBJECT_NAME_NOT_FOUND);
    agent_stop(server);
}

/* files that have the access of a port are still files */
static void test_port_like_file(void)
{
    struct sample sample = { .process = GetCurrentProcessId() };
    HANDLE file = open_file();

    sample.event = CreateEventW(NULL, FALSE, FALSE, NULL);
    sample.file = weaker(file, PORT_LIKE);
    check_sample(&sample);
    CloseHandle(sample.file);
    sample.file = weaker(file, FILE_READ_DATA);
    check_sample(&sample);
    CloseHandle(sample.file);
    CloseHandle(sample.event);
    CloseHandle(file);
}

static void test_list_length(void)
{
    ULONG i, length, returned;
    BYTE buffer[0x60];
    NTSTATUS status;

    for (i = 0; i < ARRAY_SIZE(classes); i++)
    {
        /* too short for a list, then for this one */
        for (length = 0; length < sizeof(buffer); length += 4)
        {
            memset(buffer, 0xcc, sizeof(buffer));
            returned = 0;
            ok_status("3.8", NtQuerySystemInformation(classes[i], buffer, length, &returned),
                      STATUS_INFO_LENGTH_MISMATCH);
            ok(buffer[length] == 0xcc, "class %u: written behind %lu bytes\n", classes[i], length);
        }
        ok(returned > sizeof(buffer), "class %u: %lu bytes needed\n", classes[i], returned);
        status = NtQuerySystemInformation(classes[i], NULL, 0x100000, &returned);
        ok_status("3.8", status, STATUS_ACCESS_VIOLATION);
        ok_status("3.8", NtQuerySystemInformation(classes[i], buffer, 0, NULL), STATUS_INFO_LENGTH_MISMATCH);
    }
}

/* other information is the host's */
static void test_other_classes(void)
{
    SYSTEM_BASIC_INFORMATION basic = { 0 };
    ULONG returned = 0;

    ok_status("3.8", NtQuerySystemInformation(SystemBasicInformation, &basic, sizeof(basic), &returned),
              STATUS_SUCCESS);
    ok(returned == sizeof(basic) && basic.NumberOfProcessors > 0, "%lu bytes\n", returned);
    ok_status("3.8", NtQuerySystemInformation((SYSTEM_INFORMATION_CLASS)0x7fff, &basic, sizeof(basic), NULL),
              STATUS_INVALID_INFO_CLASS);
}

START_TEST(listing)
{
    if (agent_main())
        return;
    test_types();
    test_host_types();
    test_types_length();
    test_own();
    test_elsewhere();
    test_last_handle();
    test_port_like_file();
    test_list_length();
    test_other_classes();
}
