/*
 * Layout of the memory that programs and alpcserver share
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Three kinds of shared memory, beside the page of each process (process_page.h), carry the data path (docs/design.md 5):
 *
 *   channel   one per connection, written by both ends and by alpcserver: the cells that hold messages, and the queue
 *             of the client communication port
 *   queue     the main queue of a connection port in two parts: the post, written by every client, and the desk, written
 *             by the processes that hold the port and read-only for clients
 *   roster    one per connection port: who is at the other end of each connection; written by alpcserver only
 *
 * Whoever reads a field that a peer can write copies it first, then checks the copy, then uses it.
 */

#ifndef NTALPC_SHM_H
#define NTALPC_SHM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define SHM_VERSION 1u
#define SHM_LINE 64

/* the two ends of a connection */
enum alpc_end
{
    END_CLIENT = 0,
    END_SERVER = 1
};

/* [alpc.md 4.1] */
enum port_kind
{
    PORT_CONNECTION = 0, /* of a server, receives from all its clients */
    PORT_CLIENT = 1,     /* communication ports, one of each for a connection */
    PORT_SERVER = 2
};

/* ---------------------------------------------------------------------------------------------- queue */

/*
 * A queue is a bounded ring of 64-bit entries.  Position t, counted from 0, stands in slot t modulo the size and carries
 * the tag of its round, so that a slot tells by itself whether it has been posted for position t: one compare-and-swap
 * posts a message, one more takes it off, and a process that is killed between any two instructions leaves either the
 * old or the new state.  Entries are hints: the state of the cell that an entry names decides what is received.
 */
#define QUEUE_ENTRY_CELL_BITS 15
#define QUEUE_ENTRY_SLOT_BITS 15
#define QUEUE_ENTRY_GEN_BITS 14
#define QUEUE_ENTRY_TAG_BITS 20

/* sizes of the two kinds, as powers of two */
#define PORT_QUEUE_BITS 17
#define CLIENT_QUEUE_BITS 15

#define QUEUE_SLEEPERS 40

/* written by those who post */
struct queue_post
{
    _Alignas(SHM_LINE) _Atomic uint64_t tail; /* next position to post; a hint, the tags decide */
    _Atomic uint32_t bell;                    /* futex: changes with every ring */
};

/* written by those who receive */
struct queue_desk
{
    _Alignas(SHM_LINE) _Atomic uint64_t head;        /* next position to take */
    _Alignas(SHM_LINE) _Atomic uint32_t sleepers;    /* threads that sleep on the bell, or are about to */
    _Atomic uint32_t closed;                         /* set by alpcserver: nothing more is going to come */
    _Alignas(SHM_LINE) _Atomic uint64_t sleeping[QUEUE_SLEEPERS]; /* who they are: pid << 32 | tid, 0 = free */
};

/* ---------------------------------------------------------------------------------------------- cell */

/*
 * A cell holds one message for as long as the message lives, with its answer in the same place.  Each end allocates only
 * from its own cells.  What a cell is doing, and by whom, is told by its state word alone:
 *
 *   bits 0-3 phase, 4 waiting, 5-8 process (which of those that share an end), 18-31 generation, 32-63 thread id
 */
enum cell_phase
{
    CELL_FREE = 0,
    CELL_OWNED = 1,      /* the thread is filling it in */
    CELL_EARLY = 2,      /* sent before the connection was accepted */
    CELL_SPENT = 3,      /* answered and read, but kept: the answer did not release it */
    CELL_QUEUED = 4,     /* + end: in that end's queue */
    CELL_HELD = 6,       /* + end: received by that end, which may answer */
    CELL_ANSWERING = 8,  /* + end: the thread, of that end, is reading the message or writing its answer */
    CELL_ANSWER = 10,    /* + end: an answer stands ready for the waiting thread of that end */
    CELL_CANCELED = 12,  /* + end: the other side gave up what that end holds; a notice is in that end's queue */
    CELL_ABANDONED = 14, /* + end: the other side gave up while that end was writing its answer */
};

#define CELL_PHASE_MASK 0xfu
#define CELL_WAITING 0x10u /* a thread sleeps on the low half of the word */
#define CELL_PROCESS_SHIFT 5
#define CELL_PROCESS_MASK 0xfu
#define CELL_GEN_SHIFT 18 /* generation of the content */
#define CELL_GEN_MASK 0x3fffu
#define CELL_THREAD_SHIFT 32

