/*
 * Sending and answering messages, and waiting for answers
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * This is the data path: no system call is made unless the thread waits or the peer sleeps.  The functions read and
 * write the program's memory; a fault there ends the call, and thread_recover() sets things right.
 */

#ifndef NTALPC_MESSAGE_H
#define NTALPC_MESSAGE_H

#include "attachment.h"
#include "port.h"

/* a message on its way out */
struct message_out
{
    uint16_t data_length;
    uint16_t payload_length;  /* all that follows the header */
    uint32_t message_id;      /* 0 = a new message */
    uint32_t callback_id;
    const uint8_t *payload;   /* the program's memory */
    bool release;             /* ALPC_MSGFLG_RELEASE_MESSAGE */
    bool sync;                /* ALPC_MSGFLG_SYNC_REQUEST */
    bool canceled;            /* an answer that tells that there is none, to who waits for it [4.12] */
    struct attachments_out attachments;
};

/* where a message goes to */
struct message_in
{
    void *buffer;          /* the program's memory, PORT_MESSAGE first; NULL drops the message */
    size_t capacity;       /* bytes */

    /* out */
    size_t needed;         /* TotalLength, also with STATUS_BUFFER_TOO_SMALL */
    bool has_context;      /* [4.8] which attributes the message has */
    bool has_token;
    uint64_t port_context;
    struct attachments_in attachments; /* of the receiving side */
    uint64_t token_id, authentication_id, modified_id;
    uint32_t sequence;
    uint32_t message_id;
    uint32_t callback_id;
    bool refused;          /* an answer to a connection request */
};

/* which message it is */
struct message_ref
{
    struct connection *connection;
    struct cell *cell;
    uint32_t id; /* of the cell */
    uint32_t gen;
    uint32_t sequence;
    uint64_t position;  /* of its entry in the other end's queue, if queued */
    bool queued;
    bool callback;      /* the answer to it is not the first one to the message */
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

/* what is to be canceled */
struct cancellation
{
    uint32_t message_id;
    uint64_t context;   /* MessageContext */
    bool check_context; /* it has to be this side's own of the message */
    bool try;           /* ALPC_CANCELFLG_TRY_CANCEL: not if the other end has it already */
};

/*
 * Cancels a message that this end has sent, or that it has received [4.12, 7 #15, #16].
 *   STATUS_SUCCESS             the other end has not received it, and never will; or this end had it, and nobody waits
 *   STATUS_MESSAGE_RETRIEVED   who had it finds it canceled: the other end gets LPC_CANCELED; with .try nothing has
 *                              happened.  Or this end had it, and who waits for its answer is told
 *   STATUS_REQUEST_CANCELED    it is canceled already
 *   STATUS_MESSAGE_NOT_FOUND   no such message, answered, or waiting to be received by this end
 *   STATUS_CONTEXT_MISMATCH
 */
NTSTATUS message_cancel(struct thread *thread, struct connection *connection, const struct cancellation *what);

/*
 * Waits for the answer to a message that was sent with .sync.
 *   STATUS_TIMEOUT                  the message is cancelled
 *   STATUS_BUFFER_TOO_SMALL         the answer goes to the port's queue
 *   STATUS_PORT_DISCONNECTED        the other end is gone, or this one was disconnected
 *   STATUS_PORT_CLOSED              the port's last handle was closed meanwhile
 *   STATUS_MESSAGE_LOST             the message was cancelled
 */
NTSTATUS message_await(struct thread *thread, struct message_ref *ref, struct message_in *in,
                       const struct deadline *deadline);

#endif
