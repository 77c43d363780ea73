"""
Rewrite cells as the rules of a scenario say; `quantify` then derives them again, by the functions that derived them first.

Values in, values out: a rewritten cell is what a record would be that had been sent with the other names and amounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.quantification.activity import MEASURE_COLUMNS
from core.quantification.methods import LATEST, Methodology
from core.quantification.overrides import Given, Override
from core.quantification.own_factors import OwnFactor, given_of
from core.quantification.resolve import Catalog
from core.quantification.sampling import SHARE
from core.quantification.saving import ENERGY_SCALE, multiplied, scale_of
from core.quantification.scenario import PLACE, SCALED, Rewrite, ScenarioError

Booleans = npt.NDArray[np.bool_]

RECORD_COUNTS: Final = ("records",)


@dataclass(frozen=True)
class Rewritten:
    """
    Cells after the rules.

    Attributes:
        cells: only those that a rule touches, in parts where a rule takes a share: the columns that were given, ``cell``
            (position of the cell it is a part of), ``weight`` (share of that cell, 0 to 1), ``price`` (what its cost is
            multiplied by; NaN: not known), ``rules`` (tuple of the numbers of the rules that rewrote the part, from 0).
        touched: which of the given cells. [cells given]
    """

    cells: pd.DataFrame
    touched: Booleans


def rewrite(
    cells: pd.DataFrame,
    rules: Sequence[Rewrite],
    chosen: Sequence[Booleans],
    catalog: Catalog,
    own_factors: Sequence[OwnFactor] = (),
    methodology: str | Methodology = LATEST,
) -> Rewritten:
    """
    Apply rules to cells.

    Args:
        cells: one row per cell or sum of cells, as `quantify` takes them (names, ``techniques``, ``mask``, ``year``,
            ``given``, measures) with ``site``, ``application``, ``currency``, ``tier``, ``records`` and ``day`` (days since
            1970, one of those that the cell is of). [n]
        chosen: of each rule, the cells that it is about. [rules][n]
        own_factors: chosen anew for what is rewritten, as derive chooses them.

    Raises:
        ScenarioError: a rule that is about no cell, rules that contradict each other, a region that the provider of some cell
            does not have.
    """
    for number, own in enumerate(chosen, start=1):
        if not own.any():
            raise ScenarioError(f"rules.{number}.where", "No use of the period fits the rule's conditions.")
    _no_contradiction(rules, chosen)
    touched = np.logical_or.reduce(np.array(chosen, dtype=bool)) if rules else np.zeros(len(cells), dtype=bool)
    position = np.flatnonzero(touched)
    parts = cells.iloc[position].reset_index(drop=True)
    parts = parts.assign(cell=position, weight=1.0, price=1.0)
    used: list[tuple[int, ...]] = [()] * len(parts)
    for number, (rule, own) in enumerate(zip(rules, chosen, strict=True)):
        parts, used = _split(parts, used, own[parts["cell"].to_numpy()], rule, number)
    parts["rules"] = pd.Series(used, index=parts.index, dtype=object)
    moved = np.array([bool(each) for each in used], dtype=bool)
    parts = _named(parts, rules, moved, catalog)
    weights = parts["weight"].to_numpy()
    for name in (*MEASURE_COLUMNS, *RECORD_COUNTS):
        parts[name] = parts[name].to_numpy(dtype=float) * weights
    parts = _scaled(parts, rules)
    parts["given"] = _given(parts, rules, moved, catalog, own_factors, methodology)
    return Rewritten(parts, touched)


def _no_contradiction(rules: Sequence[Rewrite], chosen: Sequence[Booleans]) -> None:
    for (first, one), (second, other) in combinations(enumerate(rules), 2):
        differing = [name for name, value in one.changes.items() if other.changes.get(name, value) != value]
        if {"region", "zone"} <= {*one.sets, *other.sets}:
            differing.append("place")
        if differing and bool((chosen[first] & chosen[second]).any()):
            raise ScenarioError(
                f"rules.{second + 1}",
                f"Rules {first + 1} and {second + 1} contradict each other: both set the {differing[0]} of the same uses.",
            )


def _split(
    parts: pd.DataFrame, used: list[tuple[int, ...]], own: Booleans, rule: Rewrite, number: int
) -> tuple[pd.DataFrame, list[tuple[int, ...]]]:
    """Part what a rule rewrites from what it leaves, where it takes a share."""
    marked = [(*each, number) if is_own else each for each, is_own in zip(used, own, strict=True)]
    if rule.share == 1.0:
        return parts, marked
    rest = parts[own].assign(weight=parts.loc[own, "weight"] * (1.0 - rule.share))
    taken = parts.assign(weight=np.where(own, parts["weight"] * rule.share, parts["weight"]))
    left = [each for each, is_own in zip(used, own, strict=True) if is_own]
    return pd.concat([taken, rest], ignore_index=True), [*marked, *left]


def _rows_of(parts: pd.DataFrame, number: int) -> Booleans:
    return np.array([number in each for each in parts["rules"]], dtype=bool)


def _named(parts: pd.DataFrame, rules: Sequence[Rewrite], moved: Booleans, catalog: Catalog) -> pd.DataFrame:
    """Give parts their new names; what was known of the former place is forgotten."""
    parts = parts.copy()
    for number, rule in enumerate(rules):  # all is forgotten before anything is named: their order says nothing
        if not set(PLACE).isdisjoint(rule.sets):
            own = _rows_of(parts, number)
            forgotten = {"zone", "site"} if "zone" not in rule.sets else {"region", "site"}
            for name in forgotten - set(rule.sets):
                parts[name] = parts[name].astype(object).where(~own, None)
    for number, rule in enumerate(rules):
        own = _rows_of(parts, number)
        for name, value in rule.sets.items():
            parts[name] = parts[name].astype(object).where(~own, value)
        if rule.techniques:
            parts["techniques"] = pd.Series(
                [
                    with_techniques(tuple(each), rule.techniques) if is_own else tuple(each)
                    for each, is_own in zip(parts["techniques"], own, strict=True)
                ],
                index=parts.index,
                dtype=object,
            )
    for number, rule in enumerate(rules):
        if {"provider", "region"} & set(rule.sets):
            _check_regions(parts[_rows_of(parts, number) & moved], number, catalog)
    return parts


def with_techniques(present: tuple[str, ...], added: tuple[str, ...]) -> tuple[str, ...]:
    """
    Add techniques, each in the place of one of its kind.

    >>> with_techniques(("cached", "quantized:int8"), ("quantized:int4",))
    ('cached', 'quantized:int4')
    """
    kinds = {each.partition(":")[0] for each in added}
    return tuple(sorted({*(each for each in present if each.partition(":")[0] not in kinds), *added}))


def _check_regions(parts: pd.DataFrame, number: int, catalog: Catalog) -> None:
    for row in parts[["hosting", "provider", "region"]].drop_duplicates().to_dict("records"):
        hosting, provider, region = (each if isinstance(each, str) and each else None for each in row.values())
        if region is None:
            continue
        place = catalog.place(hosting=hosting, provider=provider, region=region, zone=None)
        if not place.zones or (place.cloud is not None and place.region is None):
            raise ScenarioError(
                f"rules.{number + 1}.sets.region",
                f"{provider or 'The catalog'} has no region {region!r}: give the provider and the region together.",
            )


def _scaled(parts: pd.DataFrame, rules: Sequence[Rewrite]) -> pd.DataFrame:
    """Multiply amounts, and say what becomes of the cost."""
    price = parts["price"].to_numpy(dtype=float).copy()
    for number, rule in enumerate(rules):
        own = _rows_of(parts, number)
        for name, scale in rule.scales.items():
            for column in (*SCALED[name], *(RECORD_COUNTS if name == "volume" else ())):
                parts[column] = np.where(own, parts[column] * scale, parts[column])
        price[own] *= rule.price if rule.price is not None else 1.0 if rule.only_volume else np.nan
    return parts.assign(price=price)


def _given(
    parts: pd.DataFrame,
    rules: Sequence[Rewrite],
    moved: Booleans,
    catalog: Catalog,
    own_factors: Sequence[OwnFactor],
    methodology: str | Methodology,
) -> pd.Series:
    """Choose own factors for the new names, and put the rules' own numbers before them."""
    given: list[Given] = parts["given"].tolist()
    positions = np.flatnonzero(moved)
    chosen = given_of(parts.iloc[positions].reset_index(drop=True), own_factors, catalog, methodology).tolist()
    used: list[tuple[int, ...]] = parts["rules"].tolist()
    for position, own in zip(positions.tolist(), chosen, strict=True):
        numbers: dict[str, Override] = {name: each for name, each in given[position] if name == SHARE} | dict(own)
        for number in used[position]:
            _put(numbers, rules[number], number)
        given[position] = tuple(sorted(numbers.items()))
    return pd.Series(given, index=parts.index, dtype=object)


def _put(numbers: dict[str, Override], rule: Rewrite, number: int) -> None:
    name = f"scenario:rule {number + 1}"
    for factor, values in rule.factors.items():
        numbers[factor] = Override(*values, id=name, source=rule.source)
    if rule.energy_saving is not None:
        scale, source = scale_of(rule.energy_saving), rule.source
        if ENERGY_SCALE in numbers:
            before = numbers[ENERGY_SCALE]
            scale, name = multiplied(before[:3], scale), f"{before.id}, {number + 1}"
            source = f"{before.source}; {rule.source}"
        numbers[ENERGY_SCALE] = Override(*scale, id=name, source=source)
