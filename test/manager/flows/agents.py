"""Agents that join, stop, die and come back. These have the second agent for themselves."""

import asyncio
import json
import time

import zmq
import zmq.asyncio
import zmq.auth
from ai.backend.client.exceptions import BackendAPIError

from lab import Lab
from lab.api import UserSession
from lab.processes import run

from . import flow
from .operators import fetch


@flow("agents")
async def join(lab: Lab) -> None:
    """An operator's TOML makes each agent ALIVE in its resource group, with its slots, address and key"""
    both = [lab.agent.id, lab.second.id]
    rows = await lab.api.database.fetch("SELECT * FROM agents WHERE id = ANY($1) ORDER BY id", both)
    assert [row["id"] for row in rows] == both, rows
    for row, agent in zip(rows, (lab.agent, lab.second), strict=True):
        assert row["status"] == "ALIVE" and row["scaling_group"] == agent.group, row
        assert row["addr"] == f"tcp://127.0.0.1:{agent.rpc_port}" and row["architecture"] == "x86_64", row
        # The Manager writes down the slots a moment after it calls a new agent ALIVE.
        for _ in range(50):
            capacity = await lab.api.capacity(agent.id)
            if capacity:
                break
            await asyncio.sleep(0.1)
        assert set(capacity) >= {"cpu", "mem"} and capacity["cpu"] >= 8 and capacity["mem"] > 1 << 30, capacity
    assert (rows[0]["public_key"] is None, len(rows[1]["public_key"] or "")) == (True, 40), rows


@flow("agents")
async def curve(lab: Lab) -> None:
    """With CURVE keys a stranger gets no answer, and the Manager's calls work"""
    with zmq.asyncio.Context() as context:
        assert await _answers(context, lab, manager_key=True), "the Manager's own key is refused"
        before = await _refused(lab)
        assert not await _answers(context, lab, manager_key=False), "a stranger's key is taken"
        if lab.second.options.kind == "ours":
            assert await _refused(lab) > before, "nobody counted the stranger"
    async with lab.api.session(scaling_group=lab.second.group) as session:
        assert await session.output("print('encrypted')") == "encrypted\n"


async def _refused(lab: Lab) -> float:
    metrics = await fetch(f"http://127.0.0.1:{lab.second.service_port}/metrics")
    return sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("backendai_rpc_refused_connections"))


async def _answers(context: zmq.asyncio.Context, lab: Lab, *, manager_key: bool) -> bool:
    """Whether the agent answers the probe of the RPC library to this key."""
    with context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        public, secret = zmq.curve_keypair()
        if manager_key:
            public, secret = zmq.auth.load_certificate(lab.manager.public_key.with_suffix(".key_secret"))
        agent_key, _ = zmq.auth.load_certificate(lab.second.curve_key())
        socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = public, secret, agent_key
        socket.connect(f"tcp://127.0.0.1:{lab.second.rpc_port}")
        await socket.send_multipart([b"PING", b"", b""])
        # An answer comes at once; only that there is none has to be waited for.
        return bool(await socket.poll(10_000 if manager_key else 2_000))


@flow("agents", seconds=180)
async def restart_with_sessions(lab: Lab) -> None:
    """An agent is stopped and started with a session running: it goes on, keeps its state, and nothing ran twice"""
    async with lab.api.session(scaling_group=lab.second.group) as session:
        kernel = await session.main()
        await _leave_a_mark(session)
        assert await asyncio.to_thread(lab.second.stop), "the agent did not stop by itself"
        # Told at once, and not found out 40 s later, which would be LOST.
        await _until_status(lab, "TERMINATED", seconds=10)
        assert run("docker", "inspect", "-f", "{{.State.Running}}", kernel.container_id).strip() == "true"
        await lab.second.start()
        await _is_as_before(lab, session, kernel.container_id)


