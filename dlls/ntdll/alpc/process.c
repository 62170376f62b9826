/*
 * This process towards alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "process.h"

#include "page.h"
#include "token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


static uint32_t id, session;
static struct control control = CONTROL_INIT;
static struct control_data program;

NTSTATUS process_attach(uint32_t process_id, uint32_t session_id, const void *path, size_t size)
{
    void *copy = malloc(size + 1);

    if (!copy)
        return STATUS_NO_MEMORY;
    memcpy(copy, path, size);
    program = (struct control_data){ copy, size };
    id = process_id;
    session = session_id;
    return STATUS_SUCCESS;
}

uint32_t process_id(void)
{
    return id;
}

uint32_t current_thread_id(void)
{
    /* TEB.ClientId.UniqueThread */
    return (uint32_t)((ULONG_PTR *)NtCurrentTeb())[0x48 / 8];
}

static NTSTATUS introduce(void)
{
    struct init_request request = { .protocol = PROTOCOL_VERSION, .process = id, .session = session };
    struct control_data data[2] = { program };
    struct init_reply reply;
    int fds[PROTOCOL_MAX_FDS];
    NTSTATUS status = token_snapshot(CURRENT_PROCESS_TOKEN, &data[1]);

    if (!status)
        status = control_call(&control, REQUEST_init, &request, data, &reply, NULL, fds);
    if (!status)
    {
        page_map(fds[0]);
        close(fds[0]);
    }
    else if (status == STATUS_REVISION_MISMATCH)
        fprintf(stderr, "ntalpc: the running alpcserver speaks another version of the protocol; end it with alpcserver -k\n");
    return status;
}

static NTSTATUS connect_to_server(bool start)
{
    const char *error;
    int tries;

    for (tries = 0; tries < 3; tries++)
    {
        NTSTATUS status;

        if ((error = control_connect(&control, start)))
        {
            if (start)
                fprintf(stderr, "ntalpc: %s\n", error);
            return STATUS_PORT_DISCONNECTED;
        }
        if (!(status = introduce()))
            return STATUS_SUCCESS;
        /* a server that was just leaving: there is going to be another */
        if (control.fd != -1)
        {
            control_disconnect(&control);
            return status;
        }
    }
    return STATUS_PORT_DISCONNECTED;
}

NTSTATUS process_call(enum request_code code, void *request, const struct control_data *data, void *reply,
                      const void **reply_data, int fds[PROTOCOL_MAX_FDS])
{
    NTSTATUS status;

    if (control.fd == -1 && (status = connect_to_server(true)))
        return status;
    return control_call(&control, code, request, data, reply, reply_data, fds);
}

void process_notify(enum request_code code, void *request)
{
    struct reply_header reply;

    if (control.fd != -1 || !connect_to_server(false))
        control_call(&control, code, request, NULL, &reply, NULL, NULL);
}
