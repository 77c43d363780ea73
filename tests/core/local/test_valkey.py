"""The embedded Valkey answers, comes back, and keeps to itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from core.local.locks import AlreadyRunningError
from core.local.processes import identify, wait_until
from core.local.valkey import EmbeddedValkey


@pytest.fixture
def valkey(folder: Path) -> Iterator[EmbeddedValkey]:
    """A running server."""
    server = EmbeddedValkey(folder / "valkey", memory_mb=16)
    server.start()
    yield server
    server.stop()


def test_it_stores_values_and_listens_on_no_port(valkey: EmbeddedValkey) -> None:
    with redis.from_url(valkey.url) as client:
        client.set("answer", 42)

        assert client.get("answer") == b"42"
        assert client.config_get("port") == {"port": "0"}
    assert valkey.socket.parent.stat().st_mode & 0o077 == 0


def test_its_memory_has_an_end_that_spares_queues(valkey: EmbeddedValkey) -> None:
    with redis.from_url(valkey.url) as client:
        client.lpush("queue", "task")
        for number in range(200):
            client.set(f"cached {number}", "x" * 200_000, ex=3600)

        assert client.llen("queue") == 1
        assert client.info("memory")["used_memory"] < 20_000_000
        assert client.dbsize() < 200


def test_a_killed_server_starts_again_empty(valkey: EmbeddedValkey) -> None:
    assert valkey.pid
    os.kill(valkey.pid, signal.SIGKILL)
    assert wait_until(lambda: valkey.poll() is not None, 5)

    valkey.start()

    with redis.from_url(valkey.url) as client:
        assert client.dbsize() == 0


def test_a_second_runner_of_the_same_folder_is_refused(valkey: EmbeddedValkey) -> None:
    with pytest.raises(AlreadyRunningError):
        EmbeddedValkey(valkey.folder).start()


@pytest.mark.slow
def test_the_server_of_a_killed_runner_is_replaced(folder: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from core.local.valkey import EmbeddedValkey;"
        "server = EmbeddedValkey(Path(sys.argv[1])); server.start(); print(server.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(folder / "valkey")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as runner:
        assert runner.stdout
        orphan = int(runner.stdout.readline())
        runner.kill()
    server = EmbeddedValkey(folder / "valkey")

    server.start()

    with redis.from_url(server.url) as client:
        assert client.ping()
    assert identify(orphan) is None
    server.stop()
