"""A period on its way from open to published: what a page shows of it, and the buttons by role."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from core.accounting.figures import FilterError, Period, parse_period
from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.middleware import own_scope
from core.organizations.models import Organization
from core.organizations.policy import Action, may
from core.organizations.tenancy import organization_scope
from reporting.disclosures import RefusedError
from reporting.inventories.words import PLACES, TITLES, said
from reporting.models import Inventory, PeriodState
from reporting.selectors.checklist import ITEMS, Finding
from reporting.selectors.inventories import standing
from reporting.services import periods as services
from reporting.services.periods import PeriodError

TONES: Final = {
    PeriodState.OPEN: "",
    PeriodState.SOFT_CLOSED: "warn",
    PeriodState.IN_REVIEW: "accent",
    PeriodState.APPROVED: "good",
    PeriodState.PUBLISHED: "good",
    PeriodState.SUPERSEDED: "assumed",
}
DONE: Final = {
    "soft_close": gettext_lazy("The figures of the period are kept as they are now; they wait for its submission."),
    "submit": gettext_lazy("The period is submitted: somebody else approves it."),
    "reopen": gettext_lazy("The period is open again."),
    "approve": gettext_lazy("The period is approved and locked."),
    "reject": gettext_lazy("The period goes back to soft close."),
    "publish": gettext_lazy("The period is published."),
}


def state_of(inventory: Inventory | None) -> dict[str, str]:
    """Give a period's state as a badge."""
    state = PeriodState(inventory.state) if inventory is not None else PeriodState.OPEN
    return {"state": state, "text": str(state.label), "tone": TONES[state]}


def findings_shown(findings: list[Finding]) -> list[dict[str, Any]]:
    """Give the checklist as rows: what was asked, what was found, where it is settled."""
    return [
        {
            "item": each.item,
            "open": each.open,
            "title": TITLES[each.item],
            "text": said(each),
            "address": reverse(PLACES[each.item]) if each.open and each.item in PLACES else "",
        }
        for each in findings
    ]


def kept_findings(inventory: Inventory) -> list[Finding]:
    """Read the checklist as it was when a period was submitted."""
    return [Finding(each["item"], each["open"], each["facts"]) for each in inventory.checklist]


def buttons(identity: Identity, inventory: Inventory | None, *, over: bool, alone: bool) -> set[str]:
    """Name the steps that somebody may take now; a step that is not theirs is absent."""
    state = inventory.state if inventory is not None else PeriodState.OPEN
    if identity.person_id is None:
        return set()
    steps = set()
    if may(identity, Action.PREPARE_PERIOD):
        steps |= {PeriodState.OPEN: {"soft_close"} if over else set()}.get(state, set())  # type: ignore[call-overload]
        if state == PeriodState.SOFT_CLOSED:
            steps |= {"soft_close", "submit", "reopen"}
        if state == PeriodState.IN_REVIEW:
            steps.add("reopen")
    if may(identity, Action.APPROVE_PERIOD):
        if state == PeriodState.IN_REVIEW and inventory is not None:
            steps.add("reject")
            if inventory.prepared_by_id != identity.person_id or (alone and inventory.single_reviewer):
                steps.add("approve")
        if state == PeriodState.APPROVED:
            steps.add("publish")
    return steps


@own_scope
@require_POST
@requires(Action.PREPARE_PERIOD)
def prepare(request: HttpRequest, period: str) -> HttpResponse:
    """Take one of the preparer's steps: soft close, submit, open again."""
    organization, identity = _asker(request)
    asked = {"organization": organization, "person_id": _person(identity)}

    def soft_close(_found: Inventory | None, _named: Period) -> None:
        services.soft_close(reading=services.read_period(organization, period, today=_today()), **asked)  # type: ignore[arg-type]

    def submit(found: Inventory | None, _named: Period) -> None:
        reading = services.read_period(organization, period, today=_today())
        accepted = {
            item: request.POST.get(f"reason_{item}", "") for item in request.POST.getlist("accept") if item in ITEMS
        }
        if missing := [item for item, reason in accepted.items() if not reason.strip()]:
            names = ", ".join(str(TITLES[item]) for item in missing)
            raise PeriodError(_("Say why it is closed with this: {names}.").format(names=names))
        services.submit(inventory_id=_id(found), reading=reading, accepted=accepted, **asked)  # type: ignore[arg-type]

    def reopen(found: Inventory | None, _named: Period) -> None:
        services.reopen(
            organization_id=organization.id,
            inventory_id=_id(found),
            person_id=_person(identity),
            reason=request.POST.get("reason", ""),
        )

    return _step(request, period, {"soft_close": soft_close, "submit": submit, "reopen": reopen})


@own_scope
@require_POST
@requires(Action.APPROVE_PERIOD)
def review(request: HttpRequest, period: str) -> HttpResponse:
    """Take one of the approver's steps: approve, send back, publish."""
    organization, identity = _asker(request)
    asked: dict[str, Any] = {"organization_id": organization.id, "person_id": _person(identity)}
    note = request.POST.get("note", "")
    return _step(
        request,
        period,
        {
            "approve": lambda found, _named: services.approve(inventory_id=_id(found), note=note, **asked),
            "reject": lambda found, _named: services.reject(inventory_id=_id(found), note=note, **asked),
            "publish": lambda found, _named: services.publish(inventory_id=_id(found), **asked),
        },
    )


def _step(
    request: HttpRequest, period: str, steps: dict[str, Callable[[Inventory | None, Period], object]]
) -> HttpResponse:
    """Take the step that a form asks for, say what came of it, and go back to the period."""
    organization, _identity = _asker(request)
    step = request.POST.get("step", "")
    if step not in steps:
        raise Http404
    try:
        named = parse_period(period, organization.fiscal_year_start_month)
        with organization_scope(organization.id):
            found = standing(organization.id, named.from_day, named.to_day)
        steps[step](found, named)
    except FilterError as error:
        raise Http404(str(error)) from error
    except RefusedError as error:
        messages.error(request, " ".join(error.reasons))
    except PeriodError as error:
        messages.error(request, str(error))
    except Inventory.DoesNotExist:
        messages.error(request, _("Somebody else was quicker: the period has changed meanwhile."))
    else:
        messages.success(request, str(DONE[step]))
    return redirect("disclosure_draft", period)


def _id(found: Inventory | None) -> Any:
    if found is None:
        raise PeriodError(_("The period is open: close it softly first."))
    return found.id


def _asker(request: HttpRequest) -> tuple[Organization, Identity]:
    return request.organization, request.identity  # type: ignore[attr-defined]


def _person(identity: Identity) -> int:
    return identity.person_id or 0


def _today() -> Any:
    return datetime.now(UTC).date()
