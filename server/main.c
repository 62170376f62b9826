/*
 * alpcserver: port objects, connections and security for the Windows programs of one Wine prefix
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "client.h"
#include "connection.h"
#include "journal.h"
#include "keeper.h"
#include "port.h"
#include "restore.h"
#include "server.h"
#include "state.h"
#include "sweep.h"
#include "thread.h"

#include "dlls/ntdll/alpc/prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct prefix prefix;
static struct keeper keeper;
static struct journal journal;
static long linger = 3; /* seconds that the server stays without work; -1 = for ever */
static bool foreground;

static void __attribute__((format(printf, 1, 2), noreturn)) fail(const char *format, ...)
{
    va_list args;

    fputs("alpcserver: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* ---------------------------------------------------------------------------------------------- other servers */

/* the processes that serve this prefix now; 0 if there are none */
static struct keeper_pids find_server(void)
{
    const struct timespec pause = { .tv_nsec = 10000000 };
    struct keeper_pids pids = { 0, 0 };
    int fd = open(prefix.lock, O_RDWR | O_CLOEXEC), tries;

    if (fd == -1)
        return pids;
    /* who has just taken the lock has not written yet */
    for (tries = 0; tries < 100 && prefix_holder(&prefix) && !(pids = keeper_pids(fd)).keeper; tries++)
        nanosleep(&pause, NULL);
    if (!pids.keeper)
        pids.keeper = prefix_holder(&prefix);
    close(fd);
    return pids;
}

/* whoever serves the prefix now, it is not any of these any more; a keeper or a worker may have got a new partner */
static bool has_ended(struct keeper_pids pids)
{
    struct keeper_pids now = find_server();

    return !now.keeper || (now.keeper != pids.keeper && now.worker != pids.worker && now.keeper != pids.worker);
}

static bool wait_for_end(struct keeper_pids pids, long seconds)
{
    const struct timespec pause = { .tv_nsec = 10000000 };
    long tries;

    for (tries = 0; seconds < 0 || tries < seconds * 100; tries++)
    {
        if (has_ended(pids))
            return true;
        nanosleep(&pause, NULL);
    }
    return has_ended(pids);
}

/* the keeper must not make another worker meanwhile */
static int kill_both(struct keeper_pids pids, int sig)
{
    if (kill(pids.keeper, SIGSTOP))
        return -1;
    if (pids.worker)
        kill(pids.worker, sig);
    kill(pids.keeper, sig);
    return kill(pids.keeper, SIGCONT) && errno != ESRCH ? -1 : 0;
}

static int kill_server(int sig)
{
    struct keeper_pids pids = find_server();

    if (!pids.keeper)
        return 1; /* as wineserver says it */
    /* the keeper ends its worker in order */
    if (sig == SIGTERM ? kill(pids.keeper, sig) : kill_both(pids, sig))
        fail("cannot end the server %d: %s", pids.keeper, strerror(errno));
    /* a stopped server cannot end in order */
    if (sig == SIGTERM && !wait_for_end(pids, 5))
        kill_both(find_server(), SIGKILL);
    if (!wait_for_end(pids, 5))
        fail("the server %d does not end", pids.keeper);
    return 0;
}

/* ---------------------------------------------------------------------------------------------- starting */

/* false when another server has it; the lock goes with the last of the processes that share the descriptors */
static bool take_lock(void)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(prefix.lock, O_RDWR | O_CREAT, 0600);

    keeper.lock = fd;
    if (fd == -1)
        fail("%s: %s", prefix.lock, strerror(errno));
    if (!fcntl(fd, F_SETLK, &lock))
        return !ftruncate(fd, 0);
    if (errno != EACCES && errno != EAGAIN)
        fail("%s: %s", prefix.lock, strerror(errno));
    close(fd);
    return false;
}

static int make_listener(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (strlen(prefix.socket) >= sizeof(address.sun_path))
        fail("%s: too long for a socket", prefix.socket);
    strcpy(address.sun_path, prefix.socket);
    unlink(prefix.socket); /* of a server that was killed */
    umask(077);
    if (fd == -1 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, SOMAXCONN))
        fail("%s: %s", prefix.socket, strerror(errno));
    return fd;
}

