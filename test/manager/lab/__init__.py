"""A real Backend.AI Manager with its stores on this machine, and the agents that it drives."""

import asyncio
from dataclasses import dataclass

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

    async def containers(self, kernel_id: str) -> list[str]:
        return (await asyncio.to_thread(run, *_PS, f"label=ai.backend.kernel-id={kernel_id}")).split()


__all__ = ["Agent", "AgentOptions", "Api", "EventTap", "Lab", "Manager", "Processes", "Settings", "Stores"]
