"""Evaluations: offers compared on one workload, with the weights to play with, and frozen for the tender file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.accounting.figures import FilterError
from core.accounting.selectors.attribution import known_names
from core.organizations.access import requires
from core.organizations.policy import Action, may
from core.organizations.tenancy import organization_scope
from reporting.models import Evaluation
from reporting.pages.asked import read_as_of, today
from reporting.pages.evaluation_forms import (
    EvaluationForm,
    OfferForm,
    fits_the_form,
    initial_criteria,
    initial_of,
    initial_offer,
)
from reporting.pages.evaluation_shown import shown_of
from reporting.pages.files import file_asked, table_file
from reporting.procurement import criteria as criteria_module
from reporting.procurement import words
from reporting.procurement.answers import ProcurementError
from reporting.procurement.criteria import PRESETS, RATING, Criterion
from reporting.procurement.document import Asked
from reporting.procurement.offers import Offer
from reporting.procurement.offers import from_plain as offer_from_plain
from reporting.procurement.workloads import Workload
from reporting.query import latest_quarter
from reporting.selectors import procurement as selectors
from reporting.services import procurement as services

SUGGESTED: Final = ("team", "application", "model", "stage", "provider", "region", "hardware", "instance_type")


@require_safe
@requires(Action.SEE_ALL_TEAMS)
def evaluations(request: HttpRequest) -> HttpResponse:
    """List the evaluations, and what was frozen."""
    organization_id = _organization(request)
    with organization_scope(organization_id):
        found = [_listed(each) for each in selectors.evaluations(organization_id)]
        frozen = selectors.frozen_of(organization_id)
    context = {
        "title": _("Evaluations"),
        "evaluations": found,
        "frozen": frozen,
        "editable": may(request.identity, Action.EDIT_PROVIDERS),  # type: ignore[attr-defined]
    }
    return render(request, "reporting/procurement/evaluations.html", context)


@require_safe
@requires(Action.SEE_ALL_TEAMS)
def evaluation(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """Show what an evaluation comes to, by its weights or by those of the address."""
    saved, asked = found_of(request, evaluation_id)
    asked, refusal = _weighed(asked, request.GET)
    document = None
    if asked.offers and not refusal:
        try:
            document = assessed_now(request, asked)
        except (FilterError, ProcurementError) as error:
            refusal = str(error)
    shown = shown_of(document, request.get_full_path())
    if file_asked(request) and shown.get("chart"):
        return table_file(request, shown["chart"].table, f"evaluation-{evaluation_id}")
    tried = [each.weight for each in asked.criteria] != [each["weight"] for each in saved.evaluation.criteria]
    context: dict[str, Any] = {
        "title": saved.evaluation.name,
        "evaluation": saved.evaluation,
        "workload": words.workload_said(document["workload"]) if document else _workload_said(asked.workload),
        "offers": saved.offers,
        "refusal": refusal,
        "editable": may(request.identity, Action.EDIT_PROVIDERS),  # type: ignore[attr-defined]
        "weights": [
            {"label": words.subject_said(each.subject), "weight": f"{each.weight:g}", "at": at}
            for at, each in enumerate(asked.criteria)
        ],
        "tried": tried,
        "charts": True,
        "as_of": datetime.fromisoformat(document["as_of"]) if document else None,
        **shown,
    }
    return render(request, "reporting/procurement/evaluation.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_PROVIDERS)
def add_evaluation(request: HttpRequest) -> HttpResponse:
    """Show the form of a new evaluation, or keep it."""
    return _edited(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_PROVIDERS)
def change_evaluation(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """Show the form of an evaluation that there is, or change it."""
    return _edited(request, found_of(request, evaluation_id))


@require_POST
@requires(Action.EDIT_PROVIDERS)
def weigh_evaluation(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """Keep the weights that were tried."""
    saved, asked = found_of(request, evaluation_id)
    asked, refusal = _weighed(asked, request.POST)
    if refusal:
        messages.error(request, refusal)
    else:
        _save(request, asked, saved.evaluation.id)
        messages.success(request, _("The weights are kept."))
    return redirect("evaluation", evaluation_id)


@require_POST
@requires(Action.EDIT_PROVIDERS)
def remove_evaluation(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """Remove an evaluation."""
    if not services.remove_evaluation(organization_id=_organization(request), evaluation_id=evaluation_id):
        raise Http404
    messages.success(request, _("The evaluation is removed; what was frozen of it stays."))
    return redirect("evaluations")


@require_POST
@requires(Action.EDIT_PROVIDERS)
def freeze_evaluation(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """Freeze an evaluation as it is now, by the weights that are kept."""
    _saved, asked = found_of(request, evaluation_id)
    try:
        document = assessed_now(request, asked)
    except (FilterError, ProcurementError) as error:
        messages.error(request, str(error))
        return redirect("evaluation", evaluation_id)
    row = services.freeze_evaluation(
        organization_id=_organization(request), evaluation_id=evaluation_id, document=document, now=datetime.now(UTC)
    )
    messages.success(request, _("The evaluation is frozen: nobody can change it from now on."))
    return redirect("frozen_evaluation", row.id)


# --- offers -----------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_PROVIDERS)
def add_offer(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """Show the form of a new offer, or keep it."""
    return _offered(request, evaluation_id, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_PROVIDERS)
def change_offer(request: HttpRequest, evaluation_id: int, offer_id: int) -> HttpResponse:
    """Show the form of an offer that there is, or change it."""
    return _offered(request, evaluation_id, offer_id)


@require_POST
@requires(Action.EDIT_PROVIDERS)
def remove_offer(request: HttpRequest, evaluation_id: int, offer_id: int) -> HttpResponse:
    """Remove an offer."""
    organization_id = _organization(request)
    if not services.remove_offer(organization_id=organization_id, evaluation_id=evaluation_id, offer_id=offer_id):
        raise Http404
    messages.success(request, _("The offer is removed."))
    return redirect("evaluation", evaluation_id)


# --- what was asked ---------------------------------------------------------------------------------------------------


def _listed(row: Evaluation) -> dict[str, Any]:
    asked = selectors.asked_of(row)
    return {
        "id": row.id,
        "name": row.name,
        "note": row.note,
        "workload": _workload_said(asked.workload)["name"],
        "offers": [each.name for each in asked.offers],
        "criteria": ", ".join(words.subject_said(each.subject) for each in asked.criteria),
        "changed_at": row.changed_at,
    }


def _workload_said(workload: Workload) -> dict[str, str]:
    plain = {"kind": workload.kind, "template": workload.template, "amounts": workload.amounts, "filter": {}}
    said = words.workload_said(plain)
    return said if workload.kind != "own" else {"name": _("What was recorded"), "about": workload.query}


@dataclass(frozen=True)
class Numbered:
    """A stored offer."""

    id: int
    offer: Offer


@dataclass(frozen=True)
class Found:
    """A stored evaluation with its offers in order."""

    evaluation: Evaluation
    offers: list[Numbered]


def found_of(request: HttpRequest, evaluation_id: int) -> tuple[Found, Asked]:
    """Find an evaluation of the asker's organization. Raises Http404."""
    organization_id = _organization(request)
    with organization_scope(organization_id):
        row = selectors.evaluation_of(organization_id, evaluation_id)
        if row is None:
            raise Http404
        rows = sorted(row.offers.all(), key=lambda each: each.id)
        offers = [Numbered(each.id, offer_from_plain(each.terms)) for each in rows]
        return Found(row, offers), selectors.asked_of(row)


