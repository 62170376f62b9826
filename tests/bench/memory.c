/*
 * Benchmark: memory, and numbers in general
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "bench.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

/* the number behind "name:" in a file of lines "name: number kB", in bytes; 0 if there is none */
static long long value_in(const char *path, const char *name)
{
    FILE *file = fopen(path, "re");
    size_t length = strlen(name);
    long long value = 0;
    char line[256];

    while (file && fgets(line, sizeof(line), file))
        if (!strncmp(line, name, length) && line[length] == ':')
            value = atoll(line + length + 1) * 1024;
    if (file)
        fclose(file);
    return value;
}

long long meminfo(const char *name)
{
    return value_in("/proc/meminfo", name);
}

static long long count_files(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    long long count = 0;

    while (dir && (entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count;
}

struct footprint footprint_of(pid_t pid)
{
    struct footprint footprint;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    footprint.pss = value_in(path, "Pss");
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    footprint.tables = value_in(path, "VmPTE");
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    footprint.files = count_files(path);
    return footprint;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

double median(double *values, unsigned int count)
{
    if (!count)
        return 0;
    qsort(values, count, sizeof(*values), compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}
