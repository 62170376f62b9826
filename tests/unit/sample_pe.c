/*
 * A tiny DLL that looks like Wine's ntdll, made in memory, and a second reader of export tables.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "tests/unit/sample_pe.h"

#include <string.h>

void sample_put16(uint8_t *at, unsigned int value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

void sample_put32(uint8_t *at, uint32_t value)
{
    sample_put16(at, value & 0xffff);
    sample_put16(at + 2, value >> 16);
}

static uint32_t get16(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8;
}

uint32_t sample_get32(const uint8_t *at)
{
    return get16(at) | get16(at + 2) << 16;
}

static void put_section(uint8_t *file, unsigned int number, const char *name, uint32_t rva, uint32_t raw_offset,
                        uint32_t size, uint32_t flags)
{
    uint8_t *header = file + SAMPLE_SECTIONS + number * 40;

    memcpy(header, name, strlen(name));
    sample_put32(header + 8, size);
    sample_put32(header + 12, rva);
    sample_put32(header + 16, (size + 0x1ff) & ~0x1ffu);
    sample_put32(header + 20, raw_offset);
    sample_put32(header + 36, flags);
}

static void put_exports(uint8_t *file)
{
    static const struct
    {
        const char *name;
        unsigned int index;
    } names[SAMPLE_NAME_COUNT] = {
        { "LdrFirst", 7 },      { "NtClose", 0 },    { "NtCreatePort", 2 },
        { "NtQueryObject", 6 }, { "RtlForward", 4 }, { "ZwClose", 5 },
    };
    static const uint32_t functions[SAMPLE_FUNCTION_COUNT] = { 0x1000, 0, 0x1010, 0x1020, 0, 0x1000, 0x1030, 0x3000 };
    uint8_t *directory = file + SAMPLE_EXPORTS;
    uint32_t table = SAMPLE_EXPORTS_RVA + 40, used = 40 + SAMPLE_FUNCTION_COUNT * 4 + SAMPLE_NAME_COUNT * 6;
    uint8_t *at = directory + 40;

    sample_put32(directory + 4, 0x12345678);
    sample_put32(directory + 8, 0x00020001);
    sample_put32(directory + 16, SAMPLE_ORDINAL_BASE);
    sample_put32(directory + 20, SAMPLE_FUNCTION_COUNT);
    sample_put32(directory + 24, SAMPLE_NAME_COUNT);
    sample_put32(directory + 28, table);
    sample_put32(directory + 32, table + SAMPLE_FUNCTION_COUNT * 4);
    sample_put32(directory + 36, table + SAMPLE_FUNCTION_COUNT * 4 + SAMPLE_NAME_COUNT * 4);

    for (unsigned int i = 0; i < SAMPLE_FUNCTION_COUNT; i++)
        sample_put32(at + i * 4, functions[i]);
    sample_put32(at + 4 * 4, SAMPLE_EXPORTS_RVA + used);
    strcpy((char *)directory + used, "other.RtlTarget");
    used += sizeof("other.RtlTarget");
    sample_put32(directory + 12, SAMPLE_EXPORTS_RVA + used);
    strcpy((char *)directory + used, "ntdll.dll");
    used += sizeof("ntdll.dll");
    for (unsigned int i = 0; i < SAMPLE_NAME_COUNT; i++)
    {
        sample_put32(at + SAMPLE_FUNCTION_COUNT * 4 + i * 4, SAMPLE_EXPORTS_RVA + used);
        sample_put16(at + SAMPLE_FUNCTION_COUNT * 4 + SAMPLE_NAME_COUNT * 4 + i * 2, names[i].index);
        strcpy((char *)directory + used, names[i].name);
        used += (uint32_t)strlen(names[i].name) + 1;
    }
    sample_put32(file + SAMPLE_DIRECTORIES, SAMPLE_EXPORTS_RVA);
    sample_put32(file + SAMPLE_DIRECTORIES + 4, used);
}

void sample_build(uint8_t file[SAMPLE_SIZE])
{
    uint8_t *header = file + SAMPLE_FILE_HEADER, *optional = file + SAMPLE_OPTIONAL;

    memset(file, 0, SAMPLE_SIZE);
    memcpy(file, "MZ", 2);
    sample_put32(file + 0x3c, SAMPLE_PE);
    memcpy(file + 0x40, "Wine builtin DLL", 17);
    memcpy(file + SAMPLE_PE, "PE\0\0", 4);
    sample_put16(header, 0x8664);
    sample_put16(header + 2, SAMPLE_SECTION_COUNT);
    sample_put32(header + 4, 0x63f14e2b);
    sample_put32(header + 8, SAMPLE_SYMBOLS);
    sample_put32(header + 12, 3);
    sample_put16(header + 16, 240);
    sample_put16(header + 18, 0x2022);
    sample_put16(optional, 0x20b);
    sample_put32(optional + 16, 0x1000);
    sample_put32(optional + 24, 0x70000000);
    sample_put32(optional + 28, 1);
    sample_put32(optional + 32, 0x1000);
    sample_put32(optional + 36, 0x200);
    sample_put32(optional + 56, 0x6000);
    sample_put32(optional + 60, SAMPLE_HEADERS_SIZE);
    sample_put32(optional + 108, 16);

    put_section(file, 0, ".text", 0x1000, SAMPLE_TEXT, 0x40, 0x60000020);
    put_section(file, 1, ".edata", SAMPLE_EXPORTS_RVA, SAMPLE_EXPORTS, 0x3c0, 0x40000040);
    put_section(file, 2, ".data", 0x3000, SAMPLE_DATA, 0x20, 0xc0000040);
    put_section(file, 3, "/4", 0x4000, SAMPLE_DEBUG1, 0x100, 0x42000040);
    put_section(file, 4, ".debug_x", 0x5000, SAMPLE_DEBUG2, 0x200, 0x42000040);
    memset(file + SAMPLE_TEXT, 0xc3, 0x40);
    memset(file + SAMPLE_DATA, 0x5a, 0x20);
    memset(file + SAMPLE_DEBUG1, 0xdd, 0x100);
    memset(file + SAMPLE_DEBUG2, 0xee, 0x200);
    memset(file + SAMPLE_SYMBOLS, 0x11, SAMPLE_SIZE - SAMPLE_SYMBOLS);
    put_exports(file);
}

/* ------------------------------------------------------------------------------------------- the second reader */

