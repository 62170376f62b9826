/*
 * Exceptions that a call raises
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GCC has no __try: the function runs in a thread, which a vectored handler ends where it faults.
 */

#include "fault.h"

struct guarded
{
    void (*function)(void *arg);
    void *arg;
    NTSTATUS code;
};

static DWORD guarded_thread;
static struct guarded *guarded;

static void __attribute__((noreturn)) leave_thread(void)
{
    ExitThread(0);
}

static LONG CALLBACK on_exception(EXCEPTION_POINTERS *exception)
{
    CONTEXT *context = exception->ContextRecord;

    if (GetCurrentThreadId() != guarded_thread)
        return EXCEPTION_CONTINUE_SEARCH;
    guarded->code = (NTSTATUS)exception->ExceptionRecord->ExceptionCode;
    /* as if it had been called */
#ifdef __x86_64__
    context->Rsp = (context->Rsp & ~(DWORD64)15) - 8;
    context->Rip = (DWORD64)leave_thread;
#else
    context->Esp = (context->Esp & ~15u) - 4;
    context->Eip = (DWORD)leave_thread;
#endif
    return EXCEPTION_CONTINUE_EXECUTION;
}

static DWORD WINAPI run_guarded(void *arg)
{
    guarded = arg;
    guarded_thread = GetCurrentThreadId();
    guarded->function(guarded->arg);
    guarded_thread = 0;
    return 0;
}

NTSTATUS fault_of(void (*function)(void *arg), void *arg)
{
    struct guarded run = { .function = function, .arg = arg, .code = STATUS_SUCCESS };
    void *handler = AddVectoredExceptionHandler(TRUE, on_exception);
    HANDLE thread = CreateThread(NULL, 0, run_guarded, &run, 0, NULL);

    ok(!WaitForSingleObject(thread, HANG), "the guarded function has not come back\n");
    CloseHandle(thread);
    guarded_thread = 0;
    RemoveVectoredExceptionHandler(handler);
    return run.code;
}
