/*
 * What the tests of the data path have in common: random numbers, threads, processes, a limit against hanging
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_TESTS_STRESS_H
#define NTALPC_TESTS_STRESS_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include <cmocka.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif
#ifndef THREAD_SANITIZER
#define THREAD_SANITIZER 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif
#ifndef ADDRESS_SANITIZER
#define ADDRESS_SANITIZER 0
#endif

/* for threads and children, where cmocka's assertions cannot be used; ends the process */
#define CHECK(condition)                                                                                               \
    do                                                                                                                 \
    {                                                                                                                  \
        if (!(condition))                                                                                              \
            stress_fail(__FILE__, __LINE__, #condition);                                                               \
    } while (0)

/* the same for two numbers */
#define CHECK_EQUAL(actual, expected)                                                                                  \
    do                                                                                                                 \
    {                                                                                                                  \
        uint64_t actual_ = (uint64_t)(actual), expected_ = (uint64_t)(expected);                                       \
        if (actual_ != expected_)                                                                                      \
            stress_fail_equal(__FILE__, __LINE__, #actual, actual_, expected_);                                        \
    } while (0)

void __attribute__((noreturn)) stress_fail(const char *file, int line, const char *condition);
void __attribute__((noreturn)) stress_fail_equal(const char *file, int line, const char *what, uint64_t actual,
                                                 uint64_t expected);

/*
 * Runs a group of tests.  The seed is that of the environment variable NTALPC_TEST_SEED, else always the same; it is
 * printed when a test fails.  A test that hangs longer than any sensible machine would take is ended.
 */
int stress_main(const char *name, const struct CMUnitTest *tests, size_t count);

#define STRESS_MAIN(name, tests) stress_main(name, tests, ARRAY_SIZE(tests))

/* begins the hang limit anew: for tests that have more than one phase */
void stress_alive(void);

/* ---------------------------------------------------------------------------------------------- random numbers */

struct random
{
    uint64_t state;
};

/* a sequence of its own for each stream of the test's seed */
struct random random_stream(uint64_t stream);
uint64_t random_next(struct random *random);
/* 0 <= result < limit */
static inline uint32_t random_below(struct random *random, uint32_t limit)
{
    return (uint32_t)((random_next(random) >> 32) * limit >> 32);
}

/* count, less where a sanitizer makes everything slow; NTALPC_TEST_SCALE multiplies it */
unsigned int scaled(unsigned int count);

/* ---------------------------------------------------------------------------------------------- threads, processes */

typedef void *(*thread_main)(void *arg);

void start_thread(pthread_t *thread, thread_main function, void *arg);
void join_thread(pthread_t thread);

/* runs function(arg + i * size) in count threads and waits for all */
void run_threads(unsigned int count, thread_main function, void *arg, size_t size);

/* a child that ends with the function, or with its parent */
pid_t start_child(void (*function)(void *arg), void *arg);
/* waits for a child that must end by itself, well */
void join_child(pid_t pid);
/* SIGKILL, and waits until it is gone */
void kill_child(pid_t pid);

/* memory that children share; zeroed */
void *shared_memory(size_t size);
void free_shared_memory(void *memory, size_t size);

/* lets about so many microseconds pass, without sleeping if it is short */
void pass_us(unsigned int us);

#endif
