/*
 * Names of ports [alpc.md 4.2]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where the reference says that names are object-manager names and no more, a port must behave as an event does in the
 * same place, so that is what most checks compare with.  Not here: OBJ_PERMANENT, which ports do not have.
 */

#include "objects.h"

#include <wchar.h>

/* what happens when something is called by this name */
static NTSTATUS event_creation(POBJECT_ATTRIBUTES object)
{
    HANDLE event;
    NTSTATUS status = NtCreateEvent(&event, EVENT_ALL_ACCESS, object, 0, FALSE);

    if (NT_SUCCESS(status))
        NtClose(event);
    return status;
}

static NTSTATUS event_opening(POBJECT_ATTRIBUTES object)
{
    HANDLE event;
    NTSTATUS status = NtOpenEvent(&event, EVENT_ALL_ACCESS, object);

    if (!status)
        NtClose(event);
    return status;
}

static NTSTATUS port_creation(POBJECT_ATTRIBUTES object)
{
    NTSTATUS status;
    HANDLE port = try_create(object, NULL, &status);

    if (port)
        NtClose(port);
    return status;
}

static HANDLE make_link(HANDLE root, const WCHAR *name, const WCHAR *target)
{
    UNICODE_STRING string;
    HANDLE link = NULL;
    NTSTATUS status;

    RtlInitUnicodeString(&string, target);
    status = NtCreateSymbolicLinkObject(&link, SYMBOLIC_LINK_ALL_ACCESS, NAMED(root, name, 0), &string);
    ok(!status, "cannot make the link %s: %#lx\n", wine_dbgstr_w(name), status);
    return link;
}

/* a connection by this name comes to this port and to no other; it is refused */
static void check_reaches_(int line, HANDLE port, POBJECT_ATTRIBUTES object)
{
    struct message message;
    HANDLE client, none = UNTOUCHED_HANDLE;
    NTSTATUS status;

    status = NtAlpcConnectPortEx(&client, object, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL);
    ok_(__FILE__, line)(!status, "[4.2] cannot connect to %s: %#lx\n", wine_dbgstr_w(object->ObjectName->Buffer),
                        status);
    if (status)
        return;
    status = receive_within(port, HANG, &message);
    ok_(__FILE__, line)(!status && (message.header.u2.s2.Type & 0xff) == LPC_CONNECTION_REQUEST,
                        "[4.2] %s does not lead to the port: %#lx\n", wine_dbgstr_w(object->ObjectName->Buffer),
                        status);
    if (!status)
        ok_status("1.3", NtAlpcAcceptConnectPort(&none, port, 0, NULL, NULL, NULL, &message.header, NULL, FALSE),
                  STATUS_SUCCESS);
    NtClose(client);
}
#define check_reaches(port, object) check_reaches_(__LINE__, port, object)

/* the name that an event has when it is called like this */
static WCHAR *name_of_event(POBJECT_ATTRIBUTES object, WCHAR *name, SIZE_T count)
{
    HANDLE event = NULL;
    NTSTATUS status = NtCreateEvent(&event, EVENT_ALL_ACCESS, object, 0, FALSE);

    ok(!status, "cannot create the event: %#lx\n", status);
    lstrcpynW(name, name_of(event), (int)count);
    NtClose(event);
    return name;
}

/* ---------------------------------------------------------------------------------------------- places */

static void test_places(void)
{
    static const WCHAR *const places[] = { L"\\RPC Control\\",
                                           L"\\BaseNamedObjects\\",
                                           L"\\Sessions\\1\\BaseNamedObjects\\",
                                           L"\\Sessions\\1\\BaseNamedObjects\\Global\\",
                                           L"\\Sessions\\1\\BaseNamedObjects\\Local\\",
                                           L"\\KernelObjects\\",
                                           L"\\??\\",
                                           L"\\" };
    WCHAR name[120], expected[120];
    HANDLE port;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(places); i++)
    {
        swprintf(name, ARRAY_SIZE(name), L"%ls%ls", places[i], new_leaf());
        winetest_push_context("%s", wine_dbgstr_w(name));
        if (event_creation(NAMED(NULL, name, 0)))
        {
            skip("no object can be there\n");
            winetest_pop_context();
            continue;
        }
        name_of_event(NAMED(NULL, name, 0), expected, ARRAY_SIZE(expected));
        port = create_named(NAMED(NULL, name, 0));
        ok(!wcscmp(name_of(port), expected), "[4.2] the name is %s instead of %s\n", wine_dbgstr_w(name_of(port)),
           wine_dbgstr_w(expected));
        check_reaches(port, NAMED(NULL, name, 0));
        check_reaches(port, NAMED(NULL, name, OBJ_CASE_INSENSITIVE));
        check_reaches(port, NAMED(NULL, expected, 0));
        ok_status("4.2", try_connect_string(name), STATUS_SUCCESS);
        NtClose(port);
        ok_status("4.2", try_connect(NAMED(NULL, name, 0)), STATUS_OBJECT_NAME_NOT_FOUND);
        ok_status("4.2", try_connect_string(name), STATUS_OBJECT_NAME_NOT_FOUND);
        winetest_pop_context();
    }
}

