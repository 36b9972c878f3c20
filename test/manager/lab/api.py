"""Sessions as a user has them: through the official client, and what the Manager's tables say about them."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from ai.backend.client.config import APIConfig
from ai.backend.client.request import Request
from ai.backend.client.session import AsyncSession

from .events import EventTap
from .settings import Settings

# Two passes of the Manager's scheduler may both be making a session RUNNING: the later one overwrites what a destroy between
# them has set, and the session stays RUNNING for ever. Seen with either agent.
SETTLE_SECONDS = 1.5
ENDED = ("TERMINATED", "CANCELLED", "ERROR")
DEFAULT_RESOURCES = {"cpu": 1, "mem": "512m"}


@dataclass(frozen=True)
class Kernel:
    id: str
    role: str
    hostname: str
    agent: str
    container_id: str


class UserSession:
    """One session and what flows do with it."""

    def __init__(self, api: "Api", compute: Any) -> None:
        self._api = api
        self.compute = compute
        """The client's own object, for what needs no help."""
        self.id = str(compute.id)
        self._running_since: float | None = None

    async def status(self) -> tuple[str, str]:
        """Status and what the Manager says about it."""
        row = await self._api.database.fetchrow("SELECT status, status_info FROM sessions WHERE id = $1", uuid.UUID(self.id))
        return str(row["status"]), row["status_info"] or ""

    async def wait(self, *wanted: str, seconds: float = 90) -> str:
        end = time.monotonic() + seconds
        while True:
            status, info = await self.status()
            if status == "RUNNING" and self._running_since is None:
                self._running_since = time.monotonic()
            if status in wanted:
                return status
            if status in ENDED:
                raise AssertionError(f"the session is {status} ({info}), wanted {'/'.join(wanted)}")
            if time.monotonic() > end:
                raise AssertionError(f"the session is still {status} ({info}) after {seconds:.0f} s, wanted {'/'.join(wanted)}")
            await asyncio.sleep(0.1)

    async def kernels(self) -> list[Kernel]:
        rows = await self._api.database.fetch(
            "SELECT id, cluster_role, cluster_hostname, agent, container_id FROM kernels WHERE session_id = $1 ORDER BY cluster_role, cluster_idx",
            uuid.UUID(self.id),
        )
        return [Kernel(str(row["id"]), row["cluster_role"], row["cluster_hostname"], row["agent"] or "", row["container_id"] or "") for row in rows]

    async def main(self) -> Kernel:
        return next(kernel for kernel in await self.kernels() if kernel.role == "main")

    async def run(
        self, code: str, *, mode: str = "query", run_id: str | None = None, options: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """One call of a run. The released client sends the run id under a name that the Manager doesn't read."""
        body = {"mode": mode, "code": code, "run_id": run_id or uuid.uuid4().hex[:16]}
        return (await self.post("", body if options is None else {**body, "options": options}))["result"]

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """A call for which the released client and the released Manager don't agree."""
        request = Request("POST", f"/session/{self.id}/{path}".rstrip("/"))
        request.set_json(body)
        async with request.fetch() as response:
            return {} if response.status == 204 else await response.json()

    async def run_through(self, code: str, seconds: float = 60) -> dict[str, Any]:
        """Calls until the run has finished; the result is the last call's with the console of all."""
        run_id = uuid.uuid4().hex[:16]
        end = time.monotonic() + seconds
        result = await self.run(code, run_id=run_id)
        console = list(result["console"] or [])
        while result["status"] in ("continued", "waiting-input") and time.monotonic() < end:
            result = await self.run("", mode="continue", run_id=run_id)
            console += result["console"] or []
        return {**result, "console": console}

    async def output(self, code: str) -> str:
        """Standard output of code that must succeed."""
        result = await self.run_through(code)
        errors = text(result, "stderr")
        assert result["status"] == "finished" and not errors, f"{code!r} → {result}"
        return text(result, "stdout")

    async def shell(self, command: str) -> str:
        code = f"import subprocess; print(subprocess.run({command!r}, shell=True, text=True, stdout=-1, stderr=-2).stdout)"
        return (await self.output(code)).strip()

    async def get(self, what: str, **parameters: str) -> dict[str, Any]:
        """Another one of these."""
        async with Request("GET", f"/session/{self.id}/{what}", params=parameters).fetch() as response:
            return await response.json()

    async def logs(self, kernel_id: str | None = None) -> str:
        answer = await self.compute.get_logs(None if kernel_id is None else uuid.UUID(kernel_id))
        return str(answer["result"]["logs"])

    async def destroy(self, *, forced: bool = False) -> None:
        if self._running_since is not None:
            await asyncio.sleep(max(0, self._running_since + SETTLE_SECONDS - time.monotonic()))
        await self.compute.destroy(forced=forced)


def text(result: dict[str, Any], stream: str) -> str:
    return "".join(item[1] for item in result["console"] or [] if item[0] == stream)


class Api:
    """Use it inside `async with`."""

    def __init__(self, settings: Settings, tap: EventTap, endpoint: str | None = None) -> None:
        self.settings = settings
        self.tap = tap
        self._endpoint = endpoint or settings.endpoint
        self.database: asyncpg.Pool
        self._client: AsyncSession

    async def __aenter__(self) -> "Api":
        port = self.settings.ports.postgres
        self.database = await asyncpg.create_pool(
            host="127.0.0.1", port=port, user="postgres", database="backend", min_size=1, max_size=8
        )
        self._client = await AsyncSession(config=APIConfig(endpoint=self._endpoint)).__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._client.__aexit__(*error)
        await self.database.close()

    @property
    def client(self) -> AsyncSession:
        return self._client

    async def query(self, text: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        return await self._client.Admin._query(text, variables or {})

    async def enqueue(self, *, image: str | None = None, **options: Any) -> UserSession:
        """A session of one cheap kernel unless told otherwise; see the client's get_or_create."""
        options.setdefault("name", "flow-" + uuid.uuid4().hex[:10])
        options.setdefault("resources", DEFAULT_RESOURCES)
        compute = await self._client.ComputeSession.get_or_create(
            image or self.settings.image, enqueue_only=True, no_reuse=True, **options
        )
        return UserSession(self, compute)

    def known(self, session_id: str) -> UserSession:
        """One that somebody else has made."""
        return UserSession(self, self._client.ComputeSession.from_session_id(uuid.UUID(session_id)))

    @asynccontextmanager
    async def session(self, **options: Any) -> AsyncIterator[UserSession]:
        """One that runs, destroyed afterwards and waited for, so that a flow leaves nothing to the next."""
        session = await self.enqueue(**options)
        try:
            await session.wait("RUNNING")
            yield session
        finally:
            await self.end(session)

    async def end(self, session: UserSession) -> None:
        status, _ = await session.status()
        if status in ENDED:
            return
        if status != "TERMINATING":
            await session.destroy(forced=status in ("PREPARING", "CREATING", "PULLING"))
        await session.wait(*ENDED)

    async def used(self, agent_id: str) -> dict[str, int]:
        """Slots that the Manager counts as used on an agent."""
        rows = await self.database.fetch("SELECT slot_name, used FROM agent_resources WHERE agent_id = $1", agent_id)
        return {row["slot_name"]: int(row["used"]) for row in rows}

    async def capacity(self, agent_id: str) -> dict[str, int]:
        rows = await self.database.fetch("SELECT slot_name, capacity FROM agent_resources WHERE agent_id = $1", agent_id)
        return {row["slot_name"]: int(row["capacity"]) for row in rows}

    async def agent_status(self, agent_id: str) -> str:
        return str(await self.database.fetchval("SELECT status FROM agents WHERE id = $1", agent_id))
