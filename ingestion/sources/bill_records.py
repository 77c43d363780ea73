"""Rows of AI services -> activity records: one for each key of the difference import, equal keys summed exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from core.quantification import units
from core.quantification.attribute import CHARGE_CATEGORY
from ingestion.sources import bill_columns
from ingestion.sources.base import LABEL_TEXT
from ingestion.sources.bill_columns import Column
from ingestion.sources.bill_meaning import Meaning, account_of, geography_of, region_of, resource_of
from ingestion.sources.bill_rows import Faults, Rows, Use, faults_of_records, is_token_measure, rule_measure, use_of
from ingestion.sources.bill_tags import NO_TAGS, Tags, UnreadableTagsError, read_tags

CORRECTION: Final = "Correction"
_OF_VALUE: Final = ("bad_field", "unknown_unit", "negative_interval")
"""Reasons that say that a field holds something else than was meant; the others find what was meant unlikely."""
FLAGS: Final = ("unknown_meter", "naive_time", "global_routing", "characters", "no_usage")

pc: Any = pyarrow.compute  # the stubs know only some of its overloads

_INT_LIMIT: Final = 2.0**62


@dataclass(frozen=True)
class Amounts:
    """A measure of each row in the fixed integer unit of cells, and whether it is there."""

    integers: np.ndarray
    present: np.ndarray
    per_unit: int


@dataclass(frozen=True)
class Draft:
    """
    What rows hold before they are summed.

    Args:
        use: the quantity of each row that counts.
        tags: of the distinct texts of the column Tags.
        amounts: measures of each row.
        faults: rows that cannot become records.
    """

    use: Use
    tags: Sequence[Tags]
    amounts: Mapping[str, Amounts]
    faults: Faults


def draft(rows: Rows, labels: frozenset[str], *, received_at: datetime, max_age_days: float) -> Draft:
    """
    Read what the rows hold, and find those at fault.

    Args:
        rows: that should become records.
        labels: names of tags to keep as labels, in lower case.
        received_at, max_age_days: as in `bill_rows.faults_of_records`.
    """
    use = use_of(rows)
    faults = faults_of_records(rows, use, received_at=received_at, max_age_days=max_age_days)
    return Draft(use, tags_of(rows, labels, faults), amounts_of(rows, use, faults), faults)


def tags_of(rows: Rows, allowed: frozenset[str], faults: Faults) -> list[Tags]:
    """Read the distinct tags of rows, and note as faults the rows whose tags cannot be read."""
    codes = rows.codes_of("Tags")
    tags: list[Tags] = []
    broken = np.zeros(len(codes.values), dtype=bool)
    for position, text in enumerate(codes.values):
        try:
            tags.append(read_tags(text, allowed))
        except UnreadableTagsError:
            broken[position] = True
            tags.append(NO_TAGS)
    if broken.any():
        detail = "it is no JSON object of tags"
        faults.add(codes.take(broken, absent=False), "Tags", "bad_field", detail)
    return tags


def amounts_of(rows: Rows, use: Use, faults: Faults) -> dict[str, Amounts]:
    """Put each row's quantity under its measures, in integers, and note as faults the rows that do not fit."""
    tokens = rows.by_meaning(is_token_measure).astype(bool)
    measure = rows.by_meaning(rule_measure)
    gpu_count = rows.by_meaning(lambda meaning: meaning.gpu_count).astype("float64")
    # Quantities are decimal: the half of 3.9185 x 1000 must stay a half, so noise of the product goes first.
    whole_tokens = np.rint(np.round(use.amount, 6))
    amount = np.where(tokens, whole_tokens, use.amount)
    nothing = np.full(len(rows), np.nan)
    cached = np.where(measure == "cached_input_tokens", amount, nothing)
    floats = {
        "input_tokens": np.where(measure == "input_tokens", amount, cached),
        "cached_input_tokens": cached,
        "output_tokens": np.where(measure == "output_tokens", amount, nothing),
        "instance_hours": np.where(measure == "instance_hours", amount, nothing),
        "device_hours": np.where(
            measure == "device_hours", amount, np.where(measure == "instance_hours", amount * gpu_count, nothing)
        ),
        "cost": rows.cost,
    }
    scales = {"instance_hours": units.PER_HOUR, "device_hours": units.PER_HOUR, "cost": units.PER_CURRENCY_UNIT}
    amounts = {}
    for name, values in floats.items():
        scaled = np.rint(values * scales.get(name, 1))
        field = "EffectiveCost" if name == "cost" else "ConsumedQuantity"
        huge = np.abs(scaled) >= _INT_LIMIT
        faults.add(huge, field, "bad_field", _too_large(values))
        present = ~np.isnan(scaled) & ~huge
        amounts[name] = Amounts(np.where(present, scaled, 0).astype("int64"), present, scales.get(name, 1))
    return amounts


