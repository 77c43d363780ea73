"""CodeCarbon's emissions.csv, task files and HTTP output, on recordings of codecarbon 3.3.2 and 2.8.4."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ingestion.sources import codecarbon_csv, codecarbon_http_output
from ingestion.sources.base import UnreadablePayload
from ingestion.sources.codecarbon import InvalidBody
from tests.ingestion.sources.samples import PAYLOADS, activity_of, check, expected, read, requests

SAMPLE = (PAYLOADS / "codecarbon" / "emissions-3.3.2.csv").read_bytes()
HEADER, *ROWS = SAMPLE.decode().splitlines()


def changed(row: str, **cells: str) -> str:
    values = dict(zip(HEADER.split(","), row.split(","), strict=True))
    return ",".join({**values, **cells}.values())


def body(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows]).encode()


@pytest.mark.parametrize("entry", expected("codecarbon", "codecarbon_csv"))
def test_recorded_file_reaches_its_sums(entry: dict[str, Any]) -> None:
    content = (PAYLOADS / "codecarbon" / entry["files"][0]).read_bytes()

    parsed = read(codecarbon_csv, content)

    assert codecarbon_csv.detect(content[:2000], entry["files"][0]) is not None
    assert sum(each.received for each in parsed) == entry["counts"]["received"]
    assert [found for each in parsed for found in each.rejected] == []
    check(activity_of(parsed), entry)


def test_longest_row_of_a_run_says_all() -> None:
    flushed, stopped = ROWS[-2:]

    for order in ((flushed, stopped), (stopped, flushed)):
        [parsed] = read(codecarbon_csv, body(*order))
        assert parsed.activity["energy_kwh"].tolist() == [7.968940711702084e-05]
        assert parsed.activity["rows"].tolist() == [2]
        assert parsed.activity["record_id"].tolist() == ["cccsv:c2456841-3d89-454c-9bb1-c7dc61f6fa3e"]
        assert parsed.activity["snapshot"].tolist() == parsed.activity["record_id"].tolist()


def test_runs_over_chunks_are_still_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecarbon_csv, "CHUNK_ROWS", 2)

    parsed = read(codecarbon_csv, SAMPLE)

    assert len(parsed) == 3
    assert sum(each.received for each in parsed) == 5
    assert activity_of(parsed)["rows"].tolist() == [1, 1, 1, 2]


def test_packed_file_is_read_twice_too() -> None:
    assert len(activity_of(read(codecarbon_csv, gzip.compress(SAMPLE)))) == 4
    with pytest.raises(UnreadablePayload, match="truncated"):
        read(codecarbon_csv, gzip.compress(SAMPLE)[:-12])


def test_bad_rows_go_alone_with_their_field() -> None:
    rows = [
        ROWS[0],
        changed(ROWS[1], energy_consumed="a lot"),
        changed(ROWS[2], timestamp="yesterday"),
        changed(ROWS[2], run_id="x", energy_consumed="-1"),
        changed(ROWS[2], run_id="y", duration="nan"),
        changed(ROWS[2], run_id="z", energy_consumed=""),
        ROWS[2] + ",surplus",
        changed(ROWS[2], run_id="u", duration="1e300"),
        changed(ROWS[2], run_id="None", timestamp="0001-01-01T00:00:00"),
        changed(ROWS[2], run_id="w", timestamp="2027-01-01T00:00:00"),
        changed(ROWS[2], run_id="v", energy_consumed="90000", cpu_energy="", gpu_energy=""),
    ]

    [parsed] = read(codecarbon_csv, body(*rows))

    assert len(parsed.activity) == 1
    assert [(found.row, found.field, found.reason) for found in parsed.rejected] == [
        (2, "energy_consumed", "bad_field"),
        (3, "timestamp", "bad_field"),
        (4, "energy_consumed", "negative_quantity"),
        (5, "duration", "bad_field"),
        (6, "energy_consumed", "bad_field"),
        (7, "timestamp", "bad_field"),
        (8, "duration", "bad_field"),
        (9, "timestamp", "bad_field"),
        (10, "ended_at", "clock_skew"),
        (11, "energy_kwh", "implausible_energy"),
    ]


def test_times_are_in_the_zone_of_the_source() -> None:
    [utc] = read(codecarbon_csv, body(ROWS[0]))
    [paris] = read(codecarbon_csv, body(ROWS[0]), setting={"timezone": "Europe/Paris"})

    assert utc.activity["ended_at"].iloc[0] == datetime(2026, 11, 22, 1, 50, 33, tzinfo=UTC)
    assert paris.activity["ended_at"].iloc[0] == datetime(2026, 11, 22, 0, 50, 33, tzinfo=UTC)
    assert "naive_time" in utc.activity["flags"].iloc[0]
    with pytest.raises(UnreadablePayload, match="Mars/Base"):
        read(codecarbon_csv, body(ROWS[0]), setting={"timezone": "Mars/Base"})


def test_pue_of_the_row_decides_the_boundary() -> None:
    [parsed] = read(codecarbon_csv, SAMPLE)

    assert parsed.activity["energy_boundary"].tolist() == ["it", "facility", "facility", "it"]


def test_place_and_project_are_taken_from_the_row() -> None:
    [parsed] = read(codecarbon_csv, SAMPLE)
    own, *_, cloud = parsed.activity.to_dict("records")

    assert (own["hosting"], own["zone"], own["project"]) == ("owned", "FRA", "nlp/summarizer-ft")
    assert (cloud["hosting"], cloud["provider"], cloud["region"]) == ("cloud", "aws", "eu-west-3")


def test_another_csv_is_refused_by_its_columns() -> None:
    with pytest.raises(UnreadablePayload, match="lacks the columns timestamp, project_name"):
        read(codecarbon_csv, b"a,b\n1,2\n")
    with pytest.raises(UnreadablePayload, match="UTF-8"):
        read(codecarbon_csv, SAMPLE.replace(b"Poland", b"Pol\xf3gne"))


@pytest.mark.parametrize("entry", expected("codecarbon", "codecarbon_http_output"))
def test_recorded_output_reaches_its_sums(entry: dict[str, Any]) -> None:
    bodies = [each.body for each in requests("codecarbon", entry["files"][0]) if each.path == "/http-output"]

    frame = activity_of([parsed for each in bodies for parsed in read(codecarbon_http_output, each)])

    assert len(frame) == entry["counts"]["written"]
    check(frame, entry)


def test_output_loses_its_user_before_storage() -> None:
    [sent] = [
        each.body for each in requests("codecarbon", "api-3.3.2-private-infra.jsonl") if each.path == "/http-output"
    ]

    assert b"ml-user" in sent
    assert b"ml-user" not in codecarbon_http_output.scrub(sent, "application/json")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"{", UnreadablePayload),
        (b'{"energy_consumed": NaN}', UnreadablePayload),
        (b"[]", InvalidBody),
        (b"{}", InvalidBody),
    ],
)
def test_output_that_is_none_is_refused(content: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        codecarbon_http_output.scrub(content, "application/json")


def test_output_with_a_bad_value_is_quarantined() -> None:
    [sent] = [each.body for each in requests("codecarbon", "api-2.8.4.jsonl") if each.path == "/http-output"]
    content = json.dumps({**json.loads(sent), "energy_consumed": -1}).encode()

    [parsed] = read(codecarbon_http_output, content)

    assert [(found.field, found.reason) for found in parsed.rejected] == [("energy_consumed", "negative_quantity")]


def test_runs_that_measure_one_machine_at_once_are_numbered_and_flagged() -> None:
    # Ranks a and b overlap; c begins when a has ended, so it takes a's place; d is on another machine.
    whole = {"tracking_mode": "machine", "experiment_id": "e", "duration": "3600", "cpu_model": "AMD EPYC"}
    rows = [
        changed(ROWS[0], **whole, run_id="a", timestamp="2026-10-01T10:00:00"),
        changed(ROWS[0], **whole, run_id="b", timestamp="2026-10-01T10:30:00"),
        changed(ROWS[0], **whole, run_id="c", timestamp="2026-10-01T11:00:00"),
        changed(ROWS[0], **{**whole, "cpu_model": "Intel Xeon"}, run_id="d", timestamp="2026-10-01T10:00:00"),
    ]

    for ordered in (rows, rows[::-1]):
        activity = activity_of(read(codecarbon_csv, body(*ordered))).sort_values("run")

        assert [labels.get("concurrent_run") for labels in activity["labels"]] == [None, "1", None, None]
        assert ["overlapping_machine_runs" in flags for flags in activity["flags"]] == [False, True, False, False]
