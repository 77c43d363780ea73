"""Benchmarks: every format that a door takes is measured, and what is measured is read. No time is taken here."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from django.urls import resolve

from ingestion.sources import registry
from tests.benchmarks import __main__ as bench
from tests.benchmarks import import_aws, import_azure_gcp, ingest_otlp, pages, read_exports, read_usage

FILES = [*read_usage.sources(), *read_exports.sources()]
ROWS = 12


def test_every_format_that_a_door_takes_is_measured() -> None:
    """Each with rows and MB a second beside the decoder's own limit, and memory at several sizes."""
    measured = {
        *(adapter.NAME for adapter, *_ in FILES),
        *(adapter.NAME for adapter in read_exports.BODIES),
        *(name for name, *_ in import_azure_gcp.SOURCES),
        import_aws.aws_cur2.NAME,
        ingest_otlp.otlp.NAME,
    }

    assert measured == set(registry.SOURCES)


def test_every_page_that_is_measured_is_there() -> None:
    for address in pages.PAGES.values():
        resolve(address.partition("?")[0])  # raises Resolver404


@pytest.mark.parametrize(
    ("adapter", "name", "make"),
    [(adapter, name, make) for adapter, name, make, _ in FILES],
    ids=[f"{adapter.NAME}-{name}" for adapter, name, _, _ in FILES],
)
def test_files_that_are_measured_are_read_without_rejections(
    adapter: ModuleType, name: str, make: read_usage.Write
) -> None:
    body = make(ROWS)

    read_usage.read(adapter, name, body, ROWS)
    assert len(make(2 * ROWS)) > len(body)


@pytest.mark.parametrize("adapter", read_exports.BODIES, ids=lambda each: each.NAME)
def test_bodies_that_are_measured_are_read_without_rejections(adapter: ModuleType) -> None:
    read_exports.read_bodies(adapter, *read_exports.BODIES[adapter](ROWS))


def test_every_benchmark_is_listed() -> None:
    names = [path.stem for path in Path(bench.__file__).parent.glob("*.py")]

    measuring = {name for name in names if hasattr(import_module(f"tests.benchmarks.{name}"), "measure")}

    assert measuring == set(bench.NAMES)


def test_each_benchmark_runs_in_a_process_of_its_own_and_its_failure_is_told() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_benchmark"):
        bench.measured("no_such_benchmark")
