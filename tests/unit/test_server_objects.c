/*
 * Tests of alpcserver: ports, connections, who may do what with them
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
    uint64_t old_port;

    (void)state;
    start_server("-p");
    begin_process(&owner, 0x20);
    begin_process(&client, 0x24);
    old_port = open_connection(&owner, &client, &old);
    end_peer(&client);
    end_peer(&owner);
    kill_server();

    start_server("-p");
    begin_process(&owner, 0x20);
    begin_process(&client, 0x24);
    open_connection(&owner, &client, &link);
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
    link.channel.slot = link.client.slot;
    assert_int_equal(channel_link(&link.channel), LINK_CONNECTING);
    expect_objects(2, 1);

    /* only what has been received can be accepted, by its id, by the port's owner */
    assert_int_equal(accept_port(&owner, &link, accept), STATUS_INVALID_MESSAGE);
    assert_true(receive_request(&link));
    assert_int_equal(accept_port(&client, &link, accept), STATUS_INVALID_PORT_HANDLE);
    accept.port = link.client.port;
    assert_int_equal(accept_port(&owner, &link, accept), STATUS_INVALID_PORT_HANDLE);
    accept.port = port;
    id = channel_message_id(&link.channel, CELL_CONNECT, link.client.message_gen);
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
    request.port = open_connection(&owner, &client, &link);
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_old_keys),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_handles),
        cmocka_unit_test(test_connecting),
        cmocka_unit_test(test_access),
        cmocka_unit_test(test_sharing),
    };

    return SERVER_TEST_MAIN("test_server_objects", tests);
}
