/*
 * Threads that have ended without saying so
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_THREAD_H
#define NTALPC_SERVER_THREAD_H

/* another alpcserver may have heard of threads that had ended, or were about to, and not have done what that means */
void threads_restored(void);

/* the server ends */
void threads_end(void);

#endif