def to_frame(rows: Rows, draft: Draft, *, stage: str | None) -> pd.DataFrame:
    """
    Make one record of all rows of a key.

    Args:
        rows: rows without fault, at least one.
        draft: what they hold.
        stage: for machines whose purpose the bill does not say; None leaves it open.

    Returns:
        Canonical columns, `row` (the first of a key) and `rows`; sums are exact, so the cut of the file does not show.
    """
    use, tags = draft.use, draft.tags
    parts = _key_parts(rows, use, tags)
    joined = _join(rows.form.key, parts)
    group, first = _groups(joined)
    head = rows.subset(_mask(first, len(rows)))
    # `first` is in order of appearance and so is the subset: both are sorted by position.
    keys = joined.take(pa.array(first))
    frame = _dimensions(head, tags, rows.codes_of("Tags").codes[first], stage)
    frame["record_id"] = _ids(rows.form.name, keys)
    frame["corrects"] = _corrected_ids(parts, first, rows)
    for name, sums in _sums(draft.amounts, group, len(first)).items():
        frame[name] = sums
    frame["cost"] = frame["cost"].astype("float64")
    frame["currency"] = pd.array(head.text["BillingCurrency"].to_pylist(), "str")
    idle = head.by_meaning(lambda meaning: meaning.measure == "idle_instance_hours").astype(bool)
    frame["instance_utilization"] = np.where(idle & frame["instance_hours"].notna(), 0.0, np.nan)
    frame["flags"] = _flags(rows, use, group, len(first))
    frame["row"] = head.row
    frame["rows"] = np.bincount(group, minlength=len(first))
    return frame


def _too_large(values: np.ndarray) -> Callable[[int], str]:
    return lambda at: f"{values[at]:g} is larger than one record can hold"


# --- keys -------------------------------------------------------------------------------------------------------------


def bills_of(rows: Rows) -> tuple[np.ndarray, list[str]]:
    """Number the bill of each row, and name the bills: `<format>:<billing account>:<YYYY-MM of its period>`."""
    accounts = rows.codes_of("BillingAccountId")
    months = rows.times["BillingPeriodStart"].values.astype("datetime64[M]")
    since_first = months.astype("int64") - int(months.astype("int64").min(initial=0))
    pairs = bill_columns.distinct([accounts.codes, since_first])
    prefix = rows.form.name
    names = [f"{prefix}:{account_of(accounts.values[accounts.codes[at]])}:{months[at]}" for at in pairs.first.tolist()]
    return pairs.inverse, names


def account_ids(rows: Rows) -> np.ndarray:
    """Give the account of each row: the sub-account, else the billing account."""
    sub, billing = rows.codes_of("SubAccountId"), rows.codes_of("BillingAccountId")
    subs = sub.spread([account_of(value) for value in sub.values])
    billings = billing.spread([account_of(value) for value in billing.values])
    return np.where(sub.codes < 0, billings, subs)


def _key_parts(rows: Rows, use: Use, tags: Sequence[Tags]) -> dict[str, Column]:
    parts = dict(rows.text)
    for name in ("BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd"):
        parts[name] = bill_columns.times_as_text(rows.times[name].values)
    for name in ("BillingAccountId", "SubAccountId"):
        codes = rows.codes_of(name)
        parts[name] = _spread(codes, [account_of(value) for value in codes.values])
    azure = rows.by_meaning(lambda meaning: meaning.provider == "azure").astype(bool)
    parts["ResourceId"] = pc.if_else(pa.array(azure), pc.utf8_lower(rows.text["ResourceId"]), rows.text["ResourceId"])
    parts["SkuMeter"] = pc.if_else(
        pc.is_null(rows.text["SkuId"]),
        pc.coalesce(rows.text["SkuMeter"], rows.text["ChargeDescription"]),
        rows.text["SkuMeter"],
    )
    correction = rows.says("ChargeClass", "correction") | (use.amount < 0)
    parts["ChargeClass"] = pc.if_else(pa.array(correction), CORRECTION, pa.scalar(None, pa.string()))
    parts["Tags"] = _spread(rows.codes_of("Tags"), [each.canonical for each in tags])
    return parts


