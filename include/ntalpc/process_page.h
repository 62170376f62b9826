/*
 * What a program and alpcserver tell each other about the program's process
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One for each process, made by alpcserver with the reply to init.  The process could write all of it: it harms itself
 * only.
 */

#ifndef NTALPC_PROCESS_PAGE_H
#define NTALPC_PROCESS_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

#define PROCESS_CLOSES 1024u
#define PROCESS_THREADS 4096u

struct process_page
{
    /*
     * Handles that other processes have closed in this one, written by alpcserver: number n, counted from 0, stands in
     * closed[n modulo PROCESS_CLOSES] before closes becomes n + 1.
     */
    _Atomic uint32_t closes;
    /*
     * Threads that have used ports, written by the process: Windows id << 32 | kernel's id as the process sees it, 0 =
     * free.  Entries from peak on have never been used.  overflow: there are threads that have found no room.
     */
    _Atomic uint32_t peak;
    _Atomic uint32_t overflow;
    _Atomic uint32_t closed[PROCESS_CLOSES]; /* values of handles */
    _Atomic uint64_t threads[PROCESS_THREADS];
};

static inline uint64_t process_thread(uint32_t thread, uint32_t native)
{
    return (uint64_t)thread << 32 | native;
}

#endif
