/*
 * The Windows half of the benchmark
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One process serves, another calls.  The driver (bench.c) writes commands to the caller's standard input and reads one
 * line of numbers for each; both programs end with their standard input.
 */

#ifndef BENCH_WIN_H
#define BENCH_WIN_H

#include <windows.h>

#include <stdbool.h>

/* all contestants send from and receive into one buffer, of which the data begins behind a PORT_MESSAGE */
#define BENCH_HEADER 0x28
#define BENCH_MOST_DATA 61440
#define BENCH_BUFFER 65536

/* the ports, pipes and events of one server have its name in theirs */
extern const char *server_name;

/* "prefix + server_name"; static memory of the thread */
const char *named(const char *prefix);

/* ends the program with a message if the condition does not hold */
void require(bool condition, const char *what);

/*
 * What a server does in a thread of its own.  It must call serving() once, when clients may come, and then serves until
 * the program ends.
 */
typedef void (*server_function)(void);
void serving(void);

void serve_alpc(void);
void serve_pipe(void);
void serve_pipe_connect(void);
void serve_event(void);
void serve_rpc(void);

/* what a caller does: count times, with so many bytes of data.  It connects when it is first called. */
typedef void (*call_function)(unsigned int size, unsigned int count);

void call_alpc(unsigned int size, unsigned int count);
/* two calls, as many as a round trip takes on both sides, that do nothing */
void call_alpc_nothing(unsigned int size, unsigned int count);
void call_alpc_datagrams(unsigned int size, unsigned int count);
void call_alpc_connect(unsigned int size, unsigned int count);
void call_pipe(unsigned int size, unsigned int count);
void call_pipe_transact(unsigned int size, unsigned int count);
void call_pipe_datagrams(unsigned int size, unsigned int count);
void call_pipe_connect(unsigned int size, unsigned int count);
void call_event(unsigned int size, unsigned int count);
void call_rpc(unsigned int size, unsigned int count);

/* opens so many connections in all and keeps them; calls in turn through all of them */
void call_alpc_hold(unsigned int size, unsigned int count);
void call_alpc_robin(unsigned int size, unsigned int count);

#endif
