"""Impossible factors are found, all at once, each with table, row, column and reason; the shipped tables have none."""

from __future__ import annotations

import pytest

from core.factors.sources import registered_sources
from core.quantification.factor_checks import Fault, faults_of
from core.quantification.factor_tables import TABLES
from core.quantification.pack import pack_from_tables
from tests.factor_rows import DEFAULT, GRID, METRIC, REGION, table


def found(**tables: bytes) -> list[Fault]:
    named = {f"{name}--new": content for name, content in tables.items()}
    return faults_of(named, known_datasets={"new"}, this_year=2026)


def places(faults: list[Fault]) -> list[tuple[str, int | None, str | None]]:
    return [(fault.table, fault.row, fault.column) for fault in faults]


def test_the_shipped_tables_have_no_fault(pack):
    faults = faults_of(pack.blobs, known_datasets=set(registered_sources()), this_year=2026)

    assert [fault for fault in faults if not fault.warning] == []
    assert {fault.column for fault in faults} == {"hardware_id"}  # hardware that waits for somebody to read its source
    assert {name.partition("--")[0] for name in pack.blobs} <= set(TABLES)


def test_a_possible_table_has_no_fault():
    assert found(grid_intensity_annual=table(GRID), calc_defaults=table(DEFAULT)) == []


@pytest.mark.parametrize(
    ("change", "column", "reason"),
    [
        ({"g_per_kwh": "-36.4"}, "g_per_kwh", "-36.4 is negative, which is impossible here"),
        ({"g_per_kwh": "329000"}, "g_per_kwh", "329000 is above 2000: another unit?"),
        ({"g_per_kwh": "0,329"}, "g_per_kwh", "'0,329' is no number"),
        ({"g_per_kwh": "nan"}, "g_per_kwh", "'nan' is no number"),
        ({"g_per_kwh": "1e999"}, "g_per_kwh", "'1e999' is no number"),
        ({"unit": ""}, "unit", "no unit"),
        ({"unit": "kgCO2e/kWh"}, "unit", "is 'kgCO2e/kWh'; numbers here are read in gCO2e/kWh or gCO2/kWh"),
        ({"gas_basis": "CO2"}, "gas_basis", "is 'CO2', the unit says CO2e"),
        ({"licence": ""}, "licence", "no licence"),
        ({"source": ""}, "source", "no source"),
        ({"source_year": "2027"}, "source_year", "2027 is in the future: nothing can be published about it yet"),
        ({"year": "2027"}, "year", "2027 is in the future: nothing can be published about it yet"),
        ({"year": "25"}, "year", "25 is below 1990"),
        ({"preferred": "yes"}, "preferred", "is 'yes', not True or False"),
        (
            {"verification": "sure"},
            "verification",
            "is 'sure', not one of verified, transcribed, compiler mapping, unverified",
        ),
        ({"zone_id": ""}, "zone_id", "is empty"),
        ({"dataset": "other"}, "dataset", "is 'other', the table's name says 'new'"),
    ],
)
def test_an_impossible_row_is_named_with_its_column_and_reason(change, column, reason):
    faults = found(grid_intensity_annual=table(GRID | {"zone_id": "FR"}, GRID | change))

    assert (faults[0].table, faults[0].row, faults[0].column) == ("grid_intensity_annual--new", 3, column)
    assert reason in {fault.reason for fault in faults}


@pytest.mark.parametrize(
    ("rows", "column", "reason"),
    [
        ({"value": "0.98"}, "value", "a PUE of 0.98 is below 1: a facility cannot use less than its IT"),
        ({"value": "110", "metric": "wue", "unit": "L/kWh"}, "value", "wue of 110 is outside 0 to 100"),
        ({"value": "1.1", "unit": "L/kWh"}, "unit", "is 'L/kWh'; pue is read in ratio"),
        ({"metric": "cfe_annual", "value": "64", "unit": "fraction"}, "value", "cfe_annual of 64 is outside 0 to 1"),
        ({"region_code": "mars-1"}, "region_code", "'aws mars-1' is not in cloud_regions"),
    ],
)
def test_metrics_are_checked_by_what_they_mean(rows, column, reason):
    faults = found(
        grid_intensity_annual=table(GRID), cloud_regions=table(REGION), cloud_region_metrics=table(METRIC | rows)
    )

    assert [(fault.column, fault.reason) for fault in faults] == [(column, reason)]


def test_a_high_pue_is_a_warning_only():
    (warning,) = found(
        grid_intensity_annual=table(GRID),
        cloud_regions=table(REGION),
        cloud_region_metrics=table(METRIC | {"value": "2.7"}),
    )

    assert warning.warning
    assert str(warning) == "cloud_region_metrics--new, row 2, value: a PUE of 2.7 is above 2.5"


@pytest.mark.parametrize(
    ("change", "column", "reason"),
    [
        ({"low": "1.6"}, "low", "low 1.6 is above value 1.58"),
        ({"high": "1.5"}, "value", "value 1.58 is above high 1.5"),
        ({"low": "0.9"}, "low", "a PUE of 0.9 is below 1: a facility cannot use less than its IT"),
    ],
)
def test_bounds_lie_around_their_value(change, column, reason):
    assert [(fault.column, fault.reason) for fault in found(calc_defaults=table(DEFAULT | change))] == [
        (column, reason)
    ]


