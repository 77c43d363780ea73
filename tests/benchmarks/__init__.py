"""Benchmarks: each prints ratios to a peer or to a limit of the machine, measured in the same run."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def results_of(name: str) -> list[dict[str, Any]]:
    """Run a benchmark here; a child process finds this function by its module, which ``__main__`` is not."""
    results: list[dict[str, Any]] = import_module(f"{__name__}.{name}").measure()
    return results
