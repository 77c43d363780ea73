"""Evaluations and dossiers in words, in the language of who reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.utils.translation import gettext as _

from reporting import figures
from reporting.procurement.criteria import CLAIM, RATING
from reporting.procurement.metrics import METRICS
from reporting.procurement.workloads import TEMPLATES, TYPICAL

KINDS: Final[Mapping[str, figures.Kind]] = {"emissions": "mass", "energy": "energy", "water": "water"}


def subject_said(subject: str) -> str:
    """Name what a criterion is about."""
    if subject.startswith(CLAIM):
        return _(METRICS[subject.removeprefix(CLAIM)].label)
    if subject.startswith(RATING):
        return subject.removeprefix(RATING)
    return {
        "emissions": _("Emissions"),
        "energy": _("Electricity at the facility"),
        "water": _("Water"),
        "cost": _("Cost"),
    }[subject]


def state_said(state: str) -> dict[str, str]:
    """Write the state of an answer as a badge."""
    return {
        "known": {"text": "", "kind": ""},
        "not_disclosed": {"text": _("not disclosed"), "kind": "assumed"},
        "not_comparable": {"text": _("not comparable"), "kind": "stated"},
        "not_known": {"text": _("not known"), "kind": "assumed"},
    }[state]


def why_said(answer: Mapping[str, Any]) -> str:
    """Say why an answer has no value."""
    detail = answer["detail"]
    said = {
        "no_evidence": _("the dossier holds no evidence of it"),
        "boundary": _("the evidence is of another boundary: {detail}"),
        "currency": _("the price is in {detail}, those of the others are not; nothing is converted"),
        "several_currencies": _("the price sheet is in several currencies"),
        "no_prices": _("there is no price sheet"),
        "no_price": _("the price sheet has no price for: {detail}"),
        "no_points": _("nobody has given points"),
        "part_unknown": _("a part of it has no figure there: {detail}"),
        "no_model": _("the offer names no model that the catalog knows"),
        "no_hardware": _("the offer names no hardware that the catalog knows"),
        "not_derived": _("what the offer says does not lead to a figure"),
        "refused": "{detail}",
    }
    return said.get(answer["why"], "").format(detail=detail)


def ask_said(subject: str, answer: Mapping[str, Any]) -> str:
    """Say what to ask the provider, so that the cell gets a value."""
    if answer["state"] == "known":
        return ""
    if subject.startswith(CLAIM):
        question = _(METRICS[subject.removeprefix(CLAIM)].question)
        if answer["why"] == "boundary":
            return _("Please state it for the same boundary as the others do. {question}").format(question=question)
        return question
    return {
        "currency": _("Please quote in the currency of the other offers."),
        "several_currencies": _("Please quote everything in one currency."),
        "no_prices": _("What do you charge, for which unit, in which currency?"),
        "no_price": _("What do you charge for: {detail}?").format(detail=answer["detail"]),
        "no_points": _("Give points after a trial of your own."),
        "no_model": _("Which model, by its published name and version, would serve the workload?"),
        "no_hardware": _("Which accelerator would run the workload, and how many hours of it would it take?"),
        "refused": _("In which region, by its own code, would it run, or in which grid zone?"),
    }.get(answer["why"], _("Where, on what and with which model would it run?"))


def out_said(why: str, criterion: Mapping[str, Any]) -> str:
    """Say why an offer is out."""
    name = subject_said(criterion["subject"])
    if why == "not_disclosed":
        return _("{name}: required, and not shown").format(name=name)
    limit = value_said(criterion, criterion[why])
    if why == "at_most":
        return _("{name}: above the limit of {limit}").format(name=name, limit=limit)
    return _("{name}: below the limit of {limit}").format(name=name, limit=limit)


def value_said(criterion: Mapping[str, Any], value: float | None) -> str:
    """Write one value of a criterion with its unit."""
    if value is None:
        return figures.UNKNOWN
    subject, unit = criterion["subject"], criterion["unit"]
    if subject in KINDS:
        return figures.quantity(value, KINDS[subject])
    if subject == "cost":
        return figures.money(value, unit or None)
    if unit == "share":
        return figures.percent(value)
    if unit == "text":
        return _("stated")
    text = figures.number(value, figures.plain_scale([value]))
    return f"{text}{figures.THIN}{unit}" if unit not in ("", "ratio") else text


def column_said(criterion: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Write all answers to one criterion, in one unit."""
    subject = criterion["subject"]
    values = [each["value"] for each in answers]
    scale = figures.scale_for(KINDS[subject], values) if subject in KINDS else figures.plain_scale(values)
    rows = []
    for each in answers:
        ranged = each["value"] is not None and each["low"] is not None and each["low"] != each["high"]
        if subject in KINDS:
            text = f"{figures.number(each['value'], scale)}{figures.THIN}{scale.unit}"
        else:
            text = value_said(criterion, each["value"])
        rows.append(
            {
                "text": text if each["state"] == "known" else "",
                "range": figures.interval(each["low"], each["high"], scale) if ranged else "",
                **{f"state_{name}": said for name, said in state_said(each["state"]).items()},
                "why": why_said(each),
                "ask": ask_said(subject, each),
                "source": each["source"],
                "detail": each["detail"] if criterion["unit"] == "text" else "",
            }
        )
    return rows


