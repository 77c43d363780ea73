"""The week of a grid zone, hour by hour, from the hourly series that serves its newest quarter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pandas as pd
from django.utils.translation import gettext as _

from core.quantification.grid_series import Served, quarter_name
from core.quantification.units import G_PER_KG
from reporting import figures
from reporting.charts import Chart, hour_of_week
from reporting.templatetags.figures import locale

NAME: Final = "grid-week"


def hourly_quarters(quarters: Sequence[Served]) -> dict[str, Served]:
    """Take the newest quarter of each zone that hourly values serve, by zone."""
    return {each.zone: each for each in sorted(quarters, key=lambda each: each.quarter) if each.hourly is not None}


def week_chart(served: Served) -> Chart:
    """Draw the mean of every hour of the week; hours that the series lacks, and were filled, are left out of it."""
    return hour_of_week(
        week_of(served),
        name=NAME,
        noun=_("Grid intensity of {zone}").format(zone=served.zone),
        per=_("per kWh"),
        detail=_("mean of {quarter}").format(quarter=quarter_name(served.quarter)),
        quality=_("{present} of {all} hours from the series").format(
            present=figures.count(served.hours_present, compact=False), all=figures.count(served.hours, compact=False)
        ),
        locale=locale(),
        translate=_,
    )


def week_of(served: Served) -> pd.DataFrame:
    """
    Average a quarter by hour of the week, UTC.

    Returns:
        ``weekday`` (0 is Monday), ``hour`` and ``value``, the mean over the hours that the series has. [kg CO2e/kWh]
    """
    first = datetime(served.quarter.year, served.quarter.month, 1, tzinfo=UTC)
    given = np.asarray(served.hourly, dtype=float) / G_PER_KG
    values = pd.Series(given, index=pd.date_range(first, periods=len(given), freq="h"))
    for gap in served.gaps:
        start = pd.Timestamp(gap.first_hour)
        values[start : start + pd.Timedelta(hours=gap.hours - 1)] = np.nan
    means = values.groupby([values.index.day_of_week, values.index.hour]).mean()  # type: ignore[attr-defined]
    return means.rename_axis(["weekday", "hour"]).rename("value").reset_index()
