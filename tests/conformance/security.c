/*
 * Security descriptors of ports [alpc.md 3.8, 4.1, 4.3, 7 #31, #32]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who may connect, and with whom one is willing to be connected.  Not here: mandatory labels, audit.
 */

#include "objects.h"

#include <stddef.h>

/* ---------------------------------------------------------------------------------------------- SIDs and lists */

enum who
{
    ME,
    GROUP, /* the administrators: a group that I am in and may make an owner */
    EVERYONE,
    NOBODY,
    OWNER_RIGHTS,
    WHO_COUNT
};

static struct
{
    DWORD size;
    BYTE data[SECURITY_MAX_SID_SIZE];
} sids[WHO_COUNT];

static PSID sid_of(enum who who)
{
    return sids[who].data;
}

static void make_sid(enum who who, BYTE authority, BYTE count, const DWORD *numbers)
{
    SID_IDENTIFIER_AUTHORITY identifier = { { 0, 0, 0, 0, 0, authority } };
    BYTE i;

    InitializeSid(sid_of(who), &identifier, count);
    for (i = 0; i < count; i++)
        *GetSidSubAuthority(sid_of(who), i) = numbers[i];
}

/* TOKEN_USER, TOKEN_OWNER, TOKEN_PRIMARY_GROUP, TOKEN_DEFAULT_DACL: all begin with a pointer */
static void *token_information(TOKEN_INFORMATION_CLASS class)
{
    static void *buffers[4][0x100];
    static unsigned int next;
    void **buffer = buffers[next++ % ARRAY_SIZE(buffers)];
    HANDLE token;
    DWORD size;

    OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token);
    ok(GetTokenInformation(token, class, buffer, sizeof(buffers[0]), &size), "token class %u: %lu\n", class,
       GetLastError());
    CloseHandle(token);
    return *buffer;
}

static void make_sids(void)
{
    static const DWORD administrators[] = { 32, 544 }, world[] = { 0 }, nobody[] = { 21, 1, 2, 3, 4 }, owner[] = { 4 };
    PSID user = token_information(TokenUser);

    CopySid(sizeof(sids[ME].data), sid_of(ME), user);
    make_sid(GROUP, 5, 2, administrators);
    make_sid(EVERYONE, 1, 1, world);
    make_sid(NOBODY, 5, 5, nobody);
    make_sid(OWNER_RIGHTS, 3, 1, owner);
}

/* an entry of a DACL; the mask 0 ends a list */
struct entry
{
    BYTE type, flags;
    enum who who;
    ACCESS_MASK mask;
};

#define ALLOW(who, mask)                                                                                               \
    {                                                                                                                  \
        ACCESS_ALLOWED_ACE_TYPE, 0, who, mask                                                                          \
    }
#define DENY(who, mask)                                                                                                \
    {                                                                                                                  \
        ACCESS_DENIED_ACE_TYPE, 0, who, mask                                                                           \
    }
#define ALLOW_BELOW(who, mask)                                                                                         \
    {                                                                                                                  \
        ACCESS_ALLOWED_ACE_TYPE, INHERIT_ONLY_ACE | OBJECT_INHERIT_ACE, who, mask                                      \
    }
#define DENY_BELOW(who, mask)                                                                                          \
    {                                                                                                                  \
        ACCESS_DENIED_ACE_TYPE, INHERIT_ONLY_ACE | OBJECT_INHERIT_ACE, who, mask                                       \
    }

#define MOST_ENTRIES 6

/* a descriptor with what it points to */
struct descriptor
{
    SECURITY_DESCRIPTOR sd;
    DWORD dacl[0x80];
};

static PACL fill_dacl(struct descriptor *descriptor, const struct entry *entries)
{
    PACL dacl = (PACL)descriptor->dacl;
    struct
    {
        ACE_HEADER header;
        ACCESS_MASK mask;
        BYTE sid[SECURITY_MAX_SID_SIZE];
    } ace;

    ok(InitializeAcl(dacl, sizeof(descriptor->dacl), ACL_REVISION), "error %lu\n", GetLastError());
    for (; entries && entries->mask; entries++)
    {
        DWORD size = GetLengthSid(sid_of(entries->who));

        ace.header.AceType = entries->type;
        ace.header.AceFlags = entries->flags;
        ace.header.AceSize = (WORD)(offsetof(typeof(ace), sid) + size);
        ace.mask = entries->mask;
        memcpy(ace.sid, sid_of(entries->who), size);
        ok(AddAce(dacl, ACL_REVISION, MAXDWORD, &ace, ace.header.AceSize), "error %lu\n", GetLastError());
    }
    return dacl;
}

/* entries NULL: an empty list */
static SECURITY_DESCRIPTOR *with_dacl(struct descriptor *descriptor, const struct entry *entries)
{
    InitializeSecurityDescriptor(&descriptor->sd, SECURITY_DESCRIPTOR_REVISION);
    SetSecurityDescriptorDacl(&descriptor->sd, TRUE, fill_dacl(descriptor, entries), FALSE);
    return &descriptor->sd;
}

static SECURITY_DESCRIPTOR *with_null_dacl(struct descriptor *descriptor)
{
    InitializeSecurityDescriptor(&descriptor->sd, SECURITY_DESCRIPTOR_REVISION);
    SetSecurityDescriptorDacl(&descriptor->sd, TRUE, NULL, FALSE);
    return &descriptor->sd;
}

