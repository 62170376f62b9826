/*
 * Tests of alpcserver: the control protocol, its objects, its options
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each test starts the alpcserver of the build directory for a prefix of its own, an empty folder.  At the end of a
 * test the server must still be the same process, answer, and end in order: whatever a client does ends its own
 * connection and nothing else.
 */

#include "stress.h"

#include "tests/unit/security_fixture.h"

#include "dlls/ntdll/alpc/channel.h"
#include "dlls/ntdll/alpc/control.h"
#include "dlls/ntdll/alpc/prefix.h"
#include "ntalpc/nt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEADER_SIZE ((uint32_t)sizeof(PORT_MESSAGE))
#define NAME "\\RPC Control\\test"

static char program[4096]; /* alpcserver */
static char prefix_dir[] = "/tmp/ntalpc-test-XXXXXX", log_path[64];
static struct prefix prefix;
static pid_t server;

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
static pid_t start_program(const char *const options[3])
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    CHECK(pid != -1);
    if (!pid)
    {
        int out;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        out = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

        dup2(out, 1);
        dup2(out, 2);
        close(out);
        execl(program, program, options[0], options[1], options[2], NULL);
        _exit(99);
    }
    return pid;
}

static int wait_program(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) == -1)
        CHECK_EQUAL(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int run_program(const char *a, const char *b)
{
    return wait_program(start_program((const char *const[3]){ a, b, NULL }));
}

static const char *read_log(void)
{
    static char text[0x20000];
    int fd = open(log_path, O_RDONLY);
    ssize_t got = fd == -1 ? 0 : read(fd, text, sizeof(text) - 1);

    close(fd);
    text[got > 0 ? got : 0] = 0;
    return text;
}

static int raw_connect(void)
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

/* with the option in addition to -f */
static void start_server(const char *option)
{
    int fd, tries;

    /* a test that failed has left its own */
    if (server > 0 && !waitpid(server, NULL, WNOHANG))
    {
        kill(server, SIGKILL);
        wait_program(server);
    }
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
static void stop_server(void)
{
    const char *text;
    int result;

    assert_int_equal(waitpid(server, NULL, WNOHANG), 0);
    assert_int_equal(kill(server, SIGTERM), 0);
    result = wait_program(server);
    text = read_log();
    if (result || strstr(text, "Sanitizer") || strstr(text, "runtime error"))
        fail_msg("alpcserver ended with %d:\n%s", result, text);
    assert_int_equal(access(prefix.socket, F_OK), -1);
}

static unsigned int count_server_fds(void)
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
static void await_server_fds(unsigned int count)
{
    while (count_server_fds() > count)
        pass_us(1000);
}

/* ---------------------------------------------------------------------------------------------- clients that behave */

static struct control_data utf16(const char *text)
{
    static uint16_t buffers[4][256];
    static unsigned int next;
    uint16_t *buffer = buffers[next++ % 4];
    size_t i;

    for (i = 0; text[i]; i++)
        buffer[i] = (uint8_t)text[i];
    return (struct control_data){ buffer, 2 * i };
}

static struct control_data token(const char *user)
{
    const struct token_row row = { .user = user, .groups = "BU=e", .default_dacl = "(A;;GA;AL)(A;;GA;SY)" };
    static uint64_t buffers[2][TOKEN_WIRE_MAX_SIZE / 8];
    static unsigned int next;
    uint64_t *buffer = buffers[next++ % 2];

    return (struct control_data){ buffer, put_token(buffer, &row) };
}

struct peer
{
    struct control control;
    int fds[PROTOCOL_MAX_FDS];
    int *handles; /* what stands for the handles of the ports: their files, open */
    size_t handle_count;
    const void *data;
};

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

static void close_fds(struct peer *peer)
{
    int i;

    for (i = 0; i < PROTOCOL_MAX_FDS; i++)
    {
        if (peer->fds[i] != -1)
            close(peer->fds[i]);
        peer->fds[i] = -1;
    }
}

/* one request; the descriptors of its reply stay in peer until the next one */
static NTSTATUS call(struct peer *peer, enum request_code code, void *request, const struct control_data *data,
                     void *reply)
{
    NTSTATUS status;

    close_fds(peer);
    status = control_call(&peer->control, code, request, data, reply, &peer->data, peer->fds);
    if (!status && (code == REQUEST_create_port || code == REQUEST_connect_port || code == REQUEST_accept_port))
        keep_handle(peer);
    return status;
}

static void begin_client(struct peer *peer)
{
    *peer = (struct peer){ .control = CONTROL_INIT, .fds = { -1, -1, -1, -1 } };
    assert_null(control_connect(&peer->control, false));
}

static void begin_process_as(struct peer *peer, uint32_t id, const char *user)
{
    struct init_request request = { .protocol = PROTOCOL_VERSION, .process = id, .session = 1 };
    const struct control_data data[] = { utf16("C:\\test.exe"), token(user) };
    struct init_reply reply;

    begin_client(peer);
    assert_int_equal(call(peer, REQUEST_init, &request, data, &reply), STATUS_SUCCESS);
    assert_int_equal(reply.protocol, PROTOCOL_VERSION);
}

static void begin_process(struct peer *peer, uint32_t id)
{
    begin_process_as(peer, id, "AL");
}

static void end_peer(struct peer *peer)
{
    close_fds(peer);
    close_handles(peer);
    control_disconnect(&peer->control);
}

/* what alpcserver holds: ports and connections; it answers at all */
static void count_objects(unsigned int *ports, unsigned int *connections)
{
    struct dump_request request = { .messages = 1 };
    struct dump_reply reply;
    struct peer peer;
    uint32_t at, records[RECORD_COUNT] = { 0 };

    begin_client(&peer);
    assert_int_equal(call(&peer, REQUEST_dump, &request, NULL, &reply), STATUS_SUCCESS);
    for (at = 0; at < reply.records_size;)
    {
        const struct record_header *header = (const void *)((const uint8_t *)peer.data + at);
        const void *data[PROTOCOL_MAX_DATA];

        assert_true(header->type < RECORD_COUNT && header->size <= reply.records_size - at);
        assert_true(protocol_check(&record_types[header->type].part, header, header->size, data));
        if (header->type == RECORD_server)
            assert_int_equal(((const struct server_record *)header)->pid, server);
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

static void expect_alive(void)
{
    count_objects(NULL, NULL);
}

static void expect_objects(unsigned int ports, unsigned int connections)
{
    unsigned int have_ports, have_connections;

    count_objects(&have_ports, &have_connections);
    assert_int_equal(have_ports, ports);
    assert_int_equal(have_connections, connections);
}

/* the death of clients is noticed a moment later */
static void await_objects(unsigned int ports, unsigned int connections)
{
    unsigned int have_ports, have_connections;

    do
        count_objects(&have_ports, &have_connections);
    while (have_ports != ports || have_connections != connections);
}

/* ---------------------------------------------------------------------------------------------- ports */

static NTSTATUS create_port(struct peer *peer, const char *name, struct create_port_request request,
                            const char *security, struct create_port_reply *reply)
{
    static uint8_t descriptor[FIXTURE_SIZE];
    const struct control_data data[] = { utf16(name), { descriptor, security ? put_sd(descriptor, security) : 0 } };

    request.absolute = 1;
    return call(peer, REQUEST_create_port, &request, data, reply);
}

static uint64_t make_port(struct peer *peer)
{
    struct create_port_reply reply;

    assert_int_equal(create_port(peer, NAME, (struct create_port_request){ .flags = 0 }, NULL, &reply), STATUS_SUCCESS);
    return reply.port;
}

static NTSTATUS connect_port(struct peer *peer, struct connect_port_request request, size_t message_size,
                             struct connect_port_reply *reply)
{
    static const uint8_t message[0x10000];
    const struct control_data data[] = {
        utf16(NAME), token("AL"), { NULL, 0 }, { NULL, 0 }, { message, message_size }
    };

    return call(peer, REQUEST_connect_port, &request, data, reply);
}

static const struct connect_port_request plain_connect = {
    .thread = 0x28, .sync = 1, .data_length = 0, .total_length = sizeof(PORT_MESSAGE)
};

/* a connection as both ends see it */
struct link
{
    struct connect_port_reply client;
    struct accept_port_reply server;
    struct channel channel;
    int channel_fd;
};

static void make_connection(struct peer *peer, struct link *link)
{
    assert_int_equal(connect_port(peer, plain_connect, 0, &link->client), STATUS_SUCCESS);
    assert_true(channel_map(&link->channel, peer->fds[1], true));
}

static void free_link(struct link *link)
{
    channel_unmap(&link->channel);
}

static bool receive_request(struct link *link)
{
    return cell_claim(&link->channel.header->connect, link->client.message_gen, CELL_QUEUED + END_SERVER,
                      CELL_HELD + END_SERVER, (struct cell_actor){ .thread = 0x2c });
}

static NTSTATUS accept_port(struct peer *peer, struct link *link, struct accept_port_request request)
{
    const struct control_data data = { NULL, 0 };

    if (!request.message_id)
        request.message_id = MESSAGE_ID(link->client.slot, CELL_CONNECT, link->client.message_gen);
    if (!request.total_length)
        request.total_length = HEADER_SIZE;
    return call(peer, REQUEST_accept_port, &request, &data, &link->server);
}

static void accept_connection(struct peer *peer, struct link *link, uint64_t port)
{
    assert_true(receive_request(link));
    assert_int_equal(accept_port(peer, link, (struct accept_port_request){ .port = port, .accept = 1 }),
                     STATUS_SUCCESS);
}

static NTSTATUS simple_call(struct peer *peer, enum request_code code, uint64_t port)
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

/* ---------------------------------------------------------------------------------------------- raw requests */

static void expect_end(int fd)
{
    char byte[64];

    /* what the server had not read makes it a reset */
    while (recv(fd, byte, sizeof(byte), 0) > 0)
        ;
    close(fd);
}

/* false when the server has closed the connection */
static bool raw_reply(int fd, uint8_t *buffer, size_t size)
{
    struct reply_header header;
    size_t have = 0;

    while (have < sizeof(header))
    {
        ssize_t got = recv(fd, buffer + have, sizeof(header) - have, 0);

        if (got <= 0)
            return false;
        have += (size_t)got;
    }
    memcpy(&header, buffer, sizeof(header));
    assert_in_range(header.size, sizeof(header), size);
    while (have < header.size)
    {
        ssize_t got = recv(fd, buffer + have, header.size - have, 0);

        assert_true(got > 0);
        have += (size_t)got;
    }
    return true;
}

static NTSTATUS raw_status(int fd)
{
    static _Alignas(8) uint8_t buffer[0x200000];

    assert_true(raw_reply(fd, buffer, sizeof(buffer)));
    return ((struct reply_header *)buffer)->status;
}

static void raw_send(int fd, const void *data, size_t size)
{
    /* a server that has hung up already is what some tests are about */
    if (size && send(fd, data, size, MSG_NOSIGNAL) == -1)
        assert_true(errno == EPIPE || errno == ECONNRESET);
}

/* writes a request with pieces of variable data, sizes are those given; returns its size */
static size_t build_request(uint8_t *buffer, enum request_code code, const void *fixed, const struct control_data *data)
{
    const struct request_part *part = &request_types[code].request;
    size_t at = sizeof(struct request_header), size = protocol_pad(part->size);
    const struct request_field *field;
    struct request_header header;

    memset(buffer, 0, size);
    memcpy(buffer, fixed, part->size);
    for (field = part->fields; field->name; at += protocol_field_size(field++))
    {
        uint32_t length;

        if (field->kind != FIELD_DATA)
            continue;
        length = (uint32_t)data->size;
        memcpy(buffer + at, &length, sizeof(length));
        memset(buffer + size, 0, protocol_pad(length));
        if (length)
            memcpy(buffer + size, data->data, length);
        size += protocol_pad(length);
        data++;
    }
    header = (struct request_header){ .size = (uint32_t)size, .code = code };
    memcpy(buffer, &header, sizeof(header));
    return size;
}

static size_t build_init(uint8_t *buffer, uint32_t version)
{
    const struct init_request request = { .protocol = version, .process = 0x20 };
    const struct control_data data[] = { utf16("C:\\test.exe"), token("AL") };

    return build_request(buffer, REQUEST_init, &request, data);
}

static _Alignas(8) uint8_t raw[PROTOCOL_MAX_SIZE + 64];

/* ---------------------------------------------------------------------------------------------- the first request */

static void test_init(void **state)
{
    struct init_request request = { .protocol = PROTOCOL_VERSION, .process = 0x20 };
    const struct control_data data[] = { utf16("C:\\test.exe"), token("AL") };
    struct find_port_request find = { .number = 0 };
    const struct control_data name = utf16(NAME), garbage[] = { utf16("C:\\test.exe"), { "no token", 8 } };
    struct find_port_reply found;
    struct init_reply reply;
    struct peer peer;

    (void)state;
    start_server("-p");
    begin_client(&peer);
    /* who has not said who it is gets nothing */
    assert_int_equal(call(&peer, REQUEST_find_port, &find, &name, &found), STATUS_INVALID_PARAMETER);
    assert_int_not_equal(call(&peer, REQUEST_init, &request, garbage, &reply), STATUS_SUCCESS);
    assert_int_equal(call(&peer, REQUEST_init, &request, data, &reply), STATUS_SUCCESS);
    assert_int_not_equal(peer.fds[0], -1);
    assert_int_equal(call(&peer, REQUEST_init, &request, data, &reply), STATUS_INVALID_PARAMETER);
    assert_int_equal(call(&peer, REQUEST_find_port, &find, &name, &found), STATUS_OBJECT_NAME_NOT_FOUND);
    end_peer(&peer);
    stop_server();
}

static void test_version(void **state)
{
    static const uint32_t versions[] = { 0, PROTOCOL_VERSION - 1, PROTOCOL_VERSION + 1, UINT32_MAX };
    size_t i;

    (void)state;
    start_server("-p");
    for (i = 0; i < ARRAY_SIZE(versions); i++)
    {
        int fd = raw_connect();

        raw_send(fd, raw, build_init(raw, versions[i]));
        assert_int_equal(raw_status(fd), STATUS_REVISION_MISMATCH);
        expect_end(fd);
    }
    expect_alive();
    stop_server();
}

/* ---------------------------------------------------------------------------------------------- malformed requests */

static void test_header(void **state)
{
    static const struct request_header headers[] = {
        { 0, REQUEST_dump },
        { 7, REQUEST_dump },
        { 8, REQUEST_dump },
        { 17, REQUEST_dump },
        { PROTOCOL_MAX_SIZE + 1, REQUEST_dump },
        { UINT32_MAX, REQUEST_dump },
        { 16, REQUEST_COUNT },
        { 16, UINT32_MAX },
        { 8, REQUEST_COUNT },
        { 0x80000000, REQUEST_init },
        { 8, REQUEST_init },
        { 24, REQUEST_init },
        { 64, REQUEST_shutdown },
        { 9, REQUEST_shutdown },
    };
    size_t i;

    (void)state;
    start_server("-p");
    for (i = 0; i < ARRAY_SIZE(headers); i++)
    {
        int fd = raw_connect();

        memset(raw, 0, 64);
        memcpy(raw, &headers[i], sizeof(headers[i]));
        /* as much as it says, but never more than what is there */
        raw_send(fd, raw, headers[i].size <= 64 && headers[i].size > 8 ? headers[i].size : 8);
        expect_end(fd);
        expect_alive();
    }
    /* the largest size that may be: its sender is waited for, and can be got rid of */
    *(struct request_header *)raw = (struct request_header){ PROTOCOL_MAX_SIZE, REQUEST_create_port };
    i = (size_t)raw_connect();
    raw_send((int)i, raw, PROTOCOL_MAX_SIZE / 2);
    expect_alive();
    close((int)i);
    expect_alive();
    stop_server();
}

/* every request with each size of variable data wrong in turn */
static void test_data_sizes(void **state)
{
    static const uint32_t sizes[] = { 1, 8, 9, 0x7fffffff, 0x80000000, 0xfffffff8, 0xfffffff9, UINT32_MAX };
    const struct control_data nothing[PROTOCOL_MAX_DATA] = { { NULL, 0 } };
    static const uint8_t zeros[256];
    uint32_t code;
    size_t i;

    (void)state;
    start_server("-p");
    for (code = 0; code < REQUEST_COUNT; code++)
    {
        const struct request_part *part = &request_types[code].request;
        size_t size = build_request(raw, code, zeros, nothing), at = sizeof(struct request_header);
        const struct request_field *field;

        for (field = part->fields; field->name; at += protocol_field_size(field++))
            for (i = 0; field->kind == FIELD_DATA && i < ARRAY_SIZE(sizes); i++)
            {
                int fd = raw_connect();

                build_request(raw, code, zeros, nothing);
                memcpy(raw + at, &sizes[i], sizeof(sizes[i]));
                raw_send(fd, raw, size);
                expect_end(fd);
            }
    }
    expect_alive();
    stop_server();
}

static void test_truncated(void **state)
{
    size_t size, cut;

    (void)state;
    start_server("-p");
    size = build_init(raw, PROTOCOL_VERSION);
    for (cut = 0; cut < size; cut += cut < 40 ? 1 : 23)
    {
        int fd = raw_connect();

        raw_send(fd, raw, cut);
        if (cut % 2)
            shutdown(fd, SHUT_WR);
        else
            shutdown(fd, SHUT_RDWR);
        expect_end(fd);
    }
    expect_alive();
    stop_server();
}

/* a request may come in as many pieces as it has bytes, and several in one */
static void test_pieces(void **state)
{
    size_t size, at;
    int fd, i;

    (void)state;
    start_server("-p");
    fd = raw_connect();
    size = build_init(raw, PROTOCOL_VERSION);
    for (at = 0; at < size; at++)
    {
        raw_send(fd, raw + at, 1);
        if (at % 16 == 0)
            pass_us(200);
    }
    assert_int_equal(raw_status(fd), STATUS_SUCCESS);

    for (i = 0, size = 0; i < 50; i++)
    {
        const struct find_port_request find = { .number = (uint32_t)i };
        const struct control_data name = { NULL, 0 };

        size += build_request(raw + size, REQUEST_find_port, &find, &name);
    }
    raw_send(fd, raw, size);
    for (i = 0; i < 50; i++)
        assert_int_equal(raw_status(fd), STATUS_OBJECT_NAME_NOT_FOUND);
    close(fd);
    expect_alive();
    stop_server();
}

static void test_random_bytes(void **state)
{
    struct random random = random_stream(1);
    unsigned int i, count = scaled(400), size, at;

    (void)state;
    start_server("-p");
    for (i = 0; i < count; i++)
    {
        int fd = raw_connect();

        size = random_below(&random, 300);
        for (at = 0; at < size; at++)
            raw[at] = (uint8_t)random_next(&random);
        /* a header that makes sense lets more of them be read; never the one request that ends the server */
        if (i % 2 && size >= sizeof(struct request_header))
            *(struct request_header *)raw =
                (struct request_header){ .size = size, .code = random_below(&random, REQUEST_shutdown) };
        else if (size >= sizeof(struct request_header) && ((struct request_header *)raw)->code == REQUEST_shutdown)
            continue;
        raw_send(fd, raw, size);
        shutdown(fd, SHUT_WR);
        expect_end(fd);
    }
    expect_alive();
    stop_server();
}

/* numbers that are wrong, nearly right, or right */
static uint64_t odd_number(struct random *random)
{
    static const uint64_t numbers[] = { 0, 1, 2, 3, 7, 0x28, 0x2000, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_MAX };
    uint64_t number = numbers[random_below(random, ARRAY_SIZE(numbers))];

    return random_below(random, 2) ? random_below(random, 40) : number;
}

/* whole requests of every kind with numbers and data at random: each is answered, as its description says */
static void test_random_requests(void **state)
{
    static _Alignas(8) uint8_t fixed[256], variable[PROTOCOL_MAX_DATA][512], answer[0x200000];
    struct random random = random_stream(2);
    unsigned int i, count = scaled(20000);
    int fd = -1;

    (void)state;
    start_server("-p");
    for (i = 0; i < count; i++)
    {
        uint32_t code = random_below(&random, REQUEST_shutdown);
        const struct request_type *type = &request_types[code];
        struct control_data data[PROTOCOL_MAX_DATA] = { { NULL, 0 } };
        const void *pieces[PROTOCOL_MAX_DATA];
        const struct request_field *field;
        size_t at = sizeof(struct request_header);
        struct reply_header header;
        unsigned int j;

        if (fd == -1)
        {
            fd = raw_connect();
            raw_send(fd, raw, build_init(raw, PROTOCOL_VERSION));
            assert_int_equal(raw_status(fd), STATUS_SUCCESS);
        }
        for (field = type->request.fields; field->name; at += protocol_field_size(field++))
        {
            uint64_t number = odd_number(&random);

            memcpy(fixed + at, &number, protocol_field_size(field));
        }
        for (j = 0; j < PROTOCOL_MAX_DATA; j++)
        {
            data[j] = random_below(&random, 4) ? utf16(NAME) : token("AL");
            if (random_below(&random, 3) == 0)
            {
                mutate(memcpy(variable[j], data[j].data, data[j].size), data[j].size, &random.state);
                data[j].data = variable[j];
            }
            if (random_below(&random, 3) == 0)
                data[j].size = 0;
        }
        raw_send(fd, raw, build_request(raw, code, fixed, data));
        if (!raw_reply(fd, answer, sizeof(answer)))
        {
            close(fd);
            fd = -1;
            continue;
        }
        memcpy(&header, answer, sizeof(header));
        if (header.status)
            assert_int_equal(header.size, sizeof(header));
        else
            assert_true(protocol_check(&type->reply, answer, header.size, pieces));
        if (random_below(&random, 100) == 0)
        {
            close(fd);
            fd = -1;
        }
    }
    close(fd);
    await_objects(0, 0);
    stop_server();
}

/* requests need no descriptors: those that come all the same go at once, and harm nobody */
static void test_descriptors(void **state)
{
    union
    {
        char buffer[CMSG_SPACE(64 * sizeof(int))];
        struct cmsghdr align;
    } control = { .buffer = "" };
    unsigned int before, i;
    int fd, pipes[2], fds[64];
    char byte;

    (void)state;
    start_server("-p");
    fd = raw_connect();
    raw_send(fd, raw, build_init(raw, PROTOCOL_VERSION));
    assert_int_equal(raw_status(fd), STATUS_SUCCESS);
    before = count_server_fds();
    for (i = 0; i < 20; i++)
    {
        const struct find_port_request find = { .number = i };
        const struct control_data name = { NULL, 0 };
        struct iovec iov = { raw, build_request(raw, REQUEST_find_port, &find, &name) };
        struct msghdr message = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buffer, .msg_controllen = sizeof(control)
        };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        unsigned int j;

        assert_int_equal(pipe(pipes), 0);
        for (j = 0; j < ARRAY_SIZE(fds); j++)
            fds[j] = pipes[1];
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(fds));
        memcpy(CMSG_DATA(header), fds, sizeof(fds));
        assert_int_equal(sendmsg(fd, &message, 0), iov.iov_len);
        assert_int_equal(raw_status(fd), STATUS_OBJECT_NAME_NOT_FOUND);
        close(pipes[1]);
        assert_int_equal(read(pipes[0], &byte, 1), 0);
        close(pipes[0]);
    }
    await_server_fds(before);
    close(fd);
    stop_server();
}

/* a client that never reads its replies is not waited for; others are served meanwhile */
static void test_no_reader(void **state)
{
    const struct dump_request dump = { .messages = 1 };
    struct peer peer;
    unsigned int i;
    ssize_t sent;
    size_t size;
    int fd, limit = 4096;

    (void)state;
    start_server("-p");
    begin_process(&peer, 0x20);
    for (i = 0; i < 50; i++)
        make_port(&peer);
    fd = raw_connect();
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &limit, sizeof(limit));
    size = build_request(raw, REQUEST_dump, &dump, NULL);
    do
        sent = send(fd, raw, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent == (ssize_t)size);
    for (i = 0; i < 10; i++)
        expect_alive();
    /* it can still read: replies are whole and in order */
    assert_int_equal(raw_status(fd), STATUS_SUCCESS);
    assert_int_equal(raw_status(fd), STATUS_SUCCESS);
    close(fd);
    expect_alive();
    end_peer(&peer);
    await_objects(0, 0);
    stop_server();
}

/* ---------------------------------------------------------------------------------------------- many connections */

static unsigned int most_fds(unsigned int wanted)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit.rlim_cur < wanted + 100 ? (unsigned int)limit.rlim_cur - 100 : wanted;
}

