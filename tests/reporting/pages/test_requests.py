"""Requests: single records, and whose."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from core.accounting.figures import Filter
from core.accounting.selectors.explain import explain
from core.organizations.models import Role
from core.organizations.tenancy import organization_scope
from reporting.selectors import requests as selectors
from reporting.selectors.records import records as listed
from tests.deliver import deliver, metered
from tests.people import sign_in

pytestmark = pytest.mark.usefixtures("committed_db")
KWH = 4  # column of the list
JULY = {"from": "2026-07-01", "to": "2026-07-31"}


@pytest.fixture
def records(organization):
    deliver(organization, [metered("of-search", 1.0, team="search"), metered("of-vision", 2.0, team="vision")])


@pytest.mark.parametrize(
    ("role", "team", "seen"),
    [
        (Role.OWNER, None, {"search", "vision"}),
        (Role.AUDITOR, "search", {"search", "vision"}),
        (Role.TEAM_LEAD, "search", {"search"}),
        (Role.TEAM_LEAD, None, set()),
    ],
)
def test_a_team_lead_sees_single_records_of_the_own_team_only(client, organization, records, role, team, seen):
    page = sign_in(client, organization, role, team)

    shown = page.get("/requests/", JULY | {"team": "vision"} if not seen else JULY)
    sent = page.get("/api/v1/activity", JULY).json()["records"]

    assert {row[-2] for row in rows_of(shown)} == seen
    assert {record["team"] for record in sent} == seen


def test_another_team_s_record_has_no_figure_for_a_team_lead(client, organization, records):
    page = sign_in(client, organization, Role.TEAM_LEAD, "search")

    own = page.get("/api/v1/explain", JULY | {"record": "of-search"})
    theirs = page.get("/api/v1/explain", JULY | {"record": "of-vision"})

    assert (own.status_code, theirs.status_code) == (200, 404)


def test_records_of_one_run_are_listed_and_scopes_are_refused(client, organization):
    deliver(organization, [metered("one", 1.0, run="r1"), metered("two", 2.0, run="r2")])
    page = sign_in(client, organization, Role.OWNER)

    of_run = page.get("/requests/", JULY | {"run": "r2"})
    in_order = page.get("/requests/", JULY | {"run": "r2", "sort": "-kwh"})
    of_none = page.get("/requests/", JULY | {"run": "nothing-like-this"})
    of_scope = page.get("/requests/", JULY | {"scope": "2"}).content.decode()

    assert [row[KWH] for row in rows_of(of_run)] == ["2.00"]
    assert [row[KWH] for row in rows_of(in_order)] == ["2.00"]
    assert rows_of(of_none) == []
    assert "take the scope filter away" in of_scope


RECENT = datetime.now(UTC).date() - timedelta(days=2)  # the ids of records expire
LATELY = {"from": f"{RECENT}", "to": f"{RECENT}"}
DE_KG_PER_KWH = 0.329 + 0.0346  # Germany: EEA 2023, and upstream by Ember 2026


def lately(name, kwh, **fields):
    return metered(name, kwh, started_at=f"{RECENT}T10:00:00Z", ended_at=f"{RECENT}T11:00:00Z", **fields)


def rows_of(response):
    body = response.content.decode().partition('id="list-title"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in body.split("<tr>")[1:]]
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in row] for row in rows]


def name_of(row):
    """Leave out what stands below the name for phones."""
    return row[1].split()[0]


@pytest.mark.slow
def test_each_record_has_its_own_footprint_and_they_can_be_put_in_order(client, organization):
    kwh = {"small": 0.5, "large": 20.0, "middle": 4.0}
    deliver(organization, [lately(name, amount) for name, amount in kwh.items()])
    page = sign_in(client, organization, Role.OWNER)

    newest = rows_of(page.get("/requests/", LATELY))
    heaviest = rows_of(page.get("/requests/", LATELY | {"sort": "-kg"}))

    shown = {name_of(row): float(row[2].split()[0]) for row in newest}
    assert shown == {name: pytest.approx(amount * DE_KG_PER_KWH, rel=5e-2) for name, amount in kwh.items()}
    assert [name_of(row) for row in heaviest] == ["large", "middle", "small"]
    for name, amount in kwh.items():
        tree = page.get("/api/v1/explain", {"record": name}).json()
        assert tree["value"] == pytest.approx(amount * DE_KG_PER_KWH)


@pytest.mark.slow
def test_the_listed_footprints_are_those_that_explain_gives(organization):
    spent = {"evidence": "modelled", "hosting": "api", "provider": "openai", "model": "gpt-4o"}
    records = [
        lately("metered", 3.0),
        {name: value for name, value in lately("called", 0.0, **spent, output_tokens=5000, input_tokens=900).items()
         if not name.startswith("energy")},
    ]  # fmt: skip
    deliver(organization, records)
    day = Filter(RECENT, RECENT)

    with organization_scope(organization.id):
        page = listed(organization.id, day)
        trees = [explain(organization.id, day, record_id=row["record_id"]) for row in page.rows]

    for side, name in (("value", ""), ("low", "_low"), ("high", "_high")):
        assert page.figures[f"total_kg_co2e{name}"].tolist() == pytest.approx([tree[side] for tree in trees], rel=1e-6)


def test_more_records_than_are_ordered_are_shown_by_time_and_it_is_said(client, organization, records, monkeypatch):
    monkeypatch.setattr(selectors, "MOST_QUANTIFIED", 1)
    page = sign_in(client, organization, Role.OWNER)

    response = page.get("/requests/", JULY | {"sort": "kwh"})

    assert "2 records: up to 1 are put in order." in response.content.decode()
    assert len(rows_of(response)) == 2


def test_pages_of_the_heaviest_follow_each_other(client, organization, monkeypatch):
    monkeypatch.setattr(selectors.page_of, "__kwdefaults__", {"limit": 2})
    deliver(organization, [lately(f"r{number}", number) for number in range(1, 6)])
    page = sign_in(client, organization, Role.OWNER)

    pages, asked = [], {"sort": "-kg"}
    for _number in range(3):
        response = page.get("/requests/", LATELY | asked)
        pages.append([name_of(row) for row in rows_of(response)])
        after = re.search(r'rel="next" href="[^"]*after=([0-9a-f-]+)', response.content.decode())
        asked["after"] = after[1] if after else ""
    nonsense = page.get("/requests/", LATELY | {"sort": "-kg", "after": "x"})

    assert pages == [["r5", "r4"], ["r3", "r2"], ["r1"]]
    assert not asked["after"]
    assert [name_of(row) for row in rows_of(nonsense)] == ["r5", "r4"]
    assert "it begins anew" in nonsense.content.decode()
