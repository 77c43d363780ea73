"""CodeCarbon's API mode, on recorded requests of codecarbon 3.3.2 and 2.8.4."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.sources import codecarbon
from ingestion.sources.base import Parsed, UnreadablePayload
from ingestion.sources.codecarbon import InvalidBody
from tests.ingestion.sources.samples import RECEIVED_AT, activity_of, check, expected, read, requests

EXPERIMENT = "11111111-2222-4333-8444-555555555555"
RUN_ID = "f24fd003-4a04-445b-b294-f2260c8b69e0"

RUN: dict[str, Any] = {
    "timestamp": "2026-11-22T01:50:11.398502+00:00",
    "experiment_id": EXPERIMENT,
    "codecarbon_version": "3.3.2",
    "cpu_model": "AMD EPYC",
    "gpu_count": 0,
    "gpu_model": "",
    "longitude": 2.3,
    "latitude": 48.9,
    "region": None,
    "provider": None,
    "tracking_mode": "process",
}
EMISSION: dict[str, Any] = {
    "timestamp": "2026-11-22T01:50:14.356638+00:00",
    "run_id": RUN_ID,
    "duration": 120,
    "emissions_sum": 0.05,
    "cpu_energy": 0.3,
    "gpu_energy": 0.5,
    "ram_energy": 0.2,
    "energy_consumed": 1.0,
    "wue": 0.0,
}


def one(changes: dict[str, Any] | None = None, run: dict[str, Any] | None = None, **context: Any) -> Parsed:
    body = json.dumps({**EMISSION, **(changes or {})}).encode()
    [parsed] = read(codecarbon, body, **{"known": {RUN_ID: {**RUN, **(run or {})}}, **context})
    return parsed


def record(changes: dict[str, Any] | None = None, run: dict[str, Any] | None = None, **context: Any) -> dict[str, Any]:
    parsed = one(changes, run, **context)
    assert parsed.rejected == []
    row: dict[str, Any] = parsed.activity.iloc[0].to_dict()
    return row


@pytest.mark.parametrize("entry", expected("codecarbon", "codecarbon"))
def test_recorded_run_reaches_its_sums(entry: dict[str, Any]) -> None:
    runs: dict[str, Any] = {}
    parsed: list[Parsed] = []
    for request in requests("codecarbon", entry["files"][0]):
        if request.path == "/runs":
            runs[request.line["response_body"]["id"]] = codecarbon.read_run(request.body)
        elif request.path == "/emissions":
            codecarbon.read_emission(request.body)
            parsed += read(codecarbon, request.body, known=runs)

    frame = activity_of(parsed)

    assert len(frame) == entry["counts"]["written"]
    assert sum(len(each.rejected) for each in parsed) == entry["counts"]["quarantined"]
    check(frame, entry)


def test_bad_requests_are_told_apart_as_the_protocol_wants() -> None:
    """400 not JSON, 422 a field; tokens and unknown runs are the door's."""
    seen = set()
    for request in requests("codecarbon", "bad-requests.jsonl"):
        status = request.line["expect_status"]
        readable = codecarbon.read_run if request.path == "/runs" else codecarbon.read_emission
        seen.add(status)
        if status == 422:
            with pytest.raises(InvalidBody):
                readable(request.body)
        elif status == 400:
            with pytest.raises(UnreadablePayload, match="not JSON"):
                readable(request.body)
        else:
            readable(request.body)
    assert {201, 400, 422} <= seen


def test_emission_becomes_a_measured_record_of_its_interval() -> None:
    found = record(run={"provider": "aws", "region": "eu-west-3"})

    assert found["ended_at"] - found["started_at"] == timedelta(seconds=120)
    assert (found["energy_kwh"], found["energy_boundary"], found["evidence"]) == (1.0, "it", "measured")
    assert (found["reported_kg_co2e"], found["reported_basis"]) == (0.05, "location")
    assert (found["hosting"], found["provider"], found["region"]) == ("cloud", "aws", "eu-west-3")
    assert (found["run"], found["account"]) == (RUN_ID, f"exp:{EXPERIMENT}")
    assert found["stage"] == "experimentation"
    assert found["flags"] == ("pue_unknown",)


