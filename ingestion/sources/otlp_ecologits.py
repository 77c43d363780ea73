"""
EcoLogits' own metrics (0.11.3): a counter of requests, and gauges that show the latest request only.

The gauges are exported again every few seconds for as long as the process lives, so they are never added up: the tokens of an
interval are its requests times the latest gauge. Energy and impacts, which EcoLogits models from the same tokens, are not
taken: this ledger derives its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ingestion.sources.otlp_resource import OWN, text
from ingestion.sources.vocabulary import provider_slug

if TYPE_CHECKING:
    from ingestion.sources.otlp_metric_wire import Metric
    from ingestion.sources.otlp_metrics import Point

SCOPE: Final = "ecologits"
REQUESTS: Final = "ecologits_requests"
INPUT_TOKENS: Final = "ecologits_input_tokens"
OUTPUT_TOKENS: Final = "ecologits_output_tokens"
GAUGES: Final = frozenset({INPUT_TOKENS, OUTPUT_TOKENS})
METRICS: Final = GAUGES | {REQUESTS}

ATTRIBUTION: Final = ("team", "project", "application", "task", "environment")
KEYS: Final = frozenset({"provider", "model", "endpoint", *ATTRIBUTION})
"""Attributes of data points that are read: EcoLogits' own, and labels that name attribution."""

PROVIDERS: Final[Mapping[str, str]] = {"azureopenai": "azure", "azure_openai": "azure"}

Call = tuple[int, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Gauges:
    """Tokens of the latest request of one model, as the export shows them."""

    input_tokens: float | None = None
    output_tokens: float | None = None

    def measures(self, requests: int) -> dict[str, Any]:
        """Take every request of the interval to be like the latest one."""
        output = None if self.output_tokens is None else round(requests * self.output_tokens)
        return {
            "requests": requests,
            "input_tokens": None if self.input_tokens is None else round(requests * self.input_tokens),
            "output_tokens": output,
            "flags": ["gauge_sampled"],
        }


def is_gauge(metric: Metric) -> bool:
    """Tell whether a metric of EcoLogits shows the latest request only."""
    return metric.name in GAUGES


def call_of(point: Point) -> Call:
    """Say which points describe the same calls: same attributes, same export."""
    attributes = sorted((key, str(value)) for key, value in point.data.attributes.items())
    return point.data.time_ns, tuple(attributes)


def gauges_of(points: Iterable[Point]) -> dict[Call, Gauges]:
    """Collect the gauges of one export."""
    values: dict[Call, dict[str, float | None]] = {}
    for point in points:
        if is_gauge(point.metric):
            # Points that were added up differ in a dropped user only: their mean is taken.
            values.setdefault(call_of(point), {})[point.metric.name] = (point.data.value or 0.0) / point.rows
    return {call: Gauges(found.get(INPUT_TOKENS), found.get(OUTPUT_TOKENS)) for call, found in values.items()}


def dimensions_of(point: Point, about: Mapping[str, Any]) -> dict[str, Any]:
    """Give the dimensions of a call, all but its labels; labels of the call go before the resource."""
    attributes = point.data.attributes
    provider = provider_slug(text(attributes, ("provider",)))
    return {
        **{name: about[name] for name in (*ATTRIBUTION, "account")},
        **{name: text(attributes, (name,)) for name in ATTRIBUTION if name in attributes},
        **{key.removeprefix("wattledger."): str(attributes[key])[:200] for key in OWN if key in attributes},
        "evidence": "modelled",
        "hosting": "api",
        "provider": PROVIDERS.get(provider or "", provider),
        "model": text(attributes, ("model",)),
    }
