"""The command behind `npm run test:manager`; see README.md."""

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

from bench import as_json, report, run_bench
from flows import LANES, TOGETHER, WHEN_ASKED, Flow, all_flows
from lab import Agent, AgentOptions, Api, EventTap, Lab, Manager, Processes, Settings, Stores
from lab.agent import KINDS
from lab.settings import ACCESS_KEY, IS_OLDER, SECRET_KEY, VERSION, Ports, base_port

# How many flows of a lane run beside each other; most of a flow's time the Manager waits for its next tick.
WIDTH = {"users": 4, "agents": 1, "apart": 3, "suite": 3, "servers": 1, "slow": 1, "end": 1}


@dataclass(frozen=True)
class Result:
    flow: Flow
    outcome: str
    seconds: float
    why: str = ""


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="npm run test:manager --", description=f"A real Backend.AI Manager {VERSION} drives the agent."
    )
    parser.add_argument("--agent", choices=KINDS, default="ours", help="which agent (default: ours)")
    parser.add_argument("--only", action="append", default=[], metavar="FLOW", help="only this flow, or all of this lane")
    parser.add_argument("--all", action="store_true", help=f"the flows of {', '.join(WHEN_ASKED)} too")
    parser.add_argument("--list", action="store_true", help="name the flows and what each shows")
    parser.add_argument("--bench", action="store_true", help="measure both agents instead")
    parser.add_argument("--quick", action="store_true", help="few samples: to see that it works, not to compare")
    parser.add_argument("--json", action="store_true", help="results as JSON on standard output")
    parser.add_argument("--lab", type=Path, help="folder of the lab; one that is there and runs is used as it is")
    parser.add_argument("--keep", action="store_true", help="leave the Manager running, for more runs with --lab")
    parser.add_argument("--down", action="store_true", help="stop the lab of --lab and remove its folder")
    return parser.parse_args()


def chosen(flows: list[Flow], only: list[str], *, everything: bool) -> list[Flow]:
    unknown = [word for word in only if word not in LANES and all(flow.name != word for flow in flows)]
    if unknown:
        raise SystemExit(f"there is no flow or lane '{unknown[0]}'; --list names them")
    if not only:
        return [flow for flow in flows if everything or flow.lane not in WHEN_ASKED]
    return [flow for flow in flows if flow.name in only or flow.lane in only]


async def run_flow(flow: Flow, lab: Lab) -> Result:
    began = time.monotonic()
    try:
        await asyncio.wait_for(flow.run(lab), flow.seconds)
        result = Result(flow, "PASS", time.monotonic() - began)
    except (Exception, SystemExit) as error:
        known = flow.known.get(lab.agent.options.kind) or (IS_OLDER and flow.known.get("older")) or ""
        outcome = "KNOWN" if known else "FAIL"
        why = known or describe(error)
        if isinstance(error, TimeoutError):
            why = why or f"not done after {flow.seconds:.0f} s"
        (lab.settings.logs / f"{flow.name}.txt").write_text(traceback.format_exc())
        result = Result(flow, outcome, time.monotonic() - began, why)
    print(f"{result.outcome:5} {flow.name:28} {result.seconds:6.1f} s  {result.why}", file=sys.stderr, flush=True)
    return result


def describe(error: BaseException) -> str:
    """In one line; the whole is in the flow's file."""
    text = " ".join(str(error).split())
    kind = "" if isinstance(error, AssertionError) else type(error).__name__ + ": "
    return f"{kind}{text}"[:400]


async def run_lane(lane: str, flows: list[Flow], lab: Lab) -> list[Result]:
    turn = asyncio.Semaphore(WIDTH[lane])

    async def one(flow: Flow) -> Result:
        async with turn:
            return await run_flow(flow, lab)

    return list(await asyncio.gather(*(one(flow) for flow in flows if flow.lane == lane)))


async def run_flows(flows: list[Flow], lab: Lab) -> list[Result]:
    following = asyncio.create_task(lab.tap.follow())
    try:
        async with lab.api:
            for agent in (lab.agent, lab.second):
                agent.remove_leftovers()
                seconds = await agent.start()
                print(f"      {agent.id} ({agent.options.kind}) ALIVE after {seconds:.2f} s", file=sys.stderr, flush=True)
            results = sum(await asyncio.gather(*(run_lane(lane, flows, lab) for lane in LANES[:TOGETHER])), [])
            results = [await second_try(result, lab) for result in results]
            for lane in LANES[TOGETHER:]:
                results += await run_lane(lane, flows, lab)
            return results
    finally:
        following.cancel()


