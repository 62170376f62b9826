/*
 * Security descriptors as text
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "sddl.h"

#include "server/security.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* a list ends with an entry without text */
struct abbreviation
{
    const char *text;
    uint32_t value;
};

/* MS-DTYP 2.5.1.1, those that mean one SID everywhere */
static const struct
{
    char text[3];
    const char *sid;
} sid_abbreviations[] = {
    { "WD", "S-1-1-0" },      { "CO", "S-1-3-0" },      { "CG", "S-1-3-1" },      { "OW", "S-1-3-4" },
    { "NU", "S-1-5-2" },      { "IU", "S-1-5-4" },      { "SU", "S-1-5-6" },      { "AN", "S-1-5-7" },
    { "ED", "S-1-5-9" },      { "PS", "S-1-5-10" },     { "AU", "S-1-5-11" },     { "RC", "S-1-5-12" },
    { "SY", "S-1-5-18" },     { "LS", "S-1-5-19" },     { "NS", "S-1-5-20" },     { "WR", "S-1-5-33" },
    { "BA", "S-1-5-32-544" }, { "BU", "S-1-5-32-545" }, { "BG", "S-1-5-32-546" }, { "PU", "S-1-5-32-547" },
    { "AO", "S-1-5-32-548" }, { "SO", "S-1-5-32-549" }, { "PO", "S-1-5-32-550" }, { "BO", "S-1-5-32-551" },
    { "RE", "S-1-5-32-552" }, { "RU", "S-1-5-32-554" }, { "RD", "S-1-5-32-555" }, { "NO", "S-1-5-32-556" },
    { "MU", "S-1-5-32-558" }, { "LU", "S-1-5-32-559" }, { "IS", "S-1-5-32-568" }, { "CY", "S-1-5-32-569" },
    { "ER", "S-1-5-32-573" }, { "CD", "S-1-5-32-574" }, { "RA", "S-1-5-32-575" }, { "ES", "S-1-5-32-576" },
    { "MS", "S-1-5-32-577" }, { "HA", "S-1-5-32-578" }, { "AA", "S-1-5-32-579" }, { "RM", "S-1-5-32-580" },
    { "AC", "S-1-15-2-1" },   { "LW", "S-1-16-4096" },  { "ME", "S-1-16-8192" },  { "MP", "S-1-16-8448" },
    { "HI", "S-1-16-12288" }, { "SI", "S-1-16-16384" }, { "AS", "S-1-18-1" },     { "SS", "S-1-18-2" },
    { "UD", "S-1-5-84-0-0-0-0-0" },
};

static const struct abbreviation ace_types[] = {
    { "A", ACCESS_ALLOWED_ACE_TYPE },
    { "D", ACCESS_DENIED_ACE_TYPE },
    { "AU", SYSTEM_AUDIT_ACE_TYPE },
    { "AL", SYSTEM_ALARM_ACE_TYPE },
    { "OA", ACCESS_ALLOWED_OBJECT_ACE_TYPE },
    { "OD", ACCESS_DENIED_OBJECT_ACE_TYPE },
    { "OU", SYSTEM_AUDIT_OBJECT_ACE_TYPE },
    { "OL", SYSTEM_ALARM_OBJECT_ACE_TYPE },
    { "XA", ACCESS_ALLOWED_CALLBACK_ACE_TYPE },
    { "XD", ACCESS_DENIED_CALLBACK_ACE_TYPE },
    { "ZA", ACCESS_ALLOWED_CALLBACK_OBJECT_ACE_TYPE },
    { "XU", SYSTEM_AUDIT_CALLBACK_ACE_TYPE },
    { "ML", SYSTEM_MANDATORY_LABEL_ACE_TYPE },
    { "RA", SYSTEM_RESOURCE_ATTRIBUTE_ACE_TYPE },
    { "SP", SYSTEM_SCOPED_POLICY_ID_ACE_TYPE },
    { NULL, 0 },
};

/* bits are written in this order, which is Windows' */
static const struct abbreviation ace_flags[] = {
    { "OI", 0x01 }, { "CI", 0x02 }, { "NP", 0x04 }, { "IO", 0x08 },
    { "ID", 0x10 }, { "SA", 0x40 }, { "FA", 0x80 }, { NULL, 0 },
};