@flow("agents", reference="announces itself 0.4 to 0.9 s before its RPC port listens")
async def reachable_when_announced(lab: Lab) -> None:
    """The first heartbeat comes when RPC and the health page are there to be asked"""
    await asyncio.to_thread(lab.second.stop)
    await _until_status(lab, "TERMINATED", seconds=10)
    beats = len(lab.tap.heartbeats.get(lab.second.id, []))
    began = time.time()
    lab.second.spawn()
    while len(lab.tap.heartbeats.get(lab.second.id, [])) == beats:
        assert time.time() < began + 60, lab.second.log_tail()
        await asyncio.sleep(0.005)
    for port in (lab.second.rpc_port, lab.second.service_port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
    await lab.second.wait_alive(began)


@flow("agents", seconds=180)
async def killed_with_sessions(lab: Lab) -> None:
    """An agent is killed with a session running and started again: the session goes on"""
    async with lab.api.session(scaling_group=lab.second.group) as session:
        kernel = await session.main()
        await _leave_a_mark(session)
        lab.second.kill()
        await asyncio.sleep(1)
        # The Manager has not missed it yet: ALIVE is told by a new heartbeat.
        beats = len(lab.tap.heartbeats.get(lab.second.id, []))
        lab.second.spawn()
        for _ in range(300):
            if len(lab.tap.heartbeats.get(lab.second.id, [])) > beats:
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError(f"no heartbeat: {lab.second.log_tail()}")
        await _is_as_before(lab, session, kernel.container_id)


@flow("agents", seconds=240)
async def ended_while_away(lab: Lab) -> None:
    """A container that ends while its agent is away is told when it comes back"""
    session = await lab.api.enqueue(scaling_group=lab.second.group)
    await session.wait("RUNNING")
    kernel = await session.main()
    lab.second.kill()
    run("docker", "kill", kernel.container_id)
    lab.second.spawn()
    event = await lab.tap.wait_for(kernel.id, "kernel_terminated", 90)
    assert event.body["reason"] in ("self-terminated", "already-terminated"), event.body
    await session.wait("TERMINATED")


@flow("agents", seconds=180)
async def lost_and_revived(lab: Lab) -> None:
    """An agent that hangs is LOST after 40 s, and ALIVE again when it goes on"""
    async with lab.api.session(scaling_group=lab.second.group) as session:
        await _leave_a_mark(session)
        lab.second.pause()
        try:
            await _until_status(lab, "LOST", seconds=70)
        finally:
            lab.second.resume()
        await _until_status(lab, "ALIVE", seconds=40)
        await is_reached(session)


@flow("agents")
async def two_agents(lab: Lab) -> None:
    """Two agents on one host keep to their own containers, ports and folders"""
    async with lab.api.session() as one, lab.api.session(scaling_group=lab.second.group) as two:
        first, second = await one.main(), await two.main()
        assert [kernel.agent for kernel in (first, second)] == [lab.agent.id, lab.second.id]
        assert (lab.agent.scratches / first.id).exists() and (lab.second.scratches / second.id).exists()
        for agent, kernel in ((lab.agent, first), (lab.second, second)):
            low, high = lab.settings.ports.kernels(agent.options.number)
            ports = run("docker", "port", kernel.container_id).split()
            hosts = [int(word.rpartition(":")[2]) for word in ports if word.startswith("127.0.0.1:")]
            assert hosts and all(low <= port <= high for port in hosts), (agent.id, hosts)


@flow("agents")
async def service_discovery(lab: Lab) -> None:
    """Prometheus finds the agent by the Manager, once, and scrapes it there"""
    targets = json.loads(await fetch(f"http://127.0.0.1:{lab.settings.ports.manager_internal}/metrics/service_discovery"))
    found = [target for target in targets if f"agent-{lab.second.id}" in str(target)]
    assert len(found) == 1, targets
    (address,) = found[0]["targets"]
    metrics = await fetch(f"http://{address}/metrics")
    assert "backendai_rpc_requests_total" in metrics, metrics[:300]


async def _leave_a_mark(session: UserSession) -> None:
    await session.output("mark = 'here'")
    await session.shell("date +%s%N >> /home/work/started; echo $$")


async def _is_as_before(lab: Lab, session: UserSession, container_id: str) -> None:
    await is_reached(session)
    assert (await session.status())[0] == "RUNNING"
    assert await session.output("print(mark)") == "here\n"
    assert await session.shell("wc -l < /home/work/started") == "1"
    kernel = await session.main()
    assert kernel.container_id == container_id and await lab.containers(kernel.id) == [container_id]
    assert len(lab.tap.of(kernel.id, "kernel_started")) == 1


async def is_reached(session: UserSession, seconds: float = 100) -> None:
    """The Manager tries an address that did not answer again only after a minute."""
    end = time.monotonic() + seconds
    while True:
        try:
            assert await session.output("print(mark)") == "here\n"
            return
        except BackendAPIError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(1)


async def _until_status(lab: Lab, *wanted: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while (status := await lab.api.agent_status(lab.second.id)) not in wanted:
        assert time.monotonic() < end, f"the agent is still {status}, wanted {'/'.join(wanted)}"
        await asyncio.sleep(0.2)
