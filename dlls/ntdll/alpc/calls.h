/*
 * The system calls, as the PE half makes them
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each takes its structure of unixlib.h.  Statuses are those of the call of that name [alpc.md 1.3, 4].
 */

#ifndef NTALPC_CALLS_H
#define NTALPC_CALLS_H

#include "ntalpc/nt.h"

/* port_calls.c */
NTSTATUS call_NtAlpcCreatePort(void *args);
NTSTATUS call_NtAlpcDisconnectPort(void *args);
NTSTATUS call_NtAlpcQueryInformation(void *args);

/* connection_calls.c */
NTSTATUS call_NtAlpcCancelMessage(void *args);
NTSTATUS call_NtAlpcConnectPort(void *args);
NTSTATUS call_NtAlpcAcceptConnectPort(void *args);

/* message_calls.c */
NTSTATUS call_NtAlpcSendWaitReceivePort(void *args);

/* handle_list_calls.c */
NTSTATUS call_NtQuerySystemInformation(void *args);

/* object_calls.c */
NTSTATUS call_NtClose(void *args);
NTSTATUS call_NtDuplicateObject(void *args);
NTSTATUS call_NtQueryObject(void *args);
NTSTATUS call_NtQuerySecurityObject(void *args);
NTSTATUS call_NtSetSecurityObject(void *args);
NTSTATUS call_NtQueryDirectoryObject(void *args);
NTSTATUS call_check_name(void *args);
NTSTATUS call_NtCreateIoCompletion(void *args);

/* thread_calls.c */
NTSTATUS call_NtTerminateThread(void *args);

#endif
