"""Sessions of several containers."""

from lab import Lab
from lab.processes import run

from . import flow


@flow(seconds=180)
async def cluster_of_two(lab: Lab) -> None:
    """Two containers with environment, bootstrap script and options reach each other by name and SSH, and leave no network"""
    options = {
        "envs": {"FLOW_VAR": "läb ✓"},
        "bootstrap_script": "#!/bin/sh\necho booted > /home/work/boot.txt\n",
        "resource_opts": {"shmem": "96m"},
    }
    async with lab.api.session(cluster_size=2, **options) as session:
        kernels = await session.kernels()
        assert sorted(kernel.hostname for kernel in kernels) == ["main1", "sub1"], kernels
        assert await session.shell("hostname") == "main1"
        hosts = await session.shell("echo $BACKENDAI_CLUSTER_HOSTS")
        assert sorted(hosts.split(",")) == ["main1", "sub1"], hosts
        assert await session.shell("getent hosts sub1 | wc -l") == "1"
        options = "-o BatchMode=yes -o ConnectTimeout=5 -o StrictHostKeyChecking=no"
        assert (await session.shell(f"ssh {options} sub1 hostname 2>&1 | tail -1")) == "sub1"
        # Both got what the user asked for, and the second reaches the first in turn.
        question = "cat /home/work/boot.txt; echo $FLOW_VAR; df -B1 --output=size /dev/shm | tail -n 1 | xargs"
        wanted = f"booted\nläb ✓\n{96 << 20}"
        assert await session.shell(question) == wanted
        assert await session.shell(f"ssh {options} sub1 '{question}'") == wanted
        assert await session.shell(f"ssh {options} sub1 'ssh {options} main1 hostname'") == "main1"
        logs = [await session.logs(kernel.id) for kernel in kernels]
        assert all(logs), "a container has no log"
    networks = run("docker", "network", "ls", "--format", "{{.Name}}", "--filter", f"name={session.id}")
    assert networks == "", networks
