"""Where the lab is: folders, ports, names. Everything is on 127.0.0.1 and below one folder."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

VERSION = os.environ.get("MANAGER_VERSION", "26.9.6")
# Before 26.9: events of generation A.
IS_OLDER = tuple(int(part) for part in VERSION.split(".")[:2]) < (26, 9)
KERNEL_IMAGE = os.environ.get("KERNEL_IMAGE", "backend.ai-agent/manager-kernel:1")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "backend.ai-agent"
PROJECT = Path(os.environ.get("PROJECT") or Path(__file__).resolve().parents[3])
HERE = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
INSTALLER = Path(sys.prefix) / f"lib/python3.{sys.version_info.minor}/site-packages/ai/backend/install"

# Of the installer's public example fixtures.
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NAMESPACE = "local"
# Slots of a small machine, times this: more sessions at once than cores. Both agents know the variable.
CPU_OVERCOMMIT = "8"


# What administrators send with the watcher's calls; the Manager and the agents read it in etcd.
WATCHER_TOKEN = "lab-watcher-token"
# The first two run all the time; the others belong to flows that do things to an agent which nobody else should feel.
AGENTS = range(1, 7)


def group_of(number: int) -> str:
    """Each agent has a resource group of its own: a session says by it where it wants to run."""
    return "default" if number == 1 else f"group-{number}"


@dataclass(frozen=True)
class Ports:
    """All ports of the lab, counted from one; the kernels of each agent get a range of 400 above them."""

    base: int

    def __getattr__(self, name: str) -> int:
        try:
            return self.base + _OFFSETS[name]
        except KeyError:
            raise AttributeError(name) from None

    def kernels(self, number: int) -> tuple[int, int]:
        first = self.base + 200 + 400 * (number - 1)
        return first, first + 399


_OFFSETS = {
    name: offset
    for offset, name in enumerate(
        (
            "postgres redis etcd etcd_peer registry private_registry manager manager_internal app_proxy prometheus tap"
            " gated_registry gated_etcd far_rpc far_redis far_etcd redis_replica sentinel manager_two"
            " manager_two_internal redis_tls etcd_tls manager_termui manager_webui manager_two_termui manager_two_webui"
        ).split()
    )
}


@dataclass
class Access:
    """How the stores are to be reached, which a flow may change while nobody uses them."""

    etcd_user: str = ""
    etcd_password: str = ""
    agent_user: str = ""
    """At etcd, of the agents."""
    agent_password: str = ""
    redis_port: int | None = None
    redis_password: str | None = None


@dataclass(frozen=True)
class Settings:
    root: Path
    ports: Ports
    access: Access = field(default_factory=Access)

    @property
    def registry(self) -> str:
        return f"127.0.0.1:{self.ports.registry}"

    @property
    def image(self) -> str:
        """The canonical name by which the Manager knows the kernel image."""
        return f"{self.registry}/lab/python:3.11-debian12"

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports.manager}"


def base_port() -> int:
    return int(os.environ.get("MANAGER_LAB_PORT", "21000"))
