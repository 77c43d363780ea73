"""
CodeCarbon's `emissions.csv` (header decides; recorded with 3.3.2 and 2.8.4) and its task files.

Rows are running totals of a run: after a `flush()` one run has several, and the one with the longest duration says all.
They are a snapshot per run, so that a longer file sent later corrects what stands instead of adding to it. A file speaks for
the runs in it: a task file repeats the energy that `emissions.csv` has of the same run, and the later of the two stands.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import islice
from typing import Any, BinaryIO, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from core.quantification import records
from core.quantification.rejections import Cover, Rejection
from ingestion.sources import private_tables
from ingestion.sources.base import CHUNK_ROWS, Context, Parsed, UnreadablePayload, digest, finish
from ingestion.sources.byte_streams import open_maybe_compressed
from ingestion.sources.codecarbon import (
    DEFAULT_PLACE,
    FALLBACK,
    LONGEST_S,
    MACHINE,
    PARTS,
    devices,
    energy_boundary,
    experiment_setting,
    host_labels,
    is_default_place,
    is_of_our_time,
    overlap_flags,
    parts_mismatch,
)
from ingestion.sources.private_texts import Rules
from ingestion.sources.vocabulary import provider_slug

NAME: Final = "codecarbon_csv"
SNAPSHOT: Final = True

DROPPED: Final = "Cells of all columns that are not the client's own, “user” among them; coordinates."
"""What never reaches the inbox, in words for the privacy page."""

TELLING: Final = ("timestamp", "duration", "emissions", "energy_consumed", "tracking_mode")
REQUIRED: Final = ("timestamp", "project_name", "run_id", "duration", "emissions", "energy_consumed")

KEPT: Final = (  # noqa: SIM905  # forty words read better so
    "timestamp project_name run_id experiment_id duration emissions emissions_rate cpu_power gpu_power ram_power"
    " cpu_energy gpu_energy ram_energy energy_consumed water_consumed country_name country_iso_code region"
    " cloud_provider cloud_region os python_version codecarbon_version cpu_count cpu_model gpu_count gpu_model"
    " longitude latitude ram_total_size tracking_mode cpu_utilization_percent gpu_utilization_percent"
    " ram_utilization_percent ram_used_gb on_cloud pue wue"
).split()
"""
Columns, and fields of the HTTP output, that are stored; `user` and any that a later client or somebody adds are not, and
coordinates only where they are those of an agent that does not know its place.
"""

MORE_CELLS: Final = "(cells beyond the header)"

NO_RUN: Final = ("", "None")
"""What the client writes as run_id when API mode is on: the run is known to the API only."""


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the header of emissions.csv and of task files."""
    names = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode(errors="replace").strip().split(",")
    if not set(TELLING) <= set(names):
        return None
    what = "task file" if names[0] == "task_name" else "emissions.csv"
    return f"CodeCarbon {what} with {len(names)} columns"


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Keep the cells of the client's own columns; what a machine's owner added is dropped."""
    return private_tables.scrubbed_bytes(body, RULES)


def stores(column: str) -> bool:
    """Tell whether a column's cells are stored: those of the client's files, no others."""
    return column in KEPT or column == "task_name"


def without_coordinate(name: str, value: object) -> object:
    """
    Drop a coordinate, unless it is that of an agent that does not know its place.

    >>> without_coordinate("longitude", "-71.2"), without_coordinate("longitude", "8.7"), without_coordinate("latitude", 50.1)
    ('-71.2', None, None)
    """
    try:
        known = float(value)  # type: ignore[arg-type]  # anything else is none
    except (TypeError, ValueError):
        return None
    return value if known == COORDINATES[name] else None


COORDINATES: Final = dict(zip(("longitude", "latitude"), DEFAULT_PLACE, strict=True))


def _coordinate(column: str) -> Callable[[str], str | None] | None:
    if column not in COORDINATES:
        return None
    return lambda text: text if without_coordinate(column, text) is not None else None


RULES: Final = Rules(stores=stores, own=_coordinate, brief=stores)


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """
    Read a seekable, perhaps packed file twice: which row of each run is its last and which runs measure one machine at the
    same time, then the last rows in chunks.

    Raises UnreadablePayload: not UTF-8, not this CSV, or a setting `timezone` that does not exist.
    """
    zone = clock_zone(context)
    start = stream.tell()
    found = _survey(_rows(open_maybe_compressed(stream)), zone)
    stream.seek(start)
    rows = enumerate(_rows(open_maybe_compressed(stream)), 1)
    while chunk := list(islice(rows, CHUNK_ROWS)):
        yield _chunk(chunk, found, zone, context)


class Bad(Exception):
    """A row cannot be read: the field and what is wrong with it."""

    def __init__(self, field: str, detail: str, reason: str = "bad_field") -> None:
        super().__init__(detail)
        self.field, self.detail, self.reason = field, detail, reason


def _rows(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        reader = csv.DictReader(text, restkey=MORE_CELLS)
        missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
        if missing:
            raise UnreadablePayload(f"The file lacks the columns {', '.join(missing)} of CodeCarbon's emissions.csv.")
        yield from reader
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadablePayload(f"The file is not CSV in UTF-8: {error}.") from error
    finally:
        text.detach()


@dataclass(frozen=True)
class _Survey:
    """
    What a file's rows are to each other, by their number.

    Args:
        stands_for: the rows of the run whose last, the longest, this one is; 0 where it is not the last, or cannot be read.
        concurrent: of last rows of runs that track a whole machine, which of the runs at the same time it is, from 0.
    """

    stands_for: npt.NDArray[np.int32]
    concurrent: npt.NDArray[np.int32]


_SEEN: Final = np.dtype(
    [("number", "i8"), ("run", "u8"), ("machine", "u8"), ("duration_s", "f8"), ("ended_at_s", "f8")]
)


def _survey(rows: Iterator[dict[str, Any]], zone: ZoneInfo) -> _Survey:
    """Read the whole file; of a row 40 bytes are held until its end."""
    seen = np.fromiter(_seen(rows, zone), _SEEN)
    seen = seen[np.lexsort((seen["number"], seen["duration_s"], seen["run"]))]
    _, first, counts = np.unique(seen["run"], return_index=True, return_counts=True)
    last = seen[first + counts - 1]
    stands_for = np.zeros(seen["number"].max(initial=0) + 1, np.int32)
    stands_for[last["number"]] = counts
    concurrent = np.zeros_like(stands_for)
    for number, taken in _overlapping(last[last["machine"] != 0]):
        concurrent[number] = taken
    return _Survey(stands_for, concurrent)


def _seen(rows: Iterator[dict[str, Any]], zone: ZoneInfo) -> Iterator[tuple[int, int, int, float, float]]:
    for number, row in enumerate(rows, 1):
        try:
            run, duration_s = _short(record_id_of(row, zone)), duration_of(row) or 0.0
        except Bad:
            continue
        yield number, run, *_machine(row, duration_s, zone)


def _machine(row: Mapping[str, Any], duration_s: float, zone: ZoneInfo) -> tuple[int, float, float]:
    """Give the machine that a run tracks as a whole (0: none; those that look alike are one), its duration and its end."""
    if not duration_s or row.get("tracking_mode") != "machine" or row.get("task_name"):
        return 0, duration_s, 0.0
    try:
        ended_at = end_of(row, zone)[0]
    except Bad:
        return 0, duration_s, 0.0
    looks = (*MACHINE, "country_iso_code", "cloud_region", "gpu_count")
    return _short(*(row.get(name) for name in looks)), duration_s, ended_at.timestamp()


def _overlapping(last: npt.NDArray[Any]) -> Iterator[tuple[int, int]]:
    """
    Number runs that overlap in time with others of their machine: row -> number.

    In order of their start each takes the first number that no run has which is still on.
    """
    started_at_s = last["ended_at_s"] - last["duration_s"]
    latest = 0
    busy: list[tuple[float, int]] = []  # until when each number is taken
    free: list[int] = []
    for at in np.lexsort((last["run"], last["ended_at_s"], started_at_s, last["machine"])):
        if last["machine"][at] != latest:
            latest, busy, free = last["machine"][at], [], []
        while busy and busy[0][0] <= started_at_s[at] + OVERLAP_TOLERANCE_S:
            heappush(free, heappop(busy)[1])
        taken = heappop(free) if free else len(busy)  # all numbers below are taken where none is free
        heappush(busy, (last["ended_at_s"][at], taken))
        yield last["number"][at], taken


OVERLAP_TOLERANCE_S: Final = 2.0
"""By how much the whole seconds of a row's end let runs overlap that follow each other."""


