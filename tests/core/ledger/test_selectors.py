"""Pages of records, series and reconciliation."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from django.db import connection

from core.ledger import selectors, services
from core.organizations.tenancy import organization_scope

NOVEMBER = {"from_time": datetime(2026, 11, 1, tzinfo=UTC), "to_time": datetime(2026, 12, 1, tzinfo=UTC)}


def at(hour, minute=0, day=3):
    return pd.Timestamp(2026, 11, day, hour, minute, tz="UTC")


def test_pages_of_records_go_on_where_the_last_one_ended(organization, write):
    write(*({"record_id": f"r{number}", "started_at": at(number // 2)} for number in range(7)))

    seen, cursor = [], None
    while True:
        page = selectors.records_page(organization.id, cursor=cursor, limit=2, **NOVEMBER)
        seen += [row["record_id"] for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break

    assert sorted(seen) == [f"r{number}" for number in range(7)]
    assert seen[0] == "r6"


def test_records_can_be_narrowed_to_series_run_and_time(organization, write):
    write(
        {"team": "a"}, {"record_id": "r2", "team": "b", "run": "run-1"}, {"record_id": "r3", "started_at": at(1, day=5)}
    )
    wanted = selectors.find_record(organization.id, "r2")["series_id"]

    def ids(**filters):
        return [row["record_id"] for row in selectors.records_page(organization.id, **{**NOVEMBER, **filters}).rows]

    assert ids(series_ids=[wanted]) == ["r2"]
    assert ids(run="run-1") == ["r2"]
    assert ids(from_time=datetime(2026, 11, 4, tzinfo=UTC)) == ["r3"]
    assert ids(series_ids=[]) == []


def test_a_cursor_from_elsewhere_is_refused(organization):
    with pytest.raises(ValueError, match="start again"):
        selectors.records_page(organization.id, cursor="nonsense", **NOVEMBER)


def test_a_record_is_found_after_its_text_has_gone(organization, write):
    old = pd.Timestamp("2026-01-05T10:00:00Z")
    write({"started_at": old, "request": "req-1"})

    row = selectors.find_record(organization.id, "r1")

    assert (row["record_id"], row["request"], row["input_tokens"]) == ("r1", None, 100)
    assert selectors.find_record(organization.id, "r2") is None


def test_series_come_with_their_dimensions_as_reported(organization, write):
    write({"techniques": ["pruned"], "labels": {"cost_center": "4711"}})
    series_id = selectors.find_record(organization.id, "r1")["series_id"]

    row = selectors.series_by_id(organization.id, [series_id]).loc[series_id]

    assert (row["team"], row["project"], row["techniques"], row["labels"]) == (
        "search",
        None,
        ("pruned",),
        {"cost_center": "4711"},
    )
    assert (row["mask"], row["grain"]) == (0b101, "hour")


def test_cells_of_a_day_begin_and_end_at_midnight(organization, write):
    write(
        {"started_at": at(23, day=2)},
        {"record_id": "r2", "started_at": at(0)},
        {"record_id": "r3", "started_at": at(23)},
        {"record_id": "r4", "started_at": at(0, day=4)},
    )

    frame = selectors.cells_of_day(organization.id, date(2026, 11, 3))

    assert frame["hour"].tolist() == [at(0), at(23)]
    assert selectors.cells_of_day(organization.id, date(2026, 11, 9)).empty


def test_reconcile_names_source_month_and_measure(organization, source, write):
    write({}, {"record_id": "r2", "started_at": pd.Timestamp("2026-12-01T00:00:00Z")})
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("update ledger_cell set input_tokens = 99 where hour < '2026-12-01'")

    found = selectors.reconcile_ledger(organization.id, date(2026, 11, 1), date(2026, 12, 31))

    assert found.to_dict("records") == [
        {"source_id": source.id, "month": date(2026, 11, 1), "measure": "input_tokens", "ledger": 100, "cells": 99}
    ]
    assert selectors.reconcile_ledger(organization.id, date(2026, 12, 1), date(2026, 12, 31)).empty


def test_reconcile_counts_only_the_hours_inside_its_days(organization, write):
    write({"started_at": at(22, day=2), "ended_at": at(2, day=4), "input_tokens": 2_801})

    for first, last in ((2, 2), (3, 3), (4, 4), (2, 4)):
        assert selectors.reconcile_ledger(organization.id, date(2026, 11, first), date(2026, 11, last)).empty


def test_reconcile_adds_up_beyond_64_bits(organization, write):
    huge = {"energy_kwh": 9e6, "energy_boundary": "it"}
    write(*({"record_id": f"r{hour}", "started_at": at(hour), **huge} for hour in range(4)))
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("delete from ledger_cell where hour >= '2026-11-03 03:00+00'")

    found = selectors.reconcile_ledger(organization.id, date(2026, 11, 1), date(2026, 11, 30))

    energy = found.set_index("measure").loc["energy_pkwh"]
    assert (energy["ledger"], energy["cells"]) == (36 * 10**18, 27 * 10**18)


def test_sources_are_made_once_and_changed_with_an_audit_event(organization):
    source = services.ensure_source(organization.id, "focus", "azure")
    assert services.ensure_source(organization.id, "focus", "azure") == source

    services.update_source(organization_id=organization.id, source_id=source.id, settings={"max_age_days": 36_500})

    assert selectors.source_by_name(organization.id, "focus", "azure").settings == {"max_age_days": 36_500}
    services.ensure_source(organization.id, "focus", "aws")
    with pytest.raises(services.SourceError, match="named 'aws' already"):
        services.update_source(organization_id=organization.id, source_id=source.id, name="aws")
    with pytest.raises(services.SourceError, match="no source"):
        services.update_source(organization_id=organization.id, source_id=0, paused=True)


def partitions(parent):
    with connection.cursor() as cursor:
        cursor.execute("select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass", [parent])
        return {name for (name,) in cursor.fetchall()}


def test_months_are_made_ahead_and_expired_text_is_dropped_whole(organization, write):
    services.ensure_months_ahead(date(2030, 11, 25))
    assert {f"ledger_record_{month}" for month in ("2030_11", "2030_12", "2031_01", "2031_02")} <= partitions(
        "ledger_record"
    )
    write({"request": "req-1"})

    services.drop_expired_text(datetime(2026, 11, 30, tzinfo=UTC) + timedelta(days=90), {})
    assert selectors.find_record(organization.id, "r1")["request"] == "req-1"

    dropped, _ = services.drop_expired_text(datetime(2026, 12, 1, tzinfo=UTC) + timedelta(days=90), {})
    assert "ledger_record_text_2026_11" in dropped
    assert selectors.find_record(organization.id, "r1")["request"] is None
