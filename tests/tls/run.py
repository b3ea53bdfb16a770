#!/usr/bin/env python3
"""TLS of every door for clients, over TCP and over QUIC: certificates that are replaced while streams are open.

Whoever comes after a reload is shown the new certificate; streams that were open go on; a file that is no certificate
changes nothing. Runs with what the client conformance tests need.
"""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import ssl
import sys
import tempfile
import traceback
import urllib.request
from pathlib import Path

# A certificate that is not believed is what is tested here.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
logging.getLogger("quic").setLevel(logging.CRITICAL)

import grpc  # noqa: E402
import websockets  # noqa: E402

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "env"), str(TESTS / "conformance/client")]

from runner import http3, wire  # noqa: E402
from runner.connection import GRPC_METHOD, UNI_GRPC  # noqa: E402
from runner.http2 import Tunnel  # noqa: E402
from ports import free_port  # noqa: E402
from server import Server  # noqa: E402
from websockets.protocol import OPEN, Protocol, Side  # noqa: E402

CONNECT = {"id": 1, "connect": {"subs": {"news": {}}}}
SECONDS_MAX = 10
# Over QUIC a new certificate is looked for every ten seconds.
RELOAD_SECONDS_MAX = 30
PAUSE_SECONDS = 0.2


class World:
    """A server whose doors share a certificate in files."""

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="gyre-tls-"))
        self.cert, self.key = self.directory / "cert.pem", self.directory / "key.pem"
        self.renew()
        tls = {"enabled": True, "cert_pem": str(self.cert), "key_pem": str(self.key)}
        self.internal, self.uni_port, self.grpc_port = free_port(), free_port(), free_port()
        grpc_door = {"enabled": True, "address": "127.0.0.1", "tls": tls}
        self.server = Server({
            "http_server": {"address": "127.0.0.1", "internal_port": self.internal, "tls": tls, "tls_external": True,
                            "http3": {"enabled": True}, "external_http2_extended_connect": True},
            "health": {"enabled": True}, "log": {"level": "warn"}, "client": {"insecure": True},
            "http_api": {"insecure": True}, "webtransport": {"enabled": True},
            "uni_grpc": {**grpc_door, "port": self.uni_port}, "client_grpc": {**grpc_door, "port": self.grpc_port},
        })
        # Health is asked on the internal port, which speaks no TLS.
        self.server.url = f"http://127.0.0.1:{self.internal}"

    def renew(self):
        """Another certificate in the same files; its text."""
        text, key = http3.certificate()
        self.cert.write_text(text)
        self.key.write_text(key)
        return text

    def reload(self):
        self.server.process.send_signal(signal.SIGHUP)

    def publish(self, text):
        body = json.dumps({"channel": "news", "data": text}).encode()
        urllib.request.urlopen(f"{self.server.url}/api/publish", body, timeout=SECONDS_MAX).close()

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *_):
        self.server.__exit__()
        shutil.rmtree(self.directory, ignore_errors=True)


def trusting(cert, *protocols):
    context = ssl.create_default_context(cadata=cert)
    context.set_alpn_protocols(protocols)
    return context


class Door:
    """A client that has subscribed to «news», once it is open, and believes one certificate."""

    def __init__(self, world):
        self.world, self.port = world, world.server.port

    async def until(self, text):
        """Reads until something with this text comes."""
        while text.encode() not in await self.read():
            pass


class WebSocket(Door):
    async def open(self, cert):
        url = f"wss://localhost:{self.port}/connection/websocket"
        self.socket = await websockets.connect(url, ssl=trusting(cert, "http/1.1"), proxy=None)
        await self.socket.send(wire.compact(CONNECT))

    async def read(self):
        return (await self.socket.recv()).encode()

    async def close(self):
        await self.socket.close()


