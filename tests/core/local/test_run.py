"""`make run` from nothing to an answering product, through kills, restarts and wrong settings."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

import core.local
from core.local.health import web_answers
from core.local.processes import identify, wait_until

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[3]
START_SECONDS = 120.0


class Product:
    """One `python -m core.local.run`, with what it said so far."""

    def __init__(self, var_dir: Path, port: int, **environment: str) -> None:
        self.var_dir = var_dir
        self.port = port
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "MIGRATE_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DEBUG", "LOG_LEVEL")
        }
        settings = {"VAR_DIR": str(var_dir), "PORT": str(port), "DEMO": "0", "WEB_CONCURRENCY": "1", **environment}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "core.local.run"],
            cwd=PROJECT,
            env={**inherited, "WORKER_CONCURRENCY": "2", **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.said += line

    def await_words(self, words: str, seconds: float = START_SECONDS) -> None:
        assert wait_until(lambda: re.search(words, self.said) is not None or self.process.poll() is not None, seconds)
        assert re.search(words, self.said), self.said

    def started(self) -> Product:
        self.await_words("Wattledger is running: ")
        return self

    def end(self) -> int:
        """Stop it as Ctrl-C does and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(60)
        self._reader.join(10)
        assert self.process.stdout
        self.process.stdout.close()
        return code

    def end_by_itself(self) -> int:
        """Wait for an end that nobody asked for and return the exit code."""
        code = self.process.wait(60)
        self.end()
        return code

    @property
    def children(self) -> dict[str, int]:
        return {name: pid for name, (pid, _) in json.loads((self.var_dir / "children.json").read_text()).items()}

    def get(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def is_ready(self) -> bool:
        """Whether database, broker, worker and scheduler all work: /readyz says so once the sweep has run."""
        try:
            return self.get("/readyz") == 200
        except (OSError, http.client.HTTPException):
            return False


Start = Callable[..., Product]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start products that are stopped after the test."""
    started: list[Product] = []

    def begin(name: str = "var", **environment: str) -> Product:
        started.append(Product(folder / name, free_port(), **environment))
        return started[-1]

    yield begin
    for product in started:
        product.end()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_it_starts_is_restarted_whole_keeps_its_data_and_stops(start: Start, folder: Path) -> None:
    first = start().started()
    assert first.said.count("\n") < 15, "one line per event"
    assert wait_until(first.is_ready, 60), first.get("/readyz")
    assert first.get("/accounts/login/") == 200
    owner_url = core.local.urls(folder / "var")["MIGRATE_DATABASE_URL"]
    with psycopg.connect(owner_url) as connection:
        connection.execute("create table kept as select 42 as answer")

    for name, pid in first.children.items():
        os.kill(pid, signal.SIGKILL)
        first.await_words(f"{name} was killed by signal 9", 15)
        first.await_words(f"{name} is running again", 30)
    assert wait_until(first.is_ready, 60)
    children = first.children
    begun = time.monotonic()
    assert first.end() == 0
    assert time.monotonic() - begun < 30
    assert first.said.rstrip().endswith("Stopped")
    assert all(identify(pid) is None for pid in children.values())

    begun = time.monotonic()
    second = start().started()
    assert time.monotonic() - begun < 60  # 6 s where nothing else runs
    with psycopg.connect(owner_url) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)

    second.process.kill()  # its children find out by themselves, or the next start ends them
    second.process.wait(10)
    third = start().started()
    assert wait_until(third.is_ready, 60)
    third.process.send_signal(signal.SIGTERM)
    assert third.process.wait(30) == 0


def test_two_copies_run_side_by_side_and_a_third_on_the_same_folder_is_refused(start: Start) -> None:
    one, two = start("one"), start("two", LOG_FORMAT="json")
    one.started()
    two.await_words('"event": "Wattledger is running: ')

    third = start("one")

    assert third.process.wait(30) == 1
    third.await_words(rf"already runs from .*/one \(process {one.process.pid}\).*VAR_DIR=\.\.\. PORT=\.\.\.")
    assert (one.get("/healthz"), two.get("/healthz")) == (200, 200)
    assert all(json.loads(line) for line in two.said.splitlines())


def test_a_taken_port_ends_the_start_with_another_port_to_try(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        product = Product(folder / "var", port)

        assert product.end_by_itself() == 1

    assert f"Port {port} on 127.0.0.1 is taken by another program" in product.said


def test_production_with_embedded_servers_is_refused(folder: Path) -> None:
    product = Product(folder / "var", free_port(), PRODUCTION="1")

    assert product.end_by_itself() == 1
    assert "PRODUCTION=1 needs servers of your own: set DATABASE_URL and REDIS_URL" in product.said


def test_a_stop_during_the_start_leaves_nothing_running(start: Start, folder: Path) -> None:
    product = start()
    product.await_words("PostgreSQL running")
    children = product.children

    assert product.end() == 0

    assert children
    assert all(identify(pid) is None for pid in children.values())
    assert not web_answers("127.0.0.1", product.port)


def test_a_kill_while_the_demo_is_made_is_made_good_by_the_next_start(start: Start) -> None:
    first = start(DEMO="1")
    first.await_words("Making the demo organization")
    time.sleep(3)
    first.process.kill()
    first.process.wait(10)

    second = start(DEMO="1").started()
    second.end()
    third = start().started()

    for product in (second, third):
        assert "lead@demo.example" in product.said
    assert "Demo organization made" in second.said
    assert "Making the demo" not in third.said
