#!/bin/sh
# Tests alpc-wine: how it finds Wine, builds and renews the overlay, and starts the program.
#
# Usage: overlay.sh BUILD-FOLDER
#
# Most of it needs no Wine: a made-up tree stands for it whose loader is a copy of the shell, so that "the program" is a
# script that tells what it sees.  The ntdll.dll in it is the one that configure found.
#
# Copyright 2026 the ntalpc authors
# SPDX-License-Identifier: LGPL-2.1-or-later

set -eu

build=$(cd "${1:-.}" && pwd)
host_dir=$(sed -n 's/^WINE_UNIX_DIR = //p' "$build/Makefile")
host_ntdll=${host_dir%/*}/x86_64-windows/ntdll.dll
[ -f "$host_ntdll" ] || { echo "overlay.sh: skipped, no $host_ntdll"; exit 77; }

work=$(mktemp -d)
children=
cleanup() {
    # shellcheck disable=SC2086 # a list
    [ -z "$children" ] || kill $children 2>/dev/null || :
    chmod -R u+w "$work" 2>/dev/null || :
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

unset NTALPC_OVERLAY NTALPC_WINE NTALPCSERVER XDG_CACHE_HOME WINELOADER
export HOME="$work/home"
mkdir "$HOME"

current=
nothing= # so that no line of this file ends with a blank
begin() { current=$1; }
fail() { echo "overlay.sh: $current: $*" >&2; exit 1; }
same() { [ "$1" = "$2" ] || fail "expected '$2', got '$1'"; }
# holds TEXT TEST...: the test, as of test(1), is true
holds() {
    complaint=$1
    shift
    [ "$@" ] || fail "$complaint"
}

# refused TEXT COMMAND...: exit code 1, one line on stderr that has TEXT in it, nothing on stdout
refused() {
    text=$1
    shift
    code=0
    "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
    same "$code" 1
    same "$(wc -l <"$work/err")" 1
    [ ! -s "$work/out" ] || fail "unexpected output: $(cat "$work/out")"
    grep -q "^alpc-wine: .*$text" "$work/err" || fail "expected '$text', got: $(cat "$work/err")"
}

# no overlay and no part of one in that cache
nothing_in() {
    [ ! -d "$1" ] || same "$(find "$1" -mindepth 1 ! -name .lock)" ""
}

# where alpc-wine and what belongs to it are "built"
mkdir "$work/bin"
cp "$build/alpc-wine" "$work/bin/"
"$build/mkntdll" "$host_ntdll" "$work/bin/ntalpc.dll16" # any marked DLL will do
echo so >"$work/bin/ntalpc.so"
alpc_wine=$work/bin/alpc-wine
shell=$(readlink -f /bin/sh)

# tree ROOT LOADER DLL-FOLDER: a made-up Wine
tree() {
    mkdir -p "$1/${2%/*}" "$1/$3/x86_64-unix" "$1/$3/x86_64-windows" "$1/share/wine/nls" "$1/bin"
    cp "$shell" "$1/$2"
    cp "$shell" "$1/$2-preloader.static"
    ln -s "${2##*/}-preloader.static" "$1/$2-preloader"
    echo unix >"$1/$3/x86_64-unix/ntdll.so"
    echo other >"$1/$3/x86_64-unix/other.so"
    ln -s "$host_ntdll" "$1/$3/x86_64-windows/ntdll.dll"
    echo kernel >"$1/$3/x86_64-windows/kernel32.dll"
    mkdir "$1/$3/i386-windows"
    echo server >"$1/${2%/*}/wineserver"
    echo unrelated >"$1/${2%/*}/unrelated"
}

cat >"$work/program" <<'END'
echo "exe $(readlink /proc/$$/exe)"
echo "loader $WINELOADER"
echo "server $NTALPCSERVER"
echo "files $(ulimit -n) $(ulimit -Hn)"
for argument in "$@"; do echo "argument $argument"; done
while read -r line; do echo "input $line"; done
echo "to stderr" >&2
exit 37
END

wine=$work/debian
tree "$wine" lib/wine/wine64 lib/x86_64-linux-gnu/wine
cache=$work/cache
export NTALPC_OVERLAY="$cache" NTALPC_WINE="$wine"

