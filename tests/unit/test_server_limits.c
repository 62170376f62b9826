/*
 * Tests of alpcserver: what it does when the system is short of something
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The limits are real ones, of the server's process or of a user namespace of its own.  Whatever is short, a request
 * fails with a status, one line says what to change, and what is there goes on.
 */

#include "server_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* a port without a name */
static NTSTATUS try_port(struct peer *peer)
{
    struct create_port_reply reply;

    return create_port(peer, "", (struct create_port_request){ .flags = 0 }, NULL, &reply);
}

static unsigned int count_lines(const char *text, const char *part)
{
    unsigned int count = 0;

    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

/* creates ports until there can be no more, a few times: it is said once, and goes on when there is room again */
static unsigned int fill(struct peer *peer, unsigned int most, const char *said)
{
    unsigned int count = 0, i;
    NTSTATUS status;

    while (!(status = try_port(peer)))
        assert_true(++count < most);
    for (i = 0; i < 3; i++)
    {
        assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
        status = try_port(peer);
    }
    assert_int_equal(count_lines(read_log(), said), 1);
    return count;
}

/* ---------------------------------------------------------------------------------------------- file sizes */

static void limit_file_size(rlim_t soft, rlim_t hard)
{
    const struct rlimit limit = { soft, hard };

    CHECK(!setrlimit(RLIMIT_FSIZE, &limit));
}

static void set_soft_file_size(void)
{
    limit_file_size(0x100000, RLIM_INFINITY);
}

static void set_hard_file_size(void)
{
    limit_file_size(0x1000000, 0x1000000);
}

/* [ulimit -Sf] the server needs large files, though they take no room */
static void test_soft_file_size(void **state)
{
    struct connect_port_reply reply;
    struct peer peer;

    (void)state;
    server_setup = set_soft_file_size;
    start_server("-p");
    begin_process(&peer, 0x20);
    make_port(&peer);
    assert_int_equal(connect_port(&peer, plain_connect, 0, &reply), STATUS_SUCCESS);
    end_peer(&peer);
    await_objects(0, 0);
    stop_server();
}

/* [ulimit -f] what cannot be made is said to the program, and nobody dies of it */
static void test_hard_file_size(void **state)
{
    static const char said[] = "ulimit -Hf";
    struct peer peer;
    int saved, copy[2];
    char text[512];
    ssize_t got;

    (void)state;
    server_setup = set_hard_file_size;
    start_server("-p");
    begin_process(&peer, 0x20);
    /* what the program prints of it */
    assert_int_equal(pipe2(copy, O_NONBLOCK), 0);
    saved = dup(STDERR_FILENO);
    dup2(copy[1], STDERR_FILENO);
    assert_int_equal(try_port(&peer), STATUS_INSUFFICIENT_RESOURCES);
    dup2(saved, STDERR_FILENO);
    got = read(copy[0], text, sizeof(text) - 1);
    assert_true(got > 0);
    text[got] = 0;
    assert_non_null(strstr(text, said));
    assert_int_equal(fill(&peer, 1, said), 0);
    expect_objects(0, 0);
    close(copy[0]);
    close(copy[1]);
    close(saved);
    end_peer(&peer);
    stop_server();
}

/* ---------------------------------------------------------------------------------------------- memory */

/* as with vm.max_map_count, which is the whole system's: mmap fails */
static void test_mappings(void **state)
{
    struct rlimit limit;
    unsigned long pages;
    struct peer peer;
    unsigned int count;
    char path[64];
    FILE *file;

    (void)state;
    if (ADDRESS_SANITIZER || THREAD_SANITIZER)
    {
        print_message("skipped: sanitizers have an address space of their own\n");
        skip();
    }
    start_server("-p");
    begin_process(&peer, 0x20);
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)server_worker());
    assert_non_null(file = fopen(path, "r"));
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    limit.rlim_cur = limit.rlim_max = pages * (rlim_t)sysconf(_SC_PAGESIZE) + 0x1800000;
    assert_int_equal(prlimit(server_worker(), RLIMIT_AS, &limit, NULL), 0);
    count = fill(&peer, 100, "vm.max_map_count");
    assert_true(count > 1);
    expect_objects(count, 0);
    close_handle(&peer);
    assert_int_equal(try_port(&peer), STATUS_SUCCESS);
    end_peer(&peer);
    await_objects(0, 0);
    stop_server();
}