/* cell flags */
#define CELL_SYNC 0x01u     /* the author waits on the cell for the answer */
#define CELL_RELEASE 0x02u  /* nothing is to come after this: a datagram, or an answer that ends the message */
#define CELL_CALLBACK 0x04u /* the answer is itself a request, and who wrote it waits on the cell */
#define CELL_REFUSED 0x08u  /* the answer to a connection request: no */

#define CELL_INLINE_SIZE 128
#define CELL_WINDOW_SIZE 65536

struct cell
{
    _Alignas(SHM_LINE) _Atomic uint64_t state;
    _Atomic uint32_t sequence;  /* CallbackId of the message, counted per end, never 0 */
    _Atomic uint32_t requester; /* thread that allocated the cell */
    _Atomic uint32_t flags;     /* CELL_SYNC ... */
    _Atomic uint32_t length;    /* DataLength | TotalLength << 16 */
    _Atomic uint32_t type;      /* LPC_REQUEST ..., without flag bits */
    _Atomic uint32_t author;    /* thread id of who wrote the content */
    _Atomic uint32_t process;   /* and which of the processes that share its end; 0 is the creator */
    _Atomic uint64_t time;      /* CLOCK_MONOTONIC_COARSE of the request, ns; for alpcdump */
    /*
     * Changes when an answer has been written.  A thread that spins reads this line and not the one above, which the
     * thread that answers would otherwise have to get back with each access.  It tells nothing that the state does not.
     */
    _Alignas(SHM_LINE) _Atomic uint32_t signal;
    /* what follows the PORT_MESSAGE, if it fits; else it is in the cell's window */
    _Alignas(SHM_LINE) uint8_t data[CELL_INLINE_SIZE];
};

/* cells per end; their numbers fit in QUEUE_ENTRY_CELL_BITS with the end on top */
#define CELL_INDEX_BITS 14
#define CELL_INDEX_MASK ((1u << CELL_INDEX_BITS) - 1)
#define CELL_NEAR 16u                          /* these lie in the part of the channel that is always mapped */
#define CELL_COUNT ((1u << CELL_INDEX_BITS) - 2) /* ordinary cells of one end */
#define CELL_ID(end, index) ((uint32_t)(end) << CELL_INDEX_BITS | (index))
#define CELL_END(id) ((enum alpc_end)((id) >> CELL_INDEX_BITS & 1))
/* two cells of the client's that only alpcserver writes: the connection request, and the notice that the client is gone */
#define CELL_CONNECT CELL_ID(END_CLIENT, CELL_COUNT)
#define CELL_CLOSED CELL_ID(END_CLIENT, CELL_COUNT + 1)
#define CELL_NONE 0xffffffffu
/* a connection keeps about this many spent messages of each end */
#define CELL_KEEP_SPENT 1024u

/* ---------------------------------------------------------------------------------------------- channel */

/* header.link: how far the connection has come; alpcserver writes it */
#define LINK_STAGE_MASK 0xfu
#define LINK_CONNECTING 1u
#define LINK_ACCEPTING 2u /* accepted; alpcserver is queueing the early messages */
#define LINK_CONNECTED 3u
#define LINK_REFUSED 4u   /* no other stage has this bit */
#define LINK_CLIENT_GONE 0x10u  /* closed or disconnected */
#define LINK_SERVER_GONE 0x20u
#define LINK_GONE(end) ((end) == END_CLIENT ? LINK_CLIENT_GONE : LINK_SERVER_GONE)
#define LINK_LOST (LINK_REFUSED | LINK_CLIENT_GONE | LINK_SERVER_GONE) /* any of these: nothing can be sent */
#define LINK_CLIENT_CLOSED 0x40u /* gone because its last handle was closed */
#define LINK_SERVER_CLOSED 0x80u
#define LINK_CLOSED(end) ((end) == END_CLIENT ? LINK_CLIENT_CLOSED : LINK_SERVER_CLOSED)
#define LINK_CLOSED_TOLD 0x100u /* the client has received its LPC_PORT_CLOSED */

/* what one end keeps about its cells */
struct channel_end
{
    _Alignas(SHM_LINE) _Atomic uint32_t sequence; /* messages sent */
    _Atomic uint32_t limit;                       /* free cells are looked for below this index */
    _Atomic uint32_t peak;                        /* highest limit ever */
};

/* processes that can share an end of a connection */
#define ROSTER_PROCESSES 6

