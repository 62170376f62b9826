/*
 * Tests of alpcserver: what is so when its worker has been killed
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "server_fixture.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static void begin(void)
{
    server_may_die = true;
    start_server("-p");
}

static void end(void)
{
    await_objects(0, 0);
    stop_server();
    server_may_die = false;
}

/* what a dump says, but for what changes anyhow */
static char *take_dump(size_t *size)
{
    struct dump_request request = { .messages = 1 };
    struct dump_reply reply;
    struct peer peer;
    char *copy;
    size_t at;

    begin_client(&peer);
    peer.steadfast = true;
    assert_int_equal(call(&peer, REQUEST_dump, &request, NULL, &reply), STATUS_SUCCESS);
    *size = reply.records_size;
    assert_non_null(copy = malloc(*size));
    memcpy(copy, peer.data, *size);
    for (at = 0; at < *size; at += ((struct record_header *)(copy + at))->size)
    {
        if (((struct record_header *)(copy + at))->type == RECORD_server)
            ((struct server_record *)(copy + at))->pid = 0;
        /* what may have been lost is announced again */
        if (((struct record_header *)(copy + at))->type == RECORD_port)
            ((struct port_record *)(copy + at))->queued = 0;
        if (((struct record_header *)(copy + at))->type == RECORD_message)
            ((struct message_record *)(copy + at))->age = 0;
    }
    end_peer(&peer);
    return copy;
}

static enum cell_phase closed_phase(const struct link *link)
{
    return cell_phase(cell_state(&link->channel.header->closed));
}

/* ports and connections in all stages look the same as before */
static void test_objects(void **state)
{
    struct link accepted, pending, received;
    size_t before_size, after_size;
    struct peer owner, client;
    char *before, *after;
    unsigned int i;
    uint64_t port;

    (void)state;
    begin();
    begin_steadfast(&owner, 0x20);
    begin_steadfast(&client, 0x24);
    port = open_connection(&owner, &client, &accepted);
    make_connection(&client, &pending);
    make_connection(&client, &received);
    assert_true(receive_request(&received));
    before = take_dump(&before_size);
    for (i = 0; i < 5; i++)
    {
        kill_worker();
        after = take_dump(&after_size);
        assert_int_equal(after_size, before_size);
        assert_memory_equal(after, before, after_size);
        free(after);
    }
    free(before);
    /* and go on */
    assert_int_equal(accept_port(&owner, &received, (struct accept_port_request){ .port = port, .accept = 1 }),
                     STATUS_SUCCESS);
    assert_int_equal(channel_link(&received.channel), LINK_CONNECTED);
    accept_connection(&owner, &pending, port);
    kill_worker();
    expect_objects(7, 3);
    end_peer(&client);
    await_objects(1 + 3, 3);
    assert_int_equal(closed_phase(&accepted), CELL_QUEUED + END_SERVER);
    end_peer(&owner);
    free_link(&accepted);
    free_link(&pending);
    free_link(&received);
    end();
}

/* names are taken, and security is what it was */
static void test_names_and_security(void **state)
{
    struct query_security_request query = { .information = 7 };
    struct query_security_reply security;
    struct create_port_reply first, second;
    struct connect_port_reply connected;
    struct peer owner, client;
    uint8_t before[512];
    uint32_t size;

    (void)state;
    begin();
    begin_steadfast(&owner, 0x20);
    begin_steadfast(&client, 0x24);
    assert_int_equal(create_port(&owner, NAME, (struct create_port_request){ .flags = 0 }, "D:(D;;GA;AL)", &first),
                     STATUS_SUCCESS);
    query.port = first.port;
    assert_int_equal(call(&owner, REQUEST_query_security, &query, NULL, &security), STATUS_SUCCESS);
    size = security.security_size;
    assert_in_range(size, 20, sizeof(before));
    memcpy(before, owner.data, size);
    kill_worker();
    assert_int_equal(call(&owner, REQUEST_query_security, &query, NULL, &security), STATUS_SUCCESS);
    assert_int_equal(security.security_size, size);
    assert_memory_equal(owner.data, before, size);
    assert_int_equal(connect_port(&client, plain_connect, 0, &connected), STATUS_ACCESS_DENIED);
    assert_int_equal(create_port(&owner, NAME, (struct create_port_request){ .flags = 0 }, NULL, &second),
                     STATUS_SUCCESS);
    assert_int_equal(first.number, 1);
    assert_int_equal(second.number, 2);
    assert_int_equal(simple_call(&client, REQUEST_query_name, first.port), STATUS_SUCCESS);
    end_peer(&client);
    end_peer(&owner);
    end();
}

