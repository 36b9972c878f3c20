"""Both agents under the same Manager with the same TOML, in turns: what each takes for the same things."""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import Agent, AgentOptions, Lab
from lab.settings import HERE, PYTHON
from lab.usage import usage_of

MIB = 1 << 20


@dataclass(frozen=True)
class Measured:
    what: str
    unit: str
    ours: float
    reference: float
    at_most: float | None
    """The ratio that is promised."""

    @property
    def ratio(self) -> float:
        return self.ours / self.reference


# What, unit, promised ratio; in the order of the report.
WHAT = {
    "start": ("start to ALIVE, p50", "s", None),
    "create": ("create_kernels call to kernel_started, p50", "ms", 0.5),
    "destroy": ("destroy_kernel call to kernel_terminated, p50", "ms", 0.5),
    "execute": ("execute of one line by RPC, p50", "ms", 1.0),
    "rss": ("RSS of all its processes, no kernels", "MiB", 0.5),
    "pss": ("PSS of all its processes, no kernels", "MiB", None),
    "cpu": ("CPU of one core, no kernels", "%", 1 / 3),
    "rss-5": ("RSS, 5 kernels", "MiB", 0.5),
    "pss-5": ("PSS, 5 kernels", "MiB", None),
    "cpu-5": ("CPU of one core, 5 kernels", "%", 1 / 3),
}


def say(text: str) -> None:
    print(f"      {text}", file=sys.stderr, flush=True)


class Bench:
    def __init__(self, lab: Lab, *, quick: bool) -> None:
        self._lab = lab
        # In turns, so that what else the machine does hits both.
        self._rounds = 1 if quick else 2
        self._starts = 1 if quick else 2
        self._sessions = 2 if quick else 5
        # In a fresh kernel, as users run it.
        self._runs_each = 10
        # Both have things to tidy up after a start, and ours is quicker when its engine has seen all of its code a few times.
        self._settle, self._window = (5, 5) if quick else (60, 60)

    async def run(self) -> list[Measured]:
        samples: dict[str, dict[str, list[float]]] = {"reference": {}, "ours": {}}
        for _ in range(self._rounds):
            for kind, all_found in samples.items():
                for key, found in (await self._measure(kind)).items():
                    all_found.setdefault(key, []).extend(found)
        ours, reference = ({key: statistics.median(found) for key, found in samples[kind].items()} for kind in ("ours", "reference"))
        return [Measured(what, unit, ours[key], reference[key], at_most) for key, (what, unit, at_most) in WHAT.items()]

    async def _measure(self, kind: str) -> dict[str, list[float]]:
        lab = self._lab
        ports = lab.settings.ports
        agent = Agent(lab.settings, lab.processes, AgentOptions(kind, advertised_port=ports.tap))
        calls = lab.settings.root / f"calls-{kind}.ndjson"
        lab.processes.spawn("tap", [PYTHON, HERE / "lab/rpc_tap.py", str(ports.tap), str(agent.rpc_port), calls])
        try:
            starts = []
            for _ in range(self._starts):
                agent.stop()
                starts.append(await agent.start())
            say(f"{kind}: ALIVE after {statistics.median(starts):.2f} s")
            calls.write_text("")
            return {
                "start": starts,
                **await self._idle(agent, ""),
                **await self._sessions_one_by_one(calls),
                **await self._idle_with_five(agent),
            }
        finally:
            agent.stop()
            agent.remove_leftovers()
            lab.processes.reap("tap", 5)

    async def _idle(self, agent: Agent, suffix: str) -> dict[str, list[float]]:
        await asyncio.sleep(self._settle)
        assert agent.pid is not None
        before = usage_of(agent.pid)
        await asyncio.sleep(self._window)
        after = usage_of(agent.pid)
        percent = 100 * (after.cpu_seconds - before.cpu_seconds) / self._window
        say(f"{after.processes} processes, RSS {after.rss_bytes / MIB:.0f} MiB, {percent:.2f} % of a core")
        return {
            f"cpu{suffix}": [percent],
            f"rss{suffix}": [after.rss_bytes / MIB],
            f"pss{suffix}": [after.pss_bytes / MIB],
        }

    async def _sessions_one_by_one(self, calls: Path) -> dict[str, list[float]]:
        creations, ends = [], []
        for _ in range(self._sessions):
            # Alone on its machine: the call of a session is the last of its method.
            async with self._lab.api.session() as session:
                kernel = await session.main()
                await session.output("1")
                for _ in range(self._runs_each):
                    await session.output("print('one line')")
                started = await self._lab.tap.wait_for(kernel.id, "kernel_started")
            ended = await self._lab.tap.wait_for(kernel.id, "kernel_terminated")
            told = _read(calls)
            created = told["create_kernels"][-1]["began"]
            # A Manager that has not heard of the end yet may ask for it again.
            asked = next(call["began"] for call in told["destroy_kernel"] if call["began"] > created)
            creations.append(1000 * (started.at - created))
            ends.append(1000 * (ended.at - asked))
        runs = [1000 * call["seconds"] for call in _read(calls)["execute"]]
        say(f"creations {_spread(creations)}, ends {_spread(ends)}, runs {_spread(runs)} ms")
        return {"create": creations, "destroy": ends, "execute": runs}

    async def _idle_with_five(self, agent: Agent) -> dict[str, list[float]]:
        sessions = [await self._lab.api.enqueue() for _ in range(5)]
        try:
            for session in sessions:
                await session.wait("RUNNING")
            return await self._idle(agent, "-5")
        finally:
            for session in sessions:
                await self._lab.api.end(session)


def _read(path: Path) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for line in path.read_text().splitlines():
        call = json.loads(line)
        found.setdefault(call["method"], []).append(call)
    return found


def _spread(values: Sequence[float]) -> str:
    return f"{min(values):.0f}–{statistics.median(values):.0f}–{max(values):.0f}"


def report(measured: list[Measured]) -> str:
    lines = [f"{'':48} {'ours':>10} {'reference':>10} {'ratio':>7}"]
    for one in measured:
        verdict = "" if one.at_most is None else f"{'kept' if one.ratio <= one.at_most else 'MISSED'} ≤ {one.at_most:.2f}"
        amounts = f"{one.ours:>7.2f} {one.unit:<2} {one.reference:>7.2f} {one.unit:<2}"
        lines.append(f"{one.what:48} {amounts} {one.ratio:>6.2f} × {verdict}")
    return "\n".join(lines)


def as_json(measured: list[Measured]) -> list[dict[str, object]]:
    return [
        {"what": one.what, "unit": one.unit, "ours": one.ours, "reference": one.reference, "ratio": one.ratio, "atMost": one.at_most}
        for one in measured
    ]


async def run_bench(lab: Lab, *, quick: bool) -> list[Measured]:
    following = asyncio.create_task(lab.tap.follow())
    began = time.monotonic()
    try:
        async with lab.api:
            return await Bench(lab, quick=quick).run()
    finally:
        say(f"measured in {time.monotonic() - began:.0f} s")
        following.cancel()
