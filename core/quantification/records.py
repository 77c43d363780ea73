"""
Activity records between their three shapes: the wire (JSON), dicts of an adapter, and columns of the activity table.

The wire shape is published as JSON Schema beside this file (`activity_record.schema.json`); here the same rules run as
a typed decoder and as column checks, some hundred times faster. A test holds the two against each other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from core.quantification import activity
from core.quantification.record_checks import ENUMS, ID_LENGTH, as_records, check_activity
from core.quantification.rejections import REASONS, Cover, Reason, Rejection

__all__ = [
    "ARROW_SCHEMA",
    "ID_LENGTH",
    "REASONS",
    "TIME_FAULT",
    "Count",
    "Cover",
    "Reason",
    "Record",
    "Rejection",
    "as_records",
    "check_activity",
    "check_record",
    "conform",
    "empty_activity",
    "explain",
    "from_columns",
    "from_structs",
    "from_wire",
    "read_record",
    "read_times",
    "to_activity",
]

TEXT: Final = (*activity.IDENTIFIERS, *activity.SERIES_TEXT)

_FIELDS: Final[list[Any]] = [
    *(pa.field(name, pa.string()) for name in activity.IDENTIFIERS),
    *(pa.field(name, pa.timestamp("us", tz="UTC")) for name in activity.TIMES),
    *(pa.field(name, pa.string()) for name in activity.SERIES_TEXT),
    *(pa.field(name, pa.int64()) for name in activity.COUNTS),
    *(pa.field(name, pa.float64()) for name in activity.NUMBERS),
]
ARROW_SCHEMA: Final = pa.schema(_FIELDS)
"""The plain columns of the activity table as Arrow types (techniques, labels and flags are Python objects)."""

_PANDAS_TYPES: Final[Mapping[Any, Any]] = {pa.int64(): pd.Int64Dtype()}

Count = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A count of the wire, for typed decoders: whole, and within the 64 bits of a cell."""


