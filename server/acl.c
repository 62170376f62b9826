/*
 * SIDs, access masks and ACLs
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "acl.h"

#include <string.h>

#define GUID_SIZE 16

/* the parts of struct ace that an ACE may have */
#define ACE_HEADER_SIZE offsetof(struct ace, mask)
#define ACE_BASIC_SIZE offsetof(struct ace, object_flags)
#define ACE_OBJECT_SIZE sizeof(struct ace)

enum ace_layout
{
    ACE_LAYOUT_OPAQUE, /* header and anything */
    ACE_LAYOUT_BASIC,  /* header, mask, SID, perhaps application data */
    ACE_LAYOUT_OBJECT  /* header, mask, flags, none to two GUIDs, SID, perhaps application data */
};

static enum ace_layout ace_layout(uint8_t type)
{
    switch (type)
    {
    case ACCESS_ALLOWED_ACE_TYPE:
    case ACCESS_DENIED_ACE_TYPE:
    case SYSTEM_AUDIT_ACE_TYPE:
    case SYSTEM_ALARM_ACE_TYPE:
    case ACCESS_ALLOWED_CALLBACK_ACE_TYPE:
    case ACCESS_DENIED_CALLBACK_ACE_TYPE:
    case SYSTEM_AUDIT_CALLBACK_ACE_TYPE:
    case SYSTEM_ALARM_CALLBACK_ACE_TYPE:
    case SYSTEM_MANDATORY_LABEL_ACE_TYPE:
    case SYSTEM_RESOURCE_ATTRIBUTE_ACE_TYPE:
    case SYSTEM_SCOPED_POLICY_ID_ACE_TYPE:
        return ACE_LAYOUT_BASIC;
    case ACCESS_ALLOWED_OBJECT_ACE_TYPE:
    case ACCESS_DENIED_OBJECT_ACE_TYPE:
    case SYSTEM_AUDIT_OBJECT_ACE_TYPE:
    case SYSTEM_ALARM_OBJECT_ACE_TYPE:
    case ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE:
    case ACCESS_DENIED_CALLBACK_OBJECT_ACE_TYPE:
    case SYSTEM_AUDIT_CALLBACK_OBJECT_ACE_TYPE:
    case SYSTEM_ALARM_CALLBACK_OBJECT_ACE_TYPE:
        return ACE_LAYOUT_OBJECT;
    default:
        return ACE_LAYOUT_OPAQUE;
    }
}

/* Bytes before the SID of an ACE; OBJECT_FLAGS matters for ACE_LAYOUT_OBJECT only. */
static size_t ace_sid_offset(enum ace_layout layout, uint32_t object_flags)
{
    size_t offset = ACE_OBJECT_SIZE;

    if (layout == ACE_LAYOUT_BASIC)
        return ACE_BASIC_SIZE;
    if (object_flags & ACE_OBJECT_TYPE_PRESENT)
        offset += GUID_SIZE;
    if (object_flags & ACE_INHERITED_OBJECT_TYPE_PRESENT)
        offset += GUID_SIZE;
    return offset;
}

bool sid_is_valid(const void *data, size_t size)
{
    const uint8_t *bytes = data;

    return size >= sizeof(struct sid) && bytes[offsetof(struct sid, revision)] == SID_REVISION &&
           bytes[offsetof(struct sid, sub_authority_count)] <= SID_MAX_SUB_AUTHORITIES && sid_size(data) <= size;
}

size_t sid_size(const struct sid *sid)
{
    /* by bytes, so that sid_is_valid may call this at any alignment */
    const uint8_t *bytes = (const uint8_t *)sid;

    return sizeof(struct sid) + bytes[offsetof(struct sid, sub_authority_count)] * sizeof(uint32_t);
}

int sid_compare(const struct sid *a, const struct sid *b)
{
    if (a->sub_authority_count != b->sub_authority_count)
        return a->sub_authority_count - b->sub_authority_count;
    return memcmp(a, b, sid_size(a));
}

/* Whether SIZE bytes, all that an ACE has, hold what its type wants. */
static bool ace_body_is_valid(const uint8_t *data, size_t size)
{
    struct ace ace = { 0 };
    enum ace_layout layout;
    size_t offset;

    memcpy(&ace, data, size < sizeof(ace) ? size : sizeof(ace));
    layout = ace_layout(ace.type);
    if (layout == ACE_LAYOUT_OPAQUE)
        return true;
    offset = ace_sid_offset(layout, ace.object_flags);
    return size >= offset && sid_is_valid(data + offset, size - offset);
}

bool acl_is_valid(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    struct acl acl;
    struct ace ace = { 0 };
    size_t offset = sizeof(acl);

    if (size < sizeof(acl))
        return false;
    memcpy(&acl, data, sizeof(acl));
    if (acl.revision < ACL_MIN_REVISION || acl.revision > ACL_MAX_REVISION || acl.size < sizeof(acl) || acl.size > size)
        return false;
    for (uint16_t i = 0; i < acl.ace_count; i++)
    {
        if (acl.size - offset < ACE_HEADER_SIZE)
            return false;
        memcpy(&ace, bytes + offset, ACE_HEADER_SIZE);
        if (ace.size < ACE_HEADER_SIZE || ace.size % 4 || ace.size > acl.size - offset)
            return false;
        if (!ace_body_is_valid(bytes + offset, ace.size))
            return false;
        offset += ace.size;
    }
    return true;
}

const struct ace *acl_first(const struct acl *acl)
{
    return (const struct ace *)(acl + 1);
}

const struct ace *ace_next(const struct ace *ace)
{
    return (const struct ace *)((const uint8_t *)ace + ace->size);
}

const struct sid *ace_sid(const struct ace *ace)
{
    enum ace_layout layout = ace_layout(ace->type);
    uint32_t object_flags = layout == ACE_LAYOUT_OBJECT ? ace->object_flags : 0;

    if (layout == ACE_LAYOUT_OPAQUE)
        return NULL;
    return (const struct sid *)((const uint8_t *)ace + ace_sid_offset(layout, object_flags));
}

bool ace_has_object_type(const struct ace *ace)
{
    return ace_layout(ace->type) == ACE_LAYOUT_OBJECT && (ace->object_flags & ACE_OBJECT_TYPE_PRESENT);
}

uint32_t map_generic(uint32_t mask, const struct generic_mapping *mapping)
{
    uint32_t mapped = mask & ~(GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL);

    if (mask & GENERIC_READ)
        mapped |= mapping->read;
    if (mask & GENERIC_WRITE)
        mapped |= mapping->write;
    if (mask & GENERIC_EXECUTE)
        mapped |= mapping->execute;
    if (mask & GENERIC_ALL)
        mapped |= mapping->all;
    return mapped;
}

void acl_map_generic(struct acl *acl, const struct generic_mapping *mapping)
{
    struct ace *ace = (struct ace *)(acl + 1);

    for (uint16_t i = 0; i < acl->ace_count; i++)
    {
        if (ace_sid(ace) && !(ace->flags & INHERIT_ONLY_ACE))
            ace->mask = map_generic(ace->mask, mapping);
        ace = (struct ace *)((uint8_t *)ace + ace->size);
    }
}
