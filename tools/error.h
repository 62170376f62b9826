/*
 * A failure told in words, for the tools: what went wrong travels up to the one place that prints it.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_TOOLS_ERROR_H
#define NTALPC_TOOLS_ERROR_H

#include <stdbool.h>

struct error
{
    char text[1024]; /* one line without a line end; cut off when longer */
};

/* Fills in the text and returns false, so that a function can end with "return error_set(...)". */
bool error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
