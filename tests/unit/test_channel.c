/*
 * Tests of dlls/ntdll/alpc/channel.c: the memory of a connection, and the numbers by which it is known
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "stress.h"

#include "dlls/ntdll/alpc/channel.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALL_CELLS (2u << CELL_INDEX_BITS)
#define LONGEST (0xffff - 0x28)

static struct channel channel;
static int channel_fd = -1;

/* a new channel; children inherit its mapping */
static void begin(void)
{
    channel_fd = channel_create(7, 0x2345);
    assert_int_not_equal(channel_fd, -1);
    assert_true(channel_map(&channel, channel_fd, true));
}

static void end(void)
{
    channel_unmap(&channel);
    close(channel_fd);
}

static struct cell *cell_at(uint32_t id)
{
    struct cell *cell = channel_cell(&channel, id);

    CHECK(cell != NULL);
    return cell;
}

/* ---------------------------------------------------------------------------------------------- memory */

static void test_mapping(void **state)
{
    struct channel other;

    (void)state;
    begin();
    assert_int_equal(channel.header->connection, 7);
    assert_int_equal(channel.gen_base, 0x2345);
    assert_int_equal(channel_link(&channel), LINK_CONNECTING);
    /* no one can take the memory away from the others */
    assert_int_equal(ftruncate(channel_fd, 0x1000), -1);
    assert_int_equal(ftruncate(channel_fd, CHANNEL_SIZE + 0x1000), -1);
    assert_int_equal(fcntl(channel_fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    assert_true(fcntl(channel_fd, F_GETFD) & FD_CLOEXEC);

    /* the same memory */
    assert_true(channel_map(&other, channel_fd, false));
    atomic_store(&other.header->link, LINK_CONNECTED);
    assert_int_equal(channel_link(&channel), LINK_CONNECTED);
    assert_null(channel_cell(&other, CELL_NEAR));
    assert_true(channel_map_far(&other, channel_fd));
    assert_non_null(channel_cell(&other, CELL_NEAR));
    channel_unmap_far(&other);
    assert_null(channel_cell(&other, CELL_NEAR));
    channel_unmap(&other);

    /* a client that writes over all of it does not keep the server from mapping it */
    memset(channel.header, 0xa5, CHANNEL_HOT_SIZE);
    assert_true(channel_map(&other, channel_fd, true));
    channel_unmap(&other);
    end();
    assert_false(channel_map(&other, -1, true));
}

static bool within(const void *at, size_t size)
{
    const uint8_t *byte = at, *hot = (const uint8_t *)channel.header;

    return (byte >= hot && byte + size <= hot + CHANNEL_HOT_SIZE) ||
           (byte >= channel.far && byte + size <= channel.far + CHANNEL_FAR_SIZE);
}

/* whatever number a peer writes, no cell and no content lies outside, and none in two places */
static void test_ids(void **state)
{
    struct random random = random_stream(1);
    uint32_t id, i;

    (void)state;
    begin();
    for (i = 0; i < 2 * ALL_CELLS + 100000; i++)
    {
        struct cell *cell;
        uint8_t *data;

        id = i < 2 * ALL_CELLS ? i : (uint32_t)random_next(&random);
        cell = channel_cell(&channel, id);
        if (!cell)
        {
            assert_true((id & CELL_INDEX_MASK) >= CELL_COUNT && CELL_END(id) == END_SERVER);
            continue;
        }
        assert_true(within(cell, sizeof(*cell)));
        assert_ptr_equal(cell, channel_cell(&channel, id & (ALL_CELLS - 1)));
        assert_ptr_equal(channel_data(&channel, id, cell, CELL_INLINE_SIZE), cell->data);
        data = channel_data(&channel, id, cell, LONGEST);
        assert_true(within(data, LONGEST));
        assert_true(data >= channel.far + CHANNEL_FAR_WINDOWS);
        if (id < ALL_CELLS)
        {
            /* each cell says its own number after all have been written: none is another's */
            atomic_store(&cell->sequence, id);
            assert_int_equal(channel_window_offset(id), CHANNEL_FAR_OFFSET + (uint64_t)(data - channel.far));
        }
    }
    for (id = 0; id < ALL_CELLS; id++)
        if (channel_cell(&channel, id))
            assert_int_equal(atomic_load(&cell_at(id)->sequence), id);
    end();
}

/* ---------------------------------------------------------------------------------------------- numbers */

static void test_sequence(void **state)
{
    (void)state;
    begin();
    assert_int_equal(channel_next_sequence(&channel, END_SERVER), 1);
    assert_int_equal(channel_next_sequence(&channel, END_SERVER), 2);
    assert_int_equal(channel_next_sequence(&channel, END_CLIENT), 1);
    atomic_store(&channel.header->end[END_CLIENT].sequence, UINT32_MAX - 1);
    assert_int_equal(channel_next_sequence(&channel, END_CLIENT), UINT32_MAX);
    assert_int_equal(channel_next_sequence(&channel, END_CLIENT), 1);
    end();
}

/* an id leads to its slot and cell, is never 0 and never one of a reserve; the same cell has it again late [7 #13] */
static void test_message_ids(void **state)
{
    static const uint32_t slots[] = { 1, 2, 0x1555, ROSTER_SIZE - 1 };
    uint32_t index, gen, i, id;
    enum alpc_end owner;

    (void)state;
    for (i = 0; i < ARRAY_SIZE(slots); i++)
        for (owner = END_CLIENT; owner <= END_SERVER; owner++)
            for (index = 0; index < CELL_COUNT + 2; index++)
                for (gen = 0; gen <= CELL_GEN_MASK; gen = gen * 2 + 1)
                {
                    id = message_id(slots[i], CELL_ID(owner, index), gen);
                    CHECK(id && !(id >> 31));
                    CHECK_EQUAL(message_slot(id), slots[i]);
                    CHECK_EQUAL(message_cell(id), CELL_ID(owner, index));
                }
    for (index = 0; index < MESSAGE_SMALL_CELLS; index++)
        for (gen = 1; gen < 2048; gen++)
            CHECK(message_id(1, index, gen) != message_id(1, index, 0));
    for (; index < MESSAGE_SMALL_CELLS + MESSAGE_MIDDLE_CELLS; index++)
        for (gen = 1; gen < 64; gen++)
            CHECK(message_id(1, index, gen) != message_id(1, index, 0));
    /* whatever a program gives as an id */
    for (id = 0; id < 0x20000; id++)
        CHECK(message_cell(id) < ALL_CELLS);
}

/* connections that have a slot one after the other have other ids */
static void test_gen_base(void **state)
{
    uint32_t id;

    (void)state;
    begin();
    channel.slot = 3;
    id = channel_message_id(&channel, CELL_ID(END_CLIENT, 0), 1);
    channel.gen_base += 5;
    assert_int_not_equal(channel_message_id(&channel, CELL_ID(END_CLIENT, 0), 1), id);
    assert_int_equal(message_cell(channel_message_id(&channel, CELL_ID(END_CLIENT, 0), 1)), CELL_ID(END_CLIENT, 0));
    end();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mapping),     cmocka_unit_test(test_ids),      cmocka_unit_test(test_sequence),
        cmocka_unit_test(test_message_ids), cmocka_unit_test(test_gen_base),
    };

    return STRESS_MAIN("test_channel", tests);
}
