"""Restatements: what other factors or another methodology would change, as a bridge, before anything is switched."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.accounting.figures import Filter, FilterError, parse_period
from core.accounting.models import JobState, RestatementJob
from core.accounting.selectors import current_view
from core.accounting.services import restatement_jobs as jobs
from core.accounting.services.restatement import PLACES
from core.factors import selectors as factor_sets
from core.organizations.access import requires
from core.organizations.policy import Action, may
from core.quantification.methods import METHODOLOGIES, methodology_of, setting_names, setting_of
from reporting import figures
from reporting.charts import Chart, Part, waterfall
from reporting.pages.asked import activity, period_name
from reporting.pages.disclosures import quarters
from reporting.pages.files import file_asked, table_file
from reporting.templatetags.figures import locale

LISTED: Final = 20
FIGURES: Final = (
    ("total_kg_co2e", _("Total with upstream and embodied, location-based"), "mass"),
    ("location_kg_co2e", _("Electricity, location-based"), "mass"),
    ("market_kg_co2e", _("Electricity, market-based"), "mass"),
    ("upstream_kg_co2e", _("Upstream"), "mass"),
    ("embodied_kg_co2e", _("Embodied"), "mass"),
    ("energy_it_kwh", _("IT energy"), "energy"),
    ("energy_facility_kwh", _("Energy at the facility"), "energy"),
    ("water_l", _("Water"), "water"),
)
"""Figures of a bridge in words, with how they are scaled."""
STEPS: Final = (_("Correction"), _("Activity"), _("Coverage"), _("Method"), _("Factor"))
"""The steps of `core.accounting.services.restatement.STEPS` in words."""
NOT_KNOWN: Final = {"before": _("not known before"), "after": _("not known after")}
"""Why a step has no number though the figure has one on its other side."""
TONES: Final = {
    JobState.WAITING: "",
    JobState.RUNNING: "accent",
    JobState.DONE: "good",
    JobState.FAILED: "bad",
    JobState.CANCELLED: "warn",
}


class RestatementForm(forms.Form):
    """Which factors and which methodology, compared over which period."""

    factor_set = forms.ChoiceField(label=_("Factor set"))
    methodology = forms.ChoiceField(label=_("Methodology"), choices=[(each, each) for each in sorted(METHODOLOGIES)])
    settings = forms.CharField(
        label=_("Own settings"),
        max_length=1000,
        required=False,
        help_text=_("name=value, with spaces between: prefill=off host_factor=1.3/1.2/1.5"),
    )
    period = forms.ChoiceField(label=_("Compared over"))

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sets = [(each.name, each.name) for each in factor_sets.factor_sets()]
        spans = [(each["name"], each["label"]) for each in quarters(activity(request))]
        self.fields["factor_set"].choices = sets  # type: ignore[attr-defined]
        self.fields["period"].choices = spans  # type: ignore[attr-defined]


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.SEE_ALL_TEAMS)
def restatements(request: HttpRequest) -> HttpResponse:
    """List what was rehearsed and restated and, for those who may, ask for another rehearsal."""
    if request.method == "POST":
        return ask(request)
    view = current_view(_organization(request))
    base, _sign, own = (view.methodology if view else "").partition(" ")
    initial = {"factor_set": view.factor_set.name if view else None, "methodology": base, "settings": own}
    return _page(request, RestatementForm(request=request, initial=initial))


@requires(Action.MANAGE_FACTORS)
def ask(request: HttpRequest) -> HttpResponse:
    """Ask for a rehearsal."""
    form = RestatementForm(request.POST, request=request)
    if form.is_valid():
        given = form.cleaned_data
        try:
            period = parse_period(given["period"])
            job = jobs.ask_restatement(
                organization_id=_organization(request),
                factor_set=given["factor_set"],
                methodology=f"{given['methodology']} {given['settings']}",
                from_day=period.from_day,
                to_day=period.to_day,
            )
        except FilterError as error:
            form.add_error("period", str(error))
        except jobs.RestatementJobError as error:
            own = {"methodology": "settings"}.get(error.field, error.field)
            form.add_error(own if own in form.fields else None, str(error))
        else:
            return redirect("restatement", job.id)
    return _page(request, form, status=400)


def _page(request: HttpRequest, form: RestatementForm, *, status: int = 200) -> HttpResponse:
    view = current_view(_organization(request))
    published = methodology_of(sorted(METHODOLOGIES)[-1])
    context = {
        "title": _("Restatements"),
        "view": view,
        "jobs": [_described(job) for job in _jobs(request)[:LISTED]],
        "form": form if may(request.identity, Action.MANAGE_FACTORS) else None,  # type: ignore[attr-defined]
        "settings": [(name, setting_of(published, name)) for name in setting_names(published)],
    }
    return render(request, "reporting/restatements.html", context, status=status)


@require_safe
@requires(Action.SEE_ALL_TEAMS)
def restatement(request: HttpRequest, job_id: int) -> HttpResponse:
    """Show how far a rehearsal is, then its bridge."""
    job = _found(request, job_id)
    context = _described(job)
    if getattr(request, "htmx", False):
        answer = render(request, "components/progress.html", context["progress"])
        if job.ended_at:
            answer["HX-Refresh"] = "true"
        return answer
    chart = _chart(job)
    if chart and file_asked(request):
        return table_file(request, chart.table, f"restatement-{job.id}_{job.from_day}_{job.to_day}")
    context |= {
        "charts": chart is not None,
        "chart": chart,
        "title": _("Restatement") if job.apply else _("Rehearsal"),
        "bridge": _bridge(job),
        "steps": STEPS,
        "applicable": job.state == JobState.DONE and not job.apply and _still_new(request, job),
        "editable": may(request.identity, Action.MANAGE_FACTORS),  # type: ignore[attr-defined]
    }
    return render(request, "reporting/restatement.html", context)


@require_POST
@requires(Action.MANAGE_FACTORS)
def decide_restatement(request: HttpRequest, job_id: int) -> HttpResponse:
    """Cancel what is under way, or restate by what was rehearsed."""
    job = _found(request, job_id)
    if "cancel" in request.POST:
        if jobs.cancel_restatement(organization_id=_organization(request), job_id=job.id):
            messages.success(request, _("It is cancelled; nothing was changed."))
            return redirect("restatements")
        messages.error(request, _("Too late to cancel it: it had ended. Below is how."))
        return redirect("restatement", job.id)
    try:
        job = jobs.ask_restatement(
            organization_id=_organization(request),
            factor_set=job.factor_set.content_hash,
            methodology=job.methodology,
            from_day=job.from_day,
            to_day=job.to_day,
            apply=True,
            reason=request.POST.get("reason", ""),
        )
    except jobs.RestatementJobError as error:
        messages.error(request, str(error))
    return redirect("restatement", job.id)


def _organization(request: HttpRequest) -> int:
    return int(request.identity.organization_id)  # type: ignore[attr-defined]


def _jobs(request: HttpRequest) -> QuerySet[RestatementJob]:
    mine = RestatementJob.objects.select_related("factor_set").filter(organization_id=_organization(request))
    return mine.order_by("-id")


def _found(request: HttpRequest, job_id: int) -> RestatementJob:
    job = _jobs(request).filter(id=job_id).first()
    if job is None:
        raise Http404
    return job


def _still_new(request: HttpRequest, job: RestatementJob) -> bool:
    view = current_view(_organization(request))
    return view is not None and (view.factor_set_id, view.methodology) != (job.factor_set_id, job.methodology)


def _described(job: RestatementJob) -> dict[str, Any]:
    """Give what a line and a page about a job show."""
    return {
        "job": job,
        "address": reverse("restatement", args=[job.id]),
        "period": period_name_of(job),
        "state": JobState(job.state).label,
        "tone": TONES[JobState(job.state)],
        "change": _change_of_total(job),
        "progress": {
            "id": "progress",
            "address": reverse("restatement", args=[job.id]),
            "done": job.ended_at is not None,
            "share": job.months_done / job.months if job.months else None,
            "text": _progress(job),
        },
    }


def _progress(job: RestatementJob) -> str:
    if job.state == JobState.WAITING:
        return str(_("Waiting for a worker, some seconds."))
    if job.months is None:
        return str(_("Looking which days there are."))
    return _("%(done)s of %(all)s months derived") % {"done": job.months_done, "all": job.months}


def period_name_of(job: RestatementJob) -> str:
    """Name the period that is compared."""
    return period_name(Filter(job.from_day, job.to_day))


def _change_of_total(job: RestatementJob) -> float | None:
    """Return the relative change of the total, None where it is not known. [1]"""
    if not job.result:
        return None
    old, new = (job.result[side]["totals"]["total_kg_co2e"] for side in ("old", "new"))
    return None if not old or new is None else new / old - 1.0


def _bridge(job: RestatementJob) -> list[dict[str, Any]]:
    """Lay the bridge out: a row for each figure with its old value, its steps and its new value, in one scale a row."""
    if not job.result:
        return []
    rows = []
    for name, label, kind in FIGURES:
        old, new = (job.result[side]["totals"][name] for side in ("old", "new"))
        scale = figures.scale_for(kind, [old, new])  # type: ignore[arg-type]
        rows.append(
            {
                "label": label,
                "unit": scale.unit,
                "co2e": kind == "mass",
                "old": figures.number(old, scale, locale=locale()),
                "steps": [_change(step, name, scale) for step in job.result["steps"]],
                "new": figures.number(new, scale, locale=locale()),
            }
        )
    return rows


def _chart(job: RestatementJob) -> Chart | None:
    """Draw the bridge of the total; None before there is one."""
    if not job.result:
        return None
    name, noun, _kind = FIGURES[0]
    old, new = (job.result[side]["totals"][name] for side in ("old", "new"))
    parts = [
        Part(str(place), str(label), None, str(NOT_KNOWN[side]))
        if (side := step.get("not_known", {}).get(name)) in NOT_KNOWN
        else Part(str(place), str(label), step["change"][name])
        for place, (label, step) in enumerate(zip(STEPS, job.result["steps"], strict=True))
    ]
    return waterfall(
        parts,
        start=(str(_("Before")), old),
        end=(str(_("After")), new),
        name="bridge",
        compares="sides",
        resolution=10.0**-PLACES,
        detail=f"{noun}, {period_name_of(job)}",
        locale=locale(),
        translate=gettext,
    )


def _change(step: dict[str, Any], name: str, scale: figures.Scale) -> str:
    """Write by how much a step changes a figure, or on which side of it the figure is not known."""
    side = step.get("not_known", {}).get(name)  # bridges of earlier releases have none
    if side in NOT_KNOWN:
        return str(NOT_KNOWN[side])
    change = step["change"][name]
    return figures.number(change, scale, locale=locale(), sign=bool(change))
