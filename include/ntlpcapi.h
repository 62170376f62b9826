/*
 * Local inter-process communication: LPC and ALPC types, constants and prototypes
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Include it after <windows.h> and <winternl.h>, those of MinGW-w64, Wine or ReactOS; the native half includes
 * "ntalpc/nt.h" before.  All layouts follow the pointer size of the including program.  Sections of the reference
 * (alpc.md, lpc.md) stand in brackets.
 */

#ifndef NTALPC_NTLPCAPI_H
#define NTALPC_NTLPCAPI_H

#ifdef __WINE_WINTERNL_H
/* Wine declares a PORT_MESSAGE with other offsets on 64-bit [lpc.md 2.1] */
#define PORT_MESSAGE NTALPC_PORT_MESSAGE
#define PPORT_MESSAGE NTALPC_PPORT_MESSAGE
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------- messages */

/* [2.1] the lengths are unsigned in effect; both count bytes, TotalLength includes this header */
typedef struct _PORT_MESSAGE
{
    union
    {
        struct
        {
            SHORT DataLength;
            SHORT TotalLength;
        } s1;
        ULONG Length;
    } u1;
    union
    {
        struct
        {
            SHORT Type;
            SHORT DataInfoOffset;
        } s2;
        ULONG ZeroInit;
    } u2;
    union
    {
        CLIENT_ID ClientId;
        double DoNotUseThisField;
    };
    ULONG MessageId;
    union
    {
        SIZE_T ClientViewSize; /* legacy connection requests */
        ULONG CallbackId;      /* everything else */
    };
} PORT_MESSAGE, *PPORT_MESSAGE;

/* [3.6] PORT_MESSAGE.u2.s2.Type */
#define LPC_REQUEST 1
#define LPC_REPLY 2
#define LPC_DATAGRAM 3
#define LPC_LOST_REPLY 4
#define LPC_PORT_CLOSED 5
#define LPC_CLIENT_DIED 6
#define LPC_EXCEPTION 7
#define LPC_DEBUG_EVENT 8
#define LPC_ERROR_EVENT 9
#define LPC_CONNECTION_REQUEST 10
#define LPC_CONNECTION_REPLY 11
#define LPC_CANCELED 12
/* other names of these, and what only the system makes [lpc.md 2.2] */
#define LPC_INTERNAL_CONNECTION_REPLY 11
#define LPC_CANCEL_MESSAGE 12
#define LPC_LEGACY_CONNECTION_REPLY 13
/* bits beside the type */
#define LPC_CONTINUATION_REQUIRED 0x2000 /* the receiver must answer, release or cancel the message */
#define LPC_NO_IMPERSONATE 0x4000
#define LPC_KERNELMODE_MESSAGE 0x8000

/* [2.1] the layout of 64-bit programs, for any program */
typedef struct _PORT_MESSAGE64
{
    union
    {
        struct
        {
            SHORT DataLength;
            SHORT TotalLength;
        } s1;
        ULONG Length;
    } u1;
    union
    {
        struct
        {
            SHORT Type;
            SHORT DataInfoOffset;
        } s2;
        ULONG ZeroInit;
    } u2;
    union
    {
        struct
        {
            ULONGLONG UniqueProcess;
            ULONGLONG UniqueThread;
        } ClientId;
        double DoNotUseThisField;
    };
    ULONG MessageId;
    union
    {
        ULONGLONG ClientViewSize;
        ULONG CallbackId;
    };
} PORT_MESSAGE64, *PPORT_MESSAGE64;

typedef HANDLE ALPC_HANDLE, *PALPC_HANDLE; /* a number that only means something on its port */

/* ---------------------------------------------------------------------------------------------- ports */

/* [2.2] */
typedef struct _ALPC_PORT_ATTRIBUTES
{
    ULONG Flags; /* ALPC_PORFLG_* */
    SECURITY_QUALITY_OF_SERVICE SecurityQos;
    SIZE_T MaxMessageLength; /* header included; 0 = the largest */
    SIZE_T MemoryBandwidth;
    SIZE_T MaxPoolUsage;
    SIZE_T MaxSectionSize;
    SIZE_T MaxViewSize;
    SIZE_T MaxTotalSectionSize;
    ULONG DupObjectTypes;
#ifdef _WIN64
    ULONG Reserved;
#endif
} ALPC_PORT_ATTRIBUTES, *PALPC_PORT_ATTRIBUTES;

/* [3.1] */
#define ALPC_PORFLG_LPC_MODE 0x1000
#define ALPC_PORFLG_ALLOW_IMPERSONATION 0x10000
#define ALPC_PORFLG_ALLOW_LPC_REQUESTS 0x20000
#define ALPC_PORFLG_WAITABLE_PORT 0x40000
#define ALPC_PORFLG_ALLOW_DUP_OBJECT 0x80000
#define ALPC_PORFLG_SYSTEM_PROCESS 0x100000
#define ALPC_PORFLG_WAKE_POLICY1 0x200000
#define ALPC_PORFLG_WAKE_POLICY2 0x400000
#define ALPC_PORFLG_WAKE_POLICY3 0x800000
#define ALPC_PORFLG_DIRECT_MESSAGE 0x1000000
#define ALPC_PORFLG_ALLOW_MULTIHANDLE_ATTRIBUTE 0x2000000

