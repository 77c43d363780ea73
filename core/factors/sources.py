"""Where datasets come from: the register that ships with the product, and the sources that came with an import."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from core.quantification.factor_checks import SOURCES
from core.quantification.pack import FactorPack

REGISTER: Final = Path(__file__).parent / "sources.csv"


@dataclass(frozen=True)
class Source:
    """
    A publication.

    Attributes:
        url: of its page, https or http; empty where it has none.
        obtained_from: where it was read, which may be a copy of it.
    """

    dataset: str
    title: str
    publisher: str
    version: str
    url: str
    obtained_from: str
    licence: str
    redistribution: str


@lru_cache(maxsize=1)
def registered_sources() -> Mapping[str, Source]:
    """Return the sources that this release knows, by dataset."""
    with REGISTER.open(newline="", encoding="utf-8") as file:
        return {row["dataset"]: _source(row) for row in csv.DictReader(file)}


@lru_cache(maxsize=8)
def sources_of(pack: FactorPack) -> Mapping[str, Source]:
    """Return the sources of a set by dataset: its own table of sources, then the register."""
    return {**registered_sources(), **{row["dataset"]: _source(row) for row in pack.rows(SOURCES)}}


def _source(row: Mapping[str, str]) -> Source:
    url = row.get("url") or ""
    return Source(
        dataset=row["dataset"],
        title=row["title"],
        publisher=row["publisher"],
        version=row.get("version") or "",
        url=url if url.startswith(("https://", "http://")) else "",
        obtained_from=row.get("obtained_from") or "",
        licence=row["licence"],
        redistribution=row.get("redistribution") or "",
    )
