/*
 * What alpcserver holds: ports, connections, descriptors, mappings
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_RUNNER_SERVER_H
#define NTALPC_RUNNER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* a port or a connection */
struct server_object
{
    uint32_t type; /* enum record_type */
    uint64_t id;
    char text[200]; /* for people */
};

struct server_state
{
    struct server_object *objects;
    size_t count;
    unsigned int descriptors;
    unsigned int mappings; /* of memory files and of deleted ones */
};

/*
 * Connects to the server of the prefix, which stays as long as this process is connected; one is started if none runs.
 * Returns NULL or what is wrong.
 */
const char *server_open(void);
void server_close(void);

/* false when the server has gone; server_open starts another one.  The caller frees .objects */
bool server_query(struct server_state *state);

/* what has been added since before, as text; false when nothing has */
bool server_growth(const struct server_state *before, const struct server_state *now, char *text, size_t size);

#endif