def part_of(faults: Faults, inside: np.ndarray) -> dict[int, tuple[str, ...] | None]:
    """
    Name the records that rows at fault could be a part of, by their positions; None where the fault is in the key itself.

    Args:
        faults: of rows.
        inside: whether each row becomes a record. [n]

    Whether a row is a correction can depend on the quantity, so both records are named.
    """
    at = np.array(sorted(faults.found), dtype=np.int64)
    if not len(at):
        return {}
    mask = np.zeros(len(faults.rows), dtype=bool)
    mask[at] = True
    rows, nothing = faults.rows.subset(mask), np.full(len(at), np.nan)
    unreadable = Faults(rows)
    tags = tags_of(rows, frozenset(), unreadable)
    parts = _key_parts(rows, Use(nothing, nothing, nothing), tags)
    classes = (pa.nulls(len(at), pa.string()), pa.repeat(pa.scalar(CORRECTION, pa.string()), len(at)))
    names = zip(
        *(_ids(rows.form.name, _join(rows.form.key, {**parts, "ChargeClass": each})) for each in classes), strict=True
    )
    found: dict[int, tuple[str, ...] | None] = {}
    for position, known, both in zip(at.tolist(), unreadable.free.tolist(), names, strict=True):
        column, reason, _ = faults.found[position]
        in_key = column in rows.form.key and reason in _OF_VALUE
        found[position] = None if in_key or not known else both
    return found | dict.fromkeys(at[~inside[at]].tolist(), ())


def _join(key: Sequence[str], parts: Mapping[str, Column]) -> Column:
    columns = [parts[name] for name in key]
    return pc.binary_join_element_wise(*columns, "\x1f", null_handling="replace", null_replacement="")


def _groups(joined: Column) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct keys in order of appearance; give each row's number and each key's first row."""
    codes = bill_columns.encode(joined).codes
    found = bill_columns.distinct([codes])
    return found.inverse, found.first


def _ids(prefix: str, keys: Column) -> list[str]:
    return [f"{prefix}:{hashlib.sha256(key.encode()).hexdigest()}" for key in keys.to_pylist()]


def _corrected_ids(parts: Mapping[str, Column], first: np.ndarray, rows: Rows) -> np.ndarray:
    """
    Name the record that each correction corrects: the same key without the class, billed in the month of its charge
    period when that lies before the correction's own billing period.
    """
    ids = np.full(len(first), None, dtype=object)
    at = first[pc.is_valid(parts["ChargeClass"]).to_numpy(zero_copy_only=False)[first]]
    if len(at):
        billed, charged = rows.times["BillingPeriodStart"].values[at], rows.times["ChargePeriodStart"].values[at]
        period = np.where(charged < billed, charged.astype("datetime64[M]").astype("datetime64[us]"), billed)
        original = {name: parts[name].take(pa.array(at)) for name in rows.form.key}
        original["ChargeClass"] = pa.nulls(len(at), pa.string())
        original["BillingPeriodStart"] = bill_columns.times_as_text(period)
        original |= {
            name: pa.repeat(pa.scalar(text, pa.string()), len(at)) for name, text in rows.form.original.items()
        }
        ids[np.searchsorted(first, at)] = _ids(rows.form.name, _join(rows.form.key, original))
    return ids


def _spread(codes: bill_columns.Codes, values: Sequence[str | None]) -> Column:
    column: Column = pa.array([*values, None], pa.string())
    return column.take(pa.array(np.where(codes.codes < 0, len(values), codes.codes)))


def _mask(positions: np.ndarray, size: int) -> np.ndarray:
    mask = np.zeros(size, dtype=bool)
    mask[positions] = True
    return mask


# --- measures and flags -----------------------------------------------------------------------------------------------


def _sums(amounts: Mapping[str, Amounts], group: np.ndarray, groups: int) -> dict[str, pd.Series]:
    """Add the measures of each key in integers; absent where none of its rows has the measure."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(groups))
    sums: dict[str, pd.Series] = {}
    for name, each in amounts.items():
        totals = np.add.reduceat(each.integers[order], starts)
        rough = np.add.reduceat(each.integers[order].astype("float64"), starts)
        absent = ~np.logical_or.reduceat(each.present[order], starts)
        if each.per_unit == 1:
            sums[name] = pd.Series(totals, dtype="Int64").mask(absent)
        else:
            # A sum beyond 64 bits keeps its rough size, for which the checks quarantine it.
            exact = np.where(np.abs(rough) < 2 * _INT_LIMIT, totals, rough) / each.per_unit
            sums[name] = pd.Series(np.where(absent, np.nan, exact))
    return sums


