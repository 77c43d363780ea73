"""Meter readings as an organization's own factors: the PUE and WUE of a site, month by month (methodology 2.10, 8.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Final

from core.quantification.own_factors import OwnFactor
from core.quantification.site_metrics import Reading, SiteRatio, site_ratios

METERED: Final = "pue_measured"
"""The methodology's spread of a ratio of two meters of one site (methodology 9.2)."""


def factors_of_site(site: str, readings: Sequence[Reading]) -> list[OwnFactor]:
    """
    Turn a site's readings into dated factors for its records.

    A measured month is a factor of its own, ``register:<site>:<month>:pue``. Months of a year without a reading take the
    ratio of the year's sums, ``register:<site>:<year>:pue``: neighbours are one factor, whose ``match`` is ``default``.

    Args:
        site: as records call it.
        readings: what its meters showed.

    Raises:
        ImpossibleReading: readings that no meter can show.
    """
    found: list[OwnFactor] = []
    ratios = sorted(site_ratios(readings), key=lambda ratio: (ratio.name, ratio.month))
    for (name, _, measured), months in groupby(
        ratios, key=lambda ratio: (ratio.name, ratio.month.year, ratio.measured)
    ):
        for ratio, until in _spans(list(months), measured=measured):
            found.append(_factor(site, name, ratio, until))
    return found


def _spans(ratios: list[SiteRatio], *, measured: bool) -> Iterator[tuple[SiteRatio, date]]:
    """Yield each measured month with the day after it; of neighbours without a reading the first, with the day after the last."""
    if measured:
        yield from ((ratio, _next(ratio.month)) for ratio in ratios)
    else:
        yield ratios[0], _next(ratios[-1].month)


def _factor(site: str, name: str, ratio: SiteRatio, until: date) -> OwnFactor:
    month, year = f"{ratio.month:%Y-%m}", f"{ratio.month:%Y}"
    word = "pue" if name == "pue" else "wue"
    of_year = f"{ratio.months} {'month' if ratio.months == 1 else 'months'} of {year}"
    return OwnFactor(
        id=f"register:{site}:{month if ratio.measured else year}:{word}",
        name=name,
        value=ratio.value,
        low=ratio.value,
        high=ratio.value,
        source=f"meter readings of {site}, {month if ratio.measured else of_year} ({ratio.tier})",
        valid_from=ratio.month,
        valid_to=until,
        where={"site": site},
        match=ratio.match,
        gsd=METERED,
    )


def _next(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)
