"""The filter bar on every page of figures, and the values that its menus show when they are opened."""

import re

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.organizations.models import Team
from core.organizations.tenancy import organization_scope
from tests.deliver import deliver, metered
from tests.people import sign_in

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

PERIOD = {"period": "2026-Q3", "include": "none"}
PAGES = ["/", "/teams/", "/models/", "/requests/", "/intensity/", "/bookings/"]


@pytest.fixture
def lead(client, organization):
    return sign_in(client, organization, "sustainability_lead")


@pytest.fixture
def activity(organization):
    """Electricity of July in Germany, at 329.0 g/kWh (EEA, 2023): 1,000, 500 and 100 kWh."""
    return deliver(
        organization,
        [
            metered("a", 1000.0, team="search", model="atlas", techniques=["cached", "pruned"], tier="batch"),
            metered("b", 500.0, team="vision", model="atlas", stage="training", techniques=["cached"], site="fra-1"),
            metered("c", 100.0, model="<script>alert(1)</script>"),
        ],
    )


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())).replace("\u202f", " ")


def options(response):
    """Read the listed values: value -> (records, kg, whether it is ticked)."""
    found = re.findall(
        r'type="checkbox"\s+name="\w+"\s+value="([^"]*)"( checked)?.*?class="figure".*?>(\S+) <span.*?</span> ([^<]+)</span>',
        response.content.decode(),
        re.S,
    )
    return {value: (int(records), kg.replace("\u202f", " "), bool(on)) for value, on, records, kg in found}


@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_figures_has_the_bar(lead, activity, page):
    response = lead.get(page, PERIOD)

    assert response.status_code == 200
    html = response.content.decode()
    assert html.count('<div class="filters no-print"') == 1
    assert 'rel="prev"' in html
    assert "Q3 2026" in text_of(response)


def test_values_come_with_records_and_emissions_the_largest_first(lead, activity):
    found = options(lead.get("/filters/", PERIOD | {"on": "team", "at": "/teams/"}))

    assert list(found.items()) == [
        ("search", (1, "329 kg", False)),
        ("vision", (1, "165 kg", False)),  # 164.5, in the column's whole kilograms
        ("unattributed", (1, "33 kg", False)),
    ]


def test_values_are_those_under_the_other_filters(lead, activity):
    found = options(lead.get("/filters/", PERIOD | {"on": "model", "team": "vision", "model": "gone"}))

    assert found == {"gone": (0, "-", True), "atlas": (1, "165 kg", False)}


def test_a_record_with_two_techniques_is_listed_with_each(lead, activity):
    found = options(lead.get("/filters/", PERIOD | {"on": "technique"}))

    assert {name: records for name, (records, _kg, _on) in found.items()} == {"cached": 2, "pruned": 1}


def test_a_search_leaves_what_holds_the_text_and_what_is_ticked(lead, activity):
    found = options(lead.get("/filters/", PERIOD | {"on": "team", "find": "SEA", "team": "vision"}))

    assert set(found) == {"search", "vision"}
    assert found["vision"][2]


def test_nobody_can_be_chosen_of_any_dimension(lead, activity):
    options_of_tier = options(lead.get("/filters/", PERIOD | {"on": "tier"}))
    page = lead.get("/teams/", PERIOD | {"tier": "unattributed", "format": "csv"})

    assert options_of_tier["unattributed"][0] == 2
    assert [line.split(",")[0] for line in page.content.decode().splitlines()] == ["team", "vision", "unattributed"]


def test_the_form_leads_back_to_the_page_and_nowhere_else(lead, activity):
    for at, action in (
        ("/teams/", "/teams/"),
        ("https://example.org/", "/"),
        ("//example.org/", "/"),
        ("/accounts/logout/", "/"),
        ("/api/v1/emissions", "/"),
    ):
        html = lead.get("/filters/", PERIOD | {"on": "team", "at": at, "region": "eu"}).content.decode()

        assert f'action="{action}"' in html
        assert "example.org/" not in html
        assert '<input type="hidden" name="region" value="eu">' in html


