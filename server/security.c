/*
 * Security descriptors and the access check
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parsing, creating, setting and querying are all the same act: choose four parts from somewhere, then write a
 * descriptor of them (struct sd_parts, write_parts). So every descriptor that is held has been packed here, and nothing
 * of a client's layout survives.
 */

#include "security.h"

#include "token.h"

#include <stdlib.h>
#include <string.h>

const struct generic_mapping port_mapping = {
    .read = READ_CONTROL | PORT_CONNECT,
    .write = DELETE | PORT_CONNECT,
    .execute = 0,
    .all = PORT_ALL_ACCESS,
};

/* S-1-3-4, MS-DTYP 2.4.2.4: in a DACL it stands for the owner and takes the owner's implicit rights away */
static const struct sid owner_rights = { SID_REVISION, 1, { 0, 0, 0, 0, 0, 3 }, { 4 } };

/* the parts of a descriptor, in the order in which RtlMakeSelfRelativeSD lays them out */
enum part
{
    PART_SACL,
    PART_DACL,
    PART_OWNER,
    PART_GROUP,
    PART_COUNT
};

static const struct part_rule
{
    uint32_t information; /* the SECURITY_INFORMATION bit that names the part */
    uint16_t present;     /* control bit without which the offset means nothing; 0 = the offset alone tells */
    uint16_t control;     /* control bits that go with the part */
    uint16_t field;       /* where struct security_descriptor has the offset */
    bool is_acl;
} part_rules[PART_COUNT] = {
    [PART_SACL] = { SACL_SECURITY_INFORMATION, SE_SACL_PRESENT,
                    SE_SACL_PRESENT | SE_SACL_DEFAULTED | SE_SACL_AUTO_INHERITED | SE_SACL_PROTECTED,
                    offsetof(struct security_descriptor, sacl), true },
    [PART_DACL] = { DACL_SECURITY_INFORMATION, SE_DACL_PRESENT,
                    SE_DACL_PRESENT | SE_DACL_DEFAULTED | SE_DACL_AUTO_INHERITED | SE_DACL_PROTECTED,
                    offsetof(struct security_descriptor, dacl), true },
    [PART_OWNER] = { OWNER_SECURITY_INFORMATION, 0, SE_OWNER_DEFAULTED, offsetof(struct security_descriptor, owner),
                     false },
    [PART_GROUP] = { GROUP_SECURITY_INFORMATION, 0, SE_GROUP_DEFAULTED, offsetof(struct security_descriptor, group),
                     false },
};

/* What a descriptor consists of. The data are a SID or an ACL each, NULL = absent, and belong to somebody else. */
struct sd_parts
{
    uint16_t control;
    const void *data[PART_COUNT];
};

static uint32_t part_size(enum part part, const void *data)
{
    struct acl acl;

    if (!data)
        return 0;
    if (!part_rules[part].is_acl)
        return (uint32_t)sid_size(data);
    memcpy(&acl, data, sizeof(acl));
    return acl.size;
}

static uint32_t align_part(uint32_t size)
{
    return (size + 3) & ~3u;
}

/* The offset of a part of the descriptor with HEADER, 0 when the part is absent. */
static uint32_t part_offset(const struct security_descriptor *header, enum part part)
{
    const struct part_rule *rule = &part_rules[part];
    uint32_t offset;

    if (rule->present && !(header->control & rule->present))
        return 0;
    memcpy(&offset, (const uint8_t *)header + rule->field, sizeof(offset));
    return offset;
}

/* The parts of a descriptor whose bounds have been checked, at any alignment; none of NULL. */
static struct sd_parts parts_of(const void *sd)
{
    struct sd_parts parts = { 0 };
    struct security_descriptor header;
    uint32_t offset;

    if (!sd)
        return parts;
    memcpy(&header, sd, sizeof(header));
    parts.control = header.control;
    for (enum part part = 0; part < PART_COUNT; part++)
    {
        if ((offset = part_offset(&header, part)))
            parts.data[part] = (const uint8_t *)sd + offset;
    }
    return parts;
}

/* Let PART be as it is in FROM, with the control bits that belong to it. */
static void take_part(struct sd_parts *parts, const struct sd_parts *from, enum part part)
{
    uint16_t control = part_rules[part].control;

    parts->control = (parts->control & ~control) | (from->control & control);
    parts->data[part] = from->data[part];
}

