/*
 * Objects of alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every object has a key, a random number that nobody can guess and that never comes back.  Who knows it may use the
 * object: it is told to who makes the object, and stands in the file behind a port's handles.  A dump shows the serial
 * number instead.
 */

#ifndef NTALPC_SERVER_OBJECT_H
#define NTALPC_SERVER_OBJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

struct dump;
struct state_writer;

enum object_kind
{
    OBJECT_PROCESS,
    OBJECT_PORT,
    OBJECT_CONNECTION,
    OBJECT_KINDS
};

struct object_ops;

/* stands first in the structure of each kind */
struct object
{
    UT_hash_handle hh;            /* by key */
    const struct object_ops *ops; /* NULL = not in the registry */
    uint64_t key;
    uint64_t serial; /* 1, 2, 3 ... of its kind, in the order of making */
};

struct object_ops
{
    enum object_kind kind;
    void (*close)(struct object *object);                   /* ends the object, whoever still uses it */
    void (*dump)(struct object *object, struct dump *dump); /* appends its records; NULL = it has none */
    /* writes what another alpcserver has to know to make the object again */
    void (*save)(const struct object *object, struct state_writer *writer);
};

/* a number that cannot be guessed, never 0 */
uint64_t object_random(void);

/* gives the object a key and a serial number and enters it */
void object_add(struct object *object, const struct object_ops *ops);

/* the same for an object that another alpcserver has made */
void object_add_again(struct object *object, const struct object_ops *ops, uint64_t key, uint64_t serial);

/* all of those are there: walks go from the oldest to the newest */
void objects_restored(void);

/* something of the object has changed that another alpcserver would have to know; it may be in the registry no more */
void object_changed(const struct object *object, const struct object_ops *ops);

/* the object is about to be freed: another alpcserver need not know it; its descriptors are still open */
void object_forget(const struct object *object, enum object_kind kind);

/* nobody can name the object any more; nothing happens if it was never entered */
void object_remove(struct object *object);

/* the object of this kind with this key, or NULL */
struct object *object_find(enum object_kind kind, uint64_t key);

/* for walks over all objects of a kind, from the oldest to the newest */
struct object *object_first(enum object_kind kind);
struct object *object_next(const struct object *object);

/* closes all objects of a kind */
void object_close_all(enum object_kind kind);

#endif
