/*
 * The host's Wine: where its loader, DLLs and data are.
 *
 * Wine's loader finds everything relative to itself, but how is decided when Wine is built, so every layout that a
 * distribution uses is tried.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "tools/host.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/file.h"

/* below the folder into which Wine was installed; the real loader before what may be a script or a small helper */
static const char *const loader_places[] = {
    "bin/wine64",
    "lib/wine/wine64",
    "lib64/wine/wine64",
    "lib/x86_64-linux-gnu/wine/wine64",
    "bin/wine",
    "lib/wine/wine",
    "lib64/wine/wine",
    "lib/x86_64-linux-gnu/wine/wine",
    "lib/wine/x86_64-unix/wine",
    "lib64/wine/x86_64-unix/wine",
    "lib/x86_64-linux-gnu/wine/x86_64-unix/wine",
};

/* relative to the loader's folder; an empty one is that folder itself */
static const char *const unix_places[] = {
    "",
    "x86_64-unix",
    "../lib/wine/x86_64-unix",
    "../lib64/wine/x86_64-unix",
    "../lib/x86_64-linux-gnu/wine/x86_64-unix",
    "../x86_64-linux-gnu/wine/x86_64-unix",
    "../../lib64/wine/x86_64-unix",
    "../../lib/wine/x86_64-unix",
};

static const char *const data_places[] = {
    "../share/wine",
    "../../share/wine",
    "../../../share/wine",
    "../../../../share/wine",
};

