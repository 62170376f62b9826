/*
 * What the tests of alpcserver have in common
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each test starts the alpcserver of the build directory for a prefix of its own, an empty folder.  At the end of a
 * test the server must still be the same process, answer, and end in order: whatever a client does ends its own
 * connection and nothing else.
 */

#ifndef NTALPC_SERVER_FIXTURE_H
#define NTALPC_SERVER_FIXTURE_H

#include "stress.h"

#include "dlls/ntdll/alpc/cell.h"
#include "dlls/ntdll/alpc/control.h"
#include "dlls/ntdll/alpc/prefix.h"
#include "ntalpc/nt.h"
#include "ntalpc/process_page.h"

#include <sys/types.h>

#define HEADER_SIZE ((uint32_t)sizeof(PORT_MESSAGE))
#define NAME "\\RPC Control\\test"

extern char program[4096]; /* alpcserver */
extern char prefix_dir[];
extern struct prefix prefix;
extern pid_t server;        /* the keeper: what was started, and stays the same */
extern bool server_may_die; /* the test kills workers */
/* unless NULL they run in the server's process before the server does, and in a program's; until stop_server */
extern void (*server_setup)(void), (*program_setup)(void);

/* ---------------------------------------------------------------------------------------------- the server */

/* runs alpcserver with up to three options; its output goes to the log.  wait_program returns its exit code, or a signal
   as a negative number */
pid_t start_program(const char *const options[3]);
int wait_program(pid_t pid);
int run_program(const char *a, const char *b);
const char *read_log(void);

/* with the option in addition to -f */
void start_server(const char *option);
/* the process that does the work now */
pid_t server_worker(void);
/* the next worker is there when this returns */
void kill_worker(void);
/* keeper and worker, with everything that they have */
void kill_server(void);
/* the server has survived the test and ends as it should */
void stop_server(void);

int raw_connect(void);
unsigned int count_server_fds(void);
/* until the server has noticed that clients have gone; count may have been taken before it had */
void await_server_fds(unsigned int count);

bool write_file(const char *path, const char *text);
/* this process goes on in a user namespace of its own, as the same user, and in other CLONE_ ones; false if it may not */
bool enter_user_namespace(int others);

/* ---------------------------------------------------------------------------------------------- clients that behave */

/* in buffers that a few calls later are used again */
struct control_data utf16(const char *text);
struct control_data token(const char *user);

struct peer
{
    struct control control;
    int fds[PROTOCOL_MAX_FDS];
    int *handles; /* what stands for the handles of the ports: their files, open */
    size_t handle_count;
    const void *data;
    pid_t pid;                 /* the process that stands for it; 0 = none */
    uint64_t key;              /* for join */
    bool steadfast;            /* joins again and repeats a request that a server has died over, as programs do */
    struct process_page *page;
};

/* one request; the descriptors of its reply stay in peer until the next one */
NTSTATUS call(struct peer *peer, enum request_code code, void *request, const struct control_data *data, void *reply);
void close_fds(struct peer *peer);
/* the handle of the port that the peer has got last */
void close_handle(struct peer *peer);

/* a connection of the test itself; a Unix process of its own that has not said init; a Windows process */
void begin_client(struct peer *peer);
void begin_program(struct peer *peer);
/* another thread of that process, which ends when the process gets SIGUSR1 */
pid_t second_thread(const struct peer *peer);
void begin_process_as(struct peer *peer, uint32_t id, const char *user);
void begin_process(struct peer *peer, uint32_t id);
/* one that this process is, and which asks the next server when one has died */
void begin_steadfast(struct peer *peer, uint32_t id);
void end_peer(struct peer *peer);

/* what alpcserver holds: ports and connections; it answers at all */
void count_objects(unsigned int *ports, unsigned int *connections);
void expect_alive(void);
void expect_objects(unsigned int ports, unsigned int connections);
/* the death of clients is noticed a moment later */
void await_objects(unsigned int ports, unsigned int connections);

/* ---------------------------------------------------------------------------------------------- ports */

NTSTATUS create_port(struct peer *peer, const char *name, struct create_port_request request, const char *security,
                     struct create_port_reply *reply);
uint64_t make_port(struct peer *peer);
NTSTATUS connect_port(struct peer *peer, struct connect_port_request request, size_t message_size,
                      struct connect_port_reply *reply);
extern const struct connect_port_request plain_connect;

/* a connection as both ends see it */
struct link
{
    struct connect_port_reply client;
    struct accept_port_reply server;
    struct channel channel;
    int channel_fd;
};

void make_connection(struct peer *peer, struct link *link);
void free_link(struct link *link);
bool receive_request(struct link *link);
NTSTATUS accept_port(struct peer *peer, struct link *link, struct accept_port_request request);
void accept_connection(struct peer *peer, struct link *link, uint64_t port);
/* a port of the owner's, which is returned, and a connection that the client has made to it */
uint64_t open_connection(struct peer *owner, struct peer *client, struct link *link);
NTSTATUS simple_call(struct peer *peer, enum request_code code, uint64_t port);

/* ---------------------------------------------------------------------------------------------- the whole program */

int server_test_main(const char *name, const struct CMUnitTest *tests, size_t count);
#define SERVER_TEST_MAIN(name, tests) server_test_main(name, tests, ARRAY_SIZE(tests))

#endif