class WebSocketOverHTTP2(Door):
    async def open(self, cert):
        self.tunnel = Tunnel("localhost", self.port, trusting(cert, "h2"))
        headers = [("sec-websocket-version", "13"), ("sec-websocket-protocol", "centrifuge-json")]
        answer = await self.tunnel.open("/connection/websocket", headers)
        assert answer[":status"] == "200", answer
        frames = Protocol(Side.CLIENT, state=OPEN)
        frames.send_text(wire.compact(CONNECT).encode())
        await self.tunnel.write(b"".join(frames.data_to_send()))

    async def read(self):
        data = await self.tunnel.read()
        assert data is not None, "the stream has ended"
        return data

    async def close(self):
        self.tunnel.abort()
        with contextlib.suppress(OSError):
            await self.tunnel.outgoing.wait_closed()


class UniGRPC(Door):
    async def open(self, cert):
        self.channel = grpc.aio.secure_channel(
            f"localhost:{self.world.uni_port}", grpc.ssl_channel_credentials(cert.encode()))
        self.stream = self.channel.unary_stream(UNI_GRPC)(wire.to_proto("ConnectRequest", CONNECT["connect"]))

    async def read(self):
        return await self.stream.read()

    async def close(self):
        await self.channel.close()


class ClientGRPC(UniGRPC):
    async def open(self, cert):
        self.channel = grpc.aio.secure_channel(
            f"localhost:{self.world.grpc_port}", grpc.ssl_channel_credentials(cert.encode()))
        self.stream = self.channel.stream_stream(GRPC_METHOD)()
        await self.stream.write(wire.to_proto("Command", CONNECT))


class WebTransport(Door):
    async def open(self, cert):
        self.session = await http3.connected(self.port, cert)
        assert await self.session.open(f"localhost:{self.port}", http3.PATH) == 200
        self.session.write(wire.compact(CONNECT).encode() + b"\n")

    async def read(self):
        piece = await self.session.pieces.get()
        assert piece is not None, "the stream has ended"
        return piece

    async def close(self):
        self.session.close()


DOORS = [WebSocket, WebSocketOverHTTP2, UniGRPC, ClientGRPC, WebTransport]


async def opened(kind, world, cert):
    """A client that has got its first answer."""
    door = kind(world)
    async with asyncio.timeout(SECONDS_MAX):
        await door.open(cert)
        await door.until("news")
    return door


async def opens_once_reloaded(kind, world, cert):
    """A client that believes the new certificate comes in, sooner or later."""
    async with asyncio.timeout(RELOAD_SECONDS_MAX):
        while True:
            try:
                return await opened(kind, world, cert)
            except (OSError, grpc.aio.AioRpcError, TimeoutError):
                await asyncio.sleep(PAUSE_SECONDS)


async def refused(kind, world, cert):
    """A client that believes another certificate does not come in."""
    try:
        await opened(kind, world, cert)
    except (OSError, grpc.aio.AioRpcError):
        return
    raise AssertionError("came in with a certificate that is no longer shown")


async def hears(door, world, text):
    world.publish(text)
    async with asyncio.timeout(SECONDS_MAX):
        await door.until(text)


async def a_new_certificate_is_shown_to_those_who_come(kind):
    with World() as world:
        old = world.cert.read_text()
        before = await opened(kind, world, old)
        new = world.renew()
        world.reload()
        after = await opens_once_reloaded(kind, world, new)
        await refused(kind, world, old)
        for door in (before, after):
            await hears(door, world, f"still here, {door is after}")

        world.cert.write_text("no certificate")
        world.reload()
        last = await opened(kind, world, new)
        await hears(last, world, "as before")
        for door in (before, after, last):
            await door.close()


def main():
    passed = failed = 0
    for kind in DOORS:
        try:
            asyncio.run(a_new_certificate_is_shown_to_those_who_come(kind))
            passed += 1
        except Exception:
            failed += 1
            print(f"FAIL {kind.__name__}", flush=True)
            traceback.print_exc()
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
