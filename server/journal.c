/*
 * What a new alpcserver has to know when the one before it was killed
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "journal.h"

#include "ntalpc/protocol.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#define JOURNAL_MAGIC UINT64_C(0x4c4e524a43504c41)
/* the memory that it tells of has the layout that goes with the protocol */
#define JOURNAL_VERSION (1u << 16 | PROTOCOL_VERSION)
#define FIRST_ROOM 0x10000u
#define MOST_DATA 0x1000000u

struct journal_header
{
    uint64_t magic;
    uint32_t version;
    _Atomic uint32_t attempts;
    _Atomic uint64_t end; /* offset behind the last record that counts */
};

struct record
{
    uint32_t size; /* of the data */
    uint32_t type; /* with DELETED */
    uint64_t key;
    uint64_t sum; /* of all the rest */
    uint8_t data[];
};

#define DELETED 0x80000000u
#define RECORDS_BEGIN 64u

struct object_name
{
    uint64_t key, type;
};

/* an object and where its last record is */
struct journal_entry
{
    UT_hash_handle hh;
    struct object_name name;
    size_t at;
};

/* ---------------------------------------------------------------------------------------------- records */

static size_t record_size(size_t size)
{
    return sizeof(struct record) + ((size + 7) & ~(size_t)7);
}

static struct record *record_at(const struct journal *journal, size_t at)
{
    return (struct record *)((uint8_t *)journal->header + at);
}

/* the padding is zero, so whole words can be taken */
static uint64_t sum_of(const struct record *record)
{
    uint64_t sum = (record->key ^ ((uint64_t)record->type << 32 | record->size)) + JOURNAL_MAGIC, word;
    size_t at;

    for (at = 0; at < record->size; at += sizeof(word))
    {
        memcpy(&word, record->data + at, sizeof(word));
        sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        sum ^= sum >> 29;
    }
    return sum;
}

/* whether a whole record stands there that ends before the end given */
static bool is_record(const struct journal *journal, size_t at, size_t end)
{
    const struct record *record = record_at(journal, at);

    return end - at >= sizeof(*record) && record->size <= MOST_DATA && record_size(record->size) <= end - at &&
           record->sum == sum_of(record);
}

/* ---------------------------------------------------------------------------------------------- objects */

static struct object_name name_of(uint32_t type, uint64_t key)
{
    return (struct object_name){ .key = key, .type = type };
}

static struct journal_entry *find(const struct journal *journal, struct object_name name)
{
    struct journal_entry *entry;

    HASH_FIND(hh, journal->entries, &name, sizeof(name), entry);
    return entry;
}

/* The object has its record there from now on.  It moves to the end of the table, which keeps that in the order of
 * writing. */
static bool enter(struct journal *journal, struct object_name name, size_t at)
{
    struct journal_entry *entry = find(journal, name);

    if (entry)
    {
        journal->live -= record_size(record_at(journal, entry->at)->size);
        HASH_DELETE(hh, journal->entries, entry);
    }
    else if (!(entry = malloc(sizeof(*entry))))
        return false;
    entry->name = name;
    entry->at = at;
    HASH_ADD(hh, journal->entries, name, sizeof(name), entry);
    journal->live += record_size(record_at(journal, at)->size);
    return true;
}

static void forget(struct journal *journal, struct journal_entry *entry)
{
    journal->live -= record_size(record_at(journal, entry->at)->size);
    HASH_DELETE(hh, journal->entries, entry);
    free(entry);
}

static bool read_records(struct journal *journal)
{
    size_t at = RECORDS_BEGIN, end = atomic_load_explicit(&journal->header->end, memory_order_acquire);

    if (end > journal->room)
        end = journal->room;
    while (at < end && is_record(journal, at, end))
    {
        const struct record *record = record_at(journal, at);
        struct object_name name = name_of(record->type & ~DELETED, record->key);
        struct journal_entry *entry = find(journal, name);

        if (!(record->type & DELETED))
        {
            if (!enter(journal, name, at))
                return false;
        }
        else if (entry)
            forget(journal, entry);
        at += record_size(record->size);
    }
    journal->written = at;
    return true;
}

/* ---------------------------------------------------------------------------------------------- memory */

/* all that is written counts now */
static void publish(struct journal *journal)
{
    atomic_store_explicit(&journal->header->end, journal->written, memory_order_release);
}

static bool map_file(struct journal *journal, int fd, size_t room)
{
    void *memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (memory == MAP_FAILED)
        return false;
    journal->header = memory;
    journal->room = room;
    return true;
}

/* an empty file of this size, mapped */
static bool make_file(struct journal *journal, size_t room)
{
    journal->fd = memfd_create("ntalpc journal", MFD_CLOEXEC);
    if (journal->fd == -1)
        return false;
    if (ftruncate(journal->fd, (off_t)room) || !map_file(journal, journal->fd, room))
    {
        close(journal->fd);
        return false;
    }
    journal->header->magic = JOURNAL_MAGIC;
    journal->header->version = JOURNAL_VERSION;
    journal->written = RECORDS_BEGIN;
    publish(journal);
    return true;
}

bool journal_create(struct journal *journal)
{
    *journal = (struct journal){ .fd = -1 };
    /* the copies that are made later take over the number, and with it that it is inherited */
    return make_file(journal, FIRST_ROOM) && !fcntl(journal->fd, F_SETFD, 0);
}

