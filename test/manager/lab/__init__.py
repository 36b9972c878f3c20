"""A real Backend.AI Manager with its stores on this machine, and the agents that it drives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from .agent import Agent, AgentOptions
from .api import Api
from .events import EventTap
from .manager import Manager
from .processes import Processes, run
from .settings import Settings
from .stores import Stores


_PS = ("docker", "ps", "-aq", "--no-trunc", "--filter")


@dataclass
class Lab:
    """What a flow gets."""

    settings: Settings
    processes: Processes
    stores: Stores
    manager: Manager
    agent: Agent
    """The first agent, in the default resource group."""
    second: Agent
    """The one with CURVE keys in a resource group of its own, which flows may stop."""
    api: Api
    tap: EventTap
    told_again: set[str] = field(default_factory=set)
    """Kernels whose end may be told twice, since Redis was emptied before a Manager had read it."""

    @asynccontextmanager
    async def another(self, number: int, **options: Any) -> AsyncIterator[Agent]:
        """A further agent of the same kind, not started yet; it is gone afterwards."""
        agent = Agent(self.settings, self.processes, AgentOptions(self.agent.options.kind, number=number, **options))
        agent.remove_leftovers()
        try:
            yield agent
        finally:
            await asyncio.to_thread(agent.stop)
            agent.remove_leftovers()

    async def containers(self, kernel_id: str) -> list[str]:
        return (await asyncio.to_thread(run, *_PS, f"label=ai.backend.kernel-id={kernel_id}")).split()


__all__ = ["Agent", "AgentOptions", "Api", "EventTap", "Lab", "Manager", "Processes", "Settings", "Stores"]
