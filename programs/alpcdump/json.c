/*
 * A dump for programs
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "json.h"

#include "names.h"

#include <jansson.h>

/* one structure while it becomes an object */
struct builder
{
    enum record_type type;
    json_t *object;
    bool failed;
};

/* takes over value, which may be NULL */
static void set(struct builder *builder, const char *key, json_t *value)
{
    if (json_object_set_new(builder->object, key, value))
        builder->failed = true;
}

static json_t *name_value(const struct value_names *names, uint32_t value)
{
    const struct value_name *name = names_next(names, value, NULL);

    return name ? json_string(name->name) : json_null();
}

static json_t *name_list(const struct value_names *names, uint32_t value)
{
    const struct value_name *name = NULL;
    json_t *list = json_array();

    while (list && (name = names_next(names, value, name)))
        if (json_array_append_new(list, json_string(name->name)))
        {
            json_decref(list);
            return NULL;
        }
    return list;
}

static void set_names(struct builder *builder, const char *field, uint32_t value)
{
    const struct value_names *names = names_of_field(builder->type, field);

    if (names)
        set(builder, names->key, (names->set ? name_list : name_value)(names, value));
}

static void add_field(void *arg, const struct request_field *field, void *value)
{
    struct builder *builder = arg;
    const char *text;

    switch (field->kind)
    {
    case FIELD_U32:
        set(builder, field->name, json_integer(*(uint32_t *)value));
        set_names(builder, field->name, *(uint32_t *)value);
        break;
    case FIELD_U64:
        set(builder, field->name, json_integer((json_int_t)*(uint64_t *)value));
        break;
    case FIELD_DATA:
    case FIELD_TEXT:
    case FIELD_SECURITY:
        text = *(char **)value;
        set(builder, field->name, text ? json_string(text) : json_null());
        break;
    }
}

/* NULL when memory is short */
static json_t *make_object(const struct snapshot *snapshot, enum record_type type, size_t index)
{
    struct builder builder = { .type = type, .object = json_object() };

    if (!builder.object)
        return NULL;
    info_visit(type, snapshot_row(snapshot, type, index), add_field, &builder);
    if (!builder.failed)
        return builder.object;
    json_decref(builder.object);
    return NULL;
}

static json_t *make_list(const struct snapshot *snapshot, enum record_type type)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < snapshot->count[type]; i++)
        if (json_array_append_new(list, make_object(snapshot, type, i)))
        {
            json_decref(list);
            return NULL;
        }
    return list;
}

bool json_print(FILE *out, const struct snapshot *snapshot, bool one_line)
{
    struct builder whole = { .object = json_object() };

    if (!whole.object)
        return false;
    set(&whole, "server", snapshot->count[RECORD_server] ? make_object(snapshot, RECORD_server, 0) : json_null());
    set(&whole, "ports", make_list(snapshot, RECORD_port));
    set(&whole, "connections", make_list(snapshot, RECORD_connection));
    set(&whole, "messages", make_list(snapshot, RECORD_message));
    /* a full disk shows later, as for any other output */
    if (!whole.failed)
    {
        json_dumpf(whole.object, out, JSON_ENSURE_ASCII | (one_line ? JSON_COMPACT : JSON_INDENT(2)));
        fputc('\n', out);
    }
    json_decref(whole.object);
    return !whole.failed;
}
