/*
 * The channel of a connection: its cells and what may happen to them
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------------------------- memory */

int channel_create(uint64_t connection)
{
    const struct channel_header header = { .magic = CHANNEL_MAGIC,
                                           .version = SHM_VERSION,
                                           .connection = connection,
                                           .link = LINK_CONNECTING };
    int fd = memfd_create("ntalpc channel", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd == -1)
        return -1;
    /* a peer that could shrink the file would make the others' accesses fault */
    if (ftruncate(fd, CHANNEL_SIZE) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ||
        pwrite(fd, &header, offsetof(struct channel_header, link) + sizeof(header.link), 0) == -1)
    {
        close(fd);
        return -1;
    }
    return fd;
}

bool channel_map(struct channel *channel, int fd, bool lazy)
{
    struct channel_header *header = mmap(NULL, CHANNEL_HOT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (header == MAP_FAILED)
        return false;
    if (header->magic != CHANNEL_MAGIC || header->version != SHM_VERSION)
    {
        munmap(header, CHANNEL_HOT_SIZE);
        errno = EPROTO;
        return false;
    }
    *channel = (struct channel){ .header = header, .lazy = lazy };
    queue_init(&channel->client_queue, &header->post, &header->desk,
               (_Atomic uint64_t *)((uint8_t *)header + CHANNEL_RING_OFFSET), CLIENT_QUEUE_BITS);
    return true;
}

bool channel_map_far(struct channel *channel, int fd)
{
    void *far = mmap(NULL, CHANNEL_FAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, CHANNEL_FAR_OFFSET);

    if (far == MAP_FAILED)
        return false;
    channel->far = far;
    return true;
}

uint8_t *channel_map_lazily(struct channel *channel)
{
    /* from the mapping that there is, for there is no descriptor any more: "moving" nothing of it makes another */
    uint8_t *whole = mremap(channel->header, 0, CHANNEL_SIZE, MREMAP_MAYMOVE), *far, *others = NULL;

    if (whole == MAP_FAILED)
        return NULL;
    munmap(whole, CHANNEL_FAR_OFFSET);
    far = whole + CHANNEL_FAR_OFFSET;
    if (atomic_compare_exchange_strong_explicit(&channel->far, &others, far, memory_order_acq_rel, memory_order_acquire))
        return far;
    munmap(far, CHANNEL_FAR_SIZE);
    return others;
}

void channel_unmap_far(struct channel *channel)
{
    if (channel->far)
        munmap(channel->far, CHANNEL_FAR_SIZE);
    channel->far = NULL;
}

void channel_unmap(struct channel *channel)
{
    channel_unmap_far(channel);
    if (channel->header)
        munmap(channel->header, CHANNEL_HOT_SIZE);
    channel->header = NULL;
    channel->lazy = false;
}

/* ---------------------------------------------------------------------------------------------- allocation */

/*
 * A free cell is looked for from where the last one was found, within the part of the table that is in use: a
 * connection that has one message at a time stays with one cell, one that queues many uses as many.  The part doubles
 * when it is full and halves when a walk through it has met few cells in use.
 */

static uint32_t clamp(uint32_t limit)
{
    return limit < CELL_NEAR ? CELL_NEAR : limit > CELL_COUNT ? CELL_COUNT : limit;
}

static void set_limit(struct channel *channel, enum alpc_end end, uint32_t limit)
{
    struct channel_end *shared = &channel->header->end[end];
    uint32_t peak = atomic_load_explicit(&shared->peak, memory_order_relaxed);

    /* the peak first: no cell may be in use beyond it */
    while (peak < limit && !atomic_compare_exchange_weak_explicit(&shared->peak, &peak, limit, memory_order_seq_cst,
                                                                  memory_order_relaxed))
        ;
    atomic_store_explicit(&shared->limit, limit, memory_order_release);
}

static uint32_t get_limit(struct channel *channel, enum alpc_end end)
{
    uint32_t limit = atomic_load_explicit(&channel->header->end[end].limit, memory_order_relaxed);

    if (!limit)
        set_limit(channel, end, CELL_NEAR);
    return clamp(limit);
}

uint32_t channel_peak(const struct channel *channel, enum alpc_end end)
{
    uint32_t peak = atomic_load_explicit(&channel->header->end[end].peak, memory_order_seq_cst);

    return peak ? clamp(peak) : 0;
}

static bool own_cell(struct cell *cell, struct cell_actor actor)
{
    uint64_t state = atomic_load_explicit(&cell->state, memory_order_relaxed);

    return cell_phase(state) == CELL_FREE &&
           atomic_compare_exchange_strong_explicit(&cell->state, &state,
                                                   cell_word(CELL_OWNED, cell_gen(state), actor), memory_order_acquire,
                                                   memory_order_relaxed);
}

static uint32_t alloc_below(struct channel *channel, enum alpc_end end, struct cell_actor actor, uint32_t limit)
{
    struct channel_cursor *cursor = &channel->cursor[end];
    uint32_t first = atomic_load_explicit(&cursor->index, memory_order_relaxed);
    uint32_t count, index = first < limit ? first : 0;

    for (count = 0; count < limit; count++)
    {
        struct cell *cell = channel_cell(channel, CELL_ID(end, index));

        if (cell && own_cell(cell, actor))
        {
            if (index != first)
                atomic_store_explicit(&cursor->index, index, memory_order_relaxed);
            if (count)
                atomic_fetch_add_explicit(&cursor->busy, count, memory_order_relaxed);
            return CELL_ID(end, index);
        }
        if (++index == limit)
        {
            index = 0;
            if (atomic_exchange_explicit(&cursor->busy, 0, memory_order_relaxed) + count < limit / 4)
                set_limit(channel, end, clamp(limit / 2));
        }
    }
    return CELL_NONE;
}

/*
 * Frees the older ones of the spent cells.  Programs whose server never releases a message would otherwise run out of
 * cells; Windows lets such messages pile up.
 */
static void recycle_spent(struct channel *channel, enum alpc_end end, uint32_t limit)
{
    uint32_t now = atomic_load_explicit(&channel->header->end[end].sequence, memory_order_relaxed), index;

    for (index = 0; index < limit; index++)
    {
        struct cell *cell = channel_cell(channel, CELL_ID(end, index));
        uint64_t state = cell ? cell_state(cell) : 0;

        if (cell_phase(state) == CELL_SPENT &&
            now - atomic_load_explicit(&cell->sequence, memory_order_relaxed) > limit / 2)
            cell_claim(cell, cell_gen(state), CELL_SPENT, CELL_FREE, (struct cell_actor){ 0 });
    }
}

uint32_t channel_alloc(struct channel *channel, enum alpc_end end, struct cell_actor actor)
{
    uint32_t limit = get_limit(channel, end), id = alloc_below(channel, end, actor, limit);

    while (id == CELL_NONE)
    {
        if (limit >= CELL_KEEP_SPENT)
        {
            recycle_spent(channel, end, limit);
            id = alloc_below(channel, end, actor, limit);
        }
        if (id != CELL_NONE || limit == CELL_COUNT)
            break;
        limit = clamp(limit * 2);
        set_limit(channel, end, limit);
        id = alloc_below(channel, end, actor, limit);
    }
    return id;
}

uint32_t channel_next_sequence(struct channel *channel, enum alpc_end end)
{
    uint32_t sequence;

    do
        sequence = atomic_fetch_add_explicit(&channel->header->end[end].sequence, 1, memory_order_relaxed) + 1;
    while (!sequence);
    return sequence;
}

/* ---------------------------------------------------------------------------------------------- states */

/* what a thread that sleeps on a cell waits for: the half of the word that holds the phase */
static const _Atomic uint32_t *futex_of(const struct cell *cell)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low half of the state comes first");
    return (const _Atomic uint32_t *)&cell->state;
}

