"""A unit's evidence side by side, what of it is covered, and links that are proposed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from core.accounting import services
from core.accounting.selectors.suggested_links import suggested_links
from core.accounting.selectors.unit_reconciliation import reconciled_units

from .conftest import call, metered
from .test_counted_once import JULY, assert_reconciled, billed, node, total, unit_of


def test_a_quarter_of_the_billed_hours_is_measured(committed_db, organization, factor_set, write):
    bill = write(billed(1, 4), source="bill")
    services.derive_dirty_days(organization.id)
    modelled = total(organization)
    agent = write(node(1, 11.0), source="agent")
    unit_of(organization, bill, agent)
    services.derive_dirty_days(organization.id)

    (unit,) = reconciled_units(organization.id, JULY_LOCATION)

    found = unit.comparison
    assert found is not None
    assert (found.measure, found.covered_share, found.flags) == ("device_hours", 0.25, ())
    assert found.of("measured").counted_kg == pytest.approx(11.0 * 0.329)
    assert found.of("modelled_bill").total_kg == pytest.approx(modelled)
    assert found.of("modelled_bill").amounts == {"device_hours": 32.0}
    assert found.gap_kg == pytest.approx(modelled / 4 - 11.0 * 0.329)


def test_evidence_that_shares_no_measure_is_flagged(committed_db, organization, factor_set, write):
    bill = write(billed(1, 4), source="bill")
    agent = write(metered(1, 10.0, account="cluster"), source="agent")
    unit_of(organization, bill, agent)
    services.derive_dirty_days(organization.id)

    (unit,) = reconciled_units(organization.id, JULY_LOCATION)

    assert unit.comparison is not None
    assert (unit.comparison.flags, unit.comparison.covered_share, unit.comparison.gap_kg) == (
        ("not_comparable",),
        None,
        None,
    )


def test_of_two_bills_of_one_account_the_one_linked_first_stands(committed_db, organization, factor_set, write):
    cur, focus = write(billed(1, 4), source="cur"), write(billed(2, 5), source="focus")
    unit_of(organization, cur, focus)
    services.derive_dirty_days(organization.id)

    (unit,) = reconciled_units(organization.id, JULY_LOCATION)

    assert unit.comparison is not None
    (found,) = unit.comparison.overlaps
    assert (found.stands, found.other, found.measure) == ("cur", "focus", "device_hours")
    assert (found.standing, found.overlapping) == (32.0, 40.0)  # 4 and 5 nodes of 8 H100 for an hour
    assert found.cross_check_kg == pytest.approx(4 * found.counted_kg)  # 32 of its 40 hours are on the first bill
    assert unit.comparison.flags == ()
    assert_reconciled(organization)


@pytest.mark.parametrize("currency", ["EUR", "USD"])
def test_money_of_two_bills_counts_once_in_one_currency_and_is_flagged_in_two(
    committed_db, organization, factor_set, write, currency
):
    for name in ("EUR", "USD"):
        where = {"currency": name}
        services.add_own_factor(
            organization_id=organization.id, name="spend_kg_co2e", value=0.15, source="A study", where=where
        )
    first, second = (
        write(call(1, cost=cost, currency=paid, snapshot="2026-07", **dict.fromkeys(USED)), source=name)
        for name, cost, paid in (("cur", 9.0, "EUR"), ("focus", 12.0, currency))
    )
    unit_of(organization, first, second)
    services.derive_dirty_days(organization.id)

    (unit,) = reconciled_units(organization.id, JULY_LOCATION)

    assert unit.comparison is not None
    (found,) = unit.comparison.overlaps
    if currency == "EUR":  # 12 EUR is the most that either bill says, at 0.15 kg per EUR
        assert (found.measure, found.standing, found.overlapping) == ("cost", 9.0, 12.0)
        assert (unit.comparison.flags, total(organization)) == ((), pytest.approx(12 * 0.15))
    else:
        assert (found.measure, found.standing) == (None, None)
        assert (unit.comparison.flags, total(organization)) == (("not_comparable",), pytest.approx(21 * 0.15))


@pytest.mark.parametrize(
    ("spans", "metrics", "billed_tokens", "difference"),
    [
        (900, None, 1000, -0.1),  # against the bill
        (1000, 1250, None, -0.2),  # against the metrics of a gateway in the same unit
        (1000, 1250, 1000, -0.2),  # against what it differs from most
        (980, 1000, 1000, None),
    ],
)
def test_spans_that_miss_tokens_of_bill_or_metrics_flag_their_unit(
    committed_db, organization, factor_set, write, spans, metrics, billed_tokens, difference
):
    said = {"spans": spans, "metrics": metrics, "bill": billed_tokens}
    labels = {name: {"signal": name, "service.name": name} for name in ("spans", "metrics")}
    linked = [
        write(
            call(1, output_tokens=tokens, labels=labels.get(name), snapshot=None if name in labels else "bill"),
            source=name,
        )
        for name, tokens in said.items()
        if tokens is not None
    ]
    unit_of(organization, *linked)
    services.derive_dirty_days(organization.id)

    (unit,) = reconciled_units(organization.id, JULY_LOCATION)

    assert unit.comparison is not None
    expected = {} if difference is None else {"spans": pytest.approx(difference)}
    assert (unit.comparison.flags, unit.comparison.differences) == (("sampling_unknown",) if expected else (), expected)


def test_the_command_says_the_same(committed_db, organization, factor_set, write):
    bill = write(billed(1, 4), source="bill")
    agent = write(node(1, 11.0), source="agent")
    unit_of(organization, bill, agent)
    services.derive_dirty_days(organization.id)
    out = StringIO()
    arguments = ["--organization", organization.slug, "--period", "2026-07"]

    call_command("coverage", "reconcile", *arguments, "--format", "json", stdout=out)
    (unit,) = json.loads(out.getvalue())["units"]
    table = StringIO()
    call_command("coverage", "reconcile", *arguments, stdout=table)

    assert (unit["unit"], unit["covered_share"], unit["measure"]) == ("Cluster", 0.25, "device_hours")
    assert [each["level"] for each in unit["evidence"]] == ["measured", "modelled_bill"]
    assert "Cluster" in table.getvalue()
    assert "25" in table.getvalue()


def test_sources_of_the_same_account_or_requests_are_proposed(committed_db, organization, factor_set, write):
    today, before = (
        f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d}" for days in (1, 5)
    )  # text is kept for a while
    write(call(1, today, account="org-1", request="req-1"), source="gateway")
    write(call(2, today, account="org-1"), source="export")
    write(call(3, today, account="elsewhere", request="req-1"), source="app")
    write(call(4, before, account="late", request="req-1"), source="archive")

    found = {(each.sources, each.account, each.requests) for each in suggested_links(organization.id)}

    assert found == {(("gateway", "export"), "org-1", 0), (("gateway", "app"), None, 1)}


def test_linked_sources_are_not_proposed_again(committed_db, organization, factor_set, write):
    sources = [write(call(number, account="org-1"), source=name) for number, name in enumerate(("gateway", "export"))]
    unit_of(organization, *sources[:1])
    (proposed,) = suggested_links(organization.id)
    assert proposed.unit == "Cluster"

    unit_of(organization, *sources)

    assert suggested_links(organization.id) == []


USED = ("requests", "input_tokens", "output_tokens", "model")
JULY_LOCATION = JULY.__class__(JULY.from_day, JULY.to_day, include=())
