"""
Tokens of spans beside what is not sampled: the metrics of their service, the metrics of their unit, and the bill.

A collector that keeps a share of traces and does not say so leaves totals too low. Nothing in a span gives that away, but
other evidence of the same calls does: tokens that differ by over 5 % are a sample, a wrong share, or only some of the calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

from core.quantification.signals import METRICS, SIGNAL, SPANS

TOLERANCE: Final = 0.05
"""Share by which spans may miss the tokens of other evidence before they are flagged."""

TOKENS: Final = ("output_tokens", "input_tokens")
"""Compared is the first of which the other evidence has some."""


@dataclass(frozen=True)
class SignalDifference:
    """
    A service whose spans and metrics do not agree.

    Args:
        measure: of ``TOKENS``.
        spans, metrics: tokens on the days on which it sent both, sampled records scaled up. [tokens]
    """

    source: str
    service: str
    measure: str
    spans: float
    metrics: float

    @property
    def share(self) -> float:
        """Return (spans - metrics) / metrics."""
        return (self.spans - self.metrics) / self.metrics

    def as_dict(self) -> dict[str, object]:
        """Return plain values that JSON takes."""
        return {
            "source": self.source,
            "service": self.service,
            "measure": self.measure,
            "spans": self.spans,
            "metrics": self.metrics,
            "difference": self.share,
        }


def differences_of_services(tokens: pd.DataFrame) -> list[SignalDifference]:
    """
    Find the services whose spans differ from their own metrics by over 5 %.

    Args:
        tokens: ``source``, ``service``, ``signal``, ``both`` (whether the service sent both signals that day) and ``TOKENS``.

    Whole services are compared, not their models: spans name the model that answered, metrics often the one asked for.
    """
    found = []
    together = tokens[tokens["both"].astype(bool)]
    for (source, service), own in together.groupby(["source", "service"], sort=True):
        spans, metrics = own[own[SIGNAL] == SPANS], own[own[SIGNAL] == METRICS]
        measure = _measure(metrics)
        if measure is not None:
            difference = SignalDifference(
                str(source), str(service), measure, float(spans[measure].sum()), float(metrics[measure].sum())
            )
            if abs(difference.share) > TOLERANCE:
                found.append(difference)
    return found


def differences_in_unit(tokens: pd.DataFrame, bill: pd.DataFrame) -> dict[str, float]:
    """
    Find the sources of spans that differ by over 5 % from their own metrics, from metrics of another source, or from the bill.

    Args:
        tokens: of one unit, as `differences_of_services` takes them, with ``model_key``.
        bill: ``model_key`` and ``TOKENS``.

    Returns:
        Source to (spans - other) / other, of the other that it differs from most. Other sources and the bill are compared in
        the models that both name.
    """
    found: dict[str, float] = {}
    spans = tokens[tokens[SIGNAL] == SPANS]
    for source, own in spans.groupby("source", sort=True):
        others = tokens[(tokens[SIGNAL] == METRICS) & (tokens["source"] != source)]
        shares = [_share(own, other) for other in (others, bill)]
        services = differences_of_services(tokens[tokens["source"] == source])
        known = [share for share in shares if share is not None] + [each.share for each in services]
        widest = max(known, key=abs, default=0.0)
        if abs(widest) > TOLERANCE:
            found[str(source)] = widest
    return found


def _measure(other: pd.DataFrame) -> str | None:
    return next((name for name in TOKENS if other[name].sum() > 0), None)


def _share(spans: pd.DataFrame, other: pd.DataFrame) -> float | None:
    """Compare in the models that both name; None where no tokens of the same model are on both sides."""
    for name in TOKENS:
        both = set(spans.loc[spans[name] > 0, "model_key"].dropna()) & set(
            other.loc[other[name] > 0, "model_key"].dropna()
        )
        if both:
            own, whole = (float(each.loc[each["model_key"].isin(both), name].sum()) for each in (spans, other))
            return (own - whole) / whole
    return None
