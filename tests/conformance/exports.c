/*
 * The names that ntdll exports [alpc.md 1.1, 1.4 to 1.6, lpc.md 1.2], and those of them that are not there yet
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "alpc_test.h"

#define ALPC_CALLS(N)                                                                                                  \
    N(AlpcAcceptConnectPort)                                                                                           \
    N(AlpcCancelMessage)                                                                                               \
    N(AlpcConnectPort)                                                                                                 \
    N(AlpcConnectPortEx)                                                                                               \
    N(AlpcCreatePort)                                                                                                  \
    N(AlpcCreatePortSection)                                                                                           \
    N(AlpcCreateResourceReserve)                                                                                       \
    N(AlpcCreateSectionView)                                                                                           \
    N(AlpcCreateSecurityContext)                                                                                       \
    N(AlpcDeletePortSection)                                                                                           \
    N(AlpcDeleteResourceReserve)                                                                                       \
    N(AlpcDeleteSectionView)                                                                                           \
    N(AlpcDeleteSecurityContext)                                                                                       \
    N(AlpcDisconnectPort)                                                                                              \
    N(AlpcImpersonateClientContainerOfPort)                                                                            \
    N(AlpcImpersonateClientOfPort)                                                                                     \
    N(AlpcOpenSenderProcess)                                                                                           \
    N(AlpcOpenSenderThread)                                                                                            \
    N(AlpcQueryInformation)                                                                                            \
    N(AlpcQueryInformationMessage)                                                                                     \
    N(AlpcRevokeSecurityContext)                                                                                       \
    N(AlpcSendWaitReceivePort)                                                                                         \
    N(AlpcSetInformation)

#define LPC_CALLS(N)                                                                                                   \
    N(AcceptConnectPort)                                                                                               \
    N(CompleteConnectPort)                                                                                             \
    N(ConnectPort)                                                                                                     \
    N(CreatePort)                                                                                                      \
    N(CreateWaitablePort)                                                                                              \
    N(ImpersonateClientOfPort)                                                                                         \
    N(ListenPort)                                                                                                      \
    N(QueryInformationPort)                                                                                            \
    N(QueryPortInformationProcess)                                                                                     \
    N(ReadRequestData)                                                                                                 \
    N(RegisterThreadTerminatePort)                                                                                     \
    N(ReplyPort)                                                                                                       \
    N(ReplyWaitReceivePort)                                                                                            \
    N(ReplyWaitReceivePortEx)                                                                                          \
    N(ReplyWaitReplyPort)                                                                                              \
    N(RequestPort)                                                                                                     \
    N(RequestWaitReplyPort)                                                                                            \
    N(SecureConnectPort)                                                                                               \
    N(SetDefaultHardErrorPort)                                                                                         \
    N(WriteRequestData)

#define HELPERS(N)                                                                                                     \
    N(AlpcAdjustCompletionListConcurrencyCount)                                                                        \
    N(AlpcFreeCompletionListMessage)                                                                                   \
    N(AlpcGetCompletionListLastMessageInformation)                                                                     \
    N(AlpcGetCompletionListMessageAttributes)                                                                          \
    N(AlpcGetHeaderSize)                                                                                               \
    N(AlpcGetMessageAttribute)                                                                                         \
    N(AlpcGetMessageFromCompletionList)                                                                                \
    N(AlpcGetOutstandingCompletionListMessageCount)                                                                    \
    N(AlpcInitializeMessageAttribute)                                                                                  \
    N(AlpcMaxAllowedMessageLength)                                                                                     \
    N(AlpcRegisterCompletionList)                                                                                      \
    N(AlpcRegisterCompletionListWorkerThread)                                                                          \
    N(AlpcRundownCompletionList)                                                                                       \
    N(AlpcUnregisterCompletionList)                                                                                    \
    N(AlpcUnregisterCompletionListWorkerThread)

#define POOL(N)                                                                                                        \
    N(TpAllocAlpcCompletion)                                                                                           \
    N(TpAllocAlpcCompletionEx)                                                                                         \
    N(TpAlpcRegisterCompletionList)                                                                                    \
    N(TpAlpcUnregisterCompletionList)                                                                                  \
    N(TpCallbackSendAlpcMessageOnCompletion)                                                                           \
    N(TpCallbackSendPendingAlpcMessage)                                                                                \
    N(TpReleaseAlpcCompletion)                                                                                         \
    N(TpWaitForAlpcCompletion)

/* the slot in this program's import table, whatever the function's prototype */
#ifdef __x86_64__
#define SLOT(name) __asm__("__imp_" name)
#else
#define SLOT(name)
#endif
#define DECLARE(name) extern void *const import_##name SLOT(#name);
#define DECLARE_BOTH(name) DECLARE(Nt##name) DECLARE(Zw##name)
ALPC_CALLS(DECLARE_BOTH)
LPC_CALLS(DECLARE_BOTH)
HELPERS(DECLARE)
POOL(DECLARE)

struct name
{
    const char *name, *section;
    void *const *import;
};