static void test_rpc_control(void)
{
    HANDLE directory;

    /* ordinary programs may create ports there, so every prefix has it */
    ok_status("4.2", NtOpenDirectoryObject(&directory, DIRECTORY_ALL_ACCESS, NAMED(NULL, L"\\RPC Control", 0)),
              STATUS_SUCCESS);
    NtClose(directory);
}

/* \Sessions\1\BaseNamedObjects\Global is \BaseNamedObjects: one name, two ways to it */
static void test_global(void)
{
    WCHAR global[120], real[120];
    HANDLE port;

    swprintf(real, ARRAY_SIZE(real), L"\\BaseNamedObjects\\%ls", new_leaf());
    swprintf(global, ARRAY_SIZE(global), L"\\Sessions\\1\\BaseNamedObjects\\Global\\%ls", wcsrchr(real, '\\') + 1);
    port = create_named(NAMED(NULL, global, 0));
    check_reaches(port, NAMED(NULL, real, 0));
    check_reaches(port, NAMED(NULL, global, 0));
    ok_status("4.2", port_creation(NAMED(NULL, real, 0)), STATUS_OBJECT_NAME_COLLISION);
    NtClose(port);
    port = create_named(NAMED(NULL, real, 0));
    check_reaches(port, NAMED(NULL, global, 0));
    NtClose(port);
}

/* ---------------------------------------------------------------------------------------------- directories */

static void test_directories(void)
{
    WCHAR path[120], name[160];
    HANDLE directory, nested, port, other;

    wcscpy(path, new_name());
    directory = make_directory(NULL, path);
    nested = make_directory(directory, L"nested");
    port = create_named(NAMED(directory, L"nested\\port", 0));
    swprintf(name, ARRAY_SIZE(name), L"%ls\\nested\\port", path);
    ok(!wcscmp(name_of(port), name), "[4.2] the name is %s\n", wine_dbgstr_w(name_of(port)));
    check_reaches(port, NAMED(NULL, name, 0));
    check_reaches(port, NAMED(directory, L"nested\\port", 0));
    check_reaches(port, NAMED(nested, L"port", 0));
    ok_status("4.2", port_creation(NAMED(nested, L"port", 0)), STATUS_OBJECT_NAME_COLLISION);
    ok_status("4.2", port_creation(NAMED(NULL, name, 0)), STATUS_OBJECT_NAME_COLLISION);

    /* the same last part in another directory */
    other = create_named(NAMED(directory, L"port", 0));
    check_reaches(other, NAMED(directory, L"port", 0));
    check_reaches(port, NAMED(nested, L"port", 0));
    NtClose(other);
    ok_status("4.2", try_connect(NAMED(directory, L"port", 0)), STATUS_OBJECT_NAME_NOT_FOUND);
    check_reaches(port, NAMED(nested, L"port", 0));

    /* a port keeps what it is in */
    NtClose(nested);
    NtClose(directory);
    check_reaches(port, NAMED(NULL, name, 0));
    NtClose(port);
    ok_status("4.2", try_connect(NAMED(NULL, name, 0)), STATUS_OBJECT_PATH_NOT_FOUND);
}

/* a port that can only be reached through a handle of its directory */
static void test_unnamed_directories(void)
{
    HANDLE directories[2], ports[2], absolute;
    WCHAR leaf[80], name[120];
    unsigned int i;

    wcscpy(leaf, new_leaf());
    swprintf(name, ARRAY_SIZE(name), L"\\%ls", leaf);
    for (i = 0; i < ARRAY_SIZE(directories); i++)
    {
        directories[i] = make_directory(NULL, NULL);
        ok_status("4.2", try_connect(NAMED(directories[i], leaf, 0)), STATUS_OBJECT_NAME_NOT_FOUND);
        ports[i] = create_named(NAMED(directories[i], leaf, 0));
    }
    ok_status("4.2", port_creation(NAMED(directories[0], leaf, 0)), STATUS_OBJECT_NAME_COLLISION);
    check_reaches(ports[0], NAMED(directories[0], leaf, 0));
    check_reaches(ports[1], NAMED(directories[1], leaf, 0));
    check_reaches(ports[0], NAMED(directories[0], leaf, OBJ_CASE_INSENSITIVE));
    /* they are nowhere else, in particular not at the root */
    ok_status("4.2", try_connect(NAMED(NULL, name, 0)), STATUS_OBJECT_NAME_NOT_FOUND);
    ok_status("4.2", try_connect_string(name), STATUS_OBJECT_NAME_NOT_FOUND);

    /* one more by this name, at the root */
    absolute = create_named(NAMED(NULL, name, 0));
    check_reaches(absolute, NAMED(NULL, name, 0));
    check_reaches(ports[0], NAMED(directories[0], leaf, 0));
    check_reaches(ports[1], NAMED(directories[1], leaf, 0));

    /* one goes, the others stay */
    NtClose(ports[0]);
    ok_status("4.2", try_connect(NAMED(directories[0], leaf, 0)), STATUS_OBJECT_NAME_NOT_FOUND);
    check_reaches(ports[1], NAMED(directories[1], leaf, 0));
    check_reaches(absolute, NAMED(NULL, name, 0));
    ports[0] = create_named(NAMED(directories[0], leaf, 0));
    check_reaches(ports[0], NAMED(directories[0], leaf, 0));
    check_reaches(ports[1], NAMED(directories[1], leaf, 0));
    NtClose(absolute);
    ok_status("4.2", try_connect(NAMED(NULL, name, 0)), STATUS_OBJECT_NAME_NOT_FOUND);
    check_reaches(ports[1], NAMED(directories[1], leaf, 0));
    for (i = 0; i < ARRAY_SIZE(directories); i++)
    {
        NtClose(ports[i]);
        NtClose(directories[i]);
    }
}

