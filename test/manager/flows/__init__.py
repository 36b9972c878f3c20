"""Flows: what users and operators do, each with the real Manager. A flow is a coroutine that asserts what must be so."""

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from lab import Lab

# The first four run beside each other, and then one after the other.
LANES = ("users", "agents", "apart", "suite", "servers", "slow", "end")
TOGETHER = 4
# Minutes of waiting for the Manager: only when they are named, or all are wanted.
WHEN_ASKED = ("slow",)


@dataclass(frozen=True)
class Flow:
    name: str
    what: str
    run: Callable[[Lab], Awaitable[None]]
    lane: str
    """`users` share the first agent and run beside each other; `agents` stop, kill and lose the second agent, one at a
    time; `apart` bring an agent of their own; `suite` are the official specs; `servers` stop what all share; `slow` put other
    servers in their place; `end` come when all others are done."""
    seconds: float
    known: Mapping[str, str]
    """By kind of agent, or `older` for Managers before 26.9, why it fails here: known, so it does not fail the run."""


FLOWS: list[Flow] = []


def flow(
    lane: str = "users", *, seconds: float = 120, **known: str
) -> Callable[[Callable[[Lab], Awaitable[None]]], Callable[[Lab], Awaitable[None]]]:
    """Registers a coroutine under its name; the first line of its docstring tells what it shows."""

    def register(run: Callable[[Lab], Awaitable[None]]) -> Callable[[Lab], Awaitable[None]]:
        what = (run.__doc__ or "").strip().splitlines()[0]
        FLOWS.append(Flow(run.__name__.replace("_", "-"), what, run, lane, seconds, known))
        return run

    return register


def all_flows() -> list[Flow]:
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{module}")
    return FLOWS