def _short(*parts: object) -> int:
    """Hash to 64 bits: of a million runs two are taken for one with a chance of 3 in 100 million."""
    return int(digest(*parts)[:16], 16)


def _chunk(chunk: list[tuple[int, dict[str, Any]]], found: _Survey, zone: ZoneInfo, context: Context) -> Parsed:
    """Read the last rows of runs in a chunk; the other rows of a run are counted with its last."""
    read: list[dict[str, Any]] = []
    rejected: list[Rejection] = []
    received = 0
    for number, row in chunk:
        try:
            identity = record_id_of(row, zone)
            duration_of(row)
        except Bad as bad:
            received += 1
            rejected.append(Rejection(number, None, bad.field, bad.reason, bad.detail, row))
            continue
        count = int(found.stands_for[number])
        if not count:
            continue
        received += count
        try:
            record = totals_record(row, zone, context, int(found.concurrent[number]))
            read.append({**record, "row": number, "rows": count})
        except Bad as bad:
            rejected.append(Rejection(number, identity, bad.field, bad.reason, bad.detail, row, count))
    return finish(
        records.to_activity(read),
        context,
        received=received,
        rejected=rejected,
        cover=[Cover(snapshot) for snapshot in sorted({record["snapshot"] for record in read})],
        fallback=FALLBACK,
        per_host=True,
    )


