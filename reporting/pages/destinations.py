"""Destinations: where messages go, a test of each, and the log of every attempt."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.delivery import selectors, services
from core.delivery.kinds import kinds, label_of, said
from core.delivery.models import Channel, Delivery, DeliveryState, Destination
from core.delivery.tasks import wake_after_commit
from core.organizations.access import requires
from core.organizations.policy import Action
from core.organizations.selectors import team_names
from core.organizations.tenancy import organization_scope
from core.suggesting import Suggesting

SHOWN: Final = 50
TONES: Final = {"waiting": "warn", "delivered": "good", "failed": "bad"}


class DestinationForm(forms.Form):
    """Where messages go, and which."""

    name = forms.CharField(label=_("Name"), max_length=services.LONGEST_NAME)
    channel = forms.ChoiceField(label=_("Channel"), choices=Channel.choices)
    address = forms.CharField(
        label=_("Address"),
        max_length=2000,
        help_text=_("An e-mail address, or the URL that is posted to. Addresses inside a private network are refused."),
    )
    kinds = forms.MultipleChoiceField(
        label=_("Only about (none ticked: everything)"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    team = forms.CharField(label=_("Only of the team"), max_length=200, required=False)
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES, initial=settings.LANGUAGE_CODE)

    def __init__(self, *args: Any, organization_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kinds"].choices = [(kind.name, kind.label) for kind in kinds()]  # type: ignore[attr-defined]
        self.fields["team"].widget = Suggesting(team_names(organization_id), {"maxlength": 200})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.MANAGE_DESTINATIONS)
def destinations(request: HttpRequest) -> HttpResponse:
    """List the destinations with what was sent lately, or add one."""
    organization_id = _organization(request)
    if request.method != "POST":
        return _listed(request, DestinationForm(organization_id=organization_id))
    form = DestinationForm(request.POST, organization_id=organization_id)
    if not form.is_valid():
        return _listed(request, form, status=400)
    given = form.cleaned_data
    try:
        made, secret = services.add_destination(
            organization_id=organization_id,
            name=given["name"],
            channel=given["channel"],
            address=given["address"],
            kinds_wanted=given["kinds"],
            team=given["team"],
            language=given["language"],
            created_by_id=request.user.pk,
        )
    except services.DestinationError as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
        return _listed(request, form, status=400)
    if secret:
        return _shown(request, made.id, secret=secret)
    messages.success(request, _("The destination is added: send it a test."))
    return redirect("destination", made.id)


@require_safe
@requires(Action.MANAGE_DESTINATIONS)
def destination(request: HttpRequest, destination_id: int) -> HttpResponse:
    """Show one destination and every attempt to reach it."""
    return _shown(request, destination_id)


@require_POST
@requires(Action.MANAGE_DESTINATIONS)
def change_destination(request: HttpRequest, destination_id: int) -> HttpResponse:
    """Send a test, pause, resume, give a new secret, or remove."""
    organization_id = _organization(request)
    what = request.POST.get("what", "")
    with organization_scope(organization_id):
        if not selectors.destinations(organization_id).filter(id=destination_id).exists():
            raise Http404
    try:
        if what == "test":
            services.send_test(organization_id=organization_id, destination_id=destination_id)
            wake_after_commit(organization_id)
            messages.success(request, _("The test is on its way."))
        elif what in {"pause", "resume"}:
            services.pause_destination(
                organization_id=organization_id, destination_id=destination_id, paused=what == "pause"
            )
            wake_after_commit(organization_id)
        elif what == "rotate":
            secret = services.rotate_secret(organization_id=organization_id, destination_id=destination_id)
            return _shown(request, destination_id, secret=secret)
        elif what == "remove":
            services.remove_destination(organization_id=organization_id, destination_id=destination_id)
            messages.success(request, _("The destination is removed; its log stays."))
            return redirect("destinations")
    except Destination.DoesNotExist:
        raise Http404 from None
    return redirect("destination", destination_id)


def _listed(request: HttpRequest, form: DestinationForm, status: int = 200) -> HttpResponse:
    organization_id = _organization(request)
    with organization_scope(organization_id):
        rows = list(selectors.destinations(organization_id))
        log = selectors.latest_deliveries(organization_id, limit=SHOWN)
    context = {
        "title": _("Messages"),
        "destinations": [_destination(each) for each in rows],
        "log": [_delivery(each) for each in log],
        "form": form,
        "mail": settings.EMAIL_CONFIGURED,
    }
    return render(request, "reporting/destinations/list.html", context, status=status)


def _shown(request: HttpRequest, destination_id: int, *, secret: str = "") -> HttpResponse:
    organization_id = _organization(request)
    with organization_scope(organization_id):
        found = selectors.destinations(organization_id).filter(id=destination_id).first()
        if found is None:
            raise Http404
        log = selectors.latest_deliveries(organization_id, destination_id=destination_id, limit=SHOWN)
    shown = _destination(found)
    context = {
        "title": found.name,
        "destination": shown,
        "signed": found.channel == Channel.WEBHOOK,
        "secret": secret,
        "log": [_delivery(each) for each in log],
        "moving": any(each.state == DeliveryState.WAITING and each.tries == 0 for each in log) and not found.paused_at,
    }
    return render(request, "reporting/destinations/one.html", context)


def _destination(found: Destination) -> dict[str, Any]:
    return {
        "id": found.id,
        "name": found.name,
        "channel": found.get_channel_display(),
        "address": services.shown_address(found),
        "kinds": [label_of(name) for name in found.kinds],
        "team": found.team,
        "paused_at": found.paused_at,
        "former_until": found.former_until,
    }


def _delivery(found: Delivery) -> dict[str, Any]:
    return {
        "id": found.id,
        "kind": label_of(found.message.kind),
        "said": said(found.message.kind, found.message.data),
        "occurred_at": found.message.occurred_at,
        "destination": found.destination,
        "state": found.get_state_display(),
        "tone": TONES[found.state],
        "waiting": found.state == DeliveryState.WAITING,
        "next_at": found.next_at,
        "attempts": list(found.attempts.all()),
    }


def _organization(request: HttpRequest) -> int:
    organization_id: int = request.identity.organization_id  # type: ignore[attr-defined]
    return organization_id
