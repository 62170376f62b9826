/*
 * Portable executables: a checked view of a 64-bit DLL and its export table, read and written.
 *
 * Everything in a file is distrusted: what these functions hand out lies inside the file.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_TOOLS_PE_H
#define NTALPC_TOOLS_PE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/error.h"

#define PE_SECTIONS_MAX 96u    /* the format's limit */
#define PE_DIRECTORIES_MAX 16u /* the format's limit */
#define PE_SECTION_HEADER_SIZE 40u
#define PE_EXPORT_DIRECTORY_SIZE 40u
#define PE_ORDINALS_MAX 65536u /* ordinals are 16 bits wide */
#define PE_STRING_MAX 512u     /* longest name or forwarder that is accepted, with its NUL */

enum pe_directory_index
{
    PE_DIRECTORY_EXPORT = 0,
    PE_DIRECTORY_CERTIFICATE = 4, /* the one entry that is a file offset */
};

struct pe_directory
{
    uint32_t rva;
    uint32_t size;
};

struct pe_section
{
    char name[9]; /* with a NUL */
    uint32_t rva;
    uint32_t extent;     /* bytes of address space that it really uses: the virtual size, or the raw one if that is 0 */
    uint32_t raw_offset; /* 0 when it has no bytes in the file */
    uint32_t raw_size;
};

struct pe_image
{
    const uint8_t *data; /* borrowed from the caller */
    size_t size;
    uint32_t file_header; /* file offsets */
    uint32_t optional_header;
    uint32_t section_table;
    uint32_t section_alignment;
    uint32_t file_alignment;
    uint32_t headers_size;
    uint32_t image_size;
    unsigned int directory_count;
    unsigned int section_count;
    struct pe_directory directory[PE_DIRECTORIES_MAX];
    struct pe_section section[PE_SECTIONS_MAX];
};

struct pe_export
{
    uint32_t rva;        /* 0 for a hole in the ordinals and for a forwarder */
    const char *forward; /* "MODULE.NAME", or NULL */
};

struct pe_export_name
{
    const char *name;
    uint32_t index; /* into the functions; the ordinal is this plus the base */
};

struct pe_exports
{
    const char *dll;
    uint32_t time_stamp;
    uint32_t version; /* major in the low half */
    uint32_t base;
    uint32_t function_count;
    uint32_t name_count;
    struct pe_export *function;  /* by index */
    struct pe_export_name *name; /* ascending in byte order, each once: loaders search by halving */
};

uint16_t pe_get16(const uint8_t *at);
uint32_t pe_get32(const uint8_t *at);
void pe_put16(uint8_t *at, uint16_t value);
void pe_put32(uint8_t *at, uint32_t value);

/* Rounds up to a multiple of alignment, a power of two. */
uint64_t pe_align(uint64_t value, uint32_t alignment);

/*
 * Checks the headers of an x86-64 DLL and describes them.  The view borrows data, which must outlive it.
 * Fails, saying why, for anything else, and for a file that is cut off or contradicts itself.
 */
bool pe_parse(struct pe_image *pe, const uint8_t *data, size_t size, struct error *error);

/* The size bytes at an address, or NULL unless all of them lie in the file's part of one section. */
const uint8_t *pe_at(const struct pe_image *pe, uint32_t rva, uint32_t size);

/* The string at an address, or NULL unless it ends within PE_STRING_MAX bytes and within its section. */
const char *pe_string(const struct pe_image *pe, uint32_t rva);

/* The section that uses this address, or NULL. */
const struct pe_section *pe_section_of(const struct pe_image *pe, uint32_t rva);

/* Whether Wine takes this file for one of its own DLLs. */
bool pe_is_builtin(const struct pe_image *pe);

/*
 * Writes that mark into an image in memory and corrects its checksum.  Fails if it is no x86-64 DLL or if the DOS stub
 * has no room; the image is then unchanged.
 */
bool pe_mark_builtin(uint8_t *data, size_t size, struct error *error);

/* The value that belongs into the checksum field of a parsed file. */
uint32_t pe_checksum(const struct pe_image *pe);

/* File offset of the checksum field. */
size_t pe_checksum_offset(const struct pe_image *pe);

/*
 * Reads and checks the whole export table; the strings stay in the file's data, the two arrays are freed with
 * pe_exports_free.  On failure there is nothing to free.
 */
bool pe_exports_read(struct pe_exports *exports, const struct pe_image *pe, struct error *error);
void pe_exports_free(struct pe_exports *exports);

/* The entry of a name, or NULL. */
const struct pe_export_name *pe_exports_find(const struct pe_exports *exports, const char *name);

/* Bytes that pe_exports_write needs for this table. */
size_t pe_exports_size(const struct pe_exports *exports);

/* Writes the table, with its strings, in the form that it must have at that address of the image. */
void pe_exports_write(const struct pe_exports *exports, uint32_t rva, uint8_t *out);

#endif
