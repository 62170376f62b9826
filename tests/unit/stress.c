/*
 * What the tests of the data path have in common: random numbers, threads, processes, a limit against hanging
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "stress.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_SEED 20260722
#define HANG_LIMIT 100 /* seconds */

static uint64_t seed = DEFAULT_SEED;
static const char *program = "?";

/* the sanitizers' reports are wanted, not cmocka's view of a signal */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "handle_segv=2:handle_sigbus=2:handle_sigfpe=2:handle_sigill=2:detect_leaks=0";
}

const char *__tsan_default_options(void)
{
    return "handle_segv=2:handle_sigbus=2:die_after_fork=0:report_signal_unsafe=0";
}

void stress_fail(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: %s does not hold (seed %llu)\n", file, line, condition, (unsigned long long)seed);
    abort();
}

void stress_fail_equal(const char *file, int line, const char *what, uint64_t actual, uint64_t expected)
{
    fprintf(stderr, "%s:%d: %s is %#llx, not %#llx (seed %llu)\n", file, line, what, (unsigned long long)actual,
            (unsigned long long)expected, (unsigned long long)seed);
    abort();
}

static void on_alarm(int sig)
{
    static const char text[] = ": hangs\n";

    (void)sig;
    if (write(2, program, strlen(program)) < 0 || write(2, text, sizeof(text) - 1) < 0)
        _exit(99);
    abort();
}

void stress_alive(void)
{
    alarm(HANG_LIMIT);
}

static int begin_test(void **state)
{
    (void)state;
    stress_alive();
    return 0;
}

int stress_main(const char *name, const struct CMUnitTest *tests, size_t count)
{
    struct CMUnitTest *copy = calloc(count, sizeof(*copy));
    const char *given = getenv("NTALPC_TEST_SEED"), *only = getenv("NTALPC_TEST_ONLY");
    size_t i, used = 0;
    int failed;

    if (!copy)
        return 1;
    program = name;
    if (given && *given)
        seed = strtoull(given, NULL, 0);
    signal(SIGALRM, on_alarm);
    for (i = 0; i < count; i++)
    {
        if (only && !strstr(tests[i].name, only))
            continue;
        copy[used] = tests[i];
        if (!copy[used].setup_func)
            copy[used].setup_func = begin_test;
        used++;
    }
    failed = _cmocka_run_group_tests(name, copy, used, NULL, NULL);
    if (failed)
        fprintf(stderr, "%s: NTALPC_TEST_SEED=%llu\n", name, (unsigned long long)seed);
    free(copy);
    return failed;
}

/* ---------------------------------------------------------------------------------------------- random numbers */

uint64_t random_next(struct random *random)
{
    /* splitmix64: any state will do, also neighbouring ones */
    uint64_t z = random->state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

struct random random_stream(uint64_t stream)
{
    struct random random = { .state = seed * 0x2545f4914f6cdd1d + stream };

    random.state = random_next(&random);
    return random;
}

unsigned int scaled(unsigned int count)
{
    const char *given = getenv("NTALPC_TEST_SCALE");
    double scale = given ? strtod(given, NULL) : 1;

    if (THREAD_SANITIZER)
        scale /= 10;
    else if (ADDRESS_SANITIZER)
        scale /= 3;
    return count * scale < 1 ? 1 : (unsigned int)(count * scale);
}

/* ---------------------------------------------------------------------------------------------- threads, processes */

void start_thread(pthread_t *thread, thread_main function, void *arg)
{
    CHECK(!pthread_create(thread, NULL, function, arg));
}

void join_thread(pthread_t thread)
{
    CHECK(!pthread_join(thread, NULL));
}

void run_threads(unsigned int count, thread_main function, void *arg, size_t size)
{
    pthread_t threads[64];
    unsigned int i;

    CHECK(count <= ARRAY_SIZE(threads));
    for (i = 0; i < count; i++)
        start_thread(&threads[i], function, (char *)arg + i * size);
    for (i = 0; i < count; i++)
        join_thread(threads[i]);
}

pid_t start_child(void (*function)(void *arg), void *arg)
{
    pid_t parent = getpid(), pid;

    fflush(NULL);
    pid = fork();
    CHECK(pid != -1);
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(98);
    stress_alive();
    function(arg);
    fflush(NULL);
    _exit(0);
}

static int wait_child(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) == -1)
        CHECK_EQUAL(errno, EINTR);
    return status;
}

void join_child(pid_t pid)
{
    CHECK_EQUAL(wait_child(pid), 0);
}

void kill_child(pid_t pid)
{
    int status;

    kill(pid, SIGKILL);
    status = wait_child(pid);
    /* one that has found an error before counts */
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

void *shared_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    CHECK(memory != MAP_FAILED);
    return memory;
}

void free_shared_memory(void *memory, size_t size)
{
    munmap(memory, size);
}

void pass_us(unsigned int us)
{
    struct timespec begun, now;

    if (us >= 200)
    {
        now = (struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
        nanosleep(&now, NULL);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &begun);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begun.tv_sec) * 1000000 + (now.tv_nsec - begun.tv_nsec) / 1000 < (long)us);
}