def finding(document: Mapping[str, Any]) -> str:
    """Say the outcome: what cannot be told apart first."""
    offers, verdict = document["offers"], document["verdict"]
    if verdict == "none_left":
        return _("Every offer misses a limit")
    if verdict == "one_offer":
        if len(offers) == 1:
            return _("One offer: there is nothing to compare it with")
        return _("Only {name} keeps every limit").format(name=offers[0]["name"])
    first = [each for each in offers if each["place"] == 1]
    lead = figures.percent(offers[0]["leads"])
    if verdict == "not_distinguishable":
        names = _(" and ").join([", ".join(each["name"] for each in first[:-1]), first[-1]["name"]])
        return _("Not distinguishable: {names}; {leader} leads in {share} of cases").format(
            names=names, leader=offers[0]["name"], share=lead
        )
    return _("{leader} leads in {share} of cases").format(leader=offers[0]["name"], share=lead)


def emissions_said(document: Mapping[str, Any]) -> str:
    """Say who emits least, if anybody can say so."""
    found = document["emissions"]
    if found["verdict"] == "not_comparable":
        return _("Fewer than two offers have emissions that can be compared.")
    same = [each["name"] for each in found["others"] if not each["distinguishable"]]
    if same:
        return _("By emissions alone {best} is not distinguishable from {names}.").format(
            best=found["best"], names=", ".join(same)
        )
    second = found["others"][0]
    return _("By emissions alone {best} is lowest; {name} has {ratio} times as much ({low} to {high}).").format(
        best=found["best"], name=second["name"], **{name: _digits(second[name]) for name in ("ratio", "low", "high")}
    )


def turns_said(document: Mapping[str, Any]) -> list[str]:
    """Say at which weight of each criterion the second best would lead."""
    more = _("{rival} leads where {criterion} weighs more than {share} of all (now {now}).")
    less = _("{rival} leads where {criterion} weighs less than {share} of all (now {now}).")
    return [
        (more if each["share"] >= each["now"] else less).format(
            rival=each["rival"],
            criterion=subject_said(each["criterion"]),
            share=figures.percent(each["share"]),
            now=figures.percent(each["now"]),
        )
        for each in document["turns"]
    ]


def workload_said(workload: Mapping[str, Any]) -> dict[str, str]:
    """Name a workload, and say what it holds."""
    if workload["kind"] == TYPICAL:
        template = TEMPLATES[workload["template"]]
        name = _("Typical workload: {name}, one year").format(name=_(template.label))
        about = _(template.about) if not workload.get("amounts") else _("with amounts of your own")
        return {"name": name, "about": about}
    filtered = workload.get("filter") or {}
    days = _("{first} to {last}").format(first=filtered.get("from", ""), last=filtered.get("to", ""))
    kept = [
        f"{name} {', '.join(values)}"
        for name, values in sorted(filtered.items())
        if isinstance(values, list | tuple) and name not in ("include", "by", "role")
    ]
    return {"name": _("What was recorded from {days}").format(days=days), "about": "; ".join(kept)}


def amounts_said(amounts: Mapping[str, float]) -> list[tuple[str, str]]:
    """Write the amounts of a workload."""
    names = {
        "requests": _("Requests"),
        "input_tokens": _("Input tokens"),
        "cached_input_tokens": _("of them cached"),
        "output_tokens": _("Output tokens"),
        "device_hours": _("Device hours"),
        "instance_hours": _("Instance hours"),
        "flops": _("Operations"),
        "seat_months": _("Seat-months"),
    }
    order = [name for name in names if name in amounts]
    return [
        (names[name], _digits(amounts[name]) if name == "flops" else figures.count(amounts[name])) for name in order
    ]


def left_out_said(document: Mapping[str, Any]) -> str:
    """Say which parts are left out for all offers since some have no figure of them."""
    names = {"upstream": _("upstream of electricity"), "embodied": _("hardware")}
    parts = [names[each] for each in document.get("left_out", [])]
    if not parts:
        return ""
    return _("Left out for all offers, since some have no figure of it: {parts}.").format(parts=", ".join(parts))


def finding_said(code: str, detail: str) -> str:
    """Say what the claim checker found."""
    said = {
        "consistent": _("nothing speaks against it"),
        "impossible": _("cannot be: possible is {detail}"),
        "doubtful_pue": _("above {detail}: possible, and worth a second look"),
        "no_volume": _("no volume is given: a sentence of 100 % is no instrument"),
        "market_like": _("far below the grid's {detail} g/kWh: is it market-based?"),
        "implausible_intensity": _("implies {detail} g/kWh, which no grid has: wrong unit or multiplier?"),
        "market_like_intensity": _("implies {detail} g/kWh: is it market-based?"),
        "plausible_intensity": _("implies {detail} g/kWh, which a grid can have"),
        "contradicts": _("another document says otherwise; ratio {detail}"),
        "no_document": _("no document"),
        "no_date": _("no date"),
        "no_boundary": _("does not say what it is about"),
        "stale": _("from {detail}"),
        "expired": _("expired on {detail}"),
        "marketing": _("no method is published"),
    }
    return said.get(code, code).format(detail=detail)


def _digits(value: float) -> str:
    return figures.grouped(f"{value:.3g}" if value < 1e15 else f"{value:.3e}")
