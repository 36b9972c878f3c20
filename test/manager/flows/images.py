"""Images: made from sessions, found, pulled with a password, removed."""

import asyncio
import json
import tarfile
import uuid

from lab import Lab
from lab.processes import answers, run

from . import flow


async def finished(lab: Lab, task_id: str, seconds: float = 90) -> None:
    """Follows a background task of the Manager to its good end."""
    seen: list[str] = []

    async def follow() -> None:
        async with lab.api.client.BackgroundTask(task_id).listen_events() as events:
            async for event in events:
                seen.append(f"{event.event}: {event.data}")
                if event.event in ("bgtask_done", "task_done"):
                    return
                if event.event not in ("bgtask_updated", "task_updated"):
                    raise AssertionError(f"the background task ended as {event.event}: {event.data}")

    try:
        await asyncio.wait_for(follow(), seconds)
    except TimeoutError:
        raise AssertionError(f"the background task is not done after {seconds:.0f} s: {seen}") from None


@flow(seconds=180)
async def commit_to_image(lab: Lab) -> None:
    """A session becomes an image in the registry, and a session of it has what was changed"""
    name = "flow" + uuid.uuid4().hex[:8]
    async with lab.api.session() as session:
        await session.shell("echo kept > /home/work/not-in-the-image; touch /tmp/in-the-image")
        task = await session.post("imagify", {"image_name": name})
        await finished(lab, task["task_id"])
    rows = await lab.api.database.fetch("SELECT id, name FROM images WHERE labels->>'ai.backend.customized-image.name' = $1", name)
    assert len(rows) == 1, rows
    canonical = rows[0]["name"]
    async with lab.api.session(image=canonical) as session:
        assert await session.shell("ls /tmp/in-the-image") == "/tmp/in-the-image"
    answers("docker", "image", "rm", "-f", canonical)()


@flow(seconds=180, reference="leaves the running image without its tag on the host")
async def commit_to_file(lab: Lab) -> None:
    """A session is saved to a file on the agent's host, and the image it came from keeps its name"""
    async with lab.api.session() as session:
        await session.shell("touch /tmp/in-the-file")
        answer = await session.compute.commit()
        assert answer.get("path"), answer
        path = lab.agent.folder / "commit" / answer["path"]
        for _ in range(300):
            done = [event for event in lab.tap.broadcasts if event.body.get("task_id") == answer["bgtask_id"]]
            if any(event.name == "bgtask_done" for event in done):
                break
            assert not any(event.name == "bgtask_failed" for event in done), done
            await asyncio.sleep(0.2)
        else:
            raise AssertionError(f"the commit is not done: {done}")
        with tarfile.open(path) as archive:
            assert "manifest.json" in archive.getnames(), archive.getnames()
        assert answers("docker", "image", "inspect", lab.settings.image)(), "the image lost its name"


async def _is_listed(lab: Lab, image: str) -> bool:
    value = await lab.tap.state(3).get(f"installed_image:{lab.agent.id}")
    return any(entry["canonical"] == image for entry in json.loads(value or "[]"))


@flow()
async def rescan(lab: Lab) -> None:
    """The Manager finds an image that was pushed to the registry, and the agent's list of images tells that it is here"""
    image = f"{lab.settings.registry}/lab/extra-{uuid.uuid4().hex[:6]}:1"
    run("docker", "tag", lab.settings.image, image)
    try:
        run("docker", "push", "-q", image)
        answer = await lab.api.client.Image.rescan_images(lab.settings.registry)
        await finished(lab, answer["task_id"])
        row = await lab.api.database.fetchrow("SELECT id FROM images WHERE name = $1", image)
        assert row is not None, f"{image} is unknown"
        for _ in range(100):
            if await _is_listed(lab, image):
                return
            await asyncio.sleep(0.5)
        raise AssertionError(f"the agent doesn't list {image}")
    finally:
        answers("docker", "image", "rm", image)()


@flow(seconds=180, older="its command line finds no image in a registry with a password")
async def pull_with_password(lab: Lab) -> None:
    """An image that is not here is pulled from a registry that asks for a password"""
    image = lab.manager.private_image
    answers("docker", "image", "rm", "-f", image)()
    async with lab.api.session(image=image) as session:
        assert await session.output("print('pulled')") == "pulled\n"
        assert answers("docker", "image", "inspect", image)(), "the image is not on the host"


@flow()
async def purge(lab: Lab) -> None:
    """An image is removed from the agent's host, on the Manager's order"""
    image = f"{lab.settings.registry}/lab/purge-{uuid.uuid4().hex[:6]}:1"
    run("docker", "tag", lab.settings.image, image)
    run("docker", "push", "-q", image)
    answer = await lab.api.client.Image.rescan_images(lab.settings.registry)
    await finished(lab, answer["task_id"])
    answer = await lab.api.query(
        "mutation($keys: [PurgeImagesKey]!) { purge_images(keys: $keys, options: {force: false, noprune: true}) { task_id } }",
        {"keys": [{"agent_id": lab.agent.id, "images": [{"name": image, "registry": lab.settings.registry, "architecture": "x86_64"}]}]},
    )
    await finished(lab, answer["purge_images"]["task_id"])
    assert not answers("docker", "image", "inspect", image)(), "the image is still there"
