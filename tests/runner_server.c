/*
 * What alpcserver holds: ports, connections, descriptors, mappings
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "tests/runner_server.h"

#include "dlls/ntdll/alpc/control.h"
#include "dlls/ntdll/alpc/prefix.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct control control = CONTROL_INIT;
static pid_t keeper;

static pid_t find_keeper(void)
{
    struct prefix prefix;

    return prefix_find(&prefix, false) ? 0 : prefix_holder(&prefix);
}

const char *server_open(void)
{
    const char *error = control.fd != -1 ? NULL : control_connect(&control, true);

    if (!error)
        keeper = find_keeper();
    return error;
}

void server_close(void)
{
    control_disconnect(&control);
}

/* ---------------------------------------------------------------------------------------------- the dump */

static bool add_object(struct server_state *state, enum record_type type, uint64_t id, const char *text)
{
    struct server_object *objects = realloc(state->objects, (state->count + 1) * sizeof(*objects));

    if (!objects)
        return false;
    state->objects = objects;
    objects[state->count] = (struct server_object){ .type = type, .id = id };
    snprintf(objects[state->count].text, sizeof(objects[state->count].text), "%s", text);
    state->count++;
    return true;
}

static bool add_port(struct server_state *state, const struct port_record *port, const void *data[PROTOCOL_MAX_DATA])
{
    static const char *const kinds[] = { "connection port", "client port", "server port" };
    char text[200];

    snprintf(text, sizeof(text), "%s '%.*s' of %.*s", port->kind < 3 ? kinds[port->kind] : "port", (int)port->name_size,
             (const char *)data[0], (int)port->program_size, (const char *)data[1]);
    return add_object(state, RECORD_port, port->port, text);
}

static bool add_connection(struct server_state *state, const struct connection_record *connection,
                           const void *data[PROTOCOL_MAX_DATA])
{
    char text[200];

    snprintf(text, sizeof(text), "connection of %.*s to %.*s, %u messages", (int)connection->client_program_size,
             (const char *)data[0], (int)connection->server_program_size, (const char *)data[1], connection->messages);
    return add_object(state, RECORD_connection, connection->connection, text);
}

/* sets *pid to that of the server */
static bool read_records(struct server_state *state, const uint8_t *records, size_t size, uint32_t *pid)
{
    struct record_header header;
    size_t at;

    for (at = 0; at + sizeof(header) <= size; at += header.size)
    {
        const void *data[PROTOCOL_MAX_DATA] = { NULL }, *record = records + at;

        memcpy(&header, record, sizeof(header));
        if (header.size < sizeof(header) || header.size > size - at || header.type >= RECORD_COUNT ||
            !protocol_check(&record_types[header.type].part, record, header.size, data))
            return false;
        if (header.type == RECORD_server)
            *pid = ((const struct server_record *)record)->pid;
        if ((header.type == RECORD_port && !add_port(state, record, data)) ||
            (header.type == RECORD_connection && !add_connection(state, record, data)))
            return false;
    }
    return true;
}

/* ---------------------------------------------------------------------------------------------- /proc */

/* an inotify instance serves thousands of ports, and is kept */
static bool counts(const char *folder, const char *name)
{
    char path[PATH_MAX], target[PATH_MAX];
    ssize_t length;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    length = readlink(path, target, sizeof(target) - 1);
    if (length <= 0)
        return false;
    target[length] = 0;
    return strcmp(target, "anon_inode:inotify") != 0;
}

static bool count_descriptors(uint32_t pid, unsigned int *count)
{
    char folder[64];
    struct dirent *entry;
    DIR *dir;

    snprintf(folder, sizeof(folder), "/proc/%u/fd", pid);
    if (!(dir = opendir(folder)))
        return false;
    *count = 0;
    while ((entry = readdir(dir)))
        *count += counts(folder, entry->d_name);
    closedir(dir);
    return true;
}

static bool count_mappings(uint32_t pid, unsigned int *count)
{
    char path[64], *line = NULL;
    size_t room = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%u/maps", pid);
    if (!(file = fopen(path, "re")))
        return false;
    *count = 0;
    while (getline(&line, &room, file) != -1)
        *count += strstr(line, "/memfd:") || strstr(line, "(deleted)");
    free(line);
    fclose(file);
    return true;
}

/* the keeper has made another worker when the test has killed one: that is the same server */
static bool reopen(void)
{
    if (!control_gone(&control))
        return true;
    control_disconnect(&control);
    return keeper && find_keeper() == keeper && !control_connect(&control, false);
}

bool server_query(struct server_state *state)
{
    struct dump_request request = { .messages = 0 };
    struct dump_reply reply;
    const void *records;
    uint32_t pid = 0;

    *state = (struct server_state){ 0 };
    return control.fd != -1 && reopen() &&
           !control_call(&control, REQUEST_dump, &request, NULL, &reply, &records, NULL) &&
           read_records(state, records, reply.records_size, &pid) && pid &&
           count_descriptors(pid, &state->descriptors) && count_mappings(pid, &state->mappings);
}

/* ---------------------------------------------------------------------------------------------- comparing */

static bool has_object(const struct server_state *state, const struct server_object *object)
{
    size_t i;

    for (i = 0; i < state->count; i++)
        if (state->objects[i].type == object->type && state->objects[i].id == object->id)
            return true;
    return false;
}

static void append(char *text, size_t size, const char *what)
{
    size_t used = strlen(text);

    snprintf(text + used, size - used, "%s%s", used ? ", " : "", what);
}

bool server_growth(const struct server_state *before, const struct server_state *now, char *text, size_t size)
{
    char line[128];
    size_t i;

    text[0] = 0;
    for (i = 0; i < now->count; i++)
        if (!has_object(before, &now->objects[i]))
            append(text, size, now->objects[i].text);
    if (now->descriptors > before->descriptors)
    {
        snprintf(line, sizeof(line), "%u descriptors instead of %u", now->descriptors, before->descriptors);
        append(text, size, line);
    }
    if (now->mappings > before->mappings)
    {
        snprintf(line, sizeof(line), "%u mappings instead of %u", now->mappings, before->mappings);
        append(text, size, line);
    }
    return text[0] != 0;
}
