"""Batch sessions: a command from start to end, and how it ended."""

import asyncio
import uuid

from lab import Lab
from lab.api import UserSession

from . import flow

PRINT = "for i in $(seq 300); do echo line-$i; done"


async def _batch(lab: Lab, command: str, **options: object) -> UserSession:
    session = await lab.api.enqueue(type_="batch", startup_command=command, **options)
    await session.wait("RUNNING", "TERMINATING", "TERMINATED")
    return session


async def _result(lab: Lab, session: UserSession) -> str:
    await session.wait("TERMINATED")
    result = await lab.api.database.fetchval("SELECT result FROM sessions WHERE id = $1", uuid.UUID(session.id))
    return str(result).lower()


def _told(lab: Lab, session: UserSession) -> set[tuple[str, str, int]]:
    """How the session ended; said again while the Manager does nothing about it, but never otherwise."""
    names = ("session_success", "session_failure")
    mine = [event for event in lab.tap.events if event.name in names and event.body["session_id"] == session.id]
    return {(event.name, event.body["reason"], event.body["exit_code"]) for event in mine}


async def _has_all_output(session: UserSession, kernel_id: str) -> None:
    log = (await session.logs(kernel_id)).replace("\r", "")
    missing = [i for i in range(1, 301) if f"line-{i}\n" not in log]
    assert not missing, f"{len(missing)} of 300 lines are missing"


@flow(reference="loses the output of short batch runs")
async def batch_success(lab: Lab) -> None:
    """A batch session ends as a success, and all that it printed is in the container's log"""
    session = await _batch(lab, PRINT)
    kernel = await session.main()
    try:
        assert await _result(lab, session) == "success"
    finally:
        await lab.api.end(session)
    assert _told(lab, session) == {("session_success", "task-finished", 0)}
    await _has_all_output(session, kernel.id)


@flow()
async def batch_failure(lab: Lab) -> None:
    """A batch command that fails makes the session a failure with its exit code, and keeps what it printed"""
    session = await _batch(lab, f"{PRINT}; echo so sad >&2; exit 7")
    kernel = await session.main()
    try:
        assert await _result(lab, session) == "failure"
    finally:
        await lab.api.end(session)
    assert _told(lab, session) == {("session_failure", "task-failed", 7)}
    await _has_all_output(session, kernel.id)
    assert "so sad" in await session.logs(kernel.id), "what went to standard error is missing"


@flow()
async def batch_timeout(lab: Lab) -> None:
    """A batch command that takes longer than allowed is ended as a failure, and keeps what it printed"""
    session = await _batch(lab, f"{PRINT}; sleep 300", batch_timeout=4)
    kernel = await session.main()
    try:
        assert await asyncio.wait_for(_result(lab, session), 90) == "failure"
    finally:
        await lab.api.end(session)
    assert {(name, reason) for name, reason, _ in _told(lab, session)} == {("session_failure", "task-timeout")}
    await _has_all_output(session, kernel.id)
