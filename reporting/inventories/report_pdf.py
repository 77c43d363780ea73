"""`pdf`: an inventory as a report to sign and hand over, from the document alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import override

from reporting import figures
from reporting.charts.chart import nice_top
from reporting.disclosures import Inventory, made_at
from reporting.disclosures.csv_tables import GASES, by_gas, unknown_mix
from reporting.disclosures.datapoint_map import lines_of_total, unknown_mwh
from reporting.disclosures.inventory_json import canonical
from reporting.inventories import report_method as method
from reporting.inventories import report_words as words
from reporting.inventories.report_parts import (
    NO_RANGE,
    counted_once,
    day_said,
    lines_by,
    pointer_said,
    range_of,
    range_said,
    said,
    share_said,
    sum_of,
    table,
)
from reporting.inventories.report_words import say
from reporting.rendering.pdf import Attachment, pdf

NAME: Final = "pdf"
LANGUAGES: Final = ("en", "de")
EMISSIONS: Final = ("scope1", "scope2_location", "scope2_market", "scope3", "total_location", "total_market")
UNITS: Final = {"water_m3": "m³", "ewaste_kg": "kg"}


def render(inventory: Inventory, language: str = "en") -> dict[str, bytes]:
    """Give the file: in a language of its own, whoever asks; the same inventory gives the same bytes."""
    with override(language), figures.written_in(language):
        data = printed_inventory(inventory, language)
        title = f"{inventory['entity']['name']}: {data['heading']}, {data['period']}"
        attached = Attachment(
            "inventory.json",
            "application/json",
            _("The inventory itself: every figure, line and factor at full precision"),
            canonical(inventory).decode() + "\n",
        )
    content = pdf("inventory", data, title=title, language=language, made_at=made_at(inventory), attachments=[attached])
    return {"report.pdf" if language == "en" else f"report-{language}.pdf": content}


def printed_inventory(inventory: Inventory, language: str) -> dict[str, Any]:
    """Give everything that the layout shows, as text in the active language."""
    period = inventory["period"]
    days = _("{first} to {last}, both days included, UTC").format(
        first=day_said(period["start"]), last=day_said(period["end"])
    )
    label = period.get("label") or f"{period['start']} – {period['end']}"
    return {
        "organization": inventory["entity"]["name"],
        "heading": heading(inventory),
        "period": label,
        "days": days,
        "status": status(inventory),
        "boundary_notice": boundary_notice(inventory),
        "headlines": headlines(inventory),
        "about": about(inventory),
        "footer": footer(inventory, label),
        "words": section_words(),
        "totals": totals(inventory),
        "ranges": ranges(inventory),
        "categories": categories(inventory),
        "stages": stages(inventory),
        "gases": gases(inventory),
        "energy": energy(inventory),
        "intensities": intensities(inventory),
        "boundary": method.boundary(inventory),
        "sites": method.sites(inventory),
        "exclusions": method.exclusions(inventory),
        "left_out": method.left_out(inventory),
        "accruals": method.accruals(inventory),
        "method": method.texts(inventory, language),
        "method_facts": method.facts(inventory),
        "shares": method.shares(inventory),
        "factors": method.factors(inventory),
        "instruments": method.instruments(inventory),
        "uncertainty": method.uncertainty(inventory),
        "comparatives": comparatives(inventory),
        "targets": targets(inventory),
        "outside": outside(inventory),
        "approvals": method.approvals(inventory),
        "changes": method.changes(inventory),
        "hashes": method.hashes(inventory),
    }


def section_words() -> dict[str, str]:
    """Give the headings, and what stands where a part is empty."""
    return {
        "figures": _("Figures"),
        "categories": _("Scope 3 by category"),
        "gases": _("By gas"),
        "energy": _("Energy of own operations"),
        "intensities": _("Intensities"),
        "boundary": _("Boundary"),
        "sites": _("Sites"),
        "exclusions": _("Exclusions"),
        "no_exclusions": _("Nothing inside the boundary is known to be missing."),
        "left_out": _("Categories of scope 3 without a figure"),
        "accruals": _("Accruals"),
        "no_accruals": _("No figure holds an accrual: nothing stands in for what did not arrive."),
        "method": _("Method"),
        "shares": _("How the location-based total was found"),
        "factors": _("Factors"),
        "instruments": _("Contractual instruments"),
        "uncertainty": _("Uncertainty"),
        "comparison": _("Base year and earlier periods"),
        "no_comparatives": _("The inventory states no base year and no earlier period to compare with."),
        "targets": _("Targets"),
        "outside": _("Outside all totals"),
        "no_outside": _(
            "Figures are gross. No credit, removal or avoided emission is stated, and none is in any figure."
        ),
        "signed": _("Sign-off"),
        "no_approvals": _("Nobody has submitted or approved this inventory."),
        "changes": _("Changes, and what was accepted as it is"),
        "hashes": _("Hashes"),
        "attached": _(
            "The inventory is attached to this file as inventory.json. Its hash is taken over the document without that hash."
        ),
    }


# --- Cover ------------------------------------------------------------------------------------------------------------


def heading(inventory: Inventory) -> str:
    """Name the report by what it covers."""
    if inventory["boundary"]["covers"] == "ai_activities":
        return _("Greenhouse gas emissions of AI activities")
    return _("Greenhouse gas inventory")


def status(inventory: Inventory) -> list[dict[str, str]]:
    """Say how far the inventory is, and whether anybody else has reviewed it."""
    good = inventory["status"] in ("approved", "published")
    found = [{"text": say(words.STATUS, inventory["status"]), "tone": "good" if good else "warn"}]
    if inventory["evidence"].get("single_reviewer"):
        found.append({"text": _("Not independently reviewed"), "tone": "warn"})
    return found


def boundary_notice(inventory: Inventory) -> list[str]:
    """Say that the figures are a part of the entity's own; nothing where they are the whole."""
    if inventory["boundary"]["covers"] != "ai_activities":
        return []
    pointer = _("Which line of it contains a figure stands beside the figure.")
    if not inventory["boundary"].get("of_which"):
        pointer = _("Which line of it contains a figure is not stated.")
    return [_("AI activities, a part of the entity's inventory: do not add it to that inventory."), pointer]


