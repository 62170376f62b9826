/*
 * The form in which a process sends a snapshot of a token to alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * alpcserver cannot ask wineserver about a token, so the process that owns it reads it with NtQueryInformationToken and
 * sends what an access check, an impersonation or a default security descriptor needs. Pointers do not travel and their
 * size differs between 32 and 64 bits, so the pieces are appended one by one: a header, then items of (kind, size,
 * attributes, data), each beginning at a multiple of 4, in any order. Everything is little-endian and of fixed width.
 *
 * The sender:
 *
 *     struct token_builder builder;
 *     token_build_begin(&builder, buffer, sizeof(buffer));
 *     builder.wire->token_id = ...;                                    (and the other header fields)
 *     token_build_sid(&builder, TOKEN_ITEM_USER, user->User.Attributes, user->User.Sid);
 *     for (i = 0; i < groups->GroupCount; i++)
 *         token_build_sid(&builder, TOKEN_ITEM_GROUP, groups->Groups[i].Attributes, groups->Groups[i].Sid);
 *     ...
 *     size = token_build_end(&builder);                                (0: it did not fit)
 *
 * The receiver, server/token.h, trusts none of it.
 */

#ifndef NTALPC_TOKEN_H
#define NTALPC_TOKEN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the serialized token is little-endian"
#endif

#define TOKEN_WIRE_MAGIC 0x4E4B4F54u /* "TOKN" */
#define TOKEN_WIRE_VERSION 1
#define TOKEN_WIRE_MAX_SIZE 0x10000u /* bytes, header included */

/* TOKEN_TYPE and SECURITY_IMPERSONATION_LEVEL (winnt.h) under names that do not collide with Windows' headers */
enum token_wire_type
{
    TOKEN_WIRE_PRIMARY = 1,
    TOKEN_WIRE_IMPERSONATION = 2
};

enum token_wire_level
{
    TOKEN_WIRE_ANONYMOUS = 0,
    TOKEN_WIRE_IDENTIFICATION = 1,
    TOKEN_WIRE_IMPERSONATE = 2,
    TOKEN_WIRE_DELEGATION = 3
};

enum token_item_kind
{
    TOKEN_ITEM_USER = 1,       /* exactly one: SID; attributes are 0 or SE_GROUP_USE_FOR_DENY_ONLY */
    TOKEN_ITEM_OWNER,          /* exactly one: SID that owns what the token creates */
    TOKEN_ITEM_PRIMARY_GROUP,  /* exactly one: SID */
    TOKEN_ITEM_GROUP,          /* any number: SID, SE_GROUP_* attributes */
    TOKEN_ITEM_RESTRICTED_SID, /* any number, none for an unrestricted token: SID */
    TOKEN_ITEM_PRIVILEGE,      /* any number: LUID (8 bytes), SE_PRIVILEGE_* attributes */
    TOKEN_ITEM_DEFAULT_DACL,   /* at most one: ACL; left out when the token's default DACL is NULL */
    TOKEN_ITEM_KINDS
};

struct token_wire
{
    uint32_t magic;               /* TOKEN_WIRE_MAGIC */
    uint32_t version;             /* TOKEN_WIRE_VERSION */
    uint32_t size;                /* bytes of the header and all items */
    uint32_t session_id;          /* TokenSessionId */
    uint64_t token_id;            /* LUIDs of TOKEN_STATISTICS, as LowPart | HighPart << 32 */
    uint64_t modified_id;         /* changes with every change of the token */
    uint64_t authentication_id;   /* the logon session */
    uint32_t type;                /* enum token_wire_type */
    uint32_t impersonation_level; /* enum token_wire_level; 0 in a primary token */
};

struct token_wire_item
{
    uint16_t kind;       /* enum token_item_kind */
    uint16_t size;       /* bytes of this item with its data; the next one begins at the next multiple of 4 */
    uint32_t attributes; /* 0 where the kind has none */
};

