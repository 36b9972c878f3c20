"""Stores as a careful operator has them, and more than one Manager."""

import asyncio
import time
from collections.abc import Mapping

from lab import Api, Lab
from lab.guarded import Sentinel, guarded, managers, register_managers
from lab.processes import run

from . import flow
from .operators import connectivity


@flow("slow", seconds=400)
async def sentinel_fails_over(lab: Lab) -> None:
    """Redis with a password behind Sentinel, etcd with users: agents join, and when the master dies nothing is lost"""
    redis = Sentinel(lab)
    async with guarded(lab, redis):
        assert all((await connectivity(lab.agent)).values())
        session, doomed = await asyncio.gather(lab.api.enqueue(), lab.api.enqueue(scaling_group=lab.second.group))
        try:
            await asyncio.gather(session.wait("RUNNING"), doomed.wait("RUNNING"))
            await session.output("mark = 'here'")
            kernel = await doomed.main()
            await redis.fail_over()
            killed = time.time()
            run("docker", "kill", kernel.container_id)
            event = await lab.tap.wait_for(kernel.id, "kernel_terminated", 30)
            assert event.body["reason"] == "self-terminated", event.body
            await doomed.wait("TERMINATED", seconds=200)
            assert event.at - killed <= 10, f"told {event.at - killed:.1f} s after the end"
            assert await session.output("print(mark)") == "here\n"
            async with lab.api.session() as fresh:
                assert await fresh.output("print('fresh')") == "fresh\n"
            assert all((await connectivity(lab.agent)).values())
        finally:
            await asyncio.gather(lab.api.end(session), lab.api.end(doomed))


@flow("slow", seconds=300)
async def two_managers(lab: Lab) -> None:
    """Two Managers of one cluster use the agents at once, each the sessions of the other, and one that leaves takes nothing along"""
    registered = managers(lab)
    endpoint = await asyncio.to_thread(lab.manager.start_process, "manager-two")
    try:
        async with lab.api.session() as one:
            # The client belongs to the task in which it was made.
            await asyncio.create_task(_by_another_manager(lab, endpoint, one.id))
            assert await one.output("print(total)") == "120\n"
            await _second_leaves(lab, registered)
            assert await one.output("print(total + 1)") == "121\n"
            async with lab.api.session(scaling_group=lab.second.group) as fresh:
                assert await fresh.output("print('fresh')") == "fresh\n"
    finally:
        await _second_leaves(lab, registered)


async def _second_leaves(lab: Lab, registered: Mapping[str, str]) -> None:
    """It takes the name of its host out of etcd, which the first has as well here, and nowhere else."""
    await asyncio.to_thread(lab.processes.reap, "manager-two", 30)
    register_managers(lab, registered)


async def _by_another_manager(lab: Lab, endpoint: str, session_id: str) -> None:
    """Adds up in the first Manager's session by the second, while the first runs code in one of the second."""

    async def through(address: str, steps: range) -> None:
        async with Api(lab.settings, lab.tap, address) as api:
            session = api.known(session_id)
            for number in steps:
                assert await session.output(f"total += {number}; print({number})") == f"{number}\n"

    async with Api(lab.settings, lab.tap, endpoint) as second:
        async with second.session() as other:
            await second.known(session_id).output("total = 0")
            assert await other.output("print('by the second')") == "by the second\n"
            steps = (range(1, 8), range(8, 16))
            both = zip((endpoint, lab.settings.endpoint), steps, strict=True)
            await asyncio.gather(*(asyncio.create_task(through(address, part)) for address, part in both))
