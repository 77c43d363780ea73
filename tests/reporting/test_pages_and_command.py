"""No figure on a page differs from `manage.py emissions` for the same filter: pages are walked, files and words compared."""

import csv
import io
import json
import re
from datetime import date
from html import unescape

import pytest
from django.core.cache import cache
from django.core.management import call_command

from core.accounting.services import add_register_entries, add_site
from core.organizations import services
from core.organizations.models import Person
from reporting import figures
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

TOTAL = "total_kg_co2e"
FILTERS = [
    {"period": "2026-Q3"},
    {"period": "2026-Q3", "basis": "market"},
    {"period": "2026-Q3", "booking": "disclosed"},
    {"period": "2026-Q3", "booking": "disclosed", "basis": "market", "include": "upstream"},
    {"from": "2026-07-03", "to": "2026-08-20", "include": "none"},
    {"period": "2026-07", "team": ["search", "unattributed"], "include": "embodied"},
    {"period": "2026-Q3", "model": "atlas", "stage": "training"},
    {"period": "2026-Q3", "model": "unattributed"},
    {"period": "2026-Q3", "region": "eu-central-1", "hosting": ["cloud", "api"], "tier": "batch"},
    {"period": "2026-Q3", "evidence": "measured", "technique": "quantized:int8"},
    {"period": "2026-Q3", "source": "agent", "environment": "production", "application": "assistant"},
    {"period": "2026-Q3", "scope": "2", "basis": "market"},
    {"period": "2026-Q3", "project": "robot", "task": "summary", "site": "fra-1"},
    {"period": "2026-Q3", "team": "nobody-of-this-name"},
]
RECORDS = [
    metered(
        "a", 1000.0, team="search", model="atlas", requests=1000, application="assistant", environment="production"
    ),
    metered("b", 500.0, team="vision", model="atlas", stage="training", run="v/1", site="fra-1", project="robot"),
    metered("c", 100.0, team="search", project="robot", task="summary", site="fra-1", requests=7),
    metered("d", 40.0, started_at="2026-08-20T22:00:00Z", ended_at="2026-08-21T02:00:00Z", model="embed", requests=3),
    metered("e", 70.0, zone="FR", hosting="cloud", region="eu-central-1", tier="batch", provider="aws", requests=9),
    metered("f", 3.0, techniques=["quantized:int8", "cached"], team="search", model="atlas", requests=2),
    metered("g", 9.0, started_at="2026-09-30T23:00:00Z", ended_at="2026-10-01T01:00:00Z", team="vision", requests=1),
    metered("h", 80.0, started_at="2026-05-10T10:00:00Z", ended_at="2026-05-10T11:00:00Z", team="vision", requests=1),
]


@pytest.fixture
def asker(client, organization):
    """A lead who signs in, over records of every kind and a register."""
    deliver(organization, RECORDS)
    add_site(organization_id=organization.id, slug="fra-1", name="Frankfurt", country="DE", zone="DE")
    month = {"site": "fra-1", "date": "2026-07", "source": "meters"}
    entries = [
        {**month, "kind": "meter_reading", "facility_kwh": 1200, "it_kwh": 1000},
        {**month, "kind": "purchase", "date": "2026-07-02", "hardware": "NVIDIA H100", "count": 8},
    ]
    add_register_entries(organization_id=organization.id, rows=entries, today=date(2026, 11, 25))
    deliver(organization, [metered("i", 1.0, team="search", requests=1)])  # derives once more, with the site
    person = Person.objects.create_user("lead@example.org")
    services.add_member(organization_id=organization.id, person=person, role="sustainability_lead")
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def commanded(asked, *by, **changes):
    """Ask the command line with the parameters of an address; give its rows."""
    options = []
    for name, values in (asked | changes).items():
        options += [f"--{name}={value}" for value in ([values] if isinstance(values, str) else values)]
    if by:
        options.append(f"--by={','.join(by)}")
    out = io.StringIO()
    cache.clear()  # the command adds up anew, not what a page has left
    call_command("emissions", "--organization=northwind", "--format=json", *options, stdout=out)
    return json.loads(out.getvalue())["rows"]


def file_of(client, page, asked, **more):
    response = client.get(page, asked | {"format": "csv"} | more)
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.content.decode())))


def number(text):
    return None if text == "" else float(text)


def exactly(value):
    return None if value is None else pytest.approx(value, rel=1e-12, abs=1e-12)


def test_pages_say_what_the_command_says(asker):
    for asked in FILTERS:
        pages_agree(asker, asked)


