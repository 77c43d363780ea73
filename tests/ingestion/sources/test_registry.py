"""Which wire format a file looks like, over all payloads that the tests hold."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.sources import activity, registry
from ingestion.sources.registry import UnknownSource
from tests.ingestion.sources.samples import PAYLOADS

FILES = {
    "activity/valid.jsonl": "activity",
    "codecarbon/emissions-3.3.2.csv": "codecarbon_csv",
    "codecarbon/emissions-2.8.4.csv": "codecarbon_csv",
    "codecarbon/emissions-3.3.2-api-mode.csv": "codecarbon_csv",
    "codecarbon/tasks-3.3.2.csv": "codecarbon_csv",
    "otlp/1-traces.json": "otlp",
    "otlp/1-traces.pb": "otlp",
    "otlp/2-metrics.json": "otlp",
    "openai/usage-completions-page1.json": "openai_usage",
    "openai/usage-embeddings.json": "openai_usage",
    "openai/costs.json": "openai_usage",
    "azure/carbon-item-details.json": "azure_carbon",
    "azure/carbon-monthly-summary.json": "azure_carbon",
    "azure/cost-details-actual.csv": "azure_cost",
    "gcp/billing-export-resource.jsonl": "gcp_billing",
    "gcp/carbon-footprint.jsonl": "gcp_carbon",
    "anthropic/usage-report-messages.json": "anthropic_usage",
    "anthropic/cost-report.json": "anthropic_usage",
    "openrouter/activity.json": "openrouter",
    "assistant_seats/seats.csv": "assistant_seats",
    "assistant_seats/copilot-seats-2026-10.json": "assistant_seats",
    "assistant_seats/copilot-billing-2026-10.json": "assistant_seats",
    "monthly_totals/totals.csv": "monthly_totals",
    "langfuse/observations-v2.json": "langfuse",
    "litellm/spend-logs.json": "litellm",
    "litellm/spend-logs.csv": "litellm",
    "focus/focus-1.0-real-subset.csv": "focus",
    "focus/focus-1.2-ai.csv": "focus",
}


@pytest.mark.parametrize(("file", "source"), FILES.items())
def test_recorded_file_is_recognized(file: str, source: str) -> None:
    with (PAYLOADS / file).open("rb") as stream:
        found = registry.detect(registry.head_of(stream), file)

    assert found is not None
    assert found[0] == source
    assert found[1]


@pytest.mark.parametrize("template", [activity.template_csv(), activity.template_xlsx()])
def test_templates_are_recognized(template: bytes) -> None:
    found = registry.detect(registry.head_of(io.BytesIO(template)), "records")

    assert found is not None
    assert found[0] == "activity"


def test_parquet_is_recognized_by_its_columns() -> None:
    for columns, source in (
        (["record_id", "started_at"], "activity"),
        (["ChargePeriodStart", "BillingAccountId"], "focus"),
    ):
        buffer = io.BytesIO()
        pq.write_table(pa.table({name: pa.array([], pa.string()) for name in columns}), buffer)
        buffer.seek(0)
        found = registry.detect(registry.head_of(buffer), "export.parquet")
        assert found is not None
        assert found[0] == source


@pytest.mark.parametrize("content", [b"", b"hello", b"a,b\n1,2\n", b"{}", b"[]", b"PAR1 but no more", b"\x00" * 100])
def test_nothing_is_made_of_other_files(content: bytes) -> None:
    stream = io.BytesIO(content)

    assert registry.detect(registry.head_of(stream), "file") is None
    assert stream.tell() == 0


def test_every_source_keeps_the_adapter_interface() -> None:
    for name in registry.SOURCES:
        adapter = registry.adapter(name)
        assert name == adapter.NAME
        assert isinstance(adapter.SNAPSHOT, bool)
        assert all(callable(getattr(adapter, each)) for each in ("detect", "scrub", "parse"))


def test_unknown_source_names_those_that_exist() -> None:
    with pytest.raises(UnknownSource, match="codecarbon_csv"):
        registry.adapter("nobody")
