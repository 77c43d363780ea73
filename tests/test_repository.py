"""The repository tests itself: rules that nobody has to remember."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from core import locks

ROOT = Path(__file__).resolve().parents[1]


def tracked(*patterns):
    """Files under version control (or about to be), as paths from the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(line) for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_every_source_has_a_test_a_page_and_payloads():
    sources = [
        path.stem
        for path in (ROOT / "ingestion/sources").glob("*.py")
        if "\nNAME" in path.read_text() or path.read_text().startswith("NAME")
    ]

    assert len(sources) >= 5
    pages = " ".join(path.read_text() for path in (ROOT / "docs/sources").glob("*.md"))
    tests = " ".join(path.read_text() for path in (ROOT / "tests/ingestion/sources").glob("test_*.py"))
    for source in sources:
        assert f"`{source}`" in pages, f"docs/sources says nothing of {source}"
        assert source in tests, f"no test of {source}"


def test_every_factor_file_has_its_source_written_down():
    files = sorted(path.name for path in (ROOT / "core/factors/data").rglob("*.csv*"))
    sources = (ROOT / "core/factors/data/SOURCES.md").read_text()

    assert len(files) >= 10
    assert [name for name in files if name not in sources] == []


def test_decisions_are_numbered_without_gaps():
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs/adr").glob("*.md"))

    assert numbers
    assert numbers == list(range(1, len(numbers) + 1))


def test_lock_files_pin_by_hash_and_name_no_host():
    for name in ("requirements.lock", "requirements-test.lock"):
        lock = (ROOT / name).read_text()
        pins = re.findall(r"(?m)^[a-z0-9][\w.-]*==", lock)

        assert len(pins) > 20
        assert len(re.findall(r"(?m)^ +# via|--hash=sha256", lock)) > len(pins)
        assert not re.search(r"(?m)https?://|^-", lock)  # every option of pip begins its line with a dash


def test_the_runtime_lock_is_part_of_the_test_lock():
    runtime, everything = (
        set(re.findall(r"(?m)^([a-z0-9][\w.-]*==\S+)", (ROOT / name).read_text()))
        for name in ("requirements.lock", "requirements-test.lock")
    )

    assert runtime - everything == set()


def test_modules_stay_of_a_size_to_read():
    sizes = {
        path: len((ROOT / path).read_text().splitlines()) for path in tracked("*.py") if "migrations" not in path.parts
    }

    assert len(sizes) > 50
    assert {str(path): size for path, size in sizes.items() if size > 500} == {}


def test_no_module_is_named_for_nothing():
    names = {path.stem for path in tracked("*.py")}

    assert "conftest" in names
    assert names & {"utils", "util", "helpers", "misc", "common"} == set()


@pytest.mark.parametrize("mark", ["TODO", "FIXME", "XXX"])
def test_no_loose_ends(mark):
    files = [path for path in tracked("*.py", "*.html", "*.js", "*.css") if "vendor" not in path.parts]

    assert len(files) > 50
    found = [
        str(path)
        for path in files
        if path != Path("tests/test_repository.py") and re.search(rf"\b{mark}\b", (ROOT / path).read_text())
    ]
    assert found == []


def test_templates_hold_no_inline_script_or_style():
    templates = tracked("templates/*.html", "templates/**/*.html")

    assert len(templates) > 5
    for path in templates:
        text = (ROOT / path).read_text()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|<script(?![^>]*\bsrc=)(?![^>]*application/json)", text), (
            path
        )


def test_every_environment_variable_is_documented():
    read = set()
    for path in (ROOT / "core/settings").glob("*.py"):
        read |= set(re.findall(r"(?:boolean|integer|text)\(\s*\"([A-Z_]+)\"", path.read_text()))
    documented = (ROOT / "docs/settings.md").read_text()

    assert len(read) > 10
    assert sorted(name for name in read if f"`{name}`" not in documented) == []


def test_the_pages_that_the_product_shows_are_in_its_image():
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    pages = tracked("docs/methodology/*.md")

    def fits(path, pattern):
        anywhere = pattern.startswith("**/")
        return path.match(pattern) and (anywhere or len(path.parts) == len(Path(pattern).parts))

    def left_out(path):
        """The last pattern that fits the file or a folder above it decides, as in a container build."""
        here = [path, *path.parents[:-1]]
        fitting = [each for each in patterns if any(fits(one, each.removeprefix("!")) for one in here)]
        return bool(fitting) and not fitting[-1].startswith("!")

    assert len(pages) > 25
    assert [str(path) for path in pages if left_out(path)] == []
    assert left_out(Path("docs/adr/0001-derive-emissions-from-activity.md"))
    assert left_out(Path("tests/test_repository.py"))


def test_the_version_is_said_once_more_only_in_settings():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert f'VERSION = "{project["version"]}"' in (ROOT / "core/settings/__init__.py").read_text()


def test_keys_of_advisory_locks_stand_in_one_module_and_differ():
    keys = {name: key for name, key in vars(locks).items() if name.endswith("_LOCK")}
    elsewhere = [
        f"{path}: {found}"
        for path in tracked("core/*.py", "ingestion/*.py", "reporting/*.py")
        if path != Path("core/locks.py")
        for found in re.findall(r"(?m)^\w+_LOCK\b.*= *\(?\s*0x\w+", (ROOT / path).read_text())
    ]

    assert len(keys) > 10
    assert len(set(keys.values())) == len(keys)
    assert elsewhere == []
