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
 * Of the layouts tried this is the fastest.  Each direction has a word of its own, but requests and replies stand in
 * the same place: a line that was read last by the one who writes it next changes hands once, not twice, and with two
 * places 60 KiB take three times as long.  Larger data stands as far into a page as in the program's buffer: copying to
 * a few bytes further into a page than from is slow.
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

struct floor
{
    struct word
    {
        _Alignas(64) _Atomic uint32_t value; /* number of messages * 2, + 1 when the receiver sleeps */
        _Alignas(64) _Atomic uint32_t own;   /* of who puts, and */
        uint32_t locked;                     /* so many more locked operations on it with each message */
    } request, reply;
    _Alignas(64) uint8_t header[BENCH_HEADER];
    uint8_t small[SMALL_DATA];
    _Alignas(4096) uint8_t window[BENCH_BUFFER];
    _Atomic uint32_t size; /* of the data; told before each round */
};

static _Alignas(4096) uint8_t buffer[BENCH_BUFFER];
static struct spin_history history;

struct floor *floor_new(unsigned int locked)
{
    struct floor *floor = mmap(NULL, sizeof(*floor), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (floor == MAP_FAILED)
        fail("no memory");
    floor->request.locked = locked / 2;
    floor->reply.locked = locked - locked / 2;
    return floor;
}

static uint8_t *data_of(struct floor *floor, unsigned int size)
{
    return size <= SMALL_DATA ? floor->small : floor->window + BENCH_HEADER;
}

static void put(struct floor *floor, struct word *word, uint32_t number, unsigned int size)
{
    uint32_t i;

    memcpy(floor->header, buffer, BENCH_HEADER);
    memcpy(data_of(floor, size), buffer + BENCH_HEADER, size);
    for (i = 0; i < word->locked; i++)
        atomic_fetch_add_explicit(&word->own, 1, memory_order_seq_cst);
    if (atomic_exchange_explicit(&word->value, number * 2, memory_order_seq_cst) & WAITING)
        futex_wake(&word->value, 1);
}

static void await(struct word *word, uint32_t number)
{
    bool slept = false;
    struct spin spin;
    uint32_t value;

    spin_begin(&spin, &history);
    while ((value = atomic_load_explicit(&word->value, memory_order_acquire)) >> 1 != number)
    {
        uint64_t begun;

        if (!slept && spin_again(&spin))
            continue;
        if (!(value & WAITING) && !atomic_compare_exchange_strong_explicit(&word->value, &value, value | WAITING,
                                                                           memory_order_seq_cst, memory_order_relaxed))
            continue;
        begun = monotonic_ns();
        futex_wait(&word->value, value | WAITING, &deadline_never);
        spin_slept(&spin, monotonic_ns() - begun);
        slept = true;
    }
    if (!slept)
        spin_succeeded(&spin);
}

static void take(struct floor *floor, unsigned int size)
{
    memcpy(buffer, floor->header, BENCH_HEADER);
    memcpy(buffer + BENCH_HEADER, data_of(floor, size), size);
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
        take(floor, size);
        put(floor, &floor->reply, number, size);
    }
}

void floor_call(void *arg, unsigned int size, unsigned int count)
{
    struct floor *floor = arg;
    uint32_t number = atomic_load(&floor->request.value) / 2;

    atomic_store(&floor->size, size);
    while (count--)
    {
        put(floor, &floor->request, ++number, size);
        await(&floor->reply, number);
        take(floor, size);
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
