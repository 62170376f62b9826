/*
 * The replacement ntdll: what it must keep, what it must change, and what it must refuse.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/sample_pe.h"
#include "tools/file.h"
#include "tools/pe.h"
#include "tools/replace.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct replace_name sample_names[] = {
    { "NtAlpcCreatePort", false },  { "NtClose", true },     { "ZwClose", false }, { "NtCreatePort", false },
    { "AlpcGetHeaderSize", false }, { "RtlForward", false }, { "zLast", false },   { "LdrA", false },
};

struct file
{
    uint8_t *data;
    size_t size;
};

static struct file replace_with(const uint8_t *host, size_t size, const struct replace_name *names, size_t count,
                                struct error *error)
{
    /* an exact copy on the heap, so that the sanitizer sees any step beyond its end */
    uint8_t *copy = malloc(size ? size : 1);
    struct file result = { 0 };

    assert_non_null(copy);
    memcpy(copy, host, size);
    if (!replace_ntdll(copy, size, names, count, &result.data, &result.size, error))
    {
        assert_null(result.data);
        assert_true(error->text[0]);
        assert_null(strchr(error->text, '\n'));
    }
    free(copy);
    return result;
}

static struct file replace_sample(const uint8_t *host, struct error *error)
{
    return replace_with(host, SAMPLE_SIZE, sample_names, COUNT(sample_names), error);
}

static void expect_refusal(const uint8_t *host, size_t size, const char *reason)
{
    struct error error = { "" };
    struct file result = replace_with(host, size, sample_names, COUNT(sample_names), &error);

    if (!result.data && strstr(error.text, reason))
        return;
    free(result.data);
    fail_msg("expected \"%s\", got \"%s\"", reason, result.data ? "a file" : error.text);
}

static bool is_listed(const struct replace_name *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(names[i].name, name))
            return true;
    return false;
}

static void expect_same_target(struct sample_export new, struct sample_export old)
{
    assert_int_equal(new.found, old.found);
    if (old.forward)
        assert_string_equal(new.forward, old.forward);
    else
    {
        assert_null(new.forward);
        assert_int_equal(new.rva, old.rva);
    }
}

/* Everything that is promised about the exports, read with the second reader. */
static void check_exports(const uint8_t *host, const uint8_t *result, const struct replace_name *names, size_t count)
{
    uint32_t last_ordinal = 0;

    for (uint32_t i = 1; i < sample_name_count(result); i++)
        assert_true(strcmp(sample_name(result, i - 1), sample_name(result, i)) < 0);
    assert_int_equal(sample_name_count(result), sample_name_count(host) + count);

    for (uint32_t i = 0; i < sample_name_count(host); i++)
    {
        const char *name = sample_name(host, i);
        struct sample_export old = sample_find(host, name), new = sample_find(result, name);
        char text[512];

        assert_true(old.found && new.found);
        assert_int_equal(new.ordinal, old.ordinal);
        if (old.ordinal > last_ordinal)
            last_ordinal = old.ordinal;
        snprintf(text, sizeof(text), "__wine_host_%s", name);
        if (is_listed(names, count, name))
            expect_same_target(sample_find(result, text), old);
        else
        {
            expect_same_target(new, old);
            assert_false(sample_find(result, text).found);
        }
    }
    for (size_t i = 0; i < count; i++)
    {
        struct sample_export new = sample_find(result, names[i].name);
        char text[512];

        snprintf(text, sizeof(text), "ntalpc.dll16.%s", names[i].name);
        assert_true(new.found);
        assert_non_null(new.forward);
        assert_string_equal(new.forward, text);
        if (!sample_find(host, names[i].name).found)
            assert_true(new.ordinal > last_ordinal);
    }
}

