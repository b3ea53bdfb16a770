"""WebTransport: one bidirectional stream of a session over HTTP/3."""

import asyncio
import datetime
import ipaddress
import ssl

from aioquic.asyncio import QuicConnectionProtocol
from aioquic.buffer import Buffer
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, StreamDataReceived
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .connection import Connection

PATH = "/connection/webtransport"
# The capsule that ends a session with a code.
CLOSE_SESSION = 0x2843
DATAGRAM_BYTES = 65536


def certificate():
    """A certificate of this machine and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - day, now + day)
    text = builder.add_extension(names, critical=False).sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    kept = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return text.decode(), kept.decode()


class Session(QuicConnectionProtocol):
    """A QUIC connection that carries one session."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.http = H3Connection(self._quic, enable_webtransport=True)
        self.answered = asyncio.get_running_loop().create_future()
        # Pieces of the stream; `None` at its end.
        self.pieces = asyncio.Queue()
        # Code and text that the session was closed with; if without, those of the connection.
        self.closed = asyncio.get_running_loop().create_future()
        self.stream = None
        self.silent = False

    async def open(self, authority, path):
        """The status of the answer."""
        self.session = self._quic.get_next_available_stream_id()
        self.http.send_headers(self.session, [
            (b":method", b"CONNECT"), (b":scheme", b"https"), (b":authority", authority.encode()),
            (b":path", path.encode()), (b":protocol", b"webtransport"),
        ])
        self.transmit()
        status = int(dict(await self.answered)[b":status"])
        if status == 200:
            self.stream = self.http.create_webtransport_stream(self.session)
        return status

    def quic_event_received(self, event):
        match event:
            case ConnectionTerminated():
                self.end(event.error_code, event.reason_phrase)
            # What comes back on a stream of ours is not framed; the library takes it for frames.
            case StreamDataReceived(stream_id=self.stream):
                self.pieces.put_nowait(event.data)
                if event.end_stream:
                    self.pieces.put_nowait(None)
            case _:
                for one in self.http.handle_event(event):
                    match one:
                        case HeadersReceived(stream_id=self.session):
                            self.answered.set_result(one.headers)
                        case DataReceived(stream_id=self.session) if one.data:
                            self.take_capsule(Buffer(data=one.data))

    def take_capsule(self, capsule):
        kind, length = capsule.pull_uint_var(), capsule.pull_uint_var()
        if kind == CLOSE_SESSION:
            self.end(capsule.pull_uint32(), capsule.pull_bytes(length - 4).decode())

    def end(self, code, reason):
        if self.closed.done():
            return
        self.pieces.put_nowait(None)
        self.closed.set_result((code, reason))
        if not self.answered.done():
            self.answered.set_exception(ConnectionError("the connection ended"))
            # Nobody may be waiting for it.
            self.answered.exception()

    def fall_silent(self):
        """Sends nothing more."""
        self.silent = True
        self._transport.close()
        self.end(0, "")

    def transmit(self):
        if not self.silent:
            super().transmit()

    def write(self, data):
        self._quic.send_stream_data(self.stream, data)
        self.transmit()


async def connected(port, trust=None):
    """A QUIC connection to a port of this machine, which has to show the certificate that is trusted, or any."""
    configuration = QuicConfiguration(
        alpn_protocols=H3_ALPN, max_datagram_frame_size=DATAGRAM_BYTES, server_name="localhost",
        verify_mode=ssl.CERT_REQUIRED if trust else ssl.CERT_NONE, cadata=trust.encode() if trust else None)
    endpoint = asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Session(QuicConnection(configuration=configuration)), local_addr=("127.0.0.1", 0))
    _, session = await endpoint
    session.connect(("127.0.0.1", port))
    await session.wait_connected()
    return session


class WebTransport(Connection):
    """Lines or messages with lengths, both ways on the stream that the client opens."""

    message = "Reply"
    session = None

    async def open(self):
        self.log(self.name, ">", "[open WebTransport]")
        self.session = await connected(self.server.port)
        query = "?cf_protocol=protobuf" if self.fmt == "protobuf" else ""
        status = await self.session.open(f"localhost:{self.server.port}", PATH + query)
        if status != 200:
            raise ConnectionError(f"HTTP {status}")
        self.reader = asyncio.create_task(self.read())

    async def read(self):
        buffer = b""
        while (piece := await self.session.pieces.get()) is not None:
            buffer = await self.consume(buffer + piece)
        code, reason = await self.session.closed
        told = self.disconnect or {"code": 0, "reason": ""}
        if (code, reason) != (told["code"], told["reason"]):
            self.log(self.name, "<", f"[closed with {code} {reason!r}, which is not what was told]")
            self.disconnect = None
        self.finish()

    async def send_raw(self, frame):
        self.log(self.name, ">", "hex " + frame.hex() if isinstance(frame, bytes) else frame)
        if isinstance(frame, str):
            frame = frame.removesuffix("\n").encode() + b"\n"
        self.session.write(frame)

    async def drop(self):
        self.log(self.name, ">", "[drop UDP]")
        self.session.fall_silent()

    async def leave(self):
        self.session.close()

    async def cleanup(self):
        await super().cleanup()
        if self.session:
            self.session.close()
            self.session.fall_silent()
