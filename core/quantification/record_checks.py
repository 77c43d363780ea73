"""
The rules that every record must keep, whatever its wire format, checked column by column.

They are those of the published JSON Schema (`activity_record.schema.json`) and the ones a schema cannot say: the order
of the times, their distance from the time of receipt, and that each measure fits the integers of cells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from core.quantification import activity, units
from core.quantification.limits import Limits, beyond_belief
from core.quantification.rejections import Rejection

ID_LENGTH: Final = 200
LABEL_KEYS: Final = 64
LABEL_TEXT: Final = 200

TEXT_LENGTHS: Final[Mapping[str, int]] = {
    "record_id": ID_LENGTH,
    "run": 200,
    "request": 200,
    "trace": 64,
    "corrects": ID_LENGTH,
    "snapshot": 200,
    "account": 200,
    "team": 200,
    "project": 200,
    "application": 200,
    "task": 200,
    "environment": 200,
    "site": 200,
    "provider": 64,
    "region": 64,
    "zone": 32,
    "model": 200,
    "hardware": 200,
    "instance_type": 64,
}
"""Most characters of each text column."""

ENUMS: Final[Mapping[str, tuple[str, ...]]] = {
    "stage": activity.STAGES,
    "hosting": activity.HOSTINGS,
    "evidence": activity.EVIDENCES,
    "tier": activity.TIERS,
    "energy_boundary": activity.ENERGY_BOUNDARIES,
    "reported_basis": activity.REPORTED_BASES,
}
REQUIRED: Final = ("stage", "hosting", "evidence")

PATTERNS: Final[Mapping[str, re.Pattern[str]]] = {
    "provider": re.compile(r"[a-z0-9][a-z0-9_.-]*"),
    "currency": re.compile(r"[A-Z]{3}"),
}
TECHNIQUE: Final = re.compile(r"[a-z0-9_]+(:[a-z0-9_.-]+)?")
FLAG: Final = re.compile(r"[a-z0-9_]+")

NEEDS: Final[Mapping[str, str]] = {
    "energy_kwh": "energy_boundary",
    "cost": "currency",
    "reported_kg_co2e": "reported_basis",
    "cached_input_tokens": "input_tokens",
    "device_utilization": "device_hours",
    "instance_utilization": "instance_hours",
}
"""A measure and the column without which it says nothing."""

UTILIZATIONS: Final = ("device_utilization", "instance_utilization")
MEASURED: Final = tuple(name for name in (*activity.COUNTS, *activity.NUMBERS) if name not in UTILIZATIONS)
"""Columns of which a record must have at least one."""
NEVER_NEGATIVE: Final = tuple(name for name in MEASURED if name != "cost")

LARGEST: Final[Mapping[str, float]] = {
    measure.source: units.INT64_MAX / measure.per_unit * (units.FLOP_PER_GFLOP if measure.source == "flops" else 1)
    for measure in activity.MEASURES
    if measure.source in activity.NUMBERS and measure.source not in UTILIZATIONS
}
"""Largest absolute value whose integer (in the fixed units of cells) still fits in 64 bits."""

_PLAIN: Final = tuple(name for name in activity.COLUMNS if name not in activity.STRUCTURES)

CLOCK_TOLERANCE: Final = timedelta(minutes=10)


@dataclass
class _Findings:
    """The first fault of each row: rows already at fault keep theirs."""

    size: int

    def __post_init__(self) -> None:
        self.open = np.ones(self.size, dtype=bool)
        self.faults: dict[int, tuple[str | None, str, str]] = {}

    def add(self, at_fault: np.ndarray, field: str | None, reason: str, detail: Callable[[int], str] | str) -> None:
        """Note a fault for the rows of the mask that have none yet."""
        fresh = at_fault & self.open
        if fresh.any():
            for position in np.flatnonzero(fresh).tolist():
                self.faults[position] = (field, reason, detail if isinstance(detail, str) else detail(position))
            self.open &= ~fresh


def check_activity(
    frame: pd.DataFrame,
    *,
    received_at: datetime | pd.Series | None = None,
    max_age_days: float | pd.Series | None = None,
    limits: Limits | None = None,
    only_team: str | pd.Series | None = None,
) -> tuple[pd.DataFrame, list[Rejection]]:
    """
    Part the rows that may become records from those that may not.

    Args:
        frame: the canonical columns in their dtypes (`records.conform`); `row` and `rows`, where given, are kept.
        received_at: when the payload was received, UTC; None (no ledger in sight): times may lie anywhere.
        max_age_days: how long before that a record may start. [days]
        limits: how much a record may hold; None: all that fits the integers of cells.
        only_team: the one team that the sender may name, in whatever case; None, absent: any.
        The first two and the last may also be given for each row, where several payloads are checked together.

    Returns:
        The valid rows, where cached tokens above the input are cut to it (flag `cached_exceeds_input`) and empty text
        is absent; and one rejection for each other row, with its first fault. Unknown names (model, region, hardware)
        are no fault: derive names the fallback it takes for them.
    """
    present = {column: frame[column].notna().to_numpy() for column in _PLAIN}
    used = {column for column, mask in present.items() if mask.any()}
    findings = _Findings(len(frame))
    blank = _check_texts(frame, findings, present, used)
    if only_team is not None:
        frame = _check_team(frame, findings, only_team)
    _check_sets(frame, findings)
    _check_numbers(frame, findings, present, used)
    _check_measures(frame, findings, present, used)
    _check_times(frame, findings, present, received_at, max_age_days)
    if limits is not None:
        for at_fault, field, reason, detail in beyond_belief(frame, used, limits):
            findings.add(at_fault, field, reason, detail)
    rejections = _rejections(frame, findings)
    valid = frame if findings.open.all() else frame[findings.open].reset_index(drop=True)
    return _tidy(valid, blank, has_cache="cached_input_tokens" in used), rejections


def _check_texts(
    frame: pd.DataFrame, findings: _Findings, present: Mapping[str, np.ndarray], used: set[str]
) -> list[str]:
    """Check ids, names and enums; give the columns in which empty text occurs."""
    blank = []
    for column in ("record_id", *ENUMS, *activity.IDENTIFIERS[1:], *activity.SERIES_TEXT):
        if column in REQUIRED or column == "record_id":
            findings.add(~present[column], column, "bad_field", "it is missing")
        if column not in used:
            continue
        values = frame[column]
        if column in ENUMS:
            allowed = ENUMS[column]
            odd = present[column] & ~values.isin(allowed).to_numpy()
            findings.add(odd, column, "bad_field", _says(values, f"is none of {', '.join(allowed)}"))
        elif column in PATTERNS:
            odd = present[column] & ~_matches(values, PATTERNS[column])
            findings.add(odd, column, "bad_field", _says(values, f"does not match {PATTERNS[column].pattern}"))
        if column in TEXT_LENGTHS and _check_plain_text(column, values, findings):
            blank.append(column)
    return blank


def _check_plain_text(column: str, values: pd.Series, findings: _Findings) -> bool:
    """Check lengths and characters; tell whether some text is empty."""
    text: Any = pa.array(values, pa.large_string())
    lengths: Any = pc.utf8_length(text)
    bounds: Any = pc.min_max(lengths).as_py()
    if bounds["max"] > TEXT_LENGTHS[column]:
        long: Any = pc.greater(lengths, pa.scalar(TEXT_LENGTHS[column])).fill_null(fill_value=False)
        findings.add(_mask(long), column, "bad_field", f"it is longer than {TEXT_LENGTHS[column]} characters")
    # PostgreSQL keeps no U+0000 in text; in ids other control characters are refused too (they separate key parts).
    forbidden = (
        pc.match_substring_regex(text, r"[\x00-\x1f]") if column == "record_id" else pc.match_substring(text, "\0")
    )
    if pc.any(forbidden).as_py():
        findings.add(_mask(forbidden.fill_null(fill_value=False)), column, "bad_field", "it holds control characters")
    if column == "record_id" and bounds["min"] == 0:
        findings.add(
            _mask(pc.equal(lengths, pa.scalar(0)).fill_null(fill_value=False)), column, "bad_field", "it is empty"
        )
    return bool(bounds["min"] == 0)


def _check_team(frame: pd.DataFrame, findings: _Findings, only_team: str | pd.Series) -> pd.DataFrame:
    """Refuse rows of other teams; give the others the team's name as the sender's token spells it."""
    wanted = pd.Series(only_team, index=frame.index, dtype="str")
    held = wanted.notna()
    same = frame["team"].str.strip().str.casefold() == wanted.str.strip().str.casefold()

    def told(position: int) -> str:
        return f"it names {frame['team'].iloc[position]!r}, and its token sends for {wanted.iloc[position]!r} alone"

    findings.add((held & ~same).to_numpy(dtype=bool), "team", "other_team", told)
    return frame.assign(team=frame["team"].mask(held & same, wanted))


def _check_sets(frame: pd.DataFrame, findings: _Findings) -> None:
    for column, pattern in (("techniques", TECHNIQUE), ("flags", FLAG)):
        faults = {
            items: f"{item!r} does not match {pattern.pattern}"
            for items in set(frame[column])
            for item in items
            if not pattern.fullmatch(item)
        }
        if faults:
            odd = frame[column].isin(list(faults)).to_numpy()
            findings.add(odd, column, "bad_field", _looked_up(frame[column], faults))
    labels = frame["labels"].tolist()
    faulty = {at: fault for at, each in enumerate(labels) if each and (fault := _label_fault(each)) is not None}
    if faulty:
        odd = np.zeros(len(frame), dtype=bool)
        odd[list(faulty)] = True
        findings.add(odd, "labels", "bad_field", faulty.__getitem__)


def _label_fault(labels: Mapping[str, object]) -> str | None:
    if len(labels) > LABEL_KEYS:
        return f"{len(labels)} labels, at most {LABEL_KEYS} are kept"
    for key, value in labels.items():
        if isinstance(value, str):
            if len(value) > LABEL_TEXT or "\x00" in value:
                return f"label {key[:LABEL_TEXT]!r} is longer than {LABEL_TEXT} characters or holds U+0000"
        elif not isinstance(value, bool | int | float) or value != value or value in (np.inf, -np.inf):
            return f"label {key[:LABEL_TEXT]!r} is not text, a number or a boolean"
        if "\x00" in key or len(key) > LABEL_TEXT:
            return f"label name {key[:LABEL_TEXT]!r} is longer than {LABEL_TEXT} characters or holds U+0000"
    return None


def _check_numbers(frame: pd.DataFrame, findings: _Findings, present: Mapping[str, np.ndarray], used: set[str]) -> None:
    for column in activity.NUMBERS:
        if column not in used:
            continue
        values = frame[column].to_numpy()
        if column in UTILIZATIONS:
            odd = present[column] & ~((values >= 0) & (values <= 1))
            findings.add(odd, column, "bad_field", _says(frame[column], "is not between 0 and 1"))
        else:
            odd = present[column] & ~(np.abs(values) < LARGEST[column])
            detail = f"is larger than one record can hold ({LARGEST[column]:.3g})"
            findings.add(odd, column, "bad_field", _says(frame[column], detail))


def _check_measures(
    frame: pd.DataFrame, findings: _Findings, present: Mapping[str, np.ndarray], used: set[str]
) -> None:
    none = ~np.logical_or.reduce([present[column] for column in MEASURED])
    findings.add(none, None, "bad_field", "the record has no measure at all")
    for column, needed in NEEDS.items():
        if column in used:
            alone = present[column] & ~present[needed]
            findings.add(alone, needed, "bad_field", f"it is missing beside {column}")
    corrects = present["corrects"]
    for column in NEVER_NEGATIVE:
        if column in used:
            below = (frame[column] < 0).fillna(value=False).to_numpy(dtype=bool) & ~corrects
            findings.add(below, column, "negative_quantity", _says(frame[column], "is below zero"))


def _check_times(
    frame: pd.DataFrame,
    findings: _Findings,
    present: Mapping[str, np.ndarray],
    received_at: datetime | pd.Series | None,
    max_age_days: float | pd.Series | None,
) -> None:
    for column in activity.TIMES:
        findings.add(~present[column], column, "bad_field", "it is missing")
    started, ended = frame["started_at"], frame["ended_at"]

    def interval(at: int) -> str:
        return f"it ends {_z_form(ended.iat[at])}, it starts {_z_form(started.iat[at])}"

    findings.add((ended < started).to_numpy(), "ended_at", "negative_interval", interval)
    if received_at is not None:
        received = received_at if isinstance(received_at, pd.Series) else pd.Timestamp(received_at)
        findings.add(
            (ended > received + CLOCK_TOLERANCE).to_numpy(),
            "ended_at",
            "clock_skew",
            lambda at: f"it ends {ended.iat[at]}",
        )
        if max_age_days is not None:
            oldest = received - pd.to_timedelta(max_age_days, unit="D")
            findings.add(
                (started < oldest).to_numpy(), "started_at", "too_old", lambda at: f"it starts {started.iat[at]}"
            )


def _tidy(frame: pd.DataFrame, blank: Sequence[str], *, has_cache: bool) -> pd.DataFrame:
    """Cut cached tokens to the input, with a flag; make empty text absent."""
    if has_cache:
        input_tokens = frame["input_tokens"].abs()
        above = (frame["cached_input_tokens"].abs() > input_tokens).fillna(value=False).to_numpy(dtype=bool)
        if above.any():
            frame = frame.copy()
            frame.loc[above, "cached_input_tokens"] = frame.loc[above, "input_tokens"]
            frame["flags"] = [
                tuple(sorted({*flags, "cached_exceeds_input"})) if cut else flags
                for flags, cut in zip(frame["flags"], above.tolist(), strict=True)
            ]
    if blank:
        filled = {column: frame[column].mask(frame[column] == "") for column in blank}
        frame = frame.assign(**filled)
    return frame


def _rejections(frame: pd.DataFrame, findings: _Findings) -> list[Rejection]:
    if not findings.faults:
        return []
    positions = sorted(findings.faults)
    broken = frame.iloc[positions]
    numbers = broken["row"].tolist() if "row" in frame else [at + 1 for at in positions]
    weights = broken["rows"].tolist() if "rows" in frame else [1] * len(positions)
    return [
        Rejection(
            int(number),
            None if (name := record.get("record_id")) is None else str(name),
            *findings.faults[at],
            payload=record,
            rows=int(weight),
        )
        for at, number, weight, record in zip(positions, numbers, weights, as_records(broken), strict=True)
    ]


def as_records(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Give rows of an activity table as records of the wire: absent columns left out, times in `Z` form."""
    columns: dict[str, list[object]] = {}
    for column in activity.COLUMNS:
        values = frame[column]
        if column in activity.TIMES:
            columns[column] = [None if value is pd.NaT else _z_form(value) for value in values]
        elif column in activity.STRUCTURES:
            columns[column] = [list(value) if isinstance(value, tuple) else value for value in values]
        else:
            columns[column] = values.astype(object).where(values.notna(), None).tolist()
    return [
        {name: value for name, value in zip(columns, row, strict=True) if value is not None and value not in ([], {})}
        for row in zip(*columns.values(), strict=True)
    ]


def _z_form(value: Any) -> str:
    """Write a UTC timestamp as the wire does."""
    return str(value.isoformat()).replace("+00:00", "Z")


def _matches(values: pd.Series, pattern: re.Pattern[str]) -> np.ndarray:
    fitting = [value for value in values.dropna().unique() if pattern.fullmatch(value)]
    return values.isin(fitting).to_numpy()


def _says(values: pd.Series, what: str) -> Callable[[int], str]:
    """Describe a fault by the value that is at fault."""
    plain: list[Any] = values.tolist()
    return lambda at: f"{str(plain[at])[:80]!r} {what}" if isinstance(plain[at], str) else f"{plain[at]} {what}"


def _looked_up(values: pd.Series, faults: Mapping[Any, str]) -> Callable[[int], str]:
    return lambda at: faults[values.iat[at]]


def _mask(values: Any) -> np.ndarray:
    mask: np.ndarray = values.to_numpy(zero_copy_only=False)
    return mask
