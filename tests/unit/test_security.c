/*
 * Tests of server/acl.c and server/security.c
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "security_fixture.h"

#include <stdio.h>
#include <time.h>

#define ALL PORT_ALL_ACCESS
#define OWNER_IMPLICIT (READ_CONTROL | WRITE_DAC)

#define D SE_DACL_PRESENT
#define P SE_DACL_PROTECTED
#define S SE_SACL_PRESENT

#define DENIED STATUS_ACCESS_DENIED
#define NOT_HELD STATUS_PRIVILEGE_NOT_HELD
#define BAD_LEVEL STATUS_BAD_IMPERSONATION_LEVEL

/* ------------------------------------------------------------------------------------------------ SIDs and ACLs */

/* MS-DTYP 2.4.2.2 */
static void test_sid_is_valid(void **state)
{
    static const struct
    {
        const char *rule;
        uint8_t revision, count;
        size_t size;
        bool valid;
    } rows[] = {
        { "no subauthority", 1, 0, 8, true },    { "one", 1, 1, 12, true },
        { "fifteen", 1, 15, 68, true },          { "room beyond", 1, 1, 68, true },
        { "sixteen", 1, 16, 72, false },         { "255, whose size is 1028", 1, 255, 1028, false },
        { "revision 0", 0, 1, 12, false },       { "revision 2", 2, 1, 12, false },
        { "one byte short", 1, 1, 11, false },   { "header only", 1, 1, 8, false },
        { "not even a header", 1, 0, 7, false }, { "nothing", 1, 0, 0, false },
    };
    uint8_t bytes[1028] = { 0 }, *block, *copy;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    {
        bytes[0] = rows[i].revision;
        bytes[1] = rows[i].count;
        copy = exact_copy(bytes, rows[i].size, 1, &block);
        assert_rule(rows[i].rule, sid_is_valid(copy, rows[i].size), rows[i].valid);
        free(block);
    }
}

static void test_sid_compare(void **state)
{
    static const char *const sorted[] = { "S-1-5", "WD", "OW", "SY", "BA", "BU", "BG", "AL", "AL1" };
    union sid_buffer a, b;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++)
    {
        for (size_t j = 0; j < ARRAY_SIZE(sorted); j++)
        {
            int forward = sid_compare(make_sid(&a, sorted[i]), make_sid(&b, sorted[j]));
            int backward = sid_compare(&b.sid, &a.sid);

            assert_int_equal(forward == 0, i == j);
            assert_int_equal(forward<0, backward> 0);
        }
    }
}

