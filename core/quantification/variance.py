"""
Variance: why another period has another figure, in six parts that sum to the difference (methodology 14).

A kind of work is what a factor depends on (stage, model, machine, place), for one team. Its emissions are

    activity x (energy / activity) x (kg CO2e / energy)

and each part changes one of these on top of the parts before it. What only one period could record, and what only one of them
could calculate, is set aside first, so that it is not read as more or less work.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

PARTS: Final = ("volume", "mix", "efficiency", "grid", "coverage", "method")
"""The parts of a variance, in their order."""

NOT_KNOWN: Final = "not_known"
"""What was calculated in one of the periods only: no part, and never left out."""

KIND: Final = ("stage", "hosting", "provider", "region", "zone", "site", "model", "hardware", "instance_type")
"""Dimensions that tell kinds of work apart."""

MEASURES: Final = (
    "output_tokens",
    "input_tokens",
    "requests",
    "flops",
    "device_hours",
    "instance_hours",
    "seat_months",
    "energy_kwh",
)
"""What activity is counted in: the first of these that a kind has in both periods."""

COMPONENTS: Final = ("location_kg_co2e", "market_kg_co2e", "upstream_kg_co2e", "embodied_kg_co2e")
"""What a total can be made of; each is taken apart on its own."""

OF_ENERGY: Final = frozenset(COMPONENTS[:3])
ENERGY: Final = "energy_facility_kwh"
ITSELF: Final = "kg"
"""Counts activity in its own emissions where no measure is there: more of it is volume, nothing else can be told apart."""

SUFFICIENT: Final = 0.95
"""Share of a kind's emissions that has to hold a measure before the kind is counted in it."""

PLACES: Final = 10**9
"""Parts are whole numbers of 1e-9 kg, as stored figures are, so that they sum exactly."""

ROUNDING: Final = 1e-11
"""Share of both periods below which a part is the rounding of stored rows."""


@dataclass(frozen=True)
class Variance:
    """
    A difference and its parts.

    Attributes:
        before_kg, after_kg: what is known of both periods. [kg CO2e]
        parts: name of ``PARTS`` to kg CO2e; with `not_known_kg` exactly the difference, to 1e-9 kg.
        not_known_kg: what was calculated in one of the periods only. [kg CO2e]
        not_known_records: records of each period whose electricity could not be calculated; they are in no figure.
        contributions: kinds of work and their share in each part. Columns: ``team``, ``KIND``, ``source`` (of the coverage only),
            ``unit`` (what activity is counted in), ``PARTS`` and ``NOT_KNOWN``. [kg CO2e]
    """

    before_kg: float
    after_kg: float
    parts: Mapping[str, float]
    not_known_kg: float
    not_known_records: tuple[int, int]
    contributions: pd.DataFrame

    @property
    def difference_kg(self) -> float:
        """Return by how much the later period is above the earlier one. [kg CO2e]"""
        return self.after_kg - self.before_kg


def variance(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    components: Sequence[str],
    covered: Mapping[str, tuple[float, float]] | None = None,
) -> Variance:
    """
    Take the difference between two periods apart.

    Args:
        before, after: rows of each period: ``team``, ``KIND``, ``method``, ``source`` (None: nobody's), ``recorder`` (what
            recorded them: a source, or a unit of several), ``records``, ``MEASURES``, ``energy_facility_kwh`` [kWh] and
            ``components`` [kg CO2e]. NaN is unknown. Any number of rows may be of one kind.
        components: of ``COMPONENTS``, what the total is made of.
        covered: recorder to the share of each period's days (0 to 1) that it could record. One that is not named covers both.

    Returns:
        See `Variance`. Amounts that one period alone could record are scaled out by days.
    """
    rows = _both(before, after, components)
    before_kg, after_kg = (round(_total(rows.loc[rows["period"] == period, list(components)]), 9) for period in (0, 1))
    unknown = tuple(
        int(rows.loc[(rows["period"] == at) & rows[components[0]].isna(), "records"].sum()) for at in (0, 1)
    )
    if rows.empty:
        nothing = pd.DataFrame(columns=["team", *KIND, "source", "unit", *PARTS, NOT_KNOWN])
        return Variance(0.0, 0.0, dict.fromkeys(PARTS, 0.0), 0.0, (0, 0), nothing)
    rows, outside = _comparable(rows, components, covered or {})
    rows = rows.assign(**_units(rows, components))
    amounts = pd.concat([_of_component(rows, each) for each in components], ignore_index=True)
    contributions = pd.concat([_decomposed(amounts), outside] if len(rows) else [outside], ignore_index=True)
    contributions = contributions.reindex(columns=["team", *KIND, "source", "unit", *PARTS, NOT_KNOWN])
    contributions[[*PARTS, NOT_KNOWN]] = contributions[[*PARTS, NOT_KNOWN]].astype(float).fillna(0.0)
    keys = ["team", *KIND, "source", "unit"]
    summed = contributions.groupby(keys, dropna=False, sort=True)[[*PARTS, NOT_KNOWN]].sum().reset_index()
    summed[keys] = summed[keys].astype(object).where(summed[keys] != "", None)
    parts = _exact(before_kg, after_kg, {name: math.fsum(contributions[name]) for name in (*PARTS, NOT_KNOWN)})
    not_known = parts.pop(NOT_KNOWN)
    return Variance(before_kg, after_kg, parts, not_known, (unknown[0], unknown[1]), summed)