begin "a program gets its arguments, streams and exit code"
code=0
echo hello | "$alpc_wine" "$work/program" --help 'a  b' '' '*' >"$work/out" 2>"$work/err" || code=$?
same "$code" 37
overlay=$("$alpc_wine" --print-overlay)
same "$(cat "$work/err")" "to stderr"
same "$(grep -v '^files\|^server' "$work/out")" "exe $overlay/lib/wine/wine64
loader $overlay/lib/wine/wine64
argument --help
argument a  b
argument $nothing
argument *
input hello"
same "$(sed -n 's/^files \([0-9]*\) .*/\1/p' "$work/out")" "$(sed -n 's/^files [0-9]* //p' "$work/out")"

begin "a signal ends the program itself"
code=0
# shellcheck disable=SC2016 # for the program
echo 'kill -TERM $$' >"$work/suicide"
# shellcheck disable=SC2016 # a shell in between tells of the signal, not this one
sh -c '"$0" "$1" || exit $?' "$alpc_wine" "$work/suicide" 2>/dev/null || code=$?
same "$code" 143

begin "alpcserver beside alpc-wine, or the user's"
touch "$work/bin/alpcserver"
"$alpc_wine" "$work/program" </dev/null 2>/dev/null | grep -q "^server $work/bin/alpcserver$" || fail "not found"
NTALPCSERVER=/mine "$alpc_wine" "$work/program" </dev/null 2>/dev/null | grep -q "^server /mine$" || fail "not kept"

begin "what the overlay looks like"
dlls=$overlay/lib/x86_64-linux-gnu/wine
same "$(readlink "$overlay/share/wine")" "$wine/share/wine"
for file in "$overlay/lib/wine/wine64" "$overlay/lib/wine/wine64-preloader" "$dlls/x86_64-unix/ntdll.so" \
            "$dlls/x86_64-unix/ntalpc.so" "$dlls/x86_64-windows/ntdll.dll" "$dlls/x86_64-windows/ntalpc.dll16"; do
    holds "$file is missing" -f "$file"
    holds "$file is no copy" ! -L "$file"
done
holds "the preloader cannot run" -x "$overlay/lib/wine/wine64-preloader"
for file in "$overlay/lib/wine/wineserver" "$dlls/x86_64-unix/other.so" "$dlls/x86_64-windows/kernel32.dll" \
            "$dlls/i386-windows"; do
    holds "$file is no link" -L "$file"
    holds "$file leads nowhere" -e "$file"
done
holds "an unrelated program is linked" ! -e "$overlay/lib/wine/unrelated"
cmp -s "$dlls/x86_64-windows/ntdll.dll" "$work/bin/ntalpc.dll16" || fail "ntdll.dll differs from mkntdll's"

begin "the second start changes nothing"
number=$(stat -c %i "$overlay")
find "$cache" -printf '%p %T@ %C@\n' | sort >"$work/before"
same "$("$alpc_wine" --print-overlay)" "$overlay"
"$alpc_wine" "$work/program" </dev/null >/dev/null 2>&1 || :
find "$cache" -printf '%p %T@ %C@\n' | sort >"$work/after"
cmp -s "$work/before" "$work/after" || fail "something was written"

begin "--refresh builds anew under the same name"
"$alpc_wine" --refresh
same "$("$alpc_wine" --print-overlay)" "$overlay"
holds "not built" "$(stat -c %i "$overlay")" != "$number"

# changed COMMAND...: after it there is another overlay, and the old one is gone
changed() {
    "$@"
    new=$("$alpc_wine" --print-overlay)
    holds "not noticed: $*" "$new" != "$overlay"
    holds "the old overlay is still there: $*" ! -e "$overlay"
    holds "the old overlay's lock is still there: $*" ! -e "$overlay.lock"
    overlay=$new
}
begin "a change of the host is noticed"
dlls=$wine/lib/x86_64-linux-gnu/wine
changed touch "$wine/lib/wine/wine64"
changed touch "$dlls/x86_64-unix/ntdll.so"
cp "$host_ntdll" "$work/new.dll"
changed mv "$work/new.dll" "$dlls/x86_64-windows/ntdll.dll"
changed touch "$dlls/x86_64-windows/new.dll"
changed rm "$dlls/x86_64-unix/other.so"
changed mkdir "$dlls/i386-unix"
holds "not linked" -L "$overlay/lib/x86_64-linux-gnu/wine/i386-unix"
changed rm "$wine/lib/wine/wine64-preloader"
begin "a change of ours is noticed"
changed touch "$work/bin/ntalpc.dll16"
changed touch "$work/bin/ntalpc.so"

