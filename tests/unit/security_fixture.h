/*
 * What the tests of tokens and of security build their inputs with
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Inputs are written as text, so that a row of a table is a line. Descriptors are written as in SDDL (MS-DTYP 2.5.1):
 *
 *     O:AL G:BU D:(A;;0x1;WD)(OD;IO;GA;BU;3) S:(AU;;0x1;WD) C:0x1000
 *
 * "D:NULL" is a NULL DACL; an ACE's fifth field holds the flags of an object ACE; C: adds control bits.
 */

#ifndef NTALPC_TESTS_SECURITY_FIXTURE_H
#define NTALPC_TESTS_SECURITY_FIXTURE_H

#include "server/acl.h"
#include "server/security.h"
#include "server/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#endif

#define FIXTURE_SIZE 0x10000 /* bytes of room for whatever is built */

/* The rows of a table say which rule they show; so does a failure. */
#define assert_rule(rule, actual, expected)                                                                            \
    do                                                                                                                 \
    {                                                                                                                  \
        unsigned int actual_ = (unsigned int)(actual), expected_ = (unsigned int)(expected);                           \
        if (actual_ != expected_)                                                                                      \
            fail_msg("%s: %#x, expected %#x", rule, actual_, expected_);                                               \
    } while (0)

struct text_code
{
    const char *text;
    uint32_t code;
};

static const struct text_code ace_types[] = {
    { "A", ACCESS_ALLOWED_ACE_TYPE },
    { "D", ACCESS_DENIED_ACE_TYPE },
    { "AU", SYSTEM_AUDIT_ACE_TYPE },
    { "OA", ACCESS_ALLOWED_OBJECT_ACE_TYPE },
    { "OD", ACCESS_DENIED_OBJECT_ACE_TYPE },
    { "XA", ACCESS_ALLOWED_CALLBACK_ACE_TYPE },
    { "XD", ACCESS_DENIED_CALLBACK_ACE_TYPE },
    { "ZA", ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE },
    { "ZD", ACCESS_DENIED_CALLBACK_OBJECT_ACE_TYPE },
    { "ML", SYSTEM_MANDATORY_LABEL_ACE_TYPE },
};

static const struct text_code ace_flags[] = { { "", 0 }, { "IO", INHERIT_ONLY_ACE } };

static const struct text_code ace_masks[] = {
    { "GA", GENERIC_ALL },
    { "GR", GENERIC_READ },
    { "GW", GENERIC_WRITE },
    { "GX", GENERIC_EXECUTE },
};

/* SDDL's names and two users */
static const struct
{
    const char *name;
    const char *sid;
} sid_names[] = {
    { "WD", "S-1-1-0" },               /* Everyone */
    { "OW", "S-1-3-4" },               /* OWNER RIGHTS */
    { "RC", "S-1-5-12" },              /* RESTRICTED */
    { "SY", "S-1-5-18" },              /* SYSTEM */
    { "BA", "S-1-5-32-544" },          /* Administrators */
    { "BU", "S-1-5-32-545" },          /* Users */
    { "BG", "S-1-5-32-546" },          /* Guests */
    { "LW", "S-1-16-4096" },           /* the low mandatory level */
    { "AL", "S-1-5-21-1-2-3-1001" },   /* Alice */
    { "BO", "S-1-5-21-1-2-3-1002" },   /* Bob */
    { "AL1", "S-1-5-21-1-2-3-1001-1" } /* Alice's SID and more */
};

union sid_buffer
{
    struct sid sid;
    uint8_t bytes[SID_MAX_SIZE];
};

/* The length of the word that TEXT begins with. */
static inline size_t word_length(const char *text)
{
    return strcspn(text, " =:;()");
}

/* The number or the name among CODES (COUNT of them) at *TEXT, which moves behind it. */
static inline uint32_t read_code(const char **text, const struct text_code *codes, size_t count)
{
    size_t length = word_length(*text);
    const char *word = *text;

    *text += length;
    for (size_t i = 0; i < count; i++)
    {
        if (strlen(codes[i].text) == length && !memcmp(word, codes[i].text, length))
            return codes[i].code;
    }
    assert_true(length && word[0] >= '0' && word[0] <= '9');
    return (uint32_t)strtoul(word, NULL, 0);
}

/* The character that must stand at *TEXT, and on. */
static inline void read_char(const char **text, char expected)
{
    assert_int_equal(**text, expected);
    ++*text;
}

