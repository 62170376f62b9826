/*
 * What alpcserver does with each request
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_SERVER_REQUEST_H
#define NTALPC_SERVER_REQUEST_H

#include "client.h"

/*
 * Handles a request whose sizes have been checked; data are the pieces of its variable data.  Fills in the reply, which
 * counts only with STATUS_SUCCESS; on failure nothing has changed.
 */
NTSTATUS request_handle(struct client *client, const struct request_header *request,
                        const void *const data[PROTOCOL_MAX_DATA], struct reply *reply);

#endif
