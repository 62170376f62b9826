/*
 * The benchmark: the data path beside the floor of what the machine can do and beside what Wine offers
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All contestants are measured in one run, one after the other in every round, for what a round trip takes changes with
 * the hour and with where the host puts the virtual processors.  A ratio is taken within a round; its median is told.
 * Nothing here is an assertion.
 */

#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define MOST_ROUNDS 64
#define MILLISECOND 1e6

static struct
{
    bool quick;
    unsigned int rounds;
    double round_ns; /* how long a contestant is measured at a time */
    const char *alpc_wine, *program, *prefix, *write;
} options = { .alpc_wine = "./alpc-wine", .program = "./bench.exe", .prefix = "bench.prefix" };

static FILE *report; /* what goes to the standard output and into the document */

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(report, format, args);
    va_end(args);
}

static void progress(const char *what)
{
    if (!options.quick)
        fprintf(stderr, "bench: %s\n", what);
}

/* ---------------------------------------------------------------------------------------------- children */

#define MOST_CHILDREN 24

static struct child children[MOST_CHILDREN];

static struct child *new_child(void)
{
    unsigned int i;

    for (i = 0; i < MOST_CHILDREN; i++)
        if (!children[i].pid)
            return &children[i];
    fail("too many processes");
}

static void end_children(void)
{
    unsigned int i;

    for (i = 0; i < MOST_CHILDREN; i++)
        child_end(&children[i]);
}

