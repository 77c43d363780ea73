"""
What every wire format shares: the shape of an adapter, what it is given, what it returns, and how it finishes its rows.

An adapter turns bytes into the activity table and knows nothing of Django, the database or the clock. Absent values
in that table (see `core.quantification.activity`):

- text: pandas `str` dtype, absent is NaN (never None in the column, never "");
- counts: `Int64`, absent is `<NA>`; other numbers: `float64`, absent is NaN; never 0 for unknown;
- times: `datetime64[us, UTC]`, always there;
- `techniques` and `flags`: sorted tuples of str, absent is `()`; `labels`: dict, absent is `{}`.

`records.to_activity` (from dicts) and `records.conform` (from columns) bring any frame into that shape.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, BinaryIO, Final, Protocol

import pandas as pd

from core.quantification import records
from core.quantification.limits import DEVICES, HOST_POWER_KW, INSTANCES, SITE_POWER_KW, Limits
from core.quantification.private import holds_content, names_a_person, names_private_value
from core.quantification.records import Record
from core.quantification.rejections import Cover, Rejection
from ingestion.sources.aggregates import Aggregate

CHUNK_ROWS: Final = 20_000
"""Rows in one Parsed of a streamed file: large enough for columns to pay, small enough for constant memory."""

DEFAULT_MAX_AGE_DAYS: Final = 800

LABEL_KEYS: Final = 64
LABEL_TEXT: Final = 200


class UnreadablePayload(Exception):
    """No row of the payload can be read; the message tells the sender what was found where, and what to do."""


class SettingError(UnreadablePayload, ValueError):
    """A setting of the source cannot be used, so that nothing of it can be read; the message names it and what it may be."""


@dataclass(frozen=True)
class Context:
    """
    What an adapter may know beside the bytes.

    Args:
        received_at: when the door took the payload, UTC.
        setting: the source's settings (`max_age_days`, `max_power_kw`, `max_devices`, `experiments`, `count`, ...).
        defaults: `team`, `project` and `stage` of the token; they fill what a record leaves open.
        only_team: the one team that the token sends for; records that name another are refused.
        content_type: as sent, parameters included; "" for files.
        filename: the file's name, or the last part of the door's address (OTLP: `traces`, `metrics`, `logs`).
        known: facts that the service hands in for this format (CodeCarbon: `{run id: body of its POST /runs}`; formats with
            counters: `{"counters": counters.Memory}`, and `only_rows` where only some are read again: row -> what quarantine
            holds of it).
    """

    received_at: datetime
    setting: Mapping[str, object] = field(default_factory=dict)
    defaults: Mapping[str, str | None] = field(default_factory=dict)
    only_team: str | None = None
    content_type: str = ""
    filename: str | None = None
    known: Mapping[str, object] = field(default_factory=dict)

    @property
    def max_age_days(self) -> float:
        """Give the age up to which this source accepts records. [days]"""
        return number_setting(self.setting, "max_age_days", DEFAULT_MAX_AGE_DAYS)

    def limits(self, *, per_host: bool = False) -> Limits:
        """Give what a record of this source may hold; `per_host`: each describes one host, over a time that passed."""
        return Limits(
            power_kw=number_setting(self.setting, "max_power_kw", HOST_POWER_KW if per_host else SITE_POWER_KW),
            devices=number_setting(self.setting, "max_devices", DEVICES),
            instances=number_setting(self.setting, "max_instances", INSTANCES),
            instant_h=0.0 if per_host else 1.0,
        )


@dataclass(frozen=True)
class Parsed:
    """
    What an adapter made of one chunk of a payload. Every row of the chunk is in exactly one place; a chunk whose
    counts do not add up is refused, since rows would be lost unseen.

    Args:
        activity: the canonical columns, `row` (number of the first payload row in it, from 1) and `rows` (how many).
        rejected: rows for the quarantine, each standing for its `rows` payload rows.
        received: payload rows read.
        outside: rows understood that are no AI activity of their own.
        outside_by: the same by `classification, service, currency`, with `rows` and `cost`; None where it says nothing.
        log: sentences for the batch's log.
        cover: on the last chunk of a snapshot source, what the delivery speaks for.
        duplicate: rows that a counter had passed before (`counters`).
        aggregates: spans that may count later; their rows are outside.
    """

    activity: pd.DataFrame
    rejected: list[Rejection]
    received: int
    outside: int = 0
    outside_by: pd.DataFrame | None = None
    log: list[str] = field(default_factory=list)
    cover: list[Cover] = field(default_factory=list)
    duplicate: int = 0
    aggregates: list[Aggregate] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Hold the sum of the five places against the rows received."""
        kept = int(self.activity["rows"].sum()) if len(self.activity) else 0
        quarantined = sum(rejection.rows for rejection in self.rejected)
        if kept + quarantined + self.outside + self.duplicate != self.received:
            places = f"{kept} kept + {quarantined} rejected + {self.outside} outside + {self.duplicate} repeated"
            raise ValueError(f"{self.received} rows received, but {places}")