#define NAME(name, section) { #name, section, &import_##name },
#define ALPC_NAME(name) NAME(Nt##name, "1.1") NAME(Zw##name, "1.1")
#define LPC_NAME(name) NAME(Nt##name, "1.6") NAME(Zw##name, "1.6")
#define HELPER_NAME(name) NAME(name, "1.4")
#define POOL_NAME(name) NAME(name, "1.5")

static const struct name names[] = { ALPC_CALLS(ALPC_NAME) LPC_CALLS(LPC_NAME) HELPERS(HELPER_NAME) POOL(POOL_NAME) };

static unsigned int count_section(const char *section)
{
    unsigned int i, count = 0;

    for (i = 0; i < ARRAY_SIZE(names); i++)
        count += !strcmp(names[i].section, section);
    return count;
}

static void test_names(void)
{
    HMODULE ntdll = GetModuleHandleA("ntdll.dll");
    unsigned int i;

    /* the numbers that the reference gives, so that none is forgotten here */
    ok(count_section("1.1") == 2 * 23, "[1.1] %u names\n", count_section("1.1"));
    ok(count_section("1.4") == 15, "[1.4] %u names\n", count_section("1.4"));
    ok(count_section("1.5") == 8, "[1.5] %u names\n", count_section("1.5"));
    /* 18, and two that lpc.md adds */
    ok(count_section("1.6") == 2 * 20, "[1.6] %u names\n", count_section("1.6"));
    for (i = 0; i < ARRAY_SIZE(names); i++)
    {
        void *address = (void *)GetProcAddress(ntdll, names[i].name);

        ok(address != NULL, "[%s] %s is not exported\n", names[i].section, names[i].name);
        ok(*names[i].import == address, "[%s] %s is imported as %p instead of %p\n", names[i].section, names[i].name,
           *names[i].import, address);
    }
}

/* both names are one function */
static void test_twins(void)
{
    HMODULE ntdll = GetModuleHandleA("ntdll.dll");
    unsigned int i;
    char zw[80];

    for (i = 0; i < ARRAY_SIZE(names); i++)
    {
        if (strncmp(names[i].name, "Nt", 2))
            continue;
        snprintf(zw, sizeof(zw), "Zw%s", names[i].name + 2);
        ok(GetProcAddress(ntdll, zw) == GetProcAddress(ntdll, names[i].name), "[%s] %s\n", names[i].section, zw);
    }
}

/* ---------------------------------------------------------------------------------------------- not there yet */

/*
 * What is missing says so and clears its outputs.  When a call comes into being its rows go from here to the tests of
 * its own.
 */
static struct outputs
{
    HANDLE handle, handle2;
    SIZE_T size;
    ULONG ulong, ulong2;
    PTP_ALPC alpc;
    PVOID context;
    PALPC_MESSAGE_ATTRIBUTES attributes;
    PORT_MESSAGE message;
    BYTE bytes[16];
} out;

static BOOL is_clear(const void *memory, SIZE_T size)
{
    const BYTE *byte = memory;

    while (size && !*byte)
        size--, byte++;
    return !size;
}