/* [3.2] DupObjectTypes, and what a handle attribute says of the handle's type */
#define OB_FILE_OBJECT_TYPE 0x1
#define OB_INVALID_OBJECT_TYPE 0x2
#define OB_THREAD_OBJECT_TYPE 0x4
#define OB_SEMAPHORE_OBJECT_TYPE 0x8
#define OB_EVENT_OBJECT_TYPE 0x10
#define OB_PROCESS_OBJECT_TYPE 0x20
#define OB_MUTANT_OBJECT_TYPE 0x40
#define OB_SECTION_OBJECT_TYPE 0x80
#define OB_REG_KEY_OBJECT_TYPE 0x100
#define OB_TOKEN_OBJECT_TYPE 0x200
#define OB_COMPOSITION_OBJECT_TYPE 0x400
#define OB_JOB_OBJECT_TYPE 0x800
#define OB_ALL_OBJECT_TYPE_CODES 0xffd

/* [3.8, lpc.md 2.5] access to a port object */
#define PORT_CONNECT 0x0001
#define ALPC_PORT_QUERY_STATE 0x0001
#define PORT_ALL_ACCESS 0x001F0001

/* [3.3] flags of NtAlpcSendWaitReceivePort and NtAlpcConnectPort */
#define ALPC_MSGFLG_REPLY_MESSAGE 0x1
#define ALPC_MSGFLG_LPC_MODE 0x2
#define ALPC_MSGFLG_RELEASE_MESSAGE 0x10000
#define ALPC_MSGFLG_SYNC_REQUEST 0x20000
#define ALPC_MSGFLG_TRACK_PORT_REFERENCES 0x40000
#define ALPC_MSGFLG_WAIT_USER_MODE 0x100000
#define ALPC_MSGFLG_WAIT_ALERTABLE 0x200000
#define ALPC_MSGFLG_SIGNAL_ALERTABLE 0x400000
#define ALPC_MSGFLG_WOW64_CALL 0x80000000

/* [3.5] flags of NtAlpcDisconnectPort and NtAlpcCancelMessage */
#define ALPC_DISCONNECTFLG_NO_FLUSH_ON_CLOSE 0x1
#define ALPC_CANCELFLG_TRY_CANCEL 0x1
#define ALPC_CANCELFLG_NO_CONTEXT_CHECK 0x8
#define ALPC_CANCELFLG_FLUSH 0x10000

/* [3.5] flags of NtAlpcCreatePortSection */
#define ALPC_CREATEPORTSECTIONFLG_SECURE 0x40000

/* [3.5] flags of NtAlpcImpersonateClientOfPort; the required level stands in bits 2 and 3 */
#define ALPC_IMPERSONATEFLG_ANONYMOUS 0x1
#define ALPC_IMPERSONATEFLG_REQUIRE_IMPERSONATE 0x2

/* [3.9] */
#define ALPC_MAX_MESSAGE_LENGTH 0xffff

/* [3.9, lpc.md 2.4] of legacy LPC, in bytes */
#ifdef _WIN64
#define PORT_MAXIMUM_MESSAGE_LENGTH 512
#else
#define PORT_MAXIMUM_MESSAGE_LENGTH 256
#endif
#define LPC_MAX_CONNECTION_INFO_SIZE (16 * sizeof(ULONG_PTR))
#define PORT_TOTAL_MAXIMUM_MESSAGE_LENGTH                                                                              \
    ((PORT_MAXIMUM_MESSAGE_LENGTH + sizeof(PORT_MESSAGE) + LPC_MAX_CONNECTION_INFO_SIZE + 0xf) & ~(SIZE_T)0xf)

/* [alpc.md 1.3, lpc.md 1.3] the one bit of OBJECT_ATTRIBUTES.Attributes that ports know */
#define PORT_VALID_OBJECT_ATTRIBUTES OBJ_CASE_INSENSITIVE

/* ---------------------------------------------------------------------------------------------- attributes */

/* [2.3] followed by the body of every allocated attribute, that of the highest bit first */
typedef struct _ALPC_MESSAGE_ATTRIBUTES
{
    ULONG AllocatedAttributes;
    ULONG ValidAttributes;
} ALPC_MESSAGE_ATTRIBUTES, *PALPC_MESSAGE_ATTRIBUTES;

