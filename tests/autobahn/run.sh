#!/bin/sh
# Runs the Autobahn test suite, the field's judge of WebSocket servers, against an echo server.
#
#   tests/autobahn/run.sh ws://127.0.0.1:9001
#
# The server has to take messages of 16 MiB and to have compression on. The suite needs Python 2.7:
# the one that $PYTHON27 names, or one that is found. Without one this is skipped, and says so; the
# essential cases are Rust tests of the gateway as well. The suite is installed once, into
# ${XDG_CACHE_HOME:-~/.cache}/gyre/autobahn; a report per case stays in $REPORT (default: a new
# temporary directory).
#
# Not run: 9.* (speed), and those of 12.* and 13.* that only repeat others with longer messages.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
url=${1:?usage: run.sh URL-OF-ECHO-SERVER}
version=25.10.1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gyre/autobahn/$version

find_python() {
    for candidate in "${PYTHON27:-}" python2.7 "$HOME"/.pyenv/versions/2.7*/bin/python2.7; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

python=$(find_python)
if [ -z "$python" ]; then
    echo "SKIPPED: Autobahn needs Python 2.7, and none was found (set PYTHON27)" >&2
    exit 0
fi

if [ ! -e "$cache/complete" ]; then
    echo "installing autobahntestsuite $version into $cache"
    rm -rf "$cache"
    mkdir -p "$cache"
    if ! "$python" -m pip install --quiet --disable-pip-version-check --target "$cache" \
        "autobahntestsuite==$version" 2>"$cache/pip.log"; then
        cat "$cache/pip.log" >&2
        exit 1
    fi
    touch "$cache/complete"
fi

report=${REPORT:-$(mktemp -d)}
sed -e "s|@OUTDIR@|$report|" -e "s|@URL@|$url|" "$here/cases.json" >"$report/cases.json"
"$python" "$here/suite.py" "$cache" "$report/cases.json" >"$report/suite.log" 2>&1 || {
    cat "$report/suite.log" >&2
    exit 1
}
"$python" "$here/verdict.py" "$report"
