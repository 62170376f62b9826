/*
 * Port handles
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "handle.h"

#include "handle_table.h"
#include "object.h"
#include "process.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---------------------------------------------------------------------------------------------- references */

/* a reference less to a port that was in the table or is in the thread's hold */
static void drop_port(struct thread *thread, struct port *port)
{
    HANDLE placeholder = port->placeholder;

    if (object_port_unref(thread, port) && placeholder)
        handle_close(thread, placeholder);
}

static void drop(struct thread *thread, void **held)
{
    struct port *port = *held;

    *held = NULL;
    if (port)
        drop_port(thread, port);
}

/* what the thread has taken out of the table */
static void drop_closing(struct thread *thread)
{
    drop(thread, &thread->hold.closing);
    drop(thread, &thread->hold.replaced);
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
static bool read_file(struct thread *thread, HANDLE handle, struct port_file *file)
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
        handle_close(thread, copy);
    }
    return status >= 0 && io.Information == sizeof(*file) && file->magic == PORT_FILE_MAGIC;
}

/* the key in the file that a port's handle was opened by, or the status that tells it is no such handle */
static NTSTATUS query_file(struct thread *thread, HANDLE handle, uint64_t *key)
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
        standard.size != PORT_FILE_SIZE || !read_file(thread, handle, &file))
        return STATUS_OBJECT_TYPE_MISMATCH;
    *key = file.key;
    return STATUS_SUCCESS;
}

bool handle_is_port_file(struct thread *thread, HANDLE handle)
{
    uint64_t key;

    return !query_file(thread, handle, &key);
}

/* an event that stands for a port: all that can be told is whether there still is a handle */
static NTSTATUS identify_light(struct thread *thread, HANDLE handle, const struct handle_view *view, struct port **port)
{
    OBJECT_BASIC_INFORMATION basic;
    ULONG size;
    NTSTATUS status = host_NtQueryObject(handle, ObjectBasicInformation, &basic, sizeof(basic), &size);

    *port = view->port;
    return status == STATUS_INVALID_HANDLE ? status : handle_table_put(thread, handle, view->port, view);
}

static NTSTATUS identify_file(struct thread *thread, HANDLE handle, const struct handle_view *view, struct port **port)
{
    uint64_t key;
    NTSTATUS status;

    if ((status = query_file(thread, handle, &key)) || (status = object_attach_port(thread, key, port)))
        return status;
    status = handle_table_put(thread, handle, *port, view);
    drop_closing(thread);
    drop(thread, &thread->hold.port);
    return status;
}

/* finds out what a handle is that the table does not know, or not for certain any more */
static NTSTATUS identify(struct thread *thread, HANDLE handle, struct port **port)
{
    struct handle_view view;
    NTSTATUS status;

    thread_begin_steps(thread);
    do
    {
        handle_table_look(handle, &view);
        status = view.light ? identify_light(thread, handle, &view, port) : identify_file(thread, handle, &view, port);
        /* an answer that is older than what the table says by now counts for nothing */
        if (status && status != STATUS_RETRY && view.port && !handle_table_take(thread, handle, view.port, &view))
            status = STATUS_RETRY;
        drop_closing(thread);
    } while (status == STATUS_RETRY);
    thread_end_steps(thread);
    return status;
}

NTSTATUS handle_port(struct thread *thread, HANDLE handle, struct port **port)
{
    return (*port = handle_table_find(thread, handle)) ? STATUS_SUCCESS : identify(thread, handle, port);
}

struct port *handle_if_port(struct thread *thread, HANDLE handle)
{
    struct port *port;

    return handle_port(thread, handle, &port) ? NULL : port;
}

/* ---------------------------------------------------------------------------------------------- making */

/* closes the file in the thread's hold */
static void close_file(struct thread_hold *hold)
{
    sigset_t saved;

    signals_block(&saved);
    if (hold->file != -1)
        close(hold->file);
    hold->file = -1;
    signals_restore(&saved);
}

/*
 * Whether a handle just made is for the port's file.  Asks a duplicate: the host keeps a descriptor of what it has
 * looked into, and the file must be gone as soon as wineserver has closed the handle of a process that ends.
 */
static bool leads_to(struct thread *thread, HANDLE handle, const struct port *port)
{
    HANDLE copy;
    uint64_t key;
    bool same;

    if (host_NtDuplicateObject(CURRENT_PROCESS, handle, CURRENT_PROCESS, &copy, 0, 0, DUPLICATE_SAME_ACCESS))
        return false;
    same = !query_file(thread, copy, &key) && key == port->key;
    handle_close(thread, copy);
    return same;
}

/*
 * wineserver opens it through this process, if it can see into it.  Where it has other process ids this may be another
 * file; that is so always or never, and found out once.
 */
static NTSTATUS open_file(struct thread *thread, ULONG attributes)
{
    char path[64];
    WCHAR wide[64];
    UNICODE_STRING name = { .Buffer = wide };
    OBJECT_ATTRIBUTES oa = { .Length = sizeof(oa), .ObjectName = &name, .Attributes = attributes & OBJ_INHERIT };
    static _Atomic bool proven;
    IO_STATUS_BLOCK io;
    int i, length = snprintf(path, sizeof(path), "\\??\\unix\\proc\\%d\\fd\\%d", (int)getpid(), thread->hold.file);
    NTSTATUS status;

    for (i = 0; i < length; i++)
        wide[i] = (WCHAR)path[i];
    name.Length = name.MaximumLength = (USHORT)(length * (int)sizeof(WCHAR));
    /* not for synchronous use, so that the name can be attached */
    status = host_NtCreateFile(&thread->hold.handle, PORT_ALL_ACCESS, &oa, &io, NULL, 0, FILE_SHARE_ALL, FILE_OPEN, 0,
                               NULL, 0);
    if (status || atomic_load(&proven))
        return status;
    if (leads_to(thread, thread->hold.handle, thread->hold.port))
    {
        atomic_store(&proven, true);
        return STATUS_SUCCESS;
    }
    handle_close(thread, thread->hold.handle);
    thread->hold.handle = NULL;
    return STATUS_OBJECT_TYPE_MISMATCH;
}

