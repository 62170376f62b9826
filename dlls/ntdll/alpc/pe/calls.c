/*
 * The ALPC system calls
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "pe.h"

#define CALL(name, ...)                                                \
    do                                                                 \
    {                                                                  \
        struct name##_params params = { __VA_ARGS__ };                 \
        return system_call(unix_##name, &params, #name);               \
    } while (0)

NTSTATUS NTAPI NtAlpcCreatePort(PHANDLE PortHandle, POBJECT_ATTRIBUTES ObjectAttributes,
                                       PALPC_PORT_ATTRIBUTES PortAttributes)
{
    CALL(NtAlpcCreatePort, PortHandle, ObjectAttributes, PortAttributes);
}

NTSTATUS NTAPI NtAlpcConnectPort(PHANDLE PortHandle, PCUNICODE_STRING PortName,
                                        POBJECT_ATTRIBUTES ObjectAttributes, PALPC_PORT_ATTRIBUTES PortAttributes,
                                        ULONG Flags, PSID RequiredServerSid, PPORT_MESSAGE ConnectionMessage,
                                        PSIZE_T BufferLength, PALPC_MESSAGE_ATTRIBUTES OutMessageAttributes,
                                        PALPC_MESSAGE_ATTRIBUTES InMessageAttributes, PLARGE_INTEGER Timeout)
{
    CALL(NtAlpcConnectPort, PortHandle, PortName, NULL, ObjectAttributes, PortAttributes, Flags, RequiredServerSid, NULL,
         ConnectionMessage, BufferLength, OutMessageAttributes, InMessageAttributes, Timeout);
}

NTSTATUS NTAPI NtAlpcConnectPortEx(PHANDLE PortHandle, POBJECT_ATTRIBUTES ConnectionPortObjectAttributes,
                                          POBJECT_ATTRIBUTES ClientPortObjectAttributes,
                                          PALPC_PORT_ATTRIBUTES PortAttributes, ULONG Flags,
                                          PSECURITY_DESCRIPTOR ServerSecurityRequirements,
                                          PPORT_MESSAGE ConnectionMessage, PSIZE_T BufferLength,
                                          PALPC_MESSAGE_ATTRIBUTES OutMessageAttributes,
                                          PALPC_MESSAGE_ATTRIBUTES InMessageAttributes, PLARGE_INTEGER Timeout)
{
    /* the other call is told by a name, which may be NULL too; here a NULL is as bad as there */
    if (!ConnectionPortObjectAttributes)
        return STATUS_ACCESS_VIOLATION;
    CALL(NtAlpcConnectPort, PortHandle, NULL, ConnectionPortObjectAttributes, ClientPortObjectAttributes, PortAttributes,
         Flags, NULL, ServerSecurityRequirements, ConnectionMessage, BufferLength, OutMessageAttributes,
         InMessageAttributes, Timeout);
}

NTSTATUS NTAPI NtAlpcAcceptConnectPort(PHANDLE PortHandle, HANDLE ConnectionPortHandle, ULONG Flags,
                                              POBJECT_ATTRIBUTES ObjectAttributes,
                                              PALPC_PORT_ATTRIBUTES PortAttributes, PVOID PortContext,
                                              PPORT_MESSAGE ConnectionRequest,
                                              PALPC_MESSAGE_ATTRIBUTES ConnectionMessageAttributes,
                                              BOOLEAN AcceptConnection)
{
    CALL(NtAlpcAcceptConnectPort, PortHandle, ConnectionPortHandle, Flags, ObjectAttributes, PortAttributes, PortContext,
         ConnectionRequest, ConnectionMessageAttributes, AcceptConnection);
}

NTSTATUS NTAPI NtAlpcSendWaitReceivePort(HANDLE PortHandle, ULONG Flags, PPORT_MESSAGE SendMessage_,
                                                PALPC_MESSAGE_ATTRIBUTES SendMessageAttributes,
                                                PPORT_MESSAGE ReceiveMessage, PSIZE_T BufferLength,
                                                PALPC_MESSAGE_ATTRIBUTES ReceiveMessageAttributes,
                                                PLARGE_INTEGER Timeout)
{
    CALL(NtAlpcSendWaitReceivePort, PortHandle, Flags, SendMessage_, SendMessageAttributes, ReceiveMessage, BufferLength,
         ReceiveMessageAttributes, Timeout);
}

NTSTATUS NTAPI NtAlpcCancelMessage(HANDLE PortHandle, ULONG Flags, PALPC_CONTEXT_ATTR MessageContext)
{
    CALL(NtAlpcCancelMessage, PortHandle, Flags, MessageContext);
}

NTSTATUS NTAPI NtAlpcDisconnectPort(HANDLE PortHandle, ULONG Flags)
{
    CALL(NtAlpcDisconnectPort, PortHandle, Flags);
}

NTSTATUS NTAPI NtAlpcQueryInformation(HANDLE PortHandle, ALPC_PORT_INFORMATION_CLASS PortInformationClass,
                                             PVOID PortInformation, ULONG Length, PULONG ReturnLength)
{
    if (PortInformationClass == AlpcConnectedSIDInformation || PortInformationClass == AlpcServerInformation ||
        PortInformationClass == AlpcWaitForPortReferences)
        tell_missing("NtAlpcQueryInformation");
    CALL(NtAlpcQueryInformation, PortHandle, PortInformationClass, PortInformation, Length, ReturnLength);
}
