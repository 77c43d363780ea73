"""The figures that a target is about: its base, its months, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd

from core.accounting.figures import FilterError
from core.accounting.models import View
from core.accounting.selectors import emissions
from core.accounting.selectors.variance import SILENT_DAYS
from core.accounting.selectors.views import current_view
from core.organizations.tenancy import organization_snapshot
from reporting.intensities.units import FunctionalUnit
from reporting.selectors.denominators import unit_named
from reporting.selectors.periods import Activity, activity_of
from reporting.selectors.sci import sci
from reporting.targets.definition import ENERGY, WATER, Definition, TargetError
from reporting.targets.forecast import Forecast, forecast_of, latest_stretch
from reporting.targets.paths import DAY, Base, Path, days_in, month_end, months_between, plus_months
from reporting.targets.status import Status, status_of

COLUMNS = {ENERGY: "energy_facility_kwh", WATER: "water_l"}
TOTAL = "total_kg_co2e"
MOST_MONTHS = 120


@dataclass(frozen=True)
class Figure:
    """
    What a stretch of days came to.

    Args:
        value: kg CO2e, kWh, L, or kg CO2e per unit; None where nothing is known.
        coverage: share of what there was that is in it (0 to 1).
        units: what an intensity was divided by.
        reason: why there is no value, in words.
    """

    value: float | None
    coverage: float = 1.0
    units: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Progress:
    """
    How a target stands.

    Args:
        window: the days it is judged by: of the current year of the path the months that are over; None before the first.
        actual, allowed: over the window.
        year: the days of that year of the path, and what it allows for all of them.
        months: one row a month since the base: ``actual`` and ``allowed``, by first day.
        over: what the months that are over put into the figure of the year.
        forecast: of ``to_come``, the months of the year that are not over; None where nobody can tell.
        read: how many months there were to make it from.
    """

    path: Path
    window: tuple[date, date] | None
    actual: Figure
    allowed: float | None
    year: tuple[date, date] | None
    allowed_to_end: float | None
    status: Status
    months: pd.DataFrame
    view_id: int | None
    over: float
    to_come: tuple[date, ...]
    forecast: Forecast | None
    read: int


def base_of(organization_id: int, definition: Definition, *, today: date, view: View | None = None) -> Base | None:
    """
    Read the figures of a base period; None for a ceiling.

    Raises:
        TargetError: a period that is not over, lies before the first record, or holds nothing of what the target is about.
    """
    unit_of(organization_id, definition)
    first, last = definition.base_from, definition.base_to
    if first is None or last is None:
        return None
    if last >= today:
        raise TargetError("base_to", f"The base period ends on {last}, which is not over yet.")
    with organization_snapshot(organization_id):
        view = view or current_view(organization_id)
        activity = activity_of(organization_id, view, today)
        if activity.first_day is None:
            raise TargetError("base_from", "There are no records yet that a base could come from.")
        known_to = activity.last_day or activity.first_day
        if max((activity.first_day - first).days, (last - known_to).days) > SILENT_DAYS:
            raise TargetError(
                "base_from",
                f"The base period has days without data: records reach from {activity.first_day} to {known_to}.",
            )
        whole = figure_of(organization_id, definition, first, last, view=view)
        if not whole.value or whole.value <= 0:
            raise TargetError(
                "base_from",
                f"The base period holds nothing of what the target is about. {whole.reason}".strip(),
            )
        if definition.per:
            return Base(whole.value)
        months = months_of(organization_id, definition, first, last, view=view)
    return Base(whole.value, tuple(float(months.get(month, 0.0)) for month in months_between(first, last)))


def unit_of(organization_id: int, definition: Definition) -> FunctionalUnit | None:
    """Find what a target divides by. Raises TargetError where there is no such unit."""
    try:
        return unit_named(organization_id, definition.per) if definition.per else None
    except ValueError as error:
        raise TargetError("per", str(error)) from error


def figure_of(organization_id: int, definition: Definition, first: date, last: date, *, view: View | None) -> Figure:
    """Read what a stretch of days came to."""
    asked = definition.filter(first, last)
    unit = unit_of(organization_id, definition)
    if unit is not None:
        row = next(
            (each for each in sci(organization_id, asked, unit, view=view).rows if each.score == unit.scores[0]), None
        )
        if row is None or row.kg_per_unit is None or row.sums is None:
            return Figure(None, 0.0, None, "" if row is None else row.reason)
        return Figure(row.kg_per_unit.value, 1.0 - (row.left_out_share or 0.0), row.sums.functional_units)
    column = COLUMNS.get(definition.measure, TOTAL)
    rows = emissions(organization_id, asked, bounds=False, view=view).rows
    if rows.empty:
        return Figure(None, 0.0)
    needed = f"{definition.basis}_kg_co2e" if column == TOTAL else column
    known = emissions(organization_id, asked, bounds=False, known=(needed,), view=view).rows
    records, with_figure = int(rows["records"].sum()), 0 if known.empty else int(known["records"].sum())
    value = rows[column].sum(min_count=1)
    return Figure(None if pd.isna(value) else float(value), with_figure / records if records else 0.0)


def months_of(organization_id: int, definition: Definition, first: date, last: date, *, view: View | None) -> pd.Series:
    """Read what each month came to, by its first day; months without anything are left out."""
    asked = definition.filter(first, last, grain="month")
    unit = unit_of(organization_id, definition)
    if unit is not None:
        rows = [each for each in sci(organization_id, asked, unit, view=view).rows if each.score == unit.scores[0]]
        return pd.Series(
            {each.start.date(): each.kg_per_unit.value for each in rows if each.start and each.kg_per_unit}, dtype=float
        )
    found = emissions(organization_id, asked, bounds=False, view=view).rows
    column = COLUMNS.get(definition.measure, TOTAL)
    days = [] if found.empty else pd.to_datetime(found["start"], utc=True).dt.date.tolist()
    return pd.Series(found[column].to_numpy(float), index=days, dtype=float).dropna()


def progress_of(organization_id: int, path: Path, *, today: date, view: View | None = None) -> Progress:
    """Hold a path against what happened."""
    with organization_snapshot(organization_id):
        view = view or current_view(organization_id)
        activity = activity_of(organization_id, view, today)
        window, year = window_of(path, today)
        actual, allowed, ended = Figure(None, 0.0), None, False
        if window is not None and year is not None:
            found = figure_of(organization_id, path.definition, *window, view=view)
            days = days_known(activity, window)
            actual = Figure(found.value, min(found.coverage, days), found.units, found.reason)
            allowed = path.between(*window)
            ended = window[1] == path.last_day
        months = monthly(organization_id, path, activity, today, view)
    to_end = None if year is None else path.between(*year)
    over, to_come, forecast, read = ahead_of(path, months, year, today)
    status = status_of(
        actual=actual.value,
        allowed=allowed,
        coverage=actual.coverage,
        ended=ended,
        expected_to_end=None if forecast is None else forecast.total.plus(over).middle,
        allowed_to_end=to_end,
    )
    return Progress(
        path,
        window,
        actual,
        allowed,
        year,
        to_end,
        status,
        months,
        None if view is None else view.id,
        over,
        to_come,
        forecast,
        read,
    )


def ahead_of(
    path: Path, months: pd.DataFrame, year: tuple[date, date] | None, today: date
) -> tuple[float, tuple[date, ...], Forecast | None, int]:
    """
    Say what the months of the year that are not over may come to.

    Months are read up to the last that is over, back to a hole or the base. An intensity is weighed by days, as its path is.

    Returns:
        What the months that are over put into the year's figure; the months to come; their forecast, None where nobody can tell;
        how many months were read.
    """
    now = today.replace(day=1)
    known = months["actual"][[month < now for month in months.index]]
    history = latest_stretch(known.tolist())
    if year is None:
        return 0.0, (), None, len(history)
    whole = months_between(*year)
    to_come = tuple(month for month in whole if month >= now)
    days = sum(map(days_in, whole))
    shares = {month: days_in(month) / days if path.definition.per else 1.0 for month in whole}
    gone = [month for month in whole if month < now]
    over = known.reindex(gone).to_numpy(float)
    if pd.isna(over).any():  # a month of this year is not known, so what the year comes to is not either
        return 0.0, to_come, None, len(history)
    forecast = forecast_of(history, len(to_come), tuple(shares[month] for month in to_come))
    return float(over @ [shares[month] for month in gone]), to_come, forecast, len(history)


def window_of(path: Path, today: date) -> tuple[tuple[date, date] | None, tuple[date, date] | None]:
    """
    Find the days that a target is judged by, and its year of the path: the months that are over of the latest such year.

    Months of the base are not looked at: they are what they are.
    """
    last = today.replace(day=1) - DAY
    begins = path.first_day if path.base is None else plus_months(path.definition.base_to or path.first_day, 1)
    if last < begins:
        return None, None
    last = min(last, path.last_day)
    first, end = path.block_of(last)
    first, end = max(first, begins), min(end, path.last_day)
    return (first, last), (first, end)


def days_known(activity: Activity, window: tuple[date, date]) -> float:
    """Tell for which share of the days anything could have been recorded."""
    first, last = window
    if activity.first_day is None or activity.last_day is None:
        return 0.0
    known = (min(last, activity.last_day) - max(first, activity.first_day)).days + 1
    return max(0, known) / ((last - first).days + 1)


def monthly(organization_id: int, path: Path, activity: Activity, today: date, view: View | None) -> pd.DataFrame:
    """Put the months since the base beside what the path allows; the month that is not over is among them."""
    first = max(path.first_day, activity.first_day or path.first_day).replace(day=1)
    first = max(first, plus_months(today, -MOST_MONTHS))
    last = min(today, path.last_day)
    if last < first:
        return pd.DataFrame(columns=["actual", "allowed"], dtype=float)
    months = months_between(first, last)
    try:
        found = months_of(organization_id, path.definition, first, month_end(last), view=view)
    except FilterError:
        found = pd.Series(dtype=float)
    return pd.DataFrame(
        {"actual": found.reindex(months), "allowed": [path.month(month) for month in months]}, index=months, dtype=float
    )
