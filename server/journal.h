/*
 * What a new alpcserver has to know when the one before it was killed
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A journal is a memfd with one record for each object: its type, its key and what is to be known of it.  Records are
 * only ever appended; the last one of an object counts.  They count from the moment when they are committed, which is
 * one store, so whoever reads the journal of a process that was killed finds all that it committed and nothing else. It
 * costs no system call but when the memory has to grow, and is written anew when most of it has become stale.
 */

#ifndef NTALPC_SERVER_JOURNAL_H
#define NTALPC_SERVER_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct journal_header;
struct journal_entry;

struct journal
{
    int fd;                        /* stays the same number while the file behind it changes */
    struct journal_header *header; /* the file, mapped; NULL = there is no journal */
    size_t room;                   /* bytes */
    size_t written;                /* up to here, of which the header may say less: the rest is not committed */
    size_t live;                   /* bytes of the records that are the last of their objects */
    struct journal_entry *entries; /* by type and key */
};

/* A new, empty journal, whose descriptor is inherited by programs that this one executes.  False with errno. */
bool journal_create(struct journal *journal);

/*
 * Takes over the descriptor of a journal that another process has left, with its committed records.  Reading ends where
 * a record makes no sense.  False when it is none, one of another version, or memory is short; the descriptor stays
 * open then.
 */
bool journal_open(struct journal *journal, int fd);

/* closes the file */
void journal_close(struct journal *journal);

/*
 * Writes what is to be known of an object, or that it is no more.  Neither counts until journal_commit.  type is the
 * caller's, key names the object among those of its type; size is below 16 MiB.  False when memory is short: the record
 * before stays then.  A deletion needs no memory that was not there before.
 */
bool journal_put(struct journal *journal, uint32_t type, uint64_t key, const void *data, size_t size);
void journal_delete(struct journal *journal, uint32_t type, uint64_t key);

/* all objects are no more; counts at once */
void journal_clear(struct journal *journal);

/* all that was written counts now */
void journal_commit(struct journal *journal);

/*
 * Calls visit for each object of a type, in the order in which the records were written; it must not write.  data is
 * aligned to 8 bytes and lives until the next journal_put.  Ends early when visit returns false, and returns that.
 */
bool journal_each(const struct journal *journal, uint32_t type,
                  bool (*visit)(void *arg, uint64_t key, const void *data, size_t size), void *arg);

/* How many processes in a row have begun to read this journal without saying that they were done, this one included. */
unsigned int journal_attempt(struct journal *journal);
void journal_attempt_done(struct journal *journal);

#endif