void fail(const char *format, ...)
{
    static bool failing;
    va_list args;

    fputs("bench: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    if (!failing)
    {
        failing = true;
        end_children();
        prefix_end();
    }
    exit(1);
}

/* two programs that talk */
struct pair
{
    struct child *server, *client;
};

static struct pair native_pair(void (*serve)(void *arg), void (*call)(void *arg, unsigned int, unsigned int), void *arg)
{
    struct pair pair;

    child_serve(pair.server = new_child(), serve, arg);
    child_client(pair.client = new_child(), call, arg);
    return pair;
}

/* a client that needs no server */
static struct pair native_single(void (*call)(void *arg, unsigned int, unsigned int), void *arg)
{
    struct pair pair;

    pair.server = pair.client = new_child();
    child_client(pair.client, call, arg);
    return pair;
}

static struct child *wine_client(const char *server)
{
    const char *const arguments[] = { options.program, "call", server, NULL };
    struct child *child = new_child();

    child_wine(child, arguments);
    return child;
}

static struct pair wine_pair(const char *name, const char *const *kinds)
{
    const char *arguments[12] = { options.program, "serve", name };
    struct pair pair;
    unsigned int i;

    for (i = 0; kinds[i]; i++)
        arguments[3 + i] = kinds[i];
    child_wine(pair.server = new_child(), arguments);
    child_wait_ready(pair.server);
    pair.client = wine_client(name);
    return pair;
}

static void place_pair(const struct pair *pair, enum placement placement)
{
    place(pair->server->pid, pair->client->pid, placement);
}

static void end_pair(const struct pair *pair)
{
    child_end(pair->client);
    if (pair->server != pair->client)
        child_end(pair->server);
}

/* ---------------------------------------------------------------------------------------------- samples */

/* what one contestant does under one condition: nanoseconds for one time, by round */
struct series
{
    double samples[MOST_ROUNDS];
    unsigned int count;
    double last;
};

static double nanoseconds(struct span span)
{
    return (double)(span.end - span.begin);
}

static unsigned int enough(double ns, double each)
{
    double count = ns / each;

    return count < 1 ? 1 : count > 4e9 ? 4000000000u : (unsigned int)count;
}

/* lets the contestant warm up, then measures it for about the time of a round */
static void sample(struct series *series, struct child *client, const char *what, unsigned int size)
{
    double warm = options.round_ns / 10;
    unsigned int count = series->last ? enough(warm, series->last) : 4;

    series->last = nanoseconds(child_call(client, what, size, count)) / count;
    if (!series->count) /* the first one connects */
    {
        count = enough(warm, series->last);
        series->last = nanoseconds(child_call(client, what, size, count)) / count;
    }
    count = enough(options.round_ns, series->last);
    series->last = nanoseconds(child_call(client, what, size, count)) / count;
    series->samples[series->count++] = series->last;
}

static double middle(const struct series *series)
{
    double values[MOST_ROUNDS];

    memcpy(values, series->samples, sizeof(values));
    return median(values, series->count);
}

/* the median of the quotients of each round */
static double ratio(const struct series *of, const struct series *to)
{
    double values[MOST_ROUNDS];
    unsigned int i, count = of->count < to->count ? of->count : to->count;

    for (i = 0; i < count; i++)
        values[i] = of->samples[i] / to->samples[i];
    return median(values, count);
}

/* "1.5", "12", "340": three digits at most, as a reader wants them */
static const char *number(double value)
{
    static char text[8][32];
    static unsigned int next;
    char *at = text[next++ % 8];

    snprintf(at, 32, value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value);
    return at;
}

static const char *time_of(double ns)
{
    static char text[8][32];
    static unsigned int next;
    char *at = text[next++ % 8];

    if (ns < 1000)
        snprintf(at, 32, "%.0f ns", ns);
    else
        snprintf(at, 32, "%s µs", number(ns / 1000));
    return at;
}

/* ---------------------------------------------------------------------------------------------- aims */

struct aim
{
    const char *what, *aim;
    double limit;
    bool least; /* the figure must be that much at least */
    double figures[PLACEMENTS];
    bool placed; /* there is a figure for each placement; else for the first */
};

static struct aim aims[16];
static unsigned int aim_count;

static struct aim *new_aim(const char *what, const char *text, double limit, bool least)
{
    aims[aim_count] = (struct aim){ .what = what, .aim = text, .limit = limit, .least = least };
    return &aims[aim_count++];
}

static void tell_figure(const struct aim *aim, double figure)
{
    bool met = aim->least ? figure >= aim->limit : figure <= aim->limit;

    tell("%s%s", number(figure), met ? "" : " (missed)");
}

static void tell_aims(void)
{
    unsigned int i, p;

    tell("\n**Aims**\n\n| figure | aim | %s | %s | %s |\n|---|---|---|---|---|\n", placement_names[0],
         placement_names[1], placement_names[2]);
    for (i = 0; i < aim_count; i++)
    {
        tell("| %s | %s | ", aims[i].what, aims[i].aim);
        for (p = 0; p < PLACEMENTS; p++)
        {
            if (aims[i].figures[p])
                tell_figure(&aims[i], aims[i].figures[p]);
            tell(p + 1 < PLACEMENTS ? " | " : " |\n");
        }
    }
}

/* ---------------------------------------------------------------------------------------------- round trips */

enum contestant
{
    FLOOR,
    LOCKED,
    CHANNEL,
    ALONE,
    CALLS,
    ALPC,
    PIPE,
    EVENTS,
    RPC,
    SOCKET,
    CONTESTANTS
};

static const struct
{
    const char *name, *what;
    bool quick; /* part of the short form */
    bool sized; /* carries data */
} contestants[CONTESTANTS] = {
    [FLOOR] = { "floor: shared memory, two native processes", "floor", true, true },
    [LOCKED] = { "the floor with five more locked operations, as many as the channel", "floor", false, false },
    [CHANNEL] = { "the channel, two native processes", "channel", false, true },
    [ALONE] = { "the channel, both ends in one thread: the work without any travel", "channel", false, true },
    [CALLS] = { "two ALPC calls under Wine that neither send nor receive", "alpc-nothing", false, false },
    [ALPC] = { "**ALPC, two programs under Wine**", "alpc", true, true },
    [PIPE] = { "Wine: message pipe", "pipe", true, true },
    [EVENTS] = { "Wine: two events, no data", "event", false, false },
    [RPC] = { "Wine: ncalrpc call", "rpc", false, true },
    [SOCKET] = { "Unix socket, two native processes", "socket", false, true },
};

#define MOST_SIZES 3
static const unsigned int sizes[MOST_SIZES] = { 64, 4096, 61440 };
static const char *const size_names[MOST_SIZES] = { "64 bytes", "4 KiB", "60 KiB" };

static struct series trips[PLACEMENTS][MOST_SIZES][CONTESTANTS];

static bool takes_part(enum contestant contestant, unsigned int size)
{
    return (contestants[contestant].quick || !options.quick) && (contestants[contestant].sized || !size);
}

static void tell_trips(unsigned int size)
{
    unsigned int c, p;

    tell("\n**Synchronous round trip, %s each way**\n\n| |", size_names[size]);
    for (p = 0; p < PLACEMENTS; p++)
        tell(" %s | × floor |", placement_names[p]);
    tell("\n|---|--:|--:|--:|--:|--:|--:|\n");
    for (c = 0; c < CONTESTANTS; c++)
    {
        if (!takes_part(c, size))
            continue;
        tell("| %s |", contestants[c].name);
        for (p = 0; p < PLACEMENTS; p++)
            tell(" %s | %s |", time_of(middle(&trips[p][size][c])),
                 number(ratio(&trips[p][size][c], &trips[p][size][FLOOR])));
        tell("\n");
    }
}

static void aim_at_trips(unsigned int count)
{
    struct aim *floor_64 = new_aim("64-byte round trip between two programs, × floor", "≤ 2", 2, false);
    struct aim *pipe_64 = new_aim("64 bytes: message pipe, × ALPC", "≥ 100", 100, true);
    struct aim *floor_60k = count == MOST_SIZES ? new_aim("60-KiB round trip, × floor", "≤ 2", 2, false) : NULL;
    unsigned int p;

    for (p = 0; p < PLACEMENTS; p++)
    {
        floor_64->figures[p] = ratio(&trips[p][0][ALPC], &trips[p][0][FLOOR]);
        pipe_64->figures[p] = ratio(&trips[p][0][PIPE], &trips[p][0][ALPC]);
        if (floor_60k)
            floor_60k->figures[p] = ratio(&trips[p][2][ALPC], &trips[p][2][FLOOR]);
    }
}

static void measure_trips(const struct pair *wine)
{
    unsigned int size_count = options.quick ? 1 : MOST_SIZES, round, p, s, c;
    struct pair pairs[CONTESTANTS];

    progress("round trips");
    for (c = 0; c < CONTESTANTS; c++)
        pairs[c] = *wine;
    pairs[FLOOR] = native_pair(floor_serve, floor_call, floor_new(0));
    if (!options.quick)
    {
        pairs[LOCKED] = native_pair(floor_serve, floor_call, floor_new(5));
        pairs[CHANNEL] = native_pair(channel_bench_serve, channel_bench_call, channel_bench_new());
        pairs[ALONE] = native_single(channel_bench_alone, channel_bench_new());
        pairs[SOCKET] = native_pair(socket_bench_serve, socket_bench_call, socket_bench_new());
    }
    for (round = 0; round < options.rounds; round++)
        for (p = 0; p < PLACEMENTS; p++)
        {
            for (c = 0; c < CONTESTANTS; c++)
                place_pair(&pairs[c], p);
            for (s = 0; s < size_count; s++)
                for (c = 0; c < CONTESTANTS; c++)
                    if (takes_part(c, s))
                        sample(&trips[p][s][c], pairs[c].client, contestants[c].what, sizes[s]);
        }
    place_pair(wine, UNPINNED);
    for (s = 0; s < size_count; s++)
        tell_trips(s);
    aim_at_trips(size_count);
    for (c = 0; c < CONTESTANTS; c++)
        if (pairs[c].client != wine->client)
            end_pair(&pairs[c]);
}

/* ---------------------------------------------------------------------------------------------- datagrams */

#define SENDERS 4

/* several clients send at once, each its part; the time from the first begin to the last end */
static void sample_flood(struct series *series, struct child *const *senders, unsigned int sender_count,
                         unsigned int size)
{
    unsigned int count = enough(options.round_ns * 2, series->last ? series->last : 1000) / sender_count + 1, i;
    struct span all = { UINT64_MAX, 0 };

    for (i = 0; i < sender_count; i++)
        child_begin(senders[i], "alpc-datagrams", size, count);
    for (i = 0; i < sender_count; i++)
    {
        struct span span = child_finish(senders[i]);

        all.begin = span.begin < all.begin ? span.begin : all.begin;
        all.end = span.end > all.end ? span.end : all.end;
    }
    series->last = nanoseconds(all) / (count * sender_count);
    series->samples[series->count++] = series->last;
}

static void tell_rate(const char *what, const struct series *series)
{
    unsigned int p;

    tell("| %s |", what);
    for (p = 0; p < PLACEMENTS; p++)
        if (series[p].count)
            tell(" %s |", number(1e3 / middle(&series[p])));
        else
            tell(" |");
    tell("\n");
}

static void measure_datagrams(const struct pair *wine)
{
    static struct series one[PLACEMENTS], four[PLACEMENTS], pipe[PLACEMENTS];
    struct child *senders[SENDERS] = { wine->client };
    struct aim *aim;
    unsigned int round, p, i;

    progress("datagrams");
    for (i = 1; i < SENDERS && !options.quick; i++)
        senders[i] = wine_client("main");
    for (round = 0; round < options.rounds; round++)
        for (p = options.quick ? UNPINNED : ONE_CORE; p < PLACEMENTS; p++)
        {
            place_pair(wine, p);
            sample(&one[p], wine->client, "alpc-datagrams", 64);
            sample(&pipe[p], wine->client, "pipe-datagrams", 64);
            if (!options.quick && p == UNPINNED)
                sample_flood(&four[p], senders, SENDERS, 64);
        }
    for (i = 1; i < SENDERS && !options.quick; i++)
        child_end(senders[i]);
    tell("\n**Datagrams of 64 bytes, millions each second**\n\n| | %s | %s | %s |\n|---|--:|--:|--:|\n",
         placement_names[0], placement_names[1], placement_names[2]);
    tell_rate("**ALPC, one sender**", one);
    if (!options.quick)
        tell_rate("**ALPC, four senders** (programs)", four);
    tell_rate("Wine: message pipe, one sender", pipe);
    aim = new_aim("datagrams, millions each second", "≥ 2", 2, true);
    for (p = 0; p < PLACEMENTS; p++)
        if (one[p].count)
            aim->figures[p] = 1e3 / middle(&one[p]);
}

/* ---------------------------------------------------------------------------------------------- connecting */

static void measure_connecting(const struct pair *wine)
{
    static struct series alpc[PLACEMENTS], pipe[PLACEMENTS];
    struct aim *aim = new_aim("connect + accept + close, × message pipe", "≤ 2", 2, false);
    unsigned int round, p;

    progress("connecting");
    for (round = 0; round < options.rounds; round++)
        for (p = 0; p < PLACEMENTS; p++)
        {
            place_pair(wine, p);
            sample(&alpc[p], wine->client, "alpc-connect", 0);
            sample(&pipe[p], wine->client, "pipe-connect", 0);
        }
    place_pair(wine, UNPINNED);
    tell("\n**Connect, accept and close**\n\n| | %s | %s | %s |\n|---|--:|--:|--:|\n| **ALPC** |", placement_names[0],
         placement_names[1], placement_names[2]);
    for (p = 0; p < PLACEMENTS; p++)
        tell(" %s |", time_of(middle(&alpc[p])));
    tell("\n| Wine: message pipe |");
    for (p = 0; p < PLACEMENTS; p++)
    {
        tell(" %s |", time_of(middle(&pipe[p])));
        aim->figures[p] = ratio(&alpc[p], &pipe[p]);
    }
    tell("\n| ratio |");
    for (p = 0; p < PLACEMENTS; p++)
        tell(" %s |", number(aim->figures[p]));
    tell("\n");
}

/* ---------------------------------------------------------------------------------------------- many connections */

enum who
{
    CLIENT,
    SERVER,
    ALPCSERVER,
    WINESERVER,
    WHOS
};

static const char *const who_names[WHOS] = { "client", "server", "alpcserver", "wineserver" };

struct memory
{
    struct footprint of[WHOS];
    long long slab; /* of the whole machine */
};

static struct memory take_memory(const struct pair *pair)
{
    pid_t pids[WHOS] = { pair->client->pid, pair->server->pid, prefix_process("alpcserver"),
                         prefix_process("wineserver") };
    struct memory memory;
    unsigned int who;

    for (who = 0; who < WHOS; who++)
        memory.of[who] = footprint_of(pids[who]);
    memory.slab = meminfo("Slab");
    return memory;
}

/* what came between two looks for each of so many connections, KiB; the descriptors as they are */
static double tell_memory(const char *what, const struct memory *before, const struct memory *after, unsigned int count)
{
    double total = 0, pss, tables;
    unsigned int who;

    tell("| %s |", what);
    for (who = 0; who < WHOS; who++)
    {
        const struct footprint *b = &before->of[who], *a = &after->of[who];

        pss = (double)(a->pss - b->pss) / count / 1024;
        tables = (double)(a->tables - b->tables) / count / 1024;
        total += pss + tables;
        tell(" %.1f + %.1f |", pss, tables);
    }
    pss = (double)(after->slab - before->slab) / count / 1024;
    total += pss;
    tell(" %.1f | **%.1f** |\n", pss, total);
    return total;
}

static void tell_descriptors(const struct memory *before, const struct memory *after, unsigned int count)
{
    unsigned int who;

    tell("| descriptors |");
    for (who = 0; who < WHOS; who++)
        tell(" %.2f |", (double)(after->of[who].files - before->of[who].files) / count);
    tell(" | |\n");
}

/* before any connection, with all of them, and when each has carried a message */
static void tell_footprint(const struct memory *before, const struct memory *idle, const struct memory *used,
                           unsigned int count)
{
    struct aim *aim = new_aim("memory of an idle connection, KiB", "< 32", 32, false);
    unsigned int who;

    tell("\n**What an idle connection costs, KiB** (%u connections; memory + page tables of each process)\n\n| |",
         count);
    for (who = 0; who < WHOS; who++)
        tell(" %s |", who_names[who]);
    tell(" kernel objects | all |\n|---|--:|--:|--:|--:|--:|--:|\n");
    aim->figures[UNPINNED] = tell_memory("never used", before, idle, count);
    tell_memory("used once", before, used, count);
    tell_descriptors(before, idle, count);
}

#define POPULATIONS 3
static const unsigned int populations[POPULATIONS] = { 1, 100, 10000 };

static void tell_population(const char *what, const struct series *idle, const struct series *first)
{
    unsigned int i;

    tell("| %s |", what);
    for (i = 0; i < POPULATIONS; i++)
        tell(" %s | %s |", time_of(middle(&idle[i])), number(ratio(&idle[i], first)));
    tell("\n");
}

static void measure_populations(void)
{
    static const char *const kinds[] = { "alpc", NULL };
    static const char *const names[POPULATIONS] = { "one", "hundred", "myriad" };
    static struct series idle[POPULATIONS], robin[POPULATIONS];
    struct pair pairs[POPULATIONS];
    struct memory before, idle_memory, used_memory;
    unsigned int i, round, held;
    struct span span;
    struct aim *aim;

    progress("many connections");
    for (i = 0; i < POPULATIONS; i++)
    {
        pairs[i] = wine_pair(names[i], kinds);
        place_pair(&pairs[i], UNPINNED);
        child_call(pairs[i].client, "alpc", 64, 1000);
        /* the one that is called with alpc counts, and those that came before the memory is looked at too */
        held = populations[i] > 100 ? 100 : populations[i] - 1;
        child_call(pairs[i].client, "alpc-hold", 0, held);
        if (populations[i] <= 100)
            continue;
        before = take_memory(&pairs[i]);
        span = child_call(pairs[i].client, "alpc-hold", 0, populations[i] - 1);
        idle_memory = take_memory(&pairs[i]);
    }
    for (i = 1; i < POPULATIONS; i++)
        child_call(pairs[i].client, "alpc-robin", 64, populations[i] - 1);
    used_memory = take_memory(&pairs[POPULATIONS - 1]);
    for (round = 0; round < options.rounds; round++)
        for (i = 0; i < POPULATIONS; i++)
        {
            sample(&idle[i], pairs[i].client, "alpc", 64);
            if (populations[i] > 1)
                sample(&robin[i], pairs[i].client, "alpc-robin", 64);
            else
                robin[i] = idle[i];
        }
    tell("\n**64-byte round trip by the number of connections to one server, unpinned**\n\n| |");
    for (i = 0; i < POPULATIONS; i++)
        tell(" %u | × one |", populations[i]);
    tell("\n|---|--:|--:|--:|--:|--:|--:|\n");
    tell_population("**ALPC, the others idle**", idle, &idle[0]);
    tell_population("**ALPC, through all in turn**", robin, &robin[0]);
    tell("\nThe %u connections were made in %.1f s.\n", populations[POPULATIONS - 1], nanoseconds(span) / 1e9);
    aim = new_aim("64 bytes with 10,000 connections, × one (the others idle)", "≤ 1.5", 1.5, false);
    aim->figures[UNPINNED] = ratio(&idle[POPULATIONS - 1], &idle[0]);
    tell_footprint(&before, &idle_memory, &used_memory, populations[POPULATIONS - 1] - 101);
    for (i = 0; i < POPULATIONS; i++)
        end_pair(&pairs[i]);
}

/* ---------------------------------------------------------------------------------------------- the machine */

static void first_line(const char *command, char *line, size_t size)
{
    FILE *pipe = popen(command, "r");

    line[0] = 0;
    if (pipe && fgets(line, (int)size, pipe))
        line[strcspn(line, "\n")] = 0;
    if (pipe)
        pclose(pipe);
}

static void tell_machine(const char *load)
{
    char model[256], wine[256], date[32];
    time_t now = time(NULL);
    struct utsname name;

    uname(&name);
    first_line("sed -n 's/^model name[^:]*: //p' /proc/cpuinfo", model, sizeof(model));
    first_line("for wine in wine wine64 /usr/lib/wine/wine64; do $wine --version 2>/dev/null && break; done", wine,
               sizeof(wine));
    strftime(date, sizeof(date), "%Y-%m-%d", localtime(&now));
    tell("%s, %ld processors; Linux %s; %s; ntalpc %s; %s; load before the run %s; %u rounds\n", model,
         sysconf(_SC_NPROCESSORS_ONLN), name.release, wine, NTALPC_VERSION, date, load, options.rounds);
}

/* ---------------------------------------------------------------------------------------------- the document */

#define MARK_BEGIN "<!-- make bench: begin -->\n"
#define MARK_END "<!-- make bench: end -->\n"

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;

    if (!file)
        return NULL;
    if (getdelim(&text, &size, 0, file) == -1)
        fail("%s: %s", path, strerror(errno));
    fclose(file);
    return text;
}

