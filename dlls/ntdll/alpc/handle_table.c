/*
 * Which handle values are ports
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The host knows what a handle is, the table remembers it.  An entry must not outlive its handle: the value may be
 * given out again at once, for an object of another kind.
 *
 * Closing a handle: count it as begun; then look at its bit in the table; if that is set, take the entry out; let the
 * host close the handle; count it as ended.
 *
 * Finding a port: note how many closes have ended; then ask the host; set the bit and make the entry; then compare how
 * many closes have begun with what was noted.
 *
 * If the numbers are the same, every close that had begun by then had also ended before the host was asked, so the
 * answer is none that a close has overtaken; and every close that begins later sees the bit.  So the entry is right
 * until it is taken out.  If they differ, some close was under way; perhaps of this handle, by a thread that did not
 * see the bit. The entry is doubtful then: it has a reference to the port and leads closes to it, but whoever looks up
 * the handle asks the host again, and makes the entry certain if this time the numbers are the same.  A thread that is
 * terminated within a close counts as begun for ever: one in HANDLE_CLOSES handles is asked for at each use from then
 * on, and right.
 *
 * An event that stands for a port (light) cannot be asked for; it is certain from the beginning, for its maker alone
 * knows its value.
 *
 * What other processes close in this one is told by alpcserver in a log (page.h).  An entry says how far the log had
 * been written when the host was asked; a look-up reads on from there, and asks again if the handle is named.
 *
 * Entries are changed under the process lock.
 */

#include "handle_table.h"

#include "page.h"

#include <stdlib.h>

/* handle values below 4 * HANDLES; Wine gives out the lowest ones that are free */
#define HANDLES (1u << 20)
#define BLOCK (1u << 10)

#define VERSION_ANY UINT32_MAX /* of no entry */

struct entry
{
    _Atomic(void *) port;     /* with DOUBTFUL added */
    _Atomic uint64_t checked; /* how far the log of closes has been read; written before port */
    _Atomic uint32_t version; /* changes with the port */
};

#define DOUBTFUL 1u

static _Atomic(struct entry *) blocks[HANDLES / BLOCK];
uint8_t handle_table_known[HANDLES / 8];
const uint32_t handle_table_count = HANDLES;
struct handle_closes handle_table_closes[HANDLE_CLOSES];

static struct port *port_of(void *word)
{
    return (struct port *)((uintptr_t)word & ~(uintptr_t)DOUBTFUL);
}

static struct entry *find_entry(HANDLE handle)
{
    ULONG_PTR index = (ULONG_PTR)handle >> 2;
    struct entry *block = index < HANDLES ? atomic_load_explicit(&blocks[index / BLOCK], memory_order_acquire) : NULL;

    return block ? &block[index % BLOCK] : NULL;
}

/* with the process lock held; NULL when memory is short */
static struct entry *make_entry(HANDLE handle)
{
    ULONG_PTR index = (ULONG_PTR)handle >> 2;

    if (!atomic_load(&blocks[index / BLOCK]))
        atomic_store(&blocks[index / BLOCK], calloc(BLOCK, sizeof(struct entry)));
    return find_entry(handle);
}

static bool is_known(HANDLE handle)
{
    ULONG_PTR index = (ULONG_PTR)handle >> 2;

    return index < HANDLES && __atomic_load_n(&handle_table_known[index / 8], __ATOMIC_SEQ_CST) >> index % 8 & 1;
}

static void set_known(HANDLE handle, bool known)
{
    ULONG_PTR index = (ULONG_PTR)handle >> 2;
    uint8_t bit = (uint8_t)(1u << index % 8);

    if (known)
        __atomic_fetch_or(&handle_table_known[index / 8], bit, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&handle_table_known[index / 8], (uint8_t)~bit, __ATOMIC_SEQ_CST);
}

/* ---------------------------------------------------------------------------------------------- looking */

void handle_table_look_ahead(struct handle_view *view)
{
    unsigned int i;

    view->closes = page_closes();
    for (i = 0; i < HANDLE_CLOSES; i++)
        view->ended[i] = __atomic_load_n(&handle_table_closes[i].ended, __ATOMIC_SEQ_CST);
    view->version = VERSION_ANY;
    view->port = NULL;
    view->light = view->doubtful = false;
}

