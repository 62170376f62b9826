/*
 * Portable executables: a checked view of a 64-bit DLL and its export table, read and written.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "tools/pe.h"

#include <stdlib.h>
#include <string.h>

#define DOS_HEADER_SIZE 64u
#define DOS_NEW_HEADER 0x3cu
#define FILE_HEADER_SIZE 20u
#define OPTIONAL_HEADER_SIZE 112u /* up to the data directories */
#define OPTIONAL_CHECKSUM 64u

#define MACHINE_I386 0x14c
#define MACHINE_AMD64 0x8664
#define FILE_EXECUTABLE 0x0002
#define FILE_DLL 0x2000
#define MAGIC_PE32 0x10b
#define MAGIC_PE32_PLUS 0x20b

/* Wine looks for this text right behind the DOS header and reads that many bytes of it. */
#define BUILTIN_MARK "Wine builtin DLL"
#define BUILTIN_OFFSET 0x40u
#define BUILTIN_SIZE 32u

uint16_t pe_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

uint32_t pe_get32(const uint8_t *at)
{
    return pe_get16(at) | (uint32_t)pe_get16(at + 2) << 16;
}

void pe_put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

void pe_put32(uint8_t *at, uint32_t value)
{
    pe_put16(at, (uint16_t)value);
    pe_put16(at + 2, (uint16_t)(value >> 16));
}

uint64_t pe_align(uint64_t value, uint32_t alignment)
{
    return (value + alignment - 1) & ~(uint64_t)(alignment - 1);
}

static bool is_power_of_two(uint32_t value)
{
    return value && !(value & (value - 1));
}

static bool parse_headers(struct pe_image *pe, struct error *error)
{
    const uint8_t *file, *optional;
    uint32_t count, optional_size;
    uint16_t machine, magic, flags;

    if (pe->size < DOS_HEADER_SIZE || memcmp(pe->data, "MZ", 2))
        return error_set(error, "not a Windows executable (no MZ header)");
    pe->file_header = pe_get32(pe->data + DOS_NEW_HEADER);
    if (pe->file_header < DOS_HEADER_SIZE || pe->file_header > pe->size ||
        pe->size - pe->file_header < 4 + FILE_HEADER_SIZE + OPTIONAL_HEADER_SIZE)
        return error_set(error, "truncated, or not a PE file (its header is outside the file)");
    if (memcmp(pe->data + pe->file_header, "PE\0\0", 4))
        return error_set(error, "not a PE file (no PE signature)");
    pe->file_header += 4;
    pe->optional_header = pe->file_header + FILE_HEADER_SIZE;
    file = pe->data + pe->file_header;
    optional = pe->data + pe->optional_header;

    machine = pe_get16(file);
    magic = pe_get16(optional);
    if (machine == MACHINE_I386 || magic == MAGIC_PE32)
        return error_set(error, "a 32-bit file, where a 64-bit one is expected");
    if (machine != MACHINE_AMD64)
        return error_set(error, "made for another processor (machine 0x%x, expected 0x%x)", machine, MACHINE_AMD64);
    if (magic != MAGIC_PE32_PLUS)
        return error_set(error, "unknown kind of optional header (0x%x)", magic);
    flags = pe_get16(file + 18);
    if (!(flags & FILE_DLL))
        return error_set(error, "not a DLL");
    if (!(flags & FILE_EXECUTABLE))
        return error_set(error, "not a finished DLL (the linker reported errors)");

    optional_size = pe_get16(file + 16);
    pe->section_alignment = pe_get32(optional + 32);
    pe->file_alignment = pe_get32(optional + 36);
    pe->image_size = pe_get32(optional + 56);
    pe->headers_size = pe_get32(optional + 60);
    count = pe_get32(optional + 108);
    if (!is_power_of_two(pe->section_alignment) || pe->section_alignment < 0x1000 ||
        !is_power_of_two(pe->file_alignment) || pe->file_alignment < 0x200 ||
        pe->file_alignment > pe->section_alignment)
        return error_set(error, "impossible alignment (sections 0x%x, file 0x%x)", pe->section_alignment,
                         pe->file_alignment);
    if (count > PE_DIRECTORIES_MAX || optional_size < OPTIONAL_HEADER_SIZE + count * 8 ||
        optional_size > pe->size - pe->optional_header)
        return error_set(error, "the list of data directories does not fit the optional header");
    pe->directory_count = count;
    for (uint32_t i = 0; i < count; i++)
    {
        pe->directory[i].rva = pe_get32(optional + OPTIONAL_HEADER_SIZE + i * 8);
        pe->directory[i].size = pe_get32(optional + OPTIONAL_HEADER_SIZE + i * 8 + 4);
    }
    pe->section_table = pe->optional_header + optional_size;
    pe->section_count = pe_get16(file + 2);
    return true;
}

