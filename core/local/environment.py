"""
Bring `.venv` up to a lock file: `python3 core/local/environment.py requirements.lock`.

Run by the Makefile with whatever Python the machine has, so it uses the standard library only and starts with syntax that
an old Python can read far enough to say that it is too old. It does nothing when the environment is as the lock says, and
may be interrupted at any moment: an unfinished environment is made anew by the next call.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this file is what tells people so
    sys.exit(
        "Wattledger needs Python 3.11 or newer, this is %s. Name a newer one: make run PYTHON=python3.12"  # noqa: UP031
        % sys.version.split()[0]
    )

import contextlib
import fcntl
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ENVIRONMENT = PROJECT / ".venv"
PYTHON = str(ENVIRONMENT / "bin" / "python")
STAMP = ENVIRONMENT / "wattledger.json"  # which lock was installed for which Python
UNFINISHED = ENVIRONMENT / "unfinished"  # exists while packages are being changed
OUR_OWN = {"pip", "setuptools", "wheel"}


class SetupError(Exception):
    """The environment could not be made; the message says what to do."""


def main(lock_name: str) -> None:
    """Make or update the environment; one process at a time."""
    lock = PROJECT / lock_name
    wanted = {"python": f"{sys.version_info.major}.{sys.version_info.minor}", "place": str(ENVIRONMENT)}
    ENVIRONMENT.mkdir(exist_ok=True)
    with (PROJECT / ".venv" / ".lock").open("w") as guard:
        _wait_for_turn(guard.fileno())
        if _is_current(lock, wanted):
            return
        if UNFINISHED.exists() or not _works(wanted["python"]):
            _make()
        UNFINISHED.touch()
        _install(lock)
        _remove_others(_locked_names(lock) | _locked_names(PROJECT / "requirements-test.lock"))
        STAMP.write_text(json.dumps({**wanted, "locks": _covered_locks(lock)}))
        UNFINISHED.unlink()


def _wait_for_turn(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say("Waiting for another `make` that is setting up .venv (Ctrl-C gives up)")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_current(lock: Path, wanted: dict[str, str]) -> bool:
    if UNFINISHED.exists() or not Path(PYTHON).exists():
        return False
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return False
    return stamp["place"] == wanted["place"] and _fingerprint(lock) in stamp["locks"]


def _works(version: str) -> bool:
    """Return whether the environment has a running Python of this version with pip."""
    code = "import sys, pip; print('%d.%d' % sys.version_info[:2], sys.prefix)"
    try:
        answer = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    except OSError:
        return False
    return answer.returncode == 0 and answer.stdout.split(None, 1) == [version, f"{ENVIRONMENT}\n"]


def _make() -> None:
    _say(f"Making .venv with Python {sys.version.split()[0]}")
    for found in ENVIRONMENT.iterdir():
        if found.name != ".lock":
            shutil.rmtree(found) if found.is_dir() and not found.is_symlink() else found.unlink()
    done = subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        hint = ""
        if "ensurepip" in done.stdout + done.stderr:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            hint = f"\nOn Debian and Ubuntu this helps: apt-get install python{version}-venv"
        raise SetupError(f"`python -m venv` failed: {(done.stderr or done.stdout).strip()}{hint}")


def _install(lock: Path) -> None:
    names = len(_locked_names(lock))
    _say(f"Installing {names} packages of {lock.name}; the first time this downloads them")
    pip = [
        PYTHON,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "install",
        "--quiet",
        "--quiet",
    ]  # errors only
    done = subprocess.run([*pip, "--require-hashes", "--no-deps", "--requirement", str(lock)], check=False)
    if done.returncode != 0:
        raise SetupError(
            "pip could not install the packages (its message is above). Check the network or pip's settings and run the "
            "same command again."
        )


def _remove_others(wanted: set[str]) -> None:
    """Remove packages that only an earlier lock had, so that the environment is what the locks say and no more."""
    listed = subprocess.run(
        [PYTHON, "-m", "pip", "--disable-pip-version-check", "list", "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    others = {_normal(package["name"]) for package in json.loads(listed.stdout)} - wanted - OUR_OWN
    if others:
        remove = [PYTHON, "-m", "pip", "--disable-pip-version-check", "uninstall", "--quiet", "--yes", *sorted(others)]
        subprocess.run(remove, check=True)


def _locked_names(lock: Path) -> set[str]:
    return {_normal(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text(), re.MULTILINE)}


def _covered_locks(lock: Path) -> list[str]:
    """Return the fingerprints that the environment now satisfies: the lock for tests holds the one for running."""
    locks = [lock]
    runtime = PROJECT / "requirements.lock"
    if lock != runtime and set(_pins(runtime)) <= set(_pins(lock)):
        locks.append(runtime)
    return [_fingerprint(each) for each in locks]


def _pins(lock: Path) -> list[str]:
    return re.findall(r"^[A-Za-z0-9._-]+==[^ \\]+", lock.read_text(), re.MULTILINE)


def _fingerprint(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        with contextlib.suppress(BrokenPipeError):
            main(sys.argv[1])
    except SetupError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted; the next start goes on.")
