/*
 * Fault tests: programs are killed, stopped and damaged while others go on
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   fault clients COUNT   kills that many clients with SIGKILL at random moments; one client must never notice
 *   fault servers COUNT   kills the server program; its clients must learn of it and find the next one
 *   fault threads COUNT   terminates threads inside a client
 *   fault visits COUNT    the same while they connect
 *   fault accepts COUNT   terminates threads inside a server while they accept and answer
 *   fault suspended COUNT suspends threads just when they are woken for a message
 *   fault hostile SECONDS overwrites one client's shared memory at random; other clients must never notice
 *   fault stopped COUNT   exchanges messages while alpcserver is stopped
 *   fault restarts COUNT  kills alpcserver that many times; nobody must notice
 *   fault connections COUNT   a client holds that many connections at once, and each carries a message
 *
 * The Windows side is peer.exe; both programs and alpc-wine are looked for beside this one.  The exit code is 0 if
 * nothing was wrong.  What is left behind is the test runner's business.
 */

#include "dlls/ntdll/alpc/prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[4096]; /* of the programs */
static char logs[] = "/tmp/ntalpc-fault-XXXXXX";
static char name[32]; /* of the port */
static unsigned int seed = 1;
#define MOST_PEERS 16
static pid_t running[MOST_PEERS]; /* 0 = none */

static void __attribute__((format(printf, 1, 2), noreturn)) fail(const char *format, ...)
{
    unsigned int i;
    va_list args;

    for (i = 0; i < MOST_PEERS; i++)
    {
        if (running[i])
            kill(running[i], SIGKILL);
    }
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    exit(1);
}

static unsigned int random_below(unsigned int limit)
{
    return (unsigned int)rand_r(&seed) % limit;
}

static void pause_us(unsigned int us)
{
    const struct timespec time = { us / 1000000, us % 1000000 * 1000L };

    nanosleep(&time, NULL);
}

/* ---------------------------------------------------------------------------------------------- peers */

struct peer
{
    pid_t pid;
    int in; /* its standard input */
    char log[64];
};

/* starts peer.exe in a role; argument may be NULL */
static struct peer start(const char *role, const char *argument)
{
    static unsigned int number;
    char launcher[sizeof(directory) + 16], program[sizeof(directory) + 16];
    struct peer peer;
    unsigned int i;
    int in[2];

