"""
Renew the lock files from pyproject.toml: `.venv/bin/python .ci/lock.py [--upgrade]`; needs the package registry.

Versions stay as they are unless pyproject.toml forces others or `--upgrade` is given. The first line of each lock says which
dependencies it was made from, so that `make check` can tell without a network whether it is up to date.
"""

import subprocess
import sys
from pathlib import Path

from check_locks import PROJECT, RUNTIME, TEST, first_line

COMPILE = ["uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--no-emit-index-url"]


def main(options: list[str]) -> None:
    """Write both locks: what runs the product, then everything, with the same versions."""
    for lock, more in ((RUNTIME, []), (TEST, ["-c", RUNTIME.name, "--group", "test"])):
        command = [str(Path(sys.executable).parent / COMPILE[0]), *COMPILE[1:], "--python-version", "3.11"]
        subprocess.run([*command, *more, *options, "pyproject.toml", "-o", lock.name], cwd=PROJECT, check=True)
        lock.write_text(f"{first_line()}\n{lock.read_text()}")


if __name__ == "__main__":
    main(sys.argv[1:])
