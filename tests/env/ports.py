"""Ports for the servers that tests start."""

import itertools
import os
import socket

# Below the ports that systems give to outgoing connections (Linux: from 32768), one of which could take a port between our
# look and the server's start. Even the question whether the server is there yet could: a connection whose own port is the
# one it asks for connects to itself. Not below 20000: the conformance runners count theirs from 18100.
PORTS = range(20_000, 32_000)

_numbers = itertools.count(os.getpid() * 1_009)


def free_port():
    """A port of loopback that nobody listens on, another one each time; processes begin at different places."""
    while True:
        port = PORTS[next(_numbers) % len(PORTS)]
        if _is_free(port, socket.SOCK_STREAM) and _is_free(port, socket.SOCK_DGRAM):
            return port


def _is_free(port, kind):
    with socket.socket(type=kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