@dataclass
class Draft:
    """
    What an adapter read in one small payload, before the rules are checked.

    Args:
        records: dicts for `records.to_activity`, with `row`.
        wire: records as the native door decodes them, with their rows; a format fills this or `records`.
        rejected, received, outside, log, duplicate, aggregates: as in Parsed.
        fallback: column -> the format's own last word where neither sender nor token says.
        per_host: each record describes one host, which draws less than a site.
    """

    records: list[dict[str, Any]] = field(default_factory=list)
    wire: list[tuple[int, Record]] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    received: int = 0
    outside: int = 0
    log: list[str] = field(default_factory=list)
    duplicate: int = 0
    aggregates: list[Aggregate] = field(default_factory=list)
    fallback: Mapping[str, str] = field(default_factory=dict)
    per_host: bool = False


@dataclass(frozen=True)
class Group:
    """
    Many small payloads of one format, finished together.

    Args:
        activity: valid rows of all of them, as in Parsed, with `payload` (position of theirs in the group, from 0).
        drafts: one for each payload, in order; their `rejected` is complete now.
    """

    activity: pd.DataFrame
    drafts: list[Draft]


class Adapter(Protocol):
    """
    A module of `ingestion.sources` that reads one wire format.

    It may also have `read` (small payloads as a Draft, finished with others), `scrub_file` (as `scrub`, for a seekable
    stream of any size) and `survey` (snapshot -> model versions in a file; `parse` then gets those of the whole delivery
    and of the ledger in `Context.known`), `choose` (notes the versions of things that a file shows in a
    `versions.Delivery`, which `parse` then gets), and `SUMMED` (true: records of one id may come in pieces, which are added
    up over all files of a delivery).
    """

    NAME: str
    SNAPSHOT: bool

    def detect(self, head: bytes, filename: str) -> str | None:
        """Say why the file is of this format (with its version, where it has one), or None when it is not."""

    def scrub(self, body: bytes, content_type: str, filename: str | None = None) -> bytes:
        """Drop content and people from a body before it is stored; raise UnreadablePayload when it cannot be read."""

    def parse(self, stream: BinaryIO, context: Context) -> Iterator[Parsed]:
        """Read the payload in chunks; raise UnreadablePayload when no row of it can be read."""


def finish(
    frame: pd.DataFrame,
    context: Context,
    *,
    received: int,
    rejected: Sequence[Rejection] = (),
    outside: int = 0,
    outside_by: pd.DataFrame | None = None,
    log: Sequence[str] = (),
    cover: Sequence[Cover] = (),
    fallback: Mapping[str, str] | None = None,
    per_host: bool = False,
) -> Parsed:
    """
    Complete an adapter's rows with the token's defaults and send those that break a rule to quarantine.

    Args:
        frame: canonical columns (missing ones count as absent), plus `row` and, where rows were summed, `rows`.
        context: of the payload.
        received, rejected, outside, outside_by, log, cover: as in Parsed; `rejected` are those found while reading.
        fallback: column -> the format's own last word where neither sender nor token says (`{"stage": "inference"}`).
        per_host: set by host-level agents, whose records describe one host each.

    Returns:
        The chunk, its rejections in order of their rows.
    """
    completed = fill_absent(records.conform(frame), context.defaults, fallback or {})
    valid, broken = records.check_activity(
        completed,
        received_at=context.received_at,
        max_age_days=context.max_age_days,
        limits=context.limits(per_host=per_host),
        only_team=context.only_team,
    )
    together = sorted([*rejected, *broken], key=lambda rejection: rejection.row)
    return Parsed(valid, together, received, outside, outside_by, list(log), list(cover))


def finish_draft(draft: Draft, context: Context) -> Parsed:
    """Finish one payload's draft."""
    group = finish_drafts([(draft, context)])
    frame = group.activity.drop(columns="payload")
    return Parsed(
        frame,
        draft.rejected,
        draft.received,
        draft.outside,
        log=draft.log,
        duplicate=draft.duplicate,
        aggregates=draft.aggregates,
    )


