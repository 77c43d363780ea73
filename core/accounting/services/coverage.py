"""Writes of what is counted once. A rule takes effect by deriving again: each change marks the days that it touches."""

from __future__ import annotations

from core.accounting.models import CoverageUnit, SourceLink
from core.accounting.services.marks import mark_days, raise_revision
from core.ledger.models import Source
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope


class CoverageError(Exception):
    """A rule that cannot be; the message says why."""


def set_coverage_unit(*, organization_id: int, name: str, counting_source_id: int, reason: str = "") -> CoverageUnit:
    """Make a coverage unit, or choose another source to count in it. Its sources are linked by `link_source`."""
    with organization_scope(organization_id):
        _source(organization_id, counting_source_id)
        before = CoverageUnit.objects.filter(organization_id=organization_id, name=name).first()
        was = None if before is None else {"counting_source": before.counting_source_id, "reason": before.reason}
        unit, _ = CoverageUnit.objects.update_or_create(
            organization_id=organization_id,
            name=name,
            defaults={"counting_source_id": counting_source_id, "reason": reason},
        )
        linked = SourceLink.objects.filter(organization_id=organization_id, unit_id=unit.id)
        _rules_changed(organization_id, list(linked.values_list("source_id", flat=True)))
        record_event(
            organization_id=organization_id,
            action="set_coverage_unit",
            object_type="coverage_unit",
            object_id=unit.id,
            before=was,
            after={"name": name, "counting_source": counting_source_id},
            reason=reason,
        )
    return unit


def link_source(
    *, organization_id: int, source_id: int, unit_id: int, account: str | None = None, reason: str = ""
) -> SourceLink:
    """
    Say that a source, or one account of it, describes what a coverage unit holds; replaces its earlier link.

    Raises CoverageError when there is no such source or unit.
    """
    with organization_scope(organization_id):
        if not CoverageUnit.objects.filter(organization_id=organization_id, id=unit_id).exists():
            raise CoverageError("There is no coverage unit of that id.")
        return _link(organization_id, source_id, account, unit_id, reason)


def declare_independent(
    *, organization_id: int, source_id: int, account: str | None = None, reason: str = ""
) -> SourceLink:
    """Say that no other source describes what this one does, so it counts without a warning."""
    with organization_scope(organization_id):
        return _link(organization_id, source_id, account, None, reason)


def remove_link(*, organization_id: int, link_id: int) -> None:
    """Take a link back; the source counts again, with a warning. Raises CoverageError when there is no such link."""
    with organization_scope(organization_id):
        link = SourceLink.objects.filter(organization_id=organization_id, id=link_id).first()
        if link is None:
            raise CoverageError("There is no link of that id.")
        before = _described(link)
        link.delete()
        _rules_changed(organization_id, [before["source"]])
        record_event(
            organization_id=organization_id,
            action="remove_link",
            object_type="source_link",
            object_id=link_id,
            before=before,
        )


def rederive_source(*, organization_id: int, source_id: int) -> int:
    """Mark every day on which a source has figures, after its settings changed; returns how many."""
    with organization_scope(organization_id):
        return _rules_changed(organization_id, [source_id])


def _link(organization_id: int, source_id: int, account: str | None, unit_id: int | None, reason: str) -> SourceLink:
    _source(organization_id, source_id)
    before = SourceLink.objects.filter(organization_id=organization_id, source_id=source_id, account=account).first()
    was = None if before is None else _described(before)
    link, _ = SourceLink.objects.update_or_create(
        organization_id=organization_id,
        source_id=source_id,
        account=account,
        defaults={"unit_id": unit_id, "reason": reason},
    )
    _rules_changed(organization_id, [source_id])
    record_event(
        organization_id=organization_id,
        action="link_source" if unit_id is not None else "declare_independent",
        object_type="source_link",
        object_id=link.id,
        before=was,
        after=_described(link),
        reason=reason,
    )
    return link


def _described(link: SourceLink) -> dict[str, object]:
    return {"source": link.source_id, "account": link.account, "unit": link.unit_id}


def _source(organization_id: int, source_id: int) -> Source:
    source = Source.objects.filter(organization_id=organization_id, id=source_id).first()
    if source is None:
        raise CoverageError("There is no source of that id.")
    return source


def _rules_changed(organization_id: int, source_ids: list[object]) -> int:
    """Raise the revision of the rules, and mark the days that have figures of these sources."""
    if not source_ids:
        raise_revision(organization_id)
        return 0
    return mark_days(organization_id, "r.source_id = any(%s)", [source_ids])
