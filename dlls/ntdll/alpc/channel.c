/*
 * The channel of a connection: its memory
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "channel.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------------------------- memory */

int channel_create(uint64_t connection, uint32_t gen_base)
{
    const struct channel_header header = { .connection = connection, .gen_base = gen_base, .link = LINK_CONNECTING };
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
    *channel = (struct channel){ .header = header, .lazy = lazy, .gen_base = header->gen_base };
    queue_init(&channel->client_queue, &header->post, &header->desk,
               (_Atomic uint64_t *)((uint8_t *)header + CHANNEL_RING_OFFSET), CLIENT_QUEUE_BITS);
    channel->queue[END_CLIENT] = &channel->client_queue;
    return true;
}

bool channel_map_far(struct channel *channel, int fd)
{
    void *far =
        mmap(NULL, CHANNEL_FAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, CHANNEL_FAR_OFFSET);

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
    if (atomic_compare_exchange_strong_explicit(&channel->far, &others, far, memory_order_acq_rel,
                                                memory_order_acquire))
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

/* ---------------------------------------------------------------------------------------------- header */

uint32_t channel_peak(const struct channel *channel, enum alpc_end end)
{
    uint32_t peak = atomic_load_explicit(&channel->header->end[end].peak, memory_order_seq_cst);

    return !peak ? 0 : peak < CELL_NEAR ? CELL_NEAR : peak > CELL_COUNT ? CELL_COUNT : peak;
}

uint32_t channel_next_sequence(struct channel *channel, enum alpc_end end)
{
    uint32_t sequence;

    do
        sequence = atomic_fetch_add_explicit(&channel->header->end[end].sequence, 1, memory_order_relaxed) + 1;
    while (!sequence);
    return sequence;
}

/* those who receive on the server communication port have a bell of their own: what they wait for is this client's */
static void ring_comm_bell(struct channel_header *header)
{
    atomic_fetch_add_explicit(&header->comm_bell, 1, memory_order_seq_cst);
    futex_wake(&header->comm_bell, INT_MAX);
}

bool channel_announce(struct channel *channel, enum alpc_end end, uint32_t cell, uint32_t gen, uint64_t *position)
{
    const struct queue_entry entry = { .slot = channel_queue_slot(channel, end), .cell = cell, .gen = gen };
    struct queue *queue = channel->queue[end];
    uint64_t at;

    if (!queue)
        return true;
    if (!queue_put(queue, entry, &at))
        return false;
    queue_ring(queue);
    if (end == END_SERVER && atomic_load_explicit(&channel->header->comm.sleepers, memory_order_seq_cst))
        ring_comm_bell(channel->header);
    if (position)
        *position = at;
    return true;
}

bool channel_announce_in_time(struct channel *channel, enum alpc_end end, uint32_t cell, uint32_t gen,
                              uint64_t *position)
{
    struct deadline room = deadline_never;

    while (!channel_announce(channel, end, cell, gen, position))
        if (!wait_for_room(&room))
            return false;
    return true;
}
