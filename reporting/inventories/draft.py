"""A draft inventory of a period, as disclosed, from the daily rows of the current view."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import pandas as pd
from django.conf import settings

from core.accounting.figures import Filter, parse_period
from core.accounting.models import View
from core.accounting.selectors import current_view, disclosure_bridge, emissions
from core.catalog.selectors import sites
from core.factors.selectors import pack_of
from core.factors.sources import sources_of
from core.organizations.models import Organization
from core.organizations.selectors import consolidation_of
from core.organizations.tenancy import organization_snapshot
from core.quantification import units
from core.quantification.register_lines import Line
from reporting.disclosures import Inventory, RefusedError
from reporting.disclosures.csv_tables import decimal_text
from reporting.disclosures.inventory_json import stamped
from reporting.inventories import register
from reporting.inventories.factors import factor_entry
from reporting.inventories.instruments import used_instruments
from reporting.selectors.evidence import factors_used, records_hash

BY: Final = ("scope", "stage", "hosting", "evidence", "method", "zone", "site")
STAGE: Final = {
    "data_preparation": "experiments",
    "experimentation": "experiments",
    "training": "training",
    "fine_tuning": "training",
    "evaluation": "inference",
    "inference": "inference",
}
METHOD: Final = {
    "measured": "measured",
    "device": "modelled",
    "instance": "modelled",
    "tokens": "modelled",
    "flops": "modelled",
    "reported": "supplier",
    "spend": "spend",
    "seats": "average_data",
}
SITE_KIND: Final = {"owned": "owned", "colocated": "colocation", "cloud": "cloud", "api": "api"}
STANDARDS: Final = (
    "GHG Protocol Corporate Standard",
    "GHG Protocol Scope 2 Guidance (2015)",
    "GHG Protocol Scope 3 Standard (2011)",
)
NO_ACTIVITY: Final = "no AI activity"
NOT_ENTERED: Final = {
    2: "no purchase of hardware has been entered; the amortised share is not an inventory figure",
    4: "inside the footprint of bought hardware",
    5: "no retirement of hardware has been entered",
}


OwnSites = Mapping[str, dict[str, Any]]
"""Sites of the register by their name in records, as an inventory lists them."""


@dataclass(frozen=True)
class Part:
    """One amount of a group of cells, on its way to a line."""

    scope: int
    category: int | None
    method: str | None  # scope 2: location or market
    stage: str
    kg: Decimal
    low: Decimal | None
    high: Decimal | None


def draft_inventory(organization: Organization, period: str) -> Inventory:
    """
    Make the inventory of a period as it stands, marked as a draft.

    Args:
        period: 2026-Q3 and its like.

    It is a function of ledger, factors and rules, read in one moment: made twice it is the same to the last byte.

    Raises:
        FilterError: no such period. RefusedError: the organization lacks what every inventory needs.
    """
    if not organization.country:
        raise RefusedError(["The organization's country is not set (Settings)."])
    with organization_snapshot(organization.id):
        return _drawn_up(organization, period)


def _drawn_up(organization: Organization, period: str) -> Inventory:
    named = parse_period(period, organization.fiscal_year_start_month)
    filtered = Filter(named.from_day, named.to_day, by=BY)
    view = current_view(organization.id)
    if view is None:
        raise RefusedError(["There is no activity yet, so there is nothing to draw up."])
    rows = emissions(organization.id, filtered, view=view).rows
    found = disclosure_bridge(organization.id, filtered, view=view)
    entered = found[1] if found is not None else []
    if rows.empty and not entered:
        raise RefusedError([f"There is no record of {period}: nothing was measured, which is not the same as zero."])
    used = factors_used(organization.id, filtered, view)
    own_sites = {site.slug: register.site_entry(site) for site in sites(organization.id)}
    sources = sources_of(pack_of(view.factor_set.content_hash))
    factors = [entry for entry in (factor_entry(factor, sources) for factor in used) if entry]
    known_ids = {entry["id"] for entry in factors}
    factors += [entry for entry in register.factor_entries(entered, sources) if entry["id"] not in known_ids]
    listed = frozenset(entry["id"] for entry in factors)
    lines = [*lines_of(rows, own_sites), *register.inventory_lines(entered, listed)]
    energy = energy_of(rows, own_sites, entered)
    count, digest = records_hash(organization.id, filtered)
    totals = totals_of(lines, rows, energy, entered)
    contracts = used_instruments(organization, view, named)
    purchased = sum((Decimal(entry["mwh"]) for entry in energy if entry["origin"] == "purchased"), Decimal(0))
    if (percent := contracts.percent_of(purchased)) is not None:
        totals["instrument_percent"] = decimal_text(percent)
    inventory: Inventory = {
        "inventory_version": "1.0",
        "id": str(uuid5(NAMESPACE_URL, f"urn:wattledger:{organization.slug}:{period}:{view.id}:{digest}")),
        "status": "draft",
        "supersedes": None,
        "entity": {"name": organization.name, "country": organization.country},
        "period": {
            "kind": kind_of(named.from_day, named.to_day),
            "start": named.from_day.isoformat(),
            "end": named.to_day.isoformat(),
            "label": period,
            "timezone": "UTC",
        },
        "boundary": boundary(rows, lines, own_sites, entered, consolidation_of(organization)),
        "method": {
            "gwp_set": "AR5",
            "standards": list(STANDARDS),
            "text": (
                "Activity (energy, device and instance hours, tokens) times published factors. Electricity by the location-based"
                f" and the market-based method. Methodology {view.methodology}, factor set {view.factor_set.name}."
                f"{mix_text(energy)}"
            ),
            "embodied_view": "year_of_acquisition",
            "rounding": "each figure on its own, from the unrounded value",
        },
        "factors": factors + contracts.factors,
        "instruments": contracts.instruments,
        "energy": energy,
        "emissions": lines,
        "totals": totals,
        "ai": {"models": []},
        "intensities": [],
        "targets": [],
        "comparatives": [],
        "outside_totals": {"avoided": [], "credits": [], "removals": []},
        "narratives": {},
        "evidence": {
            "calculation_run": f"view {view.id}, rules revision {view.rules_revision}",
            "software_version": settings.VERSION,
            "record_count": count,
            "records_sha256": digest,
            "factor_set_sha256": view.factor_set.content_hash.removeprefix("sha256:"),
            "previous_sha256": None,
            "single_reviewer": organization.single_reviewer,
            "change_log": [],
            "approvals": [],
        },
    }
    return stamped(inventory)


def totals_in(organization: Organization, period: str, view: View) -> tuple[dict[str, str], dict[str, str]]:
    """Add a period up by a view: its totals, and what of them comes from the register."""
    named = parse_period(period, organization.fiscal_year_start_month)
    filtered = Filter(named.from_day, named.to_day, by=BY)
    with organization_snapshot(organization.id):
        rows = emissions(organization.id, filtered, view=view, bounds=False).rows
        found = disclosure_bridge(organization.id, filtered, view=view)
        entered = found[1] if found is not None else []
        own_sites = {site.slug: register.site_entry(site) for site in sites(organization.id)}
        of_register = list(register.inventory_lines(entered, frozenset()))
        lines = [*lines_of(rows, own_sites), *of_register]
        energy = energy_of(rows, own_sites, entered)
        return totals_of(lines, rows, energy, entered), totals_of(of_register, rows[:0], [], [])


def kind_of(first: date, last: date) -> str:
    """Tell month, quarter and year apart by their length."""
    days = (last - first).days + 1
    return "month" if days <= 31 else "quarter" if days <= 92 else "year"


def lines_of(rows: pd.DataFrame, own_sites: OwnSites) -> Iterable[dict[str, Any]]:
    """Turn groups of cells into inventory lines, each with scope, stage, method and evidence."""
    for number, row in enumerate(records_of(rows), 1):
        for part_number, part in enumerate(parts_of(row), 1):
            line: dict[str, Any] = {"id": f"l{number}.{part_number}", "scope": part.scope}
            if part.method:
                line["scope2_method"] = part.method
            if part.category:
                line["scope3_category"] = part.category
                if part.category == 1:
                    line["cloud_ai_subline"] = True
            line |= {"stage": part.stage, "tco2e": tonnes(part.kg)}
            if part.low is not None and part.high is not None:
                line |= {"low": tonnes(part.low), "high": tonnes(part.high)}
            if row["stage"]:
                line["ledger_stage"] = row["stage"]
            if row["evidence"]:
                line["evidence"] = row["evidence"]
            if row["method"] in METHOD:
                line["method"] = METHOD[row["method"]]
            if site_id(row, own_sites) is not None:
                line["site_id"] = site_id(row, own_sites)
            line["record_count"] = int(row["records"])
            yield line


def parts_of(row: dict[str, Any]) -> list[Part]:
    """
    Split a group's impacts into inventory lines. Rows come booked by scope: 2, 3.3 and 3.2 of own hardware, 3.1 of bought
    services, 3.8 of sites that the organization does not control.

    Electricity is split into IT and facility overhead, own electricity by both methods. The amortised share of own hardware
    (3.2) is no inventory figure: hardware is booked in its year of purchase.
    """
    scope = row["scope"]
    stage = STAGE.get(row["stage"] or "", "other")
    found: list[Part] = []
    if scope in {"2", "3.1", "3.8"}:
        it_share = Decimal(1)
        if known(row["energy_it_kwh"]) and known(row["energy_facility_kwh"]) and row["energy_facility_kwh"] > 0:
            it_share = Decimal(repr(row["energy_it_kwh"])) / Decimal(repr(row["energy_facility_kwh"]))
        for method in ("location", "market") if scope == "2" else ("location",):
            figure = f"{method}_kg_co2e"
            for share, of_stage in ((it_share, stage), (1 - it_share, "facility")):
                if known(row[figure]) and share > 0:
                    own = scope == "2"
                    category, by = (None, method) if own else (int(scope[2:]), None)
                    found.append(Part(2 if own else 3, category, by, of_stage, *bounds(row, figure, share)))
    if scope in {"3.3", "3.1", "3.8"} and known(row["upstream_kg_co2e"]):
        found.append(Part(3, int(scope[2]), None, "upstream_energy", *bounds(row, "upstream_kg_co2e")))
    if scope == "3.1" and known(row["embodied_kg_co2e"]):
        found.append(Part(3, 1, None, "embodied", *bounds(row, "embodied_kg_co2e")))
    return [part for part in found if part.kg != 0]


def records_of(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Give rows as dicts, missing text as None."""
    return [
        {str(name): None if not isinstance(value, list) and pd.isna(value) else value for name, value in row.items()}
        for row in rows.to_dict("records")
    ]


