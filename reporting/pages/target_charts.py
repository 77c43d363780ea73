"""The trajectory of a target: what each month came to against what the path allows, and where the year is heading."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pandas as pd
from django.utils import translation
from django.utils.translation import gettext as _

from reporting import figures
from reporting.charts import Chart, Overlays, trend
from reporting.charts.palette import SERIES
from reporting.pages.target_words import MEASURES, finding, kind_of, parts_said
from reporting.selectors.target_figures import Progress
from reporting.targets.forecast import FEWEST_MONTHS, MONTHS_FOR_SEASONS, SHARE
from reporting.targets.paths import months_between, plus_months

SHOWN_MONTHS = 36


def trajectory(progress: Progress, unit_text: str, *, today: date) -> Chart:
    """Draw the months since the base, up to the end of the year of the path; the month that is not over is provisional."""
    definition = progress.path.definition
    months = shown_months(progress, today)
    slots = pd.DatetimeIndex(months).tz_localize(UTC)
    actual = progress.months["actual"].reindex(months)
    frame = pd.DataFrame(
        {"starts_at": slots, "series": "actual", "value": actual.to_numpy(float)},
        columns=["starts_at", "series", "value"],
    ).dropna()
    allowed = pd.Series([progress.path.month(month) for month in months], index=slots, dtype=float)
    chart = trend(
        frame,
        slots=slots,
        grain="month",
        labels={"actual": _("What it came to")},
        name="trajectory",
        kind=kind_of(definition),
        colours={"actual": SERIES[0]},
        target=allowed if allowed.notna().any() else None,
        provisional_from=datetime(today.year, today.month, 1, tzinfo=UTC),
        title=finding(progress),
        per=_("per {unit}").format(unit=unit_text) if definition.per else "",
        detail=f"{MEASURES[definition.measure]}, {parts_said(definition)}"
        if not definition.per
        else parts_said(definition),
        overlays=Overlays(projection=band_of(progress)),
        locale=translation.get_language() or "en",
        translate=_,
    )
    return replace(chart, notes=(*chart.notes, *notes_of(progress)))


def shown_months(progress: Progress, today: date) -> list[date]:
    """List the months of the chart: the latest of those since the base, and what is to come of the year."""
    first = min([*progress.months.index, today.replace(day=1)])
    last = today if progress.year is None else max(progress.year[1], min(today, progress.path.last_day))
    last = min(max(last, first), progress.path.last_day)
    return months_between(max(first, plus_months(last, 1 - SHOWN_MONTHS)), last)


def band_of(progress: Progress) -> pd.DataFrame | None:
    """Give the range of the months to come, by slot; None where nobody can tell."""
    if progress.forecast is None:
        return None
    slots = pd.DatetimeIndex(progress.to_come).tz_localize(UTC)
    rows = [{"value": each.middle, "low": each.low, "high": each.high} for each in progress.forecast.months]
    return pd.DataFrame(rows, index=slots)


def notes_of(progress: Progress) -> tuple[str, ...]:
    """Say how the range was made, or why there is none."""
    if not progress.to_come:
        return ()
    if progress.forecast is None:
        if progress.read < FEWEST_MONTHS:
            return (
                _("No forecast: {count} months in a row are known, {needed} are needed.").format(
                    count=progress.read, needed=FEWEST_MONTHS
                ),
            )
        return (_("No forecast: months of this year are missing, or nothing was ever there."),)
    share = figures.percent(SHARE)
    made = _(
        "Projected: {share} of what may come, if it goes on as in the last {count} months (structural time series, statsmodels)."
    ).format(share=share, count=progress.forecast.read)
    if progress.forecast.seasons:
        return (made,)
    return (made, _("Seasons are not in it: they show from {count} months on.").format(count=MONTHS_FOR_SEASONS))
