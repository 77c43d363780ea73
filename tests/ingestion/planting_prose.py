"""
Puts prose into fields of samples that hold a word of a closed list, a unit or an identifier.

Which these are stands here by the formats' own specifications, source by source, not by the product's rule.
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import itertools
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.ingestion.planting import PROTOBUF, SIGN

OF_A_LIST: dict[str, tuple[str, ...]] = {
    "otlp": (
        *("gen_ai.operation.name", "gen_ai.system", "gen_ai.provider.name", "gen_ai.token.type", "error.type", "unit"),
        *("gen_ai.response.finish_reasons", "gen_ai.openai.request.service_tier", "gen_ai.output.type"),
    ),
    "openai_usage": ("service_tier", "currency"),
    "anthropic_usage": (
        *("service_tier", "context_window", "inference_geo", "cost_type", "token_type", "currency", "speed"),
    ),
    "openrouter": ("provider_name",),
    "litellm": ("call_type", "status", "custom_llm_provider", "cache_hit", "stream", "service_tier"),
    "langfuse": ("type", "level"),
    "monthly_totals": ("Currency", "Country"),
    "assistant_seats": ("currency", "plan_type"),
    "codecarbon": ("os", "region", "provider", "tracking_mode", "on_cloud", "cloud_provider", "cloud_region"),
    "codecarbon_http_output": ("os", "region", "tracking_mode", "on_cloud", "cloud_provider", "country_iso_code"),
    "codecarbon_csv": ("os", "region", "tracking_mode", "on_cloud", "cloud_provider", "country_iso_code"),
    "azure_cost": (
        *("ChargeType", "Frequency", "UnitOfMeasure", "PublisherType", "BillingCurrency", "PricingModel"),
        *("ResourceLocation", "MeterRegion", "ServiceFamily"),
    ),
    "azure_carbon": ("dataType", "categoryType", "location", "decision"),
    "gcp_billing": (
        "unit",
        "pricing_unit",
        "cost_type",
        "currency",
        "transaction_type",
        "publisher_type",
        "region",
        "mode",
    ),
    "gcp_carbon": ("location", "region"),
    "focus": (
        *("ChargeCategory", "ChargeClass", "ChargeFrequency", "PricingCategory", "CommitmentDiscountCategory"),
        *("CommitmentDiscountStatus", "CommitmentDiscountType", "CapacityReservationStatus", "BillingAccountType"),
        *("ConsumedUnit", "PricingUnit", "BillingCurrency", "PricingCurrency", "RegionId", "ServiceCategory"),
        *("ServiceSubcategory", "ProviderName", "AvailabilityZone", "SubAccountType"),
    ),
    "aws_cur2": (
        *("line_item_line_item_type", "line_item_operation", "bill_bill_type", "pricing_unit", "pricing_term"),
        *("line_item_currency_code", "product_region_code", "line_item_availability_zone", "line_item_usage_type"),
        "product_product_family",
    ),
    "aws_carbon": (
        *("location", "region_code", "total_lbm_emissions_unit", "total_mbm_emissions_unit", "REGION", "Unit"),
    ),
    "activity": (
        *("stage", "hosting", "provider", "region", "zone", "evidence", "tier", "energy_boundary", "reported_basis"),
        *("currency", "techniques", "flags"),
    ),
}
"""Source -> fields that the format fills from a list, or with a unit or a place, as the sender spells them."""

IDENTIFIERS: dict[str, tuple[str, ...]] = {
    "otlp": ("gen_ai.response.id", "service.instance.id", "traceId", "spanId"),
    "openai_usage": ("project_id",),
    "anthropic_usage": ("workspace_id",),
    "openrouter": ("endpoint_id",),
    "litellm": (
        *("id", "request_id", "trace_id", "session_id", "litellm_call_id", "team_id", "organization_id"),
        *("user_api_key_team_id", "user_api_key_org_id"),
    ),
    "langfuse": ("id", "traceId", "projectId", "parentObservationId"),
    "codecarbon_http_output": ("experiment_id",),
    "codecarbon_csv": ("experiment_id", "run_id"),
    "azure_carbon": ("subscriptionId", "resourceId"),
    "activity": ("record_id", "run", "request", "trace", "account", "corrects"),
}
"""Source -> fields that hold an id. Those of bills are written by the provider, not by whoever delivers them."""

_numbers = itertools.count(1)


def prose() -> str:
    """Make a sentence that somebody may have written to a model."""
    return f"please tell me whether my {SIGN} neighbour who lost her job last week may keep the flat {next(_numbers)}"


class Planter:
    """Replaces the texts of some fields in files of any form, and counts them."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self.fields = fields
        self.planted = 0

    def file(self, path: Path, target: Path) -> Path:
        """Write a sample with prose in its fields into a folder, under its own name."""
        content = path.read_bytes()
        packed = content[:2] == b"\x1f\x8b"
        grown = self.content(gzip.decompress(content) if packed else content, path.name)
        place = target / path.name
        place.write_bytes(gzip.compress(grown) if packed else grown)
        return place

    def content(self, content: bytes, name: str) -> bytes:
        if content[:4] == b"PAR1":
            return self._parquet(content)
        if name.endswith(".pb"):
            return self._protobuf(content, name.removesuffix(".pb").rsplit("-", 1)[-1])
        text = content.decode("utf-8-sig")
        if text.lstrip()[:1] not in ("{", "["):
            return self._table(text).encode()
        try:
            return json.dumps(self.value(json.loads(text))).encode()
        except ValueError:
            return "\n".join(json.dumps(self._line(json.loads(line))) for line in text.splitlines() if line).encode()

    def value(self, value: Any) -> Any:
        """Replace texts, also in lists and as values of attributes."""
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.get("key") in self.fields and isinstance(value.get("value"), dict):
            return {"key": value["key"], "value": {"stringValue": self._prose()}}
        return {key: self._field(key, item) for key, item in value.items()}

    def _field(self, key: str, item: Any) -> Any:
        if key not in self.fields or isinstance(item, dict):
            return self.value(item)
        if isinstance(item, str) and item:
            return self._prose()
        texts = isinstance(item, list) and item and all(isinstance(each, str) for each in item)
        return [self._prose()] if texts else self.value(item)

    def _prose(self) -> str:
        self.planted += 1
        return prose()

    def _line(self, line: Any) -> Any:
        if not (isinstance(line, dict) and {"method", "path"} <= line.keys()):
            return self.value(line)
        if "body" in line:
            return line | {"body": self.value(line["body"])}
        if "body_base64" not in line:
            return line
        raw = base64.b64decode(line["body_base64"])
        packed = raw[:2] == b"\x1f\x8b"
        raw = gzip.decompress(raw) if packed else raw
        if raw.lstrip()[:1] == b"{":
            raw = json.dumps(self.value(json.loads(raw))).encode()
        elif (signal := line["path"].rsplit("/", 1)[-1]) in PROTOBUF:
            raw = self._protobuf(raw, signal)
        return line | {"body_base64": base64.b64encode(gzip.compress(raw) if packed else raw).decode()}

    def _table(self, text: str) -> str:
        separator = max(",;\t|", key=text.split("\n", 1)[0].count)
        names, *rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
        written = io.StringIO(newline="")
        writer = csv.writer(written, delimiter=separator, lineterminator="\n")
        writer.writerow(names)
        for cells in rows:
            if cells:
                writer.writerow(
                    [
                        self._prose() if cell and name in self.fields else self._cell(cell)
                        for name, cell in itertools.zip_longest(names, cells, fillvalue="")
                    ]
                )
        return written.getvalue()

    def _cell(self, cell: str) -> str:
        return json.dumps(self.value(json.loads(cell))) if cell.startswith("{") else cell

    def _parquet(self, content: bytes) -> bytes:
        table = pq.read_table(io.BytesIO(content))
        for at, field in enumerate(table.schema):
            if field.name in self.fields and pa.types.is_string(field.type):
                cells = [cell and self._prose() for cell in table.column(at).to_pylist()]
                table = table.set_column(at, field.name, pa.array(cells, pa.string()))
        target = io.BytesIO()
        pq.write_table(table, target)
        return target.getvalue()

    def _protobuf(self, content: bytes, signal: str) -> bytes:
        request = PROTOBUF[signal].FromString(content)
        self._message(request)
        return request.SerializeToString()

    def _message(self, message: Any) -> None:
        for field, value in message.ListFields():
            if field.message_type is None:
                if field.name in self.fields and isinstance(value, str):
                    setattr(message, field.name, self._prose())
                continue
            for each in value if hasattr(value, "__len__") else [value]:
                if hasattr(each, "DESCRIPTOR") and each.DESCRIPTOR.name == "KeyValue":
                    if each.key in self.fields:
                        each.value.string_value = self._prose()
                elif hasattr(each, "DESCRIPTOR"):
                    self._message(each)
