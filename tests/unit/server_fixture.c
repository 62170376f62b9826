/*
 * What the tests of alpcserver have in common
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "server_fixture.h"

#include "tests/unit/security_fixture.h"

#include "dlls/ntdll/alpc/control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

char program[4096];
char prefix_dir[] = "/tmp/ntalpc-test-XXXXXX";
static char log_path[64];
struct prefix prefix;
pid_t server;
bool server_may_die;
void (*server_setup)(void);
void (*program_setup)(void);

/* ---------------------------------------------------------------------------------------------- the server */

/* the build directory is three levels above native/tests/unit/test_server */
static void find_program(void)
{
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 32);
    int level;

    CHECK(length > 0);
    program[length] = 0;
    for (level = 0; level < 4; level++)
        *strrchr(program, '/') = 0;
    strcat(program, "/alpcserver");
}

/* runs alpcserver with up to three options; its output goes to the log */
pid_t start_program(const char *const options[3])
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    CHECK(pid != -1);
    if (!pid)
    {
        int out;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (server_setup)
            server_setup();
        out = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

        dup2(out, 1);
        dup2(out, 2);
        close(out);
        execl(program, program, options[0], options[1], options[2], NULL);
        _exit(99);
    }
    return pid;
}

int wait_program(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) == -1)
        CHECK_EQUAL(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int run_program(const char *a, const char *b)
{
    return wait_program(start_program((const char *const[3]){ a, b, NULL }));
}

const char *read_log(void)
{
    static char text[0x20000];
    int fd = open(log_path, O_RDONLY);
    ssize_t got = fd == -1 ? 0 : read(fd, text, sizeof(text) - 1);

    close(fd);
    text[got > 0 ? got : 0] = 0;
    return text;
}

int raw_connect(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, prefix.socket);
    if (fd != -1 && connect(fd, (struct sockaddr *)&address, sizeof(address)))
    {
        close(fd);
        return -1;
    }
    return fd;
}

pid_t server_worker(void)
{
    int fd = open(prefix.lock, O_RDONLY | O_CLOEXEC), keeper = 0, worker = 0;
    char text[64] = "";

    assert_int_not_equal(fd, -1);
    /* it may be listening, but not have written yet */
    while (pread(fd, text, sizeof(text) - 1, 0) <= 0 || sscanf(text, "%d %d", &keeper, &worker) != 2 || keeper != server)
        pass_us(1000);
    close(fd);
    return worker;
}

static bool is_locked(void)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(prefix.lock, O_RDWR | O_CLOEXEC);

    CHECK(fd != -1 && !fcntl(fd, F_GETLK, &lock));
    close(fd);
    return lock.l_type != F_UNLCK;
}

void kill_server(void)
{
    int fd;

    kill(server, SIGSTOP); /* it makes no other worker */
    kill(server_worker(), SIGKILL);
    kill(server, SIGKILL);
    wait_program(server);
    while (is_locked())
        pass_us(1000);
    /* the worker, which is nobody's child now, may take a moment to die */
    while ((fd = raw_connect()) != -1)
    {
        close(fd);
        pass_us(1000);
    }
}

/* with the option in addition to -f */
void start_server(const char *option)
{
    int fd, tries;

    /* a test that failed has left its own */
    if (server > 0 && !waitpid(server, NULL, WNOHANG))
        kill_server();
    server = start_program((const char *const[3]){ "-f", option, NULL });
    for (tries = 0; (fd = raw_connect()) == -1; tries++)
    {
        assert_true(tries < 5000);
        assert_int_equal(waitpid(server, NULL, WNOHANG), 0);
        pass_us(2000);
    }
    close(fd);
}

/* the server has survived the test and ends as it should */
void stop_server(void)
{
    const char *text;
    int result;

    server_setup = program_setup = NULL;
    assert_int_equal(waitpid(server, NULL, WNOHANG), 0);
    assert_int_equal(kill(server, SIGTERM), 0);
    result = wait_program(server);
    text = read_log();
    if (result || strstr(text, "Sanitizer") || strstr(text, "runtime error") ||
        (!server_may_die && strstr(text, "was ended by signal")))
        fail_msg("alpcserver ended with %d:\n%s", result, text);
    assert_int_equal(access(prefix.socket, F_OK), -1);
}

bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd != -1 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd != -1)
        close(fd);
    return written;
}

bool enter_user_namespace(int others)
{
    char map[64];
    uid_t uid = geteuid();

    snprintf(map, sizeof(map), "%u %u 1", (unsigned int)uid, (unsigned int)uid);
    return !unshare(CLONE_NEWUSER | others) && write_file("/proc/self/uid_map", map);
}

