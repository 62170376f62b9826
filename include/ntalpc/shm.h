/*
 * Layout of the memory that programs and alpcserver share
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Three kinds of shared memory, beside the page of each process (process_page.h), carry the data path (docs/design.md
 * 5):
 *
 *   channel   one per connection, written by both ends and by alpcserver: the cells that hold messages, and the queue
 *             of the client communication port
 *   queue     the main queue of a connection port in two parts: the post, written by every client, and the desk,
 *             written by the processes that hold the port and read-only for clients
 *   roster    one per connection port: who is at the other end of each connection; written by alpcserver only
 *
 * All that share it have the same PROTOCOL_VERSION (protocol.h), which changes with any of this.  A mark in the memory
 * would be worth nothing: the peer could write over it before this process has looked.
 *
 * Whoever reads a field that a peer can write copies it first, then checks the copy, then uses it.
 */

#ifndef NTALPC_SHM_H
#define NTALPC_SHM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define SHM_LINE 64

/* the two ends of a connection */
enum alpc_end
{
    END_CLIENT = 0,
    END_SERVER = 1
};

static inline enum alpc_end other_end(enum alpc_end end)
{
    return end == END_CLIENT ? END_SERVER : END_CLIENT;
}

/* [alpc.md 4.1] */
enum port_kind
{
    PORT_CONNECTION = 0, /* of a server, receives from all its clients */
    PORT_CLIENT = 1,     /* communication ports, one of each for a connection */
    PORT_SERVER = 2
};

/* ---------------------------------------------------------------------------------------------- waiters */

#define WAITERS_KNOWN 40 /* by name; more only count as sleepers */

/* the threads that wait in a receive */
struct waiters
{
    _Alignas(SHM_LINE) _Atomic uint32_t sleepers; /* threads that sleep on the bell, or are about to */
    /* threads that wait, asleep or not: what is sent next is theirs [4.7]; 0 = free */
    _Alignas(SHM_LINE) _Atomic uint64_t waiting[WAITERS_KNOWN];
};

/* a thread that waits, by Windows' numbers; the top bit tells that it counts as a sleeper too */
#define WAITER(process, thread) ((uint64_t)(process) << 32 | (thread))
#define WAITER_ASLEEP (UINT64_C(1) << 63)

/* ---------------------------------------------------------------------------------------------- queue */

/*
 * A queue is a bounded ring of 64-bit entries.  Position t, counted from 0, stands in slot t modulo the size and
 * carries the tag of its round, so that a slot tells by itself whether it has been posted for position t: one
 * compare-and-swap posts a message, one more takes it off, and a process that is killed between any two instructions
 * leaves either the old or the new state.  Entries are hints: the state of the cell that an entry names decides what is
 * received.
 */
#define QUEUE_ENTRY_CELL_BITS 15
#define QUEUE_ENTRY_SLOT_BITS 15
#define QUEUE_ENTRY_GEN_BITS 14
#define QUEUE_ENTRY_TAG_BITS 20

/* sizes of the two kinds, as powers of two */
#define PORT_QUEUE_BITS 17
#define CLIENT_QUEUE_BITS 15

/* written by those who post */
struct queue_post
{
    _Alignas(SHM_LINE) _Atomic uint64_t tail; /* next position to post; a hint, the tags decide */
    _Atomic uint32_t bell;                    /* futex: changes with every ring */
};

/* written by those who receive */
struct queue_desk
{
    _Alignas(SHM_LINE) _Atomic uint64_t head; /* next position to take */
    _Atomic uint64_t packed;                  /* when somebody began to move what stands in the ring, coarse_ns() */
    _Atomic uint32_t closed;                  /* set by alpcserver: nothing more is going to come */
    _Atomic uint32_t holes; /* entries in the ring that receivers or alpcserver have made nothing of */
    struct waiters waiters;
};

/* ---------------------------------------------------------------------------------------------- cell */

/*
 * A cell holds one message for as long as the message lives, with its answer in the same place.  Each end allocates
 * only from its own cells.  What a cell is doing, and by whom, is told by its state word alone; which phase may follow
 * which is the table in cell.h.
 *
 *   bits 0-4 phase, 5 waiting, 6-9 process (which of those that share an end), 10 answered, 11 handed,
 *   18-31 generation, 32-63 thread id
 */
