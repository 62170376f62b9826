/*
 * A dump for people
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_ALPCDUMP_TEXT_H
#define NTALPC_ALPCDUMP_TEXT_H

#include "snapshot.h"

#include <stdio.h>

/*
 * Each connection port, the connections made to it and their messages, then connections whose port has gone.  What
 * programs chose (names) cannot control the terminal.
 */
void text_print(FILE *out, const struct snapshot *snapshot);

/* a span of time as a few characters: "120 ms", "1.5 s", "12m05s", "3h07m", "2d05h" */
#define TEXT_AGE_SIZE 24
void text_age(char text[TEXT_AGE_SIZE], uint64_t nanoseconds);

#endif