static void test_missing(void)
{
    WCHAR name[120];

    ok_status("1.3", port_creation(NAMED(NULL, L"\\no such directory\\port", 0)), STATUS_OBJECT_PATH_NOT_FOUND);
    ok_status("4.3", try_connect(NAMED(NULL, L"\\no such directory\\port", 0)), STATUS_OBJECT_PATH_NOT_FOUND);
    ok_status("4.3", try_connect_string(L"\\no such directory\\port"), STATUS_OBJECT_PATH_NOT_FOUND);
    ok_status("4.3", try_connect(NAMED(NULL, L"\\RPC Control\\no such port", 0)), STATUS_OBJECT_NAME_NOT_FOUND);
    ok_status("4.3", try_connect_string(L"\\RPC Control\\no such port"), STATUS_OBJECT_NAME_NOT_FOUND);
    swprintf(name, ARRAY_SIZE(name), L"%ls\\port", new_name());
    ok_status("1.3", port_creation(NAMED(NULL, name, 0)), STATUS_OBJECT_PATH_NOT_FOUND);
    ok_status("4.3", try_connect(NAMED(NULL, name, 0)), STATUS_OBJECT_PATH_NOT_FOUND);
}

/* ---------------------------------------------------------------------------------------------- case */

static void test_case(void)
{
    WCHAR name[80], upper[80], leaf_upper[80];
    HANDLE port, other;

    wcscpy(name, new_name());
    wcscpy(upper, name);
    CharUpperW(upper);
    /* only the last part in capitals, the directory as it is */
    wcscpy(leaf_upper, name);
    CharUpperW(wcsrchr(leaf_upper, '\\'));

    port = create_named(NAMED(NULL, name, 0));
    check_reaches(port, NAMED(NULL, upper, OBJ_CASE_INSENSITIVE));
    check_reaches(port, NAMED(NULL, leaf_upper, OBJ_CASE_INSENSITIVE));
    /* the call that takes a string has no attributes to say so */
    ok_status("4.2", try_connect_string(upper), STATUS_SUCCESS);
    ok_status("4.2", try_connect_string(leaf_upper), STATUS_SUCCESS);
    ok_status("4.2", try_connect(NAMED(NULL, leaf_upper, 0)), STATUS_OBJECT_NAME_NOT_FOUND);
    ok_status("4.2", try_connect(NAMED(NULL, upper, 0)), event_opening(NAMED(NULL, upper, 0)));
    ok_status("4.2", port_creation(NAMED(NULL, leaf_upper, OBJ_CASE_INSENSITIVE)), STATUS_OBJECT_NAME_COLLISION);

    /* two names that differ in nothing else */
    other = create_named(NAMED(NULL, leaf_upper, 0));
    check_reaches(port, NAMED(NULL, name, 0));
    check_reaches(other, NAMED(NULL, leaf_upper, 0));
    NtClose(other);
    check_reaches(port, NAMED(NULL, leaf_upper, OBJ_CASE_INSENSITIVE));
    NtClose(port);

    /* however it was created */
    port = create_named(NAMED(NULL, name, OBJ_CASE_INSENSITIVE));
    ok_status("4.2", try_connect(NAMED(NULL, leaf_upper, 0)), STATUS_OBJECT_NAME_NOT_FOUND);
    check_reaches(port, NAMED(NULL, leaf_upper, OBJ_CASE_INSENSITIVE));
    NtClose(port);
}

/* ---------------------------------------------------------------------------------------------- symbolic links */

static void test_links(void)
{
    WCHAR directory_path[120], link_path[120], target[160], name[160], port_path[160];
    HANDLE directory, link, port, port_link;

    wcscpy(directory_path, new_name());
    wcscpy(link_path, new_name());
    directory = make_directory(NULL, directory_path);
    link = make_link(NULL, link_path, directory_path);

    /* to a directory */
    swprintf(name, ARRAY_SIZE(name), L"%ls\\port", link_path);
    swprintf(target, ARRAY_SIZE(target), L"%ls\\port", directory_path);
    port = create_named(NAMED(NULL, name, 0));
    ok(!wcscmp(name_of(port), target), "[4.2] the name is %s\n", wine_dbgstr_w(name_of(port)));
    check_reaches(port, NAMED(NULL, name, 0));
    check_reaches(port, NAMED(NULL, target, 0));
    check_reaches(port, NAMED(directory, L"port", 0));
    ok_status("4.2", try_connect_string(name), STATUS_SUCCESS);
    ok_status("4.2", port_creation(NAMED(NULL, target, 0)), STATUS_OBJECT_NAME_COLLISION);

    /* to a port */
    wcscpy(port_path, new_name());
    port_link = make_link(NULL, port_path, target);
    check_reaches(port, NAMED(NULL, port_path, 0));
    ok_status("4.2", try_connect_string(port_path), STATUS_SUCCESS);
    /* to a link to a directory with a port */
    NtClose(port_link);
    port_link = make_link(NULL, port_path, name);
    check_reaches(port, NAMED(NULL, port_path, 0));
    ok_status("4.2", port_creation(NAMED(NULL, port_path, 0)), STATUS_OBJECT_NAME_COLLISION);
    NtClose(port);

    /* to nothing */
    ok_status("4.2", try_connect(NAMED(NULL, port_path, 0)), event_opening(NAMED(NULL, port_path, 0)));
    ok_status("4.2", try_connect_string(port_path), event_opening(NAMED(NULL, port_path, OBJ_CASE_INSENSITIVE)));
    ok_status("4.2", port_creation(NAMED(NULL, port_path, 0)), event_creation(NAMED(NULL, port_path, 0)));
    NtClose(port_link);
    NtClose(link);
    ok_status("4.2", try_connect(NAMED(NULL, name, 0)), STATUS_OBJECT_PATH_NOT_FOUND);
    NtClose(directory);
}

