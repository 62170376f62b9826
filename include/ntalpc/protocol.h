/*
 * The control protocol between programs and alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A stream socket carries one request at a time and its reply: header, fixed part, then each piece of variable data
 * padded to 8 bytes.  Numbers are in the machine's order, both ends run on one machine.
 */

#ifndef NTALPC_PROTOCOL_H
#define NTALPC_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_VERSION 8
#define PROTOCOL_MAX_SIZE 0x100000u /* of a request */
#define PROTOCOL_MAX_DATA 5         /* pieces of variable data */
#define PROTOCOL_MAX_FDS 4

enum request_code
{
#define REQUEST(name) REQUEST_##name,
#define REPLY(name)
#define END(name)
#define U32(field)
#define U64(field)
#define DATA(field)
#define FDS(count)
#include "requests.h"
#undef REQUEST
    REQUEST_COUNT
};

struct request_header
{
    uint32_t size; /* of the whole request */
    uint32_t code;
};

struct reply_header
{
    uint32_t size; /* of the whole reply; one that failed is this header, and perhaps a line of text for the user */
    int32_t status;
};

#undef REPLY
#undef END
#undef U32
#undef U64
#undef DATA
/* a request begins with its header and goes on with 8-byte alignment, so that no padding hides between fields */
#define REQUEST(name) struct name##_request { struct request_header header;
#define REPLY(name) }; struct name##_reply { struct reply_header header;
#define END(name) };
#define U32(field) uint32_t field;
#define U64(field) uint64_t field;
#define DATA(field) uint32_t field##_size;
#include "requests.h"
#undef REQUEST
#undef REPLY
#undef END
#undef U32
#undef U64
#undef DATA
#undef FDS

enum field_kind
{
    FIELD_U32,
    FIELD_U64,
    /* the field holds the size of variable data */
    FIELD_DATA,
    FIELD_TEXT,
    FIELD_SECURITY
};

struct request_field
{
    const char *name; /* fields follow each other without gaps */
    enum field_kind kind;
};

/* one direction of a request */
struct request_part
{
    uint16_t size; /* of the fixed part, header included */
    uint16_t fds;
    const struct request_field *fields; /* until one without a name */
};

struct request_type
{
    const char *name;
    struct request_part request, reply;
};

extern const struct request_type request_types[REQUEST_COUNT];

/* ---------------------------------------------------------------------------------------------- records of a dump */

enum record_type
{
#define RECORD(name) RECORD_##name,
#define U32(field)
#define U64(field)
#define TEXT(field)
#define SECURITY(field)
#define END(name)
#include "records.h"
#undef RECORD
#undef U32
#undef U64
#undef TEXT
#undef SECURITY
#undef END
    RECORD_COUNT
};

struct record_header
{
    uint32_t size; /* of the whole record */
    uint32_t type;
};

/* packed: a gap at its end would tell what was in alpcserver's memory */
#define RECORD(name) struct name##_record { struct record_header header;
#define U32(field) uint32_t field;
#define U64(field) uint64_t field;
#define TEXT(field) uint32_t field##_size;
#define SECURITY(field) uint32_t field##_size;
#define END(name) } __attribute__((packed, aligned(4)));
#include "records.h"
#undef RECORD
#undef U32
#undef U64
#undef TEXT
#undef SECURITY
#undef END

struct record_part
{
    const char *name;
    struct request_part part;
};

extern const struct record_part record_types[RECORD_COUNT];

/* ---------------------------------------------------------------------------------------------- functions */

static inline size_t protocol_pad(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static inline size_t protocol_field_size(const struct request_field *field)
{
    return field->kind == FIELD_U64 ? sizeof(uint64_t) : sizeof(uint32_t);
}

/* the number in the field that stands at this place, in data the size */
uint64_t protocol_field_value(const struct request_field *field, const void *at);

/*
 * Checks that size bytes at part_data are one whole request or reply of this type and finds its variable data.
 * data receives pointers to the pieces in order; there are never more than PROTOCOL_MAX_DATA.  Returns 0 when the sizes
 * do not agree.
 */
int protocol_check(const struct request_part *part, const void *part_data, size_t size,
                   const void *data[PROTOCOL_MAX_DATA]);

/* writes "name { field=value, ... }" as far as it fits; data is printed as its size */
void protocol_print(char *buffer, size_t size, const char *name, const struct request_part *part, const void *part_data);

#endif
