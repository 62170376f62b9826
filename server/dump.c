/*
 * What alpcserver tells alpcdump
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "dump.h"

#include "object.h"
#include "request.h"

#include "dlls/ntdll/alpc/wait.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DUMP_MAX_SIZE 0x40000000u /* what does not fit in a reply */

struct dump
{
    uint8_t *data;
    size_t size, room;
    uint64_t now;
    bool messages;
    bool failed;
};

bool dump_wants_messages(const struct dump *dump)
{
    return dump->messages;
}

uint64_t dump_age(const struct dump *dump, uint64_t time)
{
    return dump->now > time ? dump->now - time : 0;
}

void dump_append(struct dump *dump, const void *data, size_t size)
{
    size_t padded = protocol_pad(size);

    if (dump->failed || padded > DUMP_MAX_SIZE - dump->size)
    {
        dump->failed = true;
        return;
    }
    if (dump->size + padded > dump->room)
    {
        size_t room = (dump->size + padded) * 2;
        uint8_t *grown = realloc(dump->data, room);

        if (!grown)
        {
            dump->failed = true;
            return;
        }
        dump->data = grown;
        dump->room = room;
    }
    if (size)
        memcpy(dump->data + dump->size, data, size);
    memset(dump->data + dump->size + size, 0, padded - size);
    dump->size += padded;
}

size_t dump_begin(struct dump *dump, enum record_type type, struct record_header *record, size_t size)
{
    size_t at = dump->size;

    record->type = type;
    dump_append(dump, record, size);
    return at;
}

void dump_end(struct dump *dump, size_t at)
{
    uint32_t size = (uint32_t)(dump->size - at);

    if (!dump->failed)
        memcpy(dump->data + at, &size, sizeof(size));
}

/* ---------------------------------------------------------------------------------------------- the request */

static void dump_server(struct dump *dump)
{
    struct server_record record = { .pid = (uint32_t)getpid(), .protocol = PROTOCOL_VERSION };

    dump_end(dump, dump_begin(dump, RECORD_server, &record.header, sizeof(record)));
}

static void dump_objects(struct dump *dump)
{
    enum object_kind kind;
    struct object *object;

    for (kind = 0; kind < OBJECT_KINDS; kind++)
        for (object = object_first(kind); object; object = object_next(object))
            if (object->ops->dump)
                object->ops->dump(object, dump);
}

NTSTATUS handle_dump(struct caller *caller, const struct dump_request *request, data_list data, struct reply *reply)
{
    struct dump dump = { .now = coarse_ns(), .messages = request->messages };

    (void)caller, (void)data;
    dump_server(&dump);
    dump_objects(&dump);
    reply->data = dump.data;
    reply->data_size = dump.size;
    reply->dump.records_size = (uint32_t)dump.size;
    return dump.failed ? STATUS_NO_MEMORY : STATUS_SUCCESS;
}
