"""The typed reading and column checks of records, held against the published JSON Schema."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.quantification import activity, records
from core.quantification.limits import Limits
from core.quantification.rejections import REASONS, Rejection

PAYLOADS = Path(__file__).parents[2] / "payloads" / "activity"
SCHEMA = json.loads(Path(records.__file__).with_name("activity_record.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker(["date-time"]))

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)

GOOD: dict[str, Any] = {
    "record_id": "r1",
    "started_at": "2026-11-22T01:00:00Z",
    "ended_at": "2026-11-22T02:00:00Z",
    "stage": "inference",
    "hosting": "api",
    "evidence": "modelled",
    "requests": 1,
}


def checked(**changes: Any) -> Rejection | None:
    """Read the good record with changes (None: as JSON null) and check it as if it had just been received."""
    frame, rejected = records.from_wire([(1, {**GOOD, **changes})])
    if not rejected:
        _, rejected = records.check_activity(frame, received_at=NOW, max_age_days=800)
    return rejected[0] if rejected else None


def test_record_lists_the_canonical_columns_in_their_order() -> None:
    assert records.Record.__struct_fields__ == activity.COLUMNS
    assert set(SCHEMA["properties"]) == set(activity.COLUMNS)


@pytest.mark.parametrize("line", (PAYLOADS / "valid.jsonl").read_text().splitlines())
def test_valid_sample_is_accepted(line: str) -> None:
    record = json.loads(line)

    assert VALIDATOR.is_valid(record)
    assert records.check_record(record) is None


@pytest.mark.parametrize(
    "line",
    [json.loads(line) for line in (PAYLOADS / "invalid.jsonl").read_text().splitlines()],
    ids=lambda line: line["reason"],
)
def test_invalid_sample_is_refused_with_its_field(line: dict[str, Any]) -> None:
    found = records.check_record(line["record"])

    assert not VALIDATOR.is_valid(line["record"])
    assert found is not None
    assert found.reason in ("bad_field", "negative_quantity")
    assert found.field is not None or line["reason"] == "no measure at all"


# Values around every edge that the schema draws. U+0000 in text, labels over 200 characters and numbers that do not fit
# the integers of cells are refused beyond the schema, so they are not drawn here (tests of their own below).
_times = st.sampled_from(
    [
        "2026-11-22T01:00:00Z",
        "2026-11-22T01:00:00.123456789Z",
        "2026-02-30T01:00:00Z",
        "2026-11-22",
        "2026-11-22T01:00:00+00:00",
    ]
    + ["2026-11-22T01:00:00Z"] * 8
)
_texts = st.none() | st.sampled_from(["a", "x" * 32, "x" * 33, "x" * 64, "x" * 65, "x" * 200, "x" * 201, "ä" * 200, ""])
_counts = st.none() | st.sampled_from([0, 1, 3.0, 1.5, -1, "1", True, 2**40])
_numbers = st.none() | st.sampled_from([0, 0.5, 1, 1.0000001, -0.5, "0.1", False, 1e6])
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys((*activity.IDENTIFIERS, *activity.SERIES_TEXT), _texts),
    **dict.fromkeys(activity.COUNTS, _counts),
    **dict.fromkeys(activity.NUMBERS, _numbers),
    "record_id": st.sampled_from(["r", "", "x" * 200, "x" * 201, "a\x1fb", None, 7]),
    "stage": st.sampled_from([*activity.STAGES, "serving"]),
    "hosting": st.sampled_from([*activity.HOSTINGS, "edge", None]),
    "evidence": st.sampled_from([*activity.EVIDENCES, "assumed", None]),
    "tier": st.sampled_from([*activity.TIERS, "turbo", None]),
    "energy_boundary": st.sampled_from([*activity.ENERGY_BOUNDARIES, "rack", None]),
    "reported_basis": st.sampled_from([*activity.REPORTED_BASES, "both", None]),
    "provider": st.sampled_from(["aws", "AWS", "a.b-c_d", ".x", "", "x" * 65, None]),
    "currency": st.sampled_from(["EUR", "eur", "EURO", "", None]),
    "techniques": st.sampled_from([[], ["quantized:int8"], ["a", "a"], ["A"], ["x:"], None, "cached"]),
    "flags": st.sampled_from([[], ["partial"], ["b", "b"], ["Late"], None]),
    "labels": st.sampled_from(
        [{}, {"a": "b"}, {"a": 1.5, "b": True}, {"a": None}, {"a": []}, None, {str(at): 1 for at in range(65)}]
    ),
    "started_at": _times,
    "ended_at": _times,
    "unknown": st.just(1),
}


@settings(max_examples=600, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(_VALUES)), st.none(), max_size=5).flatmap(
        lambda keys: st.fixed_dictionaries({key: _VALUES[key] for key in keys})
    ),
    st.sets(st.sampled_from(sorted(GOOD)), max_size=1),
)
def test_checks_and_schema_agree(changes: dict[str, Any], left_out: set[str]) -> None:
    record = {key: value for key, value in {**GOOD, **changes}.items() if key not in left_out}

    found = records.check_record(record)

    if found is not None and found.reason == "negative_interval":
        return  # beyond the schema
    assert (found is None) == VALIDATOR.is_valid(record), (found, [e.message for e in VALIDATOR.iter_errors(record)])


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"ended_at": "2026-11-22T00:59:59Z"}, "ended_at", "negative_interval"),
        ({"ended_at": "2026-11-22T03:10:01Z"}, "ended_at", "clock_skew"),
        ({"started_at": "2024-09-12T00:00:00Z"}, "started_at", "too_old"),
        ({"started_at": "2026-11-22T01:00:00"}, "started_at", "bad_field"),
        ({"input_tokens": -1}, "input_tokens", "negative_quantity"),
        ({"water_l": -0.1}, "water_l", "negative_quantity"),
        ({"input_tokens": 2**63}, "input_tokens", "bad_field"),
        ({"generation_s": 1e300}, "generation_s", "bad_field"),
        ({"energy_kwh": 2.0**53 / 3.6e6, "energy_boundary": "it"}, "energy_kwh", "bad_field"),
        ({"generation_s": math.nan}, "generation_s", "bad_field"),
        ({"generation_s": math.inf}, "generation_s", "bad_field"),
        ({"team": "a\x00b"}, "team", "bad_field"),
        ({"labels": {"note": "x" * 201}}, "labels", "bad_field"),
        ({"emissions_kg": 1.0}, "emissions_kg", "bad_field"),
        ({"requests": "1"}, "requests", "bad_field"),
    ],
)
def test_bad_value_is_named(changes: dict[str, Any], field: str, reason: str) -> None:
    found = checked(**changes)

    assert found is not None
    assert (found.field, found.reason) == (field, reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"ended_at": "2026-11-22T03:10:00Z"},
        {"started_at": "2024-09-13T03:00:00Z"},
        {"started_at": "2026-11-22T02:00:00Z"},
        {"input_tokens": -1, "corrects": "r0"},
        {"cost": -1.0, "currency": "EUR"},
        {"model": "nobody-knows-it", "region": "moon-1", "hardware": "Abacus", "zone": "XX-9"},
        {"requests": 3.0},
        {"labels": {f"key{at}": "x" * 200 for at in range(64)}},
    ],
)
def test_unusual_but_right_is_accepted(changes: dict[str, Any]) -> None:
    assert checked(**changes) is None


def test_cached_tokens_above_the_input_are_cut_and_flagged() -> None:
    frame, _ = records.from_wire([(1, {**GOOD, "input_tokens": 10, "cached_input_tokens": 12, "flags": ["partial"]})])

    valid, rejected = records.check_activity(frame)

    assert rejected == []
    assert valid["cached_input_tokens"].tolist() == [10]
    assert valid["flags"].tolist() == [("cached_exceeds_input", "partial")]


def test_energy_above_a_hosts_power_is_implausible_only_where_a_limit_is_given() -> None:
    frame, _ = records.from_wire([(1, {**GOOD, "energy_kwh": 60.1, "energy_boundary": "it"})])

    assert records.check_activity(frame)[1] == []
    _, rejected = records.check_activity(frame, limits=Limits(power_kw=60.0))
    assert [(found.field, found.reason) for found in rejected] == [("energy_kwh", "implausible_energy")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stage": "infer"}, "'infer' is none of data_preparation, experimentation, training, fine_tuning, evaluation"),
        ({"requests": "1"}, "it must be a whole number or null, not text"),
        ({"requests": 1.5}, "it must be a whole number or null, not a fraction"),
        ({"energy_kwh": "x"}, "it must be a number or null, not text"),
        ({"labels": {"a": [1]}}, "it must be true or false, a number or text, not a list"),
        ({"requests": 2**70}, "it must be at most 9223372036854775807"),
        ({"energy_kwh": float("inf")}, "Infinity is no number that JSON has"),
        ({"emissions": 1}, "there is no such field"),
    ],
)
def test_a_fault_is_said_in_words(changes: dict[str, Any], said: str) -> None:
    found = records.check_record({**GOOD, **changes})

    assert found is not None
    assert found.detail.startswith(said)
    assert "Expected" not in found.detail


def test_one_bad_row_leaves_the_others_and_keeps_their_numbers() -> None:
    wire = [(3, GOOD), (4, {**GOOD, "record_id": "r2", "input_tokens": -1}), (7, {**GOOD, "record_id": "r3"})]
    frame, _ = records.from_wire(wire)

    valid, rejected = records.check_activity(frame)

    assert valid["row"].tolist() == [3, 7]
    assert [(found.row, found.record_id) for found in rejected] == [(4, "r2")]
    assert rejected[0].payload == {**GOOD, "record_id": "r2", "input_tokens": -1}


def test_absent_is_missing_never_zero_or_empty() -> None:
    frame, _ = records.from_wire([(1, {**GOOD, "team": ""})])

    valid, _ = records.check_activity(frame)

    assert valid["team"].isna().all()
    assert valid["input_tokens"].isna().all()
    assert valid["energy_kwh"].isna().all()
    assert valid.loc[0, "labels"] == {}
    assert valid.loc[0, "techniques"] == ()
    assert str(valid["team"].dtype) == "str"
    assert str(valid["requests"].dtype) == "Int64"
    assert str(valid["started_at"].dtype) == "datetime64[us, UTC]"


def test_wire_and_table_are_inverse() -> None:
    lines = [json.loads(line) for line in (PAYLOADS / "valid.jsonl").read_text().splitlines()]
    frame, rejected = records.from_wire(enumerate(lines, 1))

    assert rejected == []
    again, _ = records.from_wire(enumerate(records.as_records(frame), 1))
    pd.testing.assert_frame_equal(frame, again)


def test_dicts_and_columns_give_the_same_table() -> None:
    dicts = [
        {"record_id": "a", "started_at": NOW, "ended_at": NOW + timedelta(hours=1), "requests": 2, "flags": ["b", "a"]},
        {"record_id": "b", "started_at": NOW, "ended_at": NOW, "energy_kwh": 0.5, "labels": {"k": "v"}},
    ]
    columns = pd.DataFrame(
        {
            "record_id": ["a", "b"],
            "started_at": [NOW.replace(tzinfo=None)] * 2,
            "ended_at": [NOW + timedelta(hours=1), NOW],
            "requests": [2, None],
            "energy_kwh": [None, 0.5],
            "flags": [["a", "b"], None],
            "labels": [None, {"k": "v"}],
        }
    )

    pd.testing.assert_frame_equal(records.to_activity(dicts), records.conform(columns))


def test_fraction_of_a_count_is_a_bug_and_never_cut_off() -> None:
    with pytest.raises(TypeError, match="requests"):
        records.to_activity([{"record_id": "a", "started_at": NOW, "ended_at": NOW, "requests": 1.5}])


def test_column_that_is_not_canonical_is_a_bug() -> None:
    with pytest.raises(KeyError, match="emissions_kg"):
        records.conform(pd.DataFrame({"emissions_kg": [1.0]}))


def test_table_without_rows_has_every_column() -> None:
    frame = records.empty_activity()

    valid, rejected = records.check_activity(frame, received_at=NOW, max_age_days=800, limits=Limits())

    assert [*valid.columns] == [*activity.COLUMNS, "row", "rows"]
    assert rejected == []


def test_every_reason_says_what_to_do() -> None:
    assert len(REASONS) >= 11
    for name, reason in REASONS.items():
        assert name == name.lower().replace(" ", "_")
        assert reason.sentence.endswith(".")
        assert reason.remedy.endswith(".")


def test_unknown_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="no_such_reason"):
        Rejection(1, None, None, "no_such_reason")


def test_rejection_holds_only_what_a_database_stores() -> None:
    found = Rejection(
        1, "a\x00b", "f\ud800", "bad_field", "x" * 1000, {"n\x00": [math.nan, "\x00", {"deep": math.inf}]}
    )

    assert found.record_id == "a\ufffdb"
    assert found.field == "f?"
    assert len(found.detail) == 400
    assert json.loads(json.dumps(found.payload, allow_nan=False)) == {"n\ufffd": ["nan", "\ufffd", {"deep": "inf"}]}
