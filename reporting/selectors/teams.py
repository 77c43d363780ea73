"""Teams: what each emits, how it changed, per request, how much is measured, and twelve slots up to the period's end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import pandas as pd
from django.utils.text import slugify

from core.accounting.figures import UNATTRIBUTED, Filter
from core.accounting.models import View
from core.accounting.selectors import emissions
from core.accounting.selectors.conditions import folded_teams_of
from core.accounting.small_groups import SMALL_GROUPS
from core.organizations.models import Team
from core.organizations.tenancy import organization_scope
from reporting.selectors.overview import (
    TOTAL,
    Row,
    amount,
    bounded,
    evidence_shares,
    evidence_shares_by,
    key_of,
    leading,
    mixed,
    not_listed,
    per_1000,
    per_1000_by,
    ranked_rows,
    sum_of,
    value_or_none,
)

SLOTS: Final = 12
MONTH_DAYS: Final = 100  # a period of more days is followed by the quarter


@dataclass(frozen=True)
class TeamRow:
    """
    A team of the table.

    Args:
        row: its emissions and what they were.
        per_1000_requests_kg: of inference, by successful requests; None without any.
        measured_share: of its emissions.
        series: emissions of the twelve slots; None where there is no record. [kg CO2e]
    """

    row: Row
    per_1000_requests_kg: float | None
    previous_per_1000_requests_kg: float | None
    measured_share: float | None
    series: list[float | None]


@dataclass(frozen=True)
class Teams:
    """
    The table, its last row of all teams together, and the slots of the series.

    Args:
        rows: the teams that are listed, the largest first.
        not_listed: how many more there are, and their emissions. [teams, kg CO2e]
    """

    rows: list[TeamRow]
    not_listed: tuple[int, float]
    total: TeamRow
    slots: list[date]
    grain: str
    as_of: object


def teams_of(
    organization_id: int, filtered: Filter, before: Filter | None, *, view: View | None, most: int | None = None
) -> Teams:
    """
    Read the teams of the period, the largest first. ``unattributed`` is always among them where all teams are asked for.

    Args:
        filtered: period, filters, basis and parts.
        before: the period to compare with, or None.
        most: how many are listed; None: all.
    """
    plain = replace(filtered, by=(), grain="total")
    now = mixed(organization_id, plain, view)
    then = mixed(organization_id, replace(before, by=(), grain="total"), view) if before else None
    grain, slots = slots_before(filtered)
    over_time = emissions(
        organization_id, replace(plain, from_day=slots[0], by=("team",), grain=grain), bounds=False, view=view
    )
    series = series_of(over_time.rows, slots)
    of_now, of_then = _Details.of(now), _Details.of(then)
    ranked = ranked_rows(now, then, "team")
    listed = leading(ranked, most)
    rows = [
        _row(each, of_now, of_then, series.get(each.key))
        for each in bounded(organization_id, filtered, listed, "team", view=view)
    ]
    if "team" not in filtered.dims and all(each.row.key != UNATTRIBUTED for each in rows):
        gone = sum_of(then.loc[then["team"].map(key_of) == UNATTRIBUTED, TOTAL]) if then is not None else None
        nobody = Row(UNATTRIBUTED, UNATTRIBUTED, amount(None, TOTAL), gone, None, None, "")
        rows.append(_row(nobody, of_now, of_then, series.get(UNATTRIBUTED)))
    whole = Row(
        "",
        "",
        replace(amount(None, TOTAL), value=sum_of(now[TOTAL])),
        None if then is None else sum_of(then[TOTAL]),
        1.0 if len(now) else None,
        None,
        "",
    )
    everything = TeamRow(
        whole,
        per_1000(now),
        None if then is None else per_1000(then),
        measured_of(evidence_shares(now)),
        [None] * SLOTS,
    )
    return Teams(rows, not_listed(ranked, listed), everything, slots, grain, over_time.as_of)


@dataclass(frozen=True)
class _Details:
    """What the table says of each team beside its emissions, by the team's key."""

    per_1000: dict[str, float | None]
    shares: dict[str, dict[str, float]]

    @classmethod
    def of(cls, rows: pd.DataFrame | None) -> _Details:
        if rows is None or rows.empty:
            return cls({}, {})
        keys = rows["team"].map(key_of)
        return cls(per_1000_by(rows, keys), evidence_shares_by(rows, keys))


