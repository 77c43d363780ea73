"""Choose who runs the servers: PostgreSQL refuses to run as root, and nobody is added to the machine for it."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from core.local.errors import LocalError

CANDIDATES = ("postgres", "nobody", "daemon")  # existing users without rights of their own, best first


@dataclass(frozen=True)
class Account:
    """A user that root becomes for the servers."""

    name: str
    uid: int
    gid: int


def own_name() -> str:
    """Return the login name of this process's user."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise LocalError(
            f"PostgreSQL needs a user with a name, and user id {os.geteuid()} has none. Run as a user that /etc/passwd "
            "knows, or set DATABASE_URL to a PostgreSQL server of your own."
        ) from None


def choose(data: Path) -> Account | None:
    """
    Return the account for servers whose data lies at `data`, or None to stay who we are.

    As root, who owns existing data goes on with it; otherwise the first candidate that this machine knows and lets us
    become (a container may map few user ids).
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat().st_uid) != 0:
        entry = pwd.getpwuid(owner)
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        account = Account(name, entry.pw_uid, entry.pw_gid)
        if entry.pw_uid != 0 and can(account, "-d", Path("/")):
            return account
    raise LocalError(
        f"PostgreSQL refuses to run as root, and none of the users {', '.join(CANDIDATES)} can be used here. Run as an "
        "ordinary user, or set DATABASE_URL to a PostgreSQL server of your own."
    )


def can(account: Account | None, test: str, path: Path) -> bool:
    """Return whether the account passes a test of test(1) on the path: -x may run or enter, -r may read, -d sees it."""
    command = ["/bin/sh", "-c", f'test {test} "$1"', "sh", str(path)]
    user, group = (account.uid, account.gid) if account else (None, None)
    groups: list[str] | None = [] if account else None
    try:
        answer = subprocess.run(command, cwd="/", check=False, timeout=10, user=user, group=group, extra_groups=groups)
    except (OSError, ValueError, subprocess.SubprocessError):
        return False
    return answer.returncode == 0


def closed_folder(account: Account, path: Path) -> Path | None:
    """Return the topmost folder on the way to `path` that the account may not enter, or None when it can get there."""
    for folder in [*reversed(path.parents), path]:
        if folder.is_dir() and not can(account, "-x", folder):
            return folder
    return None
