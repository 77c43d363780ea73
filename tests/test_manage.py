"""The entry point tells what is wrong in words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_a_command_without_running_servers_says_so(tmp_path: Path) -> None:
    unset = {"DATABASE_URL", "MIGRATE_DATABASE_URL", "REDIS_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}

    done = subprocess.run(
        [sys.executable, "manage.py", "create_organization", "acme", "--name", "Acme"],
        cwd=ROOT,
        env={**environment, "VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("The database cannot be reached: ")
    assert "while `make run` does" in done.stderr
    assert "Traceback" not in done.stderr
