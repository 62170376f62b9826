/*
 * What alpcserver told at one moment
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "snapshot.h"

#include "sddl.h"

#include "ntalpc/shm.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------------------------------------- structures */

#define VISIT(field, kind) visit(arg, &(const struct request_field){ #field, kind }, &info->field);
#define RECORD(name) static void visit_##name(struct name##_info *info, info_visitor *visit, void *arg) {
#define U32(field) VISIT(field, FIELD_U32)
#define U64(field) VISIT(field, FIELD_U64)
#define TEXT(field) VISIT(field, FIELD_TEXT)
#define SECURITY(field) VISIT(field, FIELD_SECURITY)
#define END(name) }
#include "ntalpc/records.h"
#undef RECORD
#undef U32
#undef U64
#undef TEXT
#undef SECURITY
#undef END

#define U32(field)
#define U64(field)
#define TEXT(field)
#define SECURITY(field)
#define END(name)
void info_visit(enum record_type type, void *info, info_visitor *visit, void *arg)
{
    switch (type)
    {
#define RECORD(name) case RECORD_##name: visit_##name(info, visit, arg); break;
#include "ntalpc/records.h"
#undef RECORD
    case RECORD_COUNT:
        break;
    }
}

#define RECORD(name) [RECORD_##name] = sizeof(struct name##_info),
static const size_t info_sizes[RECORD_COUNT] = {
#include "ntalpc/records.h"
};
#undef RECORD
#undef U32
#undef U64
#undef TEXT
#undef SECURITY
#undef END

void *snapshot_row(const struct snapshot *snapshot, enum record_type type, size_t index)
{
    return (char *)snapshot->rows[type] + index * info_sizes[type];
}

/* a new structure at the end, all zero; NULL when memory is short */
static void *add_row(struct snapshot *snapshot, enum record_type type)
{
    size_t room = snapshot->room[type] ? snapshot->room[type] * 2 : 16;
    void *rows;

    if (snapshot->count[type] == snapshot->room[type])
    {
        if (!(rows = realloc(snapshot->rows[type], room * info_sizes[type])))
            return NULL;
        snapshot->rows[type] = rows;
        snapshot->room[type] = room;
    }
    return memset(snapshot_row(snapshot, type, snapshot->count[type]++), 0, info_sizes[type]);
}

static void free_text(void *arg, const struct request_field *field, void *value)
{
    (void)arg;
    if (field->kind >= FIELD_DATA)
        free(*(char **)value);
}

void snapshot_free(struct snapshot *snapshot)
{
    for (enum record_type type = 0; type < RECORD_COUNT; type++)
    {
        for (size_t i = 0; i < snapshot->count[type]; i++)
            info_visit(type, snapshot_row(snapshot, type, i), free_text, NULL);
        free(snapshot->rows[type]);
    }
    *snapshot = (struct snapshot){ 0 };
}

/* ---------------------------------------------------------------------------------------------- decoding */

static const char *const out_of_memory = "out of memory";

static const char *__attribute__((format(printf, 1, 2))) malformed(const char *format, ...)
{
    static char message[256] = "alpcserver sent a malformed reply: ";
    const size_t begin = sizeof("alpcserver sent a malformed reply: ") - 1;
    va_list args;

    va_start(args, format);
    vsnprintf(message + begin, sizeof(message) - begin, format, args);
    va_end(args);
    return message;
}

