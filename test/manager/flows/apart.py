"""Agents under conditions that nobody else should feel; each has an agent of its own."""

import asyncio
import json
import tempfile
import time
from pathlib import Path

from lab import Agent, Lab
from lab.far_link import FAR
from lab.gate import gate
from lab.processes import run
from lab.settings import HERE, NAMESPACE, PYTHON

from . import flow
from .agents import is_reached
from .operators import connectivity

CLOCK, DISTANT, WITHOUT_ETCD, ENCRYPTED = 3, 4, 5, 6
# Of Debian's package; only the clock on the wall is another, as with a machine that is set wrong.
FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)


def _clock(offset: str) -> dict[str, str]:
    return {"LD_PRELOAD": str(FAKETIME), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}


async def _clock_error(lab: Lab, agent: Agent) -> float:
    """By what the agent itself writes down, in seconds."""
    async with lab.tap.state(0) as redis:
        for _ in range(100):
            for key in await redis.keys("service_discovery.agent.*"):
                record = {name.decode(): json.loads(value) for name, value in (await redis.hgetall(key)).items()}
                if record["display_name"] == f"agent-{agent.id}":
                    return record["health_status"]["last_heartbeat"] - time.time()
            await asyncio.sleep(0.1)
    raise AssertionError("no record of the agent")


@flow("apart", seconds=240)
async def clock_differences(lab: Lab) -> None:
    """An agent whose clock is two hours ahead, and then an hour behind, is ALIVE, runs sessions, and tells their ends at once"""
    async with lab.another(CLOCK, environment=_clock("+2h")) as agent:
        await agent.start()
        assert 7000 < await _clock_error(lab, agent) < 7300, "its clock is not ahead"
        async with lab.api.session(scaling_group=agent.group) as session:
            kernel = await session.main()
            assert await session.output("mark = 'here'; print(mark)") == "here\n"
            await asyncio.to_thread(agent.stop)
            agent.options.environment = _clock("-1h")
            await agent.start()
            # Back in time by three hours, with a session.
            for _ in range(300):
                if await _clock_error(lab, agent) < -3500:
                    break
                await asyncio.sleep(0.1)
            else:
                raise AssertionError("its clock is not behind")
            await is_reached(session)
            beats = len(lab.tap.heartbeats[agent.id])
            async with lab.api.session(scaling_group=agent.group) as second:
                doomed = await second.main()
                killed = time.time()
                run("docker", "kill", doomed.container_id)
                event = await lab.tap.wait_for(doomed.id, "kernel_terminated", 70)
                await second.wait("TERMINATED")
                if agent.options.kind == "ours":
                    assert event.at - killed <= 2, f"told after {event.at - killed:.1f} s"
            while len(lab.tap.heartbeats[agent.id]) < beats + 2:
                await asyncio.sleep(0.5)
            assert await lab.api.agent_status(agent.id) == "ALIVE"
            assert await session.output("print(mark)") == "here\n"
            async with lab.tap.state(0) as redis:
                assert await redis.get(kernel.id) and await redis.get(agent.id), "no statistics"
        assert len(lab.tap.of(kernel.id, "kernel_started")) == 1


def _far_link(lab: Lab, delay_ms: int, loss_percent: int, routes: dict[int, int]) -> None:
    """Until the Manager ends, which goes on calling there: without the line its calls would go out to the network."""
    words = [str(delay_ms), str(loss_percent), *(f"{port}:{target}" for port, target in routes.items())]
    lab.processes.spawn("far-link", [PYTHON, HERE / "lab/far_link.py", *words])


