"""Rules for bills: which rows of a bill are AI. An organization's own, in their order, with their effect shown first."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.ledger.models import Source
from core.organizations.access import requires
from core.organizations.policy import Action, may
from core.quantification.activity import HOSTINGS, STAGES
from ingestion import rule_preview, selectors, services
from ingestion.kinds import label_of
from ingestion.sources import ai_services, service_rules
from ingestion.sources.base import SettingError

MOST_BYTES: Final = 512 * 1024
AT: Final = re.compile(r"column '(?P<column>\w+)': (?P<what>.*)$", re.DOTALL)

FIELDS: Final = {"class": "classification"}
COLUMNS: Final = {field: column for column, field in FIELDS.items()}
"""Fields of the form that are called otherwise than their column of the table."""

Rules = list[dict[str, Any]]


def _choices(values: Sequence[str], empty: bool = False) -> list[tuple[str, str]]:
    return [*([("", "–")] if empty else []), *((each, each.replace("_", " ")) for each in values)]


class RuleForm(forms.Form):
    """One rule, as a line of the table of rules."""

    rule = forms.CharField(
        label=gettext_lazy("Name"), max_length=100, help_text=gettext_lazy("Of its own, such as our-gateway.")
    )
    provider = forms.CharField(
        label=gettext_lazy("Provider"),
        max_length=service_rules.LONGEST_TEXT,
        required=False,
        help_text=gettext_lazy("Pattern of the whole name: aws, azure, gcp. Empty patterns match everything."),
    )
    service = forms.CharField(
        label=gettext_lazy("Service"),
        max_length=service_rules.LONGEST_TEXT,
        required=False,
        help_text=gettext_lazy("Found in the service's name or category, in any case."),
    )
    meter = forms.CharField(
        label=gettext_lazy("Meter"),
        max_length=service_rules.LONGEST_TEXT,
        required=False,
        help_text=gettext_lazy("Found in what was metered: usage type, description, unit."),
    )
    instance = forms.CharField(
        label=gettext_lazy("Machine type"),
        max_length=service_rules.LONGEST_TEXT,
        required=False,
        help_text=gettext_lazy("Ends in +gpu where the bill states a number of GPUs."),
    )
    classification = forms.ChoiceField(
        label=gettext_lazy("Class"),
        choices=_choices(ai_services.CLASSES),
        help_text=gettext_lazy("ai becomes records; supporting and outside are counted with their cost."),
    )
    measure = forms.ChoiceField(
        label=gettext_lazy("Measure"),
        choices=_choices(ai_services.MEASURES, empty=True),
        required=False,
        help_text=gettext_lazy("What the quantity is: tokens, hours, or cost alone."),
    )
    stage = forms.ChoiceField(label=gettext_lazy("Stage"), choices=_choices(STAGES, empty=True), required=False)
    hosting = forms.ChoiceField(
        label=gettext_lazy("Who runs the hardware"), choices=_choices(HOSTINGS, empty=True), required=False
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=service_rules.LONGEST_TEXT)

    def line(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Give the rule as it is stored; what the form does not show stays."""
        kept = {name: value for name, value in before.items() if FIELDS.get(name, name) not in self.fields}
        return kept | {COLUMNS.get(name, name): value for name, value in self.cleaned_data.items() if value}


class FileForm(forms.Form):
    """Rules that take the place of a source's own."""

    file = forms.FileField(
        label=gettext_lazy("CSV or JSON"),
        help_text=gettext_lazy(
            "With the columns of the file that this page gives. It takes the place of all your own rules of this bill, once you"
            " have seen its effect."
        ),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.json"}),
    )


@requires(Action.SEE_SOURCES)
@require_safe
def bill_rules(request: HttpRequest) -> HttpResponse:
    """List a bill's own rules in the order of matching, and the shipped ones after them."""
    sources = _sources(request)
    source = _chosen(request, sources) if sources else None
    return _page(request, source)


def _page(request: HttpRequest, source: Source | None, status: int = 200, **more: Any) -> HttpResponse:
    identity: Any = request.identity  # type: ignore[attr-defined]
    context = {
        "title": _("Rules for bills"),
        "source": source,
        "sources": _sources(request),
        "label": label_of(source.kind) if source else "",
        "rules": _own(source) if source else [],
        "shipped": ai_services.rule_table().to_dict("records"),
        "may_manage": may(identity, Action.MANAGE_SOURCES),
        "file_form": FileForm(),
        "file_buttons": [("verdict", "try", _("Show the effect"))],
        **more,
    }
    return render(request, "ingestion/bill_rules.html", context, status=status)