/* The SID, by name or as S-1-..., that TEXT begins with. */
static inline const struct sid *make_sid(union sid_buffer *buffer, const char *text)
{
    char *end;

    for (size_t i = 0; i < ARRAY_SIZE(sid_names); i++)
    {
        if (strlen(sid_names[i].name) == word_length(text) && !memcmp(text, sid_names[i].name, word_length(text)))
        {
            text = sid_names[i].sid;
            break;
        }
    }
    memset(buffer, 0, sizeof(*buffer));
    buffer->sid.revision = SID_REVISION;
    assert_int_equal(strncmp(text, "S-1-", 4), 0);
    buffer->sid.identifier_authority[5] = (uint8_t)strtoul(text + 4, &end, 10);
    while (*end == '-')
        buffer->sid.sub_authority[buffer->sid.sub_authority_count++] = (uint32_t)strtoul(end + 1, &end, 10);
    return &buffer->sid;
}

/* The SID at *TEXT, written to PLACE; returns its size. */
static inline size_t put_sid(uint8_t *place, const char **text)
{
    union sid_buffer buffer;
    size_t size = sid_size(make_sid(&buffer, *text));

    memcpy(place, buffer.bytes, size);
    *text += word_length(*text);
    return size;
}

static inline bool is_object_type(uint8_t type)
{
    return type == ACCESS_ALLOWED_OBJECT_ACE_TYPE || type == ACCESS_DENIED_OBJECT_ACE_TYPE ||
           type == ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE || type == ACCESS_DENIED_CALLBACK_OBJECT_ACE_TYPE;
}

/* The ACE at *TEXT; returns its size. */
static inline uint16_t put_ace(uint8_t *place, const char **text)
{
    struct ace ace = { 0 };
    size_t size = offsetof(struct ace, object_flags), sid_length;
    const char *sid;

    read_char(text, '(');
    ace.type = (uint8_t)read_code(text, ace_types, ARRAY_SIZE(ace_types));
    read_char(text, ';');
    ace.flags = (uint8_t)read_code(text, ace_flags, ARRAY_SIZE(ace_flags));
    read_char(text, ';');
    ace.mask = read_code(text, ace_masks, ARRAY_SIZE(ace_masks));
    read_char(text, ';');
    sid = *text;
    *text += sid_length = word_length(*text);
    if (is_object_type(ace.type))
    {
        read_char(text, ';');
        ace.object_flags = read_code(text, NULL, 0);
        size = sizeof(ace) + 16 * (ace.object_flags & 1) + 16 * (ace.object_flags >> 1 & 1);
    }
    read_char(text, ')');
    memset(place, 0x5A, size); /* GUIDs */
    ace.size = (uint16_t)(size + put_sid(place + size, &sid));
    memcpy(place, &ace, is_object_type(ace.type) ? sizeof(ace) : offsetof(struct ace, object_flags));
    return ace.size;
}

/* The ACL at *TEXT; returns its size, 0 for NULL. */
static inline uint16_t put_acl(uint8_t *place, const char **text)
{
    struct acl acl = { .revision = 4, .size = sizeof(acl) };

    if (!strncmp(*text, "NULL", 4))
    {
        *text += 4;
        return 0;
    }
    for (; **text == '('; acl.ace_count++)
        acl.size += put_ace(place + acl.size, text);
    memcpy(place, &acl, sizeof(acl));
    return acl.size;
}

/* The self-relative descriptor that TEXT describes, its parts in that order; returns its size. */
static inline uint32_t put_sd(uint8_t *place, const char *text)
{
    struct security_descriptor sd = { .revision = 1, .control = SE_SELF_RELATIVE };
    uint32_t end = sizeof(sd), size;

    while (*text)
    {
        char part = *text++;

        read_char(&text, ':');
        size = 0;
        switch (part)
        {
        case 'O':
            sd.owner = end;
            size = (uint32_t)put_sid(place + end, &text);
            break;
        case 'G':
            sd.group = end;
            size = (uint32_t)put_sid(place + end, &text);
            break;
        case 'D':
            sd.control |= SE_DACL_PRESENT;
            size = put_acl(place + end, &text);
            sd.dacl = size ? end : 0;
            break;
        case 'S':
            sd.control |= SE_SACL_PRESENT;
            size = put_acl(place + end, &text);
            sd.sacl = size ? end : 0;
            break;
        case 'C':
            sd.control |= (uint16_t)read_code(&text, NULL, 0);
            break;
        default:
            fail_msg("no such part: %c", part);
        }
        end += size;
        text += strspn(text, " ");
    }
    memcpy(place, &sd, sizeof(sd));
    return end;
}

static inline struct security_descriptor *make_sd(const char *text)
{
    static uint8_t buffer[FIXTURE_SIZE];
    struct security_descriptor *sd = NULL;

    assert_int_equal(security_descriptor_parse(buffer, put_sd(buffer, text), &sd), STATUS_SUCCESS);
    return sd;
}

