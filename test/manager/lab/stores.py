"""PostgreSQL, Redis, etcd, two Docker registries and Prometheus, each on its own port and folder."""

import json
import os
import shutil
from pathlib import Path

import bcrypt

from .processes import Processes, answers, require, run
from .settings import Settings

REGISTRY_USER, REGISTRY_PASSWORD = "lab", "lab-password"
STORES = ("postgres", "redis", "redis-replica", "sentinel", "etcd", "registry", "private-registry", "prometheus")
# PostgreSQL refuses to run as root.
POSTGRES_USER = "postgres" if os.getuid() == 0 else None


def postgres_program(name: str) -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        raise RuntimeError(f"PostgreSQL's {name} is not installed")
    return found[-1]


class Stores:
    def __init__(self, settings: Settings, processes: Processes) -> None:
        self._settings = settings
        self._processes = processes
        self._root = settings.root

    def start(self) -> None:
        """All but Prometheus, which asks the Manager what to scrape; returns when each answers."""
        ports = self._settings.ports
        self._start_postgres()
        self._start_registry("registry", ports.registry, private=False)
        self._start_registry("private-registry", ports.private_registry, private=True)
        self.start_redis()
        self.start_etcd()
        for port in (ports.registry, ports.private_registry):
            require("the registry", answers("curl", "-sS", f"http://127.0.0.1:{port}/v2/"), 30)

    def start_redis(self) -> None:
        """With nothing in it. At a second port it takes TLS, as etcd does: no Manager so far asks for that, agents may."""
        port, tls_port = self._settings.ports.redis, self._settings.ports.redis_tls
        certificate, key = self.certificate()
        tls = ["--tls-port", tls_port, "--tls-auth-clients", "no", "--tls-cert-file", certificate, "--tls-key-file", key]
        command = ["redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", ".", *tls]
        self._start("redis", [*command, "--tls-ca-cert-file", certificate])
        require("Redis", answers("redis-cli", "-p", str(port), "ping"), 30)

    def certificate(self) -> tuple[Path, Path]:
        """One that speaks for itself, and its key."""
        folder = self._folder("tls")
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        if not certificate.exists():
            names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
            files = ["-keyout", key, "-out", certificate]
            run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3", *files, *names)
        return certificate, key

    def start_etcd(self) -> None:
        ports = self._settings.ports
        client, peer = f"http://127.0.0.1:{ports.etcd}", f"http://127.0.0.1:{ports.etcd_peer}"
        encrypted = f"https://127.0.0.1:{ports.etcd_tls}"
        certificate, key = self.certificate()
        self._start(
            "etcd",
            ["etcd", "--name", "lab", "--data-dir", "data", "--unsafe-no-fsync"]
            + ["--listen-client-urls", f"{client},{encrypted}", "--advertise-client-urls", client]
            + ["--cert-file", certificate, "--key-file", key]
            + ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"lab={peer}"],
        )
        require("etcd", answers("etcdctl", "--endpoints", client, "endpoint", "health"), 30)

    def start_prometheus(self) -> None:
        port = self._settings.ports.prometheus
        source = f"http://127.0.0.1:{self._settings.ports.manager_internal}/metrics/service_discovery"
        configuration = {
            # As often as the sample of the Manager's own set-up; rates need several scrapes.
            "global": {"scrape_interval": "5s"},
            "scrape_configs": [{"job_name": "sd", "http_sd_configs": [{"url": source, "refresh_interval": "5s"}]}],
        }
        folder = self._folder("prometheus")
        (folder / "prometheus.yml").write_text(json.dumps(configuration))
        listen = f"--web.listen-address=127.0.0.1:{port}"
        self._start(
            "prometheus", ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", listen]
        )

    def stop(self) -> None:
        for name in reversed(STORES):
            if name == "postgres":
                data = self._root / "postgres"
                if self._processes.pid(name) is not None:
                    run(postgres_program("pg_ctl"), "-D", data, "-m", "fast", "-s", "stop", cwd=Path("/"), user=POSTGRES_USER)
            self._processes.reap(name)

    def _folder(self, name: str) -> Path:
        folder = self._root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _start(self, name: str, command: list[str | int | Path], *, user: str | None = None) -> None:
        self._processes.spawn(name, [str(word) for word in command], cwd=self._folder(name), user=user)

    def _start_postgres(self) -> None:
        data, port = self._root / "postgres", self._settings.ports.postgres
        if not (data / "PG_VERSION").exists():
            data.mkdir(mode=0o700, exist_ok=True)
            if POSTGRES_USER is not None:
                shutil.chown(data, POSTGRES_USER, POSTGRES_USER)
            options = ["-E", "UTF8", "--locale=C.UTF-8", "-A", "trust", "-U", "postgres", "--no-sync"]
            run(postgres_program("initdb"), "-D", data, *options, cwd=Path("/"), user=POSTGRES_USER)
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
        command = [postgres_program("postgres"), "-D", data, "-p", str(port), *options, "-c", "max_connections=256"]
        self._processes.spawn("postgres", command, cwd=Path("/"), user=POSTGRES_USER)
        ready = answers(postgres_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port))
        require("PostgreSQL", ready, 60)

    def _start_registry(self, name: str, port: int, *, private: bool) -> None:
        folder = self._folder(name)
        configuration: dict[str, object] = {
            "version": 0.1,
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{port}"},
        }
        if private:
            entry = bcrypt.hashpw(REGISTRY_PASSWORD.encode(), bcrypt.gensalt(5)).decode()
            (folder / "htpasswd").write_text(f"{REGISTRY_USER}:{entry}\n")
            configuration["auth"] = {"htpasswd": {"realm": "lab", "path": str(folder / "htpasswd")}}
        # JSON is YAML.
        (folder / "registry.yml").write_text(json.dumps(configuration))
        self._start(name, ["docker-registry", "serve", "registry.yml"])