/* ---------------------------------------------------------------------------------------------- inotify */

static const char *namespace_setting, *namespace_value;

/* a user namespace has limits of its own; false where there can be none */
static bool enter_namespace(void)
{
    char path[128];

    snprintf(path, sizeof(path), "/proc/sys/user/%s", namespace_setting);
    return enter_user_namespace(0) && write_file(path, namespace_value);
}

static void try_namespace(void)
{
    CHECK(enter_namespace());
}

/* runs the server with another value of a limit, or skips the test */
static void start_limited(const char *setting, const char *value)
{
    pid_t pid;

    namespace_setting = setting;
    namespace_value = value;
    fflush(NULL);
    if (!(pid = fork()))
        _exit(!enter_namespace());
    if (wait_program(pid))
    {
        print_message("skipped: no user namespace with a limit of its own can be made here\n");
        skip();
    }
    server_setup = try_namespace;
    start_server("-p");
}

static void test_no_instance(void **state)
{
    struct peer peer;

    (void)state;
    start_limited("max_inotify_instances", "0");
    begin_process(&peer, 0x20);
    assert_int_equal(fill(&peer, 1, "fs.inotify.max_user_instances"), 0);
    expect_objects(0, 0);
    end_peer(&peer);
    stop_server();
}

/* one instance has to do for more watches than an instance should have */
static void test_one_instance(void **state)
{
    const unsigned int count = scaled(4200);
    struct rlimit limit;
    struct peer peer;
    unsigned int i;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < 4 * count + 500)
    {
        print_message("skipped: so many ports take more open files than there may be\n");
        skip();
    }
    start_limited("max_inotify_instances", "1");
    begin_process(&peer, 0x20);
    for (i = 0; i < count; i++)
        assert_int_equal(try_port(&peer), STATUS_SUCCESS);
    end_peer(&peer);
    await_objects(0, 0);
    stop_server();
}

static void test_watches(void **state)
{
    struct peer peer;
    unsigned int count;

    (void)state;
    start_limited("max_inotify_watches", "5");
    begin_process(&peer, 0x20);
    count = fill(&peer, 10, "fs.inotify.max_user_watches");
    assert_int_equal(count, 5);
    expect_objects(count, 0);
    close_handle(&peer);
    assert_int_equal(try_port(&peer), STATUS_SUCCESS);
    end_peer(&peer);
    await_objects(0, 0);
    stop_server();
}

#define QUEUED_EVENTS "/proc/sys/fs/inotify/max_queued_events"

/* the kernel drops what tells that files have gone: that is found out otherwise */
static void test_overflow(void **state)
{
    char before[32] = "";
    FILE *file = fopen(QUEUED_EVENTS, "r");
    struct peer peer, other;
    unsigned int i;
    bool set;

    (void)state;
    set = file && fgets(before, sizeof(before), file) && write_file(QUEUED_EVENTS, "4");
    if (file)
        fclose(file);
    if (!set)
    {
        print_message("skipped: " QUEUED_EVENTS " cannot be set\n");
        skip();
    }
    start_server("-p");
    begin_process(&peer, 0x20);
    begin_process(&other, 0x24);
    /* the instance, with its limit, comes with the first port */
    for (i = 0; i < 40; i++)
        assert_int_equal(try_port(i % 4 ? &peer : &other), STATUS_SUCCESS);
    assert_true(write_file(QUEUED_EVENTS, before));
    assert_int_equal(kill(server_worker(), SIGSTOP), 0);
    close_fds(&peer);
    while (peer.handle_count)
        close_handle(&peer);
    assert_int_equal(kill(server_worker(), SIGCONT), 0);
    await_objects(10, 0);
    end_peer(&peer);
    end_peer(&other);
    await_objects(0, 0);
    stop_server();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_soft_file_size), cmocka_unit_test(test_hard_file_size), cmocka_unit_test(test_mappings),
        cmocka_unit_test(test_no_instance),    cmocka_unit_test(test_one_instance),   cmocka_unit_test(test_watches),
        cmocka_unit_test(test_overflow),
    };

    return SERVER_TEST_MAIN("test_server_limits", tests);
}