/* the prefix may have gone, or be another one now */
static void unlink_socket(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    socklen_t length = sizeof(address);

    if (!getsockname(keeper.listener, (struct sockaddr *)&address, &length))
        unlink(address.sun_path);
}

/* goes into the background; the parent returns only when the server can be connected to */
static int daemonize(void)
{
    int ready[2], null;
    char byte;

    if (pipe2(ready, O_CLOEXEC))
        fail("pipe: %s", strerror(errno));
    switch (fork())
    {
    case -1:
        fail("fork: %s", strerror(errno));
    case 0:
        close(ready[0]);
        setsid();
        null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        close(null);
        if (chdir("/"))
            _exit(1);
        return ready[1];
    default:
        close(ready[1]);
        _exit(read(ready[0], &byte, 1) == 1 ? 0 : 1);
    }
}

/* descriptors: two for every port, one for every connection; shared memory counts as files */
static void raise_limits(void)
{
    static const int resources[] = { RLIMIT_NOFILE, RLIMIT_FSIZE };
    struct rlimit limit;
    size_t i;

    for (i = 0; i < sizeof(resources) / sizeof(resources[0]); i++)
    {
        if (getrlimit(resources[i], &limit))
            continue;
        limit.rlim_cur = limit.rlim_max;
        setrlimit(resources[i], &limit);
    }
    /* what is too large fails, and is said */
    signal(SIGXFSZ, SIG_IGN);
}

/* what the first process of all does; false when another server has the prefix */
static bool begin(void)
{
    int ready = foreground ? -1 : daemonize();

    if (!take_lock())
        return false;
    raise_limits();
    keeper.listener = make_listener();
    if (!journal_create(&journal))
        fail("cannot make the journal: %s", strerror(errno));
    keeper.journal = journal.fd;
    if (ready != -1 && write(ready, "", 1) == 1)
        close(ready);
    return true;
}

/* ---------------------------------------------------------------------------------------------- working */

/* in the foreground the keeper is the process that somebody started, and ended */
static void on_signal(evutil_socket_t sig, short what, void *arg)
{
    (void)what, (void)arg;
    if (sig == KEEPER_DIED && !foreground)
        keeper_replace(&keeper);
    else
        server_stop();
}

/* so many alpcservers may die while they read one journal, one after the other; somebody may just be killing them */
#define MOST_ATTEMPTS 20

/* what the alpcserver before has left; nothing, if that cannot be used */
static void take_over(void)
{
    if (!journal_open(&journal, keeper.journal))
    {
        fputs("alpcserver: what the last one has left cannot be read; its ports are lost\n", stderr);
        if (!journal_create(&journal) || dup2(journal.fd, keeper.journal) == -1)
            fail("cannot make the journal: %s", strerror(errno));
        close(journal.fd);
        journal.fd = keeper.journal;
    }
    if (journal_attempt(&journal) > MOST_ATTEMPTS)
    {
        fputs("alpcserver: ended by what the last one has left, again and again; its ports are lost\n", stderr);
        journal_clear(&journal);
    }
    state_keep(keeper.listener);
    state_keep(keeper.lock);
    restore();
    journal_attempt_done(&journal);
}

