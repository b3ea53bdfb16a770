"""nginx in front, with the documented configuration: every transport passes, unbuffered, and outlives idle timeouts.

The read timeouts are two seconds here, and pings come every second: a connection that waits for longer than the timeouts
lives by its pings alone.
"""

import asyncio
import importlib
import json
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import grpc
import pytest
import websockets
from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/env"))

import tools  # noqa: E402
from ports import free_port  # noqa: E402
from server import Server  # noqa: E402

SECONDS_MAX = 10
# Twice the read timeouts.
IDLE_SECONDS = 4.5


@pytest.fixture(scope="module")
def server():
    grpc_port = {"enabled": True, "address": "127.0.0.1", "port": free_port()}
    config = {
        "http_server": {"address": "127.0.0.1"},
        "health": {"enabled": True},
        "log": {"level": "warn"},
        "client": {"insecure": True, "ping_interval": "1s", "pong_timeout": "900ms"},
        "http_api": {"insecure": True},
        "http_stream": {"enabled": True}, "sse": {"enabled": True}, "uni_sse": {"enabled": True},
        "uni_grpc": grpc_port, "client_grpc": grpc_port,
    }
    with Server(config) as running:
        yield running


class Front:
    """nginx with the documented configuration, on ports of its own."""

    def __init__(self, server):
        self.port, self.grpc_port = free_port(), free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="gyre-nginx-"))
        self.cert, key = self.directory / "cert.pem", self.directory / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", self.cert],
            check=True, stderr=subprocess.DEVNULL,
        )
        text = (ROOT / "deploy/nginx/gyre.conf").read_text()
        for old, new in [
            ("127.0.0.1:8000", f"127.0.0.1:{server.port}"),
            ("127.0.0.1:11000", f"127.0.0.1:{server.config['uni_grpc']['port']}"),
            ("listen 443", f"listen 127.0.0.1:{self.port}"),
            ("listen 11443", f"listen 127.0.0.1:{self.grpc_port}"),
            ("/etc/nginx/gyre.crt", str(self.cert)),
            ("/etc/nginx/gyre.key", str(key)),
        ]:
            assert old in text, old
            text = text.replace(old, new)
        text, count = re.subn(r"(_read_timeout) 60s", r"\1 2s", text)
        assert count == 2
        temporary = "".join(f"{name}_temp_path {self.directory}/{name};\n" for name in
                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = self.directory / "nginx.conf"
        config.write_text(f"daemon off;\nmaster_process off;\npid {self.directory}/pid;\nerror_log stderr;\n"
                          f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{text}\n}}\n")
        self.log = (self.directory / "log").open("wb")
        program = tools.program("nginx", "nginx")
        self.process = subprocess.Popen([program, "-p", self.directory, "-c", config], stdout=self.log, stderr=self.log)
        self.trust = ssl.create_default_context(cafile=self.cert)

    def wait(self):
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            try:
                urllib.request.urlopen(f"https://localhost:{self.port}/", context=self.trust, timeout=1)
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.directory / "log").read_text()) from None
            time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait(SECONDS_MAX)
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture(scope="module")
def front(server):
    made = Front(server)
    try:
        made.wait()
        yield made
    finally:
        made.stop()


def publish(server, channel):
    body = json.dumps({"channel": channel, "data": "late"}).encode()
    with urllib.request.urlopen(f"{server.url}/api/publish", body, timeout=SECONDS_MAX) as answer:
        assert answer.status == 200


def test_websocket(server, front):
    async def talk():
        url = f"wss://localhost:{front.port}/connection/websocket"
        async with websockets.connect(url, ssl=front.trust, ping_interval=None) as socket:
            await socket.send('{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"ws"}}')
            started, pings, published = time.monotonic(), 0, False
            while True:
                for line in (await asyncio.wait_for(socket.recv(), SECONDS_MAX)).splitlines():
                    if line == "{}":
                        pings += 1
                        await socket.send("{}")
                    elif '"late"' in line:
                        return pings
                if not published and time.monotonic() - started > IDLE_SECONDS:
                    published = True
                    await asyncio.to_thread(publish, server, "ws")

    assert asyncio.run(talk()) >= 3


@pytest.mark.parametrize("path", ["sse", "uni_sse"])
def test_server_sent_events_are_not_held_back(server, front, path):
    connect = {"id": 1, "connect": {"subs": {path: {}}}} if path == "sse" else {"subs": {path: {}}}
    query = urllib.parse.quote(json.dumps(connect))
    url = f"https://localhost:{front.port}/connection/{path}?cf_connect={query}"
    started = time.monotonic()
    with urllib.request.urlopen(url, context=front.trust, timeout=SECONDS_MAX) as events:
        lines = (line.decode().strip() for line in events)
        messages = (json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))
        connected = next(messages)["connect"]
        assert connected["client"] and time.monotonic() - started < 2
        for message in messages:
            if path == "sse" and message == {}:
                pong(front, connected)
            if message == {} and time.monotonic() - started > IDLE_SECONDS:
                break
        publish(server, path)
        assert any(message.get("push", message).get("pub", {}).get("data") == "late" for message in messages)


def pong(front, connected):
    """Goes through the emulation endpoint."""
    body = {"session": connected["session"], "node": connected["node"], "data": "{}"}
    url = f"https://localhost:{front.port}/emulation"
    with urllib.request.urlopen(url, json.dumps(body).encode(), context=front.trust, timeout=SECONDS_MAX) as answer:
        assert answer.status == 204


@pytest.fixture(scope="module")
def stubs(front, tmp_path_factory):
    out = tmp_path_factory.mktemp("generated")
    sys.path.insert(0, str(out))
    protos = ["centrifugal/centrifugo/unistream/unistream.proto", "gyre/client/v1/client.proto"]
    assert protoc.main(["protoc", f"-I{ROOT / 'proto'}", f"--python_out={out}", f"--grpc_python_out={out}", *protos]) == 0
    credentials = grpc.ssl_channel_credentials(front.cert.read_bytes())
    with grpc.secure_channel(f"localhost:{front.grpc_port}", credentials) as channel:
        yield channel, [
            [importlib.import_module(proto.removesuffix(".proto").replace("/", ".") + end) for end in ("_pb2", "_pb2_grpc")]
            for proto in protos
        ]


def test_a_grpc_stream_to_the_client(server, stubs):
    channel, ((messages, services), _) = stubs
    request = messages.ConnectRequest(subs={"grpc": messages.SubscribeRequest()})
    stream = services.CentrifugoUniStreamStub(channel).Consume(request, timeout=SECONDS_MAX)
    started, published = time.monotonic(), False
    assert next(stream).connect.client
    for push in stream:
        if push.pub.data == b'"late"':
            break
        if not published and time.monotonic() - started > IDLE_SECONDS:
            published = True
            publish(server, "grpc")
    stream.cancel()


def test_a_grpc_stream_both_ways(stubs):
    channel, (_, (messages, services)) = stubs
    commands = iter([
        messages.Command(id=1, connect=messages.ConnectRequest()),
        messages.Command(id=2, subscribe=messages.SubscribeRequest(channel="both")),
        messages.Command(id=3, publish=messages.PublishRequest(channel="both", data=b'"own"')),
    ])
    replies = services.ClientServiceStub(channel).Connect(commands, timeout=SECONDS_MAX)
    seen = []
    for reply in replies:
        seen.append(reply)
        if {1, 2, 3} <= {reply.id for reply in seen} and any(reply.push.pub.data == b'"own"' for reply in seen):
            break
    replies.cancel()
