"""Keys are stored for ever: what they depend on, what they do not, and their very bytes."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest

from core.quantification import cells, keys
from core.quantification.records import to_activity

RECORD = {
    "record_id": "r1",
    "started_at": pd.Timestamp("2026-11-03T10:40:00Z"),
    "ended_at": pd.Timestamp("2026-11-03T10:41:00Z"),
    "stage": "inference",
    "hosting": "api",
    "evidence": "modelled",
    "team": "search",
    "requests": 1,
    "input_tokens": 100,
    "techniques": ["pruned", "distilled"],
    "labels": {"b": 1, "a": "x"},
}


def series_of(*records, source_id=1):
    """Position of each record's series, and the distinct series."""
    frame = to_activity([{**RECORD, **changes} for changes in records])
    return keys.distinct_series(frame, source_id=source_id, mask=cells.presence_mask(frame), by_day=cells.grain(frame))


def content_of(**changes):
    """The content hash of one record."""
    frame = to_activity([{**RECORD, **changes}])
    _, distinct = series_of(changes)
    return int(keys.content_hash(frame, np.frombuffer(distinct["key"][0], dtype=np.uint8).reshape(1, 16))[0])


def test_the_key_of_a_record_is_half_of_the_sha256_of_its_id():
    assert keys.record_keys(["r1", "ä"]).tobytes() == b"".join(
        hashlib.sha256(text.encode()).digest()[:16] for text in ("r1", "ä")
    )


def test_the_bytes_of_a_series_key_never_change():
    _, distinct = series_of({})

    # written out by hand: compact JSON, keys sorted, absent dimensions left out; mask = requests 1 + input_tokens 4
    canonical = (
        '{"evidence":"modelled","grain":"hour","hosting":"api","labels":{"a":"x","b":1},"mask":5,"source":1,'
        '"stage":"inference","team":"search","techniques":["distilled","pruned"]}'
    )
    assert distinct["key"][0] == hashlib.sha256(canonical.encode()).digest()[:16]


def test_records_of_the_same_dimensions_share_a_series():
    position, distinct = series_of({}, {"record_id": "r2", "input_tokens": 7, "run": "x", "flags": ["partial"]})

    assert position.tolist() == [0, 0]
    assert len(distinct) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"team": None},
        {"team": "Search"},
        {"labels": {"a": "x"}},
        {"labels": {"a": "x", "b": "1"}},
        {"labels": {"a": "x", "b": True}},
        {"techniques": ["pruned"]},
        {"output_tokens": 1},
        {"input_tokens": None},
        {"team": None, "project": "search"},
        {"evidence": "measured"},
    ],
)
def test_every_dimension_and_the_mask_part_series(changes):
    position, distinct = series_of({}, changes)

    assert position[0] != position[1]
    assert distinct["key"].nunique() == 2


def test_sources_have_series_of_their_own():
    assert series_of({}, source_id=1)[1]["key"][0] != series_of({}, source_id=2)[1]["key"][0]


def test_many_dimensions_with_many_values_do_not_run_together():
    names = ("account", "team", "project", "application", "task", "environment", "site", "region")
    records = [{name: f"{name}{(number * 7 + at) % 300}" for at, name in enumerate(names)} for number in range(300)]

    position, distinct = series_of(*records)

    assert len(set(position.tolist())) == len(distinct) == 300


@pytest.mark.parametrize(
    "changes",
    [
        {"input_tokens": 101},
        {"started_at": pd.Timestamp("2026-11-03T10:39:00Z")},
        {"ended_at": pd.Timestamp("2026-11-03T10:41:00.000001Z")},
        {"run": "a"},
        {"request": "a"},
        {"trace": "a"},
        {"corrects": "r0"},
        {"team": "nlp"},
        {"cost": 0.0, "currency": "EUR"},
    ],
)
def test_other_content_has_another_hash(changes):
    assert content_of(**changes) != content_of()


def test_the_same_text_in_another_column_is_other_content():
    assert content_of(request="a") != content_of(trace="a")


def test_flags_and_negative_zero_are_no_content():
    assert content_of(flags=["partial"]) == content_of()
    assert content_of(cost=-0.0, currency="EUR") == content_of(cost=0.0, currency="EUR")


def test_a_time_of_receipt_is_no_content():
    moved = pd.Timestamp("2026-11-03T12:00:00Z")

    assert content_of(flags=["clock_skew"]) == content_of(flags=["clock_skew"], started_at=moved, ended_at=moved)


def splitmix64(values):
    """The same hash with Python's integers, one record at a time."""
    bits, state = 2**64 - 1, 0
    for value in values:
        state = (state + 0x9E3779B97F4A7C15 & bits) ^ value & bits
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & bits
        state = (state ^ state >> 27) * 0x94D049BB133111EB & bits
        state ^= state >> 31
    return state


def test_the_bytes_of_a_content_hash_never_change():
    start = 1_793_702_400_000_000  # 2026-11-03T10:40:00Z in microseconds since 1970
    series = series_of({})[1]["key"][0]
    parts = [int.from_bytes(series[:8]), int.from_bytes(series[8:]), start, start + 60_000_000]
    parts += [1, 0, 100, 0, 0]  # requests, failed, input, cached, output
    parts += [0] * 11  # numbers
    parts += [0] * 5  # run, request, trace, corrects, snapshot

    assert content_of() % 2**64 == splitmix64(parts)
