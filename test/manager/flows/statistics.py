"""Live statistics, as the official client shows them."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from ai.backend.client.output.fields import agent_fields
from ai.backend.client.output.types import FieldSpec
from lab import Lab

from . import flow


def _read(value: Any) -> dict[str, Any]:
    return json.loads(value) if isinstance(value, str) else value or {}


@flow(seconds=180)
async def live_statistics(lab: Lab) -> None:
    """CPU time and memory of a busy session are shown right"""
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


@flow()
async def agent_statistics(lab: Lab) -> None:
    """The official client shows use of the node, of its devices, and how many containers there are"""
    fields = [agent_fields[name] for name in ("id", "live_stat", "cpu_cur_pct", "mem_cur_bytes")]
    fields.append(FieldSpec("container_count"))
    # The node is measured every 30 s, containers are counted every 10 s.
    async with lab.api.session():
        for _ in range(60):
            found = dict(await lab.api.client.Agent.detail(lab.agent.id, fields=fields))
            statistics = _read(found["live_stat"])
            if statistics.get("node") and found["container_count"]:
                break
            await asyncio.sleep(1)
    node, devices = statistics["node"], statistics["devices"]
    memory = node["mem"]
    real = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total = int(real["MemTotal"].split()[0]) << 10
    assert float(memory["capacity"]) == total and 0 < float(memory["current"]) < total, memory
    assert len(devices["cpu_util"]) == os.cpu_count() and all(float(core["capacity"]) > 0 for core in devices["cpu_util"].values()), devices
    assert {"disk", "net_rx", "net_tx"} <= set(node) and devices["mem"]["root"]["current"] == memory["current"], statistics
    assert found["cpu_cur_pct"] is not None and found["mem_cur_bytes"], found
    assert 1 <= found["container_count"] <= 20, found


async def _of_session(lab: Lab, session_id: str) -> dict[str, Any]:
    answer = await lab.api.query("query($id: UUID!) { compute_session(id: $id) { containers { live_stat } } }", {"id": session_id})
    (container,) = answer["compute_session"]["containers"]
    return _read(container["live_stat"])
