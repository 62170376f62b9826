/*
 * The overlay: a folder in the user's cache that looks to Wine's loader like the host's Wine.
 *
 * An overlay's name is the hash of its stamp, the text that tells what it was made from.  So an overlay never changes
 * once it has its name: a change on the host leads to another name, and programs that run keep the one they began with.
 *
 * In the cache:
 *   .lock            held by whoever builds or removes
 *   .build-XXXXXX    an overlay being built, or removed; garbage when .lock is free
 *   HASH             an overlay; its .stamp is written first and checked before use
 *   HASH.lock        shared by all processes that run from HASH
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "tools/overlay.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tools/file.h"
#include "tools/pe.h"
#include "tools/replace.h"

/* Goes up when the same input shall lead to another tree. */
#define LAYOUT 1

#define HASH_LENGTH 16
#define BUILD_PREFIX ".build-"
#define BUILD_ATTEMPTS 3

#define MODULE_PE REPLACE_MODULE
#define MODULE_SO "ntalpc.so" /* Wine replaces the extension */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Programs that find their neighbours through /proc/self/exe, so that a symbolic link would lead them to the host. */
static const char *const copied_programs[] = { "wine64", "wine", "wine64-preloader", "wine-preloader" };

static uint64_t hash_text(uint64_t hash, const char *text)
{
    /* FNV-1a, with the NUL as a separator */
    do
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
    while (*text++);
    return hash;
}

#define HASH_START 0xcbf29ce484222325u

