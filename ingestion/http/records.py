"""GET /api/v1/activity: the ledger's records as they were delivered, a page at a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from django.http import HttpRequest, HttpResponse

from core.accounting.selectors.conditions import folded_teams_of
from core.accounting.small_groups import shown_names
from core.ledger.selectors import records_page
from core.organizations.identity import Identity
from core.organizations.middleware import bearer, identity_of_person
from core.organizations.policy import Action, may, narrowing
from core.organizations.selectors import organization_by_slug
from core.organizations.services import authenticate_token
from core.problems import Problem
from ingestion import selectors

DAYS: Final = 30
LIMIT, MOST = 100, 1000
EARLIEST, LATEST = 1990, 9000
"""Years of records; days of others cannot be counted on from."""
PARAMETERS: Final = {"from", "to", "run", "batch", "after", "limit", "org"}


def list_activity(request: HttpRequest) -> HttpResponse:
    """List records that start in ``from``..``to`` (UTC days, inclusive; default the last 30), the newest first."""
    identity = reader(request)
    unknown = sorted(set(request.GET) - PARAMETERS)
    if unknown:
        raise Problem(400, "bad-parameter", f"There is no parameter {unknown[0]!r} here.", field=unknown[0])
    last = day_of(request, "to", datetime.now(UTC).date())
    first = day_of(request, "from", last - timedelta(days=DAYS - 1))
    own = narrowing(identity, requests=True)
    try:
        page = records_page(
            identity.organization_id,
            from_time=datetime.combine(first, time(), UTC),
            to_time=datetime.combine(last, time(), UTC) + timedelta(days=1),
            series_ids=selectors.series_within(identity.organization_id, own) if own else None,
            run=request.GET.get("run"),
            batch_id=batch_of(request),
            cursor=request.GET.get("after"),
            limit=limit_of(request),
        )
    except ValueError as error:
        raise Problem(400, "bad-parameter", "after is no cursor of this list.", field="after") from error
    folded = folded_teams_of(identity.organization_id)
    body = {"records": [shown(shown_names(row, folded)) for row in page.rows], "next": page.next_cursor}
    return HttpResponse(msgspec.json.encode(body, enc_hook=str), content_type="application/json")


def reader(request: HttpRequest) -> Identity:
    """Find out who reads: a token, or a person in a session. Raises Problem 401, 403 or 404."""
    secret = bearer(request)
    if secret is None:
        identity = identity_of_person(request)
    else:
        address = request.META.get("REMOTE_ADDR", "")
        identity = authenticate_token(secret, request_id=request.request_id, address=address)  # type: ignore[attr-defined]
    if identity is None:
        raise Problem(401, "unknown-token", "Sign in, or send a token that is neither unknown, expired nor revoked.")
    asked = request.GET.get("org")
    if asked and getattr(organization_by_slug(asked), "id", None) != identity.organization_id:
        raise Problem(404, "not-found", "There is nothing here, or not for you.", field="org")
    if not may(identity, Action.SEE_REQUESTS):
        raise Problem(403, "not-allowed", "Single records need the scope read, or a role that sees requests.")
    return identity


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is absent, and what only the ledger needs."""
    kept = {name: value for name, value in row.items() if value is not None and value not in ([], {}, ())}
    for name in ("key", "series_id", "mask", "grain"):
        kept.pop(name, None)
    return kept


def day_of(request: HttpRequest, name: str, default: date) -> date:
    """Read a UTC day of our time. Raises Problem 400."""
    text = request.GET.get(name)
    try:
        day = default if text is None else date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not EARLIEST <= day.year < LATEST:
        raise Problem(400, "bad-parameter", f"{name}={text!r} is no day like 2026-10-01.", field=name)
    return day


def batch_of(request: HttpRequest) -> UUID | None:
    """Read the batch that wrote the records. Raises Problem 400."""
    text = request.GET.get("batch")
    try:
        return UUID(text) if text else None
    except ValueError:
        raise Problem(400, "bad-parameter", f"batch={text!r} is no id of a batch.", field="batch") from None


def limit_of(request: HttpRequest) -> int:
    """Read how many records a page has. Raises Problem 400."""
    text = request.GET.get("limit", str(LIMIT))
    if not (text.isdecimal() and 1 <= int(text[:9]) <= MOST):
        raise Problem(400, "bad-parameter", f"limit={text!r} is not between 1 and {MOST}.", field="limit")
    return int(text)
