/*
 * Makes ports, connections and messages in many states for alpcdump to show
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It stands for two Windows programs, talks to the alpcserver of the prefix as they do, prints "ready" and stays until
 * its standard input ends.  What fails ends it with an error.
 */

#include "tests/unit/security_fixture.h"

#include "dlls/ntdll/alpc/cell.h"
#include "dlls/ntdll/alpc/control.h"
#include "dlls/ntdll/alpc/wait.h"
#include "ntalpc/nt.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define HEADER_SIZE sizeof(PORT_MESSAGE)

static struct control server = CONTROL_INIT, client = CONTROL_INIT;

static void call(struct control *control, enum request_code code, void *request, const struct control_data *data,
                 void *reply, int *fds)
{
    int others[PROTOCOL_MAX_FDS];

    /* what a port's file is open by stays open until the program ends: it is the handle */
    assert_int_equal(control_call(control, code, request, data, reply, NULL, fds ? fds : others), STATUS_SUCCESS);
}

/* code points below U+0800 in UTF-8; texts are made anew with each call, one at a time */
static struct control_data utf16(const char *text)
{
    static uint16_t buffer[256];
    size_t length = 0;

    for (; *text; text++)
    {
        if ((uint8_t)*text < 0x80)
            buffer[length++] = (uint8_t)*text;
        else
        {
            buffer[length++] = (uint16_t)((text[0] & 0x1f) << 6 | (text[1] & 0x3f));
            text++;
        }
    }
    return (struct control_data){ buffer, 2 * length };
}

static struct control_data token(void)
{
    static const struct token_row row = { .user = "AL",
                                          .groups = "BU=e BA=0xf",
                                          .default_dacl = "(A;;GA;AL)(A;;GA;SY)" };
    static uint64_t buffer[TOKEN_WIRE_MAX_SIZE / 8];

    return (struct control_data){ buffer, put_token(buffer, &row) };
}

static void begin_process(struct control *control, uint32_t id, const char *program)
{
    struct init_request request = { .protocol = PROTOCOL_VERSION, .process = id };
    const struct control_data data[] = { utf16(program), token() };
    struct init_reply reply;

    assert_null(control_connect(control, false));
    call(control, REQUEST_init, &request, data, &reply, NULL);
}

/* what stands for the handle of the port that was made last: its file, open */
static int last_handle;

static uint64_t create_port(const char *name, uint32_t flags, uint32_t max_message, const char *security)
{
    static uint8_t descriptor[FIXTURE_SIZE];
    struct create_port_request request = { .flags = flags, .max_message = max_message, .absolute = 1 };
    const struct control_data data[] = { utf16(name), { descriptor, security ? put_sd(descriptor, security) : 0 } };
    struct create_port_reply reply;
    int fds[PROTOCOL_MAX_FDS];

    call(&server, REQUEST_create_port, &request, data, &reply, fds);
    last_handle = fds[0];
    return reply.port;
}

struct connection
{
    uint64_t server_port, client_port;
    uint32_t gen;
    struct channel channel;
};

static struct connection connect_to(uint64_t port, const char *name)
{
    static const uint8_t message[8] = "connect";
    struct connect_port_request request = {
        .thread = 0x28, .sync = 1, .data_length = sizeof(message), .total_length = HEADER_SIZE + sizeof(message)
    };
    const struct control_data data[] = { utf16(name), token(), { NULL, 0 }, { NULL, 0 }, { message, sizeof(message) } };
    struct connection connection = { .server_port = port };
    struct connect_port_reply reply;
    int fds[PROTOCOL_MAX_FDS];

    call(&client, REQUEST_connect_port, &request, data, &reply, fds);
    connection.client_port = reply.port;
    connection.gen = reply.message_gen;
    assert_true(channel_map(&connection.channel, fds[1], true));
    connection.channel.slot = reply.slot;
    return connection;
}

static void step(struct connection *connection, uint32_t id, struct cell *cell, enum cell_event event,
                 struct cell_actor actor)
{
    uint64_t state = cell_state(cell);

    assert_true(cell_step(&connection->channel, id, cell, &state, event, actor));
}

