/*
 * What alpcserver knows, for the one that comes after it
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Objects write themselves into a journal (journal.h) as numbers and pieces of bytes, and are made of them again.  What
 * is written during a request counts as a whole, just before its reply is sent; at other times it counts at once.  Who
 * has no journal, as a fuzzer, writes nothing.
 */

#ifndef NTALPC_SERVER_STATE_H
#define NTALPC_SERVER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal;

/* uses this journal, which stays the caller's, from now on; NULL = none any more */
void state_use(struct journal *journal);

/* a request begins, and has been dealt with */
void state_request_begins(void);
void state_request_ends(void);
/* what was written so far counts even if the rest of the request does not come to its end */
void state_commit(void);

/* ---------------------------------------------------------------------------------------------- writing */

struct state_writer
{
    uint8_t *data;
    size_t size, room;
    bool failed; /* memory is short */
};

void state_write(struct state_writer *writer, uint64_t number);
void state_write_bytes(struct state_writer *writer, const void *data, size_t size);
/* a descriptor that is inherited, or -1 */
void state_write_fd(struct state_writer *writer, int fd);

/* lets another alpcserver inherit the descriptor, unless it is -1 */
void state_inherit(int fd);

/* an empty writer, and what was written with it is to be known of the object of this kind with this key */
struct state_writer *state_begin(void);
void state_put(uint32_t kind, uint64_t key, const struct state_writer *writer);

/* The object is no more; this counts at once, so that its descriptors can be closed. */
void state_delete(uint32_t kind, uint64_t key);

/* ---------------------------------------------------------------------------------------------- reading */

struct state_reader
{
    const uint8_t *data;
    size_t left;
    bool failed; /* there was less than was read */
};

uint64_t state_read(struct state_reader *reader);
/* NULL when there are none or it failed; they live as long as the record */
const void *state_read_bytes(struct state_reader *reader, size_t *size);
int state_read_fd(struct state_reader *reader);

/*
 * Calls restore for each object of the kind; nothing can be written meanwhile.  Where that returns false the object is
 * forgotten: it had ended already, or memory is short.
 */
void state_each(uint32_t kind, bool (*restore)(uint64_t key, struct state_reader *reader));

/* this descriptor, which is no object's, is kept too */
void state_keep(int fd);
/* closes the descriptors that the server before had kept, but that no object has read */
void state_close_strays(void);

#endif
