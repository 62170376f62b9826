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

#endif
