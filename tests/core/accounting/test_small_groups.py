"""Small groups: whatever is asked, an answer holds all of what folded teams did in its days, or nothing of it."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.accounting import services
from core.accounting.figures import Filter
from core.accounting.selectors import emissions
from core.accounting.selectors.conditions import folded_teams_of, teams_of_unknown_size
from core.accounting.small_groups import SMALL_GROUPS, folded_teams, shown_names
from core.organizations.services import create_team
from tests.core.accounting.conftest import metered

FIRST = date(2026, 7, 1)
DAYS = 3
TEAMS = ("vision", "legal", "search", "nlp", None)
PROJECTS = ("robot", "shared", None)
SMALL = {"vision", "legal"}
PER_KWH = 10**12  # the integers in which energy is summed


def facility(number: int, kwh: float, **fields):
    return metered(number, kwh, energy_boundary="facility", **fields)


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.none() | st.integers(0, 30), max_size=8), st.integers(1, 12))
def test_what_is_folded_stands_in_a_crowd(head_counts: dict[str, int | None], minimum: int) -> None:
    folded = folded_teams(head_counts, minimum)

    entered = {name: count for name, count in head_counts.items() if count is not None}
    too_few = len(entered) == len(head_counts) and sum(entered.values()) < minimum
    small = {name for name, count in entered.items() if count < minimum}
    assert folded <= set(entered)
    assert folded == frozenset() if too_few else small <= folded
    if folded:
        crowd = len(folded) > 1 and sum(entered[name] for name in folded) >= minimum
        assert crowd or folded == set(entered), "only where everybody is in it may it be smaller"
        others = [count for name, count in entered.items() if name not in folded]
        assert all(count >= max(entered[name] for name in folded) for count in others)


@pytest.fixture
def powers_of_two(committed_db, organization, factor_set, write):
    """One record for each team, project and day, with an energy of its own power of two: a sum tells what is in it."""
    for name, head_count in (("vision", 2), ("legal", 3), ("search", 9), ("nlp", 12)):
        create_team(organization_id=organization.id, name=name, head_count=head_count)
    bits = {}
    records = []
    for number, (day, team, project) in enumerate(product(range(DAYS), TEAMS, PROJECTS)):
        bits[day, team, project] = 2**number
        records.append(
            facility(number, 2**number / PER_KWH, day=str(FIRST + timedelta(days=day)), team=team, project=project)
        )
    write(*records)
    services.derive_dirty_days(organization.id)
    return bits


def answers(organization, asked: Filter) -> list[int]:
    """Give the energy of every row of an answer. [kWh]"""
    return [round(kwh * PER_KWH) for kwh in emissions(organization.id, asked, bounds=False).rows["energy_facility_kwh"]]


@pytest.mark.slow
def test_no_grouping_filter_or_period_parts_the_small_teams(organization, powers_of_two):
    assert folded_teams_of(organization.id) == SMALL
    chance = Random(8)
    values = {
        "team": (*filter(None, TEAMS), SMALL_GROUPS, "unattributed"),
        "project": ("robot", "shared", SMALL_GROUPS, "unattributed"),
    }
    seen_whole = 0

    for _ in range(150):
        first, last = sorted((chance.randrange(DAYS), chance.randrange(DAYS)))
        asked = Filter(
            FIRST + timedelta(days=first),
            FIRST + timedelta(days=last),
            by=chance.choice([(), ("team",), ("project",), ("team", "project"), ("model", "team")]),
            dims={
                name: tuple(chance.sample(options, chance.randint(1, 3)))
                for name, options in values.items()
                if chance.random() < 0.6
            },
            grain=chance.choice(["total", "day"]),
        )
        days = (
            [range(first, last + 1)]
            if asked.grain == "total"
            else [range(day, day + 1) for day in range(first, last + 1)]
        )
        for found in answers(organization, asked):
            small = [bit for (_day, team, _project), bit in powers_of_two.items() if team in SMALL and found & bit]
            wholes = [
                [bit for (day, team, _), bit in powers_of_two.items() if team in SMALL and day in span] for span in days
            ]
            assert small == [] or small in wholes, asked
            seen_whole += small in wholes
    assert seen_whole > 50


def test_the_names_of_small_teams_and_their_projects_are_not_shown() -> None:
    row = {"team": "vision", "project": None, "model": "m"}

    assert shown_names(row, frozenset(SMALL)) == {"team": SMALL_GROUPS, "project": None, "model": "m"}
    assert shown_names(row | {"team": "nlp"}, frozenset(SMALL))["team"] == "nlp"


def test_teams_of_records_without_a_head_count_are_named(organization, powers_of_two, write):
    create_team(organization_id=organization.id, name="new")
    write(facility(999, 1.0, team="guests"), facility(998, 1.0, team="new"))
    services.derive_dirty_days(organization.id)

    assert teams_of_unknown_size(organization.id) == ["guests", "new"]
