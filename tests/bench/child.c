/*
 * Benchmark: the processes that are measured, and where they run
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "bench.h"

#include "dlls/ntdll/alpc/wait.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *prefix, *alpc_wine;

/* ---------------------------------------------------------------------------------------------- children */

/* returns in the child alone, with its end of two pipes as standard streams */
static bool start(struct child *child)
{
    pid_t driver = getpid();
    int in[2], out[2];

    fflush(NULL);
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || (child->pid = fork()) == -1)
        fail("cannot start a process: %s", strerror(errno));
    if (child->pid)
    {
        close(in[0]);
        close(out[1]);
        child->in = fdopen(in[1], "w");
        child->out = fdopen(out[0], "r");
        return false;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != driver)
        _exit(1);
    signal(SIGINT, SIG_IGN); /* the driver ends what it has started */
    dup2(in[0], 0);
    dup2(out[1], 1);
    return true;
}

void child_serve(struct child *child, void (*serve)(void *arg), void *arg)
{
    if (!start(child))
        return;
    serve(arg);
    _exit(0);
}

void child_client(struct child *child, void (*call)(void *arg, unsigned int size, unsigned int count), void *arg)
{
    unsigned int size, count;
    char line[128];

    if (!start(child))
        return;
    while (fgets(line, sizeof(line), stdin) && sscanf(line, "%*s %u %u", &size, &count) == 2)
    {
        uint64_t begin = monotonic_ns();

        call(arg, size, count);
        printf("%" PRIu64 " %" PRIu64 "\n", begin, monotonic_ns());
        fflush(stdout);
    }
    _exit(0);
}

void child_wine(struct child *child, const char *const *arguments)
{
    const char *vector[16] = { alpc_wine };
    unsigned int i;

    if (!start(child))
        return;
    for (i = 0; arguments[i] && i < 14; i++)
        vector[i + 1] = arguments[i];
    execv(alpc_wine, (char *const *)vector);
    _exit(127);
}

static void read_line(struct child *child, char *line, int size)
{
    if (!fgets(line, size, child->out))
        fail("process %d has ended early", (int)child->pid);
    if (!isdigit((unsigned char)line[0]) && strncmp(line, "ready", 5))
        fail("process %d: %s", (int)child->pid, line);
}

void child_wait_ready(struct child *child)
{
    char line[256];

    read_line(child, line, sizeof(line));
}

void child_begin(struct child *child, const char *what, unsigned int size, unsigned int count)
{
    fprintf(child->in, "%s %u %u\n", what, size, count);
    fflush(child->in);
}

struct span child_finish(struct child *child)
{
    struct span span;
    char line[256];

    read_line(child, line, sizeof(line));
    if (sscanf(line, "%" SCNu64 " %" SCNu64, &span.begin, &span.end) != 2)
        fail("process %d: %s", (int)child->pid, line);
    return span;
}

struct span child_call(struct child *child, const char *what, unsigned int size, unsigned int count)
{
    child_begin(child, what, size, count);
    return child_finish(child);
}

void child_end(struct child *child)
{
    if (child->pid <= 0)
        return;
    fclose(child->in);
    fclose(child->out);
    kill(child->pid, SIGKILL);
    waitpid(child->pid, NULL, 0);
    child->pid = 0;
}

/* ---------------------------------------------------------------------------------------------- the prefix */

/* whether the process is called so and has our prefix in its environment */
static bool is_prefix_process(pid_t pid, const char *name)
{
    char path[64], comm[32] = "", *line = NULL;
    size_t room = 0, length = strlen(prefix);
    bool ours = false;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    if (!(file = fopen(path, "re")))
        return false;
    if (fgets(comm, sizeof(comm), file))
        comm[strcspn(comm, "\n")] = 0;
    fclose(file);
    if (strncmp(comm, name, strlen(name)))
        return false;
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    if (!(file = fopen(path, "re")))
        return false;
    while (!ours && getdelim(&line, &room, 0, file) > 0)
        ours = !strncmp(line, "WINEPREFIX=", 11) && !strncmp(line + 11, prefix, length + 1);
    free(line);
    fclose(file);
    return ours;
}

pid_t prefix_process(const char *name)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    pid_t found = 0;

    while (dir && !found && (entry = readdir(dir)))
    {
        pid_t pid = atoi(entry->d_name);

        if (pid > 0 && is_prefix_process(pid, name))
            found = pid;
    }
    if (dir)
        closedir(dir);
    return found;
}

/* runs a program without input and output; its exit code, -1 if it did not get so far */
static int run(const char *const *arguments)
{
    int status, null = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t pid = fork();

    if (!pid)
    {
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execvp(arguments[0], (char *const *)arguments);
        _exit(127);
    }
    close(null);
    return pid == -1 || waitpid(pid, &status, 0) == -1 || !WIFEXITED(status) ? -1 : WEXITSTATUS(status);
}

void prefix_begin(const char *path, const char *launcher, const char *program)
{
    const char *const nothing[] = { launcher, program, "serve", "nothing", NULL };
    char system[PATH_MAX];
    bool fresh;

    if (mkdir(path, 0700) && errno != EEXIST)
        fail("%s: %s", path, strerror(errno));
    prefix = realpath(path, NULL);
    alpc_wine = realpath(launcher, NULL);
    if (!prefix || !alpc_wine)
        fail("%s: %s", prefix ? launcher : path, strerror(errno));
    snprintf(system, sizeof(system), "%s/system.reg", prefix);
    fresh = access(system, F_OK);
    setenv("WINEPREFIX", prefix, 1);
    setenv("WINEDEBUG", "-all", 1);
    setenv("WINEDLLOVERRIDES", "mscoree=;mshtml=;winemenubuilder.exe=", 1);
    unsetenv("DISPLAY");
    if (fresh)
        fprintf(stderr, "bench: making a Wine prefix, once\n");
    /* Wine's own programs run before the first of ours, which would lend them its pipes */
    if (run(nothing))
        fail("%s %s does not work", launcher, program);
}

void prefix_end(void)
{
    const char *const end[] = { "wineserver", "-k", NULL }, *const wait[] = { "wineserver", "-w", NULL };

    if (!prefix)
        return;
    run(end);
    run(wait);
    prefix = NULL;
}

/* ---------------------------------------------------------------------------------------------- placements */

const char *const placement_names[PLACEMENTS] = { "one core", "two cores", "unpinned" };

static cpu_set_t all;

static cpu_set_t only(unsigned int wanted)
{
    cpu_set_t set;
    unsigned int cpu;

    CPU_ZERO(&set);
    for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && !wanted--)
            CPU_SET(cpu, &set);
    return CPU_COUNT(&set) ? set : all;
}

static void place_process(pid_t pid, const cpu_set_t *set)
{
    struct dirent *entry;
    char path[64];
    DIR *dir;

    if (!pid)
        return;
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    dir = opendir(path);
    while (dir && (entry = readdir(dir)))
        if (isdigit((unsigned char)entry->d_name[0]))
            sched_setaffinity(atoi(entry->d_name), sizeof(*set), set);
    if (dir)
        closedir(dir);
}

void place(pid_t server, pid_t client, enum placement placement)
{
    static pid_t wineserver;
    cpu_set_t first, second;

    if (!CPU_COUNT(&all))
        sched_getaffinity(0, sizeof(all), &all);
    if (!wineserver)
        wineserver = prefix_process("wineserver");
    first = placement == UNPINNED ? all : only(0);
    second = placement == TWO_CORES ? only(1) : first;
    place_process(server, &first);
    place_process(client, &second);
    place_process(wineserver, placement == ONE_CORE ? &first : &all);
}
