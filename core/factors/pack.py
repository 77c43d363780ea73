"""Read the factor tables that ship with the product from their folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from core.quantification.pack import FactorPack, pack_from_tables

DIRECTORY: Final = Path(__file__).parent / "data"
NAME: Final = "wattledger-2027.01"


class NoFactorTables(FileNotFoundError):  # said in the words of the product
    """The folder holds no factor table."""


def load_pack(directory: Path = DIRECTORY, *, name: str = NAME) -> FactorPack:
    """
    Read every ``*.csv`` of a folder as one factor pack.

    Args:
        directory: one file per published edition, named ``<table>--<dataset>.csv``.
        name: what the set is called; not part of its hash.

    Raises:
        NoFactorTables: when the folder is missing or holds no table.
    """
    tables = {path.stem: path.read_bytes() for path in sorted(Path(directory).glob("*.csv"))}
    if not tables:
        raise NoFactorTables(f"no factor table (*.csv) in {directory}")
    return pack_from_tables(name, tables)
