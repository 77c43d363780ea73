"""Counted once: evidence that describes the same activity, from the ledger to the figures."""

from __future__ import annotations

import random
from datetime import date

import pytest

from core.accounting import services
from core.accounting.figures import Filter
from core.accounting.selectors import emissions, overlap_warnings
from core.accounting.selectors.explain import explain
from core.accounting.selectors.reconciliation import reconcile_daily
from core.accounting.selectors.unit_reconciliation import reconciled_units
from core.ledger.services import update_source
from core.quantification.coverage import RANKS_APART

from .conftest import at, call, metered
from .test_derive import daily, table

JULY = Filter(date(2026, 7, 1), date(2026, 7, 31))
JULY_LOCATION = Filter(JULY.from_day, JULY.to_day, include=())
BOTH = ("counted", "cross_check")
NODE_HOURS = 8.0


def node(number: int, kwh: float, hour: int = 10, **fields):
    """An hour of an agent on a node of 8 H100."""
    return metered(
        f"node-{number}-{hour}",
        kwh,
        account="cluster",
        started_at=at(f"2026-07-01T{hour:02}:00:00"),
        ended_at=at(f"2026-07-01T{hour + 1:02}:00:00"),
        hardware="NVIDIA H100 80GB HBM3",
        device_hours=NODE_HOURS,
        energy_boundary="facility",
        **fields,
    )


def billed(number: int, nodes: int, **fields):
    """An hour of all nodes on the bill."""
    return metered(
        f"bill-{number}",
        0.0,
        account="cluster",
        evidence="modelled",
        hardware="H100",
        device_hours=NODE_HOURS * nodes,
        energy_kwh=None,
        energy_boundary=None,
        snapshot="2026-07",
        **fields,
    )


def total(organization, role=("counted",), **fields) -> float:
    asked = Filter(JULY.from_day, JULY.to_day, role=role, include=(), **fields)
    return float(emissions(organization.id, asked, bounds=False).rows["total_kg_co2e"].sum())


def unit_of(organization, *sources: int, **fields):
    unit = services.set_coverage_unit(organization_id=organization.id, name="Cluster", **fields)
    for source_id in sources:
        services.link_source(organization_id=organization.id, source_id=source_id, unit_id=unit.id)
    return unit


def assert_reconciled(organization) -> None:
    found = reconcile_daily(organization.id, date(2026, 1, 1), date(2026, 12, 31))
    assert found.pending == []
    assert found.differences.empty, found.differences


@pytest.mark.slow
def test_instrumenting_k_of_n_nodes_moves_the_total_by_those_nodes_own_difference(
    committed_db, organization, factor_set, write
):
    nodes, kwh = 4, 11.0
    bill = write(billed(1, nodes), source="bill")
    services.derive_dirty_days(organization.id)
    modelled = total(organization)
    unit = unit_of(organization, bill)
    own = kwh * 0.329 - modelled / nodes  # kg; Germany in 2026: 329.0 g/kWh (methodology 3.1)

    for k in range(nodes + 1):
        if k:
            agent = write(node(k, kwh), source="agent")
            services.link_source(organization_id=organization.id, source_id=agent, unit_id=unit.id)
        services.derive_dirty_days(organization.id)

        assert total(organization) == pytest.approx(modelled + k * own, rel=1e-9)
        assert total(organization, role=("cross_check",)) == pytest.approx(modelled * k / nodes, rel=1e-9)
        assert_reconciled(organization)


def test_both_parts_of_a_row_add_up_to_it_in_every_figure(committed_db, organization, factor_set, write):
    bill = write(billed(1, 3), source="bill")
    services.derive_dirty_days(organization.id)
    (whole,) = daily(organization).drop(columns=["resolved_id", "role"]).to_dict("records")
    agent = write(node(1, 11.0), source="agent")
    unit_of(organization, bill, agent)

    services.derive_dirty_days(organization.id)

    found = daily(organization)
    parts = found[found["source_id"] == bill]
    assert sorted(parts["role"]) == ["counted", "cross_check"]
    for name, value in whole.items():
        if name.endswith(("_nkg", "_pkwh", "_nh", "_nl", "_nmj")) or "_nkg_" in name or "_pkwh_" in name:
            if value is None or value != value:
                assert parts[name].isna().all()
            else:
                assert int(parts[name].sum()) == int(value), name
    counted = parts[parts["role"] == "counted"]["device_nh"].tolist()
    assert counted == [2 * 8 * 10**9]  # of 24 device-hours 8 are measured
    assert_reconciled(organization)