static void stamp_file(FILE *stamp, const char *path)
{
    struct stat st;

    if (stat(path, &st))
        fprintf(stamp, "%s -\n", path);
    else
        fprintf(stamp, "%s %jd %jd.%09ld %ju\n", path, S_ISDIR(st.st_mode) ? 0 : (intmax_t)st.st_size,
                (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (uintmax_t)st.st_ino);
}

static void stamp_in(FILE *stamp, const char *folder, const char *name)
{
    char *path = format("%s/%s", folder, name);

    stamp_file(stamp, path);
    free(path);
}

/* What an overlay for this request is made from, as text; the caller frees it. */
static char *make_stamp(const struct overlay_request *request, struct error *error)
{
    const struct host *host = request->host;
    uint64_t list = HASH_START;
    char *text = NULL;
    size_t size;
    FILE *stamp = open_memstream(&text, &size);

    if (!stamp)
    {
        error_set(error, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < replace_name_count; i++)
        list = hash_text(list, replace_names[i].name) + replace_names[i].needs_host;
    fprintf(stamp, "ntalpc %s layout %d list %016" PRIx64 "\n", NTALPC_VERSION, LAYOUT, list);
    stamp_file(stamp, host->loader);
    for (size_t i = 0; i < COUNT(copied_programs); i++)
        stamp_in(stamp, host->loader_dir, copied_programs[i]);
    stamp_in(stamp, host->unix_dir, "ntdll.so");
    stamp_in(stamp, host->windows_dir, "ntdll.dll");
    /* a folder's time changes when a file comes, goes or is replaced by rename, as package managers do */
    stamp_file(stamp, host->dll_dir);
    stamp_file(stamp, host->unix_dir);
    stamp_file(stamp, host->windows_dir);
    for (size_t i = 0; i < host->data_count; i++)
        fprintf(stamp, "%s\n", host->data_dir[i]);
    for (size_t i = 0; i < host->server_count; i++)
        fprintf(stamp, "%s\n", host->server_dir[i]);
    stamp_in(stamp, request->library, MODULE_PE);
    stamp_in(stamp, request->library, MODULE_SO);
    if (fclose(stamp))
    {
        free(text);
        error_set(error, "out of memory");
        return NULL;
    }
    return text;
}

static bool stamp_matches(const char *tree, const char *stamp)
{
    char *path = format("%s/.stamp", tree);
    struct error ignored;
    uint8_t *data = NULL;
    size_t size;
    bool same = file_read(path, &data, &size, &ignored) && size == strlen(stamp) && !memcmp(data, stamp, size);

    free(data);
    free(path);
    return same;
}

/* ------------------------------------------------------------------------------------------- building a tree */

/* Where a path of the host is in the tree; the caller frees it. */
static char *mirror(const struct host *host, const char *tree, const char *path)
{
    size_t root = strcmp(host->root, "/") ? strlen(host->root) : 0;

    return format("%s%s", tree, path + root);
}

static bool mirror_folder(const struct host *host, const char *tree, const char *path, struct error *error)
{
    char *folder = mirror(host, tree, path);
    bool done = folder_create(folder, 0777, error);

    free(folder);
    return done;
}

static bool link_path(const char *target, const char *path, struct error *error)
{
    /* what is there already was put there on purpose */
    if (!symlink(target, path) || errno == EEXIST)
        return true;
    return error_set(error, "cannot create %s: %s", path, strerror(errno));
}

/* Links everything in a folder of the host whose name begins with prefix, except what the tree has already. */
static bool link_folder(const struct host *host, const char *tree, const char *from, const char *prefix,
                        struct error *error)
{
    DIR *dir = opendir(from);
    struct dirent *entry;
    bool done = true;
    char *folder;

    if (!dir)
        return error_set(error, "cannot read the folder %s: %s", from, strerror(errno));
    folder = mirror(host, tree, from);
    while (done && (entry = readdir(dir)))
    {
        char *target, *path;

        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (strncmp(entry->d_name, prefix, strlen(prefix)))
            continue;
        target = format("%s/%s", from, entry->d_name);
        path = format("%s/%s", folder, entry->d_name);
        done = link_path(target, path, error);
        free(target);
        free(path);
    }
    free(folder);
    closedir(dir);
    return done;
}

static bool copy_file(const char *from, const char *to, mode_t mode, struct error *error)
{
    uint8_t *data = NULL;
    size_t size;
    bool done = file_read(from, &data, &size, error) && file_write(to, data, size, mode, error);

    free(data);
    return done;
}

/* file capabilities, as some give them to Wine's preloader, go along where the user may give them (CAVEATS.md) */
static void copy_capabilities(const char *from, const char *to)
{
    static const char name[] = "security.capability";
    char value[64];
    ssize_t size = getxattr(from, name, value, sizeof(value));

    if (size > 0)
        setxattr(to, name, value, (size_t)size, 0);
}

static bool copy_program(const struct host *host, const char *tree, const char *path, struct error *error)
{
    char *copy;
    bool done;

    if (!host_is_program(path))
        return true; /* absent, a script, or 32-bit: a link will do */
    copy = mirror(host, tree, path);
    done = copy_file(path, copy, 0777, error);
    if (done)
        copy_capabilities(path, copy);
    free(copy);
    return done;
}

static bool copy_programs(const struct host *host, const char *tree, struct error *error)
{
    bool done = copy_program(host, tree, host->loader, error);

    for (size_t i = 0; done && i < COUNT(copied_programs); i++)
    {
        char *path = format("%s/%s", host->loader_dir, copied_programs[i]);

        if (strcmp(path, host->loader))
            done = copy_program(host, tree, path, error);
        free(path);
    }
    return done;
}

static bool write_ntdll(const struct host *host, const char *windows_dir, struct error *error)
{
    char *from = format("%s/ntdll.dll", host->windows_dir);
    char *to = format("%s/ntdll.dll", windows_dir);
    uint8_t *data = NULL, *result = NULL;
    size_t size, result_size;
    struct error why;
    bool done = file_read(from, &data, &size, error);

    if (done)
    {
        done = replace_ntdll(data, size, replace_names, replace_name_count, &result, &result_size, &why) ||
               error_set(error, "%s cannot be replaced: %.500s", from, why.text);
        done = done && file_write(to, result, result_size, 0666, error);
    }
    free(result);
    free(data);
    free(to);
    free(from);
    return done;
}

static bool copy_module_pe(const char *library, const char *windows_dir, struct error *error)
{
    char *from = format("%s/" MODULE_PE, library);
    char *to = format("%s/" MODULE_PE, windows_dir);
    uint8_t *data = NULL;
    size_t size;
    struct pe_image pe;
    struct error why;
    bool done = file_read(from, &data, &size, error);

    if (done)
    {
        if (!pe_parse(&pe, data, size, &why))
            done = error_set(error, "%s: %.500s", from, why.text);
        else if (!pe_is_builtin(&pe)) /* Wine would not load it */
            done = error_set(error, "%s has no builtin mark (mkntdll --builtin sets it)", from);
        else
            done = file_write(to, data, size, 0666, error);
    }
    free(data);
    free(to);
    free(from);
    return done;
}

/* Ours are copied, too: a program that runs must not see them change when they are built or installed anew. */
static bool write_modules(const struct host *host, const char *library, const char *tree, struct error *error)
{
    char *windows_dir = mirror(host, tree, host->windows_dir);
    char *unix_dir = mirror(host, tree, host->unix_dir);
    char *host_so = format("%s/ntdll.so", host->unix_dir), *host_copy = format("%s/ntdll.so", unix_dir);
    char *our_so = format("%s/" MODULE_SO, library), *our_copy = format("%s/" MODULE_SO, unix_dir);
    bool done = write_ntdll(host, windows_dir, error) && copy_module_pe(library, windows_dir, error) &&
                copy_file(host_so, host_copy, 0666, error) && copy_file(our_so, our_copy, 0666, error);

    free(our_copy);
    free(our_so);
    free(host_copy);
    free(host_so);
    free(unix_dir);
    free(windows_dir);
    return done;
}

static bool make_folders(const struct host *host, const char *tree, struct error *error)
{
    bool done = mirror_folder(host, tree, host->loader_dir, error) &&
                mirror_folder(host, tree, host->unix_dir, error) && mirror_folder(host, tree, host->windows_dir, error);

    for (size_t i = 0; done && i < host->server_count; i++)
        done = mirror_folder(host, tree, host->server_dir[i], error);
    for (size_t i = 0; done && i < host->data_count; i++)
    {
        char *parent = path_folder(host->data_dir[i]);

        done = mirror_folder(host, tree, parent, error);
        free(parent);
    }
    return done;
}

static bool make_links(const struct host *host, const char *tree, struct error *error)
{
    bool done = link_folder(host, tree, host->unix_dir, "", error) &&
                link_folder(host, tree, host->windows_dir, "", error) &&
                link_folder(host, tree, host->dll_dir, "", error) &&
                /* the loader's folder may be /usr/bin */
                link_folder(host, tree, host->loader_dir, "wine", error);

    for (size_t i = 0; done && i < host->server_count; i++)
        done = link_folder(host, tree, host->server_dir[i], "wineserver", error);
    for (size_t i = 0; done && i < host->data_count; i++)
    {
        char *path = mirror(host, tree, host->data_dir[i]);

        done = link_path(host->data_dir[i], path, error);
        free(path);
    }
    return done;
}

static bool fill_tree(const struct overlay_request *request, const char *stamp, const char *tree, struct error *error)
{
    char *path = format("%s/.stamp", tree);
    bool done = file_write(path, (const uint8_t *)stamp, strlen(stamp), 0666, error) &&
                make_folders(request->host, tree, error) && copy_programs(request->host, tree, error) &&
                write_modules(request->host, request->library, tree, error) && make_links(request->host, tree, error);

    free(path);
    return done;
}

/* Gives a finished tree its name; what has that name already ends up at tree. */
static bool publish(const char *tree, const char *path)
{
    if (!renameat2(AT_FDCWD, tree, AT_FDCWD, path, RENAME_EXCHANGE))
        return true;
    if (errno == ENOENT)
        return !rename(tree, path);
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    /* a file system that cannot exchange: whoever looks in this moment finds no overlay and waits for the lock */
    folder_remove(path);
    return !rename(tree, path);
}

static bool make_lock(const char *path, struct error *error)
{
    char *lock_path = format("%s.lock", path);
    int lock = open(lock_path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

    if (lock < 0)
        error_set(error, "cannot create %s: %s", lock_path, strerror(errno));
    if (lock >= 0)
        close(lock);
    free(lock_path);
    return lock >= 0;
}

/* Builds the overlay at path.  *changed tells that the host changed meanwhile, so that there is nothing at path. */
static bool build(const struct overlay_request *request, const char *stamp, const char *path, bool *changed,
                  struct error *error)
{
    char *tree = format("%s/" BUILD_PREFIX "XXXXXX", request->cache), *now = NULL;
    bool done = false;

    *changed = false;
    if (!mkdtemp(tree))
    {
        error_set(error, "cannot write in the cache folder %s: %s", request->cache, strerror(errno));
        free(tree);
        return false;
    }
    if (fill_tree(request, stamp, tree, error) && (now = make_stamp(request, error)))
    {
        if (strcmp(now, stamp))
            *changed = done = true;
        else
            done = make_lock(path, error) &&
                   (publish(tree, path) || error_set(error, "cannot create %s: %s", path, strerror(errno)));
    }
    folder_remove(tree);
    free(now);
    free(tree);
    return done;
}

/* ------------------------------------------------------------------------------------- the cache and its locks */

/* The shared lock of an overlay that exists, or -1 if it does not, or if it is just being removed. */
static int take_lock(const char *path, const char *stamp)
{
    char *lock_path = format("%s.lock", path);
    /* not closed on exec: the program, and what it starts, keep it */
    int lock = open(lock_path, O_RDONLY);
    struct stat held, named;
    bool good = lock >= 0 && !flock(lock, LOCK_SH) && !fstat(lock, &held) && !stat(lock_path, &named) &&
                held.st_ino == named.st_ino && held.st_dev == named.st_dev && stamp_matches(path, stamp);

    free(lock_path);
    if (good)
        return lock;
    if (lock >= 0)
        close(lock);
    return -1;
}

static void remove_unused(const char *cache, const char *name)
{
    char *path = format("%s/%s", cache, name), *lock_path = format("%s.lock", path);
    char *grave = format("%s/" BUILD_PREFIX "XXXXXX", cache);
    int lock = open(lock_path, O_RDWR | O_CLOEXEC);

    /* without a lock file nobody can be using it */
    if ((lock >= 0 ? !flock(lock, LOCK_EX | LOCK_NB) : errno == ENOENT) && mkdtemp(grave))
    {
        if (!rename(path, grave) || errno == ENOENT)
            unlink(lock_path); /* waiting users find it gone and look again */
        folder_remove(grave);
    }
    if (lock >= 0)
        close(lock);
    free(grave);
    free(lock_path);
    free(path);
}

/* Whether this is the name of an overlay or of its lock; a killed builder may have left the one without the other. */
static bool is_overlay_name(const char *name)
{
    return strspn(name, "0123456789abcdef") == HASH_LENGTH &&
           (!name[HASH_LENGTH] || !strcmp(name + HASH_LENGTH, ".lock"));
}

/* Removes what builders left behind that did not come to their end, and the overlays that fit no longer. */
static void clean_cache(const char *cache, const char *current)
{
    DIR *dir = opendir(cache);
    struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir)))
    {
        char *name = format("%s", entry->d_name);

        if (!strncmp(name, BUILD_PREFIX, strlen(BUILD_PREFIX)))
        {
            char *path = format("%s/%s", cache, name);

            folder_remove(path);
            free(path);
        }
        else if (is_overlay_name(name))
        {
            name[HASH_LENGTH] = 0;
            if (strcmp(name, current))
                remove_unused(cache, name);
        }
        free(name);
    }
    closedir(dir);
}

