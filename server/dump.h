/*
 * What alpcserver tells alpcdump
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Objects append the records of ntalpc/records.h that describe them.  A dump only looks.
 */

#ifndef NTALPC_SERVER_DUMP_H
#define NTALPC_SERVER_DUMP_H

#include "ntalpc/protocol.h"

#include <stdbool.h>
#include <stddef.h>

struct dump;

/* whether messages are to be told too */
bool dump_wants_messages(const struct dump *dump);

/* ns that have passed since a moment of CLOCK_MONOTONIC_COARSE */
uint64_t dump_age(const struct dump *dump, uint64_t time);

static inline uint32_t dump_text_size(const char *text)
{
    return text ? (uint32_t)__builtin_strlen(text) : 0;
}

/*
 * A record begins with its fixed part of this size, goes on with its pieces of variable data and ends with dump_end,
 * which is given what dump_begin returned.
 */
size_t dump_begin(struct dump *dump, enum record_type type, struct record_header *record, size_t size);
void dump_append(struct dump *dump, const void *data, size_t size);
void dump_end(struct dump *dump, size_t at);

#endif
