/*
 * Learning that the last handle of a port has been closed
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kernel drops events when more than max_queued_events (16384 by default) wait to be read.  A watch has at most two
 * (the file has gone, and the watch with it), so with few enough watches for each instance none is ever lost.
 */

#include "watch.h"

#include "server.h"

#include "ntalpc/shm.h"

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

static void handle_event(struct inotify *inotify, const struct inotify_event *event)
{
    struct watch *watch;

    HASH_FIND_INT(inotify->watches, &event->wd, watch);
    if (!watch)
        return;
    watch->gone = true;
    watch->closed(watch);
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

static struct inotify *find_instance(void)
{
    struct inotify *inotify;

    for (inotify = instances; inotify; inotify = inotify->next)
        if (inotify->count < WATCHES_PER_INSTANCE)
            return inotify;
    if (!(inotify = calloc(1, sizeof(*inotify))))
        return NULL;
    inotify->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
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

int watch_begin(struct watch *watch, const struct port_file *content, void (*closed)(struct watch *watch))
{
    struct inotify *inotify = find_instance();
    int fd = memfd_create("ntalpc port", MFD_CLOEXEC);
    char path[32];

    if (fd == -1 || !inotify || ftruncate(fd, PORT_FILE_SIZE) ||
        pwrite(fd, content, sizeof(*content), 0) != sizeof(*content))
    {
        if (fd != -1)
            close(fd);
        return -1;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    watch->wd = inotify_add_watch(inotify->fd, path, IN_DELETE_SELF);
    if (watch->wd == -1)
    {
        close(fd);
        return -1;
    }
    watch->inotify = inotify;
    watch->gone = false;
    watch->closed = closed;
    inotify->count++;
    HASH_ADD_INT(inotify->watches, wd, watch);
    return fd;
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
