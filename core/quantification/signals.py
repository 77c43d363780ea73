"""Spans and metrics of one service describe the same calls: which of them counts, day by day."""

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
    signal = labels.get(SIGNAL)
    if signal == SPANS:
        return (SAMPLED_SPANS if SHARE in labels else SPANS,)
    if signal != METRICS:
        return ()
    metric = str(labels.get(METRIC, ""))
    if metric == REQUEST_HISTOGRAM:
        return (REQUESTS,)
    return (METRICS, f"{COUNTERS}{labels.get(SCOPE, '')}") if metric.startswith(TOKEN_COUNTERS) else (METRICS,)


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
        if not labels or SIGNAL not in labels:
            continue
        service = str(labels.get(SERVICE, ""))
        for overlap in found.get((source_id, service), ()):
            if overlap.from_day <= day < overlap.to_day:
                wanted = wanted_signal(source_settings.get(source_id, {}), service)
                repeated[position] = _is_repeated(labels, overlap.signals, wanted)
    return repeated


def _is_repeated(labels: Mapping[str, Any], signals: Collection[str], wanted: str | None) -> bool:
    if labels[SIGNAL] != counted_signal(signals, wanted):
        return True
    return labels.get(METRIC) == TOKEN_HISTOGRAM and f"{COUNTERS}{labels.get(SCOPE, '')}" in signals