def test_two_preferred_rows_of_one_choice_overlap():
    tables = {
        "grid_intensity_annual--new": table(GRID),
        "grid_intensity_annual--old": table(GRID | {"dataset": "old", "g_per_kwh": "331"}),
    }

    (fault,) = faults_of(tables, known_datasets={"new", "old"}, this_year=2026)

    assert fault.reason == ("overlapping validity: DE 2025 direct is preferred in grid_intensity_annual--new row 2 too")
    tables["grid_intensity_annual--old"] = table(GRID | {"dataset": "old", "preferred": "False"})
    assert faults_of(tables, known_datasets={"new", "old"}, this_year=2026) == []


def test_the_same_row_twice_is_refused():
    (fault,) = found(grid_intensity_annual=table(GRID, GRID))

    assert (fault.row, fault.column) == (3, None)
    assert "is there twice" in fault.reason


def test_an_unknown_source_is_refused_until_it_is_told():
    sources = table({"dataset": "theirs", "title": "Factors", "publisher": "Ministry", "licence": "CC BY 4.0"})
    tables = {"grid_intensity_annual--theirs": table(GRID | {"dataset": "theirs"})}

    (fault,) = faults_of(tables, known_datasets={"new"}, this_year=2026)

    assert (fault.column, fault.reason) == ("dataset", "unknown source: 'theirs' is in no table of sources")
    assert faults_of(tables | {"sources": sources}, known_datasets={"new"}, this_year=2026) == []


def test_a_source_without_licence_is_refused():
    sources = table({"dataset": "theirs", "title": "Factors", "publisher": "Ministry", "licence": ""})

    faults = faults_of({"sources": sources}, known_datasets=set(), this_year=2026)

    assert places(faults) == [("sources", 2, "licence")]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("grid_intensity_annual--new", b"\xff\xfe\x00", "is not UTF-8: byte 0 cannot be read"),
        ("grid_intensity_annual--new", table(GRID).splitlines(keepends=True)[0], "has no rows"),
        ("grid_intensity_annual--new", b"", "has no rows"),
        ("grid_intensity_annual--new", table(GRID | {"colour": "green"}), "there is no such column in this table"),
        ("weather--new", b"a,b\n1,2\n", "there is no table 'weather'"),
        ("grid_intensity_annual", table(GRID), "a table is called <table>--<dataset>"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(name, content, reason):
    (fault,) = faults_of({name: content}, known_datasets={"new"}, this_year=2026)

    assert fault.row is None
    assert reason in fault.reason


def test_a_missing_column_and_a_short_row_are_named():
    without = {column: value for column, value in GRID.items() if column != "unit"}

    assert places(found(grid_intensity_annual=table(without))) == [("grid_intensity_annual--new", None, "unit")]
    short = table(GRID) + b"FR,country\n"
    assert [str(fault) for fault in found(grid_intensity_annual=short)] == [
        "grid_intensity_annual--new, row 3: has 2 fields, the header 19"
    ]


def test_every_fault_is_told_at_once():
    bad = table(GRID | {"g_per_kwh": "-1", "unit": "", "licence": ""}, GRID | {"zone_id": "FR", "year": "2031"})

    faults = found(grid_intensity_annual=bad, calc_defaults=table(DEFAULT | {"value": "0.5"}))

    assert places(faults) == [
        ("calc_defaults--new", 2, "low"),
        ("calc_defaults--new", 2, "value"),
        ("grid_intensity_annual--new", 2, "g_per_kwh"),
        ("grid_intensity_annual--new", 2, "licence"),
        ("grid_intensity_annual--new", 2, "unit"),
        ("grid_intensity_annual--new", 3, "year"),
    ]


def test_no_figure_uses_a_row_that_nobody_has_verified(one):
    unread = pack_from_tables("x", {"grid_intensity_annual--new": table(GRID | {"verification": "unverified"})})
    read = pack_from_tables("y", {"grid_intensity_annual--new": table(GRID)})
    metered = {"zone": "DE", "energy_kwh": 10.0, "energy_boundary": "it"}

    assert unread.rows("grid_intensity_annual") == ()
    assert len(unread.every_row("grid_intensity_annual")) == 1
    assert "no_grid_factor" in one(within=unread, factors={"pue": 1.0}, **metered).plan.notes
    assert one(within=read, factors={"pue": 1.0}, **metered)["location_kg_co2e"] == pytest.approx(3.29)


def test_the_optional_table_answers_balancing_zones_where_a_set_holds_it(one):
    zone = {
        "zone_id": "EM:US-CAL-CISO",
        "em_zone": "US-CAL-CISO",
        "country_alpha2": "US",
        "country_alpha3": "USA",
        "zone_name": "CAISO",
        "country_level": "False",
        "year": "2025",
        "g_per_kwh": "200",
        "unit": "gCO2e/kWh",
        "renewable_pct": "50",
        "carbon_free_pct": "60",
        "boundary": "lifecycle",
        "basis": "consumption (flow-traced)",
        "scope2_method": "location",
        "dataset": "new",
        "source": "Electricity Maps",
        "source_year": "2026",
        "licence": "ODbL 1.0",
        "verification": "verified",
    }
    tables = {"grid_intensity_annual--new": table(GRID), "grid_intensity_electricitymaps_odbl--new": table(zone)}
    held = pack_from_tables("x", tables)

    metered = one(
        within=held, zone="US-CAL-CISO", energy_kwh=10.0, energy_boundary="it", factors={"pue": 1.0}, year=2026
    )

    assert faults_of(tables, known_datasets={"new"}, this_year=2026) == []
    assert metered["location_kg_co2e"] == pytest.approx(2.0)  # 10 kWh x 200 g
    assert metered.factor("grid_location")["match"] == "exact"