_Static_assert(sizeof(struct token_wire) == 48, "part of the protocol");
_Static_assert(sizeof(struct token_wire_item) == 8, "part of the protocol");

/* Bytes from the beginning of an item of SIZE bytes to the beginning of the next. */
static inline uint32_t token_wire_item_span(uint32_t size)
{
    return (size + 3) & ~3u;
}

struct token_builder
{
    struct token_wire *wire; /* the caller's buffer, not owned */
    uint32_t capacity;       /* bytes */
    bool full;               /* a piece did not fit: token_build_end will say so */
};

/* Begin in BUFFER: CAPACITY bytes, aligned to 8; at most TOKEN_WIRE_MAX_SIZE are used. The header is zeroed. */
static inline void token_build_begin(struct token_builder *builder, void *buffer, uint32_t capacity)
{
    builder->wire = buffer;
    builder->capacity = capacity < TOKEN_WIRE_MAX_SIZE ? capacity : TOKEN_WIRE_MAX_SIZE;
    builder->full = builder->capacity < sizeof(*builder->wire);
    if (builder->full)
        return;
    memset(buffer, 0, sizeof(*builder->wire));
    builder->wire->magic = TOKEN_WIRE_MAGIC;
    builder->wire->version = TOKEN_WIRE_VERSION;
    builder->wire->size = sizeof(*builder->wire);
}

/* Append one item; DATA (SIZE bytes) is copied. When it does not fit, nothing is written and the builder is full. */
static inline void token_build_item(struct token_builder *builder, enum token_item_kind kind, uint32_t attributes,
                                    const void *data, uint32_t size)
{
    struct token_wire_item item = { .kind = (uint16_t)kind, .attributes = attributes };
    uint32_t room = builder->full ? 0 : builder->capacity - builder->wire->size;
    uint8_t *place;

    if (room < sizeof(item) || size > room - sizeof(item) || size > UINT16_MAX - sizeof(item) ||
        token_wire_item_span(size) > room - sizeof(item))
    {
        builder->full = true;
        return;
    }
    item.size = (uint16_t)(sizeof(item) + size);
    place = (uint8_t *)builder->wire + builder->wire->size;
    memset(place, 0, token_wire_item_span(item.size));
    memcpy(place, &item, sizeof(item));
    memcpy(place + sizeof(item), data, size);
    builder->wire->size += token_wire_item_span(item.size);
}

/* Append a SID as NtQueryInformationToken gave it (so a valid one) as item KIND. */
static inline void token_build_sid(struct token_builder *builder, enum token_item_kind kind, uint32_t attributes,
                                   const void *sid)
{
    /* MS-DTYP 2.4.2.2: the second byte counts the 4-byte subauthorities that follow the first 8 bytes */
    token_build_item(builder, kind, attributes, sid, 8 + 4u * ((const uint8_t *)sid)[1]);
}

/* Append a privilege: LUID as LowPart | HighPart << 32, attributes of LUID_AND_ATTRIBUTES. */
static inline void token_build_privilege(struct token_builder *builder, uint64_t luid, uint32_t attributes)
{
    token_build_item(builder, TOKEN_ITEM_PRIVILEGE, attributes, &luid, sizeof(luid));
}

/* Append the default DACL; NULL (the token has none) appends nothing. */
static inline void token_build_default_dacl(struct token_builder *builder, const void *acl)
{
    uint16_t size;

    if (!acl)
        return;
    memcpy(&size, (const uint8_t *)acl + 2, sizeof(size)); /* MS-DTYP 2.4.5: AclSize */
    token_build_item(builder, TOKEN_ITEM_DEFAULT_DACL, 0, acl, size);
}

/* The number of bytes to send, or 0 when a piece did not fit (the caller fails with STATUS_INSUFFICIENT_RESOURCES). */
static inline uint32_t token_build_end(const struct token_builder *builder)
{
    return builder->full ? 0 : builder->wire->size;
}

#endif
