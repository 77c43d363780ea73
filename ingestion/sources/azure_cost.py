"""
Azure cost details: the actual-cost export of Cost Management, as CSV (plain, gzip, Zstandard) or Parquet.

Columns are found by their names in the agreements of all kinds (Enterprise, Customer, pay as you go) without regard to
case, and translated to FOCUS's. A row is one UTC day of one meter on one resource; days come as `MM/DD/YYYY`, `DD/MM/YYYY`
or ISO, which the file as a whole decides. Quantities are in blocks of UnitOfMeasure (`1K`, `1M`, `100 Hours`).

Source: Microsoft Learn, "Cost and usage details file schema" (versions to 2025-04-01) and "Azure VM additional info";
FinOps toolkit, PricingUnits.csv.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.compute

from core.quantification.remembering import remembered
from ingestion.sources import azure_days, bill_columns, bill_tables, private_tables
from ingestion.sources.azure_days import DayOrder
from ingestion.sources.base import CHUNK_ROWS, Context, Parsed, UnreadablePayload
from ingestion.sources.bill_columns import Column, each
from ingestion.sources.bill_format import BillFormat
from ingestion.sources.bill_reader import read_bill
from ingestion.sources.private_texts import Rules, no_private_column

pc: Any = pyarrow.compute  # the stubs know only some of its overloads

NAME: Final = "azure_cost"
SNAPSHOT: Final = True

DROPPED: Final = (
    "Account owners and account names; columns and tags that name a person, a credential or content; mail addresses and keys "
    "in any cell. Of lines that do not fit the header only the number of cells."
)
"""What never reaches the inbox, in words for the privacy page."""

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "AdditionalInfo": (),
    "BillingAccountId": (),
    "BillingCurrency": ("BillingCurrencyCode", "Currency"),
    "BillingPeriodEndDate": (),
    "BillingPeriodStartDate": (),
    "ChargeType": (),
    "ConsumedService": (),
    "Cost": ("CostInBillingCurrency", "PreTaxCost"),
    "CostCenter": (),
    "Date": ("UsageDateTime", "UsageDate"),
    "MeterCategory": (),
    "MeterId": (),
    "MeterName": (),
    "MeterSubCategory": ("MeterSubcategory",),
    "PricingModel": (),
    "Product": ("ProductName",),
    "Quantity": ("UsageQuantity",),
    "ResourceGroup": ("ResourceGroupName",),
    "ResourceId": ("InstanceId", "InstanceName"),
    "ResourceLocation": ("ResourceLocationNormalized", "Location"),
    "ResourceName": (),
    "ServiceFamily": (),
    "SubscriptionId": ("SubscriptionGuid",),
    "Tags": (),
    "UnitOfMeasure": (),
}
"""Column -> what other schemas call it; of several in one file the first of this order counts."""

REQUIRED: Final = (
    *("BillingCurrency", "ChargeType", "Cost", "Date", "MeterCategory", "MeterName", "Quantity", "SubscriptionId"),
    "UnitOfMeasure",
)
DAYS: Final = ("Date", "BillingPeriodStartDate", "BillingPeriodEndDate")

KEY: Final = (
    *("BillingAccountId", "BillingPeriodStart", "ChargePeriodStart", "SubAccountId", "ResourceId", "x_Meter"),
    *("x_ChargeType", "x_PricingModel", "Tags", "ChargeClass", "BillingCurrency"),
    *("ServiceName", "RegionId", "x_InstanceType", "x_ResourceGroup", "x_CostCenter", "ConsumedUnit"),
)
"""
Parts of the key of the difference import, in order. The last line is what a record says beside its key: rows that differ in
it are apart, so that the order of rows cannot show.
"""

_CATEGORIES: Final[Mapping[str, str]] = {
    "usage": "usage",
    "unusedreservation": "usage",
    "unusedsavingsplan": "usage",
    "purchase": "purchase",
    "refund": "credit",
    "credit": "credit",
    "tax": "tax",
    "roundingadjustment": "adjustment",
}
"""Charge types, in lower case -> charge category of FOCUS, which has usage that was paid for and not used."""

_UNUSED: Final = ("unusedreservation", "unusedsavingsplan")

_HOURS: Final = re.compile(
    r"^(?:1 )?(?P<count>[\d,.]*) ?(?:/ ?)?(?:hours?|hrs?|horas?|heures?|stunden?|ore|ora|uur|小时|小時|時間|시간)$",
    re.IGNORECASE,
)
"""Hours as English and localized accounts write them, `1/Hour` (units for an hour) included."""

_MACHINE_LEARNING: Final = "microsoft.machinelearningservices"


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the columns of cost details."""
    parquet = head[:4] == b"PAR1"
    names = head.decode("utf-8", "replace").splitlines()[1:] if parquet else bill_tables.column_names(head)
    found = set(_pick(names).values())
    if not {"MeterCategory", "UnitOfMeasure", "Quantity", "Cost", "ChargeType"} <= found:
        return None
    return f"Azure cost details, {'Parquet' if parquet else 'CSV'} (it has meters with a unit of measure)"


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Drop what is private of a file held in memory; raise UnreadablePayload when it cannot be read."""
    with scrub_file(io.BytesIO(body)) as clean:
        return clean.read()


def scrub_file(stream: BinaryIO) -> BinaryIO:
    """Drop what is private of a file of any size."""
    return private_tables.scrubbed(stream, FORM.rules)


def parse(stream: BinaryIO, context: Context, chunk_rows: int = CHUNK_ROWS) -> Iterator[Parsed]:
    """
    Read cost details in chunks; arguments and errors as in `bill_reader.read_bill`.

    Settings used beside those: `date_order` (`month_first` or `day_first`) for files in which no day above 12 tells.
    """
    start = stream.tell()
    order = azure_days.order_of(context.setting, _days_of(stream))
    stream.seek(start)
    return read_bill(stream, context, replace(FORM, translate=partial(_translate, order)), chunk_rows)


def _days_of(stream: BinaryIO) -> Iterator[str]:
    """Give the distinct days of a file, chunk by chunk."""
    for chunk in bill_tables.open_table(stream, _pick_days, CHUNK_ROWS).chunks:
        for column in chunk.columns.values():
            if pa.types.is_string(column.type) or pa.types.is_dictionary(column.type):
                yield from bill_columns.encode(bill_columns.as_text(column)).values


def _pick(names: Sequence[str]) -> dict[str, str]:
    """Pick the columns that are read: for each of ours the first of its names that the file has."""
    theirs: dict[str, str] = {}
    for name in names:
        theirs.setdefault(name.strip().lower(), name)
    picked: dict[str, str] = {}
    for ours, others in NAMES.items():
        found = next((theirs[name.lower()] for name in (ours, *others) if name.lower() in theirs), None)
        if found is not None:
            picked[found] = ours
    return picked


def _pick_days(names: Sequence[str]) -> dict[str, str]:
    return {name: ours for name, ours in _pick(names).items() if ours in DAYS}


def _check(names: Sequence[str]) -> str:
    """Raise UnreadablePayload naming the columns that are missing."""
    found = set(_pick(names).values())
    missing = [" or ".join((name, *NAMES[name])) for name in REQUIRED if name not in found]
    if missing:
        raise UnreadablePayload(
            f"The table looks like Azure cost details, but these columns are missing: {', '.join(missing)}. "
            "Export 'Cost and usage details (actual)' with all of its columns and send it again."
        )
    return "Azure cost details"


# --- columns of cost details -> columns of FOCUS ------------------------------------------------------------------------


def _translate(order: DayOrder, columns: Mapping[str, Column]) -> Mapping[str, Column]:
    size = len(columns["Date"])
    text = {name: _text(columns, name, size) for name in NAMES if name not in ("Quantity", "Cost", "Tags", *DAYS)}
    kinds = bill_columns.encode(text["ChargeType"])
    days, following = azure_days.days_of(columns["Date"], order)
    periods, _ = azure_days.days_of(_column(columns, "BillingPeriodStartDate", size), order)
    subscription = pc.utf8_lower(text["SubscriptionId"])
    account = pc.utf8_lower(pc.coalesce(text["BillingAccountId"], subscription))
    resource = pc.utf8_lower(text["ResourceId"])
    return {
        "BillingAccountId": account,
        "BillingCurrency": text["BillingCurrency"],
        "BillingPeriodStart": pc.coalesce(periods, days),
        "ChargeCategory": each(kinds, lambda kind: _CATEGORIES.get(kind.lower(), kind)),
        "ChargeDescription": text["Product"],
        "ChargePeriodEnd": following,
        "ChargePeriodStart": days,
        "CommitmentDiscountStatus": each(kinds, lambda kind: "Unused" if kind.lower() in _UNUSED else None),
        "ConsumedQuantity": columns["Quantity"],
        "ConsumedUnit": each(bill_columns.encode(text["UnitOfMeasure"]), unit_of),
        "EffectiveCost": columns["Cost"],
        "ProviderName": pa.repeat("Microsoft", size),
        "RegionId": text["ResourceLocation"],
        "ResourceId": resource,
        "ResourceName": pc.if_else(pc.is_null(resource), text["ResourceName"], pa.scalar(None, pa.string())),
        "ServiceCategory": _category(text),
        "ServiceName": text["MeterCategory"],
        "SkuId": text["MeterId"],
        "SkuMeter": text["MeterName"],
        "SubAccountId": subscription,
        "Tags": _column(columns, "Tags", size),
        "x_CostCenter": text["CostCenter"],
        "x_ChargeType": pc.utf8_lower(text["ChargeType"]),
        "x_InstanceType": each(bill_columns.encode(text["AdditionalInfo"]), machine_of),
        "x_Meter": pc.utf8_lower(pc.coalesce(text["MeterId"], text["MeterName"])),
        "x_PricingModel": pc.utf8_lower(text["PricingModel"]),
        "x_ResourceGroup": pc.utf8_lower(text["ResourceGroup"]),
        "x_SkuMeterSubcategory": text["MeterSubCategory"],
    }


def _column(columns: Mapping[str, Column], name: str, size: int) -> Column:
    column = columns.get(name)
    return pa.nulls(size, pa.string()) if column is None else column


def _text(columns: Mapping[str, Column], name: str, size: int) -> Column:
    return bill_columns.as_text(_column(columns, name, size))


def unit_of(unit: str) -> str:
    """
    Write localized hours in English; other units stay as they are.

    >>> [unit_of(unit) for unit in ("1 hora", "1/Hour", "100 Hours", "1 小时", "1K", "1 GB/Hour")]
    ['1 Hours', '1 Hours', '100 Hours', '1 Hours', '1K', '1 GB/Hour']
    """
    found = _HOURS.match(" ".join(unit.split()))
    return f"{found['count'] or 1} Hours" if found else unit


@remembered(20_000)
def machine_of(additional_info: str) -> str | None:
    """
    Give the machine type that AdditionalInfo names, a JSON object with or without its braces.

    >>> machine_of('{"ServiceType":"Standard_NC40ads_H100_v5","VMName":"nc-0"}')
    'Standard_NC40ads_H100_v5'
    """
    try:
        info = json.loads(additional_info if additional_info.startswith("{") else f"{{{additional_info}}}")
    except (ValueError, RecursionError):
        return None
    stated = {key.lower(): value for key, value in info.items()}.get("servicetype") if isinstance(info, dict) else None
    return stated.strip() or None if isinstance(stated, str) else None


def _category(text: Mapping[str, Column]) -> Column:
    """Name the service's family; machines of a machine learning workspace are billed as plain virtual machines."""
    consumed = bill_columns.encode(text["ConsumedService"])
    workspace = each(consumed, lambda name: "Machine Learning" if name.lower() == _MACHINE_LEARNING else None)
    return pc.coalesce(workspace, text["ServiceFamily"])


