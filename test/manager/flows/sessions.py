"""Making and ending sessions."""

import asyncio
import json
import uuid

from ai.backend.client.exceptions import BackendAPIError
from lab import Lab
from lab.api import ENDED
from lab.processes import run

from . import flow


@flow()
async def create_run_destroy(lab: Lab) -> None:
    """A session with environment, bootstrap script and resource options: made, used, gone"""
    options = {
        "envs": {"FLOW_VAR": "läb ✓ $HOME"},
        "bootstrap_script": "#!/bin/sh\necho booted > /home/work/boot.txt\n",
        "resource_opts": {"shmem": "128m"},
        "resources": {"cpu": 2, "mem": "640m"},
    }
    async with lab.api.session(**options) as session:
        kernel = await session.main()
        assert await session.output("import os; print(os.environ['FLOW_VAR'])") == "läb ✓ $HOME\n"
        assert await session.shell("cat /home/work/boot.txt") == "booted"
        size = int((await session.shell("df -B1 --output=size /dev/shm | tail -1")).strip())
        assert size == 128 << 20, f"/dev/shm has {size} bytes"
        variables = json.loads(await session.output("import os, json; print(json.dumps(dict(os.environ)))"))
        for key, value in {"BACKENDAI_KERNEL_ID": kernel.id, "BACKENDAI_SESSION_ID": session.id}.items():
            assert variables.get(key) == value, f"{key} is {variables.get(key)}, wanted {value}"
        assert await session.shell("id -u; id -g; pwd") == "1000\n1000\n/home/work"
    assert (await session.status())[0] == "TERMINATED"
    assert not (lab.agent.scratches / kernel.id).exists(), "the scratch directory is still there"


@flow()
async def two_at_once(lab: Lab) -> None:
    """Two sessions made at the same moment have their own state"""
    async with lab.api.session() as one, lab.api.session() as two:
        await asyncio.gather(one.output("x = 1"), two.output("x = 2"))
        assert [await one.output("print(x)"), await two.output("print(x)")] == ["1\n", "2\n"]


@flow()
async def rename(lab: Lab) -> None:
    """A renamed session is found by its new name"""
    async with lab.api.session() as session:
        name = "flow-" + uuid.uuid4().hex[:10]
        await session.post("rename", {"session_name": name})
        renamed = lab.api.client.ComputeSession(name)
        info = await renamed.get_info()
        assert info["status"] == "RUNNING", info


@flow()
async def restart(lab: Lab) -> None:
    """This Manager answers a restart with 501 and asks no agent; the session goes on as it was"""
    async with lab.api.session() as session:
        await session.output("x = 1")
        try:
            await session.compute.restart()
        except BackendAPIError as error:
            assert error.status == 501, error
        else:
            raise AssertionError("a Manager that restarts sessions: this flow must show more")
        assert await session.output("print(x)") == "1\n"


@flow()
async def event_stream(lab: Lab) -> None:
    """Each step of a kernel is broadcast, in order, and the user's event stream follows the session to its end"""
    session = await lab.api.enqueue()
    seen: list[str] = []

    async def listen() -> None:
        async with session.compute.listen_events() as events:
            async for event in events:
                seen.append(event.event)
                if event.event == "session_terminated":
                    return

    listening = asyncio.create_task(listen())
    try:
        await session.wait("RUNNING")
        await session.destroy()
        await session.wait("TERMINATED")
        await asyncio.wait_for(listening, 20)
    finally:
        listening.cancel()
        await lab.api.end(session)
    kernel = await session.main()
    told = [event.name for event in lab.tap.broadcasts if event.body.get("kernel_id") == kernel.id]
    wanted = ["kernel_preparing", "kernel_creating", "kernel_started", "kernel_terminated"]
    assert sorted(set(told), key=told.index) == wanted, f"the agent told {told}"
    # The Manager passes them on in an order of its own, and a busy one few of them.
    assert "session_terminated" in seen, f"the user was told {seen}"


@flow(reference="a destroy during creation throws")
async def destroy_while_preparing(lab: Lab) -> None:
    """A session destroyed by force while it is made ends, and nothing of it stays"""
    session = await lab.api.enqueue()
    await session.wait("PREPARED", "CREATING", "RUNNING")
    kernel = await session.main()
    await lab.tap.wait_for(kernel.id, "kernel_creating", 60)
    await session.destroy(forced=True)
    await session.wait(*ENDED)
    await lab.tap.wait_for(kernel.id, "kernel_terminated", 60)
    await _nothing_left(lab, kernel.id)


@flow()
async def destroy_forced(lab: Lab) -> None:
    """A forced destroy ends a session whose program takes no notice of signals"""
    async with lab.api.session() as session:
        kernel = await session.main()
        code = "import signal, subprocess; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        await session.output(code + "subprocess.Popen(['sh', '-c', 'trap \"\" TERM INT; sleep 600'])")
        await session.destroy(forced=True)
        await session.wait("TERMINATED", seconds=60)
    await _nothing_left(lab, kernel.id)


@flow(reference="another agent tells of it too, as self-terminated")
async def destroy_frozen(lab: Lab) -> None:
    """A forced destroy ends a session whose container is frozen"""
    async with lab.api.session() as session:
        kernel = await session.main()
        await asyncio.to_thread(run, "docker", "pause", kernel.container_id)
        await session.destroy(forced=True)
        await session.wait("TERMINATED", seconds=60)
    await _nothing_left(lab, kernel.id)
    # It goes out when nothing is left.
    await lab.tap.wait_for(kernel.id, "kernel_terminated", 10)
    told = lab.tap.of(kernel.id, "kernel_terminated")
    assert len(told) == 1 and told[0].body["reason"] in ("force-terminated", "user-requested"), told


async def _nothing_left(lab: Lab, kernel_id: str, seconds: float = 20) -> None:
    """Neither container nor scratch directory: forced ends are told before the agent has tidied up."""
    for _ in range(int(seconds * 5)):
        left = await lab.containers(kernel_id)
        if not left and not (lab.agent.scratches / kernel_id).exists():
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"left of kernel {kernel_id}: containers {left}, or its scratch directory")


@flow("agents")
async def pending_until_room(lab: Lab) -> None:
    """A session that asks for more than is free stays PENDING, and starts when there is room"""
    cores = (await lab.api.capacity(lab.second.id))["cpu"]
    async with lab.api.session(scaling_group=lab.second.group, resources={"cpu": cores - 1, "mem": "512m"}) as first:
        second = await lab.api.enqueue(scaling_group=lab.second.group, resources={"cpu": 2, "mem": "512m"})
        try:
            await asyncio.sleep(8)
            status, info = await second.status()
            assert status == "PENDING", f"{status} ({info})"
            await first.destroy()
            await second.wait("RUNNING")
            assert await second.output("print('started later')") == "started later\n"
        finally:
            await lab.api.end(second)
