/*
 * Tests of server/journal.c
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "stress.h"

#include "server/journal.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct journal journal;

static void begin(void)
{
    assert_true(journal_create(&journal));
}

/* what a process would find that takes over now */
static struct journal reread(int fd)
{
    struct journal other;
    int copy = dup(fd);

    CHECK(copy != -1);
    CHECK(journal_open(&other, copy));
    return other;
}

static void put(uint32_t type, uint64_t key, const char *text)
{
    assert_true(journal_put(&journal, type, key, text, strlen(text)));
}

struct listing
{
    char text[1024];
    size_t length;
};

static bool list_object(void *arg, uint64_t key, const void *data, size_t size)
{
    struct listing *listing = arg;

    CHECK((uintptr_t)data % 8 == 0);
    listing->length += (size_t)snprintf(listing->text + listing->length, sizeof(listing->text) - listing->length,
                                        "%d=%.*s ", (int)key, (int)size, (const char *)data);
    return true;
}

/* the objects of a type that a process would find that takes over now */
static void expect(uint32_t type, const char *expected)
{
    struct journal other = reread(journal.fd);
    struct listing listing = { .length = 0 };

    assert_true(journal_each(&other, type, list_object, &listing));
    assert_string_equal(listing.text, expected);
    journal_close(&other);
}

/* ---------------------------------------------------------------------------------------------- records */

static void test_records(void **state)
{
    (void)state;
    begin();
    expect(1, "");
    put(1, 10, "one");
    put(1, 20, "two");
    put(2, 10, "other type");
    put(1, 30, "");
    journal_commit(&journal);
    expect(1, "10=one 20=two 30= ");
    expect(2, "10=other type ");
    expect(3, "");
    put(1, 10, "one again, longer");
    journal_delete(&journal, 1, 20);
    journal_delete(&journal, 1, 77);
    journal_commit(&journal);
    expect(1, "30= 10=one again, longer ");
    put(1, 20, "back");
    journal_commit(&journal);
    expect(1, "30= 10=one again, longer 20=back ");
    journal_close(&journal);
}

static void test_commit(void **state)
{
    (void)state;
    begin();
    put(1, 1, "old");
    journal_commit(&journal);
    put(1, 1, "new");
    put(1, 2, "new");
    expect(1, "1=old ");
    journal_delete(&journal, 1, 1);
    expect(1, "1=old ");
    journal_commit(&journal);
    expect(1, "2=new ");
    journal_close(&journal);
}

static bool stop_at_once(void *arg, uint64_t key, const void *data, size_t size)
{
    (void)key, (void)data, (void)size;
    ++*(unsigned int *)arg;
    return false;
}

static void test_each_stops(void **state)
{
    unsigned int count = 0;

    (void)state;
    begin();
    put(1, 1, "a");
    put(1, 2, "b");
    assert_false(journal_each(&journal, 1, stop_at_once, &count));
    assert_int_equal(count, 1);
    journal_close(&journal);
}

static void test_attempts(void **state)
{
    struct journal other;

    (void)state;
    begin();
    assert_int_equal(journal_attempt(&journal), 1);
    other = reread(journal.fd);
    assert_int_equal(journal_attempt(&other), 2);
    journal_attempt_done(&other);
    journal_close(&other);
    assert_int_equal(journal_attempt(&journal), 1);
    journal_close(&journal);
}

/* ---------------------------------------------------------------------------------------------- size */

static size_t file_size(void)
{
    struct stat st;

    assert_int_equal(fstat(journal.fd, &st), 0);
    return (size_t)st.st_size;
}

static bool sum_objects(void *arg, uint64_t key, const void *data, size_t size)
{
    uint64_t *sum = arg;
    const uint8_t *bytes = data;

    CHECK_EQUAL(size, 100 + key % 50);
    CHECK_EQUAL(bytes[0], bytes[size - 1]);
    *sum += key * bytes[0];
    return true;
}

