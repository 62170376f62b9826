/*
 * Fuzzes the replacement of ntdll: whatever the file, the answer is a refusal or a file that keeps its promises.
 *
 * The first byte of an input chooses: an odd one means that the rest is a file; else the rest is a list of changes,
 * each an offset (2 bytes), a byte that says what the offset counts from and how wide the change is, and a value (4
 * bytes). They are made to the sample or, with bit 1 of the first byte, to the file that NTALPC_FUZZ_NTDLL names.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/sample_pe.h"
#include "tools/file.h"
#include "tools/pe.h"
#include "tools/replace.h"

#define CHANGE_SIZE 7u
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct replace_name sample_names[] = {
    { "NtAlpcCreatePort", false }, { "NtClose", true },     { "ZwClose", false },
    { "NtCreatePort", false },     { "RtlForward", false }, { "AlpcFirst", false },
};

static void require(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "fuzz_ntdll: %s\n", what);
    abort();
}

/* Both readers must find in the result what the list and the host's file demand. */
static void check_result(const uint8_t *host, size_t host_size, const uint8_t *result, size_t result_size,
                         const struct replace_name *names, size_t count)
{
    struct pe_image old, new;
    struct pe_exports exports;
    struct error error;
    char text[2 * PE_STRING_MAX];

    require(pe_parse(&old, host, host_size, &error), "an invalid host was accepted");
    require(pe_parse(&new, result, result_size, &error) && pe_exports_read(&exports, &new, &error), "invalid result");
    pe_exports_free(&exports);
    require(pe_checksum(&new) == sample_get32(result + pe_checksum_offset(&new)), "wrong checksum");
    for (size_t i = 0; i < count; i++)
    {
        struct sample_export found = sample_find(result, names[i].name);

        snprintf(text, sizeof(text), "%s.%s", REPLACE_MODULE, names[i].name);
        require(found.found && found.forward && !strcmp(found.forward, text), "a listed name is no forwarder");
    }
    require(pe_exports_read(&exports, &old, &error), "an invalid export table was accepted");
    for (uint32_t i = 0; i < exports.name_count; i++)
    {
        const struct pe_export *function = &exports.function[exports.name[i].index];
        struct sample_export found;
        bool listed = false;

        for (size_t j = 0; j < count && !listed; j++)
            listed = !strcmp(names[j].name, exports.name[i].name);
        snprintf(text, sizeof(text), "%s%s", listed ? REPLACE_HOST_PREFIX : "", exports.name[i].name);
        found = sample_find(result, text);
        require(found.found, "a name of the host is lost");
        if (function->forward)
            require(found.forward && !strcmp(found.forward, function->forward), "a forwarder of the host changed");
        else
            require(!found.forward && found.rva == function->rva, "an address of the host changed");
    }
    pe_exports_free(&exports);
}

static void try_file(const uint8_t *file, size_t size, const struct replace_name *names, size_t count)
{
    uint8_t *result = NULL;
    size_t result_size;
    struct error error = { "" };

    if (replace_ntdll(file, size, names, count, &result, &result_size, &error))
        check_result(file, size, result, result_size, names, count);
    else
        require(!result && error.text[0], "a refusal without a reason");
    free(result);
}

static void try_mark(uint8_t *file, size_t size)
{
    struct error error;
    struct pe_image pe;

    if (!pe_mark_builtin(file, size, &error))
        return;
    require(pe_parse(&pe, file, size, &error) && pe_is_builtin(&pe), "marked, but not seen as builtin");
}

static const uint8_t *real_file(size_t *size)
{
    static uint8_t *data;
    static size_t data_size;
    const char *path = getenv("NTALPC_FUZZ_NTDLL");
    struct error error;

    if (!data && path)
        require(file_read(path, &data, &data_size, &error), "cannot read NTALPC_FUZZ_NTDLL");
    *size = data_size;
    return data;
}

/* The start of the file and its export table are where changes matter. */
static size_t change_place(const uint8_t *change, size_t size, size_t exports)
{
    size_t offset = change[0] | (size_t)change[1] << 8;

    if (change[2] & 4)
        offset += exports;
    if (change[2] & 8)
        offset &= 0x1ff;
    if (change[2] & 16)
        offset *= 61;
    return offset % size;
}

static void apply_changes(uint8_t *file, size_t size, size_t exports, const uint8_t *data, size_t data_size)
{
    for (; data_size >= CHANGE_SIZE; data += CHANGE_SIZE, data_size -= CHANGE_SIZE)
    {
        size_t place = change_place(data, size, exports);
        size_t width = (size_t)1 << (data[2] & 3) > 4 ? 4 : (size_t)1 << (data[2] & 3);

        for (size_t i = 0; i < width && place + i < size; i++)
            file[place + i] = data[3 + i];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *base = NULL;
    size_t file_size = SAMPLE_SIZE, exports = SAMPLE_EXPORTS;
    bool real = false;
    uint8_t *file;

    if (!size)
        return 0;
    if (data[0] & 1)
        file_size = size - 1;
    else if (data[0] & 2 && (base = real_file(&file_size)))
    {
        real = true;
        exports = 0x86000; /* about where the linker puts it */
    }
    else
        file_size = SAMPLE_SIZE;

    /* on the heap and no longer than needed, for the sanitizer */
    file = malloc(file_size ? file_size : 1);
    require(file != NULL, "out of memory");
    if (data[0] & 1)
        memcpy(file, data + 1, file_size);
    else
    {
        if (real)
            memcpy(file, base, file_size);
        else
            sample_build(file);
        apply_changes(file, file_size, exports, data + 1, size - 1);
    }
    if (real)
        try_file(file, file_size, replace_names, replace_name_count);
    else
        try_file(file, file_size, sample_names, COUNT(sample_names));
    try_mark(file, file_size);
    free(file);
    return 0;
}
