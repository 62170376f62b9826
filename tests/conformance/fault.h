/*
 * Exceptions that a call raises
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef FAULT_H
#define FAULT_H

#include "alpc_test.h"

/* runs the function in a thread of its own: the code of the exception that ended it, STATUS_SUCCESS if there was none
 */
NTSTATUS fault_of(void (*function)(void *arg), void *arg);

#endif
