"""
Spans and metrics of one service describe the same calls, a host's energy holds that of its parts: which of them counts, day
by day.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.quantification.sampling import SHARE

SIGNAL: Final = "signal"
"""Label of a series: made of `SPANS` or of `METRICS`. A series without it describes what no other signal does."""
SERVICE: Final = "service.name"
METRIC: Final = "metric"
SCOPE: Final = "scope"

SPANS: Final = "spans"
SAMPLED_SPANS: Final = "sampled spans"
METRICS: Final = "metrics"
REQUESTS: Final = "requests"
"""Metrics that count requests only."""
COUNTERS: Final = "counters of "
"""Followed by a scope: it sends the token counters that took the place of the histogram of token usage."""

TOKEN_HISTOGRAM: Final = "gen_ai.client.token.usage"  # noqa: S105  # the name of a metric
REQUEST_HISTOGRAM: Final = "gen_ai.client.operation.duration"
TOKEN_COUNTERS: Final = "gen_ai.client.inference.usage."  # noqa: S105  # how the names of metrics begin

HOST: Final = "host.name"
PART_TYPE: Final = "hw.type"
HOST_ENERGY: Final = "hw.host.energy"
PART_ENERGY: Final = "hw.energy"
GPU: Final = "gpu"
ENERGY_OF: Final = "energy of "
"""Followed by `host`, `gpu` or `others`: whose energy is metered. Others are processors and memory."""

COUNT: Final = "count"
"""Setting of a source: `spans` or `metrics`, or these by service name."""


@dataclass(frozen=True)
class SignalDays:
    """Days, half-open and counted from 1970, on which a service of a source sent all of these signals."""

    source_id: int
    service: str
    from_day: int
    to_day: int
    signals: frozenset[str]


def signals_of(labels: Mapping[str, Any]) -> tuple[str, ...]:
    """
    Say which signals a series of these labels shows that its service sends.

    >>> signals_of({"signal": "spans", "sample_share": 0.1}), signals_of({"team": "search"})
    (('sampled spans',), ())
    """
    signal, metered = labels.get(SIGNAL), labels.get(METRIC)
    if metered == HOST_ENERGY:
        return (f"{ENERGY_OF}host",)
    if metered == PART_ENERGY:
        return (f"{ENERGY_OF}{GPU}" if labels.get(PART_TYPE) == GPU else f"{ENERGY_OF}others",)
    if signal == SPANS:
        return (SAMPLED_SPANS if SHARE in labels else SPANS,)
    if signal != METRICS:
        return ()
    metric = str(labels.get(METRIC, ""))
    if metric == REQUEST_HISTOGRAM:
        return (REQUESTS,)
    return (METRICS, f"{COUNTERS}{labels.get(SCOPE, '')}") if metric.startswith(TOKEN_COUNTERS) else (METRICS,)


def teller_of(labels: Mapping[str, Any]) -> str:
    """
    Name who sends the signals of a series: a service, or a host, whose meters may belong to several services.

    >>> teller_of({"service.name": "rag"}), teller_of({"metric": "hw.energy", "host.name": "gpu-7"})
    ('rag', 'host gpu-7')
    """
    if labels.get(METRIC) in (HOST_ENERGY, PART_ENERGY):
        return f"host {labels.get(HOST, '')}"
    return str(labels.get(SERVICE, ""))


def counted_signal(signals: Collection[str], wanted: str | None) -> str:
    """
    Choose between spans and metrics of one service.

    Args:
        signals: that it sends.
        wanted: as the source's setting says; None: spans, but metrics where spans are only a sample.

    A signal that is not sent, or metrics without tokens, cannot count for the other.

    >>> counted_signal({"spans", "metrics"}, None), counted_signal({"sampled spans", "metrics"}, None)
    ('spans', 'metrics')
    >>> counted_signal({"metrics"}, "spans"), counted_signal({"spans", "requests"}, "metrics")
    ('metrics', 'spans')
    """
    if METRICS not in signals:
        return SPANS if {SPANS, SAMPLED_SPANS} & set(signals) else METRICS
    if not {SPANS, SAMPLED_SPANS} & set(signals):
        return METRICS
    return wanted or (METRICS if SAMPLED_SPANS in signals else SPANS)


def wanted_signal(settings: Mapping[str, Any], service: str) -> str | None:
    """Read the setting `count` of a source for one of its services; None where it says nothing that is known."""
    setting = settings.get(COUNT)
    wanted = setting.get(service) if isinstance(setting, Mapping) else setting
    return wanted if wanted in (SPANS, METRICS) else None


def repeated_by_signal(
    subjects: pd.DataFrame, overlaps: Sequence[SignalDays], source_settings: Mapping[int, Mapping[str, Any]]
) -> npt.NDArray[np.bool_]:
    """
    Find the subjects that say again what another signal of their service says: they are cross-checks.

    Args:
        subjects: ``source_id``, ``labels`` (dicts) and ``day`` (days since 1970), on which nothing of the overlaps changes
            until the next subject of the same series.
        overlaps: where several signals describe the same calls.
        source_settings: source id to its settings.

    Returns:
        A mask. [n]
    """
    repeated = np.zeros(len(subjects), dtype=bool)
    if not overlaps:
        return repeated
    found: dict[tuple[int, str], list[SignalDays]] = {}
    for overlap in overlaps:
        found.setdefault((overlap.source_id, overlap.service), []).append(overlap)
    rows = zip(subjects["source_id"], subjects["labels"], subjects["day"], strict=True)
    for position, (source_id, labels, day) in enumerate(rows):
        if not labels or (SIGNAL not in labels and labels.get(METRIC) != PART_ENERGY):
            continue
        service = teller_of(labels)
        for overlap in found.get((source_id, service), ()):
            if overlap.from_day <= day < overlap.to_day:
                wanted = wanted_signal(source_settings.get(source_id, {}), service)
                repeated[position] = _is_repeated(labels, overlap.signals, wanted)
    return repeated


def _is_repeated(labels: Mapping[str, Any], signals: Collection[str], wanted: str | None) -> bool:
    if labels.get(METRIC) == PART_ENERGY:
        # the factor that makes a host's energy of its devices' stands for processors and memory
        is_gpu = labels.get(PART_TYPE) == GPU
        return f"{ENERGY_OF}host" in signals or (not is_gpu and f"{ENERGY_OF}{GPU}" in signals)
    if labels[SIGNAL] != counted_signal(signals, wanted):
        return True
    return labels.get(METRIC) == TOKEN_HISTOGRAM and f"{COUNTERS}{labels.get(SCOPE, '')}" in signals
