/*
 * The object type "ALPC Port" among those of the host
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "type.h"

#include "handle_list.h"
#include "process.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

const WCHAR type_port_name[10] = { 'A', 'L', 'P', 'C', ' ', 'P', 'o', 'r', 't', 0 };

/* OBJECT_TYPE_INFORMATION */
struct type_information
{
    UNICODE_STRING name;
    ULONG counts[12];
    ULONG invalid_attributes;
    ULONG read, write, execute, all; /* generic mapping */
    ULONG valid_access;
    UCHAR security_required, maintain_handle_count, type_index, reserved;
    ULONG pool_type, paged_charge, nonpaged_charge;
};

_Static_assert(sizeof(struct type_information) == 0x68, "OBJECT_TYPE_INFORMATION");

struct port_type
{
    struct type_information information;
    WCHAR text[sizeof(type_port_name) / sizeof(WCHAR)];
};

/* OBJECT_TYPES_INFORMATION; each type follows the text of the one before, at the next multiple of 8 */
struct type_table
{
    ULONG count;
    struct type_information first;
};

_Static_assert(offsetof(struct type_table, first) == 8 && sizeof(struct port_type) % 8 == 0,
               "OBJECT_TYPES_INFORMATION");

/* larger than any host's table: that of 20 types has 0x9a8 bytes */
#define TABLE_SIZE 0x10000

/* ---------------------------------------------------------------------------------------------- numbers */

/* what TypeIndex says of some of the host's types, and of the port's */
struct type_indices
{
    uint8_t event, file, port;
};

static bool has_name(const struct type_information *type, const char *name)
{
    size_t i, length = strlen(name);

    for (i = 0; i < length && i < type->name.Length / sizeof(WCHAR) && type->name.Buffer[i] == (WCHAR)name[i]; i++)
        ;
    return i == length && type->name.Length == length * sizeof(WCHAR);
}

static const struct type_information *type_after(const struct type_information *type)
{
    return (const void *)(((uintptr_t)type->name.Buffer + type->name.MaximumLength + 7) & ~(uintptr_t)7);
}

static NTSTATUS read_indices(struct type_indices *indices)
{
    struct type_table *table = malloc(TABLE_SIZE);
    const struct type_information *type;
    ULONG i, used;
    NTSTATUS status =
        table ? host_NtQueryObject(NULL, ObjectTypesInformation, table, TABLE_SIZE, &used) : STATUS_NO_MEMORY;

    *indices = (struct type_indices){ 0 };
    for (i = 0, type = &table->first; !status && i < table->count; i++, type = type_after(type))
    {
        if (has_name(type, "Event"))
            indices->event = type->type_index;
        else if (has_name(type, "File"))
            indices->file = type->type_index;
        if (type->type_index >= indices->port)
            indices->port = (uint8_t)(type->type_index + 1);
    }
    free(table);
    return status;
}

/* TypeIndex of ports; 0 when the host does not say */
static uint8_t port_index(void)
{
    static _Atomic uint8_t known;
    struct type_indices indices;

    if (!known && !read_indices(&indices))
        known = indices.port;
    return known;
}

/* the host's whole list of handles, to be freed; NULL when memory is short */
static struct handle_list *list_handles(void)
{
    struct handle_list *list = NULL;
    ULONG size = 0x8000, used;
    NTSTATUS status;

    do
    {
        free(list);
        if (!(list = malloc(size *= 2)))
            return NULL;
        status = host_NtQuerySystemInformation(SystemExtendedHandleInformation, list, size, &used);
    } while (status == STATUS_INFO_LENGTH_MISMATCH && size < 1u << 30);
    if (!status)
        return list;
    free(list);
    return NULL;
}

/* how a list shows an event of this process: Wine 8.0 counts from 0 there, but from 2 in the table of types */
static NTSTATUS listed_event(uint8_t *number)
{
    OBJECT_ATTRIBUTES attributes = { .Length = sizeof(attributes) };
    struct handle_list *list;
    HANDLE event;
    ULONG_PTR i;
    NTSTATUS status = host_NtCreateEvent(&event, PORT_ALL_ACCESS, &attributes, 0, 0);

    if (status)
        return status;
    list = list_handles();
    host_NtClose(event);
    status = list ? STATUS_INVALID_HANDLE : STATUS_NO_MEMORY;
    for (i = 0; list && i < list->count; i++)
        if (list->entries[i].process == process_id() && list->entries[i].handle == (ULONG_PTR)event)
        {
            *number = (uint8_t)list->entries[i].type;
            status = STATUS_SUCCESS;
        }
    free(list);
    return status;
}

NTSTATUS type_listed(struct listed_types *types)
{
    static _Atomic uint32_t known; /* both numbers in one word */
    struct type_indices indices;
    uint8_t event;
    NTSTATUS status;

    if (!known)
    {
        if ((status = read_indices(&indices)) || (status = listed_event(&event)))
            return status;
        known = (uint32_t)(uint8_t)(indices.file - indices.event + event) << 8 |
                (uint8_t)(indices.port - indices.event + event);
    }
    *types = (struct listed_types){ .file = (uint8_t)(known >> 8), .port = (uint8_t)known };
    return STATUS_SUCCESS;
}

/* ---------------------------------------------------------------------------------------------- information */

static void fill_in(struct port_type *out)
{
    struct port_type port = {
        .information = {
            .name = { sizeof(type_port_name) - sizeof(WCHAR), sizeof(type_port_name), out->text },
            .read = 0x00020001,
            .write = 0x00010001,
            .all = PORT_ALL_ACCESS,
            .valid_access = PORT_ALL_ACCESS,
            .security_required = 1,
            .type_index = port_index(),
        },
    };

    memcpy(port.text, type_port_name, sizeof(type_port_name));
    memcpy(out, &port, sizeof(port));
}

NTSTATUS type_query(void *information, ULONG length, ULONG *return_length)
{
    if (return_length)
        *return_length = sizeof(struct port_type);
    if (length < sizeof(struct port_type))
        return STATUS_INFO_LENGTH_MISMATCH;
    fill_in(information);
    return STATUS_SUCCESS;
}

/* the host is told of a shorter buffer, so that what it accepts leaves room for the port's type */
NTSTATUS type_query_all(HANDLE handle, void *information, ULONG length, ULONG *return_length)
{
    const ULONG own = sizeof(struct port_type);
    struct type_table *table = information;
    ULONG used = 0;
    NTSTATUS status =
        host_NtQueryObject(handle, ObjectTypesInformation, information, length > own ? length - own : 0, &used);

    if (status && status != STATUS_INFO_LENGTH_MISMATCH)
        return status;
    used = (used + 7) & ~7u;
    if (!status)
    {
        fill_in((void *)((uint8_t *)information + used));
        table->count++;
    }
    if (return_length)
        *return_length = used + own;
    return status;
}