static int work(bool resumed)
{
    static const int handled[] = { SIGTERM, SIGINT, SIGHUP, KEEPER_DIED };
    struct event *signals[4];
    int i;

    signal(SIGPIPE, SIG_IGN);
    if (!server_init(linger))
        fail("out of memory");
    for (i = 0; i < 4; i++)
    {
        signals[i] = evsignal_new(server_base, handled[i], on_signal, NULL);
        evsignal_add(signals[i], NULL);
    }
    state_use(&journal);
    if (resumed)
        take_over();
    keeper_worker_ready();
    if (!client_listen(server_base, keeper.listener))
        fail("out of memory");
    server_run();

    unlink_socket();
    close(keeper.listener);
    client_close_all();
    restore_end();
    ports_end();
    connections_end();
    processes_end();
    threads_end();
    sweep_end();
    for (i = 0; i < 4; i++)
        event_free(signals[i]);
    event_base_free(server_base);
    state_use(NULL);
    journal_close(&journal);
    return 0;
}

static int serve(bool resumed)
{
    keeper_block_signals();
    if (!resumed && !begin())
    {
        if (foreground)
            fail("a server is already running for this prefix");
        /* the other one may not be listening yet; whoever started this one tries to connect anyway */
        return 0;
    }
    /* the keeper needs no more of the journal than its descriptor */
    keeper_start(&keeper);
    return work(resumed);
}

/* ---------------------------------------------------------------------------------------------- command line */

static void usage(FILE *out)
{
    fputs("Usage: alpcserver [OPTION]...\n"
          "Serves the LPC and ALPC ports of the Windows programs in one Wine prefix (WINEPREFIX).\n"
          "It is started when a program needs it and leaves when the last one has gone.\n\n"
          "  -d, --debug            print each request; stay in the foreground\n"
          "  -f, --foreground       stay in the foreground\n"
          "  -k, --kill[=SIGNAL]    end the server of this prefix, with a signal if one is given\n"
          "  -p, --persistent[=N]   stay N seconds without work, for ever without N; the default is 3\n"
          "  -w, --wait             wait until the server of this prefix ends\n"
          "  -h, --help             print this text\n"
          "  -v, --version          print the version\n",
          out);
}

static long number(const char *text, long fallback)
{
    char *end;
    long value;

    if (!text)
        return fallback;
    value = strtol(text, &end, 10);
    if (!*text || *end || value < 0)
        fail("'%s' is not a number", text);
    return value;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "debug", no_argument, NULL, 'd' },          { "foreground", no_argument, NULL, 'f' },
        { "kill", optional_argument, NULL, 'k' },     { "persistent", optional_argument, NULL, 'p' },
        { "wait", no_argument, NULL, 'w' },           { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'v' },        { "resume", required_argument, NULL, 'r' },
        { NULL, 0, NULL, 0 },
    };
    bool resumed = false, wait = false;
    const char *error;
    long sig = -1;
    int c;

    while ((c = getopt_long(argc, argv, "dfk::p::whv", options, NULL)) != -1)
    {
        switch (c)
        {
        case 'd':
            trace_requests = true;
            foreground = true;
            break;
        case 'f':
            foreground = true;
            break;
        case 'k':
            sig = number(optarg, SIGTERM);
            break;
        case 'p':
            linger = number(optarg, -1);
            break;
        case 'w':
            wait = true;
            break;
        case 'r': /* keeper.h */
            if (!(resumed = keeper_resume(&keeper, optarg)))
                fail("'%s' cannot be resumed", optarg);
            break;
        case 'h':
            usage(stdout);
            return 0;
        case 'v':
            puts("alpcserver (ntalpc) " NTALPC_VERSION);
            return 0;
        default:
            usage(stderr);
            return 1;
        }
    }
    if (optind < argc)
        fail("unexpected argument '%s'", argv[optind]);
    keeper.argv = argv;
    if (resumed)
        return serve(true);
    if ((error = prefix_find(&prefix, sig == -1 && !wait)))
    {
        /* no directory, no server */
        if (sig != -1 || wait)
            return wait ? 0 : 1;
        fail("%s", error);
    }
    if (sig != -1)
        return kill_server((int)sig);
    if (wait)
    {
        struct keeper_pids pids = find_server();

        return pids.keeper && !wait_for_end(pids, -1) ? 1 : 0;
    }
    return serve(false);
}