/* [4.11] a client that dies while no worker runs is told of when one does; so is a handle that is closed then */
static void test_death_meanwhile(void **state)
{
    struct peer owner, dying, closing;
    struct link link, other;
    pid_t worker;
    uint64_t port;

    (void)state;
    begin();
    begin_steadfast(&owner, 0x20);
    begin_steadfast(&closing, 0x28);
    port = make_port(&owner);
    begin_process(&dying, 0x24);
    make_connection(&dying, &link);
    accept_connection(&owner, &link, port);
    make_connection(&closing, &other);
    accept_connection(&owner, &other, port);
    worker = server_worker();
    assert_int_equal(kill(server, SIGSTOP), 0);
    assert_int_equal(kill(worker, SIGKILL), 0);
    end_peer(&dying);
    end_peer(&closing);
    pass_us(20000);
    assert_int_equal(closed_phase(&link), CELL_FREE);
    assert_int_equal(kill(server, SIGCONT), 0);
    await_objects(3, 2);
    assert_int_equal(closed_phase(&link), CELL_QUEUED + END_SERVER);
    assert_int_equal(closed_phase(&other), CELL_QUEUED + END_SERVER);
    assert_true(channel_link(&link.channel) & LINK_CLIENT_CLOSED);
    end_peer(&owner);
    free_link(&link);
    free_link(&other);
    end();
}

/* a handle that comes into another process after the restart leads to the port */
static void test_attach(void **state)
{
    struct attach_port_request request;
    struct attach_port_reply attached;
    struct peer owner, client, third;
    struct link link;

    (void)state;
    begin();
    begin_steadfast(&owner, 0x20);
    begin_steadfast(&client, 0x24);
    request.port = open_connection(&owner, &client, &link);
    kill_worker();
    begin_steadfast(&third, 0x28);
    assert_int_equal(call(&third, REQUEST_attach_port, &request, NULL, &attached), STATUS_SUCCESS);
    assert_int_equal(attached.kind, PORT_CONNECTION);
    request.port = link.client.port;
    assert_int_equal(call(&third, REQUEST_attach_port, &request, NULL, &attached), STATUS_SUCCESS);
    assert_int_equal(attached.process, 1);
    kill_worker();
    assert_int_equal(call(&third, REQUEST_attach_port, &request, NULL, &attached), STATUS_SUCCESS);
    assert_int_equal(attached.process, 1);
    assert_int_equal(attached.server_process, 0x20);
    end_peer(&third);
    end_peer(&client);
    end_peer(&owner);
    free_link(&link);
    end();
}

static void read_pids(int *keeper, int *worker)
{
    FILE *file = fopen(prefix.lock, "re");

    assert_non_null(file);
    if (fscanf(file, "%d %d", keeper, worker) != 2)
        *keeper = *worker = 0;
    fclose(file);
}

/* in the background the worker becomes the keeper of another, which has its memory and its clients */
static void test_keeper_killed(void **state)
{
    int keeper, worker, new_keeper, new_worker;
    struct peer owner;
    unsigned int i;
    uint64_t port;

    (void)state;
    server_may_die = true;
    assert_int_equal(run_program("-p", NULL), 0);
    begin_steadfast(&owner, 0x20);
    port = make_port(&owner);
    for (i = 0; i < 5; i++)
    {
        do
            read_pids(&keeper, &worker);
        while (!worker);
        assert_int_equal(kill(keeper, SIGKILL), 0);
        do
            read_pids(&new_keeper, &new_worker);
        while (new_keeper != worker);
        owner.steadfast = false;
        assert_int_equal(simple_call(&owner, REQUEST_query_name, port), STATUS_SUCCESS);
        owner.steadfast = true;
        assert_int_equal(kill(new_worker, SIGKILL), 0);
        assert_int_equal(simple_call(&owner, REQUEST_query_name, port), STATUS_SUCCESS);
        do
            read_pids(&keeper, &worker);
        while (worker == new_worker);
        assert_int_equal(keeper, new_keeper);
        expect_objects(1, 0);
    }
    end_peer(&owner);
    assert_int_equal(run_program("-k", NULL), 0);
    assert_int_equal(run_program("-k", NULL), 1);
    server_may_die = false;
}

