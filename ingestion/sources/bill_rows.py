"""Rows of a bill, understood: texts, times, numbers, what each row means, and which rows cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa

from core.quantification.rejections import Rejection
from core.quantification.remembering import LONGEST
from ingestion.sources import ai_services, bill_columns, bill_meaning, bill_tables
from ingestion.sources.base import UnreadablePayload
from ingestion.sources.bill_columns import Column
from ingestion.sources.bill_format import BillFormat
from ingestion.sources.service_rules import SHIPPED, Rulebook

METER_TEXTS: Final = ("SkuMeter", "x_SkuMeterName", "x_UsageType", "ChargeDescription", "x_SkuDescription", "SkuId")
"""Columns that say what was metered, most telling first."""
MEANING: Final = (
    *("HostProviderName", "ServiceProviderName", "ProviderName", "ServiceName", "ServiceCategory", *METER_TEXTS),
    *("SkuPriceDetails", "x_SkuDetails", "x_InstanceType", "ConsumedUnit", "PricingUnit", "CapacityReservationStatus"),
    *("x_PricingUnitDescription", "x_SkuMeterSubcategory"),
)
"""Columns whose distinct combinations are understood once each."""
TEXTS: Final = (
    *MEANING,
    *("BillingAccountId", "SubAccountId", "BillingCurrency", "ChargeCategory", "ChargeClass", "PricingCategory"),
    *(
        "SkuPriceId",
        "RegionId",
        "ResourceId",
        "ResourceName",
        "CommitmentDiscountId",
        "CommitmentDiscountStatus",
        "Tags",
    ),
)
NUMBERS: Final = ("ConsumedQuantity", "PricingQuantity", "EffectiveCost")
TIMES: Final = ("BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd")
COLUMNS: Final = (*TEXTS, *NUMBERS, *TIMES)
"""Every column of FOCUS that is read; others may be there and are left alone."""

REMEMBERED: Final = 50_000
"""Most distinct combinations kept understood between chunks; a fixed bound keeps memory constant."""
CLOCK_TOLERANCE: Final = timedelta(minutes=10)
Converted = TypeVar("Converted")

LONGEST_USAGE: Final = timedelta(days=31)
"""Usage is billed by the hour, day or month; a running period ends after the file was made."""


@dataclass(frozen=True)
class Rows:
    """
    Rows of one chunk by column.

    Args:
        row: number of each row in the file, from 1.
        form: the bill's format.
        text: trimmed text of every column of TEXTS and of the format's own, null where absent.
        numbers, times: columns of NUMBERS and TIMES.
        meaning: what each row means, as a position in `meanings`.
        at: position of each row in the chunk.
        raw: columns of the whole chunk as translated, `wire` as delivered: for the quarantine.
    """

    form: BillFormat
    row: np.ndarray
    text: Mapping[str, Column]
    numbers: Mapping[str, bill_columns.Numbers]
    times: Mapping[str, bill_columns.Times]
    meaning: np.ndarray
    meanings: list[bill_meaning.Meaning]
    at: np.ndarray
    raw: Mapping[str, Column]
    wire: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.row)

    def subset(self, mask: np.ndarray) -> Rows:
        """Keep the rows of a mask."""
        if mask.all():
            return self
        at = pa.array(np.flatnonzero(mask))
        return Rows(
            form=self.form,
            row=self.row[mask],
            text={name: array.take(at) for name, array in self.text.items()},
            numbers={
                name: bill_columns.Numbers(each.values[mask], each.unreadable[mask])
                for name, each in self.numbers.items()
            },
            times={
                name: bill_columns.Times(each.values[mask], each.unreadable[mask], each.naive[mask])
                for name, each in self.times.items()
            },
            meaning=self.meaning[mask],
            meanings=self.meanings,
            at=self.at[mask],
            raw=self.raw,
            wire=self.wire,
        )

    def codes_of(self, column: str) -> bill_columns.Codes:
        """Number the distinct texts of a column (once, on first use)."""
        if column not in self._codes:
            self._codes[column] = bill_columns.encode(self.text[column])
        return self._codes[column]

    @cached_property
    def _codes(self) -> dict[str, bill_columns.Codes]:
        return {}

    def says(self, column: str, word: str) -> np.ndarray:
        """Tell which rows hold a word in a text column, whatever its case."""
        codes = self.codes_of(column)
        return codes.take(np.array([value.lower() == word for value in codes.values], dtype=bool), absent=False)

    @property
    def cost(self) -> np.ndarray:
        """Give the effective cost of each row. [its currency]"""
        return self.numbers["EffectiveCost"].values

    def by_meaning(self, what: Callable[[bill_meaning.Meaning], object]) -> np.ndarray:
        """Give something of its meaning for each row, as objects."""
        per_meaning = np.empty(len(self.meanings), dtype=object)
        per_meaning[:] = [what(meaning) for meaning in self.meanings]
        spread: np.ndarray = per_meaning[self.meaning]
        return spread

    def delivered(self, column: str, at: int) -> str:
        """Give the beginning of what stood in a column, in quotes."""
        return repr(str(self.raw[column][int(self.at[at])].as_py())[:80])

    def payload(self, at: int) -> dict[str, str]:
        """Give a row as it was delivered, the columns that say something, without what is private in them."""
        position = int(self.at[at])
        kept: dict[str, str] = {}
        for name, array in self.wire.items():
            text = bill_columns.as_text(array.slice(position, 1))[0].as_py()
            if text is not None and (clean := self.form.rules.cleaner(name)(text)):
                kept[name] = clean
        return kept


@dataclass
class Understanding:
    """Reads chunks into rows and remembers, within bounds, what it has understood."""

    form: BillFormat
    rules: Rulebook = SHIPPED
    _known: dict[tuple[str | None, ...], bill_meaning.Meaning] = field(default_factory=dict)

    def rows(self, chunk: bill_tables.Chunk) -> Rows:
        """Normalize a chunk's columns and look up what its rows mean."""
        size = len(chunk.rows)
        columns = self.form.translate(chunk.columns)
        absent = pa.nulls(size, pa.string())
        raw = {name: columns.get(name, absent) for name in (*COLUMNS, *self.form.texts)}
        text = {name: self._converted(name, raw, bill_columns.as_text) for name in (*TEXTS, *self.form.texts)}
        codes = {name: bill_columns.encode(text[name]) for name in MEANING if name in columns}
        combinations = bill_columns.distinct([each.codes for each in codes.values()] or [np.zeros(size, "int64")])
        values = {name: [*each.values, None] for name, each in codes.items()}  # code -1 is the None at the end
        meanings = [
            self._meaning(tuple(values[name][codes[name].codes[at]] if name in codes else None for name in MEANING))
            for at in combinations.first.tolist()
        ]
        return Rows(
            form=self.form,
            row=chunk.rows,
            text=text,
            numbers={name: self._converted(name, raw, bill_columns.as_numbers) for name in NUMBERS},
            times={name: self._converted(name, raw, bill_columns.as_times) for name in TIMES},
            meaning=combinations.inverse,
            meanings=meanings,
            at=np.arange(size),
            raw=raw,
            wire=chunk.columns,
        )

    def _converted(self, name: str, columns: Mapping[str, Column], convert: Callable[[Column], Converted]) -> Converted:
        """Convert a column; raise UnreadablePayload naming it when its Parquet type holds nothing of the kind."""
        try:
            return convert(columns[name])
        except pa.ArrowException as error:
            spelled = self.form.spelled.get(name, name)
            raise UnreadablePayload(
                f"The column {spelled} of type {columns[name].type} cannot be read ({error}). Export it as text, number "
                "or time."
            ) from error

    def _meaning(self, texts: tuple[str | None, ...]) -> bill_meaning.Meaning:
        known = self._known.get(texts)
        if known is None:
            known = _understand(dict(zip(MEANING, texts, strict=True)), self.rules)
            if sum(len(text) for text in texts if text) <= LONGEST:
                if len(self._known) >= REMEMBERED:
                    self._known.clear()
                self._known[texts] = known
        return known