static char *overlay_path(const char *cache, const char *stamp)
{
    return format("%s/%016" PRIx64, cache, hash_text(HASH_START, stamp));
}

/* Looks for the overlay of this moment. */
static bool find_current(struct overlay *overlay, const struct overlay_request *request, char **stamp,
                         struct error *error)
{
    free(*stamp);
    free(overlay->path);
    overlay->path = NULL;
    if (!(*stamp = make_stamp(request, error)))
        return false;
    overlay->path = overlay_path(request->cache, *stamp);
    overlay->lock = take_lock(overlay->path, *stamp);
    return true;
}

/* As overlay_open, with the right to build. */
static bool build_current(struct overlay *overlay, const struct overlay_request *request, char **stamp,
                          struct error *error)
{
    bool refresh = request->refresh;

    for (int i = 0; i < BUILD_ATTEMPTS; i++)
    {
        bool changed;

        if (!find_current(overlay, request, stamp, error))
            return false;
        if (overlay->lock >= 0)
        {
            if (!refresh)
                return true;
            close(overlay->lock);
            overlay->lock = -1;
        }
        if (!build(request, *stamp, overlay->path, &changed, error))
            return false;
        if (changed)
            continue;
        refresh = false;
        if ((overlay->lock = take_lock(overlay->path, *stamp)) >= 0)
            return true;
        return error_set(error, "cannot lock %s: %s", overlay->path, strerror(errno));
    }
    return error_set(error, "the Wine of %s keeps changing; try again", request->host->loader);
}