/* One ACE of each layout, changed at one place; MS-DTYP 2.4.4, 2.4.5. ACEs: allow at 8, object (both GUIDs) at 28. */
static void test_acl_is_valid(void **state)
{
    static const struct
    {
        const char *rule;
        size_t offset;
        uint16_t value;
        bool valid;
    } rows[] = {
        { "unchanged", 6, 0, true },
        { "revision 1", 0, 1, false },
        { "revision 2", 0, 2, true },
        { "revision 5", 0, 5, false },
        { "size 0", 2, 0, false },
        { "size smaller than the header", 2, 7, false },
        { "size cuts the last ACE", 2, 83, false },
        { "size beyond the buffer", 2, 85, false },
        { "fewer ACEs than there is room for", 4, 1, true },
        { "no ACEs", 4, 0, true },
        { "more ACEs than there are", 4, 3, false },
        { "65535 ACEs", 4, 65535, false },
        { "ACE of size 0: no endless loop", 10, 0, false },
        { "ACE smaller than its header", 10, 3, false },
        { "ACE of 4: no mask", 10, 4, false },
        { "ACE of 8: no SID", 10, 8, false },
        { "ACE that cuts its SID", 10, 16, false },
        { "ACE whose size is no multiple of 4", 10, 21, false },
        { "ACE beyond the end", 10, 0xFFFC, false },
        { "SID of revision 2", 16, 0x0102, false },
        { "SID larger than its ACE", 16, 0x0201, false },
        { "SID smaller than its ACE (application data)", 16, 0x0001, true },
        { "unknown type: opaque", 8, 0x55, true },
        { "compound: opaque", 8, ACCESS_ALLOWED_COMPOUND_ACE_TYPE, true },
        { "audit ACE", 8, SYSTEM_AUDIT_ACE_TYPE, true },
        { "callback ACE", 8, ACCESS_DENIED_CALLBACK_ACE_TYPE, true },
        { "mandatory label", 8, SYSTEM_MANDATORY_LABEL_ACE_TYPE, true },
        { "basic ACE as object ACE, too small", 8, ACCESS_DENIED_OBJECT_ACE_TYPE, false },
        { "object ACE of size 12", 30, 12, false },
        { "object ACE that cuts its second GUID", 30, 40, false },
        { "object ACE that cuts its SID", 30, 52, false },
        { "object ACE: the GUID taken for a SID", 36, 1, false },
        { "object ACE: unknown flags are none", 36, 7, true },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    {
        const char *text = "(A;;0x1;WD)(OA;;0x1;WD;3)";
        uint8_t acl[128], *block, *copy;
        size_t size = put_acl(acl, &text);

        assert_int_equal(size, 84);
        memcpy(acl + rows[i].offset, &rows[i].value, sizeof(rows[i].value));
        copy = exact_copy(acl, size, i % 4, &block);
        assert_rule(rows[i].rule, acl_is_valid(copy, size), rows[i].valid);
        free(block);
    }
}

static void test_acl_truncation(void **state)
{
    const char *text = "(A;;0x1;AL)(OD;;0x1;BU;1)(AU;;0x1;BA)";
    uint8_t acl[128], *block, *copy;
    uint16_t size = put_acl(acl, &text), length;

    (void)state;
    for (length = 0; length < size; length++)
    {
        copy = exact_copy(acl, length, length % 4, &block);
        assert_false(acl_is_valid(copy, length));
        if (length >= sizeof(struct acl))
            memcpy(copy + 2, &length, sizeof(length)); /* owning up to it does not help, the ACEs are counted */
        assert_false(acl_is_valid(copy, length));
        free(block);
    }
    assert_true(acl_is_valid(acl, size));
}

/* What lies at the very end of an ACL: an ACE that is no more than a header, and one with a size that is no multiple
 * of 4. */
static void test_acl_last_ace(void **state)
{
    static const struct
    {
        const char *rule;
        uint16_t size;
        bool valid;
    } rows[] = {
        { "a header", 4, true },     { "a header and a mask", 8, true }, { "less than a header", 0, false },
        { "an odd size", 5, false }, { "an even size", 6, false },
    };
    uint8_t *block, *acl;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    {
        struct acl header = { .revision = 2, .size = (uint16_t)(sizeof(header) + rows[i].size), .ace_count = 1 };
        struct ace ace = { .type = 0x55, .size = rows[i].size };
        uint8_t bytes[sizeof(header) + sizeof(ace)];

        memcpy(bytes, &header, sizeof(header));
        memcpy(bytes + sizeof(header), &ace, sizeof(ace));
        acl = exact_copy(bytes, header.size, 0, &block);
        assert_rule(rows[i].rule, acl_is_valid(acl, header.size), rows[i].valid);
        free(block);
    }
}

/* alpc.md 3.8 */
static void test_map_generic(void **state)
{
    static const struct
    {
        uint32_t mask, mapped;
    } rows[] = {
        { 0, 0 },
        { GENERIC_READ, 0x00020001 },
        { GENERIC_WRITE, 0x00010001 },
        { GENERIC_EXECUTE, 0 },
        { GENERIC_ALL, 0x001F0001 },
        { GENERIC_READ | GENERIC_WRITE, 0x00030001 },
        { GENERIC_EXECUTE | SYNCHRONIZE, SYNCHRONIZE },
        { ~0u, 0x0FFFFFFF },
        { MAXIMUM_ALLOWED | ACCESS_SYSTEM_SECURITY, MAXIMUM_ALLOWED | ACCESS_SYSTEM_SECURITY },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(map_generic(rows[i].mask, &port_mapping), rows[i].mapped);
}

/* ------------------------------------------------------------------------------------------------ access check */

/* what the rows below call by name */
enum subject
{
    ALICE,         /* Users, Everyone; Guests for denial only; Administrators disabled */
    ADMIN,         /* Bob, an administrator with every privilege enabled */
    IDLE_ADMIN,    /* the same, privileges held but not enabled */
    RESTRICTED,    /* Alice restricted to Users and RESTRICTED */
    RESTRICTED_ME, /* Alice restricted to herself, Bob's privileges */
    DENY_ONLY_ME,  /* Alice, who counts for denial only */
    IDENTIFY,      /* Alice at SecurityIdentification */
    IMPERSONATE,   /* Alice at SecurityImpersonation */
    SUBJECTS
};

/* SeSecurityPrivilege and SeTakeOwnershipPrivilege, enabled or just held */
#define POWERS "8=2 9=2"
#define IDLE_POWERS "8=0 9=1"

static const struct token_row subjects[SUBJECTS] = {
    [ALICE] = { .user = "AL", .groups = "BU=e WD=e BG=0x10 BA=8" },
    [ADMIN] = { .user = "BO", .groups = "BU=e WD=e BA=0xf", .privileges = POWERS },
    [IDLE_ADMIN] = { .user = "BO", .groups = "BU=e WD=e BA=0xf", .privileges = IDLE_POWERS },
    [RESTRICTED] = { .user = "AL", .groups = "BU=e WD=e BG=0x10 BA=8", .restricted = "BU RC" },
    [RESTRICTED_ME] = { .user = "AL", .groups = "BU=e WD=e", .restricted = "AL", .privileges = POWERS },
    [DENY_ONLY_ME] = { .user = "AL", .user_attributes = SE_GROUP_USE_FOR_DENY_ONLY, .groups = "BU=e" },
    [IDENTIFY] = { .user = "AL", .type = TOKEN_WIRE_IMPERSONATION, .level = TOKEN_WIRE_IDENTIFICATION },
    [IMPERSONATE] = { .user = "AL", .type = TOKEN_WIRE_IMPERSONATION, .level = TOKEN_WIRE_IMPERSONATE },
};

struct access_row
{
    const char *rule;
    enum subject subject;
    const char *sd; /* the owner of most is SYSTEM, whom nobody is */
    uint32_t desired, previous;
    NTSTATUS status;
    uint32_t granted; /* when status is 0 */
};

/* MS-DTYP 2.5.3.2 unless a row says otherwise */
static const struct access_row access_rows[] = {
    /* no DACL */
    { "no DACL grants all", ALICE, "O:SY", ALL, 0, 0, ALL },
    { "NULL DACL grants all (lpc.md 3.15)", ALICE, "O:SY D:NULL", ALL, 0, 0, ALL },
    { "NULL DACL, MAXIMUM_ALLOWED: all of the type", ALICE, "O:SY D:NULL", MAXIMUM_ALLOWED, 0, 0, ALL },
    { "NULL DACL, MAXIMUM_ALLOWED and more", ALICE, "O:SY D:NULL", MAXIMUM_ALLOWED | 0x8000, 0, 0, ALL | 0x8000 },
    { "NULL DACL, bits that the type does not have", ALICE, "O:SY D:NULL", 0x8001, 0, 0, 0x8001 },
    { "NULL DACL grants a restricted token all", RESTRICTED, "O:SY D:NULL", ALL, 0, 0, ALL },
    { "NULL DACL does not grant the SACL", ALICE, "O:SY D:NULL", ACCESS_SYSTEM_SECURITY, 0, NOT_HELD, 0 },

    /* the empty DACL and the owner */
    { "empty DACL grants nothing", ALICE, "O:SY D:", PORT_CONNECT, 0, DENIED, 0 },
    { "empty DACL, MAXIMUM_ALLOWED", ALICE, "O:SY D:", MAXIMUM_ALLOWED, 0, DENIED, 0 },
    { "the owner reads and writes the DACL", ALICE, "O:AL D:", OWNER_IMPLICIT, 0, 0, OWNER_IMPLICIT },
    { "the owner: MAXIMUM_ALLOWED", ALICE, "O:AL D:", MAXIMUM_ALLOWED, 0, 0, OWNER_IMPLICIT },
    { "the owner has no more than that", ALICE, "O:AL D:", READ_CONTROL | PORT_CONNECT, 0, DENIED, 0 },
    { "ownership does not give WRITE_OWNER", ALICE, "O:AL D:", WRITE_OWNER, 0, DENIED, 0 },
    { "the owner by an enabled group", ALICE, "O:BU D:", WRITE_DAC, 0, 0, WRITE_DAC },
    { "no owner by a disabled group", ALICE, "O:BA D:", WRITE_DAC, 0, DENIED, 0 },
    { "no owner by a deny-only group", ALICE, "O:BG D:", WRITE_DAC, 0, DENIED, 0 },
    { "no owner by a deny-only user", DENY_ONLY_ME, "O:AL D:", WRITE_DAC, 0, DENIED, 0 },
    { "no owner at all", ALICE, "D:", READ_CONTROL, 0, DENIED, 0 },
    { "a deny ACE spares the owner's rights", ALICE, "O:AL D:(D;;GA;AL)", READ_CONTROL, 0, 0, READ_CONTROL },

    /* OWNER RIGHTS, MS-DTYP 2.4.2.4 */
    { "OWNER RIGHTS replaces them", ALICE, "O:AL D:(A;;0x1;OW)", MAXIMUM_ALLOWED, 0, 0, PORT_CONNECT },
    { "OWNER RIGHTS: WRITE_DAC is gone", ALICE, "O:AL D:(A;;0x20000;OW)", WRITE_DAC, 0, DENIED, 0 },
    { "OWNER RIGHTS: denial", ALICE, "O:AL D:(D;;0x1;OW)(A;;GA;WD)", MAXIMUM_ALLOWED, 0, 0, ALL & ~1u },
    { "OWNER RIGHTS denies a deny-only owner", ALICE, "O:BG D:(D;;0x1;OW)(A;;GA;WD)", 1, 0, DENIED, 0 },
    { "OWNER RIGHTS allows no deny-only owner", ALICE, "O:BG D:(A;;GA;OW)", 1, 0, DENIED, 0 },
    { "OWNER RIGHTS says nothing of others", ALICE, "O:SY D:(A;;GA;OW)", 1, 0, DENIED, 0 },
    { "OWNER RIGHTS without an owner", ALICE, "D:(A;;GA;OW)", 1, 0, DENIED, 0 },
    { "OWNER RIGHTS, inherit-only", ALICE, "O:AL D:(A;IO;0x1;OW)", MAXIMUM_ALLOWED, 0, 0, OWNER_IMPLICIT },
    { "OWNER RIGHTS, last of all", ALICE, "O:AL D:(A;;0x1;AL)(A;;0x1;OW)", READ_CONTROL, 0, DENIED, 0 },

    /* allow and deny */
    { "allow by user", ALICE, "O:SY D:(A;;0x1;AL)", 1, 0, 0, 1 },
    { "allow by group", ALICE, "O:SY D:(A;;0x1;BU)", 1, 0, 0, 1 },
    { "allow somebody else", ALICE, "O:SY D:(A;;0x1;BO)", 1, 0, DENIED, 0 },
    { "a longer SID is another", ALICE, "O:SY D:(A;;0x1;AL1)", 1, 0, DENIED, 0 },
    { "a disabled group matches no allow ACE", ALICE, "O:SY D:(A;;0x1;BA)", 1, 0, DENIED, 0 },
    { "a disabled group matches no deny ACE", ALICE, "O:SY D:(D;;0x1;BA)(A;;0x1;WD)", 1, 0, 0, 1 },
    { "a deny-only group matches no allow ACE", ALICE, "O:SY D:(A;;0x1;BG)", 1, 0, DENIED, 0 },
    { "a deny-only group matches a deny ACE", ALICE, "O:SY D:(D;;0x1;BG)(A;;0x1;WD)", 1, 0, DENIED, 0 },
    { "a deny-only user matches no allow ACE", DENY_ONLY_ME, "O:SY D:(A;;0x1;AL)", 1, 0, DENIED, 0 },
    { "a deny-only user matches a deny ACE", DENY_ONLY_ME, "O:SY D:(D;;0x1;AL)(A;;0x1;BU)", 1, 0, DENIED, 0 },
    { "deny before allow", ALICE, "O:SY D:(D;;0x1;BU)(A;;GA;AL)", 1, 0, DENIED, 0 },
    { "allow before deny", ALICE, "O:SY D:(A;;0x1;AL)(D;;0x1;BU)", 1, 0, 0, 1 },
    { "the order counts bit by bit", ALICE, "O:SY D:(A;;0x1;AL)(D;;0x10001;BU)(A;;GA;WD)", MAXIMUM_ALLOWED, 0, 0,
      ALL & ~DELETE },
    { "one denied bit of two refuses both", ALICE, "O:SY D:(D;;0x10000;BU)(A;;GA;WD)", DELETE | 1, 0, DENIED, 0 },
    { "a denial of what is not asked for", ALICE, "O:SY D:(D;;0x10000;BU)(A;;GA;WD)", 1, 0, 0, 1 },
    { "rights add up over ACEs", ALICE, "O:SY D:(A;;0x1;BU)(A;;0x10000;AL)", DELETE | 1, 0, 0, DELETE | 1 },
    { "no more is granted than is asked for", ALICE, "O:SY D:(A;;GA;AL)", 1, 0, 0, 1 },
    { "PORT_CONNECT for all (lpc.md 2.5)", ALICE, "O:SY D:(A;;0x1;WD)(A;;GA;BA)", MAXIMUM_ALLOWED, 0, 0, PORT_CONNECT },

    /* generic rights, alpc.md 3.8 */
    { "GENERIC_READ asked for", ALICE, "O:SY D:(A;;0x1f0001;AL)", GENERIC_READ, 0, 0, 0x00020001 },
    { "GENERIC_WRITE asked for", ALICE, "O:SY D:(A;;0x1f0001;AL)", GENERIC_WRITE, 0, 0, 0x00010001 },
    { "GENERIC_ALL asked for, part missing", ALICE, "O:SY D:(A;;0x0f0001;AL)", GENERIC_ALL, 0, DENIED, 0 },
    { "GENERIC_WRITE in an ACE", ALICE, "O:SY D:(A;;GW;AL)", DELETE | 1, 0, 0, DELETE | 1 },
    { "GENERIC_ALL in an ACE", ALICE, "O:SY D:(A;;GA;AL)", MAXIMUM_ALLOWED, 0, 0, ALL },
    { "GENERIC_READ denied", ALICE, "O:SY D:(D;;GR;AL)(A;;GA;AL)", MAXIMUM_ALLOWED, 0, 0, ALL & ~0x00020001u },
    { "GENERIC_EXECUTE maps to nothing", ALICE, "O:SY D:(A;;GA;AL)", GENERIC_EXECUTE, 0, DENIED, 0 },
    { "GENERIC_EXECUTE allowed is nothing", ALICE, "O:SY D:(A;;GX;AL)", MAXIMUM_ALLOWED, 0, DENIED, 0 },

    /* no right asked for, rights unknown, rights that are granted already */
    { "desired 0 is refused", ALICE, "O:SY D:(A;;GA;AL)", 0, 0, DENIED, 0 },
    { "desired 0 is refused without a DACL", ALICE, "O:SY", 0, 0, DENIED, 0 },
    { "desired 0 with something granted", ALICE, "O:SY D:", 0, DELETE, 0, DELETE },
    { "what is granted is not asked for", ALICE, "O:SY D:", DELETE, DELETE, 0, DELETE },
    { "the rest is", ALICE, "O:SY D:", DELETE | 1, DELETE, DENIED, 0 },
    { "what is granted adds to the result", ALICE, "O:SY D:(A;;0x1;AL)", 1, DELETE, 0, DELETE | 1 },
    { "what is granted survives denial", ALICE, "O:SY D:(D;;GA;AL)", MAXIMUM_ALLOWED, DELETE, 0, DELETE },
    { "unknown bits need an ACE like any", ALICE, "O:SY D:(A;;GA;AL)", 0x8001, 0, DENIED, 0 },
    { "unknown bits that an ACE allows", ALICE, "O:SY D:(A;;0x8001;AL)", 0x8001, 0, 0, 0x8001 },

    /* MAXIMUM_ALLOWED */
    { "and a right that is there", ALICE, "O:SY D:(A;;0x10001;AL)", MAXIMUM_ALLOWED | 1, 0, 0, DELETE | 1 },
    { "and a right that is not", ALICE, "O:SY D:(A;;0x1;AL)", MAXIMUM_ALLOWED | DELETE, 0, DENIED, 0 },
    { "when all is denied", ALICE, "O:SY D:(D;;GA;BU)(A;;GA;AL)", MAXIMUM_ALLOWED, 0, DENIED, 0 },
    { "in an ACE it is no right", ALICE, "O:SY D:(A;;0x2000001;AL)", MAXIMUM_ALLOWED, 0, 0, 1 },

    /* privileges */
    { "the SACL by privilege", ADMIN, "O:SY D:", ACCESS_SYSTEM_SECURITY, 0, 0, ACCESS_SYSTEM_SECURITY },
    { "the privilege is disabled", IDLE_ADMIN, "O:SY D:", ACCESS_SYSTEM_SECURITY, 0, NOT_HELD, 0 },
    { "an ACE cannot give it (MS-DTYP 2.4.3)", ALICE, "O:SY D:(A;;0x1000001;AL)", ACCESS_SYSTEM_SECURITY, 0, NOT_HELD,
      0 },
    { "nor with MAXIMUM_ALLOWED", ALICE, "O:SY D:(A;;0x1000001;AL)", MAXIMUM_ALLOWED, 0, 0, 1 },
    { "MAXIMUM_ALLOWED uses no privilege", ADMIN, "O:SY D:(A;;0x1;BO)", MAXIMUM_ALLOWED, 0, 0, 1 },
    { "the SACL granted before", ALICE, "O:SY D:", ACCESS_SYSTEM_SECURITY, ACCESS_SYSTEM_SECURITY, 0,
      ACCESS_SYSTEM_SECURITY },
    { "the privilege gives no other right", ADMIN, "O:SY D:", ACCESS_SYSTEM_SECURITY | 1, 0, DENIED, 0 },
    { "a missing privilege is told before a denial", ALICE, "O:SY D:", ACCESS_SYSTEM_SECURITY | 1, 0, NOT_HELD, 0 },
    { "WRITE_OWNER by privilege", ADMIN, "O:SY D:", WRITE_OWNER, 0, 0, WRITE_OWNER },
    { "WRITE_OWNER by privilege, denied to all", ADMIN, "O:SY D:(D;;GA;WD)", WRITE_OWNER, 0, 0, WRITE_OWNER },
    { "WRITE_OWNER, privilege disabled", IDLE_ADMIN, "O:SY D:", WRITE_OWNER, 0, DENIED, 0 },
    { "WRITE_OWNER by an ACE", ALICE, "O:SY D:(A;;0x80000;AL)", WRITE_OWNER, 0, 0, WRITE_OWNER },

    /* restricted tokens */
    { "allowed by both", RESTRICTED, "O:SY D:(A;;0x1;BU)", 1, 0, 0, 1 },
    { "allowed by two ACEs", RESTRICTED, "O:SY D:(A;;0x1;AL)(A;;0x1;RC)", 1, 0, 0, 1 },
    { "allowed by groups only", RESTRICTED, "O:SY D:(A;;0x1;AL)", 1, 0, DENIED, 0 },
    { "allowed by restricting SIDs only", RESTRICTED, "O:SY D:(A;;0x1;RC)", 1, 0, DENIED, 0 },
    { "denied by a restricting SID", RESTRICTED, "O:SY D:(D;;0x1;RC)(A;;0x1;BU)", 1, 0, DENIED, 0 },
    { "denied by a group", RESTRICTED, "O:SY D:(D;;0x1;BG)(A;;0x1;BU)", 1, 0, DENIED, 0 },
    { "MAXIMUM_ALLOWED is what both have", RESTRICTED, "O:SY D:(A;;0x10001;AL)(A;;0x100001;RC)", MAXIMUM_ALLOWED, 0, 0,
      1 },
    { "no owner unless restricted to it", RESTRICTED, "O:AL D:", READ_CONTROL, 0, DENIED, 0 },
    { "restricted to the owner", RESTRICTED_ME, "O:AL D:", READ_CONTROL, 0, 0, READ_CONTROL },
    { "privileges are not restricted", RESTRICTED_ME, "O:SY D:", WRITE_OWNER | ACCESS_SYSTEM_SECURITY, 0, 0,
      WRITE_OWNER | ACCESS_SYSTEM_SECURITY },

    /* kinds of ACEs */
    { "inherit-only allow", ALICE, "O:SY D:(A;IO;GA;AL)", 1, 0, DENIED, 0 },
    { "inherit-only deny", ALICE, "O:SY D:(D;IO;GA;AL)(A;;GA;AL)", 1, 0, 0, 1 },
    { "other flags do not matter", ALICE, "O:SY D:(A;0xF7;0x1;AL)", 1, 0, 0, 1 },
    { "audit ACEs are ignored", ALICE, "O:SY D:(AU;;GA;AL)", 1, 0, DENIED, 0 },
    { "unknown ACEs are ignored", ALICE, "O:SY D:(0x55;;GA;AL)(A;;0x1;AL)", MAXIMUM_ALLOWED, 0, 0, 1 },
    { "compound ACEs are ignored", ALICE, "O:SY D:(4;;GA;AL)", 1, 0, DENIED, 0 },
    { "object allow without object type", ALICE, "O:SY D:(OA;;0x1;AL;0)", 1, 0, 0, 1 },
    { "object allow, inherited object type only", ALICE, "O:SY D:(OA;;0x1;AL;2)", 1, 0, 0, 1 },
    { "object allow with object type", ALICE, "O:SY D:(OA;;0x1;AL;1)", 1, 0, DENIED, 0 },
    { "object deny without object type", ALICE, "O:SY D:(OD;;0x1;AL;0)(A;;0x1;AL)", 1, 0, DENIED, 0 },
    { "object deny with object type", ALICE, "O:SY D:(OD;;0x1;AL;3)(A;;0x1;AL)", 1, 0, DENIED, 0 },
    { "conditional allow: UNKNOWN allows nothing", ALICE, "O:SY D:(XA;;0x1;AL)", 1, 0, DENIED, 0 },
    { "conditional deny: UNKNOWN denies", ALICE, "O:SY D:(XD;;0x1;AL)(A;;0x1;AL)", 1, 0, DENIED, 0 },
    { "conditional object allow", ALICE, "O:SY D:(ZA;;0x1;AL;0)", 1, 0, DENIED, 0 },
    { "conditional object deny", ALICE, "O:SY D:(ZD;;0x1;AL;0)(A;;0x1;AL)", 1, 0, DENIED, 0 },

    /* levels, alpc.md 4.10 */
    { "identification is not enough", IDENTIFY, "O:AL D:NULL", 1, 0, BAD_LEVEL, 0 },
    { "impersonation is", IMPERSONATE, "O:AL D:NULL", 1, 0, 0, 1 },
};

static void check_access(const char *rule, const struct security_descriptor *sd, const struct token *token,
                         const struct access_row *row)
{
    uint32_t granted = 0xDEADBEEF;

    assert_rule(rule, access_check(sd, token, row->desired, row->previous, &port_mapping, &granted), row->status);
    assert_rule(rule, granted, row->status ? 0xDEADBEEF : row->granted);
}

static void test_access_check(void **state)
{
    struct token *tokens[SUBJECTS];
    struct security_descriptor *sd;

    (void)state;
    for (int i = 0; i < SUBJECTS; i++)
        tokens[i] = make_token(&subjects[i]);
    for (size_t i = 0; i < ARRAY_SIZE(access_rows); i++)
    {
        sd = make_sd(access_rows[i].sd);
        check_access(access_rows[i].rule, sd, tokens[access_rows[i].subject], &access_rows[i]);
        free(sd);
    }
    for (int i = 0; i < SUBJECTS; i++)
        token_free(tokens[i]);
}

/* An object without security. */
static void test_access_check_no_sd(void **state)
{
    static const struct access_row rows[] = {
        { .rule = "PORT_CONNECT", .desired = 1, .granted = 1 },
        { .rule = "GENERIC_ALL", .desired = GENERIC_ALL, .granted = ALL },
        { .rule = "MAXIMUM_ALLOWED", .desired = MAXIMUM_ALLOWED, .granted = ALL },
        { .rule = "0", .desired = 0, .granted = 0 },
        { .rule = "previously granted", .desired = 1, .previous = DELETE, .granted = DELETE | 1 },
        { .rule = "the SACL still takes a privilege", .desired = ACCESS_SYSTEM_SECURITY, .status = NOT_HELD },
    };
    struct token *token = make_token(&subjects[ALICE]);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check_access(rows[i].rule, NULL, token, &rows[i]);
    token_free(token);
}

typedef bool sid_matcher(const struct token *token, const struct sid *sid);

struct model_ace
{
    uint32_t mask;
    bool denies, inherit_only;
    union sid_buffer sid;
};

/* MS-DTYP 2.5.3.2 as it is written there, for one bit: the first ACE that matches and has the bit decides. */
static bool model_grants(const struct model_ace *aces, uint32_t count, const struct token *token, sid_matcher *allows,
                         sid_matcher *denies, uint32_t bit)
{
    for (uint32_t i = 0; i < count; i++)
    {
        if (aces[i].inherit_only || !(map_generic(aces[i].mask, &port_mapping) & bit))
            continue;
        if ((aces[i].denies ? denies : allows)(token, &aces[i].sid.sid))
            return !aces[i].denies;
    }
    return false;
}

static bool model_grants_restricted(const struct model_ace *aces, uint32_t count, const struct token *token,
                                    uint32_t bit)
{
    return model_grants(aces, count, token, token_has_sid, token_has_sid_for_deny, bit) &&
           (!token_is_restricted(token) ||
            model_grants(aces, count, token, token_has_restricted_sid, token_has_restricted_sid, bit));
}

/* COUNT random ACEs, and as a descriptor. */
static struct security_descriptor *random_sd(struct model_ace *aces, uint32_t count, uint64_t *seed)
{
    static const char *const sids[] = { "AL", "BO", "BU", "BG", "BA", "WD", "RC" };
    static const uint32_t masks[] = {
        1, DELETE, SYNCHRONIZE, DELETE | 1, GENERIC_READ, GENERIC_WRITE, ALL, WRITE_OWNER
    };
    char text[512];
    int length = snprintf(text, sizeof(text), "O:SY D:");

    for (uint32_t i = 0; i < count; i++)
    {
        const char *sid = sids[next_random(seed) % ARRAY_SIZE(sids)];

        make_sid(&aces[i].sid, sid);
        aces[i].mask = masks[next_random(seed) % ARRAY_SIZE(masks)];
        aces[i].denies = next_random(seed) % 3 == 0;
        aces[i].inherit_only = next_random(seed) % 8 == 0;
        length += snprintf(text + length, sizeof(text) - length, "(%s;%s;0x%x;%s)", aces[i].denies ? "D" : "A",
                           aces[i].inherit_only ? "IO" : "", aces[i].mask, sid);
    }
    return make_sd(text);
}

/* The walk over all bits agrees with the model bit by bit, and MAXIMUM_ALLOWED with all single bits. */
static void test_access_check_model(void **state)
{
    static const enum subject who[] = { ALICE, RESTRICTED, DENY_ONLY_ME, IDLE_ADMIN };
    uint64_t seed = 0x6d6f64656cull;
    struct token *tokens[ARRAY_SIZE(who)];
    struct model_ace aces[8];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(who); i++)
        tokens[i] = make_token(&subjects[who[i]]);
    for (int round = 0; round < 20000; round++)
    {
        const struct token *token = tokens[round % ARRAY_SIZE(who)];
        uint32_t count = next_random(&seed) % (ARRAY_SIZE(aces) + 1), all = 0, granted;
        struct security_descriptor *sd = random_sd(aces, count, &seed);
        NTSTATUS status;

        for (uint32_t bit = 1; bit < ACCESS_SYSTEM_SECURITY; bit <<= 1)
        {
            bool expected = model_grants_restricted(aces, count, token, bit);

            granted = 0;
            status = access_check(sd, token, bit, 0, &port_mapping, &granted);
            assert_int_equal(status, expected ? STATUS_SUCCESS : STATUS_ACCESS_DENIED);
            assert_int_equal(granted, expected ? bit : 0);
            all |= granted;
        }
        granted = 0;
        status = access_check(sd, token, MAXIMUM_ALLOWED, 0, &port_mapping, &granted);
        assert_int_equal(status, all ? STATUS_SUCCESS : STATUS_ACCESS_DENIED);
        assert_int_equal(granted, all);
        free(sd);
    }
    for (size_t i = 0; i < ARRAY_SIZE(who); i++)
        token_free(tokens[i]);
}

/* The largest DACL against the largest token: no client may stop alpcserver's one event loop for long. */
static void test_access_check_time(void **state)
{
    static uint64_t buffer[TOKEN_WIRE_MAX_SIZE / 8];
    static uint8_t bytes[sizeof(struct security_descriptor) + 0x10000];
    struct security_descriptor header = { .revision = 1, .control = SE_SELF_RELATIVE | SE_DACL_PRESENT };
    struct acl acl = { .revision = 2, .size = 0xFFFC };
    const char *text;
    struct token_builder builder;
    union sid_buffer sid;
    struct token *token;
    struct security_descriptor *sd;
    uint32_t granted, offset;
    clock_t begin;

    (void)state;
    token_build_begin(&builder, buffer, sizeof(buffer));
    builder.wire->type = TOKEN_WIRE_PRIMARY;
    for (int kind = TOKEN_ITEM_USER; kind <= TOKEN_ITEM_PRIMARY_GROUP; kind++)
        token_build_sid(&builder, kind, 0, make_sid(&sid, "AL"));
    for (uint32_t i = 0; TOKEN_WIRE_MAX_SIZE - builder.wire->size >= 20; i++)
    {
        make_sid(&sid, "S-1-5-0");
        sid.sid.sub_authority[0] = i;
        token_build_sid(&builder, i % 2 ? TOKEN_ITEM_GROUP : TOKEN_ITEM_RESTRICTED_SID, 0, &sid.sid);
    }
    assert_int_equal(token_create(buffer, token_build_end(&builder), &token), STATUS_SUCCESS);

    header.dacl = sizeof(header);
    for (offset = sizeof(acl); acl.size - offset >= 20; acl.ace_count++)
    {
        text = "(D;;0xffffffff;S-1-5-0)";
        offset += put_ace(bytes + header.dacl + offset, &text);
    }
    memcpy(bytes + header.dacl, &acl, sizeof(acl));
    memcpy(bytes, &header, sizeof(header));
    begin = clock();
    assert_int_equal(security_descriptor_parse(bytes, header.dacl + acl.size, &sd), STATUS_SUCCESS);
    assert_int_equal(access_check(sd, token, MAXIMUM_ALLOWED, 0, &port_mapping, &granted), STATUS_ACCESS_DENIED);
    assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < 0.25); /* about 1 ms without sanitizers */
    free(sd);
    token_free(token);
}

