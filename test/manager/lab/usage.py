"""What the processes of an agent take: all of its session, since each agent is started in one of its own."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    processes: int
    cpu_seconds: float
    """Of the threads that live, to the microsecond: an idle agent takes so little that clock ticks are too coarse."""
    rss_bytes: int
    pss_bytes: int


def usage_of(session: int) -> Usage:
    members = [pid for pid in (int(path.name) for path in Path("/proc").glob("[0-9]*")) if _session_of(pid) == session]
    cpu = rss = pss = 0
    for pid in members:
        cpu += sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
        rss += _kilobytes(pid, "status", "VmRSS")
        pss += _kilobytes(pid, "smaps_rollup", "Pss")
    return Usage(len(members), cpu / 1e9, rss * 1024, pss * 1024)


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def _kilobytes(pid: int, file: str, key: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0
