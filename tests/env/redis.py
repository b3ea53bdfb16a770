#!/usr/bin/env python3
"""A real Redis for the length of a command: empty, on free ports of loopback, and gyre's engine is told of it.

    redis.py [--cluster] COMMAND...     runs the command with GYRE_ENGINE_TYPE=redis and the addresses
    redis.py --costs COMMAND...         tells besides what the server did for it

With --cluster it is three primaries with a replica each. Servers that share it need prefixes of their own: see `fresh.sh`.
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
from ports import free_port

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 10
POLL_SECONDS = 0.02
NODES = 6


def installed():
    """Path of Debian's server."""
    return tools.program("redis-server", "redis-server")


def until(condition, what):
    deadline = time.monotonic() + START_SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited in vain: {what}")
        time.sleep(POLL_SECONDS)


class Redis:
    """Runs for the length of a `with` block; `address` says where."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __enter__(self):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.environment = {"GYRE_ENGINE_REDIS_ADDRESS": f"redis://{self.address}"}
        self.directory = tempfile.mkdtemp(prefix="gyre-redis-")
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.directory]
        command = [installed(), *arguments, *self.arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            until(self._answers, "redis-server starts")
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

    def ask(self, *words):
        """What it answers, as text."""
        asked = subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True)
        return asked.stdout

    def costs(self):
        """Scripts that it ran, and the CPU that it took. Unit: seconds."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"INFO everything\r\nQUIT\r\n")
            text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        scripts = re.findall(r"^cmdstat_eval(?:sha)?:calls=(\d+)", text, re.MULTILINE)
        cpu = re.findall(r"^used_cpu_(?:user|sys):([\d.]+)", text, re.MULTILINE)
        return sum(map(int, scripts)), sum(map(float, cpu))

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError("redis-server does not start")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


class Cluster:
    """Six nodes, joined, for the length of a `with` block."""

    def __enter__(self):
        self.nodes = []
        try:
            for _ in range(NODES):
                arguments = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
                self.nodes.append(Redis(*arguments).__enter__())
            addresses = [node.address for node in self.nodes]
            self.environment = {"GYRE_ENGINE_REDIS_CLUSTER_ADDRESS": " ".join(addresses)}
            create = ["redis-cli", "--cluster", "create", *addresses, "--cluster-replicas", "1", "--cluster-yes"]
            subprocess.run(create, stdout=subprocess.DEVNULL, check=True)
            for node in self.nodes:
                until(lambda: self._is_whole(node), "the cluster is whole")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.__exit__()

    @staticmethod
    def _is_whole(node):
        cluster, replication = node.ask("CLUSTER", "INFO"), node.ask("INFO", "replication")
        is_linked = "role:master" in replication or "master_link_status:up" in replication
        return "cluster_state:ok" in cluster and f"cluster_known_nodes:{NODES}" in cluster and is_linked


def main():
    words = sys.argv[1:]
    kind = Redis
    if words[:1] == ["--cluster"]:
        kind, words = Cluster, words[1:]
    tells_costs = words[:1] == ["--costs"]
    words = words[tells_costs:]
    if not words:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    with kind() as redis:
        environment = os.environ | {"GYRE_ENGINE_TYPE": "redis"} | redis.environment
        code = subprocess.run(words, env=environment).returncode
        if tells_costs:
            scripts, cpu = redis.costs()
            print(f"Redis: {scripts} scripts, {cpu:.2f} s of CPU, {cpu * 1e6 / max(scripts, 1):.1f} µs each")
        return code


if __name__ == "__main__":
    sys.exit(main())