@requires(Action.MANAGE_SOURCES)
@require_http_methods(["GET", "HEAD", "POST"])
def bill_rule(request: HttpRequest, source_id: int, name: str = "") -> HttpResponse:
    """Add a rule, or edit one: with "try" the effect is shown, with "save" it holds for what is read from now on."""
    source = _source(request, source_id)
    rules = _own(source)
    at = next((at for at, each in enumerate(rules) if each.get("rule") == name), None)
    if name and at is None:
        raise Http404
    before = rules[at] if at is not None else {}
    form = RuleForm(request.POST) if request.method == "POST" else RuleForm(initial=_initial(before))
    preview, tried = None, False
    if request.method == "POST" and form.is_valid():
        wanted = [*rules, form.line(before)] if at is None else [*rules[:at], form.line(before), *rules[at + 1 :]]
        try:
            if request.POST.get("verdict") == "save":
                reason = form.cleaned_data["reason"]
                _save(source, wanted, reason)
                messages.success(request, _("The rule holds for what is read from now on."))
                return _back(source)
            preview, tried = rule_preview.preview_of(source, wanted), True
        except SettingError as error:
            form.add_error(*_at(error, form))
    context = {
        "title": _("Edit a rule") if name else _("Add a rule"),
        "source": source,
        "form": form,
        "preview": preview,
        "moved": _moved(preview),
        "decides": preview.matched.get(form.cleaned_data["rule"], 0) if preview else 0,
        "tried": tried,
    }
    return render(request, "ingestion/bill_rule.html", context, status=400 if form.errors else 200)


@requires(Action.MANAGE_SOURCES)
@require_POST
def change_rules(request: HttpRequest, source_id: int) -> HttpResponse:
    """Move a rule up or down, or end it."""
    source = _source(request, source_id)
    rules = _own(source)
    name, verdict = request.POST.get("rule", ""), request.POST.get("verdict", "")
    at = next((at for at, each in enumerate(rules) if each.get("rule") == name), None)
    if at is None:
        messages.error(request, _("There is no rule of that name any more."))
        return _back(source)
    rule = rules.pop(at)
    if verdict in ("up", "down"):
        rules.insert(max(0, at - 1) if verdict == "up" else at + 1, rule)
        _save(source, rules, _("Order of rules"))
    elif verdict == "end":
        _save(source, rules, request.POST.get("why", "").strip() or _("Rule ended"))
        messages.success(
            request, _("“%(rule)s” has ended. What was read by it stays until it is sent again.") % {"rule": name}
        )
    return _back(source)


@requires(Action.MANAGE_SOURCES)
@require_POST
def import_rules(request: HttpRequest, source_id: int) -> HttpResponse:
    """Read rules from a file: with "try" their effect is shown, with "save" they stand in place of the source's own."""
    source = _source(request, source_id)
    given = request.FILES.get("file")
    text = request.POST.get("text", "")
    try:
        if given is not None:
            if given.size is None or given.size > MOST_BYTES:
                raise SettingError(_("the file is larger than 512 kB"))
            text = given.read().decode("utf-8-sig")
        rules = services.read_rules(text)
        if request.POST.get("verdict") == "save":
            _save(source, rules, _("Rules from a file"))
            messages.success(request, _("These rules hold for what is read from now on."))
            return _back(source)
        preview = rule_preview.preview_of(source, rules)
    except SettingError as error:
        return _page(request, source, 400, import_error=str(error), import_text=text)
    except UnicodeDecodeError:
        return _page(request, source, 400, import_error=_("The file is no text in UTF-8."))
    more: dict[str, Any] = {"import_text": text, "imported": len(rules), "preview": preview, "moved": _moved(preview)}
    return _page(request, source, **more)


@requires(Action.SEE_SOURCES)
@require_safe
def export_rules(request: HttpRequest, source_id: int) -> HttpResponse:
    """Give a source's own rules as a file that can be read back."""
    source = _source(request, source_id)
    text = io.StringIO()
    writer = csv.DictWriter(text, service_rules.COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for rule in _own(source):
        writer.writerow({name: selectors.neutral(value) for name, value in rule.items()})
    answer = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="bill-rules-{source.kind}.csv"'
    return answer


def _save(source: Source, rules: Rules, reason: str) -> None:
    services.set_service_rules(organization_id=source.organization_id, source_id=source.id, rules=rules, reason=reason)


def _moved(preview: rule_preview.RulesPreview | None) -> list[dict[str, Any]]:
    """List what would change class, the most rows first."""
    if preview is None:
        return []
    rows = [
        {"before": before, "after": after, "rows": each.rows, "cost": sorted(each.cost.items())}
        for (before, after), each in preview.moved.items()
    ]
    return sorted(rows, key=lambda row: -row["rows"])


def _at(error: SettingError, form: RuleForm) -> tuple[str | None, str]:
    """Give the field and the words of a fault."""
    found = AT.search(str(error))
    field = FIELDS.get(found["column"], found["column"]) if found else ""
    if found is None or field not in form.fields:
        return None, str(error)
    return field, found["what"]


def _initial(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {FIELDS.get(name, name): value for name, value in rule.items()}


def _own(source: Source) -> Rules:
    return [dict(rule) for rule in source.settings.get(service_rules.SETTING) or []]


def _sources(request: HttpRequest) -> list[Source]:
    return selectors.sources_of_kinds(request.identity.organization_id, rule_preview.KINDS)  # type: ignore[attr-defined]


def _chosen(request: HttpRequest, sources: Sequence[Source]) -> Source:
    wanted = request.GET.get("source", "")
    return next((each for each in sources if str(each.id) == wanted), sources[0])


def _source(request: HttpRequest, source_id: int) -> Source:
    found = next((each for each in _sources(request) if each.id == source_id), None)
    if found is None:
        raise Http404
    return found


def _back(source: Source) -> HttpResponse:
    return redirect(f"{reverse('bill_rules')}?source={source.id}")
