"""Importing factors: folders, archives and single tables become sets, or are refused whole with every reason."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from core.factors import selectors
from core.factors.importing import NothingToImport, read_tables
from core.factors.models import FactorSet
from core.factors.sources import sources_of
from tests.factor_rows import DEFAULT, GRID, table

EDITION = "grid_intensity_annual--eea.csv"
EEA = GRID | {"dataset": "eea"}
SOURCES = table({"dataset": "theirs", "title": "Open mixes", "publisher": "Community", "licence": "CC BY 4.0"})


@pytest.fixture(autouse=True)
def _fresh_packs():
    selectors.pack_of.cache_clear()
    yield
    selectors.pack_of.cache_clear()


@pytest.fixture
def folder(tmp_path):
    """A folder with one table, and files that are none."""
    path = tmp_path / "tables"
    path.mkdir()
    (path / EDITION).write_bytes(table(EEA))
    (path / "README.md").write_text("About the tables.")
    return path


def run(*arguments: object) -> str:
    out = StringIO()
    call_command("factors", *map(str, arguments), stdout=out, stderr=out)
    return out.getvalue()


def refused(*arguments: object) -> str:
    out = StringIO()
    with pytest.raises(CommandError) as error:
        call_command("factors", *map(str, arguments), stdout=out, stderr=out)
    return f"{out.getvalue()}{error.value}"


def packed(folder, path):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, f"tables/{file.name}")
    else:
        with tarfile.open(path, "w:gz") as archive:
            archive.add(folder, "tables")
    return path


@pytest.mark.parametrize("kind", ["folder", "tables.zip", "tables.tar.gz"])
def test_a_folder_and_its_archives_become_the_same_set(db, folder, tmp_path, kind):
    path = folder if kind == "folder" else packed(folder, tmp_path / kind)

    said = run("import", path)

    assert "Factor set tables: loaded, 1 new table" in said
    assert selectors.pack_of(FactorSet.objects.get(name="tables").content_hash).tables == ("grid_intensity_annual",)
    assert "there already" in run("import", path)


def test_a_table_of_several_editions_is_split(tmp_path):
    (tmp_path / "grid_intensity_annual.csv").write_bytes(table(EEA, GRID | {"dataset": "ember", "preferred": "False"}))

    assert sorted(read_tables(tmp_path)) == ["grid_intensity_annual--eea", "grid_intensity_annual--ember"]


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_nothing_is_said_to_be_nothing(tmp_path, content):
    path = tmp_path / "tables.zip"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(NothingToImport):
        read_tables(path)


def test_an_empty_folder_and_a_broken_archive_are_refused(db, tmp_path, folder):
    assert "There is no factor table in" in refused("import", tmp_path)
    archive = packed(folder, tmp_path / "tables.tar.gz")
    archive.write_bytes(archive.read_bytes()[:80])
    assert "cannot be unpacked" in refused("import", archive)


def test_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("core.factors.importing.MOST_BYTES", 100)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("grid_intensity_annual--eea.csv", b"0" * 1000)

    with pytest.raises(NothingToImport, match="larger than"):
        read_tables(tmp_path / "bomb.zip")


def test_impossible_factors_are_refused_whole_with_every_reason(db, folder):
    (folder / EDITION).write_bytes(table(EEA | {"g_per_kwh": "-5"}, EEA | {"zone_id": "FR", "unit": ""}))
    (folder / "calc_defaults--ccf.csv").write_bytes(table(DEFAULT | {"dataset": "ccf", "value": "0.9", "low": ""}))

    before = FactorSet.objects.count()

    said = refused("import", folder)

    assert "calc_defaults--ccf, row 2, value: a PUE of 0.9 is below 1" in said
    assert "grid_intensity_annual--eea, row 2, g_per_kwh: -5 is negative" in said
    assert "grid_intensity_annual--eea, row 3, unit: no unit" in said
    assert "Nothing was imported: 3 faults, listed above." in said
    assert FactorSet.objects.count() == before


def test_one_table_is_a_new_edition_of_a_named_base(db, folder, tmp_path):
    run("import", folder, "--name", "base")
    path = tmp_path / "grid_intensity_annual--eea.csv"
    path.write_bytes(table(EEA | {"g_per_kwh": "300"}, EEA | {"zone_id": "FR", "g_per_kwh": "50"}))

    assert "One table is no set" in refused("import", path)
    run("import", path, "--base", "base", "--name", "following")

    (difference,) = json.loads(diff("base", "following", "--format", "json"))
    assert [row["zone_id"] for row in difference["added"]] == ["FR"]
    assert difference["removed"] == []
    (changed,) = difference["changed"]
    assert changed["key"] == {"zone_id": "DE", "year": "2025", "boundary": "direct"}
    assert changed["values"] == [{"column": "g_per_kwh", "old": "329.0", "new": "300", "percent": -8.81}]


def test_another_dataset_about_the_same_must_say_which_counts(db, folder, tmp_path):
    run("import", folder, "--name", "base")
    path = tmp_path / "grid_intensity_annual--ember-2026-10.csv"
    path.write_bytes(table(GRID | {"dataset": "ember-2026-10", "g_per_kwh": "300"}))

    assert "overlapping validity: DE 2025 direct" in refused("import", path, "--base", "base", "--name", "following")
    run("import", path, "--base", "base", "--name", "following", "--prefer")

    rows = selectors.pack_of(FactorSet.objects.get(name="following").content_hash).rows("grid_intensity_annual")
    assert {row["dataset"]: row["preferred"] for row in rows} == {"eea": "False", "ember-2026-10": "True"}
    before = selectors.pack_of(FactorSet.objects.get(name="base").content_hash).rows("grid_intensity_annual")
    assert [row["preferred"] for row in before] == ["True"]


def test_bytes_that_are_no_text_are_refused_on_top_of_a_base_too(db, folder, tmp_path):
    (folder / "sources.csv").write_bytes(SOURCES)
    run("import", folder, "--name", "base")
    path = tmp_path / "pack"
    path.mkdir()
    (path / EDITION).write_bytes(b"\xff\xfe")
    (path / "sources.csv").write_bytes(b"\xff\xfe")

    said = refused("import", path, "--base", "base", "--name", "following", "--prefer")

    assert "sources: is not UTF-8" in said
    assert "grid_intensity_annual--eea: is not UTF-8" in said


def test_sources_of_the_base_and_of_the_import_are_both_kept(db, folder, tmp_path):
    (folder / "sources.csv").write_bytes(SOURCES)
    run("import", folder, "--name", "base")
    path = tmp_path / "pack"
    path.mkdir()
    (path / "calc_defaults--more.csv").write_bytes(table(DEFAULT | {"dataset": "more"}))
    (path / "sources.csv").write_bytes(SOURCES.replace(b"theirs", b"more").replace(b"CC BY 4.0", b"ODbL 1.0"))

    run("import", path, "--base", "base", "--name", "following")

    pack = selectors.pack_of(FactorSet.objects.get(name="following").content_hash)
    licences = {name: source.licence for name, source in sources_of(pack).items() if name in {"theirs", "more"}}
    assert licences == {"theirs": "CC BY 4.0", "more": "ODbL 1.0"}


def test_share_alike_tables_are_added_by_hand_and_named(db, folder, tmp_path):
    run("import", folder, "--name", "base")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "grid_residual_mix--theirs.csv").write_bytes(
        table(
            {name: value for name, value in GRID.items() if name != "basis"}
            | {"dataset": "theirs", "licence": "ODbL 1.0", "source": "Open mixes"}
        )
    )
    (tmp_path / "pack" / "sources.csv").write_bytes(
        table({"dataset": "theirs", "title": "Open mixes", "publisher": "Community", "licence": "ODbL 1.0"})
    )

    said = run("import", tmp_path / "pack", "--base", "base", "--name", "with mixes")

    assert "licence: grid_residual_mix--theirs is share-alike: ODbL 1.0 (Open mixes)" in said
    (line,) = selectors.unusual_licences(FactorSet.objects.get(name="with mixes"))
    assert "ODbL" in line
    assert selectors.unusual_licences(FactorSet.objects.get(name="base")) == []


def test_sets_of_the_same_rows_do_not_differ(db, folder):
    run("import", folder, "--name", "base")

    assert run("diff", "base", "base") == ""


def test_a_difference_is_read_at_a_glance(db, folder):
    run("import", folder, "--name", "base")
    (folder / EDITION).write_bytes(
        table(EEA | {"g_per_kwh": "300", "source_year": "2025"}, EEA | {"zone_id": "FR", "g_per_kwh": "50"})
    )
    run("import", folder, "--name", "following")

    said = diff("base", "following").splitlines()

    assert said[0] == "grid_intensity_annual: 1 added, 0 removed, 1 changed"
    assert said[1] == "  ~ DE 2025 direct: g_per_kwh 329.0 -> 300 (-8.8 %)"
    assert said[2].startswith("  + grid_intensity_annual--eea: FR,")
    assert diff("base", "following", "--summary").splitlines() == said[:1]


def diff(*arguments: str) -> str:
    """Compare two sets that differ: the command says so by its exit."""
    out = io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("factors", "diff", *arguments, stdout=out)
    assert end.value.code == 1
    return out.getvalue()
