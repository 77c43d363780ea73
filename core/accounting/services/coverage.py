"""Writes of what is counted once. A rule takes effect by deriving again: each change marks the days that it touches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.accounting.models import CoverageUnit, SourceLink
from core.accounting.services.marks import mark_days, raise_revision
from core.ledger.models import Source
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from core.quantification.coverage import MOVABLE, SOURCE, STATED


class CoverageError(Exception):
    """A rule that cannot be; the message says why."""


def set_coverage_unit(
    *,
    organization_id: int,
    name: str,
    counting_source_id: int | None = None,
    precedence: Sequence[str] = (),
    reason: str = "",
) -> CoverageUnit:
    """
    Make a coverage unit, or change what counts in it. Its sources are linked by `link_source`.

    Args:
        counting_source_id: this source alone counts, whatever it covers; None: better evidence displaces worse.
        precedence: levels of evidence and sources (``source:12``), best first, where the usual order does not hold.
        reason: has to be given where the unit has an order of its own.

    Raises:
        CoverageError: no such source or level, both ways at once, or no reason.
    """
    name, ordered = name.strip(), tuple(precedence)
    if not name:
        raise CoverageError("Give the unit a name.")
    if counting_source_id is not None and ordered:
        raise CoverageError("Where one source alone counts, there is no order of evidence; choose one of the two.")
    if ordered and not reason.strip():
        raise CoverageError("Say why the evidence of this unit has an order of its own.")
    with organization_scope(organization_id):
        for each in (counting_source_id, *_named_in(ordered)):
            if each is not None:
                _source(organization_id, each)
        before = CoverageUnit.objects.filter(organization_id=organization_id, name=name).first()
        was = None if before is None else {**_order(before), "reason": before.reason}
        unit, _ = CoverageUnit.objects.update_or_create(
            organization_id=organization_id,
            name=name,
            defaults={"counting_source_id": counting_source_id, "precedence": list(ordered), "reason": reason},
        )
        _rules_changed(organization_id, _sources_of(organization_id, [unit.id]))
        record_event(
            organization_id=organization_id,
            action="set_coverage_unit",
            object_type="coverage_unit",
            object_id=unit.id,
            before=was,
            after={"name": name, **_order(unit)},
            reason=reason,
        )
    return unit


def _order(unit: CoverageUnit) -> dict[str, object]:
    return {"counting_source": unit.counting_source_id, "precedence": unit.precedence}


def _named_in(precedence: Sequence[str]) -> list[int]:
    """Return the sources that an order names. Raises CoverageError for what is neither a source nor a level."""
    if len(set(precedence)) != len(precedence):
        raise CoverageError("Each level or source stands in the order once.")
    named = []
    for each in precedence:
        number = each.removeprefix(SOURCE)
        if each.startswith(SOURCE) and number.isascii() and number.isdigit() and len(number) < 10:
            named.append(int(number))
        elif each == STATED:
            raise CoverageError("A statement counts where nothing else describes the unit; else let it count alone.")
        elif each not in MOVABLE:
            raise CoverageError(f"{each!r} is no level of evidence: {', '.join(MOVABLE)}, or {SOURCE}ID.")
    return named


def link_source(
    *,
    organization_id: int,
    source_id: int,
    unit_id: int,
    account: str | None = None,
    part: bool | None = None,
    reason: str = "",
) -> SourceLink:
    """
    Say that a source, or one account of it, describes what a coverage unit holds; replaces its earlier link.

    Args:
        part: it describes a part that no other source of its kind does, so that they add up; None: so do meters, and all else
            describes the whole unit.

    Raises CoverageError when there is no such source or unit.
    """
    with organization_scope(organization_id):
        if not CoverageUnit.objects.filter(organization_id=organization_id, id=unit_id).exists():
            raise CoverageError("There is no coverage unit of that id.")
        return _link(organization_id, source_id, account, unit_id, reason, part)


def link_together(
    *, organization_id: int, source_ids: Sequence[int], account: str | None, unit: str, reason: str
) -> CoverageUnit:
    """
    Link sources that describe the same to one unit, which is made where there is none of that name.

    Args:
        account: that they all name; None: whole sources.
        unit: its name. A unit that is there keeps its order of evidence, and sources keep the links that they have.

    Raises CoverageError when there is no such source, or the unit has no name.
    """
    with organization_scope(organization_id):
        found = CoverageUnit.objects.filter(organization_id=organization_id, name=unit.strip()).first()
        if found is None:
            found = set_coverage_unit(organization_id=organization_id, name=unit, reason=reason)
        own = SourceLink.objects.filter(organization_id=organization_id, unit_id=found.id)
        linked = set(own.filter(account__isnull=True).values_list("source_id", flat=True))
        if account is not None:
            linked |= set(own.filter(account=account).values_list("source_id", flat=True))
        for source_id in source_ids:
            if source_id not in linked:
                _link(organization_id, source_id, account, found.id, reason)
    return found


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
        touched = {link.source_id, *_sources_of(organization_id, [link.unit_id])}
        link.delete()
        _rules_changed(organization_id, sorted(touched))
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


def _link(
    organization_id: int,
    source_id: int,
    account: str | None,
    unit_id: int | None,
    reason: str,
    part: bool | None = None,
) -> SourceLink:
    _source(organization_id, source_id)
    before = SourceLink.objects.filter(organization_id=organization_id, source_id=source_id, account=account).first()
    was = None if before is None else _described(before)
    units = [unit_id, before.unit_id if before is not None else None]
    link, _ = SourceLink.objects.update_or_create(
        organization_id=organization_id,
        source_id=source_id,
        account=account,
        defaults={"unit_id": unit_id, "reason": reason, "part": part},
    )
    _rules_changed(organization_id, sorted({source_id, *_sources_of(organization_id, units)}))
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
    return {"source": link.source_id, "account": link.account, "unit": link.unit_id, "part": link.part}


def _sources_of(organization_id: int, unit_ids: Iterable[int | None]) -> list[int]:
    """List the sources that are linked to some units: what one says can be covered by what another does."""
    linked = SourceLink.objects.filter(organization_id=organization_id, unit_id__in=[each for each in unit_ids if each])
    return sorted(set(linked.values_list("source_id", flat=True)))


def _source(organization_id: int, source_id: int) -> Source:
    source = Source.objects.filter(organization_id=organization_id, id=source_id).first()
    if source is None:
        raise CoverageError("There is no source of that id.")
    return source


def _rules_changed(organization_id: int, source_ids: Sequence[int]) -> int:
    """Raise the revision of the rules, and mark the days that have figures of these sources."""
    if not source_ids:
        raise_revision(organization_id)
        return 0
    return mark_days(organization_id, "r.source_id = any(%s)", [list(source_ids)])
