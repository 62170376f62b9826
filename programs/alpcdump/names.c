/*
 * Names of the numbers in a dump
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "names.h"

#include "ntalpc/nt.h"
#include "ntalpc/shm.h"

#include <string.h>

#define VALUE(value, name) { UINT32_MAX, value, name }
#define BIT(bit, name) { bit, bit, name }
#define SELF(value) VALUE(value, #value)
#define SELF_BIT(bit) BIT(bit, #bit)
#define NAMES_END { 0, 0, NULL }

static const struct value_name port_kinds[] = {
    VALUE(PORT_CONNECTION, "connection port"),
    VALUE(PORT_CLIENT, "client communication port"),
    VALUE(PORT_SERVER, "server communication port"),
    NAMES_END,
};

static const struct value_name port_flags[] = {
    SELF_BIT(ALPC_PORFLG_LPC_MODE),
    SELF_BIT(ALPC_PORFLG_ALLOW_IMPERSONATION),
    SELF_BIT(ALPC_PORFLG_ALLOW_LPC_REQUESTS),
    SELF_BIT(ALPC_PORFLG_WAITABLE_PORT),
    SELF_BIT(ALPC_PORFLG_ALLOW_DUP_OBJECT),
    SELF_BIT(ALPC_PORFLG_SYSTEM_PROCESS),
    SELF_BIT(ALPC_PORFLG_WAKE_POLICY1),
    SELF_BIT(ALPC_PORFLG_WAKE_POLICY2),
    SELF_BIT(ALPC_PORFLG_WAKE_POLICY3),
    SELF_BIT(ALPC_PORFLG_DIRECT_MESSAGE),
    SELF_BIT(ALPC_PORFLG_ALLOW_MULTIHANDLE_ATTRIBUTE),
    NAMES_END,
};

#define STAGE(stage, name) { LINK_STAGE_MASK, stage, name }

static const struct value_name connection_stages[] = {
    STAGE(LINK_CONNECTING, "connecting"),
    STAGE(LINK_ACCEPTING, "accepting"),
    STAGE(LINK_CONNECTED, "connected"),
    STAGE(LINK_REFUSED, "refused"),
    BIT(LINK_CLIENT_GONE, "client gone"),
    BIT(LINK_SERVER_GONE, "server gone"),
    BIT(LINK_CLIENT_CLOSED, "client closed"),
    BIT(LINK_SERVER_CLOSED, "server closed"),
    BIT(LINK_CLOSED_TOLD, "client told"),
    NAMES_END,
};

static const struct value_name message_types[] = {
    SELF(LPC_REQUEST),
    SELF(LPC_REPLY),
    SELF(LPC_DATAGRAM),
    SELF(LPC_LOST_REPLY),
    SELF(LPC_PORT_CLOSED),
    SELF(LPC_CLIENT_DIED),
    SELF(LPC_EXCEPTION),
    SELF(LPC_DEBUG_EVENT),
    SELF(LPC_ERROR_EVENT),
    SELF(LPC_CONNECTION_REQUEST),
    SELF(LPC_CONNECTION_REPLY),
    SELF(LPC_CANCELED),
    NAMES_END,
};

#define PHASES(phase, client, server) VALUE(phase + END_CLIENT, client), VALUE(phase + END_SERVER, server)

static const struct value_name message_phases[] = {
    VALUE(CELL_OWNED, "being written"),
    VALUE(CELL_EARLY, "sent before accept"),
    VALUE(CELL_SPENT, "answered and read"),
    VALUE(CELL_VOID, "canceled and known"),
    PHASES(CELL_QUEUED, "queued for client", "queued for server"),
    PHASES(CELL_READING, "client reads", "server reads"),
    PHASES(CELL_HELD, "held by client", "held by server"),
    PHASES(CELL_ANSWERING, "client answers", "server answers"),
    PHASES(CELL_ANSWER, "answer ready for client", "answer ready for server"),
    PHASES(CELL_CANCELED, "canceled, client to learn", "canceled, server to learn"),
    PHASES(CELL_ABANDONED, "given up, client answers", "given up, server answers"),
    PHASES(CELL_WITHDRAWN, "given up, queued for client", "given up, queued for server"),
    PHASES(CELL_ENDING, "client ends it", "server ends it"),
    PHASES(CELL_RETRACTED, "callback given up for client", "callback given up for server"),
    NAMES_END,
};

static const struct value_name message_flags[] = {
    BIT(CONTENT_SYNC, "sync"),
    BIT(CONTENT_RELEASE, "release"),
    NAMES_END,
};

const struct value_names port_kind_names = { RECORD_port, "kind", "kind_name", false, port_kinds };
const struct value_names port_flag_names = { RECORD_port, "flags", "flag_names", true, port_flags };
const struct value_names connection_stage_names = { RECORD_connection, "stage", "stage_names", true,
                                                    connection_stages };
const struct value_names message_type_names = { RECORD_message, "type", "type_name", false, message_types };
const struct value_names message_phase_names = { RECORD_message, "phase", "phase_name", false, message_phases };
const struct value_names message_flag_names = { RECORD_message, "flags", "flag_names", true, message_flags };

const struct value_names *names_of_field(enum record_type record, const char *field)
{
    static const struct value_names *const all[] = {
        &port_kind_names,    &port_flag_names,     &connection_stage_names,
        &message_type_names, &message_phase_names, &message_flag_names,
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i]->record == record && !strcmp(all[i]->field, field))
            return all[i];
    return NULL;
}

static bool has_name(const struct value_name *name, uint32_t value)
{
    return (value & name->mask) == name->value;
}

const struct value_name *names_next(const struct value_names *names, uint32_t value, const struct value_name *after)
{
    const struct value_name *name;

    for (name = after ? after + 1 : names->names; name->name; name++)
        if (has_name(name, value))
            return name;
    return NULL;
}

uint32_t names_rest(const struct value_names *names, uint32_t value)
{
    const struct value_name *name = NULL;
    uint32_t rest = value;

    while ((name = names_next(names, value, name)))
        rest &= ~name->mask;
    return rest;
}
