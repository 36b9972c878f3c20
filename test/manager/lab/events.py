"""What agents tell: every entry of the Redis stream `events` and every message of `events_all`, read beside the Manager."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis.asyncio as redis


@dataclass(frozen=True)
class Event:
    at: float
    """When it was read, epoch seconds: a millisecond after it was added."""
    name: str
    source: str
    body: dict[str, Any]


class EventTap:
    """Keeps all events of the run; of heartbeats their times only."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.events: list[Event] = []
        self.broadcasts: list[Event] = []
        self.heartbeats: dict[str, list[float]] = {}

    def state(self, database: int) -> redis.Redis:
        """A connection to one of the logical databases."""
        return redis.Redis(host="127.0.0.1", port=self._port, db=database)

    async def follow(self) -> None:
        """Until cancelled."""
        async with self.state(4) as client:
            await asyncio.gather(self._follow_stream(client), self._follow_channel(client))

    async def _follow_stream(self, client: redis.Redis) -> None:
        last: bytes | str = "$"
        while True:
            for _, entries in await client.xread({"events": last}, count=500, block=1000) or []:
                for last, fields in entries:
                    self._keep(self.events, {key.decode(): value.decode() for key, value in fields.items()})

    async def _follow_channel(self, client: redis.Redis) -> None:
        async with client.pubsub() as channel:
            await channel.subscribe("events_all")
            async for message in channel.listen():
                if message["type"] == "message":
                    self._keep(self.broadcasts, json.loads(message["data"]))

    def _keep(self, events: list[Event], envelope: dict[str, str]) -> None:
        name, source = envelope["name"], envelope["source"]
        if name == "agent_heartbeat":
            self.heartbeats.setdefault(source, []).append(time.time())
        elif "payload" in envelope:
            events.append(Event(time.time(), name, source, json.loads(envelope["payload"])))

    def of(self, kernel_id: str, name: str | None = None) -> list[Event]:
        """What was told of a kernel, in its order."""
        mine = [event for event in self.events if event.body.get("kernel_id") == kernel_id]
        return [event for event in mine if name is None or event.name == name]

    async def wait_for(self, kernel_id: str, name: str, seconds: float = 30) -> Event:
        return await self.wait_until(lambda event: event.name == name and event.body.get("kernel_id") == kernel_id, name, seconds)

    async def wait_until(self, holds: Callable[[Event], bool], what: str, seconds: float) -> Event:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for event in self.events:
                if holds(event):
                    return event
            await asyncio.sleep(0.01)
        raise AssertionError(f"no {what} within {seconds:.0f} s")