unsigned int count_server_fds(void)
{
    char path[64];
    unsigned int count = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)server);
    dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* until the server has noticed that clients have gone; count may have been taken before it had */
void await_server_fds(unsigned int count)
{
    while (count_server_fds() > count)
        pass_us(1000);
}

void kill_worker(void)
{
    pid_t worker = server_worker();

    assert_int_equal(kill(worker, SIGKILL), 0);
    while (server_worker() == worker)
        pass_us(1000);
}

/* ---------------------------------------------------------------------------------------------- clients that behave */

struct control_data utf16(const char *text)
{
    static uint16_t buffers[4][256];
    static unsigned int next;
    uint16_t *buffer = buffers[next++ % 4];
    size_t i;

    for (i = 0; text[i]; i++)
        buffer[i] = (uint8_t)text[i];
    return (struct control_data){ buffer, 2 * i };
}

struct control_data token(const char *user)
{
    const struct token_row row = { .user = user, .groups = "BU=e", .default_dacl = "(A;;GA;AL)(A;;GA;SY)" };
    static uint64_t buffers[2][TOKEN_WIRE_MAX_SIZE / 8];
    static unsigned int next;
    uint64_t *buffer = buffers[next++ % 2];

    return (struct control_data){ buffer, put_token(buffer, &row) };
}

static void keep_handle(struct peer *peer)
{
    int *handles;

    if (peer->fds[0] == -1 || !(handles = realloc(peer->handles, (peer->handle_count + 1) * sizeof(*handles))))
        return;
    peer->handles = handles;
    peer->handles[peer->handle_count++] = fcntl(peer->fds[0], F_DUPFD_CLOEXEC, 0);
}

static void close_handles(struct peer *peer)
{
    while (peer->handle_count)
        close(peer->handles[--peer->handle_count]);
    free(peer->handles);
    peer->handles = NULL;
}

void close_fds(struct peer *peer)
{
    int i;

    for (i = 0; i < PROTOCOL_MAX_FDS; i++)
    {
        if (peer->fds[i] != -1)
            close(peer->fds[i]);
        peer->fds[i] = -1;
    }
}

static bool rejoin(struct peer *peer)
{
    struct join_request request = { .process = peer->key };
    struct join_reply reply;
    NTSTATUS status = STATUS_SUCCESS;

    do
    {
        control_disconnect(&peer->control);
        assert_null(control_connect(&peer->control, false));
        if (peer->key)
            status = control_call(&peer->control, REQUEST_join, &request, NULL, &reply, NULL, NULL);
    } while (peer->control.fd == -1);
    assert_int_equal(status, STATUS_SUCCESS);
    return true;
}

/* one request; the descriptors of its reply stay in peer until the next one */
NTSTATUS call(struct peer *peer, enum request_code code, void *request, const struct control_data *data,
                     void *reply)
{
    NTSTATUS status;

    close_fds(peer);
    do
        status = control_call(&peer->control, code, request, data, reply, &peer->data, peer->fds);
    while (peer->control.fd == -1 && peer->steadfast && rejoin(peer));
    if (!status && (code == REQUEST_create_port || code == REQUEST_connect_port || code == REQUEST_accept_port))
        keep_handle(peer);
    return status;
}

void close_handle(struct peer *peer)
{
    close_fds(peer);
    close(peer->handles[--peer->handle_count]);
}

void begin_client(struct peer *peer)
{
    *peer = (struct peer){ .control = CONTROL_INIT, .fds = { -1, -1, -1, -1 } };
    assert_null(control_connect(&peer->control, false));
}

static void *await_signal(void *arg)
{
    int sig;

    return sigwait(arg, &sig) ? NULL : arg;
}

/* hands a connection of its own to the parent, and stays until it is killed: alpcserver takes it for the program */
static void __attribute__((noreturn)) stand_in(int parent, pid_t parent_pid)
{
    struct control control = CONTROL_INIT;
    union
    {
        char buffer[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } room = { .buffer = "" };
    struct iovec iov = { "", 1 };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room.buffer, .msg_controllen = sizeof(room.buffer)
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    pthread_t thread;
    sigset_t usr1;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent_pid) /* it was killed before that */
        _exit(98);
    if (program_setup)
        program_setup();
    CHECK(!control_connect(&control, false));
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &control.fd, sizeof(int));
    CHECK_EQUAL(sendmsg(parent, &message, 0), 1);
    close_range(0, ~0u, 0);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    CHECK(!pthread_create(&thread, NULL, await_signal, &usr1));
    for (;;)
        pause();
}

