"""The variance between two periods, from daily rows of the current view, and what was recorded in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import pandas as pd
from django.db import connection

from core.accounting.aggregate import plain_rows
from core.accounting.figures import Filter
from core.accounting.models import SourceLink, View
from core.accounting.selectors.conditions import source_names
from core.accounting.selectors.emissions import emissions
from core.accounting.selectors.views import current_view
from core.organizations.tenancy import organization_snapshot
from core.quantification.variance import KIND, MEASURES, NOT_KNOWN, PARTS, Variance, variance

SILENT_DAYS: Final = 7
"""A source that is silent for no longer at the edge of a period was there all the same: weekends and holidays."""

GROUPED: Final = ("team", *KIND, "method", "source", "account")
WORK: Final = "work"
"""Stands for the model or, where none is named, the machine."""
CONTRIBUTORS: Final = ("team", *KIND, "source")
"""Dimensions that contributions can be added up by, beside ``WORK``."""

_WORK: Final = ("model", "hardware", "instance_type")

Recorder = tuple[str, str | None]
"""A source and an account of it."""


@dataclass(frozen=True)
class Covered:
    """What records activity, and which share of the days of each period it could record (0 to 1)."""

    name: str
    first_day: date
    last_day: date
    before: float
    after: float


@dataclass(frozen=True)
class VarianceResult:
    """
    Why one period differs from another.

    Args:
        asked, before: the later and the earlier period; their filters are the same.
        found: the parts, and the kinds of work behind them.
        covered: what could not record both periods alike.
        as_of: every record that was written before is in the figures; UTC.
        view_id: the view that was read; None before anything was derived.
    """

    asked: Filter
    before: Filter
    found: Variance
    covered: tuple[Covered, ...]
    as_of: datetime
    view_id: int | None

    def contributors(self, by: str) -> pd.DataFrame:
        """
        Add contributions up by ``WORK`` or one of ``CONTRIBUTORS``.

        Returns:
            The name (None: not known, or not a matter of this part), ``dimension`` that it is a name in, ``PARTS`` and
            ``not_known`` in kg CO2e, and ``change``, their sum; the largest change first.
        """
        columns = [*PARTS, NOT_KNOWN]
        rows = self.found.contributions
        tried = _WORK if by == WORK else (by,)
        names = pd.Series("", index=rows.index, dtype=object)
        dimension = pd.Series(tried[0], index=rows.index, dtype=object)
        for dim in tried:
            found = (names == "") & rows[dim].notna()
            names, dimension = names.mask(found, rows[dim]), dimension.mask(found, dim)
        named = rows[columns].assign(**{by: names, "dimension": dimension})
        rows = named.groupby([by, "dimension"], sort=True)[columns].sum().reset_index()
        rows["change"] = rows[columns].sum(axis=1)
        rows[by] = rows[by].where(rows[by] != "", None)
        return rows.iloc[rows["change"].abs().sort_values(ascending=False, kind="stable").index].reset_index(drop=True)

    def as_dict(self, by: Sequence[str] = ()) -> dict[str, Any]:
        """Return plain values that JSON takes, with the contributors by ``WORK`` and by each dimension of `by`."""
        return {
            "filter": self.asked.as_dict(),
            "compared_with": {"from": self.before.from_day.isoformat(), "to": self.before.to_day.isoformat()},
            "as_of": self.as_of.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "before_kg_co2e": self.found.before_kg,
            "after_kg_co2e": self.found.after_kg,
            "parts": [{"name": name, "kg_co2e": self.found.parts[name]} for name in PARTS],
            "not_known_kg_co2e": self.found.not_known_kg,
            "not_known_records": {"before": self.found.not_known_records[0], "after": self.found.not_known_records[1]},
            "covered_in_part": [
                {
                    "recorder": each.name,
                    "first_day": each.first_day.isoformat(),
                    "last_day": each.last_day.isoformat(),
                    "before_share": each.before,
                    "after_share": each.after,
                }
                for each in self.covered
            ],
            "contributors": {name: plain_rows(_with_units(self.contributors(name))) for name in (WORK, *by)},
        }


def _with_units(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.rename(columns={name: f"{name}_kg_co2e" for name in (*PARTS, NOT_KNOWN, "change")})


def variance_between(
    organization_id: int, asked: Filter, before: Filter, *, view: View | None = None
) -> VarianceResult:
    """
    Take the difference of a figure between two periods apart.

    Args:
        asked: the later period with dimensions, basis, parts and booking; its grouping is not looked at.
        before: days of the earlier period; everything else is taken from `asked`.
        view: another view than the current one.
    """
    asked = replace(asked, by=(), grain="total")
    before = replace(asked, from_day=before.from_day, to_day=before.to_day)
    with organization_snapshot(organization_id):
        view = view or current_view(organization_id)
        earlier, later = (
            emissions(
                organization_id,
                replace(each, by=GROUPED),
                measures=[name for name in MEASURES if name != "requests"],
                bounds=False,
                view=view,
            )
            for each in (before, asked)
        )
        recorders = _recorders(organization_id, [earlier.rows, later.rows])
        spans = {} if view is None else _spans(organization_id, view, (before, asked))
    covered = covered_shares(spans, recorders, (before, asked))
    found = variance(
        *(_with_recorders(each.rows, recorders) for each in (earlier, later)),
        components=[f"{asked.basis}_kg_co2e", *(f"{part}_kg_co2e" for part in asked.include)],
        covered={name: (each.before, each.after) for name, each in covered.items()},
    )
    uneven = tuple(each for _, each in sorted(covered.items()) if each.before != each.after)
    return VarianceResult(asked, before, found, uneven, later.as_of, later.view_id)


def covered_shares(
    spans: Mapping[Recorder, tuple[date, date]], recorders: Mapping[Recorder, str], periods: tuple[Filter, Filter]
) -> dict[str, Covered]:
    """
    Tell for each recorder which share of each period's days lies between its first and its last day.

    Args:
        spans: first and last day with counted activity, ever.
        recorders: the name of what records, which several sources of one coverage unit share.
        periods: the earlier and the later one. Days after the last one on which anything was recorded are not looked at.
    """
    joined: dict[str, tuple[date, date]] = {}
    for key, (first, last) in spans.items():
        if (name := recorders.get(key)) is not None:
            known = joined.get(name, (first, last))
            joined[name] = (min(known[0], first), max(known[1], last))
    latest = max((last for _, last in spans.values()), default=date.max)
    return {
        name: Covered(name, first, last, *(_share(first, last, each, latest) for each in periods))
        for name, (first, last) in joined.items()
    }


def _share(first: date, last: date, period: Filter, latest: date) -> float:
    start, end = period.from_day, min(period.to_day, latest)
    if end < start:
        return 0.0
    since = start if (first - start).days <= SILENT_DAYS else first
    until = end if (end - last).days <= SILENT_DAYS else last
    return max(0.0, ((until - since).days + 1) / ((end - start).days + 1))


def _with_recorders(rows: pd.DataFrame, recorders: Mapping[Recorder, str]) -> pd.DataFrame:
    return rows.assign(recorder=[recorders.get(key, "") for key in _keys(rows)])


def _keys(rows: pd.DataFrame) -> list[Recorder]:
    """Give each row's source and account; a column without any account holds NaN."""
    pairs = zip(rows["source"], rows["account"], strict=True)
    return [(source, account if isinstance(account, str) and account else None) for source, account in pairs]


