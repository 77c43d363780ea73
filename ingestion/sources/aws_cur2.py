"""
AWS Cost and Usage Report: CUR 2.0 of Data Exports and the legacy report, as CSV (plain, gzip, Zstandard) or Parquet.

Columns go by the names of CUR 2.0; the legacy spellings (`lineItem/UsageAmount`, `line_item_usage_amount`, one column for
each tag and product property) are brought to them first. Only the line item types of usage have quantities; rows of split
cost allocation repeat the machine that they share, so they are outside. `identity_line_item_id` is unique within one
partition of one delivery only and is never part of a key.

Source: AWS Data Exports User Guide, "Cost and Usage Report (CUR) 2.0 table dictionary"; AWS Cost and Usage Reports User
Guide, "Data dictionary"; Amazon Bedrock User Guide, "Understanding your CUR data".
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute

from core.quantification.private import is_private
from core.quantification.remembering import remembered
from ingestion.sources import aws_principals, bill_columns, bill_tables, private_tables
from ingestion.sources.base import CHUNK_ROWS, Context, Parsed, UnreadablePayload
from ingestion.sources.bill_columns import Column
from ingestion.sources.bill_format import CATEGORIES, REPEATED, BillFormat
from ingestion.sources.bill_reader import read_bill
from ingestion.sources.private_texts import Cleaner, Rules, no_private_column

pc: Any = pyarrow.compute  # the stubs know only some of its overloads

NAME: Final = "aws_cur2"
SNAPSHOT: Final = True

DROPPED: Final = (
    "Users behind calls, session names of assumed roles; columns and tags that name a person, a credential or content; mail "
    "addresses and keys in any cell. Roles stay. Of lines that do not fit the header only the number of cells."
)
"""What never reaches the inbox, in words."""

_SAME: Final[Mapping[str, str]] = {
    "bill_payer_account_id": "BillingAccountId",
    "bill_billing_period_start_date": "BillingPeriodStart",
    "line_item_currency_code": "BillingCurrency",
    "line_item_line_item_description": "ChargeDescription",
    "line_item_operation": "x_Operation",
    "line_item_product_code": "x_ProductCode",
    "line_item_resource_id": "ResourceId",
    "line_item_unblended_cost": "EffectiveCost",
    "line_item_usage_account_id": "SubAccountId",
    "line_item_usage_amount": "ConsumedQuantity",
    "line_item_usage_end_date": "ChargePeriodEnd",
    "line_item_usage_start_date": "ChargePeriodStart",
    "pricing_unit": "ConsumedUnit",
    "product_instance_type": "x_InstanceType",
}
"""Columns that say what FOCUS's column says, as they are."""

_ELSE: Final = (
    *("bill_billing_entity", "line_item_line_item_type", "line_item_usage_type", "line_item_iam_principal"),
    *("product", "product_product_name", "product_gpu", "product_servicecode", "product_region_code", "product_region"),
    *("split_line_item_parent_resource_id", "resource_tags"),
)
"""Columns that have to be understood."""

REQUIRED: Final = (
    *("bill_payer_account_id", "bill_billing_period_start_date", "line_item_currency_code", "line_item_line_item_type"),
    *("line_item_product_code", "line_item_unblended_cost", "line_item_usage_account_id", "line_item_usage_amount"),
    *("line_item_usage_end_date", "line_item_usage_start_date", "line_item_usage_type", "pricing_unit"),
)
KEY: Final = (
    *("BillingAccountId", "BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd", "SubAccountId"),
    *("x_LineItemType", "x_ProductCode", "SkuId", "x_Operation", "ResourceId", "x_Principal", "RegionId", "Tags"),
    *("ChargeClass", "BillingCurrency"),
)
"""Parts of the key of the difference import, in order; SkuId is the usage type."""

_CATEGORIES: Final[Mapping[str, str]] = {
    "usage": "usage",
    "discountedusage": "usage",
    "savingsplancoveredusage": "usage",
    "savingsplannegation": "adjustment",
    "rifee": "purchase",
    "savingsplanrecurringfee": "purchase",
    "savingsplanupfrontfee": "purchase",
    "fee": "purchase",
    "tax": "tax",
    "credit": "credit",
    "refund": "credit",
}
"""Line item types, in lower case -> charge category; those that end in `Discount` are adjustments."""

