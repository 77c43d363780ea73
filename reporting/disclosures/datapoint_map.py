"""
Datapoints of the standards: which field of the inventory answers each of them, or why none does.

The tables in ``datapoints/`` are the map, one row a datapoint; this module reads fields. Nothing is computed here but units,
shares of two totals and the reduction that a target names.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

from reporting.disclosures import Inventory
from reporting.disclosures.csv_tables import decimal_text, unknown_mix

HERE: Final = Path(__file__).resolve().parent / "datapoints"
FACTORS: Final[dict[str, Decimal]] = {"kWh": Decimal(1000), "GJ": Decimal("3.6"), "pure": Decimal("0.01")}
"""From the unit of the inventory (MWh, percent) to that of a datapoint; any other is the inventory's own."""
PLACES: Final = Decimal("1e-12")
OF_TOTAL: Final[dict[str, tuple[dict[str, str], ...]]] = {
    "scope1": ({"scope": "1"},),
    "scope2_location": ({"scope": "2", "scope2_method": "location"},),
    "scope2_market": ({"scope": "2", "scope2_method": "market"},),
    "scope3": ({"scope": "3"},),
    "total_location": ({"scope": "1"}, {"scope": "2", "scope2_method": "location"}, {"scope": "3"}),
    "total_market": ({"scope": "1"}, {"scope": "2", "scope2_method": "market"}, {"scope": "3"}),
}
"""Which lines a total adds up."""
NAMES: Final = {
    "operational_control": "operational control",
    "financial_control": "financial control",
    "equity_share": "equity share",
}


@dataclass(frozen=True)
class Standard:
    """
    A standard with its table.

    Args:
        other: heading of the second numbering; "" for standards that have one.
        note: what whoever takes figures over should know.
    """

    key: str
    name: str
    codes: str
    other: str
    note: str


STANDARDS: Final = (
    Standard(
        "esrs_e1",
        "ESRS E1",
        "datapoint (2023 set)",
        "disclosure requirement (revised set, financial years from 2027)",
        "Datapoints and elements of the XBRL taxonomy of 30 August 2024. A taxonomy of the revised set is not published: its"
        " disclosure requirement alone is named. Shares are pure numbers: 0.48 is 48 %.",
    ),
    Standard(
        "ifrs_s2",
        "IFRS S2",
        "paragraph",
        "",
        "Paragraphs of IFRS S2; check them against the edition that the entity applies.",
    ),
    Standard(
        "gri",
        "GRI",
        "GRI 302 and 305 (2016)",
        "GRI 102 and 103 (2025)",
        "GRI 102 and 103 are for reporting periods from 2027, earlier use is allowed; check the numbers against the edition that"
        " the entity applies.",
    ),
    Standard(
        "cdp",
        "CDP",
        "question",
        "",
        "Questions of module 7; CDP renumbers them: check them against the questionnaire of the year.",
    ),
    Standard("sb253", "SB 253", "part", "", "California SB 253 has no codes; the rows are those of the inventory."),
    Standard("secr", "SECR", "part", "", "The United Kingdom's SECR has no codes; energy is in kWh."),
)


@dataclass(frozen=True)
class Point:
    """
    A row of a table.

    Args:
        unit: of the value; what fields are called in is converted to it.
        field: of the inventory, see `READERS`; "" where it has none.
        otherwise: why there is no value, where the field does not say so itself.
    """

    code: str
    other_code: str
    element: str
    name: str
    unit: str
    field: str
    otherwise: str


@dataclass(frozen=True)
class Answer:
    """
    What the inventory says of a datapoint.

    Args:
        value: in the datapoint's unit; None where there is none, and then ``reason`` says why.
        about: which of several it is, such as a target.
        lines: ids of the inventory lines that it adds up.
        note: what it leaves out.
    """

    point: Point
    value: Decimal | str | None
    unit: str
    reason: str = ""
    about: str = ""
    lines: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class _Found:
    value: Decimal | str | None
    reason: str = ""
    unit: str = ""
    about: str = ""
    lines: tuple[str, ...] = ()
    note: str = ""


