"""A slow and lossy network on one machine, with no help of the kernel's traffic control (root, /dev/net/tun).

far_link.py DELAY_MS LOSS_PERCENT PORT:TARGET...

Makes a network namespace whose only way out is a pair of TUN devices. Every IP packet between them waits for half of the delay
in each direction, and some are lost: TCP sees what it sees on a long bad line. In the namespace, at FAR, each PORT leads to a
TARGET port of this machine's 127.0.0.1. Removes the namespace when it ends.
"""

import asyncio
import fcntl
import os
import random
import signal
import socket
import struct
import subprocess
import sys

NEAR, FAR = "10.213.87.1", "10.213.87.2"
_SET_INTERFACE, _TUN, _NO_PACKET_INFORMATION = 0x400454CA, 0x0001, 0x1000
_NAMESPACE = f"far-{os.getpid()}"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def tun(name: str, address: str, peer: str) -> int:
    """In the namespace in which this process is."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _SET_INTERFACE, struct.pack("16sH", name.encode(), _TUN | _NO_PACKET_INFORMATION))
    ip("address", "add", address, "peer", peer, "dev", name)
    ip("link", "set", name, "up")
    return device


def carry(source: int, target: int, seconds: float, loss: float) -> None:
    loop = asyncio.get_running_loop()

    def deliver(packet: bytes) -> None:
        try:
            os.write(target, packet)
        except BlockingIOError:
            pass  # A full queue loses packets as well.

    def take() -> None:
        try:
            packet = os.read(source, 65536)
        except BlockingIOError:
            return
        if random.random() >= loss:
            loop.call_later(seconds, deliver, packet)

    loop.add_reader(source, take)


async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    except OSError:
        pass
    finally:
        target.close()


async def main(delay: float, loss: float, routes: list[tuple[int, int]]) -> None:
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    ip("netns", "add", _NAMESPACE)
    there = os.open(f"/run/netns/{_NAMESPACE}", os.O_RDONLY)
    try:
        near = tun("bai-near", NEAR, FAR)
        os.setns(there, os.CLONE_NEWNET)
        far = tun("bai-far", FAR, NEAR)
        carry(near, far, delay / 2, loss)
        carry(far, near, delay / 2, loss)

        async def relay(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # A socket stays for ever in the namespace in which it was made.
            os.setns(here, os.CLONE_NEWNET)
            out = socket.socket()
            os.setns(there, os.CLONE_NEWNET)
            out.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(out, ("127.0.0.1", port))
            except OSError:
                out.close()
                writer.transport.abort()
                return
            far_reader, far_writer = await asyncio.open_connection(sock=out)
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

        for port, target in routes:
            await asyncio.start_server(lambda reader, writer, target=target: relay(target, reader, writer), FAR, port)
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        await stopped.wait()
    finally:
        os.setns(here, os.CLONE_NEWNET)
        ip("netns", "delete", _NAMESPACE)


if __name__ == "__main__":
    words = [word.split(":") for word in sys.argv[3:]]
    asyncio.run(main(float(sys.argv[1]) / 1000, float(sys.argv[2]) / 100, [(int(port), int(target)) for port, target in words]))
