"""The web server as `make run` starts it, on a free port of this machine, over the tests' database."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from core.local import web
from core.local.health import web_answers

ROOT: Final = Path(__file__).resolve().parents[2]
HOST: Final = "127.0.0.1"
START_SECONDS: Final = 40.0
STOP_SECONDS: Final = 20.0


@contextmanager
def web_server(environment: Mapping[str, str]) -> Iterator[str]:
    """
    Run the web server with the variables of `environment` on top of this process's own; yield its address.

    Raises RuntimeError when it does not answer in time.
    """
    port = free_port()
    settings = {**os.environ, **environment, "HOST": HOST, "PORT": str(port), "WEB_CONCURRENCY": "1"}
    process = subprocess.Popen(
        web.command(settings), cwd=ROOT, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(process, port)
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    """Return when the server answers."""
    latest = time.monotonic() + START_SECONDS
    while not web_answers(HOST, port):
        if process.poll() is not None:
            raise RuntimeError(f"The web server ended with {process.returncode} before it answered.")
        if time.monotonic() > latest:
            raise RuntimeError(f"The web server did not answer in {START_SECONDS:.0f} s.")
        time.sleep(0.1)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])