#define ALPC_MESSAGE_SECURITY_ATTRIBUTE 0x80000000
#define ALPC_MESSAGE_VIEW_ATTRIBUTE 0x40000000
#define ALPC_MESSAGE_CONTEXT_ATTRIBUTE 0x20000000
#define ALPC_MESSAGE_HANDLE_ATTRIBUTE 0x10000000
#define ALPC_MESSAGE_TOKEN_ATTRIBUTE 0x08000000
#define ALPC_MESSAGE_DIRECT_ATTRIBUTE 0x04000000
#define ALPC_MESSAGE_WORK_ON_BEHALF_ATTRIBUTE 0x02000000

/* [3.5] */
#define ALPC_SECFLG_DELETE_EXISTING 0x10000
#define ALPC_SECFLG_CREATE_HANDLE 0x20000
#define ALPC_SECFLG_NOSECTIONHANDLE 0x40000

/* [2.4] */
typedef struct _ALPC_SECURITY_ATTR
{
    ULONG Flags;
    PSECURITY_QUALITY_OF_SERVICE QoS;
    ALPC_HANDLE ContextHandle;
} ALPC_SECURITY_ATTR, *PALPC_SECURITY_ATTR;

/* [3.5] the bit that freezes the contents goes by two names, which say the opposite of each other */
#define ALPC_VIEWFLG_UNMAP_EXISTING 0x10000
#define ALPC_VIEWFLG_AUTO_RELEASE 0x20000
#define ALPC_VIEWFLG_SECURED_ACCESS 0x40000
#define ALPC_VIEWFLG_NOT_SECURE 0x40000

typedef struct _ALPC_DATA_VIEW_ATTR
{
    ULONG Flags;
    ALPC_HANDLE SectionHandle;
    PVOID ViewBase;
    SIZE_T ViewSize;
} ALPC_DATA_VIEW_ATTR, *PALPC_DATA_VIEW_ATTR;

typedef struct _ALPC_CONTEXT_ATTR
{
    PVOID PortContext;
    PVOID MessageContext;
    ULONG Sequence;
    ULONG MessageId;
    ULONG CallbackId;
} ALPC_CONTEXT_ATTR, *PALPC_CONTEXT_ATTR;

/* [3.4] */
#define ALPC_HANDLEFLG_DUPLICATE_SAME_ACCESS 0x10000
#define ALPC_HANDLEFLG_DUPLICATE_SAME_ATTRIBUTES 0x20000
#define ALPC_HANDLEFLG_INDIRECT 0x40000
#define ALPC_HANDLEFLG_DUPLICATE_INHERIT 0x80000

/* [3.4] handles in one message */
#define ALPC_INDIRECT_HANDLE_MAX 512

typedef struct _ALPC_HANDLE_ATTR32
{
    ULONG Flags;
    ULONG Handle;
    ULONG ObjectType;
    ACCESS_MASK DesiredAccess;
} ALPC_HANDLE_ATTR32, *PALPC_HANDLE_ATTR32;

typedef struct _ALPC_HANDLE_ATTR
{
    ULONG Flags;
    union
    {
        HANDLE Handle;
        PALPC_HANDLE_ATTR32 HandleAttrArray;
    };
    union
    {
        ULONG ObjectType;
        ULONG HandleCount;
    };
    ACCESS_MASK DesiredAccess;
} ALPC_HANDLE_ATTR, *PALPC_HANDLE_ATTR;

typedef struct _ALPC_TOKEN_ATTR
{
    ULONGLONG TokenId;
    ULONGLONG AuthenticationId;
    ULONGLONG ModifiedId;
} ALPC_TOKEN_ATTR, *PALPC_TOKEN_ATTR;

typedef struct _ALPC_DIRECT_ATTR
{
    HANDLE Event;
} ALPC_DIRECT_ATTR, *PALPC_DIRECT_ATTR;

typedef struct _ALPC_WORK_ON_BEHALF_ATTR
{
    ULONGLONG Ticket;
} ALPC_WORK_ON_BEHALF_ATTR, *PALPC_WORK_ON_BEHALF_ATTR;

/* ---------------------------------------------------------------------------------------------- information */

/* [3.7] */
typedef enum _ALPC_PORT_INFORMATION_CLASS
{
    AlpcBasicInformation,
    AlpcPortInformation,
    AlpcAssociateCompletionPortInformation,
    AlpcConnectedSIDInformation,
    AlpcServerInformation,
    AlpcMessageZoneInformation,
    AlpcRegisterCompletionListInformation,
    AlpcUnregisterCompletionListInformation,
    AlpcAdjustCompletionListConcurrencyCountInformation,
    AlpcRegisterCallbackInformation,
    AlpcCompletionListRundownInformation,
    AlpcWaitForPortReferences,
    AlpcServerSessionInformation,
    MaxAlpcPortInfoClass
} ALPC_PORT_INFORMATION_CLASS;

