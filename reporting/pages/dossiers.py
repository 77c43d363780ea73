"""Dossiers of providers: what each claims, what bears it out, what nobody discloses and the question to ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.organizations.access import requires
from core.organizations.policy import Action, may
from core.organizations.tenancy import organization_scope
from reporting.models import ProviderEvidence
from reporting.pages.files import TYPES
from reporting.procurement import words
from reporting.procurement.answers import ProcurementError
from reporting.procurement.claims_given import Claim, read_claim
from reporting.procurement.dossier import REGION, SUPPLIERS, Evidence, supplier_of
from reporting.procurement.metrics import GRADES, METRICS
from reporting.procurement.sheets import questionnaire, read_questionnaire
from reporting.selectors import procurement as selectors
from reporting.services import procurement as services


class ClaimForm(forms.Form):
    """One claim and the document that bears it out."""

    metric = forms.ChoiceField(label=_("Claim"))
    value = forms.CharField(
        label=_("Value"), max_length=2_000, help_text=_("A number in the unit that the claim names, or a statement.")
    )
    boundary = forms.CharField(
        label=_("About"), required=False, max_length=200, help_text=_("fleet, region eu-north-1, site Amsterdam")
    )
    document = forms.CharField(label=_("Document"), required=False, max_length=200)
    url = forms.CharField(label=_("Address of the document"), required=False, max_length=200)
    document_date = forms.DateField(
        label=_("Date of the document"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    expires_on = forms.DateField(label=_("Holds until"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    grade = forms.ChoiceField(label=_("Grade"))
    note = forms.CharField(label=_("Note"), required=False, max_length=2_000)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        metrics = [(name, f"{_now(each.label)} [{each.unit}]") for name, each in METRICS.items()]
        self.fields["metric"].choices = metrics  # type: ignore[attr-defined]
        self.fields["grade"].choices = [(name, _now(text)) for name, text in GRADES.items()]  # type: ignore[attr-defined]
        self.fields["grade"].initial = "published"
        self.claim: Claim | None = None

    def clean(self) -> dict[str, Any]:
        """Read the claim; what cannot be stands beside its field."""
        data: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                self.claim = read_claim(data)
            except ProcurementError as error:
                self.add_error(error.field if error.field in self.fields else None, str(error))
        return data


class ReturnedForm(forms.Form):
    """A questionnaire that came back."""

    file = forms.FileField(
        label=_("Questionnaire that came back"),
        help_text=_("XLSX. Its answers wait here until somebody has reviewed them."),
    )


@require_safe
@requires(Action.SEE_PROVIDERS)
def dossiers(request: HttpRequest) -> HttpResponse:
    """List the providers with what their dossiers hold."""
    organization_id = _organization(request)
    with organization_scope(organization_id):
        lines = selectors.suppliers(organization_id, services.today())
    return render(request, "reporting/procurement/dossiers.html", {"title": _now("Dossiers"), "lines": lines})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.SEE_PROVIDERS)
def dossier(request: HttpRequest, supplier: str) -> HttpResponse:
    """Show one dossier and, for those who may, take a claim into it."""
    if request.method == "POST":
        return add_claim(request, supplier)
    return show(request, supplier)


@requires(Action.EDIT_PROVIDERS)
def add_claim(request: HttpRequest, supplier: str) -> HttpResponse:
    """Take a claim into a dossier."""
    form = ClaimForm(request.POST)
    if form.is_valid() and form.claim is not None:
        try:
            services.add_evidence(
                organization_id=_organization(request),
                provider=known_or_new(supplier),
                claims=[form.claim],
                created_by_id=request.user.pk,
            )
        except ProcurementError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _now("The claim is in the dossier."))
            return redirect("dossier", supplier)
    return show(request, supplier, form=form, status=400)


@require_POST
@requires(Action.EDIT_PROVIDERS)
def return_questionnaire(request: HttpRequest, supplier: str) -> HttpResponse:
    """Take the answers of a questionnaire in, for review."""
    form = ReturnedForm(request.POST, request.FILES, auto_id="returned_%s")
    if form.is_valid():
        try:
            found = read_questionnaire(form.cleaned_data["file"].read())
            services.add_evidence(
                organization_id=_organization(request),
                provider=known_or_new(supplier),
                claims=found.claims,
                proposed=True,
                created_by_id=request.user.pk,
            )
        except ProcurementError as error:
            place = "" if error.field == "file" else f"{error.field}: "
            form.add_error("file", f"{place}{error}")
        else:
            said = ngettext("{n} answer waits for review.", "{n} answers wait for review.", len(found.claims))
            messages.success(request, said.format(n=len(found.claims)))
            return redirect("dossier", supplier)
    return show(request, supplier, returned=form, status=400)


@require_safe
@requires(Action.SEE_PROVIDERS)
def questionnaire_file(request: HttpRequest, supplier: str) -> HttpResponse:
    """Give the questionnaire to send out."""
    known_or_new(supplier)
    name = request.organization.name  # type: ignore[attr-defined]
    content = questionnaire(name, SUPPLIERS.get(supplier, supplier), services.today())
    answer = HttpResponse(content, content_type=TYPES["xlsx"])
    answer["Content-Disposition"] = f'attachment; filename="questions-{supplier}.xlsx"'
    return answer


@require_POST
@requires(Action.EDIT_PROVIDERS)
def decide_evidence(request: HttpRequest, evidence_id: int) -> HttpResponse:
    """Take a claim into the dossier, or out of it."""
    try:
        row = services.decide_evidence(
            organization_id=_organization(request),
            evidence_id=evidence_id,
            accept=request.POST.get("decision") == "accept",
        )
    except ProviderEvidence.DoesNotExist as error:
        raise Http404 from error
    messages.success(
        request,
        _now("The claim is in the dossier.") if row.state == "accepted" else _now("The claim is not in the dossier."),
    )
    return redirect("dossier", row.provider)


def show(
    request: HttpRequest,
    supplier: str,
    *,
    form: ClaimForm | None = None,
    returned: ReturnedForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render the dossier."""
    supplier = known_or_new(supplier)
    organization_id = _organization(request)
    with organization_scope(organization_id):
        evidence = selectors.dossiers(organization_id, services.today(), states=("accepted", "proposed"))
    own = [each for each in evidence if each.provider == supplier]
    editable = may(request.identity, Action.EDIT_PROVIDERS)  # type: ignore[attr-defined]
    accepted = [each for each in own if each.state == "accepted"]
    context = {
        "title": SUPPLIERS.get(supplier, supplier),
        "supplier": supplier,
        "empty": not accepted,
        "groups": [_group(name, [each for each in accepted if each.metric == name]) for name in METRICS],
        "proposed": [shown(each) for each in own if each.state == "proposed"],
        "editable": editable,
        "form": (form or ClaimForm()) if editable else None,
        "returned": returned or ReturnedForm(auto_id="returned_%s"),
        "opened": form is not None,
    }
    return render(request, "reporting/procurement/dossier.html", context, status=status)