struct channel_header
{
    uint32_t magic;
    uint32_t version;
    uint64_t connection; /* alpcserver's number of the connection */
    _Alignas(SHM_LINE) _Atomic uint32_t link;
    _Atomic uint32_t max_message;                 /* TotalLength that either end may send */
    _Atomic uint32_t sharer[2][ROSTER_PROCESSES]; /* ids of the processes at each end by cell.process; not the first */
    struct channel_end end[2];
    struct queue_post post; /* of the client port's queue */
    struct queue_desk desk;
    _Alignas(256) struct cell connect;
    struct cell closed;
};

#define CHANNEL_MAGIC 0x43504c41u /* "ALPC" */

#define CHANNEL_RING_OFFSET 0x1000
#define CHANNEL_NEAR_OFFSET (CHANNEL_RING_OFFSET + (8 << CLIENT_QUEUE_BITS))
#define CHANNEL_HOT_SIZE (CHANNEL_NEAR_OFFSET + 2 * CELL_NEAR * 256)

/* the far part: cells that do not lie near, and a window for each cell; sparse, so only what is used takes memory */
#define CHANNEL_FAR_OFFSET 0x80000
#define CHANNEL_FAR_CELLS_SIZE (2u << CELL_INDEX_BITS << 8)
#define CHANNEL_FAR_WINDOWS 0x800000
#define CHANNEL_FAR_SIZE ((uint64_t)CHANNEL_FAR_WINDOWS + ((uint64_t)2 * CELL_WINDOW_SIZE << CELL_INDEX_BITS))
#define CHANNEL_SIZE (CHANNEL_FAR_OFFSET + CHANNEL_FAR_SIZE)

/* ---------------------------------------------------------------------------------------------- connection port */

/* what the file behind the handles of a port begins with: who has a handle learns the port's key from it */
struct port_file
{
    uint64_t magic;
    uint64_t key;
};

#define PORT_FILE_MAGIC 0x74726f702043504cu /* "LPC port" */
/* of the whole file, bytes: no other file that a handle may have has just this size */
#define PORT_FILE_SIZE 0x504e54414c5043

#define PORT_POST_SIZE (0x1000 + (8 << PORT_QUEUE_BITS)) /* the post, then the ring at 0x1000 */
#define PORT_DESK_SIZE 0x1000

/* connections of one connection port; slot 0 is never used, so that no message id is 0 */
#define ROSTER_BITS 14
#define ROSTER_SIZE (1u << ROSTER_BITS)

enum roster_state
{
    ROSTER_FREE = 0,      /* no connection, or one that the server has closed: there is nothing to receive */
    ROSTER_PENDING = 1,   /* not accepted yet */
    ROSTER_CONNECTED = 2,
    ROSTER_CLOSED = 3,    /* the client is gone; what it sent is being told as canceled */
};

struct roster_entry
{
    _Alignas(SHM_LINE) _Atomic uint32_t generation; /* changes when the slot gets a new connection */
    _Atomic uint32_t state;
    _Atomic uint64_t port_context;                  /* what NtAlpcAcceptConnectPort was given */
    _Atomic uint32_t process[ROSTER_PROCESSES];     /* process ids at the client end by cell.process */
};

/* ---------------------------------------------------------------------------------------------- message ids */

/*
 * A MessageId names the connection, the cell and the low bits of the generation, so that a reply through the connection
 * port finds its message: 14 bits of slot, 15 of cell, 2 of generation; bit 31 stays clear for resource reserves.
 */
#define MESSAGE_ID(slot, cell, gen) ((uint32_t)(slot) << 17 | (uint32_t)(cell) << 2 | ((gen) & 3u))
#define MESSAGE_SLOT(id) ((id) >> 17 & (ROSTER_SIZE - 1))
#define MESSAGE_CELL(id) ((id) >> 2 & 0x7fffu)
#define MESSAGE_GEN(id) ((id) & 3u)

_Static_assert(QUEUE_ENTRY_CELL_BITS + QUEUE_ENTRY_SLOT_BITS + QUEUE_ENTRY_GEN_BITS + QUEUE_ENTRY_TAG_BITS == 64,
               "queue entry");
_Static_assert(sizeof(struct cell) == 256, "cell");
_Static_assert(offsetof(struct cell, data) + CELL_INLINE_SIZE == sizeof(struct cell), "cell data");
_Static_assert(sizeof(struct channel_header) <= CHANNEL_RING_OFFSET, "channel header");
_Static_assert(CHANNEL_HOT_SIZE <= CHANNEL_FAR_OFFSET, "channel parts");
_Static_assert(sizeof(struct queue_desk) <= PORT_DESK_SIZE, "desk");
_Static_assert(sizeof(struct roster_entry) == SHM_LINE, "roster entry");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics");

#endif