typedef enum _ALPC_MESSAGE_INFORMATION_CLASS
{
    AlpcMessageSidInformation,
    AlpcMessageTokenModifiedIdInformation,
    AlpcMessageDirectStatusInformation,
    AlpcMessageHandleInformation,
    MaxAlpcMessageInfoClass
} ALPC_MESSAGE_INFORMATION_CLASS;

/* [2.5] */
typedef struct _ALPC_BASIC_INFORMATION
{
    ULONG Flags;
    ULONG SequenceNo;
    PVOID PortContext;
} ALPC_BASIC_INFORMATION, *PALPC_BASIC_INFORMATION;

typedef struct _ALPC_PORT_ASSOCIATE_COMPLETION_PORT
{
    PVOID CompletionKey;
    HANDLE CompletionPort;
} ALPC_PORT_ASSOCIATE_COMPLETION_PORT, *PALPC_PORT_ASSOCIATE_COMPLETION_PORT;

typedef struct _ALPC_SERVER_INFORMATION
{
    union
    {
        struct
        {
            HANDLE ThreadHandle;
        } In;
        struct
        {
            BOOLEAN ThreadBlocked;
            HANDLE ConnectedProcessId;
            UNICODE_STRING ConnectionPortName;
        } Out;
    };
} ALPC_SERVER_INFORMATION, *PALPC_SERVER_INFORMATION;

typedef struct _ALPC_SERVER_SESSION_INFORMATION
{
    ULONG SessionId;
    ULONG ProcessId;
} ALPC_SERVER_SESSION_INFORMATION, *PALPC_SERVER_SESSION_INFORMATION;

typedef struct _ALPC_PORT_MESSAGE_ZONE_INFORMATION
{
    PVOID Buffer;
    ULONG Size;
} ALPC_PORT_MESSAGE_ZONE_INFORMATION, *PALPC_PORT_MESSAGE_ZONE_INFORMATION;

typedef struct _ALPC_PORT_COMPLETION_LIST_INFORMATION
{
    PVOID Buffer;
    ULONG Size;
    ULONG ConcurrencyCount;
    ULONG AttributeFlags;
} ALPC_PORT_COMPLETION_LIST_INFORMATION, *PALPC_PORT_COMPLETION_LIST_INFORMATION;

typedef struct _ALPC_REGISTER_CALLBACK
{
    PVOID CallbackObject;
    PVOID CallbackContext;
} ALPC_REGISTER_CALLBACK, *PALPC_REGISTER_CALLBACK;

typedef struct _ALPC_MESSAGE_HANDLE_INFORMATION
{
    ULONG Index;
    ULONG Flags;
    ULONG Handle;
    ULONG ObjectType;
    ACCESS_MASK GrantedAccess;
} ALPC_MESSAGE_HANDLE_INFORMATION, *PALPC_MESSAGE_HANDLE_INFORMATION;

/* ---------------------------------------------------------------------------------------------- completion lists */

/* [2.6] sizes of data are multiples of 64 */
#define ALPC_COMPLETION_LIST_BUFFER_GRANULARITY_MASK 0x3f

typedef struct _ALPC_COMPLETION_LIST_STATE
{
    union
    {
        struct
        {
            ULONGLONG Head : 24;
            ULONGLONG Tail : 24;
            ULONGLONG ActiveThreadCount : 16;
        } s1;
        ULONGLONG Value;
    } u1;
} ALPC_COMPLETION_LIST_STATE, *PALPC_COMPLETION_LIST_STATE;

/* [2.6] programs use the Alpc* helpers only; what different threads write lies on lines of its own */
typedef struct DECLSPEC_ALIGN(128) _ALPC_COMPLETION_LIST_HEADER
{
    ULONGLONG StartMagic;
    ULONG TotalSize;
    ULONG ListOffset;
    ULONG ListSize;
    ULONG BitmapOffset;
    ULONG BitmapSize;
    ULONG DataOffset;
    ULONG DataSize;
    ULONG AttributeFlags;
    ULONG AttributeSize;
    DECLSPEC_ALIGN(128) ALPC_COMPLETION_LIST_STATE State;
    ULONG LastMessageId;
    ULONG LastCallbackId;
    DECLSPEC_ALIGN(128) ULONG PostCount;
    DECLSPEC_ALIGN(128) ULONG ReturnCount;
    DECLSPEC_ALIGN(128) ULONG LogSequenceNumber;
    DECLSPEC_ALIGN(128) RTL_SRWLOCK UserLock;
    ULONGLONG EndMagic;
} ALPC_COMPLETION_LIST_HEADER, *PALPC_COMPLETION_LIST_HEADER;

#ifndef NTALPC_NATIVE

/* ---------------------------------------------------------------------------------------------- system calls */

/*
 * [1.2] BufferLength counts bytes, header included, and is a SIZE_T everywhere; ResourceId is a ULONG.  A pointer that
 * cannot be read or written gives STATUS_ACCESS_VIOLATION, never an exception.  Zw* twins exist for all.
 */
