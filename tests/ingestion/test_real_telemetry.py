"""OpenTelemetry's SDK with its exporters and OpenAI instrumentation, and EcoLogits: unmodified, against a running web server."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from core.organizations.tenancy import organization_scope
from ingestion import services
from tests.ingestion import live, openai_stub
from tests.ingestion.test_real_clients import run

pytestmark = [pytest.mark.usefixtures("committed_db", "servers"), pytest.mark.slow]

SET_UP = """
import os
from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

traces = TracerProvider()
traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(traces)
meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
metrics.set_meter_provider(meters)
logs = LoggerProvider()
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
set_logger_provider(logs)
"""

CALLS = """
from openai import OpenAI, RateLimitError
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

OpenAIInstrumentor().instrument()
client = OpenAI(base_url=os.environ["MODEL_SERVER"] + "/v1", api_key="sk-secret", max_retries=0)
asked = [{"role": "user", "content": "a confidential question"}]
for turn in range(2):
    client.chat.completions.create(model="gpt-4o-mini", messages=asked, user="ada@example.org")
    meters.force_flush()
list(client.chat.completions.create(
    model="gpt-4o-mini", messages=asked, stream=True, stream_options={"include_usage": True}))
list(client.chat.completions.create(model="gpt-4o", messages=asked, stream=True))
client.embeddings.create(model="text-embedding-3-small", input="a confidential text")
try:
    client.chat.completions.create(model="busy", messages=asked)
except RateLimitError:
    pass
"""

END = """
traces.shutdown()
meters.shutdown()
logs.shutdown()
print("the job ended")
"""

OWN_METERS = """
from opentelemetry._logs import LogRecord, get_logger
from opentelemetry.metrics import Observation

tracer, meter = trace.get_tracer("assistant"), metrics.get_meter("assistant")
usage = meter.create_histogram("gen_ai.client.token.usage", unit="{token}")
duration = meter.create_histogram("gen_ai.client.operation.duration", unit="s")
joules = meter.create_counter("hw.host.energy", unit="J")
meter.create_observable_gauge("hw.gpu.utilization", [lambda _: [Observation(0.5)]], unit="1")
call = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
for turn in range(4):
    with tracer.start_as_current_span("chat", kind=trace.SpanKind.CLIENT, attributes=call) as span:
        span.set_attribute("gen_ai.usage.input_tokens", 100 + turn)
        span.set_attribute("gen_ai.usage.output_tokens", 10)
        span.add_event("gen_ai.user.message", {"content": "a confidential question"})
    usage.record(100 + turn, call | {"gen_ai.token.type": "input"})
    usage.record(10, call | {"gen_ai.token.type": "output"})
    duration.record(0.5, call)
    joules.add(0.9, {"hw.id": "host"})
    get_logger("assistant").emit(LogRecord(body="a confidential answer"))
    meters.force_flush()
"""

ECOLOGITS = """
import os
from ecologits import EcoLogits
from openai import OpenAI

EcoLogits.init(providers=["openai"], opentelemetry_endpoint=os.environ["ENDPOINT"])
client = OpenAI(base_url=os.environ["MODEL_SERVER"] + "/v1", api_key="sk-secret", max_retries=0)
with EcoLogits.label(team="search", project="rag"):
    for turn in range(3):
        client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "a confidential question"}])
"""


def by_signal(organization: Any) -> dict[tuple[str, str], tuple[int, ...]]:
    """Sum requests, failed requests, input and output tokens by signal and metric."""
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(
            "select s.labels->>'signal', coalesce(s.labels->>'metric', ''), coalesce(sum(r.requests), 0)::int,"
            " coalesce(sum(r.failed_requests), 0)::int, coalesce(sum(r.input_tokens), 0)::int,"
            " coalesce(sum(r.output_tokens), 0)::int"
            " from ledger_record r join ledger_series s on s.organization_id = r.organization_id and s.id = r.series_id"
            " group by 1, 2"
        )
        return {row[:2]: row[2:] for row in cursor.fetchall()}


def everything_stored(organization: Any) -> bytes:
    """Give all that the inbox, the quarantine and the ledger's texts hold."""
    tables = ("ingestion_payload", "ingestion_batch", "ingestion_quarantine", "ledger_series", "ledger_record_text")
    with organization_scope(organization.id), connection.cursor() as cursor:
        found = []
        for table in tables:
            cursor.execute(f"select coalesce(jsonb_agg(to_jsonb(t)), '[]')::text from {table} t")
            found.append(cursor.fetchone()[0].encode())
        cursor.execute("select body from ingestion_payload where body is not null")
        return b"".join([*found, *(bytes(row[0]) for row in cursor.fetchall())])


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_sdk_reports_traces_metrics_and_logs(organization: Any, token: str, tmp_path: Path, temporality: str) -> None:
    with live.web(tmp_path) as address:
        said = run(
            SET_UP + OWN_METERS + END,
            tmp_path,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"{address}/otlp",
            OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{token}",
            OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=temporality,
            OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
            OTEL_SERVICE_NAME="assistant",
        )
    drained = services.drain_inbox(organization.id)

    assert "Failed to export" not in said
    input_tokens = 100 + 101 + 102 + 103
    assert by_signal(organization) == {
        ("spans", ""): (4, 0, input_tokens, 40),
        ("metrics", "gen_ai.client.token.usage"): (0, 0, input_tokens, 40),
        ("metrics", "gen_ai.client.operation.duration"): (4, 0, 0, 0),
        (None, "hw.host.energy"): (0, 0, 0, 0),
    }
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select sum(energy_kwh) from ledger_record")
        assert cursor.fetchone()[0] == pytest.approx(4 * 0.9 / 3.6e6)
    assert drained.counts["quarantined"] == 0
    assert b"confidential" not in everything_stored(organization)


