/*
 * Threads and processes that take part in a test
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An agent is a thread that makes calls for the test, one after the other, either in the test's own process or in a
 * child.  The test says what to call and looks at the outcome, so the same lines test ports within one process and
 * between processes, and a call that blocks does not block the test.  Handles are those of the agent's process.
 */

#ifndef AGENT_H
#define AGENT_H

#include "alpc_test.h"

/* a call: what goes in and what comes out; lies in memory that the test and its agents share */
struct call
{
    /* in */
    HANDLE port;
    ULONG flags;
    WCHAR name[80];
    ALPC_PORT_ATTRIBUTES attributes;
    BOOL has_attributes; /* else the call gets NULL, here and below */
    BOOL sends;          /* .send is the message to be sent */
    BOOL receives;       /* .receive is the buffer */
    BOOL has_length;     /* .length is *BufferLength */
    BOOL has_timeout;
    LONGLONG timeout;
    ULONG send_valid;   /* attributes to send; 0 = NULL */
    PVOID send_context; /* MessageContext among them */
    ULONG allocated;    /* attributes to receive; 0 = NULL */
    BOOLEAN accept;
    PVOID port_context;
    ULONG count; /* of a repeated call */
    ULONG value; /* as the call's function likes */

    /* in and out */
    SIZE_T length;
    HANDLE handle; /* *PortHandle */

    /* out */
    NTSTATUS status;
    ULONG valid; /* ValidAttributes */
    ALPC_CONTEXT_ATTR context;
    ALPC_TOKEN_ATTR token;
    ALPC_BASIC_INFORMATION basic;

    struct big_message send, receive;
};

typedef void (*agent_proc)(struct call *call);

struct agent
{
    struct call *call;
    HANDLE process; /* of a child; NULL = the agent is a thread of another agent's process or of the test's */
    HANDLE thread;  /* of the agent, if it is in the test's process */
    HANDLE go, done, mapping;
    DWORD pid, tid;
};

/* what *PortHandle and *BufferLength hold before a call that is not to write them */
#define UNTOUCHED_HANDLE ((HANDLE)(ULONG_PTR)0x5a5a5a5a)
/* what end() returns when the agent has died, or the call has not come back */
#define STATUS_AGENT_GONE ((NTSTATUS)0xe0000001)
#define STATUS_AGENT_HANGS ((NTSTATUS)0xe0000002)

/* makes a test program an agent if it was started as one; START_TEST then returns at once */
BOOL agent_main(void);

/* ---------------------------------------------------------------------------------------------- agents */

struct agent *agent_thread(void);
struct agent *agent_process(void);
/* one that inherits handles */
struct agent *agent_heir(void);
/* one more thread in the process of another agent */
struct agent *agent_beside(struct agent *other);
/* ends the agent, with its process if that was its own, and frees it */
void agent_stop(struct agent *agent);
/* the same, but the agent is terminated whatever it does */
void agent_kill(struct agent *agent);
/* terminates just the thread; the agent is freed, its process stays if other agents live there */
void agent_kill_thread(struct agent *agent);

/* stops the thread of an agent that was made beside another one, wherever it is, and lets it go on */
void agent_suspend(struct agent *agent);
void agent_resume(struct agent *agent);

/* the process of an agent, for DuplicateHandle */
HANDLE agent_process_handle(const struct agent *agent);

/* calls test twice: both agents are threads of this process; each is a process of its own */
void run_test(const char *name, void (*test)(struct agent *server, struct agent *client));
#define RUN(test) run_test(#test, test)
/* ends the agents of run_test */
void end_tests(void);

/* ---------------------------------------------------------------------------------------------- calls */

/* forgets what the last call was given and what it gave */
struct call *prepare(struct agent *agent);
/* lets the agent run a function */
void begin(struct agent *agent, agent_proc proc);
/* waits for it: the status of the call */
NTSTATUS end(struct agent *agent);
NTSTATUS perform(struct agent *agent, agent_proc proc);
/* whether the call has come back within a time; it still has to be ended */
BOOL finished(struct agent *agent, DWORD ms);

