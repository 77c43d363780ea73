"""Keep evaluations and offers, freeze them, and keep the dossiers of providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from django.db import IntegrityError, transaction

from core.accounting.selectors.candidates import refuse_unknown_offer
from core.organizations.identity import current_actor
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from core.quantification.scenario import ScenarioError
from reporting.models import Evaluation, EvaluationOffer, EvidenceState, FrozenEvaluation, ProviderEvidence
from reporting.procurement import criteria as criteria_module
from reporting.procurement import offers as offers_module
from reporting.procurement import workloads
from reporting.procurement.answers import ProcurementError
from reporting.procurement.claims_given import Claim
from reporting.procurement.criteria import Criterion
from reporting.procurement.document import canonical, sha256_of
from reporting.procurement.metrics import METRICS
from reporting.procurement.offers import Offer
from reporting.procurement.workloads import Workload

LONGEST_NAME: Final = 100
LONGEST_NOTE: Final = 2_000
MOST_EVALUATIONS: Final = 500
MOST_OFFERS: Final = 12
MOST_EVIDENCE: Final = 5_000


def save_evaluation(
    *,
    organization_id: int,
    name: str,
    workload: Workload,
    criteria: Sequence[Criterion],
    note: str = "",
    created_by_id: int | None = None,
    evaluation_id: int | None = None,
) -> Evaluation:
    """
    Keep what is evaluated and how, or change it.

    Raises:
        ProcurementError: a name that is empty, too long or taken, weights that sum to zero.
        Evaluation.DoesNotExist: the organization has no such evaluation.
    """
    name = " ".join(name.replace("\0", "").split())
    note = note.replace("\0", "").strip()
    if not name or len(name) > LONGEST_NAME:
        raise ProcurementError("name", f"Give the evaluation a name of 1 to {LONGEST_NAME} characters.")
    if len(note) > LONGEST_NOTE:
        raise ProcurementError("note", f"The note is longer than {LONGEST_NOTE} characters.")
    criteria_module.shares_of(criteria)
    with organization_scope(organization_id):
        before = None
        if evaluation_id is None:
            if Evaluation.objects.filter(organization_id=organization_id).count() >= MOST_EVALUATIONS:
                raise ProcurementError("name", f"There are {MOST_EVALUATIONS} evaluations: remove one first.")
            evaluation = Evaluation(organization_id=organization_id, created_by_id=created_by_id)
        else:
            evaluation = Evaluation.objects.select_for_update().get(organization_id=organization_id, id=evaluation_id)
            before = described(evaluation)
        evaluation.name, evaluation.note = name, note
        evaluation.workload = workloads.as_plain(workload)
        evaluation.criteria = [criteria_module.as_plain(each) for each in criteria]
        evaluation.changed_at = datetime.now(UTC)
        try:
            with transaction.atomic():
                evaluation.save()
        except IntegrityError as error:
            if "evaluation_name_once" not in str(error):
                raise
            raise ProcurementError("name", f"There is an evaluation of the name {name!r} already.") from None
        _tell(organization_id, "save_evaluation", "evaluation", evaluation.id, before, described(evaluation))
    return evaluation


def save_described(*, organization_id: int, given: Mapping[str, Any], created_by_id: int | None = None) -> Evaluation:
    """
    Keep an evaluation with its offers from plain values; where one of them is refused, nothing is kept.

    Args:
        given: ``name``, ``note``, ``workload``, ``criteria`` and ``offers``.

    Raises:
        ProcurementError: naming the first field that cannot be, such as ``offers.2.region``.
    """
    for name in ("name", "note"):
        if not isinstance(given.get(name, ""), str):
            raise ProcurementError(name, f"{name} is text.")
    workload = workloads.from_plain(given.get("workload"))
    criteria = criteria_module.from_plain(given.get("criteria"))
    offered = given.get("offers", [])
    if not isinstance(offered, list):
        raise ProcurementError("offers", "Offers are a list of objects.")
    with organization_scope(organization_id):
        saved = save_evaluation(
            organization_id=organization_id,
            name=given.get("name", ""),
            note=given.get("note", ""),
            workload=workload,
            criteria=criteria,
            created_by_id=created_by_id,
        )
        for number, each in enumerate(offered, start=1):
            try:
                offer = offers_module.from_plain(each)
                save_offer(organization_id=organization_id, evaluation_id=saved.id, offer=offer)
            except ProcurementError as error:
                raise ProcurementError(f"offers.{number}.{error.field}", str(error)) from error
    return saved


def remove_evaluation(*, organization_id: int, evaluation_id: int) -> bool:
    """Remove an evaluation with its offers; what was frozen of it stays. False where there is no such."""
    with organization_scope(organization_id):
        evaluation = Evaluation.objects.filter(organization_id=organization_id, id=evaluation_id).first()
        if evaluation is None:
            return False
        before = described(evaluation)
        evaluation.delete()
        _tell(organization_id, "remove_evaluation", "evaluation", evaluation_id, before, None)
    return True


def save_offer(
    *, organization_id: int, evaluation_id: int, offer: Offer, offer_id: int | None = None
) -> EvaluationOffer:
    """
    Add an offer to an evaluation, or change it.

    Raises:
        ProcurementError: a name that is taken, a region, model or device that no factor is known for, too many offers.
        Evaluation.DoesNotExist, EvaluationOffer.DoesNotExist: the organization has no such.
    """
    plain = offers_module.as_plain(offer)
    with organization_scope(organization_id):
        evaluation = Evaluation.objects.select_for_update().get(organization_id=organization_id, id=evaluation_id)
        rule = offer.rewrite
        if rule is not None:
            try:
                refuse_unknown_offer(organization_id, rule)
            except ScenarioError as error:
                raise ProcurementError(offers_module.field_of(error), str(error)) from error
        before = None
        if offer_id is None:
            if evaluation.offers.count() >= MOST_OFFERS:
                raise ProcurementError("name", f"An evaluation has at most {MOST_OFFERS} offers.")
            row = EvaluationOffer(organization_id=organization_id, evaluation=evaluation)
        else:
            row = evaluation.offers.select_for_update().get(organization_id=organization_id, id=offer_id)
            before = row.terms
        row.name, row.terms = offer.name, plain
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError as error:
            if "offer_name_once" not in str(error):
                raise
            raise ProcurementError("name", f"There is an offer of the name {offer.name!r} already.") from None
        Evaluation.objects.filter(organization_id=organization_id, id=evaluation_id).update(
            changed_at=datetime.now(UTC)
        )
        _tell(organization_id, "save_offer", "evaluation_offer", row.id, before, plain)
    return row


def remove_offer(*, organization_id: int, evaluation_id: int, offer_id: int) -> bool:
    """Remove an offer; False where there is no such."""
    with organization_scope(organization_id):
        row = EvaluationOffer.objects.filter(
            organization_id=organization_id, evaluation_id=evaluation_id, id=offer_id
        ).first()
        if row is None:
            return False
        before = row.terms
        row.delete()
        _tell(organization_id, "remove_offer", "evaluation_offer", offer_id, before, None)
    return True


def freeze_evaluation(
    *, organization_id: int, evaluation_id: int, document: Mapping[str, Any], now: datetime
) -> FrozenEvaluation:
    """
    Keep what an evaluation comes to, for good: nobody can change or remove it afterwards.

    Args:
        document: as `reporting.procurement.document.document_of` gives it.
        now: when it is frozen; it is part of the content.

    Raises:
        Evaluation.DoesNotExist: the organization has no such evaluation.
    """
    actor = current_actor()
    with organization_scope(organization_id):
        Evaluation.objects.get(organization_id=organization_id, id=evaluation_id)
        frozen_at = now.replace(microsecond=0)
        content = canonical(
            {**document, "frozen_at": frozen_at.isoformat().replace("+00:00", "Z"), "frozen_by": actor.name}
        )
        row = FrozenEvaluation.objects.create(
            organization_id=organization_id,
            of_evaluation=evaluation_id,
            name=document["name"],
            content=content,
            sha256=sha256_of(content),
            view=document["view_id"],
            factor_set=document["factor_set"],
            methodology=document["methodology"],
            frozen_by=actor.name,
            frozen_at=frozen_at,
        )
        after = {"name": row.name, "sha256": row.sha256, "of_evaluation": evaluation_id}
        _tell(organization_id, "freeze_evaluation", "frozen_evaluation", row.id, None, after)
    return row


# --- dossiers ---------------------------------------------------------------------------------------------------------


def add_evidence(
    *,
    organization_id: int,
    provider: str,
    claims: Sequence[Claim],
    proposed: bool = False,
    created_by_id: int | None = None,
) -> list[ProviderEvidence]:
    """
    Put claims into a dossier, all of them or none; proposed ones wait until somebody has reviewed them.

    Raises:
        ProcurementError: no provider, or a dossier that is full.
    """
    if not provider:
        raise ProcurementError("provider", "Say whose claim it is.")
    with organization_scope(organization_id):
        if ProviderEvidence.objects.filter(organization_id=organization_id).count() + len(claims) > MOST_EVIDENCE:
            raise ProcurementError("file", f"There are {MOST_EVIDENCE} claims already.")
        rows = [
            ProviderEvidence(
                organization_id=organization_id,
                provider=provider,
                metric=each.metric,
                value=each.value,
                unit=METRICS[each.metric].unit,
                text=each.text,
                boundary=each.boundary,
                document=each.document,
                url=each.url,
                document_date=each.document_date,
                expires_on=each.expires_on,
                grade=each.grade,
                note=each.note,
                state=EvidenceState.PROPOSED if proposed else EvidenceState.ACCEPTED,
                origin="questionnaire" if proposed else "typed",
                created_by_id=created_by_id,
            )
            for each in claims
        ]
        for row in rows:
            row.save()
        after = {"provider": provider, "metrics": [each.metric for each in claims], "proposed": proposed}
        _tell(organization_id, "add_evidence", "provider_evidence", ",".join(str(row.id) for row in rows), None, after)
    return rows


def decide_evidence(*, organization_id: int, evidence_id: int, accept: bool) -> ProviderEvidence:
    """
    Take a claim into the dossier or out of it.

    Raises:
        ProviderEvidence.DoesNotExist: the organization has no such claim.
    """
    with organization_scope(organization_id):
        row = ProviderEvidence.objects.select_for_update().get(organization_id=organization_id, id=evidence_id)
        before = {"state": row.state}
        row.state = EvidenceState.ACCEPTED if accept else EvidenceState.REJECTED
        row.save(update_fields=["state"])
        _tell(organization_id, "decide_evidence", "provider_evidence", row.id, before, {"state": str(row.state)})
    return row


def described(evaluation: Evaluation) -> dict[str, Any]:
    """Write an evaluation as the audit log keeps it."""
    return {
        "name": evaluation.name,
        "note": evaluation.note,
        "workload": evaluation.workload,
        "criteria": evaluation.criteria,
    }


def _tell(
    organization_id: int,
    action: str,
    kind: str,
    object_id: object,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    record_event(
        organization_id=organization_id,
        action=action,
        object_type=kind,
        object_id=object_id,
        before=before,
        after=after,
    )


def today() -> date:
    """Return the day on which evidence has to be in force, UTC."""
    return datetime.now(UTC).date()
