/*
 * Tests of alpcserver: the control protocol, its options
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "server_fixture.h"

#include "tests/unit/security_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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
    /* this process, which lives on, has been many Windows processes and begins anew as one, with two descriptors */
    i = (unsigned int)raw_connect();
    raw_send((int)i, raw, build_init(raw, PROTOCOL_VERSION));
    assert_int_equal(raw_status((int)i), STATUS_SUCCESS);
    close((int)i);
    await_server_fds(before + 2);
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
    assert_int_equal(prlimit(server_worker(), RLIMIT_NOFILE, &small, NULL), 0);
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
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_data_sizes),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_random_requests),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_no_reader),
        cmocka_unit_test(test_many_clients),
        cmocka_unit_test(test_out_of_descriptors),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_debug),
        cmocka_unit_test(test_background),
        cmocka_unit_test(test_leaving),
    };

    return SERVER_TEST_MAIN("test_server", tests);
}
