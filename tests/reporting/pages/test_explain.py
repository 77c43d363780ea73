"""Why this number: the days of each plan, as a site's readings give one use a plan a month; and what is not known of a use."""

from __future__ import annotations

import pytest

from core.accounting.columns import IMPACTS
from core.quantification import notes
from reporting.pages.explain import WITHOUT, WITHOUT_ANY, days_of, missing_node


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-07-01", "2026-07-31", "July 2026"),
        ("2026-07-01", "2026-09-30", "Q3 2026"),
        ("2026-07-03", "2026-07-03", "3 Jul 2026"),
        ("2026-07-03", "2026-08-02", "3 Jul – 2 Aug 2026"),
        (None, None, "2026"),
    ],
)
def test_days_are_named_as_people_do(first, last, said):
    assert days_of({"first_day": first, "last_day": last, "year": 2026}) == said


PARTS = ["location_kg_co2e", "upstream_kg_co2e", "embodied_kg_co2e"]


def missing(impacts, *codes):
    return {
        "impacts": impacts,
        "subjects": {"team": ["Marketing"], "stage": ["inference"]},
        "records": 92,
        "notes": [{"code": code, "text": notes.TEXTS[code]} for code in codes],
    }


def test_a_use_that_lacks_one_part_says_which_and_only_why_that_one():
    node = missing_node(missing(["embodied_kg_co2e"], "no_output_tokens", "no_wue", "no_hardware"), PARTS)

    assert (node["parts"], node["about"]) == ("embodied", "Marketing · Inference")
    assert [note["code"] for note in node["reasons"]] == ["no_hardware"]


def test_a_use_without_any_figure_says_so():
    node = missing_node(missing(PARTS, "no_spend_factor", "no_zone"), PARTS)

    assert node["parts"] == "all parts"
    assert [note["code"] for note in node["reasons"]] == ["no_spend_factor"]


def test_the_reasons_are_notes_and_impacts_that_there_are():
    assert set(WITHOUT) <= {impact.name for impact in IMPACTS}
    assert WITHOUT_ANY.union(*WITHOUT.values()) <= set(notes.TEXTS)
