/*
 * Snapshots of tokens for alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "token.h"

#include "ntalpc/token.h"

#include <stdlib.h>
#include <string.h>

struct sid_and_attributes
{
    PSID sid;
    ULONG attributes;
};

struct token_groups
{
    ULONG count;
    struct sid_and_attributes groups[];
};

struct token_privileges
{
    ULONG count;
    struct
    {
        ULONG low, high; /* of the LUID, 4-byte aligned */
        ULONG attributes;
    } privileges[];
};

struct token_statistics
{
    uint64_t token_id, authentication_id;
    int64_t expiration;
    ULONG type, level, charged, available, groups, privileges;
    uint64_t modified_id;
};

_Static_assert(sizeof(struct token_statistics) == 56, "TOKEN_STATISTICS");

/* one snapshot of each kind of token is kept: most processes have but one token */
static struct snapshot
{
    uint64_t token_id, modified_id;
    uint32_t size;
    _Alignas(8) uint8_t data[TOKEN_WIRE_MAX_SIZE];
} *process_snapshot, *thread_snapshot;

/* one information class, malloc'ed */
static NTSTATUS query(HANDLE token, int information_class, void **data)
{
    ULONG size = 256;
    NTSTATUS status;

    for (;;)
    {
        void *buffer = malloc(size);

        if (!buffer)
            return STATUS_NO_MEMORY;
        status = host_NtQueryInformationToken(token, information_class, buffer, size, &size);
        if (!status)
        {
            *data = buffer;
            return STATUS_SUCCESS;
        }
        free(buffer);
        if (status != STATUS_BUFFER_TOO_SMALL)
            return status;
    }
}

static NTSTATUS add_sid(struct token_builder *builder, HANDLE token, int information_class, enum token_item_kind kind)
{
    struct sid_and_attributes *sid;
    NTSTATUS status = query(token, information_class, (void **)&sid);

    if (status)
        return status;
    /* TOKEN_OWNER and TOKEN_PRIMARY_GROUP have no attributes */
    token_build_sid(builder, kind, kind == TOKEN_ITEM_USER ? sid->attributes & 0x10u /* deny only */ : 0, sid->sid);
    free(sid);
    return STATUS_SUCCESS;
}

static NTSTATUS add_groups(struct token_builder *builder, HANDLE token)
{
    struct token_groups *groups;
    NTSTATUS status = query(token, TokenGroups, (void **)&groups);
    ULONG i;

    if (status)
        return status;
    for (i = 0; i < groups->count; i++)
        token_build_sid(builder, TOKEN_ITEM_GROUP, groups->groups[i].attributes, groups->groups[i].sid);
    free(groups);
    return STATUS_SUCCESS;
}

static NTSTATUS add_privileges(struct token_builder *builder, HANDLE token)
{
    struct token_privileges *privileges;
    NTSTATUS status = query(token, TokenPrivileges, (void **)&privileges);
    ULONG i;

    if (status)
        return status;
    for (i = 0; i < privileges->count; i++)
        token_build_privilege(builder, privileges->privileges[i].low | (uint64_t)privileges->privileges[i].high << 32,
                              privileges->privileges[i].attributes);
    free(privileges);
    return STATUS_SUCCESS;
}

static NTSTATUS add_default_dacl(struct token_builder *builder, HANDLE token)
{
    void **dacl;
    NTSTATUS status = query(token, TokenDefaultDacl, (void **)&dacl);

    if (status)
        return status;
    token_build_default_dacl(builder, *dacl);
    free(dacl);
    return STATUS_SUCCESS;
}

static NTSTATUS take(struct snapshot *snapshot, HANDLE token, const struct token_statistics *statistics)
{
    struct token_builder builder;
    ULONG session = 0, size;
    NTSTATUS status;

    token_build_begin(&builder, snapshot->data, sizeof(snapshot->data));
    host_NtQueryInformationToken(token, TokenSessionId, &session, sizeof(session), &size);
    builder.wire->session_id = session;
    builder.wire->token_id = statistics->token_id;
    builder.wire->modified_id = statistics->modified_id;
    builder.wire->authentication_id = statistics->authentication_id;
    builder.wire->type = statistics->type;
    builder.wire->impersonation_level = statistics->type == TOKEN_WIRE_IMPERSONATION ? statistics->level : 0;
    if ((status = add_sid(&builder, token, TokenUser, TOKEN_ITEM_USER)) ||
        (status = add_sid(&builder, token, TokenOwner, TOKEN_ITEM_OWNER)) ||
        (status = add_sid(&builder, token, TokenPrimaryGroup, TOKEN_ITEM_PRIMARY_GROUP)) ||
        (status = add_groups(&builder, token)) ||
        (status = add_privileges(&builder, token)) || (status = add_default_dacl(&builder, token)))
        return status;
    /* Wine has no restricting SIDs, and prints an error line when it is asked for them */
    snapshot->size = token_build_end(&builder);
    snapshot->token_id = statistics->token_id;
    snapshot->modified_id = statistics->modified_id;
    return snapshot->size ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS token_snapshot(HANDLE token, struct control_data *result)
{
    struct snapshot **snapshot = token == CURRENT_PROCESS_TOKEN ? &process_snapshot : &thread_snapshot;
    struct token_statistics statistics;
    ULONG size;
    NTSTATUS status = host_NtQueryInformationToken(token, TokenStatistics, &statistics, sizeof(statistics), &size);

    if (status)
        return status;
    if (!*snapshot && !(*snapshot = calloc(1, sizeof(**snapshot))))
        return STATUS_NO_MEMORY;
    if (!(*snapshot)->size || (*snapshot)->token_id != statistics.token_id ||
        (*snapshot)->modified_id != statistics.modified_id)
    {
        (*snapshot)->size = 0;
        if ((status = take(*snapshot, token, &statistics)))
            return status;
    }
    *result = (struct control_data){ (*snapshot)->data, (*snapshot)->size };
    return STATUS_SUCCESS;
}
