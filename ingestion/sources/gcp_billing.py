"""
Google Cloud's detailed usage cost: the table `gcp_billing_export_resource_v1_*`, as JSON lines, Parquet or flattened CSV.

The table has no row id and is appended to: the same usage may be exported in several pieces at different times, and late
pieces add. So there is no snapshot here; a record is one key at one export time, summed over all files of a delivery.
Quantities are in base units (tokens, seconds); the cost of a row is net of its credits.

Source: Google Cloud, "Structure of Detailed data export" and "Understand the Cloud Billing data tables in BigQuery".
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute

from core.quantification.remembering import remembered
from ingestion.sources import bill_columns, bill_tables, nested_tables, private_tables
from ingestion.sources.base import CHUNK_ROWS, Context, Parsed, UnreadablePayload
from ingestion.sources.bill_columns import Column, each
from ingestion.sources.bill_format import BillFormat
from ingestion.sources.bill_reader import read_bill
from ingestion.sources.bill_tables import Table
from ingestion.sources.private_texts import Rules, no_private_column

pc: Any = pyarrow.compute  # the stubs know only some of its overloads

NAME: Final = "gcp_billing"

DROPPED: Final = (
    "Fields, labels and tags that name a person, a credential or content; mail addresses, those of service accounts "
    "included, and keys in any text. Of lines that cannot be read everything."
)
"""What never reaches the inbox, in words for the privacy page."""
SNAPSHOT: Final = False
SUMMED: Final = True

_SAME: Final[Mapping[str, str]] = {
    "billing_account_id": "BillingAccountId",
    "currency": "BillingCurrency",
    "export_time": "BillingPeriodStart",
    "location.region": "RegionId",
    "project.id": "SubAccountId",
    "service.description": "ServiceName",
    "sku.description": "SkuMeter",
    "sku.id": "SkuId",
    "usage.unit": "ConsumedUnit",
    "usage_end_time": "ChargePeriodEnd",
    "usage_start_time": "ChargePeriodStart",
}
"""
Columns that say what FOCUS's column says, as they are. A row belongs to the export that brought it, not to a month: the
invoice's month follows another clock than usage does.
"""

COLUMNS: Final = (
    *_SAME,
    *("service.id", "location.location", "resource.name", "cost", "usage.amount", "credits", "cost_type"),
    *("adjustment_info.id", "labels", "system_labels", "tags", "project.labels"),
)
LISTS: Final = ("credits", "labels", "system_labels", "tags", "project.labels")
REQUIRED: Final = (
    *("billing_account_id", "cost", "cost_type", "currency", "export_time", "service.description", "sku.description"),
    *("usage.amount", "usage.unit", "usage_end_time", "usage_start_time"),
)
KEY: Final = (
    *("ChargePeriodStart", "ChargePeriodEnd", "SubAccountId", "x_ServiceId", "SkuId", "x_Location", "x_Resource"),
    *("x_CostType", "x_Adjustment", "Tags", "x_ExportTime"),
    *("ChargeClass", "BillingAccountId", "BillingCurrency", "ServiceName", "SkuMeter", "RegionId", "x_InstanceType"),
    "ConsumedUnit",
)
"""
Parts of a record's id, in order. The last two lines are what a record says beside its key: rows that differ in it are
apart, so that the order of rows cannot show.
"""

_CATEGORIES: Final[Mapping[str, str]] = {
    "regular": "usage",
    "adjustment": "usage",
    "tax": "tax",
    "rounding error": "adjustment",
}
"""Cost type -> charge category of FOCUS; adjustments take usage back or add to it."""

_SERVICES: Final[Mapping[str, str]] = {"C7E2-9256-1C43": "Vertex AI", "6F81-5844-456A": "Compute Engine"}
"""Service ids that stay when a service is renamed."""

_MACHINE: Final = "compute.googleapis.com/machine_spec"
_OF_MACHINE: Final = re.compile(r"\b(?:cores?|ram|gpus?|tpus?|instance)\b|\btpu", re.IGNORECASE)
"""What a machine is billed for by itself; its disks and traffic may carry its type too."""


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the columns of the export, in whichever form."""
    flat = head.lower()
    told = b"billing_account_id" in flat and b"usage_start_time" in flat and b"cost_type" in flat
    return "Google Cloud detailed usage cost (it has usage times and cost types)" if told else None


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Drop the labels that name people from a file held in memory; raise UnreadablePayload when it cannot be read."""
    with scrub_file(io.BytesIO(body)) as clean:
        return clean.read()


def scrub_file(stream: BinaryIO) -> BinaryIO:
    """Do the same to a file of any size."""
    nested_tables.refuse_avro(stream)
    return private_tables.scrubbed(stream, FORM.rules)


def parse(stream: BinaryIO, context: Context, chunk_rows: int = CHUNK_ROWS) -> Iterator[Parsed]:
    """Read an export in chunks; arguments and errors as in `bill_reader.read_bill`."""
    return read_bill(stream, context, FORM, chunk_rows)


def _open(stream: BinaryIO, pick: bill_tables.Picker, chunk_rows: int) -> Table:
    return nested_tables.open_table(stream, COLUMNS, chunk_rows, LISTS)


def _check(names: Sequence[str]) -> str:
    """Raise UnreadablePayload naming the columns that are missing."""
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise UnreadablePayload(
            f"The table looks like no detailed usage cost: these columns are missing: {', '.join(missing)}. Export "
            "the table gcp_billing_export_resource_v1 whole; parts may be flattened with a dot or an underscore."
        )
    return "Google Cloud detailed usage cost"


# --- columns of the export -> columns of FOCUS --------------------------------------------------------------------------


def _translate(columns: Mapping[str, Column]) -> Mapping[str, Column]:
    size = len(columns["cost"])
    absent = pa.nulls(size, pa.string())
    text = {
        name: bill_columns.as_text(columns.get(name, absent))
        for name in ("cost_type", "service.id", "sku.description", "resource.name", "system_labels")
    }
    kinds = bill_columns.encode(text["cost_type"])
    cost_types = each(kinds, _cost_type)
    adjusts = kinds.take(
        np.array([_cost_type(kind) == "adjustment" for kind in kinds.values], dtype=bool), absent=False
    )
    resources = bill_columns.encode(text["resource.name"])
    machines = each(bill_columns.encode(text["system_labels"]), _machine)
    of_machine = each(
        bill_columns.encode(text["sku.description"]), lambda sku: sku if _OF_MACHINE.search(sku) else None
    )
    return {
        **{focus: columns.get(name, absent) for name, focus in _SAME.items()},
        "ChargeCategory": each(kinds, lambda kind: _CATEGORIES.get(_cost_type(kind), kind)),
        "ChargeClass": pc.if_else(pa.array(adjusts), "Correction", pa.scalar(None, pa.string())),
        "ConsumedQuantity": _quantity(columns, adjusts),
        "EffectiveCost": _net_cost(columns),
        "ProviderName": pa.repeat("Google Cloud", size),
        "ResourceId": each(resources, lambda name: None if "/instances/" in name else name),
        "ServiceCategory": each(bill_columns.encode(text["service.id"]), _SERVICES.get),
        "Tags": _tags(columns, size),
        "x_Adjustment": columns.get("adjustment_info.id", absent),
        "x_CostType": cost_types,
        "x_ExportTime": bill_columns.times_as_text(bill_columns.as_times(columns["export_time"]).values, "us"),
        "x_InstanceType": pc.if_else(pc.is_valid(of_machine), machines, pa.scalar(None, pa.string())),
        "x_Location": columns.get("location.location", absent),
        "x_Resource": text["resource.name"],
        "x_ServiceId": text["service.id"],
    }


def _cost_type(text: str) -> str:
    """
    Write a cost type with spaces.

    >>> _cost_type("rounding_error")
    'rounding error'
    """
    return text.lower().replace("_", " ")


def _quantity(columns: Mapping[str, Column], adjusts: np.ndarray) -> Column:
    """Give the quantities; an adjustment of money alone states none, or one that its cost contradicts."""
    if not adjusts.any():
        return columns["usage.amount"]
    amount, cost = (bill_columns.as_numbers(columns[name]).values for name in ("usage.amount", "cost"))
    money_alone = adjusts & ((amount == 0) | ((cost < 0) & (amount > 0)))
    return pc.if_else(pa.array(~money_alone), columns["usage.amount"], None)


def _net_cost(columns: Mapping[str, Column]) -> Column:
    """Add the credits of each row to its cost; credits that cannot be read make the cost unreadable."""
    if "credits" not in columns:
        return columns["cost"]
    credited, unreadable = _credits(columns["credits"])
    if unreadable.any():
        cost = bill_columns.as_text(columns["cost"])
        return pc.if_else(pa.array(unreadable), "credits that cannot be read", cost)
    if not credited.any():
        return columns["cost"]
    numbers = bill_columns.as_numbers(columns["cost"])
    if numbers.unreadable.any():
        return pc.if_else(
            pa.array(numbers.unreadable), columns["cost"], pa.array(numbers.values + credited).cast("string")
        )
    return pa.array(numbers.values + credited, from_pandas=True)


def _credits(column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Add up the credits of each row, and tell where they cannot be read. [the row's currency]"""
    size = len(column)
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        sums = np.zeros(size)
        amounts = bill_columns.as_numbers(pc.struct_field(pc.list_flatten(column), "amount"))
        np.add.at(sums, pc.list_parent_indices(column).to_numpy(), np.nan_to_num(amounts.values))
        return sums, np.zeros(size, dtype=bool)
    codes = bill_columns.encode(bill_columns.as_text(column))
    read = [_credit_sum(text) for text in codes.values]
    values = np.array([0.0 if each_sum is None else each_sum for each_sum in read], dtype="float64")
    odd = np.array([each_sum is None for each_sum in read], dtype=bool)
    return codes.take(values, absent=0.0), codes.take(odd, absent=False)


