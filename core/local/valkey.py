"""The embedded Valkey: broker and cache that may lose everything, on a unix socket."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from core.local import processes, programs
from core.local.account import choose, closed_folder
from core.local.errors import ServerFailedError
from core.local.locks import Lock
from core.local.postgres import UnreachableFolderError
from core.local.sockets import make_private, socket_folder

SOCKET_NAME = "valkey.sock"
STOP_SIGNALS = ((signal.SIGTERM, 5.0),)


class EmbeddedValkey:
    """
    A Valkey server in `folder`, reached through a socket in a private folder; as root it runs as another user.

    It keeps nothing on disk. Above `memory_mb` it drops cached values, never the broker's queues (those do not expire).
    """

    def __init__(
        self, folder: Path, *, log: Path | None = None, memory_mb: int = 256, start_seconds: float = 20
    ) -> None:
        self.folder = folder.absolute()
        self.log = log or self.folder / "valkey.log"
        self.memory_mb = memory_mb
        self.start_seconds = start_seconds
        self._lock = Lock(self.folder / "lock")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """The server's socket."""
        return socket_folder(self.folder, SOCKET_NAME) / SOCKET_NAME

    @property
    def url(self) -> str:
        """For redis clients: `unix://PATH?db=0`. Celery's broker wants `redis+socket://PATH?virtual_host=0`."""
        return f"unix://{self.socket}?db=0"

    @property
    def pid(self) -> int | None:
        """The running server's process id, None when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the server and return when it answers; a running one is kept, one left behind is stopped first."""
        if self.pid:
            return
        run_folder = self.socket.parent
        account = choose(run_folder)
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            self.folder.chmod(0o711 if account else 0o700)
        if account and (closed := closed_folder(account, self.folder)):
            raise UnreachableFolderError(self.folder, closed, account)
        self._lock.acquire()
        try:
            processes.end_survivors(self.folder / "process.json")
            make_private(run_folder, account)
            program = programs.valkey_server(self.folder, account)
            processes.shorten_log(self.log)
            command = [str(program), "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
            command += ["--dir", str(run_folder), "--daemonize", "no", "--save", "", "--appendonly", "no"]
            command += ["--maxmemory", f"{self.memory_mb}mb", "--maxmemory-policy", "volatile-lru"]
            environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
            self._process = processes.start(command, log=self.log, account=account, environment=environment)
            processes.remember(self.folder / "process.json", {"valkey": self._process.pid})
            self._await_answer()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server; returns when it is gone. Stopping twice is harmless."""
        if self._process:
            processes.stop(self._process, STOP_SIGNALS)
            self._process = None
            (self.folder / "process.json").unlink(missing_ok=True)
        self._lock.release()

    def poll(self) -> int | None:
        """Return the exit code when a started server has ended by itself, None while it runs."""
        return self._process.poll() if self._process else None

    def _await_answer(self) -> None:
        deadline = time.monotonic() + self.start_seconds
        while not answers(self.socket):
            if (code := self.poll()) is not None:
                raise ServerFailedError(f"Valkey ended with exit code {code} while starting.", self.log)
            if time.monotonic() > deadline:
                raise ServerFailedError(f"Valkey did not answer within {self.start_seconds:.0f} s.", self.log)
            time.sleep(processes.POLL_S)


def answers(path: Path) -> bool:
    """Return whether a server behind the socket answers PING."""
    with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
        connection.settimeout(2)
        connection.connect(str(path))
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")
    return False
