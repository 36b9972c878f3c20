"""What agents tell: every entry of the Redis stream `events` and every message of `events_all`, read beside the Manager."""

import asyncio
import base64
import json
import pickle
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgpack
import redis.asyncio as redis

from .settings import Settings

# Members of the bodies that Managers before 26.9 write by position (state.md §2.6); of the others only the name is kept.
_KERNEL = ("kernel_id", "session_id", "reason")
_POSITIONS = {
    "kernel_preparing": _KERNEL,
    "kernel_pulling": _KERNEL,
    "kernel_creating": _KERNEL,
    "kernel_started": (*_KERNEL, "creation_info"),
    "kernel_terminated": (*_KERNEL, "exit_code"),
    "session_success": ("session_id", "reason", "exit_code"),
    "session_failure": ("session_id", "reason", "exit_code"),
    "do_sync_kernel_logs": ("kernel_id", "container_id"),
    "bgtask_updated": ("task_id", "current_progress", "total_progress", "message"),
    "bgtask_done": ("task_id", "message"),
    "bgtask_failed": ("task_id", "message"),
}


@dataclass(frozen=True)
class Event:
    at: float
    """When it was read, epoch seconds: a millisecond after it was added."""
    name: str
    source: str
    body: dict[str, Any]


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _extension(code: int, data: bytes) -> Any:
    if code == 1:
        return str(uuid.UUID(bytes=data))
    value = pickle.loads(data) if code in (3, 6, 7, 8, 9, 16) else data
    return value.value if isinstance(value, Enum) else value


class EventTap:
    """Keeps all events of the run; of heartbeats their times only."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.events: list[Event] = []
        self.broadcasts: list[Event] = []
        self.heartbeats: dict[str, list[float]] = {}
        self._last: bytes | str = "$"

    def state(self, database: int) -> redis.Redis:
        """A connection to one of the logical databases."""
        port, access = self._settings.ports.redis, self._settings.access
        return redis.Redis(host="127.0.0.1", port=access.redis_port or port, password=access.redis_password, db=database)

    async def follow(self) -> None:
        """Until cancelled."""
        await asyncio.gather(self._again(self._follow_stream), self._again(self._follow_channel))

    async def _again(self, follow: Callable[[redis.Redis], Awaitable[None]]) -> None:
        """Flows stop Redis too, or put another in its place."""
        while True:
            try:
                async with self.state(4) as client:
                    await follow(client)
            except redis.ConnectionError:
                await asyncio.sleep(0.05)

    async def _follow_stream(self, client: redis.Redis) -> None:
        while True:
            for _, entries in await client.xread({"events": self._last}, count=500, block=1000) or []:
                for self._last, fields in entries:
                    self._keep(self.events, {key.decode(): value for key, value in fields.items()})

    async def _follow_channel(self, client: redis.Redis) -> None:
        async with client.pubsub() as channel:
            await channel.subscribe("events_all")
            async for message in channel.listen():
                if message["type"] == "message":
                    envelope = json.loads(message["data"])
                    if "args" in envelope:
                        envelope["args"] = base64.b64decode(envelope["args"])
                    self._keep(self.broadcasts, envelope)

    def _keep(self, events: list[Event], envelope: dict[str, Any]) -> None:
        name, source = (_text(envelope[key]) for key in ("name", "source"))
        if name == "agent_heartbeat":
            self.heartbeats.setdefault(source, []).append(time.time())
        elif "payload" in envelope:
            events.append(Event(time.time(), name, source, json.loads(envelope["payload"])))
        elif name in _POSITIONS:
            values = msgpack.unpackb(envelope["args"], ext_hook=_extension, strict_map_key=False)
            events.append(Event(time.time(), name, source, dict(zip(_POSITIONS[name], values))))

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
