"""The parts of a printed inventory that say how its figures were found, what is not in them and who signed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from reporting import figures
from reporting.disclosures import Inventory
from reporting.inventories import report_words as words
from reporting.inventories.report_parts import (
    NO_RANGE,
    Line,
    counted_once,
    day_said,
    lines_by,
    moment_said,
    range_of,
    range_said,
    said,
    share_said,
    sum_of,
    table,
)
from reporting.inventories.report_words import say
from reporting.templatetags.figures import factor_value

MOST_FACTORS: Final = 60
"""Rows; of more, each source has one."""


# --- Boundary ---------------------------------------------------------------------------------------------------------


def boundary(inventory: Inventory) -> list[list[str]]:
    """Say how far the inventory reaches."""
    found = inventory["boundary"]
    included = ", ".join(str(each) for each in found.get("scope3_included", []))
    return [
        [_("Covers"), str(_("AI activities")) if found["covers"] == "ai_activities" else _("the whole entity")],
        [_("What is inside"), found["description"]],
        [_("Consolidation"), say(words.CONSOLIDATION, found["consolidation"])],
        [_("Categories of scope 3 inside"), included or _("none")],
    ]


def sites(inventory: Inventory) -> dict[str, Any]:
    """List the places."""
    rows = [
        [site["name"], say(words.SITES, site.get("kind")), site["country"], site.get("grid_zone", "")]
        for site in inventory["boundary"]["sites"]
    ]
    return table([_("Site"), _("Kind"), _("Country"), _("Grid zone")], rows)


def exclusions(inventory: Inventory) -> dict[str, Any]:
    """List what is left out, with the estimate where there is one."""
    rows = []
    for each in inventory["boundary"]["exclusions"]:
        estimate = each.get("estimated_tco2e")
        share = each.get("share_percent")
        rows.append(
            [
                each["what"],
                each["reason"],
                said(Decimal(estimate)) if estimate is not None else NO_RANGE,
                figures.percent(float(share) / 100) if share is not None else NO_RANGE,
            ]
        )
    return table([_("Left out"), _("Why"), _("Estimate, t CO2e"), _("Share")], rows, numbers=(2, 3))


def left_out(inventory: Inventory) -> dict[str, Any]:
    """List the categories of scope 3 without a figure; those with the same reason stand together."""
    groups = lines_by(inventory["boundary"].get("scope3_excluded", []), lambda each: each["reason"])
    rows = [
        [
            ", ".join(str(each["category"]) for each in entries),
            ", ".join(str(words.CATEGORIES[each["category"]]) for each in entries),
            say(words.REASONS, reason),
        ]
        for reason, entries in groups.items()
    ]
    return table([_("Category"), _("Of"), _("Why")], rows)


def accruals(inventory: Inventory) -> dict[str, Any]:
    """List the lines that stand in for what did not arrive."""
    assumed = [line for line in counted_once(inventory) if line.get("evidence") == "assumed"]
    rows = [
        [
            say(words.STAGES, line["stage"]),
            said(Decimal(line["tco2e"])),
            range_said(range_of([line])),
            line.get("lineage", ""),
        ]
        for line in assumed
    ]
    share = share_said(sum_of(assumed), sum_of(counted_once(inventory)))
    found = table([_("Stage"), "t CO2e", _("95 % range"), _("Rule and basis")], rows, numbers=(1, 2))
    remark = _("Estimated for what was expected and did not arrive: {share} of the location-based total.")
    return {**found, "remark": remark.format(share=share)}


# --- Method -----------------------------------------------------------------------------------------------------------


def texts(inventory: Inventory, language: str) -> list[str]:
    """Give what the inventory says of its method, in the language where it has that."""
    narrative = inventory["narratives"].get("methodology", {})
    own = narrative.get(language) or narrative.get("en")
    return [text for text in dict.fromkeys((inventory["method"]["text"], own)) if text]


def facts(inventory: Inventory) -> list[list[str]]:
    """List what the figures stand on."""
    method = inventory["method"]
    embodied = {
        "year_of_acquisition": _("whole in the year of purchase"),
        "amortised": _("spread over the years of use"),
    }
    pairs = [
        [_("Standards"), ", ".join(method["standards"])],
        [_("Global warming potentials"), f"IPCC {method['gwp_set']}"],
        [_("Gases"), ", ".join(method["gases"]) if method.get("gases") else _("CO2e only, as the factors give it")],
        [_("Hardware bought"), embodied.get(method.get("embodied_view", ""), "")],
        [_("Allocation"), method.get("allocation", "")],
        [
            _("Rounding"),
            _("each figure on its own, from the unrounded value; so parts need not add up to a printed total"),
        ],
    ]
    return [pair for pair in pairs if pair[1]]


def shares(inventory: Inventory) -> dict[str, Any]:
    """Say how much of the location-based total was found in which way."""
    lines = counted_once(inventory)
    whole = sum_of(lines)
    groups = lines_by(lines, lambda line: (line.get("method", ""), line.get("evidence", "")))
    sums = sorted(((sum_of(group), *key) for key, group in groups.items()), key=lambda each: (-each[0], *each[1:]))
    rows = [
        [
            say(words.METHODS, method) or _("not stated"),
            say(words.EVIDENCE, evidence) or _("entry of the register"),
            said(amount),
            share_said(amount, whole),
        ]
        for amount, method, evidence in sums
    ]
    return table([_("Method"), _("Evidence"), "t CO2e", _("Share")], rows, numbers=(2, 3))


def factors(inventory: Inventory) -> dict[str, Any]:
    """List the factors with source and edition; of very many, one row for each source."""
    entries = sorted(
        inventory["factors"],
        key=lambda each: (each["kind"], each.get("region", ""), each["source"]["title"], each["id"]),
    )
    count = len(entries)
    remark = ngettext("{count} factor.", "{count} factors.", count).format(count=figures.count(count, compact=False))
    if count > MOST_FACTORS:
        remark += " " + _("Too many to print: each stands, with its address and licence, in the attached document.")
        return {**_by_source(entries), "remark": remark, "widths": ["auto", "auto", "auto", "1fr"]}
    rows = [
        [
            say(words.FACTORS, each["kind"]),
            each.get("region", ""),
            factor_value(float(each["value"])),
            "" if each["unit"] in ("1", "ratio") else each["unit"],
            _source(each),
        ]
        for each in entries
    ]
    labels = [_("Factor"), _("Of"), _("Value"), _("Unit"), _("Source, edition")]
    return {**table(labels, rows, numbers=(2,)), "remark": remark, "widths": ["auto", "auto", "auto", "auto", "1fr"]}


def _by_source(entries: list[dict[str, Any]]) -> dict[str, Any]:
    groups = lines_by(entries, lambda each: (each["kind"], each["unit"], _source(each)))
    rows = []
    for (kind, unit, source), group in groups.items():
        values = [float(each["value"]) for each in group]
        span = " – ".join(dict.fromkeys(factor_value(each) for each in (min(values), max(values))))
        rows.append(
            [
                say(words.FACTORS, kind),
                figures.count(len(group), compact=False),
                f"{span} {'' if unit in ('1', 'ratio') else unit}".strip(),
                source,
            ]
        )
    return table([_("Factor"), _("Number"), _("From – to"), _("Source, edition")], rows, numbers=(1,))


def _source(factor: Line) -> str:
    source = factor["source"]
    return ", ".join(dict.fromkeys(part for part in (source["title"], source["publisher"], factor["version"]) if part))


def instruments(inventory: Inventory) -> dict[str, Any]:
    """List the contractual instruments, and which of them failed a criterion."""
    rows = []
    for each in inventory["instruments"]:
        failed = [say(words.QUALITIES, name) for name, good in each["quality"].items() if not good]
        rows.append(
            [
                say(words.INSTRUMENTS, each["type"]),
                each["market"],
                said(Decimal(each["mwh"])),
                f"{day_said(each['vintage_start'])} – {day_said(each['vintage_end'])}",
                _("not applied: {why}").format(why=", ".join(failed))
                if failed
                else _("applied; meets every criterion"),
            ]
        )
    return table([_("Instrument"), _("Market"), "MWh", _("Vintage"), _("Quality criteria")], rows, numbers=(2,))


def uncertainty(inventory: Inventory) -> list[str]:
    """Say what the ranges are, how wide the figures are known and what no range holds."""
    lines = counted_once(inventory)
    without = [line for line in lines if line.get("low") is None or line.get("high") is None]
    points = []
    if len(without) < len(lines):
        points += [
            _("Ranges are 95 % intervals: the spreads of activity, method and each factor, multiplied as errors are."),
            _(
                "The ends of the lines of a figure are added up as if all their errors had one cause. That is the cautious way:"
                " it makes ranges of totals wider, never narrower. The printed figure is the plain sum."
            ),
        ]
    if without:
        points.append(
            _("{share} of the location-based total has no range: the document states none for it.").format(
                share=share_said(sum_of(without), sum_of(lines))
            )
        )
    points.append(_("No range holds an error of the method itself, or what was never recorded; see what is left out."))
    return points


# --- Sign-off ---------------------------------------------------------------------------------------------------------


def approvals(inventory: Inventory) -> dict[str, Any]:
    """List who decided what."""
    rows = [
        [
            say(words.ROLES, each["role"]),
            each["who"],
            say(words.DECISIONS, each["decision"]),
            moment_said(each["at"]),
            each.get("note", ""),
        ]
        for each in inventory["evidence"]["approvals"]
    ]
    return table([_("Role"), _("Person"), _("Decision"), _("When"), _("Note")], rows)


def changes(inventory: Inventory) -> dict[str, Any]:
    """List what was changed or accepted, and its effect where it has one."""
    rows = []
    for each in inventory["evidence"]["change_log"]:
        effect = each.get("effect_tco2e")
        what = each["what"] + (f" ({said(Decimal(effect))} t CO2e)" if effect is not None else "")
        rows.append([moment_said(each["at"]), each["who"], what, each.get("reason", "")])
    return table([_("When"), _("Person"), _("What"), _("Why")], rows)


def hashes(inventory: Inventory) -> list[list[str]]:
    """List what ties the report to its document, and that to its records."""
    evidence = inventory["evidence"]
    return [
        [_("Inventory"), inventory["id"]],
        [_("SHA-256 of the inventory"), evidence.get("sha256") or NO_RANGE],
        [
            _("SHA-256 of the one before it"),
            evidence.get("previous_sha256") or _("none: it is the first, or not locked"),
        ],
        [_("Supersedes"), inventory.get("supersedes") or _("none")],
        [_("Records"), figures.count(evidence["record_count"], compact=False)],
        [_("SHA-256 of the records"), evidence["records_sha256"]],
        [_("SHA-256 of the factor set"), evidence["factor_set_sha256"]],
        [_("Calculation"), evidence["calculation_run"]],
        [_("Software"), f"Wattledger {evidence['software_version']}"],
    ]
