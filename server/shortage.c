/*
 * What the system does not have enough of
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "shortage.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct
{
    const char *text;
    const char *setting; /* a file that holds the limit, or NULL */
} kinds[SHORTAGE_COUNT] = {
    [SHORTAGE_FILES] = { "no more file descriptors; raise the limit of open files (ulimit -Hn)", NULL },
    [SHORTAGE_FILE_SIZE] = { "no shared memory; the limit of file sizes (ulimit -Hf) is too small", NULL },
    [SHORTAGE_MAPPINGS] = { "no more memory mappings, or no memory; raise vm.max_map_count",
                            "/proc/sys/vm/max_map_count" },
    [SHORTAGE_INSTANCES] = { "no inotify instance; raise fs.inotify.max_user_instances",
                             "/proc/sys/fs/inotify/max_user_instances" },
    [SHORTAGE_WATCHES] = { "no more inotify watches, one for each port; raise fs.inotify.max_user_watches",
                           "/proc/sys/fs/inotify/max_user_watches" },
};

static bool said[SHORTAGE_COUNT];
static char line[200];
static bool taken = true;

static void compose(enum shortage what)
{
    FILE *file = kinds[what].setting ? fopen(kinds[what].setting, "re") : NULL;
    unsigned long value;

    if (file && fscanf(file, "%lu", &value) == 1)
        snprintf(line, sizeof(line), "alpcserver has %s, which is %lu", kinds[what].text, value);
    else
        snprintf(line, sizeof(line), "alpcserver has %s", kinds[what].text);
    if (file)
        fclose(file);
}

NTSTATUS shortage(enum shortage what)
{
    if (said[what])
        return STATUS_INSUFFICIENT_RESOURCES;
    said[what] = true;
    compose(what);
    fprintf(stderr, "%s\n", line);
    taken = false;
    return STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS shortage_of_memory(int error)
{
    switch (error)
    {
    case EMFILE:
    case ENFILE:
        return shortage(SHORTAGE_FILES);
    case EFBIG:
        return shortage(SHORTAGE_FILE_SIZE);
    case ENOMEM:
        return shortage(SHORTAGE_MAPPINGS);
    default:
        return STATUS_INSUFFICIENT_RESOURCES;
    }
}

const char *shortage_take_line(void)
{
    if (taken)
        return NULL;
    taken = true;
    return line;
}
