"""An evaluation as its page shows it, live or frozen: every value in the reader's words and units."""

from __future__ import annotations

from typing import Any

import pandas as pd
from django.utils import translation
from django.utils.translation import gettext as _

from reporting import figures
from reporting.charts import Chart
from reporting.charts.dots import dots
from reporting.procurement import words


def shown_of(document: dict[str, Any] | None, address: str = "") -> dict[str, Any]:
    """Write everything of an evaluation that its page, live or frozen, shows."""
    if document is None:
        return {"document": None}
    offers, criteria = document["offers"], document["criteria"]
    columns = [words.column_said(each, [offer["answers"][at] for offer in offers]) for at, each in enumerate(criteria)]
    return {
        "document": document,
        "finding": words.finding(document),
        "emissions": words.emissions_said(document),
        "left_out": words.left_out_said(document),
        "turns": words.turns_said(document),
        "amounts": words.amounts_said(document["workload"]["amounts_held"]),
        "chart": emissions_chart(document),
        "csv": f"{address}{'&' if '?' in address else '?'}format=csv" if address else "",
        "ranking": [_ranked(each, criteria) for each in offers],
        "criteria": [
            {
                "label": words.subject_said(each["subject"]),
                "share": figures.percent(each["share"]),
                "limits": _limits(each),
                "cells": [
                    cell | {"score": _points(offer["scores"][at]), "offer": offer["name"]}
                    for offer, cell in zip(offers, columns[at], strict=True)
                ],
            }
            for at, each in enumerate(criteria)
        ],
        "asks": [
            {
                "offer": offer["name"],
                "supplier": offer["supplier"],
                "criterion": words.subject_said(each["subject"]),
                **cell,
            }
            for at, each in enumerate(criteria)
            for offer, cell in zip(offers, columns[at], strict=True)
            if cell["ask"]
        ],
        "draws": figures.count(document["simulation"]["draws"]),
    }


def emissions_chart(document: dict[str, Any]) -> Chart | None:
    """Draw the emissions at each offer with their ranges; those that cannot be told apart are said to be so."""
    at = next((number for number, each in enumerate(document["criteria"]) if each["subject"] == "emissions"), None)
    if at is None or not document["offers"]:
        return None
    against = {each["name"]: each for each in document["emissions"]["others"]}
    best = next(
        (each["answers"][at]["value"] for each in document["offers"] if each["name"] == document["emissions"]["best"]),
        None,
    )
    rows = []
    for number, each in enumerate(document["offers"]):
        answer, ratio = each["answers"][at], against.get(each["name"])
        known = answer["state"] == "known"
        rows.append(
            {
                "key": f"offer-{number}",
                "label": each["name"],
                "value": answer["value"] if known else None,
                "low": answer["low"] if known else None,
                "high": answer["high"] if known else None,
                "unshared_low": best * ratio["low"] if ratio and best else answer["value"],
                "unshared_high": best * ratio["high"] if ratio and best else answer["value"],
                "reason": "" if known else f"{words.state_said(answer['state'])['text']}, {words.why_said(answer)}",
            }
        )
    return dots(
        pd.DataFrame(rows),
        noun=_("offers"),
        name="offers",
        kind="mass",
        logarithmic=False,
        detail=words.workload_said(document["workload"])["name"],
        locale=translation.get_language() or "en",
        translate=_,
    )


def _ranked(offer: dict[str, Any], criteria: list[dict[str, Any]]) -> dict[str, Any]:
    low, high = (None if offer[end] is None else 100.0 * offer[end] for end in ("low", "high"))
    return {
        "name": offer["name"],
        "supplier": offer["supplier"],
        "place": offer["place"],
        "points": _points(offer["total"]),
        "range": figures.interval(low, high, figures.plain_scale([100.0])),
        "leads": figures.percent(offer["leads"]) if offer["place"] else figures.UNKNOWN,
        "leads_share": offer["leads"],
        "rivals": ", ".join(offer["rivals"]),
        "out": [words.out_said(why, criteria[int(number)]) for number, why in offer["out"].items()],
        "may_miss": [words.subject_said(criteria[number]["subject"]) for number in offer["may_miss"]],
        "unanswered": [words.subject_said(criteria[number]["subject"]) for number in offer["unanswered"]],
        "without_evidence": offer["without_evidence"],
        "unchanged": offer["unchanged_kg_co2e"] > 0.0,
    }


def _points(score: float | None) -> str:
    return figures.number(None if score is None else 100.0 * score, figures.plain_scale([100.0]))


def _limits(criterion: dict[str, Any]) -> list[str]:
    found = []
    if "at_most" in criterion:
        found.append(_("at most {limit}").format(limit=words.value_said(criterion, criterion["at_most"])))
    if "at_least" in criterion:
        found.append(_("at least {limit}").format(limit=words.value_said(criterion, criterion["at_least"])))
    return [*found, _("must be shown")] if criterion.get("must_be_known") else found
