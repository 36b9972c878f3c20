"""Services inside a session, reached by their published ports."""

import asyncio
import time
from urllib.request import urlopen

from lab import Lab

from . import flow


@flow()
async def preopened_port(lab: Lab) -> None:
    """A port that the user opened beforehand leads to the user's own server"""
    async with lab.api.session(preopen_ports=[8899]) as session:
        await session.output("import subprocess; subprocess.Popen(['python3', '-m', 'http.server', '8899', '--bind', '0.0.0.0'])")
        await session.shell("echo served > served.txt")
        token = (await session.compute.start_service("8899"))["token"]
        assert await _fetch(f"http://{token}/served.txt") == "served\n"


@flow(ours="the terminal and SSH are not built yet")
async def intrinsic_services(lab: Lab) -> None:
    """The built-in terminal and SSH answer on their published ports"""
    async with lab.api.session() as session:
        terminal = (await session.compute.start_service("ttyd"))["token"]
        assert "<html" in (await _fetch(f"http://{terminal}/")).lower()
        host, port = (await session.compute.start_service("sshd"))["token"].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            banner = await asyncio.wait_for(reader.readline(), 10)
        finally:
            writer.close()
        assert banner.startswith(b"SSH-2.0-"), banner


@flow()
async def unknown_service(lab: Lab) -> None:
    """A service that the image doesn't have is refused, quickly"""
    async with lab.api.session() as session:
        began = time.monotonic()
        try:
            await session.compute.start_service("nonsense")
        except Exception:
            assert time.monotonic() - began < 5
        else:
            raise AssertionError("it was started")


async def _fetch(url: str, seconds: float = 15) -> str:
    """A service may need a moment after its start was answered."""
    end = time.monotonic() + seconds
    while True:
        try:
            with await asyncio.to_thread(urlopen, url, None, 5) as response:
                return response.read().decode()
        except OSError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.3)
