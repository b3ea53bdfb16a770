#!/bin/sh
# Runs the Autobahn test suite, the field's judge of WebSocket servers, against the echo server in
# services/gateway/examples/echo.rs, which it builds, starts on a free port and stops again.
#
#   tests/autobahn/run.sh
#   tests/autobahn/run.sh ws://127.0.0.1:9001      against a server that runs already
#   tests/autobahn/run.sh --prepare                only installs the suite
#
# The last line is `N passed, N failed`; the exit status says the same.
#
# Such a server has to take messages of 16 MiB and to have compression on. The suite needs Python 2.7:
# the one that $PYTHON27 names, or one that is found. Without one this is SKIPPED, says so, and exits
# with 77; the essential cases are Rust tests of the gateway as well. The suite is installed once, into
# ${GYRE_TESTS_CACHE:-~/.cache/gyre-tests}/autobahn-VERSION; a report per case stays in $REPORT
# (default: a new temporary directory, removed if every case passes).
#
# Not run: 9.* (speed), and those of 12.* and 13.* that only repeat others with longer messages.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
url=${1:-}
version=25.10.1
cache=${GYRE_TESTS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gyre-tests}/autobahn-$version
server=
work=$(mktemp -d)

clean_up() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

skip() {
    echo "SKIPPED: $1" >&2
    exit 77
}

# The interpreter itself: a shim in front of it may have been told to use another version.
find_python() {
    for candidate in "${PYTHON27:-}" python2.7 "$HOME"/.pyenv/versions/2.7*/bin/python2.7; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

install_suite() {
    echo "installing autobahntestsuite $version into $cache"
    rm -rf "$cache"
    mkdir -p "$cache"
    if ! "$python" -m pip install --quiet --disable-pip-version-check --target "$cache" \
        "autobahntestsuite==$version" 2>"$work/pip.log"; then
        cat "$work/pip.log" >&2
        skip "autobahntestsuite $version cannot be installed"
    fi
    touch "$cache/complete"
}

start_server() {
    cargo build --quiet --manifest-path "$root/Cargo.toml" --package gyre-gateway --example echo
    target=${CARGO_TARGET_DIR:-$root/target}
    # The server's first line, its address, comes through a pipe: reading it is waiting for it.
    mkfifo "$work/address"
    "$target/debug/examples/echo" >"$work/address" &
    server=$!
    exec 3<"$work/address"
    read -r url <&3
}

python=$(find_python)
[ -n "$python" ] || skip "Autobahn needs Python 2.7, and none was found (set PYTHON27)"
[ -e "$cache/complete" ] || install_suite
[ "$url" != --prepare ] || exit 0
[ -n "$url" ] || start_server

report=${REPORT:-$work/report}
mkdir -p "$report"
sed -e "s|@OUTDIR@|$report|" -e "s|@URL@|$url|" "$here/cases.json" >"$work/cases.json"
if ! "$python" "$here/suite.py" "$cache" "$work/cases.json" >"$work/suite.log" 2>&1; then
    cat "$work/suite.log" >&2
    exit 1
fi
status=0
"$python" "$here/verdict.py" "$report" || status=$?
if [ "$status" -ne 0 ] && [ "$report" = "$work/report" ]; then
    kept=$(mktemp -d)
    cp -R "$report/." "$kept"
    echo "report: $kept"
fi
exit "$status"