/* ------------------------------------------------------------------------------------------------ descriptors */

/* every part, generic bits, an inherit-only ACE; the owner was defaulted, the DACL is protected, the SACL inherited */
#define FULL_DACL "(D;;GA;BG)(A;;GR;WD)(OA;;GW;AL;3)(A;IO;GA;BA)"
#define FULL_SACL "(AU;;GW;WD)"
#define FULL_CONTROL (SE_OWNER_DEFAULTED | SE_DACL_PROTECTED | SE_SACL_AUTO_INHERITED)
#define FULL_SD "O:AL G:BU D:" FULL_DACL " S:" FULL_SACL " C:0x1801"

static const void *sd_part(const struct security_descriptor *sd, uint32_t offset)
{
    return offset ? (const uint8_t *)sd + offset : NULL;
}

/* TEXT NULL: absent. */
static void assert_sid_part(const char *rule, const struct security_descriptor *sd, uint32_t offset, const char *text)
{
    union sid_buffer sid;

    assert_rule(rule, offset != 0, text != NULL);
    if (text)
        assert_rule(rule, sid_compare(sd_part(sd, offset), make_sid(&sid, text)), 0);
}

static void assert_acl_part(const struct security_descriptor *sd, uint32_t offset, const char *text)
{
    static uint8_t acl[FIXTURE_SIZE];
    size_t size = put_acl(acl, &text);

    assert_int_not_equal(offset, 0);
    assert_memory_equal(sd_part(sd, offset), acl, size);
}

