"""The commands `emissions` and `explain`: options, formats and exit codes."""

from __future__ import annotations

import csv
import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from core.accounting import services

from .conftest import metered


@pytest.fixture
def figures(committed_db, organization, factor_set, write):
    write(
        metered(1, 10.0, energy_boundary="facility", team="=cmd()"),
        metered(2, 20.0, day="2026-08-04", energy_boundary="facility", team="search"),
    )
    services.derive_dirty_days(organization.id)


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, "--organization", "northwind", *arguments, stdout=out)
    return out.getvalue()


def test_emissions_as_json_of_the_contract(figures):
    answer = json.loads(run("emissions", "--period", "2026-Q3", "--by", "team", "--format", "json"))

    assert answer["filter"]["from"] == "2026-07-01"
    assert answer["filter"]["include"] == ["upstream", "embodied"]
    assert [row["team"] for row in answer["rows"]] == ["=cmd()", "search"]
    assert answer["rows"][1]["energy_facility_kwh"] == 20.0


def test_emissions_as_csv_cannot_run_in_a_spreadsheet(figures):
    rows = list(csv.DictReader(StringIO(run("emissions", "--period", "2026", "--by", "team", "--format", "csv"))))

    assert [row["team"] for row in rows] == ["'=cmd()", "search"]
    assert float(rows[0]["location_kg_co2e"]) == pytest.approx(3.29)


def test_emissions_as_a_table(figures):
    lines = run("emissions", "--from", "2026-08-01", "--to", "2026-08-31", "--include", "none").splitlines()

    assert "total_kg_co2e_low" in lines[0]
    assert "6.58" in lines[1]
    assert lines[-1].startswith("as of ")


def test_filters_repeat_and_have_both_spellings(figures):
    either = run("emissions", "--period", "2026", "--team", "search", "--team", "=cmd()", "--format", "json")
    none = run("emissions", "--period", "2026", "--instance-type", "p5.48xlarge", "--format", "json")

    assert json.loads(either)["rows"][0]["records"] == 2
    assert json.loads(none)["rows"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "2026-01-01"], "--from DATE --to DATE"),
        (["--period", "2026", "--to", "2026-01-01"], "in place of"),
        (["--period", "soon"], "is no period"),
        (["--period", "2026", "--by", "colour"], "--by: 'colour' is not one of"),
        (["--period", "2026", "--include", "scope3"], "--include: 'scope3' is not one of"),
        (["--period", "2026", "--grain", "hour"], "62 days"),
    ],
)
def test_usage_faults_end_with_2(figures, arguments, message):
    with pytest.raises(CommandError, match=message) as refused:
        run("emissions", *arguments)

    assert refused.value.returncode == 2


def test_an_unknown_organization_ends_with_1(committed_db):
    with pytest.raises(CommandError, match="no organization") as refused:
        call_command("emissions", "--organization", "nobody", "--period", "2026")

    assert refused.value.returncode == 1


def test_explain_prints_the_tree_of_a_figure_or_a_record(figures):
    text = run("explain", "--period", "2026", "--include", "none")
    tree = json.loads(run("explain", "--period", "2026", "--record", "meter-1", "--format", "json"))

    assert "30 kWh x 329 g CO2e/kWh x 0.001 = 9.87" in text or "x 329 g CO2e/kWh" in text
    assert tree["record_id"] == "meter-1"
    assert tree["records"] == 1


def test_explain_of_an_unknown_record_ends_with_1(figures):
    with pytest.raises(CommandError, match="no record 'nobody'") as refused:
        run("explain", "--period", "2026", "--record", "nobody")

    assert refused.value.returncode == 1
