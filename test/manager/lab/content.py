"""The first content of the Manager's stores, as the official installer writes it, adapted to the lab."""

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .settings import AGENTS, INSTALLER, NAMESPACE, WATCHER_TOKEN, Settings, group_of
from .stores import REGISTRY_PASSWORD, REGISTRY_USER

# In this order: each refers to the ones before. Not every release has all of them.
FIXTURES = (
    "users",
    "container-registries",
    "keypairs",
    "set-user-main-access-keys",
    "resource-slot-types",
    "resource-presets",
    "runtime-variants",
    "runtime-variant-presets",
    "roles",
    "role-presets",
    "prometheus-query-preset-categories",
    "prometheus-query-presets",
    "retention-policies",
)


def write_fixtures(settings: Settings, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    read = {path.stem.removeprefix("example-"): json.loads(path.read_text()) for path in _examples()}
    _adapt_users(read["users"], settings)
    for policy in read["keypairs"]["keypair_resource_policies"]:
        policy["max_concurrent_sessions"], policy["max_containers_per_session"] = 100, 8
    for preset in read["resource-presets"]["resource_presets"]:
        # Text in the released file, where the driver takes numbers only.
        if isinstance(preset.get("shared_memory"), str):
            preset["shared_memory"] = int(preset["shared_memory"])
    read["container-registries"] = {"container_registries": _registries(settings)}
    paths = []
    for name in [name for name in FIXTURES if name in read]:
        path = folder / f"{name}.json"
        path.write_text(json.dumps(read[name]))
        paths.append(path)
    return paths


def _examples() -> list[Path]:
    return sorted((INSTALLER / "fixtures").glob("example-*.json"))


def _adapt_users(users: dict[str, Any], settings: Settings) -> None:
    for domain in users["domains"]:
        domain["allowed_docker_registries"] += [registry["registry_name"] for registry in _registries(settings)]
    (group,) = users["scaling_groups"]
    group["wsproxy_addr"] = f"http://127.0.0.1:{settings.ports.app_proxy}"
    names = [group_of(number) for number in AGENTS[1:]]
    more = [{**group, "name": name, "is_default": False} for name in names]
    if "id" in group:
        for other in more:
            other["id"] = str(uuid.uuid5(uuid.NAMESPACE_URL, other["name"]))
    users["scaling_groups"] += more
    for group in users["groups"]:
        # Where sessions that become images are pushed to.
        group["container_registry"] = {"registry": settings.registry, "project": "lab"}
    (link,) = users["sgroups_for_domains"]
    # By id, and by name before 26.9.
    key, value = ("resource_group_id", "id") if "resource_group_id" in link else ("scaling_group", "name")
    users["sgroups_for_domains"] += [{**link, key: other[value]} for other in more]


def _registries(settings: Settings) -> list[dict[str, Any]]:
    def registry(port: int, **credentials: str) -> dict[str, Any]:
        name = f"127.0.0.1:{port}"
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"http://{name}/lab")),
            "registry_name": name,
            "url": f"http://{name}",
            "type": "docker",
            "project": "lab",
            "ssl_verify": False,
            "is_global": True,
            **credentials,
        }

    private = registry(settings.ports.private_registry, username=REGISTRY_USER, password=REGISTRY_PASSWORD)
    # The first again, by way of a gate that a flow can close.
    return [registry(settings.ports.registry), registry(settings.ports.gated_registry), private]


def cluster_configuration(settings: Settings) -> dict[str, str]:
    """Keys and values of etcd, below the namespace."""
    volumes = {"client_api": "http://127.0.0.1:1", "manager_api": "http://127.0.0.1:1", "secret": "none", "ssl_verify": "false"}
    tree = {
        "volumes": {
            "_types": {"group": "", "user": ""},
            "default_host": "local:volume1",
            "exposed_volume_info": "percentage",
            # Nobody asks it: sessions without vfolders need no storage proxy.
            "proxies": {"local": volumes},
        },
        "config": {
            "api": {"allow-openapi-schema-introspection": "no", "allow-graphql-schema-introspection": "no"},
            "docker": {"image": {"auto_pull": "tag"}},
            "watcher": {"token": WATCHER_TOKEN},
            "redis": {
                "addr": f"127.0.0.1:{settings.ports.redis}",
                "helper": {"socket_timeout": "5.0", "socket_connect_timeout": "2.0", "reconnect_poll_timeout": "0.3"},
            },
        },
    }
    return dict(_flat(f"/sorna/{NAMESPACE}", tree))


def _flat(prefix: str, tree: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in tree.items():
        path = f"{prefix}/{key}"
        found += _flat(path, value) if isinstance(value, Mapping) else [(path, value)]
    return found