#define CHECK(call, ...)                                                                                               \
    do                                                                                                                 \
    {                                                                                                                  \
        NTSTATUS status;                                                                                               \
                                                                                                                       \
        memset(&out, 0xcc, sizeof(out));                                                                               \
        status = call;                                                                                                 \
        ok(status == STATUS_NOT_IMPLEMENTED, "%s: %#lx\n", #call, status);                                             \
        check_outputs(#call, (const struct output[]){ __VA_ARGS__{ NULL, 0 } });                                       \
    } while (0)
#define OUTPUT(field) { &out.field, sizeof(out.field) },

struct output
{
    const void *memory;
    SIZE_T size;
};

static void check_outputs(const char *call, const struct output *output)
{
    for (; output->memory; output++)
        ok(is_clear(output->memory, output->size), "%s: an output is not cleared\n", call);
}

static void test_missing_calls(void)
{
    HANDLE port = NULL;

    CHECK(NtAlpcSetInformation(port, AlpcPortInformation, NULL, 0), );
    CHECK(NtAlpcQueryInformationMessage(port, &out.message, AlpcMessageTokenModifiedIdInformation, out.bytes, 8,
                                        &out.ulong),
          { out.bytes, 8 }, OUTPUT(ulong));
    CHECK(NtAlpcCreatePortSection(port, 0, NULL, 0x1000, &out.handle, &out.size), OUTPUT(handle) OUTPUT(size));
    CHECK(NtAlpcDeletePortSection(port, 0, NULL), );
    CHECK(NtAlpcCreateSectionView(port, 0, NULL), );
    CHECK(NtAlpcDeleteSectionView(port, 0, NULL), );
    CHECK(NtAlpcCreateResourceReserve(port, 0, 0x100, &out.ulong), OUTPUT(ulong));
    CHECK(NtAlpcDeleteResourceReserve(port, 0, 0), );
    CHECK(NtAlpcCreateSecurityContext(port, 0, NULL), );
    CHECK(NtAlpcDeleteSecurityContext(port, 0, NULL), );
    CHECK(NtAlpcRevokeSecurityContext(port, 0, NULL), );
    CHECK(NtAlpcImpersonateClientOfPort(port, NULL, 0), );
    CHECK(NtAlpcImpersonateClientContainerOfPort(port, NULL, 0), );
    CHECK(NtAlpcOpenSenderProcess(&out.handle, port, NULL, 0, 0, NULL), OUTPUT(handle));
    CHECK(NtAlpcOpenSenderThread(&out.handle, port, NULL, 0, 0, NULL), OUTPUT(handle));
    /* the outputs are the program's memory like any other */
    ok_status("1.2", NtAlpcOpenSenderProcess((HANDLE *)0x10, port, NULL, 0, 0, NULL), STATUS_ACCESS_VIOLATION);
}

static void test_missing_helpers(void)
{
    HANDLE port = NULL;
    BYTE list[0x300] = { 0 };

    CHECK(AlpcRegisterCompletionList(port, NULL, 0, 0, 0), );
    CHECK(AlpcUnregisterCompletionList(port), );
    CHECK(AlpcRundownCompletionList(port), );
    CHECK(AlpcAdjustCompletionListConcurrencyCount(port, 1), );
    CHECK(TpAllocAlpcCompletion(&out.alpc, port, NULL, NULL, NULL), OUTPUT(alpc));
    CHECK(TpAllocAlpcCompletionEx(&out.alpc, port, NULL, NULL, NULL), OUTPUT(alpc));
    CHECK(TpAlpcRegisterCompletionList(NULL), );
    CHECK(TpAlpcUnregisterCompletionList(NULL), );
    CHECK(TpCallbackSendAlpcMessageOnCompletion(NULL, port, 0, NULL), );
    CHECK(TpCallbackSendPendingAlpcMessage(NULL), );
    TpReleaseAlpcCompletion(NULL);
    TpWaitForAlpcCompletion(NULL);
    ok(!AlpcRegisterCompletionListWorkerThread(list), "a worker was registered\n");
    ok(!AlpcUnregisterCompletionListWorkerThread(list), "a worker was unregistered\n");
    ok(!AlpcGetOutstandingCompletionListMessageCount(list), "messages are outstanding\n");
    memset(&out, 0xcc, sizeof(out));
    AlpcGetCompletionListLastMessageInformation(list, &out.ulong, &out.ulong2);
    ok(!out.ulong && !out.ulong2, "the last message is %#lx, %#lx\n", out.ulong, out.ulong2);
    ok(!AlpcGetMessageFromCompletionList(list, &out.attributes) && !out.attributes, "there is a message\n");
    AlpcFreeCompletionListMessage(list, &out.message);
    ok(!AlpcGetCompletionListMessageAttributes(list, &out.message), "there are attributes\n");
}

#ifndef __WINE_WINTERNL_H
static void test_missing_lpc(void)
{
    HANDLE port = NULL;

    CHECK(NtCreatePort(&out.handle, NULL, 0, 0, 0), OUTPUT(handle));
    CHECK(NtCreateWaitablePort(&out.handle, NULL, 0, 0, 0), OUTPUT(handle));
    CHECK(NtConnectPort(&out.handle, NULL, NULL, NULL, NULL, &out.ulong, NULL, NULL), OUTPUT(handle) OUTPUT(ulong));
    CHECK(NtSecureConnectPort(&out.handle, NULL, NULL, NULL, NULL, NULL, &out.ulong, NULL, NULL),
          OUTPUT(handle) OUTPUT(ulong));
    CHECK(NtListenPort(port, &out.message), OUTPUT(message));
    CHECK(NtAcceptConnectPort(&out.handle, NULL, NULL, TRUE, NULL, NULL), OUTPUT(handle));
    CHECK(NtCompleteConnectPort(port), );
    CHECK(NtRequestPort(port, NULL), );
    CHECK(NtRequestWaitReplyPort(port, NULL, &out.message), OUTPUT(message));
    CHECK(NtReplyPort(port, NULL), );
    CHECK(NtReplyWaitReplyPort(port, NULL), );
    CHECK(NtReplyWaitReceivePort(port, &out.context, NULL, &out.message), OUTPUT(context) OUTPUT(message));
    CHECK(NtReplyWaitReceivePortEx(port, &out.context, NULL, &out.message, NULL), OUTPUT(context) OUTPUT(message));
    CHECK(NtImpersonateClientOfPort(port, NULL), );
    CHECK(NtReadRequestData(port, NULL, 0, NULL, 0, &out.size), OUTPUT(size));
    CHECK(NtWriteRequestData(port, NULL, 0, NULL, 0, &out.size), OUTPUT(size));
    CHECK(NtQueryInformationPort(port, PortBasicInformation, out.bytes, 8, &out.ulong), { out.bytes, 8 },
          OUTPUT(ulong));
    CHECK(NtQueryPortInformationProcess(), );
    CHECK(NtRegisterThreadTerminatePort(port), );
    CHECK(NtSetDefaultHardErrorPort(port), );
}
#endif

START_TEST(exports)
{
    test_names();
    test_twins();
    test_missing_calls();
    test_missing_helpers();
#ifndef __WINE_WINTERNL_H
    test_missing_lpc();
#endif
}