/* a process of its own, which can die, with a connection that the test uses */
void begin_program(struct peer *peer)
{
    union
    {
        char buffer[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } room;
    char byte;
    struct iovec iov = { &byte, 1 };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room.buffer, .msg_controllen = sizeof(room.buffer)
    };
    pid_t parent_pid = getpid();
    int pair[2];

    *peer = (struct peer){ .control = CONTROL_INIT, .fds = { -1, -1, -1, -1 } };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    fflush(NULL);
    if (!(peer->pid = fork()))
        stand_in(pair[1], parent_pid);
    assert_int_not_equal(peer->pid, -1);
    close(pair[1]);
    assert_int_equal(recvmsg(pair[0], &message, MSG_CMSG_CLOEXEC), 1);
    memcpy(&peer->control.fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    close(pair[0]);
}

pid_t second_thread(const struct peer *peer)
{
    const struct dirent *entry;
    pid_t thread = 0;
    char path[64];
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)peer->pid);
    while (!thread)
    {
        assert_non_null(dir = opendir(path));
        while ((entry = readdir(dir)))
            if (entry->d_name[0] != '.' && atoi(entry->d_name) != peer->pid)
                thread = atoi(entry->d_name);
        closedir(dir);
    }
    return thread;
}

static void keep_process(struct peer *peer, const struct init_reply *reply)
{
    peer->key = reply->process;
    peer->page = mmap(NULL, sizeof(*peer->page), PROT_READ | PROT_WRITE, MAP_SHARED, peer->fds[0], 0);
    assert_true(peer->page != MAP_FAILED);
}

void begin_process_as(struct peer *peer, uint32_t id, const char *user)
{
    struct init_request request = { .protocol = PROTOCOL_VERSION, .process = id, .session = 1 };
    const struct control_data data[] = { utf16("C:\\test.exe"), token(user) };
    struct init_reply reply;

    begin_program(peer);
    assert_int_equal(call(peer, REQUEST_init, &request, data, &reply), STATUS_SUCCESS);
    assert_int_equal(reply.protocol, PROTOCOL_VERSION);
    keep_process(peer, &reply);
}

void begin_process(struct peer *peer, uint32_t id)
{
    begin_process_as(peer, id, "AL");
}

void begin_steadfast(struct peer *peer, uint32_t id)
{
    struct init_request request = { .protocol = PROTOCOL_VERSION, .process = id, .session = 1 };
    const struct control_data data[] = { utf16("C:\\test.exe"), token("AL") };
    struct init_reply reply;

    begin_client(peer);
    peer->steadfast = true;
    assert_int_equal(call(peer, REQUEST_init, &request, data, &reply), STATUS_SUCCESS);
    keep_process(peer, &reply);
}

/* the process dies, and all its handles close */
void end_peer(struct peer *peer)
{
    close_fds(peer);
    close_handles(peer);
    control_disconnect(&peer->control);
    if (peer->page)
        munmap(peer->page, sizeof(*peer->page));
    if (peer->pid)
        kill_child(peer->pid);
    *peer = (struct peer){ .control = CONTROL_INIT, .fds = { -1, -1, -1, -1 } };
}

/* what alpcserver holds: ports and connections; it answers at all */
void count_objects(unsigned int *ports, unsigned int *connections)
{
    struct dump_request request = { .messages = 1 };
    struct dump_reply reply;
    struct peer peer;
    uint32_t at, records[RECORD_COUNT] = { 0 };

    begin_client(&peer);
    peer.steadfast = server_may_die;
    assert_int_equal(call(&peer, REQUEST_dump, &request, NULL, &reply), STATUS_SUCCESS);
    for (at = 0; at < reply.records_size;)
    {
        const struct record_header *header = (const void *)((const uint8_t *)peer.data + at);
        const void *data[PROTOCOL_MAX_DATA];

        assert_true(header->type < RECORD_COUNT && header->size <= reply.records_size - at);
        assert_true(protocol_check(&record_types[header->type].part, header, header->size, data));
        if (header->type == RECORD_server && !server_may_die)
            assert_int_equal(((const struct server_record *)header)->pid, server_worker());
        records[header->type]++;
        at += header->size;
    }
    assert_int_equal(at, reply.records_size);
    assert_int_equal(records[RECORD_server], 1);
    if (ports)
        *ports = records[RECORD_port];
    if (connections)
        *connections = records[RECORD_connection];
    end_peer(&peer);
}

void expect_alive(void)
{
    count_objects(NULL, NULL);
}

void expect_objects(unsigned int ports, unsigned int connections)
{
    unsigned int have_ports, have_connections;

    count_objects(&have_ports, &have_connections);
    assert_int_equal(have_ports, ports);
    assert_int_equal(have_connections, connections);
}

