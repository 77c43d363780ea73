"""The shipped factor tables: whole, sourced, licensed, and the same bytes give the same hash."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.factors.pack import DIRECTORY, NoFactorTables, load_pack
from core.quantification.pack import FILE, pack_from_tables
from core.quantification.resolve import catalog_of

A = b"zone_id,year\nNA,2020\nDE,2021\n"
B = b"zone_id,year\nFR,2020\n"


RELEASED = "sha256:7d02a184c06e1e4b478934df7af881e7e0ae8b00d9ef758fcf9c85a1da183474"
"""Of wattledger-2027.01. Released tables never change: a new edition is a new file, a new name and a new hash."""


@pytest.fixture(scope="module")
def pack():
    return load_pack()


def test_stored_tables_read_back_as_the_same_pack(pack):
    again = pack_from_tables("stored", dict(reversed(list(pack.blobs.items()))))

    assert again == pack
    assert again.content_hash == pack.content_hash


def test_hash_sees_names_bytes_and_nothing_else():
    pack = pack_from_tables("x", {"a--1": A, "b--1": B})

    assert pack_from_tables("y", {"b--1": B, "a--1": A}).content_hash == pack.content_hash
    assert pack_from_tables("x", {"a--2": A, "b--1": B}).content_hash != pack.content_hash
    assert pack_from_tables("x", {"a--1": B, "b--1": A}).content_hash != pack.content_hash
    assert pack_from_tables("x", {"a--1": A.replace(b"\n", b"\r\n"), "b--1": B}).content_hash == pack.content_hash


def test_editions_of_a_table_are_read_as_one():
    pack = pack_from_tables("x", {"t--2": B, "t--1": A})

    assert pack.tables == ("t",)
    assert [(row[FILE], row["zone_id"]) for row in pack.rows("t")] == [("t--1", "NA"), ("t--1", "DE"), ("t--2", "FR")]
    assert pack.rows("unknown") == ()


def test_namibia_is_not_null():
    assert pack_from_tables("x", {"t--1": A}).frame("t")["zone_id"].tolist() == ["NA", "DE"]


def test_empty_folder_is_refused(tmp_path):
    with pytest.raises(NoFactorTables, match=re.escape(str(tmp_path))):
        load_pack(tmp_path)


def test_every_row_names_its_source_and_a_licence_that_lets_it_be_shipped(pack):
    rows = [row for table in pack.tables for row in pack.rows(table)]

    assert len(rows) > 10_000
    for row in rows:
        assert row["source"], row
        assert row["source_year"].isdigit(), row
        assert row["licence"], row
        assert row["unit"], row
        assert not re.search(r"ODbL|NonCommercial|\bNC\b|ShareAlike|BY-SA|no open licence", row["licence"]), row


def test_every_file_holds_one_edition_and_is_described():
    described = (DIRECTORY / "SOURCES.md").read_text(encoding="utf-8")
    files = sorted(DIRECTORY.glob("*.csv"))

    assert files
    for path in files:
        assert f"`{path.name}`" in described, f"{path.name} is missing in SOURCES.md"
        assert path.stem.count("--") == 1
        datasets = {row["dataset"] for row in pack_from_tables("x", {path.stem: path.read_bytes()}).rows(_table(path))}
        assert datasets == {path.stem.partition("--")[2]}


def _table(path: Path) -> str:
    return path.stem.partition("--")[0]


def test_one_choice_has_one_preferred_row(pack):
    keys = [
        (row["zone_id"], row["year"], row["boundary"])
        for row in pack.rows("grid_intensity_annual")
        if row["preferred"] == "True"
    ]

    assert len(keys) == len(set(keys)) > 0


def test_numbers_are_possible(pack):
    intensities = [float(row["g_per_kwh"]) for row in pack.rows("grid_intensity_annual")]
    pues = [float(row["value"]) for row in pack.rows("cloud_region_metrics") if row["metric"] == "pue"]

    assert min(intensities) >= 0
    assert max(intensities) < 2000
    assert pues
    assert min(pues) >= 1


def test_regions_lie_in_zones_that_have_factors(pack):
    zones = {row["zone_id"] for row in pack.rows("grid_intensity_annual")}

    assert {row["grid_zone_id"] for row in pack.rows("cloud_regions")} <= zones


def test_aliases_point_at_models_that_are_shipped(pack):
    models = {row["model_name"] for row in pack.rows("models")}

    assert {row["model_name"] for row in pack.rows("model_aliases")} <= models


@pytest.mark.parametrize(
    ("size", "accelerators", "hardware_id", "memory_gb"),
    [
        ("Standard_NC40ads_H100_v5", 1, "nvidia-h100-nvl-94gb", 94),
        ("Standard_NC80adis_H100_v5", 2, "nvidia-h100-nvl-94gb", 188),
        ("Standard_ND96isr_H100_v5", 8, "nvidia-h100-sxm5-80gb", 640),
        ("Standard_ND96isr_H200_v5", 8, "nvidia-h200-sxm-141gb", 1128),
        ("Standard_ND96isr_MI300X_v5", 8, "amd-mi300x", 1535),
    ],
)
def test_sizes_of_azure_have_the_accelerators_of_microsofts_tables(pack, size, accelerators, hardware_id, memory_gb):
    """Counts and memory as Microsoft Learn states them; the chip that the row names has that memory."""
    found = catalog_of(pack).instance(size.lower(), "azure")

    assert (found.first("accelerator_count"), found.first("hardware_id")) == (f"{accelerators}.0", hardware_id)
    chip = catalog_of(pack).hardware(found.first("accelerator_name")) or catalog_of(pack).hardware(hardware_id)
    each = {"nvidia-h100-nvl-94gb": 94, "nvidia-h100-sxm5-80gb": 80, "nvidia-h200-sxm-141gb": 141, "amd-mi300x": 192}
    assert accelerators * each[hardware_id] == pytest.approx(memory_gb, rel=0.001)
    assert float(found.first("accelerator_tdp_w_total")) == accelerators * chip.tdp_w


def test_calling_twice_reads_the_same(pack):
    assert load_pack() == pack


def test_released_tables_are_unchanged(pack):
    assert (pack.name, pack.content_hash) == ("wattledger-2027.01", RELEASED)
