"""One source: its state, its coverage, its batches, settings, tokens, and the deletion of a period."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from django import forms
from django.conf import settings as site
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from core.accounting.figures import Filter
from core.accounting.selectors import emissions
from core.accounting.services import rederive_source
from core.ledger import deletions
from core.ledger.models import Source
from core.ledger.services import update_source
from core.organizations.access import requires
from core.organizations.models import Scope
from core.organizations.policy import Action, may
from core.organizations.services import OrganizationError, issue_token, revoke_token
from ingestion import life, selectors, snippets, wake
from ingestion.kinds import DEFAULTS, kind_of, label_of, settings_of
from ingestion.pages.add_source import ready
from ingestion.pages.source_forms import SourceForm
from ingestion.pages.sources import described
from ingestion.rule_preview import KINDS as RULED

BATCHES_SHOWN = 10


class DeletionForm(forms.Form):
    """Which days of a source are deleted, why, and its name once more."""

    from_day = forms.DateField(label=gettext_lazy("First day"), widget=forms.DateInput(attrs={"type": "date"}))
    to_day = forms.DateField(
        label=gettext_lazy("Last day"),
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("UTC, both included; records that start on them."),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=1000)
    name = forms.CharField(
        label=gettext_lazy("Name of the source, to confirm"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Leave it open to see first what would be deleted."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


@requires(Action.SEE_SOURCES)
@require_safe
def source(request: HttpRequest, source_id: int) -> HttpResponse:
    """Show one source."""
    return show(request, found_source(request, source_id))


def found_source(request: HttpRequest, source_id: int) -> Source:
    """Find a source of the asker's organization. Raises Http404."""
    found = selectors.source_of_id(request.identity.organization_id, source_id)  # type: ignore[attr-defined]
    if found is None:
        raise Http404
    return found


def show(
    request: HttpRequest,
    found: Source,
    *,
    status: int = 200,
    at_stake: dict[str, Any] | None = None,
    **bound: forms.Form,
) -> HttpResponse:
    identity: Any = request.identity  # type: ignore[attr-defined]
    now = datetime.now(UTC)
    (card,) = selectors.source_cards(identity.organization_id, now, found.id)
    batches, _cursor = selectors.batch_page(identity.organization_id, source_id=found.id, rows=BATCHES_SHOWN)
    may_manage = may(identity, Action.MANAGE_SOURCES)
    context = {
        "title": found.name,
        "source": found,
        "label": label_of(found.kind),
        "about": kind_of(found.kind),
        "card": card,
        "life": life.life_of(identity.organization_id, found.id, now),
        "now": now,
        "batches": [described(batch) for batch in batches],
        "may_manage": may_manage,
        "tokens": life.tokens_of(identity.organization_id, found.id, found.name) if may_manage else [],
        "settings": said(found),
        "ruled": found.kind in RULED,
        "snippets": snippets.snippets(
            found.kind,
            site.BASE_URL,
            request.organization.slug,  # type: ignore[attr-defined]
            found.name,
        ),
        "deletions": deletions.deletions_of(identity.organization_id, found.id),
        "at_stake": at_stake,
    }
    if may_manage:
        context["form"] = bound.get("form") or settings_form(found)
        context["deletion_form"] = bound.get("deletion_form") or DeletionForm()
    return render(request, "ingestion/source.html", context, status=status)


def said(found: Source) -> list[tuple[Any, Any]]:
    """List the settings of a source that say something, as labels and values."""
    values = [(setting.label, found.settings.get(setting.name)) for setting in settings_of(found.kind)]
    return [(label, _in_words(value)) for label, value in values if value not in (None, "")]


