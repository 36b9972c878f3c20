"""A bare server on the real Callosum library that answers `ping`: what our RPC server is compared with.

usage: callosum_server.py ENDPOINT AGENT-SECRET-KEY AGENT-PUBLIC-KEY MANAGER-PUBLIC-KEY
"""

import asyncio
import json
import signal
import sys

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


async def ping(request):
    return request.body["args"][0]


async def main():
    endpoint, *keys = sys.argv[1:]
    peer = Peer(
        bind=ZeroMQAddress(endpoint),
        transport=ZeroMQRPCTransport,
        authenticator=OneManager(*keys),
        serializer=lambda value: msgpack.packb(value, use_bin_type=True),
        deserializer=lambda data: msgpack.unpackb(data, raw=False, use_list=False),
        compress=False,
    )
    peer.handle_function("ping", ping)
    async with peer:
        print(json.dumps("ready"), flush=True)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()


asyncio.run(main())
