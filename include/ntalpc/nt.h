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
#endif
#define NTAPI
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

typedef struct _RTL_SRWLOCK
{
    PVOID Ptr;
} RTL_SRWLOCK;

#define DECLSPEC_ALIGN(size) __attribute__((__aligned__(size)))

#define NTALPC_NATIVE
#include "ntlpcapi.h"

/* ---------------------------------------------------------------------------------------------- host's system calls */

#define CURRENT_PROCESS ((HANDLE)(intptr_t)-1)
#define CURRENT_PROCESS_TOKEN ((HANDLE)(intptr_t)-4)
#define CURRENT_THREAD_EFFECTIVE_TOKEN ((HANDLE)(intptr_t)-6)

#define DUPLICATE_CLOSE_SOURCE 0x1
#define DUPLICATE_SAME_ACCESS 0x2
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
    FileCompletionInformation = 30,
    FileFsDeviceInformation = 4,
    ObjectBasicInformation = 0,
    ObjectNameInformation = 1,
    ObjectTypeInformation = 2,
    ObjectTypesInformation = 3,
    TokenUser = 1,
    TokenGroups = 2,
    TokenPrivileges = 3,
    TokenOwner = 4,
    TokenPrimaryGroup = 5,
    TokenDefaultDacl = 6,
    TokenStatistics = 10,
    TokenSessionId = 12,
    ProcessBasicInformation = 0,
    ThreadBasicInformation = 0,
    SystemHandleInformation = 16,
    SystemExtendedHandleInformation = 64,
};

/*
 * Wine 8.0 compiled these functions in the calling convention of Windows, Wine 10.0 in that of Unix.  Which it is, is
 * found out once (host_init, before any other call); the symbols themselves are declared without one.
 */
extern int host_is_unix_abi;
void host_init(void);

#ifdef __x86_64__
/* the empty instructions keep gcc from taking both calls for the same and making only one of them */
#define HOST_CALL(name, parameters, arguments)                                                                         \
    extern const char host_symbol_##name[] __asm__(#name);                                                             \
    static inline NTSTATUS host_##name parameters                                                                      \
    {                                                                                                                  \
        const void *function = host_symbol_##name;                                                                     \
                                                                                                                       \
        if (host_is_unix_abi)                                                                                          \
        {                                                                                                              \
            __asm__("# unix" : "+r"(function));                                                                        \
            return ((NTSTATUS(*) parameters)function)arguments;                                                        \
        }                                                                                                              \
        __asm__("# windows" : "+r"(function));                                                                         \
        return ((NTSTATUS(__attribute__((ms_abi)) *) parameters)function)arguments;                                    \
    }
#endif

HOST_CALL(NtClose, (HANDLE handle), (handle))
HOST_CALL(NtCreateDirectoryObject, (HANDLE * handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *oa), (handle, access, oa))
HOST_CALL(NtCreateEvent, (HANDLE * handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *oa, int type, BOOLEAN state),
          (handle, access, oa, type, state))
HOST_CALL(NtCreateFile,
          (HANDLE * handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *oa, IO_STATUS_BLOCK *io, LARGE_INTEGER *size,
           ULONG attributes, ULONG sharing, ULONG disposition, ULONG options, void *ea, ULONG ea_size),
          (handle, access, oa, io, size, attributes, sharing, disposition, options, ea, ea_size))
HOST_CALL(NtCreateIoCompletion, (HANDLE * handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *oa, ULONG threads),
          (handle, access, oa, threads))
HOST_CALL(NtDuplicateObject,
          (HANDLE source_process, HANDLE source, HANDLE target_process, HANDLE *target, ACCESS_MASK access,
           ULONG attributes, ULONG options),
          (source_process, source, target_process, target, access, attributes, options))
HOST_CALL(NtGetContextThread, (HANDLE handle, void *context), (handle, context))
HOST_CALL(NtOpenIoCompletion, (HANDLE * handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *oa), (handle, access, oa))
HOST_CALL(NtOpenProcess, (HANDLE * handle, ACCESS_MASK access, OBJECT_ATTRIBUTES *oa, CLIENT_ID *id),
          (handle, access, oa, id))
HOST_CALL(NtQueryInformationFile,
          (HANDLE handle, IO_STATUS_BLOCK *io, void *information, ULONG size, int information_class),
          (handle, io, information, size, information_class))
HOST_CALL(NtQueryInformationProcess, (HANDLE handle, int information_class, void *information, ULONG size, ULONG *used),
          (handle, information_class, information, size, used))
HOST_CALL(NtQueryInformationThread, (HANDLE handle, int information_class, void *information, ULONG size, ULONG *used),
          (handle, information_class, information, size, used))
HOST_CALL(NtQueryInformationToken, (HANDLE handle, int information_class, void *information, ULONG size, ULONG *used),
          (handle, information_class, information, size, used))
HOST_CALL(NtQueryIoCompletion, (HANDLE handle, int information_class, void *information, ULONG size, ULONG *used),
          (handle, information_class, information, size, used))
HOST_CALL(NtQueryObject, (HANDLE handle, int information_class, void *information, ULONG size, ULONG *used),
          (handle, information_class, information, size, used))
HOST_CALL(NtQuerySecurityObject, (HANDLE handle, ULONG information, void *descriptor, ULONG size, ULONG *used),
          (handle, information, descriptor, size, used))
HOST_CALL(NtQuerySystemInformation, (int information_class, void *information, ULONG size, ULONG *used),
          (information_class, information, size, used))
HOST_CALL(NtReadFile,
          (HANDLE handle, HANDLE event, void *apc, void *apc_context, IO_STATUS_BLOCK *io, void *buffer, ULONG size,
           LARGE_INTEGER *offset, ULONG *key),
          (handle, event, apc, apc_context, io, buffer, size, offset, key))
HOST_CALL(NtResumeThread, (HANDLE handle, ULONG *count), (handle, count))
HOST_CALL(NtSetInformationFile,
          (HANDLE handle, IO_STATUS_BLOCK *io, void *information, ULONG size, int information_class),
          (handle, io, information, size, information_class))
HOST_CALL(NtSetIoCompletion, (HANDLE handle, ULONG_PTR key, ULONG_PTR value, NTSTATUS status, SIZE_T count),
          (handle, key, value, status, count))
HOST_CALL(NtSetSecurityObject, (HANDLE handle, ULONG information, void *descriptor), (handle, information, descriptor))
HOST_CALL(NtSuspendThread, (HANDLE handle, ULONG *count), (handle, count))
HOST_CALL(NtTerminateThread, (HANDLE handle, LONG status), (handle, status))
/* makes a handle for an open file, which stays the caller's too */
HOST_CALL(wine_server_fd_to_handle, (int fd, ULONG access, ULONG attributes, HANDLE *handle),
          (fd, access, attributes, handle))
/* no arguments, so the conventions do not differ */
extern void *NtCurrentTeb(void);

#endif
