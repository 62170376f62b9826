/*
 * The Alpc* helpers [alpc.md 1.4], message attribute buffers [2.3]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Not here: the completion-list helpers.
 */

#include "fault.h"

#define WIDTH(x64, x86) (sizeof(void *) == 8 ? (x64) : (x86))

#define ALL_ATTRIBUTES 0xfe000000
#define ATTRIBUTES 7

/* [2.3] the highest bit stands first in the buffer */
static const struct
{
    ULONG bit;
    ULONG x64, x86;               /* size */
    ULONG offset_x64, offset_x86; /* when all are allocated */
} attribute_table[ATTRIBUTES] = {
    { 0x80000000, 0x18, 0x0c, 0x08, 0x08 }, { 0x40000000, 0x20, 0x10, 0x20, 0x14 },
    { 0x20000000, 0x20, 0x14, 0x40, 0x24 }, { 0x10000000, 0x18, 0x10, 0x60, 0x38 },
    { 0x08000000, 0x18, 0x18, 0x78, 0x48 }, { 0x04000000, 0x08, 0x04, 0x90, 0x60 },
    { 0x02000000, 0x08, 0x08, 0x98, 0x64 },
};

static ULONG body_size(unsigned int i)
{
    return WIDTH(attribute_table[i].x64, attribute_table[i].x86);
}

static ULONG expected_size(ULONG attributes)
{
    ULONG size = 8;
    unsigned int i;

    for (i = 0; i < ATTRIBUTES; i++)
        if (attributes & attribute_table[i].bit)
            size += body_size(i);
    return size;
}

/* of the body of an attribute that is allocated */
static ULONG expected_offset(ULONG allocated, unsigned int attribute)
{
    ULONG offset = 8;
    unsigned int i;

    for (i = 0; i < attribute; i++)
        if (allocated & attribute_table[i].bit)
            offset += body_size(i);
    return offset;
}

/* calls test for each of the 128 combinations */
static void for_each_combination(void (*test)(ULONG attributes))
{
    ULONG i;

    for (i = 0; i < 1u << ATTRIBUTES; i++)
        test(i << 25);
}

/* ---------------------------------------------------------------------------------------------- sizes */

static void check_size(ULONG attributes)
{
    ok(AlpcGetHeaderSize(attributes) == expected_size(attributes), "[2.3] %#lx: got %#lx, expected %#lx\n", attributes,
       AlpcGetHeaderSize(attributes), expected_size(attributes));
    ok(AlpcGetHeaderSize(attributes | 0x01ffffff) == expected_size(attributes),
       "[1.4] %#lx with unknown bits: got %#lx\n", attributes, AlpcGetHeaderSize(attributes | 0x01ffffff));
}

static void test_sizes(void)
{
    static const struct
    {
        ULONG attributes, x64, x86;
    } values[] = {
        { 0, 8, 8 },
        { 1, 8, 8 },
        { 0x01000000, 8, 8 },
        { 0x10000000, 0x20, 0x18 },
        { 0x20000000, 0x28, 0x1c },
        { 0x60000000, 0x48, 0x2c },
        { 0xf0000000, 0x78, 0x48 },
        { 0xfe000000, 0xa0, 0x6c },
        { 0xffffffff, 0xa0, 0x6c },
    };
    unsigned int i;

    ok(AlpcMaxAllowedMessageLength() == WIDTH(0xffff, 0xffef), "[1.4] got %#lx\n", AlpcMaxAllowedMessageLength());
    for (i = 0; i < ARRAY_SIZE(values); i++)
        ok(AlpcGetHeaderSize(values[i].attributes) == WIDTH(values[i].x64, values[i].x86), "[2.3] %#lx: got %#lx\n",
           values[i].attributes, AlpcGetHeaderSize(values[i].attributes));
    for_each_combination(check_size);
}

/* ---------------------------------------------------------------------------------------------- initialization */

/* room for all, and more */
struct buffer
{
    ALPC_MESSAGE_ATTRIBUTES header;
    BYTE bodies[0x100];
};

static BOOL is_filled(const void *memory, SIZE_T size)
{
    const BYTE *byte = memory;

    while (size && *byte == 0xcc)
        size--, byte++;
    return !size;
}

