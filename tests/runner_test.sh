#!/bin/sh
# Tests the test runner: commands of which it is known how they must be judged.
#
# Usage: runner_test.sh BUILD-FOLDER
#
# Copyright 2026 the ntalpc authors
# SPDX-License-Identifier: LGPL-2.1-or-later

set -eu

build=$(cd "${1:-.}" && pwd)
work=$(mktemp -d)
leaver=
cleanup() {
    [ -z "$leaver" ] || kill "$leaver" 2>/dev/null || :
    "$build/alpcserver" -k 2>/dev/null || :
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# a prefix in which there is no Wine
mkdir "$work/prefix"
export WINEPREFIX="$work/prefix" NTALPCSERVER="$build/alpcserver"

# what it starts can be told from what others run
id=$$

current=
fail() { echo "runner_test.sh: $current: $*" >&2; sed 's/^/    /' "$work/out" >&2; exit 1; }

# run CODE ARGUMENT...: the runner's exit code
run() {
    wanted=$1
    shift
    code=0
    "$build/runner" --grace=1 "$@" >"$work/out" 2>&1 </dev/null || code=$?
    [ "$code" = "$wanted" ] || fail "exit code $code instead of $wanted"
}
# says PATTERN: a whole line of its output
says() { grep -Eqx "$1" "$work/out" || fail "no line '$1'"; }
last() { [ "$(tail -n 1 "$work/out")" = "$1" ] || fail "the last line is not '$1'"; }

time='\([0-9]+\.[0-9] s\)'

current=passing
run 0 'good: echo not to be seen'
says "ok      good $time"
last '1 passed, 0 failed, 0 skipped'
! grep -q 'not to be seen' "$work/out" || fail "output of a test that passed"

current=failing
run 1 'bad: echo to be seen; exit 3'
says "FAILED  bad $time: exit code 3"
says 'to be seen'
last '0 passed, 1 failed, 0 skipped'

current='not there'
run 1 "$work/nothing"
says "FAILED  $work/nothing $time: exit code 127"

current=skipped
run 0 'none: exit 77'
says "skipped none $time"
last '0 passed, 0 failed, 1 skipped'

current=crashing
run 1 "crash: kill -SEGV \$\$"
says "FAILED  crash $time: ended by signal 11 .*"

current=hanging
run 1 --timeout=0.5 "hang: echo before; sleep 1000.$id" 'after: true'
says "FAILED  hang $time: timeout after 0.5 s"
says 'before'
says "ok      after $time"
last '1 passed, 1 failed, 0 skipped'
! pgrep -f "sleep 1000.$id\$" >/dev/null || fail "the child is still there"

current='ignores every signal that can be ignored'
run 1 --timeout=0.5 "hang: trap '' HUP INT TERM; sleep 1001.$id & wait; sleep 1001.$id"
says "FAILED  hang $time: timeout after 0.5 s"
! pgrep -f "sleep 1001.$id\$" >/dev/null || fail "the child is still there"

current='leaves a process of its group'
run 1 "leave: sleep 1002.$id &"
says "FAILED  leave $time: left processes: [0-9]+ \(sleep 1002.$id\)"
! pgrep -f "sleep 1002.$id\$" >/dev/null || fail "it is still there"

current='leaves a process of another session'
run 1 "leave: setsid sleep 1003.$id &"
says "FAILED  leave $time: left processes: [0-9]+ \(sleep 1003.$id\)"
! pgrep -f "sleep 1003.$id\$" >/dev/null || fail "it is still there"

current='leaves a process without any trace'
run 1 "leave: env -i setsid -f sleep 1004.$id" 'next: true'
says "FAILED  leave $time: left processes: [0-9]+ \(sleep 1004.$id\)"
says "ok      next $time"
! pgrep -f "sleep 1004.$id\$" >/dev/null || fail "it is still there"

current='leaves a process that ends soon'
run 0 'slow: sleep 0.3 &'
last '1 passed, 0 failed, 0 skipped'

# ---------------------------------------------------------------------------------------------- alpcserver

mkfifo "$work/fifo" "$work/fifo.done"
"$build/leaver" "$work/fifo" &
leaver=$!
# the tests tell the leaver, which is none of their processes, what to do
cat >"$work/tell" <<END
echo "\$1" >'$work/fifo' && read -r line <'$work/fifo.done'
END

current='leaves a port'
run 1 "leave: sh '$work/tell' port" 'next: true' "drop: sh '$work/tell' drop"
says "FAILED  leave $time: left in alpcserver: connection port '' of leaver, .*descriptors instead of .*"
says "ok      next $time"
says "ok      drop $time"
last '2 passed, 1 failed, 0 skipped'

current='leaves a descriptor'
run 1 "leave: sh '$work/tell' link"
says "FAILED  leave $time: left in alpcserver: [0-9]+ descriptors instead of [0-9]+"
run 0 "drop: sh '$work/tell' drop"

current='leaves a port, which nobody wants to know'
run 0 --no-server "leave: sh '$work/tell' port" "drop: sh '$work/tell' drop"

current='ends alpcserver'
run 1 "kill: '$build/alpcserver' -k" 'next: true'
says "FAILED  kill $time: alpcserver has gone"
says "ok      next $time"
sh "$work/tell" end
wait "$leaver"
leaver=

# ---------------------------------------------------------------------------------------------- winetest

# what a winetest program looks like from outside
cat >"$work/winetest" <<'END'
summary() { printf '0020:%s: %s tests executed (%s marked as todo, %s %s), %s skipped.\r\n' "$@"; }
case $1 in
--list) printf 'wine: made a prefix\ngood\r\nbad\nnothing\nquiet\nchild\nearly\n' ;;
good) summary good 12 1 0 failures 1 ;;
bad) echo 'x.c:1: Test failed: this'; summary bad 12 0 1 failure 0; exit 1 ;;
nothing) summary nothing 0 0 0 failures 2 ;;
quiet) summary quiet 0 0 0 failures 0 ;;
child) summary child 3 0 2 failures 0; summary child 3 0 0 failures 0 ;;
early) echo 'x.c:2: something'; exit 0 ;;
esac
END
current='winetest'
run 1 --winetest="sh '$work/winetest'" 'native: true'
says "ok      good $time"
says "FAILED  bad $time: exit code 1; 1 failure"
says 'x.c:1: Test failed: this'
says "skipped nothing $time"
says "ok      quiet $time"
says "FAILED  child $time: 2 failures"
says "FAILED  early $time: no summary line"
says "ok      native $time"
last '3 passed, 3 failed, 1 skipped'

