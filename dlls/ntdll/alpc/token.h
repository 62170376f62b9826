/*
 * Snapshots of tokens for alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_ALPC_TOKEN_H
#define NTALPC_ALPC_TOKEN_H

#include "control.h"
#include "ntalpc/nt.h"
#include "thread.h"

/*
 * Reads a token (CURRENT_PROCESS_TOKEN or CURRENT_THREAD_EFFECTIVE_TOKEN) into the form of ntalpc/token.h.  What has
 * been read before is used again as long as the token has not changed.  The data is in the thread's scratch memory.
 * Statuses of NtQueryInformationToken; STATUS_NO_MEMORY, STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS token_snapshot(struct thread *thread, HANDLE token, struct control_data *snapshot);

#endif
