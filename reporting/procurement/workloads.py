"""
What offers are asked to carry: what was recorded in a period, or a typical workload that is made up.

A typical workload is a synthetic activity in canonical columns, the sum of a year. Its amounts are round on purpose: they
stand for a size that people recognise, not for a measurement, and can be replaced by one's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reporting.procurement.answers import ProcurementError

OWN: Final = "own"
TYPICAL: Final = "typical"
LONGEST_QUERY: Final = 2_000
MOST_REQUESTS: Final = 1e12
MOST_TOKENS: Final = 10_000_000.0
MOST_FLOPS: Final = 1e28


@dataclass(frozen=True)
class Template:
    """
    A typical workload.

    Args:
        label, about: in words; messages of the catalogue.
        stage, tier: as in the activity table.
        requests: in a year.
        input_tokens, cached_input_tokens, output_tokens: of one request; cached is a part of input.
        flops: in a year, where it is no requests.
        needs: what an offer has to name, ``model`` or ``hardware``.
    """

    label: str
    about: str
    stage: str
    tier: str = "interactive"
    requests: float = 0.0
    input_tokens: float = 0.0
    cached_input_tokens: float = 0.0
    output_tokens: float = 0.0
    flops: float = 0.0
    needs: str = "model"


TEMPLATES: Final[Mapping[str, Template]] = {
    "chat": Template(
        "Chat assistant",
        "500 people with eight questions on each of 250 working days; half a page asked, a page answered.",
        "inference",
        requests=1_000_000,
        input_tokens=600,
        output_tokens=400,
    ),
    "rag": Template(
        "Answers from documents (RAG)",
        "2,000 questions a day to a document search; ten passages of 400 tokens are read, a quarter of it from the cache.",
        "inference",
        requests=730_000,
        input_tokens=4_400,
        cached_input_tokens=1_100,
        output_tokens=300,
    ),
    "coding": Template(
        "Coding assistant",
        "50 developers with 200 calls on each of 220 working days; long context, most of it from the cache.",
        "inference",
        requests=2_200_000,
        input_tokens=12_000,
        cached_input_tokens=9_000,
        output_tokens=350,
    ),
    "fine_tune": Template(
        "Fine-tuning of a model of 8 billion parameters",
        "Four runs of three epochs over 500 million tokens: 6 x 8e9 parameters x 6e9 tokens = 2.88e20 operations.",
        "fine_tuning",
        "batch",
        flops=2.88e20,
        needs="hardware",
    ),
    "batch": Template(
        "Nightly classification",
        "20,000 documents a night of two pages each, a short answer, done by the morning.",
        "inference",
        "batch",
        requests=7_300_000,
        input_tokens=1_500,
        output_tokens=40,
    ),
}
"""Name to typical workload; each is the sum of a year."""

AMOUNTS: Final = {
    "requests": MOST_REQUESTS,
    "input_tokens": MOST_TOKENS,
    "cached_input_tokens": MOST_TOKENS,
    "output_tokens": MOST_TOKENS,
    "flops": MOST_FLOPS,
}
"""What can be replaced in a typical workload, and the most that it may be; tokens are those of one request."""


@dataclass(frozen=True)
class Workload:
    """
    What offers are compared on.

    Args:
        kind: ``own`` or ``typical``.
        query: of an own one: period and filters as in addresses.
        template, year: of a typical one.
        amounts: own numbers in place of the template's.
        basis: of the electricity in the total, ``location`` or ``market``.
    """

    kind: str
    query: str = ""
    template: str = ""
    year: int = 0
    amounts: Mapping[str, float] = field(default_factory=dict)
    basis: str = "location"

    @property
    def size(self) -> dict[str, float]:
        """Give the amounts of a typical workload: requests or operations of a year, tokens of one request."""
        template = TEMPLATES[self.template]
        return {name: float(self.amounts.get(name, getattr(template, name))) for name in AMOUNTS}

    @property
    def activity(self) -> dict[str, Any]:
        """
        Lay a typical workload out in canonical columns, as the sum of its year; absent is absent.

        >>> Workload("typical", template="chat", year=2026).activity["output_tokens"]
        400000000.0
        """
        template, size = TEMPLATES[self.template], self.size
        amounts = {
            "requests": size["requests"],
            **{
                name: size["requests"] * size[name] for name in ("input_tokens", "cached_input_tokens", "output_tokens")
            },
            "flops": size["flops"],
        }
        return {"stage": template.stage, "tier": template.tier} | {
            name: each for name, each in amounts.items() if each > 0.0
        }


def as_plain(workload: Workload) -> dict[str, Any]:
    """Write a workload as JSON takes it."""
    if workload.kind == OWN:
        return {"kind": OWN, "query": workload.query, "basis": workload.basis}
    plain = {"kind": TYPICAL, "template": workload.template, "year": workload.year, "basis": workload.basis}
    return plain | ({"amounts": dict(sorted(workload.amounts.items()))} if workload.amounts else {})


def from_plain(given: object) -> Workload:
    """
    Read a workload from plain values, as `as_plain` writes them.

    Raises:
        ProcurementError: naming the field that cannot be.
    """
    if not isinstance(given, Mapping):
        raise ProcurementError("workload", "The workload is an object with its kind: own or typical.")
    basis = given.get("basis", "location")
    if basis not in ("location", "market"):
        raise ProcurementError("workload.basis", "The basis is location or market.")
    if given.get("kind") == OWN:
        query = given.get("query", "")
        if not isinstance(query, str) or len(query) > LONGEST_QUERY or "\0" in query:
            raise ProcurementError("workload.query", f"The filters are text of at most {LONGEST_QUERY} characters.")
        return Workload(OWN, query=query.strip().lstrip("?"), basis=basis)
    if given.get("kind") != TYPICAL:
        raise ProcurementError("workload.kind", "A workload is own (a period of your records) or typical.")
    template, year = str(given.get("template") or ""), given.get("year")
    if template not in TEMPLATES:
        raise ProcurementError("workload.template", f"A typical workload is one of {', '.join(TEMPLATES)}.")
    if isinstance(year, bool) or not isinstance(year, int) or not 2015 <= year <= 2100:
        raise ProcurementError("workload.year", "The year is a number from 2015 on.")
    amounts = given.get("amounts", {})
    if not isinstance(amounts, Mapping):
        raise ProcurementError("workload.amounts", "Amounts are an object of names and numbers.")
    for name, value in amounts.items():
        _check_amount(str(name), value)
    found = Workload(TYPICAL, "", template, year, {str(name): float(each) for name, each in amounts.items()}, basis)
    if found.size["cached_input_tokens"] > found.size["input_tokens"]:
        raise ProcurementError("workload.amounts.cached_input_tokens", "Cached tokens are a part of the input tokens.")
    if not any(name in found.activity for name in ("requests", "flops")):
        raise ProcurementError("workload.amounts", "The workload holds nothing: give it requests.")
    return found


def _check_amount(name: str, value: object) -> None:
    most = AMOUNTS.get(name)
    if most is None:
        raise ProcurementError(f"workload.amounts.{name}", f"{name!r} is not one of {', '.join(AMOUNTS)}.")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ProcurementError(f"workload.amounts.{name}", f"{value!r} is no number.")
    if not 0.0 <= value <= most:
        raise ProcurementError(f"workload.amounts.{name}", f"This is between 0 and {most:g}.")