/* ---------------------------------------------------------------------------------------------- syntax */

static void check_syntax(HANDLE root, const WCHAR *name, SIZE_T size)
{
    struct object_name object;
    POBJECT_ATTRIBUTES attributes = name_object(&object, root, name, 0);

    object.string.Length = (USHORT)size;
    winetest_push_context("%s, %Iu bytes%s", wine_dbgstr_wn(name, size > 80 ? 40 : (int)(size / sizeof(WCHAR))), size,
                          root ? ", with a root" : "");
    ok_status("4.2, 3.10", port_creation(attributes), event_creation(attributes));
    ok_status("4.2, 3.10", try_connect(attributes), event_opening(attributes));
    winetest_pop_context();
}

static void test_syntax(void)
{
    static const WCHAR *const absolute[] = { L"port",
                                             L"RPC Control\\port",
                                             L"\\",
                                             L"\\\\",
                                             L"\\\\port",
                                             L"\\RPC Control",
                                             L"\\RPC Control\\",
                                             L"\\RPC Control\\\\port",
                                             L"\\RPC Control\\port\\",
                                             L"\\RPC Control\\\\",
                                             L"/RPC Control/port",
                                             L".\\port",
                                             L"\\RPC Control\\..\\port",
                                             L"\\RPC Control\\no such\\port" };
    static const WCHAR *const relative[] = {
        L"\\", L"\\port", L"\\RPC Control\\port", L"port\\", L"no such\\port", L"\\\\no", L"a/b", L"..", L"."
    };
    static WCHAR longest[0x7fff];
    HANDLE directory = make_directory(NULL, NULL), closed, event, port;
    WCHAR name[80], below[120];
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(absolute); i++)
        check_syntax(NULL, absolute[i], wcslen(absolute[i]) * sizeof(WCHAR));
    for (i = 0; i < ARRAY_SIZE(relative); i++)
        check_syntax(directory, relative[i], wcslen(relative[i]) * sizeof(WCHAR));
    /* half a character too much or too little; a nul in the middle */
    check_syntax(NULL, L"\\RPC Control\\port", 2 * 17 - 1);
    check_syntax(NULL, L"\\RPC Control\\port", 1);
    check_syntax(directory, L"port", 3);
    check_syntax(directory, L"po\0rt", 5 * sizeof(WCHAR));
    /* long ones */
    for (i = 0; i < ARRAY_SIZE(longest); i++)
        longest[i] = 'a';
    check_syntax(directory, longest, 300 * sizeof(WCHAR));
    check_syntax(directory, longest, 0x4000 * sizeof(WCHAR));
    check_syntax(directory, longest, 0x7fff * sizeof(WCHAR));
    memcpy(longest, L"\\RPC Control\\", 13 * sizeof(WCHAR));
    check_syntax(NULL, longest, 0x7000 * sizeof(WCHAR));

    /* roots that are none */
    closed = make_directory(NULL, NULL);
    NtClose(closed);
    check_syntax(closed, L"port", 8);
    check_syntax((HANDLE)(ULONG_PTR)0xdeadbee0, L"port", 8);
    NtCreateEvent(&event, EVENT_ALL_ACCESS, NULL, 0, FALSE);
    check_syntax(event, L"port", 8);
    NtClose(event);

    /* what is no directory has nothing in it; so too with a port */
    wcscpy(name, new_name());
    swprintf(below, ARRAY_SIZE(below), L"%ls\\port", name);
    NtCreateEvent(&event, EVENT_ALL_ACCESS, NAMED(NULL, name, 0), 0, FALSE);
    check_syntax(NULL, below, wcslen(below) * sizeof(WCHAR));
    NtClose(event);
    port = create_named(NAMED(NULL, name, 0));
    check_syntax(NULL, below, wcslen(below) * sizeof(WCHAR));
    check_syntax(port, L"port", 8);
    check_reaches(port, NAMED(NULL, name, 0));
    NtClose(port);
    NtClose(directory);
}

