"""Dossiers, evaluations and what they come to, inside or opening the organization's scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from core.accounting.figures import Filter
from core.accounting.selectors.candidates import Candidates, made_up_at, recorded_at
from core.accounting.selectors.views import current_view
from core.factors.selectors import NoFactorSet, pack_of, shipped_factor_set
from core.organizations.tenancy import organization_scope
from core.quantification.scenario import Rewrite
from reporting.models import Evaluation, FrozenEvaluation, ProviderEvidence
from reporting.procurement import criteria, workloads
from reporting.procurement.checking import findings_of
from reporting.procurement.document import Asked, document_of, not_of_all
from reporting.procurement.dossier import SUPPLIERS, Evidence, published, supplier_of, with_findings
from reporting.procurement.offers import Offer
from reporting.procurement.offers import from_plain as offer_from_plain
from reporting.procurement.workloads import OWN, TEMPLATES, Workload


@dataclass(frozen=True)
class DossierLine:
    """One supplier of the list: how much its dossier holds."""

    supplier: str
    name: str
    published: int
    own: int
    proposed: int
    faults: int

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing bears out anything that the supplier says."""
        return self.published + self.own == 0


def evaluations(organization_id: int) -> list[Evaluation]:
    """List evaluations by name, with their offers."""
    rows = Evaluation.objects.filter(organization_id=organization_id).prefetch_related("offers")
    return sorted(rows, key=lambda one: (one.name.casefold(), one.id))


def evaluation_of(organization_id: int, evaluation_id: int) -> Evaluation | None:
    """Find an evaluation with its offers."""
    rows = Evaluation.objects.filter(organization_id=organization_id, id=evaluation_id).prefetch_related("offers")
    return rows.first()


def frozen_of(organization_id: int, evaluation_id: int | None = None) -> list[FrozenEvaluation]:
    """List frozen evaluations, the newest first; of one evaluation, or all."""
    rows = FrozenEvaluation.objects.filter(organization_id=organization_id)
    if evaluation_id is not None:
        rows = rows.filter(of_evaluation=evaluation_id)
    return list(rows.defer("content").order_by("-frozen_at", "-id"))


def frozen(organization_id: int, frozen_id: int) -> FrozenEvaluation | None:
    """Find a frozen evaluation."""
    return FrozenEvaluation.objects.filter(organization_id=organization_id, id=frozen_id).first()


def asked_of(evaluation: Evaluation) -> Asked:
    """Read a stored evaluation as what is evaluated, offers in the order in which they came."""
    return Asked(
        name=evaluation.name,
        note=evaluation.note,
        workload=workloads.from_plain(evaluation.workload),
        criteria=criteria.from_plain(evaluation.criteria),
        offers=tuple(
            offer_from_plain(each.terms) for each in sorted(evaluation.offers.all(), key=lambda each: each.id)
        ),
    )


def assessed(organization_id: int, asked: Asked, filtered: Filter, day: date) -> dict[str, Any]:
    """
    Derive the workload at each offer and evaluate them, as `document_of` writes it.

    A part that some offers have a figure of and others have not, such as the upstream of a grid, is left out for all of them:
    the document names it under ``left_out``.

    Args:
        filtered: of an own workload; of a typical one only basis and parts are looked at.

    Raises:
        FilterError: nothing was recorded that fits.
        ProcurementError: no offer, or weights that sum to zero.
    """
    filtered = replace(
        filtered, basis=asked.workload.basis, by=(), grain="total", booking="life-cycle", role=("counted",)
    )
    found = _candidates(organization_id, asked, filtered)
    left_out = not_of_all(found, filtered.include)
    if left_out:
        filtered = replace(filtered, include=tuple(each for each in filtered.include if each not in left_out))
        found = _candidates(organization_id, asked, filtered)
    with organization_scope(organization_id):
        evidence = dossiers(organization_id, day)
    return {**document_of(asked, found, evidence, filtered.as_dict(), day), "left_out": left_out}


def _candidates(organization_id: int, asked: Asked, filtered: Filter) -> Candidates:
    if asked.workload.kind == OWN:
        return recorded_at(organization_id, filtered, [each.rewrite for each in asked.offers])
    return made_up_at(
        organization_id,
        asked.workload.activity,
        asked.workload.year,
        [_placed(each, asked.workload) for each in asked.offers],
        filtered,
    )


def _placed(offer: Offer, workload: Workload) -> Rewrite:
    """Say who runs the hardware of a made-up workload where the offer does not: a service for models, else a cloud."""
    rule = offer.rewrite or Rewrite()
    usual = "api" if TEMPLATES[workload.template].needs == "model" else "cloud"
    return replace(rule, sets={"hosting": usual, **rule.sets})


# --- dossiers ---------------------------------------------------------------------------------------------------------


def dossiers(organization_id: int, day: date, *, states: Sequence[str] = ("accepted",)) -> list[Evidence]:
    """Read all evidence, published and own, each checked; inside the organization's scope."""
    view = current_view(organization_id)
    try:
        factor_set = view.factor_set if view else shipped_factor_set()
    except NoFactorSet:
        rows = []
    else:
        rows = published(pack_of(factor_set.content_hash))
    own = ProviderEvidence.objects.filter(organization_id=organization_id, state__in=states).order_by("id")
    found = [*rows, *(evidence_of(each) for each in own)]
    return with_findings(found, findings_of(found, day))


def evidence_of(row: ProviderEvidence) -> Evidence:
    """Read a stored claim."""
    return Evidence(
        id=f"own:{row.id}",
        provider=row.provider,
        metric=row.metric,
        value=row.value,
        text=row.text,
        boundary=row.boundary,
        document=row.document,
        url=row.url,
        dated=row.document_date.isoformat() if row.document_date else "",
        expires_on=row.expires_on,
        grade=row.grade,
        note=row.note,
        state=row.state,
    )


def suppliers(organization_id: int, day: date) -> list[DossierLine]:
    """List suppliers that are known, evaluated or named, with what their dossiers hold."""
    evidence = dossiers(organization_id, day, states=("accepted", "proposed"))
    names = dict(SUPPLIERS)
    for offer in _offered(organization_id):
        names.setdefault(offer, offer)
    for each in evidence:
        names.setdefault(each.provider, each.provider)
    found = []
    for supplier, name in names.items():
        rows = [each for each in evidence if each.provider == supplier]
        accepted = [each for each in rows if each.state == "accepted"]
        own = [each for each in accepted if each.id.startswith("own:")]
        found.append(
            DossierLine(
                supplier,
                name,
                len(accepted) - len(own),
                len(own),
                len(rows) - len(accepted),
                sum(each.is_faulty for each in accepted),
            )
        )
    return sorted(found, key=lambda each: (each.is_empty, each.name.casefold()))


def _offered(organization_id: int) -> list[str]:
    offers = [offer_from_plain(offer.terms) for each in evaluations(organization_id) for offer in each.offers.all()]
    named = [supplier_of(each.supplier or each.sets.get("provider", "")) for each in offers]
    return [each for each in dict.fromkeys(named) if each]
