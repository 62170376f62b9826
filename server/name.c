/*
 * Names of objects
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "name.h"

#include <stdlib.h>
#include <string.h>

static struct name *by_number, *by_path;

/* number, size and text follow each other: they are the key */
#define KEY_SIZE(size) ((unsigned int)(2 * sizeof(uint32_t) + (size)))

static struct name *make_name(uint32_t number, const void *text, uint32_t size)
{
    struct name *name = calloc(1, sizeof(*name) + size);

    if (name)
    {
        name->number = number;
        name->size = size;
        if (size)
            memcpy(name->text, text, size);
    }
    return name;
}

static struct name *find_key(const struct name *key)
{
    struct name *name;

    HASH_FIND(hh, by_number, &key->number, KEY_SIZE(key->size), name);
    return name;
}

struct object *name_find(uint32_t number, const void *text, uint32_t size)
{
    struct name *name, *key;

    if (!number)
        HASH_FIND(hh_absolute, by_path, text, size, name);
    else if (!(key = make_name(number, text, size)))
        return NULL;
    else
    {
        name = find_key(key);
        free(key);
    }
    return name ? name->object : NULL;
}

static void enter(struct name *name, struct object *object, bool absolute)
{
    name->object = object;
    HASH_ADD(hh, by_number, number, KEY_SIZE(name->size), name);
    name->absolute = absolute && !name_find(0, name->text, name->size);
    if (name->absolute)
        HASH_ADD_KEYPTR(hh_absolute, by_path, name->text, name->size, name);
}

struct name *name_create(struct object *object, const void *text, uint32_t size, bool absolute)
{
    struct name *name = make_name(1, text, size);

    if (!name)
        return NULL;
    while (find_key(name))
        name->number++;
    enter(name, object, absolute);
    return name;
}

struct name *name_restore(struct object *object, uint32_t number, const void *text, uint32_t size, bool absolute)
{
    struct name *name = make_name(number, text, size);

    if (name && !find_key(name))
        enter(name, object, absolute);
    else
    {
        free(name);
        name = NULL;
    }
    return name;
}

void name_free(struct name *name)
{
    if (!name)
        return;
    HASH_DELETE(hh, by_number, name);
    if (name->absolute)
        HASH_DELETE(hh_absolute, by_path, name);
    free(name);
}
