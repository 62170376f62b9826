/*
 * NtAlpcCreatePort [alpc.md 1.3, 2.2, 3.1, 4.17, 7 #18 to #20]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names are in names.c, security descriptors in security.c, bad pointers in badptr.c.  Not here: what the limits of
 * sections and views do (they are accepted), SecurityQos (impersonation), MaxPoolUsage, which is not enforced [7 #21].
 */

#include "objects.h"

/* an unnamed port with these attributes */
static NTSTATUS create_with(PALPC_PORT_ATTRIBUTES attributes)
{
    NTSTATUS status;
    HANDLE port = try_create(NULL, attributes, &status);

    if (port)
        ok_status("1.3", NtClose(port), STATUS_SUCCESS);
    return status;
}

static void test_without_attributes(void)
{
    static const ULONG accepted[] = { 0, OBJ_CASE_INSENSITIVE, OBJ_INHERIT, OBJ_CASE_INSENSITIVE | OBJ_INHERIT };
    OBJECT_ATTRIBUTES object;
    HANDLE port, other;
    NTSTATUS status;
    unsigned int i;

    port = create_named(NULL);
    ok(access_of(port) == PORT_ALL_ACCESS, "[1.3] access %#lx\n", access_of(port));
    ok(flags_of(port) == ALPC_PORFLG_ALLOW_LPC_REQUESTS, "[1.3] flags %#lx\n", flags_of(port));
    /* each is a port of its own */
    other = create_named(NULL);
    ok(other != port, "[1.3] two ports have one handle\n");
    NtClose(port);
    ok(flags_of(other) == ALPC_PORFLG_ALLOW_LPC_REQUESTS, "[1.3] flags %#lx\n", flags_of(other));
    NtClose(other);

    for (i = 0; i < ARRAY_SIZE(accepted); i++)
    {
        winetest_push_context("attributes %#lx", accepted[i]);
        port = create_named(NAMED(NULL, new_name(), accepted[i]));
        ok(access_of(port) == PORT_ALL_ACCESS, "[1.3] access %#lx\n", access_of(port));
        NtClose(port);
        /* unnamed, but with OBJECT_ATTRIBUTES */
        port = create_named(NAMED(NULL, NULL, accepted[i]));
        NtClose(port);
        winetest_pop_context();
    }

    object = *NAMED(NULL, new_name(), 0);
    object.Length = sizeof(object) - 1;
    ok(!try_create(&object, NULL, &status), "[1.3] a port from attributes that are too short\n");
    ok_status("1.3", status, STATUS_INVALID_PARAMETER);
}

static void test_collision(void)
{
    WCHAR name[80];
    HANDLE port;
    NTSTATUS status;

    wcscpy(name, new_name());
    port = create_named(NAMED(NULL, name, 0));
    ok(!try_create(NAMED(NULL, name, 0), NULL, &status), "[1.3] the name was given twice\n");
    ok_status("1.3", status, STATUS_OBJECT_NAME_COLLISION);
    /* it is no way to open one */
    ok(!try_create(NAMED(NULL, name, OBJ_OPENIF), NULL, &status), "[1.3] a port was opened\n");
    ok_status("1.3", status, STATUS_OBJECT_NAME_COLLISION);
    NtClose(port);
    port = create_named(NAMED(NULL, name, OBJ_OPENIF));
    NtClose(port);
}

static void test_missing_directory(void)
{
    NTSTATUS status;

    ok(!try_create(NAMED(NULL, L"\\no such directory\\port", 0), NULL, &status), "[1.3] a port nowhere\n");
    ok_status("1.3", status, STATUS_OBJECT_PATH_NOT_FOUND);
    ok(!try_create(NAMED(NULL, L"\\RPC Control\\no such directory\\port", 0), NULL, &status), "[1.3] a port nowhere\n");
    ok_status("1.3", status, STATUS_OBJECT_PATH_NOT_FOUND);
}

/* 7 #20: 0 is the default; what is below a header makes no sense; what is above the largest message is taken for that
 */
static void test_max_message(void)
{
    static const struct
    {
        SIZE_T given;
        NTSTATUS status;
    } tests[] = {
        { 0, STATUS_SUCCESS },
        { 1, STATUS_INVALID_PARAMETER },
        { HEADER_SIZE - 1, STATUS_INVALID_PARAMETER },
        { HEADER_SIZE, STATUS_SUCCESS },
        { 0x1000, STATUS_SUCCESS },
        { 0xffff, STATUS_SUCCESS },
        { 0x10000, STATUS_SUCCESS },
        { 0x100000, STATUS_SUCCESS },
        { ~(SIZE_T)0, STATUS_SUCCESS },
#ifdef _WIN64
        /* not cut off to 32 bits */
        { 0x100000001, STATUS_SUCCESS },
#endif
    };
    ALPC_PORT_ATTRIBUTES attributes = { 0 };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(tests); i++)
    {
        winetest_push_context("MaxMessageLength %#Ix", tests[i].given);
        attributes.MaxMessageLength = tests[i].given;
        ok_status("7 #20", create_with(&attributes), tests[i].status);
        winetest_pop_context();
    }
}

