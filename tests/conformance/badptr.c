/*
 * Pointers that are not good [alpc.md 1.2]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every pointer that a call takes, and those behind it, are made bad one at a time: the status is
 * STATUS_ACCESS_VIOLATION, no exception is raised, and nothing has changed.  The same call with good ones works.  Not
 * here: NtAlpc calls that are not there yet; what other calls say to pointers when no port is concerned.
 */

#include "objects.h"

#include <stddef.h>
#include <wchar.h>

/* ---------------------------------------------------------------------------------------------- places */

#define PAGE 0x1000

/* the middle page can be used, those around it cannot */
static BYTE *between;
/* one can be written, the next one just read */
static BYTE *before_read_only;
static BYTE *reserved;

static void make_places(void)
{
    DWORD old;

    between = (BYTE *)VirtualAlloc(NULL, 3 * PAGE, MEM_COMMIT | MEM_RESERVE, PAGE_NOACCESS) + PAGE;
    VirtualProtect(between, PAGE, PAGE_READWRITE, &old);
    before_read_only = VirtualAlloc(NULL, 2 * PAGE, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    reserved = VirtualAlloc(NULL, PAGE, MEM_RESERVE, PAGE_NOACCESS);
    ok(between && before_read_only && reserved, "error %lu\n", GetLastError());
}

enum place
{
    PLACE_NULL,
    PLACE_LOW,
    PLACE_SYSTEM,
    PLACE_RESERVED,
    PLACE_NO_ACCESS,
    PLACE_FIRST, /* the first bytes are missing; half of it; the last */
    PLACE_HALF,
    PLACE_LAST,
    PLACE_READ_ONLY, /* here and below it can be read */
    PLACE_READ_ONLY_HALF,
    PLACE_READ_ONLY_LAST,
    PLACE_COUNT
};

static const char *const place_names[PLACE_COUNT] = { "NULL",           "below 64K",     "system",
                                                      "reserved",       "no access",     "first bytes missing",
                                                      "half missing",   "last missing",  "read-only",
                                                      "half read-only", "last read-only" };

/* the content as far as it has a place below the end of a page */
static void *put_before_end(BYTE *end, const void *content, SIZE_T fits)
{
    BYTE *at = end - fits;

    memcpy(at, content, fits);
    return at;
}

static void *put_read_only(const void *content, SIZE_T size, SIZE_T writable)
{
    BYTE *at = before_read_only + PAGE - writable;
    DWORD old;

    VirtualProtect(before_read_only + PAGE, PAGE, PAGE_READWRITE, &old);
    memcpy(at, content, size);
    VirtualProtect(before_read_only + PAGE, PAGE, PAGE_READONLY, &old);
    return at;
}

/* step: what the address must be a multiple of */
static void *put(enum place place, const void *content, SIZE_T size, SIZE_T step)
{
    const SIZE_T half = size / 2 / step * step;

    switch (place)
    {
    case PLACE_LOW:
        return (void *)(ULONG_PTR)0x1000;
    case PLACE_SYSTEM:
        return (void *)((ULONG_PTR)1 << (sizeof(void *) * 8 - 1));
    case PLACE_RESERVED:
        return reserved;
    case PLACE_NO_ACCESS:
        return between + PAGE;
    case PLACE_FIRST:
        memcpy(between, (const BYTE *)content + step, size - step);
        return between - step;
    case PLACE_HALF:
        return put_before_end(between + PAGE, content, half);
    case PLACE_LAST:
        return put_before_end(between + PAGE, content, size - step);
    case PLACE_READ_ONLY:
        return put_read_only(content, size, 0);
    case PLACE_READ_ONLY_HALF:
        return put_read_only(content, size, half);
    case PLACE_READ_ONLY_LAST:
        return put_read_only(content, size, size - step);
    default:
        return NULL;
    }
}

/* ---------------------------------------------------------------------------------------------- arguments */

#define DATA_SIZE 0x20
#define NAME_SIZE (40 * sizeof(WCHAR))
#define SID_SIZE 28 /* of a user: five numbers */
#define ACL_SIZE (sizeof(ACL) + 8 + SID_SIZE)

/* header and a context attribute, as far as it counts when it is sent */
struct context_attribute
{
    ALPC_MESSAGE_ATTRIBUTES header;
    ALPC_CONTEXT_ATTR context;
};

#define SENT_ATTRIBUTES_SIZE (offsetof(struct context_attribute, context) + offsetof(ALPC_CONTEXT_ATTR, Sequence))

/* everything that any call is given; each pointer leads to what stands behind it */
struct arguments
{
    HANDLE port;
    ULONG flags;
    BOOLEAN accept;

    HANDLE *handle;
    OBJECT_ATTRIBUTES *object, *target;
    UNICODE_STRING *name;
    ALPC_PORT_ATTRIBUTES *attributes;
    PSID sid;
    SECURITY_DESCRIPTOR *sd;
    PORT_MESSAGE *send, *receive;
    SIZE_T *length;
    struct context_attribute *out, *in;
    LARGE_INTEGER *timeout;
    void *information;
    ULONG *return_length;

    HANDLE the_handle;
    OBJECT_ATTRIBUTES the_object, the_target;
    UNICODE_STRING the_name;
    ALPC_PORT_ATTRIBUTES the_attributes;
    BYTE the_sid[SECURITY_MAX_SID_SIZE];
    SECURITY_DESCRIPTOR the_sd;
    union
    {
        ACL acl;
        BYTE bytes[ACL_SIZE];
    } the_acl;
    struct message the_send, the_receive;
    SIZE_T the_length;
    struct context_attribute the_out, the_in;
    LARGE_INTEGER the_timeout;
    BYTE the_information[0x100];
    ULONG the_return_length;
};

/* the test's surroundings */
static WCHAR name[80], free_name[80];
static struct ports ports;
static HANDLE pending;         /* a client that waits to be accepted */
static HANDLE copied;          /* a duplicate of the client port */
static PORT_MESSAGE requested; /* what it has sent; or another message to be answered */
static BYTE user[SECURITY_MAX_SID_SIZE];

static void make_user(void)
{
    BYTE buffer[0x100];
    HANDLE token;
    DWORD size;

    OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token);
    ok(GetTokenInformation(token, TokenUser, buffer, sizeof(buffer), &size), "error %lu\n", GetLastError());
    CopySid(sizeof(user), user, ((TOKEN_USER *)buffer)->User.Sid);
    ok(GetLengthSid(user) == SID_SIZE, "the SID has %lu bytes: this tests nothing\n", GetLengthSid(user));
    CloseHandle(token);
}