/* receives the connection request and answers it; an answer that accepts is read */
static void answer(struct connection *connection, bool accept)
{
    const struct cell_actor actor = { .thread = 0x2c };
    struct cell *request_cell = &connection->channel.header->connect;
    struct accept_port_request request = { .port = connection->server_port,
                                           .context = 0x123456789abcdef0,
                                           .message_id =
                                               channel_message_id(&connection->channel, CELL_CONNECT, connection->gen),
                                           .accept = accept,
                                           .thread = actor.thread,
                                           .total_length = HEADER_SIZE };
    const struct control_data data = { NULL, 0 };
    struct accept_port_reply reply;

    step(connection, CELL_CONNECT, request_cell, EVENT_RECEIVE, actor);
    call(&server, REQUEST_accept_port, &request, &data, &reply, NULL);
    if (accept)
        step(connection, CELL_CONNECT, request_cell, EVENT_DONE, actor);
}

/* a message of the client's, one second old; actor brought it into its phase, and wrote the answer if that is there */
static void put_message(struct connection *connection, enum cell_phase phase, uint32_t flags, uint32_t actor)
{
    uint32_t id = cell_alloc(&connection->channel, END_CLIENT, (struct cell_actor){ .thread = 0x28 });
    struct cell *cell = channel_cell(&connection->channel, id);
    bool answered = phase == CELL_ANSWER + END_CLIENT;
    struct cell_content *content = answered ? &cell->answer : &cell->request;

    atomic_store(&cell->time, coarse_ns() - 1000000000);
    atomic_store(&cell->sequence, channel_next_sequence(&connection->channel, END_CLIENT));
    atomic_store(&cell->request.flags, CONTENT_SYNC);
    atomic_store(&content->length, 24 | (64 - HEADER_SIZE) << 16);
    atomic_store(&content->author, answered ? actor : 0x28);
    atomic_store(&content->flags, flags);
    atomic_store(&cell->state,
                 cell_word(phase, cell_gen(cell_state(cell)) + 1, (struct cell_actor){ .thread = actor }) |
                     (answered ? CELL_ANSWERED : 0));
}

static void *receive(void *arg)
{
    struct connection *connection = arg;
    struct waiter wait = { .name = 0 };

    waiter_begin(&connection->channel.client_queue.desk->waiters, &wait, WAITER(0x24, 0x2c));
    for (;;)
        queue_sleep(&connection->channel.client_queue, &wait, &deadline_never);
    return NULL;
}

/* until alpcserver can see that the thread sleeps */
static void begin_receiver(struct connection *connection)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, receive, connection), 0);
    while (!atomic_load(&connection->channel.header->desk.waiters.sleepers))
        usleep(1000);
}

static void close_last_port(void)
{
    struct find_port_request request = { .number = 0 };
    const struct control_data data = utf16("\\gone");
    struct find_port_reply reply;

    close(last_handle);
    /* when this is answered alpcserver has seen it */
    assert_int_equal(control_call(&server, REQUEST_find_port, &request, &data, &reply, NULL, NULL),
                     STATUS_OBJECT_NAME_NOT_FOUND);
}

int main(void)
{
    static struct connection busy;
    struct connection waiting, refused, orphan;
    uint64_t port, unnamed, short_lived;
    char byte;

    begin_process(&server, 0x20, "C:\\windows\\server.exe");
    begin_process(&client, 0x24, "C:\\windows\\client.exe");
    port = create_port("\\RPC Control\\example", ALPC_PORFLG_ALLOW_IMPERSONATION | ALPC_PORFLG_WAITABLE_PORT, 512,
                       "O:BA G:BU D:(A;;0x1;WD)(A;;GA;BA) S:(ML;;1;LW)");
    busy = connect_to(port, "\\RPC Control\\example");
    answer(&busy, true);
    waiting = connect_to(port, "\\RPC Control\\example");
    refused = connect_to(port, "\\RPC Control\\example");
    answer(&refused, false);
    put_message(&busy, CELL_QUEUED + END_SERVER, CONTENT_RELEASE, 0x28);
    put_message(&busy, CELL_HELD + END_SERVER, CONTENT_SYNC, 0x30);
    put_message(&busy, CELL_ANSWER + END_CLIENT, CONTENT_RELEASE, 0x30);
    begin_receiver(&busy);
    unnamed = create_port("", 0, 0, NULL);
    create_port("\\evil \033[31m \xc3\xa9", 0, 0, "D:NULL");
    short_lived = create_port("\\gone", 0, 0, NULL);
    orphan = connect_to(short_lived, "\\gone");
    answer(&orphan, true);
    close_last_port();
    (void)waiting, (void)unnamed;
    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}