/* Let the parts that INFORMATION names be as they are in FROM. */
static void take_parts(struct sd_parts *parts, const struct sd_parts *from, uint32_t information)
{
    for (enum part part = 0; part < PART_COUNT; part++)
    {
        if (information & part_rules[part].information)
            take_part(parts, from, part);
    }
}

/* Bytes that write_parts writes. */
static uint32_t parts_size(const struct sd_parts *parts)
{
    uint32_t size = sizeof(struct security_descriptor);

    for (enum part part = 0; part < PART_COUNT; part++)
        size += align_part(part_size(part, parts->data[part]));
    return size;
}

/* Write a self-relative descriptor of PARTS, parts_size() bytes, at any alignment. */
static void write_parts(const struct sd_parts *parts, uint8_t *buffer)
{
    struct security_descriptor header = { .revision = SECURITY_DESCRIPTOR_REVISION, .control = SE_SELF_RELATIVE };
    uint32_t offset = sizeof(header), size;

    memset(buffer, 0, parts_size(parts));
    for (enum part part = 0; part < PART_COUNT; part++)
    {
        header.control |= parts->control & part_rules[part].control;
        if (!(size = part_size(part, parts->data[part])))
            continue;
        memcpy((uint8_t *)&header + part_rules[part].field, &offset, sizeof(offset));
        memcpy(buffer + offset, parts->data[part], size);
        offset += align_part(size);
    }
    memcpy(buffer, &header, sizeof(header));
}

/* The parts as a descriptor of their own. */
static NTSTATUS make_descriptor(const struct sd_parts *parts, struct security_descriptor **sd)
{
    struct security_descriptor *made = malloc(parts_size(parts));

    if (!made)
        return STATUS_NO_MEMORY;
    write_parts(parts, (uint8_t *)made);
    *sd = made;
    return STATUS_SUCCESS;
}

/* The same for parts that are about to stand on an object: generic bits never do. */
static NTSTATUS make_mapped_descriptor(const struct sd_parts *parts, const struct generic_mapping *mapping,
                                       struct security_descriptor **sd)
{
    NTSTATUS status = make_descriptor(parts, sd);

    if (status)
        return status;
    if ((*sd)->dacl)
        acl_map_generic((struct acl *)((uint8_t *)*sd + (*sd)->dacl), mapping);
    if ((*sd)->sacl)
        acl_map_generic((struct acl *)((uint8_t *)*sd + (*sd)->sacl), mapping);
    return STATUS_SUCCESS;
}

static NTSTATUS check_part(const uint8_t *data, size_t size, uint32_t offset, bool is_acl)
{
    if (offset < sizeof(struct security_descriptor) || offset > size)
        return STATUS_INVALID_SECURITY_DESCR;
    if (is_acl)
        return acl_is_valid(data + offset, size - offset) ? STATUS_SUCCESS : STATUS_INVALID_ACL;
    return sid_is_valid(data + offset, size - offset) ? STATUS_SUCCESS : STATUS_INVALID_SID;
}

NTSTATUS security_descriptor_parse(const void *data, size_t size, struct security_descriptor **sd)
{
    struct security_descriptor header;
    struct sd_parts parts;
    uint32_t offset;
    NTSTATUS status;

    if (size < sizeof(header))
        return STATUS_INVALID_SECURITY_DESCR;
    memcpy(&header, data, sizeof(header));
    if (header.revision != SECURITY_DESCRIPTOR_REVISION || !(header.control & SE_SELF_RELATIVE))
        return STATUS_INVALID_SECURITY_DESCR;
    for (enum part part = 0; part < PART_COUNT; part++)
    {
        if ((offset = part_offset(&header, part)) && (status = check_part(data, size, offset, part_rules[part].is_acl)))
            return status;
    }
    parts = parts_of(data);
    return make_descriptor(&parts, sd);
}

/* Whether a SACL asks for auditing: mandatory labels do not, and may be set without a privilege. */
static bool sacl_audits(const struct acl *sacl)
{
    const struct ace *ace = acl_first(sacl);

    for (uint16_t i = 0; i < sacl->ace_count; i++, ace = ace_next(ace))
    {
        if (ace->type != SYSTEM_MANDATORY_LABEL_ACE_TYPE)
            return true;
    }
    return false;
}