class Record(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One record as it comes over the wire: field names, types and enums; other rules are checked in columns."""

    record_id: str
    run: str | None = None
    request: str | None = None
    trace: str | None = None
    corrects: str | None = None
    snapshot: str | None = None
    started_at: str
    ended_at: str
    account: str | None = None
    team: str | None = None
    project: str | None = None
    application: str | None = None
    task: str | None = None
    environment: str | None = None
    site: str | None = None
    stage: (
        Literal["data_preparation", "experimentation", "training", "fine_tuning", "evaluation", "inference"] | None
    ) = None  # required by the schema, but the token may say it for the sender
    hosting: Literal["owned", "colocated", "cloud", "api"]
    provider: str | None = None
    region: str | None = None
    zone: str | None = None
    model: str | None = None
    hardware: str | None = None
    instance_type: str | None = None
    tier: Literal["interactive", "standard", "batch"] | None = None
    evidence: Literal["measured", "modelled", "stated"]
    energy_boundary: Literal["device", "it", "facility"] | None = None
    reported_basis: Literal["location", "market"] | None = None
    currency: str | None = None
    requests: Count | None = None
    failed_requests: Count | None = None
    input_tokens: Count | None = None
    cached_input_tokens: Count | None = None
    output_tokens: Count | None = None
    generation_s: float | None = None
    device_hours: float | None = None
    device_utilization: float | None = None
    instance_hours: float | None = None
    instance_utilization: float | None = None
    flops: float | None = None
    seat_months: float | None = None
    energy_kwh: float | None = None
    cost: float | None = None
    reported_kg_co2e: float | None = None
    water_l: float | None = None
    techniques: tuple[str, ...] = ()
    labels: dict[str, str | int | float | bool] = {}
    flags: tuple[str, ...] = ()


# --- tables -----------------------------------------------------------------------------------------------------------


def empty_activity() -> pd.DataFrame:
    """Give an activity table without rows, in the dtypes that every table has, with `row` and `rows`."""
    frame = from_columns({}, 0)
    frame["row"] = pd.Series(dtype="int64")
    frame["rows"] = pd.Series(dtype="int64")
    return frame


def to_activity(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """
    Make an activity table of an adapter's dicts.

    Args:
        records: canonical columns; None or a missing key is absent. Times are aware datetimes (any offset), counts int,
            `techniques` and `flags` any iterables of str, `labels` a mapping. `row` (from 1; default: the position) and
            `rows` (default 1) tell which payload rows a record comes from.

    Returns:
        One row for each dict, columns `activity.COLUMNS`, `row`, `rows`. Nothing is checked here but types: a value of
        the wrong type raises pyarrow.ArrowInvalid or TypeError, since that is a fault of the adapter.
    """
    size = len(records)
    columns: dict[str, Sequence[Any]] = {}
    for name in activity.COLUMNS:
        values = tuple([record.get(name) for record in records])
        if values.count(None) < size:
            if name in activity.COUNTS and not all(value is None or isinstance(value, int) for value in values):
                raise TypeError(f"{name} must be whole numbers: Arrow would cut fractions off")
            columns[name] = values
    frame = from_columns(columns, size)
    frame["row"] = [record.get("row", position) for position, record in enumerate(records, 1)]
    frame["rows"] = [record.get("rows", 1) for record in records]
    return frame


def conform(frame: pd.DataFrame) -> pd.DataFrame:
    """
    Complete a frame of some canonical columns to the whole activity table, in order and dtypes.

    Args:
        frame: any of `activity.COLUMNS`, `row` and `rows`; text may be object or str dtype, times aware or naive UTC.

    Returns:
        A frame with the same rows and a fresh index. Raises KeyError for a column that is not canonical.
    """
    if [*frame.columns] == _WHOLE_COLUMNS and frame.dtypes.tolist() == _WHOLE_TYPES:
        return frame.reset_index(drop=True)
    unknown = sorted(set(frame.columns) - {*activity.COLUMNS, "row", "rows"})
    if unknown:
        raise KeyError(f"not columns of the activity table: {', '.join(unknown)}")
    size = len(frame)
    columns: dict[str, Any] = {}
    for name in TEXT:
        columns[name] = _conformed(frame, name, "str")
    for name in activity.TIMES:
        columns[name] = _utc(frame[name]) if name in frame else pd.Series(pd.NaT, range(size), "datetime64[us, UTC]")
    for name in activity.COUNTS:
        columns[name] = _conformed(frame, name, "Int64")
    for name in activity.NUMBERS:
        columns[name] = _conformed(frame, name, "float64")
    for name in activity.STRUCTURES:
        columns[name] = _objects(name, frame[name].tolist() if name in frame else None, size)
    ordered = pd.DataFrame({name: columns[name] for name in activity.COLUMNS}, copy=False)
    ordered["row"] = frame["row"].to_numpy("int64") if "row" in frame else np.arange(1, size + 1)
    ordered["rows"] = frame["rows"].to_numpy("int64") if "rows" in frame else np.ones(size, "int64")
    return ordered


def _conformed(frame: pd.DataFrame, name: str, dtype: Any) -> pd.Series:
    if name not in frame:
        absent: Any = pd.NA if dtype == "Int64" else np.nan
        return pd.Series(absent, range(len(frame)), dtype)
    values: pd.Series = frame[name]
    if values.dtype == "category":
        values = values.astype(values.cat.categories.dtype)
    converted: pd.Series = values.astype(dtype)
    return converted.reset_index(drop=True)


def _utc(values: pd.Series) -> pd.Series:
    aware = values.dt.tz_localize(UTC) if values.dt.tz is None else values.dt.tz_convert(UTC)
    converted: pd.Series = aware.astype("datetime64[us, UTC]")
    return converted.reset_index(drop=True)


def _objects(name: str, values: Sequence[Any] | None, size: int) -> pd.Series:
    """Make a column of tuples (techniques, flags) or dicts (labels)."""
    column = np.empty(size, dtype=object)
    if values is None:
        absent: list[Any] = [{} for _ in range(size)] if name == "labels" else [()] * size
        column[:] = absent
        return pd.Series(column)
    if name == "labels":
        column[:] = [value if type(value) is dict else dict(value) if _is_given(value) else {} for value in values]
    else:
        column[:] = [() if not _is_given(value) or not len(value) else tuple(sorted(set(value))) for value in values]
    return pd.Series(column)


def _is_given(value: object) -> bool:
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def from_columns(columns: Mapping[str, Sequence[Any]], size: int) -> pd.DataFrame:
    """
    Build an activity table by way of Arrow, without `row` and `rows`.

    Args:
        columns: canonical name -> Python values (None: absent) or an Arrow array; columns not named are absent.
        size: number of rows.
    """
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(size, field.type)
        for field in ARROW_SCHEMA
    ]
    frame = pa.table(arrays, schema=ARROW_SCHEMA).to_pandas(types_mapper=_PANDAS_TYPES.get, ignore_metadata=True)
    for name in activity.STRUCTURES:
        frame[name] = _objects(name, columns.get(name), size)
    return frame[list(activity.COLUMNS)]


_EMPTY: Final = from_columns({}, 0)
_WHOLE_COLUMNS: Final = [*activity.COLUMNS, "row", "rows"]
_WHOLE_TYPES: Final = [*_EMPTY.dtypes.tolist(), np.dtype("int64"), np.dtype("int64")]


# --- the wire ---------------------------------------------------------------------------------------------------------

_Z_TIME: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"
_Z_TIME_PARTS: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z")
TIME_FAULT: Final = "is not a time like 2026-10-01T09:00:00Z (RFC 3339, UTC, Z form)"


def from_structs(decoded: Sequence[Record], rows: Sequence[int]) -> tuple[pd.DataFrame, list[Rejection]]:
    """
    Make an activity table of decoded records.

    Args:
        decoded: of any number.
        rows: their numbers in the payload, from 1.

    Returns:
        The table, and a rejection for each record whose times or sets cannot be read (it is not in the table). All
        other rules are for `check_activity`.
    """
    if not decoded:
        return empty_activity(), []
    columns: dict[str, list[Any]] = {name: list(map(attrgetter(name), decoded)) for name in Record.__struct_fields__}
    numbers = np.asarray(rows, dtype="int64")
    faults: dict[int, Rejection] = {}
    times: dict[str, Any] = {}
    for name in reversed(activity.TIMES):
        times[name], odd = read_times(columns[name])
        for at in odd:
            faults[at] = _rejected(decoded[at], numbers[at], name, f"{columns[name][at][:60]!r} {TIME_FAULT}")
    for name in activity.STRUCTURES:
        if not any(columns[name]):
            del columns[name]
        elif name != "labels":
            for at, items in enumerate(columns[name]):
                if len(set(items)) < len(items):
                    faults[at] = _rejected(decoded[at], numbers[at], name, "an item is repeated")
    frame = from_columns({**columns, **times}, len(decoded))
    frame["row"] = numbers
    frame["rows"] = 1
    if faults:
        frame = frame.drop(index=list(faults)).reset_index(drop=True)
    return frame, [faults[at] for at in sorted(faults)]


def from_wire(objects: Iterable[tuple[int, object]]) -> tuple[pd.DataFrame, list[Rejection]]:
    """
    Make an activity table of JSON values, one by one: for payloads in which something is wrong, and for `quantify`.

    Args:
        objects: (number in the payload, JSON value as Python has it).

    Returns:
        As `from_structs`, with a rejection for each value that is no record by its field names and types.
    """
    decoded, rows, rejections = [], [], []
    for row, value in objects:
        outcome = read_record(row, value)
        if isinstance(outcome, Rejection):
            rejections.append(outcome)
        else:
            decoded.append(outcome)
            rows.append(row)
    frame, more = from_structs(decoded, rows)
    return frame, sorted([*rejections, *more], key=lambda rejection: rejection.row)


def check_record(record: object) -> Rejection | None:
    """
    Check one record of the wire by itself, without a ledger: the published schema, and that it does not end before it
    starts.

    Args:
        record: JSON value as Python has it.

    Returns:
        Its first fault, or None.
    """
    frame, rejections = from_wire([(1, record)])
    if not rejections:
        _, rejections = check_activity(frame)
    return rejections[0] if rejections else None


def read_record(row: int, value: object) -> Record | Rejection:
    """Read one JSON value as a record, or say which field stops it; `row` is its number in the payload."""
    if not isinstance(value, dict):
        return Rejection(row, None, None, "bad_field", f"a record is a JSON object, not {_kind(value)}", value)
    try:
        return msgspec.convert({name: _plain(name, item) for name, item in value.items()}, Record, strict=True)
    except (msgspec.ValidationError, ValueError) as error:
        field, detail = explain(str(error))
        return Rejection(row, _id_of(value), field, "bad_field", detail, value)


_NOT_FINITE: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _plain(name: str, value: object) -> object:
    """Take whole numbers with a decimal point (pandas writes counts so) as integers; refuse what is not a number."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{_NOT_FINITE[str(value)]} is no number that JSON has - at `$.{name}`")
        if name in activity.COUNTS and value.is_integer():
            return int(value)
    return value


