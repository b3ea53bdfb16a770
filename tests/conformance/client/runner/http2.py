"""WebSocket over a stream of HTTP/2 (RFC 8441), alone on its connection."""

import asyncio

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.events import ConnectionTerminated, DataReceived, RemoteSettingsChanged, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from websockets.frames import DATA_OPCODES, Opcode
from websockets.protocol import OPEN, Protocol, Side

from .connection import PATHS, Connection

HEAD_BYTES = 9
SUBPROTOCOLS = {"json": "centrifuge-json", "protobuf": "centrifuge-protobuf"}


class Tunnel:
    """Bytes both ways through an extended CONNECT."""

    def __init__(self, host, port, tls=None):
        self.host, self.port, self.tls = host, port, tls
        self.http = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.room, self.sending = asyncio.Event(), asyncio.Lock()

    async def open(self, path, headers):
        """Headers of the answer."""
        self.incoming, self.outgoing = await asyncio.open_connection(self.host, self.port, ssl=self.tls)
        self.http.initiate_connection()
        settings = await self.event(RemoteSettingsChanged)
        if SettingCodes.ENABLE_CONNECT_PROTOCOL not in settings.changed_settings:
            raise ConnectionError("the server allows no WebSocket over HTTP/2")
        self.stream = self.http.get_next_available_stream_id()
        self.http.send_headers(self.stream, [
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", path),
            (":authority", f"{self.host}:{self.port}"), *headers,
        ])
        return dict((await self.event(ResponseReceived)).headers)

    async def event(self, wanted):
        """The first of these among the events that come before any data."""
        while True:
            for event in await self.events():
                if isinstance(event, wanted):
                    return event

    async def events(self):
        """What the next frame brings."""
        self.pass_on()
        head = await self.incoming.readexactly(HEAD_BYTES)
        frame = head + await self.incoming.readexactly(int.from_bytes(head[:3]))
        events = self.http.receive_data(frame)
        if any(isinstance(event, ConnectionTerminated) and not event.error_code for event in events):
            # Streams under way go on (RFC 9113, 6.8), which the library does not know.
            self.http.state_machine.state = ConnectionState.CLIENT_OPEN
        self.pass_on()
        self.room.set()
        return events

    def pass_on(self):
        """What HTTP/2 has to say goes out."""
        self.outgoing.write(self.http.data_to_send())

    async def read(self):
        """What has come; `None` at the end."""
        read = b""
        for event in await self.events():
            if isinstance(event, DataReceived):
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                read += event.data
            elif isinstance(event, (StreamEnded, StreamReset)):
                return read or None
        self.pass_on()
        return read

    async def write(self, data):
        async with self.sending:
            while data:
                room = min(self.http.local_flow_control_window(self.stream), self.http.max_outbound_frame_size)
                if room:
                    self.http.send_data(self.stream, data[:room])
                    self.pass_on()
                    data = data[room:]
                else:
                    self.room.clear()
                    await self.room.wait()

    def abort(self):
        self.outgoing.transport.abort()


class WebSocketOverHTTP2(Connection):
    """The frames are WebSocket's; what carries them is not."""

    tunnel = None

    async def open(self):
        self.log(self.name, ">", "[open WebSocket over HTTP/2]")
        self.tunnel = Tunnel("127.0.0.1", self.server.port)
        self.socket = Protocol(Side.CLIENT, state=OPEN, max_size=None)
        self.parts = []
        headers = [("sec-websocket-version", "13"), ("sec-websocket-protocol", SUBPROTOCOLS[self.fmt])]
        self.headers = await self.tunnel.open(PATHS["websocket"], headers)
        if self.headers[":status"] != "200":
            raise ConnectionError(f"HTTP {self.headers[':status']}")
        self.reader = asyncio.create_task(self.read())

    async def read(self):
        try:
            while (data := await self.tunnel.read()) is not None:
                self.socket.receive_data(data)
                for frame in self.socket.events_received():
                    await self.take_part(frame)
                await self.flush()
                if self.socket.close_rcvd:
                    break
        except (EOFError, OSError, ProtocolError, ValueError) as problem:
            self.log(self.name, "<", f"[{problem!r}]")
        received = self.socket.close_rcvd
        self.finish(received.code if received else None, received.reason if received else "")

    async def take_part(self, frame):
        if frame.opcode is Opcode.PING:
            self.native_ping.set()
        if frame.opcode not in DATA_OPCODES:
            return
        self.parts.append(frame)
        if frame.fin:
            kind, whole = self.parts[0].opcode, b"".join(part.data for part in self.parts)
            self.parts = []
            if (kind is Opcode.TEXT) != (self.fmt == "json"):
                raise ValueError(f"{kind.name} frame on a {self.fmt} connection")
            await self.take_frame(whole, "Reply")

    async def flush(self):
        """What WebSocket has to say goes out."""
        try:
            await self.tunnel.write(b"".join(self.socket.data_to_send()))
        except ProtocolError:
            pass  # the stream is over

    async def send_raw(self, frame):
        self.log(self.name, ">", frame.hex() if isinstance(frame, bytes) else str(frame))
        fragments = frame if isinstance(frame, list) else [frame]
        for index, part in enumerate(fragments):
            data = part.encode() if isinstance(part, str) else part
            begin = self.socket.send_text if isinstance(part, str) else self.socket.send_binary
            put = self.socket.send_continuation if index else begin
            put(data, index == len(fragments) - 1)
        await self.flush()

    async def drop(self):
        self.log(self.name, ">", "[drop TCP]")
        self.tunnel.abort()

    async def leave(self, code=1000, reason=""):
        self.log(self.name, ">", f"[close frame {code}]")
        self.socket.send_close(code, reason)
        await self.flush()

    async def cleanup(self):
        await super().cleanup()
        if self.tunnel:
            self.tunnel.abort()
