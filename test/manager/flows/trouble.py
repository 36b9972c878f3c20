"""Sessions that end otherwise than their user wanted."""

import re
import time

from lab import Lab
from lab.api import text
from lab.processes import run

from . import flow


@flow(reference="told after tens of seconds")
async def killed_from_outside(lab: Lab) -> None:
    """A container killed behind the agent's back is told within two seconds, with a reason"""
    async with lab.api.session() as session:
        kernel = await session.main()
        killed = time.time()
        run("docker", "kill", kernel.container_id)
        event = await lab.tap.wait_for(kernel.id, "kernel_terminated", 70)
        assert event.body["reason"] == "self-terminated", event.body
        await session.wait("TERMINATED")
        assert event.at - killed <= 2, f"told after {event.at - killed:.1f} s"


@flow(reference="nobody is told of an OOM kill; the session stays RUNNING")
async def out_of_memory(lab: Lab) -> None:
    """The user of a program that took too much memory is told so and how much it was, and the session is of use again"""
    async with lab.api.session(resources={"cpu": 1, "mem": "256m"}) as session:
        result = await session.run_through("x = bytearray(600 << 20); print(len(x))", 40)
        assert result["status"] == "finished", result
        shown = text(result, "stderr")
        assert re.search(r"memory ran out \(it held \d+ of 256 MiB", shown), f"nothing says why: {result}"
        assert await session.output("print('of use')") == "of use\n"


@flow(reference="empty after termination")
async def last_statistics(lab: Lab) -> None:
    """The last statistics of a session that ended are there"""
    async with lab.api.session() as session:
        await session.output("import time\nend = time.time() + 8\nwhile time.time() < end: pass")
    answer = await lab.api.query("query($id: UUID!) { compute_session(id: $id) { containers { last_stat } } }", {"id": session.id})
    (container,) = answer["compute_session"]["containers"]
    statistics = container["last_stat"]
    assert statistics and "cpu_used" in str(statistics), statistics