    snprintf(launcher, sizeof(launcher), "%s/alpc-wine", directory);
    snprintf(program, sizeof(program), "%s/peer.exe", directory);
    snprintf(peer.log, sizeof(peer.log), "%s/%u-%s", logs, number++, role);
    if (pipe2(in, O_CLOEXEC))
        fail("pipe: %s", strerror(errno));
    peer.in = in[1];
    if (!(peer.pid = fork()))
    {
        int log = open(peer.log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        dup2(in[0], 0);
        dup2(log, 1);
        dup2(log, 2);
        execl(launcher, launcher, program, role, name, argument, NULL);
        _exit(127);
    }
    close(in[0]);
    for (i = 0; running[i]; i++)
        ;
    running[i] = peer.pid;
    return peer;
}

static void forget(const struct peer *peer)
{
    unsigned int i;

    for (i = 0; i < MOST_PEERS; i++)
    {
        if (running[i] == peer->pid)
            running[i] = 0;
    }
}

static void reap(struct peer *peer)
{
    waitpid(peer->pid, NULL, 0);
    forget(peer);
    close(peer->in);
}

static bool log_has(const struct peer *peer, const char *text)
{
    char buffer[4096];
    int fd = open(peer->log, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd == -1 ? 0 : read(fd, buffer, sizeof(buffer) - 1);

    if (fd != -1)
        close(fd);
    buffer[got > 0 ? got : 0] = 0;
    return strstr(buffer, text) != NULL;
}

static void print_log(const struct peer *peer)
{
    char buffer[4096];
    int fd = open(peer->log, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    while (fd != -1 && (got = read(fd, buffer, sizeof(buffer))) > 0)
        fwrite(buffer, 1, (size_t)got, stdout);
    if (fd != -1)
        close(fd);
}

/* tells a peer to end, waits for that, at most a minute, and sees whether all was right */
static void finish(struct peer *peer, const char *who)
{
    unsigned int i;
    int status;

    close(peer->in);
    for (i = 0; i < 6000; i++)
    {
        if (waitpid(peer->pid, &status, WNOHANG) == peer->pid)
            break;
        pause_us(10000);
    }
    print_log(peer);
    if (i == 6000)
    {
        fail("%s hangs", who);
    }
    forget(peer);
    if (!WIFEXITED(status) || WEXITSTATUS(status) || !log_has(peer, "ok: "))
        fail("%s failed", who);
    unlink(peer->log);
}

static void kill_peer(struct peer *peer)
{
    kill(peer->pid, SIGKILL);
    reap(peer);
    if (log_has(peer, "MISTAKE"))
    {
        print_log(peer);
        fail("one that was killed had seen something wrong before");
    }
    unlink(peer->log);
}

static void quit_server(struct peer *server)
{
    struct peer quit = start("quit", NULL);

    finish(&quit, "who ends the server");
    finish(server, "the server");
}

static void wait_for(const struct peer *peer, const char *text)
{
    unsigned int i;

    for (i = 0; i < 6000 && !log_has(peer, text); i++)
        pause_us(10000);
    if (i == 6000)
        fail("'%s' does not come", text);
}

/* ---------------------------------------------------------------------------------------------- scenarios */

static void test_clients(unsigned int count)
{
    struct peer server = start("server", NULL), witness = start("client", NULL), victims[2];
    unsigned int i;

    for (i = 0; i < 2; i++)
        victims[i] = start("client", NULL);
    for (i = 0; i < count; i++)
    {
        struct peer *victim = &victims[i % 2];

        /* a program is at work 40 ms after its start, or later: some die while they connect */
        pause_us(20000 + random_below(60000));
        kill_peer(victim);
        *victim = start("client", NULL);
    }
    for (i = 0; i < 2; i++)
        kill_peer(&victims[i]);
    finish(&witness, "the client that is never killed");
    quit_server(&server);
}

static void test_servers(unsigned int count)
{
    struct peer server = start("server", NULL), clients[2];
    unsigned int i;

    for (i = 0; i < 2; i++)
        clients[i] = start("client", NULL);
    for (i = 0; i < count; i++)
    {
        pause_us(60000 + random_below(100000));
        kill_peer(&server);
        server = start("server", NULL);
    }
    for (i = 0; i < 2; i++)
        finish(&clients[i], "a client");
    quit_server(&server);
}

static void test_connections(unsigned int count)
{
    struct peer server, client;
    struct rlimit limit;
    char argument[16];

    /* Wine's server needs a descriptor for each client port, alpcserver one for each connection */
    if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_max < count + count / 2 && geteuid())
    {
        printf("only %llu open files are allowed\n", (unsigned long long)limit.rlim_max);
        exit(77);
    }
    server = start("server", NULL);
    snprintf(argument, sizeof(argument), "%u", count);
    client = start("connections", argument);
    finish(&client, "the client");
    quit_server(&server);
}

/* a client of the ordinary server that does something by itself */
static void run_role(const char *role, unsigned int count)
{
    struct peer server = start("server", NULL), client;
    char argument[16];

    snprintf(argument, sizeof(argument), "%u", count);
    client = start(role, argument);
    finish(&client, "the client");
    quit_server(&server);
}

static void test_threads(unsigned int count)
{
    run_role("threads", count);
}

static void test_visits(unsigned int count)
{
    run_role("visits", count);
}

/* one that is server and client */
static void run_alone(const char *role, unsigned int count)
{
    char argument[16];
    struct peer peer;

    snprintf(argument, sizeof(argument), "%u", count);
    peer = start(role, argument);
    finish(&peer, "the program");
}

static void test_accepts(unsigned int count)
{
    run_alone("accepts", count);
}

static void test_suspended(unsigned int count)
{
    run_alone("suspended", count);
}

/* ---------------------------------------------------------------------------------------------- hostile client */

/* writes random bytes to random places of what a process shares with others */
static unsigned int scribble(pid_t pid)
{
    char path[64], line[512];
    unsigned int written = 0;
    FILE *maps;
    int memory;

    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    maps = fopen(path, "r");
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    memory = open(path, O_RDWR | O_CLOEXEC);
    while (maps && memory != -1 && fgets(line, sizeof(line), maps))
    {
        unsigned long begin, end;
        unsigned int i;

        if (!strstr(line, "memfd:ntalpc") || !strstr(line, "rw-s") || sscanf(line, "%lx-%lx", &begin, &end) != 2)
            continue;
        /* the windows for large messages are sparse: stay where things are */
        if (end - begin > 0x200000)
            end = begin + 0x200000;
        for (i = 0; i < 200; i++)
        {
            uint64_t value = random_below(4) ? (uint64_t)random_below(256) << random_below(56) : ~UINT64_C(0);
            unsigned int size = 1u << random_below(4);
            off_t at = (off_t)(begin + (unsigned long)rand_r(&seed) % (i % 2 ? 0x3000 : end - begin - 8));

            written += pwrite(memory, &value, size, at) == (ssize_t)size;
        }
    }
    if (maps)
        fclose(maps);
    if (memory != -1)
        close(memory);
    return written;
}

static void test_hostile(unsigned int seconds)
{
    struct peer server = start("tolerant", NULL), witnesses[2], hostile;
    time_t end = time(NULL) + seconds;
    unsigned int i, rounds = 0, written = 0;

    for (i = 0; i < 2; i++)
        witnesses[i] = start("client", NULL);
    while (time(NULL) < end)
    {
        hostile = start("client", NULL);
        pause_us(150000);
        for (i = 0; i < 30; i++)
        {
            written += scribble(hostile.pid);
            pause_us(random_below(3000));
        }
        /* whatever it has seen itself does not count */
        kill(hostile.pid, SIGKILL);
        reap(&hostile);
        unlink(hostile.log);
        rounds++;
    }
    printf("%u hostile clients, %u words overwritten\n", rounds, written);
    if (!written)
        fail("nothing could be overwritten");
    for (i = 0; i < 2; i++)
        finish(&witnesses[i], "a client that did nothing wrong");
    quit_server(&server);
}

/* ---------------------------------------------------------------------------------------------- stopped server */

/* the process that does alpcserver's work now; 0 = none */
static pid_t alpcserver_pid(void)
{
    int keeper = 0, worker = 0;
    struct prefix prefix;
    const char *error = prefix_find(&prefix, false);
    FILE *lock = error ? NULL : fopen(prefix.lock, "re");

    if (!lock || fscanf(lock, "%d %d", &keeper, &worker) != 2)
        worker = 0;
    if (lock)
        fclose(lock);
    return worker;
}

static void wait_for_server(void)
{
    unsigned int i;

    for (i = 0; i < 6000 && !alpcserver_pid(); i++)
        pause_us(10000);
}

static bool is_stopped(pid_t pid)
{
    char path[64], line[256] = "";
    FILE *stat;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if ((stat = fopen(path, "r")))
    {
        if (!fgets(line, sizeof(line), stat))
            line[0] = 0;
        fclose(stat);
    }
    return strstr(line, ") T ") != NULL;
}

/*
 * Programs that are connected, that come and go, and that die, while alpcserver does: none of them may see anything
 * that would not be so without it.  Now and then it lives long enough for its keeper not to think that it cannot live.
 */
static void test_restarts(unsigned int count)
{
    struct peer server = start("server", NULL), witness = start("client", NULL), visitors[2], victim;
    unsigned int i, killed = 0;
    pid_t worker, last = 0;

    for (i = 0; i < 2; i++)
        visitors[i] = start("visitor", NULL);
    victim = start("client", NULL);
    wait_for_server();
    while (killed < count)
    {
        while (!(worker = alpcserver_pid()) || worker == last)
            pause_us(1000);
        /* on a busy machine the next one comes late, and its time begins only then */
        pause_us(killed % 16 ? random_below(20000) : 150000);
        if (kill(worker, SIGKILL))
            continue;
        last = worker;
        if (++killed % 64)
            continue;
        kill_peer(&victim);
        victim = start("client", NULL);
    }
    kill_peer(&victim);
    for (i = 0; i < 2; i++)
        finish(&visitors[i], "a visitor");
    finish(&witness, "the client that stays");
    quit_server(&server);
    printf("alpcserver killed %u times\n", killed);
}

static void test_stopped(unsigned int count)
{
    struct peer server = start("server", NULL), client;
    char argument[16], done[32];
    pid_t alpcserver;
    bool stopped;

    snprintf(argument, sizeof(argument), "%u", count);
    snprintf(done, sizeof(done), "%u messages", count);
    client = start("exchange", argument);
    wait_for(&client, "ready");
    if (!(alpcserver = alpcserver_pid()))
        fail("there is no alpcserver");
    kill(alpcserver, SIGSTOP);
    if (write(client.in, "\n", 1) != 1)
        fail("cannot tell the client to begin");
    wait_for(&client, done);
    stopped = is_stopped(alpcserver);
    kill(alpcserver, SIGCONT);
    if (!stopped)
        fail("alpcserver was not stopped all the time");
    finish(&client, "the client");
    quit_server(&server);
}

int main(int argc, char **argv)
{
    static const struct
    {
        const char *name;
        void (*test)(unsigned int number);
    } tests[] = { { "clients", test_clients }, { "servers", test_servers }, { "threads", test_threads },
                  { "visits", test_visits }, { "accepts", test_accepts }, { "suspended", test_suspended },
                  { "hostile", test_hostile }, { "restarts", test_restarts }, { "stopped", test_stopped },
                  { "connections", test_connections } };
    ssize_t length = readlink("/proc/self/exe", directory, sizeof(directory) - 1);
    unsigned int i;

    if (argc != 3 || length < 1)
        fail("usage: fault clients|servers|threads|visits|accepts|suspended|hostile|restarts|stopped|connections "
             "NUMBER");
    directory[length] = 0;
    *strrchr(directory, '/') = 0;
    setvbuf(stdout, NULL, _IONBF, 0);
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(logs))
        fail("%s: %s", logs, strerror(errno));
    snprintf(name, sizeof(name), "%d", (int)getpid());
    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        if (!strcmp(argv[1], tests[i].name))
        {
            tests[i].test((unsigned int)atoi(argv[2]));
            rmdir(logs);
            printf("ok\n");
            return 0;
        }
    fail("there is no test '%s'", argv[1]);
}
