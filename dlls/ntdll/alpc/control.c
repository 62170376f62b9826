/*
 * The connection to alpcserver
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "control.h"

#include "prefix.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* ---------------------------------------------------------------------------------------------- connecting */

static int try_connect(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    if (strlen(path) >= sizeof(address.sun_path))
    {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd != -1 && connect(fd, (struct sockaddr *)&address, sizeof(address)))
    {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static const char *server_program(void)
{
    const char *program = getenv("NTALPCSERVER");

    return program && *program ? program : NTALPC_SERVER_PATH;
}

/*
 * The server goes into the background by itself; its first process ends when it can be connected to, with another
 * status than 0 if there is one already, or it could not begin.  Returns that status, or -1 with errno.
 */
static int start_server(void)
{
    char *const argv[] = { (char *)server_program(), NULL };
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int error, status = 0;
    pid_t pid;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    error = posix_spawn(&pid, argv[0], NULL, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    if (error)
    {
        errno = error;
        return -1;
    }
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
        ;
    return status;
}

#define CONNECT_TRIES 300
#define CONNECT_PAUSE_NS 10000000
#define START_EVERY 50 /* tries */
#define START_MOST 3   /* times in vain */

static __thread char trouble[512];

static const char *cannot_start(int status)
{
    if (status == -1)
        snprintf(trouble, sizeof(trouble), "cannot start %s: %s", server_program(), strerror(errno));
    else if (WIFSIGNALED(status))
        snprintf(trouble, sizeof(trouble), "%s does not start: ended by signal %d", server_program(), WTERMSIG(status));
    else
        snprintf(trouble, sizeof(trouble), "%s does not start: exit status %d", server_program(), WEXITSTATUS(status));
    errno = status == -1 ? errno : ECHILD;
    return trouble;
}

const char *control_connect(struct control *control, bool start)
{
    const struct timespec pause = { .tv_nsec = CONNECT_PAUSE_NS };
    int tries, status, failures = 0;
    struct prefix prefix;
    const char *error;

    if ((error = prefix_find(&prefix, start)))
        return error;
    for (tries = 0; tries < CONNECT_TRIES; tries++)
    {
        if ((control->fd = try_connect(prefix.socket)) != -1)
            return NULL;
        if (!start || (errno != ENOENT && errno != ECONNREFUSED))
            break;
        /* it may be starting for somebody else, or have been about to leave */
        if (tries % START_EVERY == 0 && (status = start_server()) && (status == -1 || !prefix_holder(&prefix)))
        {
            if (status == -1 || ++failures == START_MOST)
                return cannot_start(status);
            tries--;
        }
        if (tries)
            nanosleep(&pause, NULL);
    }
    snprintf(trouble, sizeof(trouble), "%s: %s", prefix.socket, strerror(errno));
    return trouble;
}

bool control_gone(const struct control *control)
{
    char byte;
    ssize_t got = recv(control->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return !got || (got == -1 && errno != EAGAIN && errno != EINTR);
}

void control_disconnect(struct control *control)
{
    if (control->fd != -1)
        close(control->fd);
    free(control->buffer);
    *control = (struct control)CONTROL_INIT;
}

/* ---------------------------------------------------------------------------------------------- calling */

static bool send_all(int fd, struct iovec *iov, int count)
{
    struct msghdr message = { .msg_iov = iov, .msg_iovlen = (size_t)count };

    while (message.msg_iovlen)
    {
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

        if (sent == -1 && errno != EINTR)
            return false;
        for (; sent > 0 && message.msg_iovlen; message.msg_iov++, message.msg_iovlen--)
        {
            if ((size_t)sent < message.msg_iov->iov_len)
            {
                message.msg_iov->iov_base = (uint8_t *)message.msg_iov->iov_base + sent;
                message.msg_iov->iov_len -= (size_t)sent;
                break;
            }
            sent -= (ssize_t)message.msg_iov->iov_len;
        }
        while (message.msg_iovlen && !message.msg_iov->iov_len)
        {
            message.msg_iov++;
            message.msg_iovlen--;
        }
    }
    return true;
}

static unsigned int take_fds(struct msghdr *message, int *fds)
{
    struct cmsghdr *header;
    unsigned int count = 0;

    for (header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header))
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        {
            count = (unsigned int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(fds, CMSG_DATA(header), count * sizeof(int));
        }
    return count;
}

/* the first bytes bring the descriptors */
static ssize_t receive_first(int fd, void *buffer, size_t size, int fds[PROTOCOL_MAX_FDS], unsigned int *fd_count)
{
    union
    {
        char buffer[CMSG_SPACE(PROTOCOL_MAX_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = { .iov_base = buffer, .iov_len = size };
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buffer, .msg_controllen = sizeof(control)
    };
    ssize_t got;

    while ((got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC)) == -1 && errno == EINTR)
        ;
    if (got > 0)
        *fd_count = take_fds(&message, fds);
    return got;
}

static bool receive_rest(int fd, uint8_t *buffer, size_t have, size_t size)
{
    while (have < size)
    {
        ssize_t got = recv(fd, buffer + have, size - have, 0);

        if (got == -1 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        have += (size_t)got;
    }
    return true;
}

static bool make_room(struct control *control, size_t size)
{
    uint8_t *buffer;

    if (size <= control->room)
        return true;
    if (!(buffer = realloc(control->buffer, size)))
        return false;
    control->buffer = buffer;
    control->room = size;
    return true;
}

/* reads one whole reply into the buffer */
static bool receive_reply(struct control *control, int fds[PROTOCOL_MAX_FDS], unsigned int *fd_count)
{
    struct reply_header header;
    ssize_t got;

    if (!make_room(control, 1024))
        return false;
    /* replies are never sent ahead of their request, so nothing of another one can come along */
    got = receive_first(control->fd, control->buffer, control->room, fds, fd_count);
    if (got <= 0 || !receive_rest(control->fd, control->buffer, (size_t)got, sizeof(header)))
        return false;
    if ((size_t)got < sizeof(header))
        got = sizeof(header);
    memcpy(&header, control->buffer, sizeof(header));
    return header.size >= sizeof(header) && (size_t)got <= header.size && make_room(control, header.size) &&
           receive_rest(control->fd, control->buffer, (size_t)got, header.size);
}

/* returns false when the server cannot be talked to any more */
static bool call(struct control *control, const struct request_type *type, struct iovec *iov, int iov_count,
                 void *reply, const void **reply_data, int fds[PROTOCOL_MAX_FDS], unsigned int *fd_count,
                 NTSTATUS *status)
{
    const void *data[PROTOCOL_MAX_DATA] = { NULL };
    struct reply_header header;

    if (!send_all(control->fd, iov, iov_count) || !receive_reply(control, fds, fd_count))
        return false;
    memcpy(&header, control->buffer, sizeof(header));
    if ((*status = header.status))
    {
        /* what the system is short of: the server says it once */
        if (header.size > sizeof(header))
            fprintf(stderr, "ntalpc: %.*s\n", (int)(header.size - sizeof(header)), control->buffer + sizeof(header));
        return true;
    }
    if (!protocol_check(&type->reply, control->buffer, header.size, data))
        return false;
    memcpy(reply, control->buffer, type->reply.size);
    if (reply_data)
        *reply_data = data[0];
    return true;
}

NTSTATUS control_call(struct control *control, enum request_code code, void *request, const struct control_data *data,
                      void *reply, const void **reply_data, int fds[PROTOCOL_MAX_FDS])
{
    static const uint8_t zeros[8];
    const struct request_type *type = &request_types[code];
    struct request_header *header = request;
    const struct request_field *field;
    uint8_t *at = (uint8_t *)request + sizeof(*header);
    struct iovec iov[2 + 2 * PROTOCOL_MAX_DATA];
    int none[PROTOCOL_MAX_FDS], count = 0;
    unsigned int i, fd_count = 0;
    size_t size = protocol_pad(type->request.size);
    NTSTATUS status;

    iov[count++] = (struct iovec){ request, type->request.size };
    iov[count++] = (struct iovec){ (void *)zeros, size - type->request.size };
    for (field = type->request.fields; field->name; at += protocol_field_size(field++))
    {
        uint32_t length;

        if (field->kind != FIELD_DATA)
            continue;
        length = (uint32_t)data->size;
        memcpy(at, &length, sizeof(length));
        iov[count++] = (struct iovec){ (void *)data->data, data->size };
        iov[count++] = (struct iovec){ (void *)zeros, protocol_pad(data->size) - data->size };
        size += protocol_pad(data->size);
        data++;
    }
    if (size > PROTOCOL_MAX_SIZE)
        return STATUS_INVALID_PARAMETER;
    header->size = (uint32_t)size;
    header->code = code;
    if (!fds)
        fds = none;
    for (i = 0; i < PROTOCOL_MAX_FDS; i++)
        fds[i] = -1;
    if (!call(control, type, iov, count, reply, reply_data, fds, &fd_count, &status))
    {
        status = STATUS_PORT_DISCONNECTED;
        control_disconnect(control);
    }
    if (status || fds == none)
        for (i = 0; i < fd_count; i++)
        {
            close(fds[i]);
            fds[i] = -1;
        }
    return status;
}