static HANDLE create_secured(const WCHAR *name, PSECURITY_DESCRIPTOR sd, NTSTATUS *status)
{
    POBJECT_ATTRIBUTES object = NAMED(NULL, name, 0);

    object->SecurityDescriptor = sd;
    return try_create(object, NULL, status);
}

/* ---------------------------------------------------------------------------------------------- tokens */

/* mine with the group for denial only */
static HANDLE restricted;

static void make_restricted(void)
{
    SID_AND_ATTRIBUTES disable = { .Sid = sid_of(GROUP) };
    HANDLE token, made = NULL;

    OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &token);
    if (!CreateRestrictedToken(token, 0, 1, &disable, 0, NULL, 0, NULL, &made) ||
        !DuplicateTokenEx(made, TOKEN_ALL_ACCESS, NULL, SecurityImpersonation, TokenImpersonation, &restricted))
        ok(FALSE, "cannot make a restricted token: %lu\n", GetLastError());
    CloseHandle(made);
    CloseHandle(token);
}

static NTSTATUS connect_as(HANDLE token, const WCHAR *name)
{
    NTSTATUS status;

    ok(SetThreadToken(NULL, token), "cannot impersonate: %lu\n", GetLastError());
    status = try_connect_string(name);
    RevertToSelf();
    return status;
}

/* ---------------------------------------------------------------------------------------------- access checks */

#define CONNECT PORT_CONNECT
#define REST (PORT_ALL_ACCESS & ~PORT_CONNECT)
#define OK STATUS_SUCCESS
#define DENIED STATUS_ACCESS_DENIED

static const struct access_test
{
    const char *what;
    struct entry entries[MOST_ENTRIES];
    NTSTATUS me, limited; /* what I get; and what with the restricted token */
} access_tests[] = {
    { "nothing", { { 0 } }, DENIED, DENIED },
    { "the right", { ALLOW(ME, CONNECT) }, OK, OK },
    { "everything", { ALLOW(ME, PORT_ALL_ACCESS) }, OK, OK },
    { "everything else", { ALLOW(ME, REST) }, DENIED, DENIED },
    { "to everyone", { ALLOW(EVERYONE, CONNECT) }, OK, OK },
    { "to somebody else", { ALLOW(NOBODY, PORT_ALL_ACCESS) }, DENIED, DENIED },
    { "to a group", { ALLOW(GROUP, CONNECT) }, OK, DENIED },
    { "two halves", { ALLOW(ME, REST), ALLOW(EVERYONE, CONNECT) }, OK, OK },

    { "denied before", { DENY(ME, CONNECT), ALLOW(EVERYONE, PORT_ALL_ACCESS) }, DENIED, DENIED },
    { "denied behind", { ALLOW(EVERYONE, PORT_ALL_ACCESS), DENY(ME, CONNECT) }, OK, OK },
    { "all else denied", { DENY(ME, REST), ALLOW(EVERYONE, CONNECT) }, OK, OK },
    { "somebody else denied", { DENY(NOBODY, CONNECT), ALLOW(EVERYONE, CONNECT) }, OK, OK },
    { "everyone denied", { DENY(EVERYONE, CONNECT), ALLOW(ME, CONNECT) }, DENIED, DENIED },
    /* a group that can do nothing else still denies */
    { "group denied", { DENY(GROUP, CONNECT), ALLOW(ME, CONNECT) }, DENIED, DENIED },
    { "group allowed, I denied", { ALLOW(GROUP, CONNECT), DENY(ME, CONNECT) }, OK, DENIED },

    { "generic read", { ALLOW(ME, GENERIC_READ) }, OK, OK },
    { "generic write", { ALLOW(ME, GENERIC_WRITE) }, OK, OK },
    { "generic execute", { ALLOW(ME, GENERIC_EXECUTE) }, DENIED, DENIED },
    { "generic all", { ALLOW(ME, GENERIC_ALL) }, OK, OK },
    { "generic read denied", { DENY(ME, GENERIC_READ), ALLOW(ME, CONNECT) }, DENIED, DENIED },
    { "generic write denied", { DENY(ME, GENERIC_WRITE), ALLOW(ME, CONNECT) }, DENIED, DENIED },
    { "generic execute denied", { DENY(ME, GENERIC_EXECUTE), ALLOW(ME, CONNECT) }, OK, OK },

    { "only below", { ALLOW_BELOW(ME, CONNECT) }, DENIED, DENIED },
    { "denied only below", { DENY_BELOW(ME, CONNECT), ALLOW(ME, CONNECT) }, OK, OK },

    { "owner's rights", { ALLOW(OWNER_RIGHTS, CONNECT) }, OK, OK },
    { "no owner's rights", { DENY(OWNER_RIGHTS, CONNECT), ALLOW(ME, CONNECT) }, DENIED, DENIED },
    { "other owner's rights", { DENY(OWNER_RIGHTS, REST), ALLOW(ME, CONNECT) }, OK, OK },
};

static void check_access(const WCHAR *name, const struct access_test *test)
{
    winetest_push_context("%s", test->what);
    ok_status("4.3", try_connect_string(name), test->me);
    ok_status("4.3", try_connect(NAMED(NULL, name, OBJ_CASE_INSENSITIVE)), test->me);
    ok_status("4.3", connect_as(restricted, name), test->limited);
    ok_status("4.3", try_connect_string(name), test->me);
    winetest_pop_context();
}

