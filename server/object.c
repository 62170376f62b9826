/*
 * Objects of alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "object.h"

#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static struct object *objects[OBJECT_KINDS];
static uint64_t last_serial[OBJECT_KINDS];

uint64_t object_random(void)
{
    uint64_t number = 0;

    while (!number)
        if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        {
            /* a key that can be guessed would be worse than no server */
            perror("alpcserver: getrandom");
            abort();
        }
    return number;
}

void object_add(struct object *object, const struct object_ops *ops)
{
    object->ops = ops;
    object->key = object_random();
    object->serial = ++last_serial[ops->kind];
    HASH_ADD(hh, objects[ops->kind], key, sizeof(object->key), object);
}

void object_add_again(struct object *object, const struct object_ops *ops, uint64_t key, uint64_t serial)
{
    object->ops = ops;
    object->key = key;
    object->serial = serial;
    if (serial > last_serial[ops->kind])
        last_serial[ops->kind] = serial;
    HASH_ADD(hh, objects[ops->kind], key, sizeof(object->key), object);
}

static int by_serial(const struct object *a, const struct object *b)
{
    return a->serial < b->serial ? -1 : a->serial > b->serial;
}

void objects_restored(void)
{
    int kind;

    for (kind = 0; kind < OBJECT_KINDS; kind++)
        HASH_SORT(objects[kind], by_serial);
}

void object_changed(const struct object *object, const struct object_ops *ops)
{
    struct state_writer *writer = state_begin();

    if (!writer)
        return;
    state_write(writer, object->serial);
    ops->save(object, writer);
    state_put(ops->kind, object->key, writer);
}

void object_forget(const struct object *object, enum object_kind kind)
{
    state_delete(kind, object->key);
}

void object_remove(struct object *object)
{
    if (!object->ops)
        return;
    HASH_DELETE(hh, objects[object->ops->kind], object);
    object->ops = NULL;
}

struct object *object_find(enum object_kind kind, uint64_t key)
{
    struct object *object;

    HASH_FIND(hh, objects[kind], &key, sizeof(key), object);
    return object;
}

struct object *object_first(enum object_kind kind)
{
    return objects[kind];
}

struct object *object_next(const struct object *object)
{
    return object->hh.next;
}

void object_close_all(enum object_kind kind)
{
    struct object *object, *next;

    /* closing one may free objects of other kinds, but no other of its own */
    HASH_ITER(hh, objects[kind], object, next)
        object->ops->close(object);
}
