/*
 * alpc-wine: runs a Windows program on the host's Wine, in the user's own prefix, with LPC and ALPC.
 *
 * It becomes Wine's loader, so the program's exit code, signals and standard streams are its own.
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tools/file.h"
#include "tools/host.h"
#include "tools/overlay.h"
#include "tools/replace.h"

/* A port handle costs a file descriptor, here and in wineserver: enough for 10,000 connections and far more. */
#define FILES_WANTED 1048576

static const char usage[] =
    "Usage: alpc-wine [OPTION]... PROGRAM.EXE [ARGUMENT]...\n"
    "\n"
    "Runs a Windows program on the installed Wine, with LPC and ALPC.\n"
    "\n"
    "  --wine=DIR        the Wine below DIR instead of the one in PATH (or NTALPC_WINE)\n"
    "  --overlay=DIR     keep the overlays in DIR instead of ~/.cache/ntalpc (or NTALPC_OVERLAY)\n"
    "  --refresh         build the overlay anew\n"
    "  --print-overlay   bring the overlay up to date and print where it is, instead of running a program\n"
    "  --help            show this text\n"
    "  --version         show the version\n"
    "\n"
    "The prefix is that of WINEPREFIX or ~/.wine, as ever.\n";

struct settings
{
    const char *wine;
    const char *overlay;
    bool refresh;
    bool print;
};

/* The folder of this program, or NULL; the caller frees it. */
static char *own_folder(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

    if (length <= 0)
        return NULL;
    path[length] = 0;
    return path_folder(path);
}

/* The folder of a file of ours: beside this program, below its prefix if that was chosen or moved after configure, or
 * where configure said; the caller frees it. */
static char *find_own(const char *name, const char *relative, const char *installed)
{
    char *own = own_folder(), *folders[] = { own, own ? format("%s/%s", own, relative) : NULL, format("%s", installed) };
    size_t count = sizeof(folders) / sizeof(folders[0]), found = count - 1, i;

    for (i = count; i--;)
    {
        char *path = folders[i] ? format("%s/%s", folders[i], name) : NULL;

        if (path && path_is_file(path))
            found = i;
        free(path);
    }
    for (i = 0; i < count; i++)
    {
        if (i != found)
            free(folders[i]);
    }
    return folders[found];
}

static char *cache_folder(const struct settings *settings, struct error *error)
{
    const char *chosen = settings->overlay ? settings->overlay : getenv("NTALPC_OVERLAY");
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char here[PATH_MAX];

    if (chosen && *chosen)
    {
        if (*chosen == '/')
            return format("%s", chosen);
        if (getcwd(here, sizeof(here)))
            return format("%s/%s", here, chosen);
        error_set(error, "cannot find the current folder: %s", strerror(errno));
        return NULL;
    }
    if (cache && *cache == '/')
        return format("%s/ntalpc", cache); /* the XDG rules ignore a relative one */
    if (home && *home == '/')
        return format("%s/.cache/ntalpc", home);
    error_set(error, "no cache folder: HOME is not set; use --overlay=DIR");
    return NULL;
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    rlim_t wanted = FILES_WANTED;
    unsigned long long system_limit;
    FILE *file = fopen("/proc/sys/fs/nr_open", "re");

    if (file)
    {
        if (fscanf(file, "%llu", &system_limit) == 1 && system_limit < wanted)
            wanted = system_limit;
        fclose(file);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    if (limit.rlim_max < wanted)
    {
        struct rlimit raised = { wanted, wanted };

        if (!setrlimit(RLIMIT_NOFILE, &raised))
            return; /* only with privileges */
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static bool open_overlay(struct overlay *overlay, const struct settings *settings, struct error *error)
{
    struct overlay_request request = { .refresh = settings->refresh };
    const char *wine = settings->wine ? settings->wine : getenv("NTALPC_WINE");
    char *library = find_own(REPLACE_MODULE, "../lib/ntalpc", PKGLIBDIR);
    char *cache = cache_folder(settings, error);
    struct host host;
    bool done = false;

    if (cache && host_find(&host, wine && *wine ? wine : WINE_ROOT, error))
    {
        request.host = &host;
        request.cache = cache;
        request.library = library;
        done = overlay_open(overlay, &request, error);
        host_free(&host);
    }
    free(cache);
    free(library);
    return done;
}

/* Becomes the program; returns only on failure. */
static void run(const struct overlay *overlay, char *arguments[], struct error *error)
{
    char *folder = find_own("alpcserver", "../bin", BINDIR), *server = format("%s/alpcserver", folder);

    free(folder);
    /* child processes come from the same loader; Wine finds wineserver beside it */
    if (setenv("WINELOADER", overlay->loader, 1) || setenv("NTALPCSERVER", server, 0))
        error_set(error, "out of memory");
    else
    {
        raise_file_limit();
        arguments[0] = overlay->loader;
        execv(overlay->loader, arguments);
        error_set(error, "cannot run %s: %s", overlay->loader, strerror(errno));
    }
    free(server);
}

static int fail(const char *text)
{
    fprintf(stderr, "alpc-wine: %s\n", text);
    return 1;
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {
        { "wine", required_argument, NULL, 'w' },
        { "overlay", required_argument, NULL, 'o' },
        { "refresh", no_argument, NULL, 'r' },
        { "print-overlay", no_argument, NULL, 'p' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
    };
    struct settings settings = { 0 };
    struct overlay overlay;
    struct error error;
    int option;

    argv[0] = program_invocation_short_name; /* for getopt's messages */
    /* what follows the program's name belongs to the program */
    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
    {
        switch (option)
        {
        case 'w':
            settings.wine = optarg;
            break;
        case 'o':
            settings.overlay = optarg;
            break;
        case 'r':
            settings.refresh = true;
            break;
        case 'p':
            settings.print = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        case 'V':
            puts("alpc-wine (ntalpc) " NTALPC_VERSION);
            return 0;
        default:
            return 1;
        }
    }
    if (optind == argc && !settings.print && !settings.refresh)
        return fail("no program given; see --help");
    if (!open_overlay(&overlay, &settings, &error))
        return fail(error.text);
    if (settings.print)
        puts(overlay.path);
    /* the vector from here on is the program's, with one place before it for the loader's name */
    if (optind < argc && !settings.print)
    {
        run(&overlay, argv + optind - 1, &error);
        overlay_close(&overlay);
        return fail(error.text);
    }
    overlay_close(&overlay);
    return 0;
}
