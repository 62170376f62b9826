/*
 * What the conformance tests have in common
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Numbers in brackets in the tests' messages are sections of docs/reference/alpc.md.
 */

#ifndef ALPC_TEST_H
#define ALPC_TEST_H

#include <windows.h>
#include <winternl.h>

#include "ntalpc/status.h"
#include "ntlpcapi.h"
#include "wine/test.h"

/* in Wine's headers, not in MinGW's */
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#endif
NTSYSAPI NTSTATUS NTAPI NtTerminateThread(HANDLE ThreadHandle, LONG ExitStatus);

/* ms; what has not happened by then never will */
#define HANG 20000

/* a message, as it is sent and received */
struct message
{
    PORT_MESSAGE header;
    BYTE data[0x400];
};

/* the longest one [3.9] */
struct big_message
{
    PORT_MESSAGE header;
    BYTE data[ALPC_MAX_MESSAGE_LENGTH - sizeof(PORT_MESSAGE)];
};

/* section: of the reference, as a string literal */
#define ok_status(section, got, expected) ok_status_(__FILE__, __LINE__, section, got, expected)

static inline void ok_status_(const char *file, int line, const char *section, NTSTATUS got, NTSTATUS expected)
{
    ok_(file, line)(got == expected, "[%s] status %#lx instead of %#lx\n", section, got, expected);
}

#endif
