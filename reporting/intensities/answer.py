"""The answer of an SCI: rows with their components, and the table that API, command and file write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pandas as pd

from core.accounting.aggregate import plain_rows
from core.accounting.figures import Filter
from core.quantification.intensity import Bounded, Score
from reporting.intensities import words
from reporting.intensities.units import SCORES, FunctionalUnit

ENERGY: Final = "energy_facility_kwh"
LOCATION: Final = "location_kg_co2e"
EMBODIED: Final = "embodied_kg_co2e"


@dataclass(frozen=True)
class SciRow:
    """
    One score, or why there is none.

    Args:
        start: first instant of the slot, UTC; None for the whole period.
        dims: dimension to value, ``unattributed`` where nobody is known.
        records: that are in the score.
        sums: components and score; None where nothing is divided.
        reason: why there is no score, in words; "" where there is one.
        left_out_records, left_out_kg_co2e: records of these stages without unit or energy, and what is known of their O + M.
        left_out_share: of the known O + M of all records of these stages; None where nothing is known.
        embodied_known_share: of the energy in the score; None without energy.
        left_out_reason: why some are left out, in words.
    """

    score: str
    start: datetime | None
    dims: Mapping[str, str | None]
    records: int = 0
    sums: Score | None = None
    reason: str = ""
    left_out_records: int = 0
    left_out_kg_co2e: float | None = None
    left_out_share: float | None = None
    left_out_reason: str = ""
    embodied_known_share: float | None = None

    @property
    def kg_per_unit(self) -> Bounded | None:
        """Return the score. [kg CO2e per functional unit]"""
        return None if self.sums is None else self.sums.kg_per_unit


@dataclass(frozen=True)
class SciResult:
    """Scores of a filter, consumer before provider, in the order of the groups."""

    unit: FunctionalUnit
    rows: list[SciRow]
    filter: Filter
    as_of: datetime

    def as_dict(self) -> dict[str, Any]:
        """Return the answer of API and command: plain values, null for what is not known, units in the names."""
        return {
            "filter": self.filter.as_dict(),
            "unit": {"name": self.unit.name, "text": self.unit.text, "given_by": self.unit.given_by},
            "as_of": self.as_of.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "scores": {name: {"stages": list(SCORES[name]), "holds": words.holds(name)} for name in self.unit.scores},
            "boundary": words.boundary(self.unit),
            "columns": columns_of(self.filter),
            "rows": plain_rows(self.table()),
        }

    def table(self) -> pd.DataFrame:
        """Return the rows as a table, one column for each number, named with its unit."""
        return pd.DataFrame([flat(row) for row in self.rows], columns=columns_of(self.filter), dtype=object)


def columns_of(asked: Filter) -> list[str]:
    """Name the columns of the answer."""
    bounded = [
        name + suffix
        for name in (ENERGY, "operational_kg_co2e", EMBODIED, "carbon_kg_co2e", "sci_kg_co2e_per_unit")
        for suffix in ("", "_low", "_high")
    ]
    return [
        "score",
        *(["start"] if asked.grain != "total" else []),
        *asked.by,
        *bounded[-3:],
        "reason",
        "functional_units",
        *bounded[:3],
        "intensity_g_co2e_per_kwh",
        *bounded[3:-3],
        "records",
        "left_out_records",
        "left_out_kg_co2e",
        "left_out_share",
        "left_out_reason",
        "embodied_known_share",
    ]


def flat(row: SciRow) -> dict[str, Any]:
    """Spread a row over the columns."""
    sums = row.sums
    found: dict[str, Any] = {
        "score": row.score,
        "start": None if row.start is None else pd.Timestamp(row.start),
        **row.dims,
        "reason": row.reason or None,
        "functional_units": None if sums is None else sums.functional_units,
        "intensity_g_co2e_per_kwh": None if sums is None else sums.intensity_g_co2e_per_kwh,
        "records": row.records,
        "left_out_records": row.left_out_records,
        "left_out_kg_co2e": row.left_out_kg_co2e,
        "left_out_share": row.left_out_share,
        "left_out_reason": row.left_out_reason or None,
        "embodied_known_share": row.embodied_known_share,
    }
    for name, amount in (
        (ENERGY, sums and sums.energy_kwh),
        ("operational_kg_co2e", sums and sums.operational_kg),
        (EMBODIED, sums and sums.embodied_kg),
        ("carbon_kg_co2e", sums and sums.carbon_kg),
        ("sci_kg_co2e_per_unit", sums and sums.kg_per_unit),
    ):
        for suffix, side in (("", "value"), ("_low", "low"), ("_high", "high")):
            found[name + suffix] = None if amount is None else getattr(amount, side)
    return found
