"""A session that is still pulling its image."""

import asyncio
import os
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lab import Lab
from lab.api import ENDED, Kernel, UserSession
from lab.gate import Gate, gate
from lab.processes import answers, run

from . import flow
from .images import finished

LAYER_BYTES = 4 << 20

@asynccontextmanager
async def _image_behind_a_gate(lab: Lab) -> AsyncIterator[tuple[str, Gate]]:
    """One with a layer that this host hasn't got, in a registry that can be made to hang."""
    registry = f"127.0.0.1:{lab.settings.ports.gated_registry}"
    image = f"{registry}/lab/pulled-{uuid.uuid4().hex[:6]}:1"
    async with gate(lab.settings.ports.gated_registry, lab.settings.ports.registry) as passage:

        async def docker(*words: str) -> str:
            return (await asyncio.to_thread(run, "docker", *words)).strip()

        container = await docker("create", lab.settings.image, "true")
        try:
            with tempfile.NamedTemporaryFile() as layer:
                layer.write(os.urandom(LAYER_BYTES))
                layer.flush()
                await docker("cp", layer.name, f"{container}:/layer")
            await docker("commit", container, image)
        finally:
            await docker("rm", container)
        await docker("push", "-q", image)
        await docker("image", "rm", image)
        answer = await lab.api.client.Image.rescan_images(registry)
        await finished(lab, answer["task_id"])
        try:
            yield image, passage
        finally:
            passage.open()
            await asyncio.to_thread(answers("docker", "image", "rm", "-f", image))


@flow(seconds=240)
async def destroy_while_pulling(lab: Lab) -> None:
    """A session destroyed while its image is pulled ends, and no kernel is made; the pull goes on and the next has the image"""
    async with _image_behind_a_gate(lab) as (image, passage):
        passage.stall_after(LAYER_BYTES // 2)
        session = await lab.api.enqueue(image=image)
        kernel = await _until_pulling(lab, session)
        await session.destroy(forced=True)
        await session.wait(*ENDED, seconds=30)
        assert not await lab.containers(kernel.id)
        passage.open()
        async with lab.api.session(image=image) as second:
            assert await second.output("print('pulled')") == "pulled\n"
        told = [event.name for event in lab.tap.of(kernel.id)]
        assert "kernel_started" not in told and told.count("kernel_terminated") <= 1, told
        # The registry goes away in the middle.
        await asyncio.to_thread(run, "docker", "image", "rm", "-f", image)
        passage.stall_after(LAYER_BYTES // 2)
        third = await lab.api.enqueue(image=image)
        await _until_pulling(lab, third)
        passage.cut()
        await third.wait("CANCELLED", seconds=90)
        kernel = await third.main()
        why = await lab.api.database.fetchval("SELECT status_info FROM kernels WHERE id::text = $1", kernel.id)
        assert why.startswith("Image pull failed"), why


async def _until_pulling(lab: Lab, session: UserSession) -> Kernel:
    for _ in range(600):
        kernel = await session.main()
        if await lab.api.database.fetchval("SELECT status FROM kernels WHERE id::text = $1", kernel.id) == "PULLING":
            return kernel
        await asyncio.sleep(0.1)
    raise AssertionError(f"not PULLING but {await session.status()}")
