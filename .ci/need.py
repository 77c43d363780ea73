"""Make sure of a program, as in `need.py chromium`. As root it is installed with apt; else the line to type is told."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {  # program -> Debian package
    "chromium": "chromium",
    "pdftotext": "poppler-utils",
    "soffice": "libreoffice-calc",
    "xgettext": "gettext",
}
PLACES = {"chromium": ["chromium", "/usr/bin/chromium"]}
INSTALL_SECONDS = 1200


def main(program: str) -> None:
    """Return when the program is there; exit with what to do when it cannot be had."""
    if found(program):
        return
    package = PACKAGES[program]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"{program} is missing. Install it and run the same again: sudo apt-get install {package}")
    sys.stdout.write(f"Installing {package} with apt\n")
    sys.stdout.flush()
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", package]):
        done = subprocess.run(["apt-get", *command], env=environment, check=False, timeout=INSTALL_SECONDS)
        if done.returncode != 0:
            sys.exit(f"apt-get {' '.join(command)} failed; its message is above.")
    if not found(program):
        sys.exit(f"{package} is installed, but there is no program {program}.")


def found(program: str) -> bool:
    """Return whether the program is in PATH or in its usual place."""
    return any(shutil.which(place) or Path(place).is_file() for place in PLACES.get(program, [program]))


if __name__ == "__main__":
    main(sys.argv[1])
