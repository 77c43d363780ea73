"""Better evidence displaces worse for the part that it covers: shares, parts and orders, followed by hand."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.quantification.activity import MEASURE_COLUMNS
from core.quantification.coverage import Link, UnitRule, levels_of, links_of, parts_of
from core.quantification.displacement import SUMMED, covered_parts, covered_shares
from core.quantification.likeness import named_alike
from core.quantification.resolve import catalog_of

H = 10**9
"""An hour in the integers of cells."""
UNIT = 7
AGENT, APP, GATEWAY, BILL, STATEMENT, SECOND_BILL, SECOND_STATEMENT = 1, 2, 3, 4, 5, 11, 12
USUAL_LINKS = tuple(Link(source, None, UNIT) for source in (AGENT, APP, GATEWAY, BILL, STATEMENT))
EVIDENCE = {
    AGENT: "measured",
    **dict.fromkeys((APP, GATEWAY, BILL, SECOND_BILL), "modelled"),
    **dict.fromkeys((STATEMENT, SECOND_STATEMENT), "stated"),
}


def row(
    source: int,
    hour: int = 0,
    *,
    by_day: bool = False,
    hardware: str | None = None,
    model: str | None = None,
    money: str | None = None,
    basis: str | None = None,
    **amounts,
):
    """One cell of a source."""
    accelerators = amounts.pop("accelerators", np.nan)
    return {
        "source_id": source,
        "hour": hour,
        "by_day": by_day,
        "hardware_key": hardware,
        "instance_key": "p5" if accelerators == 8 else None,
        "model_key": model,
        "money_key": money,
        "reported_key": basis,
        "accelerators": accelerators,
        **amounts,
    }


def shares(*rows, links=USUAL_LINKS, rules=None, described=frozenset()) -> list[float]:
    """The covered share of each row."""
    frame = pd.DataFrame(list(rows))
    for name in SUMMED:
        frame[name] = frame[name].fillna(0).astype("int64") if name in frame else 0
    frame["account"] = None
    for name, nothing in (("machine", -1), ("concurrent_run", 0)):
        frame[name] = frame[name].fillna(nothing).astype("int64") if name in frame else nothing
    frame["evidence"] = frame["source_id"].map(EVIDENCE)
    frame["link"] = links_of(frame, links)
    frame["unit"] = [links[at].unit_id if at >= 0 else 0 for at in frame["link"]]
    frame["level"] = levels_of(frame["evidence"], frame["source_id"].isin([BILL, SECOND_BILL]).to_numpy())
    frame["part"] = parts_of(frame["link"].to_numpy(), frame["level"].to_numpy(dtype=object), links)
    found = covered_shares(frame, frame, np.arange(len(frame)), rules or {}, described)
    return [round(float(each), 12) for each in found]


def test_an_agent_on_one_of_a_hundred_nodes_displaces_that_node():
    agent = row(AGENT, hardware="h100", device_nh=8 * H)
    bill = row(BILL, accelerators=8, hardware="h100", instance_nh=100 * H)

    assert shares(agent, bill) == [0, 0.01]  # 8 of 800 accelerator hours


def test_more_than_is_billed_covers_the_whole_bill_and_no_more():
    assert shares(row(AGENT, hardware="h100", device_nh=9 * H), row(BILL, hardware="h100", device_nh=8 * H)) == [0, 1]


def test_hardware_of_another_kind_covers_nothing():
    assert shares(row(AGENT, hardware="a100", device_nh=8 * H), row(BILL, hardware="h100", device_nh=8 * H)) == [0, 0]


def test_evidence_without_a_common_measure_covers_nothing():
    assert shares(row(AGENT, energy_pkwh=10**12), row(BILL, hardware="h100", device_nh=8 * H)) == [0, 0]


def test_the_first_measure_that_both_hold_decides():
    # The bill has no requests, so output tokens: 300 of 1,000; its input tokens are another row, 900 of 1,000.
    app = row(APP, model="gpt-4o", requests=5, output_tokens=300, input_tokens=900)
    output, spent = row(BILL, model="gpt-4o", output_tokens=1000), row(BILL, model="gpt-4o", input_tokens=1000)

    assert shares(app, output, spent) == [0, 0.3, 0.9]


def test_hours_are_matched_with_hours():
    agent = row(AGENT, 0, hardware="h100", device_nh=8 * H)

    assert shares(agent, row(BILL, 1, hardware="h100", device_nh=8 * H)) == [0, 0]


def test_what_knows_days_only_is_matched_by_the_day():
    agents = [row(AGENT, hour, hardware="h100", device_nh=1 * H) for hour in (3, 9, 23)]
    bill = row(BILL, 0, by_day=True, hardware="h100", device_nh=24 * H)

    assert shares(*agents, bill) == [0, 0, 0, 0.125]  # 3 of 24


def test_hours_used_on_hours_are_not_used_on_days_again():
    # 8 measured hours displace the 6 billed by the hour; 2 are left for the 10 billed by the day.
    agent = row(AGENT, 5, hardware="h100", device_nh=8 * H)
    fine, coarse = (
        row(BILL, 5, hardware="h100", device_nh=6 * H),
        row(BILL, by_day=True, hardware="h100", device_nh=10 * H),
    )

    assert shares(agent, fine, coarse) == [0, 1, 0.2]


def test_each_level_displaces_what_is_left_below():
    # Of 50 seen by the application 20 are measured, so 30 count; of 100 billed 20 + 30 are covered.
    agent, app, bill = (
        row(source, hardware="h100", device_nh=n * H) for source, n in ((AGENT, 20), (APP, 50), (BILL, 100))
    )

    assert shares(agent, app, bill) == [0, 0.4, 0.5]


def test_agents_add_up():
    agents = [row(AGENT, hardware="h100", device_nh=8 * H), row(6, hardware="h100", device_nh=8 * H)]
    bill = row(BILL, hardware="h100", device_nh=32 * H)
    links = (*USUAL_LINKS, Link(6, None, UNIT, part=True))

    assert shares(*agents[:1], bill) == [0, 0.25]
    EVIDENCE[6] = "measured"
    assert shares(*agents, bill, links=links) == [0, 0, 0.5]


def test_of_two_views_of_the_same_calls_the_one_linked_first_goes_first():
    app, gateway = row(APP, model="gpt-4o", requests=30), row(GATEWAY, model="gpt-4o", requests=40)

    assert shares(app, gateway) == [0, 0.75]


def test_views_of_different_calls_add_up_where_links_say_so():
    links = (Link(APP, None, UNIT, part=True), Link(GATEWAY, None, UNIT, part=True), Link(BILL, None, UNIT))
    rows = [row(source, model="gpt-4o", requests=n) for source, n in ((APP, 30), (GATEWAY, 40), (BILL, 100))]

    assert shares(*rows, links=links) == [0, 0, 0.7]


TWO_BILLS = (Link(BILL, None, UNIT), Link(SECOND_BILL, None, UNIT))


def test_two_bills_count_once_where_they_say_the_same():
    # 24 of the 30 device-hours are on both bills; the money of both is 12, of which the first says 9.
    first, second = (row(source, hardware="h100", device_nh=n * H) for source, n in ((BILL, 24), (SECOND_BILL, 30)))
    paid, again = (row(source, money="EUR", nano_cost=n) for source, n in ((BILL, 9), (SECOND_BILL, 12)))

    assert shares(first, second, paid, again, links=TWO_BILLS) == [0, 0.8, 0, 0.75]


def test_the_bill_that_an_order_names_stands():
    first, second = (row(source, money="EUR", nano_cost=n) for source, n in ((BILL, 9), (SECOND_BILL, 12)))
    order = {UNIT: UnitRule(precedence=(f"source:{SECOND_BILL}",))}

    assert shares(first, second, links=TWO_BILLS, rules=order) == [1, 0]


def test_money_is_not_compared_with_use_nor_with_other_currencies():
    hours = row(BILL, hardware="h100", device_nh=8 * H, nano_cost=10)  # its money is no measure of its own
    rows = [hours, row(SECOND_BILL, money="EUR", nano_cost=10), row(BILL, money="USD", nano_cost=10)]

    assert shares(*rows, links=TWO_BILLS) == [0, 0, 0]


def test_two_statements_of_one_account_count_once():
    rows = [row(STATEMENT, by_day=True, basis="location", reported_nkg=3 * H)]
    rows += [row(SECOND_STATEMENT, by_day=True, basis=basis, reported_nkg=4 * H) for basis in ("location", "market")]
    links = (Link(STATEMENT, None, UNIT), Link(SECOND_STATEMENT, None, UNIT))

    assert shares(*rows, links=links) == [0, 0.75, 0]
    assert shares(*rows, links=links, described=frozenset({(UNIT, 0)})) == [1, 1, 1]


like_rows = st.builds(
    lambda source, day, measure, kind, amount: row(
        source,
        24 * day,
        by_day=True,
        hardware=kind if measure == "device_nh" else None,
        model=kind if measure == "output_tokens" else None,
        money=kind if measure == "nano_cost" else None,
        **{measure: amount},
    ),
    st.sampled_from([BILL, SECOND_BILL]),
    st.integers(0, 1),
    st.sampled_from(["device_nh", "output_tokens", "nano_cost"]),
    st.sampled_from(["one", "other"]),
    st.integers(0, 10**6),
)


@settings(deadline=None, max_examples=100)
@given(st.lists(like_rows, min_size=1, max_size=16), st.booleans())
def test_two_bills_count_as_much_as_the_larger_of_them_like_with_like(rows, turned):
    rules = {UNIT: UnitRule(precedence=(f"source:{SECOND_BILL}",))} if turned else None

    found = shares(*rows, links=TWO_BILLS, rules=rules)

    for measure, kind in (("device_nh", "hardware_key"), ("output_tokens", "model_key"), ("nano_cost", "money_key")):
        alike = [(each, share) for each, share in zip(rows, found, strict=True) if measure in each]
        for at in {(each["hour"], each[kind]) for each, _ in alike}:
            own = [(each, share) for each, share in alike if (each["hour"], each[kind]) == at]
            said = [sum(each[measure] for each, _ in own if each["source_id"] == bill) for bill in (BILL, SECOND_BILL)]
            counted = sum(each[measure] * (1 - share) for each, share in own)
            assert counted == pytest.approx(max(said), abs=len(own))


def test_an_order_of_its_own_is_followed():
    agent, bill = row(AGENT, hardware="h100", device_nh=8 * H), row(BILL, hardware="h100", device_nh=32 * H)

    assert shares(agent, bill, rules={UNIT: UnitRule(precedence=("modelled_bill",))}) == [1, 0]
    assert shares(agent, bill, rules={UNIT: UnitRule(precedence=(f"source:{BILL}",))}) == [1, 0]


def test_where_one_source_alone_counts_all_others_are_covered():
    rows = [row(AGENT, hardware="a100", device_nh=H), row(BILL, hardware="h100", device_nh=32 * H), row(STATEMENT)]

    assert shares(*rows, rules={UNIT: UnitRule(alone=STATEMENT)}) == [1, 1, 0]


def test_a_statement_counts_only_in_a_month_that_nothing_else_describes():
    # Hour 744 is the first of February 1970.
    rows = [row(STATEMENT, 0, by_day=True, reported_nkg=H), row(STATEMENT, 744, by_day=True, reported_nkg=H)]

    assert shares(*rows, described=frozenset({(UNIT, 0)})) == [1, 0]


def test_corrected_away_evidence_covers_nothing():
    agent, bill = row(AGENT, hardware="h100", device_nh=0), row(BILL, hardware="h100", device_nh=8 * H)

    assert shares(agent, bill) == [0, 0]
    assert shares(row(AGENT, hardware="h100", device_nh=-H), bill) == [0, 0]


def test_one_source_does_not_displace_itself():
    EVIDENCE[9] = "measured"
    links = (*USUAL_LINKS, Link(9, None, UNIT))
    rows = [row(9, hardware="h100", device_nh=8 * H), row(9, hardware="h100", device_nh=8 * H)]

    assert shares(*rows, links=links) == [0, 0]


@pytest.mark.parametrize("name", ["NVIDIA H100 80GB HBM3", "H100", "nvidia-h100-sxm5-80gb"])
def test_hardware_is_one_by_whatever_name(pack, name):
    named = named_alike(
        pd.DataFrame({"provider": [None], "model": [None], "hardware": [name], "instance_type": [None]}),
        catalog_of(pack),
    )

    assert named["hardware_key"].tolist() == ["h100"]


def test_an_instance_is_its_accelerators(pack):
    # AWS p4d.24xlarge holds 8 A100 (AWS, Amazon EC2 P4 instances).
    rows = {"provider": ["aws", None], "model": [None] * 2, "hardware": [None, "NVIDIA A100-SXM4-40GB"]}
    named = named_alike(pd.DataFrame({**rows, "instance_type": ["p4d.24xlarge", None]}), catalog_of(pack))

    assert named["hardware_key"].tolist() == ["a100", "a100"]
    assert named["accelerators"].tolist()[0] == 8


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 8), st.integers(1, 10**12), st.integers(0, 10**12), st.integers(0, 7))
def test_ranks_on_one_node_count_once(ranks, kwh, more, at):
    """All read the same meters in one hour; one may have seen a little more. What is left is the most that any saw."""
    energies = [kwh + (more if rank == at else 0) for rank in range(ranks)]
    rows = [row(99, energy_pkwh=each, machine=0, concurrent_run=rank) for rank, each in enumerate(energies)]

    found = shares(*rows)

    left = sum(each * (1 - share) for each, share in zip(energies, found, strict=True))
    assert left == pytest.approx(max(energies), rel=1e-9, abs=1)


def test_number_of_a_run_is_a_name_and_no_count_of_rounds():
    began = time.perf_counter()

    found = shares(
        row(99, energy_pkwh=10, machine=0, concurrent_run=0), row(99, energy_pkwh=10, machine=0, concurrent_run=99_999)
    )

    assert found == [0, 1]
    assert time.perf_counter() - began < 0.3


def test_runs_of_other_hours_and_machines_add_up():
    rows = [
        row(99, 0, energy_pkwh=10, machine=0),
        row(99, 1, energy_pkwh=10, machine=0, concurrent_run=1),
        row(99, 0, energy_pkwh=10, machine=1, concurrent_run=1),
    ]

    assert shares(*rows) == [0, 0, 0]


amounts = st.integers(0, 10**6)
measured_rows = st.builds(
    lambda source, hour, by_day, kind, amount, requests: row(
        source,
        hour - hour % 24 if by_day else hour,
        by_day=by_day,
        hardware=kind,
        model=kind,
        device_nh=amount,
        requests=requests,
    ),
    st.sampled_from([AGENT, APP, GATEWAY, BILL]),
    st.integers(0, 47),
    st.booleans(),
    st.sampled_from(["h100", "a100"]),
    amounts,
    amounts,
)


@settings(deadline=None, max_examples=40)
@given(st.lists(measured_rows, min_size=1, max_size=12), st.randoms())
def test_no_order_of_rows_can_show(rows, chance):
    order = list(range(len(rows)))
    chance.shuffle(order)

    found = shares(*rows)
    again = shares(*(rows[at] for at in order))

    assert again == [found[at] for at in order]
    assert all(0 <= share <= 1 for share in found)


@settings(deadline=None, max_examples=40)
@given(st.lists(measured_rows, min_size=1, max_size=12))
def test_what_is_displaced_is_no_more_than_what_displaces(rows):
    # In device-hours of one kind, over both days: the bill loses at most what all better evidence holds.
    one_measure = [{**each, "requests": 0} for each in rows]
    found = shares(*one_measure)
    for kind in ("h100", "a100"):
        own = [(each, share) for each, share in zip(one_measure, found, strict=True) if each["hardware_key"] == kind]
        lost = sum(each["device_nh"] * share for each, share in own if each["source_id"] == BILL)
        better = sum(each["device_nh"] for each, _ in own if each["source_id"] != BILL)
        assert lost <= better + len(rows)  # rounding to whole integers


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 64), st.integers(1, 64), st.integers(1, 10**6))
def test_instrumenting_k_of_n_nodes_displaces_k_nodes(k, n, hours_a_node):
    # Each node has 8 accelerators; the share of the bill that is covered is k / n (law 8), never more than the whole.
    agents = [row(AGENT, hardware="h100", device_nh=8 * hours_a_node) for _ in range(k)]
    bill = row(BILL, accelerators=8, hardware="h100", instance_nh=n * hours_a_node)

    *kept, covered = shares(*agents, bill)

    assert kept == [0] * k
    assert covered == pytest.approx(min(1, k / n), abs=1e-11)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=5), st.floats(0, 1))
def test_parts_add_up_to_the_whole_exactly(values, share):
    cells = pd.DataFrame(dict.fromkeys(SUMMED, values))

    part = covered_parts(cells, np.full(len(cells), share))

    rest = cells[list(MEASURE_COLUMNS)] - part[list(MEASURE_COLUMNS)]
    assert ((rest + part[list(MEASURE_COLUMNS)]) == cells[list(MEASURE_COLUMNS)]).all(axis=None)
    assert (part["records"].abs() <= cells["records"].abs()).all()
    assert ((rest["requests"] >= 0) == (cells["requests"] >= 0)).all() or (rest["requests"] == 0).any()
