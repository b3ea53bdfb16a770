"""Pebble, an ACME authority for tests, and a name server that calls every name this machine: built once with Go."""

import json
import os
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import tools
from ports import free_port

VERSION = "2.10.1"
MODULE = "github.com/letsencrypt/pebble/v2/cmd"
START_SECONDS_MAX = 20
POLL_SECONDS = 0.05


def installed():
    """Directory with both programs."""
    go = tools.go()

    def make(directory):
        commands = [f"{MODULE}/{name}@v{VERSION}" for name in ("pebble", "pebble-challtestsrv")]
        environment = os.environ | {"GOBIN": str(directory), "GOWORK": "off", "GOFLAGS": "-mod=mod"}
        tools.run([go, "install", *commands], cwd="/", env=environment)

    return tools.once(tools.cache() / f"pebble-{VERSION}", make)


class Pebble:
    """Runs for the length of a `with` block, and looks for proof at these ports."""

    def __init__(self, http_port, tls_port):
        self.ports = {"httpPort": http_port, "tlsPort": tls_port}
        self.port, self.management, self.dns, self.dns_management = (free_port() for _ in range(4))
        self.directory_url = f"https://127.0.0.1:{self.port}/dir"
        self.processes = []

    def __enter__(self):
        programs = installed()
        self.directory = Path(tempfile.mkdtemp(prefix="gyre-pebble-"))
        try:
            self._start(programs)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.kill()
            process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self, programs):
        self.ca, key = self.directory / "own.pem", self.directory / "own.key"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=pebble", "-addext", "subjectAltName=IP:127.0.0.1", "-addext",
             "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", self.ca],
            check=True, stderr=subprocess.DEVNULL,
        )
        config = {
            "listenAddress": f"127.0.0.1:{self.port}", "managementListenAddress": f"127.0.0.1:{self.management}",
            "certificate": str(self.ca), "privateKey": str(key), "externalAccountBindingRequired": False, **self.ports,
        }
        path = self.directory / "pebble.json"
        path.write_text(json.dumps({"pebble": config}))
        resolver = f"127.0.0.1:{self.dns}"
        self._spawn("dns", programs / "pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dnsserver",
                    resolver, "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-management",
                    f"127.0.0.1:{self.dns_management}")
        self._spawn("pebble", programs / "pebble", "-config", path, "-dnsserver", resolver)
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                self.root = self._get(self.management, "roots/0")
                self._get(self.port, "dir")
                return
            except OSError:
                dead = any(process.poll() is not None for process in self.processes)
                if dead or time.monotonic() > deadline:
                    raise RuntimeError((self.directory / "pebble.log").read_text()[-2000:]) from None
            time.sleep(POLL_SECONDS)

    def _spawn(self, name, *command):
        # Pebble refuses some good nonces by chance. A client gives its order once more then, later each time: tests would wait
        # for luck, and sometimes in vain.
        environment = os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
        with (self.directory / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, env=environment)
        self.processes.append(process)

    def _get(self, port, path):
        context = ssl.create_default_context(cafile=self.ca)
        with urllib.request.urlopen(f"https://127.0.0.1:{port}/{path}", timeout=2, context=context) as answer:
            return answer.read().decode()
