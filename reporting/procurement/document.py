"""
An evaluation as one plain document: what was asked, what each offer answers, the order and how sure it is.

Pages, API, files and frozen copies all read it, so that a frozen evaluation shows tomorrow what the page showed today.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np

from core.accounting.aggregate import PARTS, TOTAL
from core.accounting.selectors.candidates import Candidate, Candidates
from core.quantification.comparison import Comparison, Option, compare
from reporting.procurement import criteria as criteria_module
from reporting.procurement import offers as offers_module
from reporting.procurement import workloads
from reporting.procurement.answers import NOT_COMPARABLE, NOT_KNOWN, Answer
from reporting.procurement.criteria import CLAIM, RATING, Criterion
from reporting.procurement.dossier import Evidence, answers_of, supplier_of
from reporting.procurement.offers import Offer
from reporting.procurement.prices import comparable, cost_of
from reporting.procurement.scoring import Result, evaluate
from reporting.procurement.workloads import TYPICAL, Workload

FORMAT: Final = 1
FIGURE_OF: Final = {"emissions": TOTAL, "energy": "energy_facility_kwh", "water": "water_l"}
PLACED_BY: Final = {"unknown_model": "no_model", "unknown_hardware": "no_hardware"}
"""Note of a plan to what the offer should have said."""


@dataclass(frozen=True)
class Asked:
    """What is evaluated, under its name."""

    name: str
    note: str
    workload: Workload
    criteria: tuple[Criterion, ...]
    offers: tuple[Offer, ...]


def document_of(
    asked: Asked, found: Candidates, evidence: Sequence[Evidence], filtered: Mapping[str, object], day: date
) -> dict[str, Any]:
    """
    Evaluate offers and write down everything that is shown of it, in plain values that JSON takes.

    Args:
        found: the workload at each offer, in their order.
        evidence: of the dossiers, checked.
        filtered: the filter of an own workload, as resolved.
        day: on which evidence has to be in force.

    Raises:
        ProcurementError: no offer, or weights that sum to zero.
    """
    grid, currency = _grid(asked, found, evidence, day)
    result = evaluate(asked.criteria, grid)
    against = _emissions(asked, found)
    return {
        "format": FORMAT,
        "name": asked.name,
        "note": asked.note,
        "workload": {
            **workloads.as_plain(asked.workload),
            "filter": dict(filtered) if asked.workload.kind != TYPICAL else {},
            "amounts_held": dict(sorted(found.amounts.items())),
        },
        "as_of": found.as_of.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "evidence_as_of": day.isoformat(),
        "view_id": found.view_id,
        "factor_set": found.factor_set,
        "methodology": found.methodology,
        "currency": currency,
        "criteria": [
            {
                **criteria_module.as_plain(each),
                "share": share,
                "unit": each.unit or (currency if each.subject == "cost" else ""),
            }
            for each, share in zip(asked.criteria, result.shares, strict=True)
        ],
        "verdict": result.verdict,
        "offers": _offers(asked, found, grid, result, evidence),
        "emissions": against,
        "turns": [
            {
                "criterion": asked.criteria[each.criterion].subject,
                "share": each.share,
                "now": each.now,
                "rival": each.rival,
            }
            for each in result.turns
        ],
        "simulation": {"draws": result.draws, "seed": result.seed, "weight_spread": 0.2},
    }


def canonical(document: Mapping[str, Any]) -> str:
    """Write a document so that equal ones are equal text."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def sha256_of(content: str) -> str:
    """Hash the text of a document."""
    return hashlib.sha256(content.encode()).hexdigest()


def _grid(
    asked: Asked, found: Candidates, evidence: Sequence[Evidence], day: date
) -> tuple[dict[str, list[Answer]], str]:
    """Answer every criterion for every offer, and name the currency of the costs."""
    costs = [_cost(offer, found) for offer in asked.offers]
    same, currency = comparable(costs)
    common = _common(found)
    columns: list[list[Answer]] = []
    for criterion in asked.criteria:
        if criterion.subject == "cost":
            columns.append(same)
        elif criterion.subject.startswith(CLAIM):
            places = [(_supplier(each), each.sets.get("region", "")) for each in asked.offers]
            columns.append(answers_of(criterion, places, evidence, day))
        elif criterion.subject.startswith(RATING):
            columns.append([_rating(criterion, each) for each in asked.offers])
        else:
            columns.append(
                [
                    _figure(criterion.subject, offer, candidate, asked.workload, common)
                    for offer, candidate in zip(asked.offers, found.candidates, strict=True)
                ]
            )
    return {offer.name: [column[at] for column in columns] for at, offer in enumerate(asked.offers)}, currency


def _supplier(offer: Offer) -> str:
    return supplier_of(offer.supplier or offer.sets.get("provider", ""))


def _cost(offer: Offer, found: Candidates) -> tuple[Answer, str]:
    """Price the workload; what stays as it was recorded costs what it did."""
    if not offer.prices and offer.rewrite is None and len(found.money) == 1:
        ((currency, amount),) = found.money.items()
        return Answer(value=amount), currency
    return cost_of(found.amounts, offer.prices)


def _rating(criterion: Criterion, offer: Offer) -> Answer:
    points = offer.ratings.get(criterion.name)
    return Answer(state=NOT_KNOWN, why="no_points") if points is None else Answer("known", *points)


