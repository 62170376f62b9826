/*
 * The list of the conformance tests
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#define STANDALONE
#include "wine/test.h"

#define TEST(name) extern void func_##name(void);
#include "tests.h"
#undef TEST

#define TEST(name) { #name, func_##name },
const struct test winetest_testlist[] = {
#include "tests.h"
    { NULL, NULL }
};