static bool parse_sections(struct pe_image *pe, struct error *error)
{
    uint64_t end = pe_align(pe->headers_size, pe->section_alignment);

    if (!pe->section_count || pe->section_count > PE_SECTIONS_MAX)
        return error_set(error, "%u sections, expected 1 to %u", pe->section_count, PE_SECTIONS_MAX);
    if (pe->headers_size > pe->size)
        return error_set(error, "truncated: the file ends within its headers");
    if (pe->section_table > pe->headers_size ||
        (pe->headers_size - pe->section_table) / PE_SECTION_HEADER_SIZE < pe->section_count)
        return error_set(error, "the section table does not fit the headers");

    for (unsigned int i = 0; i < pe->section_count; i++)
    {
        const uint8_t *header = pe->data + pe->section_table + i * PE_SECTION_HEADER_SIZE;
        struct pe_section *section = &pe->section[i];

        memcpy(section->name, header, 8);
        section->name[8] = 0;
        section->extent = pe_get32(header + 8);
        section->rva = pe_get32(header + 12);
        section->raw_size = pe_get32(header + 16);
        section->raw_offset = pe_get32(header + 20);
        if (!section->raw_size)
            section->raw_offset = 0;
        if (!section->extent)
            section->extent = section->raw_size;

        if (section->rva % pe->section_alignment || section->rva < end)
            return error_set(error, "section %u is out of order or overlaps its predecessor", i);
        end = (uint64_t)section->rva + section->extent;
        if (end > pe->image_size)
            return error_set(error, "section %u reaches beyond the image", i);
        if (!section->raw_size)
            continue;
        if (section->raw_offset % pe->file_alignment || section->raw_offset < pe->headers_size)
            return error_set(error, "section %u lies at a wrong place in the file", i);
        if (section->raw_offset > pe->size || section->raw_size > pe->size - section->raw_offset)
            return error_set(error, "truncated: section %u reaches beyond the end of the file", i);
    }
    return true;
}

bool pe_parse(struct pe_image *pe, const uint8_t *data, size_t size, struct error *error)
{
    memset(pe, 0, sizeof(*pe));
    pe->data = data;
    pe->size = size;
    return parse_headers(pe, error) && parse_sections(pe, error);
}

const struct pe_section *pe_section_of(const struct pe_image *pe, uint32_t rva)
{
    for (unsigned int i = 0; i < pe->section_count; i++)
        if (rva >= pe->section[i].rva && rva - pe->section[i].rva < pe->section[i].extent)
            return &pe->section[i];
    return NULL;
}

/* Bytes of the file from this address to the end of what the section shows of it; 0 if there are none. */
static uint32_t available(const struct pe_image *pe, uint32_t rva, const uint8_t **at)
{
    const struct pe_section *section = pe_section_of(pe, rva);
    uint32_t size, offset;

    if (!section)
        return 0;
    size = section->raw_size < section->extent ? section->raw_size : section->extent;
    offset = rva - section->rva;
    if (offset >= size)
        return 0;
    *at = pe->data + section->raw_offset + offset;
    return size - offset;
}

const uint8_t *pe_at(const struct pe_image *pe, uint32_t rva, uint32_t size)
{
    const uint8_t *at = NULL;

    return available(pe, rva, &at) >= size ? at : NULL;
}

const char *pe_string(const struct pe_image *pe, uint32_t rva)
{
    const uint8_t *at = NULL;
    uint32_t size = available(pe, rva, &at);

    if (!size || !memchr(at, 0, size < PE_STRING_MAX ? size : PE_STRING_MAX))
        return NULL;
    return (const char *)at;
}