NTSTATUS security_descriptor_create(const struct security_descriptor *requested, const struct token *creator,
                                    const struct generic_mapping *mapping, struct security_descriptor **sd)
{
    struct sd_parts parts = parts_of(requested);

    if (!parts.data[PART_OWNER])
        parts.data[PART_OWNER] = creator->owner;
    else if (!token_may_assign_owner(creator, parts.data[PART_OWNER]))
        return STATUS_INVALID_OWNER;
    if (!parts.data[PART_GROUP])
        parts.data[PART_GROUP] = creator->primary_group;
    if (!(parts.control & SE_DACL_PRESENT) && creator->default_dacl)
    {
        parts.data[PART_DACL] = creator->default_dacl;
        parts.control |= SE_DACL_PRESENT;
    }
    if (parts.data[PART_SACL] && sacl_audits(parts.data[PART_SACL]) &&
        !token_has_privilege(creator, SE_SECURITY_PRIVILEGE))
        return STATUS_PRIVILEGE_NOT_HELD;
    return make_mapped_descriptor(&parts, mapping, sd);
}

NTSTATUS security_descriptor_set(struct security_descriptor **sd, const struct security_descriptor *changes,
                                 uint32_t information, const struct token *caller,
                                 const struct generic_mapping *mapping)
{
    struct sd_parts parts = parts_of(*sd), wanted = parts_of(changes);
    struct security_descriptor *made;
    NTSTATUS status;

    if ((information & OWNER_SECURITY_INFORMATION) &&
        (!wanted.data[PART_OWNER] || !token_may_assign_owner(caller, wanted.data[PART_OWNER])))
        return STATUS_INVALID_OWNER;
    if ((information & GROUP_SECURITY_INFORMATION) && !wanted.data[PART_GROUP])
        return STATUS_INVALID_PRIMARY_GROUP;
    take_parts(&parts, &wanted, information);
    if ((status = make_mapped_descriptor(&parts, mapping, &made)))
        return status;
    free(*sd);
    *sd = made;
    return STATUS_SUCCESS;
}

NTSTATUS security_descriptor_query(const struct security_descriptor *sd, uint32_t information, void *buffer,
                                   uint32_t size, uint32_t *needed)
{
    struct sd_parts all = parts_of(sd), parts = { 0 };

    take_parts(&parts, &all, information);
    *needed = parts_size(&parts);
    if (size < *needed)
        return STATUS_BUFFER_TOO_SMALL;
    write_parts(&parts, buffer);
    return STATUS_SUCCESS;
}

uint32_t security_query_access(uint32_t information)
{
    uint32_t access = 0;

    if (information & (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION |
                       LABEL_SECURITY_INFORMATION))
        access |= READ_CONTROL;
    if (information & SACL_SECURITY_INFORMATION)
        access |= ACCESS_SYSTEM_SECURITY;
    return access;
}

uint32_t security_set_access(uint32_t information)
{
    uint32_t access = 0;

    if (information & (OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION))
        access |= WRITE_OWNER;
    if (information & DACL_SECURITY_INFORMATION)
        access |= WRITE_DAC;
    if (information & SACL_SECURITY_INFORMATION)
        access |= ACCESS_SYSTEM_SECURITY;
    return access;
}

enum ace_effect
{
    ACE_IGNORED,
    ACE_ALLOWS,
    ACE_DENIES
};

static enum ace_effect ace_effect(const struct ace *ace)
{
    if (ace->flags & INHERIT_ONLY_ACE)
        return ACE_IGNORED;
    switch (ace->type)
    {
    case ACCESS_ALLOWED_ACE_TYPE:
        return ACE_ALLOWS;
    case ACCESS_ALLOWED_OBJECT_ACE_TYPE:
        return ace_has_object_type(ace) ? ACE_IGNORED : ACE_ALLOWS;
    case ACCESS_DENIED_ACE_TYPE:
    case ACCESS_DENIED_OBJECT_ACE_TYPE:
    case ACCESS_DENIED_CALLBACK_ACE_TYPE:
    case ACCESS_DENIED_CALLBACK_OBJECT_ACE_TYPE:
        return ACE_DENIES;
    default:
        return ACE_IGNORED;
    }
}

/* Which of a token's two lists of SIDs decides. */
typedef bool sid_matcher(const struct token *token, const struct sid *sid);

struct dacl_check
{
    const struct acl *dacl;
    const struct sid *owner; /* NULL: none */
    const struct token *token;
    const struct generic_mapping *mapping;
    sid_matcher *allows;
    sid_matcher *denies;
};

static bool is_owner_rights(const struct sid *sid)
{
    return !sid_compare(sid, &owner_rights);
}

