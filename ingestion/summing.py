"""
Rows of one record that come in several pieces of a delivery, added up before the ledger sees them, in bounded memory.

An appended record stands as it first came, so it must come once and whole: for formats that say `SUMMED`, all files of a
delivery are read before the first record is handed on. Beyond a number of rows they wait on the disk, shared out by their
id, so that one share at a time is added up.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import pandas as pd

from core.quantification import cells
from core.quantification.activity import COUNTS, NUMBERS
from ingestion.sources.base import Parsed

HELD_ROWS: Final = 100_000
"""Rows held in memory; more go to the disk."""
SHARES: Final = 64
_EXACT: Final = 2.0**62


def once_each(chunks: Iterator[Parsed]) -> Iterator[Parsed]:
    """Give what is no record of a delivery's chunks as it comes, then its records, each once."""
    with Sums() as sums:
        for chunk in chunks:
            yield sums.take(chunk)
        yield from sums.chunks()


@dataclass
class Sums:
    """Takes chunk after chunk, then gives their records, each once."""

    held_rows: int = HELD_ROWS
    _held: list[pd.DataFrame] = field(default_factory=list)
    _rows: int = 0
    _folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def take(self, chunk: Parsed) -> Parsed:
        """Keep a chunk's records and give the rest of it."""
        if len(chunk.activity):
            self._held.append(chunk.activity)
            self._rows += len(chunk.activity)
            if self._rows > self.held_rows:
                self._put_down()
        kept = int(chunk.activity["rows"].sum())
        return replace(chunk, activity=chunk.activity.iloc[:0], received=chunk.received - kept)

    def chunks(self) -> Iterator[Parsed]:
        """Give the records, those of equal id added up."""
        if self._folder is None:
            yield from _as_chunk(self._held)
            return
        self._put_down()
        for path in sorted(Path(self._folder.name).iterdir()):
            yield from _as_chunk(list(_frames(path)))

    def _put_down(self) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="wattledger-sums-")
        if not self._held:
            return
        together = pd.concat(self._held, ignore_index=True)
        self._held, self._rows = [], 0
        shares = pd.util.hash_array(together["record_id"].to_numpy(dtype=object)) % SHARES
        for share, frame in together.groupby(shares, sort=True):
            with (Path(self._folder.name) / f"{share:03}").open("ab") as file:
                pickle.dump(frame, file, protocol=pickle.HIGHEST_PROTOCOL)


def _frames(path: Path) -> Iterator[pd.DataFrame]:
    with path.open("rb") as file:
        while file.peek(1):
            yield pickle.load(file)  # noqa: S301  # written above, into a folder of this process alone


def _as_chunk(frames: list[pd.DataFrame]) -> Iterator[Parsed]:
    if not frames:
        return
    frame = summed(pd.concat(frames, ignore_index=True))
    yield Parsed(frame, [], int(frame["rows"].sum()))


def summed(frame: pd.DataFrame) -> pd.DataFrame:
    """
    Add up the rows of each record id, exactly: in the integers of cells.

    Args:
        frame: an activity table with `row` and `rows`; rows of one id differ in measures and flags only.

    Returns:
        One row for each id, in order of first row: measures are absent where they are absent in all of its rows.
    """
    again = frame["record_id"].duplicated(keep=False).to_numpy()
    if not again.any():
        return frame
    parts = frame[again].sort_values("row", kind="stable", ignore_index=True)
    group, ids = pd.factorize(parts["record_id"])
    together = parts[~parts["record_id"].duplicated()].reset_index(drop=True)
    for column in COUNTS:
        if parts[column].notna().any():
            present = np.bincount(group, parts[column].notna(), minlength=len(ids)) > 0
            totals = np.zeros(len(ids), dtype=np.int64)
            np.add.at(totals, group, parts[column].to_numpy(dtype=np.int64, na_value=0))
            together[column] = pd.Series(totals, dtype="Int64").mask(~present)
    for column in NUMBERS:
        if not column.endswith("_utilization") and parts[column].notna().any():
            together[column] = _number_sums(
                parts[column].to_numpy(dtype=np.float64), cells.UNIT_OF[column], group, len(ids)
            )
    together["rows"] = np.bincount(group, parts["rows"], minlength=len(ids)).astype("int64")
    flags: list[set[str]] = [set() for _ in ids]
    for at, some in zip(group.tolist(), parts["flags"].tolist(), strict=True):
        flags[at].update(some)
    together["flags"] = [tuple(sorted(each)) for each in flags]
    whole = pd.concat([frame[~again], together], ignore_index=True)
    return whole.sort_values("row", kind="stable", ignore_index=True)


def _number_sums(values: np.ndarray, per_unit: float, group: np.ndarray, groups: int) -> np.ndarray:
    scaled = np.rint(np.nan_to_num(values) * per_unit)
    rough = np.bincount(group, scaled, minlength=groups)
    fits = np.abs(scaled) < _EXACT
    totals = np.zeros(groups, dtype=np.int64)
    np.add.at(totals, group[fits], scaled[fits].astype(np.int64))
    exact = np.where(np.abs(rough) < _EXACT, totals, rough) / per_unit
    present = np.bincount(group, ~np.isnan(values), minlength=groups) > 0
    return np.where(present, exact, np.nan)
