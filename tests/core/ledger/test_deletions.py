"""A deleted period of a source: nothing is removed, every cell loses what it had, and gets exactly that back."""

from __future__ import annotations

import json
from datetime import date

import pandas as pd
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.identifiers import uuid7
from core.ledger import deletions, selectors, services
from core.ledger.identities import standing_ids
from core.ledger.models import Deletion, DeletionState
from core.organizations.models import AuditEvent
from core.organizations.tenancy import organization_scope
from core.quantification.rejections import Cover

from .conftest import activity, write_batch
from .test_laws import MONTH, YEARS, delivered, pushed, undone

pytestmark = pytest.mark.django_db
NOVEMBER = {"from_day": date(2026, 11, 1), "to_day": date(2026, 11, 30)}


def delete(source, reason="sent by mistake", **period):
    asked = deletions.ask_deletion(
        organization_id=source.organization_id,
        source_id=source.id,
        reason=reason,
        name=source.name,
        **(NOVEMBER | period),
    )
    return deletions.work_on(source.organization_id, asked.id)


def restore(deletion):
    deletions.ask_restore(organization_id=deletion.organization_id, deletion_id=deletion.id)
    return deletions.work_on(deletion.organization_id, deletion.id)


def cells(organization, *, empty=True):
    """All cells: (series, hour, sums); without those whose measures are all 0 unless asked for."""
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select to_jsonb(c) - 'organization_id' from ledger_cell c order by hour, series_id")
        found = [json.loads(cell) for (cell,) in cursor.fetchall()]
    named = {"series_id", "hour", "records"}
    return [cell for cell in found if empty or any(cell[name] for name in cell.keys() - named)]


def total(organization, measure="input_tokens"):
    return sum(cell[measure] for cell in cells(organization))


def test_a_deleted_period_is_taken_out_of_the_cells_and_the_rest_stays(organization, source, write):
    write({"record_id": "a"}, {"record_id": "b", "started_at": pd.Timestamp("2026-12-01T00:00:00Z")})

    deletion = delete(source)

    assert (deletion.state, deletion.records) == (DeletionState.DELETED, 1)
    assert total(organization) == 100  # b's; a had 100 as well
    assert selectors.reconcile_ledger(organization.id, *YEARS).empty
    days = selectors.dirty_days(organization.id).days
    assert date(2026, 11, 3) in days


def test_records_are_never_removed(organization, source, write):
    write({"record_id": "a"})

    delete(source)

    rows = selectors.records_page(organization.id, **MONTH, with_deleted=True).rows
    assert sorted((row["input_tokens"], row["flags"]) for row in rows) == [(-100, ["deleted"]), (100, None)]
    assert [row["input_tokens"] for row in selectors.corrections_of(organization.id, "a")] == [-100]


def test_lists_leave_out_what_is_deleted_and_show_it_again_once_it_is_restored(organization, source, write):
    write({"record_id": "a"}, {"record_id": "b"})
    deletion = delete(source)
    write({"record_id": "b", "input_tokens": 7})

    def listed():
        rows = selectors.records_page(organization.id, **MONTH).rows
        return sorted((row["record_id"], row["input_tokens"]) for row in rows)

    assert listed() == [("b:r1", 7)]
    restore(deletion)
    assert listed() == [("a", 100), ("b:r1", 7)]


def test_other_sources_keep_theirs(organization, source, write):
    other = services.ensure_source(organization.id, "activity", "other")
    write({"record_id": "a"})
    write({"record_id": "a"}, to=other)

    delete(source)

    assert total(organization) == 100


def test_what_is_sent_again_after_its_deletion_counts_once(organization, source, write):
    write({"record_id": "a"})
    delete(source)

    again, once_more = write({"record_id": "a"}), write({"record_id": "a"})

    assert (again.written, again.duplicate) == (1, 0)
    assert (once_more.written, once_more.duplicate) == (0, 1)
    assert total(organization) == 100
    assert sum(cell["records"] for cell in cells(organization)) == 1


def test_an_id_is_free_after_its_deletion_until_it_is_sent_again(organization, source, write):
    write({"record_id": "a"}, {"record_id": "b"})
    before = standing_ids(organization.id, source.id, ["a", "b", "c"])
    delete(source)
    deleted = standing_ids(organization.id, source.id, ["a", "b", "c"])
    write({"record_id": "b"})
    sent_again = standing_ids(organization.id, source.id, ["a", "b", "c"])
    delete(source)

    assert (before, deleted, sent_again) == ({"a", "b"}, set(), {"b"})
    assert standing_ids(organization.id, source.id, ["a", "b"]) == set()