/* Whether some ACE takes the place of what an owner may do anyhow. */
static bool has_owner_rights_ace(const struct acl *dacl)
{
    const struct ace *ace = acl_first(dacl);
    const struct sid *sid;

    for (uint16_t i = 0; i < dacl->ace_count; i++, ace = ace_next(ace))
    {
        if (!(ace->flags & INHERIT_ONLY_ACE) && (sid = ace_sid(ace)) && is_owner_rights(sid))
            return true;
    }
    return false;
}

static uint32_t implicit_owner_rights(const struct dacl_check *check)
{
    if (!check->owner || !check->allows(check->token, check->owner) || has_owner_rights_ace(check->dacl))
        return 0;
    return READ_CONTROL | WRITE_DAC;
}

static bool ace_matches(const struct dacl_check *check, const struct ace *ace, sid_matcher *matches)
{
    const struct sid *sid = ace_sid(ace);

    if (is_owner_rights(sid))
        sid = check->owner;
    return sid && matches(check->token, sid);
}

/* All rights that the DACL and ownership give. The first ACE that speaks of a bit decides over it, so that one walk
   answers questions for certain rights and for MAXIMUM_ALLOWED alike. */
static uint32_t dacl_rights(const struct dacl_check *check)
{
    const struct ace *ace = acl_first(check->dacl);
    uint32_t allowed = implicit_owner_rights(check), denied = 0, mask;

    for (uint16_t i = 0; i < check->dacl->ace_count; i++, ace = ace_next(ace))
    {
        enum ace_effect effect = ace_effect(ace);

        if (effect == ACE_IGNORED || !ace_matches(check, ace, effect == ACE_ALLOWS ? check->allows : check->denies))
            continue;
        mask = map_generic(ace->mask, check->mapping);
        if (effect == ACE_ALLOWS)
            allowed |= mask & ~denied;
        else
            denied |= mask;
    }
    /* MS-DTYP 2.4.3: neither is a right that a DACL controls */
    return allowed & ~(ACCESS_SYSTEM_SECURITY | MAXIMUM_ALLOWED);
}

/* All rights that SD gives TOKEN: without a DACL whatever is WANTED, and everything that the type has. */
static uint32_t descriptor_rights(const struct security_descriptor *sd, const struct token *token, uint32_t wanted,
                                  const struct generic_mapping *mapping)
{
    struct sd_parts parts = parts_of(sd);
    struct dacl_check check = {
        .dacl = parts.data[PART_DACL],
        .owner = parts.data[PART_OWNER],
        .token = token,
        .mapping = mapping,
        .allows = token_has_sid,
        .denies = token_has_sid_for_deny,
    };
    uint32_t rights;

    if (!check.dacl)
        return wanted | mapping->all;
    rights = dacl_rights(&check);
    if (token_is_restricted(token))
    {
        check.allows = check.denies = token_has_restricted_sid;
        rights &= dacl_rights(&check);
    }
    return rights;
}

/* Add to *HELD what privileges give of WANTED. */
static NTSTATUS rights_by_privilege(const struct token *token, uint32_t wanted, uint32_t *held)
{
    if (wanted & ACCESS_SYSTEM_SECURITY)
    {
        if (!token_has_privilege(token, SE_SECURITY_PRIVILEGE))
            return STATUS_PRIVILEGE_NOT_HELD;
        *held |= ACCESS_SYSTEM_SECURITY;
    }
    if ((wanted & WRITE_OWNER) && token_has_privilege(token, SE_TAKE_OWNERSHIP_PRIVILEGE))
        *held |= WRITE_OWNER;
    return STATUS_SUCCESS;
}

NTSTATUS access_check(const struct security_descriptor *sd, const struct token *token, uint32_t desired,
                      uint32_t previously_granted, const struct generic_mapping *mapping, uint32_t *granted)
{
    uint32_t wanted = map_generic(desired, mapping) & ~MAXIMUM_ALLOWED;
    uint32_t held = previously_granted, rights;
    NTSTATUS status;

    if (!token_level_suffices(token))
        return STATUS_BAD_IMPERSONATION_LEVEL;
    if ((status = rights_by_privilege(token, wanted & ~held, &held)))
        return status;
    rights = descriptor_rights(sd, token, wanted, mapping);
    if (wanted & ~(held | rights))
        return STATUS_ACCESS_DENIED;
    held |= wanted;
    if (desired & MAXIMUM_ALLOWED)
        held |= rights;
    if (sd && !held)
        return STATUS_ACCESS_DENIED;
    *granted = held;
    return STATUS_SUCCESS;
}