@flow("apart", seconds=300, reference="ends at its start")
async def slow_network(lab: Lab) -> None:
    """200 ms and 5 % loss between an agent and Manager, Redis and etcd: it stays ALIVE, sessions run, output and files are whole"""
    ports = lab.settings.ports
    options = {"etcd": (FAR, ports.far_etcd), "advertised_host": FAR, "advertised_port": ports.far_rpc, "curve_with": lab.manager.public_key}
    async with lab.another(DISTANT, **options) as agent:
        # What holds for one node only wins over what holds for all.
        key = f"/sorna/{NAMESPACE}/nodes/agents/{agent.id}/config/redis/addr"
        etcd = f"http://127.0.0.1:{ports.etcd}"
        run("etcdctl", "--endpoints", etcd, "put", key, f"{FAR}:{ports.far_redis}")
        routes = {ports.far_rpc: agent.rpc_port, ports.far_redis: ports.redis, ports.far_etcd: ports.etcd}
        _far_link(lab, 200, 5, routes)
        await agent.start()
        async with lab.api.session(scaling_group=agent.group) as session:
            code = "import time\nfor i in range(200):\n    print(i, flush=True)\n    time.sleep(0.01)"
            assert await session.output(code) == "".join(f"{i}\n" for i in range(200))
            with tempfile.TemporaryDirectory() as name:
                here = Path(name, "data.bin")
                here.write_bytes(bytes(range(256)) * 400)
                await session.compute.upload([here], basedir=name)
                await session.compute.download(["data.bin"], dest=Path(name, "there"))
                assert Path(name, "there/data.bin").read_bytes() == here.read_bytes()
            kernel = await session.main()
            # Long enough to be missed, if heartbeats were late.
            beats = len(lab.tap.heartbeats[agent.id])
            while len(lab.tap.heartbeats[agent.id]) < beats + 2:
                await asyncio.sleep(0.5)
            assert await lab.api.agent_status(agent.id) == "ALIVE"
        await lab.tap.wait_for(kernel.id, "kernel_terminated", 30)
        await asyncio.to_thread(agent.stop)
        run("etcdctl", "--endpoints", etcd, "del", key)


@flow("apart", seconds=180, reference="speaks no TLS with etcd")
async def encrypted_stores(lab: Lab) -> None:
    """An agent that reaches Redis and etcd by TLS only, as the configuration of its node says: it joins and a session runs"""
    ports = lab.settings.ports
    certificate, _ = lab.stores.certificate()
    keys = f'tls = true\ntls-ca = "{certificate}"\n'
    async with lab.another(ENCRYPTED, etcd=("127.0.0.1", ports.etcd_tls), etcd_keys=keys) as agent:
        node = f"/sorna/{NAMESPACE}/nodes/agents/{agent.id}/config/redis"
        redis = {"addr": f"127.0.0.1:{ports.redis_tls}", "use_tls": "true", "tls_skip_verify": "true"}
        etcd = ["etcdctl", "--endpoints", f"http://127.0.0.1:{ports.etcd}"]
        for key, value in redis.items():
            run(*etcd, "put", f"{node}/{key}", value)
        try:
            await agent.start()
            assert all((await connectivity(agent)).values())
            async with lab.api.session(scaling_group=agent.group) as session:
                kernel = await session.main()
                assert await session.output("print('encrypted')") == "encrypted\n"
            event = await lab.tap.wait_for(kernel.id, "kernel_terminated", 10)
            assert event.body["reason"] == "user-requested", event.body
            peers = _peers(agent.pid)
            assert peers >= {ports.redis_tls, ports.etcd_tls} and not peers & {ports.redis, ports.etcd}, peers
        finally:
            run(*etcd, "del", "--prefix", node)


def _peers(pid: int | None) -> set[int]:
    """Ports to which a process is connected."""
    lines = run("ss", "-Htnp", "state", "established").splitlines()
    return {int(line.split()[3].rpartition(":")[2]) for line in lines if f"pid={pid}," in line}


@flow("apart", seconds=240, reference="gives up when etcd is away at its start")
async def etcd_away(lab: Lab) -> None:
    """An agent that starts while etcd is away waits and says so; when etcd goes away later, sessions are made and run on"""
    ports = lab.settings.ports
    async with gate(ports.gated_etcd, ports.etcd) as passage, lab.another(WITHOUT_ETCD, etcd=("127.0.0.1", ports.gated_etcd)) as agent:
        passage.cut()
        began = time.time()
        agent.spawn()
        if agent.options.kind == "ours":
            while "waiting for etcd" not in agent.log_tail():
                assert agent.pid is not None and time.time() < began + 30, agent.log_tail()
                await asyncio.sleep(0.2)
        await asyncio.sleep(3)
        passage.open()
        await agent.wait_alive(began, 40)
        async with lab.api.session(scaling_group=agent.group) as session:
            await session.output("mark = 'here'")
            passage.cut()
            async with lab.api.session(scaling_group=agent.group) as second:
                assert await second.output("print('made without etcd')") == "made without etcd\n"
            assert await session.output("print(mark)") == "here\n"
            await _until_etcd(agent, well=False)
            passage.open()
            await _until_etcd(agent, well=True)
            assert await session.output("print(mark)") == "here\n"


async def _until_etcd(agent: Agent, *, well: bool) -> None:
    for _ in range(160):
        if (await connectivity(agent))["etcd/etcd"] == well:
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"etcd is {'not ' if well else ''}well by the agent's account: {await connectivity(agent)}")
