/*
 * The native half of ntalpc.dll16: its table of calls
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "calls.h"
#include "handle.h"
#include "handle_table.h"
#include "name.h"
#include "object.h"
#include "process.h"
#include "unixlib.h"

#include <string.h>

static NTSTATUS call_attach(void *args)
{
    struct attach_params *params = args;
    NTSTATUS status;

    host_init();
    status = process_attach(params->process_id, params->session_id, params->program, params->program_size);

    if (status)
        return status;
    thread_init();
    port_attach_connection = object_attach_connection;
    thread_give_back = handle_give_back;
    params->port_handles = handle_table_known;
    params->port_handles_count = handle_table_count;
    params->closes = handle_table_closes;
    name_init();
    return STATUS_SUCCESS;
}

static NTSTATUS call_thread_detach(void *args)
{
    (void)args;
    thread_unregister();
    return STATUS_SUCCESS;
}

/* a call of this thread has ended in a fault */
static NTSTATUS call_recover(void *args)
{
    (void)args;
    if (thread_record)
        thread_recover(thread_record);
    return STATUS_SUCCESS;
}

static NTSTATUS call_clear_outputs(void *args)
{
    const struct clear_outputs_params *params = args;
    unsigned int i;

    for (i = 0; i < sizeof(params->output) / sizeof(params->output[0]); i++)
        if (params->output[i].pointer)
            memset(params->output[i].pointer, 0, params->output[i].size);
    return STATUS_NOT_IMPLEMENTED;
}

/* Wine's loader looks for this name */
extern NTSTATUS (*const __wine_unix_call_funcs[])(void *);

__attribute__((visibility("default"))) NTSTATUS (*const __wine_unix_call_funcs[unix_call_count])(void *) = {
    [unix_attach] = call_attach,
    [unix_thread_detach] = call_thread_detach,
    [unix_recover] = call_recover,
    [unix_clear_outputs] = call_clear_outputs,
#define CALL(name) [unix_##name] = call_##name
    CALL(NtAlpcAcceptConnectPort),
    CALL(NtAlpcCancelMessage),
    CALL(NtAlpcConnectPort),
    CALL(NtAlpcCreatePort),
    CALL(NtAlpcDisconnectPort),
    CALL(NtAlpcQueryInformation),
    CALL(NtAlpcSendWaitReceivePort),
    CALL(NtClose),
    CALL(NtDuplicateObject),
    CALL(NtQueryObject),
    CALL(NtQuerySecurityObject),
    CALL(NtSetSecurityObject),
    CALL(NtQueryDirectoryObject),
    CALL(NtQuerySystemInformation),
    CALL(check_name),
    CALL(NtCreateIoCompletion),
    CALL(NtTerminateThread),
};