def headlines(inventory: Inventory) -> list[dict[str, str]]:
    """Choose the figures of the cover: both totals, energy and water where it is known."""
    found = []
    for name in ("total_location", "total_market"):
        between = range_of(lines_of_total(inventory, name))
        text = _("95 % range {range}").format(range=range_said(between)) if between else _("no range stated")
        value = said(Decimal(inventory["totals"][name]))
        found.append({"label": say(words.TOTALS, name), "value": value, "unit": "t CO2e", "range": text})
    for name, unit in (("energy_mwh", "MWh"), ("water_m3", "m³")):
        if inventory["totals"].get(name) is not None:
            value = said(Decimal(inventory["totals"][name]))
            found.append({"label": say(words.TOTALS, name), "value": value, "unit": unit, "range": ""})
    return found


def about(inventory: Inventory) -> list[list[str]]:
    """List what the cover names."""
    entity, boundary, evidence = inventory["entity"], inventory["boundary"], inventory["evidence"]
    people = {
        role: ", ".join(
            dict.fromkeys(
                each["who"] for each in evidence["approvals"] if each["role"] == role and each["decision"] == decision
            )
        )
        for role, decision in (("preparer", "submitted"), ("approver", "approved"))
    }
    pairs = [
        [_("Organization"), entity.get("legal_name") or entity["name"]],
        ["LEI", entity.get("lei", "")],
        [_("Country"), entity["country"]],
        [_("Boundary"), boundary["description"]],
        [_("Consolidation"), say(words.CONSOLIDATION, boundary["consolidation"])],
        [_("Prepared by"), people["preparer"] or NO_RANGE],
        [_("Approved by"), people["approver"] or NO_RANGE],
        [_("Inventory"), inventory["id"]],
        ["SHA-256", evidence.get("sha256") or NO_RANGE],
        [_("Software"), f"Wattledger {evidence['software_version']}"],
    ]
    return [pair for pair in pairs if pair[1]]


def footer(inventory: Inventory, label: str) -> str:
    """Say on each page what it is of and how far it holds."""
    parts = [f"{inventory['entity']['name']}, {label}", *(each["text"] for each in status(inventory))]
    if inventory["boundary"]["covers"] == "ai_activities":
        parts.append(_("AI activities, a part of the entity's inventory"))
    return " · ".join(parts)


# --- Figures ----------------------------------------------------------------------------------------------------------