/* objects come, change and go; the file is no larger than they need, and its number stays the same */
static void test_size(void **state)
{
    const int fd_before = (begin(), journal.fd);
    struct random random = random_stream(1);
    uint8_t values[1000] = { 0 }, data[200];
    uint64_t expected = 0, sum = 0;
    struct journal other;
    unsigned int i;

    (void)state;
    for (i = 0; i < 100000; i++)
    {
        uint32_t key = random_below(&random, 1000);

        values[key] = (uint8_t)random_below(&random, 256);
        memset(data, values[key], sizeof(data));
        if (values[key])
            assert_true(journal_put(&journal, 7, key, data, 100 + key % 50));
        else
            journal_delete(&journal, 7, key);
        if (i % 3 == 0)
            journal_commit(&journal);
    }
    journal_commit(&journal);
    assert_int_equal(journal.fd, fd_before);
    assert_in_range(file_size(), 0x10000, 0x100000);
    for (i = 0; i < 1000; i++)
        expected += i * values[i];
    other = reread(journal.fd);
    assert_true(journal_each(&other, 7, sum_objects, &sum));
    assert_int_equal(sum, expected);
    assert_int_equal(other.live, journal.live);
    journal_close(&other);
    /* and it becomes small again */
    for (i = 0; i < 1000; i++)
        journal_delete(&journal, 7, i);
    journal_commit(&journal);
    for (i = 0; i < 10000; i++)
    {
        assert_true(journal_put(&journal, 7, 0, data, 100));
        journal_commit(&journal);
    }
    assert_int_equal(file_size(), 0x10000);
    journal_close(&journal);
}

/* a limit of file sizes: what was written before stays, and deleting works */
static void test_no_room(void **state)
{
    struct rlimit saved, limit = { .rlim_cur = 0x20000 };
    char data[1000] = "x";
    unsigned int i, count = 0;
    struct journal other;

    (void)state;
    begin();
    getrlimit(RLIMIT_FSIZE, &saved);
    limit.rlim_max = saved.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    while (journal_put(&journal, 1, count, data, sizeof(data)))
        count++;
    assert_in_range(count, 100, 130);
    journal_commit(&journal);
    assert_false(journal_put(&journal, 1, 0, data, 2000));
    other = reread(journal.fd);
    assert_int_equal(other.live, journal.live);
    journal_close(&other);
    for (i = 0; i < count; i++)
        journal_delete(&journal, 1, i);
    journal_commit(&journal);
    expect(1, "");
    put(1, 1, "again");
    journal_commit(&journal);
    expect(1, "1=again ");
    setrlimit(RLIMIT_FSIZE, &saved);
    journal_close(&journal);
}

/* ---------------------------------------------------------------------------------------------- damage */

static void test_damaged_tail(void **state)
{
    unsigned int bit, bits;
    size_t begins, ends;

    (void)state;
    begin();
    put(1, 1, "first");
    put(1, 2, "second");
    journal_commit(&journal);
    begins = journal.written;
    put(1, 2, "damaged");
    put(1, 3, "behind it");
    journal_commit(&journal);
    ends = begins + 24 + 8;
    bits = (unsigned int)(ends - begins) * 8;
    for (bit = 0; bit < bits; bit++)
    {
        uint8_t *byte = (uint8_t *)journal.header + begins + bit / 8;

        *byte ^= (uint8_t)(1u << bit % 8);
        expect(1, "1=first 2=second ");
        *byte ^= (uint8_t)(1u << bit % 8);
    }
    expect(1, "1=first 2=damaged 3=behind it ");
    journal_close(&journal);
}

static void test_no_journal(void **state)
{
    struct journal other;
    int fd = memfd_create("other", MFD_CLOEXEC);

    (void)state;
    assert_false(journal_open(&other, fd));
    assert_int_equal(ftruncate(fd, 0x20000), 0);
    assert_false(journal_open(&other, fd));
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    assert_false(journal_open(&other, -1));
}

/* ---------------------------------------------------------------------------------------------- death */

#define OBJECTS 5

/* what the writer of a test is doing, in memory of its own that others see */
struct progress
{
    _Atomic uint64_t begun, committed;
};

static struct progress *progress;

/* all objects get the same number with one commit; sizes differ, so that the file grows and is written anew */
static void write_number(uint64_t number, size_t most)
{
    uint64_t data[512], i;

    for (i = 0; i < 512; i++)
        data[i] = number;
    atomic_store(&progress->begun, number);
    for (i = 0; i < OBJECTS; i++)
        CHECK(journal_put(&journal, 1, i, data, 8 + (number * 40 + i * 8) % most));
    journal_delete(&journal, 2, number - 1);
    CHECK(journal_put(&journal, 2, number, "", 0));
    journal_commit(&journal);
    atomic_store(&progress->committed, number);
}

struct found
{
    unsigned int count;
    uint64_t number, marker;
};

