/*
 * Reading and writing the program's arguments
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A pointer that is not good ends the call with STATUS_ACCESS_VIOLATION right where it is used.  Therefore everything
 * is read, and everything that will be written is probed, before anything is taken or changed.
 */

#ifndef NTALPC_CAPTURE_H
#define NTALPC_CAPTURE_H

#include "control.h"
#include "ntalpc/nt.h"
#include "thread.h"

/*
 * Faults unless all bytes can be written: writes one byte of each page back as it was.  In a large buffer it takes them
 * at different offsets, for pages begin on the same few lines of the cache.
 */
static inline void probe_write(void *memory, size_t size)
{
    volatile uint8_t *at = memory, *end = at + size;
    uintptr_t offset = 0;

    if (!size)
        return;
    *at = *at;
    at = (volatile uint8_t *)(((uintptr_t)at | 0xfff) + 1);
    for (; at < end; at += 0x1000, offset = (offset + 0x40) & 0xfff)
    {
        volatile uint8_t *byte = end - at > 0x1000 ? at + offset : at;

        *byte = *byte;
    }
}

/* Faults unless all bytes can be read: also those of a structure that nobody looks at. */
static inline void probe_read(const void *memory, size_t size)
{
    const volatile uint8_t *at = memory, *end = at + size;

    for (; at < end; at = (const volatile uint8_t *)(((uintptr_t)at | 0xfff) + 1))
        (void)*at;
}

/* the parts of OBJECT_ATTRIBUTES that ports know */
struct captured_attributes
{
    HANDLE root;
    ULONG attributes;
    UNICODE_STRING name;          /* a copy; Length 0 = unnamed */
    struct control_data security; /* self-relative; size 0 = none */
};

/*
 * attributes may be NULL.  Copies live until the next thread_scratch_begin().
 *   STATUS_INVALID_PARAMETER, STATUS_OBJECT_NAME_INVALID, STATUS_INVALID_SECURITY_DESCR, STATUS_NO_MEMORY
 */
NTSTATUS capture_attributes(struct thread *thread, const OBJECT_ATTRIBUTES *attributes,
                            struct captured_attributes *captured);
NTSTATUS capture_name(struct thread *thread, const UNICODE_STRING *name, UNICODE_STRING *captured);

/* the parts of ALPC_PORT_ATTRIBUTES that are acted on */
struct captured_port_attributes
{
    ULONG flags;
    ULONG max_message; /* 0 = default */
};

/* NULL stands for the defaults [7, 19 and 20] */
void capture_port_attributes(const ALPC_PORT_ATTRIBUTES *attributes, struct captured_port_attributes *captured);

/* a security descriptor of either form, made self-relative; NULL is none */
NTSTATUS capture_security(struct thread *thread, const void *descriptor, struct control_data *captured);

/* NULL is none.  STATUS_INVALID_SID */
NTSTATUS capture_sid(struct thread *thread, const void *sid, struct control_data *captured);

/* size bytes; NULL when there is not so much room */
const void *capture_bytes(struct thread *thread, const void *bytes, size_t size);

#endif
