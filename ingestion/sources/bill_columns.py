"""Columns of bills as they are delivered (text, typed, nested; many words for null) -> text, numbers, times, codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

pc: Any = pyarrow.compute  # the stubs know only some of its overloads

Column: TypeAlias = Any
"""A pyarrow.Array; the stubs give its class few of the methods that its kinds have."""

NULL_WORDS: Final = ("", "null", "none", "n/a", "nan", "not applicable", "<na>")
"""Texts that bills write for null, in lower case."""

_NUMBER: Final = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_NOT_FINITE: Final = r"(?i)^[+-]?(?:nan|inf|infinity)$"
_OFFSET: Final = r"(?:[zZ]|[+-]\d\d(?::?\d\d)?)$"


def as_text(array: Column) -> Column:
    """Give a column as trimmed text, null where it says nothing; maps, structs and lists of key and value as JSON objects."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_map(array.type) or pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        array = _json_objects(array)
    elif pa.types.is_struct(array.type):
        array = _json_of_structs(array)
    elif not pa.types.is_string(array.type):
        array = array.cast(pa.string())
    text = pc.utf8_trim_whitespace(array)
    empty = pc.is_in(pc.utf8_lower(text), value_set=pa.array(NULL_WORDS))
    return pc.if_else(empty, pa.scalar(None, pa.string()), text)


def _json_objects(array: Column) -> Column:
    """Write maps (Parquet MAP, or lists of structs with key and value) as JSON objects of texts."""
    if isinstance(array, pa.MapArray):
        keys, values = array.keys, array.items
    else:
        entries = array.values
        if pa.types.is_null(entries.type):  # lists that are all empty
            return pa.nulls(len(array), pa.string())
        if not pa.types.is_struct(entries.type) or entries.type.num_fields < 2:
            raise pa.ArrowInvalid(f"a list of {entries.type} is none of keys and values")
        keys, values = entries.field(0), entries.field(1)
    pairs = pc.binary_join_element_wise(_quoted(keys), _quoted(values), ": ")
    offsets = array.offsets
    lists = pa.LargeListArray.from_arrays(offsets.cast(pa.int64()), pairs)
    joined = pc.binary_join_element_wise("{", pc.binary_join(lists, ", "), "}", "")
    return pc.if_else(array.is_null(), pa.scalar(None, pa.string()), joined)


def _json_of_structs(array: Column) -> Column:
    """Write structs as JSON objects of texts; fields that are null are left out."""
    joined = pa.array([""] * len(array), pa.string())
    for position, field in enumerate(array.type):
        child = array.field(position)
        pair = pc.binary_join_element_wise(f'"{field.name}": ', _quoted(child), ", ", "")
        joined = pc.binary_join_element_wise(joined, pc.if_else(child.is_null(), "", pair), "")
    objects = pc.binary_join_element_wise("{", pc.utf8_rtrim(joined, ", "), "}", "")
    return pc.if_else(array.is_null(), pa.scalar(None, pa.string()), objects)


def _quoted(array: Column) -> Column:
    text = pc.fill_null(array.cast(pa.string()), "")
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = pc.replace_substring(text, plain, escaped)
    return pc.binary_join_element_wise('"', text, '"', "")


@dataclass(frozen=True)
class Numbers:
    """A numeric column: float64 values (NaN: absent, infinite included), and where text stands that is no number."""

    values: np.ndarray
    unreadable: np.ndarray