enum cell_phase
{
    CELL_FREE = 0,
    CELL_OWNED = 1,      /* the thread is filling it in */
    CELL_EARLY = 2,      /* sent before the connection was accepted */
    CELL_SPENT = 3,      /* answered and read, but kept: the answer did not release it */
    CELL_VOID = 4,       /* cancelled, as who held it knows: kept like a spent one, so that late answers are refused */
    /* the following have an end beside them: + END_CLIENT or END_SERVER, in whose hands the message is */
    CELL_QUEUED = 6,     /* in that end's queue */
    CELL_READING = 8,    /* the thread is reading it; nothing comes after that */
    CELL_HELD = 10,      /* received; may be answered */
    CELL_ANSWERING = 12, /* the thread is writing the answer */
    CELL_ANSWER = 14,    /* an answer stands ready for the waiting thread */
    CELL_CANCELED = 16,  /* the other end gave up what this one holds; a notice is in the queue */
    CELL_ABANDONED = 18, /* the other end gave up while the answer was being written */
    CELL_WITHDRAWN = 20, /* the other end gave up what was not received yet; the queue's entry leads to this */
    CELL_ENDING = 22,    /* a thread of that end releases what is attached */
    CELL_RETRACTED = 24, /* the other end gave up what stood ready for the waiting thread of this one: a callback */
    CELL_PHASES = 26
};

#define CELL_PHASE_MASK 0x1fu
#define CELL_WAITING 0x20u /* a thread sleeps on the low half of the word */
#define CELL_PROCESS_SHIFT 6
#define CELL_PROCESS_MASK 0xfu
#define CELL_ANSWERED 0x400u /* the content is that of the answer */
#define CELL_HANDED 0x800u   /* a receiver waited for it when it was sent: it is received although its sender has gone */
#define CELL_GEN_SHIFT 18    /* generation of the content */
#define CELL_GEN_MASK 0x3fffu
#define CELL_THREAD_SHIFT 32

/* what one end has written: a message, or an answer to it */
struct cell_content
{
    _Atomic uint32_t length;  /* bytes of data | bytes of payload << 16: payload is all that follows the header */
    _Atomic uint32_t flags;   /* CONTENT_* */
    _Atomic uint32_t author;  /* thread id of who wrote it */
    _Atomic uint32_t process; /* and which of the processes that share its end; 0 is the creator */
};

#define CONTENT_SYNC 0x01u    /* who wrote it waits on the cell for the answer, see cell_waiter */
#define CONTENT_RELEASE 0x02u /* nothing is to come after this: a datagram, or an answer that ends the message */
#define CONTENT_REFUSED 0x04u /* the answer to a connection request: no */
#define CONTENT_CANCELED 0x08u /* an answer that is none: who had the message has canceled it */

/*
 * The thread of an end that waits for what the other end writes: for the answer to its message, or to its answer, if
 * that is a request in its turn (a callback).  Both ends have one while a callback stands ready: the thread that is to
 * take it, and the one that sent it.  Each end writes its own, with each message and each answer.
 */
struct cell_waiter
{
    _Atomic uint32_t thread;  /* id; 0 = none */
    _Atomic uint32_t process; /* which of the processes that share the end */
};

/* the longest message less the larger of the two headers [alpc.md 3.9, 2.7] */
#define CELL_MAX_PAYLOAD (0xffffu - 0x28u)
#define CELL_INLINE_SIZE 128
#define CELL_WINDOW_SIZE 65536
#define CELL_ATTACHMENT_SIZE 64

struct cell
{
    _Alignas(SHM_LINE) _Atomic uint64_t state;
    _Atomic uint64_t time;      /* CLOCK_MONOTONIC_COARSE of the request, ns */
    _Atomic uint32_t sequence;  /* CallbackId of the message, counted per end, never 0 */
    _Atomic uint32_t attached;  /* mask of what stands in .attachments, see attachment.h */
    struct cell_waiter waiter[2];
    struct cell_content request;
    /*
     * The signal changes when an answer has been written.  A thread that spins reads this line and not the one above,
     * which the thread that answers would otherwise have to get back with each access; and finds in it all that it
     * needs to know of the answer.
     */
    _Alignas(SHM_LINE) _Atomic uint32_t signal;
    struct cell_content answer;
    _Alignas(SHM_LINE) uint8_t attachments[CELL_ATTACHMENT_SIZE];
    /* the payload, if it fits; else it is in the cell's window */
    _Alignas(SHM_LINE) uint8_t data[CELL_INLINE_SIZE];
};

/* cells per end; their numbers fit in QUEUE_ENTRY_CELL_BITS with the end on top */
#define CELL_INDEX_BITS 14
#define CELL_INDEX_MASK ((1u << CELL_INDEX_BITS) - 1)
#define CELL_NEAR 16u                          /* these lie in the part of the channel that is always mapped */
#define CELL_COUNT ((1u << CELL_INDEX_BITS) - 2) /* ordinary cells of one end */
#define CELL_ID(end, index) ((uint32_t)(end) << CELL_INDEX_BITS | (index))
#define CELL_END(id) ((enum alpc_end)((id) >> CELL_INDEX_BITS & 1))
/*
 * two cells of the client's that only alpcserver writes: the connection request, and the notice that the client is
 * gone
 */