void cell_free(struct cell *cell)
{
    uint64_t state = atomic_load_explicit(&cell->state, memory_order_relaxed);

    atomic_store_explicit(&cell->state, cell_word(CELL_FREE, cell_gen(state), (struct cell_actor){ 0 }),
                          memory_order_release);
}

uint32_t cell_send(struct cell *cell, enum cell_phase phase, struct cell_actor actor)
{
    uint32_t gen = (cell_gen(atomic_load_explicit(&cell->state, memory_order_relaxed)) + 1) & CELL_GEN_MASK;

    atomic_store_explicit(&cell->state, cell_word(phase, gen, actor), memory_order_release);
    return gen;
}

static bool change(struct cell *cell, uint32_t gen, enum cell_phase from, uint64_t to, uint64_t keep, uint64_t *before)
{
    uint64_t state = atomic_load_explicit(&cell->state, memory_order_relaxed);

    do
    {
        if (cell_phase(state) != from || cell_gen(state) != gen)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&cell->state, &state, to | (state & keep), memory_order_seq_cst,
                                                    memory_order_relaxed));
    *before = state;
    return true;
}

bool cell_claim(struct cell *cell, uint32_t gen, enum cell_phase from, enum cell_phase to, struct cell_actor actor)
{
    uint64_t before;

    return change(cell, gen, from, cell_word(to, gen, actor), CELL_WAITING, &before);
}

bool cell_pass(struct cell *cell, uint32_t gen, enum cell_phase from, enum cell_phase to, struct cell_actor actor)
{
    uint64_t before;

    if (!change(cell, gen, from, cell_word(to, gen, actor), 0, &before))
        return false;
    if (before & CELL_WAITING)
        futex_wake(futex_of(cell), INT_MAX);
    return true;
}

bool cell_sleep(struct channel *channel, struct cell *cell, uint64_t state, uint32_t lost,
                const struct deadline *deadline)
{
    uint64_t waiting = state | CELL_WAITING;

    if (state != waiting && !atomic_compare_exchange_strong_explicit(&cell->state, &state, waiting, memory_order_seq_cst,
                                                                     memory_order_relaxed))
        return true;
    /* whoever cuts the link looks for sleepers afterwards */
    if (atomic_load_explicit(&channel->header->link, memory_order_seq_cst) & lost)
        return true;
    return futex_wait(futex_of(cell), (uint32_t)waiting, deadline) != ETIMEDOUT;
}

void cell_wake(struct cell *cell)
{
    atomic_fetch_and_explicit(&cell->state, ~(uint64_t)CELL_WAITING, memory_order_seq_cst);
    futex_wake(futex_of(cell), INT_MAX);
}
