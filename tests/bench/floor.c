/*
 * Benchmark: what two processes can do at best, and a socket for comparison
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The floor is a ping-pong through shared memory that does what any message passing must: the sender copies header and
 * data in, the receiver copies them out, and either may sleep when the other is late.  It waits by the rules of
 * dlls/ntdll/alpc/wait.c.  No queue, no ids, no checks, and it works for two threads only.
 *
 * As in a channel, small data stands beside the word that announces it and larger data in a window that begins a page.
 * The program's data begins 40 bytes into a page.
 */

#include "bench.h"

#include "dlls/ntdll/alpc/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SMALL_DATA 128
#define WAITING 1u

/* one direction */
struct lane
{
    _Alignas(4096) _Atomic uint32_t word; /* number of messages sent * 2, + 1 when the receiver sleeps */
    uint8_t header[BENCH_HEADER];
    uint8_t small[SMALL_DATA];
    _Alignas(4096) uint8_t window[BENCH_BUFFER];
};

struct floor
{
    struct lane request, reply;
    _Atomic uint32_t size; /* of the data; told before each round */
};

static _Alignas(4096) uint8_t buffer[BENCH_BUFFER];
static struct spin_history history;

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        fail("no memory");
    return memory;
}

struct floor *floor_new(void)
{
    return shared(sizeof(struct floor));
}

static void put(struct lane *lane, uint32_t number, unsigned int size)
{
    memcpy(lane->header, buffer, BENCH_HEADER);
    memcpy(size <= SMALL_DATA ? lane->small : lane->window, buffer + BENCH_HEADER, size);
    if (atomic_exchange_explicit(&lane->word, number * 2, memory_order_seq_cst) & WAITING)
        futex_wake(&lane->word, 1);
}

static void await(struct lane *lane, uint32_t number)
{
    bool slept = false;
    struct spin spin;
    uint32_t word;

    spin_begin(&spin, &history);
    while ((word = atomic_load_explicit(&lane->word, memory_order_acquire)) >> 1 != number)
    {
        uint64_t begun;

        if (!slept && spin_again(&spin))
            continue;
        if (!(word & WAITING) &&
            !atomic_compare_exchange_strong_explicit(&lane->word, &word, word | WAITING, memory_order_seq_cst,
                                                     memory_order_relaxed))
            continue;
        begun = monotonic_ns();
        futex_wait(&lane->word, word | WAITING, &deadline_never);
        spin_slept(&spin, monotonic_ns() - begun);
        slept = true;
    }
    if (!slept)
        spin_succeeded(&spin);
}

static void take(struct lane *lane, uint32_t number, unsigned int size)
{
    await(lane, number);
    memcpy(buffer, lane->header, BENCH_HEADER);
    memcpy(buffer + BENCH_HEADER, size <= SMALL_DATA ? lane->small : lane->window, size);
}

void floor_serve(void *arg)
{
    struct floor *floor = arg;
    uint32_t number;

    for (number = 1;; number++)
    {
        unsigned int size;

        await(&floor->request, number);
        size = atomic_load_explicit(&floor->size, memory_order_relaxed);
        take(&floor->request, number, size);
        put(&floor->reply, number, size);
    }
}

void floor_call(void *arg, unsigned int size, unsigned int count)
{
    struct floor *floor = arg;
    uint32_t number = atomic_load(&floor->request.word) / 2;

    atomic_store(&floor->size, size);
    while (count--)
    {
        put(&floor->request, ++number, size);
        take(&floor->reply, number, size);
    }
}

/* ---------------------------------------------------------------------------------------------- sockets */

struct socket_bench
{
    int client, server;
};

struct socket_bench *socket_bench_new(void)
{
    struct socket_bench *sockets = malloc(sizeof(*sockets));
    int pair[2];

    if (!sockets || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
        fail("socketpair: %s", strerror(errno));
    sockets->client = pair[0];
    sockets->server = pair[1];
    return sockets;
}

void socket_bench_serve(void *arg)
{
    const struct socket_bench *sockets = arg;
    ssize_t size;

    while ((size = read(sockets->server, buffer, sizeof(buffer))) > 0 &&
           write(sockets->server, buffer, (size_t)size) == size)
        ;
}

void socket_bench_call(void *arg, unsigned int size, unsigned int count)
{
    const struct socket_bench *sockets = arg;

    while (count--)
        if (write(sockets->client, buffer, size) != size || read(sockets->client, buffer, sizeof(buffer)) != size)
            fail("socket: %s", strerror(errno));
}