static void check_initialization(ULONG attributes)
{
    const ULONG expected = expected_size(attributes);
    struct buffer buffer;
    SIZE_T required;
    NTSTATUS status;

    required = 0xdeadbeef;
    status = AlpcInitializeMessageAttribute(attributes, NULL, 0, &required);
    ok(status == STATUS_BUFFER_TOO_SMALL, "[1.4] %#lx: asked for the size: %#lx\n", attributes, status);
    ok(required == expected, "[1.4] %#lx: required %#Ix\n", attributes, required);

    memset(&buffer, 0xcc, sizeof(buffer));
    required = 0xdeadbeef;
    status = AlpcInitializeMessageAttribute(attributes, &buffer.header, expected - 1, &required);
    ok(status == STATUS_BUFFER_TOO_SMALL, "[1.4] %#lx: one byte too few: %#lx\n", attributes, status);
    ok(required == expected, "[1.4] %#lx: required %#Ix\n", attributes, required);
    ok(is_filled(&buffer, sizeof(buffer)), "[1.4] %#lx: a buffer that is too small was written to\n", attributes);

    required = 0xdeadbeef;
    status = AlpcInitializeMessageAttribute(attributes, &buffer.header, expected, &required);
    ok(!status, "[1.4] %#lx: %#lx\n", attributes, status);
    ok(required == expected, "[1.4] %#lx: required %#Ix\n", attributes, required);
    ok(buffer.header.AllocatedAttributes == attributes, "[1.4] %#lx: allocated %#lx\n", attributes,
       buffer.header.AllocatedAttributes);
    ok(!buffer.header.ValidAttributes, "[1.4] %#lx: valid %#lx\n", attributes, buffer.header.ValidAttributes);
    ok(is_filled(buffer.bodies, sizeof(buffer.bodies)), "[1.4] %#lx: a body was written to\n", attributes);
}

static void test_initialization(void)
{
    static const ULONG unknown[] = { 1, 0x01000000, 0x30000001, 0xffffffff };
    struct buffer buffer;
    SIZE_T required;
    NTSTATUS status;
    unsigned int i;

    for_each_combination(check_initialization);

    /* unknown bits are kept and take no room */
    for (i = 0; i < ARRAY_SIZE(unknown); i++)
    {
        memset(&buffer, 0xcc, sizeof(buffer));
        required = 0xdeadbeef;
        status = AlpcInitializeMessageAttribute(unknown[i], &buffer.header, sizeof(buffer), &required);
        ok(!status, "[1.4] %#lx: %#lx\n", unknown[i], status);
        ok(required == expected_size(unknown[i]), "[1.4] %#lx: required %#Ix\n", unknown[i], required);
        ok(buffer.header.AllocatedAttributes == unknown[i], "[1.4] %#lx: allocated %#lx\n", unknown[i],
           buffer.header.AllocatedAttributes);
        ok(is_filled(buffer.bodies, sizeof(buffer.bodies)), "[1.4] %#lx: a body was written to\n", unknown[i]);
    }

    /* no buffer, but room enough */
    required = 0xdeadbeef;
    status = AlpcInitializeMessageAttribute(ALL_ATTRIBUTES, NULL, 0x1000, &required);
    ok(!status, "[1.4] no buffer: %#lx\n", status);
    ok(required == expected_size(ALL_ATTRIBUTES), "[1.4] no buffer: required %#Ix\n", required);

    /* the size is a SIZE_T, and so is what is required */
    memset(&buffer, 0xcc, sizeof(buffer));
    required = ~(SIZE_T)0;
    status =
        AlpcInitializeMessageAttribute(0x20000000, &buffer.header, ~(SIZE_T)0 << (8 * sizeof(SIZE_T) - 8), &required);
    ok(!status, "[1.4] huge size: %#lx\n", status);
    ok(required == expected_size(0x20000000), "[1.4] required %#Ix\n", required);
}

/* ---------------------------------------------------------------------------------------------- bodies */