def _recorders(organization_id: int, rows: Sequence[pd.DataFrame]) -> dict[Recorder, str]:
    """Name what records each source's accounts: the coverage unit that they are linked to, else the source."""
    names = source_names(organization_id)
    links = SourceLink.objects.filter(organization_id=organization_id, unit__isnull=False).select_related("unit")
    linked = {(names[link.source_id], link.account): link.unit.name for link in links if link.unit is not None}
    return {
        (source, account): linked.get((source, account)) or linked.get((source, None)) or source
        for source, account in {key for frame in rows for key in _keys(frame) if isinstance(key[0], str)}
    }


def _spans(organization_id: int, view: View, periods: tuple[Filter, Filter]) -> dict[Recorder, tuple[date, date]]:
    """
    Find the first and last day of counted activity of every source and account.

    From the monthly sums; days are looked up only in the months of the two periods, and only where something begins or ends
    in them.
    """
    names = source_names(organization_id)
    months = _ends(organization_id, view, "accounting_monthly", "month", None)
    inside = [(each.from_day.replace(day=1), _month_end(each.to_day)) for each in periods]
    spans = {key: (first, _month_end(last)) for key, (first, last) in months.items()}
    edges = {end for ends in months.values() for end in ends}
    if any(start <= edge <= end for edge in edges for start, end in inside):
        days = _ends(organization_id, view, "accounting_daily", "day", inside)
        for key, (first, last) in days.items():
            begun, ended = months[key]
            spans[key] = (
                first if any(start <= begun <= end for start, end in inside) else begun,
                last if any(start <= ended <= end for start, end in inside) else _month_end(ended),
            )
    return {(names[source_id], account): span for (source_id, account), span in spans.items()}


def _ends(
    organization_id: int, view: View, table: str, day: str, inside: Sequence[tuple[date, date]] | None
) -> dict[tuple[int, str | None], tuple[date, date]]:
    within = " or ".join(f"d.{day} between %s and %s" for _ in inside or ())
    with connection.cursor() as cursor:
        cursor.execute(
            f"select r.source_id, r.account, min(d.{day}), max(d.{day}) from {table} d"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            f" where d.organization_id = %s and d.view_id = %s and r.role = 'counted'{f' and ({within})' if within else ''}"
            " group by 1, 2",
            [organization_id, view.id, *(end for ends in inside or () for end in ends)],
        )
        return {(source_id, account or None): (first, last) for source_id, account, first, last in cursor.fetchall()}


def _month_end(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
