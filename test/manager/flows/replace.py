"""An operator swaps the agent of a node and goes back, step by step as docs/operating.md says."""

import asyncio
import os
import subprocess
import time
from typing import Any

from ai.backend.client.exceptions import BackendAPIError

from lab import Lab
from lab.api import UserSession
from lab.processes import run
from lab.settings import CPU_OVERCOMMIT, PROJECT

from . import flow

_MEMORY_ALIGNMENT = 16 << 20
# The table's columns that tell who the node is; the rest changes with each heartbeat.
_IDENTITY = ("id", "scaling_group", "addr", "public_key", "public_host", "architecture", "region")


@flow("agents", seconds=480)
async def replace_and_go_back(lab: Lab) -> None:
    """A node's Python agent is replaced with the very same TOML and id, and put back; the Manager sees one and the same node"""
    usual, began = lab.second.options.kind, time.time()
    try:
        await _change_to(lab, "reference")
        before, group = await _node(lab), lab.second.group

        async with lab.api.session(scaling_group=group) as session:
            kernel = await session.main()
            status, said = await asyncio.to_thread(_ag, lab, "start-server")
            assert status == 3 and "already in use" in said, f"beside a running Python agent: {status} {said}"
            assert run("docker", "inspect", "-f", "{{.State.Running}}", kernel.container_id).strip() == "true"
            await _works(session, "untouched")

            await _set_schedulable(lab, False)
            await _takes_no_session(lab)
        await _is_empty(lab)

        status, said = await asyncio.to_thread(_ag, lab, "config", "check")
        assert status == 0, said
        toml = _toml(lab)
        await _change_to(lab, "ours")
        await _is_the_same_node(lab, before, toml)
        status, said = await asyncio.to_thread(_ag, lab, "health")
        assert status == 0 and "FAILING" not in said, said
        await _takes_no_session(lab)
        await _set_schedulable(lab, True)
        async with lab.api.session(scaling_group=group) as session:
            await _works(session, "on the new agent")
            await _set_schedulable(lab, False)
        await _is_empty(lab)

        await _change_to(lab, "reference")
        await _is_the_same_node(lab, before, toml)
        await _set_schedulable(lab, True)
        async with lab.api.session(scaling_group=group) as session:
            await _works(session, "back again")
        await _is_empty(lab)
    finally:
        await _set_schedulable(lab, True)
        await _change_to(lab, usual)
        # The Python agent tells each end twice, which is not what other flows are about.
        lab.tap.events[:] = [event for event in lab.tap.events if event.source != lab.second.id or event.at < began]


async def _change_to(lab: Lab, kind: str) -> None:
    assert await asyncio.to_thread(lab.second.stop), f"the agent ({lab.second.options.kind}) did not stop by itself"
    lab.second.options.kind = kind
    await lab.second.start(120)


async def _node(lab: Lab) -> dict[str, Any]:
    """What the Manager knows of the node, with its slots, which it writes down a moment after it calls the agent ALIVE."""
    await asyncio.sleep(2)
    row = await lab.api.database.fetchrow("SELECT * FROM agents WHERE id = $1", lab.second.id)
    return {**{name: row[name] for name in _IDENTITY}, **await lab.api.capacity(lab.second.id)}


async def _is_the_same_node(lab: Lab, before: dict[str, Any], toml: str) -> None:
    after = await _node(lab)
    # The Python agent rounds memory up where ours rounds down, both to a multiple of this.
    missing = before["mem"] - after["mem"]
    assert 0 <= missing <= _MEMORY_ALIGNMENT and after == {**before, "mem": after["mem"]}, f"the node was {before} and is {after}"
    assert _toml(lab) == toml


async def _set_schedulable(lab: Lab, schedulable: bool) -> None:
    answer = await lab.api.query(
        "mutation($id: String!, $props: ModifyAgentInput!) { modify_agent(id: $id, props: $props) { ok msg } }",
        {"id": lab.second.id, "props": {"schedulable": schedulable}},
    )
    assert answer["modify_agent"]["ok"], answer


async def _works(session: UserSession, words: str) -> None:
    """The Python agent loses the output of some short runs, so it gets more than one chance."""
    for _ in range(5):
        if await session.output(f"print({words!r})") == f"{words}\n":
            return
    raise AssertionError(f"nobody prints '{words}'")


async def _takes_no_session(lab: Lab) -> None:
    """The node is the only one of its group, so the Manager says so at once."""
    try:
        await lab.api.enqueue(scaling_group=lab.second.group)
    except BackendAPIError as error:
        assert "has no agents" in str(error), error
    else:
        raise AssertionError("the Manager takes sessions for a node that is drained")


async def _is_empty(lab: Lab) -> None:
    """Nothing of a session is left on the node."""
    for _ in range(150):
        used = [amount for amount in (await lab.api.used(lab.second.id)).values() if amount]
        mine = ("--filter", "label=ai.backend.kernel-id", "--filter", f"label=ai.backend.owner={lab.second.id}")
        containers = run("docker", "ps", "-aq", *mine).split()
        folders = [path.name for path in lab.second.scratches.iterdir() if len(path.name) == 36]
        if not used and not containers and not folders:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"left on the node: {used} {containers} {folders}")


def _toml(lab: Lab) -> str:
    return (lab.second.folder / "agent.toml").read_text()


def _ag(lab: Lab, *words: str) -> tuple[int, str]:
    """Status and output of a command of ours with the node's configuration."""
    done = subprocess.run(
        [PROJECT / "backend.ai", "ag", *words, "--config", lab.second.folder / "agent.toml"],
        cwd=lab.second.folder,
        env={**os.environ, "BACKEND_CPU_OVERCOMMIT_FACTOR": CPU_OVERCOMMIT},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout
