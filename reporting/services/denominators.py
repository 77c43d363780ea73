"""Enter business figures: all rows of a delivery or none, corrections beside what they correct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db import connection

from core.accounting.figures import Period
from core.locks import DENOMINATOR_LOCK
from core.organizations.identity import current_actor
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from reporting.intensities.denominators import Entry, Fault, Key, overlaps, period_text, read_entry
from reporting.models import DenominatorFigure
from reporting.selectors.denominators import standing

TOLD_WHOLE: Final = (
    50  # of a larger delivery the audit log names the first and last row; the rows themselves stay as they are
)

Standing = dict[tuple[Key, date, date], DenominatorFigure]


class FaultyFigures(Exception):
    """A delivery of which nothing was entered; ``faults`` says everything that is wrong."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"Nothing was entered: {len(faults)} {'fault' if len(faults) == 1 else 'faults'}.")
        self.faults = sorted(faults, key=lambda fault: fault.row)


@dataclass(frozen=True)
class Entered:
    """What came of a delivery: the rows in its order, and how many of them are new."""

    figures: list[DenominatorFigure]
    written: int


def enter_figures(
    *, organization_id: int, rows: Sequence[Mapping[str, object]], faults: Sequence[Fault] = ()
) -> Entered:
    """
    Enter figures.

    Args:
        rows: as `read_entry` takes them.
        faults: what the reader of the file has found already.

    A figure for a series and period that has one replaces it; the same figure again changes nothing. Figures of one series
    never overlap, so that every period can be added up in one way only.

    Raises:
        FaultyFigures: with every fault of every row; nothing is written then.
    """
    read = [read_entry(number, row) for number, row in enumerate(rows, 1)]
    entries = [one for one in read if isinstance(one, Entry)]
    found = [*faults, *(fault for one in read if not isinstance(one, Entry) for fault in one)]
    if not rows and not found:
        found = [Fault(1, "", "There is no figure.")]
    with organization_scope(organization_id):
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s, %s)", [DENOMINATOR_LOCK, organization_id])
        before = standing(organization_id, [entry.key.series for entry in entries])
        entries, more = with_units(entries, before)
        found += [*more, *repeated(entries), *withdrawn_nothing(entries, before), *overlapping(entries, before)]
        if found:
            raise FaultyFigures(found)
        return written(organization_id, entries, before)


def with_units(entries: Sequence[Entry], before: Standing) -> tuple[list[Entry], list[Fault]]:
    """Give rows of own units what one of them is; it is said once and stays."""
    said: dict[str, str] = {key.series: row.unit_text for (key, *_), row in before.items()}
    for entry in entries:
        if entry.unit_text:
            said.setdefault(entry.key.series, entry.unit_text)
    faults, complete = [], []
    for entry in entries:
        name = entry.key.series
        if name not in said:
            faults.append(Fault(entry.row, "unit", f"{name} is new: say what one of it is, such as “claim handled”."))
        elif entry.unit_text not in ("", said[name]):
            faults.append(Fault(entry.row, "unit", f"One of {name} is “{said[name]}”; another unit is another series."))
        complete.append(
            Entry(entry.row, entry.key, entry.period, entry.value, said.get(name, entry.unit_text), entry.source)
        )
    return complete, faults


def repeated(entries: Sequence[Entry]) -> list[Fault]:
    """Refuse two rows of one delivery about the same figure."""
    first: dict[tuple[Key, Period], int] = {}
    faults = []
    for entry in entries:
        earlier = first.setdefault((entry.key, entry.period), entry.row)
        if earlier != entry.row:
            faults.append(Fault(entry.row, "period", f"Row {earlier} is about the same series and period."))
    return faults


def withdrawn_nothing(entries: Sequence[Entry], before: Standing) -> list[Fault]:
    """Refuse to withdraw what does not stand."""
    return [
        Fault(entry.row, "value", "There is no figure for this series and period to withdraw.")
        for entry in entries
        if entry.value is None and standing_value(before, entry) is None
    ]


