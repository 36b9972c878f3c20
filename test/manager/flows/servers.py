"""Servers that all share go away and come back, with sessions running."""

import asyncio
import time

from lab import Lab
from lab.api import UserSession
from lab.processes import run

from . import flow


async def _works(session: UserSession, word: str) -> None:
    assert await session.output("print(mark)") == f"{word}\n"


async def _marked(lab: Lab, word: str, **options: object) -> UserSession:
    session = await lab.api.enqueue(**options)
    await session.wait("RUNNING")
    await session.output(f"mark = {word!r}")
    return session


@flow("servers", seconds=240, reference="what happens while Redis is away is told as already-terminated, when the Manager asks")
async def redis_restarted(lab: Lab) -> None:
    """Redis is away for eight seconds and comes back empty: sessions go on, and an end meanwhile reaches the Manager"""
    one, two, doomed = await asyncio.gather(
        _marked(lab, "one"), _marked(lab, "two", scaling_group=lab.second.group), _marked(lab, "doomed")
    )
    try:
        kernel = await doomed.main()
        lab.told_again.add(kernel.id)
        await asyncio.to_thread(lab.processes.reap, "redis")
        run("docker", "kill", kernel.container_id)
        await asyncio.sleep(8)
        before = {agent.id: len(lab.tap.heartbeats[agent.id]) for agent in (lab.agent, lab.second)}
        back = time.time()
        await asyncio.to_thread(lab.stores.start_redis)
        event = await lab.tap.wait_for(kernel.id, "kernel_terminated", 60)
        assert event.body["reason"] == "self-terminated", event.body
        await doomed.wait("TERMINATED", seconds=60)
        assert event.at - back <= 5, f"told {event.at - back:.1f} s after Redis was back"
        for agent in (lab.agent, lab.second):
            while len(lab.tap.heartbeats[agent.id]) == before[agent.id]:
                assert time.time() < back + 30, f"no heartbeat of {agent.id}"
                await asyncio.sleep(0.1)
        await _works(one, "one")
        await _works(two, "two")
        async with lab.api.session() as fresh:
            assert await fresh.output("print('fresh')") == "fresh\n"
    finally:
        await asyncio.gather(*(lab.api.end(session) for session in (one, two, doomed)))


@flow("servers", seconds=240)
async def etcd_restarted(lab: Lab) -> None:
    """etcd is away for eight seconds, in which the Manager runs no code: agents stay, sessions go on, new ones are made after"""
    async with lab.api.session() as session:
        await session.output("mark = 'here'")
        beats = len(lab.tap.heartbeats[lab.agent.id])
        await asyncio.to_thread(lab.processes.reap, "etcd")
        await asyncio.sleep(8)
        assert lab.agent.pid is not None and lab.second.pid is not None
        await asyncio.to_thread(lab.stores.start_etcd)
        await _works(session, "here")
        async with lab.api.session() as fresh:
            assert await fresh.output("print('fresh')") == "fresh\n"
        while len(lab.tap.heartbeats[lab.agent.id]) == beats:
            await asyncio.sleep(0.2)
        assert await lab.api.agent_status(lab.agent.id) == "ALIVE"


@flow("servers", seconds=300)
async def manager_restarted(lab: Lab) -> None:
    """The Manager is away: sessions go on, and what ended meanwhile is told to it when it is back"""
    session, doomed = await asyncio.gather(_marked(lab, "here"), _marked(lab, "doomed"))
    try:
        kernel = await doomed.main()
        await asyncio.to_thread(lab.processes.reap, "manager", 30)
        run("docker", "kill", kernel.container_id)
        await asyncio.sleep(5)
        await asyncio.to_thread(lab.manager.start_process)
        await doomed.wait("TERMINATED", seconds=120)
        await _works(session, "here")
    finally:
        await asyncio.gather(lab.api.end(session), lab.api.end(doomed))