#define CELL_CONNECT CELL_ID(END_CLIENT, CELL_COUNT)
#define CELL_CLOSED CELL_ID(END_CLIENT, CELL_COUNT + 1)
#define CELL_NONE 0xffffffffu
/* a connection keeps about this many spent and void messages of each end */
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
#define LINK_FORSAKEN 0x200u    /* with LINK_REFUSED: the connection port went before it decided */

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
    uint64_t connection; /* alpcserver's number of the connection */
    uint32_t gen_base;   /* added to the generations in message ids: those of an earlier connection are others */
    _Alignas(SHM_LINE) _Atomic uint32_t link;
    _Atomic uint32_t max_payload;                 /* that either end may send */
    _Atomic uint32_t sharer[2][ROSTER_PROCESSES]; /* ids of the processes at each end by cell.process */
    _Atomic uint32_t comm_bell;                   /* futex of those who receive on the server communication port */
    struct channel_end end[2];
    struct queue_post post; /* of the client port's queue */
    struct queue_desk desk;
    struct waiters comm; /* threads that receive on the server communication port */
    _Alignas(256) struct cell connect;
    struct cell closed;
};

#define CHANNEL_RING_OFFSET 0x1000
#define CHANNEL_NEAR_OFFSET (CHANNEL_RING_OFFSET + (8 << CLIENT_QUEUE_BITS))
#define CHANNEL_HOT_SIZE (CHANNEL_NEAR_OFFSET + 2 * CELL_NEAR * 320)

/* the far part: cells that do not lie near, and a window for each cell; sparse, so only what is used takes memory */
#define CHANNEL_FAR_OFFSET 0x80000
#define CHANNEL_FAR_CELLS_SIZE ((2u << CELL_INDEX_BITS) * 320)
#define CHANNEL_FAR_WINDOWS 0xa00000
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
/* connections of one connection port; slot 0 is never used, so that no message id is 0 */
#define ROSTER_BITS 14
#define ROSTER_SIZE (1u << ROSTER_BITS)

/* what those who hold a connection port write, and its clients only read */
struct port_desk
{
    struct queue_desk queue;
    /* by slot: generation of the latest connection whose LPC_PORT_CLOSED has been received */
    _Alignas(0x1000) _Atomic uint32_t told_closed[ROSTER_SIZE];
};

#define PORT_DESK_SIZE sizeof(struct port_desk)

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
    _Atomic uint64_t token_id;                      /* of the token that the client connected with [4.8.2] */
    _Atomic uint64_t authentication_id;
    _Atomic uint64_t modified_id;
};

/* ---------------------------------------------------------------------------------------------- message ids */

/*
 * A MessageId names the connection, the cell and bits of the generation, so that a reply through the connection port
 * finds its message: 14 bits of slot, one of the cell's end, 16 of cell and generation; bit 31 stays clear for resource
 * reserves.  Most connections use few cells, and those are used again soon: they get most bits of generation.
 *
 *   0ggggggggggg cccc      the first 14 cells, the connection request, the notice that the client is gone: 2048
 * generations
 *   10gggggg cccccccc      the next 256: 64 generations
 *   11 cccccccccccccc      any other: they are in use only with hundreds of messages under way
 */
#define MESSAGE_SMALL_CELLS 14u
#define MESSAGE_MIDDLE_CELLS 256u

static inline uint32_t message_id(uint32_t slot, uint32_t cell, uint32_t gen)
{
    uint32_t index = cell & CELL_INDEX_MASK, low;

    if (index < MESSAGE_SMALL_CELLS || index >= CELL_COUNT)
        low = (gen & 0x7ff) << 4 | (index < CELL_COUNT ? index : index - CELL_COUNT + MESSAGE_SMALL_CELLS);
    else if (index < MESSAGE_SMALL_CELLS + MESSAGE_MIDDLE_CELLS)
        low = 0x8000 | (gen & 0x3f) << 8 | (index - MESSAGE_SMALL_CELLS);
    else
        low = 0xc000 | index;
    return slot << 17 | (uint32_t)CELL_END(cell) << 16 | low;
}

static inline uint32_t message_slot(uint32_t id)
{
    return id >> 17 & (ROSTER_SIZE - 1);
}

static inline uint32_t message_cell(uint32_t id)
{
    enum alpc_end end = (enum alpc_end)(id >> 16 & 1);
    uint32_t low = id & 0xffff;

    if (low >= 0xc000)
        return CELL_ID(end, low & CELL_INDEX_MASK);
    if (low >= 0x8000)
        return CELL_ID(end, (low & 0xff) + MESSAGE_SMALL_CELLS);
    low &= 0xf;
    return CELL_ID(end, low < MESSAGE_SMALL_CELLS ? low : low - MESSAGE_SMALL_CELLS + CELL_COUNT);
}

