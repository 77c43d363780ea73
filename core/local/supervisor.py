"""Keep a handful of processes running, restart the ones that die, and stop all of them in order."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from core.local import processes
from core.local.announce import Announcer
from core.local.errors import LocalError, ServerFailedError

LONGEST_WAIT_S = 30.0
SETTLED_S = 60.0  # who has run this long is restarted at once again
LOOK_EVERY_S = 0.2
SHORTEN_LOGS_EVERY_S = 30.0


class StopRequestedError(BaseException):
    """Somebody asked us to stop; raised by the signal handler wherever we are, and not an Exception on purpose."""


class Member(Protocol):
    """A process that the supervisor looks after; the embedded servers are members as well."""

    log: Path

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""

    def start(self) -> None:
        """Start it and return when it is usable, or raise LocalError within a bounded time."""

    def stop(self) -> None:
        """Stop it within a bounded time."""

    def poll(self) -> int | None:
        """Its exit code when it ended by itself."""


class Program:
    """A member that is a command of ours: web, worker or scheduler."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        directory: Path,
        environment: Mapping[str, str],
        stop_signals: Sequence[tuple[int, float]],
        ready: Callable[[], bool] | None = None,
        ready_seconds: float = 60,
    ) -> None:
        self.log = log
        self._command = list(command)
        self._directory = directory
        self._environment = dict(environment)
        self._stop_signals = tuple(stop_signals)
        self._ready = ready
        self._ready_seconds = ready_seconds
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the command, without waiting for it: `await_ready` does."""
        if self._process:
            processes.kill_session(self._process.pid)  # what a killed leader left behind
        self._process = processes.start(
            self._command, log=self.log, environment=self._environment, directory=self._directory
        )

    def await_ready(self) -> None:
        """Return when the command says it is ready; raise ServerFailedError when it ends or takes too long."""
        if self._ready is None:
            return
        deadline = time.monotonic() + self._ready_seconds
        while not self._ready():
            if (code := self.poll()) is not None:
                raise ServerFailedError(f"The {self.log.stem} process ended with exit code {code} at start.", self.log)
            if time.monotonic() > deadline:
                what = f"The {self.log.stem} process was not ready within {self._ready_seconds:.0f} s."
                raise ServerFailedError(what, self.log)
            time.sleep(0.05)

    def ask_to_stop(self) -> None:
        """Send the first stop signal without waiting, so that several members end at the same time."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(self._stop_signals[0][0])

    def stop(self) -> None:
        if self._process:
            processes.stop(self._process, self._stop_signals)
            self._process = None

    def poll(self) -> int | None:
        return self._process.poll() if self._process else None


@dataclass
class _Record:
    """What the supervisor knows of a member."""

    name: str
    member: Member
    started_at: float = 0.0
    failures: int = 0
    next_start: float | None = None  # waiting for this moment; None while it runs


@dataclass
class Supervisor:
    """
    Start members in the order in which they are added, watch them, and stop them in the opposite order.

    Their process ids are written to `children_file`, so that the next start can end those that outlive a kill -9 of
    this process (on Linux they are told to end by the kernel).
    """

    children_file: Path
    announcer: Announcer
    clock: Callable[[], float] = time.monotonic
    _records: list[_Record] = field(default_factory=list)

    def add(self, name: str, member: Member) -> None:
        """Start a member and look after it from now on; raises LocalError when it does not start."""
        record = _Record(name, member)
        self._records.append(record)
        member.start()
        record.started_at = self.clock()
        self._remember()

    def watch(self) -> None:
        """Restart whoever ends, for ever; left by an exception, usually StopRequestedError."""
        shortened_at = self.clock()
        while True:
            self.look()
            if self.clock() - shortened_at > SHORTEN_LOGS_EVERY_S:
                shortened_at = self.clock()
                for record in self._records:
                    processes.shorten_log(record.member.log)
            time.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Look once: note who has ended, start again whose time has come."""
        for record in self._records:
            if record.next_start is None:
                self._note_end(record)
            elif self.clock() >= record.next_start:
                self._restart(record)

    def stop(self) -> None:
        """Stop all members: the programs together, then the servers one by one."""
        for record in reversed(self._records):
            if isinstance(record.member, Program):
                record.member.ask_to_stop()
        for record in reversed(self._records):
            record.member.stop()
        self._records.clear()
        self.children_file.unlink(missing_ok=True)

    def _note_end(self, record: _Record) -> None:
        code = record.member.poll()
        if code is None:
            return
        settled = self.clock() - record.started_at > SETTLED_S
        record.failures = 1 if settled else record.failures + 1
        wait = backoff_s(record.failures)
        record.next_start = self.clock() + wait
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self.announcer.event(f"{record.name} {how}, starting it again", in_s=wait, log=str(record.member.log))

    def _restart(self, record: _Record) -> None:
        try:
            record.member.start()
        except LocalError as error:
            record.failures += 1
            wait = backoff_s(record.failures)
            record.next_start = self.clock() + wait
            self.announcer.event(f"{record.name} does not start, trying again: {error}", in_s=wait)
            return
        record.next_start = None
        record.started_at = self.clock()
        self._remember()
        self.announcer.event(f"{record.name} is running again")

    def _remember(self) -> None:
        pids = {record.name: pid for record in self._records if (pid := record.member.pid)}
        processes.remember(self.children_file, pids)


def backoff_s(failures: int) -> float:
    """
    Return how long to wait before starting again a process that has failed so often in a row. [s]

    >>> [backoff_s(n) for n in (1, 2, 3, 4, 5, 9)]
    [0.5, 1.0, 2.0, 4.0, 8.0, 30.0]
    """
    return min(LONGEST_WAIT_S, 0.5 * 2.0 ** (failures - 1))
