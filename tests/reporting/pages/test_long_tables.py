"""A long table lists its largest rows and what nobody is named for, says what it leaves out, and lists all when asked."""

import csv
import io
import re

import pytest

from tests.deliver import deliver, metered
from tests.people import sign_in

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

NAMED = 53
DE_KG_PER_KWH = 0.329 + 0.0346  # Germany: EEA 2023, and upstream by Ember 2026
PERIOD = {"period": "2026-Q3", "mass": "kg"}


@pytest.fixture
def page(client, organization):
    records = [metered(f"r{n}", float(n), team=f"team-{n}", model=f"model-{n}") for n in range(1, NAMED + 1)]
    deliver(organization, [*records, metered("nobody", 0.5)])
    return sign_in(client, organization)


@pytest.mark.parametrize(("address", "dim"), [("/teams/", "team"), ("/models/", "model")])
def test_the_largest_fifty_and_nobody_are_listed_and_the_others_are_summed(page, address, dim):
    text = page.get(address, PERIOD).content.decode()
    listed = {int(n) for n in re.findall(rf"<bdi>{dim}-(\d+)</bdi>", text)}
    assert listed == set(range(4, NAMED + 1))  # 50: all but those of 1, 2 and 3 kWh
    assert re.search(r"<bdi>(unattributed|no model named)</bdi>", text)
    left_out = re.search(r"51 of 54 are listed; the others make ([\d.]+) (?:<[^>]*>|kg| )", text)
    assert left_out, text[text.find("are listed") - 40 :][:200]
    assert float(left_out[1]) == pytest.approx((1 + 2 + 3) * DE_KG_PER_KWH, rel=0.03)  # as it is rounded
    everything = page.get(address, PERIOD | {"rows": "all"}).content.decode()
    assert {int(n) for n in re.findall(rf"<bdi>{dim}-(\d+)</bdi>", everything)} == set(range(1, NAMED + 1))
    assert "are listed" not in everything
    table = list(csv.DictReader(io.StringIO(page.get(address, PERIOD | {"format": "csv"}).content.decode())))
    assert len(table) == NAMED + 1
    assert all(float(row["total_kg_co2e_low"]) < float(row["total_kg_co2e"]) for row in table)


def test_a_listed_team_has_the_figures_that_it_has_among_all(page):
    some, everything = (
        set(
            re.findall(
                r"<tr><th scope=\"row\".*?</tr>", page.get("/teams/", PERIOD | asked).content.decode(), re.DOTALL
            )
        )
        for asked in ({}, {"rows": "all"})
    )
    assert len(some) == 51 + 1  # and the total
    assert some < everything
