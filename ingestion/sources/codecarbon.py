"""
CodeCarbon's API mode: a run is announced once (`POST /runs`), then each interval sends what it used since the last
(`POST /emissions`). Recorded with codecarbon 3.3.2 and 2.8.4.

The energy is CPU + GPU + RAM of the host, measured or taken from rated power (the wire does not say which). Whether the
user's PUE is inside, the API does not say either: the experiment's setting `pue` does, else `pue_unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final
from uuid import UUID

import msgspec

from core.quantification import records, units
from core.quantification.coverage import CONCURRENT_RUN
from core.quantification.private import without_private
from core.quantification.prose import brief
from core.quantification.rejections import Rejection
from ingestion.sources.base import Context, Draft, Parsed, UnreadablePayload, digest, finish_draft
from ingestion.sources.byte_streams import unpacked
from ingestion.sources.vocabulary import provider_slug

NAME: Final = "codecarbon"
SNAPSHOT: Final = False

DROPPED: Final = (
    "Everything but the known fields of a run and an emission; of the coordinates of a run a keyed hash stays."
)
"""What never reaches the inbox, in words for the privacy page."""

FALLBACK: Final = {"stage": "experimentation"}

PARTS: Final = ("cpu_energy", "gpu_energy", "ram_energy")
PARTS_TOLERANCE: Final = 0.02
"""Share of the total by which CPU, GPU and RAM together may miss it."""

CLOCK_TOLERANCE: Final = timedelta(minutes=10)

LONGEST_S: Final = 10 * 366 * 24 * 3600
"""Most seconds that a run may take; beyond it is another unit or a broken clock."""

DEFAULT_PLACE: Final = (-71.2, 46.8)
"""Longitude and latitude (Quebec) that an agent sends when its geolocation failed."""

_COUNTED_MODEL: Final = re.compile(r"^\d+ x ")  # "2 x NVIDIA A100": the number is in gpu_count


class InvalidBody(UnreadablePayload):  # said in the words of the contract
    """The body is JSON, but not what the protocol says; `field` names what to correct. Doors answer 422."""

    def __init__(self, message: str, field: str | None) -> None:
        super().__init__(message)
        self.field = field


class Run(msgspec.Struct):
    """Body of `POST /runs`, as far as it is kept. Unknown fields are ignored, and not stored."""

    timestamp: str
    experiment_id: UUID
    os: str | None = None
    python_version: str | None = None
    codecarbon_version: str | None = None
    cpu_count: float | None = None
    cpu_model: str | None = None
    gpu_count: float | None = None
    gpu_model: str | None = None
    ram_total_size: float | None = None
    longitude: float | None = None
    latitude: float | None = None
    region: str | None = None
    provider: str | None = None
    tracking_mode: str | None = None
    # The rest is written by `announce_run`, never by a client. Coordinates are not stored: `place` tells places apart.
    concurrent: int = 0  # how many live runs of one machine came before
    unlocated: bool = False
    place: str | None = None


class Emission(msgspec.Struct):
    """Body of `POST /emissions`: differences since the last one. Unknown fields are ignored, and not stored."""

    timestamp: str
    run_id: UUID
    duration: float  # s, the end is `timestamp`
    energy_consumed: float  # kWh
    emissions_sum: float | None = None  # kg CO2e by the client's own factor
    emissions_rate: float | None = None  # kg/s
    cpu_power: float | None = None  # W
    gpu_power: float | None = None
    ram_power: float | None = None
    cpu_energy: float | None = None  # kWh
    gpu_energy: float | None = None
    ram_energy: float | None = None
    cpu_utilization_percent: float | None = None
    gpu_utilization_percent: float | None = None
    ram_utilization_percent: float | None = None
    wue: float | None = None  # L/kWh


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the body of an emission; API mode leaves no files of its own."""
    if head.lstrip()[:1] in (b"{", b"[") and b'"run_id"' in head and b'"emissions_sum"' in head:
        return "CodeCarbon API emission"
    return None


def read_run(body: bytes) -> dict[str, Any]:
    """
    Check the body of `POST /runs` and keep its known fields, as JSON values.

    Raises InvalidBody (a field is wrong) or UnreadablePayload (not JSON).
    """
    run = _read(body, Run)
    _time(run.timestamp)
    run.concurrent, run.unlocated, run.place = 0, False, None
    plain: dict[str, Any] = brief(msgspec.to_builtins(run))
    return plain