static bool open_gate(const char *cache, int *gate, struct error *error)
{
    char *path;

    if (!folder_create(cache, 0700, error))
        return false;
    path = format("%s/.lock", cache);
    *gate = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(path);
    if (*gate < 0)
        return error_set(error, "cannot write in the cache folder %s: %s", cache, strerror(errno));
    while (flock(*gate, LOCK_EX))
    {
        if (errno == EINTR)
            continue;
        close(*gate);
        return error_set(error, "cannot lock the cache folder %s: %s", cache, strerror(errno));
    }
    return true;
}

static bool check_library(const char *library, struct error *error)
{
    static const char *const names[] = { MODULE_PE, MODULE_SO };

    for (size_t i = 0; i < COUNT(names); i++)
    {
        char *path = format("%s/%s", library, names[i]);
        bool there = path_is_file(path);

        if (!there)
            error_set(error, "%s is missing", path);
        free(path);
        if (!there)
            return false;
    }
    return true;
}

bool overlay_open(struct overlay *overlay, const struct overlay_request *request, struct error *error)
{
    const struct host *host = request->host;
    char *stamp = NULL;
    bool done;
    int gate;

    memset(overlay, 0, sizeof(*overlay));
    overlay->lock = -1;
    if (!check_library(request->library, error))
        return false;
    done = find_current(overlay, request, &stamp, error);
    if (done && (overlay->lock < 0 || request->refresh))
    {
        if (overlay->lock >= 0)
            close(overlay->lock);
        overlay->lock = -1;
        if ((done = open_gate(request->cache, &gate, error)))
        {
            done = build_current(overlay, request, &stamp, error);
            if (done)
                clean_cache(request->cache, path_name(overlay->path));
            close(gate);
        }
    }
    if (done)
        overlay->loader = mirror(host, overlay->path, host->loader);
    free(stamp);
    if (!done)
        overlay_close(overlay);
    return done;
}

void overlay_close(struct overlay *overlay)
{
    if (overlay->lock >= 0)
        close(overlay->lock);
    free(overlay->path);
    free(overlay->loader);
    overlay->path = overlay->loader = NULL;
    overlay->lock = -1;
}
