"""A factor pack: the immutable, content-hashed set of factor tables that one quantification reads.

Tables are named ``<table>--<dataset>``; every edition of one table has the same columns, so they are read as one. The
bytes are kept as they came: a pack that was stored and read back is the same pack, bit for bit.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import pandas as pd

Row = dict[str, str]
"""One row of a factor table as text, with the name of its file under ``FILE``."""

FILE: Final = "_file"
UNVERIFIED: Final = "unverified"
"""Of a row's ``verification``: recalled by somebody, not read in its source."""


@dataclass(frozen=True, eq=False)
class FactorPack:
    """
    Hold the factor tables of one set, as delivered.

    Attributes:
        name: what people call it, such as ``wattledger-2026.12``.
        content_hash: ``sha256:<hex>`` over the sorted table names and their canonical bytes; two packs with the same
            hash give the same figures.
        blobs: table name (without ``.csv``) to canonical CSV bytes (UTF-8, LF).
    """

    name: str
    content_hash: str
    blobs: Mapping[str, bytes] = field(repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FactorPack) and other.content_hash == self.content_hash

    def __hash__(self) -> int:
        return hash(self.content_hash)

    @cached_property
    def _rows(self) -> dict[str, tuple[Row, ...]]:
        found: dict[str, list[Row]] = {}
        for name in sorted(self.blobs):
            table = name.partition("--")[0]
            reader = csv.DictReader(io.StringIO(self.blobs[name].decode("utf-8"), newline=""))
            found.setdefault(table, []).extend({**row, FILE: name} for row in reader)
        return {table: tuple(rows) for table, rows in found.items()}

    @cached_property
    def _usable(self) -> dict[str, tuple[Row, ...]]:
        return {
            table: tuple(row for row in rows if row.get("verification") != UNVERIFIED)
            for table, rows in self._rows.items()
        }

    def rows(self, table: str) -> tuple[Row, ...]:
        """
        Return the rows of a table that figures may use, every edition's, in the order of file name and line.

        Rows marked ``unverified`` are not among them: nobody has read their source. None where the table is not there.
        """
        return self._usable.get(table, ())

    def every_row(self, table: str) -> tuple[Row, ...]:
        """Return all rows of a table, those that no figure uses among them; for people to read."""
        return self._rows.get(table, ())

    @property
    def tables(self) -> tuple[str, ...]:
        """Return the names of the tables that the pack holds, editions joined."""
        return tuple(sorted({name.partition("--")[0] for name in self.blobs}))

    def frame(self, table: str) -> pd.DataFrame:
        """Return a table as text columns (nothing is read as null: ``NA`` is Namibia), editions joined."""
        return pd.DataFrame(list(self.rows(table)))


def canonical_bytes(content: bytes) -> bytes:
    r"""
    Return CSV bytes without byte order mark, with LF line ends and one at the end.

    >>> canonical_bytes(b"\xef\xbb\xbfa,b\r\n1,2")
    b'a,b\n1,2\n'
    """
    text = content.decode("utf-8-sig").replace("\r\n", "\n").rstrip("\n")
    return (text + "\n").encode("utf-8")


def content_hash(blobs: Mapping[str, bytes]) -> str:
    """Return ``sha256:<hex>`` of canonical tables: names sorted, each name and table preceded by its length."""
    digest = hashlib.sha256()
    for name in sorted(blobs):
        for part in (name.encode("utf-8"), blobs[name]):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return "sha256:" + digest.hexdigest()


def pack_from_tables(name: str, tables: Mapping[str, bytes]) -> FactorPack:
    """
    Make a pack from CSV tables.

    Args:
        name: of the set.
        tables: table name (``grid_intensity_annual--eea``) to CSV bytes.

    Raises:
        ValueError: when there is no table, or bytes are not UTF-8.
    """
    if not tables:
        raise ValueError("a factor pack needs at least one table")
    blobs = {table: canonical_bytes(content) for table, content in tables.items()}
    return FactorPack(name=name, content_hash=content_hash(blobs), blobs=blobs)
