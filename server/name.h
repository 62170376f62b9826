/*
 * Names of objects
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A name is what the object manager calls the object.  Wine sees to it that a path leads to one object only; objects in
 * different unnamed directories can have the same name, and are told apart by numbers.
 */

#ifndef NTALPC_SERVER_NAME_H
#define NTALPC_SERVER_NAME_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

struct object;

struct name
{
    UT_hash_handle hh;          /* by number and text */
    UT_hash_handle hh_absolute; /* by text, if it can be looked up by that */
    struct object *object;
    bool absolute;
    uint32_t number;            /* from 1 */
    uint32_t size;              /* bytes */
    uint16_t text[];
};

/*
 * Gives an object a name of so many bytes of UTF-16; absolute tells whether it is a path by itself.  Returns the name,
 * which the caller ends with name_free, or NULL when memory is short.
 */
struct name *name_create(struct object *object, const void *text, uint32_t size, bool absolute);

/* the same for one that has its number already; NULL also when it is another object's name */
struct name *name_restore(struct object *object, uint32_t number, const void *text, uint32_t size, bool absolute);

/* NULL is allowed */
void name_free(struct name *name);

/* the object of this name, or NULL; number 0 looks for an absolute one */
struct object *name_find(uint32_t number, const void *text, uint32_t size);

#endif