/* without a name there is a port, but nothing to connect to */
static void test_no_name(void)
{
    UNICODE_STRING empty = { 0, 0, NULL };
    OBJECT_ATTRIBUTES object;
    HANDLE directory = make_directory(NULL, NULL);

    InitializeObjectAttributes(&object, &empty, 0, NULL, NULL);
    ok_status("1.3", port_creation(&object), STATUS_SUCCESS);
    ok_status("4.2", port_creation(NAMED(NULL, L"", 0)), event_creation(NAMED(NULL, L"", 0)));
    ok_status("4.2", port_creation(NAMED(directory, L"", 0)), event_creation(NAMED(directory, L"", 0)));
    ok_status("4.2", port_creation(NAMED(directory, NULL, 0)), event_creation(NAMED(directory, NULL, 0)));
    ok(try_connect(NAMED(NULL, L"", 0)) < 0, "[4.3] connected to an empty name\n");
    ok(try_connect(NAMED(NULL, NULL, 0)) < 0, "[4.3] connected to no name\n");
    ok(try_connect(NAMED(directory, NULL, 0)) < 0, "[4.3] connected to a directory\n");
    ok(try_connect_string(L"") < 0, "[4.3] connected to an empty name\n");
    NtClose(directory);
}

/* ---------------------------------------------------------------------------------------------- other objects */

static NTSTATUS create_event(PHANDLE handle, POBJECT_ATTRIBUTES object)
{
    return NtCreateEvent(handle, EVENT_ALL_ACCESS, object, 0, FALSE);
}

static NTSTATUS create_semaphore(PHANDLE handle, POBJECT_ATTRIBUTES object)
{
    return NtCreateSemaphore(handle, SEMAPHORE_ALL_ACCESS, object, 1, 2);
}

static NTSTATUS create_mutant(PHANDLE handle, POBJECT_ATTRIBUTES object)
{
    return NtCreateMutant(handle, MUTANT_ALL_ACCESS, object, FALSE);
}

static NTSTATUS create_section(PHANDLE handle, POBJECT_ATTRIBUTES object)
{
    LARGE_INTEGER size = { .QuadPart = 0x1000 };

    return NtCreateSection(handle, SECTION_ALL_ACCESS, object, &size, PAGE_READWRITE, SEC_COMMIT, NULL);
}

static NTSTATUS create_timer(PHANDLE handle, POBJECT_ATTRIBUTES object)
{
    return NtCreateTimer(handle, TIMER_ALL_ACCESS, object, 0);
}

static NTSTATUS create_completion(PHANDLE handle, POBJECT_ATTRIBUTES object)
{
    return NtCreateIoCompletion(handle, IO_COMPLETION_ALL_ACCESS, object, 0);
}

static NTSTATUS create_directory(PHANDLE handle, POBJECT_ATTRIBUTES object)
{
    return NtCreateDirectoryObject(handle, DIRECTORY_ALL_ACCESS, object);
}

static NTSTATUS create_link(PHANDLE handle, POBJECT_ATTRIBUTES object)
{
    UNICODE_STRING target;

    RtlInitUnicodeString(&target, L"\\BaseNamedObjects");
    return NtCreateSymbolicLinkObject(handle, SYMBOLIC_LINK_ALL_ACCESS, object, &target);
}

static NTSTATUS create_keyed_event(PHANDLE handle, POBJECT_ATTRIBUTES object)
{
    return NtCreateKeyedEvent(handle, KEYEDEVENT_ALL_ACCESS, object, 0);
}

static NTSTATUS create_job(PHANDLE handle, POBJECT_ATTRIBUTES object)
{
    return NtCreateJobObject(handle, JOB_OBJECT_ALL_ACCESS, object);
}

typedef NTSTATUS(NTAPI *open_call)(PHANDLE handle, ACCESS_MASK access, POBJECT_ATTRIBUTES object);

static const struct kind
{
    const char *name;
    NTSTATUS (*create)(PHANDLE handle, POBJECT_ATTRIBUTES object);
    open_call open;
    const WCHAR *type; /* as directories show it */
} kinds[] = {
    { "event", create_event, NtOpenEvent, L"Event" },
    { "semaphore", create_semaphore, NtOpenSemaphore, L"Semaphore" },
    { "mutant", create_mutant, NtOpenMutant, L"Mutant" },
    { "section", create_section, NtOpenSection, L"Section" },
    { "timer", create_timer, NtOpenTimer, L"Timer" },
    { "completion port", create_completion, NtOpenIoCompletion, L"IoCompletion" },
    { "directory", create_directory, NtOpenDirectoryObject, L"Directory" },
    { "keyed event", create_keyed_event, NtOpenKeyedEvent, L"KeyedEvent" },
    { "job", create_job, NtOpenJobObject, L"Job" },
    /* names are looked up through it, so it is compared with an event */
    { "symbolic link", create_link, NtOpenSymbolicLinkObject, L"SymbolicLink" },
};

static BOOL is_link(const struct kind *kind)
{
    return kind->create == create_link;
}

/* the other object has the name: no port can get it, and none is found there */
static void check_taken_name(const struct kind *kind)
{
    const WCHAR *name = new_name();
    HANDLE object;
    NTSTATUS status;
    BOOL link = is_link(kind);

    status = kind->create(&object, NAMED(NULL, name, 0));
    ok(!status, "cannot create it: %#lx\n", status);
    if (status)
        return;
    ok_status("4.2", port_creation(NAMED(NULL, name, 0)),
              link ? event_creation(NAMED(NULL, name, 0)) : STATUS_OBJECT_NAME_COLLISION);
    ok_status("4.2", port_creation(NAMED(NULL, name, OBJ_CASE_INSENSITIVE)),
              link ? event_creation(NAMED(NULL, name, OBJ_CASE_INSENSITIVE)) : STATUS_OBJECT_NAME_COLLISION);
    ok_status("4.2", try_connect(NAMED(NULL, name, 0)), STATUS_OBJECT_TYPE_MISMATCH);
    ok_status("4.2", try_connect_string(name), STATUS_OBJECT_TYPE_MISMATCH);
    NtClose(object);
    ok_status("4.2", try_connect(NAMED(NULL, name, 0)), STATUS_OBJECT_NAME_NOT_FOUND);
    ok_status("4.2", port_creation(NAMED(NULL, name, 0)), STATUS_SUCCESS);
}