begin "a program keeps the overlay it began with"
# the child of the program must keep it, too
# shellcheck disable=SC2016 # for the program
echo 'sleep 1000 & echo $! >"$1"' >"$work/parent"
"$alpc_wine" "$work/parent" "$work/child" >/dev/null 2>&1
children=$(cat "$work/child")
old=$overlay
touch "$dlls/x86_64-unix/ntdll.so"
overlay=$("$alpc_wine" --print-overlay)
holds "the change went unnoticed" "$old" != "$overlay"
holds "it is gone" -x "$old/lib/wine/wine64"
begin "when it has ended, the old one goes"
kill "$children"
while kill -0 "$children" 2>/dev/null; do sleep 0.1; done
children=
touch "$dlls/x86_64-unix/ntdll.so"
overlay=$("$alpc_wine" --print-overlay)
holds "it is still there" ! -e "$old"
same "$(find "$cache" -mindepth 1 -maxdepth 1 | sort)" "$cache/.lock
$overlay
$overlay.lock"

begin "what a killed builder left behind goes, and nothing else"
mkdir "$cache/.build-killed" "$cache/0123456789abcdef" "$cache/mine"
touch "$cache/fedcba9876543210.lock"
mkdir "$work/precious"
touch "$work/precious/file"
ln -s "$work/precious" "$cache/.build-killed/link"
"$alpc_wine" --refresh
holds "a half-built one is still there" ! -e "$cache/.build-killed"
holds "one that fits no longer is still there" ! -e "$cache/0123456789abcdef"
holds "a lock is still there" ! -e "$cache/fedcba9876543210.lock"
holds "a link was followed" -e "$work/precious/file"
holds "too much was removed" -d "$cache/mine"

begin "ten at once build once"
rm -rf "$cache"
for i in 1 2 3 4 5 6 7 8 9 10; do
    { stat -c %i "$("$alpc_wine" --print-overlay)" >"$work/concurrent.$i" 2>&1; } &
    children="$children $!"
done
# shellcheck disable=SC2086 # a list
wait $children
children=
same "$(sort -u "$work"/concurrent.* | wc -l)" 1
same "$(cat "$work"/concurrent.*)" "$(for i in 1 2 3 4 5 6 7 8 9 10; do stat -c %i "$overlay"; done)"

begin "ten at once while the host changes"
for i in 1 2 3 4 5 6 7 8 9 10; do
    { "$alpc_wine" "$work/program" >"$work/concurrent.$i" 2>&1 </dev/null || :; } &
    children="$children $!"
    touch "$dlls/x86_64-windows/new.dll.$i"
done
# shellcheck disable=SC2086 # a list
wait $children
children=
for i in 1 2 3 4 5 6 7 8 9 10; do
    grep -q "^loader $cache/" "$work/concurrent.$i" || fail "$(cat "$work/concurrent.$i")"
done

# as a user whom permissions stop
begin "a cache folder that cannot be written"
user=
if [ "$(id -u)" = 0 ]; then
    if command -v setpriv >/dev/null; then user="setpriv --reuid=65534 --clear-groups"; else user=none; fi
    chmod 755 "$work"
fi
if [ "$user" != none ]; then
    overlay=$("$alpc_wine" --print-overlay)
    chmod -R a+rX "$cache"
    chmod a+r "$overlay.lock"
    chmod a-w "$cache"
    # one that is up to date is good enough
    # shellcheck disable=SC2086 # a command
    same "$($user "$alpc_wine" --print-overlay)" "$overlay"
    mkdir -m 555 "$work/readonly"
    # shellcheck disable=SC2086
    refused "cannot write in the cache folder $work/readonly: Permission denied" \
        $user "$alpc_wine" --overlay="$work/readonly" "$work/program"
    # shellcheck disable=SC2086
    refused "cannot create the folder $work/readonly/a: Permission denied" \
        $user "$alpc_wine" --overlay="$work/readonly/a/b" "$work/program"
    nothing_in "$work/readonly"
    chmod u+w "$cache"