def _understand(texts: Mapping[str, str | None], rules: Rulebook) -> bill_meaning.Meaning:
    meter_texts = [text for text in (texts[name] for name in METER_TEXTS) if text]
    return bill_meaning.understand(
        rules=rules,
        host=texts["HostProviderName"],
        seller=texts["ServiceProviderName"] or texts["ProviderName"],
        service=texts["ServiceName"],
        category=texts["ServiceCategory"],
        meter_texts=list(dict.fromkeys(meter_texts)),
        details=texts["SkuPriceDetails"] or texts["x_SkuDetails"],
        instance=texts["x_InstanceType"],
        consumed_unit=texts["ConsumedUnit"],
        pricing_unit=texts["PricingUnit"],
        described_unit=texts["x_PricingUnitDescription"],
        family=texts["x_SkuMeterSubcategory"],
        reserved_unused=(texts["CapacityReservationStatus"] or "").lower() == "unused",
    )


# --- what was used ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Use:
    """
    The quantity of each row that counts as use.

    Args:
        amount: tokens or hours, as the row's measure says; NaN where the row is cost only.
        unknown_unit: rows whose quantity is in a unit that no table knows.
        missing: usage rows of a measured meter that state no quantity.
    """

    amount: np.ndarray
    unknown_unit: np.ndarray
    missing: np.ndarray


