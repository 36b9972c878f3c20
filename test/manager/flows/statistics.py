"""Live statistics, as the official client shows them."""

import asyncio
import json
from typing import Any

from lab import Lab

from . import flow


def _read(value: Any) -> dict[str, Any]:
    return json.loads(value) if isinstance(value, str) else value or {}


@flow(seconds=180)
async def live_statistics(lab: Lab) -> None:
    """CPU time and memory of a busy session, and of its agent, are shown right"""
    async with lab.api.session() as session:
        await session.output("keep = bytearray(120 << 20)\nfor i in range(0, len(keep), 4096): keep[i] = 1")
        code = "import threading\ndef burn():\n    while True: pass\nthreading.Thread(target=burn, daemon=True).start()"
        await session.output(code)
        # Prometheus scrapes every 5 s and rates need some of them; the reference measures every 30 s.
        for _ in range(100):
            await asyncio.sleep(1)
            statistics = await _of_session(lab, session.id)
            memory = float((statistics.get("mem") or {}).get("current") or 0)
            share = float((statistics.get("cpu_util") or {}).get("current") or 0)
            if memory > 120 << 20 and share > 0:
                break
        else:
            raise AssertionError(f"no right numbers: {statistics}")
        assert memory < 400 << 20, statistics
        agent = await lab.api.query("query($id: String!) { agent(agent_id: $id) { live_stat } }", {"id": lab.agent.id})
        node = _read(agent["agent"]["live_stat"])
        assert float(node["node"]["mem"]["capacity"]) > 1 << 30, node["node"]["mem"]
        assert "cpu_util" in node["node"] and node["devices"]["cpu_util"], node


async def _of_session(lab: Lab, session_id: str) -> dict[str, Any]:
    answer = await lab.api.query("query($id: UUID!) { compute_session(id: $id) { containers { live_stat } } }", {"id": session_id})
    (container,) = answer["compute_session"]["containers"]
    return _read(container["live_stat"])