def test_an_agent_that_nobody_linked_counts_and_is_warned_of_with_its_kilograms(
    committed_db, organization, factor_set, write
):
    bill = write(billed(1, 4), source="bill")
    write(node(1, 11.0), source="agent")
    unit_of(organization, bill)

    services.derive_dirty_days(organization.id)

    (warning,) = overlap_warnings(organization.id, JULY)
    assert (warning.source, warning.records) == ("agent", 1)
    only_location = Filter(JULY.from_day, JULY.to_day, include=())
    assert overlap_warnings(organization.id, only_location)[0].kg_co2e == pytest.approx(11.0 * 0.329)
    before_all = Filter(date(JULY.from_day.year - 1, 1, 1), date(JULY.from_day.year - 1, 3, 31))
    assert overlap_warnings(organization.id, before_all) == []


def test_hours_days_and_runs_part_the_same(committed_db, organization, factor_set, write):
    bill = write(billed(1, 4), source="bill")
    agent = write(node(1, 11.0, run="r1"), node(1, 5.0, hour=15), source="agent")
    unit_of(organization, bill, agent)
    services.derive_dirty_days(organization.id)

    for role in BOTH:
        by_hour = total(organization, role=(role,), grain="hour")
        assert by_hour == pytest.approx(total(organization, role=(role,)), rel=1e-9)
    runs = emissions(organization.id, Filter(JULY.from_day, JULY.to_day, by=("run",), include=())).rows
    assert runs["total_kg_co2e"].tolist() == pytest.approx([11.0 * 0.329])
    tree = explain(organization.id, Filter(JULY.from_day, JULY.to_day), impact="location_kg_co2e")
    assert tree["explained"] == pytest.approx(tree["value"], abs=1e-8)
    assert explain(organization.id, JULY, record_id="meter-bill-1")["value"] > 0


def test_a_statement_counts_until_something_else_describes_its_month(committed_db, organization, factor_set, write):
    statement = write(
        *(
            metered(
                f"stated-{day}",
                0.0,
                started_at=at(f"2026-07-{day:02}T00:00:00"),
                ended_at=at(f"2026-07-{day + 1:02}T00:00:00"),
                evidence="stated",
                hosting="cloud",
                energy_kwh=None,
                energy_boundary=None,
                reported_kg_co2e=10.0,
                reported_basis="location",
            )
            for day in (1, 2, 20)
        ),
        source="statement",
    )
    unit = unit_of(organization, statement)
    services.derive_dirty_days(organization.id)
    assert daily(organization)["role"].tolist() == ["counted"] * 3

    agent = write(metered(1, 1.0, day="2026-07-05"), source="agent")
    services.link_source(organization_id=organization.id, source_id=agent, unit_id=unit.id)
    services.derive_dirty_days(organization.id)

    found = daily(organization)
    assert found[found["source_id"] == statement]["role"].tolist() == ["cross_check"] * 3
    assert found[found["source_id"] == agent]["role"].tolist() == ["counted"]
    assert not table(organization, "select id from ledger_dirty_day").size
    assert_reconciled(organization)