_MARKETPLACE: Final = "aws marketplace"
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TAG: Final = re.compile(r"^(?:resourceTags/|resource_?tags_)(?P<key>.+)$", re.IGNORECASE)
_TAG_COLUMN: Final = "tag:"


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the columns of the report, and tell CUR 2.0 from the legacy report."""
    if head[:4] == b"PAR1":
        names: Sequence[str] = head.decode("utf-8", "replace").splitlines()[1:]
    else:
        names = bill_tables.column_names(head)
    if not {"line_item_line_item_type", "bill_payer_account_id"} <= {plain_name(name) for name in names}:
        return None
    form = "Parquet" if head[:4] == b"PAR1" else "CSV"
    return f"AWS {edition(names)}, {form} (it has line items of a payer account)"


def edition(names: Sequence[str]) -> str:
    """Name the report by its columns: only CUR 2.0 has its tags in one column."""
    return "CUR 2.0" if "resource_tags" in {plain_name(name) for name in names} else "legacy CUR"


def plain_name(name: str) -> str:
    """
    Give a column's name as CUR 2.0 spells it.

    >>> [plain_name(name) for name in ("lineItem/UsageAmount", "bill_payer_account_id", "product/ProductName")]
    ['line_item_usage_amount', 'bill_payer_account_id', 'product_product_name']
    """
    return re.sub(r"[/_]+", "_", _CAMEL.sub("_", name.strip())).lower()


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Drop what is private of a report held in memory; raise UnreadablePayload when it cannot be read."""
    with scrub_file(io.BytesIO(body)) as kept:
        return kept.read()


def scrub_file(stream: BinaryIO) -> BinaryIO:
    """Drop what is private of a report of any size."""
    return private_tables.scrubbed(stream, FORM.rules)


def parse(stream: BinaryIO, context: Context, chunk_rows: int = CHUNK_ROWS) -> Iterator[Parsed]:
    """Read a report in chunks; arguments and errors as in `bill_reader.read_bill`."""
    return read_bill(stream, context, FORM, chunk_rows)


def _check(names: Sequence[str]) -> str:
    """Tell the edition; raise UnreadablePayload naming the columns that are missing."""
    known = {plain_name(name) for name in names}
    missing = [name for name in REQUIRED if name not in known]
    if missing:
        raise UnreadablePayload(
            f"The table looks like an AWS {edition(names)}, but these columns are missing: {', '.join(missing)}. "
            "Add them to the export's query and send it again."
        )
    return f"AWS {edition(names)}"


def _pick(names: Sequence[str]) -> dict[str, str]:
    """Pick the columns that are read, and of the legacy report those of tags."""
    waiting = {*_SAME, *_ELSE}
    picked: dict[str, str] = {}
    for name in names:
        plain = plain_name(name)
        if plain in waiting:
            picked[name] = plain
            waiting.discard(plain)
        elif (tag := _TAG.match(name.strip())) is not None:
            picked[name] = _TAG_COLUMN + tag["key"].replace(":", "_")
    return picked


# --- columns of the report -> columns of FOCUS --------------------------------------------------------------------------


def _translate(columns: Mapping[str, Column]) -> Mapping[str, Column]:
    size = len(columns["line_item_line_item_type"])
    translated = {focus: columns[name] for name, focus in _SAME.items() if name in columns}
    table = _Texts(columns, size)
    kinds = table.of("line_item_line_item_type")
    categories = _each(kinds, _category)
    repeats = table.of("split_line_item_parent_resource_id").codes >= 0
    translated["ChargeCategory"] = pc.if_else(pa.array(repeats), REPEATED, categories)
    translated["x_LineItemType"] = columns["line_item_line_item_type"]
    translated["ProviderName"] = pa.repeat("AWS", size)
    translated["SkuMeter"] = translated["SkuId"] = table.text("line_item_usage_type")
    translated["RegionId"] = pc.coalesce(table.text("product_region_code"), table.text("product_region"))
    translated["x_Principal"] = _each(table.of("line_item_iam_principal"), aws_principals.role_of)
    product = table.of("product")
    name = pc.coalesce(_each(product, _name_of), table.text("product_product_name"))
    marketplace = pa.array(_says(table.of("bill_billing_entity"), _MARKETPLACE))
    bought = pc.if_else(marketplace, name, pa.scalar(None, pa.string()))
    translated["ServiceName"] = pc.coalesce(bought, table.text("line_item_product_code"))
    code = table.text("product_servicecode")
    # Not null_handling="skip": pyarrow 26 then gives no row at all where everything is null.
    translated["ServiceCategory"] = pc.coalesce(pc.binary_join_element_wise(code, name, " | "), code, name)
    translated["SkuPriceDetails"] = pc.coalesce(_each(product, _details_of), _each(table.of("product_gpu"), _gpus))
    translated["Tags"] = _tags(columns, size)
    return translated