_AT: Final = re.compile(r"^(?P<what>.*?)(?: - at `\$(?:\.(?P<field>[^.\[`]+))?.*`)?$", re.DOTALL)
_NAMED: Final = re.compile(r"(?:unknown|missing required) field `(?P<field>[^`]*)`")


def explain(message: str) -> tuple[str | None, str]:
    """
    Take the field out of a decoder's message, and say the rest in words.

    >>> explain("Expected `int | null`, got `str` - at `$.requests`")
    ('requests', 'it must be a whole number or null, not text')
    """
    match = _AT.match(message)
    what, field = (match["what"], match["field"]) if match else (message, None)
    named = _NAMED.search(what)
    if named:
        field = named["field"]
        what = "there is no such field" if "unknown" in what else "it is missing"
    elif wanted := _EXPECTED.fullmatch(what):
        kinds = list(dict.fromkeys(_KINDS.get(kind, kind) for kind in wanted["wanted"].split(" | ")))
        if "a number" in kinds and "a whole number" in kinds:
            kinds.remove("a whole number")
        got = "a fraction" if wanted["got"] == "float" and "a whole number" in kinds else wanted["got"]
        what = f"it must be {_either(kinds)}, not {_KINDS.get(got, got)}"
    elif bound := _BOUND.fullmatch(what):
        what = f"it must be {'at most' if bound['sign'] == '<=' else 'at least'} {bound['value']}"
    elif field is not None and field in ENUMS and (odd := _ODD_ENUM.fullmatch(what)):
        what = f"{odd['value']} is none of {', '.join(ENUMS[field])}"
    return field, what.replace("`", "").replace("Object", "The record")[:200]