NTSYSAPI NTSTATUS NTAPI NtAlpcCreatePort(PHANDLE PortHandle, POBJECT_ATTRIBUTES ObjectAttributes,
                                         PALPC_PORT_ATTRIBUTES PortAttributes);
NTSYSAPI NTSTATUS NTAPI NtAlpcConnectPort(PHANDLE PortHandle, PCUNICODE_STRING PortName,
                                          POBJECT_ATTRIBUTES ObjectAttributes, PALPC_PORT_ATTRIBUTES PortAttributes,
                                          ULONG Flags, PSID RequiredServerSid, PPORT_MESSAGE ConnectionMessage,
                                          PSIZE_T BufferLength, PALPC_MESSAGE_ATTRIBUTES OutMessageAttributes,
                                          PALPC_MESSAGE_ATTRIBUTES InMessageAttributes, PLARGE_INTEGER Timeout);
NTSYSAPI NTSTATUS NTAPI NtAlpcConnectPortEx(PHANDLE PortHandle, POBJECT_ATTRIBUTES ConnectionPortObjectAttributes,
                                            POBJECT_ATTRIBUTES ClientPortObjectAttributes,
                                            PALPC_PORT_ATTRIBUTES PortAttributes, ULONG Flags,
                                            PSECURITY_DESCRIPTOR ServerSecurityRequirements,
                                            PPORT_MESSAGE ConnectionMessage, PSIZE_T BufferLength,
                                            PALPC_MESSAGE_ATTRIBUTES OutMessageAttributes,
                                            PALPC_MESSAGE_ATTRIBUTES InMessageAttributes, PLARGE_INTEGER Timeout);
NTSYSAPI NTSTATUS NTAPI NtAlpcAcceptConnectPort(PHANDLE PortHandle, HANDLE ConnectionPortHandle, ULONG Flags,
                                                POBJECT_ATTRIBUTES ObjectAttributes,
                                                PALPC_PORT_ATTRIBUTES PortAttributes, PVOID PortContext,
                                                PPORT_MESSAGE ConnectionRequest,
                                                PALPC_MESSAGE_ATTRIBUTES ConnectionMessageAttributes,
                                                BOOLEAN AcceptConnection);
NTSYSAPI NTSTATUS NTAPI NtAlpcSendWaitReceivePort(HANDLE PortHandle, ULONG Flags, PPORT_MESSAGE SendMessage,
                                                  PALPC_MESSAGE_ATTRIBUTES SendMessageAttributes,
                                                  PPORT_MESSAGE ReceiveMessage, PSIZE_T BufferLength,
                                                  PALPC_MESSAGE_ATTRIBUTES ReceiveMessageAttributes,
                                                  PLARGE_INTEGER Timeout);
NTSYSAPI NTSTATUS NTAPI NtAlpcDisconnectPort(HANDLE PortHandle, ULONG Flags);
NTSYSAPI NTSTATUS NTAPI NtAlpcCancelMessage(HANDLE PortHandle, ULONG Flags, PALPC_CONTEXT_ATTR MessageContext);
NTSYSAPI NTSTATUS NTAPI NtAlpcQueryInformation(HANDLE PortHandle, ALPC_PORT_INFORMATION_CLASS PortInformationClass,
                                               PVOID PortInformation, ULONG Length, PULONG ReturnLength);
NTSYSAPI NTSTATUS NTAPI NtAlpcSetInformation(HANDLE PortHandle, ALPC_PORT_INFORMATION_CLASS PortInformationClass,
                                             PVOID PortInformation, ULONG Length);
NTSYSAPI NTSTATUS NTAPI NtAlpcQueryInformationMessage(HANDLE PortHandle, PPORT_MESSAGE PortMessage,
                                                      ALPC_MESSAGE_INFORMATION_CLASS MessageInformationClass,
                                                      PVOID MessageInformation, ULONG Length, PULONG ReturnLength);
NTSYSAPI NTSTATUS NTAPI NtAlpcCreatePortSection(HANDLE PortHandle, ULONG Flags, HANDLE SectionHandle,
                                                SIZE_T SectionSize, PALPC_HANDLE AlpcSectionHandle,
                                                PSIZE_T ActualSectionSize);
NTSYSAPI NTSTATUS NTAPI NtAlpcDeletePortSection(HANDLE PortHandle, ULONG Flags, ALPC_HANDLE SectionHandle);
NTSYSAPI NTSTATUS NTAPI NtAlpcCreateSectionView(HANDLE PortHandle, ULONG Flags, PALPC_DATA_VIEW_ATTR ViewAttributes);
NTSYSAPI NTSTATUS NTAPI NtAlpcDeleteSectionView(HANDLE PortHandle, ULONG Flags, PVOID ViewBase);
NTSYSAPI NTSTATUS NTAPI NtAlpcCreateResourceReserve(HANDLE PortHandle, ULONG Flags, SIZE_T MessageSize,
                                                    PULONG ResourceId);
