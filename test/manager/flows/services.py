"""Services inside a session, reached by their published ports."""

import asyncio
import json
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

import aiohttp

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


@flow()
async def terminal(lab: Lab) -> None:
    """The built-in terminal: its page, and a command typed by ttyd's protocol through the published port"""
    async with lab.api.session() as session:
        address = (await session.compute.start_service("ttyd"))["token"]
        assert "<html" in (await _fetch(f"http://{address}/")).lower()
        token = json.loads(await _fetch(f"http://{address}/token"))["token"]
        async with aiohttp.ClientSession() as http, http.ws_connect(f"http://{address}/ws", protocols=["tty"]) as terminal:
            await terminal.send_bytes(json.dumps({"AuthToken": token, "columns": 101, "rows": 31}).encode())
            await asyncio.wait_for(_read_until(terminal, "$ "), 30)
            await terminal.send_bytes("0stty size; echo ty''ped in $BACKENDAI_SESSION_ID ✓\r".encode())
            said = await asyncio.wait_for(_read_until(terminal, f"typed in {session.id} ✓"), 30)
        # One row less where tmux has its status line.
        assert "31 101" in said or "30 101" in said, said


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


async def _read_until(terminal: aiohttp.ClientWebSocketResponse, text: str) -> str:
    """What a terminal shows, up to `text`."""
    said = b""
    while text.encode() not in said:
        message = await terminal.receive_bytes()
        if message[:1] == b"0":
            said += message[1:]
    return said.decode(errors="replace")


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
