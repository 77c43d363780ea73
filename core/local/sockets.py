"""Folders for unix sockets: nobody but the servers' account (and root) may enter them, and their paths stay short."""

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

from core.local.account import Account
from core.local.errors import LocalError

PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+@=~-]+")
LONGEST_PATH_BYTES = 103  # sockaddr_un holds 108 bytes on Linux and 104 on macOS, one of them the closing zero


def socket_folder(folder: Path, file_name: str) -> Path:
    """
    Return where the socket `file_name` of the server in `folder` lies; computed, so every process finds the same place.

    That is `run` inside the folder, or a folder named after it among the temporary files when that path is too long or
    holds a character that means something in an address (libpq reads a comma as two hosts).
    """
    beside = folder / "run"
    if len(os.fsencode(beside / file_name)) <= LONGEST_PATH_BYTES and PLAIN_PATH.fullmatch(str(beside)):
        return beside
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path("/tmp" if Path("/tmp").is_dir() else tempfile.gettempdir()) / f"wattledger-{name}"  # noqa: S108 - checked below


def make_private(folder: Path, account: Account | None) -> None:
    """Make a folder that only the account may enter, or accept one that is exactly so; refuse anything else."""
    uid = account.uid if account else os.geteuid()
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (uid, os.geteuid()):
            raise LocalError(
                f"{folder} exists and belongs to somebody else: remove it or choose another VAR_DIR."
            ) from None
    folder.chmod(0o700)
    if account:
        os.chown(folder, account.uid, account.gid)
