/*
 * What travels with a message besides its bytes
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "attachment.h"

#include <sys/mman.h>

/* the kinds; of each there are KIND_send, KIND_receive and KIND_release, with the arguments of attachment_send ... */
#define ATTACHMENT_KINDS(KIND) KIND(context)

/* ---------------------------------------------------------------------------------------------- context */

/*
 * Each end remembers its own, in private memory: a context is most often a pointer, which the peer must not be able to
 * change.  So nothing of it stands in the cell.
 */
#define CONTEXTS (2u << CELL_INDEX_BITS)

static _Atomic uint64_t *contexts_of(const struct channel *channel)
{
    return atomic_load_explicit(&channel->contexts, memory_order_acquire);
}

static _Atomic uint64_t *make_contexts(struct channel *channel)
{
    _Atomic uint64_t *contexts = NULL;
    void *memory = mmap(NULL, CONTEXTS * sizeof(*contexts), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    if (atomic_compare_exchange_strong(&channel->contexts, &contexts, memory))
        return memory;
    munmap(memory, CONTEXTS * sizeof(*contexts));
    return contexts;
}

static NTSTATUS context_send(struct channel *channel, uint32_t id, struct cell *cell, const struct attachments_out *out)
{
    _Atomic uint64_t *contexts = contexts_of(channel);

    (void)cell;
    if (!contexts && (!out->context || !(contexts = make_contexts(channel))))
        return out->context ? STATUS_NO_MEMORY : STATUS_SUCCESS;
    atomic_store_explicit(&contexts[id], out->context, memory_order_relaxed);
    return STATUS_SUCCESS;
}

static void context_receive(struct channel *channel, uint32_t id, struct cell *cell, bool fresh,
                            struct attachments_in *in)
{
    _Atomic uint64_t *contexts = contexts_of(channel);

    (void)cell;
    if (contexts && fresh)
        atomic_store_explicit(&contexts[id], 0, memory_order_relaxed);
    in->context = contexts ? atomic_load_explicit(&contexts[id], memory_order_relaxed) : 0;
}

static void context_release(struct channel *channel, uint32_t id, struct cell *cell)
{
    _Atomic uint64_t *contexts = contexts_of(channel);

    (void)cell;
    if (contexts)
        atomic_store_explicit(&contexts[id], 0, memory_order_relaxed);
}

/* ---------------------------------------------------------------------------------------------- all kinds */

NTSTATUS attachment_send(struct channel *channel, uint32_t id, struct cell *cell, const struct attachments_out *out)
{
    NTSTATUS status;

#define SEND(kind)                                                                                                     \
    if ((status = kind##_send(channel, id, cell, out)))                                                                \
        return status;
    ATTACHMENT_KINDS(SEND)
    return STATUS_SUCCESS;
}

void attachment_receive(struct channel *channel, uint32_t id, struct cell *cell, bool fresh, struct attachments_in *in)
{
#define RECEIVE(kind) kind##_receive(channel, id, cell, fresh, in);
    ATTACHMENT_KINDS(RECEIVE)
}

void attachment_release(struct channel *channel, uint32_t id, struct cell *cell)
{
#define RELEASE(kind) kind##_release(channel, id, cell);
    ATTACHMENT_KINDS(RELEASE)
}

void attachment_forget(struct channel *channel)
{
    _Atomic uint64_t *contexts = contexts_of(channel);

    if (contexts)
        munmap((void *)contexts, CONTEXTS * sizeof(*contexts));
    channel->contexts = NULL;
}
