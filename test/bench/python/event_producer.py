"""Events by the reference library, as its agent sends those of a kernel's life: what our event bus is compared with.

usage: event_producer.py HOST PORT; answers each line "TOTAL IN-FLIGHT" with {"seconds": …, "times": […]} in milliseconds.
"""

import asyncio
import json
import sys
import time
import uuid

from ai.backend.common.defs import REDIS_STREAM_DB
from ai.backend.common.events.dispatcher import EventProducer
from ai.backend.common.events.event_types.kernel.anycast import KernelPreparingAnycastEvent
from ai.backend.common.events.event_types.kernel.broadcast import KernelPreparingBroadcastEvent
from ai.backend.common.message_queue.redis_queue import RedisMQArgs, RedisQueue
from ai.backend.common.types import AgentId, KernelId, RedisTarget, SessionId


async def main():
    host, port = sys.argv[1:]
    queue = await RedisQueue.create(
        RedisTarget(addr=f"{host}:{port}"),
        RedisMQArgs(
            anycast_stream_key="events",
            broadcast_channel="events_all",
            consume_stream_keys=None,
            subscribe_channels={"events_all"},
            group_name="manager",
            node_id="i-bench",
            db=REDIS_STREAM_DB,
        ),
    )
    producer = EventProducer(queue, source=AgentId("i-bench"))

    async def one():
        began = time.perf_counter()
        kernel, session = KernelId(uuid.uuid4()), SessionId(uuid.uuid4())
        await producer.anycast_and_broadcast_event(
            KernelPreparingAnycastEvent(kernel_id=kernel, session_id=session),
            KernelPreparingBroadcastEvent(kernel_id=kernel, session_id=session),
        )
        return 1000 * (time.perf_counter() - began)

    async def load(total, in_flight):
        times = []

        async def lane(count):
            for _ in range(count):
                times.append(await one())

        began = time.perf_counter()
        await asyncio.gather(*(lane(total // in_flight) for _ in range(in_flight)))
        return {"seconds": time.perf_counter() - began, "times": times}

    print(json.dumps("ready"), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await load(*map(int, line.split()))), flush=True)
    await producer.close()


asyncio.run(main())
