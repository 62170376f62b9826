/*
 * What the tests of names, handles and security have in common
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifndef OBJECTS_H
#define OBJECTS_H

#include "agent.h"

#ifndef __WINE_WINTERNL_H
/* not in MinGW's headers */
#define DIRECTORY_QUERY 0x0001
#define DIRECTORY_TRAVERSE 0x0002
#define DIRECTORY_CREATE_OBJECT 0x0004
#define DIRECTORY_CREATE_SUBDIRECTORY 0x0008
#define DIRECTORY_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | 0xf)
#define SYMBOLIC_LINK_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | 1)
#define KEYEDEVENT_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | 3)

typedef struct
{
    UNICODE_STRING ObjectName;
    UNICODE_STRING ObjectTypeName;
} DIRECTORY_BASIC_INFORMATION;

NTSYSAPI NTSTATUS NTAPI NtCreateDirectoryObject(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
NTSYSAPI NTSTATUS NTAPI NtCreateEvent(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, ULONG, BOOLEAN);
NTSYSAPI NTSTATUS NTAPI NtCreateIoCompletion(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, ULONG);
NTSYSAPI NTSTATUS NTAPI NtCreateJobObject(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
NTSYSAPI NTSTATUS NTAPI NtCreateKeyedEvent(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, ULONG);
NTSYSAPI NTSTATUS NTAPI NtCreateMutant(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, BOOLEAN);
NTSYSAPI NTSTATUS NTAPI NtCreateSection(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, PLARGE_INTEGER, ULONG, ULONG, HANDLE);
NTSYSAPI NTSTATUS NTAPI NtCreateSemaphore(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, LONG, LONG);
NTSYSAPI NTSTATUS NTAPI NtCreateSymbolicLinkObject(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, PUNICODE_STRING);
NTSYSAPI NTSTATUS NTAPI NtCreateTimer(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, ULONG);
NTSYSAPI NTSTATUS NTAPI NtDuplicateObject(HANDLE, HANDLE, HANDLE, PHANDLE, ACCESS_MASK, ULONG, ULONG);
NTSYSAPI NTSTATUS NTAPI NtOpenDirectoryObject(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
NTSYSAPI NTSTATUS NTAPI NtOpenEvent(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
NTSYSAPI NTSTATUS NTAPI NtOpenIoCompletion(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
NTSYSAPI NTSTATUS NTAPI NtOpenMutant(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
NTSYSAPI NTSTATUS NTAPI NtOpenSection(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
NTSYSAPI NTSTATUS NTAPI NtOpenSemaphore(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
NTSYSAPI NTSTATUS NTAPI NtOpenSymbolicLinkObject(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
NTSYSAPI NTSTATUS NTAPI NtOpenTimer(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
NTSYSAPI NTSTATUS NTAPI NtOpenJobObject(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
NTSYSAPI NTSTATUS NTAPI NtOpenKeyedEvent(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
NTSYSAPI NTSTATUS NTAPI NtQueryDirectoryObject(HANDLE, PVOID, ULONG, BOOLEAN, BOOLEAN, PULONG, PULONG);
NTSYSAPI NTSTATUS NTAPI NtQuerySecurityObject(HANDLE, SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, ULONG, PULONG);
NTSYSAPI NTSTATUS NTAPI NtSetSecurityObject(HANDLE, SECURITY_INFORMATION, PSECURITY_DESCRIPTOR);
#endif

#define HEADER_SIZE sizeof(PORT_MESSAGE)

/* ---------------------------------------------------------------------------------------------- names */

struct object_name
{
    UNICODE_STRING string;
    OBJECT_ATTRIBUTES attributes;
};

/* name may be NULL: then there is only a root and attributes */
POBJECT_ATTRIBUTES name_object(struct object_name *object, HANDLE root, const WCHAR *name, ULONG attributes);
/* OBJECT_ATTRIBUTES that last until the end of the block */
#define NAMED(root, name, attributes)                                                                                  \
    name_object(&(struct object_name){ .string = { .Length = 0 } }, root, name, attributes)

/* the part of a new_name() behind the last backslash: a name for a directory of the test's own */
const WCHAR *new_leaf(void);
HANDLE make_directory(HANDLE root, const WCHAR *name);

/* NULL if that fails, which *status tells; the handle must be left alone then */
HANDLE try_create(POBJECT_ATTRIBUTES object, PALPC_PORT_ATTRIBUTES attributes, NTSTATUS *status);
/* a port that must come into being */
HANDLE create_named(POBJECT_ATTRIBUTES object);
/* connects asynchronously and closes the port again: the status of NtAlpcConnectPortEx */
NTSTATUS try_connect(POBJECT_ATTRIBUTES object);
/* of NtAlpcConnectPort */
NTSTATUS try_connect_string(const WCHAR *name);

/* ---------------------------------------------------------------------------------------------- queries */

#define OBJECT_NAME_CLASS ((OBJECT_INFORMATION_CLASS)1) /* not in MinGW's enumeration */

/* the whole name of an object, as the object manager spells it */
WCHAR *name_of(HANDLE handle);
ACCESS_MASK access_of(HANDLE handle);
ULONG flags_of(HANDLE port);
/* what a port call says of the handle */
NTSTATUS port_status(HANDLE handle);

/* ---------------------------------------------------------------------------------------------- connections */

/* in the thread of the test itself; for what happens between processes see agent.h */
struct ports
{
    HANDLE connection, server, client;
    PORT_MESSAGE request; /* as the server received it */
};

void open_ports(struct ports *ports);
/* the same on a port that is there already */
void open_ports_on(struct ports *ports, HANDLE connection, const WCHAR *name);
/* closes what is not NULL; whatever is still queued goes too */
void close_ports(struct ports *ports);

/* waits at most that long */
NTSTATUS receive_within(HANDLE port, DWORD ms, struct message *message);
/* the next message has this type; fails the test otherwise */
#define expect_type(port, section, type) expect_type_(__FILE__, __LINE__, port, section, type)
void expect_type_(const char *file, int line, HANDLE port, const char *section, ULONG type);
/* nothing is there */
#define expect_no_message(port, section) expect_no_message_(__FILE__, __LINE__, port, section)
void expect_no_message_(const char *file, int line, HANDLE port, const char *section);
NTSTATUS send_datagram(HANDLE port, ULONG value);

/* handles of this process; counts leaks */
ULONG count_handles(void);

#endif
