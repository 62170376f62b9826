/*
 * The replacement ntdll: the host's own file with another export table.
 *
 * A new section takes the new export directory, so nothing that other parts of the file refer to moves.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "tools/replace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/pe.h"

#define SECTION_FLAGS 0x40000040u /* initialized data, readable */

const struct replace_name replace_names[] = {
#define SPEC(name, needs_host) { name, needs_host },
#include "gen/spec.h"
#undef SPEC
};
const size_t replace_name_count = sizeof(replace_names) / sizeof(replace_names[0]);

/* Everything between the host's file and the result; the strings made for the new exports belong to it. */
struct plan
{
    struct pe_image pe;
    struct pe_exports host;
    struct pe_exports exports;
    const struct replace_name *names;
    size_t count;
    char **string; /* a forwarder and perhaps a private name for each listed name */
    size_t string_count;
    unsigned int kept; /* sections of the host that stay */
    uint32_t rva;      /* of the new section */
    uint32_t raw_offset;
    uint32_t raw_size;
    uint32_t extent;
};

static bool starts_with(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

static bool check_host(const struct plan *plan, struct error *error)
{
    const struct pe_image *pe = &plan->pe;

    if (!pe_is_builtin(pe))
        return error_set(error, "not one of Wine's own DLLs (no builtin mark)");
    if (strcasecmp(plan->host.dll, "ntdll.dll"))
        return error_set(error, "it is %.64s, not ntdll.dll", plan->host.dll);
    if (pe->directory_count > PE_DIRECTORY_CERTIFICATE && pe->directory[PE_DIRECTORY_CERTIFICATE].size)
        return error_set(error, "it carries a signature, which Wine's own never does");

    for (unsigned int i = 0; i < pe->section_count; i++)
        if (!strcmp(pe->section[i].name, REPLACE_SECTION))
            return error_set(error, "it is a replacement already");
    for (uint32_t i = 0; i < plan->host.function_count; i++)
        if (plan->host.function[i].forward && starts_with(plan->host.function[i].forward, REPLACE_MODULE "."))
            return error_set(error, "it is a replacement already (it forwards to %s)", REPLACE_MODULE);
    for (uint32_t i = 0; i < plan->host.name_count; i++)
        if (starts_with(plan->host.name[i].name, REPLACE_HOST_PREFIX))
            return error_set(error, "it is a replacement already (it exports %s)", plan->host.name[i].name);
    return true;
}

/* A string that lives as long as the plan, or NULL. */
static const char *make_string(struct plan *plan, const char *first, const char *second)
{
    size_t size = strlen(first) + strlen(second) + 1;
    char *string = malloc(size);

    if (!string)
        return NULL;
    snprintf(string, size, "%s%s", first, second);
    plan->string[plan->string_count++] = string;
    return string;
}

static bool add_export(struct pe_exports *exports, const char *name, const struct pe_export *function,
                       struct error *error)
{
    if (exports->base + exports->function_count >= PE_ORDINALS_MAX)
        return error_set(error, "no ordinal is left for %s", name);
    exports->name[exports->name_count].name = name;
    exports->name[exports->name_count++].index = exports->function_count;
    exports->function[exports->function_count++] = *function;
    return true;
}

static bool replace_export(struct plan *plan, const struct replace_name *wanted, struct error *error)
{
    const struct pe_export_name *entry = pe_exports_find(&plan->host, wanted->name);
    struct pe_export forwarder = { .forward = make_string(plan, REPLACE_MODULE ".", wanted->name) };
    const char *private_name;

    if (!forwarder.forward)
        return error_set(error, "out of memory");
    if (!entry)
    {
        if (wanted->needs_host)
            return error_set(error, "it lacks %s, which is needed", wanted->name);
        return add_export(&plan->exports, wanted->name, &forwarder, error);
    }
    /* Another name at the same ordinal would silently be diverted, too. */
    for (uint32_t i = 0; i < plan->host.name_count; i++)
        if (plan->host.name[i].index == entry->index && &plan->host.name[i] != entry)
            return error_set(error, "%s and %s share an ordinal", wanted->name, plan->host.name[i].name);
    plan->exports.function[entry->index] = forwarder;
    if (!(private_name = make_string(plan, REPLACE_HOST_PREFIX, wanted->name)))
        return error_set(error, "out of memory");
    return add_export(&plan->exports, private_name, &plan->host.function[entry->index], error);
}

static int compare_names(const void *first, const void *second)
{
    return strcmp(((const struct pe_export_name *)first)->name, ((const struct pe_export_name *)second)->name);
}

static bool plan_exports(struct plan *plan, struct error *error)
{
    struct pe_exports *exports = &plan->exports;

    *exports = plan->host;
    exports->function = calloc(plan->host.function_count + plan->count, sizeof(*exports->function));
    exports->name = calloc(plan->host.name_count + 2 * plan->count + 1, sizeof(*exports->name));
    plan->string = calloc(2 * plan->count + 1, sizeof(*plan->string));
    if (!exports->function || !exports->name || !plan->string)
        return error_set(error, "out of memory");
    memcpy(exports->function, plan->host.function, plan->host.function_count * sizeof(*exports->function));
    memcpy(exports->name, plan->host.name, plan->host.name_count * sizeof(*exports->name));

    for (size_t i = 0; i < plan->count; i++)
        if (!replace_export(plan, &plan->names[i], error))
            return false;
    qsort(exports->name, exports->name_count, sizeof(*exports->name), compare_names);
    return true;
}

static bool is_debug_section(const struct pe_section *section)
{
    /* a name longer than 8 bytes is "/" and its place in the string table; GNU ld gives those to debug sections only */
    return starts_with(section->name, ".debug") || section->name[0] == '/';
}

static bool is_referenced(const struct pe_image *pe, const struct pe_section *section)
{
    for (unsigned int i = 0; i < pe->directory_count; i++)
        if (pe->directory[i].size && pe_section_of(pe, pe->directory[i].rva) == section)
            return true;
    return false;
}

static bool is_exported(const struct plan *plan, const struct pe_section *section)
{
    for (uint32_t i = 0; i < plan->host.function_count; i++)
        if (pe_section_of(&plan->pe, plan->host.function[i].rva) == section)
            return true;
    return false;
}

/* Debug sections make up most of the file.  Only those at the end can go: a gap in the image would be invalid. */
static void plan_sections(struct plan *plan)
{
    const struct pe_image *pe = &plan->pe;

    plan->kept = pe->section_count;
    while (plan->kept > 1)
    {
        const struct pe_section *last = &pe->section[plan->kept - 1];

        if (!is_debug_section(last) || is_referenced(pe, last) || is_exported(plan, last))
            break;
        plan->kept--;
    }
}

static bool plan_layout(struct plan *plan, struct error *error)
{
    const struct pe_image *pe = &plan->pe;
    const struct pe_section *last = &pe->section[plan->kept - 1];
    uint32_t table_end = pe->section_table + plan->kept * PE_SECTION_HEADER_SIZE;
    uint64_t rva = pe_align((uint64_t)last->rva + last->extent, pe->section_alignment);
    uint64_t raw_offset = pe->headers_size;
    size_t size = pe_exports_size(&plan->exports);

    /* Where no debug section has left its header, the room behind the table may be anyone's unless it is zero. */
    if (pe->headers_size - table_end < PE_SECTION_HEADER_SIZE || plan->kept == PE_SECTIONS_MAX)
        return error_set(error, "no room for one more section header");
    if (plan->kept == pe->section_count)
        for (uint32_t i = 0; i < PE_SECTION_HEADER_SIZE; i++)
            if (pe->data[table_end + i])
                return error_set(error, "no room for one more section header (something else is there)");

    for (unsigned int i = 0; i < plan->kept; i++)
        if ((uint64_t)pe->section[i].raw_offset + pe->section[i].raw_size > raw_offset)
            raw_offset = (uint64_t)pe->section[i].raw_offset + pe->section[i].raw_size;
    raw_offset = pe_align(raw_offset, pe->file_alignment);
    if (rva + pe_align(size, pe->section_alignment) > UINT32_MAX ||
        raw_offset + pe_align(size, pe->file_alignment) > UINT32_MAX)
        return error_set(error, "too large for one more section");
    plan->rva = (uint32_t)rva;
    plan->extent = (uint32_t)size;
    plan->raw_offset = (uint32_t)raw_offset;
    plan->raw_size = (uint32_t)pe_align(size, pe->file_alignment);
    return true;
}

static void write_headers(const struct plan *plan, uint8_t *out)
{
    const struct pe_image *pe = &plan->pe;
    uint8_t *header = out + pe->section_table + plan->kept * PE_SECTION_HEADER_SIZE;
    uint8_t *optional = out + pe->optional_header;

    if (plan->kept < pe->section_count)
        memset(header, 0, (pe->section_count - plan->kept) * PE_SECTION_HEADER_SIZE);
    memcpy(header, REPLACE_SECTION, sizeof(REPLACE_SECTION));
    pe_put32(header + 8, plan->extent);
    pe_put32(header + 12, plan->rva);
    pe_put32(header + 16, plan->raw_size);
    pe_put32(header + 20, plan->raw_offset);
    pe_put32(header + 36, SECTION_FLAGS);

    pe_put16(out + pe->file_header + 2, (uint16_t)(plan->kept + 1));
    pe_put32(out + pe->file_header + 8, 0); /* the symbol table and, behind it, the long section names */
    pe_put32(out + pe->file_header + 12, 0);
    pe_put32(optional + 56, (uint32_t)pe_align((uint64_t)plan->rva + plan->extent, pe->section_alignment));
    pe_put32(optional + 112, plan->rva);
    pe_put32(optional + 116, plan->extent);
}

static bool same_export(const struct pe_export *first, const struct pe_export *second)
{
    if (!first->forward || !second->forward)
        return first->rva == second->rva && first->forward == second->forward;
    return !strcmp(first->forward, second->forward);
}

static const struct replace_name *find_wanted(const struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->count; i++)
        if (!strcmp(plan->names[i].name, name))
            return &plan->names[i];
    return NULL;
}