def _flags(rows: Rows, use: Use, group: np.ndarray, groups: int) -> np.ndarray:
    usage = rows.says("ChargeCategory", "usage")
    naive = rows.times["ChargePeriodStart"].naive | rows.times["ChargePeriodEnd"].naive
    region = rows.codes_of("RegionId")
    anywhere = region.take(np.array([region_of(value)[1] for value in region.values], dtype=bool), absent=False)
    masks = {
        "unknown_meter": usage & (rows.by_meaning(lambda meaning: meaning.rule.flag) == "unknown_meter"),
        "naive_time": naive & (not rows.form.utc),
        "global_routing": anywhere | rows.by_meaning(lambda meaning: meaning.global_routing).astype(bool),
        "characters": rows.by_meaning(lambda meaning: meaning.characters).astype(bool) & ~np.isnan(use.amount),
        "no_usage": use.missing,
    }
    bits = sum((masks[name].astype("int64") << bit for bit, name in enumerate(FLAGS)), np.zeros(len(rows), "int64"))
    order = np.argsort(group, kind="stable")
    together = np.bitwise_or.reduceat(bits[order], np.searchsorted(group[order], np.arange(groups)))
    sets = np.empty(1 << len(FLAGS), dtype=object)
    sets[:] = [tuple(sorted(n for bit, n in enumerate(FLAGS) if value >> bit & 1)) for value in range(len(sets))]
    return sets[together]


# --- dimensions -------------------------------------------------------------------------------------------------------


def _dimensions(head: Rows, tags: Sequence[Tags], tag_codes: np.ndarray, stage: str | None) -> pd.DataFrame:
    """Give the columns that the first row of each key decides."""
    frame = pd.DataFrame(index=range(len(head)))
    frame["started_at"] = pd.DatetimeIndex(head.times["ChargePeriodStart"].values, tz="UTC")
    frame["ended_at"] = pd.DatetimeIndex(head.times["ChargePeriodEnd"].values, tz="UTC")
    bills, names = bills_of(head)
    frame["snapshot"] = np.array(names, dtype=object)[bills] if head.form.snapshot else None
    frame["account"] = account_ids(head)
    every_tag = np.empty(len(tags) + 1, dtype=object)
    every_tag[:] = [*tags, NO_TAGS]
    for column in ("team", "project", "environment", "application"):
        values = np.empty(len(every_tag), dtype=object)
        values[:] = [each.attribution.get(column) for each in every_tag]
        frame[column] = values[tag_codes]
    for column, text in head.form.fallbacks.items():
        codes = head.codes_of(text)
        frame[column] = frame[column].where(frame[column].notna(), codes.spread(codes.values))
    for column, what in _OF_MEANING.items():
        frame[column] = head.by_meaning(what)
    frame["stage"] = [each or stage for each in head.by_meaning(lambda meaning: meaning.stage)]
    frame["evidence"] = "modelled"
    anywhere = head.by_meaning(lambda meaning: meaning.global_routing or meaning.data_zone).astype(bool)
    region = head.codes_of("RegionId")
    frame["region"] = region.spread([region_of(value)[0] for value in region.values])
    frame.loc[anywhere, "region"] = None
    frame["labels"], frame["run"] = _labels_and_runs(head, every_tag, tag_codes)
    return frame


_OF_MEANING: Final = {
    "hosting": lambda meaning: meaning.rule.hosting,
    "provider": lambda meaning: meaning.provider,
    "model": lambda meaning: meaning.model,
    "hardware": lambda meaning: meaning.hardware,
    "instance_type": lambda meaning: meaning.instance_type,
    "tier": lambda meaning: meaning.tier,
}


def _labels_and_runs(head: Rows, tags: np.ndarray, tag_codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    names = ("SkuId", "ResourceName", "ResourceId", "RegionId", "ChargeCategory")
    own = head.form.labels
    columns = {name: head.codes_of(name) for name in (*names, *own.values())}
    combinations = bill_columns.distinct([head.meaning, tag_codes, *(each.codes for each in columns.values())])
    labels = np.empty(len(combinations.first), dtype=object)
    runs = np.full(len(combinations.first), None, dtype=object)
    values = {name: [*each.values, None] for name, each in columns.items()}
    for position, at in enumerate(combinations.first.tolist()):
        said = {column: values[column][columns[column].codes[at]] for column in columns}
        sku, name, resource_id, region, category = (said[column] for column in names)
        resource, runs[position] = resource_of(name, resource_id)
        labels[position] = _labels(head.meanings[head.meaning[at]], tags[tag_codes[at]], sku, resource, region)
        if category and category.lower() != "usage":
            labels[position][CHARGE_CATEGORY] = category.lower()
        labels[position] |= {label: text[:LABEL_TEXT] for label, column in own.items() if (text := said[column])}
    return labels[combinations.inverse], runs[combinations.inverse]


def _labels(
    meaning: Meaning, tags: Tags, sku: str | None, resource: str | None, region: str | None
) -> dict[str, object]:
    labels = dict(tags.labels)
    labels["service"] = meaning.service[:LABEL_TEXT]
    if sku:
        labels["sku"] = sku[:LABEL_TEXT]
    if resource:
        labels["resource"] = resource[:LABEL_TEXT]
    if meaning.service_provider:
        labels["service_provider"] = meaning.service_provider
    if meaning.data_zone:
        labels["geography"] = geography_of(region_of(region)[0])
    return labels