bool pe_is_builtin(const struct pe_image *pe)
{
    /* the view begins with a parsed header, so the file is longer than this */
    return pe->file_header - 4 >= BUILTIN_OFFSET + BUILTIN_SIZE &&
           !memcmp(pe->data + BUILTIN_OFFSET, BUILTIN_MARK, sizeof(BUILTIN_MARK));
}

bool pe_mark_builtin(uint8_t *data, size_t size, struct error *error)
{
    struct pe_image pe;

    if (!pe_parse(&pe, data, size, error))
        return false;
    if (pe.file_header - 4 < BUILTIN_OFFSET + BUILTIN_SIZE)
        return error_set(error, "its DOS stub has no room for the mark of a builtin DLL");
    memset(data + BUILTIN_OFFSET, 0, BUILTIN_SIZE);
    memcpy(data + BUILTIN_OFFSET, BUILTIN_MARK, sizeof(BUILTIN_MARK));
    pe_put32(data + pe_checksum_offset(&pe), pe_checksum(&pe));
    return true;
}

size_t pe_checksum_offset(const struct pe_image *pe)
{
    return pe->optional_header + OPTIONAL_CHECKSUM;
}

uint32_t pe_checksum(const struct pe_image *pe)
{
    size_t field = pe_checksum_offset(pe);
    uint64_t sum = 0;

    /* the field itself counts as zero; it need not be aligned, so go byte by byte */
    for (size_t i = 0; i < pe->size; i++)
        if (i < field || i >= field + 4)
            sum += (uint64_t)pe->data[i] << (i % 2 * 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint32_t)(sum + pe->size);
}

static bool read_functions(struct pe_exports *exports, const struct pe_image *pe, const uint8_t *table,
                           struct error *error)
{
    const struct pe_directory *directory = &pe->directory[PE_DIRECTORY_EXPORT];

    for (uint32_t i = 0; i < exports->function_count; i++)
    {
        struct pe_export *function = &exports->function[i];
        uint32_t ordinal = exports->base + i;

        function->rva = pe_get32(table + i * 4);
        if (!function->rva)
            continue;
        if (function->rva - directory->rva < directory->size)
        {
            /* an address inside the export directory is no code but the text of a forwarder */
            function->forward = pe_string(pe, function->rva);
            function->rva = 0;
            if (!function->forward || !strchr(function->forward, '.'))
                return error_set(error, "export %u has a damaged forwarder", ordinal);
        }
        else if (!pe_section_of(pe, function->rva))
            return error_set(error, "export %u lies outside all sections", ordinal);
    }
    return true;
}

static bool read_names(struct pe_exports *exports, const struct pe_image *pe, const uint8_t *names,
                       const uint8_t *indices, struct error *error)
{
    for (uint32_t i = 0; i < exports->name_count; i++)
    {
        struct pe_export_name *entry = &exports->name[i];
        const struct pe_export *function;

        entry->name = pe_string(pe, pe_get32(names + i * 4));
        entry->index = pe_get16(indices + i * 2);
        if (!entry->name || !entry->name[0])
            return error_set(error, "the name of export %u is damaged", i);
        if (i && strcmp(entry[-1].name, entry->name) >= 0)
            return error_set(error, "the names of its exports are not sorted (number %u)", i);
        if (entry->index >= exports->function_count)
            return error_set(error, "export %u has no place in the address table", i);
        function = &exports->function[entry->index];
        if (!function->rva && !function->forward)
            return error_set(error, "export %u has no address", i);
    }
    return true;
}