static void check_bodies(ULONG allocated)
{
    struct buffer buffer = { .header.AllocatedAttributes = allocated };
    unsigned int i, j;

    for (i = 0; i < ATTRIBUTES; i++)
    {
        ULONG bit = attribute_table[i].bit;
        BYTE *expected = allocated & bit ? (BYTE *)&buffer + expected_offset(allocated, i) : NULL;

        ok(AlpcGetMessageAttribute(&buffer.header, bit) == expected, "[1.4] %#lx in %#lx: %p instead of %p in %p\n",
           bit, allocated, AlpcGetMessageAttribute(&buffer.header, bit), expected, &buffer);
        for (j = 0; j < i; j++)
            ok(!AlpcGetMessageAttribute(&buffer.header, bit | attribute_table[j].bit), "[1.4] %#lx in %#lx\n",
               bit | attribute_table[j].bit, allocated);
    }
    ok(!AlpcGetMessageAttribute(&buffer.header, 0), "[1.4] 0 in %#lx\n", allocated);
    ok(!AlpcGetMessageAttribute(&buffer.header, ALL_ATTRIBUTES), "[1.4] all in %#lx\n", allocated);
}

static void test_bodies(void)
{
    struct buffer buffer = { .header.AllocatedAttributes = ALL_ATTRIBUTES };
    BYTE *body;
    ULONG bit;
    unsigned int i;

    for (i = 0; i < ATTRIBUTES; i++)
    {
        body = AlpcGetMessageAttribute(&buffer.header, attribute_table[i].bit);
        ok(body - (BYTE *)&buffer == WIDTH(attribute_table[i].offset_x64, attribute_table[i].offset_x86),
           "[2.3] %#lx stands at %#Ix\n", attribute_table[i].bit, body - (BYTE *)&buffer);
    }
    for_each_combination(check_bodies);

    /* whether an attribute is valid does not matter */
    buffer.header.ValidAttributes = 0;
    body = AlpcGetMessageAttribute(&buffer.header, ALPC_MESSAGE_CONTEXT_ATTRIBUTE);
    buffer.header.ValidAttributes = ALL_ATTRIBUTES;
    ok(body && body == AlpcGetMessageAttribute(&buffer.header, ALPC_MESSAGE_CONTEXT_ATTRIBUTE),
       "[1.4] ValidAttributes changes the place\n");

    /* bits that are no attribute are found nowhere, even if they are allocated, and shift nothing */
    buffer.header.AllocatedAttributes = 0xffffffff;
    for (bit = 1; bit <= 0x01000000; bit <<= 1)
        ok(!AlpcGetMessageAttribute(&buffer.header, bit), "[1.4] %#lx\n", bit);
    ok(AlpcGetMessageAttribute(&buffer.header, ALPC_MESSAGE_CONTEXT_ATTRIBUTE) == body,
       "[1.4] with unknown bits allocated\n");
}

/* ---------------------------------------------------------------------------------------------- faults */

static void get_from_null(void *arg)
{
    (void)arg;
    AlpcGetMessageAttribute(NULL, ALPC_MESSAGE_CONTEXT_ATTRIBUTE);
}

static void initialize_without_required(void *buffer)
{
    AlpcInitializeMessageAttribute(ALPC_MESSAGE_CONTEXT_ATTRIBUTE, buffer, sizeof(struct buffer), NULL);
}

static void initialize(void *buffer)
{
    SIZE_T required;

    AlpcInitializeMessageAttribute(ALPC_MESSAGE_CONTEXT_ATTRIBUTE, buffer, sizeof(struct buffer), &required);
}

/* these run in the program, so a bad pointer is an exception and no status */
static void test_faults(void)
{
    struct buffer buffer, *readonly;

    memset(&buffer, 0xcc, sizeof(buffer));
    ok_status("1.4", fault_of(get_from_null, NULL), STATUS_ACCESS_VIOLATION);
    ok_status("1.4", fault_of(initialize_without_required, &buffer), STATUS_ACCESS_VIOLATION);
    ok(is_filled(&buffer, sizeof(buffer)), "[1.4] it wrote to the buffer\n");
    readonly = VirtualAlloc(NULL, 0x1000, MEM_RESERVE | MEM_COMMIT, PAGE_READONLY);
    ok_status("1.4", fault_of(initialize, readonly), STATUS_ACCESS_VIOLATION);
    VirtualFree(readonly, 0, MEM_RELEASE);
    /* a call in order, to test the catcher */
    ok_status("1.4", fault_of(initialize, &buffer), STATUS_SUCCESS);
}

START_TEST(helpers)
{
    test_sizes();
    test_initialization();
    test_bodies();
    test_faults();
}
