/*
 * Tests of alpcserver: what becomes of connections when somebody dies, or writes over their memory
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "server_fixture.h"

#include "tests/unit/security_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------------------------- deaths */

/* waits[end] is the thread of that end that waits, or 0 */
static uint32_t put_awaited(struct link *link, enum alpc_end end, enum cell_phase phase, const uint32_t waits[2],
                            uint32_t actor)
{
    uint32_t id = cell_alloc(&link->channel, end, (struct cell_actor){ .thread = actor });
    struct cell *cell = channel_cell(&link->channel, id);
    bool answered = phase == CELL_ANSWER + END_CLIENT || phase == CELL_ANSWER + END_SERVER;

    atomic_store(&cell->sequence, channel_next_sequence(&link->channel, end));
    atomic_store(&cell->waiter[END_CLIENT].thread, waits[END_CLIENT]);
    atomic_store(&cell->waiter[END_SERVER].thread, waits[END_SERVER]);
    atomic_store(&cell->request.flags, waits[end] ? CONTENT_SYNC : CONTENT_RELEASE);
    atomic_store(&cell->request.length, 0);
    if (phase != CELL_OWNED)
        atomic_store(&cell->state, cell_word(phase, 1, (struct cell_actor){ .thread = actor }) |
                                       (answered ? CELL_ANSWERED : 0));
    return id;
}

/* a message of the client's; a thread of its waits for the answer, or none (0) */
static uint32_t put_request(struct link *link, enum cell_phase phase, uint32_t requester, uint32_t actor)
{
    const uint32_t waits[2] = { [END_CLIENT] = requester };

    return put_awaited(link, END_CLIENT, phase, waits, actor);
}

static enum cell_phase phase_of(struct link *link, uint32_t id)
{
    return cell_phase(cell_state(channel_cell(&link->channel, id)));
}

/* nobody waits for the answer to what was queued; the queue's entry, if there is one, leads to that */
static bool is_given_up(struct link *link, uint32_t id)
{
    enum cell_phase phase = phase_of(link, id);

    return phase == CELL_FREE || phase == CELL_WITHDRAWN + END_SERVER;
}

/* more than the kernel gives out: no thread has it */
#define NO_THREAD 0x7ffffff0u

/* the process says in its page that the thread has this id of the kernel's */
static void list_thread(struct peer *peer, uint32_t thread, uint32_t native)
{
    atomic_store(&peer->page->threads[0], process_thread(thread, native));
    atomic_store(&peer->page->peak, 1);
}

