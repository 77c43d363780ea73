"""
What is covered by better evidence, taken out of rows: a row becomes a counted part and a cross-check.

Whether evidence is covered is decided by the hour, on every cell of the coverage units that several sources describe; a day's
row takes the sum of its hours. Both parts add up to the undivided row in every measure and every figure, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.accounting.naming import named_subjects
from core.accounting.rules import Rules
from core.quantification.activity import SERIES_TEXT
from core.quantification.coverage import CONCURRENT_RUN, RANKS_APART, STATED, levels_of, links_of, parts_of
from core.quantification.displacement import SUMMED, covered_parts, covered_shares
from core.quantification.likeness import alike_in_money, named_alike
from core.quantification.money_beside_use import beside_use, says_money, says_use
from core.quantification.resolve import Catalog
from core.quantification.sampling import scaled, shares_of

Integers = npt.NDArray[np.int64]

HOURS_A_DAY: Final = 24


@dataclass(frozen=True)
class Overlap:
    """
    What several sources may describe, on whole days.

    Args:
        cells: series_id, hour (since 1970), ``SUMMED``: every cell of `contested` series and days.
        series: as `core.ledger.selectors.series_by_id` gives them, with series_id; every series of the cells is there.
        described: (unit, month since 1970) in which something else than a statement describes the unit.
        whole: whether the rows to be divided are sums of whole cells; False: of some records of theirs.
    """

    cells: pd.DataFrame
    series: pd.DataFrame
    described: frozenset[tuple[int, int]] = frozenset()
    whole: bool = True


@dataclass(frozen=True)
class Division:
    """
    The covered parts of rows.

    Args:
        of: positions of the rows that are covered, in part or whole. [m]
        measures: their covered parts, ``SUMMED``. [m]
        hours: covered parts of cells: series_id, hour, ``SUMMED``.
        beside_use: of which rows the covered part is money whose source says the use. [m]
    """

    of: Integers
    measures: pd.DataFrame
    hours: pd.DataFrame
    beside_use: npt.NDArray[np.bool_]


def linked(series: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """
    Tell the link and the coverage unit of series.

    Args:
        series: series_id, source_id, account and evidence.

    Returns:
        Of those in a unit: series_id, source_id, evidence, ``link`` and ``unit``; evidence is not looked at.
    """
    link = links_of(series, rules.links)
    units = np.array([each.unit_id or 0 for each in rules.links] or [0], dtype=np.int64)
    unit = np.where(link < 0, 0, units[link])
    columns = ["series_id", "source_id", "evidence"]
    return series[columns].assign(link=link, unit=unit)[unit > 0].reset_index(drop=True)


def contested(rows: pd.DataFrame, series: pd.DataFrame, rules: Rules) -> npt.NDArray[np.bool_]:
    """
    Tell which rows something else may describe: those in a unit and day of several links, of a statement, or where one source
    alone counts; runs that measure a machine which others measure too; and money and use of a source that reports both apart.

    Args:
        rows: series_id and day, on whole days of every series. [n]
    """
    found = _of_shared_machines(rows, series, rules) | _of_two_reports(rows, series, rules)
    if not any(link.unit_id for link in rules.links):
        return found
    own = linked(series, rules)
    if own.empty:
        return found
    at = pd.Index(own["series_id"]).get_indexer(rows["series_id"])
    inside = np.flatnonzero(at >= 0)
    if not len(inside):
        return found
    unit, link = (own[name].to_numpy(dtype=np.int64)[at[inside]] for name in ("unit", "link"))
    days = pd.DataFrame({"unit": unit, "day": rows["day"].to_numpy()[inside], "link": link})
    several = days.groupby(["unit", "day"])["link"].transform("nunique").to_numpy() > 1
    alone = {each for each, rule in rules.units.items() if rule.alone is not None}
    special = alone | set(own.loc[own["evidence"] == STATED, "unit"].tolist())
    found[inside] |= several | np.isin(unit, sorted(special))
    return found


def _of_shared_machines(rows: pd.DataFrame, series: pd.DataFrame, rules: Rules) -> npt.NDArray[np.bool_]:
    """Tell which rows are of runs on a machine that others measure at the same time."""
    machine, _ = machines_of(series, rules)
    if (machine < 0).all():
        return np.zeros(len(rows), dtype=bool)
    return np.isin(
        rows["series_id"].to_numpy(dtype=np.int64), series["series_id"].to_numpy(dtype=np.int64)[machine >= 0]
    )


def _of_two_reports(rows: pd.DataFrame, series: pd.DataFrame, rules: Rules) -> npt.NDArray[np.bool_]:
    """Tell which rows are of days on which a source says both use and money that holds no use."""
    found = np.zeros(len(rows), dtype=bool)
    own = series_of_two_reports(series, rules)
    at = pd.Index(own["series_id"]).get_indexer(rows["series_id"])
    inside = np.flatnonzero(at >= 0)
    if len(inside):
        of_row = own.iloc[at[inside]][["source_id", "money"]].assign(day=rows["day"].to_numpy()[inside])
        found[inside] = of_row.groupby(["source_id", "day"])["money"].transform("nunique").to_numpy() > 1
    return found


def series_of_two_reports(series: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """List the series of sources that report use and costs apart, with ``money``: whether they hold money and no use."""
    own = series[series["source_id"].isin(rules.costing_sources)]
    if own.empty:
        return own.assign(money=False)
    money, use = says_money(own), says_use(own)
    return own.assign(money=money)[money | use]


def machines_of(series: pd.DataFrame, rules: Rules) -> tuple[Integers, Integers]:
    """
    Number the machines that several runs measure at the same time, as far as their series tell: alike in all but the run.

    Args:
        series: source_id, ``SERIES_TEXT``, labels.

    Returns:
        The machine, -1 where no others are on it, and the number of the run on it, 0 for the first. [n]
    """
    machine = np.full(len(series), -1, dtype=np.int64)
    run = np.array([_run_number(labels) for labels in series["labels"]], dtype=np.int64)
    if not run.any():
        return machine, run
    apart = [source_id for source_id, settings in rules.source_settings.items() if settings.get(RANKS_APART)]
    sources = set(series["source_id"].to_numpy()[run > 0].tolist()) - set(apart)
    inside = np.flatnonzero(series["source_id"].isin(sources))
    own = series.iloc[inside]
    others = [sorted((k, v) for k, v in (labels or {}).items() if k != CONCURRENT_RUN) for labels in own["labels"]]
    likeness = own[["source_id", *SERIES_TEXT]].astype(object).assign(others=[repr(each) for each in others])
    group = likeness.groupby(list(likeness.columns), dropna=False, sort=False).ngroup().to_numpy(dtype=np.int64)
    shared = np.isin(group, group[run[inside] > 0])
    machine[inside[shared]] = group[shared]
    return machine, run


def _run_number(labels: dict[str, object] | None) -> int:
    """Read the number of a concurrent run; an adapter writes it as text or number."""
    text = str((labels or {}).get(CONCURRENT_RUN, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def divide(rows: pd.DataFrame, overlap: Overlap, rules: Rules, catalog: Catalog) -> Division | None:
    """
    Find the covered parts of rows; None where nothing is covered.

    Args:
        rows: series_id, day, ``SUMMED``; hour where each row is one.
    """
    hours = covered_cells(overlap, rules, catalog)
    if hours.empty:
        return None
    keys = ["series_id", "hour" if "hour" in rows else "day"]
    if not overlap.whole:
        return _of_records(rows, hours, overlap.cells, keys)
    by_key = hours.assign(day=hours["hour"] // HOURS_A_DAY).groupby(keys, sort=False)
    covered, beside = by_key[list(SUMMED)].sum(), by_key["beside_use"].any().to_numpy(dtype=bool)
    at = covered.index.get_indexer(pd.MultiIndex.from_frame(rows[keys]))
    of = np.flatnonzero(at >= 0)
    if "lost" in rows:  # too large to be added up, so nothing can be taken out of it
        of = of[rows["lost"].to_numpy()[of] == 0]
    return Division(of, covered.iloc[at[of]].reset_index(drop=True), hours, beside[at[of]]) if len(of) else None


def covered_cells(overlap: Overlap, rules: Rules, catalog: Catalog) -> pd.DataFrame:
    """List the covered parts of cells: series_id, hour, share, ``beside_use``, ``SUMMED``; only where something is covered."""
    cells = overlap.cells.reset_index(drop=True)
    subjects, position = named_subjects(cells.assign(day=cells["hour"] // HOURS_A_DAY), overlap.series, rules)
    stands_for = scaled(cells, shares_of(subjects["labels"])[position])  # of sampled records a share was kept
    beside = beside_use(cells, overlap.series, rules.costing_sources)
    stands_for = stands_for.assign(
        nano_cost=stands_for["nano_cost"].mask(beside, 0)
    )  # what never counts covers nothing
    share = covered_shares(stands_for, _described(subjects, rules, catalog), position, rules.units, overlap.described)
    share[beside] = 1.0
    covered = np.flatnonzero(share > 0)
    parts = covered_parts(cells.iloc[covered], share[covered])
    kept = cells.iloc[covered][["series_id", "hour"]].assign(
        share=share[covered], beside_use=beside[covered], **{name: parts[name] for name in SUMMED}
    )
    return kept.reset_index(drop=True)


def _described(subjects: pd.DataFrame, rules: Rules, catalog: Catalog) -> pd.DataFrame:
    """Say of subjects how they are compared: unit, link, level of evidence, grain and the names of what they measure."""
    # what never counts covers nothing, and nothing is taken out of it
    link = np.where(subjects["aside"], -1, links_of(subjects, rules.links))
    level = levels_of(subjects["evidence"], _from_bill(subjects, rules))
    machine, run = machines_of(subjects, rules)
    described = subjects.assign(
        link=link,
        machine=machine,
        concurrent_run=run,
        unit=[(rules.links[at].unit_id or 0) if at >= 0 else 0 for at in link.tolist()],
        level=level,
        part=parts_of(link, level, rules.links),
        by_day=(subjects["grain"] == "day").to_numpy(dtype=bool),
    )
    return named_alike(alike_in_money(described), catalog)


def _from_bill(subjects: pd.DataFrame, rules: Rules) -> npt.NDArray[np.bool_]:
    restated = subjects["source_id"].isin(rules.restated_sources) | (subjects["grain"] == "day")
    return restated.to_numpy(dtype=bool)


def _of_records(rows: pd.DataFrame, hours: pd.DataFrame, cells: pd.DataFrame, keys: list[str]) -> Division | None:
    """Take from single records the share that is covered of the cells which they are in."""
    at_day = (frame.assign(day=frame["hour"] // HOURS_A_DAY) for frame in (hours, cells))
    of_hours, of_cells = (frame.groupby(keys, sort=False) for frame in at_day)
    covered, beside = of_hours[list(SUMMED)].sum(), of_hours["beside_use"].any().to_numpy(dtype=bool)
    whole = of_cells[list(SUMMED)].sum().loc[covered.index]
    known = (whole.to_numpy() > 0) & (covered.to_numpy() > 0)
    first = known.argmax(axis=1)
    at = np.arange(len(covered))
    share = np.where(known.any(axis=1), covered.to_numpy()[at, first] / np.maximum(whole.to_numpy()[at, first], 1), 0.0)
    found = covered.index.get_indexer(pd.MultiIndex.from_frame(rows[keys]))
    of = np.flatnonzero(found >= 0)
    of = of[share[found[of]] > 0]
    parts = covered_parts(rows.iloc[of], share[found[of]]).reset_index(drop=True)
    return Division(of, parts, hours, beside[found[of]]) if len(of) else None


def with_parts(
    rows: pd.DataFrame, hours: pd.DataFrame | None, division: Division
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Append the covered parts to rows, and to the hours behind them, as rows of their own: ``part`` 1, else 0."""
    measures = {name: division.measures[name].to_numpy() for name in SUMMED}
    covered = rows.iloc[division.of].assign(part=1, **measures)
    appended = pd.concat([rows.assign(part=0), covered], ignore_index=True)
    if hours is None:
        return appended, None
    own = division.hours[["series_id", "hour", *SUMMED]]
    of_hours = own[own["series_id"].isin(hours["series_id"].unique())].assign(part=1)
    return appended, pd.concat([hours.assign(part=0), of_hours], ignore_index=True)


def counted_rows(
    columns: dict[str, pd.arrays.IntegerArray], rows: pd.DataFrame, division: Division, code: Integers
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """
    Take the covered parts out of the rows that they are of, in every column.

    Args:
        columns: integers of rows with their parts appended; changed in place.
        rows: `with_parts` of them.
        code: plan of each row; where a row is too large to be stored and its part is not, they have two, and the row stays whole.

    Returns:
        Which rows are cross-checks, and which are to be kept: neither parts of rows that stay whole, nor rows of which nothing
        is left.
    """
    first = len(rows) - len(division.of)
    parts = np.arange(first, len(rows))
    same = code[division.of] == code[parts]
    of, own = division.of[same], parts[same]
    before = rows[list(SUMMED)].to_numpy()
    for name, array in columns.items():
        values = array.copy()
        values[of] = values[of] - values[own]
        columns[name] = values
    kept = np.ones(len(rows), dtype=bool)
    kept[parts[~same]] = False
    kept[of[(before[of] == before[own]).all(axis=1)]] = False
    kept[own[(before[own] == 0).all(axis=1)]] = False
    return np.arange(len(rows)) >= first, kept
