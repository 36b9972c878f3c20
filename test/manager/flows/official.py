"""The session specs of the official integration suite that judge an agent, each in a process of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from lab import Lab
from lab.settings import ACCESS_KEY, HERE, PYTHON, SECRET_KEY

from . import flow

SINGLE, MULTI = "single_node_single_container", "single_node_multi_container"
SPECS = (
    f"{SINGLE}_creation_interactive_session_success",
    f"{SINGLE}_creation_interactive_session_success_with_bootstrap_script",
    f"{SINGLE}_creation_batch_session_success",
    f"{SINGLE}_execution_command_on_interactive_session_success",
    f"{SINGLE}_execution_command_on_interactive_session_failure_wrong_command",
    f"{SINGLE}_execution_command_on_interactive_session_failure_with_custom_exitcode",
    f"{SINGLE}_session_container_log_retriever",
    "creation_batch_session_failure_wrong_command",
    "creation_batch_session_failure_command_timeout",
    "creation_interactive_session_failure_low_resources",
    f"{MULTI}_creation_interactive_session_success",
    f"{MULTI}_creation_batch_session_success",
    f"{MULTI}_execution_command_on_interactive_session_success",
    f"{MULTI}_session_container_log_retriever",
)


def configuration(lab: Lab) -> str:
    return f"""\
[context.endpoint]
api-endpoint = "{lab.settings.endpoint}"
[context.keypair]
access-key = "{ACCESS_KEY}"
secret-key = "{SECRET_KEY}"
[context.domain]
name = "default"
[context.group]
name = "default"
[context.scaling-group]
name = "default"
[context.image]
name = "{lab.settings.image}"
architecture = "x86_64"
[context.sse]
timeout = 90.0
[context.batch-session]
startup-command = "ls -la"
[context.session]
resources = {{ cpu = 1, mem = "512m" }}
[context.session-imagify]
new-image-name = "suite-image"
[runner]
concurrency = 1
"""


async def _attempt(lab: Lab, folder: Path, name: str) -> str | None:
    """What the suite said if it failed."""
    log = lab.processes.log(f"suite-{name}")
    with log.open("wb") as out:
        command = [PYTHON, "-E", "-s", "-B", str(HERE / "official_suite.py"), "tester.toml", name]
        process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=out, stderr=out)
        try:
            status = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
    said = log.read_text(errors="replace")
    return None if status == 0 and "❌" not in said and "✓" in said else f"status {status}: {said}"


def spec(name: str) -> Callable[[Lab], Awaitable[None]]:
    async def run(lab: Lab) -> None:
        folder = lab.settings.root / "suite" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tester.toml").write_text(configuration(lab))
        said = await _attempt(lab, folder, name)
        assert said is None, said[-600:]

    run.__name__ = f"suite_{name}"
    run.__doc__ = f"Official suite: {name.replace('_', ' ')}"
    return run


for name in SPECS:
    flow("suite", seconds=240)(spec(name))
