"""An agent of either kind, with the TOML that an operator has for the Python one; the file is the same for both."""

import asyncio
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import zmq.auth

from .processes import Processes, run
from .settings import CPU_OVERCOMMIT, NAMESPACE, PROJECT, PYTHON, Settings, group_of

KINDS = ("ours", "reference")


@dataclass
class AgentOptions:
    kind: str
    number: int = 1
    curve_with: Path | None = None
    """The Manager's public key: RPC is encrypted and authenticated then."""
    advertised_port: int | None = None
    """Where the Manager is to call instead, for something in between."""
    advertised_host: str = "127.0.0.1"
    etcd: tuple[str, int] | None = None
    """Where the agent finds etcd instead."""
    etcd_keys: str = ""
    """More lines of the TOML's `[etcd]`."""
    environment: Mapping[str, str] = field(default_factory=dict)


class Agent:
    def __init__(self, settings: Settings, processes: Processes, options: AgentOptions) -> None:
        self._settings = settings
        self._processes = processes
        self.options = options
        self.id = f"i-{settings.ports.base}-{options.number}"
        self.name = f"agent-{options.number}"
        self.group = group_of(options.number)
        self.folder = settings.root / self.name
        first = settings.ports.base + 20 + 20 * options.number
        self.rpc_port, self.service_port, self.watcher_port = first, first + 1, first + 2
        self._socket_port, self._metadata_port = first + 3, first + 4
        # The usual ones may be any connection's own port: the reference then never comes up.
        self._debugging_ports = first + 5, first + 6

    @property
    def log(self) -> Path:
        return self._processes.log(self.name)

    @property
    def pid(self) -> int | None:
        return self._processes.pid(self.name)

    @property
    def scratches(self) -> Path:
        return self.folder / "scratches"

    @property
    def configuration(self) -> Path:
        return self.folder / "agent.toml"

    def _command(self) -> list[str | Path]:
        toml = self._write_configuration()
        if self.options.kind == "reference":
            return [PYTHON, "-m", "ai.backend.agent.server", "-f", toml]
        return [PROJECT / "backend.ai", "ag", "start-server", "--config", toml]

    async def start(self, seconds: float = 60) -> float:
        """Returns how long it took until the Manager listed it ALIVE, in seconds."""
        began = time.time()
        self.spawn()
        return await self.wait_alive(began, seconds)

    def spawn(self) -> None:
        environment = {"BACKEND_CPU_OVERCOMMIT_FACTOR": CPU_OVERCOMMIT, **self.options.environment}
        self._processes.spawn(self.name, self._command(), cwd=self.folder, env=environment)

    async def wait_alive(self, since: float, seconds: float = 60) -> float:
        """Until the Manager's own table says so by a change after a moment (epoch seconds)."""
        database = await asyncpg.connect(
            host="127.0.0.1", port=self._settings.ports.postgres, user="postgres", database="backend"
        )
        try:
            while (waited := time.time() - since) < seconds:
                if await database.fetchval(
                    "SELECT 1 FROM agents WHERE id = $1 AND status = 'ALIVE'"
                    " AND COALESCE(status_changed, first_contact) > to_timestamp($2)",
                    self.id,
                    since,
                ):
                    return waited
                if self.pid is None:
                    raise AssertionError(f"{self.name} ended by itself:\n{self.log_tail()}")
                await asyncio.sleep(0.02)
            raise AssertionError(f"{self.name} is not ALIVE after {seconds:.0f} s:\n{self.log_tail()}")
        finally:
            await database.close()

    def stop(self) -> bool:
        return self._processes.reap(self.name, 60)

    def kill(self) -> None:
        """As an out-of-memory killer would: the agent and what it started, at once."""
        self._processes.send(self.name, signal.SIGKILL)
        self._processes.reap(self.name, 5)

    def pause(self) -> None:
        self._processes.send(self.name, signal.SIGSTOP)

    def resume(self) -> None:
        self._processes.send(self.name, signal.SIGCONT)

    def log_tail(self, characters: int = 1500) -> str:
        return self.log.read_text(errors="replace")[-characters:] if self.log.exists() else ""

    def curve_key(self) -> Path:
        return self.folder / "keys/agent.key"

    def remove_leftovers(self) -> None:
        """Containers of this agent that a failed flow left, and the reference's relay."""
        mine = run("docker", "ps", "-aq", "--filter", f"label=ai.backend.owner={self.id}").split()
        mine += run("docker", "ps", "-aq", "--filter", f"name=backendai-socket-relay.{self.id}$").split()
        for container in mine:
            run("docker", "rm", "-fv", container)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write_configuration(self) -> Path:
        folder, ports = self.folder, self._settings.ports
        for name in ("ipc", "var", "scratches", "commit", "vfroot/local", "abuse", "coredumps", "keys"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        extra = ""
        if self.options.curve_with is not None:
            if not self.curve_key().exists():
                zmq.auth.create_certificates(folder / "keys", "agent")
            extra += f'rpc-auth-manager-public-key = "{self.options.curve_with}"\n'
            extra += f'rpc-auth-agent-keypair = "{folder}/keys/agent.key_secret"\n'
        if self.options.advertised_port is not None:
            host, port = self.options.advertised_host, self.options.advertised_port
            extra += f'advertised-rpc-addr = {{ host = "{host}", port = {port} }}\n'
        first, last = ports.kernels(self.options.number)
        etcd_host, etcd_port = self.options.etcd or ("127.0.0.1", ports.etcd)
        access = self._settings.access
        path = self.configuration
        path.write_text(f"""\
[etcd]
namespace = "{NAMESPACE}"
addr = {{ host = "{etcd_host}", port = {etcd_port} }}
user = "{access.agent_user}"
password = "{access.agent_password}"
{self.options.etcd_keys}[agent]
mode = "docker"
id = "{self.id}"
rpc-listen-addr = {{ host = "127.0.0.1", port = {self.rpc_port} }}
service-addr = {{ host = "127.0.0.1", port = {self.service_port} }}
announce-addr = {{ host = "127.0.0.1", port = {self.service_port} }}
ssl-enabled = false
agent-sock-port = {self._socket_port}
aiomonitor-termui-port = {self._debugging_ports[0]}
aiomonitor-webui-port = {self._debugging_ports[1]}
initial-resource-group-name = "{self.group}"
pid-file = "{folder}/agent.pid"
event-loop = "uvloop"
ipc-base-path = "{folder}/ipc"
var-base-path = "{folder}/var"
image-commit-path = "{folder}/commit"
abuse-report-path = "{folder}/abuse"
mount-path = "{folder}/vfroot/local"
cohabiting-storage-proxy = false
metadata-server-bind-host = "127.0.0.1"
metadata-server-port = {self._metadata_port}
allow-compute-plugins = []
{extra}[container]
port-range = [{first}, {last}]
kernel-uid = 1000
kernel-gid = 1000
bind-host = "127.0.0.1"
sandbox-type = "docker"
scratch-type = "hostdir"
scratch-root = "{folder}/scratches"
scratch-size = "1G"
[watcher]
service-addr = {{ host = "127.0.0.1", port = {self.watcher_port} }}
ssl-enabled = false
target-service = "backendai-agent.service"
soft-reset-available = false
[pyroscope]
enabled = false
[logging]
level = "INFO"
drivers = ["console"]
[logging.pkg-ns]
"" = "WARNING"
"aiodocker" = "INFO"
"ai.backend" = "INFO"
[logging.console]
colored = false
format = "verbose"
[resource]
reserved-cpu = 0
reserved-mem = "1G"
reserved-disk = "1G"
allocation-order = ["cuda", "rocm", "tpu", "cpu", "mem"]
affinity-policy = "INTERLEAVED"
[debug]
enabled = false
skip-container-deletion = false
[otel]
enabled = false
log-level = "INFO"
endpoint = "http://127.0.0.1:4317"
""")
        path.chmod(0o600)
        return path
