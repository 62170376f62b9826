/*
 * The control protocol between programs and alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "ntalpc/protocol.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------------------------------------- tables */

#define U32(field) { #field, FIELD_U32 },
#define U64(field) { #field, FIELD_U64 },
#define DATA(field) { #field, FIELD_DATA },
#define FDS(count)
#define REQUEST(type) static const struct request_field type##_in[] = {
#define REPLY(type) { NULL, FIELD_U32 } }; static const struct request_field type##_out[] = {
#define END(type) { NULL, FIELD_U32 } };
#include "ntalpc/requests.h"
#undef U32
#undef U64
#undef DATA
#undef FDS
#undef REQUEST
#undef REPLY
#undef END

#define U32(field)
#define U64(field)
#define DATA(field)
#define FDS(count) + count
#define REQUEST(type) [REQUEST_##type] = { #type, { sizeof(struct type##_request), 0, type##_in },
#define REPLY(type) { sizeof(struct type##_reply), 0
#define END(type) , type##_out } },
const struct request_type request_types[REQUEST_COUNT] = {
#include "ntalpc/requests.h"
};

#undef U32
#undef U64
#undef DATA
#undef FDS
#undef REQUEST
#undef REPLY
#undef END

#define U32(field) { #field, FIELD_U32 },
#define U64(field) { #field, FIELD_U64 },
#define TEXT(field) { #field, FIELD_TEXT },
#define SECURITY(field) { #field, FIELD_SECURITY },
#define RECORD(type) static const struct request_field type##_fields[] = {
#define END(type) { NULL, FIELD_U32 } };
#include "ntalpc/records.h"
#undef U32
#undef U64
#undef TEXT
#undef SECURITY
#undef RECORD
#undef END

#define U32(field)
#define U64(field)
#define TEXT(field)
#define SECURITY(field)
#define RECORD(type) [RECORD_##type] = { #type, { sizeof(struct type##_record), 0, type##_fields } },
#define END(type)
const struct record_part record_types[RECORD_COUNT] = {
#include "ntalpc/records.h"
};

/* ---------------------------------------------------------------------------------------------- checking, printing */

uint64_t protocol_field_value(const struct request_field *field, const void *at)
{
    uint64_t wide;
    uint32_t narrow;

    if (field->kind == FIELD_U64)
    {
        memcpy(&wide, at, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, at, sizeof(narrow));
    return narrow;
}

int protocol_check(const struct request_part *part, const void *part_data, size_t size,
                   const void *data[PROTOCOL_MAX_DATA])
{
    const uint8_t *begin = part_data, *at = begin + sizeof(struct request_header);
    const struct request_field *field;
    size_t used = protocol_pad(part->size), count = 0;

    if (size < used)
        return 0;
    for (field = part->fields; field->name; at += protocol_field_size(field++))
    {
        uint64_t length = protocol_field_value(field, at);

        if (field->kind < FIELD_DATA)
            continue;
        if (protocol_pad(length) < length || protocol_pad(length) > size - used)
            return 0;
        data[count++] = begin + used;
        used += protocol_pad(length);
    }
    return used == size;
}

void protocol_print(char *buffer, size_t size, const char *name, const struct request_part *part, const void *part_data)
{
    const uint8_t *at = (const uint8_t *)part_data + sizeof(struct request_header);
    const struct request_field *field;
    size_t used = (size_t)snprintf(buffer, size, "%s {", name);

    for (field = part->fields; field->name; at += protocol_field_size(field++))
    {
        uint64_t value = protocol_field_value(field, at);

        if (used >= size)
            return;
        used += (size_t)snprintf(buffer + used, size - used, field->kind >= FIELD_DATA ? " %s=<%" PRIu64 " bytes>"
                                                             : value < 10              ? " %s=%" PRIu64
                                                                                       : " %s=%#" PRIx64,
                                 field->name, value);
    }
    if (used < size)
        snprintf(buffer + used, size - used, " }");
}
