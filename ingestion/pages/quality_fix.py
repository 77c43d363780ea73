"""A group of rows in quarantine: mended by a setting of their source, with the effect shown first; and all of them as a file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from core.accounting.services import rederive_source
from core.ledger.models import Source
from core.ledger.services import update_source
from core.organizations.access import requires
from core.organizations.middleware import own_scope
from core.organizations.policy import Action
from core.organizations.tenancy import organization_scope
from core.quantification.rejections import REASONS
from ingestion import fixing, selectors, services, wake
from ingestion.kinds import Setting, label_of
from ingestion.pages.source_forms import field_of, shown
from ingestion.selectors import EXPORTED, exported, neutral
from ingestion.sources import own_units

FORMATS = ("csv", "json")
EXPORT_PAGE = 2_000


class FixForm(forms.Form):
    """The settings that may let the rows of a group pass."""

    def __init__(self, data: Any, settings: list[Setting], source: Source, unknown_units: Sequence[str] = ()) -> None:
        super().__init__(data)
        for setting in settings:
            field = field_of(setting)
            field.initial = shown(source.settings.get(setting.name))
            if setting.name == own_units.SETTING:
                field.initial = "\n".join([*filter(None, [field.initial]), *(f"{unit} = " for unit in unknown_units)])
            self.fields[setting.name] = field

    def settings(self, source: Source) -> dict[str, Any]:
        """Give the source's settings with those of the form in them."""
        wanted = dict(source.settings)
        for name, value in self.cleaned_data.items():
            wanted.pop(name, None)
            if value not in (None, "", {}):
                wanted[name] = value
        return wanted


@requires(Action.MANAGE_SOURCES)
@require_http_methods(["GET", "HEAD", "POST"])
def fix(request: HttpRequest, source_id: int, reason: str) -> HttpResponse:
    """Show what other settings would make of the rows; with the button, set them and read the rows again."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    source = selectors.source_of_id(identity.organization_id, source_id)
    if source is None or reason not in REASONS:
        raise Http404
    rows = selectors.quarantine(identity.organization_id, source_id=source_id, reason=reason)
    fields = set(rows.order_by().values_list("field", flat=True).distinct())
    settings = fixing.fixing_settings(source.kind, reason, fields)
    unknown = selectors.units_in_quarantine(rows) if reason == "unknown_unit" else []
    form = FixForm(request.POST if request.method == "POST" else None, settings, source, unknown)
    effect = None
    wanted = source.settings
    if request.method == "POST" and form.is_valid():
        wanted = form.settings(source)
        if request.POST.get("verdict") == "apply":
            return applied(request, source, reason, wanted)
        effect = fixing.effect_of(identity.organization_id, source, reason, wanted)
    context = {
        "title": _("Fix by a setting") if settings else _("Read again"),
        "source": source,
        "label": label_of(source.kind),
        "reason": reason,
        "about": REASONS[reason],
        "open_rows": rows.count(),
        "form": form,
        "settings": settings,
        "effect": effect,
        "still": sorted(effect.still.items()) if effect else [],
        "refused": list(effect.refused.items()) if effect else [],
        "refused_rows": sum(effect.refused.values()) if effect else 0,
    }
    return render(request, "ingestion/quality_fix.html", context, status=400 if form.errors else 200)


def applied(request: HttpRequest, source: Source, reason: str, wanted: dict[str, Any]) -> HttpResponse:
    """Set the settings and read the rows of the group again."""
    organization_id = source.organization_id
    if wanted != source.settings:
        update_source(
            organization_id=organization_id,
            source_id=source.id,
            settings=wanted,
            reason=f"rows in quarantine: {reason}",
        )
        if wanted.get("stage") != source.settings.get("stage"):
            rederive_source(organization_id=organization_id, source_id=source.id)
            transaction.on_commit(lambda: wake.derive(organization_id))
    done = services.replay_quarantine(organization_id, source_id=source.id, reason=reason)
    for refusal in done.refused[:5]:
        messages.warning(request, refusal)
    if done.batches:
        text = ngettext("%(count)d row is being read again.", "%(count)d rows are being read again.", done.rows)
        messages.success(request, text % {"count": done.rows})
        transaction.on_commit(lambda: wake.drain(organization_id))
    return redirect("quality")


@own_scope  # it streams: no transaction stays open meanwhile
@requires(Action.SEE_SOURCES)
@require_safe
def export(request: HttpRequest, ending: str) -> HttpResponse:
    """Give all open rows, or those of a source and reason, with the payload as read."""
    organization_id: int = request.identity.organization_id  # type: ignore[attr-defined]
    source, reason = request.GET.get("source", ""), request.GET.get("reason", "")
    filters = {
        "source_id": int(source) if source.isascii() and source.isdigit() and len(source) < 10 else None,
        "reason": reason if reason in REASONS else None,
    }
    answer: Any  # a response that streams is no HttpResponse to the type checker
    if ending == "json":
        answer = StreamingHttpResponse(as_json(organization_id, filters), content_type="application/json")
    else:
        answer = StreamingHttpResponse(as_csv(organization_id, filters), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="quarantine.{ending}"'
    return answer  # type: ignore[no-any-return]


def pages_of(organization_id: int, filters: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Read rows page by page, each page in a scope of its own."""
    after = 0
    while True:
        with organization_scope(organization_id):
            found = selectors.quarantine(organization_id, **filters).filter(id__gt=after).select_related("source")
            page = list(found[:EXPORT_PAGE])
        if not page:
            return
        after = page[-1].id
        yield [exported(row) for row in page]


def as_json(organization_id: int, filters: dict[str, Any]) -> Iterator[bytes]:
    """Write rows as one array."""
    separator = b"["
    for page in pages_of(organization_id, filters):
        for row in page:
            yield separator + msgspec.json.encode(row)
            separator = b",\n "
    yield b"]\n" if separator != b"[" else b"[]\n"


class Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def as_csv(organization_id: int, filters: dict[str, Any]) -> Iterator[str]:
    """Write rows as CSV; cells that a spreadsheet would run are quoted, the payload is JSON."""
    writer = csv.writer(Echo(), lineterminator="\n")
    yield writer.writerow(EXPORTED)
    for page in pages_of(organization_id, filters):
        for row in page:
            cells = row | {"payload": msgspec.json.encode(row["payload"]).decode()}
            yield writer.writerow([neutral(cells[name]) for name in EXPORTED])