/* puts the report between the marks */
static void write_document(const char *path, const char *text)
{
    char *old = read_file(path), *begin = old ? strstr(old, MARK_BEGIN) : NULL;
    char *end = begin ? strstr(begin, MARK_END) : NULL;
    FILE *file;

    if (!end)
        fail("%s: no lines for the figures", path);
    if (!(file = fopen(path, "we")))
        fail("%s: %s", path, strerror(errno));
    fprintf(file, "%.*s" MARK_BEGIN "\n%s\n%s", (int)(begin - old), old, text, end);
    if (fclose(file))
        fail("%s: %s", path, strerror(errno));
    free(old);
}

/* ---------------------------------------------------------------------------------------------- main */

static void measure(void)
{
    static const char *const all[] = { "alpc", "pipe", "pipe-connect", "event", "rpc", NULL };
    static const char *const few[] = { "alpc", "pipe", NULL };
    char load[64] = "";
    struct pair wine;

    first_line("cut -d' ' -f1 /proc/loadavg", load, sizeof(load));
    prefix_begin(options.prefix, options.alpc_wine, options.program);
    wine = wine_pair("main", options.quick ? few : all);
    tell_machine(load);
    measure_trips(&wine);
    measure_datagrams(&wine);
    if (!options.quick)
        measure_connecting(&wine);
    end_pair(&wine);
    if (!options.quick)
        measure_populations();
    tell_aims();
    end_children();
    prefix_end();
}

