/*
 * The native half of the benchmark
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* as in win.h: what each contestant copies in and out on both sides */
#define BENCH_HEADER 0x28
#define BENCH_MOST_DATA 61440
#define BENCH_BUFFER 65536

void __attribute__((format(printf, 1, 2), noreturn)) fail(const char *format, ...);

/* ---------------------------------------------------------------------------------------------- processes */

/* a process that the driver started; it dies with the driver */
struct child
{
    pid_t pid;
    FILE *in, *out; /* its standard streams */
};

/* when what a child was asked for began and ended, in nanoseconds */
struct span
{
    uint64_t begin, end;
};

/* a native server: serve(arg) in a process of its own, until child_end */
void child_serve(struct child *child, void (*serve)(void *arg), void *arg);

/* a native client: carries out "SIZE COUNT" lines with call(arg, size, count) */
void child_client(struct child *child, void (*call)(void *arg, unsigned int size, unsigned int count), void *arg);

/* a Windows program with its arguments, NULL at the end */
void child_wine(struct child *child, const char *const *arguments);

/* waits for a server's "ready" */
void child_wait_ready(struct child *child);

/* asks for something and waits until it is done; the parts do the same for several at once */
struct span child_call(struct child *child, const char *what, unsigned int size, unsigned int count);
void child_begin(struct child *child, const char *what, unsigned int size, unsigned int count);
struct span child_finish(struct child *child);

void child_end(struct child *child);

/* the process of this name that runs in our Wine prefix, 0 if there is none */
pid_t prefix_process(const char *name);

/* the Wine prefix in a folder and what runs in it: made ready before, with a program that is run once, and ended after
 */
void prefix_begin(const char *path, const char *alpc_wine, const char *program);
void prefix_end(void);

/* ---------------------------------------------------------------------------------------------- placements */

enum placement
{
    ONE_CORE,  /* both programs and Wine's server on one processor */
    TWO_CORES, /* the programs on a processor each, Wine's server where the kernel puts it */
    UNPINNED,  /* everything where the kernel puts it */
    PLACEMENTS
};

extern const char *const placement_names[PLACEMENTS];

void place(pid_t server, pid_t client, enum placement placement);

/* ---------------------------------------------------------------------------------------------- native contestants */

struct floor;
/* locked: more locked operations in a round trip than the floor needs */
struct floor *floor_new(unsigned int locked);
void floor_serve(void *floor);
void floor_call(void *floor, unsigned int size, unsigned int count);

struct channel_bench;
struct channel_bench *channel_bench_new(void);
void channel_bench_serve(void *channel);
void channel_bench_call(void *channel, unsigned int size, unsigned int count);
/* the same work, all of it in one thread: nothing is awaited, nothing travels between processors */
void channel_bench_alone(void *channel, unsigned int size, unsigned int count);

struct socket_bench;
struct socket_bench *socket_bench_new(void);
void socket_bench_serve(void *sockets);
void socket_bench_call(void *sockets, unsigned int size, unsigned int count);

/* ---------------------------------------------------------------------------------------------- memory */

/* bytes that a process costs */
struct footprint
{
    long long pss;    /* its share of what it has mapped */
    long long tables; /* page tables */
    long long files;  /* descriptors: a number */
};

struct footprint footprint_of(pid_t pid);

/* a line of /proc/meminfo, bytes */
long long meminfo(const char *name);

/* ---------------------------------------------------------------------------------------------- numbers */

/* the middle value; reorders them */
double median(double *values, unsigned int count);

#endif
