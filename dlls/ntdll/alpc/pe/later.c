/*
 * What is exported but not there yet
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each prints a fixme line, zeroes its outputs and returns STATUS_NOT_IMPLEMENTED, or zero where it has no status.
 */

#include "pe.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

#define OUTPUT(pointer) { pointer, sizeof(*(pointer)) }

/* the outputs are the program's memory: the native half clears them */
#define LATER(...)                                                      \
    do                                                                  \
    {                                                                   \
        struct clear_outputs_params params = { { __VA_ARGS__ } };       \
        tell_missing(__func__);                                         \
        return unix_call(unix_clear_outputs, &params);                  \
    } while (0)

/* ---------------------------------------------------------------------------------------------- NtAlpc* */

NTSTATUS NTAPI NtAlpcSetInformation(HANDLE port, ALPC_PORT_INFORMATION_CLASS information_class, PVOID information,
                                           ULONG length)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtAlpcQueryInformationMessage(HANDLE port, PPORT_MESSAGE message,
                                                    ALPC_MESSAGE_INFORMATION_CLASS information_class,
                                                    PVOID information, ULONG length, PULONG return_length)
{
    LATER({ information, length }, OUTPUT(return_length));
}

NTSTATUS NTAPI NtAlpcCreatePortSection(HANDLE port, ULONG flags, HANDLE section, SIZE_T size,
                                              PALPC_HANDLE alpc_section, PSIZE_T actual_size)
{
    LATER(OUTPUT(alpc_section), OUTPUT(actual_size));
}

NTSTATUS NTAPI NtAlpcDeletePortSection(HANDLE port, ULONG flags, ALPC_HANDLE section)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtAlpcCreateSectionView(HANDLE port, ULONG flags, PALPC_DATA_VIEW_ATTR view)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtAlpcDeleteSectionView(HANDLE port, ULONG flags, PVOID base)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtAlpcCreateResourceReserve(HANDLE port, ULONG flags, SIZE_T size, PULONG id)
{
    LATER(OUTPUT(id));
}

NTSTATUS NTAPI NtAlpcDeleteResourceReserve(HANDLE port, ULONG flags, ULONG id)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtAlpcCreateSecurityContext(HANDLE port, ULONG flags, PALPC_SECURITY_ATTR attribute)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtAlpcDeleteSecurityContext(HANDLE port, ULONG flags, ALPC_HANDLE context)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtAlpcRevokeSecurityContext(HANDLE port, ULONG flags, ALPC_HANDLE context)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtAlpcImpersonateClientOfPort(HANDLE port, PPORT_MESSAGE message, ULONG_PTR flags)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtAlpcImpersonateClientContainerOfPort(HANDLE port, PPORT_MESSAGE message, ULONG flags)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtAlpcOpenSenderProcess(PHANDLE process, HANDLE port, PPORT_MESSAGE message, ULONG flags,
                                              ACCESS_MASK access, POBJECT_ATTRIBUTES attributes)
{
    LATER(OUTPUT(process));
}

NTSTATUS NTAPI NtAlpcOpenSenderThread(PHANDLE thread, HANDLE port, PPORT_MESSAGE message, ULONG flags,
                                             ACCESS_MASK access, POBJECT_ATTRIBUTES attributes)
{
    LATER(OUTPUT(thread));
}

/* ---------------------------------------------------------------------------------------------- completion lists */

NTSTATUS NTAPI AlpcRegisterCompletionList(HANDLE port, PALPC_COMPLETION_LIST_HEADER buffer, ULONG size, ULONG count,
                                          ULONG attributes)
{
    LATER({ 0 });
}

NTSTATUS NTAPI AlpcUnregisterCompletionList(HANDLE port)
{
    LATER({ 0 });
}

NTSTATUS NTAPI AlpcRundownCompletionList(HANDLE port)
{
    LATER({ 0 });
}

NTSTATUS NTAPI AlpcAdjustCompletionListConcurrencyCount(HANDLE port, ULONG count)
{
    LATER({ 0 });
}

BOOLEAN NTAPI AlpcRegisterCompletionListWorkerThread(PVOID list)
{
    tell_missing(__func__);
    return FALSE;
}

BOOLEAN NTAPI AlpcUnregisterCompletionListWorkerThread(PVOID list)
{
    tell_missing(__func__);
    return FALSE;
}

VOID NTAPI AlpcGetCompletionListLastMessageInformation(PVOID list, PULONG message_id, PULONG callback_id)
{
    struct clear_outputs_params params = { { OUTPUT(message_id), OUTPUT(callback_id) } };

    tell_missing(__func__);
    unix_call(unix_clear_outputs, &params);
}

ULONG NTAPI AlpcGetOutstandingCompletionListMessageCount(PVOID list)
{
    tell_missing(__func__);
    return 0;
}

PPORT_MESSAGE NTAPI AlpcGetMessageFromCompletionList(PVOID list, PALPC_MESSAGE_ATTRIBUTES *attributes)
{
    struct clear_outputs_params params = { { OUTPUT(attributes) } };

    tell_missing(__func__);
    unix_call(unix_clear_outputs, &params);
    return NULL;
}

VOID NTAPI AlpcFreeCompletionListMessage(PVOID list, PPORT_MESSAGE message)
{
    tell_missing(__func__);
}

PALPC_MESSAGE_ATTRIBUTES NTAPI AlpcGetCompletionListMessageAttributes(PVOID list, PPORT_MESSAGE message)
{
    tell_missing(__func__);
    return NULL;
}

/* ---------------------------------------------------------------------------------------------- thread pool */