static void say_gone(struct peer *peer, uint32_t process, uint32_t thread)
{
    struct thread_gone_request gone = { .process = process, .thread = thread };
    struct thread_gone_reply reply;

    assert_int_equal(call(peer, REQUEST_thread_gone, &gone, NULL, &reply), STATUS_SUCCESS);
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
        uint32_t waits[2], actor; /* threads of the client's and the server's; who acts */
        enum cell_phase after;
    } rows[] = {
        { END_CLIENT, CELL_OWNED, { 0 }, DEAD, CELL_FREE },
        { END_CLIENT, CELL_OWNED, { 0 }, OTHER, CELL_OWNED },
        /* announced again, for it may not have been */
        { END_CLIENT, CELL_QUEUED + END_SERVER, { 0 }, DEAD, CELL_QUEUED + END_SERVER },
        { END_CLIENT, CELL_QUEUED + END_SERVER, { DEAD }, DEAD, CELL_FREE },
        { END_CLIENT, CELL_QUEUED + END_SERVER, { OTHER }, OTHER, CELL_QUEUED + END_SERVER },
        { END_CLIENT, CELL_EARLY, { 0 }, DEAD, CELL_QUEUED + END_SERVER },
        /* the server holds what nobody waits for any more */
        { END_CLIENT, CELL_HELD + END_SERVER, { DEAD }, 0x99, CELL_CANCELED + END_SERVER },
        { END_CLIENT, CELL_HELD + END_SERVER, { 0 }, 0x99, CELL_HELD + END_SERVER },
        { END_CLIENT, CELL_HELD + END_SERVER, { OTHER }, 0x99, CELL_HELD + END_SERVER },
        { END_CLIENT, CELL_ANSWERING + END_SERVER, { DEAD }, 0x99, CELL_ABANDONED + END_SERVER },
        { END_CLIENT, CELL_ANSWERING + END_SERVER, { OTHER }, 0x99, CELL_ANSWERING + END_SERVER },
        /* an answer that nobody reads */
        { END_CLIENT, CELL_ANSWER + END_CLIENT, { DEAD }, 0x99, CELL_FREE },
        { END_CLIENT, CELL_ANSWER + END_CLIENT, { OTHER }, 0x99, CELL_ANSWER + END_CLIENT },
        /* a callback that nobody reads, one whose sender has gone, and another that is somebody else's with that id */
        { END_CLIENT, CELL_ANSWER + END_CLIENT, { DEAD, 0x99 }, 0x99, CELL_FREE },
        { END_CLIENT, CELL_RETRACTED + END_CLIENT, { DEAD, 0x99 }, 0x99, CELL_FREE },
        { END_CLIENT, CELL_ANSWER + END_CLIENT, { OTHER, DEAD }, DEAD, CELL_ANSWER + END_CLIENT },
        { END_SERVER, CELL_ANSWER + END_SERVER, { DEAD, DEAD }, DEAD, CELL_RETRACTED + END_SERVER },
        { END_SERVER, CELL_ANSWER + END_SERVER, { OTHER, DEAD }, DEAD, CELL_ANSWER + END_SERVER },
        /* what the thread was answering can be answered by another */
        { END_SERVER, CELL_ANSWERING + END_CLIENT, { 0, 0x99 }, DEAD, CELL_HELD + END_CLIENT },
        { END_SERVER, CELL_ABANDONED + END_CLIENT, { 0, 0x99 }, DEAD, CELL_VOID },
        { END_SERVER, CELL_ANSWERING + END_CLIENT, { 0, 0x99 }, OTHER, CELL_ANSWERING + END_CLIENT },
        /* died while it read a message that ends there */
        { END_SERVER, CELL_READING + END_CLIENT, { 0 }, DEAD, CELL_FREE },
        { END_SERVER, CELL_HELD + END_CLIENT, { 0 }, DEAD, CELL_HELD + END_CLIENT },
        { END_SERVER, CELL_READING + END_CLIENT, { 0 }, OTHER, CELL_READING + END_CLIENT },
        /* and what it was ending */
        { END_SERVER, CELL_ENDING + END_CLIENT, { 0 }, DEAD, CELL_FREE },
        { END_SERVER, CELL_ENDING + END_SERVER, { 0 }, DEAD, CELL_ENDING + END_SERVER },
    };
    uint32_t ids[ARRAY_SIZE(rows)];
    struct peer owner, client;
    struct link link;
    size_t i;

    (void)state;
    start_server("-p");
    begin_process(&owner, 0x20);
    begin_process(&client, 0x24);
    open_connection(&owner, &client, &link);
    for (i = 0; i < ARRAY_SIZE(rows); i++)
        ids[i] = put_awaited(&link, rows[i].owner, rows[i].phase, rows[i].waits, rows[i].actor);
    list_thread(&client, DEAD, NO_THREAD);
    say_gone(&owner, 0x24, DEAD);
    assert_int_equal(atomic_load(&client.page->threads[0]), 0);
    for (i = 0; i < ARRAY_SIZE(rows); i++)
        if (phase_of(&link, ids[i]) != rows[i].after)
            fail_msg("row %u: phase %u, expected %u", (unsigned int)i, phase_of(&link, ids[i]), rows[i].after);
    /* of processes and threads that there are not nothing is known */
    say_gone(&owner, 0x9999, DEAD);
    say_gone(&owner, 0x24, 0);
    free_link(&link);
    end_peer(&client);
    end_peer(&owner);
    await_objects(0, 0);
    stop_server();
}

