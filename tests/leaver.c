/*
 * Leaves something behind in alpcserver, for the test of the test runner
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   leaver FIFO    for each line that comes through the FIFO does what it says, until "end":
 *       port       makes a connection port and keeps a handle of it
 *       link       makes one more control connection, which costs alpcserver a descriptor
 *       drop       closes all of them
 *
 * After each line an empty one is written to FIFO.done.  So the test that is found guilty need not be a process of its
 * own.
 */

#include "dlls/ntdll/alpc/control.h"
#include "ntalpc/token.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct control control = CONTROL_INIT, links[8] = { CONTROL_INIT };
static int port_file = -1;
static unsigned int link_count;

static void die(const char *what)
{
    fprintf(stderr, "leaver: %s\n", what);
    exit(1);
}

/* a token with a user who is its group and owner too: S-1-5-18 */
static struct control_data make_token(void)
{
    static const uint8_t system[] = { 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0 };
    static _Alignas(8) uint8_t buffer[256];
    struct token_builder builder;

    token_build_begin(&builder, buffer, sizeof(buffer));
    builder.wire->type = TOKEN_WIRE_PRIMARY;
    token_build_sid(&builder, TOKEN_ITEM_USER, 0, system);
    token_build_sid(&builder, TOKEN_ITEM_OWNER, 0, system);
    token_build_sid(&builder, TOKEN_ITEM_PRIMARY_GROUP, 0, system);
    return (struct control_data){ buffer, token_build_end(&builder) };
}

static void introduce(void)
{
    struct init_request request = { .protocol = PROTOCOL_VERSION, .process = (uint32_t)getpid() };
    const struct control_data data[2] = { { u"leaver", 12 }, make_token() };
    struct init_reply reply;
    const char *error = control_connect(&control, true);

    if (error)
        die(error);
    if (control_call(&control, REQUEST_init, &request, data, &reply, NULL, NULL))
        die("init has failed");
}

static void make_port(void)
{
    struct create_port_request request = { .max_message = 0 };
    const struct control_data data[2] = { { NULL, 0 }, { NULL, 0 } };
    struct create_port_reply reply;
    int fds[PROTOCOL_MAX_FDS], i;
    char path[64];

    if (control.fd == -1)
        introduce();
    if (control_call(&control, REQUEST_create_port, &request, data, &reply, NULL, fds))
        die("create_port has failed");
    /* as Wine opens it */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
    if ((port_file = open(path, O_RDONLY | O_CLOEXEC)) == -1)
        die("cannot open the port's file");
    for (i = 0; i < PROTOCOL_MAX_FDS; i++)
        if (fds[i] != -1)
            close(fds[i]);
}

static void make_link(void)
{
    const char *error;

    if (link_count == sizeof(links) / sizeof(links[0]))
        die("too many links");
    links[link_count] = (struct control)CONTROL_INIT;
    if ((error = control_connect(&links[link_count++], true)))
        die(error);
}

static void drop(void)
{
    if (port_file != -1)
        close(port_file);
    port_file = -1;
    while (link_count)
        control_disconnect(&links[--link_count]);
    control_disconnect(&control);
}

/* false when it is to end */
static bool obey(const char *line)
{
    if (!strcmp(line, "port\n"))
        make_port();
    else if (!strcmp(line, "link\n"))
        make_link();
    else if (!strcmp(line, "drop\n"))
        drop();
    else
        return false;
    return true;
}

static void tell_done(const char *path)
{
    char done[4096];
    FILE *file;

    snprintf(done, sizeof(done), "%s.done", path);
    if (!(file = fopen(done, "w")))
        die(done);
    fputc('\n', file);
    fclose(file);
}

int main(int argc, char **argv)
{
    char line[64];
    bool going = true;

    if (argc != 2)
        die("the name of a FIFO is missing");
    while (going)
    {
        FILE *file = fopen(argv[1], "r");

        if (!file)
            die(argv[1]);
        if (fgets(line, sizeof(line), file))
        {
            going = obey(line);
            fclose(file);
            tell_done(argv[1]);
        }
        else
            fclose(file);
    }
    return 0;
}