static void test_many_clients(void **state)
{
    unsigned int count, i, before;
    int *fds;

    (void)state;
    count = most_fds(5000);
    fds = test_calloc(count, sizeof(*fds));
    start_server("-p");
    expect_alive();
    before = count_server_fds();
    for (i = 0; i < count; i++)
    {
        fds[i] = raw_connect();
        assert_int_not_equal(fds[i], -1);
        /* some stop in the middle of a request */
        raw_send(fds[i], raw, build_init(raw, PROTOCOL_VERSION) * (i % 3) / 2);
    }
    expect_alive();
    for (i = 0; i < count; i++)
        close(fds[i]);
    test_free(fds);
    expect_alive();
    await_server_fds(before);
    await_objects(0, 0);
    stop_server();
}

/* a server that has no descriptors left serves again when it has */
static void test_out_of_descriptors(void **state)
{
    const struct rlimit small = { 64, 64 };
    struct rlimit before;
    struct peer peer;
    int fds[200];
    unsigned int i;

    (void)state;
    getrlimit(RLIMIT_NOFILE, &before);
    start_server("-p");
    assert_int_equal(prlimit(server, RLIMIT_NOFILE, &small, NULL), 0);
    for (i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = raw_connect();
    pass_us(300000);
    for (i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    expect_alive();

    /* ports until there are no descriptors: the one too many fails, the server and what is there go on */
    begin_process(&peer, 0x20);
    for (i = 0; i < 100; i++)
    {
        struct create_port_reply reply;
        NTSTATUS status = create_port(&peer, "", (struct create_port_request){ .flags = 0 }, NULL, &reply);

        if (!status)
            continue;
        assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
        break;
    }
    assert_in_range(i, 5, 90);
    end_peer(&peer);
    await_objects(0, 0);
    stop_server();
}

/* ---------------------------------------------------------------------------------------------- objects */

static void test_ports(void **state)
{
    struct create_port_request request = { .flags = 0 };
    struct create_port_reply first, second;
    struct query_security_request security = { .information = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION };
    struct set_security_request set = { .information = DACL_SECURITY_INFORMATION };
    struct query_security_reply descriptor;
    struct attach_port_request attach;
    struct query_name_request query;
    struct query_name_reply name;
    struct set_security_reply done;
    struct attach_port_reply attached;
    struct control_data garbage = { "garbage!", 8 };
    struct peer peer, other;
    int i;

    (void)state;
    start_server("-p");
    begin_process(&peer, 0x20);
    begin_process(&other, 0x24);

    /* [3.1] and message lengths */
    request.flags = ALPC_PORFLG_SYSTEM_PROCESS;
    assert_int_equal(create_port(&peer, NAME, request, NULL, &first), STATUS_INVALID_PARAMETER);
    request = (struct create_port_request){ .max_message = HEADER_SIZE - 1 };
    assert_int_equal(create_port(&peer, NAME, request, NULL, &first), STATUS_INVALID_PARAMETER);
    request = (struct create_port_request){ .absolute = 1 };
    assert_int_equal(
        call(&peer, REQUEST_create_port, &request, (const struct control_data[]){ { "odd", 3 }, { NULL, 0 } }, &first),
        STATUS_OBJECT_NAME_INVALID);
    assert_int_not_equal(
        call(&peer, REQUEST_create_port, &request, (const struct control_data[]){ { NULL, 0 }, garbage }, &first),
        STATUS_SUCCESS);
    expect_objects(0, 0);

    /* ports of one name in different unnamed directories have numbers */
    assert_int_equal(create_port(&peer, NAME, (struct create_port_request){ .flags = 0 }, NULL, &first),
                     STATUS_SUCCESS);
    for (i = 0; i < PROTOCOL_MAX_FDS; i++)
        assert_int_not_equal(peer.fds[i], -1);
    assert_int_equal(
        create_port(&other, NAME, (struct create_port_request){ .flags = 0 }, "O:AL G:BU D:(A;;GA;BA)", &second),
        STATUS_SUCCESS);
    assert_int_equal(first.number, 1);
    assert_int_equal(second.number, 2);
    expect_objects(2, 0);

    query.port = second.port;
    assert_int_equal(call(&peer, REQUEST_query_name, &query, NULL, &name), STATUS_SUCCESS);
    assert_int_equal(name.name_size, 2 * strlen(NAME));
    assert_memory_equal(peer.data, utf16(NAME).data, name.name_size);

    security.port = second.port;
    assert_int_equal(call(&peer, REQUEST_query_security, &security, NULL, &descriptor), STATUS_SUCCESS);
    set.port = second.port;
    assert_int_not_equal(call(&peer, REQUEST_set_security, &set, &garbage, &done), STATUS_SUCCESS);

    attach.port = first.port;
    assert_int_equal(call(&other, REQUEST_attach_port, &attach, NULL, &attached), STATUS_SUCCESS);
    assert_int_equal(attached.queue, first.queue);
    assert_int_equal(attached.kind, PORT_CONNECTION);
    attach.port = first.port ^ 1;
    assert_int_equal(call(&other, REQUEST_attach_port, &attach, NULL, &attached), STATUS_OBJECT_TYPE_MISMATCH);
    attach.port = first.queue;
    assert_int_equal(call(&other, REQUEST_attach_port, &attach, NULL, &attached), STATUS_OBJECT_TYPE_MISMATCH);

    /* only the owner can give up a port, and only one that has no handle */
    assert_int_equal(simple_call(&other, REQUEST_close_port, first.port), STATUS_INVALID_HANDLE);
    assert_int_equal(simple_call(&peer, REQUEST_close_port, first.port), STATUS_SUCCESS);
    assert_int_equal(simple_call(&peer, REQUEST_query_name, first.port), STATUS_SUCCESS);
    close(peer.handles[0]);
    peer.handles[0] = peer.handles[--peer.handle_count];
    assert_int_equal(simple_call(&peer, REQUEST_close_port, first.port), STATUS_INVALID_HANDLE);
    assert_int_equal(simple_call(&peer, REQUEST_query_name, first.port), STATUS_INVALID_HANDLE);
    assert_int_equal(simple_call(&peer, REQUEST_query_security, first.port), STATUS_INVALID_HANDLE);
    assert_int_equal(simple_call(&peer, REQUEST_disconnect_port, first.port), STATUS_INVALID_HANDLE);
    expect_objects(1, 0);
    end_peer(&other);
    await_objects(0, 0);
    end_peer(&peer);
    stop_server();
}

/* the requests that name a port by its key, for a process that was not given it: every one is refused */
static void expect_unknown(struct peer *peer, uint64_t key)
{
    static const enum request_code codes[] = { REQUEST_close_port, REQUEST_disconnect_port, REQUEST_query_name,
                                               REQUEST_query_security };
    struct attach_connection_request connection = { .port = key, .slot = 1 };
    struct attach_port_request attach = { .port = key };
    struct set_security_request set = { .port = key, .information = DACL_SECURITY_INFORMATION };
    struct accept_port_request accept = { .port = key, .total_length = HEADER_SIZE };
    uint8_t descriptor[FIXTURE_SIZE];
    const struct control_data security = { descriptor, put_sd(descriptor, "O:AL G:BU D:(A;;GA;WD)") };
    const struct control_data nothing = { NULL, 0 };
    union
    {
        struct reply_header header;
        uint8_t room[256];
    } reply;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(codes); i++)
        assert_int_equal(simple_call(peer, codes[i], key), STATUS_INVALID_HANDLE);
    assert_int_equal(call(peer, REQUEST_attach_port, &attach, NULL, &reply), STATUS_OBJECT_TYPE_MISMATCH);
    assert_int_equal(call(peer, REQUEST_attach_connection, &connection, NULL, &reply), STATUS_INVALID_HANDLE);
    assert_int_equal(call(peer, REQUEST_set_security, &set, &security, &reply), STATUS_INVALID_HANDLE);
    assert_int_equal(call(peer, REQUEST_accept_port, &accept, &nothing, &reply), STATUS_INVALID_PORT_HANDLE);
}

/* whether the eight bytes of a key stand anywhere in what alpcdump is told */
static bool dump_contains(uint64_t key)
{
    struct dump_request request = { .messages = 1 };
    struct dump_reply reply;
    struct peer peer;
    bool found;

    begin_client(&peer);
    assert_int_equal(call(&peer, REQUEST_dump, &request, NULL, &reply), STATUS_SUCCESS);
    found = memmem(peer.data, reply.records_size, &key, sizeof(key)) != NULL;
    end_peer(&peer);
    return found;
}

/* who was not given a port cannot do anything with it [design 7] */
static void test_keys(void **state)
{
    struct peer owner, client, stranger;
    struct create_port_reply port;
    struct link link;
    struct stat st;
    uint64_t i;

    (void)state;
    start_server("-p");
    begin_process(&owner, 0x20);
    begin_process(&client, 0x24);
    begin_process(&stranger, 0x28);
    assert_int_equal(create_port(&owner, NAME, (struct create_port_request){ .flags = 0 }, NULL, &port),
                     STATUS_SUCCESS);
    assert_int_equal(fstat(owner.fds[0], &st), 0);
    make_connection(&client, &link);
    accept_connection(&owner, &link, port.port);

    /* keys of ports, counted numbers, inodes, and what else a process without a port can learn */
    for (i = 0; i < 1000; i++)
        expect_unknown(&stranger, i);
    for (i = st.st_ino - 20; i < st.st_ino + 20; i++)
        expect_unknown(&stranger, i);
    expect_unknown(&stranger, port.queue);
    assert_true(link.client.queue == port.queue && port.queue != port.port);
    assert_true(port.port > UINT32_MAX || link.client.port > UINT32_MAX || link.server.port > UINT32_MAX);
    assert_int_equal(channel_link(&link.channel), LINK_CONNECTED);

    /* what everybody can see has none of them */
    assert_false(dump_contains(port.port) || dump_contains(link.client.port) || dump_contains(link.server.port));
    assert_int_not_equal(link.channel.header->connection, link.client.port);

    /* a client does not get the connection port with its own */
    assert_int_equal(simple_call(&client, REQUEST_query_name, link.client.port), STATUS_SUCCESS);
    expect_unknown(&client, link.client.queue);
    free_link(&link);
    end_peer(&stranger);
    end_peer(&client);
    end_peer(&owner);
    await_objects(0, 0);
    stop_server();
}

/* the ports of a server that was killed are nobody's, and harm nobody */
static void test_old_keys(void **state)
{
    struct peer owner, client;
    struct link old, link;
    uint64_t old_port, port;

    (void)state;
    start_server("-p");
    begin_process(&owner, 0x20);
    begin_process(&client, 0x24);
    old_port = make_port(&owner);
    make_connection(&client, &old);
    accept_connection(&owner, &old, old_port);
    end_peer(&client);
    end_peer(&owner);
    assert_int_equal(kill(server, SIGKILL), 0);
    wait_program(server);

    start_server("-p");
    begin_process(&owner, 0x20);
    begin_process(&client, 0x24);
    port = make_port(&owner);
    make_connection(&client, &link);
    accept_connection(&owner, &link, port);
    assert_int_not_equal(link.client.queue, old.client.queue);
    expect_unknown(&client, old_port);
    expect_unknown(&client, old.client.port);
    expect_unknown(&owner, old.server.port);
    assert_int_equal(channel_link(&link.channel), LINK_CONNECTED);
    expect_objects(3, 1);
    free_link(&old);
    free_link(&link);
    end_peer(&client);
    end_peer(&owner);
    await_objects(0, 0);
    stop_server();
}

/* further control connections of one process */
static void test_join(void **state)
{
    struct init_request request = { .protocol = PROTOCOL_VERSION, .process = 0x20 };
    const struct control_data data[] = { utf16("C:\\test.exe"), token("AL") };
    struct init_reply reply;
    struct join_request join;
    struct join_reply joined;
    struct peer first, second;
    uint64_t port;
    pid_t pid;

    (void)state;
    start_server("-p");
    begin_client(&first);
    assert_int_equal(call(&first, REQUEST_init, &request, data, &reply), STATUS_SUCCESS);
    port = make_port(&first);
    begin_client(&second);
    join.process = reply.process + 1;
    assert_int_equal(call(&second, REQUEST_join, &join, NULL, &joined), STATUS_INVALID_HANDLE);
    join.process = port;
    assert_int_equal(call(&second, REQUEST_join, &join, NULL, &joined), STATUS_INVALID_HANDLE);
    join.process = reply.process;
    assert_int_equal(call(&second, REQUEST_join, &join, NULL, &joined), STATUS_SUCCESS);
    assert_int_equal(call(&second, REQUEST_join, &join, NULL, &joined), STATUS_INVALID_PARAMETER);
    assert_int_equal(call(&second, REQUEST_init, &request, data, &reply), STATUS_INVALID_PARAMETER);
    /* what only the owner may do */
    assert_int_equal(simple_call(&second, REQUEST_close_port, port), STATUS_SUCCESS);
    control_disconnect(&first.control);
    assert_int_equal(simple_call(&second, REQUEST_close_port, port), STATUS_SUCCESS);
    /* another process, which has inherited all that its parent knew */
    if (!(pid = fork()))
    {
        struct control control = CONTROL_INIT;

        _exit(control_connect(&control, false) ||
              control_call(&control, REQUEST_join, &join, NULL, &joined, NULL, NULL) != STATUS_INVALID_HANDLE);
    }
    assert_int_equal(wait_program(pid), 0);
    end_peer(&second);
    end_peer(&first);
    await_objects(0, 0);
    stop_server();
}

/* a port lives as long as one opening of its file, wherever that is */
static void test_handles(void **state)
{
    struct create_port_reply reply;
    struct port_file file;
    char path[64];
    struct peer peer;
    struct stat st;
    int handle, copy;

    (void)state;
    start_server("-p");
    begin_process(&peer, 0x20);
    assert_int_equal(create_port(&peer, NAME, (struct create_port_request){ .flags = 0 }, NULL, &reply),
                     STATUS_SUCCESS);
    assert_int_equal(fstat(peer.fds[0], &st), 0);
    assert_int_equal(st.st_size, PORT_FILE_SIZE);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", peer.fds[0]);
    handle = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_not_equal(handle, -1);
    /* the key is what the file is for */
    assert_int_equal(pread(handle, &file, sizeof(file), 0), sizeof(file));
    assert_true(file.magic == PORT_FILE_MAGIC && file.key == reply.port);
    copy = dup(handle);
    close_fds(&peer);
    expect_objects(1, 0);
    close(handle);
    /* the process goes, its handle has been given to another */
    end_peer(&peer);
    begin_process(&peer, 0x24);
    expect_objects(1, 0);
    assert_int_equal(simple_call(&peer, REQUEST_query_name, reply.port), STATUS_SUCCESS);
    close(copy);
    await_objects(0, 0);
    end_peer(&peer);
    stop_server();
}

static void test_connecting(void **state)
{
    struct connect_port_request request = plain_connect;
    struct connect_port_reply reply;
    struct accept_port_request accept = { .accept = 1 };
    struct link link, refused;
    struct peer owner, client;
    uint64_t port;
    uint32_t id, bit;

    (void)state;
    start_server("-p");
    begin_process(&owner, 0x20);
    begin_process(&client, 0x24);
    assert_int_equal(connect_port(&client, request, 0, &reply), STATUS_OBJECT_NAME_NOT_FOUND);
    accept.port = port = make_port(&owner);

    /* lengths that do not agree with each other or with what is there */
    request.total_length = HEADER_SIZE - 1;
    assert_int_equal(connect_port(&client, request, 0, &reply), STATUS_INVALID_PARAMETER);
    request.total_length = HEADER_SIZE + 16;
    assert_int_equal(connect_port(&client, request, 8, &reply), STATUS_INVALID_PARAMETER);
    request.data_length = 17;
    assert_int_equal(connect_port(&client, request, 16, &reply), STATUS_INVALID_PARAMETER);
    request.data_length = 0x10000;
    assert_int_equal(connect_port(&client, request, 16, &reply), STATUS_INVALID_PARAMETER);
    request = plain_connect;
    request.max_message = 7;
    assert_int_equal(connect_port(&client, request, 0, &reply), STATUS_INVALID_PARAMETER);
    request.max_message = HEADER_SIZE + 8;
    request.total_length = HEADER_SIZE + 16;
    assert_int_equal(connect_port(&client, request, 16, &reply), STATUS_PORT_MESSAGE_TOO_LONG);
    expect_objects(1, 0);

    /* a request that is as long as can be */
    request = plain_connect;
    request.total_length = 0xffff;
    request.data_length = 0xffff - HEADER_SIZE;
    assert_int_equal(connect_port(&client, request, 0xffff - HEADER_SIZE, &link.client), STATUS_SUCCESS);
    assert_true(channel_map(&link.channel, client.fds[1], true));
    assert_int_equal(channel_link(&link.channel), LINK_CONNECTING);
    expect_objects(2, 1);

    /* only what has been received can be accepted, by its id, by the port's owner */
    assert_int_equal(accept_port(&owner, &link, accept), STATUS_INVALID_MESSAGE);
    assert_true(receive_request(&link));
    assert_int_equal(accept_port(&client, &link, accept), STATUS_INVALID_PORT_HANDLE);
    accept.port = link.client.port;
    assert_int_equal(accept_port(&owner, &link, accept), STATUS_INVALID_PORT_HANDLE);
    accept.port = port;
    id = MESSAGE_ID(link.client.slot, CELL_CONNECT, link.client.message_gen);
    for (bit = 0; bit < 32; bit++)
    {
        accept.message_id = id ^ 1u << bit;
        assert_int_equal(accept_port(&owner, &link, accept), STATUS_INVALID_MESSAGE);
    }
    accept.message_id = 0xffffffff;
    assert_int_equal(accept_port(&owner, &link, accept), STATUS_INVALID_MESSAGE);
    accept.message_id = 0;
    accept.callback_id = 77;
    assert_int_equal(accept_port(&owner, &link, accept), STATUS_INVALID_MESSAGE);
    accept.callback_id = 0;
    accept.max_message = 7;
    assert_int_equal(accept_port(&owner, &link, accept), STATUS_INVALID_PARAMETER);
    accept.max_message = 0;
    accept.total_length = HEADER_SIZE + 8; /* without the data */
    assert_int_equal(accept_port(&owner, &link, accept), STATUS_INVALID_PARAMETER);
    accept.total_length = 0;
    accept.context = 0x1122334455667788;
    assert_int_equal(accept_port(&owner, &link, accept), STATUS_SUCCESS);
    assert_int_equal(channel_link(&link.channel), LINK_CONNECTED);
    assert_int_equal(cell_phase(cell_state(&link.channel.header->connect)), CELL_ANSWER + END_CLIENT);
    assert_int_equal(accept_port(&owner, &link, accept), STATUS_INVALID_MESSAGE);
    expect_objects(3, 1);

    /* refused */
    make_connection(&client, &refused);
    assert_true(receive_request(&refused));
    accept.accept = 0;
    assert_int_equal(accept_port(&owner, &refused, accept), STATUS_SUCCESS);
    assert_int_equal(refused.server.port, 0);
    assert_true(channel_link(&refused.channel) & LINK_REFUSED);
    free_link(&refused);

    /* disconnected: no more connections, those that are there stay */
    make_connection(&client, &refused);
    assert_int_equal(simple_call(&owner, REQUEST_disconnect_port, port), STATUS_SUCCESS);
    assert_int_equal(simple_call(&owner, REQUEST_disconnect_port, port), STATUS_PORT_DISCONNECTED);
    assert_true(channel_link(&refused.channel) & LINK_REFUSED);
    assert_int_equal(connect_port(&client, plain_connect, 0, &reply), STATUS_PORT_CONNECTION_REFUSED);
    assert_int_equal(channel_link(&link.channel), LINK_CONNECTED);
    free_link(&refused);

    /* the owner goes, and everything with it */
    end_peer(&owner);
    while (!(channel_link(&link.channel) & LINK_SERVER_GONE))
        pass_us(1000);
    end_peer(&client);
    await_objects(0, 0);
    free_link(&link);
    stop_server();
}

/* who may connect, and to whom one wants to [4.3] */
static void test_access(void **state)
{
    static uint8_t descriptor[FIXTURE_SIZE];
    struct connect_port_request request = plain_connect;
    struct control_data data[] = { utf16(NAME), { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
    struct connect_port_reply reply;
    struct create_port_reply port;
    struct peer owner, client;
    union sid_buffer sid;
    const char *text = "AL";

    (void)state;
    start_server("-p");
    begin_process(&owner, 0x20);
    begin_process_as(&client, 0x24, "BO");
    assert_int_equal(
        create_port(&owner, NAME, (struct create_port_request){ .flags = 0 }, "O:AL G:BU D:(A;;GA;AL)", &port),
        STATUS_SUCCESS);
    data[1] = token("BO");
    assert_int_equal(call(&client, REQUEST_connect_port, &request, data, &reply), STATUS_ACCESS_DENIED);
    data[1] = token("AL");
    data[2] = (struct control_data){ "\001\001", 2 };
    assert_int_equal(call(&client, REQUEST_connect_port, &request, data, &reply), STATUS_INVALID_SID);
    data[2] = (struct control_data){ sid.bytes, put_sid(sid.bytes, &text) };
    data[3] = (struct control_data){ descriptor, put_sd(descriptor, "O:AL G:BU D:(A;;GA;BO)") };
    assert_int_equal(call(&client, REQUEST_connect_port, &request, data, &reply), STATUS_SERVER_SID_MISMATCH);
    data[3].size--;
    assert_int_not_equal(call(&client, REQUEST_connect_port, &request, data, &reply), STATUS_SUCCESS);
    data[3].size = put_sd(descriptor, "O:AL G:BU D:(A;;GA;AL)");
    assert_int_equal(call(&client, REQUEST_connect_port, &request, data, &reply), STATUS_SUCCESS);
    text = "BO";
    data[2].size = put_sid(sid.bytes, &text);
    assert_int_equal(call(&client, REQUEST_connect_port, &request, data, &reply), STATUS_SERVER_SID_MISMATCH);
    end_peer(&client);
    end_peer(&owner);
    await_objects(0, 0);
    stop_server();
}

/* six processes share an end, and no more */
static void test_sharing(void **state)
{
    struct attach_connection_request request;
    struct attach_connection_reply reply;
    struct peer owner, client, sharers[ROSTER_PROCESSES];
    struct link link;
    uint32_t i;

    (void)state;
    start_server("-p");
    begin_process(&owner, 0x20);
    begin_process(&client, 0x24);
    request.port = make_port(&owner);
    make_connection(&client, &link);
    accept_connection(&owner, &link, request.port);
    request.slot = link.client.slot;
    for (i = 0; i < ROSTER_PROCESSES; i++)
    {
        NTSTATUS status;

        begin_process(&sharers[i], 0x100 + i);
        status = call(&sharers[i], REQUEST_attach_connection, &request, NULL, &reply);
        assert_int_equal(status, i + 1 < ROSTER_PROCESSES ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES);
        if (!status)
            assert_int_equal(reply.process, i + 1);
    }
    assert_int_equal(call(&sharers[0], REQUEST_attach_connection, &request, NULL, &reply), STATUS_SUCCESS);
    assert_int_equal(reply.process, 1);
    /* the place of one that has gone is free again */
    end_peer(&sharers[2]);
    while (call(&sharers[5], REQUEST_attach_connection, &request, NULL, &reply))
        pass_us(1000);
    assert_int_equal(reply.process, 3);
    request.slot = ROSTER_SIZE;
    assert_int_equal(call(&sharers[0], REQUEST_attach_connection, &request, NULL, &reply), STATUS_INVALID_MESSAGE);
    request.slot = link.client.slot + 1;
    assert_int_equal(call(&sharers[0], REQUEST_attach_connection, &request, NULL, &reply), STATUS_INVALID_MESSAGE);
    for (i = 0; i < ROSTER_PROCESSES; i++)
        if (i != 2)
            end_peer(&sharers[i]);
    end_peer(&client);
    end_peer(&owner);
    await_objects(0, 0);
    free_link(&link);
    stop_server();
}

/* ---------------------------------------------------------------------------------------------- deaths */

static uint32_t put_cell(struct link *link, enum alpc_end end, enum cell_phase phase, uint32_t requester,
                         uint32_t actor, uint32_t flags)
{
    uint32_t id = channel_alloc(&link->channel, end, (struct cell_actor){ .thread = actor });
    struct cell *cell = channel_cell(&link->channel, id);

    atomic_store(&cell->sequence, channel_next_sequence(&link->channel, end));
    atomic_store(&cell->requester, requester);
    atomic_store(&cell->flags, flags);
    atomic_store(&cell->type, LPC_REQUEST);
    atomic_store(&cell->length, HEADER_SIZE << 16);
    if (phase != CELL_OWNED)
        cell_send(cell, phase, (struct cell_actor){ .thread = actor });
    return id;
}

static enum cell_phase phase_of(struct link *link, uint32_t id)
{
    return cell_phase(cell_state(channel_cell(&link->channel, id)));
}

/* what a thread leaves in the middle is undone, what others do stays [design 6] */
static void test_thread_gone(void **state)
{
    enum
    {
        DEAD = 0x40,
        OTHER = 0x44
    };
    static const struct
    {
        enum alpc_end owner;
        enum cell_phase phase;
        uint32_t requester, actor, flags;
        enum cell_phase after;
    } rows[] = {
        { END_CLIENT, CELL_OWNED, DEAD, DEAD, 0, CELL_FREE },
        { END_CLIENT, CELL_OWNED, OTHER, OTHER, 0, CELL_OWNED },
        /* announced again, for it may not have been */
        { END_CLIENT, CELL_QUEUED + END_SERVER, DEAD, DEAD, CELL_RELEASE, CELL_QUEUED + END_SERVER },
        { END_CLIENT, CELL_QUEUED + END_SERVER, DEAD, DEAD, CELL_SYNC, CELL_FREE },
        { END_CLIENT, CELL_QUEUED + END_SERVER, OTHER, OTHER, CELL_SYNC, CELL_QUEUED + END_SERVER },
        { END_CLIENT, CELL_EARLY, DEAD, DEAD, 0, CELL_QUEUED + END_SERVER },
        /* the server holds what nobody waits for any more */
        { END_CLIENT, CELL_HELD + END_SERVER, DEAD, 0x99, CELL_SYNC, CELL_CANCELED + END_SERVER },
        { END_CLIENT, CELL_HELD + END_SERVER, DEAD, 0x99, 0, CELL_HELD + END_SERVER },
        { END_CLIENT, CELL_HELD + END_SERVER, OTHER, 0x99, CELL_SYNC, CELL_HELD + END_SERVER },
        { END_CLIENT, CELL_ANSWERING + END_SERVER, DEAD, 0x99, CELL_SYNC, CELL_ABANDONED + END_SERVER },
        { END_CLIENT, CELL_ANSWERING + END_SERVER, OTHER, 0x99, CELL_SYNC, CELL_ANSWERING + END_SERVER },
        /* an answer that nobody reads; its flags are the answer's own */
        { END_CLIENT, CELL_ANSWER + END_CLIENT, DEAD, 0x99, CELL_RELEASE, CELL_FREE },
        { END_CLIENT, CELL_ANSWER + END_CLIENT, DEAD, 0x99, CELL_CALLBACK, CELL_FREE },
        { END_CLIENT, CELL_ANSWER + END_CLIENT, OTHER, 0x99, CELL_RELEASE, CELL_ANSWER + END_CLIENT },
        /* what the thread was answering can be answered by another */
        { END_SERVER, CELL_ANSWERING + END_CLIENT, 0x99, DEAD, CELL_SYNC, CELL_HELD + END_CLIENT },
        { END_SERVER, CELL_ABANDONED + END_CLIENT, 0x99, DEAD, CELL_SYNC, CELL_FREE },
        { END_SERVER, CELL_ANSWERING + END_CLIENT, 0x99, OTHER, CELL_SYNC, CELL_ANSWERING + END_CLIENT },
        /* died while it read a message that ends there */
        { END_SERVER, CELL_HELD + END_CLIENT, 0x99, DEAD, CELL_RELEASE, CELL_FREE },
        { END_SERVER, CELL_HELD + END_CLIENT, 0x99, DEAD, 0, CELL_HELD + END_CLIENT },
        { END_SERVER, CELL_HELD + END_CLIENT, 0x99, OTHER, CELL_RELEASE, CELL_HELD + END_CLIENT },
    };
    struct thread_gone_request gone = { .process = 0x24, .thread = DEAD };
    struct thread_gone_reply reply;
    uint32_t ids[ARRAY_SIZE(rows)];
    struct peer owner, client;
    struct link link;
    uint64_t port;
    size_t i;

    (void)state;
    start_server("-p");
    begin_process(&owner, 0x20);
    begin_process(&client, 0x24);
    port = make_port(&owner);
    make_connection(&client, &link);
    accept_connection(&owner, &link, port);
    for (i = 0; i < ARRAY_SIZE(rows); i++)
        ids[i] = put_cell(&link, rows[i].owner, rows[i].phase, rows[i].requester, rows[i].actor, rows[i].flags);
    assert_int_equal(call(&owner, REQUEST_thread_gone, &gone, NULL, &reply), STATUS_SUCCESS);
    for (i = 0; i < ARRAY_SIZE(rows); i++)
        if (phase_of(&link, ids[i]) != rows[i].after)
            fail_msg("row %u: phase %u, expected %u", (unsigned int)i, phase_of(&link, ids[i]), rows[i].after);
    /* of processes and threads that there are not nothing is known */
    gone.process = 0x9999;
    assert_int_equal(call(&owner, REQUEST_thread_gone, &gone, NULL, &reply), STATUS_SUCCESS);
    free_link(&link);
    end_peer(&client);
    end_peer(&owner);
    await_objects(0, 0);
    stop_server();
}

/* [4.11] what becomes of messages when the client goes */
static void test_client_gone(void **state)
{
    uint32_t queued, datagram, held[3], answered, id;
    struct peer owner, client;
    struct create_port_reply port;
    struct queue_entry entry;
    struct queue queue;
    struct link link;
    uint64_t position;
    void *post, *desk;
    unsigned int i;

    (void)state;
    start_server("-p");
    begin_process(&owner, 0x20);
    begin_process(&client, 0x24);
    assert_int_equal(create_port(&owner, NAME, (struct create_port_request){ .flags = 0 }, NULL, &port),
                     STATUS_SUCCESS);
    post = mmap(NULL, PORT_POST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, owner.fds[1], 0);
    desk = mmap(NULL, PORT_DESK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, owner.fds[2], 0);
    assert_true(post != MAP_FAILED && desk != MAP_FAILED);
    queue_init(&queue, post, desk, (_Atomic uint64_t *)((uint8_t *)post + 0x1000), PORT_QUEUE_BITS);
    make_connection(&client, &link);
    accept_connection(&owner, &link, port.port);
    while (queue_peek(&queue, &position, &entry))
        queue_take(&queue, position);
    held[0] = put_cell(&link, END_CLIENT, CELL_HELD + END_SERVER, 0x28, 0x99, CELL_SYNC);
    queued = put_cell(&link, END_CLIENT, CELL_QUEUED + END_SERVER, 0x28, 0x28, 0);
    datagram = put_cell(&link, END_CLIENT, CELL_QUEUED + END_SERVER, 0x28, 0x28, CELL_RELEASE);
    held[1] = put_cell(&link, END_CLIENT, CELL_HELD + END_SERVER, 0x28, 0x99, 0);
    held[2] = put_cell(&link, END_CLIENT, CELL_HELD + END_SERVER, 0x28, 0x99, 0);
    answered = put_cell(&link, END_CLIENT, CELL_ANSWER + END_CLIENT, 0x28, 0x99, 0);
    end_peer(&client);
    while (!(channel_link(&link.channel) & LINK_CLIENT_GONE) || phase_of(&link, held[2]) != CELL_CANCELED + END_SERVER)
        pass_us(1000);
    assert_true(channel_link(&link.channel) & LINK_CLIENT_CLOSED);

    /* undelivered, the first retained, the notice, the other retained ones */
    const uint32_t order[] = { queued, datagram, held[0], CELL_CLOSED, held[1], held[2] };

    for (i = 0; i < ARRAY_SIZE(order); i++)
    {
        assert_true(queue_peek(&queue, &position, &entry));
        queue_take(&queue, position);
        assert_int_equal(entry.cell, order[i]);
        assert_int_equal(entry.slot, link.client.slot);
    }
    assert_false(queue_peek(&queue, &position, &entry));
    assert_int_equal(phase_of(&link, queued), CELL_QUEUED + END_SERVER);
    for (i = 0; i < 3; i++)
        assert_int_equal(phase_of(&link, held[i]), CELL_CANCELED + END_SERVER);
    id = answered;
    assert_int_equal(phase_of(&link, id), CELL_ANSWER + END_CLIENT);
    munmap(post, PORT_POST_SIZE);
    munmap(desk, PORT_DESK_SIZE);
    free_link(&link);
    end_peer(&owner);
    await_objects(0, 0);
    stop_server();
}

/* programs that are killed at any moment leave nothing behind */
static void killed_child(void *arg)
{
    struct random random = random_stream((uint64_t)(uintptr_t)arg);
    struct peer peer, second;
    struct link link;
    uint64_t port;

    for (;;)
    {
        begin_process(&peer, 0x1000 + random_below(&random, 1000) * 4);
        begin_process(&second, 0x4000 + random_below(&random, 1000) * 4);
        port = make_port(&peer);
        if (!connect_port(&second, plain_connect, 0, &link.client) && channel_map(&link.channel, second.fds[1], true))
        {
            put_cell(&link, END_CLIENT, CELL_EARLY, 0x28, 0x28, 0);
            if (receive_request(&link))
                accept_port(&peer, &link,
                            (struct accept_port_request){ .port = port, .accept = random_below(&random, 3) });
            put_cell(&link, END_CLIENT, CELL_QUEUED + END_SERVER, 0x28, 0x28, CELL_SYNC);
            free_link(&link);
        }
        if (random_below(&random, 2))
            simple_call(&peer, REQUEST_disconnect_port, port);
        end_peer(&second);
        end_peer(&peer);
    }
}

static void test_killed(void **state)
{
    struct random random = random_stream(3);
    unsigned int i, j, count = scaled(60), before;
    pid_t pids[3];

    (void)state;
    start_server("-p");
    expect_alive();
    before = count_server_fds();
    for (i = 0; i < count; i++)
    {
        for (j = 0; j < ARRAY_SIZE(pids); j++)
            pids[j] = start_child(killed_child, (void *)(uintptr_t)(10 + i * 10 + j));
        pass_us(random_below(&random, 20000));
        for (j = 0; j < ARRAY_SIZE(pids); j++)
            kill_child(pids[j]);
    }
    await_objects(0, 0);
    /* inotify's own descriptor has come and stays */
    await_server_fds(before + 1);
    stop_server();
}

/* ---------------------------------------------------------------------------------------------- hostile memory */

struct scribbler
{
    struct link *link;
    uint32_t seed;
};

/* writes over everything that a client can write, the whole time */
static void scribble(void *arg)
{
    const struct scribbler *scribbler = arg;
    struct random random = random_stream(scribbler->seed);
    struct channel *channel = &scribbler->link->channel;
    uint64_t *words = (uint64_t *)channel->header;

    for (;;)
    {
        struct cell *cell = channel_cell(channel, random_below(&random, 2 << CELL_INDEX_BITS));
        uint32_t kind = random_below(&random, 8);

        if (kind == 0)
            *(volatile uint64_t *)&words[random_below(&random, CHANNEL_HOT_SIZE / 8)] = random_next(&random);
        if (kind == 1)
            atomic_store(&channel->header->end[random_below(&random, 2)].peak, random_below(&random, 2) ? 0 : 40);
        if (kind == 2)
            atomic_store(&channel->header->end[random_below(&random, 2)].peak, (uint32_t)random_next(&random));
        if (kind > 2 && cell && random_below(&random, 50) == 0)
        {
            atomic_store(&cell->state, random_next(&random));
            atomic_store(&cell->sequence, (uint32_t)random_next(&random));
            atomic_store(&cell->flags, (uint32_t)random_next(&random));
            atomic_store(&cell->length, (uint32_t)random_next(&random));
        }
        if (kind == 7)
            atomic_store(
                &channel->header->connect.state,
                cell_word(random_below(&random, 16), scribbler->link->client.message_gen, (struct cell_actor){ 0 }));
    }
}

static void test_scribbling(void **state)
{
    struct random random = random_stream(4);
    struct peer owner, client, other;
    unsigned int i, count = scaled(150);
    struct link link;
    uint64_t port;

    (void)state;
    start_server("-p");
    begin_process(&other, 0x28);
    for (i = 0; i < count; i++)
    {
        struct scribbler scribbler = { &link, 1000 + i };
        struct thread_gone_request gone = { .process = 0x24, .thread = random_below(&random, 3) };
        struct thread_gone_reply reply;
        bool accepted = random_below(&random, 2);
        pid_t pid;

        begin_process(&owner, 0x20);
        begin_process(&client, 0x24);
        port = make_port(&owner);
        make_connection(&client, &link);
        if (accepted)
            accept_connection(&owner, &link, port);
        pid = start_child(scribble, &scribbler);
        accept_port(&owner, &link, (struct accept_port_request){ .port = port, .accept = random_below(&random, 2) });
        expect_alive();
        call(&client, REQUEST_thread_gone, &gone, NULL, &reply);
        if (random_below(&random, 2))
            simple_call(&owner, REQUEST_disconnect_port, random_below(&random, 2) ? port : link.client.port);
        if (random_below(&random, 2))
            end_peer(&client);
        expect_alive();
        end_peer(&owner);
        if (client.control.fd != -1)
            end_peer(&client);
        expect_alive();
        kill_child(pid);
        free_link(&link);
    }
    end_peer(&other);
    await_objects(0, 0);
    stop_server();
}

/* memory that the server has mapped cannot be taken from under it */
static void test_shrinking(void **state)
{
    struct init_request request = { .protocol = PROTOCOL_VERSION, .process = 0x24 };
    const struct control_data data[] = { utf16("C:\\test.exe"), token("AL") };
    struct handles_changed_request changed = { .process = 0x24 };
    struct handles_changed_reply done;
    struct create_port_reply port;
    struct init_reply reply;
    struct peer owner, client;
    int i;

    (void)state;
    start_server("-p");
    begin_client(&client);
    assert_int_equal(call(&client, REQUEST_init, &request, data, &reply), STATUS_SUCCESS);
    assert_int_equal(ftruncate(client.fds[0], 0), -1);
    assert_int_equal(call(&client, REQUEST_handles_changed, &changed, NULL, &done), STATUS_SUCCESS);
    begin_process(&owner, 0x20);
    assert_int_equal(create_port(&owner, NAME, (struct create_port_request){ .flags = 0 }, NULL, &port),
                     STATUS_SUCCESS);
    for (i = 1; i < 4; i++)
        assert_int_equal(ftruncate(owner.fds[i], 0), -1);
    assert_int_equal(connect_port(&client, plain_connect, 0, &(struct connect_port_reply){ .slot = 0 }),
                     STATUS_SUCCESS);
    for (i = 1; i < 4; i++)
        assert_int_equal(ftruncate(client.fds[i], 0), -1);
    /* a client sees who sleeps, and cannot change it */
    assert_true(mmap(NULL, PORT_DESK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, client.fds[3], 0) == MAP_FAILED);
    expect_alive();
    end_peer(&client);
    end_peer(&owner);
    await_objects(0, 0);
    stop_server();
}

/* ---------------------------------------------------------------------------------------------- full queues */

/* a connection request that found the queue full is told as soon as there is room */
static void test_full_queue(void **state)
{
    struct create_port_reply port;
    struct peer owner, client;
    struct queue_entry entry;
    struct queue queue;
    struct link link;
    uint64_t position;
    void *post, *desk;
    bool found = false;

    (void)state;
    start_server("-p");
    begin_process(&owner, 0x20);
    begin_process(&client, 0x24);
    assert_int_equal(create_port(&owner, NAME, (struct create_port_request){ .flags = 0 }, NULL, &port),
                     STATUS_SUCCESS);
    post = mmap(NULL, PORT_POST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, owner.fds[1], 0);
    desk = mmap(NULL, PORT_DESK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, owner.fds[2], 0);
    assert_true(post != MAP_FAILED && desk != MAP_FAILED);
    queue_init(&queue, post, desk, (_Atomic uint64_t *)((uint8_t *)post + 0x1000), PORT_QUEUE_BITS);
    while (queue_put(&queue, (struct queue_entry){ .slot = 99 }))
        ;
    make_connection(&client, &link);
    pass_us(30000);
    while (!found)
    {
        if (!queue_peek(&queue, &position, &entry))
            continue;
        queue_take(&queue, position);
        found = entry.slot == link.client.slot && entry.cell == CELL_CONNECT;
    }
    assert_true(receive_request(&link));
    munmap(post, PORT_POST_SIZE);
    munmap(desk, PORT_DESK_SIZE);
    free_link(&link);
    end_peer(&client);
    end_peer(&owner);
    await_objects(0, 0);
    stop_server();
}

/* ---------------------------------------------------------------------------------------------- options */

static void test_options(void **state)
{
    struct peer peer;
    pid_t waiting;

    (void)state;
    assert_int_equal(run_program("-h", NULL), 0);
    assert_non_null(strstr(read_log(), "--persistent"));
    assert_int_equal(run_program("--version", NULL), 0);
    assert_non_null(strstr(read_log(), "alpcserver (ntalpc)"));
    assert_int_equal(run_program("-x", NULL), 1);
    assert_int_equal(run_program("surplus", NULL), 1);
    assert_non_null(strstr(read_log(), "surplus"));
    assert_int_equal(run_program("-px", NULL), 1);
    assert_int_equal(run_program("-p-1", NULL), 1);

    /* without a server */
    assert_int_equal(run_program("-k", NULL), 1);
    assert_int_equal(run_program("-w", NULL), 0);

    /* a second one for the same prefix */
    start_server("-p");
    assert_int_equal(run_program("-f", NULL), 1);
    assert_non_null(strstr(read_log(), "already running"));
    expect_alive();
    waiting = start_program((const char *const[3]){ "-w", NULL, NULL });
    pass_us(50000);
    assert_int_equal(waitpid(waiting, NULL, WNOHANG), 0);
    begin_process(&peer, 0x20);
    assert_int_equal(run_program("-k", NULL), 0);
    assert_int_equal(wait_program(server), 0);
    assert_int_equal(wait_program(waiting), 0);
    end_peer(&peer);

    /* one that was killed leaves its socket, which is no hindrance */
    start_server("-p");
    assert_int_equal(run_program("-k9", NULL), 0);
    assert_int_equal(wait_program(server), -SIGKILL);
    assert_int_equal(access(prefix.socket, F_OK), 0);
    start_server("-p");
    stop_server();

    /* one that is stopped cannot end in order */
    start_server("-p");
    assert_int_equal(kill(server, SIGSTOP), 0);
    assert_int_equal(run_program("--kill=9", NULL), 0);
    assert_int_equal(wait_program(server), -SIGKILL);

    /* no prefix, no server */
    setenv("WINEPREFIX", "/nonexistent/prefix", 1);
    assert_int_equal(run_program("-f", NULL), 1);
    assert_int_equal(run_program("-k", NULL), 1);
    assert_int_equal(run_program("-w", NULL), 0);
    setenv("WINEPREFIX", prefix_dir, 1);
}

static void test_debug(void **state)
{
    struct peer peer;
    const char *text;

    (void)state;
    start_server("-d");
    begin_process(&peer, 0x20);
    make_port(&peer);
    simple_call(&peer, REQUEST_close_port, 12345);
    text = read_log();
    assert_non_null(strstr(text, "-> init"));
    assert_non_null(strstr(text, "-> create_port"));
    assert_non_null(strstr(text, "<- create_port"));
    assert_non_null(strstr(text, "<- close_port = c0000008"));
    end_peer(&peer);
    stop_server();
}

/* without -f it goes into the background, and can be connected to when the command returns */
static void test_background(void **state)
{
    struct peer peer;

    (void)state;
    assert_int_equal(run_program("-p", NULL), 0);
    begin_process(&peer, 0x20);
    end_peer(&peer);
    assert_int_equal(run_program("-k", NULL), 0);
    assert_int_equal(run_program("-k", NULL), 1);

    /* as programs start it: they all begin at once, one server is the result */
    setenv("NTALPCSERVER", program, 1);
    for (unsigned int i = 0; i < 3; i++)
    {
        pid_t pids[4];
        unsigned int j;

        for (j = 0; j < ARRAY_SIZE(pids); j++)
            if (!(pids[j] = fork()))
            {
                struct control control = CONTROL_INIT;
                struct init_request request = { .protocol = PROTOCOL_VERSION, .process = 0x20 };
                const struct control_data data[] = { utf16("C:\\test.exe"), token("AL") };
                struct init_reply reply;

                _exit(control_connect(&control, true) ||
                      control_call(&control, REQUEST_init, &request, data, &reply, NULL, NULL));
            }
        for (j = 0; j < ARRAY_SIZE(pids); j++)
            assert_int_equal(wait_program(pids[j]), 0);
        assert_int_equal(run_program("-k", NULL), 0);
    }
    unsetenv("NTALPCSERVER");
}

/* it leaves after the last client, and not before */
static void test_leaving(void **state)
{
    struct create_port_reply reply;
    struct peer first, second;
    char path[64];
    int handle;

    (void)state;
    start_server("-p1");
    begin_process(&first, 0x20);
    begin_process(&second, 0x24);
    end_peer(&first);
    pass_us(1300000);
    assert_int_equal(waitpid(server, NULL, WNOHANG), 0);
    /* a port that another program has a handle of is work */
    assert_int_equal(create_port(&second, NAME, (struct create_port_request){ .flags = 0 }, NULL, &reply),
                     STATUS_SUCCESS);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", second.fds[0]);
    handle = open(path, O_RDONLY | O_CLOEXEC);
    end_peer(&second);
    pass_us(1300000);
    assert_int_equal(waitpid(server, NULL, WNOHANG), 0);
    close(handle);
    assert_int_equal(wait_program(server), 0);
    assert_int_equal(access(prefix.socket, F_OK), -1);

    /* by request */
    start_server("-p");
    begin_client(&first);
    assert_int_equal(call(&first, REQUEST_shutdown, &(struct shutdown_request){ .header = { 0, 0 } }, NULL,
                          &(struct shutdown_reply){ .header = { 0, 0 } }),
                     STATUS_SUCCESS);
    assert_int_equal(wait_program(server), 0);
    end_peer(&first);

    /* what is not its own directory is not trusted */
    assert_int_equal(chmod(prefix.server_dir, 0755), 0);
    assert_int_equal(run_program("-f", NULL), 1);
    assert_non_null(strstr(read_log(), "0700"));
    assert_int_equal(chmod(prefix.server_dir, 0700), 0);
    assert_int_equal(run_program("-k", NULL), 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init),         cmocka_unit_test(test_version),
        cmocka_unit_test(test_header),       cmocka_unit_test(test_data_sizes),
        cmocka_unit_test(test_truncated),    cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_random_bytes), cmocka_unit_test(test_random_requests),
        cmocka_unit_test(test_descriptors),  cmocka_unit_test(test_no_reader),
        cmocka_unit_test(test_many_clients), cmocka_unit_test(test_out_of_descriptors),
        cmocka_unit_test(test_ports),        cmocka_unit_test(test_handles),
        cmocka_unit_test(test_connecting),   cmocka_unit_test(test_access),
        cmocka_unit_test(test_sharing),      cmocka_unit_test(test_thread_gone),
        cmocka_unit_test(test_client_gone),  cmocka_unit_test(test_killed),
        cmocka_unit_test(test_scribbling),   cmocka_unit_test(test_shrinking),
        cmocka_unit_test(test_full_queue),   cmocka_unit_test(test_options),
        cmocka_unit_test(test_debug),        cmocka_unit_test(test_background),
        cmocka_unit_test(test_leaving),      cmocka_unit_test(test_keys),
        cmocka_unit_test(test_old_keys),     cmocka_unit_test(test_join),
    };
    int failed;

    find_program();
    CHECK(mkdtemp(prefix_dir) != NULL);
    setenv("WINEPREFIX", prefix_dir, 1);
    CHECK(!prefix_find(&prefix, true));
    snprintf(log_path, sizeof(log_path), "%s/log", prefix_dir);
    failed = STRESS_MAIN("test_server", tests);
    /* a failed test leaves its server */
    if (failed && server > 0)
        kill(server, SIGKILL);
    unlink(log_path);
    rmdir(prefix_dir);
    unlink(prefix.lock);
    unlink(prefix.socket);
    rmdir(prefix.server_dir);
    return failed;
}
