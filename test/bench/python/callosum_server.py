"""A bare server on the real Callosum library that answers `ping` and refuses `create_kernels` after having read it: what
our RPC server is compared with.

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

import msgpack
from callosum.auth import AbstractServerAuthenticator, AuthResult, Identity
from callosum.lower.zeromq import ZeroMQAddress, ZeroMQRPCTransport
from callosum.rpc import Peer


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


async def create_kernels(request):
    session_id, kernel_ids, configs, _, images = request.body["args"]
    uuid.UUID(session_id)
    for kernel_id, config in zip(kernel_ids, configs, strict=True):
        images[uuid.UUID(kernel_id)]
        {slot: Decimal(amount) for slot, amount in config["resource_slots"].items()}
        if not all(0 < port < 65536 for port in config["preopen_ports"]):
            raise ValueError("preopen_ports: not a port number")


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
