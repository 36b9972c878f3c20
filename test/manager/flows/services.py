"""Services inside a session, reached by their published ports."""

import asyncio
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from lab import Lab
from lab.processes import run

from . import flow


@flow()
async def preopened_port(lab: Lab) -> None:
    """A port that the user opened beforehand leads to the user's own server"""
    async with lab.api.session(preopen_ports=[8899]) as session:
        await session.output("import subprocess; subprocess.Popen(['python3', '-m', 'http.server', '8899', '--bind', '0.0.0.0'])")
        await session.shell("echo served > served.txt")
        token = (await session.compute.start_service("8899"))["token"]
        assert await _fetch(f"http://{token}/served.txt") == "served\n"


@flow()
async def ssh(lab: Lab) -> None:
    """SSH is in every session: the official way in, with the key that the session keeps for its user"""
    async with lab.api.session() as session:
        host, port = (await session.compute.start_service("sshd"))["token"].split(":")
        with tempfile.TemporaryDirectory() as folder:
            key = Path(folder) / "id_container"
            key.touch(0o600)
            key.write_text(await session.shell("cat id_container") + "\n")
            options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR", "-o", f"UserKnownHostsFile={folder}/hosts"]
            command = ["ssh", *options, "-i", str(key), "-p", port, f"work@{host}", "hostname; echo $BACKENDAI_SESSION_ID"]
            said = await asyncio.to_thread(run, *command)
        assert said.split() == ["main1", str(session.id)], said


@flow(ours="the terminal is not built yet")
async def terminal(lab: Lab) -> None:
    """The built-in terminal answers on its published port"""
    async with lab.api.session() as session:
        address = (await session.compute.start_service("ttyd"))["token"]
        assert "<html" in (await _fetch(f"http://{address}/")).lower()


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