def test_late_evidence_reaches_statements_of_days_that_it_does_not_touch(committed_db, organization, factor_set, write):
    fields = {"evidence": "stated", "hosting": "cloud", "energy_kwh": None, "energy_boundary": None}
    statement = write(metered(1, 0.0, reported_kg_co2e=10.0, reported_basis="location", **fields), source="statement")
    agent = write(metered(2, 1.0, day="2026-06-05"), source="agent")
    unit_of(organization, statement, agent)
    services.derive_dirty_days(organization.id)
    assert set(daily(organization)["role"]) == {"counted"}  # June says nothing of July

    write(metered(3, 1.0, day="2026-07-28"), source="agent")
    services.derive_dirty_days(organization.id)

    found = daily(organization)
    assert found[found["source_id"] == statement]["role"].tolist() == ["cross_check"]


def test_an_order_of_its_own_needs_a_reason_and_is_followed(committed_db, organization, factor_set, write):
    bill = write(billed(1, 1), source="bill")
    agent = write(node(1, 11.0), source="agent")
    with pytest.raises(services.CoverageError, match="Say why"):
        unit_of(organization, bill, agent, precedence=("modelled_bill",))
    with pytest.raises(services.CoverageError, match="statement"):
        unit_of(organization, bill, agent, precedence=("stated",), reason="audited")
    with pytest.raises(services.CoverageError, match="no level"):
        unit_of(organization, bill, agent, precedence=("guessed",), reason="audited")

    unit_of(organization, bill, agent, precedence=("modelled_bill",), reason="the invoice is audited")
    services.derive_dirty_days(organization.id)

    found = daily(organization)
    assert dict(zip(found["source_id"], found["role"], strict=True)) == {bill: "counted", agent: "cross_check"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_no_order_of_deliveries_can_show(committed_db, organization, other_organization, factor_set, write, seed):
    chance = random.Random(seed)
    records = [
        ("agent", node(1, 11.0)),
        ("agent", node(2, 9.0, hour=11)),
        ("bill", billed(1, 3)),
        ("agent", node(3, 7.5)),
    ]
    found = []
    for into, ordered in ((organization, records), (other_organization, chance.sample(records, len(records)))):
        for source, record in ordered:
            write(record, source=source, into=into)
            if chance.random() < 0.5:
                services.derive_dirty_days(into.id)
        linked = table(into, "select id, name from ledger_source order by name")
        unit_of(into, *linked["id"].tolist())
        services.derive_dirty_days(into.id)
        columns = ["day", "role", "device_nh", "energy_pkwh", "location_nkg", "embodied_nkg", "records"]
        found.append(sorted(map(str, daily(into)[columns].to_numpy().tolist())))
        assert_reconciled(into)

    assert found[0] == found[1]


def test_eight_ranks_on_one_node_count_once(committed_db, organization, factor_set, write):
    """Each rank's tracker reads the meters of the whole node: 1 kWh in the hour, and one saw 1.1 (mlco2/codecarbon #544)."""
    ranks = [
        metered(
            f"rank-{rank}",
            1.1 if rank == 5 else 1.0,
            run=f"r{rank}",
            energy_boundary="facility",
            labels={"tracking_mode": "machine"} | ({"concurrent_run": str(rank)} if rank else {}),
        )
        for rank in range(8)
    ]
    write(*ranks, source="trackers")
    services.derive_dirty_days(organization.id)

    assert total(organization) == pytest.approx(1.1 * 0.329, rel=1e-9)
    assert total(organization, grain="hour") == pytest.approx(1.1 * 0.329, rel=1e-9)
    assert total(organization, role=BOTH) == pytest.approx(8.1 * 0.329, rel=1e-9)
    assert_reconciled(organization)


def test_ranks_beside_a_bill_count_once_and_cover_their_node_once(committed_db, organization, factor_set, write):
    bill = write(billed(1, 4), source="bill")
    services.derive_dirty_days(organization.id)
    modelled = total(organization)
    ranks = [node(1, 11.0, labels={"concurrent_run": str(rank)} if rank else {}) for rank in range(4)]
    trackers = write(*({**each, "record_id": f"rank-{n}"} for n, each in enumerate(ranks)), source="trackers")
    unit_of(organization, bill, trackers)

    services.derive_dirty_days(organization.id)

    assert total(organization) == pytest.approx(11.0 * 0.329 + modelled * 3 / 4, rel=1e-9)
    assert_reconciled(organization)


def test_ranks_that_are_said_to_be_on_machines_of_their_own_add_up(committed_db, organization, factor_set, write):
    records = [metered(rank, 1.0, energy_boundary="facility", labels={"concurrent_run": str(rank)}) for rank in (1, 2)]
    source_id = write(*records, source="trackers")
    update_source(organization_id=organization.id, source_id=source_id, settings={RANKS_APART: True})
    services.derive_dirty_days(organization.id)

    assert total(organization) == pytest.approx(2 * 0.329, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_late_restated_and_out_of_order_deliveries_end_as_the_tidy_order(
    committed_db, organization, other_organization, factor_set, write, seed
):
    """A bill restated three times, a batch late by two years, agents in any order: the figures of the last word on each."""
    chance = random.Random(seed)
    late = metered("late", 2.0, day="2024-07-01", account="cluster")
    tidy = [("agent", late), ("agent", node(1, 11.0)), ("agent", node(2, 9.0)), ("bill", billed(1, 3))]
    agents = [("agent", node(2, 9.0)), ("agent", late), ("agent", node(1, 11.0)), ("agent", node(1, 11.0))]
    untidy = [("bill", billed(1, nodes)) for nodes in (5, 1, 4, 3)]  # the last export stands
    for each in agents:
        untidy.insert(chance.randrange(len(untidy) + 1), each)
    found = []
    for into, ordered in ((organization, tidy), (other_organization, untidy)):
        for source, record in ordered:
            write(record, source=source, into=into)
            if into == other_organization and chance.random() < 0.4:
                services.derive_dirty_days(into.id)
        unit_of(into, *table(into, "select id from ledger_source order by name")["id"].tolist())
        services.derive_dirty_days(into.id)
        columns = ["day", "role", "device_nh", "energy_pkwh", "location_nkg", "embodied_nkg", "records"]
        found.append(sorted(map(str, daily(into)[columns].to_numpy().tolist())))

    assert found[0] == found[1]


def test_sampled_records_displace_what_they_stand_for(committed_db, organization, factor_set, write):
    # Half of the traces were kept: 2 calls stand for 4 of the 10 that the export bills.
    export = write(call(1, requests=10, output_tokens=2000, input_tokens=10_000, snapshot="july"), source="export")
    app = write(call(2, requests=2, output_tokens=400, input_tokens=2000, labels={"sample_share": 0.5}), source="app")
    unit_of(organization, export, app)

    services.derive_dirty_days(organization.id)

    found = daily(organization)
    found = found[found["source_id"] == export]
    assert dict(zip(found["role"], found["requests"], strict=True)) == {"counted": 6, "cross_check": 4}


def test_sources_of_two_formats_may_have_one_name(committed_db, organization, factor_set, write):
    bill = write(billed(1, 4), source="prod", kind="focus")
    agent = write(node(1, 11.0), source="prod", kind="otlp")
    services.derive_dirty_days(organization.id)
    modelled, measured = (total(organization, dims={"source": (name,)}) for name in ("focus/prod", "otlp/prod"))
    assert measured == pytest.approx(11.0 * 0.329)
    assert total(organization, dims={"source": ("prod",)}) == pytest.approx(modelled + measured)

    unit_of(organization, bill)
    services.derive_dirty_days(organization.id)

    (warning,) = overlap_warnings(organization.id, JULY_LOCATION)
    assert (warning.source_id, warning.source, warning.kg_co2e) == (agent, "otlp/prod", pytest.approx(measured))
    (unit,) = reconciled_units(organization.id, JULY_LOCATION)
    assert [each.level for each in unit.comparison.evidence] == ["modelled_bill"]
    asked = Filter(
        JULY.from_day, JULY.to_day, grain="hour", role=("counted",), include=(), dims={"source": ("otlp/prod",)}
    )
    hours = emissions(organization.id, asked, bounds=False).rows
    assert hours["total_kg_co2e"].sum() == pytest.approx(measured)