/* given when the port is created, or set later on */
static void test_access(void)
{
    struct descriptor descriptor;
    HANDLE port, later;
    WCHAR name[80], name_later[80];
    NTSTATUS status;
    unsigned int i;

    wcscpy(name_later, new_name());
    later = create_named(NAMED(NULL, name_later, 0));
    for (i = 0; i < ARRAY_SIZE(access_tests); i++)
    {
        with_dacl(&descriptor, access_tests[i].entries);
        SetSecurityDescriptorOwner(&descriptor.sd, sid_of(ME), FALSE);
        wcscpy(name, new_name());
        port = create_secured(name, &descriptor.sd, &status);
        ok_status("1.3", status, STATUS_SUCCESS);
        check_access(name, &access_tests[i]);
        NtClose(port);

        status = NtSetSecurityObject(later, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, &descriptor.sd);
        ok_status("4.3", status, STATUS_SUCCESS);
        check_access(name_later, &access_tests[i]);
    }
    NtClose(later);
}

static void test_no_dacl(void)
{
    struct descriptor descriptor;
    WCHAR name[80];
    HANDLE port;
    NTSTATUS status;

    /* a list that is NULL denies nothing */
    wcscpy(name, new_name());
    port = create_secured(name, with_null_dacl(&descriptor), &status);
    ok_status("1.3", status, STATUS_SUCCESS);
    ok_status("4.3", try_connect_string(name), STATUS_SUCCESS);
    ok_status("4.3", connect_as(restricted, name), STATUS_SUCCESS);
    NtClose(port);

    /* one that is empty denies everything, to the owner too */
    port = create_secured(name, with_dacl(&descriptor, NULL), &status);
    ok_status("1.3", status, STATUS_SUCCESS);
    ok_status("4.3", try_connect_string(name), STATUS_ACCESS_DENIED);
    ok_status("4.3", try_connect(NAMED(NULL, name, 0)), STATUS_ACCESS_DENIED);
    NtClose(port);

    /* without a list, or a descriptor, there is the token's */
    InitializeSecurityDescriptor(&descriptor.sd, SECURITY_DESCRIPTOR_REVISION);
    port = create_secured(name, &descriptor.sd, &status);
    ok_status("1.3", status, STATUS_SUCCESS);
    ok_status("4.3", try_connect_string(name), STATUS_SUCCESS);
    NtClose(port);
    port = create_secured(name, NULL, &status);
    ok_status("4.3", try_connect_string(name), STATUS_SUCCESS);
    NtClose(port);
}

/* the owner is a group: its members have its rights, unless the group only denies */
static void test_group_owner(void)
{
    static const struct access_test tests[] = {
        { "owner's rights", { ALLOW(OWNER_RIGHTS, CONNECT) }, OK, DENIED },
        { "no owner's rights", { DENY(OWNER_RIGHTS, CONNECT), ALLOW(ME, CONNECT) }, DENIED, DENIED },
    };
    struct descriptor descriptor;
    WCHAR name[80];
    HANDLE port;
    NTSTATUS status;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(tests); i++)
    {
        with_dacl(&descriptor, tests[i].entries);
        SetSecurityDescriptorOwner(&descriptor.sd, sid_of(GROUP), FALSE);
        wcscpy(name, new_name());
        port = create_secured(name, &descriptor.sd, &status);
        ok_status("1.3", status, STATUS_SUCCESS);
        check_access(name, &tests[i]);
        NtClose(port);
    }
}

/* refused before the server knows of it, whatever else is asked for */
static void test_denied(void)
{
    struct agent *agent = agent_process();
    struct descriptor descriptor;
    struct message message;
    UNICODE_STRING string;
    LARGE_INTEGER timeout = { .QuadPart = MILLISECONDS(HANG) };
    HANDLE port, client = UNTOUCHED_HANDLE, directory;
    SIZE_T size = sizeof(message);
    WCHAR name[80];
    NTSTATUS status;

    wcscpy(name, new_name());
    RtlInitUnicodeString(&string, name);
    port = create_secured(name, with_dacl(&descriptor, NULL), &status);
    message.header = (PORT_MESSAGE){ .u1.s1 = { 0, HEADER_SIZE } };
    status = NtAlpcConnectPort(&client, &string, NULL, NULL, ALPC_MSGFLG_SYNC_REQUEST, NULL, &message.header, &size,
                               NULL, NULL, &timeout);
    ok_status("4.3", status, STATUS_ACCESS_DENIED);
    ok(client == UNTOUCHED_HANDLE, "[4.3] the handle is %p\n", client);
    ok(size == sizeof(message), "[4.3] the length is %#Ix\n", size);
    wcscpy(prepare(agent)->name, name);
    ok_status("4.3", perform(agent, call_connect), STATUS_ACCESS_DENIED);
    expect_no_message(port, "4.3");
    NtClose(port);

    directory = make_directory(NULL, NULL);
    port = create_named(NAMED(directory, L"port", 0));
    ok_status("4.3", try_connect(NAMED(directory, L"port", 0)), STATUS_SUCCESS);
    NtSetSecurityObject(port, DACL_SECURITY_INFORMATION, with_dacl(&descriptor, NULL));
    ok_status("4.3", try_connect(NAMED(directory, L"port", 0)), STATUS_ACCESS_DENIED);
    NtClose(port);
    NtClose(directory);
    agent_stop(agent);
}

