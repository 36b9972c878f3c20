"""What must be so after everything."""

import asyncio

from lab import Lab
from lab.processes import run

from . import flow


@flow("end", reference="leaves the container of a kernel that ended while it was away")
async def accounting_is_zero(lab: Lab) -> None:
    """When all sessions have ended, the Manager counts nothing as used, and nothing is left on the host"""
    for _ in range(100):
        rows = await lab.api.database.fetch("SELECT agent_id, slot_name, used FROM agent_resources WHERE used <> 0")
        used = [f"{row['agent_id']}: {row['used']} {row['slot_name']}" for row in rows]
        open_sessions = await lab.api.database.fetchval(
            "SELECT count(*) FROM sessions WHERE status NOT IN ('TERMINATED', 'CANCELLED', 'ERROR')"
        )
        mine = [f"label=ai.backend.owner={agent.id}" for agent in (lab.agent, lab.second)]
        left = "".join(run("docker", "ps", "-aq", "--filter", "label=ai.backend.kernel-id", "--filter", owner) for owner in mine)
        if not used and open_sessions == 0 and not left:
            break
        await asyncio.sleep(0.3)
    else:
        raise AssertionError(f"used: {used}, open sessions: {open_sessions}, containers: {left.split()}")
    folders = [path.name for agent in (lab.agent, lab.second) for path in agent.scratches.iterdir() if len(path.name) == 36]
    assert not folders, f"scratch directories: {folders}"


@flow("end", reference="two per destroy")
async def told_once(lab: Lab) -> None:
    """Every kernel of the run has each step once on the stream, exactly one kernel_terminated, and nothing after it

    A destroy of a kernel that is gone is answered by one more, `already-terminated`: the Manager may have missed the first.
    """
    kernels = {event.body["kernel_id"] for event in lab.tap.events if event.name == "kernel_preparing"}
    mistakes: dict[str, list[str]] = {}
    for kernel_id in kernels:
        told = [event for event in lab.tap.of(kernel_id) if event.name != "do_sync_kernel_logs"]
        names = [event.name for event in told if event.body["reason"] != "already-terminated"]
        if kernel_id in lab.told_again:
            names = list(dict.fromkeys(names))
        twice = [name for name in ("kernel_preparing", "kernel_creating", "kernel_started") if names.count(name) > 1]
        if names.count("kernel_terminated") != 1 or names[-1] != "kernel_terminated" or twice:
            mistakes[kernel_id] = names
    assert kernels and not mistakes, f"{len(mistakes)} of {len(kernels)} kernels: {list(mistakes.items())[:3]}"