def read_emission(body: bytes) -> Emission:
    """
    Check the body of `POST /emissions`.

    Raises InvalidBody (a field is wrong, the energy is negative, no time has passed) or UnreadablePayload (not JSON).
    """
    emission: Emission = _read(body, Emission)
    _time(emission.timestamp)
    _check(emission)
    return emission


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Keep the known fields of an emission only. Raises UnreadablePayload when it cannot be read."""
    if body.lstrip()[:1] == b"[":
        return msgspec.json.encode([_known(item) for item in _read(body, list[Any])])
    value = _read(body, dict[str, Any])
    known = _known(value)
    return body if known == value else msgspec.json.encode(known)


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """Read one emission, or a JSON array of them; `context.known` holds the announced runs by their id."""
    yield finish_draft(read(stream.read(), context), context)


def read(body: bytes, context: Context) -> Draft:
    """Read one payload as a draft; see `parse`."""
    value = _read(unpacked(body), Any)
    items = value if isinstance(value, list) else [value]
    draft = Draft(received=len(items), fallback=FALLBACK, per_host=True)
    for row, item in enumerate(items, 1):
        outcome = _record(row, item, context)
        if isinstance(outcome, Rejection):
            draft.rejected.append(outcome)
        else:
            draft.records.append(outcome)
    return draft


def _record(row: int, item: object, context: Context) -> dict[str, Any] | Rejection:
    try:
        emission = msgspec.convert(item, Emission)
        ended_at, flags = _time(emission.timestamp)
        _check(emission)
    except (msgspec.ValidationError, InvalidBody) as error:
        field, detail = (error.field, str(error)) if isinstance(error, InvalidBody) else records.explain(str(error))
        reason = "negative_quantity" if "negative" in detail else "bad_field"
        return Rejection(row, None, field, reason, detail, item)
    run_id = str(emission.run_id)
    record_id = f"cc:{digest(run_id, emission.timestamp, emission.duration, emission.energy_consumed)[:32]}"
    announced = context.known.get(run_id)
    if announced is None:
        return Rejection(row, record_id, "run_id", "unknown_run", f"run {run_id} is not known here", item)
    run = msgspec.convert(announced, Run)
    experiment = experiment_setting(context, str(run.experiment_id))
    if ended_at > context.received_at + CLOCK_TOLERANCE:
        # The client stamps at sending, so the time of receipt is as good as a right clock.
        ended_at, flags = context.received_at, [*flags, "clock_skew"]
    boundary, pue_flags = energy_boundary(experiment.get("pue"))
    place, place_flags = run_place(run, experiment)
    if parts_mismatch([emission.cpu_energy, emission.gpu_energy, emission.ram_energy], emission.energy_consumed):
        flags = [*flags, "parts_mismatch"]
    return {
        "row": row,
        "record_id": record_id,
        "started_at": ended_at - timedelta(seconds=emission.duration),
        "ended_at": ended_at,
        "run": run_id,
        "account": f"exp:{run.experiment_id}",
        "team": experiment.get("team"),
        "project": experiment.get("project"),
        "environment": experiment.get("environment"),
        "stage": experiment.get("stage"),
        "evidence": "measured",
        **place,
        **devices(run.gpu_count, run.gpu_model, run.tracking_mode, emission.duration),
        "energy_kwh": emission.energy_consumed,
        "energy_boundary": boundary,
        "reported_kg_co2e": emission.emissions_sum,
        "reported_basis": None if emission.emissions_sum is None else "location",
        "water_l": emission.wue * emission.energy_consumed if emission.wue else None,
        "labels": host_labels(run.tracking_mode, run.codecarbon_version, run.cpu_model, run.concurrent),
        "flags": [*flags, *pue_flags, *place_flags, *overlap_flags(run.concurrent)],
    }


def _check(emission: Emission) -> None:
    if not 0 < emission.duration <= LONGEST_S:
        raise InvalidBody(f"duration must be more than 0 seconds and at most {LONGEST_S}", "duration")
    for name in ("energy_consumed", "emissions_sum", *PARTS):
        value = getattr(emission, name)
        if value is not None and value < 0:
            raise InvalidBody(f"{name} is negative: {value}", name)


# --- what API, CSV and HTTP output share ------------------------------------------------------------------------------


def experiment_setting(context: Context, experiment_id: str) -> Mapping[str, Any]:
    """Give what the organization says of an experiment (team, project, stage, pue, hosting, place); {} when nothing."""
    experiments = context.setting.get("experiments")
    found = experiments.get(experiment_id) if isinstance(experiments, Mapping) else None
    general = {"hosting": context.setting.get("hosting")}
    return {**general, **found} if isinstance(found, Mapping) else general


def energy_boundary(pue: object) -> tuple[str, list[str]]:
    """
    Say where the energy was measured: the client multiplies by its `pue` before it sends.

    >>> energy_boundary(1.25), energy_boundary(1.0), energy_boundary(None)
    (('facility', []), ('it', []), ('it', ['pue_unknown']))
    """
    if isinstance(pue, bool) or not isinstance(pue, int | float):
        return "it", ["pue_unknown"]
    return ("facility" if pue > 1 else "it"), []


def is_default_place(longitude: float | None, latitude: float | None) -> bool:
    """Tell whether these are the coordinates of an agent that does not know its place."""
    return (longitude, latitude) == DEFAULT_PLACE


def run_place(run: Run, experiment: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """
    Say where a run was: cloud and region as it sends them, else as the experiment's setting says.

    A place off-cloud comes as coordinates only; they are not kept, and derive names the fallback zone it takes.
    """
    provider = provider_slug(run.provider) or experiment.get("provider")
    unlocated = (run.unlocated or is_default_place(run.longitude, run.latitude)) and not run.provider
    place = {
        "hosting": "cloud" if provider else experiment.get("hosting") or "owned",
        "provider": provider,
        "region": run.region or experiment.get("region"),
        "zone": experiment.get("zone"),
        "site": experiment.get("site"),
    }
    return place, ["location_default"] if unlocated else []


def devices(
    gpu_count: float | None, gpu_model: str | None, tracking_mode: str | None, duration_s: float
) -> dict[str, Any]:
    """Give hardware, and the device-hours held when the whole machine is tracked."""
    if not gpu_count or gpu_count < 0:
        return {}
    hours = gpu_count * duration_s / units.S_PER_H if tracking_mode == "machine" else None
    return {"hardware": _COUNTED_MODEL.sub("", gpu_model) if gpu_model else None, "device_hours": hours}


def parts_mismatch(parts_kwh: list[float | None], total_kwh: float) -> bool:
    """Tell whether CPU, GPU and RAM miss the total by more than 2 % of it (unknown parts say nothing)."""
    known = [part for part in parts_kwh if part is not None]
    return len(known) == len(parts_kwh) and abs(sum(known) - total_kwh) > PARTS_TOLERANCE * total_kwh


MACHINE: Final = ("experiment_id", "cpu_model", "ram_total_size", "region")
"""What tells machines apart, as far as a tracker says: it names no host."""


def overlap_flags(concurrent: int) -> list[str]:
    """Flag a run of a machine that other runs measure at the same time; derive counts the machine once."""
    return ["overlapping_machine_runs"] if concurrent else []


def host_labels(
    tracking_mode: str | None, version: str | None, cpu_model: str | None, concurrent: int = 0
) -> dict[str, str]:
    """Give the allow-listed labels of a host. The parts of the energy are not among them: labels make the series."""
    labels = {
        "tracking_mode": tracking_mode,
        "codecarbon_version": version,
        "cpu_model": cpu_model,
        CONCURRENT_RUN: str(concurrent) if concurrent else None,
    }
    return {key: value[:200] for key, value in labels.items() if value}


def _time(text: str) -> tuple[datetime, list[str]]:
    """Read a client's time; without offset it is UTC and flagged. Raises InvalidBody for anything else."""
    try:
        read_at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidBody(f"{text[:60]!r} is not a time like 2026-10-01T09:00:00+00:00", "timestamp") from None
    if not is_of_our_time(read_at):
        raise InvalidBody(f"{text[:60]!r} is no time of our time", "timestamp")
    if read_at.tzinfo is None:
        return read_at.replace(tzinfo=UTC), ["naive_time"]
    return read_at.astimezone(UTC), []


def is_of_our_time(moment: datetime) -> bool:
    """Tell whether a time can be converted and subtracted from without leaving the calendar."""
    return 1990 <= moment.year < 9000


def _known(value: object) -> object:
    if not isinstance(value, dict):
        return None
    return {key: brief(without_private(item), key) for key, item in value.items() if key in Emission.__struct_fields__}


def _read(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        field, detail = records.explain(str(error))
        raise InvalidBody(f"{field or 'body'}: {detail}", field) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadablePayload(f"The body is not JSON: {error}. Send one JSON object.") from error
