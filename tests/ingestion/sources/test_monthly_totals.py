"""A sheet of monthly totals: one line, one use; a month sent again replaces what stood there; nothing else is kept."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.quantification.rejections import Cover
from ingestion.sources import monthly_totals
from ingestion.sources.base import Context, UnreadablePayload
from tests.ingestion.sources.samples import PAYLOADS, RECEIVED_AT, read

SHEET = (PAYLOADS / "monthly_totals/totals.csv").read_bytes()


def lines(*rows: dict[str, Any]) -> bytes:
    return json.dumps([{"month": "2026-10", **row} for row in rows]).encode()


def test_each_use_is_told_by_what_is_filled_in() -> None:
    [parsed] = read(
        monthly_totals,
        lines(
            {"vendor": "OpenAI", "model": "gpt-4o", "output_tokens": 70},
            {"hardware": "Apple M3", "hours": 8, "country": "de"},
            {"energy_kwh": 2.5, "country": "DE"},
            {"vendor": "Microsoft", "product": "Copilot", "seats": 3},
            {"vendor": "Anthropic", "spend": 10, "currency": "eur"},
        ),
    )
    told = parsed.activity[["hosting", "stage", "evidence", "zone", "provider", "application"]].astype(object)

    assert told.where(told.notna(), None).to_numpy().tolist() == [
        ["api", "inference", "modelled", None, "openai", None],
        ["owned", "experimentation", "modelled", "DE", None, None],
        ["owned", "experimentation", "measured", "DE", None, None],
        ["api", "inference", "modelled", None, "azure", "Copilot"],
        ["api", "inference", "modelled", None, "anthropic", None],
    ]
    assert parsed.activity["energy_boundary"].dropna().tolist() == ["it"]
    assert parsed.activity["currency"].dropna().tolist() == ["EUR"]


def test_records_last_their_month_and_the_file_speaks_for_it() -> None:
    [parsed] = read(monthly_totals, lines({"energy_kwh": 1}))
    record = parsed.activity.iloc[0]

    assert record["started_at"] == datetime(2026, 10, 1, tzinfo=UTC)
    assert record["ended_at"] == datetime(2026, 11, 1, tzinfo=UTC)
    assert parsed.cover == [Cover("monthly_totals:2026-10", {})]


def test_a_month_that_is_not_over_is_left_for_later() -> None:
    [parsed] = read(monthly_totals, lines({"energy_kwh": 1}), received_at=datetime(2026, 10, 20, tzinfo=UTC))

    assert (parsed.outside, len(parsed.activity), parsed.cover) == (1, 0, [])


def test_ids_follow_from_what_a_line_is_about_not_from_its_place() -> None:
    first, second = {"vendor": "OpenAI", "model": "gpt-4o", "output_tokens": 70}, {"energy_kwh": 2.5}
    [one] = read(monthly_totals, lines(first, second))
    [other] = read(monthly_totals, lines(second, {**first, "output_tokens": 71}))

    assert set(one.activity["record_id"]) == set(other.activity["record_id"])


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"month": "2026-13", "energy_kwh": 1}, "month"),
        ({"vendor": "OpenAI"}, "requests"),
        ({"model": "gpt-4o", "output_tokens": -1}, "output_tokens"),
        ({"model": "gpt-4o", "output_tokens": "many"}, "output_tokens"),
        ({"model": "gpt-4o", "output_tokens": 1.5}, "output_tokens"),
        ({"output_tokens": 7}, "model"),
        ({"vendor": "Microsoft", "seats": 3}, "product"),
        ({"spend": 3}, "currency"),
        ({"hours": 3}, "hardware"),
        ({"energy_kwh": 3, "stage": "lunch"}, "stage"),
        ({"hardware": "Apple M3", "hours": 1e300}, "hours"),
    ],
)
def test_a_line_that_cannot_be_is_refused_by_its_field(row: dict[str, Any], field: str) -> None:
    [parsed] = read(monthly_totals, lines(row, {"energy_kwh": 1}))

    assert [(each.row, each.field, each.reason) for each in parsed.rejected] == [(1, field, "bad_field")]
    assert len(parsed.activity) == 1


@pytest.mark.parametrize(
    "body", [b"", b"{", b"name,value\n1,2\n", b"month\n2026-10\n", b'[{"month": "2026-10"}]', b"[1]"]
)
def test_what_is_no_such_sheet_is_refused_whole(body: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        read(monthly_totals, body)


def test_only_the_columns_of_the_template_are_stored() -> None:
    stored = monthly_totals.scrub(
        lines({"energy_kwh": 1, "user": "SECRET", "prompt": "SECRET", "team": "ada@example.org"}), ""
    )

    assert b"SECRET" not in stored
    assert b"example.org" not in stored
    assert monthly_totals.scrub(stored, "") == stored


@settings(max_examples=80)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from([*monthly_totals.TEMPLATE, "other"]),
            st.none() | st.booleans() | st.text(max_size=8) | st.floats() | st.integers(-(2**70), 2**70) | st.just([1]),
        ),
        max_size=5,
    )
)
def test_any_lines_end_in_one_place_each(rows: list[dict[str, Any]]) -> None:
    """Parsed refuses a chunk whose counts do not add up, so that reading it at all is the proof."""
    try:
        stored = monthly_totals.scrub(json.dumps(rows).encode(), "")
    except UnreadablePayload:
        return
    received = sum(each.received for each in monthly_totals.parse(io.BytesIO(stored), Context(RECEIVED_AT)))

    assert received == len(rows)


@settings(max_examples=60)
@given(st.binary(max_size=300), st.integers(0, len(SHEET)))
def test_a_broken_sheet_is_refused_or_read(noise: bytes, at: int) -> None:
    for body in (noise, SHEET[:at], SHEET[:at] + noise + SHEET[at:]):
        try:
            read(monthly_totals, body)
        except UnreadablePayload:
            continue