static void make_name(WCHAR *buffer)
{
    wcscpy(buffer, new_name());
    while (wcslen(buffer) < NAME_SIZE / sizeof(WCHAR))
        wcscat(buffer, L"x");
}

static void make_arguments(struct arguments *a)
{
    memset(a, 0, sizeof(*a));
    a->accept = TRUE;
    a->handle = &a->the_handle;
    a->the_handle = UNTOUCHED_HANDLE;
    a->sid = memcpy(a->the_sid, user, sizeof(user));
    a->sd = &a->the_sd;
    InitializeSecurityDescriptor(a->sd, SECURITY_DESCRIPTOR_REVISION);
    InitializeAcl(&a->the_acl.acl, sizeof(a->the_acl), ACL_REVISION);
    AddAccessAllowedAce(&a->the_acl.acl, ACL_REVISION, PORT_ALL_ACCESS, a->sid);
    SetSecurityDescriptorDacl(a->sd, TRUE, &a->the_acl.acl, FALSE);
    SetSecurityDescriptorOwner(a->sd, a->sid, FALSE);
    a->name = &a->the_name;
    RtlInitUnicodeString(a->name, name);
    a->target = &a->the_target;
    InitializeObjectAttributes(a->target, a->name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    a->object = &a->the_object;
    InitializeObjectAttributes(a->object, NULL, 0, NULL, a->sd);
    a->attributes = &a->the_attributes;
    a->send = &a->the_send.header;
    a->send->u1.s1.DataLength = DATA_SIZE;
    a->send->u1.s1.TotalLength = HEADER_SIZE + DATA_SIZE;
    a->length = &a->the_length;
    a->the_length = sizeof(a->the_receive);
    a->receive = &a->the_receive.header;
    memset(a->receive, 0xcc, sizeof(a->the_receive));
    a->out = &a->the_out;
    a->the_out.header.AllocatedAttributes = a->the_out.header.ValidAttributes = ALPC_MESSAGE_CONTEXT_ATTRIBUTE;
    a->in = &a->the_in;
    a->the_in.header.AllocatedAttributes = ALPC_MESSAGE_CONTEXT_ATTRIBUTE;
    a->the_in.header.ValidAttributes = 0xcccccccc;
    a->timeout = &a->the_timeout;
    a->the_timeout.QuadPart = MILLISECONDS(1);
    a->information = a->the_information;
    a->return_length = &a->the_return_length;
}

/* what a call that fails leaves as it was */
static void check_outputs(const struct arguments *a)
{
    ULONG i;

    ok(a->the_handle == UNTOUCHED_HANDLE, "[1.2] a failing call wrote the handle %p\n", a->the_handle);
    ok(a->the_length == sizeof(a->the_receive), "[1.2] a failing call wrote the length %#Ix\n", a->the_length);
    ok(a->the_in.header.ValidAttributes == 0xcccccccc, "[1.2] a failing call wrote attributes\n");
    ok(!a->the_send.header.MessageId || a->the_send.header.MessageId == requested.MessageId,
       "[1.2] a failing call wrote the id %#lx\n", a->the_send.header.MessageId);
    for (i = 0; i < sizeof(a->the_receive) && ((const BYTE *)&a->the_receive)[i] == 0xcc; i++)
        ;
    ok(i == sizeof(a->the_receive), "[1.2] a failing call wrote byte %#lx of a message\n", i);
    for (i = 0; i < sizeof(a->the_information) && !a->the_information[i]; i++)
        ;
    ok(i == sizeof(a->the_information), "[1.2] a failing call wrote byte %#lx of the information\n", i);
}

/* one pointer of a call */
struct argument
{
    const char *name;
    SIZE_T offset; /* in struct arguments */
    SIZE_T size, step;
    BOOL writes;
    BOOL optional; /* NULL is good, or bad in another way */
};

#define READS(field, size, step)                                                                                       \
    {                                                                                                                  \
#field, offsetof(struct arguments, field), size, step, FALSE, FALSE                                            \
    }
#define READS_OPT(field, size, step)                                                                                   \
    {                                                                                                                  \
#field, offsetof(struct arguments, field), size, step, FALSE, TRUE                                             \
    }
#define WRITES(field, size, step)                                                                                      \
    {                                                                                                                  \
#field, offsetof(struct arguments, field), size, step, TRUE, FALSE                                             \
    }
#define WRITES_OPT(field, size, step)                                                                                  \
    {                                                                                                                  \
#field, offsetof(struct arguments, field), size, step, TRUE, TRUE                                              \
    }

/* a call */
struct call_test
{
    const char *name;
    void (*prepare)(struct arguments *a); /* what is not as make_arguments makes it */
    NTSTATUS (*run)(struct arguments *a);
    void (*check)(void); /* that nothing has changed */
    NTSTATUS good;       /* the status with good pointers */
    struct argument arguments[12];
};

static void check_argument(const struct call_test *test, const struct argument *argument)
{
    static struct arguments a;
    enum place place;
    void **pointer;

    for (place = argument->optional ? PLACE_LOW : PLACE_NULL;
         place < (argument->writes ? PLACE_COUNT : PLACE_READ_ONLY); place++)
    {
        winetest_push_context("%s, %s, %s", test->name, argument->name, place_names[place]);
        make_arguments(&a);
        test->prepare(&a);
        pointer = (void **)((BYTE *)&a + argument->offset);
        *pointer = put(place, *pointer, argument->size, argument->step);
        ok_status("1.2", test->run(&a), STATUS_ACCESS_VIOLATION);
        check_outputs(&a);
        test->check();
        winetest_pop_context();
    }
}

static void check_call(const struct call_test *test)
{
    static struct arguments a;
    const struct argument *argument;
    ULONG before = count_handles();

    for (argument = test->arguments; argument->name; argument++)
        check_argument(test, argument);
    ok(count_handles() == before, "[1.2] %s: %lu handles, %lu before\n", test->name, count_handles(), before);

    winetest_push_context("%s", test->name);
    make_arguments(&a);
    test->prepare(&a);
    ok_status("1.2", test->run(&a), test->good);
    if (a.the_handle != UNTOUCHED_HANDLE)
        ok_status("1.2", NtClose(a.the_handle), STATUS_SUCCESS);
    winetest_pop_context();
}

/* ---------------------------------------------------------------------------------------------- creating and
 * connecting */

static void prepare_create(struct arguments *a)
{
    RtlInitUnicodeString(a->name, free_name);
    a->object->ObjectName = a->name;
}

static NTSTATUS run_create(struct arguments *a)
{
    return NtAlpcCreatePort(a->handle, a->object, a->attributes);
}

static void check_name_free(void)
{
    ok_status("4.2", try_connect_string(free_name), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void prepare_connect(struct arguments *a)
{
    a->port = NULL;
}

static void prepare_sync_connect(struct arguments *a)
{
    a->flags = ALPC_MSGFLG_SYNC_REQUEST;
}

static NTSTATUS run_connect(struct arguments *a)
{
    return NtAlpcConnectPort(a->handle, a->name, a->object, a->attributes, a->flags, a->sid, a->send, a->length,
                             a->out ? &a->out->header : NULL, a->in ? &a->in->header : NULL, a->timeout);
}

static NTSTATUS run_connect_ex(struct arguments *a)
{
    return NtAlpcConnectPortEx(a->handle, a->target, a->object, a->attributes, a->flags, a->sd, a->send, a->length,
                               a->out ? &a->out->header : NULL, a->in ? &a->in->header : NULL, a->timeout);
}

static void check_nothing_came(void)
{
    expect_no_message(ports.connection, "1.2");
    expect_no_message(ports.client, "1.2");
}

static void prepare_accept(struct arguments *a)
{
    a->port = ports.connection;
    a->send->MessageId = requested.MessageId;
}

static NTSTATUS run_accept(struct arguments *a)
{
    return NtAlpcAcceptConnectPort(a->handle, a->port, a->flags, a->object, a->attributes, PORT_CONTEXT, a->send,
                                   a->out ? &a->out->header : NULL, a->accept);
}

static void check_still_pending(void)
{
    expect_no_message(pending, "1.2");
    expect_no_message(ports.connection, "1.2");
}

#define STRUCTURE 8

static const struct call_test create_test = {
    "NtAlpcCreatePort",
    prepare_create,
    run_create,
    check_name_free,
    STATUS_SUCCESS,
    { WRITES(handle, sizeof(HANDLE), STRUCTURE), READS_OPT(object, sizeof(OBJECT_ATTRIBUTES), STRUCTURE),
      READS_OPT(the_object.ObjectName, sizeof(UNICODE_STRING), STRUCTURE), READS(the_name.Buffer, NAME_SIZE, 2),
      READS_OPT(the_object.SecurityDescriptor, sizeof(SECURITY_DESCRIPTOR), STRUCTURE),
      READS_OPT(the_sd.Owner, SID_SIZE, 4), READS_OPT(the_sd.Dacl, ACL_SIZE, 4),
      READS_OPT(attributes, sizeof(ALPC_PORT_ATTRIBUTES), STRUCTURE) },
};

#define CONNECT_ARGUMENTS                                                                                              \
    WRITES(handle, sizeof(HANDLE), STRUCTURE), READS_OPT(object, sizeof(OBJECT_ATTRIBUTES), STRUCTURE),                \
        READS_OPT(attributes, sizeof(ALPC_PORT_ATTRIBUTES), STRUCTURE),                                                \
        WRITES_OPT(send, HEADER_SIZE + DATA_SIZE, STRUCTURE), WRITES_OPT(length, sizeof(SIZE_T), STRUCTURE),           \
        READS_OPT(out, SENT_ATTRIBUTES_SIZE, STRUCTURE), WRITES_OPT(in, sizeof(struct context_attribute), STRUCTURE),  \
        READS_OPT(timeout, sizeof(LARGE_INTEGER), STRUCTURE)

static const struct call_test connect_tests[] = {
    { "NtAlpcConnectPort",
      prepare_connect,
      run_connect,
      check_nothing_came,
      STATUS_SUCCESS,
      { CONNECT_ARGUMENTS, READS(name, sizeof(UNICODE_STRING), STRUCTURE), READS(the_name.Buffer, NAME_SIZE, 2),
        READS_OPT(sid, SID_SIZE, 4) } },
    { "NtAlpcConnectPort and wait",
      prepare_sync_connect,
      run_connect,
      check_nothing_came,
      STATUS_TIMEOUT,
      { CONNECT_ARGUMENTS, READS(name, sizeof(UNICODE_STRING), STRUCTURE), READS(the_name.Buffer, NAME_SIZE, 2),
        READS_OPT(sid, SID_SIZE, 4) } },
    { "NtAlpcConnectPortEx",
      prepare_connect,
      run_connect_ex,
      check_nothing_came,
      STATUS_SUCCESS,
      { WRITES(handle, sizeof(HANDLE), STRUCTURE), READS(target, sizeof(OBJECT_ATTRIBUTES), STRUCTURE),
        READS_OPT(the_target.ObjectName, sizeof(UNICODE_STRING), STRUCTURE), READS(the_name.Buffer, NAME_SIZE, 2),
        READS_OPT(sd, sizeof(SECURITY_DESCRIPTOR), STRUCTURE), READS_OPT(the_sd.Owner, SID_SIZE, 4),
        READS_OPT(the_sd.Dacl, ACL_SIZE, 4) } },
    { "NtAlpcConnectPortEx and wait",
      prepare_sync_connect,
      run_connect_ex,
      check_nothing_came,
      STATUS_TIMEOUT,
      { CONNECT_ARGUMENTS } },
};

static const struct call_test accept_test = {
    "NtAlpcAcceptConnectPort",
    prepare_accept,
    run_accept,
    check_still_pending,
    STATUS_SUCCESS,
    { WRITES(handle, sizeof(HANDLE), STRUCTURE), READS_OPT(object, sizeof(OBJECT_ATTRIBUTES), STRUCTURE),
      READS_OPT(the_object.SecurityDescriptor, sizeof(SECURITY_DESCRIPTOR), STRUCTURE),
      READS_OPT(attributes, sizeof(ALPC_PORT_ATTRIBUTES), STRUCTURE), READS(send, HEADER_SIZE + DATA_SIZE, STRUCTURE),
      READS_OPT(out, SENT_ATTRIBUTES_SIZE, STRUCTURE) },
};

static void drain(HANDLE port)
{
    struct message message;

    while (!receive_within(port, 0, &message))
        ;
}

static void test_connecting(void)
{
    struct message message;
    UNICODE_STRING string;
    HANDLE accepted = UNTOUCHED_HANDLE;
    unsigned int i;

    check_call(&create_test);
    for (i = 0; i < ARRAY_SIZE(connect_tests); i++)
    {
        check_call(&connect_tests[i]);
        drain(ports.connection);
    }

    RtlInitUnicodeString(&string, name);
    for (i = 0; i < 2; i++)
    {
        ok_status("4.3", NtAlpcConnectPort(&pending, &string, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL),
                  STATUS_SUCCESS);
        ok_status("4.3", receive_within(ports.connection, HANG, &message), STATUS_SUCCESS);
        requested = message.header;
        if (!i)
        {
            check_call(&accept_test);
            /* the server's port was closed again before this was read */
            expect_type(pending, "4.3", LPC_CANCELED);
        }
        else
        {
            /* who refuses is given no handle, so that pointer is not looked at */
            ok_status(
                "1.3",
                NtAlpcAcceptConnectPort(NULL, ports.connection, 0, NULL, NULL, NULL, &message.header, NULL, FALSE),
                STATUS_SUCCESS);
            ok_status("4.3", receive_within(pending, HANG, &message), STATUS_PORT_CONNECTION_REFUSED);
        }
        NtClose(pending);
        drain(ports.connection);
    }
    requested.MessageId = 0;

    /* a message that is just sent may be read-only */
    message.header = (PORT_MESSAGE){ .u1.s1 = { 0, HEADER_SIZE } };
    ok_status("4.3",
              NtAlpcConnectPort(&accepted, &string, NULL, NULL, 0, NULL,
                                put(PLACE_READ_ONLY, &message, HEADER_SIZE, STRUCTURE), NULL, NULL, NULL, NULL),
              STATUS_SUCCESS);
    NtClose(accepted);
    drain(ports.connection);
}

/* ---------------------------------------------------------------------------------------------- messages */

static NTSTATUS run_exchange(struct arguments *a)
{
    return NtAlpcSendWaitReceivePort(a->port, a->flags, a->send, a->out ? &a->out->header : NULL, a->receive, a->length,
                                     a->in ? &a->in->header : NULL, a->timeout);
}

static void send_only(struct arguments *a)
{
    a->port = ports.client;
    a->receive = NULL;
    a->length = NULL;
    a->in = NULL;
    a->timeout = NULL;
}

static void prepare_datagram(struct arguments *a)
{
    send_only(a);
    a->flags = ALPC_MSGFLG_RELEASE_MESSAGE;
}

static void prepare_sync_request(struct arguments *a)
{
    a->port = ports.client;
    a->flags = ALPC_MSGFLG_SYNC_REQUEST;
}

static void prepare_datagram_and_receive(struct arguments *a)
{
    a->port = ports.client;
    a->flags = ALPC_MSGFLG_RELEASE_MESSAGE;
}

static void prepare_receive(struct arguments *a)
{
    a->port = ports.connection;
    a->send = NULL;
    a->out = NULL;
}

static void prepare_answer(struct arguments *a)
{
    a->port = ports.connection;
    a->flags = ALPC_MSGFLG_RELEASE_MESSAGE;
    a->send->MessageId = requested.MessageId;
    a->send->CallbackId = requested.CallbackId;
}

static void check_nothing_sent(void)
{
    expect_no_message(ports.connection, "1.2");
    expect_no_message(ports.client, "1.2");
}

/* asked for with too small a buffer it stays */
static void check_still_queued(void)
{
    PORT_MESSAGE header;
    LARGE_INTEGER timeout = { .QuadPart = 0 };
    SIZE_T size = 0;

    ok_status("4.4", NtAlpcSendWaitReceivePort(ports.connection, 0, NULL, NULL, &header, &size, NULL, &timeout),
              STATUS_BUFFER_TOO_SMALL);
    ok(size == HEADER_SIZE + sizeof(ULONG), "[4.4] needs %#Ix\n", size);
}

static const struct call_test send_tests[] = {
    { "datagram",
      prepare_datagram,
      run_exchange,
      check_nothing_sent,
      STATUS_SUCCESS,
      { READS_OPT(send, HEADER_SIZE + DATA_SIZE, STRUCTURE), READS_OPT(out, SENT_ATTRIBUTES_SIZE, STRUCTURE) } },
    /* its id is written [4.5] */
    { "asynchronous request",
      send_only,
      run_exchange,
      check_nothing_sent,
      STATUS_SUCCESS,
      { READS_OPT(send, HEADER_SIZE + DATA_SIZE, STRUCTURE), READS_OPT(out, SENT_ATTRIBUTES_SIZE, STRUCTURE) } },
    { "synchronous request",
      prepare_sync_request,
      run_exchange,
      check_nothing_sent,
      STATUS_TIMEOUT,
      { READS_OPT(send, HEADER_SIZE + DATA_SIZE, STRUCTURE), READS_OPT(out, SENT_ATTRIBUTES_SIZE, STRUCTURE),
        WRITES_OPT(receive, sizeof(struct message), STRUCTURE), WRITES_OPT(length, sizeof(SIZE_T), STRUCTURE),
        WRITES_OPT(in, sizeof(struct context_attribute), STRUCTURE),
        READS_OPT(timeout, sizeof(LARGE_INTEGER), STRUCTURE) } },
    { "datagram, then receive",
      prepare_datagram_and_receive,
      run_exchange,
      check_nothing_sent,
      STATUS_TIMEOUT,
      { READS_OPT(send, HEADER_SIZE + DATA_SIZE, STRUCTURE), READS_OPT(out, SENT_ATTRIBUTES_SIZE, STRUCTURE),
        WRITES_OPT(receive, sizeof(struct message), STRUCTURE), WRITES_OPT(length, sizeof(SIZE_T), STRUCTURE),
        WRITES_OPT(in, sizeof(struct context_attribute), STRUCTURE),
        READS_OPT(timeout, sizeof(LARGE_INTEGER), STRUCTURE) } },
};

static const struct call_test receive_test = {
    "receive",
    prepare_receive,
    run_exchange,
    check_still_queued,
    STATUS_SUCCESS,
    { WRITES_OPT(receive, sizeof(struct message), STRUCTURE), WRITES_OPT(length, sizeof(SIZE_T), STRUCTURE),
      WRITES_OPT(in, sizeof(struct context_attribute), STRUCTURE),
      READS_OPT(timeout, sizeof(LARGE_INTEGER), STRUCTURE) },
};

/* the answer goes and the receiving after it finds nothing */
static const struct call_test answer_test = {
    "answer, then receive",
    prepare_answer,
    run_exchange,
    check_nothing_sent,
    STATUS_TIMEOUT,
    { READS_OPT(send, HEADER_SIZE + DATA_SIZE, STRUCTURE), READS_OPT(out, SENT_ATTRIBUTES_SIZE, STRUCTURE),
      WRITES_OPT(receive, sizeof(struct message), STRUCTURE), WRITES_OPT(length, sizeof(SIZE_T), STRUCTURE),
      WRITES_OPT(in, sizeof(struct context_attribute), STRUCTURE),
      READS_OPT(timeout, sizeof(LARGE_INTEGER), STRUCTURE) },
};

/* data that lie in several pages, of which one is not there */
static void test_large(void)
{
    BYTE *memory = VirtualAlloc(NULL, 0x11000, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    struct big_message *message = (struct big_message *)memory;
    SIZE_T size = sizeof(*message);
    LARGE_INTEGER timeout = { .QuadPart = 0 };
    DWORD old;
    ULONG hole;

    for (hole = PAGE; hole < 0x10000; hole += PAGE)
    {
        winetest_push_context("hole at %#lx", hole);
        message->header = (PORT_MESSAGE){ .u1.s1 = { (SHORT)(0xfff0 - HEADER_SIZE), (SHORT)0xfff0 } };
        VirtualProtect(memory + hole, PAGE, PAGE_NOACCESS, &old);
        ok_status("1.2",
                  NtAlpcSendWaitReceivePort(ports.client, ALPC_MSGFLG_RELEASE_MESSAGE, &message->header, NULL, NULL,
                                            NULL, NULL, NULL),
                  STATUS_ACCESS_VIOLATION);
        ok_status("1.2",
                  NtAlpcSendWaitReceivePort(ports.connection, 0, NULL, NULL, &message->header, &size, NULL, &timeout),
                  STATUS_ACCESS_VIOLATION);
        VirtualProtect(memory + hole, PAGE, PAGE_READWRITE, &old);
        check_nothing_sent();
        winetest_pop_context();
    }
    message->header = (PORT_MESSAGE){ .u1.s1 = { (SHORT)(0xfff0 - HEADER_SIZE), (SHORT)0xfff0 } };
    ok_status("1.2",
              NtAlpcSendWaitReceivePort(ports.client, ALPC_MSGFLG_RELEASE_MESSAGE, &message->header, NULL, NULL, NULL,
                                        NULL, NULL),
              STATUS_SUCCESS);
    ok_status("1.2",
              NtAlpcSendWaitReceivePort(ports.connection, 0, NULL, NULL, &message->header, &size, NULL, &timeout),
              STATUS_SUCCESS);
    VirtualFree(memory, 0, MEM_RELEASE);
}

#define COPY_SIZE 100

/* a buffer without a length that ends in the data, so that it faults when the message is there and is copied [4.4] */
static PORT_MESSAGE *short_buffer(void)
{
    return (PORT_MESSAGE *)(between + PAGE - HEADER_SIZE - 8);
}

static void set_data(struct message *message)
{
    message->header = (PORT_MESSAGE){ .u1.s1 = { COPY_SIZE, HEADER_SIZE + COPY_SIZE } };
    memset(message->data, 0x5b, COPY_SIZE);
}

/* receives it as it was sent; its header goes to *header */
static void expect_data(HANDLE port, ULONG type, PORT_MESSAGE *header)
{
    struct message message;

    ok_status("4.4", receive_within(port, HANG, &message), STATUS_SUCCESS);
    ok((message.header.u2.s2.Type & 0xff) == type, "[4.4] type %#x instead of %#lx\n", message.header.u2.s2.Type, type);
    ok(message.header.u1.s1.DataLength == COPY_SIZE && message.data[0] == 0x5b && message.data[COPY_SIZE - 1] == 0x5b,
       "[4.4] the message is not whole\n");
    *header = message.header;
}

static NTSTATUS receive_short(HANDLE port)
{
    LARGE_INTEGER timeout = { .QuadPart = -(LONGLONG)HANG * 10000 };

    return NtAlpcSendWaitReceivePort(port, 0, NULL, NULL, short_buffer(), NULL, NULL, &timeout);
}

static NTSTATUS answer_with_data(HANDLE port, const PORT_MESSAGE *to, ULONG flags, PORT_MESSAGE *receive,
                                 SIZE_T *length)
{
    LARGE_INTEGER timeout = { .QuadPart = -(LONGLONG)HANG * 10000 };
    struct message message;

    set_data(&message);
    if (to)
    {
        message.header.MessageId = to->MessageId;
        message.header.CallbackId = to->CallbackId;
    }
    return NtAlpcSendWaitReceivePort(port, flags, &message.header, NULL, receive, length, NULL, &timeout);
}

static NTSTATUS thread_status;

static DWORD WINAPI request_short(void *arg)
{
    (void)arg;
    thread_status = answer_with_data(ports.client, NULL, ALPC_MSGFLG_SYNC_REQUEST, short_buffer(), NULL);
    return 0;
}

static DWORD WINAPI call_back(void *arg)
{
    struct message reply;
    SIZE_T length = sizeof(reply);

    thread_status = answer_with_data(ports.connection, arg, ALPC_MSGFLG_SYNC_REQUEST, &reply.header, &length);
    return 0;
}

static void join(HANDLE thread)
{
    ok(!WaitForSingleObject(thread, HANG), "the thread has not ended\n");
    CloseHandle(thread);
}

/* nothing is lost by a buffer that turns out to be too short for the copy */
static void test_copies(void)
{
    PORT_MESSAGE request, header;
    HANDLE thread, caller;

    ok_status("4.4", answer_with_data(ports.client, NULL, ALPC_MSGFLG_RELEASE_MESSAGE, NULL, NULL), STATUS_SUCCESS);
    ok_status("1.2", receive_short(ports.connection), STATUS_ACCESS_VIOLATION);
    expect_data(ports.connection, LPC_DATAGRAM, &header);
    ok_status("4.4", answer_with_data(ports.client, NULL, 0, NULL, NULL), STATUS_SUCCESS);
    ok_status("1.2", receive_short(ports.connection), STATUS_ACCESS_VIOLATION);
    expect_data(ports.connection, LPC_REQUEST, &request);
    ok_status("4.5", answer_with_data(ports.connection, &request, ALPC_MSGFLG_RELEASE_MESSAGE, NULL, NULL),
              STATUS_SUCCESS);
    ok_status("1.2", receive_short(ports.client), STATUS_ACCESS_VIOLATION);
    expect_data(ports.client, LPC_REPLY, &header);
    /* an answer that is awaited */
    thread = CreateThread(NULL, 0, request_short, NULL, 0, NULL);
    expect_data(ports.connection, LPC_REQUEST, &request);
    ok_status("4.5", answer_with_data(ports.connection, &request, ALPC_MSGFLG_RELEASE_MESSAGE, NULL, NULL),
              STATUS_SUCCESS);
    join(thread);
    ok_status("1.2", thread_status, STATUS_ACCESS_VIOLATION);
    expect_data(ports.client, LPC_REPLY, &header);
    /* a callback */
    caller = CreateThread(NULL, 0, request_short, NULL, 0, NULL);
    expect_data(ports.connection, LPC_REQUEST, &request);
    thread = CreateThread(NULL, 0, call_back, &request, 0, NULL);
    join(caller);
    ok_status("1.2", thread_status, STATUS_ACCESS_VIOLATION);
    expect_data(ports.client, LPC_REQUEST, &header);
    ok_status("4.5", answer_with_data(ports.client, &header, ALPC_MSGFLG_RELEASE_MESSAGE, NULL, NULL), STATUS_SUCCESS);
    join(thread);
    ok_status("4.5", thread_status, STATUS_SUCCESS);
    expect_no_message(ports.connection, "4.4");
    expect_no_message(ports.client, "4.4");
}

static void test_messages(void)
{
    struct message message;
    PORT_MESSAGE *read_only;
    unsigned int i;

    for (i = 0; i < ARRAY_SIZE(send_tests); i++)
    {
        check_call(&send_tests[i]);
        drain(ports.connection);
        drain(ports.client);
    }
    message.header = (PORT_MESSAGE){ .u1.s1 = { 0, HEADER_SIZE } };
    read_only = put(PLACE_READ_ONLY, &message, HEADER_SIZE, STRUCTURE);
    ok_status("4.5", NtAlpcSendWaitReceivePort(ports.client, 0, read_only, NULL, NULL, NULL, NULL, NULL),
              STATUS_ACCESS_VIOLATION);
    check_nothing_sent();
    ok_status(
        "4.4",
        NtAlpcSendWaitReceivePort(ports.client, ALPC_MSGFLG_RELEASE_MESSAGE, read_only, NULL, NULL, NULL, NULL, NULL),
        STATUS_SUCCESS);
    expect_type(ports.connection, "4.4", LPC_DATAGRAM);

    ok_status("4.4", send_datagram(ports.client, 1), STATUS_SUCCESS);
    check_call(&receive_test);
    expect_no_message(ports.connection, "4.4");

    message.header = (PORT_MESSAGE){ .u1.s1 = { 0, HEADER_SIZE } };
    ok_status("4.4", NtAlpcSendWaitReceivePort(ports.client, 0, &message.header, NULL, NULL, NULL, NULL, NULL),
              STATUS_SUCCESS);
    ok_status("4.4", receive_within(ports.connection, HANG, &message), STATUS_SUCCESS);
    requested = message.header;
    check_call(&answer_test);
    expect_type(ports.client, "4.5", LPC_REPLY);
    requested.MessageId = 0;
}

/* ---------------------------------------------------------------------------------------------- queries */

static void prepare_query(struct arguments *a)
{
    a->port = ports.client;
}

static void prepare_named(struct arguments *a)
{
    a->port = ports.connection;
}

static NTSTATUS run_query_basic(struct arguments *a)
{
    return NtAlpcQueryInformation(a->port, AlpcBasicInformation, a->information, sizeof(ALPC_BASIC_INFORMATION),
                                  a->return_length);
}

static NTSTATUS run_query_session(struct arguments *a)
{
    return NtAlpcQueryInformation(a->port, AlpcServerSessionInformation, a->information,
                                  sizeof(ALPC_SERVER_SESSION_INFORMATION), a->return_length);
}

static NTSTATUS run_query_name(struct arguments *a)
{
    return NtQueryObject(a->port, OBJECT_NAME_CLASS, a->information, sizeof(a->the_information), a->return_length);
}

static NTSTATUS run_query_type(struct arguments *a)
{
    return NtQueryObject(a->port, ObjectTypeInformation, a->information, sizeof(a->the_information), a->return_length);
}

static NTSTATUS run_query_security(struct arguments *a)
{
    return NtQuerySecurityObject(a->port, DACL_SECURITY_INFORMATION, a->information, sizeof(a->the_information),
                                 a->return_length);
}

static void prepare_set_security(struct arguments *a)
{
    a->port = ports.connection;
    /* would keep everyone out, were it set */
    a->the_acl.acl.AceCount = 0;
}

static NTSTATUS run_set_security(struct arguments *a)
{
    return NtSetSecurityObject(a->port, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, a->sd);
}

static void check_can_connect(void)
{
    ok_status("4.3", try_connect_string(name), STATUS_SUCCESS);
    drain(ports.connection);
}

static NTSTATUS run_duplicate(struct arguments *a)
{
    return NtDuplicateObject(GetCurrentProcess(), a->port, GetCurrentProcess(), a->handle, 0, 0, DUPLICATE_SAME_ACCESS);
}

static NTSTATUS run_move(struct arguments *a)
{
    return NtDuplicateObject(GetCurrentProcess(), a->port, GetCurrentProcess(), a->handle, 0, 0,
                             DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE);
}

static void prepare_move(struct arguments *a)
{
    a->port = copied;
}

static void check_nothing(void)
{
    ok_status("1.2", port_status(ports.client), STATUS_SUCCESS);
}

#define QUERY_ARGUMENTS(size)                                                                                          \
    {                                                                                                                  \
        WRITES(information, size, STRUCTURE), WRITES_OPT(return_length, sizeof(ULONG), 4)                              \
    }

static const struct call_test query_tests[] = {
    { "basic query", prepare_query, run_query_basic, check_nothing, STATUS_SUCCESS,
      QUERY_ARGUMENTS(sizeof(ALPC_BASIC_INFORMATION)) },
    { "session query", prepare_query, run_query_session, check_nothing, STATUS_SUCCESS,
      QUERY_ARGUMENTS(sizeof(ALPC_SERVER_SESSION_INFORMATION)) },
    { "name query", prepare_named, run_query_name, check_nothing, STATUS_SUCCESS, QUERY_ARGUMENTS(0x100) },
    { "name query, no name", prepare_query, run_query_name, check_nothing, STATUS_SUCCESS, QUERY_ARGUMENTS(0x100) },
    { "type query", prepare_query, run_query_type, check_nothing, STATUS_SUCCESS, QUERY_ARGUMENTS(0x100) },
    { "security query",
      prepare_named,
      run_query_security,
      check_nothing,
      STATUS_SUCCESS,
      { WRITES(information, 0x100, STRUCTURE), WRITES(return_length, sizeof(ULONG), 4) } },
    { "duplication",
      prepare_query,
      run_duplicate,
      check_nothing,
      STATUS_SUCCESS,
      { WRITES_OPT(handle, sizeof(HANDLE), 8) } },
    { "move", prepare_move, run_move, check_nothing, STATUS_SUCCESS, { WRITES_OPT(handle, sizeof(HANDLE), 8) } },
    { "setting security",
      prepare_set_security,
      run_set_security,
      check_can_connect,
      STATUS_SUCCESS,
      { READS(sd, sizeof(SECURITY_DESCRIPTOR), STRUCTURE), READS_OPT(the_sd.Owner, SID_SIZE, 4),
        READS_OPT(the_sd.Dacl, ACL_SIZE, 4) } },
};

static void test_queries(void)
{
    unsigned int i;

    DuplicateHandle(GetCurrentProcess(), ports.client, GetCurrentProcess(), &copied, 0, FALSE, DUPLICATE_SAME_ACCESS);
    for (i = 0; i < ARRAY_SIZE(query_tests); i++)
        check_call(&query_tests[i]);
    /* and that was set in the end */
    ok_status("4.3", try_connect_string(name), STATUS_ACCESS_DENIED);
}

START_TEST(badptr)
{
    if (agent_main())
        return;
    make_places();
    make_user();
    make_name(free_name);
    make_name(name);
    open_ports_on(&ports, create_named(NAMED(NULL, name, 0)), name);
    test_connecting();
    test_messages();
    test_large();
    test_copies();
    test_queries();
    close_ports(&ports);
}
