/*
 * A dump for people
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "text.h"

#include "names.h"

#include "ntalpc/shm.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 100 /* columns of a line */
#define COLUMN 16 /* where values begin */
#define PREFIX "ALPC_PORFLG_"

/* ---------------------------------------------------------------------------------------------- writing */

/* valid UTF-8; control characters, C1 among them, as their numbers */
static void put_text(FILE *out, const char *text)
{
    for (const uint8_t *at = (const uint8_t *)text; *at; at++)
    {
        if (*at < 0x20 || *at == 0x7f)
            fprintf(out, "\\x%02x", *at);
        else if (at[0] == 0xc2 && at[1] < 0xa0)
            fprintf(out, "\\x%02x", *++at);
        else
            fputc(*at, out);
    }
}

/* the beginning of a line: a key and blanks up to where its value begins */
static void put_key(FILE *out, int indent, const char *key)
{
    fprintf(out, "%*s%-*s", indent, "", COLUMN - indent, key);
}

static void __attribute__((format(printf, 4, 5)))
put_line(FILE *out, int indent, const char *key, const char *format, ...)
{
    va_list args;

    put_key(out, indent, key);
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
    fputc('\n', out);
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* bytes of the text up to where it can be divided: a blank, or the end of an ACE */
static size_t piece_length(const char *text)
{
    size_t length = strcspn(text, " )");

    return length + (text[length] == ')');
}

/* plain ASCII, on as many lines as it takes */
static void put_wrapped(FILE *out, int indent, const char *key, const char *text)
{
    size_t column = COLUMN, length;
    int blank;

    put_key(out, indent, key);
    for (; *text; text += length)
    {
        blank = *text == ' ';
        text += blank;
        length = piece_length(text);
        if (column > COLUMN && column + (size_t)blank + length > WIDTH)
        {
            fprintf(out, "\n%*s", COLUMN, "");
            column = COLUMN;
            blank = 0;
        }
        column += (size_t)fprintf(out, "%*s%.*s", blank, "", (int)length, text);
    }
    fputc('\n', out);
}

static const char *one_name(const struct value_names *names, uint32_t value, char buffer[16])
{
    const struct value_name *name = names_next(names, value, NULL);

    if (name)
        return name->name;
    snprintf(buffer, 16, "0x%" PRIx32, value);
    return buffer;
}

/* the names of a set, less a prefix that all have */
static void list_names(char *buffer, size_t size, const struct value_names *names, uint32_t value, const char *prefix,
                       const char *separator)
{
    const struct value_name *name = NULL;
    uint32_t rest = names_rest(names, value);
    size_t used = 0;

    *buffer = 0;
    while (used < size && (name = names_next(names, value, name)))
        used += (size_t)snprintf(buffer + used, size - used, "%s%s", used ? separator : "",
                                 name->name + strlen(prefix));
    if (used < size && rest)
        snprintf(buffer + used, size - used, "%s0x%" PRIx32, used ? separator : "", rest);
}

/* ---------------------------------------------------------------------------------------------- messages */

void text_age(char text[TEXT_AGE_SIZE], uint64_t nanoseconds)
{
    uint64_t ms = nanoseconds / 1000000, s = ms / 1000, min = s / 60, h = min / 60, d = h / 24;

    if (!s)
        snprintf(text, TEXT_AGE_SIZE, "%" PRIu64 " ms", ms);
    else if (!min)
        snprintf(text, TEXT_AGE_SIZE, "%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
    else if (!h)
        snprintf(text, TEXT_AGE_SIZE, "%" PRIu64 "m%02" PRIu64 "s", min, s % 60);
    else if (!d)
        snprintf(text, TEXT_AGE_SIZE, "%" PRIu64 "h%02" PRIu64 "m", h, min % 60);
    else
        snprintf(text, TEXT_AGE_SIZE, "%" PRIu64 "d%02" PRIu64 "h", d, h % 24);
}

enum message_column
{
    COLUMN_ID,
    COLUMN_CALLBACK,
    COLUMN_TYPE,
    COLUMN_SIZE,
    COLUMN_SENDER,
    COLUMN_AGE,
    COLUMN_STATE,
    COLUMN_COUNT
};

struct message_line
{
    char cell[COLUMN_COUNT][64];
};

static const struct message_line message_titles = {
    { "id", "callback", "type", "data/total", "sender", "age", "state" }
};

static void format_message(struct message_line *line, const struct message_info *message)
{
    const size_t size = sizeof(line->cell[0]);
    char buffer[16];
    int used;

    snprintf(line->cell[COLUMN_ID], size, "%08" PRIx32, message->id);
    snprintf(line->cell[COLUMN_CALLBACK], size, "%" PRIu32, message->callback);
    snprintf(line->cell[COLUMN_TYPE], size, "%s",
             message->type ? one_name(&message_type_names, message->type, buffer) : "-");
    snprintf(line->cell[COLUMN_SIZE], size, "%" PRIu32 "/%" PRIu32, message->data_length, message->total_length);
    snprintf(line->cell[COLUMN_SENDER], size, "%04" PRIx32 ":%04" PRIx32, message->process, message->thread);
    text_age(line->cell[COLUMN_AGE], message->age);
    used = snprintf(line->cell[COLUMN_STATE], size, "%s", one_name(&message_phase_names, message->phase, buffer));
    if (message->holder_process || message->holder_thread)
        snprintf(line->cell[COLUMN_STATE] + used, size - (size_t)used, " %04" PRIx32 ":%04" PRIx32,
                 message->holder_process, message->holder_thread);
}

static void widen(int width[COLUMN_COUNT], const struct message_line *line)
{
    for (int i = 0; i < COLUMN_COUNT; i++)
        if (width[i] < (int)strlen(line->cell[i]))
            width[i] = (int)strlen(line->cell[i]);
}

static void put_message(FILE *out, const int width[COLUMN_COUNT], const struct message_line *line)
{
    static const bool right[COLUMN_COUNT] = { [COLUMN_CALLBACK] = true, [COLUMN_SIZE] = true, [COLUMN_AGE] = true };

    fputs("     ", out);
    for (int i = 0; i < COLUMN_STATE; i++)
        fprintf(out, " %*s", right[i] ? width[i] : -width[i], line->cell[i]);
    fprintf(out, "  %s\n", line->cell[COLUMN_STATE]);
}

static void put_messages(FILE *out, const struct snapshot *snapshot, const struct connection_info *connection)
{
    size_t count, first = snapshot_find_messages(snapshot, connection->connection, &count), i;
    int width[COLUMN_COUNT] = { 0 };
    struct message_line line;

    if (count || connection->messages)
        put_line(out, 4, "messages", "%" PRIu32, connection->messages);
    if (!count)
        return;
    widen(width, &message_titles);
    for (i = first; i < first + count; i++)
    {
        format_message(&line, snapshot_message(snapshot, i));
        widen(width, &line);
    }
    put_message(out, width, &message_titles);
    for (i = first; i < first + count; i++)
    {
        format_message(&line, snapshot_message(snapshot, i));
        put_message(out, width, &line);
    }
}

/* ---------------------------------------------------------------------------------------------- ports */

static void put_process(FILE *out, int indent, const char *key, const char *program, uint32_t process, uint32_t pid)
{
    put_key(out, indent, key);
    put_text(out, *program ? program : "(unknown program)");
    fprintf(out, ", process %04" PRIx32 ", Unix %" PRIu32 "\n", process, pid);
}

static void put_port_line(FILE *out, int indent, const char *key, const struct port_info *port)
{
    char buffer[16];

    put_line(out, indent, key, "%" PRIu64 ", %s, messages up to %" PRIu32 " bytes%s", port->port,
             one_name(&port_kind_names, port->kind, buffer), port->max_message,
             port->disconnected ? ", disconnected" : "");
}

static void put_port_details(FILE *out, int indent, const struct port_info *port)
{
    char flags[512];

    list_names(flags, sizeof(flags), &port_flag_names, port->flags, PREFIX, " ");
    put_wrapped(out, indent, "flags", *flags ? flags : "none");
    put_wrapped(out, indent, "security", !port->security ? "(unknown)" : *port->security ? port->security : "none");
    /* messages for a server communication port come to the connection port */
    if (port->kind != PORT_SERVER)
        put_line(out, indent, "queue", "%" PRIu32 " message%s, %" PRIu32 " receiver%s asleep", port->queued,
                 plural(port->queued), port->receivers, plural(port->receivers));
}

/* one end of a connection: who it is and the port, if there is one */
static void put_end(FILE *out, const struct snapshot *snapshot, uint64_t id, const char *absent)
{
    const struct port_info *port = id ? snapshot_find_port(snapshot, id) : NULL;

    if (!id)
        put_line(out, 6, "port", "%s", absent);
    else if (!port)
        put_line(out, 6, "port", "%" PRIu64, id);
    else
    {
        put_port_line(out, 6, "port", port);
        put_port_details(out, 6, port);
    }
}

/* why there is no server communication port */
static const char *absent_server(uint32_t stage)
{
    switch (stage & LINK_STAGE_MASK)
    {
    case LINK_CONNECTING:
        return "none before the connection is accepted";
    case LINK_REFUSED:
        return "none, refused";
    default:
        return "closed";
    }
}

static void put_connection(FILE *out, const struct snapshot *snapshot, const struct connection_info *connection)
{
    char stage[128];

    list_names(stage, sizeof(stage), &connection_stage_names, connection->stage, "", ", ");
    fprintf(out, "\n  connection %" PRIu64 ": %s; slot %" PRIu32 ", context 0x%" PRIx64 "\n", connection->connection,
            *stage ? stage : "new", connection->slot, connection->port_context);
    put_process(out, 4, "client", connection->client_program, connection->client_process, connection->client_pid);
    put_end(out, snapshot, connection->client_port, "closed");
    put_process(out, 4, "server", connection->server_program, connection->server_process, connection->server_pid);
    put_end(out, snapshot, connection->server_end, absent_server(connection->stage));
    put_messages(out, snapshot, connection);
}

static void put_connection_port(FILE *out, const struct snapshot *snapshot, const struct port_info *port)
{
    fputc('\n', out);
    put_text(out, *port->name ? port->name : "(unnamed)");
    /* ports of one name in different unnamed directories */
    if (port->number > 1)
        fprintf(out, " (number %" PRIu32 ")", port->number);
    fputc('\n', out);
    put_port_line(out, 2, "port", port);
    put_process(out, 2, "owner", port->program, port->process, port->pid);
    put_port_details(out, 2, port);
    put_line(out, 2, "connections", "%" PRIu32, port->connections);
    for (size_t i = 0; i < snapshot->count[RECORD_connection]; i++)
        if (snapshot_connection(snapshot, i)->server_port == port->port)
            put_connection(out, snapshot, snapshot_connection(snapshot, i));
}

static void put_orphans(FILE *out, const struct snapshot *snapshot)
{
    bool found = false;

    for (size_t i = 0; i < snapshot->count[RECORD_connection]; i++)
    {
        const struct connection_info *connection = snapshot_connection(snapshot, i);

        if (snapshot_find_port(snapshot, connection->server_port))
            continue;
        if (!found)
            fputs("\n(refused, or the connection port has gone)\n", out);
        found = true;
        put_connection(out, snapshot, connection);
    }
}

static void put_summary(FILE *out, const struct snapshot *snapshot)
{
    const struct server_info *server = snapshot_server(snapshot, 0);
    size_t ports = snapshot->count[RECORD_port], connections = snapshot->count[RECORD_connection];
    uint64_t messages = 0;

    for (size_t i = 0; i < connections; i++)
        messages += snapshot_connection(snapshot, i)->messages;
    fprintf(out, "alpcserver %" PRIu32 ", protocol %" PRIu32 ": %zu port%s, %zu connection%s, %" PRIu64 " message%s\n",
            server->pid, server->protocol, ports, plural(ports), connections, plural(connections), messages,
            plural(messages));
}

void text_print(FILE *out, const struct snapshot *snapshot)
{
    if (!snapshot->count[RECORD_server])
    {
        fputs("no alpcserver runs for this prefix\n", out);
        return;
    }
    put_summary(out, snapshot);
    for (size_t i = 0; i < snapshot->count[RECORD_port]; i++)
        if (snapshot_port(snapshot, i)->kind == PORT_CONNECTION)
            put_connection_port(out, snapshot, snapshot_port(snapshot, i));
    put_orphans(out, snapshot);
}