def known(value: object) -> bool:
    return value is not None and not pd.isna(value)  # type: ignore[call-overload]


def scaled(value: float | None, share: Decimal) -> Decimal | None:
    return Decimal(repr(float(value))) * share if value is not None and known(value) else None


def bounds(
    row: dict[str, Any], figure: str, share: Decimal = Decimal(1)
) -> tuple[Decimal, Decimal | None, Decimal | None]:
    return tuple(scaled(row.get(figure + bound), share) for bound in ("", "_low", "_high"))  # type: ignore[return-value]


def tonnes(kg: Decimal) -> str:
    """
    Write kg as a decimal string in tonnes, to a milligram.

    >>> tonnes(Decimal("1234.5"))
    '1.2345'
    """
    return decimal_text((kg / units.KG_PER_T).quantize(Decimal("1e-9")))


def site_id(row: dict[str, Any], own_sites: OwnSites) -> str | None:
    """Name a place: a site of the register by its name, any other by how its hardware is run and its grid zone."""
    named = (row.get("site") or "").lower()
    if named in own_sites:
        return named
    if not row["hosting"] or not row["zone"]:
        return None
    return f"{SITE_KIND[row['hosting']]}-{row['zone']}"


def boundary(
    rows: pd.DataFrame, lines: list[dict[str, Any]], own_sites: OwnSites, entered: list[Line], consolidation: str
) -> dict[str, Any]:
    """Say what is inside, what is not, and why."""
    places = {line.site: own_sites[line.site] for line in entered}
    for row in records_of(rows):
        place = site_id(row, own_sites)
        if place is not None and place in own_sites:
            places[place] = own_sites[place]
        elif place is not None and len(row["zone"]) >= 2 and row["zone"][:2].isalpha():
            country = "US" if row["zone"].startswith("EGRID") else row["zone"][:2]
            places[place] = {
                "id": place,
                "name": f"{row['hosting']} in {row['zone']}",
                "country": country,
                "grid_zone": row["zone"],
                "kind": SITE_KIND[row["hosting"]],
            }
    included = sorted({line["scope3_category"] for line in lines if "scope3_category" in line})
    unweighed = register.unweighed_categories(entered)
    booked = rows[rows["scope"].isin(["2", "3.1", "3.8"])] if len(rows) else rows
    without = int((booked["location_kg_co2e"].isna() & (booked["records"] > 0)).sum()) if len(rows) else 0
    return {
        "covers": "ai_activities",
        "of_which": [],
        "consolidation": consolidation,
        "description": "The AI activities that the organization's connected sources have reported.",
        "sites": sorted(places.values(), key=lambda site: site["id"]),
        "exclusions": [
            *(
                [
                    {
                        "what": f"{without} {'group' if without == 1 else 'groups'} of records without a figure",
                        "reason": "no factor is known for their model, hardware or spend; see Data quality",
                    }
                ]
                if without
                else []
            ),
            *register.exclusions(entered),
        ],
        "scope3_included": included,
        "scope3_excluded": [
            {
                "category": category,
                "reason": register.UNWEIGHED if category in unweighed else NOT_ENTERED.get(category, NO_ACTIVITY),
            }
            for category in range(1, 16)
            if category not in included
        ],
    }