/* [4.10] a thread that impersonates at too low a level is nobody */
static void test_levels(void)
{
    static const struct
    {
        SECURITY_IMPERSONATION_LEVEL level;
        NTSTATUS status;
    } tests[] = {
        { SecurityAnonymous, STATUS_BAD_IMPERSONATION_LEVEL },
        { SecurityIdentification, STATUS_BAD_IMPERSONATION_LEVEL },
        { SecurityImpersonation, STATUS_SUCCESS },
        { SecurityDelegation, STATUS_SUCCESS },
    };
    static const struct entry entries[] = { ALLOW(ME, CONNECT), { 0 } };
    struct descriptor descriptor;
    HANDLE port, token, copy;
    WCHAR name[80];
    NTSTATUS status;
    unsigned int i;

    wcscpy(name, new_name());
    port = create_secured(name, with_dacl(&descriptor, entries), &status);
    OpenProcessToken(GetCurrentProcess(), TOKEN_ALL_ACCESS, &token);
    for (i = 0; i < ARRAY_SIZE(tests); i++)
    {
        winetest_push_context("level %u", tests[i].level);
        ok(DuplicateTokenEx(token, TOKEN_ALL_ACCESS, NULL, tests[i].level, TokenImpersonation, &copy), "error %lu\n",
           GetLastError());
        status = connect_as(copy, name);
        ok_status("4.10", status, tests[i].status);
        ok_status("4.3", try_connect_string(name), STATUS_SUCCESS);
        CloseHandle(copy);
        winetest_pop_context();
    }
    CloseHandle(token);
    NtClose(port);
}

/* ---------------------------------------------------------------------------------------------- the server */

static NTSTATUS connect_requiring(const WCHAR *name, PSID sid, ULONG flags)
{
    LARGE_INTEGER timeout = { .QuadPart = MILLISECONDS(HANG) };
    HANDLE client = UNTOUCHED_HANDLE;
    UNICODE_STRING string;
    NTSTATUS status;

    RtlInitUnicodeString(&string, name);
    status = NtAlpcConnectPort(&client, &string, NULL, NULL, flags, sid, NULL, NULL, NULL, NULL, &timeout);
    if (!status)
        NtClose(client);
    else
        ok(client == UNTOUCHED_HANDLE, "[4.3] the handle is %p\n", client);
    return status;
}

/* the server's user, not a group it is in [7 #32] */
static void test_server_sid(struct agent *server, struct agent *client)
{
    WCHAR name[80];
    HANDLE port;
    BYTE bad[SECURITY_MAX_SID_SIZE];

    (void)client;
    wcscpy(name, new_name());
    port = create_port(server, name);
    ok_status("4.3", connect_requiring(name, sid_of(NOBODY), 0), STATUS_SERVER_SID_MISMATCH);
    ok_status("7 #32", connect_requiring(name, sid_of(EVERYONE), 0), STATUS_SERVER_SID_MISMATCH);
    ok_status("7 #32", connect_requiring(name, sid_of(GROUP), 0), STATUS_SERVER_SID_MISMATCH);
    /* it does not wait for what will not be asked */
    ok_status("4.3", connect_requiring(name, sid_of(NOBODY), ALPC_MSGFLG_SYNC_REQUEST), STATUS_SERVER_SID_MISMATCH);
    expect_nothing(server, port, "4.3");
    memcpy(bad, sid_of(ME), sizeof(bad));
    bad[0] = 2;
    ok(connect_requiring(name, bad, 0) < 0, "[4.3] a SID of another revision was taken\n");
    memcpy(bad, sid_of(ME), sizeof(bad));
    bad[1] = 16;
    ok(connect_requiring(name, bad, 0) < 0, "[4.3] a SID that is too long was taken\n");
    memcpy(bad, sid_of(ME), sizeof(bad));
    bad[1]--;
    ok_status("4.3", connect_requiring(name, bad, 0), STATUS_SERVER_SID_MISMATCH);
    expect_nothing(server, port, "4.3");
    ok_status("4.3", connect_requiring(name, sid_of(ME), 0), STATUS_SUCCESS);
    close_handle(server, port);
}

static NTSTATUS connect_requiring_sd(const WCHAR *name, PSECURITY_DESCRIPTOR sd)
{
    HANDLE client = UNTOUCHED_HANDLE;
    NTSTATUS status = NtAlpcConnectPortEx(&client, NAMED(NULL, name, OBJ_CASE_INSENSITIVE), NULL, NULL, 0, sd, NULL,
                                          NULL, NULL, NULL, NULL);

    if (!status)
        NtClose(client);
    else
        ok(client == UNTOUCHED_HANDLE, "[4.3] the handle is %p\n", client);
    return status;
}

/* [7 #31] the descriptor says who the server may be: whom it grants PORT_CONNECT */
static void test_server_security(struct agent *server, struct agent *client)
{
    struct descriptor descriptor;
    BYTE relative[0x400];
    DWORD size = sizeof(relative);
    NTSTATUS expected;
    WCHAR name[80];
    HANDLE port;
    unsigned int i;

    (void)client;
    wcscpy(name, new_name());
    port = create_port(server, name);
    for (i = 0; i < ARRAY_SIZE(access_tests); i++)
    {
        winetest_push_context("%s", access_tests[i].what);
        expected = access_tests[i].me ? STATUS_SERVER_SID_MISMATCH : STATUS_SUCCESS;
        with_dacl(&descriptor, access_tests[i].entries);
        SetSecurityDescriptorOwner(&descriptor.sd, sid_of(ME), FALSE);
        SetSecurityDescriptorGroup(&descriptor.sd, sid_of(GROUP), FALSE);
        ok_status("7 #31", connect_requiring_sd(name, &descriptor.sd), expected);
        size = sizeof(relative);
        ok(MakeSelfRelativeSD(&descriptor.sd, relative, &size), "error %lu\n", GetLastError());
        ok_status("7 #31", connect_requiring_sd(name, relative), expected);
        winetest_pop_context();
    }
    /* the server's token counts, not that of the thread which connects */
    with_dacl(&descriptor, (const struct entry[]){ ALLOW(GROUP, CONNECT), { 0 } });
    SetThreadToken(NULL, restricted);
    ok_status("7 #31", connect_requiring_sd(name, &descriptor.sd), STATUS_SUCCESS);
    RevertToSelf();
    ok_status("7 #31", connect_requiring_sd(name, with_null_dacl(&descriptor)), STATUS_SUCCESS);
    while (!receive_now(server, port))
        ;
    with_dacl(&descriptor, NULL);
    ok_status("7 #31", connect_requiring_sd(name, &descriptor.sd), STATUS_SERVER_SID_MISMATCH);
    descriptor.sd.Revision = 7;
    ok(connect_requiring_sd(name, &descriptor.sd) < 0, "[4.3] a descriptor of another revision was taken\n");
    expect_nothing(server, port, "4.3");
    close_handle(server, port);
}

