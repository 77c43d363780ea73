"""Published results are reproduced within the tolerance that their printed figures allow (law 7)."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.golden.listing import PAGE, START, listing, within
from tests.golden.listing import read_cases as shipped_cases

HERE = Path(__file__).parent
CASES_FILE = Path(os.environ.get("PUBLISHED_CASES") or HERE / "published_cases.csv")

_spec = importlib.util.spec_from_file_location("published", HERE / "published.py")
assert _spec is not None
assert _spec.loader is not None
published = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(published)


def read_cases() -> list[dict[str, str]]:
    with CASES_FILE.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


CASES = read_cases()


def test_there_are_cases():
    assert len(CASES) > 0
    assert len({case["case_id"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case["case_id"] for case in CASES])
def test_published_case_is_reproduced(case):
    inputs = json.loads(case["inputs_json"])
    expected = json.loads(case["expected_json"])
    assert expected, f"{case['case_id']} expects nothing"
    tolerance = float(case["tolerance"].partition(";")[0])

    got = published.evaluate(inputs["method"], inputs)

    assert_matches(got, expected, tolerance, case["case_id"])


@pytest.mark.slow  # every case once more
def test_page_shows_each_case_with_its_tolerance_and_result():
    said, _, table = PAGE.read_text(encoding="utf-8").partition(START)

    assert START + table == listing(shipped_cases()), "renew it with tests.golden.listing"
    assert "|" not in said  # the one table is the one that is compared


def test_unknown_method_fails_with_its_name():
    with pytest.raises(published.UnknownMethod, match="perpetual_motion"):
        published.evaluate("perpetual_motion", {})


@pytest.mark.parametrize(
    ("got", "expected"),
    [(1.02, 1.0), (True, 1.0), ("1", 1), (None, 0.0), ([1.0], [1.0, 2.0]), ({"a": 1.0}, {"a": 1.1}), (1e-5, 0.0)],
)
def test_comparison_sees_differences(got, expected):
    with pytest.raises(AssertionError):
        assert_matches(got, expected, 0.01, "case")


def assert_matches(got: Any, expected: Any, tolerance: float, where: str) -> None:
    """Compare as docs/methodology says: numbers by tolerance, lists by position, objects key by key, the rest exactly."""
    if isinstance(expected, Mapping):
        assert isinstance(got, Mapping), f"{where}: {got!r} is not an object"
        for key, value in expected.items():
            assert key in got, f"{where}.{key} is missing"
            assert_matches(got[key], value, tolerance, f"{where}.{key}")
    elif isinstance(expected, list):
        assert isinstance(got, list), f"{where}: {got!r} is not a list"
        assert len(got) == len(expected), f"{where}: {len(got)} instead of {len(expected)} items"
        for position, (one, other) in enumerate(zip(got, expected, strict=True)):
            assert_matches(one, other, tolerance, f"{where}[{position}]")
    elif isinstance(expected, bool) or expected is None or isinstance(expected, str):
        assert got is expected or (isinstance(expected, str) and got == expected), f"{where}: {got!r}"
    else:
        assert isinstance(got, int | float), f"{where}: {got!r} is not a number"
        assert not isinstance(got, bool), f"{where}: {got!r} is not a number"
        assert within(expected, got, tolerance), f"{where}: got {got}, published {expected}"