/* Whether the finished table leads every name of the host and of the list to where it belongs. */
static bool check_exports(const struct plan *plan, const struct pe_exports *result)
{
    uint32_t expected = plan->host.name_count;
    char text[2 * PE_STRING_MAX];

    if (result->base != plan->host.base || strcmp(result->dll, plan->host.dll))
        return false;
    for (uint32_t i = 0; i < plan->host.name_count; i++)
    {
        const struct pe_export_name *old = &plan->host.name[i];
        const struct pe_export_name *entry = pe_exports_find(result, old->name);

        if (!entry || entry->index != old->index)
            return false;
        if (find_wanted(plan, old->name))
        {
            snprintf(text, sizeof(text), "%s%s", REPLACE_HOST_PREFIX, old->name);
            if (!(entry = pe_exports_find(result, text)) || entry->index < plan->host.function_count)
                return false;
        }
        if (!same_export(&result->function[entry->index], &plan->host.function[old->index]))
            return false;
    }
    for (size_t i = 0; i < plan->count; i++)
    {
        const struct pe_export_name *entry = pe_exports_find(result, plan->names[i].name);

        if (!entry || !result->function[entry->index].forward)
            return false;
        snprintf(text, sizeof(text), "%s.%s", REPLACE_MODULE, plan->names[i].name);
        if (strcmp(result->function[entry->index].forward, text))
            return false;
        expected++; /* either the name itself or the private name of the host's function is new */
    }
    return result->name_count == expected &&
           result->function_count == plan->host.function_count + (uint32_t)plan->count;
}