def clock_zone(context: Context) -> ZoneInfo:
    """Give the zone of the clock that wrote the times: the setting `timezone`, default UTC."""
    name = context.setting.get("timezone") or "UTC"
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise UnreadablePayload(
            f"The source's setting timezone {name!r} does not exist. Use one like Europe/Paris."
        ) from error


def record_id_of(row: Mapping[str, Any], zone: ZoneInfo) -> str:
    """
    Name a run, or a task of it. Raises Bad.

    Where the client wrote no run id, (experiment, project, start to 2 s) stands for it: the start is the same in all rows
    of a run, up to the whole second to which the end is cut.
    """
    if row.get(MORE_CELLS):
        raise Bad("timestamp", f"the row has {len(row[MORE_CELLS])} cells more than the header")
    task = row.get("task_name") or ""
    run = row.get("run_id") or ""
    if run not in NO_RUN:
        return f"cccsv:{run}:{digest(task)[:16]}" if task else f"cccsv:{run}"
    start = (end_of(row, zone)[0] - timedelta(seconds=duration_of(row) or 0.0)).timestamp()
    return f"cccsv:{digest(row.get('experiment_id'), row.get('project_name'), round(start / 2) * 2, task)[:32]}"


def totals_record(row: Mapping[str, Any], zone: ZoneInfo, context: Context, concurrent: int = 0) -> dict[str, Any]:
    """
    Read one row of totals (text from the CSV, or JSON values of the HTTP output) as a record.

    Args:
        concurrent: number of the run among those that measure the same machine at the same time.

    Raises Bad with the field at fault.
    """
    record_id = record_id_of(row, zone)
    ended_at, flags = end_of(row, zone)
    duration_s = duration_of(row)
    energy_kwh = number_of(row, "energy_consumed")
    if duration_s is None or energy_kwh is None:
        raise Bad("duration" if duration_s is None else "energy_consumed", "it is missing")
    for name in ("duration", "energy_consumed", "emissions", "water_consumed", *PARTS):
        value = number_of(row, name)
        if value is not None and value < 0:
            raise Bad(name, f"{name} is negative: {value}", "negative_quantity")
    experiment = experiment_setting(context, text_of(row, "experiment_id") or "")
    boundary, pue_flags = energy_boundary(number_of(row, "pue") if "pue" in row else experiment.get("pue"))
    place, place_flags = _place(row, experiment)
    if parts_mismatch([number_of(row, name) for name in PARTS], energy_kwh):
        flags = [*flags, "parts_mismatch"]
    run = text_of(row, "run_id")
    emissions_kg = number_of(row, "emissions")
    mode = text_of(row, "tracking_mode")
    labels: dict[str, str] = host_labels(
        mode, text_of(row, "codecarbon_version"), text_of(row, "cpu_model"), concurrent
    )
    if task := text_of(row, "task_name"):
        labels["task_name"] = task[:200]
    return {
        "record_id": record_id,
        "snapshot": f"cccsv:{run}" if run else record_id,
        "started_at": ended_at - timedelta(seconds=duration_s),
        "ended_at": ended_at,
        "run": run,
        "account": f"exp:{row['experiment_id']}" if text_of(row, "experiment_id") else None,
        "team": experiment.get("team"),
        "project": experiment.get("project") or text_of(row, "project_name"),
        "environment": experiment.get("environment"),
        "stage": experiment.get("stage"),
        "evidence": "measured",
        **place,
        **devices(number_of(row, "gpu_count"), text_of(row, "gpu_model"), mode, duration_s),
        "energy_kwh": energy_kwh,
        "energy_boundary": boundary,
        "reported_kg_co2e": emissions_kg,
        "reported_basis": None if emissions_kg is None else "location",
        "water_l": number_of(row, "water_consumed") if number_of(row, "wue") else None,
        "labels": labels,
        "flags": [*flags, *pue_flags, *place_flags, *overlap_flags(concurrent)],
    }


