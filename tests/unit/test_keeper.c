/*
 * Tests of server/keeper.c
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * This program is also what it tests: with a role as argument it is a keeper with a worker that tells in shared memory
 * what it sees.
 */

#include "stress.h"

#include "server/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* descriptors of the program under test */
#define REPORT_FD 20
#define KEPT_FD 21 /* the worker makes it */
#define LOCK_FD 22

/* what the worker tells */
struct report
{
    _Atomic int worker, keeper;  /* the latest one and its parent */
    _Atomic unsigned int begun;  /* workers that have begun */
    _Atomic unsigned int memory; /* how often the worker's memory was handed on */
    _Atomic unsigned int kept;   /* workers that found what the one before had kept */
    _Atomic unsigned int closed; /* and not what it had not */
};

static struct report *report;
static char directory[] = "/tmp/ntalpc-test-XXXXXX";
static char program[64], lock_path[64];

/* ---------------------------------------------------------------------------------------------- the worker */

static volatile sig_atomic_t ending, keeper_died;
static unsigned int memory;

static void on_signal(int sig)
{
    if (sig == KEEPER_DIED)
        keeper_died = 1;
    else
        ending = 1;
}

static void tell(void)
{
    atomic_store(&report->memory, memory);
    atomic_store(&report->keeper, getppid());
    atomic_store(&report->worker, getpid());
}

static void look_at_descriptors(void)
{
    static const char text[] = "kept";
    char found[8] = "";
    int fd, cloexec;

    if (pread(KEPT_FD, found, sizeof(found), 0) == sizeof(text) && !strcmp(found, text))
        atomic_fetch_add(&report->kept, 1);
    if (fcntl(KEPT_FD + 10, F_GETFD) == -1)
        atomic_fetch_add(&report->closed, 1);
    fd = memfd_create("kept", 0);
    cloexec = memfd_create("not kept", MFD_CLOEXEC);
    CHECK(pwrite(fd, text, sizeof(text), 0) == sizeof(text));
    CHECK(dup2(fd, KEPT_FD) == KEPT_FD && dup3(cloexec, KEPT_FD + 10, O_CLOEXEC) == KEPT_FD + 10);
    close(fd);
    close(cloexec);
}

static int work(struct keeper *keeper, const char *role)
{
    atomic_fetch_add(&report->begun, 1);
    if (!strcmp(role, "dies"))
        raise(SIGKILL);
    signal(SIGTERM, on_signal);
    signal(KEEPER_DIED, on_signal);
    look_at_descriptors();
    keeper_worker_ready();
    tell();
    while (!ending || !strcmp(role, "stays"))
    {
        if (keeper_died)
        {
            keeper_died = 0;
            memory++;
            keeper_replace(keeper);
            tell();
        }
        usleep(500);
    }
    return 7;
}

static int run_role(int argc, char **argv)
{
    struct keeper keeper = { .argv = argv, .listener = -1, .lock = LOCK_FD, .journal = -1 };

    report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED, REPORT_FD, 0);
    CHECK(report != MAP_FAILED);
    keeper_block_signals();
    if (!strncmp(argv[1], "--resume=", 9))
        CHECK(keeper_resume(&keeper, argv[1] + 9));
    keeper_start(&keeper);
    return work(&keeper, argv[argc - 1]);
}

/* ---------------------------------------------------------------------------------------------- starting it */

static pid_t keeper;

static void start(const char *role)
{
    int memory_fd = memfd_create("report", MFD_CLOEXEC), lock;
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    assert_int_equal(ftruncate(memory_fd, sizeof(*report)), 0);
    report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    assert_true(report != MAP_FAILED);
    fflush(NULL);
    if (!(keeper = fork()))
    {
        /* a session of its own, as a daemon has it */
        setsid();
        lock = open(lock_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        CHECK(dup2(lock, LOCK_FD) == LOCK_FD && dup2(memory_fd, REPORT_FD) == REPORT_FD);
        if (lock != LOCK_FD)
            close(lock);
        CHECK(!fcntl(LOCK_FD, F_SETLK, &whole));
        lock = open("/dev/null", O_RDWR);
        dup2(lock, 2);
        close(lock);
        execl(program, "alpcserver", role, NULL);
        _exit(99);
    }
    close(memory_fd);
}

/* until something is so, or the test hangs */
#define AWAIT(condition)                                                                                               \
    do                                                                                                                 \
        pass_us(500);                                                                                                  \
    while (!(condition))

static bool is_locked(void)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(lock_path, O_RDWR | O_CLOEXEC);

    CHECK(fd != -1 && !fcntl(fd, F_GETLK, &whole));
    close(fd);
    return whole.l_type != F_UNLCK;
}

