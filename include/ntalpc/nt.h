/*
 * The NT types and calls that the native half uses
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Debian packages no header for Wine's unix libraries; this declares what is used of ntdll.so's exports, which are the
 * NT system calls themselves.
 */

#ifndef NTALPC_NT_H
#define NTALPC_NT_H

#include <stdint.h>

#include "status.h"

#if defined(__x86_64__)
#define _WIN64 1
#define NTAPI __attribute__((ms_abi))
#else
#define NTAPI __attribute__((stdcall))
#endif
#define NTSYSAPI extern
#define VOID void

typedef void *HANDLE, **PHANDLE, *PVOID, *PSID, *PSECURITY_DESCRIPTOR;
typedef uint8_t BOOLEAN, UCHAR;
typedef int16_t SHORT;
typedef uint16_t USHORT, WCHAR;
typedef int32_t LONG;
typedef uint32_t ULONG, *PULONG, ACCESS_MASK;
typedef int64_t LONGLONG;
typedef uint64_t ULONGLONG;
typedef uintptr_t ULONG_PTR, SIZE_T, *PSIZE_T;

typedef union _LARGE_INTEGER
{
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

typedef struct _CLIENT_ID
{
    HANDLE UniqueProcess;
    HANDLE UniqueThread;
} CLIENT_ID;

typedef struct _UNICODE_STRING
{
    USHORT Length; /* bytes */
    USHORT MaximumLength;
    WCHAR *Buffer;
} UNICODE_STRING, *PUNICODE_STRING;

typedef struct _OBJECT_ATTRIBUTES
{
    ULONG Length;
    HANDLE RootDirectory;
    PUNICODE_STRING ObjectName;
    ULONG Attributes;
    PVOID SecurityDescriptor;
    PVOID SecurityQualityOfService;
} OBJECT_ATTRIBUTES, *POBJECT_ATTRIBUTES;

#define OBJ_INHERIT 0x00000002
#define OBJ_CASE_INSENSITIVE 0x00000040

typedef struct _SECURITY_QUALITY_OF_SERVICE
{
    ULONG Length;
    ULONG ImpersonationLevel;
    BOOLEAN ContextTrackingMode;
    BOOLEAN EffectiveOnly;
} SECURITY_QUALITY_OF_SERVICE, *PSECURITY_QUALITY_OF_SERVICE;

#define STANDARD_RIGHTS_REQUIRED 0x000f0000u
#define SYNCHRONIZE 0x00100000u
#define READ_CONTROL 0x00020000u
#define WRITE_DAC 0x00040000u
#define WRITE_OWNER 0x00080000u
#define ACCESS_SYSTEM_SECURITY 0x01000000u

typedef struct _IO_STATUS_BLOCK
{
    ULONG_PTR Status;
    ULONG_PTR Information;
} IO_STATUS_BLOCK;

typedef struct _PUBLIC_OBJECT_BASIC_INFORMATION
{
    ULONG Attributes;
    ACCESS_MASK GrantedAccess;
    ULONG Unused[12];
} OBJECT_BASIC_INFORMATION;

#define NTALPC_NATIVE
#include "ntlpcapi.h"

/* ---------------------------------------------------------------------------------------------- host's system calls */

#define CURRENT_PROCESS ((HANDLE)(intptr_t)-1)
#define CURRENT_PROCESS_TOKEN ((HANDLE)(intptr_t)-4)
#define CURRENT_THREAD_EFFECTIVE_TOKEN ((HANDLE)(intptr_t)-6)

#define DUPLICATE_CLOSE_SOURCE 0x1
#define FILE_OPEN 1
#define FILE_SHARE_ALL 7
#define FILE_DEVICE_NAMED_PIPE 0x11
#define IO_COMPLETION_ALL_ACCESS 0x1f0003u
#define DIRECTORY_ALL_ACCESS 0xf000fu
#define OBJ_OPENIF 0x00000080
#define OBJ_PERMANENT 0x00000010

enum /* information classes */
{
    FileStandardInformation = 5,
    FileInternalInformation = 6,
    FileCompletionInformation = 30,
    FileFsDeviceInformation = 4,
    ObjectBasicInformation = 0,
    ObjectNameInformation = 1,
    ObjectTypeInformation = 2,
    TokenUser = 1,
    TokenGroups = 2,
    TokenPrivileges = 3,
    TokenOwner = 4,
    TokenPrimaryGroup = 5,
    TokenDefaultDacl = 6,
    TokenStatistics = 10,
    TokenSessionId = 12,
    ProcessBasicInformation = 0,
};

NTSYSAPI NTSTATUS NTAPI NtClose(HANDLE);
NTSYSAPI NTSTATUS NTAPI NtCreateDirectoryObject(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtCreateEvent(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, int, BOOLEAN);
NTSYSAPI NTSTATUS NTAPI NtCreateFile(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, IO_STATUS_BLOCK *, LARGE_INTEGER *,
                                     ULONG, ULONG, ULONG, ULONG, void *, ULONG);
NTSYSAPI NTSTATUS NTAPI NtCreateIoCompletion(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, ULONG);
NTSYSAPI NTSTATUS NTAPI NtDuplicateObject(HANDLE, HANDLE, HANDLE, HANDLE *, ACCESS_MASK, ULONG, ULONG);
NTSYSAPI NTSTATUS NTAPI NtOpenIoCompletion(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *);
NTSYSAPI NTSTATUS NTAPI NtQueryInformationFile(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, int);
NTSYSAPI NTSTATUS NTAPI NtQueryInformationProcess(HANDLE, int, void *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtQueryInformationToken(HANDLE, int, void *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtQueryIoCompletion(HANDLE, int, void *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtQueryObject(HANDLE, int, void *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtQueryVolumeInformationFile(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, int);
NTSYSAPI NTSTATUS NTAPI NtQuerySecurityObject(HANDLE, ULONG, void *, ULONG, ULONG *);
NTSYSAPI NTSTATUS NTAPI NtSetInformationFile(HANDLE, IO_STATUS_BLOCK *, void *, ULONG, int);
NTSYSAPI NTSTATUS NTAPI NtSetIoCompletion(HANDLE, ULONG_PTR, ULONG_PTR, NTSTATUS, SIZE_T);
NTSYSAPI NTSTATUS NTAPI NtSetSecurityObject(HANDLE, ULONG, void *);
NTSYSAPI void *NTAPI NtCurrentTeb(void);

#endif