def energy_of(rows: pd.DataFrame, own_sites: OwnSites, entered: list[Line]) -> list[dict[str, Any]]:
    """
    Own operations' electricity by site, at the facility; its mix is unknown without contracts.

    With a facility meter it is what the meter shows, less what the site generates itself.
    """
    metered = register.metered_mwh(entered)
    purchased: dict[str, Decimal] = {place: of_site["purchased"] for place, of_site in metered.items()}
    it_share: dict[str, Decimal] = {}
    measured: dict[str, bool] = dict.fromkeys(metered, True)
    own = rows[(rows["scope"] == "2") & rows["energy_facility_kwh"].notna()] if len(rows) else rows
    for row in records_of(own):
        place = site_id(row, own_sites) or "unknown"
        purchased[place] = purchased.get(place, Decimal(0)) + scaled_mwh(row["energy_facility_kwh"])
        it_share[place] = it_share.get(place, Decimal(0)) + scaled_mwh(row["energy_it_kwh"])
        if place not in metered:
            measured[place] = measured.get(place, True) and row["method"] == "measured"
    found: list[dict[str, Any]] = []
    for place, mwh in sorted(purchased.items()):
        entry = {"site_id": place, "carrier": "electricity", "mix": "unknown", "measured": measured[place]}
        shares = {"it_share_mwh": decimal_text(it_share[place])} if place in it_share else {}
        found.append({"id": f"e{len(found) + 1}", **entry, "origin": "purchased", "mwh": decimal_text(mwh), **shares})
        generated = metered.get(place, {}).get("self_generated")
        if generated:
            found.append(
                {"id": f"e{len(found) + 1}", **entry, "origin": "self_generated", "mwh": decimal_text(generated)}
            )
    return found