static const struct abbreviation whole_rights[] = {
    { "FA", 0x1f01ff }, { "FR", 0x120089 }, { "FW", 0x120116 }, { "FX", 0x1200a0 },
    { "KA", 0xf003f },  { "KR", 0x20019 },  { "KW", 0x20006 },  { NULL, 0 },
};

static const struct abbreviation rights[] = {
    { "CC", 0x001 },        { "DC", 0x002 },       { "LC", 0x004 },           { "SW", 0x008 },
    { "RP", 0x010 },        { "WP", 0x020 },       { "DT", 0x040 },           { "LO", 0x080 },
    { "CR", 0x100 },        { "SD", DELETE },      { "RC", READ_CONTROL },    { "WD", WRITE_DAC },
    { "WO", WRITE_OWNER },  { "GA", GENERIC_ALL }, { "GX", GENERIC_EXECUTE }, { "GW", GENERIC_WRITE },
    { "GR", GENERIC_READ }, { NULL, 0 },
};

static const struct abbreviation label_rights[] = {
    { "NW", 1 },
    { "NR", 2 },
    { "NX", 4 },
    { NULL, 0 },
};

/* ---------------------------------------------------------------------------------------------- SIDs */

#define SID_TEXT_SIZE (sizeof("S-1-0x123456789abc") + SID_MAX_SUB_AUTHORITIES * sizeof("-4294967295"))

/* MS-DTYP 2.4.2.1 */
static void write_sid_number(const struct sid *sid, char text[SID_TEXT_SIZE])
{
    uint64_t authority = 0;
    char *at = text;

    for (int i = 0; i < 6; i++)
        authority = authority << 8 | sid->identifier_authority[i];
    at += sprintf(at, authority > UINT32_MAX ? "S-1-0x%012" PRIx64 : "S-1-%" PRIu64, authority);
    for (int i = 0; i < sid->sub_authority_count; i++)
        at += sprintf(at, "-%" PRIu32, sid->sub_authority[i]);
}

static void put_sid(FILE *out, const struct sid *sid)
{
    char text[SID_TEXT_SIZE];

    write_sid_number(sid, text);
    for (size_t i = 0; i < sizeof(sid_abbreviations) / sizeof(sid_abbreviations[0]); i++)
    {
        if (!strcmp(text, sid_abbreviations[i].sid))
        {
            fputs(sid_abbreviations[i].text, out);
            return;
        }
    }
    fputs(text, out);
}

/* ---------------------------------------------------------------------------------------------- ACEs */

static const char *find_abbreviation(const struct abbreviation *list, uint32_t value)
{
    while (list->text && list->value != value)
        list++;
    return list->text;
}

/* the bits by their abbreviations, as one number if some have none */
static void put_bits(FILE *out, const struct abbreviation *list, uint32_t bits)
{
    const struct abbreviation *entry;
    uint32_t rest = bits;

    for (entry = list; entry->text; entry++)
        rest &= ~entry->value;
    if (rest)
        fprintf(out, "0x%" PRIx32, bits);
    else
        for (entry = list; entry->text; entry++)
            if (bits & entry->value)
                fputs(entry->text, out);
}

static void put_type(FILE *out, uint8_t type)
{
    const char *text = find_abbreviation(ace_types, type);

    if (text)
        fputs(text, out);
    else
        fprintf(out, "0x%x", type);
}

static void put_rights(FILE *out, const struct ace *ace)
{
    const char *whole = find_abbreviation(whole_rights, ace->mask);

    if (ace->type == SYSTEM_MANDATORY_LABEL_ACE_TYPE)
        put_bits(out, label_rights, ace->mask);
    else if (whole)
        fputs(whole, out);
    else
        put_bits(out, rights, ace->mask);
}

static void put_guid(FILE *out, const uint8_t *guid)
{
    /* MS-DTYP 2.3.4: three numbers, little-endian, then bytes */
    static const int8_t order[] = { 3, 2, 1, 0, -1, 5, 4, -1, 7, 6, -1, 8, 9, -1, 10, 11, 12, 13, 14, 15 };

    for (size_t i = 0; i < sizeof(order); i++)
    {
        if (order[i] < 0)
            fputc('-', out);
        else
            fprintf(out, "%02x", guid[order[i]]);
    }
}

