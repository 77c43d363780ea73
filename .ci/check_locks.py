"""Check, without a network, that the lock files are whole and belong to the dependencies of pyproject.toml."""

import hashlib
import json
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[1]
RUNTIME = PROJECT / "requirements.lock"
TEST = PROJECT / "requirements-test.lock"
ENTRY = re.compile(
    r"^([A-Za-z0-9._-]+)==(\S+)(?: ; .+?)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


def first_line() -> str:
    """Return the line that a lock begins with: a hash of the dependency tables that it was made from."""
    tables = _tables()
    digest = hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()
    return f"# from the dependencies of pyproject.toml, sha256:{digest}; renewed by .ci/lock.py"


def problems() -> str:
    """Return what is wrong with the locks, nothing when all is well."""
    tables = _tables()
    everything = [*tables["dependencies"], *tables["test"]]
    found = [*_faults(RUNTIME, tables["dependencies"]), *_faults(TEST, everything)]
    other = {name: version for name, version in pins(RUNTIME).items() if pins(TEST).get(name) != version}
    found += [f"{TEST.name}: {name} is not {version} as in {RUNTIME.name}" for name, version in other.items()]
    return "\n".join(found)


def pins(lock: Path) -> dict[str, str]:
    """Return package -> version; a package that is locked twice for two Pythons shows its last version."""
    return {canonicalize_name(name): version for name, version, _hashes in ENTRY.findall(lock.read_text())}


def _tables() -> dict[str, list[str]]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    return {"dependencies": project["project"]["dependencies"], "test": project["dependency-groups"]["test"]}


def _faults(lock: Path, requirements: list[str]) -> list[str]:
    text = lock.read_text()
    locked = pins(lock)
    found = []
    if not text.startswith(f"{first_line()}\n"):
        found.append(f"{lock.name}: made from other dependencies than pyproject.toml has now; .ci/lock.py renews it")
    if len(ENTRY.findall(text)) != len(re.findall(r"^[^ #\n]", text, re.MULTILINE)) or not locked:
        found.append(f"{lock.name}: a line is no package with a version and hashes")
    if re.search(r"https?://|^-", text, re.MULTILINE):  # every option of pip begins its line with a dash
        found.append(f"{lock.name}: names an address; packages come from wherever pip is set up to look")
    for requirement in map(Requirement, requirements):
        version = locked.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{lock.name}: {requirement} is not satisfied by {version}")
    return found