async def second_try(result: Result, lab: Lab) -> Result:
    """Beside others a Manager is slow, and some flows race with it: one that failed there runs once more, alone."""
    if result.outcome != "FAIL":
        return result
    again = await run_flow(result.flow, lab)
    return replace(again, why=again.why or f"at the second try; at the first: {result.why}")


def prepare(options: argparse.Namespace) -> tuple[Settings, Processes, Stores, Manager]:
    root = options.lab or Path(tempfile.mkdtemp(prefix="backend-ai-manager-"))
    root.mkdir(parents=True, exist_ok=True)
    # PostgreSQL runs as a user of its own below it.
    root.chmod(0o711)
    settings = Settings(root.resolve(), Ports(base_port()))
    processes = Processes(settings.root)
    stores = Stores(settings, processes)
    return settings, processes, stores, Manager(settings, processes, stores)


def client_environment(settings: Settings) -> None:
    """The official client reads where to go from the environment."""
    home = settings.root / "home"
    home.mkdir(exist_ok=True)
    os.environ.update(
        BACKEND_ENDPOINT_TYPE="api",
        BACKEND_ENDPOINT=settings.endpoint,
        BACKEND_ACCESS_KEY=ACCESS_KEY,
        BACKEND_SECRET_KEY=SECRET_KEY,
        ETCDCTL_API="3",
    )


def tear_down(agents: list[Agent], manager: Manager, stores: Stores, folder: Path, *, failed: bool) -> None:
    manager.stop()
    stores.stop()
    for agent in agents:
        agent.remove_leftovers()
    logs = folder / "log"
    if failed:
        kept = Path(tempfile.mkdtemp(prefix="backend-ai-manager-log-"))
        shutil.copytree(logs, kept, dirs_exist_ok=True)
        print(f"logs: {kept}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)


def check(flows: list[Flow], lab: Lab, options: argparse.Namespace) -> bool:
    """Whether no flow failed."""
    results = asyncio.run(run_flows(flows, lab))
    if options.json:
        rows = [{"flow": r.flow.name, "outcome": r.outcome, "seconds": round(r.seconds, 2), "why": r.why} for r in results]
        print(json.dumps({"manager": VERSION, "agent": options.agent, "flows": rows}, indent=1))
    for result in results:
        if result.outcome == "PASS" and result.why:
            print(f"{result.flow.name} passed {result.why}", file=sys.stderr)
    count = {outcome: sum(result.outcome == outcome for result in results) for outcome in ("PASS", "FAIL", "KNOWN")}
    print(f"{count['PASS']} passed, {count['FAIL']} failed, {count['KNOWN']} known to fail", file=sys.stderr)
    return count["FAIL"] == 0


def measure(lab: Lab, options: argparse.Namespace) -> bool:
    """Whether it came to its end; the ratios are judged by who reads them."""
    measured = asyncio.run(run_bench(lab, quick=options.quick))
    print(json.dumps(as_json(measured), indent=1) if options.json else report(measured))
    return True


def main() -> int:
    options = read_options()
    flows = chosen(all_flows(), options.only, everything=options.all or options.list)
    if options.list:
        for flow in flows:
            print(f"{flow.lane:7} {flow.name:28} {flow.what}")
        return 0
    settings, processes, stores, manager = prepare(options)
    client_environment(settings)
    tap = EventTap(settings)
    first = AgentOptions(options.agent)
    second = AgentOptions(options.agent, number=2, curve_with=manager.public_key)
    agents = [Agent(settings, processes, first), Agent(settings, processes, second)]
    failed = True
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if options.down:
            failed = False
            return 0
        began = time.monotonic()
        manager.start()
        print(f"      Manager {VERSION} up after {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
        lab = Lab(settings, processes, stores, manager, agents[0], agents[1], Api(settings, tap), tap)
        failed = not (measure(lab, options) if options.bench else check(flows, lab, options))
        print(f"{time.monotonic() - began:.0f} s in all", file=sys.stderr)
        return 1 if failed else 0
    finally:
        for agent in agents:
            agent.stop()
        if options.keep and not options.down:
            print(f"the lab is kept: --lab {settings.root}", file=sys.stderr)
        else:
            tear_down(agents, manager, stores, settings.root, failed=failed)


if __name__ == "__main__":
    sys.exit(main())