def _stores(name: str) -> bool:
    """Tell whether a column's cells are stored: those that name the owner of the account are not."""
    return name.strip().lower() not in _OWNERS and no_private_column(name)


_OWNERS: Final = ("accountownerid", "accountname", "accountownername")

FORM: Final = BillFormat(
    name=NAME,
    check=_check,
    pick=_pick,
    translate=partial(_translate, DayOrder.MONTH_FIRST),
    key=KEY,
    texts=("x_ChargeType", "x_CostCenter", "x_Meter", "x_PricingModel", "x_ResourceGroup"),
    labels={"resource_group": "x_ResourceGroup", "cost_center": "x_CostCenter"},
    fallbacks={"team": "x_ResourceGroup"},
    spelled={
        "BillingPeriodStart": "BillingPeriodStartDate",
        "ChargeCategory": "ChargeType",
        "ChargeDescription": "Product",
        "ChargePeriodEnd": "Date",
        "ChargePeriodStart": "Date",
        "ConsumedQuantity": "Quantity",
        "ConsumedUnit": "UnitOfMeasure",
        "EffectiveCost": "Cost",
        "RegionId": "ResourceLocation",
        "ServiceName": "MeterCategory",
        "SubAccountId": "SubscriptionId",
    },
    rules=Rules(stores=_stores),
    utc=True,
)
