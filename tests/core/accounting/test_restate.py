"""A new factor set or methodology is rehearsed, explained step by step, and switched to on purpose."""

from __future__ import annotations

import json
import queue
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from core.accounting import services
from core.accounting.figures import Filter
from core.accounting.selectors import current_view
from core.accounting.services import restatement
from core.factors.pack import load_pack
from core.factors.services import load_factor_set
from core.organizations.models import AuditEvent
from core.organizations.tenancy import organization_scope
from core.quantification import methods
from core.quantification.pack import pack_from_tables

from .conftest import call, metered
from .test_concurrency import end_session, in_thread
from .test_derive import daily, table
from .test_views import current_kg, dirtier_germany

__all__ = ["dirtier_germany"]

JULY = Filter(date(2026, 7, 1), date(2026, 7, 31), include=())


@pytest.fixture
def figures(committed_db, organization, dirtier_germany, write):
    write(metered(1, 10.0, energy_boundary="device"), metered(2, 5.0, day="2026-08-05", energy_boundary="facility"))
    services.derive_dirty_days(organization.id)
    return dirtier_germany


@pytest.fixture
def warmer_hosts(monkeypatch):
    """A methodology in which a host takes 2.7 times its accelerators' energy instead of 1.35 times."""
    changed = replace(methods.METHODOLOGIES[methods.LATEST], version="test", host_factor=(2.7, 2.3, 3.6))
    monkeypatch.setitem(methods.METHODOLOGIES, "test", changed)


def test_a_rehearsal_tells_the_difference_and_leaves_nothing(organization, figures):
    restated = services.restate(organization_id=organization.id, asked=JULY, factor_set=figures.name)

    # the same energy, 400 instead of 329 g/kWh
    assert restated.new["location_kg_co2e"] / restated.old["location_kg_co2e"] == pytest.approx(400 / 329)
    assert [step.name for step in restated.steps] == ["correction", "activity", "coverage", "method", "factor"]
    *same, step = restated.steps
    assert all(not any(each.change.values()) for each in same)
    assert restated.old["total_kg_co2e"] + step.change["total_kg_co2e"] == pytest.approx(restated.new["total_kg_co2e"])
    assert step.change["energy_facility_kwh"] == 0
    assert daily(organization)["view_id"].nunique() == 1
    assert sorted(table(organization, "select state from accounting_view")["state"]) == ["current", "retired"]


def test_a_rehearsal_of_a_month_covers_it_as_the_year_does(organization, figures):
    go = {"type": "contract", "energy_kwh": "9", "intensity_g_per_kwh": "0", "market": "DE", "vintage": "2026"}
    services.add_instruments(organization_id=organization.id, given=[go], today=date(2026, 11, 25))
    services.derive_dirty_days(organization.id)

    restated = services.restate(organization_id=organization.id, asked=JULY, factor_set=figures.name)

    # The year has 10 x 1.35 x 1.58 + 5 = 26.33 kWh, of which 9 are covered: in July as in August.
    uncovered_kwh = 21.33 * (1 - 9 / 26.33)
    assert restated.old["market_kg_co2e"] == pytest.approx(uncovered_kwh * 0.329)
    assert restated.new["market_kg_co2e"] == pytest.approx(uncovered_kwh * 0.4)


def test_method_and_factors_are_told_apart(organization, figures, warmer_hosts):
    restated = services.restate(
        organization_id=organization.id, asked=JULY, factor_set=figures.name, methodology="test"
    )

    # twice the energy, then 400 instead of 329 g/kWh
    *_, method, factor = restated.steps
    old = restated.old["location_kg_co2e"]
    assert (method.name, factor.name) == ("method", "factor")
    assert method.change["location_kg_co2e"] == pytest.approx(old)
    assert factor.change["location_kg_co2e"] == pytest.approx(2 * old * (400 / 329 - 1))
    assert factor.change["energy_it_kwh"] == 0
    assert daily(organization)["view_id"].nunique() == 1


def test_applied_it_holds_every_day_and_is_audited(organization, figures):
    before = current_kg(organization)

    services.restate(
        organization_id=organization.id, asked=JULY, factor_set=figures.name, apply=True, reason="edition 2"
    )

    assert current_kg(organization) == pytest.approx(before * 400 / 329)
    with organization_scope(organization.id):
        event = AuditEvent.objects.get(organization_id=organization.id, action="switch_view")
    assert event.reason == "edition 2"


def test_a_restatement_that_fails_leaves_the_figures_as_they_were(organization, figures, monkeypatch):
    from core.accounting.services import restatement as module

    before = current_kg(organization)

    def broken(*arguments, **options):
        raise OverflowError

    monkeypatch.setattr(module, "derive_days", broken)
    with pytest.raises(OverflowError):
        services.restate(organization_id=organization.id, asked=JULY, factor_set=figures.name, apply=True)

    assert current_kg(organization) == before
    assert "building" not in set(table(organization, "select state from accounting_view")["state"])


def test_a_figure_that_becomes_known_is_no_step_from_nothing():
    unknown, known, more = {"water_l": None}, {"water_l": 10.0}, {"water_l": 12.5}

    appears, grows, goes = (
        restatement.step_between("factor", *sides) for sides in ((unknown, known), (known, more), (more, unknown))
    )
    never = restatement.step_between("factor", unknown, unknown)

    assert (appears.change, appears.not_known) == ({"water_l": None}, {"water_l": "before"})
    assert (grows.change, grows.not_known) == ({"water_l": 2.5}, {})
    assert (goes.change, goes.not_known) == ({"water_l": None}, {"water_l": "after"})
    assert (never.change, never.not_known) == ({"water_l": None}, {"water_l": "both"})


