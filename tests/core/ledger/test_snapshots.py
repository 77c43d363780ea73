"""Bills restate whole periods: only differences are written, and what a delivery does not cover is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pandas as pd
import pytest
from django.db import connection

from core.identifiers import uuid7
from core.ledger import selectors, services
from core.organizations.tenancy import organization_scope
from core.quantification.rejections import Cover, Rejection

from .conftest import activity, write_batch

BILL = "focus:4711:2026-11"


def line(day, hours=1.0, **changes):
    """A line of a bill: one machine on one day of November 2026, its key made of the day and the account."""
    start = pd.Timestamp(2026, 11, day, tz="UTC")
    account = changes.get("account", "a")
    return {
        "record_id": f"line {account} {day}",
        "started_at": start,
        "ended_at": start + pd.Timedelta(days=1),
        "hosting": "cloud",
        "model": None,
        "instance_type": "p5.48xlarge",
        "requests": None,
        "input_tokens": None,
        "instance_hours": hours,
        "cost": hours * 98.32,
        "currency": "USD",
        "account": account,
        "snapshot": BILL,
        **changes,
    }


def cover(first=1, last=30, account="a"):
    """The days (both included) and the account that a delivery speaks for."""
    ends = datetime(2026, 12, 1, tzinfo=UTC) if last == 30 else datetime(2026, 11, last + 1, tzinfo=UTC)
    return Cover(BILL, {"account": account}, datetime(2026, 11, first, tzinfo=UTC), ends)


@pytest.fixture
def bill(organization):
    return services.ensure_source(organization.id, "focus")


@pytest.fixture
def deliver(bill):
    """Import one delivery and give (written, duplicate, held, log)."""

    def deliver(*lines, covers=None, **options):
        covers = [cover()] if covers is None else covers
        result = write_batch(bill, uuid7(), activity(*lines), cover=covers, **options)
        assert not result.rejected
        return result

    return deliver


def hours(organization):
    """Hours of the bill by day, from the cells: {day: hours}; days that sum to nothing are left out."""
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(
            "select extract(day from hour)::int, sum(instance_nh)::float8 / 1e9 from ledger_cell"
            " where organization_id = %s group by 1 having sum(instance_nh) <> 0 order by 1",
            [organization.id],
        )
        return dict(cursor.fetchall())


def ledger(organization):
    """The ledger's rows of the bill in order of writing: [(id, hours)]."""
    page = selectors.records_page(
        organization.id, from_time=datetime(2026, 11, 1, tzinfo=UTC), to_time=datetime(2026, 12, 1, tzinfo=UTC)
    )
    return sorted((row["record_id"], row["instance_hours"]) for row in page.rows)


def clean(organization):
    return selectors.reconcile_ledger(organization.id, date(2026, 1, 1), date(2027, 1, 1)).empty


def test_a_first_delivery_is_written_by_day(organization, deliver):
    result = deliver(line(1, 24.0), line(2, 12.0))

    assert (result.written, result.duplicate) == (2, 0)
    assert hours(organization) == {1: 24.0, 2: 12.0}
    frame = selectors.cells_of_day(organization.id, date(2026, 11, 1))
    assert frame["hour"].tolist() == [pd.Timestamp("2026-11-01T00:00:00Z")]  # grain day: one cell at its first hour


def test_the_same_delivery_twice_changes_nothing(organization, deliver):
    deliver(line(1, 24.0), line(2, 0.1 + 0.2))
    again = deliver(line(2, 0.1 + 0.2), line(1, 24.0))

    assert (again.written, again.duplicate, again.log) == (0, 2, [])
    assert len(ledger(organization)) == 2


def test_a_changed_line_is_corrected_by_the_difference(organization, deliver):
    deliver(line(1, 24.0), line(2, 12.0))
    result = deliver(line(1, 24.0), line(2, 10.5))

    assert (result.written, result.duplicate) == (1, 1)
    assert hours(organization) == {1: 24.0, 2: 10.5}
    assert ledger(organization) == [("line a 1", 24.0), ("line a 2", 12.0), ("line a 2:r1", -1.5)]
    (correction,) = selectors.corrections_of(organization.id, "line a 2")
    assert (correction["flags"], correction["revision"]) == (["restated"], 1)
    assert clean(organization)


def test_revisions_are_numbered_on(organization, deliver):
    for value in (24.0, 12.0, 18.0, 18.0, 6.0):
        deliver(line(1, value))

    assert ledger(organization) == [
        ("line a 1", 24.0),
        ("line a 1:r1", -12.0),
        ("line a 1:r2", 6.0),
        ("line a 1:r3", -12.0),
    ]
    assert selectors.find_record(organization.id, "line a 1:r2")["instance_hours"] == 6.0


def test_a_vanished_line_is_corrected_away_and_may_come_back(organization, deliver):
    deliver(line(1), line(2), line(3))

    result = deliver(line(1), line(3))
    assert (result.written, result.duplicate) == (0, 2)
    assert result.log == ["1 keys that the ledger held are no longer in the delivery: corrected to zero"]
    assert hours(organization) == {1: 1.0, 3: 1.0}
    assert deliver(line(1), line(3)).log == []

    assert deliver(line(1), line(2), line(3)).written == 1
    assert hours(organization) == {1: 1.0, 2: 1.0, 3: 1.0}
    assert clean(organization)


