"""
The dossier of a provider: claims with the document that bears each out, and which of them a criterion takes.

Claims come from what providers publish (rows of the factor set), from people, and from questionnaires; none is filled in.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from core.quantification.entries import API_PROVIDERS, cloud_of
from core.quantification.pack import FILE, FactorPack, Row
from reporting.procurement.answers import NOT_COMPARABLE, NOT_DISCLOSED, Answer
from reporting.procurement.criteria import CLAIM, Criterion
from reporting.procurement.metrics import BY_ALIAS, GRADES, METRICS

SUPPLIERS: Final[Mapping[str, str]] = {
    "aws": "Amazon Web Services",
    "azure": "Microsoft",
    "gcp": "Google",
    "meta": "Meta",
    "mistral": "Mistral AI",
    "oci": "Oracle",
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "cohere": "Cohere",
    "ovh": "OVHcloud",
}
"""Suppliers that people look for, by slug."""

PUBLISHERS: Final[Mapping[str, str]] = {
    "Amazon": "aws",
    "Amazon Web Services": "aws",
    "Google": "gcp",
    "Meta": "meta",
    "Microsoft": "azure",
    "Mistral AI": "mistral",
    "OpenAI": "openai",
    "Oracle Cloud Infrastructure": "oci",
}
"""Names in published tables to suppliers."""

VENDORS: Final = {"google_genai": "gcp", "mistralai": "mistral", "huggingface_hub": "huggingface"}

REGION_METRICS: Final[Mapping[str, str]] = {
    "pue": "pue",
    "wue": "wue",
    "cfe_hourly": "carbon_free_hourly_share",
    "market_based_intensity": "market_g_co2e_per_kwh",
}
"""Metric of regional tables to metric; a yearly carbon-free share is no renewable one, so it has none."""

FLEET: Final = "fleet"
REGION: Final = "region"


@dataclass(frozen=True)
class Finding:
    """What the claim checker has to say: a code, its detail and whether it is a fault, a doubt or fine."""

    code: str
    detail: str = ""
    kind: str = "doubt"


@dataclass(frozen=True)
class Evidence:
    """
    One claim.

    Args:
        id: ``own:<number>``, or the file and key of a published row.
        provider: supplier's slug.
        value: in the metric's unit; None for statements.
        boundary: what it is about; its first word is its kind, such as ``fleet`` or ``region``.
        dated: year, or day, of the document; "" where none is known.
        expires_on: last day on which it holds.
        grade: of ``GRADES``.
        findings: of the claim checker.
    """

    id: str
    provider: str
    metric: str
    value: float | None
    text: str = ""
    boundary: str = ""
    document: str = ""
    url: str = ""
    dated: str = ""
    expires_on: date | None = None
    grade: str = "stated"
    note: str = ""
    state: str = "accepted"
    findings: tuple[Finding, ...] = ()

    @property
    def about(self) -> str:
        """Name the kind of boundary, by which claims are comparable."""
        return self.boundary.split(" ")[0].casefold() if self.boundary else ""

    @property
    def is_faulty(self) -> bool:
        """Tell whether the claim checker found that it cannot be."""
        return any(each.kind == "fault" for each in self.findings)

    def holds(self, day: date) -> bool:
        """Tell whether it is in force on a day, in the dossier and possible."""
        in_force = self.expires_on is None or self.expires_on >= day
        return self.state == "accepted" and in_force and not self.is_faulty


def supplier_of(name: str) -> str:
    """
    Name the supplier behind a provider's slug.

    >>> supplier_of("google"), supplier_of("amazon-bedrock"), supplier_of("Our Host, Bonn"), supplier_of("mistral_ai")
    ('gcp', 'aws', 'our-host-bonn', 'mistral')
    """
    slug = re.sub(r"[^a-z0-9_.]+", "-", name.strip().casefold()).strip("-.")
    vendor = API_PROVIDERS.get(slug, slug)
    return cloud_of(slug) or VENDORS.get(vendor, vendor.replace(".", "-"))


def published(pack: FactorPack) -> list[Evidence]:
    """List what providers publish: of their fleets, their models and their regions; the newest of each boundary."""
    found: dict[tuple[str, str, str], Evidence] = {}
    for each in (*_disclosures(pack), *_regions(pack)):
        key = (each.provider, each.metric, each.boundary)
        if key not in found or found[key].dated < each.dated:
            found[key] = each
    return sorted(found.values(), key=lambda each: (each.provider, each.metric, each.boundary))


def _disclosures(pack: FactorPack) -> list[Evidence]:
    rows = []
    for row in pack.rows("provider_disclosures"):
        name, _, place = row["metric"].partition(":")
        alias = {"pue_region": "pue_fleet", "wue_region": "wue_fleet"}.get(name, name)
        metric, provider = BY_ALIAS.get(alias), PUBLISHERS.get(row["provider"])
        if metric and provider and "withdraw" not in row["note"]:
            rows.append(_published(row, provider, metric, f"{REGION} {place}" if place else _boundary(name)))
    return rows


def _boundary(name: str) -> str:
    if "per_prompt" in name:
        return "prompt, market-based" if "market" in name else "prompt"
    return "400-token answer" if "400_token" in name else FLEET


def _published(row: Row, provider: str, metric: str, boundary: str) -> Evidence:
    note = row["note"]
    grade = "marketing" if "no method" in note else "assured" if "peer reviewed" in note else "published"
    return Evidence(
        id=f"{row[FILE]}:{row['metric']}:{row['reporting_year']}",
        provider=provider,
        metric=metric,
        value=float(row["value"]),
        boundary=boundary,
        document=row["source"],
        url=row.get("source_url", ""),
        dated=row["reporting_year"],
        grade=grade,
        note=note,
    )


def _regions(pack: FactorPack) -> list[Evidence]:
    return [
        Evidence(
            id=f"{row[FILE]}:{row['region_code']}:{row['metric']}:{row['year']}",
            provider=supplier_of(row["provider"]),
            metric=REGION_METRICS[row["metric"]],
            value=float(row["value"]),
            boundary=f"{REGION} {row['region_code']}",
            document=row["source"],
            dated=row["year"],
            grade="published",
            note=row["note"],
        )
        for row in pack.rows("cloud_region_metrics")
        if row["metric"] in REGION_METRICS
    ]


# --- what a criterion takes -------------------------------------------------------------------------------------------


def answers_of(
    criterion: Criterion, places: Sequence[tuple[str, str]], evidence: Sequence[Evidence], day: date
) -> list[Answer]:
    """
    Answer a criterion from the dossiers of several offers, with claims of one boundary.

    The boundary is the criterion's own, else the one that most offers have evidence of, a region before a fleet. An offer
    whose evidence is all of another boundary is not comparable.

    Args:
        places: of each offer its supplier and region.
        day: on which evidence has to be in force.
    """
    metric = criterion.subject.removeprefix(CLAIM)
    own = [_by_boundary(metric, *place, evidence, day) for place in places]
    wanted = criterion.boundary.split(" ")[0].casefold() or _shared(own)
    found = []
    for each in own:
        if not each:
            found.append(Answer(state=NOT_DISCLOSED, why="no_evidence"))
        elif wanted not in each:
            found.append(Answer(state=NOT_COMPARABLE, why="boundary", detail=", ".join(sorted(each))))
        else:
            found.append(_answer(each[wanted]))
    return found


def _by_boundary(
    metric: str, supplier: str, region: str, evidence: Sequence[Evidence], day: date
) -> dict[str, Evidence]:
    """Give the best evidence of each kind of boundary; of regions only that of the offer's own."""
    found: dict[str, Evidence] = {}
    for each in evidence:
        elsewhere = each.about == REGION and each.boundary.removeprefix(REGION).strip().casefold() != region.casefold()
        if each.provider != supplier or each.metric != metric or not each.holds(day) or elsewhere:
            continue
        if each.about not in found or _rank(each) < _rank(found[each.about]):
            found[each.about] = each
    return found


def _rank(each: Evidence) -> tuple[int, list[int]]:
    """Put the better grade first, then the newer document."""
    grades = list(GRADES)
    return grades.index(each.grade) if each.grade in grades else len(grades), [-ord(sign) for sign in each.dated]


def _shared(own: Sequence[Mapping[str, Evidence]]) -> str:
    """Choose the boundary that most offers have; where every offer has another one, none is comparable."""
    counted = Counter(name for each in own for name in each)
    if not counted:
        return ""
    name, number = max(counted.items(), key=lambda each: (each[1], each[0] == REGION, each[0]))
    return name if number > 1 or sum(bool(each) for each in own) == 1 else "\0"


def _answer(each: Evidence) -> Answer:
    source = ", ".join(part for part in (each.document, each.dated) if part)
    if METRICS[each.metric].is_text:
        return Answer(value=1.0, detail=each.text, source=source)
    return Answer(value=each.value, detail=each.id, source=source)


def with_findings(evidence: Sequence[Evidence], found: Mapping[str, tuple[Finding, ...]]) -> list[Evidence]:
    """Put what the claim checker found beside each claim."""
    return [replace(each, findings=found.get(each.id, ())) for each in evidence]
