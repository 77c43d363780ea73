"""Coverage units: which sources describe the same, which evidence counts, and what the kinds of evidence say side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from core.accounting import services
from core.accounting.models import CoverageUnit
from core.accounting.selectors import overlap_warnings
from core.accounting.selectors.coverage import coverage_of
from core.accounting.selectors.rules_effect import NEW_UNIT, links_effect
from core.accounting.selectors.suggested_links import SuggestedLink, suggested_links
from core.accounting.selectors.unit_reconciliation import ReconciledUnit, reconciled_units
from core.accounting.selectors.unlinked_statements import unlinked_statements
from core.ledger.selectors import sources
from core.organizations.access import requires
from core.organizations.policy import Action, may
from core.quantification.coverage import MOVABLE, SOURCE
from core.suggesting import Suggesting
from reporting.pages.asked import asked, filter_bar, period_name
from reporting.pages.bar import WHOLE

LEVEL_NAMES: Final[dict[str, str | Promise]] = {
    "measured": gettext_lazy("measured"),
    "modelled_use": gettext_lazy("modelled from use"),
    "modelled_bill": gettext_lazy("modelled from the bill"),
    "stated": gettext_lazy("stated"),
    "assumed": gettext_lazy("assumed"),
}
MEASURE_NAMES: Final[dict[str | None, str | Promise]] = {
    "device_hours": gettext_lazy("of device hours"),
    "instance_hours": gettext_lazy("of instance hours"),
    "requests": gettext_lazy("of requests"),
    "output_tokens": gettext_lazy("of output tokens"),
    "input_tokens": gettext_lazy("of input tokens"),
}
COMPARED_IN: Final[dict[str | None, str | Promise]] = {
    "device_hours": gettext_lazy("device hours"),
    "instance_hours": gettext_lazy("instance hours"),
    "requests": gettext_lazy("requests"),
    "output_tokens": gettext_lazy("output tokens"),
    "input_tokens": gettext_lazy("input tokens"),
    "cost": gettext_lazy("money without a measure of use"),
    "reported_kg_co2e": gettext_lazy("kg CO2e as stated"),
}
DESCRIBES: Final = {
    "": gettext_lazy("as its evidence says: meters a part, all else the whole"),
    "part": gettext_lazy("a part of its own, so that such sources add up"),
    "whole": gettext_lazy("the whole unit; the source linked first goes first"),
}
INDEPENDENT: Final = "independent"
WEIGHED: Final = 3
"""Proposals whose effect is derived for the page; the next ones come up once these are decided."""


class LinkForm(forms.Form):
    """Tie a source, or one account of it, to a unit, or to nothing."""

    source = forms.ChoiceField(label=gettext_lazy("Source"))
    account = forms.CharField(
        label=gettext_lazy("Account"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Empty: every account that the source reports."),
    )
    unit = forms.ChoiceField(label=gettext_lazy("Unit"))
    describes = forms.ChoiceField(label=gettext_lazy("Describes"), choices=list(DESCRIBES.items()), required=False)
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500)

    def __init__(self, *args: Any, organization_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        units = CoverageUnit.objects.filter(organization_id=organization_id).order_by("name")
        self.fields["source"].choices = _sources(organization_id)  # type: ignore[attr-defined]
        self.fields["unit"].choices = [  # type: ignore[attr-defined]
            *((str(unit.id), unit.name) for unit in units),
            (INDEPENDENT, _("independent: nothing else describes it")),
        ]


class UnitForm(forms.Form):
    """Name a unit, and say where the usual order of evidence does not hold."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    alone = forms.ChoiceField(
        label=gettext_lazy("Counts"),
        required=False,
        help_text=gettext_lazy(
            "Better evidence displaces worse for the part that it covers, unless one source counts alone."
        ),
    )
    precedence = forms.CharField(
        label=gettext_lazy("Own order, best first"),
        max_length=500,
        required=False,
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500)

    def __init__(self, *args: Any, organization_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        units = CoverageUnit.objects.filter(organization_id=organization_id).order_by("name")
        self.fields["name"].widget = Suggesting([unit.name for unit in units], {"maxlength": "200"})
        self.fields["alone"].choices = [("", _("by evidence")), *_sources(organization_id)]  # type: ignore[attr-defined]
        self.by_name = {label: number for number, label in _sources(organization_id)}
        self.by_level = {name: each for each in MOVABLE for name in (each, str(LEVEL_NAMES[each]))}
        self.fields["precedence"].help_text = _(
            "Names by comma, of sources or of kinds of evidence: %(levels)s. What is not named follows."
        ) % {"levels": ", ".join(str(LEVEL_NAMES[each]) for each in MOVABLE)}

    def clean_precedence(self) -> list[str]:
        """Turn names of sources into entries of an order."""
        entries = []
        for each in (part.strip() for part in self.cleaned_data["precedence"].split(",")):
            if each in self.by_level:
                entries.append(self.by_level[each])
            elif each in self.by_name:
                entries.append(f"{SOURCE}{self.by_name[each]}")
            elif each:
                raise forms.ValidationError(_("%(name)s is no level of evidence and no source."), params={"name": each})
        return entries


def _sources(organization_id: int) -> list[tuple[str, str]]:
    return [(str(each.id), each.name) for each in sources(organization_id)]


@requires(Action.SEE_SOURCES)
@require_safe
def units(request: HttpRequest) -> HttpResponse:
    """Show units, what counts in them, and sources that are linked to nothing."""
    return _page(request)


@requires(Action.MANAGE_SOURCES)
@require_POST
def save_unit(request: HttpRequest) -> HttpResponse:
    """Make a unit, or change what counts in it."""
    form = UnitForm(request.POST, organization_id=_organization(request))
    if form.is_valid():
        try:
            services.set_coverage_unit(
                organization_id=_organization(request),
                name=form.cleaned_data["name"],
                counting_source_id=int(form.cleaned_data["alone"]) if form.cleaned_data["alone"] else None,
                precedence=form.cleaned_data["precedence"],
                reason=form.cleaned_data["reason"],
            )
        except services.CoverageError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The unit is saved; figures follow within a minute."))
            return redirect("coverage_units")
    return _page(request, unit_form=form, status=400)


@requires(Action.MANAGE_SOURCES)
@require_POST
def save_link(request: HttpRequest) -> HttpResponse:
    """Link a source to a unit, or declare it independent."""
    form = LinkForm(request.POST, organization_id=_organization(request))
    if form.is_valid():
        given = form.cleaned_data
        about = {
            "organization_id": _organization(request),
            "source_id": int(given["source"]),
            "account": given["account"] or None,
            "reason": given["reason"],
        }
        try:
            if given["unit"] == INDEPENDENT:
                services.declare_independent(**about)
            else:
                part = {"part": True, "whole": False}.get(given["describes"])
                services.link_source(**about, unit_id=int(given["unit"]), part=part)
        except services.CoverageError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The link is saved; figures follow within a minute."))
            return redirect("coverage_units")
    return _page(request, link_form=form, status=400)


@requires(Action.MANAGE_SOURCES)
@require_POST
def decide_proposed(request: HttpRequest) -> HttpResponse:
    """Link two sources that may describe the same to one unit, or declare one of them independent, with a reason."""
    organization_id = _organization(request)
    found = {_key(each): each for each in suggested_links(organization_id)}
    proposed = found.get(request.POST.get("proposed", ""))
    if proposed is None:
        messages.error(request, _("This proposal is settled already."))
        return redirect("coverage_units")
    chosen, reason = request.POST.get("independent", ""), request.POST.get("reason", "").strip()
    if not chosen:
        services.link_together(
            organization_id=organization_id,
            source_ids=proposed.source_ids,
            account=proposed.account,
            unit=proposed.unit_name,
            reason=_why(proposed),
        )
        text = _("Both are linked to %(unit)s; figures follow within a minute.") % {"unit": proposed.unit_name}
        messages.success(request, text)
    elif chosen not in map(str, proposed.source_ids) or not reason:
        messages.error(request, _("Choose the source that is independent, and say why."))
    else:
        services.declare_independent(
            organization_id=organization_id, source_id=int(chosen), account=proposed.account, reason=reason
        )
        messages.success(request, _("The source is marked independent; figures follow within a minute."))
    return redirect("coverage_units")


def _key(proposed: SuggestedLink) -> str:
    first, second = proposed.source_ids
    return f"{first}~{second}~{proposed.account or ''}"


def _why(proposed: SuggestedLink) -> str:
    if proposed.account is not None:
        return _("Both name the account %(account)s.") % {"account": proposed.account}
    return _("Both report the same requests (%(count)d seen).") % {"count": proposed.requests}


@requires(Action.MANAGE_SOURCES)
@require_POST
def remove_link(request: HttpRequest, link_id: int) -> HttpResponse:
    """Take a link back."""
    try:
        services.remove_link(organization_id=_organization(request), link_id=link_id)
        messages.success(request, _("The link is taken back; figures follow within a minute."))
    except services.CoverageError as error:
        messages.error(request, str(error))
    return redirect("coverage_units")


def _page(
    request: HttpRequest,
    *,
    link_form: LinkForm | None = None,
    unit_form: UnitForm | None = None,
    status: int = 200,
) -> HttpResponse:
    organization_id, query = _organization(request), asked(request)
    whole = replace(query.filter, dims={}, role=("counted",), booking="life-cycle")
    found = reconciled_units(organization_id, whole)
    statements = unlinked_statements(organization_id, whole)
    context: dict[str, Any] = {
        "title": _("Coverage units"),
        "query_errors": query.errors,
        "period_label": period_name(query.filter, query.label),
        "filter_bar": filter_bar(query, ignores=WHOLE),
        "units": [line_of(unit) for unit in found],
        "described": [_described(unit) for unit in found],
        "independent": [link for link in coverage_of(organization_id).links if link["unit"] is None],
        "statements": statements,
        "warnings": [
            {
                "source": each.source,
                "accounts": ", ".join(account or _("no account") for account in each.accounts),
                "records": each.records,
                "kg_co2e": each.kg_co2e,
            }
            for each in overlap_warnings(organization_id, whole, statements=False)
        ],
        "suggested": [
            {
                "proposed": each,
                "key": _key(each),
                "either": list(zip(each.source_ids, each.sources, strict=True)),
                "weighed": at < WEIGHED,
                "effect": links_effect(organization_id, each.links(NEW_UNIT)) if at < WEIGHED else None,
            }
            for at, each in enumerate(suggested_links(organization_id))
        ],
    }
    if may(request.identity, Action.MANAGE_SOURCES):  # type: ignore[attr-defined]
        context |= {
            "link_form": link_form or LinkForm(organization_id=organization_id),
            "unit_form": unit_form or UnitForm(organization_id=organization_id),
        }
    return render(request, "reporting/coverage_units.html", context, status=status)


def line_of(unit: ReconciledUnit) -> dict[str, Any]:
    """Give a unit as the table shows it."""
    line = unit.side_by_side()
    share = unit.comparison.covered_share if unit.comparison else None
    return line | {"covered_share": share, "of_words": MEASURE_NAMES.get(line["of"], "")}


def _described(unit: ReconciledUnit) -> dict[str, Any]:
    if unit.counts is not None:
        order = _("%(source)s alone counts.") % {"source": unit.counts}
    elif unit.precedence:
        named = ", ".join(str(LEVEL_NAMES.get(each, each)) for each in unit.precedence)
        order = _("Own order: %(order)s, then the usual one.") % {"order": named}
    else:
        order = _("Better evidence counts for the part that it covers.")
    says = {None: "", True: "part", False: "whole"}
    links = [{**link, "describes": DESCRIBES[says[link["part"]]]} for link in unit.links]
    overlaps = [
        {
            **{name: getattr(each, name) for name in ("stands", "other", "standing", "overlapping")},
            **{name: getattr(each, name) for name in ("counted_kg", "cross_check_kg")},
            "level": LEVEL_NAMES[each.level],
            "measure": COMPARED_IN.get(each.measure),
        }
        for each in (unit.comparison.overlaps if unit.comparison else ())
    ]
    return {
        "id": unit.id,
        "name": unit.name,
        "order": order,
        "reason": unit.reason,
        "links": links,
        "overlaps": overlaps,
    }


def _organization(request: HttpRequest) -> int:
    return int(request.identity.organization_id)  # type: ignore[attr-defined]
