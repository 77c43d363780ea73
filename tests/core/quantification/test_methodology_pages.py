"""The methodology pages are true: their examples run, their cases are those of the tests, every page has its parts."""

from __future__ import annotations

import csv
import doctest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs" / "methodology"
PAGES = sorted(FOLDER.glob("*.md"))
FORMULAS = [page for page in PAGES if page.name not in {"README.md", "methods.md", "published-cases.md"}]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_are_true(page):
    assert doctest.testfile(str(page), module_relative=False, encoding="utf-8").failed == 0


@pytest.mark.parametrize("page", FORMULAS, ids=lambda page: page.name)
def test_page_has_every_part(page):
    text = page.read_text(encoding="utf-8")

    for part in ("**Meaning.**", "**Source.**", "**Worked example.**", "**Limits.**"):
        assert part in text, part


def test_contents_name_every_page():
    contents = (FOLDER / "README.md").read_text(encoding="utf-8")

    assert len(PAGES) > 10
    assert [page.name for page in PAGES if page.name != "README.md" and f"({page.name})" not in contents] == []


def test_published_cases_are_all_listed():
    listed = (FOLDER / "published-cases.md").read_text(encoding="utf-8")
    with (ROOT / "tests/golden/published_cases.csv").open(encoding="utf-8", newline="") as stream:
        cases = [row["case_id"] for row in csv.DictReader(stream)]

    assert cases
    assert [case for case in cases if f"`{case}`" not in listed] == []
