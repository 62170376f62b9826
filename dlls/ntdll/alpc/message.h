/*
 * Sending, answering and receiving messages
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * This is the data path: no system call is made unless the thread waits or the peer sleeps.  The functions read and
 * write the program's memory; a fault there ends the call, and thread_recover() sets things right.
 */

#ifndef NTALPC_MESSAGE_H
#define NTALPC_MESSAGE_H

#include "port.h"

/* a message on its way out */
struct message_out
{
    uint16_t data_length;
    uint16_t total_length; /* header included */
    uint32_t message_id;   /* 0 = a new message */
    uint32_t callback_id;
    const uint8_t *data;   /* the program's memory: total_length less the header */
    bool release;          /* ALPC_MSGFLG_RELEASE_MESSAGE */
    bool sync;             /* ALPC_MSGFLG_SYNC_REQUEST */
    uint64_t context;      /* MessageContext */
};

/* where a message goes to */
struct message_in
{
    void *buffer;          /* the program's memory, PORT_MESSAGE first; NULL drops the message */
    size_t capacity;       /* bytes */

    /* out */
    size_t needed;         /* TotalLength, also with STATUS_BUFFER_TOO_SMALL */
    uint64_t port_context;
    uint64_t context;      /* MessageContext of the receiving side */
    uint32_t sequence;
    uint32_t message_id;
    uint32_t callback_id;
    bool refused;          /* an answer to a connection request */
};

/* which message a synchronous sender waits for */
struct message_ref
{
    struct connection *connection;
    struct cell *cell;
    uint32_t id; /* of the cell */
    uint32_t gen;
    enum cell_phase back; /* phase of the cell as the sender had it */
};

/*
 * Sends a new message through a communication port: a datagram with .release, a request without.
 *   STATUS_PORT_DISCONNECTED        the other end, or this one, is closed [4.11]
 *   STATUS_PORT_MESSAGE_TOO_LONG    [4.17]
 *   STATUS_INSUFFICIENT_RESOURCES   the connection or the receiver's queue is full
 *   STATUS_NO_MEMORY
 * ref tells which message it became.
 */
NTSTATUS message_send(struct thread *thread, struct connection *connection, const struct message_out *out,
                      struct message_ref *ref);

/*
 * Answers, releases or continues an existing message (.message_id not 0) [4.5, 4.6].
 *   STATUS_INVALID_MESSAGE          no such message, finished, not the caller's to answer, or another CallbackId
 *   STATUS_REQUEST_CANCELED         its sender has given it up
 *   and those of message_send
 */
NTSTATUS message_answer(struct thread *thread, struct connection *connection, const struct message_out *out,
                        struct message_ref *ref);

/*
 * Waits for the answer to a message that was sent with .sync.
 *   STATUS_TIMEOUT                  the message is cancelled
 *   STATUS_BUFFER_TOO_SMALL         the answer goes to the port's queue
 *   STATUS_PORT_DISCONNECTED        the other end is gone, or this one was disconnected
 *   STATUS_PORT_CLOSED              the port's last handle was closed meanwhile
 *   STATUS_MESSAGE_LOST             the message was cancelled
 */
NTSTATUS message_await(struct thread *thread, const struct message_ref *ref, struct message_in *in,
                       const struct deadline *deadline);

/*
 * Receives the next message of a port.
 *   STATUS_TIMEOUT
 *   STATUS_BUFFER_TOO_SMALL         the message stays in the queue
 *   STATUS_PORT_CLOSED, STATUS_PORT_DISCONNECTED, STATUS_PORT_CONNECTION_REFUSED
 */
NTSTATUS message_receive(struct thread *thread, struct port *port, struct message_in *in,
                         const struct deadline *deadline);

#endif
