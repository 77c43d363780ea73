"""
From sums of cells to figures: resolve, attribute, cover, quantify. Values in, values out; services fetch and store around it.

Everything that can be argued about happens here, on whole days, so a late rule or a new factor rewrites figures and never
facts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from core.accounting import by_hour
from core.accounting.by_hour import put_integers, weigh, with_hours
from core.accounting.columns import IMPACTS, MARKET, SAMPLED, SUFFIXES, WATER, Impact
from core.accounting.covering import Division, Overlap, counted_rows, divide, with_parts
from core.accounting.naming import named_subjects
from core.accounting.rules import Rules
from core.quantification.activity import MASK_BITS, MEASURES
from core.quantification.attribute import usable
from core.quantification.coverage import COUNTED, CROSS_CHECK
from core.quantification.factor import Factor
from core.quantification.methods import LATEST
from core.quantification.money_beside_use import BESIDE_USE
from core.quantification.own_factors import given_of
from core.quantification.pack import FactorPack
from core.quantification.plan import Plan
from core.quantification.quantify import Quantified, out_of_range, quantify, to_integers
from core.quantification.resolve import Catalog, catalog_of
from core.quantification.sampling import EVERY_RECORD, beyond_range, scaled, shares_of, with_shares
from core.quantification.use import USE_TEXT

Integers = npt.NDArray[np.int64]

DIMENSIONS: Final = (
    "account",
    "team",
    "project",
    "application",
    "task",
    "environment",
    "site",
    "stage",
    "hosting",
    "provider",
    "region",
    "zone",
    "model",
    "hardware",
    "instance_type",
    "tier",
    "evidence",
    "currency",
)
"""Text dimensions of a resolved series."""

HOURS_A_DAY: Final = 24
OUT_OF_RANGE: Final = "impact_out_of_range"
"""Note of what is too large to be stored, see `without_impacts`."""
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True)
class Derived:
    """
    Figures of one view.

    Args:
        rows: one per subject and slot of time: the keys that were given (series_id, day or hour), ``resolved`` (position
            in the other two), and some of ``FIGURES`` as nullable integers.
        resolved: one row per resolved series: series_id, source_id, role, ``DIMENSIONS``, techniques.
        plans: of each resolved series.
        grid_weight: what each row's hour took over the mean of its hourly grid factor; 1 where none is hourly. None where rows
            are days. [rows]
    """

    rows: pd.DataFrame
    resolved: pd.DataFrame
    plans: tuple[Plan, ...]
    grid_weight: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Subjects:
    """
    Series as derive understands them, one entry for each time that the rules are the same.

    Args:
        frame: series_id, source_id, ``DIMENSIONS``, energy_boundary, reported_basis, techniques, mask, use_mask, given, share,
            use_id.
        position: of each row's subject in the frame. [rows]
    """

    frame: pd.DataFrame
    position: Integers


def understand(
    rows: pd.DataFrame,
    series: pd.DataFrame,
    rules: Rules,
    catalog: Catalog,
    methodology: str = LATEST,
    *,
    sampled: bool = True,
) -> Subjects:
    """
    Resolve names, attribute, and choose the organization's own factors.

    Args:
        rows: series_id and day (days since 1970), n rows.
        series: as `core.ledger.selectors.series_by_id` gives them; every series of the rows is there.
        rules: of the organization.
        sampled: records of which a share was kept stand for all of their kind; False: for themselves alone.
    """
    frame, position = named_subjects(rows, series, rules)
    frame["given"] = given_of(frame, rules.own_factors, catalog, methodology)
    frame["share"] = EVERY_RECORD
    if sampled and "labels" in frame:
        frame["given"] = with_shares(frame["given"], frame["labels"])
        frame["share"] = shares_of(frame["labels"])
    frame["use_mask"] = usable(frame)
    frame["use_id"] = _distinct(frame, (*USE_TEXT, "techniques", "use_mask", "given"))
    return Subjects(frame, position)


def hourly_series(rows: pd.DataFrame, series: pd.DataFrame, rules: Rules, catalog: Catalog) -> list[int]:
    """Name the series whose hours `figures` needs, to derive rows of days."""
    return by_hour.hourly_series(understand(rows, series, rules, catalog).frame, rules.profiles)


def _distinct(frame: pd.DataFrame, columns: tuple[str, ...]) -> Integers:
    """Number the distinct combinations of some columns."""
    code = np.zeros(len(frame), dtype=np.int64)
    for column in columns:
        values = frame[column]
        if column == "techniques":
            values = values.map(tuple)
        codes, uniques = pd.factorize(values, use_na_sentinel=True)
        code = pd.factorize(code * (len(uniques) + 1) + codes + 1)[0].astype(np.int64)
    return code


def figures(
    rows: pd.DataFrame,
    series: pd.DataFrame,
    rules: Rules,
    pack: FactorPack,
    methodology: str,
    hours: pd.DataFrame | None = None,
    overlap: Overlap | None = None,
    *,
    sampled: bool = True,
) -> Derived:
    """
    Derive figures from sums of cells.

    Args:
        rows: series_id, day (days since 1970), records, ``MEASURE_COLUMNS``; int64. ``lost``, where it is there, has bit n
            set where the measure n left 64 bits. Further columns, such as hour, are kept.
        series, rules, sampled: see `understand`.
        pack, methodology: of the view.
        hours: cells (series_id, hour, measures) of days that take hourly grid factors (`hourly_series`); not looked at where
            rows have an hour themselves.
        overlap: what several sources may describe; None: everything counts.

    Rows with a lost measure, or an impact that does not fit the stored integers, have no impacts and a note instead. Rows that
    better evidence covers in part are two, of which one is a cross-check.
    """
    catalog = catalog_of(pack)
    division = None if overlap is None else divide(rows, overlap, rules, catalog)
    if division is not None:
        rows, hours = with_parts(rows, hours, division)
    lost = rows["lost"].to_numpy(dtype=np.int64) if "lost" in rows else np.zeros(len(rows), dtype=np.int64)
    subjects = understand(rows, series, rules, catalog, methodology, sampled=sampled)
    of_row = subjects.frame.iloc[subjects.position]
    shares = of_row["share"].to_numpy(dtype=float)
    lost = lost | beyond_range(rows, shares)
    quantified = quantify(_activity(rows, of_row), pack, methodology, key=["use_id"])
    by_day = of_row["grain"].to_numpy() == "day" if rules.profiles else np.zeros(0, dtype=bool)
    weighed = weigh(quantified, rows, hours, by_day, rules.profiles) if rules.profiles else None
    quantified = _within_range(quantified if weighed is None else with_hours(quantified, weighed), lost != 0)
    own_market = np.array([plan.market_key is None or plan.market_by_hour for plan in quantified.plans], dtype=bool)
    impacts = _impacts(quantified.impacts, own_market[quantified.code])
    weight = np.ones(len(rows)) if "hour" in rows else None
    if weighed is not None:
        put_integers(impacts, weighed)
        if weight is not None:
            weight[weighed.row] = weighed.weight
    measured = _measures(scaled(rows, shares), of_row["mask"].to_numpy(dtype=np.int64), lost)
    return _settled(rows, subjects, quantified, measured | impacts, weight, division)


def _activity(rows: pd.DataFrame, of_row: pd.DataFrame) -> pd.DataFrame:
    """Shape rows and their subjects as `quantify` takes them."""
    year = (np.datetime64("1970-01-01", "D") + rows["day"].to_numpy()).astype("datetime64[Y]").astype(np.int64) + 1970
    return rows[[measure.column for measure in MEASURES]].assign(
        use_id=of_row["use_id"].to_numpy(),
        year=year,
        mask=of_row["use_mask"].to_numpy(),
        techniques=of_row["techniques"].to_numpy(),
        given=of_row["given"].to_numpy(),
        **{name: of_row[name].to_numpy() for name in USE_TEXT},
    )


def _settled(
    rows: pd.DataFrame,
    subjects: Subjects,
    quantified: Quantified,
    integers: dict[str, pd.arrays.IntegerArray],
    weight: npt.NDArray[np.float64] | None,
    division: Division | None,
) -> Derived:
    """Part what counts from cross-checks, and name the distinct subjects, plans and roles."""
    keys = {name: rows[name] for name in rows.columns if name not in (*_MEASURED, "lost", "part")}
    aside = subjects.frame["aside"].to_numpy(dtype=bool)[subjects.position]
    checks, kept = np.zeros(len(rows), dtype=bool), None
    if division is not None:
        integers["records"] = pd.arrays.IntegerArray(
            rows["records"].to_numpy(dtype=np.int64), np.zeros(len(rows), dtype=bool)
        )
        checks, kept = counted_rows(integers, rows, division, quantified.code)
        keys["records"] = pd.Series(integers.pop("records").to_numpy(dtype=np.int64), index=rows.index)
        quantified = _noting_why(quantified, len(rows) - len(division.of) + np.flatnonzero(division.beside_use))
    plan_count = max(len(quantified.plans), 1)
    of_all = (subjects.position * plan_count + quantified.code) * len(ROLES) + (checks | aside)
    frame = pd.DataFrame(keys | integers, index=rows.index)
    if kept is not None:
        of_all, frame = of_all[kept], frame[kept].reset_index(drop=True)
        weight = None if weight is None else weight[kept]
    triples, position = np.unique(of_all, return_inverse=True)
    pairs = triples // len(ROLES)
    plans = tuple(quantified.plans[pair % plan_count] for pair in pairs)
    resolved = subjects.frame.iloc[pairs // plan_count].reset_index(drop=True)
    resolved["role"] = np.array(ROLES, dtype=object)[triples % len(ROLES)]
    frame.insert(len(keys), "resolved", position.reshape(-1).astype(np.int64))
    return Derived(frame, _named(resolved, plans), plans, weight)


ROLES: Final = (COUNTED, CROSS_CHECK)
_MEASURED: Final = frozenset(measure.column for measure in MEASURES)


def _within_range(quantified: Quantified, lost: npt.NDArray[np.bool_]) -> Quantified:
    """Give rows that are too large to be stored a plan of their own, without impacts."""
    beyond = lost | out_of_range(quantified.impacts)
    if not beyond.any():
        return quantified
    codes = np.unique(quantified.code[beyond])
    code = quantified.code.copy()
    code[beyond] = len(quantified.plans) + np.searchsorted(codes, code[beyond])
    plans = (*quantified.plans, *(without_impacts(quantified.plans[each]) for each in codes))
    impacts = quantified.impacts.mask(np.broadcast_to(beyond[:, None], quantified.impacts.shape))
    return Quantified(impacts, code, plans)


def _noting_why(quantified: Quantified, beside_use: Integers) -> Quantified:
    """Give the parts that are money beside its use a plan with the note that says so."""
    if not len(beside_use):
        return quantified
    codes = np.unique(quantified.code[beside_use])
    code = quantified.code.copy()
    code[beside_use] = len(quantified.plans) + np.searchsorted(codes, code[beside_use])
    noted = (with_note(quantified.plans[each], BESIDE_USE) for each in codes)
    return replace(quantified, code=code, plans=(*quantified.plans, *noted))


def with_note(plan: Plan, note: str) -> Plan:
    """Let a plan say something that does not follow from its use."""
    return replace(plan, notes=(*plan.notes, note))


def without_impacts(plan: Plan) -> Plan:
    """Take every impact from a plan, with the note that says why: one row too large must not hold up all others."""
    return replace(
        plan,
        notes=(*plan.notes, OUT_OF_RANGE),
        formulas=tuple,
        coefficients={},
        base=np.full_like(plan.base, np.nan),
        hourly=None,
        hourly_coefficients={},
    )


def _measures(rows: pd.DataFrame, mask: Integers, lost: Integers) -> dict[str, pd.arrays.IntegerArray]:
    """Leave out what the series does not have, and what was too large to add up: absent is null, not 0."""
    return {
        measure.column: pd.arrays.IntegerArray(
            rows[measure.column].to_numpy(dtype=np.int64),
            ((mask >> MASK_BITS[measure.source] & 1) == 0) | ((lost >> position & 1) == 1),
        )
        for position, measure in enumerate(MEASURES)
    }


def _impacts(impacts: pd.DataFrame, own_market: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Round to the stored integers; the market figure only where it does not follow from energy and a rate."""
    integers = to_integers(impacts)
    columns: dict[str, Any] = {}
    for impact in IMPACTS:
        for suffix in SUFFIXES:
            if impact is MARKET:
                columns[impact.column + suffix] = _market(impacts, impact, suffix, own_market)
            else:
                given = "water_nl" if impact is WATER else impact.column
                columns[impact.column + suffix] = integers[given + suffix].array
    return columns


