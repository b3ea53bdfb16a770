"""A TCP proxy that a test can cut: it drops both sides of every connection and refuses new ones until it is mended."""

import asyncio


class Cutter:
    """In front of a port of this machine, for the length of an `async with` block."""

    def __init__(self, target):
        self.target, self.received = target, 0
        self._whole, self._writers = True, set()

    async def __aenter__(self):
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.cut()
        self._listener.close()

    def cut(self):
        self._whole = False
        for writer in self._writers:
            writer.transport.abort()

    def mend(self):
        self._whole = True

    async def _serve(self, from_client, to_client):
        if not self._whole:
            to_client.transport.abort()
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.target)
        both = {to_client, to_server}
        self._writers |= both
        try:
            await asyncio.gather(
                self._copy(from_client, to_server, counted=False), self._copy(from_server, to_client, counted=True)
            )
        finally:
            self._writers -= both
            for writer in both:
                writer.transport.abort()

    async def _copy(self, source, target, *, counted):
        try:
            while data := await source.read(65536):
                self.received += len(data) if counted else 0
                target.write(data)
                await target.drain()
            target.close()
        except OSError:
            target.transport.abort()
