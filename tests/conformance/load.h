/*
 * Calls of agents that keep a port busy
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef LOAD_H
#define LOAD_H

#include "agent.h"

/* what the messages hold: who sent it, a number, and then what follows from both */
struct load
{
    ULONG sender, number;
};

/* the number of a datagram that ends call_echo */
#define LOAD_STOP 0xffffffff
/* numbers of datagrams that call_echo counts */
#define LOAD_NUMBERS 50000

/* what call_echo has seen; lies in the agent's .send.data */
struct tally
{
    ULONG requests, answered, late, canceled, closed, accepted, other;
    NTSTATUS failed; /* the first unexpected status of an answer */
    BYTE datagrams[LOAD_NUMBERS];
};

struct tally *tally_of(const struct agent *agent);

/*
 * Receives until LOAD_STOP comes or receiving fails: counts datagrams, sends requests back as they are, accepts who
 * connects and closes what has gone.  value: sleeps up to that many ms before it answers.
 */
void begin_echo(struct agent *agent, HANDLE port, ULONG delay);

/* makes count requests of various sizes and looks at the answers: how many were right is in .count, how many timed out
 * in .length.  timeout in ms, 0 = none */
void begin_ask(struct agent *agent, HANDLE port, ULONG sender, ULONG count, ULONG timeout);
/* connects to a name, makes a few requests, closes; count times */
void begin_visit(struct agent *agent, const WCHAR *name, ULONG sender, ULONG count);

/* sends datagrams with numbers from first on; .count tells how many went out */
void begin_count(struct agent *agent, HANDLE port, ULONG sender, ULONG first, ULONG count);
/* ends so many call_echo */
void send_stop(struct agent *agent, HANDLE port, unsigned int count);

#endif
