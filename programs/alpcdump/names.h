/*
 * Names of the numbers in a dump
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef NTALPC_ALPCDUMP_NAMES_H
#define NTALPC_ALPCDUMP_NAMES_H

#include "ntalpc/protocol.h"

#include <stdbool.h>

/* one field's names: a value has each one whose bits below mask are the name's */
struct value_names
{
    enum record_type record;
    const char *field;
    const char *key; /* of the names, in JSON */
    bool set;        /* a value may have several names, or none */
    const struct value_name
    {
        uint32_t mask, value;
        const char *name;
    } *names;        /* until one without a name */
};

extern const struct value_names port_kind_names, port_flag_names, connection_stage_names, message_type_names,
    message_phase_names, message_flag_names;

/* the names of a field's values, NULL when they have none */
const struct value_names *names_of_field(enum record_type record, const char *field);

/* the names of this value that follow after, NULL at the beginning and at the end */
const struct value_name *names_next(const struct value_names *names, uint32_t value, const struct value_name *after);

/* the bits that no name accounts for */
uint32_t names_rest(const struct value_names *names, uint32_t value);

#endif
