/*
 * The test runner
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs each test as a process of its own and judges it by its exit code, by the summary line of winetest, and by what
 * it leaves behind: processes, and ports, connections, descriptors and mappings in alpcserver.
 */

#include "tests/runner_process.h"
#include "tests/runner_server.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIPPED 77
#define SHOWN 65536   /* bytes of the output of a test that has failed */
#define KEEPER_END 20 /* seconds in which the keeper ends by itself */

static const char usage[] =
    "Usage: runner [OPTION]... [TEST]...\n"
    "Runs tests, one after the other.  A TEST is a shell command, \"NAME: \" before it gives it a name.\n"
    "It passes if it exits with 0 and leaves nothing behind; it is skipped if it exits with 77.\n\n"
    "  -f, --file=FILE         the tests in FILE, one a line; # begins a comment\n"
    "  -w, --winetest=COMMAND  the tests that COMMAND --list names, each as COMMAND NAME\n"
    "  -k, --keep=COMMAND      a command that runs until all tests have, and ends when its input does\n"
    "  -n, --only=PATTERN      only the tests whose name matches\n"
    "  -t, --timeout=SECONDS   how long a test may take (120)\n"
    "  -g, --grace=SECONDS     how long what it has left behind may take to go (5)\n"
    "  -o, --output=DIR        keep the output of the tests in DIR\n"
    "  -s, --no-server         do not look at alpcserver\n"
    "  -l, --list              print the names instead of running\n"
    "  -h, --help              print this text\n";

struct test
{
    char *name;
    char *command;
    bool winetest; /* it ends with a summary line */
};

/* where tests come from, in the order of the command line */
struct source
{
    enum
    {
        SOURCE_COMMAND,
        SOURCE_FILE,
        SOURCE_WINETEST
    } kind;
    const char *text;
};

enum verdict
{
    PASSED,
    FAILED,
    SKIPPED,
    VERDICTS
};

struct result
{
    enum verdict verdict;
    char reason[2048];
};

static struct
{
    const char *only, *keep, *output;
    double timeout, grace;
    bool no_server, list;
} settings = { .timeout = 120, .grace = 5 };

static struct source *sources;
static struct test *tests;
static size_t source_count, test_count;

static struct process keeper;
static int keeper_input = -1;
static char output_folder[PATH_MAX];

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("runner: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    if (keeper.pid)
        process_kill(&keeper, NULL);
    exit(1);
}

/* the keeper's processes are no test's */
static const struct process *spared(void)
{
    return keeper.pid ? &keeper : NULL;
}

static void *check(void *memory)
{
    if (!memory)
        die("out of memory");
    return memory;
}

static void __attribute__((format(printf, 2, 3))) add_reason(struct result *result, const char *format, ...)
{
    size_t used = strlen(result->reason), left = sizeof(result->reason) - used;
    va_list args;

    if (used)
    {
        snprintf(result->reason + used, left, "; ");
        used = strlen(result->reason);
        left = sizeof(result->reason) - used;
    }
    va_start(args, format);
    vsnprintf(result->reason + used, left, format, args);
    va_end(args);
}

#define fail(result, ...) ((result)->verdict = FAILED, add_reason(result, __VA_ARGS__))

/* ---------------------------------------------------------------------------------------------- the list of tests */

static void add_source(int kind, const char *text)
{
    sources = check(realloc(sources, (source_count + 1) * sizeof(*sources)));
    sources[source_count++] = (struct source){ .kind = kind, .text = text };
}

static void add_test(const char *name, size_t name_length, const char *command, bool winetest)
{
    struct test test = { check(strndup(name, name_length)), check(strdup(command)), winetest };

    if (settings.only && fnmatch(settings.only, test.name, 0))
    {
        free(test.name);
        free(test.command);
        return;
    }
    tests = check(realloc(tests, (test_count + 1) * sizeof(*tests)));
    tests[test_count++] = test;
}

