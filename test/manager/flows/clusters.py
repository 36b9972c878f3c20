"""Sessions of several containers."""

from lab import Lab
from lab.processes import run

from . import flow


@flow(seconds=180)
async def cluster_of_two(lab: Lab) -> None:
    """Two containers know each other by name, reach each other by SSH, and leave no network behind"""
    async with lab.api.session(cluster_size=2) as session:
        kernels = await session.kernels()
        assert sorted(kernel.hostname for kernel in kernels) == ["main1", "sub1"], kernels
        assert await session.shell("hostname") == "main1"
        hosts = await session.shell("echo $BACKENDAI_CLUSTER_HOSTS")
        assert sorted(hosts.split(",")) == ["main1", "sub1"], hosts
        assert await session.shell("getent hosts sub1 | wc -l") == "1"
        options = "-o BatchMode=yes -o ConnectTimeout=5 -o StrictHostKeyChecking=no"
        assert (await session.shell(f"ssh {options} sub1 hostname 2>&1 | tail -1")) == "sub1"
        logs = [await session.logs(kernel.id) for kernel in kernels]
        assert all(logs), "a container has no log"
    networks = run("docker", "network", "ls", "--format", "{{.Name}}", "--filter", f"name={session.id}")
    assert networks == "", networks