/* the port has the name, which an event could have as well: what the other call would have said then */
static void check_port_name(const struct kind *kind)
{
    const struct kind *reference = &kinds[kind->create == create_event];
    WCHAR name[80];
    HANDLE port, other, object = NULL;
    NTSTATUS created, opened_if, opened, status;

    wcscpy(name, new_name());
    reference->create(&other, NAMED(NULL, name, 0));
    created = kind->create(&object, NAMED(NULL, name, 0));
    opened_if = kind->create(&object, NAMED(NULL, name, OBJ_OPENIF));
    opened = kind->open(&object, MAXIMUM_ALLOWED, NAMED(NULL, name, 0));
    NtClose(other);
    ok(created == STATUS_OBJECT_NAME_COLLISION && opened < 0, "over an event: %#lx, %#lx, %#lx\n", created, opened_if,
       opened);

    port = create_named(NAMED(NULL, name, 0));
    ok_status("4.2", kind->create(&object, NAMED(NULL, name, 0)), created);
    ok_status("4.2", kind->create(&object, NAMED(NULL, name, OBJ_OPENIF)), opened_if);
    ok_status("4.2", kind->open(&object, MAXIMUM_ALLOWED, NAMED(NULL, name, 0)), opened);
    ok_status("4.2", kind->open(&object, MAXIMUM_ALLOWED, NAMED(NULL, name, OBJ_CASE_INSENSITIVE)), opened);
    check_reaches(port, NAMED(NULL, name, 0));
    NtClose(port);
    status = kind->create(&object, NAMED(NULL, name, 0));
    ok(!status, "[4.2] the name is not free again: %#lx\n", status);
    if (!status)
        NtClose(object);
}

static void test_other_objects(void)
{
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(kinds); i++)
    {
        winetest_push_context("%s", kinds[i].name);
        check_taken_name(&kinds[i]);
        check_port_name(&kinds[i]);
        winetest_pop_context();
    }
}

/* a completion port of the program's own is none of ours, also with packets in it */
static void test_completion_ports(void)
{
    /* whatever access is asked for */
    static const ACCESS_MASK rights[] = { IO_COMPLETION_ALL_ACCESS, IO_COMPLETION_MODIFY_STATE, SYNCHRONIZE,
                                          MAXIMUM_ALLOWED, GENERIC_READ, GENERIC_WRITE };
    WCHAR name[80];
    HANDLE completion, opened, port;
    ULONG before;
    unsigned int i;

    wcscpy(name, new_name());
    create_completion(&completion, NAMED(NULL, name, 0));
    for (i = 0; i < 3; i++)
    {
        ok_status("4.2", try_connect(NAMED(NULL, name, 0)), STATUS_OBJECT_TYPE_MISMATCH);
        ok_status("4.2", NtOpenIoCompletion(&opened, IO_COMPLETION_ALL_ACCESS, NAMED(NULL, name, 0)), STATUS_SUCCESS);
        NtClose(opened);
        ok_status("4.2", NtCreateIoCompletion(&opened, IO_COMPLETION_ALL_ACCESS, NAMED(NULL, name, OBJ_OPENIF), 0),
                  STATUS_OBJECT_NAME_EXISTS);
        NtClose(opened);
        PostQueuedCompletionStatus(completion, 0, 0, NULL);
    }
    NtClose(completion);

    /* and a port is none of the program's */
    port = create_named(NAMED(NULL, name, 0));
    before = count_handles();
    for (i = 0; i < ARRAY_SIZE(rights); i++)
    {
        winetest_push_context("access %#lx", rights[i]);
        opened = UNTOUCHED_HANDLE;
        ok_status("4.2", NtOpenIoCompletion(&opened, rights[i], NAMED(NULL, name, 0)), STATUS_OBJECT_TYPE_MISMATCH);
        ok(!opened || opened == UNTOUCHED_HANDLE, "[4.2] handle %p\n", opened);
        ok_status("4.2", NtCreateIoCompletion(&opened, rights[i], NAMED(NULL, name, OBJ_OPENIF), 0),
                  STATUS_OBJECT_TYPE_MISMATCH);
        winetest_pop_context();
    }
    ok(count_handles() == before, "%lu handles instead of %lu\n", count_handles(), before);
    ok_status("4.2", NtCreateIoCompletion(&opened, IO_COMPLETION_ALL_ACCESS, NAMED(NULL, name, 0), 0),
              STATUS_OBJECT_NAME_COLLISION);
    NtClose(port);
}

/* ---------------------------------------------------------------------------------------------- lifetime */