def test_it_may_be_sent_again_corrected(organization, source, write):
    write({"record_id": "a"})
    delete(source)

    again = write({"record_id": "a", "input_tokens": 70, "team": "nlp"})

    assert (again.written, again.rejected) == (1, [])
    assert total(organization) == 70


def test_what_was_sent_again_is_not_restored_beside_it(organization, source, write):
    write({"record_id": "a"}, {"record_id": "b", "input_tokens": 5})
    deletion = delete(source)
    write({"record_id": "a", "input_tokens": 70})

    restored = restore(deletion)

    assert (restored.state, restored.restored) == (DeletionState.RESTORED, 1)
    assert total(organization) == 75


def test_a_second_deletion_and_both_taken_back_in_any_order(organization, source, write):
    write({"record_id": "a"})
    first = delete(source)
    write({"record_id": "a", "input_tokens": 70})
    second = delete(source)
    assert total(organization) == 0

    restore(first)
    assert total(organization) == 0  # what was sent again is what was deleted last
    restore(second)
    assert total(organization) == 70


def test_deleting_again_after_restoring_takes_back_once(organization, source, write):
    write({"record_id": "a"})
    restore(delete(source))

    again = delete(source)

    assert again.records == 1
    assert total(organization) == 0
    assert selectors.reconcile_ledger(organization.id, *YEARS).empty


def bill(cost, day=3):
    start = pd.Timestamp(2026, 11, day, tz="UTC")
    return {
        "record_id": f"line {day}",
        "started_at": start,
        "ended_at": start + pd.Timedelta(days=1),
        "requests": None,
        "input_tokens": None,
        "cost": cost,
        "currency": "EUR",
        "snapshot": "bill",
    }


def test_a_bill_that_is_delivered_again_after_its_deletion_counts_once(organization, source):
    write_batch(source, uuid7(), activity(bill(10.0)), cover=[Cover("bill")])
    write_batch(source, uuid7(), activity(bill(12.0)), cover=[Cover("bill")])
    deletion = delete(source)
    assert total(organization, "nano_cost") == 0

    write_batch(source, uuid7(), activity(bill(12.0)), cover=[Cover("bill")])
    write_batch(source, uuid7(), activity(bill(12.0)), cover=[Cover("bill")])
    assert total(organization, "nano_cost") == 12_000_000_000

    restored = restore(deletion)
    assert restored.restored == 0
    assert total(organization, "nano_cost") == 12_000_000_000


def test_a_restored_bill_takes_the_next_delivery_as_before(organization, source):
    write_batch(source, uuid7(), activity(bill(10.0)), cover=[Cover("bill")])
    restore(delete(source))
    assert total(organization, "nano_cost") == 10_000_000_000

    same = write_batch(source, uuid7(), activity(bill(10.0)), cover=[Cover("bill")])
    write_batch(source, uuid7(), activity(bill(11.5)), cover=[Cover("bill")])

    assert (same.written, same.duplicate) == (0, 1)
    assert total(organization, "nano_cost") == 11_500_000_000


def test_interrupted_work_goes_on_where_it_was(organization, source, write):
    write(*({"record_id": f"r{day}", "started_at": pd.Timestamp(2026, 11, day, 10, tz="UTC")} for day in range(1, 6)))
    asked = deletions.ask_deletion(
        organization_id=organization.id, source_id=source.id, reason="x", name=source.name, **NOVEMBER
    )

    stopped = deletions.work_on(organization.id, asked.id, seconds=0)
    assert (stopped.state, stopped.days, stopped.days_done) == (DeletionState.DELETING, 5, 0)
    done = deletions.work_on(organization.id, asked.id)
    again = deletions.work_on(organization.id, asked.id)

    assert (done.state, done.days_done, done.records) == (DeletionState.DELETED, 5, 5)
    assert again.records == 5
    assert total(organization) == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"name": "another"}, "name"),
        ({"to_day": date(2026, 10, 1)}, "to_day"),
        ({"from_day": date(2020, 1, 1), "to_day": date(2020, 1, 2)}, "from_day"),
    ],
)
def test_what_is_not_said_rightly_deletes_nothing(organization, source, write, change, field):
    write({"record_id": "a"})
    said = {"reason": "x", "name": source.name, **NOVEMBER}

    with pytest.raises(deletions.DeletionError) as refused:
        deletions.ask_deletion(organization_id=organization.id, source_id=source.id, **(said | change))

    assert refused.value.field == field
    assert total(organization) == 100