def _place(row: Mapping[str, Any], experiment: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    cloud = text_of(row, "cloud_provider")
    unlocated = is_default_place(number_of(row, "longitude"), number_of(row, "latitude")) and not cloud
    provider = provider_slug(cloud) or experiment.get("provider")
    place = {
        "hosting": "cloud" if provider else experiment.get("hosting") or "owned",
        "provider": provider,
        "region": text_of(row, "cloud_region") or experiment.get("region"),
        "zone": experiment.get("zone") or (None if unlocated else text_of(row, "country_iso_code")),
        "site": experiment.get("site"),
    }
    return place, ["location_default"] if unlocated else []


def end_of(row: Mapping[str, Any], zone: ZoneInfo) -> tuple[datetime, list[str]]:
    """Read the end of a row in UTC: local time without offset, in the zone of the source. Raises Bad."""
    text = str(row.get("timestamp") or "")
    try:
        read_at = datetime.fromisoformat(text)
    except ValueError:
        raise Bad("timestamp", f"{text[:60]!r} is not a time like 2026-10-01T09:00:00") from None
    if not is_of_our_time(read_at):
        raise Bad("timestamp", f"{text[:60]!r} is no time of our time")
    if read_at.tzinfo is not None:
        return read_at.astimezone(UTC), []
    return read_at.replace(tzinfo=zone).astimezone(UTC), ["naive_time"]


def duration_of(row: Mapping[str, Any]) -> float | None:
    """Read how long a run took. [s] Raises Bad."""
    duration_s = number_of(row, "duration")
    if duration_s is not None and abs(duration_s) > LONGEST_S:
        raise Bad("duration", f"{duration_s} s is longer than any run")
    return duration_s


def number_of(row: Mapping[str, Any], name: str) -> float | None:
    """Read a number; empty is absent. Raises Bad for text that is none, and for NaN and infinities."""
    value = row.get(name)
    if value is None or value == "":
        return None
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else float("nan")
    except ValueError:
        number = float("nan")
    if number - number != 0:
        raise Bad(name, f"{str(value)[:40]!r} is not a number")
    return number


def text_of(row: Mapping[str, Any], name: str) -> str | None:
    """Give a text; empty and the client's `None` are absent."""
    value = row.get(name)
    return str(value) if value is not None and str(value) not in NO_RUN else None
