/*
 * Tests of programs/alpcdump/sddl.c
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "security_fixture.h"

#include "programs/alpcdump/sddl.h"

#include <stdio.h>

static void assert_sddl(const void *data, size_t size, const char *expected)
{
    char *text = NULL;

    assert_int_equal(sddl_from_descriptor(data, size, &text), STATUS_SUCCESS);
    assert_string_equal(text, expected);
    free(text);
}

struct row
{
    const char *descriptor; /* for put_sd */
    const char *sddl;
};

static void check_rows(const struct row *rows, size_t count)
{
    static uint8_t buffer[FIXTURE_SIZE];

    for (size_t i = 0; i < count; i++)
        assert_sddl(buffer, put_sd(buffer, rows[i].descriptor), rows[i].sddl);
}

#define CHECK_ROWS(rows) check_rows(rows, ARRAY_SIZE(rows))

static void test_parts(void **state)
{
    static const struct row rows[] = {
        { "", "" },
        { "O:BA", "O:BA" },
        { "G:SY", "G:SY" },
        { "O:BA G:BU D:(A;;GA;SY) S:(ML;;1;LW)", "O:BAG:BUD:(A;;GA;;;SY)S:(ML;;NW;;;LW)" },
        { "S: D: G:BU O:AL", "O:S-1-5-21-1-2-3-1001G:BUD:S:" },
        { "D:", "D:" },
        { "D:NULL", "D:NO_ACCESS_CONTROL" },
        { "S:NULL", "S:NO_ACCESS_CONTROL" },
        { "D: C:0x1000", "D:P" },
        { "D: C:0x400", "D:AI" },
        { "D:NULL C:0x1400", "D:PAINO_ACCESS_CONTROL" },
        { "S:(AU;0xc0;GA;WD) C:0x2800", "S:PAI(AU;SAFA;GA;;;WD)" },
        { "O:BA C:0x1400", "O:BA" }, /* bits of an ACL that is not there */
    };

    (void)state;
    CHECK_ROWS(rows);
}

