/*
 * Tokens that processes have sent
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "token.h"

#include <stdlib.h>

/* how many items of each kind a serialized token has */
struct item_counts
{
    uint32_t of[TOKEN_ITEM_KINDS];
};

static NTSTATUS check_item(const struct token_wire_item *item, const uint8_t *data)
{
    size_t size = item->size - sizeof(*item);

    switch (item->kind)
    {
    case TOKEN_ITEM_USER:
    case TOKEN_ITEM_OWNER:
    case TOKEN_ITEM_PRIMARY_GROUP:
    case TOKEN_ITEM_GROUP:
    case TOKEN_ITEM_RESTRICTED_SID:
        return sid_is_valid(data, size) && sid_size((const struct sid *)data) == size ? STATUS_SUCCESS
                                                                                      : STATUS_INVALID_SID;
    case TOKEN_ITEM_PRIVILEGE:
        return size == sizeof(uint64_t) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    case TOKEN_ITEM_DEFAULT_DACL:
        return acl_is_valid(data, size) ? STATUS_SUCCESS : STATUS_INVALID_ACL;
    default:
        return STATUS_INVALID_PARAMETER;
    }
}

static NTSTATUS check_items(const uint8_t *data, uint32_t size, struct item_counts *counts)
{
    struct token_wire_item item;
    NTSTATUS status;

    for (uint32_t offset = sizeof(struct token_wire); offset < size; offset += token_wire_item_span(item.size))
    {
        if (size - offset < sizeof(item))
            return STATUS_INVALID_PARAMETER;
        memcpy(&item, data + offset, sizeof(item));
        if (item.size < sizeof(item) || token_wire_item_span(item.size) > size - offset)
            return STATUS_INVALID_PARAMETER;
        if ((status = check_item(&item, data + offset + sizeof(item))))
            return status;
        counts->of[item.kind]++;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS check_wire(const void *data, size_t size, struct item_counts *counts)
{
    struct token_wire wire;
    NTSTATUS status;

    if (size < sizeof(wire) || size > TOKEN_WIRE_MAX_SIZE)
        return STATUS_INVALID_PARAMETER;
    memcpy(&wire, data, sizeof(wire));
    if (wire.magic != TOKEN_WIRE_MAGIC || wire.version != TOKEN_WIRE_VERSION || wire.size != size)
        return STATUS_INVALID_PARAMETER;
    if (wire.type != TOKEN_WIRE_PRIMARY && wire.type != TOKEN_WIRE_IMPERSONATION)
        return STATUS_INVALID_PARAMETER;
    if (wire.impersonation_level > TOKEN_WIRE_DELEGATION)
        return STATUS_INVALID_PARAMETER;
    if ((status = check_items(data, wire.size, counts)))
        return status;
    if (counts->of[TOKEN_ITEM_USER] != 1 || counts->of[TOKEN_ITEM_OWNER] != 1 ||
        counts->of[TOKEN_ITEM_PRIMARY_GROUP] != 1 || counts->of[TOKEN_ITEM_DEFAULT_DACL] > 1)
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

/* The block of a token: struct token, privileges, groups with the user, restricting SIDs, the serialized form. */
static struct token *token_alloc(const void *data, size_t size, const struct item_counts *counts)
{
    size_t privileges = counts->of[TOKEN_ITEM_PRIVILEGE] * sizeof(struct luid_and_attributes);
    size_t groups = (counts->of[TOKEN_ITEM_GROUP] + 1) * sizeof(struct sid_and_attributes);
    size_t restricted = counts->of[TOKEN_ITEM_RESTRICTED_SID] * sizeof(struct sid_and_attributes);
    struct token *token = calloc(1, sizeof(*token) + privileges + groups + restricted + size);
    uint8_t *place;

    if (!token)
        return NULL;
    token->privileges = (struct luid_and_attributes *)(place = (uint8_t *)(token + 1));
    token->groups.entries = (struct sid_and_attributes *)(place += privileges);
    token->restricted.entries = (struct sid_and_attributes *)(place += groups);
    token->wire = memcpy(place + restricted, data, size);
    return token;
}

static void sid_set_add(struct sid_set *set, const struct sid *sid, uint32_t attributes)
{
    set->entries[set->count].sid = sid;
    set->entries[set->count].attributes = attributes;
    set->count++;
}

static int compare_entries(const void *a, const void *b)
{
    return sid_compare(((const struct sid_and_attributes *)a)->sid, ((const struct sid_and_attributes *)b)->sid);
}

/* Sort and let a SID that is there twice have the attributes of both; deny-only then outweighs enabled (sid_counts). */
static void sid_set_finish(struct sid_set *set)
{
    uint32_t kept = 0;

    if (!set->count)
        return;
    qsort(set->entries, set->count, sizeof(*set->entries), compare_entries);
    for (uint32_t i = 1; i < set->count; i++)
    {
        if (!compare_entries(&set->entries[kept], &set->entries[i]))
            set->entries[kept].attributes |= set->entries[i].attributes;
        else
            set->entries[++kept] = set->entries[i];
    }
    set->count = kept + 1;
}

static const struct sid_and_attributes *sid_set_find(const struct sid_set *set, const struct sid *sid)
{
    struct sid_and_attributes key = { .sid = sid };

    return set->count ? bsearch(&key, set->entries, set->count, sizeof(key), compare_entries) : NULL;
}

/* A user is always enabled and may own objects, unless it counts for denial only. */
static uint32_t user_attributes(uint32_t attributes)
{
    if (attributes & SE_GROUP_USE_FOR_DENY_ONLY)
        return SE_GROUP_USE_FOR_DENY_ONLY;
    return SE_GROUP_MANDATORY | SE_GROUP_ENABLED_BY_DEFAULT | SE_GROUP_ENABLED | SE_GROUP_OWNER;
}

static void token_add_item(struct token *token, const struct token_wire_item *item)
{
    const void *data = item + 1;
    struct luid_and_attributes *privilege;

    switch (item->kind)
    {
    case TOKEN_ITEM_USER:
        token->user = data;
        sid_set_add(&token->groups, data, user_attributes(item->attributes));
        break;
    case TOKEN_ITEM_OWNER:
        token->owner = data;
        break;
    case TOKEN_ITEM_PRIMARY_GROUP:
        token->primary_group = data;
        break;
    case TOKEN_ITEM_GROUP:
        sid_set_add(&token->groups, data, item->attributes);
        break;
    case TOKEN_ITEM_RESTRICTED_SID:
        sid_set_add(&token->restricted, data, item->attributes);
        break;
    case TOKEN_ITEM_PRIVILEGE:
        privilege = &token->privileges[token->privilege_count++];
        memcpy(&privilege->luid, data, sizeof(privilege->luid));
        privilege->attributes = item->attributes;
        break;
    case TOKEN_ITEM_DEFAULT_DACL:
        token->default_dacl = data;
        break;
    }
}

NTSTATUS token_create(const void *data, size_t size, struct token **token)
{
    struct item_counts counts = { { 0 } };
    const struct token_wire_item *item;
    struct token *made;
    NTSTATUS status;

    if ((status = check_wire(data, size, &counts)))
        return status;
    if (!(made = token_alloc(data, size, &counts)))
        return STATUS_NO_MEMORY;
    for (uint32_t offset = sizeof(*made->wire); offset < size; offset += token_wire_item_span(item->size))
    {
        item = (const struct token_wire_item *)((const uint8_t *)made->wire + offset);
        token_add_item(made, item);
    }
    sid_set_finish(&made->groups);
    sid_set_finish(&made->restricted);
    *token = made;
    return STATUS_SUCCESS;
}

void token_free(struct token *token)
{
    free(token);
}

bool token_level_suffices(const struct token *token)
{
    return token->wire->type == TOKEN_WIRE_PRIMARY || token->wire->impersonation_level >= TOKEN_WIRE_IMPERSONATE;
}

bool token_has_sid(const struct token *token, const struct sid *sid)
{
    const struct sid_and_attributes *entry = sid_set_find(&token->groups, sid);

    return entry && (entry->attributes & SE_GROUP_ENABLED) && !(entry->attributes & SE_GROUP_USE_FOR_DENY_ONLY);
}

bool token_has_sid_for_deny(const struct token *token, const struct sid *sid)
{
    const struct sid_and_attributes *entry = sid_set_find(&token->groups, sid);

    return entry && (entry->attributes & (SE_GROUP_ENABLED | SE_GROUP_USE_FOR_DENY_ONLY));
}

bool token_is_restricted(const struct token *token)
{
    return token->restricted.count != 0;
}

bool token_has_restricted_sid(const struct token *token, const struct sid *sid)
{
    return sid_set_find(&token->restricted, sid) != NULL;
}

bool token_has_privilege(const struct token *token, uint64_t luid)
{
    for (uint32_t i = 0; i < token->privilege_count; i++)
    {
        if (token->privileges[i].luid == luid && (token->privileges[i].attributes & SE_PRIVILEGE_ENABLED))
            return true;
    }
    return false;
}

bool token_may_assign_owner(const struct token *token, const struct sid *sid)
{
    const struct sid_and_attributes *entry = sid_set_find(&token->groups, sid);

    if (entry && (entry->attributes & SE_GROUP_OWNER) && !(entry->attributes & SE_GROUP_USE_FOR_DENY_ONLY))
        return true;
    return token_has_privilege(token, SE_RESTORE_PRIVILEGE);
}