def test_an_unknown_dimension_is_not_there(lead, activity):
    assert lead.get("/filters/", {"on": "person"}).status_code == 404
    assert lead.get("/filters/").status_code == 404


def test_a_menu_asks_few_questions_and_the_bar_none(lead, activity):
    lead.get("/filters/", PERIOD | {"on": "team"})
    cache.clear()  # of what this very question left

    with CaptureQueriesContext(connection) as of_menu:
        lead.get("/filters/", PERIOD | {"on": "team"})
    with CaptureQueriesContext(connection) as of_page:
        lead.get("/teams/", PERIOD | {"stage": "inference", "cmp": "none"})

    scans = [query["sql"] for query in of_menu if "accounting_monthly d" in query["sql"]]
    assert len(scans) == 1
    scans = [query["sql"] for query in of_page if "accounting_monthly d" in query["sql"]]
    assert len(scans) == 3  # the rows, their intervals and the months of the small pictures


def test_chips_drop_one_value_each_and_clear_drops_all(lead, activity):
    html = lead.get("/teams/", PERIOD | {"team": ["search", "vision"], "tier": "batch"}).content.decode()

    chips = dict(re.findall(r'<a class="chip applied" href="([^"]*)">\s*<bdi>([^<]+?)</bdi>', html))
    assert {text: address for address, text in chips.items()} == {
        "Team: search": "?include=none&amp;period=2026-Q3&amp;team=vision&amp;tier=batch",
        "Team: vision": "?include=none&amp;period=2026-Q3&amp;team=search&amp;tier=batch",
        "Tier: batch": "?include=none&amp;period=2026-Q3&amp;team=search&amp;team=vision",
    }
    assert '<a class="act" href="?">Clear</a>' in html


def test_a_page_says_which_filters_it_cannot_heed(lead, activity):
    bridge = text_of(lead.get("/bookings/", PERIOD | {"scope": "2", "team": "search"}))
    units = text_of(lead.get("/quality/units/", {"period": "2026-Q3", "team": "search"}))

    assert re.search(r"not narrowed by: Parts remove Scope remove", bridge)
    assert "Team: search remove" in bridge
    assert re.search(r"not narrowed by: Team remove", units)


def test_a_member_cannot_drop_or_widen_what_narrows_them(client, organization, activity):
    with organization_scope(organization.id):
        team = Team.objects.create(organization=organization, name="search")
    member = sign_in(client, organization, "member", team=team)

    page = member.get("/", PERIOD | {"team": "vision"}).content.decode()
    menu = options(member.get("/filters/", PERIOD | {"on": "team", "team": "vision"}))

    assert 'class="chip applied fixed"' in page
    assert 'data-filter="team"' not in page
    assert set(menu) == {"search"}


def test_the_unit_of_masses_can_be_fixed_and_files_stay_in_kg(lead, activity):
    page = text_of(lead.get("/", PERIOD | {"mass": "t"}))
    file = lead.get("/teams/", PERIOD | {"mass": "t", "format": "csv"}).content.decode()

    assert "0.526 t CO 2 e" in page  # 1,600 kWh x 0.329 = 526.4 kg
    assert float(file.splitlines()[1].split(",")[1]) == pytest.approx(329.0, rel=1e-6)
    assert "mass is one of kg, t" in text_of(lead.get("/", PERIOD | {"mass": "lb"}))
    assert lead.get("/api/v1/emissions", PERIOD | {"mass": "t"}).status_code == 400
    assert "526 kg" in text_of(lead.get("/", PERIOD))


def test_where_nothing_matches_the_page_says_which_filter_empties_it(lead, activity):
    html = lead.get("/teams/", PERIOD | {"team": "search", "tier": "gold"})

    page = text_of(html)
    assert "Drop “Tier: gold” 1 record" in page
    assert "Without “Team: search” still none" in page
    assert "Drop all filters: 3 records" in page
    assert 'href="?include=none&amp;period=2026-Q3&amp;team=search"' in html.content.decode()
