"""Processes of the product as `make run` starts them, against the tests' servers: web, worker, scheduler."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start(arguments: list[str], log: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start a Python process of the product in a session of its own, so that it can be killed whole."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "LOG_LEVEL": "INFO", **environment},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def end(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
    """End a process and its children."""
    if process.poll() is None:
        os.killpg(process.pid, number)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)


@contextmanager
def web(folder: Path, workers: int = 1, **environment: str) -> Iterator[str]:
    """Run the web server, with other settings where they are given; give its address."""
    port = free_port()
    log = folder / "web.log"
    process = start(
        ["-m", "core.local.web"],
        log,
        PORT=str(port),
        HOST="127.0.0.1",
        WEB_CONCURRENCY=str(workers),
        **environment,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(f"{address}/healthz"), 30, log)
        yield address
    finally:
        end(process)


def worker(folder: Path) -> subprocess.Popen[bytes]:
    """Start a Celery worker with the scheduler in it."""
    return start(
        [
            *(
                "-m",
                "celery",
                "--app",
                "core.celery:app",
                "worker",
                "--beat",
                "--concurrency",
                "2",
                "--loglevel",
                "INFO",
            ),
            *("--schedule", str(folder / "beat"), "--without-gossip", "--without-mingle"),
        ],
        folder / "worker.log",
    )


def answers(address: str) -> bool:
    """Tell whether an address answers 200."""
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310  # an address of ours
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_for(condition: Any, seconds: float, log: Path | None = None) -> None:
    """Wait until a condition holds; fail with the end of a log when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            said = log.read_text()[-3000:] if log and log.exists() else ""
            raise AssertionError(f"not within {seconds} s\n{said}")
        time.sleep(0.05)