static const uint8_t *pe_header(const uint8_t *file)
{
    return file + sample_get32(file + 0x3c);
}

static const uint8_t *at_rva(const uint8_t *file, uint32_t rva)
{
    const uint8_t *pe = pe_header(file);
    const uint8_t *section = pe + 24 + get16(pe + 20);

    for (uint32_t i = 0; i < get16(pe + 6); i++, section += 40)
    {
        uint32_t start = sample_get32(section + 12);

        if (rva >= start && rva < start + sample_get32(section + 16))
            return file + sample_get32(section + 20) + (rva - start);
    }
    return NULL;
}

static const uint8_t *export_directory(const uint8_t *file)
{
    return at_rva(file, sample_get32(pe_header(file) + 24 + 112));
}

uint32_t sample_name_count(const uint8_t *file)
{
    return sample_get32(export_directory(file) + 24);
}

const char *sample_name(const uint8_t *file, uint32_t number)
{
    const uint8_t *names = at_rva(file, sample_get32(export_directory(file) + 32));

    return (const char *)at_rva(file, sample_get32(names + number * 4));
}

struct sample_export sample_find_ordinal(const uint8_t *file, uint32_t ordinal)
{
    const uint8_t *directory = export_directory(file), *place = pe_header(file) + 24 + 112;
    const uint8_t *functions = at_rva(file, sample_get32(directory + 28));
    struct sample_export result = { .ordinal = ordinal };

    ordinal -= sample_get32(directory + 16);
    if (ordinal >= sample_get32(directory + 20))
        return result;
    result.rva = sample_get32(functions + ordinal * 4);
    result.found = result.rva != 0;
    if (result.rva >= sample_get32(place) && result.rva < sample_get32(place) + sample_get32(place + 4))
        result.forward = (const char *)at_rva(file, result.rva);
    return result;
}

struct sample_export sample_find(const uint8_t *file, const char *name)
{
    const uint8_t *directory = export_directory(file);
    const uint8_t *indices = at_rva(file, sample_get32(directory + 36));
    uint32_t low = 0, high = sample_name_count(file);

    while (low < high)
    {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(sample_name(file, middle), name);

        if (!order)
            return sample_find_ordinal(file, sample_get32(directory + 16) + get16(indices + middle * 2));
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return (struct sample_export){ 0 };
}
