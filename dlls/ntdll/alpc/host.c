/*
 * The calling convention of the host's system calls
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "ntalpc/nt.h"

int host_is_unix_abi;

extern const char query_system_time[] __asm__("NtQuerySystemTime");

/*
 * Makes a call whose one argument, a pointer to what it fills in, stands in the first register of both conventions:
 * what has been filled in tells which of them it was.
 */
void host_init(void)
{
    int64_t unix_time = 0, windows_time = 0;
    void *unix_argument = &unix_time, *windows_argument = &windows_time;

    __asm__ volatile("movq %%rsp, %%r12\n\t"
                     "subq $160, %%rsp\n\t" /* past the red zone, with the room that Windows' convention wants */
                     "andq $-16, %%rsp\n\t"
                     "call *%[function]\n\t"
                     "movq %%r12, %%rsp"
                     : "+D"(unix_argument), "+c"(windows_argument)
                     : [function] "b"(query_system_time)
                     : "rax", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3",
                       "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                       "xmm15");
    host_is_unix_abi = unix_time != 0;
}