bool pe_exports_read(struct pe_exports *exports, const struct pe_image *pe, struct error *error)
{
    const struct pe_directory *place = &pe->directory[PE_DIRECTORY_EXPORT];
    const uint8_t *directory, *functions, *names, *indices;

    memset(exports, 0, sizeof(*exports));
    if (!pe->directory_count || !place->rva || !place->size)
        return error_set(error, "it exports nothing");
    if (place->size < PE_EXPORT_DIRECTORY_SIZE || !(directory = pe_at(pe, place->rva, place->size)))
        return error_set(error, "its export directory lies outside the file");
    exports->time_stamp = pe_get32(directory + 4);
    exports->version = pe_get32(directory + 8);
    exports->dll = pe_string(pe, pe_get32(directory + 12));
    exports->base = pe_get32(directory + 16);
    exports->function_count = pe_get32(directory + 20);
    exports->name_count = pe_get32(directory + 24);
    if (!exports->dll)
        return error_set(error, "its export directory does not name the DLL");
    if (!exports->function_count || exports->function_count > PE_ORDINALS_MAX ||
        exports->name_count > PE_ORDINALS_MAX || exports->base > PE_ORDINALS_MAX - exports->function_count)
        return error_set(error, "impossible number of exports (%u addresses from ordinal %u, %u names)",
                         exports->function_count, exports->base, exports->name_count);
    functions = pe_at(pe, pe_get32(directory + 28), exports->function_count * 4);
    names = pe_at(pe, pe_get32(directory + 32), exports->name_count * 4);
    indices = pe_at(pe, pe_get32(directory + 36), exports->name_count * 2);
    if (!functions || (exports->name_count && (!names || !indices)))
        return error_set(error, "a table of its export directory lies outside the file");

    exports->function = calloc(exports->function_count, sizeof(*exports->function));
    exports->name = calloc(exports->name_count + 1, sizeof(*exports->name));
    if (!exports->function || !exports->name)
        error_set(error, "out of memory");
    else if (read_functions(exports, pe, functions, error) && read_names(exports, pe, names, indices, error))
        return true;
    pe_exports_free(exports);
    return false;
}

void pe_exports_free(struct pe_exports *exports)
{
    free(exports->function);
    free(exports->name);
    memset(exports, 0, sizeof(*exports));
}

static int compare_name(const void *key, const void *entry)
{
    return strcmp(key, ((const struct pe_export_name *)entry)->name);
}

const struct pe_export_name *pe_exports_find(const struct pe_exports *exports, const char *name)
{
    if (!exports->name_count)
        return NULL;
    return bsearch(name, exports->name, exports->name_count, sizeof(*exports->name), compare_name);
}

size_t pe_exports_size(const struct pe_exports *exports)
{
    size_t size = PE_EXPORT_DIRECTORY_SIZE + (size_t)exports->function_count * 4 + (size_t)exports->name_count * 6 +
                  strlen(exports->dll) + 1;

    for (uint32_t i = 0; i < exports->name_count; i++)
        size += strlen(exports->name[i].name) + 1;
    for (uint32_t i = 0; i < exports->function_count; i++)
        if (exports->function[i].forward)
            size += strlen(exports->function[i].forward) + 1;
    return size;
}

/* Appends a string to the table being written and returns its address. */
static uint32_t put_string(const char *string, uint32_t rva, uint8_t *out, size_t *used)
{
    size_t size = strlen(string) + 1;
    uint32_t address = rva + (uint32_t)*used;

    memcpy(out + *used, string, size);
    *used += size;
    return address;
}

void pe_exports_write(const struct pe_exports *exports, uint32_t rva, uint8_t *out)
{
    uint32_t functions = PE_EXPORT_DIRECTORY_SIZE;
    uint32_t names = functions + exports->function_count * 4;
    uint32_t indices = names + exports->name_count * 4;
    size_t used = indices + (size_t)exports->name_count * 2;

    pe_put32(out, 0);
    pe_put32(out + 4, exports->time_stamp);
    pe_put32(out + 8, exports->version);
    pe_put32(out + 12, put_string(exports->dll, rva, out, &used));
    pe_put32(out + 16, exports->base);
    pe_put32(out + 20, exports->function_count);
    pe_put32(out + 24, exports->name_count);
    pe_put32(out + 28, rva + functions);
    pe_put32(out + 32, rva + names);
    pe_put32(out + 36, rva + indices);
    for (uint32_t i = 0; i < exports->function_count; i++)
    {
        const struct pe_export *function = &exports->function[i];

        pe_put32(out + functions + i * 4,
                 function->forward ? put_string(function->forward, rva, out, &used) : function->rva);
    }
    for (uint32_t i = 0; i < exports->name_count; i++)
    {
        pe_put32(out + names + i * 4, put_string(exports->name[i].name, rva, out, &used));
        pe_put16(out + indices + i * 2, (uint16_t)exports->name[i].index);
    }
}
