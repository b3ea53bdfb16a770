#!/usr/bin/env python3
"""A real Redis for the length of a command: empty, on a free port of loopback, and gyre's engine is told of it.

    redis.py COMMAND...         runs the command with GYRE_ENGINE_TYPE=redis and GYRE_ENGINE_REDIS_ADDRESS
    redis.py --costs COMMAND... tells besides what the server did for it

Servers that share it need prefixes of their own: see `fresh.sh`.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import tools
from server import free_port

START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 10
POLL_SECONDS = 0.02


def installed():
    """Path of Debian's server."""
    return tools.program("redis-server", "redis-server")


class Redis:
    """Runs for the length of a `with` block; `address` says where."""

    def __enter__(self):
        self.port = free_port()
        self.address = f"redis://127.0.0.1:{self.port}"
        self.directory = tempfile.mkdtemp(prefix="gyre-redis-")
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.directory]
        self.process = subprocess.Popen([installed(), *arguments], stdout=subprocess.DEVNULL)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _wait(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("redis-server does not start")
            time.sleep(POLL_SECONDS)

    def costs(self):
        """Scripts that it ran, and the CPU that it took. Unit: seconds."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"INFO everything\r\nQUIT\r\n")
            text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        scripts = re.findall(r"^cmdstat_eval(?:sha)?:calls=(\d+)", text, re.MULTILINE)
        cpu = re.findall(r"^used_cpu_(?:user|sys):([\d.]+)", text, re.MULTILINE)
        return sum(map(int, scripts)), sum(map(float, cpu))

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def main():
    if len(sys.argv) < 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    command = sys.argv[1:]
    tells_costs = command[0] == "--costs"
    with Redis() as redis:
        environment = os.environ | {"GYRE_ENGINE_TYPE": "redis", "GYRE_ENGINE_REDIS_ADDRESS": redis.address}
        code = subprocess.run(command[tells_costs:], env=environment).returncode
        if tells_costs:
            scripts, cpu = redis.costs()
            print(f"Redis: {scripts} scripts, {cpu:.2f} s of CPU, {cpu * 1e6 / max(scripts, 1):.1f} µs each")
        return code


if __name__ == "__main__":
    sys.exit(main())