/* ---------------------------------------------------------------------------------------------- what a port has */

#define ALL_PARTS (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION)

static PSECURITY_DESCRIPTOR query(HANDLE port, SECURITY_INFORMATION information)
{
    static BYTE buffer[0x1000];
    ULONG size = 0;

    ok_status("4.3", NtQuerySecurityObject(port, information, buffer, sizeof(buffer), &size), STATUS_SUCCESS);
    ok(size <= sizeof(buffer) && size >= sizeof(SECURITY_DESCRIPTOR_RELATIVE), "[4.3] the length is %lu\n", size);
    ok(IsValidSecurityDescriptor(buffer), "[4.3] not a valid descriptor\n");
    return buffer;
}

static PSID owner_of(PSECURITY_DESCRIPTOR sd)
{
    BOOL defaulted;
    PSID sid = NULL;

    GetSecurityDescriptorOwner(sd, &sid, &defaulted);
    return sid;
}

static PSID group_of(PSECURITY_DESCRIPTOR sd)
{
    BOOL defaulted;
    PSID sid = NULL;

    GetSecurityDescriptorGroup(sd, &sid, &defaulted);
    return sid;
}

/* present: whether there is a list at all, NULL or not */
static PACL dacl_of(PSECURITY_DESCRIPTOR sd, BOOL *present)
{
    BOOL defaulted;
    PACL dacl = NULL;

    GetSecurityDescriptorDacl(sd, present, &dacl, &defaulted);
    return dacl;
}

static void check_dacl_(int line, PSECURITY_DESCRIPTOR sd, const ACL *expected)
{
    ULONG i, offset = sizeof(ACL);
    BOOL present = FALSE;
    PACL dacl = dacl_of(sd, &present);

    ok_(__FILE__, line)(present && dacl && dacl->AceCount == expected->AceCount, "[4.3] %u entries instead of %u\n",
                        dacl ? dacl->AceCount : 0, expected->AceCount);
    if (!present || !dacl || dacl->AceCount != expected->AceCount)
        return;
    for (i = 0; i < dacl->AceCount; i++)
    {
        const ACE_HEADER *got = (const ACE_HEADER *)((BYTE *)dacl + offset);
        const ACE_HEADER *want = (const ACE_HEADER *)((const BYTE *)expected + offset);

        ok_(__FILE__, line)(got->AceSize == want->AceSize && !memcmp(got, want, want->AceSize),
                            "[4.3] entry %lu is another one\n", i);
        if (got->AceSize != want->AceSize)
            break;
        offset += got->AceSize;
    }
}
#define check_dacl(sd, expected) check_dacl_(__LINE__, sd, expected)

/* not given, it comes from the creator's token */
static void check_default(HANDLE port, const char *what)
{
    PSECURITY_DESCRIPTOR sd;
    BOOL present;

    winetest_push_context("%s", what);
    sd = query(port, ALL_PARTS);
    ok(owner_of(sd) && EqualSid(owner_of(sd), token_information(TokenOwner)), "[4.3] another owner\n");
    ok(group_of(sd) && EqualSid(group_of(sd), token_information(TokenPrimaryGroup)), "[4.3] another group\n");
    if (token_information(TokenDefaultDacl))
    {
        /* access is that to a port, no longer generic */
        PACL expected = token_information(TokenDefaultDacl);
        ULONG i;

        for (i = 0; i < expected->AceCount; i++)
        {
            ACCESS_ALLOWED_ACE *ace;

            GetAce(expected, i, (void **)&ace);
            if (ace->Mask & GENERIC_ALL)
                ace->Mask = (ace->Mask & ~GENERIC_ALL) | PORT_ALL_ACCESS;
            if (ace->Mask & GENERIC_READ)
                ace->Mask = (ace->Mask & ~GENERIC_READ) | READ_CONTROL | PORT_CONNECT;
            if (ace->Mask & GENERIC_WRITE)
                ace->Mask = (ace->Mask & ~GENERIC_WRITE) | DELETE | PORT_CONNECT;
            ace->Mask &= ~GENERIC_EXECUTE;
        }
        check_dacl(sd, expected);
    }
    else
        ok(!dacl_of(sd, &present), "[4.3] a list from nowhere\n");
    winetest_pop_context();
}

