"""A server of our own for tests: started with a configuration on a free port, waited for on /health, stopped by pid."""

import base64
import copy
import hashlib
import hmac
import json
import os
import shlex
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from ports import free_port

START_SECONDS_MAX = 15
STOP_SECONDS_MAX = 10
POLL_SECONDS = 0.02


class Server:
    """Runs the command of GYRE_SERVER, which holds `{config}`, for the length of a `with` block."""

    def __init__(self, config, port=None, environment=None):
        self.config = copy.deepcopy(config)
        self.port = self.config["http_server"]["port"] = port or free_port()
        self.environment = os.environ | (environment or {})
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        command = os.environ.get("GYRE_SERVER")
        if not command:
            raise RuntimeError('GYRE_SERVER is not set: a command with {config}, e.g. "gyre -c {config}"')
        self.directory = Path(tempfile.mkdtemp(prefix="gyre-sdk-"))
        path = self.directory / "config.json"
        path.write_text(json.dumps(self.config))
        with (self.directory / "log").open("wb") as log:
            self.process = subprocess.Popen(
                shlex.split(command.replace("{config}", str(path))), stdout=log, stderr=log, env=self.environment
            )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _wait(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._healthy():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server is not healthy:\n" + (self.directory / "log").read_text()[-2000:])
            time.sleep(POLL_SECONDS)

    def _healthy(self):
        try:
            with urllib.request.urlopen(self.url + "/health", timeout=1) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def token(self, secret=None, **claims):
        """A JWT with these claims."""
        secret = secret or self.config["client"]["token"]["hmac_secret_key"]

        def part(raw):
            return base64.urlsafe_b64encode(raw).rstrip(b"=")

        unsigned = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
        return (unsigned + b"." + part(hmac.digest(secret.encode(), unsigned, hashlib.sha256))).decode()
