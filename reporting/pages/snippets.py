"""Copy-paste lines that point each kind of sender at this installation."""

from __future__ import annotations

from django.utils.translation import gettext as _


def snippets(base_url: str, token: str = "wl_…") -> list[dict[str, str]]:  # noqa: S107  # a placeholder
    """Give the tab, title and text for each door; the token is a placeholder unless it has just been issued."""
    return [
        {
            "tab": _("CodeCarbon"),
            "title": _("CodeCarbon: .codecarbon.config"),
            "code": f"[codecarbon]\napi_endpoint = {base_url}/codecarbon\napi_key = {token}\noutput_methods = csv,api",
        },
        {
            "tab": _("OpenTelemetry"),
            "title": _("OpenTelemetry (GenAI spans): environment"),
            "code": f"OTEL_EXPORTER_OTLP_ENDPOINT={base_url}/otlp\nOTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
            f"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20{token}",
        },
        {
            "tab": _("curl"),
            "title": _("Anything else: one record with curl"),
            "code": f"curl {base_url}/api/v1/activity -H 'Authorization: Bearer {token}' "
            "-H 'Content-Type: application/json' -d '["
            '{"record_id": "first", "started_at": "2026-11-25T09:00:00Z", "ended_at": "2026-11-25T10:00:00Z",\n'
            '  "stage": "inference", "hosting": "owned", "zone": "DE", "evidence": "measured",\n'
            '  "energy_kwh": 1.5, "energy_boundary": "it"}]\'',
        },
        {
            "tab": _("Files"),
            "title": _("Bills (FOCUS), OpenAI usage exports, emissions.csv: on the command line"),
            "code": "python manage.py import_usage focus bill-2026-10.csv --organization SLUG --wait",
        },
    ]