def _in_words(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{reported} = {known}" for reported, known in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def settings_form(found: Source, data: Any = None) -> SourceForm:
    """Make the form of a source's settings."""
    return SourceForm(data, kind=found.kind, organization_id=found.organization_id, current=found.settings)


@requires(Action.MANAGE_SOURCES)
@require_POST
def settings(request: HttpRequest, source_id: int) -> HttpResponse:
    """Change the settings; where figures follow from them, the days of the source are derived again."""
    found = found_source(request, source_id)
    form = settings_form(found, request.POST)
    if not form.is_valid():
        return show(request, found, form=form, status=400)
    wanted = form.settings()
    if wanted == found.settings:
        messages.info(request, _("Nothing was changed."))
        return redirect("source", source_id)
    derives = [setting.name for setting in DEFAULTS]
    changed = any(wanted.get(name) != found.settings.get(name) for name in derives)
    update_source(organization_id=found.organization_id, source_id=source_id, settings=wanted)
    if changed:
        days = rederive_source(organization_id=found.organization_id, source_id=source_id)
        transaction.on_commit(lambda: wake.derive(found.organization_id))
        messages.success(request, _("The settings are changed; %(days)d days are derived again.") % {"days": days})
    else:
        messages.success(request, _("The settings are changed. They hold for what is read from now on."))
    return redirect("source", source_id)


@requires(Action.MANAGE_SOURCES)
@require_POST
def token(request: HttpRequest, source_id: int) -> HttpResponse:
    """Issue another token that writes as this source, shown once."""
    found = found_source(request, source_id)
    _token, secret = issue_token(
        organization_id=found.organization_id,
        name=found.name,
        scopes=[Scope.INGEST.value],
        source_id=found.id,
        created_by=request.user,  # type: ignore[arg-type]
    )
    return ready(request, found, secret)


@requires(Action.MANAGE_SOURCES)
@require_POST
def revoke(request: HttpRequest, source_id: int, token_id: int) -> HttpResponse:
    """Revoke a token of this source."""
    found = found_source(request, source_id)
    if token_id not in {each.id for each in life.tokens_of(found.organization_id, found.id, found.name)}:
        raise Http404
    try:
        revoke_token(organization_id=found.organization_id, token_id=token_id)
    except OrganizationError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The token is revoked: what uses it is refused from now on."))
    return redirect("source", source_id)


@requires(Action.MANAGE_SOURCES)
@require_POST
def delete_data(request: HttpRequest, source_id: int) -> HttpResponse:
    """Delete a period: first what it would take back, then, with the name typed, the deletion."""
    found = found_source(request, source_id)
    form = DeletionForm(request.POST)
    if not form.is_valid():
        return show(request, found, deletion_form=form, status=400)
    period = {name: form.cleaned_data[name] for name in ("from_day", "to_day")}
    if not form.cleaned_data["name"] and period["from_day"] <= period["to_day"]:
        return show(request, found, deletion_form=form, at_stake=at_stake(found, **period))

    def ask() -> None:
        deletions.ask_deletion(organization_id=found.organization_id, source_id=found.id, **form.cleaned_data)

    return decided(request, found, form, ask, _("The records are being taken back."))


def at_stake(found: Source, from_day: date, to_day: date) -> dict[str, Any]:
    """Say what a deletion would take back: records, their first and latest day, and what the figures count for them."""
    extent = deletions.extent_of(found.organization_id, found.id, from_day, to_day)
    asked = Filter(from_day, to_day, dims={"source": (found.name,)})
    rows = emissions(found.organization_id, asked, bounds=False).rows
    kg = float(rows["total_kg_co2e"].sum()) if len(rows) else 0.0
    return {"extent": extent, "kg": kg}


@requires(Action.MANAGE_SOURCES)
@require_POST
def restore_data(request: HttpRequest, source_id: int, deletion_id: int) -> HttpResponse:
    """Take a deletion back."""
    found = found_source(request, source_id)
    if deletion_id not in {each.id for each in deletions.deletions_of(found.organization_id, found.id)}:
        raise Http404

    def ask() -> None:
        deletions.ask_restore(
            organization_id=found.organization_id, deletion_id=deletion_id, reason=request.POST.get("reason", "")
        )

    return decided(request, found, None, ask, _("The records are being restored."))


def decided(
    request: HttpRequest, found: Source, form: DeletionForm | None, ask: Callable[[], None], said: str
) -> HttpResponse:
    """Carry a decision about the data of a source out, in the background, or say beside the field what is wrong."""
    try:
        with transaction.atomic():
            ask()
    except deletions.DeletionError as error:
        if form is None:
            messages.error(request, str(error))
            return redirect("source", found.id)
        form.add_error(error.field or None, str(error))
        return show(request, found, deletion_form=form, status=400)
    transaction.on_commit(lambda: wake.delete(found.organization_id))
    messages.success(request, said)
    return redirect("source", found.id)


@requires(Action.SEE_SOURCES)
@require_safe
def deletion_progress(request: HttpRequest, source_id: int) -> HttpResponse:
    """Show the deletions of a source; while one works, htmx asks for this part alone."""
    found = found_source(request, source_id)
    context = {
        "source": found,
        "deletions": deletions.deletions_of(found.organization_id, found.id),
        "may_manage": may(request.identity, Action.MANAGE_SOURCES),  # type: ignore[attr-defined]
    }
    return render(request, "ingestion/partials/deletions.html", context)
