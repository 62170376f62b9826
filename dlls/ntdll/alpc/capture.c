/*
 * Reading and writing the program's arguments
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "capture.h"

#include <string.h>

const void *capture_bytes(struct thread *thread, const void *bytes, size_t size)
{
    void *copy = thread_scratch(thread, size);

    return copy ? memcpy(copy, bytes, size) : NULL;
}

NTSTATUS capture_name(struct thread *thread, const UNICODE_STRING *name, UNICODE_STRING *captured)
{
    UNICODE_STRING given = *name;

    *captured = (UNICODE_STRING){ 0 };
    if (!given.Length)
        return STATUS_SUCCESS;
    if (given.Length % sizeof(WCHAR))
        return STATUS_OBJECT_NAME_INVALID;
    probe_read(given.Buffer, given.Length);
    captured->Buffer = (WCHAR *)capture_bytes(thread, given.Buffer, given.Length);
    captured->Length = captured->MaximumLength = given.Length;
    return captured->Buffer ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

NTSTATUS capture_attributes(struct thread *thread, const OBJECT_ATTRIBUTES *attributes,
                            struct captured_attributes *captured)
{
    OBJECT_ATTRIBUTES given;
    NTSTATUS status;

    *captured = (struct captured_attributes){ 0 };
    if (!attributes)
        return STATUS_SUCCESS;
    probe_read(attributes, sizeof(*attributes));
    given = *attributes;
    if (given.Length != sizeof(given))
        return STATUS_INVALID_PARAMETER;
    if (given.RootDirectory && !given.ObjectName)
        return STATUS_OBJECT_NAME_INVALID;
    captured->root = given.RootDirectory;
    captured->attributes = given.Attributes;
    if (given.ObjectName && (status = capture_name(thread, given.ObjectName, &captured->name)))
        return status;
    return capture_security(thread, given.SecurityDescriptor, &captured->security);
}

void capture_port_attributes(const ALPC_PORT_ATTRIBUTES *attributes, struct captured_port_attributes *captured)
{
    ALPC_PORT_ATTRIBUTES given = { 0 };

    if (attributes)
    {
        probe_read(attributes, sizeof(*attributes));
        given = *attributes;
    }
    captured->flags = given.Flags & ~(ULONG)ALPC_PORFLG_LPC_MODE; /* the system's own [3.1] */
    captured->max_message = given.MaxMessageLength < ALPC_MAX_MESSAGE_LENGTH ? (ULONG)given.MaxMessageLength
                                                                             : ALPC_MAX_MESSAGE_LENGTH;
}

/* ---------------------------------------------------------------------------------------------- security */

#define SE_DACL_PRESENT 0x0004
#define SE_SACL_PRESENT 0x0010
#define SE_SELF_RELATIVE 0x8000

struct descriptor_header
{
    uint8_t revision, sbz1;
    uint16_t control;
};

/* SECURITY_DESCRIPTOR in either form: MS-DTYP 2.4.6; in the absolute form the offsets are pointers */
struct relative_descriptor
{
    struct descriptor_header header;
    uint32_t owner, group, sacl, dacl;
};

struct absolute_descriptor
{
    struct descriptor_header header;
    const uint8_t *owner, *group, *sacl, *dacl;
};

static size_t sid_size(const uint8_t *sid)
{
    return 8 + 4 * (size_t)sid[1];
}

static size_t acl_size(const uint8_t *acl)
{
    uint16_t size;

    memcpy(&size, acl + 2, sizeof(size));
    return size < 8 ? 8 : size;
}

NTSTATUS capture_sid(struct thread *thread, const void *sid, struct control_data *captured)
{
    const uint8_t *given = sid;

    *captured = (struct control_data){ 0 };
    if (!given)
        return STATUS_SUCCESS;
    if (given[0] != 1 || given[1] > 15)
        return STATUS_INVALID_SID;
    captured->size = sid_size(given);
    captured->data = capture_bytes(thread, given, captured->size);
    return captured->data ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static void open_descriptor(const void *descriptor, struct absolute_descriptor *parts)
{
    const struct relative_descriptor *relative = descriptor;
    const uint8_t *base = descriptor;

    parts->header = *(const struct descriptor_header *)descriptor;
    if (!(parts->header.control & SE_SELF_RELATIVE))
    {
        *parts = *(const struct absolute_descriptor *)descriptor;
        return;
    }
    parts->owner = relative->owner ? base + relative->owner : NULL;
    parts->group = relative->group ? base + relative->group : NULL;
    parts->sacl = relative->sacl ? base + relative->sacl : NULL;
    parts->dacl = relative->dacl ? base + relative->dacl : NULL;
}

/* copies one part behind the others; *offset stays 0 when there is none */
static NTSTATUS add_part(struct thread *thread, struct control_data *captured, uint32_t *offset, const uint8_t *part,
                         size_t size)
{
    void *copy;

    if (!part)
        return STATUS_SUCCESS;
    if (!(copy = thread_scratch(thread, size)))
        return STATUS_NO_MEMORY;
    memcpy(copy, part, size);
    *offset = (uint32_t)((uint8_t *)copy - (const uint8_t *)captured->data);
    captured->size = *offset + size;
    return STATUS_SUCCESS;
}

NTSTATUS capture_security(struct thread *thread, const void *descriptor, struct control_data *captured)
{
    struct relative_descriptor *copy;
    struct absolute_descriptor parts;
    NTSTATUS status;

    *captured = (struct control_data){ 0 };
    if (!descriptor)
        return STATUS_SUCCESS;
    open_descriptor(descriptor, &parts);
    if (!(parts.header.control & SE_SACL_PRESENT))
        parts.sacl = NULL;
    if (!(parts.header.control & SE_DACL_PRESENT))
        parts.dacl = NULL;
    if (!(copy = thread_scratch(thread, sizeof(*copy))))
        return STATUS_NO_MEMORY;
    *copy = (struct relative_descriptor){ .header = parts.header };
    copy->header.control |= SE_SELF_RELATIVE;
    *captured = (struct control_data){ copy, sizeof(*copy) };
    if ((status = add_part(thread, captured, &copy->owner, parts.owner, parts.owner ? sid_size(parts.owner) : 0)) ||
        (status = add_part(thread, captured, &copy->group, parts.group, parts.group ? sid_size(parts.group) : 0)) ||
        (status = add_part(thread, captured, &copy->sacl, parts.sacl, parts.sacl ? acl_size(parts.sacl) : 0)))
        return status;
    return add_part(thread, captured, &copy->dacl, parts.dacl, parts.dacl ? acl_size(parts.dacl) : 0);
}