fi
refused "Not a directory" "$alpc_wine" --overlay="$work/program/cache" "$work/program"

begin "a full disk"
# as root with a small file system, this would need a mount; a limit on file sizes is much the same
code=0
(trap '' XFSZ; ulimit -f 100; exec "$alpc_wine" --overlay="$work/full" x.exe) >"$work/out" 2>"$work/err" || code=$?
same "$code" 1
grep -q "^alpc-wine: cannot write .*File too large" "$work/err" || fail "$(cat "$work/err")"
nothing_in "$work/full"

begin "the cache folder's default"
same "$(env -u NTALPC_OVERLAY "$alpc_wine" --print-overlay | sed 's,/[0-9a-f]*$,,')" "$HOME/.cache/ntalpc"
same "$(env -u NTALPC_OVERLAY XDG_CACHE_HOME="$work/xdg" "$alpc_wine" --print-overlay | sed 's,/[0-9a-f]*$,,')" \
    "$work/xdg/ntalpc"
same "$(cd "$work" && "$alpc_wine" --overlay=relative --print-overlay | sed 's,/[0-9a-f]*$,,')" "$work/relative"
refused "HOME is not set" env -u NTALPC_OVERLAY -u HOME "$alpc_wine" --print-overlay

begin "a missing or unsuitable Wine"
mkdir "$work/empty"
refused "no Wine in $work/nothing" "$alpc_wine" --wine="$work/nothing" x.exe
refused "no 64-bit Wine in $work/empty" "$alpc_wine" --wine="$work/empty" x.exe
refused "not a 64-bit Wine loader" "$alpc_wine" --wine="$work/program" x.exe
cp -R "$wine" "$work/broken"
rm -r "$work/broken/share"
refused "no share/wine" "$alpc_wine" --wine="$work/broken" x.exe
rm "$work/broken/lib/x86_64-linux-gnu/wine/x86_64-windows/ntdll.dll"
refused "ntdll.dll" "$alpc_wine" --wine="$work/broken" x.exe
rm "$work/broken/lib/x86_64-linux-gnu/wine/x86_64-unix/ntdll.so"
refused "without x86_64-unix/ntdll.so" "$alpc_wine" --wine="$work/broken" x.exe

# takes the mark out of the DOS stub; the DLL holds the same text elsewhere, too
unmark() {
    cat >"$work/unmarked"
    printf 'other' | dd of="$work/unmarked" bs=1 seek=64 conv=notrunc 2>/dev/null
    cat "$work/unmarked"
}

begin "an ntdll.dll that is not understood"
NTALPC_OVERLAY=$work/refused
refuse_ntdll() {
    rm -rf "$work/strange"
    cp -R "$wine" "$work/strange"
    cat >"$work/strange/lib/x86_64-linux-gnu/wine/x86_64-windows/ntdll.dll"
    refused "ntdll.dll cannot be replaced: $1" "$alpc_wine" --wine="$work/strange" x.exe
    nothing_in "$work/refused"
}
echo garbage | refuse_ntdll "not a Windows executable"
head -c 100000 "$host_ntdll" | refuse_ntdll "truncated"
refuse_ntdll "it is a replacement already" <"$work/bin/ntalpc.dll16"
unmark <"$host_ntdll" | refuse_ntdll "not one of Wine's own"
sed 's/NtQueryDirectoryObject/NtQueryDirectoryObjecs/g' "$host_ntdll" | refuse_ntdll "it lacks NtQueryDirectoryObject"

begin "our files are missing or unmarked"
mv "$work/bin/ntalpc.so" "$work/kept"
refused "ntalpc.so is missing" "$alpc_wine" x.exe
mv "$work/kept" "$work/bin/ntalpc.so"
mv "$work/bin/ntalpc.dll16" "$work/kept"
refused "ntalpc.dll16 is missing" "$alpc_wine" x.exe
unmark <"$work/kept" >"$work/bin/ntalpc.dll16"
refused "no builtin mark" "$alpc_wine" x.exe
"$build/mkntdll" --builtin "$work/bin/ntalpc.dll16"
cmp -s "$work/bin/ntalpc.dll16" "$work/kept" || fail "mkntdll --builtin made another file"
nothing_in "$work/refused"
NTALPC_OVERLAY=$cache

