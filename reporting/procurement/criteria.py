"""Criteria of an evaluation: what is looked at, how much it weighs and what an offer must not miss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reporting.procurement.answers import Answer, ProcurementError
from reporting.procurement.metrics import METRICS

COMPUTED: Final[Mapping[str, str]] = {
    "emissions": "kg CO2e",
    "energy": "kWh",
    "water": "L",
    "cost": "",
}
"""What is derived from the workload at each offer, with its unit; the cost is in the currency of the price sheets."""

CLAIM: Final = "claim:"
RATING: Final = "rating:"
BETTER: Final = ("less", "more")
MOST: Final = 20
LONGEST: Final = 80

PRESETS: Final[Mapping[str, Mapping[str, float]]] = {
    "carbon_first": {"emissions": 70.0, "cost": 20.0, "claim:pue": 10.0},
    "balanced": {"emissions": 40.0, "cost": 40.0, "water": 10.0, "claim:carbon_free_hourly_share": 10.0},
    "tender_60_40": {"cost": 60.0, "emissions": 40.0},
}
"""Weights to begin with, by what they are about."""


@dataclass(frozen=True)
class Criterion:
    """
    One criterion.

    Args:
        subject: one of ``COMPUTED``, ``claim:<metric of the dossier>`` or ``rating:<name>``, points that people give.
        weight: any scale; only its share of all weights counts.
        better: whether less of it is better, or more.
        at_most, at_least: an offer beyond it is knocked out.
        must_be_known: an offer that does not say is knocked out.
        full_at: of ratings: the value that gives all points, such as 10; else the best offer's does.
        boundary: of claims: what the figure must be about, such as ``site``; another one is not comparable.
    """

    subject: str
    weight: float
    better: str = "less"
    at_most: float | None = None
    at_least: float | None = None
    must_be_known: bool = False
    full_at: float | None = None
    boundary: str = ""

    @property
    def name(self) -> str:
        """Name what it is about, without its kind."""
        return self.subject.partition(":")[2] or self.subject

    @property
    def unit(self) -> str:
        """Name the unit of its values."""
        if self.subject in COMPUTED:
            return COMPUTED[self.subject]
        return METRICS[self.name].unit if self.subject.startswith(CLAIM) else ""

    def knocks_out(self, answer: Answer) -> str | None:
        """
        Say why an offer is out by this criterion: ``at_most``, ``at_least`` or ``not_disclosed``; None where it is not.

        A limit that an offer does not say anything about is missed: what was not shown was not met.
        """
        limited = self.at_most is not None or self.at_least is not None
        if not answer.is_known or answer.value is None:
            return "not_disclosed" if self.must_be_known or limited else None
        if self.at_most is not None and answer.value > self.at_most:
            return "at_most"
        if self.at_least is not None and answer.value < self.at_least:
            return "at_least"
        return None

    def may_miss(self, answer: Answer) -> bool:
        """Tell whether an offer keeps the limit by its value, but not in its whole range."""
        if not answer.is_known or self.knocks_out(answer):
            return False
        over = self.at_most is not None and answer.high is not None and answer.high > self.at_most
        under = self.at_least is not None and answer.low is not None and answer.low < self.at_least
        return over or under


FIELDS: Final = (*("subject", "weight", "better", "at_most", "at_least", "must_be_known", "full_at", "boundary"),)


def as_plain(criterion: Criterion) -> dict[str, Any]:
    """Write a criterion as JSON takes it; what it does not say is left out."""
    plain = {name: getattr(criterion, name) for name in FIELDS}
    return {name: value for name, value in plain.items() if value not in (None, "", False)}


def from_plain(given: object) -> tuple[Criterion, ...]:
    """
    Read criteria from plain values, as `as_plain` writes them.

    Raises:
        ProcurementError: naming the first field that cannot be; weights that sum to zero among them.

    >>> from_plain([{"subject": "emissions", "weight": 60}, {"subject": "cost", "weight": 40}])[1].weight
    40.0
    """
    if not isinstance(given, list | tuple) or not given:
        raise ProcurementError("criteria", "An evaluation has at least one criterion: a list of objects.")
    if len(given) > MOST:
        raise ProcurementError("criteria", f"An evaluation has at most {MOST} criteria.")
    criteria = tuple(_criterion(f"criteria.{number}", each) for number, each in enumerate(given, start=1))
    subjects = [each.subject for each in criteria]
    for number, subject in enumerate(subjects, start=1):
        if subject in subjects[: number - 1]:
            raise ProcurementError(f"criteria.{number}.subject", f"{subject} is a criterion already.")
    shares_of(criteria)
    return criteria


def shares_of(criteria: Sequence[Criterion]) -> list[float]:
    """
    Give each criterion its share of all weights. Raises ProcurementError where these sum to zero.

    >>> shares_of([Criterion("emissions", 3.0), Criterion("cost", 1.0)])
    [0.75, 0.25]
    """
    total = math.fsum(each.weight for each in criteria)
    if total <= 0.0:
        raise ProcurementError("criteria", "The weights sum to zero: give at least one criterion a weight above 0.")
    return [each.weight / total for each in criteria]


def _criterion(at: str, given: object) -> Criterion:
    if not isinstance(given, Mapping):
        raise ProcurementError(at, "A criterion is an object.")
    for name in given:
        if name not in FIELDS:
            raise ProcurementError(f"{at}.{name}", f"There is no field {name!r}: use {', '.join(FIELDS)}.")
    subject = _subject(f"{at}.subject", given.get("subject"))
    metric = METRICS.get(subject.removeprefix(CLAIM)) if subject.startswith(CLAIM) else None
    natural = metric.better if metric else "more" if subject.startswith(RATING) else "less"
    better = given.get("better", natural)
    if better not in BETTER:
        raise ProcurementError(f"{at}.better", f"{better!r} is not one of {', '.join(BETTER)}.")
    limits = {
        name: None if given.get(name) is None else _number(f"{at}.{name}", given[name])
        for name in ("at_most", "at_least", "full_at")
    }
    if limits["full_at"] is not None and (limits["full_at"] <= 0.0 or better != "more"):
        raise ProcurementError(f"{at}.full_at", "Full points are for a number above 0 of which more is better.")
    if None not in (limits["at_most"], limits["at_least"]) and limits["at_least"] > limits["at_most"]:  # type: ignore[operator]
        raise ProcurementError(
            f"{at}.at_least", "No value is at least this and at most that: every offer would be out."
        )
    boundary = given.get("boundary", "")
    if not isinstance(boundary, str) or len(boundary) > LONGEST:
        raise ProcurementError(f"{at}.boundary", f"The boundary is text of at most {LONGEST} characters.")
    return Criterion(
        subject=subject,
        weight=_number(f"{at}.weight", given.get("weight")),
        better=better,
        must_be_known=bool(given.get("must_be_known", False)),
        boundary=boundary.strip(),
        **limits,
    )


def _subject(at: str, given: object) -> str:
    if not isinstance(given, str):
        raise ProcurementError(at, "Say what the criterion is about.")
    subject = " ".join(given.replace("\0", "").split())
    if subject in COMPUTED:
        return subject
    if subject.startswith(CLAIM) and subject.removeprefix(CLAIM) in METRICS:
        return subject
    if subject.startswith(RATING) and 0 < len(subject.removeprefix(RATING).strip()) <= LONGEST:
        return subject
    raise ProcurementError(
        at, f"{subject!r} is no criterion: use {', '.join(COMPUTED)}, claim:<metric> or rating:<a name of your own>."
    )


def _number(at: str, given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given) or given < 0.0:
        raise ProcurementError(at, f"{given!r} is no number of 0 or more.")
    return float(given)