static void test_lifetime(void)
{
    WCHAR name[80];
    HANDLE port, duplicate;
    unsigned int i;

    /* the name goes with the last handle */
    wcscpy(name, new_name());
    port = create_named(NAMED(NULL, name, 0));
    ok(DuplicateHandle(GetCurrentProcess(), port, GetCurrentProcess(), &duplicate, 0, FALSE, DUPLICATE_SAME_ACCESS),
       "cannot duplicate: %lu\n", GetLastError());
    NtClose(port);
    check_reaches(duplicate, NAMED(NULL, name, 0));
    ok_status("4.2", port_creation(NAMED(NULL, name, 0)), STATUS_OBJECT_NAME_COLLISION);
    NtClose(duplicate);
    ok_status("4.2", try_connect(NAMED(NULL, name, 0)), STATUS_OBJECT_NAME_NOT_FOUND);

    /* at once, and as often as one likes */
    for (i = 0; i < 100; i++)
    {
        port = create_named(NAMED(NULL, name, 0));
        if (i % 10 == 0)
            check_reaches(port, NAMED(NULL, name, 0));
        NtClose(port);
        ok_status("4.2", try_connect(NAMED(NULL, name, 0)), STATUS_OBJECT_NAME_NOT_FOUND);
    }
}

/* waits for the name of a process that has died to be free */
static NTSTATUS creation_at_last(const WCHAR *name)
{
    DWORD begun = GetTickCount();
    NTSTATUS status;

    while ((status = port_creation(NAMED(NULL, name, 0))) == STATUS_OBJECT_NAME_COLLISION &&
           GetTickCount() - begun < HANG)
        Sleep(10);
    return status;
}

static void test_process_death(void)
{
    struct agent *agent = agent_process();
    WCHAR name[80];
    HANDLE port, copy;

    /* ended in order */
    wcscpy(name, new_name());
    create_port(agent, name);
    ok_status("4.2", port_creation(NAMED(NULL, name, 0)), STATUS_OBJECT_NAME_COLLISION);
    ok_status("4.2", try_connect(NAMED(NULL, name, 0)), STATUS_SUCCESS);
    agent_stop(agent);
    ok_status("4.2", creation_at_last(name), STATUS_SUCCESS);
    ok_status("4.2", try_connect(NAMED(NULL, name, 0)), STATUS_OBJECT_NAME_NOT_FOUND);

    /* terminated */
    agent = agent_process();
    wcscpy(name, new_name());
    create_port(agent, name);
    agent_kill(agent);
    ok_status("4.2", creation_at_last(name), STATUS_SUCCESS);
    ok_status("4.2", try_connect(NAMED(NULL, name, 0)), STATUS_OBJECT_NAME_NOT_FOUND);

    /* terminated, but there is a handle elsewhere */
    agent = agent_process();
    wcscpy(name, new_name());
    port = create_port(agent, name);
    ok(DuplicateHandle(agent_process_handle(agent), port, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS),
       "cannot duplicate: %lu\n", GetLastError());
    agent_kill(agent);
    ok_status("4.2", port_creation(NAMED(NULL, name, 0)), STATUS_OBJECT_NAME_COLLISION);
    NtClose(copy);
    ok_status("4.2", creation_at_last(name), STATUS_SUCCESS);
}

/* ---------------------------------------------------------------------------------------------- directory listings */

struct listing
{
    unsigned int count;
    WCHAR names[20][40], types[20][40];
};

static void add_entry(struct listing *listing, const DIRECTORY_BASIC_INFORMATION *entry)
{
    unsigned int i = listing->count++;

    if (i >= ARRAY_SIZE(listing->names))
        return;
    swprintf(listing->names[i], ARRAY_SIZE(listing->names[i]), L"%.*ls",
             (int)(entry->ObjectName.Length / sizeof(WCHAR)), entry->ObjectName.Buffer);
    swprintf(listing->types[i], ARRAY_SIZE(listing->types[i]), L"%.*ls",
             (int)(entry->ObjectTypeName.Length / sizeof(WCHAR)), entry->ObjectTypeName.Buffer);
    ok(entry->ObjectTypeName.Length == wcslen(listing->types[i]) * sizeof(WCHAR) &&
           !entry->ObjectTypeName.Buffer[entry->ObjectTypeName.Length / sizeof(WCHAR)],
       "[3.8] the type's name has length %u and no nul\n", entry->ObjectTypeName.Length);
}

/* size of the buffer; one entry for each call or as many as fit */
static void list_directory(HANDLE directory, struct listing *listing, ULONG size, BOOLEAN single)
{
    BYTE *buffer = malloc(size);
    DIRECTORY_BASIC_INFORMATION *entry;
    ULONG context = 0, used;
    BOOLEAN restart = TRUE;
    NTSTATUS status;

    listing->count = 0;
    while (NT_SUCCESS(status = NtQueryDirectoryObject(directory, buffer, size, single, restart, &context, &used)) &&
           status != STATUS_NO_MORE_ENTRIES)
    {
        entry = (DIRECTORY_BASIC_INFORMATION *)buffer;
        do
            add_entry(listing, entry++);
        while (!single && entry->ObjectName.Buffer);
        restart = FALSE;
    }
    ok(status == STATUS_NO_MORE_ENTRIES, "[3.8] the listing ended with %#lx\n", status);
    free(buffer);
}

static const WCHAR *type_in(const struct listing *listing, const WCHAR *name)
{
    unsigned int i;

    for (i = 0; i < listing->count && i < ARRAY_SIZE(listing->names); i++)
        if (!wcscmp(listing->names[i], name))
            return listing->types[i];
    return L"(not there)";
}