def _market(
    impacts: pd.DataFrame, impact: Impact, suffix: str, own_market: npt.NDArray[np.bool_]
) -> pd.arrays.IntegerArray:
    values = np.rint(impacts[impact.name + suffix].to_numpy(dtype=float) * float(impact.per_unit))
    null = np.isnan(values) | ~own_market
    if np.any(np.abs(values[~null]) >= 2.0**63):
        raise OverflowError(f"{impact.name}{suffix} does not fit the stored integers")
    return pd.arrays.IntegerArray(np.where(null, 0.0, values).astype(np.int64), null)


def _named(resolved: pd.DataFrame, plans: tuple[Plan, ...]) -> pd.DataFrame:
    """Give names as the catalog spells them, as reported where it does not know them; the zone is that of the grid."""
    for name in ("model", "hardware", "instance_type", "region", "zone"):
        known = [plan.resolved.get(name) for plan in plans]
        resolved[name] = [new if new is not None else old for new, old in zip(known, resolved[name], strict=True)]
    columns = ["series_id", "source_id", "role", *DIMENSIONS, "techniques"]
    named = resolved[columns].astype(object)
    return named.where(named.notna(), None)


@dataclass(frozen=True)
class PlanFacts:
    """A plan as it is stored, with the key that tells it from every other."""

    key: str
    shared_error_key: str
    shared_error: dict[str, Any]
    columns: dict[str, Any]