def test_who_deleted_and_why_stays_in_the_audit_log(organization, source, write):
    write({"record_id": "a"})
    restore(delete(source, reason="wrong cluster"))

    with organization_scope(organization.id):
        events = list(AuditEvent.objects.filter(object_id=str(source.id)).order_by("sequence"))
    assert [event.action for event in events if "source_data" in event.action] == [
        "delete_source_data",
        "source_data_deleted",
        "restore_source_data",
        "source_data_restored",
    ]
    assert events[-4].reason == "wrong cluster"
    assert events[-4].after["records"] == 1


def test_a_deletion_of_another_organization_is_not_there(organization, other_organization, source, write):
    write({"record_id": "a"})
    deletion = delete(source)

    with organization_scope(other_organization.id):
        assert not Deletion.objects.exists()
    with pytest.raises(deletions.DeletionError):
        deletions.ask_restore(organization_id=other_organization.id, deletion_id=deletion.id)


# --- any ledger -------------------------------------------------------------------------------------------------------

imports = st.lists(
    st.tuples(st.just("push"), st.lists(pushed(), min_size=1, max_size=6))
    | st.tuples(st.just("bill"), st.lists(delivered(), max_size=6)),
    min_size=1,
    max_size=4,
)
ROUNDING_NANO = 100
"""Differences of a bill are compared by their rounding: what was deleted comes back but for so much money."""


def above_rounding(found):
    """Leave out the cells that hold nothing but less money than that."""
    named = {"series_id", "hour", "records", "nano_cost"}
    return [
        cell
        for cell in found
        if abs(cell["nano_cost"]) > ROUNDING_NANO or any(cell[name] for name in cell.keys() - named)
    ]


november_days = st.integers(1, 30).map(lambda day: date(2026, 11, day))


def bring_in(sources, sequence):
    for kind, records in sequence:
        cover = [Cover("bill")] if kind == "bill" else []
        write_batch(sources[kind], uuid7(), activity(*records), cover=cover, confirmed=True)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=imports, days=st.tuples(november_days, november_days).map(sorted))
def test_delete_then_undo_leaves_every_cell_as_it_was(organization, sequence, days):
    with undone():
        sources = {kind: services.ensure_source(organization.id, kind) for kind in ("push", "bill")}
        bring_in(sources, sequence)
        before = cells(organization)

        made = [
            delete(source, from_day=days[0], to_day=days[1])
            for source in sources.values()
            if deletions.extent_of(organization.id, source.id, *days).records
        ]
        assert selectors.reconcile_ledger(organization.id, *YEARS).empty
        for deletion in made:
            restore(deletion)

        assert cells(organization) == before
        assert selectors.reconcile_ledger(organization.id, *YEARS).empty


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=imports)
def test_everything_deleted_leaves_nothing_and_imported_again_counts_once(organization, sequence):
    with undone():
        sources = {kind: services.ensure_source(organization.id, kind) for kind in ("push", "bill")}
        bring_in(sources, sequence)
        before = above_rounding(cells(organization, empty=False))

        made = [
            delete(source, from_day=date(2026, 10, 1), to_day=date(2026, 12, 31))
            for source in sources.values()
            if deletions.extent_of(organization.id, source.id, date(2026, 10, 1), date(2026, 12, 31)).records
        ]
        assert cells(organization, empty=False) == []
        bring_in(sources, sequence + sequence)

        for now, then in zip(above_rounding(cells(organization, empty=False)), before, strict=True):
            costs = now.pop("nano_cost"), then.pop("nano_cost")
            assert abs(costs[0] - costs[1]) <= ROUNDING_NANO
            assert now == then
        for deletion in made:
            restore(deletion)
        assert selectors.reconcile_ledger(organization.id, *YEARS).empty
        assert sum(cell["requests"] for cell in cells(organization)) == sum(cell["requests"] for cell in before)