static bool find_number(void *arg, uint64_t key, const void *data, size_t size)
{
    const uint64_t *numbers = data;
    struct found *found = arg;
    size_t i;

    (void)key;
    if (!found->count++)
        found->number = numbers[0];
    for (i = 0; i < size / 8; i++)
        CHECK_EQUAL(numbers[i], found->number);
    return true;
}

static bool find_marker(void *arg, uint64_t key, const void *data, size_t size)
{
    struct found *found = arg;

    (void)data, (void)size;
    CHECK_EQUAL(found->marker, 0);
    found->marker = key;
    return true;
}

/* everything of one commit is there, and nothing of the next; returns the number */
static uint64_t check_number(int fd)
{
    uint64_t committed = atomic_load(&progress->committed), begun;
    struct journal other = reread(fd);
    struct found found = { .count = 0 };

    begun = atomic_load(&progress->begun);
    journal_each(&other, 1, find_number, &found);
    journal_each(&other, 2, find_marker, &found);
    CHECK_EQUAL(found.count, found.number ? OBJECTS : 0);
    CHECK_EQUAL(found.marker, found.number);
    CHECK(found.number >= committed && found.number <= begun);
    journal_close(&other);
    return found.number;
}

/* a child that shares this process' descriptors, as alpcserver does with its keeper */
static pid_t fork_sharing_descriptors(void)
{
    return (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
}

/* the writer is killed at random moments, and the next one takes over */
static void test_killed(void **state)
{
    struct random random = random_stream(2);
    unsigned int rounds = scaled(1000), i;
    uint64_t number = 0;
    int fd;

    (void)state;
    begin();
    fd = journal.fd;
    progress = shared_memory(sizeof(*progress));
    for (i = 0; i < rounds; i++)
    {
        pid_t writer = fork_sharing_descriptors();

        assert_int_not_equal(writer, -1);
        if (!writer)
        {
            if (i)
                CHECK(journal_open(&journal, fd));
            for (;;)
                write_number(++number, 2000);
        }
        /* sooner or later it has to come so far that something counts */
        while (i % 4 == 0 && atomic_load(&progress->committed) == number)
            sched_yield();
        pass_us(random_below(&random, 1000));
        kill_child(writer);
        /* of a copy that it was making; an exec would close it */
        close(fd + 1);
        number = check_number(fd);
        /* what it had begun never counts: the next one begins with it */
        atomic_store(&progress->begun, number);
        atomic_store(&progress->committed, number);
    }
    assert_true(number >= rounds / 4);
    free_shared_memory(progress, sizeof(*progress));
    journal_close(&journal);
}

/* steps through some commits, one of which writes the file anew, and looks at the journal after each instruction */
static void test_each_instruction(void **state)
{
    unsigned int steps = 0;
    uint64_t number = 0;
    int fd, status;
    pid_t writer;

    (void)state;
    if (THREAD_SANITIZER || ADDRESS_SANITIZER)
    {
        print_message("skipped: sanitizers cannot be traced step by step\n");
        skip();
    }
    begin();
    fd = journal.fd;
    progress = shared_memory(sizeof(*progress));
    while (journal.written + 1000 < journal.room / 4 * 3)
        write_number(++number, 100);
    if (!(writer = fork_sharing_descriptors()))
    {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
            _exit(77);
        raise(SIGSTOP);
        for (status = 0; status < 4; status++)
            write_number(++number, 100);
        _exit(0);
    }
    assert_int_equal(waitpid(writer, &status, 0), writer);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
    {
        print_message("skipped: processes may not be traced here\n");
        skip();
    }
    while (!WIFEXITED(status))
    {
        assert_int_equal(ptrace(PTRACE_SINGLESTEP, writer, NULL, NULL), 0);
        assert_int_equal(waitpid(writer, &status, 0), writer);
        assert_false(WIFSIGNALED(status));
        if (steps++ % 4 == 0)
            check_number(fd);
        stress_alive();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(check_number(fd), number + 4);
    assert_true(steps > 1000);
    free_shared_memory(progress, sizeof(*progress));
    journal_close(&journal);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),          cmocka_unit_test(test_commit),     cmocka_unit_test(test_each_stops),
        cmocka_unit_test(test_attempts),         cmocka_unit_test(test_size),       cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_damaged_tail),     cmocka_unit_test(test_no_journal), cmocka_unit_test(test_killed),
        cmocka_unit_test(test_each_instruction),
    };

    return STRESS_MAIN("test_journal", tests);
}
