"""One run by the sender's id: its extent in the ledger, and its figures, quantified from its records when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from core.accounting.aggregate import plain_rows
from core.accounting.figures import ROLES, Filter
from core.accounting.models import View
from core.accounting.selectors import current_view, emissions
from core.ledger.runs import extent_of_run

FIGURES: Final = (
    "energy_it_kwh",
    "energy_facility_kwh",
    "location_kg_co2e",
    "market_kg_co2e",
    "upstream_kg_co2e",
    "embodied_kg_co2e",
    "total_kg_co2e",
    "water_l",
)
SUFFIXES: Final = ("", "_low", "_high")


@dataclass(frozen=True)
class Run:
    """
    A run and its figures.

    Args:
        name: as its sender calls it.
        started_at, ended_at: of its first and its last record, UTC.
        records: that were quantified.
        role: counted; or cross_check where another source counts in place of all of them.
        figures: those of ``FIGURES`` with ``_low`` and ``_high``; None is not known.
        as_of: UTC, when they were read.
        filter: what they were asked for by; its explanation takes the same.
    """

    name: str
    started_at: datetime
    ended_at: datetime
    records: int
    role: str
    figures: dict[str, float | None]
    as_of: datetime
    filter: Filter


def run_of(
    organization_id: int, name: str, narrowed: Mapping[str, tuple[str, ...]], *, view: View | None = None
) -> Run | None:
    """
    Find a run and quantify its records, by the rules in force and a view's factors.

    Args:
        organization_id: whose.
        name: the sender's id of the run.
        narrowed: dimensions to what the asker may see of them; empty for no limit.
        view: another view than the current one.

    Returns:
        None when no record within these limits names the run. Before anything was derived at all, its figures are not known
        yet, and whoever is narrowed is not told that it exists.
    """
    extent = extent_of_run(organization_id, name) if "\0" not in name else None  # no text of the ledger holds NUL
    if extent is None:
        return None
    started_at, ended_at, records = extent
    days = (started_at.date(), max(started_at, ended_at).date())
    for role in ROLES:
        asked = Filter(*days, dims={**narrowed, "run": (name,)}, role=(role,))
        result = emissions(organization_id, asked, view=view)
        for row in plain_rows(result.rows):
            return Run(name, started_at, ended_at, int(row["records"]), role, figures_of(row), datetime.now(UTC), asked)
    if view is None and current_view(organization_id) is None and not narrowed:
        return Run(name, started_at, ended_at, records, ROLES[0], figures_of({}), datetime.now(UTC), asked)
    return None


def figures_of(row: Mapping[str, Any]) -> dict[str, float | None]:
    """Take the figures out of a row, in their order; what is not there is not known."""
    return {name + suffix: row.get(name + suffix) for name in FIGURES for suffix in SUFFIXES}
