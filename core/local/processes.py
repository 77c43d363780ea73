"""Start, recognise and stop child processes without ever waiting for ever."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.local.account import Account

LAUNCH = Path(__file__).with_name("launch.py")
POLL_S = 0.02
LOG_LIMIT_BYTES = 10_000_000


@dataclass(frozen=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    born: str  # when it started, in the words of the system; equal text means the same process


def start(
    command: Sequence[str],
    *,
    log: Path,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path = Path("/"),
    orphan_signal: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """
    Start a program in a session of its own, so that Ctrl-C reaches the parent alone and the order of stopping is ours.

    On Linux the child gets `orphan_signal` when the thread that started it dies, even by kill -9. Output is appended to
    `log`. `account` is the user to become (root only).
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            tied(command, account, orphan_signal),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=dict(os.environ if environment is None else environment),
            start_new_session=True,
        )


def tied(command: Sequence[str], account: Account | None = None, orphan_signal: int = signal.SIGTERM) -> list[str]:
    """Return a command line that runs the command as the account, and on Linux ends it when this thread dies."""
    user, group = (account.uid, account.gid) if account else (-1, -1)
    numbers = [os.getpid(), user, group, int(orphan_signal)]
    return [sys.executable, "-I", "-S", str(LAUNCH), *map(str, numbers), *command]


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether the condition came true within the given time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def stop(process: subprocess.Popen[bytes], signals: Iterable[tuple[int, float]]) -> bool:
    """
    Send one signal after the other, waiting up to the given seconds after each; at last kill the whole session.

    Returns whether the process ended before it had to be killed.
    """
    for number, seconds in signals:
        if process.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    gently = process.poll() is not None
    kill_session(process.pid)
    process.wait(10)
    return gently


def kill_session(leader: int) -> None:
    """Kill what is left of the process group that a child of `start` leads; its number is ours while it has members."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def identify(pid: int) -> Identity | None:
    """Return the identity of a running process, or None when there is none (a zombie counts as none)."""
    if Path("/proc/self/stat").exists():
        try:
            # field 2 is the name in brackets and may hold anything, so count from its end: state is 3, start time 22
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None
        return None if fields[0] in "ZX" else Identity(pid, f"{boot} {fields[19]}")
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return Identity(pid, answer.stdout.strip()) if answer.stdout.strip() else None


def remember(file: Path, pids: Mapping[str, int]) -> None:
    """Write down our children by name, so that the next start can find those that outlived us."""
    known = {name: identity for name, pid in pids.items() if (identity := identify(pid))}
    write_whole(file, json.dumps({name: [one.pid, one.born] for name, one in known.items()}))


def survivors(file: Path) -> dict[str, int]:
    """Return by name the process ids of the remembered children that still run."""
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return {name: pid for name, (pid, born) in known.items() if identify(pid) == Identity(pid, born)}


def end_survivors(file: Path, seconds: float = 10) -> list[str]:
    """End the remembered children that still run, gently, then with their whole sessions. Returns their names."""
    found = survivors(file)
    for pid in found.values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not survivors(file), seconds)
    for pid in found.values():
        kill_session(pid)
    file.unlink(missing_ok=True)
    return sorted(found)


def write_whole(file: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file in one step; a reader sees the old or the new content, never half of it."""
    new = file.with_name(f".{file.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as stream:
        stream.write(text)
    new.chmod(mode)
    new.replace(file)


def shorten_log(log: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Move a log's content to `<name>.1` once it is large; writers append, so they go on in the emptied file."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > limit_bytes:
            log.with_name(f"{log.name}.1").write_bytes(log.read_bytes())
            os.truncate(log, 0)
