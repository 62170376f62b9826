/*
 * Sizes and offsets of the public structures, values of the constants [alpc.md 2.1 to 2.6, 3.1 to 3.9]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Most of it is checked when this is compiled, which "make check" does for 32-bit programs too.
 */

#include "alpc_test.h"

#include <stddef.h>

#define WIDTH(x64, x86) (sizeof(void *) == 8 ? (x64) : (x86))

/* S(structure, size x64, size x86), F(structure, field, offset x64, offset x86) */
#define LAYOUT(S, F)                                                                                                   \
    /* 2.1 */                                                                                                          \
    S(PORT_MESSAGE, 0x28, 0x18)                                                                                        \
    F(PORT_MESSAGE, u1.s1.DataLength, 0x00, 0x00)                                                                      \
    F(PORT_MESSAGE, u1.s1.TotalLength, 0x02, 0x02)                                                                     \
    F(PORT_MESSAGE, u1.Length, 0x00, 0x00)                                                                             \
    F(PORT_MESSAGE, u2.s2.Type, 0x04, 0x04)                                                                            \
    F(PORT_MESSAGE, u2.s2.DataInfoOffset, 0x06, 0x06)                                                                  \
    F(PORT_MESSAGE, u2.ZeroInit, 0x04, 0x04)                                                                           \
    F(PORT_MESSAGE, ClientId.UniqueProcess, 0x08, 0x08)                                                                \
    F(PORT_MESSAGE, ClientId.UniqueThread, 0x10, 0x0c)                                                                 \
    F(PORT_MESSAGE, DoNotUseThisField, 0x08, 0x08)                                                                     \
    F(PORT_MESSAGE, MessageId, 0x18, 0x10)                                                                             \
    F(PORT_MESSAGE, CallbackId, 0x20, 0x14)                                                                            \
    F(PORT_MESSAGE, ClientViewSize, 0x20, 0x14)                                                                        \
    S(PORT_DATA_ENTRY, 0x10, 0x08)                                                                                     \
    F(PORT_DATA_ENTRY, Base, 0x00, 0x00)                                                                               \
    F(PORT_DATA_ENTRY, Size, 0x08, 0x04)                                                                               \
    F(PORT_DATA_INFORMATION, CountDataEntries, 0x00, 0x00)                                                             \
    F(PORT_DATA_INFORMATION, DataEntries, 0x08, 0x04)                                                                  \
    S(LPC_CLIENT_DIED_MSG, 0x30, 0x20)                                                                                 \
    F(LPC_CLIENT_DIED_MSG, CreateTime, 0x28, 0x18)                                                                     \
    S(PORT_MESSAGE64, 0x28, 0x28)                                                                                      \
    F(PORT_MESSAGE64, u1.s1.DataLength, 0x00, 0x00)                                                                    \
    F(PORT_MESSAGE64, u1.s1.TotalLength, 0x02, 0x02)                                                                   \
    F(PORT_MESSAGE64, u1.Length, 0x00, 0x00)                                                                           \
    F(PORT_MESSAGE64, u2.s2.Type, 0x04, 0x04)                                                                          \
    F(PORT_MESSAGE64, u2.s2.DataInfoOffset, 0x06, 0x06)                                                                \
    F(PORT_MESSAGE64, u2.ZeroInit, 0x04, 0x04)                                                                         \
    F(PORT_MESSAGE64, ClientId.UniqueProcess, 0x08, 0x08)                                                              \
    F(PORT_MESSAGE64, ClientId.UniqueThread, 0x10, 0x10)                                                               \
    F(PORT_MESSAGE64, DoNotUseThisField, 0x08, 0x08)                                                                   \
    F(PORT_MESSAGE64, MessageId, 0x18, 0x18)                                                                           \
    F(PORT_MESSAGE64, CallbackId, 0x20, 0x20)                                                                          \
    F(PORT_MESSAGE64, ClientViewSize, 0x20, 0x20)                                                                      \
    S(LPC_CLIENT_DIED_MSG64, 0x30, 0x30)                                                                               \
    F(LPC_CLIENT_DIED_MSG64, CreateTime, 0x28, 0x28)                                                                   \
    S(CLIENT_DIED_MSG, 0x30, 0x20)                                                                                     \
    /* 2.2 */                                                                                                          \
    S(ALPC_PORT_ATTRIBUTES, 0x48, 0x2c)                                                                                \
    F(ALPC_PORT_ATTRIBUTES, Flags, 0x00, 0x00)                                                                         \
    F(ALPC_PORT_ATTRIBUTES, SecurityQos, 0x04, 0x04)                                                                   \
    F(ALPC_PORT_ATTRIBUTES, SecurityQos.ImpersonationLevel, 0x08, 0x08)                                                \
    F(ALPC_PORT_ATTRIBUTES, SecurityQos.ContextTrackingMode, 0x0c, 0x0c)                                               \
    F(ALPC_PORT_ATTRIBUTES, SecurityQos.EffectiveOnly, 0x0d, 0x0d)                                                     \
    F(ALPC_PORT_ATTRIBUTES, MaxMessageLength, 0x10, 0x10)                                                              \
    F(ALPC_PORT_ATTRIBUTES, MemoryBandwidth, 0x18, 0x14)                                                               \
    F(ALPC_PORT_ATTRIBUTES, MaxPoolUsage, 0x20, 0x18)                                                                  \
    F(ALPC_PORT_ATTRIBUTES, MaxSectionSize, 0x28, 0x1c)                                                                \
    F(ALPC_PORT_ATTRIBUTES, MaxViewSize, 0x30, 0x20)                                                                   \
    F(ALPC_PORT_ATTRIBUTES, MaxTotalSectionSize, 0x38, 0x24)                                                           \
    F(ALPC_PORT_ATTRIBUTES, DupObjectTypes, 0x40, 0x28)                                                                \
    /* 2.3 */                                                                                                          \
    S(ALPC_MESSAGE_ATTRIBUTES, 0x08, 0x08)                                                                             \
    F(ALPC_MESSAGE_ATTRIBUTES, AllocatedAttributes, 0x00, 0x00)                                                        \
    F(ALPC_MESSAGE_ATTRIBUTES, ValidAttributes, 0x04, 0x04)                                                            \
    /* 2.4 */                                                                                                          \
    S(ALPC_SECURITY_ATTR, 0x18, 0x0c)                                                                                  \
    F(ALPC_SECURITY_ATTR, Flags, 0x00, 0x00)                                                                           \
    F(ALPC_SECURITY_ATTR, QoS, 0x08, 0x04)                                                                             \
    F(ALPC_SECURITY_ATTR, ContextHandle, 0x10, 0x08)                                                                   \
    S(ALPC_DATA_VIEW_ATTR, 0x20, 0x10)                                                                                 \
    F(ALPC_DATA_VIEW_ATTR, Flags, 0x00, 0x00)                                                                          \
    F(ALPC_DATA_VIEW_ATTR, SectionHandle, 0x08, 0x04)                                                                  \
    F(ALPC_DATA_VIEW_ATTR, ViewBase, 0x10, 0x08)                                                                       \
    F(ALPC_DATA_VIEW_ATTR, ViewSize, 0x18, 0x0c)                                                                       \
    S(ALPC_CONTEXT_ATTR, 0x20, 0x14)                                                                                   \
    F(ALPC_CONTEXT_ATTR, PortContext, 0x00, 0x00)                                                                      \
    F(ALPC_CONTEXT_ATTR, MessageContext, 0x08, 0x04)                                                                   \
    F(ALPC_CONTEXT_ATTR, Sequence, 0x10, 0x08)                                                                         \
    F(ALPC_CONTEXT_ATTR, MessageId, 0x14, 0x0c)                                                                        \
    F(ALPC_CONTEXT_ATTR, CallbackId, 0x18, 0x10)                                                                       \
    S(ALPC_HANDLE_ATTR, 0x18, 0x10)                                                                                    \
    F(ALPC_HANDLE_ATTR, Flags, 0x00, 0x00)                                                                             \
    F(ALPC_HANDLE_ATTR, Handle, 0x08, 0x04)                                                                            \
    F(ALPC_HANDLE_ATTR, HandleAttrArray, 0x08, 0x04)                                                                   \
    F(ALPC_HANDLE_ATTR, ObjectType, 0x10, 0x08)                                                                        \
    F(ALPC_HANDLE_ATTR, HandleCount, 0x10, 0x08)                                                                       \
    F(ALPC_HANDLE_ATTR, DesiredAccess, 0x14, 0x0c)                                                                     \
    S(ALPC_HANDLE_ATTR32, 0x10, 0x10)                                                                                  \
    F(ALPC_HANDLE_ATTR32, Flags, 0x00, 0x00)                                                                           \
    F(ALPC_HANDLE_ATTR32, Handle, 0x04, 0x04)                                                                          \
    F(ALPC_HANDLE_ATTR32, ObjectType, 0x08, 0x08)                                                                      \
    F(ALPC_HANDLE_ATTR32, DesiredAccess, 0x0c, 0x0c)                                                                   \
    S(ALPC_TOKEN_ATTR, 0x18, 0x18)                                                                                     \
    F(ALPC_TOKEN_ATTR, TokenId, 0x00, 0x00)                                                                            \
    F(ALPC_TOKEN_ATTR, AuthenticationId, 0x08, 0x08)                                                                   \
    F(ALPC_TOKEN_ATTR, ModifiedId, 0x10, 0x10)                                                                         \
    S(ALPC_DIRECT_ATTR, 0x08, 0x04)                                                                                    \
    F(ALPC_DIRECT_ATTR, Event, 0x00, 0x00)                                                                             \
    S(ALPC_WORK_ON_BEHALF_ATTR, 0x08, 0x08)                                                                            \
    F(ALPC_WORK_ON_BEHALF_ATTR, Ticket, 0x00, 0x00)                                                                    \
    /* 2.5 */                                                                                                          \
    S(ALPC_BASIC_INFORMATION, 0x10, 0x0c)                                                                              \
    F(ALPC_BASIC_INFORMATION, Flags, 0x00, 0x00)                                                                       \
    F(ALPC_BASIC_INFORMATION, SequenceNo, 0x04, 0x04)                                                                  \
    F(ALPC_BASIC_INFORMATION, PortContext, 0x08, 0x08)                                                                 \
    S(ALPC_PORT_ASSOCIATE_COMPLETION_PORT, 0x10, 0x08)                                                                 \
    F(ALPC_PORT_ASSOCIATE_COMPLETION_PORT, CompletionKey, 0x00, 0x00)                                                  \
    F(ALPC_PORT_ASSOCIATE_COMPLETION_PORT, CompletionPort, 0x08, 0x04)                                                 \
    S(ALPC_SERVER_INFORMATION, 0x20, 0x10)                                                                             \
    F(ALPC_SERVER_INFORMATION, In.ThreadHandle, 0x00, 0x00)                                                            \
    F(ALPC_SERVER_INFORMATION, Out.ThreadBlocked, 0x00, 0x00)                                                          \
    F(ALPC_SERVER_INFORMATION, Out.ConnectedProcessId, 0x08, 0x04)                                                     \
    F(ALPC_SERVER_INFORMATION, Out.ConnectionPortName, 0x10, 0x08)                                                     \
    S(ALPC_SERVER_SESSION_INFORMATION, 0x08, 0x08)                                                                     \
    F(ALPC_SERVER_SESSION_INFORMATION, SessionId, 0x00, 0x00)                                                          \
    F(ALPC_SERVER_SESSION_INFORMATION, ProcessId, 0x04, 0x04)                                                          \
    S(ALPC_PORT_MESSAGE_ZONE_INFORMATION, 0x10, 0x08)                                                                  \
    F(ALPC_PORT_MESSAGE_ZONE_INFORMATION, Buffer, 0x00, 0x00)                                                          \
    F(ALPC_PORT_MESSAGE_ZONE_INFORMATION, Size, 0x08, 0x04)                                                            \
    S(ALPC_PORT_COMPLETION_LIST_INFORMATION, 0x18, 0x10)                                                               \
    F(ALPC_PORT_COMPLETION_LIST_INFORMATION, Buffer, 0x00, 0x00)                                                       \
    F(ALPC_PORT_COMPLETION_LIST_INFORMATION, Size, 0x08, 0x04)                                                         \
    F(ALPC_PORT_COMPLETION_LIST_INFORMATION, ConcurrencyCount, 0x0c, 0x08)                                             \
    F(ALPC_PORT_COMPLETION_LIST_INFORMATION, AttributeFlags, 0x10, 0x0c)                                               \
    S(ALPC_MESSAGE_HANDLE_INFORMATION, 0x14, 0x14)                                                                     \
    F(ALPC_MESSAGE_HANDLE_INFORMATION, Index, 0x00, 0x00)                                                              \
    F(ALPC_MESSAGE_HANDLE_INFORMATION, Flags, 0x04, 0x04)                                                              \
    F(ALPC_MESSAGE_HANDLE_INFORMATION, Handle, 0x08, 0x08)                                                             \
    F(ALPC_MESSAGE_HANDLE_INFORMATION, ObjectType, 0x0c, 0x0c)                                                         \
    F(ALPC_MESSAGE_HANDLE_INFORMATION, GrantedAccess, 0x10, 0x10)                                                      \
    S(ALPC_REGISTER_CALLBACK, 0x10, 0x08)                                                                              \
    F(ALPC_REGISTER_CALLBACK, CallbackObject, 0x00, 0x00)                                                              \
    F(ALPC_REGISTER_CALLBACK, CallbackContext, 0x08, 0x04)                                                             \
    S(PORT_VIEW, 0x30, 0x18)                                                                                           \
    F(PORT_VIEW, Length, 0x00, 0x00)                                                                                   \
    F(PORT_VIEW, SectionHandle, 0x08, 0x04)                                                                            \
    F(PORT_VIEW, SectionOffset, 0x10, 0x08)                                                                            \
    F(PORT_VIEW, ViewSize, 0x18, 0x0c)                                                                                 \
    F(PORT_VIEW, ViewBase, 0x20, 0x10)                                                                                 \
    F(PORT_VIEW, ViewRemoteBase, 0x28, 0x14)                                                                           \
    S(REMOTE_PORT_VIEW, 0x18, 0x0c)                                                                                    \
    F(REMOTE_PORT_VIEW, Length, 0x00, 0x00)                                                                            \
    F(REMOTE_PORT_VIEW, ViewSize, 0x08, 0x04)                                                                          \
    F(REMOTE_PORT_VIEW, ViewBase, 0x10, 0x08)                                                                          \
    S(PORT_VIEW64, 0x30, 0x30)                                                                                         \
    F(PORT_VIEW64, Length, 0x00, 0x00)                                                                                 \
    F(PORT_VIEW64, SectionHandle, 0x08, 0x08)                                                                          \
    F(PORT_VIEW64, SectionOffset, 0x10, 0x10)                                                                          \
    F(PORT_VIEW64, ViewSize, 0x18, 0x18)                                                                               \
    F(PORT_VIEW64, ViewBase, 0x20, 0x20)                                                                               \
    F(PORT_VIEW64, ViewRemoteBase, 0x28, 0x28)                                                                         \
    S(REMOTE_PORT_VIEW64, 0x18, 0x18)                                                                                  \
    F(REMOTE_PORT_VIEW64, Length, 0x00, 0x00)                                                                          \
    F(REMOTE_PORT_VIEW64, ViewSize, 0x08, 0x08)                                                                        \
    F(REMOTE_PORT_VIEW64, ViewBase, 0x10, 0x10)                                                                        \
    S(LPC_SECTION_OWNER_MEMORY, 0x30, 0x18)                                                                            \
    S(LPC_SECTION_MEMORY, 0x18, 0x0c)                                                                                  \
    /* 2.6 */                                                                                                          \
    S(ALPC_COMPLETION_LIST_STATE, 0x08, 0x08)                                                                          \
    S(ALPC_COMPLETION_LIST_HEADER, 0x300, 0x300)                                                                       \
    F(ALPC_COMPLETION_LIST_HEADER, StartMagic, 0x00, 0x00)                                                             \
    F(ALPC_COMPLETION_LIST_HEADER, TotalSize, 0x08, 0x08)                                                              \
    F(ALPC_COMPLETION_LIST_HEADER, ListOffset, 0x0c, 0x0c)                                                             \
    F(ALPC_COMPLETION_LIST_HEADER, ListSize, 0x10, 0x10)                                                               \
    F(ALPC_COMPLETION_LIST_HEADER, BitmapOffset, 0x14, 0x14)                                                           \
    F(ALPC_COMPLETION_LIST_HEADER, BitmapSize, 0x18, 0x18)                                                             \
    F(ALPC_COMPLETION_LIST_HEADER, DataOffset, 0x1c, 0x1c)                                                             \
    F(ALPC_COMPLETION_LIST_HEADER, DataSize, 0x20, 0x20)                                                               \
    F(ALPC_COMPLETION_LIST_HEADER, AttributeFlags, 0x24, 0x24)                                                         \
    F(ALPC_COMPLETION_LIST_HEADER, AttributeSize, 0x28, 0x28)                                                          \
    F(ALPC_COMPLETION_LIST_HEADER, State, 0x80, 0x80)                                                                  \
    F(ALPC_COMPLETION_LIST_HEADER, LastMessageId, 0x88, 0x88)                                                          \
    F(ALPC_COMPLETION_LIST_HEADER, LastCallbackId, 0x8c, 0x8c)                                                         \
    F(ALPC_COMPLETION_LIST_HEADER, PostCount, 0x100, 0x100)                                                            \
    F(ALPC_COMPLETION_LIST_HEADER, ReturnCount, 0x180, 0x180)                                                          \
    F(ALPC_COMPLETION_LIST_HEADER, LogSequenceNumber, 0x200, 0x200)                                                    \
    F(ALPC_COMPLETION_LIST_HEADER, UserLock, 0x280, 0x280)                                                             \
    F(ALPC_COMPLETION_LIST_HEADER, EndMagic, 0x288, 0x288)

/* C(section, name, value) */
#define CONSTANTS(C)                                                                                                   \
    C("3.1", ALPC_PORFLG_LPC_MODE, 0x1000)                                                                             \
    C("3.1", ALPC_PORFLG_ALLOW_IMPERSONATION, 0x10000)                                                                 \
    C("3.1", ALPC_PORFLG_ALLOW_LPC_REQUESTS, 0x20000)                                                                  \
    C("3.1", ALPC_PORFLG_WAITABLE_PORT, 0x40000)                                                                       \
    C("3.1", ALPC_PORFLG_ALLOW_DUP_OBJECT, 0x80000)                                                                    \
    C("3.1", ALPC_PORFLG_SYSTEM_PROCESS, 0x100000)                                                                     \
    C("3.1", ALPC_PORFLG_WAKE_POLICY1, 0x200000)                                                                       \
    C("3.1", ALPC_PORFLG_WAKE_POLICY2, 0x400000)                                                                       \
    C("3.1", ALPC_PORFLG_WAKE_POLICY3, 0x800000)                                                                       \
    C("3.1", ALPC_PORFLG_DIRECT_MESSAGE, 0x1000000)                                                                    \
    C("3.1", ALPC_PORFLG_ALLOW_MULTIHANDLE_ATTRIBUTE, 0x2000000)                                                       \
    C("3.2", OB_FILE_OBJECT_TYPE, 0x1)                                                                                 \
    C("3.2", OB_INVALID_OBJECT_TYPE, 0x2)                                                                              \
    C("3.2", OB_THREAD_OBJECT_TYPE, 0x4)                                                                               \
    C("3.2", OB_SEMAPHORE_OBJECT_TYPE, 0x8)                                                                            \
    C("3.2", OB_EVENT_OBJECT_TYPE, 0x10)                                                                               \
    C("3.2", OB_PROCESS_OBJECT_TYPE, 0x20)                                                                             \
    C("3.2", OB_MUTANT_OBJECT_TYPE, 0x40)                                                                              \
    C("3.2", OB_SECTION_OBJECT_TYPE, 0x80)                                                                             \
    C("3.2", OB_REG_KEY_OBJECT_TYPE, 0x100)                                                                            \
    C("3.2", OB_TOKEN_OBJECT_TYPE, 0x200)                                                                              \
    C("3.2", OB_COMPOSITION_OBJECT_TYPE, 0x400)                                                                        \
    C("3.2", OB_JOB_OBJECT_TYPE, 0x800)                                                                                \
    C("3.2", OB_ALL_OBJECT_TYPE_CODES, 0xffd)                                                                          \
    C("3.3", ALPC_MSGFLG_REPLY_MESSAGE, 0x1)                                                                           \
    C("3.3", ALPC_MSGFLG_LPC_MODE, 0x2)                                                                                \
    C("3.3", ALPC_MSGFLG_RELEASE_MESSAGE, 0x10000)                                                                     \
    C("3.3", ALPC_MSGFLG_SYNC_REQUEST, 0x20000)                                                                        \
    C("3.3", ALPC_MSGFLG_TRACK_PORT_REFERENCES, 0x40000)                                                               \
    C("3.3", ALPC_MSGFLG_WAIT_USER_MODE, 0x100000)                                                                     \
    C("3.3", ALPC_MSGFLG_WAIT_ALERTABLE, 0x200000)                                                                     \
    C("3.3", ALPC_MSGFLG_SIGNAL_ALERTABLE, 0x400000)                                                                   \
    C("3.3", ALPC_MSGFLG_WOW64_CALL, 0x80000000)                                                                       \
    C("3.4", ALPC_HANDLEFLG_DUPLICATE_SAME_ACCESS, 0x10000)                                                            \
    C("3.4", ALPC_HANDLEFLG_DUPLICATE_SAME_ATTRIBUTES, 0x20000)                                                        \
    C("3.4", ALPC_HANDLEFLG_INDIRECT, 0x40000)                                                                         \
    C("3.4", ALPC_HANDLEFLG_DUPLICATE_INHERIT, 0x80000)                                                                \
    C("3.4", ALPC_INDIRECT_HANDLE_MAX, 512)                                                                            \
    C("3.5", ALPC_VIEWFLG_UNMAP_EXISTING, 0x10000)                                                                     \
    C("3.5", ALPC_VIEWFLG_AUTO_RELEASE, 0x20000)                                                                       \
    C("3.5", ALPC_VIEWFLG_SECURED_ACCESS, 0x40000)                                                                     \
    C("3.5", ALPC_VIEWFLG_NOT_SECURE, 0x40000)                                                                         \
    C("3.5", ALPC_CREATEPORTSECTIONFLG_SECURE, 0x40000)                                                                \
    C("3.5", ALPC_SECFLG_DELETE_EXISTING, 0x10000)                                                                     \
    C("3.5", ALPC_SECFLG_CREATE_HANDLE, 0x20000)                                                                       \
    C("3.5", ALPC_SECFLG_NOSECTIONHANDLE, 0x40000)                                                                     \
    C("3.5", ALPC_IMPERSONATEFLG_ANONYMOUS, 0x1)                                                                       \
    C("3.5", ALPC_IMPERSONATEFLG_REQUIRE_IMPERSONATE, 0x2)                                                             \
    C("3.5", ALPC_CANCELFLG_TRY_CANCEL, 0x1)                                                                           \
    C("3.5", ALPC_CANCELFLG_NO_CONTEXT_CHECK, 0x8)                                                                     \
    C("3.5", ALPC_CANCELFLG_FLUSH, 0x10000)                                                                            \
    C("3.5", ALPC_DISCONNECTFLG_NO_FLUSH_ON_CLOSE, 0x1)                                                                \
    C("3.6", LPC_REQUEST, 1)                                                                                           \
    C("3.6", LPC_REPLY, 2)                                                                                             \
    C("3.6", LPC_DATAGRAM, 3)                                                                                          \
    C("3.6", LPC_LOST_REPLY, 4)                                                                                        \
    C("3.6", LPC_PORT_CLOSED, 5)                                                                                       \
    C("3.6", LPC_CLIENT_DIED, 6)                                                                                       \
    C("3.6", LPC_EXCEPTION, 7)                                                                                         \
    C("3.6", LPC_DEBUG_EVENT, 8)                                                                                       \
    C("3.6", LPC_ERROR_EVENT, 9)                                                                                       \
    C("3.6", LPC_CONNECTION_REQUEST, 10)                                                                               \
    C("3.6", LPC_CONNECTION_REPLY, 11)                                                                                 \
    C("3.6", LPC_CANCELED, 12)                                                                                         \
    C("lpc.md 2.2", LPC_INTERNAL_CONNECTION_REPLY, 11)                                                                 \
    C("lpc.md 2.2", LPC_CANCEL_MESSAGE, 12)                                                                            \
    C("lpc.md 2.2", LPC_LEGACY_CONNECTION_REPLY, 13)                                                                   \
    C("3.6", LPC_CONTINUATION_REQUIRED, 0x2000)                                                                        \
    C("3.6", LPC_NO_IMPERSONATE, 0x4000)                                                                               \
    C("3.6", LPC_KERNELMODE_MESSAGE, 0x8000)                                                                           \
    C("2.3", ALPC_MESSAGE_SECURITY_ATTRIBUTE, 0x80000000)                                                              \
    C("2.3", ALPC_MESSAGE_VIEW_ATTRIBUTE, 0x40000000)                                                                  \
    C("2.3", ALPC_MESSAGE_CONTEXT_ATTRIBUTE, 0x20000000)                                                               \
    C("2.3", ALPC_MESSAGE_HANDLE_ATTRIBUTE, 0x10000000)                                                                \
    C("2.3", ALPC_MESSAGE_TOKEN_ATTRIBUTE, 0x08000000)                                                                 \
    C("2.3", ALPC_MESSAGE_DIRECT_ATTRIBUTE, 0x04000000)                                                                \
    C("2.3", ALPC_MESSAGE_WORK_ON_BEHALF_ATTRIBUTE, 0x02000000)                                                        \
    C("3.7", AlpcBasicInformation, 0)                                                                                  \
    C("3.7", AlpcPortInformation, 1)                                                                                   \
    C("3.7", AlpcAssociateCompletionPortInformation, 2)                                                                \
    C("3.7", AlpcConnectedSIDInformation, 3)                                                                           \
    C("3.7", AlpcServerInformation, 4)                                                                                 \
    C("3.7", AlpcMessageZoneInformation, 5)                                                                            \
    C("3.7", AlpcRegisterCompletionListInformation, 6)                                                                 \
    C("3.7", AlpcUnregisterCompletionListInformation, 7)                                                               \
    C("3.7", AlpcAdjustCompletionListConcurrencyCountInformation, 8)                                                   \
    C("3.7", AlpcRegisterCallbackInformation, 9)                                                                       \
    C("3.7", AlpcCompletionListRundownInformation, 10)                                                                 \
    C("3.7", AlpcWaitForPortReferences, 11)                                                                            \
    C("3.7", AlpcServerSessionInformation, 12)                                                                         \
    C("3.7", AlpcMessageSidInformation, 0)                                                                             \
    C("3.7", AlpcMessageTokenModifiedIdInformation, 1)                                                                 \
    C("3.7", AlpcMessageDirectStatusInformation, 2)                                                                    \
    C("3.7", AlpcMessageHandleInformation, 3)                                                                          \
    C("3.8", PORT_CONNECT, 0x0001)                                                                                     \
    C("3.8", PORT_ALL_ACCESS, 0x001f0001)                                                                              \
    C("2.6", ALPC_COMPLETION_LIST_BUFFER_GRANULARITY_MASK, 0x3f)                                                       \
    C("3.8", ALPC_PORT_QUERY_STATE, 0x0001)                                                                            \
    C("3.9", ALPC_MAX_MESSAGE_LENGTH, 0xffff)                                                                          \
    C("3.9", PORT_MAXIMUM_MESSAGE_LENGTH, WIDTH(512, 256))                                                             \
    C("3.9", LPC_MAX_CONNECTION_INFO_SIZE, WIDTH(128, 64))                                                             \
    C("3.9", PORT_TOTAL_MAXIMUM_MESSAGE_LENGTH, WIDTH(0x2b0, 0x160))                                                   \
    C("lpc.md 1.3", PORT_VALID_OBJECT_ATTRIBUTES, 0x40)                                                                \
    C("lpc.md 1.15", PortBasicInformation, 0)                                                                          \
    C("lpc.md 1.15", PortDumpInformation, 1)

