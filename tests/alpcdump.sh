#!/bin/sh
# Tests alpcdump with a real alpcserver on a prefix of its own; needs no Wine.
#
# Usage: alpcdump.sh BUILD-FOLDER
#
# Copyright 2026 the ntalpc authors
# SPDX-License-Identifier: LGPL-2.1-or-later

set -eu

build=$(cd "${1:-.}" && pwd)
json_value=$build/native/tests/json_value
version=$(sed -n 's/^#define PROTOCOL_VERSION \([0-9]*\).*/\1/p' "$(dirname "$0")/../include/ntalpc/protocol.h")
work=$(mktemp -d)
export WINEPREFIX="$work"
server_dir=/tmp/.ntalpc-$(id -u)/$(printf 'server-%s-%x' "$(stat -c %D "$work")" "$(stat -c %i "$work")")

server=
ports=
watcher=
cleanup() {
    exec 9>&-
    for process in $watcher $ports $server; do
        kill -KILL "$process" 2>/dev/null || :
    done
    rm -rf "$work" "$server_dir"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

current=
begin() { current=$1; }
fail() { echo "alpcdump.sh: $current: $*" >&2; exit 1; }
same() { [ "$1" = "$2" ] || fail "expected '$2', got '$1'"; }

dump() { "$build/alpcdump" "$@" 9>&-; }
# refused TEXT OPTION...: exit code 1, one line on stderr that has TEXT in it, nothing on stdout
refused() {
    text=$1
    shift
    code=0
    dump "$@" >"$work/out" 2>"$work/err" || code=$?
    same "$code" 1
    same "$(wc -l <"$work/err")" 1
    [ ! -s "$work/out" ] || fail "unexpected output: $(cat "$work/out")"
    grep -q "^alpcdump: .*$text" "$work/err" || fail "expected '$text', got: $(cat "$work/err")"
}
# has LINE...: the text in out has each as a line, blanks counting as one
has() {
    sed 's/^ //; s/  */ /g' "$work/out" >"$work/lines"
    for line; do
        grep -qxF -e "$line" "$work/lines" || fail "no line '$line' in: $(cat "$work/out")"
    done
}
has_not() { ! grep -qF -e "$1" "$work/out" || fail "'$1' in: $(cat "$work/out")"; }
# value PATH...: values of the JSON text in out
value() { "$json_value" "$@" <"$work/out"; }
# shows VALUE PATH
shows() { same "$(value "$2")" "$1"; }

begin "usage"
dump --help | grep -q '^Usage: alpcdump' || fail "--help"
dump -h | grep -q '^Usage: alpcdump' || fail "-h"
dump --version | grep -q '^alpcdump (ntalpc) [0-9]' || fail "--version"
same "$(dump -v)" "$(dump --version)"
refused "unrecognized option" --unknown
refused "invalid option" -x
refused "requires an argument" --port
refused "unexpected argument" something
for interval in '' 0 0.05 -1 nan inf 1e9 2x; do
    refused "wants seconds" --watch="$interval"
done

# no_server: what is shown then
no_server() {
    same "$(dump)" "no alpcserver runs for this prefix"
    same "$(dump --messages --port='\example')" "no alpcserver runs for this prefix"
    dump --json >"$work/out"
    same "$(value server ports connections messages | tr '\n' ' ')" "null [] [] [] "
}
begin "no server"
# a prefix that has been removed may have had the same inode
rm -rf "$server_dir"
no_server
[ ! -e "$server_dir" ] || fail "it left something behind"
same "$(WINEPREFIX="$work/missing" dump)" "no alpcserver runs for this prefix"
code=0
env -u WINEPREFIX -u HOME "$build/alpcdump" >"$work/out" 2>"$work/err" || code=$?
same "$code $(wc -l <"$work/err")" "1 1"

begin "a server without ports"
"$build/alpcserver" --persistent 9>&-
server=$(dump --json | "$json_value" server/pid)
[ "$(readlink -f "/proc/$server/exe")" = "$(readlink -f "$build/alpcserver")" ] || fail "pid $server is no server"
same "$(dump)" "alpcserver $server, protocol $version: 0 ports, 0 connections, 0 messages"

mkfifo "$work/input"
"$build/native/tests/alpcdump_ports" <"$work/input" >"$work/state" &
ports=$!
exec 9>"$work/input"
tries=0
until grep -q ready "$work/state"; do
    kill -0 "$ports" 2>/dev/null || fail "alpcdump_ports ended"
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || fail "alpcdump_ports takes too long"
    sleep 0.05
done

begin "the text"
dump >"$work/out"
has "alpcserver $server, protocol $version: 9 ports, 4 connections, 5 messages" \
    '\RPC Control\example' \
    ' port 1, connection port, messages up to 512 bytes' \
    " owner server.exe, process 0020, Unix $ports" \
    ' flags ALLOW_IMPERSONATION ALLOW_LPC_REQUESTS WAITABLE_PORT' \
    ' security O:BAG:BUD:(A;;CC;;;WD)(A;;0x1f0001;;;BA)S:(ML;;NW;;;LW)' \
    ' connections 2' \
    ' connection 1: connected; slot 1, context 0x123456789abcdef0' \
    " client client.exe, process 0024, Unix $ports" \
    ' port 2, client communication port, messages up to 65535 bytes' \
    ' queue 0 messages, 1 receiver asleep' \
    ' port 3, server communication port, messages up to 65535 bytes' \
    ' messages 3' \
    ' connection 2: connecting; slot 2, context 0x0' \
    ' port none before the connection is accepted' \
    '(unnamed)' \
    '(refused, or the connection port has gone)' \
    ' connection 3: refused; slot 3, context 0x0' \
    ' port none, refused' \
    ' connection 4: connected, server gone; slot 1, context 0x0' 2>"$work/err" || fail "$(cat "$work/err")"
has_not LPC_DATAGRAM

begin "messages"
dump --messages >"$work/out"
grep -q '^ *[0-9a-f]\{8\} *1 LPC_DATAGRAM *24/64 0024:0028 *[0-9.]* s  queued for server$' "$work/out" || fail "queued"
grep -q '^ *[0-9a-f]\{8\} *2 LPC_REQUEST *24/64 0024:0028 .* held by server 0020:0030$' "$work/out" || fail "held"
grep -q '^ *[0-9a-f]\{8\} *3 LPC_REPLY *24/64 0020:0030 .* answer ready for client$' "$work/out" || fail "answer"
grep -q 'LPC_CONNECTION_REQUEST *8/48 0024:0028 .* queued for server$' "$work/out" || fail "connection request"

begin "the form"
awk 'length > 100 { exit 1 }' "$work/out" || fail "a line is too long: $(awk 'length > 100' "$work/out")"
! grep -q ' $' "$work/out" || fail "a line ends with a blank"
! LC_ALL=C grep -q '[[:cntrl:]]' "$work/out" || fail "control characters of a name"
grep -qF '\evil \x1b[31m é' "$work/out" || fail "the name with control characters"

begin "JSON"
dump --json >"$work/out"
shows "$server" server/pid
same "$(value ports/# connections/# messages/# | tr '\n' ' ')" "9 4 5 "
port='ports/name=\RPC Control\example'
shows 1 "$port/port"
shows 0 "$port/kind"
shows "connection port" "$port/kind_name"
shows "$ports" "$port/pid"
shows 32 "$port/process"
shows server.exe "$port/program"
shows $((0x70000)) "$port/flags"
shows '["ALPC_PORFLG_ALLOW_IMPERSONATION","ALPC_PORFLG_ALLOW_LPC_REQUESTS","ALPC_PORFLG_WAITABLE_PORT"]' \
    "$port/flag_names"
shows 'O:BAG:BUD:(A;;CC;;;WD)(A;;0x1f0001;;;BA)S:(ML;;NW;;;LW)' "$port/security"
shows "$(printf '\\evil \033[31m é')" ports/port=7/name
shows 1311768467463790320 connections/connection=1/port_context
shows '["connected"]' connections/connection=1/stage_names
shows '["connecting"]' connections/connection=2/stage_names
shows '["connected","server gone"]' connections/connection=4/stage_names
shows 0 connections/connection=4/server_port
shows "held by server" messages/type_name=LPC_REQUEST/phase_name
shows 11 messages/type_name=LPC_REQUEST/phase
shows '["sync"]' messages/type_name=LPC_REQUEST/flag_names
shows 48 messages/type_name=LPC_REQUEST/holder_thread
[ "$(value messages/type_name=LPC_REQUEST/age)" -gt 1000000000 ] || fail "age"

begin "one port"
dump --messages --port='\rpc control\EXAMPLE' >"$work/out"
has "alpcserver $server, protocol $version: 4 ports, 2 connections, 4 messages" '\RPC Control\example'
has_not unnamed
has_not "has gone"
dump --json --port='\RPC Control\example' >"$work/out"
same "$(value ports/# connections/# messages/# | tr '\n' ' ')" "4 2 4 "
same "$(dump --port=example)" "no port has this name"
dump --json --port='\nothing' >"$work/out"
same "$(value ports connections messages | tr '\n' ' ')" "[] [] [] "

begin "nothing changes by being looked at"
steady() { dump --json | grep -v '"age"'; }
steady >"$work/before"
for i in 1 2 3 4 5 6 7 8 9 10; do
    { dump --json >"$work/concurrent.$i"; } &
    watcher="$watcher $!"
done
# shellcheck disable=SC2086 # a list
wait $watcher
watcher=
for i in 1 2 3 4 5 6 7 8 9 10; do
    same "$("$json_value" messages/# <"$work/concurrent.$i")" 5
done
steady >"$work/after"
cmp -s "$work/before" "$work/after" || fail "$(diff "$work/before" "$work/after")"

# watch_for OPTION...: a second of it, in out
watch_for() {
    "$build/alpcdump" --watch=0.2 "$@" >"$work/out" 9>&- &
    watcher=$!
    sleep 1.5
    kill "$watcher"
    wait "$watcher" 2>/dev/null || :
    watcher=
}
begin "watching"
watch_for
[ "$(grep -c "^alpcserver $server" "$work/out")" -ge 2 ] || fail "$(cat "$work/out")"
! grep -q "$(printf '\033')" "$work/out" || fail "no terminal, but control characters"
watch_for --json
[ "$(wc -l <"$work/out")" -ge 2 ] || fail "$(cat "$work/out")"
while read -r line; do
    same "$(printf '%s' "$line" | "$json_value" ports/#)" 9
done <"$work/out"

begin "a full disk"
code=0
dump --messages >/dev/full 2>"$work/err" || code=$?
same "$code $(cat "$work/err")" "1 alpcdump: No space left on device"
code=0
dump --json >/dev/full 2>"$work/err" || code=$?
same "$code $(cat "$work/err")" "1 alpcdump: No space left on device"

begin "a stopped server"
kill -STOP "$server"
begun=$(date +%s)
refused "does not answer"
took=$(($(date +%s) - begun))
kill -CONT "$server"
case $took in
    [4-7]) ;;
    *) fail "it took $took seconds" ;;
esac
same "$(dump --json | "$json_value" ports/#)" 9

begin "the programs end"
exec 9>&-
wait "$ports" || fail "alpcdump_ports failed"
ports=
same "$(dump)" "alpcserver $server, protocol $version: 0 ports, 0 connections, 0 messages"

begin "the server ends in order, and comes back when it is killed"
"$build/alpcserver" --kill
no_server
"$build/alpcserver" --persistent
server=$(dump --json | "$json_value" server/pid)
kill -KILL "$server"
while kill -0 "$server" 2>/dev/null; do sleep 0.05; done
next=$(dump --json | "$json_value" server/pid)
[ "$next" != "$server" ] || fail "the server that was killed is there"
server=
"$build/alpcserver" --kill
no_server

begin "a server is not kept"
"$build/alpcserver" --persistent=1
dump >"$work/out"
timeout 10 "$build/alpcserver" --wait || fail "it stays"
no_server

echo "alpcdump.sh: passed"
