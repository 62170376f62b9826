/*
 * Memory that alpcserver shares with programs
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int memory_create(const char *name, size_t size, void **memory)
{
    int fd = memfd_create(name, MFD_ALLOW_SEALING), error;
    void *mapped = MAP_FAILED;

    *memory = NULL;
    if (fd == -1)
        return -1;
    /* a program that could shrink the file would make everybody's access fault */
    if (!ftruncate(fd, (off_t)size) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
    {
        error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    *memory = mapped;
    return fd;
}

void *memory_map(int fd, size_t size)
{
    void *memory = fd == -1 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    return memory == MAP_FAILED ? NULL : memory;
}