def pages_agree(asker, asked):
    total = next(iter(commanded(asked)), {TOTAL: None, "records": 0})
    wanted = {
        dim: {
            row[dim] or "unattributed": tuple(row[TOTAL + suffix] for suffix in ("", "_low", "_high"))
            for row in commanded(asked, dim)
        }
        for dim in ("team", "model")
    }

    for dim in ("team", "model"):
        for rows in (file_of(asker, f"/{dim}s/", asked), file_of(asker, "/", asked, tab=dim)):
            got = {row[dim]: tuple(number(row[TOTAL + suffix]) for suffix in ("", "_low", "_high")) for row in rows}
            if "unattributed" not in wanted[dim] and got.get("unattributed") == (None, None, None):
                del got["unattributed"]  # a row of the teams' table, whether there is any or not
            assert got == {name: tuple(exactly(each) for each in values) for name, values in wanted[dim].items()}
    overview = asker.get("/", asked).content.decode()
    if total["records"]:
        digits = 4 if (total[TOTAL] or 0) >= 1e5 else 3
        shown = re.search(r'class="kpi lead[^"]*".*?class="value">(.*?)</', overview, re.S)[1]
        text = re.sub(r"<[^>]+>", "", shown).split("CO")[0].strip()
        assert text == figures.quantity(total[TOTAL], "mass", digits=digits).strip()
        drawn = [number(row["value"]) for row in file_of(asker, "/", asked, tab="trend") if row.get("value")]
        if drawn:
            assert sum(each or 0.0 for each in drawn) == pytest.approx(total[TOTAL], rel=1e-9)
    else:
        assert "Nothing matches" in overview
    listed = asker.get("/api/v1/emissions", asked).json()["rows"]
    assert [row[TOTAL] for row in listed] == ([total[TOTAL]] if listed else [])


def test_the_tree_says_what_the_command_says(asker):
    for asked in FILTERS:
        tree_agrees(asker, asked)


def tree_agrees(asker, asked):
    total = next(iter(commanded(asked)), None)

    tree = asker.get("/explain/", asked | {"format": "json"})

    if total is None:
        assert tree.status_code == 404 or not tree.json()["value"]
    else:
        assert tree.json()["value"] == exactly(total[TOTAL])
        if "scope" not in asked:  # a tree counts every record that it looked at, in whatever scope it books
            assert tree.json()["records"] == total["records"]


def test_the_bridge_leads_from_one_command_to_the_other(asker):
    heeded = [asked for asked in FILTERS if "scope" not in asked]  # over every scope, as the page says
    for asked in heeded:
        bridge_agrees(asker, asked)


def bridge_agrees(asker, asked):
    asked = asked | {"include": "upstream,embodied"}
    life_cycle = sum(row[TOTAL] for row in commanded(asked, booking="life-cycle", basis="location"))
    disclosed = sum(row[TOTAL] for row in commanded(asked, booking="disclosed"))

    steps = {row["step"]: float(row["kg_co2e"]) for row in file_of(asker, "/bookings/", asked)}

    assert steps["life_cycle"] == pytest.approx(life_cycle, abs=2e-9)
    assert steps["as_disclosed"] == pytest.approx(disclosed, abs=1e-6)  # market figures are rounded per market and year


def test_the_menu_of_a_filter_says_what_the_command_says(asker):
    for asked in FILTERS:
        menus_agree(asker, asked)


def menus_agree(asker, asked):
    for dim in ("team", "provider", "evidence"):
        others = {name: values for name, values in asked.items() if name != dim}
        rows = commanded(others, dim)
        scale = figures.scale_for("mass", [row[TOTAL] for row in rows])

        html = unescape(asker.get("/filters/", asked | {"on": dim}).content.decode())

        for row in rows:
            value = row[dim] or "unattributed"
            text = figures.quantity(row[TOTAL], "mass", scale=scale)
            option = re.search(rf'name="{dim}"\s+value="{value}"[^>]*>\s*<bdi class="breaks">.*?</label>', html, re.S)[
                0
            ]
            assert f"{figures.count(row['records'])} <span" in option
            assert f"</span> {text}</span>" in option


def test_scores_rest_on_the_emissions_that_the_command_says(asker):
    asked = {"period": "2026-Q3", "stage": "inference", "team": "search"}
    rows = [row for row in file_of(asker, "/intensity/", asked, by="team") if row["score"] == "consumer"]
    (told,) = commanded(asked, "team")

    (row,) = rows
    assert row["team"] == "search"
    assert float(row["operational_kg_co2e"]) == pytest.approx(told["location_kg_co2e"], rel=1e-9)
    assert float(row["energy_facility_kwh"]) == pytest.approx(told["energy_facility_kwh"], rel=1e-9)


def test_a_run_s_page_says_what_the_command_says(asker):
    (told,) = commanded({"period": "2026-Q3"}, run="v/1")

    html = asker.get("/runs/v/1/").content.decode()

    scale = figures.scale_for("mass", [told[TOTAL]])
    assert figures.number(told[TOTAL], scale) in html
