/*
 * What alpcserver knows, for the one that comes after it
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "state.h"

#include "journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct journal *journal;
static bool in_request;
static bool reading; /* what is done meanwhile is not written: it is undone, or in the journal already */

void state_use(struct journal *used)
{
    journal = used;
}

void state_request_begins(void)
{
    in_request = true;
}

void state_commit(void)
{
    if (journal)
        journal_commit(journal);
}

void state_request_ends(void)
{
    in_request = false;
    state_commit();
}

/* ---------------------------------------------------------------------------------------------- writing */

static bool make_room(struct state_writer *writer, size_t size)
{
    size_t room = writer->room ? writer->room : 512;
    uint8_t *data;

    while (room < writer->size + size)
        room *= 2;
    if (room == writer->room)
        return !writer->failed;
    if (!(data = realloc(writer->data, room)))
        writer->failed = true;
    else
    {
        writer->data = data;
        writer->room = room;
    }
    return !writer->failed;
}

void state_write(struct state_writer *writer, uint64_t number)
{
    if (!make_room(writer, sizeof(number)))
        return;
    memcpy(writer->data + writer->size, &number, sizeof(number));
    writer->size += sizeof(number);
}

void state_write_bytes(struct state_writer *writer, const void *data, size_t size)
{
    state_write(writer, size);
    if (!size || !make_room(writer, size))
        return;
    memcpy(writer->data + writer->size, data, size);
    writer->size += size;
}

void state_write_fd(struct state_writer *writer, int fd)
{
    state_write(writer, (uint64_t)(int64_t)fd);
}

void state_inherit(int fd)
{
    if (fd != -1)
        fcntl(fd, F_SETFD, 0);
}

struct state_writer *state_begin(void)
{
    static struct state_writer writer;

    writer.size = 0;
    writer.failed = false;
    return journal && !reading ? &writer : NULL;
}

void state_put(uint32_t kind, uint64_t key, const struct state_writer *writer)
{
    static bool said;

    if (writer->failed || !journal_put(journal, kind, key, writer->data, writer->size))
    {
        if (!said)
            fputs("alpcserver: no memory for the journal; another alpcserver would not know everything\n", stderr);
        said = true;
    }
    if (!in_request)
        journal_commit(journal);
}

void state_delete(uint32_t kind, uint64_t key)
{
    if (!journal || reading)
        return;
    journal_delete(journal, kind, key);
    journal_commit(journal);
}

/* ---------------------------------------------------------------------------------------------- reading */

static uint8_t *claimed; /* a bit for each descriptor that an object has read */
static size_t claimed_size;

void state_keep(int fd)
{
    size_t needed = (size_t)fd / 8 + 1;
    uint8_t *larger;

    if (needed > claimed_size)
    {
        if (!(larger = realloc(claimed, needed * 2)))
            return;
        memset(larger + claimed_size, 0, needed * 2 - claimed_size);
        claimed = larger;
        claimed_size = needed * 2;
    }
    claimed[fd / 8] |= (uint8_t)(1u << fd % 8);
}

uint64_t state_read(struct state_reader *reader)
{
    uint64_t number;

    if (reader->left < sizeof(number))
    {
        reader->failed = true;
        return 0;
    }
    memcpy(&number, reader->data, sizeof(number));
    reader->data += sizeof(number);
    reader->left -= sizeof(number);
    return number;
}

const void *state_read_bytes(struct state_reader *reader, size_t *size)
{
    const void *data;

    *size = state_read(reader);
    if (*size > reader->left)
    {
        reader->failed = true;
        *size = 0;
    }
    data = reader->data;
    reader->data += *size;
    reader->left -= *size;
    return *size ? data : NULL;
}

int state_read_fd(struct state_reader *reader)
{
    int fd = (int)(int64_t)state_read(reader);

    if (fd >= 0 && !reader->failed)
        state_keep(fd);
    return reader->failed ? -1 : fd;
}

struct visit
{
    bool (*restore)(uint64_t key, struct state_reader *reader);
    uint64_t *failed; /* keys */
    size_t count;
};

static bool restore_one(void *arg, uint64_t key, const void *data, size_t size)
{
    struct state_reader reader = { .data = data, .left = size };
    struct visit *visit = arg;
    uint64_t *larger;

    if (visit->restore(key, &reader))
        return true;
    if (!(larger = realloc(visit->failed, (visit->count + 1) * sizeof(*larger))))
        return false;
    visit->failed = larger;
    visit->failed[visit->count++] = key;
    return true;
}

void state_each(uint32_t kind, bool (*restore)(uint64_t key, struct state_reader *reader))
{
    struct visit visit = { .restore = restore };
    size_t i;

    reading = true;
    journal_each(journal, kind, restore_one, &visit);
    reading = false;
    for (i = 0; i < visit.count; i++)
        state_delete(kind, visit.failed[i]);
    free(visit.failed);
}

static bool is_stray(int fd)
{
    if ((size_t)fd / 8 < claimed_size && claimed[fd / 8] & 1u << fd % 8)
        return false;
    /* what this process has opened itself is close-on-exec */
    return fd > STDERR_FILENO && fd != journal->fd && fcntl(fd, F_GETFD) == 0;
}

void state_close_strays(void)
{
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;

    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.' && is_stray(atoi(entry->d_name)))
            close(atoi(entry->d_name));
    if (folder)
        closedir(folder);
    free(claimed);
    claimed = NULL;
    claimed_size = 0;
}
