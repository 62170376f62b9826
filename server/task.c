/*
 * What the kernel knows of processes and threads
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "task.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

int task_open(int socket, pid_t pid)
{
    socklen_t length = sizeof(int);
    int fd = -1;

    if (pid <= 0)
        return -1;
    if (!getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &length))
        return fd;
    /* kernels before 6.5: the id could be another process' by now, if that one began within this moment */
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* how many PID namespaces, from the server's down to its own, have an id for a task, and the id in its own */
static unsigned int read_ids(const char *path, uint32_t *own)
{
    FILE *file = fopen(path, "re");
    unsigned int count = 0;
    char line[256];

    while (file && !count && fgets(line, sizeof(line), file))
    {
        char *at = line + strlen("NSpid:"), *end;
        unsigned long id;

        if (strncmp(line, "NSpid:", strlen("NSpid:")))
            continue;
        for (; id = strtoul(at, &end, 10), end != at; at = end, count++)
            *own = (uint32_t)id;
    }
    if (file)
        fclose(file);
    return count;
}

bool task_is_nested(pid_t pid)
{
    char path[64];
    uint32_t own;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    return read_ids(path, &own) > 1;
}

/* goes through all threads of the process */
static bool find_nested(DIR *tasks, pid_t pid, uint32_t thread)
{
    const struct dirent *entry;
    bool found = false;
    char path[320];
    uint32_t own;

    while (!found && (entry = readdir(tasks)))
    {
        snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)pid, entry->d_name);
        found = entry->d_name[0] != '.' && read_ids(path, &own) && own == thread;
    }
    return found;
}

enum task_state task_look(pid_t pid, bool nested, uint32_t thread)
{
    char path[64], name[16];
    bool found;
    DIR *tasks;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    if (pid <= 0 || !(tasks = opendir(path)))
        return TASK_UNKNOWN;
    snprintf(name, sizeof(name), "%u", thread);
    found = nested ? find_nested(tasks, pid, thread) : !faccessat(dirfd(tasks), name, F_OK, 0);
    closedir(tasks);
    return found ? TASK_ALIVE : TASK_GONE;
}