/* ---------------------------------------------------------------------------------------------- layout */

/* nothing of this depends on the pointer size of who maps it */
#define SHM_OFFSET(type, field, offset) _Static_assert(offsetof(struct type, field) == (offset), #type "." #field)
#define SHM_SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)

SHM_OFFSET(waiters, sleepers, 0x00);
SHM_OFFSET(waiters, waiting, 0x40);
SHM_SIZE(waiters, 0x180);
SHM_OFFSET(queue_post, tail, 0x00);
SHM_OFFSET(queue_post, bell, 0x08);
SHM_SIZE(queue_post, 0x40);
SHM_OFFSET(queue_desk, head, 0x00);
SHM_OFFSET(queue_desk, packed, 0x08);
SHM_OFFSET(queue_desk, closed, 0x10);
SHM_OFFSET(queue_desk, holes, 0x14);
SHM_OFFSET(queue_desk, waiters, 0x40);
SHM_SIZE(queue_desk, 0x1c0);
SHM_OFFSET(cell_content, length, 0x00);
SHM_OFFSET(cell_content, flags, 0x04);
SHM_OFFSET(cell_content, author, 0x08);
SHM_OFFSET(cell_content, process, 0x0c);
SHM_SIZE(cell_content, 0x10);
SHM_OFFSET(cell_waiter, thread, 0x00);
SHM_OFFSET(cell_waiter, process, 0x04);
SHM_SIZE(cell_waiter, 0x08);
SHM_OFFSET(cell, state, 0x00);
SHM_OFFSET(cell, time, 0x08);
SHM_OFFSET(cell, sequence, 0x10);
SHM_OFFSET(cell, attached, 0x14);
SHM_OFFSET(cell, waiter, 0x18);
SHM_OFFSET(cell, request, 0x28);
SHM_OFFSET(cell, signal, 0x40);
SHM_OFFSET(cell, answer, 0x44);
SHM_OFFSET(cell, attachments, 0x80);
SHM_OFFSET(cell, data, 0xc0);
SHM_SIZE(cell, 0x140);
SHM_OFFSET(channel_end, sequence, 0x00);
SHM_OFFSET(channel_end, limit, 0x04);
SHM_OFFSET(channel_end, peak, 0x08);
SHM_SIZE(channel_end, 0x40);
SHM_OFFSET(channel_header, connection, 0x00);
SHM_OFFSET(channel_header, gen_base, 0x08);
SHM_OFFSET(channel_header, link, 0x40);
SHM_OFFSET(channel_header, max_payload, 0x44);
SHM_OFFSET(channel_header, sharer, 0x48);
SHM_OFFSET(channel_header, comm_bell, 0x78);
SHM_OFFSET(channel_header, end, 0x80);
SHM_OFFSET(channel_header, post, 0x100);
SHM_OFFSET(channel_header, desk, 0x140);
SHM_OFFSET(channel_header, comm, 0x300);
SHM_OFFSET(channel_header, connect, 0x500);
SHM_OFFSET(channel_header, closed, 0x640);
SHM_SIZE(channel_header, 0x800);
SHM_OFFSET(port_desk, queue, 0x0000);
SHM_OFFSET(port_desk, told_closed, 0x1000);
SHM_SIZE(port_desk, 0x11000);

SHM_OFFSET(roster_entry, generation, 0x00);
SHM_OFFSET(roster_entry, state, 0x04);
SHM_OFFSET(roster_entry, port_context, 0x08);
SHM_OFFSET(roster_entry, process, 0x10);
SHM_OFFSET(roster_entry, token_id, 0x28);
SHM_OFFSET(roster_entry, authentication_id, 0x30);
SHM_OFFSET(roster_entry, modified_id, 0x38);
SHM_SIZE(roster_entry, SHM_LINE);

_Static_assert(QUEUE_ENTRY_CELL_BITS + QUEUE_ENTRY_SLOT_BITS + QUEUE_ENTRY_GEN_BITS + QUEUE_ENTRY_TAG_BITS == 64,
               "queue entry");
_Static_assert(CELL_PHASES <= CELL_PHASE_MASK, "cell phases");
_Static_assert(sizeof(struct channel_header) <= CHANNEL_RING_OFFSET, "channel header");
_Static_assert(CHANNEL_HOT_SIZE <= CHANNEL_FAR_OFFSET, "channel parts");
_Static_assert(CHANNEL_HOT_SIZE == CHANNEL_NEAR_OFFSET + 2 * CELL_NEAR * sizeof(struct cell), "near cells");
_Static_assert(CHANNEL_FAR_CELLS_SIZE == (2u << CELL_INDEX_BITS) * sizeof(struct cell), "far cells");
_Static_assert(CHANNEL_FAR_CELLS_SIZE <= CHANNEL_FAR_WINDOWS, "far parts");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics");

#endif