/* A token: lists are text, too. "e" stands for the attributes of a group that is always enabled. */
struct token_row
{
    const char *user;
    const char *owner;         /* NULL: the user */
    const char *primary_group; /* NULL: Users */
    const char *groups;        /* "BU=e BA=0x10" */
    const char *restricted;    /* "BU RC" */
    const char *privileges;    /* "8=2 9=0": LUID and attributes */
    const char *default_dacl;  /* NULL: none */
    uint32_t user_attributes;
    enum token_wire_type type; /* 0: primary */
    enum token_wire_level level;
};

static const struct text_code group_attributes[] = {
    { "e", SE_GROUP_MANDATORY | SE_GROUP_ENABLED_BY_DEFAULT | SE_GROUP_ENABLED },
    { "", 0 },
};

/* The attributes behind a word of a list, 0 when there are none, and on to the next word. */
static inline uint32_t read_attributes(const char **text)
{
    uint32_t attributes = 0;

    if (**text == '=')
    {
        ++*text;
        attributes = read_code(text, group_attributes, ARRAY_SIZE(group_attributes));
    }
    *text += strspn(*text, " ");
    return attributes;
}

static inline void build_sids(struct token_builder *builder, enum token_item_kind kind, const char *text)
{
    union sid_buffer sid;

    while (text && *text)
    {
        put_sid(sid.bytes, &text);
        token_build_sid(builder, kind, read_attributes(&text), &sid.sid);
    }
}

/* The serialized token, built as a client builds it; BUFFER has TOKEN_WIRE_MAX_SIZE bytes, aligned to 8. Returns its
 * size. */
static inline uint32_t put_token(void *buffer, const struct token_row *row)
{
    static _Alignas(8) uint8_t dacl[FIXTURE_SIZE];
    const char *text = row->default_dacl;
    struct token_builder builder;
    union sid_buffer sid;

    token_build_begin(&builder, buffer, TOKEN_WIRE_MAX_SIZE);
    builder.wire->type = row->type ? row->type : TOKEN_WIRE_PRIMARY;
    builder.wire->impersonation_level = row->level;
    token_build_sid(&builder, TOKEN_ITEM_USER, row->user_attributes, make_sid(&sid, row->user));
    build_sids(&builder, TOKEN_ITEM_OWNER, row->owner ? row->owner : row->user);
    build_sids(&builder, TOKEN_ITEM_PRIMARY_GROUP, row->primary_group ? row->primary_group : "BU");
    build_sids(&builder, TOKEN_ITEM_GROUP, row->groups);
    build_sids(&builder, TOKEN_ITEM_RESTRICTED_SID, row->restricted);
    for (const char *privilege = row->privileges; privilege && *privilege;)
    {
        uint64_t luid = strtoull(privilege, (char **)&privilege, 0);

        token_build_privilege(&builder, luid, read_attributes(&privilege));
    }
    if (text)
        put_acl(dacl, &text);
    token_build_default_dacl(&builder, row->default_dacl ? dacl : NULL);
    assert_int_not_equal(token_build_end(&builder), 0);
    return token_build_end(&builder);
}

static inline struct token *make_token(const struct token_row *row)
{
    static uint64_t buffer[TOKEN_WIRE_MAX_SIZE / 8];
    struct token *token = NULL;

    assert_int_equal(token_create(buffer, put_token(buffer, row), &token), STATUS_SUCCESS);
    return token;
}

/* A copy of exactly SIZE bytes, OFFSET bytes off alignment, so that ASan sees any read beyond; free *BLOCK. */
static inline uint8_t *exact_copy(const void *data, size_t size, size_t offset, uint8_t **block)
{
    *block = malloc(size + offset + !(size + offset));
    assert_non_null(*block);
    return memcpy(*block + offset, data, size);
}

/* xorshift64 with a fixed seed: the same inputs every time */
static inline uint32_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 16);
}

/* Change one to four bytes of DATA. Small steps are the most telling: they land in counts, sizes and types. */
static inline void mutate(uint8_t *data, size_t size, uint64_t *state)
{
    for (uint32_t n = next_random(state) % 4 + 1; n; n--)
    {
        uint8_t *byte = data + next_random(state) % size;

        switch (next_random(state) % 3)
        {
        case 0:
            *byte = (uint8_t)next_random(state);
            break;
        case 1:
            *byte = (uint8_t)(*byte + next_random(state) % 9 - 4);
            break;
        default:
            *byte ^= (uint8_t)(1u << next_random(state) % 8);
            break;
        }
    }
}

#endif