/* "NAME: COMMAND", or a command that is its own name */
static void add_command(const char *text)
{
    const char *colon = strstr(text, ": ");

    if (colon && colon > text && strcspn(text, " \"'$;&|<>()") > (size_t)(colon - text))
        add_test(text, (size_t)(colon - text), colon + 2, false);
    else
        add_test(text, strlen(text), text, false);
}

static void add_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;

    if (!file)
        die("%s: %s", path, strerror(errno));
    while (getline(&line, &room, file) != -1)
    {
        line[strcspn(line, "\n")] = 0;
        if (line[strspn(line, " \t")] && line[0] != '#')
            add_command(line);
    }
    free(line);
    fclose(file);
}

static char *format(const char *text, const char *first, const char *second)
{
    char *result;

    if (asprintf(&result, text, first, second) == -1)
        check(NULL);
    return result;
}

static int open_input(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (fd == -1)
        die("/dev/null: %s", strerror(errno));
    return fd;
}

static int open_output(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (fd == -1)
        die("%s: %s", path, strerror(errno));
    return fd;
}

/* the first start of a prefix is made here, so the time is ample */
static void add_winetests(const char *command)
{
    char *path = format("%s/%s", output_folder, "list"), *line = NULL, *list = format("%s %s", command, "--list");
    int input = open_input(), output = open_output(path), status = 0, error;
    struct process process;
    size_t room = 0;
    FILE *file;

    if ((error = process_start(&process, list, "list", input, output)))
        die("cannot start %s: %s", list, strerror(error));
    if (process_wait(&process, settings.timeout + 120, &status) != PROCESS_ENDED || status)
    {
        process_kill(&process, spared());
        die("%s has failed, see %s", list, path);
    }
    if (!(file = fdopen(output, "r")))
        check(NULL);
    rewind(file);
    while (getline(&line, &room, file) != -1)
    {
        size_t length = strcspn(line, "\r\n");

        line[length] = 0;
        /* Wine has something to say when it makes a prefix */
        if (length && length == strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"))
        {
            char *test = format("%s %s", command, line);

            add_test(line, length, test, true);
            free(test);
        }
    }
    free(line);
    fclose(file);
    close(input);
    free(path);
    free(list);
}

static void make_list(void)
{
    size_t i;

    for (i = 0; i < source_count; i++)
    {
        switch (sources[i].kind)
        {
        case SOURCE_COMMAND:
            add_command(sources[i].text);
            break;
        case SOURCE_FILE:
            add_file(sources[i].text);
            break;
        case SOURCE_WINETEST:
            add_winetests(sources[i].text);
            break;
        }
    }
}

/* ---------------------------------------------------------------------------------------------- judging */

/* the sums of all summary lines, those of child processes too */
struct summary
{
    unsigned int lines;
    long executed, failures, skipped;
};

static void read_summary(int fd, struct summary *summary)
{
    FILE *file = fdopen(dup(fd), "r");
    char *line = NULL;
    size_t room = 0;

    *summary = (struct summary){ 0 };
    if (!file)
        check(NULL);
    rewind(file);
    while (getline(&line, &room, file) != -1)
    {
        const char *at = strstr(line, " tests executed (");
        long executed, todo, failures, skipped;

        while (at && at > line && at[-1] != ' ')
            at--;
        if (!at || sscanf(at, "%ld tests executed (%ld marked as todo, %ld %*[a-z]), %ld skipped", &executed, &todo,
                          &failures, &skipped) != 4)
            continue;
        summary->lines++;
        summary->executed += executed;
        summary->failures += failures;
        summary->skipped += skipped;
    }
    free(line);
    fclose(file);
}

static void judge_end(struct result *result, enum process_end end, int status)
{
    switch (end)
    {
    case PROCESS_TIMEOUT:
        fail(result, "timeout after %g s", settings.timeout);
        break;
    case PROCESS_INTERRUPTED:
        fail(result, "interrupted");
        break;
    case PROCESS_ENDED:
        if (WIFSIGNALED(status))
            fail(result, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        else if (WEXITSTATUS(status) == EXIT_SKIPPED)
            result->verdict = SKIPPED;
        else if (WEXITSTATUS(status))
            fail(result, "exit code %d", WEXITSTATUS(status));
        break;
    }
}

static void judge_summary(struct result *result, const struct test *test, const struct summary *summary)
{
    if (summary->failures)
        fail(result, "%ld %s", summary->failures, summary->failures == 1 ? "failure" : "failures");
    else if (summary->lines && !summary->executed && summary->skipped && result->verdict == PASSED)
        result->verdict = SKIPPED;
    if (test->winetest && !summary->lines && result->verdict != SKIPPED)
        fail(result, "no summary line");
}

static void judge_rest(struct result *result, const struct process *process)
{
    char text[1024];

    if (process_wait_rest(process, spared(), settings.grace, text, sizeof(text)))
        return;
    fail(result, "left processes: %s", text);
    process_kill(process, spared());
}

static void judge_server(struct result *result, const struct server_state *before)
{
    double deadline = seconds_now() + settings.grace;
    struct server_state now;
    char text[1024];
    bool grown;

    do
    {
        if (!server_query(&now))
        {
            free(now.objects);
            fail(result, "alpcserver has gone");
            return;
        }
        grown = server_growth(before, &now, text, sizeof(text));
        free(now.objects);
        if (grown)
            usleep(20000);
    } while (grown && seconds_now() < deadline);
    if (grown)
        fail(result, "left in alpcserver: %s", text);
}

/* ---------------------------------------------------------------------------------------------- running */

static void show_output(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END), at = size > SHOWN ? size - SHOWN : 0;
    char buffer[4096], last = '\n';
    ssize_t got;

    if (at)
        printf("... %lld bytes more ...\n", (long long)at);
    while ((got = pread(fd, buffer, sizeof(buffer), at)) > 0)
    {
        fwrite(buffer, 1, (size_t)got, stdout);
        last = buffer[got - 1];
        at += got;
    }
    if (last != '\n')
        putchar('\n');
}

static enum process_end run_command(const struct test *test, struct result *result, int output)
{
    struct server_state before = { 0 };
    enum process_end end = PROCESS_ENDED;
    struct process process;
    struct summary summary;
    char mark[64];
    static unsigned int number;
    int input = open_input(), status = 0, error;

    snprintf(mark, sizeof(mark), "%d.%u", (int)getpid(), ++number);
    if (!settings.no_server && !server_query(&before))
        fail(result, "alpcserver has gone before the test");
    else if ((error = process_start(&process, test->command, mark, input, output)))
        fail(result, "cannot start it: %s", strerror(error));
    else
    {
        process.orphans = true;
        end = process_wait(&process, settings.timeout, &status);
        judge_end(result, end, status);
        if (end != PROCESS_ENDED)
            process_kill(&process, spared());
        read_summary(output, &summary);
        judge_summary(result, test, &summary);
        judge_rest(result, &process);
        if (!settings.no_server)
            judge_server(result, &before);
    }
    free(before.objects);
    close(input);
    return end;
}

/* false when the runner is to end */
static bool run_test(const struct test *test, unsigned int counts[VERDICTS])
{
    static const char *const words[VERDICTS] = { "ok", "FAILED", "skipped" };
    struct result result = { .verdict = PASSED };
    char *path = format("%s/%s", output_folder, test->name), *at;
    const char *error;
    double begun = seconds_now();
    enum process_end end;
    int output;

    for (at = path + strlen(output_folder) + 1; *at; at++)
        if (*at == '/' || *at == ' ')
            *at = '_';
    if (strlen(path) > strlen(output_folder) + 100)
        path[strlen(output_folder) + 100] = 0;
    output = open_output(path);
    if (!settings.no_server && (error = server_open()))
        die("%s", error);
    end = run_command(test, &result, output);
    counts[result.verdict]++;
    printf("%-8s%s (%.1f s)%s%s\n", words[result.verdict], test->name, seconds_now() - begun,
           result.reason[0] ? ": " : "", result.reason);
    if (result.verdict == FAILED)
        show_output(output);
    fflush(stdout);
    close(output);
    if (!settings.output)
        unlink(path);
    free(path);
    return end != PROCESS_INTERRUPTED;
}

/* ---------------------------------------------------------------------------------------------- the whole run */

static void start_keeper(void)
{
    char *path = format("%s/%s", output_folder, "keeper");
    int ends[2], output = open_output(path), error;

    if (pipe2(ends, O_CLOEXEC))
        die("pipe: %s", strerror(errno));
    if ((error = process_start(&keeper, settings.keep, "keeper", ends[0], output)))
        die("cannot start %s: %s", settings.keep, strerror(error));
    keeper_input = ends[1];
    close(ends[0]);
    close(output);
    free(path);
}

static void end_keeper(void)
{
    char text[64];
    int status;

    if (!keeper.pid)
        return;
    close(keeper_input);
    /* Wine's services and wineserver, which writes the registry, go seconds later than the last program */
    if (process_wait(&keeper, KEEPER_END, &status) != PROCESS_ENDED ||
        !process_wait_rest(&keeper, NULL, KEEPER_END, text, sizeof(text)))
        process_kill(&keeper, NULL);
}

static void make_output_folder(void)
{
    const char *temporary = getenv("TMPDIR");

    if (settings.output)
    {
        snprintf(output_folder, sizeof(output_folder), "%s", settings.output);
        if (mkdir(output_folder, 0777) && errno != EEXIST)
            die("%s: %s", output_folder, strerror(errno));
        return;
    }
    snprintf(output_folder, sizeof(output_folder), "%s/runner-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(output_folder))
        die("%s: %s", output_folder, strerror(errno));
}

static void remove_output_folder(void)
{
    static const char *const names[] = { "list", "keeper" };
    size_t i;

    if (settings.output)
        return;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    {
        char *path = format("%s/%s", output_folder, names[i]);

        unlink(path);
        free(path);
    }
    rmdir(output_folder);
}

static int run_all(void)
{
    unsigned int counts[VERDICTS] = { 0 };
    bool going = true;
    size_t i;

    for (i = 0; i < test_count && going; i++)
        going = run_test(&tests[i], counts);
    end_keeper();
    server_close();
    remove_output_folder();
    printf("%u passed, %u failed, %u skipped\n", counts[PASSED], counts[FAILED], counts[SKIPPED]);
    return counts[FAILED] || !going || !test_count;
}

static double seconds(const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value > 0))
        die("'%s' is no number of seconds", text);
    return value;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "file", required_argument, NULL, 'f' },
        { "winetest", required_argument, NULL, 'w' },
        { "keep", required_argument, NULL, 'k' },
        { "only", required_argument, NULL, 'n' },
        { "timeout", required_argument, NULL, 't' },
        { "grace", required_argument, NULL, 'g' },
        { "output", required_argument, NULL, 'o' },
        { "no-server", no_argument, NULL, 's' },
        { "list", no_argument, NULL, 'l' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    size_t i;
    int c;

    while ((c = getopt_long(argc, argv, "f:w:k:n:t:g:o:slh", options, NULL)) != -1)
    {
        switch (c)
        {
        case 'f':
            add_source(SOURCE_FILE, optarg);
            break;
        case 'w':
            add_source(SOURCE_WINETEST, optarg);
            break;
        case 'k':
            settings.keep = optarg;
            break;
        case 'n':
            settings.only = optarg;
            break;
        case 't':
            settings.timeout = seconds(optarg);
            break;
        case 'g':
            settings.grace = seconds(optarg);
            break;
        case 'o':
            settings.output = optarg;
            break;
        case 's':
            settings.no_server = true;
            break;
        case 'l':
            settings.list = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 1;
        }
    }
    for (; optind < argc; optind++)
        add_source(SOURCE_COMMAND, argv[optind]);
    processes_init();
    make_output_folder();
    if (settings.keep)
        start_keeper();
    make_list();
    if (!settings.list)
        return run_all();
    for (i = 0; i < test_count; i++)
        puts(tests[i].name);
    end_keeper();
    remove_output_folder();
    return 0;
}
