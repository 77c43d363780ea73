"""What a ledger promises: every record once, the first one stands, corrections cancel, cells are the sum of records."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID

import pandas as pd
import pytest
from django.db import OperationalError, connection
from psycopg.errors import DeadlockDetected

from core.identifiers import uuid7
from core.ledger import insertion, selectors, series, services
from core.organizations.tenancy import organization_scope

from .conftest import activity, write_batch

BATCH = uuid7()
YEAR = (date(2026, 1, 1), date(2027, 12, 31))


def cells(organization, day=date(2026, 11, 3)):
    """Sums of the cells of a day: {hour: (records, requests, input_tokens)}."""
    frame = selectors.cells_of_day(organization.id, day)
    sums = frame.groupby(frame["hour"].dt.hour)[["records", "requests", "input_tokens"]].sum()
    return {hour: tuple(values) for hour, values in zip(sums.index, sums.to_numpy().tolist(), strict=True)}


def count(organization, table="ledger_record"):
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(f"select count(*) from {table} where organization_id = %s", [organization.id])
        return cursor.fetchone()[0]


def counts(result):
    return result.written, result.duplicate, [rejection.reason for rejection in result.rejected]


def clean(organization):
    return selectors.reconcile_ledger(organization.id, *YEAR).empty


def test_a_record_becomes_a_ledger_row_a_cell_and_a_dirty_day(organization, write):
    assert counts(write({})) == (1, 0, [])

    assert cells(organization) == {10: (1, 1, 100)}
    assert list(selectors.dirty_days(organization.id).days) == [date(2026, 11, 3)]
    row = selectors.find_record(organization.id, "r1")
    assert (row["input_tokens"], row["output_tokens"], row["team"], row["record_id"]) == (100, None, "search", "r1")


def test_the_same_payload_twice_counts_once(organization, write):
    write({}, {"record_id": "r2"})
    again = write({}, {"record_id": "r2"})

    assert counts(again) == (0, 2, [])
    assert cells(organization) == {10: (2, 2, 200)}


def test_overlapping_cuts_of_one_export_count_once(organization, write):
    records = [{"record_id": f"r{number}"} for number in range(6)]
    write(*records[:4])

    assert counts(write(*records[2:])) == (2, 2, [])
    assert cells(organization) == {10: (6, 6, 600)}


def test_an_id_twice_in_one_payload_counts_once(organization, write):
    assert counts(write({}, {"record_id": "r2"}, {})) == (2, 1, [])
    assert cells(organization) == {10: (2, 2, 200)}


def test_the_first_of_conflicting_records_stands(organization, write):
    write({})

    result = write({"input_tokens": 7, "row": 5})

    assert counts(result) == (0, 0, ["conflicting_duplicate"])
    assert (result.rejected[0].row, result.rejected[0].record_id) == (5, "r1")
    assert result.rejected[0].payload["input_tokens"] == 7
    assert cells(organization) == {10: (1, 1, 100)}


def test_a_conflict_is_noticed_in_another_month_too(organization, write):
    write({})

    assert counts(write({"started_at": pd.Timestamp("2026-12-03T10:40:00Z")})) == (
        0,
        0,
        ["conflicting_duplicate"],
    )
    assert count(organization) == 1


def test_conflicts_inside_one_payload_keep_the_first(organization, write):
    assert counts(write({}, {"input_tokens": 7})) == (1, 0, ["conflicting_duplicate"])
    assert cells(organization) == {10: (1, 1, 100)}


def test_an_id_that_comes_again_in_a_later_chunk_of_the_group_counts_once(organization, source):
    first, second = uuid7(), uuid7()
    with services.Writer(organization.id) as writer:
        for batch, changes in ((first, {}), (second, {}), (second, {"input_tokens": 7})):
            writer.stage(activity(changes, {"record_id": f"{batch}{changes}"}), source_id=source.id, batch_id=batch)
            writer._flush(source.id)
        result = writer.commit()

    assert counts(result.batches[first]) == (2, 0, [])
    assert counts(result.batches[second]) == (2, 1, ["conflicting_duplicate"])
    assert cells(organization) == {10: (4, 4, 400)}
    assert clean(organization)


def test_what_loses_inside_a_group_is_quarantined_as_it_was_sent(organization, source):
    sent = {
        "techniques": ["pruned"],
        "labels": {"cost_center": 4711},
        "flags": ["partial"],
        "row": 3,
        "energy_kwh": 0.5,
    }
    with services.Writer(organization.id) as writer:
        for changes in ({}, {**sent, "energy_boundary": "it"}):
            writer.stage(activity(changes), source_id=source.id, batch_id=BATCH)
            writer._flush(source.id)
        (rejection,) = writer.commit().batches[BATCH].rejected

    assert (rejection.row, rejection.record_id, rejection.reason) == (3, "r1", "conflicting_duplicate")
    assert {name: rejection.payload[name] for name in ("techniques", "labels", "flags", "energy_kwh", "ended_at")} == {
        "techniques": ["pruned"],
        "labels": {"cost_center": 4711},
        "flags": ["partial"],
        "energy_kwh": 0.5,
        "ended_at": "2026-11-03T10:40:00Z",
    }


def test_a_known_id_that_the_sample_of_a_large_chunk_misses_is_found_by_the_insert(organization, write, monkeypatch):
    monkeypatch.setattr(insertion, "SAMPLED_ROWS", 2)
    monkeypatch.setattr(insertion, "SAMPLE_STEP", 1_000)
    write({"record_id": "r5"}, {"record_id": "r7"})

    result = write(*({"record_id": f"r{n}", "input_tokens": 7 if n == 7 else 100} for n in range(10)))

    assert counts(result) == (8, 1, ["conflicting_duplicate"])
    assert cells(organization) == {10: (10, 10, 1000)}
    assert clean(organization)


def test_many_batches_share_one_transaction(organization, source):
    batches = [uuid7() for _ in range(50)]
    with services.Writer(organization.id) as writer:
        for number, batch in enumerate(batches):
            writer.stage(activity({"record_id": f"r{number // 2}"}), source_id=source.id, batch_id=batch)
        result = writer.commit()

    assert [result.batches[batch].written for batch in batches] == [1, 0] * 25
    assert [result.batches[batch].duplicate for batch in batches] == [0, 1] * 25
    assert result.records == 25


def test_one_frame_may_hold_rows_of_several_batches(organization, source):
    batches = [uuid7(), uuid7()]
    with services.Writer(organization.id) as writer:
        frame = activity({}, {"record_id": "r2"}, {"record_id": "r3"})
        writer.stage(frame, source_id=source.id, batch_id=[batches[0], batches[1], batches[1]])
        result = writer.commit()

    assert [result.batches[batch].written for batch in batches] == [1, 2]


def test_sources_have_ids_of_their_own(organization, write):
    other = services.ensure_source(organization.id, "activity", "second gateway")
    write({})

    assert counts(write({}, to=other)) == (1, 0, [])
    assert cells(organization) == {10: (2, 2, 200)}


def test_a_correction_cancels_in_every_hour_and_counts_no_record(organization, write):
    span = {"started_at": pd.Timestamp("2026-11-03T10:40:00Z"), "ended_at": pd.Timestamp("2026-11-03T13:10:00Z")}
    write({**span, "input_tokens": 1000})

    write({**span, "record_id": "r1-", "corrects": "r1", "requests": -1, "input_tokens": -1000})

    assert cells(organization) == {hour: (int(hour == 10), 0, 0) for hour in (10, 11, 12, 13)}
    assert [row["record_id"] for row in selectors.corrections_of(organization.id, "r1")] == ["r1-"]
    assert clean(organization)


def test_absent_measures_stay_absent(organization, write):
    write({"energy_kwh": None, "cost": 0.0, "currency": "EUR"})

    row = selectors.find_record(organization.id, "r1")
    assert (row["energy_kwh"], row["cost"]) == (None, 0.0)


def test_everything_of_a_record_is_kept(organization, write):
    sent = {
        "ended_at": pd.Timestamp("2026-11-03T10:50:00.000001Z"),
        "run": "run-7",
        "request": "req ä",
        "trace": "t1",
        "flags": ["naive_time", "partial"],
        "techniques": ["quantized:int8", "pruned"],
        "labels": {"cost_center": "4711", "gpu": 2, "spot": True},
        "generation_s": 1.25,
    }
    write(sent)

    (row,) = selectors.records_page(
        organization.id,
        from_time=datetime(2026, 11, 3, tzinfo=UTC),
        to_time=datetime(2026, 11, 4, tzinfo=UTC),
    ).rows
    assert {name: row[name] for name in sent} == {
        **sent,
        "techniques": ["pruned", "quantized:int8"],
        "ended_at": datetime(2026, 11, 3, 10, 50, 0, 1, tzinfo=UTC),
    }


def test_a_value_that_fits_no_cell_is_quarantined_beside_the_others(organization, write):
    result = write({}, {"record_id": "r2", "energy_kwh": 1e7, "energy_boundary": "it"})

    assert counts(result) == (1, 0, ["bad_field"])
    assert result.rejected[0].field == "energy_kwh"
    assert cells(organization) == {10: (1, 1, 100)}


def test_a_sum_that_fits_no_cell_is_quarantined_and_the_rest_is_written(organization, write):
    huge = {"energy_kwh": 9e6, "energy_boundary": "it"}
    write({**huge})

    result = write({**huge, "record_id": "r2"}, {"record_id": "r3"})

    assert counts(result) == (1, 0, ["bad_field"])
    assert result.rejected[0].record_id == "r2"
    assert clean(organization)


def test_old_and_future_months_get_their_partition_on_demand(organization, write):
    result = write(
        {"started_at": pd.Timestamp("2024-02-29T23:59:59.999999Z")},
        {"record_id": "r2", "started_at": pd.Timestamp("2026-12-31T23:00:00Z")},
    )

    assert counts(result) == (2, 0, [])
    assert selectors.find_record(organization.id, "r1")["input_tokens"] == 100


def test_what_finish_writes_stands_or_falls_with_the_group(organization, source):
    def finish(result):
        raise ValueError("the inbox could not be written")

    with services.Writer(organization.id) as writer:
        writer.stage(activity({}), source_id=source.id, batch_id=uuid7())
        with pytest.raises(ValueError, match="inbox"):
            writer.commit(finish)

    assert (count(organization), count(organization, "ledger_identity"), cells(organization)) == (0, 0, {})


def test_leaving_without_commit_writes_nothing_and_the_next_writer_starts_empty(organization, source):
    with services.Writer(organization.id) as writer:
        writer.stage(activity({}), source_id=source.id, batch_id=uuid7())
        writer._flush(source.id)

    result = write_batch(source, uuid7(), activity({"record_id": "r2"}))

    assert (counts(result), count(organization)) == ((1, 0, []), 1)


def test_a_deadlock_repeats_the_transaction_and_not_the_staging(organization, source):
    attempts = []

    def finish(result):
        attempts.append(result.records)
        if len(attempts) < 3:
            raise OperationalError from DeadlockDetected()

    batch = uuid7()
    with services.Writer(organization.id) as writer:
        writer.stage(activity({}, {"record_id": "r2"}), source_id=source.id, batch_id=batch)
        result = writer.commit(finish)

    assert attempts == [2, 2, 2]
    assert counts(result.batches[batch]) == (2, 0, [])
    assert cells(organization) == {10: (2, 2, 200)}


def test_a_failure_that_would_not_pass_is_raised(organization, source):
    def finish(result):
        raise OperationalError("the server is gone")

    with services.Writer(organization.id) as writer:
        writer.stage(activity({}), source_id=source.id, batch_id=uuid7())
        with pytest.raises(OperationalError, match="gone"):
            writer.commit(finish)


def test_too_many_new_series_are_held_with_the_label_that_makes_them(organization, source, monkeypatch):
    monkeypatch.setattr(series, "NEW_SERIES_A_MONTH", 10)
    flood = activity(*({"record_id": f"r{n}", "labels": {"zone": "a", "session": f"s{n}"}} for n in range(12)))
    bad, good = uuid7(), uuid7()

    with services.Writer(organization.id) as writer:
        writer.stage(flood.iloc[:1], source_id=source.id, batch_id=bad)
        writer._flush(source.id)
        writer.stage(activity({"record_id": "fine"}), source_id=source.id, batch_id=good)
        writer._flush(source.id)
        writer.stage(flood.iloc[1:].reset_index(drop=True), source_id=source.id, batch_id=bad)
        result = writer.commit()

    assert "the label 'session'" in result.batches[bad].held
    assert counts(result.batches[bad]) == (0, 0, [])
    assert counts(result.batches[good]) == (1, 0, [])
    assert cells(organization) == {10: (1, 1, 100)}
    assert clean(organization)


def test_a_confirmed_flood_of_series_is_written(organization, source, monkeypatch):
    monkeypatch.setattr(series, "NEW_SERIES_A_MONTH", 10)
    flood = activity(*({"record_id": f"r{n}", "labels": {"session": f"s{n}"}} for n in range(12)))

    assert counts(write_batch(source, uuid7(), flood, confirmed=True)) == (12, 0, [])


def test_a_confirmed_flood_is_written_also_beside_one_that_is_held(organization, source, monkeypatch):
    monkeypatch.setattr(series, "NEW_SERIES_A_MONTH", 10)
    confirmed, waiting = uuid7(), uuid7()

    with services.Writer(organization.id) as writer:
        for batch_id, first in ((confirmed, 0), (waiting, 8)):
            numbers = range(first, first + 12)
            flood = activity(*({"record_id": f"{batch_id}{n}", "labels": {"session": f"s{n}"}} for n in numbers))
            writer.stage(flood, source_id=source.id, batch_id=batch_id, confirmed=batch_id == confirmed)
        result = writer.commit()

    assert counts(result.batches[confirmed]) == (12, 0, [])
    assert result.batches[waiting].held
    assert clean(organization)


def test_month_long_records_are_spread_without_holding_all_their_hours(organization, source):
    month = {"started_at": pd.Timestamp("2026-11-01T00:00:00Z"), "ended_at": pd.Timestamp("2026-12-01T00:00:00Z")}
    frame = activity(*({"record_id": f"r{n}", **month, "input_tokens": 1_000_003} for n in range(300)))

    write_batch(source, uuid7(), frame)

    assert len(selectors.dirty_days(organization.id).days) == 30
    assert clean(organization)


def test_batches_name_the_records_they_wrote(organization, source):
    batch = uuid7()
    write_batch(source, batch, activity({}))
    page = selectors.records_page(
        organization.id,
        from_time=datetime(2026, 1, 1, tzinfo=UTC),
        to_time=datetime(2027, 1, 1, tzinfo=UTC),
        batch_id=batch,
    )

    assert [row["record_id"] for row in page.rows] == ["r1"]
    assert isinstance(page.rows[0]["batch_id"], UUID)