def finish_drafts(drafts: Sequence[tuple[Draft, Context]]) -> Group:
    """
    Finish the drafts of many payloads with one pass over their columns: a worker that drains single measurements spends
    its time on columns, not on payloads.
    """
    frame = _joined(drafts)
    if not frame.empty:
        received_at = _each_row(frame, [context.received_at for _, context in drafts], "datetime64[us, UTC]")
        max_age_days = _each_row(frame, [context.max_age_days for _, context in drafts], "float64")
        each = [context.limits(per_host=draft.per_host) for draft, context in drafts]
        names = [part.name for part in fields(Limits)]
        limits = Limits(**{name: _each_row(frame, [getattr(one, name) for one in each], "float64") for name in names})
        for column in ("team", "project", "stage"):
            texts = [context.defaults.get(column) or draft.fallback.get(column) for draft, context in drafts]
            if any(texts):
                frame[column] = frame[column].fillna(_each_row(frame, texts, "str"))
        teams = [context.only_team for _, context in drafts]
        only_team = _each_row(frame, teams, "str") if any(teams) else None
        rows, payload = frame["row"].to_numpy(), frame["payload"].to_numpy()
        frame, broken = records.check_activity(
            frame.assign(row=range(len(frame))),
            received_at=received_at,
            max_age_days=max_age_days,
            limits=limits,
            only_team=only_team,
        )
        frame["row"] = rows[frame["row"].to_numpy()]
        for rejection in broken:
            rejected = drafts[payload[rejection.row]][0].rejected
            rejected.append(replace(rejection, row=int(rows[rejection.row])))
    for draft, _ in drafts:
        draft.rejected.sort(key=lambda rejection: rejection.row)
    return Group(frame, [draft for draft, _ in drafts])


def _joined(drafts: Sequence[tuple[Draft, Context]]) -> pd.DataFrame:
    """Make one table of all drafts, with `payload`."""
    owners = [position for position, (draft, _) in enumerate(drafts) for _ in draft.records]
    if owners or not any(draft.wire for draft, _ in drafts):
        frame = records.to_activity([record for draft, _ in drafts for record in draft.records])
        frame["payload"] = pd.Series(owners, dtype="int64")
        return frame
    wire = [(position, row, record) for position, (draft, _) in enumerate(drafts) for row, record in draft.wire]
    frame, broken = records.from_structs([record for _, _, record in wire], range(len(wire)))
    for rejection in broken:
        position, row, _ = wire[rejection.row]
        drafts[position][0].rejected.append(replace(rejection, row=row))
    at = frame["row"].tolist()
    frame["row"] = pd.Series([wire[index][1] for index in at], dtype="int64")
    frame["payload"] = pd.Series([wire[index][0] for index in at], dtype="int64")
    return frame


def _each_row(frame: pd.DataFrame, values: Sequence[Any], dtype: Any) -> Any:
    """Spread one value a payload over the rows of each."""
    return pd.Series([values[position] for position in frame["payload"].tolist()]).astype(dtype)


def fill_absent(frame: pd.DataFrame, defaults: Mapping[str, str | None], fallback: Mapping[str, str]) -> pd.DataFrame:
    """Fill absent team, project and stage with the token's defaults, then absent columns with the format's own."""
    for column in ("team", "project", "stage"):
        value = defaults.get(column)
        if value:
            frame[column] = frame[column].fillna(value)
    for column, value in fallback.items():
        frame[column] = frame[column].fillna(value)
    return frame


def number_setting(setting: Mapping[str, object], name: str, default: float) -> float:
    """Read a number from a source's settings; raise SettingError naming it when it is something else."""
    value = setting.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingError(f"the source's setting {name!r} must be a number, not {value!r}")
    return float(value)


# --- identity ---------------------------------------------------------------------------------------------------------


def digest(*parts: object) -> str:
    """
    Hash the parts of a natural key to 64 hex digits (sha256 of the parts joined by U+001F, None as empty text).

    >>> digest("a", None, 1)[:8]
    '72e79d69'
    """
    joined = "\x1f".join("" if part is None else str(part) for part in parts)
    return hashlib.sha256(joined.encode()).hexdigest()


def natural_id(prefix: str, *parts: object) -> str:
    """
    Write a natural key as `prefix:part:part`, or as `h:` + hash when that is longer than 200 characters.

    >>> natural_id("span", "5b8e", "00f0")
    'span:5b8e:00f0'
    """
    plain = ":".join([prefix, *("" if part is None else str(part) for part in parts)])
    return plain if len(plain) <= records.ID_LENGTH else f"h:{digest(prefix, *parts)}"


# --- privacy and labels -----------------------------------------------------------------------------------------------


def limit_labels(labels: Mapping[str, object]) -> dict[str, str | int | float | bool]:
    """
    Keep of a label map what a record may hold: no key that names a person or content, no mail address or secret, at most
    64 keys in alphabetical order, text of at most 200 characters, numbers and booleans; other values are left out.
    """
    kept: dict[str, str | int | float | bool] = {}
    for key in sorted(labels):
        value = labels[key]
        if names_a_person(key) or not key or len(key) > LABEL_TEXT or len(kept) == LABEL_KEYS:
            continue
        if isinstance(value, str):
            if value and not holds_content(key) and not names_private_value(value):
                kept[key] = value[:LABEL_TEXT].replace("\x00", "")
        elif isinstance(value, bool | int) or (isinstance(value, float) and value - value == 0):
            kept[key] = value
    return kept
