/*
 * What alpcserver told at one moment
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The records of a dump (ntalpc/records.h) as C structures with the same fields, texts as strings.
 */

#ifndef NTALPC_ALPCDUMP_SNAPSHOT_H
#define NTALPC_ALPCDUMP_SNAPSHOT_H

#include "ntalpc/protocol.h"

/* all zero is an empty one, as it is when no server runs */
struct snapshot
{
    void *rows[RECORD_COUNT]; /* arrays of the structures below */
    size_t count[RECORD_COUNT], room[RECORD_COUNT];
};

/* struct server_info, port_info, connection_info, message_info; snapshot_server(snapshot, index) ... */
#define RECORD(name) struct name##_info {
#define U32(field) uint32_t field;
#define U64(field) uint64_t field;
#define TEXT(field) char *field;     /* valid UTF-8 */
#define SECURITY(field) char *field; /* SDDL; NULL = not known */
#define END(name) \
    }; \
    static inline struct name##_info *snapshot_##name(const struct snapshot *snapshot, size_t index) \
    { \
        return (struct name##_info *)snapshot->rows[RECORD_##name] + index; \
    }
#include "ntalpc/records.h"
#undef RECORD
#undef U32
#undef U64
#undef TEXT
#undef SECURITY
#undef END

/*
 * Decodes size bytes of records, aligned to 8, none of which is trusted; snapshot must be empty.  Ports and connections
 * come to be ordered by id, messages by connection and age, the oldest first.  Returns NULL or what is wrong, in one
 * line without a newline, valid until the next call; then the snapshot is empty.
 */
const char *snapshot_decode(struct snapshot *snapshot, const void *records, size_t size);

/* leaves it empty */
void snapshot_free(struct snapshot *snapshot);

/* keeps the connection ports with this name, in any case of its ASCII letters, and what belongs to them */
void snapshot_keep_port(struct snapshot *snapshot, const char *name);

/* NULL when there is none with that id */
const struct port_info *snapshot_find_port(const struct snapshot *snapshot, uint64_t id);
const struct connection_info *snapshot_find_connection(const struct snapshot *snapshot, uint64_t id);

/* the index of the first message of a connection; *count is their number */
size_t snapshot_find_messages(const struct snapshot *snapshot, uint64_t connection, size_t *count);

/* a structure by its type and index */
void *snapshot_row(const struct snapshot *snapshot, enum record_type type, size_t index);

/* value points to the uint32_t, uint64_t or char * in the structure, as the field's kind says */
typedef void info_visitor(void *arg, const struct request_field *field, void *value);

/* calls visit for each field of a structure, in order */
void info_visit(enum record_type type, void *info, info_visitor *visit, void *arg);

#endif
