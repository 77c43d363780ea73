"""Attribution: whose uses are that name nobody, the rules that place them, and what a rule moves before and after it is saved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.accounting import services
from core.accounting.models import AttributionRule
from core.accounting.moved import shown
from core.accounting.selectors.attribution import (
    days_before,
    decided,
    known_labels,
    known_names,
    rules_in_order,
    with_titles,
)
from core.accounting.selectors.conditions import folded_teams_of, source_names
from core.accounting.tasks import wake_after_commit
from core.organizations.access import requires
from core.organizations.policy import Action, may
from core.quantification.attribution_rules import Rule, RuleError
from core.quantification.attribution_text import (
    Fault,
    FaultyFile,
    parse_condition,
    read_file,
    write_file,
)
from reporting.pages.attribution_forms import (
    FileForm,
    RuleForm,
    initial_conditions,
    initial_of,
    rows_of,
)
from reporting.pages.attribution_shown import (
    DAYS,
    described,
    effect_in_words,
    nobody_of,
    previewed_of,
    today,
    tried_use,
)

MOST_FAULTS: Final = 20


@require_safe
@requires(Action.SEE_SOURCES)
def attribution(request: HttpRequest) -> HttpResponse:
    """List what has no team, the rules in their order, and try one use."""
    return show(request)


def show(
    request: HttpRequest, *, file_form: FileForm | None = None, faults: Sequence[Fault] = (), status: int = 200
) -> HttpResponse:
    organization_id = _organization(request)
    from_day, to_day = days_before(today(), DAYS)
    rules = _rules(organization_id)
    weights = decided(organization_id, from_day, to_day)
    folded = folded_teams_of(organization_id)
    context = {
        "title": _("Attribution"),
        "days": DAYS,
        "nobody": nobody_of(organization_id, from_day, to_day),
        "rules": [described(rule, weights.get(rule.id), folded) for rule in rules],
        "editable": may(request.identity, Action.MANAGE_SOURCES),  # type: ignore[attr-defined]
        "file_form": file_form or FileForm(),
        "faults": faults[:MOST_FAULTS],
        "tried": tried_use(organization_id, request.GET.get("use", "")[:10_000], request.GET.get("day", ""), rules),
    }
    return render(request, "reporting/attribution/list.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.MANAGE_SOURCES)
def add(request: HttpRequest) -> HttpResponse:
    """Show the form of a new rule, say what it would move, or save it."""
    organization_id = _organization(request)
    if request.method != "POST":
        conditions = _asked_conditions(request)
        form = _form(organization_id, rows=len(conditions) + 1, initial=initial_conditions(conditions))
        return _form_page(request, form)
    form = _form(organization_id, request.POST, rows=rows_of(request.POST))
    if "more" in request.POST:
        return _form_page(request, _unbound(organization_id, request))
    if form.is_valid():
        try:
            if "preview" in request.POST:
                return _form_page(request, form, previewed=previewed_of(organization_id, form.cleaned_data["rule"]))
            change = services.add_rule(
                organization_id=organization_id, rule=form.cleaned_data["rule"], reason=form.cleaned_data["reason"]
            )
        except RuleError as error:
            form.refuse(error)
        else:
            return _saved(request, change, _("The rule is added."))
    return _form_page(request, form, status=400)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.SEE_SOURCES)
def rule(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Show a rule with what it moved; for those who may, change it."""
    if request.method == "POST":
        return change_rule(request, rule_id)
    return _rule_page(request, rule_id)