#define ASSERT_SIZE(structure, x64, x86) _Static_assert(sizeof(structure) == WIDTH(x64, x86), #structure);
#define ASSERT_OFFSET(structure, field, x64, x86)                                                                      \
    _Static_assert(offsetof(structure, field) == WIDTH(x64, x86), #structure "." #field);
#define ASSERT_VALUE(section, name, value) _Static_assert((ULONG)(name) == (value), #name);
LAYOUT(ASSERT_SIZE, ASSERT_OFFSET)
CONSTANTS(ASSERT_VALUE)

struct row
{
    const char *name;
    SIZE_T value, x64, x86;
};

#define SIZE_ROW(structure, x64, x86) { "sizeof " #structure, sizeof(structure), x64, x86 },
#define OFFSET_ROW(structure, field, x64, x86) { #structure "." #field, offsetof(structure, field), x64, x86 },
static const struct row layout[] = { LAYOUT(SIZE_ROW, OFFSET_ROW) };

#define VALUE_ROW(section, name, value) { "[" section "] " #name, (ULONG)(name), value, value },
static const struct row constants[] = { CONSTANTS(VALUE_ROW) };

static void check_rows(const struct row *rows, unsigned int count)
{
    unsigned int i;

    for (i = 0; i < count; i++)
        ok(rows[i].value == WIDTH(rows[i].x64, rows[i].x86), "[2] %s is %#Ix\n", rows[i].name, rows[i].value);
}

START_TEST(layout)
{
    check_rows(layout, ARRAY_SIZE(layout));
    check_rows(constants, ARRAY_SIZE(constants));
    /* the lengths are declared signed; nothing but their 16 bits counts [2.1] */
    ok(sizeof(((PORT_MESSAGE *)0)->u1.s1.TotalLength) == 2, "[2.1] TotalLength\n");
    /* an ALPC message may have 8-byte data behind its header */
    ok(!(sizeof(PORT_MESSAGE) % 8) && _Alignof(PORT_MESSAGE) == 8, "[2.1] alignment %u\n",
       (unsigned int)_Alignof(PORT_MESSAGE));
}
