"""A new source: choose what there is, say what it is, copy the lines with its token, and see the first record arrive."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from django.conf import settings as site
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from core.ledger.models import Source
from core.ledger.services import SourceError, create_source
from core.organizations.access import requires
from core.organizations.models import Scope
from core.organizations.policy import Action
from core.organizations.services import issue_token
from ingestion import reading, selectors, snippets
from ingestion.kinds import Kind, kind_of, kinds, label_of
from ingestion.models import Batch, State
from ingestion.pages.source_forms import SourceForm
from ingestion.pages.sources import described

ARRIVALS_SHOWN = 3
REJECTED_SHOWN = 5
PARTS = {
    "location_kg_co2e": gettext_lazy("electricity, location-based"),
    "upstream_kg_co2e": gettext_lazy("upstream of electricity"),
    "embodied_kg_co2e": gettext_lazy("embodied share of the hardware"),
}


@requires(Action.MANAGE_SOURCES)
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Choose a kind, fill in its form, and get the lines that point a sender at the new source."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    kind = chosen(request.POST.get("kind") or request.GET.get("kind", ""))
    if kind is None:
        cards = [(each.pushed, {"kind": each, "label": label_of(each.name)}) for each in kinds()]
        context: dict[str, Any] = {
            "title": _("Add a source"),
            "pushed": [card for pushed, card in cards if pushed],
            "files": [card for pushed, card in cards if not pushed],
        }
        return render(request, "ingestion/add_source.html", context, status=400 if request.method == "POST" else 200)
    form = SourceForm(
        request.POST if request.method == "POST" else None,
        kind=kind.name,
        organization_id=identity.organization_id,
        named=True,
    )
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                source, secret = made(request, kind, form)
        except SourceError as error:
            form.add_error("name", str(error))
        else:
            return ready(request, source, secret)
    context = {"title": _("Add a source"), "kind": kind, "label": label_of(kind.name), "form": form}
    return render(request, "ingestion/add_source_form.html", context, status=400 if form.errors else 200)


def chosen(name: str) -> Kind | None:
    """Find the kind that somebody chose."""
    return kind_of(name) if name in {kind.name for kind in kinds()} else None


def made(request: HttpRequest, kind: Kind, form: SourceForm) -> tuple[Source, str]:
    """Make the source and a token that writes as nothing else."""
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    name = form.cleaned_data["name"]
    source = create_source(organization_id=organization_id, kind=kind.name, name=name, settings=form.settings())
    _token, secret = issue_token(
        organization_id=organization_id,
        name=name,
        scopes=[Scope.INGEST.value],
        source_id=source.id,
        created_by=request.user,  # type: ignore[arg-type]
    )
    return source, secret


def ready(request: HttpRequest, source: Source, secret: str) -> HttpResponse:
    """Show the token, this once, inside the lines to copy, and listen for the first record."""
    about = kind_of(source.kind)
    context = {
        "title": source.name,
        "source": source,
        "about": about,
        "label": label_of(source.kind),
        "secret": secret,
        "snippets": snippets.snippets(
            source.kind,
            site.BASE_URL,
            request.organization.slug,  # type: ignore[attr-defined]
            source.name,
            secret,
        ),
        "test": {"token": secret, "calls": [asdict(call) for call in snippets.test_calls(source.kind)]},
        "arrivals": [],
        "since": datetime.now(UTC),
    }
    answer = render(request, "ingestion/source_ready.html", context)
    answer["Cache-Control"] = "no-store"  # it holds the token
    return answer


@requires(Action.SEE_SOURCES)
@require_safe
def live(request: HttpRequest, source_id: int) -> HttpResponse:
    """Show what has just arrived over a source: as sent, as understood, what was refused, and its kg with the formula."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    source = selectors.source_of_id(identity.organization_id, source_id)
    if source is None:
        raise Http404
    latest = selectors.batches(identity.organization_id).filter(source_id=source_id, dry_run=False)[:ARRIVALS_SHOWN]
    context = {"source": source, "arrivals": [arrival(batch) for batch in latest]}
    return render(request, "ingestion/partials/arrivals.html", context)


def arrival(batch: Batch) -> dict[str, Any]:
    """Give what is shown of one payload that arrived."""
    preview = reading.preview_of(batch)
    return {
        "about": described(batch),
        "preview": preview,
        "rejected": selectors.rejected_rows(batch)[:REJECTED_SHOWN] if batch.quarantined else [],
        "formula": formula(preview.first) if preview is not None and preview.first else None,
        "finished": batch.state in (State.DONE, State.FAILED),
    }


def formula(answer: dict[str, Any]) -> dict[str, Any]:
    """Give the figures of one record and the factors that it was multiplied by."""
    impacts = answer["impacts"]
    known = {name: value for name, value in impacts.items() if value is not None}
    parts = [name for name in ("location_kg_co2e", "upstream_kg_co2e", "embodied_kg_co2e") if name in known]
    return {
        "method": answer["method"],
        "energy_kwh": known.get("energy_facility_kwh", {}).get("value"),
        "parts": [(PARTS[name], known[name]["value"]) for name in parts],
        "total_kg": sum(known[name]["value"] for name in parts) if parts else None,
        "low_kg": sum(known[name]["low"] for name in parts) if parts else None,
        "high_kg": sum(known[name]["high"] for name in parts) if parts else None,
        "factors": answer["factors"],
        "notes": answer["notes"],
    }