@pytest.mark.parametrize(("temporality", "conventions"), [("cumulative", ""), ("delta", "gen_ai_latest_experimental")])
def test_instrumented_openai_client_reports_by_spans_and_by_metrics(
    organization: Any, token: str, tmp_path: Path, temporality: str, conventions: str
) -> None:
    with live.web(tmp_path) as address, openai_stub.serve() as model_server:
        said = run(
            SET_UP + CALLS + END,
            tmp_path,
            MODEL_SERVER=model_server,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"{address}/otlp",
            OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{token}",
            OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=temporality,
            OTEL_SEMCONV_STABILITY_OPT_IN=conventions,
            OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="span_and_event" if conventions else "true",
            OTEL_SERVICE_NAME="assistant",
        )
    drained = services.drain_inbox(organization.id)

    assert "Failed to export" not in said
    found = by_signal(organization)
    input_tokens, output_tokens = 2 * 100 + 50 + 16, 2 * 20 + 7
    assert found["spans", ""] == (6, 1, input_tokens, output_tokens)
    # In the older conventions this instrumentation leaves streamed calls out of its metrics.
    streamed = (0, 0) if conventions else (50, 7)
    expected = (0, 0, input_tokens - streamed[0], output_tokens - streamed[1])
    assert found["metrics", "gen_ai.client.token.usage"] == expected
    assert found["metrics", "gen_ai.client.operation.duration"] == (6, 1, 0, 0)
    assert drained.counts["quarantined"] == 0
    stored = everything_stored(organization)
    assert b"assistant" in stored
    for secret in (b"confidential", b"ada@example.org", b"sk-secret"):
        assert secret not in stored


def test_ecologits_reports_by_its_own_metrics(organization: Any, token: str, tmp_path: Path) -> None:
    with live.web(tmp_path) as address, openai_stub.serve() as model_server:
        run(
            ECOLOGITS,
            tmp_path,
            MODEL_SERVER=model_server,
            ENDPOINT=f"{address}/otlp/v1/metrics",
            OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{token}",
        )
    services.drain_inbox(organization.id)

    assert by_signal(organization) == {("metrics", "ecologits_requests"): (3, 0, 300, 60)}
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select distinct team, project, provider, model from ledger_series")
        assert cursor.fetchall() == [("search", "rag", "openai", "gpt-4o-mini")]
    assert b"confidential" not in everything_stored(organization)


class Slow(BaseHTTPRequestHandler):
    """Takes a request and does not answer for longer than exporters wait."""

    def do_POST(self) -> None:  # the name is http.server's
        time.sleep(8)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  # the name is http.server's
        """Say nothing."""


@pytest.mark.parametrize("fault", ["down", "slow", "busy"])
def test_measured_job_ends_normally_whatever_our_server_does(tmp_path: Path, token: str, fault: str) -> None:
    def job(endpoint: str) -> None:
        run(
            SET_UP + OWN_METERS + END,
            tmp_path,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"{endpoint}/otlp",
            OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{token}",
            OTEL_EXPORTER_OTLP_TIMEOUT="2",
        )

    if fault == "down":
        job(f"http://127.0.0.1:{live.free_port()}")
    elif fault == "slow":
        with openai_stub.serve(Slow) as address:
            job(address)
    else:
        # The real server, without its database.
        with live.web(tmp_path, DATABASE_URL=f"postgres://nobody@127.0.0.1:{live.free_port()}/none") as address:
            assert status_of(f"{address}/otlp/v1/traces", token) == (503, "5")
            job(address)


def status_of(address: str, token: str) -> tuple[int, str | None]:
    """Send an empty export; give status and Retry-After."""
    import urllib.error
    import urllib.request

    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(address, json.dumps({}).encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310  # an address of ours
            return answer.status, None
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Retry-After"]
