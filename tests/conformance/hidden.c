/*
 * A process that others may not look into has ports like any other [alpc.md 4.2, 4.3]
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * wineserver opens a file of such a process through /proc only if it has CAP_SYS_PTRACE: tests/environment.sh takes
 * that from it.
 */

#include "objects.h"

#define SYS_PRCTL 157
#define PR_GET_DUMPABLE 3
#define PR_SET_DUMPABLE 4

/* a system call of the kernel below Wine */
static LONGLONG prctl(LONGLONG option, LONGLONG argument)
{
    LONGLONG result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((LONGLONG)SYS_PRCTL), "D"(option), "S"(argument)
                     : "rcx", "r11", "memory");
    return result;
}

static void test_hidden(void)
{
    const WCHAR *name = wcsdup(new_name());
    HANDLE port = create_named(NAMED(NULL, name, 0)), copy;
    struct ports ports;

    ok_status("4.2", port_status(port), STATUS_SUCCESS);
    ok(!wcscmp(name_of(port), name), "[4.2] the name is %ls\n", name_of(port));
    open_ports_on(&ports, port, name);
    ok_status("4.1", send_datagram(ports.client, 1), STATUS_SUCCESS);
    expect_type(port, "4.1", LPC_DATAGRAM);
    ok_status("4.1", send_datagram(ports.server, 2), STATUS_SUCCESS);
    expect_type(ports.client, "4.1", LPC_DATAGRAM);
    ok(DuplicateHandle(GetCurrentProcess(), port, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS),
       "cannot duplicate\n");
    close_ports(&ports);
    ok_status("4.2", try_connect_string(name), STATUS_SUCCESS);
    NtClose(copy);
    ok_status("4.2", try_connect_string(name), STATUS_OBJECT_NAME_NOT_FOUND);
    port = create_named(NAMED(NULL, name, 0));
    ok_status("4.2", port_status(port), STATUS_SUCCESS);
    NtClose(port);
}

START_TEST(hidden)
{
    if (strcmp(winetest_platform, "wine"))
    {
        skip("there is no kernel below\n");
        return;
    }
    ok(!prctl(PR_SET_DUMPABLE, 0) && !prctl(PR_GET_DUMPABLE, 0), "the process is not hidden\n");
    test_hidden();
    prctl(PR_SET_DUMPABLE, 1);
    test_hidden();
}