/* The mask of the first ACE, 0 without one. */
static uint32_t first_mask(const struct security_descriptor *sd, uint32_t offset)
{
    const struct acl *acl = sd_part(sd, offset);

    return acl && acl->ace_count ? acl_first(acl)->mask : 0;
}

static uint32_t query_size(const struct security_descriptor *sd, uint32_t information)
{
    uint32_t needed = 0;

    assert_int_equal(security_descriptor_query(sd, information, NULL, 0, &needed), STATUS_BUFFER_TOO_SMALL);
    return needed;
}

static void test_parse(void **state)
{
    struct security_descriptor *sd = make_sd(FULL_SD);

    (void)state;
    assert_int_equal(sd->control, SE_SELF_RELATIVE | SE_DACL_PRESENT | SE_SACL_PRESENT | FULL_CONTROL);
    assert_sid_part("owner", sd, sd->owner, "AL");
    assert_sid_part("group", sd, sd->group, "BU");
    assert_acl_part(sd, sd->dacl, FULL_DACL);
    assert_acl_part(sd, sd->sacl, FULL_SACL);
    free(sd);
}

/* MS-DTYP 2.4.6: values of fields that make the descriptor invalid, or not. The owner (28 bytes) is at 20, the group
   (16) at 48, the DACL at 64, the SACL at the end. */