static void test_default(void)
{
    struct descriptor descriptor;
    struct ports ports;
    HANDLE port;
    NTSTATUS status;

    port = create_named(NULL);
    check_default(port, "unnamed");
    NtClose(port);
    open_ports(&ports);
    check_default(ports.connection, "connection port");
    check_default(ports.server, "server's communication port");
    check_default(ports.client, "client's communication port");
    close_ports(&ports);
    InitializeSecurityDescriptor(&descriptor.sd, SECURITY_DESCRIPTOR_REVISION);
    port = create_secured(new_name(), &descriptor.sd, &status);
    check_default(port, "empty descriptor");
    NtClose(port);
}

/* in both forms */
static void test_given(void)
{
    static const struct entry entries[] = { DENY(NOBODY, GENERIC_READ),
                                            ALLOW(ME, GENERIC_WRITE | SYNCHRONIZE),
                                            ALLOW(EVERYONE, GENERIC_ALL),
                                            ALLOW(GROUP, GENERIC_EXECUTE | PORT_CONNECT),
                                            { 0 } };
    static const struct entry mapped[] = {
        DENY(NOBODY, 0x20001), ALLOW(ME, 0x110001), ALLOW(EVERYONE, 0x1f0001), ALLOW(GROUP, 0x1), { 0 }
    };
    struct descriptor descriptor, expected;
    PSECURITY_DESCRIPTOR sd;
    BYTE relative[0x400];
    DWORD size = sizeof(relative);
    NTSTATUS status;
    HANDLE port;
    int form;

    with_dacl(&descriptor, entries);
    with_dacl(&expected, mapped);
    SetSecurityDescriptorOwner(&descriptor.sd, sid_of(GROUP), FALSE);
    SetSecurityDescriptorGroup(&descriptor.sd, sid_of(NOBODY), FALSE);
    ok(MakeSelfRelativeSD(&descriptor.sd, relative, &size), "error %lu\n", GetLastError());
    for (form = 0; form < 2; form++)
    {
        winetest_push_context("%s", form ? "self-relative" : "absolute");
        port = create_secured(new_name(), form ? (PSECURITY_DESCRIPTOR)relative : &descriptor.sd, &status);
        ok_status("1.3", status, STATUS_SUCCESS);
        sd = query(port, ALL_PARTS);
        ok(owner_of(sd) && EqualSid(owner_of(sd), sid_of(GROUP)), "[4.3] another owner\n");
        ok(group_of(sd) && EqualSid(group_of(sd), sid_of(NOBODY)), "[4.3] another group\n");
        check_dacl(sd, (PACL)expected.dacl);
        NtClose(port);
        winetest_pop_context();
    }
}

/* many entries, the one that counts behind all others */
static void test_long_dacl(void)
{
    struct
    {
        SECURITY_DESCRIPTOR sd;
        DWORD dacl[0x3f00];
    } *large = malloc(sizeof(*large));
    PACL dacl = (PACL)large->dacl;
    WCHAR name[80];
    HANDLE port;
    NTSTATUS status;
    unsigned int i;

    InitializeSecurityDescriptor(&large->sd, SECURITY_DESCRIPTOR_REVISION);
    InitializeAcl(dacl, sizeof(large->dacl), ACL_REVISION);
    for (i = 0; i < 1500; i++)
        AddAccessAllowedAce(dacl, ACL_REVISION, PORT_CONNECT, sid_of(NOBODY));
    ok(dacl->AceCount == 1500, "%u entries\n", dacl->AceCount);
    SetSecurityDescriptorDacl(&large->sd, TRUE, dacl, FALSE);
    wcscpy(name, new_name());
    port = create_secured(name, &large->sd, &status);
    ok_status("1.3", status, STATUS_SUCCESS);
    ok_status("4.3", try_connect_string(name), STATUS_ACCESS_DENIED);
    ok(AddAccessAllowedAce(dacl, ACL_REVISION, PORT_CONNECT, sid_of(ME)), "error %lu\n", GetLastError());
    ok_status("4.3", NtSetSecurityObject(port, DACL_SECURITY_INFORMATION, &large->sd), STATUS_SUCCESS);
    ok_status("4.3", try_connect_string(name), STATUS_SUCCESS);
    NtClose(port);
    free(large);
}

/* what makes no sense creates nothing and changes nothing */
static void test_bad_descriptors(void)
{
    static const struct entry entries[] = { ALLOW(ME, CONNECT), { 0 } };
    struct descriptor good, bad;
    WCHAR name[80], other[80];
    HANDLE port;
    NTSTATUS status;
    PACL dacl = (PACL)bad.dacl;
    unsigned int i;

    wcscpy(name, new_name());
    wcscpy(other, new_name());
    port = create_secured(name, with_dacl(&good, entries), &status);
    for (i = 0; i < 7; i++)
    {
        SECURITY_INFORMATION information = DACL_SECURITY_INFORMATION;
        BYTE sid[SECURITY_MAX_SID_SIZE];

        winetest_push_context("case %u", i);
        with_dacl(&bad, NULL);
        memcpy(sid, sid_of(ME), sizeof(sid));
        switch (i)
        {
        case 0:
            bad.sd.Revision = 0;
            break;
        case 1:
            bad.sd.Revision = 2;
            break;
        case 2:
            dacl->AclRevision = 9;
            break;
        case 3:
            dacl->AceCount = 40; /* more than there are */
            dacl->AclSize = 64;
            break;
        case 4:
            dacl->AclSize = 4;
            break;
        case 5:
            sid[0] = 9;
            information |= OWNER_SECURITY_INFORMATION;
            SetSecurityDescriptorOwner(&bad.sd, sid_of(ME), FALSE);
            bad.sd.Owner = sid;
            break;
        case 6: /* not one that I may make an owner */
            information |= OWNER_SECURITY_INFORMATION;
            SetSecurityDescriptorOwner(&bad.sd, sid_of(NOBODY), FALSE);
            break;
        }
        ok(!create_secured(other, &bad.sd, &status), "[1.3] created with such a descriptor\n");
        if (i == 6)
            ok_status("4.3", status, STATUS_INVALID_OWNER);
        ok_status("4.2", try_connect_string(other), STATUS_OBJECT_NAME_NOT_FOUND);
        ok(NtSetSecurityObject(port, information, &bad.sd) < 0, "[4.3] such a descriptor was set\n");
        ok_status("4.3", try_connect_string(name), STATUS_SUCCESS);
        winetest_pop_context();
    }
    NtClose(port);
    port = create_named(NAMED(NULL, other, 0));
    NtClose(port);
}