static const char *const usual_roots[] = {
    "/usr", "/usr/local", "/opt/wine-stable", "/opt/wine-staging", "/opt/wine-devel", "/opt/wine",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool host_is_program(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf64_Ehdr header;
    bool good;

    if (fd < 0)
        return false;
    good = read(fd, &header, sizeof(header)) == sizeof(header) && !memcmp(header.e_ident, ELFMAG, SELFMAG) &&
           header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == EM_X86_64;
    close(fd);
    return good && path_is_file(path) && !access(path, X_OK);
}

static bool has_file(const char *folder, const char *name)
{
    char *path = format("%s/%s", folder, name);
    bool found = path_is_file(path);

    free(path);
    return found;
}

/* Adds the places, seen from folder, that hold the given file or folder. */
static void add_places(char **list, size_t *count, const char *folder, const char *const *places, size_t place_count,
                       const char *content)
{
    for (size_t i = 0; i < place_count; i++)
    {
        char *place = path_join(folder, places[i]);
        char *inside = place ? format("%s/%s", place, content) : NULL;
        bool good = inside && !access(inside, F_OK) && *count < HOST_PLACES_MAX;

        for (size_t j = 0; good && j < *count; j++)
            good = strcmp(list[j], place);
        if (good)
            list[(*count)++] = place;
        else
            free(place);
        free(inside);
    }
}

/* Shortens root until it is path or a folder above it. */
static void widen_root(char *root, const char *path)
{
    size_t length = strlen(root);

    while (length > 1 && (strncmp(root, path, length) || (path[length] && path[length] != '/')))
    {
        while (length && root[--length] != '/')
            continue;
        root[length] = 0;
    }
    if (!length)
        strcpy(root, "/");
}

static void find_root(struct host *host)
{
    host->root = format("%s", host->loader_dir);
    widen_root(host->root, host->dll_dir);
    for (size_t i = 0; i < host->data_count; i++)
        widen_root(host->root, host->data_dir[i]);
    for (size_t i = 0; i < host->server_count; i++)
        widen_root(host->root, host->server_dir[i]);
}

static bool find_libraries(struct host *host, struct error *error)
{
    char *found[HOST_PLACES_MAX];
    size_t count = 0;

    add_places(found, &count, host->loader_dir, unix_places, COUNT(unix_places), "ntdll.so");
    if (!count)
        return error_set(error, "%s is a Wine loader without x86_64-unix/ntdll.so beside it", host->loader);
    host->unix_dir = found[0];
    while (--count)
        free(found[count]);
    return true;
}

/* Describes the Wine whose loader this is. */
static bool describe(struct host *host, const char *loader, struct error *error)
{
    static const char *const own_place[] = { "" };
    static const char *const bin_place[] = { "../../bin" }; /* beside the share that holds the data */
    char resolved[PATH_MAX], *inner;

    memset(host, 0, sizeof(*host));
    if (!realpath(loader, resolved) || !host_is_program(resolved))
        return error_set(error, "%s is not a 64-bit program", loader);
    host->loader = format("%s", resolved);
    host->loader_dir = path_folder(host->loader);
    if (!find_libraries(host, error))
        return false;

    /* Since Wine 10.2 the loader lives beside ntdll.so, and the program in bin only calls it. */
    inner = format("%s/wine", host->unix_dir);
    if (strcmp(inner, host->loader) && host_is_program(inner))
    {
        free(host->loader);
        free(host->loader_dir);
        host->loader = inner;
        host->loader_dir = format("%s", host->unix_dir);
    }
    else
        free(inner);

    host->dll_dir = path_folder(host->unix_dir);
    host->windows_dir = format("%s/x86_64-windows", host->dll_dir);
    if (!has_file(host->windows_dir, "ntdll.dll"))
        return error_set(error, "the Wine of %s has no %s/ntdll.dll", host->loader, host->windows_dir);
    add_places(host->data_dir, &host->data_count, host->loader_dir, data_places, COUNT(data_places), "nls");
    add_places(host->data_dir, &host->data_count, host->dll_dir, data_places, COUNT(data_places), "nls");
    if (!host->data_count)
        return error_set(error, "the Wine of %s has no share/wine/nls", host->loader);
    add_places(host->server_dir, &host->server_count, host->loader_dir, own_place, 1, "wineserver");
    for (size_t i = 0; i < host->data_count; i++)
        add_places(host->server_dir, &host->server_count, host->data_dir[i], bin_place, 1, "wineserver");
    if (!host->server_count)
        return error_set(error, "the Wine of %s has no wineserver", host->loader);
    find_root(host);
    return true;
}

/* One candidate.  *tried stays set, with the reason in error, when there was a loader that is not good enough. */
static bool try_loader(struct host *host, const char *loader, bool *tried, struct error *error)
{
    if (!host_is_program(loader))
        return false;
    if (describe(host, loader, error))
        return true;
    host_free(host);
    *tried = true;
    return false;
}

static bool try_root(struct host *host, const char *root, bool *tried, struct error *error)
{
    bool found = false;

    for (size_t i = 0; !found && i < COUNT(loader_places); i++)
    {
        char *loader = path_join(root, loader_places[i]);

        found = try_loader(host, loader, tried, error);
        free(loader);
    }
    return found;
}

static bool try_folder(struct host *host, const char *folder, bool *tried, struct error *error)
{
    static const char *const names[] = { "wine64", "wine" };
    bool found = false;

    for (size_t i = 0; !found && i < COUNT(names); i++)
    {
        char *loader = path_join(folder, names[i]);

        found = try_loader(host, loader, tried, error);
        free(loader);
    }
    return found;
}

/* What the user meant: a loader, a folder that holds one, or what Wine was installed into. */
static bool find_below(struct host *host, const char *below, struct error *error)
{
    char folder[PATH_MAX], *usr;
    bool tried = false, found;

    if (!realpath(below, folder))
        return error_set(error, "no Wine in %s: there is no such file or folder", below);
    if (path_is_file(folder))
    {
        found = try_loader(host, folder, &tried, error);
        if (!found && !tried)
            error_set(error, "%s is not a 64-bit Wine loader", below);
        return found;
    }
    usr = path_join(folder, "usr");
    found = try_root(host, folder, &tried, error) || try_root(host, usr, &tried, error) ||
            try_folder(host, folder, &tried, error);
    free(usr);
    if (!found && !tried)
        error_set(error, "no 64-bit Wine in %s", below);
    return found;
}

/*
 * The Wine that the user's commands run: what PATH has may be a script, but then the loader is below the same root, and
 * also when it is a link to elsewhere.
 */
static bool find_in_path(struct host *host, bool *tried, struct error *error)
{
    static const char *const names[] = { "wine64", "wine" };
    char *list = format("%s", getenv("PATH") ? getenv("PATH") : ""), *rest = list, *folder;
    bool found = false;

    while (!found && (folder = strsep(&rest, ":")))
    {
        for (size_t i = 0; !found && i < COUNT(names); i++)
        {
            char *command = format("%s/%s", folder, names[i]), resolved[PATH_MAX];
            char *root = NULL;

            if (*folder == '/' && realpath(command, resolved))
            {
                char *place = path_folder(resolved);

                found = try_loader(host, resolved, tried, error) ||
                        ((root = path_join(place, "..")) && try_root(host, root, tried, error));
                free(place);
            }
            free(root);
            free(command);
        }
    }
    free(list);
    return found;
}

bool host_find(struct host *host, const char *below, struct error *error)
{
    bool tried = false;

    memset(host, 0, sizeof(*host));
    if (below && *below)
        return find_below(host, below, error);
    if (find_in_path(host, &tried, error))
        return true;
    for (size_t i = 0; i < COUNT(usual_roots); i++)
        if (try_root(host, usual_roots[i], &tried, error))
            return true;
    if (!tried)
        error_set(error, "no 64-bit Wine found, neither in PATH nor below /usr or /opt; use --wine=DIR");
    return false;
}

void host_free(struct host *host)
{
    free(host->loader);
    free(host->loader_dir);
    free(host->unix_dir);
    free(host->windows_dir);
    free(host->dll_dir);
    free(host->root);
    for (size_t i = 0; i < host->data_count; i++)
        free(host->data_dir[i]);
    for (size_t i = 0; i < host->server_count; i++)
        free(host->server_dir[i]);
    memset(host, 0, sizeof(*host));
}