def standing_value(before: Standing, entry: Entry) -> object:
    row = before.get((entry.key, entry.period.from_day, entry.period.to_day))
    return None if row is None else row.value_in_units


def overlapping(entries: Sequence[Entry], before: Standing) -> list[Fault]:
    """Refuse figures that share days with another length of the same series, as both would be counted."""
    after: dict[Key, dict[Period, object]] = {}
    for (key, first, last), row in before.items():
        after.setdefault(key, {})[Period(first, last)] = row.value_in_units
    for entry in entries:
        after.setdefault(entry.key, {})[entry.period] = entry.value
    partners = {
        key: sharing([period for period, value in live.items() if value is not None]) for key, live in after.items()
    }
    faults = []
    for entry in entries:
        other = partners[entry.key].get(entry.period)
        if other is not None and entry.value is not None:
            name = period_text(other.from_day, other.to_day)
            faults.append(
                Fault(entry.row, "period", f"It shares days with the figure for {name}: withdraw one of them.")
            )
    return faults


def sharing(periods: Sequence[Period]) -> dict[Period, Period]:
    """Find for each period that shares a day with another one such other; in one sweep, as a series may have thousands."""
    found: dict[Period, Period] = {}
    furthest: Period | None = None
    for period in sorted(periods, key=lambda one: (one.from_day, one.to_day)):
        if furthest is not None and overlaps(furthest, period):
            found.setdefault(period, furthest)
            found.setdefault(furthest, period)
        if furthest is None or period.to_day > furthest.to_day:
            furthest = period
    return found


def written(organization_id: int, entries: Sequence[Entry], before: Standing) -> Entered:
    """Append what differs from what stands, and one audit event for all of it."""
    actor = current_actor()
    results: list[DenominatorFigure] = []
    new: list[DenominatorFigure] = []
    for entry in entries:
        old = before.get((entry.key, entry.period.from_day, entry.period.to_day))
        if old is not None and (old.value_in_units, old.source) == (entry.value, entry.source):
            results.append(old)
            continue
        row = DenominatorFigure(
            organization_id=organization_id,
            series=entry.key.series,
            unit_text=entry.unit_text,
            currency=entry.key.currency,
            team=entry.key.team,
            project=entry.key.project,
            application=entry.key.application,
            from_day=entry.period.from_day,
            to_day=entry.period.to_day,
            value_in_units=entry.value,
            source=entry.source,
            replaces=old,
            recorded_by=actor.name,
        )
        results.append(row)
        new.append(row)
    DenominatorFigure.objects.bulk_create(new, batch_size=1_000)
    if new:
        replaced = [row.replaces for row in new if row.replaces is not None]
        record_event(
            organization_id=organization_id,
            action="enter_denominators",
            object_type="denominator",
            object_id=new[0].pk if len(new) == 1 else f"{new[0].pk}-{new[-1].pk}",
            before={"figures": [described(row) for row in replaced]} if 0 < len(replaced) <= TOLD_WHOLE else None,
            after={"count": len(new), "replaced": len(replaced)}
            | ({"figures": [described(row) for row in new]} if len(new) <= TOLD_WHOLE else {}),
        )
    return Entered(results, len(new))


def described(row: DenominatorFigure) -> dict[str, Any]:
    """Write a figure for the audit log and the API: units in full, absent left out, the number as it was entered."""
    texts = {name: getattr(row, name) for name in ("currency", "team", "project", "application", "source")}
    return {
        "id": row.pk,
        "series": row.series,
        "unit": row.unit_text,
        "period": period_text(row.from_day, row.to_day),
        "value": None if row.value_in_units is None else f"{row.value_in_units.normalize():f}",
        **{name: text for name, text in texts.items() if text},
        **({"replaces": row.replaces_id} if row.replaces_id else {}),
    }