/* bytes of the character that the text begins with; 0 when that is none (RFC 3629, and no zero) */
static size_t utf8_character(const uint8_t *text, size_t size)
{
    static const uint32_t smallest[] = { 0, 1, 0x80, 0x800, 0x10000 };
    size_t length = text[0] < 0x80 ? 1 : text[0] < 0xc0 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4, i;
    uint32_t c = length == 1 ? text[0] : text[0] & (0x7fu >> length);

    if (!length || length > size || text[0] >= 0xf8)
        return 0;
    for (i = 1; i < length; i++)
    {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (text[i] & 0x3f);
    }
    return c < smallest[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : length;
}

static bool is_text(const uint8_t *text, size_t size)
{
    size_t length;

    for (; size; text += length, size -= length)
        if (!(length = utf8_character(text, size)))
            return false;
    return true;
}

/* one record while its fields are read */
struct decoder
{
    const char *record;
    const uint8_t *at;       /* the next field */
    const void *const *data; /* the next piece of variable data */
    const char *error;
};

static const char *decode_security(const struct decoder *decoder, const void *data, size_t size, char **text)
{
    NTSTATUS status = size ? sddl_from_descriptor(data, size, text) : STATUS_SUCCESS;

    if (status == STATUS_NO_MEMORY)
        return out_of_memory;
    return status ? malformed("a security descriptor of a %s", decoder->record) : NULL;
}

static const char *decode_text(const struct decoder *decoder, const void *data, size_t size, char **text)
{
    if (!is_text(data, size))
        return malformed("a text of a %s", decoder->record);
    return (*text = strndup(data, size)) ? NULL : out_of_memory;
}

static void decode_field(void *arg, const struct request_field *field, void *value)
{
    struct decoder *decoder = arg;
    uint64_t number = protocol_field_value(field, decoder->at);

    decoder->at += protocol_field_size(field);
    if (decoder->error)
        return;
    switch (field->kind)
    {
    case FIELD_U32:
        *(uint32_t *)value = (uint32_t)number;
        break;
    case FIELD_U64:
        *(uint64_t *)value = number;
        break;
    case FIELD_SECURITY:
        decoder->error = decode_security(decoder, *decoder->data++, number, value);
        break;
    case FIELD_TEXT:
    case FIELD_DATA:
        decoder->error = decode_text(decoder, *decoder->data++, number, value);
        break;
    }
}

/* the record, which is there as far as its header says */
static const char *decode_record(struct snapshot *snapshot, const uint8_t *data)
{
    const void *pieces[PROTOCOL_MAX_DATA] = { NULL };
    struct decoder decoder = { .at = data + sizeof(struct record_header), .data = pieces };
    struct record_header header;
    const struct record_part *part;
    void *row;

    memcpy(&header, data, sizeof(header));
    if (header.type >= RECORD_COUNT)
        return malformed("a record of type %u", header.type);
    part = &record_types[header.type];
    decoder.record = part->name;
    if (!protocol_check(&part->part, data, header.size, pieces))
        return malformed("a %s of %u bytes", part->name, header.size);
    if ((header.type == RECORD_server) != !snapshot->count[RECORD_server])
        return malformed("a %s out of place", part->name);
    if (!(row = add_row(snapshot, header.type)))
        return out_of_memory;
    info_visit(header.type, row, decode_field, &decoder);
    return decoder.error;
}

static const char *decode_records(struct snapshot *snapshot, const uint8_t *at, size_t size)
{
    const char *error = NULL;
    uint32_t length;

    for (; size && !error; at += length, size -= length)
    {
        if (size < sizeof(struct record_header))
            return malformed("%zu bytes too many", size);
        memcpy(&length, at + offsetof(struct record_header, size), sizeof(length));
        if (length < sizeof(struct record_header) || length > size || length % 8)
            return malformed("a record of %u bytes", length);
        error = decode_record(snapshot, at);
        if (!error && snapshot_server(snapshot, 0)->protocol != PROTOCOL_VERSION)
            return "the running alpcserver speaks another version of the protocol";
    }
    if (!error && !snapshot->count[RECORD_server])
        return malformed("no server");
    return error;
}

/* ---------------------------------------------------------------------------------------------- order */

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_port(const void *a, const void *b)
{
    return compare(((const struct port_info *)a)->port, ((const struct port_info *)b)->port);
}

static int by_connection(const void *a, const void *b)
{
    return compare(((const struct connection_info *)a)->connection, ((const struct connection_info *)b)->connection);
}

static int by_connection_and_age(const void *a, const void *b)
{
    const struct message_info *first = a, *second = b;

    if (first->connection != second->connection)
        return compare(first->connection, second->connection);
    if (first->age != second->age)
        return compare(second->age, first->age);
    return compare(first->callback, second->callback);
}

static void sort(struct snapshot *snapshot)
{
    static int (*const orders[RECORD_COUNT])(const void *, const void *) = {
        [RECORD_port] = by_port, [RECORD_connection] = by_connection, [RECORD_message] = by_connection_and_age
    };

    for (enum record_type type = 0; type < RECORD_COUNT; type++)
        if (orders[type] && snapshot->count[type])
            qsort(snapshot->rows[type], snapshot->count[type], info_sizes[type], orders[type]);
}

const char *snapshot_decode(struct snapshot *snapshot, const void *records, size_t size)
{
    const char *error = decode_records(snapshot, records, size);

    if (error)
        snapshot_free(snapshot);
    else
        sort(snapshot);
    return error;
}

static const void *find(const struct snapshot *snapshot, enum record_type type, const void *key,
                        int (*order)(const void *, const void *))
{
    if (!snapshot->count[type])
        return NULL;
    return bsearch(key, snapshot->rows[type], snapshot->count[type], info_sizes[type], order);
}

const struct port_info *snapshot_find_port(const struct snapshot *snapshot, uint64_t id)
{
    const struct port_info key = { .port = id };

    return find(snapshot, RECORD_port, &key, by_port);
}

const struct connection_info *snapshot_find_connection(const struct snapshot *snapshot, uint64_t id)
{
    const struct connection_info key = { .connection = id };

    return find(snapshot, RECORD_connection, &key, by_connection);
}

/* the first message of this connection or a later one */
static size_t first_message(const struct snapshot *snapshot, uint64_t connection)
{
    size_t first = 0, last = snapshot->count[RECORD_message];

    while (first < last)
    {
        size_t middle = first + (last - first) / 2;

        if (snapshot_message(snapshot, middle)->connection < connection)
            first = middle + 1;
        else
            last = middle;
    }
    return first;
}

size_t snapshot_find_messages(const struct snapshot *snapshot, uint64_t connection, size_t *count)
{
    size_t first = first_message(snapshot, connection), all = snapshot->count[RECORD_message];

    for (*count = 0; first + *count < all; ++*count)
        if (snapshot_message(snapshot, first + *count)->connection != connection)
            break;
    return first;
}

/* ---------------------------------------------------------------------------------------------- one port */

/* tells whether to keep a structure; may look at those of types that come before it and are filtered already */
typedef bool row_filter(const struct snapshot *snapshot, const void *row, const char *name);

static bool keep_connection_port(const struct snapshot *snapshot, const void *row, const char *name)
{
    const struct port_info *port = row;

    (void)snapshot;
    return port->kind != PORT_CONNECTION || !strcasecmp(port->name, name);
}

static bool keep_connection(const struct snapshot *snapshot, const void *row, const char *name)
{
    (void)name;
    return snapshot_find_port(snapshot, ((const struct connection_info *)row)->server_port) != NULL;
}

static bool keep_communication_port(const struct snapshot *snapshot, const void *row, const char *name)
{
    const struct port_info *port = row;

    (void)name;
    return port->kind == PORT_CONNECTION || snapshot_find_connection(snapshot, port->connection);
}

static bool keep_message(const struct snapshot *snapshot, const void *row, const char *name)
{
    (void)name;
    return snapshot_find_connection(snapshot, ((const struct message_info *)row)->connection) != NULL;
}

static void filter(struct snapshot *snapshot, enum record_type type, row_filter *keep, const char *name)
{
    size_t kept = 0;

    for (size_t i = 0; i < snapshot->count[type]; i++)
    {
        void *row = snapshot_row(snapshot, type, i);

        if (!keep(snapshot, row, name))
            info_visit(type, row, free_text, NULL);
        else if (kept++ != i)
            memcpy(snapshot_row(snapshot, type, kept - 1), row, info_sizes[type]);
    }
    snapshot->count[type] = kept;
}

void snapshot_keep_port(struct snapshot *snapshot, const char *name)
{
    filter(snapshot, RECORD_port, keep_connection_port, name);
    filter(snapshot, RECORD_connection, keep_connection, name);
    filter(snapshot, RECORD_port, keep_communication_port, name);
    filter(snapshot, RECORD_message, keep_message, name);
}
