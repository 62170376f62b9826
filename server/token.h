/*
 * Tokens that processes have sent
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A token never changes once it is made. Queries take O(log n) in the number of groups, so that no client can make an
 * access check slow.
 */

#ifndef NTALPC_SERVER_TOKEN_H
#define NTALPC_SERVER_TOKEN_H

#include "acl.h"

#include "ntalpc/status.h"
#include "ntalpc/token.h"

/* attributes of groups (TOKEN_GROUPS, winnt.h) */
#define SE_GROUP_MANDATORY 0x00000001u
#define SE_GROUP_ENABLED_BY_DEFAULT 0x00000002u
#define SE_GROUP_ENABLED 0x00000004u
#define SE_GROUP_OWNER 0x00000008u
#define SE_GROUP_USE_FOR_DENY_ONLY 0x00000010u
#define SE_GROUP_INTEGRITY 0x00000020u

/* attributes of privileges */
#define SE_PRIVILEGE_ENABLED_BY_DEFAULT 0x00000001u
#define SE_PRIVILEGE_ENABLED 0x00000002u

/* LUIDs of privileges, MS-LSAD 3.1.1.2.1 */
#define SE_SECURITY_PRIVILEGE 8
#define SE_TAKE_OWNERSHIP_PRIVILEGE 9
#define SE_RESTORE_PRIVILEGE 18
#define SE_DEBUG_PRIVILEGE 20
#define SE_IMPERSONATE_PRIVILEGE 29

struct sid_and_attributes
{
    const struct sid *sid;
    uint32_t attributes;
};

/* sorted by SID, no SID twice */
struct sid_set
{
    struct sid_and_attributes *entries;
    uint32_t count;
};

struct luid_and_attributes
{
    uint64_t luid;
    uint32_t attributes;
};

/* One block of memory: everything that is pointed to lies in it. */
struct token
{
    const struct token_wire *wire; /* as received, valid: ids, session, type, level; may be sent on as it is */
    const struct sid *user;
    const struct sid *owner;
    const struct sid *primary_group;
    const struct acl *default_dacl; /* NULL: none, so what the token creates is open to all */
    struct sid_set groups;          /* with the user among them, as an enabled group unless deny-only */
    struct sid_set restricted;      /* restricting SIDs; empty for an unrestricted token */
    struct luid_and_attributes *privileges;
    uint32_t privilege_count;
};

/*
 * Make a token of SIZE bytes at DATA, which come from a client in the form of include/ntalpc/token.h at any alignment.
 * DATA is copied; the caller owns *TOKEN, which is written on success only, and ends it with token_free.
 *
 * STATUS_INVALID_PARAMETER  header, item or count of items out of order, or more than TOKEN_WIRE_MAX_SIZE
 * STATUS_INVALID_SID, STATUS_INVALID_ACL  a piece is not what it should be
 * STATUS_NO_MEMORY
 */
NTSTATUS token_create(const void *data, size_t size, struct token **token);

/* NULL is allowed. */
void token_free(struct token *token);

/* Whether the token can be used for access: an impersonation token needs SecurityImpersonation (alpc.md 4.10). */
bool token_level_suffices(const struct token *token);

/* Whether SID is the user or an enabled group, so that it counts for allow ACEs (MS-DTYP 2.5.3.1.1 SidInToken). */
bool token_has_sid(const struct token *token, const struct sid *sid);

/* Whether SID counts for deny ACEs: as above, or deny-only. */
bool token_has_sid_for_deny(const struct token *token, const struct sid *sid);

/* Whether the token has restricting SIDs, and whether SID is one of them. Their attributes have no meaning. */
bool token_is_restricted(const struct token *token);
bool token_has_restricted_sid(const struct token *token, const struct sid *sid);

/* Whether the privilege is held and enabled. */
bool token_has_privilege(const struct token *token, uint64_t luid);

/* Whether the holder may make SID the owner of an object: the user, a group with SE_GROUP_OWNER, or any SID with
   SeRestorePrivilege. */
bool token_may_assign_owner(const struct token *token, const struct sid *sid);

#endif
