/*
 * The Alpc* helpers [alpc.md 1.4]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "alpc_test.h"

START_TEST(helpers)
{
    ok(AlpcMaxAllowedMessageLength() == (sizeof(void *) == 8 ? 0xffff : 0xffef), "[1.4] got %#lx\n",
       AlpcMaxAllowedMessageLength());
}