current='only some'
run 0 --only='n*' --winetest="sh '$work/winetest'" 'native: true' 'other: false'
last '1 passed, 0 failed, 1 skipped'

current='list'
run 0 --list --winetest="sh '$work/winetest'" 'native: true'
last native

current='file'
printf '# a comment\n\none: true\ntwo: exit 77\n' >"$work/list"
run 0 --file="$work/list" 'three: true'
last '2 passed, 0 failed, 1 skipped'

current='no tests'
run 1
last '0 passed, 0 failed, 0 skipped'

# ---------------------------------------------------------------------------------------------- the keeper

current='keeper'
run 0 --keep="sleep 1005.$id & cat >/dev/null; touch '$work/ended'" "one: pgrep -f '[s]leep 1005.$id'"
[ -f "$work/ended" ] || fail "it has not ended by itself"
! pgrep -f "sleep 1005.$id\$" >/dev/null || fail "its child is still there"

current='output'
run 1 --output="$work/output" 'a/b: echo text; exit 1'
[ "$(cat "$work/output/a_b")" = text ] || fail "the output is not kept"

current='interrupted'
"$build/runner" --no-server --grace=1 "long: sleep 1006.$id" 'next: true' >"$work/out" 2>&1 &
runner=$!
while ! pgrep -f "sleep 1006.$id\$" >/dev/null; do sleep 0.05; done
kill "$runner"
code=0
wait "$runner" || code=$?
[ "$code" = 1 ] || fail "exit code $code"
says "FAILED  long $time: interrupted"
last '0 passed, 1 failed, 0 skipped'
! pgrep -f "sleep 1006.$id\$" >/dev/null || fail "the test is still there"
