/*
 * This process' page, which alpcserver has too
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "page.h"

#include <stddef.h>
#include <sys/mman.h>

static struct process_page first;
_Atomic(struct process_page *) process_page = &first;
_Atomic uint64_t page_number;

static void add(struct process_page *page, uint64_t thread)
{
    uint32_t i, peak;

    for (i = 0; i < PROCESS_THREADS; i++)
    {
        uint64_t entry = 0;

        peak = atomic_load(&page->peak);
        while (peak <= i && !atomic_compare_exchange_weak(&page->peak, &peak, i + 1))
            ;
        if (atomic_compare_exchange_strong(&page->threads[i], &entry, thread) || entry == thread)
            return;
    }
    atomic_store(&page->overflow, 1);
}

static uint32_t peak_of(struct process_page *page)
{
    uint32_t peak = atomic_load(&page->peak);

    return peak < PROCESS_THREADS ? peak : PROCESS_THREADS;
}

void page_add_thread(uint32_t thread, uint32_t native)
{
    struct process_page *page = NULL;

    /* again if there is a new page meanwhile, whose maker may have been here before */
    while (page != atomic_load(&process_page))
    {
        page = atomic_load(&process_page);
        add(page, process_thread(thread, native));
    }
}

void page_remove_thread(uint32_t thread, uint32_t native)
{
    struct process_page *page = NULL;
    uint32_t i;

    while (page != atomic_load(&process_page))
    {
        page = atomic_load(&process_page);
        for (i = 0; i < peak_of(page); i++)
        {
            uint64_t entry = process_thread(thread, native);

            atomic_compare_exchange_strong(&page->threads[i], &entry, 0);
        }
    }
}

bool page_map(int fd)
{
    struct process_page *page, *before;
    uint32_t i;

    page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return false;
    before = atomic_exchange(&process_page, page);
    atomic_fetch_add(&page_number, 1);
    for (i = 0; i < peak_of(before); i++)
    {
        uint64_t thread = atomic_load(&before->threads[i]);

        if (!thread)
            continue;
        add(page, thread);
        /* it may have ended just then, and looked for itself in the old page only */
        if (atomic_load(&before->threads[i]) != thread)
            page_remove_thread((uint32_t)(thread >> 32), (uint32_t)thread);
    }
    if (atomic_load(&before->overflow))
        atomic_store(&page->overflow, 1);
    return true;
}

bool page_closed(const void *handle, uint64_t since, uint64_t until)
{
    const struct process_page *page = atomic_load(&process_page);
    uint32_t count = (uint32_t)(until - since), n;

    /* of another page nothing is known, and what has been written over is read as if it named the handle */
    if (since >> 32 != until >> 32 || count > PROCESS_CLOSES)
        return true;
    for (n = (uint32_t)since; n != (uint32_t)until; n++)
        if (atomic_load(&page->closed[n % PROCESS_CLOSES]) == (uint32_t)(uintptr_t)handle)
            return true;
    return atomic_load(&page->closes) - (uint32_t)since > PROCESS_CLOSES || page_closes() >> 32 != since >> 32;
}
