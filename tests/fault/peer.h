/*
 * What the roles of the fault tests' Windows program have in common
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef PEER_H
#define PEER_H

#define WIN32_NO_STATUS
#include <windows.h>
#undef WIN32_NO_STATUS
#include <ntstatus.h>
#include <winternl.h>
#include <stdio.h>

#include "ntlpcapi.h"

#define HEADER ((ULONG)sizeof(PORT_MESSAGE))
#define MOST_DATA (0xffff - HEADER)

/* no call may take longer than this, whatever happens to the other side */
#define HANG_MS 30000

struct message
{
    PORT_MESSAGE header;
    unsigned char data[MOST_DATA + 1];
};

extern LONG mistakes;

/* prints what was wrong; after many the program ends */
void mistake(const char *what, ULONG a, ULONG b);

ULONG next_random(ULONG *state);
/* most messages are small; every size occurs */
ULONG random_size(ULONG *random);
/* the content of a message follows from its first word */
void fill(struct message *message, ULONG seed, ULONG size);

/* send and receive may be NULL */
NTSTATUS exchange(HANDLE port, ULONG flags, struct message *send, struct message *receive, LONG milliseconds);
/* whether a status says that the other side has gone */
BOOL is_end(NTSTATUS status);
/* waits for the server to be there; NULL when it does not come */
HANDLE connect_to(UNICODE_STRING *name, ULONG seconds);

struct client
{
    HANDLE port;
    ULONG random;
    LONG messages;
    struct message *send, *receive;
};

BOOL init_client(struct client *client, HANDLE port, ULONG seed);
void free_client(struct client *client);

/* roles, see peer.c */
void run_threads(UNICODE_STRING *name, ULONG count);
void run_visits(UNICODE_STRING *name, ULONG count);
void run_accepts(UNICODE_STRING *name, ULONG count);
void run_suspended(UNICODE_STRING *name, ULONG count);

#endif
