"""The released Manager: its configuration, its first content (kept as a template for later runs), its process."""

import hashlib
import shutil
import sys
from pathlib import Path

from .content import cluster_configuration, write_fixtures
from .processes import Processes, answers, require, run
from .settings import CACHE, HERE, INSTALLER, KERNEL_IMAGE, NAMESPACE, PYTHON, VERSION, Settings
from .stores import REGISTRY_PASSWORD, REGISTRY_USER, Stores, postgres_program

COMMAND = Path(sys.prefix) / "bin/backend.ai"
# Folders whose content makes a provisioned lab.
PROVISIONED = ("postgres", "etcd", "registry", "private-registry", "manager")


class Manager:
    def __init__(self, settings: Settings, processes: Processes, stores: Stores) -> None:
        self._settings = settings
        self._processes = processes
        self._stores = stores
        self._folder = settings.root / "manager"

    @property
    def public_key(self) -> Path:
        return self._folder / "keys/manager.key"

    @property
    def private_image(self) -> str:
        """The same image in the registry that asks for a password."""
        return f"127.0.0.1:{self._settings.ports.private_registry}/lab/private:1"

    def start(self) -> None:
        if not self._is_provisioned() and self._template().exists():
            for name in PROVISIONED:
                run("cp", "-a", self._template() / name, self._settings.root / name)
        self._write_configuration()
        self._stores.start()
        if not self._is_provisioned():
            self._provision()
            self._keep_as_template()
        for image in (self._settings.image, self.private_image):
            run("docker", "tag", KERNEL_IMAGE, image)
        port = str(self._settings.ports.app_proxy)
        self._processes.spawn("app-proxy", [PYTHON, HERE / "lab/app_proxy.py", port])
        self.start_process()
        self._stores.start_prometheus()

    def start_process(self, name: str = "manager") -> str:
        """A Manager of these stores, which may be another one beside the first; returns its address for clients."""
        port = self._write_configuration(name)
        command = [PYTHON, "-m", "ai.backend.manager.server", "-f", self._folder / f"{name}.toml"]
        self._processes.spawn(name, command, cwd=self._folder)
        endpoint = f"http://127.0.0.1:{port}"
        require("the Manager", answers("curl", "-fsS", endpoint), 120)
        return endpoint

    def stop(self) -> None:
        for name in ("manager-two", "manager"):
            self._processes.reap(name, 30)
        # Not before: the Manager goes on calling an agent that is behind it.
        self._processes.reap("far-link", 5)
        self._processes.reap("app-proxy", 5)
        for image in (self._settings.image, self.private_image):
            answers("docker", "image", "rm", image)()

    # --- first content ---------------------------------------------------------------------------

    def _is_provisioned(self) -> bool:
        return (self._folder / "provisioned").exists()

    def _template(self) -> Path:
        """Of this release, these ports, this kernel image and this content: anything else makes another."""
        of = hashlib.sha256(f"{VERSION} {self._settings.ports.base}".encode())
        of.update(run("docker", "image", "inspect", "-f", "{{.Id}}", KERNEL_IMAGE).encode())
        for name in ("manager.py", "content.py", "stores.py"):
            of.update((HERE / "lab" / name).read_bytes())
        return CACHE / f"manager-content-{VERSION}-{of.hexdigest()[:16]}"

    def _provision(self) -> None:
        """A minute and a half: nearly all of it the Manager's own command line, called a dozen times."""
        print("the Manager's first content (once for these ports)", flush=True)
        settings, folder = self._settings, self._folder
        log = self._processes.log("provision")
        (folder / "keys").mkdir(exist_ok=True)
        alembic = (INSTALLER / "configs/alembic.ini").read_text()
        (folder / "alembic.ini").write_text(alembic.replace("localhost:8100", f"127.0.0.1:{settings.ports.postgres}"))

        def manage(*words: str | Path) -> None:
            run(COMMAND, "mgr", *words, cwd=folder, log=log)

        manage("generate-rpc-keypair", folder / "keys", "manager")
        endpoint = f"http://127.0.0.1:{settings.ports.etcd}"
        for key, value in cluster_configuration(settings).items():
            run("etcdctl", "--endpoints", endpoint, "put", "--", key, value, log=log)
        database = ["-q", "-h", "127.0.0.1", "-p", str(settings.ports.postgres), "-U", "postgres"]
        run(postgres_program("psql"), *database, "-c", "CREATE DATABASE backend", log=log)
        manage("schema", "oneshot")
        for fixture in write_fixtures(settings, folder / "fixtures"):
            manage("fixture", "populate", fixture)
        self._push_images()
        for port in (settings.ports.registry, settings.ports.private_registry):
            manage("image", "rescan", f"127.0.0.1:{port}")
        (folder / "provisioned").touch()

    def _push_images(self) -> None:
        docker = ["docker", "--config", self._folder / "docker"]
        host = f"127.0.0.1:{self._settings.ports.private_registry}"
        run(*docker, "login", "-u", REGISTRY_USER, "-p", REGISTRY_PASSWORD, host)
        for image in (self._settings.image, self.private_image):
            run("docker", "tag", KERNEL_IMAGE, image)
            run(*docker, "push", "-q", image)
        shutil.rmtree(self._folder / "docker")

    def _keep_as_template(self) -> None:
        """Stores are stopped meanwhile: what is copied must be whole. Templates of other content go."""
        self._stores.stop()
        template = self._template()
        for old in CACHE.glob(f"manager-content-{VERSION}-*"):
            shutil.rmtree(old)
        fresh = template.with_suffix(".new")
        fresh.mkdir(parents=True)
        for name in PROVISIONED:
            run("cp", "-a", self._settings.root / name, fresh / name)
        fresh.rename(template)
        self._stores.start()

    # --- configuration -----------------------------------------------------------------------------

    def _write_configuration(self, name: str = "manager") -> int:
        """Returns the port for clients."""
        ports, access, folder = self._settings.ports, self._settings.access, self._folder
        who = name.replace("-", "_")
        port, internal = getattr(ports, who), getattr(ports, f"{who}_internal")
        (folder / f"ipc-{name}").mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.toml").write_text(f"""\
