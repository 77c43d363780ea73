"""Heat maps of time: the hours of a week, and the coverage of each team by month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final

import pandas as pd
from babel.dates import format_date, get_day_names

from reporting import figures
from reporting.charts.chart import Chart, Translate, as_is, known_or_none
from reporting.charts.heatmap import Key, heatmap

COVERED: Final = 0.95  # from here on a month counts as covered
COVERAGE_EDGES: Final = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
HOURS: Final = tuple(f"{hour:02}" for hour in range(24))


def hour_of_week(
    frame: pd.DataFrame,
    *,
    name: str = "hours",
    kind: figures.Kind = "intensity",
    noun: str = "Grid intensity",
    per: str = "",
    zone: str = "UTC",
    detail: str = "",
    quality: str = "",
    links: Mapping[Key, str] | None = None,
    locale: str = "en",
    translate: Translate = as_is,
) -> Chart:
    """
    Draw one value for each hour of the week.

    Args:
        frame: ``weekday`` (0 is Monday), ``hour`` (0 to 23) and ``value`` [kg CO2e, kWh or L], averaged or summed by the
            caller; hours without a row, or with NaN, are hatched.
        noun: what the values are, for the title.
        per: what each value is of ("per kWh").
        zone: the time zone of the hours, said below the title.
        links: (weekday, hour as "07") -> address.
    """
    _ = translate
    names = get_day_names("abbreviated", context="stand-alone", locale=locale)
    values = {
        (str(weekday), HOURS[hour]): known_or_none(value)
        for weekday, hour, value in zip(frame["weekday"], frame["hour"], frame["value"], strict=True)
    }
    return heatmap(
        values,
        rows=[(str(day), names[day]) for day in range(7)],
        columns=[(hour, hour) for hour in HOURS],
        every=3,
        name=name,
        kind=kind,
        noun=noun,
        per=per,
        detail=", ".join(filter(None, (_("by weekday and hour, {zone}").format(zone=zone), detail))),
        quality=quality,
        links=links,
        locale=locale,
        translate=_,
    )


def coverage_map(
    frame: pd.DataFrame,
    *,
    months: Sequence[date],
    name: str = "coverage",
    noun: str = "team months",
    detail: str = "",
    quality: str = "",
    reasons: Mapping[Key, str] | None = None,
    links: Mapping[Key, str] | None = None,
    locale: str = "en",
    translate: Translate = as_is,
) -> Chart:
    """
    Draw which share of each month is covered by records, a row for each team (source, ...).

    Args:
        frame: ``key``, ``label``, ``month`` (its first day) and ``share`` (0 to 1; NaN is unknown), rows in drawing order.
        months: the columns, also those without a row.
        noun: what a cell is, as it stands inside a sentence.
        reasons: (key, month as "2026-07") -> why it is not known.
    """
    _ = translate
    values = {(str(row.key), f"{row.month:%Y-%m}"): known_or_none(row.share) for row in frame.itertuples(index=False)}
    rows = list(dict.fromkeys((str(row.key), str(row.label)) for row in frame.itertuples(index=False)))
    columns = [(f"{month:%Y-%m}", format_date(month, "LLL yy", locale=locale)) for month in months]
    known = [values.get((row, column)) for row, _label in rows for column, _name in columns]
    short = sum(value is None or value < COVERED for value in known)
    title = _("Coverage by month")
    if known:
        title = (
            _("{short} of {all} {noun} are covered by less than {share} or not at all")
            if short
            else _("All {all} {noun} are covered by {share} or more")
        ).format(short=short, all=len(known), noun=noun, share=f"{COVERED * 100:.0f}{figures.THIN}%")
    return heatmap(
        values,
        rows=rows,
        columns=columns,
        every=-(-len(columns) // 12) or 1,
        edges=COVERAGE_EDGES,
        name=name,
        kind=None,
        title=title,
        detail=", ".join(filter(None, (_("share of the month covered"), detail))),
        quality=quality,
        reasons=reasons,
        links=links,
        locale=locale,
        translate=_,
    )


def months_between(first: date, last: date) -> list[date]:
    """
    List the first days of the months from one day to another.

    >>> [f"{month:%b}" for month in months_between(date(2026, 11, 5), date(2027, 1, 1))]
    ['Nov', 'Dec', 'Jan']
    """
    found = [first.replace(day=1)]
    while (following := (found[-1] + timedelta(days=32)).replace(day=1)) <= last:
        found.append(following)
    return found
