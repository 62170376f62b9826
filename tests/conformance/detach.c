/*
 * A DLL that calls the program back when the process detaches it [alpc.md 4.7]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Wine does not tell a program itself of the end, by a TLS callback, as Windows does.
 */

#include <windows.h>

static void (*callback)(void);

__declspec(dllexport) void call_at_detach(void (*function)(void));

void call_at_detach(void (*function)(void))
{
    callback = function;
}

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *process_ends);

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *process_ends)
{
    (void)module;
    if (reason == DLL_PROCESS_DETACH && process_ends && callback)
        callback();
    return TRUE;
}
