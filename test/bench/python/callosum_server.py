"""A bare server on the real Callosum library that answers `ping`, and refuses `create_kernels` after having checked what our
agent checks of its arguments, by pydantic: what our RPC server is compared with. It writes no log and counts nothing.

usage: callosum_server.py ENDPOINT AGENT-SECRET-KEY AGENT-PUBLIC-KEY MANAGER-PUBLIC-KEY
"""

import asyncio
import enum
import json
import pickle
import signal
import sys
import types
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgpack
from callosum.auth import AbstractServerAuthenticator, AuthResult, Identity
from callosum.lower.zeromq import ZeroMQAddress, ZeroMQRPCTransport
from callosum.rpc import Peer
from pydantic import BaseModel, Field


class OneManager(AbstractServerAuthenticator):
    def __init__(self, secret, public, manager):
        self.secret, self.public, self.manager = secret.encode(), public.encode(), manager.encode()

    async def server_identity(self):
        return Identity("local", self.secret)

    async def check_client(self, creds):
        return AuthResult(success=creds.public_key == self.manager, user_id="manager")

    async def server_public_key(self):
        return self.public


class ImageRef:
    pass


class PlatformTagSet:
    pass


def module(name, **members):
    found = sys.modules.setdefault(name, types.ModuleType(name))
    vars(found).update(members)


def words(name, *values):
    return enum.Enum(name, {value.upper().replace("-", "_"): value for value in values})


# The classes that the pickles of a Manager name.
module("ai")
module("ai.backend")
module("ai.backend.common")
module("ai.backend.common.docker", ImageRef=ImageRef, PlatformTagSet=PlatformTagSet)
module(
    "ai.backend.common.types",
    SessionTypes=words("SessionTypes", "interactive", "batch", "inference", "system"),
    AutoPullBehavior=words("AutoPullBehavior", "digest", "tag", "none"),
)


def extension(code, data):
    if code == 1:
        return uuid.UUID(bytes=bytes(data))
    return pickle.loads(data) if code in (3, 6, 7, 8, 9, 16) else msgpack.ExtType(code, data)


def deserialize(data):
    return msgpack.unpackb(data, raw=False, use_list=False, strict_map_key=False, ext_hook=extension)


async def ping(request):
    return request.body["args"][0]


Count = Annotated[int, Field(ge=0)]
Port = Annotated[int, Field(ge=1, le=65_535)]


class Registry(BaseModel):
    name: str | None = None
    username: str | None = None
    password: str | None = None


class Image(BaseModel):
    canonical: Annotated[str, Field(min_length=1, max_length=1_024)]
    project: str | None = None
    digest: str | None = None
    architecture: str | None = None
    registry: Registry | None = None
    labels: dict[str, str] | None = None
    is_local: bool | None = None
    auto_pull: Any = None


class Mount(BaseModel):
    name: str
    host_path: Annotated[str, Field(min_length=1)]
    kernel_path: Annotated[str, Field(min_length=1)]
    mount_perm: Literal["ro", "rw", "wd"]


class Dotfile(BaseModel):
    path: Annotated[str, Field(min_length=1)]
    perm: Annotated[str, Field(pattern="^(0o)?[0-7]{1,4}$")]
    data: str


class KeyPair(BaseModel):
    public_key: str
    private_key: str


class InternalData(BaseModel):
    dotfiles: list[Dotfile] | None = None
    ssh_keypair: KeyPair | None = None
    docker_credentials: Any = None
    prevent_vfolder_mounts: bool | None = None
    block_service_ports: bool | None = None
    sudo_session_enabled: bool | None = None
    domain_socket_proxies: list[str] | None = None


class ResourceOptions(BaseModel):
    shmem: Count | None = None
    allow_fractional_resource_fragmentation: bool | None = None


class Config(BaseModel):
    image: Image
    kernel_id: uuid.UUID
    session_id: uuid.UUID
    owner_user_id: str | None = None
    owner_project_id: str | None = None
    session_type: Any
    cluster_role: Annotated[str, Field(min_length=1, max_length=64)]
    cluster_idx: Count
    cluster_hostname: str
    uid: Count | None = None
    main_gid: Count | None = None
    supplementary_gids: list[Count]
    resource_slots: dict[str, Decimal]
    resource_opts: ResourceOptions
    environ: dict[str, str]
    mounts: list[Mount]
    bootstrap_script: str | None = None
    internal_data: InternalData
    auto_pull: Any = None
    preopen_ports: list[Port]
    agent_addr: str
    scaling_group: str


class Cluster(BaseModel):
    mode: str
    size: Annotated[int, Field(ge=1)]
    replicas: dict[str, Count]
    network_config: dict[str, Any] | None = None
    ssh_keypair: KeyPair | None = None
    cluster_ssh_port_mapping: dict[str, tuple[str, Port]] | None = None


async def create_kernels(request):
    session_id, kernel_ids, configs, cluster, images = request.body["args"]
    uuid.UUID(session_id)
    Cluster.model_validate(cluster)
    for kernel_id, config in zip(kernel_ids, configs, strict=True):
        images[uuid.UUID(kernel_id)]
        Config.model_validate(config)


async def main():
    endpoint, *keys = sys.argv[1:]
    peer = Peer(
        bind=ZeroMQAddress(endpoint),
        transport=ZeroMQRPCTransport,
        authenticator=OneManager(*keys),
        serializer=lambda value: msgpack.packb(value, use_bin_type=True),
        deserializer=deserialize,
        compress=False,
    )
    peer.handle_function("ping", ping)
    peer.handle_function("create_kernels", create_kernels)
    async with peer:
        print(json.dumps("ready"), flush=True)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()


asyncio.run(main())
