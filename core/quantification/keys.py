"""
Names of facts that are made of their content: the key of a record, the key of a series, the content of a record.

They are stored for as long as the ledger lives, so their bytes are defined here alone and never by a library's own hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from core.quantification import cells, units
from core.quantification.activity import COUNTS, NUMBERS, SERIES_TEXT

Bytes = npt.NDArray[np.uint8]

TEXT_CONTENT: Final = ("run", "request", "trace", "corrects", "snapshot")
SERIES_COLUMNS: Final = (*SERIES_TEXT, "techniques", "labels", "mask", "grain")

_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


def record_keys(record_ids: Iterable[str]) -> Bytes:
    """
    Hash record ids to 128 bits: the first 16 bytes of sha256. n rows by 16.

    >>> record_keys(["a"])[0].tobytes().hex()
    'ca978112ca1bbdcafac231b39a23dc4d'
    """
    digests = b"".join([hashlib.sha256(text.encode()).digest()[:16] for text in record_ids])
    return np.frombuffer(digests, dtype=np.uint8).reshape(-1, 16)


def series_key(series: dict[str, object], *, source_id: int) -> bytes:
    """
    Hash the dimensions of a series, as reported, to 16 bytes.

    Args:
        series: ``SERIES_COLUMNS``; absent ones may be left out, `techniques` a sorted list, `labels` a dict.
        source_id: of the connection that sent it; the organization is a column beside the key.

    The bytes are sha256 of compact JSON with sorted keys that leaves absent dimensions out, so a dimension that is added
    one day changes no older key.
    """
    present = {column: value for column, value in series.items() if value is not None and value != [] and value != {}}
    return hashlib.sha256(_ENCODER.encode({"source": source_id, **present})).digest()[:16]


def distinct_series(
    frame: pd.DataFrame, *, source_id: int, mask: cells.Integers, by_day: npt.NDArray[np.bool_]
) -> tuple[cells.Integers, pd.DataFrame]:
    """
    Find the series of each record.

    Args:
        frame: activity table of one source, n rows.
        source_id: of that source.
        mask: `cells.presence_mask` of it. [n]
        by_day: `cells.grain` of it. [n]

    Returns:
        For each row the position of its series [n], and the distinct series: ``SERIES_COLUMNS`` with `labels` as JSON
        text, and `key` (16 bytes).
    """
    labels = _labels_text(frame["labels"])
    techniques = [tuple(sorted(names)) if len(names) > 1 else tuple(names) for names in frame["techniques"]]
    coded = [pd.factorize(frame[column], use_na_sentinel=True)[0] for column in SERIES_TEXT]
    coded += [
        pd.factorize(_objects(techniques))[0],
        pd.factorize(_objects(labels))[0],
        pd.factorize(mask)[0],
        by_day.astype(np.int64),
    ]
    codes = fuse(coded)
    _, first, position = np.unique(codes, return_index=True, return_inverse=True)

    some = frame.iloc[first]
    rows = [
        {
            **{column: value for column, value in zip(SERIES_TEXT, values, strict=True) if isinstance(value, str)},
            "techniques": list(techniques[at]),
            "labels": msgspec.json.decode(labels[at]) if labels[at] else {},
            "mask": int(mask[at]),
            "grain": "day" if by_day[at] else "hour",
        }
        for at, values in zip(first, some[list(SERIES_TEXT)].itertuples(index=False, name=None), strict=True)
    ]
    distinct = pd.DataFrame(rows, columns=list(SERIES_COLUMNS), dtype=object)
    distinct = distinct.where(distinct.notna(), None)
    distinct["key"] = [series_key(row, source_id=source_id) for row in rows]
    distinct["labels"] = [labels[at].decode() or "{}" for at in first]
    return position.reshape(-1).astype(np.int64), distinct


def content_hash(frame: pd.DataFrame, series_keys: Bytes) -> cells.Integers:
    """
    Hash what a record says to 64 bits, to tell a duplicate from another record under the same id.

    In it: the series, the interval, the measures as delivered, run, request, trace, corrects and snapshot. Not in it:
    flags, and the interval where `clock_skew` says that the time of receipt has replaced it, since they differ each time
    the same payload arrives.

    Args:
        frame: activity table, n rows.
        series_keys: of each row's series. [n, 16]
    """
    sent = ~np.array(["clock_skew" in flags for flags in frame["flags"].tolist()], dtype=bool)
    halves = np.ascontiguousarray(series_keys).view(">u8").astype(np.uint64).reshape(-1, 2)
    mixed = _mix(_mix(np.zeros(len(frame), dtype=np.uint64), halves[:, 0]), halves[:, 1])
    for column in ("started_at", "ended_at"):
        mixed = _mix(mixed, np.where(sent, cells.microseconds(frame[column]), 0).astype(np.uint64))
    for column in COUNTS:
        mixed = _mix(mixed, frame[column].to_numpy(dtype=np.int64, na_value=0).astype(np.uint64))
    for column in NUMBERS:
        values = frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
        mixed = _mix(mixed, (np.nan_to_num(values, nan=0.0) + 0.0).view(np.uint64))  # + 0.0: no negative zero
    for column in TEXT_CONTENT:
        mixed = _mix(mixed, _text_hash(frame[column]))
    return mixed.view(np.int64)


def _mix(state: npt.NDArray[np.uint64], value: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Fold one value into the state: the finalizer of splitmix64 (Steele, Lea, Flood 2014)."""
    mixed = (state + _GOLDEN) ^ value
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _text_hash(column: pd.Series) -> npt.NDArray[np.uint64]:
    """Hash each distinct text once; absent is 0."""
    if not column.notna().any():
        return np.zeros(len(column), dtype=np.uint64)
    codes, texts = pd.factorize(column, use_na_sentinel=True)
    digests = b"".join([hashlib.sha256(text.encode()).digest()[:8] for text in texts.tolist()])
    hashes = np.append(np.frombuffer(digests, dtype=">u8").astype(np.uint64), np.uint64(0))
    return hashes[codes]


def _labels_text(column: pd.Series) -> list[bytes]:
    """Write each label set as canonical JSON, b"" when it is empty. Adapters share dicts between rows: each is written once."""
    written: dict[int, bytes] = {}
    texts = []
    for labels in column:
        text = written.get(id(labels))
        if text is None:
            text = written[id(labels)] = _ENCODER.encode(labels) if labels else b""
        texts.append(text)
    return texts


def _objects(values: list[tuple[str, ...]] | list[bytes]) -> npt.NDArray[np.object_]:
    """Make a one-dimensional object array; numpy would turn equal-length tuples into a matrix."""
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return result


def fuse(coded: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    """Make one integer of several codes a row (absent is -1), packed again whenever it could overflow."""
    fused = np.zeros(len(coded[0]), dtype=np.int64)
    size = 1
    for codes in coded:
        width = int(codes.max(initial=-1)) + 2
        if width == 1:
            continue
        if size > units.INT64_MAX // width:
            _, fused = np.unique(fused, return_inverse=True)
            fused, size = fused.reshape(-1), int(fused.max(initial=0)) + 1
        fused *= width
        fused += codes
        fused += 1
        size *= width
    return fused
