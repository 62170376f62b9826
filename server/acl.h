/*
 * SIDs, access masks and ACLs
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Layouts: MS-DTYP 2.4.2.2 (SID), 2.4.3 (ACCESS_MASK), 2.4.4 (ACE), 2.4.5 (ACL). sid_is_valid and acl_is_valid read
 * bytes that nobody has checked, at any alignment; every other function wants a valid SID or ACL at a multiple of 4.
 */

#ifndef NTALPC_SERVER_ACL_H
#define NTALPC_SERVER_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ACCESS_MASK, MS-DTYP 2.4.3 */
#define DELETE 0x00010000u
#define READ_CONTROL 0x00020000u
#define WRITE_DAC 0x00040000u
#define WRITE_OWNER 0x00080000u
#define SYNCHRONIZE 0x00100000u
#define ACCESS_SYSTEM_SECURITY 0x01000000u
#define MAXIMUM_ALLOWED 0x02000000u
#define GENERIC_ALL 0x10000000u
#define GENERIC_EXECUTE 0x20000000u
#define GENERIC_WRITE 0x40000000u
#define GENERIC_READ 0x80000000u

/* what the generic rights mean for one type of object */
struct generic_mapping
{
    uint32_t read;
    uint32_t write;
    uint32_t execute;
    uint32_t all;
};

#define SID_REVISION 1
#define SID_MAX_SUB_AUTHORITIES 15

struct sid
{
    uint8_t revision;
    uint8_t sub_authority_count;
    uint8_t identifier_authority[6]; /* big-endian */
    uint32_t sub_authority[];
};

#define SID_MAX_SIZE (sizeof(struct sid) + SID_MAX_SUB_AUTHORITIES * sizeof(uint32_t))

#define ACL_MIN_REVISION 2 /* ACL_REVISION; 4 is ACL_REVISION_DS, which allows object ACEs */
#define ACL_MAX_REVISION 4

struct acl
{
    uint8_t revision;
    uint8_t sbz1;
    uint16_t size; /* bytes, this header and unused room at the end included */
    uint16_t ace_count;
    uint16_t sbz2;
};

/* AceType, MS-DTYP 2.4.4.1 */
enum ace_type
{
    ACCESS_ALLOWED_ACE_TYPE = 0x00,
    ACCESS_DENIED_ACE_TYPE = 0x01,
    SYSTEM_AUDIT_ACE_TYPE = 0x02,
    SYSTEM_ALARM_ACE_TYPE = 0x03,
    ACCESS_ALLOWED_COMPOUND_ACE_TYPE = 0x04,
    ACCESS_ALLOWED_OBJECT_ACE_TYPE = 0x05,
    ACCESS_DENIED_OBJECT_ACE_TYPE = 0x06,
    SYSTEM_AUDIT_OBJECT_ACE_TYPE = 0x07,
    SYSTEM_ALARM_OBJECT_ACE_TYPE = 0x08,
    ACCESS_ALLOWED_CALLBACK_ACE_TYPE = 0x09,
    ACCESS_DENIED_CALLBACK_ACE_TYPE = 0x0A,
    ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE = 0x0B,
    ACCESS_DENIED_CALLBACK_OBJECT_ACE_TYPE = 0x0C,
    SYSTEM_AUDIT_CALLBACK_ACE_TYPE = 0x0D,
    SYSTEM_ALARM_CALLBACK_ACE_TYPE = 0x0E,
    SYSTEM_AUDIT_CALLBACK_OBJECT_ACE_TYPE = 0x0F,
    SYSTEM_ALARM_CALLBACK_OBJECT_ACE_TYPE = 0x10,
    SYSTEM_MANDATORY_LABEL_ACE_TYPE = 0x11,
    SYSTEM_RESOURCE_ATTRIBUTE_ACE_TYPE = 0x12,
    SYSTEM_SCOPED_POLICY_ID_ACE_TYPE = 0x13
};

/* AceFlags */
#define INHERIT_ONLY_ACE 0x08

/* Flags of an object ACE, MS-DTYP 2.4.4.3 */
#define ACE_OBJECT_TYPE_PRESENT 0x01u
#define ACE_INHERITED_OBJECT_TYPE_PRESENT 0x02u

/* The fields that follow the header exist only when ace_sid() finds a SID. */
struct ace
{
    uint8_t type; /* enum ace_type, or one that is not known here */
    uint8_t flags;
    uint16_t size;         /* bytes, a multiple of 4 */
    uint32_t mask;         /* every kind of ACE with a SID has its mask here */
    uint32_t object_flags; /* object ACEs only; otherwise the SID begins here */
};

/* Whether SIZE bytes at DATA begin with a whole SID of revision 1 with at most 15 subauthorities. */
bool sid_is_valid(const void *data, size_t size);

/* Bytes of a SID. */
size_t sid_size(const struct sid *sid);

/* An order for sorting and searching: negative, 0 when equal, positive. */
int sid_compare(const struct sid *a, const struct sid *b);

/* Whether SIZE bytes at DATA begin with a whole ACL whose revision, sizes and SIDs are in order. ACEs of a type that is
   not known here only need a size in order, as for RtlValidAcl. */
bool acl_is_valid(const void *data, size_t size);

/* The first ACE, meaningful when ace_count is not 0, and the one that follows ACE, when there is one. */
const struct ace *acl_first(const struct acl *acl);
const struct ace *ace_next(const struct ace *ace);

/* The SID of an ACE, NULL for types without a SID that is understood here (compound and unknown ones). */
const struct sid *ace_sid(const struct ace *ace);

/* Whether an ACE is of an object type and names an object type by GUID. */
bool ace_has_object_type(const struct ace *ace);

/* MASK with its generic bits replaced by what MAPPING says they mean. */
uint32_t map_generic(uint32_t mask, const struct generic_mapping *mapping);

/* Map the generic bits of every effective ACE of ACL in place. Inherit-only ACEs keep theirs, for they are meant for
   objects of other types. */
void acl_map_generic(struct acl *acl, const struct generic_mapping *mapping);

#endif
