"""The checks of lock and container files find what they are for, and find nothing in ours."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

CI = Path(__file__).resolve().parents[1] / ".ci"


def load(name: str) -> ModuleType:
    """Import a script of .ci."""
    spec = importlib.util.spec_from_file_location(name, CI / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


check_compose = load("check_compose")
check_locks = load("check_locks")


def test_our_own_files_are_in_order() -> None:
    assert check_compose.problems() == ""
    assert check_locks.problems() == ""
    assert len(check_locks.pins(check_locks.RUNTIME)) > 40


@pytest.mark.parametrize(
    ("ours", "broken", "fault"),
    [
        ("  beat:\n", "  clock:\n", "its services are"),
        ("${SECRET_KEY:?set SECRET_KEY to 50 random characters}", "${SECRET_KEY:-changeme}", "SECRET_KEY is a secret"),
        ("${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD}", "postgres", "holds a secret in the file: POSTGRES_PASSWORD"),
        ("image: postgres:18", "image: postgres:latest", "postgres: needs an image with a version"),
        ("      web: {condition: service_healthy}", "      web: {condition: service_started}", "wait for the health"),
        ("core/local/roles.sql", "docker/roles.sql", "there is no file docker/roles.sql"),
        ("      - postgres:/var/lib/postgresql", "      - ./data:/var/lib/postgresql", "no named volume"),
        ("services:", "services: [", "expected"),
    ],
)
def test_a_broken_compose_file_is_found_out(tmp_path: Path, ours: str, broken: str, fault: str) -> None:
    text = (check_compose.PROJECT / "docker-compose.yml").read_text()
    assert ours in text
    file = tmp_path / "docker-compose.yml"
    file.write_text(text.replace(ours, broken, 1))

    assert fault in "\n".join(check_compose.compose_faults(file))


@pytest.mark.parametrize(
    ("ours", "broken", "fault"),
    [
        ("USER wattledger\n", "", "the image runs as root"),
        ("USER wattledger\n", "USER root\n", "the image runs as root"),
        ("--require-hashes ", "", "pip installs without --require-hashes"),
        ("FROM python:3.12-slim AS packages", "FROM python AS packages", "python has no version"),
        ("COPY requirements.lock", "COPY requirement.lock", "copies requirement.lock, which is not there"),
        ("COPY requirements.lock", "COPY requirements-test.lock", "which .dockerignore leaves out"),
        ("--from=packages", "--from=builder", "copies from the unknown stage builder"),
        ("WORKDIR", "WORKDER", "unknown instruction WORKDER"),
    ],
)
def test_a_broken_dockerfile_is_found_out(tmp_path: Path, ours: str, broken: str, fault: str) -> None:
    text = (check_compose.PROJECT / "Dockerfile").read_text()
    assert ours in text
    file = tmp_path / "Dockerfile"
    file.write_text(text.replace(ours, broken, 1))

    assert fault in "\n".join(check_compose.dockerfile_faults(file))


@pytest.mark.parametrize(
    ("ours", "broken", "fault"),
    [
        ("sha256:", "sha256:0", "made from other dependencies"),
        ("\ndjango==5.2", "\ndjango==4.2", "django<5.3,>=5.2 is not satisfied by 4.2"),
        ("\ndjango==", "\ndjongo==", "is not satisfied by None"),
        ("\ndjango==", "\n-i https://example.org/simple\ndjango==", "names an address"),
        ("\ndjango==", "\nflask\ndjango==", "a line is no package with a version and hashes"),
    ],
)
def test_a_broken_lock_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: str, broken: str, fault: str
) -> None:
    text = check_locks.RUNTIME.read_text()
    assert ours in text
    file = tmp_path / "requirements.lock"
    file.write_text(text.replace(ours, broken, 1))
    monkeypatch.setattr(check_locks, "RUNTIME", file)

    assert fault in check_locks.problems()