@pytest.fixture
def without_water(organization, factor_set, write):
    """The tables without the water that electricity takes, and a request that takes water by those with it."""
    write(call(1))
    services.derive_dirty_days(organization.id)
    tables = dict(load_pack().blobs)
    name = "grid_water_resources--ecologits-mixes"
    tables[name] = tables[name].splitlines(keepends=True)[0]
    return load_factor_set(pack_from_tables("without-water", tables)).factor_set


def test_the_command_says_on_which_side_a_figure_is_not_known(committed_db, organization, without_water):
    with organization_scope(organization.id):
        shipped = current_view(organization.id).factor_set.name

    goes = json.loads(run("--factor-set", without_water.name, "--apply", "--format", "json"))
    comes = run("--factor-set", shipped, "--methodology", "2026.1 host_factor=2.7")

    *same, method, factor = goes["steps"]
    assert all(step["change"]["water_l"] == 0 for step in [*same, method])
    assert (factor["change"]["water_l"], factor["not_known"]) == (None, {"water_l": "after"})
    assert factor["change"]["location_kg_co2e"] == 0
    (water,) = [line for line in comes.splitlines() if line.startswith("water_l")]
    assert re.split(" {2,}", water)[1:-1] == ["-", "-", "-", "-", "-", "not known before"]


def test_own_settings_are_another_methodology(organization, figures):
    restated = services.restate(
        organization_id=organization.id, asked=JULY, methodology="2026.1 host_factor=2.7 ", apply=True
    )

    assert restated.new["energy_it_kwh"] == pytest.approx(10 * 2.7)  # 10 kWh of accelerators in July
    assert restated.new_view.methodology == "2026.1 host_factor=2.7/2.7/2.7"
    with pytest.raises(services.ViewError, match="already"):
        services.restate(organization_id=organization.id, asked=JULY, methodology="2026.1 host_factor=2.70")


def test_nothing_to_change_is_refused(organization, figures):
    with pytest.raises(services.ViewError, match="already"):
        services.restate(organization_id=organization.id, asked=JULY, methodology=methods.LATEST)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("restate", "--organization", "northwind", "--period", "2026-07", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_the_bridge_and_switches_only_when_told(organization, figures):
    rehearsed = run("--factor-set", figures.name)
    answer = json.loads(run("--factor-set", figures.name, "--apply", "--format", "json"))

    header = ["figure", "old", "correction", "activity", "coverage", "method", "factor", "new"]
    assert rehearsed.splitlines()[2].split() == header
    assert rehearsed.endswith("A rehearsal: nothing was changed.\n")
    assert answer["applied"]
    assert answer["new"]["factor_set_name"] == figures.name
    assert [step["name"] for step in answer["steps"]] == header[2:-1]
    for name, old in answer["old"]["totals"].items():
        if old is None:
            continue
        steps = sum(Decimal(str(step["change"][name])) for step in answer["steps"])
        assert Decimal(str(old)) + steps == Decimal(str(answer["new"]["totals"][name])), name
    assert answer["filter"]["from"] == "2026-07-01"


def warned_by_a_rehearsal(figures) -> str:
    warned = StringIO()
    call_command(
        "restate",
        *("--organization", "northwind", "--period", "2026-07", "--factor-set", figures.name),
        stdout=StringIO(),
        stderr=warned,
    )
    return warned.getvalue()


def test_a_view_left_by_a_broken_call_is_discarded_by_the_next(organization, figures):
    left = services.begin_view(organization_id=organization.id, factor_set=figures.name)
    end_session()

    warned = warned_by_a_rehearsal(figures)

    assert warned == f"View {left.id} was left by a call that broke off; it is gone.\n"
    assert "building" not in set(table(organization, "select state from accounting_view")["state"])


def test_a_view_that_another_call_builds_is_named_and_can_be_discarded(organization, figures):
    begun, release = queue.Queue[int](), threading.Event()

    def build_elsewhere() -> None:
        begun.put(services.begin_view(organization_id=organization.id, factor_set=figures.name).id)
        release.wait(20)

    with ThreadPoolExecutor(1) as pool:
        builder = pool.submit(in_thread, build_elsewhere)
        view_id = begun.get(timeout=20)
        warned = warned_by_a_rehearsal(figures)
        said = run("--discard", str(view_id))
        release.set()
        builder.result()

    assert f"restate --discard {view_id}" in warned
    assert said == f"View {view_id} is gone.\n"
    assert "building" not in set(table(organization, "select state from accounting_view")["state"])
    with pytest.raises(CommandError, match="no view"):
        run("--discard", str(view_id))


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        ([], "--factor-set NAME, --methodology V", 2),
        (["--factor-set", "nobody-made-this"], "no factor set", 1),
        (["--methodology", "1066.1"], "no methodology", 1),
    ],
)
def test_what_cannot_be_restated_ends_with_a_reason(organization, figures, arguments, message, status):
    with pytest.raises(CommandError, match=message) as refused:
        run(*arguments)

    assert refused.value.returncode == status