def scaled_mwh(kwh: float | None) -> Decimal:
    return Decimal(repr(float(kwh))) / 1000 if known(kwh) else Decimal(0)  # type: ignore[arg-type]


def of_mix(energy: list[dict[str, Any]], mix: str) -> Decimal:
    """Add up the energy that is known to be of a mix. [MWh]"""
    return sum((Decimal(entry["mwh"]) for entry in energy if entry["mix"] == mix), Decimal(0))


def mix_text(energy: list[dict[str, Any]]) -> str:
    """Say how much energy is in no total by mix, as its mix is not known: the schema has no empty totals."""
    mwh = of_mix(energy, "unknown")
    if not mwh:
        return ""
    rounded = mwh.quantize(Decimal("0.001")) if mwh >= 1 else mwh  # in a sentence; the lines say it in full
    return f" The mix of {decimal_text(rounded)} MWh of energy is not known: the totals by mix leave it out."


def sum_of(column: pd.Series) -> Decimal:
    return sum((Decimal(repr(float(value))) for value in column if known(value)), Decimal(0))


def totals_of(
    lines: list[dict[str, Any]], rows: pd.DataFrame, energy: list[dict[str, Any]], entered: list[Line]
) -> dict[str, str]:
    """Sum the lines, unrounded: scope 2 by both methods, scope 3 once."""

    def total(scope: int, method: str | None = None) -> Decimal:
        chosen = (
            line for line in lines if line["scope"] == scope and (method is None or line.get("scope2_method") == method)
        )
        return sum((Decimal(line["tco2e"]) for line in chosen), Decimal(0))

    one, location, market, three = total(1), total(2, "location"), total(2, "market"), total(3)
    found = {
        "scope1": one,
        "scope2_location": location,
        "scope2_market": market,
        "scope3": three,
        "total_location": one + location + three,
        "total_market": one + market + three,
        "energy_mwh": sum((Decimal(entry["mwh"]) for entry in energy), Decimal(0)),
        **{f"{mix}_mwh": of_mix(energy, mix) for mix in ("renewable", "nuclear", "fossil")},
    }
    if len(rows) and rows["water_l"].notna().any():
        found["water_m3"] = sum_of(rows["water_l"]) / units.L_PER_M3
    if (retired := register.ewaste_kg(entered)) is not None:
        found["ewaste_kg"] = retired
    return {name: decimal_text(value) for name, value in found.items()}
