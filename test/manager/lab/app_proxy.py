"""A stand-in for the App Proxy coordinator: what the Manager's start-service calls, nothing more. app_proxy.py PORT"""

import sys

from aiohttp import web


async def status(_: web.Request) -> web.Response:
    return web.json_response({"coordinator_version": "26.9.6", "advertise_address": None, "api_version": "v2"})


async def configure(request: web.Request) -> web.Response:
    """A real coordinator answers with a signed token; the flows want the address of the published port."""
    body = await request.json()
    return web.json_response({"token": f"{body['kernel_host']}:{body['kernel_port']}"})


async def other(_: web.Request) -> web.Response:
    return web.json_response({})


app = web.Application()
app.add_routes([web.get("/status", status), web.post("/v2/conf", configure), web.route("*", "/{rest:.*}", other)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
