/*
 * mkntdll: makes the replacement ntdll.dll from Wine's own, and marks our DLL as one of Wine's builtins.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/file.h"
#include "tools/pe.h"
#include "tools/replace.h"

static const char usage[] = "Usage: mkntdll NTDLL.DLL OUTPUT\n"
                            "       mkntdll --builtin FILE\n"
                            "\n"
                            "Writes to OUTPUT the replacement for NTDLL.DLL, the one of a 64-bit Wine.\n"
                            "\n"
                            "  --builtin  mark FILE as one of Wine's own DLLs instead\n"
                            "  --help     show this text\n"
                            "  --version  show the version\n";

static bool make_replacement(const char *from, const char *to, struct error *error)
{
    uint8_t *host = NULL, *result = NULL;
    size_t host_size, result_size;
    struct error why;
    bool done = false;

    if (!file_read(from, &host, &host_size, error))
        return false;
    if (!replace_ntdll(host, host_size, replace_names, replace_name_count, &result, &result_size, &why))
        error_set(error, "%s: %.500s", from, why.text);
    else
        done = file_write(to, result, result_size, 0666, error);
    free(result);
    free(host);
    return done;
}

static bool mark_builtin(const char *path, struct error *error)
{
    struct stat st;
    uint8_t *data = NULL;
    size_t size;
    struct error why;
    bool done = false;

    if (!file_read(path, &data, &size, error))
        return false;
    if (!pe_mark_builtin(data, size, &why))
        error_set(error, "%s: %.500s", path, why.text);
    else
        done = file_write(path, data, size, stat(path, &st) ? 0666 : st.st_mode & 0777, error);
    free(data);
    return done;
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {
        { "builtin", required_argument, NULL, 'b' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    const char *builtin = NULL;
    struct error error;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
    {
        switch (option)
        {
        case 'b':
            builtin = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        case 'V':
            puts("mkntdll (ntalpc) " NTALPC_VERSION);
            return 0;
        default:
            return 2;
        }
    }
    if (argc - optind != (builtin ? 0 : 2))
    {
        fputs(usage, stderr);
        return 2;
    }
    if (builtin ? mark_builtin(builtin, &error) : make_replacement(argv[optind], argv[optind + 1], &error))
        return 0;
    fprintf(stderr, "mkntdll: %s\n", error.text);
    return 1;
}
