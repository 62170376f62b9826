/*
 * Security descriptors and the access check
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A struct security_descriptor that these functions give out is valid, self-relative, one block of memory and owned by
 * the caller, who ends it with free(). Where one comes in as an argument it is one of these, or NULL: an object without
 * security, to which everybody has access.
 */

#ifndef NTALPC_SERVER_SECURITY_H
#define NTALPC_SERVER_SECURITY_H

#include "acl.h"

#include "ntalpc/status.h"

struct token;

#define SECURITY_DESCRIPTOR_REVISION 1

/* Control, MS-DTYP 2.4.6 */
#define SE_OWNER_DEFAULTED 0x0001u
#define SE_GROUP_DEFAULTED 0x0002u
#define SE_DACL_PRESENT 0x0004u
#define SE_DACL_DEFAULTED 0x0008u
#define SE_SACL_PRESENT 0x0010u
#define SE_SACL_DEFAULTED 0x0020u
#define SE_DACL_AUTO_INHERITED 0x0400u
#define SE_SACL_AUTO_INHERITED 0x0800u
#define SE_DACL_PROTECTED 0x1000u
#define SE_SACL_PROTECTED 0x2000u
#define SE_SELF_RELATIVE 0x8000u

/* SECURITY_INFORMATION, MS-DTYP 2.4.7 */
#define OWNER_SECURITY_INFORMATION 0x00000001u
#define GROUP_SECURITY_INFORMATION 0x00000002u
#define DACL_SECURITY_INFORMATION 0x00000004u
#define SACL_SECURITY_INFORMATION 0x00000008u
#define LABEL_SECURITY_INFORMATION 0x00000010u

/* the self-relative form, MS-DTYP 2.4.6: offsets in bytes from its beginning, 0 = absent */
struct security_descriptor
{
    uint8_t revision;
    uint8_t sbz1;
    uint16_t control;
    uint32_t owner;
    uint32_t group;
    uint32_t sacl;
    uint32_t dacl;
};

/* the rights of a port, alpc.md 3.8 */
#ifndef PORT_CONNECT
#define PORT_CONNECT 0x0001
#endif
#ifndef PORT_ALL_ACCESS
#define PORT_ALL_ACCESS 0x001F0001
#endif
extern const struct generic_mapping port_mapping;

/*
 * Take over the self-relative descriptor in the SIZE bytes at DATA, which come from a client, at any alignment; bytes
 * after it are ignored. Of the control bits those that describe an owner, group or ACL are kept. *SD is written on
 * success only.
 *
 * STATUS_INVALID_SECURITY_DESCR  header: too short, revision, not self-relative, an offset that points nowhere
 * STATUS_INVALID_SID, STATUS_INVALID_ACL  a part is damaged or reaches beyond SIZE
 * STATUS_NO_MEMORY
 */
NTSTATUS security_descriptor_parse(const void *data, size_t size, struct security_descriptor **sd);

/*
 * The descriptor of a new object: the parts that REQUESTED has (NULL: none), and for owner, group and DACL that are
 * missing the owner, primary group and default DACL of the CREATOR. Generic bits of both ACLs are mapped. No ACE is
 * inherited from the directory. *SD is written on success only.
 *
 * STATUS_INVALID_OWNER  the creator may not give objects to the requested owner
 * STATUS_PRIVILEGE_NOT_HELD  a SACL with more than mandatory labels needs SeSecurityPrivilege
 * STATUS_NO_MEMORY
 */
NTSTATUS security_descriptor_create(const struct security_descriptor *requested, const struct token *creator,
                                    const struct generic_mapping *mapping, struct security_descriptor **sd);

/*
 * NtSetSecurityObject: replace in *SD the parts that INFORMATION (OWNER_, GROUP_, DACL_, SACL_SECURITY_INFORMATION;
 * other bits are ignored) names by those of CHANGES. An ACL that CHANGES does not have is taken away. Generic bits are
 * mapped. On success the old *SD (which may be NULL) is freed and *SD is the new one; on failure it is untouched. The
 * caller has checked the access to the object that security_set_access names.
 *
 * STATUS_INVALID_OWNER  CHANGES has no owner, or the CALLER may not assign that one
 * STATUS_INVALID_PRIMARY_GROUP  CHANGES has no group
 * STATUS_NO_MEMORY
 */
NTSTATUS security_descriptor_set(struct security_descriptor **sd, const struct security_descriptor *changes,
                                 uint32_t information, const struct token *caller,
                                 const struct generic_mapping *mapping);

/*
 * NtQuerySecurityObject: write the parts of SD that INFORMATION names into the SIZE bytes at BUFFER (NULL when SIZE is
 * 0; any alignment) as a self-relative descriptor. *NEEDED is its length, written always.
 *
 * STATUS_BUFFER_TOO_SMALL  BUFFER is untouched
 */
NTSTATUS security_descriptor_query(const struct security_descriptor *sd, uint32_t information, void *buffer,
                                   uint32_t size, uint32_t *needed);

/* The access to an object that querying or setting the parts in INFORMATION takes (as SeQuerySecurityAccessMask and
   SeSetSecurityAccessMask say it). */
uint32_t security_query_access(uint32_t information);
uint32_t security_set_access(uint32_t information);

/*
 * SeAccessCheck: whether TOKEN gets the rights DESIRED (generic bits and MAXIMUM_ALLOWED allowed) on an object with SD,
 * beside those PREVIOUSLY_GRANTED, which are not asked for again. MAPPING is that of the object's type. *GRANTED,
 * written on success only, has both; a caller whose type does not define all bits masks it. Algorithm: MS-DTYP 2.5.3.2;
 * generic bits, owner and privileges as it says there, and
 *
 *  - DESIRED that maps to no right at all is refused, unless there is no SD or something was granted previously;
 *  - object ACEs: without an object type list, one that names an object type allows nothing but denies all it says;
 *  - conditional (callback) ACEs cannot be evaluated, so their condition is UNKNOWN: allow nothing, deny;
 *  - a restricted token gets by its groups and as owner only what its restricting SIDs get too; what privileges give is
 *    not restricted.
 *
 * Bounded by the size of the DACL times the logarithm of the number of groups.
 *
 * STATUS_ACCESS_DENIED
 * STATUS_PRIVILEGE_NOT_HELD  ACCESS_SYSTEM_SECURITY without SeSecurityPrivilege
 * STATUS_BAD_IMPERSONATION_LEVEL  an impersonation token below SecurityImpersonation (alpc.md 4.10)
 */
NTSTATUS access_check(const struct security_descriptor *sd, const struct token *token, uint32_t desired,
                      uint32_t previously_granted, const struct generic_mapping *mapping, uint32_t *granted);

#endif
