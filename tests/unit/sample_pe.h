/*
 * A tiny DLL that looks like Wine's ntdll, made in memory, and a second reader of export tables that shares no code
 * with tools/pe.c: for the tests of the replacement ntdll and their fuzzer.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_TESTS_SAMPLE_PE_H
#define NTALPC_TESTS_SAMPLE_PE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* File offsets in the sample. */
enum
{
    SAMPLE_PE = 0x80,
    SAMPLE_FILE_HEADER = SAMPLE_PE + 4,
    SAMPLE_OPTIONAL = SAMPLE_FILE_HEADER + 20,
    SAMPLE_DIRECTORIES = SAMPLE_OPTIONAL + 112,
    SAMPLE_SECTIONS = SAMPLE_OPTIONAL + 240,
    SAMPLE_HEADERS_SIZE = 0x400,
    SAMPLE_TEXT = 0x400,
    SAMPLE_EXPORTS = 0x600,
    SAMPLE_DATA = 0xa00,
    SAMPLE_DEBUG1 = 0xc00,
    SAMPLE_DEBUG2 = 0xe00,
    SAMPLE_SYMBOLS = 0x1000,
    SAMPLE_SIZE = 0x1040,
};

/* Its sections: .text .edata .data and the two debug sections /4 and .debug_x, in this order. */
enum
{
    SAMPLE_SECTION_COUNT = 5,
    SAMPLE_KEPT_COUNT = 3,
    SAMPLE_ORDINAL_BASE = 5,
    SAMPLE_FUNCTION_COUNT = 8,
    SAMPLE_NAME_COUNT = 6,
    SAMPLE_EXPORTS_RVA = 0x2000,
};

/* Fills in the sample; it exports NtClose, ZwClose, NtQueryObject and other names. */
void sample_build(uint8_t file[SAMPLE_SIZE]);

void sample_put16(uint8_t *at, unsigned int value);
void sample_put32(uint8_t *at, uint32_t value);
uint32_t sample_get32(const uint8_t *at);

struct sample_export
{
    bool found;
    uint32_t ordinal;
    uint32_t rva; /* as the table has it, also for a forwarder */
    const char *forward;
};

/*
 * Looks a name up as a loader does: by halving, and an address within the export directory is a forwarder.  The file
 * must be one that pe_parse and pe_exports_read have found good.
 */
struct sample_export sample_find(const uint8_t *file, const char *name);

/* The same for an ordinal. */
struct sample_export sample_find_ordinal(const uint8_t *file, uint32_t ordinal);

/* The number of names and the name with that number. */
uint32_t sample_name_count(const uint8_t *file);
const char *sample_name(const uint8_t *file, uint32_t number);

#endif