/* whoever says that a living thread has ended does it no harm; once it has really ended it is seen to */
static void test_thread_alive(void **state)
{
    struct peer owner, client, stranger;
    uint32_t waiting, other;
    struct link link;

    (void)state;
    start_server("-p");
    begin_process(&owner, 0x20);
    begin_process(&client, 0x24);
    open_connection(&owner, &client, &link);
    begin_client(&stranger);
    waiting = put_request(&link, CELL_QUEUED + END_SERVER, 0x40, 0x40);
    other = put_request(&link, CELL_QUEUED + END_SERVER, 0x44, 0x44);

    /* the main thread of the process stands for it */
    list_thread(&client, 0x40, (uint32_t)client.pid);
    say_gone(&stranger, 0x24, 0x40);
    say_gone(&owner, 0x24, 0x40);
    say_gone(&client, 0x24, 0x40);
    /* of this one nothing is known */
    say_gone(&stranger, 0x24, 0x44);
    pass_us(100000);
    assert_int_equal(phase_of(&link, waiting), CELL_QUEUED + END_SERVER);
    assert_int_equal(phase_of(&link, other), CELL_QUEUED + END_SERVER);

    /* a thread that goes on for a while after it was terminated */
    list_thread(&client, 0x44, (uint32_t)second_thread(&client));
    say_gone(&stranger, 0x24, 0x44);
    pass_us(100000);
    assert_int_equal(phase_of(&link, other), CELL_QUEUED + END_SERVER);
    assert_int_equal(kill(client.pid, SIGUSR1), 0);
    while (!is_given_up(&link, other))
        pass_us(1000);
    assert_int_equal(phase_of(&link, waiting), CELL_QUEUED + END_SERVER);

    /* of one that found no room in the table the process itself is believed, others are not */
    atomic_store(&client.page->threads[0], 0);
    atomic_store(&client.page->overflow, 1);
    say_gone(&owner, 0x24, 0x40);
    assert_int_equal(phase_of(&link, waiting), CELL_QUEUED + END_SERVER);
    say_gone(&client, 0x24, 0x40);
    assert_true(is_given_up(&link, waiting));
    end_peer(&stranger);
    free_link(&link);
    end_peer(&client);
    end_peer(&owner);
    await_objects(0, 0);
    stop_server();
}

