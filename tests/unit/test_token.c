/*
 * Tests of the serialized token and of server/token.c
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "security_fixture.h"

#define ENABLED (SE_GROUP_MANDATORY | SE_GROUP_ENABLED_BY_DEFAULT | SE_GROUP_ENABLED)

/* every kind of item; the privileges are SeSecurityPrivilege, SeDebugPrivilege (disabled) and one with a HighPart */
static const struct token_row full_row = {
    .user = "AL",
    .owner = "BA",
    .primary_group = "BU",
    .groups = "BU=e WD=e BA=0xf BG=0x10 SY=0",
    .restricted = "RC BU",
    .privileges = "8=3 20=1 0x100000014=2",
    .default_dacl = "(A;;GA;AL)",
    .type = TOKEN_WIRE_IMPERSONATION,
    .level = TOKEN_WIRE_DELEGATION,
};

static void assert_sid(const struct sid *sid, const char *text)
{
    union sid_buffer buffer;

    assert_int_equal(sid_compare(sid, make_sid(&buffer, text)), 0);
}

static bool has_sid(const struct token *token, const char *text)
{
    union sid_buffer buffer;

    return token_has_sid(token, make_sid(&buffer, text));
}

static bool denies_sid(const struct token *token, const char *text)
{
    union sid_buffer buffer;

    return token_has_sid_for_deny(token, make_sid(&buffer, text));
}

static void test_round_trip(void **state)
{
    static uint64_t buffer[TOKEN_WIRE_MAX_SIZE / 8];
    struct token_wire *wire = (struct token_wire *)buffer;
    struct token *token;
    size_t size = put_token(buffer, &full_row);

    (void)state;
    wire->token_id = 0x0000000100000002ull;
    wire->modified_id = 3;
    wire->authentication_id = 0x3e7;
    wire->session_id = 1;
    assert_int_equal(token_create(buffer, size, &token), STATUS_SUCCESS);
    assert_memory_equal(token->wire, buffer, size); /* may be sent on */
    assert_int_equal(token->wire->token_id, 0x0000000100000002ull);
    assert_sid(token->user, "AL");
    assert_sid(token->owner, "BA");
    assert_sid(token->primary_group, "BU");
    assert_int_equal(token->groups.count, 6); /* five and the user */
    assert_int_equal(token->restricted.count, 2);
    assert_int_equal(token->privilege_count, 3);
    assert_int_equal(token->default_dacl->ace_count, 1);
    assert_int_equal(acl_first(token->default_dacl)->mask, GENERIC_ALL);
    token_free(token);
    token_free(NULL);
}

static void test_no_default_dacl(void **state)
{
    struct token *token = make_token(&(struct token_row){ .user = "AL" });

    (void)state;
    assert_null(token->default_dacl);
    assert_false(token_is_restricted(token));
    assert_int_equal(token->privilege_count, 0);
    token_free(token);
}

/* MS-DTYP 2.5.3.1.1 SidInToken with the attributes of winnt.h */
static void test_groups(void **state)
{
    static const struct
    {
        const char *rule;
        const char *sid;
        bool allows, denies;
    } rows[] = {
        { "the user", "AL", true, true },
        { "an enabled group", "BU", true, true },
        { "a deny-only group", "BG", false, true },
        { "a disabled group", "SY", false, false },
        { "a SID that is not there", "BO", false, false },
        { "a prefix of one that is there", "S-1-5-32", false, false },
        { "one that is there, and more", "AL1", false, false },
        { "a restricting SID is no group", "RC", false, false },
    };
    struct token *token = make_token(&full_row);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    {
        assert_rule(rows[i].rule, has_sid(token, rows[i].sid), rows[i].allows);
        assert_rule(rows[i].rule, denies_sid(token, rows[i].sid), rows[i].denies);
    }
    token_free(token);
}

