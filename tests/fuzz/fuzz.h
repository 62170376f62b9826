/*
 * The entry point of a fuzzer: libFuzzer's, and that of standalone.c for compilers without libFuzzer.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_TESTS_FUZZ_H
#define NTALPC_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* One input.  Returns 0; finds a bug by crashing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
