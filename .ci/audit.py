"""`make audit`: ask the public databases for known vulnerabilities of every locked package; 1 when there is one, or no answer."""

import subprocess
import sys
import venv
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
TOOLS = PROJECT / "var" / "audit"  # its own environment: the auditor is no part of what it audits


def main() -> int:
    """Install the auditor when it is not there yet, and return its exit code."""
    python = TOOLS / "bin" / "python"
    if not python.exists():
        venv.create(TOOLS, with_pip=True, clear=True)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "pip-audit>=2.9,<3"]
    if subprocess.run(pip, check=False).returncode != 0:
        sys.stderr.write("pip-audit could not be installed; its message is above.\n")
        return 1
    audit = [python, "-m", "pip_audit", "--strict", "--disable-pip", "--require-hashes"]
    lock = ["--requirement", str(PROJECT / "requirements-test.lock")]
    return 1 if subprocess.run([*audit, *lock], check=False).returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
