"""Requests in order, what they have in common, and one of them with its formula, its place and its trace."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from core.accounting.figures import Filter
from core.accounting.selectors import current_view
from core.organizations import services
from core.organizations.models import Person, Role
from core.organizations.tenancy import organization_scope
from reporting.selectors import requests as selectors
from tests.deliver import deliver, metered
from tests.people import sign_in

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]
RECENT = datetime.now(UTC).date() - timedelta(days=2)  # the ids of records expire
LATELY = {"from": f"{RECENT}", "to": f"{RECENT}"}
DE_KG_PER_KWH = 0.329 + 0.0346  # Germany: EEA 2023, and upstream by Ember 2026
HOSTILE = "<script>alert('x')</script>"
THIN = "\u202f"


def lately(name, kwh, minute=0, seconds=60, **fields):
    start = datetime(RECENT.year, RECENT.month, RECENT.day, 10, minute, tzinfo=UTC)
    times = {"started_at": start, "ended_at": start + timedelta(seconds=seconds)}
    return metered(name, kwh, **{key: f"{at:%Y-%m-%dT%H:%M:%SZ}" for key, at in times.items()}, **fields)


@pytest.fixture
def records(organization):
    """A thousand light requests, a hundred heavy ones of which twenty failed, and training that counts none."""
    deliver(
        organization,
        [
            lately("light", 1.0, 0, team="search", application="finder", task="rank", requests=1000),
            lately("heavy", 10.0, 1, team="search", application=HOSTILE, requests=100, failed_requests=20),
            lately("trained", 50.0, 2, team="vision", stage="training"),
        ],
    )


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode().partition("<main")[2]))


def place_of(text):
    return re.search(r"(\d+) of (\d+)", text)[0]


def test_percentiles_and_bins_are_those_of_requests(client, organization, records):
    """1,000 requests of 363.6 kg / 1000 = 0.364 g x 1000; 80 successful ones of 3.636 kg / 80 = 45.45 g."""
    text = text_of(sign_in(client, organization).get("/requests/", LATELY))

    assert "The heaviest 1 % of requests take at least 120 times the median" in text  # 45.45 g / 0.3636 g = 125
    assert f"p50 {1000 * DE_KG_PER_KWH:.0f} mg" in text  # 1 kWh over 1,000 requests
    assert "p99 45,500 mg" in text  # 10 kWh x 363.6 g over 80
    assert "1,100 requests" in text
    assert "20 failed" in text


def test_what_failed_is_a_list_of_its_own_and_so_are_the_outliers(client, organization, records):
    page = sign_in(client, organization)

    failed = page.get("/requests/", LATELY | {"tab": "failed"}).content.decode()
    outliers = page.get("/requests/", LATELY | {"tab": "outliers"}).content.decode()
    unknown = page.get("/requests/", LATELY | {"tab": "nonsense", "sort": "beauty"}).content.decode()

    assert re.findall(r'data-drawer[^>]*title="([^"]+)"', failed) == ["heavy"]
    assert re.findall(r'data-drawer[^>]*title="([^"]+)"', outliers) == []  # none lies above the 99th percentile
    assert "There is no list" in unknown
    assert "There is no order" in unknown
    assert len(re.findall(r'data-drawer[^>]*title="([^"]+)"', unknown)) == 3


def test_the_heaviest_and_the_facets_say_what_figures_say(client, organization, records):
    response = sign_in(client, organization).get("/requests/", LATELY)
    text = text_of(response)

    assert HOSTILE not in response.content.decode()
    assert "Heaviest: Application" in text
    assert "finder" in text
    assert "45.5" in text  # g a request of the hostile application
    assert "20" + THIN + "%" in response.content.decode()  # of its requests failed


def test_what_a_small_team_calls_its_work_folds_with_it(client, organization):
    for name, heads in (("tiny", 2), ("small", 3), ("large", 50)):
        services.create_team(organization_id=organization.id, name=name, head_count=heads)
    deliver(
        organization,
        [
            lately("t", 1.0, team="tiny", application="secret-tiny", requests=1),
            lately("s", 1.0, 1, team="small", application="secret-small", requests=1),
            lately("l", 1.0, 2, team="large", application="open", requests=1),
        ],
    )
    page = sign_in(client, organization)

    shown = page.get("/requests/", LATELY).content.decode().partition("<aside")[2].partition('id="list-title"')[0]
    one = page.get("/requests/", LATELY | {"team": "tiny"}).content.decode()

    assert "open" in shown
    assert "small groups" in shown
    assert "secret" not in shown
    assert sorted(re.findall(r'data-drawer[^>]*title="([^"]+)"', one)) == ["s", "t"]  # asked for by one, both


def test_a_record_has_its_own_page_with_its_formula_and_its_place(client, organization, records):
    page = sign_in(client, organization)

    response = page.get("/requests/record/", LATELY | {"record": "heavy", "sort": "-kg"})
    text = text_of(response)

    assert "3.64 kg" in text  # 10 kWh x 363.6 g
    assert "10 kWh energy" in text
    assert "329" in text
    assert "measured" in text
    assert place_of(text) == "2 of 3"
    assert re.search(r'rel="prev"[^>]*record=trained', response.content.decode())
    assert re.search(r'rel="next"[^>]*record=light', response.content.decode())
    assert HOSTILE not in response.content.decode()
    assert "45.5" in text  # g a successful request
    assert place_of(text_of(page.get("/requests/record/", LATELY | {"record": "heavy"}))) == "2 of 3"
    assert place_of(text_of(page.get("/requests/record/", LATELY | {"record": "heavy", "tab": "failed"}))) == "1 of 1"


@pytest.mark.parametrize("name", ["", "never-sent", "\0", HOSTILE])
def test_a_record_that_nobody_sent_has_no_page(client, organization, records, name):
    assert sign_in(client, organization).get("/requests/record/", {"record": name}).status_code == 404


def test_a_record_of_another_team_or_organization_has_no_page(client, organization, other_organization, records):
    lead = sign_in(client, organization, Role.TEAM_LEAD, "vision")
    stranger = type(client)()
    person = Person.objects.create_user("stranger@example.org")
    services.add_member(organization_id=other_organization.id, person=person, role=Role.OWNER)
    stranger.force_login(person)

    assert lead.get("/requests/record/", {"record": "trained"}).status_code == 200
    assert lead.get("/requests/record/", {"record": "heavy"}).status_code == 404
    assert stranger.get("/requests/record/", {"record": "heavy"}).status_code == 404


def test_a_trace_is_nested_by_time_and_added_up(client, organization):
    """An agent of a minute calls a model twice, the second time through a tool: 1 + 2 + 0 + 5 kWh."""
    trace = {"trace": "4bf92f3577b34da6a3ce929d0e0e4736", "team": "search"}
    deliver(
        organization,
        [
            lately("agent", 1.0, 0, 60, task="agent", **trace),
            lately("first", 2.0, 0, 10, task="first call", **trace),
            lately("second", 5.0, 0, 50, task="second call", **trace),
            lately("after", 2.0, 5, 10, task="after", **trace),
            lately("other", 9.0, 0, 60, task="other"),
        ],
    )

    body = sign_in(client, organization).get("/requests/record/", LATELY | {"record": "second"}).content.decode()
    rows = re.findall(r"<tr>(.*?)</tr>", body.partition('id="trace-title"')[2].partition("</section>")[0], re.S)[1:]
    said = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)).strip() for row in rows]

    assert [row.split(" 10:")[0] for row in said] == ["agent", "second call", "first call", "after"]
    assert [row.count('class="step"') for row in rows] == [0, 1, 2, 0]
    assert [row.split()[-2] for row in said] == ["10", "60", "80", "100"]  # per cent so far
    assert 'aria-current="true">second call' in rows[1]


def test_above_the_limit_percentiles_are_of_a_sample_and_the_heaviest_of_each_series(client, organization, monkeypatch):
    """Every hundredth block would be read of a million; here every block is, so that the sample is all there is."""
    deliver(organization, [lately(f"r{number}", number, number % 50, requests=1) for number in range(1, 30)])
    monkeypatch.setattr(selectors, "MOST_QUANTIFIED", 10)
    monkeypatch.setattr(selectors, "SAMPLE_RECORDS", 29)
    page = sign_in(client, organization)

    spread = text_of(page.get("/requests/spread/", LATELY))
    heaviest = page.get("/requests/", LATELY | {"sort": "-kg"}).content.decode()

    assert "from a sample of 29 of 29 records" in spread
    assert "the heaviest of each series" in heaviest
    assert re.findall(r'data-drawer[^>]*title="([^"]+)"', heaviest) == [f"r{number}" for number in range(29, 0, -1)]


def test_the_heaviest_of_each_series_are_the_heaviest_by_tokens_too(organization):
    spent = {"evidence": "modelled", "hosting": "api", "provider": "openai", "model": "gpt-4o", "requests": 1}
    calls = [
        {key: value for key, value in lately(f"c{number}", 0.0, number, **spent, output_tokens=number * 100,
         input_tokens=9000 - number).items() if not key.startswith("energy")}
        for number in range(1, 20)
    ]  # fmt: skip
    deliver(organization, calls)

    with organization_scope(organization.id):
        reach = selectors.reach_of(organization.id, current_view(organization.id), Filter(RECENT, RECENT))
        window = reach.window()
        exact = selectors.page_of(reach, window, selectors.ordered(window, "-kg"), after=None, limit=5)
        chosen = selectors.heaviest_candidates(reach, limit=5)

    assert [row["record_id"] for row in chosen.rows] == [row["record_id"] for row in exact.rows]
    assert chosen.figures["total_kg_co2e"].tolist() == pytest.approx(exact.figures["total_kg_co2e"].tolist())


@pytest.mark.parametrize(
    "query",
    [
        {"after": "' or 1=1"},
        {"after": "z" * 32, "sort": "-kg"},
        {"after": "\0", "sort": "kwh"},
        {"application": HOSTILE},
        {"sort": "--kg"},
        {"tab": ["failed", "outliers"]},
        {"method": "measured", "tier": "=1+1", "region": ""},
    ],
)
def test_nonsense_gives_a_page(client, organization, records, query):
    response = sign_in(client, organization).get("/requests/", LATELY | query)

    assert response.status_code == 200
    assert HOSTILE not in response.content.decode()


def test_the_page_takes_few_questions(client, organization, records, django_assert_max_num_queries):
    page = sign_in(client, organization)
    page.get("/requests/", LATELY)

    with django_assert_max_num_queries(40):
        page.get("/requests/", LATELY)
    with django_assert_max_num_queries(40):
        page.get("/requests/record/", LATELY | {"record": "heavy"})