/* Wine 8.0 cannot; what it lists is not for a port to change */
static BOOL host_lists_many(HANDLE directory)
{
    BYTE buffer[0x400];
    ULONG context = 0, used;

    return NtQueryDirectoryObject(directory, buffer, sizeof(buffer), FALSE, TRUE, &context, &used) !=
           STATUS_NOT_IMPLEMENTED;
}

static void check_listing(HANDLE directory, ULONG size, BOOLEAN single)
{
    struct listing listing;
    WCHAR name[40];
    unsigned int i;

    if (!single && !host_lists_many(directory))
    {
        skip("the host lists one object for each call\n");
        return;
    }
    winetest_push_context("buffer of %lu%s", size, single ? ", one by one" : "");
    list_directory(directory, &listing, size, single);
    ok(listing.count == ARRAY_SIZE(kinds) + 3, "[3.8] %u entries\n", listing.count);
    for (i = 0; i < ARRAY_SIZE(kinds); i++)
    {
        swprintf(name, ARRAY_SIZE(name), L"object %u", i);
        ok(!wcscmp(type_in(&listing, name), kinds[i].type), "the type of %s is %s\n", kinds[i].name,
           wine_dbgstr_w(type_in(&listing, name)));
    }
    for (i = 0; i < 3; i++)
    {
        swprintf(name, ARRAY_SIZE(name), L"port %u", i);
        ok(!wcscmp(type_in(&listing, name), L"ALPC Port"), "[3.8] the type of a port is %s\n",
           wine_dbgstr_w(type_in(&listing, name)));
    }
    winetest_pop_context();
}

static void test_listing(void)
{
    HANDLE directory = make_directory(NULL, new_name()), unnamed = make_directory(NULL, NULL), port;
    HANDLE objects[ARRAY_SIZE(kinds)], ports[3];
    struct listing listing;
    WCHAR name[40];
    unsigned int i;
    NTSTATUS status;

    for (i = 0; i < ARRAY_SIZE(objects); i++)
    {
        swprintf(name, ARRAY_SIZE(name), L"object %u", i);
        status = kinds[i].create(&objects[i], NAMED(directory, name, 0));
        ok(!status, "cannot create a %s: %#lx\n", kinds[i].name, status);
    }
    for (i = 0; i < ARRAY_SIZE(ports); i++)
    {
        swprintf(name, ARRAY_SIZE(name), L"port %u", i);
        ports[i] = create_named(NAMED(directory, name, 0));
    }
    check_listing(directory, 0x4000, FALSE);
    check_listing(directory, 0x4000, TRUE);
    check_listing(directory, 0x200, FALSE);
    check_listing(directory, 0x200, TRUE);
    for (i = 0; i < ARRAY_SIZE(objects); i++)
        NtClose(objects[i]);
    for (i = 0; i < ARRAY_SIZE(ports); i++)
        NtClose(ports[i]);
    list_directory(directory, &listing, 0x4000, TRUE);
    ok(!listing.count, "[4.2] %u entries are left\n", listing.count);

    port = create_named(NAMED(unnamed, L"port", 0));
    list_directory(unnamed, &listing, 0x4000, TRUE);
    ok(listing.count == 1 && !wcscmp(type_in(&listing, L"port"), L"ALPC Port"), "[3.8] the type of a port is %s\n",
       wine_dbgstr_w(type_in(&listing, L"port")));
    NtClose(port);
    NtClose(unnamed);
    NtClose(directory);
}

/* the port is in the listing as soon as it can be found, from another process too */
static void test_other_process(void)
{
    struct agent *agent = agent_process();
    HANDLE directory, port;
    struct listing listing;
    WCHAR path[80], name[120];

    wcscpy(path, new_name());
    directory = make_directory(NULL, path);
    swprintf(name, ARRAY_SIZE(name), L"%ls\\port", path);
    wcscpy(prepare(agent)->name, name);
    ok_status("1.3", perform(agent, call_create), STATUS_SUCCESS);
    port = agent->call->handle;
    list_directory(directory, &listing, 0x4000, TRUE);
    ok(!wcscmp(type_in(&listing, L"port"), L"ALPC Port"), "[3.8] the type of a port is %s\n",
       wine_dbgstr_w(type_in(&listing, L"port")));
    ok_status("4.2", port_creation(NAMED(directory, L"port", 0)), STATUS_OBJECT_NAME_COLLISION);
    ok_status("4.2", event_creation(NAMED(directory, L"port", 0)), STATUS_OBJECT_NAME_COLLISION);
    ok_status("4.2", try_connect(NAMED(directory, L"port", 0)), STATUS_SUCCESS);
    close_handle(agent, port);
    ok_status("4.2", try_connect(NAMED(directory, L"port", 0)), STATUS_OBJECT_NAME_NOT_FOUND);
    agent_stop(agent);
    NtClose(directory);
}

START_TEST(names)
{
    if (agent_main())
        return;
    test_places();
    test_rpc_control();
    test_global();
    test_directories();
    test_unnamed_directories();
    test_missing();
    test_case();
    test_links();
    test_syntax();
    test_no_name();
    test_other_objects();
    test_completion_ports();
    test_lifetime();
    test_process_death();
    test_listing();
    test_other_process();
}
