"""What comes after the lock: shown, weighed, and restated by two people with a bridge; both inventories stay."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

import reporting.disclosures
from core.accounting.figures import Filter
from core.accounting.services import derive_dirty_days, link_source, set_coverage_unit
from core.accounting.services import restate as restate_figures
from core.factors.pack import load_pack
from core.factors.services import load_factor_set
from core.ledger.selectors import sources
from core.organizations.tenancy import organization_scope
from core.quantification.pack import pack_from_tables
from reporting.inventories import restated
from reporting.models import Inventory
from reporting.selectors.inventories import chain_fault_of, document_of
from reporting.selectors.late import late_for
from reporting.services import periods, restating
from reporting.services.periods import PeriodError
from tests.closing import TODAY, close, somebody, two_leads
from tests.deliver import deliver, metered
from tests.reporting.inventories.test_disclosed_files import disclosed

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

SCHEMA = json.loads((Path(reporting.disclosures.__file__).parent / "inventory.schema.json").read_text())


@pytest.fixture
def leads(organization):
    return two_leads(organization)


@pytest.fixture
def dirtier_germany(leads):
    """The shipped tables with 400 instead of 329 g/kWh for Germany in 2023."""
    tables = dict(load_pack().blobs)
    name = "grid_intensity_annual--eea"
    lines = tables[name].decode().splitlines()
    tables[name] = "\n".join(
        line.replace(",329.0,", ",400.0,") if line.startswith("DE,") and ",2023," in line else line for line in lines
    ).encode()
    return load_factor_set(pack_from_tables("dirtier-germany", tables)).factor_set


def rows(organization):
    with organization_scope(organization.id):
        return list(Inventory.objects.order_by("closed_at"))


def restate(organization, inventory, person, **given):
    reading = periods.read_period(organization, inventory.period, today=TODAY)
    steps = restating.restatement_bridge(organization, inventory, reading)
    asked = {"reason": "The bill came.", "steps": steps, **given}
    begun = restating.restate_inventory(
        organization=organization, inventory_id=inventory.id, reading=reading, person_id=person.pk, **asked
    )
    return begun, steps, reading


def approved(organization, begun, reading, people):
    if next(each for each in rows(organization) if each.id == begun.id).state == "soft_closed":
        periods.submit(organization=organization, inventory_id=begun.id, reading=reading, person_id=people[0].pk)
    return periods.approve(organization_id=organization.id, inventory_id=begun.id, person_id=people[1].pk)


def changed(steps, figure="scope2_location"):
    return {step: change[figure] for step, change in steps.items() if change[figure]}


def test_what_comes_after_the_lock_is_listed_by_source_and_moves_nothing(organization, leads):
    inventory = close(organization, leads)
    assert late_for(organization.id, inventory).sources == ()

    deliver(organization, [metered("late", 100.0), metered("less", -200.0, corrects="own")])

    late = late_for(organization.id, inventory)
    assert [(each.source, each.records, each.corrections) for each in late.sources] == [("agent", 1, 1)]
    assert late.sources[0].first_at > inventory.closed_at
    assert rows(organization)[0].document == inventory.document


def test_a_restatement_tells_correction_and_activity_apart_and_keeps_both_inventories(organization, leads):
    inventory = close(organization, leads)
    deliver(organization, [metered("late", 100.0), metered("less", -200.0, corrects="own")])

    begun, steps, reading = restate(organization, inventory, leads[0])

    # x 329 g/kWh (EEA, Germany 2023): 200 kWh less are -65.8 kg, 100 kWh more are 32.9 kg.
    assert changed(steps) == {"correction": Decimal("-0.0658"), "activity": Decimal("0.0329")}
    stated = document_of(inventory)
    for figure in restated.FIGURES:
        now = Decimal(reading.document["totals"][figure])
        assert Decimal(stated["totals"][figure]) + sum(change[figure] for change in steps.values()) == now
    assert [each.state for each in rows(organization)] == ["approved", "soft_closed"]
    with pytest.raises(PeriodError, match="somebody else approves"):
        approved(organization, begun, reading, (leads[0], leads[0]))
    approved(organization, begun, reading, leads)

    old, new = rows(organization)
    assert (old.state, new.state, new.supersedes_id) == ("superseded", "approved", old.id)
    assert old.document == inventory.document
    document = document_of(new)
    assert [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)] == []
    assert document["supersedes"] == str(old.id)
    (comparative,) = document["comparatives"]
    assert comparative["restated"] is True
    assert comparative["previously_stated"]["scope2_location"] == "0.329"
    assert comparative["totals"]["scope2_location"] == "0.2961"
    assert comparative["reason"] == "late data: The bill came."
    assert restated.steps_of(document) == {step: change["total_location"] for step, change in steps.items()}
    assert new.previous_sha256 == old.sha256
    with organization_scope(organization.id):
        assert chain_fault_of(organization.id) is None


def test_method_and_factors_of_a_restatement_are_told_apart_from_what_came_late(organization, leads, dirtier_germany):
    inventory = close(organization, leads)
    deliver(organization, [metered("late", 100.0)])
    asked = Filter(date(2026, 7, 1), date(2026, 9, 30))
    restate_figures(organization_id=organization.id, asked=asked, factor_set=dirtier_germany.name, apply=True)

    begun, steps, reading = restate(organization, inventory, leads[0], cause="factor")

    # 100 kWh x 329 g came late; all 1,100 kWh then weigh 400 - 329 = 71 g more.
    assert changed(steps) == {"activity": Decimal("0.0329"), "factor": Decimal("0.0781")}
    assert reading.document["totals"]["scope2_location"] == "0.44"
    new = approved(organization, begun, reading, leads)
    assert document_of(new)["evidence"]["factor_set_sha256"] != document_of(inventory)["evidence"]["factor_set_sha256"]


def test_what_a_rule_changes_is_the_step_of_coverage(organization, leads):
    deliver(organization, [metered("twice", 300.0)], source="another")
    inventory = close(organization, leads, unlinked_sources="counted twice, as nobody had linked it")
    with organization_scope(organization.id):
        ids = {each.name: each.id for each in sources(organization.id)}
    unit = set_coverage_unit(
        organization_id=organization.id, name="hall", counting_source_id=ids["agent"], reason="the same meter"
    )
    for source_id in ids.values():
        link_source(organization_id=organization.id, source_id=source_id, unit_id=unit.id)
    while derive_dirty_days(organization.id).left:
        pass

    _begun, steps, _reading = restate(organization, inventory, leads[0], cause="boundary")

    assert changed(steps) == {"coverage": Decimal("-0.0987")}  # 300 kWh x 329 g


def test_while_a_restatement_is_prepared_the_approved_inventory_is_what_is_disclosed(organization, leads, tmp_path):
    inventory = close(organization, leads)
    deliver(organization, [metered("late", 100.0)])
    restate(organization, inventory, leads[0])

    files = disclosed(organization, tmp_path)

    assert files["inventory.json"] == inventory.document.encode() + b"\n"
    draft = json.loads(disclosed(organization, tmp_path, draft=True)["inventory.json"])
    assert draft["supersedes"] == str(inventory.id)


def test_late_data_below_the_threshold_is_no_restatement_but_an_error_is(organization, leads):
    inventory = close(organization, leads)
    deliver(organization, [metered("late", 49.0)])  # 4.9 per cent of 1,000 kWh

    with pytest.raises(PeriodError, match="has moved by 5%"):
        restate(organization, inventory, leads[0])
    begun, _steps, _reading = restate(organization, inventory, leads[0], cause="boundary")

    assert document_of(begun)["comparatives"][0]["reason"] == "boundary: The bill came."
    with pytest.raises(PeriodError, match="is being restated already"):
        restate(organization, inventory, leads[0], cause="boundary")


def test_at_the_threshold_a_period_is_restated(organization, leads):
    inventory = close(organization, leads)
    deliver(organization, [metered("late", 50.0)])

    begun, steps, _reading = restate(organization, inventory, leads[0])

    assert begun.supersedes_id == inventory.id
    assert changed(steps) == {"activity": Decimal("0.01645")}


def test_nothing_new_is_nothing_to_restate_and_a_reason_is_asked_for(organization, leads):
    inventory = close(organization, leads)

    with pytest.raises(PeriodError, match="has changed since"):
        restate(organization, inventory, leads[0])
    with pytest.raises(PeriodError, match="Say why"):
        restate(organization, inventory, leads[0], reason=" ")
    with pytest.raises(PeriodError, match="is restated for"):
        restate(organization, inventory, leads[0], cause="whim")
    with pytest.raises(PeriodError, match="that role may not"):
        restate(organization, inventory, somebody(organization, "eve", "auditor"))


def test_a_restatement_that_is_given_up_leaves_the_period_as_it_was(organization, leads):
    inventory = close(organization, leads)
    deliver(organization, [metered("late", 100.0)])
    begun, _steps, _reading = restate(organization, inventory, leads[0])

    periods.reopen(organization_id=organization.id, inventory_id=begun.id, person_id=leads[0].pk, reason="Too early.")

    (kept,) = rows(organization)
    assert (kept.id, kept.state) == (inventory.id, "approved")
