"""Files and logs of a session."""

import json
import tempfile
from pathlib import Path
from typing import Any

from ai.backend.client.exceptions import BackendAPIError
from lab import Lab
from lab.api import UserSession

from . import flow


@flow(reference="uploaded files belong to root")
async def files(lab: Lab) -> None:
    """Files are uploaded, listed and downloaded, one by one and several at once"""
    content = bytes(range(256)) * 2000
    async with lab.api.session() as session:
        with tempfile.TemporaryDirectory() as name:
            here, there = Path(name, "here"), Path(name, "there")
            here.mkdir()
            there.mkdir()
            (here / "data.bin").write_bytes(content)
            (here / "text.txt").write_text("text ✓")
            await session.compute.upload([here / "data.bin", here / "text.txt"], basedir=here)
            owner = await session.shell("mkdir sub && mv data.bin sub && stat -c '%u %s' sub/data.bin")
            assert owner == f"1000 {len(content)}", owner
            await session.compute.download(["sub/data.bin"], dest=there)
            found = next(there.rglob("data.bin"))
            assert found.read_bytes() == content
            await session.compute.download(["text.txt", "sub/data.bin"], dest=there)
            assert next(there.rglob("text.txt")).read_text() == "text ✓"
        (entry,) = await _list(session, "sub")
        assert (entry["filename"], entry["size"]) == ("data.bin", len(content)), entry
        names = {entry["filename"] for entry in await _list(session, ".")}
        assert {"sub", "text.txt"} <= names, names


@flow()
async def files_of_all_names(lab: Lab) -> None:
    """Names with spaces and UTF-8, an empty file and a whole directory are listed and downloaded; a missing one is named

    The released client sends such names percent-encoded and the released Manager passes them on so: they are made inside.
    """
    async with lab.api.session() as session:
        with tempfile.TemporaryDirectory() as name:
            here, there = Path(name, "here"), Path(name, "there")
            for folder in (here, there):
                folder.mkdir()
            contents = {"empty": b"", "lone": b"\x00\xff" * 5000}
            for path, content in contents.items():
                (here / path).write_bytes(content)
            await session.compute.upload([here / path for path in contents], basedir=here)
            await session.shell("mkdir -p 'some dir/deep/er' && cp lone 'some dir/deep/er/Größe ✓ 日本.bin' && cp lone 'a file.txt'")
            listed = {entry["filename"]: entry["size"] for entry in await _list(session, ".")}
            assert (listed["empty"], listed["a file.txt"]) == (0, 10_000), listed
            assert [entry["filename"] for entry in await _list(session, "some dir/deep/er")] == ["Größe ✓ 日本.bin"]
            await session.compute.download(["empty", "a file.txt", "some dir"], dest=there)
            assert (there / "empty").read_bytes() == b"" and (there / "a file.txt").read_bytes() == contents["lone"]
            assert (there / "some dir/deep/er/Größe ✓ 日本.bin").read_bytes() == contents["lone"], list(there.rglob("*"))
            try:
                await session.compute.download(["not here.txt"], dest=there)
            except BackendAPIError as error:
                # Whatever an agent answers, this Manager tells its user no more; what it was is in the logs of both.
                assert error.status >= 400, error
            else:
                raise AssertionError("a file that is not there was downloaded")
        answer = await session.get("files", path="no such dir")
        assert answer["files"] in ("", "[]") and "no such dir" in answer["errors"], answer


async def _list(session: UserSession, path: str) -> list[dict[str, Any]]:
    return json.loads((await session.get("files", path=path))["files"])


@flow()
async def files_outside(lab: Lab) -> None:
    """What is outside of /home/work is not handed out"""
    async with lab.api.session() as session:
        for path in ("/etc/passwd", "../../etc/passwd"):
            with tempfile.TemporaryDirectory() as there:
                try:
                    await session.compute.download([path], dest=there)
                except Exception:
                    pass
                assert not list(Path(there).rglob("passwd")), f"{path} was downloaded"


@flow()
async def logs(lab: Lab) -> None:
    """The container's log holds what its main program wrote"""
    async with lab.api.session(bootstrap_script="#!/bin/sh\necho from-the-bootstrap\n") as session:
        await session.shell("echo from-the-program > /proc/1/fd/1 2>/dev/null || true")
        found = await session.logs()
        assert "from-the-bootstrap" in found, found[-500:]