/* a connection message that is one byte longer is refused; the default is the largest of all [7 #19] */
static void test_max_message_effect(void)
{
    static const struct
    {
        SIZE_T given;
        ULONG longest;
    } tests[] = {
        { HEADER_SIZE, HEADER_SIZE }, { 0x100, 0x100 }, { 0xfffe, 0xfffe }, { 0, 0xffff }, { 0x10000, 0xffff }
    };
    static struct big_message message;
    ALPC_PORT_ATTRIBUTES attributes = { 0 };
    UNICODE_STRING string;
    WCHAR name[80];
    HANDLE port, client;
    NTSTATUS status;
    ULONG length;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(tests); i++)
    {
        winetest_push_context("MaxMessageLength %#Ix", tests[i].given);
        wcscpy(name, new_name());
        RtlInitUnicodeString(&string, name);
        attributes.MaxMessageLength = tests[i].given;
        port = try_create(NAMED(NULL, name, 0), &attributes, &status);
        ok_status("7 #20", status, STATUS_SUCCESS);
        for (length = tests[i].longest; length <= tests[i].longest + 1 && length <= 0xffff; length++)
        {
            SIZE_T size = sizeof(message);

            message.header.u1.s1.TotalLength = (SHORT)length;
            message.header.u1.s1.DataLength = (SHORT)(length - HEADER_SIZE);
            status = NtAlpcConnectPort(&client, &string, NULL, NULL, 0, NULL, &message.header, &size, NULL, NULL, NULL);
            ok_status("4.17", status, length == tests[i].longest ? STATUS_SUCCESS : STATUS_PORT_MESSAGE_TOO_LONG);
            if (!status)
                NtClose(client);
        }
        NtClose(port);
        winetest_pop_context();
    }
}

static void test_flags(void)
{
    static const struct
    {
        ULONG given, shown;
    } tests[] = {
        { 0, 0x20000 },
        /* of real callers [6.1] */
        { 0x10000, 0x30000 },
        { 0xb0000, 0xb0000 },
        { 0xd0000, 0xf0000 },
        { 0x20d0000, 0x20f0000 },
        { 0x3080000, 0x30a0000 },
        { 0x20000, 0x20000 },
        { 0x40000, 0x60000 },
        { 0xe00000, 0xe20000 },
        /* the system's own: taken away */
        { 0x1000, 0x20000 },
    };
    ALPC_PORT_ATTRIBUTES attributes = { 0 };
    HANDLE port;
    NTSTATUS status;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(tests); i++)
    {
        winetest_push_context("flags %#lx", tests[i].given);
        attributes.Flags = tests[i].given;
        port = try_create(NULL, &attributes, &status);
        ok_status("3.1", status, STATUS_SUCCESS);
        if (port)
        {
            ok(flags_of(port) == tests[i].shown, "[1.3, 7 #18] shows %#lx\n", flags_of(port));
            NtClose(port);
        }
        winetest_pop_context();
    }
    /* a port of a system process is for the kernel to make */
    attributes.Flags = ALPC_PORFLG_SYSTEM_PROCESS;
    ok_status("3.1", create_with(&attributes), STATUS_INVALID_PARAMETER);
}

/* what is stored and has no effect on a port that nobody uses */
static void test_other_fields(void)
{
    static const ULONG types[] = { 0, 0xffd, 0xffffffff, 0x88000000, 0x100000, 2 };
    static const SIZE_T limits[] = { 0, 1, 0x10000, ~(SIZE_T)0 };
    ALPC_PORT_ATTRIBUTES attributes = { 0 };
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(types); i++)
    {
        attributes.DupObjectTypes = types[i];
        ok_status("3.2", create_with(&attributes), STATUS_SUCCESS);
    }
    for (i = 0; i < ARRAY_SIZE(limits); i++)
    {
        attributes.MemoryBandwidth = attributes.MaxPoolUsage = limits[i];
        attributes.MaxSectionSize = attributes.MaxViewSize = attributes.MaxTotalSectionSize = limits[i];
        ok_status("4.17", create_with(&attributes), STATUS_SUCCESS);
    }
    memset(&attributes, 0, sizeof(attributes));
    attributes.Flags = ALPC_PORFLG_ALLOW_IMPERSONATION;
    attributes.SecurityQos.Length = sizeof(attributes.SecurityQos);
    attributes.SecurityQos.ImpersonationLevel = SecurityImpersonation;
    attributes.SecurityQos.ContextTrackingMode = SECURITY_DYNAMIC_TRACKING;
    attributes.SecurityQos.EffectiveOnly = TRUE;
    ok_status("2.2", create_with(&attributes), STATUS_SUCCESS);
    /* all zero, Length too */
    memset(&attributes.SecurityQos, 0, sizeof(attributes.SecurityQos));
    ok_status("1.3", create_with(&attributes), STATUS_SUCCESS);
}

/* a call that fails leaves no name, no port and no handle */
static void test_failures_leave_nothing(void)
{
    ALPC_PORT_ATTRIBUTES attributes = { .MaxMessageLength = 1 };
    WCHAR name[80];
    HANDLE port;
    NTSTATUS status;
    ULONG before, i;

    wcscpy(name, new_name());
    before = count_handles();
    for (i = 0; i < 20; i++)
    {
        ok(!try_create(NAMED(NULL, name, 0), &attributes, &status), "[7 #20] too small a limit\n");
        ok_status("7 #20", status, STATUS_INVALID_PARAMETER);
    }
    ok(count_handles() == before, "%lu handles instead of %lu\n", count_handles(), before);
    ok_status("1.3", try_connect_string(name), STATUS_OBJECT_NAME_NOT_FOUND);
    port = create_named(NAMED(NULL, name, 0));
    NtClose(port);
}

START_TEST(create)
{
    if (agent_main())
        return;
    test_without_attributes();
    test_collision();
    test_missing_directory();
    test_max_message();
    test_max_message_effect();
    test_flags();
    test_other_fields();
    test_failures_leave_nothing();
}