static void test_parse_fields(void **state)
{
    static const struct
    {
        const char *rule;
        size_t offset;
        uint32_t value;
        NTSTATUS status;
    } rows[] = {
        { "revision 0", 0, 0x80140000, STATUS_INVALID_SECURITY_DESCR },
        { "revision 2", 0, 0x80140002, STATUS_INVALID_SECURITY_DESCR },
        { "absolute", 0, 0x00140001, STATUS_INVALID_SECURITY_DESCR },
        { "sbz1 is not looked at", 0, 0x8014FF01, STATUS_SUCCESS },
        { "all control bits", 0, 0xFFFF0001, STATUS_SUCCESS },
        { "owner absent", 4, 0, STATUS_SUCCESS },
        { "owner inside the header", 4, 19, STATUS_INVALID_SECURITY_DESCR },
        { "owner at the end", 4, 0x100, STATUS_INVALID_SECURITY_DESCR },
        { "owner at the highest offset", 4, UINT32_MAX, STATUS_INVALID_SECURITY_DESCR },
        { "owner where no SID is", 4, 64, STATUS_INVALID_SID },
        { "owner not aligned", 4, 21, STATUS_INVALID_SID },
        { "owner and group the same", 4, 48, STATUS_SUCCESS },
        { "group absent", 8, 0, STATUS_SUCCESS },
        { "group inside the header", 8, 1, STATUS_INVALID_SECURITY_DESCR },
        { "SACL present but NULL", 12, 0, STATUS_SUCCESS },
        { "SACL where no ACL is", 12, 48, STATUS_INVALID_ACL },
        { "SACL and DACL the same", 12, 64, STATUS_SUCCESS },
        { "DACL present but NULL", 16, 0, STATUS_SUCCESS },
        { "DACL inside the header", 16, 4, STATUS_INVALID_SECURITY_DESCR },
        { "DACL where no ACL is", 16, 20, STATUS_INVALID_ACL },
        { "DACL at the highest offset", 16, UINT32_MAX - 3, STATUS_INVALID_SECURITY_DESCR },
        { "not present: the DACL's offset means nothing", 0, 0x80100001, STATUS_SUCCESS },
        { "SID of the owner", 20, 0x00000502, STATUS_INVALID_SID },
        { "owner too large", 20, 0x00001001, STATUS_INVALID_SID },
        { "revision of the DACL", 64, 0x00080001, STATUS_INVALID_ACL },
        { "DACL too large", 64, 0xFFFC0004, STATUS_INVALID_ACL },
    };
    static uint8_t bytes[FIXTURE_SIZE];
    struct security_descriptor *sd;
    uint8_t *block, *copy;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    {
        size_t size = put_sd(bytes, FULL_SD);

        assert_true(size < 0x100);
        memcpy(bytes + rows[i].offset, &rows[i].value, sizeof(rows[i].value));
        copy = exact_copy(bytes, size, i % 4, &block);
        sd = (struct security_descriptor *)bytes;
        assert_rule(rows[i].rule, security_descriptor_parse(copy, size, &sd), rows[i].status);
        if (rows[i].status)
            assert_ptr_equal(sd, bytes); /* untouched */
        else
            free(sd);
        free(block);
    }
}

