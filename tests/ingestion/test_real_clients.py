"""The real clients, unmodified, configured as their own documentation says, against a running web server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from core.organizations.tenancy import organization_scope
from ingestion import services
from tests.ingestion import live

pytestmark = [pytest.mark.usefixtures("committed_db", "servers"), pytest.mark.slow]

CODECARBON = """
import time
from codecarbon import EmissionsTracker

tracker = EmissionsTracker()
tracker.start()
time.sleep(7)
tracker.stop()
"""

OPENTELEMETRY = """
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("assistant")
for number in range(20):
    with tracer.start_as_current_span("chat", kind=trace.SpanKind.CLIENT) as span:
        span.set_attribute("gen_ai.operation.name", "chat")
        span.set_attribute("gen_ai.provider.name", "openai")
        span.set_attribute("gen_ai.request.model", "gpt-4o")
        span.set_attribute("gen_ai.usage.input_tokens", 100)
        span.set_attribute("gen_ai.usage.output_tokens", 10 + number)
assert provider.force_flush(10_000)
provider.shutdown()
"""


def run(script: str, folder: Path, **environment: str) -> str:
    """Run a client's script; it reaches nothing but this machine."""
    closed = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    home = {"HOME": str(folder), "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **closed, **home, **environment},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def sums(organization_id: int, *columns: str) -> tuple[Any, ...]:
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(f"select count(*), {', '.join(f'sum({name})' for name in columns)} from ledger_record")
        return tuple(cursor.fetchone())


def test_codecarbon_reports_to_the_ledger(organization: Any, token: str, tmp_path: Path) -> None:
    with live.web(tmp_path) as address:
        (tmp_path / ".codecarbon.config").write_text(
            f"[codecarbon]\napi_endpoint = {address}/codecarbon\napi_key = {token}\n"
            "experiment_id = 5b0fa12a-3dd7-45bb-9766-cc326314d9f1\noutput_methods = api\nmeasure_power_secs = 1.5\n"
            "api_call_interval = 2\ntracking_mode = process\nforce_mode_cpu_load = True\nlog_level = warning\n"
            "allow_multiple_runs = True\n"
        )
        said = run(CODECARBON, tmp_path)

    services.drain_inbox(organization.id)
    count, energy_kwh = sums(organization.id, "energy_kwh")
    assert count >= 2, said
    assert 0 < energy_kwh < 0.01


def test_opentelemetry_exports_to_the_ledger(organization: Any, token: str, tmp_path: Path) -> None:
    with live.web(tmp_path) as address:
        run(
            OPENTELEMETRY,
            tmp_path,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"{address}/otlp",
            OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{token}",
            OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
            OTEL_SERVICE_NAME="assistant",
        )

    services.drain_inbox(organization.id)
    assert sums(organization.id, "requests", "input_tokens", "output_tokens") == (20, 20, 2000, 200 + sum(range(20)))
