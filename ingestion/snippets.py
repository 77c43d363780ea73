"""Lines to copy that point a sender at one source, and the calls that the page itself makes to send a test record."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.utils.translation import gettext as _

from ingestion import fetching
from ingestion.fetching import Snippet

TOKEN = "wl_…"  # noqa: S105  # a placeholder


@dataclass(frozen=True)
class Call:
    """
    One request of a test: where and what. The page adds the token.

    Args:
        path: below the base address; `{token}` and what earlier calls gave are filled in, in the body as well.
        body: JSON.
        takes: field of the answer that later calls need.
    """

    path: str
    body: Any
    takes: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def snippets(kind: str, base_url: str, organization: str, name: str, token: str = TOKEN) -> list[Snippet]:
    """
    Give the ways to send to a source of a kind, the usual one first.

    Args:
        kind: of the source.
        base_url: of this installation.
        organization: slug, for the command line.
        name: of the source.
        token: its secret, or a placeholder.
    """
    made = _MADE[kind](base_url, token) if kind in _MADE else []
    if kind in _PUSHED:
        return made
    fetched = fetching.fetched(kind, base_url, token)
    return [*made, *fetched, *_files(kind, base_url, organization, name, token)]


def _codecarbon(base_url: str, token: str) -> list[Snippet]:
    return [
        Snippet(
            _("Python"),
            _("In the script that is measured"),
            "from codecarbon import EmissionsTracker, OutputMethod\n\n"
            "with EmissionsTracker(\n"
            f'    api_endpoint="{base_url}/codecarbon",\n'
            f'    api_key="{token}",\n'
            "    output_methods=[OutputMethod.CSV, OutputMethod.API],\n"
            "):\n"
            "    train()",
        ),
        Snippet(
            _("Configuration file"),
            ".codecarbon.config",
            f"[codecarbon]\napi_endpoint = {base_url}/codecarbon\napi_key = {token}\noutput_methods = csv,api",
        ),
        Snippet(
            _("Environment variables"),
            _("Before the script is started"),
            f"export CODECARBON_API_ENDPOINT={base_url}/codecarbon\nexport CODECARBON_API_KEY={token}\n"
            "export CODECARBON_OUTPUT_METHODS=csv,api",
        ),
        Snippet(
            "curl",
            _("What a tracker sends: a run, then what it used"),
            f"run=$(curl -s {base_url}/codecarbon/runs -H 'x-api-token: {token}' -H 'Content-Type: application/json' \\\n"
            f"  -d '{json.dumps(_run())}' | python3 -c 'import json, sys; print(json.load(sys.stdin)[\"id\"])')\n"
            f"curl {base_url}/codecarbon/emissions -H 'x-api-token: {token}' -H 'Content-Type: application/json' \\\n"
            "  -d '" + json.dumps(_emission("RUN")).replace('"RUN"', "\"'$run'\"") + "'",
        ),
    ]


def _output(base_url: str, token: str) -> list[Snippet]:
    address = f"{base_url}/codecarbon/http-output/{token}"
    return [
        Snippet(
            _("Python"),
            _("In the script that is measured"),
            "from codecarbon import EmissionsTracker\n\n"
            f'with EmissionsTracker(emissions_endpoint="{address}"):\n'
            "    train()",
        ),
        Snippet(
            _("Environment variables"),
            _("Before the script is started"),
            f"export CODECARBON_EMISSIONS_ENDPOINT={address}",
        ),
    ]


def _otlp(base_url: str, token: str) -> list[Snippet]:
    return [
        Snippet(
            _("Python"),
            _("Where the OpenTelemetry SDK is set up"),
            "from opentelemetry import trace\n"
            "from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter\n"
            "from opentelemetry.sdk.trace import TracerProvider\n"
            "from opentelemetry.sdk.trace.export import BatchSpanProcessor\n\n"
            "provider = TracerProvider()\n"
            "provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(\n"
            f'    endpoint="{base_url}/otlp/v1/traces",\n'
            f'    headers={{"Authorization": "Bearer {token}"}},\n'
            ")))\n"
            "trace.set_tracer_provider(provider)",
        ),
        Snippet(
            _("Environment variables"),
            _("For any SDK of OpenTelemetry"),
            f"export OTEL_EXPORTER_OTLP_ENDPOINT={base_url}/otlp\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
            f"export OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20{token}",
        ),
        Snippet(
            _("Collector YAML"),
            _("An exporter of the OpenTelemetry Collector"),
            "exporters:\n"
            "  otlphttp/wattledger:\n"
            f"    endpoint: {base_url}/otlp\n"
            "    compression: gzip\n"
            "    headers:\n"
            f"      Authorization: Bearer {token}\n"
            "service:\n"
            "  pipelines:\n"
            "    traces:\n"
            "      exporters: [otlphttp/wattledger]",
        ),
        Snippet("curl", _("One span"), _curl(f"{base_url}/otlp/v1/traces", token, _spans())),
    ]


def _activity(base_url: str, token: str) -> list[Snippet]:
    return [
        Snippet(
            _("Python"),
            _("With the standard library"),
            "import json, urllib.request\n\n"
            f"records = [{json.dumps(_record(), indent=4)}]\n"
            "request = urllib.request.Request(\n"
            f'    "{base_url}/api/v1/activity",\n'
            "    data=json.dumps(records).encode(),\n"
            f'    headers={{"Authorization": "Bearer {token}", "Content-Type": "application/json"}},\n'
            ")\n"
            "print(urllib.request.urlopen(request).read().decode())",
        ),
        Snippet("curl", _("One record"), _curl(f"{base_url}/api/v1/activity", token, [_record()])),
    ]


def _litellm(base_url: str, token: str) -> list[Snippet]:
    address = f"{base_url}/api/v1/sources/litellm"
    return [
        Snippet(
            _("Configuration file"),
            _("In the proxy's config.yaml"),
            'litellm_settings:\n  callbacks: ["wattledger"]\n'
            "callback_settings:\n  wattledger:\n    callback_type: generic_api\n"
            f"    endpoint: {address}\n"
            f'    headers: {{Authorization: "Bearer {token}"}}\n'
            "    max_retries: 3",
        ),
        Snippet(
            _("Python"),
            _("In a program of your own, inside its running event loop"),
            "import litellm\n"
            "from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger\n\n"
            "litellm.callbacks = [GenericAPILogger(\n"
            f'    endpoint="{address}",\n'
            f'    headers={{"Authorization": "Bearer {token}"}},\n'
            "    max_retries=3,\n"
            ")]",
        ),
    ]


_MADE = {
    "codecarbon": _codecarbon,
    "codecarbon_http_output": _output,
    "otlp": _otlp,
    "activity": _activity,
    "litellm": _litellm,
}


_ENDINGS = {
    "anthropic_usage": "json",
    "azure_carbon": "json",
    "gcp_billing": "jsonl",
    "gcp_carbon": "jsonl",
    "langfuse": "json",
    "openai_usage": "json",
    "openrouter": "json",
}
"""What exports of a format end with, where that is not csv."""

_PUSHED = frozenset({"codecarbon", "codecarbon_http_output", "otlp", "activity"})
"""Formats that have no file form; LiteLLM has both."""


def _files(kind: str, base_url: str, organization: str, name: str, token: str) -> list[Snippet]:
    named = "" if name == kind else f" --name '{name}'"
    ending = _ENDINGS.get(kind, "csv")
    return [
        Snippet(
            _("Command line"),
            _("On this machine; a path, a pattern or a bucket"),
            f"python manage.py import_usage {kind} 'exports/*.{ending}' --organization {organization}{named} --wait",
        ),
        Snippet(
            "curl",
            _("From anywhere, for a scheduled job"),
            f"curl {base_url}/api/v1/imports -H 'Authorization: Bearer {token}' \\\n"
            f"  -F source={kind} -F file=@export.{ending}",
        ),
    ]


def _curl(address: str, token: str, body: Any) -> str:
    return (
        f"curl {address} -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \\\n"
        f"  -d '{json.dumps(body, indent=2)}'"
    )


# --- the test record --------------------------------------------------------------------------------------------------


def test_calls(kind: str) -> list[Call]:
    """Give the calls that send one small record to a source; [] for formats that come as files."""
    match kind:
        case "activity":
            return [Call("/api/v1/activity", [_record()])]
        case "otlp":
            return [Call("/otlp/v1/traces", _spans())]
        case "codecarbon":
            return [Call("/codecarbon/runs", _run(), takes="id"), Call("/codecarbon/emissions", _emission("{id}"))]
    return []


def _record() -> dict[str, Any]:
    ended = datetime.now(UTC).replace(microsecond=0)
    return {
        "record_id": f"test-{uuid4()}",
        "started_at": _stamp(ended - timedelta(minutes=5)),
        "ended_at": _stamp(ended),
        "stage": "inference",
        "hosting": "owned",
        "zone": "DE",
        "evidence": "measured",
        "energy_kwh": 0.001,
        "energy_boundary": "it",
    }


def _spans() -> dict[str, Any]:
    now = time.time_ns()
    used = {"gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 34}
    named = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-4o"}
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in named.items()]
    attributes += [{"key": key, "value": {"intValue": str(value)}} for key, value in used.items()]
    span = {
        "traceId": uuid4().hex,
        "spanId": uuid4().hex[:16],
        "name": "chat gpt-4o",
        "kind": 3,
        "startTimeUnixNano": str(now - 2_000_000_000),
        "endTimeUnixNano": str(now),
        "attributes": attributes,
    }
    service = [{"key": "service.name", "value": {"stringValue": "test"}}]
    return {"resourceSpans": [{"resource": {"attributes": service}, "scopeSpans": [{"spans": [span]}]}]}


def _run() -> dict[str, Any]:
    return {
        "timestamp": datetime.now(UTC).isoformat(),
        "experiment_id": "5b0fa12a-3dd7-45bb-9766-cc326314d9f1",
        "os": "Linux",
        "codecarbon_version": "3.3.2",
        "tracking_mode": "machine",
    }


def _emission(run_id: str) -> dict[str, Any]:
    return {
        "timestamp": datetime.now(UTC).isoformat(),
        "run_id": run_id,
        "duration": 60,
        "emissions_sum": 0.00038,
        "emissions_rate": 0.0000063,
        "cpu_energy": 0.0006,
        "gpu_energy": 0.0,
        "ram_energy": 0.0004,
        "energy_consumed": 0.001,
    }


def _stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