bool journal_open(struct journal *journal, int fd)
{
    struct stat st;

    *journal = (struct journal){ .fd = -1 };
    if (fstat(fd, &st) || st.st_size < (off_t)FIRST_ROOM || !map_file(journal, fd, (size_t)st.st_size))
        return false;
    journal->fd = fd;
    if (journal->header->magic == JOURNAL_MAGIC && journal->header->version == JOURNAL_VERSION && read_records(journal))
        return true;
    journal->fd = -1;
    journal_close(journal);
    return false;
}

void journal_close(struct journal *journal)
{
    struct journal_entry *entry, *next;

    HASH_ITER(hh, journal->entries, entry, next)
        forget(journal, entry);
    if (journal->header)
        munmap(journal->header, journal->room);
    if (journal->fd != -1)
        close(journal->fd);
    *journal = (struct journal){ .fd = -1 };
}

/* copies what is live, of which all counts or nothing, as it does here */
static void copy_live(const struct journal *journal, struct journal *copy)
{
    const struct journal_entry *entry;

    for (entry = journal->entries; entry; entry = entry->hh.next)
    {
        const struct record *record = record_at(journal, entry->at);

        memcpy(record_at(copy, copy->written), record, record_size(record->size));
        copy->written += record_size(record->size);
    }
}

/* a new file without the stale records takes the place of the old one; all of it is committed */
static bool rewrite(struct journal *journal, size_t room)
{
    struct journal copy = { .fd = -1 };
    struct journal_entry *entry;
    size_t at = RECORDS_BEGIN;

    if (!make_file(&copy, room))
        return false;
    copy_live(journal, &copy);
    atomic_store(&copy.header->attempts, atomic_load(&journal->header->attempts));
    publish(&copy);
    /* now it is whole: whoever reads the descriptor finds either file */
    if (dup2(copy.fd, journal->fd) == -1)
    {
        journal_close(&copy);
        return false;
    }
    close(copy.fd);
    for (entry = journal->entries; entry; entry = entry->hh.next)
    {
        entry->at = at;
        at += record_size(record_at(&copy, at)->size);
    }
    munmap(journal->header, journal->room);
    journal->header = copy.header;
    journal->room = copy.room;
    journal->written = copy.written;
    return true;
}

static bool grow(struct journal *journal, size_t room)
{
    void *memory;

    if (ftruncate(journal->fd, (off_t)room))
        return false;
    memory = mremap(journal->header, journal->room, room, MREMAP_MAYMOVE);
    if (memory == MAP_FAILED)
        return false;
    journal->header = memory;
    journal->room = room;
    return true;
}

/* Each object keeps room for its deletion: that must not fail. */
static size_t reserved(const struct journal *journal)
{
    return (HASH_COUNT(journal->entries) + 1) * sizeof(struct record);
}

static bool make_room(struct journal *journal, size_t size)
{
    size_t needed = journal->written + size + reserved(journal), room = journal->room;

    while (room < needed)
        room *= 2;
    return room == journal->room || grow(journal, room);
}

/* ---------------------------------------------------------------------------------------------- writing */

static size_t append(struct journal *journal, uint32_t type, uint64_t key, const void *data, size_t size)
{
    size_t at = journal->written;
    struct record *record = record_at(journal, at);

    record->size = (uint32_t)size;
    record->type = type;
    record->key = key;
    if (size)
    {
        memset(record->data + ((size - 1) & ~(size_t)7), 0, 8);
        memcpy(record->data, data, size);
    }
    record->sum = sum_of(record);
    journal->written += record_size(size);
    return at;
}

bool journal_put(struct journal *journal, uint32_t type, uint64_t key, const void *data, size_t size)
{
    size_t before;

    if (size > MOST_DATA || !make_room(journal, record_size(size)))
        return false;
    before = journal->written;
    if (enter(journal, name_of(type, key), append(journal, type, key, data, size)))
        return true;
    journal->written = before;
    return false;
}

void journal_delete(struct journal *journal, uint32_t type, uint64_t key)
{
    struct journal_entry *entry = find(journal, name_of(type, key));

    if (!entry)
        return;
    forget(journal, entry);
    append(journal, type | DELETED, key, NULL, 0);
}

void journal_commit(struct journal *journal)
{
    size_t fit = FIRST_ROOM;

    publish(journal);
    if (journal->written < journal->room / 4 * 3)
        return;
    while (fit / 2 < RECORDS_BEGIN + journal->live + reserved(journal))
        fit *= 2;
    /* at least half of it is stale; if it cannot be written anew now, it grows */
    if (fit <= journal->room)
        rewrite(journal, fit);
}

void journal_clear(struct journal *journal)
{
    struct journal_entry *entry, *next;

    HASH_ITER(hh, journal->entries, entry, next)
        journal_delete(journal, (uint32_t)entry->name.type, entry->name.key);
    journal_commit(journal);
}

/* ---------------------------------------------------------------------------------------------- reading */

bool journal_each(const struct journal *journal, uint32_t type,
                  bool (*visit)(void *arg, uint64_t key, const void *data, size_t size), void *arg)
{
    const struct journal_entry *entry;

    for (entry = journal->entries; entry; entry = entry->hh.next)
    {
        const struct record *record = record_at(journal, entry->at);

        if (entry->name.type == type && !visit(arg, record->key, record->data, record->size))
            return false;
    }
    return true;
}

unsigned int journal_attempt(struct journal *journal)
{
    return atomic_fetch_add(&journal->header->attempts, 1) + 1;
}

void journal_attempt_done(struct journal *journal)
{
    atomic_store(&journal->header->attempts, 0);
}
