"""An organization's own factors: dated, sourced, for the uses that they are about; they go before those of the pack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.quantification.attribute import day_number
from core.quantification.bounds import gsd_interval
from core.quantification.methods import LATEST, Methodology, methodology_of
from core.quantification.overrides import Override
from core.quantification.resolve import Catalog

SELECTORS: Final = (
    "site",
    "hosting",
    "provider",
    "region",
    "zone",
    "model",
    "hardware",
    "instance_type",
    "application",
    "currency",
)
"""Dimensions by which an own factor says what it is about."""


PLAUSIBLE: Final[Mapping[str, tuple[float, float, str]]] = {
    "pue": (1.0, 5.0, "is it a percentage?"),
    "wue_l_per_kwh": (0.0, 30.0, "is it per MWh?"),
    "grid_g_co2e_per_kwh": (1.0, 2000.0, "the unit is g CO2e/kWh, so 0.329 kg is 329"),
    "market_g_co2e_per_kwh": (1.0, 2000.0, "the unit is g CO2e/kWh, so 0.329 kg is 329"),
    "grid_loss_fraction": (0.0, 0.6, "it is a share of generation, so 6 % is 0.06"),
    "grid_water_l_per_kwh": (0.0, 100.0, "is it per MWh?"),
    "device_tdp_w": (1.0, 20_000.0, "it is of one device"),
    "device_idle_w": (0.0, 5_000.0, "it is of one device"),
    "embodied_kg_co2e": (0.0, 100_000.0, "it is of one device"),
    "lifetime_h": (1_000.0, 300_000.0, "the unit is hours: four years are 35,040"),
    "model_active_params_b": (1e-3, 100_000.0, "the unit is 10^9 parameters"),
    "model_total_params_b": (1e-3, 100_000.0, "the unit is 10^9 parameters"),
    "seat_it_kwh": (0.0, 1_000.0, "it is of one seat and month"),
    "seat_kg_co2e": (0.0, 1_000.0, "it is of one seat and month"),
    "spend_kg_co2e": (0.0, 100.0, "it is of one unit of the currency"),
}
"""What a number of each kind can be, and what is likely wrong beyond; an intensity of 0 is possible besides."""


def implausible(name: str, value: float) -> str | None:
    """
    Say why a number can hardly be meant, None where it can.

    >>> implausible("grid_g_co2e_per_kwh", 0.329)
    '0.329 lies outside 1 to 2000: the unit is g CO2e/kWh, so 0.329 kg is 329'
    """
    low, high, hint = PLAUSIBLE[name]
    if low <= value <= high or (value == 0.0 and name.endswith("_g_co2e_per_kwh")):
        return None
    return f"{value:g} lies outside {low:g} to {high:g}: {hint}"


@dataclass(frozen=True)
class OwnFactor:
    """
    Hold one number that an organization knows better than the published tables.

    Attributes:
        id: names its entry, such as ``own:12`` or ``register:berlin:2026-07:pue``.
        name: one of ``overrides.UNITS``, which has its unit; or ``grid_series``, the factor of an own series.
        value, low, high: median and interval; all three equal where no interval is known.
        source: where the number comes from.
        valid_from, valid_to: half-open, days in UTC; None: open.
        where: selector to name; every one of them must fit. Names are compared as the catalog resolves them.
        match: one of ``factor.MATCHES``: ``exact`` for what was measured at the thing itself.
        gsd: name of the methodology's spread that gives low and high, such as ``pue_measured``; empty: they stand as given.
        detail: what else a reader should see, in order.
    """

    id: str
    name: str
    value: float
    low: float
    high: float
    source: str
    valid_from: date | None = None
    valid_to: date | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    match: str = "override"
    gsd: str = ""
    detail: tuple[tuple[str, str | int | float | bool], ...] = ()

    def as_override(self, method: Methodology) -> Override:
        """Return the factor as plans take it."""
        since = None if self.valid_from is None else self.valid_from.isoformat()
        low, high = gsd_interval(self.value, method.gsd[self.gsd]) if self.gsd else (self.low, self.high)
        return Override(self.value, low, high, self.id, self.source, since, self.match, self.detail)


def given_of(
    subjects: pd.DataFrame, factors: Sequence[OwnFactor], catalog: Catalog, methodology: str | Methodology = LATEST
) -> pd.Series:
    """
    Choose each subject's own factors.

    Of several that fit, the one with most conditions goes first, then the one for a site, then the one that somebody entered
    before what follows from the site's meters, then the one whose zone is the finest, then the one that began last, then the
    later in this order.

    Args:
        subjects: ``SELECTORS`` as resolved by own aliases, and ``day`` (days since 1970).
        catalog: what names mean, so that a factor for a zone holds for the cloud regions in it.
        methodology: whose spreads are taken.

    Returns:
        Same index; tuples of ``(override, Override)`` sorted by override.
    """
    chosen: list[dict[str, Override]] = [{} for _ in range(len(subjects))]
    names = _Names(subjects, catalog, methodology_of(methodology))
    for factor in sorted(factors, key=_since):
        factor_fits = names.fit(factor) & _holds(subjects["day"].to_numpy(), factor)
        for position in np.flatnonzero(factor_fits):
            names.offer(int(position), factor, chosen[position])
    return pd.Series([tuple(sorted(each.items())) for each in chosen], index=subjects.index, dtype=object)


def _since(factor: OwnFactor) -> int:
    return -1 if factor.valid_from is None else day_number(factor.valid_from)


def _holds(day: npt.NDArray[np.int64], factor: OwnFactor) -> npt.NDArray[np.bool_]:
    since = -np.inf if factor.valid_from is None else day_number(factor.valid_from)
    until = np.inf if factor.valid_to is None else day_number(factor.valid_to)
    return np.asarray((day >= since) & (day < until))


class _Names:
    """The names of subjects as the catalog knows them, and how closely the factors chosen so far fit."""

    def __init__(self, subjects: pd.DataFrame, catalog: Catalog, method: Methodology) -> None:
        self._subjects = subjects
        self._method = method
        self._catalog = catalog
        self._known: dict[str, npt.NDArray[np.object_]] = {}
        self._rank: dict[tuple[int, str], tuple[int, ...]] = {}

    def fit(self, factor: OwnFactor) -> npt.NDArray[np.bool_]:
        """Tell which subjects meet every condition of a factor."""
        fits = np.ones(len(self._subjects), dtype=bool)
        for selector, wanted in factor.where.items():
            if selector == "zone":
                fits &= np.array([wanted.upper() in zones for zones in self._zones], dtype=bool)
            else:
                fits &= np.asarray(self._column(selector) == self._meaning(selector)(wanted, None))
        return fits

    def offer(self, position: int, factor: OwnFactor, chosen: dict[str, Override]) -> None:
        """Take a factor for a subject unless the one it has fits more closely."""
        zone = factor.where.get("zone")
        finer = 0 if zone is None else -self._zones[position].index(zone.upper())
        rank = (len(factor.where), "site" in factor.where, factor.match == "override", finer)
        if rank >= self._rank.get((position, factor.name), (-1,)):
            self._rank[position, factor.name] = rank
            chosen[factor.name] = factor.as_override(self._method)

    def _column(self, selector: str) -> npt.NDArray[np.object_]:
        if selector not in self._known:
            meaning = self._meaning(selector)
            values = self._subjects[selector].to_numpy(dtype=object)
            providers = self._subjects["provider"].to_numpy(dtype=object)
            known = {
                pair: meaning(*pair) for pair in set(zip(values, map(_text, providers), strict=True)) if _text(pair[0])
            }
            listed = [known.get(pair) for pair in zip(values, map(_text, providers), strict=True)]
            self._known[selector] = np.array(listed, dtype=object)
        return self._known[selector]

    def _meaning(self, selector: str) -> Callable[[str, str | None], str]:
        """Return what makes a reported name comparable: the catalog's name for it, else itself, without regard to case."""
        catalog = self._catalog

        def meaning(name: str, provider: str | None) -> str:
            known: str | None = None
            if selector == "model":
                model = catalog.model(name, provider)
                known = model.name if model else None
            elif selector == "hardware":
                hardware = catalog.hardware(name)
                known = hardware.id if hardware else None
            elif selector == "instance_type":
                instance = catalog.instance(name, provider)
                known = instance.name if instance else None
            elif selector == "region":
                known = catalog.place(hosting=None, provider=provider, region=name, zone=None).region
            return (known or name).strip().casefold()

        return meaning

    @cached_property
    def _zones(self) -> list[tuple[str, ...]]:
        """Return each subject's zone, as reported and as the catalog knows it, and the wider ones it lies in."""
        columns = ("hosting", "provider", "region", "zone")
        zones = []
        for row in self._subjects[list(columns)].astype(object).to_numpy():
            place = dict(zip(columns, map(_text, row), strict=True))
            reported = (place["zone"].upper(),) if place["zone"] else ()
            zones.append((*reported, *(zone for zone, _ in self._catalog.place(**place).zones)))
        return zones


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
