/*
 * Closes of handles that are under way
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shared by the PE half, which closes the handles that are no ports, and the native half, which must not take such a
 * handle for a port's; how they use it is told in handle_table.c.
 */

#ifndef NTALPC_CLOSES_H
#define NTALPC_CLOSES_H

#include <stdint.h>

/* handle values are counted together by their lowest bits that differ */
#define HANDLE_CLOSES 64

struct handle_closes
{
    uint32_t begun, ended;
};

static inline struct handle_closes *closes_of(struct handle_closes *closes, const void *handle)
{
    return &closes[((uintptr_t)handle >> 2) % HANDLE_CLOSES];
}

/* before whoever closes the handle asks whether it is a port's */
static inline void closes_begin(struct handle_closes *closes)
{
    __atomic_fetch_add(&closes->begun, 1, __ATOMIC_SEQ_CST);
}

/* after the host has closed it, or has not */
static inline void closes_end(struct handle_closes *closes)
{
    __atomic_fetch_add(&closes->ended, 1, __ATOMIC_SEQ_CST);
}

static inline uint32_t closes_begun(const struct handle_closes *closes)
{
    return __atomic_load_n(&closes->begun, __ATOMIC_SEQ_CST);
}

#endif
