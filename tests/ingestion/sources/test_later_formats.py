"""Formats that no door takes yet: what their counters, clocks and people come to. Sums: tests/ingestion/test_samples.py."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.sources import dcgm, mlflow, prometheus_text, registry, slurm_sacct, wandb
from ingestion.sources.base import Context, UnreadablePayload
from ingestion.sources.power import integrate
from ingestion.sources.prometheus_wire import RefusedError, Sample, samples
from tests.ingestion.sources.samples import PAYLOADS, RECEIVED_AT, activity_of, read

SACCT = (PAYLOADS / "slurm" / "sacct.psv").read_bytes()
RUNS = (PAYLOADS / "mlflow" / "runs-search.json").read_bytes()
SETTING = {"run": "r", "max_age_days": 36500}
FILES = {
    "slurm_sacct": SACCT,
    "mlflow": RUNS,
    "wandb": (PAYLOADS / "wandb" / "system-metrics.jsonl").read_bytes(),
    "prometheus_text": (PAYLOADS / "prometheus" / "dcgm-exporter.prom").read_bytes(),
}


# --- Slurm ------------------------------------------------------------------------------------------------------------


def job(**fields: str) -> bytes:
    """Make a file of one finished job."""
    row = {
        "JobIDRaw": "1",
        "JobID": "1",
        "State": "COMPLETED",
        "Start": "2026-10-04T08:00:00",
        "End": "2026-10-04T09:00:00",
        "ElapsedRaw": "3600",
        "AllocTRES": "cpu=8,gres/gpu=2,node=1",
        "Account": "nlp",
        "ConsumedEnergyRaw": "",
        **fields,
    }
    return f"{'|'.join(row)}\n{'|'.join(row.values())}\n".encode()


def test_the_hour_that_comes_twice_is_told_by_the_time_elapsed() -> None:
    # 25 October 2026, Berlin: 02:30 is 00:30 UTC, then 01:30 UTC again.
    body = job(Start="2026-10-25T02:30:00", End="2026-10-25T02:40:00", ElapsedRaw="4200")

    [record] = activity_of(read(slurm_sacct, body, setting={"timezone": "Europe/Berlin"})).to_dict("records")

    assert record["started_at"] == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert record["ended_at"] == datetime(2026, 10, 25, 1, 40, tzinfo=UTC)
    assert record["flags"] == ("naive_time",)


def test_a_typed_gpu_names_the_hardware() -> None:
    frame = activity_of(read(slurm_sacct, job(AllocTRES="gres/gpu=2,gres/gpu:h100=2,node=1")))

    assert frame[["hardware", "device_hours", "evidence"]].to_dict("records") == [
        {"hardware": "h100", "device_hours": 2.0, "evidence": "modelled"}
    ]


def test_a_shared_node_is_flagged() -> None:
    frame = activity_of(read(slurm_sacct, job(ConsumedEnergyRaw="3600000"), setting={"exclusive": False}))

    assert frame["energy_kwh"].tolist() == [1.0]
    assert frame["flags"].tolist() == [("naive_time", "shared_node")]


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"ElapsedRaw": "01:00:00"}, "ElapsedRaw"), ({"Start": "soon"}, "Start"), ({"AllocTRES": "cpu=1"}, "AllocTRES")],
)
def test_a_broken_job_is_quarantined_by_its_field(fields: dict[str, str], field: str) -> None:
    [parsed] = read(slurm_sacct, job(**fields))

    assert [(each.reason, each.field) for each in parsed.rejected] == [("bad_field", field)]


def test_users_of_jobs_and_runs_are_dropped() -> None:
    assert b"|ana|" in SACCT
    assert b'"ana"' in RUNS
    for module, body in ((slurm_sacct, SACCT), (mlflow, RUNS)):
        stored = module.scrub(body, "")
        assert b"ana" not in stored
        assert b"finetune" not in stored


# --- samples of power -------------------------------------------------------------------------------------------------


def test_a_gap_is_not_filled() -> None:
    found = integrate([(0, 100.0), (60, 100.0), (3600, 100.0), (3660, 100.0)])

    assert found.energy_kwh == pytest.approx(2 * 6000 / 3.6e6)
    assert (found.covered_s, found.gaps) == (120, 1)


@pytest.mark.parametrize("module", [wandb, mlflow])
def test_a_history_needs_the_name_of_its_run(module: Any) -> None:
    body = b'{"metrics": []}' if module is mlflow else FILES["wandb"]

    with pytest.raises(UnreadablePayload, match="Set `run`"):
        read(module, body)


def test_a_value_that_nobody_named_is_no_energy() -> None:
    [parsed] = read(mlflow, RUNS)

    assert (len(parsed.activity), parsed.outside) == (0, 1)


# --- counters of devices ----------------------------------------------------------------------------------------------


def counted(*values: float, step_s: int = 60, **labels: str) -> list[Sample]:
    """Make samples of one device's energy counter. [mJ]"""
    all_labels = {"__name__": dcgm.ENERGY, "UUID": "GPU-1", "modelName": "H100", "namespace": "nlp", **labels}
    start_ms = 1_791_014_400_000
    return [Sample(all_labels, start_ms + at * step_s * 1000, value) for at, value in enumerate(values)]


CONTEXT = Context(RECEIVED_AT, setting={"emit_every_s": 60})


def energy_j(result: dcgm.Result) -> float:
    return sum(record["energy_kwh"] for record in result.records) * 3.6e6


def test_a_counter_that_began_anew_counts_from_zero() -> None:
    result = dcgm.read(counted(9_000_000, 9_006_000, 2_000, 5_000), CONTEXT)

    assert energy_j(result) == pytest.approx(6 + 2 + 3)


def test_order_and_repetition_do_not_matter() -> None:
    given_samples = counted(0, 6_000, 12_000, 18_000)

    assert dcgm.read([*reversed(given_samples), *given_samples], CONTEXT).records == (
        dcgm.read(given_samples, CONTEXT).records
    )


def test_a_new_owner_closes_the_window() -> None:
    first = counted(0, 60_000, 120_000)
    second = [
        Sample(dict(sample.labels) | {"namespace": "vision"}, sample.at_ms + 180_000, sample.value + 180_000)
        for sample in counted(0, 60_000)
    ]

    result = dcgm.read([*first, *second], Context(RECEIVED_AT, setting={"emit_every_s": 120}))

    by_team = {record["team"]: record["energy_kwh"] * 3.6e6 for record in result.records}
    assert by_team == pytest.approx({"nlp": 120, "vision": 120})


def test_a_slipped_counter_is_quarantined() -> None:
    result = dcgm.read(counted(0, 2**50, 2**50 + 6_000), CONTEXT)

    assert [rejection.reason for rejection in result.rejected] == ["implausible_power"]
    assert energy_j(result) == pytest.approx(6)


def test_blank_values_are_absent() -> None:
    assert all(map(dcgm.is_absent, (9223372036854775794.0, 140737488355328.0, 140737488355331.0, float("nan"), -1.0)))
    assert not dcgm.is_absent(8_123_460_749_830.0)


def test_power_alone_is_integrated() -> None:
    gauge = [Sample(dict(s.labels) | {"__name__": dcgm.POWER}, s.at_ms, 100.0) for s in counted(0, 0, 0)]

    result = dcgm.read(gauge, CONTEXT)

    assert energy_j(result) == pytest.approx(12_000)
    assert {record["flags"][0] for record in result.records} == {"power_integrated"}


@given(
    st.lists(st.integers(0, 50_000), min_size=2, max_size=12), st.lists(st.sampled_from("123"), min_size=1, max_size=3)
)
def test_instances_of_a_card_share_its_energy_exactly(steps: list[int], profiles: list[str]) -> None:
    values = [sum(steps[:at]) for at in range(len(steps) + 1)]
    profiles = profiles[:2]
    found = [
        sample
        for number, size in enumerate(profiles)
        for sample in counted(*values, GPU_I_ID=str(number), GPU_I_PROFILE=f"{size}g.10gb")
    ]

    assert energy_j(dcgm.read(found, CONTEXT)) == pytest.approx(sum(steps) / 1000)


def test_two_scrapes_with_times_make_a_record() -> None:
    line = '{}{{UUID="GPU-1",modelName="H100",cmdline="run --key hunter2"}} {} {}\n'
    body = "# TYPE x counter\n" + line.format(dcgm.ENERGY, 0, 1791014400) + "# EOF\n"
    body += line.format(dcgm.ENERGY, 6000, 1791014460) + "# EOF\n"

    stored = prometheus_text.scrub(body.encode(), "")
    [parsed] = read(prometheus_text, body.encode(), setting={"emit_every_s": 60})

    assert b"hunter2" not in stored
    assert parsed.activity["energy_kwh"].tolist() == pytest.approx([6 / 3.6e6])
    assert (parsed.received, parsed.outside) == (2, 1)


# --- whatever comes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", registry.PARSED_ONLY)
@given(data=st.data())
def test_any_bytes_are_read_or_refused(name: str, data: st.DataObject) -> None:
    whole = FILES[name]
    at = data.draw(st.integers(0, len(whole)))
    body = data.draw(st.sampled_from([b"", whole[:at]])) + data.draw(st.binary(max_size=30)) + whole[at : at + 500]

    try:
        parsed = read(registry.reader(name), body, setting=SETTING)
    except UnreadablePayload:
        return
    assert all(each.received >= 0 for each in parsed)


@given(st.binary(max_size=60))
def test_any_request_is_read_or_refused(body: bytes) -> None:
    for content_type in ("application/x-protobuf", "application/x-protobuf;proto=io.prometheus.write.v2.Request"):
        assert outcome(body, content_type) in ("read", 400, 413)


def outcome(body: bytes, content_type: str) -> str | int:
    try:
        samples(body, content_type)
    except RefusedError as refused:
        return refused.status
    return "read"


def test_formats_recognize_their_files() -> None:
    for name, body in FILES.items():
        assert registry.reader(name).detect(body, "x"), name
        assert registry.detect(body, "x") is None, name


def test_a_file_of_json_that_is_no_answer_is_refused() -> None:
    with pytest.raises(UnreadablePayload, match="neither runs nor metrics"):
        read(mlflow, json.dumps({"experiments": []}).encode())