@requires(Action.MANAGE_SOURCES)
def change_rule(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Say what a changed rule would move, or save it."""
    organization_id = _organization(request)
    _found(organization_id, rule_id)
    if "more" in request.POST:
        return _rule_page(request, rule_id, form=_unbound(organization_id, request))
    form = _form(organization_id, request.POST, rows=rows_of(request.POST))
    if form.is_valid():
        wanted = form.cleaned_data["rule"]
        try:
            if "preview" in request.POST:
                found = previewed_of(organization_id, wanted, in_place_of=rule_id)
                return _rule_page(request, rule_id, form=form, previewed=found)
            change = services.change_rule(
                organization_id=organization_id, rule_id=rule_id, rule=wanted, reason=form.cleaned_data["reason"]
            )
        except RuleError as error:
            form.refuse(error)
        else:
            return _saved(request, change, _("The rule is changed."))
    return _rule_page(request, rule_id, form=form, status=400)


@require_POST
@requires(Action.MANAGE_SOURCES)
def move(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Move a rule up or down by one place."""
    places = -1 if request.POST.get("to") == "up" else 1
    try:
        change = services.move_rule(organization_id=_organization(request), rule_id=rule_id, places=places)
    except RuleError as error:
        raise Http404 from error
    _told(request, change, _("The rule is moved."))
    return redirect("attribution")


@require_POST
@requires(Action.MANAGE_SOURCES)
def end(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Let a rule hold only until a day, or take it back with a reason."""
    organization_id = _organization(request)
    _found(organization_id, rule_id)
    reason = request.POST.get("reason", "").strip()
    try:
        if reason:
            change = services.remove_rule(organization_id=organization_id, rule_id=rule_id, reason=reason)
            _told(request, change, _("The rule is taken back."))
            return redirect("attribution")
        last = date.fromisoformat(request.POST.get("last_day", ""))
        change = services.end_rule(organization_id=organization_id, rule_id=rule_id, valid_to=last + timedelta(days=1))
    except RuleError as error:
        messages.error(request, str(error))
    except ValueError:
        messages.error(request, _("Give the rule's last day, or the reason for taking it back."))
    else:
        return _saved(request, change, _("The rule ends."))
    return redirect("attribution_rule", rule_id)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.MANAGE_SOURCES)
def import_file(request: HttpRequest) -> HttpResponse:
    """Take in a file of rules; opened by its address, lead to the form."""
    if request.method != "POST":
        return redirect("attribution")
    form = FileForm(request.POST, request.FILES)
    faults: Sequence[Fault] = ()
    if form.is_valid():
        try:
            given = read_file(form.cleaned_data["file"].read())
            change = services.import_rules(
                organization_id=_organization(request), given=given, replace_all=form.cleaned_data["replace"]
            )
        except FaultyFile as error:
            form.add_error("file", str(error))
            faults = error.faults
        except RuleError as error:
            form.add_error("file", str(error))
        else:
            said = ngettext("%(count)s rule is new.", "%(count)s rules are new.", change.written)
            _told(request, change, said % {"count": change.written})
            return redirect("attribution")
    return show(request, file_form=form, faults=faults, status=400)


@require_safe
@requires(Action.SEE_SOURCES)
def rules_file(request: HttpRequest) -> HttpResponse:
    """Give the rules as CSV: changed there, they can be taken in again."""
    organization_id = _organization(request)
    reasons = dict(AttributionRule.objects.filter(organization_id=organization_id).values_list("id", "reason"))
    text = write_file((rule, reasons[rule.id]) for rule in _rules(organization_id))
    answer = HttpResponse(text, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="attribution-rules.csv"'
    return answer


# --- what is shown ----------------------------------------------------------------------------------------------------


def _form_page(
    request: HttpRequest, form: RuleForm, *, previewed: dict[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    context = {"title": _("Add a rule"), "form": form, "previewed": previewed, "days": DAYS}
    return render(request, "reporting/attribution/add.html", context, status=status)


def _rule_page(
    request: HttpRequest,
    rule_id: int,
    *,
    form: RuleForm | None = None,
    previewed: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    organization_id = _organization(request)
    row = _found(organization_id, rule_id)
    (own,) = [each for each in _rules(organization_id) if each.id == rule_id]
    editable = may(request.identity, Action.MANAGE_SOURCES)  # type: ignore[attr-defined]
    if form is None:
        initial = initial_of(own) | {"reason": ""}
        form = _form(organization_id, rows=len(own.conditions) + 1, initial=initial)
    context = {
        "title": own.name or _now("Rule %(place)s") % {"place": row.position},
        "rule": described(own, None, frozenset()) | {"place": row.position, "reason": row.reason},
        "moved": effect_in_words(shown(row.effect, folded_teams_of(organization_id))) if row.effect else None,
        "form": form if editable else None,
        "previewed": previewed,
        "days": DAYS,
    }
    return render(request, "reporting/attribution/rule.html", context, status=status)


# --- what is read from a request --------------------------------------------------------------------------------------


def _form(organization_id: int, data: Any = None, *, rows: int, initial: dict[str, Any] | None = None) -> RuleForm:
    return RuleForm(
        data, rows=rows, labels=known_labels(organization_id), names=known_names(organization_id), initial=initial
    )


def _unbound(organization_id: int, request: HttpRequest) -> RuleForm:
    """Show what was typed in with another row, without saying what is missing."""
    return _form(organization_id, rows=rows_of(request.POST), initial=request.POST.dict())


def _asked_conditions(request: HttpRequest) -> list[Any]:
    """Read the conditions that a link starts a rule with; those that are none are left out."""
    found = []
    for line in request.GET.getlist("condition")[:10]:
        try:
            found.append(parse_condition(line))
        except RuleError:
            messages.warning(request, _now("“%(line)s” is no condition.") % {"line": line[:80]})
    return found


def _saved(request: HttpRequest, change: services.RuleChange, text: Any) -> HttpResponse:
    _told(request, change, text)
    return redirect("attribution_rule", change.rule.id if change.rule else 0)


def _told(request: HttpRequest, change: services.RuleChange, text: Any) -> None:
    """Say what was done, and how much of it will be seen."""
    days = change.days
    follow = (
        ngettext("The figures of %(days)s day follow.", "The figures of %(days)s days follow.", days) % {"days": days}
        if days
        else _now("No figure changes by it.")
    )
    messages.success(request, f"{text} {follow}")
    wake_after_commit(_organization(request))


def _rules(organization_id: int) -> list[Rule]:
    titles = source_names(organization_id)
    return [with_titles(rule, titles) for rule in rules_in_order(organization_id)]


def _found(organization_id: int, rule_id: int) -> AttributionRule:
    row = AttributionRule.objects.filter(organization_id=organization_id, id=rule_id).first()
    if row is None:
        raise Http404
    return row


def _organization(request: HttpRequest) -> int:
    return int(request.identity.organization_id)  # type: ignore[attr-defined]
