/*
 * Where the alpcserver of a Wine prefix is found
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static __thread char message[PATH_MAX + 128];

static const char *fail(const char *path, const char *what)
{
    snprintf(message, sizeof(message), "%s: %s", path, what);
    return message;
}

/* other users must not be able to put anything in here */
static const char *check_private(const char *dir, bool make)
{
    struct stat st;

    if (make && mkdir(dir, 0700) && errno != EEXIST)
        return fail(dir, strerror(errno));
    if (lstat(dir, &st))
        return fail(dir, strerror(errno));
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
        return fail(dir, "is not a directory of this user's own with mode 0700");
    return NULL;
}

static const char *prefix_path(char *path, size_t size)
{
    const char *prefix = getenv("WINEPREFIX"), *home = getenv("HOME");

    if (prefix && *prefix)
        snprintf(path, size, "%s", prefix);
    else if (home && *home)
        snprintf(path, size, "%s/.wine", home);
    else
        return fail("WINEPREFIX", "neither it nor HOME is set");
    return NULL;
}

const char *prefix_find(struct prefix *prefix, bool make)
{
    char path[PATH_MAX], base[64];
    const char *error;
    struct stat st;

    if ((error = prefix_path(path, sizeof(path))))
        return error;
    if (stat(path, &st))
        return fail(path, strerror(errno));
    snprintf(base, sizeof(base), "/tmp/.ntalpc-%u", (unsigned int)geteuid());
    snprintf(prefix->server_dir, sizeof(prefix->server_dir), "%s/server-%llx-%llx", base, (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    snprintf(prefix->socket, sizeof(prefix->socket), "%.*s/socket", (int)sizeof(prefix->socket) - 8, prefix->server_dir);
    snprintf(prefix->lock, sizeof(prefix->lock), "%.*s/lock", (int)sizeof(prefix->lock) - 8, prefix->server_dir);
    if ((error = check_private(base, make)))
        return error;
    return check_private(prefix->server_dir, make);
}

pid_t prefix_holder(const struct prefix *prefix)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(prefix->lock, O_RDWR | O_CLOEXEC);
    bool there = fd != -1 && !fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK;

    if (fd != -1)
        close(fd);
    return there ? lock.l_pid : 0;
}
