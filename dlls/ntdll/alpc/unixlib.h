/*
 * The calls from the PE half of ntalpc.dll16 to its native half
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each system call is one call of its own, with its arguments as they came: all pointers are the program's and are read
 * and written by the native half only.
 */

#ifndef NTALPC_UNIXLIB_H
#define NTALPC_UNIXLIB_H

#include "closes.h"

enum unix_call
{
    unix_attach,
    unix_thread_detach,
    unix_recover,
    unix_clear_outputs,
    unix_NtAlpcAcceptConnectPort,
    unix_NtAlpcCancelMessage,
    unix_NtAlpcConnectPort,
    unix_NtAlpcCreatePort,
    unix_NtAlpcDisconnectPort,
    unix_NtAlpcQueryInformation,
    unix_NtAlpcSendWaitReceivePort,
    unix_NtClose,
    unix_NtDuplicateObject,
    unix_NtQueryObject,
    unix_NtQuerySecurityObject,
    unix_NtSetSecurityObject,
    unix_NtQueryDirectoryObject,
    unix_NtQuerySystemInformation,
    unix_check_name,
    unix_NtCreateIoCompletion,
    unix_NtTerminateThread,
    unix_call_count
};

/* the process begins */
struct attach_params
{
    ULONG process_id;
    ULONG session_id;
    const WCHAR *program; /* image path; copied */
    ULONG program_size;   /* bytes */
    /* out: one bit for each handle value / 4 that is known to be a port's, and their number */
    const UCHAR *port_handles;
    ULONG port_handles_count;
    struct handle_closes *closes; /* out: HANDLE_CLOSES of them */
};

/* a call that is not there yet leaves its outputs zeroed */
struct clear_outputs_params
{
    struct
    {
        void *pointer; /* may be NULL */
        ULONG size;
    } output[3];
};

struct NtAlpcAcceptConnectPort_params
{
    HANDLE *port_handle;
    HANDLE connection_port;
    ULONG flags;
    OBJECT_ATTRIBUTES *object_attributes;
    ALPC_PORT_ATTRIBUTES *port_attributes;
    void *port_context;
    PORT_MESSAGE *request;
    ALPC_MESSAGE_ATTRIBUTES *attributes;
    BOOLEAN accept;
};

struct NtAlpcCancelMessage_params
{
    HANDLE port;
    ULONG flags;
    ALPC_CONTEXT_ATTR *context;
};

/* NtAlpcConnectPortEx too: then name is NULL */
struct NtAlpcConnectPort_params
{
    HANDLE *port_handle;
    const UNICODE_STRING *name;
    OBJECT_ATTRIBUTES *connection_port; /* instead of a name */
    OBJECT_ATTRIBUTES *object_attributes;
    ALPC_PORT_ATTRIBUTES *port_attributes;
    ULONG flags;
    PSID server_sid;
    PSECURITY_DESCRIPTOR server_security;
    PORT_MESSAGE *message;
    SIZE_T *buffer_length;
    ALPC_MESSAGE_ATTRIBUTES *out_attributes;
    ALPC_MESSAGE_ATTRIBUTES *in_attributes;
    LARGE_INTEGER *timeout;
};

struct NtAlpcCreatePort_params
{
    HANDLE *port_handle;
    OBJECT_ATTRIBUTES *object_attributes;
    ALPC_PORT_ATTRIBUTES *port_attributes;
};

struct NtAlpcDisconnectPort_params
{
    HANDLE port;
    ULONG flags;
};

struct NtAlpcQueryInformation_params
{
    HANDLE port;
    ULONG information_class;
    void *information;
    ULONG length;
    ULONG *return_length;
};

struct NtAlpcSendWaitReceivePort_params
{
    HANDLE port;
    ULONG flags;
    PORT_MESSAGE *send;
    ALPC_MESSAGE_ATTRIBUTES *send_attributes;
    PORT_MESSAGE *receive;
    SIZE_T *buffer_length;
    ALPC_MESSAGE_ATTRIBUTES *receive_attributes;
    LARGE_INTEGER *timeout;
};

struct NtClose_params
{
    HANDLE handle;
};

struct NtDuplicateObject_params
{
    HANDLE source_process;
    HANDLE source;
    HANDLE target_process;
    HANDLE *target;
    ACCESS_MASK access;
    ULONG attributes;
    ULONG options;
};

struct NtQueryObject_params
{
    HANDLE handle;
    ULONG information_class;
    void *information;
    ULONG length;
    ULONG *return_length;
};

struct NtQuerySecurityObject_params
{
    HANDLE handle;
    ULONG information;
    void *descriptor;
    ULONG length;
    ULONG *return_length;
};

struct NtSetSecurityObject_params
{
    HANDLE handle;
    ULONG information;
    void *descriptor;
};

struct NtQueryDirectoryObject_params
{
    HANDLE directory;
    void *buffer; /* as the host has filled it in */
    BOOLEAN single;
};

/* the classes that list handles */
struct NtQuerySystemInformation_params
{
    ULONG information_class;
    void *information;
    ULONG length;
    ULONG *return_length;
};

/* whether the name behind a handle of another type is a port's: STATUS_OBJECT_TYPE_MISMATCH, else STATUS_SUCCESS */
struct check_name_params
{
    HANDLE handle;
};

struct NtCreateIoCompletion_params
{
    HANDLE *handle;
    ACCESS_MASK access;
    OBJECT_ATTRIBUTES *attributes; /* not NULL */
    ULONG threads;
};

struct NtTerminateThread_params
{
    HANDLE thread;
    LONG exit_status;
};

#endif
