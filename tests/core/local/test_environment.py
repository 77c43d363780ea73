"""The virtual environment follows the lock, and an interrupted one is made anew."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).resolve().parents[3] / "core" / "local" / "environment.py"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose locks hold no package, so that nothing is downloaded."""
    (tmp_path / "core" / "local").mkdir(parents=True)
    shutil.copy(SCRIPT, tmp_path / "core" / "local")
    for name in ("requirements.lock", "requirements-test.lock"):
        (tmp_path / name).write_text("# nothing\n")
    return tmp_path


def setup(project: Path, lock: str = "requirements.lock") -> str:
    """Run the script as the Makefile does and return what it said."""
    script = project / "core" / "local" / "environment.py"
    done = subprocess.run(
        [sys.executable, str(script), lock], capture_output=True, text=True, check=True, timeout=120, cwd=project
    )
    return done.stdout


def test_it_is_made_once_and_again_after_an_interruption(project: Path) -> None:
    first = setup(project)
    second = setup(project)
    (project / ".venv" / "unfinished").touch()
    (project / ".venv" / "bin" / "python").unlink()
    third = setup(project)

    assert first.startswith("Making .venv with Python ")
    assert second == ""
    assert third.startswith("Making .venv with Python ")
    done = subprocess.run(
        [project / ".venv" / "bin" / "python", "-c", "import sys; print(sys.prefix)"], capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == str(project / ".venv")


def test_another_lock_is_installed_and_removes_what_no_lock_names(project: Path) -> None:
    setup(project)
    package = next((project / ".venv" / "lib").glob("python*/site-packages")) / "leftover-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: leftover\nVersion: 1.0\n")
    (package / "INSTALLER").write_text("pip\n")
    (package / "RECORD").write_text("leftover-1.0.dist-info/METADATA,,\nleftover-1.0.dist-info/RECORD,,\n")
    (project / "requirements.lock").write_text("# another edition\n")

    said = setup(project)

    assert said.startswith("Installing 0 packages of requirements.lock")
    assert not (package / "METADATA").exists()


def test_the_lock_for_tests_covers_the_one_for_running(project: Path) -> None:
    (project / "requirements-test.lock").write_text("# everything\n")

    setup(project, "requirements-test.lock")

    assert setup(project) == ""


def test_a_package_that_cannot_be_installed_is_told_and_tried_again(project: Path) -> None:
    (project / "requirements.lock").write_text("no-such-file.whl --hash=sha256:00\n")

    with pytest.raises(subprocess.CalledProcessError) as failure:
        setup(project)

    assert "pip could not install the packages" in failure.value.stderr
    assert (project / ".venv" / "unfinished").exists()