def totals(inventory: Inventory) -> dict[str, Any]:
    """List every total with its range and the corporate line that contains it."""
    found = inventory["totals"]
    rows = []
    for name in words.TOTALS:
        if found.get(name) is None or name in unknown_mix(inventory):
            continue
        unit = UNITS.get(name, "MWh" if name.endswith("_mwh") else "t CO2" if name.startswith("biogenic") else "t CO2e")
        lines = lines_of_total(inventory, name)
        between = range_said(range_of(lines)) if name in EMISSIONS else NO_RANGE
        pointer = pointer_said(inventory, [f"totals.{name}", *dict.fromkeys(line["id"] for line in lines)])
        rows.append([f"{say(words.TOTALS, name)}, {unit}", said(Decimal(found[name])), between, pointer])
    remark = _("Gross figures; scope 2 by both methods.")
    if unknown_mix(inventory) or Decimal(unknown_mwh(inventory)):
        remark += " " + _("The mix of {amount} MWh of energy is not known: it is in no figure by source.").format(
            amount=said(Decimal(unknown_mwh(inventory)))
        )
    labels = [_("Figure"), _("Value"), _("95 % range"), _("Contained in the entity's line")]
    return {**table(labels, rows, numbers=(1, 2)), "remark": remark}


def ranges(inventory: Inventory) -> dict[str, Any]:
    """Lay scopes and totals out on one axis from zero."""
    shown = []
    for name in EMISSIONS:
        value = Decimal(inventory["totals"][name])
        if value:
            shown.append((say(words.TOTALS, name), value, range_of(lines_of_total(inventory, name))))
    top, step = nice_top(max((float(between[1] if between else value) for _name, value, between in shown), default=0.0))
    if not shown or min(value for _name, value, _between in shown) < 0:
        return {"rows": [], "ticks": [], "alt": "", "title": ""}
    scale = figures.plain_scale([top])
    return {
        "title": _("Scopes and totals with their ranges, t CO2e"),
        "rows": [
            {
                "label": label,
                "value": float(value) / top,
                "low": float(between[0]) / top if between else None,
                "high": float(between[1]) / top if between else None,
                "text": said(value) + (f" ({range_said(between)})" if between else ""),
            }
            for label, value, between in shown
        ],
        "ticks": [[at * step / top, figures.number(at * step, scale)] for at in range(round(top / step) + 1)],
        "alt": "; ".join(f"{label}: {said(value)} t CO2e" for label, value, _between in shown),
    }


def categories(inventory: Inventory) -> dict[str, Any]:
    """List scope 3 by category."""
    lines = [line for line in inventory["emissions"] if line.get("scope3_category")]
    rows = []
    for number, group in sorted(lines_by(lines, lambda line: line["scope3_category"]).items()):
        name = f"{number}, {words.CATEGORIES[number]}"
        pointer = pointer_said(inventory, [line["id"] for line in group])
        rows.append([name, said(sum_of(group)), range_said(range_of(group)), pointer])
        cloud = [line for line in group if line.get("cloud_ai_subline")]
        if cloud:
            name = _("of it cloud computing and data centre services")
            pointer = pointer_said(inventory, [line["id"] for line in cloud])
            rows.append([name, said(sum_of(cloud)), range_said(range_of(cloud)), pointer])
    labels = [_("Category"), "t CO2e", _("95 % range"), _("Contained in the entity's line")]
    return table(labels, rows, numbers=(1, 2))


def stages(inventory: Inventory) -> dict[str, Any]:
    """Draw the stages of the life cycle, and list them by scope."""
    groups = lines_by(counted_once(inventory), lambda line: line["stage"])
    whole = sum_of(counted_once(inventory))
    sums = sorted(((sum_of(group), stage) for stage, group in groups.items()), key=lambda each: (-each[0], each[1]))
    longest = max((amount for amount, _stage in sums), default=Decimal(0)) or Decimal(1)
    rows = [
        {
            "label": say(words.STAGES, stage),
            "value": max(float(amount / longest), 0.0),
            "text": f"{said(amount)} t CO2e, {share_said(amount, whole)}",
        }
        for amount, stage in sums
    ]
    shown = []
    for _amount, stage in sums:
        of_stage = [line for line in inventory["emissions"] if line["stage"] == stage]
        cells = []
        for scope, by in ((1, None), (2, "location"), (2, "market"), (3, None)):
            part = [line for line in of_stage if line["scope"] == scope and line.get("scope2_method") == by]
            cells.append(said(sum_of(part)) if part else "")
        shown.append([say(words.STAGES, stage), *cells])
    labels = [
        *(_("Stage, t CO2e"), _("Scope 1"), _("Scope 2, location-based"), _("Scope 2, market-based"), _("Scope 3")),
    ]
    found = table(labels, shown, numbers=(1, 2, 3, 4))
    return {
        "title": _("By life-cycle stage, location-based"),
        "rows": rows,
        "table": found["rows"],
        "columns": found["columns"],
        "alt": "; ".join(f"{row['label']}: {row['text']}" for row in rows),
    }