begin "usage"
refused "no program" "$alpc_wine"
refused "unrecognized option" "$alpc_wine" --unknown
refused "requires an argument" "$alpc_wine" --wine
"$alpc_wine" --version | grep -q '^alpc-wine (ntalpc) [0-9]' || fail "version"
"$alpc_wine" --help | grep -q '^Usage: alpc-wine' || fail "help"

# layout NAME LOADER DLL-FOLDER [--wine ARGUMENT]: the program runs from where that layout has its loader
layout() {
    begin "layout: $1"
    rm -rf "$work/layout"
    mkdir "$work/layout"
    tree "$work/layout" "$2" "$3"
    [ "${2%/*}" = bin ] || echo server >"$work/layout/bin/wineserver"
    [ -z "${5-}" ] || printf '#!/bin/sh\nexit 1\n' >"$work/layout/$5"
    [ -z "${5-}" ] || chmod +x "$work/layout/$5"
    "$alpc_wine" --wine="$work/layout${4-}" "$work/program" </dev/null >"$work/out" 2>"$work/err" || :
    overlay=$("$alpc_wine" --wine="$work/layout" --print-overlay)
    same "$(sed -n 's/^exe //p' "$work/out")" "$overlay/$2"
    cmp -s "$overlay/$3/x86_64-windows/ntdll.dll" "$work/kept" || fail "no replacement"
    holds "no ntalpc.so" -f "$overlay/$3/x86_64-unix/ntalpc.so"
    holds "no share" -d "$overlay/share/wine/nls"
    holds "no wineserver in bin" -e "$overlay/bin/wineserver"
}
layout "Debian 12" lib/wine/wine64 lib/x86_64-linux-gnu/wine "" bin/wine
layout "Debian, loader named" lib/wine/wine64 lib/x86_64-linux-gnu/wine /lib/wine/wine64
layout "Debian, loader's folder" lib/wine/wine64 lib/x86_64-linux-gnu/wine /lib/wine
layout "Debian, one loader" lib/wine/wine lib/x86_64-linux-gnu/wine
layout "winehq.org" bin/wine64 lib64/wine
layout "Fedora, Arch" bin/wine lib/wine
layout "loader among its libraries" lib/wine/wine64 lib/wine
# since Wine 10.2 what is in bin only calls the loader
layout "Wine 10.2" lib/wine/x86_64-unix/wine lib/wine
cp "$shell" "$work/layout/bin/wine"
"$alpc_wine" --wine="$work/layout" "$work/program" </dev/null 2>/dev/null | grep -q "^exe .*/x86_64-unix/wine$" ||
    fail "the program in bin was taken for the loader"

begin "the Wine of PATH"
# a script, as in Debian
tree "$work/path" lib/wine/wine64 lib/x86_64-linux-gnu/wine
printf '#!/bin/sh\nexit 1\n' >"$work/path/bin/wine-stable"
chmod +x "$work/path/bin/wine-stable"
mkdir "$work/links"
ln -s ../path/bin/wine-stable "$work/links/wine"
overlay=$(NTALPC_WINE='' PATH="$work/links:$PATH" "$alpc_wine" --print-overlay)
same "$(readlink "$overlay/share/wine")" "$work/path/share/wine"

# ------------------------------------------------------------------------- the real Wine, when ours is built

if [ ! -f "$build/ntalpc.dll16" ] || [ ! -f "$build/overlay_exports.exe" ]; then
    echo "overlay.sh: passed (without the real Wine: build ntalpc.dll16 and overlay_exports.exe for that)"
    exit 0
fi
begin "the real Wine"
unset NTALPC_WINE
export WINEPREFIX="$work/prefix" WINEDEBUG=-all
stop_wine() { "$("$build/alpc-wine" --print-overlay)/bin/wineserver" -k 2>/dev/null || :; }
code=0
timeout 120 "$build/alpc-wine" "$build/overlay_exports.exe" 'a  b' '' >"$work/out" 2>"$work/err" </dev/null || code=$?
stop_wine
[ "$code" = 37 ] || fail "exit code $code: $(cat "$work/out" "$work/err")"
grep -q '^good' "$work/out" || fail "$(cat "$work/out")"
echo "overlay.sh: passed"