@lru_cache(maxsize=65_536)
def facts_of(plan: Plan, methodology: str) -> PlanFacts:
    """
    Write a plan as plain values.

    Its key covers the coefficients too, so a plan that calculates otherwise is another plan, whatever it says of itself.
    """
    use = plan.use
    columns: dict[str, Any] = {
        "methodology": methodology,
        "use": {
            **{name: getattr(use, name) for name in USE_TEXT if getattr(use, name) is not None},
            "techniques": list(use.techniques),
            "present": sorted(use.present),
            "year": use.year,
            "given": [[name, each.as_list()] for name, each in use.given],
        },
        "method": plan.method,
        "data_quality": plan.data_quality,
        "scope": plan.scope,
        "scope_upstream": plan.scope_upstream,
        "scope_embodied": plan.scope_embodied,
        "factors": list(plan.factors),
        "notes": list(plan.notes),
    }
    widths = {impact: list(each) for impact, each in sorted(plan.shared.items())}
    if plan.sampled_variance:
        widths[SAMPLED] = [plan.sampled_variance]
    shared_error = {
        "group": plan.group,
        "zone_group": plan.zone_group,
        "market": plan.market_key,
        "pool": "",
        "widths": widths,
    }
    coefficients = hashlib.sha256(plan.base.tobytes())
    for measure in sorted(plan.coefficients):
        coefficients.update(measure.encode() + plan.coefficients[measure].tobytes())
    return PlanFacts(
        key=key_of({**columns, "coefficients": coefficients.hexdigest()}),
        shared_error_key=key_of(shared_error),
        shared_error=shared_error,
        columns=columns,
    )


def key_of(content: object) -> str:
    """Hash plain values to the text of a UUID: sha256 of compact JSON with sorted keys, its first 16 bytes."""
    digest = hashlib.sha256(_ENCODER.encode(content)).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


@dataclass(frozen=True)
class RateOfYear:
    """A market's rate in one year of use."""

    market: str
    year: int
    rate: Factor


def market_rates(plans: tuple[Plan, ...]) -> list[RateOfYear]:
    """List the rates that plans refer to, each once, in order of market and year."""
    found = {
        (plan.market_key, plan.use.year): plan.market_rate
        for plan in plans
        if plan.market_key is not None and plan.market_rate is not None
    }
    return [RateOfYear(market, year, rate) for (market, year), rate in sorted(found.items(), key=lambda item: item[0])]
