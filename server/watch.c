/*
 * Learning that the last handle of a port has been closed
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kernel drops events when more than max_queued_events (16384 by default) wait to be read.  A watch has at most two
 * (the file has gone, and the watch with it), so with few enough watches for each instance none is lost while there can
 * be more instances.  When some were lost, the kernel is asked which watches it still has.
 */

#include "watch.h"

#include "server.h"
#include "shortage.h"

#include "ntalpc/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>

#define WATCHES_PER_INSTANCE 4096

struct inotify
{
    struct inotify *next;
    int fd;
    struct event *readable;
    unsigned int count;
    struct watch *watches; /* by wd */
};

static struct inotify *instances;

static void tell_gone(struct watch *watch)
{
    watch->gone = true;
    watch->closed(watch);
}

/* marks those that the kernel has; false when it does not say */
static bool mark_seen(const struct inotify *inotify)
{
    char path[64], line[512];
    struct watch *watch;
    FILE *file;
    int wd;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", inotify->fd);
    if (!(file = fopen(path, "re")))
        return false;
    while (fgets(line, sizeof(line), file))
    {
        if (sscanf(line, "inotify wd:%x", (unsigned int *)&wd) != 1)
            continue;
        HASH_FIND_INT(inotify->watches, &wd, watch);
        if (watch)
            watch->seen = true;
    }
    fclose(file);
    return true;
}

/* finds out which files have gone without the events that tell it */
static void find_gone(struct inotify *inotify)
{
    struct watch *watch, *next;
    bool told;

    for (watch = inotify->watches; watch; watch = watch->hh.next)
        watch->seen = false;
    told = mark_seen(inotify);
    HASH_ITER(hh, inotify->watches, watch, next)
        if (told && !watch->seen)
            tell_gone(watch);
}

static void handle_event(struct inotify *inotify, const struct inotify_event *event)
{
    struct watch *watch;

    if (event->mask & IN_Q_OVERFLOW)
    {
        find_gone(inotify);
        return;
    }
    HASH_FIND_INT(inotify->watches, &event->wd, watch);
    if (watch)
        tell_gone(watch);
}

/* false when nothing is left to read */
static bool read_events(struct inotify *inotify)
{
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t got = read(inotify->fd, buffer, sizeof(buffer));
    char *at = buffer;

    while (got >= (ssize_t)sizeof(struct inotify_event) && at < buffer + got)
    {
        const struct inotify_event *event = (const void *)at;

        handle_event(inotify, event);
        at += sizeof(*event) + event->len;
    }
    return got > 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    read_events(arg);
}

void watch_catch_up(void)
{
    struct inotify *inotify;

    for (inotify = instances; inotify; inotify = inotify->next)
        while (read_events(inotify))
            ;
}

/* takes over the descriptor */
static struct inotify *make_instance(int fd)
{
    struct inotify *inotify = calloc(1, sizeof(*inotify));

    if (!inotify)
    {
        if (fd != -1)
            close(fd);
        return NULL;
    }
    inotify->fd = fd;
    if (inotify->fd != -1)
        inotify->readable = event_new(server_base, inotify->fd, EV_READ | EV_PERSIST, on_readable, inotify);
    if (!inotify->readable || event_add(inotify->readable, NULL))
    {
        if (inotify->fd != -1)
            close(inotify->fd);
        free(inotify);
        return NULL;
    }
    inotify->next = instances;
    instances = inotify;
    return inotify;
}

/* the one with the fewest watches: when those are many, a new one if there can be more */
static struct inotify *find_instance(void)
{
    struct inotify *inotify, *best = instances, *new;

    for (inotify = instances; inotify; inotify = inotify->next)
        if (inotify->count < best->count)
            best = inotify;
    if (best && best->count < WATCHES_PER_INSTANCE)
        return best;
    new = make_instance(inotify_init1(IN_NONBLOCK));
    return new ? new : best;
}

struct watch_place watch_place(const struct watch *watch)
{
    return watch->inotify ? (struct watch_place){ watch->inotify->fd, watch->wd } : (struct watch_place){ -1, -1 };
}

bool watch_restore(struct watch *watch, struct watch_place place, void (*closed)(struct watch *watch))
{
    struct inotify *inotify;

    for (inotify = instances; inotify && inotify->fd != place.fd; inotify = inotify->next)
        ;
    if (!inotify && !(inotify = make_instance(place.fd)))
        return false;
    watch->gone = false;
    watch->closed = closed;
    watch->wd = place.wd;
    watch->inotify = inotify;
    inotify->count++;
    HASH_ADD_INT(inotify->watches, wd, watch);
    return true;
}

void watches_restored(void)
{
    struct inotify *inotify;

    watch_catch_up();
    /* the server before may have read of some, and died before it had done what that means */
    for (inotify = instances; inotify; inotify = inotify->next)
        find_gone(inotify);
}

static int make_file(const struct port_file *content)
{
    int fd = memfd_create("ntalpc port", MFD_CLOEXEC), error;

    if (fd == -1)
        return -1;
    if (!ftruncate(fd, PORT_FILE_SIZE) && pwrite(fd, content, sizeof(*content), 0) == sizeof(*content))
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static bool add_watch(struct inotify *inotify, struct watch *watch, int fd)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    watch->wd = inotify_add_watch(inotify->fd, path, IN_DELETE_SELF);
    if (watch->wd == -1)
        return false;
    watch->inotify = inotify;
    inotify->count++;
    HASH_ADD_INT(inotify->watches, wd, watch);
    return true;
}

/* the kernel says the same when the user has no more instances and when the process has no more descriptors */
static NTSTATUS no_instance(void)
{
    int fd = dup(STDERR_FILENO);

    if (fd == -1)
        return shortage(SHORTAGE_FILES);
    close(fd);
    return shortage(SHORTAGE_INSTANCES);
}

NTSTATUS watch_begin(struct watch *watch, const struct port_file *content, void (*closed)(struct watch *watch), int *fd)
{
    struct inotify *inotify = find_instance();
    NTSTATUS status;

    *fd = -1;
    if (!inotify)
        return no_instance();
    if ((*fd = make_file(content)) == -1)
        return shortage_of_memory(errno);
    watch->gone = false;
    watch->closed = closed;
    if (add_watch(inotify, watch, *fd))
        return STATUS_SUCCESS;
    status = errno == ENOSPC ? shortage(SHORTAGE_WATCHES) : shortage_of_memory(errno);
    close(*fd);
    *fd = -1;
    return status;
}

void watch_end(struct watch *watch)
{
    struct inotify *inotify = watch->inotify;

    if (!inotify)
        return;
    HASH_DELETE(hh, inotify->watches, watch);
    if (!watch->gone)
        inotify_rm_watch(inotify->fd, watch->wd);
    inotify->count--;
    watch->inotify = NULL;
}