/* A deny-only user (CreateRestrictedToken with the user among SidsToDisable), and what is said twice. */
static void test_deny_only_and_duplicates(void **state)
{
    struct token *token = make_token(&(struct token_row){
        .user = "AL",
        .user_attributes = SE_GROUP_USE_FOR_DENY_ONLY,
        .groups = "BU=0 BU=e BA=e BA=0x10 BG=0x17",
    });

    (void)state;
    assert_false(has_sid(token, "AL"));
    assert_true(denies_sid(token, "AL"));
    assert_true(has_sid(token, "BU"));
    assert_false(has_sid(token, "BA"));
    assert_true(denies_sid(token, "BA"));
    assert_false(has_sid(token, "BG"));
    assert_int_equal(token->groups.count, 4);
    token_free(token);
}

static void test_restricted(void **state)
{
    struct token *token = make_token(&full_row);
    union sid_buffer sid;

    (void)state;
    assert_true(token_is_restricted(token));
    assert_true(token_has_restricted_sid(token, make_sid(&sid, "RC")));
    assert_true(token_has_restricted_sid(token, make_sid(&sid, "BU")));
    assert_false(token_has_restricted_sid(token, make_sid(&sid, "AL")));
    token_free(token);
}

static void test_privileges(void **state)
{
    struct token *token = make_token(&full_row);

    (void)state;
    assert_true(token_has_privilege(token, SE_SECURITY_PRIVILEGE));
    assert_false(token_has_privilege(token, SE_DEBUG_PRIVILEGE)); /* held, not enabled; 0x100000014 is another LUID */
    assert_true(token_has_privilege(token, 0x100000014ull));
    assert_false(token_has_privilege(token, SE_RESTORE_PRIVILEGE));
    token_free(token);
}

/* The documentation of TOKEN_GROUPS: SE_GROUP_OWNER; and MS-LSAD 3.1.1.2.1: SeRestorePrivilege */
static void test_owners(void **state)
{
    static const struct
    {
        const char *rule;
        const char *sid;
        bool without, with_restore;
    } rows[] = {
        { "the user", "AL", true, true },         { "a group with SE_GROUP_OWNER", "BA", true, true },
        { "a group without", "BU", false, true }, { "a deny-only group", "BG", false, true },
        { "somebody else", "BO", false, true },
    };
    const struct token_row plain_row = { .user = "AL", .groups = "BU=e BA=0xf BG=0x18" };
    const struct token_row restorer_row = { .user = "AL", .groups = "BU=e BA=0xf BG=0x18", .privileges = "18=2" };
    struct token *plain = make_token(&plain_row), *restorer = make_token(&restorer_row);
    union sid_buffer sid;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    {
        assert_rule(rows[i].rule, token_may_assign_owner(plain, make_sid(&sid, rows[i].sid)), rows[i].without);
        assert_rule(rows[i].rule, token_may_assign_owner(restorer, make_sid(&sid, rows[i].sid)), rows[i].with_restore);
    }
    token_free(plain);
    token_free(restorer);
}