static void parse_options(int argc, char **argv)
{
    static const struct option long_options[] = {
        { "short", no_argument, NULL, 's' },
        { "rounds", required_argument, NULL, 'r' },
        { "alpc-wine", required_argument, NULL, 'a' },
        { "program", required_argument, NULL, 'p' },
        { "prefix", required_argument, NULL, 'd' },
        { "write", required_argument, NULL, 'w' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        switch (option)
        {
        case 's':
            options.quick = true;
            break;
        case 'r':
            options.rounds = (unsigned int)atoi(optarg);
            break;
        case 'a':
            options.alpc_wine = optarg;
            break;
        case 'p':
            options.program = optarg;
            break;
        case 'd':
            options.prefix = optarg;
            break;
        case 'w':
            options.write = optarg;
            break;
        default:
            exit(1);
        }
    if (!options.rounds)
        options.rounds = options.quick ? 9 : 15;
    if (options.rounds > MOST_ROUNDS)
        options.rounds = MOST_ROUNDS;
    options.round_ns = (options.quick ? 20 : 60) * MILLISECOND;
}

int main(int argc, char **argv)
{
    size_t size;
    char *text;

    parse_options(argc, argv);
    if (!(report = open_memstream(&text, &size)))
        fail("no memory");
    measure();
    fclose(report);
    fputs(text, stdout);
    if (options.write)
        write_document(options.write, text);
    free(text);
    return 0;
}