NTSYSAPI NTSTATUS NTAPI NtAlpcDeleteResourceReserve(HANDLE PortHandle, ULONG Flags, ULONG ResourceId);
NTSYSAPI NTSTATUS NTAPI NtAlpcCreateSecurityContext(HANDLE PortHandle, ULONG Flags,
                                                    PALPC_SECURITY_ATTR SecurityAttribute);
NTSYSAPI NTSTATUS NTAPI NtAlpcDeleteSecurityContext(HANDLE PortHandle, ULONG Flags, ALPC_HANDLE ContextHandle);
NTSYSAPI NTSTATUS NTAPI NtAlpcRevokeSecurityContext(HANDLE PortHandle, ULONG Flags, ALPC_HANDLE ContextHandle);
NTSYSAPI NTSTATUS NTAPI NtAlpcImpersonateClientOfPort(HANDLE PortHandle, PPORT_MESSAGE Message, ULONG_PTR Flags);
NTSYSAPI NTSTATUS NTAPI NtAlpcImpersonateClientContainerOfPort(HANDLE PortHandle, PPORT_MESSAGE Message, ULONG Flags);
NTSYSAPI NTSTATUS NTAPI NtAlpcOpenSenderProcess(PHANDLE ProcessHandle, HANDLE PortHandle, PPORT_MESSAGE PortMessage,
                                                ULONG Flags, ACCESS_MASK DesiredAccess,
                                                POBJECT_ATTRIBUTES ObjectAttributes);
NTSYSAPI NTSTATUS NTAPI NtAlpcOpenSenderThread(PHANDLE ThreadHandle, HANDLE PortHandle, PPORT_MESSAGE PortMessage,
                                               ULONG Flags, ACCESS_MASK DesiredAccess,
                                               POBJECT_ATTRIBUTES ObjectAttributes);

/* ---------------------------------------------------------------------------------------------- helpers */

/* [1.4] these run in the program: a bad pointer faults */
NTSYSAPI ULONG NTAPI AlpcMaxAllowedMessageLength(VOID);
NTSYSAPI ULONG NTAPI AlpcGetHeaderSize(ULONG Flags);
NTSYSAPI NTSTATUS NTAPI AlpcInitializeMessageAttribute(ULONG AttributeFlags, PALPC_MESSAGE_ATTRIBUTES Buffer,
                                                       SIZE_T BufferSize, PSIZE_T RequiredBufferSize);
NTSYSAPI PVOID NTAPI AlpcGetMessageAttribute(PALPC_MESSAGE_ATTRIBUTES Buffer, ULONG AttributeFlag);
NTSYSAPI NTSTATUS NTAPI AlpcRegisterCompletionList(HANDLE PortHandle, PALPC_COMPLETION_LIST_HEADER Buffer, ULONG Size,
                                                   ULONG ConcurrencyCount, ULONG AttributeFlags);
NTSYSAPI NTSTATUS NTAPI AlpcUnregisterCompletionList(HANDLE PortHandle);
NTSYSAPI NTSTATUS NTAPI AlpcRundownCompletionList(HANDLE PortHandle);
NTSYSAPI NTSTATUS NTAPI AlpcAdjustCompletionListConcurrencyCount(HANDLE PortHandle, ULONG ConcurrencyCount);
NTSYSAPI BOOLEAN NTAPI AlpcRegisterCompletionListWorkerThread(PVOID CompletionList);
NTSYSAPI BOOLEAN NTAPI AlpcUnregisterCompletionListWorkerThread(PVOID CompletionList);
NTSYSAPI VOID NTAPI AlpcGetCompletionListLastMessageInformation(PVOID CompletionList, PULONG LastMessageId,
                                                                PULONG LastCallbackId);
NTSYSAPI ULONG NTAPI AlpcGetOutstandingCompletionListMessageCount(PVOID CompletionList);
NTSYSAPI PPORT_MESSAGE NTAPI AlpcGetMessageFromCompletionList(PVOID CompletionList,
                                                              PALPC_MESSAGE_ATTRIBUTES *MessageAttributes);
NTSYSAPI VOID NTAPI AlpcFreeCompletionListMessage(PVOID CompletionList, PPORT_MESSAGE Message);
NTSYSAPI PALPC_MESSAGE_ATTRIBUTES NTAPI AlpcGetCompletionListMessageAttributes(PVOID CompletionList,
                                                                               PPORT_MESSAGE Message);

/* ---------------------------------------------------------------------------------------------- thread pool */