/* goes on in a PID namespace of its own, where the process is number 1; this process stays to be killed */
static void enter_pid_namespace(void)
{
    if (!enter_user_namespace(CLONE_NEWPID))
        _exit(1);
    if (fork())
    {
        close_range(0, ~0u, 0);
        wait(NULL);
        _exit(0);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static bool may_have_namespaces(void)
{
    pid_t pid = fork();

    if (!pid)
        _exit(!enter_user_namespace(CLONE_NEWPID));
    return !wait_program(pid);
}

/* the only child of a process */
static pid_t child_of(pid_t pid)
{
    char path[64];
    int child = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    assert_non_null(file = fopen(path, "r"));
    assert_int_equal(fscanf(file, "%d", &child), 1);
    fclose(file);
    return child;
}

/* a program in a PID namespace of its own has other ids for its threads */
static void test_namespace(void **state)
{
    struct peer owner, client;
    struct peer inner;
    uint32_t waiting;
    struct link link;
    uint64_t port;

    (void)state;
    if (!may_have_namespaces())
    {
        print_message("skipped: no namespaces can be made here\n");
        skip();
    }
    start_server("-p");
    begin_process(&owner, 0x20);
    port = make_port(&owner);
    program_setup = enter_pid_namespace;
    begin_process(&client, 0x24);
    make_connection(&client, &link);
    accept_connection(&owner, &link, port);
    waiting = put_request(&link, CELL_QUEUED + END_SERVER, 0x40, 0x40);
    inner.pid = child_of(client.pid);
    second_thread(&inner);
    list_thread(&client, 0x40, 2);
    say_gone(&owner, 0x24, 0x40);
    pass_us(50000);
    assert_int_equal(phase_of(&link, waiting), CELL_QUEUED + END_SERVER);
    assert_int_equal(kill(inner.pid, SIGUSR1), 0);
    while (!is_given_up(&link, waiting))
        pass_us(1000);
    end_peer(&client);
    while (!(channel_link(&link.channel) & LINK_CLIENT_CLOSED))
        pass_us(1000);
    free_link(&link);
    end_peer(&owner);
    await_objects(0, 0);
    stop_server();
}

/* a process lives as long as its Unix process, whatever becomes of its sockets */
static void test_process_alive(void **state)
{
    struct peer owner, client;
    struct link link;
    uint32_t waiting;

    (void)state;
    start_server("-p");
    begin_process(&owner, 0x20);
    begin_process(&client, 0x24);
    open_connection(&owner, &client, &link);
    waiting = put_request(&link, CELL_QUEUED + END_SERVER, 0x40, 0x40);
    control_disconnect(&client.control);
    expect_objects(3, 1);
    list_thread(&client, 0x40, NO_THREAD);
    say_gone(&owner, 0x24, 0x40);
    assert_true(is_given_up(&link, waiting));
    end_peer(&client);
    while (!(channel_link(&link.channel) & LINK_CLIENT_CLOSED))
        pass_us(1000);
    free_link(&link);
    end_peer(&owner);
    await_objects(0, 0);
    stop_server();
}

/* a connect that was given up leaves nothing: at once, or when its server has received that it was */
static void test_given_up(void **state)
{
    struct peer owner, client;
    struct link link, next;
    struct cell *request;
    uint64_t port, word;

    (void)state;
    start_server("-p");
    begin_process(&owner, 0x20);
    port = make_port(&owner);

    /* not received: its entry in the queue leads nowhere, also when there is another connection */
    begin_process(&client, 0x24);
    make_connection(&client, &link);
    end_peer(&client);
    await_objects(1, 0);
    assert_int_equal(cell_phase(cell_state(&link.channel.header->connect)), CELL_WITHDRAWN + END_SERVER);
    begin_process(&client, 0x24);
    make_connection(&client, &next);
    assert_int_not_equal(next.client.slot, link.client.slot);
    free_link(&link);
    end_peer(&client);
    await_objects(1, 0);
    free_link(&next);

    /* received: the server is told, and then nobody has to ask alpcserver about anything for it to go */
    begin_process(&client, 0x24);
    make_connection(&client, &link);
    request = &link.channel.header->connect;
    assert_true(receive_request(&link));
    end_peer(&client);
    await_objects(1, 1);
    pass_us(300000);
    expect_objects(1, 1);
    word = cell_state(request);
    assert_int_equal(cell_phase(word), CELL_CANCELED + END_SERVER);
    assert_true(cell_step(&link.channel, CELL_CONNECT, request, &word, EVENT_DONE, (struct cell_actor){ .thread = 0x2c }));
    await_objects(1, 0);
    assert_int_equal(accept_port(&owner, &link, (struct accept_port_request){ .port = port, .accept = 1 }),
                     STATUS_INVALID_MESSAGE);
    free_link(&link);
    end_peer(&owner);
    await_objects(0, 0);
    stop_server();
}

static double seconds(void)
{
    return (double)monotonic_ns() / 1e9;
}

/*
 * count connections of the client's to a port of the owner's; in the oldest, which is swept last, thread 0x40 waits for
 * the answer to a message, whose cell is returned
 */
static uint32_t open_many(struct peer *owner, struct peer *client, unsigned int count, struct link *link)
{
    const uint64_t port = make_port(owner);
    struct connect_port_reply reply;
    uint32_t message;

    make_connection(client, link);
    accept_connection(owner, link, port);
    message = put_request(link, CELL_QUEUED + END_SERVER, 0x40, 0x40);
    while (--count)
        assert_int_equal(connect_port(client, plain_connect, 0, &reply), STATUS_SUCCESS);
    return message;
}

/* [design 6] a thread that never used ports costs nothing, and one that did keeps nobody waiting, however many
   connections its process has */
static void test_many_connections(void **state)
{
    const unsigned int count = scaled(8000), calls = 1000;
    struct peer owner, client, other;
    unsigned int i;
    double begun, before, longest = 0;
    uint32_t last;
    struct link link;

    (void)state;
    start_server("-p");
    begin_process(&owner, 0x20);
    begin_process(&client, 0x24);
    begin_process(&other, 0x28);
    last = open_many(&owner, &client, count, &link);

    /* what the same number of the cheapest requests takes */
    begun = seconds();
    for (i = 0; i < calls; i++)
        say_gone(&other, 0x9999, 0x44);
    before = seconds() - begun;
    begun = seconds();
    for (i = 0; i < calls; i++)
        say_gone(&other, 0x24, 0x44);
    assert_true(seconds() - begun < 10 * before + 1);

    /* others are answered while a sweep is under way */
    list_thread(&client, 0x40, NO_THREAD);
    say_gone(&other, 0x24, 0x40);
    do
    {
        begun = seconds();
        say_gone(&other, 0x9999, 0x44);
        if (seconds() - begun > longest)
            longest = seconds() - begun;
    } while (!is_given_up(&link, last));
    assert_true(longest < 0.2);
    free_link(&link);
    end_peer(&other);
    end_peer(&client);
    end_peer(&owner);
    await_objects(0, 0);
    stop_server();
}

/* alpcserver is killed while it looks for what a thread has left: the next one does it */
static void test_killed_over_death(void **state)
{
    const unsigned int count = scaled(4000);
    struct peer owner, client;
    struct link link;
    uint32_t last;

    (void)state;
    server_may_die = true;
    start_server("-p");
    begin_steadfast(&owner, 0x20);
    begin_steadfast(&client, 0x24);
    last = open_many(&owner, &client, count, &link);
    list_thread(&client, 0x40, NO_THREAD);
    say_gone(&owner, 0x24, 0x40);
    /* else it was too quick */
    assert_false(is_given_up(&link, last));
    kill_worker();
    while (!is_given_up(&link, last))
        pass_us(1000);
    while (atomic_load(&client.page->threads[0]))
        pass_us(1000);
    free_link(&link);
    end_peer(&client);
    end_peer(&owner);
    await_objects(0, 0);
    stop_server();
    server_may_die = false;
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
    held[0] = put_request(&link, CELL_HELD + END_SERVER, 0x28, 0x99);
    queued = put_request(&link, CELL_QUEUED + END_SERVER, 0, 0x28);
    datagram = put_request(&link, CELL_QUEUED + END_SERVER, 0, 0x28);
    held[1] = put_request(&link, CELL_HELD + END_SERVER, 0, 0x99);
    held[2] = put_request(&link, CELL_HELD + END_SERVER, 0, 0x99);
    answered = put_request(&link, CELL_ANSWER + END_CLIENT, 0, 0x99);
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
            link.channel.slot = link.client.slot;
            put_request(&link, CELL_EARLY, 0, 0x28);
            if (receive_request(&link))
                accept_port(&peer, &link,
                            (struct accept_port_request){ .port = port, .accept = random_below(&random, 3) });
            put_request(&link, CELL_QUEUED + END_SERVER, 0x28, 0x28);
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
            atomic_store(&cell->request.flags, (uint32_t)random_next(&random));
            atomic_store(&cell->request.length, (uint32_t)random_next(&random));
            atomic_store(&cell->answer.flags, (uint32_t)random_next(&random));
        }
        if (kind == 7)
            atomic_store(
                &channel->header->connect.state,
                cell_word(random_below(&random, CELL_PHASES), scribbler->link->client.message_gen, (struct cell_actor){ 0 }));
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
        list_thread(&client, random_below(&random, 3), NO_THREAD);
        say_gone(&client, 0x24, random_below(&random, 3));
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
    while (queue_put(&queue, (struct queue_entry){ .slot = 99 }, &position))
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thread_gone),
        cmocka_unit_test(test_thread_alive),
        cmocka_unit_test(test_namespace),
        cmocka_unit_test(test_process_alive),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_many_connections),
        cmocka_unit_test(test_killed_over_death),
        cmocka_unit_test(test_client_gone),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_scribbling),
        cmocka_unit_test(test_shrinking),
        cmocka_unit_test(test_full_queue),
    };

    return SERVER_TEST_MAIN("test_server_deaths", tests);
}