/* the types that an object ACE names; other ACEs have the two fields, too, empty */
static void put_object_types(FILE *out, const struct ace *ace, const struct sid *sid)
{
    const uint8_t *guid = (const uint8_t *)ace + sizeof(*ace);
    bool object = (const uint8_t *)sid >= guid;

    fputc(';', out);
    if (object && (ace->object_flags & ACE_OBJECT_TYPE_PRESENT))
    {
        put_guid(out, guid);
        guid += 16;
    }
    fputc(';', out);
    if (object && (ace->object_flags & ACE_INHERITED_OBJECT_TYPE_PRESENT))
        put_guid(out, guid);
}

static void put_hex(FILE *out, const uint8_t *data, const uint8_t *end)
{
    if (data == end)
        return;
    fputs(";0x", out);
    while (data < end)
        fprintf(out, "%02x", *data++);
}

static void put_ace(FILE *out, const struct ace *ace)
{
    const struct sid *sid = ace_sid(ace);
    const uint8_t *end = (const uint8_t *)ace + ace->size;

    fputc('(', out);
    put_type(out, ace->type);
    fputc(';', out);
    put_bits(out, ace_flags, ace->flags);
    if (sid)
    {
        fputc(';', out);
        put_rights(out, ace);
        put_object_types(out, ace, sid);
        fputc(';', out);
        put_sid(out, sid);
        put_hex(out, (const uint8_t *)sid + sid_size(sid), end);
    }
    else
        put_hex(out, (const uint8_t *)&ace->mask, end);
    fputc(')', out);
}

/* ---------------------------------------------------------------------------------------------- descriptors */

static void put_owner(FILE *out, const struct security_descriptor *sd, char part, uint32_t offset)
{
    if (!offset)
        return;
    fprintf(out, "%c:", part);
    put_sid(out, (const struct sid *)((const uint8_t *)sd + offset));
}

static void put_acl(FILE *out, const struct acl *acl)
{
    const struct ace *ace = acl_first(acl);

    for (uint16_t i = 0; i < acl->ace_count; i++, ace = ace_next(ace))
        put_ace(out, ace);
}

/* what one of a descriptor's two ACLs is made of */
struct acl_part
{
    char name;
    uint32_t offset; /* 0 = NULL */
    uint16_t present, is_protected, inherited; /* control bits */
};

static void put_acl_part(FILE *out, const struct security_descriptor *sd, const struct acl_part *part)
{
    if (!(sd->control & part->present))
        return;
    fprintf(out, "%c:%s%s", part->name, sd->control & part->is_protected ? "P" : "",
            sd->control & part->inherited ? "AI" : "");
    if (part->offset)
        put_acl(out, (const struct acl *)((const uint8_t *)sd + part->offset));
    else
        fputs("NO_ACCESS_CONTROL", out);
}

static void put_descriptor(FILE *out, const struct security_descriptor *sd)
{
    const struct acl_part dacl = { 'D', sd->dacl, SE_DACL_PRESENT, SE_DACL_PROTECTED, SE_DACL_AUTO_INHERITED };
    const struct acl_part sacl = { 'S', sd->sacl, SE_SACL_PRESENT, SE_SACL_PROTECTED, SE_SACL_AUTO_INHERITED };

    put_owner(out, sd, 'O', sd->owner);
    put_owner(out, sd, 'G', sd->group);
    put_acl_part(out, sd, &dacl);
    put_acl_part(out, sd, &sacl);
}

NTSTATUS sddl_from_descriptor(const void *data, size_t size, char **text)
{
    struct security_descriptor *sd;
    char *made = NULL;
    size_t length;
    FILE *out;
    NTSTATUS status = security_descriptor_parse(data, size, &sd);

    if (status)
        return status;
    if (!(out = open_memstream(&made, &length)))
        status = STATUS_NO_MEMORY;
    else
    {
        put_descriptor(out, sd);
        if (fclose(out))
            status = STATUS_NO_MEMORY;
    }
    free(sd);
    if (status)
        free(made);
    else
        *text = made;
    return status;
}