def _row(row: Row, now: _Details, then: _Details, series: list[float | None] | None) -> TeamRow:
    return TeamRow(
        row,
        now.per_1000.get(row.key),
        then.per_1000.get(row.key),
        measured_of(now.shares.get(row.key, {})),
        series or [None] * SLOTS,
    )


def measured_of(shares: dict[str, float]) -> float | None:
    """Return the measured share; None of nothing."""
    return shares.get("measured", 0.0) if shares else None


def slots_before(filtered: Filter) -> tuple[str, list[date]]:
    """
    List the begins of the twelve months, or for longer periods quarters, that end with the period.

    >>> grain, slots = slots_before(Filter(date(2026, 7, 1), date(2026, 9, 30)))
    >>> grain, slots[0], slots[-1]
    ('month', datetime.date(2025, 10, 1), datetime.date(2026, 9, 1))
    """
    long = (filtered.to_day - filtered.from_day).days + 1 > MONTH_DAYS
    months = 3 if long else 1
    latest = filtered.to_day.year * 12 + filtered.to_day.month - 1
    latest -= latest % months
    starts = [latest - months * step for step in reversed(range(SLOTS))]
    return ("quarter" if long else "month"), [date(start // 12, start % 12 + 1, 1) for start in starts]


def series_of(rows: pd.DataFrame, slots: list[date]) -> dict[str, list[float | None]]:
    """Put each team's emissions into the slots; None where there is no record. [kg CO2e]"""
    found: dict[str, list[float | None]] = {}
    place = {slot: at for at, slot in enumerate(slots)}
    for start, team, kg in zip(pd.to_datetime(rows["start"], utc=True), rows["team"], rows[TOTAL], strict=True):
        values = found.setdefault(key_of(team), [None] * len(slots))
        if (at := place.get(start.date())) is not None:
            values[at] = value_or_none(kg)
    return found


# --- one team ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TeamPlace:
    """
    A team that has a page.

    Args:
        name: as filters name it; of a folded team ``small groups``.
        head_count: None where nobody entered one, or where it may not be shown.
    """

    name: str
    head_count: int | None


def team_at(organization_id: int, address: str, names: Iterable[str]) -> TeamPlace | None:
    """
    Find the team of a page's address: by its name, or its slug where no other has the same.

    Args:
        names: of teams that have records, beside those that were entered.
    """
    with organization_scope(organization_id):
        entered = dict(Team.objects.filter(organization_id=organization_id).values_list("name", "head_count"))
    folded = folded_teams_of(organization_id)
    known = sorted({*entered, *names, UNATTRIBUTED})
    found = [name for name in known if name == address] or [name for name in known if slugify(name) == address]
    if len(found) != 1:
        return None
    return TeamPlace(SMALL_GROUPS, None) if found[0] in folded else TeamPlace(found[0], entered.get(found[0]))


def slugs_of(names: Iterable[str]) -> dict[str, str]:
    """
    Give each team the last part of its page's address: its slug, or its name where the slug is empty or another's.

    >>> slugs_of(["Foundation models", "R&D", "r d", "RD"])
    {'Foundation models': 'foundation-models', 'R&D': 'R&D', 'r d': 'r-d', 'RD': 'RD'}
    """
    listed = list(names)
    slugs = [slugify(name) for name in listed]
    return {name: slug if slug and slugs.count(slug) == 1 else name for name, slug in zip(listed, slugs, strict=True)}
