/*
 * Tests of the page of a process, as the process writes it
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "stress.h"

#include "dlls/ntdll/alpc/page.h"

#include <sys/mman.h>
#include <unistd.h>

static struct process_page *new_page(void)
{
    int fd = memfd_create("page", MFD_CLOEXEC);

    assert_int_not_equal(fd, -1);
    assert_int_equal(ftruncate(fd, sizeof(struct process_page)), 0);
    assert_true(page_map(fd));
    close(fd);
    return atomic_load(&process_page);
}

static unsigned int count_thread(const struct process_page *page, uint32_t thread, uint32_t native)
{
    unsigned int i, count = 0;

    for (i = 0; i < PROCESS_THREADS; i++)
        count += atomic_load(&page->threads[i]) == process_thread(thread, native);
    return count;
}

static void test_threads(void **state)
{
    struct process_page *page;

    (void)state;
    /* before there is a page of alpcserver's */
    page_add_thread(0x20, 100);
    page_add_thread(0x24, 101);
    page_remove_thread(0x20);
    page = new_page();
    assert_int_equal(count_thread(page, 0x24, 101), 1);
    assert_int_equal(count_thread(page, 0x20, 100), 0);
    /* a free place is used again */
    page_remove_thread(0x24);
    assert_int_equal(count_thread(page, 0x24, 101), 0);
    page_add_thread(0x28, 102);
    assert_int_equal(atomic_load(&page->peak), 2);
    assert_int_equal(atomic_load(&page->threads[0]), process_thread(0x28, 102));
    page_remove_thread(0x28);
}

static void test_overflow(void **state)
{
    struct process_page *page = new_page();
    unsigned int i;

    (void)state;
    for (i = 1; i <= PROCESS_THREADS; i++)
        page_add_thread(i, i);
    assert_int_equal(atomic_load(&page->overflow), 0);
    page_add_thread(i, i);
    assert_int_equal(atomic_load(&page->overflow), 1);
    page = new_page();
    assert_int_equal(atomic_load(&page->overflow), 1);
    for (i = 1; i <= PROCESS_THREADS; i++)
    {
        assert_int_equal(count_thread(page, i, i), 1);
        page_remove_thread(i);
    }
}

#define THREADS 3

static _Atomic uint32_t ended;

/* comes and goes, and stays in the end */
static void *come_and_go(void *arg)
{
    uint32_t id = *(uint32_t *)arg;
    unsigned int i, count = scaled(20000);

    for (i = 0; i < count; i++)
    {
        page_add_thread(id, id);
        page_remove_thread(id);
    }
    page_add_thread(id, id);
    atomic_fetch_add(&ended, 1);
    return NULL;
}

/* pages change while threads come and go: the last one has who is there, and nobody else */
static void test_changes(void **state)
{
    struct process_page *page = NULL;
    pthread_t threads[THREADS];
    uint32_t ids[THREADS], i;

    (void)state;
    for (i = 0; i < THREADS; i++)
    {
        ids[i] = 0x1000 + i;
        start_thread(&threads[i], come_and_go, &ids[i]);
    }
    do
        page = new_page();
    while (atomic_load(&ended) < THREADS);
    for (i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    for (i = 0; i < THREADS; i++)
        assert_int_equal(count_thread(page, ids[i], ids[i]), 1);
    for (i = 0; i < PROCESS_THREADS; i++)
        if (atomic_load(&page->threads[i]))
            assert_in_range(atomic_load(&page->threads[i]) >> 32, 0x1000, 0x1000 + THREADS - 1);
    for (i = 0; i < THREADS; i++)
        page_remove_thread(ids[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_overflow),
    };

    return STRESS_MAIN("test_page", tests);
}