static void test_parse_not_present(void **state)
{
    static uint8_t bytes[FIXTURE_SIZE];
    struct security_descriptor *sd, *header = (struct security_descriptor *)bytes;
    size_t size = put_sd(bytes, "O:AL");

    (void)state;
    header->dacl = header->sacl = 0xFFFFFFFF; /* MS-DTYP 2.4.6: ignored without the present bit */
    assert_int_equal(security_descriptor_parse(bytes, size, &sd), STATUS_SUCCESS);
    assert_int_equal(sd->dacl, 0);
    assert_int_equal(sd->sacl, 0);
    free(sd);
}

/* Every length of every form, at every alignment, in a block of exactly that length. */
static void test_parse_truncation(void **state)
{
    static const char *const rows[] = {
        "", "O:AL", "G:WD", "D:", "S:(AU;;0x1;AL)", "O:AL G:BU D:(A;;0x1;BO)", FULL_SD,
    };
    static uint8_t bytes[FIXTURE_SIZE];
    struct security_descriptor *sd;
    uint8_t *block, *copy;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    {
        size_t size = put_sd(bytes, rows[i]);

        for (size_t length = 0; length <= size; length++)
        {
            NTSTATUS status;

            sd = NULL;
            copy = exact_copy(bytes, length, length % 4, &block);
            status = security_descriptor_parse(copy, length, &sd);
            if (length == size)
                assert_int_equal(status, STATUS_SUCCESS);
            else if (status != STATUS_INVALID_SID && status != STATUS_INVALID_ACL)
                assert_int_equal(status, STATUS_INVALID_SECURITY_DESCR);
            assert_int_equal(sd != NULL, length == size);
            free(sd);
            free(block);
        }
    }
}

/* The default descriptor: owner, group and DACL of the token, generic bits mapped (lpc.md 3.15). */
static void test_create_default(void **state)
{
    const struct token_row row = {
        .user = "AL", .owner = "BA", .primary_group = "BG", .default_dacl = "(A;;GA;AL)(A;;0xa0000000;SY)"
    };
    const struct token_row open_row = { .user = "AL" }; /* no default DACL: no DACL */
    struct token *token = make_token(&row), *open_token = make_token(&open_row);
    struct security_descriptor *sd;

    (void)state;
    assert_int_equal(security_descriptor_create(NULL, token, &port_mapping, &sd), STATUS_SUCCESS);
    assert_int_equal(sd->control, SE_SELF_RELATIVE | SE_DACL_PRESENT);
    assert_sid_part("owner", sd, sd->owner, "BA");
    assert_sid_part("group", sd, sd->group, "BG");
    assert_acl_part(sd, sd->dacl, "(A;;0x1f0001;AL)(A;;0x20001;SY)");
    assert_int_equal(sd->sacl, 0);
    assert_int_equal(acl_first(token->default_dacl)->mask, GENERIC_ALL); /* the token's own is untouched */
    free(sd);
    token_free(token);

    assert_int_equal(security_descriptor_create(NULL, open_token, &port_mapping, &sd), STATUS_SUCCESS);
    assert_int_equal(sd->control, SE_SELF_RELATIVE);
    assert_int_equal(sd->dacl, 0);
    free(sd);
    token_free(open_token);
}

