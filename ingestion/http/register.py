"""GET, POST /api/v1/register: dated, sourced facts about sites and assets, all of a delivery or none."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse

from core.accounting.services import add_register_entries
from core.catalog.entries import KINDS, NUMBERS, TEMPLATE, WITHDRAWAL, UnreadableFile, rows_of_csv
from core.catalog.models import RegisterEntry
from core.catalog.selectors import all_entries, standing_entries
from core.catalog.services import RegisterRefused
from core.organizations.identity import Identity
from core.organizations.policy import Action, may, roles_that_may
from core.organizations.tenancy import organization_scope
from core.problems import Problem
from ingestion.http.doors import door, read_body, require_media_type
from ingestion.http.imports import check_csrf

JSON: Final = "application/json"
CSV: Final = "text/csv"
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
LIMIT, MOST = 500, 5_000
PARAMETERS: Final = {"site", "kind", "from", "to", "replaced", "after", "limit", "org"}


@door("GET", "POST", session=True)
def register(request: HttpRequest) -> HttpResponse:
    """List the register, or add to it."""
    return add(request) if request.method == "POST" else listed(request)


def add(request: HttpRequest) -> HttpResponse:
    """Add every row of a body: 201 with the ids in their order, else 400 with every fault and nothing written."""
    identity = allowed(request, Action.MANAGE_SOURCES, Action.INGEST, "adding to the register", "ingest or admin")
    check_csrf(request, identity)
    body = read_body(request)
    kind = require_media_type(body, JSON, CSV)
    try:
        rows = rows_of_csv(body.unpacked) if kind == CSV else rows_of_json(body.unpacked)
        made = add_register_entries(organization_id=identity.organization_id, rows=rows, today=datetime.now(UTC).date())
    except UnreadableFile as error:
        raise Problem(400, "unreadable-register", str(error)) from error
    except RegisterRefused as error:
        raise Problem(
            400,
            "register-refused",
            f"Nothing was written: {len(error.faults)} {'fault' if len(error.faults) == 1 else 'faults'}.",
            faults=[fault.as_dict() for fault in error.faults],
            what_to_do="Mend every fault and send all rows again.",
        ) from error
    return answer({"ids": [entry.id for entry in made]}, status=201)


def rows_of_json(content: bytes) -> list[dict[str, Any]]:
    """
    Read an array of entries, or one.

    Raises:
        UnreadableFile: no JSON, or something else than objects.
    """
    try:
        given = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise UnreadableFile(f"The body cannot be read as JSON: {error}.") from error
    rows = [given] if isinstance(given, dict) else given
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnreadableFile(
            "Send an array of entries, each an object with site, kind, date, source and its quantities."
        )
    return rows


def listed(request: HttpRequest) -> HttpResponse:
    """List entries by id, a page at a time: those that stand, or with ``replaced=true`` every one."""
    identity = allowed(request, Action.SEE_PERIODS, None, "the register", "read")
    unknown = sorted(set(request.GET) - PARAMETERS)
    if unknown:
        raise Problem(400, "bad-parameter", f"There is no parameter {unknown[0]!r} here.", field=unknown[0])
    first, last = day_of(request, "from"), day_of(request, "to")
    kind = request.GET.get("kind", "")
    if kind and kind not in (*KINDS, WITHDRAWAL):
        raise Problem(400, "bad-parameter", f"kind={kind!r} is none of {', '.join(KINDS)}.", field="kind")
    limit, after = number_of(request, "limit", LIMIT, MOST), number_of(request, "after", 0, 2**62)
    with organization_scope(identity.organization_id):
        everything = request.GET.get("replaced", "").lower() in {"1", "true", "yes"}
        found = (all_entries if everything else standing_entries)(identity.organization_id)
        for condition, value in (
            ("site__slug", request.GET.get("site")),
            ("kind", kind),
            ("day__gte", first),
            ("day__lte", last),
        ):
            found = found.filter(**{condition: value}) if value else found
        rows = [shown(entry) for entry in found.filter(id__gt=after).order_by("id")[: limit + 1]]
    following = rows[limit - 1]["id"] if len(rows) > limit else None
    if CSV in request.headers.get("Accept", ""):
        return HttpResponse(as_csv(rows[:limit]), content_type="text/csv; charset=utf-8")
    return answer({"entries": rows[:limit], "next": following})


def allowed(request: HttpRequest, action: Action, scope: Action | None, what: str, needed: str) -> Identity:
    """Find out who asks. The register is the whole organization's: nobody who is narrowed to a team. Raises 401 or 403."""
    identity: Identity | None = request.identity  # type: ignore[attr-defined]  # set by the middleware
    if identity is None:
        raise Problem(401, "no-token", f"Sign in, or send a token of scope {needed}.")
    if not (may(identity, action) or (scope is not None and may(identity, scope))):
        roles = ", ".join(roles_that_may(action))
        raise Problem(
            403, "not-allowed", f"{what[0].upper()}{what[1:]} needs a role ({roles}) or a token of scope {needed}."
        )
    if identity.token_id is not None and is_narrowed(identity):
        told = "This token is narrowed to a team, project, stage or source"
        raise Problem(403, "not-allowed", f"{told}; {what} concerns all of them.")
    return identity


def is_narrowed(identity: Identity) -> bool:
    """Tell whether a token is for a part of the organization only."""
    named = identity.team or identity.project or identity.source or identity.stage
    return bool(named) or identity.source_id is not None


def shown(entry: RegisterEntry) -> dict[str, Any]:
    """Give an entry in the words of the template, what is absent left out; quantities as JSON numbers."""
    monthly = entry.kind in KINDS and KINDS[entry.kind].monthly
    row: dict[str, Any] = {
        "id": entry.id,
        "site": entry.site.slug,
        "kind": entry.kind,
        "date": f"{entry.day:%Y-%m}" if monthly else entry.day.isoformat(),
    }
    for name in KINDS[entry.kind].columns if entry.kind in KINDS else ():
        value = getattr(entry, name)
        if value is not None:
            row[name] = float(value) if name in NUMBERS and name != "count" else value
    row["source"] = entry.source
    if entry.replaces_id is not None:
        row["replaces"] = entry.replaces_id
    if getattr(entry, "replaced", False):
        row["replaced"] = True
    row["recorded_at"] = entry.recorded_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return row


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Write entries in the columns of the template, behind their id; nothing that a spreadsheet would run as a formula."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["id", *TEMPLATE, "recorded_at"], lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                name: f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
                for name, value in row.items()
            }
        )
    return out.getvalue()


def day_of(request: HttpRequest, name: str) -> date | None:
    """Read a day. Raises Problem 400."""
    text = request.GET.get(name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Problem(400, "bad-parameter", f"{name}={text!r} is no day like 2026-10-01.", field=name) from None


def number_of(request: HttpRequest, name: str, default: int, most: int) -> int:
    """Read a whole number from 0 to ``most``. Raises Problem 400."""
    text = request.GET.get(name, str(default))
    if not (text.isdecimal() and len(text) < 20 and int(text) <= most) or (name == "limit" and int(text) < 1):
        raise Problem(400, "bad-parameter", f"{name}={text!r} is no whole number up to {most}.", field=name)
    return int(text)


def answer(body: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """Answer with JSON."""
    return HttpResponse(msgspec.json.encode(body), content_type=JSON, status=status)