def refused(record_id=None, **fields):
    return Rejection(7, record_id, "instance_hours", "bad_field", **fields)


@pytest.mark.parametrize("names", [{"record_id": "line a 2"}, {"part_of": ("other", "line a 2")}])
def test_what_stood_for_a_refused_row_stands_until_it_is_mended(organization, deliver, names):
    deliver(line(1), line(2, 5.0), line(3))

    result = deliver(line(1, 4.0), refused=[refused(**names)])

    # the first line is restated, the second is in quarantine, the third is gone
    assert hours(organization) == {1: 4.0, 2: 5.0}
    assert result.log[0] == "1 keys stand as the ledger holds them: rows that may be theirs are in quarantine"
    deliver(line(1, 4.0), line(2, 6.0))
    assert hours(organization) == {1: 4.0, 2: 6.0}
    assert clean(organization)


def test_a_key_of_which_one_row_is_refused_stands_whole(organization, deliver):
    deliver(line(1, 24.0), line(1, 12.0))

    result = deliver(line(1, 24.0), refused=[refused("line a 1")], confirmed=True)

    assert (result.written, result.duplicate) == (0, 1)
    assert hours(organization) == {1: 36.0}


def test_while_a_refused_row_does_not_say_what_it_is_nothing_vanishes(organization, deliver):
    deliver(line(1), line(2), line(3))

    deliver(line(1), line(3, 2.0), refused=[refused()])
    assert hours(organization) == {1: 1.0, 2: 1.0, 3: 2.0}

    deliver(line(1), line(3, 2.0))
    assert hours(organization) == {1: 1.0, 3: 2.0}


def test_what_would_be_no_record_keeps_nothing(organization, deliver):
    deliver(line(1), line(2), line(3))

    deliver(line(1), line(3), refused=[refused(part_of=())])

    assert hours(organization) == {1: 1.0, 3: 1.0}


def test_what_is_told_otherwise_does_not_stand_beside_it(organization, deliver):
    deliver(line(1), line(2))
    by_hours = line(1, 0.5, record_id="hour", snapshot="by hours", ended_at=pd.Timestamp(2026, 11, 1, 1, tz="UTC"))

    covers = [Cover("by hours"), replace(cover(1, 1), told_otherwise=True)]
    deliver(by_hours, covers=covers, refused=[refused()], confirmed=True)

    assert hours(organization) == {1: 0.5, 2: 1.0}


def test_a_row_that_never_stood_is_written_in_part_until_it_is_mended(organization, deliver):
    deliver(line(1, 24.0), refused=[refused("line a 1")])

    assert hours(organization) == {1: 24.0}


def test_two_halves_of_a_month_add_up(organization, deliver):
    deliver(line(1), line(15), covers=[cover(1, 15)])
    deliver(line(16), line(30), covers=[cover(16, 30)])

    assert hours(organization) == {1: 1.0, 15: 1.0, 16: 1.0, 30: 1.0}


def test_overlapping_halves_count_the_overlap_once_and_the_later_value_stands(organization, deliver):
    deliver(line(1), line(10, 5.0), covers=[cover(1, 10)])
    deliver(line(10, 7.0), line(20), covers=[cover(10, 20)])

    assert hours(organization) == {1: 1.0, 10: 7.0, 20: 1.0}


def test_a_whole_month_replaces_both_halves(organization, deliver):
    deliver(line(1), line(2), covers=[cover(1, 15)])
    deliver(line(16), line(17), covers=[cover(16, 30)])

    deliver(line(1, 2.0), line(16, 2.0), line(17, 2.0))

    assert hours(organization) == {1: 2.0, 16: 2.0, 17: 2.0}
    assert clean(organization)


def test_other_accounts_of_the_same_bill_are_left_alone(organization, deliver):
    deliver(line(1), line(1, account="b"), covers=[cover(), cover(account="b")])

    deliver(line(2), line(3))

    assert hours(organization) == {1: 1.0, 2: 1.0, 3: 1.0}


def test_a_cover_can_name_an_empty_column(organization, deliver):
    deliver(line(1, account=None), line(2, account=None), line(3), covers=[cover(account=None), cover()])

    deliver(line(1, account=None), covers=[cover(account=None)])

    assert hours(organization) == {1: 1.0, 3: 1.0}


def test_a_cover_that_no_series_could_meet_is_a_fault_of_the_adapter(organization, deliver):
    with pytest.raises(ValueError, match="not run"):
        deliver(line(1), covers=[Cover(BILL, {"run": "x"})])


def test_equal_keys_in_one_delivery_are_summed(organization, deliver):
    lines = [line(1, 1.0), line(1, 2.5), line(1, -0.25)]
    assert deliver(*lines).written == 3

    again = deliver(lines[2], lines[0], lines[1])
    assert (again.written, again.duplicate) == (0, 3)
    assert ledger(organization) == [("line a 1", 3.25)]


