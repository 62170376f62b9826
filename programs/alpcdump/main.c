/*
 * alpcdump: shows the LPC and ALPC ports, connections and messages of one Wine prefix
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "json.h"
#include "query.h"
#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "Usage: alpcdump [OPTION]...\n"
    "Shows the LPC and ALPC ports of the Windows programs in one Wine prefix (WINEPREFIX),\n"
    "the connections made to them and how many messages are under way.\n"
    "\n"
    "      --messages         list the messages, too\n"
    "      --port=NAME        only the connection port with this name, as '\\RPC Control\\example'\n"
    "      --json             print one JSON object, with messages\n"
    "      --watch[=SECONDS]  again and again, every 2 seconds if not told otherwise\n"
    "  -h, --help             print this text\n"
    "  -v, --version          print the version\n";

struct settings
{
    bool json, messages;
    double interval; /* seconds; 0 = once */
    const char *port;
};

static int fail(const char *text)
{
    fflush(stdout);
    fprintf(stderr, "alpcdump: %s\n", text);
    return 1;
}

static void clear_screen(void)
{
    static bool again;

    if (isatty(STDOUT_FILENO))
        fputs("\033[H\033[2J", stdout);
    else if (again)
        putchar('\n');
    again = true;
}

static int print(const struct settings *settings, const struct snapshot *snapshot)
{
    if (settings->json)
    {
        if (!json_print(stdout, snapshot, settings->interval > 0))
            return fail("out of memory");
    }
    else
    {
        if (settings->interval > 0)
            clear_screen();
        if (settings->port && snapshot->count[RECORD_server] && !snapshot->count[RECORD_port])
            puts("no port has this name");
        else
            text_print(stdout, snapshot);
    }
    if (fflush(stdout) || ferror(stdout))
        return fail(strerror(errno));
    return 0;
}

static int dump(const struct settings *settings)
{
    struct snapshot snapshot = { .rows = { NULL } };
    const char *error = query_server(&snapshot, settings->messages || settings->json);
    int code;

    if (error)
        return fail(error);
    if (settings->port)
        snapshot_keep_port(&snapshot, settings->port);
    code = print(settings, &snapshot);
    snapshot_free(&snapshot);
    return code;
}

static int watch(const struct settings *settings)
{
    const time_t whole = (time_t)settings->interval;
    const struct timespec pause = { .tv_sec = whole, .tv_nsec = (long)((settings->interval - (double)whole) * 1e9) };
    int code;

    while (!(code = dump(settings)))
        nanosleep(&pause, NULL);
    return code;
}

/* the interval in seconds, 0 when it makes no sense */
static double read_interval(const char *text)
{
    char *end;
    double value;

    if (!text)
        return 2;
    value = strtod(text, &end);
    return end != text && !*end && value >= 0.1 && value <= 86400 ? value : 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },        { "messages", no_argument, NULL, 'm' },
        { "watch", optional_argument, NULL, 'w' }, { "port", required_argument, NULL, 'p' },
        { "help", no_argument, NULL, 'h' },        { "version", no_argument, NULL, 'v' },
        { NULL, 0, NULL, 0 },
    };
    struct settings settings = { 0 };
    int option;

    argv[0] = program_invocation_short_name; /* for getopt's messages */
    while ((option = getopt_long(argc, argv, "hv", options, NULL)) != -1)
    {
        switch (option)
        {
        case 'j':
            settings.json = true;
            break;
        case 'm':
            settings.messages = true;
            break;
        case 'w':
            if (!(settings.interval = read_interval(optarg)))
                return fail("--watch wants seconds, from 0.1 to 86400");
            break;
        case 'p':
            settings.port = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        case 'v':
            puts("alpcdump (ntalpc) " NTALPC_VERSION);
            return 0;
        default:
            return 1;
        }
    }
    if (optind < argc)
        return fail("unexpected argument; see --help");
    return settings.interval > 0 ? watch(&settings) : dump(&settings);
}
