"""Sources: is data arriving; importing files; what became of each batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.ledger.models import Source
from core.organizations.access import requires
from core.organizations.middleware import own_scope
from core.organizations.policy import Action, may
from core.organizations.tenancy import organization_scope
from ingestion import fetching, reading, selectors, services, uploads, wake
from ingestion.kinds import label_of
from ingestion.models import Batch, State
from ingestion.sources import activity, registry
from ingestion.sources.base import UnreadablePayload

TONES = {State.PENDING: "warn", State.PROCESSING: "accent", State.DONE: "good", State.FAILED: "bad"}


class ManyFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One file or several: one delivery."""

    widget = ManyFiles

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[Any]]:
        given = [each for each in data if each] if isinstance(data, list | tuple) else [data]
        return [
            super(FilesField, self).clean(each, initial) for each in given or [None]
        ]  # none: says that one is needed


class ImportForm(forms.Form):
    """The files of one delivery."""

    file = FilesField(
        label=gettext_lazy("Files"),
        help_text=gettext_lazy(
            "Drop them here or choose. All files of one upload are one delivery of one format; where a manifest lies"
            " among them, they are held against it."
        ),
    )
    connection = forms.ChoiceField(
        label=gettext_lazy("Source"),
        required=False,
        help_text=gettext_lazy("Which one these files belong to; a new export of a format starts a source of its own."),
    )
    source = forms.ChoiceField(label=gettext_lazy("Format"), required=False)
    dry_run = forms.BooleanField(
        label=gettext_lazy("Dry run first: read and compare with the ledger, write nothing"),
        required=False,
        initial=True,
    )

    def __init__(self, *args: Any, connections: Sequence[Source] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connections = {str(source.id): source for source in connections}
        named = [(key, f"{source.name} ({label_of(source.kind)})") for key, source in self.connections.items()]
        self.fields["connection"].choices = [("", _("The one named as its format")), *named]  # type: ignore[attr-defined]
        known = [(name, label_of(name)) for name in sorted(registry.SOURCES)]
        self.fields["source"].choices = [("", _("Find out from the content")), *known]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Take the format from the source that was chosen, and refuse another."""
        found: dict[str, Any] = super().clean() or {}
        chosen = self.connections.get(found.get("connection") or "")
        if chosen is not None and found.get("source") and found["source"] != chosen.kind:
            self.add_error("source", _("This source takes files of another format."))
        found["name"] = chosen.name if chosen else ""
        found["wanted"] = chosen.kind if chosen else found.get("source", "")
        return found


@requires(Action.SEE_SOURCES)
@require_safe
def sources(request: HttpRequest) -> HttpResponse:
    """Show whether data is arriving."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    cards = selectors.source_cards(identity.organization_id, datetime.now(UTC))
    context = {
        "title": _("Sources"),
        "cards": [{"card": card, "label": label_of(card.kind)} for card in cards],
        "may_manage": may(identity, Action.MANAGE_SOURCES),
        "latest": [described(batch) for batch in selectors.batches(identity.organization_id)[:10]],
    }
    return render(request, "ingestion/sources.html", context)


@own_scope  # an upload may take minutes: no transaction stays open meanwhile
@requires(Action.MANAGE_SOURCES)
@require_http_methods(["GET", "HEAD", "POST"])
def import_files(request: HttpRequest) -> HttpResponse:
    """Take the files of a delivery, by default as a dry run."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    sent = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    with organization_scope(identity.organization_id):
        connections = list(Source.objects.filter(organization_id=identity.organization_id).order_by("kind", "name"))
    chosen = {name: request.GET.get(name, "") for name in ("source", "connection")}
    form = ImportForm(*sent, initial=chosen, connections=connections)
    if request.method == "POST" and form.is_valid():
        try:
            accepted = services.accept_files(
                identity=identity,
                given=[uploads.from_form(file) for file in form.cleaned_data["file"]],
                wanted=form.cleaned_data["wanted"],
                source_name=form.cleaned_data["name"],
                dry_run=form.cleaned_data["dry_run"],
            )
        except uploads.UnknownFormatError as error:
            form.add_error("source", str(error))
        except UnreadablePayload as error:
            form.add_error("file", str(error))
        else:
            wake.drain(identity.organization_id)
            return redirect("batch_page", accepted.batch_id)
    context = {"title": _("Import files"), "form": form, "max_mb": settings.MAX_PAYLOAD_MB}
    return render(request, "ingestion/import.html", context, status=400 if form.errors else 200)


@requires(Action.SEE_SOURCES)
@require_safe
def template_file(request: HttpRequest, ending: str) -> HttpResponse:
    """Give the template for records that no agent sends, as CSV or XLSX."""
    content = activity.template_csv() if ending == "csv" else activity.template_xlsx()
    media_type = (
        "text/csv; charset=utf-8"
        if ending == "csv"
        else "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    )
    answer = HttpResponse(content, content_type=media_type)
    answer["Content-Disposition"] = f'attachment; filename="wattledger-activity.{ending}"'
    return answer


@requires(Action.SEE_SOURCES)
@require_safe
def seats_template(_request: HttpRequest) -> HttpResponse:
    """Give the template of seats, with two lines that show how it is filled in."""
    answer = HttpResponse(fetching.seats_template(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="wattledger-seats.csv"'
    return answer


@requires(Action.SEE_SOURCES)
@require_safe
def batches(request: HttpRequest) -> HttpResponse:
    """List batches, the newest first."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    source, state, after = request.GET.get("source", ""), request.GET.get("state", ""), request.GET.get("after", "")
    page, cursor = selectors.batch_page(
        identity.organization_id,
        source_id=int(source) if source.isdecimal() and len(source) < 10 else None,
        state=state if state in State.values else "",
        after=as_uuid(after),
    )
    query = request.GET.copy()
    if cursor:
        query["after"] = str(cursor)
    context = {
        "title": _("Batches"),
        "batches": [described(batch) for batch in page],
        "next": f"?{query.urlencode()}" if cursor else "",
        "states": [(value, label, value == state) for value, label in State.choices],
        "source": source,
    }
    return render(request, "ingestion/batches.html", context)


@requires(Action.SEE_SOURCES)
@require_safe
def batch(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Show one batch; while it is being read, htmx asks for its progress alone."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    found = selectors.visible_batch(identity, batch_id)
    if found is None:
        raise Http404
    context = {
        "title": _("Batch"),
        "batch": found,
        "about": described(found),
        "rejected": selectors.rejected_rows(found)[: selectors.REJECTED_SHOWN] if found.quarantined else [],
        "outside_credited": any(line["cost"] < 0 for line in found.outside_by),
        "may_manage": may(identity, Action.MANAGE_SOURCES),
    }
    if getattr(request, "htmx", False):
        answer = render(request, "ingestion/partials/batch_progress.html", context)
        if found.finished_at:
            answer["HX-Refresh"] = "true"
        return answer
    if may(identity, Action.MANAGE_SOURCES):
        context["preview"] = reading.preview_of(found)
    return render(request, "ingestion/batch.html", context)


@requires(Action.MANAGE_SOURCES)
@require_POST
def commit_batch(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Import what a dry run has shown, or try a failed batch again."""
    return decide(request, batch_id, lambda organization_id: services.read_again(organization_id, batch_id))


@requires(Action.MANAGE_SOURCES)
@require_POST
def confirm_batch(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Let a held delivery pass, or refuse it."""
    why = request.POST.get("why", "")

    def settle(organization_id: int) -> None:
        if request.POST.get("verdict") == "refuse":
            services.reject_held(organization_id, batch_id, why=why)
        else:
            services.confirm_held(organization_id, batch_id, why=why)

    return decide(request, batch_id, settle)


def decide(request: HttpRequest, batch_id: UUID, service: Any) -> HttpResponse:
    """Carry out a decision about a batch and go to where it shows."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    if selectors.visible_batch(identity, batch_id) is None:
        raise Http404
    try:
        with transaction.atomic():
            made = service(identity.organization_id)
    except services.ResolveError as error:
        messages.error(request, str(error))
        return redirect("batch_page", batch_id)
    transaction.on_commit(lambda: wake.drain(identity.organization_id))
    return redirect("batch_page", made or batch_id)


def described(found: Batch) -> dict[str, Any]:
    """Give what a line or head about a batch shows."""
    return {
        "batch": found,
        "label": label_of(found.kind),
        "tone": "warn" if found.held else TONES[State(found.state)],
        "state": _("held") if found.held else State(found.state).label,
        "id": str(found.id),
        "address": reverse("batch_page", args=[found.id]),
        "counts": [
            (_("received"), found.received),
            (_("written"), found.written),
            (_("duplicate"), found.duplicate),
            (_("quarantined"), found.quarantined),
            (_("outside"), found.outside),
        ],
        "took_s": (found.finished_at - found.received_at).total_seconds() if found.finished_at else None,
    }


def as_uuid(text: str) -> UUID | None:
    """Read a cursor; None for anything else."""
    try:
        return UUID(text)
    except ValueError:
        return None
