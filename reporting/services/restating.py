"""Restate a locked period: a new inventory beside the old one, with the bridge between them; both are kept for ever."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Final
from uuid import UUID

from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors import current_view
from core.accounting.services.restatement import derived_beside
from core.factors.instrument_selectors import has_instruments
from core.ledger.earlier import cells_before
from core.organizations.models import Organization
from core.organizations.policy import Action
from core.organizations.tenancy import organization_scope
from reporting.disclosures import Inventory as Document
from reporting.inventories import locked, restated
from reporting.inventories.draft import totals_in
from reporting.inventories.restated import FIGURES, Told, bridge, totals_of
from reporting.models import STANDING, Inventory
from reporting.selectors.inventories import document_of, standing
from reporting.selectors.late import Late, late_for
from reporting.services.periods import LONGEST_REASON, PeriodError, Reading, allowed, changing, held, record, write

CAUSES: Final = ("late_data", "boundary", "method", "factor")
"""Why a period is restated. Late data must be significant; an error of boundary, method or factor is restated at any size."""

Steps = dict[str, dict[str, Decimal]]


def restatement_bridge(organization: Organization, inventory: Inventory, reading: Reading) -> Steps:
    """
    Tell what leads from a locked inventory to what was read now, each step derived on the last (methodology 14).

    Rules of attribution and coverage are not kept as they were: the step of coverage is what the cells as they were come to by
    the rules and contracts of today, less what was stated.
    """
    stated = document_of(inventory)
    with organization_scope(organization.id):
        current, former = current_view(organization.id), _view_of(organization.id, stated)
        late = late_for(organization.id, inventory)
    if current is None or former is None:
        raise PeriodError(f"The view that {inventory.period} was made by is not known any more.")
    told = partial(_told, organization, reading, former.factor_set.content_hash, current=current)
    by_method, register_now = told(current.methodology)
    arrived = by_method
    if former.methodology != current.methodology:
        arrived, register_now = told(former.methodology)
    corrected = earlier = arrived
    if late.records:
        corrected = earlier = _as_before(organization, reading, former, late, corrected=True)
    if late.corrections:
        earlier = _as_before(organization, reading, former, late, corrected=False)
    before = _register_of(stated)
    register = {name: register_now[name] - before[name] for name in FIGURES}
    now = totals_of(reading.document["totals"])
    return bridge(Told(totals_of(stated["totals"]), earlier, corrected, arrived, register, by_method, now))


def restate_inventory(
    *,
    organization: Organization,
    inventory_id: UUID,
    reading: Reading,
    steps: Steps,
    person_id: int,
    reason: str,
    cause: str = "late_data",
) -> Inventory:
    """
    Begin a restatement: a snapshot that supersedes a locked inventory once somebody else approves it.

    Args:
        reading: what figures and checklist say now.
        steps: of `restatement_bridge`.
        cause: one of ``CAUSES``.

    Raises PeriodError: no reason or cause, nothing has changed, or too little for late data alone.
    """
    reason = reason.strip()[:LONGEST_REASON]
    if not reason:
        raise PeriodError("Say why the period is restated.")
    if cause not in CAUSES:
        raise PeriodError(f"A period is restated for {', '.join(CAUSES)}.")
    with changing(organization.id):
        person = allowed(organization.id, person_id, Action.PREPARE_PERIOD)
        former = held(organization.id, inventory_id, *STANDING)
        pending = standing(organization.id, former.from_day, former.to_day)
        if pending is not None and pending.id != former.id:
            raise PeriodError(f"{former.period} is being restated already (inventory {pending.id}).")
        stated = document_of(former)
        if locked.moved_t(stated, reading.document) is None:
            raise PeriodError(f"Nothing of {former.period} has changed since it was closed.")
        if cause == "late_data" and not restated.is_significant(restated.apart(stated, reading.document)):
            raise PeriodError(
                f"No scope of {former.period} has moved by {restated.SIGNIFICANT_SHARE:.0%}: what came late belongs to the"
                " period that is open. Name another cause to restate it all the same."
            )
        inventory = Inventory(
            organization=organization,
            supersedes=former,
            prepared_by=person,
            closed_at=reading.read_at,
            **{name: getattr(former, name) for name in ("period", "kind", "from_day", "to_day")},
        )
        begun = locked.begun(reading.document, inventory.id, former.id)
        why = f"{cause.replace('_', ' ')}: {reason}"
        write(inventory, restated.restated(begun, stated, steps, reason=why, who=str(person), at=datetime.now(UTC)))
        inventory.save()
        record(inventory, "restate_period", supersedes=str(former.id), cause=cause, reason=reason)
    return inventory


def _told(
    organization: Organization, reading: Reading, factor_set: str, methodology: str, *, current: View
) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """Tell the period by another factor set or methodology; by those in force it is what was read."""
    if (factor_set, methodology) == (current.factor_set.content_hash, current.methodology):
        return totals_of(reading.document["totals"]), _register_of(reading.document)
    return _by(organization, reading, factor_set, methodology)


def _as_before(
    organization: Organization, reading: Reading, former: View, late: Late, *, corrected: bool
) -> dict[str, Decimal]:
    """Tell the period from its cells as they were before what came late."""
    first, last = reading.named.from_day, reading.named.to_day
    with organization_scope(organization.id):
        if has_instruments(organization.id):  # contracts cover a year's consumption
            first, last = first.replace(month=1, day=1), last.replace(month=12, day=31)
    from_time = datetime.combine(first.replace(day=1), time(), UTC)
    to_time = datetime.combine(last + timedelta(days=1), time(), UTC)
    with cells_before(organization.id, late.batches, from_time, to_time, corrected=corrected):
        return _by(organization, reading, former.factor_set.content_hash, former.methodology)[0]


def _by(
    organization: Organization, reading: Reading, factor_set: str, methodology: str
) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    asked = Filter(reading.named.from_day, reading.named.to_day)
    with derived_beside(organization.id, asked, factor_set=factor_set, methodology=methodology) as view:
        totals, of_register = totals_in(organization, reading.period, view)
    return totals_of(totals), totals_of(of_register)


def _register_of(document: Document) -> dict[str, Decimal]:
    """Add up the lines that come from the register: no group of cells stands behind them."""
    own = [line for line in document["emissions"] if line["id"].startswith("r")]

    def total(scope: int, method: str | None = None) -> Decimal:
        lines: Iterable[str] = (
            line["tco2e"] for line in own if line["scope"] == scope and method in (None, line.get("scope2_method"))
        )
        return sum(map(Decimal, lines), Decimal(0))

    one, location, market, three = total(1), total(2, "location"), total(2, "market"), total(3)
    figures = (one, location, market, three, one + location + three, one + market + three)
    return dict(zip(FIGURES, figures, strict=True))


def _view_of(organization_id: int, document: Document) -> View | None:
    """Find the view that a document was made by."""
    number = document["evidence"]["calculation_run"].removeprefix("view ").split(",")[0]
    return View.objects.select_related("factor_set").filter(organization_id=organization_id, id=number).first()