/* Everything that is promised about the rest of the file. */
static void check_file(const uint8_t *host, size_t host_size, struct file result)
{
    struct pe_image old, new;
    const struct pe_section *added;
    struct error error;
    uint64_t sum = 0;

    if (!pe_parse(&old, host, host_size, &error))
        fail_msg("%s", error.text);
    if (!pe_parse(&new, result.data, result.size, &error))
        fail_msg("%s", error.text);
    assert_true(new.section_count >= 2);
    added = &new.section[new.section_count - 1];
    assert_string_equal(added->name, ".ntalpc");
    assert_int_equal(new.directory[0].rva, added->rva);
    assert_int_equal(new.directory[0].size, added->extent);
    assert_int_equal(added->rva % old.section_alignment, 0);
    assert_int_equal(added->raw_offset % old.file_alignment, 0);
    assert_int_equal(added->raw_size % old.file_alignment, 0);
    assert_int_equal(new.image_size, pe_align(added->rva + added->extent, old.section_alignment));
    assert_int_equal(result.size, added->raw_offset + added->raw_size);
    assert_int_equal(sample_get32(result.data + new.file_header + 8), 0);
    assert_int_equal(sample_get32(result.data + new.file_header + 12), 0);
    for (unsigned int i = 0; i + 1 < new.section_count; i++)
    {
        assert_memory_equal(&new.section[i], &old.section[i], sizeof(new.section[i]));
        assert_memory_equal(result.data + new.section[i].raw_offset, host + old.section[i].raw_offset,
                            old.section[i].raw_size);
    }
    for (unsigned int i = 1; i < old.directory_count; i++)
        assert_memory_equal(&new.directory[i], &old.directory[i], sizeof(new.directory[i]));

    /* no header of a dropped section is left */
    for (size_t i = new.section_table + new.section_count * 40; i < old.section_table + old.section_count * 40; i++)
        assert_int_equal(result.data[i], 0);

    /* the headers differ in the fields named in replace.h and nowhere else */
    for (size_t i = 0; i < old.section_table; i++)
    {
        size_t optional = i - old.optional_header;

        if (i >= old.file_header + 2 && i < old.file_header + 4)
            continue;
        if (i >= old.file_header + 8 && i < old.file_header + 16)
            continue;
        if (i >= old.optional_header && ((optional >= 56 && optional < 60) || (optional >= 64 && optional < 68) ||
                                         (optional >= 112 && optional < 120)))
            continue;
        if (host[i] != result.data[i])
            fail_msg("header byte 0x%zx differs", i);
    }

    /* the checksum, summed up in another way than pe_checksum does it */
    for (size_t i = 0; i < result.size; i += 2)
    {
        sum += result.data[i] + (i + 1 < result.size ? result.data[i + 1] * 256u : 0);
        if (i == pe_checksum_offset(&new) || i == pe_checksum_offset(&new) + 2)
            sum -= result.data[i] + result.data[i + 1] * 256u;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    assert_int_equal(sample_get32(result.data + pe_checksum_offset(&new)), sum + result.size);
}

static void test_sample(void **state)
{
    uint8_t host[SAMPLE_SIZE];
    struct error error;
    struct file result;
    struct pe_image pe;

    (void)state;
    sample_build(host);
    result = replace_sample(host, &error);
    if (!result.data)
        fail_msg("%s", error.text);
    check_exports(host, result.data, sample_names, COUNT(sample_names));
    check_file(host, SAMPLE_SIZE, result);
    assert_true(pe_parse(&pe, result.data, result.size, &error));
    assert_int_equal(pe.section_count, SAMPLE_KEPT_COUNT + 1);
    assert_int_equal(pe.section[SAMPLE_KEPT_COUNT].rva, 0x4000);
    assert_int_equal(pe.section[SAMPLE_KEPT_COUNT].raw_offset, SAMPLE_DEBUG1);
    assert_memory_equal(result.data + 0x40, host + 0x40, 0x20);

    /* what has no name: a hole stays one, an export by ordinal alone stays where it is */
    assert_false(sample_find_ordinal(result.data, SAMPLE_ORDINAL_BASE + 1).found);
    assert_int_equal(sample_find_ordinal(result.data, SAMPLE_ORDINAL_BASE + 3).rva, 0x1020);
    /* the host's own forwarder, under its private name */
    assert_string_equal(sample_find(result.data, "__wine_host_RtlForward").forward, "other.RtlTarget");
    assert_int_equal(sample_find(result.data, "__wine_host_NtClose").rva, 0x1000);
    free(result.data);
}

static void test_forwarder_kept(void **state)
{
    static const struct replace_name only[] = { { "NtClose", true } };
    uint8_t host[SAMPLE_SIZE];
    struct error error;
    struct file result;

    (void)state;
    sample_build(host);
    result = replace_with(host, SAMPLE_SIZE, only, COUNT(only), &error);
    if (!result.data)
        fail_msg("%s", error.text);
    check_exports(host, result.data, only, COUNT(only));
    assert_string_equal(sample_find(result.data, "RtlForward").forward, "other.RtlTarget");
    free(result.data);
}

static void test_empty_list(void **state)
{
    uint8_t host[SAMPLE_SIZE];
    struct error error;
    struct file result;

    (void)state;
    sample_build(host);
    result = replace_with(host, SAMPLE_SIZE, NULL, 0, &error);
    if (!result.data)
        fail_msg("%s", error.text);
    check_exports(host, result.data, NULL, 0);
    check_file(host, SAMPLE_SIZE, result);
    free(result.data);
}

/* The ntdll.dll of the Wine that this was configured for. */
static void test_real_ntdll(void **state)
{
    const char *path = getenv("NTALPC_TEST_NTDLL") ? getenv("NTALPC_TEST_NTDLL") : HOST_NTDLL;
    uint8_t *host = NULL;
    size_t size;
    struct error error;
    struct file result;

    (void)state;
    if (!file_read(path, &host, &size, &error))
    {
        print_message("%s\n", error.text);
        skip();
    }
    result = replace_with(host, size, replace_names, replace_name_count, &error);
    if (!result.data)
        fail_msg("%s", error.text);
    check_exports(host, result.data, replace_names, replace_name_count);
    check_file(host, size, result);
    for (size_t i = 0; i < replace_name_count; i++)
        if (replace_names[i].needs_host)
            assert_true(sample_find(host, replace_names[i].name).found);
    expect_refusal(result.data, result.size, "a replacement already");
    free(result.data);
    free(host);
}

/* One damage to the sample, and a part of the reason that must be given. */
struct damage
{
    const char *reason;
    uint32_t offset;
    uint32_t width; /* bytes */
    uint32_t value;
};

static void test_refusals(void **state)
{
    enum
    {
        HEADER = SAMPLE_FILE_HEADER,
        OPTIONAL = SAMPLE_OPTIONAL,
        DIRECTORY = SAMPLE_DIRECTORIES,
        SECTION = SAMPLE_SECTIONS,
        EXPORTS = SAMPLE_EXPORTS,
        FUNCTIONS = SAMPLE_EXPORTS + 40,
        NAMES = FUNCTIONS + SAMPLE_FUNCTION_COUNT * 4,
        INDICES = NAMES + SAMPLE_NAME_COUNT * 4,
        STRINGS = INDICES + SAMPLE_NAME_COUNT * 2,
    };
    static const struct damage damages[] = {
        { "no MZ header", 0, 1, 'X' },
        { "its header is outside the file", 0x3c, 4, 0xfffffff0 },
        { "its header is outside the file", 0x3c, 4, SAMPLE_SIZE - 8 },
        { "its header is outside the file", 0x3c, 4, 0x20 },
        { "no PE signature", SAMPLE_PE, 1, 'N' },
        { "32-bit", HEADER, 2, 0x14c },
        { "32-bit", OPTIONAL, 2, 0x10b },
        { "another processor", HEADER, 2, 0xaa64 },
        { "optional header", OPTIONAL, 2, 0x107 },
        { "not a DLL", HEADER + 18, 2, 0x0022 },
        { "not a finished DLL", HEADER + 18, 2, 0x2020 },
        { "no builtin mark", 0x40, 1, 'w' },
        { "no builtin mark", 0x50, 1, '!' },
        { "alignment", OPTIONAL + 32, 4, 0x1001 },
        { "alignment", OPTIONAL + 32, 4, 0x800 },
        { "alignment", OPTIONAL + 36, 4, 0 },
        { "alignment", OPTIONAL + 36, 4, 0x2000 },
        { "data directories", OPTIONAL + 108, 4, 17 },
        { "data directories", HEADER + 16, 2, 112 },
        { "data directories", HEADER + 16, 2, 0xfff0 },
        { "section table", HEADER + 16, 2, 0x400 },
        { "0 sections", HEADER + 2, 2, 0 },
        { "97 sections", HEADER + 2, 2, 97 },
        { "section table", HEADER + 2, 2, 60 },
        { "ends within its headers", OPTIONAL + 60, 4, SAMPLE_SIZE + 1 },
        { "section table", OPTIONAL + 60, 4, SECTION + 5 * 40 - 1 },
        { "section 1 is out of order", SECTION + 40 + 12, 4, 0x1000 },
        { "section 1 is out of order", SECTION + 40 + 12, 4, 0x2001 },
        { "section 0 is out of order", SECTION + 12, 4, 0 },
        { "section 1 is out of order", SECTION + 8, 4, 0x1001 },
        { "section 4 reaches beyond the image", SECTION + 160 + 8, 4, 0x1001 },
        { "section 0 reaches beyond the image", SECTION + 8, 4, 0xffffffff },
        { "wrong place", SECTION + 20, 4, 0x401 },
        { "wrong place", SECTION + 20, 4, 0x200 },
        { "truncated: section 0", SECTION + 16, 4, 0xfffff000 },
        { "truncated: section 2", SECTION + 80 + 20, 4, 0xfffffe00 },
        { "exports nothing", DIRECTORY, 4, 0 },
        { "exports nothing", DIRECTORY + 4, 4, 0 },
        { "exports nothing", OPTIONAL + 108, 4, 0 },
        { "export directory lies outside", DIRECTORY, 4, 0xfffffff0 },
        { "export directory lies outside", DIRECTORY + 4, 4, 39 },
        { "export directory lies outside", DIRECTORY + 4, 4, 0x3c1 },
        { "does not name the DLL", EXPORTS + 12, 4, 0x6000 },
        { "not ntdll.dll", STRINGS + 16, 1, 'x' },
        { "number of exports", EXPORTS + 20, 4, 0 },
        { "number of exports", EXPORTS + 20, 4, 0x10001 },
        { "number of exports", EXPORTS + 24, 4, 0x10001 },
        { "number of exports", EXPORTS + 16, 4, 0x10000 },
        { "number of exports", EXPORTS + 16, 4, 0xffffffff },
        { "table of its export directory", EXPORTS + 20, 4, 0x1000 },
        { "table of its export directory", EXPORTS + 24, 4, 0x1000 },
        { "table of its export directory", EXPORTS + 28, 4, 0 },
        { "table of its export directory", EXPORTS + 32, 4, 0x23b9 },
        { "table of its export directory", EXPORTS + 36, 4, 0xffffffff },
        { "export 5 lies outside all sections", FUNCTIONS, 4, 0x1040 },
        { "export 5 lies outside all sections", FUNCTIONS, 4, 0x6000 },
        { "export 5 lies outside all sections", FUNCTIONS, 4, 0x10 },
        { "damaged forwarder", FUNCTIONS, 4, SAMPLE_EXPORTS_RVA },
        { "damaged forwarder", STRINGS + 5, 1, '_' },
        { "export 1 has no address", FUNCTIONS, 4, 0 },
        { "export 1 has no place", INDICES + 2, 2, SAMPLE_FUNCTION_COUNT },
        { "name of export 2 is damaged", NAMES + 8, 4, 0x4000000 },
        { "name of export 0 is damaged", STRINGS + 26, 1, 0 },
        { "not sorted", STRINGS + 26, 1, 'Z' },
        { "share an ordinal", INDICES, 2, 0 },
        { "lacks NtClose", STRINGS + 26 + 9 + 6, 1, 'f' },
        { "carries a signature", DIRECTORY + 4 * 8 + 4, 4, 8 },
        { "no room", OPTIONAL + 60, 4, SECTION + 3 * 40 + 39 },
    };
    uint8_t host[SAMPLE_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(damages); i++)
    {
        const struct damage *damage = &damages[i];

        sample_build(host);
        if (!strcmp(damage->reason, "no room"))
            sample_put16(host + HEADER + 2, SAMPLE_KEPT_COUNT);
        for (uint32_t j = 0; j < damage->width; j++)
            host[damage->offset + j] = (uint8_t)(damage->value >> j * 8);
        expect_refusal(host, SAMPLE_SIZE, damage->reason);
    }
}

static void test_already_replaced(void **state)
{
    uint8_t host[SAMPLE_SIZE];
    struct error error;
    struct file result;

    (void)state;
    sample_build(host);
    result = replace_sample(host, &error);
    assert_non_null(result.data);
    expect_refusal(result.data, result.size, "a replacement already");
    /* each of the three traces is enough */
    memcpy(result.data + SAMPLE_SECTIONS + SAMPLE_KEPT_COUNT * 40, ".other\0", 8);
    expect_refusal(result.data, result.size, "it forwards to ntalpc.dll16");
    free(result.data);
    sample_build(host);
    memcpy(host + SAMPLE_SECTIONS + 80, ".ntalpc", 8);
    expect_refusal(host, SAMPLE_SIZE, "a replacement already");
}

static void test_needed_name_is_told(void **state)
{
    static const struct replace_name missing[] = { { "NtClose", true }, { "NtQueryUnknownThing", true } };
    uint8_t host[SAMPLE_SIZE];
    struct error error;
    struct file result;

    (void)state;
    sample_build(host);
    result = replace_with(host, SAMPLE_SIZE, missing, COUNT(missing), &error);
    assert_null(result.data);
    assert_non_null(strstr(error.text, "NtQueryUnknownThing"));
}

static void test_truncated(void **state)
{
    uint8_t host[SAMPLE_SIZE];
    struct error error;

    (void)state;
    sample_build(host);
    for (size_t size = 0; size < SAMPLE_SYMBOLS; size++)
    {
        struct file result = replace_with(host, size, sample_names, COUNT(sample_names), &error);

        if (result.data)
            fail_msg("a file cut to %zu bytes was accepted", size);
    }
}

/* Each byte changed: a refusal, or a file that keeps all promises. */
static void test_flipped_bytes(void **state)
{
    static const uint8_t flips[] = { 0x01, 0x80, 0xff, 0x20 };
    uint8_t host[SAMPLE_SIZE];
    struct error error;
    unsigned int refused = 0, accepted = 0;

    (void)state;
    sample_build(host);
    for (size_t i = 0; i < SAMPLE_SIZE; i++)
    {
        for (size_t j = 0; j < COUNT(flips); j++)
        {
            struct file result;

            host[i] ^= flips[j];
            result = replace_sample(host, &error);
            if (result.data)
            {
                check_exports(host, result.data, sample_names, COUNT(sample_names));
                check_file(host, SAMPLE_SIZE, result);
                accepted++;
            }
            else
                refused++;
            free(result.data);
            host[i] ^= flips[j];
        }
    }
    assert_true(refused > 500);
    assert_true(accepted > 5000);
}

static void test_debug_sections(void **state)
{
    uint8_t host[SAMPLE_SIZE];
    struct error error;
    struct file result;
    struct pe_image pe;

    (void)state;
    /* one that a data directory points into stays, and so does everything before it */
    sample_build(host);
    sample_put32(host + SAMPLE_DIRECTORIES + 6 * 8, 0x4010);
    sample_put32(host + SAMPLE_DIRECTORIES + 6 * 8 + 4, 0x1c);
    result = replace_sample(host, &error);
    if (!result.data)
        fail_msg("%s", error.text);
    check_file(host, SAMPLE_SIZE, result);
    assert_true(pe_parse(&pe, result.data, result.size, &error));
    assert_int_equal(pe.section_count, 5);
    assert_string_equal(pe.section[3].name, "/4");
    assert_int_equal(pe.section[4].rva, 0x5000);
    free(result.data);

    /* one in the middle stays: a gap in the image would be invalid */
    sample_build(host);
    memcpy(host + SAMPLE_SECTIONS + 4 * 40, ".reloc\0", 8);
    result = replace_sample(host, &error);
    if (!result.data)
        fail_msg("%s", error.text);
    check_file(host, SAMPLE_SIZE, result);
    assert_true(pe_parse(&pe, result.data, result.size, &error));
    assert_int_equal(pe.section_count, 6);
    free(result.data);

    /* one that holds an export stays */
    sample_build(host);
    sample_put32(host + SAMPLE_EXPORTS + 40, 0x5008);
    result = replace_sample(host, &error);
    if (!result.data)
        fail_msg("%s", error.text);
    check_exports(host, result.data, sample_names, COUNT(sample_names));
    check_file(host, SAMPLE_SIZE, result);
    free(result.data);
}

static void test_room_for_header(void **state)
{
    uint8_t host[SAMPLE_SIZE];
    struct error error;
    struct file result;

    (void)state;
    /* without debug sections the new header goes behind the table, if nothing is there */
    sample_build(host);
    sample_put16(host + SAMPLE_FILE_HEADER + 2, SAMPLE_KEPT_COUNT);
    expect_refusal(host, SAMPLE_SIZE, "something else is there");
    memset(host + SAMPLE_SECTIONS + SAMPLE_KEPT_COUNT * 40, 0, 80);
    result = replace_sample(host, &error);
    if (!result.data)
        fail_msg("%s", error.text);
    check_file(host, SAMPLE_SIZE, result);
    free(result.data);

    sample_put32(host + SAMPLE_OPTIONAL + 60, SAMPLE_SECTIONS + SAMPLE_KEPT_COUNT * 40 + 39);
    expect_refusal(host, SAMPLE_SIZE, "no room for one more section header");
}

/* The last byte of what is a forwarder or a string, and the first that is none. */
static void test_borders(void **state)
{
    uint8_t host[SAMPLE_SIZE];
    struct error error;
    struct file result;
    uint32_t end;

    (void)state;
    sample_build(host);
    end = SAMPLE_EXPORTS_RVA + sample_get32(host + SAMPLE_DIRECTORIES + 4);
    sample_put32(host + SAMPLE_EXPORTS + 40, end);
    result = replace_sample(host, &error);
    if (!result.data)
        fail_msg("%s", error.text);
    check_exports(host, result.data, sample_names, COUNT(sample_names));
    assert_int_equal(sample_find(result.data, "__wine_host_NtClose").rva, end);
    free(result.data);
    sample_put32(host + SAMPLE_EXPORTS + 40, end - 1);
    expect_refusal(host, SAMPLE_SIZE, "damaged forwarder");

    /* the last name, "Z", ends one byte behind its section */
    sample_build(host);
    host[SAMPLE_EXPORTS + 0x3bf] = 'Z';
    sample_put32(host + SAMPLE_EXPORTS + 40 + SAMPLE_FUNCTION_COUNT * 4 + 5 * 4, SAMPLE_EXPORTS_RVA + 0x3bf);
    expect_refusal(host, SAMPLE_SIZE, "name of export 5 is damaged");

    /* one name twice */
    sample_build(host);
    memcpy(host + SAMPLE_EXPORTS + 40 + SAMPLE_FUNCTION_COUNT * 4 + 5 * 4,
           host + SAMPLE_EXPORTS + 40 + SAMPLE_FUNCTION_COUNT * 4 + 4 * 4, 4);
    expect_refusal(host, SAMPLE_SIZE, "not sorted (number 5)");
}

static void test_ordinals_run_out(void **state)
{
    uint8_t host[SAMPLE_SIZE];
    struct error error;
    struct file result;
    uint32_t needed = COUNT(sample_names); /* one new ordinal for each listed name */

    (void)state;
    sample_build(host);
    sample_put32(host + SAMPLE_EXPORTS + 16, 0x10000 - SAMPLE_FUNCTION_COUNT - needed);
    result = replace_sample(host, &error);
    if (!result.data)
        fail_msg("%s", error.text);
    check_exports(host, result.data, sample_names, COUNT(sample_names));
    free(result.data);
    sample_put32(host + SAMPLE_EXPORTS + 16, 0x10000 - SAMPLE_FUNCTION_COUNT - needed + 1);
    expect_refusal(host, SAMPLE_SIZE, "no ordinal is left");
}

static void test_builtin_mark(void **state)
{
    uint8_t file[SAMPLE_SIZE], before[SAMPLE_SIZE];
    struct pe_image pe;
    struct error error;

    (void)state;
    sample_build(file);
    memset(file + 0x40, 0x90, 0x40);
    assert_true(pe_parse(&pe, file, SAMPLE_SIZE, &error));
    assert_false(pe_is_builtin(&pe));
    assert_true(pe_mark_builtin(file, SAMPLE_SIZE, &error));
    assert_memory_equal(file + 0x40, "Wine builtin DLL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
    assert_int_equal(file[0x60], 0x90);
    assert_true(pe_parse(&pe, file, SAMPLE_SIZE, &error));
    assert_true(pe_is_builtin(&pe));
    assert_int_equal(sample_get32(file + pe_checksum_offset(&pe)), pe_checksum(&pe));
    memcpy(before, file, SAMPLE_SIZE);
    assert_true(pe_mark_builtin(file, SAMPLE_SIZE, &error));
    assert_memory_equal(before, file, SAMPLE_SIZE);

    /* a stub that is too small: the headers moved up to 0x50 */
    sample_build(file);
    memmove(file + 0x50, file + SAMPLE_PE, SAMPLE_HEADERS_SIZE - SAMPLE_PE);
    sample_put32(file + 0x3c, 0x50);
    memcpy(before, file, SAMPLE_SIZE);
    assert_false(pe_mark_builtin(file, SAMPLE_SIZE, &error));
    assert_non_null(strstr(error.text, "DOS stub"));
    assert_memory_equal(before, file, SAMPLE_SIZE);
    expect_refusal(file, SAMPLE_SIZE, "no builtin mark");
}

static void test_paths(void **state)
{
    static const struct
    {
        const char *folder, *relative, *expected;
    } joins[] = {
        { "/usr/lib/wine", "../x86_64-linux-gnu/wine", "/usr/lib/x86_64-linux-gnu/wine" },
        { "/usr/lib/wine", "", "/usr/lib/wine" },
        { "/usr", "bin", "/usr/bin" },
        { "/usr", "..", "/" },
        { "/", "usr", "/usr" },
        { "/usr", "../../share", NULL },
        { "/", "..", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(joins); i++)
    {
        char *path = path_join(joins[i].folder, joins[i].relative);

        if (joins[i].expected)
            assert_string_equal(path, joins[i].expected);
        else
            assert_null(path);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_forwarder_kept),
        cmocka_unit_test(test_empty_list),
        cmocka_unit_test(test_real_ntdll),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_already_replaced),
        cmocka_unit_test(test_needed_name_is_told),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped_bytes),
        cmocka_unit_test(test_debug_sections),
        cmocka_unit_test(test_room_for_header),
        cmocka_unit_test(test_borders),
        cmocka_unit_test(test_ordinals_run_out),
        cmocka_unit_test(test_builtin_mark),
        cmocka_unit_test(test_paths),
    };

    return cmocka_run_group_tests_name("ntdll", tests, NULL, NULL);
}
