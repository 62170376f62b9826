/*
 * The system's lists of handles, as NtQuerySystemInformation gives them
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_HANDLE_LIST_H
#define NTALPC_HANDLE_LIST_H

#include "ntalpc/nt.h"

/* SystemExtendedHandleInformation */
struct handle_list
{
    ULONG_PTR count, reserved;
    struct handle_list_entry
    {
        void *object;
        ULONG_PTR process, handle;
        ACCESS_MASK access;
        USHORT back_trace, type;
        ULONG attributes, reserved;
    } entries[];
};

_Static_assert(sizeof(struct handle_list_entry) == 0x28, "SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX");

/* SystemHandleInformation */
struct short_handle_list
{
    ULONG count;
    struct short_handle_list_entry
    {
        ULONG process;
        UCHAR type, flags;
        USHORT handle;
        void *object;
        ACCESS_MASK access;
    } entries[];
};

_Static_assert(sizeof(struct short_handle_list_entry) == 0x18 && sizeof(struct short_handle_list) == 8,
               "SYSTEM_HANDLE_TABLE_ENTRY_INFO");

#endif