static struct keeper_pids read_pids(void)
{
    int fd = open(lock_path, O_RDONLY | O_CLOEXEC);
    struct keeper_pids pids = keeper_pids(fd);

    close(fd);
    return pids;
}

static void await_worker(unsigned int number)
{
    AWAIT(atomic_load(&report->begun) == number && atomic_load(&report->worker) &&
          read_pids().worker == atomic_load(&report->worker));
    assert_int_equal(read_pids().keeper, atomic_load(&report->keeper));
}

static int kill_worker(void)
{
    int worker = atomic_exchange(&report->worker, 0);

    assert_true(worker > 1);
    assert_int_equal(kill(worker, SIGKILL), 0);
    return worker;
}

static int wait_keeper(void)
{
    int status;

    while (waitpid(keeper, &status, 0) == -1)
        CHECK_EQUAL(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void end(void)
{
    assert_int_equal(kill(keeper, SIGTERM), 0);
    assert_int_equal(wait_keeper(), 7);
    assert_false(is_locked());
    munmap(report, sizeof(*report));
}

static const char *comm_of(int pid)
{
    static char text[32];
    char path[64];
    ssize_t got;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/comm", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got > 0 ? got - 1 : 0] = 0;
    return text;
}

/* ---------------------------------------------------------------------------------------------- tests */

static void test_worker_killed(void **state)
{
    unsigned int i, rounds = scaled(100);

    (void)state;
    start("works");
    for (i = 1; i <= rounds; i++)
    {
        await_worker(i);
        assert_int_equal(atomic_load(&report->keeper), keeper);
        assert_true(is_locked());
        /* or too many would have died at once */
        if (i % 20 == 0)
            pass_us(110000);
        kill_worker();
        assert_true(is_locked());
        stress_alive();
    }
    await_worker(rounds + 1);
    assert_int_equal(atomic_load(&report->kept), rounds);
    assert_int_equal(atomic_load(&report->closed), rounds + 1);
    end();
}

static void test_names(void **state)
{
    (void)state;
    start("works");
    await_worker(1);
    assert_string_equal(comm_of(keeper), "alpckeeper");
    assert_string_equal(comm_of(atomic_load(&report->worker)), "alpcserver");
    kill_worker();
    await_worker(2);
    assert_string_equal(comm_of(keeper), "alpckeeper");
    assert_string_equal(comm_of(atomic_load(&report->worker)), "alpcserver");
    end();
}

/* workers that die before they have done anything: a few at once, then fewer and fewer, and hardly any work */
static void test_dies_at_once(void **state)
{
    unsigned int begun;

    (void)state;
    start("dies");
    AWAIT(atomic_load(&report->begun) >= 30);
    /* ten in a second, sooner or later: one that a busy machine let live longer begins the count anew */
    do
    {
        begun = atomic_load(&report->begun);
        pass_us(1000000);
    } while (atomic_load(&report->begun) - begun > 12);
    assert_int_equal(waitpid(keeper, NULL, WNOHANG), 0);
    assert_true(is_locked());
    /* it can be ended in the pause */
    assert_int_equal(kill(keeper, SIGTERM), 0);
    assert_int_equal(wait_keeper(), 1);
    assert_false(is_locked());
    munmap(report, sizeof(*report));
}

/* the worker knows what it knew, has a new keeper, and can be killed again */
static void test_keeper_killed(void **state)
{
    unsigned int i, begun = 1;

    (void)state;
    /* what it leaves becomes this process' child */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    start("works");
    await_worker(1);
    for (i = 1; i <= 20; i++)
    {
        int worker = atomic_load(&report->worker);

        assert_int_equal(kill(keeper, SIGKILL), 0);
        assert_int_equal(wait_keeper(), -SIGKILL);
        AWAIT(atomic_load(&report->memory) == (i - 1) % 3 + 1 && atomic_load(&report->worker) != worker &&
              read_pids().keeper == worker && read_pids().worker == atomic_load(&report->worker));
        keeper = worker;
        assert_true(is_locked());
        assert_int_equal(atomic_load(&report->begun), begun);
        if (i % 3)
            continue;
        kill_worker();
        await_worker(++begun);
        assert_int_equal(atomic_load(&report->keeper), keeper);
        assert_int_equal(atomic_load(&report->kept), begun - 1);
    }
    end();
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* both at once: nobody is left, and the lock is free */
static void test_both_killed(void **state)
{
    (void)state;
    start("works");
    await_worker(1);
    assert_int_equal(kill(keeper, SIGSTOP), 0);
    kill_worker();
    assert_true(is_locked());
    assert_int_equal(kill(keeper, SIGKILL), 0);
    assert_int_equal(wait_keeper(), -SIGKILL);
    AWAIT(!is_locked());
    munmap(report, sizeof(*report));
}

/* a worker that is killed after the order to end has none after it */
static void test_killed_while_ending(void **state)
{
    (void)state;
    start("stays");
    await_worker(1);
    assert_int_equal(kill(keeper, SIGTERM), 0);
    pass_us(20000);
    assert_int_equal(waitpid(keeper, NULL, WNOHANG), 0);
    kill_worker();
    assert_int_equal(wait_keeper(), 1);
    assert_int_equal(atomic_load(&report->begun), 1);
    munmap(report, sizeof(*report));
}

static void copy_program(const char *path)
{
    char buffer[65536], new[80];
    int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), out;
    ssize_t got;

    snprintf(new, sizeof(new), "%s.new", path);
    out = open(new, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    assert_int_not_equal(out, -1);
    while ((got = read(in, buffer, sizeof(buffer))) > 0)
        assert_int_equal(write(out, buffer, (size_t)got), got);
    close(in);
    close(out);
    assert_int_equal(rename(new, path), 0);
}

static ino_t inode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

/* the next worker is what is installed then; when nothing is, what was */
static void test_installed(void **state)
{
    ino_t first = inode_of(program), second;
    char exe[64];

    (void)state;
    start("works");
    await_worker(1);
    snprintf(exe, sizeof(exe), "/proc/%d/exe", keeper);
    copy_program(program);
    second = inode_of(program);
    assert_int_not_equal(first, second);
    assert_int_equal(inode_of(exe), first);
    kill_worker();
    await_worker(2);
    assert_int_equal(inode_of(exe), second);
    unlink(program);
    kill_worker();
    await_worker(3);
    assert_int_equal(inode_of(exe), second);
    copy_program(program);
    kill_worker();
    await_worker(4);
    assert_int_equal(inode_of(exe), inode_of(program));
    end();
}

static void test_resume_argument(void **state)
{
    struct keeper resumed;

    (void)state;
    assert_true(keeper_resume(&resumed, "3,4,5,6"));
    assert_int_equal(resumed.listener, 3);
    assert_int_equal(resumed.lock, 4);
    assert_int_equal(resumed.journal, 5);
    assert_int_equal(resumed.quick, 6);
    assert_false(keeper_resume(&resumed, ""));
    assert_false(keeper_resume(&resumed, "3,4,5"));
    assert_false(keeper_resume(&resumed, "3,4,5,6,7"));
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker_killed), cmocka_unit_test(test_names),
        cmocka_unit_test(test_dies_at_once),  cmocka_unit_test(test_keeper_killed),
        cmocka_unit_test(test_both_killed),   cmocka_unit_test(test_killed_while_ending),
        cmocka_unit_test(test_installed),     cmocka_unit_test(test_resume_argument),
    };
    int result;

    if (argc > 1)
        return run_role(argc, argv);
    CHECK(mkdtemp(directory));
    snprintf(program, sizeof(program), "%s/alpcserver", directory);
    snprintf(lock_path, sizeof(lock_path), "%s/lock", directory);
    copy_program(program);
    result = STRESS_MAIN("test_keeper", tests);
    unlink(program);
    unlink(lock_path);
    rmdir(directory);
    return result;
}
