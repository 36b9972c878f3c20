"""A TCP port that leads to another one while it is open, and can be shut: a server that is away, or hangs, for some only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """Use it by `gate()`. It starts open."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._refuses = False
        self._bytes_left = float("inf")
        self._writers: set[asyncio.StreamWriter] = set()

    def open(self) -> None:
        self._refuses = False
        self._bytes_left = float("inf")
        self._flowing.set()

    def stall_after(self, count: int) -> None:
        """Connections stay, and after so many bytes nothing comes through."""
        self._bytes_left = count

    def cut(self) -> None:
        """As a server that is stopped: connections end, and new ones do as well."""
        self._refuses = True
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, far_writer}
        self._writers |= pair
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        finally:
            self._writers -= pair

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                self._bytes_left -= len(data)
                if self._bytes_left < 0:
                    self._flowing.clear()
                await self._flowing.wait()
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()


@asynccontextmanager
async def gate(port: int, target_port: int) -> AsyncIterator[Gate]:
    passing = Gate(target_port)
    server = await asyncio.start_server(passing.serve, "127.0.0.1", port)
    try:
        yield passing
    finally:
        server.close()
        passing.cut()
