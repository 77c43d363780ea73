from datetime import date

import pytest
from django.http import QueryDict

from core.accounting.figures import FilterError
from core.organizations.identity import Actor, Identity
from reporting.query import read_query

TODAY = date(2026, 11, 25)
LEAD = Identity(organization_id=1, actor=Actor("person", "1"), role="sustainability_lead", person_id=1)
MEMBER = Identity(organization_id=1, actor=Actor("person", "2"), role="member", person_id=2, team="search")


def read(text, identity=LEAD, **options):
    return read_query(QueryDict(text), identity=identity, today=TODAY, **options)


def test_the_default_is_the_last_complete_quarter_against_the_one_before():
    query = read("")

    assert (query.filter.from_day, query.filter.to_day) == (date(2026, 7, 1), date(2026, 9, 30))
    assert query.comparison is not None
    assert (query.comparison.from_day, query.comparison.to_day) == (date(2026, 4, 1), date(2026, 6, 30))
    assert query.label == "2026-Q3"
    assert query.errors == ()


def test_repeated_keys_mean_either():
    query = read("team=search&team=nlp&stage=training")

    assert query.filter.dims == {"team": ("search", "nlp"), "stage": ("training",)}


def test_a_year_ago_of_a_leap_day_exists():
    query = read("from=2024-02-29&to=2024-02-29&cmp=year")

    assert query.comparison is not None
    assert query.comparison.from_day == date(2023, 2, 28)


def test_the_latest_days_end_today():
    query = read("period=last-30d")

    assert (query.filter.from_day, query.filter.to_day) == (date(2026, 10, 27), TODAY)


def test_unknown_keys_are_an_error_and_the_rest_is_answered():
    query = read("teem=search&period=2026-Q2")

    assert query.errors == ("There is no filter 'teem'.",)
    assert query.filter.from_day == date(2026, 4, 1)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("period=soon", "period"),
        ("from=2026-02-30&to=2026-03-01", "from"),
        ("from=2026-03-02&to=2026-03-01", "to"),
        ("to=2026-03-01", "from"),
        ("basis=net", "basis"),
        ("grain=minute", "grain"),
        ("by=colour", "by"),
        ("cmp=yesterday", "cmp"),
        ("booking=cooked", "booking"),
        ("period=2026&period=2025", "period"),
        ("person=ada", "person"),
    ],
)
def test_the_api_names_the_parameter_at_fault(text, field):
    with pytest.raises(FilterError) as caught:
        read(text, strict=True)

    assert caught.value.field == field
    assert read(text).errors


def test_a_member_sees_the_own_team_whatever_they_ask_for():
    query = read("team=vision&team=search", identity=MEMBER)

    assert query.filter.dims["team"] == ("search",)
    assert query.allowed == {"team": ("search",)}
    assert query.errors == ("Only the team search is for you to see.",)


def test_a_link_keeps_what_is_not_changed():
    query = read("period=2026-Q3&team=search&basis=market")

    assert query.link(team=None, stage="training") == "?basis=market&period=2026-Q3&stage=training"


def test_nothing_included_can_be_asked_for():
    assert read("include=none").filter.include == ()