typedef struct _TP_ALPC TP_ALPC, *PTP_ALPC;
typedef VOID(NTAPI *PTP_ALPC_CALLBACK)(PTP_CALLBACK_INSTANCE Instance, PVOID Context, PTP_ALPC Alpc);
typedef VOID(NTAPI *PTP_ALPC_CALLBACK_EX)(PTP_CALLBACK_INSTANCE Instance, PVOID Context, PTP_ALPC Alpc,
                                          PVOID ApcContext);

/* [1.5] */
NTSYSAPI NTSTATUS NTAPI TpAllocAlpcCompletion(PTP_ALPC *AlpcReturn, HANDLE AlpcPort, PTP_ALPC_CALLBACK Callback,
                                              PVOID Context, PTP_CALLBACK_ENVIRON CallbackEnviron);
NTSYSAPI NTSTATUS NTAPI TpAllocAlpcCompletionEx(PTP_ALPC *AlpcReturn, HANDLE AlpcPort, PTP_ALPC_CALLBACK_EX Callback,
                                                PVOID Context, PTP_CALLBACK_ENVIRON CallbackEnviron);
NTSYSAPI VOID NTAPI TpReleaseAlpcCompletion(PTP_ALPC Alpc);
NTSYSAPI VOID NTAPI TpWaitForAlpcCompletion(PTP_ALPC Alpc);
NTSYSAPI NTSTATUS NTAPI TpAlpcRegisterCompletionList(PTP_ALPC Alpc);
NTSYSAPI NTSTATUS NTAPI TpAlpcUnregisterCompletionList(PTP_ALPC Alpc);
NTSYSAPI NTSTATUS NTAPI TpCallbackSendAlpcMessageOnCompletion(PTP_CALLBACK_INSTANCE Instance, HANDLE PortHandle,
                                                              ULONG Flags, PPORT_MESSAGE SendMessage_);
NTSYSAPI NTSTATUS NTAPI TpCallbackSendPendingAlpcMessage(PTP_CALLBACK_INSTANCE Instance);

#endif /* NTALPC_NATIVE */

/* ---------------------------------------------------------------------------------------------- legacy LPC */

/* [lpc.md 2.1] */
typedef struct _PORT_VIEW
{
    ULONG Length; /* of this structure */
    HANDLE SectionHandle;
    ULONG SectionOffset;
    SIZE_T ViewSize;
    PVOID ViewBase;
    PVOID ViewRemoteBase;
} PORT_VIEW, *PPORT_VIEW;

typedef struct _REMOTE_PORT_VIEW
{
    ULONG Length; /* of this structure */
    SIZE_T ViewSize;
    PVOID ViewBase;
} REMOTE_PORT_VIEW, *PREMOTE_PORT_VIEW;

typedef struct _LPC_CLIENT_DIED_MSG
{
    PORT_MESSAGE PortMsg;
    LARGE_INTEGER CreateTime;
} LPC_CLIENT_DIED_MSG, *PLPC_CLIENT_DIED_MSG;

/* the layouts of 64-bit programs, which 32-bit ones on a 64-bit system use too [lpc.md 2.6] */
typedef struct _PORT_VIEW64
{
    ULONG Length;
    ULONGLONG SectionHandle;
    ULONG SectionOffset;
    ULONGLONG ViewSize;
    ULONGLONG ViewBase;
    ULONGLONG ViewRemoteBase;
} PORT_VIEW64, *PPORT_VIEW64;

typedef struct _REMOTE_PORT_VIEW64
{
    ULONG Length;
    ULONGLONG ViewSize;
    ULONGLONG ViewBase;
} REMOTE_PORT_VIEW64, *PREMOTE_PORT_VIEW64;

typedef struct _LPC_CLIENT_DIED_MSG64
{
    PORT_MESSAGE64 PortMsg;
    LARGE_INTEGER CreateTime;
} LPC_CLIENT_DIED_MSG64, *PLPC_CLIENT_DIED_MSG64;

/* older names */
typedef PORT_VIEW LPC_SECTION_OWNER_MEMORY, *PLPC_SECTION_OWNER_MEMORY;
typedef REMOTE_PORT_VIEW LPC_SECTION_MEMORY, *PLPC_SECTION_MEMORY;
typedef LPC_CLIENT_DIED_MSG CLIENT_DIED_MSG, *PCLIENT_DIED_MSG;

typedef struct _PORT_DATA_ENTRY
{
    PVOID Base;
    ULONG Size;
} PORT_DATA_ENTRY, *PPORT_DATA_ENTRY;

typedef struct _PORT_DATA_INFORMATION
{
    ULONG CountDataEntries;
    PORT_DATA_ENTRY DataEntries[1];
} PORT_DATA_INFORMATION, *PPORT_DATA_INFORMATION;

#ifdef __WINE_WINTERNL_H
/* the type is there, with one value of another name */
enum
{
    PortBasicInformation,
    PortDumpInformation
};
#else
typedef enum _PORT_INFORMATION_CLASS
{
    PortBasicInformation,
    PortDumpInformation
} PORT_INFORMATION_CLASS;
#endif

