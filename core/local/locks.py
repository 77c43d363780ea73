"""One runner per folder: a lock that the system itself drops when its holder dies, even by kill -9."""

import fcntl
import os
from pathlib import Path

from core.local.errors import LocalError


class AlreadyRunningError(LocalError):
    """Another process holds the folder; `pid` says which, 0 when it did not write that down yet."""

    def __init__(self, file: Path, pid: int) -> None:
        self.pid = pid
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{file.parent} is in use by {who}.")


class Lock:
    """Hold a lock file until `release` or the end of this process."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock at once or raise AlreadyRunningError; taking it twice is taking it once."""
        if self._descriptor is not None:
            return
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise AlreadyRunningError(self.file, int(holder) if holder.isdigit() else 0) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; the file stays, as removing it would let two holders in."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
