/*
 * Which handles in the system's lists are ports
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The host lists a port as what it is for it, a file.  Which files of other processes are ports only a duplicate of the
 * handle tells; but hardly any other file is opened with no right beyond those that a port has, so few have to be
 * looked at.
 */

#include "calls.h"
#include "handle.h"
#include "handle_list.h"
#include "handle_table.h"
#include "process.h"
#include "type.h"
#include "unixlib.h"

#define PROCESS_DUP_HANDLE 0x0040u

/* the process whose handles are being looked at: a list has those of one process after the other */
struct viewer
{
    struct thread *thread;
    struct listed_types types;
    ULONG_PTR process; /* 0 = none yet */
    HANDLE handle;     /* NULL: it cannot be opened */
};

static void leave_process(struct viewer *viewer)
{
    if (viewer->handle)
        host_NtClose(viewer->handle);
    viewer->handle = NULL;
}

static void enter_process(struct viewer *viewer, ULONG_PTR process)
{
    OBJECT_ATTRIBUTES attributes = { .Length = sizeof(attributes) };
    CLIENT_ID id = { .UniqueProcess = (HANDLE)process };

    leave_process(viewer);
    viewer->process = process;
    if (host_NtOpenProcess(&viewer->handle, PROCESS_DUP_HANDLE, &attributes, &id))
        viewer->handle = NULL;
}

/* where nothing can be looked at, the rights that no file has by chance decide */
static bool is_port_elsewhere(struct viewer *viewer, ULONG_PTR process, HANDLE handle, ACCESS_MASK access)
{
    HANDLE copy;
    bool found;

    if (process != viewer->process)
        enter_process(viewer, process);
    if (!viewer->handle)
        return access == PORT_ALL_ACCESS;
    if (host_NtDuplicateObject(viewer->handle, handle, CURRENT_PROCESS, &copy, 0, 0, DUPLICATE_SAME_ACCESS))
        return false;
    found = handle_is_port_file(viewer->thread, copy);
    /* the program may have come across it meanwhile */
    handle_close(viewer->thread, copy);
    return found;
}

static bool is_port_here(struct viewer *viewer, HANDLE handle, bool candidate)
{
    if (!handle_table_find(viewer->thread, handle))
        return candidate && handle_is_port_file(viewer->thread, handle);
    thread_release(viewer->thread, USE_PORT);
    return true;
}

static bool is_port(struct viewer *viewer, ULONG_PTR process, HANDLE handle, ACCESS_MASK access, ULONG type)
{
    bool candidate = type == viewer->types.file && !(access & ~(ACCESS_MASK)PORT_ALL_ACCESS);

    if (process == process_id())
        return is_port_here(viewer, handle, candidate);
    return candidate && is_port_elsewhere(viewer, process, handle, access);
}

static void mark_ports(struct viewer *viewer, struct handle_list *list)
{
    ULONG_PTR i, count = list->count;

    for (i = 0; i < count; i++)
    {
        struct handle_list_entry *entry = &list->entries[i];

        if (is_port(viewer, entry->process, (HANDLE)entry->handle, entry->access, entry->type))
            entry->type = viewer->types.port;
    }
}

static void mark_ports_short(struct viewer *viewer, struct short_handle_list *list)
{
    ULONG i, count = list->count;

    for (i = 0; i < count; i++)
    {
        struct short_handle_list_entry *entry = &list->entries[i];

        if (is_port(viewer, entry->process, (HANDLE)(ULONG_PTR)entry->handle, entry->access, entry->type))
            entry->type = viewer->types.port;
    }
}

NTSTATUS call_NtQuerySystemInformation(void *args)
{
    const struct NtQuerySystemInformation_params *params = args;
    struct viewer viewer = { .thread = current_thread() };
    NTSTATUS status;

    if (!viewer.thread)
        return STATUS_NO_MEMORY;
    if ((status = host_NtQuerySystemInformation((int)params->information_class, params->information, params->length,
                                                params->return_length)) ||
        (status = type_listed(&viewer.types)))
        return status;
    if (params->information_class == SystemHandleInformation)
        mark_ports_short(&viewer, params->information);
    else
        mark_ports(&viewer, params->information);
    leave_process(&viewer);
    return STATUS_SUCCESS;
}
