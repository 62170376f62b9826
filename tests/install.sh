#!/bin/sh
# Tests make install, uninstall and dist, and that a program can be built with what is installed.
#
# Usage: install.sh SOURCE-FOLDER BUILD-FOLDER
#
# Copyright 2026 the ntalpc authors
# SPDX-License-Identifier: LGPL-2.1-or-later

set -eu

source=$(cd "$1" && pwd)
build=$(cd "$2" && pwd)
work=$(mktemp -d)
cleanup() { rm -rf "$work"; }
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
# make is our parent
unset MAKEFLAGS MFLAGS MAKELEVEL

current=
begin() { current=$1; }
fail() { echo "install.sh: $current: $*" >&2; exit 1; }
run() { "$@" >"$work/log" 2>&1 || fail "$* failed: $(tail -n 5 "$work/log")"; }
# files BELOW: what is in a folder
files() { (cd "$1" && find . ! -type d | sort); }

installed='./bin/alpc-wine
./bin/alpcdump
./bin/alpcserver
./include/ntlpcapi.h
./lib/ntalpc/libntalpc.a
./lib/ntalpc/ntalpc.dll16
./lib/ntalpc/ntalpc.so
./share/doc/ntalpc/CAVEATS.md
./share/doc/ntalpc/README.md
./share/doc/ntalpc/design.md
./share/man/man1/alpc-wine.1
./share/man/man1/alpcdump.1
./share/man/man1/alpcserver.1'

begin "DESTDIR"
run make -C "$build" install DESTDIR="$work/root" prefix=/usr
[ "$(files "$work/root/usr")" = "$installed" ] || fail "installed: $(files "$work/root/usr")"
[ "$(files "$work/root" | wc -l)" = "$(files "$work/root/usr" | wc -l)" ] || fail "something is outside of the prefix"
run make -C "$build" uninstall DESTDIR="$work/root" prefix=/usr
[ -z "$(files "$work/root")" ] || fail "left: $(files "$work/root")"

begin "another prefix"
run make -C "$build" install prefix="$work/there"
overlay=$("$work/there/bin/alpc-wine" --overlay="$work/overlay" --print-overlay) || fail "there is no overlay"
[ -n "$(find "$overlay/" -name ntalpc.dll16)" ] || fail "ntalpc.dll16 is not in $overlay"
"$work/there/bin/alpcserver" --version >"$work/log" || fail "alpcserver does not run"

begin "the example"
run x86_64-w64-mingw32-gcc -Wall -Wextra -Werror -I "$work/there/include" "$source/docs/example.c" -o "$work/example.exe" \
    -L "$work/there/lib/ntalpc" -lntalpc -lntdll -luser32
[ -s "$work/example.exe" ] || fail "there is no program"
run make -C "$build" uninstall prefix="$work/there"
[ -z "$(files "$work/there")" ] || fail "left: $(files "$work/there")"

begin "dist"
mkdir "$work/built"
run make -C "$build" dist
run tar -xzf "$build"/ntalpc-*.tar.gz -C "$work/built"
[ -z "$(find "$work/built" -name '*.o' -o -name '*.exe' -o -name '.git')" ] || fail "generated files are in it"
unpacked=$(dirname "$(find "$work/built" -name configure.ac)")
mkdir "$work/build"
cd "$work/build"
run "$unpacked/configure"
run make -j2 all
