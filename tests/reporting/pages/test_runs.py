"""Training runs: a list that leaves nothing out, a run closer, and some side by side."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, date, datetime

import pytest
import yaml

from core.accounting.figures import Filter
from core.accounting.selectors import current_view, emissions
from core.organizations.models import Role
from core.organizations.tenancy import organization_scope
from reporting.pages import run_list
from reporting.selectors.run_detail import elsewhere_of, power_of
from reporting.selectors.run_list import runs_of
from reporting.selectors.runs import run_of
from tests.deliver import deliver, metered
from tests.people import sign_in

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]
JULY = {"period": "2026-07"}
DE_KG_PER_KWH = 0.329 + 0.0346  # Germany: EEA 2023, and upstream by Ember 2026
HOSTILE = '<script>alert("run")</script>'


def hour(name, at, kwh, **fields):
    return metered(
        name,
        kwh,
        started_at=f"2026-07-15T{at:02}:00:00Z",
        ended_at=f"2026-07-15T{at + 1:02}:00:00Z",
        **{"stage": "training", **fields},
    )


@pytest.fixture
def runs(organization):
    """Two runs of one project: the larger one of two stages, one of them failed; and one of another team."""
    held = {"device_hours": 4.0, "hardware": "nvidia-h100-sxm", "project": "atlas", "team": "search"}
    deliver(
        organization,
        [
            hour("a1", 8, 30.0, run="big", model="atlas", **held | {"device_utilization": 0.9}),
            hour("a2", 9, 10.0, run="big", model="atlas", **held | {"device_utilization": 0.5, "stage": "evaluation"}),
            hour("b1", 8, 5.0, run="small", labels={"status": "FAILED"}, **held),
            hour("c1", 8, 1.0, run=HOSTILE, team="vision"),
            hour("d1", 8, 100.0, team="search"),  # of no run
        ],
    )


def listed(organization, **dims):
    asked = Filter(date(2026, 7, 1), date(2026, 7, 31), dims=dims)
    with organization_scope(organization.id):
        return runs_of(organization.id, current_view(organization.id), asked, now=datetime(2026, 8, 1, tzinfo=UTC))


def test_the_list_has_every_run_with_what_it_used(organization, runs):
    big, small, other = listed(organization)

    assert [big.name, small.name, other.name] == ["big", "small", HOSTILE]
    assert big.facility_kwh == pytest.approx(40.0)
    assert big.device_hours == pytest.approx(8.0)
    assert big.utilization == pytest.approx((4 * 0.9 + 4 * 0.5) / 8)  # weighed by device-hours
    assert big.grid_g_per_kwh == pytest.approx(329.0, rel=1e-3)
    assert big.seconds == 7200
    assert (big.experiment, other.experiment) == ("atlas", "")
    assert small.utilization is None
    assert other.kg == pytest.approx(1.0 * DE_KG_PER_KWH)


def test_the_list_says_what_the_command_says(organization, runs):
    asked = Filter(date(2026, 7, 1), date(2026, 7, 31), by=("run",))
    with organization_scope(organization.id):
        rows = emissions(organization.id, asked).rows
    said = {row["run"]: row["total_kg_co2e"] for _, row in rows.iterrows()}

    assert {row.name: row.kg for row in listed(organization)} == {
        name: pytest.approx(kg) for name, kg in said.items() if isinstance(name, str)
    }


def test_failed_runs_are_counted_in_and_said(client, organization, runs):
    small = next(row for row in listed(organization) if row.name == "small")
    whole = sum(row.kg for row in listed(organization))

    page = sign_in(client, organization).get("/runs/", JULY).content.decode()

    assert small.status == "failed"
    assert "1 of 3" in page
    assert f"{small.kg / whole:.0%}".replace("%", "\u202f%") in page
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_a_file_of_the_list_holds_full_precision(client, organization, runs):
    response = sign_in(client, organization).get("/runs/", JULY | {"format": "csv"})

    rows = {row["run"]: row for row in csv.DictReader(io.StringIO(response.content.decode()))}
    assert float(rows["big"]["energy_facility_kwh"]) == pytest.approx(40.0, rel=1e-12)
    assert float(rows[HOSTILE]["total_kg_co2e"]) == pytest.approx(DE_KG_PER_KWH, rel=1e-3)


@pytest.mark.parametrize(("role", "team"), [(Role.MEMBER, "vision"), (Role.TEAM_LEAD, "vision")])
def test_who_sees_the_own_team_sees_its_runs_only(client, organization, runs, role, team):
    page = sign_in(client, organization, role, team)

    shown = page.get("/runs/", JULY).content.decode()

    assert "/runs/big/" not in shown
    assert "&lt;script&gt;" in shown
    assert page.get("/runs/", {"tab": "compare", "run": ["big", "small"]}).status_code == 404


def test_a_run_s_power_holds_through_each_hour(organization, runs):
    with organization_scope(organization.id):
        view = current_view(organization.id)
        power = power_of(organization.id, view, run_of(organization.id, "big", {}).filter)

    assert power["value"].tolist() == pytest.approx([30.0, 10.0])  # kWh in an hour are kW
    assert [at.hour for at in power["starts_at"]] == [8, 9]


def test_another_grid_gives_what_a_run_there_gives(organization, other_organization, runs):
    deliver(
        other_organization, [hour("x", 8, 5.0, run="there", zone="FR", device_hours=4.0, hardware="nvidia-h100-sxm")]
    )
    with organization_scope(other_organization.id):
        there = run_of(other_organization.id, "there", {}).figures["total_kg_co2e"]

    with organization_scope(organization.id):
        found = run_of(organization.id, "small", {})
        rows = elsewhere_of(organization.id, current_view(organization.id), found.filter, ["DE"])
    kg = {row.zone: row.kg.value for row in rows}

    assert kg["FR"] == pytest.approx(there)
    assert kg["DE"] == pytest.approx(found.figures["total_kg_co2e"])
    assert kg["FR"] < kg["DE"] < kg["PL"]


def test_the_page_of_a_run_shows_phases_power_and_other_grids(client, organization, runs):
    page = sign_in(client, organization).get("/runs/big/").content.decode()

    assert "Its phases" in page
    assert "Evaluation" in page
    assert "Power peaks at 30.0\u202fkW on 15 Jul 2026 08:00, 1.5 times the mean" in page
    assert re.search(r"<strong>DE</strong>\s+its own", page)
    assert "no hourly factors" in page


def test_a_run_as_a_model_card_and_as_a_boamps_report(client, organization, runs):
    page = sign_in(client, organization)

    card = page.get("/runs/big/", {"format": "model-card"}).content.decode()
    report = json.loads(page.get("/runs/big/", {"format": "boamps"}).content)

    said = yaml.safe_load(card.split("---")[1])["co2_eq_emissions"]
    assert said["emissions"] == pytest.approx(40.0 * 329.0, rel=1e-3)  # g, electricity alone
    assert said["hardware_used"].startswith("4 x")  # 8 device-hours in 2 h
    assert said["geographical_location"] == "DE"
    assert report["measures"][0]["measurementDuration"] == 7200
    assert report["infrastructure"]["infraType"] == "onPremise"
    assert report["infrastructure"]["components"][0]["nbComponent"] == 4
    assert report["environment"]["powerSourceCarbonIntensity"] == pytest.approx(329.0, rel=1e-3)


def test_runs_stand_side_by_side_by_progress(client, organization, runs):
    page = sign_in(client, organization)

    compared = page.get("/runs/", {"tab": "compare", "run": ["big", "small", "never", "big"]}).content.decode()
    alone = page.get("/runs/", {"tab": "compare", "run": "big"}).content.decode()

    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", compared))
    assert "small emitted least" in text  # 5 against 40 kWh: the ranges are far apart
    assert "50 % 30.0" in text  # the first hour of the larger one
    assert "Choose two to four runs" in alone
    assert page.get("/runs/", {"tab": "compare", "run": "never"}).status_code == 404


def test_a_long_experiment_is_cut_and_its_rest_said(client, organization, runs, monkeypatch):
    monkeypatch.setattr(run_list, "SHOWN_RUNS", 1)
    page = sign_in(client, organization)

    cut = page.get("/runs/", JULY).content.decode()
    every = page.get("/runs/", JULY | {"tab": "all"}).content.decode()

    assert "1 more run" in cut
    assert 'href="/runs/small/"' not in cut
    assert 'href="/runs/small/"' in every


def test_the_pages_take_few_questions(client, organization, runs, django_assert_max_num_queries):
    page = sign_in(client, organization)
    page.get("/runs/", JULY)

    with django_assert_max_num_queries(35):
        page.get("/runs/", JULY)
    with django_assert_max_num_queries(40):
        page.get("/runs/big/")
