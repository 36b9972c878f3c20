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


@flow(reference="loses the output of short batch runs")
async def batch_success(lab: Lab) -> None:
    """A batch session ends as a success, and all that it printed is in the container's log"""
    session = await _batch(lab, PRINT)
    kernel = await session.main()
    try:
        assert await _result(lab, session) == "success"
    finally:
        await lab.api.end(session)
    log = await session.logs(kernel.id)
    missing = [i for i in range(1, 301) if f"line-{i}\n" not in log.replace("\r", "")]
    assert not missing, f"{len(missing)} of 300 lines are missing"


@flow()
async def batch_failure(lab: Lab) -> None:
    """A batch command that fails makes the session a failure with its exit code"""
    session = await _batch(lab, "echo so sad; sleep 1; exit 7")
    kernel = await session.main()
    try:
        assert await _result(lab, session) == "failure"
    finally:
        await lab.api.end(session)
    failures = [event for event in lab.tap.events if event.name == "session_failure" and event.body["session_id"] == session.id]
    assert [(event.body["reason"], event.body["exit_code"]) for event in failures] == [("task-failed", 7)], failures
    assert kernel.id


@flow()
async def batch_timeout(lab: Lab) -> None:
    """A batch command that takes longer than allowed is ended as a failure"""
    session = await _batch(lab, "sleep 300", batch_timeout=4)
    try:
        assert await asyncio.wait_for(_result(lab, session), 90) == "failure"
    finally:
        await lab.api.end(session)
    failures = [event for event in lab.tap.events if event.name == "session_failure" and event.body["session_id"] == session.id]
    assert [event.body["reason"] for event in failures] == ["task-timeout"], failures