def _group(metric: str, evidence: Sequence[Evidence]) -> dict[str, Any]:
    """Write the claims of one kind; regions stand apart, there are many."""
    regions = [each for each in evidence if each.about == REGION and not each.id.startswith("own:")]
    rest = [each for each in evidence if each not in regions]
    about = METRICS[metric]
    return {
        "label": _now(about.label),
        "question": _now(about.question),
        "rows": [shown(each) for each in rest],
        "regions": [shown(each) for each in regions],
        "disclosed": bool(evidence),
    }


def shown(each: Evidence) -> dict[str, Any]:
    """Write one claim."""
    metric = METRICS[each.metric]
    criterion = {"subject": f"claim:{each.metric}", "unit": metric.unit}
    return {
        "id": each.id.removeprefix("own:") if each.id.startswith("own:") else "",
        "metric": _now(metric.label),
        "value": each.text if metric.is_text else words.value_said(criterion, each.value),
        "boundary": each.boundary,
        "document": each.document,
        "url": each.url if each.url.startswith(("https://", "http://")) else "",
        "dated": each.dated,
        "expires_on": each.expires_on,
        "grade": _now(GRADES[each.grade]),
        "grade_kind": {"assured": "measured", "published": "modelled"}.get(each.grade, "stated"),
        "note": each.note,
        "findings": [
            {
                "text": words.finding_said(one.code, one.detail),
                "kind": {"fault": "bad", "doubt": "warn"}.get(one.kind, "good"),
            }
            for one in each.findings
        ],
    }


def known_or_new(supplier: str) -> str:
    """Name a supplier as dossiers are kept. Raises Http404 for a name that it would not have."""
    if supplier != supplier_of(supplier):
        raise Http404
    return supplier


def _organization(request: HttpRequest) -> int:
    return int(request.identity.organization_id)  # type: ignore[attr-defined]
