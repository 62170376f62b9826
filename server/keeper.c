/*
 * The process that outlives alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "keeper.h"

#include "dlls/ntdll/alpc/wait.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KEEPER_NAME "alpckeeper"
#define WORKER_NAME "alpcserver"

/* a worker that lives shorter has died at once; after so many of them in a row the next ones have to wait */
#define QUICK_NS 100000000
#define QUICK_SOME 30
#define QUICK_MANY 100
#define PAUSE_SOME_MS 100
#define PAUSE_MANY_MS 1000

static pid_t keeper_pid;           /* of this worker */
static char program[PATH_MAX + 1]; /* what to execute */

/* ---------------------------------------------------------------------------------------------- processes */

/* as ps and pkill see it; both names have one length */
static void set_title(char *argv0, const char *title)
{
    char *name = strrchr(argv0, '/');

    name = name ? name + 1 : argv0;
    if (strlen(name) == strlen(title))
        strcpy(name, title);
    prctl(PR_SET_NAME, title);
}

static void find_program(void)
{
    static const char deleted[] = " (deleted)";
    ssize_t length;

    if (*program)
        return;
    length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (length < 0)
        length = 0;
    program[length] = 0;
    /* one that was installed meanwhile has its place */
    if ((size_t)length > strlen(deleted) && !strcmp(program + length - strlen(deleted), deleted))
        program[(size_t)length - strlen(deleted)] = 0;
}

static pid_t fork_sharing_descriptors(void)
{
    return (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
}

/* ---------------------------------------------------------------------------------------------- signals */

static sigset_t signal_set(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, KEEPER_DIED);
    return set;
}

void keeper_block_signals(void)
{
    sigset_t set = signal_set();

    /* whoever started this process may have ignored it */
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* the next of the signals, 0 after so many milliseconds; -1 = wait for ever */
static int next_signal(int64_t ms)
{
    const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
    sigset_t set = signal_set();
    int result;

    while ((result = ms < 0 ? sigwaitinfo(&set, NULL) : sigtimedwait(&set, NULL, &time)) == -1 && errno == EINTR)
        ;
    return result == -1 ? 0 : result;
}

static bool asks_to_end(int sig)
{
    return sig == SIGTERM || sig == SIGINT || sig == SIGHUP;
}

/* ---------------------------------------------------------------------------------------------- the lock file */

static void write_pids(int lock, pid_t keeper, pid_t worker)
{
    char text[32];

    snprintf(text, sizeof(text), "%-10d %-10d\n", (int)keeper, (int)worker);
    if (pwrite(lock, text, strlen(text), 0) == -1)
        perror("alpcserver: lock");
}

struct keeper_pids keeper_pids(int lock)
{
    struct keeper_pids pids = { 0, 0 };
    char text[32] = "";

    if (pread(lock, text, sizeof(text) - 1, 0) <= 0 || sscanf(text, "%d %d", &pids.keeper, &pids.worker) != 2)
        return (struct keeper_pids){ 0, 0 };
    return pids;
}

/* ---------------------------------------------------------------------------------------------- the keeper */

/* waits for the worker's death, in vain if it ends in order */
static void wait_for_death(pid_t worker)
{
    bool ending = false;
    int sig, status;

    for (;;)
    {
        sig = next_signal(-1);
        if (asks_to_end(sig))
        {
            ending = true;
            kill(worker, SIGTERM);
        }
        if (sig != SIGCHLD || waitpid(worker, &status, WNOHANG) != worker)
            continue;
        if (WIFEXITED(status))
            exit(WEXITSTATUS(status));
        if (ending)
            exit(1);
        fprintf(stderr, "alpcserver: the worker %d was ended by signal %d\n", (int)worker, WTERMSIG(status));
        return;
    }
}

/* workers that die at once must not keep the machine busy */
static void pause_before_next(unsigned int quick)
{
    int pause = quick < QUICK_MANY ? PAUSE_SOME_MS : PAUSE_MANY_MS;

    if (quick < QUICK_SOME)
        return;
    if (quick == QUICK_SOME || quick == QUICK_MANY)
        fprintf(stderr, "alpcserver: workers die at once, %u in a row; one begins every %d ms now\n", quick, pause);
    if (asks_to_end(next_signal(pause)))
        exit(1);
}

/* never returns; if nothing can be executed no worker can be made either */
static void __attribute__((noreturn)) begin_anew(const struct keeper *keeper, unsigned int quick)
{
    char option[64], *argv[32];
    int count = 0, i;

    snprintf(option, sizeof(option), "--resume=%d,%d,%d,%u", keeper->listener, keeper->lock, keeper->journal, quick);
    argv[count++] = keeper->argv[0];
    argv[count++] = option;
    for (i = 1; keeper->argv[i] && count < 31; i++)
        if (strncmp(keeper->argv[i], "--resume=", 9))
            argv[count++] = keeper->argv[i];
    argv[count] = NULL;
    execv(program, argv);
    /* it is just being installed, perhaps */
    execv("/proc/self/exe", argv);
    perror("alpcserver: cannot begin anew");
    exit(1);
}

bool keeper_resume(struct keeper *keeper, const char *argument)
{
    int end = 0;

    return sscanf(argument, "%d,%d,%d,%u%n", &keeper->listener, &keeper->lock, &keeper->journal, &keeper->quick,
                  &end) == 4 &&
           !argument[end];
}

static void keep(const struct keeper *keeper, pid_t worker)
{
    uint64_t begun = monotonic_ns();
    unsigned int quick;

    set_title(keeper->argv[0], KEEPER_NAME);
    write_pids(keeper->lock, getpid(), worker);
    wait_for_death(worker);
    quick = monotonic_ns() - begun < QUICK_NS ? keeper->quick + 1 : 0;
    pause_before_next(quick);
    begin_anew(keeper, quick);
}

void keeper_start(struct keeper *keeper)
{
    pid_t worker;

    keeper_block_signals();
    find_program();
    keeper_pid = getpid();
    while ((worker = fork_sharing_descriptors()) == -1)
    {
        perror("alpcserver: fork");
        pause_before_next(keeper->quick = keeper->quick < QUICK_SOME ? QUICK_SOME : keeper->quick + 1);
    }
    if (worker)
        keep(keeper, worker);
    set_title(keeper->argv[0], WORKER_NAME);
}

/* ---------------------------------------------------------------------------------------------- the worker */

void keeper_worker_ready(void)
{
    sigset_t set = signal_set();

    prctl(PR_SET_PDEATHSIG, KEEPER_DIED);
    /* it may have died before */
    if (getppid() != keeper_pid)
        raise(KEEPER_DIED);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void keeper_replace(struct keeper *keeper)
{
    keeper_start(keeper);
    keeper_worker_ready();
}