def assessed_now(request: HttpRequest, asked: Asked) -> dict[str, Any]:
    """Derive an evaluation at this moment. Raises FilterError, ProcurementError."""
    query = read_as_of(request, QueryDict(asked.workload.query), today())
    if query.errors:
        raise FilterError("workload", query.errors[0])
    return selectors.assessed(_organization(request), asked, query.filter, services.today())


def _weighed(asked: Asked, data: QueryDict) -> tuple[Asked, str]:
    """Put the weights of an address in place of those that are kept; "" or why it cannot be."""
    given = data.getlist("weight")
    if not given:
        return asked, ""
    if len(given) != len(asked.criteria):
        return asked, _("The address has not one weight for each criterion.")
    plain = []
    for criterion, text in zip(asked.criteria, given, strict=True):
        try:
            weight = float(text.strip().replace(",", ".") or 0.0)
        except ValueError:
            return asked, _("“{text}” is no weight.").format(text=text[:40])
        plain.append(criteria_module.as_plain(criterion) | {"weight": weight})
    try:
        return replace(asked, criteria=criteria_module.from_plain(plain)), ""
    except ProcurementError as error:
        return asked, str(error)


def _save(request: HttpRequest, asked: Asked, evaluation_id: int | None) -> Evaluation:
    return services.save_evaluation(
        organization_id=_organization(request),
        name=asked.name,
        note=asked.note,
        workload=asked.workload,
        criteria=asked.criteria,
        created_by_id=request.user.pk,
        evaluation_id=evaluation_id,
    )


