"""Writes of the completeness register: what should report, since when and until when."""

from __future__ import annotations

from datetime import date

from core.accounting.models import Expected, ExpectedKind
from core.accounting.services.coverage import CoverageError
from core.ledger.models import Source
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope


def expect(
    *,
    organization_id: int,
    source_id: int,
    kind: str,
    since: date,
    account: str | None = None,
    until: date | None = None,
    reason: str = "",
) -> Expected:
    """
    Say that a source, or one account of it, should report every day; replaces what was said of it before.

    Args:
        until: last day; None: it still is.

    Raises CoverageError when there is no such source or kind, or the days are the wrong way round.
    """
    if kind not in ExpectedKind.values:
        raise CoverageError(f"{kind!r} is none of {', '.join(ExpectedKind.values)}.")
    if until is not None and until < since:
        raise CoverageError("The last day is before the first.")
    with organization_scope(organization_id):
        if not Source.objects.filter(organization_id=organization_id, id=source_id).exists():
            raise CoverageError("There is no source of that id.")
        entry, _ = Expected.objects.update_or_create(
            organization_id=organization_id,
            source_id=source_id,
            account=account or None,
            defaults={"kind": kind, "since": since, "until": until, "reason": reason},
        )
        record_event(
            organization_id=organization_id,
            action="expect",
            object_type="expected",
            object_id=entry.id,
            after={
                "source": source_id,
                "account": entry.account,
                "kind": kind,
                "since": since.isoformat(),
                "until": None if until is None else until.isoformat(),
            },
            reason=reason,
        )
    return entry


def expect_no_more(*, organization_id: int, expected_id: int, reason: str = "") -> None:
    """Take an entry back. Raises CoverageError when there is no such entry."""
    with organization_scope(organization_id):
        entry = Expected.objects.filter(organization_id=organization_id, id=expected_id).first()
        if entry is None:
            raise CoverageError("There is no entry of that id.")
        before = {"source": entry.source_id, "account": entry.account, "kind": entry.kind}
        entry.delete()
        record_event(
            organization_id=organization_id,
            action="expect_no_more",
            object_type="expected",
            object_id=expected_id,
            before=before,
            reason=reason,
        )