void handle_table_look(HANDLE handle, struct handle_view *view)
{
    struct entry *entry = find_entry(handle);
    sigset_t saved;

    handle_table_look_ahead(view);
    view->version = entry ? atomic_load(&entry->version) : 0;
    if (!entry || !is_known(handle))
        return;
    process_lock(&saved);
    view->version = atomic_load(&entry->version);
    view->port = port_of(atomic_load(&entry->port));
    view->light = view->port && view->port->light;
    process_unlock(&saved);
}

/* whether nobody else has closed the handle since the entry was made or last read */
static bool read_log(HANDLE handle, struct entry *entry, uint64_t checked)
{
    uint64_t now = page_closes();

    if (checked == now)
        return true;
    if (page_closed(handle, checked, now))
        return false;
    /* of the entry that it was read for, or of one that says the same */
    atomic_compare_exchange_strong(&entry->checked, &checked, now);
    return true;
}

struct port *handle_table_find(struct thread *thread, HANDLE handle)
{
    struct entry *entry = find_entry(handle);
    uint64_t checked;
    void *word;

    if (!entry)
        return NULL;
    checked = atomic_load_explicit(&entry->checked, memory_order_acquire);
    if (!(word = thread_use(thread, USE_PORT, &entry->port)))
        return NULL;
    if (!((uintptr_t)word & DOUBTFUL) && read_log(handle, entry, checked))
        return word;
    thread_release(thread, USE_PORT);
    return NULL;
}

/* ---------------------------------------------------------------------------------------------- changing */

/* with the process lock held: takes out what is there, its reference into the thread's hold */
static void take(HANDLE handle, struct entry *entry, void **held)
{
    *held = port_of(atomic_load(&entry->port));
    set_known(handle, false);
    atomic_store(&entry->port, NULL);
    atomic_fetch_add(&entry->version, 1);
}

static NTSTATUS put(struct thread *thread, HANDLE handle, struct port *port, const struct handle_view *view)
{
    struct handle_closes *closes = closes_of(handle_table_closes, handle);
    struct entry *entry = make_entry(handle);
    struct port *old;
    uintptr_t doubt;

    if (!entry)
        return STATUS_NO_MEMORY;
    if (!port->refs)
        return STATUS_PORT_DISCONNECTED;
    if (view->version != VERSION_ANY && view->version != atomic_load(&entry->version))
        return STATUS_RETRY;
    old = port_of(atomic_load(&entry->port));
    if (old && old != port)
        take(handle, entry, &thread->hold.replaced);
    if (old != port)
    {
        port->refs++;
        atomic_fetch_add(&entry->version, 1);
    }
    set_known(handle, true);
    doubt = !port->light && (view->doubtful || closes_begun(closes) != view->ended[closes - handle_table_closes]);
    atomic_store(&entry->checked, view->closes);
    atomic_store(&entry->port, (void *)((uintptr_t)port | doubt));
    atomic_store(&thread->use[USE_PORT], port);
    return STATUS_SUCCESS;
}

NTSTATUS handle_table_put(struct thread *thread, HANDLE handle, struct port *port, const struct handle_view *view)
{
    sigset_t saved;
    NTSTATUS status;

    if ((ULONG_PTR)handle >> 2 >= HANDLES)
        return STATUS_INVALID_HANDLE;
    process_lock(&saved);
    status = put(thread, handle, port, view);
    process_unlock(&saved);
    return status;
}

struct port *handle_table_take(struct thread *thread, HANDLE handle, const struct port *only,
                               const struct handle_view *view)
{
    struct entry *entry = find_entry(handle);
    struct port *port = NULL;
    sigset_t saved;

    if (!entry || !is_known(handle))
        return NULL;
    process_lock(&saved);
    if ((!view || view->version == atomic_load(&entry->version)) && (port = port_of(atomic_load(&entry->port))) &&
        (!only || port == only))
        take(handle, entry, &thread->hold.closing);
    else
        port = NULL;
    process_unlock(&saved);
    return port;
}
