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

struct snapshot
{
    uint64_t token_id, modified_id;
    uint32_t size;
    _Alignas(8) uint8_t data[];
};

/* the last one of each kind of token: most processes have but one token.  Who uses it takes it out meanwhile */
static _Atomic(struct snapshot *) process_snapshot, thread_snapshot;

/* one information class, in scratch memory */
static NTSTATUS query(struct thread *thread, HANDLE token, int information_class, void *result)
{
    const struct scratch_mark begin = thread->scratch;
    ULONG size = 256;
    void *buffer;
    NTSTATUS status;

    do
    {
        thread_scratch_return(thread, begin);
        if (!(buffer = thread_scratch(thread, size)))
            return STATUS_NO_MEMORY;
        status = host_NtQueryInformationToken(token, information_class, buffer, size, &size);
    } while (status == STATUS_BUFFER_TOO_SMALL);
    memcpy(result, &buffer, sizeof(buffer));
    return status;
}

static NTSTATUS add_sid(struct thread *thread, struct token_builder *builder, HANDLE token, int information_class,
                        enum token_item_kind kind)
{
    struct sid_and_attributes *sid;
    NTSTATUS status = query(thread, token, information_class, &sid);

    if (status)
        return status;
    /* TOKEN_OWNER and TOKEN_PRIMARY_GROUP have no attributes */
    token_build_sid(builder, kind, kind == TOKEN_ITEM_USER ? sid->attributes & 0x10u /* deny only */ : 0, sid->sid);
    return STATUS_SUCCESS;
}

static NTSTATUS add_groups(struct thread *thread, struct token_builder *builder, HANDLE token)
{
    struct token_groups *groups;
    NTSTATUS status = query(thread, token, TokenGroups, &groups);
    ULONG i;

    if (status)
        return status;
    for (i = 0; i < groups->count; i++)
        token_build_sid(builder, TOKEN_ITEM_GROUP, groups->groups[i].attributes, groups->groups[i].sid);
    return STATUS_SUCCESS;
}

static NTSTATUS add_privileges(struct thread *thread, struct token_builder *builder, HANDLE token)
{
    struct token_privileges *privileges;
    NTSTATUS status = query(thread, token, TokenPrivileges, &privileges);
    ULONG i;

    if (status)
        return status;
    for (i = 0; i < privileges->count; i++)
        token_build_privilege(builder, privileges->privileges[i].low | (uint64_t)privileges->privileges[i].high << 32,
                              privileges->privileges[i].attributes);
    return STATUS_SUCCESS;
}

static NTSTATUS add_default_dacl(struct thread *thread, struct token_builder *builder, HANDLE token)
{
    void **dacl;
    NTSTATUS status = query(thread, token, TokenDefaultDacl, &dacl);

    if (status)
        return status;
    token_build_default_dacl(builder, *dacl);
    return STATUS_SUCCESS;
}

static NTSTATUS read_token(struct thread *thread, HANDLE token, const struct token_statistics *statistics, void *data,
                           uint32_t *used)
{
    struct token_builder builder;
    ULONG session = 0, size;
    NTSTATUS status;

    token_build_begin(&builder, data, TOKEN_WIRE_MAX_SIZE);
    host_NtQueryInformationToken(token, TokenSessionId, &session, sizeof(session), &size);
    builder.wire->session_id = session;
    builder.wire->token_id = statistics->token_id;
    builder.wire->modified_id = statistics->modified_id;
    builder.wire->authentication_id = statistics->authentication_id;
    builder.wire->type = statistics->type;
    builder.wire->impersonation_level = statistics->type == TOKEN_WIRE_IMPERSONATION ? statistics->level : 0;
    if ((status = add_sid(thread, &builder, token, TokenUser, TOKEN_ITEM_USER)) ||
        (status = add_sid(thread, &builder, token, TokenOwner, TOKEN_ITEM_OWNER)) ||
        (status = add_sid(thread, &builder, token, TokenPrimaryGroup, TOKEN_ITEM_PRIMARY_GROUP)) ||
        (status = add_groups(thread, &builder, token)) || (status = add_privileges(thread, &builder, token)) ||
        (status = add_default_dacl(thread, &builder, token)))
        return status;
    /* Wine has no restricting SIDs, and prints an error line when it is asked for them */
    *used = token_build_end(&builder);
    return *used ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* puts a snapshot where the next call finds it; NULL is none */
static void keep(_Atomic(struct snapshot *) *place, struct snapshot *snapshot)
{
    free(atomic_exchange(place, snapshot));
}

static struct snapshot *make_snapshot(const struct token_statistics *statistics, const void *data, uint32_t size)
{
    struct snapshot *snapshot = malloc(sizeof(*snapshot) + size);

    if (!snapshot)
        return NULL;
    snapshot->token_id = statistics->token_id;
    snapshot->modified_id = statistics->modified_id;
    snapshot->size = size;
    memcpy(snapshot->data, data, size);
    return snapshot;
}

/* the kept snapshot, if it is of this token as it is now */
static bool recall(struct thread *thread, _Atomic(struct snapshot *) *place, const struct token_statistics *statistics,
                   struct control_data *result)
{
    struct snapshot *snapshot;
    sigset_t saved;
    bool found;

    signals_block(&saved);
    snapshot = atomic_exchange(place, NULL);
    found = snapshot && snapshot->token_id == statistics->token_id &&
            snapshot->modified_id == statistics->modified_id && (result->data = thread_scratch(thread, snapshot->size));
    if (found)
    {
        result->size = snapshot->size;
        memcpy((void *)result->data, snapshot->data, snapshot->size);
    }
    keep(place, snapshot);
    signals_restore(&saved);
    return found;
}

NTSTATUS token_snapshot(struct thread *thread, HANDLE token, struct control_data *result)
{
    _Atomic(struct snapshot *) *place = token == CURRENT_PROCESS_TOKEN ? &process_snapshot : &thread_snapshot;
    struct token_statistics statistics;
    struct scratch_mark begin;
    sigset_t saved;
    uint32_t used;
    void *data;
    ULONG size;
    NTSTATUS status = host_NtQueryInformationToken(token, TokenStatistics, &statistics, sizeof(statistics), &size);

    if (status || recall(thread, place, &statistics, result))
        return status;
    if (!(data = thread_scratch(thread, TOKEN_WIRE_MAX_SIZE)))
        return STATUS_NO_MEMORY;
    begin = thread->scratch;
    status = read_token(thread, token, &statistics, data, &used);
    thread_scratch_return(thread, begin);
    if (status)
        return status;
    *result = (struct control_data){ data, used };
    signals_block(&saved);
    keep(place, make_snapshot(&statistics, data, used));
    signals_restore(&saved);
    return STATUS_SUCCESS;
}