/* MS-DTYP 2.5.1.1, as Windows writes it */
static void test_rights(void **state)
{
    static const struct row rows[] = {
        { "D:(A;;0;WD)", "D:(A;;;;;WD)" },
        { "D:(A;;0x1;WD)", "D:(A;;CC;;;WD)" },
        { "D:(A;;0x1ff;WD)", "D:(A;;CCDCLCSWRPWPDTLOCR;;;WD)" },
        { "D:(A;;0xf0000;WD)", "D:(A;;SDRCWDWO;;;WD)" },
        { "D:(A;;0xf0001;WD)", "D:(A;;CCSDRCWDWO;;;WD)" },
        { "D:(A;;0xf0000000;WD)", "D:(A;;GAGXGWGR;;;WD)" },
        { "D:(A;;0xe0010000;WD)", "D:(A;;SDGXGWGR;;;WD)" },
        { "D:(A;;0x1f01ff;WD)", "D:(A;;FA;;;WD)" },
        { "D:(A;;0x120089;WD)", "D:(A;;FR;;;WD)" },
        { "D:(A;;0x120116;WD)", "D:(A;;FW;;;WD)" },
        { "D:(A;;0x1200a0;WD)", "D:(A;;FX;;;WD)" },
        { "D:(A;;0xf003f;WD)", "D:(A;;KA;;;WD)" },
        { "D:(A;;0x20019;WD)", "D:(A;;KR;;;WD)" },
        { "D:(A;;0x20006;WD)", "D:(A;;KW;;;WD)" },
        /* SYNCHRONIZE, ACCESS_SYSTEM_SECURITY and MAXIMUM_ALLOWED have no abbreviation */
        { "D:(A;;0x1f0001;WD)", "D:(A;;0x1f0001;;;WD)" },
        { "D:(A;;0x1000000;WD)", "D:(A;;0x1000000;;;WD)" },
        { "D:(A;;0x2000001;WD)", "D:(A;;0x2000001;;;WD)" },
        { "D:(A;;0x200;WD)", "D:(A;;0x200;;;WD)" },
        { "D:(A;;0xffffffff;WD)", "D:(A;;0xffffffff;;;WD)" },
        { "S:(ML;;7;LW)", "S:(ML;;NWNRNX;;;LW)" },
        { "S:(ML;;2;LW)", "S:(ML;;NR;;;LW)" },
        { "S:(ML;;9;LW)", "S:(ML;;0x9;;;LW)" },
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_aces(void **state)
{
#define GUID_5A "5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a"
    static const struct row rows[] = {
        { "D:(A;;1;WD)(D;IO;GA;BU)(A;0x3;GR;SY)", "D:(A;;CC;;;WD)(D;IO;GA;;;BU)(A;OICI;GR;;;SY)" },
        { "D:(A;0x1f;1;WD)", "D:(A;OICINPIOID;CC;;;WD)" },
        { "D:(A;0x20;1;WD)", "D:(A;0x20;CC;;;WD)" },
        { "D:(A;0x33;1;WD)", "D:(A;0x33;CC;;;WD)" },
        { "D:(OA;;1;WD;0)", "D:(OA;;CC;;;WD)" },
        { "D:(OA;;1;WD;1)", "D:(OA;;CC;" GUID_5A ";;WD)" },
        { "D:(OD;;1;WD;2)", "D:(OD;;CC;;" GUID_5A ";WD)" },
        { "D:(OA;IO;1;WD;3)", "D:(OA;IO;CC;" GUID_5A ";" GUID_5A ";WD)" },
        { "D:(XA;;1;WD)(XD;;1;WD)", "D:(XA;;CC;;;WD)(XD;;CC;;;WD)" },
        { "D:(ZA;;1;WD;0)(ZD;;1;WD;1)", "D:(ZA;;CC;;;WD)(0xc;;CC;" GUID_5A ";;WD)" },
        { "S:(AU;0x40;1;WD)(0x3;;1;WD)", "S:(AU;SA;CC;;;WD)(AL;;CC;;;WD)" },
        { "S:(0x12;;0;WD)(0x13;;0;WD)(0xd;;1;WD)", "S:(RA;;;;;WD)(SP;;;;;WD)(XU;;CC;;;WD)" },
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_sids(void **state)
{
    static const struct row rows[] = {
        { "O:S-1-0-0", "O:S-1-0-0" },
        { "O:S-1-1-0", "O:WD" },
        { "O:S-1-1-0-0", "O:S-1-1-0-0" },
        { "O:S-1-1", "O:S-1-1" },
        { "O:S-1-3-0", "O:CO" },
        { "O:S-1-3-1", "O:CG" },
        { "O:S-1-3-4", "O:OW" },
        { "O:S-1-5-2", "O:NU" },
        { "O:S-1-5-4", "O:IU" },
        { "O:S-1-5-6", "O:SU" },
        { "O:S-1-5-7", "O:AN" },
        { "O:S-1-5-11", "O:AU" },
        { "O:S-1-5-12", "O:RC" },
        { "O:S-1-5-18", "O:SY" },
        { "O:S-1-5-19", "O:LS" },
        { "O:S-1-5-20", "O:NS" },
        { "O:S-1-5-32-544", "O:BA" },
        { "O:S-1-5-32-545", "O:BU" },
        { "O:S-1-5-32-551", "O:BO" },
        { "O:S-1-5-32-580", "O:RM" },
        { "O:S-1-5-33", "O:WR" },
        { "O:S-1-5-84-0-0-0-0-0", "O:UD" },
        { "O:S-1-15-2-1", "O:AC" },
        { "O:S-1-16-4096", "O:LW" },
        { "O:S-1-16-8192", "O:ME" },
        { "O:S-1-16-12288", "O:HI" },
        { "O:S-1-16-16384", "O:SI" },
        { "O:S-1-5-21-1-2-3-512", "O:S-1-5-21-1-2-3-512" }, /* DA of one domain, but which? */
    };

    (void)state;
    CHECK_ROWS(rows);
}

struct owned_by
{
    struct security_descriptor sd;
    union sid_buffer owner;
};

static void assert_owner(const uint8_t authority[6], uint8_t count, const char *expected)
{
    struct owned_by data = { .sd = { .revision = 1, .control = SE_SELF_RELATIVE, .owner = sizeof(data.sd) } };

    data.owner.sid.revision = SID_REVISION;
    data.owner.sid.sub_authority_count = count;
    memcpy(data.owner.sid.identifier_authority, authority, 6);
    for (int i = 0; i < count; i++)
        data.owner.sid.sub_authority[i] = UINT32_MAX;
    assert_sddl(&data, sizeof(data), expected);
}

/* MS-DTYP 2.4.2.1: authorities from 2^32 are written in hex */
static void test_long_sids(void **state)
{
#define MAX5 "-4294967295-4294967295-4294967295-4294967295-4294967295"
    (void)state;
    assert_owner((const uint8_t[]){ 0, 0, 0, 0, 0, 0 }, 0, "O:S-1-0");
    assert_owner((const uint8_t[]){ 0, 0, 255, 255, 255, 255 }, 0, "O:S-1-4294967295");
    assert_owner((const uint8_t[]){ 0, 1, 0, 0, 0, 0 }, 0, "O:S-1-0x000100000000");
    assert_owner((const uint8_t[]){ 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc }, 15, "O:S-1-0x123456789abc" MAX5 MAX5 MAX5);
}

struct with_dacl
{
    struct security_descriptor sd;
    struct acl acl;
    uint8_t ace[40];
};

static void assert_ace(const uint8_t *ace, uint8_t size, const char *expected)
{
    struct with_dacl data = {
        .sd = { .revision = 1, .control = SE_SELF_RELATIVE | SE_DACL_PRESENT, .dacl = sizeof(data.sd) },
        .acl = { .revision = 4, .size = (uint16_t)(sizeof(data.acl) + size), .ace_count = 1 },
    };

    memcpy(data.ace, ace, size);
    assert_sddl(&data, sizeof(data), expected);
}

/* application data of conditional ACEs, and types without a SID that is understood */
static void test_other_bytes(void **state)
{
    static const uint8_t conditional[] = { 9, 0, 24, 0, 1, 0, 0, 0, 1,   1,   0,   0,
                                           0, 0, 0,  1, 0, 0, 0, 0, 'a', 'r', 't', 'x' };
    static const uint8_t compound[] = { 4, 2, 8, 0, 0xde, 0xad, 0xbe, 0xef };
    static const uint8_t empty[] = { 0xff, 0, 4, 0 };
    static const uint8_t guid[] = { 5,    0,    36,   0,    1,    0,    0,    0,    1,    0,    0,    0,
                                    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b,
                                    0x0c, 0x0d, 0x0e, 0x0f, 1,    0,    0,    0,    0,    0,    0,    1 };

    (void)state;
    assert_ace(conditional, sizeof(conditional), "D:(XA;;CC;;;WD;0x61727478)");
    assert_ace(compound, sizeof(compound), "D:(0x4;CI;0xdeadbeef)");
    assert_ace(empty, sizeof(empty), "D:(0xff;)");
    assert_ace(guid, sizeof(guid), "D:(OA;;CC;03020100-0504-0706-0809-0a0b0c0d0e0f;;S-1-1)");
}

static const char *const whole = "O:BA G:BU D:(A;;GA;SY)(OA;;1;WD;3)(XD;;1;BG) S:(ML;;1;LW) C:0x1400";

static void test_truncation(void **state)
{
    static uint8_t buffer[FIXTURE_SIZE];
    size_t size = put_sd(buffer, whole);
    char *text = NULL;
    uint8_t *block;

    (void)state;
    for (size_t misalignment = 0; misalignment < 8; misalignment++)
    {
        for (size_t length = 0; length < size; length++)
        {
            assert_int_not_equal(sddl_from_descriptor(exact_copy(buffer, length, misalignment, &block), length, &text),
                                 STATUS_SUCCESS);
            assert_null(text);
            free(block);
        }
        assert_sddl(exact_copy(buffer, size, misalignment, &block), size,
                    "O:BAG:BUD:PAI(A;;GA;;;SY)(OA;;CC;" GUID_5A ";" GUID_5A ";WD)(XD;;CC;;;BG)S:(ML;;NW;;;LW)");
        free(block);
    }
}

static void test_mutation(void **state)
{
    static uint8_t original[FIXTURE_SIZE], buffer[FIXTURE_SIZE];
    size_t size = put_sd(original, whole), accepted = 0;
    uint64_t seed = 0x7364646cull;
    uint8_t *copy, *block;
    char *text;

    (void)state;
    for (int i = 0; i < 100000; i++)
    {
        memcpy(buffer, original, size);
        mutate(buffer, size, &seed);
        copy = exact_copy(buffer, size, i % 8, &block);
        if (!sddl_from_descriptor(copy, size, &text))
        {
            accepted++;
            for (const char *at = text; *at; at++)
                assert_in_range(*at, 0x21, 0x7e);
            free(text);
        }
        free(block);
    }
    assert_in_range(accepted, 1000, 99000); /* both ways were taken often */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),      cmocka_unit_test(test_rights),    cmocka_unit_test(test_aces),
        cmocka_unit_test(test_sids),       cmocka_unit_test(test_long_sids), cmocka_unit_test(test_other_bytes),
        cmocka_unit_test(test_truncation), cmocka_unit_test(test_mutation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