@remembered(20_000)
def _credit_sum(text: str) -> float | None:
    try:
        return float(sum(float(credit["amount"] or 0) for credit in json.loads(text)))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


@remembered(20_000)
def _machine(system_labels: str) -> str | None:
    """Give the machine type among system labels."""
    return (entries_of(system_labels) or {}).get(_MACHINE)


@remembered(20_000)
def entries_of(text: str) -> Mapping[str, str] | None:
    """
    Read labels: a JSON list of keys and values, or a JSON object; None for anything else.

    >>> entries_of('[{"key": "team", "value": "nlp"}]'), entries_of('{"team": "nlp"}'), entries_of("team")
    ({'team': 'nlp'}, {'team': 'nlp'}, None)
    """
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(read, dict):
        return {str(key): _value(value) for key, value in read.items()}
    if not isinstance(read, list) or not all(isinstance(entry, dict) and "key" in entry for entry in read):
        return None
    return {str(entry["key"]): _value(entry.get("value")) for entry in read}


def _value(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _tags(columns: Mapping[str, Column], size: int) -> Column:
    """Give one object of each row's labels, tags and its project's labels; of equal keys the nearest to the row counts."""
    coded = [
        bill_columns.encode(bill_columns.as_text(columns[name]))
        for name in ("project.labels", "tags", "labels")
        if name in columns
    ]
    if not coded:
        return pa.nulls(size, pa.string())
    combinations = bill_columns.distinct([codes.codes for codes in coded])
    objects: list[str | None] = []
    for at in combinations.first.tolist():
        texts = [codes.values[codes.codes[at]] for codes in coded if codes.codes[at] >= 0]
        read = [entries_of(text) for text in texts]
        if None in read:
            objects.append(next(text for text, found in zip(texts, read, strict=True) if found is None))
        else:
            merged = {key: value for found in read for key, value in (found or {}).items()}
            objects.append(json.dumps(merged, ensure_ascii=False, sort_keys=True) if merged else None)
    spread: Any = pa.array(objects, pa.string())
    return spread.take(pa.array(combinations.inverse))


def _stores(name: str) -> bool:
    return name.strip().lower().endswith("full_name") or no_private_column(name)


FORM: Final = BillFormat(
    name="gcp",
    check=_check,
    pick=bill_tables.picker(COLUMNS),
    open=_open,
    translate=_translate,
    key=KEY,
    texts=("x_Adjustment", "x_CostType", "x_ExportTime", "x_Location", "x_Resource", "x_ServiceId"),
    spelled={
        **{focus: name for name, focus in _SAME.items()},
        "ChargeCategory": "cost_type",
        "ConsumedQuantity": "usage.amount",
        "EffectiveCost": "cost",
        "Tags": "labels",
    },
    original={"x_CostType": "regular", "x_Adjustment": None, "x_ExportTime": None},
    rules=Rules(stores=_stores, allowed=frozenset({"full_name"})),  # of a credit
    utc=True,
    nets_credits=True,
    snapshot=False,
)
