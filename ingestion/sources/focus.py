"""
FOCUS 1.0 to 1.3: bills of cloud providers in the common columns of the FinOps Foundation, as CSV or Parquet.

FOCUS is also the language of the common reader of bills (`bill_format`, `bill_reader`), so nothing is translated here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, Final

from ingestion.sources import bill_rows, bill_tables, private_tables
from ingestion.sources.base import CHUNK_ROWS, Context, Parsed, UnreadablePayload
from ingestion.sources.bill_columns import Column
from ingestion.sources.bill_format import BillFormat
from ingestion.sources.bill_reader import read_bill

NAME: Final = "focus"
SNAPSHOT: Final = True

DROPPED: Final = (
    "Columns and tags that name a person, a credential or content; mail addresses and keys in any cell. Tags "
    "become labels only where the source allows them by name."
)
"""What never reaches the inbox, in words for the privacy page."""

REQUIRED: Final = (
    *("BillingAccountId", "BillingCurrency", "BillingPeriodStart", "ChargeCategory", "ChargePeriodStart"),
    *("ChargePeriodEnd", "EffectiveCost", "ServiceName"),
)
ONE_OF: Final = (
    ("ProviderName", "ServiceProviderName", "HostProviderName"),
    ("ConsumedQuantity", "PricingQuantity"),
    ("ConsumedUnit", "PricingUnit"),
)
"""Columns of which at least one must be there: names changed between versions, and one stands in for the other."""

EDITIONS: Final = (
    ("1.3", ("ServiceProviderName", "HostProviderName", "ContractApplied", "AllocatedMethodId")),
    ("1.2", ("InvoiceId", "BillingAccountType", "SubAccountType", "PricingCurrency")),
    (
        "1.1",
        ("SkuMeter", "SkuPriceDetails", "ServiceSubcategory", "CapacityReservationId", "CommitmentDiscountQuantity"),
    ),
)
"""Version -> columns that it brought; a table without any of them is 1.0."""

KEY: Final = (
    *("BillingAccountId", "BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd", "SubAccountId", "ServiceName"),
    *("SkuId", "SkuPriceId", "SkuMeter", "RegionId", "ResourceId", "ChargeCategory", "ChargeClass", "PricingCategory"),
    *("CommitmentDiscountId", "CommitmentDiscountStatus", "Tags", "BillingCurrency"),
)
"""
Parts of the key of the difference import, in order. BillingCurrency is one of them so that money of two currencies is
never added; where neither SkuId nor SkuMeter is stated, ChargeDescription stands for the meter.
"""


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the columns of FOCUS, and tell the version by those that came later."""
    if head[:4] == b"PAR1":
        told = b"ChargePeriodStart" in head or "focus" in filename.lower()
        return "FOCUS, Parquet" if told else None
    names = bill_tables.column_names(head)
    known = {name.lower() for name in names}
    if not {"billingaccountid", "chargeperiodstart", "chargecategory"} <= known:
        return None
    edition, reasons = version(names)
    return f"FOCUS {edition}, CSV" + (f" (it has {', '.join(reasons)})" if reasons else "")


def version(names: Sequence[str]) -> tuple[str, list[str]]:
    """Tell the FOCUS version of a table by its columns, and which of them told."""
    known = {name.lower() for name in names}
    for edition, columns in EDITIONS:
        found = [column for column in columns if column.lower() in known]
        if found:
            return edition, found
    return "1.0", []


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Drop columns and tags that name a person or hold content; a bill has none as a rule, and stays as it is."""
    return private_tables.scrubbed_bytes(body)


def parse(stream: BinaryIO, context: Context, chunk_rows: int = CHUNK_ROWS) -> Iterator[Parsed]:
    """Read a bill in chunks; arguments and errors as in `bill_reader.read_bill`."""
    return read_bill(stream, context, FORM, chunk_rows)


def _check(names: Sequence[str]) -> str:
    """Tell the version; raise UnreadablePayload naming the columns that are missing."""
    edition, _ = version(names)
    known = {name.lower() for name in names}
    missing = [name for name in REQUIRED if name.lower() not in known]
    missing += [" or ".join(some) for some in ONE_OF if not known & {name.lower() for name in some}]
    if missing:
        raise UnreadablePayload(
            f"The table looks like FOCUS {edition}, but these columns are missing: {', '.join(missing)}. "
            "Add them to the export and send it again."
        )
    return f"FOCUS {edition}"


def _as_it_is(columns: Mapping[str, Column]) -> Mapping[str, Column]:
    return columns


FORM: Final = BillFormat(
    name=NAME, check=_check, pick=bill_tables.picker(bill_rows.COLUMNS), translate=_as_it_is, key=KEY
)
