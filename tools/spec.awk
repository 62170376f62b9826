# Generates from ntdll.spec whatever needs the list of the replacement's names.
#   mode=table  rows for mkntdll: SPEC(name, needs the host's original)
#   mode=def    the export list of ntalpc.dll16
#   mode=host   the import library of the replacement ntdll, as far as ntalpc.dll16 needs the host's originals
#   mode=nt     the import library for programs: every name of the list

function fail(text) { print FILENAME ":" FNR ": " text > "/dev/stderr"; bad = 1; exit 1 }

BEGIN {
    if (mode == "def") print "LIBRARY ntalpc.dll16\nEXPORTS"
    if (mode == "host" || mode == "nt") print "LIBRARY ntdll.dll\nEXPORTS"
}

/^[ \t]*(#|$)/ { next }

$1 != "@" || $2 != "stdcall" { fail("expected '@ stdcall [-host] NAME(ARGUMENTS) [TARGET]'") }

{
    rest = $0
    sub(/^@ stdcall[ \t]+/, "", rest)
    host = sub(/^-host[ \t]+/, "", rest)
    if (!match(rest, /^[A-Za-z_][A-Za-z0-9_]*\(/)) fail("no function name")
    name = substr(rest, 1, RLENGTH - 1)
    if (name in seen) fail(name " is listed twice")
    seen[name] = 1
    target = rest
    if (!sub(/^[^)]*\)[ \t]*/, "", target)) fail("no argument list")
    if (mode == "table") printf "SPEC(\"%s\", %d)\n", name, host
    if (mode == "def") print "    " name (target == "" ? "" : "=" target)
    if (mode == "host" && host) print "    __wine_host_" name
    if (mode == "nt") print "    " name
}
