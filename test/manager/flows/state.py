"""What Managers read about an agent and its kernels in Redis, besides events."""

import asyncio
import base64
import json
import time
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgpack

from lab import Lab

from . import flow

STATISTICS, LIVE, IMAGES, CONTAINER_LOGS, TASKS = 0, 2, 3, 6, 7


async def _eventually(holds: Callable[[], Awaitable[Any]], what: str, seconds: float) -> Any:
    end = time.monotonic() + seconds
    while not (found := await holds()):
        assert time.monotonic() < end, f"no {what} within {seconds:.0f} s"
        await asyncio.sleep(0.2)
    return found


async def _document(lab: Lab, key: str, ttl: int) -> dict[Any, Any]:
    """Statistics of a node, kernel or container, which must go by themselves some time."""
    async with lab.tap.state(STATISTICS) as redis:
        found = await redis.get(key)
        if found is None:
            return {}
        assert 0 < await redis.ttl(key) <= ttl, f"{key} stays for {await redis.ttl(key)} s, wanted {ttl}"
        return msgpack.unpackb(found, strict_map_key=False)


@flow(seconds=180)
async def redis_state(lab: Lab) -> None:
    """The Redis keys of a running kernel and of its agent are there, right, and expire; after its end they tell so"""
    async with lab.api.session() as session:
        kernel = await session.main()
        await session.output("import time\nend = time.time() + 1\nwhile time.time() < end: pass")

        async def measured_whole() -> dict[Any, Any]:
            found = await _document(lab, kernel.id, 86_400)
            return found if {"cpu_used", "cpu_util", "mem"} <= set(found) else {}

        measured = await _eventually(measured_whole, "statistics of the kernel", 90)
        assert float(measured["cpu_used"]["current"]) > 0 and int(measured["mem"]["capacity"]) == 512 << 20, measured
        assert measured["cpu_util"]["unit_hint"] in ("millicores", "percent"), measured["cpu_util"]
        processes = await _eventually(lambda: _document(lab, kernel.container_id, 120), "statistics of its processes", 60)
        assert all(isinstance(pid, int) for pid in processes) and any(float(one.get("mem", {}).get("current", 0)) > 1 << 20 for one in processes.values()), processes
        node = await _document(lab, lab.agent.id, 120)
        assert float(node["node"]["mem"]["capacity"]) > 1 << 30 and node["devices"]["cpu_util"], node
        await _eventually(lambda: _is_present(lab, kernel.id), "presence of the kernel", 70)
        assert await _containers(lab) >= 1
    # Others of the lane come and go: the count is compared with what is there at that moment.
    async def counted() -> bool:
        running = await lab.api.database.fetchval(
            "SELECT count(*) FROM kernels WHERE agent = $1 AND status = 'RUNNING'", lab.agent.id
        )
        return await _containers(lab) == running

    await _eventually(counted, "right count of containers", 60)
    async with lab.tap.state(STATISTICS) as redis:
        metadata = {key.decode(): json.loads(value) for key, value in (await redis.hgetall("computer.metadata")).items()}
        assert metadata["cpu"]["slot_name"] == "cpu" and metadata["ram"]["display_unit"] == "GiB", metadata
        assert await redis.ttl(kernel.id) > 0, "the last statistics of the kernel don't expire"
    async with lab.tap.state(LIVE) as redis:
        assert await redis.ttl(f"kernel:presence:{kernel.id}") <= 300, "its presence doesn't expire"
    async with lab.tap.state(IMAGES) as redis:
        listed = json.loads(await redis.get(f"installed_image:{lab.agent.id}"))
    mine = [entry for entry in listed if entry["canonical"] == lab.settings.image]
    assert len(mine) == 1 and mine[0]["digest"].startswith("sha256:") and mine[0]["architecture"] == "x86_64", listed


async def _is_present(lab: Lab, kernel_id: str) -> bool:
    """As the agent tells it, by the clock of Redis; the Manager adds when it looked."""
    async with lab.tap.state(LIVE) as redis:
        key = f"kernel:presence:{kernel_id}"
        presence = {name.decode(): value.decode() for name, value in (await redis.hgetall(key)).items()}
        if "last_presence" not in presence:
            return False
        (now, _), ttl = await redis.time(), await redis.ttl(key)
    assert presence["presence"] == "1" and 0 <= now - int(presence["last_presence"]) <= 65 and 0 < ttl <= 300, (presence, ttl)
    return True


