/*
 * A Windows program for overlay.sh: looks at its ntdll as the loader presents it.
 *
 * Every export must be found by its name and by its ordinal, at the same address; the added ones are there; a replaced
 * one is not the host's any more, works, and the host's is still reachable.  Prints "good" and ends with 37, if started
 * with the arguments "a  b" and "".
 *
 * Copyright 2026 the ntalpc authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include <stdio.h>
#include <string.h>
#include <windows.h>

static int failures;

static void expect(int good, const char *what, const char *name)
{
    if (good)
        return;
    printf("%s: %s\n", name, what);
    failures++;
}

static void check_exports(HMODULE ntdll)
{
    const char *base = (const char *)ntdll;
    const IMAGE_NT_HEADERS64 *nt = (const void *)(base + ((const IMAGE_DOS_HEADER *)ntdll)->e_lfanew);
    const IMAGE_EXPORT_DIRECTORY *exports =
        (const void *)(base + nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXPORT].VirtualAddress);
    const DWORD *names = (const void *)(base + exports->AddressOfNames);
    const WORD *indices = (const void *)(base + exports->AddressOfNameOrdinals);

    for (DWORD i = 0; i < exports->NumberOfNames; i++)
    {
        const char *name = base + names[i];
        FARPROC function = GetProcAddress(ntdll, name);

        expect(function != NULL, "not found", name);
        expect(function == GetProcAddress(ntdll, (const char *)(ULONG_PTR)(exports->Base + indices[i])),
               "its ordinal leads elsewhere", name);
    }
    printf("%lu exports\n", exports->NumberOfNames);
}

static int is_inside(FARPROC function, const char *module)
{
    HMODULE found;

    return GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                              (const char *)(ULONG_PTR)function, &found) &&
           found == GetModuleHandleA(module);
}

int main(int argc, char *argv[])
{
    HMODULE ntdll = GetModuleHandleA("ntdll.dll");
    HANDLE event = CreateEventA(NULL, FALSE, FALSE, NULL), copy = NULL;

    check_exports(ntdll);
    expect(is_inside(GetProcAddress(ntdll, "NtAlpcCreatePort"), "ntalpc.dll16"), "not ours", "NtAlpcCreatePort");
    expect(is_inside(GetProcAddress(ntdll, "NtClose"), "ntalpc.dll16"), "not ours", "NtClose");
    expect(is_inside(GetProcAddress(ntdll, "__wine_host_NtClose"), "ntdll.dll"), "not the host's", "NtClose");
    expect(is_inside(GetProcAddress(ntdll, "NtCreateEvent"), "ntdll.dll"), "not the host's", "NtCreateEvent");

    expect(DuplicateHandle(GetCurrentProcess(), event, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS),
           "failed", "DuplicateHandle");
    expect(CloseHandle(copy), "failed", "CloseHandle");
    expect(!CloseHandle(copy) && GetLastError() == ERROR_INVALID_HANDLE, "closed twice", "CloseHandle");
    expect(CloseHandle(event), "failed", "CloseHandle");
    expect(argc == 3 && !strcmp(argv[1], "a  b") && !argv[2][0], "wrong arguments", argv[0]);
    if (failures)
        return 1;
    puts("good");
    return 37;
}