/* functions to run: one system call each */
void call_create(struct call *call);     /* name, attributes -> handle */
void call_connect(struct call *call);    /* name, attributes, flags, send, receives, length ... -> handle */
void call_connect_ex(struct call *call); /* the same */
void call_accept(struct call *call);     /* port, send, accept, port_context, attributes, send_valid -> handle */
void call_exchange(struct call *call);   /* NtAlpcSendWaitReceivePort */
void call_disconnect(struct call *call); /* port, flags */
void call_close(struct call *call);      /* port */
void call_cancel(struct call *call);     /* port, flags, context */
void call_query_basic(struct call *call);
/* and these: send .send count times, its first ULONG counts up from .value; count tells how many went out */
void call_send_many(struct call *call);

/* ---------------------------------------------------------------------------------------------- steps of tests */

/* a name that no other test has */
const WCHAR *new_name(void);
/* a zeroed header with data behind it as the message to be sent */
void set_message(struct call *call, const void *data, SIZE_T size);
/* the same with ids, for an answer */
void set_answer(struct call *call, const PORT_MESSAGE *to, const void *data, SIZE_T size);

HANDLE create_port(struct agent *server, const WCHAR *name);
void close_handle(struct agent *agent, HANDLE handle);
NTSTATUS disconnect(struct agent *agent, HANDLE port, ULONG flags);
/* flags 0; data may be NULL: no ConnectionMessage */
HANDLE connect_async(struct agent *client, const WCHAR *name, const void *data, SIZE_T size);
void begin_connect(struct agent *client, const WCHAR *name, const void *data, SIZE_T size);
NTSTATUS accept_connection(struct agent *server, HANDLE port, const PORT_MESSAGE *request, PVOID context,
                           HANDLE *accepted);
NTSTATUS refuse_connection(struct agent *server, HANDLE port, const PORT_MESSAGE *request);
/* receives with a buffer for everything and all attributes; waits at most HANG, or not at all */
NTSTATUS receive(struct agent *agent, HANDLE port);
NTSTATUS receive_now(struct agent *agent, HANDLE port);
NTSTATUS send_message(struct agent *agent, HANDLE port, ULONG flags, const void *data, SIZE_T size);
/* answers a message that was received */
NTSTATUS answer(struct agent *agent, HANDLE port, ULONG flags, const PORT_MESSAGE *to, const void *data, SIZE_T size);
void begin_request(struct agent *agent, HANDLE port, const void *data, SIZE_T size);
void begin_receive(struct agent *agent, HANDLE port);

/* what the agent has received: type with all its bits, data */
void check_received_(const char *file, int line, struct agent *agent, const char *section, ULONG type, const void *data,
                     SIZE_T size);
#define check_received(agent, section, type, data, size)                                                               \
    check_received_(__FILE__, __LINE__, agent, section, type, data, size)
/* receives, and expects this */
void expect_(const char *file, int line, struct agent *agent, HANDLE port, const char *section, ULONG type,
             const void *data, SIZE_T size);
#define expect(agent, port, section, type, data, size)                                                                 \
    expect_(__FILE__, __LINE__, agent, port, section, type, data, size)
/* nothing is there to receive */
void expect_nothing_(const char *file, int line, struct agent *agent, HANDLE port, const char *section);
#define expect_nothing(agent, port, section) expect_nothing_(__FILE__, __LINE__, agent, port, section)

/* a connection between two agents */
struct connected
{
    struct agent *server, *client;
    HANDLE listening, comm; /* the server's */
    HANDLE port;            /* the client's */
    WCHAR name[80];
};

#define PORT_CONTEXT ((PVOID)(ULONG_PTR)0x12345670)

/* just the connection port */
void open_port(struct connected *connected, struct agent *server, struct agent *client);
void open_connection(struct connected *connected, struct agent *server, struct agent *client);
/* one more to the same connection port; only comm and port are its own */
void open_another(struct connected *connected, const struct connected *first, struct agent *client, PVOID context);
/* closes what is not NULL */
void close_connection(struct connected *connected);

#define MILLISECONDS(ms) (-(LONGLONG)(ms)*10000)

#endif