def test_a_line_whose_dimensions_change_moves_to_its_new_series(organization, deliver):
    deliver(line(1, team="search"))

    assert deliver(line(1, team="nlp")).written == 1

    assert hours(organization) == {1: 1.0}
    rows = {
        row["record_id"]: (row["team"], row["instance_hours"])
        for row in selectors.records_page(
            organization.id, from_time=datetime(2026, 11, 1, tzinfo=UTC), to_time=datetime(2026, 12, 1, tzinfo=UTC)
        ).rows
    }
    assert rows == {"line a 1": ("search", 1.0), "line a 1:r1": ("nlp", 1.0), "line a 1:r2": ("search", -1.0)}
    assert clean(organization)


def test_a_changed_utilization_moves_the_hinge_hours_exactly(organization, deliver):
    deliver(line(1, 10.0, instance_utilization=0.6))
    deliver(line(1, 10.0, instance_utilization=0.2))

    frame = selectors.cells_of_day(organization.id, date(2026, 11, 1))
    assert frame[["instance_nh", "instance_low_nh", "instance_middle_nh", "instance_high_nh"]].sum().tolist() == [
        10_000_000_000,
        1_000_000_000,
        1_000_000_000,
        0,
    ]


def test_a_line_of_zeros_is_a_record_once(organization, deliver):
    assert deliver(line(1, 0.0)).written == 1
    assert deliver(line(1, 0.0)).duplicate == 1


def test_a_delivery_with_less_than_half_is_held(organization, deliver):
    deliver(*(line(day) for day in range(1, 11)))

    result = deliver(*(line(day) for day in range(1, 5)))

    assert "has 4 keys where the ledger holds 10" in result.held
    assert (result.written, result.duplicate, result.log) == (0, 0, [])
    assert len(hours(organization)) == 10


def test_a_held_delivery_is_written_once_confirmed(organization, deliver):
    deliver(*(line(day) for day in range(1, 11)))

    result = deliver(*(line(day) for day in range(1, 5)), confirmed=True)

    assert (result.written, result.duplicate, result.held) == (0, 4, None)
    assert len(hours(organization)) == 4


def test_a_confirmed_delivery_of_nothing_takes_everything_back(organization, deliver):
    deliver(line(1), line(2))

    deliver(confirmed=True, covers=[Cover(BILL)])

    assert hours(organization) == {}
    assert clean(organization)


def test_a_shrunken_delivery_may_shrink_on_after_keys_were_corrected_away(organization, deliver):
    deliver(*(line(day) for day in range(1, 11)))
    deliver(*(line(day) for day in range(1, 7)))

    assert deliver(*(line(day) for day in range(1, 4))).held is None


def test_deliveries_of_one_group_are_compared_in_their_order(organization, bill):
    first, second = uuid7(), uuid7()
    with services.Writer(organization.id) as writer:
        writer.stage(activity(line(1, 24.0), line(2)), source_id=bill.id, batch_id=first, cover=[cover()])
        writer.stage(activity(line(1, 12.0)), source_id=bill.id, batch_id=second, cover=[cover()])
        result = writer.commit()

    assert (result.batches[first].written, result.batches[second].written) == (2, 1)
    assert hours(organization) == {1: 12.0}
    assert clean(organization)


def test_an_id_of_an_appended_record_cannot_be_restated(organization, bill):
    write_batch(bill, uuid7(), activity(line(1, snapshot=None)))

    result = write_batch(bill, uuid7(), activity(line(1), line(2)), cover=[cover()])

    assert (result.written, [each.reason for each in result.rejected]) == (1, ["conflicting_duplicate"])
    assert hours(organization) == {1: 1.0, 2: 1.0}


def test_large_amounts_are_corrected_within_the_precision_of_a_double(organization, deliver):
    big = {"energy_boundary": "it"}
    deliver(line(1, energy_kwh=8_123_456.789012345, **big))
    deliver(line(1, energy_kwh=1_234_567.890123456, **big))

    again = deliver(line(1, energy_kwh=1_234_567.890123456, **big))

    assert (again.written, again.duplicate) == (0, 1)
    total = int(selectors.cells_of_day(organization.id, date(2026, 11, 1))["energy_pkwh"].sum())
    assert abs(total - 1_234_567_890_123_456_000) < 10_000  # 1e-8 kWh


def test_sums_that_fit_no_integer_hold_the_delivery_and_not_the_group(organization, bill, source):
    big = {"energy_boundary": "it", "energy_kwh": 9e6}
    delivery, other = uuid7(), uuid7()
    with services.Writer(organization.id) as writer:
        writer.stage(activity(line(1, **big), line(1, **big)), source_id=bill.id, batch_id=delivery, cover=[cover()])
        writer.stage(activity({}), source_id=source.id, batch_id=other)
        result = writer.commit()

    assert "do not fit" in result.batches[delivery].held
    assert result.batches[other].written == 1
    assert hours(organization) == {}
