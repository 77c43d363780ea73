"""Which share of each month every expected source and account reported, as a heat map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

import pandas as pd
from django.utils.translation import gettext as _

from core.accounting.selectors.completeness import Completeness
from reporting.charts import Chart, coverage_map, months_between
from reporting.templatetags.figures import locale

MOST_ROWS: Final = 20


def coverage_chart(entries: Sequence[Completeness], first: date, last: date) -> Chart:
    """Draw the entries of the register, the most incomplete first; months in which nothing is expected are hatched."""
    months = months_between(first, last)
    rows = [
        (str(entry.id), label_of(entry), month, share)
        for entry in entries[:MOST_ROWS]
        for month, share in shares(entry, months, first, last)
    ]
    return coverage_map(
        pd.DataFrame(rows, columns=["key", "label", "month", "share"]),
        months=months,
        noun=_("account months"),
        detail=_("days with a record of those expected"),
        reasons={(key, f"{month:%Y-%m}"): _("nothing expected") for key, _label, month, share in rows if share is None},
        locale=locale(),
        translate=_,
    )


def label_of(entry: Completeness) -> str:
    """Name a row by its source and account."""
    return f"{entry.source}, {entry.account}" if entry.account else entry.source


def shares(entry: Completeness, months: Sequence[date], first: date, last: date) -> Iterator[tuple[date, float | None]]:
    """Give the share of each month's expected days that have a record; None where none is expected."""
    for month in months:
        end = (month + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        start, stop = max(month, first, entry.since), min(end, last, entry.until or last)
        expected = days(start, stop)
        missing = sum(days(max(start, one), min(stop, other)) for one, other in entry.missing)
        yield month, 1 - missing / expected if expected else None


def days(first: date, last: date) -> int:
    """
    Count days, both ends included; none where they are the wrong way round.

    >>> days(date(2026, 7, 1), date(2026, 7, 31)), days(date(2026, 8, 2), date(2026, 8, 1))
    (31, 0)
    """
    return max((last - first).days + 1, 0)
