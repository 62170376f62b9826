/*
 * Port handles
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "handle.h"

#include "object.h"
#include "page.h"
#include "process.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* handle values below 4 * HANDLES; Wine gives out the lowest ones that are free */
#define HANDLES (1u << 20)

struct handle_entry
{
    _Atomic(void *) port;
    _Atomic uint32_t generation; /* of the process' handles when the entry was last known to be right */
};

static struct handle_entry *table;
static uint8_t *known; /* for the PE half: one bit for each entry with a port */

const uint8_t *handle_table_init(uint32_t *count)
{
    void *memory = mmap(NULL, HANDLES * sizeof(*table) + HANDLES / 8, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    table = memory;
    known = (uint8_t *)(table + HANDLES);
    *count = HANDLES;
    return known;
}

static struct handle_entry *entry_of(HANDLE handle)
{
    ULONG_PTR index = (ULONG_PTR)handle >> 2;

    return index < HANDLES ? &table[index] : NULL;
}

static uint32_t generation(void)
{
    return atomic_load_explicit(&atomic_load_explicit(&process_page, memory_order_acquire)->closes, memory_order_acquire);
}

/* ---------------------------------------------------------------------------------------------- the table */

static void add_entry(HANDLE handle, struct port *port)
{
    struct handle_entry *entry = entry_of(handle);
    ULONG_PTR index = (ULONG_PTR)handle >> 2;

    object_handle_added(port);
    if (!entry)
        return; /* a port with such a handle stays until the process ends */
    atomic_store(&entry->generation, generation());
    atomic_store(&entry->port, port);
    __atomic_fetch_or(&known[index / 8], (uint8_t)(1u << (index % 8)), __ATOMIC_SEQ_CST);
}

/* takes the port out of the entry; the caller says what becomes of it */
static struct port *take_entry(HANDLE handle)
{
    struct handle_entry *entry = entry_of(handle);
    ULONG_PTR index = (ULONG_PTR)handle >> 2;

    if (!entry)
        return NULL;
    __atomic_fetch_and(&known[index / 8], (uint8_t)~(1u << (index % 8)), __ATOMIC_SEQ_CST);
    return atomic_exchange(&entry->port, NULL);
}

/* ---------------------------------------------------------------------------------------------- looking */

bool handle_may_have_name(const UNICODE_STRING *name)
{
    static const WCHAR opened_through[] = { '\\', '?', '?', '\\', 'u', 'n', 'i', 'x', '\\', 'p', 'r', 'o', 'c', '\\' };

    /* older versions of Wine know no name of a file that has been deleted, as it looks to them */
    return !name->Length ||
           (name->Length > sizeof(opened_through) && !memcmp(name->Buffer, opened_through, sizeof(opened_through)));
}

/* reads the beginning of a file of the size that a port's has; the file is in memory, so it is there at once */
static bool read_file(HANDLE handle, struct port_file *file)
{
    LARGE_INTEGER offset = { .QuadPart = 0 };
    IO_STATUS_BLOCK io = { .Information = 0 };
    HANDLE copy;
    NTSTATUS status = host_NtReadFile(handle, NULL, NULL, NULL, &io, file, sizeof(*file), &offset, NULL);

    /* the program may have a handle without the right to read what it is for */
    if (status == STATUS_ACCESS_DENIED &&
        !host_NtDuplicateObject(CURRENT_PROCESS, handle, CURRENT_PROCESS, &copy, PORT_ALL_ACCESS, 0, 0))
    {
        status = host_NtReadFile(copy, NULL, NULL, NULL, &io, file, sizeof(*file), &offset, NULL);
        host_NtClose(copy);
    }
    return status >= 0 && io.Information == sizeof(*file) && file->magic == PORT_FILE_MAGIC;
}

/* the key in the file that a port's handle was opened by, or the status that tells it is no such handle */
static NTSTATUS query_file(HANDLE handle, uint64_t *key)
{
    struct
    {
        int64_t allocated, size;
        ULONG links;
        UCHAR delete_pending, directory;
    } standard;
    struct
    {
        UNICODE_STRING name;
        WCHAR buffer[64];
    } name;
    struct port_file file;
    IO_STATUS_BLOCK io;
    NTSTATUS status;
    ULONG size;

    if ((status = host_NtQueryObject(handle, ObjectNameInformation, &name, sizeof(name), &size)))
        return status == STATUS_INVALID_HANDLE ? status : STATUS_OBJECT_TYPE_MISMATCH;
    if (!handle_may_have_name(&name.name) ||
        host_NtQueryInformationFile(handle, &io, &standard, sizeof(standard), FileStandardInformation) ||
        standard.size != PORT_FILE_SIZE || !read_file(handle, &file))
        return STATUS_OBJECT_TYPE_MISMATCH;
    *key = file.key;
    return STATUS_SUCCESS;
}

bool handle_is_port_file(HANDLE handle)
{
    uint64_t key;

    return !query_file(handle, &key);
}

static bool still_right(HANDLE handle, const struct port *port)
{
    uint64_t key;

    return port->light || (!query_file(handle, &key) && key == port->key);
}

/* finds out what a handle is that the table does not know, or not for certain any more */
static NTSTATUS identify(HANDLE handle)
{
    struct handle_entry *entry = entry_of(handle);
    struct port *port = entry ? atomic_load(&entry->port) : NULL;
    uint32_t now = generation();
    uint64_t key;
    NTSTATUS status;

    if (port && (atomic_load(&entry->generation) == now || still_right(handle, port)))
    {
        atomic_store(&entry->generation, now);
        return STATUS_SUCCESS;
    }
    if (port)
        object_handle_removed(take_entry(handle));
    if ((status = query_file(handle, &key)) || (status = object_attach_port(key, &port)))
        return status;
    add_entry(handle, port);
    return entry ? STATUS_SUCCESS : STATUS_INVALID_HANDLE;
}

struct port *handle_known_port(struct thread *thread, HANDLE handle)
{
    struct handle_entry *entry = entry_of(handle);
    struct port *port;

    if (!entry || !(port = thread_use(thread, USE_PORT, &entry->port)))
        return NULL;
    if (atomic_load_explicit(&entry->generation, memory_order_relaxed) == generation())
        return port;
    thread_release(thread, USE_PORT);
    return NULL;
}

NTSTATUS handle_port(struct thread *thread, HANDLE handle, struct port **port)
{
    sigset_t saved;
    NTSTATUS status;

    if ((*port = handle_known_port(thread, handle)))
        return STATUS_SUCCESS;
    process_lock(&saved);
    status = identify(handle);
    process_unlock(&saved);
    if (!status && !(*port = handle_known_port(thread, handle)))
        status = STATUS_INVALID_HANDLE; /* closed by another thread meanwhile */
    return status;
}

struct port *handle_if_port(struct thread *thread, HANDLE handle)
{
    struct port *port;

    return handle_port(thread, handle, &port) ? NULL : port;
}

/* ---------------------------------------------------------------------------------------------- making and closing */

static NTSTATUS open_file(int fd, ULONG attributes, HANDLE *handle)
{
    char path[64];
    WCHAR wide[64];
    UNICODE_STRING name = { .Buffer = wide };
    OBJECT_ATTRIBUTES oa = { .Length = sizeof(oa), .ObjectName = &name, .Attributes = attributes & OBJ_INHERIT };
    IO_STATUS_BLOCK io;
    int i, length = snprintf(path, sizeof(path), "\\??\\unix\\proc\\%d\\fd\\%d", (int)getpid(), fd);

    for (i = 0; i < length; i++)
        wide[i] = (WCHAR)path[i];
    name.Length = name.MaximumLength = (USHORT)(length * (int)sizeof(WCHAR));
    /* not for synchronous use, so that the name can be attached */
    return host_NtCreateFile(handle, PORT_ALL_ACCESS, &oa, &io, NULL, 0, FILE_SHARE_ALL, FILE_OPEN, 0, NULL, 0);
}

static NTSTATUS make_event(ULONG attributes, HANDLE *handle)
{
    OBJECT_ATTRIBUTES oa = { .Length = sizeof(oa), .Attributes = attributes & OBJ_INHERIT };

    return host_NtCreateEvent(handle, PORT_ALL_ACCESS, &oa, 0, 0);
}

/* a completion port that belongs to a file lives as long as the file: so does its name */
static NTSTATUS attach_name(HANDLE handle, HANDLE name)
{
    struct
    {
        HANDLE port;
        ULONG_PTR key;
    } completion = { name, 0 };
    IO_STATUS_BLOCK io;

    return host_NtSetInformationFile(handle, &io, &completion, sizeof(completion), FileCompletionInformation);
}

NTSTATUS handle_create(struct port *port, int fd, ULONG attributes, HANDLE name, HANDLE *handle)
{
    HANDLE new;
    NTSTATUS status = fd == -1 ? make_event(attributes, &new) : open_file(fd, attributes, &new);

    if (fd != -1)
        close(fd);
    if (status)
        return status;
    if (name && (status = attach_name(new, name)))
    {
        host_NtClose(new);
        return status;
    }
    add_entry(new, port);
    *handle = new;
    return STATUS_SUCCESS;
}

/*
 * The entry is taken out before the handle is closed: the value may be given out again at once.  A handle that is
 * protected from being closed gets its entry back.
 */
NTSTATUS handle_close_locked(HANDLE handle)
{
    struct port *port = take_entry(handle);
    NTSTATUS status = host_NtClose(handle);

    if (port && status && status != STATUS_INVALID_HANDLE)
        add_entry(handle, port);
    if (port)
        object_handle_removed(port);
    return status;
}

void handle_withdraw(HANDLE handle, const struct port *port)
{
    struct handle_entry *entry = entry_of(handle);
    sigset_t saved;

    process_lock(&saved);
    if (entry && atomic_load(&entry->port) == port)
        handle_close_locked(handle);
    process_unlock(&saved);
}

NTSTATUS handle_close(HANDLE handle)
{
    sigset_t saved;
    NTSTATUS status;

    process_lock(&saved);
    status = handle_close_locked(handle);
    process_unlock(&saved);
    return status;
}

NTSTATUS handle_duplicate(HANDLE source, HANDLE target_process, HANDLE *target, ACCESS_MASK access, ULONG attributes,
                          ULONG options)
{
    struct port *port;
    sigset_t saved;
    NTSTATUS status;

    process_lock(&saved);
    port = take_entry(source);
    status = host_NtDuplicateObject(CURRENT_PROCESS, source, target_process, target, access, attributes, options);
    if (port && !status && target && target_process == CURRENT_PROCESS)
        add_entry(*target, port);
    /* the source is closed even when the duplication fails */
    if (port && !(options & DUPLICATE_CLOSE_SOURCE))
        add_entry(source, port);
    if (port)
        object_handle_removed(port);
    process_unlock(&saved);
    return status;
}
