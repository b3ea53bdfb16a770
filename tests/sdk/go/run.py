#!/usr/bin/env python3
"""Runs the Go SDK's own tests, as they lie in its module, and ours against the built server.

They dial port 8000 of localhost and expect nobody on port 9000, so both must be free and nothing else may run beside.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "env"))

import tools  # noqa: E402
from server import Server  # noqa: E402

PORT, UNUSED_PORT = 8000, 9000
CONFIG = {
    "http_server": {"address": "127.0.0.1"},
    "health": {"enabled": True},
    "log": {"level": "warn"},
    "client": {"insecure": True},
}
# The SDK's own tests configure their server by environment, so this is a test of that as well.
NAMESPACE = "CENTRIFUGO_CHANNEL_NAMESPACES"
ENVIRONMENT = {
    "CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_DELTA_PUBLISH": "true",
    "CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_ALLOWED_DELTA_TYPES": "fossil",
    "CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_HISTORY_SIZE": "100",
    "CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_HISTORY_TTL": "300s",
    "CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_FORCE_RECOVERY": "true",
    NAMESPACE: "smallhistory",
    f"{NAMESPACE}_SMALLHISTORY_FORCE_RECOVERY": "true",
    f"{NAMESPACE}_SMALLHISTORY_HISTORY_SIZE": "2",
    f"{NAMESPACE}_SMALLHISTORY_HISTORY_TTL": "300s",
}
PACKAGES = ["github.com/centrifugal/centrifuge-go", "./..."]


def in_use(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main():
    taken = [port for port in (PORT, UNUSED_PORT) if in_use(port)]
    if taken:
        print(f"ports {taken} of localhost are taken; the SDK's tests need {PORT} and {UNUSED_PORT}", file=sys.stderr)
        return 1
    go = tools.go()
    environment = os.environ | {"GYRE_ADDRESS": f"127.0.0.1:{PORT}", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    test = [go, "test", "-count=1", "-v", "-timeout=120s"]
    # Compiled before the server runs: the tests' own limits are tight.
    subprocess.run([*test, "-run=^$", *PACKAGES], cwd=HERE, env=environment, check=True, stdout=subprocess.DEVNULL)
    with Server(CONFIG, PORT, ENVIRONMENT):
        # One package after another: both use the same server.
        return max(subprocess.run([*test, name], cwd=HERE, env=environment).returncode for name in PACKAGES)


if __name__ == "__main__":
    sys.exit(main())
