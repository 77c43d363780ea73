"""
Prometheus remote write: requests of one sender, read together.

Counters need their last value, so requests are not read one by one: `read` takes all of them. Of the exporters, those of
NVIDIA's devices (`dcgm`) become records; samples of other series are counted as outside.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from core.quantification import records
from ingestion.sources import dcgm, prometheus_wire
from ingestion.sources.base import Context, Parsed, finish

NAME: Final = "prometheus"

DROPPED: Final = "Samples of series that are not read, and all labels but those of the device, its pod and namespace."
"""What never reaches the ledger, in words for the privacy page."""


def read(requests: Iterable[tuple[bytes, str]], context: Context) -> Parsed:
    """
    Read requests in the order of their arrival.

    Args:
        requests: body, packed by snappy, and Content-Type of each.
        context: see `dcgm.read` for the settings.

    Raises RefusedError for a request that cannot be taken.
    """
    samples = [sample for body, content_type in requests for sample in prometheus_wire.samples(body, content_type)]
    return of_samples(samples, context)


def of_samples(samples: list[prometheus_wire.Sample], context: Context, log: tuple[str, ...] = ()) -> Parsed:
    """Make records of samples; those that are not used, or only start a count, are outside."""
    found = dcgm.read(samples, context)
    return finish(
        records.to_activity(found.records),
        context,
        received=len(samples),
        rejected=found.rejected,
        outside=len(samples) - found.used,
        log=log,
        fallback={"stage": "inference"},
    )
