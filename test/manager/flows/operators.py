"""What operators ask a node: how it is, what it is configured with, and what it did."""

import asyncio
import json
import os
import re
import urllib.request
from typing import Any

from lab import Agent, Lab
from lab.settings import PROJECT, WATCHER_TOKEN
from lab.stores import REGISTRY_PASSWORD

from . import flow

NO_TOOL = "has no such command"


async def fetch(url: str, **headers: str) -> str:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    with await asyncio.to_thread(urllib.request.urlopen, request, timeout=10) as response:
        return response.read().decode()


async def connectivity(agent: Agent) -> dict[str, bool]:
    """Of each dependency by the agent's own account, whether it is well."""
    health = json.loads(await fetch(f"http://127.0.0.1:{agent.service_port}/health"))
    checks = health["connectivity"]["connectivity_checks"]
    return {f"{check['service_group']}/{check['component_id']}": check["is_healthy"] for check in checks}


async def ag(agent: Agent, *words: str, **environment: str) -> tuple[int, Any]:
    """Exit status and the JSON document of a command."""
    command = [str(PROJECT / "backend.ai"), "ag", *words, "--json", "--config", str(agent.configuration)]
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await process.communicate()
    assert out, f"{' '.join(words)} printed nothing: {errors.decode()[-500:]}"
    return process.returncode or 0, json.loads(out)


@flow()
async def health(lab: Lab) -> None:
    """Docker, etcd, each role of Redis are asked after at /health, and all are well"""
    found = await connectivity(lab.agent)
    wanted = {"etcd/etcd", "container/docker", "redis/stat", "redis/stream", "redis/bgtask", "redis/container_log"}
    assert wanted <= set(found) and all(found.values()), found
    assert await fetch(f"http://127.0.0.1:{lab.agent.service_port}/livez")
    assert await fetch(f"http://127.0.0.1:{lab.agent.service_port}/readyz")


@flow(reference=NO_TOOL)
async def ag_health(lab: Lab) -> None:
    """`ag health` shows each dependency with state, latency and since when, the Manager too; exit status 0"""
    status, document = await ag(lab.agent, "health")
    assert status == 0 and document["status"] == "ok", document
    rows = {f"{row['group']}/{row['component']}": row for row in document["dependencies"]}
    assert any("manager" in name for name in rows) and any("docker" in name for name in rows), rows
    for name, row in rows.items():
        assert row["healthy"] and row["error"] is None and row["latency_ms"] is not None and row["since"], (name, row)


@flow(reference=NO_TOOL)
async def ag_config_show(lab: Lab) -> None:
    """`ag config show` tells of each value whether file, environment or etcd gave it, and shows no secret"""
    status, document = await ag(lab.agent, "config", "show", BACKEND_SANDBOX_TYPE="docker")
    assert status == 0, document
    origins = {entry["key"]: entry["origin"] for entry in document}
    assert WATCHER_TOKEN not in json.dumps(document), "the watcher's token is shown"
    for key, origin in {"agent.id": "agent.toml", "redis.addr": "etcd", "container.sandbox-type": "BACKEND_SANDBOX_TYPE"}.items():
        assert origin in origins.get(key, ""), (key, origins.get(key), sorted(origins))


@flow(reference="its watcher is another program, which is not started here")
async def watcher_calls(lab: Lab) -> None:
    """An administrator asks the watcher by the Manager; strangers are refused"""
    found = await lab.api.client.AgentWatcher.get_status(lab.agent.id)
    assert "active" in str(found), found
    address = f"http://127.0.0.1:{lab.agent.watcher_port}/"
    state = json.loads(await fetch(address, X_BackendAI_Watcher_Token=WATCHER_TOKEN))
    assert state["watcher-status"] == "active", state
    for token in ("insecure", "", "wrong"):
        try:
            await fetch(address, X_BackendAI_Watcher_Token=token)
        except urllib.error.HTTPError as error:
            assert error.code in (401, 403), error
        else:
            raise AssertionError(f"the token {token!r} is taken")


@flow()
async def agent_facts(lab: Lab) -> None:
    """The Manager's page of an agent: hardware, configuration, version, devices, containers, asked of the agent itself"""
    fields = "version addr compute_plugins hardware_metadata local_config container_count architecture compute_containers { id agent status }"
    async with lab.api.session() as session:
        kernel = await session.main()
        answer = await lab.api.query("query($id: String!) { agent(agent_id: $id) { %s } }" % fields, {"id": lab.agent.id})
    found = answer["agent"]
    read = {key: json.loads(value) if isinstance(value, str) and value[:1] in "{[" else value for key, value in found.items()}
    assert {"cpu", "mem"} <= set(read["compute_plugins"]), read["compute_plugins"]
    # Only devices with hardware of their own to tell about are in it.
    assert read["hardware_metadata"] == {}, read
    assert "auto_terminate_abusing_kernel" in str(read["local_config"]) or read["local_config"], read["local_config"]
    assert read["version"] and read["architecture"] == "x86_64", read
    assert any(entry["id"] == kernel.id for entry in read["compute_containers"]), read["compute_containers"]
    assert isinstance(read["container_count"], int) and read["container_count"] >= 0, read


@flow(reference="logs no calls")
async def request_log(lab: Lab) -> None:
    """Each call is one line of the log with method, peer, duration and outcome; code, variables and passwords are in none"""
    secret = "hidden-" + os.urandom(8).hex()
    async with lab.api.session(envs={"FLOW_SECRET": secret}) as session:
        await session.output(f"print(len('{secret}'))")
        await session.run_through("raise SystemExit(3)")
    log = lab.agent.log.read_text(errors="replace")
    assert secret not in log and REGISTRY_PASSWORD not in log and WATCHER_TOKEN not in log, "a secret is in the log"
    for method in ("create_kernels", "execute", "destroy_kernel"):
        # For people each field is on a line of its own.
        call = re.search(rf"RPC call\n(?: +\w+: .*\n)*? +method: \"{method}\"\n(?: +\w+: .*\n)+", log)
        assert call, f"nothing about {method}"
        for field in ("peer", "outcome", "duration_ms"):
            assert re.search(rf"\b{field}: \S", call[0]), f"no {field}: {call[0]}"


@flow(reference=NO_TOOL)
async def ag_kernels(lab: Lab) -> None:
    """`ag status` and `ag kernels` show a session of the Manager with its slots"""
    async with lab.api.session() as session:
        kernel = await session.main()
        status, rows = await ag(lab.agent, "kernels")
        assert status == 0 and any(kernel.id in json.dumps(row) for row in rows), rows
        status, document = await ag(lab.agent, "status")
        assert status == 0 and "cpu" in json.dumps(document), document


