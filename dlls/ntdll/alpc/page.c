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

/* what the page's table should have in it; only this one is searched */
static _Atomic uint64_t threads[PROCESS_THREADS];
static _Atomic uint32_t peak;

/*
 * Brings one entry of the page up to date.  Several threads may be at it: each looks again after it has written, so the
 * last to write has written what is right.
 */
static void publish(uint32_t i)
{
    struct process_page *page;
    uint64_t thread;

    do
    {
        page = atomic_load(&process_page);
        thread = atomic_load(&threads[i]);
        atomic_store(&page->threads[i], thread);
    } while (page != atomic_load(&process_page) || thread != atomic_load(&threads[i]));
}

static void publish_peak(void)
{
    struct process_page *page;
    uint32_t value;

    do
    {
        page = atomic_load(&process_page);
        value = atomic_load(&peak);
        atomic_store(&page->overflow, value > PROCESS_THREADS);
        atomic_store(&page->peak, value);
    } while (page != atomic_load(&process_page) || value != atomic_load(&peak));
}

/* beyond the number of threads: there was one too many */
static void raise_peak(uint32_t to)
{
    uint32_t value = atomic_load(&peak);

    while (value < to && !atomic_compare_exchange_weak(&peak, &value, to))
        ;
    if (value < to)
        publish_peak();
}

void page_add_thread(uint32_t thread, uint32_t native)
{
    uint32_t i;

    for (i = 0; i < PROCESS_THREADS; i++)
    {
        uint64_t entry = 0;

        if (!atomic_compare_exchange_strong(&threads[i], &entry, process_thread(thread, native)))
            continue;
        raise_peak(i + 1);
        publish(i);
        return;
    }
    raise_peak(PROCESS_THREADS + 1);
}

void page_remove_thread(uint32_t thread)
{
    uint32_t i;

    for (i = 0; i < PROCESS_THREADS && i < atomic_load(&peak); i++)
    {
        uint64_t entry = atomic_load(&threads[i]);

        if (entry >> 32 != thread || !atomic_compare_exchange_strong(&threads[i], &entry, 0))
            continue;
        publish(i);
        return;
    }
}

bool page_map(int fd)
{
    void *page = mmap(NULL, sizeof(struct process_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uint32_t i;

    if (page == MAP_FAILED)
        return false;
    atomic_store(&process_page, page);
    atomic_fetch_add(&page_number, 1);
    publish_peak();
    for (i = 0; i < PROCESS_THREADS && i < atomic_load(&peak); i++)
        publish(i);
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