/* Reads the result as a loader would, so that no mistake of ours reaches a disk. */
static bool check_result(const struct plan *plan, const uint8_t *out, size_t size, struct error *error)
{
    const struct pe_image *host = &plan->pe;
    struct pe_exports exports;
    struct pe_image pe;
    struct error why;
    bool good;

    if (!pe_parse(&pe, out, size, &why) || !pe_exports_read(&exports, &pe, &why))
        return error_set(error, "its replacement would be invalid: %.200s", why.text);
    good = pe_is_builtin(&pe) && pe.section_count == plan->kept + 1 && check_exports(plan, &exports);
    pe_exports_free(&exports);
    for (unsigned int i = 0; good && i < plan->kept; i++)
    {
        const struct pe_section *old = &host->section[i];
        size_t header = host->section_table + i * PE_SECTION_HEADER_SIZE;

        good = !memcmp(out + header, host->data + header, PE_SECTION_HEADER_SIZE) &&
               !memcmp(out + old->raw_offset, host->data + old->raw_offset, old->raw_size);
    }
    if (!good)
        return error_set(error, "its replacement would differ from it where it must not");
    return true;
}

static bool build(struct plan *plan, uint8_t **result, size_t *result_size, struct error *error)
{
    struct pe_image written;
    size_t size;
    uint8_t *out;

    if (!check_host(plan, error) || !plan_exports(plan, error))
        return false;
    plan_sections(plan);
    if (!plan_layout(plan, error))
        return false;

    size = (size_t)plan->raw_offset + plan->raw_size;
    if (!(out = calloc(1, size)))
        return error_set(error, "out of memory");
    memcpy(out, plan->pe.data, plan->raw_offset < plan->pe.size ? plan->raw_offset : plan->pe.size);
    write_headers(plan, out);
    pe_exports_write(&plan->exports, plan->rva, out + plan->raw_offset);
    written = plan->pe;
    written.data = out;
    written.size = size;
    pe_put32(out + pe_checksum_offset(&written), pe_checksum(&written));
    if (!check_result(plan, out, size, error))
    {
        free(out);
        return false;
    }
    *result = out;
    *result_size = size;
    return true;
}

bool replace_ntdll(const uint8_t *host, size_t host_size, const struct replace_name *names, size_t count,
                   uint8_t **result, size_t *result_size, struct error *error)
{
    struct plan plan = { .names = names, .count = count };
    bool done;

    if (!pe_parse(&plan.pe, host, host_size, error) || !pe_exports_read(&plan.host, &plan.pe, error))
        return false;
    done = build(&plan, result, result_size, error);

    for (size_t i = 0; i < plan.string_count; i++)
        free(plan.string[i]);
    free(plan.string);
    pe_exports_free(&plan.host);
    pe_exports_free(&plan.exports);
    return done;
}
