"""What the agent and the Manager tell each other through Redis."""

import asyncio

from lab import Lab

from . import flow


@flow()
async def kept_log(lab: Lab) -> None:
    """The Manager keeps the log of a session that ended, and has taken it out of Redis"""
    async with lab.api.session() as session:
        kernel = await session.main()
        said, *_ = (await session.logs()).splitlines()
    log: bytes | None = None
    for _ in range(100):
        log = await lab.api.database.fetchval("SELECT container_log FROM kernels WHERE id = $1::uuid", kernel.id)
        if log:
            break
        await asyncio.sleep(0.1)
    assert log and said and said in log.decode(), (said, log)
    async with lab.tap.state(6) as redis:
        assert await redis.llen(f"containerlog.{kernel.container_id}") == 0


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