def use_of(rows: Rows) -> Use:
    """
    Read the quantities that count: of usage rows, of meters with a measure, of commitments that were used.

    Negative cost beside a quantity that is not negative (credits and negations in usage rows) is cost alone.
    """
    usage = rows.says("ChargeCategory", "usage")
    unused = rows.says("CommitmentDiscountStatus", "unused")
    measured = rows.by_meaning(lambda meaning: meaning.measure != "cost").astype(bool)
    counts = usage & ~unused & measured
    consumed, priced = rows.numbers["ConsumedQuantity"].values, rows.numbers["PricingQuantity"].values
    by_consumption = consumed * rows.by_meaning(lambda meaning: meaning.consumed_scale).astype("float64")
    by_pricing = priced * rows.by_meaning(lambda meaning: meaning.pricing_scale).astype("float64")
    amount = np.where(np.isnan(by_consumption), by_pricing, by_consumption)
    stated = ~np.isnan(consumed) | ~np.isnan(priced)
    cost_alone = (rows.cost < 0) & ~(amount < 0) & (not rows.form.nets_credits)
    return Use(
        amount=np.where(counts & ~cost_alone, amount, np.nan),
        unknown_unit=counts & stated & np.isnan(amount),
        missing=counts & ~stated,
    )


# --- rows that cannot be read -----------------------------------------------------------------------------------------


