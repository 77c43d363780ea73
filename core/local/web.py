"""
Start the web server: `python -m core.local.web`, for `make run` and the container image alike.

Why granian, and why these numbers: docs/adr/0002-web-server.md. HOST, PORT and WEB_CONCURRENCY are honoured.
"""

import os
import sys
from collections.abc import Mapping

WORKERS = 2
THREADS = 4  # each worker's; more of them hinder each other, fewer let slow senders keep others waiting
STOP_SECONDS = 8


def command(environment: Mapping[str, str]) -> list[str]:
    """Return the command line of the web server for an environment."""
    options = {
        "interface": "wsgi",
        "host": environment.get("HOST") or "127.0.0.1",
        "port": environment.get("PORT") or "8000",
        "workers": environment.get("WEB_CONCURRENCY") or str(WORKERS),
        "blocking-threads": str(THREADS),
        "http": "1",
        "log-level": "warning",
        "respawn-interval": "0.5",
        "workers-kill-timeout": str(STOP_SECONDS),
    }
    given = [word for name, value in options.items() for word in (f"--{name}", value)]
    return [sys.executable, "-m", "granian", *given, "--no-ws", "--respawn-failed-workers", "core.wsgi:application"]


if __name__ == "__main__":
    os.execv(sys.executable, command(os.environ))  # noqa: S606 - no shell is wanted
