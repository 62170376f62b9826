/*
 * This process' page, which alpcserver has too
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * No locks; any thread may end anywhere.
 */

#ifndef NTALPC_PAGE_H
#define NTALPC_PAGE_H

#include "ntalpc/process_page.h"

#include <stdbool.h>

/* the page in use: alpcserver's, or before there is one a page of this process' own.  What was a page stays mapped */
extern _Atomic(struct process_page *) process_page;
extern _Atomic uint64_t page_number; /* which page that is: another one counts anew */

/* uses the page behind fd, which stays the caller's, from now on: it learns of all threads.  Returns false with errno
 */
bool page_map(int fd);

/*
 * How many handles other processes have closed in this one.  page_closed: whether this handle may be among those that
 * were closed between two such numbers.
 */
static inline uint64_t page_closes(void)
{
    return page_number << 32 | atomic_load_explicit(&atomic_load_explicit(&process_page, memory_order_acquire)->closes,
                                                    memory_order_acquire);
}

bool page_closed(const void *handle, uint64_t since, uint64_t until);

/*
 * A thread, with its Windows and its kernel id, begins to use ports; it has ended.  When that was no ordinary end
 * alpcserver has been told before, which looks for the thread in the page.
 */
void page_add_thread(uint32_t thread, uint32_t native);
void page_remove_thread(uint32_t thread);

#endif