def _edited(request: HttpRequest, saved: tuple[Found, Asked] | None) -> HttpResponse:
    names = known_names(_organization(request), [*SUGGESTED[:4]])
    options: dict[str, Any] = {"names": names, "year": today().year, "period": latest_quarter(today())}
    if request.method != "POST":
        if saved is None:
            preset = PRESETS.get(request.GET.get("preset", ""), PRESETS["balanced"])
            initial = initial_criteria([Criterion(subject, weight) for subject, weight in preset.items()])
            initial["kind"] = "typical"
        else:
            asked = saved[1]
            if not fits_the_form(asked.criteria):
                messages.warning(request, _("This evaluation says more than the form can show: change it by the API."))
                return redirect("evaluation", saved[0].evaluation.id)
            initial = initial_of(asked.name, asked.note, asked.workload, asked.criteria)
        return _form_page(request, EvaluationForm(initial=initial, **options), saved)
    form = EvaluationForm(request.POST, **options)
    if form.is_valid() and form.workload is not None:
        asked = Asked(form.cleaned_data["name"], form.cleaned_data["note"], form.workload, form.criteria, ())
        try:
            row = _save(request, asked, saved[0].evaluation.id if saved else None)
        except ProcurementError as error:
            form.refuse(error)
        else:
            messages.success(request, _("The evaluation is saved."))
            return redirect("evaluation", row.id)
    return _form_page(request, form, saved, status=400)


def _form_page(
    request: HttpRequest, form: EvaluationForm, saved: tuple[Found, Asked] | None, status: int = 200
) -> HttpResponse:
    presets = {"carbon_first": _("carbon first"), "balanced": _("balanced"), "tender_60_40": _("tender 60/40")}
    context = {
        "title": _("Add an evaluation") if saved is None else saved[1].name,
        "form": form,
        "evaluation": saved[0].evaluation if saved else None,
        "presets": [(f"{reverse('evaluation_add')}?preset={name}", label) for name, label in presets.items()],
    }
    return render(request, "reporting/procurement/evaluation_form.html", context, status=status)


def _offered(request: HttpRequest, evaluation_id: int, offer_id: int | None) -> HttpResponse:
    saved, asked = found_of(request, evaluation_id)
    before = None
    if offer_id is not None:
        before = next((each.offer for each in saved.offers if each.id == offer_id), None)
        if before is None:
            raise Http404
    rated = [each.name for each in asked.criteria if each.subject.startswith(RATING)]
    names = known_names(_organization(request), [*SUGGESTED[2:]])
    options: dict[str, Any] = {"rated": rated, "names": names, "before": before}
    status = 200
    if request.method == "POST":
        form = OfferForm(request.POST, request.FILES, **options)
        if form.is_valid() and form.offer is not None:
            try:
                services.save_offer(
                    organization_id=_organization(request),
                    evaluation_id=evaluation_id,
                    offer=form.offer,
                    offer_id=offer_id,
                )
            except ProcurementError as error:
                form.refuse(error)
            else:
                messages.success(request, _("The offer is saved."))
                return redirect("evaluation", evaluation_id)
        status = 400
    else:
        form = OfferForm(initial=initial_offer(before, rated) if before else {}, **options)
    context = {
        "title": before.name if before else _("Add an offer"),
        "evaluation": saved.evaluation,
        "form": form,
        "offer_id": offer_id,
        "prices": before.prices if before else (),
    }
    return render(request, "reporting/procurement/offer_form.html", context, status=status)


def _organization(request: HttpRequest) -> int:
    return int(request.identity.organization_id)  # type: ignore[attr-defined]
