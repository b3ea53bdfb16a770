"""What the clients of the server API find: a server of their own, and one connected user.

The calls that they make, and what has to come back, are `calls.json`, in the JSON form of Protobuf: `bytes` as base64,
64-bit numbers as strings. In an answer `$any` stands for anything, `$client` for the connection's id; `later` for error 108.
A result is compared as a whole.
"""

import asyncio
import contextlib
import json
import sys
import threading
from pathlib import Path

import websockets

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "env"))

from ports import free_port  # noqa: E402
from server import Server  # noqa: E402

ROOT = HERE.parents[1]
PROTO = ROOT / "proto"
API = "centrifugal/centrifugo/api/api.proto"
HTTP_KEY, GRPC_KEY = "http-key", "grpc-key"
SECRET = "a secret of sufficient length for a hash"
WAIT_SECONDS_MAX = 10


def config():
    room = {
        "name": "room", "presence": True, "history_size": 10, "history_ttl": "60s",
        "allow_subscribe_for_client": True,
    }
    return {
        "http_server": {"address": "127.0.0.1"},
        "health": {"enabled": True},
        "log": {"level": "warn"},
        "client": {"token": {"hmac_secret_key": SECRET}},
        "channel": {"namespaces": [room]},
        "http_api": {"key": HTTP_KEY},
        "grpc_api": {"enabled": True, "address": "127.0.0.1", "port": free_port(), "key": GRPC_KEY},
        "user_status": {"enabled": True},
    }


def streams_config():
    """A server whose clients connect over gRPC, both kinds of streams on one port."""
    news = {
        "name": "news", "presence": True, "history_size": 100, "history_ttl": "60s", "force_recovery": True,
        "allow_subscribe_for_client": True, "allow_publish_for_subscriber": True, "allow_history_for_subscriber": True,
    }
    port = {"enabled": True, "address": "127.0.0.1", "port": free_port(), "max_receive_message_size": 65536}
    return {
        "http_server": {"address": "127.0.0.1"},
        "health": {"enabled": True},
        "log": {"level": "warn"},
        "client": {"token": {"hmac_secret_key": SECRET}, "ping_interval": "1s", "pong_timeout": "900ms"},
        "channel": {"namespaces": [news]},
        "http_api": {"key": HTTP_KEY},
        "uni_grpc": port,
        "client_grpc": port,
    }


class User:
    """User 42, who is in `room:online` for as long as the block lasts, or the server lets it."""

    def __init__(self, server):
        self.url = server.url.replace("http", "ws") + "/connection/websocket"
        self.token = server.token(sub="42", info={"name": "Ann"}, jti="token-1", iat=1700000000)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        self.client = self._wait(self._connect())
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self._wait(self.socket.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def closed(self):
        """The code that the server closed the connection with."""

        async def ended():
            await self.socket.wait_closed()
            return self.socket.close_code

        return self._wait(ended())

    def _wait(self, what):
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(WAIT_SECONDS_MAX)

    async def _connect(self):
        self.socket = await websockets.connect(self.url)
        connect = {"token": self.token, "name": "calls", "version": "1.0"}
        connected = await self._ask({"id": 1, "connect": connect})
        await self._ask({"id": 2, "subscribe": {"channel": "room:online"}})
        return connected["connect"]["client"]

    async def _ask(self, command):
        await self.socket.send(json.dumps(command))
        reply = json.loads((await self.socket.recv()).splitlines()[0])
        assert "error" not in reply, reply
        return reply


@contextlib.contextmanager
def scene():
    """A server with the user connected to it."""
    with Server(config()) as server, User(server) as user:
        yield server, user


def calls(client):
    """The calls with the connection's id in its places."""
    return json.loads((HERE / "calls.json").read_text().replace("$client", client))


def expected(call):
    """The whole answer that a call has to get, in the JSON form of Protobuf."""
    if "answer" in call:
        return call["answer"]
    messages = {102: "unknown channel", 104: "not found", 107: "bad request", 108: "not available",
                112: "unrecoverable position"}
    code = 108 if call.get("later") else call.get("error")
    if code:
        return {"error": {"code": code, "message": messages[code]}}
    return {"result": call["result"]}


def differs(found, wanted, place="answer"):
    """Where an answer is not the wanted one; None where it is."""
    if wanted == "$any":
        return None
    if isinstance(wanted, dict) and isinstance(found, dict):
        if found.keys() != wanted.keys():
            return f"{place} has {sorted(found)}, not {sorted(wanted)}"
        parts = [(found[key], wanted[key], f"{place}.{key}") for key in wanted]
    elif isinstance(wanted, list) and isinstance(found, list):
        if len(found) != len(wanted):
            return f"{place} has {len(found)} items, not {len(wanted)}"
        parts = [(one, other, f"{place}[{index}]") for index, (one, other) in enumerate(zip(found, wanted))]
    else:
        return None if found == wanted else f"{place} is {found!r}, not {wanted!r}"
    return next(filter(None, (differs(*part) for part in parts)), None)
