"""
`make check`: everything that can be said about the project without running its tests. Every check runs, then the verdict.

With `--fix`, what can be put right by a program is.
"""

import difflib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import check_compose
import check_locks

PROJECT = Path(__file__).resolve().parents[1]
OPENAPI = PROJECT / "docs" / "openapi.yaml"
PACKAGES = ["core", "ingestion", "reporting"]
# no server is asked: these checks read code, and must pass before anything was started
ENVIRONMENT = {
    **os.environ,
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SECRET_KEY": "only-for-checks",
    "PYTHONWARNINGS": "ignore:Got an error checking a consistent migration history:RuntimeWarning",
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
}

Check = Callable[[], str]  # returns what is wrong, nothing when all is well


def command(*arguments: str) -> Check:
    """Make a check of a command: its output is what is wrong when it fails."""

    def run() -> str:
        done = subprocess.run(
            arguments, cwd=PROJECT, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=900
        )
        return (done.stdout + done.stderr).strip() or "failed" if done.returncode else ""

    return run


def python(*arguments: str) -> Check:
    """Make a check of a command that runs in this Python."""
    return command(sys.executable, *arguments)


def openapi() -> str:
    """Return how docs/openapi.yaml differs from what the code says."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "openapi.yaml"
        problem = python("manage.py", "spectacular", "--validate", "--fail-on-warn", "--file", str(made))()
        if problem:
            return problem
        new = made.read_text().splitlines()
    old = OPENAPI.read_text().splitlines() if OPENAPI.exists() else []
    difference = list(difflib.unified_diff(old, new, "docs/openapi.yaml", "what the code says", lineterm="", n=1))
    return "\n".join([*difference[:40], "`make fix` renews it"]) if difference else ""


CHECKS: dict[str, Check] = {
    "ruff": command("ruff", "check", "--quiet", "."),
    "format": command("ruff", "format", "--check", "--quiet", "."),
    "mypy": command("mypy", *PACKAGES),
    "imports": command("lint-imports", "--no-cache"),
    "templates": command("djlint", "templates", "--check", "--quiet"),
    "migrations": python("manage.py", "makemigrations", "--check", "--dry-run"),
    "OpenAPI schema": openapi,
    "lock files": check_locks.problems,
    "container files": check_compose.problems,
}

FIXES: dict[str, Check] = {
    "ruff": command("ruff", "check", "--fix", "."),
    "format": command("ruff", "format", "."),
    "templates": command("djlint", "templates", "--reformat", "--quiet"),
    "OpenAPI schema": python("manage.py", "spectacular", "--file", str(OPENAPI)),
}


def main(checks: dict[str, Check]) -> int:
    """Run all checks and return the number of those that found something."""
    failed = 0
    for name, check in checks.items():
        begun = time.monotonic()
        problem = check()
        failed += bool(problem)
        verdict = "FAILED" if problem else "ok"
        sys.stdout.write(f"{name:18}{verdict:8}{time.monotonic() - begun:5.1f} s\n")
        if problem:
            sys.stdout.write("".join(f"    {line}\n" for line in problem.splitlines()))
        sys.stdout.flush()
    return failed


if __name__ == "__main__":
    sys.exit(1 if main(FIXES if "--fix" in sys.argv[1:] else CHECKS) else 0)