/* ---------------------------------------------------------------------------------------------- querying and setting
 */

static void test_query_lengths(void)
{
    struct descriptor descriptor;
    BYTE buffer[0x400];
    ULONG needed = 0, size, length;
    HANDLE port;
    NTSTATUS status;

    port = create_secured(new_name(), with_dacl(&descriptor, (const struct entry[]){ ALLOW(ME, CONNECT), { 0 } }),
                          &status);
    ok_status("4.3", NtQuerySecurityObject(port, ALL_PARTS, NULL, 0, &needed), STATUS_BUFFER_TOO_SMALL);
    ok(needed > sizeof(SECURITY_DESCRIPTOR_RELATIVE) && needed < sizeof(buffer), "[4.3] the length is %lu\n", needed);
    for (length = 0; length <= needed + 1; length++)
    {
        memset(buffer, 0xcc, sizeof(buffer));
        size = 0;
        status = NtQuerySecurityObject(port, ALL_PARTS, buffer, length, &size);
        ok(status == (length < needed ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS), "[4.3] length %lu: status %#lx\n",
           length, status);
        ok(size == needed, "[4.3] length %lu: returned %lu instead of %lu\n", length, size, needed);
        ok(buffer[length < needed ? 0 : needed] == 0xcc, "[4.3] length %lu: written too much\n", length);
    }
    /* less of it is shorter */
    ok_status("4.3", NtQuerySecurityObject(port, OWNER_SECURITY_INFORMATION, buffer, sizeof(buffer), &size),
              STATUS_SUCCESS);
    ok(size < needed && owner_of(buffer) && !group_of(buffer), "[4.3] the length is %lu\n", size);
    ok_status("4.3", NtQuerySecurityObject(port, DACL_SECURITY_INFORMATION, buffer, sizeof(buffer), &size),
              STATUS_SUCCESS);
    check_dacl(buffer, (PACL)descriptor.dacl);
    ok(!owner_of(buffer) && !group_of(buffer), "[4.3] an owner that was not asked for\n");
    NtClose(port);
}

static HANDLE with_access(HANDLE port, ACCESS_MASK access)
{
    HANDLE copy = NULL;

    ok(DuplicateHandle(GetCurrentProcess(), port, GetCurrentProcess(), &copy, access, FALSE, 0), "error %lu\n",
       GetLastError());
    return copy;
}

/* the access of the handle counts */
static void test_handle_access(void)
{
    static const struct
    {
        ACCESS_MASK access;
        SECURITY_INFORMATION information;
        BOOL query, set;
    } tests[] = {
        { READ_CONTROL, DACL_SECURITY_INFORMATION, TRUE, FALSE },
        { READ_CONTROL, OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION, TRUE, FALSE },
        { WRITE_DAC, DACL_SECURITY_INFORMATION, FALSE, TRUE },
        { WRITE_DAC, OWNER_SECURITY_INFORMATION, FALSE, FALSE },
        { WRITE_DAC, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, FALSE, FALSE },
        { WRITE_OWNER, OWNER_SECURITY_INFORMATION, FALSE, TRUE },
        { WRITE_OWNER, GROUP_SECURITY_INFORMATION, FALSE, TRUE },
        { WRITE_OWNER, DACL_SECURITY_INFORMATION, FALSE, FALSE },
        { WRITE_OWNER | WRITE_DAC, ALL_PARTS, FALSE, TRUE },
        { PORT_CONNECT, DACL_SECURITY_INFORMATION, FALSE, FALSE },
        { PORT_ALL_ACCESS, ALL_PARTS, TRUE, TRUE },
        { PORT_ALL_ACCESS, SACL_SECURITY_INFORMATION, FALSE, FALSE },
    };
    struct descriptor descriptor;
    BYTE buffer[0x400];
    HANDLE port = create_named(NULL), copy;
    NTSTATUS status;
    ULONG size;
    unsigned int i;

    with_dacl(&descriptor, NULL);
    SetSecurityDescriptorOwner(&descriptor.sd, sid_of(ME), FALSE);
    SetSecurityDescriptorGroup(&descriptor.sd, sid_of(GROUP), FALSE);
    SetSecurityDescriptorSacl(&descriptor.sd, TRUE, (PACL)descriptor.dacl, FALSE);
    for (i = 0; i < ARRAY_SIZE(tests); i++)
    {
        winetest_push_context("access %#lx, parts %#lx", tests[i].access, tests[i].information);
        copy = with_access(port, tests[i].access);
        status = NtQuerySecurityObject(copy, tests[i].information, buffer, sizeof(buffer), &size);
        ok_status("3.8", status, tests[i].query ? STATUS_SUCCESS : STATUS_ACCESS_DENIED);
        status = NtSetSecurityObject(copy, tests[i].information, &descriptor.sd);
        ok_status("3.8", status, tests[i].set ? STATUS_SUCCESS : STATUS_ACCESS_DENIED);
        NtClose(copy);
        winetest_pop_context();
    }
    NtClose(port);
}