NTSTATUS NTAPI TpAllocAlpcCompletion(PTP_ALPC *alpc, HANDLE port, PTP_ALPC_CALLBACK callback, PVOID context,
                                            PTP_CALLBACK_ENVIRON environment)
{
    LATER(OUTPUT(alpc));
}

NTSTATUS NTAPI TpAllocAlpcCompletionEx(PTP_ALPC *alpc, HANDLE port, PTP_ALPC_CALLBACK_EX callback,
                                              PVOID context, PTP_CALLBACK_ENVIRON environment)
{
    LATER(OUTPUT(alpc));
}

NTSTATUS NTAPI TpAlpcRegisterCompletionList(PTP_ALPC alpc)
{
    LATER({ 0 });
}

NTSTATUS NTAPI TpAlpcUnregisterCompletionList(PTP_ALPC alpc)
{
    LATER({ 0 });
}

NTSTATUS NTAPI TpCallbackSendAlpcMessageOnCompletion(PTP_CALLBACK_INSTANCE instance, HANDLE port, ULONG flags,
                                                            PPORT_MESSAGE message)
{
    LATER({ 0 });
}

NTSTATUS NTAPI TpCallbackSendPendingAlpcMessage(PTP_CALLBACK_INSTANCE instance)
{
    LATER({ 0 });
}

VOID NTAPI TpReleaseAlpcCompletion(PTP_ALPC alpc)
{
    tell_missing(__func__);
}

VOID NTAPI TpWaitForAlpcCompletion(PTP_ALPC alpc)
{
    tell_missing(__func__);
}

/* ---------------------------------------------------------------------------------------------- legacy LPC */

NTSTATUS NTAPI NtCreatePort(PHANDLE port, POBJECT_ATTRIBUTES attributes, ULONG max_info, ULONG max_message,
                                   ULONG max_pool)
{
    LATER(OUTPUT(port));
}

NTSTATUS NTAPI NtCreateWaitablePort(PHANDLE port, POBJECT_ATTRIBUTES attributes, ULONG max_info,
                                           ULONG max_message, ULONG max_pool)
{
    LATER(OUTPUT(port));
}

NTSTATUS NTAPI NtConnectPort(PHANDLE port, PUNICODE_STRING name, PSECURITY_QUALITY_OF_SERVICE qos,
                                    PPORT_VIEW client_view, PREMOTE_PORT_VIEW server_view, PULONG max_message,
                                    PVOID info, PULONG info_length)
{
    LATER(OUTPUT(port), OUTPUT(max_message));
}

NTSTATUS NTAPI NtSecureConnectPort(PHANDLE port, PUNICODE_STRING name, PSECURITY_QUALITY_OF_SERVICE qos,
                                          PPORT_VIEW client_view, PSID server_sid, PREMOTE_PORT_VIEW server_view,
                                          PULONG max_message, PVOID info, PULONG info_length)
{
    LATER(OUTPUT(port), OUTPUT(max_message));
}

NTSTATUS NTAPI NtListenPort(HANDLE port, PPORT_MESSAGE request)
{
    LATER(OUTPUT(request));
}

NTSTATUS NTAPI NtAcceptConnectPort(PHANDLE port, PVOID context, PPORT_MESSAGE request, BOOLEAN accept,
                                          PPORT_VIEW server_view, PREMOTE_PORT_VIEW client_view)
{
    LATER(OUTPUT(port));
}

NTSTATUS NTAPI NtCompleteConnectPort(HANDLE port)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtRequestPort(HANDLE port, PPORT_MESSAGE request)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtRequestWaitReplyPort(HANDLE port, PPORT_MESSAGE request, PPORT_MESSAGE reply)
{
    LATER(OUTPUT(reply));
}

NTSTATUS NTAPI NtReplyPort(HANDLE port, PPORT_MESSAGE reply)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtReplyWaitReplyPort(HANDLE port, PPORT_MESSAGE reply)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtReplyWaitReceivePort(HANDLE port, PVOID *context, PPORT_MESSAGE reply, PPORT_MESSAGE receive)
{
    LATER(OUTPUT(context), OUTPUT(receive));
}

NTSTATUS NTAPI NtReplyWaitReceivePortEx(HANDLE port, PVOID *context, PPORT_MESSAGE reply, PPORT_MESSAGE receive,
                                               PLARGE_INTEGER timeout)
{
    LATER(OUTPUT(context), OUTPUT(receive));
}

NTSTATUS NTAPI NtImpersonateClientOfPort(HANDLE port, PPORT_MESSAGE message)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtReadRequestData(HANDLE port, PPORT_MESSAGE message, ULONG index, PVOID buffer, SIZE_T size,
                                        PSIZE_T read)
{
    LATER(OUTPUT(read));
}

NTSTATUS NTAPI NtWriteRequestData(HANDLE port, PPORT_MESSAGE message, ULONG index, PVOID buffer, SIZE_T size,
                                         PSIZE_T written)
{
    LATER(OUTPUT(written));
}

NTSTATUS NTAPI NtQueryInformationPort(HANDLE port, PORT_INFORMATION_CLASS information_class, PVOID information,
                                             ULONG length, PULONG return_length)
{
    LATER({ information, length }, OUTPUT(return_length));
}

NTSTATUS NTAPI NtQueryPortInformationProcess(VOID)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtRegisterThreadTerminatePort(HANDLE port)
{
    LATER({ 0 });
}

NTSTATUS NTAPI NtSetDefaultHardErrorPort(HANDLE port)
{
    LATER({ 0 });
}
