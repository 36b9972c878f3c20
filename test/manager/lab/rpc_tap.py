"""Between Manager and agent, with nothing patched: passes the bytes on, and tells each RPC call and its answer with times.

rpc_tap.py LISTEN_PORT AGENT_PORT OUT     one line of JSON a call: {method, began, seconds, outcome}

The agent advertises LISTEN_PORT. Connections with CURVE pass too, but stay opaque.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable

import msgpack

GREETING_BYTES = 64
MORE, LONG, COMMAND = 1, 2, 4
CALL, OUTCOMES = 1, {2: "RESULT", 3: "FAILURE", 4: "ERROR", 6: "CANCELLED"}


class Frames:
    """The messages in one direction of a ZMTP 3 connection."""

    def __init__(self, tell: Callable[[list[bytes]], None]) -> None:
        self._tell = tell
        self._bytes = bytearray()
        self._is_greeted = False
        self._message: list[bytes] = []

    def feed(self, data: bytes) -> None:
        self._bytes += data
        if not self._is_greeted:
            if len(self._bytes) < GREETING_BYTES:
                return
            self._is_greeted = True
            del self._bytes[:GREETING_BYTES]
        while self._bytes:
            flags = self._bytes[0]
            head = 9 if flags & LONG else 2
            if len(self._bytes) < head:
                return
            end = head + int.from_bytes(self._bytes[1:head], "big")
            if len(self._bytes) < end:
                return
            frame = bytes(self._bytes[head:end])
            del self._bytes[:end]
            if flags & COMMAND:
                continue
            self._message.append(frame)
            if not flags & MORE:
                self._tell(self._message)
                self._message = []


async def main(port: int, agent_port: int, out_path: str) -> None:
    calls: dict[tuple[object, ...], float] = {}
    with open(out_path, "a", buffering=1) as out:

        def note(connection: int, message: list[bytes]) -> None:
            if len(message) != 3 or message[0] != b"UPPER":
                return
            now = time.time()
            header = msgpack.unpackb(message[1], strict_map_key=False)
            key = (connection, header["meth"], str(header["okey"]), str(header["seq"]))
            if header["type"] == CALL:
                calls[key] = now
            elif header["type"] in OUTCOMES and (began := calls.pop(key, None)) is not None:
                call = {"method": header["meth"], "began": began, "seconds": now - began, "outcome": OUTCOMES[header["type"]]}
                out.write(json.dumps(call) + "\n")

        count = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            count += 1
            connection = count
            try:
                agent_reader, agent_writer = await asyncio.open_connection("127.0.0.1", agent_port)
            except OSError:
                writer.close()
                return

            async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                frames = Frames(lambda message: note(connection, message))
                try:
                    while data := await source.read(65536):
                        target.write(data)
                        await target.drain()
                        frames.feed(data)
                except OSError:
                    pass
                finally:
                    target.close()

            await asyncio.gather(pump(reader, agent_writer), pump(agent_reader, writer))

        async with await asyncio.start_server(serve, "127.0.0.1", port) as server:
            await server.serve_forever()


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