[etcd]
namespace = "{NAMESPACE}"
addr = {{ host = "127.0.0.1", port = {ports.etcd} }}
user = "{access.etcd_user}"
password = "{access.etcd_password}"
[db]
type = "postgresql"
addr = {{ host = "127.0.0.1", port = {ports.postgres} }}
name = "backend"
user = "postgres"
password = "none"
[manager]
num-proc = 1
service-addr = {{ host = "127.0.0.1", port = {port} }}
announce-addr = {{ host = "127.0.0.1", port = {port} }}
internal-addr = {{ host = "127.0.0.1", port = {internal} }}
announce-internal-addr = {{ host = "127.0.0.1", port = {internal} }}
aiomonitor-termui-port = {getattr(ports, f"{who}_termui")}
aiomonitor-webui-port = {getattr(ports, f"{who}_webui")}
rpc-auth-manager-keypair = "{folder}/keys/manager.key_secret"
ssl-enabled = false
ipc-base-path = "{folder}/ipc-{name}"
heartbeat-timeout = 40.0
pid-file = "{folder}/{name}.pid"
disabled-plugins = []
hide-agents = true
agent-selection-resource-priority = ["cuda", "rocm", "tpu", "cpu", "mem"]
[metric]
addr = {{ host = "127.0.0.1", port = {ports.prometheus} }}
[docker-registry]
ssl-verify = false
[pyroscope]
enabled = false
[logging]
level = "INFO"
drivers = ["console"]
[logging.pkg-ns]
"" = "WARNING"
"ai.backend" = "INFO"
[logging.console]
colored = false
format = "verbose"
[debug]
enabled = false
[otel]
enabled = false
log-level = "INFO"
endpoint = "http://127.0.0.1:4317"
""")
        return port
