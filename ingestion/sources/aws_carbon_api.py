"""Answers of the AWS Sustainability API (GetEstimatedCarbonEmissions), as a table with the columns of the carbon export."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np
import pyarrow as pa

from core.quantification.private import without_private
from core.quantification.prose import brief
from ingestion.sources.base import UnreadablePayload
from ingestion.sources.bill_columns import Column
from ingestion.sources.bill_tables import Chunk, Table
from ingestion.sources.byte_streams import open_maybe_compressed

LARGEST_BYTES: Final = 64 * 1024 * 1024
"""An answer has at most 1,000 results, some 500 kB."""

_FIGURES: Final[Mapping[str, str]] = {
    "TOTAL_LBM_CARBON_EMISSIONS": "total_lbm_emissions",
    "TOTAL_MBM_CARBON_EMISSIONS": "total_mbm_emissions",
    "TOTAL_SCOPE_1_CARBON_EMISSIONS": "total_scope_1_emissions",
    "TOTAL_SCOPE_2_LBM_CARBON_EMISSIONS": "total_scope_2_lbm_emissions",
    "TOTAL_SCOPE_2_MBM_CARBON_EMISSIONS": "total_scope_2_mbm_emissions",
    "TOTAL_SCOPE_3_LBM_CARBON_EMISSIONS": "total_scope_3_lbm_emissions",
    "TOTAL_SCOPE_3_MBM_CARBON_EMISSIONS": "total_scope_3_mbm_emissions",
}
_DIMENSIONS: Final[Mapping[str, str]] = {
    "USAGE_ACCOUNT_ID": "usage_account_id",
    "REGION": "region_code",
    "SERVICE": "product_code",
}


class _Period(msgspec.Struct):
    Start: str | float
    End: str | float


class _Figure(msgspec.Struct):
    Value: float | None = None
    Unit: str | None = None


class _Result(msgspec.Struct):
    TimePeriod: _Period
    DimensionsValues: dict[str, str | None] = {}
    ModelVersion: str | None = None
    EmissionsValues: dict[str, _Figure] = {}


class _Page(msgspec.Struct):
    Results: list[_Result]


def looks_like_it(head: bytes) -> bool:
    """Tell whether the beginning of a file is that of an answer."""
    return head.lstrip()[:1] in (b"{", b"[") and b'"EmissionsValues"' in head


def is_json(stream: BinaryIO) -> bool:
    """Tell whether a seekable stream holds JSON, plain or packed; it stays where it was."""
    start = stream.tell()
    head = open_maybe_compressed(stream).read(1024)
    stream.seek(start)
    return head.lstrip()[:1] in (b"{", b"[")


def without_people(stream: BinaryIO) -> BinaryIO:
    """Drop what is private from an answer; the stream itself where there are none."""
    start = stream.tell()
    body = _decoded(stream, object)
    stream.seek(start)
    kept = brief(without_private(body))
    return stream if kept == body else io.BytesIO(msgspec.json.encode(kept))


def open_answer(stream: BinaryIO, chunk_rows: int) -> Table:
    """Open one answer, or an array of answers. Raises UnreadablePayload when it is neither."""
    pages: list[_Page] | _Page = _decoded(stream, list[_Page] | _Page)
    results = [result for page in (pages if isinstance(pages, list) else [pages]) for result in page.Results]
    return Table("Sustainability API", (), _chunks(results, chunk_rows))


def _decoded(stream: BinaryIO, what: Any) -> Any:
    body = open_maybe_compressed(stream).read(LARGEST_BYTES + 1)
    if len(body) > LARGEST_BYTES:
        raise UnreadablePayload(
            f"The answer is larger than {LARGEST_BYTES} bytes. Send its pages as files of their own."
        )
    try:
        return msgspec.json.decode(body, type=what)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadablePayload(
            f"The file is no answer of GetEstimatedCarbonEmissions ({error}). Save the answer as JSON and send it again."
        ) from error


def _chunks(results: list[_Result], chunk_rows: int) -> Iterator[Chunk]:
    for start in range(0, len(results), chunk_rows):
        some = results[start : start + chunk_rows]
        columns: dict[str, Column] = {
            "model_version": pa.array([each.ModelVersion for each in some], pa.string()),
            "usage_period_start": pa.array([_time(each.TimePeriod.Start) for each in some], pa.string()),
            "usage_period_end": pa.array([_time(each.TimePeriod.End) for each in some], pa.string()),
        }
        for wire, name in _DIMENSIONS.items():
            columns[name] = pa.array([each.DimensionsValues.get(wire) for each in some], pa.string())
        for wire, name in _FIGURES.items():
            figures = [each.EmissionsValues.get(wire, _Figure()) for each in some]
            columns[f"{name}_value"] = pa.array([figure.Value for figure in figures], pa.float64())
            columns[f"{name}_unit"] = pa.array([figure.Unit for figure in figures], pa.string())
        yield Chunk(columns, np.arange(start + 1, start + 1 + len(some)), [])


def _time(moment: str | float) -> str:
    """Give a time as text; clients save it as text or as seconds since 1970."""
    if isinstance(moment, str):
        return moment
    try:
        return datetime.fromtimestamp(moment, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return str(moment)
