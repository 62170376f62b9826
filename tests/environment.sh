#!/bin/sh
# Ports where the system makes it hard: wineserver cannot look into a process, alpcserver cannot be started.
#
# Usage: environment.sh BUILD-FOLDER
#
# Copyright 2026 the ntalpc authors
# SPDX-License-Identifier: LGPL-2.1-or-later

set -eu

build=$(cd "${1:-.}" && pwd)
work=$(mktemp -d)
export WINEPREFIX="$work/prefix" NTALPC_OVERLAY="${NTALPC_OVERLAY:-$build/overlay}" WINEDEBUG=-all
wineserver=$(dirname "$(find "$("$build/alpc-wine" --print-overlay)" -name wineserver | head -n 1)")/wineserver

cleanup() {
    "$wineserver" -k 2>/dev/null || :
    NTALPCSERVER="$build/alpcserver" "$build/alpcserver" -k >/dev/null 2>&1 || :
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

fail() { echo "environment.sh: $*" >&2; sed 's/^/    /' "$work/log" >&2; exit 1; }

# run NAME COMMAND...: a group of the conformance tests, begun with a command
run() {
    name=$1
    shift
    "$@" timeout 120 "$build/alpc-wine" alpc_test.exe "$name" </dev/null >"$work/log" 2>&1
}

# a wineserver that is the same for all, and may not look into hidden processes
restart() {
    "$wineserver" -k 2>/dev/null || :
    "$@" "$build/alpc-wine" wineboot.exe </dev/null >/dev/null 2>&1
    "$@" "$wineserver" -p 2>/dev/null || :
}

cp -a "$build/prefix" "$work/prefix"
cd "$build"

# alpcserver does not start: calls fail, but none waits for long, and each process says why just once
export NTALPCSERVER=/bin/false
begun=$(date +%s)
if run create env; then fail "ports without alpcserver"; fi
[ $(($(date +%s) - begun)) -lt 60 ] || fail "calls wait for an alpcserver that does not start"
grep -q "tests executed" "$work/log" || fail "the test has not come to its end"
[ "$(grep -c "ntalpc: /bin/false does not start: exit status 1" "$work/log")" -ge 1 ] || fail "nobody says why"
[ "$(grep -c "ntalpc: " "$work/log")" -le 4 ] || fail "it is said again and again"

export NTALPCSERVER="$build/alpcserver"
if ! command -v capsh >/dev/null || ! capsh --drop=cap_sys_ptrace -- -c true 2>/dev/null; then
    echo "capabilities cannot be dropped here"
    exit 77
fi
restart capsh --drop=cap_sys_ptrace -- -c 'exec "$@"' sh
run hidden env || fail "a hidden process"

if ! unshare --pid --fork true 2>/dev/null; then
    echo "there are no namespaces here"
    exit 77
fi
for group in create connect accept; do
    run $group unshare --pid --fork || fail "$group in another PID namespace"
done