@cache
def points(standard: str) -> tuple[Point, ...]:
    """Read the table of a standard."""
    with (HERE / f"{standard}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(Point(**row) for row in csv.DictReader(file))


def answers(inventory: Inventory, standard: str) -> list[Answer]:
    """Answer every datapoint of a standard, in the order of its table."""
    return [answer for point in points(standard) for answer in _answered(inventory, point)]


def _answered(inventory: Inventory, point: Point) -> Iterator[Answer]:
    if not point.field:
        yield Answer(point, None, point.unit, point.otherwise)
        return
    found = list(_read(inventory, point.field))
    for each in found or [_Found(None)]:
        unit = each.unit or point.unit
        if each.value is None:
            yield Answer(
                point, None, unit, each.reason or point.otherwise or f"{point.field} is empty in the inventory"
            )
            continue
        value = each.value
        if isinstance(value, Decimal):
            value = value * FACTORS.get(unit, Decimal(1))
        yield Answer(point, value, unit, "", each.about, tuple(dict.fromkeys(each.lines)), each.note)


def _read(inventory: Inventory, field: str) -> Iterator[_Found]:
    """Read a field: ``block.name``, ``block[filter]`` or ``function(argument)``."""
    for sign, end in (("[", "]"), ("(", ")"), (".", "")):
        block, found, rest = field.partition(sign)
        if found and block.isidentifier():
            yield from READERS[block](inventory, rest.removesuffix(end))
            return
    raise ValueError(f"no such field: {field}")


# --- Fields -----------------------------------------------------------------------------------------------------------


def _totals(inventory: Inventory, name: str) -> Iterator[_Found]:
    totals = inventory["totals"]
    if totals.get(name) is None:
        yield _Found(None)
    elif name in unknown_mix(inventory):
        yield _Found(None, f"the mix of {unknown_mwh(inventory)} MWh of energy is not known")
    else:
        lines = tuple(line["id"] for line in lines_of_total(inventory, name))
        note = ""
        if name in OF_TOTAL and not lines:
            note = "no line of the inventory is of it"
        elif name in ("renewable_mwh", "nuclear_mwh", "fossil_mwh") and Decimal(unknown_mwh(inventory)):
            note = f"leaves out {unknown_mwh(inventory)} MWh whose mix is not known"
        yield _Found(Decimal(totals[name]), lines=lines, note=note)


def lines_of_total(inventory: Inventory, name: str) -> list[dict[str, Any]]:
    """List the lines that a total adds up: of emissions, or of energy."""
    if name == "energy_mwh":
        return list(inventory["energy"])
    if name.endswith("_mwh"):
        return [entry for entry in inventory["energy"] if entry["mix"] == name.removesuffix("_mwh")]
    return [line for line in inventory["emissions"] if any(_fits(line, one) for one in OF_TOTAL.get(name, ()))]


def unknown_mwh(inventory: Inventory) -> str:
    """Add up the energy whose mix is not known. [MWh]"""
    amounts = (Decimal(entry["mwh"]) for entry in inventory["energy"] if entry["mix"] == "unknown")
    return decimal_text(sum(amounts, Decimal(0)))


def _fits(entry: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    """Tell whether an entry has the wanted values; several are parted by "|"."""
    return all(str(entry.get(name, "")).lower() in values.split("|") for name, values in wanted.items())


def _filter(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(";"))


def _emissions(inventory: Inventory, text: str) -> Iterator[_Found]:
    wanted = _filter(text)
    lines = [line for line in inventory["emissions"] if _fits(line, wanted)]
    if lines:
        yield _Found(
            sum((Decimal(line["tco2e"]) for line in lines), Decimal(0)), lines=tuple(line["id"] for line in lines)
        )
        return
    reasons = {str(each["category"]): each["reason"] for each in inventory["boundary"].get("scope3_excluded", [])}
    yield _Found(None, reasons.get(wanted.get("scope3_category", ""), ""))


def _energy(inventory: Inventory, text: str) -> Iterator[_Found]:
    wanted = _filter(text)
    entries = [entry for entry in inventory["energy"] if _fits(entry, wanted)]
    if entries:
        amount = sum((Decimal(entry["mwh"]) for entry in entries), Decimal(0))
        yield _Found(amount, lines=tuple(entry["id"] for entry in entries))
        return
    unknown = Decimal(unknown_mwh(inventory))
    reason = ""
    if "mix" in wanted and unknown:
        reason = f"the mix of {unknown_mwh(inventory)} MWh of energy is not known"
    elif "mix" in wanted:
        reason = "no such energy is in the inventory"
    yield _Found(None, reason)


def _gases(inventory: Inventory, name: str) -> Iterator[_Found]:
    """Add up a gas of scope 1. [t of the gas]"""
    split = [line for line in inventory["emissions"] if line["scope"] == 1 and name in line.get("gases_t", {})]
    if split:
        amount = sum((Decimal(line["gases_t"][name]) for line in split), Decimal(0))
        yield _Found(amount, lines=tuple(line["id"] for line in split))


def _share(inventory: Inventory, text: str) -> Iterator[_Found]:
    """Divide one total by another, in percent."""
    part, whole = (next(_totals(inventory, each.removeprefix("totals."))) for each in text.split("/"))
    if not isinstance(part.value, Decimal) or not isinstance(whole.value, Decimal):
        yield _Found(None, part.reason or whole.reason)
    elif not whole.value:
        yield _Found(None, "the total that it is a share of is 0")
    else:
        yield _Found((100 * part.value / whole.value).quantize(PLACES), lines=part.lines, note=part.note)


def _per_revenue(inventory: Inventory, text: str) -> Iterator[_Found]:
    revenue = inventory.get("revenue")
    if not revenue or not Decimal(revenue["amount"]):
        yield _Found(None, "no net revenue is stated in the inventory")
        return
    total = next(_totals(inventory, text.removeprefix("totals.")))
    if isinstance(total.value, Decimal):
        unit = f"t CO2e/{revenue['currency']}"
        yield _Found((total.value / Decimal(revenue["amount"])).quantize(PLACES), unit=unit, lines=total.lines)


def _revenue(inventory: Inventory, name: str) -> Iterator[_Found]:
    revenue = inventory.get("revenue")
    if not revenue:
        yield _Found(None, "no net revenue is stated in the inventory")
    else:
        yield _Found(Decimal(revenue[name]), unit=revenue["currency"])


def _method(inventory: Inventory, name: str) -> Iterator[_Found]:
    found = inventory["method"].get(name)
    yield _Found(", ".join(found) if isinstance(found, list) else found)


def _boundary(inventory: Inventory, name: str) -> Iterator[_Found]:
    boundary = inventory["boundary"]
    left_out = boundary.get("scope3_excluded", [])
    texts = {
        "consolidation": NAMES.get(boundary["consolidation"], ""),
        "scope3_included": ", ".join(str(each) for each in boundary.get("scope3_included", [])),
        "scope3_excluded": ", ".join(str(each["category"]) for each in left_out),
        "scope3_reasons": "; ".join(f"category {each['category']}: {each['reason']}" for each in left_out),
        "exclusions": "; ".join(f"{each['what']}: {each['reason']}" for each in boundary["exclusions"]),
    }
    yield _Found(texts[name] or None)


def _narratives(inventory: Inventory, name: str) -> Iterator[_Found]:
    text = inventory["narratives"].get(name, {})
    yield _Found(
        text.get("en") or next(iter(text.values()), None), f"the text {name!r} is not written in the inventory"
    )


def _instruments(inventory: Inventory, name: str) -> Iterator[_Found]:
    used = [each for each in inventory["instruments"] if all(each["quality"].values())]
    if name == "types":
        yield _Found(", ".join(sorted({each["type"].replace("_", " ") for each in used})) or None)
    elif used:
        yield _Found(sum((Decimal(each["mwh"]) for each in used), Decimal(0)))


def _factors(inventory: Inventory, _name: str) -> Iterator[_Found]:
    found = {f"{each['source']['title']} ({each['source']['publisher']})" for each in inventory["factors"]}
    yield _Found("; ".join(sorted(found)) or None)


def _intensities(inventory: Inventory, name: str) -> Iterator[_Found]:
    for each in inventory["intensities"]:
        value = Decimal(each[name]) if name == "value" else each[name]
        yield _Found(value, unit=each["unit"] if name == "value" else "", about=each["id"])


def _comparatives(inventory: Inventory, name: str) -> Iterator[_Found]:
    for each in inventory["comparatives"]:
        if name in each["totals"]:
            period = f"{each['period']['start']} to {each['period']['end']}"
            note = f"restated: {each.get('reason', 'no reason given')}" if each["restated"] else ""
            yield _Found(Decimal(each["totals"][name]), about=period, note=note)


def _outside_totals(inventory: Inventory, name: str) -> Iterator[_Found]:
    for each in inventory["outside_totals"][name]:
        yield _Found(Decimal(each["tco2e"]), about=each.get("what") or each.get("project") or each.get("standard", ""))


# --- Targets ----------------------------------------------------------------------------------------------------------

COVERED: Final[dict[str, tuple[frozenset[str], ...]]] = {
    **{name: (frozenset({name}),) for name in ("scope1", "scope2_location", "scope2_market", "scope3")},
    "total": (
        frozenset({"total_location"}),
        frozenset({"total_market"}),
        frozenset({"scope1", "scope2_location", "scope3"}),
        frozenset({"scope1", "scope2_market", "scope3"}),
    ),
}
"""What a target covers to be one of a datapoint."""
WORDS: Final = {True: "yes", False: "no"}


def _targets(inventory: Inventory, name: str) -> Iterator[_Found]:
    for each in inventory["targets"]:
        about = each["name"] if name != "name" else ""
        if name == "percent":
            yield _Found(_percent(each), about=about)
        elif name == "milestones":
            text = ", ".join(f"{one['year']}: {one['value']} {each['unit']}" for one in each.get("milestones", []))
            yield _Found(text or None, about=about)
        elif name == "covers":
            yield _Found(", ".join(each.get("covers", [])) or None, about=about)
        elif name in ("base_value", "target_value"):
            yield _Found(Decimal(each[name]), unit=each["unit"], about=about)
        elif name in ("base_year", "target_year"):
            yield _Found(Decimal(each[name]), about=about)
        else:
            value = each.get(name)
            yield _Found(WORDS.get(value, value) if value is not None else None, about=about)


def _percent(target: Mapping[str, Any]) -> Decimal | None:
    """Tell by how many percent of its base a target cuts; None where the base is 0."""
    base = Decimal(target["base_value"])
    return (100 * (base - Decimal(target["target_value"])) / base).quantize(PLACES) if base else None


def _covering(inventory: Inventory, key: str, kind: str) -> list[dict[str, Any]]:
    return [
        each
        for each in inventory["targets"]
        if each["kind"] == kind and frozenset(each.get("covers", [])) in COVERED[key]
    ]


def _reduction(inventory: Inventory, key: str) -> Iterator[_Found]:
    """Say by how much an absolute target in t CO2e cuts its base."""
    for each in _covering(inventory, key, "absolute"):
        if each["unit"].replace(" ", "") == "tCO2e":
            yield _Found(Decimal(each["base_value"]) - Decimal(each["target_value"]), about=each["name"])


def _reduction_share(inventory: Inventory, key: str) -> Iterator[_Found]:
    for each in _covering(inventory, key, "absolute"):
        yield _Found(_percent(each), about=each["name"])


def _intensity_reduction(inventory: Inventory, key: str) -> Iterator[_Found]:
    for each in _covering(inventory, key, "intensity"):
        cut = Decimal(each["base_value"]) - Decimal(each["target_value"])
        yield _Found(cut, unit=each["unit"], about=each["name"])


READERS: Final[dict[str, Callable[[Inventory, str], Iterator[_Found]]]] = {
    "totals": _totals,
    "emissions": _emissions,
    "energy": _energy,
    "gases": _gases,
    "share": _share,
    "per_revenue": _per_revenue,
    "revenue": _revenue,
    "method": _method,
    "boundary": _boundary,
    "narratives": _narratives,
    "instruments": _instruments,
    "factors": _factors,
    "intensities": _intensities,
    "comparatives": _comparatives,
    "outside_totals": _outside_totals,
    "targets": _targets,
    "reduction": _reduction,
    "reduction_share": _reduction_share,
    "intensity_reduction": _intensity_reduction,
}


# --- Where a figure is in the entity's own report ----------------------------------------------------------------------

NOT_STATED: Final = "not stated"


def of_which(inventory: Inventory, names: list[str]) -> str:
    """
    Name the corporate lines that contain a figure: that of its total where it has one, else those of its lines, each once.

    Args:
        names: ids of the figure's lines, after its own name (``totals.scope1`` and its like).
    """
    if inventory["boundary"]["covers"] != "ai_activities":
        return ""
    pointers = {each["line_id"]: each["corporate_line"] for each in inventory["boundary"].get("of_which", [])}
    if names and names[0].startswith("totals.") and names[0] in pointers:
        return str(pointers[names[0]])
    lines = [name for name in names if not name.startswith("totals.")]
    found = dict.fromkeys(pointers[name] for name in lines if name in pointers)
    if found and not all(name in pointers for name in lines):
        found["the rest is " + NOT_STATED] = None
    return "; ".join(found) or NOT_STATED


def pointer_of(inventory: Inventory, answer: Answer) -> str:
    """Name the corporate lines that contain a datapoint's figure; "" where it has none."""
    if not isinstance(answer.value, Decimal) or not (answer.lines or answer.point.field.startswith("totals.")):
        return ""
    own = [answer.point.field] if answer.point.field.startswith("totals.") else []
    return of_which(inventory, [*own, *answer.lines])