def as_numbers(array: Column) -> Numbers:
    """Read a numeric column, typed or text (decimal point, no thousands separators; exponents allowed)."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        text = as_text(array)
        readable = pc.fill_null(pc.match_substring_regex(text, _NUMBER), fill_value=True)
        absent = pc.fill_null(pc.match_substring_regex(text, _NOT_FINITE), fill_value=False)
        numbers = pc.if_else(pc.and_(readable, pc.invert(absent)), text, pa.scalar(None, pa.string())).cast(
            pa.float64()
        )
        unreadable = _numpy(pc.and_(pc.invert(readable), pc.invert(absent)))
    else:
        numbers = array.cast(pa.float64(), safe=False)
        unreadable = np.zeros(len(array), dtype=bool)
    values = numbers.to_numpy(zero_copy_only=False).astype("float64")
    values[~np.isfinite(values)] = np.nan
    return Numbers(values, unreadable)


@dataclass(frozen=True)
class Times:
    """A column of times: UTC microseconds (NaT: absent), where text is no time, and where it had no offset."""

    values: np.ndarray
    unreadable: np.ndarray
    naive: np.ndarray


def as_times(array: Column) -> Times:
    """Read a column of times, typed or ISO 8601 text (`T` or a space between, ` UTC` for `Z`); without offset: UTC."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        values = array.cast(pa.timestamp("us"), safe=False).to_numpy(zero_copy_only=False).astype("datetime64[us]")
        nothing = np.zeros(len(array), dtype=bool)
        return Times(values, nothing, nothing)
    codes = encode(as_text(array))
    texts = pa.array(codes.values, pa.string())
    iso = pc.replace_substring_regex(texts, r" ?UTC$", "Z")
    parsed = pd.to_datetime(iso.to_pandas(), format="ISO8601", utc=True, errors="coerce").dt.tz_localize(None)
    distinct = parsed.to_numpy().astype("datetime64[us]")
    naive = ~_numpy(pc.match_substring_regex(iso, _OFFSET))
    return Times(
        codes.take(distinct, absent=np.datetime64("NaT", "us")),
        codes.take(np.isnat(distinct), absent=False),
        codes.take(naive & ~np.isnat(distinct), absent=False),
    )


@dataclass(frozen=True)
class Codes:
    """A text column as numbers: per row the position of its text in `values`, -1 where it is absent."""

    codes: np.ndarray
    values: list[str]

    def take(self, per_value: np.ndarray, *, absent: Any) -> np.ndarray:
        """Spread an array that has one element for each distinct value over the rows."""
        with_absent = np.append(per_value, np.asarray([absent], dtype=per_value.dtype))
        spread: np.ndarray = with_absent[self.codes]
        return spread

    def spread(self, per_value: Sequence[object]) -> np.ndarray:
        """Spread Python values (one for each distinct text) over the rows, None where the text is absent."""
        with_absent = np.empty(len(per_value) + 1, dtype=object)
        with_absent[:-1] = per_value
        spread: np.ndarray = with_absent[self.codes]
        return spread


def encode(text: Column) -> Codes:
    """Number the distinct texts of a column."""
    encoded = text.dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return Codes(codes, encoded.dictionary.to_pylist())


def each(codes: Codes, what: Callable[[str], str | None]) -> Column:
    """Give a text for each distinct text of a column, spread over the rows."""
    values: Column = pa.array([*map(what, codes.values), None], pa.string())
    return values.take(pa.array(np.where(codes.codes < 0, len(codes.values), codes.codes)))


def times_as_text(values: np.ndarray, unit: Literal["s", "us"] = "s") -> Column:
    """Write UTC times as ISO text without an offset, null where absent."""
    codes, distinct_times = pd.factorize(values.astype("int64"))
    times = distinct_times.astype("datetime64[us]")
    written = np.datetime_as_string(times, unit=unit).tolist()
    texts: Column = pa.array([None if absent else text for text, absent in zip(written, np.isnat(times), strict=True)])
    return texts.cast(pa.string()).take(pa.array(codes))


@dataclass(frozen=True)
class Distinct:
    """The distinct combinations of several columns: which one each row has, and a row that has it (the first)."""

    inverse: np.ndarray
    first: np.ndarray


def distinct(columns: Sequence[np.ndarray]) -> Distinct:
    """Number the distinct combinations of columns of small integers (at least -1), in order of first appearance."""
    inverse = columns[0].astype("int64")
    for column in columns[1:]:
        inverse, uniques = pd.factorize(inverse * (int(column.max(initial=-1)) + 2) + column + 1)
    inverse, uniques = pd.factorize(inverse)
    first = np.full(len(uniques), -1, dtype="int64")
    positions = np.arange(len(inverse))[::-1]
    first[inverse[::-1]] = positions
    return Distinct(inverse, first)


def _numpy(mask: Column) -> np.ndarray:
    values: np.ndarray = mask.to_numpy(zero_copy_only=False)
    return values.astype(bool)