@dataclass
class Faults:
    """The first fault of each row that has one."""

    rows: Rows
    found: dict[int, tuple[str, str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.free = np.ones(len(self.rows), dtype=bool)

    def add(self, mask: np.ndarray, column: str, reason: str, detail: str | Callable[[int], str]) -> None:
        """Note a fault for the rows of the mask that have none yet."""
        fresh = np.flatnonzero(mask & self.free)
        for at in fresh.tolist():
            self.found[at] = (column, reason, detail if isinstance(detail, str) else detail(at))
        self.free[fresh] = False

    def rejections(self, part_of: Mapping[int, tuple[str, ...] | None]) -> list[Rejection]:
        """
        Give the rows at fault for the quarantine.

        Args:
            part_of: by the positions of the rows, the records that each could be a part of.
        """
        spelled = self.rows.form.spelled
        return [
            Rejection(
                int(self.rows.row[at]),
                None,
                spelled.get(column, column),
                reason,
                detail,
                payload=self.rows.payload(at),
                part_of=part_of[at],
            )
            for at, (column, reason, detail) in sorted(self.found.items())
        ]


def faults_of_any_row(rows: Rows) -> Faults:
    """Find rows that cannot even be counted: without account, times, or a readable cost in a currency."""
    faults = Faults(rows)

    def says(column: str, what: str) -> Callable[[int], str]:
        return lambda at: f"{rows.delivered(column, at)} {what}"

    faults.add(_absent(rows, "BillingAccountId"), "BillingAccountId", "bad_field", "it is missing")
    for column in TIMES:
        times = rows.times[column]
        faults.add(times.unreadable, column, "bad_field", says(column, "is not a time like 2026-10-01T09:00:00Z"))
        faults.add(np.isnat(times.values), column, "bad_field", "it is missing")
    start, end = rows.times["ChargePeriodStart"].values, rows.times["ChargePeriodEnd"].values
    faults.add(end < start, "ChargePeriodEnd", "negative_interval", lambda at: f"{start[at]}Z to {end[at]}Z")
    unreadable = rows.numbers["EffectiveCost"].unreadable
    faults.add(unreadable, "EffectiveCost", "bad_field", says("EffectiveCost", "is not a number"))
    codes = rows.codes_of("BillingCurrency")
    known = np.array([len(v) == 3 and v.isascii() and v.isalpha() and v.isupper() for v in codes.values], dtype=bool)
    faults.add(codes.codes < 0, "BillingCurrency", "bad_field", "it is missing")
    faults.add(
        ~codes.take(known, absent=True), "BillingCurrency", "bad_field", says("BillingCurrency", "is no ISO 4217 code")
    )
    category = rows.codes_of("ChargeCategory")
    faults.add(category.codes < 0, "ChargeCategory", "bad_field", "it is missing")
    names = np.array([value.lower() in rows.form.categories for value in category.values], dtype=bool)
    faults.add(
        ~category.take(names, absent=True),
        "ChargeCategory",
        "bad_field",
        says("ChargeCategory", "is no kind of charge that is known"),
    )
    return faults


def faults_of_records(rows: Rows, use: Use, *, received_at: datetime, max_age_days: float) -> Faults:
    """
    Find rows that should become records and cannot.

    Args:
        rows: rows of AI services (or those that the settings add).
        use: their quantities.
        received_at: when the file was received, UTC. A charge period that has begun may end later: bills of the running
            day or month, and fees, name the period's end.
        max_age_days: how long before that a charge period may start. [days]
    """
    faults = Faults(rows)
    counts = rows.by_meaning(lambda meaning: meaning.measure != "cost").astype(bool)
    usage = rows.says("ChargeCategory", "usage")
    for column in ("ConsumedQuantity", "PricingQuantity"):
        unreadable = rows.numbers[column].unreadable & counts & usage
        faults.add(unreadable, column, "bad_field", _not_a_number(rows, column))
    faults.add(use.unknown_unit, "ConsumedUnit", "unknown_unit", lambda at: _unit(rows, at))
    nothing = np.isnan(use.amount) & np.isnan(rows.cost)
    faults.add(nothing, "EffectiveCost", "bad_field", "it is missing, and there is no quantity")
    start, end = rows.times["ChargePeriodStart"].values, rows.times["ChargePeriodEnd"].values
    received = np.datetime64(received_at.replace(tzinfo=None), "us")
    latest = received + np.timedelta64(CLOCK_TOLERANCE)
    faults.add(start > latest, "ChargePeriodStart", "clock_skew", lambda at: f"it starts {start[at]}Z")
    endless = usage & (end > latest) & (end - start > np.timedelta64(LONGEST_USAGE))
    faults.add(endless, "ChargePeriodEnd", "clock_skew", lambda at: f"usage until {end[at]}Z")
    oldest = received - np.timedelta64(timedelta(days=max_age_days))
    faults.add(start < oldest, "ChargePeriodStart", "too_old", lambda at: f"it starts {start[at]}Z")
    return faults


def _not_a_number(rows: Rows, column: str) -> Callable[[int], str]:
    return lambda at: f"{rows.delivered(column, at)} is not a number"


def rule_measure(meaning: bill_meaning.Meaning) -> str:
    """Give the activity column that a row's quantity goes to; "" for cost only."""
    return {"idle_instance_hours": "instance_hours", "cost": ""}.get(meaning.measure, meaning.measure)


def is_token_measure(meaning: bill_meaning.Meaning) -> bool:
    """Tell whether a row's quantity is a number of tokens."""
    return meaning.measure in ai_services.TOKEN_MEASURES


def _absent(rows: Rows, column: str) -> np.ndarray:
    mask: np.ndarray = rows.text[column].is_null().to_numpy(zero_copy_only=False)
    return mask


def _unit(rows: Rows, at: int) -> str:
    consumed, priced = rows.text["ConsumedUnit"][at].as_py(), rows.text["PricingUnit"][at].as_py()
    measure = rule_measure(rows.meanings[rows.meaning[at]])
    return f"{consumed or 'no unit'!r} (pricing unit {priced or 'none'!r}) is no unit of {measure} in the table"