/* a change holds for the next connection, wherever it comes from; those that are stay */
static void test_change(struct agent *server, struct agent *client)
{
    static const struct entry entries[] = { ALLOW(ME, PORT_ALL_ACCESS), { 0 } };
    struct descriptor descriptor;
    struct connected c;
    HANDLE copy;
    ULONG value = 1;
    int round;

    open_connection(&c, server, client);
    ok(DuplicateHandle(agent_process_handle(server), c.listening, GetCurrentProcess(), &copy, 0, FALSE,
                       DUPLICATE_SAME_ACCESS),
       "error %lu\n", GetLastError());
    for (round = 0; round < 3; round++)
    {
        ok_status("4.3", NtSetSecurityObject(copy, DACL_SECURITY_INFORMATION, with_dacl(&descriptor, NULL)),
                  STATUS_SUCCESS);
        check_dacl(query(copy, DACL_SECURITY_INFORMATION), (PACL)descriptor.dacl);
        wcscpy(prepare(client)->name, c.name);
        ok_status("4.3", perform(client, call_connect), STATUS_ACCESS_DENIED);
        wcscpy(prepare(client)->name, c.name);
        ok_status("4.3", perform(client, call_connect_ex), STATUS_ACCESS_DENIED);
        ok_status("4.3", try_connect_string(c.name), STATUS_ACCESS_DENIED);
        ok_status("4.1", send_message(client, c.port, ALPC_MSGFLG_RELEASE_MESSAGE, &value, sizeof(value)),
                  STATUS_SUCCESS);
        expect(server, c.listening, "4.1", LPC_DATAGRAM, &value, sizeof(value));

        ok_status("4.3", NtSetSecurityObject(copy, DACL_SECURITY_INFORMATION, with_dacl(&descriptor, entries)),
                  STATUS_SUCCESS);
        check_dacl(query(copy, DACL_SECURITY_INFORMATION), (PACL)descriptor.dacl);
        close_handle(client, connect_async(client, c.name, NULL, 0));
        while (!receive_now(server, c.listening))
            ;
    }
    NtClose(copy);
    close_connection(&c);
}

/* one part at a time: the others stay */
static void test_parts(void)
{
    static const struct entry entries[] = { ALLOW(EVERYONE, CONNECT), { 0 } };
    struct descriptor descriptor, changes;
    PSECURITY_DESCRIPTOR sd;
    HANDLE port;
    NTSTATUS status;

    with_dacl(&descriptor, entries);
    SetSecurityDescriptorOwner(&descriptor.sd, sid_of(ME), FALSE);
    SetSecurityDescriptorGroup(&descriptor.sd, sid_of(GROUP), FALSE);
    port = create_secured(new_name(), &descriptor.sd, &status);
    with_dacl(&changes, NULL);
    SetSecurityDescriptorOwner(&changes.sd, sid_of(GROUP), FALSE);
    SetSecurityDescriptorGroup(&changes.sd, sid_of(NOBODY), FALSE);

    ok_status("4.3", NtSetSecurityObject(port, OWNER_SECURITY_INFORMATION, &changes.sd), STATUS_SUCCESS);
    sd = query(port, ALL_PARTS);
    ok(EqualSid(owner_of(sd), sid_of(GROUP)) && EqualSid(group_of(sd), sid_of(GROUP)), "[4.3] other SIDs\n");
    check_dacl(sd, (PACL)descriptor.dacl);
    ok_status("4.3", NtSetSecurityObject(port, GROUP_SECURITY_INFORMATION, &changes.sd), STATUS_SUCCESS);
    sd = query(port, ALL_PARTS);
    ok(EqualSid(owner_of(sd), sid_of(GROUP)) && EqualSid(group_of(sd), sid_of(NOBODY)), "[4.3] other SIDs\n");
    check_dacl(sd, (PACL)descriptor.dacl);
    ok_status("4.3", NtSetSecurityObject(port, DACL_SECURITY_INFORMATION, &changes.sd), STATUS_SUCCESS);
    sd = query(port, ALL_PARTS);
    check_dacl(sd, (PACL)changes.dacl);

    /* a part that is not there */
    InitializeSecurityDescriptor(&changes.sd, SECURITY_DESCRIPTOR_REVISION);
    ok(NtSetSecurityObject(port, OWNER_SECURITY_INFORMATION, &changes.sd) < 0, "[4.3] a port without an owner\n");
    ok(NtSetSecurityObject(port, GROUP_SECURITY_INFORMATION, &changes.sd) < 0, "[4.3] a port without a group\n");
    sd = query(port, ALL_PARTS);
    ok(EqualSid(owner_of(sd), sid_of(GROUP)) && EqualSid(group_of(sd), sid_of(NOBODY)), "[4.3] other SIDs\n");
    NtClose(port);
}

START_TEST(security)
{
    if (agent_main())
        return;
    make_sids();
    make_restricted();
    test_access();
    test_no_dacl();
    test_group_owner();
    test_denied();
    test_levels();
    RUN(test_server_sid);
    RUN(test_server_security);
    test_default();
    test_given();
    test_long_dacl();
    test_bad_descriptors();
    test_query_lengths();
    test_handle_access();
    RUN(test_change);
    test_parts();
    end_tests();
    CloseHandle(restricted);
}