def not_of_all(found: Candidates, include: Sequence[str]) -> list[str]:
    """Name the parts of a total that only some offers have whole, so that totals with them are not alike."""
    gaps = {name for each in found.candidates for name in each.gaps} - _common(found)
    return [part for part in include if PARTS[part].name in gaps]


def _common(found: Candidates) -> frozenset[str]:
    """Name the parts that no offer has whole: without them all of them are alike."""
    gaps = [frozenset(each.gaps) for each in found.candidates if each.figures and each.figures.get(TOTAL) is not None]
    return frozenset.intersection(*gaps) if gaps else frozenset()


def _figure(subject: str, offer: Offer, candidate: Candidate, workload: Workload, common: frozenset[str]) -> Answer:
    if candidate.refusal is not None:
        return Answer(state=NOT_KNOWN, why="refused", detail=str(candidate.refusal))
    name = FIGURE_OF[subject]
    if own := [part for part in candidate.gaps if part not in common]:
        return Answer(state=NOT_COMPARABLE, why="part_unknown", detail=", ".join(own))
    value = candidate.figures.get(name)
    if value is None:
        why = next((PLACED_BY[note] for note in candidate.notes if note in PLACED_BY), "not_derived")
        if workload.kind == TYPICAL and (needs := workloads.TEMPLATES[workload.template].needs) not in offer.sets:
            why = f"no_{needs}"
        return Answer(state=NOT_KNOWN, why=why, detail=", ".join(candidate.notes))
    draws = candidate.draws if subject == "emissions" and len(candidate.draws) else None
    return Answer("known", value, candidate.figures.get(f"{name}_low"), candidate.figures.get(f"{name}_high"), draws)


def _emissions(asked: Asked, found: Candidates) -> dict[str, Any]:
    """Compare the emissions alone, once the errors that offers share are taken out."""
    common = _common(found)
    options = [
        Option(offer.name, float(candidate.figures[TOTAL] or 0.0), candidate.draws)
        for offer, candidate in zip(asked.offers, found.candidates, strict=True)
        if len(candidate.draws) and candidate.figures.get(TOTAL) and set(candidate.gaps) <= common
    ]
    comparison: Comparison | None = compare(options)
    if comparison is None:
        return {"verdict": "not_comparable", "best": "", "others": []}
    return {
        "verdict": "leader" if comparison.distinguishable else "not_distinguishable",
        "best": comparison.best,
        "others": [
            {
                "name": each.name,
                "ratio": each.ratio,
                "low": each.low,
                "high": each.high,
                "distinguishable": each.distinguishable,
            }
            for each in comparison.others
        ],
    }


def _offers(
    asked: Asked, found: Candidates, grid: Mapping[str, Sequence[Answer]], result: Result, evidence: Sequence[Evidence]
) -> list[dict[str, Any]]:
    """Write the offers, best first."""
    at = {offer.name: number for number, offer in enumerate(asked.offers)}
    rows = []
    for scored in result.offers:
        offer, candidate = asked.offers[at[scored.name]], found.candidates[at[scored.name]]
        supplier = _supplier(offer)
        taken = {each.detail for each in grid[scored.name] if each.is_known}
        rows.append(
            {
                "name": offer.name,
                "supplier": supplier,
                "terms": offers_module.as_plain(offer),
                "place": scored.place,
                "total": scored.total,
                "low": scored.low,
                "high": scored.high,
                "leads": scored.leads,
                "rivals": list(scored.rivals),
                "scores": list(scored.scores),
                "answers": [_plain_answer(each) for each in grid[scored.name]],
                "out": {str(number): why for number, why in scored.out.items()},
                "may_miss": list(scored.may_miss),
                "unanswered": list(scored.unanswered),
                "figures": {
                    name: None if value is None else float(value) for name, value in sorted(candidate.figures.items())
                },
                "unchanged_kg_co2e": candidate.unchanged_kg,
                "gaps": list(candidate.gaps),
                "notes": list(candidate.notes),
                "factors": [_plain_factor(each) for each in candidate.factors],
                "evidence": [_plain_evidence(each) for each in evidence if each.id in taken],
                "without_evidence": not any(
                    each.provider == supplier and each.state == "accepted" for each in evidence
                ),
            }
        )
    return rows


def _plain_answer(answer: Answer) -> dict[str, Any]:
    plain = {name: getattr(answer, name) for name in ("state", "value", "low", "high", "why", "detail", "source")}
    return {name: float(each) if isinstance(each, np.floating) else each for name, each in plain.items()}


def _plain_factor(factor: Mapping[str, object]) -> dict[str, object]:
    return {name: factor.get(name) for name in ("name", "id", "value", "unit", "source", "valid_from", "match")}


def _plain_evidence(each: Evidence) -> dict[str, Any]:
    return {
        "id": each.id,
        "metric": each.metric,
        "value": each.value,
        "text": each.text,
        "boundary": each.boundary,
        "document": each.document,
        "url": each.url,
        "dated": each.dated,
        "expires_on": each.expires_on.isoformat() if each.expires_on else None,
        "grade": each.grade,
        "findings": [{"code": one.code, "detail": one.detail, "kind": one.kind} for one in each.findings],
    }
