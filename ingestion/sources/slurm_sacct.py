"""
Slurm's accounting: `sacct --parsable2 --noconvert --duplicates`, jobs with their steps (22.05).

A job, its batch script and its steps say the same energy again, so one row of them counts. Times are the cluster's local
time without an offset; users are dropped.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final
from zoneinfo import ZoneInfo

from core.quantification import records, units
from core.quantification.rejections import Rejection
from ingestion.sources import private_tables
from ingestion.sources.base import Context, Parsed, UnreadablePayload, finish, natural_id
from ingestion.sources.byte_streams import open_maybe_compressed
from ingestion.sources.codecarbon_csv import Bad, clock_zone
from ingestion.sources.private_texts import Rules

NAME: Final = "slurm_sacct"
SNAPSHOT: Final = False

DROPPED: Final = "Every column that is not read, so users and job names."
"""What never reaches the inbox, in words for the privacy page."""

REQUIRED: Final = ("JobIDRaw", "JobID", "State", "Start", "End", "ElapsedRaw", "AllocTRES")
READ: Final = (*REQUIRED, "Account", "Partition", "Cluster", "Submit", "NodeList", "ConsumedEnergyRaw")

MOST_J: Final = 2**53
"""No job uses more; Slurm writes 18446744073709551614 where there is no value."""

RUNNING: Final = ("PENDING", "RUNNING", "SUSPENDED", "REQUEUED", "RESIZING", "CONFIGURING", "COMPLETING")


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the header of sacct's parsable output."""
    names = head.split(b"\n", 1)[0].decode(errors="replace").strip().split("|")
    return "Slurm sacct" if set(REQUIRED) <= set(names) else None


def stores(column: str) -> bool:
    """Tell whether a column's cells are stored."""
    return column in READ


RULES: Final = Rules(stores=stores, brief=stores)


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Keep the cells of the columns that are read."""
    return private_tables.scrubbed_bytes(body, RULES)


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """
    Read a file whole: steps may stand far from their job.

    Settings: `timezone` of the cluster, `energy_boundary` by its plugin (default it), `exclusive` (false: nodes are shared,
    and the energy is the whole node's), `hosting`.
    """
    zone = clock_zone(context)
    rows = list(enumerate(_rows(open_maybe_compressed(stream)), 1))
    steps: dict[str, list[Mapping[str, str]]] = {}
    for _, row in rows:
        job, dot, _step = (row["JobIDRaw"] or "").partition(".")
        if dot:
            steps.setdefault(job, []).append(row)
    read: list[dict[str, Any]] = []
    rejected: list[Rejection] = []
    outside = 0
    for number, row in rows:
        if "." in (row["JobIDRaw"] or "") or row["State"].split(" ")[0] in RUNNING or row["End"] == "Unknown":
            outside += 1
            continue
        try:
            read.append({"row": number, **_record(row, steps.get(row["JobIDRaw"], []), zone, context)})
        except Bad as bad:
            rejected.append(Rejection(number, row["JobIDRaw"], bad.field, bad.reason, bad.detail, row))
    yield finish(
        records.to_activity(read),
        context,
        received=len(rows),
        rejected=rejected,
        outside=outside,
        fallback={"stage": "training"},
    )


def _rows(stream: BinaryIO) -> Iterator[dict[str, str]]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        reader = csv.DictReader(text, delimiter="|", restval="", restkey="more", quoting=csv.QUOTE_NONE)
        missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
        if missing:
            raise UnreadablePayload(f"The file lacks the columns {', '.join(missing)} of sacct --parsable2.")
        yield from reader
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadablePayload(f"The file is no text in UTF-8 with columns: {error}.") from error
    finally:
        text.detach()


def _record(row: dict[str, str], steps: list[Mapping[str, str]], zone: ZoneInfo, context: Context) -> dict[str, Any]:
    elapsed_s = _number(row, "ElapsedRaw")
    started_at, ended_at = _interval(row, elapsed_s, zone)
    resources = _resources(row["AllocTRES"])
    joules = _joules(row, resources, steps)
    gpus = [count for name, count in resources.items() if name.startswith("gres/gpu")]
    devices = resources.get("gres/gpu", sum(gpus)) if gpus else None
    kinds = [name.partition(":")[2] for name in resources if name.startswith("gres/gpu:")]
    if joules is None and devices is None:
        raise Bad("AllocTRES", "the job says neither its energy nor its devices")
    shared = context.setting.get("exclusive") is False
    cluster = row.get("Cluster") or None
    return {
        "record_id": natural_id("sacct", cluster, row["JobIDRaw"], row.get("Submit")),
        "started_at": started_at,
        "ended_at": ended_at,
        "run": row["JobIDRaw"],
        "account": cluster,
        "team": row.get("Account") or None,
        "hosting": context.setting.get("hosting") or "owned",
        "evidence": "modelled" if joules is None else "measured",
        "hardware": kinds[0] if len(kinds) == 1 else None,
        "device_hours": None if devices is None else devices * elapsed_s / units.S_PER_H,
        "energy_kwh": None if joules is None else joules / units.J_PER_KWH,
        "energy_boundary": None if joules is None else context.setting.get("energy_boundary") or "it",
        "labels": {"partition": row["Partition"]} if row.get("Partition") else {},
        "flags": ["naive_time", *(["shared_node"] if shared and joules is not None else [])],
    }


def _joules(row: Mapping[str, str], resources: Mapping[str, float], steps: list[Mapping[str, str]]) -> float | None:
    """Find the energy of a job: its own, else that of its resources, else on one node the largest step's; never a sum."""
    own = [_energy(row.get("ConsumedEnergyRaw")), _sound(resources.get("energy"))]
    if resources.get("node") == 1:
        own.append(max((joules for step in steps if (joules := _energy(step.get("ConsumedEnergyRaw")))), default=None))
    return next((joules for joules in own if joules), None)


def _energy(text: str | None) -> float | None:
    return _sound(float(text)) if text and re.fullmatch(r"\d+", text) else None


def _sound(joules: float | None) -> float | None:
    return joules if joules is not None and 0 < joules <= MOST_J else None


def _resources(text: str) -> dict[str, float]:
    """
    Read trackable resources, as far as they are numbers.

    >>> _resources("cpu=64,energy=76205621,gres/gpu:a100=4,mem=512G")
    {'cpu': 64.0, 'energy': 76205621.0, 'gres/gpu:a100': 4.0}
    """
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {name: float(value) for name, _, value in pairs if re.fullmatch(r"\d+(?:\.\d+)?", value)}


def _interval(row: Mapping[str, str], elapsed_s: float, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """
    Read start and end in UTC. In the hour that a clock shows twice, the earlier reading holds for the start, and the time
    that the job took tells the end.
    """
    start, end = (_local(row, name, zone) for name in ("Start", "End"))
    twice = any(moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset() for moment in (start, end))
    started_at = start.astimezone(UTC)
    return started_at, started_at + timedelta(seconds=elapsed_s) if twice else end.astimezone(UTC)


def _local(row: Mapping[str, str], name: str, zone: ZoneInfo) -> datetime:
    try:
        return datetime.strptime(row[name], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=zone)
    except ValueError:
        raise Bad(name, f"{row[name][:40]!r} is not a time like 2026-10-04T08:00:00") from None


def _number(row: Mapping[str, str], name: str) -> float:
    if not re.fullmatch(r"\d{1,10}", row[name] or ""):
        raise Bad(name, f"{(row[name] or '')[:40]!r} is not a number of seconds")
    return float(row[name])
