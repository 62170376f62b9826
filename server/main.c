/*
 * alpcserver: port objects, connections and security for the Windows programs of one Wine prefix
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "client.h"
#include "connection.h"
#include "port.h"
#include "server.h"
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
static long linger = 3; /* seconds that the server stays without work; -1 = for ever */

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

/* ---------------------------------------------------------------------------------------------- life */

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    server_stop();
}

/* ---------------------------------------------------------------------------------------------- other servers */

/* the process that serves this prefix now, 0 if there is none */
static pid_t find_server(void)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(prefix.lock, O_RDWR | O_CLOEXEC);

    if (fd == -1)
        return 0;
    if (fcntl(fd, F_GETLK, &lock) || lock.l_type == F_UNLCK)
        lock.l_pid = 0;
    close(fd);
    return lock.l_pid;
}

static bool wait_for_end(pid_t pid, long seconds)
{
    const struct timespec pause = { .tv_nsec = 10000000 };
    long tries;

    for (tries = 0; seconds < 0 || tries < seconds * 100; tries++)
    {
        if (find_server() != pid)
            return true;
        nanosleep(&pause, NULL);
    }
    return find_server() != pid;
}

static int kill_server(int sig)
{
    pid_t pid = find_server();

    if (!pid)
        return 1; /* as wineserver says it */
    if (kill(pid, sig))
        fail("cannot end the server %d: %s", (int)pid, strerror(errno));
    /* a stopped server cannot end in order */
    if (sig == SIGTERM && !wait_for_end(pid, 5))
        kill(pid, SIGKILL);
    if (!wait_for_end(pid, 5))
        fail("the server %d does not end", (int)pid);
    return 0;
}

/* ---------------------------------------------------------------------------------------------- starting */

/* false when another server has it; the lock goes with the process */
static bool take_lock(void)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(prefix.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd == -1)
        fail("%s: %s", prefix.lock, strerror(errno));
    if (!fcntl(fd, F_SETLK, &lock))
        return true;
    if (errno != EACCES && errno != EAGAIN)
        fail("%s: %s", prefix.lock, strerror(errno));
    close(fd);
    return false;
}

static int make_listener(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (strlen(prefix.socket) >= sizeof(address.sun_path))
        fail("%s: too long for a socket", prefix.socket);
    strcpy(address.sun_path, prefix.socket);
    unlink(prefix.socket); /* of a server that was killed */
    umask(077);
    if (fd == -1 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, SOMAXCONN))
        fail("%s: %s", prefix.socket, strerror(errno));
    return fd;
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

static int serve(bool foreground)
{
    struct event *signals[3];
    int ready = -1, listener;

    if (!foreground)
        ready = daemonize();
    if (!take_lock())
    {
        if (foreground)
            fail("a server is already running for this prefix");
        /* the other one may not be listening yet; whoever started this one tries to connect anyway */
        return 0;
    }
    raise_limits();
    signal(SIGPIPE, SIG_IGN);
    if (!server_init(linger))
        fail("out of memory");
    /* before anybody can know that it runs and end it */
    signals[0] = evsignal_new(server_base, SIGTERM, on_signal, NULL);
    signals[1] = evsignal_new(server_base, SIGINT, on_signal, NULL);
    signals[2] = evsignal_new(server_base, SIGHUP, on_signal, NULL);
    for (int i = 0; i < 3; i++)
        evsignal_add(signals[i], NULL);
    listener = make_listener();
    if (!client_listen(server_base, listener))
        fail("out of memory");
    if (ready != -1 && write(ready, "", 1) == 1)
        close(ready);
    server_run();

    unlink(prefix.socket);
    close(listener);
    client_close_all();
    ports_end();
    connections_end();
    processes_end();
    threads_end();
    sweep_end();
    for (int i = 0; i < 3; i++)
        event_free(signals[i]);
    event_base_free(server_base);
    return 0;
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
        { "version", no_argument, NULL, 'v' },        { NULL, 0, NULL, 0 },
    };
    bool foreground = false, wait = false;
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
        pid_t pid = find_server();

        return pid && !wait_for_end(pid, -1) ? 1 : 0;
    }
    return serve(foreground);
}
