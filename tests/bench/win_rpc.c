/*
 * Benchmark: a call through Wine's ncalrpc, with stubs written by hand
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "win.h"

#include <rpc.h>
#include <rpcdcep.h>
#include <string.h>

#define BENCH_INTERFACE                                                                                                \
    {                                                                                                                  \
        { 0x8a2f0e51, 0x6c1d, 0x4b6e, { 0x9d, 0x31, 0x5b, 0x0c, 0x7e, 0x42, 0x1a, 0x93 } },                            \
        {                                                                                                              \
            1, 0                                                                                                       \
        }                                                                                                              \
    }
/* NDR 2.0 */
#define TRANSFER_SYNTAX                                                                                                \
    {                                                                                                                  \
        { 0x8a885d04, 0x1ceb, 0x11c9, { 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60 } },                            \
        {                                                                                                              \
            2, 0                                                                                                       \
        }                                                                                                              \
    }
#define LITTLE_ENDIAN_DATA 0x10

static _Alignas(4096) char server_buffer[BENCH_BUFFER], buffer[BENCH_BUFFER];

/* the server's stub: takes the data, gives as much back */
static void __RPC_STUB echo(PRPC_MESSAGE message)
{
    unsigned int size = message->BufferLength < BENCH_BUFFER ? message->BufferLength : BENCH_BUFFER;

    memcpy(server_buffer, message->Buffer, size);
    message->BufferLength = size;
    require(I_RpcGetBuffer(message) == RPC_S_OK, "I_RpcGetBuffer");
    memcpy(message->Buffer, server_buffer, size);
}

static RPC_DISPATCH_FUNCTION functions[] = { echo, NULL };
static RPC_DISPATCH_TABLE dispatch = { 1, functions, 0 };
static RPC_SERVER_INTERFACE server_interface = { .Length = sizeof(RPC_SERVER_INTERFACE),
                                                 .InterfaceId = BENCH_INTERFACE,
                                                 .TransferSyntax = TRANSFER_SYNTAX,
                                                 .DispatchTable = &dispatch };
static RPC_CLIENT_INTERFACE client_interface = { .Length = sizeof(RPC_CLIENT_INTERFACE),
                                                 .InterfaceId = BENCH_INTERFACE,
                                                 .TransferSyntax = TRANSFER_SYNTAX };

void serve_rpc(void)
{
    require(RpcServerUseProtseqEpA((RPC_CSTR) "ncalrpc", 10, (RPC_CSTR)named("bench-"), NULL) == RPC_S_OK,
            "RpcServerUseProtseqEp");
    require(RpcServerRegisterIf(&server_interface, NULL, NULL) == RPC_S_OK, "RpcServerRegisterIf");
    require(RpcServerListen(1, 10, TRUE) == RPC_S_OK, "RpcServerListen");
    serving();
    RpcMgmtWaitServerListen();
}

static RPC_BINDING_HANDLE own_binding(void)
{
    static RPC_BINDING_HANDLE binding;
    RPC_CSTR text;

    if (binding)
        return binding;
    require(RpcStringBindingComposeA(NULL, (RPC_CSTR) "ncalrpc", NULL, (RPC_CSTR)named("bench-"), NULL, &text) ==
                    RPC_S_OK &&
                RpcBindingFromStringBindingA(text, &binding) == RPC_S_OK,
            "RpcBindingFromStringBinding");
    return binding;
}

void call_rpc(unsigned int size, unsigned int count)
{
    RPC_BINDING_HANDLE binding = own_binding();

    while (count--)
    {
        RPC_MESSAGE message = { .Handle = binding,
                                .DataRepresentation = LITTLE_ENDIAN_DATA,
                                .BufferLength = size,
                                .RpcInterfaceInformation = &client_interface };

        require(I_RpcGetBuffer(&message) == RPC_S_OK, "I_RpcGetBuffer");
        memcpy(message.Buffer, buffer, size);
        require(I_RpcSendReceive(&message) == RPC_S_OK && message.BufferLength == size, "I_RpcSendReceive");
        memcpy(buffer, message.Buffer, size);
        I_RpcFreeBuffer(&message);
    }
}