@dataclass(frozen=True)
class _Texts:
    """Columns of a chunk as trimmed text, null where a column is missing."""

    columns: Mapping[str, Column]
    size: int

    def text(self, name: str) -> Column:
        """Give a column's text."""
        column = self.columns.get(name)
        return pa.nulls(self.size, pa.string()) if column is None else bill_columns.as_text(column)

    def of(self, name: str) -> bill_columns.Codes:
        """Number a column's distinct texts."""
        return bill_columns.encode(self.text(name))


def _each(codes: bill_columns.Codes, what: Callable[[str], str | None]) -> Column:
    """Give something for each distinct text, spread over the rows."""
    values: Column = pa.array([*map(what, codes.values), None], pa.string())
    return values.take(pa.array(np.where(codes.codes < 0, len(codes.values), codes.codes)))


def _says(codes: bill_columns.Codes, word: str) -> np.ndarray:
    return codes.take(np.array([value.lower() == word for value in codes.values], dtype=bool), absent=False)


def _category(kind: str) -> str:
    """Give the charge category of a line item type; one that is not known stays as it is, for the quarantine."""
    word = kind.lower()
    return _CATEGORIES.get(word) or ("adjustment" if word.endswith("discount") else kind)


@remembered(20_000)
def _properties(text: str) -> Mapping[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {plain_name(key): each for key, each in value.items()} if isinstance(value, dict) else {}


def _name_of(product: str) -> str | None:
    name = _properties(product).get("product_name")
    return name if isinstance(name, str) and name.strip() else None


def _details_of(product: str) -> str | None:
    gpus = _properties(product).get("gpu")
    return _gpus(str(gpus)) if gpus else None


def _gpus(count: str) -> str | None:
    """Say the number of accelerators as FOCUS's price details do."""
    return json.dumps({"GpuCount": count}) if re.fullmatch(r"\d+", count) else None


def _tags(columns: Mapping[str, Column], size: int) -> Column:
    """Give the column of tags; of the legacy report one JSON object made of its columns."""
    if "resource_tags" in columns:
        return columns["resource_tags"]
    tags = [name for name in columns if name.startswith(_TAG_COLUMN)]
    if not tags:
        return pa.nulls(size, pa.string())
    coded = [bill_columns.encode(bill_columns.as_text(columns[name])) for name in tags]
    combinations = bill_columns.distinct([each.codes for each in coded])
    keys = [name.removeprefix(_TAG_COLUMN) for name in tags]
    objects = []
    for at in combinations.first.tolist():
        said = {key: each.values[each.codes[at]] for key, each in zip(keys, coded, strict=True) if each.codes[at] >= 0}
        objects.append(json.dumps(said, ensure_ascii=False) if said else None)
    return pa.array(objects, pa.string()).take(pa.array(combinations.inverse))


def _stores(name: str) -> bool:
    """Tell whether a column's cells are stored: those of users, and of tags that name a person, are not."""
    tag = name if name.startswith(_TAG_COLUMN) else found["key"] if (found := _TAG.match(name.strip())) else ""
    return plain_name(name) != "line_item_user_identifier" and no_private_column(name) and not is_private(tag)


def _own(name: str) -> Cleaner | None:
    return aws_principals.without_person if plain_name(name) == "line_item_iam_principal" else None


FORM: Final = BillFormat(
    name=NAME,
    check=_check,
    pick=_pick,
    translate=_translate,
    key=KEY,
    texts=("x_LineItemType", "x_Operation", "x_Principal", "x_ProductCode"),
    labels={"iam_principal": "x_Principal"},
    categories=(*CATEGORIES, REPEATED),
    spelled={
        **{focus: name for name, focus in _SAME.items()},
        "ChargeCategory": "line_item_line_item_type",
        "Tags": "resource_tags",
        "SkuMeter": "line_item_usage_type",
    },
    rules=Rules(stores=_stores, own=_own),
    utc=True,
)