/* descriptors of one server after the other do not pile up */
static void test_descriptors(void **state)
{
    struct peer owner, client;
    unsigned int i, before;
    struct link link;
    uint64_t port;

    (void)state;
    begin();
    begin_steadfast(&owner, 0x20);
    begin_steadfast(&client, 0x24);
    port = open_connection(&owner, &client, &link);
    kill_worker();
    assert_int_equal(simple_call(&owner, REQUEST_query_name, port), STATUS_SUCCESS);
    assert_int_equal(simple_call(&client, REQUEST_query_name, port), STATUS_SUCCESS);
    before = count_server_fds();
    for (i = 0; i < 20; i++)
    {
        kill_worker();
        assert_int_equal(simple_call(&owner, REQUEST_query_name, port), STATUS_SUCCESS);
        assert_int_equal(simple_call(&client, REQUEST_query_name, port), STATUS_SUCCESS);
        await_server_fds(before);
    }
    end_peer(&client);
    end_peer(&owner);
    free_link(&link);
    end();
}

/* ---------------------------------------------------------------------------------------------- at any moment */

/* kills workers after random times until it is killed itself */
static void kill_workers(void *arg)
{
    _Atomic unsigned int *count = arg;
    struct random random = random_stream(3);

    for (;;)
    {
        pid_t worker = server_worker();

        pass_us(random_below(&random, 8000));
        if (!kill(worker, SIGKILL))
            atomic_fetch_add(count, 1);
        /* or it dies before it has done anything, and the keeper becomes slow */
        while (server_worker() == worker)
            pass_us(100);
        pass_us(random_below(&random, 4) ? 2000 : 110000);
    }
}

static void test_any_moment(void **state)
{
    _Atomic unsigned int *killed = shared_memory(sizeof(*killed));
    unsigned int rounds = 0;
    struct peer owner, client;
    uint64_t port;
    pid_t killer;

    (void)state;
    begin();
    begin_steadfast(&owner, 0x20);
    begin_steadfast(&client, 0x24);
    port = make_port(&owner);
    killer = start_child(kill_workers, (void *)killed);
    while (atomic_load(killed) < scaled(200))
    {
        struct link link;
        NTSTATUS status;

        make_connection(&client, &link);
        assert_true(receive_request(&link));
        status = accept_port(&owner, &link, (struct accept_port_request){ .port = port, .accept = 1 });
        assert_int_equal(status, STATUS_SUCCESS);
        assert_int_equal(channel_link(&link.channel), LINK_CONNECTED);
        if (rounds++ % 2)
        {
            close_handle(&client);
            while (closed_phase(&link) != CELL_QUEUED + END_SERVER)
                pass_us(100);
            assert_int_equal(cell_gen(cell_state(&link.channel.header->closed)), 1);
            close_handle(&owner);
        }
        else
        {
            assert_int_equal(simple_call(&owner, REQUEST_query_name, link.server.port), STATUS_SUCCESS);
            close_handle(&owner);
            while (!(channel_link(&link.channel) & LINK_SERVER_CLOSED))
                pass_us(100);
            close_handle(&client);
        }
        free_link(&link);
        stress_alive();
    }
    kill_child(killer);
    print_message("%u connections, %u workers killed\n", rounds, atomic_load(killed));
    end_peer(&client);
    await_objects(1, 0);
    end_peer(&owner);
    free_shared_memory((void *)killed, sizeof(*killed));
    end();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects), cmocka_unit_test(test_names_and_security),
        cmocka_unit_test(test_death_meanwhile), cmocka_unit_test(test_attach),
        cmocka_unit_test(test_keeper_killed), cmocka_unit_test(test_descriptors), cmocka_unit_test(test_any_moment),
    };

    return SERVER_TEST_MAIN("test_server_restarts", tests);
}
