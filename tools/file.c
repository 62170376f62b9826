/*
 * Files and paths for the tools.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "tools/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_MAX (256u << 20)

char *format(const char *text, ...)
{
    va_list args;
    char *result;
    int length;

    va_start(args, text);
    length = vasprintf(&result, text, args);
    va_end(args);
    if (length >= 0)
        return result;
    fprintf(stderr, "%s: out of memory\n", program_invocation_short_name);
    exit(1);
}

char *path_folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return format(".");
    return slash == path ? format("/") : format("%.*s", (int)(slash - path), path);
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

char *path_join(const char *folder, const char *relative)
{
    char *path = format("%s", strcmp(folder, "/") ? folder : "");
    char *result;

    while (!strncmp(relative, "../", 3) || !strcmp(relative, ".."))
    {
        char *slash = strrchr(path, '/');

        if (!slash)
        {
            free(path);
            return NULL;
        }
        *slash = 0;
        relative += relative[2] ? 3 : 2;
    }
    result = *relative || !*path ? format("%s/%s", path, relative) : format("%s", path);
    free(path);
    return result;
}

bool path_is_file(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISREG(st.st_mode);
}

bool path_is_folder(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

bool file_read(const char *path, uint8_t **data, size_t *size, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *buffer = NULL;
    size_t used = 0;
    struct stat st;
    ssize_t got;

    if (fd < 0)
        return error_set(error, "cannot open %s: %s", path, strerror(errno));
    if (fstat(fd, &st))
        error_set(error, "cannot read %s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        error_set(error, "%s is not a regular file", path);
    else if ((uint64_t)st.st_size > READ_MAX)
        error_set(error, "%s is too large", path);
    else if (!(buffer = malloc((size_t)st.st_size + 1)))
        error_set(error, "cannot read %s: out of memory", path);
    else
    {
        while (used < (size_t)st.st_size)
        {
            got = read(fd, buffer + used, (size_t)st.st_size - used);
            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                break;
            used += (size_t)got;
        }
        if (used == (size_t)st.st_size)
        {
            close(fd);
            *data = buffer;
            *size = used;
            return true;
        }
        error_set(error, "cannot read %s: %s", path, got < 0 ? strerror(errno) : "it has become shorter");
    }
    free(buffer);
    close(fd);
    return false;
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
    while (size)
    {
        ssize_t done = write(fd, data, size);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        data += done;
        size -= (size_t)done;
    }
    return true;
}

bool file_write(const char *path, const uint8_t *data, size_t size, mode_t mode, struct error *error)
{
    char *folder = path_folder(path);
    char *temporary = format("%s/.%s.XXXXXX", folder, path_name(path));
    int fd = mkostemp(temporary, O_CLOEXEC);
    mode_t mask = umask(0);
    bool done = false;

    umask(mask);
    if (fd >= 0)
    {
        done = write_all(fd, data, size) && !fchmod(fd, mode & ~mask);
        if (close(fd))
            done = false; /* some file systems report a full disk only here */
        if (done)
            done = !rename(temporary, path);
        if (!done)
        {
            int saved = errno;

            unlink(temporary);
            errno = saved;
        }
    }
    if (!done)
        error_set(error, "cannot write %s: %s", path, strerror(errno));
    free(temporary);
    free(folder);
    return done;
}

bool folder_create(const char *path, mode_t mode, struct error *error)
{
    char *parent;
    bool done;

    if (path_is_folder(path))
        return true;
    parent = path_folder(path);
    done = !strcmp(parent, path) || folder_create(parent, mode, error);
    free(parent);
    if (!done)
        return false;
    /* another program may have been faster */
    if (!mkdir(path, mode) || (errno == EEXIST && path_is_folder(path)))
        return true;
    if (errno == EEXIST)
        errno = ENOTDIR;
    return error_set(error, "cannot create the folder %s: %s", path, strerror(errno));
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *place)
{
    (void)st;
    (void)place;
    if (type == FTW_DP || type == FTW_D || type == FTW_DNR)
        rmdir(path);
    else
        unlink(path);
    return 0;
}

void folder_remove(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