def test_measured_parts_are_no_labels_as_each_would_make_a_series() -> None:
    found = record()

    assert found["labels"] == {"tracking_mode": "process", "codecarbon_version": "3.3.2", "cpu_model": "AMD EPYC"}


@pytest.mark.parametrize(
    ("setting", "boundary", "flags"),
    [
        ({}, "it", ("pue_unknown",)),
        ({"pue": 1.25}, "facility", ()),
        ({"pue": 1.0}, "it", ()),
    ],
)
def test_experiment_says_whether_the_pue_is_inside(
    setting: dict[str, Any], boundary: str, flags: tuple[str, ...]
) -> None:
    found = record(setting={"experiments": {EXPERIMENT: setting}})

    assert found["energy_boundary"] == boundary
    assert found["flags"] == flags


def test_experiment_gives_attribution_before_the_token_does() -> None:
    of_experiment = {"team": "nlp", "stage": "training", "site": "hall-2"}
    found = record(
        setting={"experiments": {EXPERIMENT: of_experiment}, "hosting": "colocated"},
        defaults={"team": "token-team", "project": "token-project", "stage": "evaluation"},
    )

    assert (found["team"], found["project"], found["stage"]) == ("nlp", "token-project", "training")
    assert (found["site"], found["hosting"]) == ("hall-2", "colocated")


def test_gpus_of_a_whole_machine_are_held() -> None:
    run = {"gpu_count": 2, "gpu_model": "2 x NVIDIA A100-SXM4-80GB", "tracking_mode": "machine"}

    found = record(run=run)

    assert found["hardware"] == "NVIDIA A100-SXM4-80GB"
    assert found["device_hours"] == pytest.approx(2 * 120 / 3600)
    assert record(run={**run, "tracking_mode": "process"})["device_hours"] != found["device_hours"]


def test_water_is_known_only_with_a_wue() -> None:
    assert record({"wue": 1.8})["water_l"] == pytest.approx(1.8)
    assert one().activity["water_l"].isna().all()


def test_place_of_a_failed_geolocation_is_flagged() -> None:
    assert "location_default" in record(run={"longitude": -71.2, "latitude": 46.8})["flags"]
    assert "location_default" not in record(run={"longitude": -71.2, "latitude": 46.8, "provider": "gcp"})["flags"]


def test_future_time_is_replaced_by_the_time_of_receipt() -> None:
    found = record({"timestamp": "2026-11-24T09:00:00+00:00"})

    assert found["ended_at"] == RECEIVED_AT
    assert "clock_skew" in found["flags"]
    again = record({"timestamp": "2026-11-24T09:00:00+00:00"}, received_at=RECEIVED_AT + timedelta(minutes=1))
    assert again["record_id"] == found["record_id"]


def test_time_without_offset_is_utc_and_flagged() -> None:
    found = record({"timestamp": "2026-11-22T01:50:14.356638"})

    assert found["ended_at"] == datetime(2026, 11, 22, 1, 50, 14, 356638, tzinfo=UTC)
    assert "naive_time" in found["flags"]


def test_parts_that_miss_the_total_are_flagged() -> None:
    assert "parts_mismatch" in record({"cpu_energy": 0.35})["flags"]
    assert "parts_mismatch" not in record({"cpu_energy": 0.31})["flags"]
    assert "parts_mismatch" not in record({"cpu_energy": None})["flags"]


def test_more_than_a_host_can_draw_is_quarantined_unless_the_source_allows_it() -> None:
    parsed = one({"energy_consumed": 2.1})  # 63 kW over two minutes

    assert [(found.field, found.reason) for found in parsed.rejected] == [("energy_kwh", "implausible_energy")]
    assert record({"energy_consumed": 2.1}, setting={"max_power_kw": 100})["energy_kwh"] == 2.1


def test_emission_of_a_forgotten_run_is_quarantined() -> None:
    parsed = one(known={})

    assert [(found.field, found.reason) for found in parsed.rejected] == [("run_id", "unknown_run")]


def test_only_known_fields_are_stored() -> None:
    stored = codecarbon.scrub(json.dumps({**EMISSION, "user": "ada", "hostname": "adas-laptop"}).encode(), "")

    assert json.loads(stored) == EMISSION
    assert "hostname" not in codecarbon.read_run(json.dumps({**RUN, "hostname": "adas-laptop"}).encode())