_EXPECTED: Final = re.compile(r"Expected `(?P<wanted>[a-z |]+)`, got `(?P<got>[a-z]+)`")
_BOUND: Final = re.compile(r"Expected `[a-z]+` (?P<sign>[<>]=) (?P<value>\S+)")
_ODD_ENUM: Final = re.compile(r"Invalid enum value (?P<value>.*)", re.DOTALL)
_KINDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
}


def _either(kinds: Sequence[str]) -> str:
    return kinds[0] if len(kinds) == 1 else f"{', '.join(kinds[:-1])} or {kinds[-1]}"


def _rejected(record: Record, row: int, field: str, detail: str) -> Rejection:
    payload = {name: item for name, item in msgspec.to_builtins(record).items() if item not in (None, [], (), {})}
    return Rejection(int(row), record.record_id[:ID_LENGTH], field, "bad_field", detail, payload)


def _id_of(value: Mapping[str, object]) -> str | None:
    found = value.get("record_id")
    return found[:ID_LENGTH] if isinstance(found, str) else None


def _kind(value: object) -> str:
    names = {list: "an array", str: "a text", bool: "a boolean", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def read_times(texts: Sequence[str]) -> tuple[Any, list[int]]:
    """Read times in `Z` form (fractions beyond the microsecond are cut); give also the positions that are none."""
    text = pa.array(texts, pa.string())
    wanted = ARROW_SCHEMA.field("started_at").type
    if pc.all(pc.match_substring_regex(text, _Z_TIME)).as_py():
        try:
            return text.cast(wanted), []
        except pa.ArrowInvalid:
            pass  # an impossible date, or more digits than microseconds: one by one
    read = [_read_time(value) for value in texts]
    return pa.array(read, wanted), [at for at, value in enumerate(read) if value is None]


def _read_time(text: str) -> datetime | None:
    match = _Z_TIME_PARTS.fullmatch(text)
    if match is None:
        return None
    try:
        whole = datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return whole.replace(microsecond=int((match[2] or "0")[:6].ljust(6, "0")))
