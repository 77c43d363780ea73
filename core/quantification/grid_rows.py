"""The yearly grid factors of a set: the default table, and the optional one of balancing zones where a set holds it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from core.quantification.pack import FactorPack, Row

OPTIONAL: Final = "grid_intensity_electricitymaps_odbl"
"""
Electricity Maps: lifecycle, imports traced, under ODbL. Not in the default set, since its licence asks to share alike.
Its zones have names of their own (``EM:US-CAL-CISO``), so no row of it stands in for another by accident.
"""


@lru_cache(maxsize=8)
def yearly_grid_rows(pack: FactorPack) -> tuple[Row, ...]:
    """Return the rows of both tables in the columns of ``grid_intensity_annual``."""
    optional = tuple(
        {**row, "zone_type": "balancing zone", "gas_basis": "CO2e", "preferred": "True", "note": row.get("note", "")}
        for row in pack.rows(OPTIONAL)
    )
    return (*pack.rows("grid_intensity_annual"), *optional)
