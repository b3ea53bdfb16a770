#!/usr/bin/env python3
"""The built server gets certificates from an ACME authority on this machine, by both kinds of proof, and keeps them."""

import contextlib
import shutil
import socket
import ssl
import sys
import tempfile
import time
import traceback
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "env"))

from pebble import Pebble  # noqa: E402
from ports import free_port  # noqa: E402
from server import Server  # noqa: E402

NAME = "gyre.example"
SECONDS_MAX = 40
POLL_SECONDS = 0.1


class World:
    """An authority, and how the server finds it."""

    def __init__(self, by_http):
        self.by_http, self.http_port, self.port = by_http, free_port(), free_port()
        self.authority = Pebble(self.http_port, self.port)

    def __enter__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="gyre-acme-"))
        self.authority.__enter__()
        self.trust = ssl.create_default_context(cadata=self.authority.root)
        self.trust.set_alpn_protocols(["http/1.1"])
        return self

    def __exit__(self, *_):
        self.authority.__exit__()
        shutil.rmtree(self.directory, ignore_errors=True)

    def server(self, email="ops@gyre.example"):
        autocert = {
            "enabled": True, "host_whitelist": [NAME], "cache_dir": str(self.directory), "email": email,
            "http": self.by_http, "http_addr": f"127.0.0.1:{self.http_port}",
            "directory_url": self.authority.directory_url, "directory_ca_pem": str(self.authority.ca),
        }
        # Health is asked on the internal port, which speaks no TLS.
        internal = free_port()
        config = {
            "http_server": {"address": "127.0.0.1", "internal_port": internal, "tls_external": True,
                            "tls_autocert": autocert},
            "health": {"enabled": True},
            "init": {"enabled": True},
            "log": {"level": "info"},
        }
        server = Server(config, port=self.port)
        server.url = f"http://127.0.0.1:{internal}"
        return server

    def certificate(self, server):
        """The certificate that a client of the name is shown, once there is one it trusts; and it is served with it."""
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as plain, \
                        self.trust.wrap_socket(plain, server_hostname=NAME) as secured:
                    secured.sendall(f"GET /connection/init HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode())
                    answer = b"".join(iter(lambda: secured.recv(4096), b""))
                    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"{}"), answer
                    return secured.getpeercert()
            except OSError as problem:
                if time.monotonic() > deadline:
                    log = (server.directory / "log").read_text()
                    raise RuntimeError(f"{problem}; the server says:\n{log[-3000:]}") from None
            time.sleep(POLL_SECONDS)


def a_certificate_is_got_and_kept(by_http):
    with World(by_http) as world:
        with world.server() as server:
            first = world.certificate(server)
            assert ("DNS", NAME) in first["subjectAltName"], first
        # After a restart it is the same: nobody was asked again.
        with world.server() as server:
            assert world.certificate(server)["serialNumber"] == first["serialNumber"]


def proof_by_tls():
    a_certificate_is_got_and_kept(by_http=False)


def proof_by_http():
    a_certificate_is_got_and_kept(by_http=True)


def the_port_for_proof_sends_everybody_else_to_https():
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    with World(by_http=True) as world, world.server():
        request = urllib.request.Request(f"http://127.0.0.1:{world.http_port}/a?b=c", headers={"Host": NAME})
        try:
            urllib.request.build_opener(Stay).open(request, timeout=5)
        except urllib.error.HTTPError as answer:
            assert (answer.code, answer.headers["Location"]) == (307, f"https://{NAME}/a?b=c")
        else:
            raise AssertionError("answered")


def an_address_of_a_person_goes_to_the_authority():
    # The authority takes no account whose address is none, and says which address it means.
    with World(by_http=False) as world, world.server(email="nobody") as server:
        deadline = time.monotonic() + SECONDS_MAX
        log = server.directory / "log"
        while not ("Contact" in log.read_text() and "nobody" in log.read_text()):
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(POLL_SECONDS)


def main():
    results = {True: 0, False: 0}
    for test in (proof_by_tls, proof_by_http, the_port_for_proof_sends_everybody_else_to_https,
                 an_address_of_a_person_goes_to_the_authority):
        try:
            test()
            passed = True
        except Exception:
            traceback.print_exc()
            passed = False
        results[passed] += 1
        print(f"{'ok  ' if passed else 'FAIL'} {test.__name__}", flush=True)
    print(f"{results[True]} passed, {results[False]} failed")
    return 1 if results[False] else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