/* the death of clients is noticed a moment later */
void await_objects(unsigned int ports, unsigned int connections)
{
    unsigned int have_ports, have_connections;

    do
        count_objects(&have_ports, &have_connections);
    while (have_ports != ports || have_connections != connections);
}

/* ---------------------------------------------------------------------------------------------- ports */

NTSTATUS create_port(struct peer *peer, const char *name, struct create_port_request request,
                            const char *security, struct create_port_reply *reply)
{
    static uint8_t descriptor[FIXTURE_SIZE];
    const struct control_data data[] = { utf16(name), { descriptor, security ? put_sd(descriptor, security) : 0 } };

    request.absolute = 1;
    return call(peer, REQUEST_create_port, &request, data, reply);
}

uint64_t make_port(struct peer *peer)
{
    struct create_port_reply reply;

    assert_int_equal(create_port(peer, NAME, (struct create_port_request){ .flags = 0 }, NULL, &reply), STATUS_SUCCESS);
    return reply.port;
}

NTSTATUS connect_port(struct peer *peer, struct connect_port_request request, size_t message_size,
                             struct connect_port_reply *reply)
{
    static const uint8_t message[0x10000];
    const struct control_data data[] = {
        utf16(NAME), token("AL"), { NULL, 0 }, { NULL, 0 }, { message, message_size }
    };

    return call(peer, REQUEST_connect_port, &request, data, reply);
}

const struct connect_port_request plain_connect = {
    .thread = 0x28, .sync = 1, .data_length = 0, .total_length = sizeof(PORT_MESSAGE)
};

void make_connection(struct peer *peer, struct link *link)
{
    assert_int_equal(connect_port(peer, plain_connect, 0, &link->client), STATUS_SUCCESS);
    assert_true(channel_map(&link->channel, peer->fds[1], true));
    link->channel.slot = link->client.slot;
}

void free_link(struct link *link)
{
    channel_unmap(&link->channel);
}

bool receive_request(struct link *link)
{
    struct cell *cell = &link->channel.header->connect;
    uint64_t state = cell_state(cell);

    return cell_is(state, CELL_QUEUED + END_SERVER, link->client.message_gen) &&
           cell_step(&link->channel, CELL_CONNECT, cell, &state, EVENT_RECEIVE, (struct cell_actor){ .thread = 0x2c });
}

NTSTATUS accept_port(struct peer *peer, struct link *link, struct accept_port_request request)
{
    const struct control_data data = { NULL, 0 };

    if (!request.message_id)
        request.message_id = channel_message_id(&link->channel, CELL_CONNECT, link->client.message_gen);
    if (!request.total_length)
        request.total_length = HEADER_SIZE;
    return call(peer, REQUEST_accept_port, &request, &data, &link->server);
}

void accept_connection(struct peer *peer, struct link *link, uint64_t port)
{
    assert_true(receive_request(link));
    assert_int_equal(accept_port(peer, link, (struct accept_port_request){ .port = port, .accept = 1 }),
                     STATUS_SUCCESS);
}

uint64_t open_connection(struct peer *owner, struct peer *client, struct link *link)
{
    uint64_t port = make_port(owner);

    make_connection(client, link);
    accept_connection(owner, link, port);
    return port;
}

NTSTATUS simple_call(struct peer *peer, enum request_code code, uint64_t port)
{
    /* these requests begin alike and need nothing more */
    union
    {
        struct close_port_request close;
        struct disconnect_port_request disconnect;
        struct query_name_request name;
        struct query_security_request security;
    } request = { .close.port = port };
    union
    {
        struct reply_header header;
        uint8_t room[256];
    } reply;

    return call(peer, code, &request, NULL, &reply);
}

/* ---------------------------------------------------------------------------------------------- the whole program */

int server_test_main(const char *name, const struct CMUnitTest *tests, size_t count)
{
    int failed;

    find_program();
    CHECK(mkdtemp(prefix_dir) != NULL);
    setenv("WINEPREFIX", prefix_dir, 1);
    CHECK(!prefix_find(&prefix, true));
    snprintf(log_path, sizeof(log_path), "%s/log", prefix_dir);
    failed = stress_main(name, tests, count);
    /* a failed test leaves its server */
    if (failed && server > 0 && !waitpid(server, NULL, WNOHANG))
        kill_server();
    unlink(log_path);
    rmdir(prefix_dir);
    unlink(prefix.lock);
    unlink(prefix.socket);
    rmdir(prefix.server_dir);
    return failed;
}
