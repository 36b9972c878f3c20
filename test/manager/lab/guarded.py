"""The lab's stores as a careful operator has them: Redis with a password behind Sentinel, etcd with users."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path

from . import Lab
from .processes import require, run
from .settings import NAMESPACE, Access

REDIS_PASSWORD, ROOT_PASSWORD, AGENT_PASSWORD = "lab-redis", "lab-etcd-root", "lab-etcd-agent"
_REDIS_KEY = f"/sorna/{NAMESPACE}/config/redis"
_MANAGERS_KEY = f"/sorna/{NAMESPACE}/nodes/manager"
_SERVICE = "lab-master"


class Sentinel:
    """A Redis and its replica, both with a password, and the Sentinel that tells which of them is the master."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        ports = lab.settings.ports
        self._ports = (ports.redis, ports.redis_replica)

    @property
    def configuration(self) -> dict[str, str]:
        """For `config/redis`."""
        return {
            "sentinel": f"127.0.0.1:{self._lab.settings.ports.sentinel}",
            "service_name": _SERVICE,
            "password": REDIS_PASSWORD,
        }

    def start(self) -> None:
        master, replica = self._ports
        self._start_redis("redis", master)
        self._start_redis("redis-replica", replica, "--replicaof", f"127.0.0.1 {master}")
        require("the replica", lambda: "master_link_status:up" in self._ask(replica, "info", "replication"), 30)
        self._start_sentinel(master)
        self._lab.settings.access.redis_port, self._lab.settings.access.redis_password = master, REDIS_PASSWORD

    async def fail_over(self) -> None:
        """The master dies and the replica takes over."""
        _, replica = self._ports
        await asyncio.to_thread(self._lab.processes.reap, "redis")
        await asyncio.to_thread(
            require, "another master", lambda: "role:master" in self._ask(replica, "info", "replication"), 30
        )
        self._lab.settings.access.redis_port = replica

    def stop(self) -> None:
        for name in ("sentinel", "redis-replica", "redis"):
            self._lab.processes.reap(name)

    def _start_redis(self, name: str, port: int, *options: str) -> None:
        folder = _folder(self._lab, name)
        secret = ["--requirepass", REDIS_PASSWORD, "--masterauth", REDIS_PASSWORD]
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", ".", *secret, *options]
        self._lab.processes.spawn(name, command, cwd=folder)
        require(name, lambda: "PONG" in self._ask(port, "ping"), 30)

    def _start_sentinel(self, master: int) -> None:
        """It writes what it finds out into its configuration."""
        folder = _folder(self._lab, "sentinel")
        port = self._lab.settings.ports.sentinel
        lines = [
            f"port {port}",
            "bind 127.0.0.1",
            "dir .",
            f"sentinel monitor {_SERVICE} 127.0.0.1 {master} 1",
            f"sentinel auth-pass {_SERVICE} {REDIS_PASSWORD}",
            # A Manager tells Sentinel the password of Redis when it knows no other, which one without a password refuses.
            f"requirepass {REDIS_PASSWORD}",
            f"sentinel down-after-milliseconds {_SERVICE} 1000",
            f"sentinel failover-timeout {_SERVICE} 5000",
        ]
        (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")
        self._lab.processes.spawn("sentinel", ["redis-server", "sentinel.conf", "--sentinel"], cwd=folder)
        require("Sentinel's view of the replica", lambda: "slaves=1" in self._ask(port, "info", "sentinel"), 30)

    def _ask(self, port: int, *words: str) -> str:
        try:
            return run("redis-cli", "-p", str(port), "-a", REDIS_PASSWORD, "--no-auth-warning", *words)
        except RuntimeError:
            return ""


@asynccontextmanager
async def guarded(lab: Lab, redis: Sentinel) -> AsyncIterator[None]:
    """Manager and agents find this Redis in place of their own, and an etcd that wants to know who asks; then as before."""
    settings = lab.settings
    await asyncio.to_thread(_stop_all, lab)
    before = _entries(lab, _REDIS_KEY)
    try:
        await asyncio.to_thread(redis.start)
        _configure(lab, redis.configuration)
        _guard_etcd(lab)
        await _start_all(lab)
        yield
    finally:
        await asyncio.to_thread(_stop_all, lab)
        await asyncio.to_thread(redis.stop)
        _open_etcd(lab)
        for name in fields(Access):
            setattr(settings.access, name.name, name.default)
        _configure(lab, before)
        await asyncio.to_thread(lab.stores.start_redis)
        await _start_all(lab)


def _stop_all(lab: Lab) -> None:
    for agent in (lab.agent, lab.second):
        agent.stop()
    lab.processes.reap("manager", 30)
    lab.processes.reap("redis")


async def _start_all(lab: Lab) -> None:
    await asyncio.to_thread(lab.manager.start_process)
    await asyncio.gather(lab.agent.start(), lab.second.start())


def _folder(lab: Lab, name: str) -> Path:
    folder = lab.settings.root / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _etcd(lab: Lab, *words: str) -> str:
    access = lab.settings.access
    user = ["--user", f"root:{ROOT_PASSWORD}"] if access.etcd_user else []
    return run("etcdctl", "--endpoints", f"http://127.0.0.1:{lab.settings.ports.etcd}", *user, *words)


def _entries(lab: Lab, prefix: str) -> dict[str, str]:
    lines = _etcd(lab, "get", "--prefix", f"{prefix}/").splitlines()
    return {key.removeprefix(f"{prefix}/"): value for key, value in zip(lines[::2], lines[1::2], strict=True)}


def _put(lab: Lab, prefix: str, entries: Mapping[str, str]) -> None:
    for key, value in entries.items():
        _etcd(lab, "put", f"{prefix}/{key}", value)


def _configure(lab: Lab, redis: Mapping[str, str]) -> None:
    _etcd(lab, "del", "--prefix", f"{_REDIS_KEY}/")
    _put(lab, _REDIS_KEY, redis)


def managers(lab: Lab) -> dict[str, str]:
    """Those that say in etcd that they are there."""
    return _entries(lab, _MANAGERS_KEY)


def register_managers(lab: Lab, registered: Mapping[str, str]) -> None:
    _put(lab, _MANAGERS_KEY, registered)


def _guard_etcd(lab: Lab) -> None:
    """Root for the Manager; the agents' user may do what it likes below the cluster's prefix and nothing elsewhere."""
    _etcd(lab, "user", "add", f"root:{ROOT_PASSWORD}")
    _etcd(lab, "user", "add", f"agent:{AGENT_PASSWORD}")
    _etcd(lab, "role", "add", "agents")
    _etcd(lab, "role", "grant-permission", "--prefix=true", "agents", "readwrite", f"/sorna/{NAMESPACE}/")
    _etcd(lab, "user", "grant-role", "root", "root")
    _etcd(lab, "user", "grant-role", "agent", "agents")
    _etcd(lab, "auth", "enable")
    access = lab.settings.access
    access.etcd_user, access.etcd_password = "root", ROOT_PASSWORD
    access.agent_user, access.agent_password = "agent", AGENT_PASSWORD


def _open_etcd(lab: Lab) -> None:
    if not lab.settings.access.etcd_user:
        return
    _etcd(lab, "auth", "disable")
    for access in ("etcd_user", "agent_user"):
        setattr(lab.settings.access, access, "")
    for what in ("user", "role"):
        for name in _etcd(lab, what, "list").splitlines():
            _etcd(lab, what, "delete", name)
