/*
 * Text between Windows and Unix
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_TEXT_H
#define NTALPC_SERVER_TEXT_H

#include <stddef.h>

/*
 * Converts size bytes of UTF-16 at any alignment; lone surrogates become U+FFFD, the text ends at a zero.  The caller
 * frees the result; NULL when memory is short.
 */
char *utf16_to_utf8(const void *utf16, size_t size);

#endif