def _both(before: pd.DataFrame, after: pd.DataFrame, components: Sequence[str]) -> pd.DataFrame:
    """Put both periods into one frame of plain columns; unknown text is empty."""
    rows = pd.concat([before.assign(period=0), after.assign(period=1)], ignore_index=True)
    texts = ["team", *KIND, "method", "source", "recorder"]
    rows[texts] = rows[texts].astype(object).where(rows[texts].notna(), "")
    numbers = ["records", *MEASURES, ENERGY, *components]
    rows[numbers] = rows[numbers].astype(float)
    return rows[["period", *texts, *numbers]]


def _total(amounts: pd.DataFrame) -> float:
    return math.fsum(amounts.fillna(0.0).to_numpy().ravel())


def _comparable(
    rows: pd.DataFrame, components: Sequence[str], covered: Mapping[str, tuple[float, float]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Scale every recorder to the days that it covers in both periods.

    Returns:
        The rows scaled, and what was taken off as contributions to the coverage.
    """
    shares = np.array([covered.get(recorder, (1.0, 1.0)) for recorder in rows["recorder"]], dtype=float)
    own = np.where(rows["period"] == 0, shares[:, 0], shares[:, 1])
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(own > 0.0, shares.min(axis=1) / own, 1.0)
    sign = np.where(rows["period"] == 0, -1.0, 1.0)
    taken = rows[["team", *KIND, "source"]].assign(
        unit="", coverage=sign * (1.0 - kept) * rows[list(components)].fillna(0.0).sum(axis=1).to_numpy()
    )
    scaled = rows.copy()
    amounts = [*MEASURES, ENERGY, *components]
    scaled[amounts] = scaled[amounts].mul(kept, axis=0)
    return scaled[kept > 0.0].reset_index(drop=True), taken[kept < 1.0]


# --- what activity is counted in --------------------------------------------------------------------------------------


def _units(rows: pd.DataFrame, components: Sequence[str]) -> dict[str, pd.Series]:
    """
    Choose the measure of each kind: the first that nearly all of it holds in every period in which it is there.

    Returns:
        ``unit``: the measure of each row, ``ITSELF`` for one that lacks it. ``apart``: whether the two periods of the row's kind
        have neither a measure nor a method in common, so that all of its difference is one of method. [rows]
    """
    kind = rows.groupby(list(KIND), sort=False).ngroup()
    cell = [kind, rows["period"]]
    kg = rows[list(components)].fillna(0.0).abs().sum(axis=1)
    weight = kg.where(kg.groupby(cell).transform("sum") > 0.0, rows["records"].clip(lower=1.0))
    whole = weight.groupby(cell).transform("sum")
    unit = pd.Series(ITSELF, index=rows.index, dtype=object)
    open_ = pd.Series(data=True, index=rows.index)
    for name in MEASURES:
        held = (rows[name] > 0.0).to_numpy()
        share = weight.where(held, 0.0).groupby(cell).transform("sum") / whole
        fits = open_ & (share.groupby(kind).transform("min") >= SUFFICIENT)
        unit = unit.mask(fits & held, name)
        open_ &= ~fits
    methods = rows.groupby([kind, rows["method"]])["period"].transform("nunique")
    shared = (methods > 1).groupby(kind).transform("any")
    both = rows["period"].groupby(kind).transform("nunique") > 1
    return {"unit": unit, "apart": open_ & both & ~shared}


def _of_component(rows: pd.DataFrame, component: str) -> pd.DataFrame:
    """
    Give one component's rows: activity, energy, kg and how they are known.

    Columns: component, period, team, KIND, method, unit, apart, activity (all), known (the activity whose kg is known), energy
    [kWh], kg [kg CO2e], powered (whether the kg follow from an energy).
    """
    kg = rows[component]
    counted = sum(
        (rows[name].fillna(0.0).where(rows["unit"] == name, 0.0) for name in MEASURES), start=0.0 * kg.fillna(0.0)
    )
    activity = counted.where(rows["unit"] != ITSELF, kg.fillna(0.0))
    known = kg.notna()
    powered = (rows[ENERGY] > 0.0) & (component in OF_ENERGY)
    return rows[["period", "team", *KIND, "method", "unit", "apart"]].assign(
        component=component,
        activity=activity,
        known=activity.where(known, 0.0),
        energy=rows[ENERGY].where(powered & known, 0.0),
        kg=kg.fillna(0.0),
        powered=powered | ~known | (kg == 0.0),
    )


# --- the parts --------------------------------------------------------------------------------------------------------


def _decomposed(rows: pd.DataFrame) -> pd.DataFrame:
    """Take components apart; returns one row of contributions for each component, kind and team."""
    keys = ["component", *KIND, "unit", "team"]
    code = _codes(rows, keys)
    labels = rows.groupby(keys, sort=False)[["apart", "powered"]].all().reset_index()
    wide = _by_period(rows, code, len(labels))
    kinds = _codes(labels, ["component", *KIND, "unit"])
    works = _codes(labels, ["component", "stage", "unit"])
    not_known, scale = _known_share(wide)
    wide = {name: values * scale for name, values in wide.items()}
    activity, kg = wide["known"], wide["kg"]
    apart = labels["apart"].to_numpy(bool)
    powered = labels["powered"].to_numpy(bool) & (wide["energy"].sum(axis=1) > 0.0)
    content = np.where(powered[:, None], wide["energy"], kg)  # what one unit of activity takes: kWh, or kg at once
    first, second = _base(activity, content, kg, kinds)
    base_is_kind = activity[:, 0] == 0.0
    like = _same_method(rows, code, kinds, powered, scale, base_is_kind)
    each = _per(content[:, 1], activity[:, 1])
    moved = np.where(np.isnan(like), each, first * like)
    rate = _per(kg[:, 1], content[:, 1])
    total = np.array([np.bincount(works, weights=activity[:, at]) for at in (0, 1)])[:, works]
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.where(total[0] > 0.0, total[1] / total[0], np.nan)
    started = np.isnan(growth)
    growth = np.where(started, 0.0, growth)
    per_unit = first * second
    parts = {
        "volume": np.where(started, kg[:, 1] - kg[:, 0], (growth - 1.0) * kg[:, 0]),
        "mix": (activity[:, 1] - growth * activity[:, 0]) * per_unit,
        "efficiency": activity[:, 1] * (moved - first) * second,
        "grid": activity[:, 1] * moved * (rate - second),
        "method": kg[:, 1] - activity[:, 1] * moved * rate,
    }
    parts = {name: np.where(started & (name != "volume"), 0.0, values) for name, values in parts.items()}
    whole = kg[:, 1] - kg[:, 0]
    parts = {name: np.where(apart, whole if name == "method" else 0.0, values) for name, values in parts.items()}
    return labels[["team", *KIND, "unit"]].assign(source="", **parts, **{NOT_KNOWN: not_known})


def _codes(rows: pd.DataFrame, keys: Sequence[str]) -> Codes:
    """Number the combinations of keys, in the order in which they come. [rows]"""
    return np.asarray(rows.groupby(list(keys), sort=False).ngroup(), dtype=np.int64)


def _by_period(rows: pd.DataFrame, code: Codes, size: int) -> dict[str, Floats]:
    """Add amounts up by kind and period. [kinds, 2]"""
    at = 2 * code + rows["period"].to_numpy()
    return {
        name: np.bincount(at, weights=rows[name].to_numpy(float), minlength=2 * size)
        .astype(np.float64)
        .reshape(size, 2)
        for name in ("activity", "known", "energy", "kg")
    }


def _known_share(wide: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """
    Scale kinds to the share of their activity that was calculated in both periods.

    Returns:
        What is taken off, with its sign [kinds], and the scale of what is left [kinds, 2].
    """
    activity, known = wide["activity"], wide["known"]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(activity > 0.0, known / activity, 1.0)
        scale = np.where(share > 0.0, share.min(axis=1, keepdims=True) / share, 0.0)
    taken = (1.0 - scale) * wide["kg"]
    return taken[:, 1] - taken[:, 0], scale


def _base(activity: Floats, content: Floats, kg: Floats, kinds: Codes) -> tuple[Floats, Floats]:
    """
    Give the earlier period's content of a unit of activity and kg per content, for every kind and team.

    A team that is new to a kind takes those of the kind; a kind that is new, its own of the later period.
    """
    first, second = _per(content[:, 0], activity[:, 0]), _per(kg[:, 0], content[:, 0])
    sums = [np.bincount(kinds, each).astype(np.float64)[kinds] for each in (activity[:, 0], content[:, 0], kg[:, 0])]
    new = activity[:, 0] == 0.0
    first = np.where(new, _per(sums[1], sums[0]), first)
    second = np.where(new, _per(sums[2], sums[1]), second)
    unheard = new & (sums[0] == 0.0)
    first = np.where(unheard, _per(content[:, 1], activity[:, 1]), first)
    second = np.where(unheard, _per(kg[:, 1], content[:, 1]), second)
    silent = (content[:, 0] == 0.0) & ~new  # nothing per unit before, so the later rate says what a unit of it weighs
    second = np.where(silent | ((sums[1] == 0.0) & new), _per(kg[:, 1], content[:, 1]), second)
    return first, second


def _per(amount: Floats, of: Floats) -> Floats:
    """Divide; 0 where there is nothing to divide by."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(of != 0.0, amount / of, 0.0)


def _same_method(
    rows: pd.DataFrame,
    code: Codes,
    kinds: Codes,
    powered: npt.NDArray[np.bool_],
    scale: Floats,
    base_is_kind: npt.NDArray[np.bool_],
) -> Floats:
    """
    Compare content per unit of activity by the methods that both periods have, in the shares of the earlier one.

    Returns:
        Later over earlier. 1 where the periods have no method in common: then nothing is known of efficiency, and what changed
        is the method. NaN where there is nothing to compare with. [kinds and teams]
    """
    names, method = np.unique(rows["method"].to_numpy(str), return_inverse=True)
    size, width = len(powered), len(names)
    at = (2 * code + rows["period"].to_numpy()) * width + method
    content = np.where(powered[code], rows["energy"], rows["kg"])
    shape = (size, 2, width)
    known, held = (
        np.bincount(at, weights=values, minlength=2 * size * width).reshape(shape) * scale[:, :, None]
        for values in (rows["known"].to_numpy(float), content)
    )
    of_kind = [np.zeros((kinds.max() + 1, width)) for _ in range(2)]
    for target, values in zip(of_kind, (known, held), strict=True):
        np.add.at(target, kinds, values[:, 0])
    base = [
        np.where(base_is_kind[:, None], whole[kinds], own[:, 0])
        for whole, own in zip(of_kind, (known, held), strict=True)
    ]
    common = (base[0] > 0.0) & (known[:, 1] > 0.0)
    earlier = np.where(common, base[1], 0.0).sum(axis=1)
    later = np.where(common, base[0] * _per(held[:, 1], known[:, 1]), 0.0).sum(axis=1)
    there = (base[0].sum(axis=1) > 0.0) & (known[:, 1].sum(axis=1) > 0.0)
    ratio = np.where(earlier > 0.0, _per(later, earlier), np.nan)
    return np.where(there & ~common.any(axis=1), 1.0, np.where(there, ratio, np.nan))


def _exact(before_kg: float, after_kg: float, parts: Mapping[str, float]) -> dict[str, float]:
    """
    Round parts to 1e-9 kg; what rounding leaves over goes to the largest, so that they sum exactly.

    So does a part that is no more than the rounding of the rows that it was made of.
    """
    rounding = ROUNDING * (abs(before_kg) + abs(after_kg))
    whole = {name: 0 if abs(value) <= rounding else round(value * PLACES) for name, value in parts.items()}
    left = round(after_kg * PLACES) - round(before_kg * PLACES) - sum(whole.values())
    if abs(left) > len(parts) * (1 + rounding * PLACES) + 1e-9 * PLACES * max(abs(value) for value in parts.values()):
        raise ArithmeticError(f"The parts of a variance miss its difference by {left / PLACES} kg.")
    largest = max(whole, key=lambda name: abs(whole[name]))
    whole[largest] += left
    return {name: value / PLACES for name, value in whole.items()}
