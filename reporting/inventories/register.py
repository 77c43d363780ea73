"""Register entries in the words of an inventory: scope 1, categories 2 and 5, and what a meter shows beyond the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from core.catalog.models import Site, SiteKind
from core.factors.sources import Source
from core.quantification import booking, notes, units
from core.quantification.register_lines import Line
from reporting.disclosures.csv_tables import decimal_text
from reporting.inventories.factors import factor_entry

SITE_KIND: Final = {SiteKind.OWNED: "owned", SiteKind.LEASED: "leased", SiteKind.COLOCATION: "colocation"}
CATEGORY: Final = {booking.PURCHASES: 2, booking.DISPOSAL: 5}
STAGE: Final = {booking.PURCHASES: "embodied", booking.DISPOSAL: "end_of_life"}
UNWEIGHED: Final = "entered, but no factor is known for it"


def site_entry(site: Site) -> dict[str, Any]:
    """Give a site of the register as an inventory lists it."""
    kind = SITE_KIND[SiteKind(site.kind)]
    return {"id": site.slug, "name": site.name, "country": site.country, "grid_zone": site.zone, "kind": kind}


def inventory_lines(lines: Sequence[Line], listed: frozenset[str]) -> Iterable[dict[str, Any]]:
    """
    Turn register lines into inventory lines.

    Args:
        listed: ids of the factors that the inventory lists; lines name no other.
    """
    for number, line in enumerate(lines, 1):
        for part, (about, impact) in enumerate(_parts(line), 1):
            amount = line.amounts.get(impact)
            if amount is None or not amount[0]:
                continue
            yield {
                "id": f"r{number}.{part}",
                **about,
                "tco2e": _tonnes(amount[0]),
                "low": _tonnes(amount[1]),
                "high": _tonnes(amount[2]),
                "method": method_of(line),
                "site_id": line.site,
                "factor_ids": sorted({factor.id for factor in line.factors} & listed),
                "record_count": 0,
                "lineage": ", ".join(f"register entry {entry}" for entry in line.entries),
            }


def _parts(line: Line) -> list[tuple[dict[str, Any], str]]:
    """Name the scope, category and stage of each amount, with the impact that it is of."""
    if line.step in CATEGORY:
        return [({"scope": 3, "scope3_category": CATEGORY[line.step], "stage": STAGE[line.step]}, "embodied_kg_co2e")]
    if line.scopes.energy == "1":
        return [({"scope": 1, "stage": "facility"}, "location_kg_co2e")]
    if line.scopes.energy != "2":
        category = {"scope": 3, "scope3_category": int(line.scopes.energy[2:]), "stage": "facility"}
        return [(category, "location_kg_co2e"), ({**category, "stage": "upstream_energy"}, "upstream_kg_co2e")]
    both = [
        ({"scope": 2, "scope2_method": method, "stage": "facility"}, f"{method}_kg_co2e")
        for method in ("location", "market")
    ]
    return [*both, ({"scope": 3, "scope3_category": 3, "stage": "upstream_energy"}, "upstream_kg_co2e")]


def method_of(line: Line) -> str:
    """
    Say how a line was found: readings, fuel and refrigerants are measured, a maker's reviewed footprint is the supplier's.
    """
    if line.step == booking.PURCHASES:
        reviewed = any("reviewed" in str(factor.detail.get("boundary", "")) for factor in line.factors)
        return "supplier" if reviewed else "average_data"
    return "average_data" if line.step == booking.DISPOSAL else "measured"


def factor_entries(lines: Sequence[Line], sources: Mapping[str, Source]) -> list[dict[str, Any]]:
    """List the factors of register lines, each once."""
    found = {factor.id: factor_entry(factor.as_dict(), sources) for line in lines for factor in line.factors}
    return [entry for entry in found.values() if entry is not None]


def exclusions(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Name the entries that have no figure, and why."""
    found = []
    for line in lines:
        if not line.amounts and line.notes:
            entry: dict[str, Any] = {"what": line.label, "reason": " ".join(notes.TEXTS[code] for code in line.notes)}
            category = CATEGORY.get(line.step)
            entry |= {"scope": 3, "scope3_category": category} if category else {"scope": 1}
            found.append(entry)
    return found


def unweighed_categories(lines: Sequence[Line]) -> set[int]:
    """List the categories in which something was entered that no factor is known for."""
    return {CATEGORY[line.step] for line in lines if line.step in CATEGORY and not line.amounts}


def metered_mwh(lines: Sequence[Line]) -> dict[str, dict[str, Decimal]]:
    """Add up by site what meters change: ``purchased`` beyond or below the records, and ``self_generated``. [MWh]"""
    found: dict[str, dict[str, Decimal]] = {}
    for line in lines:
        if "energy_facility_kwh" in line.amounts and line.scopes.energy == "2":
            mwh = Decimal(line.amounts["energy_facility_kwh"][0]) / units.PER_KWH / 1000
            of_site = found.setdefault(line.site, {"purchased": Decimal(0), "self_generated": Decimal(0)})
            of_site["purchased"] += mwh
            if line.step == booking.SELF_GENERATED:
                of_site["self_generated"] -= mwh
    return found


def ewaste_kg(lines: Sequence[Line]) -> Decimal | None:
    """Add up the mass of retired hardware; None where nothing was retired."""
    masses = [Decimal(repr(line.mass_kg)) for line in lines if line.mass_kg is not None]
    return sum(masses, Decimal(0)) if masses else None


def _tonnes(nkg: int) -> str:
    return decimal_text((Decimal(nkg) / units.PER_KG / units.KG_PER_T).quantize(Decimal("1e-12")))