/* sends it to wineserver: needs nothing of the system, but a file that has come in this way cannot hold a name */
static NTSTATUS send_file(struct thread *thread, ULONG attributes)
{
    return host_wine_server_fd_to_handle(thread->hold.file, PORT_ALL_ACCESS, attributes & OBJ_INHERIT,
                                         &thread->hold.handle);
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

/* where the file cannot hold the name this process does, as long as it has the port */
static NTSTATUS make_named(struct thread *thread, ULONG attributes)
{
    struct port *port = thread->hold.port;
    sigset_t saved;

    if (!open_file(thread, attributes))
        return attach_name(thread->hold.handle, thread->hold.placeholder);
    signals_block(&saved);
    port->placeholder = thread->hold.placeholder;
    thread->hold.placeholder = NULL;
    signals_restore(&saved);
    return send_file(thread, attributes);
}

static NTSTATUS make_event(struct thread *thread, ULONG attributes)
{
    OBJECT_ATTRIBUTES oa = { .Length = sizeof(oa), .Attributes = attributes & OBJ_INHERIT };

    return host_NtCreateEvent(&thread->hold.handle, PORT_ALL_ACCESS, &oa, 0, 0);
}

NTSTATUS handle_create(struct thread *thread, ULONG attributes, HANDLE *handle)
{
    struct thread_hold *hold = &thread->hold;
    struct port *port = hold->port;
    struct handle_view view;
    NTSTATUS status;

    handle_table_look_ahead(&view);
    thread_begin_steps(thread);
    if (port->light)
        status = make_event(thread, attributes);
    else if (hold->placeholder)
        status = make_named(thread, attributes);
    else
        status = send_file(thread, attributes);
    close_file(hold);
    thread_end_steps(thread);
    if (status)
        return status;
    *handle = hold->handle;
    status = handle_table_put(thread, hold->handle, port, &view);
    hold->listed = !status;
    drop_closing(thread);
    return status;
}

void handle_given(struct thread *thread)
{
    struct thread_hold *hold = &thread->hold;
    HANDLE placeholder = hold->placeholder;

    hold->handle = hold->placeholder = NULL;
    hold->listed = false;
    if (placeholder)
        handle_close(thread, placeholder);
    drop(thread, &hold->port);
}

/* one that stands in the table is the program's to close, too: then the value is of something else by now */
static void withdraw(struct thread *thread)
{
    struct thread_hold *hold = &thread->hold;
    HANDLE handle = hold->handle;
    struct handle_closes *closes = closes_of(handle_table_closes, handle);

    hold->handle = NULL;
    if (!handle)
        return;
    thread_begin_steps(thread);
    closes_begin(closes);
    if (!hold->listed || handle_table_take(thread, handle, hold->port, NULL))
        host_NtClose(handle);
    closes_end(closes);
    drop_closing(thread);
    thread_end_steps(thread);
}

void handle_give_back(struct thread *thread)
{
    sigset_t saved;

    signals_block(&saved);
    thread_close_fds(thread);
    signals_restore(&saved);
    close_file(&thread->hold);
    drop_closing(thread);
    withdraw(thread);
    handle_given(thread);
}

/* ---------------------------------------------------------------------------------------------- closing */

/*
 * The entry is taken out before the handle is closed: the value may be given out again at once.  A handle that is
 * protected from being closed is looked at again when it is used; one that cannot be looked at gets its entry back.
 */
NTSTATUS handle_close(struct thread *thread, HANDLE handle)
{
    struct handle_closes *closes = closes_of(handle_table_closes, handle);
    struct handle_view view;
    struct port *port;
    NTSTATUS status;

    thread_begin_steps(thread);
    handle_table_look_ahead(&view);
    closes_begin(closes);
    port = handle_table_take(thread, handle, NULL, NULL);
    status = host_NtClose(handle);
    if (port && status && status != STATUS_INVALID_HANDLE && !handle_table_put(thread, handle, port, &view))
        thread_release(thread, USE_PORT);
    closes_end(closes);
    drop_closing(thread);
    thread_end_steps(thread);
    return status;
}

NTSTATUS handle_duplicate(struct thread *thread, HANDLE source, HANDLE target_process, HANDLE *target,
                          ACCESS_MASK access, ULONG attributes, ULONG options)
{
    struct handle_closes *closes = closes_of(handle_table_closes, source);
    uint32_t closing = options & DUPLICATE_CLOSE_SOURCE ? 1 : 0;
    struct handle_view view;
    struct port *port;
    NTSTATUS status;

    thread_begin_steps(thread);
    handle_table_look_ahead(&view);
    port = handle_if_port(thread, source);
    if (closing)
    {
        closes_begin(closes);
        handle_table_take(thread, source, NULL, NULL);
    }
    status = host_NtDuplicateObject(CURRENT_PROCESS, source, target_process, target, access, attributes, options);
    /* the source is closed even when the duplication fails */
    if (closing)
        closes_end(closes);
    /* the duplicate is what the source was, unless that has been closed meanwhile.  Other targets are looked at when
     * used */
    if (port && !status && target && target_process == CURRENT_PROCESS)
    {
        view.doubtful = closes_begun(closes) != view.ended[closes - handle_table_closes] + closing;
        handle_table_put(thread, *target, port, &view);
    }
    drop_closing(thread);
    thread_release(thread, USE_PORT);
    thread_end_steps(thread);
    return status;
}