async def _containers(lab: Lab) -> int:
    async with lab.tap.state(STATISTICS) as redis:
        key = f"container_count.{lab.agent.id}"
        assert 0 < await redis.ttl(key) <= 86_400
        return int(await redis.get(key))


@flow()
async def service_record(lab: Lab) -> None:
    """The record of service discovery leads to the agent's own address and is renewed"""
    async with lab.tap.state(STATISTICS) as redis:
        found = []
        for key in await redis.keys("service_discovery.agent.*"):
            record = {name.decode(): json.loads(value) for name, value in (await redis.hgetall(key)).items()}
            if record["display_name"] == f"agent-{lab.agent.id}":
                found.append((record, await redis.ttl(key)))
    ((record, ttl),) = found
    assert record["service_group"] == "agent" and 0 < ttl <= 180, found
    assert record["endpoint"]["prometheus_address"] == f"127.0.0.1:{lab.agent.service_port}", record
    assert abs(time.time() - record["health_status"]["last_heartbeat"]) < 65, record


@flow()
async def abuse_report(lab: Lab) -> None:
    """What a watcher of abuse wrote down about a kernel is shown to the session's owner"""
    async with lab.api.session() as session:
        kernel = await session.main()
        file = lab.agent.folder / f"abuse/report.{kernel.id}.json"
        file.write_text(json.dumps({"ID": kernel.id, "CID": kernel.container_id, "reason": "anomaly-detected"}))
        try:

            async def reported() -> bool:
                return (await session.get("abusing-report")).get("abuse_report") == "detected"

            await _eventually(reported, "report at the Manager", 60)
        finally:
            file.unlink()


@flow(seconds=180)
async def log_of_an_ended_session(lab: Lab) -> None:
    """The log of a session that ended is complete at the Manager: it went by Redis in pieces, of which none is left"""
    # More than one piece of 64 KiB, and nothing that would compress to nothing.
    program = "import random\nfor i in range(4000): print('%05d' % i, random.randbytes(12).hex())\nprint('the-last-line')"
    async with lab.api.session(bootstrap_script=f"#!/bin/sh\npython3 - <<'END'\n{program}\nEND\n") as session:
        kernel = await session.main()
        assert "the-last-line" in await session.logs()
    await lab.tap.wait_for(kernel.id, "do_sync_kernel_logs", 30)

    async def kept() -> str | None:
        found = await lab.api.database.fetchval("SELECT container_log FROM kernels WHERE id::text = $1", kernel.id)
        return None if found is None else bytes(found).decode(errors="replace")

    log = await _eventually(kept, "log in the Manager's table", 30)
    numbers = [int(row[:5]) for row in log.splitlines() if row[:5].isdigit()]
    assert numbers == list(range(4000)), f"{len(numbers)} of 4000 lines"
    assert "the-last-line" in log and "log unavailable" not in log, log[-300:]
    assert "the-last-line" in await session.logs(kernel.id)
    async with lab.tap.state(CONTAINER_LOGS) as redis:
        left = await redis.lrange(f"containerlog.{kernel.container_id}", 0, -1)
    assert not left, zlib.decompress(base64.b64decode(json.loads(left[0])["content"]))[:200]


@flow(seconds=180)
async def presence(lab: Lab) -> None:
    """The agent says that a session lives, the Manager that it knows it, and how many containers the agent has"""
    async with lab.api.session() as session, lab.tap.state(2) as redis:
        kernel = await session.main()
        key = f"kernel:presence:{kernel.id}"
        # Told once a minute.
        for _ in range(90):
            found = {name.decode(): value.decode() for name, value in (await redis.hgetall(key)).items()}
            if {"last_presence", "last_check"} <= set(found):
                break
            await asyncio.sleep(1)
        assert found.get("presence") == "1", found
        apart = abs(int(found["last_presence"]) - int(found["last_check"]))
        assert apart < 120 and 0 < await redis.ttl(key) <= 300, (found, await redis.ttl(key))
        assert await redis.exists(f"agent:last_check:{lab.agent.id}")
        answer = await lab.api.query("query($id: String!) { agent(agent_id: $id) { container_count } }", {"id": lab.agent.id})
        assert answer["agent"]["container_count"] >= 1, answer
