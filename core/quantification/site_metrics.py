"""What meter readings of a site give: PUE and WUE by month with a named fallback, reuse of heat, what no record covers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date


class ImpossibleReading(ValueError):  # said in the words of the product
    """Readings that no meter can show; the message says what to check."""


def pue(facility_kwh: float, it_kwh: float) -> float:
    """
    Divide what a site draws by what its IT draws.

    Args:
        facility_kwh, it_kwh: of the same meter period. [kWh]

    Raises:
        ImpossibleReading: IT draws nothing, or more than the whole site.

    Source: ISO/IEC 30134-2.

    >>> pue(120_000.0, 100_000.0)
    1.2
    """
    if it_kwh <= 0:
        raise ImpossibleReading("The IT energy must be above 0 kWh: PUE is facility / IT energy.")
    if facility_kwh < it_kwh:
        raise ImpossibleReading(
            f"The facility's {facility_kwh:g} kWh are less than the IT's {it_kwh:g} kWh (PUE below 1): check whether the two"
            " meters changed places."
        )
    return facility_kwh / it_kwh


def wue_l_per_kwh(water_l: float, it_kwh: float) -> float:
    """
    Divide the water that a site takes in by what its IT draws.

    Args:
        water_l: of the site, same period. [L]
        it_kwh: IT energy, not facility energy. [kWh]

    Raises:
        ImpossibleReading: IT draws nothing.

    Source: The Green Grid; ISO/IEC 30134-9.

    >>> wue_l_per_kwh(20_000.0, 100_000.0)
    0.2
    """
    if it_kwh <= 0:
        raise ImpossibleReading("The IT energy must be above 0 kWh: WUE is water / IT energy.")
    return water_l / it_kwh


def energy_reuse_factor(heat_reused_kwh: float, facility_kwh: float) -> float | None:
    """
    Return the share of a site's energy that is used again outside it; shown, never a credit. None without energy.

    Source: ISO/IEC 30134-6.

    >>> energy_reuse_factor(30_000.0, 120_000.0)
    0.25
    """
    return heat_reused_kwh / facility_kwh if facility_kwh > 0 else None


def unallocated_pkwh(metered_pkwh: int, allocated_pkwh: int) -> int:
    """
    Return what a site's meter shows and no record covers; negative where records exceed the meter, never clipped.

    Args:
        metered_pkwh: facility meter of a period. [1e-12 kWh]
        allocated_pkwh: facility energy of the records of that site and period. [1e-12 kWh]

    Returns:
        With what is allocated it makes the meter, exactly. [1e-12 kWh]

    >>> unallocated_pkwh(100, 120)
    -20
    """
    return metered_pkwh - allocated_pkwh


@dataclass(frozen=True)
class Reading:
    """What the meters of a site showed over a month: None where there is no such meter. [kWh, kWh, L]"""

    month: date
    facility_kwh: float | None = None
    it_kwh: float | None = None
    water_l: float | None = None


@dataclass(frozen=True)
class SiteRatio:
    """
    A site's PUE or WUE for a month.

    Attributes:
        name: ``pue`` or ``wue_l_per_kwh``, as overrides are called.
        months: how many months it was measured over.
        measured: the month's own reading; else that of the calendar year stands in.
    """

    name: str
    month: date
    value: float
    months: int
    measured: bool

    @property
    def tier(self) -> str:
        """Name the choice of methodology 2.10."""
        return "site-month" if self.measured else "site-year"

    @property
    def match(self) -> str:
        """Say how the factor fits its use, in the words of ``factor.MATCHES``."""
        return "exact" if self.measured else "default"


def site_ratios(readings: Sequence[Reading]) -> list[SiteRatio]:
    """
    Derive a site's PUE and WUE for every month of each year that has a reading.

    A month without a reading takes the ratio of sums of its calendar year (methodology 8.1); a year without any is left to
    the next choice of methodology 2.10.

    Args:
        readings: one per month and site; several of one month are one.

    Raises:
        ImpossibleReading: what `pue` and `wue_l_per_kwh` refuse.
    """
    months = _by_month(readings)
    found: list[SiteRatio] = []
    for year in sorted({month.year for month in months}):
        of_year = {month: reading for month, reading in months.items() if month.year == year}
        found += _of_year(
            "pue", year, {m: pair for m, r in of_year.items() if (pair := _both(r.facility_kwh, r.it_kwh))}
        )
        found += _of_year(
            "wue_l_per_kwh", year, {m: pair for m, r in of_year.items() if (pair := _both(r.water_l, r.it_kwh))}
        )
    return found


def _of_year(name: str, year: int, pairs: dict[date, tuple[float, float]]) -> Iterator[SiteRatio]:
    if not pairs:
        return
    ratio = pue if name == "pue" else wue_l_per_kwh
    whole = ratio(sum(above for above, _ in pairs.values()), sum(below for _, below in pairs.values()))
    for month in (date(year, number, 1) for number in range(1, 13)):
        if month in pairs:
            yield SiteRatio(name, month, ratio(*pairs[month]), 1, measured=True)
        else:
            yield SiteRatio(name, month, whole, len(pairs), measured=False)


def _both(above: float | None, below: float | None) -> tuple[float, float] | None:
    return None if above is None or below is None else (above, below)


def _by_month(readings: Iterable[Reading]) -> dict[date, Reading]:
    """Put what is said of a month together: meters and water come as entries of their own."""
    found: dict[date, Reading] = {}
    for reading in readings:
        known = found.get(reading.month, Reading(reading.month))
        said = {
            name: value
            for name in ("facility_kwh", "it_kwh", "water_l")
            if (value := getattr(reading, name)) is not None
        }
        found[reading.month] = replace(known, **said)
    return dict(sorted(found.items()))