/* alpc.md 4.10: identification is not enough for an access check */
static void test_levels(void **state)
{
    static const struct
    {
        enum token_wire_type type;
        enum token_wire_level level;
        bool suffices;
    } rows[] = {
        { TOKEN_WIRE_PRIMARY, TOKEN_WIRE_ANONYMOUS, true },
        { TOKEN_WIRE_IMPERSONATION, TOKEN_WIRE_ANONYMOUS, false },
        { TOKEN_WIRE_IMPERSONATION, TOKEN_WIRE_IDENTIFICATION, false },
        { TOKEN_WIRE_IMPERSONATION, TOKEN_WIRE_IMPERSONATE, true },
        { TOKEN_WIRE_IMPERSONATION, TOKEN_WIRE_DELEGATION, true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    {
        struct token *token =
            make_token(&(struct token_row){ .user = "AL", .type = rows[i].type, .level = rows[i].level });

        assert_int_equal(token_level_suffices(token), rows[i].suffices);
        token_free(token);
    }
}

/* Values at fixed places that make a valid token invalid; include/ntalpc/token.h. */
static void test_bad_fields(void **state)
{
    enum
    {
        USER = sizeof(struct token_wire),                            /* the first item: Alice, 28 bytes */
        OWNER = USER + sizeof(struct token_wire_item) + 28,          /* Administrators, 16 */
        PRIMARY_GROUP = OWNER + sizeof(struct token_wire_item) + 16, /* Users, 16 */
    };
    static const struct
    {
        const char *rule;
        size_t offset;
        uint16_t value;
        NTSTATUS status;
    } rows[] = {
        { "magic", offsetof(struct token_wire, magic), 0, STATUS_INVALID_PARAMETER },
        { "version 0", offsetof(struct token_wire, version), 0, STATUS_INVALID_PARAMETER },
        { "version 2", offsetof(struct token_wire, version), 2, STATUS_INVALID_PARAMETER },
        { "size", offsetof(struct token_wire, size), 48, STATUS_INVALID_PARAMETER },
        { "size 0", offsetof(struct token_wire, size), 0, STATUS_INVALID_PARAMETER },
        { "type 0", offsetof(struct token_wire, type), 0, STATUS_INVALID_PARAMETER },
        { "type 3", offsetof(struct token_wire, type), 3, STATUS_INVALID_PARAMETER },
        { "level 4", offsetof(struct token_wire, impersonation_level), 4, STATUS_INVALID_PARAMETER },
        { "item kind 0", USER, 0, STATUS_INVALID_PARAMETER },
        { "item kind beyond the last", USER, TOKEN_ITEM_KINDS, STATUS_INVALID_PARAMETER },
        { "item size 0: no endless loop", USER + 2, 0, STATUS_INVALID_PARAMETER },
        { "item smaller than its header", USER + 2, 7, STATUS_INVALID_PARAMETER },
        { "item without data", USER + 2, 8, STATUS_INVALID_SID },
        { "SID smaller than its item", USER + 2, 40, STATUS_INVALID_SID },
        { "SID larger than its item", USER + 2, 32, STATUS_INVALID_SID },
        { "item beyond the end", USER + 2, 0xFFFF, STATUS_INVALID_PARAMETER },
        { "SID revision 2", USER + 8, 0x0502, STATUS_INVALID_SID },
        { "SID with 16 subauthorities", USER + 8, 0x1001, STATUS_INVALID_SID },
        { "no user", USER, TOKEN_ITEM_GROUP, STATUS_INVALID_PARAMETER },
        { "two users, no owner", OWNER, TOKEN_ITEM_USER, STATUS_INVALID_PARAMETER },
        { "two primary groups, no owner", OWNER, TOKEN_ITEM_PRIMARY_GROUP, STATUS_INVALID_PARAMETER },
        { "no primary group", PRIMARY_GROUP, TOKEN_ITEM_GROUP, STATUS_INVALID_PARAMETER },
        { "SID as a privilege", PRIMARY_GROUP, TOKEN_ITEM_PRIVILEGE, STATUS_INVALID_PARAMETER },
        { "SID as an ACL", PRIMARY_GROUP, TOKEN_ITEM_DEFAULT_DACL, STATUS_INVALID_ACL },
    };
    static uint64_t buffer[TOKEN_WIRE_MAX_SIZE / 8];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
    {
        size_t size = put_token(buffer, &full_row);
        struct token *token = (struct token *)buffer;

        memcpy((uint8_t *)buffer + rows[i].offset, &rows[i].value, sizeof(rows[i].value));
        assert_rule(rows[i].rule, token_create(buffer, size, &token), rows[i].status);
        assert_ptr_equal(token, buffer); /* untouched on failure */
    }
}

static void test_two_default_dacls(void **state)
{
    static const struct acl dacl = { .revision = 2, .size = sizeof(dacl) };
    static uint64_t buffer[TOKEN_WIRE_MAX_SIZE / 8];
    struct token_builder builder = { (struct token_wire *)buffer, TOKEN_WIRE_MAX_SIZE, false };
    struct token *token = NULL;

    (void)state;
    put_token(buffer, &full_row);
    token_build_default_dacl(&builder, &dacl);
    assert_int_equal(token_create(buffer, token_build_end(&builder), &token), STATUS_INVALID_PARAMETER);
    assert_null(token);
}

/* An item whose size is no multiple of 4 is followed by its padding, also when it is the last. */
static void test_item_padding(void **state)
{
    static const uint8_t dacl[sizeof(struct acl) + 1] = { 2, 0, sizeof(dacl), 0 };
    const struct token_row row = { .user = "AL" };
    static uint64_t buffer[TOKEN_WIRE_MAX_SIZE / 8];
    struct token_builder builder = { (struct token_wire *)buffer, TOKEN_WIRE_MAX_SIZE, false };
    struct token *token;
    uint32_t size = put_token(buffer, &row);

    (void)state;
    token_build_default_dacl(&builder, dacl);
    assert_int_equal(token_build_end(&builder), size + 8 + 12);
    for (int missing = 1; missing < 4; missing++)
    {
        builder.wire->size = size + 8 + 12 - missing;
        assert_int_equal(token_create(buffer, builder.wire->size, &token), STATUS_INVALID_PARAMETER);
    }
    builder.wire->size = size + 8 + 12;
    token_build_privilege(&builder, SE_DEBUG_PRIVILEGE, SE_PRIVILEGE_ENABLED);
    assert_int_equal(token_create(buffer, token_build_end(&builder), &token), STATUS_SUCCESS);
    assert_int_equal(token->default_dacl->size, 9);
    assert_true(token_has_privilege(token, SE_DEBUG_PRIVILEGE));
    token_free(token);
}

/* Each shorter piece of a valid token is invalid, with and without a header that owns up to its length. */
static void test_truncation(void **state)
{
    static uint64_t buffer[TOKEN_WIRE_MAX_SIZE / 8];
    size_t size = put_token(buffer, &full_row), valid = 0;
    struct token *token;
    uint8_t *copy, *block;
    uint32_t length;

    (void)state;
    for (size_t misalignment = 0; misalignment < 8; misalignment++)
    {
        for (length = 0; length < size; length++)
        {
            copy = exact_copy(buffer, length, misalignment, &block);
            assert_int_equal(token_create(copy, length, &token), STATUS_INVALID_PARAMETER);
            if (length >= sizeof(struct token_wire))
            {
                memcpy(copy + offsetof(struct token_wire, size), &length, sizeof(length));
                if (!token_create(copy, length, &token))
                {
                    valid++; /* cut between two items, all three that must be there are */
                    token_free(token);
                }
            }
            free(block);
        }
        copy = exact_copy(buffer, size, misalignment, &block);
        assert_int_equal(token_create(copy, size, &token), STATUS_SUCCESS);
        assert_sid(token->user, "AL");
        token_free(token);
        free(block);
    }
    /* after the primary group 5 groups, 2 restricting SIDs, 3 privileges and the DACL follow */
    assert_int_equal(valid, 8 * 11);
}

static void test_mutation(void **state)
{
    static uint64_t original[TOKEN_WIRE_MAX_SIZE / 8], buffer[TOKEN_WIRE_MAX_SIZE / 8];
    size_t size = put_token(original, &full_row), accepted = 0;
    uint64_t seed = 0x746f6b656eull;
    struct token *token;
    uint8_t *copy, *block;

    (void)state;
    for (int i = 0; i < 100000; i++)
    {
        memcpy(buffer, original, size);
        mutate((uint8_t *)buffer + (i % 2 ? 0 : sizeof(struct token_wire)),
               size - (i % 2 ? 0 : sizeof(struct token_wire)), &seed);
        copy = exact_copy(buffer, size, i % 8, &block);
        if (!token_create(copy, size, &token))
        {
            accepted++;
            assert_true(token_has_sid_for_deny(token, token->user));
            token_has_privilege(token, SE_SECURITY_PRIVILEGE);
            token_may_assign_owner(token, token->owner);
            token_has_restricted_sid(token, token->primary_group);
            token_free(token);
        }
        free(block);
    }
    assert_in_range(accepted, 1000, 99000); /* both ways were taken often */
}

/* What does not fit is noticed, at every capacity, and nothing is written beyond it. */
static void test_builder_capacity(void **state)
{
    static uint64_t whole[TOKEN_WIRE_MAX_SIZE / 8];
    uint32_t size = (uint32_t)put_token(whole, &full_row);
    struct token_builder builder;
    union sid_buffer sid;

    (void)state;
    for (uint32_t capacity = 0; capacity <= size; capacity++)
    {
        uint8_t *block = malloc(capacity + !capacity);
        const uint8_t *item = (const uint8_t *)(whole + sizeof(struct token_wire) / 8);

        token_build_begin(&builder, block, capacity);
        while (item < (const uint8_t *)whole + size)
        {
            const struct token_wire_item *next = (const void *)item;

            token_build_item(&builder, next->kind, next->attributes, next + 1, next->size - sizeof(*next));
            item += token_wire_item_span(next->size);
        }
        assert_int_equal(token_build_end(&builder), capacity < size ? 0 : size);
        free(block);
    }
    /* once full, always full */
    token_build_begin(&builder, whole, sizeof(struct token_wire) + 16);
    token_build_sid(&builder, TOKEN_ITEM_USER, 0, make_sid(&sid, "AL"));
    token_build_privilege(&builder, SE_DEBUG_PRIVILEGE, 0);
    assert_int_equal(token_build_end(&builder), 0);
}

/* The limits of size: 64 KiB in all, and so for one item. */
static void test_builder_limits(void **state)
{
    static uint64_t buffer[TOKEN_WIRE_MAX_SIZE / 8 + 8];
    static const uint8_t data[0x20000];
    static const struct
    {
        struct token_wire_item item;
        uint32_t luid[2];
    } privilege = { { TOKEN_ITEM_PRIVILEGE, sizeof(privilege), 0 }, { 8, 0 } };
    static const uint32_t too_large[] = {
        0xFFFF - 8 + 1, 0x10000, 0x20000, UINT32_MAX - 8, UINT32_MAX - 3, UINT32_MAX
    };
    struct token_builder builder;
    struct token *token = NULL;
    union sid_buffer sid;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(too_large); i++)
    {
        token_build_begin(&builder, buffer, sizeof(buffer));
        token_build_item(&builder, TOKEN_ITEM_GROUP, 0, data, too_large[i]);
        assert_int_equal(token_build_end(&builder), 0);
    }
    /* as many groups as fit, then one more */
    token_build_begin(&builder, buffer, sizeof(buffer));
    builder.wire->type = TOKEN_WIRE_PRIMARY;
    for (int kind = TOKEN_ITEM_USER; kind <= TOKEN_ITEM_PRIMARY_GROUP; kind++)
        token_build_sid(&builder, kind, 0, make_sid(&sid, "AL"));
    for (uint32_t i = 0; TOKEN_WIRE_MAX_SIZE - builder.wire->size >= 20; i++)
    {
        make_sid(&sid, "S-1-5-0");
        sid.sid.sub_authority[0] = i * 2654435761u; /* unsorted */
        token_build_sid(&builder, TOKEN_ITEM_GROUP, ENABLED, &sid.sid);
    }
    assert_int_equal(token_create(buffer, token_build_end(&builder), &token), STATUS_SUCCESS);
    assert_in_range(token->groups.count, 3000, 3300);
    for (uint32_t i = 1; i < token->groups.count; i++)
        assert_true(sid_compare(token->groups.entries[i - 1].sid, token->groups.entries[i].sid) < 0);
    token_free(token);
    token_build_sid(&builder, TOKEN_ITEM_GROUP, 0, &sid.sid);
    assert_int_equal(token_build_end(&builder), 0);
    /* more than the limit is refused even when it is whole */
    memcpy((uint8_t *)buffer + TOKEN_WIRE_MAX_SIZE, &privilege, sizeof(privilege));
    builder.wire->size = TOKEN_WIRE_MAX_SIZE + sizeof(privilege);
    assert_int_equal(token_create(buffer, builder.wire->size, &token), STATUS_INVALID_PARAMETER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_no_default_dacl),
        cmocka_unit_test(test_groups),         cmocka_unit_test(test_deny_only_and_duplicates),
        cmocka_unit_test(test_restricted),     cmocka_unit_test(test_privileges),
        cmocka_unit_test(test_owners),         cmocka_unit_test(test_levels),
        cmocka_unit_test(test_bad_fields),     cmocka_unit_test(test_two_default_dacls),
        cmocka_unit_test(test_item_padding),   cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_mutation),       cmocka_unit_test(test_builder_capacity),
        cmocka_unit_test(test_builder_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
