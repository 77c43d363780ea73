"""The supervisor restarts what dies, and stops everything within its deadlines."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.local import processes
from core.local.announce import Announcer
from core.local.errors import LocalError, ServerFailedError
from core.local.processes import identify, wait_until
from core.local.supervisor import Program, Supervisor

STOP = ((signal.SIGTERM, 2.0),)


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Failing:
    """A member that fails to start as often as told, after having started once."""

    def __init__(self, log: Path, failures: int) -> None:
        self.log = log
        self.failures = failures
        self.starts = 0
        self.code: int | None = None
        self.pid: int | None = None

    def start(self) -> None:
        self.starts += 1
        if 1 < self.starts <= self.failures + 1:
            raise LocalError("no luck")
        self.code = None

    def stop(self) -> None:
        self.code = 0

    def poll(self) -> int | None:
        return self.code


@pytest.fixture
def told() -> io.StringIO:
    """What the terminal shows."""
    return io.StringIO()


@pytest.fixture
def clock() -> Clock:
    """A clock that the test moves."""
    return Clock()


@pytest.fixture
def supervisor(tmp_path: Path, told: io.StringIO, clock: Clock) -> Iterator[Supervisor]:
    """A supervisor that is stopped after the test."""
    made = Supervisor(tmp_path / "children.json", Announcer(stream=told), clock)
    yield made
    made.stop()


def program(tmp_path: Path, code: str, name: str = "web") -> Program:
    return Program(
        [sys.executable, "-c", code],
        log=tmp_path / f"{name}.log",
        directory=tmp_path,
        environment=dict(os.environ),
        stop_signals=STOP,
    )


def test_a_killed_member_is_started_again(
    supervisor: Supervisor, tmp_path: Path, told: io.StringIO, clock: Clock
) -> None:
    web = program(tmp_path, "import time; time.sleep(60)")
    supervisor.add("Web", web)
    first = web.pid
    assert first
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: web.poll() is not None, 5)

    supervisor.look()
    supervisor.look()
    waiting = web.pid
    clock.now += 0.6
    supervisor.look()

    assert waiting is None
    assert web.pid not in (None, first)
    assert f"Web was killed by signal 9, starting it again (0.5 s, log {tmp_path / 'web.log'})" in told.getvalue()
    assert "Web is running again" in told.getvalue()


def test_waits_grow_while_it_keeps_failing_and_shrink_after_a_calm_minute(
    supervisor: Supervisor, tmp_path: Path, clock: Clock, told: io.StringIO
) -> None:
    member = Failing(tmp_path / "log", failures=2)
    supervisor.add("Database", member)
    member.code = 1
    supervisor.look()
    for pause in (0.6, 1.1, 2.1):
        clock.now += pause
        supervisor.look()
    assert member.starts == 4
    assert told.getvalue().count("does not start, trying again: no luck") == 2

    clock.now += 61
    member.code = -9
    supervisor.look()

    assert told.getvalue().strip().endswith("starting it again (0.5 s, log {})".format(tmp_path / "log"))


@pytest.mark.slow
def test_what_a_killed_leader_leaves_behind_is_ended_before_the_next_start(
    supervisor: Supervisor, tmp_path: Path, clock: Clock
) -> None:
    code = (
        "import subprocess, time; p = subprocess.Popen(['/bin/sleep', '60']); print(p.pid, flush=True); time.sleep(60)"
    )
    web = program(tmp_path, code)
    supervisor.add("Web", web)
    assert wait_until(lambda: (tmp_path / "web.log").read_text().endswith("\n"), 10)
    left_behind = int((tmp_path / "web.log").read_text())
    assert web.pid
    os.kill(web.pid, signal.SIGKILL)
    assert wait_until(lambda: web.poll() is not None, 5)

    supervisor.look()
    clock.now += 1
    supervisor.look()

    assert wait_until(lambda: identify(left_behind) is None, 5)


@pytest.mark.slow
def test_a_member_that_ignores_its_signal_is_killed_in_time(supervisor: Supervisor, tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    for name in ("web", "worker"):
        supervisor.add(name, program(tmp_path, code, name))
    assert wait_until(lambda: all((tmp_path / f"{name}.log").stat().st_size for name in ("web", "worker")), 10)
    begun = time.monotonic()

    supervisor.stop()

    assert time.monotonic() - begun < 8
    assert not (tmp_path / "children.json").exists()


def test_a_program_that_ends_before_it_is_ready_shows_its_log(tmp_path: Path) -> None:
    web = Program(
        [sys.executable, "-c", "raise SystemExit('no such module')"],
        log=tmp_path / "web.log",
        directory=tmp_path,
        environment=dict(os.environ),
        stop_signals=STOP,
        ready=lambda: False,
    )
    web.start()

    with pytest.raises(ServerFailedError, match=r"(?s)web process ended with exit code 1.*web.log.*no such module"):
        web.await_ready()


def test_a_missing_program_is_an_exit_code_not_a_hang(tmp_path: Path) -> None:
    process = processes.start(["/no/such/program"], log=tmp_path / "log")

    assert process.wait(10) == 127
    assert "/no/such/program: No such file or directory" in (tmp_path / "log").read_text()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_children_end_with_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from core.local import processes\n"
        "child = processes.start(['/bin/sleep', '60'], log=Path(sys.argv[1])); print(child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert wait_until(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n", 10)

        parent.kill()

    assert wait_until(lambda: identify(child) is None, 5)


@pytest.mark.slow
def test_survivors_of_an_earlier_run_are_ended_and_strangers_are_not(tmp_path: Path) -> None:
    ours = processes.start(["/bin/sleep", "60"], log=tmp_path / "log")
    stranger = processes.start(["/bin/sleep", "60"], log=tmp_path / "log")
    file = tmp_path / "children.json"
    processes.remember(file, {"web": ours.pid, "worker": stranger.pid})
    known = json.loads(file.read_text())
    known["worker"][1] = "another start time: the number has come to belong to somebody else"
    file.write_text(json.dumps(known))

    ended = processes.end_survivors(file, seconds=2)

    assert ended == ["web"]
    assert ours.wait(5) < 0
    assert stranger.poll() is None
    processes.stop(stranger, STOP)


def test_a_large_log_is_shortened_in_place(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with log.open("a") as writer:
        writer.write("old\n" * 100)
        writer.flush()

        processes.shorten_log(log, limit_bytes=100)
        writer.write("new\n")

    assert log.read_text() == "new\n"
    assert (tmp_path / "web.log.1").read_text() == "old\n" * 100


def test_events_as_json(told: io.StringIO) -> None:
    Announcer("json", told).event("PostgreSQL running", took_s=0.25)

    line = json.loads(told.getvalue())
    assert (line["event"], line["took_s"]) == ("PostgreSQL running", 0.25)
    assert line["timestamp"].endswith("+00:00")
