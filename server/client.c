/*
 * Control connections
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "client.h"

#include "process.h"
#include "server.h"
#include "shortage.h"
#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool trace_requests;

static struct client *clients;
static struct event *accepting, *retry;

static void client_close(struct client *client)
{
    *client->link = client->next;
    if (client->next)
        client->next->link = client->link;
    server_work_ends();
    if (client->readable)
        event_free(client->readable);
    if (client->writable)
        event_free(client->writable);
    close(client->caller.fd);
    if (client->caller.process)
        process_disconnected(client->caller.process);
    free(client->in);
    free(client->out);
    free(client);
}

static void trace(const struct client *client, const char *arrow, const struct request_type *type,
                  const struct request_part *part, const void *data, NTSTATUS status)
{
    char line[512];

    if (!trace_requests)
        return;
    protocol_print(line, sizeof(line), type->name, part, data);
    if (part == &type->reply)
        fprintf(stderr, "%d: %s %s = %08x\n", (int)client->caller.pid, arrow, status ? type->name : line,
                (unsigned int)status);
    else
        fprintf(stderr, "%d: %s %s\n", (int)client->caller.pid, arrow, line);
}

/* ---------------------------------------------------------------------------------------------- replies */

static ssize_t send_with_fds(int fd, const void *data, size_t size, const int *fds, unsigned int fd_count)
{
    union
    {
        char buffer[CMSG_SPACE(PROTOCOL_MAX_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
    struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (fd_count)
    {
        struct cmsghdr *header;

        memset(&control, 0, sizeof(control));
        message.msg_control = control.buffer;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* returns false when the client has to go */
static bool client_reply(struct client *client, const struct request_type *type, NTSTATUS status, struct reply *reply)
{
    const char *line = status ? shortage_take_line() : NULL;
    const void *variable = status ? line : reply->data;
    size_t variable_size = line ? strlen(line) : status ? 0 : reply->data_size;
    size_t fixed = status ? sizeof(struct reply_header) : protocol_pad(type->reply.size);
    size_t size = fixed + protocol_pad(variable_size);
    unsigned int fd_count = status ? 0 : reply->fd_count;
    uint8_t *data = calloc(1, size);
    ssize_t sent;

    if (!data)
        return false;
    reply->header.size = (uint32_t)size;
    reply->header.status = status;
    memcpy(data, reply, status ? fixed : type->reply.size);
    if (variable_size)
        memcpy(data + fixed, variable, variable_size);
    trace(client, "<-", type, &type->reply, reply, status);
    sent = send_with_fds(client->caller.fd, data, size, reply->fds, fd_count);
    if (sent == (ssize_t)size)
    {
        free(data);
        return true;
    }
    /*
     * descriptors go with the first byte; a client that leaves no room for that one has sent requests without reading
     */
    if (sent <= 0 && (fd_count || (sent == -1 && errno != EAGAIN)))
    {
        free(data);
        return false;
    }
    client->out = data;
    client->out_size = size;
    client->out_done = sent > 0 ? (size_t)sent : 0;
    event_del(client->readable);
    return event_add(client->writable, NULL) == 0;
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct client *client = arg;
    ssize_t sent = send(fd, client->out + client->out_done, client->out_size - client->out_done,
                        MSG_NOSIGNAL | MSG_DONTWAIT);

    (void)what;
    if (sent == -1 && errno != EAGAIN)
    {
        client_close(client);
        return;
    }
    client->out_done += sent > 0 ? (size_t)sent : 0;
    if (client->out_done < client->out_size)
        return;
    free(client->out);
    client->out = NULL;
    event_del(client->writable);
    event_add(client->readable, NULL);
}

/* ---------------------------------------------------------------------------------------------- requests */

/* one whole request has come; returns false when the client has to go */
static bool client_request(struct client *client)
{
    const struct request_header *header = (const void *)client->in;
    const struct request_type *type = &request_types[header->code];
    const void *data[PROTOCOL_MAX_DATA] = { NULL };
    struct reply reply;
    NTSTATUS status;
    bool keep;

    memset(&reply, 0, sizeof(reply)); /* gaps and all: it is sent */
    if (!protocol_check(&type->request, client->in, header->size, data))
    {
        fprintf(stderr, "alpcserver: client %d sent a malformed %s\n", (int)client->caller.pid, type->name);
        return false;
    }
    trace(client, "->", type, &type->request, client->in, 0);
    state_request_begins();
    status = request_handle(&client->caller, header, data, &reply);
    state_request_ends();
    keep = client_reply(client, type, status, &reply);
    reply_release(&reply);
    client->in_size = 0;
    return keep && status != STATUS_REVISION_MISMATCH;
}

/* how many bytes are still missing of what can be judged next; 0 when the request is whole, -1 when it is senseless */
static ssize_t bytes_missing(const struct client *client)
{
    const struct request_header *header = (const void *)client->in;

    if (client->in_size < sizeof(*header))
        return (ssize_t)(sizeof(*header) - client->in_size);
    if (header->code >= REQUEST_COUNT || header->size < sizeof(*header) || header->size > PROTOCOL_MAX_SIZE)
        return -1;
    return (ssize_t)(header->size - client->in_size);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct client *client = arg;
    ssize_t missing = bytes_missing(client), got;

    (void)what;
    if (client->in_size + (size_t)missing > client->in_room)
    {
        size_t room = client->in_size + (size_t)missing;
        uint8_t *in = realloc(client->in, room);

        if (!in)
        {
            client_close(client);
            return;
        }
        client->in = in;
        client->in_room = room;
    }
    got = recv(fd, client->in + client->in_size, (size_t)missing, MSG_DONTWAIT);
    if (got == -1 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
    {
        client_close(client);
        return;
    }
    client->in_size += (size_t)got;
    missing = bytes_missing(client);
    if (missing < 0 || (!missing && !client_request(client)))
        client_close(client);
    else if (missing > 0 && client->in_size == sizeof(struct request_header))
        on_readable(fd, what, arg); /* most often the rest is there already */
}

/* ---------------------------------------------------------------------------------------------- connections */

static bool client_add(struct event_base *base, int fd)
{
    struct client *client = calloc(1, sizeof(*client));
    struct ucred cred;
    socklen_t length = sizeof(cred);

    /* the directory keeps others out; the credentials say so again, and tell who it is */
    if (!client || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &length) || (cred.uid != geteuid() && cred.uid != 0))
    {
        free(client);
        return false;
    }
    client->caller.fd = fd;
    client->caller.pid = cred.pid;
    client->in = malloc(client->in_room = 1024);
    client->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, client);
    client->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, client);
    client->link = &clients;
    client->next = clients;
    if (clients)
        clients->link = &client->next;
    clients = client;
    server_work_begins();
    if (client->in && client->readable && client->writable && !event_add(client->readable, NULL))
        return true;
    client->caller.fd = -1; /* stays the caller's to close */
    client_close(client);
    return false;
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    event_add(accepting, NULL);
}

static void on_connection(evutil_socket_t listener, short what, void *arg)
{
    static const struct timeval pause = { .tv_usec = 100000 };
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)what;
    if (fd == -1)
    {
        /* without descriptors or memory the same connection would come up again at once */
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        {
            event_del(accepting);
            event_add(retry, &pause);
        }
        return;
    }
    if (!client_add(arg, fd))
        close(fd);
}

bool client_listen(struct event_base *base, int listener)
{
    accepting = event_new(base, listener, EV_READ | EV_PERSIST, on_connection, base);
    retry = evtimer_new(base, on_retry, NULL);
    return accepting && retry && !event_add(accepting, NULL);
}

void client_close_all(void)
{
    while (clients)
        client_close(clients);
    event_free(accepting);
    event_free(retry);
}

