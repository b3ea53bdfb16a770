#!/usr/bin/env python3
"""What an idle connection costs, by transport: resident memory of the server with and without so many connections.

    idle.py SERVER [--connections N] [--tls] [--only TRANSPORT ...]      SERVER is a command with {config}; a release build, or the numbers mean little

Connections are made here with as little as it takes, so that thousands fit; HTTP/2 is spoken by hand, and only WebTransport
needs a library (what the client conformance tests need), and TLS. Prints one line each: transport, streams on a connection,
bytes a stream.
"""

import argparse
import asyncio
import functools
import json
import resource
import shlex
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "env"))

from ports import free_port  # noqa: E402

START_SECONDS_MAX = 15
SETTLE_SECONDS = 1
WARM_UP = 0.1
CONNECT = '{"id":1,"connect":{}}'
UPGRADE = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")

HTTP1 = {
    "websocket": f"GET /connection/websocket HTTP/1.1\r\nHost: x\r\n{UPGRADE}",
    "http_stream": f"POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: {len(CONNECT)}\r\n\r\n{CONNECT}",
    "sse": "GET /connection/sse?cf_connect=%7B%22id%22:1,%22connect%22:%7B%7D%7D HTTP/1.1\r\nHost: x\r\n\r\n",
    "uni_websocket": f"GET /connection/uni_websocket?cf_connect={{}} HTTP/1.1\r\nHost: x\r\n{UPGRADE}",
    "uni_http_stream": "POST /connection/uni_http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    "uni_sse": "GET /connection/uni_sse HTTP/1.1\r\nHost: x\r\n\r\n",
}

# Path, content type, body, whether the request ends with it.
HTTP2 = {
    "uni_grpc": ("/centrifugal.centrifugo.unistream.CentrifugoUniStream/Consume", "application/grpc", b"\0\0\0\0\0", True),
    "grpc": ("/gyre.client.v1.ClientService/Connect", "application/grpc", b"\0\0\0\0\x04\x08\x01\x22\x00", False),
    "http_stream": ("/connection/http_stream", "application/json", CONNECT.encode(), True),
}


class Server:
    def __init__(self, command, tls, directory):
        self.port, self.grpc_port, self.tls = free_port(), free_port(), tls
        section = {"enabled": tls}
        if tls:
            cert, key = directory / "cert.pem", directory / "key.pem"
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", "/CN=localhost", "-keyout", key, "-out", cert], check=True, stderr=subprocess.DEVNULL)
            section |= {"cert_pem": str(cert), "key_pem": str(key)}
        on = {"enabled": True}
        grpc = {"enabled": True, "address": "127.0.0.1", "port": self.grpc_port, "tls": section}
        http3 = {"enabled": tls}
        config = {
            "http_server": {"address": "127.0.0.1", "port": self.port, "tls": section, "http3": http3}, "log": {"level": "error"},
            # Nobody answers pings here.
            "client": {"insecure": True, "ping_interval": "600s"},
            "http_stream": on, "sse": on, "uni_websocket": on, "uni_sse": on, "uni_http_stream": on,
            "uni_grpc": grpc, "client_grpc": grpc, "webtransport": {"enabled": tls},
        }
        path = directory / "config.json"
        path.write_text(json.dumps(config))
        self.process = subprocess.Popen(shlex.split(command.replace("{config}", str(path))))
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def resident(self):
        for line in Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no Rss")

    def stop(self):
        self.process.terminate()
        self.process.wait()


@functools.cache
def trusting(protocol):
    """A client for all connections, which believes every certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context


async def open_to(port, tls, protocol):
    return await asyncio.open_connection("127.0.0.1", port, ssl=trusting(protocol) if tls else None)


async def over_http1(server, transport):
    reader, writer = await open_to(server.port, server.tls, "http/1.1")
    writer.write(HTTP1[transport].encode())
    if transport == "websocket":
        writer.write(bytes([0x81, 0x80 | len(CONNECT), 0, 0, 0, 0]) + CONNECT.encode())
    answer = b""
    while b'"client"' not in answer:
        answer += await reader.read(4096) or _lost(answer)
    return writer


def _lost(answer):
    raise RuntimeError(f"closed after {answer!r}")


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


async def over_http2(server, transport, streams):
    path, content_type, body, ends = HTTP2[transport]
    port = server.grpc_port if "grpc" in transport else server.port
    reader, writer = await open_to(port, server.tls, "h2")
    writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""))
    head = b"\x83\x86" + literal(":path", path) + literal(":authority", "x") + literal("content-type", content_type)
    # One after the other, as clients come: what all at once would need for a moment, `h2` keeps.
    for stream in range(1, 2 * streams, 2):
        writer.write(frame(1, 4, stream, head) + frame(0, int(ends), stream, body))
        await answer_to(reader, stream)
    return writer


async def answer_to(reader, stream):
    while True:
        header = await reader.readexactly(9)
        payload = await reader.readexactly(int.from_bytes(header[:3], "big"))
        if header[3] == 0 and int.from_bytes(header[5:], "big") == stream and b"-" in payload:
            return
        if header[3] in (3, 7):
            _lost(payload)


async def over_http3(server):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conformance/client"))
    from runner import http3

    client = http3.WebTransport("idle", server, "json", {}, lambda *_: None)
    await client.open()
    await client.send([json.loads(CONNECT)])
    await client.inbox.get()
    client.close = client.session.fall_silent
    return client


async def measure(command, tls, label, streams, connections, connect):
    with tempfile.TemporaryDirectory(prefix="gyre-idle-") as directory:
        server = Server(command, tls, Path(directory))
        try:
            held = [await connect(server) for _ in range(max(10, int(connections * WARM_UP)))]
            before = server.resident()
            held += [await connect(server) for _ in range(connections)]
            await asyncio.sleep(SETTLE_SECONDS)
            each = (server.resident() - before) / (connections * streams)
            print(f"{'TLS' if tls else '   '} {label:20} {streams:4} {each:8.0f}", flush=True)
            for client in held:
                client.close()
        finally:
            server.stop()


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("--connections", type=int, default=5_000)
    parser.add_argument("--tls", action="store_true")
    everything = [*HTTP1, *HTTP2, "webtransport"]
    parser.add_argument("--only", nargs="+", choices=everything, default=everything, metavar="TRANSPORT")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    for transport in filter(options.only.__contains__, HTTP1):
        await measure(options.server, options.tls, transport, 1, options.connections,
                      lambda server, transport=transport: over_http1(server, transport))
    for transport in filter(options.only.__contains__, HTTP2):
        for streams in (1, 100):
            connections = options.connections // 5 if streams == 1 else max(20, options.connections // 100)
            await measure(options.server, options.tls, f"{transport} (HTTP/2)", streams, connections,
                          lambda server, transport=transport, streams=streams: over_http2(server, transport, streams))
    if options.tls and "webtransport" in options.only:
        await measure(options.server, True, "webtransport", 1, max(20, options.connections // 20), over_http3)


if __name__ == "__main__":
    asyncio.run(main())
