"""What a site's page says: its months by meter, and its register with what each entry weighs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from core.accounting.models import View
from core.accounting.selectors.register import fact_of, metered_months, readings_of
from core.catalog.entries import KINDS
from core.catalog.models import RegisterEntry, Site
from core.catalog.selectors import all_entries, standing_entries
from core.factors.selectors import pack_of
from core.quantification import notes, units
from core.quantification.methods import methodology_of
from core.quantification.register_lines import Line, lines_of_entries
from core.quantification.site_metrics import SiteRatio, energy_reuse_factor, site_ratios, unallocated_pkwh


@dataclass(frozen=True)
class Month:
    """A month of a site: what its meters showed and what its records hold. None is not known. [kWh, L]"""

    month: date
    facility_kwh: float | None
    it_kwh: float | None
    pue: SiteRatio | None
    water_l: float | None
    wue: SiteRatio | None
    recorded_kwh: float | None
    unallocated_kwh: float | None
    generated_kwh: float | None
    reuse: float | None


@dataclass(frozen=True)
class Listed:
    """An entry as the register's table shows it; ``kg`` is None where it has none or no factor is known."""

    entry: RegisterEntry
    label: str
    monthly: bool
    feeds: str
    what: str
    kg: float | None
    notes: list[str]
    source: str


def years_of(organization_id: int, site: Site) -> list[int]:
    """List the years that a site has entries in, the latest first."""
    days = standing_entries(organization_id).filter(site_id=site.id).dates("day", "year")
    return sorted({day.year for day in days}, reverse=True)


def months_of(organization_id: int, site: Site, year: int, view: View | None) -> list[Month]:
    """List the months of a year that have any meter, in their order."""
    entries = list(
        standing_entries(organization_id, from_day=date(year, 1, 1), to_day=date(year, 12, 31)).filter(site_id=site.id)
    )
    readings = readings_of(organization_id).get(site.slug, [])
    ratios = {(ratio.name, ratio.month): ratio for ratio in site_ratios(readings)}
    shown: dict[date, dict[str, float]] = {}
    for entry in entries:
        if KINDS[entry.kind].monthly:
            shown.setdefault(entry.day, {}).update(
                {
                    name: float(value)
                    for name in KINDS[entry.kind].columns
                    if (value := getattr(entry, name)) is not None
                }
            )
    recorded = (
        {}
        if view is None
        else {each.month: each for each in metered_months(organization_id, view, entries, date(year, 12, 31))}
    )
    found = []
    for month, values in sorted(shown.items()):
        facility, metered = values.get("facility_kwh"), recorded.get(month)
        beyond = None
        if metered is not None and facility is not None:
            beyond = unallocated_pkwh(metered.metered_pkwh, metered.records_pkwh) / units.PER_KWH
        heat = values.get("heat_reused_kwh")
        found.append(
            Month(
                month=month,
                facility_kwh=facility,
                it_kwh=values.get("it_kwh"),
                pue=ratios.get(("pue", month)),
                water_l=values.get("water_l"),
                wue=ratios.get(("wue_l_per_kwh", month)),
                recorded_kwh=metered.records_pkwh / units.PER_KWH if metered is not None else None,
                unallocated_kwh=beyond,
                generated_kwh=values.get("generated_used_kwh"),
                reuse=None if heat is None or not facility else energy_reuse_factor(heat, facility),
            )
        )
    return found


def entries_of(organization_id: int, site: Site, year: int, view: View | None) -> list[Listed]:
    """List every entry of a year, replaced ones too, the newest first, with what it weighs by the factors in force."""
    rows = list(all_entries(organization_id).filter(site_id=site.id, day__year=year))
    known = [row for row in rows if row.kind in KINDS]
    lines: dict[int, Line] = {}
    if view is not None:
        pack = pack_of(view.factor_set.content_hash)
        weighed = lines_of_entries([fact_of(row) for row in known], pack, methodology_of(view.methodology))
        lines = {line.entries[0]: line for line in weighed}
    return [_listed(row, lines.get(row.id)) for row in rows]


def _listed(row: RegisterEntry, line: Line | None) -> Listed:
    kind = KINDS.get(row.kind)
    return Listed(
        entry=row,
        label=kind.label if kind else "Withdrawal",
        monthly=bool(kind and kind.monthly),
        feeds=kind.gives if kind else "",
        what=line.label if line is not None else _amounts(row),
        kg=line.nkg() / units.PER_KG if line is not None and line.amounts else None,
        notes=[notes.TEXTS[code] for code in line.notes] if line is not None else [],
        source=row.source,
    )


def _amounts(row: RegisterEntry) -> str:
    """Write the quantities of a month in a few words: "facility 120,000 kWh, it 100,000 kWh"."""
    if row.kind not in KINDS:
        return f"entry {row.replaces_id}"
    shown: list[str] = []
    for name in KINDS[row.kind].columns:
        value: Any = getattr(row, name)
        if value is not None:
            words, _, unit = name.rpartition("_")
            shown.append(f"{_WORDS.get(words, words.replace('_', ' '))} {value.normalize():,f} {_UNITS[unit]}")
    return ", ".join(shown)


_WORDS = {"it": "IT", "generated_used": "used", "generated_exported": "exported", "heat_reused": "heat"}
_UNITS = {"kwh": "kWh", "l": "L"}
