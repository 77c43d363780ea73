"""Decide where the servers of a VAR_DIR keep their data, and remember it there."""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from core.local.account import choose, closed_folder
from core.local.errors import LocalError
from core.local.postgres import UnreachableFolderError
from core.local.processes import write_whole

STATE_FILE = "servers.json"
SECRET_KEY_FILE = "secret_key"  # noqa: S105 - a file name
SHARED_PARENTS = (Path("/var/lib"), Path("/srv"))  # where root keeps the data of services


def servers_folder(var_dir: Path) -> Path:
    """Return the folder of the servers of a VAR_DIR: the remembered one, else the VAR_DIR itself."""
    var_dir = var_dir.absolute()
    try:
        return Path(json.loads((var_dir / STATE_FILE).read_text())["folder"])
    except FileNotFoundError:
        return var_dir
    except (OSError, ValueError, KeyError):
        raise LocalError(
            f"{var_dir / STATE_FILE} cannot be read: remove it (its data stays) and start again."
        ) from None


def choose_servers_folder(var_dir: Path, *, chosen_by_user: bool) -> Path:
    """
    Make the VAR_DIR and return the folder of its servers, written down for every other process.

    As root in a folder that the servers' account may not enter, that is a folder of our own in /var/lib, named after
    the VAR_DIR; where the user chose the VAR_DIR, it is an UnreachableFolderError that says what to do instead.
    """
    var_dir = var_dir.absolute()
    if not var_dir.exists():
        var_dir.mkdir(parents=True)
        var_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
    if not (var_dir / SECRET_KEY_FILE).exists():
        write_whole(var_dir / SECRET_KEY_FILE, secrets.token_urlsafe(50))
    if (var_dir / STATE_FILE).exists():
        return servers_folder(var_dir)
    folder = var_dir
    account = choose(var_dir / "postgres" / "data")
    closed = closed_folder(account, var_dir) if account else None
    if account and closed:
        if chosen_by_user:
            raise UnreachableFolderError(var_dir, closed, account)
        folder = _shared_folder(var_dir)
    write_whole(var_dir / STATE_FILE, json.dumps({"folder": str(folder)}))
    return folder


def _shared_folder(var_dir: Path) -> Path:
    name = f"wattledger-{hashlib.sha256(os.fsencode(var_dir)).hexdigest()[:12]}"
    for parent in SHARED_PARENTS:
        if parent.is_dir() and os.access(parent, os.W_OK):
            folder = parent / name
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
            if folder.is_symlink() or folder.stat().st_uid != 0:
                raise LocalError(f"{folder} exists and does not belong to root: set VAR_DIR to another folder.")
            folder.chmod(0o711)
            return folder
    raise LocalError("Neither /var/lib nor /srv can be written: set VAR_DIR to a folder that every user may enter.")


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a new folder that the servers' account can enter, and remove it afterwards; for tests."""
    folder = Path(tempfile.mkdtemp(prefix="wl-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