/* What a row of the tables below expects of a descriptor. */
struct sd_expected
{
    const char *owner, *group;
    uint16_t control;
    uint32_t dacl, sacl; /* masks of the first ACEs; 0: none */
};

static void assert_sd(const char *rule, const struct security_descriptor *sd, const struct sd_expected *expected)
{
    assert_rule(rule, sd->control, SE_SELF_RELATIVE | expected->control);
    assert_sid_part(rule, sd, sd->owner, expected->owner);
    assert_sid_part(rule, sd, sd->group, expected->group);
    assert_rule(rule, first_mask(sd, sd->dacl), expected->dacl);
    assert_rule(rule, first_mask(sd, sd->sacl), expected->sacl);
}

/* NtAlpcCreatePort with ObjectAttributes.SecurityDescriptor. */
static void test_create_requested(void **state)
{
    static const struct
    {
        const char *rule;
        const char *requested;
        const char *privileges;
        NTSTATUS status;
        struct sd_expected expected;
    } rows[] = {
        { "nothing requested", "", "", 0, { "AL", "BU", D, WRITE_DAC, 0 } },
        { "owner: the user", "O:AL", "", 0, { "AL", "BU", D, WRITE_DAC, 0 } },
        { "owner: a group that may own", "O:BA", "", 0, { "BA", "BU", D, WRITE_DAC, 0 } },
        { "owner: a group that may not", "O:BU", "", STATUS_INVALID_OWNER, { 0 } },
        { "owner: another user", "O:BO", "", STATUS_INVALID_OWNER, { 0 } },
        { "owner: SeRestorePrivilege held", "O:BO", "18=0", STATUS_INVALID_OWNER, { 0 } },
        { "owner: SeRestorePrivilege enabled", "O:BO", "18=2", 0, { "BO", "BU", D, WRITE_DAC, 0 } },
        { "group: any", "G:BG", "", 0, { "AL", "BG", D, WRITE_DAC, 0 } },
        { "DACL: generic bits are mapped", "D:(A;;GR;BO)", "", 0, { "AL", "BU", D, 0x20001, 0 } },
        { "DACL: inherit-only keeps them", "D:(A;IO;GR;BO)", "", 0, { "AL", "BU", D, GENERIC_READ, 0 } },
        { "DACL: NULL is a request (lpc.md 3.15)", "D:NULL", "", 0, { "AL", "BU", D, 0, 0 } },
        { "SACL: auditing takes a privilege", "S:(AU;;0x1;BO)", "", STATUS_PRIVILEGE_NOT_HELD, { 0 } },
        { "SACL: behind a label, too", "S:(ML;;0x1;LW)(AU;;0x1;BO)", "", STATUS_PRIVILEGE_NOT_HELD, { 0 } },
        { "SACL: SeSecurityPrivilege", "S:(AU;;GA;BO)", "8=2", 0, { "AL", "BU", D | S, WRITE_DAC, ALL } },
        { "SACL: a label takes none", "S:(ML;;0x1;LW)", "", 0, { "AL", "BU", D | S, WRITE_DAC, 1 } },
        { "SACL: empty", "S:", "", 0, { "AL", "BU", D | S, WRITE_DAC, 0 } },
        { "control bits of no part are dropped", "C:0x43C0", "", 0, { "AL", "BU", D, WRITE_DAC, 0 } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    {
        const struct token_row row = {
            .user = "AL", .groups = "BU=e BA=0xf", .privileges = rows[i].privileges, .default_dacl = "(A;;0x40000;AL)"
        };
        struct token *creator = make_token(&row);
        struct security_descriptor *requested = make_sd(rows[i].requested), *sd = requested;

        assert_rule(rows[i].rule, security_descriptor_create(requested, creator, &port_mapping, &sd), rows[i].status);
        if (rows[i].status)
            assert_ptr_equal(sd, requested); /* untouched */
        else
        {
            assert_sd(rows[i].rule, sd, &rows[i].expected);
            free(sd);
        }
        free(requested);
        token_free(creator);
    }
}

/* NtSetSecurityObject: which parts come from where. */
static void test_set(void **state)
{
    static const char old[] = "O:AL G:BU D:(A;;0x1f0001;AL) C:0x1000"; /* the DACL is protected */
    static const struct
    {
        const char *rule;
        const char *changes;
        uint32_t information;
        NTSTATUS status;
        struct sd_expected expected;
    } rows[] = {
        { "nothing named", "O:BA G:BG D:NULL", 0, 0, { "AL", "BU", D | P, ALL, 0 } },
        { "unknown bits name nothing", "O:BA G:BG D:NULL", ~0xFu, 0, { "AL", "BU", D | P, ALL, 0 } },
        { "owner", "O:BA G:BG D:NULL C:3", 1, 0, { "BA", "BU", D | P | SE_OWNER_DEFAULTED, ALL, 0 } },
        { "owner that may not be assigned", "O:BO", 1, STATUS_INVALID_OWNER, { 0 } },
        { "owner missing", "G:BG", 1, STATUS_INVALID_OWNER, { 0 } },
        { "an owner not named is not looked at", "O:BO G:BG", 2, 0, { "AL", "BG", D | P, ALL, 0 } },
        { "group missing", "O:AL", 2, STATUS_INVALID_PRIMARY_GROUP, { 0 } },
        { "DACL, generic bits mapped", "D:(A;;GW;BO)", 4, 0, { "AL", "BU", D, DELETE | PORT_CONNECT, 0 } },
        { "DACL NULL", "D:NULL", 4, 0, { "AL", "BU", D, 0, 0 } },
        { "DACL taken away", "O:BA", 4, 0, { "AL", "BU", 0, 0, 0 } },
        { "DACL protected", "D:(A;;0x1;BO) C:0x1000", 4, 0, { "AL", "BU", D | P, 1, 0 } },
        { "SACL, generic bits mapped", "S:(AU;;GA;BO)", 8, 0, { "AL", "BU", D | P | S, ALL, ALL } },
        { "all", "O:BA G:BG D:(A;;0x1;BO) S:(AU;;0x2;BO)", 15, 0, { "BA", "BG", D | S, 1, 2 } },
        { "all or nothing", "O:BO G:BG D:NULL", 7, STATUS_INVALID_OWNER, { 0 } },
    };
    const struct token_row row = { .user = "AL", .groups = "BA=0xf" };
    struct token *caller = make_token(&row);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    {
        struct security_descriptor *sd = make_sd(old), *before = sd, *changes = make_sd(rows[i].changes);

        assert_rule(rows[i].rule, security_descriptor_set(&sd, changes, rows[i].information, caller, &port_mapping),
                    rows[i].status);
        if (rows[i].status)
            assert_ptr_equal(sd, before);
        else
            assert_sd(rows[i].rule, sd, &rows[i].expected);
        free(sd);
        free(changes);
    }
    token_free(caller);
}

/* An object without security gets one. */
static void test_set_no_sd(void **state)
{
    struct token *caller = make_token(&subjects[ALICE]);
    struct security_descriptor *sd = NULL, *changes = make_sd("D:");

    (void)state;
    assert_int_equal(security_descriptor_set(&sd, changes, DACL_SECURITY_INFORMATION, caller, &port_mapping),
                     STATUS_SUCCESS);
    assert_int_equal(sd->control, SE_SELF_RELATIVE | SE_DACL_PRESENT);
    assert_int_equal(sd->owner, 0);
    free(sd);
    free(changes);
    token_free(caller);
}

/* NtQuerySecurityObject: every choice of parts has these and no other, its length, and can be parsed again. */
static void test_query(void **state)
{
    struct security_descriptor *sd = make_sd(FULL_SD), *again;
    uint32_t needed;

    (void)state;
    for (uint32_t information = 0; information < 16; information++)
    {
        uint32_t size = query_size(sd, information);
        uint8_t *block, *buffer = exact_copy(sd, size, information % 4, &block);

        memset(buffer, 0xCC, size);
        assert_int_equal(security_descriptor_query(sd, information, buffer, size - 1, &needed),
                         STATUS_BUFFER_TOO_SMALL);
        assert_int_equal(needed, size);
        for (uint32_t i = 0; i < size; i++)
            assert_int_equal(buffer[i], 0xCC);
        assert_int_equal(security_descriptor_query(sd, information, buffer, size, &needed), STATUS_SUCCESS);
        assert_int_equal(needed, size);
        assert_int_equal(security_descriptor_parse(buffer, size, &again), STATUS_SUCCESS);
        assert_memory_equal(again, buffer, size);
        assert_int_equal(again->owner != 0, (information & OWNER_SECURITY_INFORMATION) != 0);
        assert_int_equal(again->group != 0, (information & GROUP_SECURITY_INFORMATION) != 0);
        assert_int_equal(again->dacl != 0, (information & DACL_SECURITY_INFORMATION) != 0);
        assert_int_equal(again->sacl != 0, (information & SACL_SECURITY_INFORMATION) != 0);
        assert_int_equal((again->control & SE_DACL_PROTECTED) != 0, (information & DACL_SECURITY_INFORMATION) != 0);
        free(again);
        free(block);
    }
    assert_int_equal(query_size(sd, ~0u), query_size(sd, 0xF));
    assert_int_equal(query_size(sd, 0), sizeof(*sd));
    assert_int_equal(query_size(NULL, ~0u), sizeof(*sd)); /* no security: nothing is present */
    free(sd);
}

/* An ACL whose size is no multiple of 4 (InitializeAcl does not insist) does not misplace what follows, and nothing of
   the server's memory leaks out behind it. */
static void test_odd_acl_size(void **state)
{
    static uint8_t bytes[FIXTURE_SIZE], queried[FIXTURE_SIZE];
    size_t size = put_sd(bytes, "O:AL S:(A;;0x1;BO)");
    struct security_descriptor *sd, *header = (struct security_descriptor *)bytes;
    const struct acl *sacl;
    uint32_t needed;

    (void)state;
    ((struct acl *)(bytes + header->sacl))->size += 3;
    assert_int_equal(security_descriptor_parse(bytes, size + 2, &sd), STATUS_INVALID_ACL);
    assert_int_equal(security_descriptor_parse(bytes, size + 3, &sd), STATUS_SUCCESS);
    assert_int_equal(sd->owner % 4, 0);
    assert_sid_part("owner behind it", sd, sd->owner, "AL");
    memset(queried, 0xCC, sizeof(queried));
    assert_int_equal(security_descriptor_query(sd, 0xF, queried, sizeof(queried), &needed), STATUS_SUCCESS);
    sacl = sd_part((const struct security_descriptor *)queried, sd->sacl);
    assert_int_equal(((const uint8_t *)sacl)[sacl->size], 0);
    assert_memory_equal(sd, queried, needed);
    free(sd);
}

/* WDK: SeQuerySecurityAccessMask, SeSetSecurityAccessMask */
static void test_security_access(void **state)
{
    static const struct
    {
        uint32_t information, query, set;
    } rows[] = {
        { 0, 0, 0 },
        { OWNER_SECURITY_INFORMATION, READ_CONTROL, WRITE_OWNER },
        { GROUP_SECURITY_INFORMATION, READ_CONTROL, WRITE_OWNER },
        { DACL_SECURITY_INFORMATION, READ_CONTROL, WRITE_DAC },
        { SACL_SECURITY_INFORMATION, ACCESS_SYSTEM_SECURITY, ACCESS_SYSTEM_SECURITY },
        { LABEL_SECURITY_INFORMATION, READ_CONTROL, WRITE_OWNER },
        { 0xF, READ_CONTROL | ACCESS_SYSTEM_SECURITY, WRITE_OWNER | WRITE_DAC | ACCESS_SYSTEM_SECURITY },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    {
        assert_int_equal(security_query_access(rows[i].information), rows[i].query);
        assert_int_equal(security_set_access(rows[i].information), rows[i].set);
    }
}

/* Whatever is accepted can be checked, set, created from and given out, and what is given out is accepted. */
static void use_descriptor(struct security_descriptor *sd, const struct token *token)
{
    struct security_descriptor *created, *again;
    uint32_t granted, needed = query_size(sd, 0xF);
    uint8_t *buffer = malloc(needed);

    access_check(sd, token, MAXIMUM_ALLOWED, 0, &port_mapping, &granted);
    assert_int_equal(security_descriptor_query(sd, 0xF, buffer, needed, &needed), STATUS_SUCCESS);
    assert_int_equal(security_descriptor_parse(buffer, needed, &again), STATUS_SUCCESS);
    assert_memory_equal(again, sd, needed);
    if (!security_descriptor_create(sd, token, &port_mapping, &created))
        free(created);
    security_descriptor_set(&again, sd, 0xC, token, &port_mapping);
    free(again);
    free(buffer);
}

static void test_mutation(void **state)
{
    static uint8_t original[FIXTURE_SIZE], bytes[FIXTURE_SIZE];
    size_t size = put_sd(original, FULL_SD), accepted = 0;
    struct token *tokens[] = { make_token(&subjects[ADMIN]), make_token(&subjects[RESTRICTED]) };
    uint64_t seed = 0x7365637572ull;
    struct security_descriptor *sd;
    uint8_t *copy, *block;

    (void)state;
    for (int i = 0; i < 100000; i++)
    {
        memcpy(bytes, original, size);
        mutate(bytes, size, &seed);
        copy = exact_copy(bytes, size, i % 4, &block);
        if (!security_descriptor_parse(copy, size, &sd))
        {
            accepted++;
            use_descriptor(sd, tokens[i % 2]);
            free(sd);
        }
        free(block);
    }
    assert_in_range(accepted, 1000, 99000); /* both ways were taken often */
    token_free(tokens[0]);
    token_free(tokens[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sid_is_valid),
        cmocka_unit_test(test_sid_compare),
        cmocka_unit_test(test_acl_is_valid),
        cmocka_unit_test(test_acl_truncation),
        cmocka_unit_test(test_acl_last_ace),
        cmocka_unit_test(test_map_generic),
        cmocka_unit_test(test_access_check),
        cmocka_unit_test(test_access_check_no_sd),
        cmocka_unit_test(test_access_check_model),
        cmocka_unit_test(test_access_check_time),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_fields),
        cmocka_unit_test(test_parse_not_present),
        cmocka_unit_test(test_parse_truncation),
        cmocka_unit_test(test_create_default),
        cmocka_unit_test(test_create_requested),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_set_no_sd),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_odd_acl_size),
        cmocka_unit_test(test_security_access),
        cmocka_unit_test(test_mutation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