#if !defined(NTALPC_NATIVE) && !defined(__WINE_WINTERNL_H)
/* [lpc.md 1.2]; Wine's header has its own, narrower prototypes of these */
NTSYSAPI NTSTATUS NTAPI NtCreatePort(PHANDLE PortHandle, POBJECT_ATTRIBUTES ObjectAttributes,
                                     ULONG MaxConnectionInfoLength, ULONG MaxMessageLength, ULONG MaxPoolUsage);
NTSYSAPI NTSTATUS NTAPI NtCreateWaitablePort(PHANDLE PortHandle, POBJECT_ATTRIBUTES ObjectAttributes,
                                             ULONG MaxConnectionInfoLength, ULONG MaxMessageLength,
                                             ULONG MaxPoolUsage);
NTSYSAPI NTSTATUS NTAPI NtConnectPort(PHANDLE PortHandle, PUNICODE_STRING PortName,
                                      PSECURITY_QUALITY_OF_SERVICE SecurityQos, PPORT_VIEW ClientView,
                                      PREMOTE_PORT_VIEW ServerView, PULONG MaxMessageLength,
                                      PVOID ConnectionInformation, PULONG ConnectionInformationLength);
NTSYSAPI NTSTATUS NTAPI NtSecureConnectPort(PHANDLE PortHandle, PUNICODE_STRING PortName,
                                            PSECURITY_QUALITY_OF_SERVICE SecurityQos, PPORT_VIEW ClientView,
                                            PSID RequiredServerSid, PREMOTE_PORT_VIEW ServerView,
                                            PULONG MaxMessageLength, PVOID ConnectionInformation,
                                            PULONG ConnectionInformationLength);
NTSYSAPI NTSTATUS NTAPI NtListenPort(HANDLE PortHandle, PPORT_MESSAGE ConnectionRequest);
NTSYSAPI NTSTATUS NTAPI NtAcceptConnectPort(PHANDLE PortHandle, PVOID PortContext, PPORT_MESSAGE ConnectionRequest,
                                            BOOLEAN AcceptConnection, PPORT_VIEW ServerView,
                                            PREMOTE_PORT_VIEW ClientView);
NTSYSAPI NTSTATUS NTAPI NtCompleteConnectPort(HANDLE PortHandle);
NTSYSAPI NTSTATUS NTAPI NtRequestPort(HANDLE PortHandle, PPORT_MESSAGE RequestMessage);
NTSYSAPI NTSTATUS NTAPI NtRequestWaitReplyPort(HANDLE PortHandle, PPORT_MESSAGE RequestMessage,
                                               PPORT_MESSAGE ReplyMessage);
NTSYSAPI NTSTATUS NTAPI NtReplyPort(HANDLE PortHandle, PPORT_MESSAGE ReplyMessage);
NTSYSAPI NTSTATUS NTAPI NtReplyWaitReplyPort(HANDLE PortHandle, PPORT_MESSAGE ReplyMessage);
NTSYSAPI NTSTATUS NTAPI NtReplyWaitReceivePort(HANDLE PortHandle, PVOID *PortContext, PPORT_MESSAGE ReplyMessage,
                                               PPORT_MESSAGE ReceiveMessage);
NTSYSAPI NTSTATUS NTAPI NtReplyWaitReceivePortEx(HANDLE PortHandle, PVOID *PortContext, PPORT_MESSAGE ReplyMessage,
                                                 PPORT_MESSAGE ReceiveMessage, PLARGE_INTEGER Timeout);
NTSYSAPI NTSTATUS NTAPI NtImpersonateClientOfPort(HANDLE PortHandle, PPORT_MESSAGE Message);
NTSYSAPI NTSTATUS NTAPI NtReadRequestData(HANDLE PortHandle, PPORT_MESSAGE Message, ULONG DataEntryIndex,
                                          PVOID Buffer, SIZE_T BufferSize, PSIZE_T NumberOfBytesRead);
NTSYSAPI NTSTATUS NTAPI NtWriteRequestData(HANDLE PortHandle, PPORT_MESSAGE Message, ULONG DataEntryIndex,
                                           PVOID Buffer, SIZE_T BufferSize, PSIZE_T NumberOfBytesWritten);
NTSYSAPI NTSTATUS NTAPI NtQueryInformationPort(HANDLE PortHandle, PORT_INFORMATION_CLASS PortInformationClass,
                                               PVOID PortInformation, ULONG Length, PULONG ReturnLength);
NTSYSAPI NTSTATUS NTAPI NtQueryPortInformationProcess(VOID);
NTSYSAPI NTSTATUS NTAPI NtRegisterThreadTerminatePort(HANDLE PortHandle);
NTSYSAPI NTSTATUS NTAPI NtSetDefaultHardErrorPort(HANDLE PortHandle);
#endif

#ifdef __cplusplus
}
#endif

#endif
