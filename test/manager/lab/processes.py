"""Background processes by pid file, so that a later run can end what an earlier one left."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


class Processes:
    def __init__(self, root: Path) -> None:
        self._pids = root / "run"
        self._logs = root / "log"
        self._pids.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def pid(self, name: str) -> int | None:
        """Of a process that runs; a zombie does not."""
        child = self._children.get(name)
        if child is not None and child.poll() is not None:
            return None
        try:
            pid = int((self._pids / name).read_text())
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, ValueError):
            return None
        return None if state == "Z" else pid

    def spawn(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> int:
        """Starts it in a session of its own, unless it runs already; its log is appended to."""
        running = self.pid(name)
        if running is not None:
            return running
        with self.log(name).open("ab") as log:
            child = subprocess.Popen(
                [str(word) for word in command],
                cwd=cwd,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=user,
            )
        self._children[name] = child
        (self._pids / name).write_text(str(child.pid))
        return child.pid

    def send(self, name: str, number: signal.Signals) -> None:
        """To the whole process group."""
        pid = self.pid(name)
        if pid is not None:
            os.killpg(pid, number)

    def reap(self, name: str, seconds: float = 20) -> bool:
        """Ends it, with SIGKILL after the grace time; true = it went by itself."""
        pid = self.pid(name)
        if pid is None:
            return True
        os.kill(pid, signal.SIGTERM)
        gone = wait_until(lambda: self.pid(name) is None, seconds)
        if not gone:
            os.killpg(pid, signal.SIGKILL)
            wait_until(lambda: self.pid(name) is None, 5)
        (self._pids / name).unlink(missing_ok=True)
        return gone


def wait_until(holds: Callable[[], bool], seconds: float, every: float = 0.1) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


def require(what: str, holds: Callable[[], bool], seconds: float) -> None:
    if not wait_until(holds, seconds):
        raise RuntimeError(f"{what} is not there after {seconds:.0f} s")


def answers(*command: str | Path) -> Callable[[], bool]:
    """Whether a command succeeds."""
    words = [str(word) for word in command]
    return lambda: subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def run(*command: str | Path, cwd: Path | None = None, log: Path | None = None, user: str | None = None) -> str:
    """Output of a command that must succeed."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, user=user, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if log is not None:
        with log.open("a") as out:
            out.write(f"$ {' '.join(words)}\n{done.stdout}")
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout
