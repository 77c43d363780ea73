"""The real clients, unmodified, configured as their own documentation says, against a running web server."""

from __future__ import annotations

import contextlib
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from core.organizations.tenancy import organization_scope
from ingestion import services
from ingestion.snippets import snippets
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


LITELLM = """
import asyncio, os
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm

from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger

litellm.cache = litellm.Cache(type="local")

async def ask(text, **more):
    return await litellm.acompletion(
        model="openai/gpt-4o-mini", messages=[{"role": "user", "content": text}], user="lovelace", api_key="sk-none", **more
    )

async def main():
    logger = GenericAPILogger()
    litellm.callbacks = [logger]
    for number in range(4):
        answer = await ask(f"a secret question {number}", mock_response="a secret answer", metadata={"tags": ["team:search"]})
        assert answer.choices[0].message.content == "a secret answer"
    try:
        await ask("another", mock_response="litellm.RateLimitError", num_retries=0)
    except litellm.RateLimitError:
        pass
    for _ in range(100):  # calls are logged in the background
        if len(logger.log_queue) == 5:
            break
        await asyncio.sleep(0.05)
    queued = len(logger.log_queue)
    await logger.async_send_batch()
    assert (queued, len(logger.log_queue)) == (5, 0), "the queue is emptied whatever the answer"

asyncio.run(main())
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


def test_litellm_reports_to_the_ledger(organization: Any, token: str, tmp_path: Path) -> None:
    with live.web(tmp_path) as address:
        said = run(LITELLM, tmp_path, **gateway(address, token))

    services.drain_inbox(organization.id)
    count, requests, failed, input_tokens = sums(organization.id, "requests", "failed_requests", "input_tokens")
    assert (count, requests, failed) == (5, 5, 1), said
    assert input_tokens >= 4 * 3  # words of a question
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select team, count(*) from ledger_series group by 1 order by 2 desc limit 1")
        assert cursor.fetchone()[0] == "search"
        cursor.execute("select body from ingestion_payload")
        stored = b"".join(bytes(row[0]) for row in cursor.fetchall())
    assert b"secret" not in stored
    assert b"lovelace" not in stored


LITELLM_AS_SHOWN = """
import asyncio, os, pathlib
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm, yaml
from litellm.litellm_core_utils.logging_callback_manager import LoggingCallbackManager

async def main():
    if pathlib.Path("config.yaml").exists():  # the proxy reads it in this way
        config = yaml.safe_load(pathlib.Path("config.yaml").read_text())
        litellm.callback_settings = config["callback_settings"]
        made = LoggingCallbackManager.add_custom_callback_generic_api_str
        litellm.callbacks = [made(name) for name in config["litellm_settings"]["callbacks"]]
    else:
        exec(pathlib.Path("snippet.txt").read_text())
    await litellm.acompletion(
        model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "hello"}], mock_response="hello", api_key="sk-none"
    )
    await asyncio.sleep(6.5)  # it sends every five seconds

asyncio.run(main())
"""


@pytest.mark.parametrize(("tab", "filename"), [(0, "config.yaml"), (1, "snippet.txt")])
def test_litellm_reports_with_the_lines_that_the_page_shows(
    organization: Any, token: str, tmp_path: Path, tab: int, filename: str
) -> None:
    with live.web(tmp_path) as address:
        shown = snippets("litellm", address, "acme", "gateway", token)[tab]
        (tmp_path / filename).write_text(shown.code)
        said = run(LITELLM_AS_SHOWN, tmp_path)

    services.drain_inbox(organization.id)
    assert sums(organization.id, "requests") == (1, 1), said


@pytest.mark.parametrize("status", [None, 503])
def test_litellm_goes_on_without_us(token: str, tmp_path: Path, status: int | None) -> None:
    """The loss is ours and shows as missing time: nobody listens, or the door says that it is busy."""
    with contextlib.ExitStack() as stack:
        address = f"http://127.0.0.1:{live.free_port()}" if status is None else stack.enter_context(answering(status))
        run(LITELLM, tmp_path, **gateway(address, token))


def gateway(address: str, token: str) -> dict[str, str]:
    """Configure LiteLLM's callback as its documentation says."""
    return {
        "GENERIC_LOGGER_ENDPOINT": f"{address}/api/v1/sources/litellm",
        "GENERIC_LOGGER_HEADERS": f"Authorization=Bearer {token}",
    }


@contextlib.contextmanager
def answering(status: int) -> Iterator[str]:
    """Run a server that answers every POST alike; give its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Retry-After", "5")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