def gases(inventory: Inventory) -> dict[str, Any]:
    """List the gases where factors give them."""
    rows = [
        [str(gas), said(Decimal(str(amount))), str(unit), "" if gas in GASES else _("factors give CO2e only")]
        for gas, amount, unit, _note in by_gas(inventory)[1:]
    ]
    split = any(row[0] in GASES for row in rows)
    found = table([_("Gas"), _("Amount"), _("Unit"), _("Note")], rows if split else [], numbers=(1,))
    return {**found, "remark": _("Gases are not split: the factors give CO2e only.")}


def energy(inventory: Inventory) -> dict[str, Any]:
    """List the energy of own operations by site."""
    places = {site["id"]: site["name"] for site in inventory["boundary"]["sites"]}
    known = {True: _("measured"), False: _("not measured")}
    rows = [
        [
            places.get(entry["site_id"], entry["site_id"]),
            f"{say(words.CARRIERS, entry['carrier'])}, {say(words.ORIGINS, entry['origin'])}",
            say(words.MIXES, entry["mix"]),
            said(Decimal(entry["mwh"])),
            known.get(entry.get("measured", ""), ""),
        ]
        for entry in inventory["energy"]
    ]
    return table([_("Site"), _("Energy"), _("Source"), "MWh", _("Evidence")], rows, numbers=(3,))


def intensities(inventory: Inventory) -> dict[str, Any]:
    """List what is stated per something."""
    rows = [
        [each["numerator"], each["denominator"], said(Decimal(each["value"])), each["unit"]]
        for each in inventory["intensities"]
    ]
    return table([_("Of"), _("Per"), _("Value"), _("Unit")], rows, numbers=(2,))


def comparatives(inventory: Inventory) -> dict[str, Any]:
    """List earlier periods; of a restated one both values."""
    rows = []
    for each in inventory["comparatives"]:
        before = each.get("previously_stated", {})
        for name, value in each["totals"].items():
            former = said(Decimal(before[name])) if name in before else NO_RANGE
            days = f"{day_said(each['period']['start'])} – {day_said(each['period']['end'])}"
            reason = each.get("reason", "") if each["restated"] else ""
            rows.append([days, say(words.TOTALS, name), said(Decimal(value)), former, reason])
    labels = [_("Period"), _("Figure"), _("Value"), _("Stated before"), _("Why restated")]
    return table(labels, rows, numbers=(2, 3))


def targets(inventory: Inventory) -> dict[str, Any]:
    """List the targets."""
    track = {True: _("on track"), False: _("not on track")}
    rows = [
        [
            each["name"],
            f"{say(words.KINDS_OF_TARGET, each['kind'])}, {each['unit']}",
            f"{each['base_year']}: {said(Decimal(each['base_value']))}",
            f"{each['target_year']}: {said(Decimal(each['target_value']))}",
            track.get(each.get("on_track", ""), ""),
        ]
        for each in inventory["targets"]
    ]
    return table([_("Target"), _("Kind"), _("Base year"), _("Target year"), _("State")], rows, numbers=(2, 3))


def outside(inventory: Inventory) -> dict[str, Any]:
    """List what is in no total."""
    rows = [
        [
            say(words.OUTSIDE, kind),
            ", ".join(
                str(each[name]) for name in ("what", "project", "standard", "method", "baseline") if each.get(name)
            ),
            said(Decimal(each["tco2e"])),
        ]
        for kind in words.OUTSIDE
        for each in inventory["outside_totals"][kind]
    ]
    return table([_("Kind"), _("Of"), "t CO2e"], rows, numbers=(2,))
