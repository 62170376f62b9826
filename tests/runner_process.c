/*
 * Processes of a test: starting, watching, ending
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "tests/runner_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MARK "NTALPC_TEST_RUN"
#define POLL_NS 20000000

static sigset_t watched, original;

double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---------------------------------------------------------------------------------------------- /proc */

static ssize_t read_file(pid_t pid, const char *name, char *buffer, size_t size)
{
    char path[64];
    ssize_t got, total = 0;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
        return -1;
    while ((size_t)total < size - 1 && (got = read(fd, buffer + total, size - 1 - (size_t)total)) > 0)
        total += got;
    close(fd);
    buffer[total] = 0;
    return total;
}

struct status
{
    char state;
    int parent, group;
};

/* false when there is no such process, or it has ended */
static bool read_status(pid_t pid, struct status *status)
{
    char text[512];
    const char *at;

    return read_file(pid, "stat", text, sizeof(text)) > 0 && (at = strrchr(text, ')')) &&
           sscanf(at + 1, " %c %d %d", &status->state, &status->parent, &status->group) == 3 && status->state != 'Z' &&
           status->state != 'X';
}

/* the next process in /proc, 0 if there is none */
static pid_t next_process(DIR *proc)
{
    struct dirent *entry;

    while ((entry = readdir(proc)))
        if (atoi(entry->d_name) > 0)
            return (pid_t)atoi(entry->d_name);
    return 0;
}

static void list_children(pid_t others[PROCESS_OTHERS])
{
    DIR *proc = opendir("/proc");
    struct status status;
    unsigned int count = 0;
    pid_t pid;

    while (proc && count < PROCESS_OTHERS - 1 && (pid = next_process(proc)))
        if (read_status(pid, &status) && status.parent == getpid())
            others[count++] = pid;
    others[count] = 0;
    if (proc)
        closedir(proc);
}

/* ---------------------------------------------------------------------------------------------- starting */

void processes_init(void)
{
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    sigaddset(&watched, SIGINT);
    sigaddset(&watched, SIGTERM);
    sigaddset(&watched, SIGHUP);
    sigprocmask(SIG_BLOCK, &watched, &original);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int process_start(struct process *process, const char *command, const char *mark, int input, int output)
{
    pid_t pid;

    list_children(process->others);
    pid = fork();
    if (pid == -1)
        return errno;
    if (!pid)
    {
        setpgid(0, 0);
        sigprocmask(SIG_SETMASK, &original, NULL);
        if (dup2(input, 0) != 0 || dup2(output, 1) != 1 || dup2(output, 2) != 2 || setenv(MARK, mark, 1))
            _exit(126);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    setpgid(pid, pid); /* whichever of the two comes first */
    process->pid = pid;
    process->mark = mark;
    process->orphans = false;
    return 0;
}

/* ---------------------------------------------------------------------------------------------- waiting */

static struct timespec until(double deadline)
{
    double left = deadline - seconds_now();
    struct timespec time = { 0 };

    if (left > 0)
    {
        time.tv_sec = (time_t)left;
        time.tv_nsec = (long)((left - (double)time.tv_sec) * 1e9);
    }
    return time;
}

enum process_end process_wait(const struct process *process, double seconds, int *status)
{
    double deadline = seconds_now() + seconds;

    for (;;)
    {
        struct timespec left = until(deadline);
        int sig;
        pid_t pid;

        /* others that end meanwhile are orphans, whose status nobody wants */
        while ((pid = waitpid(-1, status, WNOHANG)) > 0)
            if (pid == process->pid)
                return PROCESS_ENDED;
        sig = sigtimedwait(&watched, NULL, &left);
        if (sig > 0 && sig != SIGCHLD)
            return PROCESS_INTERRUPTED;
        if (sig == -1 && errno == EAGAIN)
            return PROCESS_TIMEOUT;
    }
}

/* ---------------------------------------------------------------------------------------------- what is left */

/* whether the process was started with this mark */
static bool has_mark(pid_t pid, const char *mark)
{
    static char environment[262144];
    ssize_t size = read_file(pid, "environ", environment, sizeof(environment));
    char wanted[128];
    const char *at;

    snprintf(wanted, sizeof(wanted), MARK "=%s", mark);
    for (at = environment; size > 0 && at < environment + size; at += strlen(at) + 1)
        if (!strcmp(at, wanted))
            return true;
    return false;
}

static bool was_there(pid_t pid, const struct process *process)
{
    const pid_t *other;

    for (other = process->others; *other; other++)
        if (*other == pid)
            return true;
    return false;
}

static bool belongs(pid_t pid, const struct process *process, const struct process *spared)
{
    struct status status;

    if (pid == getpid() || !read_status(pid, &status))
        return false;
    if (status.group == process->pid || has_mark(pid, process->mark))
        return true;
    return process->orphans && status.parent == getpid() && !was_there(pid, process) &&
           !(spared && (status.group == spared->pid || has_mark(pid, spared->mark)));
}

static pid_t next_left(DIR *proc, const struct process *process, const struct process *spared)
{
    pid_t pid;

    while ((pid = next_process(proc)))
        if (belongs(pid, process, spared))
            return pid;
    return 0;
}

static void reap(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

/* its command line, blanks between the arguments */
static void describe(pid_t pid, char *text, size_t size)
{
    char line[128];
    ssize_t length = read_file(pid, "cmdline", line, sizeof(line)), i;
    size_t used = strlen(text);

    for (i = 0; i < length - 1; i++)
        if (!line[i])
            line[i] = ' ';
    snprintf(text + used, size - used, "%s%d (%s)", used ? ", " : "", (int)pid, length > 0 ? line : "?");
}

static bool describe_rest(const struct process *process, const struct process *spared, char *text, size_t size)
{
    DIR *proc = opendir("/proc");
    bool any = false;
    pid_t pid;

    text[0] = 0;
    while (proc && (pid = next_left(proc, process, spared)))
    {
        describe(pid, text, size);
        any = true;
    }
    if (proc)
        closedir(proc);
    return any;
}

bool process_wait_rest(const struct process *process, const struct process *spared, double seconds, char *text,
                       size_t size)
{
    const struct timespec pause = { .tv_nsec = POLL_NS };
    double deadline = seconds_now() + seconds;

    for (;;)
    {
        reap();
        if (!describe_rest(process, spared, text, size))
            return true;
        if (seconds_now() >= deadline)
            return false;
        nanosleep(&pause, NULL);
    }
}

void process_kill(const struct process *process, const struct process *spared)
{
    const struct timespec pause = { .tv_nsec = POLL_NS };
    int tries;

    for (tries = 0; tries < 250; tries++)
    {
        DIR *proc = opendir("/proc");
        bool any = false;
        pid_t pid;

        kill(-process->pid, SIGKILL);
        while (proc && (pid = next_left(proc, process, spared)))
        {
            kill(pid, SIGKILL);
            any = true;
        }
        if (proc)
            closedir(proc);
        if (!any)
            break;
        nanosleep(&pause, NULL);
        reap();
    }
    reap();
}
